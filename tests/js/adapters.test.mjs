// @ts-check
// Adapters in a session: made, kept, given out in three forms, several at work, swapped, and off as if they had never been. Refusals.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { homeModel, needs, root, stories, temporaryFolder, wasm } from './support/env.mjs';
import { AdapterPool, EdgeNetError, InferenceSession, TrustStore } from '../../js-glue/index.js';
import { Records } from '../../js-glue/records.js';
import { ModelWorker, ModelWorkerPool } from '../../worker/index.js';

const storageRoot = temporaryFolder();
const PROMPT = 'the village by the sea';
const GREEDY = { temperature: 0, ignoreEos: true, maxTokens: 12 };
/** @template T @param {any} options @param {(s: InferenceSession) => Promise<T>} use */
async function using({ model = homeModel, ...options }, use) {
  const session = await InferenceSession.create(model, { wasm, threads: 1, storage: 'filesystem', storageRoot, contextLength: 128, kvType: 'f32', ...options });
  try { return await use(session); } finally { await session.dispose(); }
}
/** An adapter that changes something. @param {InferenceSession} s @param {string} name @param {any} [config] */
async function trained(s, name, config) {
  const trainer = s.createTrainer({ rank: 2, learningRate: 0.02, warmupSteps: 0, ...config });
  await trainer.train([`${name} is the word that comes next`, `${name} and again ${name}`], { epochs: 3 });
  const adapter = await trainer.getAdapter({ name });
  await trainer.dispose();
  return adapter;
}
/** @param {Float32Array} a @param {Float32Array} b largest difference */
const apart = (a, b) => a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);
const utf8 = (/** @type {string} */ text) => new TextEncoder().encode(text);

test('kept, loaded again, out in three forms and in again: the same logits; off: the base, bit for bit', () => using({}, async (s) => {
  const base = await s.logits(PROMPT);
  const adapter = await trained(s, 'word', { alpha: 5, targetModules: ['q_proj', 'k_proj', 'down_proj'] });
  assert.deepEqual([adapter.meta.rank, adapter.meta.alpha, adapter.meta.baseModel, adapter.meta.targetModules], [2, 5, s.info.name, ['q_proj', 'k_proj', 'down_proj']]);
  assert.ok(adapter.meta.training.steps === 3 && adapter.meta.training.samples === 2 && adapter.meta.training.duration > 0);
  await adapter.save('my word');
  assert.deepEqual(await s.savedAdapters(), ['my word']);
  const info = await s.loadAdapter('my word');
  assert.deepEqual([info.name, info.scale, info.rank, info.layers], ['my word', 1, 2, s.info.layers]);
  const { data } = adapter;
  assert.deepEqual([info.fileBytes, info.bytes], [(data.form === 'gguf' ? data.file : data.tensors).length, s.getMemoryInfo().adapterBytes]);
  const at1 = await s.logits(PROMPT);
  assert.ok(apart(base, at1) > 1e-3, 'it does something');
  await s.setAdapterScale('my word', 0.5);
  const half = await s.logits(PROMPT);
  assert.ok(apart(half, at1) > 1e-4 && apart(half, base) > 1e-4);
  await s.setAdapterScale('my word', 0);
  assert.deepEqual(await s.logits(PROMPT), base, 'off is the base, bit for bit');
  await s.setAdapterScale('my word', 1);
  assert.deepEqual(await s.logits(PROMPT), at1);
  await s.unloadAdapter('my word');
  assert.deepEqual([await s.logits(PROMPT), s.listAdapters(), s.getMemoryInfo().adapterBytes], [base, [], 0]);

  const peft = await adapter.export('peft');
  const gguf = await adapter.export('gguf');
  const json = await adapter.export('json');
  const object = await adapter.toLoRAAdapter();
  const sources = [peft, { tensors: peft['adapter_model.safetensors'], config: peft['adapter_config.json'] }, gguf, new Blob([gguf]), utf8(json), object, adapter].slice(1);
  for (const source of sources) {
    const { name } = await s.loadAdapter(/** @type {any} */ (source), { name: 'again' });
    assert.deepEqual(await s.logits(PROMPT), at1);
    await s.unloadAdapter(name);
  }
  const back = await s.openAdapter(utf8(json));
  assert.deepEqual(back.meta, adapter.meta);
  assert.equal(await back.export('json'), json);
  assert.deepEqual(await (await s.openAdapter(gguf)).export('gguf'), gguf);
  assert.equal(await s.deleteAdapter('my word'), true);
  assert.equal(await s.deleteAdapter('my word'), false);
  await assert.rejects(s.loadAdapter('my word'), { code: 'ARG', message: /no adapter is saved.*my word/ });
}));

test('DoRA: kept, out as PEFT and JSON and in again, no GGUF form', () => using({}, async (s) => {
  const base = await s.logits(PROMPT);
  const adapter = await trained(s, 'dora', { useDora: true });
  await adapter.save('dora');
  await s.loadAdapter('dora');
  const at1 = await s.logits(PROMPT);
  assert.ok(apart(base, at1) > 1e-3, 'it does something');
  await s.setAdapterScale('dora', 0);
  assert.deepEqual(await s.logits(PROMPT), base, 'off is the base, bit for bit');
  await s.unloadAdapter('dora');
  const peft = await adapter.export('peft'), json = await adapter.export('json');
  assert.equal(JSON.parse(peft['adapter_config.json']).use_dora, true);
  const { weights, ...rest } = await adapter.toLoRAAdapter();
  const module = Object.keys(weights)[0], m = weights[module].lora_magnitude_vector;
  assert.ok(m && m.length === weights[module].lora_B.length / 2 && m.every((v) => v > 0));
  for (const source of [{ tensors: peft['adapter_model.safetensors'], config: peft['adapter_config.json'] }, utf8(json)]) {
    await s.loadAdapter(source, { name: 'again' });
    assert.deepEqual(await s.logits(PROMPT), at1);
    await s.unloadAdapter('again');
  }
  m[0] *= 2; // lengths belong to the checksum
  await assert.rejects(s.loadAdapter({ ...rest, weights }, { name: 'x' }), { code: 'INTEGRITY' });
  await assert.rejects(adapter.export('gguf'), { code: 'UNSUPPORTED', message: /no place for DoRA/ });
}));

test('several at once add up, up to eight; a swap takes no reload; texts in the making end first', () => using({}, async (s) => {
  const adapter = await trained(s, 'sum');
  await s.loadAdapter(adapter, { name: 'whole', scale: 0.75 });
  const whole = await s.logits(PROMPT);
  await s.unloadAdapter('whole');
  await s.loadAdapter(adapter, { name: 'a', scale: 0.5 });
  await s.loadAdapter(adapter, { name: 'b', scale: 0.25 });
  assert.ok(apart(await s.logits(PROMPT), whole) < 0.05 * Math.max(...whole.map(Math.abs)), 'but for roundings of activations to 8 bits');
  for (const name of 'cdefgh') await s.loadAdapter(adapter, { name });
  await assert.rejects(s.loadAdapter(adapter, { name: 'i' }), { code: 'FULL', message: /8 are possible/ });
  assert.equal(s.listAdapters().length, 8);
  await s.loadAdapter(adapter, { name: 'i', scale: 0 });
  await assert.rejects(s.loadAdapter(adapter, { name: 'a' }), { code: 'STATE', message: /"a" is loaded already/ });
  await assert.rejects(s.setAdapterScale('z', 1), { code: 'ARG', message: /"z"/ });
  await s.setAdapterScales(Object.fromEntries(s.listAdapters().map(({ name }) => [name, 0])));
  const text = await s.generate(PROMPT, GREEDY);
  let begun = () => {};
  const first = new Promise((resolve) => { begun = () => resolve(undefined); });
  const running = s.complete(PROMPT, { ...GREEDY, onToken: begun });
  await first;
  const swap = s.setAdapterScale('a', 1);
  assert.equal((await running).text, text, 'what had begun is made by the model as it was');
  await swap;
  const times = [];
  for (let i = 0; i < 21; i++) { const t0 = performance.now(); await s.setAdapterScales({ a: i % 2, b: 1 - i % 2 }); times.push(performance.now() - t0); }
  console.log(`# a swap takes ${times.sort((x, y) => x - y)[10].toFixed(3)} ms (median)`);
}));

test('AdapterPool: slots, and the one unused for longest goes', () => using({}, async (s) => {
  const adapter = await trained(s, 'pool');
  const base = await s.generate(PROMPT, GREEDY);
  for (const name of ['one', 'two', 'three', 'four']) await adapter.save(name);
  const pool = new AdapterPool(s, { slots: 3 });
  await Promise.all([pool.add('one'), pool.add('two', adapter), pool.add('three')]);
  await pool.use('one');
  assert.deepEqual(s.listAdapters().map((a) => [a.name, a.scale]).sort(), [['one', 1], ['three', 0], ['two', 0]]);
  await pool.use({ four: 0.5, one: 0.5 });
  assert.deepEqual(pool.names, ['three', 'four', 'one']);
  await pool.use(null);
  assert.equal(await s.generate(PROMPT, GREEDY), base);
  await assert.rejects(pool.use({ one: 1, two: 1, three: 1, four: 1 }), { code: 'FULL' });
  await assert.rejects(pool.use('nobody'), { code: 'ARG' });
  await pool.clear();
  assert.deepEqual([pool.names, s.listAdapters()], [[], []]);
}));

test('what does not fit or was damaged is refused with a sentence', () => using({}, async (s) => {
  const adapter = await trained(s, 'refused');
  const gguf = await adapter.export('gguf'), json = await adapter.export('json');
  const { 'adapter_model.safetensors': tensors, 'adapter_config.json': config } = await adapter.export('peft');
  /** @param {(a: any) => void} change */
  const changed = (change) => { const a = JSON.parse(json); change(a); return utf8(JSON.stringify(a)); };
  const module = Object.keys(JSON.parse(json).weights)[0];
  const nan = Buffer.alloc(Buffer.from(JSON.parse(json).weights[module].lora_A, 'base64').length, 255).toString('base64');
  /** @type {[any, string, RegExp][]} */
  const wrong = [
    [new Uint8Array(8), 'FORMAT', /neither/], [gguf.slice(0, gguf.length - 9), 'FORMAT', /cut short/], [gguf.slice(0, 40), 'FORMAT', /./], [utf8(json.slice(0, -5)), 'FORMAT', /cut short/],
    [{ tensors: tensors.slice(0, -4), config }, 'FORMAT', /./], [{ tensors, config: '{}' }, 'UNSUPPORTED', /./], [{ tensors, config: { ...JSON.parse(config), r: 65 } }, 'UNSUPPORTED', /rank/],
    [{ tensors, config: { ...JSON.parse(config), use_dora: true } }, 'FORMAT', /magnitude vector is missing/],
    [changed((a) => { a.checksum = '0'.repeat(64); }), 'INTEGRITY', /checksum/], [changed((a) => { a.rank = 65; }), 'FORMAT', /rank/], [changed((a) => { a.rank = 3; }), 'FORMAT', /rank 3/],
    [changed((a) => { a.weights[module].lora_A = nan; }), 'NUMERIC', /not finite/], [changed((a) => { delete a.quality; }), 'FORMAT', /quality/], [changed((a) => { a.extra = 1; }), 'FORMAT', /extra/],
    [changed((a) => { a.quality.humanScore = 6; }), 'FORMAT', /humanScore/], [changed((a) => { a.baseModel = 'phi-1.5-q4'; }), 'ARG', /phi-1.5-q4/],
    [42, 'ARG', /adapter must be/], ['../etc', 'ARG', /name/],
  ];
  for (const [source, code, message] of wrong) await assert.rejects(s.loadAdapter(source, { name: 'x' }), { code, message }, `${code} ${message}`);
  await s.loadAdapter(changed((a) => { a.baseModel = 'phi-1.5-q4'; }), { anyBase: true, name: 'other base' });
  const { weights, ...rest } = await adapter.toLoRAAdapter();
  const odd = { ...rest, weights: { 'model.layers.0.self_attn.c_attn': weights[module] } };
  const { checksumOf } = await import('../../js-glue/lora-json.js');
  await assert.rejects(s.loadAdapter({ ...odd, checksum: await checksumOf(odd.weights) }, { name: 'x' }), { message: /c_attn/ });
  assert.deepEqual(s.listAdapters().map((a) => a.name), ['other base']);
}));

/** A safetensors file with its numbers in 16 bits. @param {Uint8Array} file */
function halved(file) {
  const n = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  const head = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + n)));
  const data = file.slice(8 + n);
  for (const t of Object.values(head)) if (t.dtype) { t.dtype = 'BF16'; t.data_offsets = t.data_offsets.map((/** @type {number} */ v) => v / 2); }
  const text = utf8(JSON.stringify(head).padEnd(n));
  const out = new Uint8Array(8 + text.length + data.length / 2);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  for (let i = 0; i < data.length / 4; i++) out.set(data.subarray(4 * i + 2, 4 * i + 4), 8 + text.length + 2 * i);
  return out;
}
test('PEFT files in 16 bits come in and go out as JSON; bytes changed at random never do more than an error with a code', () => using({}, async (s) => {
  const adapter = await trained(s, 'random', { targetModules: ['v_proj'], layers: 1 });
  const { 'adapter_model.safetensors': tensors, 'adapter_config.json': config } = await adapter.export('peft');
  const bf16 = await s.openAdapter({ tensors: halved(tensors), config });
  const { weights } = await bf16.toLoRAAdapter();
  const exact = (await adapter.toLoRAAdapter()).weights;
  for (const [name, w] of Object.entries(exact)) w.lora_A.forEach((v, i) => assert.ok(Math.abs(v - weights[name].lora_A[i]) <= Math.abs(v) / 128));
  const forms = [await adapter.export('gguf'), utf8(await adapter.export('json')), tensors];
  let seed = 1, errors = 0;
  const random = (/** @type {number} */ n) => { seed = seed * 48271 % 2147483647; return seed % n; };
  for (let i = 0; i < 240; i++) {
    const bytes = forms[i % 3].slice(0, random(4) ? undefined : random(forms[i % 3].length));
    for (let k = 0; bytes.length && k <= random(3); k++) bytes[random(random(2) ? bytes.length : Math.min(600, bytes.length))] = random(256);
    await s.loadAdapter(i % 3 === 2 ? { tensors: bytes, config } : bytes, { name: 'changed', anyBase: true }).then(() => s.unloadAdapter('changed'), (e) => {
      errors++;
      assert.ok(e instanceof EdgeNetError && !['INTERNAL', 'CRASHED'].includes(e.code), `${e.code ?? e.name}: ${e.message}`);
    });
  }
  assert.ok(errors > 100);
}));
const small = stories('q8_0');
test('an adapter of another model is refused', needs(small), async () => {
  const adapter = await using({}, (s) => trained(s, 'foreign'));
  await using({ model: small }, async (s) => {
    await assert.rejects(s.loadAdapter(adapter), { code: 'ARG', message: /was made for/ });
    await assert.rejects(s.loadAdapter(adapter, { anyBase: true }), { message: /fit|layer|tensor|shape/ });
  });
});

test('adapters of the command and of the session are one', async () => {
  const cli = path.join(root, 'build/native/edge-net');
  const file = path.join(temporaryFolder(), 'given.gguf');
  await using({}, async (s) => {
    const adapter = await trained(s, 'given');
    writeFileSync(file, await adapter.export('gguf'));
    await s.loadAdapter(adapter);
    const { tokens } = await s.complete(PROMPT, GREEDY);
    const run = spawnSync(cli, ['run', homeModel, '--adapter', file, '-p', PROMPT, '-n', '12', '--temp', '0', '--json'], { encoding: 'utf8' });
    if (run.error) return console.log('skipped: the command is not built');
    const text = await s.detokenize(tokens);
    assert.ok(run.stdout.includes(text.trim()), `${run.stdout} ${run.stderr} / ${text}`);
  });
});

test('workers and pools of requests have the same calls', async () => {
  const worker = new ModelWorker({ wasm, storage: 'none' });
  await worker.load(homeModel);
  const trainer = worker.createTrainer({ rank: 2 });
  await trainer.train(['one two three'], { epochs: 2 });
  const adapter = await trainer.getAdapter();
  await worker.loadAdapter(adapter, { name: 'w', scale: 0.5 });
  assert.equal((await worker.setAdapterScale('w', 1)).scale, 1);
  assert.deepEqual(worker.listAdapters().map((a) => a.name), ['w']);
  await worker.unloadAdapter('w');
  const pool = new ModelWorkerPool({ workers: 2, model: homeModel, options: { wasm, storage: 'none', contextLength: 64 } });
  await pool.loadAdapter(adapter, { name: 'p' });
  assert.equal(pool.listAdapters().length, 1);
  await Promise.all([pool.generate('x', { maxTokens: 3 }), pool.createTrainer({ rank: 1 }).train(['one two three'], { epochs: 1 })]);
  await assert.rejects(adapter.save('kept'), { code: 'STORAGE' });
  await Promise.all([worker.terminate(), pool.terminate()]);
});

test('a record that was torn anywhere is the one before it', async () => {
  const dir = temporaryFolder();
  const spec = /** @type {const} */ ({ kind: 'filesystem', root: dir });
  const first = utf8('first'.repeat(50)), second = utf8('second'.repeat(50));
  for (let cut = 0; cut < 300; cut += 23) {
    await new Records(spec).put('torn', first);
    await new Records(spec).put('torn', second);
    assert.deepEqual(await new Records(spec).get('torn'), second);
    const folder = path.join(dir, 'records');
    const newest = readdirSync(folder).map((f) => path.join(folder, f)).find((f) => readFileSync(f).includes('second'));
    truncateSync(/** @type {string} */ (newest), cut);
    const records = new Records(spec);
    assert.deepEqual(await records.get('torn'), first);
    assert.deepEqual(await records.list('to'), ['torn']);
    await records.put('torn', second);
    assert.deepEqual(await new Records(spec).get('torn'), second);
    assert.equal(await records.remove('torn'), true);
  }
  assert.equal(await new Records(spec).get('torn'), null);
});

test('the JSON form can be signed; with a trust store only what a trusted key has signed is taken, and every refusal has its code', () => using({}, async (s) => {
  const adapter = await trained(s, 'signed');
  const pair = async () => /** @type {{publicKey: CryptoKey, privateKey: CryptoKey}} */ (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']));
  const spki = async (/** @type {CryptoKey} */ key) => new Uint8Array(await crypto.subtle.exportKey('spki', key));
  const key = await pair(), other = await pair(), trust = new TrustStore();
  const text = await adapter.export('json', { key }), keyId = await trust.add(await spki(key.publicKey), { name: 'Ann' });
  assert.ok(JSON.parse(text).signature.startsWith(`${keyId}:`));
  await s.loadAdapter(utf8(text), { name: 'from text', trust });
  await s.loadAdapter(await adapter.toLoRAAdapter({ key }), { name: 'from object', trust });
  await s.loadAdapter(utf8(text), { name: 'nobody asks' });
  assert.equal((await s.openAdapter(utf8(text), { trust })).meta.id, adapter.meta.id);

  /** @param {(value: any) => void} change */
  const changed = (change) => { const value = JSON.parse(text); change(value); return utf8(JSON.stringify(value)); };
  const renamed = (/** @type {any} */ value) => { // a checksum covers no names
    value.weights = Object.fromEntries(Object.entries(value.weights).map(([name, w]) => [name.replace('gate_proj', 'gaze_proj'), w]));
  };
  /** @type {[string, any, any, RegExp][]} */
  const refused = [
    ['UNSIGNED', utf8(await adapter.export('json')), trust, /no signature/],
    ['UNSIGNED', await adapter.export('gguf'), trust, /JSON form/], ['UNSIGNED', adapter, trust, /JSON form/],
    ['UNSIGNED', { tensors: new Uint8Array(8), config: '{}' }, trust, /JSON form/], ['UNSIGNED', 'a saved one', trust, /JSON form/],
    ['UNTRUSTED_KEY', utf8(await adapter.export('json', { key: other })), trust, /does not know/],
    ['SIGNATURE', changed((v) => { v.description = 'another'; }), trust, /Ann does not fit/],
    ['SIGNATURE', changed((v) => { v.signature = `${keyId}:${Buffer.alloc(64, 1).toString('base64')}`; }), trust, /Ann/],
    ['SIGNATURE', changed(renamed), trust, /Ann/],
    ['INTEGRITY', changed((v) => { const w = Object.values(v.weights)[0]; [w.lora_A, w.lora_B] = [w.lora_A.replace(/^..../, 'AAAA'), w.lora_B]; }), trust, /checksum/],
    ['FORMAT', changed((v) => { v.signature = v.signature.slice(0, -4); }), trust, /signature/],
    ['HASH_FORM', { ...await adapter.toLoRAAdapter({ key }), signature: 'x' }, trust, /signature/],
    ['NOT_CANONICAL', changed((v) => { v.signature = v.signature.replace(/.==$/, (/** @type {string} */ end) => (end === 'x==' ? 'z==' : 'x==')); }), trust, /base64/],
  ];
  const later = new TrustStore(), narrow = new TrustStore();
  await later.add(await spki(key.publicKey), { notAfter: '2020-01-01T00:00:00Z' });
  await narrow.add(await spki(key.publicKey), { models: ['another-*'] });
  refused.push(['KEY_EXPIRED', utf8(text), later, /until/], ['UNTRUSTED_KEY', utf8(text), narrow, /not for/]);
  const before = s.listAdapters();
  for (const [code, source, by, message] of refused) await assert.rejects(s.loadAdapter(source, { name: 'refused', trust: by }), { code, message });
  assert.deepEqual(s.listAdapters(), before);
  await assert.rejects(adapter.export(/** @type {any} */ ('gguf'), { key }), { code: 'ARG', message: /json/ });
}));

// @ts-check
// Training through the session: the command's loss curve, slices beside texts, stopping, going on after a kill.
import test from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { built, homeModel, needs, root, stories, temporaryFolder, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/index.js';
import { Prefixes } from '../../js-glue/prefixes.js';
import { features } from '../../js-glue/variants.js';

const NAMES = ['Lily', 'Tom', 'Ben', 'Mia', 'Sam', 'Anna'];
const THINGS = ['ball', 'cat', 'kite', 'boat', 'tree', 'bird'];
/** Sentences of one form: what is learned from some of them holds for the others. */
const pairs = NAMES.flatMap((name) => THINGS.map((thing) => ({ input: `${name} saw a ${thing}.`, output: ` "My ${thing} is red," said ${name}.` })));
const CONFIG = Object.freeze(/** @type {const} */ ({ rank: 4, learningRate: 1e-2, seed: 3 }));

/** @template T @param {any} options @param {(s: InferenceSession) => Promise<T>} use */
async function using({ model = homeModel, ...options }, use) {
  const session = await InferenceSession.create(model, { wasm, threads: 1, storage: 'none', contextLength: 256, ...options });
  try { return await use(session); } finally { await session.dispose(); }
}

const cli = [path.join(root, 'build/native/edge-net'), path.join(root, 'build/native-gcc/edge-net')].find((f) => existsSync(f));
const runnable = built.filter((v) => features().relaxedSimd || !v.startsWith('relaxed'));
const folder = temporaryFolder();

// With quantized weights everything has the same bits in every engine, so the same adapter comes out; with F32 the products may fuse.
for (const [name, model, tolerance] of /** @type {const} */ ([['stories260K in F32', stories('f32'), 1e-4], ['the default model in Q8_0', homeModel, 0]])) {
  const missing = cli ? needs(model) : { skip: 'skipped: the command is not built' };
  test(`${name}: the same run gives the same loss curve natively and in every engine`, missing, () => sameCurve(String(model), tolerance));
}
/** @param {string} model @param {number} tolerance of every step's loss */
async function sameCurve(model, tolerance) {
  const data = path.join(folder, 'pairs.jsonl'), csv = path.join(folder, 'loss.csv');
  writeFileSync(data, pairs.map((p) => JSON.stringify(p)).join('\n'));
  const settings = ['--rank', '4', '--lr', '0.005', '--epochs', '2', '--batch', '3', '--accum', '2', '--warmup', '3', '--seed', '7', '--dropout', '0.1', '--eval', '0.2', '--label-smoothing', '0.05', '--lora-plus', '4', '--weight-decay', '0.01'];
  const run = spawnSync(/** @type {string} */ (cli), ['train', model, '--data', data, '--out', path.join(folder, 'native'), '--loss-csv', csv, '--quiet', '--json', '--threads', '1', ...settings], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  const native = readFileSync(csv, 'utf8').trim().split('\n').slice(1).map((line) => line.split(',').map(Number));
  const told = JSON.parse(run.stdout);
  for (const variant of runnable) {
    await using({ model, variant, threads: variant.endsWith('-mt') ? 2 : 1 }, async (s) => {
      const trainer = s.createTrainer({ rank: 4, learningRate: 0.005, batchSize: 3, gradientAccumulation: 2, warmupSteps: 3, seed: 7, dropout: 0.1, labelSmoothing: 0.05, loraPlus: 4, weightDecay: 0.01 });
      /** @type {import('../../js-glue/index.js').TrainEvent[]} */ const events = [];
      const report = await trainer.train(pairs, { epochs: 2, evalShare: 0.2, onStep: (e) => events.push(e) });
      assert.equal(events.length, native.length);
      events.forEach((e, i) => {
        const [step, epoch, lr, loss, norm, tokens] = native[i];
        assert.deepEqual([e.step, e.epoch, e.tokens], [step, epoch, tokens]);
        assert.ok(Math.abs(e.lr - lr) <= 1e-8 * lr, `${variant}, step ${step}: rate ${e.lr}, natively ${lr}`);
        if (!tolerance) assert.equal(Number(e.loss.toPrecision(9)), loss, `${variant}, step ${step}`);
        assert.ok(Math.abs(e.loss - loss) <= Math.max(tolerance, 1e-8 * loss), `${variant}, step ${step}: loss ${e.loss}, natively ${loss}`);
        assert.ok(Math.abs(e.gradNorm - norm) <= (tolerance ? 1e-3 : 1e-8) * norm, `${variant}, step ${step}: norm ${e.gradNorm}, natively ${norm}`);
      });
      assert.ok(Math.abs(/** @type {number} */ (report.evalLoss) - told.eval_last) <= Math.max(tolerance, 1e-5));
      const learned = (await (await trainer.getAdapter()).export('peft'))['adapter_model.safetensors'];
      if (!tolerance) assert.deepEqual(Buffer.from(learned), readFileSync(path.join(folder, 'native', 'adapter_model.safetensors')), `${variant}: another adapter`);
      assert.ok(/** @type {number} */ (report.evalLoss) < /** @type {number} */ (report.evalBefore));
    });
  }
}

test('plan() tells samples, steps and memory before anything is allocated, and train() takes what it told', () => using({}, async (s) => {
  const trainer = s.createTrainer({ ...CONFIG, batchSize: 4, maxLength: 16 });
  const plan = await trainer.plan([...pairs, { input: 'x '.repeat(50), output: 'never reached' }], { epochs: 2, evalShare: 0.25 });
  assert.deepEqual([plan.samples + plan.heldOut, plan.dropped, plan.heldOut, plan.steps], [36, 1, 9, 2 * Math.ceil(27 / 4)]);
  assert.ok(plan.cut > 0 && plan.batchTokens <= 64 && plan.parameters > 1000);
  await trainer.train(pairs.slice(0, 9), { epochs: 1 });
  const { bytes } = await trainer.plan(pairs.slice(0, 9), { epochs: 1 });
  assert.equal(s.getMemoryInfo().trainingBytes, bytes);
  await trainer.dispose();
  assert.equal(s.getMemoryInfo().trainingBytes, 0);
  await assert.rejects(async () => trainer.train(pairs), { code: 'STATE', message: /disposed/ });
}));

for (const worker of [false, true]) {
  test(`${worker ? 'in a worker' : 'in place'}: texts are made while it trains, an abort ends it soon, it goes on after a pause`, () => using({ worker, parallel: 2 }, async (s) => {
    const trainer = s.createTrainer({ ...CONFIG, batchSize: 8, warmupSteps: 0 });
    const control = new AbortController();
    let steps = 0;
    const training = trainer.train(pairs, { epochs: 1e6, signal: control.signal, onStep: () => { steps++; } });
    const greedy = { temperature: 0, ignoreEos: true, maxTokens: 20 };
    const beside = await s.generate('beside', greedy);
    const before = steps;
    assert.equal(await s.generate('beside', greedy), beside, 'the text does not depend on what is learned beside it');
    await assert.rejects(trainer.evaluate(pairs), { code: 'STATE', message: /at work/ });
    await trainer.pause();
    await new Promise((resolve) => { setTimeout(resolve, 60); });
    const paused = steps;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    assert.equal(steps, paused, 'paused');
    await trainer.resume();
    while (steps < paused + 3) await new Promise((resolve) => { setTimeout(resolve, 5); });
    assert.ok(steps > before);
    control.abort();
    await assert.rejects(training, { code: 'ABORTED' });
    const { loss } = await trainer.evaluate(pairs);
    const untrained = s.createTrainer(CONFIG);
    assert.ok(loss < (await untrained.evaluate(pairs)).loss - 0.5, 'what whole steps learned stays');
    const report = await trainer.train(pairs, { epochs: 1 });
    assert.equal(report.finished, 'done');
    const lost = trainer.train(pairs, { epochs: 1e6 });
    await Promise.all([assert.rejects(lost, { code: 'STATE' }), trainer.dispose()]);
  }));
}

test('steps() gives every step; leaving the loop stops it; a listener that throws ends its run', () => using({}, async (s) => {
  const trainer = s.createTrainer(CONFIG);
  let n = 0;
  for await (const event of trainer.steps(pairs, { epochs: 1e6 })) { assert.equal(event.step, ++n); if (n === 5) break; }
  const mistake = new Error('the page is gone');
  await assert.rejects(trainer.train(pairs, { epochs: 1e6, onStep: () => { throw mistake; } }), mistake);
  await assert.rejects(trainer.train(pairs, { signal: AbortSignal.abort() }), { code: 'ABORTED' });
  async function* later() { for (const p of pairs) yield p; }
  assert.equal((await trainer.train(later(), { epochs: 1 })).samples, pairs.length);
}));

test('early stopping keeps the best; replay mixes in what must not be forgotten; a window of shuffling holds all samples', () => using({}, async (s) => {
  const steep = s.createTrainer({ ...CONFIG, learningRate: 0.5, scheduler: 'constant', warmupSteps: 0, clipNorm: 0 });
  const report = await steep.train(pairs, { epochs: 50, evalShare: 0.2, evalEvery: 4, patience: 2 });
  assert.equal(report.finished, 'patience');
  assert.ok(report.steps < 50 * 15);
  const held = await s.createTrainer(CONFIG).plan(pairs, { evalShare: 0.2 });
  assert.equal(held.heldOut, 7);
  const trainer = s.createTrainer({ ...CONFIG, shuffleBuffer: 5 });
  const plan = await trainer.plan(pairs, { replay: ['One day it rained.', 'The sun came out.'], replayShare: 0.25 });
  assert.equal(plan.samples, pairs.length + 12);
  const seen = await trainer.train(pairs, { epochs: 2 });
  assert.equal(seen.steps, 36);
  assert.equal(seen.tokens, 2 * (await tokensOf(trainer, pairs)));
}));
/** Tokens of one epoch. @param {import('../../js-glue/index.js').Trainer} trainer @param {any[]} data */
async function tokensOf(trainer, data) {
  let tokens = 0;
  for await (const e of trainer.steps(data, { epochs: 1 })) tokens += e.tokens;
  return tokens;
}

test('top layers only: what the frozen ones make of a sample is computed once, and nothing else changes, bit for bit', () => using({}, async (s) => {
  /** @param {any} settings */
  const losses = async (settings) => {
    const trainer = s.createTrainer({ ...CONFIG, layers: 2, batchSize: 1, ...settings });
    /** @type {number[]} */ const list = [];
    const report = await trainer.train(pairs.slice(0, 8), { epochs: 3, evalShare: 0.25, onStep: (e) => list.push(e.loss) });
    const adapter = await trainer.getAdapter();
    assert.equal((await s.loadAdapter(adapter, { name: 'top' })).layers, 2);
    await s.unloadAdapter('top');
    await trainer.dispose();
    return [...list, report.evalLoss];
  };
  assert.deepEqual(await losses({ cachePrefix: true }), await losses({ cachePrefix: false }));
  const packed = await losses({ cachePrefix: true, batchSize: 3 }), whole = await losses({ cachePrefix: false, batchSize: 3 });
  packed.forEach((loss, i) => assert.ok(Math.abs(Number(loss) - Number(whole[i])) < 0.05, `step ${i + 1}: ${loss}, ${whole[i]}`));
}));

test('what the frozen layers made and does not fit in memory waits in storage: the same losses, and nothing is left there', () => {
  const storageRoot = path.join(folder, 'store-d'), records = path.join(storageRoot, 'records'), old = path.join(records, 'of-one-who-died.scratch');
  return using({ storage: 'filesystem', storageRoot }, async (s) => {
    mkdirSync(records, { recursive: true });
    writeFileSync(old, 'x');
    const scratch = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').filter((fd) => { try { return readlinkSync(`/proc/self/fd/${fd}`).includes('.scratch'); } catch { return false; } }).length : 0);
    /** @param {number} [prefixBytes] */
    const run = async (prefixBytes) => {
      const trainer = s.createTrainer({ ...CONFIG, layers: 2, batchSize: 3, prefixBytes });
      /** @type {[number, number][]} */ const list = [];
      await trainer.train(pairs, { epochs: 2, evalShare: 0.2, onStep: (e) => list.push([e.loss, scratch()]) });
      await trainer.dispose();
      assert.deepEqual([scratch(), readdirSync(records).filter((name) => name.endsWith('.scratch') && prefixBytes !== undefined)], [0, []]);
      return list;
    };
    const memory = await run(), file = await run(0), both = await run(4000);
    assert.ok(memory.every(([, open]) => open === 0));
    if (process.platform === 'linux') assert.ok([...file, ...both].every(([, open]) => open === 1), 'a scratch file was at work');
    for (const list of [file, both]) assert.deepEqual(list.map(([loss]) => loss), memory.map(([loss]) => loss));
    assert.ok(!existsSync(old), 'what a killed one left is removed');
  });
});

test('storage that fails costs time only', async () => {
  let writes = 0, lost = false, closed = 0;
  const bytes = new Uint8Array(64);
  const file = /** @type {import('../../js-glue/stores/volume.js').VolumeFile} */ ({
    read: async (at, n) => { if (lost) throw new Error('gone'); return bytes.slice(at, at + n); }, flush: async () => {}, close: async () => { closed++; },
    write: async (at, part) => { if (++writes > 2) throw new Error('full'); bytes.set(part, at); },
  });
  const [a, b, c, d] = [1, 2, 3, 4].map((v) => ({ rows: Float32Array.of(v, v) }));
  const limited = new Prefixes(8, async () => file);
  for (const s of [a, b, c, d]) await limited.put(s, s.rows); // one in memory, two in the file, one nowhere
  assert.deepEqual(await Promise.all([a, b, c, d].map((s) => limited.get(s))), [a.rows, b.rows, c.rows, null]);
  lost = true;
  assert.equal(await limited.get(b), null);
  await limited.close();
  assert.equal(closed, 1);
  const without = new Prefixes(null, async () => null), large = new Float32Array(10e6);
  await without.put(a, large);
  assert.equal(await without.get(a), large, 'without storage more stays in memory');
});

test('wrong settings are errors that name them', () => using({}, async (s) => {
  /** @type {[any, string, RegExp][]} */
  const wrong = [
    [{ rank: 0 }, 'ARG', /rank/], [{ rank: 65 }, 'ARG', /rank/], [{ adapter: { rank: 2.5 } }, 'ARG', /adapter\.rank/], [{ ranks: 4 }, 'ARG', /ranks/], [{ training: { lr: 1 } }, 'ARG', /training.*lr/],
    [{ targetModules: ['q_proj', 'c_attn'] }, 'ARG', /targetModules.*c_attn/], [{ optimizer: 'lion' }, 'ARG', /optimizer/], [{ backend: 'webgpu' }, 'UNSUPPORTED', /backend/],
    [{ memory: { offloadOptimizer: true } }, 'UNSUPPORTED', /offloadOptimizer/], [{ data: { maskProbability: 1 } }, 'ARG', /maskProbability/],
  ];
  for (const [config, code, message] of wrong) assert.throws(() => s.createTrainer(config), { code, message });
  const full = s.createTrainer({
    adapter: { rank: 2, alpha: 4, dropout: 0.05, targetModules: ['v_proj', 'q_proj'] },
    training: { batchSize: 2, gradientAccumulation: 4, learningRate: 1e-3, warmupSteps: 2, maxSteps: 4, optimizer: 'sgd', scheduler: 'linear' },
    memory: { gradientCheckpointing: false, mixedPrecision: true, offloadOptimizer: false }, backend: 'auto', data: { maxLength: 64, maskProbability: 0, shuffleBuffer: 16 },
  });
  assert.deepEqual(full.config.targetModules, ['q_proj', 'v_proj']);
  assert.equal((await full.train(pairs)).steps, 4);
  for (const data of [null, 5, [5], [{ input: 'x' }], [{ text: 'x', output: 'y' }]]) await assert.rejects(full.train(/** @type {any} */ (data)), { code: 'ARG', message: /data/ });
  await assert.rejects(full.train([]), { code: 'ARG', message: /nothing to learn/ });
  await assert.rejects(full.train(pairs, /** @type {any} */ ({ epoch: 1 })), { code: 'ARG', message: /epoch/ });
  await assert.rejects(full.train(pairs, { checkpoint: '../x' }), { code: 'ARG', message: /checkpoint/ });
  await assert.rejects(full.train(pairs, { checkpoint: 'kept' }), { code: 'STORAGE', message: /storage/ });
  await assert.rejects(s.createTrainer({ maxLength: 100000 > 65536 ? 65536 : 0 }).train(pairs), { code: 'ARG', message: /context/ });
}));

// ---- going on after a kill ----
const child = path.join(root, 'tests/js/support/train-child.mjs');
/** One life of the training. @param {string} log @param {string} store @param {number | null} killAt ms after it said that it begins; null: let it end @returns {Promise<number | null>} */
function part(log, store, killAt) {
  const p = spawn(process.execPath, [child, wasm, homeModel, store, log, JSON.stringify(pairs)], { stdio: ['ignore', 'pipe', 'inherit'] });
  p.stdout.once('data', () => { if (killAt !== null) setTimeout(() => p.kill('SIGKILL'), killAt); });
  return new Promise((resolve) => { p.on('exit', resolve); });
}
/** @param {string} log @returns {Map<number, string>} step -> what it said, every line of a step the same */
function curve(log) {
  const steps = new Map();
  for (const line of existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []) {
    const [step, rest] = line.split('\t');
    if (!rest) continue; // cut by the kill
    if (steps.has(Number(step))) assert.equal(rest, steps.get(Number(step)), `step ${step}, made twice`);
    steps.set(Number(step), rest);
  }
  return steps;
}

test('killed again and again, a training with checkpoints goes on with the same losses, bit for bit', async () => {
  const whole = path.join(folder, 'whole.log'), pieces = path.join(folder, 'pieces.log');
  assert.equal(await part(whole, path.join(folder, 'store-a'), null), 0);
  const expected = curve(whole);
  let kills = 0, code = null;
  for (let seed = 1; code !== 0 && kills < 60; seed = seed * 16807 % 2147483647) {
    code = await part(pieces, path.join(folder, 'store-b'), kills < 6 ? 20 + seed % 120 : null);
    appendFileSync(pieces, '\n');
    if (code !== 0) kills++;
  }
  assert.ok(kills >= 3, `it was killed ${kills} times`);
  const said = curve(pieces), unsaid = [...expected.keys()].filter((step) => !said.has(step));
  assert.ok(unsaid.length <= kills, `steps that were kept but killed before they were told: ${unsaid}`);
  assert.deepEqual(said, new Map([...said.keys()].map((step) => [step, expected.get(step)])));
});

test('a checkpoint of other data or settings is refused, and forgotten on demand', () => using({ storage: 'filesystem', storageRoot: path.join(folder, 'store-c') }, async (s) => {
  const options = { epochs: 1, checkpoint: { name: 'one', every: 4 } };
  const first = await s.createTrainer(CONFIG).train(pairs, options);
  const again = await s.createTrainer(CONFIG).train(pairs, options);
  assert.deepEqual([again.resumedFrom, again.steps, again.loss], [first.steps, first.steps, first.loss]);
  await assert.rejects(s.createTrainer({ ...CONFIG, rank: 2 }).train(pairs, options), { code: 'ARG', message: /other data or other settings/ });
  await assert.rejects(s.createTrainer(CONFIG).train(pairs.slice(1), options), { code: 'ARG', message: /other data or other settings/ });
  const anew = await s.createTrainer(CONFIG).train(pairs.slice(1), { ...options, checkpoint: { name: 'one', resume: false } });
  assert.equal(anew.resumedFrom, 0);
  assert.equal(await s.deleteCheckpoint('one'), true);
  assert.equal(await s.deleteCheckpoint('one'), false);
}));

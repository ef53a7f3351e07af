// @ts-check
// ModelLoader with names, versions and manifests: what the specification's snippets do, whom it trusts, what it does without a network.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { InferenceSession, ModelLoader, TrustStore } from '../../js-glue/index.js';
import { utf8 } from '../../js-glue/manifest/encoding.js';
import { summaryOf } from '../../js-glue/catalog.js';
import { MANIFEST_TYPE, envelopeBytes, preAuthEncoding } from '../../js-glue/trust/dsse.js';
import { keyIdOf, readPublicKey } from '../../js-glue/trust/ed25519.js';
import { openFaultServer } from '../faults/fault-server.mjs';
import { homeModel, temporaryFolder, wasm } from './support/env.mjs';
import { publish } from './support/model-host.mjs';

const weights = new Uint8Array(readFileSync(homeModel));
/** Another model: stores name files by their contents. */
const others = weights.slice();
others[others.length - 1] ^= 1;

/** A host with models.json. @param {Parameters<typeof publish>[0][]} models @param {(files: Record<string, Uint8Array>) => Promise<Record<string, Uint8Array>>} [change] of a model's files */
async function openHost(models, change = async (f) => f) {
  /** @type {Record<string, Uint8Array>} */ const files = {};
  const list = [];
  for (const model of models) {
    const { manifest, files: own } = await publish(model);
    const folder = `${manifest.id}/v${manifest.version}`;
    for (const [name, bytes] of Object.entries(await change(own))) files[`/${folder}/${name}`] = bytes;
    list.push(summaryOf(manifest, `${folder}/manifest.json`));
  }
  files['/models.json'] = utf8(JSON.stringify(list));
  return openFaultServer({ files });
}
const TINY = { id: 'tiny-q4', bytes: weights, more: { optimization: { quantization: 'INT4' } } };

/** @param {string} host @param {any} [more] */
const loaderOf = (host, more = {}) => new ModelLoader({
  sources: { primary: host, timeout: 2000, ...more.sources }, trust: { allowUnsigned: true, ...more.trust }, cache: { storage: 'filesystem', directory: temporaryFolder(), ...more.cache },
  session: { wasm, threads: 1 }, download: { retries: 1, ...more.download }, memory: more.memory,
});
/** @param {Parameters<typeof openHost>} what @param {(host: Awaited<ReturnType<typeof openHost>>) => Promise<void>} use */
async function hosted(what, use) {
  const host = await openHost(...what);
  try { await use(host); } finally { await host.close(); }
}

test('a model by its name: loaded, cached, listed, cleared', () => hosted([[TINY, { ...TINY, version: '1.2.0' }, { id: 'embed-q8', bytes: others, more: { type: 'embedding' } }]], async (host) => {
  /** @type {any[]} */ const progress = [];
  const loader = loaderOf(host.url, { download: { progressCallback: (/** @type {any} */ p) => progress.push(p) } });
  assert.equal(await loader.isCached('tiny-q4'), false);
  const model = await loader.load('tiny-q4');
  assert.equal(model.cache.state, 'stored');
  assert.ok((await model.generate('Hello, world!', { maxTokens: 4, temperature: 0.7 })).length >= 0);
  assert.equal(progress.at(-1).loaded, weights.length);
  assert.equal(await loader.isCached('tiny-q4'), true);
  assert.ok(host.log.some((a) => a.path === '/tiny-q4/v1.2.0/tiny-q4.gguf'), 'the latest version');
  const sent = host.sent();
  const again = await loader.load('tiny-q4');
  assert.equal(again.cache.state, 'hit');
  assert.ok(host.sent() - sent < 20_000, 'only the list and the manifest are asked for again');
  assert.deepEqual((await loader.getCachedModels()).map((m) => [m.source, m.size]), [['tiny-q4', weights.length]]);
  const manifest = await loader.getManifest('tiny-q4', { version: '1.0.0' });
  assert.deepEqual([manifest.id, manifest.version, Object.isFrozen(manifest)], ['tiny-q4', '1.0.0', true]);
  assert.deepEqual((await loader.listModels({ type: 'text-generation', quantization: 'INT4' })).filter((m) => m.id === 'tiny-q4').map((m) => m.version), ['1.0.0', '1.2.0']);
  assert.ok((await loader.listModels()).some((m) => m.id === 'phi-1.5-q4'), 'those of the package too');
  assert.deepEqual(await loader.preload('embed-q8'), { bytes: weights.length });
  assert.equal((await loader.getCachedModels()).length, 2);
  assert.deepEqual([await loader.clearCache('tiny-q4'), await loader.clearCache('tiny-q4'), await loader.isCached('tiny-q4'), await loader.isCached('embed-q8')], [true, false, false, true]);
  await loader.clearAllCache();
  assert.deepEqual(await loader.getCachedModels(), []);
  await Promise.all([model.dispose(), again.dispose()]);
}));

test('models with equal bytes share a file: clearing one leaves the other', () => hosted([[TINY, { ...TINY, id: 'twin' }]], async (host) => {
  const loader = loaderOf(host.url);
  await loader.preload('tiny-q4');
  const sent = host.sent();
  await loader.preload('twin');
  assert.ok(host.sent() - sent < 20_000, 'its bytes are here already');
  assert.deepEqual((await loader.getCachedModels()).map((m) => m.source).sort(), ['tiny-q4', 'twin']);
  assert.equal(await loader.clearCache('tiny-q4'), true);
  assert.deepEqual((await loader.getCachedModels()).map((m) => m.source), ['twin']);
  assert.equal(await loader.isCached('twin'), true);
  assert.equal(await loader.clearCache('twin'), true);
  assert.deepEqual(await loader.getCachedModels(), []);
}));

test('versions, and what is not there', () => hosted([[TINY, { ...TINY, version: '2.0.0-rc.1' }, { ...TINY, version: '1.10.0' }, { ...TINY, version: '1.9.0' }]], async (host) => {
  const loader = loaderOf(host.url);
  assert.equal((await loader.getManifest('tiny-q4')).version, '2.0.0-rc.1');
  const model = await loader.load('tiny-q4', { version: '1.9.0' });
  assert.deepEqual([await loader.isCached('tiny-q4', { version: '1.9.0' }), await loader.isCached('tiny-q4', { version: '1.10.0' })], [true, false]);
  await model.dispose();
  await assert.rejects(loader.load('tiny-q4', { version: '3.0.0' }), { code: 'ARG', message: /no version 3\.0\.0 of "tiny-q4", but / });
  await assert.rejects(loader.load('nothing'), { code: 'ARG', message: /no model "nothing" is known/ });
  await assert.rejects(loader.load('https://x.test/a.gguf', { version: '1.0.0' }), { code: 'ARG', message: /version/ });
  await assert.rejects(loader.load('tiny-q4', { adapter: 'coding-assistant' }), { code: 'ARG', message: /no adapter is saved under the name "coding-assistant"/ });
  await assert.rejects(loader.load('tiny-q4', { adapter: /** @type {any} */ (7) }), { code: 'ARG', message: /adapter must be a name/ });
  await assert.rejects(loader.load('phi-1.5-q4'), { code: 'UNSUPPORTED', message: /no hash/ });
  await assert.rejects(loader.getManifest('https://x.test/a.gguf'), { code: 'ARG' });
}));

test('Promise.all of several models; memory.maxModels disposes by the policy', () => hosted([[TINY, { id: 'other', bytes: others }]], async (host) => {
  const loader = loaderOf(host.url);
  const [a, b] = await Promise.all([loader.load('tiny-q4'), loader.load('other')]);
  for (const session of [a, b]) assert.equal((await session.complete('x', { maxTokens: 4, ignoreEos: true })).tokens.length, 4);
  await Promise.all([a.dispose(), b.dispose()]);
  const kept = loaderOf(host.url, { memory: { maxModels: 2, evictionPolicy: 'priority' } });
  const important = await kept.load('tiny-q4', { priority: 1 });
  const first = await kept.load('other'), second = await kept.load('other');
  assert.deepEqual([important.disposed, first.disposed, second.disposed], [false, true, false]);
  await Promise.all([important.dispose(), second.dispose()]);
}));

test('a manifest by URL, with a chunk list beside it, headers for its host, and a file that lies', () => hosted([[{ ...TINY, maxInline: 0 }]], async (host) => {
  const url = host.at('/tiny-q4/v1.0.0/manifest.json');
  const loader = loaderOf('gcs');
  const headers = { authorization: 'Bearer 1' };
  assert.deepEqual(await loader.preload({ url, headers }), { bytes: weights.length });
  assert.deepEqual(host.log.filter((a) => a.headers.authorization !== 'Bearer 1').map((a) => a.path), []);
  assert.ok(host.log.some((a) => a.path.endsWith('.chunks')));
  assert.equal(await loader.isCached(url), true);
  assert.equal(await loader.clearCache(url), true);
  host.setPlan((asked) => (asked.path.endsWith('.gguf') ? 'flip' : null));
  await assert.rejects(loader.preload(url), { code: 'INTEGRITY', message: /does not have its hash/ });
  assert.equal(await loader.isCached(url), false);
  host.setPlan((asked) => (asked.path.endsWith('.chunks') ? 'flip' : null));
  await assert.rejects(loaderOf('gcs').preload(url), { code: 'CHUNK_LIST' });
  host.setPlan((asked) => (asked.path.endsWith('.json') ? 'portal' : null));
  await assert.rejects(loaderOf('gcs').preload(url), { code: 'NETWORK', message: /web page/ });
}));

test('an adapter: of the manifest, from a URL, saved before', async () => {
  const base = await InferenceSession.create(homeModel, { wasm, threads: 1, storage: 'none' });
  const trainer = base.createTrainer({ rank: 1, learningRate: 0.1, warmupSteps: 0 });
  await trainer.train(['lights on', 'lights off'], { epochs: 2 });
  const made = await trainer.getAdapter({ name: 'mine' });
  const [gguf, json] = [await made.export('gguf'), utf8(await made.export('json'))];
  await base.loadAdapter(gguf, { name: 'x' });
  const wanted = await base.logits('lights');
  await base.dispose();
  const same = async (/** @type {any} */ model, /** @type {string} */ name) => {
    assert.deepEqual(model.listAdapters().map((/** @type {any} */ a) => a.name), [name]);
    assert.deepEqual(await model.logits('lights'), wanted);
    await model.dispose();
  };
  const others = { 'coding-assistant': { filename: 'coding.gguf', bytes: gguf }, 'as-json': { filename: 'coding.json', bytes: json } };
  await hosted([[{ ...TINY, others }]], async (host) => {
    const loader = loaderOf(host.url);
    await same(await loader.load('tiny-q4', { adapter: 'coding-assistant' }), 'coding-assistant');
    const sent = host.log.filter((a) => a.path.endsWith('coding.gguf')).length;
    await same(await loader.load('tiny-q4', { adapter: 'coding-assistant' }), 'coding-assistant');
    assert.equal(host.log.filter((a) => a.path.endsWith('coding.gguf')).length, sent, 'the second time from the store');
    await same(await loader.load('tiny-q4', { adapter: 'as-json' }), 'as-json');
    assert.deepEqual((await loader.getCachedModels()).map((m) => [m.source, m.size]), [['tiny-q4', weights.length + gguf.length + json.length]], 'one model, all of its files');
    await same(await loader.load('tiny-q4', { adapter: `${host.url}tiny-q4/v1.0.0/coding.json` }), 'coding');
    const memory = loaderOf(host.url, { cache: { storage: 'memory' } });
    await same(await memory.load('tiny-q4', { adapter: 'coding-assistant' }), 'coding-assistant');
    const model = await loader.load('tiny-q4');
    await (await model.openAdapter(gguf)).save('kept');
    await model.dispose();
    await same(await loader.load('tiny-q4', { adapter: 'kept' }), 'kept');
    await assert.rejects(loader.load('tiny-q4', { adapter: 'model' }), { code: 'FORMAT' });
  });
  await hosted([[{ ...TINY, others }], async (files) => ({ ...files, 'coding.gguf': files['coding.gguf'].map((b, i) => (i === 1000 ? b ^ 1 : b)) })], async (host) => {
    await assert.rejects(loaderOf(host.url).load('tiny-q4', { adapter: 'coding-assistant' }), { code: 'INTEGRITY' });
  });
});

test('without a network: what is stored loads by its name, and nothing else', async () => {
  const host = await openHost([{ ...TINY, maxInline: 0 }, { id: 'other', bytes: others }]);
  const directory = temporaryFolder();
  const loader = loaderOf(host.url, { cache: { directory } });
  const url = host.at('/other/v1.0.0/manifest.json');
  await loader.preload('tiny-q4');
  await loader.preload(url);
  await host.close();
  for (const l of [loader, loaderOf(host.url, { cache: { directory } })]) {
    for (const source of ['tiny-q4', url]) {
      const model = await l.load(source);
      assert.equal(model.cache.state, 'hit');
      await model.dispose();
    }
    await assert.rejects(l.load('other'), { code: 'NETWORK' });
  }
});

// ---- trust ----
const pair = generateKeyPairSync('ed25519');
const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
/** Signs the manifest of a model's files. @param {Record<string, Uint8Array>} files @returns {Promise<Record<string, Uint8Array>>} */
async function signed(files) {
  const keyId = await keyIdOf(readPublicKey(publicPem));
  const signature = new Uint8Array(sign(null, preAuthEncoding(MANIFEST_TYPE, files['manifest.json']), pair.privateKey));
  return { ...files, 'manifest.json': envelopeBytes(files['manifest.json'], [{ keyId, signature }]) };
}
async function trusting() {
  const store = new TrustStore();
  await store.add(publicPem, { name: 'the publisher' });
  return store;
}

test('unsigned manifests are refused unless asked for; signed ones by a trusted key are not', async () => {
  await hosted([[TINY]], async (host) => {
    await assert.rejects(loaderOf(host.url, { trust: { allowUnsigned: false } }).load('tiny-q4'), { code: 'UNSIGNED', message: /allowUnsigned/ });
    await assert.rejects(loaderOf(host.url, { trust: { allowUnsigned: undefined, store: await trusting() } }).preload('tiny-q4'), { code: 'UNSIGNED' });
    assert.equal(host.log.some((a) => a.path.endsWith('.gguf')), false, 'nothing of the model was fetched');
  });
  await hosted([[TINY], signed], async (host) => {
    const strict = { allowUnsigned: false };
    await assert.rejects(loaderOf(host.url, { trust: strict }).preload('tiny-q4'), { code: 'UNTRUSTED_KEY' });
    await assert.rejects(loaderOf(host.url, { trust: { ...strict, store: new TrustStore() } }).preload('tiny-q4'), { code: 'UNTRUSTED_KEY' });
    const loader = loaderOf(host.url, { trust: { ...strict, store: await trusting() } });
    assert.deepEqual(await loader.preload('tiny-q4'), { bytes: weights.length });
    assert.equal(await loader.isCached('tiny-q4'), true);
  });
});

test('a host that goes back to an older version is refused', async () => {
  const store = await trusting();
  await hosted([[{ ...TINY, version: '1.1.0' }], signed], async (host) => { await loaderOf(host.url, { trust: { store, allowUnsigned: false } }).preload('tiny-q4'); });
  await hosted([[TINY], signed], async (host) => { await assert.rejects(loaderOf(host.url, { trust: { store, allowUnsigned: false } }).preload('tiny-q4'), { code: 'ROLLBACK' }); });
});

test('checkCompatibility says why not', () => hosted([[{ ...TINY, more: { requirements: { minMemory: 1 << 20 } } }, { id: 'huge', bytes: weights, more: { type: 'vision', requirements: { minMemory: 2 ** 50 } } }]], async (host) => {
  const loader = loaderOf(host.url);
  const fits = await loader.checkCompatibility('tiny-q4');
  assert.deepEqual([fits.compatible, fits.reasons, fits.memory.needed, fits.storage.needed], [true, [], 1 << 20, weights.length]);
  const not = await loader.checkCompatibility('huge');
  assert.equal(not.compatible, false);
  assert.match(not.reasons.join('; '), /vision.*memory/);
  assert.match((await loader.checkCompatibility('phi-2-q4')).reasons.join(), /no hash/);
}));

test('options that are wrong are named', () => {
  for (const [options, message] of /** @type {[any, RegExp][]} */ ([
    [{ sources: { primary: 'ftp://x' } }, /"ftp:\/\/x" is neither/], [{ sources: { fallback: ['floppy'] } }, /floppy/], [{ memory: { evictionPolicy: 'random' } }, /evictionPolicy/],
    [{ trust: { keys: [] } }, /keys/], [{ cache: { storage: 'tape' } }, /tape/], [{ typo: 1 }, /typo/],
  ])) assert.throws(() => new ModelLoader(options), { code: 'ARG', message });
});

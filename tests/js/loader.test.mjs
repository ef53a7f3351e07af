// @ts-check
// Downloads with a server that misbehaves, and what is in the cache afterwards.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { homeModel, root, sendBytes, serve, temporaryFolder, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/session.js';
import { ModelLoader } from '../../js-glue/loader.js';

const model = readFileSync(homeModel);
/** @param {any} [more] */
const loader = (more = {}) => new ModelLoader({ ...more, cache: { storage: 'filesystem', directory: temporaryFolder(), ...more.cache }, session: { wasm, threads: 1 } });
/** @param {import('node:http').RequestListener} listener @param {(url: string, requests: import('node:http').IncomingMessage[]) => Promise<void>} use */
async function served(listener, use) {
  /** @type {import('node:http').IncomingMessage[]} */ const requests = [];
  const server = await serve((req, res) => { requests.push(req); listener(req, res); });
  try { await use(`${server.url}home.gguf`, requests); } finally { await server.close(); }
}
const good = (/** @type {any} */ req, /** @type {any} */ res) => sendBytes(model, req, res);

test('load: download once, then from the cache, with progress', () => served(good, async (url, requests) => {
  /** @type {import('../../js-glue/load.js').Progress[]} */ const progress = [];
  const l = loader({ download: { progressCallback: (/** @type {any} */ p) => progress.push(p) } });
  assert.equal(await l.isCached(url), false);
  const a = await l.load(url);
  assert.deepEqual([a.cache.state, await l.isCached(url), requests.length], ['stored', true, 1]);
  assert.deepEqual([progress[0].phase, progress.at(-1)?.phase, progress.at(-1)?.loaded, progress.at(-1)?.total], ['download', 'ready', model.length, model.length]);
  const b = await l.load(url);
  assert.deepEqual([b.cache.state, requests.length], ['hit', 1]);
  assert.equal(await a.generate('x', { temperature: 0, maxTokens: 9 }), await b.generate('x', { temperature: 0, maxTokens: 9 }));
  const [cached] = await l.getCachedModels();
  assert.deepEqual([cached.source, cached.size, cached.lastUsed instanceof Date], [url, model.length, true]);
  assert.deepEqual([await l.clearCache(url), await l.clearCache(url), await l.isCached(url)], [true, false, false]);
  await Promise.all([a.dispose(), b.dispose()]);
}));

/** @type {[string, (req: any, res: any) => void, RegExp, string][]} */
const BROKEN = [
  ['a sign-in page', (req, res) => res.end('<html>'.repeat(20000)), /./, 'FORMAT'],
  ['a file that ends early', (req, res) => sendBytes(model.subarray(0, 400000), req, res), /incomplete/, 'FORMAT'],
  ['a connection that always breaks', (req, res) => { res.writeHead(req.headers.range ? 206 : 200, { 'content-length': model.length, 'content-range': `bytes ${/\d+/.exec(req.headers.range ?? '0')}-` }); res.write(model.subarray(0, 5), () => res.destroy()); }, /./, 'NETWORK'],
];
for (const [what, listener, message, code] of BROKEN) {
  test(`${what} leaves nothing in the cache`, () => served(listener, async (url) => {
    const directory = temporaryFolder();
    const l = loader({ cache: { directory }, download: { retries: 0 } });
    await assert.rejects(l.load(url), { code, message });
    assert.equal(await l.isCached(url), false);
    assert.deepEqual(await l.getCachedModels(), []);
    assert.deepEqual(readdirSync(directory), []);
  }));
}

/** A server that sends half the file and waits. */
const half = (/** @type {any} */ req, /** @type {any} */ res) => { res.writeHead(200, { 'content-length': model.length }); res.write(model.subarray(0, model.length >> 1)); };

for (const worker of [false, true]) {
  test(`pause and resume, ${worker ? 'in a worker' : 'in this thread'}`, async () => {
    /** @type {() => void} */ let sendRest = () => {};
    await served((req, res) => { half(req, res); sendRest = () => res.end(model.subarray(model.length >> 1)); }, async (url, requests) => {
      let arrived = () => {}, settled = false;
      const first = new Promise((/** @type {(v: void) => void} */ resolve) => { arrived = resolve; });
      const l = loader({ download: { progressCallback: (/** @type {any} */ p) => { if (p.phase === 'download') arrived(); } } });
      const wait = () => new Promise((resolve) => { setTimeout(resolve, 150); });
      l.pause();
      const going = l.load(url, { worker }).finally(() => { settled = true; });
      await wait();
      assert.deepEqual([requests.length, settled, l.paused], [0, false, true]);
      l.resume();
      await first;
      l.pause();
      await wait(); // the message to the worker is on its way
      sendRest();
      await wait();
      assert.equal(settled, false);
      l.resume();
      const session = await going;
      assert.deepEqual([requests.length, session.info.fileBytes, session.cache.state], [1, model.length, 'stored']);
      l.pause();
      await (await l.load(url, { worker })).dispose(); // what is stored needs no network
      const control = new AbortController();
      const other = l.preload(`${url}?other`, { signal: control.signal, worker });
      setTimeout(() => control.abort(), 100);
      await assert.rejects(other, { code: 'ABORTED' });
      await session.dispose();
    });
  });
}

test('an aborted download leaves nothing, and the next one works', () => served((req, res) => (stuck ? half(req, res) : good(req, res)), async (url) => {
  const directory = temporaryFolder();
  const l = loader({ cache: { directory } });
  for (const how of ['load', 'preload']) {
    const control = new AbortController();
    const loading = /** @type {any} */ (l)[how](url, { signal: control.signal, onProgress: () => setTimeout(() => control.abort(), 20) });
    await assert.rejects(loading, { code: 'ABORTED', name: 'AbortError' });
    assert.deepEqual([await l.isCached(url), readdirSync(directory)], [false, []]);
  }
  stuck = false;
  assert.deepEqual(await l.preload(url), { bytes: model.length });
  assert.equal(await l.isCached(url), true);
}));
let stuck = true;

test('a process that is killed in a download leaves nothing that counts', () => served(half, async (url) => {
  const directory = temporaryFolder();
  const code = `import { ModelLoader } from ${JSON.stringify(`${path.join(root, 'js-glue/index.js')}`)};
    await new ModelLoader({ cache: { storage: 'filesystem', directory: ${JSON.stringify(directory)} } }).preload(${JSON.stringify(url)}, { onProgress: () => console.log('going') });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => { child.stdout.once('data', resolve); });
  child.kill('SIGKILL');
  await new Promise((resolve) => { child.once('exit', resolve); });
  const l = loader({ cache: { directory } });
  assert.ok(readdirSync(directory).some((name) => name.endsWith('.data')), 'the half file is there');
  assert.deepEqual([await l.isCached(url), await l.getCachedModels()], [false, []]);
}));

test('a cache that cannot be written costs only the cache', () => served(good, async (url) => {
  const l = loader({ cache: { directory: path.join(homeModel, 'a file is no folder') } });
  const s = await l.load(url);
  assert.equal(s.cache.state, 'none');
  assert.match(String(s.cache.why), /not kept in filesystem/);
  assert.equal((await s.complete('x', { maxTokens: 2, temperature: 0, ignoreEos: true })).tokens.length, 2);
  await s.dispose();
  await assert.rejects(l.preload(url), { code: 'STORAGE' });
}));

test('maxSize: the models unused for longest make room', () => served(good, async (url) => {
  const l = loader({ cache: { maxSize: 2.5 * model.length } });
  const [a, b, c] = ['?a', '?b', '?c'].map((q) => url + q);
  for (const u of [a, b]) { await l.preload(u); await new Promise((r) => { setTimeout(r, 5); }); }
  await (await l.load(a)).dispose();
  await l.preload(c);
  assert.deepEqual([await l.isCached(a), await l.isCached(b), await l.isCached(c)], [true, false, true]);
  await l.clearAllCache();
  assert.deepEqual(await l.getCachedModels(), []);
  const small = loader({ cache: { maxSize: 1000 } });
  const s = await small.load(url);
  assert.deepEqual([s.cache.state, await small.isCached(url)], ['none', false]);
  await s.dispose();
}));

test('cache in memory, and no cache', () => served(good, async (url, requests) => {
  const l = loader({ cache: { storage: 'memory' } });
  for (let i = 0; i < 2; i++) await (await l.load(url)).dispose();
  assert.deepEqual([requests.length, await l.isCached(url), (await l.getCachedModels())[0].size], [1, true, model.length]);
  await l.clearAllCache();
  assert.equal(await l.isCached(url), false);
  const off = loader({ cache: { enabled: false } });
  for (let i = 0; i < 2; i++) await (await off.load(url)).dispose();
  assert.deepEqual([requests.length, await off.isCached(url)], [3, false]);
}));

test('headers go with every request; two loads at once work', () => served((req, res) => (req.headers.authorization === 'Bearer 1' ? good(req, res) : res.writeHead(401).end()), async (url) => {
  const l = loader();
  await assert.rejects(l.load(url), { code: 'NETWORK', message: /401/ });
  const both = await Promise.all([1, 2].map(() => l.load({ url, headers: { authorization: 'Bearer 1' } })));
  assert.equal(await l.isCached(url), true);
  for (const s of both) await s.dispose();
}));

test('memory.maxModels: one more disposes the one that was not used for longest', async () => {
  const l = loader({ memory: { maxModels: 2, evictionPolicy: 'lru' } });
  const a = await l.load(homeModel), b = await l.load(homeModel);
  await a.generate('used', { maxTokens: 1 });
  const c = await l.load(homeModel);
  assert.deepEqual([a.disposed, b.disposed, c.disposed], [false, true, false]);
  await Promise.all([a.dispose(), c.dispose()]);
});

test('an abort before and during the load of a local file', async () => {
  await assert.rejects(InferenceSession.create(homeModel, { wasm, signal: AbortSignal.abort() }), { code: 'ABORTED' });
  const control = new AbortController();
  await assert.rejects(InferenceSession.create(homeModel, { wasm, signal: control.signal, onProgress: () => control.abort() }), { code: 'ABORTED' });
});

// @ts-check
// The same session in the caller's thread and in a worker; workers that die; the pool over one copy of the weights.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import path from 'node:path';
import { homeModel, needs, root, stories, wasm, wasmBytes } from './support/env.mjs';
import { InferenceSession, EdgeNetError, capabilities } from '../../js-glue/index.js';
import { ModelWorker, ModelWorkerPool } from '../../worker/index.js';
import { VARIANTS, features } from '../../js-glue/variants.js';

const GREEDY = { temperature: 0, ignoreEos: true };
const entry = new URL('../../worker/entry.js', import.meta.url);

for (const worker of [false, true]) {
  for (const threads of [1, 2]) {
    test(`${worker ? 'in a worker' : 'in place'}, ${threads} threads: every method`, async () => {
      const profile = threads === 2;
      const s = await InferenceSession.create(homeModel, { wasm, worker, threads, profile });
      const text = await s.generate('every method', { ...GREEDY, maxTokens: 20 });
      const pieces = [];
      for await (const piece of s.generateStream('every method', { ...GREEDY, maxTokens: 20 })) pieces.push(piece);
      assert.equal(pieces.join(''), text);
      assert.ok(pieces.length > 5, 'piece by piece');
      const { timings, tokens, finishReason } = await s.complete('every method', { ...GREEDY, maxTokens: 20 });
      assert.deepEqual([tokens.length, finishReason, timings.tokens], [20, 'length', 20]);
      assert.ok(timings.promptTokens > 1 && timings.ttftMs > 0 && timings.tokenMs > 0);
      assert.equal(await s.detokenize(tokens), text.trimStart());
      assert.equal((await s.logits('every method')).length, s.info.vocabulary);
      const memory = s.getMemoryInfo();
      assert.ok(memory.modelBytes > 5e5 && memory.kvCacheBytes > 0 && memory.wasmBytes > memory.modelBytes + memory.kvCacheBytes && memory.cachedTokens > 0);
      await s.clearKVCache();
      assert.equal(s.getMemoryInfo().cachedTokens, 0);
      const { rows, lanes } = await s.profile();
      if (profile) assert.ok(rows.length > 3 && rows.every((r) => r.calls > 0 && r.ms >= 0));
      else assert.equal(rows.length, 0, 'no clock, no rows');
      assert.equal(lanes.length, s.info.engine.threads);
      const sum = (/** @type {'jobs' | 'chunks' | 'busyMs'} */ key) => lanes.reduce((n, lane) => n + lane[key], 0); // one lane alone may do a job that all could share
      if (lanes.length > 1) assert.ok(sum('jobs') > 50 && sum('chunks') >= sum('jobs'), JSON.stringify(lanes));
      if (profile && lanes.length > 1) assert.ok(sum('busyMs') > 0, JSON.stringify(lanes));
      for (const { busyMs, waitMs } of lanes) assert.ok(profile ? busyMs >= 0 && waitMs >= 0 : busyMs === 0 && waitMs === 0, JSON.stringify(lanes));
      await s.dispose();
      await s.dispose();
      for (const call of [() => s.generate('x'), () => s.tokenize('x'), () => s.logits('x'), () => s.clearKVCache()]) await assert.rejects(call(), { code: 'STATE', message: /disposed/ });
      assert.throws(() => s.getMemoryInfo(), { code: 'STATE' });
    });
  }
  test(`${worker ? 'in a worker' : 'in place'}: an abort settles soon, dispose() rejects what runs`, async () => {
    const s = await InferenceSession.create(homeModel, { wasm, worker });
    const control = new AbortController();
    const result = await s.complete('go', { ...GREEDY, maxTokens: 1e6, signal: control.signal, onToken: () => control.abort() });
    assert.equal(result.finishReason, 'abort');
    assert.equal((await s.complete('after', { ...GREEDY, maxTokens: 4 })).tokens.length, 4);
    const running = s.generate('go', { ...GREEDY, maxTokens: 1e6 });
    await Promise.all([assert.rejects(running, { code: 'STATE' }), s.dispose()]);
  });
}

test('await using disposes', async () => {
  const s = await InferenceSession.create(homeModel, { wasm });
  await s[Symbol.asyncDispose]();
  assert.equal(s.disposed, true);
});

test('wasm may be given as bytes, view, Response, URL, file URL, compiled module or folder', async () => {
  const bytes = new Uint8Array(wasmBytes('simd128'));
  const file = `${wasm}edge-net-simd128.wasm`;
  for (const worker of [false, true]) for (const given of [bytes.buffer, bytes, new Response(bytes), new URL(file), file, new WebAssembly.Module(bytes), new URL(wasm)]) {
    const s = await InferenceSession.create(homeModel, { wasm: given, worker, threads: 1 });
    assert.equal((await s.complete('x', { ...GREEDY, maxTokens: 2 })).tokens.length, 2);
    await s.dispose();
  }
  await assert.rejects(InferenceSession.create(homeModel, { wasm: new Uint8Array(8) }), { code: 'UNSUPPORTED' });
  await assert.rejects(InferenceSession.create(homeModel, { wasm: 'file:///nowhere/' }), EdgeNetError);
});

test('a worker runs what its caller compiled, and compiles by itself when the caller could not', async () => {
  let asked = 0, refuse = false;
  const server = createServer((request, response) => {
    asked++;
    if (refuse && asked === 1) response.writeHead(503).end();
    else response.writeHead(200, { 'content-type': 'application/wasm' }).end(wasmBytes(/** @type {any} */ (/edge-net-(.*)\.wasm/.exec(request.url ?? '')?.[1])));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(undefined)); });
  const folder = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`;
  try {
    for (const [refused, requests] of /** @type {const} */ ([[false, 1], [true, 2]])) {
      refuse = refused;
      asked = 0;
      const s = await InferenceSession.create(homeModel, { wasm: folder, worker: true, threads: 1 });
      assert.equal(s.info.engine.variant, (await capabilities()).variant.replace('-mt', ''));
      assert.equal((await s.complete('x', { ...GREEDY, maxTokens: 2 })).tokens.length, 2);
      assert.equal(asked, requests);
      await s.dispose();
    }
  } finally { server.close(); server.closeAllConnections(); }
});

test('a worker factory and a lane URL may be given', async () => {
  let made = 0;
  const s = await InferenceSession.create(homeModel, { wasm, threads: 2, worker: () => { made++; return new Worker(entry); }, lane: new URL('../../worker/lane.js', import.meta.url) });
  assert.deepEqual([made, s.info.engine.threads], [1, Math.min(2, (await capabilities()).cores)]);
  await s.dispose();
  await assert.rejects(InferenceSession.create(homeModel, { wasm, worker: /** @type {any} */ (() => ({})) }), { code: 'ARG' });
});

test('lanes that cannot start: slower, not broken', async () => {
  const s = await InferenceSession.create(homeModel, { wasm, threads: 2, variant: 'simd128-mt', lane: 'file:///nowhere/lane.js' });
  assert.equal(s.info.engine.threads, 1);
  assert.equal((await s.complete('x', { ...GREEDY, maxTokens: 5 })).tokens.length, 5);
  await s.dispose();
});

test('a killed worker rejects pending and later calls with CRASHED', async () => {
  /** @type {Worker | undefined} */ let thread;
  const s = await InferenceSession.create(homeModel, { wasm, worker: () => (thread = new Worker(entry)) });
  const pending = [s.generate('go', { ...GREEDY, maxTokens: 1e6 }), s.generate('wait', { ...GREEDY, maxTokens: 1e6 })];
  setTimeout(() => thread?.terminate(), 30);
  for (const p of pending) await assert.rejects(p, { code: 'CRASHED' });
  await assert.rejects(s.generate('x'), { code: 'CRASHED' });
  await s.dispose();
});

test('ModelWorker: load, generate, stream, batch, terminate', async () => {
  const worker = new ModelWorker({ wasm });
  await assert.rejects(worker.generate('x'), { code: 'STATE', message: /load/ });
  const info = await worker.load(homeModel);
  assert.equal(info.architecture, 'llama');
  const text = await worker.generate('Hello!', { ...GREEDY, maxTokens: 15 });
  /** @type {string[]} */ const pieces = [];
  const off = worker.onToken((piece) => pieces.push(piece));
  assert.equal(await worker.generateStream('Hello!', { ...GREEDY, maxTokens: 15 }), text);
  assert.equal(pieces.join(''), text);
  off();
  await worker.generateStream('Hello!', { ...GREEDY, maxTokens: 15 });
  assert.equal(pieces.join(''), text);
  assert.deepEqual(await worker.batch([{ id: '1', prompt: 'Hello!' }, { id: '2', prompt: 'Hello!' }], { ...GREEDY, maxTokens: 15 }), [{ id: '1', text }, { id: '2', text }]);
  await worker.load(homeModel, { parallel: 2 });
  assert.equal(await worker.generate('Hello!', { ...GREEDY, maxTokens: 15 }), text);
  const running = worker.generate('go', { ...GREEDY, maxTokens: 1e6 });
  await Promise.all([assert.rejects(running), worker.terminate()]);
  await assert.rejects(worker.generate('x'), { code: 'STATE', message: /terminated/ });
});

for (const [name, model] of /** @type {const} */ ([['the default model', homeModel], ['stories260K', stories('f16')]])) {
  test(`ModelWorkerPool: ${name}, parallel texts are the texts one after another, over one copy of the weights`, needs(model), async () => {
    const prompts = ['One day', 'The dog', 'A big red ball', 'Lily', 'Once upon a time there was a', 'Tom'];
    const pool = new ModelWorkerPool({ workers: 4, model: String(model), options: { wasm, threads: 1, contextLength: 256, kvType: 'f32' } });
    const together = await Promise.all(prompts.map((p) => pool.generate(p, { ...GREEDY, maxTokens: 40 })));
    const alone = [];
    for (const p of prompts) alone.push(await pool.generate(p, { ...GREEDY, maxTokens: 40 }));
    assert.deepEqual(together, alone);
    assert.deepEqual((await pool.batch(prompts.map((prompt, i) => ({ id: String(i), prompt })), { ...GREEDY, maxTokens: 40 })).map((b) => b.text), alone);
    const running = pool.generate('go', { ...GREEDY, maxTokens: 1e6 });
    await Promise.all([assert.rejects(running), pool.terminate()]);
    await assert.rejects(pool.generate('x'), { code: 'STATE' });
  });
}
test('a pool whose model does not load tells every caller', async () => {
  const pool = new ModelWorkerPool({ workers: 2, model: '/nowhere/model.gguf', options: { wasm } });
  await assert.rejects(pool.generate('x'), { code: 'STORAGE' });
  await pool.terminate();
  assert.throws(() => new ModelWorkerPool({ workers: 0, model: 'x' }), { code: 'ARG', message: /workers/ });
});

test('worker: 20 times load, use, dispose: the memory stays flat', async () => {
  /** @type {number[]} */ const used = [];
  for (let i = 0; i < 20; i++) {
    const s = await InferenceSession.create(homeModel, { wasm, worker: true, kvType: 'f32' });
    await s.generate('again', { maxTokens: 2 });
    await s.dispose();
    if (i % 5 === 4) used.push(process.memoryUsage().rss);
  }
  assert.ok(used[3] - used[0] < 60e6, `resident bytes after each five: ${used.join(' ')}`);
});

test('a program that does not dispose still ends', () => {
  const code = `import { InferenceSession } from ${JSON.stringify(path.join(root, 'js-glue/index.js'))};
    for (const worker of [false, true]) { const s = await InferenceSession.create(${JSON.stringify(homeModel)}, { wasm: ${JSON.stringify(wasm)}, threads: 2, worker }); await s.generate('x', { maxTokens: 2 }); }`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', code], { timeout: 20000, encoding: 'utf8' });
  assert.deepEqual([run.status, run.stderr], [0, '']);
});

test('capabilities() says what runs here and why', async () => {
  const c = await capabilities();
  assert.ok(VARIANTS.includes(c.variant));
  assert.deepEqual([c.environment, c.simd, c.relaxedSimd, c.storage.kinds], ['node', features().simd, features().relaxedSimd, ['filesystem', 'memory']]);
  assert.ok(c.cores >= 1 && c.defaultThreads >= 1 && c.defaultThreads <= c.cores);
  assert.match(c.why, /\w+\./);
  const s = await InferenceSession.create(homeModel, { wasm });
  assert.equal(s.info.engine.variant, c.variant, 'what capabilities() names is what runs');
  await s.dispose();
});

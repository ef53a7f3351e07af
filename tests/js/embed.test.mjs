// @ts-check
// Embeddings in the SDK: the fixtures, native's bits in every wasm build, packing, options, limits, reranking, workers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { InferenceSession } from '../../dist/index.js';
import { ModelWorker, ModelWorkerPool } from '../../dist/worker.js';
import { built, fixture, homeModel, needs, root, temporaryFolder } from './support/env.mjs';
import { ids, tinyBert } from './support/tiny-bert.mjs';

const folder = temporaryFolder();
const model = path.join(folder, 'bert.gguf'), ranker = path.join(folder, 'rank.gguf');
fs.writeFileSync(model, tinyBert());
fs.writeFileSync(ranker, tinyBert({ rank: true }));
const lines = ['The cat sat on the mat.', 'A dog ran far, far.', 'Cats sat.', '中 the 中', 'running dogs', 'the'];
const length = (/** @type {Float32Array} */ v) => Math.sqrt(v.reduce((s, x) => s + x * x, 0));

/** @param {string} source @param {(s: InferenceSession) => Promise<void>} use @param {import('../../js-glue/session.js').SessionOptions} [options] */
async function withSession(source, use, options = {}) {
  const session = await InferenceSession.create(source, { threads: 1, ...options });
  try { await use(session); } finally { await session.dispose(); }
}

/** @param {string[]} args @returns {Float32Array} what the native command writes */
function native(...args) {
  const out = path.join(folder, 'out.f32');
  execFileSync(path.join(root, 'build/native/edge-net'), ['embed', ...args, '--out', out, '--threads', '1']);
  const bytes = fs.readFileSync(out);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

for (const name of ['bert-mean', 'bert-cls', 'nomic-bert']) {
  const json = fixture(`oracles/${name}.json`);
  test(`fixture ${name}`, needs(json), async () => {
    const want = JSON.parse(fs.readFileSync(/** @type {string} */ (json), 'utf8'));
    const expected = new Float32Array(new Uint8Array(fs.readFileSync(/** @type {string} */ (fixture(`oracles/${want.expected}`)))).buffer);
    await withSession(/** @type {string} */ (fixture(`oracles/${want.model}`)), async (s) => {
      const got = await s.embed(want.tokens, { normalize: false });
      const error = Math.sqrt(got.reduce((sum, x, i) => sum + (x - expected[i]) ** 2, 0) / expected.reduce((sum, x) => sum + x * x, 0));
      assert.ok(error < want.tolerance, `${error}`);
    });
  });
}

test('every wasm build gives native\'s bits', async () => {
  const file = path.join(folder, 'lines');
  fs.writeFileSync(file, lines.join('\n'));
  const want = native(model, '-f', file);
  for (const variant of /** @type {import('../../js-glue/variants.js').Variant[]} */ (built.filter((v) => !v.startsWith('relaxed')))) {
    await withSession(model, async (s) => {
      const rows = await s.embedBatch(lines);
      rows.forEach((row, i) => assert.deepEqual(row, want.slice(i * row.length, (i + 1) * row.length), `${variant}: ${lines[i]}`));
    }, { variant, threads: variant.endsWith('-mt') ? 2 : 1 });
  }
});

test('one by one, in a batch, at the same time: the same', () => withSession(model, async (s) => {
  assert.equal(s.info.hasLogits, false);
  assert.equal(s.info.pooling, 'mean');
  const batch = await s.embedBatch(lines);
  const many = await s.embedBatch(Array.from({ length: 200 }, (_, i) => lines[i % lines.length]));
  const at_once = await Promise.all(lines.map((line) => s.embed(line)));
  for (const [i, line] of lines.entries()) {
    assert.ok(Math.abs(length(batch[i]) - 1) < 1e-6);
    assert.deepEqual(await s.embed(line), batch[i]);
    assert.deepEqual(at_once[i], batch[i]);
    assert.deepEqual(many[i + 12 * lines.length], batch[i]);
  }
  assert.deepEqual(await s.embed([ids.cls, ...await s.tokenize('the cat', { addBos: false }), ids.sep]), await s.embed('The  cat'));
  assert.deepEqual(await s.embedBatch([]), []);
  const { kvCacheBytes } = s.getMemoryInfo();
  assert.equal(kvCacheBytes, 2 * 512 * 64 * 4); // one layer of one forward pass
}));

test('options', () => withSession(model, async (s) => {
  const [text] = lines;
  const raw = await s.embed(text, { normalize: false });
  assert.ok(Math.abs(length(raw) - 1) > 1e-3);
  const short = await s.embed(text, { dimensions: 16 });
  assert.equal(short.length, 16);
  assert.ok(Math.abs(length(short) - 1) < 1e-6);
  const n = length(raw.subarray(0, 16));
  short.forEach((x, i) => assert.ok(Math.abs(x - raw[i] / n) < 1e-6));
  assert.deepEqual(await s.embed('the cat', { prefix: 'query: ' }), await s.embed('query: the cat'));
  assert.notDeepEqual(await s.embed(text, { pooling: 'first' }), await s.embed(text));
  assert.ok(Math.abs(await s.similarity(text, text) - 1) < 1e-6);
  const [a, b] = await s.embedBatch([lines[0], lines[1]]);
  assert.ok(Math.abs(await s.similarity(lines[0], lines[1]) - a.reduce((sum, x, i) => sum + x * b[i], 0)) < 1e-6);
}));

test('limits and mistakes', () => withSession(model, async (s) => {
  const long = Array(40).fill('the').join(' ');
  await assert.rejects(s.embed(long), { code: 'FULL', message: /42 tokens and 32/ });
  const cut = await s.embed(long, { truncate: true });
  assert.deepEqual(cut, await s.embed(Array(30).fill('the').join(' ')));
  await assert.rejects(s.embed([]), { code: 'ARG' });
  await assert.rejects(s.embed([1, 999]), { code: 'ARG', message: /999/ });
  await assert.rejects(s.embed('x', { dimensions: 65 }), { code: 'ARG', message: /64/ });
  await assert.rejects(s.embed('x', /** @type {any} */ ({ dimension: 3 })), { code: 'ARG', message: /dimension/ });
  await assert.rejects(s.embed(/** @type {any} */ (5)), { code: 'ARG' });
  await assert.rejects(s.generate('x'), { code: 'UNSUPPORTED', message: /encoder/ });
  await assert.rejects(s.logits('x'), { code: 'UNSUPPORTED' });
  await assert.rejects(s.rerank('x', ['y']), { code: 'UNSUPPORTED', message: /cls\.weight/ });
  await assert.rejects(s.embed('x', { signal: AbortSignal.abort() }), { code: 'ABORTED' });
  const stop = new AbortController();
  const pending = s.embedBatch(Array(5000).fill(lines[0]), { signal: stop.signal });
  setTimeout(() => stop.abort(), 5);
  await assert.rejects(pending, { code: 'ABORTED' });
  assert.equal((await s.embed('still alive')).length, 64);
  const late = s.embedBatch(Array(5000).fill(lines[0]));
  await Promise.all([assert.rejects(late, { code: 'STATE' }), s.dispose()]);
}));

test('a decoder gives its last token; texts and vectors at the same time', () => withSession(homeModel, async (s) => {
  assert.equal(s.info.pooling, 'last');
  const [vectors, text] = await Promise.all([s.embedBatch(['Once upon a time', 'Hello']), s.generate('Once', { maxTokens: 8, temperature: 0 })]);
  assert.equal(vectors[0].length, s.info.embedding);
  assert.deepEqual(await s.embed('Hello'), vectors[1]);
  assert.equal(await s.generate('Once', { maxTokens: 8, temperature: 0 }), text);
}));

test('reranking', () => withSession(ranker, async (s) => {
  const ranked = await s.rerank('the cat', lines);
  assert.deepEqual(ranked.map((r) => r.index).sort(), lines.map((_, i) => i));
  for (let i = 1; i < ranked.length; i++) assert.ok(ranked[i - 1].score >= ranked[i].score);
  const want = native(ranker, '--query', 'the cat', ...lines.flatMap((l) => ['-p', l]));
  for (const { index, score } of ranked) assert.ok(Math.abs(score - want[index]) < 1e-6); // the head's last row is a float product
  assert.deepEqual(await s.rerank('the cat', lines, { topK: 2 }), ranked.slice(0, 2));
}));

test('in a worker and in a pool', async () => {
  const worker = new ModelWorker(), pool = new ModelWorkerPool({ workers: 2, model });
  await worker.load(model, { threads: 1 });
  const want = await worker.embedBatch(lines);
  assert.deepEqual(await pool.embedBatch(lines), want);
  assert.deepEqual(await pool.embed(lines[1]), want[1]);
  assert.equal(await pool.similarity(lines[0], lines[1]), await worker.similarity(lines[0], lines[1]));
  await Promise.all([worker.terminate(), pool.terminate()]);
});

// @ts-check
// Training of encoders through the session: pairs, cosines, masked tokens; and adapters at work on embeddings.
import test from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { homeModel, temporaryFolder, wasm } from './support/env.mjs';
import { tinyBert } from './support/tiny-bert.mjs';
import { InferenceSession } from '../../js-glue/index.js';

const model = path.join(temporaryFolder(), 'bert.gguf');
writeFileSync(model, tinyBert({ mask: true }));
/** @template T @param {any} options @param {(s: InferenceSession) => Promise<T>} use */
async function using({ source = model, ...options }, use) {
  const session = await InferenceSession.create(source, { wasm, threads: 1, storage: 'none', ...options });
  try { return await use(session); } finally { await session.dispose(); }
}
const PAIRS = [['the cat sat', 'a cat'], ['the dog ran far', 'a dog'], ['on the mat', 'mat'], ['query', 'passage'], ['far', 'dogs ran'], ['cats', 'sat on mat']].map(([anchor, positive]) => ({ anchor, positive }));
const TEXTS = ['the cat sat on the mat', 'a dog ran far', 'the dog sat on the mat', 'a cat ran far', 'the cat ran on', 'a dog sat'];

test('pairs: every anchor comes nearest to its own positive; the adapter works on embeddings, and off is the base bit for bit', () => using({}, async (s) => {
  const nearest = async () => {
    const rows = await s.embedBatch(PAIRS.flatMap((p) => [p.anchor, p.positive]));
    const dot = (/** @type {number} */ i, /** @type {number} */ j) => rows[2 * i].reduce((sum, v, k) => sum + v * rows[2 * j + 1][k], 0);
    return PAIRS.filter((_, i) => PAIRS.every((__, j) => j === i || dot(i, i) > dot(i, j))).length;
  };
  const base = await s.embed('the cat sat'), before = await nearest();
  const trainer = s.createTrainer({ loss: 'infonce', rank: 4, learningRate: 0.02, batchSize: 6, seed: 1, temperature: 0.1 });
  const losses = /** @type {number[]} */ ([]);
  const report = await trainer.train(PAIRS, { epochs: 40, evalData: PAIRS, evalEvery: 40, onStep: (e) => losses.push(e.loss) });
  assert.ok(Number(report.evalLoss) < Number(report.evalBefore) / 3, `${report.evalBefore} -> ${report.evalLoss}`);
  const busy = s.embedBatch(TEXTS); // a change waits for what is being computed
  const info = await s.loadAdapter(await trainer.getAdapter(), { name: 'pairs' });
  assert.deepEqual((await busy)[0].length, base.length);
  assert.ok(before < PAIRS.length && info.rank === 4);
  assert.equal(await nearest(), PAIRS.length);
  const adapted = await s.embed('the cat sat', { pooling: 'first' }); // a session that did not exist yet
  await s.setAdapterScale('pairs', 0);
  assert.notDeepEqual(await s.embed('the cat sat', { pooling: 'first' }), adapted);
  assert.deepEqual(await s.embed('the cat sat'), base);
  await s.unloadAdapter('pairs');
  assert.deepEqual(await s.embed('the cat sat'), base);
}));

test('pairs in micro-batches learn as if they were one batch', () => using({}, async (s) => {
  const run = async (/** @type {any} */ sizes) => {
    const trainer = s.createTrainer({ loss: 'infonce', rank: 4, learningRate: 0.01, seed: 1, ...sizes });
    const losses = /** @type {number[]} */ ([]);
    await trainer.train(PAIRS, { epochs: 4, onStep: (e) => losses.push(e.loss) });
    await trainer.dispose();
    return losses;
  };
  const whole = await run({ batchSize: 6 }), parts = await run({ batchSize: 2, gradientAccumulation: 3 });
  whole.forEach((loss, i) => assert.ok(Math.abs(loss - parts[i]) < 1e-3 * loss, `step ${i}: ${loss}, in parts ${parts[i]}`));
  assert.ok(whole[3] < whole[0]);
}));

test('cosines of pairs become what they should be', () => using({}, async (s) => {
  const data = PAIRS.map((p, i) => ({ ...p, score: i % 2 ? 0.9 : 0.1 }));
  const trainer = s.createTrainer({ loss: 'cosine', rank: 4, learningRate: 0.02, batchSize: 3 });
  const report = await trainer.train(data, { epochs: 40, evalData: data, evalEvery: 80 });
  assert.ok(Number(report.evalLoss) < Number(report.evalBefore) / 5, `${report.evalBefore} -> ${report.evalLoss}`);
  await s.loadAdapter(await trainer.getAdapter(), { name: 'cosines' });
  const errors = await Promise.all(data.map(async (p) => Math.abs(await s.similarity(p.anchor, p.positive) - p.score)));
  assert.ok(Math.max(...errors) < 0.3, String(errors));
}));

test('masked tokens are learned; the same seed masks the same', () => using({}, async (s) => {
  const run = async (/** @type {any} */ more) => {
    const trainer = s.createTrainer({ loss: 'mlm', rank: 8, learningRate: 0.02, batchSize: 6, maskProbability: 0.3, ...more });
    const losses = /** @type {number[]} */ ([]);
    const { evalBefore, evalLoss } = await trainer.train(TEXTS, { epochs: 30, evalData: TEXTS, evalEvery: 30, onStep: (e) => losses.push(e.loss) });
    await trainer.dispose();
    return { losses, evalBefore: Number(evalBefore), evalLoss: Number(evalLoss) };
  };
  const one = await run({ seed: 4 });
  assert.ok(one.evalLoss < 0.6 * one.evalBefore, `${one.evalBefore} -> ${one.evalLoss}`);
  assert.deepEqual(await run({ seed: 4 }), one);
  assert.notDeepEqual((await run({ seed: 5 })).losses, one.losses);
}));

test("what does not fit model or loss is refused in words", () => using({}, async (s) => {
  await assert.rejects(s.createTrainer().train(TEXTS), { code: 'ARG', message: /is an encoder, which learns "mlm", "infonce" or "cosine"/ });
  await assert.rejects(s.createTrainer({ loss: 'infonce' }).train(TEXTS), { code: 'ARG', message: /sample 0 must be \{ anchor, positive \}/ });
  await assert.rejects(s.createTrainer({ loss: 'cosine' }).train(PAIRS), { code: 'ARG', message: /anchor, positive, score/ });
  await assert.rejects(s.createTrainer({ loss: 'mlm' }).train(PAIRS), { code: 'ARG', message: /must be a text/ });
  await using({ source: tinyBert() }, (plain) => assert.rejects(plain.createTrainer({ loss: 'mlm' }).train(TEXTS), { code: 'UNSUPPORTED', message: /no mask token/ }));
  await using({ source: homeModel }, async (home) => {
    await assert.rejects(home.createTrainer({ loss: 'mlm' }).train(TEXTS), { code: 'ARG', message: /learns the next token/ });
    await assert.rejects(home.createTrainer().train(PAIRS), { code: 'ARG', message: /pairs of texts are for encoders/ });
  });
}));

test("a decoder's adapter works on its embeddings too", () => using({ source: homeModel }, async (s) => {
  const base = await s.embed('the cat');
  const trainer = s.createTrainer({ learningRate: 0.01, warmupSteps: 0 });
  await trainer.train(TEXTS, { epochs: 2 });
  await s.loadAdapter(await trainer.getAdapter(), { name: 'cats' });
  assert.notDeepEqual(await s.embed('the cat'), base);
  await s.setAdapterScale('cats', 0);
  assert.deepEqual(await s.embed('the cat'), base);
}));

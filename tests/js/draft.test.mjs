// @ts-check
// A draft model changes how many turns a text takes, never the text; and what is drawn beside it has the distribution that it should have.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { homeModel, needs, root, stories, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/index.js';

/** The same vocabulary and other weights, most of the last matrix being 0: it agrees now and then. */
const damaged = new Uint8Array(readFileSync(homeModel)).fill(0, -30_000, -1000);

const PROMPT = 'The river and the road to the river and the house by the road';
const SCHEMA = { type: 'array', items: { enum: ['anna', 'ben'] }, minItems: 4, maxItems: 6 };
/** @type {[string, import('../../js-glue/options.js').GenerateOptions][]} */
const WAYS = [
  ['greedy', { temperature: 0, maxTokens: 40, ignoreEos: true }], ['drawn', { seed: 3, temperature: 1, topK: 0, topP: 1, minP: 0, maxTokens: 30, ignoreEos: true }],
  ['with a penalty and a bias', { seed: 4, topK: 30, maxTokens: 30, repetitionPenalty: 1.3, logitBias: { 5: -Infinity, 9: 2 } }],
  ['by a schema', { seed: 5, maxTokens: 60, responseFormat: { type: 'json_schema', schema: SCHEMA } }], ['to a stop', { seed: 6, maxTokens: 40, stopSequences: ['e'] }],
];

/** @type {[string, string | null, any, number, number][]} name, model, draft, share of its guesses that are right: more than, and at most (a text may end before its last guesses) */
const PAIRS = [
  ['the model itself', homeModel, homeModel, 0.85, 1], ['a worse model', homeModel, damaged, 0.05, 0.9], ['other rounding of the same', stories('q8_0'), stories('f16'), 0.8, 1],
];
for (const [name, model, draft, above, most] of PAIRS) {
  test(`${name} as a draft: the same text as without, alone and at once`, needs(model), async () => {
    const file = /** @type {string} */ (model), options = { wasm, contextLength: 256 };
    const plain = await InferenceSession.create(file, options);
    /** @type {string[]} */ const phases = [];
    const drafting = await InferenceSession.create(file, { ...options, draft, parallel: 3, worker: true, onProgress: ({ phase }) => phases.push(phase) });
    const both = await InferenceSession.create(file, { ...options, draft, draftTokens: 7, promptLookup: 3 });
    assert.deepEqual([phases.filter((p) => p === 'ready').length, phases.at(-1)], [1, 'ready'], 'ready when both are');
    assert.ok(drafting.getMemoryInfo().draftBytes > 1e5 && plain.getMemoryInfo().draftBytes === 0);
    let guesses = 0, right = 0;
    const wanted = [];
    for (const [what, how] of WAYS) {
      const want = await plain.complete(PROMPT, how), got = await drafting.complete(PROMPT, how);
      wanted.push(want.tokens);
      assert.deepEqual([got.tokens, got.text, got.finishReason], [want.tokens, want.text, want.finishReason], what);
      assert.deepEqual((await both.complete(PROMPT, how)).tokens, want.tokens, `${what}, beside lookup`);
      assert.equal(want.timings.guesses, 0);
      guesses += got.timings.guesses;
      right += got.timings.guessedTokens;
    }
    assert.ok(guesses > 10 && right / guesses > above && right / guesses <= most, `${right} of ${guesses} guesses were right`);
    const together = await Promise.all(WAYS.map(([, how]) => drafting.complete(PROMPT, how)));
    together.forEach((got, i) => assert.deepEqual(got.tokens, wanted[i], WAYS[i]?.[0]));
    await drafting.clearKVCache();
    assert.deepEqual((await drafting.complete(PROMPT, WAYS[0]?.[1])).tokens, wanted[0], 'after a clear');
    const short = await InferenceSession.create(file, { wasm, contextLength: 30, draft });
    const full = await short.complete('to be or not', { temperature: 0, maxTokens: 500, ignoreEos: true });
    assert.ok(full.finishReason === 'length' && full.timings.promptTokens + full.tokens.length === 31, 'a full context, to the token');
    await Promise.all([plain, drafting, both, short].map((s) => s.dispose()));
  });
}

test('what is drawn with a draft has the distribution of the model', async () => {
  const K = 6, RUNS = 400;
  const s = await InferenceSession.create(homeModel, { wasm, parallel: 8, draft: damaged, contextLength: 64 });
  const ids = await s.tokenize('The road to the river');
  const runs = await Promise.all(Array.from({ length: RUNS }, (_, seed) => s.complete(ids, { seed, temperature: 1, topK: K, topP: 1, minP: 0, maxTokens: 3, ignoreEos: true })));
  const guessed = runs.reduce((n, r) => n + r.timings.guessedTokens, 0), guesses = runs.reduce((n, r) => n + r.timings.guesses, 0);
  assert.ok(guessed > 0.1 * guesses && guessed < 0.95 * guesses, `${guessed} of ${guesses}: accepted and refused guesses are both in it`);
  // The second token is the first that was guessed. Given the commonest first one, its counts against the model's probabilities:
  const firsts = new Map();
  for (const { tokens: [first] } of runs) firsts.set(first, (firsts.get(first) ?? 0) + 1);
  const [first, n] = [...firsts].reduce((a, b) => (b[1] > a[1] ? b : a));
  const logits = await s.logits([...ids, first]);
  const best = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0)).slice(0, K);
  const weights = best.map((id) => Math.exp((logits[id] ?? 0) - (logits[best[0] ?? 0] ?? 0))), sum = weights.reduce((a, b) => a + b);
  const counts = best.map((id) => runs.filter(({ tokens }) => tokens[0] === first && tokens[1] === id).length);
  assert.equal(counts.reduce((a, b) => a + b), n, 'nothing outside the best');
  const chi2 = counts.reduce((x, count, i) => { const want = n * (weights[i] ?? 0) / sum; return x + (count - want) ** 2 / want; }, 0);
  assert.ok(n > 60 && chi2 < 20.5, `chi-square ${chi2.toFixed(1)} of ${K - 1} degrees of freedom, ${n} draws: ${counts.join(' ')}`); // p = 0.001
  await s.dispose();
});

test('a draft that cannot be one is an error that says why', async () => {
  const make = (/** @type {any} */ o) => InferenceSession.create(homeModel, { wasm, ...o });
  await assert.rejects(make({ draft: path.join(root, 'models/home-3.gguf') }), { code: 'UNSUPPORTED', message: /home-3\.gguf: the draft must have the vocabulary of the model/ });
  await assert.rejects(make({ draft: '/nowhere/draft.gguf' }), { code: 'STORAGE' });
  await assert.rejects(make({ draft: 5 }), { code: 'ARG', message: /source/ });
  await assert.rejects(make({ draft: damaged.slice(0, 200_000) }), { code: 'FORMAT', message: /incomplete/ });
  await assert.rejects(make({ draft: damaged, draftTokens: 0 }), { code: 'ARG', message: /draftTokens/ });
});

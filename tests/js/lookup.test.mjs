// @ts-check
// Guessed tokens and copied beginnings change when things are computed, never what comes out.
import test from 'node:test';
import assert from 'node:assert/strict';
import { homeModel, needs, stories, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/index.js';
import { continuation as after } from '../../js-glue/scheduler.js';

/** @param {number[]} text @param {number} most */
const continuation = (text, most) => after(text.slice(0, -1), text[text.length - 1], most);

test('what followed the same tokens before', () => {
  assert.deepEqual(continuation([1, 2, 3, 4, 5, 1, 2, 3], 2), [4, 5]);
  assert.deepEqual(continuation([1, 2, 3, 4, 9, 2, 3, 7, 1, 2, 3], 9), [4, 9, 2, 3, 7, 1, 2, 3], 'three tokens count more than two');
  assert.deepEqual(continuation([8, 2, 3, 4, 9, 2, 3], 1), [4]);
  assert.deepEqual(continuation([8, 2, 3, 4, 2, 3, 5, 2, 3], 1), [5], 'the latest of several');
  assert.deepEqual(continuation([7, 7, 7, 7], 4), [7], 'up to the end');
  for (const text of [[], [1], [1, 2], [1, 2, 3, 4]]) assert.deepEqual(continuation(text, 4), []);
  assert.deepEqual(continuation([1, 2, 1, 2], 0), []);
});

const PROMPT = 'The river and the road to the river and the house by the road to the river and the';
const SCHEMA = { type: 'array', items: { type: 'object', properties: { name: { enum: ['anna', 'ben'] }, on: { type: 'boolean' } }, required: ['name', 'on'] }, minItems: 4, maxItems: 6 };
/** @type {[string, import('../../js-glue/options.js').GenerateOptions][]} */
const WAYS = [
  ['greedy', { temperature: 0, maxTokens: 60, ignoreEos: true }], ['drawn', { seed: 3, maxTokens: 40, ignoreEos: true }], ['drawn from few', { seed: 4, topK: 3, maxTokens: 40, repetitionPenalty: 1.1 }],
  ['by a schema', { seed: 5, maxTokens: 400, responseFormat: { type: 'json_schema', schema: SCHEMA } }], ['to a stop', { temperature: 0, maxTokens: 60, stopSequences: ['e'] }],
];

for (const [name, model] of /** @type {const} */ ([['the placeholder', homeModel], ['stories260K', stories('q8_0')]])) {
  test(`${name}: the same text with guesses as without, alone and at once`, needs(model), async () => {
    const file = /** @type {string} */ (model);
    const plain = await InferenceSession.create(file, { wasm, contextLength: 512 }), guessing = await InferenceSession.create(file, { wasm, contextLength: 512, promptLookup: 6, parallel: 3 });
    let guessed = 0;
    const wanted = [];
    for (const [what, options] of WAYS) {
      const want = await plain.complete(PROMPT, options), got = await guessing.complete(PROMPT, options);
      wanted.push(want.tokens);
      assert.deepEqual([got.tokens, got.text, got.finishReason], [want.tokens, want.text, want.finishReason], what);
      assert.equal(want.timings.guessedTokens, 0);
      guessed += got.timings.guessedTokens;
      const next = await guessing.complete(`${PROMPT} end`, { temperature: 0, maxTokens: 5 }), fresh = await plain.complete(`${PROMPT} end`, { temperature: 0, maxTokens: 5 });
      assert.deepEqual(next.tokens, fresh.tokens, 'what is cached is what was said');
    }
    assert.ok(guessed > 5, `${guessed} guessed tokens were right`);
    const together = await Promise.all(WAYS.map(([, options]) => guessing.complete(PROMPT, options)));
    together.forEach((got, i) => assert.deepEqual(got.tokens, wanted[i], WAYS[i]?.[0]));
    const short = await InferenceSession.create(file, { wasm, contextLength: 40, promptLookup: 6 });
    const full = await short.complete('to be or not to be or not', { temperature: 0, maxTokens: 500, ignoreEos: true });
    assert.ok(full.finishReason === 'length' && full.timings.promptTokens + full.tokens.length === 41, 'a full context, to the token');
    await Promise.all([plain, guessing, short].map((s) => s.dispose()));
  });
}

test('texts that begin alike read their beginning once', async () => {
  const s = await InferenceSession.create(homeModel, { wasm, parallel: 4 });
  const alone = await InferenceSession.create(homeModel, { wasm });
  const prompts = [' one', ' two', ' three', ' four', ' one'].map((end) => `${PROMPT.repeat(3)}${end}`);
  const options = { temperature: 0, maxTokens: 8, ignoreEos: true };
  const got = await Promise.all(prompts.map((p) => s.complete(p, options)));
  const n = (/** @type {number} */ i) => /** @type {import('../../js-glue/scheduler.js').Completion} */ (got[i]).timings;
  assert.equal(n(0).cachedTokens, 0);
  for (let i = 1; i < 5; i++) assert.ok(n(i).cachedTokens > n(i).promptTokens - 8, `${n(i).cachedTokens} of ${n(i).promptTokens} tokens came from another sequence`);
  for (const [i, prompt] of prompts.entries()) assert.deepEqual(got[i]?.tokens, (await alone.complete(prompt, options)).tokens);
  await Promise.all([s, alone].map((x) => x.dispose()));
});

test('texts that differ keep their caches while there is room, and the one unused for longest goes', async () => {
  const s = await InferenceSession.create(homeModel, { wasm, parallel: 2, threads: 1 });
  const options = { temperature: 0, maxTokens: 4, ignoreEos: true };
  const chats = ['A cat sat on the warm stone by the river', 'The king of the old house went away', 'Some bread and butter for the tea'];
  const read = async (/** @type {string} */ prompt) => { const { timings: t } = await s.complete(prompt, options); return t.promptTokens - t.cachedTokens; };
  const [cat = '', king = '', bread = ''] = chats;
  assert.ok(await read(cat) > 8 && await read(king) > 8);
  assert.deepEqual([await read(cat), await read(king)], [1, 1], 'both are there: they have their first token in common, and no more');
  assert.ok(await read(bread) > 8);
  assert.ok(await read(king) === 1 && await read(cat) > 8, 'the older of the two went');
  await s.dispose();
});

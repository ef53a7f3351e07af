// @ts-check
// A branch says what a fresh session would say, to the token, and what branches share is read once.
import test from 'node:test';
import assert from 'node:assert/strict';
import { homeModel, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/index.js';

const START = 'The river and the road to the house by the old stone bridge in the forest';
const ENDS = [' where the cat', ' where a king', ' and some bread'];
const how = (/** @type {number} */ seed) => ({ seed, temperature: 1, topK: 0, topP: 1, minP: 0, maxTokens: 12, ignoreEos: true });

test('branches at once are the texts of fresh sessions, and read only what is new', async () => {
  const s = await InferenceSession.create(homeModel, { wasm, parallel: 4, contextLength: 256 });
  const trunk = await s.fork(START);
  const first = await trunk.complete('', how(1));
  const branches = ENDS.map(() => trunk.fork());
  const said = await Promise.all(branches.map((branch, i) => branch.complete(ENDS[i], how(10 + i))));
  assert.deepEqual(trunk.ids, [...await s.tokenize(START), ...first.tokens], 'a branch changes nothing of where it came from');
  for (const [i, branch] of branches.entries()) {
    const more = await s.tokenize(ENDS[i] ?? '', { addBos: false }), end = said[i]?.timings ?? { promptTokens: 0, cachedTokens: 0 };
    assert.ok(end.promptTokens - end.cachedTokens <= more.length + 1, `${end.promptTokens - end.cachedTokens} tokens were read`);
    const fresh = await InferenceSession.create(homeModel, { wasm, contextLength: 256 });
    const alone = await fresh.complete([...trunk.ids, ...more], how(10 + i));
    assert.deepEqual(said[i]?.tokens, alone.tokens);
    assert.deepEqual(branch.ids, [...trunk.ids, ...more, ...alone.tokens]);
    // What the branch's cache holds is what a fresh one holds: the logits behind it are the same, bit for bit.
    const next = await branch.complete('', { ...how(20 + i), maxTokens: 6 });
    await fresh.clearKVCache();
    assert.deepEqual(next.tokens, (await fresh.complete([...trunk.ids, ...more, ...alone.tokens], { ...how(20 + i), maxTokens: 6 })).tokens);
    assert.ok(next.timings.promptTokens - next.timings.cachedTokens <= 2, 'it goes on where it was');
    await fresh.dispose();
  }
  await s.dispose();
});

test('more branches than sequences, streams, nothing to begin with, an end', async () => {
  const s = await InferenceSession.create(homeModel, { wasm });
  const trunk = await s.fork(await s.tokenize(START));
  const texts = await Promise.all(ENDS.map(async (end) => {
    const branch = trunk.fork(), /** @type {string[]} */ pieces = [];
    for await (const piece of branch.generateStream(end, how(3))) pieces.push(piece);
    assert.equal(branch.ids.length, trunk.ids.length + 12 + (await s.tokenize(end, { addBos: false })).length);
    return pieces.join('');
  }));
  for (const [i, end] of ENDS.entries()) assert.equal((await trunk.fork().complete(end, how(3))).text, texts[i]);
  const empty = await s.fork();
  assert.deepEqual([empty.ids, (await empty.complete('One day', how(4))).tokens], [[], (await s.complete('One day', how(4))).tokens]);
  const none = new AbortController();
  none.abort();
  assert.equal((await empty.fork().complete(' more', { ...how(1), signal: none.signal })).finishReason, 'abort');
  await s.dispose();
  await assert.rejects(trunk.complete('x'), { code: 'STATE' });
  await assert.rejects(s.fork('x'), { code: 'STATE' });
});

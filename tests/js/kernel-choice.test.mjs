// @ts-check
// The choice between two kernel tables by time: what is timed, when, and what it takes to leave the default.
import test from 'node:test';
import assert from 'node:assert/strict';
import { choose, warmUp } from '../../js-glue/kernel-choice.js';
import { WasmInstance } from '../../js-glue/wasm-instance.js';
import { wasmBytes } from './support/env.mjs';

/** @param {string | null} rival @param {Record<string, number[]>} speeds what each timing gives, one after another */
function engine(rival, speeds) {
  /** @type {string[]} */ const timed = [];
  return { timed, rival: () => rival, speed: (/** @type {string} */ name) => { timed.push(name); return speeds[name].shift() ?? 0; } };
}

test('without a rival nothing is timed', async () => {
  const w = engine(null, {});
  await warmUp(w);
  assert.deepEqual(choose(w, 1), { name: 'auto', why: [] });
  assert.deepEqual(w.timed, []);
});

test('both tables are warmed up, and other work of the thread goes on between them', async () => {
  const w = engine('b', { auto: [10], b: [20] });
  const seen = [];
  const warm = warmUp(w);
  setImmediate(() => seen.push(...w.timed));
  await warm;
  assert.deepEqual(w.timed, ['auto', 'b']);
  assert.deepEqual(seen, ['auto']);
});

test('a rival has to win clearly, by the best of its turns', () => {
  const close = engine('b', { auto: [10, 20, 15], b: [22, 24, 9] });
  assert.equal(choose(close, 1).name, 'auto');
  assert.deepEqual(close.timed, ['auto', 'b', 'auto', 'b', 'auto', 'b']);
  const clear = choose(engine('b', { auto: [10, 20, 15], b: [11, 26, 9] }), 1);
  assert.equal(clear.name, 'b');
  assert.match(clear.why.join(), /b were timed at 26\.0 GMAC\/s, the usual ones at 20\.0: b run/);
});

test('a rival that loses a round is not timed again', () => {
  const w = engine('b', { auto: [20], b: [19] });
  assert.equal(choose(w, 1).name, 'auto');
  assert.deepEqual(w.timed, ['auto', 'b']);
});

test('the engine times a table and refuses names that it does not know', async () => {
  const w = await WasmInstance.create(new WebAssembly.Module(wasmBytes('simd128')));
  assert.equal(w.rival(), null);
  assert.ok(w.speed('auto', 1) > 0);
  assert.equal(w.speed('no-such', 1), 0);
});

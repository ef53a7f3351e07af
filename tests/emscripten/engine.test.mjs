// @ts-check
// The engine as Emscripten builds it, run by the same JavaScript: it has to write what the release build writes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { InferenceSession } from '../../dist/index.js';
import { home, root } from '../cli/cli.mjs';

/** @param {string} wasm @param {number} threads */
async function greedy(wasm, threads) {
  const session = await InferenceSession.create(home, { wasm: readFileSync(path.join(root, wasm)), threads, worker: false });
  try {
    const { tokens } = await session.complete('Hello there', { temperature: 0, maxTokens: 40, ignoreEos: true });
    return { tokens, logits: await session.logits(tokens) };
  } finally {
    await session.dispose();
  }
}

for (const [variant, threads] of /** @type {const} */ ([['simd128', 1], ['simd128-mt', 2]])) {
  test(`${variant}: tokens and logits equal those of the release build`, async () => {
    const theirs = await greedy(`build/emscripten-${variant}/edge-net-${variant}.wasm`, threads);
    const ours = await greedy(`dist/wasm/edge-net-${variant}.wasm`, threads);
    assert.equal(theirs.tokens.length, 40);
    assert.deepEqual(theirs.tokens, ours.tokens);
    theirs.logits.forEach((/** @type {number} */ x, /** @type {number} */ i) => assert.ok(Math.abs(x - ours.logits[i]) < 1e-4));
  });
}

// @ts-check
// A 0.5B-shaped model (synthetic, Q4_0): logits over 128 positions of every native kernel table and every wasm build agree with ref-int8, the
// plain-C meaning of the integer path, within 1e-4 relative RMS (in truth: exactly); each generates text. Greedy tokens of random weights are near ties, so texts
// are not compared. Needs EDGE_NET_SHARED (its generator of synthetic models). Node 20 needs
// --experimental-wasm-relaxed-simd --no-liftoff (its baseline compiler computes one relaxed operation wrongly, which the engine notices and refuses).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { InferenceSession } from '../../dist/index.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const generator = path.join(path.resolve(root, process.env.EDGE_NET_SHARED ?? '../shared'), 'harness', 'gen-gguf.mjs');
const skip = fs.existsSync(generator) ? false : 'no shared data';
const folder = path.join(root, 'build', 'long');
const model = path.join(folder, 'qwen2.5-0.5b-q4_0.gguf');
const cli = path.join(root, 'build', 'native', 'edge-net');
const POSITIONS = 128;
const LIMIT = 1e-4;
const tokens = Array.from({ length: POSITIONS }, (_, i) => 300 + ((1103515245 * (i + 1) + 12345) % 2147483648) % 29400);

/** @param {Float32Array} got @param {Float32Array} want */
function relativeRms(got, want) {
  let wrong = 0, all = 0;
  for (let i = 0; i < want.length; i++) { wrong += (got[i] - want[i]) ** 2; all += want[i] ** 2; }
  return Math.sqrt(wrong / all);
}

/** @param {string} kernels @param {number} threads */
function native(kernels, threads) {
  const out = path.join(folder, `logits-${kernels}-${threads}.f32`);
  execFileSync(cli, ['logits', model, '--tokens', tokens.join(','), '--out', out, '--kernels', kernels, '--threads', `${threads}`, '--ctx', '256', '--kv', 'f16'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const bytes = fs.readFileSync(out);
  fs.rmSync(out);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** @type {Float32Array} */ let truth;
test('ref-int8', { skip, timeout: 900_000 }, () => {
  fs.mkdirSync(folder, { recursive: true });
  if (!fs.existsSync(model)) execFileSync(process.execPath, [generator, '--shape', 'qwen2.5-0.5b', '--quant', 'q4_0', '--out', folder], { stdio: 'ignore' });
  truth = native('ref-int8', Math.min(2, os.cpus().length));
  assert.equal(truth.length, POSITIONS * 151936);
  assert.ok(truth.every(Number.isFinite));
});

const tables = /^kernels\s+(.*)$/m.exec(fs.existsSync(cli) ? execFileSync(cli, ['capabilities'], { encoding: 'utf8' }) : '')?.[1].split(' ') ?? [];
for (const table of tables.filter((t) => !t.startsWith('ref'))) {
  for (const threads of [1, 2]) {
    test(`native ${table}, ${threads} threads`, { skip, timeout: 300_000 }, () => {
      const distance = relativeRms(native(table, threads), truth);
      console.log(`native ${table}, ${threads} threads: ${distance.toExponential(1)}`);
      assert.ok(distance < LIMIT, `${distance}`);
    });
  }
}

const relaxed = process.execArgv.includes('--experimental-wasm-relaxed-simd') || Number(process.versions.node.split('.')[0]) >= 22;
for (const variant of /** @type {const} */ (['simd128', 'simd128-mt', 'relaxed', 'relaxed-mt'])) {
  test(`wasm ${variant} in Node`, { skip: skip || (variant.startsWith('relaxed') && !relaxed ? 'this Node has no relaxed SIMD' : false), timeout: 600_000 }, async () => {
    const session = await InferenceSession.create(model, { variant, threads: variant.endsWith('-mt') ? 2 : 1, contextLength: 256, storage: 'none', kvType: 'f16' });
    try {
      const distance = relativeRms(await session.logits(tokens, { all: true }), truth);
      console.log(`wasm ${variant}: ${distance.toExponential(1)}`);
      assert.ok(distance < LIMIT, `${distance}`);
      assert.equal((await session.complete(tokens.slice(0, 16), { maxTokens: 4, temperature: 0, ignoreEos: true })).tokens.length, 4);
    } finally {
      await session.dispose();
    }
  });
}
test.after(() => fs.rmSync(model, { force: true }));

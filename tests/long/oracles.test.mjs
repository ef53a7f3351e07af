// @ts-check
// Tiny models with published logits (EDGE_NET_SHARED/oracles) on every wasm build in Node, within each fixture's tolerance. Node 20 needs
// --experimental-wasm-relaxed-simd --no-liftoff for the relaxed builds.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { InferenceSession } from '../../dist/index.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const oracles = path.join(path.resolve(root, process.env.EDGE_NET_SHARED ?? '../shared'), 'oracles');
const skip = fs.existsSync(oracles) ? false : 'no shared data';

for (const variant of /** @type {const} */ (['scalar', 'simd128', 'simd128-mt', 'relaxed', 'relaxed-mt'])) {
  for (const name of ['llama', 'llama-moe', 'qwen2', 'qwen3', 'phi2', 'phi3', 'gemma', 'gemma2', 'gemma3', 'mamba', 'mamba2', 'rwkv6', 'rwkv7', 'llama-q8_0', 'llama-q4_0']) {
    test(`${name} on ${variant}`, { skip }, async () => {
      const { model, expected, tokens, tolerance, n_ctx: contextLength } = JSON.parse(fs.readFileSync(path.join(oracles, `${name}.json`), 'utf8'));
      const bytes = fs.readFileSync(path.join(oracles, expected));
      const want = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      const session = await InferenceSession.create(path.join(oracles, model), { variant, threads: variant.endsWith('-mt') ? 2 : 1, kvType: 'f32', contextLength, storage: 'none' });
      try {
        assert.equal(session.info.engine.variant, variant);
        const got = await session.logits(tokens, { all: true });
        assert.equal(got.length, want.length);
        let wrong = 0, all = 0;
        for (let i = 0; i < want.length; i++) { wrong += (got[i] - want[i]) ** 2; all += want[i] ** 2; }
        assert.ok(Math.sqrt(wrong / all) < tolerance, `${Math.sqrt(wrong / all)} is not below ${tolerance}`);
      } finally { await session.dispose(); }
    });
  }
}

// @ts-check
// Native and wasm compute the same bits: with 8-bit activations every kernel table gives what ref-int8 gives, and scalar builds run ref-int8.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { InferenceSession } from '../../dist/index.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const model = path.join(root, 'dist', 'models', 'home-random.gguf');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-net-bits-'));
test.after(() => fs.rmSync(folder, { recursive: true, force: true }));
const tokens = Array.from({ length: 48 }, (_, i) => (i * 37 + 5) % 700);

for (const kvType of /** @type {const} */ (['f32', 'f16', 'q8_0'])) {
  const out = path.join(folder, `${kvType}.f32`);
  execFileSync(path.join(root, 'build', 'native', 'edge-net'), ['logits', model, '--tokens', tokens.join(','), '--out', out, '--kv', kvType, '--ctx', '64', '--threads', '1']);
  const bytes = fs.readFileSync(out);
  const native = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const vocab = native.length / tokens.length;
  for (const variant of /** @type {const} */ (['scalar', 'simd128', 'simd128-mt', 'relaxed', 'relaxed-mt'])) {
    const skip = variant.startsWith('relaxed') && Number(process.versions.v8.split('.')[0]) < 12 && 'relaxed SIMD needs Node 22';
    test(`wasm ${variant} = native, ${kvType} cache`, { skip }, async () => {
      const session = await InferenceSession.create(model, { variant, threads: variant.endsWith('-mt') ? 2 : 1, kvType, contextLength: 64 });
      try {
        const logits = await session.logits(tokens, { all: true });
        assert.equal(logits.length, native.length);
        for (let t = 0; t < tokens.length; t++) assert.deepEqual(logits.subarray(t * vocab, (t + 1) * vocab), native.subarray(t * vocab, (t + 1) * vocab), `position ${t}`);
      } finally {
        await session.dispose();
      }
    });
  }
}

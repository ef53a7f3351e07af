// @ts-check
/**
 * llama.cpp's quantizer and ours write the same tensors byte for byte in every mixture, and a file means the same logits to both. Optional
 * (`npm run test:peers`): needs npm for the peer, which is installed under build/peers, and the native CLI and the placeholder model (`npm run build`).
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ROOT, againstLlama } from '../../bench/peers/install.mjs';

const command = path.join(ROOT, 'build/native/edge-net'), home = path.join(ROOT, 'dist/models/home-random.gguf');
const folder = mkdtempSync(path.join(os.tmpdir(), 'edge-net-llama-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (/** @type {string} */ name) => path.join(folder, name);
const edgeNet = (/** @type {string[]} */ ...args) => execFileSync(command, args, { maxBuffer: 1 << 28, encoding: 'utf8' });
/** @type {Map<string, ReturnType<typeof againstLlama>>} */
const compiled = new Map();
/** @param {string} name of a C program beside this file */
function peer(name) {
  const done = compiled.get(name) ?? againstLlama(path.join(ROOT, 'tests/peers', `${name}.c`), name);
  compiled.set(name, done);
  return done;
}
const theirQuantize = (/** @type {string[]} */ ...args) => execFileSync(peer('llama_quantize').program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
function theirLogits(/** @type {string} */ model, /** @type {string} */ out, /** @type {string} */ ids) {
  const { program, libraries } = peer('llama_logits');
  execFileSync(program, [libraries, model, out, ids], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Names, types and bytes of all tensors. @param {string} model */
function tensors(model) {
  const bytes = readFileSync(model), head = JSON.parse(edgeNet('inspect', model, '--json'));
  /** @type {Map<string, {type: string, bytes: Buffer}>} */
  const map = new Map(head.tensors.map((/** @type {{name: string, type: string, offset: number, bytes: number}} */ t) => [t.name, { type: t.type, bytes: bytes.subarray(head.data_offset + t.offset).subarray(0, t.bytes) }]));
  return map;
}
/** @param {string} path */
function floats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const MIXTURES = { Q4_0: 2, Q4_1: 3, Q8_0: 7, Q5_0: 8, Q5_1: 9, Q2_K: 10, Q3_K_S: 11, Q3_K_M: 12, Q3_K_L: 13, Q4_K_S: 14, Q4_K_M: 15, Q5_K_S: 16, Q5_K_M: 17, Q6_K: 18, IQ4_NL: 25, IQ4_XS: 30, TQ1_0: 36, TQ2_0: 37, F16: 1, BF16: 32 };
const SHAPES = { wide: ['--layers', '16', '--width', '256', '--heads', '8', '--kv-heads', '2', '--ff', '512', '--untied'], narrow: ['--layers', '3', '--width', '96', '--heads', '3', '--ff', '80'] };

test('every mixture: the same file, tensor by tensor', async (t) => {
  for (const [shape, sizes] of Object.entries(SHAPES)) {
    edgeNet('init', file(shape), '--tokenizer', home, ...sizes);
    for (const [name, number] of Object.entries(MIXTURES)) await t.test(`${name}, ${shape}`, () => {
      edgeNet('quantize', file(shape), file('ours.gguf'), name, '--quiet');
      theirQuantize(file(shape), file('theirs.gguf'), `${number}`);
      const a = tensors(file('ours.gguf')), b = tensors(file('theirs.gguf'));
      assert.deepEqual([...a.keys()].sort(), [...b.keys()].sort());
      for (const [tensor, { type, bytes }] of a) {
        assert.equal(type, b.get(tensor)?.type, tensor);
        assert.ok(b.get(tensor)?.bytes.equals(bytes), `${tensor}, ${type}`);
      }
    });
  }
});

test('our quantized files run there, theirs run here, and mean the same', (t) => {
  const ids = Array.from({ length: 16 }, (_, i) => (i * 37 + 5) % 700).join();
  edgeNet('init', file('base.gguf'), '--tokenizer', home, ...SHAPES.wide);
  for (const [name, bound] of /** @type {[keyof typeof MIXTURES, number][]} */ ([['F16', 2e-3], ['Q8_0', 0.02], ['Q4_K_M', 0.02], ['Q4_0', 0.02]])) {
    edgeNet('quantize', file('base.gguf'), file('ours.gguf'), name, '--quiet');
    theirQuantize(file('base.gguf'), file('theirs.gguf'), `${MIXTURES[name]}`);
    theirLogits(file('ours.gguf'), file('a.f32'), ids);
    edgeNet('logits', file('theirs.gguf'), '--tokens', ids, '--out', file('b.f32'));
    const a = floats(file('a.f32')), b = floats(file('b.f32'));
    assert.equal(a.length, b.length);
    let wrong = 0, all = 0;
    a.forEach((x, i) => { wrong += (x - /** @type {number} */ (b[i])) ** 2; all += x ** 2; });
    const error = Math.sqrt(wrong / all);
    t.diagnostic(`${name}: relative difference of the logits ${error.toExponential(2)}`);
    assert.ok(error < bound, `${name}: ${error}`); // both round activations to 8 bits, in blocks of 32 here, of 256 there for K types
  }
});

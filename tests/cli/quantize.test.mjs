// @ts-check
// edge-net quantize: which tensors get which type, the bytes, and what is refused.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, home, needs, ok, shared, temporary } from './cli.mjs';

const json = (/** @type {string[]} */ ...args) => JSON.parse(ok(...args).out);
/** @typedef {{ name: string, type: string, offset: number, bytes: number }} Tensor */
/** @param {string} file */
function inspect(file) {
  const head = json('inspect', file, '--json');
  /** @type {Map<string, Tensor>} */
  const tensors = new Map(head.tensors.map((/** @type {Tensor} */ t) => [t.name, t]));
  return { ...head, tensors, type: (/** @type {string} */ name) => /** @type {Tensor} */ (tensors.get(name)).type };
}
/** @param {string} name @param {string[]} sizes */
function model(name, ...sizes) {
  const file = temporary(name);
  ok('init', file, '--tokenizer', home, ...sizes);
  return file;
}
/** @type {string | undefined} */
let made;
const large = () => (made ??= model('large.gguf', '--layers', '16', '--width', '256', '--heads', '8', '--kv-heads', '2', '--ff', '256'));

test('quantize: every mixture gives its types to the tensors that llama.cpp gives them to', () => {
  const file = large(), out = temporary('mixture.gguf');
  const layers = (/** @type {ReturnType<typeof inspect>} */ g, /** @type {string} */ name, /** @type {string} */ type) =>
    Array.from({ length: 16 }, (_, i) => i).filter((i) => g.type(`blk.${i}.${name}.weight`) === type).join(' ');
  ok('quantize', file, out, 'Q4_K_M', '--quiet');
  let g = inspect(out);
  const more = '0 1 4 7 10 13 14 15';
  assert.deepEqual([layers(g, 'attn_v', 'Q6_K'), layers(g, 'ffn_down', 'Q6_K'), layers(g, 'attn_v', 'Q4_K')], [more, more, '2 3 5 6 8 9 11 12']);
  assert.deepEqual([g.type('token_embd.weight'), g.type('blk.0.attn_q.weight'), g.type('blk.3.attn_norm.weight')], ['Q6_K', 'Q4_K', 'F32'], 'the embedding is the output matrix too');
  assert.equal(g.metadata['general.file_type'], 15);
  ok('quantize', file, out, 'q3_k_m', '--quiet');
  g = inspect(out);
  assert.deepEqual([layers(g, 'attn_v', 'Q5_K'), layers(g, 'ffn_down', 'Q5_K'), layers(g, 'attn_output', 'Q4_K').length > 30, g.type('blk.5.ffn_up.weight')], ['0 1', '0', true, 'Q3_K']);
  ok('quantize', file, out, 'IQ4_XS', '--quiet', '--tensor-type', 'blk.2*attn_k=Q8_0', '--tensor-type', 'ffn_up.weight=Q2_K');
  g = inspect(out);
  assert.deepEqual([layers(g, 'attn_v', 'Q5_K').length, layers(g, 'ffn_down', 'Q5_K'), layers(g, 'attn_k', 'Q8_0'), layers(g, 'ffn_up', 'Q2_K').length], [37, '0 1', '2', 37]);
  ok('quantize', file, out, 'IQ4_XS', '--quiet', '--pure');
  assert.deepEqual([...new Set([...inspect(out).tensors.values()].map((t) => t.type))].sort(), ['F32', 'IQ4_XS']);
});

test('quantize: rows that are no whole blocks get a type with smaller ones, or F16', () => {
  const file = model('narrow.gguf', '--layers', '2', '--width', '96', '--heads', '3', '--ff', '80'), out = temporary('fallback.gguf');
  ok('quantize', file, out, 'Q4_K_S', '--quiet');
  const g = inspect(out);
  assert.deepEqual([g.type('token_embd.weight'), g.type('blk.0.attn_q.weight'), g.type('blk.0.ffn_down.weight')], ['Q8_0', 'Q5_0', 'F16']);
  assert.match(ok('run', out, '-p', 'Hi', '-n', '2', '--temp', '0', '--json').out, /"finish_reason"/, 'it runs');
});

test('quantize: the number of threads changes no byte, and nothing is left beside the file', () => {
  const file = large(), one = temporary('one.gguf'), two = temporary('two.gguf');
  ok('quantize', file, one, 'Q5_K_M', '--threads', '1', '--quiet');
  ok('quantize', file, two, 'Q5_K_M', '--threads', '2', '--quiet');
  assert.ok(readFileSync(one).equals(readFileSync(two)));
  assert.ok(!existsSync(`${one}.part`));
});

test('quantize: Q8_0 of a published model is what ggml makes of it', needs('data/models/stories260K/derived-stories260K-q8_0.gguf'), () => {
  const folder = path.join(shared, 'data/models/stories260K'), out = temporary('stories.gguf'), want = path.join(folder, 'derived-stories260K-q8_0.gguf');
  ok('quantize', path.join(folder, 'derived-stories260K-f32.gguf'), out, 'Q8_0', '--quiet');
  const ours = inspect(out), theirs = inspect(want), a = readFileSync(out), b = readFileSync(want);
  let compared = 0;
  for (const t of ours.tensors.values()) {
    const u = /** @type {Tensor} */ (theirs.tensors.get(t.name));
    if (t.type !== 'Q8_0' || u.type !== 'Q8_0') continue;
    compared++;
    assert.ok(a.subarray(ours.data_offset + t.offset).subarray(0, t.bytes).equals(b.subarray(theirs.data_offset + u.offset).subarray(0, u.bytes)), t.name);
  }
  assert.ok(compared > 20);
});

test('quantize: what cannot be done is refused in one sentence, and no file appears', () => {
  const out = temporary('refused.gguf'), cut = temporary('cut.gguf');
  writeFileSync(cut, readFileSync(large()).subarray(0, -1000));
  const cases = /** @type {[string[], number, RegExp][]} */ ([
    [[home, out, 'Q4_0'], 1, /tensor \S+ is quantized already \(Q8_0\); .*--requantize/],
    [[home, out, 'Q9_K'], 2, /Q9_K is not a type; one of F32 F16 .* TQ1_0/],
    [[cut, out, 'Q4_0'], 1, /the file ends after \d+ bytes, it should have \d+/],
    [['/nowhere.gguf', out, 'Q4_0'], 1, /\/nowhere\.gguf: No such file/],
    [[home, '/nowhere/out.gguf', 'Q4_0', '--requantize'], 1, /\/nowhere\/out\.gguf: it could not be written/],
    [[home, out, 'Q4_0', '--tensor-type', 'x=Q77'], 2, /Q77 is not a weight type/],
    [[home, out, 'Q4_0', '--requantize', '--imatrix', home], 1, /it holds no importance/],
  ]);
  for (const [args, code, pattern] of cases) {
    const done = edgeNet('quantize', ...args);
    assert.equal(done.code, code, args.join(' '));
    assert.match(done.err, pattern);
    assert.ok(!existsSync(out) && !existsSync(`${out}.part`), args.join(' '));
  }
  ok('quantize', home, out, 'Q4_0', '--requantize', '--quiet');
  assert.equal(inspect(out).type('blk.0.attn_q.weight'), 'Q4_0');
});

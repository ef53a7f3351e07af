// @ts-check
// edge-net imatrix: what it measures, and that quantize does better with it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, home, needs, ok, shared, temporary } from './cli.mjs';

const json = (/** @type {string[]} */ ...args) => JSON.parse(ok(...args).out);
/** @typedef {{ name: string, ne: number[], offset: number, bytes: number }} Tensor */
const TEXT = 'Once upon a time there was a little girl named Lily. She loved to play outside in the park with her friend. One day she saw a big dog. The dog was happy. '.repeat(6);

test('imatrix: sums of squares of what meets each matrix, and of how many rows', () => {
  const out = temporary('im.gguf'), text = temporary('im.txt', TEXT);
  const tokens = ok('tokens', home, '-f', text).out.trim().split(' ').length;
  ok('imatrix', home, '-f', text, '--out', out, '--ctx', '32', '--quiet');
  const { metadata, tensors, data_offset } = json('inspect', out, '--json'), bytes = readFileSync(out);
  assert.deepEqual([metadata['general.type'], metadata['imatrix.chunk_size'], metadata['imatrix.chunk_count']], ['imatrix', 32, Math.floor(tokens / 32)]);
  const read = (/** @type {string} */ name) => {
    const t = /** @type {Tensor} */ (tensors.find((/** @type {Tensor} */ one) => one.name === name));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset + data_offset + t.offset, bytes.byteOffset + data_offset + t.offset + t.bytes));
  };
  assert.deepEqual([...read('blk.0.attn_q.weight.counts')], [Math.floor(tokens / 32) * 32]);
  assert.deepEqual(read('blk.0.attn_q.weight.in_sum2'), read('blk.0.attn_v.weight.in_sum2'), 'they read the same rows');
  assert.notDeepEqual(read('blk.1.attn_q.weight.in_sum2'), read('blk.0.attn_q.weight.in_sum2'));
  /* RMS norms of weight 1 make rows of mean square 1. */
  const sum = read('blk.0.attn_q.weight.in_sum2').reduce((a, b) => a + b, 0), count = read('blk.0.attn_q.weight.counts')[0] ?? 0;
  assert.ok(Math.abs(sum / count / 96 - 1) < 0.2, `${sum / count}`);
  const one = temporary('one.gguf');
  ok('imatrix', home, '-f', text, '--out', one, '--ctx', '32', '--chunks', '1', '--threads', '1', '--quiet');
  assert.equal(json('inspect', one, '--json').metadata['imatrix.chunk_count'], 1);
});

test('imatrix: a quantized model is nearer to its base with it', needs('data/tokenizers/bpe-train/tinystories_sample.txt'), () => {
  const model = path.join(shared, 'data/models/stories260K/derived-stories260K-f32.gguf'), text = path.join(shared, 'data/tokenizers/bpe-train/tinystories_sample.txt'), base = temporary('stories.logits'), im = temporary('stories-im.gguf'), out = temporary('stories-q.gguf');
  ok('imatrix', model, '-f', text, '--out', im, '--ctx', '256', '--quiet');
  ok('perplexity', model, '-f', text, '--ctx', '256', '--save-logits', base);
  const distance = (/** @type {string[]} */ ...more) => {
    ok('quantize', model, out, 'Q4_1', '--pure', '--quiet', ...more);
    return json('perplexity', out, '-f', text, '--ctx', '256', '--kld', base, '--json').kld.mean;
  };
  const plain = distance(), better = distance('--imatrix', im);
  assert.ok(better < 0.9 * plain, `${better} beside ${plain}`);
  assert.match(edgeNet('quantize', model, out, 'Q4_1', '--imatrix', temporary('not.gguf', 'no')).err, /not\.gguf: /);
});

// @ts-check
// edge-net embed over a small BERT: files and lines, packing, prefixes, truncation, reranking, what is refused.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ids, tinyBert } from '../js/support/tiny-bert.mjs';
import { edgeNet, home, needs, ok, shared, temporary } from './cli.mjs';

const model = temporary('bert.gguf', tinyBert()), ranker = temporary('rank.gguf', tinyBert({ rank: true })), out = temporary('out.f32');
const lines = ['The cat sat on the mat.', 'A dog ran far.', 'running dogs', 'the'];
/** @param {string[]} args @returns {number[][]} */
const vectors = (...args) => ok('embed', ...args).out.trim().split('\n').map((line) => JSON.parse(line));
const length = (/** @type {number[]} */ v) => Math.hypot(...v);

test('lines of a file = one by one, packed or not', () => {
  const all = vectors(model, '-f', temporary('lines', lines.join('\r\n') + '\n'));
  assert.equal(all.length, lines.length);
  for (const [i, line] of lines.entries()) assert.deepEqual(vectors(model, '-p', line), [all[i]]);
  for (const v of all) assert.ok(Math.abs(length(v) - 1) < 1e-6);
  const many = vectors(model, '-f', temporary('many', Array.from({ length: 300 }, (_, i) => lines[i % 4]).join('\n')));
  assert.deepEqual(many[299], all[3]);
});

test('--out, --raw, --dimensions, --prefix, --pooling, --tokens', () => {
  ok('embed', model, '-p', lines[0], '-p', lines[1], '--raw', '--out', out);
  const bytes = readFileSync(out);
  const raw = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  assert.equal(raw.length, 128);
  const [short] = vectors(model, '-p', lines[0], '--dimensions', '8');
  assert.equal(short.length, 8);
  const scale = Math.hypot(...raw.subarray(0, 8));
  short.forEach((x, i) => assert.ok(Math.abs(x - raw[i] / scale) < 1e-6));
  assert.deepEqual(vectors(model, '-p', 'the cat', '--prefix', 'query: '), vectors(model, '-p', 'query: the cat'));
  assert.notDeepEqual(vectors(model, '-p', lines[0], '--pooling', 'first'), vectors(model, '-p', lines[0]));
  assert.equal(vectors(model, '-p', lines[3], '--pooling', 'none').length, 3);
  assert.deepEqual(vectors(model, '--tokens', `${ids.cls},4,5,${ids.sep}`), vectors(model, '-p', 'the cat'));
  assert.equal(vectors(home, '--tokens', '1,2,3').length, 1); // a decoder, by its last token
});

test('too long, empty, unknown', () => {
  const long = Array(40).fill('the').join(' ');
  const refused = edgeNet('embed', model, '-p', 'the', '-p', long, '--out', out);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /text 2 has 42 tokens, 32 are possible/);
  assert.ok(!existsSync(out)); // no half file
  assert.deepEqual(vectors(model, '-p', long, '--truncate'), vectors(model, '-p', Array(30).fill('the').join(' ')));
  assert.match(edgeNet('embed', model, '--tokens', '999').err, /999/);
  assert.match(edgeNet('embed', model, '-p', 'x', '--dimensions', '65').err, /64/);
  assert.equal(edgeNet('embed', model).code, 2);
  assert.equal(edgeNet('embed', model, '-p', 'x', '--pooling', 'max').code, 2);
  assert.match(edgeNet('run', model, '-p', 'x').err, /embeddings/);
  assert.match(edgeNet('logits', model, '--tokens', '1', '--out', out).err, /embeddings/);
});

test('a reranker scores documents', () => {
  const scores = vectors(ranker, '--query', 'the cat', '-p', lines[0], '-p', lines[1]);
  assert.deepEqual(scores.map((s) => s.length), [1, 1]);
  assert.notEqual(scores[0][0], scores[1][0]);
  assert.deepEqual(vectors(ranker, '--query', 'the cat', '-p', lines[1]), [scores[1]]);
  assert.match(edgeNet('embed', model, '--query', 'the cat', '-p', 'x').err, /cls\.weight/);
});

test('parity with the embedding fixtures', needs('oracles/bert-mean.json'), () => {
  const done = ok('parity', ...['bert-mean', 'bert-cls', 'nomic-bert'].map((name) => path.join(shared, 'oracles', `${name}.json`)));
  assert.match(done.out, /, 0 failed/);
});

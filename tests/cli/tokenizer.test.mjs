// @ts-check
// edge-net tokenizer train: beside a naive trainer on small texts, and beside published merges where the shared data is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, needs, ok, shared, temporary } from './cli.mjs';

const BPE_TRAIN = 'data/tokenizers/bpe-train';
const GPT2_WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The strings of an array key of a GGUF file. @param {string} file @param {string} key */
function strings(file, key) {
  const bytes = readFileSync(file);
  let at = bytes.indexOf(key) + key.length;
  assert.deepEqual([bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)], [9, 8]);
  const found = Array(Number(bytes.readBigUInt64LE(at + 8)));
  at += 16;
  for (let i = 0; i < found.length; i++) {
    const n = Number(bytes.readBigUInt64LE(at));
    found[i] = bytes.toString('utf8', at + 8, at + 8 + n);
    at += 8 + n;
  }
  return found;
}

/** Byte -> character, as GPT-2 published it. */
const alphabet = (() => {
  const plain = [...Array(256).keys()].filter((b) => (b > 32 && b < 127) || (b > 160 && b !== 173));
  let next = 256;
  return [...Array(256).keys()].map((b) => String.fromCodePoint(plain.includes(b) ? b : next++));
})();

/** Counts every pair of every word again for every merge. @param {string} text @param {string} special @param {number} most @param {number} least @param {(word: string) => string} [blank] */
function naive(text, special, most, least, blank = (/** @type {string} */ w) => w) {
  const words = text.split(special).flatMap((part) => part.match(GPT2_WORDS) ?? []).map(blank).map((w) => [...Buffer.from(w)].map((b) => [b]));
  const compare = (/** @type {number[]} */ x, /** @type {number[]} */ y) => Buffer.compare(Buffer.from(x), Buffer.from(y));
  const spell = (/** @type {number[]} */ bytes) => bytes.map((b) => alphabet[b]).join('');
  const merges = [];
  while (merges.length < most) {
    /** @type {Map<string, { pair: number[][], count: number }>} */ const counts = new Map();
    for (const w of words) for (let i = 0; i + 1 < w.length; i++) {
      const pair = [w[i], w[i + 1]], key = JSON.stringify(pair), c = counts.get(key) ?? { pair, count: 0 };
      counts.set(key, c), c.count++;
    }
    const best = [...counts.values()].sort((a, b) => b.count - a.count || compare(b.pair[0], a.pair[0]) || compare(b.pair[1], a.pair[1]))[0];
    if (!best || best.count < least) break;
    merges.push(best.pair.map(spell).join(' '));
    for (const w of words) for (let i = 0; i + 1 < w.length; i++) {
      if (!compare(w[i], best.pair[0]) && !compare(w[i + 1], best.pair[1])) w.splice(i, 2, [...w[i], ...w[i + 1]]);
    }
  }
  return merges;
}

/** Texts with many equally frequent pairs, repeats, and characters of several bytes. @param {number} seed */
function text(seed) {
  let state = seed;
  const random = (/** @type {number} */ n) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0, Math.floor((state / 2 ** 32) * n));
  const parts = ['ab', 'aa', 'é', 'the', 'there', ' ', '  ', '\n', '12', "it's", '<end>', '日本', 'ba', 'aaa', '.', '!?'];
  return Array.from({ length: 400 }, () => parts[random(parts.length)]).join('');
}

test('the merges are those of a naive trainer', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const data = temporary('bpe.txt', text(seed)), out = temporary('bpe.gguf'), least = seed % 3 + 1;
    ok('tokenizer', 'train', '--data', data, '--vocab', '300', '--special', '<end>', '--least', `${least}`, '--out', out, '--quiet');
    const merges = strings(out, 'tokenizer.ggml.merges');
    assert.deepEqual(merges, naive(text(seed), '<end>', 300 - 257, least));
    assert.deepEqual(strings(out, 'tokenizer.ggml.tokens'), ['<end>', ...[...alphabet].sort(), ...merges.map((m) => m.replace(' ', ''))]);
  }
});

test('--blank-apart: no merge has the blank of a word, and a word has the same tokens everywhere', () => {
  const data = temporary('bpe.txt', `${text(6)} the "the`), out = temporary('apart.gguf');
  ok('tokenizer', 'train', '--data', data, '--vocab', '300', '--special', '<end>', '--out', out, '--blank-apart', '--quiet');
  assert.deepEqual(strings(out, 'tokenizer.ggml.merges'), naive(`${text(6)} the "the`, '<end>', 300 - 257, 2, (w) => (w.length > 1 ? w.replace(/^ /, '') : w)));
  const ids = (/** @type {string} */ t) => ok('tokens', out, '-f', temporary('x.txt', t)).out.trim().split(' ');
  assert.deepEqual(ids('there the'), [...ids('there'), ...ids(' '), ...ids('the')]);
});

test('the vocabulary works at once, from lines of JSON too', () => {
  const data = temporary('bpe.jsonl', '{"input": "turn on the light", "output": "the light is on"}\n\n{"text": "the light, the light"}\n'), out = temporary('lines.gguf');
  const said = ok('tokenizer', 'train', '--data', data, '--vocab', '270', '--special', '<end>', '--special', '<bos>', '--out', out, '--quiet').out;
  assert.match(said, /^268 tokens \(2 special, 256 bytes, 10 merges\) from 7 different words/); // no other pair occurs twice
  const ids = ok('tokens', out, '-f', temporary('x.txt', 'the light<end>'), '--special').out.trim();
  assert.ok(ids.endsWith(' 0') && ids.split(' ').length < 8, ids);
  assert.equal(ok('detokenize', out, '--tokens', ids.replaceAll(' ', ','), '--special').out.trimEnd(), 'the light<end>');
});

test('what cannot be learned from is said', () => {
  const out = temporary('none.gguf'), fails = (/** @type {RegExp} */ why, /** @type {string[]} */ ...args) => {
    const done = edgeNet('tokenizer', ...args, '--out', out);
    assert.equal(done.code === 0, false);
    assert.match(done.err, why);
  };
  const data = temporary('bpe.txt', 'some text');
  fails(/line 1: /, 'train', '--data', temporary('bad.jsonl', '{"text": '), '--vocab', '300');
  fails(/not a pre-tokenizer/, 'train', '--data', data, '--vocab', '300', '--pre', 'nothing');
  fails(/given twice/, 'train', '--data', data, '--vocab', '300', '--special', 'a', '--special', 'a');
  fails(/do not fit/, 'train', '--data', data, '--vocab', '257', '--special', 'a', '--special', 'b');
  fails(/must be train/, 'learn', '--data', data, '--vocab', '300');
  fails(/no-such-file/, 'train', '--data', temporary('no-such-file'), '--vocab', '300');
});

test('published merges and ids', needs(`${BPE_TRAIN}/corpus.en`), () => {
  const out = temporary('published.gguf'), at = (/** @type {string} */ name) => path.join(shared, BPE_TRAIN, name);
  ok('tokenizer', 'train', '--data', at('corpus.en'), '--vocab', '500', '--out', out, '--quiet');
  assert.deepEqual(strings(out, 'tokenizer.ggml.merges'), readFileSync(at('train-bpe-reference-merges.txt'), 'utf8').trim().split('\n'));
  const ids = JSON.parse(readFileSync(at('train-bpe-reference-vocab.json'), 'utf8'));
  strings(out, 'tokenizer.ggml.tokens').forEach((token, id) => assert.equal(ids[token], id, token));
});

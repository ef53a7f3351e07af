// @ts-check
// T5's vocabulary beside SentencePiece itself, its authors' library: every first column of Unicode's NormalizationTest, published texts, and texts of odd pieces give the same ids. Optional
// (`npm run test:peers`): EDGE_NET_PYTHON names a Python with sentencepiece, EDGE_NET_SHARED the shared data.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { encoderFolder } from '../cli/encoder-folder.mjs';
import { needs, ok, shared, temporary } from '../cli/cli.mjs';

const python = process.env.EDGE_NET_PYTHON ?? '';
const data = (/** @type {string} */ name) => path.join(shared, 'data', name);
const { skip } = needs('data/tokenizers/sentencepiece/t5_tokenizer_base.model');
const REFERENCE = 'import sys, json, sentencepiece\nsp = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])\nprint(json.dumps([sp.encode(t) for t in json.load(open(sys.argv[2]))]))';

/** Texts of about a hundred pieces each: float sums in SentencePiece's own way through longer ones differ in near ties. */
function texts() {
  const normal = readFileSync(data('formats/unicode/NormalizationTest.txt'), 'utf8').split('\n').filter((l) => /^[0-9A-F]/.test(l)).map((l) => `a${String.fromCodePoint(...l.split(';')[0].split(' ').map((x) => parseInt(x, 16)))}b`);
  const joined = Array.from({ length: Math.ceil(normal.length / 100) }, (_, i) => normal.slice(100 * i, 100 * i + 100).join('\n'));
  const odd = ['a', 'the ', ' ', '  ', '\n', 'é', '日本', 'ﬁ', '①', '\u00a0', '\u200b', 'ＡＢ', '🙂', 'xq', '\u0301', 'ﷺ'];
  const mixed = Array.from({ length: 60 }, (_, i) => Array.from({ length: 40 }, (__, k) => odd[(i * 7919 + k * k * 31 + k * i) % odd.length]).join(''));
  const lines = ['text/wikitext-2-raw/wiki.test.raw', 'tokenizers/sentencepiece/botchan.txt'].flatMap((f) => readFileSync(data(f), 'utf8').split('\n').filter((l) => l.length > 40).slice(0, 40));
  return [...joined, ...mixed, ...lines, 'ﷺ'];
}

test('the ids are SentencePiece\'s', { skip: python ? skip : 'skipped: EDGE_NET_PYTHON names no Python with sentencepiece' }, (t) => {
  const all = texts(), input = temporary('texts.json', JSON.stringify(all)), gguf = temporary('t5.gguf');
  ok('convert', encoderFolder(temporary('t5'), { vocab: 32128, texts: { 'tokenizer.json': readFileSync(data('tokenizers/hf/t5-small/tokenizer.json'), 'utf8') } }), gguf, '--quiet');
  const want = JSON.parse(execFileSync(python, ['-c', REFERENCE, data('tokenizers/sentencepiece/t5_tokenizer_base.model'), input], { encoding: 'utf8', maxBuffer: 1 << 28 }));
  all.forEach((text, i) => assert.deepEqual(ok('tokens', gguf, '-f', temporary('text.txt', text)).out.trim().split(' ').filter(Boolean).map(Number), want[i], JSON.stringify(text.slice(0, 80))));
  t.diagnostic(`${all.length} texts, ${want.flat().length} tokens`);
});

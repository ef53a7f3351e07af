// @ts-check
// T5's published vocabulary: tokenizer.json through `convert`, ids against those that T5's documentation shows and against a plain search written here, whose normal form is
// the platform's NFKC instead of the file's table. (Beside SentencePiece itself: tests/peers/unigram.test.mjs.)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, needs, ok, shared, temporary } from './cli.mjs';
import { encoderFolder } from './encoder-folder.mjs';

const T5 = 'data/tokenizers/hf/t5-small/tokenizer.json';
const MARK = '\u2581';

/** Ids of a word with its mark, of the best sum. @param {Map<string, [number, number]>} vocab text -> id, score @param {string} word @param {number} unknown */
function best(vocab, word, unknown) {
  const chars = [...word], sums = [0, ...chars.map(() => -Infinity)], ways = /** @type {number[][]} */ ([[]]);
  for (let at = 0; at < chars.length; at++) {
    let known = false;
    for (let end = at + 1; end <= chars.length; end++) {
      const token = vocab.get(chars.slice(at, end).join(''));
      known ||= token !== undefined && end === at + 1;
      const score = token?.[1] ?? (end === at + 1 && !known ? unknown : -Infinity);
      if (!(sums[at] + score > sums[end])) continue;
      sums[end] = sums[at] + score;
      ways[end] = [...ways[at], token?.[0] ?? 2];
    }
  }
  return ways[chars.length];
}

test('T5: published ids, a plain search, and a vocabulary that cannot be', needs(T5), () => {
  const json = readFileSync(path.join(shared, T5), 'utf8'), { model } = JSON.parse(json);
  const dir = encoderFolder(temporary('t5'), { vocab: 32128, texts: { 'tokenizer.json': json, 'tokenizer_config.json': '{"eos_token": "</s>"}' } }), gguf = temporary('t5.gguf');
  ok('convert', dir, gguf, '--quiet');
  const ids = (/** @type {string} */ text) => (text === '' ? [] : ok('tokens', gguf, '-f', temporary('t5.txt', text)).out.trim().split(' ').filter(Boolean).map(Number));
  assert.deepEqual(ids('translate English to German: The house is wonderful.'), [13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5]);
  assert.equal(ok('detokenize', gguf, '--tokens', ids('The house is wonderful.').join()).out.trimEnd(), 'The house is wonderful.');
  assert.deepEqual(ids('ﬁne  ①\u00a0ＡＢ\n'), ids('fine 1 AB')); // compatibility forms, blanks of any kind
  /** @type {Map<string, [number, number]>} */
  const vocab = new Map(model.vocab.map(([text, score], /** @type {number} */ id) => [text, [id, Math.fround(score)]]).slice(3));
  const unknown = Math.fround(Math.min(...[...vocab.values()].map(([, score]) => score)) - 10);
  for (const file of ['data/text/tinyshakespeare.txt', 'data/text/wikitext-2-raw/wiki.test.raw']) {
    const text = readFileSync(path.join(shared, file), 'utf8').slice(5000, 60000).replace(/[^\P{C}\n]/gu, '');
    const words = text.normalize('NFKC').split(/\s+/u).filter(Boolean).map((w) => MARK + w);
    const want = words.flatMap((w) => best(vocab, w, unknown)).filter((id, i, all) => id !== 2 || all[i - 1] !== 2);
    assert.deepEqual(ids(text), want, file);
  }
});

test('a normalizer that is another one is refused', () => {
  const tokenizer = { added_tokens: [], normalizer: { type: 'Nmt' }, pre_tokenizer: { type: 'Metaspace', prepend_scheme: 'always' }, model: { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ['a', -1]] } };
  const dir = encoderFolder(temporary('other'), { vocab: 2, texts: { 'tokenizer.json': JSON.stringify(tokenizer) } });
  assert.match(edgeNet('tokens', dir, '-f', temporary('a.txt', 'a')).err, /its normalizer has the step "Nmt", which we do not know there/);
});

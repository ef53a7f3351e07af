// @ts-check
/**
 * The rules by which published models cut texts beside the tokenizers library: published texts in small vocabularies that tell the rules apart; and the committed cases (tests/cli/pretokenizers.json)
 * are what the script makes. Optional (`npm run test:peers`): EDGE_NET_PYTHON names a Python with tokenizers, EDGE_NET_SHARED the shared data.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { checkRules } from '../cli/pretokenizers.mjs';
import { needs, root, shared, temporary } from '../cli/cli.mjs';

const python = process.env.EDGE_NET_PYTHON ?? '', { skip } = needs('data/text');
const options = { skip: python ? skip : 'skipped: EDGE_NET_PYTHON names no Python with tokenizers' };

/** @param {string[]} texts */
function made(texts) {
  const out = temporary('cases.json');
  execFileSync(python, [path.join(root, 'tests/peers/pretokenizers.py'), out, temporary('texts.json', JSON.stringify(texts))]);
  return readFileSync(out, 'utf8');
}

test('the committed cases are the script\'s', options, () => {
  const committed = readFileSync(path.join(root, 'tests/cli/pretokenizers.json'), 'utf8');
  assert.equal(made(JSON.parse(committed).texts), committed);
});

test('published texts get the ids of the tokenizers library', options, (t) => {
  const files = ['text/wikitext-2-raw/wiki.test.raw', 'text/tinyshakespeare.txt', 'tokenizers/sentencepiece/botchan.txt', 'formats/unicode/NormalizationTest.txt'];
  const texts = files.map((file) => readFileSync(path.join(shared, 'data', file), 'utf8').slice(0, 40_000));
  const cases = JSON.parse(made(texts));
  checkRules(cases);
  t.diagnostic(`${texts.length} texts, ${Object.keys(cases.rules).length} rules, ${cases.rules['gpt-4o'].ids.flat().length} tokens each`);
});

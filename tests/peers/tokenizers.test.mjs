// @ts-check
/**
 * Every vocabulary that llama.cpp's sources carry with texts and their ids (models/*.gguf.inp, .out): the same ids, token for token. Optional (`npm run test:peers`): npm and git
 * fetch the sources (bench/peers/install.mjs).
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { llamaSources } from '../../bench/peers/install.mjs';
import { ok, temporary } from '../cli/cli.mjs';

/** gemma4: a kind of its own, for an architecture that we do not have. */
const NOT_OURS = ['gemma-4'];

test('published texts give their published ids', async (t) => {
  const models = path.join(llamaSources(), 'models');
  const names = readdirSync(models).map((f) => /^ggml-vocab-(.*)\.gguf\.inp$/.exec(f)?.[1] ?? '').filter((name) => name && !NOT_OURS.includes(name));
  assert.ok(names.length >= 14, names.join());
  for (const name of names) await t.test(name, () => {
    const vocab = path.join(models, `ggml-vocab-${name}.gguf`), texts = readFileSync(`${vocab}.inp`, 'utf8').split('\n__ggml_vocab_test__\n'), want = readFileSync(`${vocab}.out`, 'utf8').split('\n');
    texts.forEach((text, i) => {
      if (text !== '') assert.equal(ok('tokens', vocab, '-f', temporary('text.txt', text), '--no-bos').out.trim(), want[i]?.trim(), JSON.stringify(text));
    });
  });
});

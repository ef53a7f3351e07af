// @ts-check
// Models in several GGUF files, and how far a quantized model is from its base (perplexity --save-logits, --kld).
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { edgeNet, home, ok, temporary } from './cli.mjs';
import { splitGguf } from './split-gguf.mjs';

const json = (/** @type {string[]} */ ...args) => JSON.parse(ok(...args).out);

test('a model in three files is the model in one, whichever of them is named', () => {
  const names = splitGguf(home, temporary('parts'), 3), run = (/** @type {string} */ file) => ok('run', file, '-p', 'Hello', '-n', '8', '--temp', '0').out;
  const want = run(home), out = temporary('joined.gguf');
  for (const name of names) assert.equal(run(name), want);
  ok('convert', /** @type {string} */ (names[0]), out, '--quiet');
  const [ours, theirs] = [out, home].map((file) => ({ head: json('inspect', file, '--json'), bytes: readFileSync(file) }));
  assert.ok(ours && theirs && ours.bytes.subarray(ours.head.data_offset).equals(theirs.bytes.subarray(theirs.head.data_offset)));
  assert.deepEqual(ours.head.metadata, theirs.head.metadata);
});

test('split models: what is missing or in the wrong place is told', () => {
  const names = splitGguf(home, temporary('broken'), 3), [first = '', second = '', third = ''] = names;
  const bytes = readFileSync(second), other = temporary('renamed.gguf', readFileSync(first));
  const refused = (/** @type {string} */ file, /** @type {RegExp} */ pattern) => assert.match(edgeNet('run', file, '-p', 'x').err, pattern);
  refused(other, /the model is in 3 files, but this name does not end like -00001-of-00003\.gguf/);
  writeFileSync(second, readFileSync(third));
  refused(first, /file 2 of 3 says that it is file 3 of 3/);
  writeFileSync(second, bytes.subarray(0, -64));
  refused(first, /file 2 of the model is cut short/);
  writeFileSync(second, readFileSync(home));
  refused(first, /the key split\.no is missing/);
  rmSync(second);
  refused(first, /broken-00002-of-00003\.gguf, a part of the model: No such file/);
  assert.ok(existsSync(first));
});

test('perplexity: a model is no distance from itself, and fewer bits are further away', () => {
  const text = temporary('text.txt', 'The home model turns the lights on and off, hears what you say and says what it did. '.repeat(12)), base = temporary('base.logits');
  const args = ['-f', text, '--ctx', '32', '--json'];
  const plain = json('perplexity', home, ...args, '--save-logits', base);
  const self = json('perplexity', home, ...args, '--kld', base);
  assert.deepEqual([self.kld.mean, self.kld.max, self.same_top, self.perplexity_ratio], [0, 0, 1, 1]);
  assert.equal(self.perplexity, plain.perplexity);
  const far = ['Q4_0', 'Q2_K'].map((type) => {
    const file = temporary(`${type}.gguf`);
    ok('quantize', home, file, type, '--requantize', '--pure', '--quiet');
    return json('perplexity', file, ...args, '--kld', base);
  });
  assert.ok(far[0].kld.mean > 0 && far[0].kld.median <= far[0].kld.p90 && far[0].kld.p90 <= far[0].kld.max);
  assert.ok(far[0].same_top > 0 && far[0].same_top <= 1);
  assert.match(ok('perplexity', home, '-f', text, '--ctx', '32', '--kld', base).out, /divergence from the base: mean 0 .*\nsame most likely token at 100 %/);
  assert.match(edgeNet('perplexity', home, '-f', text, '--ctx', '64', '--kld', base).err, /the logits are of windows of 32 tokens, not 64/);
  assert.match(edgeNet('perplexity', home, '-f', temporary('other.txt', 'Another text. '.repeat(40)), '--ctx', '32', '--kld', base).err, /the logits are of another text/);
  writeFileSync(base, readFileSync(base).subarray(0, -10));
  assert.match(edgeNet('perplexity', home, '-f', text, '--ctx', '32', '--kld', base).err, /the file of logits ends too early/);
});

// @ts-check
// edge-net eval, and the way to a model of one's own: vocabulary, random weights, training of all weights; it then gives exactly the answers it was taught.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edgeNet, home, ok, temporary } from './cli.mjs';

const SAMPLES = [['lights on', '{"intent":"on"}'], ['lights off', '{"intent":"off"}'], ['more light', '{"intent":"on"}'], ['thank you', 'You are welcome.']];
const lines = (/** @type {string[][]} */ samples) => samples.map(([input, output]) => `${JSON.stringify({ input, output })}\n`).join('');

test('eval: what was taught is right, by group; what was not is wrong', () => {
  const data = temporary('taught.jsonl', lines(SAMPLES)), words = temporary('words.gguf'), base = temporary('base.gguf'), taught = temporary('taught.gguf');
  ok('tokenizer', 'train', '--data', data, '--vocab', '280', '--special', '<end>', '--out', words, '--quiet');
  ok('init', base, '--tokenizer', words, '--layers', '2', '--width', '32', '--heads', '2', '--ff', '64', '--context', '128', '--seed', '1');
  ok('train', base, '--full', '--data', data, '--out', taught, '--steps', '150', '--batch', '4', '--lr', '0.01', '--seed', '1', '--save-every', '0', '--quiet');
  const evaluate = (/** @type {string} */ model, /** @type {string[]} */ ...more) => JSON.parse(ok('eval', model, '--data', data, '--json', '--quiet', '-n', '24', ...more).out);
  const before = evaluate(base), after = evaluate(taught, '--batch', '3');
  assert.equal(before.exact, 0);
  assert.deepEqual({ ...after, perplexity: 0, bleu: 0 }, { samples: 4, exact: 1, json_valid: 1, perplexity: 0, bleu: 0, rouge_l: 1, groups: { on: { n: 2, exact: 1 }, off: { n: 1, exact: 1 }, text: { n: 1, exact: 1 } } });
  assert.ok(Math.abs(after.bleu - 1) < 1e-6 && after.perplexity < 1.5 && before.perplexity > 50, `${before.perplexity} -> ${after.perplexity}`);

  const wrong = temporary('wrong.jsonl', lines([['lights on', '{"intent":"on"'], ['lights off', '{"intent":"off"}']]));
  const half = JSON.parse(ok('eval', taught, '--data', wrong, '--json', '--quiet').out);
  assert.deepEqual([half.exact, half.groups.text.exact, half.groups.off.exact], [0.5, 0, 1]);
  const shown = edgeNet('eval', taught, '--data', wrong, '--show', '5');
  assert.match(shown.err, /lights on\n {2}wanted \{"intent":"on"\n {2}got {4}\{"intent":"on"\}\n/);
  const cut = JSON.parse(ok('eval', taught, '--data', data, '--json', '--quiet', '-n', '2', '--limit', '1').out);
  assert.deepEqual([cut.samples, cut.exact, cut.json_valid], [1, 0, 0]);
});

test('eval: data without answers is refused', () => {
  const done = edgeNet('eval', home, '--data', temporary('empty.jsonl', '\n'));
  assert.notEqual(done.code, 0);
  assert.match(done.err, /empty\.jsonl: it has no lines\n$/);
});

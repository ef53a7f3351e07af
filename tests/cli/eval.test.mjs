// @ts-check
// edge-net eval: a model that was taught a few answers gives exactly those, with its adapter and not without it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edgeNet, home, ok, temporary } from './cli.mjs';

const SAMPLES = [['lights on', '{"intent":"on"}'], ['lights off', '{"intent":"off"}'], ['more light', '{"intent":"on"}'], ['thank you', 'You are welcome.']];
const lines = (/** @type {string[][]} */ samples) => samples.map(([input, output]) => `${JSON.stringify({ input, output })}\n`).join('');

test('eval: what was taught is right, by group; what was not is wrong', () => {
  const data = temporary('taught.jsonl', lines(SAMPLES)), adapter = temporary('taught.gguf');
  ok('train', home, '--data', data, '--out', adapter, '--steps', '120', '--batch', '4', '--lr', '0.01', '--rank', '8', '--seed', '1', '--save-every', '0', '--quiet');
  const evaluate = (/** @type {string[]} */ ...more) => JSON.parse(ok('eval', home, '--data', data, '--json', '--quiet', '-n', '24', ...more).out);
  const before = evaluate(), after = evaluate('--adapter', adapter, '--batch', '3');
  assert.equal(before.exact, 0);
  assert.deepEqual({ ...after, perplexity: 0, bleu: 0 }, { samples: 4, exact: 1, json_valid: 1, perplexity: 0, bleu: 0, rouge_l: 1, groups: { on: { n: 2, exact: 1 }, off: { n: 1, exact: 1 }, text: { n: 1, exact: 1 } } });
  assert.ok(Math.abs(after.bleu - 1) < 1e-6 && after.perplexity < 1.5 && before.perplexity > 50, `${before.perplexity} -> ${after.perplexity}`);

  const wrong = temporary('wrong.jsonl', lines([['lights on', '{"intent":"on"'], ['lights off', '{"intent":"off"}']]));
  const half = JSON.parse(ok('eval', home, '--data', wrong, '--json', '--quiet', '--adapter', adapter).out);
  assert.deepEqual([half.exact, half.groups.text.exact, half.groups.off.exact], [0.5, 0, 1]);
  const shown = edgeNet('eval', home, '--data', wrong, '--adapter', adapter, '--show', '5');
  assert.match(shown.err, /lights on\n {2}wanted \{"intent":"on"\n {2}got {4}\{"intent":"on"\}\n/);
  const cut = JSON.parse(ok('eval', home, '--data', data, '--json', '--quiet', '--adapter', adapter, '-n', '2', '--limit', '1').out);
  assert.deepEqual([cut.samples, cut.exact, cut.json_valid], [1, 0, 0]);
});

test('eval: data without answers is refused', () => {
  const done = edgeNet('eval', home, '--data', temporary('empty.jsonl', '\n'));
  assert.notEqual(done.code, 0);
  assert.match(done.err, /nothing to learn/);
});

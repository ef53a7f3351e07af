// @ts-check
// tokenizer.json tells by regular expressions how texts are cut: the published ones are known, and give the ids of the tokenizers library (pretokenizers.json, made by tests/peers/pretokenizers.py).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkRules } from './pretokenizers.mjs';
import { edgeNet, temporary } from './cli.mjs';
import { encoderFolder } from './encoder-folder.mjs';

const cases = JSON.parse(readFileSync(new URL('pretokenizers.json', import.meta.url), 'utf8'));

test('the rules of published models are known by their expressions and give their ids', () => {
  const ids = Object.values(cases.rules).map((rule) => JSON.stringify(rule.ids));
  assert.equal(new Set(ids).size, 9, 'the texts tell the rules apart');
  checkRules(cases);
});

test('ends of lines may be spelled in an expression as \\r\\n or stand there', () => {
  const swapped = (/** @type {object} */ pre) => JSON.parse(JSON.stringify(pre, (key, v) => (key === 'Regex' ? (/[\r\n]/.test(v) ? v.replaceAll('\r', '\\r').replaceAll('\n', '\\n') : v.replaceAll('\\r', '\r').replaceAll('\\n', '\n')) : v)));
  checkRules({ ...cases, texts: cases.texts.slice(0, 2), rules: Object.fromEntries(Object.entries(cases.rules).map(([name, rule]) => [name, { .../** @type {any} */ (rule), ids: /** @type {any} */ (rule).ids.slice(0, 2) }])) }, swapped);
});

test('a rule that lacks a step, has one more or spells one otherwise is refused', () => {
  const refused = (/** @type {object[]} */ pretokenizers) => assert.match(edgeNet('inspect', encoderFolder(temporary('unknown'), { vocab: 640, texts: { 'tokenizer.json': JSON.stringify({ pre_tokenizer: { type: 'Sequence', pretokenizers }, model: cases.model }) } })).err, /its pre_tokenizer is none that we know/);
  const steps = cases.rules['deepseek-coder'].pre_tokenizer.pretokenizers;
  for (let i = 0; i < steps.length - 1; i++) refused(steps.toSpliced(i, 1));
  refused([...steps, steps[1]]);
  refused(steps.toSpliced(1, 1, { ...steps[1], pattern: { Regex: '\\s?\\p{L}+x' } }));
  refused([steps.at(-1)]);
});

// @ts-check
// Folders whose tokenizer.json cuts texts by the rules of published models (tests/peers/pretokenizers.py makes them), and the ids of texts.
import assert from 'node:assert/strict';
import path from 'node:path';
import { encoderFolder } from './encoder-folder.mjs';
import { ok, temporary } from './cli.mjs';

/** @typedef {{model: {vocab: Record<string, number>, merges: [string, string][]}, rules: Record<string, {pre_tokenizer: {pretokenizers?: {type: string}[]}, ids: number[][]}>, texts: string[]}} Cases */

/** Every rule is known by its name, and gives the ids. @param {Cases} cases @param {(pre: object) => object} [spelled] another way to write the rule */
export function checkRules({ model, rules, texts }, spelled = (pre) => pre) {
  for (const [name, { pre_tokenizer, ids }] of Object.entries(rules)) {
    const keepsDigitsApart = pre_tokenizer.pretokenizers?.some(({ type }) => type === 'Digits');
    const merges = keepsDigitsApart ? model.merges.filter((m) => !/[0-9]/.test(m.join(''))) : model.merges, gguf = temporary(`rule-${name}.gguf`);
    const folder = encoderFolder(temporary(`rule-${name}`), { vocab: Object.keys(model.vocab).length, texts: { 'tokenizer.json': JSON.stringify({ pre_tokenizer: spelled(pre_tokenizer), model: { ...model, merges } }) } });
    ok('convert', path.resolve(folder), gguf, '--quiet');
    assert.equal(JSON.parse(ok('inspect', gguf, '--json').out).metadata['tokenizer.ggml.pre'], name);
    texts.forEach((text, i) => assert.deepEqual(ok('tokens', gguf, '-f', temporary('text.txt', text)).out.trim().split(' ').filter(Boolean).map(Number), ids[i], `${name}: ${JSON.stringify(text.slice(0, 200))}`));
  }
}

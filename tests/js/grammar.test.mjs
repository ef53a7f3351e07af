// @ts-check
// Texts that keep to a form: whatever a model with random weights says, it parses.
import test from 'node:test';
import assert from 'node:assert/strict';
import { homeModel, needs, stories, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/index.js';

const SCHEMA = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 12 }, age: { type: 'integer' }, tags: { type: 'array', items: { enum: ['new', 'old', 'käse'] }, minItems: 1, maxItems: 3 },
    home: { $ref: '#/$defs/place' }, nick: { type: ['string', 'null'], maxLength: 5 },
  },
  required: ['name', 'tags', 'home'],
  $defs: { place: { type: 'object', properties: { street: { type: 'string', maxLength: 8 }, flat: { type: 'boolean' } }, required: ['flat'] } },
};

/** @param {any} value */
function keepsToSchema(value) {
  const known = Object.keys(SCHEMA.properties);
  assert.ok(Object.keys(value).every((key) => known.includes(key)) && SCHEMA.required.every((key) => key in value), JSON.stringify(value));
  assert.ok(typeof value.name === 'string' && [...value.name].length <= 12);
  assert.ok(value.age === undefined || Number.isInteger(value.age));
  assert.ok(value.tags.length >= 1 && value.tags.length <= 3 && value.tags.every((/** @type {string} */ t) => ['new', 'old', 'käse'].includes(t)));
  assert.ok(typeof value.home.flat === 'boolean' && Object.keys(value.home).every((key) => key === 'street' || key === 'flat'));
  assert.ok(value.nick === undefined || value.nick === null || [...value.nick].length <= 5);
}

/** @param {InferenceSession} s */
async function alwaysParses(s) {
  const responseFormat = /** @type {const} */ ({ type: 'json_schema', schema: SCHEMA });
  const many = await Promise.all(Array.from({ length: 8 }, (_, seed) => s.complete('Describe a person:', { responseFormat, seed, temperature: 1.5, topK: 0, topP: 1, maxTokens: 400, ignoreEos: seed % 2 === 0 })));
  for (const { text, finishReason } of many) {
    assert.equal(finishReason, 'stop', text);
    keepsToSchema(JSON.parse(text));
  }
  keepsToSchema(JSON.parse(await s.generate('x', { responseFormat, temperature: 0, maxTokens: 400 })));
  const grammar = 'root ::= ("yes" | "no" | "maybe " [1-9] [0-9]? "%") "."';
  for (let seed = 0; seed < 5; seed++) assert.match(await s.generate('Will it rain?', { grammar, seed }), /^(yes|no|maybe [1-9]\d?%)\.$/);
}

test('JSON by a schema, a grammar, several at once; without one nothing is bound', async () => {
  const s = await InferenceSession.create(homeModel, { wasm, parallel: 3 });
  const free = await s.generate('Hello', { temperature: 0, maxTokens: 16 });
  await alwaysParses(s);
  const { text, finishReason } = await s.complete('Hello', { responseFormat: { type: 'json_object' }, maxTokens: 300, seed: 1 });
  assert.equal(text[0], '{');
  if (finishReason === 'stop') JSON.parse(text);
  assert.equal(await s.generate('Hello', { temperature: 0, maxTokens: 16 }), free);
  await assert.rejects(s.generate('x', { grammar: 'root ::= "a' }), { code: 'FORMAT', message: /byte 11/ });
  await assert.rejects(s.generate('x', { responseFormat: { type: 'json_schema', schema: { type: 'string', pattern: 'a+' } } }), { code: 'UNSUPPORTED', message: /pattern/ });
  assert.equal(await s.generate('Hello', { temperature: 0, maxTokens: 16 }), free, 'after a failure too');
  await s.dispose();
});

test('a SentencePiece vocabulary', needs(stories('q8_0')), async () => {
  const s = await InferenceSession.create(/** @type {string} */ (stories('q8_0')), { wasm });
  await alwaysParses(s);
  await s.dispose();
});

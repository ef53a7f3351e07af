// @ts-check
// The form of answers: everything that the home model is taught to answer fits in, and nothing that was not said.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { adversarial, samples } from '../../models/home/generate.mjs';
import { TALK } from '../../models/home/grammar.mjs';
import { intentsModule } from '../../models/home/replay.mjs';
import { formOf, numbersIn } from '../../web-demo/home/form.js';
import { HOME_FRAME } from '../../web-demo/home/frame.js';

/** A rule of the grammar as a regular expression: no rule calls itself. @param {string} grammar @param {string} [name] @param {Record<string, string>} [instead] of these rules */
function asRegExp(grammar, name = 'root', instead = {}) {
  const rules = new Map(grammar.trim().split('\n').map((line) => /** @type {[string, string]} */ (line.split(/ ::= (.*)/s).slice(0, 2))));
  const known = new Map(Object.entries(instead));
  const rule = (/** @type {string} */ name) => {
    if (!known.has(name)) {
      const text = rules.get(name);
      assert.ok(text !== undefined, `rule ${name}`);
      known.set(name, `(?:${text.replace(/"((?:[^"\\]|\\.)*)"|\[[^\]]*\]|([a-z][a-z0-9-]*)|\s+/g, (all, string, call) => (string !== undefined ? JSON.parse(all).replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : call ? rule(call) : all.startsWith('[') ? all : ''))})`);
    }
    return known.get(name);
  };
  return new RegExp(`^${rule(name)}$`, 'u');
}

/** Whether an answer fits: as a whole, its numbers and its words apart, for one expression of everything would be megabytes. @param {string} grammar @param {string} answer */
function fits(grammar, answer) {
  const whole = asRegExp(grammar, 'root', { words: '"[^"]*"', place: '"[^"]*"' });
  const copied = [...answer.matchAll(/(?<!"intent":)(?<=[:[,])" ?[^"]*"(?!:)/g)].map(([text]) => text).filter((text) => !/^"[0-9]/.test(text) && !asRegExp(grammar, 'day').test(text));
  return whole.test(answer) && copied.every((text) => asRegExp(grammar, 'place').test(text));
}

test('every answer of the data fits the form of its request', () => {
  const misfits = (/** @type {Iterable<{ input: string, output: string }>} */ list) => [...list].filter(({ input, output }) => !fits(formOf(input), HOME_FRAME.write(output))).map(({ input }) => input);
  const learned = misfits(samples({ n: 200, seed: 3, part: 'train' }));
  assert.ok(learned.length < 3, `only mistyped names of made-up doors: ${learned.join('; ')}`);
  assert.deepEqual(misfits(adversarial()), []);
  const unknown = misfits(samples({ n: 200, seed: 3, part: 'held' }));
  assert.ok(unknown.length < 8, `only mistyped names of rooms that training never had: ${unknown.join('; ')}`);
});

test('words and numbers that were not said do not fit', () => {
  const form = formOf('Dim the zorbel room to twenty-five percent!');
  const answer = (/** @type {object} */ value) => HOME_FRAME.write(JSON.stringify(value));
  assert.ok(fits(form, answer({ intent: 'light_set', room: 'zorbel room', level: 25 })));
  for (const wrong of [{ room: 'zorb room', level: 25 }, { room: 'room zorbel', level: 25 }, { room: 'zorbel room', level: 52 }, { level: 25, room: 'zorbel room' }, { room: 'zorbel room', level: 25, name: 'x' }]) {
    assert.ok(!fits(form, answer({ intent: 'light_set', ...wrong })), JSON.stringify(wrong));
  }
  assert.ok(!fits(form, answer({ intent: 'light_sit' })));
  assert.ok(fits(form, TALK[0].answer));
  assert.ok(!fits(form, 'Hello, I am a lamp.'));
  assert.ok(fits(formOf('find "so" and C:\\now on 12.5°'), answer({ intent: 'play', what: 'c:\\now on' })));
  for (const odd of ['', '"', '\\', '} ] "']) assert.ok(fits(formOf(odd), answer({ intent: 'pause' })), odd);
});

test('answers of taught commands fit beside the others, with words of the request in their slots as they were written', () => {
  const taught = [{ answer: '{"intent":"feed","pet":"…","n":2}', own: ['feed', 'please'] }, { answer: 'The wifi is called\n"birdhouse".', own: [] }];
  const form = formOf('Please feed Old Bella!', taught);
  for (const answer of ['{"intent":"feed","pet":" Old Bella","n":2}', '{"intent":"feed","pet":" bella","n":2}', taught[1].answer, '{"intent":"pause"}']) assert.match(answer, asRegExp(form), answer);
  for (const wrong of ['{"intent":"feed","pet":" max","n":2}', '{"intent":"feed","pet":" bella","n":3}', '{"intent":"play","what":" Bella"}', '{"intent":"feed","pet":" please","n":2}', '{"intent":"feed","pet":" feed Old","n":2}']) assert.doesNotMatch(wrong, asRegExp(form), wrong);
  assert.doesNotMatch('{"intent":"feed","pet":" bella","n":2}', asRegExp(formOf('Feed Old Bella!')));
  assert.match('{"intent":"feed","pet":" feed","n":2}', asRegExp(formOf('feed', taught)), 'there is no other word');
});

test('numbers as they are said', () => {
  assert.deepEqual(numbersIn('from 12 to twenty two, 18.5'), ['12', '18', '5', '20', '22', '2']);
  assert.deepEqual(numbersIn('half a minute'), ['30', '50', '1']);
  assert.deepEqual(numbersIn('tweny ninee'), ['20', '29', '9']);
  assert.deepEqual(numbersIn('nothing'), []);
});

test('the page knows the intents of the data', () => assert.equal(readFileSync(new URL('../../web-demo/home/intents.js', import.meta.url), 'utf8'), intentsModule()));

// @ts-check
// The form of answers: everything that the home model is taught to answer fits in, and nothing that was not said.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { adversarial, samples } from '../../models/home/generate.mjs';
import { TALK } from '../../models/home/grammar.mjs';
import { intentsModule } from '../../models/home/replay.mjs';
import { formOf, partsOf } from '../../web-demo/home/form.js';
import { HOME_FRAME } from '../../web-demo/home/frame.js';
import { daysIn, numbersIn, timesIn, unitsIn } from '../../web-demo/home/said.js';

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

/** Whether an answer fits: as a whole, and its words apart, for one expression of everything would be megabytes. @param {string} grammar @param {string} answer */
function fits(grammar, answer) {
  const anything = Object.fromEntries([...grammar.matchAll(/^((?:words|place)(?:-\d+-)?) ::=/gm)].map(([, name]) => [name, '"[^"]*"']));
  const copied = [...answer.matchAll(/(?<!"intent":)(?<=[:[,])" ?[^"]*"(?!:)/g)].map(([text]) => text).filter((text) => !/^"[0-9]/.test(text) && !asRegExp(grammar, 'day').test(text));
  return asRegExp(grammar, 'root', anything).test(answer) && copied.every((text) => asRegExp(grammar, 'place').test(text));
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

test('several commands: each from its own part of the request, as many as there are parts', () => {
  const answer = (/** @type {object[]} */ ...steps) => HOME_FRAME.write(JSON.stringify({ intent: 'multi', steps }));
  assert.deepEqual(partsOf('Dim the den to 9% and next read me the clock, also wake me at 9 a.m. next friday'), ['Dim the den to 9%', 'read me the clock', 'wake me at 9 a.m. next friday']);
  assert.deepEqual(partsOf('kitchen. lights. on.'), ['kitchen. lights. on.']);
  assert.deepEqual(partsOf('lock the gate. and pause the music'), ['lock the gate', 'pause the music']);
  const form = formOf('dim the den to 9% and next lock the gate'), den = { intent: 'light_set', room: 'den', level: 9 }, gate = { intent: 'lock', door: 'gate' };
  const whole = (/** @type {string} */ text) => asRegExp(form, 'root', { words: '"[^"]*"', place: '"[^"]*"' }).test(text);
  assert.ok(whole(answer(den, gate)));
  for (const wrong of [[gate, den], [den], [den, gate, gate], [den, { intent: 'lock', door: 'den' }], [{ ...den, room: 'gate' }, gate], [{ intent: 'light_set', level: 9 }, { ...gate, door: 'the gate to' }]]) assert.ok(!whole(answer(...wrong)), JSON.stringify(wrong));
  assert.ok(!asRegExp(formOf('lock the gate'), 'root', { words: '"[^"]*"', place: '"[^"]*"' }).test(answer(gate, gate)), 'nothing stands between two commands');
  assert.ok(fits(formOf('lock the gate and the door'), answer(gate, { intent: 'lock', door: 'door' })));
});

test('what is copied does not go on behind a mark, and a known place must have been said', () => {
  const form = formOf('milk, bread on the kitchne list');
  for (const [value, ok] of /** @type {const} */ ([['milk', true], ['milk bread', false], ['bread on', true], ['kitchen', true], ['kitchne', true], ['garage', false]])) assert.equal(asRegExp(form, 'place').test(`" ${value}"`), ok, value);
});

test('numbers as they are said', () => {
  assert.deepEqual(numbersIn('from 12 to twenty two, 18.5'), ['12', '18', '5', '22']);
  assert.deepEqual(numbersIn('half a minute'), ['30', '50', '1']);
  assert.deepEqual(numbersIn('tweny ninee'), ['29', '20', '9']);
  assert.deepEqual(numbersIn('eighty a day'), ['80']);
  assert.deepEqual(numbersIn('nothing for a guest'), []);
});

test('times, units of time and days as they are said', () => {
  const times = { 'nine thirty a.m.': '09:30', 'one forty in the morning': '01:40', 'at 9': '09:00 21:00', '9pm': '21:00', 'ten oh five in the evening': '22:05', 'quarter to seven in the morning': '06:45', '25 past 4 pm': '16:25', 'half past 12 pm': '12:30', 'twenty to one': '00:40 12:40', '18:20 today': '18:20', '12 am': '00:00', "eight o'clock at night": '20:00', 'noon, then midnight': '12:00 00:00', 'a good day': '' };
  for (const [said, meant] of Object.entries(times)) assert.equal(timesIn(said).join(' '), meant, said);
  assert.deepEqual([unitsIn('half an hour'), unitsIn('2 mins'), unitsIn('1h30m'), unitsIn('milk')], [['h', 'm'], ['m'], ['h', 'm'], []]);
  const days = { 'next Friday': 'friday,next friday', 'on the 5th of june': 'june 5', 'june twenty first': 'june 1,june 20,june 21', 'you may go tomorow': 'tomorrow', 'may 3': 'may 3', 'what is today': 'today', 'milk': '' };
  for (const [said, meant] of Object.entries(days)) assert.equal(daysIn(said).sort().join(), meant, said);
});

test('a request in capitals is read like one in small letters', () => {
  assert.equal(HOME_FRAME.ask(' LIGHTS ON IN THE HALL!'), HOME_FRAME.ask('lights on in the hall!'));
  assert.notEqual(HOME_FRAME.ask('Lights on'), HOME_FRAME.ask('lights on'));
});

test('the page knows the intents of the data', () => assert.equal(readFileSync(new URL('../../web-demo/home/intents.js', import.meta.url), 'utf8'), intentsModule()));

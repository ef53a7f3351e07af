// @ts-check
// The home model's data: the same for the same seed, nothing held out leaks into training, every answer is well-formed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { adversarial, bare, samples } from '../../models/home/generate.mjs';
import { CORRECTION, INTENTS, NEGATIVE, POLITE, TALK, THEN } from '../../models/home/grammar.mjs';
import { MORE_FRAMES, MORE_TALK, PARAPHRASES } from '../../models/home/paraphrases.mjs';
import { inWords, slots } from '../../models/home/slots.mjs';
import { expand, parse, random } from '../../models/home/template.mjs';

const N = 5000;
const make = (/** @type {'train' | 'held'} */ part, seed = 1) => [...samples({ n: N, seed, part })];
const train = make('train'), held = make('held');

test('templates: alternatives, options and slots nest; blanks do not pile up', () => {
  const node = parse('turn [on|off (all)] (the) {room} ({n:level} times)'), seen = new Set();
  for (let seed = 0; seed < 200; seed++) {
    const { pieces, values } = expand(node, random(seed), (kind) => ({ text: `<${kind}>`, value: kind, open: true }));
    const text = pieces.map((p) => p.text).join('');
    assert.match(text, /^turn (on|off|off all) (the )?<room>( <level> times)?$/);
    assert.equal('n' in values, text.includes('<level>'));
    seen.add(text);
  }
  assert.equal(seen.size, 12);
  for (const bad of ['[a|b', 'a]', '(a']) assert.throws(() => parse(bad), /missing|unexpected/);
});

test('numbers in words', () => {
  assert.deepEqual([0, 13, 20, 42, 100, 115, 340].map(inWords), ['zero', 'thirteen', 'twenty', 'forty two', 'one hundred', 'one hundred fifteen', 'three hundred forty']);
});

test('the same seed gives the same lines, another seed others', () => {
  assert.deepEqual(make('train'), train);
  const other = new Set(make('train', 2).map((s) => s.input));
  assert.ok(train.filter((s) => other.has(s.input)).length < N / 5);
});

test('every input once; every answer is talk or JSON with a known intent', () => {
  const intents = new Set([...INTENTS.map((i) => i.intent), 'none', 'multi']), talk = new Set(TALK.map((t) => t.answer)), kinds = new Set();
  for (const list of [train, held]) {
    assert.equal(new Set(list.map((s) => s.input)).size, N);
    for (const { output, kind } of list) {
      kinds.add(kind);
      if (kind === 'talk') { assert.ok(talk.has(output)); continue; }
      const answer = JSON.parse(output);
      assert.ok(intents.has(answer.intent), output);
      assert.equal(JSON.stringify(answer), output);
    }
  }
  assert.equal(kinds.size, INTENTS.length + 4);
});

/** Everything that is held out, beside what is learned instead of it. */
const GROUPS = [
  ...INTENTS.map((i) => ({ train: [...i.train, ...PARAPHRASES[i.intent]], held: i.held })),
  ...TALK.map((t, k) => ({ train: [...t.train, ...MORE_TALK[k]], held: t.held })),
  ...Object.entries({ POLITE, NEGATIVE, THEN, CORRECTION }).map(([name, l]) => ({ train: [...l.train, ...MORE_FRAMES[/** @type {keyof typeof MORE_FRAMES} */ (name)]], held: l.held })),
];
/** The sentences of templates, with the names of slots in them. @param {string[]} templates */
const shapes = (templates) => new Set(templates.flatMap((t) => {
  if (!/[[({]/.test(t) || t.includes('{x}')) return [t];
  const node = parse(t.replace(/^!/, ''));
  return Array.from({ length: 30 }, (_, seed) => expand(node, random(seed), (kind) => ({ text: `<${kind}>`, value: kind })).pieces.map((p) => p.text).join('').trim());
}));

test('every word of a held-out sentence is learned in another sentence of the same meaning', () => {
  const words = (/** @type {string[]} */ list) => new Set(list.flatMap((t) => t.replace(/\{[^}]*\}/g, ' ').toLowerCase().match(/[a-z']+/g) ?? []));
  const learned = words(GROUPS.flatMap((g) => g.train));
  for (const [k, g] of GROUPS.entries()) {
    const own = k < INTENTS.length ? words(g.train) : learned;
    assert.deepEqual([...words(g.held)].filter((w) => !own.has(w)), []);
  }
});

test('no request written by hand is in the data, not even with other manners', () => {
  const list = adversarial(), not = new Set(list.map((s) => bare(s.input)));
  assert.ok(list.length >= 200);
  assert.ok(train.some((s) => not.has(bare(s.input))), 'the filter has something to do');
  for (const s of samples({ n: N, seed: 1, part: 'train', not })) assert.ok(!not.has(bare(s.input)), s.input);
});

test('nothing held out is in training: neither templates, nor words, nor numbers', () => {
  for (const { train: ours, held: theirs } of GROUPS) {
    const sentences = shapes(ours);
    assert.deepEqual([...shapes(theirs)].filter((t) => t !== '{x}' && sentences.has(t)), []);
  }
  const inputs = new Set(train.map((s) => s.input));
  assert.deepEqual(held.filter((s) => s.kind !== 'talk' && inputs.has(s.input)).filter((s) => !/"intent":"(next|back|pause|resume|volume_up|volume_down|clock|date)"/.test(s.output)), []);
  for (const kind of ['room', 'device', 'door', 'color', 'list', 'task', 'event', 'song', 'genre', 'artist', 'scene', 'place', 'degrees', 'duration', 'time', 'percent', 'volume', 'few', 'items', 'label']) {
    const values = (/** @type {boolean} */ part) => { const r = random(7), draw = slots(r, part); return new Set(Array.from({ length: 2000 }, () => JSON.stringify(draw(kind).value))); };
    const [ours, theirs] = [values(false), values(true)];
    assert.deepEqual([...theirs].filter((v) => ours.has(v)), [], kind);
  }
});

test('the hand-written set is well-formed and not generated', () => {
  const lines = readFileSync(new URL('../../models/home/adversarial.txt', import.meta.url), 'utf8').split('\n').filter((l) => l && !l.startsWith('#'));
  assert.ok(lines.length >= 200);
  const inputs = new Set(lines.map((l) => l.split(' => ')[0]));
  assert.equal(inputs.size, lines.length);
  for (const line of lines) {
    const output = line.split(' => ')[1];
    assert.equal(JSON.stringify(JSON.parse(output)), output);
  }
});

// @ts-check
// The home model's data: the same for the same seed, nothing held out leaks into training, every answer is well-formed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { samples } from '../../models/home/generate.mjs';
import { INTENTS, TALK } from '../../models/home/grammar.mjs';
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

test('nothing held out is in training: neither templates, nor words, nor numbers', () => {
  for (const i of [...INTENTS, ...TALK]) assert.deepEqual(i.train.filter((t) => i.held.includes(t)), []);
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

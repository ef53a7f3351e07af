#!/usr/bin/env node
// @ts-check
/**
 * Writes the home model's data: lines of {"input", "output", "kind"}. The same seed gives the same lines.
 *
 *   node models/home/generate.mjs --out train.jsonl [--n 400000] [--seed 1] [--part train|held] [--plain]
 *
 * --plain: without the blanks before words that HOME_FRAME has: what the first part of the training reads (train.mjs).
 * --part held: only templates and only slot values that training never sees. No input occurs twice within a file, and none is in adversarial.txt.
 */
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { HOME_FRAME } from '../../web-demo/home/frame.js';
import { CORRECTION, INTENTS, NEGATIVE, POLITE, TALK, THEN } from './grammar.mjs';
import { MORE_FRAMES, MORE_TALK, PARAPHRASES } from './paraphrases.mjs';
import { slots } from './slots.mjs';
import { expand, parse, random } from './template.mjs';

/** @typedef {import('./template.mjs').Piece} Piece */
/** @typedef {import('./template.mjs').Random} Random */
/** @typedef {'train' | 'held'} Part */
/** @typedef {{ input: string, output: string, kind: string }} Sample */
/** @typedef {{ pieces: Piece[], answer: Record<string, unknown>, sentence: boolean, kind: string }} Command */

/** @type {Pick<import('../../web-demo/home/frame.js').Frame, 'ask' | 'write'>} */
const PLAINLY = { ask: (text) => `<|user|>${text}<|home|>`, write: (answer) => answer };

const compiled = (/** @type {string[]} */ list) => list.map((text) => ({ sentence: text.startsWith('!'), node: parse(text.replace(/^!/, '')) }));
const BOOK = INTENTS.map((i) => ({ ...i, train: compiled([...i.train, ...PARAPHRASES[i.intent]]), held: compiled(i.held) }));
/** Training has intents with slots twice as often as those without: there is more to learn. */
const OFTEN = BOOK.flatMap((i) => (i.slots.length ? [i, i] : [i]));
const TALK_BOOK = TALK.map((t, k) => ({ ...t, train: compiled([...t.train, ...MORE_TALK[k]]), held: compiled(t.held) }));
const more = (/** @type {{ train: string[], held: string[] }} */ list, /** @type {keyof typeof MORE_FRAMES} */ name) => ({ train: [...list.train, ...MORE_FRAMES[name]], held: list.held });
const FRAMES = { polite: more(POLITE, 'POLITE'), negative: more(NEGATIVE, 'NEGATIVE'), then: more(THEN, 'THEN'), correction: more(CORRECTION, 'CORRECTION') };
const fixed = (/** @type {string} */ text) => ({ text, open: false });

/** "before {x} after" around the pieces. @param {string} frame @param {Piece[]} pieces */
function framed(frame, pieces) {
  const [before, after] = frame.split('{x}');
  return [...(before ? [fixed(before)] : []), ...pieces, ...(after ? [fixed(after)] : [])];
}

/** @param {Random} r @param {Part} part @returns {Command} */
function command(r, part) {
  const i = r.pick(part === 'train' ? OFTEN : BOOK), template = r.pick(i[part]);
  const { pieces, values } = expand(template.node, r, slots(r, part === 'held'));
  const answer = { intent: i.intent, ...Object.fromEntries(i.slots.filter((s) => s in values).map((s) => [s, values[s]])) };
  return { pieces, answer, sentence: template.sentence, kind: i.intent };
}

/** The speaker names one room and then another. @param {Random} r @param {Part} part @returns {Command | null} */
function corrected(r, part) {
  const c = command(r, part), last = c.pieces.at(-1);
  if (!last || c.answer.room !== last.text) return null;
  const right = slots(r, part === 'held')('room');
  if (right.text === last.text) return null;
  return { ...c, pieces: [...c.pieces, fixed(r.pick(FRAMES.correction[part])), { text: right.text, open: right.open ?? false }], answer: { ...c.answer, room: right.value }, kind: 'correction' };
}

/** @param {Random} r @param {Part} part @returns {Command} */
function several(r, part) {
  const steps = [imperative(r, part), imperative(r, part)];
  if (r.chance(0.15)) steps.push(imperative(r, part));
  const pieces = steps.flatMap((s, k) => (k ? [fixed(r.pick(FRAMES.then[part])), ...s.pieces] : s.pieces));
  return { pieces, answer: { intent: 'multi', steps: steps.map((s) => s.answer) }, sentence: false, kind: 'multi' };
}

/** "can you" and "don't" can stand before it. @param {Command} c */
const isImperative = (c) => !c.sentence && !c.pieces[0]?.open && VERBS.test(c.pieces[0]?.text ?? '');

/** @param {Random} r @param {Part} part */
function imperative(r, part) {
  for (;;) { const c = command(r, part); if (isImperative(c)) return c; }
}
const VERBS = /^(turn|switch|light|put|make|get|give|power|bring|kill|set|dim|change|heat|warm|cool|keep|raise|lower|lock|unlock|open|close|pull|let|draw|roll|shut|start|run|stop|activate|cancel|delete|remove|wake|remind|add|take|clear|empty|schedule|book|plan|play|pause|resume|skip|show|read|tell|have|illuminate|darken|secure|adjust|create|stick|scratch|erase|append|pencil|spin|stream|nudge|scrap|count|cut)\b/;

/** Slips of the keyboard, in words that are not to be copied. @param {Random} r @param {Piece[]} pieces */
function mistyped(r, pieces) {
  const places = pieces.flatMap((p, k) => (p.open ? [] : [...p.text.matchAll(/[a-z]{4,}/g)].map((m) => ({ k, at: m.index, n: m[0].length }))));
  if (!places.length) return pieces;
  const { k, at, n } = r.pick(places), i = at + 1 + r.below(n - 2), text = pieces[k].text;
  const neighbours = /** @type {Record<string, string>} */ ({ a: 's', b: 'v', c: 'x', d: 's', e: 'r', f: 'g', g: 'h', h: 'j', i: 'o', j: 'k', k: 'l', l: 'k', m: 'n', n: 'm', o: 'p', p: 'o', q: 'w', r: 't', s: 'a', t: 'r', u: 'i', v: 'b', w: 'e', x: 'z', y: 'u', z: 'x' });
  const changed = [text.slice(0, i) + text.slice(i + 1), text.slice(0, i) + text[i] + text.slice(i), text.slice(0, i) + text[i + 1] + text[i] + text.slice(i + 2), text.slice(0, i) + (neighbours[text[i]] ?? text[i]) + text.slice(i + 1)];
  return pieces.map((p, q) => (q === k ? { ...p, text: r.pick(changed) } : p));
}

const QUESTION = /^(what|who|where|how|is|are|do|does|can|could|will|should|am|have|which|any|when|why|must|may|did)\b/i;

/** A word said while thinking, between two words that are not to be copied. @param {Random} r @param {Piece[]} pieces */
function hesitant(r, pieces) {
  const places = pieces.flatMap((p, k) => (p.open ? [] : [...p.text.matchAll(/ (?=[a-z])/g)].map((m) => ({ k, at: m.index }))));
  if (!places.length) return pieces;
  const { k, at } = r.pick(places), word = r.pick(['uh', 'um', 'please', 'er', 'like', 'just', 'quickly', 'maybe', 'now']);
  return pieces.map((p, q) => (q === k ? { ...p, text: `${p.text.slice(0, at)} ${word}${p.text.slice(at)}` } : p));
}

/** @param {Random} r @param {Part} part @param {Piece[]} pieces */
function written(r, part, pieces) {
  if (part === 'train' && r.chance(0.04)) pieces = hesitant(r, pieces);
  let out = r.chance(part === 'train' ? 0.18 : 0.12) ? mistyped(r, pieces) : pieces;
  if (r.chance(0.04)) out = mistyped(r, out);
  let text = out.map((p) => p.text).join('').replace(/\bthe (\S+'s room)/g, '$1');
  if (r.chance(0.25) && !out[0]?.open) text = text[0].toUpperCase() + text.slice(1);
  if (r.chance(0.2)) text += QUESTION.test(text) ? '?' : r.pick(['.', '.', '!']);
  return text.replace(/ +/g, ' ');
}

/** @param {Random} r @param {Part} part @returns {Sample} */
export function sample(r, part) {
  const dice = r.next();
  if (dice < 0.06) {
    const t = r.pick(TALK_BOOK), { pieces } = expand(r.pick(t[part]).node, r, slots(r, false));
    return { input: written(r, part, r.chance(0.2) ? framed(r.pick(['hey, {x}', 'so {x}', 'please {x}', '{x} please', 'um {x}']), pieces) : pieces), output: t.answer, kind: 'talk' };
  }
  if (dice < 0.10) {
    const c = imperative(r, part);
    return { input: written(r, part, framed(r.pick(FRAMES.negative[part]), c.pieces)), output: '{"intent":"none"}', kind: 'none' };
  }
  const c = dice < (part === 'train' ? 0.24 : 0.20) ? several(r, part) : dice < (part === 'train' ? 0.28 : 0.24) ? corrected(r, part) ?? command(r, part) : command(r, part);
  const frames = isImperative(c) || c.kind === 'multi' ? FRAMES.polite[part] : FRAMES.polite[part].filter((f) => !/(you|and) \{x\}/.test(f));
  return { input: written(r, part, c.sentence ? c.pieces : framed(r.pick(frames), c.pieces)), output: JSON.stringify(c.answer), kind: c.kind };
}

/** The words of a request without manners and punctuation: two requests with the same ones are the same question. @param {string} text */
export const bare = (text) => text.toLowerCase().replace(/[.,!?]/g, '').replace(/\b(please|can you|could you|would you|thanks|now|hey)\b/g, '').replace(/ +/g, ' ').trim();

/** n different inputs, none with the bare words of one in `not`. Their order is part of the recipe. @param {{ n: number, seed: number, part: Part, not?: Set<string> }} o @returns {Generator<Sample>} */
export function* samples({ n, seed, part, not }) {
  const r = random(seed), seen = new Set();
  for (let tries = 0; seen.size < n; tries++) {
    if (tries > 40 * n + 10000) throw new Error(`only ${seen.size} different inputs of ${n}`);
    const s = sample(r, part);
    if (seen.has(s.input) || not?.has(bare(s.input))) continue;
    seen.add(s.input);
    yield s;
  }
}

/** The requests written by hand: what is said, and the answer. @returns {Sample[]} */
export function adversarial() {
  const lines = fs.readFileSync(new URL('adversarial.txt', import.meta.url), 'utf8').split('\n').filter((l) => l && !l.startsWith('#'));
  return lines.map((l) => { const [input, output] = l.split(' => '); return { input, output, kind: 'adversarial' }; });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values: o } = parseArgs({ options: { out: { type: 'string' }, n: { type: 'string', default: '400000' }, seed: { type: 'string', default: '1' }, part: { type: 'string', default: 'train' }, plain: { type: 'boolean' } } });
  if (!o.out || !['train', 'held'].includes(o.part)) { process.stderr.write('generate.mjs --out FILE.jsonl [--n N] [--seed N] [--part train|held] [--plain]\n'); process.exit(2); }
  const file = fs.openSync(o.out, 'w');
  const not = new Set(adversarial().map((s) => bare(s.input))), frame = o.plain ? PLAINLY : HOME_FRAME;
  let lines = [];
  for (const s of samples({ n: Number(o.n), seed: Number(o.seed), part: /** @type {Part} */ (o.part), not })) {
    lines.push(JSON.stringify({ input: frame.ask(s.input), output: frame.write(s.output), kind: s.kind }));
    if (lines.length === 10000) fs.writeSync(file, lines.join('\n') + '\n'), lines = [];
  }
  if (lines.length) fs.writeSync(file, lines.join('\n') + '\n');
  fs.closeSync(file);
}

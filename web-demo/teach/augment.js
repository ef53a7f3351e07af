// @ts-check
/**
 * Automatic paraphrases of what a person typed: other polite words around it, synonyms, dropped and added small words, another order, slips of the
 * keyboard. They teach the model that the wording may vary, and they check that it has learned so: what is for learning and what is for checking
 * is drawn from different frames, so that the check is no repetition of the lesson.
 */
import { crossed, piece } from './pieces.js';
import { random } from './random.js';
import { leaves, slotPaths, swapped } from './slots.js';

/** @typedef {import('./random.js').Random} Random */
/** @typedef {import('./slots.js').Example} Example */
/** @typedef {'learn' | 'check'} Part */

/** Around a command ("start the movie"). {x} stands for it. */
const AROUND_COMMAND = {
  learn: ['please {x}', '{x} please', '{x}, please', 'can you {x}', 'could you {x}', 'could you please {x}', 'would you {x}', 'i want you to {x}', 'i need you to {x}', 'go ahead and {x}', '{x} for me', 'just {x}', 'can we {x}', 'i would like you to {x}', 'you can {x}', "let's {x}", 'will you {x}', 'time to {x}', 'it is time to {x}', 'i want to {x}', 'do {x}'],
  check: ['can you please {x}', 'would you please {x}', "i'd like you to {x}", '{x} for me please', 'could you {x} for me', 'kindly {x}', 'do me a favor and {x}', 'could we {x}', 'i would like to {x}', "let us {x}"],
};
/** Around what is neither a command nor a sentence ("movie time"). */
const AROUND_NAME = {
  learn: ['it is {x}', "it's {x}", 'now it is {x}', 'we have {x}', "let's have {x}", 'we want {x}', 'i want {x}', 'i need {x}', 'can we have {x}'],
  check: ['it is {x} now', "so it's {x}", 'we need {x}', 'i would like {x}', 'could we have {x}'],
};
/** Around anything. */
const AROUND_ALL = {
  learn: ['{x}', '{x}', '{x}', 'hey, {x}', 'hey {x}', 'ok, {x}', 'okay {x}', '{x} now', 'now {x}', '{x}, thanks', 'so {x}', 'um {x}', 'well, {x}', 'hey home, {x}', '{x} please', '{x} right now', 'oh, {x}', '{x} again', 'yes, {x}', '{x} then', '{x} everyone', '{x} today'],
  check: ['{x}', '{x}', 'alright, {x}', 'hi, {x}', 'listen, {x}', '{x}, thank you', 'home, {x}', '{x} now please', 'uh {x}', 'hello, {x}', '{x} guys', '{x} tonight'],
};

/** Words that mean much the same here. */
const SYNONYMS = [
  ['start', 'begin', 'launch', 'activate', 'run'], ['stop', 'end', 'finish', 'quit'], ['turn on', 'switch on', 'put on'], ['turn off', 'switch off', 'shut off'],
  ['movie', 'film'], ['time', 'moment'], ['night', 'evening'], ['i want', 'i would like', "i'd like", 'i need'], ['we want', "we'd like", 'we need'],
  ['show', 'show me', 'display'], ['tell me', 'say', 'let me know'], ['give me', 'get me', 'bring me'], ['kids', 'children'], ['house', 'home', 'place'],
  ['get ready for', 'prepare for', 'set up for'], ['prepare', 'get ready', 'set up'], ['going', 'leaving', 'heading'], ['is coming', 'comes', 'is here', 'arrives'], ['mode', 'setting', 'scene'],
  ['quick', 'fast', 'short'], ['big', 'large'], ['begin', 'start'], ['everything', 'all', 'it all'], ['open', 'open up'], ['close', 'shut'], ['make', 'create', 'set'],
  ['check', 'look at', 'see'], ['clean', 'clean up', 'tidy'], ['tired', 'sleepy'], ['friends', 'guests', 'people'], ['dinner', 'supper'], ['bath', 'tub'], ['dog', 'puppy'],
  ["let's", 'let us', 'we should'], ["it's", 'it is'], ["i'm", 'i am'], ["we're", 'we are'], ['please', 'kindly'], ['my', 'the'], ['our', 'the'],
].map((group) => group.map((words) => ({ words, pattern: new RegExp(`(?<![\\w'])${words.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w'])`, 'i') })));

const SMALL = /^(the|a|an|my|our|now|just|please|some|really|to|for|of|in|is|it's|it|and)$/i;
const ADDED = { before: ['the', 'my', 'our', 'a', 'some'], anywhere: ['now', 'just', 'really', 'please'] };
const QUESTION = /^(what|who|where|how|is|are|do|does|will|should|am|have|which|any|when|why|must|may|did)\b/i;
/** What a command begins with: only before such a word does "could you" make sense. */
const VERB = /^(turn|switch|put|make|get|give|bring|set|start|begin|stop|end|launch|activate|run|play|read|tell|say|show|call|phone|ring|order|brew|feed|fill|water|wash|clean|tidy|open|close|shut|lock|unlock|light|dim|heat|warm|cool|charge|load|plug|save|lower|raise|keep|check|find|look|send|write|remind|add|take|buy|book|plan|prepare|help|welcome|mute|sound|cheer|go|be|do|watch|use|move|find|ask|let me|wake|cancel|delete|remove|pause|resume|skip|record|print|scan|cook|bake|grill|serve|park|drive)\b/i;

/** What a sentence begins with. */
const SENTENCE = /^(i|we|you|he|she|it|they|there|this|that|the|a|an|my|our|nobody|no one|someone|somebody|everyone|everybody|people|please|not?|don't|let's|let us|it's|i'm|i'd|we're|we'd|\w+ (is|are|was|has|have|had|will|needs?|wants?))\b/i;
/** After these words a small word fits. */
const TAKES_ARTICLE = /\b(need|needs|want|wants|have|get|make|start|begin|play|order|do|some|for|with) (?!the\b|a\b|an\b|my\b|our\b|some\b|it\b|us\b|me\b|to\b|for\b)/i;

const NEIGHBOURS = /** @type {Record<string, string>} */ ({
  a: 's', b: 'v', c: 'x', d: 'f', e: 'w', f: 'g', g: 'h', h: 'j', i: 'o', j: 'k', k: 'l', l: 'k', m: 'n', n: 'b', o: 'i', p: 'o', q: 'w', r: 't', s: 'd', t: 'y', u: 'i', v: 'c', w: 'e', x: 'z', y: 'u', z: 'x',
});

/** @typedef {(text: string, r: Random, part: Part) => string} Change the text itself where it does not apply */

/** @type {Change} */
export function polite(text, r, part) {
  const own = VERB.test(text) ? AROUND_COMMAND[part] : QUESTION.test(text) || SENTENCE.test(text) || text.split(' ').length > 3 ? [] : AROUND_NAME[part];
  const frames = !own.length || r.chance(0.4) ? AROUND_ALL[part] : own;
  return r.pick(frames).replace('{x}', () => text);
}
/** @type {Change} */
export function synonym(text, r) {
  const fits = SYNONYMS.flatMap((group) => group.filter(({ pattern }) => pattern.test(text)).map((from) => ({ from, group })));
  if (!fits.length) return text;
  const { from, group } = r.pick(fits);
  return text.replace(from.pattern, r.pick(group.filter((g) => g !== from)).words);
}
/** One small word less; of a long text now and then any word. @type {Change} */
export function dropped(text, r) {
  const words = text.split(' ');
  if (words.length < 2) return text;
  const small = words.flatMap((w, i) => (SMALL.test(w) ? [i] : []));
  const at = small.length ? r.pick(small) : words.length >= 5 ? r.below(words.length) : -1;
  return at < 0 ? text : words.toSpliced(at, 1).join(' ');
}
/** Nothing but the words that carry the meaning. @type {Change} */
export function shortened(text) {
  const words = text.split(' ').filter((word) => !SMALL.test(word));
  return words.length ? words.join(' ') : text;
}
/** One small word more, or another article. @type {Change} */
export function added(text, r) {
  const words = text.split(' ');
  const article = words.findIndex((w) => /^(the|a|my|our)$/i.test(w));
  if (article >= 0 && r.chance(0.5)) return words.with(article, r.pick(ADDED.before)).join(' ');
  if (TAKES_ARTICLE.test(text) && r.chance(0.5)) return text.replace(TAKES_ARTICLE, (before) => before + r.pick(ADDED.before) + ' ');
  return r.chance(0.5) ? `${text} ${r.pick(ADDED.anywhere)}` : words.toSpliced(r.below(words.length), 0, r.pick(ADDED.anywhere)).join(' ');
}
/** "start it when we eat, now" -> the last part first. @type {Change} */
export function reordered(text) {
  const parts = /^(.+?),? (now|tonight|today|please|then|(?:in|at|on|for) the \w+|for \w+)$/i.exec(text);
  return parts ? `${parts[2]}, ${parts[1]}` : text;
}
/** One slip in a word of four letters or more: the first letter stays. @type {Change} */
export function mistyped(text, r) {
  const places = [...text.matchAll(/[a-z]{4,}/gi)];
  if (!places.length) return text;
  const word = r.pick(places), i = word.index + 1 + r.below(word[0].length - 2), c = text[i].toLowerCase();
  return text.slice(0, i) + r.pick([text.slice(i + 1), text[i] + text.slice(i), text[i + 1] + text[i] + text.slice(i + 2), (NEIGHBOURS[c] ?? c) + text.slice(i + 1)]);
}
/** Capitals and marks at the end. @type {Change} */
export function styled(text, r) {
  const dice = r.next();
  const marked = dice < 0.2 ? text + (QUESTION.test(text) ? '?' : r.pick(['.', '!'])) : text;
  return r.chance(0.25) ? marked[0].toUpperCase() + marked.slice(1) : marked;
}

/** How often each change is made; they are made in this order. @type {readonly (readonly [Change, number])[]} */
const CHANGES = [[synonym, 0.35], [dropped, 0.2], [shortened, 0.08], [added, 0.12], [reordered, 0.1], [polite, 0.65], [mistyped, 0.2], [styled, 1]];

/**
 * One other way to say it. @param {string} text @param {Random} r @param {Part} part
 * @param {readonly string[]} [copied] words that the answer copies: a change that would touch them is not made
 */
export function paraphrase(text, r, part, copied = []) {
  const whole = (/** @type {string} */ t) => copied.every((word) => t.toLowerCase().includes(word.toLowerCase()));
  let out = text.trim().replace(/\s+/g, ' ').replace(/[.!?]+$/, '');
  for (const [change, share] of CHANGES) {
    const next = r.chance(share) ? change(out, r, part) : out;
    if (whole(next)) out = next;
  }
  return out;
}

/**
 * The same command in the manners of `polite`: so that manners mean nothing, they must stand around old commands as well as around new ones.
 * @param {Example} example @param {Random} r @param {Part} part @returns {Example}
 */
export function reframed({ say, do: answer }, r, part) {
  const bare = say.replace(/[.!?]+$/, '');
  return { say: polite(bare, r, part), do: answer };
}

/** As two texts are compared: without capitals, marks and blanks. @param {string} text */
export function plain(text) { return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ').trim(); }

/** How many of the paraphrases are made of pieces. */
const PIECES = 0.15, CROSSED = 0.25;
const NONE = /** @type {ReadonlySet<string>} */ (new Set());

/**
 * Different paraphrases of examples, evenly of each; where their answers have slots, two of three with other values.
 * @param {readonly Example[]} examples @param {{ n: number, seed: number, part: Part, telling?: ReadonlySet<string> }} options n: at most; telling: words by which the command
 *   is known (pieces.js), none: nothing is made of pieces
 * @returns {Example[]} none of them an example itself
 */
export function paraphrases(examples, { n, seed, part, telling = NONE }) {
  const r = random(2 * seed + Number(part === 'check')), seen = new Set(examples.map(({ say }) => plain(say))), slots = slotPaths(examples);
  const copiedBy = (/** @type {string} */ answer) => leaves(answer).filter(({ path }) => slots.has(path)).map(({ value }) => value);
  /** @type {Example[]} */ const out = [];
  for (let tries = 0; examples.length && out.length < n && tries < 20 * n; tries++) {
    const example = examples[tries % examples.length];
    const { say, do: answer } = slots.size && r.chance(0.67) ? swapped(example, slots, r) : example;
    const copied = copiedBy(answer);
    const text = paraphrase(telling.size ? inPieces(say, copied, r.pick(examples), r) : say, r, part, copied);
    if (seen.has(plain(text))) continue;
    seen.add(plain(text));
    out.push({ say: text, do: answer });
  }
  return out;

  /** Now and then only a piece of it, or of it and another one: with all words that the answer copies, and none that the other's answer does. @param {string} say @param {readonly string[]} copied @param {Example} other @param {Random} r */
  function inPieces(say, copied, other, r) {
    const dice = r.next(), has = (/** @type {string} */ text, /** @type {string} */ words) => text.toLowerCase().includes(words.toLowerCase());
    const text = dice < PIECES ? piece(say, r, telling) : dice < PIECES + CROSSED ? crossed(say, other.say, r, telling) : say;
    return copied.every((words) => has(text, words)) && !copiedBy(other.do).some((words) => has(text, words) && !has(say, words)) ? text : say;
  }
}

// @ts-check
/**
 * A command in other pieces: what tells it from the others are a few words of its own ("bus", "timetable"), and people put them into any frame. So the lesson
 * also has such words with little around them, and the beginning of one example with the end of another.
 */
import { wordsIn } from '../home/words.js';
import { leaves, slotPaths } from './slots.js';

/** @typedef {import('./random.js').Random} Random @typedef {import('./slots.js').Example} Example */

/** So many times as often in the examples as in the old commands. */
const TELLING = 10;

/**
 * The words that tell a command from the old ones, with the number of examples that have them.
 * @param {readonly Example[]} examples @param {ReadonlyMap<string, number>} old share of old commands that have a word @returns {Map<string, number>} in small letters
 */
export function tellingWords(examples, old) {
  const slots = slotPaths(examples);
  /** @type {Map<string, number>} */ const count = new Map();
  for (const { say, do: answer } of examples) {
    const copied = new Set(leaves(answer).filter(({ path }) => slots.has(path)).flatMap(({ value }) => wordsIn(value))); // what fills a slot tells nothing
    for (const word of new Set(wordsIn(say))) if (word.length > 2 && !copied.has(word)) count.set(word, (count.get(word) ?? 0) + 1);
  }
  return new Map([...count].filter(([word, n]) => n / examples.length >= TELLING * Math.max(old.get(word) ?? 0, 0.001)));
}

/**
 * What tells a request for a command: the telling words; where an example has none, two words of it that follow each other.
 * @param {readonly Example[]} examples @param {ReadonlyMap<string, number>} telling @returns {string[]}
 */
export function tellingTerms(examples, telling) {
  const terms = new Set(telling.keys());
  for (const { say } of examples) {
    const words = wordsIn(say);
    if (words.some((word) => telling.has(word))) continue;
    for (let i = 0; i < Math.max(1, words.length - 1); i++) terms.add(words.slice(i, i + 2).join(' '));
  }
  return [...terms];
}

/** Those of several examples, if there are any. @param {ReadonlyMap<string, number>} telling @returns {Set<string>} */
export function commonWords(telling) {
  const common = [...telling].filter(([, n]) => n > 1);
  return new Set((common.length ? common : [...telling]).map(([word]) => word));
}

/** In how many of these sentences each word is, as a share of them. @param {readonly string[]} sentences @returns {Map<string, number>} */
export function wordShares(sentences) {
  /** @type {Map<string, number>} */ const shares = new Map();
  for (const text of sentences) for (const word of new Set(wordsIn(text))) shares.set(word, (shares.get(word) ?? 0) + 1 / sentences.length);
  return shares;
}

/** @param {readonly string[]} words @param {ReadonlySet<string>} telling */
const tells = (words, telling) => words.some((word) => wordsIn(word).some((w) => telling.has(w)));

/** A telling word with at most two words on either side; the text itself if it has none. @param {string} text @param {Random} r @param {ReadonlySet<string>} telling */
export function piece(text, r, telling) {
  const words = text.split(' '), at = words.flatMap((word, i) => (tells([word], telling) ? [i] : []));
  if (!at.length) return text;
  const i = r.pick(at);
  return words.slice(Math.max(0, i - r.below(3)), i + 1 + r.below(3)).join(' ');
}

/** The beginning of one text and the end of another, with a telling word in it; the text itself if that does not come out. @param {string} text @param {string} other @param {Random} r @param {ReadonlySet<string>} telling */
export function crossed(text, other, r, telling) {
  const [first, last] = r.chance(0.5) ? [text, other] : [other, text], a = first.split(' '), b = last.split(' ');
  if (a.length < 2 || b.length < 2) return text;
  const words = [...a.slice(0, 1 + r.below(a.length - 1)), ...b.slice(1 + r.below(b.length - 1))];
  return words.length <= 9 && tells(words, telling) ? words.join(' ') : text;
}

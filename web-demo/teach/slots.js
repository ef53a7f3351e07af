// @ts-check
/**
 * Slots: what an answer copies from the request ("feed bella" => {"pet":"bella"}). Where the examples show that a value changes with the words, the lesson
 * also gets other values in its place, so that the model learns to copy and not to remember.
 */

import { SLOT } from '../home/taught.js';
import { wordsIn } from '../home/words.js';

/** @typedef {import('./random.js').Random} Random */
/** @typedef {{ say: string, do: string }} Example what is said, and the answer to it */
/** @typedef {{ path: string, value: string }} Leaf */

/** Stand-ins: names, things, and words that nobody knows, short and long. */
const WORDS = `anna ben carla david emma felix grace henry jack kate leo maria noah olivia paul rosa sam tina victor zoe peter julia oscar laura max lucas
mike susan robert helen arthur stella frank walter martha george kevin hannah martin rocky buddy coco ruby charlie teddy molly zeus bruno pepper ginger
milk bread keys wallet phone glasses garden kitchen office bridge river mountain silver tiger rabbit basket candle ladder hammer window paper
brelo zanto mirka tolvin quarri shendo pilk drosta vemmy flandor`.split(/\s+/);
const PAIRS = ['my sister', 'my mother', 'uncle joe', 'aunt mary', 'the dog', 'the old man', 'doctor brown', 'miss green', 'black cat', 'big brother', 'our neighbour', 'the office'];

/** Every text in a JSON answer, with its place. @param {string} json @returns {Leaf[]} none, if the answer is no JSON */
export function leaves(json) {
  /** @type {Leaf[]} */ const out = [];
  const walk = (/** @type {unknown} */ value, /** @type {string} */ path) => {
    if (typeof value === 'string') out.push({ path, value });
    else if (value && typeof value === 'object') for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`);
  };
  try { walk(JSON.parse(json), ''); } catch { return []; }
  return out;
}

/** @param {string} value as a whole word or words */
const wordPattern = (value) => new RegExp(`(?<![\\w'])${value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w'])`, 'i');

/** The places of answers that are copied from the request: in two examples or more, with two values or more. @param {readonly Example[]} examples @returns {Set<string>} */
export function slotPaths(examples) {
  /** @type {Map<string, Set<string>>} */ const values = new Map();
  for (const { say, do: answer } of examples) {
    for (const { path, value } of leaves(answer)) {
      if (!wordPattern(value).test(say)) continue;
      values.set(path, (values.get(path) ?? new Set()).add(value.toLowerCase()));
    }
  }
  return new Set([...values].filter(([, different]) => different.size > 1).map(([path]) => path));
}

/** The example with another value in each of its slots. @param {Example} example @param {Set<string>} paths @param {Random} r @returns {Example} */
export function swapped(example, paths, r) {
  let { say, do: answer } = example;
  for (const { path, value } of leaves(answer)) {
    if (!paths.has(path) || !wordPattern(value).test(say)) continue;
    const other = r.chance(0.2) ? r.pick(PAIRS) : r.pick(WORDS);
    say = say.replace(wordPattern(value), other);
    answer = answer.replace(JSON.stringify(value), JSON.stringify(other));
  }
  return { say, do: answer };
}

/**
 * Every different answer of the examples, with a mark where it is copied, and the words around what is copied.
 * @param {readonly Example[]} examples @param {string[]} [telling] what tells a request for the command (pieces.js) @returns {import('../home/taught.js').Taught[]}
 */
export function answersOf(examples, telling = []) {
  const paths = slotPaths(examples), copied = new Set(), around = new Set();
  const answers = new Set(examples.map(({ say, do: answer }) => {
    const filled = leaves(answer).filter(({ path, value }) => paths.has(path) && wordPattern(value).test(say));
    for (const { value } of filled) for (const word of wordsIn(value)) copied.add(word);
    for (const word of wordsIn(filled.reduce((text, { value }) => text.replace(wordPattern(value), ' '), say))) around.add(word);
    return filled.reduce((text, { value }) => text.replace(JSON.stringify(value), JSON.stringify(SLOT)), answer);
  }));
  const own = [...around].filter((word) => !copied.has(word));
  return [...answers].map((answer) => ({ answer, own: answer.includes(JSON.stringify(SLOT)) ? own : [], telling }));
}

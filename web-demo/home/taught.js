// @ts-check
/**
 * What a taught command answers, kept as the description of its adapter, so that it travels with the record and the JSON file. The form of answers (form.js) lets
 * it pass beside the model's own.
 *
 * @typedef {object} Taught
 * @property {string} answer with a mark where it takes words from the request: {"intent":"feed","pet":"…"}
 * @property {string[]} own words of the command itself, in small letters, which never fill such a place: feed, give, hungry
 * @property {string[]} telling words, or several with blanks between, in small letters, of which a request for it has one (../teach/pieces.js): feed, hungry
 */

import { isNearly, wordsIn } from './words.js';

/** Stands for words of the request. */
export const SLOT = '…';

const LEAD = 'Answers: ';
/** Of the JSON form of an adapter. */
const LONGEST = 10_000;

/** @param {readonly Taught[]} answers @returns {string} '' where they are too long */
export function describeAnswers(answers) {
  const text = LEAD + JSON.stringify(answers);
  return text.length <= LONGEST ? text : '';
}

/** @param {string} description @returns {Taught[] | null} null: it does not say */
export function answersIn(description) {
  if (!description.startsWith(LEAD)) return null;
  try {
    const list = JSON.parse(description.slice(LEAD.length));
    return Array.isArray(list) && list.every(isEntry) ? list : null;
  } catch { return null; }
}

/** Shorter words become other words by a slip: feed, need. */
const SLIPS_FROM = 5;

/** Does a request say one of these, as it is or, if it is one word, with one slip of the keyboard after its first letter? @param {string} request @param {readonly string[]} telling words, or several with blanks between */
export function says(request, telling) {
  const words = wordsIn(request), text = ` ${words.join(' ')} `;
  return telling.some((one) => text.includes(` ${one} `) || (one.length >= SLIPS_FROM && words.some((word) => word[0] === one[0] && isNearly(word, one))));
}

/** Is this answer one of them? @param {string} text @param {readonly Taught[]} taught */
export function isTaughtAnswer(text, taught) {
  return taught.some(({ answer }) => {
    const parts = answer.split(JSON.stringify(SLOT)).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('"(?:[^"\\\\]|\\\\.)*"')}$`, 's').test(text);
  });
}

const areWords = (/** @type {unknown} */ list) => Array.isArray(list) && list.every((word) => typeof word === 'string');
/** @param {any} entry */
const isEntry = (entry) => typeof entry?.answer === 'string' && areWords(entry.own) && areWords(entry.telling);

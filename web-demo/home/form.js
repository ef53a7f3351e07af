// @ts-check
/**
 * The form of an answer to one request, as a grammar (GBNF): a command of the home model takes words and numbers from what was said, and never makes them up;
 * a sentence is one of those that it was taught.
 * A model of this size now and then loses its way within a long word ("conservatory" becomes "condservatory"); held to the words of the request it cannot.
 */
import { INTENTS, PLACES, TALK } from './intents.js';
import { SLOT } from './taught.js';
import { isNearly } from './words.js';

const MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'];
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const ONES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'];
const TENS = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
/** Numbers that hide in other words: "an hour and a half", "a quarter", "full". @type {Readonly<Record<string, readonly number[]>>} */
const MEANT = { a: [1], an: [1], half: [30, 50], quarter: [15, 25], quarters: [45, 75], full: [100], maximum: [100], max: [100], minimum: [1], min: [1], hundred: [100] };

/** @param {readonly string[]} list */
const anyOf = (list) => `(${list.map((text) => JSON.stringify(text)).join(' | ')})`;
/** @param {string} intent */
const ruleOf = (intent) => `is-${intent.replaceAll('_', '-')}`;

/** What is the same for every request. Values that are copied: `words`; numbers that were said: `said`. */
const RULES = [
  'number ::= said (".5")?',
  'duration ::= "\\"" said [hms] (said "m")? "\\""',
  'time ::= "\\"" [0-2] [0-9] ":" [0-5] [0-9] "\\""',
  `day ::= "\\" " ("today" | "tomorrow" | ("next ")? ${anyOf(DAYS)} | ${anyOf(MONTHS)} " " [1-9] [0-9]?) "\\""`,
  `place ::= words | "\\" " ${anyOf(PLACES)} "\\""`,
  'items ::= "[" words ("," words)* "]"',
  ...INTENTS.map(([intent, slots]) => `${ruleOf(intent)} ::= "${intent}\\"" ${slots.map(([name, kind]) => `(",\\"${name}\\":" ${kind})?`).join(' ')}`),
  `step ::= "{\\"intent\\":\\"" (${INTENTS.map(([intent]) => ruleOf(intent)).join(' | ')}) "}"`,
  'several ::= "{\\"intent\\":\\"multi\\",\\"steps\\":[" step ("," step)* "]}"',
  'none ::= "{\\"intent\\":\\"none\\"}"',
  `talk ::= ${anyOf(TALK)}`,
];

/** Without the marks at their ends. @param {string} request */
const wordsOf = (request) => request.split(/\s+/).map((word) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '')).filter((word) => word !== '');

/** Rules for words that follow each other, between quotation marks. @param {string} name @param {readonly string[][]} words ways to write each; none: it is left out */
function copying(name, words) {
  const from = words.flatMap((ways, i) => (ways.length ? [`${name}${i} ::= ${anyOf(ways.map((word) => JSON.stringify(word).slice(1, -1)))}${words[i + 1]?.length ? ` (" " ${name}${i + 1})?` : ''}`] : []));
  const begins = words.flatMap((ways, i) => (!ways.length ? [] : /^\p{L}/u.test(ways[0]) ? [`" " ${name}${i}`] : [`${name}${i}`]));
  return [`${name} ::= "\\"" (${begins.join(' | ') || '" "'}) "\\""`, ...from];
}

/**
 * A taught answer as it is, but for words of the request where it has slots: those of the command itself fill none of them, if there are others. A person's
 * capitals may stay; the model's own answers are in small letters.
 * @param {string} name of the rule @param {import('./taught.js').Taught} taught @param {readonly string[]} words
 */
function taughtRules(name, { answer, own }, words) {
  const parts = answer.split(JSON.stringify(SLOT)).map((part) => JSON.stringify(part)), rule = `${name} ::= ${parts.join(` ${name}-slot `)}`;
  if (parts.length === 1) return [rule];
  const ways = words.map((word) => [...new Set([word.toLowerCase(), word])]), others = ways.map(([small, ...rest]) => (own.includes(small) ? [] : [small, ...rest]));
  return [rule, ...copying(`${name}-slot`, others.some((w) => w.length) ? others : ways)];
}

/** Every number that somebody who says this may mean, in digits. @param {string} request @returns {string[]} */
export function numbersIn(request) {
  const text = request.toLowerCase(), said = new Set(text.match(/\d+/g)?.map((digits) => String(Number(digits))));
  const words = text.split(/[^\p{L}]+/u);
  const among = (/** @type {readonly string[]} */ names, /** @type {string} */ word) => names.flatMap((name, i) => (isNearly(word, name) ? [i] : []));
  words.forEach((word, i) => {
    for (const meant of among(Object.keys(MEANT), word)) Object.values(MEANT)[meant].forEach((n) => said.add(String(n)));
    for (const one of among(ONES, word)) said.add(String(one));
    for (const ten of among(TENS, word)) {
      for (const one of [0, ...among(ONES.slice(0, 10), words[i + 1] ?? '')]) said.add(String(20 + 10 * ten + one));
    }
  });
  return [...said].filter((digits) => digits.length <= 4);
}

/**
 * @param {string} request @param {readonly import('./taught.js').Taught[]} [taught] answers that may be given as well, in the home model's way of writing (frame.js)
 * @returns {string} the grammar, in the same way of writing
 */
export function formOf(request, taught = []) {
  const words = wordsOf(request), numbers = numbersIn(request);
  return [`root ::= several | none | step | talk${taught.map((_, i) => ` | taught${i}`).join('')}`, ...RULES, ...taught.flatMap((one, i) => taughtRules(`taught${i}`, one, words)), ...copying('words', words.map((word) => [word.toLowerCase()])),
    `said ::= ${numbers.length ? anyOf(numbers) : '[0-9]+'}`, ''].join('\n');
}

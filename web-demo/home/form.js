// @ts-check
/**
 * The form of an answer to one request, as a grammar (GBNF): a command of the home model takes words and numbers from what was said, and never makes them up;
 * a sentence is one of those that it was taught.
 * A model of this size now and then loses its way within a long word ("conservatory" becomes "condservatory"); held to the words of the request it cannot.
 * Where the request says a time, a day or a number that is understood (said.js), there is no other; where it says "and then" or the like, each command is made of its own part.
 */
import { INTENTS, PLACES, TALK } from './intents.js';
import { DAYS, MONTHS, daysIn, numbersIn, timesIn, unitsIn } from './said.js';
import { SLOT } from './taught.js';
import { isNearly } from './words.js';

/** Begins another command for certain; "next friday" does not. */
const THEN = /(?:[,.;!?]\s+|\s)(?:(?:and\s+)?(?:then|afterwards?|after\s+(?:that|this)|also|plus)|(?:and\s+|(?<=[,.;!?]\s))next(?!\s+\p{L}+day\b))\s|(?<=\S\s+\S*)(?<!\b[ap]\.\s?m)[.;!?]\s+(?=\S+\s+\S)(?:and\s+)?/giu;
/** May begin another one, or go on with a list. */
const PERHAPS = /,|\sand\s/i;

/** @param {readonly string[]} list */
const anyOf = (list) => `(${list.map((text) => JSON.stringify(text)).join(' | ')})`;
/** @param {string} intent */
const ruleOf = (intent) => `is-${intent.replaceAll('_', '-')}`;

const SLOTTED = INTENTS.filter(([, slots]) => slots.length), PLAIN = INTENTS.filter(([, slots]) => !slots.length);

/** What is the same for every request. */
const RULES = [
  `plain ::= ${anyOf(PLAIN.map(([intent]) => `${intent}"`))}`,
  'none ::= "{\\"intent\\":\\"none\\"}"',
  `talk ::= ${anyOf(TALK)}`,
];
/** Days, where none is said that is understood. */
const ANY_DAY = `"\\" " ("today" | "tomorrow" | ("next ")? ${anyOf(DAYS)} | ${anyOf(MONTHS)} " " [1-9] [0-9]?) "\\""`;

/**
 * One command, of the words, numbers, times and days of a part of a request. @param {string} part @param {string} at ends the names of its rules
 * @returns {string[]} rules, the first is `step` + at
 */
function stepRules(part, at) {
  const words = wordsOf(part).map((word) => word.toLowerCase()), numbers = numbersIn(part), units = unitsIn(part), times = timesIn(part), days = daysIn(part);
  const places = PLACES.filter((name) => name.split(' ').every((word) => words.some((said) => isNearly(said, word)))); // mistyped, too
  const quoted = (/** @type {readonly string[]} */ list, /** @type {string} */ before) => `"\\"${before}" ${anyOf(list)} "\\""`;
  return [
    `step${at} ::= "{\\"intent\\":\\"" (plain | ${SLOTTED.map(([intent]) => `${ruleOf(intent)}${at}`).join(' | ')}) "}"`,
    ...SLOTTED.map(([intent, slots]) => `${ruleOf(intent)}${at} ::= "${intent}\\"" ${slots.map(([name, kind]) => `(",\\"${name}\\":" ${kind}${at})?`).join(' ')}`),
    `said${at} ::= ${numbers.length ? anyOf(numbers) : '[0-9]+'}`,
    `number${at} ::= said${at} (".5")?`,
    `duration${at} ::= "\\"" said${at} [${units.join('') || 'hms'}] (said${at} [${units.filter((unit) => unit !== 'h').join('') || 'm'}])? "\\""`,
    `time${at} ::= ${times.length ? quoted(times, '') : '"\\"" [0-2] [0-9] ":" [0-5] [0-9] "\\""'}`,
    `day${at} ::= ${days.length ? quoted(days, ' ') : ANY_DAY}`,
    `place${at} ::= words${at}${places.length ? ` | ${quoted(places, ' ')}` : ''}`,
    `items${at} ::= "[" words${at} ("," words${at})* "]"`,
    ...copying(`words${at}`, words.map((word) => [word]), breaksOf(part)),
  ];
}

/**
 * Commands in the order of their parts. Where the request has no second part, a comma or "and" may stand between commands.
 * @param {string} request @returns {string[]} rules, the last is `several`, if there may be more than one
 */
function severalRules(request) {
  const parts = partsOf(request), some = (/** @type {string} */ step) => `${step} ("," ${step})*`;
  if (parts.length < 2) return PERHAPS.test(request) ? [several('step "," step ("," step)*')] : [];
  return [...parts.flatMap((part, i) => stepRules(part, `-${i}-`)), several(parts.map((part, i) => (PERHAPS.test(part) ? some(`step-${i}-`) : `step-${i}-`)).join(' "," '))];
}
const several = (/** @type {string} */ steps) => `several ::= "{\\"intent\\":\\"multi\\",\\"steps\\":[" ${steps} "]}"`;

/** Where another command begins for certain. @param {string} request @returns {string[]} */
export function partsOf(request) { return request.trim().split(THEN).filter((part) => wordsOf(part).length); }

/** Without the marks at their ends. @param {string} request */
const wordsOf = (request) => request.split(/\s+/).map((word) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '')).filter((word) => word !== '');

/** After which words a mark stands: what is copied does not go on behind it. @param {string} request */
const breaksOf = (request) => request.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).map((word) => /[,;:!?]$/.test(word));

/** Rules for words that follow each other, between quotation marks. @param {string} name @param {readonly string[][]} words ways to write each; none: it is left out @param {readonly boolean[]} breaks after which of them */
function copying(name, words, breaks) {
  const from = words.flatMap((ways, i) => (ways.length ? [`${name}${i} ::= ${anyOf(ways.map((word) => JSON.stringify(word).slice(1, -1)))}${words[i + 1]?.length && !breaks[i] ? ` (" " ${name}${i + 1})?` : ''}`] : []));
  const begins = words.flatMap((ways, i) => (!ways.length ? [] : /^\p{L}/u.test(ways[0]) ? [`" " ${name}${i}`] : [`${name}${i}`]));
  return [`${name} ::= "\\"" (${begins.join(' | ') || '" "'}) "\\""`, ...from];
}

/**
 * A taught answer as it is, but for words of the request where it has slots: those of the command itself fill none of them, if there are others. A person's
 * capitals may stay; the model's own answers are in small letters.
 * @param {string} name of the rule @param {import('./taught.js').Taught} taught @param {readonly string[]} words @param {readonly boolean[]} breaks
 */
function taughtRules(name, { answer, own }, words, breaks) {
  const parts = answer.split(JSON.stringify(SLOT)).map((part) => JSON.stringify(part)), rule = `${name} ::= ${parts.join(` ${name}-slot `)}`;
  if (parts.length === 1) return [rule];
  const ways = words.map((word) => [...new Set([word.toLowerCase(), word])]), others = ways.map(([small, ...rest]) => (own.includes(small) ? [] : [small, ...rest]));
  return [rule, ...copying(`${name}-slot`, others.some((w) => w.length) ? others : ways, breaks)];
}

/**
 * @param {string} request @param {readonly import('./taught.js').Taught[]} [taught] answers that may be given as well, in the home model's way of writing (frame.js)
 * @returns {string} the grammar, in the same way of writing
 */
export function formOf(request, taught = []) {
  const words = wordsOf(request), several = severalRules(request);
  return [`root ::= ${several.length ? 'several | ' : ''}none | step | talk${taught.map((_, i) => ` | taught${i}`).join('')}`, ...RULES, ...stepRules(request, ''), ...several, ...taught.flatMap((one, i) => taughtRules(`taught${i}`, one, words, breaksOf(request))), ''].join('\n');
}

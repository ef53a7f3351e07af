// @ts-check
/** What a request says in numbers: counts, times, days, units. Each function gives every value that somebody who says this may mean; none: it says nothing of the kind, or nothing that is understood here. */
import { isNearly } from './words.js';

export const MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'];
export const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const ONES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'];
const TENS = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const ORDINALS = ['zeroth', 'first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth', 'eleventh', 'twelfth', 'thirteenth', 'fourteenth', 'fifteenth', 'sixteenth', 'seventeenth', 'eighteenth', 'nineteenth', 'twentieth'];
/** Numbers that hide in other words: "an hour and a half", "a quarter", "full". @type {Readonly<Record<string, readonly number[]>>} */
const MEANT = { half: [30, 50], quarter: [15, 25], quarters: [45, 75], full: [100], maximum: [100], max: [100], minimum: [1], min: [1], hundred: [100] };
/** Units of time, by how they are written in an answer. @type {Readonly<Record<'h' | 'm' | 's', readonly string[]>>} */
const UNITS = { h: ['hour', 'hours', 'hr', 'hrs', 'h'], m: ['minute', 'minutes', 'min', 'mins', 'm'], s: ['second', 'seconds', 'sec', 'secs', 's'] };
/** After "a" or "an" these count one. */
const COUNTED = [...UNITS.h, ...UNITS.m, ...UNITS.s, 'degree'];

/** Shorter words become other words by a slip: for, four. */
const SLIPS_FROM = 4;

/** Which of these names a word is; with a slip of the keyboard only if it is none as it stands. @param {readonly string[]} names @param {string | undefined} word @returns {number[]} places in names */
function among(names, word) {
  if (!word) return [];
  const exact = names.indexOf(word);
  return exact >= 0 ? [exact] : word.length < SLIPS_FROM ? [] : names.flatMap((name, i) => (word[0] === name[0] && isNearly(word, name) ? [i] : []));
}
const wordsOf = (/** @type {string} */ request) => request.toLowerCase().split(/[^\p{L}]+/u).filter(Boolean);
const isOneOf = (/** @type {readonly string[]} */ names, /** @type {string | undefined} */ word) => among(names, word).length > 0;

/** A word is a number of one list only, if it stands in one as it is: "eighty" is no mistyped "eight". @param {string | undefined} word @returns {{ ones: number[], tens: number[] }} */
function numberWord(word) {
  const ones = among(ONES, word), tens = among(TENS, word).map((i) => 20 + 10 * i), known = word && [...ONES, ...TENS, ...Object.keys(MEANT)].includes(word);
  return known ? { ones: ones.filter((n) => ONES[n] === word), tens: tens.filter((n) => TENS[n / 10 - 2] === word) } : { ones, tens };
}

/** In digits. @param {string} request @returns {string[]} */
export function numbersIn(request) {
  const said = new Set(request.match(/\d+/g)?.map((digits) => String(Number(digits)))), words = wordsOf(request), add = (/** @type {number} */ n) => said.add(String(n));
  for (let i = 0; i < words.length; i++) {
    const word = words[i], next = words[i + 1], { ones, tens } = numberWord(word);
    if (/^an?$/.test(word) && isOneOf(COUNTED, next)) add(1);
    for (const k of among(Object.keys(MEANT), word)) Object.values(MEANT)[k].forEach(add);
    ones.forEach(add);
    const after = tens.length ? numberWord(next).ones.filter((n) => n > 0 && n < 10) : [];
    for (const ten of tens) for (const one of after.length ? after : [0]) add(ten + one);
    if (after.length && ONES.includes(next)) i++; // "twenty five" says no five
    else if (after.length) tens.forEach(add); // perhaps only nearly a number
  }
  return [...said].filter((digits) => digits.length <= 4);
}

/** Letters of the units of time. @param {string} request @returns {string[]} */
export function unitsIn(request) {
  const words = [...wordsOf(request), ...request.toLowerCase().match(/(?<=\d)[a-z]+/g) ?? []], said = new Set();
  for (const [unit, names] of Object.entries(UNITS)) if (words.some((word) => isOneOf(names, word))) said.add(unit);
  if (words.some((word) => isOneOf(['half', 'quarter', 'quarters'], word))) for (const [of, unit] of [['m', 's'], ['h', 'm']]) if (said.has(of)) said.add(unit); // half an hour
  return [...said];
}

/** "HH:MM". @param {string} request @returns {string[]} */
export function timesIn(request) {
  const words = request.toLowerCase().replace(/\b([ap])\.\s?m\b\.?/g, '$1m').replace(/(\d)([a-z])/g, '$1 $2').match(/\d+:\d+|[\p{L}\p{N}]+/gu) ?? [];
  /** @type {Set<string>} */ const times = new Set();
  for (let i = 0; i < words.length;) i += timeAt(words, i, (h, m) => times.add(`${`${h}`.padStart(2, '0')}:${`${m}`.padStart(2, '0')}`));
  return [...times];
}

/** One number below 100 at a place. @param {readonly string[]} words @param {number} i @returns {{ n: number, length: number } | null} */
function countAt(words, i) {
  if (/^\d{1,2}$/.test(words[i] ?? '')) return { n: Number(words[i]), length: 1 };
  const { ones: [one], tens: [ten] } = numberWord(words[i]);
  if (ten === undefined) return one === undefined ? null : { n: one, length: 1 };
  const [after] = numberWord(words[i + 1]).ones.filter((n) => n > 0 && n < 10);
  return after ? { n: ten + after, length: 2 } : { n: ten, length: 1 };
}

/** The longest time that begins at a place. @param {readonly string[]} words @param {number} i @param {(h: number, m: number) => void} add @returns {number} words to go on by */
function timeAt(words, i, add) {
  if (isOneOf(['noon', 'midday'], words[i])) { add(12, 0); return 1; }
  if (isOneOf(['midnight'], words[i])) { add(0, 0); return 1; }
  const clock = /^(\d{1,2}):(\d{2})$/.exec(words[i]), first = clock ? null : words[i] === 'half' ? { n: 30, length: 1 } : words[i] === 'quarter' ? { n: 15, length: 1 } : countAt(words, i);
  if (clock) return hours(i + 1, Number(clock[1]), Number(clock[2])) - i;
  if (!first) return 1;
  const way = words[i + first.length], other = /^(past|after|to|before)$/.test(way ?? '') ? countAt(words, i + first.length + 1) : null;
  if (other && first.n < 60) return hours(i + first.length + 1 + other.length, /past|after/.test(way) ? other.n : (other.n + 11) % 12 + (other.n > 12 ? 12 : 0), /past|after/.test(way) ? first.n : 60 - first.n) - i;
  if (/^(half|quarter)$/.test(words[i])) return 1;
  const oh = /^(oh?|zero)$/.test(words[i + first.length] ?? '') ? 1 : 0, minutes = countAt(words, i + first.length + oh), unit = minutes && words[i + first.length + oh + minutes.length];
  if (minutes && minutes.n < 60 && (oh ? minutes.n < 10 : minutes.n > 9) && !isOneOf(COUNTED.filter((name) => name.length > 1), unit || undefined)) return hours(i + first.length + oh + minutes.length, first.n, minutes.n) - i;
  return hours(i + first.length, first.n, 0) - i;

  /** With what is said after it of the half of the day. @param {number} at @param {number} h @param {number} m @returns {number} the place behind it */
  function hours(at, h, m) {
    const rest = words.slice(at, at + 4).join(' ').replace(/^(o clock|oclock) /, ''), morning = /^(am\b|in the morning)/.test(rest), evening = /^(pm\b|in the (afternoon|evening)|at night)/.test(rest);
    if (h < 24 && m < 60) {
      if (h > 12 || (h % 12 && morning) || (h === 12 && evening)) add(h, m);
      else if (h % 12 && evening) add(h + 12, m);
      else if (h === 12 && morning) add(0, m);
      else { add(h, m); add((h + 12) % 24, m); }
    }
    return at;
  }
}

/** As an answer has them: "today", "next friday", "june 5". @param {string} request @returns {string[]} */
export function daysIn(request) {
  const words = request.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [], days = new Set();
  words.forEach((word, i) => {
    if (isOneOf(['today', 'tonight'], word)) days.add('today');
    if (isOneOf(['tomorrow'], word)) days.add('tomorrow');
    for (const day of among(DAYS, word)) { days.add(DAYS[day]); if (isOneOf(['next'], words[i - 1])) days.add(`next ${DAYS[day]}`); }
    if (word === 'may' && words[i - 1] !== 'of' && !isDate(words[i + 1])) return; // "you may"
    for (const month of among(MONTHS, word)) for (const n of datesIn(words)) days.add(`${MONTHS[month]} ${n}`);
  });
  return [...days];
}
const isDate = (/** @type {string | undefined} */ word) => /^\d{1,2}(st|nd|rd|th)?$/.test(word ?? '') || isOneOf(ORDINALS, word);
/** Days of a month. @param {readonly string[]} words @returns {number[]} */
function datesIn(words) {
  const said = new Set([...words.flatMap((word) => { const digits = /^(\d{1,2})(st|nd|rd|th)?$/.exec(word); return digits ? [Number(digits[1])] : among(ORDINALS, word); }), ...numbersIn(words.join(' ')).map(Number)]);
  for (const ten of [20, 30]) words.forEach((word, i) => { if (word === TENS[ten / 10 - 2]) for (const one of among(ORDINALS, words[i + 1])) said.add(ten + one); });
  if (words.includes('thirtieth')) said.add(30);
  return [...said].filter((n) => n > 0 && n < 32);
}

// @ts-check
/** How a model is asked and how it writes: the home model has a frame of its own, any other text model gets the words and a line break. */

/**
 * @typedef {object} Frame
 * @property {boolean} home the home model's
 * @property {(text: string) => string} ask what the model reads before it answers
 * @property {(answer: string) => string} write an answer as the model writes it
 * @property {(text: string) => string} read what the model wrote, for people and programs: read(write(answer)) is the answer, without blanks between JSON's parts
 */

/** What the home model's training data has around a request (models/home/generate.mjs). */
export const USER = '<|user|>', HOME = '<|home|>';

/** A text in JSON, with the colon after it if it is a key, or blanks between the parts. Works on the text, so that no number is rounded and a broken-off answer is read as well. */
const PART = /"((?:[^"\\]|\\.?)*)("|$)(\s*:)?|\s+/gs;
/** JSON with every text changed but for keys and intents; other answers stay as they are. @param {string} text @param {(value: string) => string} change */
function withTexts(text, change) {
  if (!/^\s*[[{]/.test(text)) return text.trim();
  let key = '';
  return text.replace(PART, (_, value, end, colon) => {
    if (value === undefined) return '';
    if (colon) return `"${key = value}":`;
    return `"${key === 'intent' ? value : change(value)}${end}`;
  });
}

/**
 * The home model writes a blank before the words that it takes from the request: {"intent":"light_on","room":" porch"}. " porch" there and here is then the same
 * token, so that a word which training never had is copied by looking it up; after a quotation mark it would be other tokens. An intent is the model's own word. @type {Frame}
 */
export const HOME_FRAME = Object.freeze({
  home: true,
  ask: (text) => `${USER} ${text === text.toUpperCase() ? text.trim().toLowerCase() : text.trim()}${HOME}`, // it never learned to read capitals throughout
  write: (answer) => withTexts(answer, (value) => (/^[\p{L} ]/u.test(value) ? ` ${value}` : value)),
  read: (text) => withTexts(text, (value) => value.replace(/^ (?=[\p{L} ])/u, '')),
});
const asItIs = (/** @type {string} */ text) => text.trim();
/** @type {Frame} */
export const PLAIN_FRAME = Object.freeze({ home: false, ask: (text) => `${text}\n`, write: asItIs, read: asItIs });

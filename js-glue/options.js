// @ts-check
// Options of a generation: names, bounds and defaults in one place. A wrong option is an error that names it, never ignored.
import { EdgeNetError } from './errors.js';
import { PARAMS } from './params.js';

/**
 * @typedef {object} GenerateOptions
 * @property {number} [maxTokens] tokens to generate at most (256)
 * @property {number} [temperature] 0 is greedy (0.8)
 * @property {number} [topK] keep the k most likely tokens, 0 keeps all (40)
 * @property {number} [topP] keep the most likely tokens whose probabilities sum to this (0.95)
 * @property {number} [minP] drop tokens less likely than this share of the most likely one (0.05)
 * @property {number} [repetitionPenalty] 1 is off (1)
 * @property {number} [repetitionWindow] recent tokens that the penalty looks at (64)
 * @property {number} [seed] the same seed, prompt and engine give the same text; without it every call draws anew
 * @property {string[]} [stopSequences] the text ends before any of these
 * @property {boolean} [ignoreEos] go on after the model's end token (false)
 * @property {Record<number, number> | Map<number, number>} [logitBias] token id -> number added to its logit; -Infinity forbids it
 * @property {string} [grammar] the text keeps to this grammar, in llama.cpp's notation (GBNF)
 * @property {ResponseFormat} [responseFormat] the text is JSON, or JSON that keeps to a schema
 * @property {boolean} [specialTokens] read special tokens such as <|im_end|> in the prompt as such (true)
 * @property {boolean} [addBos] put the model's first token before the prompt if its file says so (true)
 * @property {string} [chatTemplate] for chats: use this Jinja template instead of the file's
 * @property {readonly object[]} [tools] for chats: what the model may call, as its template wants it: { type: 'function', function: { name, description, parameters } }
 * @property {AbortSignal} [signal]
 */
/** schema: JSON schema; what cannot be kept to is an error that names it
 * @typedef {{type: 'text'} | {type: 'json_object'} | {type: 'json_schema', schema: object}} ResponseFormat
 */
/**
 * @typedef {{maxTokens: number, settings: [number, number][], bias: [number, number][], stopSequences: string[], ignoreEos: boolean, specialTokens: boolean,
 *   addBos: boolean, window: number, seed: number, chatTemplate?: string, tools?: readonly object[], grammar?: Grammar}} GenerateSpec checked, ready to be posted to a worker
 */

/** @typedef {{kind: 0 | 1, text: string}} Grammar en.h: EN_GRAMMAR_* */

const MAX_STOPS = 64;
const MAX_BIAS = 100000;
/** Everything besides the sampler's own knobs (PARAMS). */
const OTHERS = Object.freeze(['maxTokens', 'stopSequences', 'ignoreEos', 'logitBias', 'grammar', 'responseFormat', 'specialTokens', 'addBos', 'chatTemplate', 'tools', 'signal']);

/** @param {string} name @param {string} rule @param {unknown} got @returns {never} */
function wrong(name, rule, got) {
  const shown = typeof got === 'string' ? JSON.stringify(got.slice(0, 40)) : typeof got === 'object' && got ? 'an object' : String(got);
  throw new EdgeNetError('ARG', `${name} must be ${rule}, not ${shown}`, { detail: { option: name } });
}

/** @param {string} name @param {unknown} value @param {number} min @param {number} max @param {boolean} [integer] @returns {number} */
export function numberIn(name, value, min, max, integer = false) {
  const rule = `${integer ? 'an integer' : 'a number'} from ${min} to ${max}`;
  if (typeof value !== 'number' || !(value >= min && value <= max) || integer && !Number.isInteger(value)) wrong(name, rule, value);
  return /** @type {number} */ (value);
}
/** @param {string} name @param {unknown} value */
function boolean(name, value) { return typeof value === 'boolean' ? value : wrong(name, 'true or false', value); }

/** An options object has only known names; a slip of the pen must not go unnoticed. @param {unknown} options @param {readonly string[]} known @param {string} where */
export function knownOnly(options, known, where) {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) wrong(where, 'an object', options);
  for (const name of Object.keys(/** @type {object} */ (options))) {
    if (!known.includes(name)) throw new EdgeNetError('ARG', `${where}: there is no option "${name}"; known are ${known.join(', ')}`, { detail: { option: name } });
  }
}

/** @param {unknown} signal @param {string} [name] */
export function checkSignal(signal, name = 'signal') {
  if (signal !== undefined && typeof (/** @type {any} */ (signal)?.addEventListener) !== 'function') wrong(name, 'an AbortSignal', signal);
}

/** @param {GenerateOptions} [options] @param {string} [where] @returns {GenerateSpec} */
export function generateSpec(options = {}, where = 'options') {
  knownOnly(options, [...Object.keys(PARAMS), ...OTHERS], where);
  checkSignal(options.signal);
  const given = /** @type {Record<string, unknown>} */ ({ ...options });
  given.seed ??= Math.floor(Math.random() * 2 ** 53);
  /** @type {[number, number][]} */ const settings = [];
  for (const [name, p] of Object.entries(PARAMS)) {
    const value = given[name] === undefined ? p.default : numberIn(name, given[name], p.min, p.max, ['topK', 'repetitionWindow', 'seed'].includes(name));
    settings.push([p.id, value]);
  }
  return {
    maxTokens: options.maxTokens === undefined ? 256 : numberIn('maxTokens', options.maxTokens, 0, 2 ** 31 - 1, true),
    settings,
    bias: bias(options.logitBias),
    stopSequences: stops(options.stopSequences),
    ignoreEos: options.ignoreEos === undefined ? false : boolean('ignoreEos', options.ignoreEos),
    specialTokens: options.specialTokens === undefined ? true : boolean('specialTokens', options.specialTokens),
    addBos: options.addBos === undefined ? true : boolean('addBos', options.addBos),
    window: settings[PARAMS.repetitionWindow.id][1],
    seed: settings[PARAMS.seed.id][1],
    ...(options.tools === undefined ? {} : { tools: Array.isArray(options.tools) ? options.tools : wrong('tools', 'an array of objects', options.tools) }),
    ...grammar(options),
    ...(options.chatTemplate === undefined ? {} : { chatTemplate: typeof options.chatTemplate === 'string' ? options.chatTemplate : wrong('chatTemplate', 'a string', options.chatTemplate) }),
  };
}

/** @param {GenerateOptions} options @returns {{grammar?: Grammar}} */
function grammar({ grammar: own, responseFormat: format }) {
  if (own !== undefined && format !== undefined) wrong('responseFormat', 'left out beside a grammar', format);
  if (own !== undefined) return { grammar: { kind: 0, text: typeof own === 'string' ? own : wrong('grammar', 'a string', own) } };
  if (format === undefined) return {};
  knownOnly(format, ['type', 'schema'], 'responseFormat');
  const schema = /** @type {{schema?: unknown}} */ (format).schema;
  if (format.type === 'json_schema') return { grammar: { kind: 1, text: schema !== null && typeof schema === 'object' ? JSON.stringify(schema) : wrong('responseFormat.schema', 'an object', schema) } };
  if (schema !== undefined) wrong('responseFormat.schema', 'left out unless type is "json_schema"', schema);
  if (format.type === 'json_object') return { grammar: { kind: 1, text: '{"type":"object"}' } };
  return format.type === 'text' ? {} : wrong('responseFormat.type', '"text", "json_object" or "json_schema"', /** @type {any} */ (format).type);
}

/**
 * @typedef {object} EmbedOptions
 * @property {string} [prefix] put before every text, as the model's authors ask for: "query: " or "passage: " for E5
 * @property {number} [dimensions] keep the first values only, for models trained so (Matryoshka); default: all
 * @property {boolean} [normalize] length 1 (true)
 * @property {'model' | 'mean' | 'first' | 'last'} [pooling] 'model': as the file says
 * @property {boolean} [truncate] cut off what is too long for the model (false: an error)
 * @property {AbortSignal} [signal]
 */
/** @typedef {{prefix: string, dimensions: number, normalize: boolean, pooling: 'model' | 'mean' | 'first' | 'last', truncate: boolean}} EmbedSpec dimensions 0: all */

const POOLINGS = Object.freeze(['model', 'mean', 'first', 'last']);

/** @param {EmbedOptions} [options] @returns {EmbedSpec} */
export function embedSpec(options = {}) {
  knownOnly(options, ['prefix', 'dimensions', 'normalize', 'pooling', 'truncate', 'signal'], 'options');
  checkSignal(options.signal);
  const { prefix = '', dimensions, normalize = true, pooling = 'model', truncate = false } = options;
  if (typeof prefix !== 'string') wrong('prefix', 'a string', prefix);
  if (!POOLINGS.includes(pooling)) wrong('pooling', `one of ${POOLINGS.join(', ')}`, pooling);
  return {
    prefix, pooling, normalize: boolean('normalize', normalize), truncate: boolean('truncate', truncate),
    dimensions: dimensions === undefined ? 0 : numberIn('dimensions', dimensions, 1, 1 << 20, true),
  };
}

/** @param {unknown} value @returns {string[]} */
function stops(value) {
  if (value === undefined) return [];
  const rule = `an array of at most ${MAX_STOPS} strings that are not empty and hold no NUL`;
  if (!Array.isArray(value) || value.length > MAX_STOPS) wrong('stopSequences', rule, value);
  for (const s of /** @type {unknown[]} */ (value)) if (typeof s !== 'string' || !s || s.includes('\0')) wrong('stopSequences', rule, s);
  return [...new Set(/** @type {string[]} */ (value))];
}

/** @param {unknown} value @returns {[number, number][]} */
function bias(value) {
  if (value === undefined) return [];
  if (value === null || typeof value !== 'object') wrong('logitBias', 'an object or Map of token id -> number', value);
  const entries = value instanceof Map ? [...value] : Object.entries(/** @type {object} */ (value)).map(([id, add]) => [Number(id), add]);
  if (entries.length > MAX_BIAS) wrong('logitBias', `at most ${MAX_BIAS} tokens`, entries.length);
  for (const [id, add] of entries) {
    if (!Number.isInteger(id) || id < 0 || id > 2 ** 31 - 1) wrong('logitBias', 'an object or Map of token id -> number', id);
    if (typeof add !== 'number' || Number.isNaN(add) || add === Infinity) wrong(`logitBias[${id}]`, 'a number or -Infinity', add);
  }
  return /** @type {[number, number][]} */ (entries);
}

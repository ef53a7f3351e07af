// @ts-check
// Training data as token ids, in the engine's thread. The rules are those of `edge-net train` (cli/pairs.c, cli/train.c): the same data and seed
// give the same micro-batches.
import { EdgeNetError } from './errors.js';

/**
 * @typedef {import('./wasm-instance.js').WasmInstance} WasmInstance
 * @typedef {import('./train-room.js').Sample} Sample
 * @typedef {import('./train-room.js').TeacherRows} TeacherRows
 * @typedef {readonly [string | null, string, (number | null | undefined)?, TeacherRows?]} Pair what is not learned, what is; null: a text that is learned whole. With a third: two texts for an encoder, and the cosine that they
 *   should have, or null. With a fourth: what a teacher says
 * @typedef {Sample & {ids: Int32Array, at: number}} Encoded at: place in the data
 * @typedef {{w: WasmInstance, tokenizer: number, special: {eos: number}}} Words
 */
const BOS = 1, SPECIAL = 2, EOS = 4;

/** Does the tokenizer put a space before every text? Then that one stands for a space that an output begins with. @param {Words} words */
function addsSpace({ w, tokenizer }) { return w.decode(tokenizer, w.encode(tokenizer, 'a', 0), 0, false).startsWith(' '); }

/**
 * @param {Words} words @param {readonly Pair[]} pairs @param {{maxLength: number, addEos: boolean, teacher?: {width: number, named: boolean}}} options teacher: what each sample must bring for every token
 * @returns {{samples: Encoded[], cut: number, dropped: number}} dropped: samples with nothing to learn within maxLength
 */
export function encodePairs(words, pairs, { maxLength, addEos, teacher: wanted }) {
  const { w, tokenizer, special } = words;
  const skip = addsSpace(words);
  const end = addEos && special.eos >= 0 ? [special.eos] : [];
  let cut = 0, dropped = 0;
  /** @type {Encoded[]} */ const samples = [];
  for (const [at, [input, output, score, teacher]] of pairs.entries()) {
    if (score !== undefined) throw new EdgeNetError('ARG', `sample ${at} is { anchor, positive }: pairs of texts are for encoders`, { detail: { option: 'data' } });
    const prompt = input === null ? [] : w.encode(tokenizer, input, BOS | SPECIAL);
    const text = input !== null && skip && output.startsWith(' ') ? output.slice(1) : output;
    const answer = w.encode(tokenizer, text, (input === null ? BOS : 0) | SPECIAL);
    const all = prompt.length + answer.length + end.length;
    const ids = Int32Array.from([...prompt, ...answer, ...end].slice(0, maxLength));
    if (ids.length < all) cut++;
    if (ids.length <= Math.max(prompt.length, 1)) dropped++; // the first token has nothing before it to be predicted from
    else samples.push({ ids, prompt: prompt.length, at, ...(wanted && { teacher: taught(teacher, at, ids.length * wanted.width, wanted.named) }) });
  }
  return { samples, cut, dropped };
}

/** @param {TeacherRows | undefined} teacher @param {number} at @param {number} n numbers @param {boolean} named with ids */
function taught(teacher, at, n, named) {
  if (teacher?.logits.length === n && (teacher.ids?.length ?? n) === n && (teacher.ids !== null) === named) return teacher;
  throw new EdgeNetError('ARG', `sample ${at} has ${teacher ? `${teacher.logits.length} logits of a teacher${teacher.ids ? '' : ' without ids'}, not ${n}${named ? ' with ids' : ''}: topK of them for every token` : 'no logits of a teacher: give a session as { teacher }'}`, { detail: { option: 'teacher' } });
}

/**
 * Texts, or pairs of them, for an encoder. @param {Words} words @param {readonly Pair[]} pairs @param {{maxLength: number, paired: boolean, scored: boolean}} options maxLength: of each text
 * @returns {{samples: Encoded[], cut: number, dropped: number}}
 */
export function encodeTexts({ w, tokenizer }, pairs, { maxLength, paired, scored }) {
  let cut = 0;
  const encode = (/** @type {string} */ text) => {
    const ids = w.encode(tokenizer, text, BOS | EOS);
    if (ids.length > maxLength) { cut++; ids[maxLength - 1] = ids[ids.length - 1]; }
    return ids.subarray(0, maxLength);
  };
  const samples = pairs.map(([first, second, score], at) => {
    if ((score !== undefined) !== paired || (first !== null) !== paired || scored && score === null) throw new EdgeNetError('ARG', `sample ${at} must be ${paired ? `{ anchor, positive${scored ? ', score' : ''} }` : 'a text'} for this loss`, { detail: { option: 'data' } });
    const a = first === null ? new Int32Array(0) : encode(first), b = encode(second);
    return { ids: Int32Array.from([...a, ...b]), prompt: 0, at, ...(paired && { split: a.length }), ...(scored && { score: Number(score) }) };
  });
  return { samples, cut, dropped: 0 };
}

/** Most tokens that `batch` of these samples can have together. @param {readonly {ids: ArrayLike<number>}[]} samples @param {number} batch */
export function mostTokens(samples, batch) {
  const tokens = samples.map((s) => s.ids.length).sort((a, b) => b - a).slice(0, batch).reduce((a, b) => a + b, 0);
  if (tokens > 65536) throw new EdgeNetError('ARG', `a micro-batch may reach ${tokens} tokens, at most 65536 are possible; see batchSize and maxLength`, { detail: { option: 'batchSize' } });
  return Math.max(2, tokens);
}

/**
 * The order of an epoch. buffer: a sample may move forward by about so many places; 0: anywhere.
 * @param {WasmInstance} w @param {number} n @param {number} seed @param {number} epoch @param {number} buffer @returns {ArrayLike<number>}
 */
export function epochOrder(w, n, seed, epoch, buffer) {
  if (!buffer || buffer >= n) return w.shuffled(n, seed, epoch);
  const waiting = Array.from({ length: buffer }, (_, i) => i);
  const order = [];
  for (let i = 0; i < n; i++) {
    const k = Math.floor(w.uniform(seed, epoch * 2 ** 32 + i) * waiting.length);
    order.push(waiting[k]);
    if (buffer + i < n) waiting[k] = buffer + i;
    else waiting.splice(k, 1);
  }
  return order;
}

// @ts-check
// How often a model answers as wanted, by the rules of `edge-net eval`: greedy answers, compared whole; the perplexity of the wanted ones. Each wanted answer goes
// through the model once: for as long as the model would say the same, that is its own answer too, and nothing need be made token by token.
import { EdgeNetError, abortError } from './errors.js';
import { Evaluation } from './evaluation.js';
import { encodePairs } from './samples.js';

const BATCH = 64;
/** Bytes that caches of answers in work may take together. */
const CACHE_BYTES = 64e6;
const LOGITS_BYTES = 16e6;

/**
 * @typedef {import('./wasm-instance.js').WasmInstance} WasmInstance
 * @typedef {{maxTokens: number, maxLength: number, groupBy: string, parallel: number, show: number}} ExamSpec
 * @typedef {{w: WasmInstance, model: number, tokenizer: number, special: {eos: number}, vocab: number, contextTrained: number, kvType: number, positionBytes: number}} ExamPlace positionBytes: of the cache
 * @typedef {{input: string, wanted: string, got: string}} Wrong
 *
 * @typedef {object} ExamReport
 * @property {number} samples
 * @property {number} exact share of the answers that are what was wanted, to the byte
 * @property {number} jsonValid share of valid JSON among the answers that should be an object
 * @property {number} perplexity of the wanted answers
 * @property {number} bleu 0 to 1
 * @property {number} rougeL mean F1, 0 to 1
 * @property {Record<string, {n: number, exact: number}>} groups by a member of wanted answers that are JSON; "text": of those that are not, "other": of those without it
 * @property {Wrong[]} wrong the first of them, as many as `show` says
 * @property {boolean[]} right for every sample
 *
 * @typedef {{sample: import('./samples.js').Encoded, prompt: number, fed: number, reading: boolean, said: number[], over: boolean, ended: boolean, surprise: number}} Answer
 *   fed: positions in the cache; reading: the wanted answer goes through the model; said: what the model would say itself
 */

/**
 * @param {ExamPlace} place @param {readonly import('./samples.js').Pair[]} pairs @param {ExamSpec} spec @param {(session: number) => void} attach adapters
 * @param {AbortSignal} signal @param {() => boolean} closed is the memory gone? @param {(done: number, total: number) => void} tell @returns {Promise<ExamReport>}
 */
export async function examine(place, pairs, spec, attach, signal, closed, tell) {
  const { w, model, vocab, contextTrained, kvType, positionBytes } = place;
  const { samples } = encodePairs(place, pairs, { maxLength: spec.maxLength, addEos: true });
  if (!samples.length) throw new EdgeNetError('ARG', 'the data has no sample with an answer', { detail: { option: 'samples' } });
  const longest = Math.max(...samples.map((s) => s.ids.length)) + spec.maxTokens;
  const wanted = contextTrained ? Math.min(longest, contextTrained) : longest;
  const nSeq = Math.max(1, Math.min(spec.parallel, samples.length, Math.floor(CACHE_BYTES / (positionBytes * wanted))));
  const nLogits = Math.max(nSeq, Math.min(BATCH, Math.floor(LOGITS_BYTES / (4 * vocab)))), nBatch = Math.max(BATCH, nSeq);
  const { handle: session, block, nCtx } = w.openSession(model, { nCtx: wanted, nBatch, nSeq, nLogits, kvType, profile: false });
  const evaluation = new Evaluation(w, session, nBatch, closed);
  try {
    attach(session);
    const exam = new Exam(place, { session, nCtx, nBatch, nSeq, nLogits }, samples, spec.maxTokens);
    evaluation.wake();
    while (exam.done < samples.length) {
      if (closed()) throw new EdgeNetError('STATE', 'the session was disposed');
      if (signal.aborted) throw abortError(signal);
      const { done } = exam, { ids, seq, want } = exam.next();
      if (!await evaluation.run(ids, seq, want, () => signal.aborted || closed())) continue;
      exam.take();
      if (exam.done > done) tell(exam.done, samples.length);
      await evaluation.restIfDue();
    }
    return exam.report(pairs, spec);
  } finally {
    if (!closed()) {
      evaluation.close();
      w.free(block);
    }
  }
}

class Exam {
  #p;
  #room;
  /** @type {Answer[]} */ #answers;
  #maxTokens;
  #begun = 0;
  done = 0;
  /** @type {(Answer | null)[]} by sequence */ #slots;
  /** Of whom the batch in work is. @type {{answer: Answer, seq: number, n: number}[]} */ #parts = [];

  /** @param {ExamPlace} place @param {{session: number, nCtx: number, nBatch: number, nSeq: number, nLogits: number}} room @param {readonly import('./samples.js').Encoded[]} samples @param {number} maxTokens */
  constructor(place, room, samples, maxTokens) {
    this.#p = place;
    this.#room = room;
    this.#maxTokens = maxTokens;
    this.#answers = samples.map((sample) => ({ sample, prompt: Math.max(sample.prompt, 1), fed: 0, reading: true, said: [], over: false, ended: false, surprise: 0 }));
    this.#slots = Array.from({ length: room.nSeq }, () => null);
  }

  /** A batch: the next token of each answer in the making, and wanted answers as far as there is room. */
  next() {
    const { nBatch, nLogits } = this.#room;
    const ids = /** @type {number[]} */ ([]), seq = /** @type {number[]} */ ([]), want = /** @type {number[]} */ ([]);
    let rows = 0;
    this.#parts = [];
    this.#slots = this.#slots.map((answer) => answer ?? this.#answers[this.#begun++] ?? null);
    const order = [...this.#slots.keys()].sort((a, b) => Number(this.#slots[a]?.reading) - Number(this.#slots[b]?.reading));
    for (const s of order) {
      const answer = this.#slots[s];
      if (!answer) continue;
      const { reading, fed, prompt, said, sample } = answer;
      const from = ids.length;
      const source = reading ? sample.ids.subarray(fed, -1) : fed < prompt ? [...sample.ids.subarray(fed, prompt), ...said] : said.slice(fed - prompt);
      for (let i = 0; i < source.length && ids.length < nBatch; i++) {
        const wanted = fed + i + 1 < prompt ? 0 : 1;
        if (rows + wanted > nLogits) break;
        rows += wanted;
        ids.push(source[i]);
        seq.push(s);
        want.push(wanted);
      }
      if (ids.length > from) this.#parts.push({ answer, seq: s, n: ids.length - from });
    }
    return { ids, seq, want };
  }

  /** What the batch has brought. */
  take() {
    const { w, vocab, tokenizer } = this.#p;
    const { session } = this.#room;
    let row = 0;
    for (const { answer, seq, n } of this.#parts) {
      const { sample: { ids }, prompt, said } = answer;
      for (let i = 0; i < n; i++) {
        const k = ++answer.fed - prompt; // this row says token k of the answer
        if (k < 0) continue;
        const wanted = answer.reading ? ids[prompt + k] : 0;
        const { surprise, best, isEnd } = w.judge(session, row++, vocab, tokenizer, wanted);
        if (answer.reading) answer.surprise += surprise;
        if (!answer.over && said.length === k && (!answer.reading || !k || said[k - 1] === ids[prompt + k - 1])) this.#say(answer, best, isEnd);
      }
      if (answer.reading && answer.fed === ids.length - 1) { // the cache keeps what both have said, but the last token
        answer.reading = false;
        answer.fed = w.keep(session, seq, prompt + Math.max(0, said.length - 1)); // 0: a recurrent model, which reads them again
      }
      if (answer.reading || !answer.over) continue;
      w.keep(session, seq, 0);
      this.#slots[seq] = null;
      this.done++;
    }
  }
  /** @param {Answer} answer @param {number} id @param {boolean} isEnd */
  #say(answer, id, isEnd) {
    answer.over = answer.ended = isEnd;
    if (!isEnd) answer.said.push(id);
    if (answer.said.length >= this.#maxTokens || answer.prompt + answer.said.length > this.#room.nCtx) answer.over = true;
  }

  /** @param {readonly import('./samples.js').Pair[]} pairs @param {ExamSpec} spec @returns {ExamReport} */
  report(pairs, { groupBy, show }) {
    const { w, tokenizer } = this.#p;
    const bleu = new Float64Array(w.overlap('', '').bleu.length);
    /** @type {Map<string, {n: number, exact: number}>} */ const groups = new Map();
    /** @type {Wrong[]} */ const wrong = [];
    let surprise = 0, targets = 0, rouge = 0, json = 0, valid = 0;
    const right = this.#answers.map(({ sample, prompt, said, ended, ...answer }) => {
      const reference = sample.ids.subarray(prompt), ends = w.isEnd(tokenizer, reference[reference.length - 1]);
      const got = w.decode(tokenizer, said, 0, true), wanted = w.decode(tokenizer, ends ? reference.subarray(0, -1) : reference, 0, true);
      const isRight = got === wanted && (ended || !ends);
      const overlap = w.overlap(got, wanted), object = objectIn(wanted);
      overlap.bleu.forEach((v, i) => { bleu[i] += v; });
      rouge += overlap.rouge;
      surprise += answer.surprise;
      targets += reference.length;
      json += Number(object !== null);
      valid += Number(object !== null && objectIn(got) !== null);
      const member = object?.[groupBy], name = object === null ? 'text' : typeof member === 'string' ? member : 'other';
      const group = groups.get(name) ?? { n: 0, exact: 0 };
      groups.set(name, { n: group.n + 1, exact: group.exact + Number(isRight) });
      if (!isRight && wrong.length < show) wrong.push({ input: pairs[sample.at][0] ?? '', wanted, got });
      return isRight;
    });
    const n = right.length;
    return {
      samples: n, exact: right.filter(Boolean).length / n, jsonValid: json ? valid / json : 1, perplexity: Math.exp(surprise / targets), bleu: w.bleu(bleu), rougeL: rouge / n,
      groups: Object.fromEntries([...groups].map(([name, group]) => [name, { n: group.n, exact: group.exact / group.n }])), wrong, right,
    };
  }
}

/** @param {string} text @returns {Record<string, unknown> | null} null: it is no JSON object */
function objectIn(text) {
  try { return text.startsWith('{') ? JSON.parse(text) : null; } catch { return null; }
}

// @ts-check
// Embeddings: texts that wait are packed, whole and side by side, into forward passes of at most nBatch tokens, whoever asked for them.
import { abortError, asError, EdgeNetError } from './errors.js';
import { Evaluation } from './evaluation.js';

/** en.h: EN_POOL_* */
export const POOLINGS = Object.freeze({ model: 1, mean: 3, first: 4, last: 5, rank: 6 });
/** What a file says, by number. */
export const POOLING_NAMES = Object.freeze(Object.fromEntries(Object.entries(POOLINGS).map(([name, value]) => [value, name])));
const BATCH = 512;

/**
 * @typedef {{texts: number[][], size: number, normalize: boolean, signal?: AbortSignal, out: Float32Array, next: number, left: number,
 *   resolve: (rows: Float32Array) => void, reject: (e: Error) => void}} Job next: the first text that was not taken yet; left: texts without a result
 */

export class Embedder {
  #w;
  #session;
  #evaluation;
  #nBatch;
  /** @type {Job[]} */ #jobs = [];
  /** @type {Promise<void> | null} */ #running = null;
  /** @type {EdgeNetError | null} */ #closed = null;
  /** Tokens of the longest text. @readonly @type {number} */ longest;
  /** Values of an embedding. @readonly @type {number} */ size;

  /** @param {import('./wasm-instance.js').WasmInstance} w @param {number} model @param {{nCtx: number, pooling: number, profile: boolean}} spec */
  constructor(w, model, { nCtx, pooling, profile }) {
    this.#w = w;
    this.#nBatch = Math.max(BATCH, nCtx);
    this.#session = w.openSession(model, { nCtx, nBatch: this.#nBatch, nSeq: 1, nLogits: this.#nBatch, kvType: 0, profile, pooling });
    this.#evaluation = new Evaluation(w, this.#session.handle, this.#nBatch, () => this.#closed !== null);
    this.longest = this.#session.nCtx;
    this.size = w.embeddingSize(this.#session.handle);
  }
  get bytes() { return this.#session.bytes; }
  /** Settles when nothing is being computed any more; null: nothing is. */
  get busy() { return this.#running; }
  get kvBytes() { return this.#session.kvBytes; }
  get session() { return this.#session.handle; }

  /** @param {number[][]} texts ids; none empty, none too long @param {{size: number, normalize: boolean}} want @param {AbortSignal} [signal] @returns {Promise<Float32Array>} [texts, size] */
  run(texts, { size, normalize }, signal) {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#jobs.push({ texts, size, normalize, signal, out: new Float32Array(texts.length * size), next: 0, left: texts.length, resolve, reject });
      this.#start();
    });
  }

  /** What waits ends with this error, what runs at its next slice. @param {EdgeNetError} reason */
  close(reason) { this.#closed ??= reason; this.#start(); }

  #start() {
    if (this.#running) return;
    // A microtask later: calls made in one go share their forward passes.
    this.#running = Promise.resolve().then(() => this.#loop()).catch((e) => this.#failAll(asError(e))).finally(() => {
      this.#running = null;
      if (this.#jobs.length) this.#start();
    });
  }

  async #loop() {
    this.#evaluation.wake();
    for (;;) {
      if (this.#closed) return this.#failAll(this.#closed);
      for (const job of this.#jobs.filter((j) => j.signal?.aborted)) this.#settle(job, abortError(job.signal));
      for (const job of this.#jobs.filter((j) => !j.left)) this.#settle(job);
      if (!this.#jobs.length) return;
      await this.#turn();
      await this.#evaluation.restIfDue();
    }
  }

  /** Texts in the order in which they came, as many as fit. */
  async #turn() {
    const ids = /** @type {number[]} */ ([]), seq = /** @type {number[]} */ ([]), want = /** @type {number[]} */ ([]);
    /** @type {{job: Job, text: number}[]} */ const rows = [];
    const firsts = this.#jobs.map((j) => j.next);
    for (const job of this.#jobs) {
      while (job.next < job.texts.length && ids.length + job.texts[job.next].length <= this.#nBatch) {
        for (const id of job.texts[job.next]) { ids.push(id); seq.push(rows.length); want.push(0); }
        rows.push({ job, text: job.next++ });
      }
      if (job.next < job.texts.length) break;
    }
    const jobs = [...this.#jobs];
    const done = await this.#evaluation.run(ids, seq, want, () => jobs.some((j) => j.signal?.aborted) || this.#closed !== null);
    if (!done) jobs.forEach((j, i) => { j.next = firsts[i]; });
    else rows.forEach(({ job, text }, row) => {
      this.#w.embedding(this.#session.handle, row, job.out.subarray(text * job.size, (text + 1) * job.size), job.normalize);
      job.left--;
    });
  }

  /** @param {Job} job @param {Error} [error] */
  #settle(job, error) {
    this.#jobs.splice(this.#jobs.indexOf(job), 1);
    if (error) job.reject(error);
    else job.resolve(job.out);
  }
  /** @param {Error} error */
  #failAll(error) { for (const job of this.#jobs.splice(0)) job.reject(error); }
}

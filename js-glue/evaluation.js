// @ts-check
// One batch through a core session, in slices of about 20 ms with a yield between, so that a cancel is seen in time even without shared
// memory; with shared memory the stop word ends a slice at once.
import { makeYield } from './platform.js';

const SLICE_MS = 20;
const MAX_STEPS = 0x7fffffff;
/** Before anything is known: one step of a batch of 64. */
const BATCH_STEP = 64;

/** @typedef {import('./wasm-instance.js').WasmInstance} WasmInstance */

export class Evaluation {
  #w;
  #session;
  #batch;
  #closed;
  /** Steps times tokens that fit into a millisecond: a step of a whole prompt slice takes far longer than one of a single token. */ #pace = BATCH_STEP / SLICE_MS;
  #rested = 0;
  #rest = makeYield();

  /** @param {WasmInstance} w @param {number} session @param {number} nBatch tokens that one call may have @param {() => boolean} closed is the memory gone? */
  constructor(w, session, nBatch, closed) {
    this.#w = w;
    this.#session = session;
    this.#batch = w.openBatch(nBatch);
    this.#closed = closed;
  }

  /** Compute a batch. @param {number[]} ids @param {number[]} seq @param {number[]} want @param {() => boolean} stale give up? @returns {Promise<boolean>} false: given up, no sequence has changed */
  async run(ids, seq, want, stale) {
    const w = this.#w, session = this.#session;
    w.fillBatch(this.#batch, ids, seq, want);
    w.evalBegin(session, this.#batch);
    for (;;) {
      const t0 = performance.now();
      const steps = Math.min(MAX_STEPS, Math.max(1, Math.floor(this.#pace * SLICE_MS / ids.length)));
      const state = w.evalRun(session, steps);
      if (state === 'done') return true;
      const ms = performance.now() - t0;
      if (state === 'stopped') {
        w.clearStop();
        await this.#rest(); // the cancel message is on its way
        this.wake();
        return false;
      }
      this.#pace *= Math.min(8, steps * ids.length / Math.max(ms, 0.1) / this.#pace);
      await this.restIfDue();
      if (this.#closed()) return false;
      if (stale()) { w.evalDrop(session); return false; }
    }
  }

  /** Give the batch's memory back. */
  close() { this.#w.free(this.#batch.at); }
  /** Work begins after a pause. */
  wake() { this.#rested = performance.now(); }
  async restIfDue() {
    if (performance.now() - this.#rested < SLICE_MS) return;
    await this.#rest();
    this.wake();
  }
}

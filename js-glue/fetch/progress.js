// @ts-check
// Progress reports with rate and remaining time, at most ten a second.

const PROGRESS_MS = 100;

/**
 * @typedef {'download' | 'read' | 'prepare' | 'ready'} Phase download: from the network; read: from a store, file or buffer; prepare: tables and context
 * @typedef {object} Progress
 * @property {Phase} phase
 * @property {number} loaded bytes
 * @property {number | null} total bytes
 * @property {number} rate bytes per second
 * @property {number | null} eta seconds
 * @property {string} [source] where the latest bytes came from; "another tab" while that one downloads
 */

export class Meter {
  #started = performance.now();
  #shown = 0;
  #rate = 0;
  #lastAt = 0;
  #report;
  /** @param {((p: Progress) => void) | undefined} report */
  constructor(report) { this.#report = report; }
  /** @param {Phase} phase @param {number} loaded @param {number | null} total @param {{always?: boolean, source?: string}} [more] */
  show(phase, loaded, total, { always = false, source } = {}) {
    const now = performance.now();
    if (!this.#report || !always && now - this.#shown < PROGRESS_MS) return;
    const seconds = (now - (this.#shown || this.#started)) / 1000;
    const current = seconds > 0 && loaded > this.#lastAt ? (loaded - this.#lastAt) / seconds : this.#rate;
    this.#rate = this.#rate ? 0.8 * this.#rate + 0.2 * current : current;
    this.#shown = now;
    this.#lastAt = loaded;
    const eta = total !== null && this.#rate > 0 ? Math.max(0, total - loaded) / this.#rate : null;
    this.#report({ phase, loaded, total, rate: this.#rate, eta, ...(source === undefined ? {} : { source }) });
  }
  /** Pass on what somebody else measured. @param {Progress} progress */
  relay(progress) { this.#report?.(progress); }
}

// @ts-check
// Where verified chunks go: into a part of a store, or, without one, through a window of a few chunks to whoever reads in order.
import { asError } from '../errors.js';

/** Chunks ahead of the reader. More than are in work at once, or they would wait for each other. */
const WINDOW = 8;

/** @implements {Sink} @typedef {import('./transfer.js').Sink} Sink */
export class KeepingSink {
  #part;
  #chunkSize;
  #first;
  #tolerant;
  /** @type {Map<number, Uint8Array>} */ #window = new Map();
  #next;
  /** @type {(() => void)[]} */ #writers = [];
  /** Why nothing is kept; empty: it is. */ why;

  /**
   * @param {import('./types.js').Part | null} part
   * @param {{chunkSize: number, from: number, tolerant: boolean, why: string}} how from: byte that the reader begins at; tolerant: chunks come in order, so when the part fails they can pass through the window
   */
  constructor(part, { chunkSize, from, tolerant, why }) {
    this.#part = part;
    this.#chunkSize = chunkSize;
    this.#first = this.#next = Math.floor(from / chunkSize);
    this.#tolerant = tolerant;
    this.why = why;
  }
  /** Must be read one after another, through read(). */
  get inOrder() { return !this.#part || this.#tolerant && this.why !== ''; }
  get journal() {
    return {
      has: (/** @type {number} */ i) => (this.#part ? this.#part.journal.has(i) : i < this.#first),
      hash: (/** @type {number} */ i) => this.#part?.journal.hash(i) ?? null,
    };
  }

  /** @param {number} i @param {Uint8Array} bytes @param {Uint8Array} hash */
  async write(i, bytes, hash) {
    if (this.#part && !this.why) {
      try { return await this.#part.write(i, bytes, hash); } catch (e) {
        this.why = asError(e, 'STORAGE').message;
        if (!this.#tolerant) throw e;
      }
    }
    while (i >= this.#next + WINDOW) await new Promise((/** @type {(v: void) => void} */ resolve) => { this.#writers.push(resolve); });
    this.#window.set(i, bytes);
  }
  /** The reader wants this chunk next. @param {number} i */
  seek(i) {
    this.#next = i;
    for (const resume of this.#writers.splice(0)) resume();
  }
  /** @param {number} offset of a chunk @param {number} length */
  async read(offset, length) {
    const i = offset / this.#chunkSize;
    const bytes = this.#window.get(i);
    this.#window.delete(i);
    return bytes ?? /** @type {import('./types.js').Part} */ (this.#part).read(offset, length);
  }
}

// @ts-check
// A file that is being written, chunk by chunk in any order.
import { EdgeNetError } from '../errors.js';

/** Bytes that may be lost in a crash of the machine (not of the program): flushing more often costs speed, and the journal is checked anyway. */
const FLUSH_BYTES = 64 << 20;

/**
 * @typedef {{data: import('./volume.js').VolumeFile, journal: import('./journal.js').JournalFile, batch: number,
 *   commit: (size: number) => Promise<import('../fetch/types.js').Entry>, discard: () => Promise<void>}} PartInit
 */

/** @typedef {import('../fetch/types.js').Part} Part */
/** @implements {Part} */
export class OpenPart {
  #data;
  #batch;
  #commit;
  #discard;
  /** @type {{index: number, hash: Uint8Array}[]} written, not in the journal */ #fresh = [];
  #unflushed = 0;
  /** @type {Promise<void>} */ #recorded = Promise.resolve();
  #over = false;
  /** @readonly */ journal;

  /** @param {PartInit} init */
  constructor({ data, journal, batch, commit, discard }) {
    this.#data = data;
    this.journal = journal;
    this.#batch = batch;
    this.#commit = commit;
    this.#discard = discard;
  }

  /** @param {number} index @param {Uint8Array} bytes @param {Uint8Array} hash */
  async write(index, bytes, hash) {
    await this.#data.write(index * this.journal.chunkSize, bytes);
    this.#fresh.push({ index, hash });
    this.#unflushed += bytes.length;
    if (this.#batch > 1 && this.#fresh.length >= this.#batch || this.#unflushed >= FLUSH_BYTES) await this.flush();
    else if (this.#batch === 1) await this.#record(false);
  }
  /** @param {number} offset @param {number} length */
  read(offset, length) { return this.#data.read(offset, length); }
  flush() { return this.#record(true); }

  /** Bytes first, then the journal: it never tells of a chunk that is not there. One after another. @param {boolean} flush */
  #record(flush) {
    const next = this.#recorded.then(async () => {
      const fresh = this.#fresh;
      this.#fresh = [];
      if (flush) {
        this.#unflushed = 0;
        await this.#data.flush();
      }
      await this.journal.add(fresh);
      if (flush) await this.journal.flush();
    });
    this.#recorded = next.catch(() => {});
    return next;
  }

  /** @param {number} size */
  async commit(size) {
    const { chunkSize } = this.journal;
    await this.flush();
    for (let i = 0; i * chunkSize < size; i++) if (!this.journal.has(i)) throw new EdgeNetError('INTERNAL', `chunk ${i} is missing`);
    await this.#close();
    return this.#commit(size);
  }
  async keep() {
    try { if (!this.#over) await this.flush(); } finally { await this.#close(); }
    if (this.journal.count === 0) await this.#discard(); // nothing to go on from
  }
  async discard() {
    await this.#recorded;
    await this.#close();
    await this.#discard();
  }
  async #close() {
    if (this.#over) return;
    this.#over = true;
    await this.#recorded;
    await Promise.all([this.#data.close(), this.journal.close()]);
  }
}

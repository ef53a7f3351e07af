// @ts-check
// AdapterPool: several adapters of one session at hand, one (or some) at work. Swapping takes milliseconds; when the slots are full, the adapter
// that was unused for longest goes.
import { EdgeNetError } from './errors.js';
import { numberIn } from './options.js';

/** @typedef {import('./session.js').InferenceSession} InferenceSession @typedef {import('./adapter.js').AdapterSource} AdapterSource @typedef {import('./adapters.js').AdapterInfo} AdapterInfo */

/**
 * @example
 * const pool = new AdapterPool(session);
 * await pool.add('coding');           // a saved one
 * await pool.use('coding');           // at work from the next text on
 * await pool.use(null);               // the base model, bit for bit
 */
export class AdapterPool {
  #session;
  #slots;
  /** Names, the one that was used last at the end. @type {string[]} */ #order = [];
  /** Changes wait for each other. @type {Promise<unknown>} */ #last = Promise.resolve();

  /** @param {InferenceSession} session @param {{slots?: number}} [options] slots: adapters in memory at once (16) */
  constructor(session, { slots = 16 } = {}) {
    this.#session = session;
    this.#slots = numberIn('slots', slots, 1, 1024, true);
  }
  /** Names of those in memory, the one unused for longest first. */
  get names() { return [...this.#order]; }

  /** Bring an adapter into memory. @param {string} name @param {AdapterSource} [source] default: the one that is saved under the name @returns {Promise<void>} */
  add(name, source = name) { return this.#after(() => this.#bring(name, source)); }
  /**
   * Put one adapter to work, or some with their scales, or none; all others are off. Saved ones are brought into memory.
   * @param {string | Readonly<Record<string, number>> | null} what @returns {Promise<AdapterInfo[]>}
   */
  use(what) {
    const scales = what === null ? {} : typeof what === 'string' ? { [what]: 1 } : what;
    const names = Object.keys(scales);
    return this.#after(async () => {
      if (names.length > this.#slots) throw new EdgeNetError('FULL', `${names.length} adapters at work need as many slots, the pool has ${this.#slots}`);
      for (const name of names) {
        if (!this.#order.includes(name)) await this.#bring(name, name, names);
        this.#touch(name);
      }
      return this.#session.setAdapterScales(Object.fromEntries(this.#order.map((name) => [name, scales[name] ?? 0])));
    });
  }
  /** @param {string} name @returns {Promise<void>} */
  remove(name) { return this.#after(() => this.#drop(name)); }
  /** Take all of them out. @returns {Promise<void>} */
  clear() { return this.#after(async () => { for (const name of this.names) await this.#drop(name); }); }

  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  #after(work) {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
  /** @param {string} name @param {AdapterSource} source @param {readonly string[]} [keep] */
  async #bring(name, source, keep = []) {
    if (this.#order.includes(name)) await this.#drop(name);
    while (this.#order.length >= this.#slots) await this.#drop(/** @type {string} */ (this.#order.find((n) => !keep.includes(n))));
    await this.#session.loadAdapter(source, { name, scale: 0 });
    this.#order.push(name);
  }
  /** @param {string} name */
  async #drop(name) {
    if (!this.#order.includes(name)) return;
    await this.#session.unloadAdapter(name);
    this.#order.splice(this.#order.indexOf(name), 1);
  }
  /** @param {string} name */
  #touch(name) {
    this.#order.splice(this.#order.indexOf(name), 1);
    this.#order.push(name);
  }
}

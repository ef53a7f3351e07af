// @ts-check
// Small things that must not be lost: adapters and checkpoints, some megabytes each. A record lies in one of two places in turn, with a count
// and a checksum before it; a kill in the middle of a write leaves the older one, which is then the newest that is whole.
import { EdgeNetError, asError } from './errors.js';
import { concat, sameBytes, toHex } from './manifest/encoding.js';
import { HASH_BYTES, sha256 } from './manifest/hash.js';
import { nodeModule } from './platform.js';
import { openVolume } from './stores/store.js';

/** "ENRC", then u32 count, SHA-256 of the rest. */
const MAGIC = 0x43524e45;
const HEAD = 8 + HASH_BYTES;

/** @typedef {import('./fetch/types.js').StoreSpec} StoreSpec @typedef {import('./stores/volume.js').Volume} Volume */

export class Records {
  #spec;
  /** @type {Promise<Volume> | null} */ #volume = null;
  /** What was written last, so that it need not be read again. @type {Map<string, {side: number, count: number}>} */ #known = new Map();
  /** Writes of one record wait for each other. @type {Map<string, Promise<unknown>>} */ #queue = new Map();

  /** @param {StoreSpec | null} spec null: nothing can be kept */
  constructor(spec) { this.#spec = spec; }

  /** @param {string} name @returns {Promise<Uint8Array | null>} null: not there, or not whole */
  async get(name) { return (await this.#newest(await this.#open(), name)).bytes; }
  /** Settles when the bytes are safe. @param {string} name @param {Uint8Array} bytes */
  async put(name, bytes) {
    const before = this.#queue.get(name) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(() => this.#write(name, bytes));
    this.#queue.set(name, mine);
    try { await mine; } finally { if (this.#queue.get(name) === mine) this.#queue.delete(name); }
  }
  /** @param {string} name @returns {Promise<boolean>} false: there was none */
  async remove(name) {
    const volume = await this.#open();
    const there = (await volume.names()).some((n) => n === place(name, 0) || n === place(name, 1));
    this.#known.delete(name);
    for (const side of [0, 1]) await volume.remove(place(name, side));
    return there;
  }
  /** Names that begin so, of records that are whole. @param {string} prefix @returns {Promise<string[]>} */
  async list(prefix) {
    const volume = await this.#open();
    const names = new Set((await volume.names()).filter((n) => /\.[01]\.rec$/.test(n)).map((n) => decodeURIComponent(n.slice(0, -6))));
    const whole = [];
    for (const name of names) if (name.startsWith(prefix) && (await this.#newest(volume, name)).bytes) whole.push(name);
    return whole.sort();
  }

  /**
   * An empty file that nobody else uses and that is gone when it is closed; what a process that was killed left is removed. null: this store has no files that are read at once.
   * @returns {Promise<import('./stores/volume.js').VolumeFile | null>}
   */
  async scratch() {
    if (this.#spec?.kind !== 'opfs' && this.#spec?.kind !== 'filesystem') return null;
    const volume = await this.#open(), remove = (/** @type {string} */ name) => volume.remove(name).catch(() => {}); // OPFS keeps those that are open
    for (const name of await volume.names()) if (name.endsWith('.scratch')) await remove(name);
    const name = `${toHex(crypto.getRandomValues(new Uint8Array(8)))}.scratch`, file = await volume.openFile(name, true);
    if (!file?.readInto) { // a page has no file that is written in place
      await file?.close();
      await remove(name);
      return null;
    }
    await remove(name); // where an open file lives on without its name, it goes with the process
    const close = file.close.bind(file);
    return Object.assign(file, { close: async () => { await close(); await remove(name); } });
  }

  #open() {
    const spec = this.#spec;
    if (!spec) throw new EdgeNetError('STORAGE', "nothing can be kept here: the session's storage is 'none', or this environment has none");
    return this.#volume ??= beside(spec).then(openVolume).catch((e) => { this.#volume = null; throw asError(e, 'STORAGE'); });
  }
  /** @param {Volume} volume @param {string} name @returns {Promise<{side: number, count: number, bytes: Uint8Array | null}>} */
  async #newest(volume, name) {
    /** @type {{side: number, count: number, bytes: Uint8Array | null}} */ let best = { side: 1, count: 0, bytes: null };
    for (const side of [0, 1]) {
      const all = await readAll(volume, place(name, side));
      if (!all || all.length < HEAD) continue;
      const view = new DataView(all.buffer, all.byteOffset, HEAD);
      const count = view.getUint32(4, true), bytes = all.subarray(HEAD);
      if (view.getUint32(0, true) === MAGIC && count > best.count && sameBytes(await digest(count, bytes), all.subarray(8, HEAD))) best = { side, count, bytes };
    }
    return best;
  }
  /** @param {string} name @param {Uint8Array} bytes */
  async #write(name, bytes) {
    const volume = await this.#open();
    const { side, count } = this.#known.get(name) ?? await this.#newest(volume, name);
    const head = new Uint8Array(HEAD);
    const view = new DataView(head.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, count + 1, true);
    head.set(await digest(count + 1, bytes), 8);
    const file = await volume.openFile(place(name, 1 - side), true);
    if (!file) throw new EdgeNetError('STORAGE', `${name} could not be written`);
    try {
      await file.write(0, concat(head, bytes));
      await file.flush();
    } finally { await file.close(); }
    this.#known.set(name, { side: 1 - side, count: count + 1 });
  }
}

/** A place of their own beside the stored models. @param {StoreSpec} spec @returns {Promise<StoreSpec>} */
async function beside({ kind, root }) {
  if (kind !== 'filesystem') return { kind, root: `${root ?? 'edge-net'}-records` };
  const path = await nodeModule('node:path');
  return { kind, root: path.join(root ?? path.join((await nodeModule('node:os')).homedir(), '.edge-net'), 'records') };
}
/** @param {Volume} volume @param {string} name @returns {Promise<Uint8Array | null>} */
async function readAll(volume, name) {
  const file = await volume.openShared(name);
  if (!file) return null;
  try { return await file.read(0, await volume.sizeOf(name) || 0); } finally { await file.close(); }
}
/** @param {string} name @param {number} side */
function place(name, side) { return `${encodeURIComponent(name).replaceAll('*', '%2A')}.${side}.rec`; }
/** @param {number} count @param {Uint8Array} bytes */
function digest(count, bytes) { return sha256(concat(new Uint8Array(Uint32Array.of(count).buffer), bytes)); }

// @ts-check
// The journal of a file: which chunks are there and what their SHA-256 is. Only ever appended to, so that a kill can cost nothing but its
// last record; what it says is checked against the data before it is believed, so a torn record costs one chunk and never a wrong byte.
//
// Layout, little endian: u32 magic, u32 n, n bytes of JSON (JournalHead), then records of 36 bytes: u32 chunk index, SHA-256. A set top bit
// of the index takes the chunk back.
import { HASH_BYTES } from '../manifest/hash.js';

/** @typedef {{schema: 2, id: string, name: string, model: string | null, size: number | null, version: string | null, chunkSize: number}} JournalHead */

const MAGIC = 0x314a4e45; // "ENJ1"
const RECORD = 4 + HASH_BYTES;
const GONE = 0x80000000;
const MAX_HEAD = 1 << 16;

export class JournalFile {
  #file;
  #end;
  /** @type {Map<number, Uint8Array>} */ #hashes;
  /** @readonly @type {JournalHead} */ head;

  /** @param {import('./volume.js').VolumeFile} file @param {JournalHead} head @param {number} end @param {Map<number, Uint8Array>} hashes */
  constructor(file, head, end, hashes) {
    this.#file = file;
    this.head = head;
    this.#end = end;
    this.#hashes = hashes;
  }

  /** @param {import('./volume.js').VolumeFile} file empty @param {JournalHead} head */
  static async create(file, head) {
    const text = new TextEncoder().encode(JSON.stringify(head));
    const bytes = new Uint8Array(8 + text.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, text.length, true);
    bytes.set(text, 8);
    await file.write(0, bytes);
    return new JournalFile(file, head, bytes.length, new Map());
  }

  /** @param {import('./volume.js').VolumeFile} file @returns {Promise<JournalFile | null>} null: this is no journal */
  static async open(file) {
    const bytes = await file.read(0, 0x7fffffff);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < 8 || view.getUint32(0, true) !== MAGIC) return null;
    const n = view.getUint32(4, true);
    if (n > MAX_HEAD || 8 + n > bytes.length) return null;
    /** @type {JournalHead} */ let head;
    try { head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + n))); } catch { return null; }
    if (head.schema !== 2 || typeof head.id !== 'string' || !Number.isInteger(head.chunkSize) || head.chunkSize <= 0) return null;
    const hashes = new Map();
    let at = 8 + n;
    for (; at + RECORD <= bytes.length; at += RECORD) {
      const index = view.getUint32(at, true);
      if (index & GONE) hashes.delete((index & ~GONE) >>> 0);
      else hashes.set(index, bytes.slice(at + 4, at + RECORD));
    }
    return new JournalFile(file, head, at, hashes);
  }

  get chunkSize() { return this.head.chunkSize; }
  get size() { return this.head.size; }
  get version() { return this.head.version; }
  get count() { return this.#hashes.size; }
  get indices() { return [...this.#hashes.keys()]; }
  /** @param {number} index */
  has(index) { return this.#hashes.has(index); }
  /** @param {number} index */
  hash(index) { return this.#hashes.get(index) ?? null; }

  /** @param {readonly {index: number, hash: Uint8Array}[]} records */
  async add(records) {
    await this.#append(records.map(({ index, hash }) => ({ index, hash })));
    for (const { index, hash } of records) this.#hashes.set(index, hash);
  }
  /** @param {readonly number[]} indices */
  async take(indices) {
    for (const index of indices) this.#hashes.delete(index);
    await this.#append(indices.map((index) => ({ index: (index | GONE) >>> 0, hash: new Uint8Array(HASH_BYTES) })));
  }
  /** @param {readonly {index: number, hash: Uint8Array}[]} records */
  async #append(records) {
    if (!records.length) return;
    const bytes = new Uint8Array(records.length * RECORD);
    records.forEach(({ index, hash }, i) => {
      new DataView(bytes.buffer).setUint32(i * RECORD, index, true);
      bytes.set(hash, i * RECORD + 4);
    });
    const at = this.#end;
    this.#end += bytes.length; // before the write, so that two appends at once do not take one place
    await this.#file.write(at, bytes);
  }
  flush() { return this.#file.flush(); }
  close() { return this.#file.close(); }
}

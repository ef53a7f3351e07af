// @ts-check
// Files made of Blobs, for places that keep whole values under keys: IndexedDB, the Cache API, memory. A file is a set of extents
// (offset -> Blob). Writes wait until a flush joins neighbours to Blobs of 4 MiB, the size that was fastest overall when measured.

const EXTENT = 4 << 20;

/**
 * @typedef {object} Shelf where Blobs lie
 * @property {(file: string) => Promise<number[]>} offsets ascending
 * @property {(file: string, offset: number) => Promise<Blob | null>} get
 * @property {(file: string, put: readonly (readonly [number, Blob])[], drop: readonly number[]) => Promise<void>} change
 */

/** @typedef {import('./volume.js').VolumeFile} VolumeFile */
/** @implements {VolumeFile} */
export class ExtentFile {
  #shelf;
  #name;
  #offsets;
  /** @type {Map<number, Uint8Array>} written, not yet on the shelf */ #waiting = new Map();
  /** @type {{offset: number, bytes: Uint8Array} | null} the extent that was read last */ #recent = null;
  /** @type {Promise<void>} the latest flush: they run one after another */ #flushed = Promise.resolve();

  /** @param {Shelf} shelf @param {string} name @param {number[]} offsets */
  constructor(shelf, name, offsets) {
    this.#shelf = shelf;
    this.#name = name;
    this.#offsets = offsets;
  }

  /** @param {number} offset @param {number} length */
  async read(offset, length) {
    if (this.#waiting.size) await this.flush();
    const end = Math.min(offset + length, await this.#end());
    if (end <= offset) return new Uint8Array(0);
    const out = new Uint8Array(end - offset);
    for (let at = offset; at < end;) {
      const i = this.#indexAt(at);
      const extent = i < 0 ? null : await this.#extent(this.#offsets[i]);
      const rest = extent && extent.bytes.subarray(at - extent.offset, end - extent.offset);
      if (rest?.length) { out.set(rest, at - offset); at += rest.length; } else at = this.#offsets[i + 1] ?? end; // a gap
    }
    return out;
  }
  /** @param {number} offset */
  async #extent(offset) {
    if (this.#recent?.offset === offset) return this.#recent;
    const blob = await this.#shelf.get(this.#name, offset);
    if (!blob) return null;
    return this.#recent = { offset, bytes: new Uint8Array(await blob.arrayBuffer()) };
  }
  async #end() { return sizeOf(this.#shelf, this.#name, this.#offsets); }
  /** The last extent that begins at or before. @param {number} at */
  #indexAt(at) {
    let low = -1;
    for (let high = this.#offsets.length; high - low > 1;) {
      const mid = (low + high) >> 1;
      if (this.#offsets[mid] <= at) low = mid; else high = mid;
    }
    return low;
  }

  /** @param {number} offset @param {Uint8Array} bytes */
  async write(offset, bytes) {
    if (this.#waiting.has(offset)) await this.flush();
    if (bytes.length) this.#waiting.set(offset, bytes);
  }
  flush() {
    const next = this.#flushed.then(() => this.#flush());
    this.#flushed = next.catch(() => {});
    return next;
  }
  async #flush() {
    const waiting = [...this.#waiting].sort((a, b) => a[0] - b[0]);
    if (!waiting.length) return;
    /** @type {Map<number, Blob>} */ const put = new Map();
    /** @type {number[]} */ const drop = [];
    for (let i = 0; i < waiting.length;) {
      const [offset] = waiting[i];
      /** @type {Uint8Array[]} */ const parts = [];
      let end = offset;
      for (; i < waiting.length && waiting[i][0] === end && (!parts.length || end + waiting[i][1].length - offset <= EXTENT); i++) {
        parts.push(waiting[i][1]);
        end += waiting[i][1].length;
      }
      await this.#cut(offset, end, put, drop);
      put.set(offset, new Blob(/** @type {BlobPart[]} */ (parts)));
    }
    await this.#shelf.change(this.#name, [...put], drop.filter((d) => !put.has(d)));
    for (const [offset, bytes] of waiting) if (this.#waiting.get(offset) === bytes) this.#waiting.delete(offset);
    this.#offsets = [...new Set([...this.#offsets.filter((o) => !drop.includes(o)), ...put.keys()])].sort((a, b) => a - b);
    this.#recent = null;
  }
  /** Old extents give way to [offset, end): what sticks out on both sides stays. @param {number} offset @param {number} end @param {Map<number, Blob>} put @param {number[]} drop */
  async #cut(offset, end, put, drop) {
    for (let i = Math.max(0, this.#indexAt(offset)); i < this.#offsets.length && this.#offsets[i] < end; i++) {
      const start = this.#offsets[i];
      const blob = await this.#shelf.get(this.#name, start);
      if (!blob || start + blob.size <= offset) continue;
      if (start < offset) put.set(start, blob.slice(0, offset - start)); else drop.push(start);
      if (start + blob.size > end) put.set(end, blob.slice(end - start));
    }
  }
  async blob() {
    await this.flush();
    /** @type {Blob[]} */ const parts = [];
    for (const offset of this.#offsets) parts.push(await this.#shelf.get(this.#name, offset) ?? new Blob());
    return new Blob(parts);
  }
  async close() { this.#waiting.clear(); this.#recent = null; }
}

/** @param {Shelf} shelf @param {string} name @param {readonly number[]} offsets */
export async function sizeOf(shelf, name, offsets) {
  const last = offsets.at(-1);
  return last === undefined ? 0 : last + ((await shelf.get(name, last))?.size ?? 0);
}

// @ts-check
// What the frozen layers made of samples, for all epochs of a run: in memory up to a limit, the rest in a scratch file of the session's storage. What
// is in neither is computed again, so that a store that fails or is full costs time only.

/** With a scratch file, and without one. */
const BESIDE_A_FILE = 32e6, ALONE = 256e6;

/** @typedef {import('./stores/volume.js').VolumeFile} VolumeFile */

export class Prefixes {
  #limit;
  #open;
  #bytes = 0;
  /** @type {Map<object, Float32Array>} */ #memory = new Map();
  /** Where they are in the file. @type {Map<object, {at: number, bytes: number}>} */ #stored = new Map();
  #end = 0;
  /** @type {Promise<VolumeFile | null> | null} */ #file = null;

  /** @param {number | null} limit bytes in memory; null: as many as is sensible @param {() => Promise<VolumeFile | null>} open a scratch file; null: there is none */
  constructor(limit, open) {
    this.#limit = limit;
    this.#open = open;
  }

  /** @param {object} sample @returns {Promise<Float32Array | null>} */
  async get(sample) {
    const place = this.#stored.get(sample), file = place && await this.#file;
    if (!file) return this.#memory.get(sample) ?? null;
    const bytes = await file.read(place.at, place.bytes).catch(() => null);
    return bytes?.length === place.bytes ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) : null;
  }
  /** @param {object} sample @param {Float32Array} rows */
  async put(sample, rows) {
    const bytes = rows.byteLength;
    if (this.#bytes + bytes > (this.#limit ?? BESIDE_A_FILE)) {
      const file = await (this.#file ??= this.#open().catch(() => null));
      if (file && await this.#write(file, sample, rows)) return;
      if (this.#bytes + bytes > (this.#limit ?? ALONE)) return;
    }
    this.#memory.set(sample, rows);
    this.#bytes += bytes;
  }
  async close() {
    this.#memory.clear();
    this.#stored.clear();
    await (await this.#file)?.close();
  }

  /** @param {VolumeFile} file @param {object} sample @param {Float32Array} rows */
  async #write(file, sample, rows) {
    try { await file.write(this.#end, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)); } catch { return false; }
    this.#stored.set(sample, { at: this.#end, bytes: rows.byteLength });
    this.#end += rows.byteLength;
    return true;
  }
}

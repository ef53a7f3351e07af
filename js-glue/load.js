// @ts-check
// One pass over a model file: every chunk goes straight to its final place in the wasm memory, where the core repacks it, while the
// next ones are downloaded or read.
import { EdgeNetError, throwIfAborted } from './errors.js';
import { makeYield } from './platform.js';

const FIRST_PROBE = 64 << 10;
const START_BYTES = 1 << 20;
const READ_BYTES = 4 << 20;

/**
 * @typedef {import('./wasm-instance.js').WasmInstance} WasmInstance
 * @typedef {import('./fetch/progress.js').Phase} Phase @typedef {import('./fetch/progress.js').Progress} Progress @typedef {import('./fetch/progress.js').Meter} Meter
 * @typedef {{handle: number, image: number, head: number, info: import('./wasm-instance.js').HeadInfo}} LoadedModel
 */

/** The model's image while it grows: first the head in a small block, then the whole file in its final one. */
class Image {
  #w;
  #at;
  #cap = START_BYTES;
  #filled = 0;
  #probeAt = FIRST_PROBE;
  #prepare;
  #size;
  /** @type {LoadedModel | undefined} */ model;

  /** @param {WasmInstance} w @param {(model: LoadedModel) => void} prepare called once, before most weights arrive @param {number} size of a file that is there as a whole, 0: nobody knows yet */
  constructor(w, prepare, size) {
    this.#w = w;
    this.#prepare = prepare;
    this.#size = size;
    this.#at = w.alloc(this.#cap);
  }
  get filled() { return this.#filled; }
  get complete() { return this.model !== undefined && this.#filled >= this.model.info.fileBytes; }

  /** Make room and tell how many of the next n bytes may be written at filled. @param {number} n */
  #room(n) {
    if (this.model) return Math.min(n, this.model.info.fileBytes - this.#filled);
    if (this.#filled + n > this.#cap) this.#move(Math.max(2 * this.#cap, this.#filled + n));
    return n;
  }
  /** @param {number} cap */
  #move(cap) {
    const to = this.#w.alloc(cap);
    this.#w.move(to, this.#at, Math.min(this.#filled, cap));
    this.#w.free(this.#at);
    this.#at = to;
    this.#cap = cap;
    this.#ahead(0);
  }
  /** What follows the next n bytes is not in use yet. @param {number} n */
  #ahead(n) { this.#w.touch(this.#at + this.#filled + n, this.#at + this.#cap); }
  /** @param {Uint8Array} chunk */
  push(chunk) {
    const n = this.#room(chunk.length);
    this.#w.write(this.#at + this.#filled, n < chunk.length ? chunk.subarray(0, n) : chunk);
    this.#advance(n);
  }
  /** Let a synchronous reader fill the next piece; returns bytes read. @param {(offset: number, view: Uint8Array) => number} readInto */
  pull(readInto) {
    const placed = this.#cap >= this.#size;
    const n = this.#room(Math.min(placed ? READ_BYTES : FIRST_PROBE, this.#size - this.#filled));
    if (placed) this.#ahead(n);
    const got = n ? this.#w.lend(this.#at + this.#filled, n, (view) => readInto(this.#filled, view)) : 0;
    if (got > 0) this.#advance(got);
    return got;
  }
  /** @param {number} n */
  #advance(n) {
    this.#filled += n;
    if (this.model) this.#w.feed(this.model.handle, this.#filled);
    else if (this.#filled >= this.#probeAt) this.probe();
  }
  /** Is the head complete? Then take the memory of the whole file, before another byte is downloaded; of one that is there as soon as its beginning is that of a model. */
  probe() {
    const info = this.#w.probe(this.#at, this.#filled);
    if (!info || this.#filled < Math.min(info.dataOffset, info.fileBytes)) {
      if (this.#size > this.#cap) this.#move(this.#size);
      this.#probeAt = info ? info.dataOffset : 2 * this.#filled;
      return;
    }
    const head = this.#filled = Math.min(this.#filled, info.fileBytes);
    if (this.#cap !== this.#size || info.fileBytes > this.#cap) this.#move(info.fileBytes);
    const { handle } = this.#w.openModel(this.#at, head);
    this.model = { handle, image: this.#at, head, info };
    this.#prepare(this.model);
    this.#w.feed(handle, head);
  }
}

/**
 * @param {WasmInstance} w @param {import('./fetch/types.js').Reader} reader
 * @param {{phase: Phase, signal?: AbortSignal, meter: Meter, prepare: (model: LoadedModel) => void}} opt phase 'download': whoever downloads reports its progress
 * @returns {Promise<LoadedModel>}
 */
export async function streamIn(w, reader, { phase, signal, meter, prepare }) {
  const readInto = reader.size ? reader.readInto : null;
  const image = new Image(w, prepare, readInto && reader.size ? reader.size : 0);
  const rest = makeYield();
  const show = () => { if (phase === 'read') meter.show(phase, image.filled, image.model?.info.fileBytes ?? reader.size); };
  if (readInto) {
    for (let since = performance.now(); image.pull(readInto) > 0; show()) {
      if (performance.now() - since < 20) continue;
      await rest();
      throwIfAborted(signal);
      since = performance.now();
    }
  } else {
    for await (const chunk of reader.read(0, Infinity, signal)) {
      throwIfAborted(signal);
      image.push(chunk);
      show();
    }
  }
  if (!image.model && image.filled) image.probe();
  if (!image.complete) {
    const total = image.model?.info.fileBytes;
    throw new EdgeNetError('FORMAT', total ? `the file is incomplete: it ends at ${image.filled} of ${total} bytes` : `the file ends at ${image.filled} bytes, inside the head of a GGUF file`);
  }
  meter.show(phase, image.filled, image.filled, { always: true });
  return /** @type {LoadedModel} */ (image.model);
}

// @ts-check
// Models in several files, read as the one GGUF file that they stand for: split GGUF, and Hugging Face folders. convert.wasm, which is fetched only for these, makes the head and says
// where the data lie; they are read from their files as they are asked for, and the few tensors that change are converted one at a time. So a store or a model that reads this source
// never has more than a tensor in memory.
import { EdgeNetError, asError, errorOfStatus, throwIfAborted } from './errors.js';
import { collect } from './fetch/small.js';
import { concat, toHex, utf8 } from './manifest/encoding.js';
import { sha256 } from './manifest/hash.js';
import { fetchAny } from './platform.js';

/**
 * @typedef {import('./fetch/types.js').Reader} Reader @typedef {import('./fetch/types.js').Source} Source @typedef {import('./fetch/types.js').PartsSpec} PartsSpec
 * @typedef {{memory: WebAssembly.Memory, c_alloc(n: number): number, c_free(p: number): void, c_why(): number, c_mail(): number, c_text_name(i: number): number, c_text(i: number, p: number, n: number): void,
 *   c_shard(p: number, n: number): number, c_scan(p: number, n: number): number, c_open(name: number): number, c_piece(i: number): number, c_convert(i: number, to: number, from: number): void, _initialize(): void}} Exports
 * @typedef {{index: number, shard: number, plain: boolean, from: number, bytes: number, to: number, size: number}} Piece index: of the first that it is made of; to, size: in the file that it all stands for
 */

const MAX_TEXT = 256 << 20;
const MAX_SHARD_NAME = 255;
const PIECE_BYTES = 4 << 20;
const MORE = -3; // EN_E_MORE
const ZEROS = new Uint8Array(1 << 16);

/** The module's calls and its memory. One of these is one model. */
class Converter {
  #x;
  /** @param {Exports} x */
  constructor(x) { this.#x = x; }
  /** @param {string} [folder] where convert.wasm is, if not beside the engines of this package */
  static async create(folder) {
    const url = folder ? new URL('convert.wasm', folder) : new URL('../wasm/convert.wasm', import.meta.url);
    try {
      const { instance } = await WebAssembly.instantiate(await (await fetchAny(url)).arrayBuffer());
      const x = /** @type {Exports} */ (/** @type {unknown} */ (instance.exports));
      x._initialize();
      return new Converter(x);
    } catch (e) { throw asError(e, 'NETWORK', `${url}, which models of several files need: `); }
  }
  /** Copied, or room for so many. @param {Uint8Array | number} bytes */
  put(bytes) {
    const n = typeof bytes === 'number' ? bytes : bytes.length, at = n < 2 ** 32 ? this.#x.c_alloc(n) : 0;
    if (!at) throw new EdgeNetError('NOMEM', `no memory to convert a tensor or text of ${n} bytes`);
    if (typeof bytes !== 'number') this.view(at, n).set(bytes);
    return at;
  }
  /** @param {number} at @param {number} n */
  view(at, n) { return new Uint8Array(this.#x.memory.buffer, at, n); }
  /** @param {number} at */
  free(at) { this.#x.c_free(at); }
  /** @param {number} at of a text that ends with NUL */
  #text(at) { const all = new Uint8Array(this.#x.memory.buffer); return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at))); }
  /** @param {number} status */
  #check(status) { if (status) throw errorOfStatus(status, this.#text(this.#x.c_why())); }
  #mail() { return new Float64Array(this.#x.memory.buffer, this.#x.c_mail(), 8); }
  /** What the texts of a folder are called, in the order of set(). */
  textNames() {
    const names = [];
    for (let at; (at = this.#x.c_text_name(names.length));) names.push(this.#text(at));
    return names;
  }
  /** @param {number} i @param {Uint8Array} bytes */
  setText(i, bytes) { this.#x.c_text(i, this.put(bytes), bytes.length); }
  /** @param {Uint8Array} head */
  addShard(head) { this.#check(this.#x.c_shard(this.put(head), head.length)); }
  /** Is this a whole head of a GGUF file? @param {Uint8Array} bytes */
  isWhole(bytes) {
    const at = this.put(bytes), status = this.#x.c_scan(at, bytes.length);
    this.free(at);
    if (status !== MORE) this.#check(status);
    return status !== MORE;
  }
  /** @param {string | null} name of a folder; null: a split model @returns {{head: Uint8Array, size: number}} */
  open(name) {
    this.#check(this.#x.c_open(name === null ? 0 : this.put(concat(utf8(name), new Uint8Array(1)))));
    const [at, n, size] = this.#mail();
    return { head: this.view(at, n).slice(), size };
  }
  /** All data in order; neighbours in one file that stay neighbours are one piece. @param {number} start of the data */
  pieces(start) {
    /** @type {Piece[]} */ const all = [];
    for (let i = 0; this.#x.c_piece(i); i++) {
      const [shard, plain, from, bytes, to, size] = this.#mail(), last = all.at(-1);
      if (last?.plain && plain && last.shard === shard && from - last.from === start + to - last.to) last.bytes = last.size = from + bytes - last.from;
      else all.push({ index: i, shard, plain: plain !== 0, from, bytes, to: start + to, size });
    }
    return all;
  }
  /** @param {Piece} piece @param {Uint8Array} bytes @returns {Uint8Array} */
  convert(piece, bytes) {
    const from = this.put(bytes), to = this.put(piece.size);
    this.#x.c_convert(piece.index, to, from);
    const out = this.view(to, piece.size).slice();
    this.free(from);
    this.free(to);
    return out;
  }
}

/** The beginning of a file, as far as `enough` wants it. @param {Reader} reader @param {(bytes: Uint8Array) => number} enough bytes of the head, as far as it is known @param {string} name @param {AbortSignal} [signal] */
async function headOf(reader, enough, name, signal) {
  /** @type {Uint8Array[]} */ let parts = [];
  let have = 0, want = 8;
  for await (const piece of reader.read(0, Infinity, signal)) {
    parts.push(piece);
    have += piece.length;
    while (have >= want) {
      const all = concat(...parts), needed = enough(all);
      if (needed <= have) return all.subarray(0, needed);
      parts = [all];
      want = needed;
    }
  }
  throw new EdgeNetError('FORMAT', `${name} ends inside its head`);
}
/** @param {Uint8Array} bytes of a safetensors file */
const safetensorsHead = (bytes) => 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));

/** @param {unknown} e */
function isMissing(e) {
  const { detail, cause } = asError(e);
  return [404, 410].includes(/** @type {any} */ (detail)?.status) || /** @type {any} */ (cause)?.code === 'ENOENT' || /** @type {any} */ (cause)?.name === 'NotFoundError';
}

class Parts {
  #spec;
  #open;
  #signal;
  /** @type {Reader[]} */ readers = [];
  /** @param {PartsSpec} spec @param {(spec: import('./fetch/types.js').SourceSpec) => Source} open @param {AbortSignal} [signal] */
  constructor(spec, open, signal) {
    this.#spec = spec;
    this.#open = open;
    this.#signal = signal;
  }
  /** @param {string} name @returns {Promise<Reader>} */
  async #reader(name) {
    const given = this.#spec.files.find((f) => f.name === name)?.spec ?? (this.#spec.base && inside(this.#spec.base, name));
    if (!given) throw new EdgeNetError('STORAGE', `${name} is not among the files`, { cause: { code: 'ENOENT' } });
    return this.#open(given).open({ id: name, name }, this.#signal);
  }
  /** @param {string} name @returns {Promise<Uint8Array | null>} null: there is none */
  async #text(name) {
    /** @type {Reader} */ let reader;
    try { reader = await this.#reader(name); } catch (e) { if (isMissing(e)) return null; throw e; }
    try { return await collect(reader.read(0, Infinity, this.#signal), MAX_TEXT, name); } finally { reader.close(); }
  }
  /** @param {Converter} c @param {string[]} names @param {(bytes: Uint8Array) => number} enough */
  async #shards(c, names, enough) {
    for (const name of names) {
      const reader = await this.#reader(name);
      this.readers.push(reader);
      c.addShard(await headOf(reader, enough, name, this.#signal));
    }
  }
  /** @param {Converter} c */
  async split(c) { await this.#shards(c, this.#spec.files.map((f) => f.name), (bytes) => (c.isWhole(bytes) ? bytes.length : 2 * bytes.length)); }
  /** @param {Converter} c */
  async folder(c) {
    const names = c.textNames(), [texts, index] = await Promise.all([Promise.all(names.map((name) => this.#text(name))), this.#text('model.safetensors.index.json')]);
    if (!texts[0]) throw new EdgeNetError('FORMAT', `there is no config.json${this.#spec.base ? '' : ' among the files'}: this is no Hugging Face folder of a model. A .gguf file is named itself`);
    texts.forEach((text, i) => { if (text) c.setText(i, text); });
    await this.#shards(c, index ? shardNames(index) : ['model.safetensors'], safetensorsHead);
  }
}

/** @param {Uint8Array} index */
function shardNames(index) {
  /** @type {unknown} */ let map;
  try { map = JSON.parse(new TextDecoder().decode(index)).weight_map; } catch { /* told below */ }
  const names = [...new Set(Object.values(map ?? {}))].map(String);
  if (!names.length || names.some((name) => !name || name.length > MAX_SHARD_NAME || /[/\\]/.test(name))) throw new EdgeNetError('FORMAT', 'model.safetensors.index.json does not name the files of the model');
  return names;
}

/** A file of a folder. @param {import('./fetch/types.js').SourceSpec} base @param {string} name @returns {import('./fetch/types.js').SourceSpec} */
function inside(base, name) {
  if (base.kind === 'hf') return { ...base, path: base.path ? `${base.path}/${name}` : name };
  if (base.kind === 'path') return { ...base, path: `${base.path.replace(/[\\/]$/, '')}/${name}` };
  return /** @type {any} */ ({ ...base, url: new URL(name, /** @type {any} */ (base).url).href });
}

/**
 * The files as one. @param {PartsSpec} spec @param {string} name general.name of a folder's model @param {(spec: import('./fetch/types.js').SourceSpec) => Source} open @param {AbortSignal} [signal] @returns {Promise<Reader>}
 */
export async function openParts(spec, name, open, signal) {
  const parts = new Parts(spec, open, signal);
  try {
    const c = await Converter.create(spec.convert);
    await (spec.split ? parts.split(c) : parts.folder(c));
    const { head, size } = c.open(spec.split ? null : name);
    const versions = parts.readers.map((r) => r.version);
    const version = versions.includes(null) ? null : `parts:${toHex(await sha256(concat(head, utf8(versions.join('\n')))))}`;
    return new PartsReader(c, parts.readers, head, size, version);
  } catch (e) {
    for (const reader of parts.readers) reader.close();
    throw e;
  }
}

/** @implements {Reader} */
class PartsReader {
  #c;
  #readers;
  #head;
  #pieces;
  /** The tensor that was converted last: ranges often begin inside one. @type {{piece: Piece, bytes: Uint8Array} | null} */ #converted = null;
  ranges = true;
  /** @param {Converter} c @param {Reader[]} readers @param {Uint8Array} head @param {number} size @param {string | null} version */
  constructor(c, readers, head, size, version) {
    this.#c = c;
    this.#readers = readers;
    this.#head = head;
    this.#pieces = c.pieces(head.length);
    this.size = size;
    this.version = version;
  }
  /** @param {number} offset @param {number} length @param {AbortSignal} [signal] @returns {AsyncGenerator<Uint8Array>} */
  async *read(offset, length, signal) {
    const end = Math.min(this.size, offset + length);
    let at = offset;
    if (at < this.#head.length) { yield this.#head.slice(at, end); at = Math.min(this.#head.length, end); }
    for (const piece of this.#pieces) {
      if (piece.to + piece.size <= at) continue;
      if (at >= end) return;
      for (; at < Math.min(piece.to, end); at += Math.min(ZEROS.length, piece.to - at)) yield ZEROS.slice(0, Math.min(ZEROS.length, piece.to - at, end - at));
      const until = Math.min(end, piece.to + piece.size);
      if (until > at) yield* piece.plain ? this.#plain(piece, at, until, signal) : this.#changed(piece, at, until, signal);
      at = until;
    }
    for (; at < end; at += ZEROS.length) yield ZEROS.slice(0, end - at);
  }
  /** @param {Piece} piece @param {number} at @param {number} until @param {AbortSignal} [signal] */
  async *#plain(piece, at, until, signal) {
    let left = until - at;
    for await (const bytes of this.#readers[piece.shard].read(piece.from + at - piece.to, left, signal)) { left -= bytes.length; yield bytes; }
    if (left) throw new EdgeNetError('FORMAT', `file ${piece.shard + 1} of the model is cut short`);
  }
  /** @param {Piece} piece @param {number} at @param {number} until @param {AbortSignal} [signal] */
  async *#changed(piece, at, until, signal) {
    if (this.#converted?.piece !== piece) {
      const bytes = piece.shard < 0 ? new Uint8Array(0) : await collect(this.#readers[piece.shard].read(piece.from, piece.bytes, signal), piece.bytes, 'a tensor');
      if (piece.shard >= 0 && bytes.length !== piece.bytes) throw new EdgeNetError('FORMAT', `file ${piece.shard + 1} of the model is cut short`);
      this.#converted = { piece, bytes: this.#c.convert(piece, bytes) };
    }
    const { bytes } = this.#converted;
    for (; at < until; at += PIECE_BYTES) {
      throwIfAborted(signal);
      yield bytes.slice(at - piece.to, Math.min(at + PIECE_BYTES, until) - piece.to);
    }
  }
  close() { for (const reader of this.#readers) reader.close(); }
}

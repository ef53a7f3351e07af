// @ts-check
/**
 * Writes GGUF version 3 files (little-endian), the format of docs/formats.md, and encodes float32 rows as F32 or Q8_0.
 * No dependency; works in Node and in browsers. Keys and tensors keep the order in which they were added.
 */

/** Numbers of the value types, as in the file. */
export const ValueType = Object.freeze({ u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11, f64: 12 });
/** Tensor types that `encode` makes: ggml's number, elements per block, bytes per block. */
export const TensorType = Object.freeze({
  F32: Object.freeze({ id: 0, block: 1, blockBytes: 4 }),
  Q8_0: Object.freeze({ id: 8, block: 32, blockBytes: 34 }),
});

/** @typedef {Exclude<keyof typeof ValueType, "array">} ScalarKind */
/** @typedef {keyof typeof TensorType} TensorKind */
/** @typedef {{ name: string, shape: readonly number[], typeId: number, size: number, bytes: Uint8Array | null }} Tensor bytes null: the caller writes them */

const ALIGNMENT = 32;
const utf8 = new TextEncoder();

/** A growing buffer of little-endian values. */
class Bytes {
  #view = new DataView(new ArrayBuffer(4096));
  #length = 0;

  /** @param {number} n @returns {number} where the n new bytes begin */
  #grow(n) {
    const at = this.#length;
    this.#length += n;
    if (this.#length > this.#view.byteLength) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(new Uint8Array(this.#view.buffer, 0, at));
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
  get length() {
    return this.#length;
  }
  /** @param {number} v */
  u32(v) {
    const at = this.#grow(4);
    this.#view.setUint32(at, v, true);
  }
  /** @param {number | bigint} v */
  u64(v) {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(v), true);
  }
  /** @param {Uint8Array} bytes */
  raw(bytes) {
    const at = this.#grow(bytes.length);
    new Uint8Array(this.#view.buffer).set(bytes, at);
  }
  /** A string of the format: its length in bytes, then the bytes. @param {string} text */
  string(text) {
    const bytes = utf8.encode(text);
    this.u64(bytes.length);
    this.raw(bytes);
  }
  /** @param {ScalarKind} kind @param {unknown} v */
  scalar(kind, v) {
    if (kind === "string") return this.string(String(v));
    const sizes = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, bool: 1, u64: 8, i64: 8, f64: 8 };
    const at = this.#grow(sizes[kind]);
    const view = this.#view;
    switch (kind) {
      case "u8": return view.setUint8(at, Number(v));
      case "i8": return view.setInt8(at, Number(v));
      case "bool": return view.setUint8(at, v ? 1 : 0);
      case "u16": return view.setUint16(at, Number(v), true);
      case "i16": return view.setInt16(at, Number(v), true);
      case "u32": return view.setUint32(at, Number(v), true);
      case "i32": return view.setInt32(at, Number(v), true);
      case "f32": return view.setFloat32(at, Number(v), true);
      case "u64": return view.setBigUint64(at, BigInt(/** @type {number} */ (v)), true);
      case "i64": return view.setBigInt64(at, BigInt(/** @type {number} */ (v)), true);
      case "f64": return view.setFloat64(at, Number(v), true);
    }
  }
  /** Zeros up to a multiple of n. @param {number} n */
  align(n) {
    this.#grow((n - (this.#length % n)) % n);
  }
  /** @returns {Uint8Array} a copy */
  done() {
    return new Uint8Array(this.#view.buffer.slice(0, this.#length));
  }
}

/** Round to IEEE half precision, nearest even. @param {number} value @returns {number} the 16 bits */
export function halfBits(value) {
  const x = Math.fround(value);
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const a = Math.abs(x);
  if (Number.isNaN(a)) return sign | 0x7e00;
  if (a >= 65520) return sign | 0x7c00; // rounds to infinity
  // The distance between neighbouring halves at a: 2^-24 below the smallest normal half, else 2^(exponent - 10).
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.max(a, 2 ** -14))));
  const step = 2 ** (exponent - 10);
  const units = a / step; // exact: a division by a power of two
  const low = Math.floor(units);
  const rest = units - low;
  const rounded = low + (rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? 1 : 0);
  return sign | ((exponent + 14) * 1024 + rounded); // a normal half counts from 1024, a carry goes into the exponent
}

/**
 * Float32 values as the bytes of a tensor type. Q8_0 per 32 values: d = max |x| / 127 as a half, then round(x / d) with the unrounded d, half away from zero: ggml's rule.
 * @param {TensorKind} kind @param {Float32Array} x a whole number of blocks @returns {Uint8Array}
 */
export function encode(kind, x) {
  const { block, blockBytes } = TensorType[kind];
  if (x.length % block) throw new RangeError(`${kind} needs a multiple of ${block} values, not ${x.length}`);
  if (kind === "F32") return new Uint8Array(x.slice().buffer);
  const out = new DataView(new ArrayBuffer((x.length / block) * blockBytes));
  for (let b = 0; b < x.length / block; b++) {
    const values = x.subarray(b * block, (b + 1) * block);
    const d = Math.fround(values.reduce((max, v) => Math.max(max, Math.abs(v)), 0) / 127);
    const inverse = d ? Math.fround(1 / d) : 0;
    out.setUint16(b * blockBytes, halfBits(d), true);
    values.forEach((v, i) => {
      const q = Math.fround(v * inverse);
      out.setInt8(b * blockBytes + 2 + i, Math.sign(q) * Math.floor(Math.abs(q) + 0.5));
    });
  }
  return new Uint8Array(out.buffer);
}

/** Collects metadata and tensors, then gives the file's bytes. */
export class GgufWriter {
  /** @type {{ key: string, write: (out: Bytes) => void }[]} */
  #pairs = [];
  /** @type {Tensor[]} */
  #tensors = [];

  /** @param {string} key @param {(out: Bytes) => void} write */
  #add(key, write) {
    if (!key || this.#pairs.some((p) => p.key === key)) throw new Error(`the key "${key}" is empty or set twice`);
    this.#pairs.push({ key, write });
    return this;
  }
  /** @param {string} key @param {ScalarKind} kind @param {string | number | bigint | boolean} value */
  set(key, kind, value) {
    return this.#add(key, (out) => {
      out.u32(ValueType[kind]);
      out.scalar(kind, value);
    });
  }
  /** @param {string} key @param {ScalarKind} kind of the elements @param {readonly (string | number | bigint | boolean)[]} values */
  setArray(key, kind, values) {
    return this.#add(key, (out) => {
      out.u32(ValueType.array);
      out.u32(ValueType[kind]);
      out.u64(values.length);
      for (const v of values) out.scalar(kind, v);
    });
  }
  /**
   * @param {string} name at most 63 bytes
   * @param {readonly number[]} shape slowest dimension first, [rows, columns]: the file stores it the other way round
   * @param {TensorKind} kind @param {Float32Array} values
   */
  tensor(name, shape, kind, values) {
    if (shape.reduce((n, d) => n * d, 1) !== values.length) throw new RangeError(`${name}: ${values.length} values do not fill [${shape}]`);
    if ((shape.at(-1) ?? 1) % TensorType[kind].block) throw new RangeError(`${name}: rows of ${shape.at(-1)} values are not whole ${kind} blocks`);
    const bytes = encode(kind, values);
    return this.#push({ name, shape, typeId: TensorType[kind].id, size: bytes.length, bytes });
  }
  /**
   * A tensor whose data the caller writes behind `head()`, in this order, each filled up to a multiple of 32 bytes.
   * @param {string} name @param {readonly number[]} shape as for `tensor` @param {number} typeId ggml's number @param {number} size bytes of data
   */
  declare(name, shape, typeId, size) {
    return this.#push({ name, shape, typeId, size, bytes: null });
  }
  /** @param {Tensor} t */
  #push(t) {
    const size = utf8.encode(t.name).length;
    if (!size || size > 63 || this.#tensors.some((other) => other.name === t.name)) throw new Error(`the tensor name "${t.name}" is empty, too long or used twice`);
    this.#tensors.push(t);
    return this;
  }
  /** @returns {Uint8Array} all that comes before the data */
  head() {
    const out = this.#begin();
    out.align(ALIGNMENT);
    return out.done();
  }
  /** @returns {Uint8Array} the whole file */
  toBytes() {
    const out = this.#begin();
    for (const t of this.#tensors) {
      if (!t.bytes) throw new Error(`tensor "${t.name}" is only declared`);
      out.align(ALIGNMENT);
      out.raw(t.bytes);
    }
    return out.done();
  }
  #begin() {
    const out = new Bytes();
    out.raw(utf8.encode("GGUF"));
    out.u32(3);
    out.u64(this.#tensors.length);
    out.u64(this.#pairs.length);
    for (const { key, write } of this.#pairs) {
      out.string(key);
      write(out);
    }
    let offset = 0;
    for (const t of this.#tensors) {
      out.string(t.name);
      out.u32(t.shape.length);
      for (const d of [...t.shape].reverse()) out.u64(d);
      out.u32(t.typeId);
      out.u64(offset);
      offset += Math.ceil(t.size / ALIGNMENT) * ALIGNMENT;
    }
    return out;
  }
}

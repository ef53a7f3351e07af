// @ts-check
// What a GGUF file says of itself, for a manifest's architecture block. Format: docs/formats.md; the engine reads models with its own, complete reader.
import { open } from 'node:fs/promises';
import { EdgeNetError } from '../../js-glue/errors.js';

/** Heads have up to about 20 MB; the keys that are wanted here come before the vocabulary in every file that was seen, but need not. */
const MAX_HEAD = 256 << 20;
const MAX_PAIRS = 65536;
/** Bytes of the fixed value types: u8, i8, u16, i16, u32, i32, f32, bool, -, -, u64, i64, f64. */
const BYTES = Object.freeze([1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8]);
const STRING = 8, ARRAY = 9;
/** general.file_type (llama.cpp's llama_ftype) -> class of weights. @type {Readonly<Record<number, string>>} */
const CLASSES = Object.freeze({ 0: 'FP32', 1: 'FP16', 2: 'INT4', 3: 'INT4', 7: 'INT8', 10: 'INT2', 14: 'INT4', 15: 'INT4', 25: 'INT4', 30: 'INT4', 32: 'BF16', 36: 'TERNARY', 37: 'TERNARY' });
/** Of the tensor types that models here have (core/format/ggml_types.def): elements and bytes of a block. @type {Readonly<Record<number, readonly [number, number]>>} */
const BLOCKS = Object.freeze({ 0: [1, 4], 1: [1, 2], 2: [32, 18], 3: [32, 20], 6: [32, 22], 7: [32, 24], 8: [32, 34], 10: [256, 84], 11: [256, 110], 12: [256, 144], 13: [256, 176], 14: [256, 210],
  20: [32, 18], 23: [256, 136], 30: [1, 2], 34: [256, 54], 35: [256, 66] });
const ENCODERS = Object.freeze(['bert', 'nomic-bert', 'jina-bert-v2']);

/** Reads a file from its start, as far as it is asked. @param {import('node:fs/promises').FileHandle} handle @param {string} name */
function reader(handle, name) {
  let bytes = Buffer.alloc(0), at = 0;
  /** @param {number} n */
  const need = async (n) => {
    if (at + n > MAX_HEAD) throw new EdgeNetError('FORMAT', `${name}: its head is longer than ${MAX_HEAD} bytes`);
    if (at + n > bytes.length) {
      const more = Buffer.alloc(Math.max(1 << 20, 2 * bytes.length, at + n));
      const { bytesRead } = await handle.read(more, 0, more.length, 0);
      bytes = more.subarray(0, bytesRead);
    }
    if (at + n > bytes.length) throw new EdgeNetError('FORMAT', `${name}: the file ends in its head`);
    at += n;
    return at - n;
  };
  const u32 = async () => { const p = await need(4); return bytes.readUInt32LE(p); };
  const u64 = async () => { const p = await need(8); return Number(bytes.readBigUInt64LE(p)); };
  const text = async () => { const n = await u64(); const p = await need(n); return bytes.toString('utf8', p, p + n); };
  /** Numbers, words and truths; of an array its length. @param {number} type @returns {Promise<string | number | null>} */
  const value = async (type) => {
    if (type === STRING) return text();
    if (type === ARRAY) {
      const element = await u32(), n = await u64();
      if (element !== STRING && !BYTES[element]) throw new EdgeNetError('UNSUPPORTED', `${name}: arrays of type ${element} are not read`);
      if (element === STRING) for (let i = 0; i < n; i++) await text();
      else await need(n * /** @type {number} */ (BYTES[element]));
      return n;
    }
    if (!BYTES[type]) throw new EdgeNetError('FORMAT', `${name}: there is no value type ${type}`);
    const p = await need(/** @type {number} */ (BYTES[type]));
    if (type === 4) return bytes.readUInt32LE(p);
    if (type === 5) return bytes.readInt32LE(p);
    return type === 10 || type === 11 ? Number(bytes.readBigInt64LE(p)) : null;
  };
  return { u32, u64, text, value, at: () => at };
}

/**
 * @param {string} file @returns {Promise<{family: string, name: string | null, license: string | null, type: 'text-generation' | 'embedding', quantization: string | null,
 *   architecture: import('../../js-glue/manifest/manifest.js').Manifest['architecture']} | null>} null: no GGUF file
 */
export async function describeGguf(file) {
  const handle = await open(file, 'r');
  try {
    const { u32, u64, text, value, at } = reader(handle, file);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    if (bytesRead < 4 || buffer.toString('latin1') !== 'GGUF') return null;
    await u32();
    const version = await u32();
    if (version !== 2 && version !== 3) throw new EdgeNetError('UNSUPPORTED', `${file}: GGUF version ${version} is not read`);
    const tensors = await u64(), pairs = await u64();
    if (pairs > MAX_PAIRS) throw new EdgeNetError('FORMAT', `${file}: ${pairs} pairs are more than ${MAX_PAIRS}`);
    /** @type {Map<string, string | number | null>} */ const all = new Map();
    for (let i = 0; i < pairs; i++) all.set(await text(), await value(await u32()));
    /** @type {number[]} */ const ends = [];
    for (let i = 0; i < tensors; i++) {
      await text();
      let elements = 1;
      for (let n = await u32(); n > 0; n--) elements *= await u64();
      const [block, bytes] = BLOCKS[await u32()] ?? [1, 0];
      ends.push(await u64() + Math.ceil(elements / block) * bytes);
    }
    const align = Number(all.get('general.alignment') ?? 32), { size } = await handle.stat();
    const wanted = Math.ceil(at() / align) * align + ends.reduce((a, b) => Math.max(a, b), 0);
    if (size < wanted) throw new EdgeNetError('FORMAT', `${file}: the file is incomplete: it ends at ${size} of ${wanted} bytes`);
    return described(all);
  } finally { await handle.close(); }
}

/** @param {Map<string, string | number | null>} all */
function described(all) {
  const family = String(all.get('general.architecture') ?? 'unknown');
  /** @param {string} key */
  const count = (key) => { const n = all.get(key); return typeof n === 'number' && n > 0 && n <= 1e9 ? n : null; };
  /** @param {string} key @param {number} max */
  const words = (key, max) => { const t = all.get(key); return typeof t === 'string' && t ? t.slice(0, max) : null; };
  const encoder = ENCODERS.includes(family);
  const hiddenSize = count(`${family}.embedding_length`);
  return {
    family: family.slice(0, 60), name: words('general.name', 200), license: words('general.license', 100), type: encoder ? /** @type {const} */ ('embedding') : /** @type {const} */ ('text-generation'),
    quantization: CLASSES[Number(all.get('general.file_type') ?? -1)] ?? null,
    architecture: { type: 'transformer', layers: count(`${family}.block_count`), hiddenSize, vocabSize: count(`${family}.vocab_size`) ?? count('tokenizer.ggml.tokens'), contextLength: count(`${family}.context_length`), ...(encoder ? { dimensions: hiddenSize } : {}) },
  };
}

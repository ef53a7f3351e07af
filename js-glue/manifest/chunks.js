// @ts-check
// The hashes of a file's chunks: what every byte that arrives is checked against, whatever source it came from.
import { EdgeNetError } from '../errors.js';
import { concat, fromHex, sameBytes, toHex } from './encoding.js';
import { HASH_BYTES, openSha256, sha256 } from './hash.js';
import { merkleRoot } from './merkle.js';

/** Bytes of a chunk unless a manifest says otherwise; the leaf size of the CID profile unixfs-v1-2025. */
export const CHUNK_BYTES = 1 << 20;
/** Chunk sizes that are read. */
export const CHUNK_SIZES = Object.freeze([1 << 18, 1 << 20, 1 << 22]);
/** Longest list: 1 TiB in chunks of 1 MiB, 32 MiB of hashes. */
export const MAX_CHUNKS = 1 << 20;
/** Longer lists lie beside the manifest, in a file of 32 bytes per chunk. */
export const MAX_INLINE = 1024;

export class ChunkList {
  #hashes;

  /** @param {number} size bytes of the file @param {number} chunkSize bytes of every chunk but the last @param {Uint8Array} hashes 32 bytes per chunk */
  constructor(size, chunkSize, hashes) {
    const count = Math.ceil(size / chunkSize);
    if (!Number.isSafeInteger(size) || size < 0 || !CHUNK_SIZES.includes(chunkSize)) throw new EdgeNetError('ARG', `a chunk list needs a size and a chunk size of ${CHUNK_SIZES.join(', ')} bytes, not ${size} and ${chunkSize}`);
    if (count > MAX_CHUNKS) throw new EdgeNetError('UNSUPPORTED', `a file of ${size} bytes has ${count} chunks, more than ${MAX_CHUNKS}`);
    if (hashes.length !== count * HASH_BYTES) throw new EdgeNetError('CHUNK_LIST', `${size} bytes are ${count} chunks of ${chunkSize}, but the chunk list has ${hashes.length} bytes, not ${count * HASH_BYTES}`);
    /** @readonly */ this.size = size;
    /** @readonly */ this.chunkSize = chunkSize;
    /** @readonly */ this.count = count;
    this.#hashes = hashes;
  }

  /** Where a chunk lies in the file. @param {number} i @returns {{offset: number, length: number}} */
  range(i) {
    this.#check(i);
    const offset = i * this.chunkSize;
    return { offset, length: Math.min(this.chunkSize, this.size - offset) };
  }
  /** @param {number} i @returns {Uint8Array} its SHA-256, 32 bytes */
  hash(i) {
    this.#check(i);
    return this.#hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES);
  }
  /** @param {number} i @param {Uint8Array} bytes @returns {Promise<boolean>} are these the bytes of chunk i? */
  async matches(i, bytes) {
    return bytes.length === this.range(i).length && sameBytes(await sha256(bytes), this.hash(i));
  }
  /** The side file's bytes. */
  toBytes() { return this.#hashes.slice(); }
  /** @returns {Promise<string>} the Merkle root, 64 hexadecimal digits: the name of these contents */
  async root() { return toHex(await merkleRoot(this.#hashes)); }

  /** @param {number} i */
  #check(i) { if (!Number.isInteger(i) || i < 0 || i >= this.count) throw new RangeError(`chunk ${i} of ${this.count}`); }
}

/**
 * The chunk list of a manifest's artifact, checked against its Merkle root.
 * @param {import('./manifest.js').Artifact} artifact
 * @param {(file: string, size: number) => Promise<Uint8Array>} [readSide] reads a long list's side file, `size` bytes; needed only for artifacts that have one
 * @returns {Promise<ChunkList | null>} null: the manifest knows only the whole file's hash, or nothing
 */
export async function chunkListOf(artifact, readSide) {
  const { filename, size, chunkSize, chunks, chunkFile, merkleRoot: root } = artifact;
  if (size == null || chunkSize == null || root == null || chunks == null && chunkFile == null) return null;
  const bytes = Math.ceil(size / chunkSize) * HASH_BYTES;
  if (chunks == null && !readSide) throw new EdgeNetError('ARG', `${filename}: its chunk list lies in ${chunkFile}, and nothing here can read that`);
  const hashes = chunks != null ? concat(...chunks.map(fromHex)) : await /** @type {NonNullable<typeof readSide>} */ (readSide)(/** @type {string} */ (chunkFile), bytes);
  const list = new ChunkList(size, chunkSize, hashes);
  if (await list.root() !== root) throw new EdgeNetError('CHUNK_LIST', `${filename}: the chunk list does not have the Merkle root ${root} that the manifest states`);
  return list;
}

/**
 * Hashes a file that passes by: chunk hashes, the whole file's SHA-256, and the chunk hashes of a second size if asked.
 * @param {number} chunkSize @param {{whole?: boolean}} [options] whole: compute the whole file's hash too (true)
 */
export async function openChunkHasher(chunkSize = CHUNK_BYTES, { whole = true } = {}) {
  const stream = whole ? await openSha256() : null;
  /** @type {Promise<Uint8Array>[]} */ const hashes = [];
  let pending = new Uint8Array(chunkSize), filled = 0, size = 0;
  return {
    /** @param {Uint8Array} bytes copied: the caller may reuse them */
    async update(bytes) {
      stream?.update(bytes);
      size += bytes.length;
      for (let at = 0; at < bytes.length;) {
        const n = Math.min(chunkSize - filled, bytes.length - at);
        pending.set(bytes.subarray(at, at + n), filled);
        filled += n;
        at += n;
        if (filled < chunkSize) continue;
        hashes.push(sha256(pending));
        pending = new Uint8Array(chunkSize);
        filled = 0;
        if (hashes.length % 8 === 0) await hashes[hashes.length - 8]; // bounds what waits to be hashed
      }
    },
    /** Ends it. @returns {Promise<{size: number, sha256: string | null, list: ChunkList}>} */
    async finish() {
      if (filled) hashes.push(sha256(pending.subarray(0, filled)));
      return { size, sha256: stream && toHex(stream.digest()), list: new ChunkList(size, chunkSize, concat(...await Promise.all(hashes))) };
    },
  };
}

// @ts-check
// The Merkle tree over a file's chunk hashes: RFC 6962 section 2.1, whose one-byte tags keep a leaf from being taken for a node. A leaf's
// data is the SHA-256 of its chunk, so the tree needs no second pass over the file.
import { HASH_BYTES, sha256 } from './hash.js';

const LEAF = 0, NODE = 1;

/** @param {number} tag @param {...Uint8Array} parts */
function tagged(tag, ...parts) {
  const bytes = new Uint8Array(1 + parts.length * HASH_BYTES);
  bytes[0] = tag;
  parts.forEach((part, i) => bytes.set(part, 1 + i * HASH_BYTES));
  return sha256(bytes);
}

/**
 * Level by level from the leaves; the last of an odd level moves up as it is, which gives RFC 6962's split at the largest power of two.
 * @param {Uint8Array} hashes 32 bytes for every chunk, in order @returns {Promise<Uint8Array>} the root; of no chunks the SHA-256 of nothing
 */
export async function merkleRoot(hashes) {
  if (hashes.length % HASH_BYTES) throw new RangeError(`${hashes.length} bytes are no list of SHA-256 hashes`);
  if (hashes.length === 0) return sha256(hashes);
  const n = hashes.length / HASH_BYTES;
  let level = await each(n, (i) => tagged(LEAF, hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)));
  while (level.length > 1) {
    const below = level;
    level = await each(Math.ceil(below.length / 2), async (i) => {
      const [left, right] = /** @type {[Uint8Array, Uint8Array?]} */ (below.slice(2 * i, 2 * i + 2));
      return right ? tagged(NODE, left, right) : left;
    });
  }
  return /** @type {Uint8Array} */ (level[0]);
}

/** A bounded number of digests at once: a list may have a hundred thousand. @param {number} n @param {(i: number) => Promise<Uint8Array>} make */
async function each(n, make) {
  /** @type {Uint8Array[]} */ const out = [];
  for (let at = 0; at < n; at += 256) out.push(...await Promise.all(Array.from({ length: Math.min(256, n - at) }, (_, i) => make(at + i))));
  return out;
}

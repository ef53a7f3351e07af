// @ts-check
// Content identifiers: github.com/multiformats/cid. Read: versions 0 and 1 with SHA-256 over raw bytes or dag-pb nodes, which is what
// files in IPFS are made of. Written: version 1 in base32.
import { EdgeNetError } from '../errors.js';
import { sameBytes, toHex } from './encoding.js';
import { HASH_BYTES, sha256 } from './hash.js';

/** Codecs of the multicodec table. */
export const RAW = 0x55, DAG_PB = 0x70;
const SHA2_256 = 0x12;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** @typedef {{version: 0 | 1, codec: number, hash: Uint8Array}} Cid hash: 32 bytes, the SHA-256 of the block */

/** @param {number} codec @param {Uint8Array} hash @returns {Uint8Array<ArrayBuffer>} 36 bytes: all four numbers are below 128, so each varint is a byte */
export function cidBytes(codec, hash) {
  const bytes = new Uint8Array(4 + HASH_BYTES);
  bytes.set([1, codec, SHA2_256, HASH_BYTES]);
  bytes.set(hash, 4);
  return bytes;
}

/** @param {number} codec RAW or DAG_PB @param {Uint8Array} hash 32 bytes @returns {string} */
export function formatCid(codec, hash) {
  let text = 'b', bits = 0, held = 0;
  for (const byte of cidBytes(codec, hash)) {
    held = held << 8 | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[held >>> bits - 5 & 31];
    held &= (1 << bits) - 1;
  }
  return bits ? text + BASE32[held << 5 - bits & 31] : text;
}

/** @param {string} text @returns {Cid} */
export function parseCid(text) {
  if (/^Qm[1-9A-HJ-NP-Za-km-z]{44}$/.test(text)) return { version: 0, codec: DAG_PB, hash: multihash(base58(text), text) };
  if (!/^b[a-z2-7]{1,200}$/.test(text)) throw bad(text, 'is no CID of version 0, or of version 1 in base32');
  return cidOfBytes(base32(text), text);
}

/** @param {Uint8Array} bytes as in a dag-pb link @param {string} [name] for the error sentence @returns {Cid} */
export function cidOfBytes(bytes, name = toHex(bytes.subarray(0, 40))) {
  if (bytes[0] === SHA2_256 && bytes[1] === HASH_BYTES) return { version: 0, codec: DAG_PB, hash: multihash(bytes, name) };
  if (bytes[0] !== 1) throw bad(name, `has version ${bytes[0]}`);
  const codec = /** @type {number} */ (bytes[1]);
  if (codec !== RAW && codec !== DAG_PB) throw bad(name, 'is neither raw bytes nor a dag-pb node', 'UNSUPPORTED');
  return { version: 1, codec, hash: multihash(bytes.subarray(2), name) };
}

/** @param {Uint8Array} bytes @param {string} name */
function multihash(bytes, name) {
  if (bytes[0] !== SHA2_256) throw bad(name, 'has another hash than SHA-256', 'UNSUPPORTED');
  if (bytes[1] !== HASH_BYTES || bytes.length !== 2 + HASH_BYTES) throw bad(name, `has a SHA-256 of ${bytes.length - 2} bytes, not ${HASH_BYTES}`, 'HASH_FORM');
  return bytes.slice(2);
}

/** @param {string} text with its prefix b */
function base32(text) {
  const out = new Uint8Array((text.length - 1) * 5 >> 3);
  let bits = 0, held = 0, n = 0;
  for (let i = 1; i < text.length; i++) {
    held = held << 5 | BASE32.indexOf(text.charAt(i));
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    out[n++] = held >>> bits;
    held &= (1 << bits) - 1;
  }
  if (bits >= 5 || held) throw new EdgeNetError('NOT_CANONICAL', `the CID ${text.slice(0, 80)} has bits beyond its last byte`);
  return out;
}
/** @param {string} text */
function base58(text) {
  let value = 0n;
  for (const c of text) value = value * 58n + BigInt(BASE58.indexOf(c));
  const digits = value.toString(16);
  const hex = digits.padStart(digits.length + digits.length % 2, '0');
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** @param {Cid} cid @param {Uint8Array} block @returns {Promise<boolean>} is this the block that the CID names? */
export async function cidMatches(cid, block) { return sameBytes(await sha256(block), cid.hash); }

/** @param {string} name @param {string} what @param {import('../errors.js').ErrorCode} [code] */
function bad(name, what, code = 'FORMAT') { return new EdgeNetError(code, `the CID ${name.slice(0, 80)} ${what}`); }

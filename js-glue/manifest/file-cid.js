// @ts-check
// The CID of a file in IPFS (unixfs.js reads what it names). Profile unixfs-v1-2025 (IPIP-499): CID version 1, raw leaves of 1 MiB, balanced, 1024 links
// a node. There a leaf's CID holds the SHA-256 of a 1 MiB chunk, so the root follows from the chunk list alone.
import { EdgeNetError } from '../errors.js';
import { CHUNK_BYTES } from './chunks.js';
import { DAG_PB, RAW, cidBytes, formatCid } from './cid.js';
import { concat, utf8 } from './encoding.js';
import { sha256 } from './hash.js';

/** Links of a node in the profile. */
const WIDTH = 1024;
const TYPE_FILE = 2;

/**
 * The CID that an IPFS node gives a model's file: what a manifest states, and `ipfs://CID` loads.
 * @param {Uint8Array | Blob} file a Blob or File is read a chunk at a time @returns {Promise<string>} version 1 in base32: "bafy..."
 */
export async function computeModelCID(file) {
  const blob = file instanceof Blob, size = blob ? file.size : file?.length;
  if (!blob && !(file instanceof Uint8Array)) throw new EdgeNetError('ARG', 'file must be a Uint8Array or a Blob');
  const leaves = [];
  for (let at = 0; at < size; at += CHUNK_BYTES) {
    const piece = blob ? new Uint8Array(await file.slice(at, at + CHUNK_BYTES).arrayBuffer()) : file.subarray(at, at + CHUNK_BYTES);
    leaves.push({ hash: await sha256(piece), length: piece.length });
  }
  return rootOfLeaves(leaves, WIDTH);
}

/** @param {import('./chunks.js').ChunkList} list with chunks of 1 MiB @returns {Promise<string>} the CID that an IPFS node gives the file with this profile */
export async function unixfsCid(list) {
  if (list.chunkSize !== CHUNK_BYTES) throw new EdgeNetError('ARG', `unixfs-v1-2025 has leaves of ${CHUNK_BYTES} bytes, not ${list.chunkSize}`);
  return rootOfLeaves(Array.from({ length: list.count }, (_, i) => ({ hash: list.hash(i), length: list.range(i).length })), WIDTH);
}

/** @param {{hash: Uint8Array, length: number}[]} leaves in order @param {number} width links a node @returns {Promise<string>} */
export async function rootOfLeaves(leaves, width) {
  if (leaves.length === 0) return formatCid(RAW, await sha256(new Uint8Array(0)));
  let level = leaves.map(({ hash, length }) => ({ codec: RAW, hash, file: length, total: length }));
  while (level.length > 1) {
    const below = level;
    level = [];
    for (let at = 0; at < below.length; at += width) level.push(await parent(below.slice(at, at + width)));
  }
  const [root] = /** @type {[typeof level[0]]} */ (level);
  return formatCid(root.codec, root.hash);
}
/** @param {{codec: number, hash: Uint8Array, file: number, total: number}[]} children file: bytes of the file; total: with the nodes */
async function parent(children) {
  const file = children.reduce((n, c) => n + c.file, 0);
  const data = concat(field(1, TYPE_FILE), field(3, file), ...children.map((c) => field(4, c.file)));
  const links = children.map((c) => message(2, concat(message(1, cidBytes(c.codec, c.hash)), message(2, utf8('')), field(3, c.total))));
  const block = concat(...links, message(1, data)); // links before data: dag-pb has one order
  return { codec: DAG_PB, hash: await sha256(block), file, total: block.length + children.reduce((n, c) => n + c.total, 0) };
}

/** @param {number} n @returns {Uint8Array} */
function varint(n) {
  /** @type {number[]} */ const bytes = [];
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push(n % 128 + 128);
  return Uint8Array.from([...bytes, n]);
}
/** @param {number} id @param {number} n */
const field = (id, n) => concat(varint(id << 3), varint(n));
/** @param {number} id @param {Uint8Array} bytes */
const message = (id, bytes) => concat(varint(id << 3 | 2), varint(bytes.length), bytes);

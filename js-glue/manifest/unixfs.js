// @ts-check
// Reads files as IPFS keeps them: leaves of raw bytes under dag-pb nodes that say which bytes lie where (file-cid.js makes such trees).
// dag-pb: ipld.io/specs/codecs/dag-pb; UnixFS: specs.ipfs.tech/unixfs.
import { EdgeNetError } from '../errors.js';
import { cidOfBytes } from './cid.js';

/** Largest block that a gateway may send: Bitswap's limit. */
export const MAX_BLOCK = 2 << 20;
const TYPE_RAW = 0, TYPE_FILE = 2;

/**
 * @typedef {{cid: import('./cid.js').Cid, name: string, size: number}} Link size: bytes of the whole subtree, with its nodes
 * @typedef {{links: Link[], data: Uint8Array | null}} Node
 * @typedef {{data: Uint8Array, size: number, blocks: number[]}} FileNode data: bytes in the node itself; size: of the file below it; blocks: bytes of the file below each link
 */

/** The fields of a protobuf message: numbers and byte strings. @param {Uint8Array} bytes @param {string} what @returns {Generator<[number, number | Uint8Array]>} */
function* fields(bytes, what) {
  let at = 0;
  const number = () => {
    let n = 0;
    for (let i = 0, scale = 1; i < 8; i++, scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw broken(what, 'ends in a number');
      n += (byte & 127) * scale;
      if (byte < 128) {
        if (i && !byte) throw broken(what, 'has a number that is longer than it must be');
        if (!Number.isSafeInteger(n)) break;
        return n;
      }
    }
    throw broken(what, 'has a number above 2^53');
  };
  while (at < bytes.length) {
    const key = number();
    const id = Math.floor(key / 8), kind = key % 8;
    if (kind === 0) yield [id, number()];
    else if (kind === 2) {
      const length = number();
      if (length > bytes.length - at) throw broken(what, 'is cut short');
      at += length;
      yield [id, bytes.subarray(at - length, at)];
    } else throw broken(what, `has a field of wire type ${kind}`);
  }
}
/** @param {string} what @param {string} why */
function broken(what, why) { return new EdgeNetError('FORMAT', `${what} ${why}`); }
/** @param {number | Uint8Array} value @param {string} what */
function bytesOf(value, what) { if (typeof value === 'number') throw broken(what, 'has a number where bytes must be'); return value; }
/** @param {number | Uint8Array} value @param {string} what */
function numberOf(value, what) { if (typeof value !== 'number') throw broken(what, 'has bytes where a number must be'); return value; }

/** @param {Uint8Array} block @returns {Node} a dag-pb node in its one form: each field once, in the order of the specification, nothing else */
export function decodeNode(block) {
  const what = 'the dag-pb node';
  if (block.length > MAX_BLOCK) throw broken(what, `has ${block.length} bytes, more than ${MAX_BLOCK}`);
  /** @type {Node} */ const node = { links: [], data: null };
  for (const [id, value] of fields(block, what)) {
    if (node.data) throw broken(what, id === 2 ? 'has links after its data' : 'goes on after its data');
    if (id === 2) node.links.push(decodeLink(bytesOf(value, what)));
    else if (id === 1) node.data = bytesOf(value, what);
    else throw broken(what, `has the unknown field ${id}`);
  }
  return node;
}
/** @param {Uint8Array} bytes @returns {Link} */
function decodeLink(bytes) {
  const what = 'the dag-pb link';
  /** @type {import('./cid.js').Cid | null} */ let cid = null;
  let name = '', size = 0, last = 0;
  for (const [id, value] of fields(bytes, what)) {
    if (id <= last || id > 3) throw broken(what, `has field ${id} after field ${last}`);
    last = id;
    if (id === 1) cid = cidOfBytes(bytesOf(value, what));
    else if (id === 2) name = new TextDecoder('utf-8', { fatal: false }).decode(bytesOf(value, what));
    else size = numberOf(value, what);
  }
  if (!cid) throw broken(what, 'has no CID');
  return { cid, name, size };
}

/** @param {Node} node @returns {FileNode} throws UNSUPPORTED for folders and other things that are no file */
export function decodeFile(node) {
  const what = 'the UnixFS node';
  if (!node.data) throw broken(what, 'has no data field');
  let type = -1, size = -1, data = new Uint8Array(0);
  /** @type {number[]} */ const blocks = [];
  for (const [id, value] of fields(node.data, what)) {
    if (id === 1) type = numberOf(value, what);
    else if (id === 2) data = new Uint8Array(bytesOf(value, what));
    else if (id === 3) size = numberOf(value, what);
    else if (id === 4) blocks.push(...(typeof value === 'number' ? [value] : packed(value, what)));
  } // later fields (mode, mtime) do not change the bytes
  if (type !== TYPE_FILE && type !== TYPE_RAW) throw new EdgeNetError('UNSUPPORTED', `${what} is of type ${type}, which is no file`);
  if (blocks.length !== node.links.length) throw broken(what, `has ${node.links.length} links but ${blocks.length} block sizes`);
  const sum = blocks.reduce((n, b) => n + b, data.length);
  if (size >= 0 && size !== sum) throw broken(what, `states ${size} bytes, but its parts have ${sum}`);
  return { data, size: sum, blocks };
}
/** Repeated numbers in one byte string. @param {Uint8Array} bytes @param {string} what */
function packed(bytes, what) {
  /** @type {number[]} */ const out = [];
  for (let n = 0, scale = 1, i = 0; i < bytes.length; i++) {
    const byte = /** @type {number} */ (bytes[i]);
    n += (byte & 127) * scale;
    scale *= 128;
    if (!Number.isSafeInteger(n)) throw broken(what, 'has a number above 2^53');
    if (byte < 128) { out.push(n); n = 0; scale = 1; }
  }
  return out;
}

// @ts-check
// Bytes that are here already: buffers, Blobs and Files, paths in Node.
import { EdgeNetError, asError, throwIfAborted } from '../errors.js';
import { nodeModule } from '../platform.js';

/** @typedef {import('../fetch/types.js').Reader} Reader */
const READ_BYTES = 4 << 20;

/** @param {Uint8Array} bytes @returns {Reader} */
export function bytesReader(bytes) {
  return piecewise(bytes.length, async (at, n) => bytes.subarray(at, at + n));
}
/** @param {Blob} blob @returns {Reader} */
export function blobReader(blob) {
  return piecewise(blob.size, async (at, n) => {
    try { return new Uint8Array(await blob.slice(at, at + n).arrayBuffer()); } catch (e) { throw asError(e, 'STORAGE'); }
  });
}
/** @param {string} path @returns {Promise<Reader>} */
export async function pathReader(path) {
  const fs = await nodeModule('node:fs');
  try {
    const fd = fs.openSync(path, 'r');
    let open = true;
    const readInto = (/** @type {number} */ offset, /** @type {Uint8Array} */ view) => fs.readSync(fd, view, 0, view.length, offset);
    return {
      ...piecewise(fs.fstatSync(fd).size, async (at, n) => { const bytes = new Uint8Array(n); return bytes.subarray(0, readInto(at, bytes)); }),
      readInto,
      close() { if (open) fs.closeSync(fd); open = false; },
    };
  } catch (e) { throw asError(e, 'STORAGE'); }
}

/** @param {number} size @param {(at: number, n: number) => Promise<Uint8Array>} get @returns {Reader} */
function piecewise(size, get) {
  return {
    size, version: null, ranges: true, close() {},
    async *read(offset, length, signal) {
      const end = Math.min(size, offset + length);
      for (let at = offset; at < end;) {
        throwIfAborted(signal);
        const piece = await get(at, Math.min(READ_BYTES, end - at));
        if (!piece.length) throw new EdgeNetError('STORAGE', `the file ended at byte ${at} of ${size}`);
        yield piece;
        at += piece.length;
      }
    },
  };
}

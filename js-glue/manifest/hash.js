// @ts-check
// SHA-256 of a piece at once, and of a stream. Pieces go to WebCrypto, which runs beside the caller and in native code. Browsers cannot
// digest a stream, so there the stream goes through hash-wasm (docs/speed.md).
import { isNode, nodeModule } from '../platform.js';

/** Bytes of a SHA-256. */
export const HASH_BYTES = 32;

/** @param {Uint8Array} bytes read before the promise settles: do not change them meanwhile @returns {Promise<Uint8Array>} 32 bytes */
export async function sha256(bytes) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) { // a page that came by plain http from another machine has none
    const stream = await openSha256();
    stream.update(bytes);
    return stream.digest();
  }
  const shared = typeof SharedArrayBuffer !== 'undefined' && bytes.buffer instanceof SharedArrayBuffer;
  return new Uint8Array(await subtle.digest('SHA-256', /** @type {BufferSource} */ (shared ? bytes.slice() : bytes)));
}

/**
 * A SHA-256 over bytes that come in order. `digest` ends it.
 * @typedef {{update(bytes: Uint8Array): void, digest(): Uint8Array}} Sha256Stream
 * @returns {Promise<Sha256Stream>}
 */
export async function openSha256() {
  if (isNode()) {
    const hash = (await nodeModule('node:crypto')).createHash('sha256');
    return { update: (bytes) => { hash.update(bytes); }, digest: () => new Uint8Array(hash.digest()) };
  }
  const { createSHA256 } = await import('../vendor/sha256.js');
  const hash = (await createSHA256()).init();
  return { update: (bytes) => { hash.update(bytes); }, digest: () => hash.digest('binary') };
}

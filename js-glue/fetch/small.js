// @ts-check
// Small files (manifests, lists) into memory, with a limit and with patience; and kept ones, for places without a network.
import { EdgeNetError, asError } from '../errors.js';
import { concat, toHex } from '../manifest/encoding.js';
import { sha256 } from '../manifest/hash.js';
import { fetchAny, pause } from '../platform.js';
import { openSource } from '../sources.js';
import { download } from './download.js';

/** @typedef {import('./types.js').Store} Store @typedef {import('./types.js').Patience} Patience */

const BACK_OFF_MS = 250;

/** @param {AsyncIterable<Uint8Array>} pieces @param {number} max @param {string} name */
export async function collect(pieces, max, name) {
  /** @type {Uint8Array[]} */ const parts = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > max) throw new EdgeNetError('FORMAT', `${name} is longer than ${max} bytes`);
    parts.push(piece);
  }
  return concat(...parts);
}

/**
 * @param {string} url http(s), in Node also of a file @param {number} max bytes @param {{patience: Patience, headers?: Record<string, string>, signal?: AbortSignal}} options
 * @returns {Promise<Uint8Array>}
 */
export async function fetchSmall(url, max, { patience, headers, signal }) {
  if (!/^https?:/.test(url)) {
    const response = await fetchAny(url).catch((e) => { throw asError(e, 'STORAGE', `${url}: `); });
    return collect(/** @type {AsyncIterable<Uint8Array>} */ (/** @type {unknown} */ (response.body)), max, url);
  }
  const source = openSource({ kind: 'url', url, headers }, { ...patience, parallel: 1 });
  for (let tries = 1; ; tries++) {
    try {
      const reader = await source.open({ id: url, name: url }, signal);
      try { return await collect(reader.read(0, Infinity, signal), max, url); } finally { reader.close(); }
    } catch (e) {
      const error = asError(e, 'NETWORK');
      const { final = false, retryAfter = 0 } = /** @type {import('./types.js').Broken} */ (error.detail ?? {});
      if (error.code !== 'NETWORK' || final || tries > patience.retries) throw error;
      await pause(Math.max(retryAfter, (patience.backOff ?? BACK_OFF_MS) * 2 ** (tries - 1)), signal);
    }
  }
}

/** Begins the ids of what the SDK itself keeps beside the models. */
const OWN = 'edge-net:';
/** Is this entry of a store a model, or one of the SDK's own small files? @param {{id: string}} entry */
export function isModel({ id }) { return !id.startsWith(OWN); }

/** @param {Store} store @param {string} key @param {Uint8Array} bytes @param {string} model that it belongs to */
export async function keep(store, key, bytes, model) {
  const artifact = { id: OWN + key, name: key, model, size: bytes.length, sha256: toHex(await sha256(bytes)) };
  await download(artifact, { store, sources: [openSource({ kind: 'bytes', bytes })] });
}
/** @param {Store} store @param {string} key @param {number} max bytes @returns {Promise<Uint8Array | null>} */
export async function kept(store, key, max) {
  const reader = await store.open(OWN + key);
  if (!reader) return null;
  try { return await collect(reader.read(0, Infinity), max, key); } finally { await reader.close(); }
}

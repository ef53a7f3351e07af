// @ts-check
// Files in the Cache API, for hosts that have nothing better: every extent is a response under an invented address.
import { asError } from '../errors.js';
import { ExtentFile, sizeOf } from './extents.js';
import { webLock } from './locks.js';
import { freeBytes } from './space.js';

const BASE = 'https://edge-net.invalid/';

/** @param {string} [name] of the cache @returns {Promise<import('./volume.js').Volume>} */
export async function cacheVolume(name = 'edge-net') {
  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  const tried = async (work) => { try { return await work(); } catch (e) { throw asError(e, 'STORAGE', 'Cache API: '); } };
  const cache = await tried(() => caches.open(name));
  const text = (/** @type {string} */ n) => `${BASE}record/${encodeURIComponent(n)}`;
  const extent = (/** @type {string} */ file, /** @type {number} */ offset) => `${BASE}extent/${encodeURIComponent(file)}?${offset}`;
  /** @returns {Promise<[string, number | null][]>} */
  const keys = () => tried(async () => (await cache.keys()).map(({ url }) => {
    const { pathname, search } = new URL(url);
    return [decodeURIComponent(pathname.replace(/^\/\w+\//, '')), search ? Number(search.slice(1)) : null];
  }));
  /** @type {import('./extents.js').Shelf} */
  const shelf = {
    async offsets(file) { return (await keys()).flatMap(([n, o]) => (n === file && o !== null ? [o] : [])).sort((a, b) => a - b); },
    get: (file, offset) => tried(async () => await (await cache.match(extent(file, offset)))?.blob() ?? null),
    change: (file, put, drop) => tried(async () => {
      for (const [offset, blob] of put) await cache.put(extent(file, offset), new Response(blob));
      for (const offset of drop) await cache.delete(extent(file, offset));
    }),
  };
  async function open(/** @type {string} */ file) {
    const offsets = await shelf.offsets(file);
    return offsets.length ? new ExtentFile(shelf, file, offsets) : null;
  }
  async function remove(/** @type {string} */ n) {
    const offsets = await shelf.offsets(n);
    await tried(async () => {
      await cache.delete(text(n));
      for (const offset of offsets) await cache.delete(extent(n, offset));
    });
  }
  return {
    kind: 'cache', batch: 4,
    async names() { return [...new Set((await keys()).map(([n]) => n))]; },
    getText: (n) => tried(async () => await (await cache.match(text(n)))?.text() ?? null),
    putText: (n, value) => tried(() => cache.put(text(n), new Response(value))),
    async openFile(file, create) {
      if (!create) return open(file);
      await remove(file);
      return new ExtentFile(shelf, file, []);
    },
    openShared: open,
    async sizeOf(file) {
      const offsets = await shelf.offsets(file);
      return offsets.length ? sizeOf(shelf, file, offsets) : null;
    },
    remove,
    lock: (id, work, options) => webLock(`edge-net cache ${name} ${id}`, work, options),
    free: freeBytes,
    close() {},
  };
}

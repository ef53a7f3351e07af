// @ts-check
// Which store: by name, or the best that works here; and room in it.
import { EdgeNetError } from '../errors.js';
import { isNode } from '../platform.js';
import { ModelStore } from './model-store.js';
import { opfsVolume, opfsWorks } from './opfs.js';

/** @typedef {import('../fetch/types.js').Store} Store @typedef {import('../fetch/types.js').StoreKind} StoreKind @typedef {import('../fetch/types.js').StoreSpec} StoreSpec @typedef {import('../fetch/types.js').Entry} Entry */

/** @type {Readonly<Record<StoreKind, (root?: string) => Promise<import('./volume.js').Volume>>>} */
const VOLUMES = Object.freeze({
  opfs: opfsVolume, // at hand: the usual one in a browser, and asking for a module costs a worker ten milliseconds and more
  indexeddb: async (root) => (await import('./indexeddb.js')).indexedDbVolume(root),
  cache: async (root) => (await import('./cache-api.js')).cacheVolume(root),
  filesystem: async (root) => (await import('./filesystem.js')).filesystemVolume(root),
  memory: async () => (await import('./memory.js')).memoryVolume(),
});

/** @param {StoreSpec} spec @returns {Promise<import('./volume.js').Volume>} one in memory is new and empty every time */
export async function openVolume({ kind, root }) {
  const open = VOLUMES[kind];
  if (!open) throw new EdgeNetError('ARG', `storage: there is no kind "${String(kind)}"`, { detail: { option: 'storage' } });
  return open(root);
}
/** @param {StoreSpec} spec @returns {Promise<Store>} a memory store is new and empty every time */
export async function openStore(spec) { return new ModelStore(await openVolume(spec)); }

/** The best kind that works here, null when there is none that outlives the page. @returns {Promise<StoreKind | null>} */
export async function bestStore() {
  if (isNode()) return 'filesystem';
  if (await opfsWorks()) return 'opfs';
  if (typeof indexedDB !== 'undefined') return 'indexeddb';
  return typeof caches === 'undefined' ? null : 'cache';
}

/** @type {Readonly<Record<import('../fetch/types.js').EvictionPolicy, (a: Entry, b: Entry) => number>>} */
const FIRST_TO_GO = Object.freeze({
  lru: (a, b) => a.used - b.used,
  fifo: (a, b) => a.created - b.created,
  priority: (a, b) => a.priority - b.priority || a.used - b.used,
});

/**
 * Make room for `needed` bytes: below `maxBytes` in all, and as much as the platform still gives. Pinned files stay. Throws STORAGE when that
 * cannot be, before anything is removed.
 * @param {Store} store @param {number} needed @param {{maxBytes?: number | null, policy?: import('../fetch/types.js').EvictionPolicy, keep?: string}} [limits] keep: id that is about to be written
 * @returns {Promise<string[]>} ids that had to go
 */
export async function makeRoom(store, needed, { maxBytes = null, policy = 'lru', keep } = {}) {
  const entries = (await store.list()).filter((e) => e.id !== keep);
  const { free, partial } = await store.usage();
  const used = entries.reduce((n, e) => n + e.size, 0);
  const over = Math.max(needed + used - (maxBytes ?? Infinity), free === null ? 0 : needed - free);
  const can = entries.filter((e) => !e.pinned).sort(FIRST_TO_GO[policy]);
  if (over > can.reduce((n, e) => n + e.size, 0)) {
    throw new EdgeNetError('STORAGE', `${store.kind}: ${needed} bytes do not fit: ${maxBytes !== null && needed + used > maxBytes ? `the limit is ${maxBytes}` : `${free} are free`}, ${used} are in stored models${partial ? `, ${partial} in unfinished downloads` : ''}`, { detail: { needed, free, used, partial, maxBytes } });
  }
  /** @type {string[]} */ const gone = [];
  for (let got = 0; got < over; gone.push(can[gone.length].id)) {
    await store.remove(can[gone.length].id);
    got += can[gone.length].size;
  }
  return gone;
}

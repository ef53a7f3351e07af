// @ts-check
// What can this place do, which binary would run and why: for people who wonder about speed, and for bug reports.
import { candidates, describe, features } from './variants.js';
import { cores, isNode, isPage } from './platform.js';

/** More lanes than this gain nothing on small models; memory bandwidth is used up before. */
const MAX_DEFAULT_THREADS = 8;

/** @returns {Promise<number>} compute lanes that a session starts when { threads } is not given */
export async function defaultThreads() {
  return features().sharedMemory ? Math.min(await cores(), MAX_DEFAULT_THREADS) : 1;
}

/**
 * @typedef {object} Capabilities
 * @property {'node' | 'page' | 'worker'} environment
 * @property {boolean} simd 128-bit SIMD
 * @property {boolean} relaxedSimd
 * @property {boolean} threads can several cores work on one model here?
 * @property {boolean} crossOriginIsolated always true in Node
 * @property {number} cores
 * @property {number} defaultThreads
 * @property {{maxBytes: number, deviceGiB: number | null}} memory most that one model with its context may take; what the browser tells of the device, rounded by it
 * @property {{kinds: ('opfs' | 'indexeddb' | 'filesystem' | 'memory')[], quota: number | null, usage: number | null, persisted: boolean | null}} storage
 * @property {import('./variants.js').Variant} variant the binary that would be tried first
 * @property {string} why one or more sentences: what runs, and what would make it faster
 */

/**
 * @returns {Promise<Capabilities>}
 * @example
 * const { variant, why } = await capabilities();
 * console.log(variant, why);
 */
export async function capabilities() {
  const f = features();
  const threads = await defaultThreads();
  const n = await cores();
  const { order, why } = candidates({ threads: Math.max(2, threads), inPlace: isNode() });
  const variant = order[0];
  const text = [describe(variant, variant.endsWith('-mt') ? threads : 1, n), ...why];
  if (threads < n && f.sharedMemory) text.push(`${n} cores are here; more than ${threads} threads rarely help, { threads } asks for more.`);
  return {
    environment: isNode() ? 'node' : isPage() ? 'page' : 'worker',
    simd: f.simd, relaxedSimd: f.relaxedSimd, threads: f.sharedMemory,
    crossOriginIsolated: isNode() || globalThis.crossOriginIsolated === true,
    cores: n, defaultThreads: threads,
    memory: { maxBytes: 65536 * 65536, deviceGiB: /** @type {any} */ (globalThis.navigator)?.deviceMemory ?? null },
    storage: await storage(),
    variant, why: text.join(' '),
  };
}

async function storage() {
  if (isNode()) return { kinds: /** @type {('filesystem' | 'memory')[]} */ (['filesystem', 'memory']), quota: null, usage: null, persisted: null };
  const manager = globalThis.navigator?.storage;
  /** @type {('opfs' | 'indexeddb' | 'memory')[]} */ const kinds = ['memory'];
  if (typeof indexedDB !== 'undefined') kinds.unshift('indexeddb');
  if (await manager?.getDirectory?.().then(() => true, () => false)) kinds.unshift('opfs');
  const estimate = await manager?.estimate?.().catch(() => null);
  return { kinds, quota: estimate?.quota ?? null, usage: estimate?.usage ?? null, persisted: await manager?.persisted?.().catch(() => null) ?? null };
}

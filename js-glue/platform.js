// @ts-check
// The few things that differ between a browser page, a browser worker and Node, in one place.
import { abortError } from './errors.js';

/** @returns {boolean} */
export function isNode() { return typeof process !== 'undefined' && !!process.versions?.node; }
/** A page's own thread: it must not wait, and work belongs into a worker. */
export function isPage() { return !isNode() && typeof document !== 'undefined'; }

/**
 * @typedef {{'node:crypto': typeof import('node:crypto'), 'node:fs': typeof import('node:fs'), 'node:fs/promises': typeof import('node:fs/promises'), 'node:os': typeof import('node:os'),
 *   'node:path': typeof import('node:path'), 'node:worker_threads': typeof import('node:worker_threads')}} NodeModules
 */
/**
 * A module of Node itself. The name is no literal on purpose: bundlers for browsers would look for it and give up.
 * @template {keyof NodeModules} K @param {K} name @returns {Promise<NodeModules[K]>}
 */
export function nodeModule(name) { return import(/* webpackIgnore: true */ /* @vite-ignore */ name); }

export async function cores() {
  if (!isNode()) return Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1);
  const os = await nodeModule('node:os');
  return os.availableParallelism?.() ?? os.cpus().length;
}

/**
 * Collectors do not count shared memory: dropped, it would stay until something else makes them run (measured in V8: twelve models of
 * 400 MB took 4.8 GB; with this, 0.4 GB). An ordinary buffer of that size, dropped at once and never touched, makes them look.
 * @param {number} bytes of shared memory that was just let go
 */
export function noteDropped(bytes) {
  try { void new ArrayBuffer(Math.min(bytes, 0x7fffffff)); } catch { /* no room even for that: the collector runs by itself */ }
}

/** Let other tasks (cancel messages, the page) run. Unlike setTimeout(0) it is not slowed down to 4 ms. @returns {() => Promise<void>} */
export function makeYield() {
  if (typeof setImmediate === 'function') return () => new Promise((resolve) => { setImmediate(resolve); });
  const { port1, port2 } = new MessageChannel();
  /** @type {(() => void)[]} */ const waiting = [];
  port1.onmessage = () => waiting.shift()?.();
  return () => new Promise((resolve) => { waiting.push(resolve); port2.postMessage(0); });
}

/** Bytes of a URL; in Node also of file: URLs, which fetch does not read. @param {URL | string} url @returns {Promise<Response>} */
export async function fetchAny(url) {
  const href = String(url);
  if (!href.startsWith('file:')) return fetch(href);
  const { readFile } = await nodeModule('node:fs/promises');
  return new Response(new Uint8Array(await readFile(new URL(href))));
}

/** Settles after a time, or rejects when the signal aborts. @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      if (signal?.aborted) reject(abortError(signal)); else resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted) done();
  });
}

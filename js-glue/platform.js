// @ts-check
// The few things that differ between a browser page, a browser worker and Node, in one place.

/** @returns {boolean} */
export function isNode() { return typeof process !== 'undefined' && !!process.versions?.node; }
/** A page's own thread: it must not wait, and work belongs into a worker. */
export function isPage() { return !isNode() && typeof document !== 'undefined'; }

export async function cores() {
  if (!isNode()) return Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1);
  const os = await import('node:os');
  return os.availableParallelism?.() ?? os.cpus().length;
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
  const { readFile } = await import('node:fs/promises');
  return new Response(new Uint8Array(await readFile(new URL(href))));
}

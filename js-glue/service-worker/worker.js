// @ts-check
/**
 * A service worker for pages that use this package: dist/service-worker.js, one file without imports. It is optional, and does three things:
 * - it keeps a list of files, so that the page opens without a network. All files of the list are fetched and checked before any is served, and one
 *   list replaces another as a whole, when no page of the old one is open: a page never gets half of a file or files of two versions;
 * - with `models` it answers a plain fetch of a stored model's address from the store, also a range of it, so that programs beside this package have it without a network;
 * - with `isolate` it adds COOP, COEP and CORP to the answers, for hosts that cannot send these headers, which threads need.
 * What it is to do is in its URL, because that is all that it has when it starts (register.js writes it):
 *   service-worker.js?list=<URL of the list>&version=<SHA-256 of the list>&isolate=<1 or 0>&models=<kind of store>&root=<its name>
 */
import { readList } from './list.js';
import { storedAnswer } from './stored.js';

/**
 * @typedef {{waitUntil(work: Promise<unknown>): void}} Lifetime @typedef {Lifetime & {request: Request, respondWith(answer: Promise<Response>): void}} FetchMoment
 * @typedef {{addEventListener(type: 'install' | 'activate', listener: (event: Lifetime) => void): void, addEventListener(type: 'fetch', listener: (event: FetchMoment) => void): void,
 *   addEventListener(type: 'message', listener: (event: MessageEvent) => void): void, skipWaiting(): Promise<void>, clients: {claim(): Promise<void>}, registration: {scope: string}}} Scope
 */
const scope = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
const asked = new URL(location.href).searchParams;
const list = asked.get('list');
const isolate = asked.get('isolate') === '1';
const models = asked.get('models');
const PREFIX = `edge-net files ${scope.registration.scope} `;
const cacheName = PREFIX + (asked.get('version') ?? '');

/** Requests at once while a list is fetched. */
const PARALLEL = 6;

/** @param {string} url @param {string | null} sha256 hexadecimal, null: unknown @returns {Promise<Response>} whole, or an exception */
async function fetchWhole(url, sha256) {
  const response = await fetch(url, { cache: 'no-cache' });
  if (response.status !== 200) throw new Error(`${url}: HTTP ${response.status}`);
  const bytes = await response.arrayBuffer();
  const length = response.headers.get('content-length');
  if (length !== null && !response.headers.has('content-encoding') && Number(length) !== bytes.byteLength) throw new Error(`${url}: ${bytes.byteLength} of ${length} bytes came`);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  if (sha256 !== null && [...digest].map((b) => b.toString(16).padStart(2, '0')).join('') !== sha256) throw new Error(`${url}: these are not the bytes of the list`);
  const headers = new Headers(response.headers);
  for (const name of ['content-encoding', 'content-length', 'set-cookie']) headers.delete(name);
  return new Response(bytes, { headers });
}

/** All files of the list, or none: an exception leaves the version before as it is, and the browser tries again at the next visit. */
async function install() {
  if (!list) return;
  const wanted = await readList(list);
  const cache = await caches.open(cacheName);
  const queue = [...wanted];
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await cache.put(next[0], await fetchWhole(next[0], next[1]));
  }));
}

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== cacheName) await caches.delete(name);
  await scope.clients.claim();
}

/** @param {Response} response of this origin @returns {Response} with the headers that make a page isolated */
function isolated(response) {
  if (!isolate || response.type === 'opaque' || response.type === 'opaqueredirect' || response.type === 'error') return response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  const empty = [101, 204, 205, 304].includes(response.status);
  return new Response(empty ? null : response.body, { status: response.status, statusText: response.statusText, headers });
}

/** @param {Request} request @returns {Promise<Response>} */
async function answer(request) {
  const own = new URL(request.url).origin === location.origin;
  const kept = own && list ? await (await caches.open(cacheName)).match(request, { ignoreSearch: request.mode === 'navigate', ignoreVary: true }) : undefined;
  if (kept) return isolated(kept);
  const stored = models === null ? null : await storedAnswer(request, { kind: models, root: asked.get('root') ?? undefined }).catch(() => null); // a store that fails costs only the cache
  if (stored) return isolated(stored);
  const response = await fetch(request);
  return own ? isolated(response) : response;
}

scope.addEventListener('install', (event) => event.waitUntil(install()));
scope.addEventListener('activate', (event) => event.waitUntil(activate()));
scope.addEventListener('message', (event) => { if (event.data === 'edge-net activate') void scope.skipWaiting(); });
scope.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith('http') || request.cache === 'only-if-cached' && request.mode !== 'same-origin') return; // the browser's own business
  event.respondWith(answer(request));
});

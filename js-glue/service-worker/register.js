// @ts-check
// The page's side of the optional service worker (worker.js says what it does).
import { EdgeNetError } from '../errors.js';
import { bestStore } from '../stores/store.js';

/**
 * @typedef {object} ServiceWorkerOptions
 * @property {string | URL} script where dist/service-worker.js lies on this site: it serves the pages below its folder, and the package must lie there too,
 *   because a browser asks a service worker for the script of a worker by the place of that script
 * @property {string | URL} [list] JSON list of the files that the page needs without a network (list.js); default: none are kept
 * @property {boolean | {storage?: 'opfs' | 'indexeddb' | 'cache', storageRoot?: string}} [models] answer a plain fetch() of the address of a stored model from the store (also ranges of it; not with
 *   cache: 'no-store', 'reload' or 'no-cache'); as in the options of the session or loader that stored it, true: as by their defaults (false)
 * @property {boolean} [isolate] add COOP/COEP/CORP, for a host that cannot. Reloads the page once, when the worker has taken over (false)
 * @property {() => void} [onUpdate] a newer list is installed; it takes over when no page of the old one is open, or at activate()
 * @typedef {{registration: ServiceWorkerRegistration, activate: () => void}} RegisteredServiceWorker activate: let a waiting update take over now; reload the page then
 */

/** The reload for isolation happens once per tab: a browser that refuses to isolate must not make it reload for ever. */
const RELOADED = 'edge-net reloaded for isolation';

/**
 * @param {ServiceWorkerOptions} options @returns {Promise<RegisteredServiceWorker | null>} null: this browser, or an insecure page, has no service workers
 * @example
 * import { registerServiceWorker } from '@ruvector/edge-net-models/service-worker';
 * await registerServiceWorker({ script: '/service-worker.js', list: '/files.json', isolate: true });
 */
export async function registerServiceWorker({ script, list, models = false, isolate = false, onUpdate }) {
  const container = globalThis.navigator?.serviceWorker;
  if (!container) return null;
  const url = new URL(script, document.baseURI);
  url.searchParams.set('isolate', isolate ? '1' : '0');
  if (list !== undefined) {
    const at = new URL(list, document.baseURI).href;
    url.searchParams.set('list', at);
    url.searchParams.set('version', await versionOf(at, container));
  }
  const { storage = await bestStore(), storageRoot } = models === true ? /** @type {{storage?: string, storageRoot?: string}} */ ({}) : models || { storage: null };
  if (storage) url.searchParams.set('models', storage);
  if (storage && storageRoot !== undefined) url.searchParams.set('root', storageRoot);
  const registration = await container.register(url, { updateViaCache: 'none' }).catch((e) => {
    throw new EdgeNetError('UNSUPPORTED', `the service worker ${url.pathname} cannot be registered: ${/** @type {Error} */ (e).message}`, { cause: e });
  });
  if (onUpdate) watch(registration, onUpdate);
  if (isolate && globalThis.crossOriginIsolated === false) await reloadOnce(container);
  return { registration, activate: () => registration.waiting?.postMessage('edge-net activate') };
}

/** A list's version is what its bytes, and those of the lists that it names, hash to. Without a network it stays what it was. @param {string} list @param {ServiceWorkerContainer} container */
async function versionOf(list, container) {
  try {
    const text = await textOf(list);
    const others = /** @type {string[]} */ (JSON.parse(text).lists ?? []);
    const all = [text, ...await Promise.all(others.map((path) => textOf(new URL(path, list).href)))].join('\n');
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(all)));
    return [...digest].map((b) => b.toString(16).padStart(2, '0')).join('');
  } catch (e) {
    const running = (await container.getRegistration(document.baseURI))?.active?.scriptURL;
    const version = running && new URL(running).searchParams.get('version');
    if (version) return version;
    throw new EdgeNetError('NETWORK', `${list}: the list of files cannot be read: ${/** @type {Error} */ (e).message}`, { cause: e });
  }
}
/** @param {string} url */
async function textOf(url) {
  const response = await fetch(url, { cache: 'no-cache' });
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
  return response.text();
}

/** An update may be installed already, may be on its way, or may come later. @param {ServiceWorkerRegistration} registration @param {() => void} onUpdate */
function watch(registration, onUpdate) {
  /** @type {WeakSet<ServiceWorker>} */ const told = new WeakSet();
  const look = () => {
    const { installing, waiting, active } = registration;
    installing?.addEventListener('statechange', look, { once: true });
    if (!waiting || !active || told.has(waiting)) return;
    told.add(waiting);
    onUpdate();
  };
  registration.addEventListener('updatefound', look);
  look();
}

/** The headers of the page itself can only come with a new load. @param {ServiceWorkerContainer} container */
async function reloadOnce(container) {
  await container.ready;
  const flag = `${RELOADED} ${location.pathname}`;
  if (sessionStorage.getItem(flag)) return;
  sessionStorage.setItem(flag, '1');
  location.reload();
}

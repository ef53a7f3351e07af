// @ts-check
// ModelLoader: models from URLs, files and buffers, with a cache that outlives the page.
import { EdgeNetError, asError } from './errors.js';
import { knownOnly, numberIn } from './options.js';
import { download } from './fetch/download.js';
import { PATIENCE, artifactOf, isRemote, openSource, sourceSpec } from './sources.js';
import { SESSION_OPTIONS, openCaller, openSession, storeSpec, wanted } from './session.js';
import { openStore } from './stores/store.js';

/**
 * @typedef {import('./session.js').SessionOptions} SessionOptions @typedef {import('./session.js').InferenceSession} InferenceSession
 * @typedef {import('./sources.js').ModelSource} ModelSource @typedef {import('./load.js').Progress} Progress @typedef {import('./fetch/types.js').Store} Store
 *
 * @typedef {object} LoaderOptions
 * @property {{enabled?: boolean, storage?: 'auto' | 'opfs' | 'indexeddb' | 'cache' | 'filesystem' | 'memory', maxSize?: number, directory?: string}} [cache]
 *   maxSize: bytes kept at most, models unused for longest go first; directory: of the filesystem store
 * @property {{primary?: string, fallback?: string[], timeout?: number}} [sources] timeout: ms without a byte before a download counts as broken (30000);
 *   primary, fallback: where models are looked up by name; a URL is always fetched from where it points
 * @property {{parallel?: number, retries?: number, progressCallback?: (p: Progress) => void}} [download] retries: in a row without progress (3);
 *   parallel: transfers at once (4), where the server gives ranges
 * @property {'auto' | 'wasm' | 'webgpu'} [backend]
 * @property {{maxModels?: number, evictionPolicy?: 'lru' | 'fifo'}} [memory] maxModels: loaded at once at most; one more disposes the one that the policy names
 * @property {Pick<SessionOptions, 'threads' | 'wasm' | 'worker' | 'lane' | 'variant'>} [session] defaults for every load
 *
 * @typedef {{source: string, size: number, created: Date, lastUsed: Date}} CachedModel
 */

const KNOWN = Object.freeze({
  options: ['cache', 'sources', 'download', 'backend', 'memory', 'session'],
  cache: ['enabled', 'storage', 'maxSize', 'directory'],
  sources: ['primary', 'fallback', 'timeout'],
  download: ['parallel', 'retries', 'progressCallback'],
  memory: ['maxModels', 'evictionPolicy'],
});
/** @param {LoaderOptions} o */
function check(o) {
  for (const [where, names] of Object.entries(KNOWN)) {
    const part = where === 'options' ? o : /** @type {any} */ (o)[where];
    if (part === undefined) continue;
    knownOnly(part, names, where);
  }
  const kinds = ['auto', 'opfs', 'indexeddb', 'cache', 'filesystem', 'memory'];
  if (o.cache?.storage !== undefined && !kinds.includes(o.cache.storage)) throw new EdgeNetError('ARG', `cache.storage must be one of ${kinds.join(', ')}, not ${String(o.cache.storage)}`, { detail: { option: 'cache.storage' } });
  if (o.memory?.evictionPolicy !== undefined && !['lru', 'fifo'].includes(o.memory.evictionPolicy)) throw new EdgeNetError('ARG', `memory.evictionPolicy must be lru or fifo, not ${String(o.memory.evictionPolicy)}`, { detail: { option: 'memory.evictionPolicy' } });
  if (o.download?.parallel !== undefined) numberIn('download.parallel', o.download.parallel, 1, 64, true);
  return {
    maxStoreBytes: o.cache?.maxSize === undefined ? null : numberIn('cache.maxSize', o.cache.maxSize, 0, Number.MAX_SAFE_INTEGER),
    maxModels: o.memory?.maxModels === undefined ? Infinity : numberIn('memory.maxModels', o.memory.maxModels, 1, 1e6, true),
    patience: {
      retries: o.download?.retries === undefined ? PATIENCE.retries : numberIn('download.retries', o.download.retries, 0, 1000, true),
      parallel: o.download?.parallel ?? PATIENCE.parallel,
      timeout: o.sources?.timeout === undefined ? PATIENCE.timeout : numberIn('sources.timeout', o.sources.timeout, 1, 1e9),
    },
  };
}

/**
 * @example
 * const loader = new ModelLoader({ cache: { maxSize: 2 * 1024 ** 3 }, download: { progressCallback: (p) => console.log(p.loaded, p.total) } });
 * const model = await loader.load('https://models.example/tiny.gguf');
 * console.log(await model.generate('Hello, world!', { maxTokens: 100, temperature: 0.7 }));
 */
export class ModelLoader {
  #options;
  #limits;
  /** Gone with this object. @type {Promise<Store> | null} */ #memory = null;
  /** @type {InferenceSession[]} in the order of loading */ #loaded = [];

  /** @param {LoaderOptions} [options] */
  constructor(options = {}) {
    this.#limits = check(options);
    this.#options = options;
  }

  /**
   * Load a model: a session with generate(), chat() and all the rest.
   * @param {ModelSource} source a URL, File or Blob, bytes, or in Node a path @param {SessionOptions} [options] @returns {Promise<InferenceSession>}
   */
  async load(source, options = {}) {
    knownOnly(options, SESSION_OPTIONS.filter((name) => !name.startsWith('storage')), 'options');
    const merged = { backend: this.#options.backend, onProgress: this.#options.download?.progressCallback, ...this.#options.session, ...options };
    const spec = sourceSpec(source);
    const session = await this.#open(spec, merged);
    this.#loaded = this.#loaded.filter((s) => !s.disposed);
    if (this.#options.memory?.evictionPolicy !== 'fifo') this.#loaded.sort((a, b) => a.lastUsed - b.lastUsed);
    while (this.#loaded.length >= this.#limits.maxModels) await this.#loaded.shift()?.dispose();
    this.#loaded.push(session);
    return session;
  }
  /** @param {import('./sources.js').SourceSpec} spec @param {SessionOptions} options */
  async #open(spec, options) {
    if (this.#inMemory && isRemote(spec)) spec = { kind: 'blob', blob: await this.#blobOf(spec, options) };
    const { maxStoreBytes, patience } = this.#limits;
    return openSession(wanted(spec), options, await this.#store(), { maxStoreBytes, patience });
  }
  get #inMemory() { return this.#options.cache?.storage === 'memory' && this.#options.cache.enabled !== false; }
  /** @returns {Promise<import('./fetch/types.js').StoreSpec | null>} null: no store that outlives this object */
  async #store() {
    const { enabled = true, storage = 'auto', directory } = this.#options.cache ?? {};
    return !enabled || storage === 'memory' ? null : storeSpec({ storage, storageRoot: directory });
  }
  /** @template T @param {(store: Store) => Promise<T>} work @param {T} otherwise there is none @returns {Promise<T>} */
  async #withStore(work, otherwise) {
    if (this.#inMemory) return work(await (this.#memory ??= openStore({ kind: 'memory' })));
    const spec = await this.#store();
    if (!spec) return otherwise;
    const store = await openStore(spec);
    try { return await work(store); } finally { store.close(); }
  }

  /** @param {import('./sources.js').SourceSpec} spec @param {Pick<SessionOptions, 'signal' | 'onProgress'>} options @returns {Promise<Blob>} */
  #blobOf(spec, { signal, onProgress }) {
    const { maxStoreBytes: maxBytes, patience } = this.#limits;
    return this.#withStore(async (store) => {
      const { id } = await download(artifactOf(spec), { store, sources: [openSource(spec, patience)], patience, signal, onProgress, maxBytes });
      (await store.open(id))?.close(); // used now
      return /** @type {Blob} */ (await store.blob(id));
    }, new Blob());
  }

  /** Is this model in the cache, whole? @param {ModelSource} source @returns {Promise<boolean>} */
  async isCached(source) {
    const spec = sourceSpec(source);
    return isRemote(spec) && this.#withStore(async (store) => await store.find(artifactOf(spec).id) !== null, false);
  }

  /** @returns {Promise<CachedModel[]>} the latest used first */
  async getCachedModels() {
    const entries = await this.#withStore((store) => store.list(), []);
    return entries.sort((a, b) => b.used - a.used).map(({ id, size, created, used }) => ({ source: id, size, created: new Date(created), lastUsed: new Date(used) }));
  }

  /** Download a model to the cache without loading it. @param {ModelSource} source @param {Pick<SessionOptions, 'signal' | 'onProgress' | 'worker'>} [options] @returns {Promise<{bytes: number}>} */
  async preload(source, options = {}) {
    knownOnly(options, ['signal', 'onProgress', 'worker'], 'options');
    const spec = sourceSpec(source);
    if (!isRemote(spec)) throw new EdgeNetError('ARG', 'preload: only URLs are downloaded', { detail: { option: 'source' } });
    const onProgress = options.onProgress ?? this.#options.download?.progressCallback;
    if (this.#inMemory) return { bytes: (await this.#blobOf(spec, { ...options, onProgress })).size };
    const store = await this.#store();
    if (!store) throw new EdgeNetError('STORAGE', 'there is no cache to preload into: it is switched off, or this browser has no storage');
    const caller = await openCaller(options.worker ?? this.#options.session?.worker);
    try {
      return await caller.call('preload', { ...wanted(spec), store, maxStoreBytes: this.#limits.maxStoreBytes, patience: this.#limits.patience }, { signal: options.signal, onEvent: onProgress });
    } finally { caller.close(new EdgeNetError('STATE', 'the preload is over')); }
  }

  /** Remove one model from the cache. @param {ModelSource} source @returns {Promise<boolean>} false: it was not there */
  async clearCache(source) {
    const { id } = artifactOf(sourceSpec(source));
    try { return await this.#withStore((store) => store.remove(id), false); } catch (e) { throw asError(e, 'STORAGE'); }
  }
  /** Remove every model from the cache. @returns {Promise<void>} */
  async clearAllCache() {
    await this.#withStore((store) => store.clear(), undefined);
  }
}

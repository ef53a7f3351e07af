// @ts-check
// ModelLoader: models from URLs, files and buffers, with a cache that outlives the page.
import { EdgeNetError, asError } from './errors.js';
import { knownOnly, numberIn } from './options.js';
import { PATIENCE, openSource, sourceSpec } from './sources.js';
import { SESSION_OPTIONS, openCaller, openSession, storeSpec } from './session.js';
import { openStore } from './stores/store.js';

/**
 * @typedef {import('./session.js').SessionOptions} SessionOptions @typedef {import('./session.js').InferenceSession} InferenceSession
 * @typedef {import('./sources.js').ModelSource} ModelSource @typedef {import('./load.js').Progress} Progress
 *
 * @typedef {object} LoaderOptions
 * @property {{enabled?: boolean, storage?: 'auto' | 'opfs' | 'indexeddb' | 'filesystem' | 'memory', maxSize?: number, directory?: string}} [cache]
 *   maxSize: bytes kept at most, models unused for longest go first; directory: of the filesystem store
 * @property {{primary?: string, fallback?: string[], timeout?: number}} [sources] timeout: ms without a byte before a download counts as broken (30000);
 *   primary, fallback: where models are looked up by name; a URL is always fetched from where it points
 * @property {{parallel?: number, retries?: number, progressCallback?: (p: Progress) => void}} [download] retries: in a row without progress (3);
 *   parallel: chunks at once, for models with a manifest; a plain URL is one stream
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
  const kinds = ['auto', 'opfs', 'indexeddb', 'filesystem', 'memory'];
  if (o.cache?.storage !== undefined && !kinds.includes(o.cache.storage)) throw new EdgeNetError('ARG', `cache.storage must be one of ${kinds.join(', ')}, not ${String(o.cache.storage)}`, { detail: { option: 'cache.storage' } });
  if (o.memory?.evictionPolicy !== undefined && !['lru', 'fifo'].includes(o.memory.evictionPolicy)) throw new EdgeNetError('ARG', `memory.evictionPolicy must be lru or fifo, not ${String(o.memory.evictionPolicy)}`, { detail: { option: 'memory.evictionPolicy' } });
  if (o.download?.parallel !== undefined) numberIn('download.parallel', o.download.parallel, 1, 64, true);
  return {
    maxStoreBytes: o.cache?.maxSize === undefined ? null : numberIn('cache.maxSize', o.cache.maxSize, 0, Number.MAX_SAFE_INTEGER),
    maxModels: o.memory?.maxModels === undefined ? Infinity : numberIn('memory.maxModels', o.memory.maxModels, 1, 1e6, true),
    patience: {
      retries: o.download?.retries === undefined ? PATIENCE.retries : numberIn('download.retries', o.download.retries, 0, 1000, true),
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
  /** The memory store: whole files as Blobs, gone with this object. @type {Map<string, {blob: Blob, created: number, used: number}>} */ #blobs = new Map();
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
    if (this.#inMemory && spec.kind === 'url') spec = { kind: 'blob', blob: await this.#blobOf(spec, options) };
    const { maxStoreBytes, patience } = this.#limits;
    return openSession(spec, options, await this.#store(), { maxStoreBytes, patience });
  }
  get #inMemory() { return this.#options.cache?.storage === 'memory' && this.#options.cache.enabled !== false; }
  /** @returns {Promise<import('./stores/store.js').StoreSpec | null>} null: no store that outlives this object */
  async #store() {
    const { enabled = true, storage = 'auto', directory } = this.#options.cache ?? {};
    return !enabled || storage === 'memory' ? null : storeSpec({ storage, storageRoot: directory });
  }
  async #openStore() {
    const spec = await this.#store();
    return spec && openStore(spec);
  }

  /** @param {import('./sources.js').SourceSpec & {kind: 'url'}} spec @param {Pick<SessionOptions, 'signal' | 'onProgress'>} options @returns {Promise<Blob>} */
  async #blobOf(spec, { signal, onProgress }) {
    const kept = this.#blobs.get(spec.url);
    if (kept) { kept.used = Date.now(); return kept.blob; }
    const { drain } = await import('./cache.js');
    const { Meter } = await import('./fetch/progress.js');
    /** @type {BlobPart[]} */ const parts = [];
    const artifact = await openSource(spec, this.#limits.patience).open(signal);
    try {
      const tee = async (/** @type {Uint8Array} */ chunk) => { parts.push(/** @type {BlobPart} */ (chunk)); };
      await drain({ artifact, phase: 'download', tee }, signal, new Meter(onProgress));
    } finally { artifact.close(); }
    const blob = new Blob(parts);
    const max = this.#limits.maxStoreBytes ?? Infinity;
    for (const [id, { blob: b }] of [...this.#blobs].sort((a, c) => a[1].used - c[1].used)) {
      if (this.#blobBytes() + blob.size <= max) break;
      if (b) this.#blobs.delete(id);
    }
    if (blob.size <= max) this.#blobs.set(spec.url, { blob, created: Date.now(), used: Date.now() });
    return blob;
  }
  #blobBytes() { return [...this.#blobs.values()].reduce((n, { blob }) => n + blob.size, 0); }

  /** Is this model in the cache, whole? @param {ModelSource} source @returns {Promise<boolean>} */
  async isCached(source) {
    const { id, remote } = openSource(sourceSpec(source));
    if (!remote) return false;
    if (this.#inMemory) return this.#blobs.has(id);
    return await (await this.#openStore())?.find(id) != null;
  }

  /** @returns {Promise<CachedModel[]>} the latest used first */
  async getCachedModels() {
    const entries = this.#inMemory
      ? [...this.#blobs].map(([id, { blob, created, used }]) => ({ id, size: blob.size, created, used }))
      : await (await this.#openStore())?.list() ?? [];
    return entries.sort((a, b) => b.used - a.used).map(({ id, size, created, used }) => ({ source: id, size, created: new Date(created), lastUsed: new Date(used) }));
  }

  /** Download a model to the cache without loading it. @param {ModelSource} source @param {Pick<SessionOptions, 'signal' | 'onProgress' | 'worker'>} [options] @returns {Promise<{bytes: number}>} */
  async preload(source, options = {}) {
    knownOnly(options, ['signal', 'onProgress', 'worker'], 'options');
    const spec = sourceSpec(source);
    if (spec.kind !== 'url') throw new EdgeNetError('ARG', 'preload: only URLs are downloaded', { detail: { option: 'source' } });
    const onProgress = options.onProgress ?? this.#options.download?.progressCallback;
    if (this.#inMemory) return { bytes: (await this.#blobOf(spec, { ...options, onProgress })).size };
    const store = await this.#store();
    if (!store) throw new EdgeNetError('STORAGE', 'there is no cache to preload into: it is switched off, or this browser has no storage');
    const caller = await openCaller(options.worker ?? this.#options.session?.worker);
    try {
      const { bytes, cache } = await caller.call('preload', { source: spec, store, maxStoreBytes: this.#limits.maxStoreBytes, patience: this.#limits.patience }, { signal: options.signal, onEvent: onProgress });
      if (cache.state === 'none') throw new EdgeNetError('STORAGE', cache.why ?? 'the model was not kept');
      return { bytes };
    } finally { caller.close(new EdgeNetError('STATE', 'the preload is over')); }
  }

  /** Remove one model from the cache. @param {ModelSource} source @returns {Promise<boolean>} false: it was not there */
  async clearCache(source) {
    const { id } = openSource(sourceSpec(source));
    if (this.#inMemory) return this.#blobs.delete(id);
    try { return await (await this.#openStore())?.remove(id) ?? false; } catch (e) { throw asError(e, 'STORAGE'); }
  }
  /** Remove every model from the cache. @returns {Promise<void>} */
  async clearAllCache() {
    this.#blobs.clear();
    const store = await this.#openStore();
    for (const { id } of await store?.list() ?? []) await store?.remove(id);
  }
}

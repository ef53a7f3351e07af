// @ts-check
// ModelLoader: models by name, from manifests, URLs, files and buffers, with a cache that outlives the page.
import { EdgeNetError, asError } from './errors.js';
import { capabilities } from './capabilities.js';
import { knownOnly, numberIn } from './options.js';
import { download } from './fetch/download.js';
import { Gate } from './fetch/gate.js';
import { collect, isModel } from './fetch/small.js';
import { Lookup, askedFor } from './lookup.js';
import { PATIENCE, isRemote, openSource, sourceSpec, wholeSpec } from './sources.js';
import { SESSION_OPTIONS, openCaller, openSession, storeSpec, wanted } from './session.js';
import { openStore } from './stores/store.js';

/**
 * @typedef {import('./session.js').SessionOptions} SessionOptions @typedef {import('./session.js').InferenceSession} InferenceSession
 * @typedef {import('./sources.js').ModelSource} ModelSource @typedef {import('./load.js').Progress} Progress @typedef {import('./fetch/types.js').Store} Store
 * @typedef {import('./manifest/manifest.js').Manifest} Manifest @typedef {import('./catalog.js').ModelSummary} ModelSummary
 *
 * @typedef {object} LoaderOptions
 * @property {{enabled?: boolean, storage?: 'auto' | 'opfs' | 'indexeddb' | 'cache' | 'filesystem' | 'memory', maxSize?: number, directory?: string}} [cache]
 *   maxSize: bytes kept at most, memory.evictionPolicy says which models make room; directory: of the filesystem store
 * @property {{primary?: string, fallback?: readonly string[], timeout?: number}} [sources] primary, fallback: URLs of hosts on which models are looked up by name, or of
 *   their models.json, and kinds of sources ('gcs', 'http', 'hf', 'ipfs') in order of preference; timeout: ms without a byte before a download counts as broken (30000)
 * @property {{parallel?: number, retries?: number, progressCallback?: (p: Progress) => void}} [download] retries: in a row without progress (3);
 *   parallel: transfers at once (4), where the server gives ranges
 * @property {{store?: import('./trust/store.js').TrustStore, allowUnsigned?: boolean}} [trust] store: whose signatures on manifests count. A manifest without a signature is
 *   refused unless allowUnsigned is true; those that come with this package are part of it
 * @property {'auto' | 'wasm' | 'webgpu'} [backend]
 * @property {{maxModels?: number, evictionPolicy?: 'lru' | 'fifo' | 'priority'}} [memory] maxModels: loaded at once at most; one more disposes the one that the policy names:
 *   unused for longest, loaded first, or of the lowest priority
 * @property {Pick<SessionOptions, 'threads' | 'wasm' | 'worker' | 'lane' | 'variant'>} [session] defaults for every load
 *
 * @typedef {Omit<SessionOptions, 'storage' | 'storageRoot'> & {version?: string, adapter?: string, priority?: number}} LoadOptions
 *   version: of a model by name (the latest); adapter: to load over it and put to work: an artifact of the model's manifest, checked and kept as the model is; else where its file is
 *   (a URL, hf:..., in Node a path); else the name of a saved one; priority: for the evictionPolicy 'priority' (0)
 * @typedef {{source: string, size: number, created: Date, lastUsed: Date}} CachedModel source: name or URL, to load it again or to clear it; size: bytes of all its files
 * @typedef {{compatible: boolean, reasons: string[], variant: import('./variants.js').Variant, memory: {needed: number | null, available: number}, storage: {needed: number | null, available: number | null}}} Compatibility
 *   reasons: why it cannot run here, in sentences; bytes, null: not known
 */

const KNOWN = Object.freeze({
  options: ['cache', 'sources', 'download', 'trust', 'backend', 'memory', 'session'],
  cache: ['enabled', 'storage', 'maxSize', 'directory'],
  sources: ['primary', 'fallback', 'timeout'],
  download: ['parallel', 'retries', 'progressCallback'],
  trust: ['store', 'allowUnsigned'],
  memory: ['maxModels', 'evictionPolicy'],
});
const POLICIES = Object.freeze(/** @type {const} */ (['lru', 'fifo', 'priority']));
/** Bytes of the largest adapter. */
const MAX_ADAPTER = 1 << 30;
const KINDS = Object.freeze(['gcs', 'http', 'hf', 'ipfs', 'p2p']);
const LOAD_OPTIONS = Object.freeze([...SESSION_OPTIONS.filter((name) => !name.startsWith('storage')), 'version', 'adapter', 'priority']);
/** @param {LoaderOptions} o */
function check(o) {
  for (const [where, names] of Object.entries(KNOWN)) {
    const part = where === 'options' ? o : /** @type {any} */ (o)[where];
    if (part === undefined) continue;
    knownOnly(part, names, where);
  }
  const kinds = ['auto', 'opfs', 'indexeddb', 'cache', 'filesystem', 'memory'];
  if (o.cache?.storage !== undefined && !kinds.includes(o.cache.storage)) throw new EdgeNetError('ARG', `cache.storage must be one of ${kinds.join(', ')}, not ${String(o.cache.storage)}`, { detail: { option: 'cache.storage' } });
  if (o.memory?.evictionPolicy !== undefined && !POLICIES.includes(o.memory.evictionPolicy)) throw new EdgeNetError('ARG', `memory.evictionPolicy must be one of ${POLICIES.join(', ')}, not ${String(o.memory.evictionPolicy)}`, { detail: { option: 'memory.evictionPolicy' } });
  const places = [o.sources?.primary ?? 'gcs', ...o.sources?.fallback ?? []];
  const odd = places.find((p) => typeof p !== 'string' || !KINDS.includes(p) && !(/^https?:/.test(p) && URL.canParse(p)));
  if (odd !== undefined) throw new EdgeNetError('ARG', `sources: "${String(odd)}" is neither the http(s) URL of a host nor one of ${KINDS.join(', ')}`, { detail: { option: 'sources' } });
  if (o.download?.parallel !== undefined) numberIn('download.parallel', o.download.parallel, 1, 64, true);
  return {
    places, policy: o.memory?.evictionPolicy ?? 'lru',
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
  #lookup;
  #gate = new Gate();
  /** Gone with this object. @type {Promise<Store> | null} */ #memory = null;
  /** In the order of loading. @type {{session: InferenceSession, priority: number}[]} */ #loaded = [];

  /** @param {LoaderOptions} [options] */
  constructor(options = {}) {
    this.#limits = check(options);
    this.#options = options;
    const { places, patience } = this.#limits;
    this.#lookup = new Lookup({ places, patience, trust: options.trust ?? {}, withStore: (work, otherwise) => this.#withStore(work, otherwise) });
  }

  /**
   * Load a model: a session with generate(), chat() and all the rest.
   * @param {ModelSource} source a model's name; the URL of its manifest (.json); the URL of a file, hf:owner/repository/file@revision or ipfs://CID; a File or Blob; bytes; in Node a path.
   *   Of a model in several files (-00001-of-0000N.gguf) any one of them, or all in a list; of a Hugging Face folder hf:owner/repository, its directory handle or the list of its files, in Node its path
   * @param {LoadOptions} [options] @returns {Promise<InferenceSession>}
   */
  async load(source, options = {}) {
    knownOnly(options, LOAD_OPTIONS, 'options');
    const { version, adapter, priority = 0, ...session } = options;
    if (adapter !== undefined && (typeof adapter !== 'string' || !adapter)) throw new EdgeNetError('ARG', `adapter must be a name or where a file is, not ${String(adapter)}`, { detail: { option: 'adapter' } });
    numberIn('priority', priority, -1e9, 1e9);
    const merged = { backend: this.#options.backend, onProgress: this.#options.download?.progressCallback, ...this.#options.session, ...session };
    const { file, part } = await this.#resolve(source, { version, signal: options.signal });
    const opened = await this.#open(file, merged);
    if (adapter !== undefined) {
      try { await this.#adapt(opened, adapter, part, merged); } catch (e) { await opened.dispose(); throw e; }
    }
    this.#loaded = this.#loaded.filter((l) => !l.session.disposed);
    if (this.#limits.policy !== 'fifo') this.#loaded.sort((a, b) => (this.#limits.policy === 'priority' ? a.priority - b.priority : 0) || a.session.lastUsed - b.session.lastUsed);
    while (this.#loaded.length >= this.#limits.maxModels) await this.#loaded.shift()?.session.dispose();
    this.#loaded.push({ session: opened, priority });
    return opened;
  }
  /** @param {InferenceSession} session @param {string} adapter @param {Resolved['part']} part @param {SessionOptions} options */
  async #adapt(session, adapter, part, options) {
    const file = await part(adapter) ?? (/[/\\:]|\.(gguf|json)$/.test(adapter) ? wanted(sourceSpec(adapter)) : null);
    if (!file) return session.loadAdapter(adapter);
    const { artifact } = file;
    const bytes = await this.#bytesOf({ ...file, artifact: { ...artifact, format: undefined } }, options); // it may be JSON
    const name = adapter.replace(/[?#].*$|@[^@/]*$/, '').replace(/^.*[/\\]|\.\w+$/g, '');
    return session.loadAdapter(bytes, { name: name.replace(/[^\w .-]/g, '_').slice(0, 100) || 'adapter' });
  }
  /** A file whole, by way of the store where there is one. @param {import('./session.js').Wanted} file @param {SessionOptions} options @returns {Promise<Uint8Array>} */
  async #bytesOf(file, options) {
    const { artifact, sources } = file;
    const read = async (/** @type {import('./fetch/types.js').Reader | null} */ reader) => {
      if (!reader) throw new EdgeNetError('STORAGE', `${artifact.name}: the store was cleared while it was read`);
      try { return await collect(reader.read(0, Infinity, options.signal), MAX_ADAPTER, artifact.name); } finally { await reader.close(); }
    };
    if (!sources.some(isRemote)) return read(await openSource(sources[0]).open(artifact, options.signal));
    if (this.#inMemory || !await this.#store()) return new Uint8Array(await (await this.#blobOf(file, options)).arrayBuffer());
    await this.#preload(file, options);
    return this.#withStore(async (store) => read(await store.open(artifact.id)), new Uint8Array(0));
  }
  /** @typedef {{file: import('./session.js').Wanted, part: (name: string) => Promise<import('./session.js').Wanted | null>}} Resolved part: another file of the same model; null: it has none of that name */
  /** The file that is meant, and where it is. @param {ModelSource} source @param {{version?: string, signal?: AbortSignal}} options @returns {Promise<Resolved>} */
  async #resolve(source, { version, signal }) {
    const asked = askedFor(source, version);
    if (asked) {
      const found = await this.#lookup.find(asked, signal);
      const how = { headers: 'manifest' in asked ? asked.headers : undefined, signal };
      const file = await this.#lookup.wanted(found, how);
      await this.#lookup.remember(asked, found);
      return { file, part: async (name) => (Object.hasOwn(found.manifest.artifacts, name) ? this.#lookup.wanted(found, { ...how, artifact: name }) : null) };
    }
    if (version !== undefined) throw new EdgeNetError('ARG', 'version: only models by name and manifests have versions', { detail: { option: 'version' } });
    return { file: wanted(await wholeSpec(source, this.#options.session?.wasm)), part: async () => null };
  }
  /** @param {import('./session.js').Wanted} file @param {SessionOptions} options */
  async #open(file, options) {
    if (this.#inMemory && file.sources.some(isRemote)) file = { artifact: file.artifact, sources: [{ kind: 'blob', blob: await this.#blobOf(file, options) }] };
    return openSession(file, options, this.#store(), this.#part, this.#gate);
  }
  get #part() {
    const { maxStoreBytes, patience, policy } = this.#limits;
    return { maxStoreBytes, patience, policy };
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

  /** @param {import('./session.js').Wanted} file @param {Pick<SessionOptions, 'signal' | 'onProgress'>} options @returns {Promise<Blob>} */
  async #blobOf({ artifact, sources }, { signal, onProgress }) {
    const { maxStoreBytes: maxBytes, patience, policy } = this.#limits;
    const use = async (/** @type {Store} */ store) => {
      const { id } = await download(artifact, { store, sources: sources.map((s) => openSource(s, patience)), patience, signal, onProgress, maxBytes, policy, gate: this.#gate });
      await (await store.open(id))?.close(); // used now
      return /** @type {Blob} */ (await store.blob(id));
    };
    return this.#inMemory ? this.#withStore(use, new Blob()) : openStore({ kind: 'memory' }).then(use);
  }

  /** Hold this loader's downloads, those that begin later too: no byte is asked for until resume(). A load waits; abort it with its signal. */
  pause() { this.#gate.set(true); }
  resume() { this.#gate.set(false); }
  get paused() { return this.#gate.paused; }

  // ---- the cache ----
  /** Is this model in the cache, whole? Asks no server. @param {ModelSource} source @param {{version?: string}} [options] @returns {Promise<boolean>} */
  async isCached(source, { version } = {}) {
    const asked = askedFor(source, version);
    if (!asked) {
      const spec = await wholeSpec(source);
      return isRemote(spec) && this.#withStore(async (store) => await store.find(wanted(spec).artifact.id) !== null, false);
    }
    const found = await this.#lookup.kept(asked).catch(() => null);
    if (!found) return false;
    const { artifact } = await this.#lookup.wanted(found);
    return this.#withStore(async (store) => await store.find(artifact.id) !== null, false);
  }

  /** @returns {Promise<CachedModel[]>} the latest used first; a model whose adapters or versions are files of their own is one */
  async getCachedModels() {
    const entries = (await this.#withStore((store) => store.list(), [])).filter(isModel);
    /** @type {Map<string, CachedModel>} */ const all = new Map();
    for (const { id, models, size, created, used } of entries.sort((a, b) => b.used - a.used)) {
      for (const source of models.length ? models : [id]) {
        const { size: others, created: since, lastUsed } = all.get(source) ?? { size: 0, created: new Date(created), lastUsed: new Date(used) };
        all.set(source, { source, size: others + size, created: new Date(Math.min(Number(since), created)), lastUsed });
      }
    }
    return [...all.values()];
  }

  /** Download a model to the cache without loading it. @param {ModelSource} source @param {Pick<LoadOptions, 'version' | 'signal' | 'onProgress' | 'worker'>} [options] @returns {Promise<{bytes: number}>} */
  async preload(source, options = {}) {
    knownOnly(options, ['version', 'signal', 'onProgress', 'worker'], 'options');
    const { file } = await this.#resolve(source, options);
    if (!file.sources.some(isRemote)) throw new EdgeNetError('ARG', 'preload: only what comes over a network is downloaded', { detail: { option: 'source' } });
    const how = { onProgress: this.#options.download?.progressCallback, worker: this.#options.session?.worker, ...options };
    return this.#inMemory ? { bytes: (await this.#blobOf(file, how)).size } : this.#preload(file, how);
  }
  /** @param {import('./session.js').Wanted} file @param {Pick<SessionOptions, 'signal' | 'onProgress' | 'worker'>} options @returns {Promise<{bytes: number}>} */
  async #preload(file, { signal, onProgress, worker }) {
    const store = await this.#store();
    if (!store) throw new EdgeNetError('STORAGE', 'there is no cache to preload into: it is switched off, or this browser has no storage');
    const caller = await openCaller(worker);
    const unwatch = this.#gate.watch((on) => { void caller.call('pauseFetch', { on }).catch(() => {}); });
    try {
      return await caller.call('preload', { ...file, store, ...this.#part }, { signal, onEvent: onProgress });
    } finally { unwatch(); caller.close(new EdgeNetError('STATE', 'the preload is over')); }
  }

  /** Remove one model from the cache: by URL, by the URL of its manifest, or by name with all its versions. @param {ModelSource} source @returns {Promise<boolean>} false: it was not there */
  async clearCache(source) {
    const asked = askedFor(source);
    try {
      if (!asked) { const { artifact } = wanted(await wholeSpec(source)); return await this.#withStore((store) => store.remove(artifact.id), false); }
      const name = 'name' in asked ? asked.name : (await this.#lookup.kept(asked).catch(() => null))?.manifest.id;
      return await this.#withStore(async (store) => {
        const entries = name === undefined ? [] : (await store.list()).filter((e) => e.models.includes(name));
        for (const { id } of entries) await store.remove(id, name);
        return entries.some(isModel);
      }, false);
    } catch (e) { throw asError(e, 'STORAGE'); }
  }
  /** Remove every model from the cache. @returns {Promise<void>} */
  async clearAllCache() {
    await this.#withStore((store) => store.clear(), undefined);
  }

  // ---- what there is ----
  /** A model's manifest, checked as for loading. @param {string | URL | {url: string | URL, headers?: Record<string, string>}} source name, or URL of a manifest @param {{version?: string, signal?: AbortSignal}} [options] @returns {Promise<Manifest>} frozen */
  async getManifest(source, { version, signal } = {}) {
    const asked = askedFor(source, version);
    if (!asked) throw new EdgeNetError('ARG', `getManifest: "${String(source)}" is neither a model's name nor the URL of a manifest`, { detail: { option: 'source' } });
    return (await this.#lookup.find(asked, signal)).manifest;
  }
  /** Models on the hosts of `sources` and those that come with the package. @param {{type?: string, quantization?: string, signal?: AbortSignal}} [filter] @returns {Promise<ModelSummary[]>} */
  async listModels({ type, quantization, signal } = {}) {
    return (await this.#lookup.list(signal)).filter((m) => (type === undefined || m.type === type) && (quantization === undefined || m.quantization === quantization));
  }
  /** Can this model run here? @param {string | URL} source name, or URL of a manifest @param {{version?: string, signal?: AbortSignal}} [options] @returns {Promise<Compatibility>} */
  async checkCompatibility(source, options) {
    const { artifacts: { model }, requirements = {}, type, id } = await this.getManifest(source, options);
    const here = await capabilities();
    const needed = requirements.minMemory ?? model.size, { maxBytes, deviceGiB } = here.memory;
    const available = deviceGiB === null ? maxBytes : Math.min(maxBytes, deviceGiB * 2 ** 30);
    const { quota, usage } = here.storage;
    /** @type {string[]} */ const reasons = [];
    if (type === 'vision') reasons.push('vision models are not part of this release');
    if (!model.filename.endsWith('.gguf')) reasons.push(`${model.filename} is no GGUF file, the only format that this release reads`);
    if (requirements.simdRequired && !here.simd) reasons.push('it needs SIMD, which WebAssembly does not have here');
    if (needed !== null && needed > available) reasons.push(`it needs ${needed} bytes of memory, and at most ${available} are to be had here`);
    if (model.sha256 === null && model.merkleRoot == null) reasons.push(`the manifest of ${id} knows no hash of ${model.filename} yet, so it cannot be downloaded by name`);
    return { compatible: reasons.length === 0, reasons, variant: here.variant, memory: { needed, available }, storage: { needed: model.size, available: quota === null || usage === null ? null : quota - usage } };
  }
}

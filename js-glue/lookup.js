// @ts-check
// From a model's name or its manifest's URL to the file that is wanted and the places to ask: which hosts have it, is the manifest one that may be
// trusted, which version. What was found is kept beside the models, so that a stored model loads by its name without a network.
import { MAX_CATALOG_BYTES, parseCatalog } from './catalog.js';
import { EdgeNetError, asError } from './errors.js';
import { fetchSmall, keep, kept } from './fetch/small.js';
import { concat, toHex, utf8 } from './manifest/encoding.js';
import { MAX_CHUNKS } from './manifest/chunks.js';
import { HASH_BYTES } from './manifest/hash.js';
import { MAX_MANIFEST_BYTES } from './manifest/manifest.js';
import { merkleRoot } from './manifest/merkle.js';
import { wantedFile } from './manifest/wanted.js';
import { isNode } from './platform.js';
import { openManifest } from './trust/open.js';
import { compareVersions } from './trust/version.js';

/**
 * @typedef {import('./manifest/manifest.js').Manifest} Manifest @typedef {import('./catalog.js').ModelSummary} ModelSummary @typedef {import('./fetch/types.js').Store} Store
 * @typedef {{name: string, version?: string} | {manifest: string, headers?: Record<string, string>, version?: string}} Asked a model's name, or the URL of its manifest
 * @typedef {import('./trust/open.js').OpenedManifest & {url: string, raw: Uint8Array}} Found raw: the manifest's file as it came, signature included
 * @typedef {object} LookupOptions
 * @property {readonly string[]} places hosts (URLs) and kinds of sources ('gcs', 'http', 'hf', 'ipfs'), in order of preference
 * @property {{store?: import('./trust/store.js').TrustStore | null, allowUnsigned?: boolean}} trust
 * @property {import('./fetch/types.js').Patience} patience
 * @property {<T>(work: (store: Store) => Promise<T>, otherwise: T) => Promise<T>} withStore where manifests are kept; otherwise: there is no store
 */

/** The list of the models that come with the package; their manifests are as trustworthy as this code. */
const BUILT_IN = new URL('../models/models.json', import.meta.url).href;
const MAX_ENVELOPE = 2 * MAX_MANIFEST_BYTES; // base64 takes a third more
const NAME = /^[a-z0-9][a-z0-9._-]*$/;

/** What a source of a model names: a model or a manifest; null: neither, so it is the file itself. @param {unknown} source @param {string} [version] @returns {Asked | null} */
export function askedFor(source, version) {
  const given = /** @type {{url: string | URL, headers?: Record<string, string>} | null} */ (source !== null && typeof source === 'object' && 'url' in source ? source : null);
  const text = String(given?.url ?? (typeof source === 'string' || source instanceof URL ? source : ''));
  if (!given && typeof source === 'string' && NAME.test(text) && !/\.(gguf|json)$/.test(text)) return { name: text, version };
  const base = globalThis.document?.baseURI ?? globalThis.location?.href ?? 'file:///';
  if (/^(hf|ipfs|data|blob):/.test(text) || !text || !URL.canParse(text, base) || !new URL(text, base).pathname.endsWith('.json')) return null;
  const url = isNode() && !/^[a-z]{2,}:/i.test(text) ? fileUrl(text) : new URL(text, base).href;
  return { manifest: url, headers: given?.headers, version };
}
/** @param {string} path */
function fileUrl(path) { return new URL(path.split(/[\\/]/).map(encodeURIComponent).join('/'), `file://${process.cwd()}/`).href; }

export class Lookup {
  #o;
  /** @param {LookupOptions} options */
  constructor(options) { this.#o = options; }
  get #hosts() { return this.#o.places.filter((p) => /^https?:/.test(p)).map((p) => (p.endsWith('.json') ? p : new URL('models.json', p.endsWith('/') ? p : `${p}/`).href)); }

  /**
   * Every version of every model that the hosts and the package list; of equal ones the first host's counts.
   * @param {AbortSignal} [signal] @returns {Promise<ModelSummary[]>} rejects when a host cannot be asked
   */
  async list(signal) {
    const lists = await Promise.all([...this.#hosts, BUILT_IN].map((url) => this.#catalog(url, signal)));
    const all = lists.flat();
    return all.filter((m, i) => all.findIndex((n) => n.id === m.id && n.version === m.version) === i);
  }
  /** @param {string} url @param {AbortSignal} [signal] */
  async #catalog(url, signal) { return parseCatalog(await fetchSmall(url, MAX_CATALOG_BYTES, { patience: this.#o.patience, signal }), url); }

  /**
   * The manifest, fresh where there is a network, else the one that was kept. A version that is named and kept is not asked for again.
   * @param {Asked} asked @param {AbortSignal} [signal] @returns {Promise<Found>}
   */
  async find(asked, signal) {
    const before = asked.version === undefined ? null : await this.kept(asked).catch(() => null);
    if (before) return before;
    try { return await this.#fetch(asked, signal); } catch (e) {
      const { code } = asError(e);
      const again = code === 'NETWORK' || code === 'ARG' && 'name' in asked ? await this.kept(asked).catch(() => null) : null; // a name that no host lists may still have been fetched from a URL
      if (again) return again;
      throw e;
    }
  }
  /** @param {Asked} asked @param {AbortSignal} [signal] */
  async #fetch(asked, signal) {
    const url = 'manifest' in asked ? asked.manifest : await this.#placeOf(asked, signal);
    const raw = await fetchSmall(url, MAX_ENVELOPE, { patience: this.#o.patience, headers: 'manifest' in asked ? asked.headers : undefined, signal });
    return this.#open(asked, raw, url, asked.version === undefined ? 'advance' : 'ignore'); // a version that the program names is the program's decision
  }
  /** @param {Asked} asked @param {Uint8Array} raw @param {string} url @param {'advance' | 'ignore'} versions @returns {Promise<Found>} */
  async #open(asked, raw, url, versions) {
    const { store = null, allowUnsigned = false } = this.#o.trust;
    const builtIn = 'name' in asked && url.startsWith(new URL('.', BUILT_IN).href);
    const opened = await openManifest(raw, { trust: store, allowUnsigned: allowUnsigned || builtIn, versions, name: url });
    const { id, version } = opened.manifest;
    if ('name' in asked && id !== asked.name) throw new EdgeNetError('FORMAT', `${url}: this is the manifest of ${id}, not of ${asked.name}`);
    if (asked.version !== undefined && version !== asked.version) throw new EdgeNetError('ARG', `${url}: ${id} is version ${version} there, not ${asked.version}`, { detail: { option: 'version' } });
    return { ...opened, raw, url };
  }
  /** The latest version, or the one that is asked for, at the first host that has the model. @param {{name: string, version?: string}} asked @param {AbortSignal} [signal] */
  async #placeOf({ name, version }, signal) {
    /** @type {string[]} */ const others = [];
    /** @type {unknown} */ let failure = null;
    for (const host of [...this.#hosts, BUILT_IN]) {
      const list = await this.#catalog(host, signal).catch((e) => { if (asError(e).code === 'ABORTED') throw e; failure ??= e; return []; });
      const versions = list.filter((m) => m.id === name).sort((a, b) => compareVersions(b.version, a.version));
      const found = version === undefined ? versions[0] : versions.find((m) => m.version === version);
      if (found) return found.manifest;
      others.push(...versions.map((m) => m.version));
    }
    if (failure) throw failure;
    throw new EdgeNetError('ARG', others.length ? `there is no version ${version} of "${name}", but ${others.join(', ')}`
      : `no model "${name}" is known; sources.primary may be the URL of a host that has it (a models.json), and the URL of a manifest or of a .gguf file works too`, { detail: { name } });
  }

  /** What this lookup found before. @param {Asked} asked @returns {Promise<Found | null>} */
  kept(asked) {
    return this.#o.withStore(async (store) => {
      const bytes = await kept(store, keyOf(asked), MAX_ENVELOPE + 4096);
      const end = bytes?.indexOf(10) ?? -1;
      return bytes && end > 0 ? this.#open(asked, bytes.slice(end + 1), new TextDecoder().decode(bytes.subarray(0, end)), 'ignore') : null;
    }, null);
  }
  /** For the next time without a network; a store that fails costs only that. @param {Asked} asked @param {Found} found */
  async remember(asked, { url, raw, manifest }) {
    await this.#o.withStore((store) => keep(store, keyOf(asked), concat(utf8(`${url}\n`), raw), manifest.id), undefined).catch(() => {});
  }

  /** @param {Pick<Found, 'manifest' | 'url'>} found @param {{artifact?: string, gateways?: readonly string[], headers?: Record<string, string>, signal?: AbortSignal}} [options] artifact: key in the manifest (model); headers: for files on the manifest's own host */
  async wanted({ manifest, url }, { artifact: role = 'model', gateways, headers, signal } = {}) {
    const root = manifest.artifacts[role]?.merkleRoot;
    const { withStore, patience, places } = this.#o;
    const readSide = async (/** @type {string | null} */ at, /** @type {string} */ _file, /** @type {number} */ size) => {
      const before = await withStore((store) => kept(store, `chunks:${root}`, MAX_CHUNKS * HASH_BYTES), null).catch(() => null);
      if (before?.length === size && toHex(await merkleRoot(before)) === root) return before;
      const bytes = await fetchSmall(/** @type {string} */ (at), size, { patience, headers, signal });
      await withStore((store) => keep(store, `chunks:${root}`, bytes, manifest.id), undefined).catch(() => {});
      return bytes;
    };
    const { artifact, sources } = await wantedFile(manifest, role, { base: url, readSide, gateways, sources: places.filter((p) => !/^https?:/.test(p)) });
    if (!sources.length) throw new EdgeNetError('NETWORK', `${manifest.id}: no place is known where ${artifact.name} can be had`, { detail: { final: true } });
    const { origin } = new URL(url);
    return { artifact, sources: headers ? sources.map((s) => (s.kind === 'url' && new URL(s.url).origin === origin ? { ...s, headers } : s)) : sources };
  }
}

/** @param {Asked} asked */
function keyOf(asked) { return `manifest:${'name' in asked ? asked.name : asked.manifest}${asked.version === undefined ? '' : `@${asked.version}`}`; }

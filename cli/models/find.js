// @ts-check
// Manifests by name, path or URL; and the ones that pulled models left in the cache folder, for work without a network.
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MAX_CATALOG_BYTES, parseCatalog, summaryOf } from '../../js-glue/catalog.js';
import { EdgeNetError, asError } from '../../js-glue/errors.js';
import { readJson } from '../../js-glue/manifest/json.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../js-glue/manifest/manifest.js';
import { isEnvelope, readEnvelope } from '../../js-glue/trust/dsse.js';
import { openManifest } from '../../js-glue/trust/open.js';
import { trustStorage } from '../../js-glue/trust/storage.js';
import { TrustStore } from '../../js-glue/trust/store.js';
import { expand, home } from './config.js';
import { replaceFile } from './pack.js';

/** The manifests that come with the package. */
const BUILT_IN = fileURLToPath(new URL('../../models/manifests/', import.meta.url));
const NAMES = Object.freeze(['manifest.dsse.json', 'manifest.json']);

/** @typedef {import('../../js-glue/catalog.js').ModelSummary} ModelSummary */
/** @typedef {import('../../js-glue/trust/open.js').OpenedManifest & {url: string, raw: Uint8Array, origin: 'cache' | 'registry' | 'package' | 'given'}} Found url: of the manifest itself; raw: the file as it came, signature included */

export async function openTrust() { return new TrustStore(await trustStorage(path.join(home(), 'trust.json'))); }

/** Bytes of an http or file URL. @param {string} url @param {number} max @param {{timeout: number}} options */
export async function readUrl(url, max, { timeout }) {
  if (url.startsWith('file:')) {
    try { return new Uint8Array(await readFile(fileURLToPath(url))); } catch (e) { throw asError(e, 'STORAGE', `${url}: `); }
  }
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeout) });
    if (!response.ok || !response.body) throw new EdgeNetError('NETWORK', `${url}: the server answered ${response.status}`);
    /** @type {Uint8Array[]} */ const parts = [];
    let size = 0;
    for await (const part of response.body) {
      size += part.length;
      if (size > max) throw new EdgeNetError('FORMAT', `${url} is longer than ${max} bytes`);
      parts.push(part);
    }
    return new Uint8Array(Buffer.concat(parts));
  } catch (e) { throw e instanceof EdgeNetError ? e : asError(/** @type {any} */ (e)?.cause ?? e, 'NETWORK', `${url}: `); }
}

/** @param {Record<string, any>} config */
async function registryList(config) {
  if (!config.registry) return [];
  const url = config.registry.endsWith('.json') ? config.registry : new URL('models.json', config.registry.endsWith('/') ? config.registry : `${config.registry}/`).href;
  return parseCatalog(await readUrl(url, MAX_CATALOG_BYTES, { timeout: config['cdn.timeout'] }), url);
}
/** @param {Record<string, any>} config */
const cacheFolder = (config) => path.join(expand(config['cache.directory']), 'manifests');
/** @param {string} folder @returns {string | null} a pulled model's manifest */
const manifestIn = (folder) => NAMES.map((n) => path.join(folder, n)).find((f) => existsSync(f)) ?? null;

/** Keep a pulled model's manifest, its chunk lists and where it came from. @param {Found} found @param {Map<string, Uint8Array>} sides @param {Record<string, any>} config */
export async function remember({ manifest, raw, signedBy, url }, sides, config) {
  const folder = path.join(cacheFolder(config), manifest.id);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of sides) await replaceFile(path.join(folder, name), bytes);
  await replaceFile(path.join(folder, 'origin.json'), JSON.stringify({ url }));
  await replaceFile(path.join(folder, NAMES[signedBy ? 0 : 1] ?? ''), raw); // last: without it the rest does not count
}
/** What remember() kept. It was accepted when it was pulled, so no key, date or version can take it away again: it must stay possible to clear it. @param {string} id @param {Record<string, any>} config */
export async function recall(id, config) {
  const folder = path.join(cacheFolder(config), id);
  const file = /^[a-z0-9][a-z0-9._-]*$/.test(id) ? manifestIn(folder) : null;
  if (!file) throw new EdgeNetError('ARG', `${id} was not pulled; edge-net-models pull ${id} does it`);
  const bytes = new Uint8Array(await readFile(file));
  const value = readJson(bytes, { name: file, maxBytes: 2 * MAX_MANIFEST_BYTES });
  const manifest = parseManifest(isEnvelope(value) ? readEnvelope(value, file).payload : bytes, file);
  const { url } = JSON.parse(await readFile(path.join(folder, 'origin.json'), 'utf8'));
  return { manifest, url: String(url), readSide: async (/** @type {string | null} */ _, /** @type {string} */ name) => new Uint8Array(await readFile(path.join(folder, name))) };
}
/** @param {string} id @param {Record<string, any>} config */
export async function forget(id, config) { await rm(path.join(cacheFolder(config), id), { recursive: true, force: true }); }
/** Ids of the models that were pulled. @param {Record<string, any>} config @returns {Promise<string[]>} */
export async function pulledIds(config) {
  const names = await readdir(cacheFolder(config)).catch(() => []);
  return names.filter((n) => manifestIn(path.join(cacheFolder(config), n)) !== null).sort();
}

/** Every model that is known by name: pulled ones, the registry's, the package's. @param {Record<string, any>} config @param {(note: string) => void} note @returns {Promise<(ModelSummary & {origin: string})[]>} */
export async function listModels(config, note) {
  /** @type {(ModelSummary & {origin: string})[]} */ const models = [];
  for (const id of await pulledIds(config)) {
    const found = await recall(id, config).catch((e) => { note(e.message); return null; });
    if (found) models.push({ ...summaryOf(found.manifest, found.url), origin: 'cache' });
  }
  const listed = await registryList(config).catch((e) => { note(`the registry: ${e.message}`); return []; });
  models.push(...listed.map((m) => ({ ...m, origin: 'registry' })));
  for (const name of (await readdir(BUILT_IN)).filter((n) => n.endsWith('.json')).sort()) {
    const file = path.join(BUILT_IN, name);
    models.push({ ...summaryOf((await openManifest(await readFile(file), { allowUnsigned: true, name })).manifest, pathToFileURL(file).href), origin: 'package' });
  }
  return models.filter((m, i) => models.findIndex((n) => n.id === m.id && n.version === m.version) === i);
}

/**
 * @param {string} name a manifest's path or URL, or a model's id @param {Record<string, any>} config
 * @param {{version?: string, allowUnsigned?: boolean, advance?: boolean, fresh?: boolean}} [options] fresh: not from the cache @returns {Promise<Found>}
 */
export async function findManifest(name, config, { version, allowUnsigned = false, advance = false, fresh = false } = {}) {
  const { url, origin, from } = await placeOf(name, config, version, fresh);
  const raw = await readUrl(url, 2 * MAX_MANIFEST_BYTES, { timeout: config['cdn.timeout'] });
  const own = origin === 'package' || origin === 'cache' && !url.endsWith('.dsse.json'); // as trustworthy as the program; accepted when it was pulled
  const versions = origin === 'cache' ? 'ignore' : advance ? 'advance' : 'check';
  const opened = await openManifest(raw, { trust: await openTrust(), allowUnsigned: allowUnsigned || own, versions, name: path.basename(new URL(url).pathname) });
  if (version && opened.manifest.version !== version) throw new EdgeNetError('ARG', `${opened.manifest.id} is version ${opened.manifest.version} there, not ${version}`);
  return { ...opened, raw, origin, url: from ?? url };
}

/** @param {string} name @param {Record<string, any>} config @param {string | undefined} version @param {boolean} fresh @returns {Promise<{url: string, origin: Found['origin'], from?: string}>} from: where a cached one was pulled from */
async function placeOf(name, config, version, fresh) {
  if (/^https?:\/\//.test(name)) return { url: name, origin: 'given' };
  if (/[/\\]|\.json$/.test(name)) return { url: pathToFileURL(path.resolve(name)).href, origin: 'given' };
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) throw new EdgeNetError('ARG', `"${name}" is neither a model's name nor a manifest's path or URL`);
  const cached = fresh ? null : manifestIn(path.join(cacheFolder(config), name));
  if (cached) {
    const { url } = JSON.parse(await readFile(path.join(path.dirname(cached), 'origin.json'), 'utf8'));
    return { url: pathToFileURL(cached).href, origin: 'cache', from: url };
  }
  const listed = (await registryList(config)).filter((m) => m.id === name && (!version || m.version === version));
  if (listed[0]) return { url: listed[0].manifest, origin: 'registry' };
  const file = path.join(BUILT_IN, `${name}.json`);
  if (existsSync(file)) return { url: pathToFileURL(file).href, origin: 'package' };
  throw new EdgeNetError('ARG', `no model "${name}"${version ? ` ${version}` : ''} is known; edge-net-models list shows the names, and a manifest's path or URL works too`);
}

/** A side file beside a manifest. @param {Record<string, any>} config @param {Map<string, Uint8Array>} [kept] what was read, by name */
export function sideReader(config, kept) {
  return async (/** @type {string | null} */ url, /** @type {string} */ file, /** @type {number} */ size) => {
    const bytes = await readUrl(/** @type {string} */ (url), size, { timeout: config['cdn.timeout'] });
    kept?.set(file, bytes);
    return bytes;
  };
}

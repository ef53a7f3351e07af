// @ts-check
// Models by name, path or URL: the lookup of the SDK with the command's settings. What is pulled here loads by its name there, and the other way round.
import path from 'node:path';
import { summaryOf } from '../../js-glue/catalog.js';
import { EdgeNetError } from '../../js-glue/errors.js';
import { kept } from '../../js-glue/fetch/small.js';
import { Lookup, askedFor } from '../../js-glue/lookup.js';
import { readJson } from '../../js-glue/manifest/json.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../js-glue/manifest/manifest.js';
import { isEnvelope, readEnvelope } from '../../js-glue/trust/dsse.js';
import { trustStorage } from '../../js-glue/trust/storage.js';
import { TrustStore } from '../../js-glue/trust/store.js';
import { home } from './config.js';

/** @typedef {import('../../js-glue/lookup.js').Found} Found @typedef {import('../../js-glue/fetch/types.js').Store} Store */

const KEPT = 'edge-net:manifest:';
const NAME = /^[a-z0-9][a-z0-9._-]*$/;

export async function openTrust() { return new TrustStore(await trustStorage(path.join(home(), 'trust.json'))); }

/** @param {Record<string, any>} config */
export function patienceOf(config) { return { retries: config['cdn.retries'], timeout: config['cdn.timeout'], parallel: config['cdn.parallel'] }; }

/** @param {Record<string, any>} config @param {Store} store @param {{allowUnsigned?: boolean, source?: string, registry?: boolean}} [options] source: kind that is asked first; registry: false leaves it out */
export async function openLookup(config, store, { allowUnsigned = false, source = config.defaultSource, registry = true } = {}) {
  return new Lookup({
    places: [...(config.registry && registry ? [config.registry] : []), source], trust: { store: await openTrust(), allowUnsigned },
    patience: patienceOf(config), withStore: (work) => work(store),
  });
}

/** @param {string} name a model's name, or a manifest's path or URL @param {string} [version] */
export function asked(name, version) {
  const found = askedFor(name, version);
  if (!found) throw new EdgeNetError('ARG', `"${name}" is neither a model's name nor a manifest's path or URL (...json)`);
  return found;
}

/** Names of the models that were pulled. @param {Store} store @returns {Promise<string[]>} */
export async function pulledNames(store) {
  return (await store.list()).map((e) => e.id).filter((id) => id.startsWith(KEPT)).map((id) => id.slice(KEPT.length)).filter((n) => NAME.test(n)).sort();
}
/**
 * A pulled model's manifest as it was kept. It was accepted when it came, so no key, date or version can take it away again: it must stay possible to clear it.
 * @param {Store} store @param {string} name @returns {Promise<Pick<Found, 'manifest' | 'url'>>}
 */
export async function recall(store, name) {
  const bytes = await kept(store, `manifest:${name}`, 2 * MAX_MANIFEST_BYTES + 4096);
  if (!bytes) throw new EdgeNetError('ARG', `${name} was not pulled; edge-net-models pull does it`);
  const end = bytes.indexOf(10);
  const raw = bytes.subarray(end + 1);
  const value = readJson(raw, { name, maxBytes: 2 * MAX_MANIFEST_BYTES });
  return { manifest: parseManifest(isEnvelope(value) ? readEnvelope(value, name).payload : raw, name), url: new TextDecoder().decode(bytes.subarray(0, end)) };
}

/** Every model that is known by name: pulled ones, the registry's, the package's. @param {Record<string, any>} config @param {Store} store @param {(note: string) => void} note */
export async function listModels(config, store, note) {
  /** @type {(import('../../js-glue/catalog.js').ModelSummary & {origin: 'cache' | 'registry' | 'package'})[]} */ const models = [];
  for (const name of await pulledNames(store)) {
    const { manifest, url } = await recall(store, name);
    models.push({ ...summaryOf(manifest, url), origin: 'cache' });
  }
  const lookup = await openLookup(config, store);
  const listed = await lookup.list().catch(async (e) => { note(`the registry: ${e.message}`); return (await openLookup(config, store, { registry: false })).list(); });
  models.push(...listed.map((m) => ({ ...m, origin: m.manifest.startsWith('file:') ? /** @type {const} */ ('package') : /** @type {const} */ ('registry') })));
  return models.filter((m, i) => models.findIndex((n) => n.id === m.id && n.version === m.version) === i);
}

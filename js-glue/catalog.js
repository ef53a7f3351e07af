// @ts-check
// A model host's list of models: `models.json` beside them, an array of summaries, each with the place of its manifest relative to the list. Any
// static host can have one; `edge-net-models serve-models` makes it from the manifests that it finds.
import { EdgeNetError } from './errors.js';
import { readJson } from './manifest/json.js';

/**
 * @typedef {object} ModelSummary one version of one model
 * @property {string} id
 * @property {string} name
 * @property {string} version
 * @property {string} type
 * @property {string | null} quantization
 * @property {number | null} size bytes of all its files; null: not known
 * @property {string} manifest URL of the manifest; in models.json relative to it
 */

/** Longest list that is read. */
export const MAX_CATALOG_BYTES = 8 << 20;

/** @param {import('./manifest/manifest.js').Manifest} m @param {string} manifest its place @returns {ModelSummary} */
export function summaryOf(m, manifest) {
  const sizes = Object.values(m.artifacts).map((a) => a.size);
  return { id: m.id, name: m.name, version: m.version, type: m.type, quantization: m.optimization?.quantization ?? null, size: sizes.reduce((sum, n) => (sum === null || n === null ? null : sum + n), 0), manifest };
}

/** Reads a list that nobody has vouched for. @param {Uint8Array} bytes @param {string} base its own URL @returns {ModelSummary[]} with absolute URLs */
export function parseCatalog(bytes, base) {
  const list = readJson(bytes, { name: base, maxBytes: MAX_CATALOG_BYTES });
  if (!Array.isArray(list)) throw new EdgeNetError('FORMAT', `${base}: a list of models must be an array`);
  return list.map((entry, i) => {
    const { id, name, version, type, quantization = null, size = null, manifest } = entry ?? {};
    const texts = [id, name, version, type, manifest].every((t) => typeof t === 'string');
    const numbers = (size === null || Number.isSafeInteger(size) && size >= 0) && (quantization === null || typeof quantization === 'string');
    if (!texts || !numbers || !URL.canParse(manifest, base)) throw new EdgeNetError('FORMAT', `${base}: entry ${i} needs id, name, version, type and manifest as texts, and size as bytes or null`);
    const url = new URL(manifest, base);
    if (!/^https?:$/.test(url.protocol) && url.protocol !== new URL(base).protocol) throw new EdgeNetError('FORMAT', `${base}: entry ${i} has its manifest at ${url.protocol}, and only http and https are read`);
    return { id, name, version, type, quantization, size, manifest: url.href };
  });
}

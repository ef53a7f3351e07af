// @ts-check
// From a manifest to what the download engine takes: the file that is wanted, to the byte, and the places to ask.
import { EdgeNetError } from '../errors.js';
import { isNode } from '../platform.js';
import { chunkListOf } from './chunks.js';
import { sourcesOf } from './manifest.js';

/** @typedef {import('../fetch/types.js').SourceSpec} SourceSpec */

/**
 * @param {import('./manifest.js').Manifest} manifest @param {string} [name] key in manifest.artifacts (model)
 * @param {{base?: string | URL, readSide?: (url: string | null, file: string, size: number) => Promise<Uint8Array>, sources?: readonly string[], gateways?: readonly string[], endpoint?: string}} [options]
 *   base: the manifest's own URL (in Node also of a file); readSide: reads a chunk list that lies beside the manifest, url null where base is not known;
 *   sources: kinds in order of preference ('gcs' and 'http', 'hf', 'ipfs'), others come after them; gateways: for CIDs without their own; endpoint: instead of huggingface.co
 * @returns {Promise<{artifact: import('../fetch/types.js').Artifact, sources: SourceSpec[]}>} sources without p2p entries: those need a peer of the program's
 */
export async function wantedFile(manifest, name = 'model', { base, readSide, sources: preferred = [], gateways, endpoint } = {}) {
  const entries = sourcesOf(manifest, name, base);
  const file = /** @type {import('./manifest.js').Artifact} */ (manifest.artifacts[name]);
  if (file.sha256 == null && file.merkleRoot == null) {
    throw new EdgeNetError('UNSUPPORTED', `${manifest.id}: the manifest knows no hash of ${file.filename} yet, so nothing could be told from a forgery; give the URL of the file itself`, { detail: { id: manifest.id, artifact: name } });
  }
  const side = readSide && ((/** @type {string} */ f, /** @type {number} */ n) => readSide(base === undefined ? null : new URL(f, base).href, f, n));
  const list = await chunkListOf(file, side);
  const order = preferred.map((kind) => (kind === 'gcs' ? 'http' : kind));
  const rank = (/** @type {string} */ kind) => (order.includes(kind) ? order.indexOf(kind) : order.length);
  const specs = entries.slice().sort((a, b) => rank(a.type) - rank(b.type)).flatMap((s) => specOf(s, file.filename, gateways, endpoint));
  if (isNode() && base !== undefined && new URL(base).protocol === 'file:') specs.unshift({ kind: 'path', path: decodeURIComponent(new URL(file.filename, base).pathname) });
  return {
    artifact: {
      id: file.merkleRoot ? `merkle:${file.merkleRoot}` : `sha256:${file.sha256}`,
      name: `${manifest.id}/${file.filename}`, model: manifest.id,
      ...(file.size == null ? {} : { size: file.size }),
      ...(list ? { chunkSize: list.chunkSize, chunks: list.toBytes() } : {}),
      ...(file.sha256 == null ? {} : { sha256: file.sha256 }),
      ...(file.filename.endsWith('.gguf') ? { format: /** @type {const} */ ('gguf') } : {}),
    },
    sources: specs,
  };
}

/** @param {ReturnType<typeof sourcesOf>[number]} s @param {string} filename @param {readonly string[]} [gateways] @param {string} [endpoint] @returns {SourceSpec[]} */
function specOf(s, filename, gateways, endpoint) {
  switch (s.type) {
    case 'http': return [{ kind: 'url', url: s.url }];
    case 'hf': return [{ kind: 'hf', repo: s.repo, path: s.path ?? filename, revision: s.revision, ...(endpoint && { endpoint }) }];
    case 'ipfs': return [{ kind: 'ipfs', cid: s.cid, ...(s.gateways ?? gateways ? { gateways: s.gateways ?? gateways } : {}) }];
    default: return [];
  }
}

// @ts-check
// A model's manifest: what it is, what its files are to the byte, and where they can be had. Read from bytes that nobody has vouched for yet.
import { EdgeNetError } from '../errors.js';
import { MAX_CHUNKS } from './chunks.js';
import { toHex } from './encoding.js';
import { readJson } from './json.js';
import { MANIFEST_SCHEMA, checkShape } from './schema.js';

/**
 * @typedef {{type: 'http', url: string}} HttpSource url: may be relative to the manifest's own
 * @typedef {{type: 'gcs', baseUrl: string, region?: string}} GcsSource every artifact lies under baseUrl by its filename
 * @typedef {{type: 'hf', repo: string, revision: string, path?: string}} HfSource revision: a commit; path: default the filename
 * @typedef {{type: 'ipfs', cid: string, gateways?: string[]}} IpfsSource
 * @typedef {{type: 'p2p', topic?: string}} P2pSource
 * @typedef {HttpSource | GcsSource | HfSource | IpfsSource | P2pSource} SourceEntry
 *
 * @typedef {object} Artifact one file. null: not known (yet), never a guess
 * @property {string} filename
 * @property {number | null} size bytes
 * @property {string | null} sha256 of the whole file, 64 hexadecimal digits
 * @property {number | null} [chunkSize] bytes of every chunk but the last
 * @property {readonly string[] | null} [chunks] SHA-256 of each chunk; long lists are in chunkFile instead
 * @property {string | null} [chunkFile] a file beside the manifest with 32 bytes per chunk
 * @property {string | null} [merkleRoot] over the chunk hashes (merkle.js)
 * @property {string | null} [cid] of the file as UnixFS, by cidProfile
 * @property {'unixfs-v1-2025' | null} [cidProfile]
 * @property {readonly SourceEntry[]} [sources]
 *
 * @typedef {object} Manifest
 * @property {string} $schema
 * @property {string} id
 * @property {string} name
 * @property {string} version semantic version; of one id it never goes back
 * @property {'text-generation' | 'embedding' | 'vision'} type
 * @property {string} [family]
 * @property {{type?: string, layers?: number | null, hiddenSize?: number | null, vocabSize?: number | null, contextLength?: number | null, parameters?: string, dimensions?: number | null}} [architecture]
 * @property {{quantization?: string | null, format?: string | null, groupSize?: number | null, originalSize?: string | null, optimizedSize?: string | null}} [optimization]
 * @property {{model: Artifact, [name: string]: Artifact}} artifacts
 * @property {{primary?: SourceEntry, fallback?: SourceEntry | SourceEntry[]}} [distribution]
 * @property {{minMemory?: number | null, simdRequired?: boolean, webgpuOptional?: boolean, browserSupport?: string[]}} [requirements]
 * @property {{baseRank?: number | null, microRank?: number | null, slots?: string[]}} [adapters]
 * @property {{perplexity?: number | null, tokensPerSecond?: {browser?: number | null, node?: number | null, webgpu?: number | null, native?: number | null}, memoryUsage?: number | null}} [benchmarks]
 * @property {string} license
 * @property {string} [homepage]
 * @property {string | null} [publishedAt]
 * @property {string} [publishedBy]
 * @property {string | null} [expires] after this time the manifest is not accepted any more
 */

/** Largest manifest that is read. */
export const MAX_MANIFEST_BYTES = 4 << 20;

/** Fields by which a message offers the key or signature that it wants to be checked with. */
const KEY_FIELDS = Object.freeze(['publicKey', 'public_key', 'pubkey', 'signature', 'signatures', 'keyId', 'certificate']);

/**
 * Reads a manifest. Every failure is one sentence: TRUNCATED, NOT_CANONICAL, EMBEDDED_KEY, HASH_FORM, CHUNK_LIST or FORMAT.
 * @param {Uint8Array} bytes @param {string} [name] of the file, for error sentences @returns {Manifest} frozen
 */
export function parseManifest(bytes, name = 'the manifest') {
  return checkManifest(readJson(bytes, { name, maxBytes: MAX_MANIFEST_BYTES }), name);
}

/** The same for a value that a program made. @param {unknown} value @param {string} [name] @returns {Manifest} the value itself, frozen */
export function checkManifest(value, name = 'the manifest') {
  refuseKeys(value, name);
  checkShape(value, MANIFEST_SCHEMA, name);
  const manifest = /** @type {Manifest} */ (value);
  for (const [key, artifact] of Object.entries(manifest.artifacts)) checkArtifact(artifact, `${name}: artifacts.${key}`);
  const names = Object.values(manifest.artifacts).flatMap((a) => [a.filename, ...(a.chunkFile ? [a.chunkFile] : [])]);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice) throw new EdgeNetError('FORMAT', `${name}: two artifacts have the file name ${twice}`);
  for (const key of /** @type {const} */ (['publishedAt', 'expires'])) {
    if (manifest[key] != null && Number.isNaN(Date.parse(manifest[key]))) throw new EdgeNetError('FORMAT', `${name}: ${key} ${manifest[key]} is no day of the calendar`);
  }
  if (manifest.expires && manifest.publishedAt && Date.parse(manifest.expires) <= Date.parse(manifest.publishedAt)) throw new EdgeNetError('FORMAT', `${name}: it expires before it is published`);
  return deepFreeze(manifest);
}

/** A key inside of what it should prove proves nothing. @param {unknown} value @param {string} name */
function refuseKeys(value, name) {
  const top = /** @type {any} */ (value);
  if (top === null || typeof top !== 'object' || Array.isArray(top)) return;
  const parts = [['', top], ...Object.entries(top.artifacts !== null && typeof top.artifacts === 'object' ? top.artifacts : {}).map(([k, a]) => [`artifacts.${k}.`, a])];
  for (const [at, part] of parts) {
    const found = KEY_FIELDS.find((key) => part !== null && typeof part === 'object' && Object.hasOwn(part, key));
    if (found) throw new EdgeNetError('EMBEDDED_KEY', `${name}: it has "${at}${found}" inside, but keys and signatures count only from outside: in the envelope, by a key of the trust store`);
  }
}

/** What a schema cannot say. @param {Artifact} a @param {string} where */
function checkArtifact(a, where) {
  /** @param {string} what @param {import('../errors.js').ErrorCode} [code] @returns {never} */
  const fail = (what, code = 'FORMAT') => { throw new EdgeNetError(code, `${where} ${what}`); };
  const listed = a.chunks != null || a.chunkFile != null;
  if (listed && (a.size == null || a.chunkSize == null || a.merkleRoot == null)) fail('has a chunk list, so it must have size, chunkSize and merkleRoot');
  if (a.chunks != null && a.chunkFile != null) fail('has both chunks and chunkFile');
  if (a.size != null && a.chunkSize != null) {
    const count = Math.ceil(a.size / a.chunkSize);
    if (count > MAX_CHUNKS) fail(`has ${count} chunks, more than ${MAX_CHUNKS}`);
    if (a.chunks != null && a.chunks.length !== count) fail(`has ${a.chunks.length} chunk hashes, but its size makes ${count} chunks`, 'CHUNK_LIST');
  }
  if ((a.cid == null) !== (a.cidProfile == null)) fail('must have cid and cidProfile, or neither');
  if (a.chunks?.length === 1 && a.sha256 != null && a.chunks[0] !== a.sha256) fail('has one chunk, whose hash differs from sha256', 'CHUNK_LIST');
}

/** @template T @param {T} value @returns {T} */
function deepFreeze(value) {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

/** A manifest as the bytes that are published and signed. @param {Manifest} manifest @returns {Uint8Array} */
export function manifestBytes(manifest) {
  checkManifest(manifest);
  return new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Where an artifact can be had, the best first: its own sources, then the manifest's distribution, then beside the manifest itself.
 * A gcs entry becomes an http one, a relative url an absolute one.
 * @param {Manifest} manifest @param {string} name key in manifest.artifacts @param {string | URL} [base] the manifest's own URL
 * @returns {Exclude<SourceEntry, GcsSource>[]} without doubles
 */
export function sourcesOf(manifest, name, base) {
  const artifact = Object.hasOwn(manifest.artifacts, name) ? manifest.artifacts[name] : undefined;
  if (!artifact) throw new EdgeNetError('ARG', `${manifest.id} has no artifact "${name}"; it has ${Object.keys(manifest.artifacts).join(', ')}`);
  const { primary, fallback } = manifest.distribution ?? {};
  const shared = [primary, fallback ?? []].flat().filter((s) => s !== undefined)
    .filter((s) => name === 'model' || s.type === 'gcs' || s.type === 'p2p' || s.type === 'hf' && s.path === undefined); // the others name one file: the model
  /** @type {Exclude<SourceEntry, GcsSource>[]} */ const found = [];
  for (const s of [...(artifact.sources ?? []), ...shared]) {
    if (s.type === 'gcs') found.push({ type: 'http', url: new URL(artifact.filename, s.baseUrl.endsWith('/') ? s.baseUrl : `${s.baseUrl}/`).href });
    else if (s.type === 'http') found.push(...absolute(s, base));
    else if (s.type === 'hf') found.push({ ...s, path: s.path ?? artifact.filename });
    else found.push(s);
  }
  if (artifact.cid && !found.some((s) => s.type === 'ipfs')) found.push({ type: 'ipfs', cid: artifact.cid });
  if (base) found.push(...absolute({ type: 'http', url: artifact.filename }, base));
  return found.filter((s, i) => found.findIndex((t) => JSON.stringify(t) === JSON.stringify(s)) === i);
}
/** @param {HttpSource} source @param {string | URL} [base] @returns {HttpSource[]} none: relative to an unknown place, or not http */
function absolute(source, base) {
  const url = URL.canParse(source.url, base) ? new URL(source.url, base) : null;
  return url && /^https?:$/.test(url.protocol) ? [{ type: 'http', url: url.href }] : [];
}

/** An artifact's entries for the hashes of a file. @param {string} filename @param {{size: number, sha256: string, list: import('./chunks.js').ChunkList, cid?: string | null}} hashed @param {number} maxInline chunks listed in the manifest itself
 * @returns {Promise<{artifact: Artifact, side: Uint8Array | null}>} side: the chunk file's contents, null for a short list */
export async function describeFile(filename, { size, sha256, list, cid = null }, maxInline) {
  const inline = list.count <= maxInline;
  const hashes = list.toBytes();
  return {
    artifact: {
      filename, size, sha256, chunkSize: list.chunkSize,
      ...(inline ? { chunks: Array.from({ length: list.count }, (_, i) => toHex(list.hash(i))) } : { chunkFile: `${filename}.chunks` }),
      merkleRoot: await list.root(),
      ...(cid ? { cid, cidProfile: /** @type {const} */ ('unixfs-v1-2025') } : {}),
    },
    side: inline ? null : hashes,
  };
}


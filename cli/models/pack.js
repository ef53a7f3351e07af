// @ts-check
// Files become a manifest: sizes, hashes, chunk lists, CIDs.
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EdgeNetError, asError } from '../../js-glue/errors.js';
import { CHUNK_BYTES, MAX_INLINE, openChunkHasher } from '../../js-glue/manifest/chunks.js';
import { checkManifest, describeFile, manifestBytes } from '../../js-glue/manifest/manifest.js';
import { SCHEMA_ID } from '../../js-glue/manifest/schema.js';
import { unixfsCid } from '../../js-glue/manifest/file-cid.js';
import { describeGguf } from './gguf.js';

/** @typedef {{size: number, sha256: string, list: import('../../js-glue/manifest/chunks.js').ChunkList, cid: string}} Hashed */

/** Reads a file once for all its hashes. @param {string} file @param {number} [chunkSize] @param {(bytes: number, total: number) => void} [onProgress] @returns {Promise<Hashed>} */
export async function hashFile(file, chunkSize = CHUNK_BYTES, onProgress) {
  try {
    const info = await stat(file);
    if (!info.isFile() || !info.size) throw new EdgeNetError('ARG', `${file} is ${info.isFile() ? 'empty' : 'no file'}`);
    const hasher = await openChunkHasher(chunkSize);
    const leaves = chunkSize === CHUNK_BYTES ? null : await openChunkHasher(CHUNK_BYTES, { whole: false }); // a CID has leaves of its own size
    let done = 0;
    for await (const piece of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
      await hasher.update(piece);
      await leaves?.update(piece);
      onProgress?.(done += piece.length, info.size);
    }
    const { size, sha256, list } = await hasher.finish();
    return { size, sha256: /** @type {string} */ (sha256), list, cid: await unixfsCid(leaves ? (await leaves.finish()).list : list) };
  } catch (e) { throw e instanceof EdgeNetError ? e : asError(e, /** @type {any} */ (e).code === 'ENOENT' ? 'ARG' : 'STORAGE'); }
}

/** What a file of that name is called among a model's artifacts. @param {string} filename @param {number} index */
function roleOf(filename, index) {
  if (index === 0) return 'model';
  const stem = filename.replace(/\.[^.]*$/, '').replace(/[^A-Za-z0-9-]+/g, '-').replace(/^[^a-z]+/, '');
  return stem || `file-${index}`;
}

/**
 * @param {string[]} names the model's file, then what belongs to it
 * @param {{id?: string, title?: string, version?: string, type?: string, license?: string, family?: string, quantization?: string, publishedBy?: string, publishedAt?: string, expires?: string,
 *   chunkSize?: number, baseUrl?: string, hf?: string, out?: string, inline?: number}} options
 * @param {(label: string) => (p: any) => void} progress
 * @returns {Promise<{manifestFile: string, sideFiles: string[], manifest: import('../../js-glue/manifest/manifest.js').Manifest}>}
 */
export async function pack(names, { chunkSize = CHUNK_BYTES, inline = MAX_INLINE, ...options }, progress) {
  const model = path.basename(/** @type {string} */ (names[0]));
  const out = options.out ?? path.dirname(/** @type {string} */ (names[0]));
  await mkdir(out, { recursive: true });
  /** @type {Record<string, import('../../js-glue/manifest/manifest.js').Artifact>} */ const artifacts = {};
  /** @type {{name: string, bytes: Uint8Array}[]} */ const sides = [];
  for (const [i, name] of names.entries()) {
    const filename = path.basename(name);
    const show = progress(filename);
    const hashed = await hashFile(name, chunkSize, (loaded, total) => show({ phase: loaded === total ? 'ready' : 'read', loaded, total, rate: 0, eta: null }));
    const { artifact, side } = await describeFile(filename, hashed, inline);
    const sources = options.hf ? [{ type: /** @type {const} */ ('hf'), repo: options.hf.split('@')[0] ?? '', revision: options.hf.split('@')[1] ?? '' }] : [];
    const role = roleOf(filename, i);
    if (artifacts[role]) throw new EdgeNetError('ARG', `${filename}: there is already a file called ${role} in this model`);
    artifacts[role] = { ...artifact, ...(sources.length ? { sources } : {}) };
    if (side) sides.push({ name: `${filename}.chunks`, bytes: side });
  }
  const says = await describeGguf(/** @type {string} */ (names[0])); // what the publisher states goes before what the file says
  const quantization = options.quantization ?? says?.quantization;
  const family = options.family ?? says?.family;
  const id = options.id ?? model.replace(/\.[^.]*$/, '').toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  const manifest = checkManifest({
    $schema: SCHEMA_ID, id, name: options.title ?? says?.name ?? id, version: options.version ?? '1.0.0', type: options.type ?? says?.type ?? 'text-generation',
    ...(family && { family }), ...(says && { architecture: says.architecture }),
    ...((quantization || says) && { optimization: { quantization: quantization ?? null, ...(says && { format: 'GGUF' }) } }),
    artifacts,
    ...(options.baseUrl && { distribution: { primary: { type: 'gcs', baseUrl: options.baseUrl } } }),
    license: options.license ?? says?.license ?? 'unknown', publishedAt: options.publishedAt ?? new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    ...(options.publishedBy && { publishedBy: options.publishedBy }), ...(options.expires && { expires: options.expires }),
  }, 'the manifest that would be made');
  const manifestFile = path.join(out, `${model.replace(/\.[^.]*$/, '')}.manifest.json`);
  for (const { name, bytes } of sides) await replaceFile(path.join(out, name), bytes);
  await replaceFile(manifestFile, manifestBytes(manifest));
  return { manifestFile, sideFiles: sides.map((s) => path.join(out, s.name)), manifest };
}

/** Whole or not at all. @param {string} file @param {Uint8Array | string} bytes */
export async function replaceFile(file, bytes) {
  const draft = `${file}.${process.pid}.new`;
  await writeFile(draft, bytes);
  await rename(draft, file);
}

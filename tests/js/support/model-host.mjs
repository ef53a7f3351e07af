// @ts-check
// Publishing a model for a test: its bytes, and a manifest with chunk hashes, as files by name.
import { MAX_INLINE, openChunkHasher } from '../../../js-glue/manifest/chunks.js';
import { describeFile, manifestBytes } from '../../../js-glue/manifest/manifest.js';
import { SCHEMA_ID } from '../../../js-glue/manifest/schema.js';

/**
 * @param {{id: string, bytes: Uint8Array, version?: string, chunkSize?: number, more?: Partial<import('../../../js-glue/manifest/manifest.js').Manifest>, maxInline?: number,
 *   sources?: import('../../../js-glue/manifest/manifest.js').SourceEntry[], others?: Record<string, {filename: string, bytes: Uint8Array}>}} model
 * @returns {Promise<{manifest: import('../../../js-glue/manifest/manifest.js').Manifest, files: Record<string, Uint8Array>}>} files: manifest.json, the model and the rest, by name
 */
export async function publish({ id, bytes, version = '1.0.0', chunkSize = 1 << 18, more = {}, maxInline = MAX_INLINE, sources, others = {} }) {
  /** @type {Record<string, Uint8Array>} */ const files = {};
  /** @type {Record<string, import('../../../js-glue/manifest/manifest.js').Artifact>} */ const artifacts = {};
  for (const [name, { filename, bytes: contents }] of Object.entries({ model: { filename: `${id}.gguf`, bytes }, ...others })) {
    const hasher = await openChunkHasher(chunkSize);
    await hasher.update(contents);
    const { size, sha256, list } = await hasher.finish();
    const { artifact, side } = await describeFile(filename, { size, sha256: /** @type {string} */ (sha256), list }, maxInline);
    artifacts[name] = { ...artifact, ...(sources && name === 'model' ? { sources } : {}) };
    files[filename] = contents;
    if (side) files[/** @type {string} */ (artifact.chunkFile)] = side;
  }
  const manifest = /** @type {import('../../../js-glue/manifest/manifest.js').Manifest} */ ({ $schema: SCHEMA_ID, id, name: `${id} for tests`, version, type: 'text-generation', license: 'MIT', ...more, artifacts });
  files['manifest.json'] = manifestBytes(manifest);
  return { manifest, files };
}

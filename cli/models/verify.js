// @ts-check
// Files against what their manifest says, chunk by chunk.
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgeNetError } from '../../js-glue/errors.js';
import { chunkListOf } from '../../js-glue/manifest/chunks.js';
import { hashFile } from './pack.js';

/** @typedef {{artifact: string, file: string, state: 'good' | 'bad' | 'missing' | 'unknown', chunks?: number, bad?: number[], why?: string}} Checked unknown: the manifest has no hash */

/** @param {string} file @param {import('../../js-glue/manifest/chunks.js').ChunkList} list @param {(done: number) => void} show @returns {Promise<number[]>} bad chunks */
async function badChunks(file, list, show) {
  /** @type {number[]} */ const bad = [];
  let pending = new Uint8Array(0), i = 0;
  /** @param {Uint8Array} bytes */
  const check = async (bytes) => { if (!await list.matches(i, bytes)) bad.push(i); i++; show(i); };
  for await (const piece of createReadStream(file, { highWaterMark: list.chunkSize })) {
    const bytes = pending.length ? Buffer.concat([pending, piece]) : piece;
    let at = 0;
    for (; bytes.length - at >= list.chunkSize && i < list.count; at += list.chunkSize) await check(bytes.subarray(at, at + list.chunkSize));
    pending = bytes.subarray(at);
  }
  if (pending.length && i < list.count) await check(pending);
  for (; i < list.count; i++) bad.push(i);
  return bad;
}

/** @param {string} name @param {import('../../js-glue/manifest/manifest.js').Artifact} artifact @param {string} file @param {(file: string, size: number) => Promise<Uint8Array>} readSide @param {(p: any) => void} show @returns {Promise<Checked>} */
async function checkFile(name, artifact, file, readSide, show) {
  const found = { artifact: name, file };
  const info = await stat(file).catch(() => null);
  if (!info?.isFile()) return { ...found, state: 'missing', why: 'there is no such file' };
  if (artifact.size != null && artifact.size !== info.size) return { ...found, state: 'bad', why: `it has ${info.size} bytes, not ${artifact.size}` };
  const list = await chunkListOf(artifact, readSide);
  if (list) {
    const bad = await badChunks(file, list, (done) => show({ phase: done === list.count ? 'ready' : 'read', loaded: Math.min(info.size, done * list.chunkSize), total: info.size, rate: 0, eta: null }));
    return bad.length ? { ...found, state: 'bad', chunks: list.count, bad, why: `${bad.length} of ${list.count} chunks are not the published ones` } : { ...found, state: 'good', chunks: list.count };
  }
  if (artifact.sha256 == null) return { ...found, state: 'unknown', why: 'the manifest knows no hash of it' };
  const same = (await hashFile(file)).sha256 === artifact.sha256;
  return same ? { ...found, state: 'good' } : { ...found, state: 'bad', why: 'it does not have its SHA-256' };
}

/**
 * Checks every file that lies beside a manifest. @param {Pick<import('./find.js').Found, 'manifest' | 'url'>} found @param {(label: string) => (p: any) => void} progress @returns {Promise<Checked[]>}
 */
export async function checkFolder({ manifest, url }, progress) {
  if (!url.startsWith('file:')) throw new EdgeNetError('ARG', 'verify: give the path of a manifest that lies beside its files, or the name of a pulled model');
  const folder = path.dirname(fileURLToPath(url));
  const checked = [];
  for (const [name, artifact] of Object.entries(manifest.artifacts)) {
    const readSide = (/** @type {string} */ file) => readFile(path.join(folder, file)).then((b) => new Uint8Array(b), (e) => { throw new EdgeNetError('CHUNK_LIST', `${artifact.filename}: its chunk list ${file} cannot be read: ${e.message}`); });
    checked.push(await checkFile(name, artifact, path.join(folder, artifact.filename), readSide, progress(artifact.filename)));
  }
  return checked;
}

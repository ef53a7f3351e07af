// @ts-check
// A model's bytes from the store if they are there, else from the sources and into the store in the same pass. A store that fails
// (no space, private mode) costs only the cache: the model still loads, and the report says why it was not kept.
import { EdgeNetError, asError } from './errors.js';
import { Job, alone, storedEntry } from './fetch/download.js';

/**
 * @typedef {import('./fetch/types.js').Artifact} Artifact @typedef {import('./fetch/types.js').Store} Store @typedef {import('./fetch/types.js').Entry} Entry @typedef {import('./fetch/types.js').DownloadOptions} DownloadOptions
 * @typedef {import('./protocol.js').CacheReport} CacheReport @typedef {{reader: import('./fetch/types.js').Reader, phase: 'download' | 'read'}} From
 */
/** @template T @typedef {{result: T, cache: CacheReport}} Loaded */

/**
 * @template T @param {Artifact} artifact @param {DownloadOptions} options
 * @param {(from: From) => Promise<T>} use reads the whole artifact; may be called again after a stored file was mended @returns {Promise<Loaded<T>>}
 */
export async function withReader(artifact, options, use) {
  const { store, sources, known, signal } = options;
  const [first] = sources;
  if (first && (first.kind === 'file' || first.kind === 'memory')) {
    const reader = await first.open(artifact, signal);
    try { return { result: await use({ reader, phase: 'read' }), cache: { state: 'none' } }; } finally { reader.close(); }
  }
  if (!store) return passing(artifact, options, use, '');
  let begun = false;
  const tell = (/** @type {From} */ from) => { begun = true; return use(from); };
  const stored = (/** @type {Entry | null} */ known = null) => fromStore(artifact, store, known, tell);
  try {
    return await stored(known) ?? await alone(artifact, options, store, (job) => keeping(artifact, options, store, job, tell), async () => {
      const again = await stored(); // another tab was faster
      if (again) return again;
      throw new EdgeNetError('STORAGE', `${artifact.name}: what is stored is broken`);
    }, { tolerant: true });
  } catch (e) {
    const error = asError(e);
    if (begun || error.code !== 'STORAGE') throw e;
    return passing(artifact, options, use, `not kept in ${store.kind}: ${error.message}`);
  }
}

/** @template T @param {Artifact} artifact @param {Store} store @param {Entry | null} known @param {(from: From) => Promise<T>} use @returns {Promise<Loaded<T> | null>} null: it is not there, or was broken and is not any more counted as whole */
async function fromStore(artifact, store, known, use) {
  const reader = await storedEntry(artifact, store, known).then((entry) => entry && store.open(artifact.id, entry), () => null);
  if (!reader) return null;
  try { return { result: await use({ reader, phase: 'read' }), cache: { state: 'hit' } }; } catch (e) {
    if (!['FORMAT', 'STORAGE', 'INTEGRITY'].includes(asError(e).code)) throw e;
    await reader.close();
    const bad = await store.verify(artifact.id, { artifact }).then((v) => v.bad.length > 0, () => store.remove(artifact.id).then(() => true, () => true));
    if (bad) return null; // its good chunks stay; the others are fetched anew
    await store.remove(artifact.id).catch(() => {}); // what was stored is what was sent: of no use
    throw e;
  } finally { await reader.close(); }
}

/** Read while it is downloaded and kept. @template T @param {Artifact} artifact @param {DownloadOptions} options @param {Store} store @param {Job} job @param {(from: From) => Promise<T>} use @returns {Promise<Loaded<T>>} */
async function keeping(artifact, options, store, job, use) {
  let why = '';
  async function* read(/** @type {AbortSignal | undefined} */ signal) {
    let at = 0;
    try {
      for await (const bytes of job.transfer.read(signal)) { at += bytes.length; yield bytes; }
      return;
    } catch (e) {
      const error = asError(e);
      if (error.code !== 'STORAGE' || !job.canGoOn) throw e;
      why = error.message;
    }
    const rest = await Job.open(artifact, options, null, (p) => options.onProgress?.(p), { from: at, version: job.version });
    try { yield* rest.transfer.read(signal, at); } catch (e) { throw await rest.fail(e); }
  }
  const result = await use({ reader: inOrder(job, read), phase: 'download' });
  try {
    if (why) throw await job.fail(new EdgeNetError('STORAGE', why));
    await job.transfer.finished;
    await job.end();
    return { result, cache: { state: 'stored' } };
  } catch (e) { return { result, cache: { state: 'none', why: `not kept in ${store.kind}: ${asError(e).message}` } }; }
}

/** Read while it is downloaded. @template T @param {Artifact} artifact @param {DownloadOptions} options @param {(from: From) => Promise<T>} use @param {string} why it is not kept @returns {Promise<Loaded<T>>} */
async function passing(artifact, options, use, why) {
  const job = await Job.open(artifact, options, null, (p) => options.onProgress?.(p));
  try {
    const result = await use({ reader: inOrder(job, (signal) => job.transfer.read(signal)), phase: 'download' });
    return { result, cache: { state: 'none', ...(why ? { why } : {}) } };
  } catch (e) { throw await job.fail(e); }
}

/** @param {Job} job @param {(signal?: AbortSignal) => AsyncIterable<Uint8Array>} read @returns {import('./fetch/types.js').Reader} */
function inOrder(job, read) {
  return {
    size: job.transfer.size, version: job.version, ranges: false, close() {},
    read(offset, _length, signal) {
      if (offset !== 0) throw new EdgeNetError('ARG', 'a download is read from its start');
      return read(signal);
    },
  };
}

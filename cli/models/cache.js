// @ts-check
// The cache folder: what is in it, what may go, what is broken.
import { artifactOf, sourceSpec } from '../../js-glue/sources.js';
import { makeRoom } from '../../js-glue/stores/store.js';
import { parseSize } from './config.js';
import { forget, pulledIds, recall } from './find.js';
import { fetchFile, openCache, wantedFiles } from './pull.js';

/** @typedef {import('./pull.js').Wanted} Wanted @typedef {import('../../js-glue/fetch/types.js').Store} Store */
/** @typedef {{model: string, file: string, state: 'good' | 'bad' | 'missing' | 'repaired', chunks: number, bad: number[]}} Checked */

/** @template T @param {Record<string, any>} config @param {(store: Store) => Promise<T>} work */
export async function withCache(config, work) {
  const store = await openCache(config);
  try { return await work(store); } finally { store.close(); }
}

/** The files of a pulled model, by the manifest and chunk lists that were kept. @param {string} id @param {Record<string, any>} config @returns {Promise<Wanted[]>} */
async function pulledFiles(id, config) {
  const found = await recall(id, config);
  return wantedFiles(found, config, { readSide: found.readSide });
}

/** @param {Store} store @param {string} model @param {Wanted} wanted @param {(p: any) => void} show @returns {Promise<Checked>} */
async function checkStored(store, model, { filename, artifact }, show) {
  if (!await store.find(artifact.id)) return { model, file: filename, state: 'missing', chunks: 0, bad: [] };
  const size = artifact.size ?? null;
  const { chunks, bad } = await store.verify(artifact.id, { artifact, onProgress: (done, total) => show({ phase: done === total ? 'ready' : 'read', loaded: size === null ? done : Math.round(size * done / total), total: size ?? total, rate: 0, eta: null }) });
  return { model, file: filename, state: bad.length ? 'bad' : 'good', chunks, bad };
}

/**
 * Every stored file of a model against its hashes. @param {string} id @param {Record<string, any>} config @param {(label: string) => (p: any) => void} progress @returns {Promise<Checked[]>}
 */
export async function verifyPulled(id, config, progress) {
  return withCache(config, async (store) => {
    const checked = [];
    for (const wanted of await pulledFiles(id, config)) checked.push(await checkStored(store, id, wanted, progress(wanted.filename)));
    return checked;
  });
}

/** Checks everything, or one model, and fetches again what is broken: single chunks, not files. @param {string | undefined} id @param {Record<string, any>} config @param {{progress: (label: string) => (p: any) => void, signal?: AbortSignal}} how @returns {Promise<Checked[]>} */
export async function repair(id, config, how) {
  return withCache(config, async (store) => {
    /** @type {[string, Wanted][]} */ const all = [];
    for (const model of id === undefined ? await pulledIds(config) : [id]) all.push(...(await pulledFiles(model, config)).map((w) => /** @type {[string, Wanted]} */ ([model, w])));
    const known = new Set(all.map(([, w]) => w.artifact.id));
    for (const entry of id === undefined ? await store.list() : []) {
      if (known.has(entry.id) || !/^(https?|hf|ipfs):/.test(entry.id)) continue;
      const spec = sourceSpec(entry.id);
      all.push([entry.name, { role: 'model', filename: entry.name, artifact: { ...artifactOf(spec), size: entry.size }, sources: [spec] }]);
    }
    const checked = [];
    for (const [model, wanted] of all) {
      const one = await checkStored(store, model, wanted, how.progress(wanted.filename));
      if (one.state === 'good') { checked.push(one); continue; }
      await fetchFile(wanted, store, config, how);
      checked.push({ ...await checkStored(store, model, wanted, () => {}), ...{ bad: one.bad } });
      const last = /** @type {Checked} */ (checked.at(-1));
      if (last.state === 'good') last.state = 'repaired';
    }
    return checked;
  });
}

/** Removes stored files: one model's, those unused for longer than an age, or all. @param {{model?: string, olderThan?: number}} which @param {Record<string, any>} config @returns {Promise<{removed: string[], bytes: number}>} */
export async function clear({ model, olderThan }, config) {
  return withCache(config, async (store) => {
    const only = model === undefined ? null : new Set((await pulledFiles(model, config)).map((w) => w.artifact.id));
    if (!only && olderThan === undefined) {
      const entries = await store.list();
      await store.clear();
      for (const id of await pulledIds(config)) await forget(id, config);
      return { removed: entries.map((e) => e.name), bytes: entries.reduce((n, e) => n + e.size, 0) };
    }
    const going = (await store.list()).filter((e) => (!only || only.has(e.id)) && (olderThan === undefined || Date.now() - e.used > olderThan));
    for (const entry of going) await store.remove(entry.id);
    if (only) for (const id of only) await store.remove(id); // also what a broken-off download left
    const left = new Set((await store.list()).map((e) => e.id));
    for (const id of await pulledIds(config)) if (!(await pulledFiles(id, config)).some((w) => left.has(w.artifact.id))) await forget(id, config);
    return { removed: going.map((e) => e.name), bytes: going.reduce((n, e) => n + e.size, 0) };
  });
}

/** Removes files that no pulled model names (older versions), then the longest unused until the rest is below cache.maxSize. @param {Record<string, any>} config @returns {Promise<{removed: string[], bytes: number}>} */
export async function prune(config) {
  return withCache(config, async (store) => {
    const named = new Set();
    for (const id of await pulledIds(config)) for (const w of await pulledFiles(id, config)) named.add(w.artifact.id);
    const before = await store.list();
    for (const entry of before) if (/^(merkle|sha256):/.test(entry.id) && !named.has(entry.id) && !entry.pinned) await store.remove(entry.id);
    await makeRoom(store, 0, { maxBytes: parseSize(config['cache.maxSize']) });
    const left = new Set((await store.list()).map((e) => e.id));
    const gone = before.filter((e) => !left.has(e.id));
    return { removed: gone.map((e) => e.name), bytes: gone.reduce((n, e) => n + e.size, 0) };
  });
}

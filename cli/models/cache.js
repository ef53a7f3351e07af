// @ts-check
// The cache folder: what is in it, what may go, what is broken.
import { isModel } from '../../js-glue/fetch/small.js';
import { artifactOf, sourceSpec } from '../../js-glue/sources.js';
import { makeRoom } from '../../js-glue/stores/store.js';
import { parseSize } from './config.js';
import { openLookup, pulledNames, recall } from './find.js';
import { fetchFile, wantedFiles, withCache } from './pull.js';

/** @typedef {import('./pull.js').Wanted} Wanted @typedef {import('../../js-glue/fetch/types.js').Store} Store */
/** @typedef {{model: string, file: string, state: 'good' | 'bad' | 'missing' | 'repaired', chunks: number, bad: number[]}} Checked */

/** The files of a pulled model, by the manifest and chunk lists that were kept. @param {Store} store @param {string} name @param {Record<string, any>} config @returns {Promise<Wanted[]>} */
async function pulledFiles(store, name, config) {
  return wantedFiles(await openLookup(config, store), await recall(store, name), config);
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
    for (const wanted of await pulledFiles(store, id, config)) checked.push(await checkStored(store, id, wanted, progress(wanted.filename)));
    return checked;
  });
}

/** Checks everything, or one model, and fetches again what is broken: single chunks, not files. @param {string | undefined} id @param {Record<string, any>} config @param {{progress: (label: string) => (p: any) => void, signal?: AbortSignal}} how @returns {Promise<Checked[]>} */
export async function repair(id, config, how) {
  return withCache(config, async (store) => {
    /** @type {[string, Wanted][]} */ const all = [];
    for (const model of id === undefined ? await pulledNames(store) : [id]) all.push(...(await pulledFiles(store, model, config)).map((w) => /** @type {[string, Wanted]} */ ([model, w])));
    const known = new Set(all.map(([, w]) => w.artifact.id));
    for (const entry of id === undefined ? await store.list() : []) {
      if (known.has(entry.id) || !/^(https?|hf|ipfs):/.test(entry.id)) continue;
      const spec = sourceSpec(entry.id);
      all.push([entry.name, { filename: entry.name, artifact: { ...artifactOf(spec), size: entry.size }, sources: [spec] }]);
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

/** @param {import('../../js-glue/fetch/types.js').Entry[]} gone the small files of the SDK do not count */
function report(gone) {
  const models = gone.filter(isModel);
  return { removed: models.map((e) => e.name), bytes: models.reduce((n, e) => n + e.size, 0) };
}

/** Removes stored files: one model's, those unused for longer than an age, or all. @param {{model?: string, olderThan?: number}} which @param {Record<string, any>} config @returns {Promise<{removed: string[], bytes: number}>} */
export async function clear({ model, olderThan }, config) {
  return withCache(config, async (store) => {
    const before = await store.list();
    if (model === undefined && olderThan === undefined) {
      await store.clear();
      return report(before);
    }
    const wanted = model === undefined ? [] : (await pulledFiles(store, model, config)).map((w) => w.artifact.id);
    const going = before.filter((e) => isModel(e) && (model === undefined || e.models.includes(model)) && (olderThan === undefined || Date.now() - e.used > olderThan)); // every version
    for (const id of new Set([...going.map((e) => e.id), ...(olderThan === undefined ? wanted : [])])) await store.remove(id, model); // also what a broken-off download left
    const models = new Set((await store.list()).filter(isModel).flatMap((e) => e.models));
    for (const entry of before) if (!isModel(entry) && !entry.models.some((m) => models.has(m))) await store.remove(entry.id); // manifests and lists of what is gone
    return report(going);
  });
}

/** Removes files that no pulled model names (older versions), then the longest unused until the rest is below cache.maxSize. @param {Record<string, any>} config @returns {Promise<{removed: string[], bytes: number}>} */
export async function prune(config) {
  return withCache(config, async (store) => {
    const named = new Set();
    for (const name of await pulledNames(store)) for (const w of await pulledFiles(store, name, config)) named.add(w.artifact.id);
    const before = await store.list();
    for (const entry of before) if (/^(merkle|sha256):/.test(entry.id) && !named.has(entry.id) && !entry.pinned) await store.remove(entry.id);
    await makeRoom(store, 0, { maxBytes: parseSize(config['cache.maxSize']) });
    const left = new Set((await store.list()).map((e) => e.id));
    return report(before.filter((e) => !left.has(e.id)));
  });
}

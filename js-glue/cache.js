// @ts-check
// A model's bytes from the store if they are there, else from the source and into the store in the same pass. A store that fails
// (no space, private mode) costs only the cache: the model still loads, and the report says why it was not kept.
import { EdgeNetError, abortError, asError } from './errors.js';
import { makeRoom, openStore } from './stores/store.js';

/**
 * @typedef {import('./sources.js').Artifact} Artifact @typedef {import('./sources.js').Source} Source @typedef {import('./stores/store.js').Store} Store
 * @typedef {import('./protocol.js').CacheReport} CacheReport
 * @typedef {{artifact: Artifact, phase: 'download' | 'read', tee?: (chunk: Uint8Array) => Promise<void>}} Bytes tee must get every chunk, in order
 */

/**
 * @template T @param {Source} source @param {{store: import('./stores/store.js').StoreSpec | null, maxStoreBytes: number | null, signal?: AbortSignal}} opt
 * @param {(bytes: Bytes) => Promise<T>} use reads the whole artifact @returns {Promise<{result: T, cache: CacheReport}>}
 */
export async function withBytes(source, { store: spec, maxStoreBytes, signal }, use) {
  if (!spec || !source.remote) return { result: await fromSource(source, signal, use), cache: { state: 'none' } };
  /** @type {Store} */ let store;
  try { store = await openStore(spec); } catch (e) {
    return { result: await fromSource(source, signal, use), cache: { state: 'none', why: asError(e).message } };
  }
  const stored = async () => {
    const artifact = await store.open(source.id).catch(() => null);
    return artifact && { result: await fromStore(store, source.id, artifact, use), cache: /** @type {CacheReport} */ ({ state: 'hit' }) };
  };
  return await stored() ?? locked(`edge-net ${store.kind} ${source.id}`, signal, async (alone) => (
    await stored() // another tab was faster
    ?? download(store, source, { alone, maxStoreBytes, signal }, use)));
}

/** @template T @param {Source} source @param {AbortSignal | undefined} signal @param {(bytes: Bytes) => Promise<T>} use */
async function fromSource(source, signal, use) {
  const artifact = await source.open(signal);
  try { return await use({ artifact, phase: source.remote ? 'download' : 'read' }); } finally { artifact.close(); }
}

/** @template T @param {Store} store @param {string} id @param {Artifact} artifact @param {(bytes: Bytes) => Promise<T>} use */
async function fromStore(store, id, artifact, use) {
  try { return await use({ artifact, phase: 'read' }); } catch (e) {
    const { code } = asError(e);
    if (code === 'FORMAT' || code === 'STORAGE') { // what is stored is of no use: the next load fetches it anew
      artifact.close();
      await store.remove(id).catch(() => {});
    }
    throw e;
  } finally { artifact.close(); }
}

/** @template T @param {Store} store @param {Source} source @param {{alone: boolean, maxStoreBytes: number | null, signal?: AbortSignal}} opt @param {(bytes: Bytes) => Promise<T>} use */
async function download(store, source, { alone, maxStoreBytes, signal }, use) {
  const artifact = await source.open(signal);
  /** @type {import('./stores/store.js').Writer | null} */ let writer = null;
  let why = '';
  const giveUp = async (/** @type {unknown} */ e) => {
    why = `not kept in ${store.kind}: ${asError(e, 'STORAGE').message}`;
    await writer?.abort().catch(() => {});
    writer = null;
  };
  try {
    if (maxStoreBytes !== null && (artifact.size ?? 0) > maxStoreBytes) why = `not kept in ${store.kind}: larger than cache.maxSize`;
    else {
      try {
        if (maxStoreBytes !== null) await makeRoom(store, maxStoreBytes, artifact.size ?? 0);
        writer = await store.create(source.id, alone);
      } catch (e) { await giveUp(e); }
    }
    const tee = async (/** @type {Uint8Array} */ chunk) => { if (writer) await writer.write(chunk).catch(giveUp); };
    const result = await use({ artifact, phase: 'download', tee });
    await writer?.commit().catch(giveUp);
    return { result, cache: /** @type {CacheReport} */ (why ? { state: 'none', why } : { state: 'stored' }) };
  } catch (e) {
    await giveUp(e);
    throw e;
  } finally { artifact.close(); }
}

/** Download to the store only. @param {Bytes} bytes @param {AbortSignal | undefined} signal @param {import('./fetch/progress.js').Meter} meter @returns {Promise<number>} */
export async function drain({ artifact, phase, tee }, signal, meter) {
  let n = 0;
  for await (const chunk of artifact.stream(0, signal)) {
    if (n === 0 && !(chunk[0] === 0x47 && chunk[1] === 0x47 && chunk[2] === 0x55 && chunk[3] === 0x46)) throw new EdgeNetError('FORMAT', 'this is not a GGUF file');
    await tee?.(chunk);
    n += chunk.length;
    meter.show(phase, n, artifact.size);
  }
  if (artifact.size !== null && n !== artifact.size) throw new EdgeNetError('NETWORK', `the file ended at ${n} of ${artifact.size} bytes`);
  meter.show('ready', n, n, { always: true });
  return n;
}

/** Run while no other tab does the same with this name; without Web Locks, run at once (alone = false). @template T @param {string} name @param {AbortSignal | undefined} signal @param {(alone: boolean) => Promise<T>} work @returns {Promise<T>} */
async function locked(name, signal, work) {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work(false);
  try { return await locks.request(name, signal ? { signal } : {}, () => work(true)); } catch (e) {
    throw signal?.aborted ? abortError(signal) : e;
  }
}

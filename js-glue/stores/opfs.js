// @ts-check
// Files in the browser's private file system. In workers the fast synchronous handles are used; they are exclusive, so a second tab reads
// through a Blob instead. Only workers write models; pages write small files.
import { EdgeNetError, asError } from '../errors.js';
import { webLock } from './locks.js';
import { freeBytes } from './space.js';

/**
 * The exclusive, synchronous access that only workers have.
 * @typedef {{read(view: Uint8Array, at: {at: number}): number, write(bytes: Uint8Array, at: {at: number}): number, getSize(): number, truncate(n: number): void, flush(): void, close(): void}} SyncHandle
 */

/** Largest file that a page writes: a long manifest. */
const MAX_PAGE_BYTES = 16 << 20;

/** @param {string} [name] of the folder @returns {Promise<import('./volume.js').Volume>} */
export async function opfsVolume(name = 'edge-net') {
  const dir = await tried(async () => (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true }));
  const find = (/** @type {string} */ file) => ifThere(() => dir.getFileHandle(file));
  return {
    kind: 'opfs', batch: 1,
    names: () => tried(async () => {
      const names = [];
      for await (const n of /** @type {any} */ (dir).keys()) names.push(n);
      return names;
    }),
    getText: (file) => ifThere(async () => (await (await dir.getFileHandle(file)).getFile()).text()),
    putText: (file, text, lazy) => tried(async () => { // not atomic; a torn record is made anew from the journal
      const handle = await dir.getFileHandle(file, { create: true });
      const bytes = new TextEncoder().encode(text);
      const sync = await syncHandle(handle);
      if (sync) {
        try { writeAll(sync, 0, bytes); sync.truncate(bytes.length); if (!lazy) sync.flush(); } finally { sync.close(); }
      } else {
        const out = await handle.createWritable();
        await out.write(bytes);
        await out.close();
      }
    }),
    openFile: (file, create) => ifThere(async () => {
      const handle = await dir.getFileHandle(file, { create });
      const sync = await syncHandle(handle);
      if (!sync) return pageFile(handle, create);
      if (create) sync.truncate(0);
      return syncFile(sync);
    }),
    openShared: (file) => ifThere(async () => {
      const handle = await dir.getFileHandle(file);
      const sync = await syncHandle(handle).catch(() => null); // another tab reads it
      return sync ? syncFile(sync) : blobFile(await handle.getFile());
    }),
    async sizeOf(file) {
      const handle = await find(file);
      return handle && await handle.getFile().then((f) => f.size, () => NaN);
    },
    remove: (file) => tried(() => ifThere(() => dir.removeEntry(file)).then(() => {})),
    lock: (id, work, options) => webLock(`edge-net opfs ${name} ${id}`, work, options),
    free: freeBytes,
    close() {},
  };
}

/** Some engines have the directory but refuse the fast handles; only a worker can tell. */
export async function opfsWorks() {
  try {
    const root = await globalThis.navigator?.storage?.getDirectory?.();
    if (!root) return false;
    if (typeof document !== 'undefined') return true;
    const name = `edge-net-probe-${Math.floor(Math.random() * 2 ** 40).toString(36)}`;
    try {
      const handle = await syncHandle(await root.getFileHandle(name, { create: true }));
      handle?.close();
      return handle !== null;
    } finally { await root.removeEntry(name); }
  } catch { return false; }
}

/** null where there is none. Throws when another tab holds it. @param {FileSystemFileHandle} handle @returns {Promise<SyncHandle | null>} */
async function syncHandle(handle) {
  const open = /** @type {{createSyncAccessHandle?: () => Promise<SyncHandle>}} */ (/** @type {unknown} */ (handle));
  return typeof document === 'undefined' && open.createSyncAccessHandle ? open.createSyncAccessHandle() : null;
}
/** Chromium's base::File::FILE_ERROR_NO_SPACE. */
const NO_SPACE = -8;
const noSpace = () => new EdgeNetError('STORAGE', 'the browser gives no more space');
/** Chromium tells of a file that it cannot write or whose storage was cleared by an error code where the number of bytes should be, as an unsigned number. @param {number} n @param {number} most */
function counted(n, most) {
  if (n >= 0 && n <= most) return n;
  throw (n | 0) === NO_SPACE ? noSpace() : new EdgeNetError('STORAGE', `the storage was cleared while a file of it was open (code ${n | 0})`);
}
/** @param {SyncHandle} sync @param {number} at @param {Uint8Array} bytes */
function writeAll(sync, at, bytes) {
  for (let done = 0; done < bytes.length;) {
    const n = counted(sync.write(bytes.subarray(done), { at: at + done }), bytes.length - done);
    if (n === 0) throw noSpace();
    done += n;
  }
}
/** @param {SyncHandle} sync @returns {import('./volume.js').VolumeFile} */
function syncFile(sync) {
  return {
    read: (offset, length) => tried(async () => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, counted(sync.getSize(), Number.MAX_SAFE_INTEGER) - offset)));
      return bytes.subarray(0, counted(sync.read(bytes, { at: offset }), bytes.length));
    }),
    readInto(offset, view) { try { return counted(sync.read(view, { at: offset }), view.length); } catch (e) { throw asError(e, 'STORAGE'); } },
    write: (offset, bytes) => tried(async () => writeAll(sync, offset, bytes)),
    flush: () => tried(async () => sync.flush()),
    async close() { sync.close(); },
  };
}
/** A file that a page writes: a manifest, not a model, for every write makes a copy of the whole. @param {FileSystemFileHandle} handle @param {boolean} create @returns {Promise<import('./volume.js').VolumeFile>} */
async function pageFile(handle, create) {
  if (create) await (await handle.createWritable()).close();
  return {
    ...blobFile(await handle.getFile()),
    read: (offset, length) => tried(async () => new Uint8Array(await (await handle.getFile()).slice(offset, offset + length).arrayBuffer())),
    write: (offset, bytes) => tried(async () => {
      if (offset + bytes.length > MAX_PAGE_BYTES) throw new EdgeNetError('STORAGE', 'the browser lets only workers write large files; load with worker: true, or choose storage: "indexeddb"');
      const out = await handle.createWritable({ keepExistingData: true });
      try {
        await out.write({ type: 'write', position: offset, data: /** @type {any} */ (bytes) });
        await out.close();
      } catch (e) { await out.abort().catch(() => {}); throw e; }
    }),
    flush: async () => {},
  };
}
/** @param {Blob} blob @returns {import('./volume.js').VolumeFile} */
function blobFile(blob) {
  const refuse = async () => { throw new EdgeNetError('STORAGE', 'this file is open for reading only'); };
  return {
    read: (offset, length) => tried(async () => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer())),
    write: refuse, flush: refuse, blob: async () => blob, async close() {},
  };
}
/** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function tried(work) { try { return await work(); } catch (e) { throw asError(e, 'STORAGE'); } }
/** What is not there is no error. @template T @param {() => Promise<T>} work @returns {Promise<T | null>} */
function ifThere(work) { return tried(() => work().catch((e) => { if (e.name === 'NotFoundError') return null; throw e; })); }

// @ts-check
// Where downloaded models are kept. A file counts as stored only when its record exists, and the record is written last: whatever is
// killed before leaves data that nobody sees and that the next download of the same model removes. Every write has a fresh file
// name, so that two tabs can never mix their bytes.
import { EdgeNetError } from '../errors.js';
import { isNode } from '../platform.js';

/**
 * @typedef {'opfs' | 'indexeddb' | 'filesystem'} StoreKind
 * @typedef {{kind: StoreKind, root?: string}} StoreSpec root: folder of the filesystem store
 * @typedef {{id: string, file: string, size: number, created: number, used: number}} Entry id: the source's; times in ms since 1970
 * @typedef {{write(chunk: Uint8Array): Promise<void>, commit(): Promise<Entry>, abort(): Promise<void>}} Writer bytes in order; one of commit and abort ends it
 * @typedef {object} Store
 * @property {StoreKind} kind
 * @property {(id: string) => Promise<Entry | null>} find
 * @property {() => Promise<Entry[]>} list
 * @property {(id: string) => Promise<import('../sources.js').Artifact | null>} open null: not stored; marks it as used
 * @property {(id: string, alone: boolean) => Promise<Writer>} create alone: nobody else writes this model now, so leftovers may go at once
 * @property {(id: string) => Promise<boolean>} remove false: it was not stored
 */

const DAY = 24 * 3600 * 1000;

/** @param {StoreSpec} spec @returns {Promise<Store>} */
export async function openStore(spec) {
  switch (spec.kind) {
    case 'filesystem': return (await import('./filesystem.js')).openFilesystem(spec.root);
    case 'opfs': return (await import('./opfs.js')).openOpfs();
    case 'indexeddb': return (await import('./indexeddb.js')).openIndexedDb();
    default: throw new EdgeNetError('ARG', `storage: there is no kind "${String(spec.kind)}"`, { detail: { option: 'storage' } });
  }
}

/** The best kind that works here, null when there is none. @returns {Promise<StoreKind | null>} */
export async function bestStore() {
  if (isNode()) return 'filesystem';
  const root = await globalThis.navigator?.storage?.getDirectory?.().catch(() => null);
  if (root && await opfsWrites(root)) return 'opfs';
  return typeof indexedDB !== 'undefined' ? 'indexeddb' : null;
}
/** Some engines have the directory but refuse the fast handles. In a page only workers can tell; there createWritable decides. @param {FileSystemDirectoryHandle} root */
async function opfsWrites(root) {
  if (typeof FileSystemFileHandle === 'undefined') return false;
  if (typeof document !== 'undefined') return 'createWritable' in FileSystemFileHandle.prototype;
  const name = `edge-net-probe-${freshTag()}`;
  try {
    const handle = await syncHandle(await root.getFileHandle(name, { create: true }));
    handle?.close();
    return handle !== null;
  } catch { return false; } finally { await root.removeEntry(name).catch(() => {}); }
}

/** The exclusive, synchronous access that only workers have; null where there is none. Throws when another tab holds it.
 * @typedef {{read(view: Uint8Array, at: {at: number}): number, write(bytes: Uint8Array, at: {at: number}): number, getSize(): number, truncate(n: number): void, flush(): void, close(): void}} SyncHandle
 * @param {FileSystemFileHandle} handle @returns {Promise<SyncHandle | null>} */
export async function syncHandle(handle) {
  const open = /** @type {{createSyncAccessHandle?: () => Promise<SyncHandle>}} */ (/** @type {unknown} */ (handle));
  return typeof document === 'undefined' && open.createSyncAccessHandle ? open.createSyncAccessHandle() : null;
}

/** A file name that is safe everywhere, readable, and different for different ids. @param {string} id */
export function fileName(id) {
  let a = 0xdeadbeef, b = 0x41c6ce57; // two 32-bit multiplicative hashes; the record holds the full id, so a collision only costs a download
  for (let i = 0; i < id.length; i++) {
    const c = id.charCodeAt(i);
    a = Math.imul(a ^ c, 0x85ebca6b);
    b = Math.imul(b ^ c, 0xc2b2ae35);
  }
  const hex = (/** @type {number} */ v) => ((v ^ v >>> 15) >>> 0).toString(16).padStart(8, '0');
  const tail = /([^/\\?#]*)(?:[?#].*)?$/.exec(id)?.[1] ?? '';
  return `${tail.replace(/[^\w.-]/g, '_').slice(-60)}-${hex(a)}${hex(b)}`;
}

/** Distinguishes one write from another; begins with its time. */
export function freshTag() { return `${Date.now().toString(36)}-${Math.floor(Math.random() * 2 ** 40).toString(36)}`; }

/** May leftover data of an earlier write of this model go? @param {string} file name with a tag at its end, after the last ~ @param {boolean} alone */
export function isStale(file, alone) {
  const time = parseInt(file.slice(file.lastIndexOf('~') + 1), 36);
  return alone || !(Date.now() - time < DAY);
}

/** Keep the stored models below a size: those unused for longest go first. @param {Store} store @param {number} maxBytes @param {number} needed bytes about to be added */
export async function makeRoom(store, maxBytes, needed) {
  const entries = (await store.list()).sort((a, b) => a.used - b.used);
  let total = entries.reduce((n, e) => n + e.size, 0) + needed;
  for (const entry of entries) {
    if (total <= maxBytes) return;
    await store.remove(entry.id);
    total -= entry.size;
  }
}

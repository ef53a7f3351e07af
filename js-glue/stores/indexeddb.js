// @ts-check
// Files in IndexedDB: table "extents" has [file, offset] -> Blob, table "records" name -> text.
import { asError } from '../errors.js';
import { ExtentFile, sizeOf } from './extents.js';
import { webLock } from './locks.js';
import { freeBytes } from './space.js';

const VERSION = 2;
/** Blobs of version 1 were numbered; each but the last had this size. */
const V1_BLOB = 4 << 20;

/** @param {IDBRequest | IDBOpenDBRequest} request @returns {Promise<any>} */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(storage(request.error));
  });
}
/** @param {unknown} e */
function storage(e) { return asError(e ?? new Error('the transaction was aborted'), 'STORAGE', 'IndexedDB: '); }

/** @param {string} [name] of the database @returns {Promise<import('./volume.js').Volume>} */
export async function indexedDbVolume(name = 'edge-net') {
  const opening = indexedDB.open(name, VERSION);
  opening.onupgradeneeded = ({ oldVersion }) => upgrade(opening, oldVersion);
  opening.onblocked = () => {}; // older pages close their connection by themselves; the request waits
  /** @type {IDBDatabase} */ const db = await result(opening);
  db.onversionchange = () => db.close();

  /** @template T @param {string[]} tables @param {IDBTransactionMode} mode @param {(t: IDBTransaction) => T} use @returns {Promise<T>} */
  async function inside(tables, mode, use) {
    try {
      const t = db.transaction(tables, mode);
      const done = new Promise((resolve, reject) => {
        t.oncomplete = resolve;
        t.onabort = t.onerror = () => reject(storage(t.error));
      });
      const value = use(t);
      await done;
      return value;
    } catch (e) { throw storage(e); } // also when the browser has closed the database under us
  }
  /** @param {(t: IDBTransaction) => IDBRequest} ask @returns {Promise<any>} */
  const ask = async (ask) => (await inside(['extents', 'records'], 'readonly', ask)).result;
  const all = (/** @type {string} */ file) => IDBKeyRange.bound([file], [file, []]);

  /** @type {import('./extents.js').Shelf} */
  const shelf = {
    async offsets(file) { return (await ask((t) => t.objectStore('extents').getAllKeys(all(file)))).map((/** @type {[string, number]} */ k) => k[1]); },
    async get(file, offset) { return await ask((t) => t.objectStore('extents').get([file, offset])) ?? null; },
    change: (file, put, drop) => inside(['extents'], 'readwrite', (t) => {
      for (const offset of drop) t.objectStore('extents').delete([file, offset]);
      for (const [offset, blob] of put) t.objectStore('extents').put(blob, [file, offset]);
    }),
  };
  async function open(/** @type {string} */ file) {
    const offsets = await shelf.offsets(file);
    return offsets.length ? new ExtentFile(shelf, file, offsets) : null;
  }
  return {
    kind: 'indexeddb', batch: 4,
    async names() {
      /** @type {string[]} */ const names = [...await ask((t) => t.objectStore('records').getAllKeys())];
      await inside(['extents'], 'readonly', (t) => {
        const walk = t.objectStore('extents').openKeyCursor();
        walk.onsuccess = () => {
          const key = /** @type {[string, number] | undefined} */ (walk.result?.key);
          if (!key) return;
          names.push(key[0]);
          walk.result?.continue([key[0], []]); // on to the next file
        };
      });
      return names;
    },
    getText: async (name) => await ask((t) => t.objectStore('records').get(name)) ?? null,
    putText: (name, text) => inside(['records'], 'readwrite', (t) => { t.objectStore('records').put(text, name); }),
    async openFile(file, create) {
      if (!create) return open(file);
      await inside(['extents'], 'readwrite', (t) => { t.objectStore('extents').delete(all(file)); });
      return new ExtentFile(shelf, file, []);
    },
    openShared: open,
    async sizeOf(file) {
      const offsets = await shelf.offsets(file);
      return offsets.length ? sizeOf(shelf, file, offsets) : null;
    },
    remove: (name) => inside(['extents', 'records'], 'readwrite', (t) => { t.objectStore('extents').delete(all(name)); t.objectStore('records').delete(name); }),
    lock: (id, work, options) => webLock(`edge-net indexeddb ${name} ${id}`, work, options),
    free: freeBytes,
    close() { db.close(); },
  };
}

/** Version 1 had a table "models" of records and a table "chunks", [file, number] -> Blob. Nothing is lost. @param {IDBOpenDBRequest} opening @param {number} from */
function upgrade(opening, from) {
  const db = opening.result;
  const t = /** @type {IDBTransaction} */ (opening.transaction);
  const extents = db.createObjectStore('extents');
  const records = db.createObjectStore('records');
  if (from < 1) return;
  const entries = t.objectStore('models').getAll();
  entries.onsuccess = () => {
    for (const entry of entries.result) records.put(JSON.stringify(entry), `${String(entry.file).replace(/~[^~]*$/, '')}.json`);
    db.deleteObjectStore('models');
  };
  const walk = t.objectStore('chunks').openCursor();
  walk.onsuccess = () => {
    const cursor = walk.result;
    if (!cursor) return db.deleteObjectStore('chunks');
    const [file, number] = /** @type {[string, number]} */ (cursor.key);
    extents.put(cursor.value, [file, number * V1_BLOB]);
    cursor.continue();
  };
}


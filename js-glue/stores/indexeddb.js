// @ts-check
// Models in IndexedDB, as Blobs of 4 MiB (the size that was fastest overall when measured): table "chunks" has [file, number] ->
// Blob, table "models" the records.
import { EdgeNetError, asError } from '../errors.js';
import { fileName, freshTag, isStale } from './store.js';

const CHUNK = 4 << 20;

/** @param {IDBRequest | IDBOpenDBRequest} request @returns {Promise<any>} */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(asError(request.error, 'STORAGE', 'IndexedDB: '));
  });
}
/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(asError(transaction.error ?? new Error('the transaction was aborted'), 'STORAGE', 'IndexedDB: '));
  });
}

/** @param {string} [name] of the database @returns {Promise<import('./store.js').Store>} */
export async function openIndexedDb(name = 'edge-net') {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore('models', { keyPath: 'id' });
    opening.result.createObjectStore('chunks');
  };
  /** @type {IDBDatabase} */ const db = await result(opening);
  db.onversionchange = () => db.close();
  /** @param {string} table @param {IDBTransactionMode} mode @param {(table: IDBObjectStore) => void} use */
  async function change(table, mode, use) {
    const transaction = db.transaction(table, mode);
    use(transaction.objectStore(table));
    await finished(transaction);
  }
  /** @param {string} file */
  const chunksOf = (file) => IDBKeyRange.bound([file], [file, []]);
  /** @param {string} file */
  const drop = (file) => change('chunks', 'readwrite', (t) => { t.delete(chunksOf(file)); });
  /** @param {string} id @returns {Promise<import('./store.js').Entry | null>} */
  const find = async (id) => await result(db.transaction('models').objectStore('models').get(id)) ?? null;

  /** @param {string} id @param {boolean} alone @param {string} [keep] */
  async function sweep(id, alone, keep) {
    const prefix = `${fileName(id)}~`;
    /** @type {[string, number][]} */ const keys = await result(db.transaction('chunks').objectStore('chunks').getAllKeys(IDBKeyRange.bound([prefix], [`${prefix}\uffff`])));
    for (const file of new Set(keys.map((k) => k[0]))) if (file !== keep && isStale(file, alone)) await drop(file);
  }
  return {
    kind: 'indexeddb',
    find,
    list: () => result(db.transaction('models').objectStore('models').getAll()),
    async open(id) {
      const entry = await find(id);
      if (!entry) return null;
      await change('models', 'readwrite', (t) => { t.put({ ...entry, used: Date.now() }); });
      return {
        size: entry.size, close() {},
        async *stream(offset, signal) {
          for (let at = offset; at < entry.size;) {
            signal?.throwIfAborted();
            /** @type {Blob | undefined} */ const blob = await result(db.transaction('chunks').objectStore('chunks').get([entry.file, Math.floor(at / CHUNK)]));
            if (!blob) throw new EdgeNetError('STORAGE', 'the browser has dropped a part of the stored model');
            const bytes = new Uint8Array(await blob.arrayBuffer()).subarray(at % CHUNK);
            yield bytes;
            at += bytes.length;
          }
        },
      };
    },
    async create(id, alone) {
      const before = await find(id);
      await sweep(id, alone, before?.file);
      const file = `${fileName(id)}~${freshTag()}`;
      let size = 0;
      let buffer = new Uint8Array(CHUNK);
      const flush = async () => {
        const used = size % CHUNK || CHUNK;
        const blob = new Blob([buffer.subarray(0, used)]);
        const number = Math.ceil(size / CHUNK) - 1;
        await change('chunks', 'readwrite', (t) => { t.put(blob, [file, number]); });
      };
      return {
        async write(chunk) {
          for (let done = 0; done < chunk.length;) {
            const part = chunk.subarray(done, done + CHUNK - size % CHUNK);
            buffer.set(part, size % CHUNK);
            size += part.length;
            done += part.length;
            if (size % CHUNK === 0) await flush();
          }
        },
        async commit() {
          if (size % CHUNK) await flush();
          buffer = new Uint8Array(0);
          const entry = { id, file, size, created: Date.now(), used: Date.now() };
          await change('models', 'readwrite', (t) => { t.put(entry); });
          if (before) await drop(before.file);
          return entry;
        },
        abort: () => drop(file),
      };
    },
    async remove(id) {
      const entry = await find(id);
      if (!entry) return false;
      await change('models', 'readwrite', (t) => { t.delete(id); });
      await drop(entry.file);
      return true;
    },
  };
}

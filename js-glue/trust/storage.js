// @ts-check
// Where a trust store is kept: in Node a file, in browsers a row of IndexedDB. Losing it would let old versions in again, so a write that breaks off
// leaves the text before it.
import { EdgeNetError, asError } from '../errors.js';
import { isNode, nodeModule } from '../platform.js';

/** A lock that is older was left by a process that died. */
const STALE_MS = 10_000;

/** @param {string} [where] Node: the file (~/.edge-net/trust.json); browsers: name of the database (edge-net-trust) @returns {Promise<import('./store.js').TrustStorage>} */
export async function trustStorage(where) {
  if (!isNode()) return databaseStorage(where ?? 'edge-net-trust');
  const [os, path] = [await nodeModule('node:os'), await nodeModule('node:path')];
  return fileStorage(where ?? path.join(os.homedir(), '.edge-net', 'trust.json'));
}

/** @param {string} file @returns {Promise<import('./store.js').TrustStorage>} */
async function fileStorage(file) {
  const fs = await nodeModule('node:fs/promises');
  const path = await nodeModule('node:path');
  const lock = `${file}.lock`;
  const acquire = async () => {
    for (;;) {
      try { await (await fs.open(lock, 'wx')).close(); return; } catch (e) {
        if (/** @type {any} */ (e).code !== 'EEXIST') throw e;
        const age = Date.now() - (await fs.stat(lock).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
        if (age > STALE_MS) await fs.rm(lock, { force: true });
        else await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    }
  };
  const read = () => fs.readFile(file, 'utf8').catch((e) => { if (e.code === 'ENOENT') return null; throw e; });
  return {
    async update(change) {
      try {
        const before = await read();
        if (change(before) === null) return; // it only looked
        await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
        await acquire();
        try {
          const text = change(await read());
          if (text === null) return;
          const handle = await fs.open(`${file}.new`, 'w', 0o600);
          try { await handle.writeFile(text); await handle.sync(); } finally { await handle.close(); }
          await fs.rename(`${file}.new`, file);
        } finally { await fs.rm(lock, { force: true }); }
      } catch (e) { throw e instanceof EdgeNetError ? e : asError(e, 'STORAGE', `${file}: `); }
    },
  };
}

/** @param {string} name @returns {Promise<import('./store.js').TrustStorage>} */
async function databaseStorage(name) {
  const open = indexedDB.open(name, 1);
  open.onupgradeneeded = () => { open.result.createObjectStore('trust'); };
  /** @type {IDBDatabase} */
  const db = await new Promise((resolve, reject) => {
    open.onsuccess = () => resolve(open.result);
    open.onerror = () => reject(asError(open.error, 'STORAGE', `${name}: `));
  });
  return {
    update: (change) => new Promise((resolve, reject) => {
      const transaction = db.transaction('trust', 'readwrite'); // one at a time, across tabs
      const rows = transaction.objectStore('trust');
      const get = rows.get('text');
      /** @type {unknown} */ let failed;
      get.onsuccess = () => {
        try {
          const text = change(get.result ?? null);
          if (text !== null) rows.put(text, 'text');
        } catch (e) { failed = e; transaction.abort(); }
      };
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(failed ?? asError(transaction.error, 'STORAGE', `${name}: `));
    }),
  };
}

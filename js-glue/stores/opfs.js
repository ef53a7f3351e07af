// @ts-check
// Models in the browser's private file system: <name>~<tag> holds the bytes, <name>.json the record. In workers the fast synchronous
// handles are used; they are exclusive, so a second tab reads through a Blob instead.
import { asError } from '../errors.js';
import { blobArtifact, syncArtifact } from '../sources.js';
import { fileName, freshTag, isStale, syncHandle } from './store.js';

/** @typedef {import('./store.js').Entry} Entry */

/** @returns {Promise<import('./store.js').Store>} */
export async function openOpfs() {
  const dir = await (await navigator.storage.getDirectory()).getDirectoryHandle('edge-net', { create: true }).catch((e) => { throw asError(e, 'STORAGE'); });

  /** @param {string} name @returns {Promise<Entry | null>} */
  async function read(name) {
    try {
      const entry = /** @type {Entry} */ (JSON.parse(await (await (await dir.getFileHandle(name)).getFile()).text()));
      const file = await dir.getFileHandle(entry.file); // getFile() of a file that another tab reads may be refused: it exists, that is enough
      const size = await file.getFile().then((f) => f.size, () => entry.size);
      return size === entry.size ? entry : null;
    } catch { return null; }
  }
  /** @param {string} id */
  async function find(id) {
    const entry = await read(`${fileName(id)}.json`);
    return entry?.id === id ? entry : null;
  }
  /** @param {Entry} entry */
  async function record(entry) {
    const out = await sink(await dir.getFileHandle(`${fileName(entry.id)}.json`, { create: true }));
    try {
      await out.write(new TextEncoder().encode(JSON.stringify(entry)));
      await out.close();
    } catch (e) { await out.abort(); throw e; }
  }
  /** @param {string} id @param {boolean} alone @param {string} [keep] */
  async function sweep(id, alone, keep) {
    for await (const name of /** @type {any} */ (dir).keys()) {
      if (name.startsWith(`${fileName(id)}~`) && name !== keep && isStale(name, alone)) await dir.removeEntry(name).catch(() => {});
    }
  }
  return {
    kind: 'opfs',
    find,
    async list() {
      const entries = [];
      for await (const name of /** @type {any} */ (dir).keys()) if (name.endsWith('.json')) entries.push(await read(name));
      return entries.filter((e) => e !== null);
    },
    async open(id) {
      const entry = await find(id);
      if (!entry) return null;
      await record({ ...entry, used: Date.now() }).catch(() => {});
      const handle = await dir.getFileHandle(entry.file);
      const sync = await syncHandle(handle).catch(() => null);
      if (sync) return syncArtifact(sync.getSize(), (offset, view) => sync.read(view, { at: offset }), () => sync.close());
      return blobArtifact(await handle.getFile());
    },
    async create(id, alone) {
      try {
        const before = await find(id);
        await sweep(id, alone, before?.file);
        const file = `${fileName(id)}~${freshTag()}`;
        const out = await sink(await dir.getFileHandle(file, { create: true }));
        let size = 0;
        return {
          async write(chunk) { await out.write(chunk); size += chunk.length; },
          async commit() {
            await out.close();
            const entry = { id, file, size, created: Date.now(), used: Date.now() };
            await record(entry);
            if (before) await dir.removeEntry(before.file).catch(() => {});
            return entry;
          },
          async abort() {
            await out.abort();
            await dir.removeEntry(file).catch(() => {});
          },
        };
      } catch (e) { throw asError(e, 'STORAGE'); }
    },
    async remove(id) {
      const entry = await find(id);
      if (!entry) return false;
      await dir.removeEntry(`${fileName(id)}.json`);
      await dir.removeEntry(entry.file).catch(() => {}); // still open in another tab: swept at the next download
      return true;
    },
  };
}

/** Sequential writing to a file. @param {FileSystemFileHandle} handle @returns {Promise<{write(chunk: Uint8Array): Promise<void>, close(): Promise<void>, abort(): Promise<void>}>} */
async function sink(handle) {
  const sync = await syncHandle(handle);
  if (sync) {
    let at = 0;
    sync.truncate(0);
    return {
      async write(chunk) {
        for (let done = 0; done < chunk.length;) {
          const n = sync.write(chunk.subarray(done), { at });
          if (n <= 0) throw new DOMException('the browser gives no more space', 'QuotaExceededError');
          done += n;
          at += n;
        }
      },
      async close() { sync.flush(); sync.close(); },
      async abort() { sync.close(); },
    };
  }
  const out = await handle.createWritable();
  return { write: (chunk) => out.write(/** @type {any} */ (chunk)), close: () => out.close(), abort: () => out.abort().catch(() => {}) };
}

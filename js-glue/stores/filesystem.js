// @ts-check
// Models in a folder (Node): <name>~<tag>.gguf holds the bytes, <name>.json the record.
import { EdgeNetError, asError } from '../errors.js';
import { nodeModule } from '../platform.js';
import { openPath } from '../sources.js';
import { fileName, freshTag, isStale } from './store.js';

/** @typedef {import('./store.js').Entry} Entry */

/** @param {string} [root] default: ~/.edge-net/models @returns {Promise<import('./store.js').Store>} */
export async function openFilesystem(root) {
  const fs = await nodeModule('node:fs/promises');
  const path = await nodeModule('node:path');
  const dir = root ?? path.join((await nodeModule('node:os')).homedir(), '.edge-net', 'models');
  const at = (/** @type {string} */ name) => path.join(dir, name);
  const recordOf = (/** @type {string} */ id) => at(`${fileName(id)}.json`);

  /** @param {string} file @returns {Promise<Entry | null>} null also when the data is not whole */
  async function read(file) {
    try {
      const entry = /** @type {Entry} */ (JSON.parse(await fs.readFile(file, 'utf8')));
      return (await fs.stat(at(entry.file))).size === entry.size ? entry : null;
    } catch { return null; }
  }
  /** @param {Entry} entry rename is atomic: a record is there whole or not at all */
  async function record(entry) {
    const temporary = at(`${entry.file}.record`);
    await fs.writeFile(temporary, JSON.stringify(entry));
    await fs.rename(temporary, recordOf(entry.id));
  }
  /** @param {string} id @param {boolean} alone @param {string} [keep] */
  async function sweep(id, alone, keep) {
    for (const file of await fs.readdir(dir)) {
      if (file.startsWith(`${fileName(id)}~`) && file !== keep && isStale(file, alone)) await fs.rm(at(file), { force: true });
    }
  }
  /** @type {import('./store.js').Store} */
  const store = {
    kind: 'filesystem',
    async find(id) {
      const entry = await read(recordOf(id));
      return entry?.id === id ? entry : null;
    },
    async list() {
      const files = await fs.readdir(dir).catch(() => /** @type {string[]} */ ([]));
      const entries = await Promise.all(files.filter((f) => f.endsWith('.json')).map((f) => read(at(f))));
      return entries.filter((e) => e !== null);
    },
    async open(id) {
      const entry = await store.find(id);
      if (!entry) return null;
      await record({ ...entry, used: Date.now() }).catch(() => {}); // a read-only folder can still be read
      return openPath(at(entry.file));
    },
    async create(id, alone) {
      try {
        await fs.mkdir(dir, { recursive: true });
        const before = await store.find(id);
        await sweep(id, alone, before?.file);
        const file = `${fileName(id)}~${freshTag()}`;
        const handle = await fs.open(at(file), 'wx');
        let size = 0;
        return {
          async write(chunk) {
            for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done, chunk.length - done, size + done)).bytesWritten;
            size += chunk.length;
          },
          async commit() {
            await handle.sync();
            await handle.close();
            const entry = { id, file, size, created: Date.now(), used: Date.now() };
            await record(entry);
            if (before) await fs.rm(at(before.file), { force: true });
            return entry;
          },
          async abort() {
            await handle.close().catch(() => {});
            await fs.rm(at(file), { force: true });
          },
        };
      } catch (e) { throw asError(e, 'STORAGE'); }
    },
    async remove(id) {
      const entry = await store.find(id);
      try {
        await fs.rm(recordOf(id), { force: true });
        if (entry) await fs.rm(at(entry.file), { force: true });
      } catch (e) { throw new EdgeNetError('STORAGE', `${dir}: ${/** @type {Error} */ (e).message}`, { cause: e }); }
      return entry !== null;
    },
  };
  return store;
}

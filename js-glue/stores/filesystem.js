// @ts-check
// Files in a folder (Node).
import { asError } from '../errors.js';
import { nodeModule } from '../platform.js';
import { fileLock } from './locks.js';

/** @param {string} [root] default: ~/.edge-net/models @returns {Promise<import('./volume.js').Volume>} */
export async function filesystemVolume(root) {
  const fs = await nodeModule('node:fs/promises');
  const path = await nodeModule('node:path');
  const dir = root ?? path.join((await nodeModule('node:os')).homedir(), '.edge-net', 'models');
  const at = (/** @type {string} */ name) => path.join(dir, name);
  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  const tried = async (work) => { try { return await work(); } catch (e) { throw asError(e, 'STORAGE'); } };
  /** What is not there is no error. @template T @param {() => Promise<T>} work @returns {Promise<T | null>} */
  const ifThere = (work) => tried(() => work().catch((e) => { if (e.code === 'ENOENT') return null; throw e; }));
  let swept = false;
  async function ready() {
    await fs.mkdir(dir, { recursive: true });
    if (swept) return;
    swept = true;
    for (const name of await fs.readdir(dir)) { // drafts of records and locks whose writer was killed
      const [, pid] = /\.(\d+)\.\w+\.new$/.exec(name) ?? /\.lock\.(\d+)-\w+(?:\.stale)?$/.exec(name) ?? [];
      if (pid && !lives(Number(pid))) await fs.rm(at(name), { force: true });
    }
  }

  return {
    kind: 'filesystem', batch: 1,
    names: async () => await ifThere(() => fs.readdir(dir)) ?? [],
    getText: (name) => ifThere(() => fs.readFile(at(name), 'utf8')),
    putText: (name, text) => tried(async () => { // rename is atomic: a record is there whole or not at all
      await ready();
      const draft = at(`${name}.${process.pid}.${Math.floor(Math.random() * 2 ** 40).toString(36)}.new`);
      try {
        const handle = await fs.open(draft, 'wx');
        try { await handle.writeFile(text); await handle.sync(); } finally { await handle.close(); }
        await fs.rename(draft, at(name));
      } catch (e) { await fs.rm(draft, { force: true }); throw e; }
    }),
    openFile: (name, create) => ifThere(async () => {
      if (create) await ready();
      return openedFile(at(name), create ? 'w+' : 'r+');
    }),
    openShared: (name) => ifThere(() => openedFile(at(name), 'r')),
    sizeOf: async (name) => (await ifThere(() => fs.stat(at(name))))?.size ?? null,
    remove: (name) => tried(() => fs.rm(at(name), { force: true })),
    lock: async (name, work, options) => {
      await tried(ready);
      return fileLock(at(`${name}.lock`), work, options);
    },
    async free() {
      const space = await fs.statfs(dir).catch(() => null);
      return space && space.bavail * space.bsize;
    },
    close() {},
  };
}

/** @param {number} pid */
function lives(pid) { try { return process.kill(pid, 0); } catch (e) { return /** @type {any} */ (e).code === 'EPERM'; } }

/** @param {string} path @param {string} flags @returns {Promise<import('./volume.js').VolumeFile>} */
async function openedFile(path, flags) {
  const fs = await nodeModule('node:fs');
  const handle = await (await nodeModule('node:fs/promises')).open(path, flags);
  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  const tried = async (work) => { try { return await work(); } catch (e) { throw asError(e, 'STORAGE'); } };
  return {
    read: (offset, length) => tried(async () => {
      const { size } = await handle.stat();
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let done = 0;
      for (let n = 1; n > 0 && done < bytes.length; done += n) n = (await handle.read(bytes, done, bytes.length - done, offset + done)).bytesRead;
      return bytes.subarray(0, done);
    }),
    readInto: (offset, view) => fs.readSync(handle.fd, view, 0, view.length, offset),
    write: (offset, bytes) => tried(async () => {
      for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }),
    flush: () => tried(() => handle.datasync()),
    close: () => handle.close().catch(() => {}),
  };
}

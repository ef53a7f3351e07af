// @ts-check
// Files in memory, as Blobs: browsers may move those to disk. Gone with the volume.
import { ExtentFile, sizeOf } from './extents.js';
import { Queue } from './locks.js';

/** @returns {import('./volume.js').Volume} */
export function memoryVolume() {
  /** @type {Map<string, Map<number, Blob>>} */ const files = new Map();
  /** @type {Map<string, string>} */ const texts = new Map();
  const queue = new Queue();
  /** @type {import('./extents.js').Shelf} */
  const shelf = {
    async offsets(file) { return [...files.get(file)?.keys() ?? []].sort((a, b) => a - b); },
    async get(file, offset) { return files.get(file)?.get(offset) ?? null; },
    async change(file, put, drop) {
      const extents = files.get(file) ?? new Map();
      files.set(file, extents);
      for (const offset of drop) extents.delete(offset);
      for (const [offset, blob] of put) extents.set(offset, blob);
    },
  };
  const open = async (/** @type {string} */ name) => (files.has(name) ? new ExtentFile(shelf, name, await shelf.offsets(name)) : null);
  return {
    kind: 'memory', batch: 1,
    async names() { return [...files.keys(), ...texts.keys()]; },
    async getText(name) { return texts.get(name) ?? null; },
    async putText(name, text) { texts.set(name, text); },
    async openFile(name, create) {
      if (create) files.set(name, new Map());
      return open(name);
    },
    openShared: open,
    async sizeOf(name) { return files.has(name) ? sizeOf(shelf, name, await shelf.offsets(name)) : null; },
    async remove(name) { files.delete(name); texts.delete(name); },
    lock: (name, work, options) => queue.lock(name, work, options),
    free: async () => null,
    close() {},
  };
}

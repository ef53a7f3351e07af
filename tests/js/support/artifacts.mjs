// @ts-check
// What the tests of downloads need: a file with its hashes, stores of every kind that runs in Node, a store that fails.
import { createHash } from 'node:crypto';
import { random } from '../../faults/random.mjs';
import { openStore } from '../../../js-glue/stores/store.js';
import { ModelStore } from '../../../js-glue/stores/model-store.js';
import { memoryVolume } from '../../../js-glue/stores/memory.js';
import { EdgeNetError } from '../../../js-glue/errors.js';
import { temporaryFolder } from './env.mjs';

export const CHUNK = 1 << 16;
/** Short waits: what is tested is the order of things. */
export const patience = Object.freeze({ retries: 4, timeout: 400, parallel: 4, backOff: 2, ramp: 0 });

/** @param {Uint8Array} bytes */
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
/** @param {number} size @param {number} [seed] */
export function randomFile(size, seed = 1) {
  const bytes = Buffer.from(random(seed).bytes(size));
  bytes.write('GGUF');
  return bytes;
}
/** @param {Uint8Array} bytes @param {Partial<import('../../../js-glue/fetch/types.js').Artifact>} [more] @returns {import('../../../js-glue/fetch/types.js').Artifact} */
export function hashed(bytes, more = {}) {
  const chunkSize = more.chunkSize ?? CHUNK;
  const chunks = Buffer.concat(Array.from({ length: Math.ceil(bytes.length / chunkSize) }, (_, i) => sha256(bytes.subarray(i * chunkSize, (i + 1) * chunkSize))));
  return { id: `root:${sha256(chunks).toString('hex')}`, name: 'm.gguf', size: bytes.length, chunkSize, chunks: new Uint8Array(chunks), ...more };
}
/** @param {import('../../../js-glue/fetch/types.js').Store} store @param {string} id */
export async function readStored(store, id) {
  const reader = await store.open(id);
  if (!reader) return null;
  try { return await collect(reader.read(0, Infinity)); } finally { await reader.close(); }
}
/** @param {AsyncIterable<Uint8Array>} pieces */
export async function collect(pieces) {
  const parts = [];
  for await (const piece of pieces) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

let databases = 0;
/** @type {[import('../../../js-glue/fetch/types.js').StoreKind, () => Promise<import('../../../js-glue/fetch/types.js').Store>][]} IndexedDB needs fake-indexeddb/auto */
export const STORES = [
  ['memory', () => openStore({ kind: 'memory' })],
  ['filesystem', () => openStore({ kind: 'filesystem', root: temporaryFolder() })],
  ['indexeddb', () => openStore({ kind: 'indexeddb', root: `test ${process.pid} ${databases++}` })],
];

/** A store in memory whose volume can be made to fail. @param {{free?: number | null}} [options] */
export function fragileStore({ free = null } = {}) {
  const volume = memoryVolume();
  const state = { failAfter: Infinity, error: 'no space left on device', free, written: 0 };
  const fragile = {
    ...volume,
    free: async () => state.free,
    async openFile(/** @type {string} */ name, /** @type {boolean} */ create) {
      const file = await volume.openFile(name, create);
      return file && {
        read: (/** @type {number} */ o, /** @type {number} */ n) => file.read(o, n), flush: () => file.flush(), close: () => file.close(),
        async write(/** @type {number} */ offset, /** @type {Uint8Array} */ bytes) {
          if (name.endsWith('.data') && (state.written += bytes.length) > state.failAfter) throw new EdgeNetError('STORAGE', state.error);
          return file.write(offset, bytes);
        },
      };
    },
  };
  return { store: new ModelStore(fragile), state, volume };
}

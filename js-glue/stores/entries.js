// @ts-check
// The records of a volume's whole files, for reading: all that a service worker needs of a store.
import { fileName } from './names.js';

/** @typedef {import('../fetch/types.js').Entry} Entry @typedef {import('./volume.js').Volume} Volume */

export const SCHEMA = 2;

/** @param {string} id */
export function recordOf(id) { return `${fileName(id)}.json`; }

/** @param {Volume} volume @param {string} id @returns {Promise<Entry | null>} */
export async function findEntry(volume, id) {
  const entry = await readEntry(volume, recordOf(id));
  return entry?.id === id ? entry : null;
}
/** @param {Volume} volume @returns {Promise<Entry[]>} */
export async function listEntries(volume) {
  const records = (await volume.names()).filter((n) => n.endsWith('.json'));
  const entries = await Promise.all(records.map((name) => readEntry(volume, name)));
  return entries.filter((e) => e !== null);
}
/** @param {Volume} volume @param {string} name of a record @returns {Promise<Entry | null>} null also when the data is not whole */
async function readEntry(volume, name) {
  const text = await volume.getText(name);
  const entry = text === null ? null : parseEntry(text);
  if (!entry || entry.size === 0) return entry;
  const size = await volume.sizeOf(entry.file);
  return size === entry.size || Number.isNaN(size) ? entry : null;
}
/** A record of this release or an earlier one (the first had id, file, size, created, used; later ones one `model`). @param {string} text @returns {Entry | null} */
function parseEntry(text) {
  try {
    const e = JSON.parse(text);
    if (typeof e.id !== 'string' || typeof e.file !== 'string' || !Number.isSafeInteger(e.size) || e.size < 0 || e.schema > SCHEMA) return null;
    return { schema: SCHEMA, name: e.id, version: null, created: 0, used: 0, pinned: false, priority: 0, places: [], models: e.model ? [e.model] : [], ...e };
  } catch { return null; }
}

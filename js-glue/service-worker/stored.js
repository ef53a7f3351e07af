// @ts-check
// Stored models for whoever fetches their address: whole, or a range of it (RFC 9110 section 14).
import { findEntry, listEntries } from '../stores/entries.js';

/** @typedef {import('../stores/volume.js').Volume} Volume @typedef {import('../fetch/types.js').Entry} Entry */

/** @type {Readonly<Record<string, (root?: string) => Promise<Volume>>>} */
const VOLUMES = Object.freeze({
  opfs: async (root) => (await import('../stores/opfs.js')).opfsVolume(root),
  indexeddb: async (root) => (await import('../stores/indexeddb.js')).indexedDbVolume(root),
  cache: async (root) => (await import('../stores/cache-api.js')).cacheVolume(root),
});

/** The id that a source at this address has (artifactOf). @param {string} url */
function idOf(url) {
  const at = new URL(url);
  at.hash = '';
  const [, repo, revision, path] = /^\/([\w.-]+\/[\w.-]+)\/resolve\/([^/]+)\/(.+)$/.exec(at.origin === 'https://huggingface.co' ? at.pathname : '') ?? [];
  return repo ? `hf:${repo}/${decodeURIComponent(path)}@${decodeURIComponent(revision)}` : at.href;
}

/** @param {string} range of a request @param {number} size @returns {[number, number] | null | undefined} [from, to); null: there is nothing there; undefined: not understood, so it does not count */
function parseRange(range, size) {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range.trim()) ?? [];
  if (from === undefined || from === '' && to === '' || from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  const [start, end] = from === '' ? [Math.max(0, size - Number(to)), size] : [Number(from), Math.min(size, to === '' ? size : Number(to) + 1)];
  return start < end ? [start, end] : null;
}

/**
 * @param {Request} request @param {{kind: string, root?: string}} spec of the store
 * @returns {Promise<Response | null>} null: it is not stored, or the caller wants it fresh
 */
export async function storedAnswer(request, { kind, root }) {
  const fresh = ['no-store', 'reload', 'no-cache'].includes(request.cache) && !request.headers.has('if-range'); // that header alone makes it 'no-store'
  if (fresh || request.destination !== '' || !Object.hasOwn(VOLUMES, kind)) return null;
  const volume = await VOLUMES[kind](root);
  try {
    const id = idOf(request.url);
    const entry = await findEntry(volume, id) ?? (await listEntries(volume)).find((e) => e.places.includes(id));
    const file = entry && await volume.openShared(entry.file);
    const blob = await file?.blob?.();
    await file?.close();
    return entry && blob?.size === entry.size ? answerOf(entry, blob, request.headers) : null;
  } finally { volume.close(); }
}

/** @param {Entry} entry @param {Blob} blob @param {Headers} asked */
function answerOf({ version, size }, blob, asked) {
  const headers = new Headers({ 'Content-Type': 'application/octet-stream', 'Accept-Ranges': 'bytes', 'Content-Length': String(size) });
  if (version && /^(W\/)?"/.test(version)) headers.set('ETag', version);
  const only = asked.get('if-range');
  const range = only === null || only === version ? parseRange(asked.get('range') ?? '', size) : undefined;
  if (range === undefined) return new Response(blob, { headers });
  headers.set('Content-Range', range ? `bytes ${range[0]}-${range[1] - 1}/${size}` : `bytes */${size}`);
  headers.set('Content-Length', String(range ? range[1] - range[0] : 0));
  return new Response(range ? blob.slice(...range) : null, { status: range ? 206 : 416, headers });
}

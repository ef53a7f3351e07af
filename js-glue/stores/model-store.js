// @ts-check
// Models in a volume. A model has three names there: <base>.json, the record that makes it count as whole; <base>.<tag>.data, the bytes;
// <base>.<tag>.journal, which chunks are there and their hashes. The tag is made of version and size, so two versions never share bytes.
// The record is written last and the journal is checked against the data before it is believed: whatever is killed at whatever point
// costs the chunks in flight.
import { EdgeNetError, throwIfAborted } from '../errors.js';
import { CHUNK_BYTES } from '../manifest/chunks.js';
import { sameBytes } from '../manifest/encoding.js';
import { HASH_BYTES, sha256 } from '../manifest/hash.js';
import { SCHEMA, findEntry, listEntries, recordOf } from './entries.js';
import { JournalFile } from './journal.js';
import { fileName, shortHash } from './names.js';
import { OpenPart } from './part.js';

const READ_BYTES = 4 << 20;
/** `used` is brought up to date at most this often: a record is rewritten for it. */
const USED_MS = 60_000;

/**
 * @typedef {import('../fetch/types.js').Entry} Entry @typedef {import('../fetch/types.js').Artifact} Artifact @typedef {import('../fetch/types.js').Reader} Reader
 * @typedef {import('./volume.js').Volume} Volume @typedef {{size: number | null, version: string | null, chunkSize: number, places?: readonly string[]}} Plan
 */

/** @typedef {import('../fetch/types.js').Store} Store */
/** @implements {Store} */
export class ModelStore {
  #volume;
  /** @param {Volume} volume */
  constructor(volume) { this.#volume = volume; }
  get kind() { return this.#volume.kind; }

  /** @param {string} id */
  find(id) { return findEntry(this.#volume, id); }
  list() { return listEntries(this.#volume); }
  /** @param {Entry} entry @param {boolean} [lazy] */
  #record(entry, lazy) { return this.#volume.putText(recordOf(entry.id), JSON.stringify(entry), lazy); }

  /** @param {string} id @param {Entry} [known] @returns {Promise<Reader | null>} */
  async open(id, known) {
    const entry = known ?? await this.find(id);
    const file = entry && await this.#volume.openShared(entry.file);
    if (!entry || !file && entry.size > 0) return null;
    return storedReader(file, entry, this.#used(entry).catch(() => {})); // what cannot be written can still be read
  }
  /** @param {Entry} entry */
  async #used(entry) {
    if (Date.now() - entry.used > USED_MS || entry.used === entry.created) await this.#record({ ...entry, used: Date.now() }, true);
  }

  /** @param {string} id @returns {Promise<Blob | null>} null: not stored, or not as a Blob */
  async blob(id) {
    const entry = await this.find(id);
    const file = entry && await this.#volume.openShared(entry.file);
    try { return await file?.blob?.() ?? null; } finally { await file?.close(); }
  }

  /** @param {Artifact} artifact @param {Plan} plan @returns {Promise<OpenPart>} */
  async begin(artifact, { size, version, chunkSize, places = [] }) {
    const before = await this.find(artifact.id);
    const base = fileName(artifact.id);
    const file = `${base}.${shortHash(JSON.stringify([version, size, chunkSize]))}.data`;
    await this.#sweep(base, [file, before?.file ?? '']);
    /** @type {import('./journal.js').JournalHead} */
    const head = { schema: SCHEMA, id: artifact.id, name: artifact.name, model: artifact.model ?? null, size, version, chunkSize };
    const opened = version !== null && size !== null ? await this.#reopen(file, head) : null;
    const { data, journal } = opened ?? await this.#openNew(file, head);
    try { await dropBad(data, journal, artifact.chunks); } catch (e) {
      await Promise.all([data.close(), journal.close()]);
      throw e;
    }
    return new OpenPart({ data, journal, batch: this.#volume.batch,
      commit: (total) => this.#commit(head, file, total, before, places),
      discard: async () => { for (const name of [file, journalOf(file)]) await this.#volume.remove(name); } });
  }
  /** @param {string} file @param {import('./journal.js').JournalHead} head */
  async #reopen(file, head) {
    const data = await this.#volume.openFile(file, false);
    if (!data) return null;
    const records = await this.#volume.openFile(journalOf(file), false);
    const journal = records && await JournalFile.open(records);
    if (journal && journal.head.id === head.id && journal.version === head.version && journal.size === head.size && journal.chunkSize === head.chunkSize) return { data, journal };
    await Promise.all([data.close(), records?.close()]);
    return null;
  }
  /** @param {string} file @param {import('./journal.js').JournalHead} head */
  async #openNew(file, head) {
    const data = await this.#volume.openFile(file, true);
    try {
      const records = await this.#volume.openFile(journalOf(file), true);
      if (data && records) return { data, journal: await JournalFile.create(records, head) };
    } catch (e) { await data?.close(); throw e; }
    throw new EdgeNetError('STORAGE', `${this.kind}: ${file} cannot be made`);
  }
  /** @param {import('./journal.js').JournalHead} head @param {string} file @param {number} size @param {Entry | null} before @param {readonly string[]} places */
  async #commit(head, file, size, before, places) {
    const now = Date.now();
    /** @type {Entry} */
    const entry = { schema: SCHEMA, id: head.id, name: head.name, models: [...new Set([...before?.models ?? [], ...head.model === null ? [] : [head.model]])], places, file, size, version: head.version, created: now, used: now, pinned: before?.pinned ?? false, priority: before?.priority ?? 0 };
    await this.#record(entry);
    if (!await this.find(head.id)) throw new EdgeNetError('STORAGE', `${this.kind}: the store was cleared while ${head.name} was written`);
    if (before && before.file !== file) for (const name of [before.file, journalOf(before.file)]) await this.#volume.remove(name).catch(() => {});
    return entry;
  }
  /** Data of other versions and of earlier layouts goes. @param {string} base @param {string[]} keep */
  async #sweep(base, keep) {
    for (const name of await this.#volume.names()) {
      const data = name.replace(/\.journal$/, '.data');
      if ((name.startsWith(`${base}.`) || name.startsWith(`${base}~`)) && /\.(data|journal)$|~/.test(name) && !keep.includes(data)) await this.#volume.remove(name).catch(() => {}); // still open in another tab: swept the next time
    }
  }

  /** @template T @param {string} id @param {(tell: (news: unknown) => void) => Promise<T>} work @param {{signal?: AbortSignal, waiting?: (news: any) => void}} [options] @returns {Promise<T>} */
  lock(id, work, options = {}) {
    return this.#volume.lock(fileName(id), work, { ...options, peek: () => this.#peek(id) });
  }
  /** How far the holder of the lock is, as its journal shows. @param {string} id */
  async #peek(id) {
    const journal = await this.#glance(id);
    return journal && { loaded: Math.min(journal.count * journal.chunkSize, journal.size ?? Infinity), total: journal.size };
  }
  /** @param {string} id @returns {Promise<JournalFile | null>} as it was when its file, closed again, was read */
  async #glance(id) {
    const name = (await this.#volume.names()).find((n) => n.startsWith(`${fileName(id)}.`) && n.endsWith('.journal'));
    const file = name && await this.#volume.openShared(name).catch(() => null);
    if (!file) return null;
    try { return await JournalFile.open(file); } finally { await file.close(); }
  }
  /** @param {string} id */
  async missingFrom(id) {
    const journal = await this.find(id) ? null : await this.#glance(id); // what is stored is of another version
    if (!journal) return 0;
    const last = journal.size === null ? Infinity : Math.ceil(journal.size / journal.chunkSize) - 1;
    let i = 0;
    while (journal.has(i) && i < last) i++;
    return i * journal.chunkSize;
  }

  /** @param {string} id @param {{artifact?: Artifact, signal?: AbortSignal, onProgress?: (done: number, total: number) => void}} [options] */
  async verify(id, { artifact, signal, onProgress } = {}) {
    const entry = await this.find(id);
    const data = entry && await this.#volume.openShared(entry.file);
    if (!data) throw new EdgeNetError('STORAGE', `${id} is not in the ${this.kind} store`);
    /** @type {number[]} */ let bad = [];
    try {
      const journal = await this.#journal(entry, artifact);
      try {
        bad = await badChunks(data, journal, { chunks: artifact?.chunks, size: entry.size, signal, onProgress });
        await journal.take(bad);
        await journal.flush();
        if (bad.length) await this.#volume.remove(recordOf(id)); // not whole any more: begin() goes on with the rest
        return { chunks: Math.ceil(entry.size / journal.chunkSize), bad };
      } finally { await journal.close(); }
    } finally { await data.close(); }
  }
  /** The journal of a stored file; of one that earlier releases stored, a new one. @param {Entry} entry @param {Artifact} [artifact] */
  async #journal(entry, artifact) {
    const name = journalOf(entry.file);
    const file = await this.#volume.openFile(name, false);
    const journal = file && await JournalFile.open(file);
    if (journal) return journal;
    await file?.close();
    const fresh = await this.#volume.openFile(name, true);
    if (!fresh) throw new EdgeNetError('STORAGE', `${this.kind}: ${name} cannot be made`);
    return JournalFile.create(fresh, { schema: SCHEMA, id: entry.id, name: entry.name, model: entry.models[0] ?? null, size: entry.size, version: entry.version, chunkSize: artifact?.chunkSize ?? CHUNK_BYTES });
  }

  /** @param {string} id @param {{pinned?: boolean, priority?: number, model?: string}} what */
  async mark(id, { pinned, priority, model }) {
    const entry = await this.find(id);
    if (entry) await this.#record({ ...entry, pinned: pinned ?? entry.pinned, priority: priority ?? entry.priority, models: [...new Set([...entry.models, ...model === undefined ? [] : [model]])] });
    return entry !== null;
  }
  /** @param {string} id @param {string} [model] */
  async remove(id, model) {
    const entry = await this.find(id);
    const models = entry?.models.filter((m) => m !== model) ?? [];
    if (entry && model !== undefined && models.length) {
      await this.#record({ ...entry, models });
      return true;
    }
    const base = fileName(id);
    const names = (await this.#volume.names()).filter((n) => n === recordOf(id) || n.startsWith(`${base}.`) && /\.(data|journal)$/.test(n) || n.startsWith(`${base}~`));
    for (const name of names.sort((a) => (a.endsWith('.json') ? -1 : 1))) await this.#volume.remove(name); // the record first: never one without its data
    if (entry && !names.includes(entry.file)) await this.#volume.remove(entry.file);
    return entry !== null || names.length > 0;
  }
  async clear() {
    const names = (await this.#volume.names()).filter((n) => /\.(json|data|journal|new)$|~/.test(n));
    for (const name of names.sort((a) => (a.endsWith('.json') ? -1 : 1))) await this.#volume.remove(name);
  }
  async usage() {
    /** @type {Record<string, number>} */ const models = {};
    let bytes = 0, partial = 0;
    const entries = await this.list();
    for (const { size, models: [model], name } of entries) {
      bytes += size;
      models[model ?? name] = (models[model ?? name] ?? 0) + size;
    }
    const whole = new Set(entries.map((e) => e.file));
    for (const name of await this.#volume.names()) if (name.endsWith('.data') && !whole.has(name)) partial += await this.#volume.sizeOf(name) || 0;
    return { bytes, partial, models, free: await this.#volume.free() };
  }
  close() { this.#volume.close(); }
}

/** @param {string} file */
function journalOf(file) { return `${file.replace(/\.data$/, '')}.journal`; }

/** @param {import('./volume.js').VolumeFile | null} file null: it is empty @param {Entry} entry @param {Promise<void>} noted @returns {Reader} */
function storedReader(file, { size, version }, noted) {
  const readInto = file?.readInto;
  return {
    size, version, ranges: true,
    ...(readInto && { readInto }),
    async *read(offset, length, signal) {
      const end = Math.min(size, offset + length);
      const next = (/** @type {number} */ at) => (file && at < end ? file.read(at, Math.min(READ_BYTES - at % READ_BYTES, end - at)) : null);
      for (let at = offset, coming = next(at); coming;) {
        const bytes = await coming;
        throwIfAborted(signal);
        if (!bytes.length) throw new EdgeNetError('STORAGE', `a part of the stored model is gone, at byte ${at} of ${size}`);
        at += bytes.length;
        coming = next(at); // read ahead while the caller works on this piece
        coming?.catch(() => {}); // told when its turn comes
        yield bytes;
      }
    },
    async close() { await file?.close(); await noted; },
  };
}

/**
 * Chunks whose bytes do not have the hash that `chunks` or else the journal says; what has no hash yet gets one.
 * @param {import('./volume.js').VolumeFile} data @param {JournalFile} journal
 * @param {{chunks?: Uint8Array, size: number, signal?: AbortSignal, onProgress?: (done: number, total: number) => void}} options
 */
async function badChunks(data, journal, { chunks, size, signal, onProgress }) {
  const count = Math.ceil(size / journal.chunkSize);
  /** @type {number[]} */ const bad = [];
  for (let i = 0; i < count; i++) {
    throwIfAborted(signal);
    const bytes = await data.read(i * journal.chunkSize, Math.min(journal.chunkSize, size - i * journal.chunkSize));
    const hash = await sha256(bytes);
    const wanted = chunks?.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES) ?? journal.hash(i);
    if (!wanted) await journal.add([{ index: i, hash }]);
    else if (!sameBytes(hash, wanted)) bad.push(i);
    onProgress?.(i + 1, count);
  }
  return bad;
}
/** What a killed download left is believed only after a look at the bytes. @param {import('./volume.js').VolumeFile} data @param {JournalFile} journal @param {Uint8Array} [chunks] */
async function dropBad(data, journal, chunks) {
  const { size, chunkSize } = journal;
  /** @type {number[]} */ const bad = [];
  for (const i of journal.indices) {
    const length = Math.min(chunkSize, (size ?? Infinity) - i * chunkSize);
    const bytes = length > 0 ? await data.read(i * chunkSize, length) : new Uint8Array(0);
    const wanted = chunks?.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES) ?? journal.hash(i);
    if (length <= 0 || bytes.length !== length || !wanted || !sameBytes(await sha256(bytes), wanted)) bad.push(i);
  }
  await journal.take(bad);
}

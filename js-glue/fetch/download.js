// @ts-check
// An artifact into a store: alone across tabs and processes, going on where the last one was stopped.
import { EdgeNetError, asError } from '../errors.js';
import { CHUNK_BYTES } from '../manifest/chunks.js';
import { toHex } from '../manifest/encoding.js';
import { sha256 } from '../manifest/hash.js';
import { PATIENCE, SPAN_BYTES } from '../sources.js';
import { makeRoom } from '../stores/store.js';
import { Member, Pool } from './pool.js';
import { Meter } from './progress.js';
import { KeepingSink } from './sinks.js';
import { Transfer } from './transfer.js';

/**
 * @typedef {import('./types.js').Artifact} Artifact @typedef {import('./types.js').DownloadOptions} DownloadOptions @typedef {import('./types.js').Store} Store
 * @typedef {import('./types.js').Entry} Entry @typedef {import('./types.js').Part} Part
 */

/** See Patience. */
const RAMP_MS = 250;
/** Errors after which what is there is of no use. */
const USELESS = Object.freeze(['FORMAT', 'UNSUPPORTED']);

/** Fetch an artifact into the store. Rejects when it cannot be kept. @param {Artifact} artifact @param {DownloadOptions & {store: Store}} options @returns {Promise<Entry>} */
export async function download(artifact, options) {
  return await storedEntry(artifact, options.store) ?? alone(artifact, options, options.store, async (job) => {
    const { transfer } = job;
    if (artifact.sha256 && !artifact.chunks) for await (const _ of transfer.read(options.signal)); // the whole file's hash needs the bytes in order
    await transfer.finished;
    const entry = await job.end();
    job.meter.show('ready', entry.size, entry.size, { always: true });
    return entry;
  }, (entry) => entry);
}

/** The stored file, if it is the one that is wanted. @param {Artifact} artifact @param {Store} store @param {Entry | null} [known] what find() gave a moment ago */
export async function storedEntry(artifact, store, known) {
  const entry = known ?? await store.find(artifact.id);
  const version = await knownVersion(artifact);
  if (!entry || version !== null && entry.version !== version || (artifact.size ?? entry.size) !== entry.size) return null;
  const { model } = artifact;
  if (model === undefined || entry.models.includes(model)) return entry;
  await store.mark(entry.id, { model }).catch(() => {}); // of equal bytes
  return { ...entry, models: [...entry.models, model] };
}

/**
 * Under the artifact's lock: what another tab stored meanwhile, else a download. @template T @param {Artifact} artifact @param {DownloadOptions} options @param {Store} store
 * @param {(job: Job) => Promise<T>} work @param {(entry: Entry) => T | Promise<T>} found @param {{tolerant?: boolean}} [how] see Job.open @returns {Promise<T>}
 */
export function alone(artifact, options, store, work, found, how = {}) {
  const { signal, onProgress } = options;
  /** @param {Partial<import('./progress.js').Progress> | null} news */
  const waiting = (news) => { if (news) onProgress?.({ phase: 'download', loaded: 0, total: null, rate: 0, eta: null, ...news, source: 'another tab' }); };
  return store.lock(artifact.id, async (tell) => {
    const entry = await storedEntry(artifact, store);
    if (entry) return found(entry);
    const job = await Job.open(artifact, options, store, (p) => { onProgress?.(p); tell(p); }, how);
    try { return await work(job); } catch (e) { throw await job.fail(e); }
  }, { signal, waiting });
}

/** A running download and where it goes. */
export class Job {
  #artifact;
  #part;
  #over = false;
  /** @readonly */ transfer;
  /** @readonly */ meter;
  /** @readonly */ sink;
  /** @readonly */ version;

  /** @param {Artifact} artifact @param {string | null} version @param {Part | null} part @param {KeepingSink} sink @param {Transfer} transfer @param {Meter} meter */
  constructor(artifact, version, part, sink, transfer, meter) {
    this.version = version;
    this.#artifact = artifact;
    this.#part = part;
    this.sink = sink;
    this.transfer = transfer;
    this.meter = meter;
  }

  /**
   * @param {Artifact} artifact @param {DownloadOptions} options @param {Store | null} store null: the bytes only pass through
   * @param {(p: import('./progress.js').Progress) => void} report @param {{from?: number, tolerant?: boolean, version?: string | null}} [how] from: first byte that is wanted; tolerant: go on without a store that fails; version: that it must still be
   */
  static async open(artifact, { sources, patience = PATIENCE, signal, gate, maxBytes, policy }, store, report, { from = 0, tolerant = false, version: wanted } = {}) {
    await gate?.wait(signal);
    const members = sources.map((source, order) => new Member(source, order));
    const known = await knownVersion(artifact);
    const begunAt = from || await store?.missingFrom(artifact.id).catch(() => 0) || 0; // without hashes the first request is for what is missing, too
    const lead = known === null || artifact.size === undefined ? await openFirst(artifact, members, patience, signal, begunAt) : null;
    const version = known ?? lead?.reader.version ?? null;
    if (wanted !== undefined && version !== wanted) throw new EdgeNetError('NETWORK', `${artifact.name}: the file has changed on the server since the download began`, { detail: { final: true, changed: true } });
    const size = artifact.size ?? lead?.reader.size ?? null;
    const chunkSize = artifact.chunkSize ?? CHUNK_BYTES;
    /** @type {Part | null} */ let part = null;
    let why = '';
    try {
      part = store && await store.begin(artifact, { size, version, chunkSize, places: sources.map((s) => s.id) });
      if (store && part) await makeRoom(store, Math.max(0, (size ?? 0) - part.journal.count * chunkSize), { maxBytes, policy, keep: artifact.id });
    } catch (e) {
      await part?.keep().catch(() => {});
      part = null;
      const error = asError(e, 'STORAGE');
      if (!tolerant || error.code !== 'STORAGE') { lead?.reader.close(); throw error; }
      why = error.message;
    }
    const parallel = part && (lead ? lead.reader.ranges : true) ? patience.parallel : 1;
    const sink = new KeepingSink(part, { chunkSize, from, tolerant: tolerant && parallel === 1, why });
    const pool = new Pool(known === null && lead ? [lead.member] : members, patience); // without hashes nothing says that two sources have the same file
    const meter = new Meter(report);
    const transfer = new Transfer({ artifact, size, chunkSize, sink, pool, parallel, ramp: patience.ramp ?? RAMP_MS, retries: patience.retries, begun: { at: begunAt, bytes: lead ? SPAN_BYTES : 0 }, signal, gate, onArrival: (loaded, source) => meter.show('download', loaded, size, { source }) });
    return new Job(artifact, version, part, sink, transfer, meter);
  }

  /** Can what is left be fetched alone, and be sure to be of the same file? A hash of the whole file needs the whole file. */
  get canGoOn() { return this.version !== null && !(this.#artifact.sha256 && !this.#artifact.chunks); }

  /** Every byte is there: make it count. @returns {Promise<Entry>} */
  async end() {
    this.#over = true;
    if (!this.#part || this.sink.why) {
      await this.#part?.discard().catch(() => {});
      throw new EdgeNetError('STORAGE', this.sink.why || 'there is no store');
    }
    return this.#part.commit(/** @type {number} */ (this.transfer.size));
  }
  /** Stop, and keep what the next download can go on from. @param {unknown} e @returns {Promise<EdgeNetError>} */
  async fail(e) {
    const error = asError(e);
    this.transfer.cancel();
    await this.transfer.finished.catch(() => {});
    if (this.#over) return error;
    this.#over = true;
    const { changed } = /** @type {import('./types.js').Broken} */ (error.detail ?? {});
    const wholeHash = error.code === 'INTEGRITY' && !this.#artifact.chunks;
    await (changed || wholeHash || USELESS.includes(error.code) || this.sink.why ? this.#part?.discard() : this.#part?.keep())?.catch(() => {});
    return error;
  }
}

/** What names the bytes, whatever source they come from; null: only a source can tell. @param {Artifact} artifact @returns {Promise<string | null>} */
async function knownVersion({ chunks, sha256: whole }) {
  if (chunks) return `chunks:${toHex(await sha256(chunks))}`;
  return whole === undefined ? null : `sha256:${whole}`;
}

/** The first source that answers. @param {Artifact} artifact @param {Member[]} members @param {import('./types.js').Patience} patience @param {AbortSignal} [signal] @param {number} [from] */
async function openFirst(artifact, members, patience, signal, from) {
  const pool = new Pool(members, patience);
  const never = new AbortController();
  for (;;) {
    const member = /** @type {Member} */ (await pool.pick(signal ?? never.signal));
    const { epoch } = member;
    try { return { member, reader: await member.open(artifact, signal ?? never.signal, from) }; } catch (e) {
      if (asError(e).code === 'ABORTED') throw e;
      pool.failed(member, e, epoch);
    } finally { pool.done(member); }
  }
}

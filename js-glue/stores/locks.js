// @ts-check
// One at a time under a name. Browsers: Web Locks, which are let go when a tab dies, and a BroadcastChannel on which the holder tells the
// others how far it is. Node: a lock file with the holder's process, which is asked whether it lives.
import { abortError, asError, throwIfAborted } from '../errors.js';
import { nodeModule, pause } from '../platform.js';

/** @typedef {import('./volume.js').Waiting} Waiting */
const POLL_MS = 150;

/**
 * Without Web Locks (pages by plain http) work begins at once: the data's name holds its version, so two tabs write equal bytes.
 * @template T @param {string} name @param {(tell: (news: unknown) => void) => Promise<T>} work @param {Waiting} options @returns {Promise<T>}
 */
export async function webLock(name, work, { signal, waiting }) {
  throwIfAborted(signal);
  const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(name);
  let mine = false;
  if (channel) channel.onmessage = ({ data }) => { if (!mine) waiting?.(data); };
  const alone = () => { mine = true; return work((news) => channel?.postMessage(news)); };
  try {
    const locks = globalThis.navigator?.locks;
    return locks ? await locks.request(name, signal ? { signal } : {}, alone) : await alone();
  } catch (e) {
    throw signal?.aborted && !mine ? abortError(signal) : e;
  } finally { channel?.close(); }
}

/** Locks of one process, in the order of asking. */
export class Queue {
  /** @type {Map<string, Promise<unknown>>} */ #last = new Map();
  /** @template T @param {string} name @param {(tell: (news: unknown) => void) => Promise<T>} work @param {Waiting} options @returns {Promise<T>} */
  async lock(name, work, { signal }) {
    const before = this.#last.get(name) ?? Promise.resolve();
    /** @type {() => void} */ let done = () => {};
    const mine = new Promise((resolve) => { done = () => resolve(undefined); });
    const turn = before.then(() => mine);
    this.#last.set(name, turn);
    try {
      await Promise.race([before, rejectOn(signal)]);
      return await work(() => {});
    } finally {
      done();
      void turn.then(() => { if (this.#last.get(name) === turn) this.#last.delete(name); }); // those before may still be at work
    }
  }
}
/** @param {AbortSignal | undefined} signal @returns {Promise<never>} */
function rejectOn(signal) {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(abortError(signal));
    signal?.addEventListener('abort', () => reject(abortError(signal)), { once: true });
  });
}

/**
 * @template T @param {string} file of the lock @param {(tell: (news: unknown) => void) => Promise<T>} work @param {Waiting} options @returns {Promise<T>}
 */
export async function fileLock(file, work, { signal, waiting, peek }) {
  const fs = await nodeModule('node:fs/promises');
  const own = await identity();
  const draft = `${file}.${own.token}`;
  try {
    await fs.writeFile(draft, JSON.stringify(own), { flag: 'wx' });
    for (let first = true; !await linked(draft, file); first = false) {
      throwIfAborted(signal);
      if (!await alive(file)) { await clearStale(file, own.token); continue; }
      if (!first && waiting && peek) waiting(await peek());
      await pause(POLL_MS * (0.5 + Math.random()), signal);
    }
  } catch (e) { throw asError(e, 'STORAGE'); } finally { await fs.rm(draft, { force: true }).catch(() => {}); }
  try { return await work(() => {}); } finally { await release(file, own.token); }
}
/** A link appears whole or not at all, and never in another's place. @param {string} from @param {string} to */
async function linked(from, to) {
  const fs = await nodeModule('node:fs/promises');
  return fs.link(from, to).then(() => true, (e) => { if (e.code === 'EEXIST') return false; throw e; });
}
async function identity() {
  const token = `${process.pid}-${Math.floor(Math.random() * 2 ** 48).toString(36)}`;
  return { pid: process.pid, begun: await begunAt(process.pid), token };
}
/** When a process began, so that another one with its number is not taken for it. @param {number} pid @returns {Promise<string | null>} null: unknown */
async function begunAt(pid) {
  const fs = await nodeModule('node:fs/promises');
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null; // field 22: start time in ticks
}
/** @param {string} file @returns {Promise<boolean>} does its holder live? */
async function alive(file) {
  const fs = await nodeModule('node:fs/promises');
  try {
    const { pid, begun } = JSON.parse(await fs.readFile(file, 'utf8'));
    process.kill(pid, 0);
    return begun === await begunAt(pid);
  } catch (e) { return /** @type {any} */ (e).code === 'EPERM'; } // it lives, and belongs to somebody else
}
/** Rename first: of several that find a dead holder's lock, one gets it. @param {string} file @param {string} token */
async function clearStale(file, token) {
  const fs = await nodeModule('node:fs/promises');
  const away = `${file}.${token}.stale`;
  if (!await fs.rename(file, away).then(() => true, () => false)) return;
  if (await alive(away)) await linked(away, file); // it was a new holder's after all
  await fs.rm(away, { force: true });
}
/** @param {string} file @param {string} token */
async function release(file, token) {
  const fs = await nodeModule('node:fs/promises');
  const held = await fs.readFile(file, 'utf8').catch(() => '');
  if (held.includes(token)) await fs.rm(file, { force: true }).catch(() => {});
}

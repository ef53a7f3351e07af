// @ts-check
/**
 * Random interleavings of kill, abort and network fault, from a seed. A round downloads one file in several attempts: each is killed (SIGKILL to its
 * process), aborted, or left to a faulty network, at a random point; in between, what a power failure does to files may be done to them; the last
 * attempt is left alone. Then the stored bytes must be the file's, and on the way
 * - no attempt may ask for a chunk that the journal of the one before has, and the data confirm;
 * - an abort or an error may lose no chunk that was written, a kill only those that were written and not yet recorded.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesystemVolume } from '../../js-glue/stores/filesystem.js';
import { JournalFile } from '../../js-glue/stores/journal.js';
import { openStore } from '../../js-glue/stores/store.js';
import { FAULT_NAMES, openFaultServer, randomPlan } from './fault-server.mjs';
import { random } from './random.mjs';

/** @typedef {import('./fault-server.mjs').FaultName} FaultName @typedef {import('./random.mjs').Random} Random @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {{rounds: number, kills: number, aborts: number, faults: number, scars: number, attempts: number, lost: number, mostLost: number, again: number, drafts: number}} Totals */

/** Without hashes of the publisher, a fault that looks like a good answer is one: nobody can tell. */
const CONVINCING = /** @type {readonly FaultName[]} */ (['flip', 'lyingRange', 'wrongLength', 'changed', 'portal', 'gzip']);
const HONEST = FAULT_NAMES.filter((f) => !CONVINCING.includes(f));
/** Chunks that may be between their write and their record when a kill comes: as many as the engine works on at once. */
const IN_FLIGHT = 8;

/** Processes that wait for work, so that starting one costs no round its time. */
class Spares {
  /** @type {ChildProcess[]} */ #free = [];
  /** @type {Set<ChildProcess>} */ #all = new Set();
  #count;
  #closed = false;
  /** @param {number} count */
  constructor(count) { this.#count = count; this.#fill(); }
  #fill() {
    while (!this.#closed && this.#free.length < this.#count) {
      const child = fork(fileURLToPath(new URL('./kill-worker.mjs', import.meta.url)), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
      this.#all.add(child);
      child.once('exit', () => this.#all.delete(child));
      this.#free.push(child);
    }
  }
  take() {
    const child = /** @type {ChildProcess} */ (this.#free.shift() ?? null);
    this.#fill();
    return child;
  }
  /** @param {ChildProcess} child that is alive and idle */
  give(child) { if (this.#free.length < 2 * this.#count) this.#free.push(child); else child.kill('SIGKILL'); }
  async close() {
    this.#closed = true;
    await Promise.all([...this.#all].map((child) => { child.kill('SIGKILL'); return once(child, 'exit'); }));
  }
}

/** What the disk has after an attempt. @param {string} root @param {Uint8Array} file @param {number} chunkSize @returns {Promise<{whole: boolean, good: Set<number>}>} good: recorded, and the data agree */
async function onDisk(root, file, chunkSize) {
  const names = readdirSync(root);
  const whole = names.some((n) => n.endsWith('.json'));
  const volume = await filesystemVolume(root);
  const good = new Set();
  for (const name of names.filter((n) => n.endsWith('.journal'))) {
    const opened = await volume.openShared(name);
    const journal = opened && await JournalFile.open(opened);
    await opened?.close();
    const data = readFileSync(path.join(root, name.replace(/journal$/, 'data')));
    for (const i of journal?.indices ?? []) if (data.subarray(i * chunkSize, (i + 1) * chunkSize).equals(file.subarray(i * chunkSize, (i + 1) * chunkSize))) good.add(i);
  }
  return { whole, good };
}

/** What a power failure does: a journal without its end, data that never reached the disk. @param {Random} rng @param {string} root @returns {boolean} was there something to damage? */
function scar(rng, root) {
  const names = readdirSync(root).filter((n) => n.endsWith(rng.chance(0.5) ? '.journal' : '.data'));
  if (!names.length) return false;
  const file = path.join(root, rng.pick(names)), bytes = readFileSync(file);
  if (!bytes.length) return false;
  if (file.endsWith('.journal')) truncateSync(file, Math.max(0, bytes.length - 1 - rng.int(80)));
  else {
    bytes.fill(0, rng.int(bytes.length));
    writeFileSync(file, bytes);
  }
  return true;
}

/** One attempt. @param {ChildProcess} child @param {import('./kill-worker.mjs').Task} task @param {{how: 'kill' | 'abort' | 'run', after: number, late: number}} end after: chunks written; late: ms more
 * @returns {Promise<{wrote: number[], outcome: string, message: string}>} outcome: done, killed, or the code of an error */
async function attempt(child, task, { how, after, late }) {
  /** @type {number[]} */ const wrote = [];
  return new Promise((resolve) => {
    let ended = false;
    const settle = (/** @type {string} */ outcome, message = '') => {
      ended = true;
      child.off('message', listen);
      child.off('exit', died);
      resolve({ wrote, outcome, message });
    };
    const died = () => settle('killed');
    const act = () => {
      if (ended || how === 'run' || wrote.length < after) return;
      ended = true;
      const now = () => { if (how === 'kill') child.kill('SIGKILL'); else if (child.connected) child.send('abort'); };
      if (late) setTimeout(now, late); else now();
    };
    const listen = (/** @type {any} */ message) => {
      if ('wrote' in message) wrote.push(message.wrote);
      else if (ended && how === 'kill') return; // the kill is on its way
      else if ('done' in message) settle('done');
      else if ('failed' in message) settle(message.failed, message.message);
      act();
    };
    child.on('message', listen);
    child.once('exit', died);
    child.send(task);
  });
}

/** @param {boolean} condition @param {string} what @param {unknown} [detail] */
function must(condition, what, detail) { if (!condition) throw new Error(`${what}${detail === undefined ? '' : `: ${JSON.stringify(detail)}`}`); }

/** @param {number} number @param {Random} rng @param {{server: import('./fault-server.mjs').FaultServer, files: Record<string, Uint8Array>, plans: Map<string, (asked: any) => FaultName | null>, spares: Spares, folder: string, totals: Totals}} world */
async function round(number, rng, { server, files, plans, spares, folder, totals }) {
  const chunkSize = rng.pick([1024, 4096, 16384]), count = 1 + rng.int(24);
  const file = rng.bytes(Math.max(1, count * chunkSize - rng.int(chunkSize)));
  const hashed = rng.chance(0.75);
  const paths = Array.from({ length: hashed ? 1 + rng.int(3) : 1 }, (_, i) => `/${number}/${i}`);
  const root = path.join(folder, String(number));
  const chunks = Buffer.concat(Array.from({ length: Math.ceil(file.length / chunkSize) }, (_, i) => createHash('sha256').update(file.subarray(i * chunkSize, (i + 1) * chunkSize)).digest()));
  /** @type {import('./kill-worker.mjs').Task} */
  const task = {
    artifact: { id: `test:${number}`, name: `file ${number}`, chunkSize, ...(hashed ? { size: file.length, chunks: new Uint8Array(chunks) } : {}) },
    urls: paths.map((p) => server.at(p)), root, patience: { retries: 2, timeout: 250, parallel: 1 + rng.int(4), backOff: 20 },
  };
  for (const p of paths) files[p] = file;
  const attempts = rng.int(5);
  let had = /** @type {{whole: boolean, good: Set<number>}} */ ({ whole: false, good: new Set() });
  for (let n = 0; ; n++) {
    const last = n >= attempts;
    const how = last ? 'run' : rng.pick(/** @type {const} */ (['kill', 'kill', 'abort', 'run']));
    const plan = randomPlan(rng.fork(), last ? 0 : rng.pick([0, 0.2, 0.5]), hashed ? FAULT_NAMES : HONEST);
    const slow = rng.chance(0.8);
    for (const p of paths) plans.set(p, (asked) => { const fault = plan(asked); if (fault) totals.faults++; return fault ?? (slow ? 'drip' : null); });
    await (await fetch(server.at('/caught-up'))).arrayBuffer(); // what a killed process had asked may still wait in its sockets: the server reads that before it answers this
    const from = server.log.length;
    const child = spares.take();
    const { wrote, outcome, message } = await attempt(child, last ? { ...task, patience: { ...task.patience, timeout: 20_000 } } : task, { how, after: rng.int(count + 1), late: rng.chance(0.7) ? 0 : rng.int(6) });
    totals.attempts++;
    if (outcome === 'killed') { totals.kills++; if (child.exitCode === null && child.signalCode === null) await once(child, 'exit'); } else spares.give(child);
    if (outcome === 'ABORTED') totals.aborts++;
    must(['done', 'killed', 'ABORTED', 'NETWORK', 'INTEGRITY'].includes(outcome), 'an attempt ended in an unexpected way', [outcome, message]);
    must(!last || outcome === 'done', 'the attempt that was left alone failed', [outcome, message]);

    const asked = server.log.slice(from).filter((a) => paths.includes(a.path));
    must(!had.whole || asked.length === 0, 'a file that was whole was asked for again', asked.map((a) => a.range));
    for (const a of asked) {
      const again = a.range && [...had.good].find((i) => i * chunkSize >= a.range.start && i * chunkSize < a.range.end);
      must(again == null || !hashed || a.range.start === 0, 'a chunk that was there was asked for again', [again, a.range]);
      if (again != null) totals.again++;
    }
    const has = await onDisk(root, file, chunkSize).catch((e) => { if (e.code === 'ENOENT') return { whole: false, good: new Set() }; throw e; });
    const lost = new Set(wrote.filter((i) => !has.good.has(i)));
    must(outcome === 'killed' || !hashed || lost.size === 0, 'chunks were lost without a kill', [outcome, [...lost]]);
    must(outcome !== 'killed' || lost.size <= IN_FLIGHT, 'a kill lost more than was in flight', [...lost]);
    totals.lost += lost.size;
    totals.mostLost = Math.max(totals.mostLost, lost.size);
    if (last) break;
    had = has;
    if (!has.whole && rng.chance(0.25) && scar(rng, root)) {
      totals.scars++;
      had = await onDisk(root, file, chunkSize);
    }
  }
  const store = await openStore({ kind: 'filesystem', root });
  const reader = await store.open(task.artifact.id);
  const parts = [];
  for await (const part of /** @type {NonNullable<typeof reader>} */ (reader).read(0, Infinity)) parts.push(part.slice());
  reader?.close();
  must(Buffer.concat(parts).equals(file), 'the stored bytes are not the file');
  const { bad } = await store.verify(task.artifact.id);
  must(bad.length === 0, 'the journal does not fit the bytes', bad);
  must((await store.usage()).partial === 0, 'something unfinished was left');
  store.close();
  const others = readdirSync(root).filter((n) => !/\.(json|data|journal|lock)$/.test(n)); // the lock of a dead process goes with the next lock
  must(others.every((n) => /\.new$|\.lock\.[^.]+$/.test(n)), 'something else was left', others);
  totals.drafts += others.length;
  rmSync(root, { recursive: true });
  for (const p of paths) { delete files[p]; plans.delete(p); }
}

/**
 * @param {{rounds: number, seed: number, atOnce?: number}} options @returns {Promise<Totals>} throws at the first round that fails, naming it
 */
export async function runSchedule({ rounds, seed, atOnce = 8 }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'edge-net-kill-'));
  /** @type {Record<string, Uint8Array>} */ const files = {};
  /** @type {Map<string, (asked: any) => FaultName | null>} */ const plans = new Map();
  /** @type {Totals} */ const totals = { rounds: 0, kills: 0, aborts: 0, faults: 0, scars: 0, attempts: 0, lost: 0, mostLost: 0, again: 0, drafts: 0 };
  const server = await openFaultServer({ files, seed, plan: (asked) => plans.get(asked.path)?.(asked) ?? null });
  const spares = new Spares(atOnce);
  let next = 0;
  try {
    const ended = await Promise.allSettled(Array.from({ length: atOnce }, async () => {
      while (next < rounds) {
        const number = next++;
        // a round depends on nothing but the seed and its number, so that it can be repeated alone
        await round(number, random((seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0), { server, files, plans, spares, folder, totals })
          .catch((e) => { next = rounds; throw new Error(`seed ${seed}, round ${number}: ${e.message}`, { cause: e }); });
        totals.rounds++;
      }
    }));
    for (const { reason } of /** @type {PromiseRejectedResult[]} */ (ended)) if (reason) throw reason;
  } finally {
    await spares.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return totals;
}

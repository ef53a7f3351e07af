// @ts-check
// Workers of the browser and of Node behind one small interface. Each URL is written in the form that bundlers look for.
import { EdgeNetError } from './errors.js';
import { isNode, nodeModule } from './platform.js';

/** @typedef {import('./protocol.js').Port} Port @typedef {import('./wasm-instance.js').Lane} Lane */
/** What a worker factory may return: a browser's Worker or one of node:worker_threads. @typedef {Worker | import('node:worker_threads').Worker} AnyWorker */

/** The program's own command line is not for our workers: --input-type, for one, would stop them. */
const NODE_WORKER = Object.freeze({ execArgv: [] });

/** @param {AnyWorker} worker @returns {Port} */
export function workerPort(worker) { return 'on' in worker ? nodePort(worker) : browserPort(worker); }

/** @param {Worker} w @returns {Port} */
function browserPort(w) {
  return {
    postMessage: (m, transfer) => w.postMessage(m, [...(transfer ?? [])]),
    hold() {},
    close: () => w.terminate(),
    listen(onMessage, onDead) {
      w.addEventListener('message', (e) => onMessage(e.data));
      w.addEventListener('messageerror', () => onDead('a message of the worker could not be read'));
      w.addEventListener('error', (e) => {
        e.preventDefault();
        onDead(e.message ? `the worker crashed: ${e.message}` : 'the worker did not start: its script could not be loaded');
        w.terminate();
      });
    },
  };
}
/** @param {import('node:worker_threads').Worker} w @returns {Port} */
function nodePort(w) {
  return {
    postMessage: (m, transfer) => w.postMessage(m, /** @type {any} */ (transfer)),
    hold: (on) => (on ? w.ref() : w.unref()),
    close: () => { void w.terminate(); },
    listen(onMessage, onDead) {
      w.on('message', onMessage);
      w.on('error', (e) => onDead(`the worker crashed: ${e.message}`));
      w.on('exit', (code) => onDead(`the worker ended (exit code ${code})`));
    },
  };
}

/** The worker in which the engine lives. @param {(() => AnyWorker) | undefined} factory @returns {Promise<Port>} */
export async function openWorker(factory) {
  if (factory) {
    const worker = factory();
    if (typeof worker?.postMessage !== 'function') throw new EdgeNetError('ARG', 'worker: the factory must return a Worker', { detail: { option: 'worker' } });
    return workerPort(worker);
  }
  if (!isNode()) return workerPort(new Worker(new URL('../worker/entry.js', import.meta.url), { type: 'module' }));
  const { Worker: NodeWorker } = await nodeModule('node:worker_threads');
  return workerPort(new NodeWorker(new URL('../worker/entry.js', import.meta.url), NODE_WORKER));
}

/** This thread's own end, inside a worker. In browsers it is there at once: a listener that comes after an await misses messages. @returns {Port | Promise<Port>} */
export function ownPort() {
  if (isNode()) return ownNodePort();
  return {
    postMessage: (m, transfer) => /** @type {any} */ (globalThis).postMessage(m, transfer ?? []), hold() {},
    close: () => globalThis.close(), listen: (onMessage) => globalThis.addEventListener('message', (e) => onMessage(e.data)),
  };
}
/** @returns {Promise<Port>} */
async function ownNodePort() {
  const { parentPort } = await nodeModule('node:worker_threads');
  if (!parentPort) throw new EdgeNetError('STATE', 'this file is the body of a worker: do not import it');
  return { postMessage: (m, transfer) => parentPort.postMessage(m, /** @type {any} */ (transfer)), hold() {}, close: () => parentPort.close(), listen: (f) => { parentPort.on('message', f); } };
}

/** A spawner of compute lanes. @param {string | null} url another place of worker/lane.js @returns {Promise<() => Lane>} */
export async function laneSpawner(url) {
  if (!isNode()) return () => laneOf(url ? new Worker(url, { type: 'module' }) : new Worker(new URL('../worker/lane.js', import.meta.url), { type: 'module' }));
  const { Worker: NodeWorker } = await nodeModule('node:worker_threads');
  return () => laneOf(new NodeWorker(url ? new URL(url) : new URL('../worker/lane.js', import.meta.url), NODE_WORKER));
}
/** @param {AnyWorker} worker @returns {Lane} */
function laneOf(worker) {
  const port = workerPort(worker);
  const ready = new Promise((/** @type {(v: void) => void} */ resolve, reject) => {
    port.listen(() => { port.hold(false); resolve(); }, (why) => reject(new EdgeNetError('CRASHED', why)));
  });
  ready.catch(() => {}); // startLanes looks at it later
  return { ready, start: (init) => port.postMessage(init), close: () => port.close() };
}

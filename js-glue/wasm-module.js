// @ts-check
// What an engine's binary wants before it runs: its imports, its memory, and the body of a compute lane's thread. All that a lane loads.
import { EdgeNetError } from './errors.js';

/** @typedef {{module: WebAssembly.Module, memory: WebAssembly.Memory, lane: number, stackTop: number, tls: number}} LaneInit */

/** Does the module want a shared memory, as the -mt builds do? @param {WebAssembly.Module} module */
export function isThreaded(module) {
  return WebAssembly.Module.imports(module).some((i) => i.kind === 'memory');
}

/** Stand-ins for the few WASI calls that a build may import. @param {() => WebAssembly.Memory} memory @param {WebAssembly.Module} module */
export function imports(memory, module) {
  /** @type {Record<string, Record<string, any>>} */
  const table = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    table[from] ??= {};
    if (kind === 'memory') table[from][name] = memory();
    else if (name === 'clock_time_get') {
      table[from][name] = (/** @type {number} */ _clock, /** @type {bigint} */ _precision, /** @type {number} */ at) => {
        new DataView(memory().buffer).setBigUint64(at, BigInt(Math.round(performance.now() * 1e6)), true);
        return 0;
      };
    } else table[from][name] = () => 52; // WASI ENOSYS: nothing else may be asked of us
  }
  return table;
}

/** The body of a compute lane's thread: blocks until the owner stops the pool. @param {LaneInit} init @param {() => void} ready */
export function runLane({ module, memory, lane, stackTop, tls }, ready) {
  const ex = /** @type {any} */ (new WebAssembly.Instance(module, imports(() => memory, module)).exports);
  ex.w_thread_enter(stackTop, tls);
  ready();
  ex.w_pool_worker(lane);
}

/** The largest shared memory that the engine lets us reserve; only what is used gets backed by real memory. @returns {WebAssembly.Memory} */
export function sharedMemory() {
  let last;
  for (const maximum of [65536, 32768, 16384]) {
    try { return new WebAssembly.Memory({ initial: 64, maximum, shared: true }); } catch (e) { last = e; }
  }
  throw new EdgeNetError('NOMEM', 'no shared memory could be reserved', { cause: last });
}

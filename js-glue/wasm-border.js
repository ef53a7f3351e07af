// @ts-check
// A running wasm module: its memory, its mailbox, and calls that fail with sentences. Growth of the memory kills every view silently, so a view is made for each access
// and never kept; what leaves the classes on top of this one are numbers, copies and strings.
import { EdgeNetError, errorOfStatus } from './errors.js';
import { isThreaded } from './wasm-module.js';

const EN_ABI = 1;

/** @typedef {{handle: number, block: number, bytes: number}} Opened memory that C allocated for one object; free(block) ends it */

export class WasmBorder {
  /** @type {any} */ #ex;
  #mail = 0;
  #dead = '';
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #encoder = new TextEncoder();
  /** @protected @type {WebAssembly.Memory} */ memory;
  /** Is the memory shared, so that lanes can work and other threads can stop us? @readonly @type {boolean} */ threaded;

  /** @param {WebAssembly.Module} module @param {any} ex @param {WebAssembly.Memory} memory */
  constructor(module, ex, memory) {
    this.threaded = isThreaded(module);
    this.#ex = ex;
    this.memory = memory;
    ex._initialize?.();
    if (ex.w_abi() !== EN_ABI) throw new EdgeNetError('UNSUPPORTED', `this wasm file has ABI ${ex.w_abi()}, the JavaScript beside it needs ${EN_ABI}: use files of one release`);
    this.#mail = ex.w_mail();
  }

  /** Bytes that the instance has; it never shrinks, only dropping the instance gives them back. */
  get memoryBytes() { return this.memory?.buffer.byteLength ?? 0; }

  /** Where another thread may write a non-zero word to stop the running eval; undefined without shared memory. */
  get stop() { return this.threaded ? { buffer: /** @type {SharedArrayBuffer} */ (/** @type {unknown} */ (this.memory.buffer)), at: this.#ex.w_stop_word() } : undefined; }
  clearStop() { new Int32Array(this.memory.buffer, this.#ex.w_stop_word(), 1)[0] = 0; }

  // ---- calls ----
  /** Why no call is possible any more; '': they are. @protected */
  get dead() { return this.#dead; }
  /** Let go of the memory; every call says so from now on. @protected */
  drop() {
    this.#dead ||= 'the engine was closed';
    this.#ex = this.memory = /** @type {any} */ (null);
  }
  /** @protected Call an export. A trap leaves the instance in an unknown state: from then on every call says so. @param {string} name @param {...number} args */
  run(name, ...args) {
    if (this.#dead) throw new EdgeNetError('CRASHED', this.#dead);
    try { return this.#ex[name](...args); } catch (e) {
      this.#dead = `the engine crashed in ${name}: ${/** @type {Error} */ (e).message}`;
      throw new EdgeNetError('CRASHED', this.#dead, { cause: e });
    }
  }
  /** @protected Call an export that returns an en_status; throws unless it is EN_OK. @param {string} name @param {...number} args */
  must(name, ...args) {
    if (!this.#dead) new Uint8Array(this.memory.buffer)[this.#ex.w_why()] = 0; // not every failure has a sentence: an old one must not stand in
    const status = this.run(name, ...args);
    if (status !== 0) throw errorOfStatus(status, this.why());
  }
  /** @protected */
  why() { return this.cstring(this.#ex.w_why()); }
  /** @protected @param {number} n */
  mailbox(n) { return new Float64Array(this.memory.buffer, this.#mail, n); }
  /** @protected @returns {Opened} */
  opened() {
    const [handle, block, bytes] = this.mailbox(3);
    return { handle, block, bytes };
  }

  // ---- memory ----
  /** @param {number} bytes */
  alloc(bytes) {
    const at = bytes <= 0xffffffff ? this.run('w_alloc', bytes) >>> 0 : 0;
    if (!at) throw new EdgeNetError('NOMEM', `${bytes} bytes more do not fit into this engine's memory (${this.memoryBytes} in use, 4 GiB at most)`);
    return at;
  }
  /** @param {number} block */
  free(block) { if (block) this.run('w_free', block); }
  /** @param {number} at @param {Uint8Array} bytes */
  write(at, bytes) { new Uint8Array(this.memory.buffer, at, bytes.length).set(bytes); }
  /** Copy inside the memory. @param {number} to @param {number} from @param {number} n */
  move(to, from, n) { new Uint8Array(this.memory.buffer).copyWithin(to, from, from + n); }
  /** Lend a view to a function that fills it at once, such as a file read. It must not keep the view. @template T @param {number} at @param {number} n @param {(view: Uint8Array) => T} fill */
  lend(at, n, fill) { return fill(new Uint8Array(this.memory.buffer, at, n)); }
  /** @protected @param {number} at @param {number} n */
  text(at, n) { return n ? this.#decoder.decode(new Uint8Array(this.memory.buffer, at, n).slice()) : ''; }
  /** @protected @param {number} at */
  cstring(at) {
    const bytes = new Uint8Array(this.memory.buffer, at);
    return this.text(at, bytes.indexOf(0));
  }
  /** @protected Run with a text in memory. @template T @param {string} text @param {(at: number, bytes: number) => T} use */
  withText(text, use) {
    const bytes = this.#encoder.encode(text + '\0');
    const at = this.alloc(bytes.length);
    this.write(at, bytes);
    try { return use(at, bytes.length - 1); } finally { this.free(at); }
  }
  /** @protected @template T @param {ArrayLike<number>} ids @param {(at: number) => T} use */
  withIds(ids, use) {
    const at = this.alloc(4 * ids.length);
    new Int32Array(this.memory.buffer, at, ids.length).set(ids);
    try { return use(at); } finally { this.free(at); }
  }

  /** @protected @param {ArrayLike<number>} values what the next call reads from the mailbox */
  tell(values) { this.mailbox(values.length).set(values); }
  /** @protected Run with bytes in memory. @template T @param {Uint8Array} bytes @param {(at: number) => T} use */
  withBytes(bytes, use) {
    const at = this.alloc(bytes.length);
    this.write(at, bytes);
    try { return use(at); } finally { this.free(at); }
  }
  /** @protected @param {number} at @param {number} n */
  copy(at, n) { return new Uint8Array(this.memory.buffer, at, n).slice(); }
}

// @ts-check
// Calls across a thread border, typed by the table in protocol.d.ts. A call can send events before its result. A cancel is a message
// like any other: the promise settles when the worker has stopped, not before. A dead worker rejects everything, now and later.
import { EdgeNetError, abortError, fromWire, toWire } from './errors.js';

/**
 * @typedef {import('./protocol.js').Calls} Calls
 * @typedef {import('./protocol.js').Op} Op
 * @typedef {import('./protocol.js').Port} Port
 * @typedef {import('./protocol.js').Caller} Caller
 */

/** The caller's side: one object per worker. @implements {Caller} */
export class Client {
  #port;
  #nextId = 1;
  /** @type {Error | null} */ #dead = null;
  /** @type {Map<number, {resolve: (v: any) => void, reject: (e: Error) => void, onEvent?: (e: any) => void}>} */ #pending = new Map();

  /** @param {Port} port */
  constructor(port) {
    this.#port = port;
    port.listen((m) => this.#receive(m), (why) => this.#die(new EdgeNetError('CRASHED', why)));
    port.hold(false);
  }
  get pending() { return this.#pending.size; }

  /** @template {Op} K @param {K} op @param {Calls[K]['args']} args @param {import('./protocol.js').CallOptions<K>} [options] @returns {Promise<Calls[K]['result']>} */
  async call(op, args, { signal, onEvent, onAbort } = {}) {
    if (this.#dead) throw this.#dead;
    if (signal?.aborted) throw abortError(signal);
    const id = this.#nextId++;
    const cancel = () => { this.#port.postMessage({ id, op: 'cancel' }); onAbort?.(); };
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onEvent });
        this.#port.hold(true);
        this.#port.postMessage({ id, op, args });
        signal?.addEventListener('abort', cancel, { once: true });
      });
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#pending.delete(id);
      if (!this.#pending.size) this.#port.hold(false);
    }
  }
  /** @param {Error} reason */
  close(reason) {
    this.#port.close();
    this.#die(reason);
  }
  /** @param {import('./protocol.js').Reply} m */
  #receive(m) {
    const call = this.#pending.get(m.id);
    if (!call) return; // an event that was on its way when its call settled
    if ('event' in m) call.onEvent?.(m.event);
    else if (m.ok) call.resolve(m.result);
    else call.reject(fromWire(m.error));
  }
  /** @param {Error} reason */
  #die(reason) {
    this.#dead ??= reason;
    for (const call of this.#pending.values()) call.reject(this.#dead);
  }
}

/** The worker's side. @param {Port} port @param {import('./protocol.js').Handlers} handlers */
export function serve(port, handlers) {
  /** @type {Map<number, AbortController>} */ const running = new Map();
  port.listen(async (/** @type {import('./protocol.js').Request} */ m) => {
    if (m.op === 'cancel') { running.get(m.id)?.abort(); return; }
    const control = new AbortController();
    running.set(m.id, control);
    try {
      const handler = /** @type {((args: any, control: any) => Promise<any>) | undefined} */ (Object.hasOwn(handlers, m.op) ? handlers[m.op] : undefined);
      if (!handler) throw new EdgeNetError('UNSUPPORTED', `no such call: ${m.op}`);
      const result = await handler(m.args, { signal: control.signal, emit: (/** @type {unknown} */ event) => port.postMessage({ id: m.id, event }) });
      port.postMessage({ id: m.id, ok: true, result });
    } catch (e) {
      port.postMessage({ id: m.id, ok: false, error: toWire(e) });
    } finally { running.delete(m.id); }
  }, () => { for (const control of running.values()) control.abort(); });
}

/** The same calls without a border. @param {import('./protocol.js').Handlers} handlers @returns {import('./protocol.js').Caller} */
export function localCaller(handlers) {
  /** @type {Error | null} */ let closed = null;
  return {
    async call(op, args, { signal, onEvent } = {}) {
      if (closed) throw closed;
      if (signal?.aborted) throw abortError(signal);
      return handlers[op](args, { signal: signal ?? new AbortController().signal, emit: (event) => onEvent?.(event) });
    },
    close(reason) { closed ??= reason; },
  };
}

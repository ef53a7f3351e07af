// @ts-check
// The adapters of an engine: in its memory ("loaded"), and with a scale other than 0 at work on its sessions.
import { EdgeNetError } from './errors.js';
import { TARGETS } from './train-options.js';

/** en.h: en_session_attach */
export const MOST_AT_WORK = 8;

/**
 * @typedef {{form: 'gguf', file: Uint8Array} | {form: 'peft', tensors: Uint8Array, config: string}} AdapterData a file of llama.cpp, or PEFT's two
 * @typedef {import('./train-options.js').LoRATarget} LoRATarget
 * @typedef {object} AdapterInfo
 * @property {string} name
 * @property {number} scale 0: in memory, but not at work
 * @property {number} rank the highest of its matrices
 * @property {number} alpha its update is scaled by alpha / rank
 * @property {LoRATarget[]} targetModules
 * @property {number} layers that have an update
 * @property {number} parameters
 * @property {number} bytes in the engine's memory
 * @property {number} fileBytes of the file that it came from
 * @typedef {{handle: number, block: number, info: AdapterInfo}} Loaded
 */

export class Adapters {
  #w;
  #model;
  /** @type {number[]} */ #sessions = [];
  #layers;
  /** @type {Map<string, Loaded>} */ #loaded = new Map();

  /** @param {{w: import('./wasm-instance.js').WasmInstance, model: number, layers: number}} place */
  constructor({ w, model, layers }) {
    this.#w = w;
    this.#model = model;
    this.#layers = layers;
  }
  get list() { return [...this.#loaded.values()].map((a) => ({ ...a.info })); }
  get bytes() { return this.list.reduce((n, a) => n + a.bytes, 0); }

  /** @param {string} name @param {AdapterData} data @returns {AdapterInfo} it is not at work yet */
  load(name, data) {
    if (this.#loaded.has(name)) throw new EdgeNetError('STATE', `an adapter "${name}" is loaded already: unload it first, or give another name`, { detail: { option: 'name' } });
    const { handle, block, bytes } = openAdapter(this.#w, this.#model, data);
    const fileBytes = (data.form === 'gguf' ? data.file : data.tensors).length;
    const info = { name, scale: 0, bytes, fileBytes, ...describe(this.#w, handle, this.#layers) };
    this.#loaded.set(name, { handle, block, info });
    return { ...info };
  }
  /** From now on what is at work here is at work on this session too. @param {number} session */
  join(session) {
    this.lend(session);
    this.#sessions.push(session);
  }
  /** Put adapters to work on a session for a while; whoever does it ends that session before they are unloaded. @param {number} session @param {readonly (readonly [string, number])[]} [scales] default: those that are at work here */
  lend(session, scales = this.list.map((a) => [a.name, a.scale])) {
    for (const [name, scale] of scales) if (scale) this.#w.attach(session, this.#find(name).handle, scale);
  }
  /** @param {string} name */
  unload(name) {
    const a = this.#find(name);
    if (a.info.scale) for (const session of this.#sessions) this.#w.detach(session, a.handle);
    this.#w.free(a.block);
    this.#loaded.delete(name);
  }
  /** Into the model's weights, for ever and in this order; they are unloaded. @param {readonly (readonly [string, number])[]} scales */
  merge(scales) {
    for (const [name] of scales) this.#find(name);
    for (const [name, scale] of scales) {
      this.#w.mergeAdapter(this.#model, this.#find(name).handle, scale);
      this.unload(name);
      for (const other of this.#loaded.values()) this.#w.rebaseAdapter(other.handle);
    }
  }
  /** New scales; those that are not named stay. Nothing changes after an error. @param {readonly (readonly [string, number])[]} scales */
  scale(scales) {
    for (const [name] of scales) this.#find(name);
    const wanted = new Map([...this.#loaded].map(([name, a]) => [name, a.info.scale]));
    for (const [name, scale] of scales) wanted.set(name, scale);
    const atWork = [...wanted.values()].filter((s) => s !== 0).length;
    if (atWork > MOST_AT_WORK) throw new EdgeNetError('FULL', `${atWork} adapters at work: at most ${MOST_AT_WORK} are possible at once; set the scale of others to 0`);
    const off = [...wanted].filter(([, scale]) => scale === 0), on = [...wanted].filter(([, scale]) => scale !== 0);
    for (const [name, scale] of [...off, ...on]) { // first those that make room
      const a = this.#find(name);
      if (scale === a.info.scale) continue;
      for (const session of this.#sessions) {
        if (scale) this.#w.attach(session, a.handle, scale);
        else this.#w.detach(session, a.handle);
      }
      a.info.scale = scale;
    }
  }
  /** @param {string} name */
  #find(name) {
    const a = this.#loaded.get(name);
    if (!a) throw new EdgeNetError('ARG', `no adapter "${name}" is loaded`, { detail: { option: 'name' } });
    return a;
  }
}

/** @param {import('./wasm-instance.js').WasmInstance} w @param {number} model @param {AdapterData} data */
export function openAdapter(w, model, data) { return data.form === 'gguf' ? w.openAdapter(model, data.file) : w.openPeft(model, data.tensors, data.config); }

/** @param {import('./wasm-instance.js').WasmInstance} w @param {number} handle @param {number} layers */
export function describe(w, handle, layers) {
  const { parameters, alpha, ranks } = w.adapterInfo(handle, layers);
  const rank = Math.max(0, ...ranks.flat());
  return { rank, alpha: alpha || rank, parameters, layers: ranks.filter((r) => r.some((n) => n > 0)).length, targetModules: TARGETS.filter((_, i) => ranks.some((r) => r[i] > 0)) };
}

// @ts-check
// Adapter: a LoRA adapter as a thing of its own - from a training, a file or the store - to keep, to export and to put to work.
import { EdgeNetError, asError } from './errors.js';
import { concat, utf8 } from './manifest/encoding.js';
import { checkName } from './train-options.js';
import { fromLoRAAdapter, fromText, toLoRAAdapter, toText } from './lora-json.js';
import { mustBeSigned, signed } from './lora-trust.js';

/**
 * @typedef {import('./adapters.js').AdapterData} AdapterData
 * @typedef {import('./lora-json.js').AdapterMeta} AdapterMeta @typedef {import('./lora-json.js').LoRAAdapter} LoRAAdapter
 * @typedef {Partial<Pick<AdapterMeta, 'name' | 'description' | 'version' | 'quality' | 'sharing'>>} AdapterLabels
 * @typedef {{tensors: ArrayBuffer | ArrayBufferView | Blob, config: string | ArrayBuffer | ArrayBufferView | Blob | object}} PeftFiles adapter_model.safetensors and adapter_config.json
 * @typedef {string | URL | ArrayBuffer | ArrayBufferView | Blob | PeftFiles | LoRAAdapter | Adapter} AdapterSource the name of a saved one; where a file is; a GGUF or JSON file; PEFT's two files; an object
 * @typedef {Pick<import('./protocol.js').Caller, 'call'> & {info: import('./engine.js').ModelInfo}} Access calls of a session that is alive, and its model
 */

/** The parts that a file of llama.cpp or PEFT says nothing of. @param {Partial<AdapterMeta>} [known] @returns {Pick<AdapterMeta, 'id' | 'name' | 'description' | 'version' | 'createdAt' | 'training' | 'quality' | 'sharing'>} */
export function blankMeta(known = {}) {
  return {
    id: freshId(), name: known.name ?? 'adapter', description: known.description ?? '', version: known.version ?? '1.0.0', createdAt: new Date().toISOString(),
    training: known.training ?? { steps: 0, finalLoss: null, samples: 0, duration: 0 },
    quality: known.quality ?? { perplexityDelta: null },
    sharing: known.sharing ?? { public: false, domain: 'general', license: '' },
  };
}

/**
 * @example
 * const adapter = await trainer.getAdapter();
 * await adapter.save('my-adapter');
 * const { 'adapter_model.safetensors': tensors, 'adapter_config.json': config } = await adapter.export('peft');
 */
export class Adapter {
  #access;
  /** Everything about it but its numbers. @readonly @type {Readonly<AdapterMeta>} */ meta;
  /** Its numbers, as a file. @readonly @type {AdapterData} */ data;

  /** Use session.openAdapter() or trainer.getAdapter(). @param {Access} access @param {AdapterMeta} meta @param {AdapterData} data */
  constructor(access, meta, data) {
    this.#access = access;
    this.meta = Object.freeze(meta);
    this.data = data;
  }
  get name() { return this.meta.name; }

  /** Keep it under a name, instead of one that is there; settles when it is safe. @param {string} name @returns {Promise<void>} */
  async save(name) {
    checkName('name', name);
    const { form } = this.data;
    const parts = this.data.form === 'gguf' ? [this.data.file] : [this.data.tensors, utf8(this.data.config)];
    const head = utf8(JSON.stringify({ meta: { ...this.meta, name }, form, bytes: parts.map((p) => p.length) }));
    await this.#access.call('putRecord', { name: `adapter/${name}`, bytes: concat(new Uint8Array(Uint32Array.of(head.length).buffer), head, ...parts) });
  }

  /**
   * Its file for others. @overload @param {'gguf'} format llama.cpp's @returns {Promise<Uint8Array>}
   * @overload @param {'peft'} format a folder of two files @returns {Promise<{'adapter_model.safetensors': Uint8Array, 'adapter_config.json': string}>}
   * @overload @param {'json'} format with everything that is known about it @param {{key?: import('./lora-trust.js').SigningKey}} [options] key: signs it @returns {Promise<string>}
   * @param {'gguf' | 'peft' | 'json'} format @param {{key?: import('./lora-trust.js').SigningKey}} [options] @returns {Promise<any>}
   */
  async export(format, { key } = {}) {
    if (key && format !== 'json') throw new EdgeNetError('ARG', `only the form "json" has a place for a signature, not ${format}`, { detail: { option: 'key' } });
    if (format === 'json') return toText(await this.toLoRAAdapter({ key }));
    if (format !== 'gguf' && format !== 'peft') throw new EdgeNetError('ARG', `format must be gguf, peft or json, not ${String(format)}`, { detail: { option: 'format' } });
    const data = await this.#as(format);
    return data.form === 'gguf' ? data.file : { 'adapter_model.safetensors': data.tensors, 'adapter_config.json': data.config };
  }
  /** The same as an object, its factors as numbers. @param {{key?: import('./lora-trust.js').SigningKey}} [options] key: signs it @returns {Promise<LoRAAdapter>} */
  async toLoRAAdapter({ key } = {}) {
    const data = await this.#as('peft', true);
    const adapter = await toLoRAAdapter(this.meta, data.form === 'peft' ? data.tensors : new Uint8Array(0));
    return key ? signed(adapter, key) : adapter;
  }
  /** The same numbers with other labels. @param {AdapterLabels} labels */
  with(labels) { return new Adapter(this.#access, { ...this.meta, ...labels }, this.data); }

  /** @param {AdapterData['form']} form @param {boolean} [anew] as our core writes it, whoever wrote it first */
  async #as(form, anew = false) {
    if (this.data.form === form && !anew) return this.data;
    const { data } = await this.#access.call('convertAdapter', { data: this.data, form, baseModel: this.meta.baseModel, anew });
    return data ?? this.data;
  }
}

/** @typedef {import('./trust/store.js').TrustStore} TrustStore whose keys count */
/**
 * Read an adapter, and let the model check it. @param {Access} access @param {AdapterSource} source @param {{name?: string, trust?: TrustStore}} options
 * @param {boolean} [loads] it is about to be loaded, which checks it too: what says all about itself is not looked at twice @returns {Promise<Adapter>}
 */
export async function readAdapter(access, source, { name, trust }, loads = false) {
  if (source instanceof Adapter) {
    if (trust) throw unsigned();
    return name === undefined ? source : source.with({ name });
  }
  const { data, meta, label } = await bytesOf(access, source, trust);
  if (meta && loads) return new Adapter(access, { ...meta, name: name ?? meta.name }, data);
  const is = await access.call('convertAdapter', { data, form: data.form, baseModel: '' });
  const { rank, alpha, targetModules } = is;
  const known = meta ?? { ...blankMeta({ name: label ?? 'adapter' }), baseModel: access.info.name };
  return new Adapter(access, { ...known, name: name ?? known.name, rank, alpha, targetModules: [...targetModules] }, data);
}

function unsigned() { return new EdgeNetError('UNSIGNED', '{ trust } asks for a signature, which only the JSON form of an adapter has'); }

/** @param {Access} access @param {AdapterSource} source @param {TrustStore} [trust] @returns {Promise<{data: AdapterData, meta?: AdapterMeta, label?: string}>} */
async function bytesOf(access, source, trust) {
  if (trust && typeof source === 'string') throw unsigned();
  if (typeof source === 'string') {
    const record = await access.call('getRecord', { name: `adapter/${checkName('name', source)}` });
    if (!record) throw new EdgeNetError('ARG', `no adapter is saved under the name "${source}"`, { detail: { option: 'name' } });
    return fromRecord(record);
  }
  if (source instanceof URL) {
    const response = await fetch(source).catch((e) => { throw asError(e, 'NETWORK', `${source.href}: `); });
    if (!response.ok) throw new EdgeNetError('NETWORK', `${source.href}: HTTP ${response.status}`);
    return { label: lastOf(source.pathname), ...await fromFile(new Uint8Array(await response.arrayBuffer()), trust) };
  }
  if (isBytes(source)) return { ...(source instanceof Blob && 'name' in source ? { label: lastOf(/** @type {File} */ (source).name) } : {}), ...await fromFile(await bytesIn(source), trust) };
  if (source && typeof source === 'object' && 'weights' in source) return checked(source, trust);
  if (trust) throw unsigned();
  if (source && typeof source === 'object' && 'tensors' in source && 'config' in source) {
    const { tensors, config } = source;
    const text = typeof config === 'string' ? config : isBytes(config) ? new TextDecoder().decode(await bytesIn(config)) : JSON.stringify(config);
    return { data: { form: 'peft', tensors: await bytesIn(tensors), config: text } };
  }
  throw new EdgeNetError('ARG', 'an adapter must be a saved name, a URL, a file, bytes, { tensors, config } of PEFT, or an Adapter', { detail: { option: 'source' } });
}

/** @param {unknown} v @returns {v is Blob | ArrayBuffer | ArrayBufferView} */
function isBytes(v) { return v instanceof Blob || v instanceof ArrayBuffer || ArrayBuffer.isView(v); }
/** @param {Blob | ArrayBuffer | ArrayBufferView} v @returns {Promise<Uint8Array>} */
async function bytesIn(v) {
  if (v instanceof Blob) return new Uint8Array(await v.arrayBuffer());
  if (v instanceof ArrayBuffer) return new Uint8Array(v);
  if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
  throw new EdgeNetError('ARG', 'tensors must be bytes or a Blob', { detail: { option: 'tensors' } });
}
/** @param {string} path */
function lastOf(path) { return path.slice(path.lastIndexOf('/') + 1); }

/** @param {LoRAAdapter} adapter @param {TrustStore} [trust] */
async function checked(adapter, trust) {
  const read = await fromLoRAAdapter(adapter);
  if (trust) await mustBeSigned(adapter, trust);
  return read;
}
/** @param {Uint8Array} file @param {TrustStore} [trust] */
async function fromFile(file, trust) {
  const begin = String.fromCharCode(...file.subarray(0, 4));
  if (trust && !/^\s*\{/.test(begin)) throw unsigned();
  if (begin === 'GGUF') return { data: /** @type {AdapterData} */ ({ form: 'gguf', file }) };
  if (/^\s*\{/.test(begin)) return checked(await fromText(new TextDecoder().decode(file)), trust);
  throw new EdgeNetError('FORMAT', "this is neither llama.cpp's nor the JSON form of an adapter; PEFT's two files are given as { tensors, config }");
}
/** @param {Uint8Array} record as save() wrote it; its checksum was right @returns {{meta: AdapterMeta, data: AdapterData}} */
function fromRecord(record) {
  const n = new DataView(record.buffer, record.byteOffset, 4).getUint32(0, true);
  const { meta, form, bytes } = JSON.parse(new TextDecoder().decode(record.subarray(4, 4 + n)));
  const parts = bytes.map((/** @type {number} */ size, /** @type {number} */ i) => {
    const from = 4 + n + bytes.slice(0, i).reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0);
    return record.subarray(from, from + size);
  });
  return { meta, data: form === 'gguf' ? { form, file: parts[0] } : { form, tensors: parts[0], config: new TextDecoder().decode(parts[1]) } };
}
/** A random UUID (version 4), also where randomUUID is kept for secure contexts. */
function freshId() {
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = b[6] & 15 | 64;
  b[8] = b[8] & 63 | 128;
  return Array.from(b, (v, i) => ([4, 6, 8, 10].includes(i) ? '-' : '') + v.toString(16).padStart(2, '0')).join('');
}

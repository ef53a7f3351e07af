// @ts-check
// InferenceSession: one model, ready to answer. In browsers the engine lives in a worker, so that the page stays free; in Node it
// lives in the caller's thread. The methods are the same.
import { readAdapter } from './adapter.js';
import { EdgeNetError, abortError } from './errors.js';
import { defaultThreads } from './capabilities.js';
import { checkMessages } from './chat.js';
import { Fork } from './fork.js';
import { createHandlers } from './handlers.js';
import { linked } from './listen.js';
import { checkSignal, embedSpec, generateSpec, knownOnly, numberIn } from './options.js';
import { cores, isPage, noteDropped } from './platform.js';
import { openWorker } from './ports.js';
import { Client, localCaller } from './rpc.js';
import { PATIENCE, artifactOf, isRemote, wholeSpec } from './sources.js';
import { persist } from './stores/space.js';
import { bestStore, openStore } from './stores/store.js';
import { checkName, examSpec, trainConfig } from './train-options.js';
import { Trainer, pairsOf } from './trainer.js';
import { VARIANTS, compileFirst, postableWasm } from './variants.js';

/**
 * @typedef {import('./options.js').GenerateOptions} GenerateOptions
 * @typedef {import('./options.js').EmbedOptions} EmbedOptions
 * @typedef {import('./chat.js').Message} Message
 * @typedef {import('./scheduler.js').Completion} Completion
 * @typedef {import('./engine.js').MemoryInfo} MemoryInfo
 * @typedef {import('./engine.js').ModelInfo} ModelInfo
 * @typedef {import('./load.js').Progress} Progress
 * @typedef {import('./protocol.js').CacheReport} CacheReport
 * @typedef {import('./sources.js').ModelSource} ModelSource
 * @typedef {import('./adapter.js').Adapter} Adapter @typedef {import('./adapter.js').AdapterSource} AdapterSource @typedef {import('./adapters.js').AdapterInfo} AdapterInfo
 * @typedef {import('./train-options.js').EvaluateOptions} EvaluateOptions @typedef {import('./train-options.js').Evaluated} Evaluated
 * @typedef {string | readonly number[] | readonly Message[]} Prompt text, token ids, or a chat
 *
 * @typedef {object} SessionOptions
 * @property {number} [threads] compute threads; default: the cores, at most 8, where threads are allowed, else 1. Never more than cores.
 * @property {number} [contextLength] tokens per text, prompt included; default: what the model was trained for, at most 4096
 * @property {number} [parallel] texts that are worked on at once (1); each has its own KV cache
 * @property {number} [promptLookup] tokens that are guessed from what stands earlier in a text, and checked together (0): the same text, sooner where answers repeat their prompt
 * @property {ModelSource} [draft] a small model of the same vocabulary that guesses tokens, which are checked together: the same text, sooner where the two mostly agree. It loads after the model.
 * @property {number} [draftTokens] tokens that the draft guesses at a time (3; with the token before them they share a batch, and products are quickest for multiples of 4)
 * @property {'auto' | 'wasm' | 'webgpu'} [backend] webgpu is not there yet and an error
 * @property {import('./variants.js').Variant} [variant] force a binary
 * @property {string} [kernels] force a kernel table of the binary
 * @property {'f16' | 'f32' | 'q8_0'} [kvType] numbers in the KV cache ('f16'); q8_0 takes about half the memory of f16
 * @property {boolean} [profile] measure every step, for profile() (false: the clock costs a call out of the engine per step)
 * @property {boolean | (() => import('./ports.js').AnyWorker)} [worker] run in a worker; default: true in a page, false elsewhere. A function makes the worker itself, for bundlers and CSPs.
 * @property {string | URL} [lane] where worker/lane.js is, if not beside this package
 * @property {import('./variants.js').WasmSource} [wasm] the engine's binary, or a folder of all variants (a URL that ends with /)
 * @property {'auto' | 'opfs' | 'indexeddb' | 'cache' | 'filesystem' | 'none'} [storage] where downloads are kept ('auto'); files and buffers are never copied there
 * @property {string} [storageRoot] folder of the filesystem store
 * @property {boolean} [persist] ask the browser to keep stored models when space gets short; some browsers ask the user (false)
 * @property {AbortSignal} [signal] stops the loading
 * @property {(p: Progress) => void} [onProgress]
 */
/** What ModelLoader adds: @typedef {{maxStoreBytes: number | null, policy?: import('./fetch/types.js').EvictionPolicy, patience: import('./fetch/types.js').Patience}} LoaderPart */

export const SESSION_OPTIONS = Object.freeze(['threads', 'contextLength', 'parallel', 'promptLookup', 'draft', 'draftTokens', 'backend', 'variant', 'kernels', 'kvType', 'profile', 'worker', 'lane', 'wasm', 'storage', 'storageRoot', 'persist', 'signal', 'onProgress']);

const DRAFT_TOKENS = 3;

/** Bytes of a model that are read at once. */
const EXPORT_BYTES = 1 << 18;

/** @template T @param {string} name @param {T | undefined} value @param {readonly T[]} allowed @param {T} dflt @returns {T} */
function oneOf(name, value, allowed, dflt) {
  if (value === undefined) return dflt;
  if (!allowed.includes(value)) throw new EdgeNetError('ARG', `${name} must be one of ${allowed.join(', ')}, not ${String(value)}`, { detail: { option: name } });
  return value;
}

/** @param {SessionOptions} o @returns {Promise<import('./engine.js').EngineOptions>} */
async function engineOptions(o) {
  if (oneOf('backend', o.backend, ['auto', 'wasm', 'webgpu'], 'auto') === 'webgpu') {
    throw new EdgeNetError('UNSUPPORTED', 'backend: "webgpu" is not part of this release; use "auto" or "wasm"', { detail: { option: 'backend' } });
  }
  const variant = oneOf('variant', o.variant, [undefined, ...VARIANTS], undefined);
  const wanted = o.threads === undefined ? undefined : numberIn('threads', o.threads, 1, 64, true);
  const threads = Math.min(wanted ?? await defaultThreads(), await cores());
  return {
    wasm: await postableWasm(o.wasm), variant, threads,
    contextLength: o.contextLength === undefined ? undefined : numberIn('contextLength', o.contextLength, 1, 1 << 24, true),
    parallel: o.parallel === undefined ? 1 : numberIn('parallel', o.parallel, 1, 256, true),
    promptLookup: o.promptLookup === undefined ? 0 : numberIn('promptLookup', o.promptLookup, 0, 32, true),
    draftTokens: o.draft === undefined ? 0 : o.draftTokens === undefined ? DRAFT_TOKENS : numberIn('draftTokens', o.draftTokens, 1, 32, true),
    kvType: oneOf('kvType', o.kvType, ['f16', 'f32', 'q8_0'], 'f16'),
    kernels: o.kernels, profile: o.profile === true, inPlace: false,
  };
}

/** @param {SessionOptions} o @returns {Promise<import('./fetch/types.js').StoreSpec | null>} */
export async function storeSpec({ storage, storageRoot }) {
  /** @type {readonly NonNullable<SessionOptions['storage']>[]} */
  const kinds = ['auto', 'opfs', 'indexeddb', 'cache', 'filesystem', 'none'];
  const kind = oneOf('storage', storage, kinds, 'auto');
  const best = kind === 'auto' ? await bestStore() : kind;
  return best === 'none' || best === null ? null : { kind: best, root: storageRoot };
}

export class InferenceSession {
  #caller;
  #memory;
  #stop;
  #disposed = false;
  /** @type {AdapterInfo[]} */ #adapters = [];
  /** @type {import('./trainer.js').TrainerAccess} */ #access;
  /** When the model was asked last, in ms of performance.now(). */ lastUsed = performance.now();
  /** The model, the context and the engine that runs it. @readonly @type {ModelInfo} */ info;
  /** Did the bytes come from the store, are they in it now? @readonly @type {CacheReport} */ cache;

  /** Use InferenceSession.create(). @param {import('./protocol.js').Caller} caller @param {import('./protocol.js').Calls['load']['result']} loaded */
  constructor(caller, loaded) {
    this.#caller = caller;
    this.#memory = loaded.memory;
    this.#stop = loaded.stop;
    this.info = loaded.info;
    this.cache = loaded.cache;
    this.#access = {
      info: this.info,
      call: async (op, args, options) => { this.#alive(); return this.#caller.call(op, args, options); },
      remember: (memory) => { this.#memory = memory; },
      exportModel: () => this.exportModel(),
    };
  }

  /**
   * Load a GGUF model, or a Hugging Face folder (hf:owner/repository, a directory handle, the list of its files, in Node its path).
   * @param {ModelSource} source @param {SessionOptions} [options] @returns {Promise<InferenceSession>}
   * @example
   * const session = await InferenceSession.create('https://models.example/tiny.gguf', { onProgress: (p) => console.log(p.phase, p.loaded, p.total) });
   */
  static async create(source, options = {}) {
    knownOnly(options, SESSION_OPTIONS, 'options');
    return openSession(wanted(await wholeSpec(source, options.wasm)), options, storeSpec(options), { maxStoreBytes: null, patience: PATIENCE });
  }

  /**
   * The text that follows a prompt. @param {Prompt} prompt @param {GenerateOptions} [options] @returns {Promise<string>} rejects with ABORTED when the signal stops it
   * @example const text = await session.generate('Once upon a time', { maxTokens: 50, temperature: 0 });
   */
  async generate(prompt, options) {
    const { text, finishReason } = await this.complete(prompt, options);
    if (finishReason === 'abort') throw abortError(options?.signal);
    return text;
  }

  /**
   * As generate(), with everything that is known about it. An abort is no error here: the result has finishReason 'abort' and the text so far.
   * @param {Prompt} prompt @param {GenerateOptions & {onToken?: (piece: string) => void}} [options] @returns {Promise<Completion>}
   */
  async complete(prompt, options = {}) {
    const { onToken, ...rest } = options;
    const input = checkPrompt(prompt);
    const spec = generateSpec(rest);
    this.#alive();
    if (rest.signal?.aborted) return aborted(spec.seed);
    this.lastUsed = performance.now();
    const own = linked(rest.signal, onToken);
    const { completion, memory } = await own.run(this.#caller.call('generate', { input, spec }, { signal: own.signal, onAbort: () => this.#setStop(), onEvent: ({ pieces }) => { for (const piece of pieces) if (piece) own.tell(piece); } }));
    this.#memory = memory;
    return completion;
  }

  /**
   * The text piece by piece, as it comes. Leaving the loop stops the model. @param {Prompt} prompt @param {GenerateOptions} [options] @returns {AsyncGenerator<string, Completion, void>}
   * @example for await (const piece of session.generateStream('Once upon a time')) process.stdout.write(piece);
   */
  async *generateStream(prompt, options = {}) {
    checkSignal(options.signal);
    if (options.signal?.aborted) throw abortError(options.signal);
    const own = linked(options.signal);
    /** @type {string[]} */ const ready = [];
    let wake = () => {};
    let over = false;
    const done = this.complete(prompt, { ...options, signal: own.signal, onToken: (piece) => { ready.push(piece); wake(); } });
    done.catch(() => {}).finally(() => { over = true; wake(); });
    try {
      for (;;) {
        while (ready.length) yield /** @type {string} */ (ready.shift());
        if (over) break;
        await new Promise((resolve) => { wake = () => resolve(undefined); });
      }
      const completion = await done;
      if (completion.finishReason === 'abort') throw abortError(options.signal);
      return completion;
    } finally {
      own.abort();
      own.release();
      await done.catch(() => {});
    }
  }

  /**
   * The assistant's answer to a chat. @param {readonly Message[]} messages @param {GenerateOptions} [options] @returns {Promise<string>}
   * @example const answer = await session.chat([{ role: 'user', content: 'What is 2+2?' }]);
   */
  async chat(messages, options) { return this.generate(checkMessages(messages), options); }

  /**
   * A text that grows in steps and branches; what its branches share is read once. They are worked on together, as many as the option `parallel` says. @param {string | ArrayLike<number>} [prompt] @returns {Promise<Fork>}
   * @example
   * const story = await session.fork('Once upon a time');
   * const [cat, dog] = await Promise.all([story.fork().complete(' a cat'), story.fork().complete(' a dog')]);
   */
  async fork(prompt = '') {
    this.#alive();
    return new Fork(this, typeof prompt === 'string' ? prompt && await this.tokenize(prompt) || [] : Array.from(prompt));
  }

  /** Token ids of a text. @param {string} text @param {{addBos?: boolean, specialTokens?: boolean}} [options] @returns {Promise<number[]>} */
  async tokenize(text, { addBos = true, specialTokens = true } = {}) {
    if (typeof text !== 'string') throw new EdgeNetError('ARG', 'text must be a string', { detail: { option: 'text' } });
    this.#alive();
    return this.#caller.call('tokenize', { text, addBos, specialTokens });
  }
  /** Text of token ids. @param {ArrayLike<number>} ids @param {{specialTokens?: boolean}} [options] @returns {Promise<string>} */
  async detokenize(ids, { specialTokens = false } = {}) {
    this.#alive();
    return this.#caller.call('detokenize', { ids: Array.from(ids), specialTokens });
  }

  /**
   * Logits after the last token, [vocabulary]; with { all: true } after every token, [tokens, vocabulary], row after row.
   * @param {string | ArrayLike<number>} input @param {{all?: boolean, signal?: AbortSignal}} [options] @returns {Promise<Float32Array>}
   */
  async logits(input, options = {}) {
    knownOnly(options, ['all', 'signal'], 'options');
    checkSignal(options.signal);
    this.#alive();
    return this.#caller.call('logits', { input: typeof input === 'string' ? input : Array.from(input), all: options.all === true }, { signal: options.signal, onAbort: () => this.#setStop() });
  }

  /**
   * What a text means, as a vector of length 1: texts that mean the same lie close together. @param {string | ArrayLike<number>} input text or token ids @param {EmbedOptions} [options] @returns {Promise<Float32Array>}
   * @example const vector = await embedder.embed('Hello world');
   */
  async embed(input, options) { return (await this.embedBatch([input], options))[0]; }
  /**
   * The same for many texts, packed into few forward passes without padding. @param {readonly (string | ArrayLike<number>)[]} inputs @param {EmbedOptions} [options] @returns {Promise<Float32Array[]>} in the order of inputs
   * @example const vectors = await embedder.embedBatch(['First', 'Second'], { prefix: 'passage: ' });
   */
  async embedBatch(inputs, options = {}) {
    const spec = embedSpec(options);
    if (!Array.isArray(inputs)) throw new EdgeNetError('ARG', 'inputs must be an array of texts', { detail: { option: 'inputs' } });
    const checked = inputs.map(checkText);
    this.#alive();
    if (options.signal?.aborted) throw abortError(options.signal);
    this.lastUsed = performance.now();
    const { rows, size, memory } = await this.#caller.call('embed', { inputs: checked, spec }, { signal: options.signal, onAbort: () => this.#setStop() });
    this.#memory = memory;
    return checked.map((_, i) => rows.slice(i * size, (i + 1) * size));
  }
  /** Cosine of the angle between two texts' embeddings, -1 to 1. @param {string | ArrayLike<number>} a @param {string | ArrayLike<number>} b @param {EmbedOptions} [options] @returns {Promise<number>} */
  async similarity(a, b, options = {}) {
    const [x, y] = await this.embedBatch([a, b], { ...options, normalize: true });
    return x.reduce((sum, v, i) => sum + v * y[i], 0);
  }
  /**
   * Documents in the order of their relevance to a query, by a reranker (a cross-encoder). @param {string} query @param {readonly string[]} documents @param {{topK?: number, truncate?: boolean, signal?: AbortSignal}} [options]
   * @returns {Promise<{index: number, score: number}[]>} the highest score first
   */
  async rerank(query, documents, options = {}) {
    knownOnly(options, ['topK', 'truncate', 'signal'], 'options');
    checkSignal(options.signal);
    if (typeof query !== 'string' || !Array.isArray(documents) || !documents.every((d) => typeof d === 'string')) throw new EdgeNetError('ARG', 'rerank needs a query and an array of documents, all strings');
    const topK = options.topK === undefined ? documents.length : numberIn('topK', options.topK, 1, 2 ** 31 - 1, true);
    this.#alive();
    const scores = await this.#caller.call('rerank', { query, documents, truncate: options.truncate === true }, { signal: options.signal, onAbort: () => this.#setStop() });
    return Array.from(scores, (score, index) => ({ index, score })).sort((a, b) => b.score - a.score || a.index - b.index).slice(0, topK);
  }

  // ---- adapters and training ----
  /**
   * How often the model answers as wanted: greedy answers, compared whole, and the perplexity of the wanted ones; as `edge-net eval`. Texts may be made meanwhile.
   * @param {import('./train-options.js').TrainData} samples { input, output } @param {EvaluateOptions} [options] @returns {Promise<Evaluated>}
   * @example const { exact, groups, forgotten } = await session.evaluate(samples, { compare: true });
   */
  async evaluate(samples, options = {}) {
    const { spec, scales, compare } = examSpec(options, this.info);
    const pairs = await pairsOf(samples, 'samples', Infinity);
    const runs = compare ? 2 : 1, t0 = performance.now(), own = linked(options.signal, options.onProgress);
    /** @param {number} run @param {readonly (readonly [string, number])[] | null} scales */
    const examine = async (run, scales) => {
      const { report: { right, ...report }, memory } = await this.#access.call('examine', { pairs, spec, scales }, { signal: own.signal, onAbort: () => this.#setStop(), onEvent: ({ done, total }) => own.tell({ done: done + run * total, total: total * runs }) });
      this.#memory = memory;
      return { report, right };
    };
    return own.run((async () => {
      const { report, right } = await examine(0, scales);
      const base = compare ? await examine(1, []) : null;
      const changed = (/** @type {boolean} */ before) => {
        const those = right.filter((_, i) => base?.right[i] === before);
        return those.length ? those.filter((now) => now !== before).length / those.length : 0;
      };
      return { ...report, milliseconds: performance.now() - t0, ...(base && { base: base.report, learned: changed(false), forgotten: changed(true) }) };
    })());
  }

  /**
   * Fine-tune an adapter over this model, beside whatever else it does. @param {import('./train-options.js').MicroLoRAConfig} [config] @returns {Trainer}
   * @example const trainer = session.createTrainer({ rank: 4, learningRate: 1e-4, batchSize: 2 });
   */
  createTrainer(config) { this.#alive(); return new Trainer(this.#access, trainConfig(config)); }

  /** Read an adapter, and check that it fits this model. @param {AdapterSource} source @param {{name?: string, trust?: import('./trust/store.js').TrustStore}} [options] trust: see loadAdapter @returns {Promise<Adapter>} */
  async openAdapter(source, options = {}) {
    knownOnly(options, ['name', 'trust'], 'options');
    this.#alive();
    if (options.name !== undefined) checkName('name', options.name);
    return readAdapter(this.#access, source, options);
  }
  /**
   * Bring an adapter into memory and to work, from the next text on. Several add up.
   * @param {AdapterSource} source the name of a saved one, a file, bytes, PEFT's two files, or an Adapter
   * @param {{scale?: number, name?: string, anyBase?: boolean, trust?: import('./trust/store.js').TrustStore}} [options] scale: 0 keeps it off (1); name: for the other calls (its own); anyBase: also one that says it
   *   was made for a model of another name; trust: only one in the JSON form that a key of this store has signed, refused with UNSIGNED, UNTRUSTED_KEY, KEY_EXPIRED or SIGNATURE
   * @returns {Promise<AdapterInfo>}
   */
  async loadAdapter(source, options = {}) {
    knownOnly(options, ['scale', 'name', 'anyBase', 'trust'], 'options');
    const scale = options.scale === undefined ? 1 : numberIn('scale', options.scale, -1e5, 1e5);
    this.#alive();
    if (options.name !== undefined) checkName('name', options.name);
    const { meta, data } = await readAdapter(this.#access, source, options, true);
    if (meta.baseModel && meta.baseModel !== this.info.name && !options.anyBase) {
      throw new EdgeNetError('ARG', `the adapter was made for "${meta.baseModel}", this model is "${this.info.name}"; { anyBase: true } loads it all the same`, { detail: { baseModel: meta.baseModel } });
    }
    const name = options.name ?? (typeof source === 'string' ? source : meta.name);
    await this.#changed('loadAdapter', { name, data, scale });
    return /** @type {AdapterInfo} */ (this.#adapters.find((a) => a.name === name));
  }
  /** @param {string} name @returns {Promise<void>} */
  async unloadAdapter(name) { await this.#changed('unloadAdapter', { name }); }
  /** A new strength; 0 takes it off work and leaves it in memory: the base model, bit for bit. @param {string} name @param {number} scale @returns {Promise<AdapterInfo>} */
  async setAdapterScale(name, scale) {
    await this.setAdapterScales({ [name]: scale });
    return /** @type {AdapterInfo} */ (this.#adapters.find((a) => a.name === name));
  }
  /** New strengths of some adapters, in one change. @param {Readonly<Record<string, number>>} scales @returns {Promise<AdapterInfo[]>} */
  async setAdapterScales(scales) {
    await this.#changed('scaleAdapters', { scales: Object.entries(scales).map(([name, scale]) => [name, numberIn(`scales.${name}`, scale, -1e5, 1e5)]) });
    return this.listAdapters();
  }
  /**
   * Merge adapters into the weights, for ever and in this order, and unload them: the model itself is another one then, in its own weight type. A large model takes seconds.
   * @param {Readonly<Record<string, number>>} [scales] of loaded ones; default: those that are at work @returns {Promise<AdapterInfo[]>}
   */
  async merge(scales = Object.fromEntries(this.listAdapters().filter((a) => a.scale).map((a) => [a.name, a.scale]))) {
    await this.#changed('mergeAdapters', { scales: Object.entries(scales).map(([name, scale]) => [name, numberIn(`scales.${name}`, scale, -1e5, 1e5)]) });
    return this.listAdapters();
  }
  /** The model's file as its weights are now, merged or trained, byte for byte what `edge-net adapter merge-into` writes. @returns {ReadableStream<Uint8Array>} */
  exportModel() {
    this.#alive();
    let from = 0;
    /** @type {number | null} */ let state = null;
    return new ReadableStream({
      pull: async (to) => {
        const part = await this.#access.call('readModel', { from, n: EXPORT_BYTES, state });
        state = part.state;
        from += part.bytes.length;
        to.enqueue(part.bytes);
        if (from >= this.info.fileBytes) to.close();
      },
    }, { highWaterMark: 0 });
  }
  /**
   * The largest logits after every token of texts, for another model to learn from: a session is the `teacher` of trainer.train(). @param {readonly Int32Array[]} samples token ids
   * @param {{topK: number, vocabulary?: string, signal?: AbortSignal}} options topK: 0: all; vocabulary: of the one who learns, which must be the same @returns {Promise<import('./train-options.js').TeacherRows[]>}
   */
  async topLogits(samples, { topK, vocabulary, signal }) {
    checkSignal(signal);
    return this.#access.call('topLogits', { samples, topK: numberIn('topK', topK, 0, 65536, true), vocabulary }, { signal, onAbort: () => this.#setStop() });
  }
  /** Those in memory. @returns {AdapterInfo[]} */
  listAdapters() { this.#alive(); return this.#adapters.map((a) => ({ ...a })); }
  /** Names of those that adapter.save() kept. @returns {Promise<string[]>} */
  async savedAdapters() { return (await this.#access.call('listRecords', { prefix: 'adapter/' })).map((name) => name.slice('adapter/'.length)); }
  /** Delete a saved adapter. @param {string} name @returns {Promise<boolean>} false: there was none */
  async deleteAdapter(name) { return this.#access.call('removeRecord', { name: `adapter/${checkName('name', name)}` }); }
  /** Delete the state that a training kept under this name. @param {string} name @returns {Promise<boolean>} false: there was none */
  async deleteCheckpoint(name) { return this.#access.call('removeRecord', { name: `checkpoint/${checkName('name', name)}` }); }
  /** @template {'loadAdapter' | 'scaleAdapters' | 'unloadAdapter' | 'mergeAdapters'} K @param {K} op @param {import('./protocol.js').Calls[K]['args']} args */
  async #changed(op, args) {
    const { adapters, memory } = await this.#access.call(op, args);
    this.#adapters = adapters;
    this.#memory = memory;
  }

  /** Bytes in use, as of the last call. @returns {MemoryInfo} */
  getMemoryInfo() { this.#alive(); return { ...this.#memory }; }
  /** Forget what earlier calls left in the KV cache. @returns {Promise<void>} */
  async clearKVCache() {
    this.#alive();
    this.#memory = { ...this.#memory, cachedTokens: 0 };
    this.#memory = await this.#caller.call('clear', {});
  }
  /**
   * What the last call left in the KV cache, to continue after a reload without reading the prompt again. About kvCacheBytes for a full context.
   * @returns {Promise<Uint8Array>}
   */
  async saveState() { this.#alive(); return this.#caller.call('saveState', {}); }
  /** Take back a saved state; the next prompt that begins with its text is not computed again. The model and kvType must be the same. @param {Uint8Array} state @returns {Promise<void>} */
  async loadState(state) {
    if (!(state instanceof Uint8Array)) throw new EdgeNetError('ARG', 'state must be a Uint8Array from saveState()', { detail: { option: 'state' } });
    this.#alive();
    this.#memory = await this.#caller.call('loadState', { state });
  }
  /**
   * Time per kind of step (with the option profile, else no rows), and what every compute thread has done since the start: jobs it took part in, its chunks of them and, with the option, the time
   * inside them and how long it waited for the others at their ends (only the first one does). Zeros in an engine without threads. @returns {Promise<import('./protocol.js').Calls['profile']['result']>}
   */
  async profile() { this.#alive(); return this.#caller.call('profile', {}); }
  get disposed() { return this.#disposed; }

  /** Stop everything and give the memory back. What is pending rejects; a second call does nothing. @returns {Promise<void>} */
  async dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#setStop();
    let timer;
    const tooLong = new Promise((resolve) => { timer = setTimeout(resolve, 1000); });
    await Promise.race([this.#caller.call('unload', {}).catch(() => {}), tooLong]);
    clearTimeout(timer);
    this.#caller.close(disposedError());
    if (this.#stop) noteDropped(this.#memory.wasmBytes);
    this.#stop = null;
  }
  /** For `await using session = …`. Where the platform does not know the symbol, this is a method that nobody calls. */
  [Symbol.asyncDispose]() { return this.dispose(); }

  #alive() { if (this.#disposed) throw disposedError(); }
  /** With shared memory the engine stops inside a batch, without waiting for its next look at the messages. */
  #setStop() { if (this.#stop) Atomics.store(new Int32Array(this.#stop.buffer), this.#stop.at >> 2, 1); }
}

/** @typedef {Pick<import('./protocol.js').FetchArgs, 'artifact' | 'sources'>} Wanted */
/** A source alone. @param {import('./sources.js').SourceSpec} spec @returns {Wanted} */
export function wanted(spec) { return { artifact: artifactOf(spec), sources: [spec] }; }

/** @param {Wanted} what @param {SessionOptions} options @param {Promise<import('./fetch/types.js').StoreSpec | null>} storing @param {LoaderPart} part @param {import('./fetch/gate.js').Gate} [gate] */
export async function openSession(what, options, storing, part, gate) {
  storing.catch(() => {}); // told where it is awaited
  checkSignal(options.signal);
  const engine = await engineOptions(options), draft = options.draft === undefined ? null : wanted(await wholeSpec(options.draft, options.wasm));
  const caller = await openCaller(options.worker); // before the store is asked for: a worker needs longest to come up
  const unwatch = gate?.watch((on) => { void caller.call('pauseFetch', { on }).catch(() => {}); }); // a caller that is gone downloads nothing
  try {
    const { signal, onProgress } = options, compiling = caller instanceof Client ? compileFirst(engine).catch(() => null) : null; // its own thread will say why
    const store = await storing;
    if (options.persist && store) void persist(); // pages only: workers cannot ask
    const fetched = (/** @type {Wanted} */ it) => ({ ...it, store: it.sources.some(isRemote) ? store : null, ...part });
    const known = compiling && store && what.sources.some(isRemote) ? await openStore(store).then((s) => s.find(what.artifact.id).finally(() => s.close())).catch(() => null) : null;
    engine.compiled = await compiling;
    const loaded = await caller.call('load', { ...fetched(what), known, records: store, options: engine, laneUrl: options.lane === undefined ? null : new URL(options.lane, globalThis.location?.href).href }, { signal, onEvent: (p) => { if (!draft || p.phase !== 'ready') onProgress?.(p); } });
    if (draft) loaded.memory = await caller.call('loadDraft', fetched(draft), { signal, onEvent: onProgress });
    return new InferenceSession(caller, loaded);
  } catch (e) {
    caller.close(disposedError());
    throw e;
  } finally { unwatch?.(); }
}

/** @param {SessionOptions['worker']} worker @returns {Promise<import('./protocol.js').Caller>} */
export async function openCaller(worker = isPage()) {
  if (typeof worker !== 'boolean' && typeof worker !== 'function') throw new EdgeNetError('ARG', 'worker must be true, false or a function that returns a Worker', { detail: { option: 'worker' } });
  return worker === false ? localCaller(createHandlers({ inPlace: true })) : new Client(await openWorker(worker === true ? undefined : worker));
}

/** @param {Prompt} prompt @returns {string | readonly number[] | readonly Message[]} */
function checkPrompt(prompt) {
  if (typeof prompt === 'string') return prompt;
  if (Array.isArray(prompt)) return typeof prompt[0] === 'object' ? checkMessages(prompt) : /** @type {any} */ (prompt);
  if (ArrayBuffer.isView(prompt)) return Array.from(/** @type {Int32Array} */ (/** @type {unknown} */ (prompt)));
  throw new EdgeNetError('ARG', 'prompt must be a string, an array of token ids or an array of messages', { detail: { option: 'prompt' } });
}

/** @param {unknown} input @param {number} i @returns {string | number[]} */
function checkText(input, i) {
  if (typeof input === 'string') return input;
  if (Array.isArray(input) || ArrayBuffer.isView(input) && !(input instanceof DataView)) return Array.from(/** @type {ArrayLike<number>} */ (/** @type {unknown} */ (input)));
  throw new EdgeNetError('ARG', `inputs[${i}] must be a string or an array of token ids`, { detail: { option: `inputs[${i}]` } });
}

/** @param {number} seed @returns {Completion} of a call whose signal was aborted before it began */
function aborted(seed) {
  return { text: '', tokens: [], finishReason: 'abort', seed, timings: { promptTokens: 0, cachedTokens: 0, promptMs: 0, tokens: 0, guesses: 0, guessedTokens: 0, tokenMs: 0, ttftMs: 0 } };
}
function disposedError() { return new EdgeNetError('STATE', 'the session was disposed'); }

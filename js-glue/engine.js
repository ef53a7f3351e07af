// @ts-check
// A model that is ready to work, in the thread where its wasm instance lives: Node's main thread or a worker.
import { EdgeNetError, throwIfAborted } from './errors.js';
import { Adapters, describe as describeAdapter, openAdapter } from './adapters.js';
import { Drafter } from './drafter.js';
import { examine } from './exam.js';
import { Embedder, POOLING_NAMES, POOLINGS } from './embedder.js';
import { Meter } from './fetch/progress.js';
import { choose, warmUp } from './kernel-choice.js';
import { streamIn } from './load.js';
import { Scheduler } from './scheduler.js';
import { describe, mayShare, startInstance } from './variants.js';
import { cores, isPage } from './platform.js';
import { checkMessages, renderChat } from './chat.js';
import { topLogits, vocabularyOf } from './teacher.js';
import { Training, adapterFile } from './training.js';

/** en.h: EN_TOK_BOS, EN_TOK_SPECIAL, EN_TOK_EOS, EN_TOK_PAIR */
const TOK = Object.freeze({ bos: 1, special: 2, eos: 4, pair: 8 });
const KV_TYPES = Object.freeze({ f32: 0, f16: 1, q8_0: 2 });
const DEFAULT_CONTEXT = 4096;
const BATCH = 64;
/** Tokens of a text to embed, where the caller does not say: longer ones cost memory for a forward pass as long. */
const EMBED_CONTEXT = 512;
/** Rows of logits that a small vocabulary may keep, for logits({ all: true }). */
const LOGITS_BYTES = 1 << 20;

/**
 * @typedef {object} EngineOptions
 * @property {import('./variants.js').WasmSource} [wasm]
 * @property {import('./variants.js').Variant} [variant]
 * @property {import('./variants.js').Compiled | null} [compiled]
 * @property {number} threads
 * @property {number} [contextLength] tokens per sequence; default: what the model was trained for, at most 4096
 * @property {number} parallel sequences that can be worked on at once
 * @property {number} promptLookup tokens to guess at most
 * @property {number} draftTokens the same for a draft model, 0: there will be none
 * @property {'f16' | 'f32' | 'q8_0'} kvType
 * @property {boolean} profile measure every step
 * @property {string} [kernels] a kernel table by name
 * @property {boolean} inPlace is this thread the caller's own?
 *
 * @typedef {object} ModelInfo
 * @property {string} name
 * @property {string} architecture
 * @property {string} quantization type of most weights, e.g. "Q4_0"
 * @property {number} parameters
 * @property {number} fileBytes
 * @property {number} contextTrained
 * @property {number} contextLength
 * @property {number} vocabulary
 * @property {number} layers
 * @property {number} embedding
 * @property {boolean} hasLogits does it write text? Encoders do not
 * @property {string} pooling of its embeddings: mean, first, last or rank
 * @property {boolean} hasTokenizer
 * @property {boolean} hasChatTemplate
 * @property {{bos: number, eos: number, eot: number, eom: number, unk: number, sep: number, pad: number, cls: number, mask: number, addBos: boolean, addEos: boolean} | null} specialTokens ids, -1: none
 * @property {Record<string, import('./wasm-instance.js').MetaValue>} metadata everything in the file's head except the contents of arrays
 * @property {{variant: string, kernels: string, threads: number, why: string}} engine
 *
 * @typedef {{modelBytes: number, kvCacheBytes: number, sessionBytes: number, tokenizerBytes: number, adapterBytes: number, trainingBytes: number, draftBytes: number, wasmBytes: number, cachedTokens: number}} MemoryInfo
 *   modelBytes: the weights; sessionBytes: KV cache and scratch together; draftBytes: all of a draft model; wasmBytes: all memory of the engine
 */

/** @typedef {{w: import('./wasm-instance.js').WasmInstance, variant: string, why: string[], lanes: Promise<void>, close: () => void}} Started */

export class Engine {
  #w;
  #model;
  #session;
  #tokenizer;
  /** @type {Scheduler | null} */ #scheduler;
  /** One for each pooling that was asked for. @type {Map<number, Embedder>} */ #embedders = new Map();
  #embedContext;
  #kvType;
  #parallel;
  #profile;
  #draftBytes = 0;
  /** One examination after the other. @type {Promise<unknown>} */ #examined = Promise.resolve();
  #closed = false;
  #adapters;
  /** @type {Map<number, Training>} */ #trainings = new Map();
  #lastTraining = 0;
  /** Counts changes of the weights themselves. */ #weights = 0;
  /** @type {Promise<string> | null} */ #vocabulary = null;
  /** @type {ModelInfo} */ info;

  /** @param {import('./wasm-instance.js').WasmInstance} w @param {Parts} parts */
  constructor(w, { model, tokenizer, session, info, spec }) {
    this.#w = w;
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#session = session;
    this.info = info;
    this.#embedContext = spec.embedContext;
    this.#kvType = spec.kvType;
    this.#parallel = spec.nSeq;
    this.#profile = spec.profile;
    this.#scheduler = session && new Scheduler({ w, session: session.handle, tokenizer: tokenizer?.handle ?? 0, vocab: model.info.vocab, nCtx: session.nCtx, nBatch: spec.nBatch, nSeq: spec.nSeq, nLogits: spec.nLogits, lookup: spec.lookup, drafts: spec.drafts });
    this.#adapters = new Adapters({ w, model: model.handle, layers: info.layers });
    if (session) this.#adapters.join(session.handle);
  }

  /**
   * The part of loading that needs no byte of the model, so that it runs while the store or the network is asked for them.
   * Its lanes may still be on their way when it settles: the pool waits for nobody.
   * @param {EngineOptions} options @param {() => import('./wasm-instance.js').Lane} spawnLane
   * @returns {Promise<Started>} whoever does not give it to load() closes it
   */
  static async start(options, spawnLane) {
    // A thread takes longer to come up than the binary. A page must not wait for lanes; there even a threaded binary that was asked for runs alone.
    const alone = options.inPlace && isPage() || !mayShare() || options.variant?.endsWith('-mt') === false;
    const threads = Array.from({ length: alone ? 0 : options.threads - 1 }, spawnLane);
    const { instance, variant, why } = await startInstance(options).catch((e) => { for (const thread of threads) thread.close(); throw e; });
    const lanes = instance.startLanes(threads);
    lanes.catch(() => {}); // load() looks at it later
    if (!options.kernels) await warmUp(instance);
    return { w: instance, variant, why, lanes, close: () => instance.close() };
  }

  /**
   * @param {Started} started @param {EngineOptions} options
   * @param {{reader: import('./fetch/types.js').Reader, phase: import('./load.js').Phase,
   *   signal?: AbortSignal, onProgress?: (p: import('./load.js').Progress) => void}} io
   */
  static async load({ w, variant, why, lanes }, options, { reader, phase, signal, onProgress }) {
    const meter = new Meter(onProgress);
    try {
      throwIfAborted(signal);
      /** @type {import('./wasm-instance.js').Opened | null} */ let tokenizer = null;
      const prepare = (/** @type {import('./load.js').LoadedModel} */ { handle, image, head, info }) => {
        if (options.kernels) w.useKernels(handle, options.kernels);
        if (info.hasTokenizer) tokenizer = w.openTokenizer(image, head); // while lanes start and weights are on their way
      };
      const model = await streamIn(w, reader, { phase, signal, meter, prepare });
      const { fileBytes } = model.info;
      meter.show('prepare', fileBytes, fileBytes, { always: true });
      throwIfAborted(signal);
      const kernels = options.kernels ? { name: options.kernels, why: [] } : choose(w, model.handle);
      w.useKernels(model.handle, kernels.name);
      w.seal(model.handle);
      await lanes;
      const parts = open(w, model, tokenizer, options);
      parts.info.engine = { variant, kernels: w.kernels(model.handle), threads: w.lanes, why: [describe(variant, w.lanes, await cores()), ...why, ...kernels.why].join(' ') };
      meter.show('ready', fileBytes, fileBytes, { always: true });
      return new Engine(w, parts);
    } catch (e) {
      w.close();
      throw e;
    }
  }

  /** A small model that guesses what this one will say. @param {{reader: import('./fetch/types.js').Reader, phase: import('./load.js').Phase, signal: AbortSignal, onProgress: (p: import('./load.js').Progress) => void}} io */
  async loadDraft({ reader, phase, signal, onProgress }) {
    const w = this.#w, scheduler = this.#writer(), meter = new Meter(onProgress), nSeq = this.#parallel, nBatch = Math.max(BATCH, nSeq);
    const { handle, image, head, info } = await streamIn(w, reader, { phase, signal, meter, prepare: (model) => w.useKernels(model.handle, this.info.engine.kernels) });
    w.seal(handle);
    const its = info.hasTokenizer ? w.openTokenizer(image, head) : null;
    const same = its !== null && this.#tokenizer !== null && w.sameTokens(its.handle, this.#tokenizer.handle);
    w.free(its?.block ?? 0);
    if (!same || !info.hasLogits) throw new EdgeNetError('UNSUPPORTED', same ? 'an encoder is no draft: it writes no text' : 'the draft must have the vocabulary of the model, token by token, and it has another', { detail: { option: 'draft' } });
    const { handle: session, nCtx, bytes } = w.openSession(handle, { nCtx: this.info.contextLength, nBatch, nSeq, nLogits: nSeq, kvType: this.#kvType, profile: false });
    await scheduler.useDraft(new Drafter({ w, session, vocab: Math.min(info.vocab, this.info.vocabulary), nCtx, nBatch, nSeq }, () => this.#closed));
    this.#draftBytes = info.fileBytes + bytes;
    meter.show('ready', info.fileBytes, info.fileBytes, { always: true });
  }

  /** @returns {MemoryInfo} */
  get memory() {
    const parts = [...this.#session ? [this.#session] : [], ...this.#embedders.values()];
    const sum = (/** @type {'bytes' | 'kvBytes'} */ key) => parts.reduce((n, p) => n + p[key], 0);
    return { modelBytes: this.info.fileBytes, kvCacheBytes: sum('kvBytes'), sessionBytes: sum('bytes'), tokenizerBytes: this.#tokenizer?.bytes ?? 0,
      adapterBytes: this.#adapters.bytes, trainingBytes: [...this.#trainings.values()].reduce((n, t) => n + t.bytes, 0), draftBytes: this.#draftBytes, wasmBytes: this.#w.memoryBytes, cachedTokens: this.#scheduler?.cachedTokens ?? 0 };
  }
  /** See WasmInstance.stop. */
  get stop() { return this.#w.stop; }
  /** Work per compute lane since the start. */
  get laneWork() { return Array.from({ length: this.#w.lanes }, (_, lane) => this.#w.lane(lane)); }

  /** @param {string | readonly number[] | import('./chat.js').Message[]} input text, token ids or messages @param {import('./options.js').GenerateSpec} spec @param {AbortSignal | undefined} signal @param {(text: string, id: number) => void} onToken */
  async complete(input, spec, signal, onToken) {
    this.#writer();
    if (!this.info.hasTokenizer && typeof input === 'string') this.#needTokenizer();
    const ids = await this.#idsOf(input, spec);
    const bos = this.info.specialTokens?.bos ?? -1;
    return this.#writer().generate({ ids, spec, signal, onToken, atStart: ids.every((id) => id === bos) });
  }

  /** @param {string | readonly unknown[]} input @param {import('./options.js').GenerateSpec} spec @returns {Promise<number[]>} */
  async #idsOf(input, spec) {
    if (Array.isArray(input) && input.length && typeof input[0] === 'object') return this.#chatIds(checkMessages(input), spec);
    const ids = typeof input === 'string' ? [...this.tokenize(input, { addBos: spec.addBos, specialTokens: spec.specialTokens })] : this.#checkIds(input);
    if (ids.length) return ids;
    throw new EdgeNetError('ARG', 'the prompt is empty and the model has no token to begin with', { detail: { option: 'prompt' } });
  }
  /** @param {import('./chat.js').Checked[]} messages @param {import('./options.js').GenerateSpec} spec */
  async #chatIds(messages, spec) {
    const own = this.info.metadata['tokenizer.chat_template'];
    const { bos, eos } = this.#needTokenizer();
    const textOf = (/** @type {number} */ id) => (id >= 0 ? this.detokenize([id], { specialTokens: true }) : '');
    const text = await renderChat(messages, { template: spec.chatTemplate ?? (typeof own === 'string' ? own : undefined), bos: textOf(bos), eos: textOf(eos), tools: spec.tools });
    const ids = [...this.tokenize(text, { addBos: spec.addBos, specialTokens: true })];
    return ids[0] === bos && ids[1] === bos ? ids.slice(1) : ids; // many templates write the first token themselves
  }

  /** @param {string} text @param {{addBos?: boolean, specialTokens?: boolean}} [options] @returns {Int32Array} */
  tokenize(text, { addBos = true, specialTokens = true } = {}) {
    this.#needTokenizer();
    return this.#w.encode(this.#tokenizer?.handle ?? 0, text, (addBos ? TOK.bos : 0) | (specialTokens ? TOK.special : 0));
  }
  /** @param {readonly number[] | Int32Array} ids @param {{specialTokens?: boolean}} [options] */
  detokenize(ids, { specialTokens = false } = {}) {
    this.#needTokenizer();
    return this.#w.decode(this.#tokenizer?.handle ?? 0, this.#checkIds(ids), specialTokens ? TOK.special : 0, true);
  }
  /** @param {string | readonly number[]} input @param {boolean} all @param {AbortSignal} [signal] */
  logits(input, all, signal) {
    const ids = typeof input === 'string' ? [...this.tokenize(input)] : this.#checkIds(input);
    return this.#writer().logits(ids, all, signal);
  }
  saveState() { return this.#writer().saveState(); }
  /** @param {Uint8Array} state */
  loadState(state) { return this.#writer().loadState(state); }
  clear() { this.#scheduler?.clear(); }
  profile() { return [this.#session?.handle, ...[...this.#embedders.values()].map((e) => e.session)].flatMap((handle) => (handle ? this.#w.profile(handle) : [])); }

  /** @param {readonly (string | readonly number[])[]} inputs @param {import('./options.js').EmbedSpec} spec @param {AbortSignal} [signal] @returns {Promise<{rows: Float32Array, size: number}>} [inputs, size] */
  async embed(inputs, spec, signal) {
    const embedder = this.#embedder(POOLINGS[spec.pooling]);
    const size = spec.dimensions || embedder.size;
    if (size > embedder.size) throw new EdgeNetError('ARG', `dimensions must be at most ${embedder.size}, what the model gives, not ${size}`, { detail: { option: 'dimensions' } });
    const texts = inputs.map((input, i) => {
      const ids = typeof input === 'string' ? [...this.#encode(spec.prefix + input, TOK.bos | TOK.eos)] : this.#checkIds(input);
      return this.#fitted(ids, `texts[${i}]`, embedder.longest, spec.truncate);
    });
    return { rows: await embedder.run(texts, { size, normalize: spec.normalize }, signal), size };
  }
  /** Scores of documents, by a reranker. @param {string} query @param {readonly string[]} documents @param {boolean} truncate @param {AbortSignal} [signal] @returns {Promise<Float32Array>} */
  async rerank(query, documents, truncate, signal) {
    const embedder = this.#embedder(POOLINGS.rank);
    const asked = [...this.#encode(query, TOK.bos | TOK.eos | TOK.pair)];
    const texts = documents.map((text, i) => this.#fitted([...asked, ...this.#encode(text, TOK.eos)], `documents[${i}]`, embedder.longest, truncate));
    const rows = await embedder.run(texts, { size: embedder.size, normalize: false }, signal);
    return Float32Array.from(texts, (_, i) => rows[i * embedder.size]);
  }

  /** What writes text. */
  #writer() {
    if (this.#scheduler) return this.#scheduler;
    throw new EdgeNetError('UNSUPPORTED', `"${this.info.architecture}" is an encoder: it gives embeddings and writes no text`);
  }
  /** @param {number} pooling */
  #embedder(pooling) {
    let it = this.#embedders.get(pooling);
    if (it) return it;
    it = new Embedder(this.#w, this.#model.handle, { nCtx: this.#embedContext, pooling, profile: this.#profile });
    this.#adapters.join(it.session);
    this.#embedders.set(pooling, it);
    return it;
  }
  /** @param {string} text @param {number} flags */
  #encode(text, flags) {
    this.#needTokenizer();
    return this.#w.encode(this.#tokenizer?.handle ?? 0, text, flags);
  }
  /** Ids of a text that are not too many. @param {number[]} ids @param {string} what @param {number} longest @param {boolean} truncate */
  #fitted(ids, what, longest, truncate) {
    if (!ids.length) throw new EdgeNetError('ARG', `${what} is empty and the model has no token to begin with`, { detail: { option: what } });
    if (ids.length <= longest) return ids;
    if (!truncate) throw new EdgeNetError('FULL', `${what} has ${ids.length} tokens and ${longest} are possible: shorten it, set { truncate: true }, or load with another { contextLength }`, { detail: { tokens: ids.length, contextLength: longest } });
    const { addEos = false, eos = -1 } = this.info.specialTokens ?? {};
    return [...ids.slice(0, longest - 1), addEos && ids.at(-1) === eos ? eos : ids[longest - 1]];
  }

  /** @returns {import('./adapters.js').AdapterInfo[]} */
  get adapters() { return this.#adapters.list; }
  /** Loaded at once; at work, with a scale other than 0, when the texts in the making are done. @param {string} name @param {import('./adapters.js').AdapterData} data @param {number} scale */
  async loadAdapter(name, data, scale) {
    this.#adapters.load(name, data);
    if (!scale) return;
    try { await this.scaleAdapters([[name, scale]]); } catch (e) { this.#adapters.unload(name); throw e; }
  }
  /** @param {readonly (readonly [string, number])[]} scales */
  scaleAdapters(scales) { return this.#change(() => this.#adapters.scale(scales)); }
  /** Change what the model computes, when nothing is being computed. @template T @param {() => T} change @returns {Promise<T>} */
  #change(change) {
    const idle = async () => {
      for (let busy; (busy = [...this.#embedders.values()].find((e) => e.busy));) await busy.busy;
      return change();
    };
    return this.#scheduler ? this.#scheduler.change(idle) : idle();
  }
  /** @param {string} name */
  async unloadAdapter(name) {
    await this.#examined;
    return this.#change(() => this.#adapters.unload(name));
  }
  /** Change the weights themselves. @template T @param {() => T} change @returns {Promise<T>} */
  async #reweigh(change) {
    await this.#examined;
    return this.#change(() => { this.#weights++; return change(); });
  }
  /** Adapters into the weights, in this order, for ever. @param {readonly (readonly [string, number])[]} scales */
  merge(scales) { return this.#reweigh(() => this.#adapters.merge(scales)); }
  /** A part of the model's file, as its weights are now. @param {number} from @param {number} n @param {number | null} state what the part before was read in; null: there is none */
  readModel(from, n, state) {
    if (state !== null && state !== this.#weights) throw new EdgeNetError('STATE', 'the weights have changed while they were read: export the model again');
    return { bytes: this.#w.readModel(this.#model.handle, from, Math.min(n, this.info.fileBytes - from)), state: this.#weights };
  }
  /** See vocabularyOf(). @returns {Promise<string>} */
  #tokens() { return this.#vocabulary ??= vocabularyOf(this.#w, this.#tokenizer?.handle ?? 0, this.info.vocabulary); }
  /** What it says after every token, for another model to learn from. @param {readonly Int32Array[]} samples @param {number} topK @param {string | undefined} vocabulary of the other one @param {AbortSignal} signal */
  async topLogits(samples, topK, vocabulary, signal) {
    const w = this.#w, vocab = this.info.vocabulary;
    this.#writer();
    if (vocabulary !== undefined && (this.#needTokenizer(), vocabulary !== await this.#tokens())) throw new EdgeNetError('ARG', `the tokens of "${this.info.name}" are others: teacher and model must have one vocabulary`, { detail: { option: 'teacher' } });
    const mine = this.#examined.then(() => topLogits({ w, model: this.#model.handle, vocab }, samples.map((ids) => Int32Array.from(this.#checkIds(ids))), topK, (session) => this.#adapters.lend(session), signal, () => this.#closed));
    this.#examined = mine.catch(() => {});
    return mine;
  }
  /** @param {readonly import('./samples.js').Pair[]} pairs @param {import('./exam.js').ExamSpec} spec @param {readonly (readonly [string, number])[] | null} scales null: of the adapters at work @param {AbortSignal} signal @param {(done: number, total: number) => void} tell */
  examine(pairs, spec, scales, signal, tell) {
    this.#writer();
    const { vocabulary: vocab, contextTrained } = this.info;
    const { kvBytes = 0, nCtx = 1 } = this.#session ?? {};
    const place = { w: this.#w, model: this.#model.handle, tokenizer: this.#tokenizer?.handle ?? 0, special: this.#needTokenizer(), vocab, contextTrained, kvType: this.#kvType, positionBytes: kvBytes / (nCtx * this.#parallel) };
    const mine = this.#examined.then(() => examine(place, pairs, spec, (session) => this.#adapters.lend(session, scales ?? undefined), signal, () => this.#closed, tell));
    this.#examined = mine.catch(() => {});
    return mine;
  }
  /** The same adapter in another form (null: it has it), and what it is. @param {import('./adapters.js').AdapterData} data @param {'gguf' | 'peft'} form @param {{baseModel?: string}} config @param {boolean} anew */
  convertAdapter(data, form, config, anew) {
    const { handle, block } = openAdapter(this.#w, this.#model.handle, data);
    try { return { data: data.form === form && !anew ? null : adapterFile(this.#w, handle, form, config), ...describeAdapter(this.#w, handle, this.info.layers) }; } finally { this.#w.free(block); }
  }
  /** @param {import('./train-options.js').TrainConfig} config @returns {number} names it from now on */
  openTraining(config) {
    this.#trainings.set(++this.#lastTraining, new Training({ w: this.#w, model: this.#model.handle, info: this.info, tokenizer: this.#tokenizer?.handle ?? 0, vocabulary: () => this.#tokens(), change: (work) => this.#reweigh(work) }, config));
    return this.#lastTraining;
  }
  /** @param {number} id */
  training(id) {
    const training = this.#trainings.get(id);
    if (!training) throw new EdgeNetError('STATE', 'the trainer was disposed');
    return training;
  }
  /** @param {number} id */
  closeTraining(id) {
    this.#trainings.get(id)?.close();
    this.#trainings.delete(id);
  }

  /** Ends what runs and lets go of the memory; the instance is garbage afterwards. */
  dispose() {
    const reason = new EdgeNetError('STATE', 'the session was disposed');
    this.#closed = true;
    this.#scheduler?.close(reason);
    for (const embedder of this.#embedders.values()) embedder.close(reason);
    for (const id of [...this.#trainings.keys()]) this.closeTraining(id);
    this.#w.close();
  }

  #needTokenizer() {
    if (!this.info.specialTokens) throw new EdgeNetError('UNSUPPORTED', "the model's file has no tokenizer that this build knows: only token ids work with it");
    return this.info.specialTokens;
  }
  /** @param {Iterable<unknown> | ArrayLike<unknown>} input @returns {number[]} */
  #checkIds(input) {
    const vocab = this.info.vocabulary;
    return Array.from(input, (id, i) => {
      if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= vocab) throw new EdgeNetError('ARG', `ids[${i}] must be a token id from 0 to ${vocab - 1}, not ${String(id)}`, { detail: { option: `ids[${i}]` } });
      return id;
    });
  }
}

/** @typedef {{model: import('./load.js').LoadedModel, tokenizer: import('./wasm-instance.js').Opened | null, session: ReturnType<import('./wasm-instance.js').WasmInstance['openSession']> | null,
 *   info: ModelInfo, spec: {nBatch: number, nSeq: number, nLogits: number, lookup: number, drafts: number, kvType: number, embedContext: number, profile: boolean}}} Parts session null: an encoder */

/** The context of a sealed model. @param {import('./wasm-instance.js').WasmInstance} w @param {import('./load.js').LoadedModel} model @param {Parts['tokenizer']} tokenizer @param {EngineOptions} options @returns {Parts} */
function open(w, model, tokenizer, { contextLength, parallel, promptLookup: lookup, draftTokens: drafts, kvType, profile }) {
  const info = w.info(model.handle);
  const nCtx = contextLength ?? Math.min(info.contextTrained || DEFAULT_CONTEXT, DEFAULT_CONTEXT);
  const spec = { nBatch: Math.max(BATCH, parallel), nSeq: parallel, lookup, drafts, nLogits: Math.max(parallel * (1 + Math.max(lookup, drafts)), Math.min(16, Math.floor(LOGITS_BYTES / (4 * info.vocab)))), kvType: KV_TYPES[kvType], embedContext: Math.min(info.contextTrained || EMBED_CONTEXT, contextLength ?? EMBED_CONTEXT), profile };
  const session = info.hasLogits ? w.openSession(model.handle, { nCtx, ...spec }) : null;
  const metadata = w.metadata(model.handle);
  w.normalForm = String(metadata['tokenizer.ggml.normalizer.form'] ?? '');
  if (!/^(NFK?[CD])?$/.test(w.normalForm)) throw new EdgeNetError('UNSUPPORTED', `the normal form ${w.normalForm} (tokenizer.ggml.normalizer.form) is not one that we know`);
  return {
    model, tokenizer, session, spec,
    info: {
      name: info.name || info.arch, architecture: info.arch, quantization: info.type, parameters: info.params, fileBytes: info.fileBytes,
      contextTrained: info.contextTrained, contextLength: session?.nCtx ?? spec.embedContext, vocabulary: info.vocab, layers: info.layers, embedding: info.embedding,
      hasLogits: info.hasLogits, pooling: POOLING_NAMES[info.pooling] ?? 'mean', hasTokenizer: tokenizer !== null, hasChatTemplate: typeof metadata['tokenizer.chat_template'] === 'string',
      specialTokens: tokenizer ? w.special(tokenizer.handle) : null, metadata,
      engine: { variant: '', kernels: '', threads: 1, why: '' },
    },
  };
}

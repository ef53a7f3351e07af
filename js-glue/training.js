// @ts-check
// A training in the engine's thread: micro-batches in slices of about 20 ms, so that cancels are seen and texts go on being made meanwhile.
// What a step sees follows from the seed and the step's number alone, so a run that goes on from a checkpoint is the run that was never
// interrupted.
import { EdgeNetError, abortError } from './errors.js';
import { sha256 } from './manifest/hash.js';
import { concat, toHex, utf8 } from './manifest/encoding.js';
import { makeYield } from './platform.js';
import { Prefixes } from './prefixes.js';
import { encodePairs, encodeTexts, epochOrder, mostTokens } from './samples.js';
import { TARGETS } from './train-options.js';
import { KEEP, microBatchBytes } from './train-room.js';

const SLICE_MS = 20;
/** Steps in a row whose gradient is not finite: then something is wrong for good. */
const MOST_SKIPPED = 10;
const DEFAULT_LENGTH = 512;
/** Most memory of a training that nobody has told how much to keep. */
const ROOMY_BYTES = 320e6;
/** Above this many parameters only the top layers are adapted, unless the settings say otherwise. */
const LARGE = 5e8;
const TOP_LAYERS = 4;
/** Random numbers that masks of a micro-batch may take, and where those of measurements begin. */
const MASK_STRIDE = 2 ** 18, EVALUATED = 2 ** 33;

/**
 * @typedef {import('./train-options.js').TrainConfig} TrainConfig @typedef {import('./train-options.js').RunSpec} RunSpec @typedef {import('./train-options.js').TrainEvent} TrainEvent
 * @typedef {import('./samples.js').Pair} Pair
 * @typedef {import('./train-room.js').Sample & {ids: Int32Array}} Sample
 * @typedef {{learn: readonly Pair[], measure: readonly Pair[]}} Data
 * @typedef {{w: import('./wasm-instance.js').WasmInstance, model: number, info: import('./engine.js').ModelInfo, tokenizer: number, vocabulary: () => Promise<string>, change: <T>(work: () => T) => Promise<T>}} Place change: when nothing is at work on the weights
 * @typedef {{get(name: string): Promise<Uint8Array | null>, put(name: string, bytes: Uint8Array): Promise<void>, scratch(): Promise<import('./stores/volume.js').VolumeFile | null>}} Keeper
 *
 * @typedef {object} TrainPlan
 * @property {number} samples to learn
 * @property {number} heldOut to measure
 * @property {number} cut samples that are longer than maxLength
 * @property {number} dropped samples with nothing to learn within maxLength
 * @property {number} steps
 * @property {number} stepsPerEpoch
 * @property {number} batchTokens most tokens of one micro-batch
 * @property {number} parameters numbers that are trained
 * @property {number} bytes memory that the training takes beside the model: adapter, gradients, moments, activations
 *
 * @typedef {object} TrainReport
 * @property {'done' | 'patience'} finished patience: nothing became better, the best was kept
 * @property {number} steps that were made, those of earlier parts of the run included
 * @property {number} samples
 * @property {number} loss of the last step
 * @property {number | null} evalBefore mean loss of the measured samples, null without any
 * @property {number | null} evalLoss the same at the end
 * @property {number} tokens
 * @property {number} milliseconds
 * @property {number} resumedFrom steps that a checkpoint brought; 0: none
 *
 * @typedef {{samples: Sample[], measure: Sample[], perEpoch: number, steps: number, tokens: number, cut: number, dropped: number}} Prepared
 * @typedef {{step: number, loss: number, tokens: number, ms: number, evalBefore: number | null, evalLoss: number | null, best: number | null, bad: number, stop: boolean}} Progress what a checkpoint holds beside the core's state
 */

export class Training {
  #p;
  #config;
  /** null: all weights are trained. @type {import('./wasm-instance.js').Opened | null} */ #adapter = null;
  /** What comes with every token. @type {import('./train-room.js').Wide} */ #wide;
  /** What the frozen layers made of samples, while something is at work. @type {Prefixes | null} */ #prefixes = null;
  /** @type {{handle: number, block: number, bytes: number, spec: import('./train-room.js').TrainSpec, room: import('./train-room.js').MicroBatch} | null} */ #trainer = null;
  #rest = makeYield();
  #rested = 0;
  #busy = false;
  #closed = false;
  /** @type {Promise<void> | null} */ #gate = null;
  #open = () => {};

  /** @param {Place} place @param {TrainConfig} config */
  constructor(place, config) {
    const { w, model, info } = this.#p = place;
    if (config.mixedPrecision && info.quantization === 'F32') throw new EdgeNetError('UNSUPPORTED', 'mixedPrecision: the weights of this model are F32, and so is its forward pass', { detail: { option: 'mixedPrecision' } });
    this.#config = config;
    const { rank, alpha, rslora, useDora, seed, layers, loss, topK } = config;
    const top = layers ?? (info.parameters > LARGE ? TOP_LAYERS : 0);
    const firstLayer = top && top < info.layers ? info.layers - top : 0;
    if (loss === 'distill' && topK > info.vocabulary) throw new EdgeNetError('ARG', `topK ${topK}: the vocabulary has ${info.vocabulary} tokens`, { detail: { option: 'topK' } });
    this.#wide = {
      prefix: firstLayer && !config.full && config.cachePrefix && loss !== 'mlm' ? info.embedding : 0, // masked tokens are others in every epoch
      teacher: loss === 'distill' ? topK || info.vocabulary : 0, named: loss === 'distill' && topK > 0,
    };
    if (info.hasLogits !== nextToken(loss)) throw new EdgeNetError('ARG', `loss "${loss}" is not for this model: "${info.architecture}" ${info.hasLogits ? 'learns the next token, "causal" or "distill"' : 'is an encoder, which learns "mlm", "infonce" or "cosine"'}`, { detail: { option: 'loss' } });
    if (config.full) return;
    const bits = config.targetModules ? targetBits(config.targetModules) : w.targetsOf(model);
    this.#adapter = w.newAdapter(model, { rank, alpha, rslora, useDora, seed, firstLayer, targets: bits });
  }

  /** Bytes in the engine's memory. */
  get bytes() { return (this.#adapter?.bytes ?? 0) + (this.#trainer ? this.#trainer.bytes + this.#trainer.room.bytes : 0); }
  get parameters() { return this.#adapter ? this.#p.w.adapterInfo(this.#adapter.handle, 0).parameters : this.#p.info.parameters; }
  /** @param {'gguf' | 'peft'} form @returns {import('./adapters.js').AdapterData} */
  file(form) {
    const { rslora, dropout } = this.#config;
    if (!this.#adapter) throw new EdgeNetError('STATE', 'there is no adapter: all weights are trained, and exportModel() gives them');
    return adapterFile(this.#p.w, this.#adapter.handle, form, { baseModel: this.#p.info.name, rslora, dropout });
  }
  /** @param {boolean} on */
  pause(on) {
    if (on) this.#gate ??= new Promise((resolve) => { this.#open = () => { this.#gate = null; resolve(); }; });
    else this.#open();
  }
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#open();
    this.#drop();
    if (this.#adapter) this.#p.w.free(this.#adapter.block);
  }

  /** @param {Data} data @param {RunSpec} run @returns {TrainPlan} */
  plan(data, run) {
    const { w } = this.#p;
    const p = this.#prepare(data, run, false);
    const bytes = (this.#adapter?.bytes ?? 0) + microBatchBytes(p.tokens, this.#wide) + this.#bytes(this.#spec(p.tokens));
    return { samples: p.samples.length, heldOut: p.measure.length, cut: p.cut, dropped: p.dropped, steps: p.steps, stepsPerEpoch: p.perEpoch, batchTokens: p.tokens, parameters: this.parameters, bytes };
  }

  /** Token ids of samples as they will be learned, null: nothing of it will be; and what says which vocabulary they are of. @param {readonly Pair[]} pairs */
  async samplesOf(pairs) {
    const { w, tokenizer, vocabulary } = this.#p;
    /** @type {(Int32Array | null)[]} */ const ids = pairs.map(() => null);
    for (const sample of encodePairs({ w, tokenizer, special: this.#words() }, pairs, { maxLength: this.#maxLength(), addEos: this.#config.addEos }).samples) ids[sample.at] = sample.ids;
    return { ids, vocabulary: await vocabulary() };
  }

  /** Mean loss of the learned part of samples. @param {readonly Pair[]} pairs @param {AbortSignal} signal */
  async evaluate(pairs, signal) {
    return this.#alone(async () => {
      const { samples } = this.#encode(pairs);
      if (!samples.length) throw nothing();
      this.#need(mostTokens(samples, this.#config.batchSize));
      const { loss, weight } = await this.#measure(samples, signal);
      return { loss, perplexity: Math.exp(loss), tokens: weight };
    });
  }

  /** @param {Data} data @param {RunSpec} run @param {Keeper} keeper @param {AbortSignal} signal @param {(event: TrainEvent) => void} emit @returns {Promise<TrainReport>} */
  async train(data, run, keeper, signal, emit) {
    return this.#alone(async () => {
      const p = this.#prepare(data, run);
      this.#prefixes = new Prefixes(this.#config.prefixBytes, () => keeper.scratch());
      this.#need(p.tokens);
      const name = run.checkpoint && `checkpoint/${run.checkpoint.name}`;
      const settings = name ? await this.#settings(p, run) : '';
      /** @type {Progress} */ const at = { step: 0, loss: NaN, tokens: 0, ms: 0, evalBefore: null, evalLoss: null, best: null, bad: 0, stop: false };
      /** @type {Uint8Array | null} */ let best = null;
      if (name && run.checkpoint?.resume) best = await this.#resume(await keeper.get(name), at, settings, name);
      const resumedFrom = at.step;
      const keep = async () => { if (name) await keeper.put(name, this.#checkpoint(at, settings, best)); };
      const judge = async () => {
        at.evalLoss = (await this.#measure(p.measure, signal)).loss;
        if (run.patience) {
          if (at.best === null || at.evalLoss < at.best) { at.best = at.evalLoss; at.bad = 0; best = this.#p.w.saveTrainer(this.#live.handle); } else at.bad++;
          at.stop = at.bad >= run.patience;
        }
      };
      if (!at.step && p.measure.length) { await judge(); at.evalBefore = at.evalLoss; }
      const every = run.evalEvery || p.perEpoch;
      /** @type {{epoch: number, order: ArrayLike<number>}} */ const epoch = { epoch: -1, order: [] };
      let skipped = 0;
      while (at.step < p.steps && !at.stop) {
        const event = await this.#step(p, at, epoch, signal).catch(async (e) => {
          if (at.step && signal.aborted && !this.#closed) await keep();
          throw e;
        });
        skipped = event.skipped ? skipped + 1 : 0;
        if (skipped === MOST_SKIPPED) throw new EdgeNetError('NUMERIC', `the gradients of ${MOST_SKIPPED} steps in a row were not finite: try a lower learningRate`);
        if (p.measure.length && (at.step % every === 0 || at.step === p.steps)) { await judge(); event.evalLoss = at.evalLoss; }
        if (run.checkpoint && (at.step % run.checkpoint.every === 0 || at.step === p.steps || at.stop)) await keep();
        emit(event);
      }
      if (at.stop && best) { await this.#load(best); at.evalLoss = at.best; }
      return { finished: at.stop ? 'patience' : 'done', steps: at.step, samples: p.samples.length, loss: at.loss, evalBefore: at.evalBefore, evalLoss: at.evalLoss, tokens: at.tokens, milliseconds: at.ms, resumedFrom };
    });
  }

  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async #alone(work) {
    if (this.#closed) throw closedError();
    if (this.#busy) throw new EdgeNetError('STATE', 'this trainer is at work: wait for it, or abort it');
    this.#busy = true;
    this.#rested = performance.now();
    try { return await work(); } finally {
      this.#busy = false;
      await this.#prefixes?.close();
      this.#prefixes = null;
    }
  }
  /** Change what is trained: beside texts in the making only an adapter can change. @template T @param {() => T} work @returns {Promise<T>} */
  async #change(work) { return this.#adapter ? work() : this.#p.change(work); }
  /** @param {Uint8Array} state */
  #load(state) { return this.#change(() => this.#p.w.loadTrainer(this.#live.handle, state)); }
  get #live() {
    if (this.#closed || !this.#trainer) throw closedError();
    return this.#trainer;
  }

  #words() {
    const { specialTokens } = this.#p.info;
    if (!specialTokens) throw new EdgeNetError('UNSUPPORTED', "the model's file has no tokenizer that this build knows");
    return specialTokens;
  }
  #maxLength() {
    const { contextTrained } = this.#p.info;
    const most = this.#config.maxLength ?? Math.min(DEFAULT_LENGTH, contextTrained || DEFAULT_LENGTH);
    if (contextTrained && most > contextTrained) throw new EdgeNetError('ARG', `maxLength ${most}: the model's context is ${contextTrained}`, { detail: { option: 'maxLength' } });
    return most;
  }
  /** @param {readonly Pair[]} pairs @param {boolean} [taught] with what a teacher says, if the loss has one */
  #encode(pairs, taught = true) {
    const { w, tokenizer } = this.#p, words = { w, tokenizer, special: this.#words() }, { loss, addEos } = this.#config, maxLength = this.#maxLength();
    if (!nextToken(loss)) return encodeTexts(words, pairs, { maxLength, paired: loss !== 'mlm', scored: loss === 'cosine' });
    return encodePairs(words, pairs, { maxLength, addEos, ...(taught && loss === 'distill' && { teacher: { width: this.#wide.teacher, named: this.#wide.named } }) });
  }

  /** Which samples to learn and which to measure. @param {Data} data @param {RunSpec} run @param {boolean} [taught] @returns {Prepared} */
  #prepare(data, run, taught) {
    const { w } = this.#p;
    const { batchSize, gradientAccumulation, maxSteps, seed } = this.#config;
    const { samples: all, cut, dropped } = this.#encode(data.learn, taught);
    const apart = this.#encode(data.measure, taught).samples;
    if (!all.length) throw nothing();
    const order = Array.from(w.shuffled(all.length, seed, 2 ** 32 - 1), (i) => all[i]); // held out: the end of this order
    let n = all.length;
    if (run.evalShare > 0 && !data.measure.length) n = Math.max(1, Math.min(n - 1, n - Math.floor(run.evalShare * n + 0.5)));
    const samples = order.slice(0, n);
    const measure = data.measure.length ? apart : order.slice(n);
    const perEpoch = Math.ceil(n / (batchSize * gradientAccumulation));
    return { samples, measure, perEpoch, steps: maxSteps ?? perEpoch * run.epochs, tokens: mostTokens([...all, ...apart], batchSize), cut, dropped };
  }

  /** @param {import('./train-room.js').TrainSpec} spec */
  #bytes(spec) { return this.#p.w.trainerBytes(this.#adapter?.handle ?? 0, this.#p.model, spec); }
  /** @param {number} tokens @returns {import('./train-room.js').TrainSpec} */
  #spec(tokens) {
    const { gradientCheckpointing, clipNorm, weightDecay, optimizer, momentum, freezeA, loraPlus, dropout, seed, labelSmoothing, loss, temperature, hardMix } = this.#config;
    const spec = { tokens, keep: gradientCheckpointing ? KEEP.inputs : KEEP.all, clipNorm, weightDecay, optimizer, momentum, freezeA, lrRatioB: this.#adapter ? loraPlus : 0, dropout, seed, labelSmoothing, loss, temperature, hardMix };
    if (gradientCheckpointing !== null) return spec;
    const roomy = { ...spec, keep: KEEP.products };
    return this.#bytes(roomy) <= ROOMY_BYTES ? roomy : { ...spec, keep: KEEP.inputs };
  }
  /** A trainer for micro-batches of so many tokens; one that is there goes on in the larger one. @param {number} tokens */
  #need(tokens) {
    const { w, model } = this.#p;
    if (this.#trainer && this.#trainer.spec.tokens >= tokens) return;
    const state = this.#trainer && w.saveTrainer(this.#trainer.handle);
    this.#drop();
    const spec = this.#spec(tokens);
    const trainer = w.openTrainer(this.#adapter?.handle ?? 0, model, spec);
    try { this.#trainer = { ...trainer, spec, room: w.openMicroBatch(tokens, this.#wide) }; } catch (e) { w.free(trainer.block); throw e; }
    if (state) w.loadTrainer(trainer.handle, state);
  }
  #drop() {
    if (!this.#trainer) return;
    this.#p.w.free(this.#trainer.room.at);
    this.#p.w.free(this.#trainer.block);
    this.#trainer = null;
  }

  /** @param {Prepared} p @param {Progress} at @param {{epoch: number, order: ArrayLike<number>}} epoch @param {AbortSignal} signal @returns {Promise<TrainEvent>} */
  async #step(p, at, epoch, signal) {
    const { w } = this.#p;
    const { batchSize, gradientAccumulation, seed, shuffleBuffer, scheduler, learningRate, minLearningRate, warmupSteps } = this.#config;
    const now = Math.floor(at.step / p.perEpoch), inEpoch = at.step % p.perEpoch;
    if (epoch.epoch !== now) { epoch.epoch = now; epoch.order = epochOrder(w, p.samples.length, seed, now, shuffleBuffer); }
    const lr = w.scheduledRate({ scheduler, lr: learningRate, minLr: minLearningRate, warmup: warmupSteps ?? Math.round(p.steps / 10), steps: p.steps }, at.step);
    const start = performance.now();
    /** @type {Sample[][]} */ const batches = [];
    for (let k = 0; k < gradientAccumulation; k++) {
      const from = (inEpoch * gradientAccumulation + k) * batchSize, to = Math.min(from + batchSize, p.samples.length);
      if (from < to) batches.push(Array.from({ length: to - from }, (_, i) => p.samples[epoch.order[from + i]]));
    }
    const { loss, weight } = await this.#accumulate(batches, at.step * gradientAccumulation, signal);
    const tokens = batches.flat().reduce((sum, s) => sum + s.ids.length, 0);
    const { gradNorm, skipped } = await this.#change(() => w.trainStep(this.#live.handle, lr));
    const ms = performance.now() - start;
    at.step++;
    at.loss = loss / weight;
    at.tokens += tokens;
    at.ms += ms;
    return { step: at.step, steps: p.steps, epoch: now, loss: at.loss, evalLoss: null, lr, gradNorm, skipped, tokens, tokensPerSecond: tokens / ms * 1e3, eta: (p.steps - at.step) * at.ms / at.step / 1e3 };
  }

  /** Micro-batches of one step. @param {readonly Sample[][]} batches @param {number} first number of the first @param {AbortSignal} signal */
  async #accumulate(batches, first, signal) {
    const { w, info } = this.#p;
    const rows = this.#config.loss === 'infonce' && batches.length > 1 ? await this.#rows(batches, signal) : null;
    const all = rows && { at: w.keepFloats(rows), n: rows.reduce((n, r) => n + r.length, 0) / info.embedding, first: 0 };
    let loss = 0, weight = 0;
    try {
      for (const [k, samples] of batches.entries()) {
        const part = await this.#micro(samples, 'learn', signal, first + k, all ?? undefined);
        loss += part.loss;
        weight += part.weight;
        if (all) all.first += 2 * samples.length;
      }
    } finally { if (all && !this.#closed) w.free(all.at); }
    return { loss, weight };
  }
  /** Embeddings of all pairs of a step, so that each micro-batch knows the others' (GradCache). @param {readonly Sample[][]} batches @param {AbortSignal} signal */
  async #rows(batches, signal) {
    const rows = [];
    for (const samples of batches) {
      await this.#micro(samples, 'evaluate', signal, 0);
      rows.push(this.#p.w.trainRows(this.#live.handle, this.#p.info.embedding));
    }
    return rows;
  }

  /** Mean loss over samples. @param {readonly Sample[]} samples @param {AbortSignal} signal */
  async #measure(samples, signal) {
    let loss = 0, weight = 0;
    for (let i = 0; i < samples.length; i += this.#config.batchSize) {
      const part = await this.#micro(samples.slice(i, i + this.#config.batchSize), 'evaluate', signal, EVALUATED + i);
      loss += part.loss;
      weight += part.weight;
    }
    return { loss: loss / weight, weight };
  }

  /** One micro-batch. @param {readonly Sample[]} samples @param {'learn' | 'evaluate'} what @param {AbortSignal} signal @param {number} number names it: what is masked follows from it @param {import('./train-room.js').Rows} [rows] of all pairs of the step */
  async #micro(samples, what, signal, number, rows) {
    /** @type {Float32Array[]} */ const prefixes = [];
    for (const sample of this.#wide.prefix ? samples : []) prefixes.push(await this.#prefix(sample, signal));
    return this.#pass(samples, what, signal, this.#wide.prefix ? prefixes : undefined, { rows, mask: this.#config.loss === 'mlm' ? this.#mask(number) : undefined });
  }
  /** @param {number} number of the micro-batch @returns {import('./train-room.js').Mask} */
  #mask(number) {
    const { vocabulary: vocab, specialTokens } = this.#p.info, { maskProbability: probability, seed } = this.#config;
    const { addBos: _, addEos: __, ...special } = /** @type {NonNullable<typeof specialTokens>} */ (specialTokens);
    if (special.mask < 0) throw new EdgeNetError('UNSUPPORTED', "the model's file names no mask token");
    const first = 1 + Math.max(...Object.values(special).filter((id) => id < vocab / 2)); // the mask is the last one of some vocabularies
    return { probability, mask: special.mask, first, vocab, seed, counter: number * MASK_STRIDE };
  }
  /** What the frozen layers make of a sample: the same in every epoch. @param {Sample} sample @param {AbortSignal} signal */
  async #prefix(sample, signal) {
    const kept = await this.#prefixes?.get(sample);
    if (kept) return kept;
    await this.#pass([sample], 'prefix', signal);
    const rows = this.#p.w.prefixRows(this.#live.handle, sample.ids.length * this.#wide.prefix);
    await this.#prefixes?.put(sample, rows);
    return rows;
  }
  /** Forward, and backward to learn, in slices. @param {readonly Sample[]} samples @param {'learn' | 'evaluate' | 'prefix'} what @param {AbortSignal} signal @param {readonly Float32Array[]} [prefixes] @param {{mask?: import('./train-room.js').Mask, rows?: import('./train-room.js').Rows}} [more] */
  async #pass(samples, what, signal, prefixes, more) {
    const { w } = this.#p;
    const { handle, room } = this.#live;
    w.trainBegin(handle, room, samples, what, prefixes, more);
    for (;;) {
      const done = w.trainRun(handle, 1);
      if (performance.now() - this.#rested >= SLICE_MS || this.#gate) {
        if (this.#gate) await this.#paused(this.#gate, signal);
        await this.#rest();
        this.#rested = performance.now();
        if (this.#closed) throw closedError();
        if (signal.aborted) { w.trainForget(handle); throw abortError(signal); }
      }
      if (done) return done;
    }
  }
  /** @param {Promise<void>} gate @param {AbortSignal} signal */
  async #paused(gate, signal) {
    /** @type {() => void} */ let wake = () => {};
    const aborted = new Promise((resolve) => { wake = () => resolve(undefined); signal.addEventListener('abort', wake, { once: true }); });
    if (!signal.aborted) await Promise.race([gate, aborted]);
    signal.removeEventListener('abort', wake);
  }

  // ---- checkpoints: u32 n, n bytes of JSON, the core's state, the core's best state if there is one ----
  /** What a checkpoint must agree with: settings and data. @param {Prepared} p @param {RunSpec} run @returns {Promise<string>} */
  async #settings(p, run) {
    const parts = [...p.samples, ...p.measure].flatMap((s) => [Float64Array.of(s.ids.length, s.prompt, s.split ?? 0, s.score ?? 0), s.ids, s.teacher?.ids, s.teacher?.logits].filter((a) => !!a));
    const text = JSON.stringify([this.#config, p.steps, p.perEpoch, p.samples.length, run.evalEvery, run.patience]);
    return toHex(await sha256(concat(utf8(text), ...parts.map((a) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength)))));
  }
  /** @param {Progress} at @param {string} settings @param {Uint8Array | null} best */
  #checkpoint(at, settings, best) {
    const state = this.#p.w.saveTrainer(this.#live.handle);
    const head = utf8(JSON.stringify({ ...at, settings, stateBytes: state.length }));
    return concat(new Uint8Array(Uint32Array.of(head.length).buffer), head, state, best ?? new Uint8Array(0));
  }
  /** @param {Uint8Array | null} record @param {Progress} at filled @param {string} settings @param {string} name @returns {Promise<Uint8Array | null>} the best state */
  async #resume(record, at, settings, name) {
    if (!record) return null;
    const n = new DataView(record.buffer, record.byteOffset, record.byteLength).getUint32(0, true);
    const { settings: theirs, stateBytes, ...progress } = JSON.parse(new TextDecoder().decode(record.subarray(4, 4 + n)));
    if (theirs !== settings) throw new EdgeNetError('ARG', `the ${name.replace('/', ' ')} was made with other data or other settings: give another name, or { resume: false } to begin anew`, { detail: { option: 'checkpoint' } });
    await this.#load(record.subarray(4 + n, 4 + n + stateBytes));
    Object.assign(at, progress);
    return record.length > 4 + n + stateBytes ? record.slice(4 + n + stateBytes) : null;
  }
}

/** @param {readonly string[]} names */
function targetBits(names) { return names.reduce((bits, name) => bits | 1 << TARGETS.indexOf(/** @type {any} */ (name)), 0); }

/** @param {import('./wasm-instance.js').WasmInstance} w @param {number} adapter @param {'gguf' | 'peft'} form @param {{baseModel?: string, dropout?: number, rslora?: boolean}} [config] @returns {import('./adapters.js').AdapterData} */
export function adapterFile(w, adapter, form, config) {
  if (form === 'gguf') return { form, file: w.saveAdapter(adapter, 'gguf') };
  return { form, tensors: w.saveAdapter(adapter, 'peft'), config: new TextDecoder().decode(w.saveAdapter(adapter, 'peft-config', config)) };
}
/** Is it a loss of models that write? @param {string} loss */
function nextToken(loss) { return loss === 'causal' || loss === 'distill'; }
function nothing() { return new EdgeNetError('ARG', 'there is nothing to learn in the data', { detail: { option: 'data' } }); }
function closedError() { return new EdgeNetError('STATE', 'the trainer was disposed'); }

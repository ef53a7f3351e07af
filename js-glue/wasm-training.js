// @ts-check
// The calls of the wasm exports for adapters and training (wasm/exports_train.c).
import { EdgeNetError, errorOfStatus } from './errors.js';
import { layRoom, mailedSpec, microBatchBytes } from './train-room.js';
import { WasmBorder } from './wasm-border.js';

const E_MORE = -3;
const E_NUMERIC = -9;
/** en.h: EN_LORA_*, of q, k, v, o, gate, up, down. */
const LORA_BITS = Object.freeze([1, 2, 4, 8, 16, 32, 64]);
/** en_train.h: EN_TRAIN_*. */
const TRAIN = Object.freeze(['evaluate', 'learn', 'prefix']);
const MASK_TRIES = 1000;
const ADAPTER_FORMS = Object.freeze(['gguf', 'peft', 'peft-config']);

/** @typedef {import('./train-room.js').Wide} Wide @typedef {import('./train-room.js').MicroBatch} MicroBatch @typedef {import('./train-room.js').TrainSpec} TrainSpec
 * @typedef {import('./train-room.js').Sample} Sample @typedef {import('./train-room.js').Rows} Rows @typedef {import('./train-room.js').Mask} Mask */

export class WasmTraining extends WasmBorder {
  // ---- adapters ----
  /** EN_LORA_* of every target that a model has. @param {number} model @returns {number} */
  targetsOf(model) { return this.run('w_adapter_targets', model); }
  /** @param {number} model @param {{rank: number, alpha: number, targets: number, rslora: boolean, firstLayer: number, seed: number, useDora: boolean}} spec */
  newAdapter(model, { rank, alpha, targets, rslora, firstLayer, seed, useDora }) {
    this.tell([rank, alpha, targets, rslora ? 1 : 0, firstLayer, seed, useDora ? 1 : 0]);
    this.must('w_adapter_new', model);
    return this.opened();
  }
  /** @param {number} model @param {Uint8Array} file of llama.cpp */
  openAdapter(model, file) { return this.withBytes(file, (at) => { this.must('w_adapter_open', model, at, file.length); return this.opened(); }); }
  /** @param {number} model @param {Uint8Array} tensors @param {string} config PEFT's two files */
  openPeft(model, tensors, config) {
    return this.withBytes(tensors, (at) => this.withText(config, (text, n) => { this.must('w_adapter_open_peft', model, at, tensors.length, text, n); return this.opened(); }));
  }
  /** Numbers in it, alpha (0: scale 1), and the rank of every target of every layer, 0 for none. @param {number} adapter @param {number} layers */
  adapterInfo(adapter, layers) {
    const ranks = Array.from({ length: layers }, (_, layer) => LORA_BITS.map((bit) => /** @type {number} */ (this.run('w_adapter_rank', adapter, layer, bit)) >>> 0));
    return { parameters: /** @type {number} */ (this.run('w_adapter_params', adapter)), alpha: /** @type {number} */ (this.run('w_adapter_alpha', adapter)), ranks };
  }
  /** A file of it. @param {number} adapter @param {'gguf' | 'peft' | 'peft-config'} form @param {{baseModel?: string, dropout?: number, rslora?: boolean}} [config] for PEFT's settings @returns {Uint8Array} */
  saveAdapter(adapter, form, { baseModel = '', dropout = 0, rslora = false } = {}) {
    return this.withText(baseModel, (base) => {
      this.must('w_adapter_save', adapter, ADAPTER_FORMS.indexOf(form), baseModel ? base : 0, dropout, rslora ? 1 : 0);
      const { block, bytes } = this.opened();
      try { return this.copy(block, bytes); } finally { this.free(block); }
    });
  }
  /** Into the model's weights, for ever; nothing may be at work on it. @param {number} model @param {number} adapter @param {number} scale */
  mergeAdapter(model, adapter, scale) { this.must('w_adapter_merge', model, adapter, scale); }
  /** Another adapter was merged into its model. @param {number} adapter */
  rebaseAdapter(adapter) { this.run('w_adapter_rebased', adapter); }
  /** Bytes of the model's file, as its weights are now. @param {number} model @param {number} from @param {number} n @returns {Uint8Array} */
  readModel(model, from, n) {
    const at = this.alloc(n);
    try { this.must('w_model_read', model, from, at, n); return this.copy(at, n); } finally { this.free(at); }
  }
  /** Every sequence is empty afterwards, also after detach. @param {number} session @param {number} adapter @param {number} scale */
  attach(session, adapter, scale) { this.must('w_session_attach', session, adapter, scale); }
  /** @param {number} session @param {number} adapter */
  detach(session, adapter) { this.must('w_session_detach', session, adapter); }

  // ---- training ----
  /** Bytes that openTrainer will take; 0: it will say why it cannot be. @param {number} adapter 0: all weights of the model @param {number} model @param {TrainSpec} spec @returns {number} */
  trainerBytes(adapter, model, spec) { this.tell(mailedSpec(spec)); return this.run('w_trainer_bytes', adapter, model); }
  /** @param {number} adapter @param {number} model @param {TrainSpec} spec */
  openTrainer(adapter, model, spec) {
    this.tell(mailedSpec(spec));
    this.must('w_trainer_open', adapter, model);
    return this.opened();
  }
  /** Room for a micro-batch. @param {number} cap tokens @param {Wide} wide */
  openMicroBatch(cap, wide) { return layRoom(this.alloc(microBatchBytes(cap, wide)), cap, wide); }
  /**
   * Samples one after another; the core borrows the room until the micro-batch is done. @param {number} trainer @param {MicroBatch} room @param {readonly Sample[]} samples
   * @param {'evaluate' | 'learn' | 'prefix'} what @param {readonly Float32Array[]} [prefixes] what the frozen layers made of each sample
   * @param {{mask?: Mask, rows?: Rows}} [more] mask: of tokens that are to be guessed; rows: of all pairs of a larger batch
   */
  trainBegin(trainer, room, samples, what, prefixes, { mask, rows } = {}) {
    const ids = new Int32Array(this.memory.buffer, room.ids, room.cap);
    const segment = new Uint32Array(this.memory.buffer, room.segment, room.cap);
    const weight = new Float32Array(this.memory.buffer, room.weight, room.cap);
    let n = 0;
    samples.forEach((sample, i) => {
      ids.set(sample.ids, n);
      segment.fill(2 * i, n, n + sample.ids.length).fill(2 * i + 1, n + (sample.split ?? sample.ids.length), n + sample.ids.length);
      new Float32Array(this.memory.buffer, room.targets, room.cap)[i] = sample.score ?? 0;
      weight.fill(1, n, n + sample.ids.length).fill(0, n, n + sample.prompt);
      if (prefixes) new Float32Array(this.memory.buffer, room.prefixAt, room.cap * room.prefix).set(prefixes[i], n * room.prefix);
      if (sample.teacher) new Float32Array(this.memory.buffer, room.teacherAt, room.cap * room.teacher).set(sample.teacher.logits, n * room.teacher);
      if (sample.teacher?.ids) new Int32Array(this.memory.buffer, room.namedAt, room.cap * room.teacher).set(sample.teacher.ids, n * room.teacher);
      n += sample.ids.length;
    });
    if (mask) this.#mask(room, n, mask);
    this.must('w_train_begin', trainer, n, room.ids, room.segment, room.weight, prefixes ? room.prefixAt : 0, mask ? room.goals : 0, room.targets, rows?.at ?? 0, rows?.n ?? 0, rows?.first ?? 0, room.teacher ? room.teacherAt : 0, room.namedAt, room.teacher, TRAIN.indexOf(what));
  }
  /** Mask tokens, one at least. @param {MicroBatch} room @param {number} n @param {Mask} mask */
  #mask(room, n, { probability, mask, first, vocab, seed, counter }) {
    for (let k = 0; k < MASK_TRIES; k++) if (this.run('w_train_mask', room.ids, room.goals, n, probability, mask, first, vocab, seed, counter + k)) return;
    throw new EdgeNetError('ARG', 'no token was masked: the texts are too short, or maskProbability is too low', { detail: { option: 'maskProbability' } });
  }
  /** Embeddings of the texts of the micro-batch before. @param {number} trainer @param {number} width @returns {Float32Array} */
  trainRows(trainer, width) {
    const at = this.run('w_train_rows', trainer) >>> 0, [n] = this.mailbox(1);
    return new Float32Array(this.memory.buffer, at, n * width).slice();
  }
  /** Numbers in a block of their own. @param {readonly Float32Array[]} parts @returns {number} for free() */
  keepFloats(parts) {
    const at = this.alloc(parts.reduce((n, p) => n + p.byteLength, 0));
    let to = at;
    for (const part of parts) {
      new Float32Array(this.memory.buffer, to, part.length).set(part);
      to += part.byteLength;
    }
    return at;
  }
  /** What the frozen layers made of the tokens of the micro-batch before. @param {number} trainer @param {number} n tokens times width */
  prefixRows(trainer, n) { return new Float32Array(this.memory.buffer, this.run('w_trainer_prefix', trainer) >>> 0, n).slice(); }
  /** @param {number} trainer @param {number} steps @returns {{loss: number, weight: number} | null} null: there is more to do */
  trainRun(trainer, steps) {
    const status = this.run('w_train_run', trainer, steps);
    if (status === E_MORE) return null;
    if (status !== 0) throw errorOfStatus(status, this.why());
    const [loss, weight] = this.mailbox(2);
    return { loss, weight };
  }
  /** Forget the micro-batch in work and all gradients since the last step. @param {number} trainer */
  trainForget(trainer) { this.run('w_train_forget', trainer); }
  /** @param {number} trainer @param {number} lr @returns {{gradNorm: number, skipped: boolean}} skipped: the gradient is not finite */
  trainStep(trainer, lr) {
    const status = this.run('w_train_step', trainer, lr);
    if (status !== 0 && status !== E_NUMERIC) throw errorOfStatus(status, this.why());
    return { gradNorm: this.mailbox(1)[0], skipped: status !== 0 };
  }
  /** Factors, moments and the count of steps. @param {number} trainer @returns {Uint8Array} */
  saveTrainer(trainer) {
    const n = this.run('w_trainer_save', trainer, 0, 0);
    const at = this.alloc(n);
    try {
      this.run('w_trainer_save', trainer, at, n);
      return this.copy(at, n);
    } finally { this.free(at); }
  }
  /** @param {number} trainer @param {Uint8Array} state */
  loadTrainer(trainer, state) { this.withBytes(state, (at) => this.must('w_trainer_load', trainer, at, state.length)); }
  /** Rate of step k = 0, 1, ... @param {{scheduler: 'constant' | 'linear' | 'cosine', lr: number, minLr: number, warmup: number, steps: number}} s @param {number} k @returns {number} */
  scheduledRate(s, k) { return this.run('w_schedule_lr', ['constant', 'linear', 'cosine'].indexOf(s.scheduler), s.lr, s.minLr, s.warmup, s.steps, k); }
  /** 0 to n - 1 in an order that follows from seed and epoch. @param {number} n @param {number} seed @param {number} epoch @returns {Uint32Array} */
  shuffled(n, seed, epoch) {
    const at = this.alloc(4 * n);
    try {
      this.run('w_shuffle', at, n, seed, epoch);
      return new Uint32Array(this.memory.buffer, at, n).slice();
    } finally { this.free(at); }
  }
  /** Number `counter` of the random stream of a seed, 0 <= x < 1. @param {number} seed @param {number} counter @returns {number} */
  uniform(seed, counter) { return this.run('w_uniform', seed, counter); }
}

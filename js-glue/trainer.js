// @ts-check
// Trainer: fine-tune an adapter of a session's model. The work is done where the engine lives, beside the texts that it makes.
import { Adapter, blankMeta } from './adapter.js';
import { EdgeNetError } from './errors.js';
import { linked } from './listen.js';
import { runSpec } from './train-options.js';

/**
 * @typedef {import('./train-options.js').TrainConfig} TrainConfig @typedef {import('./train-options.js').RunOptions} RunOptions @typedef {import('./train-options.js').RunSpec} RunSpec
 * @typedef {import('./train-options.js').TrainData} TrainData @typedef {import('./train-options.js').TrainEvent} TrainEvent @typedef {import('./train-options.js').TrainSample} TrainSample
 * @typedef {import('./training.js').TrainReport} TrainReport @typedef {import('./training.js').TrainPlan} TrainPlan @typedef {import('./samples.js').Pair} Pair
 * @typedef {import('./adapter.js').Access & {remember: (memory: import('./engine.js').MemoryInfo) => void, exportModel: () => ReadableStream<Uint8Array>}} TrainerAccess
 */

/**
 * @example
 * const trainer = session.createTrainer({ rank: 4, learningRate: 1e-3 });
 * await trainer.train([{ input: 'Q: What is our motto?\nA:', output: ' Small is fast.' }], { epochs: 20, onStep: ({ step, loss }) => console.log(step, loss) });
 * const adapter = await trainer.getAdapter();
 * await adapter.save('motto');
 * await session.loadAdapter('motto');
 */
export class Trainer {
  #access;
  /** The settings, complete. @readonly @type {Readonly<TrainConfig>} */ config;
  /** @type {Promise<number> | null} */ #id = null;
  #disposed = false;
  /** @type {TrainReport | null} of the last run */ #report = null;

  /** Use session.createTrainer(). @param {TrainerAccess} access @param {TrainConfig} config */
  constructor(access, config) {
    this.#access = access;
    this.config = Object.freeze(config);
  }

  /**
   * Learn. @param {TrainData} data samples: of { input, output } only the output is learned; a text is learned whole
   * @param {RunOptions} [options] @returns {Promise<TrainReport>} rejects with ABORTED after the signal; what whole steps learned stays
   */
  async train(data, options = {}) {
    const { trainer, given, run } = await this.#begin(data, options, true);
    const own = linked(options.signal, options.onStep);
    const { report, memory } = await own.run(this.#access.call('train', { trainer, data: given, run }, { signal: own.signal, onEvent: own.tell }));
    this.#access.remember(memory);
    this.#report = report;
    return report;
  }

  /** As train(), step by step; leaving the loop stops it. @param {TrainData} data @param {RunOptions} [options] @returns {AsyncGenerator<TrainEvent, TrainReport, void>} */
  async *steps(data, options = {}) {
    const own = linked(options.signal);
    /** @type {TrainEvent[]} */ const ready = [];
    let wake = () => {}, over = false;
    const done = this.train(data, { ...options, signal: own.signal, onStep: (event) => { ready.push(event); wake(); } });
    done.catch(() => {}).finally(() => { over = true; wake(); });
    try {
      for (;;) {
        while (ready.length) yield /** @type {TrainEvent} */ (ready.shift());
        if (over) return await done;
        await new Promise((resolve) => { wake = () => resolve(undefined); });
      }
    } finally {
      own.abort();
      own.release();
      await done.catch(() => {});
    }
  }

  /** What train() would do with this data, and the memory that it would take: nothing is allocated for it. @param {TrainData} data @param {RunOptions} [options] @returns {Promise<TrainPlan>} */
  async plan(data, options = {}) {
    const { trainer, given, run } = await this.#begin(data, options);
    return this.#access.call('planTraining', { trainer, data: given, run });
  }
  /** Mean loss per learned token of samples, with what was learned so far. @param {TrainData} data @param {{teacher?: import('./train-options.js').Teacher, signal?: AbortSignal}} [options] teacher: of 'distill' @returns {Promise<{loss: number, perplexity: number, tokens: number}>} */
  async evaluate(data, options = {}) {
    const pairs = await this.#taught(await pairsOf(data, 'data', Infinity), options);
    return this.#access.call('evaluate', { trainer: await this.#open(), pairs }, { signal: options.signal });
  }
  /** Token ids of samples as they are learned, for a teacher to look at; null: nothing of one is learned. @param {TrainData} data @returns {Promise<(Int32Array | null)[]>} */
  async encode(data) { return (await this.#access.call('samplesOf', { trainer: await this.#open(), pairs: await pairsOf(data, 'data', Infinity) })).ids; }
  /** Wait after the step of a layer that is being computed. @returns {Promise<void>} */
  async pause() { await this.#access.call('pauseTrainer', { trainer: await this.#open(), on: true }); }
  /** Go on. @returns {Promise<void>} */
  async resume() { await this.#access.call('pauseTrainer', { trainer: await this.#open(), on: false }); }

  /** What was learned so far; it does not change when the training goes on. @param {import('./adapter.js').AdapterLabels} [labels] @returns {Promise<Adapter>} */
  async getAdapter(labels = {}) {
    const trainer = await this.#open();
    const data = await this.#access.call('trainedAdapter', { trainer, form: 'peft' }).catch((e) => {
      if (e.code !== 'UNSUPPORTED') throw e;
      return this.#access.call('trainedAdapter', { trainer, form: 'gguf' }); // of architectures whose checkpoints lie otherwise
    });
    const { rank, alpha, targetModules } = await this.#access.call('convertAdapter', { data, form: data.form, baseModel: '' });
    const r = this.#report;
    const delta = r && r.evalBefore !== null && r.evalLoss !== null ? Math.exp(r.evalLoss) - Math.exp(r.evalBefore) : null;
    const known = blankMeta({ ...labels, quality: labels.quality ?? { perplexityDelta: delta }, ...(r && { training: { steps: r.steps, finalLoss: Number.isFinite(r.loss) ? r.loss : null, samples: r.samples, duration: r.milliseconds } }) });
    return new Adapter(this.#access, { ...known, baseModel: this.#access.info.name, rank, alpha, targetModules: [...targetModules] }, data);
  }

  /** With `full`: the model's file as its weights are now. @returns {ReadableStream<Uint8Array>} */
  exportModel() { return this.#access.exportModel(); }

  /** Stop, and give the memory back; adapters that were taken from it stay. @returns {Promise<void>} */
  async dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    const id = await this.#id?.catch(() => null);
    if (id) this.#access.remember(await this.#access.call('closeTrainer', { trainer: id }));
  }
  /** For `await using trainer = …`. */
  [Symbol.asyncDispose]() { return this.dispose(); }

  #open() {
    if (this.#disposed) throw new EdgeNetError('STATE', 'the trainer was disposed');
    return this.#id ??= this.#access.call('openTrainer', { config: this.config }).catch((e) => { this.#id = null; throw e; });
  }
  /** With what the teacher says to each, if there is one. @param {Pair[]} pairs @param {Pick<RunOptions, 'teacher' | 'signal'>} options @returns {Promise<Pair[]>} */
  async #taught(pairs, { teacher, signal }) {
    if (!teacher || !pairs.length) return pairs;
    if (this.config.loss !== 'distill') throw new EdgeNetError('ARG', 'teacher goes with loss: "distill"', { detail: { option: 'teacher' } });
    const { ids, vocabulary } = await this.#access.call('samplesOf', { trainer: await this.#open(), pairs });
    const rows = await teacher.topLogits(ids.filter((all) => all !== null), { topK: this.config.topK, vocabulary, signal });
    let next = 0;
    return pairs.map(([input, output], i) => [input, output, undefined, ids[i] ? rows[next++] : undefined]);
  }
  /** @param {TrainData} data @param {RunOptions} options @param {boolean} [asked] is a teacher to be asked? */
  async #begin(data, options, asked = false) {
    const { replayShare, ...run } = runSpec(options);
    const { maxSteps, batchSize, gradientAccumulation } = this.config;
    const learn = await pairsOf(data, 'data', maxSteps === null ? Infinity : maxSteps * batchSize * gradientAccumulation);
    const old = options.replay === undefined ? [] : await pairsOf(options.replay, 'replay', Infinity);
    const more = old.length ? Math.round(learn.length * replayShare / (1 - replayShare)) : 0;
    const mixed = [...learn, ...Array.from({ length: more }, (_, i) => old[i % old.length])];
    const measure = options.evalData === undefined ? [] : await pairsOf(options.evalData, 'evalData', Infinity);
    const taught = asked ? { learn: await this.#taught(mixed, options), measure: await this.#taught(measure, options) } : { learn: mixed, measure };
    return { trainer: await this.#open(), given: taught, run };
  }
}

/** @param {TrainData} data @param {string} name @param {number} most that can be of use @returns {Promise<Pair[]>} */
export async function pairsOf(data, name, most) {
  const iterable = data !== null && typeof data === 'object' && (Symbol.iterator in data || Symbol.asyncIterator in data);
  if (!iterable) throw new EdgeNetError('ARG', `${name} must be an array or another iterable of samples`, { detail: { option: name } });
  /** @type {Pair[]} */ const pairs = [];
  for await (const sample of data) {
    pairs.push(pairOf(sample, `${name}[${pairs.length}]`));
    if (pairs.length >= most) break;
  }
  return pairs;
}
/** @param {any} s @param {string} name @returns {Pair} */
function pairOf(s, name) {
  if (typeof s === 'string') return [null, s];
  if (s?.teacher !== undefined && !(s.teacher?.logits instanceof Float32Array && (s.teacher.ids === null || s.teacher.ids instanceof Int32Array))) throw new EdgeNetError('ARG', `${name}.teacher must be { ids: Int32Array or null, logits: Float32Array }`, { detail: { option: name } });
  /** @type {[undefined?, import('./train-options.js').TeacherRows?]} */ const taught = s?.teacher ? [undefined, s.teacher] : [];
  if (typeof s?.text === 'string' && s.input === undefined && s.output === undefined) return [null, s.text, ...taught];
  if (typeof s?.input === 'string' && typeof s.output === 'string') return [s.input, s.output, ...taught];
  if (typeof s?.anchor === 'string' && typeof s.positive === 'string' && (s.score === undefined || Math.abs(s.score) <= 1)) return [s.anchor, s.positive, s.score ?? null];
  throw new EdgeNetError('ARG', `${name} must be a string, { text }, { input, output } or { anchor, positive, score? }`, { detail: { option: name } });
}

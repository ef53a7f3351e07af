// @ts-check
// Settings of a training: names, sections, bounds and defaults in one place. They may be given flat ({ rank: 4 }) or in the sections of a
// MicroLoRAConfig ({ adapter: { rank: 4 } }).
import { EdgeNetError } from './errors.js';
import { checkSignal, knownOnly, numberIn } from './options.js';

/**
 * @typedef {'q_proj' | 'k_proj' | 'v_proj' | 'o_proj' | 'gate_proj' | 'up_proj' | 'down_proj'} LoRATarget
 *
 * @typedef {object} AdapterSettings
 * @property {number} [rank] of the update (4)
 * @property {number} [alpha] the update is scaled by alpha / rank (twice the rank)
 * @property {number} [dropout] share of its inputs that the update does not see in training (0)
 * @property {readonly LoRATarget[]} [targetModules] default: all that the model has
 * @property {boolean} [rslora] scale by alpha / sqrt(rank) (false)
 * @property {boolean} [useDora] train the length of every row of the matrices too: DoRA. Its adapters have no GGUF form (false)
 * @property {number} [layers] adapt only so many layers at the top, 0: all; default: all, and 4 of models with more than 0.5 billion parameters
 * @property {boolean} [full] no adapter: train all weights of a model whose tensors are all F32, in the session itself; trainer.exportModel() gives the file (false)
 *
 * @typedef {object} TrainingSettings
 * @property {number} [batchSize] samples packed into one micro-batch (2)
 * @property {number} [gradientAccumulation] micro-batches of one step (1)
 * @property {number} [learningRate] the highest (1e-4)
 * @property {number} [minLearningRate] what linear and cosine fall to (0)
 * @property {number} [warmupSteps] steps over which the rate rises; default: a tenth of all
 * @property {number} [maxSteps] default: as the epochs of train() say
 * @property {'adamw' | 'sgd'} [optimizer] ('adamw')
 * @property {'cosine' | 'linear' | 'constant'} [scheduler] ('cosine')
 * @property {number} [weightDecay] (0)
 * @property {number} [clipNorm] greatest norm of the gradient, 0: any (1)
 * @property {number} [momentum] of sgd (0)
 * @property {number} [labelSmoothing] (0)
 * @property {'causal' | 'distill' | 'mlm' | 'infonce' | 'cosine'} [loss] what is learned; default: 'causal', the next token; 'distill': the probabilities that a teacher gives to it. Of encoders: 'mlm' masked tokens of
 *   texts; of { anchor, positive } 'infonce', that each anchor is nearest to its own positive among those of its micro-batch, or with a score 'cosine', the cosine that they should have
 * @property {number} [temperature] of distill (2), of infonce (0.05)
 * @property {number} [topK] of distill: so many of the teacher's tokens at every place, the others count as impossible; 0: all of them, which takes 4 bytes for each token of the vocabulary (64)
 * @property {number} [hardMix] of distill: share of the data's own tokens, the teacher has the rest (0)
 * @property {boolean} [freezeA] train B only: LoRA-FA (false)
 * @property {number} [loraPlus] learning rate of B over that of A (1)
 * @property {number} [seed] of start values, dropout and order (0)
 *
 * @typedef {object} MemorySettings
 * @property {boolean} [gradientCheckpointing] true: keep only the inputs of layers and compute the rest again; false: keep everything, which is faster and takes several times the memory. Default: keep
 *   what products and attention made, nearly as fast, where training then takes at most 320 MB, else as true. The results are the same
 * @property {boolean} [cachePrefix] with `layers`: compute what the frozen layers make of a sample once, and keep it, in memory and in the session's storage (true)
 * @property {number} [prefixBytes] of it in memory; default: 32 MB, and 256 MB where there is no fast storage, or it is full: what does not fit is computed again then
 * @property {boolean} [mixedPrecision] a forward pass in fewer bits than the gradients, which are f32: what every model has whose weights are not F32
 * @property {boolean} [offloadOptimizer] not part of this release: an error when true
 *
 * @typedef {object} DataSettings
 * @property {number} [maxLength] tokens of a sample, longer ones are cut (512, or the model's context)
 * @property {number} [maskProbability] share of the tokens that mlm masks (0.15)
 * @property {number} [shuffleBuffer] samples among which the next one is drawn; 0: all of them (0)
 * @property {boolean} [addEos] samples end with the end-of-text token (true)
 *
 * @typedef {{adapter?: AdapterSettings, training?: TrainingSettings, memory?: MemorySettings, data?: DataSettings, backend?: 'auto' | 'wasm' | 'webgpu'}} MicroLoRASections
 * @typedef {MicroLoRASections & Omit<AdapterSettings, never> & TrainingSettings & MemorySettings & DataSettings} MicroLoRAConfig
 *
 * @typedef {Required<Omit<AdapterSettings, 'targetModules' | 'layers'>> & {targetModules: readonly LoRATarget[] | null, layers: number | null}
 *   & Required<Omit<TrainingSettings, 'warmupSteps' | 'maxSteps'>> & {warmupSteps: number | null, maxSteps: number | null}
 *   & {gradientCheckpointing: boolean | null, cachePrefix: boolean, prefixBytes: number | null, mixedPrecision: boolean} & {maxLength: number | null, maskProbability: number, shuffleBuffer: number, addEos: boolean}} TrainConfig checked and complete; null: it depends on the data or the model
 */

/** In the order of the core's bits (en.h: EN_LORA_*). @type {readonly LoRATarget[]} */
export const TARGETS = Object.freeze(/** @type {const} */ (['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']));

/** @typedef {{dflt: any, check: (name: string, value: unknown) => unknown}} Setting */
/** @param {number} min @param {number} max @param {any} dflt @returns {Setting} */
const number = (min, max, dflt) => ({ dflt, check: (name, value) => numberIn(name, value, min, max) });
/** @param {number} min @param {number} max @param {any} dflt @returns {Setting} */
const integer = (min, max, dflt) => ({ dflt, check: (name, value) => numberIn(name, value, min, max, true) });
/** @param {boolean | null} dflt @returns {Setting} */
const flag = (dflt) => ({ dflt, check: (name, value) => (typeof value === 'boolean' ? value : wrong(name, 'true or false', value)) });
/** @param {readonly string[]} words @returns {Setting} the first is the default */
const word = (...words) => ({ dflt: words[0], check: (name, value) => (words.includes(/** @type {string} */ (value)) ? value : wrong(name, `one of ${words.join(', ')}`, value)) });
/** What this release can do only one way. @param {unknown} only @param {string} why @returns {Setting} */
const fixed = (only, why) => ({ dflt: only, check: (name, value) => (value === only ? value : unsupported(name, why)) });

/** @type {Readonly<Record<string, Readonly<Record<string, Setting>>>>} */
const SECTIONS = Object.freeze({
  adapter: {
    rank: integer(1, 64, 4), alpha: number(1e-6, 1e5, null), dropout: number(0, 0.99, 0), targetModules: { dflt: null, check: targets }, rslora: flag(false), useDora: flag(false), layers: integer(0, 1e6, null), full: flag(false),
  },
  training: {
    batchSize: integer(1, 65536, 2), gradientAccumulation: integer(1, 65536, 1), learningRate: number(0, 10, 1e-4), minLearningRate: number(0, 10, 0),
    warmupSteps: integer(0, 1e9, null), maxSteps: integer(1, 1e9, null), optimizer: word('adamw', 'sgd'), scheduler: word('cosine', 'linear', 'constant'),
    weightDecay: number(0, 10, 0), clipNorm: number(0, 1e6, 1), momentum: number(0, 0.9999, 0), labelSmoothing: number(0, 0.99, 0), freezeA: flag(false),
    loraPlus: number(1e-3, 1e4, 1), loss: word('causal', 'distill', 'mlm', 'infonce', 'cosine'), temperature: number(1e-3, 100, 0), topK: integer(0, 65536, 64), hardMix: number(0, 1, 0), seed: integer(0, 2 ** 31 - 1, 0),
  },
  memory: { gradientCheckpointing: flag(null), cachePrefix: flag(true), prefixBytes: integer(0, 2 ** 53, null), mixedPrecision: flag(false), offloadOptimizer: fixed(false, 'the state of the optimizer stays in memory: it is 12 bytes for each number of the adapter') },
  data: { maxLength: integer(2, 65536, null), maskProbability: number(0, 0.9, 0.15), shuffleBuffer: integer(0, 2 ** 31 - 1, 0), addEos: flag(true) },
});
/** @type {Readonly<Record<string, Setting>>} */
const BACKEND = Object.freeze({ backend: { dflt: 'auto', check: (name, value) => (value === 'webgpu' ? unsupported(name, 'training runs in WebAssembly; use "auto"') : word('auto', 'wasm').check(name, value)) } });

const FOR_ADAPTERS = Object.freeze(['rank', 'alpha', 'dropout', 'targetModules', 'rslora', 'useDora', 'layers', 'freezeA', 'loraPlus']);

/** @param {string} name @param {string} rule @param {unknown} value @returns {never} */
function wrong(name, rule, value) { throw new EdgeNetError('ARG', `${name} must be ${rule}, not ${JSON.stringify(value) ?? String(value)}`, { detail: { option: name } }); }
/** @param {string} name @param {string} why @returns {never} */
function unsupported(name, why) { throw new EdgeNetError('UNSUPPORTED', `${name}: ${why}`, { detail: { option: name } }); }
/** @param {string} name @param {unknown} value @returns {LoRATarget[]} without doubles, in the core's order */
function targets(name, value) {
  const known = `an array of some of ${TARGETS.join(', ')}`;
  if (!Array.isArray(value) || !value.length) return wrong(name, known, value);
  for (const target of value) if (!TARGETS.includes(target)) wrong(name, known, target);
  return TARGETS.filter((target) => value.includes(target));
}

/** @param {MicroLoRAConfig} [config] @returns {TrainConfig} */
export function trainConfig(config = {}) {
  const flat = { ...BACKEND, ...Object.assign({}, ...Object.values(SECTIONS)) };
  knownOnly(config, [...Object.keys(flat), ...Object.keys(SECTIONS)], 'config');
  /** @type {Record<string, unknown>} */ const out = {};
  for (const [name, setting] of Object.entries(flat)) out[name] = setting.dflt;
  /** @param {Record<string, unknown>} given @param {Readonly<Record<string, Setting>>} known @param {string} where */
  const take = (given, known, where) => {
    for (const [name, setting] of Object.entries(known)) if (given[name] !== undefined) out[name] = setting.check(where + name, given[name]);
  };
  for (const [section, known] of Object.entries(SECTIONS)) {
    const part = /** @type {any} */ (config)[section];
    if (part === undefined) continue;
    knownOnly(part, Object.keys(known), section);
    take(part, known, `${section}.`);
  }
  take(/** @type {any} */ (config), flat, '');
  const useless = out.full === true && FOR_ADAPTERS.find((name) => out[name] !== flat[name].dflt);
  if (useless) wrong(useless, 'left out with full: it is for adapters', out[useless]);
  out.alpha ??= 2 * /** @type {number} */ (out.rank);
  delete out.backend;
  return /** @type {any} */ (out);
}

/**
 * @typedef {object} RunOptions
 * @property {number} [epochs] times through the data, unless maxSteps says otherwise (3)
 * @property {TrainData} [evalData] samples to measure, not to learn
 * @property {number} [evalShare] without evalData: share of the samples to hold out and measure (0)
 * @property {number} [evalEvery] steps between measurements; default: the end of every epoch
 * @property {number} [patience] stop when so many measurements in a row brought nothing better, and keep the best; 0: never (0)
 * @property {TrainData} [replay] samples of what must not be forgotten
 * @property {number} [replayShare] share of them in what is learned (0.2)
 * @property {string | {name: string, every?: number, resume?: boolean}} [checkpoint] keep the state under this name every so many steps (10), and go on from it; resume: false begins anew
 * @property {Teacher} [teacher] of 'distill': a session of a model with the same vocabulary; or the samples bring its logits
 * @property {AbortSignal} [signal] stops within a slice of some 20 ms; train() then rejects with ABORTED, and what whole steps learned stays
 * @property {(event: TrainEvent) => void} [onStep]
 *
 * @typedef {import('./train-room.js').TeacherRows} TeacherRows
 * @typedef {{topLogits(samples: readonly Int32Array[], options: {topK: number, vocabulary?: string, signal?: AbortSignal}): Promise<TeacherRows[]>}} Teacher an InferenceSession is one
 * @typedef {{teacher?: TeacherRows}} Taught rows for every token of the sample: those of the input, of the output, and of the end
 * @typedef {({input: string, output: string} | {text: string}) & Taught | string | {anchor: string, positive: string, score?: number}} TrainSample input is not learned, output is; a string or text is learned whole; pairs are for encoders
 * @typedef {Iterable<TrainSample> | AsyncIterable<TrainSample>} TrainData
 * @typedef {object} TrainEvent
 * @property {number} step 1, 2, ...
 * @property {number} steps of the whole run
 * @property {number} epoch 0, 1, ...
 * @property {number} loss mean of this step's learned tokens
 * @property {number | null} evalLoss where this step was followed by a measurement
 * @property {number} lr
 * @property {number} gradNorm before clipping
 * @property {boolean} skipped the gradient was not finite: nothing changed
 * @property {number} tokens of this step, prompts included
 * @property {number} tokensPerSecond
 * @property {number} eta seconds to the end
 *
 * @typedef {{epochs: number, evalShare: number, evalEvery: number, patience: number, checkpoint: {name: string, every: number, resume: boolean} | null}} RunSpec checked
 */
const RUN = Object.freeze(['epochs', 'evalData', 'evalShare', 'evalEvery', 'patience', 'replay', 'replayShare', 'checkpoint', 'teacher', 'signal', 'onStep']);

/** @param {RunOptions} [o] @returns {RunSpec & {replayShare: number}} */
export function runSpec(o = {}) {
  knownOnly(o, RUN, 'options');
  checkSignal(o.signal);
  if (o.onStep !== undefined && typeof o.onStep !== 'function') wrong('onStep', 'a function', o.onStep);
  if (o.teacher !== undefined && typeof o.teacher?.topLogits !== 'function') wrong('teacher', 'a session', o.teacher);
  const given = typeof o.checkpoint === 'string' ? { name: o.checkpoint } : o.checkpoint;
  if (given !== undefined) {
    knownOnly(given, ['name', 'every', 'resume'], 'checkpoint');
    checkName('checkpoint.name', given.name);
  }
  return {
    epochs: o.epochs === undefined ? 3 : numberIn('epochs', o.epochs, 1, 1e6, true),
    evalShare: o.evalShare === undefined ? 0 : numberIn('evalShare', o.evalShare, 0, 0.9),
    evalEvery: o.evalEvery === undefined ? 0 : numberIn('evalEvery', o.evalEvery, 1, 1e9, true),
    patience: o.patience === undefined ? 0 : numberIn('patience', o.patience, 0, 1e6, true),
    replayShare: o.replay === undefined ? 0 : numberIn('replayShare', o.replayShare ?? 0.2, 0, 0.99),
    checkpoint: given === undefined ? null : { name: given.name, every: given.every === undefined ? 10 : numberIn('checkpoint.every', given.every, 1, 1e9, true), resume: given.resume !== false },
  };
}

/**
 * @typedef {object} EvaluateOptions
 * @property {number} [maxTokens] most tokens of an answer (128)
 * @property {number} [maxLength] tokens of a sample, longer ones are cut (512, or the model's context)
 * @property {string} [groupBy] count apart by this member of answers that are JSON ('intent')
 * @property {number} [parallel] answers at once, fewer where their caches would take more than 64 MB (16)
 * @property {number} [show] tell so many wrong answers (0)
 * @property {Readonly<Record<string, number>> | null} [adapters] scales of loaded ones, null: none; default: those that are at work
 * @property {boolean} [compare] also without any adapter: what was learned, and what forgotten (false)
 * @property {AbortSignal} [signal]
 * @property {(progress: {done: number, total: number}) => void} [onProgress]
 *
 * @typedef {Omit<import('./exam.js').ExamReport, 'right'>} Figures
 * @typedef {Figures & {milliseconds: number, base?: Figures, learned?: number, forgotten?: number}} Evaluated with compare: base: without any adapter;
 *   learned: share of its wrong answers that are right now; forgotten: share of its right answers that are wrong now
 */
const EVALUATE = Object.freeze(['maxTokens', 'maxLength', 'groupBy', 'parallel', 'show', 'adapters', 'compare', 'signal', 'onProgress']);

/** @param {EvaluateOptions} o @param {import('./engine.js').ModelInfo} info @returns {{spec: import('./exam.js').ExamSpec, scales: [string, number][] | null, compare: boolean}} */
export function examSpec(o, { contextTrained }) {
  knownOnly(o, EVALUATE, 'options');
  checkSignal(o.signal);
  const { groupBy = 'intent', adapters, compare = false } = o;
  if (typeof groupBy !== 'string') wrong('groupBy', 'a string', groupBy);
  if (typeof compare !== 'boolean') wrong('compare', 'true or false', compare);
  if (o.onProgress !== undefined && typeof o.onProgress !== 'function') wrong('onProgress', 'a function', o.onProgress);
  const count = (/** @type {'maxTokens' | 'maxLength' | 'parallel' | 'show'} */ name, /** @type {number} */ min, /** @type {number} */ max, /** @type {number} */ dflt) => (o[name] === undefined ? dflt : numberIn(name, o[name], min, max, true));
  return {
    spec: { groupBy, maxTokens: count('maxTokens', 1, 65536, 128), parallel: count('parallel', 1, 256, 16), show: count('show', 0, 2 ** 31 - 1, 0), maxLength: count('maxLength', 2, contextTrained || 65536, Math.min(512, contextTrained || 512)) },
    scales: adapters === undefined ? null : Object.entries(adapters ?? {}).map(([name, scale]) => [name, numberIn(`adapters.${name}`, scale, -1e5, 1e5)]), compare,
  };
}

/** Names of adapters and checkpoints. @param {string} option @param {unknown} name @returns {string} */
export function checkName(option, name) {
  return typeof name === 'string' && /^[\w][\w .-]{0,99}$/.test(name) ? name : wrong(option, 'a name of 1 to 100 letters, digits, spaces and . _ -', name);
}

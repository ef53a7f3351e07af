// @ts-check
// What a training hands over to the core: its settings, in the order of wasm/exports_train.c, and where the parts of a micro-batch lie in the room that is lent for it.

/**
 * @typedef {{tokens: number, keep: number, clipNorm: number, weightDecay: number, optimizer: 'adamw' | 'sgd', momentum: number, freezeA: boolean, lrRatioB: number,
 *   dropout: number, seed: number, labelSmoothing: number, loss: string, temperature: number, hardMix: number}} TrainSpec tokens: most of one micro-batch; keep: of KEEP; temperature: 0: the loss's own
 * @typedef {{prefix: number, teacher: number, named: boolean}} Wide numbers for every token: of a prefix, of a teacher's logits, 0: none; named: with the ids that they are of
 * @typedef {Wide & {at: number, bytes: number, cap: number, ids: number, segment: number, weight: number, goals: number, targets: number, prefixAt: number, teacherAt: number, namedAt: number}} MicroBatch
 * @typedef {{ids: Int32Array | null, logits: Float32Array}} TeacherRows for every token of a sample, row after row: logits, and the ids that they are of; null: of the whole vocabulary, in order
 * @typedef {{ids: ArrayLike<number>, prompt: number, split?: number, score?: number, teacher?: TeacherRows}} Sample prompt: leading tokens that are not learned; split: a pair of texts, the second begins there; score: the cosine that they should have
 * @typedef {{at: number, n: number, first: number}} Rows first: of the micro-batch
 * @typedef {{probability: number, mask: number, first: number, vocab: number, seed: number, counter: number}} Mask first: ids below are special
 */

/** What stays of a layer for the way back (en_train.h). */
export const KEEP = Object.freeze({ inputs: 0, all: 1, products: 2 });
/** losses.def */
const LOSSES = Object.freeze(['causal', 'distill', 'mlm', 'infonce', 'cosine']);

/** @param {TrainSpec} s @returns {number[]} */
export function mailedSpec(s) {
  return [s.tokens, s.keep, s.clipNorm, s.weightDecay, s.optimizer === 'sgd' ? 1 : 0, s.momentum, s.freezeA ? 1 : 0, s.lrRatioB, s.dropout, s.seed, LOSSES.indexOf(s.loss), s.labelSmoothing, s.temperature, s.hardMix];
}

/** @param {number} cap tokens @param {Wide} wide */
export function microBatchBytes(cap, { prefix, teacher, named }) { return (20 + 4 * prefix + 4 * teacher * (named ? 2 : 1)) * cap; }

/** @param {number} at of so many bytes @param {number} cap @param {Wide} wide @returns {MicroBatch} */
export function layRoom(at, cap, wide) {
  const prefixAt = at + 20 * cap, teacherAt = prefixAt + 4 * cap * wide.prefix;
  return {
    ...wide, at, bytes: microBatchBytes(cap, wide), cap, ids: at, segment: at + 4 * cap, weight: at + 8 * cap, goals: at + 12 * cap, targets: at + 16 * cap,
    prefixAt, teacherAt, namedAt: wide.named ? teacherAt + 4 * cap * wide.teacher : 0,
  };
}

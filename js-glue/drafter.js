// @ts-check
// A small model that guesses what a large one will say. It draws its guesses by the same random numbers and settings as the large one draws its tokens, so both
// mostly draw the same where they agree (core/infer/sampler.c), and the large one's text stays what it would have been alone.
import { EdgeNetError } from './errors.js';
import { Evaluation } from './evaluation.js';
import { commonPrefix } from './scheduler.js';

/**
 * @typedef {{w: import('./wasm-instance.js').WasmInstance, session: number, vocab: number, nCtx: number, nBatch: number, nSeq: number}} DraftPlace vocab: ids below it mean the same to both models
 * @typedef {{seq: number, text: readonly number[], next: number, most: number, sampler: number, from: number}} Ask
 *   text, next: what stands there, and the token behind it; most: tokens to guess; sampler: the draft's own; from: the one that draws the text
 */

export class Drafter {
  #p;
  #evaluation;
  /** @type {number[][]} what each sequence of the draft's cache holds */ #cached;

  /** @param {DraftPlace} place @param {() => boolean} closed is the memory gone? */
  constructor(place, closed) {
    this.#p = place;
    this.#evaluation = new Evaluation(place.w, place.session, place.nBatch, closed);
    this.#cached = Array.from({ length: place.nSeq }, () => []);
  }
  get vocab() { return this.#p.vocab; }

  /** A guess that was wrong is taken back, which not every model can. @param {() => boolean} stale */
  async check(stale) {
    const { w, session } = this.#p;
    if (await this.#evaluation.run([0, 0], [0, 0], [0, 0], stale) && w.keep(session, 0, 1) !== 1) throw new EdgeNetError('UNSUPPORTED', 'a recurrent model cannot take guesses back: it is no draft', { detail: { option: 'draft' } });
    this.forget(0);
  }
  /** @param {number} seq */
  forget(seq) {
    this.#cached[seq].length = 0;
    this.#p.w.keep(this.#p.session, seq, 0);
  }
  /** `to` becomes a copy of `from`. @param {number} from @param {number} to */
  copy(from, to) {
    this.#cached[to] = [...this.#cached[from]];
    this.#p.w.copySeq(this.#p.session, from, to);
  }

  /** @param {readonly Ask[]} asks @param {() => boolean} stale give up? @returns {Promise<number[][] | null>} null: given up */
  async guess(asks, stale) {
    const { w, session, vocab, nCtx, nBatch } = this.#p;
    const work = asks.map(({ seq, text, next, most, sampler, from }) => {
      const cached = this.#cached[seq];
      const keep = cached.length = w.keep(session, seq, commonPrefix(cached, text));
      const pending = [...text.slice(keep), next];
      w.follow(sampler, from);
      return { seq, sampler, cached, pending, guesses: /** @type {number[]} */ ([]), most: pending.every((id) => id < vocab) ? Math.min(most, nCtx - text.length - 1) : 0 };
    });
    for (;;) {
      const ids = /** @type {number[]} */ ([]), seqs = /** @type {number[]} */ ([]), want = /** @type {number[]} */ ([]);
      const parts = work.flatMap((it) => {
        const n = it.guesses.length < it.most ? Math.min(nBatch - ids.length, it.pending.length) : 0;
        for (let i = 0; i < n; i++) { ids.push(it.pending[i]); seqs.push(it.seq); want.push(i === it.pending.length - 1 ? 1 : 0); }
        return n ? [{ it, n }] : [];
      });
      if (!parts.length) return work.map((it) => it.guesses);
      if (!await this.#evaluation.run(ids, seqs, want, stale)) return null;
      let row = 0;
      for (const { it, n } of parts) {
        it.cached.push(...it.pending.splice(0, n));
        if (it.pending.length) continue;
        const { id } = w.pick(session, row++, it.sampler, 0, 0, true);
        it.guesses.push(id);
        it.pending = [id];
      }
    }
  }
}

// @ts-check
// Continuous batching over the sequences of one core session: whatever is asked at the same time is computed together.
// Every turn of the loop takes one token from each running text and fills the rest of the batch with prompts that are still being
// read. Texts that begin alike read their beginning once: the others wait for it and copy it. Tokens can be guessed, from what stands
// earlier in a text or by a draft model, and checked together: what the model would have said anyway comes out, in fewer turns.
import { EdgeNetError, abortError, asError } from './errors.js';
import { Evaluation } from './evaluation.js';

/** "ENS1": magic, count of ids, ids (32 bits each, little-endian), then en_seq_save's bytes. */
const STATE_MAGIC = 0x31534e45;

/**
 * @typedef {import('./wasm-instance.js').WasmInstance} WasmInstance
 * @typedef {import('./options.js').GenerateSpec} GenerateSpec
 * @typedef {'stop' | 'length' | 'abort'} FinishReason stop: end token or stop sequence; length: maxTokens or the context is full
 * @typedef {{promptTokens: number, cachedTokens: number, promptMs: number, tokens: number, guesses: number, guessedTokens: number, tokenMs: number, ttftMs: number}} Timings
 *   cachedTokens: of the prompt, in the KV cache from another call; guesses: tokens that were guessed (options promptLookup and draft); guessedTokens: those that were right; tokenMs: all tokens after the first; ttftMs: from the call to the first token
 * @typedef {{text: string, tokens: number[], finishReason: FinishReason, timings: Timings, seed: number}} Completion
 * @typedef {{ids: number[], spec: GenerateSpec, atStart: boolean, signal?: AbortSignal, onToken: (text: string, id: number) => void}} Request
 *   ids: the prompt, at least one token; atStart: the text begins with the first new token; onToken: id -1 is text that was held back to the end
 * @typedef {{seq: number, cached: number[], job: Job | null, used: number}} Slot one sequence of the KV cache
 * @typedef {{w: WasmInstance, session: number, tokenizer: number, vocab: number, nCtx: number, nBatch: number, nSeq: number, nLogits: number, lookup: number, drafts: number}} Place lookup, drafts: tokens to guess at most from the text, and by a draft model
 */

/** Tokens of a beginning that another text has, too, from which on it is worth waiting for. */
const WORTH_WAITING = 16;

/** Turns without a guess after several wrong ones in a row, at most. */
const MAX_PAUSE = 31;

/** A text in the making. */
class Job {
  tokens = /** @type {number[]} */ ([]);
  text = '';
  /** Handles and memory blocks in the core, 0 when there is none. */
  sampler = { handle: 0, block: 0 };
  stream = { handle: 0, block: 0 };
  grammar = { handle: 0, block: 0 };
  /** @type {number[]} ids that are not in the cache yet */ pending = [];
  cachedTokens = 0;
  draft = { handle: 0, block: 0 };
  /** Tokens to guess next time: fewer after wrong guesses. */ trust = Infinity;
  /** Turns in a row whose guesses were all wrong, and turns to wait until the next ones. */ misses = 0;
  pause = 0;
  guesses = 0;
  guessedTokens = 0;
  promptMs = 0;
  firstAt = 0;
  startedAt = performance.now();
  /** @type {(c: Completion) => void} */ resolve = () => {};
  /** @type {(e: Error) => void} */ reject = () => {};
  /** @param {Request} request */
  constructor({ ids, spec, atStart, signal, onToken }) {
    this.ids = ids;
    this.spec = spec;
    this.atStart = atStart;
    this.signal = signal;
    this.onToken = onToken;
    /** @type {Promise<Completion>} */
    this.done = new Promise((resolve, reject) => { this.resolve = resolve; this.reject = reject; });
  }
}

export class Scheduler {
  #p;
  #evaluation;
  /** @type {Slot[]} */ #slots;
  /** @type {Job[]} */ #waiting = [];
  /** @type {{run: () => Promise<void>, fail: (e: Error) => void}[]} */ #exclusive = [];
  #running = false;
  #clock = 0;
  #lexicon = 0;
  /** @type {import('./drafter.js').Drafter | null} */ #drafter = null;
  /** @type {EdgeNetError | null} */ #closed = null;

  /** @param {Place} place */
  constructor(place) {
    this.#p = place;
    this.#evaluation = new Evaluation(place.w, place.session, place.nBatch, () => this.#closed !== null);
    this.#slots = Array.from({ length: place.nSeq }, (_, seq) => ({ seq, cached: [], job: null, used: 0 }));
  }

  /** @param {Request} request @returns {Promise<Completion>} */
  generate(request) {
    const { ids } = request;
    if (this.#closed) return Promise.reject(this.#closed);
    if (ids.length >= this.#p.nCtx) {
      return Promise.reject(new EdgeNetError('FULL', `the prompt has ${ids.length} tokens and the context holds ${this.#p.nCtx}: shorten it or set { contextLength }`, { detail: { tokens: ids.length, contextLength: this.#p.nCtx } }));
    }
    const job = new Job(request);
    this.#waiting.push(job);
    this.#start();
    return job.done;
  }

  /** Logits after the last id, or after each of them: [rows, vocab]. @param {number[]} ids @param {boolean} all @param {AbortSignal} [signal] @returns {Promise<Float32Array>} */
  logits(ids, all, signal) {
    return this.#alone(async () => {
      const { w, session, vocab, nCtx, nBatch, nLogits } = this.#p;
      if (!ids.length || ids.length > nCtx) throw new EdgeNetError(ids.length ? 'FULL' : 'ARG', `logits need 1 to ${nCtx} tokens, not ${ids.length}`);
      const slot = this.#slots[0];
      this.#forget(slot);
      const out = new Float32Array(vocab * (all ? ids.length : 1));
      const chunk = all ? Math.min(nBatch, nLogits) : nBatch;
      for (let at = 0; at < ids.length; at += chunk) {
        const part = ids.slice(at, at + chunk);
        const want = part.map((_, i) => (all || at + i === ids.length - 1 ? 1 : 0));
        while (!await this.#evaluation.run(part, part.map(() => slot.seq), want, () => signal?.aborted === true || this.#closed !== null)) {
          if (this.#closed) throw this.#closed;
          if (signal?.aborted) throw abortError(signal);
        }
        slot.cached.push(...part);
        if (all) part.forEach((_, i) => w.logits(session, i, vocab, out.subarray((at + i) * vocab, (at + i + 1) * vocab)));
      }
      if (!all) w.logits(session, 0, vocab, out);
      return out;
    });
  }

  /** Ids and KV cache of the text that was worked on last. @returns {Promise<Uint8Array>} */
  saveState() {
    return this.#alone(async () => {
      const { w, session } = this.#p;
      const { seq, cached } = this.#slots.reduce((a, b) => (b.used > a.used ? b : a));
      const lead = 4 * (2 + cached.length);
      const out = w.saveSeq(session, seq, lead);
      const head = new DataView(out.buffer);
      [STATE_MAGIC, cached.length, ...cached].forEach((v, i) => head.setUint32(4 * i, v, true));
      return out;
    });
  }
  /** Put a saved state into the sequence that was unused for longest. @param {Uint8Array} state */
  loadState(state) {
    return this.#alone(async () => {
      const { w, session } = this.#p;
      const head = new DataView(state.buffer, state.byteOffset, state.byteLength);
      const n = state.length >= 8 && head.getUint32(0, true) === STATE_MAGIC ? head.getUint32(4, true) : -1;
      if (n < 0 || state.length < 8 + 4 * n) throw new EdgeNetError('FORMAT', 'this is not a saved state, or it is cut short');
      const slot = this.#slots.reduce((a, b) => (b.used < a.used ? b : a));
      const positions = w.loadSeq(session, slot.seq, state.subarray(8 + 4 * n));
      slot.cached = Array.from({ length: n }, (_, i) => head.getUint32(8 + 4 * i, true));
      slot.used = ++this.#clock;
      if (positions !== n) {
        this.#forget(slot);
        throw new EdgeNetError('FORMAT', 'the saved state contradicts itself');
      }
    });
  }

  /** Change what the model computes, when no text is being made: what is cached belongs to the model as it was. @template T @param {() => Promise<T>} change @returns {Promise<T>} */
  change(change) {
    return this.#alone(async () => {
      try { return await change(); } finally { for (const slot of this.#slots) this.#forget(slot); }
    });
  }
  /** Forget every cached position that no running text needs. */
  clear() { for (const slot of this.#slots) if (!slot.job) this.#forget(slot); }
  /** Positions in the cache, running texts included. */
  get cachedTokens() { return this.#slots.reduce((n, s) => n + s.cached.length, 0); }
  get busy() { return this.#running; }

  /** From now on this one guesses. @param {import('./drafter.js').Drafter} drafter */
  useDraft(drafter) {
    return this.#alone(async () => {
      await drafter.check(() => this.#closed !== null);
      this.#drafter = drafter;
    });
  }

  /** Nothing more is taken; what runs ends at its next slice with this error. @param {EdgeNetError} reason */
  close(reason) { this.#closed ??= reason; }

  /** Run something when no text is being made. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  #alone(work) {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#exclusive.push({ run: () => work().then(resolve, reject), fail: reject });
      this.#start();
    });
  }

  #start() {
    if (this.#running) return;
    this.#running = true;
    // A microtask later: calls made in one go are then batched from their first token on.
    void Promise.resolve().then(() => this.#loop()).catch((e) => this.#failAll(asError(e))).finally(() => {
      this.#running = false;
      if (!this.#closed && (this.#waiting.length || this.#exclusive.length)) this.#start();
    });
  }

  async #loop() {
    this.#evaluation.wake();
    for (;;) {
      if (this.#closed) return this.#failAll(this.#closed);
      this.#admit();
      this.#reap();
      const active = this.#slots.filter((s) => s.job);
      if (active.length) await this.#turn(active);
      else if (this.#exclusive.length) await /** @type {any} */ (this.#exclusive.shift()).run();
      else if (!this.#waiting.length) return;
      await this.#evaluation.restIfDue();
    }
  }

  /**
   * Waiting texts take free sequences: the one that already holds most of the prompt, unless more would be lost with what it holds beside it; then, and while there is an empty one, the one
   * unused for longest. A longer beginning that another one holds is copied.
   */
  #admit() {
    if (this.#exclusive.length) return;
    for (const job of [...this.#waiting]) {
      const free = this.#slots.filter((s) => !s.job);
      if (!free.length) return;
      const shared = (/** @type {Slot} */ s) => commonPrefix(s.cached, job.ids);
      const longest = this.#slots.reduce((a, b) => (shared(b) > shared(a) ? b : a));
      if (this.#slots.some((s) => s.job && s.job.pending.length > 1 && commonPrefix(s.job.ids, job.ids) >= shared(longest) + WORTH_WAITING)) continue;
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      const oldest = free.reduce((a, b) => (b.used < a.used ? b : a)), nearest = free.reduce((a, b) => (shared(b) > shared(a) ? b : a), oldest);
      const lost = nearest.cached.length - shared(nearest);
      const slot = lost > shared(nearest) || lost && !oldest.cached.length ? oldest : nearest;
      try { this.#begin(job, slot, shared(longest) > shared(slot) ? longest : slot); } catch (e) { this.#end(slot, job, asError(e)); }
    }
  }

  /** @param {Job} job @param {Slot} slot @param {Slot} from who has its beginning */
  #begin(job, slot, from) {
    const { w, tokenizer, vocab, session } = this.#p;
    slot.job = job;
    slot.used = ++this.#clock;
    if (from !== slot) {
      w.copySeq(session, from.seq, slot.seq);
      slot.cached = [...from.cached];
      this.#drafter?.copy(from.seq, slot.seq);
    }
    // The last prompt token is always computed: its logits choose the first new one.
    const keep = w.keep(session, slot.seq, Math.min(commonPrefix(slot.cached, job.ids), job.ids.length - 1));
    slot.cached.length = keep;
    job.cachedTokens = keep;
    job.pending = job.ids.slice(keep);
    job.sampler = w.openSampler(vocab, job.spec.settings, job.spec.bias);
    w.accept(job.sampler.handle, job.spec.window ? job.ids.slice(-job.spec.window) : []);
    const { vocab: known = 0 } = this.#drafter ?? {};
    if (known) job.draft = w.openSampler(known, job.spec.settings, job.spec.bias.filter(([id]) => id < known));
    if (job.spec.grammar) {
      if (!tokenizer) throw new EdgeNetError('UNSUPPORTED', "a grammar needs a tokenizer, and the model's file has none that this build knows");
      this.#lexicon ||= w.openLexicon(tokenizer).handle;
      job.grammar = w.openGrammar(this.#lexicon, job.spec.grammar);
    }
    if (tokenizer) job.stream = w.openStream(tokenizer, job.spec.stopSequences, job.atStart && !job.spec.grammar); // a grammar counts every byte
  }

  /** End the texts whose caller gave up, and those that have nothing left to do. */
  #reap() {
    for (const job of this.#waiting.filter((j) => j.signal?.aborted)) {
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      job.resolve(this.#completion(job, 'abort'));
    }
    for (const slot of this.#slots) {
      if (slot.job?.signal?.aborted) this.#finish(slot, 'abort');
      else if (slot.job && slot.job.spec.maxTokens === 0) this.#finish(slot, 'length');
    }
  }

  /** One turn: one token of each running text, and prompt tokens up to a full batch. @param {Slot[]} active */
  async #turn(active) {
    const ids = /** @type {number[]} */ ([]), seq = /** @type {number[]} */ ([]), want = /** @type {number[]} */ ([]);
    /** @type {{slot: Slot, job: Job, n: number, last: boolean, guesses: number[]}[]} */ const parts = [];
    const stale = () => active.some(({ job }) => job?.signal?.aborted) || this.#closed !== null;
    const guessed = await this.#guess(active, stale);
    if (!guessed) return;
    let room = this.#p.nBatch;
    const order = [...active].sort((a, b) => pendingOf(a) - pendingOf(b));
    for (const slot of order) {
      const job = /** @type {Job} */ (slot.job);
      const n = Math.min(room, job.pending.length);
      if (!n) continue;
      room -= n;
      const last = n === job.pending.length;
      const guesses = guessed.get(slot)?.slice(0, room) ?? [];
      room -= guesses.length;
      parts.push({ slot, job, n, last, guesses });
      for (let i = 0; i < n; i++) { ids.push(job.pending[i]); seq.push(slot.seq); want.push(last && i === n - 1 ? 1 : 0); }
      for (const id of guesses) { ids.push(id); seq.push(slot.seq); want.push(1); }
    }
    const t0 = performance.now();
    if (!await this.#evaluation.run(ids, seq, want, stale)) return;
    const ms = performance.now() - t0;
    let row = 0;
    for (const { slot, job, n, last, guesses } of parts) {
      slot.cached.push(...job.pending.splice(0, n));
      if (!job.tokens.length) job.promptMs += ms;
      if (last) this.#pick(slot, job, row);
      if (guesses.length) this.#check(slot, job, row + 1, guesses);
      if (last) row += 1 + guesses.length;
    }
  }

  /** What may come next: by what came after the same tokens earlier, else by the draft model. @param {Slot[]} active @param {() => boolean} stale @returns {Promise<Map<Slot, number[]> | null>} null: given up */
  async #guess(active, stale) {
    const { lookup, nCtx } = this.#p, drafts = this.#drafter ? this.#p.drafts : 0;
    /** @type {Map<Slot, number[]>} */ const guessed = new Map();
    /** @type {Map<Slot, import('./drafter.js').Ask>} */ const asks = new Map();
    for (const slot of lookup || drafts ? active : []) {
      const job = /** @type {Job} */ (slot.job), { cached: text, seq } = slot, [next] = job.pending;
      if (!job.tokens.length || job.pending.length > 1 || job.pause-- > 0) continue;
      const most = Math.min(job.trust, nCtx - text.length - 1, job.spec.maxTokens - job.tokens.length - 1);
      const known = continuation(text, next, Math.min(lookup, most));
      guessed.set(slot, known);
      if (!known.length && Math.min(drafts, most) > 0) asks.set(slot, { seq, text, next, most: Math.min(drafts, most), sampler: job.draft.handle, from: job.sampler.handle });
    }
    const drafted = asks.size ? await this.#drafter?.guess([...asks.values()], stale) : [];
    [...asks.keys()].forEach((slot, i) => guessed.set(slot, drafted?.[i] ?? []));
    return drafted ? guessed : null;
  }
  /** Go on while the model says what was guessed; then forget the rest. @param {Slot} slot @param {Job} job @param {number} row @param {number[]} guesses */
  #check(slot, job, row, guesses) {
    const { w, session } = this.#p;
    let right = 0;
    job.guesses += guesses.length;
    while (right < guesses.length && slot.job === job && job.pending[0] === guesses[right]) {
      slot.cached.push(guesses[right]);
      job.guessedTokens++;
      this.#pick(slot, job, row + right++);
    }
    job.misses = right ? 0 : job.misses + 1;
    job.pause = Math.min(MAX_PAUSE, 2 ** job.misses - 1);
    job.trust = right < guesses.length ? Math.max(1, right) : 2 * right;
    if (right === guesses.length || w.keep(session, slot.seq, slot.cached.length) === slot.cached.length) return;
    // A model that cannot go back reads the text again, and is not asked to guess again.
    this.#p.lookup = this.#p.drafts = 0;
    job.pending = [...slot.cached.splice(0), ...job.pending];
  }

  /** @param {Slot} slot @param {Job} job @param {number} row */
  #pick(slot, job, row) {
    const { w, session, tokenizer, vocab, nCtx } = this.#p;
    try {
      const { id, text, end } = w.pick(session, row, job.sampler.handle, tokenizer, job.stream.handle, job.spec.ignoreEos, job.grammar.handle, vocab);
      job.firstAt ||= performance.now();
      if (end !== 1) job.tokens.push(id);
      job.text += text;
      if (end !== 1) job.onToken(text, id);
      if (end) this.#finish(slot, 'stop');
      else if (job.tokens.length >= job.spec.maxTokens || slot.cached.length >= nCtx) this.#finish(slot, 'length');
      else job.pending = [id];
    } catch (e) { this.#end(slot, job, asError(e)); }
  }

  /** @param {Slot} slot @param {FinishReason} reason */
  #finish(slot, reason) {
    const job = /** @type {Job} */ (slot.job);
    try {
      const rest = job.stream.handle ? this.#p.w.endStream(job.stream.handle) : '';
      if (rest) { job.text += rest; job.onToken(rest, -1); }
      this.#end(slot, job);
      job.resolve(this.#completion(job, reason));
    } catch (e) { this.#end(slot, job, asError(e)); }
  }

  /** Give back what the job holds. @param {Slot} slot @param {Job} job @param {EdgeNetError} [error] */
  #end(slot, job, error) {
    slot.job = null;
    try { for (const { block } of [job.sampler, job.draft, job.stream, job.grammar]) this.#p.w.free(block); } catch (e) { error ??= asError(e); }
    job.sampler = job.draft = job.stream = job.grammar = { handle: 0, block: 0 };
    if (error) job.reject(error);
  }

  /** @param {Job} job @param {FinishReason} finishReason @returns {Completion} */
  #completion(job, finishReason) {
    const now = performance.now();
    return {
      text: job.text, tokens: job.tokens, finishReason, seed: job.spec.seed,
      timings: { promptTokens: job.ids.length, cachedTokens: job.cachedTokens, promptMs: job.promptMs, tokens: job.tokens.length, guesses: job.guesses, guessedTokens: job.guessedTokens,
        tokenMs: job.firstAt ? now - job.firstAt : 0, ttftMs: job.firstAt ? job.firstAt - job.startedAt : 0 },
    };
  }

  /** @param {Slot} slot */
  #forget(slot) {
    this.#p.w.keep(this.#p.session, slot.seq, 0);
    slot.cached.length = 0;
    this.#drafter?.forget(slot.seq);
  }

  /** @param {EdgeNetError} error */
  #failAll(error) {
    for (const job of this.#waiting.splice(0)) job.reject(error);
    for (const { fail } of this.#exclusive.splice(0)) fail(error);
    for (const slot of this.#slots) if (slot.job) this.#end(slot, slot.job, error);
  }
}

/** @param {Slot} slot */
function pendingOf(slot) { return slot.job?.pending.length ?? 0; }

/** What followed when the last three tokens, or two, stood in the text before. @param {readonly number[]} text @param {number} next the token behind it @param {number} most @returns {number[]} */
export function continuation(text, next, most) {
  const end = text.length, at = (/** @type {number} */ i) => (i === end ? next : text[i]);
  for (const n of most > 0 ? [3, 2] : []) {
    for (let i = end - 1; i >= n - 1; i--) {
      let k = 0;
      while (k < n && text[i - k] === at(end - k)) k++;
      if (k === n) return [...text.slice(i + 1, i + 1 + most), ...(i + most >= end ? [next] : [])];
    }
  }
  return [];
}

/** @param {readonly number[]} a @param {readonly number[]} b */
export function commonPrefix(a, b) {
  const n = Math.min(a.length, b.length);
  let i = 0;
  while (i < n && a[i] === b[i]) i++;
  return i;
}

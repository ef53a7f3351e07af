// @ts-check
// The calls of the wasm exports for models, texts and lanes. With what it stands on (wasm-border.js: memory and calls, wasm-training.js: adapters and training) it is all of
// JavaScript that touches the wasm memory, but for a lane's entry (wasm-module.js).
import { EdgeNetError, errorOfStatus } from './errors.js';
import { noteDropped } from './platform.js';
import { imports, isThreaded, sharedMemory } from './wasm-module.js';
import { WasmTraining } from './wasm-training.js';

const E_MORE = -3;
const LANE_STACK = 256 * 1024;
/** GGUF value types that are numbers -> how to read one. @type {Readonly<Record<number, (v: DataView) => number | boolean>>} */
const SCALARS = Object.freeze({
  0: (v) => v.getUint8(0), 1: (v) => v.getInt8(0), 2: (v) => v.getUint16(0, true), 3: (v) => v.getInt16(0, true),
  4: (v) => v.getUint32(0, true), 5: (v) => v.getInt32(0, true), 6: (v) => v.getFloat32(0, true), 7: (v) => v.getUint8(0) !== 0,
  10: (v) => Number(v.getBigUint64(0, true)), 11: (v) => Number(v.getBigInt64(0, true)), 12: (v) => v.getFloat64(0, true),
});
const GGUF_STRING = 8;
const GGUF_ARRAY = 9;

/**
 * @typedef {{fileBytes: number, dataOffset: number, params: number, layers: number, embedding: number, vocab: number, contextTrained: number,
 *   heads: number, headsKv: number, feedForward: number, hasTokenizer: boolean, hasLogits: boolean, arch: string, name: string, type: string, pooling: number}} HeadInfo
 * @typedef {import('./wasm-border.js').Opened} Opened
 * @typedef {import('./wasm-module.js').LaneInit} LaneInit @typedef {{ready: Promise<void>, start(init: LaneInit): void, close(): void}} Lane a thread that may still be on its way; ready: it works
 * @typedef {string | number | boolean | {length: number}} MetaValue arrays are told by their length only
 */

export class WasmInstance extends WasmTraining {
  /** @type {Lane[]} */ #lanes = [];
  /** @type {WebAssembly.Module} */ #module;
  /** Of Unicode, that the vocabulary wants its text in; '': as it is. */ normalForm = '';

  /** @param {WebAssembly.Module} module @param {any} ex @param {WebAssembly.Memory} memory */
  constructor(module, ex, memory) {
    super(module, ex, memory);
    this.#module = module;
  }

  /** @param {WebAssembly.Module} module @returns {Promise<WasmInstance>} throws UNSUPPORTED when the engine computes wrongly */
  static async create(module) {
    const shared = isThreaded(module) ? sharedMemory() : undefined;
    /** @type {WebAssembly.Memory | undefined} */ let own = shared;
    const instance = await WebAssembly.instantiate(module, imports(() => /** @type {WebAssembly.Memory} */ (own), module));
    own ??= /** @type {WebAssembly.Memory} */ (instance.exports.memory);
    const it = new WasmInstance(module, instance.exports, own);
    if (it.run('w_selftest') !== 0) throw new EdgeNetError('UNSUPPORTED', 'this engine computes relaxed SIMD operations wrongly');
    return it;
  }

  get lanes() { return this.#lanes.length + 1; }

  // ---- lanes ----
  /** Take lanes to work. Those that cannot start are left out: slower, never broken. @param {Lane[]} lanes beside the owner; ours from now on */
  async startLanes(lanes) {
    if (!this.threaded || !lanes.length) return lanes.forEach((l) => l.close());
    this.#lanes = lanes;
    this.must('w_pool_init', lanes.length + 1); // lanes enter it as soon as they can; it waits for nobody who claimed nothing
    lanes.forEach((thread, i) => {
      const stack = this.alloc(LANE_STACK);
      const tls = this.alloc(Math.max(64, this.run('w_tls_bytes')));
      thread.start({ module: this.#module, memory: this.memory, lane: i + 1, stackTop: stack + LANE_STACK, tls });
    });
    const started = await Promise.allSettled(this.#lanes.map((l) => l.ready));
    this.#lanes = this.#lanes.filter((l, i) => started[i].status === 'fulfilled' || (l.close(), false));
  }
  /** Stop the lanes and let go of the memory; nothing may be called afterwards. */
  close() {
    if (this.#lanes.length && !this.dead) this.run('w_pool_stop');
    for (const l of this.#lanes) l.close();
    this.#lanes = [];
    const bytes = this.memoryBytes;
    this.drop();
    if (this.threaded) noteDropped(bytes);
  }
  /** All from here to end will be written soon, in this order: lanes take it into use meanwhile. @param {number} from @param {number} end */
  touch(from, end) { if (this.#lanes.length) this.run('w_pool_touch', from, end); }
  /** What a compute lane has done: see profile() of a session. @param {number} lane */
  lane(lane) {
    if (this.threaded) this.run('w_pool_look', lane);
    const [jobs, chunks, busyMs, waitMs] = this.threaded ? this.mailbox(4) : [0, 0, 0, 0];
    return { jobs, chunks, busyMs, waitMs };
  }

  // ---- model ----
  /** @param {number} head @param {number} n @returns {HeadInfo | null} null: the head is longer than n bytes */
  probe(head, n) {
    const status = this.run('w_probe', head, n);
    if (status === E_MORE) return null;
    if (status !== 0) throw errorOfStatus(status, this.why());
    return this.#info();
  }
  /** @returns {HeadInfo} from the mailbox */
  #info() {
    const m = this.mailbox(16);
    return { fileBytes: m[0], dataOffset: m[1], params: m[2], layers: m[3], embedding: m[4], vocab: m[5], contextTrained: m[6], heads: m[7], headsKv: m[8],
      feedForward: m[9], hasTokenizer: m[10] !== 0, hasLogits: m[11] !== 0, arch: this.cstring(m[12]), name: this.cstring(m[13]), type: this.cstring(m[14]), pooling: m[15] };
  }
  /** What a sealed model knows of itself: as probe(), with params and type. @param {number} model */
  info(model) { this.run('w_model_info', model); return this.#info(); }
  /** @param {number} image @param {number} headBytes */
  openModel(image, headBytes) { this.must('w_model_open', image, headBytes); return this.opened(); }
  /** @param {number} model @param {number} upto */
  feed(model, upto) { this.must('w_model_feed', model, upto); }
  /** @param {number} model */
  seal(model) { this.must('w_model_seal', model); }
  /** @param {number} model @param {string} name */
  useKernels(model, name) { this.withText(name, (at) => this.must('w_model_use_kernels', model, at)); }
  /** @param {number} model @returns {string} */
  kernels(model) { return this.cstring(this.run('w_model_kernels', model)); }
  /** A kernel table that may beat the default here, if there is one. @param {number} [model] 0: for any @returns {string | null} */
  rival(model = 0) {
    const at = this.run('w_kernels_rival', model);
    return at ? this.cstring(at) : null;
  }
  /** GMAC/s of a kernel table with 4-bit weights. @param {string} name @param {number} ms time to take @returns {number} */
  speed(name, ms) { return this.withText(name, (at) => this.run('w_kernels_speed', at, ms)); }
  /** Names of the kernel tables that run here, the default first. */
  kernelNames() {
    const names = [];
    for (let i = 0, at; (at = this.run('w_kernels_name', i)); i++) names.push(this.cstring(at));
    return names;
  }
  /** @param {Float64Array} m type, elem_type, n, at @returns {MetaValue} */
  #value([type, , n, at]) {
    if (type === GGUF_STRING) return this.text(at, n);
    if (type === GGUF_ARRAY) return { length: n };
    return SCALARS[type](new DataView(this.memory.buffer, at));
  }
  /** @param {number} model @returns {Record<string, MetaValue>} */
  metadata(model) {
    /** @type {Record<string, MetaValue>} */
    const all = {};
    for (let i = 0; this.run('w_meta_at', model, i) === 0; i++) {
      const m = this.mailbox(6).slice();
      all[this.text(m[0], m[1])] = this.#value(m.subarray(2));
    }
    return all;
  }

  // ---- tokenizer ----
  /** @param {number} image @param {number} headBytes */
  openTokenizer(image, headBytes) { this.must('w_tokenizer_open', image, headBytes); return this.opened(); }
  /** @param {number} t */
  special(t) {
    this.run('w_special', t);
    const [bos, eos, eot, eom, unk, sep, pad, cls, mask, addBos, addEos] = this.mailbox(12);
    return { bos, eos, eot, eom, unk, sep, pad, cls, mask, addBos: addBos !== 0, addEos: addEos !== 0 };
  }
  /** Does an id stand for the same text in both? @param {number} a @param {number} b */
  sameTokens(a, b) { return this.run('w_tokenizer_same', a, b) !== 0; }
  /** @param {number} t @param {string} text @param {number} flags EN_TOK_* @returns {Int32Array} */
  encode(t, text, flags) {
    return this.withText(this.normalForm ? text.normalize(this.normalForm) : text, (at, n) => {
      this.must('w_encode', t, at, n, flags);
      const [ids, count] = this.mailbox(2);
      const copy = new Int32Array(this.memory.buffer, ids, count).slice();
      this.free(ids);
      return copy;
    });
  }
  /** @param {number} t @param {ArrayLike<number>} ids @param {number} flags EN_TOK_* @param {boolean} atStart */
  decode(t, ids, flags, atStart) {
    return this.withIds(ids, (at) => {
      this.must('w_decode', t, at, ids.length, flags, atStart ? 1 : 0);
      const [text, n] = this.mailbox(2);
      const copy = this.text(text, n);
      this.free(text);
      return copy;
    });
  }

  // ---- session ----
  /** @param {number} model @param {{nCtx: number, nBatch: number, nSeq: number, nLogits: number, kvType: number, profile: boolean, pooling?: number}} spec pooling: EN_POOL_*, for embeddings */
  openSession(model, { nCtx, nBatch, nSeq, nLogits, kvType, profile, pooling = 0 }) {
    this.run('w_clock', profile ? 1 : 0);
    this.must('w_session_open', model, nCtx, nBatch, nSeq, nLogits, kvType, pooling);
    const [, , , kvBytes, ctx] = this.mailbox(5);
    return { ...this.opened(), kvBytes, nCtx: ctx };
  }
  /** @param {number} session @param {Batch} batch */
  evalBegin(session, batch) { this.must('w_eval_begin', session, batch.n, batch.ids, batch.seq, batch.want); }
  /** @param {number} session @param {number} steps @returns {'done' | 'more' | 'stopped'} */
  evalRun(session, steps) {
    const status = this.run('w_eval_run', session, steps);
    if (status === 0) return 'done';
    if (status === E_MORE) return 'more';
    if (status === -7) return 'stopped';
    throw errorOfStatus(status, this.why());
  }
  /** @param {number} session */
  evalDrop(session) { this.run('w_eval_drop', session); }
  /** Copy of a row of logits. @param {number} session @param {number} row @param {number} vocab @param {Float32Array} [into] @returns {Float32Array} */
  logits(session, row, vocab, into) {
    const at = this.run('w_logits', session, row) >>> 0;
    if (!at) throw new EdgeNetError('INTERNAL', `no logits in row ${row}`);
    const view = new Float32Array(this.memory.buffer, at, vocab);
    if (!into) return view.slice();
    into.set(view);
    return into;
  }
  /** @param {number} session of embeddings @returns {number} */
  embeddingSize(session) { return this.run('w_embedding_size', session) >>> 0; }
  /** Copy of the first values of a row, normalised in place if asked for: once per row. @param {number} session @param {number} row @param {Float32Array} into as long as is wanted @param {boolean} normalize */
  embedding(session, row, into, normalize) {
    const at = this.run('w_embedding', session, row, into.length, normalize ? 1 : 0) >>> 0;
    if (!at) throw new EdgeNetError('INTERNAL', `no embedding in row ${row}`);
    into.set(new Float32Array(this.memory.buffer, at, into.length));
  }
  /** Forget positions from n on. A recurrent model cannot go back and forgets all. @param {number} session @param {number} seq @param {number} n @returns {number} positions kept */
  keep(session, seq, n) {
    if (this.run('w_seq_keep', session, seq, n) === 0) return n;
    this.must('w_seq_keep', session, seq, 0);
    return 0;
  }
  /** Fork: `to` becomes a copy of `from`. @param {number} session @param {number} from @param {number} to */
  copySeq(session, from, to) { this.must('w_seq_copy', session, from, to); }
  /** The cache of a sequence, after `lead` bytes that the caller fills. @param {number} session @param {number} seq @param {number} lead @returns {Uint8Array} */
  saveSeq(session, seq, lead) {
    const n = this.run('w_seq_state_bytes', session, seq) >>> 0;
    const at = this.alloc(n);
    try {
      this.must('w_seq_save', session, seq, at, n);
      const out = new Uint8Array(lead + n);
      out.set(new Uint8Array(this.memory.buffer, at, n), lead);
      return out;
    } finally { this.free(at); }
  }
  /** @param {number} session @param {number} seq @param {Uint8Array} state @returns {number} positions that the sequence has now */
  loadSeq(session, seq, state) {
    const at = this.alloc(state.length);
    try {
      this.write(at, state);
      this.must('w_seq_load', session, seq, at, state.length);
      return this.run('w_seq_length', session, seq);
    } finally { this.free(at); }
  }
  /** @param {number} session */
  profile(session) {
    const rows = [];
    for (let i = 0, at; (at = this.run('w_profile', session, i)); i++) {
      const [ms, macs, bytes, calls] = this.mailbox(4);
      rows.push({ name: this.cstring(at), ms, macs, bytes, calls });
    }
    return rows;
  }
  /** @param {number} session */
  resetProfile(session) { this.run('w_profile_reset', session); }

  /** Room for the arrays of a batch. @param {number} cap @returns {Batch} */
  openBatch(cap) { const at = this.alloc(9 * cap); return { at, cap, n: 0, ids: at, seq: at + 4 * cap, want: at + 8 * cap }; }
  /** @param {Batch} b @param {ArrayLike<number>} ids @param {ArrayLike<number>} seq @param {ArrayLike<number>} want */
  fillBatch(b, ids, seq, want) {
    new Int32Array(this.memory.buffer, b.ids, b.cap).set(ids);
    new Uint32Array(this.memory.buffer, b.seq, b.cap).set(seq);
    new Uint8Array(this.memory.buffer, b.want, b.cap).set(want);
    b.n = ids.length;
  }

  // ---- sampler and stream ----
  /** Parameters as the core knows them, to check params.js against. */
  params() {
    const list = [];
    for (let i = 0, at; (at = this.run('w_param', i)); i++) {
      const [min, max, dflt] = this.mailbox(3);
      list.push({ name: this.cstring(at), min, max, default: dflt });
    }
    return list;
  }
  /** @param {number} vocab @param {readonly (readonly [number, number])[]} settings parameter id, value @param {readonly (readonly [number, number])[]} bias token id, add */
  openSampler(vocab, settings, bias) {
    this.must('w_sampler_open', vocab, bias.length);
    const sampler = this.opened();
    for (const [id, value] of settings) this.must('w_sampler_set', sampler.handle, id, value);
    for (const [id, add] of bias) this.must('w_sampler_bias', sampler.handle, id, add);
    this.run('w_sampler_reset', sampler.handle);
    return sampler;
  }
  /** @param {number} sampler @param {ArrayLike<number>} ids */
  accept(sampler, ids) { if (ids.length) this.withIds(ids, (at) => this.run('w_sampler_accept', sampler, at, ids.length)); }
  /** Stand where another one stands, in its text and its random stream. @param {number} sampler @param {number} from */
  follow(sampler, from) { this.run('w_sampler_follow', sampler, from); }
  /** @param {number} t tokenizer @param {readonly string[]} stops @param {boolean} atStart */
  openStream(t, stops, atStart) {
    const joined = stops.map((s) => s + '\0').join('');
    return this.withText(joined, (at, n) => { this.must('w_stream_open', t, at, n, stops.length, atStart ? 1 : 0); return this.opened(); });
  }
  /** What grammars of a tokenizer share. @param {number} t */
  openLexicon(t) { this.must('w_lexicon_open', t); return this.opened(); }
  /** @param {number} lexicon @param {import('./options.js').Grammar} grammar */
  openGrammar(lexicon, { kind, text }) {
    return this.withText(text, (at, n) => { this.must('w_grammar_open', lexicon, kind, at, n); return this.opened(); });
  }
  /** Sample from a row of logits and add the token to the stream. @param {number} session @param {number} row @param {number} sampler @param {number} t @param {number} stream @param {boolean} ignoreEnd @param {number} [grammar] @param {number} [vocab] logits of a row, where there is a grammar */
  pick(session, row, sampler, t, stream, ignoreEnd, grammar = 0, vocab = 0) {
    this.must('w_pick', session, row, sampler, t, stream, ignoreEnd ? 1 : 0, grammar, vocab);
    const [id, at, n, end] = this.mailbox(4);
    return { id, text: this.text(at, n), end: /** @type {0 | 1 | 2} */ (end) };
  }
  /** What the stream held back. @param {number} stream */
  endStream(stream) {
    this.must('w_stream_end', stream);
    const [, at, n] = this.mailbox(3);
    return this.text(at, n);
  }

  // ---- how good answers are ----
  /** How surprising `wanted` is after a row of logits, in nats, and what the model would say. @param {number} session @param {number} row @param {number} vocab @param {number} t tokenizer @param {number} wanted */
  judge(session, row, vocab, t, wanted) {
    this.must('w_judge', session, row, vocab, t, wanted);
    const [surprise, best, isEnd] = this.mailbox(3);
    return { surprise, best, isEnd: isEnd !== 0 };
  }
  /** @param {number} t tokenizer @param {number} id @returns {boolean} */
  isEnd(t, id) { return this.run('w_token_is_end', t, id) !== 0; }
  /** What a pair of texts adds to the sums of BLEU, and F1 of its ROUGE-L. @param {string} candidate @param {string} reference */
  overlap(candidate, reference) {
    return this.withText(candidate, (a, na) => this.withText(reference, (b, nb) => {
      this.must('w_overlap', a, na, b, nb);
      const m = this.mailbox(11).slice();
      return { bleu: m.subarray(0, 10), rouge: m[10] };
    }));
  }
  /** @param {Float64Array} sums @returns {number} 0 to 1 */
  bleu(sums) { this.tell(sums); return this.run('w_bleu'); }
}
/** @typedef {{at: number, cap: number, n: number, ids: number, seq: number, want: number}} Batch */

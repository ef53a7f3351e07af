// @ts-check
// One download: several workers take runs of missing chunks, ask the best source, check every chunk as it arrives, write it, and hand the
// file on in order while it grows. Memory: the chunks in flight.
import { EdgeNetError, abortError, asError, throwIfAborted } from '../errors.js';
import { sameBytes, toHex } from '../manifest/encoding.js';
import { HASH_BYTES, openSha256, sha256 } from '../manifest/hash.js';

/** Chunks of a run, which is what one request asks for: long at first, short towards the end, so that all connections end together and none is cut off. seconds: of one that needs no
 * help, which would only stand still between requests. */
const RUN = Object.freeze({ least: 4, most: 32, seconds: 2 });
/** Bytes per second that one connection carries without help: on a fast line, more of them cost more than they bring (0.7 of one's speed over loopback). */
const FAST = 40e6;
/** Chunks that may be hashed and written while the next ones arrive. */
const PIPELINE = 6;

/**
 * @typedef {import('./types.js').Artifact} Artifact @typedef {import('./pool.js').Member} Member
 * @typedef {Pick<import('./types.js').Part, 'write' | 'read'> & {journal: Pick<import('./types.js').Journal, 'has' | 'hash'>, inOrder?: boolean, seek(index: number): void}} Sink inOrder: chunks must come one after another; seek: the reader has come to this chunk
 * @typedef {{from: number, to: number, at: number, buffer: Uint8Array | null, member: Member | null, control: AbortController, hedge: boolean}} Run
 *   chunks [from, to); at: next byte; hedge: the same chunk is asked for elsewhere
 * @typedef {{artifact: Artifact, size: number | null, chunkSize: number, sink: Sink, pool: import('./pool.js').Pool, parallel: number, ramp: number, retries: number, begun: {at: number, bytes: number},
 *   signal?: AbortSignal, gate?: import('./types.js').DownloadOptions['gate'], onArrival: (loaded: number, source: string) => void}} TransferInit begun: what the first request has asked for
 */

export class Transfer {
  #o;
  #control = new AbortController();
  /** @type {Run[]} */ #runs = [];
  #taken;
  #done;
  #left;
  #size;
  /** Bytes here, also of chunks that are not complete. */ #loaded = 0;
  /** Chunks of a run on a line that one connection fills; 0: it does not, as far as we know. */ #swift = 0;
  /** The farthest byte that a pass from the start has reached. */ #reached = 0;
  #passing = false;
  #inPipeline = 0;
  /** @type {Map<number, number>} wrong answers for a chunk */ #wrong = new Map();
  /** @type {Map<number, (bytes: Uint8Array | null) => void>} */ #waiting = new Map();
  /** @type {(() => void)[]} woken by any change */ #sleepers = [];
  /** @type {EdgeNetError | null} */ #failure = null;
  /** Settles when every chunk is written. @readonly @type {Promise<void>} */ finished;

  /** @param {TransferInit} init */
  constructor(init) {
    this.#o = init;
    this.#size = init.size;
    const count = init.size === null ? 0 : Math.ceil(init.size / init.chunkSize);
    this.#taken = new Uint8Array(count);
    this.#done = new Uint8Array(count);
    this.#left = init.size === null ? Infinity : count;
    for (let i = 0; i < count; i++) if (init.sink.journal.has(i)) { this.#done[i] = this.#taken[i] = 1; this.#left--; this.#loaded += this.#length(i); }
    const stop = () => this.#fail(abortError(init.signal));
    init.signal?.addEventListener('abort', stop, { once: true });
    if (init.signal?.aborted) stop();
    const workers = init.sink.inOrder || init.size === null ? 1 : Math.max(1, Math.min(init.parallel, this.#left));
    this.finished = this.#workAll(workers).then(async () => {
      while (this.#inPipeline > 0 && !this.#failure) await this.#change();
      if (this.#failure) throw this.#failure;
    }).finally(() => { init.signal?.removeEventListener('abort', stop); init.pool.close(); });
    this.finished.catch(() => {}); // told to whoever waits for it, or to the reader
  }
  /** Bytes; null until a file of unknown length has ended. */
  get size() { return this.#size; }
  /** Stop at once. */
  cancel() { this.#fail(new EdgeNetError('ABORTED', 'the download was stopped')); }

  // ---- the file in order ----
  /** The whole file, while it grows: chunks as they arrive, or from the store where they came early. @param {AbortSignal} [signal] @param {number} [from] start of a chunk @returns {AsyncGenerator<Uint8Array>} */
  async *read(signal, from = 0) {
    const { sink, chunkSize, artifact } = this.#o;
    const whole = artifact.sha256 !== undefined && !artifact.chunks ? await openSha256() : null;
    for (let i = from / chunkSize; this.#size === null || i * chunkSize < this.#size; i++) {
      throwIfAborted(signal);
      if (this.#failure) throw this.#failure;
      sink.seek(i);
      const arrived = this.#done[i] ? null : await this.#arrival(i);
      if (!arrived && !this.#done[i]) break; // a file of unknown length has ended
      const bytes = arrived && !sink.inOrder ? arrived : await sink.read(i * chunkSize, this.#length(i));
      whole?.update(bytes);
      yield bytes;
    }
    const got = whole && toHex(whole.digest());
    if (got && got !== artifact.sha256) throw this.#fail(new EdgeNetError('INTEGRITY', `${artifact.name}: the file has the SHA-256 ${got}, not ${artifact.sha256}`));
    await this.finished;
  }
  /** @param {number} i @returns {Promise<Uint8Array | null>} */
  async #arrival(i) {
    if (this.#size !== null && i * this.#o.chunkSize >= this.#size) return null;
    const bytes = await new Promise((resolve) => { this.#waiting.set(i, resolve); });
    if (this.#failure) throw this.#failure;
    return bytes;
  }
  /** @param {number} i @param {Uint8Array} bytes */
  #deliver(i, bytes) {
    this.#waiting.get(i)?.(bytes);
    this.#waiting.delete(i);
  }

  // ---- workers ----
  /** One at first; one more joins after every `ramp` ms in which the line was not full. @param {number} most @returns {Promise<void>} when the last one is through */
  async #workAll(most) {
    const { ramp } = this.#o;
    /** @type {Promise<unknown>[]} */ const all = [];
    const join = () => all.push(this.#work().catch((e) => this.#fail(e)));
    let before = this.#loaded;
    const timer = setInterval(() => {
      const rate = (this.#loaded - before) / ramp * 1000;
      before = this.#loaded;
      this.#swift = all.length === 1 && rate >= FAST ? rate * RUN.seconds / this.#o.chunkSize : 0;
      if (all.length < most && rate < FAST * all.length && this.#left > 0 && !this.#o.gate?.paused) join();
    }, Math.max(1, ramp));
    do join(); while (ramp === 0 && all.length < most);
    try { for (let i = 0; i < all.length; i++) await all[i]; } finally { clearInterval(timer); }
  }
  async #work() {
    const { pool, artifact } = this.#o;
    /** @type {Run | null} */ let run = null;
    try {
      while (this.#left > 0 && !this.#failure) {
        await this.#o.gate?.wait(this.#control.signal);
        run ??= this.#passing ? null : this.#take();
        if (!run) { await this.#change(); continue; }
        const { signal } = run.control;
        const member = await pool.pick(signal, run.hedge ? run.member : null).catch((e) => { if (!signal.aborted) throw e; return null; });
        if (!member || signal.aborted) { // somebody else was faster, or there is nobody else to ask
          if (member) pool.done(member);
          this.#drop(run);
          run = null;
          continue;
        }
        const { epoch } = member;
        if (!run.hedge) run.member = member;
        try {
          const reader = await member.open(artifact, this.#control.signal);
          if (reader.ranges && this.#size !== null) {
            await this.#fetch(run, member, reader);
            this.#drop(run);
            run = null;
          } else if (this.#passing) { // one pass from the start is enough
            this.#drop(run);
            run = null;
          } else if (pool.avoid(member)) { // somebody else may have ranges
            continue;
          } else {
            this.#passing = true;
            await this.#pass(run, member, reader).finally(() => { this.#passing = false; this.#wake(); });
          }
        } catch (e) {
          if (this.#failure) return;
          if (run && !run.control.signal.aborted) this.#failed(member, e, epoch); // aborted: somebody else was faster
          if (run?.hedge || run?.control.signal.aborted) { this.#drop(run); run = null; }
        } finally { pool.done(member); }
        if (run && this.#left === 0) { this.#drop(run); run = null; }
      }
    } finally { if (run) this.#drop(run); }
  }
  /** @param {Member} member @param {unknown} e @param {number} epoch */
  #failed(member, e, epoch) {
    const { artifact, pool } = this.#o;
    const error = asError(e, 'NETWORK');
    if (error.code === 'ABORTED') throw error;
    if (/** @type {import('./types.js').Broken} */ (error.detail)?.changed && !artifact.chunks && !artifact.sha256) throw error; // bytes of two files must not mix
    pool.failed(member, error, epoch);
  }

  /** The next missing chunks; where none is left, a chunk that somebody slow still owes. @returns {Run | null} */
  #take() {
    const { chunkSize, parallel, sink, begun } = this.#o;
    if (this.#size === null) return this.#add({ from: 0, to: Infinity });
    const from = this.#taken.indexOf(0);
    if (from >= 0) {
      const fair = Math.max(this.#swift, Math.min(RUN.most, Math.max(RUN.least, this.#left / (2 * parallel))));
      const most = parallel === 1 || sink.inOrder ? Infinity : from * chunkSize === begun.at ? Math.max(begun.bytes / chunkSize, fair) : fair;
      let to = from;
      do this.#taken[to++] = 1; while (to < this.#taken.length && !this.#taken[to] && to + 1 - from <= most);
      return this.#add({ from, to });
    }
    return sink.inOrder ? null : this.#hedge();
  }
  /** The last chunk that a run still owes, where somebody else can be asked for it. @returns {Run | null} */
  #hedge() {
    const { chunkSize, pool } = this.#o;
    for (const { hedge, member, at, to } of this.#runs) {
      if (hedge || !member || !pool.hasOther(member)) continue;
      for (let i = to - 1; i >= Math.floor(at / chunkSize); i--) {
        if (!this.#done[i] && !this.#runs.some((h) => h.hedge && h.from === i)) return this.#add({ from: i, to: i + 1, member, hedge: true });
      }
    }
    return null;
  }
  /** @param {{from: number, to: number, member?: Member | null, hedge?: boolean}} what @returns {Run} */
  #add({ from, to, member = null, hedge = false }) {
    const control = new AbortController();
    if (this.#failure) control.abort();
    const run = { from, to, at: from * this.#o.chunkSize, buffer: null, member, control, hedge };
    this.#runs.push(run);
    return run;
  }
  /** What a run has not brought is missing again. @param {Run} run */
  #drop(run) {
    const { chunkSize } = this.#o;
    this.#runs = this.#runs.filter((r) => r !== run);
    const first = run.buffer ? Math.floor(run.at / chunkSize) : Math.ceil(run.at / chunkSize); // the last chunk of a file may be short
    if (run.buffer) this.#loaded -= run.at % chunkSize;
    run.buffer = null;
    for (let i = first; !run.hedge && i < Math.min(run.to, this.#taken.length); i++) this.#taken[i] = this.#done[i];
    this.#wake();
  }

  /** @param {Run} run @param {Member} member @param {import('./types.js').Reader} reader */
  async #fetch(run, member, reader) {
    const { chunkSize, gate } = this.#o;
    const end = Math.min(run.to * chunkSize, /** @type {number} */ (this.#size));
    for await (const piece of reader.read(run.at, end - run.at, run.control.signal)) {
      this.#arrived(piece.length, member, true);
      for (let used = 0; used < piece.length;) used += await this.#fill(run, piece, used, member);
      if (gate?.paused) await gate.wait(this.#control.signal);
    }
    if (run.at < end) throw new EdgeNetError('NETWORK', `${member.source.id}: ended at byte ${run.at} of ${this.#size}`);
  }
  /** A source without ranges is read from its start; what is here already must be the same. @param {Run} run @param {Member} member @param {import('./types.js').Reader} reader */
  async #pass(run, member, reader) {
    const { chunkSize, gate, sink, artifact } = this.#o;
    if (sink.inOrder && this.#done[0] && !artifact.chunks) throw new EdgeNetError('NETWORK', `${artifact.name}: the download broke and the server cannot continue there`, { detail: { final: true } });
    if (run.buffer) this.#loaded -= run.at % chunkSize;
    const again = Object.assign(run, { at: 0, buffer: null });
    for await (const piece of reader.read(0, Infinity, this.#control.signal)) {
      const fresh = again.at + piece.length > this.#reached;
      this.#reached = Math.max(this.#reached, again.at + piece.length);
      this.#arrived(piece.length, member, fresh);
      for (let used = 0; used < piece.length;) used += await this.#fill(again, piece, used, member);
      if (this.#left === 0 && this.#inPipeline === 0) return;
      if (gate?.paused) await gate.wait(this.#control.signal);
    }
    if (this.#size === null) return this.#ended(again, member);
    if (again.at < this.#size) throw new EdgeNetError('NETWORK', `${artifact.name}: ended at byte ${again.at} of ${this.#size}`);
    while (this.#inPipeline > 0 && !this.#failure) await this.#change();
  }
  /** A file of unknown length is over. @param {Run} run @param {Member} member */
  async #ended(run, member) {
    const { chunkSize } = this.#o;
    if (run.buffer) {
      const bytes = run.buffer.subarray(0, run.at % chunkSize);
      run.buffer = null;
      await this.#accept(Math.floor(run.at / chunkSize), bytes, member);
    }
    while (this.#inPipeline > 0 && !this.#failure) await this.#change();
    this.#size = run.at;
    this.#left = 0;
    for (const resolve of this.#waiting.values()) resolve(null);
    this.#waiting.clear();
    this.#wake();
  }

  /** Puts bytes into the chunk that they belong to. @param {Run} run @param {Uint8Array} piece @param {number} used @param {Member} member @returns {Promise<number>} how many */
  async #fill(run, piece, used, member) {
    const i = Math.floor(run.at / this.#o.chunkSize);
    const length = this.#length(i);
    if (length <= 0) throw new EdgeNetError('NETWORK', `${member.source.id}: goes on after byte ${this.#size}`, { detail: { final: true } });
    const filled = run.at - i * this.#o.chunkSize;
    const n = Math.min(piece.length - used, length - filled);
    run.buffer ??= new Uint8Array(length);
    run.buffer.set(piece.subarray(used, used + n), filled);
    run.at += n;
    if (filled + n === length) {
      const bytes = run.buffer;
      run.buffer = null;
      try { await this.#accept(i, bytes, member); } catch (e) {
        run.at = i * this.#o.chunkSize;
        throw e;
      }
    }
    return n;
  }
  /** @param {number} i */
  #length(i) { return this.#size === null ? this.#o.chunkSize : Math.min(this.#o.chunkSize, this.#size - i * this.#o.chunkSize); }
  /** @param {number} n @param {Member} member @param {boolean} fresh bytes that nobody has brought before */
  #arrived(n, member, fresh) {
    this.#loaded += n;
    if (fresh) this.#o.pool.good(member);
    this.#o.onArrival(Math.min(this.#loaded, this.#size ?? Infinity), member.source.id);
  }

  // ---- a whole chunk ----
  /** Hashing and writing go on while the next bytes arrive, a few chunks at once. @param {number} i @param {Uint8Array} bytes @param {Member} member */
  async #accept(i, bytes, member) {
    if (this.#failure) throw this.#failure;
    if (this.#o.sink.inOrder) return this.#keep(i, bytes, member).catch((e) => { this.#unkept(i, e); throw e; });
    while (this.#inPipeline >= PIPELINE && !this.#failure) await this.#change();
    this.#inPipeline++;
    this.#keep(i, bytes, member)
      .catch((e) => this.#unkept(i, e))
      .finally(() => { this.#inPipeline--; this.#wake(); });
  }
  /** @param {number} i @param {Uint8Array} bytes @param {Member} member */
  async #keep(i, bytes, member) {
    const { artifact, sink, pool } = this.#o;
    const wanted = artifact.chunks?.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES) ?? (this.#done[i] ? sink.journal.hash(i) : null);
    if (i === 0 && artifact.format === 'gguf' && !(bytes[0] === 0x47 && bytes[1] === 0x47 && bytes[2] === 0x55 && bytes[3] === 0x46) && !wanted) throw new EdgeNetError('FORMAT', `${artifact.name}: this is not a GGUF file`);
    const hash = wanted || !sink.inOrder ? await sha256(bytes) : new Uint8Array(HASH_BYTES);
    if (wanted && !sameBytes(hash, wanted)) {
      pool.wrong(member);
      if (this.#done[i] && !artifact.chunks) throw new EdgeNetError('NETWORK', `${artifact.name}: the file has changed on the server since the download began`, { detail: { final: true, changed: true } });
      throw new EdgeNetError('INTEGRITY', `${member.source.id}: chunk ${i} of ${artifact.name} does not have its hash`, { detail: { chunk: i } });
    }
    if (this.#done[i]) { this.#loaded -= bytes.length; return; } // a second copy
    await sink.write(i, bytes, hash);
    if (this.#failure) return;
    if (this.#done[i]) { this.#loaded -= bytes.length; return; }
    if (this.#size === null && i >= this.#done.length) this.#grow(i + 1);
    this.#done[i] = this.#taken[i] = 1;
    this.#left--;
    this.#deliver(i, bytes);
    for (const r of this.#runs) if (r.from <= i && i < r.to && r.to <= this.#done.length && this.#done.subarray(Math.floor(r.at / this.#o.chunkSize), r.to).every((d) => d)) r.control.abort();
    this.#wake();
  }
  /** A wrong chunk is missing again; a store that does not write ends the download. @param {number} i @param {unknown} e */
  #unkept(i, e) {
    const error = asError(e);
    if (error.code !== 'INTEGRITY') return void this.#fail(error);
    const times = (this.#wrong.get(i) ?? 0) + 1;
    this.#wrong.set(i, times);
    if (times > this.#o.retries) return void this.#fail(error);
    if (this.#done[i]) return;
    this.#taken[i] = 0;
    this.#loaded -= this.#length(i);
  }
  /** @param {number} count */
  #grow(count) {
    const more = (/** @type {Uint8Array} */ old) => { const next = new Uint8Array(2 * count); next.set(old); return next; };
    this.#done = more(this.#done);
    this.#taken = more(this.#taken);
  }

  // ---- waiting ----
  #change() { return new Promise((/** @type {(v: void) => void} */ resolve) => { if (this.#failure) resolve(); else this.#sleepers.push(resolve); }); }
  #wake() { for (const resolve of this.#sleepers.splice(0)) resolve(); }
  /** @param {unknown} e @returns {EdgeNetError} */
  #fail(e) {
    this.#failure ??= asError(e);
    this.#control.abort();
    for (const r of this.#runs) r.control.abort();
    for (const resolve of this.#waiting.values()) resolve(null);
    this.#waiting.clear();
    this.#wake();
    return this.#failure;
  }
}

// @ts-check
// The sources of one download: who is asked next, who is left alone for a while, who is out.
import { EdgeNetError, asError } from '../errors.js';
import { pause } from '../platform.js';

const BACK_OFF_MS = 250;
const MAX_BACK_OFF_MS = 30_000;
/** A wrong byte weighs as much as ten silences. */
const WRONG = 10;

/** @typedef {import('./types.js').Source} Source @typedef {import('./types.js').Reader} Reader @typedef {import('./types.js').Broken} Broken */

export class Member {
  /** @type {Promise<Reader> | null} */ #opened = null;
  faults = 0;
  /** in a row */ failures = 0;
  /** Counts the failures; requests that were under way at one of them do not count again. */ epoch = 0;
  active = 0;
  dead = false;
  avoided = false;
  /** not before this time of performance.now() */ notBefore = 0;
  /** @readonly */ source;
  /** @readonly */ order;

  /** @param {Source} source @param {number} order @param {Reader} [reader] already open */
  constructor(source, order, reader) {
    this.source = source;
    this.order = order;
    if (reader) this.#opened = Promise.resolve(reader);
  }
  /** @param {import('./types.js').Artifact} artifact @param {AbortSignal} signal @param {number} [from] */
  open(artifact, signal, from) {
    this.#opened ??= this.source.open(artifact, signal, from).catch((e) => { this.#opened = null; throw e; });
    return this.#opened;
  }
  close() { this.#opened?.then((r) => r.close(), () => {}); }
}

export class Pool {
  #members;
  #retries;
  #backOff;
  /** Since the last byte that was of use. */ #failures = 0;
  /** @type {EdgeNetError | null} */ #last = null;

  /** @param {readonly Member[]} members in order of preference @param {Pick<import('./types.js').Patience, 'retries' | 'backOff'>} patience */
  constructor(members, { retries, backOff = BACK_OFF_MS }) {
    this.#members = members;
    this.#retries = retries;
    this.#backOff = backOff;
  }
  get #alive() { return this.#members.filter((m) => !m.dead); }

  /** The one to ask now; it counts as active until done(). Waits while all are to be left alone. @param {AbortSignal} signal @param {Member | null} [not] anybody but this one @returns {Promise<Member | null>} null: there is nobody but that one */
  async pick(signal, not = null) {
    for (;;) {
      const able = this.#alive.filter((m) => m !== not && m.active < m.source.parallel);
      const now = performance.now();
      const [best] = able.filter((m) => m.notBefore <= now).sort((a, b) => a.faults - b.faults || a.order - b.order);
      if (best) { best.active++; return best; }
      if (not && !this.#alive.some((m) => m !== not)) return null;
      if (!this.#alive.length) throw this.#last ?? new EdgeNetError('NETWORK', 'there is no source to download from');
      await pause(Math.max(5, Math.min(...able.map((m) => m.notBefore - now), 1000)), signal);
    }
  }
  /** Is there somebody else who could be asked? @param {Member} member */
  hasOther(member) { return this.#members.some((m) => m !== member && !m.dead && m.failures === 0); }
  /** Ask others before this one from now on. @param {Member} member @returns {boolean} false: there is nobody else, or it was said before */
  avoid(member) {
    if (member.avoided || !this.hasOther(member)) return false;
    member.avoided = true;
    member.faults += WRONG;
    return true;
  }
  /** @param {Member} member */
  done(member) { member.active--; }
  /** Bytes came that were of use. @param {Member} member */
  good(member) { this.#failures = 0; member.failures = 0; }
  /** @param {Member} member */
  wrong(member) { member.faults += WRONG; }

  /** Takes note of an error; throws when there is no point in going on. @param {Member} member @param {unknown} e @param {number} epoch the member's when it was picked */
  failed(member, e, epoch) {
    const error = asError(e, 'NETWORK');
    const { final, retryAfter = 0 } = /** @type {Broken} */ (error.detail ?? {});
    this.#last = error;
    member.dead ||= final === true || !['NETWORK', 'INTEGRITY', 'STORAGE'].includes(error.code);
    if (epoch !== member.epoch && !member.dead) return;
    member.epoch++;
    member.faults++;
    member.failures++;
    this.#failures++;
    const wait = Math.min(MAX_BACK_OFF_MS, this.#backOff * 2 ** (member.failures - 1)) * (0.5 + Math.random());
    member.notBefore = performance.now() + Math.max(wait, retryAfter);
    if (this.#failures >= (this.#retries + 1) * this.#alive.length) throw error; // also when nobody is left
  }
  close() { for (const m of this.#members) m.close(); }
}

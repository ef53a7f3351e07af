// @ts-check
// The one error class of the SDK. Every failure has a code from a closed set, so that programs can decide and people can read.

/**
 * @typedef {'ARG' | 'NOMEM' | 'FORMAT' | 'UNSUPPORTED' | 'FULL' | 'ABORTED' | 'STATE' | 'NUMERIC' | 'NETWORK' | 'STORAGE' | 'CRASHED' | 'INTERNAL' | TrustCode} ErrorCode
 * ARG: an option or argument is wrong. NOMEM: not enough memory. FORMAT: the file is broken. UNSUPPORTED: valid, but this build
 * cannot do it. FULL: the context or a buffer has no room. ABORTED: stopped by an AbortSignal. STATE: calls in the wrong order, or
 * after dispose(). NUMERIC: the model produced NaN. NETWORK, STORAGE: the source or the cache failed. CRASHED: the worker or the
 * engine died; create a new session. INTERNAL: a mistake of this library.
 * @typedef {'INTEGRITY' | 'CHUNK_LIST' | 'HASH_FORM' | 'TRUNCATED' | 'NOT_CANONICAL' | 'UNSIGNED' | 'SIGNATURE' | 'UNTRUSTED_KEY' | 'KEY_EXPIRED' | 'EMBEDDED_KEY' | 'EXPIRED' | 'ROLLBACK'} TrustCode
 * What is not what its publisher made. INTEGRITY: bytes without the hash that they must have. CHUNK_LIST: a list of chunk hashes without its Merkle
 * root or of the wrong length. HASH_FORM: a hash or signature that is too short, too long or not of its alphabet. TRUNCATED: a manifest that ends too
 * early. NOT_CANONICAL: a text that two readers could read differently. UNSIGNED: no signature where one is asked. SIGNATURE: one that does not fit
 * the bytes. UNTRUSTED_KEY: by a key that nobody here trusts (for this model). KEY_EXPIRED: by a key before or after its time. EMBEDDED_KEY: the
 * message brings the key to be checked with. EXPIRED: the manifest is past its date. ROLLBACK: older than one that was accepted before.
 * @typedef {{code: ErrorCode, message: string, detail?: unknown, stack?: string}} WireError
 */

/** @type {readonly ErrorCode[]} */
export const ERROR_CODES = Object.freeze(['ARG', 'NOMEM', 'FORMAT', 'UNSUPPORTED', 'FULL', 'ABORTED', 'STATE', 'NUMERIC', 'NETWORK', 'STORAGE', 'CRASHED', 'INTERNAL',
  'INTEGRITY', 'CHUNK_LIST', 'HASH_FORM', 'TRUNCATED', 'NOT_CANONICAL', 'UNSIGNED', 'SIGNATURE', 'UNTRUSTED_KEY', 'KEY_EXPIRED', 'EMBEDDED_KEY', 'EXPIRED', 'ROLLBACK']);

/** en_status of core/include/en.h -> code. EN_E_MORE (-3) is an answer, not an error. @type {Readonly<Record<number, ErrorCode>>} */
const BY_STATUS = Object.freeze({ [-1]: 'ARG', [-2]: 'NOMEM', [-4]: 'FORMAT', [-5]: 'UNSUPPORTED', [-6]: 'FULL', [-7]: 'ABORTED', [-8]: 'STATE', [-9]: 'NUMERIC' });

/**
 * @example
 * try { await session.generate(prompt, { signal }); }
 * catch (e) { if (e instanceof EdgeNetError && e.code === 'FULL') shorten(prompt); else throw e; }
 */
export class EdgeNetError extends Error {
  /** @param {ErrorCode} code @param {string} message @param {{detail?: unknown, cause?: unknown, remoteStack?: string}} [more] */
  constructor(code, message, more = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    /** 'AbortError' for code ABORTED, as with fetch; 'EdgeNetError' otherwise. */
    this.name = code === 'ABORTED' ? 'AbortError' : 'EdgeNetError';
    /** @readonly */ this.code = code;
    /** @readonly */ this.detail = more.detail;
    /** Where it was thrown in the worker. @readonly */ this.remoteStack = more.remoteStack;
  }
}

/** @param {number} status a failed en_status @param {string} why @returns {EdgeNetError} */
export function errorOfStatus(status, why) {
  const code = BY_STATUS[status] ?? 'INTERNAL';
  return new EdgeNetError(code, why || `the core answered ${code}`, { detail: { status } });
}

/** @param {AbortSignal | undefined} [signal] */
export function abortError(signal) {
  return new EdgeNetError('ABORTED', 'the operation was aborted', { cause: signal?.reason });
}

/** @param {AbortSignal | undefined} signal */
export function throwIfAborted(signal) { if (signal?.aborted) throw abortError(signal); }

/** Any thrown value as an EdgeNetError; `code` is for values that have no code of their own. @param {unknown} e @param {ErrorCode} [code] @param {string} [prefix] */
export function asError(e, code = 'INTERNAL', prefix = '') {
  if (e instanceof EdgeNetError) return e;
  const name = /** @type {any} */ (e)?.name;
  if (name === 'AbortError') return new EdgeNetError('ABORTED', 'the operation was aborted', { cause: e });
  return new EdgeNetError(code, prefix + String(/** @type {any} */ (e)?.message ?? e), { cause: e });
}

/** @param {unknown} e @returns {WireError} what crosses the worker border */
export function toWire(e) {
  const err = asError(e);
  return { code: err.code, message: err.message, detail: plain(err.detail), stack: e instanceof Error ? e.stack : err.stack };
}
/** @param {WireError} w */
export function fromWire(w) { return new EdgeNetError(w.code, w.message, { detail: w.detail, remoteStack: w.stack }); }

/** @param {unknown} detail details are data; what cannot be cloned is left out */
function plain(detail) {
  try { return detail === undefined ? undefined : structuredClone(detail); } catch { return undefined; }
}

// @ts-check
// A file over http(s), by ranges. Nothing that a server says about a range is believed: status, Content-Range, total length, encoding and
// version are checked on every answer (RFC 9110 sections 13.1.5, 14 and 15.3.7).
import { EdgeNetError, abortError, asError, throwIfAborted } from '../errors.js';
import { isNode } from '../platform.js';

/**
 * @typedef {import('../fetch/types.js').Artifact} Artifact @typedef {import('../fetch/types.js').Reader} Reader @typedef {import('../fetch/types.js').Broken} Broken
 * @typedef {{headers?: Record<string, string>, cache?: RequestCache, timeout: number, span: number}} Asking timeout: ms without a byte; span: bytes of the first request
 */

const MAX_REDIRECTS = 10;
const MAX_RETRY_AFTER = 120_000;

/** @param {string} id @param {'http' | 'hf'} kind @param {string} url @param {Asking} asking @returns {import('../fetch/types.js').Source} */
export function httpSource(id, kind, url, asking) {
  return { id, kind, parallel: 16, open: (artifact, signal, from) => openHttp(url, asking, artifact, signal, from) };
}

/** @param {string} url @param {Asking} asking @param {Artifact} artifact @param {AbortSignal} [signal] @param {number} [from] @returns {Promise<Reader>} */
async function openHttp(url, asking, artifact, signal, from = 0) {
  const file = new HttpFile(url, asking, artifact);
  if (!file.known) await file.first(from, signal);
  return file;
}

/** @implements {Reader} */
class HttpFile {
  #url;
  #asking;
  #html;
  #pinned;
  /** @type {Answer | null} the first answer, until a read from its start takes it */ #begun = null;
  #begunAt = 0;
  /** @type {number | null} */ size = null;
  /** @type {string | null} */ version = null;
  ranges = true;
  /** Whole files in a row where a range was asked. */ #lapses = 0;

  /** @param {string} url @param {Asking} asking @param {Artifact} artifact */
  constructor(url, asking, artifact) {
    this.#url = url;
    this.#asking = asking;
    this.size = artifact.size ?? null;
    this.#pinned = artifact.chunks !== undefined || artifact.sha256 !== undefined; // hashes tell the file, whatever the server calls it
    this.#html = /\.html?$/i.test(artifact.name);
  }

  /** Length and hashes are known: there is nothing to ask before the bytes. */
  get known() { return this.#pinned && this.size !== null; }

  /** Ask for what is wanted first: it tells length and version, and is not wasted. @param {number} from @param {AbortSignal} [signal] @returns {Promise<void>} */
  async first(from, signal) {
    let answer = await this.#ask(`bytes=${from}-${Number.isFinite(this.#asking.span) ? from + this.#asking.span - 1 : ''}`, signal);
    if (answer.status === 416 && from > 0) { answer.stop(); return this.first(0, signal); } // a shorter file by now
    if (answer.status === 206 && !/\/\d+$/.test(answer.headers.get('content-range') ?? '')) { // unknown length, or hidden by CORS rules: what cannot be checked is not used
      answer.stop();
      answer = await this.#ask(null, signal);
    }
    this.version = this.#pinned ? null : versionOf(answer);
    const { status } = answer;
    if (status === 416 && /^bytes \*\/0$/.test(answer.headers.get('content-range') ?? '')) { answer.stop(); this.#known(0); return; }
    this.#begunAt = status === 206 ? from : 0;
    if (status === 206) this.#known(this.#range(answer, from).total);
    else if (status === 200) {
      this.ranges = false;
      const length = Number(answer.headers.get('content-length') ?? NaN);
      if (!encoded(answer) && Number.isFinite(length)) this.#known(length);
    } else throw refused(this.#url, answer);
    this.#begun = answer;
  }
  /** @param {number | null} total */
  #known(total) {
    if (this.size !== null && total !== null && total !== this.size) throw broken(`${this.#url}: has ${total} bytes, not ${this.size}: this is another file`, { final: true, changed: true });
    this.size = total ?? this.size;
  }

  /** @param {number} offset @param {number} length @param {AbortSignal} [signal] @returns {AsyncGenerator<Uint8Array>} */
  async *read(offset, length, signal) {
    if (offset === this.size || length <= 0) return;
    const answer = await this.#answerFor(offset, length, signal);
    const end = Math.min(offset + length, this.size ?? Infinity);
    let at = offset;
    try {
      for await (const piece of answer.body(this.#asking.timeout)) {
        const rest = at + piece.length > end ? piece.subarray(0, end - at) : piece;
        at += rest.length;
        if (rest.length) yield rest;
        if (at >= end) return;
      }
    } catch (e) { throw signal?.aborted ? abortError(signal) : asError(e, 'NETWORK', `${this.#url}: `); } finally { answer.stop(); }
    if (answer.until !== null && at === answer.until) { // a shorter range than asked for: go on from its end
      yield* this.read(at, end - at, signal);
    } else if (this.size !== null) throw broken(`${this.#url}: the connection ended at byte ${at} of ${this.size}`);
  }
  /** @param {number} offset @param {number} length @param {AbortSignal} [signal] @returns {Promise<Answer>} */
  async #answerFor(offset, length, signal) {
    const begun = this.#begun;
    this.#begun = null;
    if (begun && offset === this.#begunAt) { begun.link(signal); return begun; }
    begun?.stop();
    if (!this.ranges) {
      if (offset !== 0) throw broken(`${this.#url}: the server gives no ranges, so it cannot continue at byte ${offset}`);
      return this.#whole(await this.#ask(null, signal));
    }
    const end = offset + length;
    const answer = await this.#ask(`bytes=${offset}-${end < (this.size ?? Infinity) ? end - 1 : ''}`, signal);
    try {
      if (answer.status === 206) {
        this.#known(this.#range(answer, offset).total);
        this.#same(answer);
        this.#lapses = 0;
        return answer;
      }
      if (answer.status === 416) throw broken(`${this.#url}: the file ends before byte ${offset}; it has changed`, { final: true, changed: true });
      if (answer.status !== 200) throw refused(this.#url, answer);
      this.#same(answer); // with If-Range, 200 means: another version
      const length = Number(answer.headers.get('content-length') ?? NaN);
      if (!encoded(answer) && Number.isFinite(length)) this.#known(length);
      this.ranges = ++this.#lapses < 3; // has the server, or a proxy before it, lost the ability? Then the engine reads from the start
      if (offset === 0) return answer; // the whole file from its start will do
      throw broken(`${this.#url}: the server cannot continue at byte ${offset}`);
    } catch (e) { answer.stop(); throw e; }
  }
  /** @param {Answer} answer */
  #whole(answer) {
    if (answer.status === 200) { this.#same(answer); return answer; }
    answer.stop();
    throw refused(this.#url, answer);
  }
  /** @param {Answer} answer */
  #same(answer) {
    if (!this.#pinned && versionOf(answer) !== this.version) throw broken(`${this.#url}: the file has changed on the server since the download began; it cannot continue`, { final: true, changed: true });
  }
  /** @param {Answer} answer @param {number} offset */
  #range(answer, offset) {
    const header = answer.headers.get('content-range') ?? '';
    const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header) ?? [];
    const wrong = from === undefined || Number(from) !== offset || Number(to) < offset || total !== '*' && Number(to) >= Number(total);
    if (!wrong && !encoded(answer)) { answer.until = Number(to) + 1; return { total: total === '*' ? null : Number(total) }; }
    answer.stop();
    throw broken(`${this.#url}: asked for bytes from ${offset}, the server answered ${wrong ? `with the range "${header}"` : 'with a compressed range'}`);
  }

  /** @param {string | null} range @param {AbortSignal} [signal] @returns {Promise<Answer>} */
  async #ask(range, signal) {
    throwIfAborted(signal);
    const { headers = {}, cache, timeout } = this.#asking;
    /** @type {Record<string, string>} */ const own = range ? { Range: range } : isNode() ? { 'Accept-Encoding': 'identity' } : {}; // with a range, fetch itself asks for identity
    if (range && this.version && !this.version.startsWith('W/')) own['If-Range'] = this.version;
    const control = new AbortController();
    const unlink = linked(signal, control);
    const timer = setTimeout(() => control.abort(), timeout);
    try {
      const response = await untilStopped(follow(this.#url, headers, { cache, signal: control.signal, headers: own }), control.signal);
      const answer = new Answer(response, control, unlink);
      if (answer.status < 300 && !this.#html && /^text\/html\b/i.test(answer.headers.get('content-type') ?? '')) {
        answer.stop();
        throw broken(`${this.#url}: a web page answered instead of the file (a sign-in page of this network, or a wrong address?)`);
      }
      return answer;
    } catch (e) {
      unlink();
      if (signal?.aborted) throw abortError(signal);
      if (e instanceof EdgeNetError) throw e;
      throw broken(control.signal.aborted ? `${this.#url}: no answer within ${timeout} ms` : `${this.#url}: ${/** @type {any} */ (e)?.cause?.message || /** @type {Error} */ (e).message}`, {}, e);
    } finally { clearTimeout(timer); }
  }
  close() {
    this.#begun?.stop();
    this.#begun = null;
  }
}

/** A response whose body can be stopped, and which notices silence. */
class Answer {
  #response;
  #control;
  #unlink;
  /** @type {number | null} where its range ends */ until = null;
  /** @param {Response} response @param {AbortController} control @param {() => void} unlink */
  constructor(response, control, unlink) {
    this.#response = response;
    this.#control = control;
    this.#unlink = unlink;
  }
  get status() { return this.#response.status; }
  get headers() { return this.#response.headers; }
  /** @param {AbortSignal} [signal] */
  link(signal) {
    this.#unlink();
    this.#unlink = linked(signal, this.#control);
  }
  stop() {
    this.#unlink();
    this.#control.abort();
  }
  /** @param {number} timeout ms without a byte, while somebody waits for one @returns {AsyncGenerator<Uint8Array>} */
  async *body(timeout) {
    const reader = this.#response.body?.getReader();
    if (!reader) return;
    let silent = false;
    try {
      for (;;) {
        const timer = setTimeout(() => { silent = true; this.#control.abort(); }, timeout);
        const { done, value } = await untilStopped(reader.read(), this.#control.signal).finally(() => clearTimeout(timer));
        if (done) return;
        yield value;
      }
    } catch (e) { throw silent ? broken(`no byte arrived for ${timeout} ms`) : e; } finally { void reader.cancel().catch(() => {}); }
  }
}

/**
 * fetch that follows redirects. The caller's headers (tokens) go to the first origin only. In Node every step is seen; browsers take
 * Authorization off by themselves, but no other header, so there any other one forbids redirects. @param {string} url @param {Record<string, string>} secret
 * @param {{headers: Record<string, string>, signal: AbortSignal, cache?: RequestCache}} init @returns {Promise<Response>}
 */
async function follow(url, secret, init) {
  const onlyToken = Object.keys(secret).every((name) => name.toLowerCase() === 'authorization');
  if (!isNode()) return fetch(url, { ...init, headers: { ...init.headers, ...secret }, redirect: onlyToken ? 'follow' : 'error' });
  const { origin, protocol } = new URL(url);
  for (let at = url, left = MAX_REDIRECTS; ; left--) {
    const response = await fetch(at, { ...init, headers: { ...init.headers, ...(new URL(at).origin === origin ? secret : {}) }, redirect: 'manual' });
    const to = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null;
    if (to === null) return response;
    void response.body?.cancel().catch(() => {});
    const next = new URL(to, at);
    if (left === 0) throw broken(`${url}: more than ${MAX_REDIRECTS} redirects`);
    if (!/^https?:$/.test(next.protocol) || protocol === 'https:' && next.protocol === 'http:') throw broken(`${url}: refuses the redirect to ${next.protocol}//${next.host}`, { final: true });
    at = next.href;
  }
}

/** @param {AbortSignal | undefined} signal @param {AbortController} control @returns {() => void} ends the link */
function linked(signal, control) {
  const stop = () => control.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  return () => signal?.removeEventListener('abort', stop);
}
/** What a promise gives, but an error as soon as the signal aborts: Node's fetch may lose its signal to the garbage collector, and then never settles. @template T @param {Promise<T>} promise @param {AbortSignal} signal @returns {Promise<T>} */
function untilStopped(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
/** @param {Answer} answer */
function encoded({ headers }) { return (headers.get('content-encoding') ?? 'identity') !== 'identity'; }
/** @param {Answer} answer */
function versionOf({ headers }) { return headers.get('etag') ?? headers.get('last-modified'); }

/** @param {string} url @param {Answer} answer */
function refused(url, { status, headers }) {
  const asked = headers.get('retry-after') ?? '';
  const wait = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  const patient = status >= 500 || status === 408 || status === 425 || status === 429;
  return broken(`${url}: HTTP ${status}`, { status, final: !patient, ...(wait > 0 ? { retryAfter: Math.min(wait, MAX_RETRY_AFTER) } : {}) });
}
/** @param {string} message @param {Broken} [detail] @param {unknown} [cause] */
function broken(message, detail = {}, cause) { return new EdgeNetError('NETWORK', message, { detail, cause }); }

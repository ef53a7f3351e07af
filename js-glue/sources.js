// @ts-check
// Where a model's bytes come from. A Source is cheap to describe (a SourceSpec can be posted to a worker) and opens to an Artifact,
// which streams the file from any offset. Later sources (content-addressed, peers) implement the same two shapes.
import { EdgeNetError, abortError, asError, throwIfAborted } from './errors.js';
import { isNode, nodeModule } from './platform.js';

/**
 * @typedef {{kind: 'url', url: string, headers?: Record<string, string>} | {kind: 'blob', blob: Blob} | {kind: 'bytes', bytes: Uint8Array} | {kind: 'path', path: string}} SourceSpec
 * @typedef {object} Artifact one file, open for reading
 * @property {number | null} size bytes, null when the source does not tell
 * @property {(offset: number, signal?: AbortSignal) => AsyncIterable<Uint8Array>} stream
 * @property {(offset: number, view: Uint8Array) => number} [readInto] synchronous read to a place of the caller's; returns bytes read, 0 at the end
 * @property {() => void} close
 * @typedef {object} Source
 * @property {string} id names the bytes: the key in a store
 * @property {string} name for people and error messages
 * @property {boolean} remote worth keeping in a store
 * @property {(signal?: AbortSignal) => Promise<Artifact>} open
 * @typedef {{retries: number, timeout: number}} Patience retries in a row without progress; ms without a byte
 */

/** @type {Readonly<Patience>} */
export const PATIENCE = Object.freeze({ retries: 3, timeout: 30000 });
const READ_BYTES = 4 << 20;

/** What users may give as a model. @typedef {string | URL | Blob | ArrayBuffer | Uint8Array | {url: string | URL, headers?: Record<string, string>}} ModelSource */

/** @param {ModelSource} source @returns {SourceSpec} */
export function sourceSpec(source) {
  if (source instanceof Uint8Array) return { kind: 'bytes', bytes: source };
  if (source instanceof ArrayBuffer) return { kind: 'bytes', bytes: new Uint8Array(source) };
  if (typeof Blob !== 'undefined' && source instanceof Blob) return { kind: 'blob', blob: source };
  if (source instanceof URL) return urlSpec(source);
  if (typeof source === 'string') return stringSpec(source);
  if (source && typeof source === 'object' && 'url' in source) {
    const spec = urlSpec(new URL(source.url, base()));
    return spec.kind === 'url' ? { ...spec, headers: source.headers } : spec;
  }
  throw new EdgeNetError('ARG', 'source: give a URL, a File or Blob, an ArrayBuffer or Uint8Array, { url, headers }, or in Node a path');
}

/** @param {URL} url @returns {{kind: 'url', url: string} | {kind: 'path', path: string}} */
function urlSpec(url) {
  if (url.protocol === 'file:' && isNode()) return { kind: 'path', path: decodeURIComponent(url.pathname) };
  url = new URL(url);
  url.hash = '';
  return { kind: 'url', url: url.href };
}
/** @param {string} text @returns {SourceSpec} */
function stringSpec(text) {
  if (/^(https?|blob|data|file):/i.test(text)) return urlSpec(new URL(text));
  if (!/[/\\.]/.test(text) || /^[\w.-]+$/.test(text) && !/\.gguf$/i.test(text)) {
    throw new EdgeNetError('UNSUPPORTED', `source: "${text}" is a bare model name, and this release has no registry to look it up. Give the URL of a .gguf file, `
      + `a File or Blob, an ArrayBuffer or Uint8Array, { url, headers }${isNode() ? ', or the path of a .gguf file' : ''}`, { detail: { name: text } });
  }
  return isNode() ? { kind: 'path', path: text } : urlSpec(new URL(text, base()));
}
function base() { return globalThis.document?.baseURI ?? globalThis.location?.href; }

/** @param {SourceSpec} spec @param {Patience} [patience] @param {boolean} [kept] the bytes go to a store: the browser's own cache need not keep them too @returns {Source} */
export function openSource(spec, patience = PATIENCE, kept = false) {
  switch (spec.kind) {
    case 'url': return { id: spec.url, name: spec.url, remote: /^https?:/.test(spec.url), open: (signal) => openUrl(spec.url, { headers: spec.headers ?? {}, cache: kept ? 'no-store' : 'default' }, patience, signal) };
    case 'blob': return { id: `blob:${/** @type {File} */ (spec.blob).name ?? ''}`, name: /** @type {File} */ (spec.blob).name ?? 'blob', remote: false, open: async () => blobArtifact(spec.blob) };
    case 'bytes': return { id: 'bytes:', name: 'bytes', remote: false, open: async () => bytesArtifact(spec.bytes) };
    case 'path': return { id: spec.path, name: spec.path, remote: false, open: () => openPath(spec.path) };
  }
}

/** @param {Uint8Array} bytes @returns {Artifact} */
export function bytesArtifact(bytes) {
  return {
    size: bytes.length, close() {},
    async *stream(offset, signal) {
      for (let at = offset; at < bytes.length; at += READ_BYTES) {
        throwIfAborted(signal);
        yield bytes.subarray(at, at + READ_BYTES);
      }
    },
  };
}
/** @param {Blob} blob @returns {Artifact} */
export function blobArtifact(blob) {
  return {
    size: blob.size, close() {},
    async *stream(offset, signal) {
      for (let at = offset; at < blob.size; at += READ_BYTES) {
        throwIfAborted(signal);
        yield new Uint8Array(await blob.slice(at, at + READ_BYTES).arrayBuffer());
      }
    },
  };
}
/** Turns a synchronous reader into an artifact. @param {number} size @param {(offset: number, view: Uint8Array) => number} readInto @param {() => void} close @returns {Artifact} */
export function syncArtifact(size, readInto, close) {
  return {
    size, readInto, close,
    async *stream(offset, signal) {
      for (let at = offset; at < size;) {
        throwIfAborted(signal);
        const chunk = new Uint8Array(Math.min(READ_BYTES, size - at));
        const n = readInto(at, chunk);
        if (n <= 0) return;
        yield chunk.subarray(0, n);
        at += n;
      }
    },
  };
}

/** @param {string} path @returns {Promise<Artifact>} */
export async function openPath(path) {
  const fs = await nodeModule('node:fs');
  try {
    const fd = fs.openSync(path, 'r');
    let open = true;
    return syncArtifact(fs.fstatSync(fd).size, (offset, view) => fs.readSync(fd, view, 0, view.length, offset), () => { if (open) fs.closeSync(fd); open = false; });
  } catch (e) { throw asError(e, 'STORAGE'); }
}

/** @typedef {{headers: Record<string, string>, cache: RequestCache}} Asking */

/** @param {string} url @param {Asking} asking @param {Patience} patience @param {AbortSignal} [signal] @returns {Promise<Artifact>} */
async function openUrl(url, asking, patience, signal) {
  /** @type {Response | undefined} */
  let first = await request(url, asking, patience, signal);
  const encoded = (first.headers.get('content-encoding') ?? 'identity') !== 'identity';
  const length = Number(first.headers.get('content-length') ?? NaN);
  const size = encoded || !Number.isFinite(length) ? null : length;
  const tag = first.headers.get('etag') ?? first.headers.get('last-modified');
  return {
    size,
    close() { void first?.body?.cancel().catch(() => {}); first = undefined; },
    async *stream(offset, streamSignal) {
      let at = offset;
      let response = offset === 0 ? first : undefined;
      first = undefined;
      for (let tries = 0; ;) {
        try {
          response ??= at === 0 ? await request(url, asking, { ...patience, retries: 0 }, streamSignal) : await resume(url, asking, at, tag, patience, streamSignal);
          for await (const chunk of body(response, patience.timeout, streamSignal)) {
            at += chunk.length;
            tries = 0;
            yield chunk;
          }
          if (size === null || at >= size) return;
          throw new EdgeNetError('NETWORK', `${url}: the connection ended at ${at} of ${size} bytes`);
        } catch (e) {
          const error = streamSignal?.aborted ? abortError(streamSignal) : asError(e, 'NETWORK', `${url}: `);
          if (error.code !== 'NETWORK' || /** @type {any} */ (error.detail)?.final || ++tries > patience.retries) throw error;
          response = undefined;
          await pause(250 * 2 ** tries, streamSignal);
        }
      }
    },
  };
}

/** @param {string} url @param {Asking} asking @param {number} at @param {string | null} tag @param {Patience} patience @param {AbortSignal} [signal] */
async function resume(url, { headers, cache }, at, tag, patience, signal) {
  const range = { ...headers, Range: `bytes=${at}-`, ...(tag && !tag.startsWith('W/') ? { 'If-Range': tag } : {}) };
  const response = await request(url, { headers: range, cache }, { ...patience, retries: 0 }, signal);
  const from = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  if (response.status === 206 && Number(from) === at) return response;
  void response.body?.cancel().catch(() => {});
  throw new EdgeNetError('NETWORK', `${url}: the download broke at byte ${at} and the server cannot continue there`, { detail: { final: true } });
}

/** @param {string} url @param {Asking} asking @param {Patience} patience @param {AbortSignal} [signal] @returns {Promise<Response>} */
async function request(url, asking, { retries, timeout }, signal) {
  for (let tries = 0; ; tries++) {
    throwIfAborted(signal);
    const control = new AbortController();
    const stop = () => control.abort();
    signal?.addEventListener('abort', stop, { once: true });
    const timer = setTimeout(stop, timeout);
    try {
      const response = await fetch(url, { ...asking, signal: control.signal });
      if (response.ok) return response;
      void response.body?.cancel().catch(() => {});
      const error = new EdgeNetError('NETWORK', `${url}: HTTP ${response.status}`, { detail: { status: response.status, final: true } });
      if (response.status < 500 && response.status !== 429 || tries >= retries) throw error;
    } catch (e) {
      if (signal?.aborted) throw abortError(signal);
      if (e instanceof EdgeNetError) throw e;
      if (tries >= retries) throw new EdgeNetError('NETWORK', control.signal.aborted ? `${url}: no answer within ${timeout} ms` : `${url}: ${/** @type {any} */ (e)?.cause?.message ?? /** @type {Error} */ (e).message}`, { cause: e });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
    await pause(250 * 2 ** (tries + 1), signal);
  }
}
/** @param {Response} response @param {number} timeout @param {AbortSignal} [signal] @returns {AsyncGenerator<Uint8Array>} */
async function* body(response, timeout, signal) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  /** @type {(e: Error) => void} */ let fail = () => {};
  const onAbort = () => fail(abortError(signal));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      throwIfAborted(signal);
      /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
      const silence = new Promise((_, reject) => {
        fail = reject;
        timer = setTimeout(() => reject(new EdgeNetError('NETWORK', `no byte arrived for ${timeout} ms`)), timeout);
      });
      const { done, value } = /** @type {ReadableStreamReadResult<Uint8Array>} */ (await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer)));
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    void reader.cancel().catch(() => {});
  }
}

/** @param {number} ms @param {AbortSignal} [signal] */
function pause(ms, signal) {
  return new Promise((/** @type {(v: void) => void} */ resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() { clearTimeout(timer); signal?.removeEventListener('abort', done); signal?.aborted ? reject(abortError(signal)) : resolve(); }
    signal?.addEventListener('abort', done, { once: true });
  });
}

// @ts-check
// Where a model's bytes come from: what users may write, as plain data (a SourceSpec can be posted to a worker), and the Source that it opens.
// A new kind is a file in sources/, a member of SourceSpec, and a line in openSource.
import { EdgeNetError } from './errors.js';
import { isNode } from './platform.js';
import { httpSource } from './sources/http.js';
import { blobReader, bytesReader, pathReader } from './sources/local.js';

/**
 * @typedef {import('./fetch/types.js').SourceSpec} SourceSpec @typedef {import('./fetch/types.js').Source} Source @typedef {import('./fetch/types.js').Artifact} Artifact
 * @typedef {import('./fetch/types.js').Patience} Patience @typedef {import('./fetch/types.js').Reader} Reader
 */

/** @type {Readonly<Patience>} */
export const PATIENCE = Object.freeze({ retries: 3, timeout: 30000, parallel: 4 });
/** Bytes of the first request, which also tells length and version. */
export const SPAN_BYTES = 16 << 20;
const HUGGING_FACE = 'https://huggingface.co';

/** What users may give as a model. @typedef {string | URL | Blob | ArrayBuffer | Uint8Array | {url: string | URL, headers?: Record<string, string>}} ModelSource */

/** @param {ModelSource} source @returns {SourceSpec} */
export function sourceSpec(source) {
  if (source instanceof Uint8Array) return { kind: 'bytes', bytes: source };
  if (source instanceof ArrayBuffer) return { kind: 'bytes', bytes: new Uint8Array(source) };
  if (typeof Blob !== 'undefined' && source instanceof Blob) return { kind: 'blob', blob: source };
  if (source instanceof URL) return urlSpec(source);
  if (typeof source === 'string') return stringSpec(source);
  if (source && typeof source === 'object' && 'url' in source) {
    const spec = sourceSpec(/^(hf|ipfs):/.test(String(source.url)) ? String(source.url) : new URL(source.url, base()));
    return spec.kind === 'url' || spec.kind === 'hf' ? { ...spec, headers: source.headers } : spec;
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
  if (/^hf:/.test(text)) return huggingFaceSpec(text);
  if (/^ipfs:/.test(text)) return { kind: 'ipfs', cid: text.replace(/^ipfs:(\/\/)?/, '').replace(/\/$/, '') };
  if (/^(https?|blob|data|file):/i.test(text)) return urlSpec(new URL(text));
  if (!/[/\\.]/.test(text) || /^[\w.-]+$/.test(text) && !/\.gguf$/i.test(text)) {
    throw new EdgeNetError('UNSUPPORTED', `source: "${text}" is a bare model name, and this release has no registry to look it up. Give the URL of a .gguf file, `
      + `a File or Blob, an ArrayBuffer or Uint8Array, { url, headers }${isNode() ? ', or the path of a .gguf file' : ''}`, { detail: { name: text } });
  }
  return isNode() ? { kind: 'path', path: text } : urlSpec(new URL(text, base()));
}
function base() { return globalThis.document?.baseURI ?? globalThis.location?.href; }

/** hf:owner/repo/path/to/file@revision. A commit as the revision names the bytes for ever; "main", the default, is what it is today. @param {string} text @returns {SourceSpec} */
function huggingFaceSpec(text) {
  const [, repo, path, revision = 'main'] = /^hf:(?:\/\/)?([\w.-]+\/[\w.-]+)\/([^@?#]+)(?:@([\w.\/-]+))?$/.exec(text) ?? [];
  if (!repo || !path || path.split('/').includes('..')) throw new EdgeNetError('ARG', `source: "${text}" is not of the form hf:owner/repository/file@revision`, { detail: { option: 'source' } });
  return { kind: 'hf', repo, path, revision };
}

/** The file that a source alone describes. @param {SourceSpec} spec @returns {Artifact} */
export function artifactOf(spec) {
  switch (spec.kind) {
    case 'url': return { id: spec.url, name: spec.url, format: 'gguf' };
    case 'hf': return { id: `hf:${spec.repo}/${spec.path}@${spec.revision}`, name: `${spec.repo}/${spec.path}`, format: 'gguf' };
    case 'ipfs': return { id: `ipfs://${spec.cid}`, name: `ipfs://${spec.cid}`, format: 'gguf' };
    case 'blob': { const name = /** @type {File} */ (spec.blob).name; return { id: `blob:${name ?? ''}`, name: name ?? 'blob', format: 'gguf' }; }
    case 'bytes': return { id: 'bytes:', name: 'bytes', format: 'gguf' };
    case 'path': return { id: spec.path, name: spec.path, format: 'gguf' };
  }
}
/** Is it worth keeping in a store? @param {SourceSpec} spec */
export function isRemote(spec) { return spec.kind === 'hf' || spec.kind === 'ipfs' || spec.kind === 'url' && /^https?:/.test(spec.url); }

/** @param {SourceSpec} spec @param {Partial<Patience>} [patience] @param {{kept?: boolean}} [options] kept: the bytes go to a store, so that the browser's own cache need not keep them too @returns {Source} */
export function openSource(spec, { timeout = PATIENCE.timeout, parallel = PATIENCE.parallel } = {}, { kept = false } = {}) {
  const { id } = artifactOf(spec);
  const asking = { timeout, span: parallel > 1 ? SPAN_BYTES : Infinity, cache: /** @type {RequestCache} */ (kept ? 'no-store' : 'default') };
  switch (spec.kind) {
    case 'url': return httpSource(id, 'http', spec.url, { ...asking, headers: spec.headers });
    case 'hf': return httpSource(id, 'hf', `${spec.endpoint ?? HUGGING_FACE}/${spec.repo}/resolve/${encodeURIComponent(spec.revision)}/${spec.path.split('/').map(encodeURIComponent).join('/')}`, { ...asking, headers: spec.headers });
    case 'ipfs': return { id, kind: 'ipfs', parallel: 8, open: async (artifact, signal) => (await import('./sources/ipfs.js')).ipfsSource(spec.cid, { gateways: spec.gateways, timeout }).open(artifact, signal) };
    case 'blob': return { id, kind: 'file', parallel: 1, open: async () => blobReader(spec.blob) };
    case 'bytes': return { id, kind: 'memory', parallel: 1, open: async () => bytesReader(spec.bytes) };
    case 'path': return { id, kind: 'file', parallel: 1, open: () => pathReader(spec.path) };
  }
}

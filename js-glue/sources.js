// @ts-check
// Where a model's bytes come from: what users may write, as plain data (a SourceSpec can be posted to a worker), and the Source that it opens.
// A new kind is a file in sources/, a member of SourceSpec, and a line in openSource.
import { EdgeNetError } from './errors.js';
import { isNode, nodeModule } from './platform.js';
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

/**
 * What users may give as a model. Hugging Face folders: hf:owner/repository, in Node the path of a folder, a directory that the user chose, or the list of its files.
 * @typedef {string | URL | Blob | ArrayBuffer | Uint8Array | {url: string | URL, headers?: Record<string, string>}} OneSource
 * @typedef {OneSource | readonly OneSource[] | FileSystemDirectoryHandle} ModelSource
 */
/** name-00001-of-00003.gguf */
const SPLIT = /-\d{5}-of-(\d{5})(?=\.gguf$)/i;

/** Everything that is needed to open it, files of one model together. @param {ModelSource} source @param {unknown} [wasm] the session's option: a folder has convert.wasm too @returns {Promise<SourceSpec>} */
export async function wholeSpec(source, wasm) {
  const spec = await gathered(source);
  return spec.kind === 'parts' && /\/$/.test(String(wasm)) ? { ...spec, convert: new URL(String(wasm), base() ?? import.meta.url).href } : spec;
}
/** @param {ModelSource} source @returns {Promise<SourceSpec>} */
async function gathered(source) {
  if (Array.isArray(source)) return listSpec(source.map((one) => { const spec = sourceSpec(one); return { name: fileName(spec), spec }; }));
  if (/** @type {any} */ (source)?.kind === 'directory') return listSpec(await filesOf(/** @type {FileSystemDirectoryHandle} */ (source), ''));
  const spec = sourceSpec(/** @type {OneSource} */ (source)), name = fileName(spec), count = Number(SPLIT.exec(name)?.[1] ?? 1);
  if (spec.kind === 'hf' && !spec.path || spec.kind === 'path' && await isDirectory(spec.path)) return { kind: 'parts', split: false, files: [], base: spec };
  if (count < 2 || !('path' in spec || 'url' in spec)) return spec;
  const names = Array.from({ length: count }, (_, i) => name.replace(SPLIT, (all) => `-${String(i + 1).padStart(5, '0')}${all.slice(6)}`));
  const beside = (/** @type {string} */ to) => ('path' in spec ? { ...spec, path: spec.path.slice(0, -name.length) + to } : { ...spec, url: spec.url.replace(name, to) });
  return { kind: 'parts', split: true, files: names.map((to) => ({ name: to, spec: beside(to) })), base: null };
}
/** @param {{name: string, spec: SourceSpec}[]} files @returns {SourceSpec} */
function listSpec(files) {
  const models = files.filter(({ name }) => /\.gguf$/i.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (models.length === 1) return models[0].spec;
  if (models.length && models.some(({ name }) => !SPLIT.test(name)) || !models.length && !files.some(({ name }) => name === 'config.json')) {
    throw new EdgeNetError('ARG', `source: these ${files.length} files are neither the parts of one GGUF model (-00001-of-0000N.gguf) nor a Hugging Face folder, which has a config.json`);
  }
  return { kind: 'parts', split: models.length > 0, files: models.length ? models : files, base: null };
}
/** What a file is called; of files that were chosen with their folder, the place in that folder. @param {SourceSpec} spec */
function fileName(spec) {
  if (spec.kind === 'blob') return (/** @type {File} */ (spec.blob).webkitRelativePath ?? '').replace(/^[^/]*\//, '') || (/** @type {File} */ (spec.blob).name ?? '');
  return 'path' in spec ? /** @type {string} */ (spec.path.split(/[\\/]/).pop()) : spec.kind === 'url' ? /** @type {string} */ (spec.url.split(/[?#]/)[0].split('/').pop()) : '';
}
/** @param {FileSystemDirectoryHandle} handle @param {string} inside @returns {Promise<{name: string, spec: SourceSpec}[]>} with those of its folder 1_Pooling */
async function filesOf(handle, inside) {
  const files = [];
  for await (const entry of /** @type {any} */ (handle).values()) {
    if (entry.kind === 'file') files.push({ name: inside + entry.name, spec: /** @type {SourceSpec} */ ({ kind: 'blob', blob: await entry.getFile() }) });
    else if (entry.name === '1_Pooling' && !inside) files.push(...await filesOf(entry, '1_Pooling/'));
  }
  return files;
}
/** @param {string} path */
async function isDirectory(path) { return (await nodeModule('node:fs')).statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false; }

/** Of one file. @param {OneSource} source @returns {SourceSpec} */
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
    throw new EdgeNetError('UNSUPPORTED', `source: "${text}" is a bare model name, which ModelLoader.load() looks up. Here give the URL of a .gguf file, `
      + `a File or Blob, an ArrayBuffer or Uint8Array, { url, headers }${isNode() ? ', or the path of a .gguf file' : ''}`, { detail: { name: text } });
  }
  return isNode() ? { kind: 'path', path: text } : urlSpec(new URL(text, base()));
}
function base() { return globalThis.document?.baseURI ?? globalThis.location?.href; }

/** hf:owner/repo/path/to/file@revision; without a path all of the repository. A commit as the revision names the bytes for ever; "main", the default, is what it is today. @param {string} text @returns {SourceSpec} */
function huggingFaceSpec(text) {
  const [, repo, path = '', revision = 'main'] = /^hf:(?:\/\/)?([\w.-]+\/[\w.-]+)(?:\/([^@?#]+))?(?:@([\w.\/-]+))?$/.exec(text) ?? [];
  if (!repo || /\.gguf$/i.test(repo) || path.split('/').includes('..')) throw new EdgeNetError('ARG', `source: "${text}" is not of the form hf:owner/repository/file@revision`, { detail: { option: 'source' } });
  return { kind: 'hf', repo, path, revision };
}

/** The file that a source alone describes. @param {SourceSpec} spec @returns {Artifact} */
export function artifactOf(spec) {
  switch (spec.kind) {
    case 'url': return { id: spec.url, name: spec.url, format: 'gguf' };
    case 'hf': { const name = spec.path ? `${spec.repo}/${spec.path}` : spec.repo; return { id: `hf:${name}@${spec.revision}`, name, format: 'gguf' }; }
    case 'ipfs': return { id: `ipfs://${spec.cid}`, name: `ipfs://${spec.cid}`, format: 'gguf' };
    case 'blob': { const name = /** @type {File} */ (spec.blob).name; return { id: `blob:${name ?? ''}`, name: name ?? 'blob', format: 'gguf' }; }
    case 'bytes': return { id: 'bytes:', name: 'bytes', format: 'gguf' };
    case 'path': return { id: spec.path, name: spec.path, format: 'gguf' };
    case 'parts': return artifactOf(spec.base ?? spec.files[0].spec);
  }
}
/** Is it worth keeping in a store? @param {SourceSpec} spec @returns {boolean} */
export function isRemote(spec) { return spec.kind === 'parts' ? isRemote(spec.base ?? spec.files[0].spec) : spec.kind === 'hf' || spec.kind === 'ipfs' || spec.kind === 'url' && /^https?:/.test(spec.url); }

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
    case 'parts': return {
      id, kind: isRemote(spec) ? 'http' : 'file', parallel: spec.split ? 16 : 1, // a tensor that changes is read whole
      open: async (artifact, signal) => (await import('./parts.js')).openParts(spec, artifact.name.replace(/[\\/]+$/, '').replace(/^.*[\\/]/, ''), (one) => openSource(one, { timeout, parallel }, { kept }), signal),
    };
  }
}

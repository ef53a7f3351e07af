// @ts-check
// Models into the cache folder, by the same engine and into the same store as in programs: what is pulled here is cached there.
import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { EdgeNetError } from '../../js-glue/errors.js';
import { download } from '../../js-glue/fetch/download.js';
import { askedFor } from '../../js-glue/lookup.js';
import { artifactOf, openSource, sourceSpec } from '../../js-glue/sources.js';
import { openStore } from '../../js-glue/stores/store.js';
import { expand, parseSize } from './config.js';
import { openLookup, patienceOf } from './find.js';
import { showSize } from './output.js';

/** @typedef {import('../../js-glue/fetch/types.js').Artifact} Artifact @typedef {import('../../js-glue/fetch/types.js').Store} Store @typedef {import('../../js-glue/fetch/types.js').SourceSpec} SourceSpec */
/** @typedef {{filename: string, artifact: Artifact, sources: SourceSpec[]}} Wanted */

/** @template T @param {Record<string, any>} config @param {(store: Store) => Promise<T>} work */
export async function withCache(config, work) {
  const store = await openStore({ kind: 'filesystem', root: expand(config['cache.directory']) });
  try { return await work(store); } finally { store.close(); }
}

/** Every file of a model. @param {import('../../js-glue/lookup.js').Lookup} lookup @param {Pick<import('./find.js').Found, 'manifest' | 'url'>} found @param {Record<string, any>} config @returns {Promise<Wanted[]>} */
export async function wantedFiles(lookup, found, config) {
  const gateways = config['ipfs.gateways'].length ? config['ipfs.gateways'] : undefined;
  const wanted = [];
  for (const [artifact, { filename }] of Object.entries(found.manifest.artifacts)) wanted.push({ filename, ...await lookup.wanted(found, { artifact, gateways }) });
  return wanted;
}

/** @param {Wanted} wanted @param {Store} store @param {Record<string, any>} config @param {{progress: (label: string) => (p: any) => void, signal?: AbortSignal}} options */
export async function fetchFile({ filename, artifact, sources }, store, config, { progress, signal }) {
  const limit = parseSize(config['cache.maxSize']);
  if (!config['cache.autoCleanup']) await refuseEviction(artifact, store, limit);
  const patience = patienceOf(config);
  return download(artifact, { store, sources: sources.map((s) => openSource(s, patience, { kept: true })), patience, signal, onProgress: progress(filename), maxBytes: limit });
}
/** @param {Artifact} artifact @param {Store} store @param {number} limit */
async function refuseEviction(artifact, store, limit) {
  const { bytes, free } = await store.usage();
  const needed = await store.find(artifact.id) ? 0 : artifact.size ?? 0;
  if (bytes + needed > limit || free !== null && needed > free) {
    throw new EdgeNetError('STORAGE', `${artifact.name} has ${showSize(needed)}, but the cache may have ${showSize(limit)} and has ${showSize(bytes)}${free === null ? '' : `, ${showSize(free)} are free`}; cache clear makes room, or set cache.autoCleanup to true`);
  }
}

/** A stored file to a folder, whole or not at all. @param {Store} store @param {string} id @param {string} file */
async function copyOut(store, id, file) {
  const reader = await store.open(id);
  if (!reader) throw new EdgeNetError('STORAGE', `${file}: the stored file is gone`);
  const draft = `${file}.${process.pid}.new`;
  try {
    const handle = await open(draft, 'w');
    try { for await (const piece of reader.read(0, Infinity)) await handle.writeFile(piece); await handle.sync(); } finally { await handle.close(); }
    await rename(draft, file);
  } catch (e) { await rm(draft, { force: true }); throw e; } finally { await reader.close(); }
}

/**
 * @param {string} name a model's name, a manifest's path or URL; or the URL of a file itself (https, hf:, ipfs:), whose hashes are then recorded at the first download
 * @param {{version?: string, source?: string, output?: string, allowUnsigned?: boolean}} options @param {Record<string, any>} config @param {{progress: (label: string) => (p: any) => void, signal?: AbortSignal}} how
 * @returns {Promise<{id: string, version: string | null, signedBy: string | null, files: {file: string, bytes: number}[]}>}
 */
export async function pull(name, { version, source, output, allowUnsigned }, config, how) {
  return withCache(config, async (store) => {
    const asked = askedFor(name, version);
    const lookup = await openLookup(config, store, { allowUnsigned: allowUnsigned || config['trust.allowUnsigned'], source });
    const found = asked && await lookup.find(asked, how.signal);
    const wanted = found ? await wantedFiles(lookup, found, config) : [bareFile(name)];
    if (output) await mkdir(output, { recursive: true });
    const files = [];
    for (const one of wanted) {
      const entry = await fetchFile(one, store, config, how);
      const file = output && path.join(output, one.filename);
      if (file) await copyOut(store, one.artifact.id, file);
      files.push({ file: file ?? path.join(expand(config['cache.directory']), entry.file), bytes: entry.size });
    }
    if (found) for (const way of [asked, { name: found.manifest.id }]) await lookup.remember(way, found);
    return { id: found?.manifest.id ?? name, version: found?.manifest.version ?? null, signedBy: found?.signedBy?.name ?? null, files };
  });
}
/** @param {string} name @returns {Wanted} */
function bareFile(name) {
  const spec = sourceSpec(name);
  const place = spec.kind === 'url' ? new URL(spec.url).pathname : spec.kind === 'hf' ? spec.path : name.replace(/^ipfs:\/\//, '');
  return { filename: place.split('/').filter(Boolean).at(-1)?.replace(/[^\w.+-]/g, '_') ?? 'model', artifact: artifactOf(spec), sources: [spec] };
}

// @ts-check
/**
 * A model host in one call: a folder over HTTP with ranges, CORS and the headers that isolated pages need, and `models.json`, the list of the
 * manifests in it, by which ModelLoader finds models by name (`sources.primary` is the URL of this server).
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { summaryOf } from '../../js-glue/catalog.js';
import { EdgeNetError } from '../../js-glue/errors.js';
import { readJson } from '../../js-glue/manifest/json.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../js-glue/manifest/manifest.js';
import { isEnvelope, readEnvelope } from '../../js-glue/trust/dsse.js';
import { openStaticServer } from './static-server.js';

/** How deep manifests are looked for below the folder. */
const MAX_DEPTH = 4;

/** Files below a folder whose names end with .json, as paths with slashes; hidden ones and links are left out. @param {string} folder @param {string} [below] @param {number} [depth] @returns {Promise<string[]>} */
async function jsonFiles(folder, below = '', depth = 0) {
  const entries = await readdir(path.join(folder, below), { withFileTypes: true });
  /** @type {string[]} */ const found = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const name = below ? `${below}/${entry.name}` : entry.name;
    if (entry.isDirectory() && depth < MAX_DEPTH) found.push(...await jsonFiles(folder, name, depth + 1));
    else if (entry.isFile() && entry.name.endsWith('.json')) found.push(name);
  }
  return found;
}

/** A manifest, also out of its envelope: whoever loads the model checks the signature. @param {Uint8Array} bytes @param {string} file */
function manifestIn(bytes, file) {
  const value = readJson(bytes, { name: file, maxBytes: 2 * MAX_MANIFEST_BYTES });
  return isEnvelope(value) ? { signed: true, manifest: parseManifest(readEnvelope(value, file).payload, file) } : { signed: false, manifest: parseManifest(bytes, file) };
}

/**
 * The manifests of a folder, as `models.json` lists them; of one version the signed one. Other JSON files are passed over: they are no manifests.
 * @param {string} folder @returns {Promise<import('../../js-glue/catalog.js').ModelSummary[]>}
 */
export async function listManifests(folder) {
  /** @type {Map<string, {signed: boolean, summary: import('../../js-glue/catalog.js').ModelSummary}>} */ const models = new Map();
  for (const file of await jsonFiles(folder)) {
    const at = path.join(folder, file);
    try {
      if ((await stat(at)).size > 2 * MAX_MANIFEST_BYTES) continue;
      const url = file.split('/').map(encodeURIComponent).join('/');
      const { signed, manifest } = manifestIn(await readFile(at), file);
      const key = `${manifest.id} ${manifest.version}`;
      if (!models.has(key) || signed && !models.get(key)?.signed) models.set(key, { signed, summary: summaryOf(manifest, url) });
    } catch { /* no manifest */ }
  }
  return [...models.values()].map((m) => m.summary);
}

/**
 * @param {string} folder @param {{port?: number, host?: string, cors?: string | null}} [options]
 *   cors: the origin of the pages that may read the models, or '*' for all; null (default): only pages of this server
 * @returns {Promise<import('./static-server.js').Served>}
 */
export async function serveModels(folder, { port = 8080, host, cors = null } = {}) {
  if (!(await stat(folder).catch(() => null))?.isDirectory()) throw new EdgeNetError('ARG', `${folder} is not a folder`);
  if (!(port >= 0 && port < 65536)) throw new EdgeNetError('ARG', `port must be a number from 0 to 65535, not ${port}`);
  return openStaticServer({
    mounts: { '/': folder }, port, host,
    headers: {
      'X-Content-Type-Options': 'nosniff',
      'Cross-Origin-Resource-Policy': cors === null ? 'same-origin' : 'cross-origin', // pages with COEP load nothing without it
      ...(cors !== null && { 'Access-Control-Allow-Origin': cors, 'Access-Control-Expose-Headers': 'Accept-Ranges, Content-Length, Content-Range, ETag', ...(cors !== '*' && { Vary: 'Origin' }) }),
    },
    preflight: () => (cors === null ? null : { 'Access-Control-Allow-Methods': 'GET, HEAD', 'Access-Control-Allow-Headers': 'Range, If-Range, If-None-Match', 'Access-Control-Max-Age': '86400' }),
    routes: {
      '/models.json': async (request, response) => {
        const body = JSON.stringify(await listManifests(folder), null, 2);
        response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-cache', 'Content-Length': Buffer.byteLength(body) }).end(request.method === 'HEAD' ? '' : body);
      },
      '/': async (_, response) => {
        const lines = (await listManifests(folder)).map((m) => `${m.id} ${m.version}  ${m.type}  ${m.size ?? '?'} bytes  ${m.manifest}`);
        response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${lines.length} models; models.json lists them for programs\n${lines.map((l) => `${l}\n`).join('')}`);
      },
    },
  });
}

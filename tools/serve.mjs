#!/usr/bin/env node
// @ts-check
/**
 * The server of the demo and its tests: the headers that a careful host would send.
 *
 *   node tools/serve.mjs [--port 8080] [--host 127.0.0.1] [--no-coi] [--no-csp]
 *
 * Only the mounted folders are reachable (the page and the built package), never the repository around them.
 * --no-coi leaves out COOP/COEP: the page is then not cross-origin isolated, so no shared memory and one thread.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openStaticServer } from '../cli/models/static-server.js';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/**
 * @typedef {import('../cli/models/static-server.js').Served} Served
 * @typedef {object} ServeOptions
 * @property {Record<string, string>} [mounts] URL prefix (with both slashes) -> folder. Default: the page and dist.
 * @property {string} [home] where `/` leads; default `/web-demo/`
 * @property {number} [port] 0 takes any free port; default 8080
 * @property {string} [host] default 127.0.0.1: a demo has no business on the network unless asked
 * @property {boolean} [isolate] send COOP/COEP, so that the page may share memory between threads; default true
 * @property {boolean} [csp] send the strict content security policy; default true
 * @property {import('../cli/models/static-server.js').StaticOptions['routes']} [routes] exact path -> handler, for tests that need a slow or failing answer from the same origin
 */

/** What the page needs and no more: own scripts, wasm without eval, own workers, models from any https site. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' https:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param {{ isolate: boolean, csp: boolean }} options @returns {Record<string, string>} */
function securityHeaders({ isolate, csp }) {
  return {
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    ...(csp && { 'Content-Security-Policy': CONTENT_SECURITY_POLICY }),
    ...(isolate && {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
      'Cross-Origin-Resource-Policy': 'same-origin',
    }),
  };
}

/**
 * Starts the server and resolves when it listens.
 * @param {ServeOptions} [options]
 * @returns {Promise<Served>}
 */
export function serve({
  mounts = { '/web-demo/': path.join(repository, 'web-demo'), '/dist/': path.join(repository, 'dist') },
  home = '/web-demo/', port = 8080, host, isolate = true, csp = true, routes = {},
} = {}) {
  return openStaticServer({
    mounts, port, host, headers: securityHeaders({ isolate, csp }),
    routes: { '/': (_, response) => void response.writeHead(302, { Location: home }).end(), ...offlineRoutes(mounts), ...routes },
  });
}

/**
 * What lets the page open without a network: the package's service worker at the root of the site, and the list of the page's own files for it
 * (js-glue/service-worker/list.js). A static host has both as files.
 * @param {Record<string, string>} mounts @returns {NonNullable<ServeOptions['routes']>}
 */
function offlineRoutes(mounts) {
  const { '/web-demo/': page, '/dist/': dist } = mounts;
  if (!page || !dist) return {};
  return {
    '/service-worker.js': (_, response) => send(response, 'text/javascript', readFileSync(path.join(dist, 'service-worker.js'))),
    '/files.json': (_, response) => {
      /** @type {Record<string, string | null>} */ const kept = { 'web-demo/': null, 'dist/models/home.gguf': hash(path.join(dist, 'models/home.gguf')) };
      for (const entry of readdirSync(page, { recursive: true, withFileTypes: true })) {
        const file = path.join(entry.parentPath ?? entry.path, entry.name);
        if (entry.isFile()) kept[`web-demo/${path.relative(page, file).replaceAll('\\', '/')}`] = hash(file);
      }
      send(response, 'application/json', JSON.stringify({ lists: ['dist/files.json'], files: kept }));
    },
  };
}
/** @param {string} file */
function hash(file) { return createHash('sha256').update(readFileSync(file)).digest('hex'); }
/** @param {import('node:http').ServerResponse} response @param {string} type @param {string | Uint8Array} body */
function send(response, type, body) { response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-cache' }).end(body); }

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8080' },
      host: { type: 'string', default: '127.0.0.1' },
      'no-coi': { type: 'boolean', default: false },
      'no-csp': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const port = Number(values.port);
  if (values.help) {
    console.log('usage: node tools/serve.mjs [--port N] [--host NAME] [--no-coi] [--no-csp]');
    return;
  }
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port ${values.port}: must be 0..65535`);
  const served = await serve({ port, host: values.host, isolate: !values['no-coi'], csp: !values['no-csp'] });
  console.log(`edge-net demo: ${served.url}`);
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(`serve: ${error.message}`);
    process.exitCode = 1;
  });
}

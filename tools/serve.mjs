#!/usr/bin/env node
// @ts-check
/**
 * A small static server for the demo and its tests: the headers that a careful host would send, and nothing else.
 *
 *   node tools/serve.mjs [--port 8080] [--host 127.0.0.1] [--no-coi] [--no-csp]
 *
 * Only the mounted folders are reachable (the page and the built package), never the repository around them.
 * --no-coi leaves out COOP/COEP: the page is then not cross-origin isolated, so no shared memory and one thread.
 */
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {object} ServeOptions
 * @property {Record<string, string>} [mounts] URL prefix (with both slashes) -> folder. Default: the page and dist.
 * @property {string} [home] where `/` leads; default `/web-demo/`
 * @property {number} [port] 0 takes any free port; default 8080
 * @property {string} [host] default 127.0.0.1: a demo has no business on the network unless asked
 * @property {boolean} [isolate] send COOP/COEP, so that the page may share memory between threads; default true
 * @property {boolean} [csp] send the strict content security policy; default true
 * @property {Record<string, (request: Request, response: Response) => void | Promise<void>>} [routes]
 *   exact path -> handler, for tests that need a slow or failing answer from the same origin
 * @typedef {{ url: string, port: number, close(): Promise<void> }} Served
 */

const MIME = /** @type {Record<string, string>} */ ({
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.wasm': 'application/wasm', // anything else makes WebAssembly.compileStreaming refuse it
  '.gguf': 'application/octet-stream',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.ts': 'text/plain; charset=utf-8',
});

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
 * The file behind a URL path, or null. Refuses everything that is not plainly inside a mount: encoded slashes,
 * backslashes, NUL, dot files, `..`, and links that lead out.
 * @param {string} pathname still percent-encoded
 * @param {Record<string, string>} mounts
 */
async function findFile(pathname, mounts) {
  const prefix = Object.keys(mounts).filter((p) => pathname.startsWith(p)).sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined) return null;
  const segments = pathname.slice(prefix.length).split('/').map(decodeSegment);
  if (segments.at(-1) === '') segments[segments.length - 1] = 'index.html';
  if (segments.some((s) => s === null || s === '' || s.startsWith('.') || /[\\/\0]/.test(s))) return null;
  try {
    const root = await realpath(/** @type {string} */ (mounts[prefix]));
    const file = await realpath(path.join(root, .../** @type {string[]} */ (segments)));
    const info = await stat(file);
    return file.startsWith(root + path.sep) && info.isFile() ? { file, info } : null;
  } catch {
    return null; // does not exist, or may not be read: the same answer for both
  }
}

/** @param {string} segment @returns {string | null} */
function decodeSegment(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/**
 * One byte range of RFC 9110 section 14; several ranges at once are answered with the whole file, which it allows.
 * @param {string | undefined} header
 * @param {number} size
 * @returns {{ start: number, end: number } | 'whole' | 'unsatisfiable'} end is inclusive
 */
export function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return 'whole';
  if (match[1] === '') {
    const suffix = Math.min(Number(match[2]), size);
    return suffix === 0 ? 'unsatisfiable' : { start: size - suffix, end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== '' && Number(match[2]) < start) return 'whole'; // malformed: to be ignored
  return start >= size ? 'unsatisfiable' : { start, end };
}

/**
 * @param {Request} request @param {Response} response
 * @param {{ file: string, info: import('node:fs').Stats }} found
 */
async function sendFile(request, response, { file, info }) {
  const etag = `"${info.size.toString(36)}-${Math.round(info.mtimeMs).toString(36)}"`;
  response.setHeader('Content-Type', MIME[path.extname(file).toLowerCase()] ?? 'application/octet-stream');
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('ETag', etag);
  response.setHeader('Last-Modified', info.mtime.toUTCString());
  response.setHeader('Cache-Control', 'no-cache'); // keep it, but ask: a rebuilt engine must never meet an old page
  if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();

  const ifRange = request.headers['if-range'];
  const wanted = ifRange === undefined || ifRange === etag ? request.headers.range : undefined;
  const range = parseRange(wanted, info.size);
  if (range === 'unsatisfiable') {
    return void response.writeHead(416, { 'Content-Range': `bytes */${info.size}` }).end();
  }
  const { start, end } = range === 'whole' ? { start: 0, end: info.size - 1 } : range;
  if (range !== 'whole') response.setHeader('Content-Range', `bytes ${start}-${end}/${info.size}`);
  response.writeHead(range === 'whole' ? 200 : 206, { 'Content-Length': end - start + 1 });
  if (request.method === 'HEAD' || info.size === 0) return void response.end();
  await pipeline(createReadStream(file, { start, end }), response);
}

/**
 * Starts the server and resolves when it listens.
 * @param {ServeOptions} [options]
 * @returns {Promise<Served>}
 */
export async function serve(options = {}) {
  const {
    mounts = { '/web-demo/': path.join(repository, 'web-demo'), '/dist/': path.join(repository, 'dist') },
    home = '/web-demo/', port = 8080, host = '127.0.0.1', isolate = true, csp = true, routes = {},
  } = options;
  const headers = securityHeaders({ isolate, csp });

  /** @param {Request} request @param {Response} response */
  async function answer(request, response) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const pathname = (request.url ?? '/').split(/[?#]/, 1)[0] ?? '/';
    const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined;
    if (route) return route(request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    }
    if (pathname === '/') return void response.writeHead(302, { Location: home }).end();
    const found = await findFile(pathname, mounts);
    if (found) return sendFile(request, response, found);
    response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Not found.\n');
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy()); // the reader went away in the middle: nothing to tell
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(undefined));
  });
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  const name = host.includes(':') ? `[${host}]` : host === '127.0.0.1' ? 'localhost' : host;
  return {
    url: `http://${name}:${address.port}/`,
    port: address.port,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

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

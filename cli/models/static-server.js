// @ts-check
/**
 * Serves the files of some folders, and nothing else: ranges, conditions and HEAD as HTTP has them, safe against paths that lead out.
 * The demo's server (tools/serve.mjs) and `edge-net-models serve-models` are this one with different headers.
 */
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {object} StaticOptions
 * @property {Record<string, string>} mounts URL prefix (with both slashes) -> folder
 * @property {Record<string, string>} [headers] sent with every answer
 * @property {Record<string, (request: Request, response: Response) => void | Promise<void>>} [routes] exact path -> handler; comes before the folders
 * @property {(request: Request) => Record<string, string> | null} [preflight] headers of the answer to OPTIONS; null or absent: not allowed
 * @property {number} [port] 0 (default) takes any free port
 * @property {string} [host] default 127.0.0.1: nothing is open to the network unless asked
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

/** Starts the server and resolves when it listens. @param {StaticOptions} options @returns {Promise<Served>} */
export async function openStaticServer({ mounts, headers = {}, routes = {}, preflight, port = 0, host = '127.0.0.1' }) {
  /** @param {Request} request @param {Response} response */
  async function answer(request, response) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const pathname = (request.url ?? '/').split(/[?#]/, 1)[0] ?? '/';
    const allowed = request.method === 'OPTIONS' ? preflight?.(request) : null;
    if (allowed) return void response.writeHead(204, allowed).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    }
    const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined;
    if (route) return route(request, response);
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

// @ts-check
// What the tests need from outside: the built engines, the default model, shared fixtures, a small server.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { spawnSync } from 'node:child_process';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = path.resolve(process.env.EDGE_NET_WASM ?? path.join(root, 'dist/wasm'));
if (!existsSync(folder)) throw new Error(`${folder} is missing: run npm run build first, or point EDGE_NET_WASM at built engines`);
/** Folder of the engines as a URL, for the option { wasm }. */
export const wasm = `${pathToFileURL(folder).href}/`;
/** @param {string} variant */
export function wasmBytes(variant) { return readFileSync(path.join(folder, `edge-net-${variant}.wasm`)); }
export const built = readdirSync(folder).filter((f) => /^edge-net-.*\.wasm$/.test(f)).map((f) => f.slice('edge-net-'.length, -'.wasm'.length));

const shared = path.resolve(root, process.env.EDGE_NET_SHARED ?? '../shared');
/** Path of a shared fixture, or null, with a loud word. @param {string} name */
export function fixture(name) {
  const file = path.join(shared, name);
  return existsSync(file) ? file : null;
}
/** Option for test(): skip when a fixture is not there. @param {string | null} file */
export function needs(file) { return file ? {} : { skip: 'skipped: no shared data (set EDGE_NET_SHARED)' }; }

/** A folder that goes with the process. */
export function temporaryFolder() {
  const dir = mkdtempSync(path.join(tmpdir(), 'edge-net-test-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The default model: random weights, so its text is nonsense, but the same nonsense everywhere. */
export const homeModel = (() => {
  const file = path.join(temporaryFolder(), 'home.gguf');
  const made = spawnSync(process.execPath, [path.join(root, 'tools/make-home-model.mjs'), file], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`make-home-model: ${made.stderr}`);
  return file;
})();
export const stories = (/** @type {string} */ type) => fixture(`data/models/stories260K/derived-stories260K-${type}.gguf`);
export const storiesReference = () => JSON.parse(readFileSync(/** @type {string} */ (fixture('data/models/stories260K/derived-reference.json')), 'utf8'));

/** A server on localhost. @param {import('node:http').RequestListener} listener @returns {Promise<{url: string, close(): Promise<void>}>} */
export async function serve(listener) {
  const server = createServer(listener);
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(undefined)); });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/`, close: () => new Promise((resolve) => { server.closeAllConnections(); server.close(() => resolve()); }) };
}

/** Serve bytes with ranges, as a good server does. @param {Uint8Array} bytes @param {import('node:http').IncomingMessage} req @param {import('node:http').ServerResponse} res @param {string} [etag] */
export function sendBytes(bytes, req, res, etag = '"1"') {
  const from = Number(/^bytes=(\d+)-/.exec(req.headers.range ?? '')?.[1] ?? 0);
  const partial = req.headers.range !== undefined && (req.headers['if-range'] ?? etag) === etag;
  const body = partial ? bytes.subarray(from) : bytes;
  res.writeHead(partial ? 206 : 200, { etag, 'content-length': body.length, ...(partial ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}) });
  res.end(body);
}

// @ts-check
/**
 * A server on localhost that does to a download whatever networks do. Every request is answered well or with one fault, as the plan says; what
 * was asked and how many bytes went out is recorded, so that a test can count what was fetched twice.
 *
 *   const server = await openFaultServer({ files: { '/m.gguf': bytes }, plan: (request) => (request.number === 1 ? 'flip' : null) });
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { random } from './random.mjs';

/**
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {{start: number, end: number}} Range end: exclusive
 * @typedef {object} Asked one request, as the log keeps it
 * @property {number} number from 1, in order of arrival
 * @property {string} path
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {Range | null} range
 * @property {FaultName | null} fault
 * @property {number} sent body bytes that were handed to the socket
 * @property {boolean} over answered, or the asker went away
 *
 * @typedef {{response: Response, asked: Asked, file: Uint8Array, range: Range, partial: boolean, etag: string, rng: import('./random.mjs').Random, host: string}} Job
 * @typedef {(job: Job) => void | Promise<void>} Fault
 */

/** Longest time that a stalled answer is held; the asker's patience should end before. */
const STALL_MS = 20_000;
const wait = (/** @type {number} */ ms) => new Promise((resolve) => { setTimeout(resolve, ms).unref(); });

/** @param {Uint8Array} bytes */
export const etagOf = (bytes) => `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;

/** @param {Job} job @param {Record<string, string | number>} [more] */
function head({ response, file, range, partial, etag }, more = {}) {
  response.writeHead(partial ? 206 : 200, {
    'Content-Type': 'application/octet-stream', 'Accept-Ranges': 'bytes', ETag: etag, 'Content-Length': range.end - range.start, 'Access-Control-Allow-Origin': '*',
    'Access-Control-Expose-Headers': 'Content-Range, ETag, Accept-Ranges, Retry-After',
    ...(partial ? { 'Content-Range': `bytes ${range.start}-${range.end - 1}/${file.length}` } : {}), ...more,
  });
}
/** @param {Job} job @param {Uint8Array} bytes resolves when they are out */
function write({ response, asked }, bytes) {
  asked.sent += bytes.length;
  return new Promise((/** @type {(v: void) => void} */ resolve) => {
    const done = () => { response.off('close', done); resolve(); };
    response.on('close', done);
    if (response.destroyed) done(); else response.write(bytes, done);
  });
}
/** @param {Job} job @returns {Uint8Array} */
const part = ({ file, range }) => file.subarray(range.start, range.end);
/** @param {Job} job a cut inside of the body @returns {Uint8Array} */
const piece = (job) => part(job).subarray(0, job.rng.int(Math.max(1, job.range.end - job.range.start)));

/** @param {Job} job */
export async function good(job) {
  head(job);
  await write(job, part(job));
  job.response.end();
}

export const FAULTS = {
  /** One bit of the body is another one. */
  async flip(/** @type {Job} */ job) {
    const bytes = part(job).slice();
    if (bytes.length) bytes[job.rng.int(bytes.length)] ^= 1 << job.rng.int(8);
    head(job);
    await write(job, bytes);
    job.response.end();
  },
  /** The connection ends before the length that was announced. */
  async short(/** @type {Job} */ job) {
    head(job);
    await write(job, piece(job));
    job.response.destroy();
  },
  /** A whole answer that announces, and has, less than was asked. */
  async wrongLength(/** @type {Job} */ job) {
    const bytes = piece(job);
    head(job, { 'Content-Length': bytes.length });
    await write(job, bytes);
    job.response.end();
  },
  /** A part, then silence. */
  async stall(/** @type {Job} */ job) {
    head(job);
    await write(job, piece(job));
    await Promise.race([wait(STALL_MS), new Promise((resolve) => job.response.once('close', resolve))]);
    job.response.destroy();
  },
  /** A part, then a TCP reset. */
  async reset(/** @type {Job} */ job) {
    head(job);
    await write(job, piece(job));
    job.response.socket?.resetAndDestroy();
  },
  /** Another range than the one that was asked, and says so. */
  async wrongRange(/** @type {Job} */ job) {
    const start = Math.max(0, job.range.start - 1 - job.rng.int(64));
    await good({ ...job, partial: true, range: { start, end: Math.min(job.file.length, start + job.range.end - job.range.start) } });
  },
  /** Another range than the one that was asked, and claims to be it. */
  async lyingRange(/** @type {Job} */ job) {
    head(job);
    const bytes = part(job), n = bytes.length, by = n > 1 ? 1 + job.rng.int(n - 1) : 0;
    await write(job, Buffer.concat([bytes.subarray(by), bytes.subarray(0, by)]));
    job.response.end();
  },
  /** The whole file for a range. */
  whole: (/** @type {Job} */ job) => good({ ...job, partial: false, range: { start: 0, end: job.file.length } }),
  /** Compressed on the way, although nobody asked. */
  async gzip(/** @type {Job} */ job) {
    const bytes = gzipSync(part(job));
    head(job, { 'Content-Encoding': 'gzip', 'Content-Length': bytes.length });
    await write(job, bytes);
    job.response.end();
  },
  tooMany: (/** @type {Job} */ job) => void job.response.writeHead(429, { 'Retry-After': '0', 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Retry-After' }).end('slow down'),
  unavailable: (/** @type {Job} */ job) => void job.response.writeHead(503).end('back soon'),
  /** Redirects to itself. */
  redirectLoop: (/** @type {Job} */ job) => void job.response.writeHead(302, { Location: `${job.asked.path}?round=${job.asked.number}`, 'Access-Control-Allow-Origin': '*' }).end(),
  /** The sign-in page of a network. */
  portal: (/** @type {Job} */ job) => void job.response.writeHead(200, { 'Content-Type': 'text/html', 'Access-Control-Allow-Origin': '*' }).end('<!doctype html><title>Welcome</title><form>Please sign in</form>'.repeat(20)),
  /** All bytes, slowly. */
  async drip(/** @type {Job} */ job) {
    head(job);
    const bytes = part(job), step = Math.max(1, Math.ceil(bytes.length / 8));
    for (let at = 0; at < bytes.length && !job.response.destroyed; at += step) {
      await write(job, bytes.subarray(at, at + step));
      await wait(3);
    }
    job.response.end();
  },
  /** All bytes, at the pace of a line of some 20 MB/s: long enough that something can happen in between. */
  async crawl(/** @type {Job} */ job) {
    head(job);
    const bytes = part(job);
    for (let at = 0; at < bytes.length && !job.response.destroyed; at += 1 << 16) {
      await write(job, bytes.subarray(at, at + (1 << 16)));
      await wait(3);
    }
    job.response.end();
  },
  /** Another file of the same size, under another ETag: an edge server with an old copy, or a file that was replaced. */
  async changed(/** @type {Job} */ job) {
    const file = job.file.map((b) => b ^ 0x55);
    await good({ ...job, file, etag: etagOf(file) });
  },
};
/** @typedef {keyof typeof FAULTS} FaultName */
export const FAULT_NAMES = Object.freeze(/** @type {FaultName[]} */ (Object.keys(FAULTS)));

/** @param {string | undefined} header @param {number} size @returns {Range | null} */
function rangeOf(header, size) {
  const found = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  return found && { start: Number(found[1]), end: Math.min(size, found[2] ? Number(found[2]) + 1 : size) };
}

/**
 * @param {{files: Record<string, Uint8Array>, seed?: number, plan?: (asked: Asked) => FaultName | null, host?: string, port?: number}} options
 *   files: by path, may change at any time; an IPFS gateway is one with paths /ipfs/<cid>
 */
export async function openFaultServer({ files, seed = 1, plan = () => null, host = '127.0.0.1', port = 0 }) {
  const rng = random(seed);
  /** @type {Asked[]} */ const log = [];
  let current = plan;

  const server = createServer(async (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method === 'OPTIONS') return void response.writeHead(204, { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' }).end();
    const file = Object.hasOwn(files, path) ? /** @type {Uint8Array} */ (files[path]) : null;
    const range = file && rangeOf(request.headers.range, file.length);
    /** @type {Asked} */ const asked = { number: log.length + 1, path, headers: request.headers, range, fault: null, sent: 0, over: false };
    log.push(asked);
    response.on('close', () => { asked.over = true; });
    response.on('error', () => {});
    if (!file) return void response.writeHead(404, { 'Access-Control-Allow-Origin': '*' }).end();
    if (range && range.start >= file.length) return void response.writeHead(416, { 'Content-Range': `bytes */${file.length}`, 'Access-Control-Allow-Origin': '*' }).end();
    const etag = etagOf(file), condition = request.headers['if-range'];
    const partial = range !== null && (condition === undefined || condition === etag);
    /** @type {Job} */ const job = { response, asked, file, range: partial ? range : { start: 0, end: file.length }, partial, etag, rng: rng.fork(), host: request.headers.host ?? '' };
    asked.fault = current(asked);
    await (asked.fault ? FAULTS[asked.fault](job) : good(job));
  });
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen(port, host, () => resolve(undefined)); });
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  const url = `http://${host}:${address.port}/`;
  return {
    url, port: address.port, log,
    /** @param {string} path with its slash */
    at: (path) => new URL(path, url).href,
    /** @param {(asked: Asked) => FaultName | null} next the plan for what comes from now on */
    setPlan(next) { current = next; },
    /** Body bytes that went out since the log had `from` entries. @param {number} [from] */
    sent: (from = 0) => log.slice(from).reduce((n, a) => n + a.sent, 0),
    /** @returns {Promise<void>} */
    close: () => new Promise((resolve) => { server.close(() => resolve()); server.closeAllConnections(); }),
  };
}
/** @typedef {Awaited<ReturnType<typeof openFaultServer>>} FaultServer */

/** A plan that lets a share of the requests fail, each with a random fault. @param {import('./random.mjs').Random} rng @param {number} rate 0..1 @param {readonly FaultName[]} [kinds] @returns {(asked: Asked) => FaultName | null} */
export function randomPlan(rng, rate, kinds = FAULT_NAMES) {
  return () => (rng.chance(rate) ? rng.pick(kinds) : null);
}

#!/usr/bin/env node
// @ts-check
/**
 * Download -> verify -> OPFS beside plain fetch -> OPFS, over loopback in one Chromium tab, interleaved.
 *
 *   node bench/download.mjs [--mb 350] [--reps 5] [--parallel 1,4]
 *
 * plain: a worker fetches the file and writes the pieces as they come; the rest: this package's download() into its OPFS store, with the chunk hashes known
 * (hashed) or recorded on the way (recorded). JSON lines on stdout: MB/s of every run, requests and connections that it took, CPU seconds of the whole machine, then the medians,
 * and the median of the ratios to the plain run of the same turn.
 */
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import { projects } from '../tests/browser/support/projects.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: o } = parseArgs({ options: { mb: { type: 'string', default: '350' }, reps: { type: 'string', default: '5' }, parallel: { type: 'string', default: '1,4' } } });
const CHUNK = 1 << 20;
const size = Number(o.mb) << 20;
/** The file: one block over and over, with its number in front, so that no two chunks are equal. */
const block = Buffer.allocUnsafe(CHUNK);
for (let i = 0, x = 1; i < CHUNK; i += 4) block.writeUInt32LE(x = Math.imul(x ^ x >>> 15, 0x2c1b3c6d) + 0x9e3779b9 >>> 0, i);
const file = Buffer.alloc(size);
for (let i = 0; i < size; i += CHUNK) { block.copy(file, i); file.writeUInt32LE(i / CHUNK, i + 8); }
file.write('GGUF');
const chunks = Buffer.concat(Array.from({ length: size / CHUNK }, (_, i) => createHash('sha256').update(file.subarray(i * CHUNK, (i + 1) * CHUNK)).digest()));

const WORKER = `
import { download } from '/source/fetch/download.js';
import { openSource } from '/source/sources.js';
import { openStore } from '/source/stores/store.js';
async function plain(url) {
  const dir = await navigator.storage.getDirectory();
  const handle = await (await dir.getFileHandle('plain', { create: true })).createSyncAccessHandle();
  handle.truncate(0);
  let at = 0;
  for (const reader = (await fetch(url, { cache: 'no-store' })).body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    at += handle.write(value, { at });
  }
  handle.flush();
  handle.close();
  await dir.removeEntry('plain');
  return at;
}
async function ours(url, artifact, parallel) {
  const store = await openStore({ kind: 'opfs', root: 'bench' });
  await store.clear();
  return async () => (await download(artifact, { store, sources: [openSource({ kind: 'url', url }, { parallel }, { kept: true })], patience: { retries: 3, timeout: 30000, parallel } })).size;
}
onmessage = async ({ data: { how, url, artifact, parallel } }) => {
  try {
    const run = how === 'plain' ? () => plain(url) : await ours(url, artifact, parallel);
    const start = performance.now();
    const bytes = await run();
    postMessage({ bytes, ms: performance.now() - start });
  } catch (e) { postMessage({ error: String(e?.stack ?? e) }); }
};`;

/** Of the file, in one run. */
let requests = 0;
/** @type {Set<import('node:net').Socket>} */ const sockets = new Set();
const server = createServer((req, res) => {
  const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
  const url = (req.url ?? '/').split('?')[0];
  if (url === '/') return void res.writeHead(200, { 'Content-Type': 'text/html', ...headers }).end('<!doctype html>');
  if (url === '/worker.js') return void res.writeHead(200, { 'Content-Type': 'text/javascript', ...headers }).end(WORKER);
  if (url.startsWith('/source/')) return void res.writeHead(200, { 'Content-Type': 'text/javascript', ...headers }).end(readFileSync(path.join(root, path.normalize(url).replace('/source/', '/js-glue/'))));
  const [, from = '0', to] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
  requests++;
  sockets.add(req.socket);
  const start = Number(from), end = to ? Math.min(size, Number(to) + 1) : size;
  res.writeHead(req.headers.range ? 206 : 200, { 'Content-Type': 'application/octet-stream', ETag: '"1"', 'Content-Length': end - start, 'Content-Range': `bytes ${start}-${end - 1}/${size}`, ...headers });
  res.end(file.subarray(start, end));
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(undefined)); });
const url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;

const profile = mkdtempSync(path.join(os.tmpdir(), 'edge-net-bench-')); // a default context keeps OPFS in memory
const { launchOptions } = /** @type {any} */ (projects[0].use);
const context = await chromium.launchPersistentContext(profile, { ...launchOptions, headless: true });
/** @type {Record<string, number[]>} */ const rates = {};
const cpu = () => os.cpus().reduce((n, { times }) => n + times.user + times.sys, 0) / 1000;
try {
  const page = await context.newPage();
  await page.goto(url);
  const plan = [{ how: 'plain', parallel: 1 }, ...o.parallel.split(',').flatMap((p) => ['hashed', 'recorded'].map((how) => ({ how, parallel: Number(p) })))];
  for (let rep = 0; rep < Number(o.reps); rep++) {
    for (const { how, parallel } of plan) {
      const artifact = { id: 'bench', name: 'bench.gguf', format: 'gguf', ...(how === 'hashed' ? { size, chunkSize: CHUNK, chunks: [...chunks] } : {}) };
      const before = cpu();
      requests = 0;
      sockets.clear();
      const { bytes, ms, error } = await page.evaluate((data) => new Promise((resolve) => {
        const worker = new Worker('/worker.js', { type: 'module' });
        worker.onmessage = ({ data: answer }) => { worker.terminate(); resolve(answer); };
        const artifact = /** @type {any} */ (data.artifact);
        worker.postMessage({ ...data, artifact: artifact.chunks ? { ...artifact, chunks: new Uint8Array(artifact.chunks) } : artifact });
      }), { how, parallel, artifact, url: `${url}/m.gguf?${rep}` });
      if (error || bytes !== size) throw new Error(error ?? `${bytes} of ${size} bytes`);
      const name = how === 'plain' ? how : `${how}-${parallel}`;
      (rates[name] ??= []).push(size / 1e6 / (ms / 1000));
      console.log(JSON.stringify({ how, parallel, mb: size / 1e6, mbPerS: Math.round(size / 1e3 / ms), requests, connections: sockets.size, cpuS: Number((cpu() - before).toFixed(2)) }));
    }
  }
  const median = (/** @type {number[]} */ list) => [...list].sort((a, b) => a - b)[list.length >> 1];
  for (const [name, list] of Object.entries(rates)) console.log(JSON.stringify({ name, median: Math.round(median(list)), min: Math.round(Math.min(...list)), max: Math.round(Math.max(...list)), ratio: Number(median(list.map((rate, rep) => rate / rates.plain[rep])).toFixed(2)) }));
} finally {
  await context.close();
  server.close();
  server.closeAllConnections();
  rmSync(profile, { recursive: true, force: true });
}

#!/usr/bin/env node
// @ts-check
// SHA-256, MiB/s, median of 5: pieces by WebCrypto and node:crypto, streams by node:crypto and by hash-wasm, which browsers use.
//   node bench/hash.mjs [MiB]
import { createHash } from 'node:crypto';
import { createSHA256 } from '../js-glue/vendor/sha256.js';
import { sha256 } from '../js-glue/manifest/hash.js';

const n = Number(process.argv[2] ?? 64);
const piece = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8) * 7) & 255);
const wasm = await createSHA256();
/** @type {[string, () => unknown][]} */
const ways = [
  ['pieces of 1 MiB, WebCrypto', async () => { for (let i = 0; i < n; i++) await sha256(piece); }],
  ['pieces of 1 MiB, WebCrypto, 4 at once', async () => { for (let i = 0; i < n; i += 4) await Promise.all([0, 1, 2, 3].map(() => sha256(piece))); }],
  ['stream, node:crypto', () => { const h = createHash('sha256'); for (let i = 0; i < n; i++) h.update(piece); h.digest(); }],
  ['stream, hash-wasm', () => { wasm.init(); for (let i = 0; i < n; i++) wasm.update(piece); wasm.digest('binary'); }],
];
for (const [way, run] of ways) {
  const rates = [];
  for (let k = 0; k < 5; k++) {
    const start = performance.now();
    await run();
    rates.push(n / ((performance.now() - start) / 1000));
  }
  console.log(JSON.stringify({ way, mib: n, mib_per_s: Math.round(rates.sort((a, b) => a - b)[2] ?? 0), node: process.version }));
}

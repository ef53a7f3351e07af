// @ts-check
// Chunk hashes and the Merkle root over them, against a second implementation: RFC 6962's own recursive definition over node:crypto.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ChunkList, chunkListOf, openChunkHasher } from '../../js-glue/manifest/chunks.js';
import { fromHex, toHex } from '../../js-glue/manifest/encoding.js';
import { openSha256, sha256 } from '../../js-glue/manifest/hash.js';
import { merkleRoot } from '../../js-glue/manifest/merkle.js';
import { fixture, needs } from './support/env.mjs';

/** @param {...Uint8Array} parts */
const H = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
/** @param {Buffer[]} d @returns {Buffer} the Merkle tree hash as RFC 6962 section 2.1 writes it */
function mth(d) {
  if (d.length === 0) return H();
  if (d.length === 1) return H(Buffer.of(0), d[0]);
  let k = 1;
  while (k * 2 < d.length) k *= 2;
  return H(Buffer.of(1), mth(d.slice(0, k)), mth(d.slice(k)));
}
const leaves = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => H(Buffer.from(`leaf ${i}`)));
/** @param {number} n */
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 16) * 5) & 255);
/** @param {Uint8Array} data @param {number} chunkSize */
async function hashed(data, chunkSize) {
  const hasher = await openChunkHasher(chunkSize);
  for (let at = 0, step = 1; at < data.length; at += step, step = step * 3 % 700001) await hasher.update(data.subarray(at, at + step));
  return hasher.finish();
}

test('the root is RFC 6962\'s for every number of leaves to 70, and for many', async () => {
  for (const n of [...Array(71).keys(), 255, 256, 257, 1000, 1025]) {
    assert.equal(toHex(await merkleRoot(Buffer.concat(leaves(n)))), mth(leaves(n)).toString('hex'), `${n} leaves`);
  }
  await assert.rejects(merkleRoot(new Uint8Array(33)), RangeError);
});

test('a node is no leaf: two leaves and the leaf that would be their node have different roots', async () => {
  const two = leaves(2);
  const forged = Buffer.concat([H(Buffer.of(0), two[0]), H(Buffer.of(0), two[1])]); // the node's children, offered as chunks
  assert.notEqual(toHex(await merkleRoot(forged)), toHex(await merkleRoot(Buffer.concat(two))));
});

test('SHA-256 equals the NIST vectors, in one piece and as a stream', needs(fixture('data/formats/crypto/nist-cavp/SHA256ShortMsg.rsp')), async () => {
  const text = readFileSync(/** @type {string} */ (fixture('data/formats/crypto/nist-cavp/SHA256ShortMsg.rsp')), 'utf8');
  const cases = [...text.matchAll(/Len = (\d+)\s+Msg = ([0-9a-f]+)\s+MD = ([0-9a-f]{64})/g)];
  assert.ok(cases.length >= 60);
  for (const [, bits, message, digest] of cases) {
    const data = fromHex(message).subarray(0, Number(bits) / 8);
    const stream = await openSha256();
    for (const b of data) stream.update(Uint8Array.of(b));
    assert.deepEqual([toHex(await sha256(data)), toHex(stream.digest())], [digest, digest]);
  }
});

test('the SHA-256 of browsers\' streams, as the build bundles it, equals node:crypto\'s', async () => {
  const { createSHA256 } = await import('../../js-glue/vendor/sha256.js');
  for (const n of [0, 1, 55, 56, 63, 64, 65, 100000]) {
    const hash = (await createSHA256()).init();
    for (let at = 0; at < n; at += 777) hash.update(bytes(n).subarray(at, at + 777));
    assert.equal(toHex(hash.digest('binary')), H(bytes(n)).toString('hex'), `${n} bytes`);
  }
});

test('shared memory is hashed too', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(100)).fill(7);
  assert.equal(toHex(await sha256(shared)), H(Buffer.alloc(100, 7)).toString('hex'));
});

test('a file\'s chunk hashes do not depend on how its bytes arrive', async () => {
  const size = (2 << 20) + 12345;
  const { size: counted, sha256: whole, list } = await hashed(bytes(size), 1 << 20);
  assert.deepEqual([counted, whole, list.count], [size, H(bytes(size)).toString('hex'), 3]);
  for (let i = 0; i < 3; i++) {
    const { offset, length } = list.range(i);
    assert.equal(toHex(list.hash(i)), H(bytes(size).subarray(offset, offset + length)).toString('hex'));
  }
  assert.throws(() => list.range(3), RangeError);
  const empty = await hashed(new Uint8Array(0), 1 << 20);
  assert.deepEqual([empty.list.count, empty.sha256, await empty.list.root()], [0, H().toString('hex'), H().toString('hex')]);
});

test('a chunk is the right bytes in the right place, nothing else', async () => {
  const data = bytes((1 << 20) + 5);
  const { list } = await hashed(data, 1 << 20);
  assert.ok(await list.matches(0, data.subarray(0, 1 << 20)));
  assert.ok(await list.matches(1, data.subarray(1 << 20)));
  const flipped = data.slice(0, 1 << 20);
  flipped[77] ^= 1;
  for (const [i, wrong] of /** @type {const} */ ([[0, flipped], [1, data.subarray(0, 5)], [1, data.subarray(1 << 20, (1 << 20) + 4)], [0, data]])) assert.ok(!await list.matches(i, wrong));
});

test('chunkListOf: inline and side lists, and what a swapped, short or long one is told', async () => {
  const { list, sha256: whole } = await hashed(bytes((1 << 20) + 5), 1 << 20);
  const artifact = { filename: 'm.gguf', size: list.size, sha256: whole, chunkSize: 1 << 20, merkleRoot: await list.root() };
  const hex = [toHex(list.hash(0)), toHex(list.hash(1))];
  assert.equal((await chunkListOf({ ...artifact, chunks: hex }))?.count, 2);
  /** @type {unknown[]} */ const asked = [];
  const side = await chunkListOf({ ...artifact, chunkFile: 'm.gguf.chunks' }, async (...a) => { asked.push(a); return list.toBytes(); });
  assert.deepEqual([side?.toBytes(), asked], [list.toBytes(), [['m.gguf.chunks', 64]]]);
  assert.equal(await chunkListOf({ filename: 'm', size: 1, sha256: whole }), null);
  const code = (/** @type {string} */ c) => ({ code: c });
  await assert.rejects(chunkListOf({ ...artifact, chunks: [hex[1], hex[0]] }), code('CHUNK_LIST'));
  for (const n of [0, 32, 63, 65, 96]) await assert.rejects(chunkListOf({ ...artifact, chunkFile: 'c' }, async () => Buffer.concat([list.toBytes(), list.toBytes()]).subarray(0, n)), code('CHUNK_LIST'), `${n} bytes`);
  await assert.rejects(chunkListOf({ ...artifact, chunkFile: 'c' }), code('ARG'));
  assert.throws(() => new ChunkList(2 ** 42, 1 << 20, new Uint8Array(0)), code('UNSUPPORTED'));
});

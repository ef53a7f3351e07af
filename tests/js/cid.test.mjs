// @ts-check
// CIDs and UnixFS against the JavaScript implementation of IPFS (support/unixfs-vectors.json), codec fixtures of IPLD, and files that gateways serve.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { openChunkHasher } from '../../js-glue/manifest/chunks.js';
import { DAG_PB, RAW, cidBytes, cidMatches, cidOfBytes, formatCid, parseCid } from '../../js-glue/manifest/cid.js';
import { fromHex, toHex } from '../../js-glue/manifest/encoding.js';
import { computeModelCID } from '../../js-glue/index.js';
import { rootOfLeaves, unixfsCid } from '../../js-glue/manifest/file-cid.js';
import { decodeFile, decodeNode } from '../../js-glue/manifest/unixfs.js';
import { fixture, needs } from './support/env.mjs';

const vectors = JSON.parse(readFileSync(new URL('support/unixfs-vectors.json', import.meta.url), 'utf8'));
/** @param {number} n */
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 16) * 5) & 255);
const code = (/** @type {string} */ c) => ({ code: c });

for (const { size, cid } of vectors.profile) {
  test(`unixfs-v1-2025: ${size} bytes have the root of the reference implementation`, async () => {
    const hasher = await openChunkHasher(1 << 20);
    await hasher.update(bytes(size));
    assert.equal(await unixfsCid((await hasher.finish()).list), cid);
    assert.equal(await computeModelCID(bytes(size)), cid);
    assert.equal(await computeModelCID(new Blob([bytes(size)])), cid);
  });
}

test('trees of other widths, ragged on the right, have its roots too', async () => {
  for (const { size, chunk, width, cid } of vectors.shaped) {
    const leaves = [];
    for (let at = 0; at < size; at += chunk) {
      const piece = bytes(size).subarray(at, Math.min(size, at + chunk));
      leaves.push({ hash: new Uint8Array(createHash('sha256').update(piece).digest()), length: piece.length });
    }
    assert.equal(await rootOfLeaves(leaves, width), cid, `${size} bytes in ${chunk}, ${width} wide`);
  }
});

test('chunks of another size have no CID of that profile', async () => {
  const hasher = await openChunkHasher(1 << 18);
  await hasher.update(bytes(10));
  await assert.rejects(unixfsCid((await hasher.finish()).list), code('ARG'));
  for (const none of [undefined, 'text', [1, 2]]) await assert.rejects(computeModelCID(/** @type {any} */ (none)), code('ARG'));
});

test('CIDs: text and back, version 0 and 1, and what is refused', () => {
  for (const { cid } of [...vectors.profile, ...vectors.shaped]) {
    const { version, codec, hash } = parseCid(cid);
    assert.deepEqual([version, codec === RAW || codec === DAG_PB, formatCid(codec, hash)], [1, true, cid]);
  }
  const empty = parseCid('QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn'); // the empty folder, known to every node
  assert.deepEqual([empty.version, empty.codec, formatCid(DAG_PB, empty.hash)], [0, DAG_PB, 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354']);
  const good = vectors.profile[1].cid;
  for (const [text, why] of /** @type {const} */ ([['', 'FORMAT'], ['bafy', 'NOT_CANONICAL'], [good.toUpperCase(), 'FORMAT'], [`${good}a`, 'NOT_CANONICAL'], [good.slice(0, -2), 'HASH_FORM'],
    [`${good.slice(0, -1)}${good.endsWith('v') ? 'w' : 'v'}`, 'NOT_CANONICAL'], ['z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK', 'FORMAT'], ['Qm0', 'FORMAT'],
    ['bafyreidj5idub6mapiupjwjsyyxhyhedxycv4vihfsicm2vt46o7morwlm', 'UNSUPPORTED']])) {
    assert.throws(() => parseCid(text), code(why), text);
  }
});

/** Blocks of a CARv1: a varint length, a CID, the bytes. @param {string} file */
function carBlocks(file) {
  const car = readFileSync(file);
  let at = 0;
  const varint = () => { let n = 0; for (let scale = 1; ; scale *= 128) { const b = car[at++]; n += (b & 127) * scale; if (b < 128) return n; } };
  const header = varint();
  at += header;
  /** @type {Map<string, Uint8Array>} */ const blocks = new Map();
  while (at < car.length) {
    const length = varint(), end = at + length;
    const cidLength = car[at] === 0x12 ? 34 : 36;
    const known = car[at] === 0x12 || (car[at + 1] === RAW || car[at + 1] === DAG_PB) && car[at + 2] === 0x12; // files; others have other codecs or hashes
    if (known) blocks.set(toHex(cidOfBytes(car.subarray(at, at + cidLength)).hash), car.subarray(at + cidLength, end));
    at = end;
  }
  return blocks;
}
const cars = fixture('data/formats/ipfs-car');
test('files in CARs that gateways are tested with: every block has its CID, every tree its file', needs(cars), async () => {
  let files = 0;
  const names = /** @type {string[]} */ (readdirSync(/** @type {string} */ (cars), { recursive: true })).filter((n) => n.endsWith('.car') && !n.endsWith('headers-test.car')); // that one has no blocks
  assert.ok(names.length >= 20, `${names.length} CARs`);
  for (const name of names) {
    const blocks = carBlocks(path.join(/** @type {string} */ (cars), name));
    for (const [hash, block] of blocks) {
      assert.ok(await cidMatches({ version: 1, codec: RAW, hash: fromHex(hash) }, block), name);
      /** @type {import('../../js-glue/manifest/unixfs.js').Node | null} */ let node = null;
      try { node = decodeNode(block); } catch { continue; } // a raw leaf
      if (!node.data || !node.links.length) continue;
      let file;
      try { file = decodeFile(node); } catch (e) { assert.match(String(e), /no file/); continue; }
      node.links.forEach(({ cid }, i) => {
        const child = blocks.get(toHex(cid.hash));
        if (child) assert.equal(cid.codec === RAW ? child.length : decodeFile(decodeNode(child)).size, file.blocks[i], name);
      });
      files++;
    }
  }
  assert.ok(files >= 3, `${files} files of several blocks`);
});

const multihashes = fixture('data/formats/multiformats/multihash_test_cases.csv');
test('multihash: SHA-256 as in the published cases', needs(multihashes), () => {
  let count = 0;
  for (const line of readFileSync(/** @type {string} */ (multihashes), 'utf8').trim().split('\n')) {
    const [algorithm, bits, input, multihash] = line.split(',');
    if (algorithm !== 'sha2-256' || bits !== '256') continue;
    const cid = parseCid(formatCid(RAW, createHash('sha256').update(input).digest()));
    assert.equal(toHex(cidBytes(RAW, cid.hash).subarray(2)), multihash);
    count++;
  }
  assert.ok(count > 0);
});

const ipld = fixture('data/formats/ipld');
test('IPLD: dag-pb fixtures decode, broken ones are refused', needs(ipld), () => {
  const folder = path.join(/** @type {string} */ (ipld), 'fixtures');
  let read = 0;
  for (const name of readdirSync(folder).filter((n) => n.startsWith('dagpb_'))) {
    const file = readdirSync(path.join(folder, name)).find((f) => f.endsWith('.dag-pb'));
    if (!file) continue;
    const block = readFileSync(path.join(folder, name, file));
    assert.equal(toHex(parseCid(file.slice(0, -'.dag-pb'.length)).hash), createHash('sha256').update(block).digest('hex'));
    let node;
    try { node = decodeNode(block); } catch (e) { assert.equal(/** @type {any} */ (e).code, 'UNSUPPORTED', `${name}: ${e}`); continue; } // links with other hashes
    const told = /(\d+)(?:un|)(?:named|)links?/.exec(name);
    if (told) assert.equal(node.links.length, Number(told[1]), name);
    if (told) assert.equal(node.data !== null, /data/.test(name), name);
    read++;
  }
  assert.ok(read >= 3, `${read} nodes`);
  const edges = JSON.parse(readFileSync(path.join(/** @type {string} */ (ipld), 'negative-fixtures/dag-pb/decode/edges.json'), 'utf8'));
  for (const { name, hex } of edges) assert.throws(() => decodeNode(fromHex(hex)), name);
});

test('no bytes crash the node reader: errors are EdgeNetErrors', () => {
  let state = 1;
  const random = () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32;
  const good = fromHex('122a0a2401551220' + '11'.repeat(32) + '12001805' + '0a0608021805' + '2005');
  for (let i = 0; i < 20000; i++) {
    const bad = good.slice(0, Math.ceil(random() * good.length));
    for (let k = 0; k < 2; k++) bad[Math.floor(random() * bad.length)] = Math.floor(random() * 256);
    try { decodeFile(decodeNode(bad)); } catch (e) { assert.equal(/** @type {any} */ (e).constructor.name, 'EdgeNetError', String(e)); }
  }
});

// @ts-check
// Sources one by one: what users may write, what goes to whom, and what is refused.
import test from 'node:test';
import assert from 'node:assert/strict';
import { download } from '../../js-glue/fetch/download.js';
import { ModelLoader } from '../../js-glue/loader.js';
import { DAG_PB, RAW, cidBytes, formatCid } from '../../js-glue/manifest/cid.js';
import { rootOfLeaves } from '../../js-glue/manifest/file-cid.js';
import { artifactOf, isRemote, openSource, sourceSpec } from '../../js-glue/sources.js';
import { peerSource } from '../../js-glue/sources/peer.js';
import { openStore } from '../../js-glue/stores/store.js';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { CHUNK, collect, hashed, patience, randomFile, readStored, sha256 } from './support/artifacts.mjs';
import { openFaultServer } from '../faults/fault-server.mjs';
import { serve, temporaryFolder } from './support/env.mjs';
import { publish } from './support/model-host.mjs';

const file = randomFile(5 * CHUNK + 99);
/** @param {import('node:http').IncomingMessage} req @param {import('node:http').ServerResponse} res @param {Uint8Array} [bytes] @param {Record<string, string>} [more] */
function answer(req, res, bytes = file, more = {}) {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
  const start = Number(from ?? 0), end = to ? Math.min(bytes.length, Number(to) + 1) : bytes.length;
  res.writeHead(from === undefined ? 200 : 206, { 'content-length': end - start, ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }), ...more });
  res.end(bytes.subarray(start, end));
}
/** @param {import('node:http').RequestListener} listener @param {(url: string) => Promise<void>} use */
async function served(listener, use) {
  const server = await serve(listener);
  try { await use(server.url); } finally { await server.close(); }
}
/** @param {import('../../js-glue/fetch/types.js').Source} source @param {import('../../js-glue/fetch/types.js').Artifact} artifact */
async function whole(source, artifact) {
  const reader = await source.open(artifact);
  try { return await collect(reader.read(0, Infinity)); } finally { reader.close(); }
}
const memory = () => openStore({ kind: 'memory' });

test('what users may write', () => {
  assert.deepEqual(sourceSpec('hf:owner/repo.x/sub/m-Q4_0.gguf@0123abc'), { kind: 'hf', repo: 'owner/repo.x', path: 'sub/m-Q4_0.gguf', revision: '0123abc' });
  assert.deepEqual(sourceSpec('hf:owner/repo/m.gguf'), { kind: 'hf', repo: 'owner/repo', path: 'm.gguf', revision: 'main' });
  assert.deepEqual(sourceSpec({ url: 'hf:owner/repo/m.gguf', headers: { authorization: 'Bearer 1' } }), { kind: 'hf', repo: 'owner/repo', path: 'm.gguf', revision: 'main', headers: { authorization: 'Bearer 1' } });
  assert.deepEqual(sourceSpec('ipfs://bafkreia/'), { kind: 'ipfs', cid: 'bafkreia' });
  assert.deepEqual(sourceSpec('https://x.test/a.gguf#part'), { kind: 'url', url: 'https://x.test/a.gguf' });
  assert.deepEqual(sourceSpec('hf://owner/repo@1'), { kind: 'hf', repo: 'owner/repo', path: '', revision: '1' }); // all of it
  for (const bad of ['hf:repo/m.gguf', 'hf:owner', 'hf:owner/repo/../../x.gguf', 'hf:owner/repo/m.gguf@a b']) assert.throws(() => sourceSpec(bad), { code: 'ARG', message: /hf:owner/ });
  assert.deepEqual(['hf:a/b/c', 'ipfs://x', 'https://x.test/a.gguf', './a.gguf'].map((s) => isRemote(sourceSpec(s))), [true, true, true, false]);
  assert.equal(artifactOf(sourceSpec('hf:owner/repo/m.gguf@1')).id, 'hf:owner/repo/m.gguf@1');
});

test('paths, buffers, Blobs: all give the same bytes, from any place', async () => {
  const name = path.join(temporaryFolder(), 'a b.gguf');
  writeFileSync(name, file);
  for (const given of [name, pathToFileURL(name), new Uint8Array(file), new Uint8Array(file).buffer, new Blob([new Uint8Array(file)])]) {
    const reader = await openSource(sourceSpec(given)).open(artifactOf(sourceSpec(given)));
    assert.equal(reader.size, file.length);
    assert.ok((await collect(reader.read(0, Infinity))).equals(file));
    assert.ok((await collect(reader.read(1000, 70000))).equals(file.subarray(1000, 71000)));
    reader.close();
  }
  await assert.rejects(openSource({ kind: 'path', path: '/none/at/all' }).open({ id: 'x', name: 'x' }), { code: 'STORAGE' });
});

test('headers go to the first origin only, also over several redirects', async () => {
  /** @type {Record<string, (string | undefined)[]>} */ const got = { first: [], second: [] };
  await served((req, res) => { got.second.push(req.headers['x-token']?.toString(), req.headers.authorization); answer(req, res); }, (second) => served((req, res) => {
    got.first.push(req.headers['x-token']?.toString(), req.headers.authorization);
    res.writeHead(302, { location: req.url === '/m.gguf' ? '/again' : `${second}cdn` }).end();
  }, async (first) => {
    const headers = { 'X-Token': 'secret', Authorization: 'Bearer secret' };
    const spec = /** @type {const} */ ({ kind: 'url', url: `${first}m.gguf`, headers });
    assert.ok((await whole(openSource(spec), artifactOf(spec))).equals(file));
    const hub = /** @type {const} */ ({ kind: 'hf', repo: 'owner/repo', path: 'sub/m.gguf', revision: 'abc', endpoint: first.replace(/\/$/, ''), headers });
    assert.ok((await whole(openSource(hub), artifactOf(hub))).equals(file));
  }));
  assert.ok(got.first.length >= 4 && got.first.every((v) => v === 'secret' || v === 'Bearer secret'), JSON.stringify(got.first));
  assert.ok(got.second.length > 0 && got.second.every((v) => v === undefined), JSON.stringify(got.second));
});

test('Hugging Face: the address of a file, with its revision', () => {
  /** @type {string[]} */ const asked = [];
  return served((req, res) => { asked.push(req.url ?? ''); answer(req, res); }, async (url) => {
    const spec = /** @type {const} */ ({ kind: 'hf', repo: 'owner/repo', path: 'sub dir/m.gguf', revision: 'refs/pr/1', endpoint: url.replace(/\/$/, '') });
    await whole(openSource(spec), artifactOf(spec));
    assert.deepEqual(asked, ['/owner/repo/resolve/refs%2Fpr%2F1/sub%20dir/m.gguf']);
  });
});

test('redirects that never end, or lead to other protocols', () => served((req, res) => {
  res.writeHead(302, { location: req.url === '/loop' ? '/loop' : 'ftp://x.test/m.gguf' }).end();
}, async (url) => {
  await assert.rejects(whole(openSource({ kind: 'url', url: `${url}loop` }), { id: 'x', name: 'x' }), { code: 'NETWORK', message: /more than 10 redirects/ });
  await assert.rejects(whole(openSource({ kind: 'url', url: `${url}ftp` }), { id: 'x', name: 'x' }), { code: 'NETWORK', message: /refuses the redirect/ });
}));

test('Retry-After is obeyed; a request asks for identity', () => {
  /** @type {number[]} */ const at = [];
  return served((req, res) => {
    at.push(performance.now());
    assert.equal(req.headers['accept-encoding'], 'identity');
    if (at.length === 1) res.writeHead(429, { 'retry-after': '1' }).end(); else answer(req, res);
  }, async (url) => {
    const artifact = hashed(file);
    await download(artifact, { store: await memory(), sources: [openSource({ kind: 'url', url })], patience: { ...patience, parallel: 1 } });
    assert.ok(at[1] - at[0] >= 990, `asked again after ${at[1] - at[0]} ms`);
  });
});

test('a web page, a wrong range, a hidden Content-Range, an empty file', async () => {
  await served((_, res) => res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>'), (url) => assert.rejects(whole(openSource({ kind: 'url', url: `${url}m.gguf` }), { id: 'x', name: 'm.gguf' }), { code: 'NETWORK', message: /web page answered/ }));
  await served((req, res) => (req.headers.range ? res.writeHead(206, { 'content-range': `bytes 7-${file.length - 1}/${file.length}` }).end(file.subarray(7)) : res.end(file)), (url) => assert.rejects(whole(openSource({ kind: 'url', url }), { id: 'x', name: 'x' }), { code: 'NETWORK', message: /answered with the range/ }));
  await served((req, res) => (req.headers.range ? res.writeHead(206).end(file) : answer(req, res)), async (url) => {
    const reader = await openSource({ kind: 'url', url }).open({ id: 'x', name: 'x' });
    assert.deepEqual([reader.ranges, reader.size], [false, file.length]);
    assert.ok((await collect(reader.read(0, Infinity))).equals(file));
  });
  await served((_, res) => res.writeHead(416, { 'content-range': 'bytes */0' }).end(), async (url) => {
    const store = await memory();
    const { size } = await download({ id: 'empty', name: 'empty' }, { store, sources: [openSource({ kind: 'url', url })], patience });
    assert.deepEqual([size, (await readStored(store, 'empty'))?.length], [0, 0]);
  });
});

/** @param {number} n @returns {number[]} */
const varint = (n) => (n < 128 ? [n] : [n % 128 + 128, ...varint(Math.floor(n / 128))]);
/** @param {number} id @param {Uint8Array | number} value a protobuf field */
const field = (id, value) => Buffer.from(typeof value === 'number' ? [id << 3, ...varint(value)] : [id << 3 | 2, ...varint(value.length), ...value]);
/** A file as IPFS blocks by their CIDs: raw leaves of `size` bytes, two links a node. @param {Uint8Array} bytes @param {number} size */
function blocksOf(bytes, size) {
  /** @type {Map<string, Uint8Array>} */ const blocks = new Map();
  const add = (/** @type {number} */ codec, /** @type {Uint8Array} */ block, /** @type {number} */ length) => {
    const hash = sha256(block);
    blocks.set(formatCid(codec, hash), block);
    return { hash, codec, length, total: block.length };
  };
  let level = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)).map((leaf) => add(RAW, leaf, leaf.length));
  const leaves = level;
  while (level.length > 1) {
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) => level.slice(2 * i, 2 * i + 2)).map((children) => {
      const length = children.reduce((n, c) => n + c.length, 0);
      const links = children.map((c) => field(2, Buffer.concat([field(1, cidBytes(c.codec, c.hash)), field(2, new Uint8Array(0)), field(3, c.total)])));
      const data = field(1, Buffer.concat([field(1, 2), field(3, length), ...children.map((c) => field(4, c.length))]));
      const node = add(DAG_PB, Buffer.concat([...links, data]), length);
      return { ...node, total: node.total + children.reduce((n, c) => n + c.total, 0) };
    });
  }
  return { cid: formatCid(level[0].codec, level[0].hash), blocks, leaves };
}

test('IPFS: a DAG of blocks, each checked; a gateway that lies is passed over', async () => {
  const { cid, blocks, leaves } = blocksOf(file, 30_000);
  assert.equal(cid, await rootOfLeaves(leaves.map(({ hash, length }) => ({ hash, length })), 2), 'the encoder of this test agrees with the package');
  let lies = 0, asked = 0;
  /** @param {boolean} honest @returns {import('node:http').RequestListener} */
  const gateway = (honest) => (req, res) => {
    asked++;
    const [, name] = /^\/ipfs\/(\w+)\?format=raw$/.exec(req.url ?? '') ?? [];
    const block = name && blocks.get(name);
    assert.equal(req.headers.accept, 'application/vnd.ipld.raw');
    if (!block) return void res.writeHead(404).end();
    const sent = Buffer.from(block);
    if (!honest) { sent[sent.length >> 1] ^= 1; lies++; }
    res.end(sent);
  };
  await served(gateway(false), (liar) => served(gateway(true), async (honest) => {
    const down = 'http://127.0.0.1:1';
    const source = openSource({ kind: 'ipfs', cid, gateways: [down, liar, honest] }, { timeout: 2000 });
    const artifact = { id: cid, name: 'm.gguf', chunkSize: CHUNK };
    assert.ok((await whole(source, artifact)).equals(file));
    assert.ok(lies > 0 && lies < 3, `${lies} lies believed long enough to be asked again`);
    const reader = await source.open(artifact);
    assert.deepEqual([reader.size, reader.version], [file.length, cid]);
    const before = asked;
    assert.ok((await collect(reader.read(29_990, 20))).equals(file.subarray(29_990, 30_010)));
    assert.ok(asked - before <= 20, 'a range costs its blocks and the nodes above them');
    const store = await memory();
    await download(artifact, { store, sources: [source], patience });
    assert.ok((await readStored(store, cid))?.equals(file));
  }));
  await served(gateway(false), (liar) => assert.rejects(whole(openSource({ kind: 'ipfs', cid, gateways: [liar] }), { id: cid, name: cid }), { code: 'INTEGRITY', message: /no gateway has the block/ }));
  await assert.rejects(whole(openSource({ kind: 'ipfs', cid: 'nonsense' }), { id: 'x', name: 'x' }), { code: 'FORMAT' });
});

test('IPFS end to end: every block of one gateway is corrupt, and the model comes from the next', async () => {
  const { cid, blocks } = blocksOf(file, 30_000);
  const files = Object.fromEntries([...blocks].map(([name, block]) => [`/ipfs/${name}`, new Uint8Array(block)]));
  const [liar, honest] = await Promise.all([openFaultServer({ files, plan: () => 'flip' }), openFaultServer({ files })]);
  try {
    const loader = new ModelLoader({ cache: { storage: 'filesystem', directory: temporaryFolder() }, trust: { allowUnsigned: true }, sources: { fallback: ['ipfs'] }, session: { worker: false } });
    const { manifest, files: own } = await publish({ id: 'far', bytes: file, sources: [{ type: 'ipfs', cid, gateways: [liar.url, honest.url] }] });
    const host = await openFaultServer({ files: { '/manifest.json': own['manifest.json'] } }); // the file itself lies nowhere else
    try {
      const { bytes } = await loader.preload(host.at('/manifest.json'));
      assert.deepEqual([bytes, await loader.isCached(host.at('/manifest.json')), manifest.artifacts.model.size], [file.length, true, file.length]);
      assert.ok(liar.log.length > 0 && liar.log.every((asked) => asked.fault === 'flip'));
      assert.deepEqual(new Set(honest.log.map((asked) => asked.path)), new Set(Object.keys(files)), 'every block came from the honest one');
      honest.setPlan(() => 'flip');
      const none = new ModelLoader({ cache: { storage: 'memory' }, trust: { allowUnsigned: true }, download: { retries: 0 }, session: { worker: false } });
      await assert.rejects(none.preload(host.at('/manifest.json')), { code: /^(INTEGRITY|NETWORK)$/ });
      assert.equal(await none.isCached(host.at('/manifest.json')), false);
    } finally { await host.close(); }
  } finally { await Promise.all([liar.close(), honest.close()]); }
});

test('peers: asked for chunks, checked like everybody; the other source helps out', async () => {
  const artifact = hashed(file);
  /** @type {number[]} */ const given = [];
  const peer = peerSource({
    id: 'near', async chunk(_, index) {
      given.push(index);
      if (index === 1) return null;
      const chunk = new Uint8Array(file.subarray(index * CHUNK, (index + 1) * CHUNK));
      if (index === 2) chunk[5] ^= 1;
      return chunk;
    },
  });
  await served((req, res) => answer(req, res), async (url) => {
    const store = await memory();
    await download(artifact, { store, sources: [peer, openSource({ kind: 'url', url })], patience });
    assert.ok((await readStored(store, artifact.id))?.equals(file));
    assert.ok(given.length > 0);
  });
  const alone = peerSource({ id: 'all', chunk: async (_, i) => new Uint8Array(file.subarray(i * CHUNK, (i + 1) * CHUNK)) });
  const store = await memory();
  await download(artifact, { store, sources: [alone], patience });
  assert.ok((await readStored(store, artifact.id))?.equals(file));
  await assert.rejects(alone.open({ id: 'x', name: 'x' }), { code: 'UNSUPPORTED', message: /chunk hashes are known/ });
});

// @ts-check
// One contract for every store. The browser's private file system is tested in browsers.
import 'fake-indexeddb/auto';
import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openFilesystem } from '../../js-glue/stores/filesystem.js';
import { openIndexedDb } from '../../js-glue/stores/indexeddb.js';
import { fileName, makeRoom } from '../../js-glue/stores/store.js';
import { temporaryFolder } from './support/env.mjs';

/** @param {number} n @param {number} [seed] */
const bytes = (n, seed = 1) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + seed * 7 + (i >> 8)) & 255);
/** @param {import('../../js-glue/stores/store.js').Store} store @param {string} id @param {Uint8Array} data @param {number} [chunk] */
async function put(store, id, data, chunk = 300000) {
  const writer = await store.create(id, true);
  for (let at = 0; at < data.length; at += chunk) await writer.write(data.subarray(at, at + chunk));
  return writer.commit();
}
/** @param {import('../../js-glue/stores/store.js').Store} store @param {string} id @param {number} [offset] */
async function get(store, id, offset = 0) {
  const artifact = await store.open(id);
  if (!artifact) return null;
  const parts = [];
  try { for await (const chunk of artifact.stream(offset)) parts.push(...[Buffer.from(chunk)]); } finally { artifact.close(); }
  return new Uint8Array(Buffer.concat(parts));
}

const dirs = new Map();
/** @type {[string, () => Promise<import('../../js-glue/stores/store.js').Store>][]} */
const STORES = [
  ['filesystem', () => { const dir = temporaryFolder(); return openFilesystem(dir).then((s) => { dirs.set(s, dir); return s; }); }],
  ['indexeddb', () => openIndexedDb(`test ${Math.random()}`)],
];

for (const [kind, open] of STORES) {
  test(`${kind}: bytes come back, in any chunking and from any offset`, async () => {
    const store = await open();
    const data = bytes((9 << 20) + 12345);
    const entry = await put(store, 'https://x.test/a.gguf?x=1', data, 777777);
    assert.deepEqual([store.kind, entry.size], [kind, data.length]);
    assert.deepEqual(await get(store, 'https://x.test/a.gguf?x=1'), data);
    assert.deepEqual(await get(store, 'https://x.test/a.gguf?x=1', (4 << 20) + 5), data.subarray((4 << 20) + 5));
    assert.deepEqual((await store.list()).map((e) => [e.id, e.size]), [['https://x.test/a.gguf?x=1', data.length]]);
  });

  test(`${kind}: what was not committed is not there`, async () => {
    const store = await open();
    const aborted = await store.create('a', true);
    await aborted.write(bytes(5 << 20));
    assert.equal(await store.find('a'), null, 'while it is written');
    await aborted.abort();
    assert.deepEqual([await store.find('a'), await store.open('a'), await store.list()], [null, null, []]);
    const killed = await store.create('b', true); // never finished
    await killed.write(bytes(5 << 20));
    assert.equal(await store.find('b'), null);
    await put(store, 'b', bytes(100, 2));
    assert.deepEqual(await get(store, 'b'), bytes(100, 2));
    if (dirs.has(store)) assert.equal(readdirSync(dirs.get(store)).length, 2, 'the next write removed the leftovers');
  });

  test(`${kind}: a new write replaces the old one only when it is complete`, async () => {
    const store = await open();
    await put(store, 'a', bytes(1000, 1));
    const half = await store.create('a', false);
    await half.write(bytes(10, 2));
    assert.deepEqual(await get(store, 'a'), bytes(1000, 1));
    await half.abort();
    assert.deepEqual(await get(store, 'a'), bytes(1000, 1));
    await put(store, 'a', bytes(2000, 3));
    assert.deepEqual(await get(store, 'a'), bytes(2000, 3));
    assert.equal((await store.list()).length, 1);
  });

  test(`${kind}: two writers of one model do not mix`, async () => {
    const store = await open();
    const [a, b] = [await store.create('m', false), await store.create('m', false)];
    for (let i = 0; i < 3; i++) { await a.write(bytes(3 << 20, 1)); await b.write(bytes(3 << 20, 2)); }
    await a.commit();
    await b.commit();
    const data = /** @type {Uint8Array} */ (await get(store, 'm'));
    assert.deepEqual([data.length, data[0], data[6 << 20]], [9 << 20, bytes(1, 2)[0], bytes(1, 2)[0]]);
  });

  test(`${kind}: remove, and room for a new one by last use`, async () => {
    const store = await open();
    for (const id of ['a', 'b', 'c']) { await put(store, id, bytes(1000)); await new Promise((r) => { setTimeout(r, 5); }); }
    (await store.open('a'))?.close(); // used now
    await makeRoom(store, 3500, 1000);
    assert.deepEqual((await store.list()).map((e) => e.id).sort(), ['a', 'c']);
    assert.deepEqual([await store.remove('c'), await store.remove('c'), await store.find('c')], [true, false, null]);
    await makeRoom(store, 500, 500);
    assert.deepEqual(await store.list(), []);
  });

  test(`${kind}: empty files and long names`, async () => {
    const store = await open();
    const id = `https://x.test/${'long/'.repeat(300)}näme?q=${'y'.repeat(500)}`;
    await put(store, id, new Uint8Array(0));
    assert.equal((await store.find(id))?.size, 0);
  });
}

test('filesystem: a record whose data is cut or gone does not count', async () => {
  const dir = temporaryFolder();
  const store = await openFilesystem(dir);
  const entry = await put(store, 'a', bytes(1000));
  writeFileSync(path.join(dir, entry.file), bytes(999));
  assert.equal(await store.find('a'), null);
  writeFileSync(path.join(dir, `${fileName('x')}.json`), '{"half');
  assert.deepEqual(await store.list(), []);
});

test('names differ where ids differ', () => {
  const ids = Array.from({ length: 2000 }, (_, i) => `https://x.test/${i}/model.gguf`);
  assert.equal(new Set(ids.map(fileName)).size, ids.length);
  assert.match(fileName('https://x.test/../../etc/passwd?a=/../b'), /^[\w.-]+$/);
});

// @ts-check
// One contract for every store. The browser's private file system and the Cache API are tested in browsers.
import 'fake-indexeddb/auto';
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeRoom, openStore } from '../../js-glue/stores/store.js';
import { fileName } from '../../js-glue/stores/names.js';
import { CHUNK, STORES, hashed, randomFile, readStored, sha256 } from './support/artifacts.mjs';
import { temporaryFolder } from './support/env.mjs';

/** @typedef {import('../../js-glue/fetch/types.js').Store} Store */
const MINUTE = 60_000;

/** @param {Store} store @param {Uint8Array} bytes @param {Partial<import('../../js-glue/fetch/types.js').Artifact>} [more] @param {string | null} [version] */
async function begin(store, bytes, more = {}, version = '"1"') {
  const artifact = { ...hashed(bytes), chunks: undefined, ...more };
  return { artifact, part: await store.begin(artifact, { size: bytes.length, version, chunkSize: CHUNK }) };
}
/** @param {import('../../js-glue/fetch/types.js').Part} part @param {Uint8Array} bytes @param {number[]} [which] */
async function write(part, bytes, which = Array.from({ length: Math.ceil(bytes.length / CHUNK) }, (_, i) => i)) {
  for (const i of which) {
    const chunk = bytes.subarray(i * CHUNK, (i + 1) * CHUNK);
    await part.write(i, chunk, sha256(chunk));
  }
}
/** @param {Store} store @param {Uint8Array} bytes @param {Partial<import('../../js-glue/fetch/types.js').Artifact>} [more] */
async function put(store, bytes, more) {
  const { part } = await begin(store, bytes, more);
  await write(part, bytes);
  return part.commit(bytes.length);
}

for (const [kind, open] of STORES) {
  test(`${kind}: chunks in any order, read from any place`, async () => {
    const store = await open();
    const bytes = randomFile(300 * CHUNK + 77);
    const { artifact, part } = await begin(store, bytes);
    await write(part, bytes, Array.from({ length: 301 }, (_, i) => (i * 97) % 301));
    assert.ok(Buffer.from(await part.read(5 * CHUNK + 3, 2 * CHUNK)).equals(bytes.subarray(5 * CHUNK + 3, 7 * CHUNK + 3)), 'before the commit');
    assert.deepEqual([await store.find(artifact.id), await store.open(artifact.id), await store.list()], [null, null, []]);
    const entry = await part.commit(bytes.length);
    assert.deepEqual([entry.size, entry.id, await store.find(artifact.id), await store.list()], [bytes.length, artifact.id, entry, [entry]]);
    assert.ok((await readStored(store, artifact.id))?.equals(bytes));
    const reader = /** @type {import('../../js-glue/fetch/types.js').Reader} */ (await store.open(artifact.id));
    for (const [offset, length] of [[0, 10], [CHUNK - 1, 2], [bytes.length - 5, 100], [150 * CHUNK + 9, 5 << 20]]) {
      const parts = [];
      for await (const p of reader.read(offset, length)) parts.push(Buffer.from(p));
      assert.ok(Buffer.concat(parts).equals(bytes.subarray(offset, offset + length)));
    }
    const view = new Uint8Array(100);
    if (reader.readInto) assert.ok(reader.readInto(bytes.length - 60, view) === 60 && Buffer.from(view.subarray(0, 60)).equals(bytes.subarray(-60)));
    reader.close();
  });

  test(`${kind}: a part that was kept goes on, another version begins anew`, async () => {
    const store = await open();
    const bytes = randomFile(20 * CHUNK + 5);
    const first = await begin(store, bytes);
    await write(first.part, bytes, [0, 1, 7, 20]);
    await first.part.keep();
    assert.ok((await store.usage()).partial > 0);
    const second = await begin(store, bytes);
    assert.deepEqual([second.part.journal.count, second.part.journal.has(7), second.part.journal.has(8), Buffer.from(second.part.journal.hash(20) ?? []).equals(sha256(bytes.subarray(20 * CHUNK)))], [4, true, false, true]);
    await second.part.keep();
    const other = await begin(store, bytes, {}, '"2"');
    assert.equal(other.part.journal.count, 0);
    await write(other.part, bytes, [3]);
    await other.part.keep();
    assert.equal((await begin(store, bytes)).part.journal.count, 0, 'the older version is gone');
    const unknown = await open();
    await (await begin(unknown, bytes, {}, null)).part.keep();
    assert.equal((await unknown.usage()).partial, 0, 'nothing was there to keep');
  });

  test(`${kind}: what the journal says is checked against the bytes and against the known hashes`, async () => {
    const store = await open();
    const bytes = randomFile(6 * CHUNK);
    const { part } = await begin(store, bytes);
    await write(part, bytes, [0, 1]);
    await part.write(2, bytes.subarray(0, CHUNK), sha256(bytes.subarray(2 * CHUNK, 3 * CHUNK))); // other bytes than the hash says, as a torn write
    await part.write(3, bytes.subarray(0, CHUNK), sha256(bytes.subarray(0, CHUNK))); // consistent, and not what the artifact wants
    await part.keep();
    const again = await begin(store, bytes, { chunks: hashed(bytes).chunks });
    assert.deepEqual([0, 1, 2, 3, 4].map((i) => again.part.journal.has(i)), [true, true, false, false, false]);
    await again.part.discard();
    assert.deepEqual(await store.usage().then(({ bytes: b, partial }) => [b, partial]), [0, 0]);
  });

  test(`${kind}: verify finds bad chunks, and then only they are missing`, async () => {
    const store = await open();
    const bytes = randomFile(10 * CHUNK + 9);
    const { artifact, part } = await begin(store, bytes);
    await write(part, bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await part.write(9, bytes.subarray(0, CHUNK), sha256(bytes.subarray(0, CHUNK)));
    await part.write(10, bytes.subarray(0, 9), sha256(bytes.subarray(0, 9)));
    await part.commit(bytes.length);
    assert.deepEqual(await store.verify(artifact.id), { chunks: 11, bad: [] }, 'as it was written');
    assert.deepEqual(await store.verify(artifact.id, { artifact: hashed(bytes) }), { chunks: 11, bad: [9, 10] }, 'as it should be');
    assert.equal(await store.find(artifact.id), null);
    const again = await begin(store, bytes);
    assert.equal(again.part.journal.count, 9);
    await write(again.part, bytes, [9, 10]);
    await again.part.commit(bytes.length);
    assert.deepEqual(await store.verify(artifact.id, { artifact: hashed(bytes) }), { chunks: 11, bad: [] });
    assert.ok((await readStored(store, artifact.id))?.equals(bytes));
    await assert.rejects(store.verify('none'), { code: 'STORAGE' });
  });

  test(`${kind}: a new version replaces the old one only when it is whole`, async () => {
    const store = await open();
    const [old, next] = [randomFile(3 * CHUNK, 1), randomFile(4 * CHUNK, 2)];
    await put(store, old, { id: 'm' });
    const half = await begin(store, next, { id: 'm' }, '"2"');
    await write(half.part, next, [0, 1]);
    assert.ok((await readStored(store, 'm'))?.equals(old));
    await half.part.keep();
    assert.ok((await readStored(store, 'm'))?.equals(old));
    const whole = await begin(store, next, { id: 'm' }, '"2"');
    await write(whole.part, next, [2, 3]);
    await whole.part.commit(next.length);
    assert.ok((await readStored(store, 'm'))?.equals(next));
    assert.deepEqual(await store.usage().then((u) => [u.bytes, u.partial]), [next.length, 0]);
  });

  test(`${kind}: room is made by last use, age or priority; pinned files stay`, async () => {
    const room = async (/** @type {any} */ limits, /** @type {(store: Store) => Promise<unknown>} */ prepare = async () => {}) => {
      const store = await open();
      for (const id of ['a', 'b', 'c']) { await put(store, randomFile(1000), { id, model: id === 'c' ? 'other' : 'same' }); await new Promise((r) => { setTimeout(r, 3); }); }
      await prepare(store);
      return [await makeRoom(store, 1000, { maxBytes: 3500, ...limits }), (await store.list()).map((e) => e.id).sort(), (await store.usage()).models];
    };
    const use = async (/** @type {Store} */ store) => await (await store.open('a'))?.close();
    assert.deepEqual(await room({}), [['a'], ['b', 'c'], { same: 1000, other: 1000 }]);
    assert.deepEqual((await room({}, use))[0], ['b']);
    assert.deepEqual((await room({ policy: 'fifo' }, use))[0], ['a']);
    assert.deepEqual((await room({ policy: 'priority' }, async (s) => { await s.mark('a', { priority: 2 }); await s.mark('b', { priority: 1 }); }))[0], ['c']);
    assert.deepEqual((await room({}, (s) => s.mark('a', { pinned: true })))[0], ['b']);
    assert.deepEqual((await room({ maxBytes: 9000 }))[0], []);
    await assert.rejects(room({}, async (s) => { for (const id of ['a', 'b', 'c']) assert.ok(await s.mark(id, { pinned: true })); }), { code: 'STORAGE', message: /do not fit: the limit is 3500, 3000 are in stored models/ });
  });

  test(`${kind}: models with equal bytes share a file, and it goes with the last one`, async () => {
    const store = await open();
    await put(store, randomFile(2 * CHUNK), { id: 'same', model: 'a' });
    assert.equal(await store.mark('same', { model: 'b' }), true);
    assert.deepEqual((await store.find('same'))?.models, ['a', 'b']);
    assert.equal(await store.remove('same', 'a'), true);
    assert.ok((await readStored(store, 'same'))?.equals(randomFile(2 * CHUNK)));
    assert.deepEqual([await store.remove('same', 'b'), await store.find('same'), await store.remove('same', 'b')], [true, null, false]);
  });

  test(`${kind}: remove, clear, empty files and long names`, async () => {
    const store = await open();
    const id = `https://x.test/${'long/'.repeat(300)}näme?q=${'y'.repeat(500)}`;
    await put(store, new Uint8Array(0), { id });
    assert.deepEqual([(await store.find(id))?.size, (await readStored(store, id))?.length], [0, 0]);
    await put(store, randomFile(2 * CHUNK), { id: 'a' });
    assert.deepEqual([await store.remove('a'), await store.remove('a'), await store.find('a')], [true, false, null]);
    const { part } = await begin(store, randomFile(3 * CHUNK), { id: 'b' });
    await write(part, randomFile(3 * CHUNK), [1]);
    await part.keep();
    assert.equal(await store.remove('b'), true, 'also what a broken-off download left');
    await put(store, randomFile(CHUNK), { id: 'c' });
    await store.clear();
    assert.deepEqual([await store.list(), (await store.usage()).partial], [[], 0]);
    assert.equal(await store.mark('c', { pinned: true }), false);
  });

  test(`${kind}: one after another under a lock, and an abort while waiting`, async () => {
    const store = await open();
    /** @type {string[]} */ const order = [];
    /** @type {(v?: void) => void} */ let entered = () => {}, leave = () => {};
    const inside = new Promise((/** @type {(v: void) => void} */ resolve) => { entered = resolve; }), over = new Promise((/** @type {(v: void) => void} */ resolve) => { leave = resolve; });
    const slow = store.lock('m', async () => { order.push('in'); entered(); await over; order.push('out'); });
    await inside;
    const control = new AbortController();
    setTimeout(() => control.abort(), 10);
    if (kind !== 'indexeddb') await assert.rejects(store.lock('m', async () => { order.push('never'); }, { signal: control.signal }), { code: 'ABORTED' });
    leave();
    await Promise.all([slow, store.lock('m', async () => { order.push('second'); }), store.lock('n', async () => {})]);
    if (kind !== 'indexeddb') assert.deepEqual(order, ['in', 'out', 'second']); // Node 20 has no Web Locks
  });
}

test('filesystem: records and journals that are cut, and data that is gone, do not count', async () => {
  const root = temporaryFolder();
  const store = await openStore({ kind: 'filesystem', root });
  const bytes = randomFile(5 * CHUNK);
  const entry = await put(store, bytes, { id: 'a' });
  truncateSync(path.join(root, entry.file), bytes.length - 1);
  assert.equal(await store.find('a'), null);
  assert.equal((await begin(store, bytes, { id: 'a' })).part.journal.count, 4, 'four chunks are still good');
  const record = path.join(root, `${fileName('b')}.json`);
  await put(store, bytes, { id: 'b' });
  writeFileSync(record, readFileSync(record).subarray(0, 20));
  assert.equal(await store.find('b'), null);
  const whole = await begin(store, bytes, { id: 'b' });
  assert.equal(whole.part.journal.count, 5, 'a torn record is made anew without a download');
  await whole.part.commit(bytes.length);
  assert.ok((await readStored(store, 'b'))?.equals(bytes));
  for (const cut of [3, 30, 1]) { // whatever is left of the journal
    const file = path.join(root, readdirSync(root).find((n) => n.startsWith(fileName('b')) && n.endsWith('.journal')) ?? '');
    truncateSync(file, readFileSync(file).length - cut);
    writeFileSync(record, '{');
    const next = await begin(store, bytes, { id: 'b' });
    assert.equal(next.part.journal.count, 4);
    await write(next.part, bytes, [4]);
    await next.part.commit(bytes.length);
  }
});

test('filesystem: drafts of killed writers go, those of living ones stay', async () => {
  const root = temporaryFolder();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const [gone, kept] = [dead, process.ppid].map((pid) => [`r.json.${pid}.abc.new`, `m.lock.${pid}-abc`]);
  for (const name of [...gone, ...kept, `m.lock.${dead}-abc.stale`]) writeFileSync(path.join(root, name), '{}');
  await put(await openStore({ kind: 'filesystem', root }), randomFile(CHUNK), { id: 'm' });
  const names = readdirSync(root);
  assert.deepEqual(names.filter((n) => /\.new$|\.lock\./.test(n)).sort(), kept.sort());
});

test('filesystem: what the first release stored is found, verified and replaced', async () => {
  const root = temporaryFolder();
  const bytes = randomFile(3 * CHUNK);
  const id = 'https://x.test/old.gguf', file = `${fileName(id)}~abc-def`;
  writeFileSync(path.join(root, file), bytes);
  writeFileSync(path.join(root, `${fileName(id)}.json`), JSON.stringify({ id, file, size: bytes.length, created: 1, used: 2 }));
  const store = await openStore({ kind: 'filesystem', root });
  assert.equal((await store.find(id))?.size, bytes.length);
  assert.ok((await readStored(store, id))?.equals(bytes));
  assert.deepEqual(await store.verify(id), { chunks: 1, bad: [] }, 'its hashes are recorded now');
  writeFileSync(path.join(root, file), Buffer.alloc(bytes.length));
  assert.deepEqual(await store.verify(id), { chunks: 1, bad: [0] });
  await put(store, bytes, { id });
  assert.ok(!readdirSync(root).includes(file), 'the old file is gone');
});

test('indexeddb: what the first release stored is carried over', async () => {
  const name = `first ${process.pid}`;
  const bytes = randomFile((9 << 20) + 5);
  const id = 'https://x.test/old.gguf', file = `${fileName(id)}~abc-def`;
  await new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => { opening.result.createObjectStore('models', { keyPath: 'id' }); opening.result.createObjectStore('chunks'); };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const t = opening.result.transaction(['models', 'chunks'], 'readwrite');
      t.objectStore('models').put({ id, file, size: bytes.length, created: 1, used: 2 });
      for (let n = 0; n < 3; n++) t.objectStore('chunks').put(new Blob([bytes.subarray(n << 22, (n + 1) << 22)]), [file, n]);
      t.oncomplete = () => { opening.result.close(); resolve(undefined); };
    };
  });
  const store = await openStore({ kind: 'indexeddb', root: name });
  assert.ok((await readStored(store, id))?.equals(bytes));
  assert.deepEqual((await store.list()).map((e) => [e.id, e.size]), [[id, bytes.length]]);
});

test('the time of last use is written at most once a minute', async () => {
  const root = temporaryFolder();
  const store = await openStore({ kind: 'filesystem', root });
  const entry = await put(store, randomFile(CHUNK), { id: 'a' });
  const file = path.join(root, `${fileName('a')}.json`);
  const usedOf = () => JSON.parse(readFileSync(file, 'utf8')).used;
  writeFileSync(file, JSON.stringify({ ...entry, used: Date.now() - 2 * MINUTE }));
  await (await store.open('a'))?.close();
  const first = usedOf();
  assert.ok(Date.now() - first < MINUTE);
  await (await store.open('a'))?.close();
  assert.equal(usedOf(), first);
});

test('names differ where ids differ', () => {
  const ids = Array.from({ length: 2000 }, (_, i) => `https://x.test/${i}/model.gguf`);
  assert.equal(new Set(ids.map(fileName)).size, ids.length);
  assert.match(fileName('https://x.test/../../etc/passwd?a=/../b'), /^[\w.-]+$/);
});

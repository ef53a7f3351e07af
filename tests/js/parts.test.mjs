// @ts-check
// Models in several files: Hugging Face folders and split GGUF, read as one by the SDK, byte for byte what the native command converts them to.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ok, temporary } from '../cli/cli.mjs';
import { BYTES, folder, json, normalized } from '../cli/hf-folder.mjs';
import { splitGguf } from '../cli/split-gguf.mjs';
import { download } from '../../js-glue/fetch/download.js';
import { ModelLoader } from '../../js-glue/loader.js';
import { InferenceSession } from '../../js-glue/session.js';
import { artifactOf, isRemote, openSource, wholeSpec } from '../../js-glue/sources.js';
import { openStore } from '../../js-glue/stores/store.js';
import { collect, readStored } from './support/artifacts.mjs';
import { homeModel, sendBytes, serve, wasm } from './support/env.mjs';

/** @param {string} dir the file that the command makes of it */
function converted(dir) {
  const out = temporary(`${path.basename(dir)}.converted.gguf`);
  ok('convert', dir, out, '--quiet');
  return new Uint8Array(readFileSync(out));
}
/** @param {import('../../js-glue/sources.js').SourceSpec} spec */
const open = (spec) => openSource(spec).open(artifactOf(spec));
const spec = (/** @type {import('../../js-glue/sources.js').ModelSource} */ source) => wholeSpec(source, wasm);
/** A File as the browser gives it. @param {string} file @param {string} [inside] folder that it was chosen with */
function fileOf(file, inside) {
  const made = new File([readFileSync(file)], path.basename(file));
  if (inside) Object.defineProperty(made, 'webkitRelativePath', { value: `${inside}/${path.basename(file)}` });
  return made;
}
const filesIn = (/** @type {string} */ dir) => readdirSync(dir).map((name) => path.join(dir, name));

test('a folder is the file that the command converts it to, whole and in ranges, from one safetensors file and from three', async () => {
  for (const shards of [1, 3]) {
    const { dir } = folder(`parts-${shards}`, { shards, texts: BYTES, config: { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 } } });
    const want = converted(dir), reader = await open(await spec(dir));
    assert.equal(reader.size, want.length);
    assert.ok(Buffer.from(await collect(reader.read(0, Infinity))).equals(want));
    for (let i = 0; i < 200; i++) {
      const at = (i * 7919 * 31) % want.length, n = 1 + (i * i * 97) % 9000;
      assert.ok(Buffer.from(await collect(reader.read(at, n))).equals(want.subarray(at, at + n)), `${at} + ${n}`);
    }
    reader.close();
  }
});

test('text gets the normal form that the vocabulary asks for', async () => {
  const text = 'cafe\u0301 \ufb01';
  for (const form of ['NFC', 'NFKC']) {
    const { dir } = folder(`parts-${form}`, { texts: normalized({ type: form }) });
    const session = await InferenceSession.create(dir, { wasm, threads: 1, contextLength: 64 });
    try { assert.deepEqual([...await session.tokenize(text, { addBos: false })], [...Buffer.from(text.normalize(form))]); } finally { await session.dispose(); }
  }
});

test('sessions: a path, a list of files, a directory handle, a split model give the texts of the one file', async () => {
  const { dir } = folder('parts-session', { shards: 2, texts: BYTES }), one = new Uint8Array(readFileSync(temporary('parts-session.gguf'))), names = splitGguf(homeModel, temporary('parts-home'), 3);
  const handle = /** @type {any} */ ({ kind: 'directory', async *values() {
    for (const file of filesIn(dir)) yield { kind: 'file', name: path.basename(file), getFile: async () => fileOf(file) };
    yield { kind: 'directory', name: 'onnx' };
  } });
  assert.ok(one.length);
  const say = async (/** @type {import('../../js-glue/sources.js').ModelSource} */ source) => {
    const session = await InferenceSession.create(source, { wasm, threads: 1, contextLength: 64 });
    try { return await session.generate('hello', { maxTokens: 8, temperature: 0 }); } finally { await session.dispose(); }
  };
  const want = await say(converted(dir));
  assert.equal(want.length > 0, true);
  assert.equal(await say(dir), want);
  assert.equal(await say(`${dir}/`), want);
  assert.equal(await say(filesIn(dir).map((file) => fileOf(file))), want);
  assert.equal(await say(filesIn(dir).map((file) => fileOf(file, 'chosen'))), want);
  assert.equal(await say(handle), want);
  const home = await say(homeModel);
  assert.equal(await say(/** @type {string} */ (names[2])), home);
  assert.equal(await say([...names].reverse().map((file) => fileOf(file))), home);
});

test('over HTTP: only what is there is asked for, a folder goes into the store as one file, and a download that was stopped goes on', async () => {
  const { dir } = folder('parts-http', { shards: 2, texts: BYTES }), want = converted(dir);
  /** @type {string[]} */ const asked = [];
  let sent = 0, onAsked = (/** @type {string} */ _) => {};
  const server = await serve((req, res) => {
    const name = decodeURIComponent((req.url ?? '').split('?')[0].split('/').pop() ?? '');
    asked.push(name);
    if (!readdirSync(dir).includes(name)) { res.writeHead(404); res.end(); return; }
    const bytes = readFileSync(path.join(dir, name));
    sent += bytes.length;
    onAsked(name);
    sendBytes(bytes, req, res, `"${name}"`);
  });
  try {
    const base = await spec('hf:owner/parts-http');
    assert.deepEqual([base.kind, isRemote(base), artifactOf(base).id], ['parts', true, 'hf:owner/parts-http@main']);
    const remote = /** @type {import('../../js-glue/fetch/types.js').PartsSpec} */ (base), here = { ...remote, base: { .../** @type {any} */ (remote.base), endpoint: server.url.slice(0, -1) } };
    const store = await openStore({ kind: 'memory' }), artifact = { ...artifactOf(here), chunkSize: 4096 }, how = { store, sources: [openSource(here)] };
    const control = new AbortController();
    let tensors = 0, loaded = 0;
    onAsked = (name) => { if (name.endsWith('.safetensors') && ++tensors > 8) control.abort(); }; // before this answer: the download cannot have ended
    await assert.rejects(download(artifact, { ...how, signal: control.signal, onProgress: (p) => { loaded = p.loaded; } }), { code: 'ABORTED' });
    onAsked = () => {};
    assert.ok(loaded > 0, 'it had begun');
    assert.ok(await store.missingFrom(artifact.id) > 0);
    await download(artifact, how);
    assert.ok(Buffer.from(await readStored(store, artifact.id)).equals(want));
    assert.ok(asked.includes('generation_config.json') && sent > 0);
    store.close();
    const names = splitGguf(homeModel, path.join(dir, 'home'), 2), url = `${server.url}${path.basename(/** @type {string} */ (names[1]))}?download=true`;
    const loader = new ModelLoader({ cache: { storage: 'memory' }, session: { wasm, threads: 1 } }), model = await loader.load(url, { contextLength: 32 });
    const direct = await InferenceSession.create(homeModel, { wasm, threads: 1, contextLength: 32 });
    assert.equal(await model.generate('Hi', { maxTokens: 6, temperature: 0 }), await direct.generate('Hi', { maxTokens: 6, temperature: 0 }));
    assert.equal(await loader.isCached(url), true);
    assert.equal(await loader.clearCache(url), true);
    await model.dispose();
    await direct.dispose();
  } finally { await server.close(); }
});

test('what is missing, foreign or cut short is told in one sentence', async () => {
  const { dir } = folder('parts-broken', { shards: 2, texts: BYTES }), files = filesIn(dir), shard = /** @type {string} */ (files.find((f) => f.includes('00002-of')));
  const fails = async (/** @type {import('../../js-glue/sources.js').ModelSource} */ source, /** @type {object} */ error) => assert.rejects((async () => { const reader = await open(await spec(source)); for await (const _ of reader.read(0, Infinity)); })(), error);
  await fails(files.filter((f) => f !== shard).map((f) => fileOf(f)), { code: 'STORAGE', message: /model-00002-of-00002\.safetensors is not among the files/ });
  await fails(files.filter((f) => !f.endsWith('config.json')).map((f) => fileOf(f)), { code: 'ARG', message: /nor a Hugging Face folder, which has a config\.json/ });
  await fails([new File(['{}'], 'a.gguf'), new File(['{}'], 'b.gguf')], { code: 'ARG', message: /neither the parts of one GGUF model/ });
  const bytes = readFileSync(shard), index = path.join(dir, 'model.safetensors.index.json'), map = readFileSync(index);
  writeFileSync(shard, bytes.subarray(0, -100));
  await fails(dir, { message: /ended at byte|cut short/ });
  writeFileSync(shard, bytes.subarray(0, 20));
  await fails(dir, { code: 'FORMAT', message: /model-00002-of-00002\.safetensors ends inside its head/ });
  writeFileSync(shard, bytes);
  writeFileSync(index, '{"weight_map": {"a": "../model.safetensors"}}');
  await fails(dir, { code: 'FORMAT', message: /does not name the files/ });
  writeFileSync(index, map);
  writeFileSync(path.join(dir, 'config.json'), '{"model_type": "falcon"}');
  await fails(dir, { code: 'UNSUPPORTED', message: /models of type "falcon" are not supported/ });
  assert.deepEqual(json('inspect', homeModel, '--json').tensors.length > 0, true);
});

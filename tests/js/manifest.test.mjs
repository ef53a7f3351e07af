// @ts-check
// The strict JSON reader, the manifest's form (the same by our reader and by ajv over the published schema), and where files come from.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import Ajv2020 from 'ajv/dist/2020.js';
import { EdgeNetError } from '../../js-glue/errors.js';
import { openChunkHasher } from '../../js-glue/manifest/chunks.js';
import { fromBase64, fromHex, toBase64, toHex, utf8 } from '../../js-glue/manifest/encoding.js';
import { readJson } from '../../js-glue/manifest/json.js';
import { checkManifest, describeFile, manifestBytes, parseManifest, sourcesOf } from '../../js-glue/manifest/manifest.js';
import { MANIFEST_SCHEMA, SCHEMA_ID, checkShape } from '../../js-glue/manifest/schema.js';
import { wantedFile } from '../../js-glue/manifest/wanted.js';
import { fixture, needs, root } from './support/env.mjs';

const code = (/** @type {string} */ c) => ({ code: c });
const parse = (/** @type {string} */ text) => readJson(utf8(text));

const suite = fixture('data/formats/json/test_parsing');
test('JSONTestSuite: what must be accepted is, what must be refused is, nothing else happens', needs(suite), () => {
  const counts = { y: 0, n: 0, i: 0 };
  for (const name of readdirSync(/** @type {string} */ (suite))) {
    const bytes = readFileSync(path.join(/** @type {string} */ (suite), name));
    let value, error;
    try { value = readJson(bytes); } catch (e) { error = e; }
    if (error) assert.ok(error instanceof EdgeNetError, `${name}: ${error}`);
    const kind = /** @type {'y' | 'n' | 'i'} */ (name[0]);
    counts[kind]++;
    if (kind === 'n') assert.ok(error, `${name} was accepted`);
    if (kind !== 'y') continue;
    const stricter = /duplicated_key|nonCharacter|surrogate|escaped_noncharacter/i.test(name) || bytes.includes('\\u');
    if (error && stricter) { assert.equal(/** @type {EdgeNetError} */ (error).code, 'NOT_CANONICAL', name); continue; }
    assert.equal(error, undefined, name);
    assert.equal(JSON.stringify(value), JSON.stringify(JSON.parse(bytes.toString())), name);
  }
  assert.ok(counts.y > 90 && counts.n > 180, JSON.stringify(counts));
});

test('texts that two readers could read differently are refused', () => {
  for (const text of ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[1e400]', '[9007199254740993]', '"\\ud800"', '\ufeff{}']) assert.throws(() => parse(text), code('NOT_CANONICAL'), text);
  assert.throws(() => readJson(Uint8Array.of(0x22, 0xff, 0x22)), code('NOT_CANONICAL'));
  assert.throws(() => parse(`${'['.repeat(40)}${']'.repeat(40)}`), code('FORMAT'));
  assert.throws(() => readJson(new Uint8Array(100), { maxBytes: 99 }), code('FORMAT'));
});

test('a text cut anywhere is TRUNCATED; no key is special', () => {
  const text = '{"a": [1, -2.5e3, true, false, null, "x\\u00e9\\n"], "__proto__": {"b": {}}}';
  for (let n = 0; n < text.length; n++) assert.throws(() => parse(text.slice(0, n)), code('TRUNCATED'), text.slice(0, n));
  const value = /** @type {any} */ (parse(text));
  assert.deepEqual([Object.keys(value), Object.getPrototypeOf(value), /** @type {any} */ ({}).b], [['a', '__proto__'], null, undefined]);
});

test('base64 and hexadecimal text have one form', () => {
  for (let n = 0; n < 40; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => i * 37 + n);
    assert.deepEqual([fromBase64(toBase64(bytes), 'x'), fromHex(toHex(bytes))], [bytes, bytes]);
  }
  for (const text of ['QQ', 'QQ=', 'QR==', 'QQ==\n', ' QQ==', 'Q-==', '====']) assert.throws(() => fromBase64(text, 'the payload'), code('NOT_CANONICAL'), text);
  for (const text of ['a', 'AB', '0x', 'zz', 'ab ']) assert.throws(() => fromHex(text), code('FORMAT'), text);
});

const hash = 'ab'.repeat(32), other = 'cd'.repeat(32);
/** A manifest with every block. @returns {any} */
const full = () => ({
  $schema: SCHEMA_ID, id: 'toy-q4', name: 'Toy', version: '1.2.3', type: 'text-generation', family: 'llama',
  architecture: { type: 'transformer', layers: 2, hiddenSize: 64, vocabSize: 512, contextLength: null },
  optimization: { quantization: 'INT4', format: 'GGUF', groupSize: 32, originalSize: '2.7GB', optimizedSize: '700MB' },
  artifacts: {
    model: { filename: 'model.gguf', size: (1 << 20) + 1, sha256: hash, chunkSize: 1 << 20, chunks: [hash, other], merkleRoot: hash, cid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku', cidProfile: 'unixfs-v1-2025',
      sources: [{ type: 'http', url: 'files/model.gguf' }, { type: 'hf', repo: 'a/b', revision: 'c'.repeat(40) }, { type: 'p2p' }] },
    tokenizer: { filename: 'tokenizer.json', size: null, sha256: null },
  },
  distribution: { primary: { type: 'gcs', baseUrl: 'https://storage.example/toy/', region: 'us' }, fallback: [{ type: 'http', url: 'https://mirror.example/model.gguf' }] },
  requirements: { minMemory: 1073741824, simdRequired: false, webgpuOptional: true, browserSupport: ['chrome-91', 'safari-16.4'] },
  adapters: { baseRank: 8, microRank: 2, slots: ['reasoning'] },
  benchmarks: { perplexity: 9.2, tokensPerSecond: { browser: 12, node: 45, webgpu: null }, memoryUsage: 850000000 },
  license: 'MIT', homepage: 'https://example.org', publishedAt: '2026-01-03T00:00:00Z', publishedBy: 'me', expires: '2027-01-03T00:00:00Z', 'x-note': { any: ['thing'] },
});

test('the shipped manifests are valid, all eight', () => {
  const folder = path.join(root, 'models/manifests');
  const ids = readdirSync(folder).map((file) => {
    const manifest = parseManifest(readFileSync(path.join(folder, file)), file);
    assert.equal(`${manifest.id}.json`, file);
    return manifest.id;
  });
  assert.deepEqual(ids.sort(), ['bge-small-q8', 'e5-small-q8', 'gemma-2b-q4', 'gte-small-q8', 'minilm-l6-v2-q8', 'phi-1.5-q4', 'phi-2-q4', 'qwen-0.5b-q4']);
});

test('the published schema is what the code says', () => {
  execFileSync(process.execPath, [path.join(root, 'tools/gen-schema.mjs'), '--check']);
});

/** Every change of one place: removed, replaced, an unknown neighbour. @param {any} value @param {(root: any) => any} at @returns {Generator<(root: any) => void>} */
function* changes(value, at = (r) => r) {
  const odd = [null, '', 'x', -1, 0, 1, 1.5, 1e15, true, [], {}, [null], 'a'.repeat(400), '../up', hash.toUpperCase(), hash.slice(2), `${hash}00`, { type: 'ftp' }, { type: 'http' }, { type: 'http', url: 'https://x.example/a', more: 1 }];
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) {
    yield (r) => { at(r).unknown = 1; };
    yield (r) => { at(r)['x-more'] = { a: [1] }; };
    yield (r) => { Object.defineProperty(at(r), '__proto__', { value: 1, enumerable: true }); };
  } else {
    yield (r) => { at(r).push(at(r)[0]); };
    yield (r) => { while (at(r).length < 1100) at(r).push(at(r)[0]); };
  }
  for (const key of Object.keys(value)) {
    yield (r) => { delete at(r)[key]; };
    for (const v of odd) yield (r) => { at(r)[key] = v; };
    yield* changes(value[key], (r) => at(r)[key]);
  }
}

test('our reader and ajv agree on more than a thousand changed manifests, and ours always says where', () => {
  const published = JSON.parse(readFileSync(path.join(root, 'models/schema/model-manifest-v1.json'), 'utf8'));
  const validate = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true }).compile(published);
  let valid = 0, invalid = 0;
  assert.ok(validate(full()), JSON.stringify(validate.errors));
  for (const change of changes(full())) {
    const manifest = full();
    change(manifest);
    /** @type {any} */ let error = null;
    try { checkShape(manifest, MANIFEST_SCHEMA, 'm.json'); } catch (e) { error = e; }
    const theirs = validate(JSON.parse(JSON.stringify(manifest)));
    assert.equal(error === null, theirs, `${change}: ${error?.message} / ${JSON.stringify(validate.errors)}\n${JSON.stringify(manifest).slice(0, 3000)}`);
    if (error) { assert.ok(['FORMAT', 'HASH_FORM'].includes(error.code) && error.message.startsWith('m.json: ') && error.message.length < 400, error.message); invalid++; } else valid++;
  }
  assert.ok(valid > 100 && invalid > 1200, `${valid} valid, ${invalid} invalid`);
});

test('what a schema cannot say', () => {
  checkManifest(full());
  /** @type {[string, string, (m: any) => void][]} */
  const cases = [
    ['CHUNK_LIST', 'one hash for two chunks', (m) => { m.artifacts.model.chunks.pop(); }],
    ['CHUNK_LIST', 'one chunk whose hash is not the file\'s', (m) => { m.artifacts.model.size = 5; m.artifacts.model.chunks = [other]; }],
    ['FORMAT', 'a list without its root', (m) => { m.artifacts.model.merkleRoot = null; }],
    ['FORMAT', 'both forms of the list', (m) => { m.artifacts.model.chunkFile = 'c'; }],
    ['FORMAT', 'a million chunks and more', (m) => { m.artifacts.model = { filename: 'a', size: 2 ** 45, sha256: null, chunkSize: 1 << 20, chunkFile: 'c', merkleRoot: hash }; }],
    ['FORMAT', 'one file name twice', (m) => { m.artifacts.tokenizer.filename = 'model.gguf'; }],
    ['FORMAT', 'a CID without its profile', (m) => { delete m.artifacts.model.cidProfile; }],
    ['FORMAT', 'no such day', (m) => { m.publishedAt = '2026-13-41T00:00:00Z'; }],
    ['FORMAT', 'over before it begins', (m) => { m.expires = m.publishedAt; }],
    ['EMBEDDED_KEY', 'a key inside', (m) => { m.publicKey = 'x'; }],
    ['EMBEDDED_KEY', 'a signature inside', (m) => { m.artifacts.model.signature = 'MEUC'; }],
    ['HASH_FORM', 'a hash of 63 digits', (m) => { m.artifacts.model.sha256 = hash.slice(1); }],
  ];
  for (const [why, what, change] of cases) {
    const manifest = full();
    change(manifest);
    assert.throws(() => checkManifest(manifest), code(why), what);
  }
});

test('parseManifest gives back what manifestBytes wrote, frozen to the ground', () => {
  const bytes = manifestBytes(full());
  const manifest = parseManifest(bytes);
  assert.deepEqual(JSON.parse(JSON.stringify(manifest)), full());
  assert.throws(() => { /** @type {any} */ (manifest.artifacts.model).size = 1; }, TypeError);
  for (const n of [0, 1, 500, bytes.length - 3]) assert.throws(() => parseManifest(bytes.subarray(0, n)), code('TRUNCATED'));
});

test('sourcesOf: own ones, the distribution\'s, and beside the manifest', () => {
  const manifest = checkManifest(full());
  assert.deepEqual(sourcesOf(manifest, 'model', 'https://host.example/m/manifest.json'), [
    { type: 'http', url: 'https://host.example/m/files/model.gguf' },
    { type: 'hf', repo: 'a/b', revision: 'c'.repeat(40), path: 'model.gguf' }, { type: 'p2p' },
    { type: 'http', url: 'https://storage.example/toy/model.gguf' }, { type: 'http', url: 'https://mirror.example/model.gguf' },
    { type: 'ipfs', cid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku' },
    { type: 'http', url: 'https://host.example/m/model.gguf' },
  ]);
  assert.deepEqual(sourcesOf(manifest, 'tokenizer').map((s) => s.type === 'http' && s.url), ['https://storage.example/toy/tokenizer.json']);
  assert.throws(() => sourcesOf(manifest, 'toString'), code('ARG'));
  const hostile = full();
  hostile.artifacts.model.sources = [{ type: 'http', url: 'javascript:alert(1)' }, { type: 'http', url: 'file:///etc/passwd' }];
  assert.ok(sourcesOf(checkManifest(hostile), 'model', 'https://h.example/').every((s) => s.type !== 'http' || /^https:/.test(s.url)));
});

test('describeFile: short lists inside, long ones beside', async () => {
  const hasher = await openChunkHasher(1 << 18);
  await hasher.update(new Uint8Array((1 << 19) + 3));
  const hashed = await hasher.finish();
  const short = await describeFile('m.gguf', /** @type {any} */ (hashed), 3);
  assert.deepEqual([short.side, short.artifact.chunks?.length, short.artifact.size], [null, 3, (1 << 19) + 3]);
  const long = await describeFile('m.gguf', /** @type {any} */ (hashed), 2);
  assert.deepEqual([long.side?.length, long.artifact.chunks, long.artifact.chunkFile, long.artifact.merkleRoot], [96, undefined, 'm.gguf.chunks', short.artifact.merkleRoot]);
});

test('wantedFile: the file to the byte, the places by preference', async () => {
  const hasher = await openChunkHasher(1 << 18);
  await hasher.update(new Uint8Array((1 << 19) + 3));
  const hashed = /** @type {any} */ (await hasher.finish());
  const { artifact, side } = await describeFile('m.gguf', hashed, 2);
  const manifest = checkManifest({ ...full(), artifacts: { model: { ...artifact, sources: [{ type: 'http', url: 'https://a.example/m.gguf' }, { type: 'hf', repo: 'o/r', revision: 'c'.repeat(40) }, { type: 'p2p' }] } }, distribution: {} });
  /** @type {unknown[]} */ const asked = [];
  const readSide = async (/** @type {any[]} */ ...a) => { asked.push(a); return /** @type {Uint8Array} */ (side); };
  const wanted = await wantedFile(manifest, 'model', { base: 'https://h.example/x/manifest.json', readSide, sources: ['hf', 'gcs'] });
  assert.deepEqual(asked, [['https://h.example/x/m.gguf.chunks', 'm.gguf.chunks', 96]]);
  assert.deepEqual(wanted.artifact, { id: `merkle:${artifact.merkleRoot}`, name: 'toy-q4/m.gguf', model: 'toy-q4', size: (1 << 19) + 3, chunkSize: 1 << 18, chunks: hashed.list.toBytes(), sha256: hashed.sha256, format: 'gguf' });
  assert.deepEqual(wanted.sources.map((s) => s.kind === 'url' ? s.url : s.kind), ['hf', 'https://a.example/m.gguf', 'https://h.example/x/m.gguf']);
  const local = await wantedFile(manifest, 'model', { base: 'file:///models/a%20b/manifest.json', readSide });
  assert.deepEqual(local.sources[0], { kind: 'path', path: '/models/a b/m.gguf' });
  const unknown = parseManifest(readFileSync(path.join(root, 'models/manifests/phi-2-q4.json')));
  await assert.rejects(wantedFile(unknown), code('UNSUPPORTED'));
});

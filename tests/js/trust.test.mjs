// @ts-check
// Signed manifests: Ed25519 against Wycheproof, one test for every attack with the error code that it must meet, and the store that remembers.
import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ERROR_CODES } from '../../js-glue/errors.js';
import { chunkListOf, openChunkHasher } from '../../js-glue/manifest/chunks.js';
import { fromHex, toBase64, toHex, utf8 } from '../../js-glue/manifest/encoding.js';
import { describeFile, manifestBytes } from '../../js-glue/manifest/manifest.js';
import { SCHEMA_ID } from '../../js-glue/manifest/schema.js';
import { MANIFEST_TYPE, envelopeBytes, preAuthEncoding } from '../../js-glue/trust/dsse.js';
import { keyIdOf, readPublicKey, verifyNode, verifyWeb } from '../../js-glue/trust/ed25519.js';
import { openManifest, verifyModelSignature } from '../../js-glue/index.js';
import { trustStorage } from '../../js-glue/trust/storage.js';
import { TrustStore, memoryStorage } from '../../js-glue/trust/store.js';
import { compareVersions } from '../../js-glue/trust/version.js';
import { fixture, needs, temporaryFolder } from './support/env.mjs';

const code = (/** @type {string} */ c) => { assert.ok(/** @type {readonly string[]} */ (ERROR_CODES).includes(c)); return { code: c }; };

const wycheproof = fixture('data/formats/crypto/wycheproof/ed25519_test.json');
for (const [name, verify] of /** @type {const} */ ([['node:crypto', verifyNode], ['WebCrypto', verifyWeb]])) {
  test(`Ed25519 by ${name}: the Wycheproof cases`, needs(wycheproof), async () => {
    let valid = 0, invalid = 0;
    for (const group of JSON.parse(readFileSync(/** @type {string} */ (wycheproof), 'utf8')).testGroups) {
      const key = readPublicKey(fromHex(group.publicKey.pk));
      assert.equal(toHex(key), group.publicKeyDer);
      for (const { tcId, msg, sig, result } of group.tests) {
        assert.equal(await verify(key, fromHex(msg), fromHex(sig)), result === 'valid', `case ${tcId}`);
        if (result === 'valid') valid++; else invalid++;
      }
    }
    assert.ok(valid >= 80 && invalid >= 60, `${valid} valid, ${invalid} invalid`);
  });
}

/** @returns {Promise<{pem: string, spki: Uint8Array, keyId: string, sign: (payload: Uint8Array) => Uint8Array, raw: (message: Uint8Array) => Uint8Array}>} */
async function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  const keyId = await keyIdOf(spki);
  const raw = (/** @type {Uint8Array} */ message) => new Uint8Array(sign(null, message, privateKey));
  return { pem: String(publicKey.export({ type: 'spki', format: 'pem' })), spki, keyId, raw, sign: (payload) => envelopeBytes(payload, [{ keyId, signature: raw(preAuthEncoding(MANIFEST_TYPE, payload)) }]) };
}
const NOW = Date.parse('2026-06-01T00:00:00Z');
const data = Uint8Array.from({ length: 3 << 18 }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 16) * 5) & 255);
/** @param {object} [more] @param {number} [inline] chunks in the manifest itself @returns {Promise<{manifest: any, bytes: Uint8Array, side: Uint8Array | null}>} */
async function model(more = {}, inline = 100) {
  const hasher = await openChunkHasher(1 << 18);
  await hasher.update(data);
  const { artifact, side } = await describeFile('toy.gguf', /** @type {any} */ (await hasher.finish()), inline);
  const manifest = { $schema: SCHEMA_ID, id: 'toy', name: 'Toy', version: '1.2.0', type: 'text-generation', license: 'MIT', artifacts: { model: artifact }, publishedAt: '2026-01-01T00:00:00Z', expires: '2027-01-01T00:00:00Z', ...more };
  return { manifest, bytes: manifestBytes(/** @type {any} */ (structuredClone(manifest))), side };
}
const key = await newKey();
const trusting = async () => { const trust = new TrustStore(); await trust.add(key.pem, { name: 'me' }); return trust; };
/** @param {Uint8Array} bytes @param {object} [options] */
const open = async (bytes, options = {}) => openManifest(bytes, { trust: await trusting(), now: () => NOW, ...options });
/** An envelope changed as text. @param {Uint8Array} bytes @param {(envelope: any) => void} change */
function edited(bytes, change) {
  const envelope = JSON.parse(new TextDecoder().decode(bytes));
  change(envelope);
  return utf8(JSON.stringify(envelope));
}

test('what was signed comes back to the byte, with the signer', async () => {
  const { bytes, manifest } = await model();
  const opened = await open(key.sign(bytes));
  assert.deepEqual([opened.bytes, JSON.parse(JSON.stringify(opened.manifest)), opened.signedBy], [bytes, JSON.parse(JSON.stringify(manifest)), { keyId: key.keyId, name: 'me' }]);
});

test('verifyModelSignature: by this key, over these bytes, and nothing else', async () => {
  const { bytes } = await model(), other = await newKey(), signed = key.sign(bytes);
  for (const form of [key.pem, key.spki, key.spki.subarray(12)]) assert.equal(await verifyModelSignature(signed, form), true);
  assert.equal(await verifyModelSignature(signed, other.pem), false);
  const changed = edited(signed, (e) => { e.payload = Buffer.from(bytes).toString('base64').replace(/^..../, 'eyAi'); });
  assert.equal(await verifyModelSignature(changed, key.pem), false);
  await assert.rejects(verifyModelSignature(bytes, key.pem), code('UNSIGNED'));
  for (const none of [undefined, '{}', 5]) await assert.rejects(verifyModelSignature(/** @type {any} */ (none), key.pem), code('ARG'));
  await assert.rejects(verifyModelSignature(signed, 'no key'), code('NOT_CANONICAL'));
});

test('attack: a flipped byte, anywhere in payload or signature -> SIGNATURE', async () => {
  const { bytes } = await model();
  const signature = key.raw(preAuthEncoding(MANIFEST_TYPE, bytes));
  for (let k = 0; k < 60; k++) {
    const at = Math.floor(k * bytes.length / 60);
    const flipped = bytes.slice();
    flipped[at] ^= 1 << k % 8;
    await assert.rejects(open(envelopeBytes(flipped, [{ keyId: key.keyId, signature }])), code('SIGNATURE'), `byte ${at}`);
  }
  for (let k = 0; k < 64; k++) {
    const bad = signature.slice();
    bad[k] ^= 1;
    await assert.rejects(open(envelopeBytes(bytes, [{ keyId: key.keyId, signature: bad }])), code('SIGNATURE'));
  }
});

test('attack: a swapped chunk list -> CHUNK_LIST', async () => {
  const { bytes, side } = await model({}, 0);
  const { manifest } = await open(key.sign(bytes));
  assert.equal((await chunkListOf(manifest.artifacts.model, async () => /** @type {Uint8Array} */ (side)))?.count, 3);
  const swapped = /** @type {Uint8Array} */ (side).slice();
  swapped.copyWithin(0, 32, 64); // another file's list, or this one's in another order
  await assert.rejects(chunkListOf(manifest.artifacts.model, async () => swapped), code('CHUNK_LIST'));
  const inline = await model();
  const { chunks } = inline.manifest.artifacts.model;
  const forged = await open(key.sign(utf8(JSON.stringify({ ...inline.manifest, artifacts: { model: { ...inline.manifest.artifacts.model, chunks: [chunks[1], chunks[0], chunks[2]] } } }))));
  await assert.rejects(chunkListOf(forged.manifest.artifacts.model), code('CHUNK_LIST'), 'even signed, a list must have its root');
});

test('attack: a foreign key, also under the id of a trusted one -> UNTRUSTED_KEY, SIGNATURE', async () => {
  const { bytes } = await model();
  const foreign = await newKey();
  await assert.rejects(open(foreign.sign(bytes)), code('UNTRUSTED_KEY'));
  await assert.rejects(open(envelopeBytes(bytes, [{ keyId: key.keyId, signature: foreign.raw(preAuthEncoding(MANIFEST_TYPE, bytes)) }])), code('SIGNATURE'));
  await assert.rejects(open(key.sign(bytes), { trust: null }), code('UNTRUSTED_KEY'), 'no trust store, no trust');
  const scoped = new TrustStore();
  await scoped.add(key.pem, { models: ['other-*', 'toy2'] });
  await assert.rejects(open(key.sign(bytes), { trust: scoped }), code('UNTRUSTED_KEY'), 'a key for other models');
  await scoped.add(key.pem, { models: ['other-*', 'to*'] });
  await open(key.sign(bytes), { trust: scoped });
});

test('attack: an expired manifest -> EXPIRED; a key out of its time -> KEY_EXPIRED', async () => {
  const { bytes } = await model();
  await assert.rejects(open(key.sign(bytes), { now: () => Date.parse('2027-01-01T00:00:01Z') }), code('EXPIRED'));
  for (const none of [undefined, null, '{}', 5]) await assert.rejects(openManifest(/** @type {any} */ (none)), code('ARG'));
  await assert.rejects(openManifest(bytes, { allowUnsigned: true, now: () => Date.parse('2027-01-01T00:00:01Z') }), code('EXPIRED'), 'unsigned too');
  for (const span of [{ notAfter: '2026-05-31T00:00:00Z' }, { notBefore: '2026-06-02T00:00:00Z' }]) {
    const trust = new TrustStore();
    await trust.add(key.pem, span);
    await assert.rejects(open(key.sign(bytes), { trust }), code('KEY_EXPIRED'));
  }
});

test('attack: an older version than one that was accepted -> ROLLBACK, also after a restart', async () => {
  const storage = memoryStorage();
  const trust = new TrustStore(storage);
  await trust.add(key.pem);
  const at = async (/** @type {object} */ more) => key.sign((await model(more)).bytes);
  await open(await at({}), { trust });
  await open(await at({}), { trust }); // the same again is no step back
  await assert.rejects(open(await at({ version: '1.1.9' }), { trust }), code('ROLLBACK'));
  await assert.rejects(open(await at({ version: '1.2.0-rc.1' }), { trust }), code('ROLLBACK'));
  await assert.rejects(open(await at({ publishedAt: '2025-12-31T00:00:00Z' }), { trust }), code('ROLLBACK'), 'the same version, issued before');
  await open(await at({ version: '1.10.0' }), { trust });
  const restarted = new TrustStore(storage);
  await assert.rejects(open(await at({ version: '1.9.9' }), { trust: restarted, versions: 'check' }), code('ROLLBACK'));
  await open(await at({ version: '2.0.0' }), { trust: restarted, versions: 'check' }); // only looked at
  await open(await at({ version: '1.9.9' }), { trust: restarted, versions: 'ignore' });
  await assert.rejects(open(await at({ version: '1.9.9' }), { trust: restarted }), code('ROLLBACK'));
  await open(await at({ version: '1.9.9', id: 'toy-other' }), { trust: restarted }); // another model
  await restarted.forget('toy');
  await open(await at({ version: '1.9.9' }), { trust: restarted });
});

test('attack: no signature -> UNSIGNED, unless asked for', async () => {
  const { bytes } = await model();
  await assert.rejects(open(bytes), code('UNSIGNED'));
  await assert.rejects(open(envelopeBytes(bytes, [])), code('UNSIGNED'), 'an envelope without signatures');
  await assert.rejects(open(envelopeBytes(bytes, []), { allowUnsigned: true }), code('UNSIGNED'));
  assert.equal((await open(bytes, { allowUnsigned: true })).signedBy, null);
});

test('attack: the key inside of the message -> EMBEDDED_KEY', async () => {
  const foreign = await newKey();
  const { bytes, manifest } = await model();
  const spki = toBase64(foreign.spki);
  for (const field of ['publicKey', 'cert', 'keyHint', 'jwk']) {
    await assert.rejects(open(edited(foreign.sign(bytes), (e) => { e.signatures[0][field] = spki; })), code('EMBEDDED_KEY'), field);
    await assert.rejects(open(edited(foreign.sign(bytes), (e) => { e[field] = spki; })), code('EMBEDDED_KEY'), field);
  }
  await assert.rejects(open(utf8(JSON.stringify({ ...manifest, publicKey: spki, signature: 'x', keyId: 'ruvector-team' })), { allowUnsigned: true }), code('EMBEDDED_KEY'), 'as the specification\'s appendix C has it');
});

test('attack: a truncated manifest -> TRUNCATED', async () => {
  const { bytes } = await model();
  const whole = key.sign(bytes);
  for (const n of [0, 1, 10, 100, whole.length >> 1, whole.length - 3]) await assert.rejects(open(whole.subarray(0, n)), code('TRUNCATED'), `${n} bytes of the envelope`);
  await assert.rejects(open(bytes.subarray(0, -4), { allowUnsigned: true }), code('TRUNCATED'));
  await assert.rejects(open(key.sign(bytes.subarray(0, -4))), code('TRUNCATED'), 'signed as it is cut');
});

test('attack: one text, two readings -> NOT_CANONICAL', async () => {
  const { bytes } = await model();
  const text = new TextDecoder().decode(bytes);
  await assert.rejects(open(key.sign(utf8(text.replace('"version"', '"id": "phi-1.5-q4", "version"')))), code('NOT_CANONICAL'), 'a key twice in the manifest');
  const whole = new TextDecoder().decode(key.sign(bytes));
  await assert.rejects(open(utf8(whole.replace('"payloadType"', `"payload": "${toBase64(utf8('{}'))}", "payloadType"`))), code('NOT_CANONICAL'), 'a payload twice in the envelope');
  await assert.rejects(open(edited(key.sign(bytes), (e) => { e.payload = `${e.payload.slice(0, 4)}\n${e.payload.slice(4)}`; })), code('NOT_CANONICAL'), 'white space in base64');
  await assert.rejects(open(edited(key.sign(bytes), (e) => { e.signatures[0].sig = e.signatures[0].sig.replace(/.==$/, (/** @type {string} */ s) => `${s.startsWith('A') ? 'B' : 'A'}==`).replace(/A==$/, 'B=='); })), code('NOT_CANONICAL'), 'unused bits of base64');
  const respaced = utf8(JSON.stringify(JSON.parse(text)));
  await assert.rejects(open(envelopeBytes(respaced, [{ keyId: key.keyId, signature: key.raw(preAuthEncoding(MANIFEST_TYPE, bytes)) }])), code('SIGNATURE'), 'the same JSON in other bytes is not what was signed');
});

test('attack: hashes and signatures of other lengths -> HASH_FORM', async () => {
  const { bytes, manifest } = await model();
  const sha512 = createHash('sha512').update(data).digest('hex');
  for (const wrong of [sha512, manifest.artifacts.model.sha256.slice(0, 62), `${manifest.artifacts.model.sha256}00`, '', manifest.artifacts.model.sha256.toUpperCase()]) {
    const forged = { ...manifest, artifacts: { model: { ...manifest.artifacts.model, sha256: wrong } } };
    await assert.rejects(open(key.sign(utf8(JSON.stringify(forged)))), code('HASH_FORM'), wrong);
  }
  for (const n of [0, 32, 63, 65, 128]) await assert.rejects(open(edited(key.sign(bytes), (e) => { e.signatures[0].sig = toBase64(new Uint8Array(n)); })), code('HASH_FORM'), `a signature of ${n} bytes`);
  await assert.rejects(open(edited(key.sign(bytes), (e) => { e.signatures[0].keyid = key.keyId.slice(0, 12); })), code('HASH_FORM'), 'a short key id');
  // Types and payloads cannot borrow bytes from each other: their lengths are signed too.
  assert.notDeepEqual(preAuthEncoding('a', utf8('b 1 c')), preAuthEncoding('a b', utf8('1 c')));
  await assert.rejects(open(edited(key.sign(bytes), (e) => { e.payloadType += 'x'; })), code('FORMAT'));
});

test('several signatures: the first by a trusted key decides', async () => {
  const { bytes } = await model();
  const foreign = await newKey();
  const message = preAuthEncoding(MANIFEST_TYPE, bytes);
  const both = [{ keyId: foreign.keyId, signature: foreign.raw(message) }, { keyId: key.keyId, signature: key.raw(message) }];
  assert.equal((await open(envelopeBytes(bytes, both))).signedBy?.keyId, key.keyId);
  await assert.rejects(open(envelopeBytes(bytes, Array(17).fill(both[0]))), code('FORMAT'));
});

test('keys: PEM, base64, DER and raw bytes are one key; private and other keys are refused', async () => {
  for (const form of [key.pem, toBase64(key.spki), key.spki, key.spki.subarray(12)]) assert.deepEqual(readPublicKey(form), key.spki);
  assert.equal(key.keyId, createHash('sha256').update(key.spki).digest('hex'));
  const secret = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  assert.throws(() => readPublicKey(secret), code('ARG'));
  const p256 = String(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }));
  for (const wrong of [p256, 'AAAA', new Uint8Array(31)]) assert.throws(() => readPublicKey(wrong), code('HASH_FORM'));
});

const folder = temporaryFolder();
/** @type {[string, () => Promise<import('../../js-glue/trust/store.js').TrustStorage>][]} */
const KINDS = [['a file', () => trustStorage(path.join(folder, 'deep', 'trust.json'))], ['memory', async () => memory], ['IndexedDB', () => asBrowser(() => trustStorage('trust test'))]];
const memory = memoryStorage();
/** trustStorage's other branch. @template T @param {() => Promise<T>} work */
async function asBrowser(work) {
  const versions = Object.getOwnPropertyDescriptor(process, 'versions');
  Object.defineProperty(process, 'versions', { value: {}, configurable: true });
  try { return await work(); } finally { Object.defineProperty(process, 'versions', /** @type {PropertyDescriptor} */ (versions)); }
}
for (const [name, make] of KINDS) {
  test(`the trust store in ${name}: keys, versions, and twenty changes at once`, async () => {
    const trust = new TrustStore(await make());
    assert.deepEqual(await trust.list(), []);
    assert.equal(await trust.add(key.pem, { name: 'me', models: ['a*'], notAfter: '2030-01-01T00:00:00Z' }), key.keyId);
    await assert.rejects(trust.add(key.pem, { notAfter: 'soon' }), code('ARG'));
    const again = new TrustStore(await make());
    assert.deepEqual((await again.list()).map((k) => [k.keyId, k.name, k.models, k.notAfter]), [[key.keyId, 'me', ['a*'], '2030-01-01T00:00:00Z']]);
    await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? trust : again).advance(/** @type {any} */ ({ id: `m${i}`, version: '1.0.0' }))));
    for (let i = 0; i < 20; i++) assert.equal((await trust.seen(`m${i}`))?.version, '1.0.0');
    assert.deepEqual([await trust.seen('toString'), await trust.find('__proto__')], [null, null]);
    assert.deepEqual([await trust.remove(key.keyId), await again.remove(key.keyId), await again.find(key.keyId)], [true, false, null]);
  });
}

test('a damaged trust store is told, never taken for an empty one', async () => {
  const file = path.join(temporaryFolder(), 'trust.json');
  const trust = new TrustStore(await trustStorage(file));
  await trust.add(key.pem);
  assert.ok(!existsSync(`${file}.lock`));
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.slice(0, 50));
  await assert.rejects(trust.list(), code('TRUNCATED'));
  writeFileSync(file, text.replace(key.keyId, 'ab'.repeat(32)));
  await assert.rejects(trust.find('ab'.repeat(32)), code('STORAGE'));
  writeFileSync(file, '{"schema": 2, "keys": {}, "versions": {}}');
  await assert.rejects(trust.list(), code('STORAGE'));
  const blocked = path.join(temporaryFolder(), 'trust.json');
  mkdirSync(blocked);
  await assert.rejects(new TrustStore(await trustStorage(blocked)).add(key.pem), code('STORAGE'));
});

test('versions in semver.org\'s order', () => {
  const order = ['0.0.1', '0.9.9', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0', '99999999999999999999.0.0', '100000000000000000000.0.0'];
  for (const [i, a] of order.entries()) for (const [j, b] of order.entries()) assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} ${b}`);
  assert.equal(compareVersions('1.0.0+a', '1.0.0+b'), 0);
});

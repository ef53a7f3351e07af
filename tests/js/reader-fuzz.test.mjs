// @ts-check
// The readers of texts and blocks that strangers send: whatever the bytes are, they answer with a value or with an EdgeNetError of the closed set, soon, and
// change nothing else. Seeded mutations of good inputs; EDGE_NET_FUZZ sets the number of each (3000) and EDGE_NET_SEED the seed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { parseCatalog } from '../../js-glue/catalog.js';
import { EdgeNetError, ERROR_CODES } from '../../js-glue/errors.js';
import { cidOfBytes, parseCid } from '../../js-glue/manifest/cid.js';
import { fromHex, utf8 } from '../../js-glue/manifest/encoding.js';
import { readJson } from '../../js-glue/manifest/json.js';
import { parseManifest } from '../../js-glue/manifest/manifest.js';
import { decodeFile, decodeNode } from '../../js-glue/manifest/unixfs.js';
import { envelopeBytes } from '../../js-glue/trust/dsse.js';
import { readPublicKey } from '../../js-glue/trust/ed25519.js';
import { openManifest } from '../../js-glue/trust/open.js';
import { TrustStore } from '../../js-glue/trust/store.js';
import { root } from './support/env.mjs';

const COUNT = Number(process.env.EDGE_NET_FUZZ ?? 3000);
const SEED = Number(process.env.EDGE_NET_SEED ?? 1);
/** @param {number} seed @returns {() => number} below 1 */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = state + 0x9e3779b9 >>> 0;
    let z = Math.imul(state ^ state >>> 16, 0x21f0aaad);
    z = Math.imul(z ^ z >>> 15, 0x735a2d97);
    return ((z ^ z >>> 15) >>> 0) / 2 ** 32;
  };
}
const PIECES = ['"', '\\', '{', '}', '[', ']', ',', ':', 'null', '-', '1e999', '9007199254740993', '"__proto__":', '"constructor":', '\\u0000', '\\ud800', '\ufeff', '\u0000', '../', '"id":', '"chunks":[', 'AAAA'].map(utf8);

/** Cut, flipped, repeated, spliced. @param {Uint8Array} good @param {() => number} random @returns {Uint8Array} */
function mutated(good, random) {
  let bytes = Array.from(good);
  for (let k = 1 + Math.floor(3 * random()); k > 0; k--) {
    const at = Math.floor(bytes.length * random());
    switch (Math.floor(6 * random())) {
      case 0: bytes[at] = Math.floor(256 * random()); break;
      case 1: bytes = bytes.slice(0, at); break;
      case 2: bytes.splice(at, Math.floor(20 * random())); break;
      case 3: bytes.splice(at, 0, .../** @type {Uint8Array} */ (PIECES[Math.floor(PIECES.length * random())])); break;
      case 4: bytes.splice(at, 0, ...bytes.slice(at, at + Math.floor(60 * random()))); break;
      default: bytes[at] = (bytes[at] ?? 0) ^ 1 << Math.floor(8 * random());
    }
  }
  return Uint8Array.from(bytes);
}

/** @param {string} name @param {Uint8Array} good @param {(bytes: Uint8Array) => unknown} read */
function fuzz(name, good, read) {
  test(`${name}: ${COUNT} mutations, seed ${SEED}`, async () => {
    await read(good); // the seed itself is accepted
    const random = randomOf(SEED);
    let accepted = 0;
    for (let i = 0; i < COUNT; i++) {
      const bytes = mutated(good, random);
      try { await read(bytes); accepted++; } catch (e) {
        assert.ok(e instanceof EdgeNetError && ERROR_CODES.includes(e.code) && e.code !== 'INTERNAL', `mutation ${i}: ${/** @type {Error} */ (e).stack}\n${Buffer.from(bytes).toString('base64')}`);
        assert.ok(e.message.length < 2000, `mutation ${i}: a sentence of ${e.message.length} characters`);
      }
    }
    assert.ok(accepted < COUNT, 'some were refused');
    assert.deepEqual([Object.keys(Object.prototype), /** @type {any} */ ({}).polluted], [[], undefined]);
  });
}

const text = (/** @type {Uint8Array} */ bytes) => new TextDecoder().decode(bytes);
const manifest = new Uint8Array(readFileSync(path.join(root, 'models/manifests/phi-1.5-q4.json')));
const keyId = 'ab'.repeat(32);
fuzz('JSON', manifest, (b) => readJson(b));
fuzz('manifests', manifest, (b) => parseManifest(b));
fuzz('envelopes', envelopeBytes(manifest, [{ keyId, signature: new Uint8Array(64) }]), async (b) => {
  const error = await openManifest(b, { trust: new TrustStore() }).catch((e) => e);
  assert.ok(error instanceof Error, 'nothing is trusted');
  if (error.code !== 'UNTRUSTED_KEY') throw error; // well formed, by nobody known
});
fuzz('lists of models', utf8(JSON.stringify([{ id: 'a', name: 'A', version: '1.0.0', type: 'embedding', quantization: 'INT8', size: 5, manifest: 'a/manifest.json' }])), (b) => parseCatalog(b, 'https://x.example/models.json'));
fuzz('CIDs', utf8('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'), (b) => parseCid(text(b)));
fuzz('CIDs as bytes', fromHex(`01551220${'11'.repeat(32)}`), (b) => cidOfBytes(b));
fuzz('UnixFS nodes', fromHex(`122a0a2401551220${'11'.repeat(32)}120018050a06080218052005`), (b) => decodeFile(decodeNode(b)));
fuzz('public keys', utf8('-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n'), (b) => readPublicKey(text(b)));

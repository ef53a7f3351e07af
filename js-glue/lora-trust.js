// @ts-check
// Who made an adapter: an Ed25519 signature in its JSON form, over everything that is known about it; factors are in it by their checksum and their shapes. What is
// signed has DSSE's encoding (trust/dsse.js), so that no signature of anything else fits.
import { EdgeNetError } from './errors.js';
import { fromBase64, toBase64, utf8 } from './manifest/encoding.js';
import { preAuthEncoding } from './trust/dsse.js';
import { keyIdOf, readPublicKey } from './trust/ed25519.js';
import { mustVouch, signerOf } from './trust/open.js';

const TYPE = 'application/vnd.edge-net.lora-adapter.v1+json';

/** @typedef {import('./lora-json.js').LoRAAdapter} LoRAAdapter @typedef {{publicKey: CryptoKey, privateKey: CryptoKey}} SigningKey as crypto.subtle.generateKey('Ed25519', …) makes it; the public one must be extractable */

/** A value's one text: names in the order of their code units, no white space (RFC 8785). @param {any} v @returns {string} */
function canonical(v) {
  if (v === null || typeof v !== 'object') return JSON.stringify(v);
  if (Array.isArray(v)) return `[${v.map(canonical)}]`;
  return `{${Object.keys(v).filter((k) => v[k] !== undefined).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`)}}`;
}
/** @param {LoRAAdapter} adapter with the right checksum */
function payloadOf({ weights, signature: _, ...rest }) {
  const modules = Object.fromEntries(Object.entries(weights).map(([name, { lora_A: a, lora_B: b, lora_magnitude_vector: m }]) => [name, [a.length, b.length, ...(m ? [m.length] : [])]]));
  return utf8(canonical({ ...rest, modules }));
}

/** @param {LoRAAdapter} adapter @param {SigningKey} key @returns {Promise<LoRAAdapter>} */
export async function signed(adapter, { publicKey, privateKey }) {
  const keyId = await keyIdOf(readPublicKey(new Uint8Array(await crypto.subtle.exportKey('spki', publicKey))));
  const signature = await crypto.subtle.sign('Ed25519', privateKey, preAuthEncoding(TYPE, payloadOf(adapter)));
  return { ...adapter, signature: `${keyId}:${toBase64(new Uint8Array(signature))}` };
}

/** Throws UNSIGNED, UNTRUSTED_KEY, KEY_EXPIRED, SIGNATURE or NOT_CANONICAL. The checksum is checked elsewhere. @param {LoRAAdapter} adapter @param {import('./trust/store.js').TrustStore} trust @param {() => number} [now] ms since 1970 */
export async function mustBeSigned(adapter, trust, now = Date.now) {
  const { name, baseModel, signature: text } = adapter, what = `the adapter "${name}"`;
  if (!text) throw new EdgeNetError('UNSIGNED', `${what} has no signature, and { trust } asks for one`);
  const [, keyId, base64] = /^([0-9a-f]{64}):([A-Za-z0-9+/]{86}==)$/.exec(text) ?? [];
  if (!keyId) throw new EdgeNetError('HASH_FORM', `${what}: a signature is a key's id, a colon and 64 bytes in base64`);
  const signature = fromBase64(base64, `${what}: its signature`);
  const { key } = await signerOf({ payloadType: TYPE, payload: payloadOf(adapter), signatures: [{ keyId, signature }] }, trust, now(), what);
  mustVouch(key, keyId, baseModel, what);
}

// @ts-check
// The envelope of a signed manifest: DSSE version 1 (github.com/secure-systems-lab/dsse). What is signed are the manifest's exact bytes
// together with their type, never a text that has been read and written again.
import { EdgeNetError } from '../errors.js';
import { concat, fromBase64, toBase64, utf8 } from '../manifest/encoding.js';

export const MANIFEST_TYPE = 'application/vnd.edge-net.manifest.v1+json';
const SIGNATURE_BYTES = 64;
const MAX_SIGNATURES = 16;

/** @typedef {{keyId: string, signature: Uint8Array}} Signature keyId: which key of the trust store to check with, 64 hexadecimal digits; signature: 64 bytes */
/** @typedef {{payloadType: string, payload: Uint8Array, signatures: Signature[]}} Envelope */

/** What the signature covers. Lengths come first, so no two pairs of type and payload have the same bytes. @param {string} type @param {Uint8Array} payload */
export function preAuthEncoding(type, payload) {
  return concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload);
}

/** @param {unknown} value an object with a payloadType? @returns {value is Record<string, unknown>} */
export function isEnvelope(value) {
  return value !== null && typeof value === 'object' && ('payloadType' in value || 'signatures' in value);
}

/** @param {Record<string, unknown>} value of readJson @param {string} name of the file, for error sentences @returns {Envelope} */
export function readEnvelope(value, name) {
  onlyKeys(value, ['payloadType', 'payload', 'signatures'], name, 'the envelope');
  const { payloadType, payload, signatures } = value;
  if (payloadType !== MANIFEST_TYPE) throw new EdgeNetError('FORMAT', `${name}: the envelope's payloadType must be ${MANIFEST_TYPE}`);
  if (typeof payload !== 'string' || !Array.isArray(signatures)) throw new EdgeNetError('FORMAT', `${name}: the envelope must have a payload in base64 and a list of signatures`);
  if (signatures.length === 0) throw new EdgeNetError('UNSIGNED', `${name}: the envelope has no signature`);
  if (signatures.length > MAX_SIGNATURES) throw new EdgeNetError('FORMAT', `${name}: the envelope has ${signatures.length} signatures, more than ${MAX_SIGNATURES}`);
  return { payloadType, payload: fromBase64(payload, `${name}: the payload`), signatures: signatures.map((s) => readSignature(s, name)) };
}

/** @param {any} value @param {string} name @returns {Signature} */
function readSignature(value, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new EdgeNetError('FORMAT', `${name}: a signature must be an object with keyid and sig`);
  onlyKeys(value, ['keyid', 'sig'], name, 'a signature');
  const { keyid, sig } = value;
  if (typeof keyid !== 'string' || typeof sig !== 'string') throw new EdgeNetError('FORMAT', `${name}: a signature must have keyid and sig, both texts`);
  if (!/^[0-9a-f]{64}$/.test(keyid)) throw new EdgeNetError('HASH_FORM', `${name}: a keyid must be the SHA-256 of the key, 64 lower-case hexadecimal digits`);
  const signature = fromBase64(sig, `${name}: a signature`);
  if (signature.length !== SIGNATURE_BYTES) throw new EdgeNetError('HASH_FORM', `${name}: an Ed25519 signature has ${SIGNATURE_BYTES} bytes, this one ${signature.length}`);
  return { keyId: keyid, signature };
}

/** @param {Record<string, unknown>} value @param {string[]} keys @param {string} name @param {string} what */
function onlyKeys(value, keys, name, what) {
  const other = Object.keys(value).find((k) => !keys.includes(k));
  if (other === undefined) return;
  if (/key|cert|jwk|pem/i.test(other)) throw new EdgeNetError('EMBEDDED_KEY', `${name}: ${what} brings "${other}", but keys count only from the trust store`);
  throw new EdgeNetError('FORMAT', `${name}: ${what} has the unknown key ${JSON.stringify(other).slice(0, 60)}`);
}

/** @param {Uint8Array} payload @param {Signature[]} signatures @returns {Uint8Array} the file's bytes */
export function envelopeBytes(payload, signatures) {
  const envelope = { payloadType: MANIFEST_TYPE, payload: toBase64(payload), signatures: signatures.map((s) => ({ keyid: s.keyId, sig: toBase64(s.signature) })) };
  return utf8(`${JSON.stringify(envelope, null, 2)}\n`);
}

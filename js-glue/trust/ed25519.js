// @ts-check
// Public keys and Ed25519 (RFC 8032): node:crypto in Node, WebCrypto in browsers (Chrome 137, Firefox 129, Safari 17 and newer).
import { EdgeNetError, asError } from '../errors.js';
import { concat, fromBase64, sameBytes, toHex } from '../manifest/encoding.js';
import { sha256 } from '../manifest/hash.js';
import { isNode, nodeModule } from '../platform.js';

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const SPKI_HEAD = Object.freeze([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);
const KEY_BYTES = 32;

/**
 * @param {string | Uint8Array} key a PEM text (BEGIN PUBLIC KEY), its base64 alone, or bytes: 44 of the SubjectPublicKeyInfo or the 32 of the key
 * @returns {Uint8Array} the SubjectPublicKeyInfo, 44 bytes
 */
export function readPublicKey(key) {
  const head = Uint8Array.from(SPKI_HEAD);
  let bytes = key;
  if (typeof bytes === 'string') {
    if (bytes.includes('PRIVATE KEY')) throw new EdgeNetError('ARG', 'that is a private key; give the public one, and keep the private one to yourself');
    const body = /-----BEGIN PUBLIC KEY-----([^-]*)-----END PUBLIC KEY-----/.exec(bytes)?.[1] ?? bytes;
    bytes = fromBase64(body.replace(/\s/g, ''), 'the public key');
  }
  if (bytes.length === KEY_BYTES) bytes = concat(head, bytes);
  if (bytes.length !== head.length + KEY_BYTES || !sameBytes(bytes.subarray(0, head.length), head)) throw new EdgeNetError('HASH_FORM', 'that is no Ed25519 public key: it must be a SubjectPublicKeyInfo of 44 bytes, as PEM or base64');
  return bytes;
}

/**
 * A key's name: the SHA-256 of its SubjectPublicKeyInfo in DER, as `openssl pkey -pubin -outform DER | sha256sum` prints it.
 * @param {Uint8Array} publicKey of readPublicKey @returns {Promise<string>} 64 hexadecimal digits
 */
export async function keyIdOf(publicKey) { return toHex(await sha256(publicKey)); }

/** @param {Uint8Array} publicKey of readPublicKey @param {Uint8Array} message @param {Uint8Array} signature @returns {Promise<boolean>} */
export async function verifyEd25519(publicKey, message, signature) {
  return isNode() ? verifyNode(publicKey, message, signature) : verifyWeb(publicKey, message, signature);
}

/** @type {typeof verifyEd25519} */
export async function verifyNode(publicKey, message, signature) {
  const { createPublicKey, verify } = await nodeModule('node:crypto');
  const der = { key: /** @type {Buffer} */ (publicKey), format: /** @type {const} */ ('der'), type: /** @type {const} */ ('spki') };
  try { return verify(null, message, createPublicKey(der), signature); } catch (e) { throw asError(e, 'HASH_FORM', 'the public key: '); }
}

/** @type {typeof verifyEd25519} */
export async function verifyWeb(publicKey, message, signature) {
  const subtle = globalThis.crypto?.subtle;
  let key;
  try {
    if (!subtle) throw new Error('there is no WebCrypto');
    key = await subtle.importKey('spki', /** @type {BufferSource} */ (publicKey), 'Ed25519', false, ['verify']);
  } catch (e) {
    throw new EdgeNetError('UNSUPPORTED', `this browser cannot check Ed25519 signatures here (${/** @type {Error} */ (e).message}): `
      + 'it takes Chrome 137, Firefox 129 or Safari 17, and a page from https or localhost', { cause: e });
  }
  return subtle.verify('Ed25519', key, /** @type {BufferSource} */ (signature), /** @type {BufferSource} */ (message));
}

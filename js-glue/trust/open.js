// @ts-check
// From a file's bytes to a manifest that may be acted on: who signed it, may they, is it fresh. Nothing of a signed manifest is read before its signature is checked.
import { EdgeNetError } from '../errors.js';
import { readJson } from '../manifest/json.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../manifest/manifest.js';
import { isEnvelope, preAuthEncoding, readEnvelope } from './dsse.js';
import { keyIdOf, readPublicKey, verifyEd25519 } from './ed25519.js';

/**
 * @typedef {import('../manifest/manifest.js').Manifest} Manifest
 * @typedef {object} TrustOptions
 * @property {import('./store.js').TrustStore | null} [trust] whose keys count, and which versions were seen; null: nobody's
 * @property {boolean} [allowUnsigned] take a manifest without a signature too (false). A signature that is there is checked all the same
 * @property {'advance' | 'check' | 'ignore'} [versions] refuse a manifest older than one accepted before: advance (default) notes this one as the newest, check only looks,
 *   ignore accepts any: for a copy that was accepted when it came
 * @property {() => number} [now] ms since 1970, default Date.now
 * @property {string} [name] of the file, for error sentences
 * @typedef {{manifest: Manifest, bytes: Uint8Array, signedBy: {keyId: string, name: string} | null}} OpenedManifest bytes: exactly what was signed; signedBy null: unsigned
 */

/**
 * Reads a manifest file: a signed envelope, or the manifest alone. Throws with a code for every reason to refuse it: TRUNCATED, NOT_CANONICAL, UNSIGNED,
 * EMBEDDED_KEY, HASH_FORM, UNTRUSTED_KEY, KEY_EXPIRED, SIGNATURE, EXPIRED, ROLLBACK, CHUNK_LIST, FORMAT.
 * @param {Uint8Array} bytes @param {TrustOptions} [options] @returns {Promise<OpenedManifest>}
 */
export async function openManifest(bytes, { trust = null, allowUnsigned = false, versions = 'advance', now = Date.now, name = 'the manifest' } = {}) {
  const value = read(bytes, name);
  if (!isEnvelope(value)) {
    const manifest = parseManifest(bytes, name);
    if (!allowUnsigned) throw new EdgeNetError('UNSIGNED', `${name}: it has no signature; the option allowUnsigned takes it all the same`);
    notExpired(manifest, now(), name);
    return { manifest, bytes, signedBy: null };
  }
  const envelope = readEnvelope(value, name);
  if (!trust) throw new EdgeNetError('UNTRUSTED_KEY', `${name}: it is signed, but there is no trust store with keys to check it with`);
  const { keyId, key } = await signerOf(envelope, trust, now(), name);
  const manifest = parseManifest(envelope.payload, name);
  mustVouch(key, keyId, manifest.id, name);
  notExpired(manifest, now(), name);
  if (versions !== 'ignore') await trust[versions](manifest);
  return { manifest, bytes: envelope.payload, signedBy: { keyId, name: key.name } };
}

/**
 * Has this key signed this manifest file? `openManifest` does more: whose keys count, for which models, and until when, is the trust store's to say. A key that a file
 * brings along says nothing, so it is never taken from there.
 * @param {Uint8Array} bytes the file @param {string | Uint8Array} publicKey PEM, base64, or bytes @returns {Promise<boolean>} false: by other keys only, or changed since; throws for a file that is no signed manifest
 */
export async function verifyModelSignature(bytes, publicKey) {
  const name = 'the manifest', value = read(bytes, name);
  if (!isEnvelope(value)) throw new EdgeNetError('UNSIGNED', `${name}: it has no signature`);
  const { payloadType, payload, signatures } = readEnvelope(value, name);
  const spki = readPublicKey(publicKey), id = await keyIdOf(spki), own = signatures.find((s) => s.keyId === id);
  return own !== undefined && verifyEd25519(spki, preAuthEncoding(payloadType, payload), own.signature);
}

/** @param {Uint8Array} bytes @param {string} name */
function read(bytes, name) {
  if (!ArrayBuffer.isView(bytes)) throw new EdgeNetError('ARG', `${name}: give the bytes of its file, a Uint8Array`);
  return readJson(bytes, { name, maxBytes: 2 * MAX_MANIFEST_BYTES }); // base64 takes a third more
}

/** Is the key trusted for this model? @param {import('./store.js').TrustedKey} key @param {string} keyId @param {string} model @param {string} name of what it has signed */
export function mustVouch(key, keyId, model, name) {
  if (key.models.some((m) => (m.endsWith('*') ? model.startsWith(m.slice(0, -1)) : model === m))) return;
  throw new EdgeNetError('UNTRUSTED_KEY', `${name}: the key of ${key.name} is trusted for ${key.models.join(', ')}, not for ${model}`, { detail: { keyId } });
}

/** The first signature by a trusted key decides. @param {import('./dsse.js').Envelope} envelope @param {import('./store.js').TrustStore} trust @param {number} now @param {string} name */
export async function signerOf({ payloadType, payload, signatures }, trust, now, name) {
  for (const { keyId, signature } of signatures) {
    const key = await trust.find(keyId);
    if (!key) continue;
    if (!await verifyEd25519(key.spki, preAuthEncoding(payloadType, payload), signature)) throw new EdgeNetError('SIGNATURE', `${name}: the signature by ${key.name} does not fit the bytes; they were changed`, { detail: { keyId } });
    if (key.notBefore && now < Date.parse(key.notBefore)) throw new EdgeNetError('KEY_EXPIRED', `${name}: the key of ${key.name} counts only from ${key.notBefore} on`, { detail: { keyId } });
    if (key.notAfter && now > Date.parse(key.notAfter)) throw new EdgeNetError('KEY_EXPIRED', `${name}: the key of ${key.name} counted only until ${key.notAfter}`, { detail: { keyId } });
    return { keyId, key };
  }
  throw new EdgeNetError('UNTRUSTED_KEY', `${name}: it is signed by ${signatures.map((s) => s.keyId.slice(0, 12)).join(', ')}, which the trust store does not know`, { detail: { keyIds: signatures.map((s) => s.keyId) } });
}

/** @param {Manifest} manifest @param {number} now @param {string} name */
function notExpired({ id, expires }, now, name) {
  if (expires && now > Date.parse(expires)) throw new EdgeNetError('EXPIRED', `${name}: the manifest of ${id} was good until ${expires}`);
}

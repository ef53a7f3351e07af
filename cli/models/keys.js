// @ts-check
// Private keys: made, read, used. They are PKCS #8 in PEM, readable by their owner alone, with a passphrase where one is set.
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EdgeNetError } from '../../js-glue/errors.js';
import { keyIdOf } from '../../js-glue/trust/ed25519.js';

/** @typedef {import('node:crypto').KeyObject} KeyObject */
/** @typedef {{type: 'ed25519' | 'p256', key: KeyObject, spki: Uint8Array, keyId: string}} SigningKey */

/** From the environment, so that it is in no list of processes. */
const passphrase = () => process.env.EDGE_NET_PASSPHRASE;

/** @param {KeyObject} publicKey @returns {string} PEM */
export const pemOf = (publicKey) => String(publicKey.export({ type: 'spki', format: 'pem' }));
/** @param {KeyObject} publicKey */
const spkiOf = (publicKey) => new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));

/**
 * Makes a key pair: the private key in `file`, the public one beside it with .pub.pem. An existing file is never replaced.
 * @param {string} file @param {'ed25519' | 'p256'} type @returns {Promise<{privateKey: string, publicKey: string, keyId: string, encrypted: boolean}>}
 */
export async function makeKey(file, type) {
  const { publicKey, privateKey } = type === 'p256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  const words = passphrase();
  const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem', ...(words ? { cipher: 'aes-256-cbc', passphrase: words } : {}) }));
  const publicFile = `${file.replace(/\.pem$/, '')}.pub.pem`;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, pem, { mode: 0o600, flag: 'wx' });
    await chmod(file, 0o600); // whatever the umask was
    await writeFile(publicFile, pemOf(publicKey), { flag: 'wx' });
  } catch (e) {
    if (/** @type {any} */ (e).code === 'EEXIST') throw new EdgeNetError('ARG', `${/** @type {any} */ (e).path} exists; a key is never replaced, give another --out`);
    throw e;
  }
  return { privateKey: file, publicKey: publicFile, keyId: await keyIdOf(spkiOf(publicKey)), encrypted: !!words };
}

/** @param {string} file @returns {Promise<SigningKey>} */
export async function readSigningKey(file) {
  const pem = await readFile(file, 'utf8').catch((e) => { throw new EdgeNetError('ARG', e.code === 'ENOENT' ? `there is no key at ${file}; edge-net-models keygen makes one` : `${file}: ${e.message}`); });
  let key;
  try { key = createPrivateKey({ key: pem, passphrase: passphrase() ?? '' }); } catch (e) {
    const locked = pem.includes('ENCRYPTED');
    throw new EdgeNetError('ARG', `${file}: ${locked ? 'the key has a passphrase, and EDGE_NET_PASSPHRASE is not it' : 'that is no private key in PEM'}`, { cause: e });
  }
  const type = key.asymmetricKeyType === 'ed25519' ? 'ed25519' : key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'p256' : null;
  if (!type) throw new EdgeNetError('UNSUPPORTED', `${file}: keys are Ed25519 or P-256, not ${key.asymmetricKeyType}`);
  const spki = spkiOf(createPublicKey(key));
  return { type, key, spki, keyId: await keyIdOf(spki) };
}

/** Ed25519 over the message itself; ECDSA over its SHA-256, in DER. @param {SigningKey} key @param {Uint8Array} message @returns {Uint8Array} */
export function signWith({ type, key }, message) { return new Uint8Array(sign(type === 'p256' ? 'sha256' : null, message, key)); }

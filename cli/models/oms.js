// @ts-check
// OpenSSF model signatures: a Sigstore bundle (version 0.3) around a DSSE envelope around an in-toto statement that lists every file of a
// folder with its SHA-256. Written and checked here with ECDSA over P-256 and a bare public key; format: github.com/ossf/model-signing-spec.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { lstat, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { EdgeNetError } from '../../js-glue/errors.js';
import { fromBase64, toBase64, utf8 } from '../../js-glue/manifest/encoding.js';
import { readJson } from '../../js-glue/manifest/json.js';
import { preAuthEncoding } from '../../js-glue/trust/dsse.js';
import { pemOf, signWith } from './keys.js';
import { hashFile } from './pack.js';

const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
const PREDICATE_TYPE = 'https://model_signing/signature/v1.0';
/** Not part of a model: its signature and what git keeps. */
const IGNORED = Object.freeze(['model.sig', '.git', '.gitattributes', '.github', '.gitignore']);
const MAX_BUNDLE_BYTES = 64 << 20;

/** @typedef {{name: string, digest: string}} Resource name: path in the folder with slashes, "." for a model that is one file; digest: SHA-256, hexadecimal */

/** Every file of a model, sorted by name. @param {string} target a folder or a file @param {readonly string[]} ignored paths in the folder @returns {Promise<Resource[]>} */
async function listFiles(target, ignored) {
  const info = await lstat(target).catch((e) => { throw new EdgeNetError('ARG', `${target}: ${e.code === 'ENOENT' ? 'there is no such file or folder' : e.message}`); });
  /** @type {string[]} */ const names = [];
  /** @param {string} below */
  const walk = async (below) => {
    for (const entry of await readdir(path.join(target, below), { withFileTypes: true })) {
      const name = below ? `${below}/${entry.name}` : entry.name;
      if (ignored.includes(name)) continue;
      if (entry.isDirectory()) await walk(name);
      else if (entry.isFile()) names.push(name);
      else throw new EdgeNetError('UNSUPPORTED', `${path.join(target, name)} is neither a file nor a folder; links are not signed`);
    }
  };
  if (info.isDirectory()) await walk('');
  else names.push('.');
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const found = [];
  for (const name of names) found.push({ name, digest: (await hashFile(path.join(target, name))).sha256 });
  if (!found.length) throw new EdgeNetError('ARG', `${target} has no files to sign`);
  return found;
}
/** SHA-256 over all digests in order. @param {Resource[]} resources */
const rootOf = (resources) => resources.reduce((hash, r) => hash.update(Buffer.from(r.digest, 'hex')), createHash('sha256')).digest('hex');
/** How a bundle names its key: SHA-256 of the PEM text. @param {import('node:crypto').KeyObject} publicKey */
const hintOf = (publicKey) => createHash('sha256').update(pemOf(publicKey)).digest('hex');

/** @param {string} target a folder or a file @param {import('./keys.js').SigningKey} key of type p256 @param {readonly string[]} [ignored] more paths in the folder to leave out @returns {Promise<{bundle: string, files: number, root: string}>} the text of model.sig */
export async function signModel(target, key, ignored = []) {
  const left = [...IGNORED, ...ignored];
  const resources = await listFiles(target, left);
  const root = rootOf(resources);
  const statement = {
    _type: STATEMENT_TYPE, subject: [{ name: path.basename(path.resolve(target)), digest: { sha256: root } }], predicateType: PREDICATE_TYPE,
    predicate: { serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false, ignore_paths: left }, resources: resources.map((r) => ({ name: r.name, algorithm: 'sha256', digest: r.digest })) },
  };
  const payload = utf8(JSON.stringify(statement));
  const bundle = {
    mediaType: BUNDLE_TYPE, verificationMaterial: { publicKey: { hint: hintOf(createPublicKey(key.key)) }, tlogEntries: [] },
    dsseEnvelope: { payload: toBase64(payload), payloadType: PAYLOAD_TYPE, signatures: [{ sig: toBase64(signWith(key, preAuthEncoding(PAYLOAD_TYPE, payload))), keyid: '' }] },
  };
  return { bundle: `${JSON.stringify(bundle, null, 2)}\n`, files: resources.length, root };
}

/**
 * Throws unless the bundle is signed by the key and the model's files are exactly those that it lists.
 * @param {string} target @param {string} bundleFile @param {string} keyFile PEM of the public key @returns {Promise<{files: number, root: string, name: string}>}
 */
export async function verifyModel(target, bundleFile, keyFile) {
  const { payload, name } = await openBundle(bundleFile, keyFile);
  const { subject, predicate } = checkStatement(readJson(payload, { name: `${name}: the statement`, maxBytes: MAX_BUNDLE_BYTES }), name);
  const inside = path.relative(path.resolve(target), path.resolve(bundleFile)).split(path.sep).join('/');
  const ignored = [...(predicate.serialization.ignore_paths ?? []), ...(inside && !inside.startsWith('..') ? [inside] : [])];
  const found = await listFiles(target, ignored);
  const listed = new Map(predicate.resources.map((/** @type {Resource} */ r) => [r.name, r.digest]));
  for (const { name: file, digest } of found) {
    if (!listed.has(file)) throw new EdgeNetError('INTEGRITY', `${path.join(target, file)} is not among the signed files`, { detail: { file } });
    if (listed.get(file) !== digest) throw new EdgeNetError('INTEGRITY', `${path.join(target, file)} does not have the SHA-256 that was signed`, { detail: { file } });
    listed.delete(file);
  }
  const [missing] = listed.keys();
  if (missing !== undefined) throw new EdgeNetError('INTEGRITY', `${target}: the signed file ${missing} is missing`, { detail: { file: missing } });
  return { files: found.length, root: subject[0].digest.sha256, name: subject[0].name };
}

/** The signed bytes of a bundle. @param {string} bundleFile @param {string} keyFile */
async function openBundle(bundleFile, keyFile) {
  const name = path.basename(bundleFile);
  const bytes = await readFile(bundleFile).catch((e) => { throw new EdgeNetError('ARG', `${bundleFile}: ${e.code === 'ENOENT' ? 'there is no such file' : e.message}`); });
  const bundle = /** @type {any} */ (readJson(bytes, { name, maxBytes: MAX_BUNDLE_BYTES }));
  const envelope = bundle?.dsseEnvelope;
  const [signature] = envelope?.signatures ?? [];
  if (typeof bundle?.mediaType !== 'string' || !bundle.mediaType.startsWith('application/vnd.dev.sigstore.bundle') || envelope?.payloadType !== PAYLOAD_TYPE || typeof envelope.payload !== 'string') throw new EdgeNetError('FORMAT', `${name} is no Sigstore bundle with an in-toto statement`);
  if (typeof signature?.sig !== 'string') throw new EdgeNetError('UNSIGNED', `${name} has no signature`);
  const hint = bundle.verificationMaterial?.publicKey?.hint;
  if (!bundle.verificationMaterial?.publicKey) throw new EdgeNetError('UNSUPPORTED', `${name} is signed with a certificate; only bare public keys are checked here`);
  let key;
  try { key = createPublicKey(await readFile(keyFile)); } catch (e) { throw new EdgeNetError('ARG', `${keyFile}: that is no public key in PEM`, { cause: e }); }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new EdgeNetError('UNSUPPORTED', `${keyFile}: model signatures are checked with P-256 keys`);
  if (hint && hint !== hintOf(key)) throw new EdgeNetError('UNTRUSTED_KEY', `${name} is signed by another key than ${keyFile}`);
  const payload = fromBase64(envelope.payload, `${name}: the payload`);
  if (!verify('sha256', preAuthEncoding(PAYLOAD_TYPE, payload), key, fromBase64(signature.sig, `${name}: the signature`))) throw new EdgeNetError('SIGNATURE', `${name}: the signature does not fit; the bundle was changed, or another key made it`);
  return { payload, name };
}

/** @param {any} statement @param {string} name */
function checkStatement(statement, name) {
  /** @param {string} what @returns {never} */
  const fail = (what) => { throw new EdgeNetError('FORMAT', `${name}: the statement ${what}`); };
  const { _type, subject, predicateType, predicate } = statement ?? {};
  if (_type !== STATEMENT_TYPE || predicateType !== PREDICATE_TYPE) fail('is no model signature of version 1.0');
  if (!Array.isArray(subject) || subject.length !== 1 || !/^[0-9a-f]{64}$/.test(subject[0]?.digest?.sha256)) fail('must have one subject with a SHA-256');
  if (predicate?.serialization?.method !== 'files' || predicate.serialization.hash_type !== 'sha256') throw new EdgeNetError('UNSUPPORTED', `${name}: only the method "files" with SHA-256 is checked here`);
  if (!Array.isArray(predicate.resources) || !predicate.resources.every((/** @type {any} */ r) => typeof r?.name === 'string' && r.algorithm === 'sha256' && /^[0-9a-f]{64}$/.test(r.digest))) fail('has resources without a name or a SHA-256');
  if (new Set(predicate.resources.map((/** @type {any} */ r) => r.name)).size !== predicate.resources.length) throw new EdgeNetError('NOT_CANONICAL', `${name}: the statement lists a file twice`);
  if (rootOf(predicate.resources) !== subject[0].digest.sha256) throw new EdgeNetError('CHUNK_LIST', `${name}: the listed digests do not have the subject's SHA-256`);
  return { subject, predicate };
}

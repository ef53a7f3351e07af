// @ts-check
// Signing: manifests with Ed25519 into a DSSE envelope, models with P-256 into an OpenSSF bundle. The kind of key decides.
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { EdgeNetError } from '../../js-glue/errors.js';
import { readJson } from '../../js-glue/manifest/json.js';
import { parseManifest } from '../../js-glue/manifest/manifest.js';
import { MANIFEST_TYPE, envelopeBytes, isEnvelope, preAuthEncoding, readEnvelope } from '../../js-glue/trust/dsse.js';
import { readSigningKey, signWith } from './keys.js';
import { signModel } from './oms.js';
import { replaceFile } from './pack.js';

/**
 * @param {string} target a manifest, an envelope (gets one more signature), a packed model file (its manifest beside it is signed); for P-256 keys a model file or folder
 * @param {string} keyFile @param {string} [out] @returns {Promise<{file: string, keyId: string, kind: 'dsse' | 'oms'}>}
 */
export async function signTarget(target, keyFile, out) {
  const key = await readSigningKey(keyFile);
  const info = await stat(target).catch((e) => { throw new EdgeNetError('ARG', `${target}: ${e.code === 'ENOENT' ? 'there is no such file or folder' : e.message}`); });
  if (key.type === 'p256') {
    const file = out ?? (info.isDirectory() ? path.join(target, 'model.sig') : `${target}.sig`);
    const inside = info.isDirectory() ? path.relative(target, file).split(path.sep).join('/') : '';
    await replaceFile(file, (await signModel(target, key, inside && !inside.startsWith('..') && inside !== 'model.sig' ? [inside] : [])).bundle);
    return { file, keyId: key.keyId, kind: 'oms' };
  }
  if (info.isDirectory()) throw new EdgeNetError('ARG', `${target} is a folder: give the manifest in it, or a P-256 key for a model signature`);
  const source = /\.json$/.test(target) ? target : `${target.replace(/\.[^./\\]*$/, '')}.manifest.json`;
  const bytes = new Uint8Array(await readFile(source).catch(() => { throw new EdgeNetError('ARG', `there is no ${source}; edge-net-models pack ${target} makes it`); }));
  const value = readJson(bytes, { name: path.basename(source), maxBytes: 8 << 20 });
  const before = isEnvelope(value) ? readEnvelope(value, path.basename(source)) : { payload: bytes, signatures: [] };
  parseManifest(before.payload, path.basename(source)); // nothing is signed that nobody could read
  const signatures = [...before.signatures.filter((s) => s.keyId !== key.keyId), { keyId: key.keyId, signature: signWith(key, preAuthEncoding(MANIFEST_TYPE, before.payload)) }];
  const file = out ?? source.replace(/(\.dsse)?\.json$/, '.dsse.json');
  await replaceFile(file, envelopeBytes(before.payload, signatures));
  return { file, keyId: key.keyId, kind: 'dsse' };
}

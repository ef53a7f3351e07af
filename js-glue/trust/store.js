// @ts-check
// Whom to believe: public keys by their id, what each may sign and how long, and the newest version of every model that was accepted.
import { EdgeNetError } from '../errors.js';
import { fromBase64, toBase64, utf8 } from '../manifest/encoding.js';
import { readJson } from '../manifest/json.js';
import { keyIdOf, readPublicKey } from './ed25519.js';
import { compareVersions } from './version.js';

/**
 * @typedef {object} TrustedKey
 * @property {string} name for people
 * @property {string} publicKey SubjectPublicKeyInfo in base64
 * @property {string[]} models ids of the models that it may sign; `*` at the end of one stands for anything
 * @property {string | null} notBefore ISO time, null: always
 * @property {string | null} notAfter
 * @typedef {{version: string, publishedAt: string | null}} Seen
 * @typedef {{schema: 1, keys: Record<string, TrustedKey>, versions: Record<string, Seen>}} TrustData
 * @typedef {{update(change: (text: string | null) => string | null): Promise<void>}} TrustStorage
 *   Where the store's text is kept. `update` reads it (null: nothing yet) and writes what `change` returns (null: leaves it), alone with it.
 *
 * @typedef {object} KeyOptions
 * @property {string} [name] default: the first digits of the key's id
 * @property {string[]} [models] default ['*'] @property {string | null} [notBefore] @property {string | null} [notAfter]
 */

/** Kept as long as this object. @returns {TrustStorage} */
export function memoryStorage() {
  /** @type {string | null} */ let kept = null;
  return { async update(change) { kept = change(kept) ?? kept; } };
}

export class TrustStore {
  #storage;

  /** @param {TrustStorage} [storage] default: memory; trustStorage() keeps it */
  constructor(storage = memoryStorage()) { this.#storage = storage; }

  /**
   * Trust a key. @param {string | Uint8Array} publicKey PEM, base64 or bytes @param {KeyOptions} [options]
   * @returns {Promise<string>} its id: the SHA-256 of its SubjectPublicKeyInfo
   */
  async add(publicKey, { name, models = ['*'], notBefore = null, notAfter = null } = {}) {
    const spki = readPublicKey(publicKey);
    const keyId = await keyIdOf(spki);
    for (const time of [notBefore, notAfter]) if (time !== null && Number.isNaN(Date.parse(time))) throw new EdgeNetError('ARG', `"${time}" is no time as 2026-01-03T00:00:00Z`);
    const key = { name: name ?? keyId.slice(0, 12), publicKey: toBase64(spki), models, notBefore, notAfter };
    await this.#change((data) => { data.keys[keyId] = key; });
    return keyId;
  }
  /** @param {string} keyId @returns {Promise<boolean>} false: it was not there */
  async remove(keyId) {
    let found = false;
    await this.#change((data) => { found = Object.hasOwn(data.keys, keyId); delete data.keys[keyId]; });
    return found;
  }
  /** @returns {Promise<(TrustedKey & {keyId: string})[]>} */
  async list() {
    return Object.entries((await this.#read()).keys).map(([keyId, key]) => ({ keyId, ...key }));
  }
  /** @param {string} keyId @returns {Promise<(TrustedKey & {spki: Uint8Array}) | null>} */
  async find(keyId) {
    const { keys } = await this.#read();
    const key = Object.hasOwn(keys, keyId) ? keys[keyId] : undefined;
    if (!key) return null;
    const spki = readPublicKey(fromBase64(key.publicKey, 'a key of the trust store'));
    if (await keyIdOf(spki) !== keyId) throw new EdgeNetError('STORAGE', `the trust store is damaged: the key ${keyId.slice(0, 12)} is not the one of that id`);
    return { ...key, spki };
  }

  /** The newest accepted version of a model. @param {string} id @returns {Promise<Seen | null>} */
  async seen(id) {
    const { versions } = await this.#read();
    return Object.hasOwn(versions, id) ? /** @type {Seen} */ (versions[id]) : null;
  }
  /** Throws ROLLBACK when a manifest is older than one that was accepted before. @param {import('../manifest/manifest.js').Manifest} manifest */
  async check(manifest) { refuseOlder(manifest, await this.seen(manifest.id)); }
  /** The same, and notes it as the newest of its model. @param {import('../manifest/manifest.js').Manifest} manifest */
  async advance(manifest) {
    const { id, version, publishedAt = null } = manifest;
    await this.#change((data) => {
      refuseOlder(manifest, Object.hasOwn(data.versions, id) ? /** @type {Seen} */ (data.versions[id]) : null);
      data.versions[id] = { version, publishedAt };
    });
  }
  /** Accept older versions of a model again: a decision for people. @param {string} id @returns {Promise<void>} */
  async forget(id) { await this.#change((data) => { delete data.versions[id]; }); }

  async #read() {
    /** @type {TrustData | null} */ let data = null;
    await this.#storage.update((text) => { data = parse(text); return null; });
    return /** @type {TrustData} */ (/** @type {unknown} */ (data));
  }
  /** @param {(data: TrustData) => void} change */
  async #change(change) {
    await this.#storage.update((text) => {
      const data = parse(text);
      change(data);
      return `${JSON.stringify(data, null, 2)}\n`;
    });
  }
}

/** @param {import('../manifest/manifest.js').Manifest} manifest @param {Seen | null} last */
function refuseOlder({ id, version, publishedAt = null }, last) {
  if (!last || (compareVersions(version, last.version) || time(publishedAt) - time(last.publishedAt)) >= 0) return;
  throw new EdgeNetError('ROLLBACK', `${id}: this manifest is version ${version}${publishedAt ? ` of ${publishedAt}` : ''}, but version ${last.version}${last.publishedAt ? ` of ${last.publishedAt}` : ''} was accepted before`,
    { detail: { version, seen: last.version } });
}

/** A manifest without a time is older than every one with it. @param {string | null} iso */
function time(iso) { return iso === null ? 0 : Date.parse(iso); }

/** @param {string | null} text @returns {TrustData} */
function parse(text) {
  const empty = { schema: /** @type {const} */ (1), keys: Object.create(null), versions: Object.create(null) };
  if (text === null || text === '') return empty;
  const data = /** @type {any} */ (readJson(utf8(text), { name: 'the trust store' }));
  if (data?.schema !== 1 || typeof data.keys !== 'object' || !data.keys || typeof data.versions !== 'object' || !data.versions) throw new EdgeNetError('STORAGE', 'the trust store has another form than this release writes');
  return data;
}

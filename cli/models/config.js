// @ts-check
// The command's settings: ~/.edge-net/models.yaml, a table of every key with its default and its check. EDGE_NET_HOME moves the folder.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { EdgeNetError } from '../../js-glue/errors.js';

/** @typedef {string | number | boolean | null | string[]} Value */
/** @typedef {{default: Value, read: (value: unknown) => Value | undefined, says: string}} Setting read: undefined where the value is wrong */

/** @param {unknown} v */
const text = (v) => (typeof v === 'string' && v ? v : undefined);
/** @param {unknown} v */
const textOrNull = (v) => (v === null || v === 'null' ? null : text(v));
/** @param {number} min @param {number} max @returns {(v: unknown) => number | undefined} */
const whole = (min, max) => (v) => { const n = typeof v === 'string' && /^\d+$/.test(v) ? Number(v) : v; return Number.isSafeInteger(n) && Number(n) >= min && Number(n) <= max ? Number(n) : undefined; };
/** @param {unknown} v */
const yes = (v) => (v === true || v === 'true' ? true : v === false || v === 'false' ? false : undefined);
/** @param {unknown} v */
const size = (v) => { try { if (typeof v !== 'string' && typeof v !== 'number') return undefined; parseSize(String(v)); return String(v); } catch { return undefined; } };
/** @param {unknown} v */
const urls = (v) => { const list = typeof v === 'string' ? v.split(',').map((s) => s.trim()) : v; return Array.isArray(list) && list.every((u) => typeof u === 'string' && /^https?:\/\//.test(u)) ? list : undefined; };

/** @type {Readonly<Record<string, Setting>>} */
export const SETTINGS = Object.freeze({
  defaultSource: { default: 'gcs', read: (v) => (['gcs', 'http', 'hf', 'ipfs'].includes(String(v)) ? String(v) : undefined), says: 'gcs, http, hf or ipfs: which sources of a model are asked first' },
  registry: { default: null, read: (v) => (v === null || v === 'null' ? null : /^https?:\/\//.test(String(v)) ? String(v) : undefined), says: 'URL of a models.json, or of a server that has one; null: none' },
  'cache.directory': { default: '~/.edge-net/models', read: text, says: 'a folder' },
  'cache.maxSize': { default: '10GB', read: size, says: 'a size as 500MB or 10GB' },
  'cache.autoCleanup': { default: true, read: yes, says: 'true or false: may stored models go to make room' },
  'cdn.timeout': { default: 30000, read: whole(1, 1e9), says: 'milliseconds without a byte' },
  'cdn.retries': { default: 3, read: whole(0, 1000), says: 'tries in a row without progress' },
  'cdn.parallel': { default: 4, read: whole(1, 64), says: 'transfers at once' },
  'ipfs.gateways': { default: [], read: urls, says: 'URLs, separated by commas; empty: those of the manifest' },
  'signing.keyPath': { default: '~/.edge-net/keys/private.pem', read: text, says: 'a private key in PEM' },
  'trust.allowUnsigned': { default: false, read: yes, says: 'true or false: take manifests without a signature' },
});
/** Shorter names that older documents use. @type {Readonly<Record<string, string>>} */
const ALIASES = Object.freeze({ cacheDir: 'cache.directory', maxSize: 'cache.maxSize' });

/** Folder of everything that the command keeps. */
export function home() { return process.env.EDGE_NET_HOME ?? path.join(os.homedir(), '.edge-net'); }
/** @param {string} name a path that may begin with ~/.edge-net or ~ */
export function expand(name) {
  if (name === '~/.edge-net' || name.startsWith('~/.edge-net/')) return path.join(home(), name.slice('~/.edge-net'.length));
  return name.startsWith('~/') ? path.join(os.homedir(), name.slice(2)) : path.resolve(name);
}
const file = () => path.join(home(), 'models.yaml');

/** Bytes of a size as 10GB; units are powers of 1024, as file managers count. @param {string} text */
export function parseSize(text) {
  const [, digits, unit = 'B'] = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB)?$/i.exec(text) ?? [];
  if (digits === undefined) throw new EdgeNetError('ARG', `"${text}" is no size as 500MB or 10GB`);
  return Math.round(Number(digits) * 1024 ** ['B', 'KB', 'MB', 'GB', 'TB'].indexOf(unit.toUpperCase()));
}
/** Milliseconds of an age as 30d. @param {string} text */
export function parseAge(text) {
  const [, digits, unit] = /^(\d+)\s*([smhdw])$/.exec(text) ?? [];
  if (digits === undefined) throw new EdgeNetError('ARG', `"${text}" is no age as 12h, 30d or 4w`);
  return Number(digits) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[/** @type {'s' | 'm' | 'h' | 'd' | 'w'} */ (unit)];
}

/** The file as a document, with its comments; empty where there is none. */
async function document() {
  const source = await readFile(file(), 'utf8').catch((e) => { if (e.code === 'ENOENT') return ''; throw new EdgeNetError('STORAGE', `${file()}: ${e.message}`, { cause: e }); });
  const doc = parseDocument(source || 'version: 1\n');
  const [error] = doc.errors;
  if (error || !isMap(doc.contents)) throw new EdgeNetError('FORMAT', `${file()}: ${error ? error.message.split('\n')[0] : 'it must be a list of settings'}`);
  return doc;
}

/** @param {string} name @returns {[string, Setting]} */
function settingOf(name) {
  const key = Object.hasOwn(ALIASES, name) ? /** @type {string} */ (ALIASES[name]) : name;
  const setting = Object.hasOwn(SETTINGS, key) ? SETTINGS[key] : undefined;
  if (!setting) throw new EdgeNetError('ARG', `there is no setting "${name}"; there are ${Object.keys(SETTINGS).join(', ')}`);
  return [key, setting];
}

/** Every setting, from the file where it says something. @returns {Promise<Record<string, any>>} by dotted name */
export async function readConfig() {
  const doc = await document();
  /** @type {Record<string, Value>} */ const config = {};
  for (const [key, setting] of Object.entries(SETTINGS)) {
    const given = doc.getIn(key.split('.'));
    const plain = given !== null && typeof given === 'object' && 'toJSON' in given ? /** @type {any} */ (given).toJSON() : given;
    const value = plain === undefined ? setting.default : setting.read(plain);
    if (value === undefined) throw new EdgeNetError('FORMAT', `${file()}: ${key} must be ${setting.says}`);
    config[key] = value;
  }
  return config;
}

/** @param {string} name @param {string} given @returns {Promise<{key: string, value: Value}>} */
export async function setConfig(name, given) {
  const [key, setting] = settingOf(name);
  const value = setting.read(given);
  if (value === undefined) throw new EdgeNetError('ARG', `${key} must be ${setting.says}, not "${given}"`);
  const doc = await document();
  doc.setIn(key.split('.'), value);
  await mkdir(path.dirname(file()), { recursive: true });
  await writeFile(`${file()}.new`, doc.toString());
  await rename(`${file()}.new`, file());
  return { key, value };
}

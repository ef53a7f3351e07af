// @ts-check
// The form of a manifest, as JSON Schema 2020-12: the one description that both this library and everybody else's validator check against.
// models/schema/model-manifest-v1.json is written from it (tools/gen-schema.mjs). `checkShape` reads the part of JSON Schema that it
// uses, and says in one sentence what is wrong where.
import { EdgeNetError } from '../errors.js';
import { CHUNK_SIZES, MAX_INLINE } from './chunks.js';

/** @typedef {{[key: string]: any}} Schema */

export const SCHEMA_ID = 'https://edge-net.ruvector.dev/schemas/model-manifest-v1.json';

/** @param {number} max @returns {Schema} */
const text = (max) => ({ type: 'string', minLength: 1, maxLength: max });
/** @param {string} pattern @param {string} says @returns {Schema} */
const like = (pattern, says, max = 300) => ({ type: 'string', maxLength: max, pattern, description: says });
/** @param {number} min @param {number} max @returns {Schema} */
const integer = (min, max) => ({ type: 'integer', minimum: min, maximum: max });
/** @param {Schema} schema @returns {Schema} */
const orNull = (schema) => ({ ...schema, type: [schema.type, 'null'], ...(schema.enum ? { enum: [...schema.enum, null] } : {}) });
/** @param {Record<string, Schema>} properties @param {string[]} [required] @returns {Schema} all others must not be there, except x-... for the user's own */
const object = (properties, required = []) => ({ type: 'object', required, properties, patternProperties: { '^x-[a-z0-9-]+$': {} }, additionalProperties: false });
/** @param {Schema} items @param {number} max @returns {Schema} */
const list = (items, max) => ({ type: 'array', maxItems: max, items });

const BYTES = Number.MAX_SAFE_INTEGER;
const HASH = like('^[0-9a-f]{64}$', 'a SHA-256: 64 lower-case hexadecimal digits');
const FILE = like('^[A-Za-z0-9_][A-Za-z0-9._+-]*$', 'a file name without folders', 200);
const TIME = like('^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,3})?Z$', 'a time as 2026-01-03T00:00:00Z');
const VERSION = like('^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(-[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?(\\+[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?$', 'a semantic version as 1.0.0', 100);
const CID = like('^b[a-z2-7]{20,200}$', 'a CID of version 1 in base32');
const HTTP = like('^https?://[^\\s]+$', 'a URL with http or https', 2000);
const HOSTS = list(like('^(https?://)?[A-Za-z0-9.-]+(:\\d+)?(/[^\\s]*)?$', 'a gateway: a host or a URL', 500), 16);
const SIZE_TEXT = like('^\\d+(\\.\\d+)?(KB|MB|GB|TB)$', 'a size as 700MB', 20);

/** Every kind of source, by its `type`. Adding one: a line here, a source that reads it. @type {Record<string, Schema>} */
const SOURCES = {
  http: object({ type: { const: 'http' }, url: like('^[^\\s]+$', 'a URL, or a path relative to the manifest', 2000) }, ['type', 'url']),
  gcs: object({ type: { const: 'gcs' }, baseUrl: HTTP, region: text(60) }, ['type', 'baseUrl']),
  hf: object({ type: { const: 'hf' }, repo: like('^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$', 'owner/name', 200), revision: like('^[0-9a-f]{40}$', 'a commit: 40 hexadecimal digits, for names of branches move'), path: like('^(?!.*\\.\\.)[^\\s/][^\\s]*$', 'a path in the repository', 500) }, ['type', 'repo', 'revision']),
  ipfs: object({ type: { const: 'ipfs' }, cid: CID, gateways: HOSTS }, ['type', 'cid']),
  p2p: object({ type: { const: 'p2p' }, topic: text(200) }, ['type']),
};
const SOURCE = { type: 'object', oneOf: Object.values(SOURCES) };

const ARTIFACT = object({
  filename: FILE,
  size: orNull(integer(0, BYTES)),
  sha256: orNull(HASH),
  chunkSize: { type: ['integer', 'null'], enum: [...CHUNK_SIZES, null] },
  chunks: orNull(list(HASH, MAX_INLINE)),
  chunkFile: orNull(FILE),
  merkleRoot: orNull(HASH),
  cid: orNull(CID),
  cidProfile: { type: ['string', 'null'], enum: ['unixfs-v1-2025', null] },
  sources: list(SOURCE, 32),
}, ['filename', 'size', 'sha256']);

const COUNT = orNull(integer(1, 1e9));
const RATE = orNull({ type: 'number', minimum: 0, maximum: 1e9 });

/** @type {Schema} */
export const MANIFEST_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: SCHEMA_ID,
  title: 'edge-net model manifest, version 1',
  ...object({
    $schema: { const: SCHEMA_ID },
    id: like('^[a-z0-9][a-z0-9._-]*$', 'lower-case letters, digits, dots, dashes', 100),
    name: text(200),
    version: VERSION,
    type: { type: 'string', enum: ['text-generation', 'embedding', 'vision'] },
    family: text(60),
    architecture: object({ type: text(60), layers: COUNT, hiddenSize: COUNT, vocabSize: COUNT, contextLength: COUNT, parameters: text(20), dimensions: COUNT }),
    optimization: object({
      quantization: orNull({ type: 'string', enum: ['FP32', 'FP16', 'BF16', 'INT8', 'INT4', 'INT2', 'TERNARY'] }),
      format: orNull(text(40)), groupSize: COUNT, originalSize: orNull(SIZE_TEXT), optimizedSize: orNull(SIZE_TEXT),
    }),
    artifacts: { type: 'object', required: ['model'], minProperties: 1, maxProperties: 32, patternProperties: { '^[a-z][A-Za-z0-9-]{0,59}$': ARTIFACT }, additionalProperties: false },
    distribution: object({ primary: SOURCE, fallback: { type: ['object', 'array'], anyOf: [SOURCE, list(SOURCE, 16)] } }),
    requirements: object({ minMemory: orNull(integer(0, BYTES)), simdRequired: { type: 'boolean' }, webgpuOptional: { type: 'boolean' }, browserSupport: list(like('^[a-z]+-\\d+(\\.\\d+)?$', 'a browser as chrome-91', 40), 32) }),
    adapters: object({ baseRank: COUNT, microRank: COUNT, slots: list(text(60), 64) }),
    benchmarks: object({ perplexity: RATE, tokensPerSecond: object({ browser: RATE, node: RATE, webgpu: RATE, native: RATE }), memoryUsage: orNull(integer(0, BYTES)) }),
    license: text(100),
    homepage: HTTP,
    publishedAt: orNull(TIME),
    publishedBy: text(100),
    expires: orNull(TIME),
  }, ['$schema', 'id', 'name', 'version', 'type', 'artifacts', 'license']),
};

/** @param {unknown} v */
function typeOf(v) {
  if (v === null) return 'null';
  if (Array.isArray(v)) return 'array';
  return Number.isInteger(v) ? 'integer' : typeof v;
}
/** @param {string} at @param {string} key */
const below = (at, key) => (at ? `${at}.${key}` : key);
/** @param {unknown} v */
const show = (v) => { const s = JSON.stringify(v) ?? String(v); return s.length > 60 ? `${s.slice(0, 57)}...` : s; };

/**
 * Throws FORMAT (HASH_FORM for hashes) where a value is not of the schema's form.
 * @param {unknown} value @param {Schema} schema @param {string} name of the file, for the sentence @param {string} [at] path inside of it
 */
export function checkShape(value, schema, name, at = '') {
  const where = at || 'the whole';
  /** @param {string} what @returns {never} */
  const fail = (what) => { throw new EdgeNetError(schema.pattern === HASH.pattern ? 'HASH_FORM' : 'FORMAT', `${name}: ${where} ${what}`, { detail: { path: at } }); };
  const type = typeOf(value);
  const types = schema.type === undefined ? null : [schema.type].flat();
  if (types && !types.includes(type) && !(type === 'integer' && types.includes('number'))) fail(`must be ${types.join(' or ')}, not ${show(value)}`);
  if ('const' in schema && value !== schema.const) fail(`must be ${show(schema.const)}, not ${show(value)}`);
  if (schema.enum && !schema.enum.includes(value)) fail(`must be one of ${schema.enum.map(show).join(', ')}, not ${show(value)}`);
  if (typeof value === 'string') checkText(value, schema, fail);
  else if (typeof value === 'number') { if (value < schema.minimum || value > schema.maximum) fail(`must be from ${schema.minimum} to ${schema.maximum}, not ${value}`); }
  else if (Array.isArray(value)) checkList(value, schema, name, at, fail);
  else if (value !== null && typeof value === 'object') checkObject(/** @type {Record<string, unknown>} */ (value), schema, name, at, fail);
}

/** @param {string} value @param {Schema} schema @param {(what: string) => never} fail */
function checkText(value, schema, fail) {
  const length = [...value.slice(0, 2 * (schema.maxLength ?? 0) + 1)].length; // JSON Schema counts code points
  if (schema.minLength && !value) fail('must not be empty');
  if (length > schema.maxLength) fail(`has more than ${schema.maxLength} characters`);
  if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) fail(`must be ${schema.description}, not ${show(value)}`);
}

/** @param {unknown[]} value @param {Schema} schema @param {string} name @param {string} at @param {(what: string) => never} fail */
function checkList(value, schema, name, at, fail) {
  if (schema.anyOf) return checkShape(value, schema.anyOf.find((/** @type {Schema} */ s) => s.type === 'array'), name, at);
  if (value.length > schema.maxItems) fail(`has ${value.length} entries, more than ${schema.maxItems}`);
  if (schema.items) for (const [i, v] of value.entries()) checkShape(v, schema.items, name, `${at}[${i}]`); // entries() sees holes, forEach does not
}

/** @param {Record<string, unknown>} value @param {Schema} schema @param {string} name @param {string} at @param {(what: string) => never} fail */
function checkObject(value, schema, name, at, fail) {
  if (schema.anyOf) return checkShape(value, schema.anyOf.find((/** @type {Schema} */ s) => s.type === 'object'), name, at);
  if (schema.oneOf) { // told apart by `type`
    const kinds = schema.oneOf.map((/** @type {Schema} */ s) => s.properties.type.const);
    const kind = kinds.indexOf(value.type);
    if (kind < 0) fail(`must have a type of ${kinds.join(', ')}, not ${show(value.type)}`);
    return checkShape(value, schema.oneOf[kind], name, at);
  }
  const keys = Object.keys(value);
  if (keys.length < schema.minProperties || keys.length > schema.maxProperties) fail(`must have ${schema.minProperties} to ${schema.maxProperties} entries, not ${keys.length}`);
  for (const key of schema.required ?? []) if (!keys.includes(key)) fail(`lacks "${key}"`);
  for (const key of keys) {
    const own = schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key]
      : Object.entries(schema.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern, 'u').test(key))?.[1];
    if (!own && schema.additionalProperties === false) fail(`has the unknown key ${show(key)}`);
    if (own) checkShape(value[key], own, name, below(at, key));
  }
}

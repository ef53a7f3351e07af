// @ts-check
// The JSON form of an adapter as JSON Schema 2020-12; models/schema/lora-adapter-v1.json is written from it (tools/gen-schema.mjs).

/** @typedef {import('./manifest/schema.js').Schema} Schema */
export const ADAPTER_SCHEMA_ID = 'https://edge-net.ruvector.dev/schemas/lora-adapter-v1.json';

/** @param {number} max @returns {Schema} */
const text = (max) => ({ type: 'string', maxLength: max });
/** @param {string} pattern @param {string} description @returns {Schema} */
const like = (pattern, description, maxLength = 100) => ({ type: 'string', pattern, description, maxLength });
/** @param {Record<string, Schema>} properties @param {string[]} required @returns {Schema} */
const object = (properties, required) => ({ type: 'object', properties, required, additionalProperties: false });
const FACTOR = Object.freeze({ type: 'string', minLength: 4 });

/** @type {Schema} */
export const ADAPTER_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: ADAPTER_SCHEMA_ID,
  title: 'LoRA adapter',
  ...object({
    $schema: { const: ADAPTER_SCHEMA_ID },
    id: like('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', 'a UUID'),
    name: text(200), description: text(10000), version: text(100),
    createdAt: like('^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,3})?Z$', 'a time as 2026-01-03T00:00:00Z'),
    baseModel: text(200),
    rank: { type: 'integer', minimum: 1, maximum: 64 },
    alpha: { type: 'number', minimum: 1e-9, maximum: 1e6 },
    targetModules: { type: 'array', maxItems: 64, items: text(100) },
    weights: {
      type: 'object', minProperties: 1, maxProperties: 10000, additionalProperties: false,
      patternProperties: { '^[A-Za-z0-9_.]+$': object({ lora_A: FACTOR, lora_B: FACTOR, lora_magnitude_vector: FACTOR }, ['lora_A', 'lora_B']) },
    },
    training: object({ steps: { type: 'integer', minimum: 0, maximum: 1e12 }, finalLoss: { type: ['number', 'null'] }, samples: { type: 'integer', minimum: 0, maximum: 1e12 }, duration: { type: 'number', minimum: 0 } }, ['steps', 'finalLoss', 'samples', 'duration']),
    quality: object({ perplexityDelta: { type: ['number', 'null'] }, taskAccuracy: { type: 'number', minimum: 0, maximum: 1 }, humanScore: { type: 'number', minimum: 1, maximum: 5 } }, ['perplexityDelta']),
    sharing: object({ public: { type: 'boolean' }, domain: text(200), license: text(200) }, ['public', 'domain', 'license']),
    checksum: like('^[0-9a-f]{64}$', 'a SHA-256: 64 lower-case hexadecimal digits'),
    signature: like('^[0-9a-f]{64}:[A-Za-z0-9+/]{86}==$', "the id of a key (SHA-256 of its SubjectPublicKeyInfo), a colon, its Ed25519 signature in base64", 200),
  }, ['id', 'name', 'description', 'version', 'createdAt', 'baseModel', 'rank', 'alpha', 'targetModules', 'weights', 'training', 'quality', 'sharing', 'checksum']),
};

// @ts-check
// The JSON form of an adapter: all that is known about it in one text, factors as base64 of little-endian f32. It is made from PEFT's two files
// and gives them back: names, rows and shapes are PEFT's (docs/formats.md).
import { EdgeNetError } from './errors.js';
import { concat, fromBase64, toBase64, toHex, utf8 } from './manifest/encoding.js';
import { sha256 } from './manifest/hash.js';
import { checkShape } from './manifest/schema.js';
import { ADAPTER_SCHEMA, ADAPTER_SCHEMA_ID } from './lora-schema.js';

/**
 * @typedef {import('./adapters.js').AdapterData} AdapterData
 * @typedef {{steps: number, finalLoss: number | null, samples: number, duration: number}} TrainingBlock duration in ms
 * @typedef {{perplexityDelta: number | null, taskAccuracy?: number, humanScore?: number}} QualityBlock perplexityDelta: of the measured samples, after minus before; null: nothing was measured
 * @typedef {{public: boolean, domain: string, license: string}} SharingBlock
 * @typedef {{id: string, name: string, description: string, version: string, createdAt: string, baseModel: string, rank: number, alpha: number, targetModules: string[],
 *   training: TrainingBlock, quality: QualityBlock, sharing: SharingBlock}} AdapterMeta
 * @typedef {{lora_A: Float32Array, lora_B: Float32Array, lora_magnitude_vector?: Float32Array}} LoRAFactors A [rank, in], B [out, rank], row after row; of DoRA: lengths [out]
 * @typedef {Record<string, LoRAFactors>} LoRAWeights by module, as "model.layers.0.self_attn.q_proj"
 * @typedef {AdapterMeta & {weights: LoRAWeights, checksum: string, signature?: string}} LoRAAdapter checksum: see checksumOf()
 */

const PREFIX = 'base_model.model.';

/** The tensors of a safetensors file of F32. @param {Uint8Array} file @returns {Map<string, {shape: number[], bytes: Uint8Array}>} */
function readTensors(file) {
  const n = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  const head = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + n)));
  const tensors = new Map();
  delete head.__metadata__;
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(head)) {
    if (dtype !== 'F32') throw new EdgeNetError('INTERNAL', `${name} has the type ${dtype}`);
    tensors.set(name, { shape, bytes: file.slice(8 + n + from, 8 + n + to) });
  }
  return tensors;
}
/** @param {[string, number[], Uint8Array][]} tensors @returns {Uint8Array} */
function writeTensors(tensors) {
  let at = 0;
  const head = JSON.stringify(Object.fromEntries(tensors.map(([name, shape, bytes]) => [name, { dtype: 'F32', shape, data_offsets: [at, at += bytes.length] }])));
  const text = utf8(head.padEnd(Math.ceil(head.length / 8) * 8));
  return concat(new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer), text, ...tensors.map(([, , bytes]) => bytes));
}

/** Factors by module. @param {Uint8Array} file PEFT's tensors, as our core writes them @returns {LoRAWeights} */
export function weightsOf(file) {
  /** @type {LoRAWeights} */ const weights = {};
  for (const [name, { bytes }] of readTensors(file)) {
    const [, module, which] = /^base_model\.model\.(.+)\.(lora_\w+)(\.weight)?$/.exec(name) ?? [];
    if (!isPart(which)) throw new EdgeNetError('UNSUPPORTED', `the JSON form has no place for ${name}`);
    (weights[module] ??= /** @type {any} */ ({}))[which] = new Float32Array(bytes.buffer);
  }
  return weights;
}

const PARTS = Object.freeze(/** @type {const} */ (['lora_A', 'lora_B', 'lora_magnitude_vector']));
/** @param {string} name @returns {name is typeof PARTS[number]} */
const isPart = (name) => /** @type {readonly string[]} */ (PARTS).includes(name);
/** The parts of a module that are there, in order. @template T @param {LoRAFactors} factors @param {(part: typeof PARTS[number], values: Float32Array) => T} make @returns {T[]} */
const eachPart = (factors, make) => PARTS.flatMap((part) => { const values = factors[part]; return values ? [make(part, values)] : []; });
/** @param {Float32Array} a */
const bytesOf = (a) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

/**
 * SHA-256, hexadecimal, over the factors: modules in the order of their names' code units, of each lora_A, then lora_B, then lora_magnitude_vector if it is there, as little-endian f32.
 * @param {LoRAWeights} weights
 */
export async function checksumOf(weights) {
  return toHex(await sha256(concat(...Object.keys(weights).sort().flatMap((name) => eachPart(weights[name], (_, values) => bytesOf(values))))));
}

/** @param {AdapterMeta} meta @param {Uint8Array} tensors PEFT's @returns {Promise<LoRAAdapter>} */
export async function toLoRAAdapter(meta, tensors) {
  const weights = weightsOf(tensors);
  for (const [module, { lora_A: a }] of Object.entries(weights)) {
    const rank = readTensors(tensors).get(`${PREFIX}${module}.lora_A.weight`)?.shape[0];
    if (rank !== meta.rank || !a) throw new EdgeNetError('UNSUPPORTED', `the JSON form has one rank for all modules, and ${module} has ${rank} instead of ${meta.rank}: use PEFT's or llama.cpp's`);
  }
  return { ...meta, weights, checksum: await checksumOf(weights) };
}
/** @param {LoRAAdapter} adapter @returns {string} */
export function toText(adapter) {
  const weights = Object.fromEntries(Object.entries(adapter.weights).map(([name, w]) => [name, Object.fromEntries(eachPart(w, (part, values) => [part, toBase64(bytesOf(values))]))]));
  return JSON.stringify({ $schema: ADAPTER_SCHEMA_ID, ...adapter, weights });
}

/** @param {string} text @returns {Promise<LoRAAdapter>} of the right form and with the right checksum */
export async function fromText(text) {
  let value;
  try { value = JSON.parse(text); } catch (e) { throw new EdgeNetError('FORMAT', `the adapter is no JSON text, or it is cut short: ${/** @type {Error} */ (e).message}`); }
  checkShape(value, ADAPTER_SCHEMA, 'adapter');
  const { $schema: _, ...adapter } = value;
  const numbers = (/** @type {string} */ base64, /** @type {string} */ name) => {
    const bytes = fromBase64(base64, name);
    if (bytes.length % 4) throw new EdgeNetError('FORMAT', `${name} holds no whole number of f32`);
    return new Float32Array(bytes.buffer);
  };
  adapter.weights = Object.fromEntries(Object.entries(value.weights).map(([name, w]) => [name, Object.fromEntries(eachPart(/** @type {any} */ (w), (part, text) => [part, numbers(/** @type {any} */ (text), `${name}.${part}`)]))]));
  await verify(adapter);
  return adapter;
}
/** @param {LoRAAdapter} adapter */
async function verify({ weights, rank, checksum }) {
  for (const [name, factors] of Object.entries(weights)) {
    const { lora_A: a, lora_B: b } = factors;
    if (a.length % rank || b.length % rank) throw new EdgeNetError('FORMAT', `the factors of ${name} do not have the rank ${rank}`);
    for (const values of eachPart(factors, (_, part) => part)) if (!values.every(Number.isFinite)) throw new EdgeNetError('NUMERIC', `a factor of ${name} holds a number that is not finite`);
  }
  if (await checksumOf(weights) !== checksum) throw new EdgeNetError('INTEGRITY', "the adapter's factors do not have its checksum: it was changed or damaged");
}

/** PEFT's files of it, and what else is known. @param {LoRAAdapter} adapter @returns {Promise<{meta: AdapterMeta, data: AdapterData}>} */
export async function fromLoRAAdapter(adapter) {
  await verify(adapter);
  const { weights, checksum: _, signature: __, ...meta } = adapter;
  const { rank, alpha, baseModel } = meta;
  const tensors = Object.entries(weights).flatMap(([name, factors]) => eachPart(factors, (part, values) => {
    const n = values.length, shape = part === 'lora_A' ? [rank, n / rank] : part === 'lora_B' ? [n / rank, rank] : [n];
    return /** @type {[string, number[], Uint8Array]} */ ([`${PREFIX}${name}.${part}${shape.length > 1 ? '.weight' : ''}`, shape, bytesOf(values)]);
  }));
  const config = { peft_type: 'LORA', task_type: 'CAUSAL_LM', base_model_name_or_path: baseModel, r: rank, lora_alpha: alpha, lora_dropout: 0, bias: 'none', use_rslora: false, use_dora: Object.values(weights).some((w) => w.lora_magnitude_vector),
    target_modules: [...new Set(Object.keys(weights).map((name) => name.slice(name.lastIndexOf('.') + 1)))], inference_mode: true };
  return { meta, data: { form: 'peft', tensors: writeTensors(tensors), config: JSON.stringify(config) } };
}

#!/usr/bin/env node
// @ts-check
/**
 * Models of every family with random weights and sizes as published ones have them: half a billion to one and a half billion parameters, a tokenizer of single
 * bytes. The same family, type and numbers of layers give the same bytes.
 *
 *   node tools/synthetic-model.mjs FAMILY OUT.gguf [--type Q4_0|Q4_K|Q8_0] [--layers N]
 *   node tools/synthetic-model.mjs --list
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { GgufWriter, halfBits } from './gguf-writer.mjs';

/** Types of matrices: ggml's number, elements and bytes of a block, where its scales lie, and the rms of its values at scale 1. */
const TYPES = { Q4_0: { id: 2, block: 32, bytes: 18, rms: 4.61 }, Q8_0: { id: 8, block: 32, bytes: 34, rms: 73.9 }, Q4_K: { id: 12, block: 256, bytes: 144, rms: 150 } };
/** @typedef {keyof typeof TYPES} Type */
/** A tensor: rows and columns slowest first; around: values of F32 tensors are mean +- spread, matrices without it are of the model's type. @typedef {{name: string, shape: number[], around?: [mean: number, spread: number]}} Spec */

const vector = (/** @type {string} */ name, /** @type {number} */ n, mean = 0, spread = 0.1) => ({ name, shape: [n], around: /** @type {[number, number]} */ ([mean, spread]) });
const plain = (/** @type {string} */ name, /** @type {number[]} */ shape, mean = 0, spread = 0.1) => ({ name, shape, around: /** @type {[number, number]} */ ([mean, spread]) });
const matrix = (/** @type {string} */ name, /** @type {number[]} */ ...shape) => ({ name: `${name}.weight`, shape });
const norm = (/** @type {string} */ name, /** @type {number} */ n) => vector(`${name}.weight`, n, 1);
const normBias = (/** @type {string} */ name, /** @type {number} */ n) => [norm(name, n), vector(`${name}.bias`, n)];

/** What attention models are made of. @typedef {{arch: string, L: number, D: number, H: number, K: number, E?: number, F: number, V: number, eps?: string, keys?: Record<string, number>, layer: (c: any) => Spec[], globals?: (c: any) => Spec[], tied?: boolean}} Family */
const E = (/** @type {any} */ c) => c.E ?? c.D / c.H;
const attention = (/** @type {any} */ c) => [norm('attn_norm', c.D), matrix('attn_q', c.H * E(c), c.D), matrix('attn_k', c.K * E(c), c.D), matrix('attn_v', c.K * E(c), c.D), matrix('attn_output', c.D, c.H * E(c))];
const gated = (/** @type {any} */ c) => [norm('ffn_norm', c.D), matrix('ffn_gate', c.F, c.D), matrix('ffn_up', c.F, c.D), matrix('ffn_down', c.D, c.F)];
const qkNorm = (/** @type {any} */ c) => [norm('attn_q_norm', E(c)), norm('attn_k_norm', E(c))];
const postNorm = (/** @type {any} */ c) => [norm('post_attention_norm', c.D), norm('post_ffw_norm', c.D)];
const bias = (/** @type {string[]} */ ...names) => (/** @type {any} */ sizes) => names.map((name, i) => vector(`${name}.bias`, sizes[i]));
const plainDecoder = (/** @type {any} */ c) => [...attention(c), ...gated(c)];
const rwkvNorms = (/** @type {any} */ c) => [...normBias('attn_norm', c.D), ...normBias('attn_norm_2', c.D), ...normBias('time_mix_ln', c.D)];
const rwkvMatrices = (/** @type {any} */ c) => [...['receptance', 'key', 'value', 'output'].map((name) => matrix(`time_mix_${name}`, c.D, c.D)), matrix('channel_mix_key', c.F, c.D), matrix('channel_mix_value', c.D, c.F), vector('channel_mix_lerp_k.weight', c.D, 0.5, 0.5)];
const rwkvGlobals = (/** @type {any} */ c) => [...normBias('token_embd_norm', c.D), vector('output_norm.bias', c.D)];
const pair = (/** @type {string} */ name, /** @type {number} */ D, /** @type {number} */ rank) => [plain(`time_mix_${name}1.weight`, [rank, D], 0, 0.05), plain(`time_mix_${name}2.weight`, [D, rank], 0, 0.1)];
const encoder = (/** @type {any} */ c, /** @type {boolean} */ biases) => [
  ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].flatMap((name) => [matrix(name, c.D, c.D), ...(biases ? [vector(`${name}.bias`, c.D)] : [])]),
  ...normBias('attn_output_norm', c.D), ...normBias('layer_output_norm', c.D), matrix('ffn_up', c.F, c.D), matrix('ffn_down', c.D, c.F),
  ...(biases ? [vector('ffn_up.bias', c.F), vector('ffn_down.bias', c.D)] : [matrix('ffn_gate', c.F, c.D)])];
const encoderGlobals = (/** @type {any} */ c) => [{ name: 'token_types.weight', shape: [2, c.D] }, ...normBias('token_embd_norm', c.D)];
const WINDOW = { 'attention.sliding_window': 512 };
const LAYER_NORM = 'attention.layer_norm_epsilon';

/** @type {Record<string, Family>} sizes of, or near to, the models in the comments */
export const FAMILIES = {
  llama: /* Llama 3.2 1B */ { arch: 'llama', L: 16, D: 2048, H: 32, K: 8, F: 8192, V: 128256, layer: plainDecoder, tied: true },
  'llama-moe': /* Mixtral, smaller */ { arch: 'llama', L: 12, D: 1024, H: 16, K: 4, F: 2048, V: 32000, keys: { expert_count: 8, expert_used_count: 2 },
    layer: (c) => [...attention(c), norm('ffn_norm', c.D), plain('ffn_gate_inp.weight', [8, c.D]), matrix('ffn_gate_exps', 8, c.F, c.D), matrix('ffn_up_exps', 8, c.F, c.D), matrix('ffn_down_exps', 8, c.D, c.F)] },
  qwen2: /* Qwen 2.5 0.5B */ { arch: 'qwen2', L: 24, D: 896, H: 14, K: 2, F: 4864, V: 151936, layer: (c) => [...plainDecoder(c), ...bias('attn_q', 'attn_k', 'attn_v')([c.D, c.K * E(c), c.K * E(c)])] },
  qwen3: /* Qwen 3 0.6B */ { arch: 'qwen3', L: 28, D: 1024, H: 16, K: 8, E: 128, F: 3072, V: 151936, layer: (c) => [...plainDecoder(c), ...qkNorm(c)] },
  phi2: /* Phi 1.5 */ { arch: 'phi2', L: 24, D: 2048, H: 32, K: 32, F: 8192, V: 51200, eps: LAYER_NORM, keys: { 'rope.dimension_count': 32 },
    layer: (c) => [...attention(c), vector('attn_norm.bias', c.D), ...bias('attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_up', 'ffn_down')([c.D, c.D, c.D, c.D, c.F, c.D]), matrix('ffn_up', c.F, c.D), matrix('ffn_down', c.D, c.F)],
    globals: (c) => [vector('output_norm.bias', c.D), vector('output.bias', c.V)] },
  phi3: /* Phi 3 mini, fewer layers */ { arch: 'phi3', L: 8, D: 3072, H: 32, K: 32, F: 8192, V: 32064,
    layer: (c) => [norm('attn_norm', c.D), matrix('attn_qkv', 3 * c.D, c.D), matrix('attn_output', c.D, c.D), norm('ffn_norm', c.D), matrix('ffn_up', 2 * c.F, c.D), matrix('ffn_down', c.D, c.F)] },
  gemma: /* Gemma 2B, fewer layers */ { arch: 'gemma', L: 6, D: 2048, H: 8, K: 1, E: 256, F: 16384, V: 256000, layer: plainDecoder, tied: true },
  gemma2: /* Gemma 2 2B, fewer layers */ { arch: 'gemma2', L: 6, D: 2304, H: 8, K: 4, E: 256, F: 9216, V: 256000, keys: WINDOW, layer: (c) => [...plainDecoder(c), ...postNorm(c)], tied: true },
  gemma3: /* Gemma 3 1B */ { arch: 'gemma3', L: 26, D: 1152, H: 4, K: 1, E: 256, F: 6912, V: 262144, keys: WINDOW, layer: (c) => [...plainDecoder(c), ...postNorm(c), ...qkNorm(c)], tied: true },
  mamba: /* Mamba 790M */ { arch: 'mamba', L: 48, D: 1536, H: 0, K: 0, F: 0, V: 50280, keys: { 'ssm.conv_kernel': 4, 'ssm.inner_size': 3072, 'ssm.state_size': 16, 'ssm.time_step_rank': 96 },
    layer: (c) => [norm('attn_norm', c.D), matrix('ssm_in', 2 * 3072, c.D), plain('ssm_conv1d.weight', [3072, 4], 0, 0.6), vector('ssm_conv1d.bias', 3072), matrix('ssm_x', 128, 3072), plain('ssm_dt.weight', [3072, 96]),
      vector('ssm_dt.bias', 3072, -2, 1), plain('ssm_a', [3072, 16], -8, 7), vector('ssm_d', 3072, 1), matrix('ssm_out', c.D, 3072)], tied: true },
  mamba2: /* Mamba 2 780M */ { arch: 'mamba2', L: 48, D: 1536, H: 0, K: 0, F: 0, V: 50288, keys: { 'ssm.conv_kernel': 4, 'ssm.inner_size': 3072, 'ssm.state_size': 128, 'ssm.time_step_rank': 48, 'ssm.group_count': 1 },
    layer: (c) => [norm('attn_norm', c.D), matrix('ssm_in', 2 * 3072 + 256 + 48, c.D), plain('ssm_conv1d.weight', [3072 + 256, 4], 0, 0.6), vector('ssm_conv1d.bias', 3072 + 256), vector('ssm_dt.bias', 48, -2, 1),
      plain('ssm_a', [48, 1], -8, 7), plain('ssm_d', [48, 1], 1), norm('ssm_norm', 3072), matrix('ssm_out', c.D, 3072)], tied: true },
  rwkv6: /* RWKV 6 1.6B, fewer layers */ { arch: 'rwkv6', L: 12, D: 2048, H: 0, K: 0, F: 7168, V: 65536, eps: LAYER_NORM, keys: { 'wkv.head_size': 64, time_mix_extra_dim: 32, time_decay_extra_dim: 64, rescale_every_n_layers: 6 },
    layer: (c) => [...rwkvNorms(c), ...rwkvMatrices(c), matrix('time_mix_gate', c.D, c.D), matrix('channel_mix_receptance', c.D, c.D), vector('channel_mix_lerp_r.weight', c.D, 0.5, 0.5), vector('time_mix_lerp_x.weight', c.D, 0.5, 0.5),
      plain('time_mix_lerp_fused.weight', [5, 1, 1, c.D], 0.5, 0.5), plain('time_mix_w1.weight', [160, c.D], 0, 0.05), plain('time_mix_w2.weight', [5, c.D, 32]), plain('time_mix_first.weight', [c.D / 64, 64], 0, 0.5),
      vector('time_mix_decay.weight', c.D, -3, 2), plain('time_mix_decay_w1.weight', [64, c.D], 0, 0.05), plain('time_mix_decay_w2.weight', [c.D, 64])], globals: rwkvGlobals },
  rwkv7: /* RWKV 7 1.5B, fewer layers */ { arch: 'rwkv7', L: 12, D: 2048, H: 0, K: 0, F: 8192, V: 65536, eps: LAYER_NORM,
    keys: { 'wkv.head_size': 64, 'attention.decay_lora_rank': 96, 'attention.iclr_lora_rank': 96, 'attention.value_residual_mix_lora_rank': 64, 'attention.gate_lora_rank': 256 },
    layer: (c) => [...rwkvNorms(c), ...rwkvMatrices(c), plain('time_mix_lerp_fused.weight', [6, 1, 1, c.D], 0.5, 0.5), ...['w', 'a', 'v'].map((name) => vector(`time_mix_${name}0.weight`, c.D, 0, 1)),
      ...pair('w', c.D, 96), ...pair('a', c.D, 96), ...pair('v', c.D, 64), ...pair('g', c.D, 256), vector('time_mix_k_k.weight', c.D, 1, 0.3), vector('time_mix_k_a.weight', c.D, 1, 0.3), vector('time_mix_r_k.weight', c.D, 0, 0.3)],
    globals: rwkvGlobals },
  bert: /* BERT large */ { arch: 'bert', L: 24, D: 1024, H: 16, K: 16, F: 4096, V: 30522, eps: LAYER_NORM, layer: (c) => encoder(c, true), globals: (c) => [...encoderGlobals(c), { name: 'position_embd.weight', shape: [2048, c.D] }] },
  'nomic-bert': /* Nomic Embed, as large */ { arch: 'nomic-bert', L: 24, D: 1024, H: 16, K: 16, F: 4096, V: 30522, eps: LAYER_NORM, layer: (c) => encoder(c, false), globals: encoderGlobals },
};
const isEncoder = (/** @type {Family} */ f) => f.arch.endsWith('bert');

/** Whole numbers below 2^32 (mulberry32). @param {number} seed */
function random(seed) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return (t ^ t >>> 14) >>> 0;
  };
}
const seedOf = (/** @type {string} */ text) => [...text].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 16777619), 2166136261 | 0);

/** Random blocks for rows of so many columns: a prime number of them, so that no two rows of a matrix are alike. @param {Type} name @param {number} cols */
function blocks(name, cols) {
  const type = TYPES[name], n = 65537, next = random(seedOf(`${name} ${cols}`)), bytes = new Uint8Array(n * type.bytes), scale = halfBits(1 / Math.sqrt(cols) / type.rms);
  for (let i = 0; i < bytes.length; i++) bytes[i] = next() >>> 13;
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < n; i++) {
    view.setUint16(i * type.bytes, scale, true);
    if (name === 'Q4_K') { // the eight minima are 7.5 times their scales, so that values lie around 0: equal numbers, the second scale is for minima
      view.setUint16(i * type.bytes + 2, halfBits(7.5 / Math.sqrt(cols) / type.rms), true);
      for (let j = 0; j < 4; j++) bytes[i * 144 + 8 + j] = bytes[i * 144 + 4 + j];
      for (let j = 0; j < 4; j++) bytes[i * 144 + 12 + j] = (bytes[i * 144 + 12 + j] & 15) * 17;
    }
  }
  return bytes;
}

/** @param {string} family of FAMILIES @param {string} out path @param {{type?: Type, layers?: number}} [options] */
export function makeModel(family, out, { type = 'Q4_0', layers } = {}) {
  const c = { ...FAMILIES[family] }, writer = new GgufWriter();
  if (!c.arch) throw new Error(`there is no family ${family}; there are ${Object.keys(FAMILIES).join(', ')}`);
  c.L = layers ?? c.L;
  writer.set('general.architecture', 'string', c.arch).set('general.name', 'string', `synthetic ${family}`);
  /** @type {Record<string, number>} */ const keys = { block_count: c.L, embedding_length: c.D, context_length: 2048, vocab_size: c.V, feed_forward_length: c.F, 'attention.head_count': c.H, ...c.keys };
  if (c.K) keys['attention.head_count_kv'] = c.K;
  if (c.E) keys['attention.key_length'] = keys['attention.value_length'] = c.E;
  for (const [key, value] of Object.entries(keys)) writer.set(`${c.arch}.${key}`, 'u32', value);
  writer.set(`${c.arch}.${c.eps ?? 'attention.layer_norm_rms_epsilon'}`, 'f32', 1e-5);
  addTokenizer(writer, c);
  const specs = [{ name: 'token_embd.weight', shape: [c.V, c.D] }, ...(isEncoder(c) ? [] : [norm('output_norm', c.D)]), ...(c.tied || isEncoder(c) ? [] : [{ name: 'output.weight', shape: [c.V, c.D] }]), ...(c.globals?.(c) ?? [])];
  for (let l = 0; l < c.L; l++) specs.push(...c.layer(c).map((t) => ({ ...t, name: `blk.${l}.${t.name}` })));
  writeFile(out, writer, specs, type);
}

/** A token for every byte, as GPT-2 spells them, or for encoders letters; the rest of the vocabulary has names only. @param {GgufWriter} writer @param {Family} c */
function addTokenizer(writer, c) {
  const printable = (/** @type {number} */ b) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  let other = 256;
  const bytes = Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : other++));
  const known = isEncoder(c) ? ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...[...'abcdefghijklmnopqrstuvwxyz'].flatMap((letter) => [`\u2581${letter}`, letter])] : [...bytes, 'th'];
  const tokens = Array.from({ length: c.V }, (_, i) => known[i] ?? `<${i}>`);
  writer.set('tokenizer.ggml.model', 'string', isEncoder(c) ? 'bert' : 'gpt2').setArray('tokenizer.ggml.tokens', 'string', tokens);
  writer.setArray('tokenizer.ggml.token_type', 'i32', tokens.map((t) => (/^[[<]./.test(t) ? 3 : 1)));
  if (isEncoder(c)) for (const [name, id] of [['padding', 0], ['unknown', 1], ['cls', 2], ['bos', 2], ['seperator', 3], ['eos', 3]]) writer.set(`tokenizer.ggml.${name}_token_id`, 'u32', id);
  else writer.set('tokenizer.ggml.pre', 'string', 'gpt-2').setArray('tokenizer.ggml.merges', 'string', ['t h']).set('tokenizer.ggml.add_bos_token', 'bool', false);
}

/** @param {string} out @param {GgufWriter} writer @param {Spec[]} specs @param {Type} type of matrices, but Q8_0 where blocks do not fit */
function writeFile(out, writer, specs, type) {
  const count = (/** @type {number[]} */ shape) => shape.reduce((n, d) => n * d, 1);
  const kindOf = (/** @type {Spec} */ t) => (t.shape.at(-1) ?? 1) % TYPES[type].block ? 'Q8_0' : type;
  const sizeOf = (/** @type {Spec} */ t) => (t.around ? 4 * count(t.shape) : count(t.shape) / TYPES[kindOf(t)].block * TYPES[kindOf(t)].bytes);
  for (const t of specs) writer.declare(t.name, t.shape, t.around ? 0 : TYPES[kindOf(t)].id, sizeOf(t));
  /** @type {Map<string, Uint8Array>} */ const pools = new Map();
  const file = openSync(out, 'w');
  const write = (/** @type {Uint8Array} */ bytes) => { for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at); };
  try {
    write(writer.head());
    for (const t of specs) {
      const size = sizeOf(t), next = random(seedOf(t.name));
      if (t.around) {
        const [mean, spread] = t.around;
        write(new Uint8Array(Float32Array.from({ length: size / 4 }, () => mean + spread * (next() / 2 ** 31 - 1)).buffer));
      } else {
        const kind = kindOf(t), cols = t.shape.at(-1) ?? 1, key = `${kind} ${cols}`;
        const pool = pools.get(key) ?? blocks(kind, cols);
        pools.set(key, pool);
        for (let at = next() % 65537 * TYPES[kind].bytes, left = size; left; at = 0) {
          const n = Math.min(left, pool.length - at);
          write(pool.subarray(at, at + n));
          left -= n;
        }
      }
      write(new Uint8Array((32 - size % 32) % 32));
    }
  } finally { closeSync(file); }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals: [family, out] } = parseArgs({ allowPositionals: true, options: { type: { type: 'string', default: 'Q4_0' }, layers: { type: 'string' }, list: { type: 'boolean' } } });
  if (values.list) console.log(Object.keys(FAMILIES).join('\n'));
  else if (!out || !(values.type in TYPES)) throw new Error('usage: synthetic-model.mjs FAMILY OUT.gguf [--type Q4_0|Q4_K|Q8_0] [--layers N], or --list');
  else makeModel(family, out, { type: /** @type {Type} */ (values.type), ...(values.layers && { layers: Number(values.layers) }) });
}

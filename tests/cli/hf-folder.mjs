// @ts-check
// Hugging Face folders of a random llama, written from a GGUF file by going the converter's way backwards.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { home, ok, temporary } from './cli.mjs';

export const json = (/** @type {string[]} */ ...args) => JSON.parse(ok(...args).out);
/** @typedef {{ name: string, shape: number[], bytes: Buffer }} Tensor */

/** A safetensors file of F32 tensors. @param {Tensor[]} tensors */
export function safetensors(tensors) {
  let at = 0;
  const head = JSON.stringify(Object.fromEntries(tensors.map(({ name, shape, bytes }) => [name, { dtype: 'F32', shape, data_offsets: [at, at += bytes.length] }])));
  const n = Buffer.alloc(8);
  n.writeBigUInt64LE(BigInt(Buffer.byteLength(head)));
  return Buffer.concat([n, Buffer.from(head), ...tensors.map((t) => t.bytes)]);
}
/** Rows of each head: pairs apart again, first halves before second ones. @param {Buffer} bytes @param {number} rows @param {number} heads */
function unpair(bytes, rows, heads) {
  const out = Buffer.alloc(bytes.length), width = bytes.length / rows, size = rows / heads;
  for (let r = 0; r < rows; r++) {
    const k = r % size, from = (r - k) + (k < size / 2 ? 2 * k : 2 * (k - size / 2) + 1);
    bytes.copy(out, r * width, from * width, (from + 1) * width);
  }
  return out;
}
/** @type {Record<string, string>} */
const NAMES = { token_embd: 'model.embed_tokens', output_norm: 'model.norm', output: 'lm_head', attn_norm: 'input_layernorm', ffn_norm: 'post_attention_layernorm', attn_q: 'self_attn.q_proj', attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj', attn_output: 'self_attn.o_proj', ffn_gate: 'mlp.gate_proj', ffn_up: 'mlp.up_proj', ffn_down: 'mlp.down_proj' };
const CONFIG = { model_type: 'llama', hidden_act: 'silu', hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 64, max_position_embeddings: 128, rms_norm_eps: 1e-5, rope_theta: 10000, vocab_size: 0 };

/** A folder with the weights of a random model, and that model. @param {string} name @param {{shards?: number, config?: object, texts?: Record<string, string | object>, vocab?: string}} [options] */
export function folder(name, { shards = 1, config = {}, texts = {}, vocab = home } = {}) {
  const file = temporary(`${name}.gguf`), dir = temporary(name);
  ok('init', file, '--tokenizer', vocab, '--layers', '2', '--width', '32', '--heads', '4', '--kv-heads', '2', '--ff', '64', '--context', '128', '--untied');
  const head = json('inspect', file, '--json'), bytes = readFileSync(file);
  /** @type {Tensor[]} */
  const tensors = head.tensors.map((/** @type {{name: string, ne: number[], offset: number, bytes: number}} */ t) => {
    const [, layer, stem = ''] = /^(?:blk\.(\d+)\.)?(.*)\.weight$/.exec(t.name) ?? [];
    const data = bytes.subarray(head.data_offset + t.offset).subarray(0, t.bytes), rows = t.ne[1] ?? 0;
    const heads = stem === 'attn_q' ? 4 : stem === 'attn_k' ? 2 : 0;
    return { name: `${layer === undefined ? '' : `model.layers.${layer}.`}${NAMES[stem]}.weight`, shape: [...t.ne].reverse(), bytes: heads ? unpair(data, rows, heads) : data };
  });
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ ...CONFIG, vocab_size: head.metadata['llama.vocab_size'], ...config }));
  for (const [text, content] of Object.entries(texts)) writeFileSync(path.join(dir, text), typeof content === 'string' ? content : JSON.stringify(content));
  if (shards === 1) writeFileSync(path.join(dir, 'model.safetensors'), safetensors(tensors));
  else {
    /** @type {Record<string, string>} */
    const map = {};
    for (let i = 0; i < shards; i++) {
      const shard = `model-0000${i + 1}-of-0000${shards}.safetensors`, part = tensors.filter((_, k) => k % shards === i);
      for (const t of part) map[t.name] = shard;
      writeFileSync(path.join(dir, shard), safetensors(part));
    }
    writeFileSync(path.join(dir, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  }
  return { file, dir };
}

/** How byte-level BPE spells bytes: printable ones as they are, the others from U+0100 on. */
const isPrintable = (/** @type {number} */ b) => (b > 32 && b < 127) || (b > 160 && b !== 173);
const others = [...Array(256).keys()].filter((b) => !isPrintable(b));
const alphabet = [...Array(256).keys()].map((b) => String.fromCodePoint(isPrintable(b) ? b : 256 + others.indexOf(b)));
const TOKENIZER = { added_tokens: [{ id: 257, content: '<end>', special: true }], pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false }, model: { type: 'BPE', vocab: Object.fromEntries([...alphabet, 'he'].map((t, i) => [t, i])), merges: ['h e'] } };
/** A tokenizer: every byte is a token, and one pair merges. */
export const BYTES = { 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': { eos_token: '<end>' } };
/** The same with a normalizer. @param {unknown} normalizer */
export const normalized = (normalizer) => ({ ...BYTES, 'tokenizer.json': { ...TOKENIZER, normalizer } });

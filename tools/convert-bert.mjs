#!/usr/bin/env node
// @ts-check
/**
 * Writes a sentence encoder of the BERT family (MiniLM, E5, BGE, GTE: a folder with config.json, model.safetensors, vocab.txt and perhaps 1_Pooling) as GGUF.
 *
 *   node tools/convert-bert.mjs FOLDER OUT.gguf [F32|Q8_0]
 *
 * Names and the spelling of the vocabulary are those of GGUF (docs/formats.md): a token that begins a word gets a space mark, "##x" becomes "x".
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { GgufWriter } from './gguf-writer.mjs';

/** Hugging Face's names -> GGUF's; layers: a number for the asterisk. */
const NAMES = Object.freeze({
  'embeddings.word_embeddings.weight': 'token_embd.weight',
  'embeddings.token_type_embeddings.weight': 'token_types.weight',
  'embeddings.position_embeddings.weight': 'position_embd.weight',
  'embeddings.LayerNorm': 'token_embd_norm',
  'encoder.layer.*.attention.self.query': 'blk.*.attn_q',
  'encoder.layer.*.attention.self.key': 'blk.*.attn_k',
  'encoder.layer.*.attention.self.value': 'blk.*.attn_v',
  'encoder.layer.*.attention.output.dense': 'blk.*.attn_output',
  'encoder.layer.*.attention.output.LayerNorm': 'blk.*.attn_output_norm',
  'encoder.layer.*.intermediate.dense': 'blk.*.ffn_up',
  'encoder.layer.*.output.dense': 'blk.*.ffn_down',
  'encoder.layer.*.output.LayerNorm': 'blk.*.layer_output_norm',
});

/** @param {string} name @returns {string | null} null: not part of an encoder (position ids, the pooler) */
function ggufName(name) {
  const plain = name.replace(/^bert\./, '');
  const layer = /\.layer\.(\d+)\./.exec(plain)?.[1] ?? '';
  const pattern = plain.replace(/\.layer\.\d+\./, '.layer.*.');
  const stem = pattern.replace(/\.(weight|bias)$/, '');
  const to = NAMES[/** @type {keyof NAMES} */ (pattern)] ?? NAMES[/** @type {keyof NAMES} */ (stem)];
  if (!to) return null;
  return `${to}${to.endsWith('.weight') ? '' : pattern.slice(stem.length)}`.replace('*', layer);
}

/** Tensors of a safetensors file, as float32. @param {string} file */
function* tensors(file) {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const head = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  for (const [name, tensor] of Object.entries(head)) {
    if (name === '__metadata__' || tensor.dtype === 'I64') continue;
    const { dtype, shape, data_offsets: [from, to] } = tensor;
    if (dtype !== 'F32') throw new Error(`${file}: ${name} is ${dtype}, only F32 is read`);
    yield { name, shape, values: new Float32Array(new Uint8Array(bytes.subarray(8 + length + from, 8 + length + to)).buffer) };
  }
}

/** @param {string} folder @returns {number} GGUF's number of the pooling */
function poolingOf(folder) {
  const file = path.join(folder, '1_Pooling', 'config.json');
  if (!existsSync(file)) return 1;
  const config = JSON.parse(readFileSync(file, 'utf8'));
  return config.pooling_mode_cls_token ? 2 : config.pooling_mode_lasttoken ? 3 : 1;
}

/** @param {GgufWriter} g @param {string} folder */
function addVocabulary(g, folder) {
  const words = readFileSync(path.join(folder, 'vocab.txt'), 'utf8').replace(/\n$/, '').split('\n');
  const special = (/** @type {string} */ w) => /^\[(PAD|UNK|CLS|SEP|MASK)\]$/.test(w);
  const config = existsSync(path.join(folder, 'tokenizer_config.json')) ? JSON.parse(readFileSync(path.join(folder, 'tokenizer_config.json'), 'utf8')) : {};
  g.set('tokenizer.ggml.model', 'string', 'bert').set('tokenizer.ggml.token_type_count', 'u32', 2);
  g.setArray('tokenizer.ggml.tokens', 'string', words.map((w) => (special(w) ? w : w.startsWith('##') ? w.slice(2) : `\u2581${w}`)));
  g.setArray('tokenizer.ggml.token_type', 'i32', words.map((w) => (special(w) ? 3 : 1)));
  for (const [key, word] of Object.entries({ padding: '[PAD]', unknown: '[UNK]', cls: '[CLS]', seperator: '[SEP]', mask: '[MASK]' })) g.set(`tokenizer.ggml.${key}_token_id`, 'u32', words.indexOf(word));
  if (config.do_lower_case === false) g.set('tokenizer.ggml.normalizer.lowercase', 'bool', false);
  if (typeof config.strip_accents === 'boolean') g.set('tokenizer.ggml.normalizer.strip_accents', 'bool', config.strip_accents);
}

/** @param {string} folder @param {'F32' | 'Q8_0'} type of matrices; tables of positions and types, norms and biases stay F32 @returns {Uint8Array} */
export function convertBert(folder, type) {
  const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
  if (config.model_type !== 'bert' || config.hidden_act !== 'gelu') throw new Error(`${folder}: ${config.model_type} with ${config.hidden_act} is no encoder that this tool knows`);
  const g = new GgufWriter();
  g.set('general.architecture', 'string', 'bert').set('general.name', 'string', path.basename(path.resolve(folder)));
  const numbers = {
    block_count: config.num_hidden_layers, embedding_length: config.hidden_size, context_length: config.max_position_embeddings,
    feed_forward_length: config.intermediate_size, 'attention.head_count': config.num_attention_heads, pooling_type: poolingOf(folder),
  };
  for (const [key, value] of Object.entries(numbers)) g.set(`bert.${key}`, 'u32', value);
  g.set('bert.attention.layer_norm_epsilon', 'f32', config.layer_norm_eps).set('bert.attention.causal', 'bool', false);
  addVocabulary(g, folder);
  for (const { name, shape, values } of tensors(path.join(folder, 'model.safetensors'))) {
    const to = ggufName(name);
    if (to) g.tensor(to, shape, shape.length === 2 && !/^(position_embd|token_types)/.test(to) ? type : 'F32', values);
  }
  return g.toBytes();
}

if (process.argv[1] && import.meta.url === new URL(`file://${path.resolve(process.argv[1])}`).href) {
  const [folder, out, type = 'F32'] = process.argv.slice(2);
  if (!folder || !out || (type !== 'F32' && type !== 'Q8_0')) {
    console.error('usage: node tools/convert-bert.mjs FOLDER OUT.gguf [F32|Q8_0]');
    process.exit(2);
  }
  writeFileSync(out, convertBert(folder, type));
}

// @ts-check
// Seeds of the hf target: the texts and safetensors heads of tiny folders, one behind the other, each with its length.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'corpus/hf');
mkdirSync(out, { recursive: true });
/** @param {Buffer} bytes */
const counted = (bytes) => { const n = Buffer.alloc(4); n.writeUInt32LE(bytes.length); return Buffer.concat([n, bytes]); };
/** @param {Record<string, number[]>} tensors @param {string} dtype @param {number} size */
function shard(tensors, dtype, size) {
  let at = 0;
  const head = Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(tensors).map(([name, shape]) => {
    const from = at;
    at += shape.reduce((a, b) => a * b, size);
    return [name, { dtype, shape, data_offsets: [from, at] }];
  }))));
  const n = Buffer.alloc(8);
  n.writeBigUInt64LE(BigInt(head.length));
  return Buffer.concat([n, head]);
}
/** @param {string} name @param {(object | string | null)[]} texts config, tokenizer, tokenizer_config, generation_config, pooling, template, RWKV's vocabulary @param {Buffer[]} shards */
const seed = (name, texts, ...shards) => writeFileSync(path.join(out, name), Buffer.concat(Array.from({ length: 7 }, (_, i) => counted(Buffer.from(typeof texts[i] === 'string' ? texts[i] : texts[i] ? JSON.stringify(texts[i]) : ''))).concat(shards.map(counted))));

const sizes = { hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 4, max_position_embeddings: 8, vocab_size: 5, rms_norm_eps: 1e-5 };
const layer = { 'model.layers.0.self_attn.q_proj.weight': [4, 4], 'model.layers.0.self_attn.k_proj.weight': [2, 4], 'model.layers.0.self_attn.k_proj.bias': [2] };
const bytes = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] };
seed('llama', [{ ...sizes, model_type: 'llama', hidden_act: 'silu', rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8 } },
  { added_tokens: [{ id: 3, content: '<s>', special: true }], model: { ...bytes, byte_fallback: true, unk_token: 'a', merges: [['a', 'b']] }, post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>' } }, {}] } },
  { bos_token: '<s>', eos_token: { content: 'b' }, chat_template: [{ name: 'default', template: 'x' }] }, { eos_token_id: [1, 2, 3] }, null], shard({ ...layer, 'model.norm.weight': [4] }, 'BF16', 2), shard({ 'lm_head.weight': [5, 4] }, 'F16', 2));
seed('mixtral', [{ ...sizes, model_type: 'mixtral', num_local_experts: 2, num_experts_per_tok: 1 }], shard({ 'model.layers.0.block_sparse_moe.experts.1.w1.weight': [4, 4], 'model.layers.0.block_sparse_moe.experts.0.w1.weight': [4, 4] }, 'F32', 4));
seed('qwen2', [{ ...sizes, model_type: 'qwen2', rope_scaling: { type: 'yarn', factor: 4 } }, { model: bytes, normalizer: { type: 'NFC' }, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, { type: 'ByteLevel' }] } }], shard(layer, 'F32', 4));
seed('phi3', [{ ...sizes, model_type: 'phi3', rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [2] } }], shard({ 'model.layers.0.mlp.gate_up_proj.weight': [8, 4] }, 'F32', 4));
seed('gemma3', [{ model_type: 'gemma3', text_config: { ...sizes, head_dim: 2, query_pre_attn_scalar: 2, layer_types: ['sliding_attention', 'full_attention'] } }], shard({ 'language_model.model.norm.weight': [4], 'vision_tower.x': [1] }, 'BF16', 2));
seed('bert', [{ ...sizes, model_type: 'bert', hidden_act: 'gelu', type_vocab_size: 2 }, { model: { type: 'WordPiece', vocab: { '[CLS]': 0, a: 1, '##b': 2 } }, normalizer: { type: 'BertNormalizer', lowercase: true, strip_accents: false } }, null, null, { pooling_mode_cls_token: true }], shard({ 'embeddings.LayerNorm.weight': [4], 'pooler.dense.weight': [4, 4] }, 'F32', 4));
seed('xlm-roberta', [{ ...sizes, model_type: 'xlm-roberta', hidden_act: 'gelu', type_vocab_size: 1, pad_token_id: 1, max_position_embeddings: 6, architectures: ['XLMRobertaForSequenceClassification'] }, { model: bytes, normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }] }, pre_tokenizer: { type: 'ByteLevel' }, post_processor: { type: 'RobertaProcessing' } }],
  shard({ 'roberta.embeddings.position_embeddings.weight': [6, 4], 'classifier.dense.weight': [4, 4], 'classifier.out_proj.bias': [1], 'lm_head.bias': [5] }, 'F16', 2));
const mixer = 'backbone.layers.0.mixer.';
seed('mamba', [{ model_type: 'mamba', hidden_size: 4, num_hidden_layers: 1, expand: 2, state_size: 2, conv_kernel: 2, time_step_rank: 1, layer_norm_epsilon: 1e-5, vocab_size: 5 }], shard({ [`${mixer}A_log`]: [8, 2], [`${mixer}conv1d.weight`]: [8, 1, 2], [`${mixer}D`]: [8] }, 'BF16', 2));
seed('mamba2', [{ model_type: 'mamba2', hidden_size: 4, num_hidden_layers: 1, intermediate_size: 8, num_heads: 2, n_groups: 2, time_step_limit: [0, 1e-1], vocab_size: 5 }], shard({ [`${mixer}A_log`]: [2], [`${mixer}norm.weight`]: [8], [`${mixer}dt_bias`]: [2] }, 'F32', 4));
seed('unigram', [{ ...sizes, model_type: 'bert', hidden_act: 'gelu', type_vocab_size: 2 }, { added_tokens: [{ id: 4, content: '<x>', special: true }], normalizer: { type: 'Sequence', normalizers: [{ type: 'Precompiled', precompiled_charsmap: 'BAAAAAAEAABhAA==' }, { type: 'Replace', pattern: { Regex: ' {2,}' } }] },
  pre_tokenizer: { type: 'Metaspace', prepend_scheme: 'always' }, model: { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ['a', -1.5], ['\u2581a', -2e-1], ['b', null]] } }], shard({ 'embeddings.LayerNorm.weight': [4] }, 'F32', 4));
const time = 'model.layers.0.attn.';
seed('rwkv7', [{ model_type: 'rwkv7', hidden_size: 4, num_hidden_layers: 1, head_dim: 64, norm_eps: 1e-5, vocab_size: 5 }, null, null, null, null, null, "1 '\\x00' 1\n2 b'\\xe6' 1\n3 \"\\u00e9'\" 3\n"],
  shard({ [`${time}x_r`]: [1, 1, 4], [`${time}x_w`]: [1, 1, 4], [`${time}x_k`]: [1, 1, 4], [`${time}x_v`]: [1, 1, 4], [`${time}x_a`]: [1, 1, 4], [`${time}x_g`]: [1, 1, 4], [`${time}a_lora.lora.2.bias`]: [4], [`${time}a_lora.lora.0.weight`]: [2, 4], [`${time}r_k`]: [2, 2] }, 'BF16', 2));

// @ts-check
// A Hugging Face folder of RWKV 7 (flash-linear-attention's layout) against the GGUF file with the same random weights; its vocabulary, which is a text of Python strings. No library's
// logits stand behind it: that the GGUF file is computed rightly is held by the fixtures of tests/unit/rwkv_test.c and parity.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { GgufWriter } from '../../tools/gguf-writer.mjs';
import { edgeNet, ok, temporary } from './cli.mjs';
import { safetensors } from './hf-folder.mjs';

const D = 128, HEADS = 2, FF = 96, LAYERS = 2, RANK = { w: 8, a: 6, v: 4, g: 10 };
/** Tokens from 1 on: as the vocabulary writes them, and what they are. @type {[string, string][]} */
const WORDS = [...Array.from({ length: 256 }, (_, b) => /** @type {[string, string]} */ ([`${b < 128 ? '' : 'b'}'\\x${b.toString(16).padStart(2, '0')}'`, `${String.fromCharCode(b)}`])),
  ["' the'", ' the'], ['"don\'t"', "don't"], ["'\\'\"'", '\'"'], ["'\\\\n'", '\\n'], ["'\\n\\n'", '\n\n'], ["'日本'", '日本'], ["'é'", 'é'], ["b'\\xe6\\x97'", '\xe6\x97'], ["'\\t\\r'", '\t\r']];
const VOCAB = WORDS.length + 1 + 3;
const CONFIG = { model_type: 'rwkv7', hidden_act: 'sqrelu', hidden_size: D, num_hidden_layers: LAYERS, intermediate_size: FF, head_dim: D / HEADS, num_heads: HEADS, norm_eps: 1e-5, vocab_size: VOCAB, max_position_embeddings: 2048, attn: null,
  tie_word_embeddings: false, decay_low_rank_dim: RANK.w, a_low_rank_dim: RANK.a, v_low_rank_dim: RANK.v, gate_low_rank_dim: RANK.g };

let state = 7;
/** @param {number[]} shape @param {number} scale @param {number} middle */
function random(shape, scale = 0.2, middle = 0) {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return middle + scale * (state / 2 ** 31 - 1); });
  return { shape, values };
}
/** @typedef {ReturnType<typeof random>} Weights */
/** GGUF's name, Hugging Face's, the weights, their shape there. @type {[string, string, Weights, number[]?][]} */
const TENSORS = [];
/** @param {string} gguf @param {string} hf @param {number[]} shape @param {number[]} [there] @param {number} [middle] */
const add = (gguf, hf, shape, there, middle) => { const w = random(shape, 0.2, middle); TENSORS.push([gguf, hf, w, there]); return w; };
const norm = (/** @type {string} */ gguf, /** @type {string} */ hf) => { add(`${gguf}.weight`, `${hf}.weight`, [D], undefined, 1); add(`${gguf}.bias`, `${hf}.bias`, [D]); };
add('token_embd.weight', 'model.embeddings.weight', [VOCAB, D]);
norm('token_embd_norm', 'model.layers.0.pre_norm');
norm('output_norm', 'model.norm');
add('output.weight', 'lm_head.weight', [VOCAB, D]);
/** @type {[string, Weights][]} */ const MIXES = [];
for (let i = 0; i < LAYERS; i++) {
  const blk = `blk.${i}.`, layer = `model.layers.${i}.`, attn = `${layer}attn.`;
  norm(`${blk}attn_norm`, `${layer}attn_norm`);
  norm(`${blk}attn_norm_2`, `${layer}ffn_norm`);
  norm(`${blk}time_mix_ln`, `${attn}g_norm`);
  for (const [gguf, hf] of [['receptance', 'r_proj'], ['key', 'k_proj'], ['value', 'v_proj'], ['output', 'o_proj']]) add(`${blk}time_mix_${gguf}.weight`, `${attn}${hf}.weight`, [D, D]);
  for (const name of ['k_k', 'k_a', 'r_k']) add(`${blk}time_mix_${name}.weight`, `${attn}${name}`, [D], name === 'r_k' ? [HEADS, D / HEADS] : [D], name === 'r_k' ? 0 : 1);
  for (const [letter, rank] of Object.entries(RANK)) {
    if (letter === 'v' && i === 0) continue;
    add(`${blk}time_mix_${letter}1.weight`, `${attn}${letter}_lora.lora.0.weight`, [rank, D]);
    add(`${blk}time_mix_${letter}2.weight`, `${attn}${letter}_lora.lora.2.weight`, [D, rank]);
    if (letter !== 'g') add(`${blk}time_mix_${letter}0.weight`, `${attn}${letter}_lora.lora.2.bias`, [D]);
  }
  MIXES.push([`${blk}time_mix_lerp_fused.weight`, random([6, D])]);
  add(`${blk}channel_mix_lerp_k.weight`, `${layer}ffn.x_k`, [D]);
  add(`${blk}channel_mix_key.weight`, `${layer}ffn.key.weight`, [FF, D]);
  add(`${blk}channel_mix_value.weight`, `${layer}ffn.value.weight`, [D, FF]);
}

function ggufFile() {
  const w = new GgufWriter().set('general.architecture', 'string', 'rwkv7').set('tokenizer.ggml.model', 'string', 'no_vocab');
  for (const [key, v] of Object.entries({ vocab_size: VOCAB, context_length: 1 << 20, embedding_length: D, block_count: LAYERS, feed_forward_length: FF, 'attention.head_count': 0, 'wkv.head_size': D / HEADS,
    'attention.decay_lora_rank': RANK.w, 'attention.iclr_lora_rank': RANK.a, 'attention.value_residual_mix_lora_rank': RANK.v, 'attention.gate_lora_rank': RANK.g })) w.set(`rwkv7.${key}`, 'u32', v);
  w.set('rwkv7.attention.layer_norm_epsilon', 'f32', 1e-5);
  for (const [name, , { shape, values }] of TENSORS) w.tensor(name, shape, 'F32', values);
  for (const [name, { values }] of MIXES) w.tensor(name, [6, 1, 1, D], 'F32', values);
  return temporary('rwkv7.gguf', w.toBytes());
}
const bytesOf = (/** @type {Float32Array} */ values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
/** @param {string} name @param {boolean} fused the six mixes in one tensor, as the first version has them @param {object} [config] @param {string} [vocab] */
function folder(name, fused, config = {}, vocab = WORDS.map(([text, bytes], i) => `${i + 1} ${text} ${bytes.length}\n`).join('')) {
  const dir = temporary(name);
  /** @type {import('./hf-folder.mjs').Tensor[]} */
  const tensors = TENSORS.map(([, hf, { shape, values }, there]) => ({ name: hf, shape: there ?? shape, bytes: bytesOf(values) }));
  MIXES.forEach(([, { values }], i) => {
    if (fused) tensors.push({ name: `model.layers.${i}.attn.x_x`, shape: [6, D], bytes: bytesOf(values) });
    else for (const letter of 'awgkrv') tensors.push({ name: `model.layers.${i}.attn.x_${letter}`, shape: [1, 1, D], bytes: bytesOf(values).subarray('rwkvag'.indexOf(letter) * 4 * D).subarray(0, 4 * D) });
  });
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ ...CONFIG, ...config }));
  writeFileSync(path.join(dir, 'model.safetensors'), safetensors(tensors));
  if (vocab) writeFileSync(path.join(dir, 'rwkv_vocab_v20230424.txt'), vocab);
  return dir;
}
/** @param {string} model */
function logits(model) {
  const out = temporary('logits.f32');
  ok('logits', model, '--tokens', '1,9,257,30,4,260,77,5', '--out', out, '--kernels', 'ref');
  return readFileSync(out);
}

test('a folder, its mixes apart or in one, computes what the GGUF file computes, and so does what it converts to', () => {
  const want = logits(ggufFile());
  assert.ok(new Float32Array(want.buffer, want.byteOffset, want.length / 4).every((x) => Number.isFinite(x) && x !== 0));
  for (const fused of [false, true]) {
    const dir = folder(`rwkv-${fused}`, fused), gguf = temporary(`rwkv-${fused}.gguf`);
    assert.ok(logits(dir).equals(want), `fused: ${fused}`);
    ok('convert', dir, gguf, '--quiet');
    assert.ok(logits(gguf).equals(want));
    const { metadata, tensors } = JSON.parse(ok('inspect', gguf, '--json').out), shape = (/** @type {string} */ name) => tensors.find((/** @type {{name: string}} */ t) => t.name === name)?.ne;
    assert.deepEqual([metadata['rwkv7.context_length'], metadata['rwkv7.attention.gate_lora_rank'], metadata['rwkv7.feed_forward_length']], [1 << 20, RANK.g, FF]);
    assert.deepEqual([shape('blk.0.time_mix_lerp_fused.weight'), shape('blk.0.time_mix_v1.weight'), shape('blk.1.time_mix_v1.weight')], [[D, 1, 1, 6], [D, RANK.a], [D, RANK.v]], 'as llama.cpp wants them');
  }
});

test('its vocabulary finds the longest token and gives back every byte', () => {
  const dir = folder('rwkv-vocab', false), encode = (/** @type {Buffer} */ text) => ok('tokens', dir, '-f', temporary('text.bin', text)).out.trim();
  const all = [...Array.from({ length: 256 }, (_, i) => i + 1), 257, 33, 258, 259, 260, 33, 261, 262, 263, 264, 265];
  const text = Buffer.concat(all.map((id) => Buffer.from(WORDS[id - 1]?.[1] ?? '', id <= 256 || id === 264 ? 'latin1' : 'utf8')));
  assert.equal(encode(text), all.join(' '));
  assert.ok(ok('detokenize', dir, '--tokens', all.join()).bytes.equals(text));
  const { metadata } = JSON.parse(ok('inspect', dir, '--json').out);
  assert.deepEqual(['bos', 'eos', 'eot'].map((name) => metadata[`tokenizer.ggml.${name}_token_id`]), [0, 0, 261]);
});

test('what it cannot be is told', () => {
  const err = (/** @type {string} */ dir) => edgeNet('inspect', dir).err;
  assert.match(err(folder('rwkv-gap', false, {}, "1 'a' 1\n3 'b' 1\n")), /rwkv_vocab_v20230424\.txt: token 3 stands where token 2 of 269 belongs/);
  assert.match(err(folder('rwkv-bad', false, {}, "1 'a' 1\n2 'b\n")), /the line of token 2 is none of a vocabulary/);
  assert.match(err(folder('rwkv-eps', false, { norm_eps: 1e-3 })), /head_dim times norm_eps = 0\.064 is not supported/);
  assert.match(err(folder('rwkv-attn', false, { attn: { layers: [1] } })), /rwkv7 with layers of attention is not supported/);
});

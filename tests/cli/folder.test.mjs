// @ts-check
// Hugging Face folders: written here from a GGUF file by going the converter's way backwards, they must give that file's logits bit by bit; tokenizer.json
// must give the ids of the published GGUF vocabularies. (What PyTorch itself writes: tests/peers/transformers.test.mjs.)
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, home, needs, ok, shared, temporary } from './cli.mjs';

const json = (/** @type {string[]} */ ...args) => JSON.parse(ok(...args).out);
/** @typedef {{ name: string, shape: number[], bytes: Buffer }} Tensor */

/** A safetensors file of F32 tensors. @param {Tensor[]} tensors */
function safetensors(tensors) {
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
function folder(name, { shards = 1, config = {}, texts = {}, vocab = home } = {}) {
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
/** @param {string} model */
function logits(model) {
  const out = temporary('logits.f32');
  ok('logits', model, '--tokens', '1,5,9,2,7', '--out', out);
  return readFileSync(out);
}

test('a folder gives the logits of the file it stands for, from one safetensors file and from three', () => {
  for (const shards of [1, 3]) {
    const { file, dir } = folder(`llama-${shards}`, { shards });
    const want = logits(file);
    assert.ok(logits(dir).equals(want));
    const out = temporary('converted.gguf');
    ok('convert', dir, out, '--quiet');
    assert.ok(logits(out).equals(want));
    assert.equal(json('inspect', out, '--json').metadata['general.name'], `llama-${shards}`);
    ok('convert', dir, out, '--type', 'Q8_0', '--quiet');
    assert.equal(json('inspect', out, '--json').main_type, 'Q8_0');
  }
});

test('llama 3 rope factors become a tensor of their own', () => {
  const { dir } = folder('llama-3', { config: { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }, rope_theta: 500000 } });
  const { tensors, metadata } = json('inspect', dir, '--json');
  assert.deepEqual([tensors[0].name, tensors[0].ne, metadata['llama.rope.freq_base']], ['rope_freqs.weight', [4], 500000]);
});

/** @type {[string, string, Record<string, object>][]} */
const VOCABULARIES = [
  ['gpt2', 'ggml-vocab-gpt-2', { 'tokenizer_config.json': { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>' } }],
  ['phi-3-mini', 'ggml-vocab-phi-3', { 'tokenizer_config.json': { bos_token: '<s>', eos_token: { content: '<|endoftext|>' }, chat_template: [{ name: 'other', template: 'no' }, { name: 'default', template: 'yes' }] } }],
];
for (const [hf, gguf, texts] of VOCABULARIES) {
  test(`tokenizer.json of ${hf} gives the ids of ${gguf}`, needs(`data/tokenizers/hf/${hf}/tokenizer.json`), () => {
    const vocabulary = path.join(shared, 'data/tokenizers/gguf-vocab', `${gguf}.gguf`), source = path.join(shared, 'data/tokenizers/hf', hf, 'tokenizer.json');
    const { dir } = folder(`tok-${hf}`, { vocab: vocabulary, texts: { ...texts, 'tokenizer.json': readFileSync(source, 'utf8') } });
    const { metadata } = json('inspect', dir, '--json');
    assert.equal(metadata['tokenizer.chat_template'], hf === 'gpt2' ? undefined : 'yes');
    const inputs = readFileSync(`${vocabulary}.inp`, 'utf8').split('\n__ggml_vocab_test__\n');
    assert.ok(inputs.length > 20);
    for (const text of [...inputs, 'The quick brown fox\u2019s 12345 jumps \u65e5\u672c\u8a9e \u{1f642}\n\n']) {
      const file = temporary('text.txt', text);
      assert.equal(ok('tokens', dir, '-f', file, '--no-bos').out, ok('tokens', vocabulary, '-f', file, '--no-bos').out, JSON.stringify(text));
    }
  });
}

test('what a folder lacks or what we do not know is told in one sentence', () => {
  const { dir } = folder('broken');
  const config = JSON.parse(readFileSync(path.join(dir, 'config.json'), 'utf8')), weights = readFileSync(path.join(dir, 'model.safetensors'));
  /** @param {object} change @param {RegExp} pattern */
  const refused = (change, pattern) => {
    writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ ...config, ...change }));
    const { code, err } = edgeNet('inspect', dir);
    assert.equal(code, 1);
    assert.match(err, pattern);
  };
  refused({ model_type: 'falcon' }, /models of type "falcon" are not supported/);
  refused({ hidden_act: 'gelu' }, /llama with the activation "gelu" is not supported/);
  refused({ rope_scaling: { rope_type: 'dynamic' } }, /rope_scaling is not supported/);
  refused({ num_attention_heads: 5 }, /rows that are no whole heads/);
  writeFileSync(path.join(dir, 'config.json'), '{"model_type": ');
  assert.match(edgeNet('inspect', dir).err, /config\.json is not well-formed JSON/);
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify(config));
  writeFileSync(path.join(dir, 'model.safetensors'), weights.subarray(0, -100));
  assert.match(edgeNet('logits', dir, '--tokens', '1', '--out', temporary('x.f32')).err, /file 1 of the model is cut short/);
  writeFileSync(path.join(dir, 'model.safetensors'), weights.subarray(0, 100));
  assert.match(edgeNet('inspect', dir).err, /model\.safetensors ends inside its head/);
  writeFileSync(path.join(dir, 'model.safetensors'), safetensors([{ name: 'model.layers.0.strange.weight', shape: [4], bytes: Buffer.alloc(16) }]));
  assert.match(edgeNet('inspect', dir).err, /tensor model\.layers\.0\.strange\.weight is not part of a llama model/);
  assert.ok(existsSync(dir) && readdirSync(dir).length > 1);
});

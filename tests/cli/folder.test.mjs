// @ts-check
// Hugging Face folders: written here from a GGUF file by going the converter's way backwards, they must give that file's logits bit by bit; tokenizer.json
// must give the ids of the published GGUF vocabularies. (What PyTorch itself writes: tests/peers/transformers.test.mjs.)
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, needs, ok, shared, temporary } from './cli.mjs';
import { folder, json, normalized, safetensors } from './hf-folder.mjs';

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

test('rope_parameters of transformers 5 are read as the keys of before, for each kind of layer', () => {
  const keys = (/** @type {string} */ name, /** @type {object} */ config) => {
    const { metadata } = json('inspect', folder(name, { config: { rope_theta: undefined, ...config } }).dir, '--json');
    return ['freq_base', 'freq_base_swa', 'dimension_count'].map((key) => metadata[`llama.rope.${key}`]);
  };
  assert.deepEqual(keys('rope-5', { rope_parameters: { rope_type: 'default', rope_theta: 5e5, partial_rotary_factor: 0.5 } }), [5e5, undefined, 4]);
  assert.deepEqual(keys('rope-4', { rope_theta: 5e5, partial_rotary_factor: 0.5 }), [5e5, undefined, 4]);
  const layers = { full_attention: { rope_type: 'default', rope_theta: 1e6 }, sliding_attention: { rope_type: 'default', rope_theta: 1e4 } };
  assert.deepEqual(keys('rope-layers', { rope_parameters: layers }), [1e6, 1e4, 8]);
  assert.deepEqual(keys('rope-layers-4', { rope_theta: 1e6, rope_local_base_freq: 1e4 }), [1e6, 1e4, 8]);
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

test('text gets the normal form that the vocabulary asks for, before and after conversion; other normalizers are refused', () => {
  const decomposed = 'cafe\u0301 \ufb01 \u1112\u1161\u11ab\n', file = temporary('decomposed.txt', decomposed);
  const idsOf = (/** @type {string} */ text) => [...Buffer.from(text)].join(' '); // every byte is a token, in the order that `alphabet` has them
  const ids = (/** @type {string} */ model) => ok('tokens', model, '-f', file, '--no-bos').out.trim();
  /** @type {[unknown, string][]} */
  const cases = [[null, decomposed], [{ type: 'NFC' }, decomposed.normalize('NFC')], [{ type: 'Sequence', normalizers: [{ type: 'NFKD' }] }, decomposed.normalize('NFKD')], [{ type: 'Sequence', normalizers: [] }, decomposed]];
  for (const [i, [normalizer, want]] of cases.entries()) {
    const { dir } = folder(`normal-${i}`, { texts: normalized(normalizer) }), out = temporary(`normal-${i}-out.gguf`);
    ok('convert', dir, out, '--quiet');
    assert.equal(ids(dir), idsOf(want), JSON.stringify(normalizer));
    assert.equal(ids(out), idsOf(want));
  }
  for (const [i, normalizer] of [{ type: 'Lowercase' }, { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'NFKC' }] }].entries())
    assert.match(edgeNet('inspect', folder(`normal-refused-${i}`, { texts: normalized(normalizer) }).dir).err, /its normalizer has the step "(Lowercase|NFKC)", which we do not know there/);
});

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

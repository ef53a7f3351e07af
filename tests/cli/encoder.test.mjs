// @ts-check
// Hugging Face folders of encoders with random weights: RoBERTa and XLM-R are BERT with positions that begin behind the padding's id; rankers have a head more. (What PyTorch
// itself computes: tests/peers/transformers.test.mjs.)
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, ok, temporary } from './cli.mjs';
import { safetensors } from './hf-folder.mjs';

const D = 16, FF = 24, VOCAB = 40, POSITIONS = 32, TOKENS = '0,5,9,3,7,39,2';
const CONFIG = { hidden_size: D, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: FF, max_position_embeddings: POSITIONS, hidden_act: 'gelu', layer_norm_eps: 1e-12, type_vocab_size: 1, vocab_size: VOCAB };

let state = 1;
/** Numbers around 0, the same on every machine. @param {number[]} shape */
function random(...shape) {
  const numbers = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32 - 0.5; });
  return { shape, bytes: Buffer.from(numbers.buffer) };
}
const linear = (/** @type {string} */ name, /** @type {number} */ rows, /** @type {number} */ cols) => ({ [`${name}.weight`]: random(rows, cols), [`${name}.bias`]: random(rows) });
const norm = (/** @type {string} */ name) => ({ [`${name}.weight`]: random(D), [`${name}.bias`]: random(D) });
/** @type {Record<string, {shape: number[], bytes: Buffer}>} */
const BODY = {
  'embeddings.word_embeddings.weight': random(VOCAB, D), 'embeddings.token_type_embeddings.weight': random(1, D), 'embeddings.position_embeddings.weight': random(POSITIONS, D), ...norm('embeddings.LayerNorm'),
  ...Object.assign({}, ...[0, 1].map((i) => {
    const layer = `encoder.layer.${i}.`;
    return { ...linear(`${layer}attention.self.query`, D, D), ...linear(`${layer}attention.self.key`, D, D), ...linear(`${layer}attention.self.value`, D, D), ...linear(`${layer}attention.output.dense`, D, D),
      ...norm(`${layer}attention.output.LayerNorm`), ...linear(`${layer}intermediate.dense`, FF, D), ...linear(`${layer}output.dense`, D, FF), ...norm(`${layer}output.LayerNorm`) };
  })),
};
const HEAD = { ...linear('dense', D, D), ...linear('out', 1, D) };
const positions = /** @type {{shape: number[], bytes: Buffer}} */ (BODY['embeddings.position_embeddings.weight']);
/** The same positions behind `n` rows that stand for none. @param {number} n */
const behind = (n) => ({ ...BODY, 'embeddings.position_embeddings.weight': { shape: [POSITIONS + n, D], bytes: Buffer.concat([random(n, D).bytes, positions.bytes]) } });

/** @param {string} name @param {object} config @param {typeof BODY} tensors */
function folder(name, config, tensors) {
  const dir = temporary(name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ ...CONFIG, ...config }));
  writeFileSync(path.join(dir, 'model.safetensors'), safetensors(Object.entries(tensors).map(([tensor, t]) => ({ name: tensor, ...t }))));
  return dir;
}
/** @param {string} model @param {string} pooling */
function embed(model, pooling = 'none') {
  const out = temporary('rows.f32');
  ok('embed', model, '--tokens', TOKENS, '--pooling', pooling, '--raw', '--out', out, '--kernels', 'ref');
  const bytes = readFileSync(out);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

test('RoBERTa and XLM-R give what BERT gives from the same weights, directly and converted', () => {
  const want = embed(folder('bert', { model_type: 'bert' }, BODY));
  assert.ok(want.length === 7 * D && want.every(Number.isFinite));
  for (const [type, padding, prefix] of /** @type {[string, number, string][]} */ ([['xlm-roberta', 1, ''], ['roberta', 1, 'roberta.'], ['xlm-roberta', 3, 'roberta.']])) {
    const rows = padding + 1, tensors = Object.fromEntries(Object.entries(behind(rows)).map(([name, t]) => [prefix + name, t]));
    const dir = folder(`${type}-${padding}`, { model_type: type, max_position_embeddings: POSITIONS + rows, pad_token_id: padding }, tensors), gguf = temporary(`${type}-${padding}.gguf`);
    ok('convert', dir, gguf, '--quiet');
    assert.deepEqual(embed(dir), want, type);
    assert.deepEqual(embed(gguf), want, type);
    assert.equal(JSON.parse(ok('inspect', gguf, '--json').out).metadata['bert.context_length'], POSITIONS);
  }
  assert.match(edgeNet('inspect', folder('too-few', { model_type: 'xlm-roberta', pad_token_id: POSITIONS }, BODY)).err, /position_embeddings\.weight has no row for a position behind the first 33/);
});

test('rankers score by their classifier, other models of the family leave it out', () => {
  const body = embed(folder('bert', { model_type: 'bert' }, BODY)), first = [...body.subarray(0, D)];
  const numbers = (/** @type {keyof typeof HEAD} */ name) => { const { bytes } = /** @type {{bytes: Buffer}} */ (HEAD[name]); return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4); };
  const [w, b, wOut, bOut] = [numbers('dense.weight'), numbers('dense.bias'), numbers('out.weight'), numbers('out.bias')];
  const hidden = Array.from({ length: D }, (_, r) => Math.tanh(first.reduce((sum, x, c) => sum + x * w[r * D + c], b[r])));
  const want = hidden.reduce((sum, x, i) => sum + x * wOut[i], bOut[0]);
  const named = (/** @type {string} */ dense, /** @type {string} */ out) => ({ [`${dense}.weight`]: HEAD['dense.weight'], [`${dense}.bias`]: HEAD['dense.bias'], [`${out}.weight`]: HEAD['out.weight'], [`${out}.bias`]: HEAD['out.bias'] });
  const rankers = {
    bert: folder('bert-ranker', { model_type: 'bert', architectures: ['BertForSequenceClassification'] }, { ...BODY, ...named('pooler.dense', 'classifier') }),
    'xlm-roberta': folder('xlm-ranker', { model_type: 'xlm-roberta', architectures: ['XLMRobertaForSequenceClassification'], max_position_embeddings: POSITIONS + 2, pad_token_id: 1 }, { ...behind(2), ...named('classifier.dense', 'classifier.out_proj') }),
  };
  for (const [type, dir] of Object.entries(rankers)) {
    const [score] = embed(dir, 'rank');
    assert.ok(Math.abs(score - want) < 1e-5, `${type}: ${score}, not ${want}`);
    const { metadata, tensors } = JSON.parse(ok('inspect', dir, '--json').out);
    assert.equal(metadata['bert.pooling_type'], 4);
    assert.ok(tensors.some((/** @type {{name: string}} */ t) => t.name === 'cls.output.weight'));
  }
  const plain = JSON.parse(ok('inspect', folder('bert-pooler', { model_type: 'bert', architectures: ['BertModel'] }, { ...BODY, ...named('pooler.dense', 'classifier') }), '--json').out);
  assert.ok(!plain.tensors.some((/** @type {{name: string}} */ t) => t.name.startsWith('cls')));
});

test('a pair has one separator after BERT\'s manner and two after RoBERTa\'s, as tokenizer.json or the file says', () => {
  const vocab = Object.fromEntries(['<s>', '<pad>', '</s>', 'a', 'b', 'c', '\u0120', 'ab'].map((token, i) => [token, i])), added = [0, 1, 2].map((id) => ({ id, content: Object.keys(vocab)[id], special: true }));
  const special = (/** @type {string} */ id) => ({ SpecialToken: { id, type_id: 0 } }), text = (/** @type {string} */ id) => ({ Sequence: { id, type_id: 0 } });
  const template = (/** @type {number} */ between) => ({ type: 'TemplateProcessing', single: [special('<s>'), text('A'), special('</s>')], pair: [special('<s>'), text('A'), ...Array(between).fill(special('</s>')), text('B'), special('</s>')] });
  const ranker = (/** @type {string} */ name, /** @type {object} */ post_processor) => {
    const dir = folder(name, { model_type: 'roberta', architectures: ['RobertaForSequenceClassification'], max_position_embeddings: POSITIONS + 2, pad_token_id: 1 },
      { ...behind(2), 'classifier.dense.weight': HEAD['dense.weight'], 'classifier.dense.bias': HEAD['dense.bias'], 'classifier.out_proj.weight': HEAD['out.weight'], 'classifier.out_proj.bias': HEAD['out.bias'] });
    writeFileSync(path.join(dir, 'tokenizer.json'), JSON.stringify({ added_tokens: added, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false }, post_processor, model: { type: 'BPE', vocab, merges: ['a b'] } }));
    writeFileSync(path.join(dir, 'tokenizer_config.json'), JSON.stringify({ bos_token: '<s>', eos_token: '</s>', sep_token: '</s>', cls_token: '<s>', pad_token: '<pad>' }));
    return dir;
  };
  /** @param {string} model @param {string[]} input */
  const score = (model, ...input) => {
    const out = temporary('score.f32');
    ok('embed', model, ...input, '--pooling', 'rank', '--raw', '--out', out, '--kernels', 'ref');
    return readFileSync(out).readFloatLE();
  };
  const posts = { 'two-by-template': template(2), 'two-by-kind': { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0] }, 'one-by-template': template(1) };
  const ids = (/** @type {number} */ between) => ['--tokens', [0, 3, 6, 4, ...Array(between).fill(2), 5, 2].join()];
  for (const [name, post] of Object.entries(posts)) {
    const dir = ranker(name, post), gguf = temporary(`${name}.gguf`), wanted = name.startsWith('two') ? 2 : 1;
    ok('convert', dir, gguf, '--quiet');
    for (const model of [dir, gguf]) {
      assert.equal(score(model, '--query', 'a b', '-p', 'c'), score(model, ...ids(wanted)), name);
      assert.notEqual(score(model, ...ids(wanted)), score(model, ...ids(3 - wanted)));
    }
    assert.equal(score(gguf, '-p', 'a b'), score(gguf, '--tokens', '0,3,6,4,2'), 'a text alone has one');
  }
});

// @ts-check
/**
 * An adapter trained here, written for llama.cpp and for PEFT, gives the same logits there. Optional (`npm run test:peers`): needs npm and PyPI for the
 * peers, which are installed under build/peers, and the native CLI (`npm run build`).
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { againstLlama, python, ROOT } from '../../bench/peers/install.mjs';
import { GgufWriter } from '../../tools/gguf-writer.mjs';

const EDGE_NET = process.env.EDGE_NET_CLI ?? path.join(ROOT, 'build', 'native', 'edge-net');
const D = 64, FF = 96, HEADS = 4, KV = 2, LAYERS = 3;

/** Uniform values of a given deviation, the same on every run. @param {number} seed */
function uniform(seed) {
  let state = seed;
  return (/** @type {number} */ n, /** @type {number} */ deviation, offset = 0) => Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return offset + (state / 2 ** 32 - 0.5) * Math.sqrt(12) * deviation;
  });
}

/** A small model in F32 whose tokens are the bytes. @param {'llama' | 'qwen2'} arch */
function tinyModel(arch) {
  const tokens = ['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`)];
  const file = new GgufWriter(), values = uniform(arch.length), head = D / HEADS;
  file.set('general.architecture', 'string', arch).set(`${arch}.context_length`, 'u32', 128).set(`${arch}.embedding_length`, 'u32', D).set(`${arch}.block_count`, 'u32', LAYERS)
    .set(`${arch}.feed_forward_length`, 'u32', FF).set(`${arch}.attention.head_count`, 'u32', HEADS).set(`${arch}.attention.head_count_kv`, 'u32', KV)
    .set(`${arch}.attention.layer_norm_rms_epsilon`, 'f32', 1e-5).set(`${arch}.rope.dimension_count`, 'u32', head).set(`${arch}.rope.freq_base`, 'f32', 10000)
    .set('tokenizer.ggml.model', 'string', 'llama').setArray('tokenizer.ggml.tokens', 'string', tokens).setArray('tokenizer.ggml.scores', 'f32', tokens.map(() => 0))
    .setArray('tokenizer.ggml.token_type', 'i32', tokens.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : 6)))
    .set('tokenizer.ggml.bos_token_id', 'u32', 1).set('tokenizer.ggml.eos_token_id', 'u32', 2).set('tokenizer.ggml.unknown_token_id', 'u32', 0);
  const matrix = (/** @type {string} */ name, /** @type {number} */ rows, /** @type {number} */ columns) => file.tensor(name, [rows, columns], 'F32', values(rows * columns, columns ** -0.5));
  const vector = (/** @type {string} */ name, /** @type {number} */ n, offset = 0) => file.tensor(name, [n], 'F32', values(n, 0.1, offset));
  matrix('token_embd.weight', tokens.length, D);
  for (let l = 0; l < LAYERS; l++) {
    const at = (/** @type {string} */ name) => `blk.${l}.${name}`;
    vector(at('attn_norm.weight'), D, 1), vector(at('ffn_norm.weight'), D, 1);
    matrix(at('attn_q.weight'), D, D), matrix(at('attn_k.weight'), KV * head, D), matrix(at('attn_v.weight'), KV * head, D), matrix(at('attn_output.weight'), D, D);
    if (arch === 'qwen2') vector(at('attn_q.bias'), D), vector(at('attn_k.bias'), KV * head), vector(at('attn_v.bias'), KV * head);
    matrix(at('ffn_gate.weight'), FF, D), matrix(at('ffn_up.weight'), FF, D), matrix(at('ffn_down.weight'), D, FF);
  }
  vector('output_norm.weight', D, 1);
  matrix('output.weight', tokens.length, D);
  return file.toBytes();
}

/** @param {string} file */
const floats = (file) => { const b = fs.readFileSync(file); return new Float32Array(b.buffer, b.byteOffset, b.length / 4); };

/** @param {Float32Array} a @param {Float32Array} b */
function relativeRms(a, b) {
  assert.equal(a.length, b.length);
  let difference = 0, size = 0;
  a.forEach((v, i) => { difference += (v - b[i]) ** 2, size += b[i] ** 2; });
  return Math.sqrt(difference / size);
}

for (const arch of /** @type {const} */ (['llama', 'qwen2'])) {
  for (const rslora of [false, true]) {
    test(`${arch}${rslora ? ', rsLoRA' : ''}: trained here, the same logits in llama.cpp and in PyTorch with PEFT`, (t) => {
      const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-net-peers-'));
      t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
      const at = (/** @type {string} */ name) => path.join(dir, name);
      const model = at('model.gguf'), ids = [1, ...Array.from('the same everywhere', (c) => 3 + c.charCodeAt(0))].join(',');
      fs.writeFileSync(model, tinyModel(arch));
      fs.writeFileSync(at('data.jsonl'), ['one and two', 'two and three', 'three and four', 'the same as before'].map((text) => `${JSON.stringify({ text })}\n`).join(''));
      const more = rslora ? ['--rslora'] : [];
      execFileSync(EDGE_NET, ['train', model, '--data', at('data.jsonl'), '--out', at('adapter.gguf'), '--rank', '4', '--alpha', '6', '--lr', '0.02', '--epochs', '20', '--quiet', ...more]);
      execFileSync(EDGE_NET, ['adapter', 'convert', at('adapter.gguf'), '--base', model, '--out', at('peft'), ...more]);
      const logits = (/** @type {string} */ name, /** @type {string[]} */ ...args) => {
        execFileSync(EDGE_NET, ['logits', model, '--tokens', ids, '--kernels', 'ref', '--out', at(name), ...args]);
        return floats(at(name));
      };
      const ours = logits('ours.f32', '--adapter', at('adapter.gguf'));
      const moved = relativeRms(ours, logits('base.f32'));
      assert.ok(moved > 0.1, `training moved the logits by ${moved}`);

      const { program, libraries } = againstLlama(path.join(ROOT, 'tests', 'peers', 'llama_logits.c'), 'llama_logits');
      execFileSync(program, [libraries, model, at('llama.f32'), ids, at('adapter.gguf'), '1']);
      const toLlama = relativeRms(ours, floats(at('llama.f32')));
      execFileSync(python(), [path.join(ROOT, 'tests', 'peers', 'peft_logits.py'), model, at('peft'), ids, at('peft.f32')], { stdio: ['ignore', 'pipe', 'inherit'] });
      const toPeft = relativeRms(ours, floats(at('peft.f32')));
      t.diagnostic(`relative RMS to llama.cpp ${toLlama.toExponential(1)}, to PEFT ${toPeft.toExponential(1)} (the adapter moves the logits by ${moved.toFixed(2)})`);
      assert.ok(toLlama < 1e-4, `llama.cpp: ${toLlama}`);
      assert.ok(toPeft < 1e-5, `PEFT: ${toPeft}`);
    });
  }
}

/** Tensors of a safetensors file of F32. @param {string} file @returns {Map<string, Float32Array>} */
function tensorsOf(file) {
  const bytes = fs.readFileSync(file), n = Number(bytes.readBigUInt64LE(0)), head = JSON.parse(bytes.toString('utf8', 8, 8 + n));
  delete head.__metadata__;
  return new Map(Object.entries(head).map(([name, { data_offsets: [from, to] }]) => [name, new Float32Array(bytes.buffer.slice(bytes.byteOffset + 8 + n + from, bytes.byteOffset + 8 + n + to))]));
}

for (const arch of /** @type {const} */ (['llama', 'qwen2'])) {
  test(`${arch}, DoRA: the same steps of SGD here and in PyTorch with PEFT, from the same start to the same numbers and logits`, (t) => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-net-peers-'));
    t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
    const at = (/** @type {string} */ name) => path.join(dir, name), model = at('model.gguf'), steps = 12, rate = 0.2;
    const texts = ['one and two', 'two and three', 'three and four', 'the same as before'], idsOf = (/** @type {string} */ text) => [1, ...Array.from(` ${text}`, (c) => 3 + c.charCodeAt(0)), 2];
    fs.writeFileSync(model, tinyModel(arch));
    fs.writeFileSync(at('data.jsonl'), texts.map((text) => `${JSON.stringify({ text })}\n`).join(''));
    const train = (/** @type {string} */ out, /** @type {number} */ n, /** @type {number} */ lr) => execFileSync(EDGE_NET, ['train', model, '--data', at('data.jsonl'), '--out', at(out), '--dora', '--rank', '4', '--alpha', '6', '--optimizer', 'sgd',
      '--schedule', 'constant', '--clip', '0', '--batch', '4', '--steps', String(n), '--lr', String(lr), '--kernels', 'ref', '--loss-csv', at(`${out}.csv`), '--quiet']);
    train('start', 1, 0);
    train('ours', steps, rate);
    const ours = fs.readFileSync(at('ours.csv'), 'utf8').trim().split('\n').slice(1).map((line) => Number(line.split(',')[3]));
    const theirs = JSON.parse(execFileSync(python(), [path.join(ROOT, 'tests', 'peers', 'peft_train.py'), model, at('start'), JSON.stringify(texts.map(idsOf)), String(steps), String(rate), at('theirs')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
    ours.forEach((loss, i) => assert.ok(Math.abs(loss / theirs[i] - 1) < 1e-4, `step ${i}: ${loss} ${theirs[i]}`));
    assert.ok(ours[steps - 1] < 0.9 * ours[0]);
    const start = tensorsOf(at('start/adapter_model.safetensors')), a = tensorsOf(at('ours/adapter_model.safetensors')), b = tensorsOf(at('theirs/adapter_model.safetensors'));
    assert.deepEqual([...a.keys()].sort(), [...b.keys()].sort());
    const moved = (/** @type {Map<string, Float32Array>} */ m, /** @type {string} */ name) => Float32Array.from(/** @type {Float32Array} */ (m.get(name)), (v, i) => v - /** @type {Float32Array} */ (start.get(name))[i]);
    const worst = { lora_A: 0, lora_B: 0, lora_magnitude_vector: 0 };
    for (const name of a.keys()) for (const kind of /** @type {(keyof typeof worst)[]} */ (Object.keys(worst))) if (name.includes(kind)) worst[kind] = Math.max(worst[kind], relativeRms(moved(a, name), moved(b, name)));
    t.diagnostic(`what ${steps} steps moved differs by ${Object.entries(worst).map(([kind, v]) => `${v.toExponential(1)} (${kind})`).join(', ')}; losses ${ours[0].toFixed(3)} to ${ours[steps - 1].toFixed(3)}`);
    for (const [kind, v] of Object.entries(worst)) assert.ok(v < 1e-3, `${kind}: ${v}`);
    const ids = idsOf('the same everywhere').slice(0, -1).join(',');
    execFileSync(EDGE_NET, ['logits', model, '--tokens', ids, '--kernels', 'ref', '--out', at('ours.f32'), '--adapter', at('ours')]);
    execFileSync(python(), [path.join(ROOT, 'tests', 'peers', 'peft_logits.py'), model, at('ours'), ids, at('peft.f32')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const toPeft = relativeRms(floats(at('ours.f32')), floats(at('peft.f32')));
    assert.ok(toPeft < 1e-5, `PEFT: ${toPeft}`);
  });
}

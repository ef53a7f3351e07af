// @ts-check
/**
 * Folders that the transformers library writes (tiny random models of every family, hf_models.py) load directly and compute what it computes: logits, or hidden
 * rows, within 1e-5; texts become the ids of its fast tokenizers; a converted file is the same model. Optional (`npm run test:peers`): EDGE_NET_PYTHON names a
 * Python with torch and transformers, and EDGE_NET_HF_MODELS, if it is set, a folder where the models are kept.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const command = path.join(root, 'build/native/edge-net');
const python = process.env.EDGE_NET_PYTHON ?? '';
const skip = python ? false : 'skipped: EDGE_NET_PYTHON names no Python with torch and transformers';
if (skip) console.log(skip);

/** Made by an earlier run, or here. */
const given = process.env.EDGE_NET_HF_MODELS;
const folder = given ?? mkdtempSync(path.join(os.tmpdir(), 'edge-net-hf-'));
after(() => { if (!given) rmSync(folder, { recursive: true, force: true }); });

const edgeNet = (/** @type {string[]} */ ...args) => execFileSync(command, args, { maxBuffer: 1 << 28 });
/** @param {string} file */
function floats(file) {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
/** sqrt(sum (got - want)^2 / sum want^2) @param {Float32Array} got @param {Float32Array} want */
function relativeRms(got, want) {
  assert.equal(got.length, want.length);
  let error = 0, sum = 0;
  want.forEach((w, i) => { error += (/** @type {number} */ (got[i]) - w) ** 2; sum += w ** 2; });
  return Math.sqrt(error / sum);
}

test('make the models', { skip }, () => {
  if (given && readdirSync(given).length) return;
  const done = spawnSync(python, [path.join(root, 'tests/peers/hf_models.py'), folder], { encoding: 'utf8', env: { ...process.env, TRANSFORMERS_VERBOSITY: 'error' } });
  assert.equal(done.status, 0, done.stderr);
});

test('every folder loads directly and computes what PyTorch computes', { skip }, async (t) => {
  const names = readdirSync(folder).filter((f) => f.endsWith('.f32')).map((f) => f.slice(0, -4)).sort();
  assert.ok(names.length >= 19);
  for (const name of names) await t.test(name, () => {
    const model = path.join(folder, name), out = path.join(os.tmpdir(), `edge-net-${process.pid}.f32`), gguf = `${out}.gguf`, text = `${out}.txt`;
    try {
      const { tokens, kind, texts } = JSON.parse(readFileSync(`${model}.json`, 'utf8'));
      const run = (/** @type {string} */ file) => {
        if (kind === 'logits') edgeNet('logits', file, '--tokens', tokens.join(), '--out', out, '--ctx', '64', '--kernels', 'ref'); // phi3-long: its short factors hold up to there
        else edgeNet('embed', file, '--tokens', tokens.join(), '--out', out, '--pooling', kind === 'rank' ? 'rank' : 'none', '--raw', '--kernels', 'ref');
        return floats(out);
      };
      const got = run(model), error = relativeRms(got, floats(`${model}.f32`));
      t.diagnostic(`${name}: ${error.toExponential(2)}`);
      assert.ok(error < 1e-5, `${name}: relative error ${error}`);
      edgeNet('convert', model, gguf, '--quiet');
      assert.deepEqual(run(gguf), got, 'the converted file is the same model');
      for (const [input, ids] of texts) {
        writeFileSync(text, input);
        const behind = kind === 'logits' ? 0 : 1; // the command leaves out the token that ends a text
        assert.deepEqual(String(edgeNet('tokens', model, '-f', text)).trim().split(' ').map(Number), ids.slice(0, ids.length - behind), `${name}: ${JSON.stringify(input)}`);
      }
    } finally {
      for (const file of [out, gguf, text]) rmSync(file, { force: true });
    }
  });
});

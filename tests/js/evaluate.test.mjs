// @ts-check
// session.evaluate: the figures of `edge-net eval`, with and without an adapter, beside other work, stopped.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { homeModel, root, temporaryFolder, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/index.js';

const SAMPLES = [['lights on', '{"intent":"on"}'], ['lights off', '{"intent":"off"}'], ['more light', '{"intent":"on"}'], ['thank you', 'You are welcome.'], ['hello', 'Hello, here I am.'], ['dim it', '{"level":3}']].map(([input, output]) => ({ input, output }));
/** Some of them asked for otherwise: not all answers are right. */
const MIXED = [...SAMPLES, { input: 'lights on', output: '{"intent":"on"' }, { input: 'thank you', output: 'You are' }, { input: 'lights off', output: '{"intent":"on"}' }];

const folder = temporaryFolder(), file = (/** @type {string} */ name) => path.join(folder, name);
const command = path.join(root, 'build/native/edge-net');
/** @param {string[]} args */
function cli(...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}
const native = existsSync(command) ? {} : { skip: 'skipped: the command is not built' };
/** @param {readonly {input: string, output: string}[]} samples */
function data(samples) {
  writeFileSync(file('data.jsonl'), samples.map((s) => `${JSON.stringify(s)}\n`).join(''));
  return file('data.jsonl');
}
/** A model that was taught SAMPLES by the command. @type {string} */ let taught;
test.before(() => {
  if (!existsSync(command)) return;
  const words = file('words.gguf'), base = file('base.gguf');
  taught = file('taught.gguf');
  cli('tokenizer', 'train', '--data', data(SAMPLES), '--vocab', '280', '--special', '<end>', '--out', words, '--quiet');
  cli('init', base, '--tokenizer', words, '--layers', '2', '--width', '32', '--heads', '2', '--ff', '64', '--context', '128', '--seed', '1');
  cli('train', base, '--full', '--data', data(SAMPLES), '--out', taught, '--steps', '250', '--batch', '6', '--lr', '0.01', '--seed', '1', '--save-every', '0', '--quiet');
});
/** @template T @param {any} options @param {(s: InferenceSession) => Promise<T>} use */
async function using({ model = homeModel, ...options }, use) {
  const session = await InferenceSession.create(model, { wasm, threads: 1, storage: 'none', contextLength: 128, ...options });
  try { return await use(session); } finally { await session.dispose(); }
}

for (const [name, samples, options] of /** @type {const} */ ([['taught', SAMPLES, {}], ['taught', MIXED, { parallel: 2 }], ['taught', MIXED, { maxTokens: 5 }], ['random', MIXED, { maxTokens: 20, parallel: 3 }]])) {
  test(`the figures of the command: ${name} model, ${samples.length} samples, ${JSON.stringify(options)}`, native, () => using({ model: name === 'taught' ? taught : homeModel }, async (s) => {
    const theirs = JSON.parse(cli('eval', name === 'taught' ? taught : homeModel, '--data', data(samples), '--json', '--quiet', '--threads', '1', '--show', '9', ...'maxTokens' in options ? ['-n', String(options.maxTokens)] : []));
    const ours = await s.evaluate(samples, { show: 9, ...options });
    const near = (/** @type {number} */ a, /** @type {number} */ b, what = '') => assert.ok(Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b)), `${what}: ${a}, the command says ${b}`);
    assert.equal(ours.samples, theirs.samples);
    for (const [key, theirKey] of /** @type {const} */ ([['exact', 'exact'], ['jsonValid', 'json_valid'], ['perplexity', 'perplexity'], ['bleu', 'bleu'], ['rougeL', 'rouge_l']])) near(ours[key], theirs[theirKey], key);
    assert.deepEqual(Object.keys(ours.groups), Object.keys(theirs.groups));
    for (const [group, { n, exact }] of Object.entries(ours.groups)) { assert.equal(n, theirs.groups[group].n); near(exact, theirs.groups[group].exact, group); }
    assert.equal(ours.wrong.length, Math.round(samples.length * (1 - ours.exact)));
    if (name === 'taught' && samples === SAMPLES) assert.equal(ours.exact, 1);
    if (name === 'taught' && samples === MIXED && !('maxTokens' in options)) assert.deepEqual(ours.wrong, [{ input: 'lights on', wanted: '{"intent":"on"', got: '{"intent":"on"}' }, { input: 'thank you', wanted: 'You are', got: 'You are welcome.' }, { input: 'lights off', wanted: '{"intent":"on"}', got: '{"intent":"off"}' }]);
  }));
}

for (const worker of [false, true]) {
  test(`${worker ? 'in a worker' : 'in place'}: what an adapter brought and what it cost, beside a text; memory is given back`, native, () => using({ model: taught, worker, parallel: 2 }, async (s) => {
    const all = [...SAMPLES, { input: 'movie time', output: '{"intent":"movie"}' }, { input: 'movie', output: '{"intent":"movie"}' }], options = { maxTokens: 20 };
    const trainer = s.createTrainer({ rank: 8, learningRate: 0.02, batchSize: 8, seed: 2 });
    await trainer.train(all, { epochs: 100 });
    await s.loadAdapter(await trainer.getAdapter(), { name: 'movie', scale: 0 });
    await trainer.dispose();
    const beside = s.complete('Once', { maxTokens: 40, temperature: 0, ignoreEos: true });
    const { milliseconds: _, ...base } = await s.evaluate(all, options);
    assert.deepEqual(base.groups, { on: { n: 2, exact: 1 }, off: { n: 1, exact: 1 }, text: { n: 2, exact: 1 }, other: { n: 1, exact: 1 }, movie: { n: 2, exact: 0 } });
    /** @type {{done: number, total: number}[]} */ const told = [];
    const both = await s.evaluate(all, { ...options, adapters: { movie: 1 }, compare: true, onProgress: (p) => told.push(p) });
    assert.deepEqual([both.exact, both.learned, both.forgotten, both.base], [1, 1, 0, base]);
    assert.deepEqual([told.at(-1), told.every((p, i) => !i || p.done > told[i - 1].done)], [{ done: 16, total: 16 }, true]);
    assert.ok(/** @type {number} */ ((await s.evaluate(all, { ...options, adapters: { movie: -9 }, compare: true })).forgotten) > 0.5);
    assert.equal((await beside).tokens.length, 40);
    await s.setAdapterScale('movie', 1);
    const now = await s.evaluate(all, options);
    assert.deepEqual([now.exact, now.perplexity], [1, both.perplexity]);
    assert.equal((await s.evaluate(all, { ...options, adapters: null })).perplexity, base.perplexity);
    const { wasmBytes } = s.getMemoryInfo();
    for (let i = 0; i < 5; i++) await s.evaluate(all, { maxTokens: 5 });
    assert.equal(s.getMemoryInfo().wasmBytes, wasmBytes);
    /** @type {() => void} */ let begun = () => {};
    const first = new Promise((resolve) => { begun = () => resolve(undefined); });
    const during = s.evaluate(all, { ...options, parallel: 1, onProgress: begun });
    await first;
    await s.unloadAdapter('movie'); // waits for it
    assert.equal((await during).exact, 1);
  }));

  test(`${worker ? 'in a worker' : 'in place'}: an abort, a listener's mistake and the end of the session stop it`, () => using({ worker }, async (s) => {
    const many = Array.from({ length: 400 }, (_, i) => ({ input: `Say ${i}`, output: ' It was a long day and the end of it.' }));
    const control = new AbortController();
    await assert.rejects(s.evaluate(many, { maxTokens: 9, signal: control.signal, onProgress: () => control.abort() }), { code: 'ABORTED' });
    await assert.rejects(s.evaluate(many, { maxTokens: 9, onProgress: () => { throw new RangeError('mine'); } }), { name: 'RangeError', message: 'mine' });
    assert.equal((await s.evaluate(many.slice(0, 2), { maxTokens: 3 })).samples, 2);
    const pending = assert.rejects(s.evaluate(many), { code: 'STATE' });
    await new Promise((resolve) => { setTimeout(resolve, 60); });
    await s.dispose();
    await pending;
  }));
}

test('what cannot be evaluated is refused in words', () => using({}, async (s) => {
  await assert.rejects(s.evaluate(/** @type {any} */ (7)), { code: 'ARG', message: /samples must be an array/ });
  await assert.rejects(s.evaluate([]), { code: 'ARG', message: /no sample with an answer/ });
  await assert.rejects(s.evaluate(SAMPLES, /** @type {any} */ ({ tokens: 1 })), { code: 'ARG', message: /"tokens"/ });
  await assert.rejects(s.evaluate(SAMPLES, { adapters: { nobody: 1 } }), { code: 'ARG', message: /nobody/ });
  await assert.rejects(s.evaluate(SAMPLES, { parallel: 0 }), { code: 'ARG', message: /parallel/ });
}));

// @ts-check
// Training that concerns whole models: a teacher's probabilities, all weights at once, adapters merged into the weights; beside the command, byte for byte.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { homeModel, root, temporaryFolder, wasm } from './support/env.mjs';
import { InferenceSession } from '../../js-glue/index.js';
import { features } from '../../js-glue/variants.js';

const folder = temporaryFolder();
const file = (/** @type {string} */ name) => path.join(folder, name);
const cli = [path.join(root, 'build/native/edge-net'), path.join(root, 'build/native-gcc/edge-net')].find((f) => existsSync(f));
const needsCli = cli ? {} : { skip: 'skipped: the command is not built' };
const pairs = ['Ann', 'Bob', 'Cleo', 'Dan', 'Eve'].map((name) => ({ input: `Where does ${name} live?`, output: ` ${name} lives by the sea.` }));
const data = file('pairs.jsonl');
writeFileSync(data, pairs.map((p) => JSON.stringify(p)).join('\n'));
const RUN = Object.freeze({ epochs: 3 });
/** The command's settings of the same run. */
const SAME = ['--rank', '2', '--lr', '0.02', '--epochs', '3', '--batch', '2', '--warmup', '2', '--seed', '3', '--quiet', '--json', '--threads', '1'];
const CONFIG = Object.freeze({ rank: 2, learningRate: 0.02, batchSize: 2, warmupSteps: 2, seed: 3 });

/** @param {...string} args */
function edgeNet(...args) {
  const run = spawnSync(/** @type {string} */ (cli), args, { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
}
/** Losses of the steps of a run of the command. @param {...string} args */
function curve(...args) {
  const csv = file('loss.csv');
  edgeNet('train', ...args, '--data', data, '--loss-csv', csv);
  return readFileSync(csv, 'utf8').trim().split('\n').slice(1).map((line) => Number(line.split(',')[3]));
}
/** @template T @param {string} model @param {any} options @param {(s: InferenceSession) => Promise<T>} use */
async function using(model, options, use) {
  const session = await InferenceSession.create(model, { wasm, threads: 1, storage: 'none', contextLength: 128, ...options });
  try { return await use(session); } finally { await session.dispose(); }
}
const bytesOf = async (/** @type {ReadableStream<Uint8Array>} */ stream) => Buffer.from(await new Response(stream).arrayBuffer());
const variants = ['simd128', ...(features().relaxedSimd ? ['relaxed'] : [])];

test('merge() makes the file that `adapter merge-into` makes, and the session is that model then', needsCli, async () => {
  edgeNet('train', homeModel, '--data', data, '--out', file('a.gguf'), ...SAME);
  edgeNet('train', homeModel, '--data', data, '--out', file('b.gguf'), ...SAME, '--seed', '4', '--targets', 'q,down');
  edgeNet('adapter', 'merge-into', homeModel, `${file('a.gguf')}:0.75`, file('b.gguf'), file('merged.gguf'));
  for (const variant of variants) {
    await using(homeModel, { variant, worker: variant === 'simd128' }, async (s) => {
      assert.deepEqual(await bytesOf(s.exportModel()), readFileSync(homeModel), 'nothing was changed yet');
      const before = await s.logits('the sea');
      await s.loadAdapter(readFileSync(file('a.gguf')), { name: 'a', scale: 0.75 });
      await s.loadAdapter(readFileSync(file('b.gguf')), { name: 'b' });
      await assert.rejects(s.merge({ a: 1, nobody: 1 }), { code: 'ARG', message: /"nobody"/ });
      const torn = s.exportModel().getReader();
      await torn.read();
      assert.deepEqual(await s.merge(), []);
      await assert.rejects(torn.read().then(() => torn.read()), { code: 'STATE', message: /weights have changed/ });
      assert.deepEqual(await bytesOf(s.exportModel()), readFileSync(file('merged.gguf')), variant);
      const logits = await s.logits('the sea');
      assert.notDeepEqual(logits, before);
      await using(file('merged.gguf'), { variant }, async (other) => assert.deepEqual(logits, await other.logits('the sea')));
      await assert.rejects(s.merge({ a: 1 }), { code: 'ARG', message: /"a"/ });
    });
  }
});

test('an adapter of DoRA that stays when another is merged has the lengths of the rows that there are now', needsCli, async () => {
  edgeNet('train', homeModel, '--data', data, '--out', file('long.gguf'), ...SAME, '--targets', 'q,down');
  edgeNet('adapter', 'merge-into', homeModel, file('long.gguf'), file('merged-long.gguf'));
  await using(homeModel, {}, async (s) => {
    const trainer = s.createTrainer({ ...CONFIG, useDora: true });
    await trainer.train(pairs, RUN);
    const dora = await (await trainer.getAdapter()).export('json');
    const logits = await using(file('merged-long.gguf'), {}, async (other) => { await other.loadAdapter(Buffer.from(dora), { name: 'dora' }); return other.logits('the sea'); });
    await s.loadAdapter(Buffer.from(dora), { name: 'dora' });
    await s.loadAdapter(readFileSync(file('long.gguf')), { name: 'long' });
    await s.merge({ long: 1 });
    assert.deepEqual(await s.logits('the sea'), logits);
  });
});

test('distillation from a session, or from logits that the samples bring: the losses of the command', needsCli, async () => {
  for (const [topK, more] of /** @type {const} */ ([[5, ['--top-k', '5', '--temperature', '3']], [0, ['--hard-mix', '0.25']]])) {
    const native = curve(homeModel, '--teacher', file('merged.gguf'), '--out', file('student.gguf'), ...SAME, ...more);
    await using(file('merged.gguf'), { worker: true }, (teacher) => using(homeModel, {}, async (s) => {
      const config = { ...CONFIG, loss: /** @type {const} */ ('distill'), topK, ...(topK ? { temperature: 3 } : { hardMix: 0.25 }) };
      /** @param {any[]} samples @param {any} [options] */
      const losses = async (samples, options) => {
        const trainer = s.createTrainer(config), plan = await trainer.plan(samples, RUN);
        /** @type {number[]} */ const list = [];
        await trainer.train(samples, { ...RUN, ...options, onStep: (e) => list.push(Number(e.loss.toPrecision(9))) });
        assert.equal(s.getMemoryInfo().trainingBytes, plan.bytes);
        const student = Buffer.from(await (await trainer.getAdapter()).export('gguf'));
        const end = await trainer.evaluate(samples, options);
        await trainer.dispose();
        return { list, student, end };
      };
      const { list, student, end } = await losses(pairs, { teacher });
      assert.deepEqual(list, native);
      assert.deepEqual(student, readFileSync(file('student.gguf')));
      assert.ok(end.loss < 0.8 * native[0], `${end.loss} after ${native[0]}`);
      const encoder = s.createTrainer(config), ids = await encoder.encode(pairs);
      await encoder.dispose();
      const rows = await teacher.topLogits(ids.map((all) => all ?? new Int32Array(0)), { topK });
      assert.deepEqual((await losses(pairs.map((p, i) => ({ ...p, teacher: rows[i] })))).list, native);
      const trainer = s.createTrainer(config);
      await assert.rejects(trainer.train(pairs), { code: 'ARG', message: /sample 0 has no logits of a teacher/ });
      await assert.rejects(trainer.train(pairs.map((p, i) => ({ ...p, teacher: rows[i ? 0 : 1] }))), { code: 'ARG', message: /logits of a teacher.*topK/ });
      await assert.rejects(trainer.train([{ text: 'x', teacher: /** @type {any} */ ({ logits: [1] }) }]), { code: 'ARG', message: /data\[0\]\.teacher/ });
      await assert.rejects(trainer.train(pairs, { teacher, signal: AbortSignal.abort() }), { code: 'ABORTED' });
    }));
  }
  edgeNet('init', file('foreign.gguf'), '--tokenizer', homeModel, '--layers', '1', '--width', '32', '--heads', '2');
  await using(homeModel, {}, async (s) => {
    await assert.rejects(s.createTrainer(CONFIG).train(pairs, { teacher: s }), { code: 'ARG', message: /loss: "distill"/ });
    await assert.rejects(s.topLogits([Int32Array.of(1)], { topK: 4, vocabulary: 'another' }), { code: 'ARG', message: /one vocabulary/ });
    assert.throws(() => s.createTrainer({ loss: 'distill', hardMix: 2 }), { code: 'ARG', message: /hardMix/ });
    await assert.rejects(s.createTrainer({ loss: 'distill', topK: 60000 }).train(pairs, { teacher: s }), { code: 'ARG', message: /the vocabulary has/ });
    const self = s.createTrainer({ ...CONFIG, loss: 'distill', topK: 0 });
    assert.ok((await self.evaluate(pairs, { teacher: s })).loss < 1e-2, 'there is next to nothing to learn from itself');
  });
});

test('full: all weights of a new F32 model, natively and here: the same losses, and with the plain kernels the same file', needsCli, async () => {
  edgeNet('init', file('fresh.gguf'), '--tokenizer', homeModel, '--layers', '2', '--width', '48', '--heads', '4', '--kv-heads', '2', '--seed', '5');
  const full = ['--full', '--lr', '0.01', '--epochs', '8', '--batch', '2', '--warmup', '2', '--seed', '3', '--quiet', '--json', '--threads', '1', '--weight-decay', '0.01'];
  const run = { epochs: 8 };
  const native = curve(file('fresh.gguf'), '--out', file('full.gguf'), '--kernels', 'ref', ...full);
  const config = { full: true, learningRate: 0.01, batchSize: 2, warmupSteps: 2, seed: 3, weightDecay: 0.01 };
  for (const [variant, kernels] of [['scalar', 'ref'], ...variants.map((v) => [v, undefined])]) {
    await using(file('fresh.gguf'), { variant, kernels, storage: 'filesystem', storageRoot: file(`store-${variant}`) }, async (s) => {
      const trainer = s.createTrainer(config), before = await s.generate('Where', { maxTokens: 8, temperature: 0 });
      /** @type {Map<number, number>} */ const losses = new Map();
      const plan = await trainer.plan(pairs, run);
      assert.equal(plan.parameters, s.info.parameters);
      const control = new AbortController();
      const options = { ...run, checkpoint: { name: 'full', every: 2 }, onStep: (/** @type {any} */ e) => { losses.set(e.step, e.loss); if (e.step === 4) control.abort(); } };
      await assert.rejects(trainer.train(pairs, { ...options, signal: control.signal }), { code: 'ABORTED' });
      await trainer.dispose();
      const again = s.createTrainer(config);
      const beside = s.generate('Where', { maxTokens: 20, temperature: 0, ignoreEos: true });
      const report = await again.train(pairs, { ...options, onStep: (e) => { losses.set(e.step, e.loss); } });
      await beside;
      assert.deepEqual([report.steps, s.getMemoryInfo().trainingBytes], [native.length, plan.bytes]);
      const from = report.resumedFrom ?? 0; // steps may end while the word to stop is on its way: they are kept, and not told
      assert.ok(from >= 4 && from < native.length, `resumed from ${from}`);
      assert.ok(losses.size >= native.length - (from - 4), `${losses.size} steps were told`);
      losses.forEach((loss, step) => assert.ok(Math.abs(loss - native[step - 1]) <= 1e-4 * native[step - 1], `${variant}, step ${step}: ${loss}, natively ${native[step - 1]}`));
      const trained = await bytesOf(again.exportModel());
      if (kernels === 'ref') assert.deepEqual(trained, readFileSync(file('full.gguf')));
      writeFileSync(file('here.gguf'), trained);
      const after = await s.generate('Where', { maxTokens: 8, temperature: 0 });
      assert.notEqual(after, before);
      await using(file('here.gguf'), { variant, kernels }, async (other) => assert.equal(await other.generate('Where', { maxTokens: 8, temperature: 0 }), after, 'no cache of the old weights was at work'));
      await assert.rejects(again.getAdapter(), { code: 'STATE', message: /exportModel/ });
    });
  }
  await using(homeModel, {}, async (s) => {
    await assert.rejects(s.createTrainer({ full: true }).train(pairs), { code: 'UNSUPPORTED', message: /is not F32/ });
    assert.throws(() => s.createTrainer({ full: true, rank: 8 }), { code: 'ARG', message: /rank.*full/ });
  });
});

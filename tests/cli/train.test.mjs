// @ts-check
// edge-net train: it learns, what it writes works, an interrupted run is the same run; adapters on run, logits and perplexity.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { tinyBert } from '../js/support/tiny-bert.mjs';
import { edgeNet, home, needs, ok, shared, temporary } from './cli.mjs';

const data = temporary('pairs.jsonl', [
  ...['red', 'blue', 'green', 'white'].map((c) => ({ input: `The ${c} box`, output: ` holds a ${c} ball.` })),
  { text: 'Whole texts are learned from the first word on \u{1f600}.' },
].map((line) => `${JSON.stringify(line)}\n`).join('\n'));

/** @param {string} out @param {string[]} more */
const train = (out, ...more) => JSON.parse(ok('train', home, '--data', data, '--out', out, '--json', '--quiet', '--batch', '2', '--lr', '0.01', '--rank', '4', '--threads', '1', ...more).out);
/** Rows of a table of losses, without the title. @param {string} file */
const rows = (file) => readFileSync(file, 'utf8').trim().split('\n').slice(1).map((line) => line.split(',').map(Number));

test('train: the loss falls, and the adapter does what was learned', () => {
  const out = temporary('first');
  const csv = temporary('first.csv');
  const summary = train(out, '--epochs', '12', '--warmup', '4', '--loss-csv', csv);
  assert.equal(summary.steps, 36);
  assert.equal(summary.samples, 5);
  const losses = rows(csv).map((row) => /** @type {number} */ (row[3]));
  assert.equal(losses.length, 36);
  assert.ok(/** @type {number} */ (losses.at(-1)) < 0.6 * /** @type {number} */ (losses[0]), `${losses[0]} ${losses.at(-1)}`);
  assert.deepEqual(rows(csv).slice(0, 4).map((row) => row[2]), [0.0025, 0.005, 0.0075, 0.01]);
  const config = JSON.parse(readFileSync(path.join(out, 'adapter_config.json'), 'utf8'));
  assert.deepEqual([config.peft_type, config.r, config.lora_alpha, config.target_modules.length], ['LORA', 4, 8, 7]);
  assert.ok(!existsSync(`${out}.checkpoint`));

  const text = temporary('learned.txt', 'The red box holds a red ball.');
  const perplexity = (/** @type {string[]} */ ...more) => JSON.parse(ok('perplexity', home, '-f', text, '--kernels', 'ref', '--json', ...more).out).perplexity;
  assert.ok(perplexity('--adapter', out) < 0.8 * perplexity());
  assert.equal(perplexity('--adapter', `${out}:0`), perplexity());
  const file = temporary('other.gguf');
  train(file, '--epochs', '12', '--warmup', '4'); // the same run in the other format
  assert.ok(Math.abs(perplexity('--adapter', file) - perplexity('--adapter', path.join(out, 'adapter_model.safetensors'))) < 1e-6);
  const merged = temporary('merged.gguf'); // in the weights it does the same, to the rounding of Q8_0
  ok('adapter', 'merge-into', home, `${file}:0.5`, `${out}:0.5`, merged);
  const withMerged = JSON.parse(ok('perplexity', merged, '-f', text, '--kernels', 'ref', '--json').out).perplexity;
  assert.ok(Math.abs(withMerged / perplexity('--adapter', file) - 1) < 0.05, `${withMerged} ${perplexity('--adapter', file)}`);
  assert.equal(edgeNet('adapter', 'merge-into', home, merged).code, 2);
  assert.ok(Math.abs(perplexity('--adapter', `${file}:0.5`, '--adapter', `${out}:0.5`) / perplexity('--adapter', file) - 1) < 1e-4, 'two halves are a whole');
});

test('train --dora: kept as PEFT keeps it, off is the base, merged the same; no GGUF form', () => {
  const out = temporary('dora'), text = temporary('dora.txt', 'The red box holds a red ball.'), merged = temporary('dora-merged.gguf');
  const refused = edgeNet('train', home, '--data', data, '--out', temporary('dora.gguf'), '--dora');
  assert.equal(refused.code, 2);
  assert.match(refused.err, /no place for DoRA.*merge/);
  train(out, '--dora', '--epochs', '8', '--warmup', '4');
  assert.equal(JSON.parse(readFileSync(path.join(out, 'adapter_config.json'), 'utf8')).use_dora, true);
  assert.equal(JSON.parse(ok('adapter', 'info', out, '--base', home, '--json').out).dora, true);
  const perplexity = (/** @type {string} */ model, /** @type {string[]} */ ...more) => JSON.parse(ok('perplexity', model, '-f', text, '--kernels', 'ref', '--json', ...more).out).perplexity;
  const base = perplexity(home), learned = perplexity(home, '--adapter', out);
  assert.ok(learned < 0.8 * base, `${learned} ${base}`);
  assert.equal(perplexity(home, '--adapter', `${out}:0`), base);
  ok('adapter', 'merge-into', home, out, merged);
  assert.ok(Math.abs(perplexity(merged) / learned - 1) < 0.05, `${perplexity(merged)} ${learned}`);
  assert.match(edgeNet('adapter', 'merge-into', home, out, out, merged).err, /merged by itself/);
  assert.match(edgeNet('adapter', 'convert', out, '--base', home, '--out', temporary('converted.gguf')).err, /no place for DoRA/);
});

test('train: left off and resumed, the losses and the adapter are those of one run', () => {
  const settings = ['--epochs', '4', '--eval', '0.2', '--seed', '3', '--accum', '2', '--targets', 'q,v,down', '--layers', '1', '--dropout', '0.1', '--lora-plus', '4'];
  const whole = temporary('whole.gguf'), parts = temporary('parts.gguf'), csv = [temporary('whole.csv'), temporary('parts.csv')];
  const summary = train(whole, ...settings, '--loss-csv', String(csv[0]));
  assert.equal(summary.held_out, 1);
  assert.ok(Number.isFinite(summary.eval_first) && Number.isFinite(summary.eval_last));
  const part = [...settings, '--loss-csv', String(csv[1])];
  assert.equal(train(parts, ...part, '--stop-after', '1').step, 1);
  assert.ok(!existsSync(parts));
  assert.equal(train(parts, ...part, '--resume', '--stop-after', '2').step, 3);
  const refused = edgeNet('train', home, '--data', data, '--out', parts, '--resume', ...settings, '--rank', '4');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /other data or other settings/);
  assert.equal(train(parts, ...part, '--resume').step, summary.steps);
  assert.deepEqual(rows(String(csv[1])), rows(String(csv[0])));
  assert.deepEqual(readFileSync(parts), readFileSync(whole));
});

test('train: keeping everything and one thread more change nothing', () => {
  const files = [['--keep', 'inputs'], ['--keep', 'all'], ['--keep', 'products'], ['--threads', '2']].map((more, i) => {
    const out = temporary(`same${i}.gguf`);
    train(out, '--steps', '3', ...more);
    return readFileSync(out);
  });
  files.forEach((file) => assert.deepEqual(file, files[0]));
});

test('train: frozen layers computed once change no loss, in memory or in a file', () => {
  const scratch = temporary('rows');
  const losses = [[], ['--cache-prefix', 'mem'], ['--cache-prefix', scratch]].map((more, i) => {
    const csv = temporary(`prefix${i}.csv`);
    train(temporary(`prefix${i}.gguf`), '--epochs', '3', '--layers', '2', '--eval', '0.3', '--loss-csv', csv, ...more);
    return rows(csv).map((row) => Number(row[3]));
  });
  losses[0]?.forEach((loss, step) => [1, 2].forEach((way) => assert.ok(Math.abs(Number(losses[way]?.[step]) / loss - 1) < 1e-5, `${loss} ${losses[way]?.[step]}`)));
  assert.ok(!existsSync(scratch));
  assert.match(edgeNet('train', home, '--data', data, '--out', temporary('x.gguf'), '--cache-prefix', 'mem').err, /must leave some of the 4 layers frozen/);
});

test('init and train --full: a new model learns a few sentences; left off and resumed it is the same file', () => {
  const fresh = temporary('fresh.gguf'), again = temporary('again.gguf'), out = temporary('full.gguf'), parts = temporary('full-parts.gguf');
  const sizes = ['--tokenizer', home, '--layers', '2', '--width', '48', '--heads', '4', '--kv-heads', '2', '--seed', '5'];
  ok('init', fresh, ...sizes);
  ok('init', again, ...sizes);
  assert.deepEqual(readFileSync(again), readFileSync(fresh));
  ok('init', again, ...sizes, '--arch', 'qwen2', '--untied');
  assert.match(ok('inspect', again).out, /attn_q\.bias/);
  ok('run', again, '-p', 'The', '-n', '2');
  const full = (/** @type {string} */ to, /** @type {string[]} */ ...more) => JSON.parse(ok('train', fresh, '--full', '--data', data, '--out', to, '--json', '--quiet', '--batch', '3', '--lr', '0.01', '--weight-decay', '0.1', '--steps', '40', '--threads', '1', ...more).out);
  const summary = full(out, '--keep', 'all');
  assert.ok(summary.loss_last < 0.4 * summary.loss_first, `${summary.loss_first} ${summary.loss_last}`);
  assert.equal(full(parts, '--stop-after', '11').step, 11);
  full(parts, '--resume', '--threads', '2');
  assert.deepEqual(readFileSync(parts), readFileSync(out));
  const text = temporary('sentence.txt', 'The red box holds a red ball.');
  const perplexity = (/** @type {string} */ model) => JSON.parse(ok('perplexity', model, '-f', text, '--json').out).perplexity;
  assert.ok(perplexity(out) < 0.1 * perplexity(fresh), `${perplexity(out)} ${perplexity(fresh)}`);
  assert.match(edgeNet('train', home, '--full', '--data', data, '--out', out).err, /is not F32/);
  assert.match(edgeNet('train', fresh, '--full', '--data', data, '--out', out, '--rank', '4').err, /--rank is for adapters/);
  assert.match(edgeNet('init', fresh, '--tokenizer', home, '--heads', '4', '--kv-heads', '3').err, /cannot share/);
});

test('train: what cannot be used is said in one sentence', () => {
  const out = temporary('never');
  const fails = (/** @type {string} */ lines, /** @type {RegExp} */ says, /** @type {string[]} */ ...more) => {
    const { code, err } = edgeNet('train', home, '--data', temporary('bad.jsonl', lines), '--out', out, ...more);
    assert.equal(code, 1);
    assert.match(err, says);
    assert.equal(err.trimEnd().split('\n').length, 1, err);
  };
  fails('{"text":"a"}\n{"input":1,"output":"b"}', /bad\.jsonl: line 2/);
  fails('{"text":', /bad\.jsonl: line 1: a value is expected, at byte 8 of it/);
  fails('{"text":"a\\u0000b"}', /bad\.jsonl: line 1: a text holds a NUL character/);
  fails('\n \n', /bad\.jsonl: it has no lines/);
  fails('{"input":"a b c","output":"d"}', /no line has a token to learn within --max-length/, '--max-length', '2');
  fails('{"text":"a b c"}', /--targets/, '--targets', 'q,w');
  fails('{"text":"a b c"}', /must be one of constant linear cosine/, '--schedule', 'fast');
  fails('{"text":"a b c"}', /checkpoint/, '--resume');
  fails(`{"text":"${'word '.repeat(90)}"}`, /the model's context/, '--max-length', '65536');
  assert.ok(!existsSync(out));
  const place = (/** @type {string} */ to) => edgeNet('train', home, '--data', temporary('bad.jsonl', '{"text":"a b c"}'), '--out', to, '--steps', '1');
  assert.equal(place('/no/such/adapter').err, 'edge-net: /no/such/adapter.checkpoint: it could not be written: No such file or directory\n', 'before the first step');
  assert.match(place(temporary('bad.jsonl')).err, /bad\.jsonl: it is a file; an adapter in PEFT's form is a folder\n$/);
  mkdirSync(temporary('folder.gguf'));
  assert.match(place(temporary('folder.gguf')).err, /folder\.gguf: it is a folder; a file is to be written there\n$/);
  assert.equal(place(`${temporary('slash')}/`).code, 0);
  assert.ok(existsSync(temporary('slash/adapter_model.safetensors')) && !existsSync(temporary('slash/.checkpoint')));
  mkdirSync(temporary('no-folder'));
  assert.equal(edgeNet('run', home, '-p', 'x', '--adapter', temporary('no-folder')).code, 1);
  assert.match(edgeNet('run', home, '-p', 'x', '--adapter', home).err, /not an adapter/);
});

test('adapters: both forms of a published one give the published logits', needs('oracles/lora-llama.json'), () => {
  for (const arch of ['llama', 'qwen2']) {
    const fixture = JSON.parse(readFileSync(path.join(shared, `oracles/lora-${arch}.json`), 'utf8'));
    const out = temporary('adapted.f32');
    for (const form of [fixture.adapter_gguf, fixture.adapter_peft])
      for (const { scale, file } of fixture.expected) {
        ok('logits', path.join(shared, 'oracles', fixture.base), '--tokens', fixture.tokens.join(','), '--out', out, '--adapter', `${path.join(shared, 'oracles', form)}:${scale}`);
        const [got, want] = [out, path.join(shared, 'oracles', file)].map((f) => new Float32Array(Uint8Array.from(readFileSync(f)).buffer));
        let error = 0, sum = 0;
        want?.forEach((w, i) => { error += (Number(got?.[i]) - w) ** 2; sum += w ** 2; });
        assert.ok(Math.sqrt(error / sum) < fixture.tolerance, `${form} at ${scale}`);
      }
  }
});

test('grads and parity: gradients and traces of a published case; a wrong expectation fails', needs('oracles/train-qwen2.json'), () => {
  const fixture = JSON.parse(readFileSync(path.join(shared, 'oracles/train-qwen2.json'), 'utf8'));
  const [grads, trace, final] = [temporary('grads.safetensors'), temporary('trace.json'), temporary('final.safetensors')].map(String);
  ok('grads', path.join(shared, 'oracles/train-qwen2.json'), '--out', String(grads), '--run', 'cosine', '--trace', String(trace), '--final', String(final));
  const run = fixture.runs.find((/** @type {{name: string}} */ r) => r.name === 'cosine');
  const got = JSON.parse(readFileSync(String(trace), 'utf8'));
  run.loss.forEach((/** @type {number} */ want, /** @type {number} */ k) => assert.ok(Math.abs(got.loss[k] - want) < 1e-4 * Math.max(want, 0.1), `step ${k}`));
  /** Names and shapes of a safetensors file. @param {string} file */
  const head = (file) => {
    const bytes = readFileSync(file);
    const { __metadata__, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE())));
    return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, t.shape]).sort());
  };
  assert.deepEqual(head(String(grads)), head(path.join(shared, 'oracles', fixture.grad)));
  assert.deepEqual(head(String(final)), head(path.join(shared, 'oracles', run.final)));

  for (const file of [fixture.base, fixture.init_gguf, fixture.grad, ...fixture.runs.map((/** @type {{final: string}} */ r) => r.final)])
    temporary(file, readFileSync(path.join(shared, 'oracles', file)));
  const parity = () => edgeNet('parity', temporary('case.json', JSON.stringify(fixture)), '--kernels', 'ref').out.trim().split('\n').at(-1);
  assert.equal(parity(), '3 passed, 0 failed');
  run.loss_after *= 1.01;
  assert.equal(parity(), '2 passed, 1 failed');
  run.loss_after /= 1.01;
  temporary(fixture.grad, readFileSync(String(final)));
  assert.equal(parity(), '2 passed, 1 failed');
  temporary(fixture.grad, readFileSync(path.join(shared, 'oracles', fixture.grad)));
  fixture.sequences[0].loss_mask.fill(1);
  assert.equal(parity(), '0 passed, 3 failed');
  assert.match(edgeNet('grads', temporary('case.json', '{"kind":"logits"}'), '--out', String(grads)).err, /no case of kind train-ce/);
});

test('adapter: info, and converted there and back without a changed bit', needs('oracles/lora-llama.json'), () => {
  for (const arch of ['llama', 'qwen2']) {
    const [base, gguf, peft] = [`${arch}.gguf`, `lora-${arch}.gguf`, `lora-${arch}.peft`].map((f) => path.join(shared, 'oracles', f));
    const [a, b, c] = [temporary(`${arch}-peft`), temporary(`${arch}.gguf`), temporary(`${arch}-again`)].map(String);
    const convert = (/** @type {string[]} */ ...args) => ok('adapter', 'convert', ...args, '--base', String(base));
    convert(String(gguf), '--out', String(a), '--base-name', 'a base');
    convert(String(peft), '--out', String(b));
    convert(String(b), '--out', String(c), '--rslora');
    const tensors = (/** @type {string | undefined} */ folder) => {
      const bytes = readFileSync(path.join(String(folder), 'adapter_model.safetensors'));
      return bytes.subarray(8 + Number(bytes.readBigUInt64LE()));
    };
    assert.deepEqual(tensors(a), tensors(peft));
    assert.deepEqual(tensors(c), tensors(peft));
    const config = (/** @type {string | undefined} */ folder) => JSON.parse(readFileSync(path.join(String(folder), 'adapter_config.json'), 'utf8'));
    assert.equal(config(a).base_model_name_or_path, 'a base');
    assert.deepEqual(Object.keys(config(a)).filter((key) => !(key in config(peft))), []);
    assert.ok(config(c).use_rslora && Math.abs(config(c).lora_alpha * Math.sqrt(config(c).r) - config(peft).lora_alpha) < 1e-5);
    const info = (/** @type {string | undefined} */ adapter) => JSON.parse(ok('adapter', 'info', String(adapter), '--base', String(base), '--json').out);
    assert.deepEqual(info(b), info(peft));
    assert.deepEqual([info(peft).alpha, info(peft).rank, Object.keys(info(peft).targets)], [config(peft).lora_alpha, [config(peft).r, config(peft).r], ['q', 'k', 'v', 'o', 'gate', 'up', 'down']]);
    assert.match(ok('adapter', 'info', String(c), '--base', String(base)).out, /^layers +3 of 3$/m);
  }
  assert.match(edgeNet('adapter', 'info', path.join(shared, 'oracles/lora-qwen2.peft'), '--base', home).err, /does not fit this model|belongs to no matrix/);
  assert.equal(edgeNet('adapter', 'show', 'x', '--base', home).code, 2);
});

test('train --teacher: nothing to learn from itself, and a student comes near its teacher', () => {
  const adapter = temporary('teacher.gguf'), teacher = temporary('teacher-model.gguf');
  train(adapter, '--epochs', '8');
  ok('adapter', 'merge-into', home, adapter, teacher);
  const self = train(temporary('self.gguf'), '--teacher', home, '--epochs', '1');
  assert.ok(Math.abs(self.loss_first) < 1e-6, `${self.loss_first}`);
  for (const more of [[], ['--top-k', '8', '--temperature', '1.5', '--hard-mix', '0.2']]) {
    const summary = train(temporary('student.gguf'), '--teacher', teacher, '--epochs', '8', ...more);
    assert.ok(summary.loss_first > 0.05 && summary.loss_last < 0.5 * summary.loss_first, JSON.stringify(summary));
  }
  const all = train(temporary('all.gguf'), '--teacher', teacher, '--epochs', '1'), best = train(temporary('best.gguf'), '--teacher', teacher, '--epochs', '1', '--top-k', '799');
  assert.ok(Math.abs(best.loss_first / all.loss_first - 1) < 1e-5, 'all of the best are all');
  assert.match(edgeNet('train', home, '--data', data, '--out', adapter, '--loss', 'distill').err, /--teacher/);
  assert.match(edgeNet('train', home, '--data', data, '--out', adapter, '--teacher', home, '--top-k', '800').err, /799 tokens/);
  assert.match(edgeNet('train', home, '--data', data, '--out', adapter, '--teacher', temporary('foreign.gguf', tinyBert())).err, /tokens/);
});

test('train --loss of encoders: masked tokens, contrastive pairs over micro-batches, cosines', () => {
  const bert = temporary('mask.gguf', tinyBert({ mask: true })), out = temporary('encoder.gguf');
  const pairs = [['the cat', 'a cat sat'], ['the dog', 'dog ran far'], ['on the mat', 'mat'], ['ran far', 'the query']].map(([input, output], i) => JSON.stringify({ input, output, score: i % 2 ? 0.9 : -0.2 }));
  const file = temporary('couples.jsonl', pairs.join('\n')), texts = temporary('texts.jsonl', ['the cat sat on the mat.', 'the dog ran far.'].map((text) => JSON.stringify({ text })).join('\n'));
  /** @param {string} from @param {string[]} more */
  const run = (from, ...more) => JSON.parse(ok('train', bert, '--data', from, '--out', out, '--json', '--quiet', '--threads', '1', '--rank', '4', '--lr', '0.01', ...more).out);
  for (const [from, loss] of [[texts, 'mlm'], [file, 'infonce'], [file, 'cosine']]) {
    const summary = run(String(from), '--loss', String(loss), '--epochs', '40', '--batch', '4', '--mask-probability', '0.3', '--temperature', '0.2');
    assert.ok(summary.loss_last < 0.7 * summary.loss_first, `${loss}: ${JSON.stringify(summary)}`);
    ok('embed', bert, '--adapter', out, '-p', 'the cat');
  }
  const once = run(file, '--loss', 'infonce', '--batch', '4', '--epochs', '3', '--kernels', 'ref'), parts = run(file, '--loss', 'infonce', '--batch', '2', '--accum', '2', '--epochs', '3', '--kernels', 'ref');
  for (const key of ['loss_first', 'loss_last']) assert.ok(Math.abs(once[key] - parts[key]) < 1e-4 * once[key], `${key}: ${once[key]}, in two parts ${parts[key]}`);
  const refused = (/** @type {string[]} */ ...more) => edgeNet('train', bert, '--out', out, ...more).err;
  assert.match(refused('--data', texts), /--loss/);
  assert.match(refused('--data', texts, '--loss', 'infonce'), /pairs/);
  assert.match(refused('--data', data, '--loss', 'cosine'), /score/);
  assert.match(refused('--data', file, '--loss', 'cosine', '--layers', '1', '--cache-prefix', 'mem'), /cache-prefix/);
  assert.match(edgeNet('train', home, '--data', file, '--out', out, '--loss', 'infonce').err, /encoders/);
});

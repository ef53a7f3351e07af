// @ts-check
// Every command over the placeholder model, and over the published stories260K where the shared data is.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { edgeNet, home, needs, ok, root, shared, temporary } from './cli.mjs';

const STORIES = 'data/models/stories260K';
const stories = (/** @type {string} */ type) => path.join(shared, STORIES, `derived-stories260K-${type}.gguf`);

/** @param {string} file */
function floats(file) {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
/** sqrt(sum (got - want)^2 / sum want^2) @param {Float32Array} got @param {Float32Array} want */
function relativeRms(got, want) {
  let error = 0, sum = 0;
  for (let i = 0; i < want.length; i++) {
    const w = /** @type {number} */ (want[i]);
    error += (/** @type {number} */ (got[i]) - w) ** 2;
    sum += w ** 2;
  }
  return Math.sqrt(error / sum);
}
const json = (/** @type {string[]} */ ...args) => JSON.parse(ok(...args).out);

test('capabilities: the default table first, both references last', () => {
  const { kernels, architectures, types, cores } = json('capabilities', '--json');
  assert.deepEqual(kernels.slice(-2), ['ref-int8', 'ref']);
  assert.ok(architectures.includes('llama') && types.includes('Q4_0') && cores >= 1);
  assert.match(ok('capabilities').out, /^kernels {7}.* ref$/m);
});

test('inspect shows metadata and tensors', () => {
  const { metadata, tensors, file_bytes, data_offset } = json('inspect', home, '--json');
  assert.equal(metadata['general.architecture'], 'llama');
  assert.equal(metadata['tokenizer.ggml.tokens'].n, tensors.find((/** @type {{name: string}} */ t) => t.name === 'token_embd.weight').ne[1]);
  assert.equal(file_bytes, readFileSync(home).length);
  const last = tensors.at(-1);
  assert.ok(data_offset + last.offset + last.bytes <= file_bytes);
  assert.match(ok('inspect', home).out, /general\.architecture: "llama"/);
});

test('run: greedy text is the same every time, on one thread and two, and --json agrees', () => {
  const args = ['run', home, '-p', 'Hello', '-n', '12', '--temp', '0'];
  const { out } = ok(...args);
  assert.equal(ok(...args, '--threads', '1').out, out);
  assert.equal(ok(...args, '--threads', '2').out, out);
  const result = json(...args, '--json');
  assert.equal(result.tokens.length, result.timings.tokens);
  assert.equal(result.finish_reason, result.tokens.length === 12 ? 'length' : 'stop');
  if (!result.text.includes('\ufffd')) assert.equal(`${result.text}\n`, out);
});

test('run: guesses from earlier text and by a draft model change no token', () => {
  const args = (/** @type {string} */ temperature) => ['run', home, '-p', 'to be or not to be or not', '-n', '50', '--temp', temperature, '--seed', '4', '--json'];
  for (const temperature of ['0', '1']) {
    const { tokens, text, timings } = json(...args(temperature));
    assert.deepEqual([timings.guesses, timings.guessed], [0, 0]);
    for (const guess of [['--lookup', '4'], ['--draft', home], ['--draft', home, '--draft-n', '7', '--lookup', '3']]) {
      const got = json(...args(temperature), ...guess);
      assert.deepEqual([got.tokens, got.text], [tokens, text], guess.join(' '));
      if (guess[0] === '--draft') assert.ok(got.timings.guesses > 15 && got.timings.guessed === got.timings.guesses, 'it agrees with itself');
    }
  }
  const full = json('run', home, '-p', 'to be or not', '-n', '500', '--ctx', '30', '--temp', '0', '--json', '--draft', home);
  assert.deepEqual(full.tokens, json('run', home, '-p', 'to be or not', '-n', '500', '--ctx', '30', '--temp', '0', '--json').tokens);
  assert.match(edgeNet('run', home, '-p', 'x', '--draft', path.join(root, 'models/home-3.gguf')).err, /--draft: .*home-3\.gguf has another vocabulary/);
  assert.match(edgeNet('run', home, '-p', 'x', '--draft', 'nowhere.gguf').err, /--draft: nowhere\.gguf: No such file/);
});

test('run: the seed decides the text', () => {
  const tokens = (/** @type {string} */ seed) => json('run', home, '-p', 'Hello', '-n', '16', '--temp', '1', '--seed', seed, '--json').tokens;
  assert.deepEqual(tokens('7'), tokens('7'));
  assert.notDeepEqual(tokens('7'), tokens('8'));
});

test('run: a full context ends the text, a prompt above it is refused', () => {
  const { tokens, finish_reason, timings } = json('run', home, '-p', 'a', '-n', '100', '--temp', '0', '--ctx', '8', '--json');
  if (finish_reason === 'length') assert.equal(timings.prompt_tokens + tokens.length, 9, 'the last token needs no place');
  const { code, err } = edgeNet('run', home, '-p', 'one two three four five six seven', '--ctx', '4');
  assert.equal(code, 1);
  assert.match(err, /the prompt has \d+ tokens, the context only 4/);
});

test('run: JSON, a schema, a grammar', () => {
  const schema = temporary('schema.json', '{"type":"object","properties":{"a":{"type":"boolean"},"b":{"enum":["x","y"]}},"required":["a"]}');
  for (const seed of ['1', '2', '3']) {
    const { text, finish_reason } = json('run', home, '-p', 'Say', '--json-schema', schema, '--temp', '1.5', '--seed', seed, '--json');
    const value = JSON.parse(text);
    assert.ok(finish_reason === 'stop' && typeof value.a === 'boolean' && [undefined, 'x', 'y'].includes(value.b), text);
  }
  assert.match(ok('run', home, '-p', 'Say', '--grammar', temporary('form.gbnf', 'root ::= "a"{3} [0-9]{2}'), '--seed', '1').out, /^aaa\d\d\n$/);
  const { text, finish_reason } = json('run', home, '-p', 'Say', '--json-only', '-n', '400', '--seed', '1', '--json');
  if (finish_reason === 'stop') JSON.parse(text);
  assert.match(edgeNet('run', home, '-p', 'x', '--grammar', temporary('bad.gbnf', 'root ::= x')).err, /rule x is used and not defined/);
  assert.match(edgeNet('run', home, '-p', 'x', '--grammar', schema, '--json-only').err, /one can be given/);
  assert.equal(edgeNet('run', home, '-p', 'x', '--json-schema', '/nowhere').code, 1);
});

test('run --chat knows the template of the placeholder model', () => {
  assert.equal(typeof json('run', home, '--chat', '-p', 'Hi', '-n', '2', '--temp', '0', '--json').text, 'string');
});

test('tokens and detokenize are inverse, bytes that are no text included', () => {
  const text = Buffer.from('Hello wörld,\n  \ttabs and \u{1f600}!\0end', 'utf8');
  const ids = ok('tokens', home, '-f', temporary('text.txt', text)).out.trim();
  assert.match(ids, /^\d+( \d+)*$/);
  assert.deepEqual(ok('detokenize', home, '--tokens', ids.replaceAll(' ', ',')).bytes, text);
  const bare = ok('tokens', home, '-f', temporary('text.txt', text), '--no-bos').out.trim();
  assert.ok(ids.endsWith(bare) && ids !== bare, 'only the first token is left out');
  assert.match(edgeNet('detokenize', home, '--tokens', '1,99999999').err, /token 99999999 is not in the vocabulary/);
});

test('logits: every table near ref, f16 cache near f32, slices join without a seam', () => {
  const ids = Array.from({ length: 100 }, (_, i) => 3 + (i * 37) % 200).join(',');
  const out = temporary('logits.f32');
  const run = (/** @type {string[]} */ ...args) => { ok('logits', home, '--tokens', ids, '--out', out, ...args); return floats(out); };
  const ref = run('--kernels', 'ref');
  assert.equal(ref.length % 100, 0);
  assert.ok(ref.every(Number.isFinite));
  for (const table of json('capabilities', '--json').kernels) assert.ok(relativeRms(run('--kernels', table), ref) < 0.05, table);
  const f16 = relativeRms(run('--kernels', 'ref', '--kv', 'f16'), ref);
  assert.ok(f16 > 0 && f16 < 0.01, `f16 cache: ${f16}`);
  ok('logits', home, '--tokens', ids.split(',').slice(0, 70).join(','), '--out', out, '--kernels', 'ref');
  assert.ok(relativeRms(floats(out), ref.subarray(0, floats(out).length)) < 1e-6);
  assert.match(edgeNet('logits', home, '--tokens', ids, '--out', out, '--ctx', '50').err, /100 tokens do not fit into a context of 50/);
  assert.ok(!existsSync(out), 'no half file is left');
});

test('bench prints one JSON object for each test and thread count', () => {
  const lines = ok('bench', home, '-p', '8', '-n', '4', '-r', '3', '--seqs', '3', '--kv', 'q8_0', '--threads', '1,2', '--profile', '--json').out.trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(lines.map((l) => [l.test, l.n, l.threads]), [['pp', 8, 1], ['tg', 4, 1], ['pp', 8, 2], ['tg', 4, 2]]);
  for (const { tok_s, cpu_util, kernels, profile } of lines) {
    assert.ok(tok_s.min > 0 && tok_s.min <= tok_s.med && tok_s.med <= tok_s.max);
    assert.ok(cpu_util >= 0 && kernels.length && profile.length);
  }
});

test('perplexity of random weights is about the size of the vocabulary or more', () => {
  const text = temporary('words.txt', 'The quick brown fox jumps over the lazy dog. '.repeat(60));
  const { perplexity, scored, tokens } = json('perplexity', home, '-f', text, '--ctx', '64', '--json');
  assert.ok(perplexity > 20 && scored === Math.floor(tokens / 64) * 31, `${perplexity} ${scored} ${tokens}`);
  assert.match(edgeNet('perplexity', home, '-f', temporary('nothing.txt', '')).err, /at least 2 are needed/);
});

test('stories260K: greedy text and logits follow the reference', needs(`${STORIES}/derived-reference.json`), () => {
  const reference = JSON.parse(readFileSync(path.join(shared, STORIES, 'derived-reference.json'), 'utf8'));
  const ids = reference.greedy_ids_from_BOS;
  for (const type of ['f32', 'f16']) {
    const { tokens } = json('run', stories(type), '-p', '', '-n', '120', '--temp', '0', '--json');
    assert.deepEqual(tokens, ids.slice(1, 121), type);
  }
  const { tokens } = json('run', stories('q8_0'), '-p', '', '-n', '120', '--temp', '0', '--json');
  assert.ok(tokens.filter((/** @type {number} */ t, /** @type {number} */ i) => t === ids[i + 1]).length >= 110);
  const out = temporary('stories.f32');
  ok('logits', stories('f32'), '--tokens', ids.slice(0, 64).join(','), '--out', out);
  assert.ok(relativeRms(floats(out), floats(path.join(shared, STORIES, 'derived-logits-64x512.f32'))) < 2e-5);
});

test('stories260K: --stop ends the text before the stop text, over token borders', needs(`${STORIES}/derived-reference.json`), () => {
  const args = ['run', stories('f32'), '-p', 'Once upon a time', '-n', '60', '--temp', '0'];
  const whole = ok(...args).out;
  const stop = whole.slice(20, 31);
  assert.equal(ok(...args, '--stop', 'not there', '--stop', stop).out, `${whole.slice(0, whole.indexOf(stop))}\n`);
  assert.equal(json(...args, '--stop', stop, '--json').finish_reason, 'stop');
});

test('parity: all fixtures of the architectures that are built in', needs('oracles/blocks.json'), () => {
  const cases = readdirSync(path.join(shared, 'oracles')).filter((f) => f.endsWith('.json')).map((f) => path.join(shared, 'oracles', f));
  const { code, out } = edgeNet('parity', ...cases);
  const last = /^(\d+) passed, (\d+) failed/m.exec(out.trimEnd().split('\n').at(-1) ?? '');
  assert.equal(code, 0, out);
  assert.equal(last?.[2], '0');
  for (const name of ['llama', 'qwen2', 'llama-q4_0', 'llama-q8_0'])
    for (const table of json('capabilities', '--json').kernels) assert.match(out, new RegExp(`^ok +${name} +${table} `, 'm'));
  for (const type of ['Q4_0', 'Q8_0']) assert.match(out, new RegExp(`^ok +blocks +${type} +encodes`, 'm'));
});

test('parity: a wrong expectation fails', needs('oracles/llama.json'), () => {
  const fixture = JSON.parse(readFileSync(path.join(shared, 'oracles/llama.json'), 'utf8'));
  temporary(fixture.model, readFileSync(path.join(shared, 'oracles', fixture.model)));
  temporary(fixture.expected, readFileSync(path.join(shared, 'oracles', fixture.expected)).fill(63, 400, 404));
  const { code, out } = edgeNet('parity', temporary('llama.json', JSON.stringify(fixture)), '--kernels', 'ref');
  assert.equal(code, 1, out);
  assert.match(out, /^0 passed, 1 failed$/m);
  assert.equal(edgeNet('parity', temporary('broken.json', '{"name": ')).code, 1);
});

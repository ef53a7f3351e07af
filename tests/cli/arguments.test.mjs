// @ts-check
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { edgeNet, home, ok, temporary } from './cli.mjs';

const COMMANDS = ['run', 'tokens', 'detokenize', 'tokenizer', 'logits', 'embed', 'perplexity', 'eval', 'convert', 'quantize', 'imatrix', 'init', 'train', 'adapter', 'bench', 'inspect', 'capabilities', 'parity', 'grads'];

test('help lists every command, and every command has a help', () => {
  const { out } = ok('--help');
  assert.deepEqual([...out.matchAll(/^ {2}(\w+) /gm)].map((m) => m[1]), COMMANDS);
  for (const command of COMMANDS) assert.match(ok(command, '--help').out, new RegExp(`^usage: edge-net ${command} `));
});

test('run --help shows the bounds and defaults of the core', () => {
  assert.match(ok('run', '--help').out, /--temp X .*\(default 0\.8\)/);
  assert.match(ok('run', '--help').out, /--top-k N .*\(default 40\)/);
});

/** [arguments, what the line on stderr has to say] */
const WRONG = /** @type {[string[], RegExp][]} */ ([
  [[], /usage/],
  [['fly'], /^edge-net: fly: no such command/],
  [['run'], /^edge-net: run needs -p TEXT/],
  [['run', '-p', 'x'], /^edge-net: run needs MODEL/],
  [['run', home, '-p'], /^edge-net: -p: a value must follow/],
  [['run', home, '-p', 'x', '--fly'], /^edge-net: --fly: run has no such option/],
  [['run', home, '-p', 'x', '-temp', '1'], /^edge-net: -temp: run has no such option/],
  [['run', home, '-p', 'x', '-n', 'many'], /^edge-net: -n 'many': must be a whole number/],
  [['run', home, '-p', 'x', '-n', '1.5'], /^edge-net: -n '1.5': must be a whole number/],
  [['run', home, '-p', 'x', '-n', ''], /^edge-net: -n '': must be a whole number/],
  [['run', home, '-p', 'x', '--temp', '-1'], /^edge-net: --temp '-1': must be a number from 0 to 100/],
  [['run', home, '-p', 'x', '--temp', 'nan'], /^edge-net: --temp 'nan': must be a number/],
  [['run', home, '-p', 'x', '--top-p=2'], /^edge-net: --top-p '2': must be a number from 0 to 1/],
  [['run', home, '-p', 'x', '--seed', '1e17'], /^edge-net: --seed '1e17': must be a whole number from 0 to 9007199254740991\n/],
  [['run', home, '-p', 'x', '--ctx', '100000000'], /^edge-net: --ctx '100000000': must be a whole number from 0 to 16777216\n/],
  [['run', home, '-p', 'x', '--json=1'], /^edge-net: --json takes no value/],
  [['run', home, 'another', '-p', 'x'], /^edge-net: another: one argument too many/],
  [['logits', home, '--tokens', '1,,2', '--out', 'x'], /^edge-net: --tokens '': must be a whole number/],
  [['logits', home, '--tokens', '1,-2', '--out', 'x'], /^edge-net: --tokens '-2': must be a whole number/],
  [['logits', home, '--tokens', '1', '--out', temporary('never.f32'), '--kv', 'f8'], /^edge-net: --kv f8: must be f32, f16 or q8_0/],
  [['bench', home, '--threads', '0'], /^edge-net: --threads '0': must be a whole number from 1/],
]);
for (const [args, message] of WRONG) {
  test(`wrong arguments: ${args.map((a) => a === home ? 'MODEL' : a).join(' ') || '(none)'}`, () => {
    const { code, err, out } = edgeNet(...args);
    assert.equal(code, 2);
    assert.match(err, message);
    assert.equal(out, '');
    if (args.length) assert.equal(err.trimEnd().split('\n').length, 1, 'one line');
  });
}

test('what is wrong with a file is said in one line that names the file', () => {
  const head = readFileSync(home).subarray(0, 1000);
  const whole = readFileSync(home);
  const cases = /** @type {[string, Uint8Array | string, RegExp][]} */ ([
    ['text.gguf', 'this is no model', /not a GGUF file/],
    ['empty.gguf', '', /ends after 0 bytes/],
    ['head.gguf', head, /ends after 1000 bytes, in the middle of its head/],
    ['cut.gguf', whole.subarray(0, whole.length - 1), /ends after \d+ bytes, it should have \d+/],
  ]);
  for (const [name, content, message] of cases) {
    const file = temporary(name, content);
    const { code, err } = edgeNet('run', file, '-p', 'x');
    assert.equal(code, 1);
    assert.ok(err.startsWith(`edge-net: ${file}: `), err);
    assert.match(err, message);
    assert.equal(err.trimEnd().split('\n').length, 1, err);
  }
  assert.match(edgeNet('run', '/no/such/file', '-p', 'x').err, /^edge-net: \/no\/such\/file: No such file/);
  assert.equal(edgeNet('run', home, '-p', 'x', '--kernels', 'fast').code, 1);
});

test('what is wrong with another file is said in one line that names that file', () => {
  const odd = temporary('odd.txt', 'not json');
  const cases = /** @type {[string[], RegExp][]} */ ([
    [['run', home, '-p', 'x', '--grammar', '/no/such'], /--grammar: \/no\/such: No such file/],
    [['run', home, '-p', 'x', '--grammar', odd], /--grammar: \S+odd\.txt: the grammar is malformed at byte \d/],
    [['run', home, '-p', 'x', '--json-schema', odd], /--json-schema: \S+odd\.txt: the JSON text is malformed at byte 0/],
    [['run', home, '-p', 'x', '--stop', ''], /--stop: a stop text must not be empty/],
    [['perplexity', home, '-f', odd, '--kld', odd], /--kld: \S+odd\.txt: these are no logits/],
    [['perplexity', home, '-f', odd, '--kld', '/no/such'], /--kld: \/no\/such: No such file/],
    [['perplexity', home, '-f', odd, '--save-logits', '/no/such/folder/x'], /^edge-net: \/no\/such\/folder\/x: it could not be written: No such file/],
  ]);
  for (const [args, message] of cases) {
    const { code, err } = edgeNet(...args);
    assert.equal(code, 1, args.join(' '));
    assert.match(err, message);
    assert.equal(err.trimEnd().split('\n').length, 1, err);
  }
});

test('options after -- are operands, --name=value works', () => {
  assert.match(edgeNet('inspect', '--', '--help').err, /^edge-net: --help: No such file/);
  assert.equal(ok('run', home, '-p=x', '-n=0').out, '\n');
});

test('output that cannot be written is an error', () => {
  const { code, err } = edgeNet('logits', home, '--tokens', '1', '--out', '/no/such/folder/x.f32');
  assert.equal(code, 1);
  assert.match(err, /^edge-net: \/no\/such\/folder\/x.f32: No such file/);
});

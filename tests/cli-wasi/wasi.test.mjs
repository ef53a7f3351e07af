// @ts-check
// The CLI as a WASI command under node:wasi: the same results as the native one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { home, ok, root, temporary } from '../cli/cli.mjs';

const module_ = path.join(root, 'build/wasm-cli/edge-net.wasm');
/** One process for each run: a WASI command ends its process's use of the instance. */
const RUNNER = `
import { WASI } from 'node:wasi';
import { readFileSync } from 'node:fs';
const [module, ...args] = process.argv.slice(1);
const wasi = new WASI({ version: 'preview1', args: ['edge-net', ...args], preopens: { '/': '/' }, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(readFileSync(module), wasi.getImportObject());
process.exitCode = wasi.start(instance);
`;
/** @param {string[]} args */
function wasi(...args) {
  const done = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', RUNNER, module_, ...args], { maxBuffer: 1 << 26, timeout: 120_000 });
  return { code: done.status, out: done.stdout.toString(), err: done.stderr.toString() };
}

test('greedy text as the native command writes it', () => {
  const args = ['run', home, '-p', 'Hello', '-n', '10', '--temp', '0', '--kernels', 'ref'];
  const { code, out, err } = wasi(...args);
  assert.equal(code, 0, err);
  assert.equal(out, ok(...args).out);
});

test('capabilities, tokens, logits, inspect', () => {
  assert.equal(JSON.parse(wasi('capabilities', '--json').out).platform, 'wasm32');
  const text = temporary('wasi.txt', 'Hello there');
  assert.equal(wasi('tokens', home, '-f', text).out, ok('tokens', home, '-f', text).out);
  assert.equal(wasi('inspect', home).out, ok('inspect', home).out);
  const native = temporary('native.f32'), other = temporary('wasi.f32');
  ok('logits', home, '--tokens', '1,50,60', '--out', native, '--kernels', 'ref-int8');
  assert.equal(wasi('logits', home, '--tokens', '1,50,60', '--out', other, '--kernels', 'ref-int8').code, 0);
  const [a, b] = [native, other].map((f) => { const x = readFileSync(f); return new Float32Array(x.buffer.slice(x.byteOffset, x.byteOffset + x.length)); });
  assert.ok(a && b && a.length === b.length && a.every((x, i) => Math.abs(x - /** @type {number} */ (b[i])) <= 1e-4 * (1 + Math.abs(x))));
});

test('errors have the same words and exit codes', () => {
  const { code, err } = wasi('run', '/no/such/file', '-p', 'x');
  assert.equal(code, 1);
  assert.match(err, /^edge-net: \/no\/such\/file: /);
  assert.equal(wasi('fly').code, 2);
});

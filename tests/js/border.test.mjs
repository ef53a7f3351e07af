// @ts-check
// The wasm files export exactly what exports.txt lists, and import nothing but a clock and, with threads, the memory.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { built, root, wasmBytes } from './support/env.mjs';
import { WasmInstance } from '../../js-glue/wasm-instance.js';
import { VARIANTS, features } from '../../js-glue/variants.js';
import { PARAMS } from '../../js-glue/params.js';
import { moduleInfo } from './support/module-info.mjs';

const list = readFileSync(path.join(root, 'wasm/exports.txt'), 'utf8').trim().split('\n');
const threadsOnly = (/** @type {string} */ name) => /^w_(pool_|tls_|thread_)/.test(name);

test('every variant is built', () => assert.deepEqual([...built].sort(), [...VARIANTS].sort()));

for (const variant of VARIANTS) {
  test(`${variant}: exports are the list, imports are the clock${variant.endsWith('-mt') ? ' and the memory' : ''}`, () => {
    const mt = variant.endsWith('-mt');
    const { imports, exports } = moduleInfo(wasmBytes(variant)); // read by hand: this engine may not know the opcodes
    const expected = [...list.filter((n) => mt || !threadsOnly(n)), '_initialize', ...(mt ? [] : ['memory'])];
    assert.deepEqual(exports.sort(), expected.sort());
    for (const i of imports) assert.match(i, mt ? /^(env\.memory|wasi_snapshot_preview1\.clock_time_get)$/ : /^wasi_snapshot_preview1\.clock_time_get$/);
    assert.equal(imports.includes('env.memory'), mt);
  });
}

for (const variant of VARIANTS.filter((v) => features().relaxedSimd || !v.startsWith('relaxed'))) {
  test(`${variant}: the core's parameters are those of params.js`, async () => {
    const w = await WasmInstance.create(new WebAssembly.Module(wasmBytes(variant)));
    assert.deepEqual(w.params(), Object.entries(PARAMS).map(([name, p]) => ({ name, min: p.min, max: p.max, default: p.default })));
  });
}

test('params.js is up to date', () => {
  const run = spawnSync(process.execPath, [path.join(root, 'tools/gen-params.mjs'), '--check'], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
});

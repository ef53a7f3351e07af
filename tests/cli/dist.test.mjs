// @ts-check
// The package as it would be published: its size, its layout, its entry points.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { SIZE_LIMIT, sizes } from '../../tools/build.mjs';
import { VARIANTS, files } from '../../tools/lib.mjs';
import { root } from './cli.mjs';

test('the largest engine and all modules stay below the size limit', () => {
  const { total, wasm, js } = sizes();
  assert.deepEqual(wasm.map((w) => path.basename(w.file)).sort(), ['convert.wasm', ...VARIANTS.map((v) => `edge-net-${v}.wasm`)].sort());
  assert.ok(js.length > 3 && total > 10_000);
  assert.ok(total <= SIZE_LIMIT, `${total} bytes gzipped, the limit is ${SIZE_LIMIT}`);
});

test('modules import only files that are in the package, or Node itself on demand', () => {
  for (const file of files('dist', '.js')) {
    const text = readFileSync(path.join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
    for (const [, statement, dynamic] of text.matchAll(/(?:^|;)\s*(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm)) {
      const name = statement ?? dynamic ?? '';
      if (dynamic?.startsWith('node:')) continue;
      assert.ok(name.startsWith('.'), `${file} imports ${name}`);
      assert.ok(existsSync(path.resolve(root, path.dirname(file), name)), `${file} imports ${name}, which is not there`);
    }
  }
});

test('both entry points load in Node and have types', async () => {
  const { exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const entry of [exports['.'], exports['./worker']]) {
    assert.ok(existsSync(path.join(root, entry.types)), entry.types);
    assert.ok(Object.keys(await import(path.join(root, entry.default))).length > 0, entry.default);
  }
});

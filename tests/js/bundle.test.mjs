// @ts-check
// A bundler for browsers must accept the package as it is, and leave nothing of Node in the way.
import test from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { build } from 'esbuild';
import { root } from './support/env.mjs';

for (const entry of ['js-glue/index.js', 'worker/index.js', 'worker/entry.js', 'worker/lane.js']) {
  test(`${entry} bundles for browsers without options`, async () => {
    const { errors, warnings, outputFiles } = await build({ entryPoints: [path.join(root, entry)], bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'silent' });
    assert.deepEqual([errors, warnings.filter((w) => !/import\.meta/.test(w.text))], [[], []]);
    assert.doesNotMatch(outputFiles[0].text, /\bfrom\s*["']node:|(?<![.\w#])eval\s*\(|new Function\s*\(/);
  });
}

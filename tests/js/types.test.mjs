// @ts-check
// The compiler as a test: every source file under strict checking, and tests/types/*.ts with its expected errors. Then the same file
// against the declarations that are shipped, as a user's compiler sees them.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { root, temporaryFolder } from './support/env.mjs';

const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
/** @param {...string} args */
const compile = (...args) => spawnSync(process.execPath, [tsc, ...args], { cwd: root, encoding: 'utf8' });

test('strict checking of the sources and of tests/types', () => {
  const run = compile('-p', 'tsconfig.json');
  assert.equal(run.status, 0, run.stdout);
});

const shipped = path.join(root, 'dist/types/js-glue/index.d.ts');
for (const [module, resolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
  test(`the shipped declarations, module ${module}, resolution ${resolution}`, existsSync(shipped) ? {} : { skip: 'skipped: dist/types is not built' }, () => {
    const dir = temporaryFolder();
    const source = readFileSync(path.join(root, 'tests/types/api.ts'), 'utf8').replaceAll("'../../js-glue/", `'${root}dist/types/js-glue/`).replaceAll("'../../worker/", `'${root}dist/types/worker/`);
    mkdirSync(dir, { recursive: true });
    writeFileSync(path.join(dir, 'package.json'), '{"type":"module"}');
    writeFileSync(path.join(dir, 'api.ts'), source);
    const run = compile('--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable,dom.asynciterable,esnext.disposable', '--types', 'node', '--typeRoots', path.join(root, 'node_modules/@types'), '--module', module, '--moduleResolution', resolution, path.join(dir, 'api.ts'));
    assert.equal(run.status, 0, run.stdout);
  });
}

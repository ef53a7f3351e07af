// @ts-check
// The README's examples for Node and C run as they are printed; only the package name and the model's path are filled in.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
const model = path.join(root, 'dist', 'models', 'home-random.gguf');

/** Fenced blocks of a language. @param {string} language */
const blocks = (language) => [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((m) => m[1]);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-net-readme-'));
test.after(() => fs.rmSync(folder, { recursive: true, force: true }));

const examples = blocks('js').filter((code) => code.startsWith('// node\n'));
test('the README has examples for Node and C', () => {
  assert.ok(examples.length >= 2);
  assert.equal(blocks('c').length, 1);
});

for (const [i, code] of examples.entries()) {
  test(`README, Node example ${i + 1}`, () => {
    const filled = code
      .replace("'@ruvector/edge-net-models/worker'", JSON.stringify(pathToFileURL(path.join(root, 'dist', 'worker.js')).href))
      .replace("'@ruvector/edge-net-models'", JSON.stringify(pathToFileURL(path.join(root, 'dist', 'index.js')).href))
      .replaceAll("'model.gguf'", JSON.stringify(model));
    const file = path.join(folder, `example-${i}.mjs`);
    fs.writeFileSync(file, filled);
    const out = execFileSync(process.execPath, [file], { encoding: 'utf8', timeout: 60_000, env: { ...process.env, HOME: folder } }); // what it keeps goes with the test
    assert.ok(out.trim().length > 0);
  });
}

test('README, C example', () => {
  const built = path.join(root, 'build', 'native-gcc');
  const libraries = fs.readdirSync(built).filter((f) => f.endsWith('.a')).map((f) => path.join(built, f));
  const source = path.join(folder, 'example.c');
  const program = path.join(folder, 'example');
  fs.writeFileSync(source, blocks('c')[0]);
  execFileSync('gcc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-I', path.join(root, 'core', 'include'), source, '-Wl,--start-group', ...libraries, '-Wl,--end-group', '-lm', '-lpthread', '-o', program]);
  const ids = execFileSync(program, [model], { encoding: 'utf8' }).trim().split(' ').map(Number);
  assert.equal(ids.length, 10);
  assert.ok(ids.every((id) => Number.isInteger(id) && id >= 0));
});

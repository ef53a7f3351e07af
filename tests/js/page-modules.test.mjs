// @ts-check
// The page names its modules in advance, so that a browser asks for all of them at once and not level by level.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const page = fileURLToPath(new URL('../../web-demo', import.meta.url));

/** Modules that main.js cannot run without; of the package the doors alone, for what lies behind them has other names after every build. @param {string} file @param {Set<string>} [seen] */
function needed(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  if (file.startsWith('..')) return seen;
  for (const [, from] of readFileSync(path.join(page, file), 'utf8').matchAll(/^(?:import|export)\s(?:[^;]*?\sfrom\s)?'(\.[^']+)'/gm)) needed(path.join(path.dirname(file), from), seen);
  return seen;
}

test('index.html preloads every module that the page begins with, and none besides', () => {
  const named = [...readFileSync(path.join(page, 'index.html'), 'utf8').matchAll(/rel="modulepreload" href="(?:\.\/)?([^"]+)"/g)].map(([, file]) => file);
  const modules = needed('main.js').add('../dist/js-glue/index.js'); // dist/index.js is one line that names it
  assert.ok(modules.size > 30 && [...modules].every((file) => file.startsWith('..') || existsSync(path.join(page, file))));
  assert.deepEqual([...named].sort(), [...modules].sort());
  assert.ok(!modules.has('teach/old-commands.js'), 'what only a lesson needs comes with the first lesson');
});

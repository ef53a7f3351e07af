// @ts-check
// The documents say what is there: links lead somewhere, paths and functions that are named exist, lists of files are whole.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { root } from './support/env.mjs';

const FOLDERS = ['core', 'host', 'wasm', 'js-glue', 'worker', 'cli', 'tests', 'tools', 'bench', 'docs', 'models', 'web-demo', 'cmake'];
/** @param {string} folder @param {RegExp} ends @returns {string[]} paths from the root */
function below(folder, ends) {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true }).filter((e) => e.isFile() && ends.test(e.name)).map((e) => path.relative(root, path.join(e.parentPath ?? e.path, e.name)));
}
/** @param {string} file */
const read = (file) => readFileSync(path.join(root, file), 'utf8');
const documents = [...readdirSync(root).filter((name) => name.endsWith('.md')), ...FOLDERS.flatMap((folder) => below(folder, /\.md$/))];

test('links lead to files, and paths that are named exist', () => {
  assert.ok(documents.length > 8);
  for (const file of documents) {
    const text = read(file);
    for (const [, to] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (!/^https?:/.test(String(to))) assert.ok(existsSync(path.join(root, path.dirname(file), String(to))), `${file}: the link to ${to}`);
    }
    for (const [named] of text.matchAll(new RegExp(`(?<![\\w./-])(?:${FOLDERS.join('|')})/[\\w./-]*[\\w](?![\\w<*{])`, 'g'))) {
      assert.ok([root, path.join(root, path.dirname(file))].some((from) => existsSync(path.join(from, named))), `${file}: ${named}`);
    }
  }
});

test('functions and types of the core that are named exist', () => {
  const sources = [...below('core', /\.[chS]$|\.def$/), ...below('wasm', /\.[ch]$/), ...below('host', /\.[ch]$/)].map(read).join('\n');
  const known = new Set(sources.match(/\b(?:en|w)_[a-z0-9_]+/gi));
  for (const file of documents) {
    for (const [name] of read(file).matchAll(/\b(?:en|EN|w)_[A-Za-z0-9_]{3,}/g)) {
      if (!/^en_x_/.test(name)) assert.ok(known.has(name) || [...known].some((k) => k.startsWith(name)), `${file}: ${name}`); // en_x_...: any object's
    }
  }
});

test('lists of files are whole', () => {
  for (const [list, names] of /** @type {const} */ ([
    ['js-glue/README.md', readdirSync(path.join(root, 'js-glue')).filter((n) => n.endsWith('.js'))],
    ['wasm/README.md', readdirSync(path.join(root, 'wasm')).filter((n) => n !== 'README.md' && n !== 'convert')],
    ['tests/fuzz/README.md', readdirSync(path.join(root, 'tests/fuzz')).filter((n) => n.endsWith('_fuzz.c')).map((n) => `| ${n.replace('_fuzz.c', '')} |`)],
    ['models/home/README.md', readdirSync(path.join(root, 'models/home')).filter((n) => n !== 'README.md')],
    ['docs/design.md', readdirSync(path.join(root, 'core'), { withFileTypes: true }).filter((e) => e.isDirectory() && e.name !== 'build').map((e) => `core/${e.name}`)],
  ])) for (const name of names) assert.ok(read(list).includes(name), `${list} lacks ${name}`);
});

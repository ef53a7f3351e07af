// @ts-check
// Runs the native command for tests, and finds models: the published one of the shared data, or the generated placeholder.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const shared = path.resolve(root, process.env.EDGE_NET_SHARED ?? '../shared');
export const home = path.join(root, 'dist/models/home-random.gguf');
const command = path.join(root, 'build/native/edge-net');

/** @param {string[]} args @returns {{ code: number | null, out: string, bytes: Buffer, err: string }} */
export function edgeNet(...args) {
  const done = spawnSync(command, args, { cwd: root, maxBuffer: 1 << 28, timeout: 120_000 });
  if (done.error) throw done.error;
  return { code: done.status, out: done.stdout.toString(), bytes: done.stdout, err: done.stderr.toString() };
}

/** Exit code 0 and nothing on stderr, or the test fails. @param {string[]} args */
export function ok(...args) {
  const done = edgeNet(...args);
  if (done.code !== 0 || done.err !== '') throw new Error(`edge-net ${args.join(' ')}: code ${done.code}, ${done.err}`);
  return done;
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'edge-net-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A file in a folder that is removed at the end. @param {string} name @param {string | Uint8Array} [content] */
export function temporary(name, content) {
  const file = path.join(folder, name);
  if (content !== undefined) writeFileSync(file, content);
  return file;
}

/** Options for a test that needs a shared file. @param {string} relative */
export function needs(relative) {
  const there = existsSync(path.join(shared, relative));
  if (!there) console.log(`skipped: no shared data (${relative})`);
  return { skip: there ? false : `no shared data (${relative})` };
}

// @ts-check
// What the tools share: running commands, finding files, telling what happens.
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const dist = path.join(root, 'dist');
export const jobs = String(Math.max(1, os.availableParallelism()));

/** Wasm engines of a release. */
export const VARIANTS = ['scalar', 'simd128', 'relaxed', 'simd128-mt', 'relaxed-mt'];

/**
 * Runs a command in the repository and waits for it.
 * @param {string} command @param {string[]} args
 * @param {{ env?: Record<string, string>, quiet?: boolean, log?: string, onLine?: (line: string) => void }} [options]
 *   quiet: show the output only if it fails; log: also write it to that file
 * @returns {Promise<{ code: number, lines: string[] }>}
 */
export async function exec(command, args, { env = {}, quiet = false, log, onLine } = {}) {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  if (log) mkdirSync(path.dirname(log), { recursive: true });
  const file = log ? createWriteStream(log) : null;
  /** @type {string[]} */ const lines = [];
  for (const [stream, out] of /** @type {const} */ ([[child.stdout, process.stdout], [child.stderr, process.stderr]])) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      file?.write(text);
      if (!quiet) out.write(text);
      const parts = (rest + text).split('\n');
      rest = /** @type {string} */ (parts.pop());
      for (const line of parts) { lines.push(line); onLine?.(line); }
    }).on('end', () => { if (rest) { lines.push(rest); onLine?.(rest); } });
  }
  const code = await new Promise((resolve) => {
    child.on('error', (e) => { lines.push(`${command}: ${e.message}`); resolve(127); });
    child.on('close', (status) => resolve(status ?? 1));
  });
  file?.end();
  return { code, lines };
}

/** The same, and a failure throws after showing the last lines. @param {string} command @param {string[]} args @param {Parameters<typeof exec>[2]} [options] */
export async function must(command, args, options) {
  const done = await exec(command, args, options);
  if (done.code === 0) return done;
  if (options?.quiet) console.error(done.lines.slice(-60).join('\n'));
  throw new Error(`${command} ${args.join(' ')} failed with code ${done.code}`);
}

/** Installs what is missing. @param {string[]} groups see tools/setup.sh */
export async function setup(...groups) {
  await must('bash', ['tools/setup.sh', ...groups]);
}

/** @param {string} command */
export function have(command) {
  return spawnSync('sh', ['-c', 'command -v "$0"', command], { stdio: 'ignore' }).status === 0;
}

/** The clang to use: the one the project is tested with, else what there is. */
export function findClang() {
  return ['clang-19', 'clang-20', 'clang-21', 'clang-22', 'clang-18'].find(have) ?? 'clang';
}

/**
 * Configures and builds a CMake preset in build/<preset>.
 * @param {string} preset
 * @param {{ log?: string, wrap?: string[], target?: string, keepGoing?: boolean }} [options]
 *   wrap: put before `cmake`, e.g. emcmake; target: build only that; keepGoing: build what can be built and show what cannot
 */
export async function cmake(preset, { log, wrap = [], target, keepGoing = false } = {}) {
  const clang = /^(native-clang|asan|tsan|fuzz)$/.test(preset) ? [`-DCMAKE_C_COMPILER=${findClang()}`] : [];
  const [command = 'cmake', ...args] = [...wrap, 'cmake', '--preset', preset, ...clang];
  await must(command, args, { quiet: true, log });
  const build = ['--build', '--preset', preset, '-j', jobs, ...(target ? ['--target', target] : [])];
  if (keepGoing) {
    const { code, lines } = await exec('cmake', [...build, '--', '-k', '0'], { quiet: true, log });
    if (code !== 0) console.log(lines.filter((l) => !/^\[\d+\/\d+\] (Building|Linking)/.test(l)).slice(-60).join('\n'));
  } else {
    await must('cmake', build, { quiet: true, log });
  }
  return path.join(root, 'build', preset);
}

/** Files below a folder of the repository whose names end so, sorted; none if the folder is missing. @param {string} folder @param {string} ending */
export function files(folder, ending) {
  const dir = path.join(root, folder);
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true }).map(String).filter((f) => f.endsWith(ending)).sort().map((f) => path.join(folder, f));
}

/** @param {number} ms */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

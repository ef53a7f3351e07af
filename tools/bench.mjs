#!/usr/bin/env node
// @ts-check
/**
 * `npm run bench`: everything that docs/speed.md tells figures of. JSON lines on stdout; figures that nobody disturbed go to bench/results/*.csv.
 *
 *   node tools/bench.mjs [--only kernels,native,session,peers] [MODEL.gguf...]
 *
 *   kernels   every kernel table, natively (bench/kernels.c)
 *   native    `edge-net bench` with a profile, one text and four, on one thread and two
 *   session   the SDK in Node and in a Chromium tab (bench/session.mjs), on a quiet machine and beside one busy thread
 *   peers     beside llama.cpp and wllama (bench/peers.mjs); needs the shared data folder
 *
 * Without models: the synthetic ones of the shared data folder's harness (0.5B Q4_0 and Q8_0, 15M, 1.1B for the native programs). One step or one row is
 * best run by its own script, whose head tells the options.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { cmake, exec, root, setup } from './lib.mjs';

const MODELS = ['qwen2.5-0.5b-q4_0', 'qwen2.5-0.5b-q8_0', 'stories-15m-q8_0'];
const NATIVE_ONLY = ['tinyllama-1.1b-q4_0'];
const folder = path.join(root, 'build', 'peers', 'models');
const shared = path.join(path.resolve(process.env.EDGE_NET_SHARED ?? path.join(root, '..', 'shared')), 'harness');

/** A synthetic model, made on first use. @param {string} name @returns {Promise<string>} */
async function synthetic(name) {
  const file = path.join(folder, `${name}.gguf`);
  if (existsSync(file)) return file;
  if (!existsSync(shared)) throw new Error(`no shared data: ${shared} does not exist (set EDGE_NET_SHARED), so give model files`);
  mkdirSync(folder, { recursive: true });
  const [, shape, quant] = /** @type {RegExpExecArray} */ (/^(.*)-([^-]+)$/.exec(name));
  await exec(process.execPath, [path.join(shared, 'gen-gguf.mjs'), '--shape', shape, '--quant', quant, '--out', folder], { quiet: true });
  return file;
}

const { values: o, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string', default: 'kernels,native,session,peers' } } });
let failed = 0;
/** @param {string} command @param {string[]} args */
async function run(command, args) { failed += Number((await exec(command, args)).code !== 0); }
/** @param {string} script @param {string[]} args */
const script = (script, ...args) => run(process.execPath, ['--no-warnings', path.join('bench', script), ...args]);

/** @type {Record<string, (built: string, models: string[], large: string[]) => Promise<void>>} */
const STEPS = {
  async kernels(built) { await run(path.join(built, 'bench-kernels'), []); },
  async native(built, models, large) {
    for (const model of [...models, ...large]) {
      for (const seqs of ['1', '4']) await run(path.join(built, 'edge-net'), ['bench', model, '--threads', '1,2', '--seqs', seqs, '--profile', '--json']);
    }
  },
  async session(_built, models) {
    await script('session.mjs', ...models);
    await script('session.mjs', '--busy', '--rows', 'speed', '--places', 'tab', '--variants', 'relaxed', ...models.slice(0, 1));
  },
  async peers() {
    await script('peers.mjs', '--models', MODELS.join());
    await script('peers.mjs', '--models', NATIVE_ONLY.join(), '--only', 'llama,native,again');
  },
};

async function main() {
  const steps = o.only.split(',');
  for (const step of steps) if (!STEPS[step]) throw new Error(`--only ${step}: there are ${Object.keys(STEPS).join(', ')}`);
  await setup('build');
  const built = await cmake('native-gcc');
  if (steps.includes('session') || steps.includes('peers')) await build();
  const given = positionals.map((file) => path.resolve(file)), needed = steps.includes('native') || steps.includes('session');
  /** @param {string[]} names */
  const made = async (names) => { const files = []; for (const name of names) files.push(await synthetic(name)); return files; };
  const models = given.length || !needed ? given : await made(MODELS), large = given.length || !steps.includes('native') ? [] : await made(NATIVE_ONLY);
  for (const step of steps) await STEPS[step](built, models, large);
  process.exitCode = failed ? 1 : 0;
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});

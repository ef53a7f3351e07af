#!/usr/bin/env node
// @ts-check
/**
 * `npm run fuzz`: runs every libFuzzer target of tests/fuzz with sanitizers, from its committed seeds.
 *
 *   node tools/fuzz.mjs [--seconds 60] [target...]      target: name without _fuzz, e.g. gguf
 *
 * New inputs are kept in build/fuzz-corpus/<name>; what crashes is written to build/fuzz-crashes/<name>-*.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { cmake, exec, files, root, seconds, setup } from './lib.mjs';

/** @param {string} name @param {string} built @param {number} time */
async function fuzz(name, built, time) {
  const corpus = path.join(root, 'build/fuzz-corpus', name);
  const crashes = path.join(root, 'build/fuzz-crashes');
  mkdirSync(corpus, { recursive: true });
  mkdirSync(crashes, { recursive: true });
  const seeds = path.join('tests/fuzz/corpus', name);
  const start = performance.now();
  const { code, lines } = await exec(path.join(built, 'fuzz', `${name}_fuzz`), [corpus, ...(existsSync(path.join(root, seeds)) ? [seeds] : []),
    `-max_total_time=${time}`, '-timeout=10', '-rss_limit_mb=2048', '-print_final_stats=1', `-artifact_prefix=${crashes}/${name}-`], { quiet: true });
  const runs = Number(lines.map((l) => /number_of_executed_units:\s*(\d+)/.exec(l)?.[1]).find(Boolean) ?? 0);
  const ok = code === 0 && runs > 0;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}: ${runs} runs in ${seconds(performance.now() - start)}`);
  if (!ok) console.log(lines.slice(-60).join('\n'));
  return ok;
}

async function main() {
  const { values, positionals } = parseArgs({ options: { seconds: { type: 'string', default: '60' } }, allowPositionals: true });
  const time = Number(values.seconds);
  if (!(time > 0)) throw new Error(`--seconds ${values.seconds}: must be a number above 0`);
  const all = files('tests/fuzz', '_fuzz.c').map((file) => path.basename(file, '_fuzz.c'));
  const unknown = positionals.find((name) => !all.includes(name));
  if (unknown) throw new Error(`no fuzz target ${unknown}; there are ${all.join(' ')}`);
  await setup('build', 'test');
  const built = await cmake('fuzz');
  let failed = 0;
  for (const name of positionals.length ? positionals : all) if (!await fuzz(name, built, time)) failed++;
  const ran = (positionals.length || all.length);
  console.log(`${ran - failed} passed, ${failed} failed`);
  process.exitCode = failed || !ran ? 1 : 0;
}

main().catch((error) => {
  console.error(`fuzz: ${error.message}`);
  process.exitCode = 1;
});

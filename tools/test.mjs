#!/usr/bin/env node
// @ts-check
/**
 * `npm test`: sets up, builds and runs every suite; the last line sums them: "N passed, N failed, N skipped".
 *
 *   node tools/test.mjs [--long] [--list] [suite...]
 *
 * Suites run one after another; output that passed goes to build/logs/<suite>.log, what failed is shown. A suite that ran nothing
 * has failed. Fixtures come from EDGE_NET_SHARED (default ../shared); where they are absent, tests say so and count as skipped.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build } from './build.mjs';
import { cmake, exec, files, root, seconds, setup } from './lib.mjs';

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 * @typedef {{ name: string, what: string, run: (log: string) => Promise<Counts> }} Suite
 */
const COUNTS = /(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/;

/** @returns {Counts} */
const none = () => ({ passed: 0, failed: 0, skipped: 0 });

/** @param {Counts} sum @param {Counts} more */
function add(sum, more) {
  sum.passed += more.passed;
  sum.failed += more.failed;
  sum.skipped += more.skipped;
}

/** @param {string} text @returns {Counts | null} */
function readCounts(text) {
  const match = COUNTS.exec(text);
  return match && { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3] ?? 0) };
}

/**
 * Builds a preset, runs CTest and adds up what the programs counted; one that died without saying so, or could not be built, counts
 * as one failure.
 * @param {string} preset @param {string} log @param {Record<string, string>} [env]
 */
async function ctest(preset, log, env) {
  await cmake(preset, { log: `${log}.build`, keepGoing: true });
  const sum = none();
  let counts = none();
  /** @type {string[]} */ let output = [];
  const { lines, code } = await exec('ctest', ['--preset', preset, '-V'], {
    quiet: true, log, env,
    onLine: (line) => {
      const said = /^\d+: (.*)$/.exec(line);
      if (said) {
        output.push(/** @type {string} */ (said[1]));
        add(counts, readCounts(/** @type {string} */ (said[1])) ?? none());
      }
      const ended = /^\s*\d+\/\d+ Test +#\d+: (\S+) \.* *(.*?) +[\d.]+ sec/.exec(line);
      if (!ended) return;
      const [, name, verdict] = ended;
      if (verdict !== 'Passed' && counts.failed === 0) counts.failed = 1;
      if (verdict === 'Passed' && counts.passed + counts.skipped === 0) counts.passed = 1;
      console.log(`  ${verdict === 'Passed' ? 'ok    ' : 'FAILED'} ${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
      for (const text of new Set(output.filter((o) => o.startsWith('skipped:')))) console.log(`         ${text}`);
      if (counts.failed) console.log(output.slice(-80).map((o) => `         ${o}`).join('\n'));
      add(sum, counts);
      counts = none();
      output = [];
    },
  });
  if (code !== 0 && sum.failed === 0) {
    console.log(lines.slice(-40).join('\n'));
    sum.failed = 1;
  }
  return sum;
}

/** node --test over the files of a folder. @param {string} folder @param {string} log @param {string[]} [flags] */
async function nodeTests(folder, log, flags = []) {
  const found = files(folder, '.test.mjs');
  if (!found.length) return none();
  const tap = `${log}.tap`;
  await exec(process.execPath, [...flags, '--test', '--test-reporter=spec', '--test-reporter-destination=stdout',
    '--test-reporter=tap', `--test-reporter-destination=${tap}`, ...found], { log });
  const text = existsSync(tap) ? readFileSync(tap, 'utf8') : '';
  /** @param {string} word */
  const read = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { passed: read('pass'), failed: read('fail') + read('cancelled'), skipped: read('skipped') + read('todo') };
}

/** @param {string} log @param {string[]} [args] */
async function playwright(log, args = []) {
  const report = `${log}.json`;
  rmSync(report, { force: true });
  const done = await exec(process.execPath, ['node_modules/@playwright/test/cli.js', 'test', '--reporter=list,json', ...args],
    { log, env: { PLAYWRIGHT_JSON_OUTPUT_NAME: report, CI: '1' } });
  if (!existsSync(report)) return { ...none(), failed: 1 };
  const { stats, errors } = JSON.parse(readFileSync(report, 'utf8'));
  const failed = stats.unexpected;
  if (stats.flaky) console.log(`  ${stats.flaky} passed only when tried again (tests/browser/support/projects.mjs says why): see the log for which`);
  return { passed: stats.expected + stats.flaky, failed: failed || (done.code !== 0 || errors?.length ? 1 : 0), skipped: stats.skipped };
}

/** A command that passes or fails as a whole. @param {string} command @param {string[]} args @param {string} log */
async function oneCheck(command, args, log) {
  const { code, lines } = await exec(command, args, { quiet: true, log });
  if (code !== 0) console.log(lines.slice(-60).join('\n'));
  return { ...none(), passed: Number(code === 0), failed: Number(code !== 0) };
}

/** @type {Suite[]} */
const SUITES = [
  { name: 'native-asan', what: 'unit tests under address and undefined-behaviour sanitizers',
    run: (log) => ctest('asan', log) },
  { name: 'native', what: 'unit tests, release build',
    run: (log) => ctest('native-gcc', log) },
  { name: 'build', what: 'the package and the CLI can be built and are small enough',
    run: async () => { await build(); return { ...none(), passed: 1 }; } },
  { name: 'types', what: 'TypeScript finds no error in the JavaScript',
    run: (log) => oneCheck(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit'], log) },
  { name: 'cli', what: 'the native CLI', run: (log) => nodeTests('tests/cli', log) },
  { name: 'node', what: 'the JavaScript SDK in Node', run: (log) => nodeTests('tests/js', log) },
  { name: 'browsers', what: 'the SDK and the demo in Chromium and Firefox', run: (log) => playwright(log) },
];

/** @type {Suite[]} */
const LONG = [
  { name: 'native-clang', what: 'unit tests, clang release build',
    run: (log) => ctest('native-clang', log) },
  { name: 'tsan', what: 'unit tests under the thread sanitizer',
    run: (log) => ctest('tsan', log) },
  { name: 'bare', what: 'the core alone, freestanding',
    run: (log) => ctest('bare', log) },
  { name: 'no-text', what: 'the core without tokenizers',
    run: (log) => ctest('no-text', log) },
  { name: 'aarch64', what: 'unit tests for aarch64 under qemu',
    run: (log) => ctest('aarch64', log, { QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu' }) },
  { name: 'emscripten', what: 'the engine by Emscripten, run by the same JavaScript',
    run: async (log) => {
      process.env.NODE_PATH ??= '/usr/share/nodejs'; // Debian's Emscripten has its helpers where other Node builds do not search
      for (const variant of ['simd128', 'simd128-mt']) await cmake(`emscripten-${variant}`, { log: `${log}.build`, wrap: ['emcmake'] });
      return nodeTests('tests/emscripten', log);
    } },
  { name: 'wasi-sdk-shaped', what: 'a toolchain file of wasi-sdk\'s shape gives the release build\'s engine',
    run: async (log) => {
      const built = await cmake('wasi-sdk-shaped', { log });
      await build('wasm');
      return oneCheck('cmp', [path.join(built, 'edge-net-relaxed-mt.wasm'), 'dist/wasm/edge-net-relaxed-mt.wasm'], log);
    } },
  { name: 'wasi-cli', what: 'the CLI as a WASI command under node:wasi',
    run: async (log) => { await cmake('wasm-cli', { log }); return nodeTests('tests/cli-wasi', log); } },
  { name: 'agreement', what: 'a 0.5B model: every native table and wasm build computes the same logits',
    run: async (log) => { await build(); return nodeTests('tests/long', log, ['--experimental-wasm-relaxed-simd', '--no-liftoff']); } },
  { name: 'browsers-long', what: 'large models, cancellation and repetition in browsers',
    run: (log) => playwright(log, ['--config', 'tests/browser-long/playwright.config.mjs']) },
];

/** @param {Suite} suite */
async function runSuite(suite) {
  const log = path.join(root, 'build/logs', `${suite.name}.log`);
  rmSync(log, { force: true });
  console.log(`\n== ${suite.name}: ${suite.what}`);
  const start = performance.now();
  const counts = await suite.run(log).catch((error) => {
    console.log(`  ${error.message}`);
    return { ...none(), failed: 1 };
  });
  if (counts.passed + counts.failed + counts.skipped === 0) {
    console.log('  this suite ran no tests, which counts as a failure');
    counts.failed = 1;
  }
  console.log(`== ${suite.name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds(performance.now() - start)}`);
  return counts;
}

async function main() {
  const args = process.argv.slice(2);
  const long = args.includes('--long');
  const names = args.filter((a) => !a.startsWith('--'));
  const pool = long ? LONG : SUITES;
  if (args.includes('--list')) return void console.log(pool.map((s) => `${s.name.padEnd(24)} ${s.what}`).join('\n'));
  const unknown = names.find((n) => ![...SUITES, ...LONG].some((s) => s.name === n));
  if (unknown) throw new Error(`no suite ${unknown}; see --list and --long --list`);
  const suites = names.length ? [...SUITES, ...LONG].filter((s) => names.includes(s.name)) : pool;

  process.env.EDGE_NET_SHARED = path.resolve(root, process.env.EDGE_NET_SHARED ?? '../shared');
  if (!existsSync(process.env.EDGE_NET_SHARED)) console.log(`skipped: no shared data in ${process.env.EDGE_NET_SHARED}; tests that need it are skipped`);
  await setup('build', 'test', ...(long ? ['long'] : []));

  const sum = none();
  /** @type {string[]} */ const failed = [];
  for (const suite of suites) {
    const counts = await runSuite(suite);
    if (counts.failed) failed.push(suite.name);
    add(sum, counts);
  }
  console.log(failed.length ? `\nfailed: ${failed.join(', ')} (build/logs/<suite>.log)` : '');
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  process.exitCode = sum.failed ? 1 : 0;
}

main().catch((error) => {
  console.error(`test: ${error.message}`);
  console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
});

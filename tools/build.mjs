#!/usr/bin/env node
// @ts-check
/**
 * Builds dist/ (the npm package: ES modules, wasm engines, types, the default model) and build/native/edge-net (the native CLI).
 *
 *   node tools/build.mjs [step...]      steps: native wasm js types model list size (default: all, in this order)
 *
 * dist/index.js and dist/worker.js are the entry points; dist/js-glue (chunks), dist/worker and dist/wasm keep the relative places that the
 * sources have, so that they run in browsers and Node without a bundler.
 */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { VARIANTS, cmake, dist, files, must, root, seconds } from './lib.mjs';

/** Largest wasm engine plus all modules that a page loads, gzipped. */
export const SIZE_LIMIT = 300 * 1024;

async function buildNative() {
  const built = await cmake('native-gcc', { target: 'edge-net' });
  const cli = path.join(built, 'edge-net');
  mkdirSync(path.join(root, 'build/native'), { recursive: true });
  rmSync(path.join(root, 'build/native/edge-net'), { force: true }); // a running one stays what it is
  copyFileSync(cli, path.join(root, 'build/native/edge-net'));
}

async function buildWasm() {
  mkdirSync(path.join(dist, 'wasm'), { recursive: true });
  for (const variant of VARIANTS) {
    const name = `edge-net-${variant}.wasm`;
    const built = await cmake(`wasm-${variant}`);
    copyFileSync(path.join(built, name), path.join(dist, 'wasm', name));
    if (variant === 'scalar') copyFileSync(path.join(built, 'convert.wasm'), path.join(dist, 'wasm', 'convert.wasm')); // fetched for folders and split models alone
  }
}

/**
 * Libraries of the modules that browsers load: each one a module of its own, so that a browser needs no bundler and no import map. `source`: what is bundled;
 * `without`: a file of it that nothing here calls (jinja's printer of templates: 1.4 KB compressed).
 */
const VENDORED = [
  { name: 'jinja', from: '@huggingface/jinja', source: './node_modules/@huggingface/jinja/src/index.ts', without: /jinja.src.format\.ts$/, exports: ['Template'], licence: 'MIT licence, Copyright Hugging Face' },
  { name: 'sha256', from: 'hash-wasm', source: 'hash-wasm', without: null, exports: ['createSHA256'], licence: 'MIT licence, Copyright Dani Biro' },
];
/** The chart of the demo: no part of the package, so it lies beside the page. */
const CHART = { from: 'uplot', script: 'web-demo/vendor/uplot.js', style: 'web-demo/vendor/uplot.css' };

async function bundleVendored() {
  const { build } = await import('esbuild');
  await build({
    stdin: { contents: `export { default } from '${CHART.from}';`, resolveDir: root }, outfile: path.join(root, CHART.script), bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022',
    legalComments: 'none', banner: { js: '// uplot, MIT licence, Copyright Leon Sorokin; bundled by tools/build.mjs' },
  });
  copyFileSync(path.join(root, 'node_modules/uplot/dist/uPlot.min.css'), path.join(root, CHART.style));
  for (const { name, from, source, without, exports, licence } of VENDORED) {
    /** @type {import('esbuild').Plugin} */ const leaveOut = { name: 'leave out', setup(b) { if (without) b.onLoad({ filter: without }, () => ({ contents: 'export const format = undefined;' })); } };
    await build({
      stdin: { contents: `export { ${exports.join(', ')} } from '${source}';`, resolveDir: root }, plugins: [leaveOut],
      outfile: path.join(root, `js-glue/vendor/${name}.js`),
      bundle: true, minify: true, format: 'esm', platform: 'neutral', mainFields: ['module', 'main'], target: 'es2022', legalComments: 'none',
      banner: { js: `/*! ${from}, ${licence}; bundled by tools/build.mjs */` }, // the mark of a comment that stays
    });
  }
}

/** A browser gets the service worker as one file, because a service worker without imports is what all browsers know. */
async function bundleServiceWorker() {
  const { build } = await import('esbuild');
  await build({ entryPoints: [path.join(root, 'js-glue/service-worker/worker.js')], outfile: path.join(dist, 'service-worker.js'), bundle: true, minify: true, format: 'iife', platform: 'browser', target: 'es2022', legalComments: 'none' });
}

/** `edge-net-models`, with everything that it needs inside; and the manifests that it knows by name. */
async function bundleCommand() {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [path.join(root, 'cli/models/main.js')], outfile: path.join(dist, 'cli/edge-net-models.mjs'), bundle: true, format: 'esm', platform: 'node', target: 'node20', legalComments: 'inline', // as deep as the sources of the SDK, which it has inside
    banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" }, // commander asks for Node's modules in the older way
  });
  chmodSync(path.join(dist, 'cli/edge-net-models.mjs'), 0o755);
  const { listManifests } = await import('../cli/models/serve-models.js');
  writeFileSync(path.join(root, 'models/models.json'), JSON.stringify(await listManifests(path.join(root, 'models')), null, 1)); // what ModelLoader knows by name
  for (const folder of ['models/models.json', 'models/manifests', 'models/schema']) cpSync(path.join(root, folder), path.join(dist, folder), { recursive: true });
}

/** What programs, service workers' pages and threads load; everything that these share is in chunks of its own. */
const ENTRIES = ['js-glue/index.js', 'worker/index.js', 'worker/entry.js', 'worker/lane.js', 'js-glue/service-worker/register.js'];

/**
 * The modules as a page gets them: a few chunks instead of a hundred files, because a worker that fetches them one behind another starts a tenth of a second later even from this machine.
 * Every chunk lies as deep as the sources, so that `new URL('../wasm/...', import.meta.url)` stays true; what is imported on demand stays on demand. With maps back to the sources.
 */
async function bundleModules() {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    entryPoints: ENTRIES.map((file) => path.join(root, file)), absWorkingDir: root, outbase: root, outdir: dist, chunkNames: 'js-glue/[name]-[hash]',
    bundle: true, splitting: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', legalComments: 'inline', sourcemap: 'linked', metafile: true,
  });
  const made = new Set(Object.keys(metafile.outputs));
  for (const folder of ['dist/js-glue', 'dist/worker']) for (const file of [...files(folder, '.js'), ...files(folder, '.map')]) if (!made.has(file)) rmSync(path.join(root, file));
}

async function buildJs() {
  await bundleVendored();
  await bundleModules();
  await bundleServiceWorker();
  await bundleCommand();
  writeFileSync(path.join(dist, 'index.js'), "export * from './js-glue/index.js';\n");
  writeFileSync(path.join(dist, 'worker.js'), "export * from './worker/index.js';\n");
}

async function buildTypes() {
  const out = path.join(dist, 'types');
  rmSync(out, { recursive: true, force: true });
  const entries = ['js-glue/index.js', 'worker/index.js', 'js-glue/service-worker/register.js'];
  await must(process.execPath, ['node_modules/typescript/bin/tsc', '--allowJs', '--declaration', '--emitDeclarationOnly', '--skipLibCheck',
    '--strict', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable,dom.asynciterable,esnext.disposable', '--module', 'nodenext', '--types', 'node',
    '--rootDir', '.', '--outDir', 'dist/types', ...entries], { quiet: true });
  for (const file of [...files('js-glue', '.d.ts'), ...files('worker', '.d.ts')]) { // hand-written ones are not emitted
    mkdirSync(path.dirname(path.join(out, file)), { recursive: true });
    copyFileSync(path.join(root, file), path.join(out, file));
  }
}

/** The default model: models/home-*.gguf, the trained one; without it the one with random weights, which the tests use in any case. */
async function buildModel() {
  mkdirSync(path.join(dist, 'models'), { recursive: true });
  const random = path.join(dist, 'models/home-random.gguf');
  await must(process.execPath, ['tools/make-home-model.mjs', random], { quiet: true });
  const trained = files('models', '.gguf').filter((file) => /^models[\\/]home-(?!random)[^\\/]*$/.test(file)).sort().at(-1);
  copyFileSync(trained ? path.join(root, trained) : random, path.join(dist, 'models/home.gguf'));
}

/** The package's list for a service worker (js-glue/service-worker/list.js): every module and engine with its SHA-256. */
async function buildList() {
  const paths = [...files('dist', '.js'), ...files('dist', '.wasm')].filter((file) => file !== 'dist/service-worker.js');
  const list = Object.fromEntries(paths.map((file) => [path.relative('dist', file).replaceAll('\\', '/'), createHash('sha256').update(readFileSync(path.join(root, file))).digest('hex')]));
  writeFileSync(path.join(dist, 'files.json'), `${JSON.stringify({ files: list }, null, 1)}\n`);
}

/** Gzipped bytes of the package's parts: the largest engine and every module, which is what a page can load at most. */
export function sizes() {
  /** @param {string} file */
  const gzipped = (file) => gzipSync(readFileSync(path.join(root, file)), { level: 9 }).length;
  const wasm = files('dist/wasm', '.wasm').map((file) => ({ file, bytes: gzipped(file) }));
  const js = files('dist', '.js').map((file) => ({ file, bytes: gzipped(file) }));
  const largest = Math.max(0, ...wasm.map((w) => w.bytes));
  return { wasm, js, total: largest + js.reduce((sum, j) => sum + j.bytes, 0) };
}

async function reportSizes() {
  const { wasm, js, total } = sizes();
  for (const { file, bytes } of wasm) console.log(`  ${file.padEnd(36)} ${(bytes / 1024).toFixed(1).padStart(7)} KB gzipped`);
  console.log(`  ${`${js.length} modules`.padEnd(36)} ${(js.reduce((sum, j) => sum + j.bytes, 0) / 1024).toFixed(1).padStart(7)} KB gzipped`);
  console.log(`  ${'largest engine + modules'.padEnd(36)} ${(total / 1024).toFixed(1).padStart(7)} KB of ${SIZE_LIMIT / 1024} KB`);
  if (total > SIZE_LIMIT) throw new Error(`the package is ${total} bytes gzipped, more than ${SIZE_LIMIT}`);
}

/** @type {Record<string, () => Promise<void>>} */
const STEPS = { native: buildNative, wasm: buildWasm, js: buildJs, types: buildTypes, model: buildModel, list: buildList, size: reportSizes };

/** @param {...string} steps default: all */
export async function build(...steps) {
  for (const step of steps.length ? steps : Object.keys(STEPS)) {
    const run = STEPS[step];
    if (!run) throw new Error(`no build step ${step}; there are ${Object.keys(STEPS).join(' ')}`);
    const start = performance.now();
    console.log(`build: ${step}`);
    await run();
    console.log(`build: ${step} done in ${seconds(performance.now() - start)}`);
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === path.join(root, 'tools/build.mjs')) {
  build(...process.argv.slice(2)).catch((error) => {
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  });
}

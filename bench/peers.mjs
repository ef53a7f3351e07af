#!/usr/bin/env node
// @ts-check
/**
 * edge-net beside its peers in one run: llama.cpp native (npm node-llama-cpp's libraries), llama.cpp compiled to WebAssembly with its SIMD kernels (fair)
 * and wllama as published in Chromium, edge-net native and in Chromium.
 *
 *   node bench/peers.mjs [--models qwen2.5-0.5b-q4_0,...] [--threads 1,2] [--reps 5] [--only llama,native,relaxed,simd128,fair,wllama,ort,again] [--pp 128] [--tg 64] [--tries 3] [--keep-disturbed]
 *   node bench/peers.mjs --only relaxed,wllama --models qwen2.5-0.5b-q4_0 --loads 3
 *
 * --loads N: nothing but loading, in N browsers each (a first visit, then one that has the file in its storage); medians. Two or three minutes a number of threads.
 *
 * Models whose name begins with minilm are encoders: 64 sentences of 32 tokens, eight at a time, in sentences per second (column pp), beside llama.cpp native and
 * onnxruntime-web with dynamic int8 (--only llama,native,relaxed,simd128,ort,again).
 *
 * Uses the measuring harness of the shared data folder (EDGE_NET_SHARED): it is copied to build/peers, the peers are installed there from npm, the
 * synthetic models are generated there. Every row goes to bench/results/peers.csv with the CPU seconds that the measured program got per second, and
 * those that others took meanwhile. A row during which others took more than 0.15 cores is measured again, up to --tries times, and then left out of
 * the file unless --keep-disturbed. Prints a Markdown table of ratios at the end. llama.cpp is measured before and after the others; both rows are kept.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { MAX_FOREIGN, watchCpu } from './cpu.mjs';
import { llamaWasm, npmPeers, ROOT, WORK } from './peers/install.mjs';

const SHARED = path.resolve(process.env.EDGE_NET_SHARED ?? path.join(ROOT, '..', 'shared'), 'harness');
const COLUMNS = ['date', 'run', 'model', 'threads', 'who', 'kernels', 'pp_n', 'tg_n', 'pp_med', 'pp_min', 'pp_max', 'tg_med', 'tg_min', 'tg_max', 'cpu_util', 'load_s', 'warm_load_s', 'peak_mb', 'disturbed', 'foreign'];
/** Encoders: sentences of so many tokens per second instead of prompts and generation. */
const ENCODER = /^minilm/, SENTENCE = 32, AT_ONCE = 8;
const WHO = ['llama', 'native', 'relaxed', 'simd128', 'fair', 'wllama', 'ort', 'again'];

const { values: o } = parseArgs({ options: {
  models: { type: 'string', default: 'qwen2.5-0.5b-q4_0,qwen2.5-0.5b-q8_0,stories-15m-q8_0' }, threads: { type: 'string', default: '1,2' }, reps: { type: 'string', default: '5' },
  only: { type: 'string', default: WHO.join() }, tries: { type: 'string', default: '3' }, 'keep-disturbed': { type: 'boolean' }, pp: { type: 'string' }, tg: { type: 'string' }, loads: { type: 'string', default: '0' },
} });
const LOADS = Number(o.loads), PP = o.pp ?? (LOADS ? '8' : '128'), TG = o.tg ?? (LOADS ? '4' : '64');
const only = new Set(o.only.split(','));
for (const who of only) if (!WHO.includes(who)) throw new Error(`--only ${who}: there are ${WHO.join(', ')}`);

/** What a program prints. Asynchronous, so that its processes can be looked at meanwhile (cpu.mjs). @param {string} cmd @param {string[]} args @returns {Promise<string>} */
async function sh(cmd, args) {
  const child = spawn(cmd, args, { cwd: WORK, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => { text += part; });
  const [code] = await once(child, 'close');
  if (code) throw new Error(`${path.basename(cmd)} ${args[0]} ended with ${code}`);
  return text;
}
/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/** Lets the browser keep programs (scripts, WebAssembly), as hosts do: a second visit then finds them in its caches, code that was compiled too. Models are served as before, and kept by each peer in its own storage. */
function keepPrograms() {
  const file = path.join(WORK, 'bench-browser.mjs'), text = fs.readFileSync(file, 'utf8'), never = "'cache-control': 'no-store'";
  if (!text.includes(never)) throw new Error(`${file} sends no cache-control: ${never} to be changed`);
  fs.writeFileSync(file, text.replace(never, "'cache-control': /\\.(m?js|wasm)$/.test(p) ? 'max-age=3600' : 'no-store'"));
}

async function prepare() {
  if (!fs.existsSync(SHARED)) throw new Error(`no shared data: ${SHARED} does not exist (set EDGE_NET_SHARED)`);
  fs.mkdirSync(WORK, { recursive: true });
  fs.cpSync(SHARED, WORK, { recursive: true, force: true });
  execFileSync('chmod', ['-R', 'u+w', WORK]);
  keepPrograms();
  fs.copyFileSync(path.join(ROOT, 'bench', 'peers', 'edge-net.mjs'), path.join(WORK, 'adapters', 'edge-net.mjs'));
  fs.cpSync(path.join(ROOT, 'dist'), path.join(WORK, 'dist'), { recursive: true, force: true });
  npmPeers();
  if (only.has('fair')) {
    llamaWasm();
    fs.copyFileSync(path.join(ROOT, 'bench', 'peers', 'llama-wasm', 'adapter.mjs'), path.join(WORK, 'adapters', 'llama-wasm.mjs'));
  }
  for (const model of o.models.split(',')) {
    const file = path.join(WORK, 'models', `${model}.gguf`);
    const [, shape, quant] = /** @type {RegExpExecArray} */ (/^(.*)-(f32|f16|q4_0|q8_0|q4_k)$/.exec(model));
    if (!fs.existsSync(file)) await sh('node', ['gen-gguf.mjs', '--shape', shape, '--quant', quant, '--out', 'models']);
  }
  if (only.has('ort') && !fs.existsSync(ONNX)) await sh('node', ['gen-onnx.mjs']);
  await sh('node', ['bench-native.mjs', '--build']);
}

const ONNX = path.join(WORK, 'models', 'onnx', 'minilm-l6', 'onnx', 'model_quantized.onnx');
/** What the harness does with a model. @param {string} model */
const mode = (model) => (ENCODER.test(model) ? ['--mode', 'embed', '--seqs', `${AT_ONCE}`] : []);

/** @typedef {Record<string, string | number>} Row */
/** @param {string} file @returns {any[]} */
const lines = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map((l) => JSON.parse(l)) : []);

/** @param {string} model @param {number} threads @param {string} who @returns {Promise<Row>} */
async function llamaNative(model, threads, who) {
  const out = path.join(WORK, 'results', 'native.jsonl');
  const before = lines(out).length;
  await sh('node', ['bench-native.mjs', '--models', `models/${model}.gguf`, '--threads', `${threads}`, '--reps', o.reps, '--pp', PP, '--tg', TG, ...mode(model)]);
  const r = lines(out)[before];
  if (r.per_s) return { who, kernels: `llama.cpp ${r.version ?? ''}`.trim(), pp_med: r.per_s.med, pp_min: r.per_s.min, pp_max: r.per_s.max, cpu_util: '', load_s: r.load_s, peak_mb: r.peak_mb };
  return { who, kernels: `llama.cpp ${r.version ?? ''}`.trim(), pp_med: r.pp.med, pp_min: r.pp.min, pp_max: r.pp.max, tg_med: r.tg.med, tg_min: r.tg.min, tg_max: r.tg.max, cpu_util: r.cpu_util.med, load_s: r.load_s, peak_mb: r.peak_mb };
}

/** @param {string} model @param {number} threads @returns {Promise<Row>} */
async function edgeNative(model, threads) {
  const encoder = ENCODER.test(model), sizes = encoder ? ['-p', `${SENTENCE}`, '--seqs', `${AT_ONCE}`, '-r', `${8 * Number(o.reps)}`] : ['-p', PP, '-n', TG, '-r', o.reps];
  const text = await sh(path.join(ROOT, 'build', 'native', 'edge-net'), ['bench', `models/${model}.gguf`, ...sizes, '--threads', `${threads}`, '--json']);
  const rows = text.trim().split('\n').map((l) => JSON.parse(l));
  if (encoder) return { who: 'edge-net native', kernels: rows[0].kernels, pp_med: rows[0].tok_s.med / SENTENCE, pp_min: rows[0].tok_s.min / SENTENCE, pp_max: rows[0].tok_s.max / SENTENCE, cpu_util: rows[0].cpu_util };
  const pp = rows.find((r) => r.test === 'pp'), tg = rows.find((r) => r.test === 'tg');
  return { who: 'edge-net native', kernels: pp.kernels, pp_med: pp.tok_s.med, pp_min: pp.tok_s.min, pp_max: pp.tok_s.max, tg_med: tg.tok_s.med, tg_min: tg.tok_s.min, tg_max: tg.tok_s.max, cpu_util: Math.min(pp.cpu_util, tg.cpu_util) };
}

/** @param {number[]} values */
const median = (values) => { const v = values.sort((a, b) => a - b), n = v.length; return n % 2 ? v[(n - 1) / 2] : (v[n / 2 - 1] + v[n / 2]) / 2; };

/** @param {string} model @param {number} threads @param {string} who @param {string} adapter @param {object} opts @returns {Promise<Row>} */
async function browser(model, threads, who, adapter, opts, reps = o.reps) {
  if (!LOADS) return visit(model, threads, who, adapter, opts, reps);
  /** @type {Row[]} */ const visits = [];
  while (visits.length < LOADS) visits.push(await visit(model, threads, who, adapter, opts, '1'));
  const of = (/** @type {string} */ key) => median(visits.map((v) => Number(v[key])));
  return { who, kernels: visits[0].kernels, cpu_util: '', load_s: of('load_s'), warm_load_s: of('warm_load_s') };
}

/** One browser, with a profile of its own. @param {string} model @param {number} threads @param {string} who @param {string} adapter @param {object} opts @param {string} reps @returns {Promise<Row>} */
async function visit(model, threads, who, adapter, opts, reps) {
  const out = path.join(WORK, 'results', 'browser.jsonl');
  const before = lines(out).length;
  const file = adapter === 'ort' ? path.relative(WORK, ONNX) : `models/${model}.gguf`;
  await sh('node', ['bench-browser.mjs', '--adapter', adapter, '--models', file, ...mode(model).slice(0, 2), '--threads', `${threads}`, '--reps', reps, '--pp', PP, '--tg', TG, '--opts', JSON.stringify(opts), '--label', who]);
  const r = lines(out)[before];
  if (r.error) throw new Error(`${who}: ${r.error}`);
  const load = { load_s: r.cold.fetch_s + r.cold.init_s, warm_load_s: r.warm ? r.warm.fetch_s + r.warm.init_s : '', peak_mb: r.renderer_peak_mb ?? '' };
  if (r.per_s) return { who, kernels: r.cold.kernels ?? (r.cold.version || r.version || ''), pp_med: r.per_s.med, pp_min: r.per_s.min, pp_max: r.per_s.max, cpu_util: r.cpu_util, ...load };
  return { who, kernels: r.cold.kernels ?? r.version ?? '', pp_med: r.pp.med, pp_min: r.pp.min, pp_max: r.pp.max, tg_med: r.tg.med, tg_min: r.tg.min, tg_max: r.tg.max, cpu_util: r.cpu_util, ...load };
}

/** @param {Row[]} rows */
function save(rows) {
  const file = path.join(ROOT, 'bench', 'results', 'peers.csv');
  if (!rows.length) return;
  if (!fs.existsSync(file)) fs.writeFileSync(file, `${COLUMNS.join(',')}\n`);
  const cell = (/** @type {unknown} */ v) => (typeof v === 'number' ? Number(v.toPrecision(4)) : String(v ?? '').replaceAll(',', ';'));
  fs.appendFileSync(file, rows.map((r) => COLUMNS.map((c) => cell(r[c])).join(',')).join('\n') + '\n');
}

/** @param {Row[]} rows */
function table(rows) {
  const f = (/** @type {unknown} */ v) => (typeof v === 'number' ? v.toFixed(1) : '');
  if (LOADS) return loadTable(rows);
  console.log('| model | threads | who | kernels | prefill tok/s | / llama.cpp | decode tok/s | / llama.cpp | CPU/s | cold, warm load s | note |\n|---|---|---|---|---|---|---|---|---|---|---|');
  for (const r of rows) {
    const base = rows.find((b) => b.model === r.model && b.threads === r.threads && b.who === 'llama.cpp native');
    const ratio = (/** @type {string} */ k) => (base && r[k] && base[k] ? (Number(r[k]) / Number(base[k])).toFixed(2) : '');
    console.log(`| ${r.model} | ${r.threads} | ${r.who} | ${r.kernels} | ${f(r.pp_med)} | ${ratio('pp_med')} | ${f(r.tg_med)} | ${ratio('tg_med')} | ${Number(r.cpu_util).toFixed(2)} | ${f(r.load_s)} ${f(r.warm_load_s)} | ${r.disturbed ? 'disturbed' : ''} |`);
  }
}

/** @param {Row[]} rows */
function loadTable(rows) {
  console.log('| model | threads | who | first visit s | from storage s | from storage, to wllama | foreign cores |\n|---|---|---|---|---|---|---|');
  for (const r of rows) {
    const base = rows.find((b) => b.model === r.model && b.threads === r.threads && b.who === 'wllama tab');
    console.log(`| ${r.model} | ${r.threads} | ${r.who} | ${Number(r.load_s).toFixed(2)} | ${Number(r.warm_load_s).toFixed(3)} | ${base ? (Number(r.warm_load_s) / Number(base.warm_load_s)).toFixed(3) : ''} | ${Number(r.foreign).toFixed(2)} |`);
  }
}

await prepare();
const run = new Date().toISOString().slice(0, 16);
/** @type {Row[]} */ const all = [];
for (const model of o.models.split(',')) {
  for (const threads of o.threads.split(',').map(Number)) {
    const add = async (/** @type {string} */ which, /** @type {() => Promise<Row>} */ measure) => {
      if (!only.has(which)) return;
      try {
        /** @type {Row} */ let row = {};
        let foreign = Infinity;
        for (let tries = Number(o.tries); tries > 0 && foreign > MAX_FOREIGN; tries--) {
          const stop = watchCpu();
          row = await measure();
          ({ foreign } = stop());
        }
        const disturbed = foreign > MAX_FOREIGN || (row.cpu_util !== '' && Number(row.cpu_util) < 0.9 * threads) ? 1 : '';
        all.push({ foreign, date: run, run: `${os.cpus()[0].model.trim()} x${os.cpus().length}`, model, threads, ...(ENCODER.test(model) ? { pp_n: SENTENCE } : { pp_n: Number(PP), tg_n: Number(TG) }), ...row, disturbed });
        say(LOADS ? `${model} ${threads} ${row.who}: ${Number(row.warm_load_s).toFixed(3)} s from storage` : `${model} ${threads} ${row.who}: ${Number(row.pp_med).toFixed(1)}${row.tg_med ? ` / ${Number(row.tg_med).toFixed(1)} tok/s` : ' sentences/s'}, cpu ${Number(row.cpu_util).toFixed(2)}${disturbed ? ' (disturbed)' : ''}`);
      } catch (e) { say(`${model} ${threads}: ${/** @type {Error} */ (e).message}`); process.exitCode = 1; }
    };
    await add('llama', () => llamaNative(model, threads, 'llama.cpp native'));
    await add('native', () => edgeNative(model, threads));
    await add('relaxed', () => browser(model, threads, 'edge-net tab, relaxed', 'edge-net', { variant: 'relaxed' }));
    await add('simd128', () => browser(model, threads, 'edge-net tab, simd128', 'edge-net', { variant: 'simd128' }));
    if (!ENCODER.test(model)) await add('fair', () => browser(model, threads, 'llama.cpp wasm tab', 'llama-wasm', {}, '3'));
    if (!ENCODER.test(model)) await add('wllama', () => browser(model, threads, 'wllama tab', 'wllama', {}, '2'));
    if (ENCODER.test(model)) await add('ort', () => browser(model, threads, 'onnxruntime-web tab', 'ort', { via: 'ort' }));
    await add('again', () => llamaNative(model, threads, 'llama.cpp native, again'));
  }
}
save(o['keep-disturbed'] ? all : all.filter((row) => !row.disturbed));
table(all);

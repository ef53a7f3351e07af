#!/usr/bin/env node
// @ts-check
/**
 * LoRA training: tokens a second of whole steps (forward, backward, clip, AdamW), rank 4 on every matrix, one sample a step; natively and in a tab of Chromium,
 * beside PyTorch + PEFT and beside the same kernels alone, in one run.
 *
 *   node bench/train.mjs [--cases full-128,full-64,phi-64] [--who torch,kernels,native,tab,again] [--threads 1,2] [--variants relaxed] [--reps 5] [--keep-disturbed]
 *
 * Cases: all layers of the 0.5B shape with samples of 64, 128 and 256 tokens, its top four layers over a cached prefix with 256, and those of the phi-1.5 shape
 * with 64; synthetic models in Q4_0, made by the shared harness under build/peers/models. PyTorch has the 0.5B shape in float32, and joins full-128 only.
 * "kernels" is what the products of a step would take if each ran as fast as in bench/kernels.c, on one core times threads: a row's share of it is the share of
 * a step's flop limit that is reached. samples_100_s: seconds for one epoch over 100 samples at the row's rate. Medians of --reps steps (native: runs of three).
 * In a tab memory is what the engine's memory grew by; the row adapters: milliseconds from the store to work, and from one adapter to another.
 * A row during which others took more than 0.15 cores is left out of bench/results/train.csv unless --keep-disturbed. "again": PyTorch once more at the end.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { MAX_FOREIGN, watchCpu } from './cpu.mjs';
import { python, ROOT, WORK } from './peers/install.mjs';
import { inTab, output } from './places.mjs';

const COLUMNS = ['date', 'machine', 'model', 'threads', 'tokens', 'rank', 'who', 'kernels', 'tok_s_med', 'tok_s_min', 'tok_s_max', 'cpu_util', 'beyond_model_mb', 'disturbed', 'layers', 'share', 'samples_100_s'];
/** @typedef {{model: string, tokens: number, layers: number}} Case layers: that learn, at the top; 0: all */
/** @type {Readonly<Record<string, Case>>} */
const CASES = Object.freeze({
  'full-128': { model: 'qwen2.5-0.5b-q4_0', tokens: 128, layers: 0 }, 'full-64': { model: 'qwen2.5-0.5b-q4_0', tokens: 64, layers: 0 }, 'full-256': { model: 'qwen2.5-0.5b-q4_0', tokens: 256, layers: 0 },
  'top-256': { model: 'qwen2.5-0.5b-q4_0', tokens: 256, layers: 4 }, 'phi-64': { model: 'phi-1.5-q4_0', tokens: 64, layers: 4 },
});
const RANK = 4, STEPS = 3;
const EDGE_NET = path.join(ROOT, 'build', 'native', 'edge-net');

const { values: o } = parseArgs({ options: {
  cases: { type: 'string', default: 'full-128,full-64,phi-64' }, who: { type: 'string', default: 'torch,kernels,native,tab,again' }, threads: { type: 'string', default: '1,2' },
  variants: { type: 'string', default: 'relaxed' }, reps: { type: 'string', default: '5' }, 'keep-disturbed': { type: 'boolean' },
} });
const who = new Set(o.who.split(','));
const reps = Number(o.reps);

/** @typedef {{who: string, kernels: string, rates: number[], mb?: number}} Measured rates: tokens a second */
const median = (/** @type {number[]} */ v) => [...v].sort((a, b) => a - b)[v.length >> 1];

/** The file of a synthetic model. @param {string} name as "phi-1.5-q4_0" */
function modelFile(name) {
  const file = path.join(WORK, 'models', `${name}.gguf`), [, shape, quant] = /^(.*)-(q\d_\w+)$/.exec(name) ?? [];
  const maker = path.join(path.resolve(process.env.EDGE_NET_SHARED ?? path.join(ROOT, '..', 'shared')), 'harness', 'gen-gguf.mjs');
  if (!fs.existsSync(file)) {
    if (!fs.existsSync(maker)) throw new Error(`there is neither ${file} nor the shared harness that makes it (set EDGE_NET_SHARED)`);
    execFileSync(process.execPath, [maker, '--shape', shape, '--quant', quant, '--out', path.dirname(file)], { stdio: ['ignore', 2, 2] });
  }
  return file;
}

/** @param {Case} c @param {number} threads @returns {Promise<Measured>} */
async function torch(c, threads) {
  const r = JSON.parse(await output(python(), [path.join(ROOT, 'bench', 'peers', 'train_peft.py'), '--threads', `${threads}`, '--tokens', `${c.tokens}`, '--rank', `${RANK}`, '--reps', `${reps}`]));
  return { who: r.who, kernels: r.version, rates: [r.tok_s_med, r.tok_s_min, r.tok_s_max], mb: r.peak_mb - r.model_mb };
}

/** @param {Case} c @param {number} threads @param {string} keep @returns {Promise<Measured>} */
async function native(c, threads, keep) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-net-train-'));
  try {
    const data = path.join(dir, 'data.jsonl'), words = [...'abcdefghij'].flatMap((a) => [...'klmnopqrst'].map((b) => a + b));
    fs.writeFileSync(data, Array.from({ length: STEPS }, (_, s) => `${JSON.stringify({ text: Array.from({ length: 4 * c.tokens }, (__, i) => words[(i * (s + 3) + i * i) % 100]).join(' ') })}\n`).join(''));
    const prefix = c.layers ? ['--layers', `${c.layers}`, '--cache-prefix', path.join(dir, 'prefix')] : [];
    /** @type {{tok_s: number, kernels: string, train_mb: number}[]} */ const runs = [];
    for (let r = 0; r < reps; r++) {
      runs.push(JSON.parse(await output(EDGE_NET, ['train', modelFile(c.model), '--data', data, '--out', path.join(dir, 'out.gguf'), '--rank', `${RANK}`, '--max-length', `${c.tokens}`, '--batch', '1',
        '--steps', `${STEPS}`, '--save-every', '0', '--threads', `${threads}`, '--keep', keep, '--quiet', '--json', ...prefix])));
    }
    return { who: `edge-net native, keep ${keep}`, kernels: runs[0].kernels, rates: runs.map((r) => r.tok_s), mb: runs[0].train_mb };
  } finally { fs.rmSync(dir, { recursive: true, force: true }); }
}

/** @param {Case} c @param {number} threads @param {string} variant @returns {Promise<Measured>} */
async function tab(c, threads, variant) {
  const s = await inTab({ scenario: c.layers ? 'train-top' : 'train', model: modelFile(c.model), options: { threads, variant: /** @type {any} */ (threads > 1 ? `${variant}-mt` : variant) }, reps, pp: c.tokens, tg: 0 });
  say(`  adapters: ${median(s.adapter_load_ms).toFixed(1)} ms from the store to work, ${median(s.adapter_swap_ms).toFixed(1)} ms from one to another${c.layers ? `; epochs after the first: ${median(s.cached_tok_s).toFixed(1)} tok/s` : ''}; the engine counts ${s.training_mb[0].toFixed(0)} MB for training`);
  return { who: 'edge-net tab', kernels: variant, rates: s.train_tok_s, mb: s.engine_grew_mb[0] };
}

/** @typedef {{type: string, macs: number}} Products multiply-adds of a token through all matrices of one type */
/** Matrices of the layers [from, to), and the output matrix. @param {string} file @returns {{layers: Products[][], head: Products}} */
function matrices(file) {
  /** @type {{name: string, type: string, ne: number[]}[]} */ const tensors = JSON.parse(execFileSync(EDGE_NET, ['inspect', file, '--json'], { encoding: 'utf8', maxBuffer: 1 << 28 })).tensors;
  /** @type {Products[][]} */ const layers = [];
  const product = (/** @type {{type: string, ne: number[]}} */ { type, ne }) => ({ type, macs: ne[0] * ne[1] });
  for (const t of tensors) {
    const layer = /^blk\.(\d+)\./.exec(t.name)?.[1];
    if (layer && t.ne.length === 2) (layers[Number(layer)] ??= []).push(product(t));
  }
  const head = tensors.find((t) => t.name === 'output.weight') ?? tensors.find((t) => t.name === 'token_embd.weight');
  if (!head) throw new Error(`${file} has no output matrix`);
  return { layers, head: product(head) };
}

/**
 * Tokens a second if a step were nothing but its matrix products, each as fast as bench/kernels.c has it: forward through all layers, again through those that learn but the
 * last (their inputs are kept), back through those that learn, forward and back through the output matrix.
 * @param {Case} c @param {number} threads @returns {Promise<Measured>}
 */
async function kernels(c, threads) {
  const { layers, head } = matrices(modelFile(c.model)), first = c.layers ? layers.length - c.layers : 0;
  const program = path.join(ROOT, 'build', 'native-gcc', 'bench-kernels');
  const [table] = JSON.parse(await output(EDGE_NET, ['capabilities', '--json'])).kernels;
  /** @type {Map<string, {forward: number, back: number}>} */ const speeds = new Map();
  for (const type of new Set([...layers.flat(), head].map((p) => p.type))) {
    const rows = (await output(program, [`${table} ${type}`, '--dram', '0'])).trim().split('\n').map((line) => JSON.parse(line)).filter((r) => r.table === table);
    const of = (/** @type {string} */ name, /** @type {number} */ tokens) => rows.find((r) => r.type === name && r.tokens === tokens)?.best;
    speeds.set(type, { forward: of(type, 128), back: of(`${type} transposed`, 64) });
  }
  const seconds = (/** @type {Products[]} */ products, /** @type {'forward' | 'back'} */ way) => products.reduce((sum, p) => sum + p.macs / 1e9 / /** @type {{forward: number, back: number}} */ (speeds.get(p.type))[way], 0);
  const learning = layers.slice(first).flat();
  const perToken = seconds(layers.flat(), 'forward') + seconds(layers.slice(first, -1).flat(), 'forward') + seconds(learning, 'back') + seconds([head], 'forward') + seconds([head], 'back');
  return { who: 'kernels alone', kernels: table, rates: [threads / perToken] };
}

const say = (/** @type {string} */ text) => process.stderr.write(`${text}\n`);
const date = new Date().toISOString().slice(0, 16), machine = `${os.cpus()[0].model.trim()} x${os.cpus().length}`;
const cell = (/** @type {unknown} */ v) => (typeof v === 'number' ? Number(v.toPrecision(4)) : String(v ?? '').replaceAll(',', ';'));
const file = path.join(ROOT, 'bench', 'results', 'train.csv');
if (!fs.existsSync(file)) fs.writeFileSync(file, `${COLUMNS.join(',')}\n`);

for (const name of o.cases.split(',')) {
  const c = CASES[name];
  if (!c) throw new Error(`--cases ${name}: there are ${Object.keys(CASES).join(', ')}`);
  for (const threads of o.threads.split(',').map(Number)) {
    /** @type {Record<string, number>} */ const rates = {};
    const add = async (/** @type {string} */ key, /** @type {Promise<Measured>} */ work, /** @type {() => {cpu: number, foreign: number}} */ stop) => {
      const { rates: v, mb, ...row } = await work, { cpu, foreign } = stop(), rate = median(v), disturbed = foreign > MAX_FOREIGN;
      rates[key] ??= rate;
      const share = rates.kernels && key === 'native' ? rate / rates.kernels : undefined;
      const versus = ['torch', 'native', 'kernels'].filter((k) => rates[k] && k !== key).map((k) => `${(rate / rates[k]).toFixed(2)} of ${k}`);
      say(`${name}, ${threads} threads, ${row.who}: ${rate.toFixed(1)} tok/s, ${[...versus, `${(100 * c.tokens / rate).toFixed(0)} s for 100 samples`, ...(mb ? [`${mb.toFixed(0)} MB`] : [])].join(', ')}; others ${foreign.toFixed(2)} cores`);
      if (disturbed && !o['keep-disturbed']) return;
      const all = { date, machine, model: c.model, threads, tokens: c.tokens, rank: RANK, ...row, tok_s_med: rate, tok_s_min: Math.min(...v), tok_s_max: Math.max(...v), cpu_util: cpu, beyond_model_mb: mb, disturbed: disturbed ? 1 : '',
        layers: c.layers || '', share, samples_100_s: 100 * c.tokens / rate };
      fs.appendFileSync(file, `${COLUMNS.map((k) => cell(/** @type {Record<string, unknown>} */ (all)[k])).join(',')}\n`);
    };
    const measure = (/** @type {string} */ key, /** @type {() => Promise<Measured>} */ work) => { const stop = watchCpu(); return add(key, work(), stop); };
    const peer = name === 'full-128';
    if (peer && who.has('torch')) await measure('torch', () => torch(c, threads));
    if (who.has('kernels')) await measure('kernels', () => kernels(c, threads));
    if (who.has('native')) await measure('native', () => native(c, threads, 'inputs'));
    if (who.has('native') && !c.layers) for (const keep of ['products', 'all']) await measure(`native, ${keep}`, () => native(c, threads, keep));
    if (who.has('tab')) for (const variant of o.variants.split(',')) await measure(`tab ${variant}`, () => tab(c, threads, variant));
    if (peer && who.has('again')) await measure('torch again', () => torch(c, threads));
  }
}

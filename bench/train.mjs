#!/usr/bin/env node
// @ts-check
/**
 * LoRA training beside PyTorch + PEFT in one run: tokens a second of a whole step (forward, backward, clip, AdamW), rank 4 on every linear, batch 1.
 *
 *   node bench/train.mjs [--model FILE.gguf] [--threads 1,2] [--tokens 128] [--reps 5] [--skip torch,native]
 *
 * The model is the synthetic qwen2.5-0.5b of the shared harness (default Q4_0); PyTorch has the same shape in float32. Native rows run `edge-net train`
 * --reps times for a few steps each; the medians of the runs count. Rows go to bench/results/train.csv with
 * the CPU seconds that the measured program got per second: clearly below the number of threads means that the row was disturbed.
 * PyTorch is measured before and after.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { python, ROOT, WORK } from './peers/install.mjs';

const COLUMNS = ['date', 'machine', 'model', 'threads', 'tokens', 'rank', 'who', 'kernels', 'tok_s_med', 'tok_s_min', 'tok_s_max', 'cpu_util', 'beyond_model_mb', 'disturbed'];
const { values: o } = parseArgs({ options: {
  model: { type: 'string', default: path.join(WORK, 'models', 'qwen2.5-0.5b-q4_0.gguf') }, threads: { type: 'string', default: '1,2' }, tokens: { type: 'string', default: '128' },
  rank: { type: 'string', default: '4' }, reps: { type: 'string', default: '5' }, skip: { type: 'string', default: '' },
} });
const skip = new Set(o.skip.split(','));
const STEPS = 3;

/** @typedef {Record<string, string | number>} Row */
const median = (/** @type {number[]} */ v) => [...v].sort((a, b) => a - b)[v.length >> 1];

/** @param {number} threads @returns {Row} */
function torch(threads) {
  const r = JSON.parse(execFileSync(python(), [path.join(ROOT, 'bench', 'peers', 'train_peft.py'), '--threads', `${threads}`, '--tokens', o.tokens, '--rank', o.rank, '--reps', o.reps],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  return { ...r, kernels: r.version, beyond_model_mb: r.peak_mb - r.model_mb };
}

/** @param {string[]} args */
const edgeNet = (args) => JSON.parse(execFileSync(path.join(ROOT, 'build', 'native', 'edge-net'), args, { encoding: 'utf8' }));

/** @param {number} threads @param {string} keep @returns {Row} */
function native(threads, keep) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-net-train-'));
  try {
    const data = path.join(dir, 'data.jsonl'), words = [...'abcdefghij'].flatMap((a) => [...'klmnopqrst'].map((b) => a + b));
    fs.writeFileSync(data, Array.from({ length: 2 }, (_, s) => `${JSON.stringify({ text: Array.from({ length: 4 * Number(o.tokens) }, (__, i) => words[(i * (s + 3) + i * i) % 100]).join(' ') })}\n`).join(''));
    const runs = Array.from({ length: Number(o.reps) }, () => edgeNet(['train', o.model, '--data', data, '--out', path.join(dir, 'out.gguf'), '--rank', o.rank, '--max-length', o.tokens, '--batch', '1',
      '--steps', `${STEPS}`, '--save-every', '0', '--threads', `${threads}`, '--keep', keep, '--quiet', '--json']));
    const rates = runs.map((r) => r.tok_s);
    return { who: `edge-net native, keep ${keep}`, kernels: runs[0].kernels, tok_s_med: median(rates), tok_s_min: Math.min(...rates), tok_s_max: Math.max(...rates),
      cpu_util: median(runs.map((r) => r.cpu_util)), beyond_model_mb: runs[0].train_mb };
  } finally { fs.rmSync(dir, { recursive: true, force: true }); }
}

const date = new Date().toISOString().slice(0, 16), machine = `${os.cpus()[0].model.trim()} x${os.cpus().length}`;
/** @type {Row[]} */ const rows = [];
for (const threads of o.threads.split(',').map(Number)) {
  const add = (/** @type {Row} */ row) => {
    rows.push({ date, machine, model: path.basename(o.model, '.gguf'), threads, tokens: Number(o.tokens), rank: Number(o.rank), ...row, disturbed: Number(row.cpu_util) < 0.9 * threads ? 1 : '' });
    const base = rows.find((r) => r.threads === threads && String(r.who).startsWith('PyTorch'));
    process.stderr.write(`${threads} threads, ${row.who}: ${Number(row.tok_s_med).toFixed(1)} tok/s${base && base !== rows.at(-1) ? `, ${(Number(row.tok_s_med) / Number(base.tok_s_med)).toFixed(2)} of PyTorch` : ''}, cpu ${Number(row.cpu_util).toFixed(2)}\n`);
  };
  if (!skip.has('torch')) add(torch(threads));
  if (!skip.has('native')) add(native(threads, 'inputs')), add(native(threads, 'all'));
  if (!skip.has('torch')) add(torch(threads));
}
const file = path.join(ROOT, 'bench', 'results', 'train.csv');
if (!fs.existsSync(file)) fs.writeFileSync(file, `${COLUMNS.join(',')}\n`);
const cell = (/** @type {unknown} */ v) => (typeof v === 'number' ? Number(v.toPrecision(4)) : String(v ?? '').replaceAll(',', ';'));
fs.appendFileSync(file, rows.map((r) => COLUMNS.map((c) => cell(r[c])).join(',')).join('\n') + '\n');

#!/usr/bin/env node
// @ts-check
/**
 * edge-net through its SDK, in Node and in a Chromium tab: one JSON object a line, and rows for bench/results/session.csv.
 *
 *   node bench/session.mjs MODEL.gguf [--rows speed,load] [--places node,tab] [--variants relaxed,simd128] [--threads 1,2] [--reps 5] [--pp 128] [--tg 64]
 *                          [--kv f16] [--busy] [--against OTHER.gguf] [--other OTHER/dist] [--tries 3] [--keep-disturbed] [--no-save]
 *
 * Rows: the scenarios of scenarios.mjs. --busy: beside one foreign busy thread, in a scheduler group of its own as another program would be. Figures are
 * medians of --reps. A run during which others took more than 0.15 cores is done again, up to --tries times, and then left out unless --keep-disturbed.
 * The row versus sets a model against another one, turn by turn:
 *   node tools/synthetic-model.mjs qwen3 a.gguf --type Q4_K && node tools/synthetic-model.mjs qwen3 b.gguf && node bench/session.mjs a.gguf --against b.gguf --rows versus
 * The row visit, one load from storage, is for the place new-tab, a browser of its own for every repetition: --rows visit --places new-tab.
 * Node 20 runs simd128 only. --other: another build by turns with this one in one tab, and the median of their ratios (this one over the other), which says something on a busy machine too; not saved.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MAX_FOREIGN, watchCpu } from './cpu.mjs';
import { inNewTabs, inNode, inTab } from './places.mjs';
import { SCENARIOS } from './scenarios.mjs';

const FILE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'results', 'session.csv');
const COLUMNS = ['date', 'machine', 'model', 'place', 'variant', 'threads', 'kv', 'beside', 'row', 'metric', 'med', 'min', 'max', 'n', 'cpu', 'foreign', 'disturbed'];
const PLACES = { node: inNode, tab: inTab, 'new-tab': inNewTabs };

const { values: o, positionals } = parseArgs({ allowPositionals: true, options: {
  rows: { type: 'string', default: Object.keys(SCENARIOS).filter((row) => !['versus', 'visit'].includes(row)).join() }, against: { type: 'string' }, places: { type: 'string', default: 'node,tab' }, variants: { type: 'string', default: 'relaxed,simd128' },
  threads: { type: 'string', default: '1,2' }, reps: { type: 'string', default: '5' }, pp: { type: 'string', default: '128' }, tg: { type: 'string', default: '64' }, kv: { type: 'string', default: 'f16' },
  busy: { type: 'boolean' }, tries: { type: 'string', default: '3' }, 'keep-disturbed': { type: 'boolean' }, 'no-save': { type: 'boolean' }, other: { type: 'string' },
} });

/** @param {number[]} values */
function summary(values) {
  const v = [...values].sort((a, b) => a - b), n = v.length;
  return { med: n % 2 ? v[(n - 1) / 2] : (v[n / 2 - 1] + v[n / 2]) / 2, min: v[0], max: v[n - 1], n };
}

/** A busy thread that counts as foreign; ends with the returned function. */
function busyNeighbour() {
  const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore', detached: true }); // detached: a session, so a scheduler group, of its own
  const stop = () => { child.kill('SIGKILL'); };
  process.once('exit', stop);
  return { pid: child.pid ?? 0, stop: () => { process.off('exit', stop); stop(); } };
}

/** @param {import('./places.mjs').Job & {place: keyof typeof PLACES}} job */
async function measure({ place, ...job }) {
  const neighbour = o.busy ? busyNeighbour() : null;
  try {
    const stop = watchCpu(neighbour ? new Set([neighbour.pid]) : undefined);
    const samples = await PLACES[place](job);
    const { cpu, foreign } = stop();
    return { samples, cpu, foreign, disturbed: foreign - (neighbour ? 1 : 0) > MAX_FOREIGN };
  } finally { neighbour?.stop(); }
}

/** @param {Record<string, unknown>} row */
function save(row) {
  if (!existsSync(FILE)) writeFileSync(FILE, `${COLUMNS.join()}\n`);
  const cell = (/** @type {unknown} */ v) => (typeof v === 'number' ? String(Number(v.toPrecision(4))) : String(v ?? '').replaceAll(',', ';'));
  appendFileSync(FILE, `${COLUMNS.map((c) => cell(row[c])).join()}\n`);
}

/** @param {string} model @param {string} row @param {keyof typeof PLACES} place @param {string} variant @param {number} threads */
async function inTurn(model, row, place, variant, threads) {
  const samples = await PLACES[place](jobOf(model, row, variant, threads), o.other);
  for (const [metric, values] of Object.entries(samples)) {
    const other = samples[`other ${metric}`];
    if (other) console.log(JSON.stringify({ model: path.basename(model, '.gguf'), variant, threads, row, metric, med: summary(values).med, min: summary(values).min, other: summary(other).med, other_min: summary(other).min, ratio: summary(values.map((v, i) => v / other[i])) }));
  }
}

/** @param {string} model @param {string} row @param {string} variant @param {number} threads @returns {import('./places.mjs').Job} */
function jobOf(model, row, variant, threads) {
  const options = { threads, variant: /** @type {any} */ (threads > 1 ? `${variant}-mt` : variant), kvType: /** @type {any} */ (o.kv) };
  return { scenario: row, model, options, reps: Number(o.reps), pp: Number(o.pp), tg: Number(o.tg), ...(o.against && { against: o.against }) };
}

/** @param {string} model @param {string} row @param {keyof typeof PLACES} place @param {string} variant @param {number} threads */
async function one(model, row, place, variant, threads) {
  const job = { place, ...jobOf(model, row, variant, threads) };
  const machine = `${os.cpus()[0].model.trim()} x${os.cpus().length}`;
  for (let tries = Number(o.tries); tries > 0; tries--) {
    const { samples, cpu, foreign, disturbed } = await measure(job);
    if (disturbed && tries > 1) continue;
    for (const [metric, values] of Object.entries(samples)) {
      const line = { date: new Date().toISOString().slice(0, 16), machine, model: path.basename(model, '.gguf'), place, variant, threads, kv: o.kv, beside: o.busy ? 'busy thread' : '', row, metric, ...summary(values), cpu, foreign, disturbed: disturbed ? 1 : '' };
      console.log(JSON.stringify(line));
      if (!o['no-save'] && (!disturbed || o['keep-disturbed'])) save(line);
    }
    return;
  }
}

for (const model of positionals) {
  for (const row of o.rows.split(',')) {
    if (!SCENARIOS[row]) throw new Error(`there is no row ${row}; there are ${Object.keys(SCENARIOS).join(', ')}`);
    for (const place of /** @type {(keyof typeof PLACES)[]} */ (o.other ? [o.places.includes('new-tab') ? 'new-tab' : 'tab'] : o.places.split(','))) {
      for (const variant of o.variants.split(',')) {
        if (place === 'node' && variant === 'relaxed' && Number(process.versions.v8.split('.')[0]) < 12) continue;
        for (const threads of o.threads.split(',').map(Number)) {
          await (o.other ? inTurn(model, row, place, variant, threads) : one(model, row, place, variant, threads)).catch((e) => { console.error(`${row}, ${place}, ${variant}, ${threads}: ${e.message}`); process.exitCode = 1; });
        }
      }
    }
  }
}

#!/usr/bin/env node
// @ts-check
/**
 * How models/home-3.gguf was made: data, vocabulary, random weights, training in three parts, Q8_0. The same seeds give the same data, vocabulary, first weights and
 * order of samples everywhere; losses then agree to about 1e-8 between versions, whose F32 kernels may round otherwise, and files are equal only within one.
 *
 *   node models/home/train.mjs [--to build/home] [--threads 1]
 *
 * The first part reads requests and answers as they are; the second one goes on with a blank before every word to copy (HOME_FRAME in web-demo/home/frame.js
 * says why), other requests with more made-up words, and a lower rate; the third one does the same with others again. Takes about three hours of one core; a
 * broken-off run goes on from its checkpoint. Leaves loss-1.csv to loss-3.csv beside the model. models/home/README.md tells how the file in this repository
 * came about: its parts read what the generator wrote at their time, and its third one was begun anew twice, when the generator had changed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const { values: o } = parseArgs({ options: { to: { type: 'string', default: path.join(root, 'build/home') }, threads: { type: 'string', default: '1' } } });
mkdirSync(o.to, { recursive: true });
const at = (/** @type {string} */ name) => path.join(o.to, name);
const edgeNet = (/** @type {string[]} */ ...args) => { execFileSync(path.join(root, 'build/native/edge-net'), args, { stdio: 'inherit' }); };
const generate = (/** @type {string[]} */ ...args) => { execFileSync(process.execPath, [path.join(root, 'models/home/generate.mjs'), ...args], { stdio: 'inherit' }); };
/** @param {string} from @param {1 | 2 | 3} part @param {string[]} args */
const train = (from, part, ...args) => {
  if (existsSync(at(`home-${part}-f32.gguf`))) return;
  edgeNet('train', at(from), '--full', '--data', at(`train-${part}.jsonl`), '--out', at(`home-${part}-f32.gguf`), '--seed', `${part}`, '--batch', '64', '--weight-decay', '0.01', '--max-length', '256', ...args,
    '--threads', o.threads, '--loss-csv', at(`loss-${part}.csv`), ...(existsSync(at(`home-${part}-f32.gguf.checkpoint`)) ? ['--resume'] : []));
};

generate('--out', at('train-1.jsonl'), '--n', '400000', '--seed', '1', '--plain');
generate('--out', at('train-2.jsonl'), '--n', '640000', '--seed', '2');
generate('--out', at('train-3.jsonl'), '--n', '800000', '--seed', '3');
edgeNet('tokenizer', 'train', '--data', at('train-1.jsonl'), '--vocab', '1024', '--pre', 'qwen2', '--special', '<|end|>', '--special', '<|user|>', '--special', '<|home|>', '--out', at('vocabulary.gguf'));
edgeNet('init', at('start.gguf'), '--arch', 'llama', '--tokenizer', at('vocabulary.gguf'), '--layers', '6', '--width', '192', '--heads', '6', '--kv-heads', '2', '--ff', '512',
  '--context', '512', '--seed', '1', '--name', 'home-3');
train('start.gguf', 1, '--steps', '5400', '--lr', '0.003', '--warmup', '200', '--save-every', '500');
train('home-1-f32.gguf', 2, '--steps', '5200', '--lr', '0.002', '--warmup', '100', '--save-every', '250');
train('home-2-f32.gguf', 3, '--steps', '7600', '--lr', '0.002', '--warmup', '100', '--save-every', '250');
edgeNet('quantize', at('home-3-f32.gguf'), at('home.gguf'), 'Q8_0');

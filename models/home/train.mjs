#!/usr/bin/env node
// @ts-check
/**
 * How models/home-1.gguf was made: data, vocabulary, random weights, training, Q8_0. With the same version of edge-net the same file comes out, byte for byte,
 * on every machine of one kind (products of F32 weights may differ in the last bit between kinds).
 *
 *   node models/home/train.mjs [--to build/home] [--steps 5400] [--threads 1]
 *
 * Takes about 50 minutes of one core; a broken-off run goes on from its checkpoint. Leaves loss.csv beside the model.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const { values: o } = parseArgs({ options: { to: { type: 'string', default: path.join(root, 'build/home') }, steps: { type: 'string', default: '5400' }, threads: { type: 'string', default: '1' } } });
mkdirSync(o.to, { recursive: true });
const at = (/** @type {string} */ name) => path.join(o.to, name);
const edgeNet = (/** @type {string[]} */ ...args) => { execFileSync(path.join(root, 'build/native/edge-net'), args, { stdio: 'inherit' }); };

execFileSync(process.execPath, [path.join(root, 'models/home/generate.mjs'), '--out', at('train.jsonl'), '--n', '400000', '--seed', '1'], { stdio: 'inherit' });
edgeNet('tokenizer', 'train', '--data', at('train.jsonl'), '--vocab', '1024', '--pre', 'qwen2', '--special', '<|end|>', '--special', '<|user|>', '--special', '<|home|>', '--out', at('vocabulary.gguf'));
edgeNet('init', at('start.gguf'), '--arch', 'llama', '--tokenizer', at('vocabulary.gguf'), '--layers', '6', '--width', '192', '--heads', '6', '--kv-heads', '2', '--ff', '512', '--context', '512', '--seed', '1');
edgeNet('train', at('start.gguf'), '--full', '--data', at('train.jsonl'), '--out', at('home-f32.gguf'), '--steps', o.steps, '--batch', '64', '--lr', '0.003', '--warmup', '200', '--weight-decay', '0.01', '--max-length', '256',
  '--save-every', '500', '--seed', '1', '--threads', o.threads, '--loss-csv', at('loss.csv'), ...(existsSync(at('home-f32.gguf.checkpoint')) ? ['--resume'] : []));
edgeNet('quantize', at('home-f32.gguf'), at('home.gguf'), 'Q8_0');

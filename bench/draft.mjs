#!/usr/bin/env node
// @ts-check
/**
 * What a draft model can gain at best, and what one that is always wrong costs.
 *
 *   node bench/draft.mjs MODEL.gguf [--keep 3] [--tokens 64] [--drafts 3,7] [--threads 1] [--reps 3] [--places native,node]
 *
 * The pair is made of the one model: in the target the layers from --keep on write nothing (their last matrices are 0), and the draft ends there. So the draft is
 * always right, which no real pair is. The one that is wrong says token 0 for ever (its last norm is 0). `price`: bytes of the draft's weights to the target's, without
 * the table of embeddings where the output has a matrix of its own. Runs go by turns; figures are medians, ratios are to the target alone.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { InferenceSession } from '../js-glue/index.js';

const root = fileURLToPath(new URL('..', import.meta.url)), cli = path.join(root, 'build/native/edge-net');
const { values: o, positionals: [model] } = parseArgs({ allowPositionals: true, options: {
  keep: { type: 'string', default: '3' }, tokens: { type: 'string', default: '64' }, drafts: { type: 'string', default: '3,7' }, threads: { type: 'string', default: '1' }, reps: { type: 'string', default: '3' }, places: { type: 'string', default: 'native,node' },
} });
if (!model) throw new Error('which model? see the head of this file');

/** @param {string[]} args */
function edgeNet(...args) {
  const run = spawnSync(cli, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

const folder = mkdtempSync(path.join(tmpdir(), 'edge-net-draft-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const { metadata, tensors, data_offset: data } = edgeNet('inspect', model, '--json');
const key = `${metadata['general.architecture']}.block_count`, layers = metadata[key];

/** A copy in which some tensors are 0, and which has the first `ends` layers only. @param {string} name @param {(tensor: string) => boolean} silent @param {number} ends */
function variant(name, silent, ends) {
  const image = readFileSync(/** @type {string} */ (model)), align = metadata['general.alignment'] ?? 32;
  const kept = tensors.filter((/** @type {{name: string}} */ t) => layerOf(t.name) < ends);
  image.writeUInt32LE(ends, image.indexOf(key) + key.length + 4); // behind the key: the type of its value, then the value
  image.writeBigUInt64LE(BigInt(kept.length), 8);
  let offset = 0;
  const infos = [], bytes = [];
  for (const t of kept) { // of each tensor the head says: name, dimensions, type, offset
    const from = image.indexOf(infoName(t.name)), info = Buffer.from(image.subarray(from, from + 8 + t.name.length + 4 + 8 * image.readUInt32LE(from + 8 + t.name.length) + 4 + 8));
    info.writeBigUInt64LE(BigInt(offset), info.length - 8);
    infos.push(info);
    const size = Math.ceil(t.bytes / align) * align, own = Buffer.alloc(size);
    if (!silent(t.name)) image.copy(own, 0, data + t.offset, data + t.offset + t.bytes);
    bytes.push(own);
    offset += size;
  }
  const head = Buffer.concat([image.subarray(0, image.indexOf(infoName(tensors[0].name))), ...infos]);
  const file = path.join(folder, name);
  writeFileSync(file, Buffer.concat([head, Buffer.alloc((align - head.length % align) % align), ...bytes]));
  return file;
}
/** @param {string} name @returns {number} -1: of no layer */
function layerOf(name) { return Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1); }
/** @param {string} name as the head writes it */
function infoName(name) {
  const length = Buffer.alloc(8);
  length.writeUInt32LE(name.length);
  return Buffer.concat([length, Buffer.from(name)]);
}

/** Bytes that a token reads. @param {number} ends */
function costOf(ends) {
  const untied = tensors.some((/** @type {{name: string}} */ t) => t.name === 'output.weight');
  return tensors.reduce((/** @type {number} */ n, /** @type {{name: string, bytes: number}} */ t) => n + (layerOf(t.name) >= ends || untied && t.name === 'token_embd.weight' ? 0 : t.bytes), 0);
}

const keep = Number(o.keep), nTokens = Number(o.tokens), threads = Number(o.threads);
const target = variant('target.gguf', (name) => layerOf(name) >= keep && /(attn_output|ffn_down)\.weight$/.test(name), layers);
const drafts = [['always right', variant('right.gguf', () => false, keep)], ['always wrong', variant('wrong.gguf', (name) => name === 'output_norm.weight', keep)]];
const PROMPT = 'One day a small dog';

/** @typedef {{rate: number, right: number, guesses: number}} Sample */
/** @type {Record<string, (draft: string | undefined, n: number) => Promise<Sample>>} */
const places = {
  async native(draft, n) {
    const { timings: t } = edgeNet('run', target, '-p', PROMPT, '-n', String(nTokens), '--temp', '0', '--threads', String(threads), '--json', ...draft ? ['--draft', draft, '--draft-n', String(n)] : []);
    return { rate: t.tokens / t.token_ms * 1000, right: t.guessed, guesses: t.guesses };
  },
  async node(draft, n) {
    const s = await InferenceSession.create(target, { threads, draft, draftTokens: draft && n, contextLength: 256, wasm: new URL('../dist/wasm/', import.meta.url) });
    const { timings: t } = await s.complete(PROMPT, { maxTokens: nTokens, temperature: 0, ignoreEos: true });
    await s.dispose();
    return { rate: (t.tokens - 1) / t.tokenMs * 1000, right: t.guessedTokens, guesses: t.guesses };
  },
};
const median = (/** @type {number[]} */ v) => v.sort((a, b) => a - b)[v.length >> 1] ?? NaN;

for (const place of o.places.split(',')) {
  const run = places[place];
  if (!run) throw new Error(`there is no place ${place}`);
  for (const [what, draft] of drafts) {
    for (const n of o.drafts.split(',').map(Number)) {
      /** @type {number[]} */ const plain = [], with_ = [];
      let right = 0, guesses = 0;
      for (let r = 0; r < Number(o.reps); r++) {
        plain.push((await run(undefined, 0)).rate);
        const s = await run(draft, n);
        with_.push(s.rate);
        right += s.right;
        guesses += s.guesses;
      }
      const [a, b] = [median(plain), median(with_)];
      console.log(JSON.stringify({ place, threads, draft: what, draft_tokens: n, price: Number((costOf(keep) / costOf(layers)).toPrecision(3)), right: guesses ? right / guesses : 0, alone_tok_s: Number(a.toPrecision(4)), with_draft_tok_s: Number(b.toPrecision(4)), ratio: Number((b / a).toPrecision(3)) }));
    }
  }
}

// @ts-check
/**
 * Text to ids, beside llama.cpp's library in the same run: every family of vocabularies that its sources carry, on a megabyte of English and of wikitext. Runs of the two take turns;
 * a figure is the best of all of them, and whether the ids are the same is said. (WordPiece: ours are those of Hugging Face's tokenizers, to the last one; llama.cpp's differ
 * in a few signs of wikitext.)
 *
 *   node bench/tokenizer.mjs [--rounds 3] [--seconds 1] [vocabulary...]        needs EDGE_NET_SHARED, npm and git (bench/peers/install.mjs); build: target bench-tokenizer
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, againstLlama, llamaSources } from './peers/install.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '1' } } });
const shared = path.resolve(ROOT, process.env.EDGE_NET_SHARED ?? '../shared');
const ours = path.join(ROOT, 'build/native-gcc/bench-tokenizer'), { program, libraries } = againstLlama(path.join(ROOT, 'bench/peers/llama_tokenize.c'), 'llama_tokenize');
const vocabularies = positionals.length ? positionals : ['gpt-2', 'llama-bpe', 'qwen2', 'command-r', 'deepseek-coder', 'llama-spm', 'bert-bge', 'nomic-bert-moe'];
const texts = ['data/text/tinyshakespeare.txt', 'data/text/wikitext-2-raw/wiki.test.raw'];
const folder = mkdtempSync(path.join(os.tmpdir(), 'edge-net-tokenizer-'));
const run = (/** @type {string} */ file, /** @type {string[]} */ ...args) => JSON.parse(execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));

try {
  console.log(`| vocabulary | text | edge-net MB/s | llama.cpp MB/s | ratio | ids |\n|---|---|---|---|---|---|`);
  for (const name of vocabularies) for (const text of texts) {
    const vocab = path.join(llamaSources(), `models/ggml-vocab-${name}.gguf`), file = path.join(shared, text), a = path.join(folder, 'ours'), b = path.join(folder, 'theirs');
    let our = 0, their = 0;
    for (let round = 0; round < Number(values.rounds); round++) {
      our = Math.max(our, run(ours, vocab, file, values.seconds, a).MBps);
      their = Math.max(their, run(program, libraries, vocab, file, values.seconds, b).MBps);
    }
    const same = readFileSync(a).equals(readFileSync(b));
    console.log(`| ${name} | ${path.basename(text)} | ${our.toFixed(2)} | ${their.toFixed(2)} | ${(our / their).toFixed(2)} | ${same ? 'the same' : 'differ'} |`);
  }
} finally { rmSync(folder, { recursive: true, force: true }); }

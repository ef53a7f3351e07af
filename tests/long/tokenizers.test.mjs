// @ts-check
// Ten megabytes of random bytes, of odd characters and of the published texts through every family of tokenizers: nothing crashes, every id is a token's, and where the scheme loses nothing
// the bytes come back, all of them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { home, ok, shared, temporary } from '../cli/cli.mjs';
import { encoderFolder } from '../cli/encoder-folder.mjs';
import { GgufWriter } from '../../tools/gguf-writer.mjs';
import { cmake } from '../../tools/lib.mjs';

const tokenizers = path.join(shared, 'data/tokenizers'), skip = existsSync(tokenizers) ? false : 'skipped: no shared data';
if (skip) console.log(skip);
const SIZE = 10 << 20;

/** A vocabulary of RWKV's kind, whose published one is not in the shared data: all bytes, and the words of a text with and without their space, spelled as RWKV's files spell them. */
function rwkv() {
  const text = readFileSync(path.join(shared, 'data/text/tinyshakespeare.txt'), 'latin1'), words = new Set([...text.slice(0, 400_000).matchAll(/ ?[A-Za-z']+|\n+/g)].map(([word]) => word).filter((word) => word.length > 1));
  const spell = (/** @type {string} */ s) => [...s].map((c) => (c === '\n' ? '\\n' : c === "'" ? "\\'" : c)).join('');
  const bytes = Array.from({ length: 256 }, (_, b) => (b > 32 && b < 127 && b !== 92 ? String.fromCharCode(b) : `\\x${b.toString(16).padStart(2, '0')}`));
  const tokens = ['<s>', ...bytes, ...[...words].map(spell)], file = temporary('rwkv.gguf');
  assert.ok(tokens.length > 5000);
  writeFileSync(file, new GgufWriter().set('general.architecture', 'string', 'rwkv7').set('tokenizer.ggml.model', 'string', 'rwkv')
    .setArray('tokenizer.ggml.tokens', 'string', tokens).setArray('tokenizer.ggml.token_type', 'i32', tokens.map((_, i) => (i ? 1 : 3))).toBytes());
  return file;
}

/** name, file, whether it loses nothing */
function vocabularies() {
  const t5 = temporary('t5.gguf');
  ok('convert', encoderFolder(temporary('t5'), { vocab: 32128, texts: { 'tokenizer.json': readFileSync(path.join(tokenizers, 'hf/t5-small/tokenizer.json'), 'utf8') } }), t5, '--quiet');
  const gguf = (/** @type {string} */ name) => path.join(tokenizers, `gguf-vocab/ggml-vocab-${name}.gguf`);
  return /** @type {[string, string, boolean][]} */ ([['gpt-2', gguf('gpt-2'), true], ['home', home, true], ['rwkv', rwkv(), true], ['phi-3', gguf('phi-3'), true], ['bert-bge', gguf('bert-bge'), false], ['t5', t5, false]]);
}
/** U+2581 stands for a space in SentencePiece's tokens, so a text that has it comes back with spaces: the next character stands here for it. @param {Buffer} bytes */
function withoutMarks(bytes) {
  for (let at = bytes.indexOf('\u2581'); at >= 0; at = bytes.indexOf('\u2581', at)) bytes[at + 2] = 0x82;
  return bytes;
}
/** Random bytes, of the seed EDGE_NET_SEED; random code points and pieces of text; published texts, as often as they fit. */
function inputs() {
  const odd = ['a', ' ', '  ', '\n', 'é', 'e\u0301', '日本', 'ﷺ', '🙂', '\u200d', '\0', '<s>', '<|endoftext|>', '0123', "'ll", '\ufeff', '가', '\u{10ffff}'];
  /** @type {string[]} */ const parts = [];
  for (let i = 0, n = 0; n < SIZE; i++) {
    const cp = (i * 2654435761) % 0x110000, part = i % 3 || (cp >= 0xd800 && cp < 0xe000) ? odd[(i * 7919) % odd.length] : String.fromCodePoint(cp);
    n += Buffer.byteLength(part);
    parts.push(part);
  }
  const folder = path.join(shared, 'data/text'), texts = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => readFileSync(path.join(f.parentPath ?? f.path, f.name)));
  const published = Buffer.concat(texts);
  assert.ok(published.length > 1e6);
  const random = createCipheriv('aes-128-ctr', String(process.env.EDGE_NET_SEED ?? 1).padStart(16), Buffer.alloc(16)).update(Buffer.alloc(SIZE));
  return Object.fromEntries(Object.entries({ random, odd: Buffer.from(parts.join('')), published: Buffer.concat(Array(Math.ceil(SIZE / published.length)).fill(published)).subarray(0, SIZE) }).map(([name, bytes]) => [name, withoutMarks(bytes)]));
}

test('ten megabytes of everything', { skip }, async (t) => {
  const built = await cmake('native-gcc', { target: 'round-trip' }), program = path.join(built, 'round-trip');
  const files = Object.entries(inputs()).map(([name, bytes]) => /** @type {const} */ ([name, temporary(name, bytes)]));
  for (const [name, vocabulary, lossless] of vocabularies()) for (const [input, file] of files) {
    const { bytes, tokens, pieces, same } = JSON.parse(execFileSync(program, [vocabulary, file], { encoding: 'utf8', maxBuffer: 1 << 20 }));
    t.diagnostic(`${name}, ${input}: ${tokens} tokens, ${same} of ${pieces} pieces come back`);
    assert.ok(bytes === SIZE || input !== 'random');
    if (lossless) assert.equal(same, pieces, `${name}, ${input}`);
  }
});

// @ts-check
// node tests/cli/make-folder.mjs OUT: a Hugging Face folder of a random llama in two safetensors files, every byte a token, and beside it OUT.gguf, what the command converts it to.
import { cpSync } from 'node:fs';
import { ok } from './cli.mjs';
import { BYTES, folder } from './hf-folder.mjs';

const out = process.argv[2] ?? '', { dir } = folder('folder', { shards: 2, texts: BYTES });
cpSync(dir, out, { recursive: true });
ok('convert', dir, `${out}.gguf`, '--quiet');

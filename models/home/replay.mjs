#!/usr/bin/env node
// @ts-check
/**
 * Writes web-demo/teach/old-commands.js: a small sample of what the home model knows, from the training part of its data. The page mixes it into every
 * lesson, so that the model does not forget, and checks with its end. The same seed gives the same file (tests/js/teach.test.mjs).
 *
 *   node models/home/replay.mjs [output.js]
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { samples } from './generate.mjs';

const SAMPLES = 1000, SEED = 20261121;

/** The file's text. */
export function replayModule() {
  const rows = [...samples({ n: SAMPLES, seed: SEED, part: 'train' })].map(({ input, output }) => `  ${JSON.stringify([input, output])},`);
  return `// @ts-check\n// Made by models/home/replay.mjs.\n/** What the home model knows: what is said, what it answers. @type {readonly (readonly [string, string])[]} */\nexport const OLD_COMMANDS = [\n${rows.join('\n')}\n];\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(process.argv[2] ?? fileURLToPath(new URL('../../web-demo/teach/old-commands.js', import.meta.url)), replayModule());
}

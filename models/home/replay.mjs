#!/usr/bin/env node
// @ts-check
/**
 * Writes what the page has to know of the home model's data:
 *   web-demo/teach/old-commands.js  a small sample of the training part. The page mixes it into every lesson, so that the model does not forget, and
 *                                   checks with its end. The same seed gives the same file (tests/js/teach.test.mjs).
 *   web-demo/home/intents.js        the intents and their slots, what it says of itself, places that it knows, from the grammar of the data.
 *
 *   node models/home/replay.mjs
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { samples } from './generate.mjs';
import { INTENTS, TALK } from './grammar.mjs';
import { PARAPHRASES } from './paraphrases.mjs';
import { WORDS } from './slots.mjs';

const SAMPLES = 1000, SEED = 20261121;

/** The file's text. */
export function replayModule() {
  const rows = [...samples({ n: SAMPLES, seed: SEED, part: 'train' })].map(({ input, output }) => `  ${JSON.stringify([input, output])},`);
  return `// @ts-check\n// Made by models/home/replay.mjs.\n/** What the home model knows: what is said, what it answers. @type {readonly (readonly [string, string])[]} */\nexport const OLD_COMMANDS = [\n${rows.join('\n')}\n];\n`;
}

/** How a kind of slot (slots.mjs) is written; words of the request else. @type {Record<string, string>} */
const KINDS = { percent: 'number', volume: 'number', degrees: 'number', few: 'number', duration: 'duration', time: 'time', day: 'day', items: 'items', room: 'place', door: 'place' };

/** The file's text. */
export function intentsModule() {
  const rows = INTENTS.map(({ intent, slots, train }) => {
    const templates = [...train, ...PARAPHRASES[intent]].join(' ');
    const kindOf = (/** @type {string} */ slot) => new RegExp(`\\{(?:${slot}:)?(\\w+)\\}`).exec(templates.replaceAll(new RegExp(`\\{(?!${slot}[:}])[^}]*\\}`, 'g'), ''))?.[1] ?? '';
    return `  ['${intent}', [${slots.map((slot) => `['${slot}', '${KINDS[kindOf(slot)] ?? 'words'}']`).join(', ')}]],`;
  });
  return `// @ts-check\n// Made by models/home/replay.mjs.\n/** What the home model can be asked; the slots of each answer in their order, and how they are written (form.js). @type {readonly (readonly [string, readonly (readonly [string, string])[]])[]} */\nexport const INTENTS = [\n${rows.join('\n')}\n];\n\n/** Rooms and doors that it knows by name, so that it understands them mistyped. @type {readonly string[]} */\nexport const PLACES = [\n${[...WORDS.room[0], ...WORDS.door[0]].map((name) => `  '${name}',`).join('\n')}\n];\n\n/** What it says of itself. @type {readonly string[]} */\nexport const TALK = [\n${TALK.map((t) => `  ${JSON.stringify(t.answer)},`).join('\n')}\n];\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const write = (/** @type {string} */ file, /** @type {string} */ text) => writeFileSync(fileURLToPath(new URL(`../../web-demo/${file}`, import.meta.url)), text);
  write('teach/old-commands.js', replayModule());
  write('home/intents.js', intentsModule());
}

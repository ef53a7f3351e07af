// @ts-check
/** The hand-written sets of models/home. */
import { readFileSync } from 'node:fs';
import { adversarial } from '../../models/home/generate.mjs';

/** @typedef {import('../../web-demo/teach/slots.js').Example} Example */
/** @typedef {{ name: string, examples: Example[], unseen: Example[] }} NewCommand */

/** @returns {Example[]} adversarial.txt */
export function readAdversarial() { return adversarial().map(({ input, output }) => ({ say: input, do: output })); }

/** @returns {NewCommand[]} teach.txt */
export function readTeach() {
  /** @type {NewCommand[]} */ const commands = [];
  let common = '';
  for (const line of readFileSync(new URL('../../models/home/teach.txt', import.meta.url), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, mark, say, own] = /^(==|\+|\?) (.*?)(?: => (.*))?$/.exec(line) ?? [];
    if (mark === '==') {
      commands.push({ name: say, examples: [], unseen: [] });
      common = own ?? '';
    } else if (mark) commands.at(-1)?.[mark === '+' ? 'examples' : 'unseen'].push({ say, do: own ?? common });
    else throw new Error(`models/home/teach.txt: "${line}" begins with none of ==, + and ?`);
  }
  return commands;
}

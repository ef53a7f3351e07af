// @ts-check
/** The hand-written sets of models/home. */
import { readFileSync } from 'node:fs';

/** @typedef {import('../../web-demo/teach/slots.js').Example} Example */
/** @typedef {{ name: string, examples: Example[], unseen: Example[] }} NewCommand */

/** @param {string} name */
const lines = (name) => readFileSync(new URL(`../../models/home/${name}`, import.meta.url), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));

/** @returns {Example[]} adversarial.txt */
export function readAdversarial() {
  return lines('adversarial.txt').map((line) => {
    const [say, answer] = line.split(' => ');
    return { say, do: answer };
  });
}

/** @returns {NewCommand[]} teach.txt */
export function readTeach() {
  /** @type {NewCommand[]} */ const commands = [];
  let common = '';
  for (const line of lines('teach.txt')) {
    const [, mark, say, own] = /^(==|\+|\?) (.*?)(?: => (.*))?$/.exec(line) ?? [];
    if (mark === '==') {
      commands.push({ name: say, examples: [], unseen: [] });
      common = own ?? '';
    } else if (mark) commands.at(-1)?.[mark === '+' ? 'examples' : 'unseen'].push({ say, do: own ?? common });
    else throw new Error(`models/home/teach.txt: "${line}" begins with none of ==, + and ?`);
  }
  return commands;
}

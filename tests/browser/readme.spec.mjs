// @ts-check
/** The README's example for a page runs in a page. */
import { readFileSync } from 'node:fs';
import { expect, test } from './support/site.mjs';

test('README, browser example', async ({ page, site }) => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, code] = /** @type {RegExpExecArray} */ (/^```js\n\/\/ browser\n([\s\S]*?)^```/m.exec(readme));
  /** @type {string[]} */ const lines = [];
  page.on('console', (message) => lines.push(message.text()));
  await page.goto(`${site.url}support/blank.html`);
  // evaluated code cannot hold static imports: the same names, imported when it runs
  await page.evaluate(`(async () => {${code.replace(/^import (\{.*\}) from (.*);$/m, 'const $1 = await import($2);')}})()`);
  expect(lines.some((line) => line.startsWith('ready'))).toBe(true);
  expect(lines.at(-1)).toBe(/\/\/ (\{.*\} \d{5,})$/m.exec(String(code))?.[1]); // the answer and the bytes of the model, as the README prints them
});

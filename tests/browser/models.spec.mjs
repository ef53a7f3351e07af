// @ts-check
/** A real model through the page: the three ways to open it, the reference text, and the copy that the browser keeps. */
import { expect, generate, LANES_MAY_HANG, needsShared, openDemo, ready, setSettings, stories, test } from './support/site.mjs';

/** A quantized model leaves its float reference after some tokens; so many characters it must follow. */
const FOLLOWS = /** @type {const} */ ({ f32: 300, q8_0: 250 });
const GREEDY = { temperature: 0, maxTokens: 120 };

/** @param {string} text @param {keyof typeof FOLLOWS} type */
function expectReference(text, type) {
  const wanted = stories.text().slice(0, FOLLOWS[type]);
  expect(text.slice(0, wanted.length)).toBe(wanted);
  if (type === 'f32') expect(stories.text().startsWith(text)).toBe(true);
}

/** @param {import('@playwright/test').Page} page @param {string} address */
async function openUrl(page, address) {
  await page.click('#open-url');
  await page.fill('#url', address);
  await page.keyboard.press('Enter');
  await ready(page);
}

test.beforeEach(needsShared);

for (const threads of [1, 2]) {
  for (const type of /** @type {const} */ (['f32', 'q8_0'])) {
    test(`${type} from the file picker writes the reference text on ${threads} thread(s)`, async ({ browserName, page, site }) => {
      test.skip(threads > 1 && browserName === LANES_MAY_HANG, 'skipped: threads in the page; engine.spec tests them in this browser');
      await openDemo(page, site);
      await setSettings(page, { ...GREEDY, threads });
      await page.setInputFiles('#file', stories.file(type));
      await expect(page.locator('#model-name')).toHaveText(`derived-stories260K-${type}.gguf`);
      await ready(page);
      await expect(page.locator('.engine-line')).toContainText(`on ${threads} thread`);
      expectReference(await generate(page, ''), type);
      await expect(page.locator('#model-tags')).toContainText('llama');
      await expect(page.locator('#model-tags')).toContainText(type.toUpperCase());
    });
  }
}

test('a dropped file opens', async ({ page, site }) => {
  await openDemo(page, site);
  await setSettings(page, GREEDY);
  const transfer = await page.evaluateHandle(async (path) => {
    const file = new File([await (await fetch(path)).blob()], 'dropped.gguf');
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(file);
    return dataTransfer;
  }, stories.path('f32'));
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  await expect(page.locator('#drop')).toBeVisible();
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
  await expect(page.locator('#drop')).toBeHidden();
  await expect(page.locator('#model-name')).toHaveText('dropped.gguf');
  await ready(page);
  expectReference(await generate(page, ''), 'f32');
});

test('a URL opens, is kept, opens again after a reload without the network, and can be deleted', async ({ page, site }) => {
  const address = stories.path('f32');
  /** @type {string[]} */
  const fetched = [];
  page.on('request', (request) => { if (request.url().includes(address)) fetched.push(request.method()); });
  await openDemo(page, site);
  await setSettings(page, GREEDY);
  await openUrl(page, address);
  expectReference(await generate(page, ''), 'f32');
  await page.locator('#panel-cache summary').click();
  await expect(page.locator('.kept-name')).toHaveText('derived-stories260K-f32.gguf');
  await expect(page.locator('#cache')).toContainText('1.19 MB');

  // What comes now must come from the store. No request is intercepted for that: with interception on, Chromium's reload hung in 1 of 14 runs.
  expect(fetched.length).toBeGreaterThan(0);
  fetched.length = 0;
  await page.reload();
  await ready(page);
  await expect(page.locator('#model-name')).toHaveText('derived-stories260K-f32.gguf');
  expectReference(await generate(page, ''), 'f32');

  expect(fetched).toEqual([]);
  await page.locator('#panel-cache summary').click();
  await page.getByRole('button', { name: /^Delete derived/ }).click();
  await expect(page.locator('#cache')).toContainText('No model is kept');
  expect(await page.evaluate(() => document.activeElement !== document.body)).toBe(true);
  await page.reload();
  await ready(page);
  await expect(page.locator('#model-name')).toHaveText('Built-in home model'); // forgotten means forgotten
});

test('a broken-off download leaves nothing behind and the next one is whole', async ({ page, site }) => {
  await openDemo(page, site);
  await setSettings(page, GREEDY);
  await page.click('#open-url');
  await page.fill('#url', '/slow.gguf');
  await page.keyboard.press('Enter');
  await expect(page.locator('#loading-detail')).toHaveText(/ of .*\/s/);
  await page.click('#cancel-load');
  await ready(page);
  const before = site.requests.length;
  await openUrl(page, '/slow.gguf');
  expect(site.requests.length).toBeGreaterThan(before);
  expectReference(await generate(page, ''), 'f32');
});

test('a reload in the middle of a download does no harm', async ({ page, site }) => {
  await openDemo(page, site);
  await setSettings(page, GREEDY);
  await page.click('#open-url');
  await page.fill('#url', '/slow.gguf');
  await page.keyboard.press('Enter');
  await expect(page.locator('#loading-detail')).toHaveText(/ of .*\/s/);
  await page.reload();
  await ready(page);
  await page.locator('#panel-cache summary').click();
  await expect(page.locator('#cache')).toContainText('No model is kept');
  await openUrl(page, '/slow.gguf');
  expectReference(await generate(page, ''), 'f32');
});

test('a shorter context takes effect when the model is loaded again', async ({ page, site }) => {
  await openDemo(page, site);
  await page.setInputFiles('#file', stories.file('f32'));
  await ready(page);
  await setSettings(page, { ...GREEDY, maxTokens: 500, contextLength: 64 });
  await expect(page.locator('#apply-engine')).toBeVisible();
  await page.click('#apply-engine');
  await ready(page);
  await expect(page.locator('#apply-engine')).toBeHidden();
  await page.locator('#panel-model summary').click();
  await expect(page.locator('#model-facts')).toContainText('64 tokens');
  const text = await generate(page, '');
  expect(stories.text().startsWith(text)).toBe(true); // it ended because the context is full, not by an error
  await expect(page.locator('#problem')).toBeHidden();
});

test('a text longer than the context is explained', async ({ page, site }) => {
  await openDemo(page, site);
  await setSettings(page, { contextLength: 32 });
  await page.setInputFiles('#file', stories.file('f32'));
  await expect(page.locator('#model-name')).toContainText('stories260K');
  await ready(page);
  await page.fill('#prompt', 'Once upon a time there was a girl. '.repeat(40));
  await page.click('#go');
  await expect(page.locator('#problem-title')).toHaveText('The text no longer fits into the context.');
  await ready(page);
});

test('stop sequences end the text before them', async ({ page, site }) => {
  await openDemo(page, site);
  await setSettings(page, { ...GREEDY, stopSequences: 'park\n\\nLily' });
  await page.setInputFiles('#file', stories.file('f32'));
  await expect(page.locator('#model-name')).toContainText('stories260K');
  await ready(page);
  const text = await generate(page, '');
  expect(text).toBe(stories.text().split('park')[0]);
});

test('two tabs use the same kept model at the same time', async ({ page, context, site }) => {
  const other = await context.newPage();
  await openDemo(page, site);
  await openDemo(other, site);
  for (const tab of [page, other]) await setSettings(tab, GREEDY);
  await Promise.all([page, other].map((tab) => openUrl(tab, stories.path('f32'))));
  const texts = await Promise.all([page, other].map((tab) => generate(tab, '')));
  for (const text of texts) expectReference(text, 'f32');
  await page.locator('#panel-cache summary').click();
  await page.getByRole('button', { name: /^Delete derived/ }).click();
  await expect(page.locator('#cache')).toContainText('No model is kept');
  expectReference(await generate(other, ''), 'f32'); // what is open stays open
  await other.close();
});

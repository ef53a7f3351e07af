// @ts-check
/** The page as a visitor meets it: opening models, writing, settings. No reference data needed. */
import { expect, generate, LANES_MAY_HANG, openDemo, openPanels, openRandom, RANDOM_MODEL, ready, setSettings, test } from './support/site.mjs';
import { readFileSync } from 'node:fs';

test('loads under the strict policy without a complaint, and from this site alone', async ({ page, site }) => {
  const response = await page.goto(site.url);
  expect(response?.headers()['content-security-policy']).toContain("script-src 'self' 'wasm-unsafe-eval'");
  await ready(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect(page.locator('#model-name')).toHaveText('Built-in home model');
  await expect(page.locator('#problem')).toBeHidden();
  // all that was fetched came from this site
  const origins = await page.evaluate(() => [...new Set(performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin))]);
  expect(origins).toEqual([new URL(page.url()).origin]);
});

test('writes with a model from a file and shows what it cost', async ({ page, site }) => {
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 24 });
  const text = await generate(page, 'Hello');
  expect(text.length).toBeGreaterThan(0);
  await expect(page.locator('#stats')).toHaveText(/^\d+ tokens? · [\d.,]+ tokens\/s · first after [\d.]+ m?s$/);
  await expect(page.locator('.turn .prompt-text')).toHaveText('Hello');
  await expect(page.locator('#announcer')).not.toBeEmpty();
});

test('gives the same text for the same seed and forgets it for a new one', async ({ page, site }) => {
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 24, seed: 7, temperature: 1 });
  const first = await generate(page, 'Hello');
  expect(await generate(page, 'Hello')).toBe(first);
  await setSettings(page, { seed: 8 });
  expect(await generate(page, 'Hello')).not.toBe(first);
});

test('stops in the middle, keeps what was written and goes on afterwards', async ({ page, site }) => {
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 2048 });
  await page.fill('#prompt', 'Hello');
  await page.click('#go');
  await expect(page.locator('.turn .answer')).not.toBeEmpty();
  await expect(page.locator('#stop')).toBeFocused(); // it has taken the place of the pressed button
  await page.keyboard.press('Escape');
  await ready(page);
  await expect(page.locator('.turn-note')).toHaveText('stopped');
  const kept = await page.locator('.turn .answer').textContent();
  expect(kept?.length).toBeGreaterThan(0);
  await expect(page.locator('#go')).toBeFocused();
  await setSettings(page, { maxTokens: 8 });
  expect((await generate(page, 'Again')).length).toBeGreaterThan(0);
  await expect(page.locator('.turn .answer').first()).toHaveText(kept ?? '', { useInnerText: false });
});

test('clears the text and copies an answer', async ({ page, site, browserName }) => {
  if (browserName === 'chromium') await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 8 });
  const text = await generate(page, 'Hello');
  const copy = page.locator('.turn button');
  await copy.click();
  await expect(copy).toHaveText(/Copied|Selected/);
  if (browserName === 'chromium') expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`Hello${text}`);
  await page.click('#clear');
  await expect(page.locator('.turn')).toHaveCount(0);
  await expect(page.locator('#empty')).toBeVisible();
  await expect(page.locator('#prompt')).toBeFocused();
});

test('remembers settings and colours, brings values into range, and resets', async ({ page, site }) => {
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 33, temperature: 99, topK: -4, seed: '12', stopSequences: 'END' });
  await expect(page.locator('#set-temperature')).toHaveValue('2');
  await expect(page.locator('#set-topK')).toHaveValue('0');
  await page.locator('#theme input[value=dark]').check({ force: true });
  await page.reload();
  await ready(page);
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  expect(await page.evaluate(() => getComputedStyle(document.body).colorScheme)).toBe('dark');
  for (const [key, value] of Object.entries({ maxTokens: '33', temperature: '2', topK: '0', seed: '12', stopSequences: 'END' })) {
    await expect(page.locator(`#set-${key}`)).toHaveValue(value);
  }
  await openPanels(page);
  await page.click('#reset-settings');
  await expect(page.locator('#set-temperature')).toHaveValue('0.8');
  await page.reload();
  await ready(page);
  await expect(page.locator('#set-maxTokens')).toHaveValue('128');
});

test('works where the browser forbids storage, and with nonsense in it', async ({ page, site }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('forbidden', 'SecurityError'); } });
  });
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 8 });
  expect((await generate(page, 'Hello')).length).toBeGreaterThan(0);
});

test('takes nonsense in its storage for nothing', async ({ browserName, page, plainSite, site }) => {
  await page.addInitScript(() => {
    if (!location.protocol.startsWith('http')) return; // also runs in about:blank, which has no storage
    localStorage.setItem('edge-net.settings', '{"temperature":{"a":1},"topK":"many","threads":"999","variant":"quantum"}');
    localStorage.setItem('edge-net.theme', '"<b>"');
    localStorage.setItem('edge-net.model', '{broken');
  });
  await openRandom(page, browserName === LANES_MAY_HANG ? plainSite : site); // "999" means all threads: without isolation that is one
  await expect(page.locator('#set-temperature')).toHaveValue('0.8');
  await expect(page.locator('#set-topK')).toHaveValue('40');
  await expect(page.locator('#set-threads')).toHaveValue('');
});

test('without COOP and COEP it runs on one thread and says why', async ({ page, plainSite }) => {
  await openRandom(page, plainSite);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  await expect(page.locator('#engine-variant')).not.toHaveText(/-mt/);
  await expect(page.locator('.engine-line')).toContainText('on 1 thread');
  await expect(page.locator('#engine-why')).toContainText('Cross-Origin-Opener-Policy');
  await expect(page.locator('#advice')).toContainText('Cross-Origin-Embedder-Policy');
  await setSettings(page, { maxTokens: 8 });
  expect((await generate(page, 'Hello')).length).toBeGreaterThan(0);
});

test('every engine build of this browser can be chosen, and runs', async ({ browserName, page, site }) => {
  await openRandom(page, site);
  const builds = await page.locator('#set-variant option').evaluateAll((options) => options.map((o) => /** @type {HTMLOptionElement} */ (o).value).filter(Boolean));
  expect(builds).toEqual(['relaxed-mt', 'simd128-mt', 'relaxed', 'simd128', 'scalar']);
  await setSettings(page, { maxTokens: 8, temperature: 0 });
  for (const build of browserName === LANES_MAY_HANG ? builds.filter((name) => !name.endsWith('-mt')) : builds) {
    await setSettings(page, { variant: build });
    if (await page.locator('#apply-engine').isVisible()) await page.click('#apply-engine');
    await ready(page);
    await expect(page.locator('#engine-variant')).toHaveText(build);
    expect((await generate(page, 'Hello')).length).toBeGreaterThan(0);
  }
});

test('a file that is no model gives one sentence, and the model from before goes on', async ({ page, site }) => {
  await openRandom(page, site);
  await setSettings(page, { maxTokens: 8 });
  for (const [name, buffer] of /** @type {[string, Buffer][]} */ ([
    ['text.gguf', Buffer.from('this is not a model, but long enough to look at: '.repeat(100))],
    ['empty.gguf', Buffer.alloc(0)],
    ['cut.gguf', placeholderBytes().subarray(0, 5000)],
  ])) {
    await page.setInputFiles('#file', { name, mimeType: 'application/octet-stream', buffer });
    await expect(page.locator('#problem')).toBeVisible();
    await expect(page.locator('#problem-title')).toHaveText(/^[A-Z].*\.$/);
    await expect(page.locator('#problem-title')).toHaveText('This file is not a model that can be read.');
    await page.click('#problem-close');
    await ready(page);
    expect((await generate(page, 'Hello')).length).toBeGreaterThan(0);
    await expect(page.locator('#model-name')).toHaveText('home-random.gguf');
  }
});

test('a wrong address and a missing file are explained, and Try again tries again', async ({ page, site, quiet }) => {
  quiet.allow(/404|missing\.gguf/);
  await openRandom(page, site);
  await page.click('#open-url');
  await page.fill('#url', 'ftp://example.org/x.gguf');
  await page.keyboard.press('Enter');
  await expect(page.locator('#url-error')).toContainText('https://');
  await page.fill('#url', '/missing.gguf');
  await page.keyboard.press('Enter');
  await expect(page.locator('#problem-title')).toHaveText('The model could not be downloaded.');
  await page.locator('#problem-more summary').click();
  await expect(page.locator('#problem-detail')).toContainText('404');
  await page.click('#problem-retry');
  await expect(page.locator('#problem-title')).toBeVisible();
  await page.click('#problem-close');
  await expect(page.locator('#problem')).toBeHidden();
  await setSettings(page, { maxTokens: 8 });
  expect((await generate(page, 'Hello')).length).toBeGreaterThan(0);
});

test('a page whose built-in model is missing can still open another', async ({ page, site, quiet }) => {
  quiet.allow(/404|home\.gguf|Failed to load|net::ERR/);
  await page.route('**/models/home.gguf', (route) => route.fulfill({ status: 404 }));
  await page.goto(site.url);
  await expect(page.locator('#problem')).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('data-state', 'empty');
  await expect(page.locator('#go')).toBeDisabled();
  await page.setInputFiles('#file', { name: 'mine.gguf', mimeType: 'application/octet-stream', buffer: placeholderBytes() });
  await ready(page);
  await expect(page.locator('#problem')).toBeHidden();
  await setSettings(page, { maxTokens: 8 });
  expect((await generate(page, 'Hello')).length).toBeGreaterThan(0);
});

test('loading can be cancelled, and the model from before goes on', async ({ page, site }) => {
  await openRandom(page, site);
  await page.click('#open-url');
  await page.fill('#url', '/slow.gguf');
  await page.keyboard.press('Enter');
  await expect(page.locator('#loading-detail')).toHaveText(/ of .*\/s/);
  await page.click('#cancel-load');
  await ready(page);
  await expect(page.locator('#problem')).toBeHidden();
  await expect(page.locator('#model-name')).toHaveText('home-random.gguf');
  await setSettings(page, { maxTokens: 8 });
  expect((await generate(page, 'Hello')).length).toBeGreaterThan(0);
  await page.locator('#panel-cache summary').click();
  await expect(page.locator('#cache')).not.toContainText('slow.gguf'); // half a file is no model
});

test('a chat keeps its turns apart and uses the file\'s template', async ({ page, site }) => {
  await openRandom(page, site);
  await page.locator('#mode input[value=chat]').check({ force: true });
  await setSettings(page, { maxTokens: 12 });
  for (const words of ['Hello', 'And again']) {
    await page.fill('#prompt', words);
    await page.keyboard.press('Enter');
    await ready(page);
  }
  await expect(page.locator('.turn .words')).toHaveText(['Hello', 'And again']);
  await expect(page.locator('#prompt')).toHaveValue('');
});

function placeholderBytes() {
  return readFileSync(RANDOM_MODEL);
}

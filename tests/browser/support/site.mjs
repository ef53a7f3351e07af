// @ts-check
/**
 * What every browser test starts from: a server with the real headers, a page that must stay quiet, and the reference data.
 */
import { expect, test as base } from '@playwright/test';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from '../../../tools/serve.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const repository = path.resolve(here, '../../..');
/** The built package; EDGE_NET_DIST tests one that lies elsewhere. */
export const dist = path.resolve(repository, process.env.EDGE_NET_DIST ?? 'dist');
export const shared = path.resolve(repository, process.env.EDGE_NET_SHARED ?? '../shared');
const hasShared = existsSync(path.join(shared, 'oracles'));

/** Skips loudly where the reference data is absent. */
export function needsShared() {
  if (!hasShared) console.log('skipped: no shared data');
  test.skip(!hasShared, 'skipped: no shared data');
}

/** @typedef {{ url: string, requests: string[], close(): Promise<void> }} Site requests: paths of models that were asked for, in order */

/** The speed of /slow.gguf, so that a test can act in the middle. */
const SLOW_BYTES = 16 * 1024;
const SLOW_MS = 40;

/**
 * @param {{ isolate?: boolean, extra?: Record<string, string> }} [options] extra: more folders to mount
 * @returns {Promise<Site>}
 */
export async function startSite({ isolate = true, extra = {} } = {}) {
  /** @type {string[]} */
  const requests = [];
  /** @param {string} file @param {boolean} slow @returns {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => Promise<void>} */
  const send = (file, slow) => async (request, response) => {
    requests.push(request.url ?? '');
    const bytes = readFileSync(file);
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length });
    const step = slow ? SLOW_BYTES : bytes.length;
    for (let at = 0; at < bytes.length && !response.destroyed; at += step) {
      response.write(bytes.subarray(at, at + step));
      if (slow) await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    }
    response.end();
  };
  const placeholder = path.join(dist, 'models/home-random.gguf');
  const site = await serve({
    port: 0,
    isolate,
    mounts: {
      '/web-demo/': path.join(repository, 'web-demo'),
      '/dist/': dist,
      '/support/': here,
      '/source/': path.join(repository, 'js-glue'), // for tests of parts that the package does not export
      ...(hasShared && { '/shared/': shared }),
      ...extra,
    },
    routes: {
      '/slow.gguf': send(hasShared ? stories.file('f32') : placeholder, true),
      '/fast.gguf': send(placeholder, false),
      '/missing.gguf': (_, response) => void response.writeHead(404).end(),
    },
  });
  return { url: site.url, requests, close: site.close };
}

const STORIES = 'data/models/stories260K';

/** stories260K, a real model of 260 thousand parameters, with the text that its float64 reference writes greedily. */
export const stories = {
  /** @param {'f32' | 'f16' | 'q8_0'} type */
  file: (type) => path.join(shared, STORIES, `derived-stories260K-${type}.gguf`),
  /** @param {'f32' | 'f16' | 'q8_0'} type path on the test server */
  path: (type) => `/shared/${STORIES}/derived-stories260K-${type}.gguf`,
  /** @returns {string} */
  text: () => JSON.parse(readFileSync(path.join(shared, STORIES, 'derived-reference.json'), 'utf8')).greedy_text,
};

/** The builds that both browsers run on an isolated page. */
export const VARIANTS = /** @type {const} */ (['scalar', 'simd128', 'relaxed', 'simd128-mt', 'relaxed-mt']);

/**
 * Firefox driven over WebDriver BiDi (and only then: 900 of 900 were fine without) blocks for good in about one of fifty
 * `new Worker()` inside a worker, which is how compute lanes start. So there the page's tests use one thread unless they are
 * about threads, and those that are go through `withPatience`.
 */
export const LANES_MAY_HANG = 'firefox';
/** The service worker would fetch the whole package in the background of every test. */
function onlineByDefault() {
  if (!location.protocol.startsWith('http')) return;
  try {
    if (localStorage.getItem('edge-net.offline') === null) localStorage.setItem('edge-net.offline', 'false');
  } catch {
    // a test took the storage away
  }
}
function oneThreadByDefault() {
  if (!location.protocol.startsWith('http')) return; // about:blank has no storage
  try {
    if (localStorage.getItem('edge-net.settings') === null) localStorage.setItem('edge-net.settings', '{"threads":"1"}');
  } catch {
    // a test took the storage away
  }
}

/**
 * Runs work that starts compute lanes; where they may hang (see above), a hung attempt is repeated after a reload.
 * @template T @param {import('@playwright/test').Page} page @param {string} browserName @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function withPatience(page, browserName, work) {
  for (let attempt = 1; browserName === LANES_MAY_HANG && attempt < 5; attempt++) {
    let timer;
    const hung = new Promise((resolve) => { timer = setTimeout(() => resolve('hung'), 15_000); });
    const running = work();
    running.catch(() => {}); // a reload rejects what hung
    const first = await Promise.race([running, hung]);
    clearTimeout(timer);
    if (first !== 'hung') return running;
    console.log(`  the browser hung in "new Worker" under automation; attempt ${attempt + 1}`);
    await page.reload();
  }
  return work();
}

/**
 * - site: server with COOP/COEP; plainSite: without
 * - quiet: fails the test if the page logged an error or broke its security policy; `quiet.allow(pattern)` excepts one
 * @typedef {{ quiet: { allow(pattern: RegExp): void } }} Own
 * @typedef {{ site: Site, plainSite: Site }} OwnWorker
 */
/** @type {import('@playwright/test').Fixtures<Own, OwnWorker, import('@playwright/test').PlaywrightTestArgs & import('@playwright/test').PlaywrightTestOptions,
 *   import('@playwright/test').PlaywrightWorkerArgs & import('@playwright/test').PlaywrightWorkerOptions>} */
const fixtures = {
  site: [async ({}, use) => {
    const site = await startSite();
    await use(site);
    await site.close();
  }, { scope: 'worker' }],
  plainSite: [async ({}, use) => {
    const site = await startSite({ isolate: false });
    await use(site);
    await site.close();
  }, { scope: 'worker' }],
  quiet: [async ({ browserName, page }, use) => {
    /** @type {string[]} */
    const complaints = [];
    /** @type {RegExp[]} */
    const allowed = [];
    page.on('console', (message) => { if (message.type() === 'error') complaints.push(`console: ${message.text()} ${message.location().url}`); });
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    if (browserName === 'firefox') await page.addInitScript(oneThreadByDefault);
    await page.addInitScript(onlineByDefault);
    await use({ allow: (pattern) => allowed.push(pattern) });
    expect(complaints.filter((text) => !allowed.some((pattern) => pattern.test(text)))).toEqual([]);
  }, { auto: true }],
};
export const test = base.extend(fixtures);

export { expect };

/** Opens the page and waits for the built-in model. @param {import('@playwright/test').Page} page @param {Site} site */
export async function openDemo(page, site) {
  await page.goto(site.url);
  await ready(page);
}

/** The small model with random weights: its text is long and means nothing, which is what tests of writing need. */
export const RANDOM_MODEL = path.join(dist, 'models/home-random.gguf');
/** Opens the page with it, as a person opens a file. @param {import('@playwright/test').Page} page @param {Site} site */
export async function openRandom(page, site) {
  await openDemo(page, site);
  await page.setInputFiles('#file', RANDOM_MODEL);
  await expect(page.locator('#model-name')).toHaveText(path.basename(RANDOM_MODEL));
  await ready(page);
}

/** Is the built-in model the trained one? */
const trained = existsSync(path.join(dist, 'models/home.gguf')) && !readFileSync(path.join(dist, 'models/home.gguf')).equals(readFileSync(RANDOM_MODEL));
/** Skips loudly where there is no trained model. */
export function needsHome() {
  if (!trained) console.log('skipped: no trained home model in dist/models');
  test.skip(!trained, 'skipped: no trained home model in dist/models');
}

/** @param {import('@playwright/test').Page} page */
export async function openPanels(page) {
  await page.evaluate(() => { for (const panel of document.querySelectorAll('.panel')) panel.setAttribute('open', ''); });
}

/** @param {import('@playwright/test').Page} page */
export async function ready(page) {
  await page.waitForSelector('html[data-state=ready]', { state: 'attached' });
}

/**
 * Sets fields of the settings form; a key is a field's name in the SDK.
 * @param {import('@playwright/test').Page} page @param {Record<string, string | number>} values
 */
export async function setSettings(page, values) {
  const panel = page.locator('#panel-settings');
  if (!(await panel.evaluate((details) => /** @type {HTMLDetailsElement} */ (details).open))) await panel.locator('summary').click();
  for (const [key, value] of Object.entries(values)) {
    const field = page.locator(`#set-${key}`);
    if (await field.evaluate((element) => element instanceof HTMLSelectElement)) await field.selectOption(String(value));
    else { // by keys, as people do: fill() appends to number fields in a stock Firefox
      await field.press('ControlOrMeta+a');
      await field.press('Delete');
      await field.pressSequentially(String(value));
      await field.press('Tab');
    }
  }
}

/** Writes with the open model and resolves to the last turn's text. @param {import('@playwright/test').Page} page @param {string} prompt */
export async function generate(page, prompt) {
  await page.fill('#prompt', prompt);
  await page.click('#go');
  await ready(page);
  return page.locator('.turn .answer').last().evaluate((element) => element.textContent ?? '');
}

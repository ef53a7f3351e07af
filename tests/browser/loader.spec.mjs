// @ts-check
/** ModelLoader between tabs, and when there is no room. */
import path from 'node:path';
import { openFaultServer } from '../faults/fault-server.mjs';
import { random } from '../faults/random.mjs';
import { publish } from '../js/support/model-host.mjs';
import { serve } from '../../tools/serve.mjs';
import { dist, expect, repository, test } from './support/site.mjs';

const CHUNK = 1 << 18;

/** A model of random bytes on a slow host, and a page of this package. @param {number} seed */
async function openPlace(seed) {
  const bytes = random(seed).bytes(16 * CHUNK);
  const { files } = await publish({ id: 'shared', bytes, chunkSize: CHUNK });
  const host = await openFaultServer({ files: Object.fromEntries(Object.entries(files).map(([name, data]) => [`/${name}`, data])), plan: (asked) => (asked.path.endsWith('.gguf') ? 'crawl' : null) });
  const site = await serve({ port: 0, csp: false, mounts: { '/dist/': dist, '/web-demo/': path.join(repository, 'web-demo'), '/support/': path.join(repository, 'tests/browser/support') } });
  return { bytes, host, url: host.at('/manifest.json'), page: `${site.url}support/blank.html`, close: () => Promise.all([host.close(), site.close()]),
    /** Bytes of the model that went out. */ sent: () => host.log.filter((a) => a.path.endsWith('.gguf')).reduce((n, a) => n + a.sent, 0) };
}
/** In the page. @param {string} url */
async function preload(url) {
  const { ModelLoader } = await import(/** @type {string} */ ('/dist/index.js'));
  /** @type {Set<string>} */ const sources = new Set();
  const loader = new ModelLoader({ trust: { allowUnsigned: true }, download: { parallel: 1, progressCallback: (/** @type {any} */ p) => { if (p.source) sources.add(p.source); } } });
  Object.assign(globalThis, { loader });
  const outcome = await loader.preload(url).then((/** @type {any} */ r) => r.bytes, (/** @type {any} */ e) => `${e.code}: ${e.message}`);
  return { outcome, sources: [...sources], cached: await loader.isCached(url) };
}

test('two tabs that ask for one model download it once', async ({ page, context }) => {
  const place = await openPlace(1);
  const other = await context.newPage();
  await Promise.all([page, other].map((tab) => tab.goto(place.page)));
  const seen = await Promise.all([page, other].map((tab) => tab.evaluate(preload, place.url)));
  for (const { outcome, cached } of seen) expect([outcome, cached]).toEqual([place.bytes.length, true]);
  expect(place.sent()).toBe(place.bytes.length);
  expect(seen.some((s) => s.sources.includes('another tab'))).toBe(true); // and told the follower how far it was
  await Promise.all([other.close(), place.close()]);
});

test('closing the tab that downloads hands over to the one that waits', async ({ page, context }) => {
  const place = await openPlace(2);
  const leader = await context.newPage();
  await Promise.all([page, leader].map((tab) => tab.goto(place.page)));
  place.host.setPlan((asked) => (asked.path.endsWith('.gguf') ? 'stall' : null)); // a part, then nothing: the leader is in the middle until it is closed
  const leading = leader.evaluate(preload, place.url).catch(() => 'closed');
  await expect.poll(() => place.sent()).toBeGreaterThan(0);
  const following = page.evaluate(preload, place.url);
  place.host.setPlan(() => null);
  await leader.close();
  expect(await leading).toBe('closed');
  const { outcome, cached } = await following;
  expect([outcome, cached]).toEqual([place.bytes.length, true]);
  await place.close();
});

test('a store without room says so, keeps nothing half, and works again afterwards', async ({ page, context, browserName }) => {
  test.skip(browserName !== 'chromium', 'only Chromium lets a test set the quota');
  const place = await openPlace(3);
  await page.goto(place.page);
  const tools = await context.newCDPSession(page);
  const { origin } = new URL(place.page);
  await tools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 << 20 });
  const full = await page.evaluate(preload, place.url);
  expect(String(full.outcome)).toMatch(/^STORAGE: .*(bytes do not fit|no more space|[Qq]uota)/);
  expect(full.cached).toBe(false);
  expect(await page.evaluate(() => /** @type {any} */ (globalThis).loader.getCachedModels())).toEqual([]);
  await tools.send('Storage.overrideQuotaForOrigin', { origin });
  expect((await page.evaluate(preload, place.url)).outcome).toBe(place.bytes.length);
  await place.close();
});

/** In the page: what the store at work does when its bytes are taken away. @param {{url: string, storage: 'opfs' | 'indexeddb'}} what */
async function begin({ url, storage }) {
  const { ModelLoader } = await import(/** @type {string} */ ('/dist/index.js'));
  /** @type {(() => void) | null} */ let begun = null;
  const first = new Promise((/** @type {(v: void) => void} */ resolve) => { begun = resolve; });
  const loader = new ModelLoader({ cache: { storage }, trust: { allowUnsigned: true }, download: { parallel: 1, progressCallback: (/** @type {any} */ p) => { if (p.loaded && begun) { loader.pause(); begun(); begun = null; } } } });
  const going = loader.preload(url).then((/** @type {any} */ r) => r.bytes, (/** @type {any} */ e) => `${e.code}: ${e.message}`);
  await first;
  Object.assign(globalThis, { again: async () => { loader.resume(); return { outcome: await going, cached: await loader.isCached(url) }; } });
}
for (const storage of /** @type {const} */ (['opfs', 'indexeddb'])) {
  test(`${storage}: storage that is cleared in the middle of a download is told, and the next try works`, async ({ page, context, browserName }) => {
    test.skip(storage === 'opfs' && browserName !== 'chromium', 'only Chromium lets a test clear what a worker has open');
    const place = await openPlace(4);
    await page.goto(place.page);
    await page.evaluate(begin, { url: place.url, storage });
    if (storage === 'opfs') {
      const tools = await context.newCDPSession(page);
      await tools.send('Storage.clearDataForOrigin', { origin: new URL(place.page).origin, storageTypes: 'all' });
    } else {
      await page.evaluate(() => new Promise((resolve, reject) => { const asked = indexedDB.deleteDatabase('edge-net'); asked.onsuccess = () => resolve(null); asked.onerror = () => reject(asked.error); }));
    }
    const { outcome, cached } = await page.evaluate(() => /** @type {any} */ (globalThis).again());
    expect(String(outcome)).toMatch(/^STORAGE: ./);
    expect(cached).toBe(false);
    const next = await page.evaluate(async ([url, kind]) => {
      const { ModelLoader } = await import(/** @type {string} */ ('/dist/index.js'));
      const loader = new ModelLoader({ cache: { storage: kind }, trust: { allowUnsigned: true } });
      const { bytes } = await loader.preload(url);
      return { bytes, cached: await loader.isCached(url) };
    }, [place.url, storage]);
    expect(next).toEqual({ bytes: place.bytes.length, cached: true });
    await place.close();
  });
}

test('storage that is cleared between two loads costs a download, no error', async ({ page }) => {
  const place = await openPlace(5);
  await page.goto(place.page);
  expect((await page.evaluate(preload, place.url)).cached).toBe(true);
  await page.evaluate(async () => { await (await navigator.storage.getDirectory()).removeEntry('edge-net', { recursive: true }); });
  expect(await page.evaluate(([url]) => /** @type {any} */ (globalThis).loader.isCached(url), [place.url])).toBe(false);
  expect(await page.evaluate(preload, place.url)).toMatchObject({ outcome: place.bytes.length, cached: true });
  await place.close();
});

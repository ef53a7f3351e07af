// @ts-check
/** The optional service worker: pages without a network, whole updates or none, isolation on hosts that cannot send headers. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { serve } from '../../tools/serve.mjs';
import { random } from '../faults/random.mjs';
import { publish } from '../js/support/model-host.mjs';
import { dist, expect, test } from './support/site.mjs';

const PAGE = '<!doctype html><title>page</title><link rel="icon" href="data:,"><script type="module" src="app.js"></script>';
const app = (/** @type {number} */ version) => `export const version = ${version};\nglobalThis.version = version;\n`;
const sha256 = (/** @type {string | Buffer} */ text) => createHash('sha256').update(text).digest('hex');
const REGISTER = '/site/dist/js-glue/service-worker/register.js';

/** A host that sends no isolation headers, with a page whose files a test may change. @param {Record<string, Uint8Array>} [more] more files */
async function openHost(more = {}) {
  /** @type {Record<string, string | Buffer>} */
  const files = { '/site/': PAGE, '/site/app.js': app(1), '/site/service-worker.js': readFileSync(path.join(dist, 'service-worker.js')), '/site/files.json': '{}', ...Object.fromEntries(Object.entries(more).map(([name, bytes]) => [name, Buffer.from(bytes)])) };
  const state = { cut: '' };
  const types = /** @type {Record<string, string>} */ ({ '.js': 'text/javascript', '.json': 'application/json', '.gguf': 'application/octet-stream' });
  /** @type {Record<string, (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void>} */
  const routes = Object.fromEntries(Object.keys(files).map((name) => [name, (_, response) => {
    const body = Buffer.from(files[name] ?? '');
    response.writeHead(200, { 'Content-Type': types[path.extname(name)] ?? 'text/html', 'Content-Length': body.length, 'Cache-Control': 'no-cache' });
    if (state.cut !== name) return void response.end(body);
    response.write(body.subarray(0, body.length >> 1), () => setTimeout(() => response.destroy(), 20));
  }]));
  const server = await serve({ port: 0, isolate: false, csp: false, mounts: { '/site/dist/': dist }, home: '/site/', routes });
  return { ...server, page: `${server.url}site/`, files, state };
}
/** @param {string} text of app.js @param {string} [extra] more entries */
const listOf = (text, extra = '') => `{"files": {"./": "${sha256(PAGE)}", "app.js": "${sha256(text)}"${extra}}}`;

/** Registers and waits until the worker serves this page. @param {import('@playwright/test').Page} page @param {{list?: string, isolate?: boolean, models?: boolean | {storage: 'indexeddb'}}} [options] */
async function register(page, options = { list: 'files.json' }) {
  await page.evaluate(async ([module, o]) => {
    const { registerServiceWorker } = await import(/** @type {string} */ (module));
    const taken = new Promise((resolve) => { navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }); });
    await registerServiceWorker({ script: 'service-worker.js', ...o });
    if (!navigator.serviceWorker.controller) await taken;
  }, /** @type {const} */ ([REGISTER, options]));
}

test('a page with a model opens without a network', async ({ page, quiet }) => {
  quiet.allow(/./); // what a page without a network logs is the browser's business
  const host = await openHost();
  host.files['/site/files.json'] = `{"lists": ["dist/files.json"], "files": {"./": null, "app.js": null, "dist/models/home-random.gguf": null}}`;
  await page.goto(host.page);
  await register(page);
  const write = () => page.evaluate(async () => {
    const { InferenceSession } = await import(/** @type {string} */ ('/site/dist/index.js'));
    const session = await InferenceSession.create('/site/dist/models/home-random.gguf', { storage: 'none', threads: 1 });
    const text = await session.generate('Hello', { maxTokens: 8, temperature: 0 });
    await session.dispose();
    return text;
  });
  const before = await write();
  await host.close();
  await page.reload();
  expect(await page.evaluate(() => /** @type {any} */ (globalThis).version)).toBe(1);
  expect(await write()).toBe(before);
  expect(before.length).toBeGreaterThan(0);
});

for (const storage of /** @type {const} */ (['opfs', 'indexeddb'])) {
  test(`${storage}: stored models answer a plain fetch without a network, whole and by ranges`, async ({ page, quiet }) => {
    quiet.allow(/./); // what a page without a network logs is the browser's business
    const plain = random(1).bytes(300_000), listed = random(2).bytes(1_000_000);
    plain.set([0x47, 0x47, 0x55, 0x46]);
    const { files } = await publish({ id: 'listed', bytes: listed });
    const host = await openHost({ '/site/plain.gguf': plain, ...Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`/site/listed/${name}`, bytes])) });
    await page.goto(host.page);
    await register(page, { models: storage === 'opfs' ? true : { storage } });
    await page.evaluate(async (kind) => {
      const { ModelLoader } = await import(/** @type {string} */ ('/site/dist/index.js'));
      const loader = new ModelLoader({ cache: { storage: kind }, trust: { allowUnsigned: true } });
      for (const url of ['/site/plain.gguf', '/site/listed/manifest.json']) await loader.preload(url);
    }, storage);
    await host.close();
    /** @param {string} url @param {Record<string, string>} [headers] @param {RequestCache} [cache] */
    const get = (url, headers = {}, cache = 'default') => page.evaluate(async (asked) => {
      try {
        const response = await fetch(asked.url, { headers: asked.headers, cache: asked.cache });
        return { status: response.status, range: response.headers.get('content-range'), hash: [...new Uint8Array(await crypto.subtle.digest('SHA-256', await response.arrayBuffer()))].map((b) => b.toString(16).padStart(2, '0')).join('') };
      } catch (e) { return { status: 0, range: null, hash: /** @type {Error} */ (e).name }; }
    }, { url, headers, cache });
    const hash = (/** @type {Uint8Array} */ bytes) => sha256(Buffer.from(bytes));
    expect(await get('plain.gguf')).toEqual({ status: 200, range: null, hash: hash(plain) });
    expect(await get('listed/listed.gguf')).toEqual({ status: 200, range: null, hash: hash(listed) });
    expect(await get('listed/listed.gguf', { range: 'bytes=1000-1999' })).toEqual({ status: 206, range: 'bytes 1000-1999/1000000', hash: hash(listed.subarray(1000, 2000)) });
    expect(await get('plain.gguf', { range: 'bytes=299990-' })).toEqual({ status: 206, range: 'bytes 299990-299999/300000', hash: hash(plain.subarray(299_990)) });
    expect(await get('plain.gguf', { range: 'bytes=-7' })).toEqual({ status: 206, range: 'bytes 299993-299999/300000', hash: hash(plain.subarray(-7)) });
    expect(await get('plain.gguf', { range: 'bytes=300000-' })).toEqual({ status: 416, range: 'bytes */300000', hash: hash(new Uint8Array(0)) });
    expect(await get('plain.gguf', { range: 'bytes=5-4' })).toEqual({ status: 200, range: null, hash: hash(plain) });
    expect(await get('plain.gguf', { range: 'bytes=0-9', 'if-range': '"another"' })).toEqual({ status: 200, range: null, hash: hash(plain) });
    expect((await get('other.gguf')).status).toBe(0);
    expect((await get('plain.gguf', {}, 'no-store')).status).toBe(0); // whoever wants it fresh asks the network
  });
}

test('a host without headers becomes isolated, with one reload', async ({ page }) => {
  const host = await openHost();
  await page.goto(host.page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  const loaded = page.waitForEvent('load');
  await page.evaluate(async (module) => {
    const { registerServiceWorker } = await import(/** @type {string} */ (module));
    await registerServiceWorker({ script: 'service-worker.js', isolate: true });
  }, REGISTER).catch(() => {}); // the reload ends it
  await loaded;
  await page.waitForFunction(() => crossOriginIsolated);
  const seen = await page.evaluate(async (module) => {
    const { registerServiceWorker } = await import(/** @type {string} */ (module));
    await registerServiceWorker({ script: 'service-worker.js', isolate: true }); // does not reload again
    const { capabilities } = await import(/** @type {string} */ ('/site/dist/index.js'));
    return { memory: typeof SharedArrayBuffer, threads: (await capabilities()).threads };
  }, REGISTER);
  expect(seen).toEqual({ memory: 'function', threads: true });
  await host.close();
});

test('an update is taken as a whole or not at all', async ({ page, quiet }) => {
  quiet.allow(/./);
  const host = await openHost();
  const visit = async () => {
    await page.goto(host.page);
    return page.evaluate(() => /** @type {any} */ (globalThis).version);
  };
  /** Looks for an update; resolves to whether one is ready. */
  const update = () => page.evaluate(async (module) => {
    const { registerServiceWorker } = await import(/** @type {string} */ (module));
    let ready = false;
    const { registration } = await registerServiceWorker({ script: 'service-worker.js', list: 'files.json', onUpdate: () => { ready = true; } });
    const worker = registration.installing;
    if (worker) await new Promise((resolve) => { worker.onstatechange = () => { if (worker.state !== 'installing') resolve(undefined); }; });
    return ready;
  }, REGISTER);
  host.files['/site/files.json'] = listOf(app(1));
  expect(await visit()).toBe(1);
  await register(page);

  host.files['/site/files.json'] = listOf(app(2)); // the list is new, the file is not yet
  expect(await update()).toBe(false);
  expect(await visit()).toBe(1);

  host.files['/site/app.js'] = app(2); // both are new, but the file breaks off
  host.files['/site/files.json'] = listOf(app(2), ', "./?": null');
  host.state.cut = '/site/app.js';
  expect(await update()).toBe(false);
  expect(await visit()).toBe(1);

  host.state.cut = '';
  host.files['/site/files.json'] = listOf(app(2));
  expect(await update()).toBe(true);
  expect(await visit()).toBe(1); // this page is still open, so the old version goes on
  const taken = page.evaluate(() => new Promise((resolve) => { navigator.serviceWorker.addEventListener('controllerchange', () => resolve(true), { once: true }); }));
  await page.evaluate(async (module) => {
    const { registerServiceWorker } = await import(/** @type {string} */ (module));
    (await registerServiceWorker({ script: 'service-worker.js', list: 'files.json' })).activate();
  }, REGISTER);
  expect(await taken).toBe(true);
  expect(await visit()).toBe(2);
  await host.close();
  expect(await visit()).toBe(2);
});

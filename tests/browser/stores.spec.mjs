// @ts-check
/** The browser's own stores: a download that is broken off goes on, is verified, read, pinned and cleared. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { dist, expect, repository, test } from './support/site.mjs';
import { serve } from '../../tools/serve.mjs';
import { openFaultServer } from '../faults/fault-server.mjs';
import { random } from '../faults/random.mjs';

const CHUNK = 1 << 18;
const file = new Uint8Array(random(3).bytes(20 * CHUNK + 77));
file.set([0x47, 0x47, 0x55, 0x46]);
const hash = (/** @type {Uint8Array} */ bytes) => createHash('sha256').update(bytes).digest();
const chunks = Buffer.concat(Array.from({ length: 21 }, (_, i) => hash(file.subarray(i * CHUNK, (i + 1) * CHUNK))));

/** @param {import('@playwright/test').Page} page @param {object} data */
const inWorker = (page, data) => page.evaluate((message) => new Promise((resolve) => {
  const worker = new Worker('/support/store-worker.mjs', { type: 'module' });
  worker.onerror = (e) => resolve({ error: e.message });
  worker.onmessage = ({ data: answer }) => {
    if (answer.ready) worker.postMessage({ ...message, chunks: new Uint8Array(/** @type {any} */ (message).chunks) });
    else { worker.terminate(); resolve(answer); }
  };
}), data);

for (const kind of ['opfs', 'indexeddb', 'cache']) {
  test(`${kind}: from a broken-off download to a verified file`, async ({ page }) => {
    const site = await serve({ port: 0, isolate: true, csp: false, mounts: { '/dist/': dist, '/source/': path.join(repository, 'js-glue'), '/web-demo/': path.join(repository, 'web-demo'), '/support/': path.join(repository, 'tests/browser/support') } }); // the demo's policy allows no other server
    const server = await openFaultServer({ files: { '/m.gguf': file }, plan: (asked) => (asked.number === 1 ? 'stall' : asked.number === 8 ? 'flip' : null) });
    try {
      await page.goto(`${site.url}support/blank.html`);
      const seen = /** @type {any} */ (await inWorker(page, { kind, url: server.at('/m.gguf'), size: file.length, chunkSize: CHUNK, chunks: [...chunks] }));
      expect(seen.error).toBeUndefined();
      expect(seen).toEqual({
        broken: 'ABORTED', kept: true, first: null, stored: hash(file).toString('hex'), direct: 100, bad: [], count: 21, hit: ['hit', 'read', true], full: 'STORAGE', bytes: file.length, free: true, after: 0,
      });
      expect(server.sent()).toBeLessThan(file.length + 8 * CHUNK); // the run that stalled, and one wrong chunk
    } finally { await Promise.all([server.close(), site.close()]); }
  });
}

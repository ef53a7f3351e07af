// @ts-check
/**
 * A browser that is killed in the middle of downloads, on its real storage: the process gets SIGKILL, a new one starts on the same profile and goes on.
 * EDGE_NET_KILLS: rounds in Chromium (100; half in OPFS, half in IndexedDB), a tenth of it in Firefox; EDGE_NET_SEED: another schedule.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FAULT_NAMES, openFaultServer } from '../faults/fault-server.mjs';
import { random, seedOf } from '../faults/random.mjs';
import { serve } from '../../tools/serve.mjs';
import { dist, expect, repository, test } from '../browser/support/site.mjs';
import { publish } from '../js/support/model-host.mjs';

const CHUNK = 1 << 18;
const ROUNDS = Number(process.env.EDGE_NET_KILLS ?? 100);

/** Ends every process that was started on this profile, at once. @param {string} profile */
function killAll(profile) {
  for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try { if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(profile)) process.kill(Number(pid), 'SIGKILL'); } catch { /* it is gone */ }
  }
}

/** In the page: what the store has of a file. @param {{storage: 'opfs' | 'indexeddb', id: string}} what */
async function inspect({ storage, id }) {
  const [{ openStore }, volumes, { JournalFile }] = await Promise.all(['stores/store.js', `stores/${storage}.js`, 'stores/journal.js'].map((m) => import(/** @type {string} */ (`/source/${m}`))));
  const volume = await (storage === 'opfs' ? volumes.opfsVolume() : volumes.indexedDbVolume());
  const chunks = [];
  for (const name of (await volume.names()).filter((/** @type {string} */ n) => n.endsWith('.journal'))) {
    const file = await volume.openShared(name);
    const journal = file && await JournalFile.open(file);
    if (journal?.head.id === id) chunks.push(...journal.indices);
    await file?.close();
  }
  const store = await openStore({ kind: storage });
  const reader = await store.open(id);
  let digest = '';
  if (reader) {
    const parts = [];
    for await (const part of reader.read(0, Infinity)) parts.push(part.slice());
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    digest = [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((b) => b.toString(16).padStart(2, '0')).join('');
    await reader.close();
  }
  store.close();
  return { chunks, digest };
}

/** In the page: download; resolves to 'done' or the code of the error. @param {{storage: 'opfs' | 'indexeddb', url: string}} what */
async function fetchIt({ storage, url }) {
  const { ModelLoader } = await import(/** @type {string} */ ('/dist/index.js'));
  const loader = new ModelLoader({ cache: { storage }, sources: { timeout: 3000 }, download: { retries: 2, parallel: 3 }, trust: { allowUnsigned: true } });
  const control = new AbortController();
  Object.assign(globalThis, { stopIt: () => control.abort() });
  return loader.preload(url, { signal: control.signal }).then(() => 'done', (/** @type {{code: string, message: string}} */ e) => `${e.code}: ${e.message}`);
}

test('killed browsers lose nothing that was recorded, and end with identical bytes', async ({ playwright, browserName, launchOptions, channel }) => {
  test.setTimeout(3_600_000);
  const rounds = browserName === 'chromium' ? ROUNDS : Math.ceil(ROUNDS / 10), seed = seedOf(1), rng = random(seed);
  const totals = { rounds: 0, kills: 0, aborts: 0, attempts: 0 };
  /** @type {Record<string, Uint8Array>} */ const files = {};
  const server = await openFaultServer({ files, seed });
  const site = await serve({ port: 0, csp: false, mounts: { '/dist/': dist, '/source/': path.join(repository, 'js-glue'), '/support/': path.join(repository, 'tests/browser/support') } });
  const profile = mkdtempSync(path.join(tmpdir(), 'edge-net-profile-'));
  const start = async () => {
    const context = await playwright[/** @type {'chromium' | 'firefox'} */ (browserName)].launchPersistentContext(profile, { ...launchOptions, channel, headless: true });
    const page = context.pages()[0] ?? await context.newPage();
    await page.goto(`${site.url}support/blank.html`);
    return { context, page };
  };
  let { context, page } = await start();
  try {
    for (let round = 0; round < rounds; round++) {
      const storage = /** @type {const} */ (['opfs', 'indexeddb'])[round % 2];
      const bytes = rng.bytes(CHUNK * (4 + rng.int(16)) + rng.int(CHUNK));
      const { manifest, files: own } = await publish({ id: `round-${round}`, bytes, chunkSize: CHUNK });
      for (const [name, data] of Object.entries(own)) files[`/${round}/${name}`] = data;
      const what = { storage, url: server.at(`/${round}/manifest.json`), id: `merkle:${manifest.artifacts.model.merkleRoot}` };
      let before = /** @type {number[]} */ ([]);
      for (let attempts = 1 + rng.int(3), n = 0; n <= attempts; n++) {
        const last = n === attempts, how = last ? 'run' : rng.pick(/** @type {const} */ (['kill', 'kill', 'abort']));
        const after = rng.int(bytes.length), from = server.log.length, faults = rng.fork(), rate = last ? 0 : rng.pick([0, 0.3]);
        server.setPlan((asked) => (!asked.path.endsWith('.gguf') ? null : faults.chance(rate) ? faults.pick(FAULT_NAMES) : 'crawl'));
        const running = page.evaluate(fetchIt, what).catch(() => 'killed');
        let over = '';
        void running.then((outcome) => { over = outcome; });
        if (how !== 'run') while (!over && server.sent(from) < after) await new Promise((resolve) => { setTimeout(resolve, 2); });
        if (how === 'abort' && !over) await page.evaluate(() => /** @type {any} */ (globalThis).stopIt());
        if (how === 'kill') {
          killAll(profile);
          await context.close().catch(() => {});
          await running;
          ({ context, page } = await start());
        }
        const outcome = await running;
        totals.attempts++;
        if (outcome === 'killed') totals.kills++;
        if (outcome.startsWith('ABORTED')) totals.aborts++;
        expect(outcome, `seed ${seed}, round ${round}`).toMatch(last ? /^done$/ : /^(done|killed|ABORTED|NETWORK|INTEGRITY)/);
        const asked = server.log.slice(from).filter((a) => a.path.endsWith('.gguf') && a.range);
        const again = before.filter((i) => asked.some((a) => a.range && a.range.start > 0 && i * CHUNK >= a.range.start && i * CHUNK < a.range.end));
        expect(again, `seed ${seed}, round ${round}: recorded chunks were asked for again`).toEqual([]);
        const { chunks, digest } = await page.evaluate(inspect, what);
        before = chunks;
        if (last) expect(digest, `seed ${seed}, round ${round}`).toBe(createHash('sha256').update(bytes).digest('hex'));
      }
      for (const name of Object.keys(own)) delete files[`/${round}/${name}`];
      totals.rounds++;
    }
  } finally {
    console.log(`  ${browserName}, seed ${seed}: ${JSON.stringify(totals)}`);
    await context.close().catch(() => {});
    killAll(profile);
    await Promise.all([server.close(), site.close()]);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
  expect(totals.rounds).toBe(rounds);
});

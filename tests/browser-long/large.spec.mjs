// @ts-check
/**
 * A model of a real shape (24 layers, vocabulary of 151 936, about half a gigabyte; random weights) in a real browser: it loads, runs on
 * one and two threads, can be stopped at any point, and gives its memory back. Figures are printed, and asserted with slack only.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, needsShared, openDemo, ready, setSettings, shared, startSite, test } from '../browser/support/site.mjs';

/** @type {string} */ let folder;
/** @type {string} */ let model;
/** @type {import('../browser/support/site.mjs').Site} */ let site;

test.beforeAll(async () => {
  needsShared();
  folder = mkdtempSync(path.join(tmpdir(), 'edge-net-large-'));
  const made = spawnSync(process.execPath, [path.join(shared, 'harness/gen-gguf.mjs'), '--shape', 'qwen2.5-0.5b', '--quant', 'q8_0', '--out', folder], { encoding: 'utf8' });
  expect(made.status, made.stderr).toBe(0);
  model = `/large/${readdirSync(folder).find((name) => name.endsWith('.gguf'))}`;
  site = await startSite({ extra: { '/large/': folder } });
});
test.afterAll(async () => {
  await site?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** Long enough that reading it takes far longer than a cancel may. */
const LONG_PROMPT = 'The quick brown fox jumps over the lazy dog. '.repeat(40); // at most 1800 tokens: the vocabulary may split it into bytes

for (const threads of [1, 2]) {
  test(`loads, runs and stops on ${threads} thread(s)`, async ({ page }) => {
    await page.goto(`${site.url}support/blank.html`);
    const seen = await page.evaluate(async ({ url, threads, prompt }) => {
      const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
      const begun = performance.now();
      const phases = new Set();
      let bytes = 0;
      const session = await InferenceSession.create(url, {
        threads, contextLength: 2048, storage: 'none', onProgress: (/** @type {{ phase: string, loaded: number }} */ p) => { phases.add(p.phase); bytes = p.loaded; },
      });
      const loadMs = performance.now() - begun;
      const { timings, tokens } = await session.complete('Hello world', { maxTokens: 16, temperature: 0, ignoreEos: true });

      /** Milliseconds from abort to settled. @param {(control: AbortController) => Promise<unknown>} start @param {number} after */
      async function cancel(start, after) {
        const control = new AbortController();
        const pending = start(control);
        if (after) setTimeout(() => control.abort(), after);
        let at = 0;
        control.signal.addEventListener('abort', () => { at = performance.now(); });
        await pending;
        return performance.now() - at;
      }
      const outcome = { prefill: '', decode: '' };
      const prefillMs = await cancel(async (control) => {
        const result = await session.complete(prompt, { maxTokens: 4, signal: control.signal }).catch((/** @type {{ code: string }} */ e) => ({ finishReason: e.code }));
        outcome.prefill = result.finishReason;
      }, 150);
      const decodeMs = await cancel(async (control) => {
        let n = 0;
        const result = await session.complete('Hello', { maxTokens: 500, ignoreEos: true, signal: control.signal, onToken: () => { if (++n === 3) control.abort(); } })
          .catch((/** @type {{ code: string }} */ e) => ({ finishReason: e.code }));
        outcome.decode = result.finishReason;
      }, 0);
      const again = await session.complete('Hello world', { maxTokens: 16, temperature: 0, ignoreEos: true });
      const memory = session.getMemoryInfo();
      const used = session.info.engine;
      await session.dispose();
      return { loadMs, bytes, phases: [...phases], timings, prefillMs, decodeMs, outcome, same: String(again.tokens) === String(tokens), memory, used };
    }, { url: model, threads, prompt: LONG_PROMPT });

    const { timings: t } = seen;
    console.log(`  ${seen.used.variant}, ${seen.used.threads} thread(s): load ${Math.round(seen.loadMs)} ms, first token ${Math.round(t.ttftMs)} ms, `
      + `${((t.tokens - 1) * 1000 / t.tokenMs).toFixed(1)} tokens/s; stop in prefill ${Math.round(seen.prefillMs)} ms, in decode ${Math.round(seen.decodeMs)} ms; `
      + `memory ${(seen.memory.wasmBytes / seen.memory.modelBytes).toFixed(2)} x model`);
    expect(seen.used.threads).toBe(threads);
    expect(seen.phases).toContain('ready');
    expect(t.tokens).toBe(16);
    for (const reason of Object.values(seen.outcome)) expect(['abort', 'ABORTED']).toContain(reason);
    expect(seen.same).toBe(true); // a stop leaves nothing wrong behind
    expect(seen.memory.wasmBytes).toBeLessThan(seen.memory.modelBytes * 1.5);
    // the promise is 100 ms; the slack is for a machine that does something else
    expect(seen.prefillMs).toBeLessThan(1000);
    expect(seen.decodeMs).toBeLessThan(1000);
  });
}

test('fifty times loading and disposing stays flat', async ({ page, browserName }) => {
  await page.goto(`${site.url}support/blank.html`);
  const cycles = await page.evaluate(async () => {
    const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
    const heap = () => /** @type {{ memory?: { usedJSHeapSize: number } }} */ (/** @type {unknown} */ (performance)).memory?.usedJSHeapSize ?? 0;
    /** @type {number[]} */ const heaps = [];
    for (let i = 0; i < 50; i++) {
      const session = await InferenceSession.create('/dist/models/home-random.gguf');
      await session.generate('Hello', { maxTokens: 4 });
      await session.dispose();
      heaps.push(heap());
    }
    return heaps;
  });
  expect(cycles).toHaveLength(50);
  const early = Math.max(...cycles.slice(5, 15));
  const late = Math.max(...cycles.slice(40));
  if (browserName === 'chromium') console.log(`  page heap ${(early / 1e6).toFixed(1)} MB early, ${(late / 1e6).toFixed(1)} MB late`);
  expect(late).toBeLessThanOrEqual(early * 2 + 8e6);
});

test('ten times loading and disposing the large model does not run out of memory', async ({ page }) => {
  await page.goto(`${site.url}support/blank.html`);
  const done = await page.evaluate(async (url) => {
    const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
    let done = 0;
    for (; done < 10; done++) { // twenty gigabytes of address space, were they not given back
      const session = await InferenceSession.create(url, { storage: 'none', contextLength: 512 });
      await session.generate('Hello', { maxTokens: 1 });
      await session.dispose();
    }
    return done;
  }, model);
  expect(done).toBe(10);
});

test('the page keeps, reopens and deletes a large model', async ({ page, context }) => {
  await openDemo(page, site);
  await setSettings(page, { maxTokens: 4, contextLength: 512 });
  await page.click('#open-url');
  await page.fill('#url', model);
  await page.keyboard.press('Enter');
  await expect(page.locator('#loading-detail')).toHaveText(/MB of .*MB/, { timeout: 30_000 });
  await page.waitForSelector('html[data-state=ready]', { state: 'attached', timeout: 300_000 });
  await expect(page.locator('#model-name')).toContainText('.gguf');
  await page.route(`**${model}`, (route) => route.abort());
  await page.reload();
  await page.waitForSelector('html[data-state=ready]', { state: 'attached', timeout: 300_000 });
  await expect(page.locator('#model-name')).toContainText('.gguf');
  await page.fill('#prompt', 'Hello');
  await page.click('#go');
  await ready(page);
  await page.locator('#panel-cache summary').click();
  await page.getByRole('button', { name: /^Delete / }).click();
  await expect(page.locator('#cache')).toContainText('No model is kept');
  await context.close();
});

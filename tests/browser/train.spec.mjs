// @ts-check
/** Training in a page: it learns, is kept over a reload, swapped and taken off; it goes on after the page was killed; the page stays free. */
import { expect, shared, stories, test } from './support/site.mjs';
import { existsSync } from 'node:fs';

const MODELS = /** @type {const} */ ({ home: '/dist/models/home-random.gguf', stories: stories.path('q8_0') });
const NAMES = ['Lily', 'Tom', 'Ben', 'Mia', 'Sam', 'Anna'];
const THINGS = ['ball', 'cat', 'kite', 'boat', 'tree', 'bird'];
const pairs = NAMES.flatMap((name) => THINGS.map((thing) => ({ input: `${name} saw a ${thing}.`, output: ` "My ${thing} is red," said ${name}.` })));

/** @param {import('@playwright/test').Page} page @param {import('./support/site.mjs').Site} site */
const openBlank = (page, site) => page.goto(`${site.url}support/blank.html`);

for (const [name, url] of Object.entries(MODELS)) {
  test(`${name}: training lowers the loss of samples held out by more than half; the adapter survives a reload, and off is the base bit for bit`, async ({ browserName, page, site }) => {
    test.skip(name === 'stories' && browserName === 'firefox', 'skipped: the default model is enough here');
    test.skip(name === 'stories' && !existsSync(shared), 'skipped: no shared data');
    test.slow();
    await openBlank(page, site);
    const learned = await page.evaluate(async ({ url, pairs }) => {
      const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
      const watched = PerformanceObserver.supportedEntryTypes.includes('longtask');
      let longest = watched ? 0 : -1;
      if (watched) new PerformanceObserver((list) => { for (const e of list.getEntries()) longest = Math.max(longest, e.duration); }).observe({ type: 'longtask' });
      const session = await InferenceSession.create(url, { contextLength: 256, kvType: 'f32', threads: 1, parallel: 2 });
      const base = Array.from(await session.logits('Lily saw a kite.'));
      const trainer = session.createTrainer({ rank: 4, learningRate: 1e-2, batchSize: 4, seed: 1 });
      let pieces = 0;
      const beside = session.complete('Once', { maxTokens: 30, temperature: 0, ignoreEos: true, onToken: () => { pieces++; } });
      const report = await trainer.train(pairs, { epochs: 6, evalShare: 0.25 });
      await beside;
      await (await trainer.getAdapter()).save('red things');
      const info = await session.loadAdapter('red things');
      const adapted = Array.from(await session.logits('Lily saw a kite.'));
      await session.dispose();
      return { base, adapted, report, info, pieces, longest };
    }, { url, pairs });
    const { report, base, adapted, info, pieces, longest } = learned;
    console.log(`  ${name}: held-out loss ${report.evalBefore.toFixed(3)} -> ${report.evalLoss.toFixed(3)} in ${report.steps} steps, ${(report.tokens / report.milliseconds * 1e3).toFixed(0)} tokens/s; tasks of the page above 50 ms: ${longest < 0 ? 'not told by this browser' : longest ? `up to ${longest.toFixed(0)} ms` : 'none'}`);
    expect(report.evalLoss).toBeLessThan(report.evalBefore / 2);
    expect(info.scale).toBe(1);
    expect(pieces).toBeGreaterThan(20);
    expect(adapted).not.toEqual(base);

    await page.reload();
    const later = await page.evaluate(async (url) => {
      const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
      const session = await InferenceSession.create(url, { contextLength: 256, kvType: 'f32', threads: 1 });
      const look = async () => Array.from(await session.logits('Lily saw a kite.'));
      const saved = await session.savedAdapters();
      const t0 = performance.now();
      await session.loadAdapter('red things');
      const loadMs = performance.now() - t0;
      const adapted = await look();
      const t1 = performance.now();
      await session.setAdapterScale('red things', 0);
      const swapMs = performance.now() - t1;
      const off = await look();
      await session.setAdapterScale('red things', 1);
      const again = await look();
      await session.unloadAdapter('red things');
      await session.deleteAdapter('red things');
      const gone = [await look(), await session.savedAdapters()];
      await session.dispose();
      return { saved, adapted, off, again, gone, loadMs, swapMs };
    }, url);
    console.log(`  ${name}: loaded from the store in ${later.loadMs.toFixed(1)} ms, swapped in ${later.swapMs.toFixed(2)} ms`);
    expect(later.saved).toEqual(['red things']);
    expect(later.adapted).toEqual(adapted);
    expect(later.off).toEqual(base);
    expect(later.again).toEqual(adapted);
    expect(later.gone).toEqual([base, []]);
  });
}

test('a page that is killed while it trains goes on with the same losses, bit for bit', async ({ browserName, context, site }) => {
  test.skip(browserName === 'firefox', 'skipped: takes long here');
  test.slow();
  /** @param {import('@playwright/test').Page} page @param {{checkpoint: string, stopAt: number, prefixBytes?: number, pairs: typeof pairs}} given */
  const begin = (page, given) => page.evaluate(async ({ checkpoint, stopAt, prefixBytes, pairs }) => {
    const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
    const session = await InferenceSession.create('/dist/models/home-random.gguf', { contextLength: 256, threads: 1 });
    const trainer = session.createTrainer({ rank: 4, learningRate: 1e-2, seed: 1, dropout: 0.1, maxSteps: 60, layers: 2, prefixBytes });
    const scratch = async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('edge-net-records');
      const names = [];
      for await (const name of /** @type {any} */ (folder).keys()) if (name.endsWith('.scratch')) names.push(name);
      return names.length;
    };
    /** @type {[number, number][]} */ const losses = [];
    const done = trainer.train(pairs, { checkpoint: { name: checkpoint, every: 3 }, onStep: (/** @type {any} */ e) => losses.push([e.step, e.loss]) });
    if (!stopAt) { const { resumedFrom } = await done; return { losses, resumedFrom, scratch: await scratch() }; }
    done.catch(() => {});
    while ((losses.at(-1)?.[0] ?? 0) < stopAt) await new Promise((resolve) => { setTimeout(resolve, 1); });
    return { losses, resumedFrom: -1, scratch: await scratch() };
  }, given);
  /** @param {{checkpoint: string, stopAt: number, prefixBytes?: number}} given */
  const life = async (given) => {
    const page = await context.newPage();
    await openBlank(page, site);
    const told = await begin(page, { ...given, pairs });
    await page.close(); // its worker dies in the middle of whatever it does
    return told;
  };
  const whole = new Map((await life({ checkpoint: 'whole', stopAt: 0 })).losses); // what the frozen layers made stays in memory here, and goes to a scratch file below
  expect(whole.size).toBe(60);
  let from = 0;
  for (const stopAt of [8, 20, 33, 0]) {
    const { losses, resumedFrom, scratch } = await life({ checkpoint: 'killed', stopAt, prefixBytes: 0 });
    expect(scratch, 'files of killed ones are swept').toBe(stopAt ? 1 : 0);
    for (const [step, loss] of losses) expect(loss, `step ${step}`).toBe(whole.get(step));
    if (from) expect(losses[0][0], 'it does not begin anew').toBeGreaterThan(1);
    if (!stopAt) expect(resumedFrom).toBeGreaterThanOrEqual(from - from % 3);
    from = stopAt;
  }
});

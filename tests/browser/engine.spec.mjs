// @ts-check
/** The package itself in a page: numbers of every build against the reference, and what happens when a worker dies. */
import { expect, needsShared, shared, stories, test, VARIANTS, withPatience } from './support/site.mjs';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** @param {import('@playwright/test').Page} page @param {import('./support/site.mjs').Site} site */
const openBlank = (page, site) => page.goto(`${site.url}support/blank.html`);

/** @param {string} name an oracle of the shared data */
function oracle(name) {
  const folder = path.join(shared, 'oracles');
  const info = JSON.parse(readFileSync(path.join(folder, `${name}.json`), 'utf8'));
  const bytes = readFileSync(path.join(folder, info.expected));
  return { ...info, logits: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
}

/** sqrt(sum (got - expected)^2 / sum expected^2) @param {ArrayLike<number>} got @param {Float32Array} expected */
function relativeRms(got, expected) {
  let wrong = 0;
  let all = 0;
  for (let i = 0; i < expected.length; i++) {
    wrong += (/** @type {number} */ (got[i]) - expected[i]) ** 2;
    all += expected[i] ** 2;
  }
  return Math.sqrt(wrong / all);
}

for (const variant of VARIANTS) {
  test(`the build ${variant} computes the reference logits`, async ({ browserName, page, site }) => {
    needsShared();
    test.slow();
    await openBlank(page, site);
    for (const name of ['llama', 'qwen2', 'llama-q8_0', 'llama-q4_0']) {
      const { model, tokens, n_ctx: contextLength, logits, tolerance } = oracle(name);
      const got = await withPatience(page, browserName, () => page.evaluate(async ({ url, tokens, options }) => {
        const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
        const session = await InferenceSession.create(url, options);
        const result = await session.logits(tokens, { all: true });
        const used = { variant: session.info.engine.variant, threads: session.info.engine.threads };
        await session.dispose();
        return { logits: Array.from(result), ...used };
      }, { url: `/shared/oracles/${model}`, tokens, options: { variant, contextLength, kvType: 'f32', ...(variant.endsWith('-mt') && { threads: 2 }) } }));
      expect(got.variant).toBe(variant);
      expect(got.threads).toBe(variant.endsWith('-mt') ? 2 : 1);
      expect(got.logits).toHaveLength(logits.length);
      expect(relativeRms(got.logits, logits), `${name} on ${variant}`).toBeLessThan(tolerance);
    }
  });
}

test('a worker that dies rejects what is pending and every later call', async ({ browserName, page, site, quiet }) => {
  quiet.allow(/the test asked for this/);
  await openBlank(page, site);
  const outcome = await withPatience(page, browserName, () => page.evaluate(async () => {
    const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
    /** @type {Worker | undefined} */
    let worker;
    const session = await InferenceSession.create('/dist/models/home-random.gguf', {
      worker: () => (worker = new Worker('/support/mortal-worker.js', { type: 'module' })),
    });
    const told = (/** @type {Promise<unknown>} */ promise) => promise.then(() => 'resolved', (/** @type {{ code: string }} */ error) => error.code);
    const pending = told(session.generate('Hello', { maxTokens: 100000, ignoreEos: true }));
    new BroadcastChannel('edge-net-test').postMessage('die');
    const first = await pending;
    const second = await told(session.generate('Hello'));
    await session.dispose();
    return { started: worker !== undefined, first, second };
  }));
  expect(outcome).toEqual({ started: true, first: 'CRASHED', second: 'CRASHED' });
});

test('the ready-made worker writes, streams, and ends on terminate', async ({ browserName, page, site }) => {
  await openBlank(page, site);
  const outcome = await withPatience(page, browserName, () => page.evaluate(async () => {
    const { ModelWorker } = await import(/** @type {string} */ ('/dist/worker.js'));
    const worker = new ModelWorker();
    await worker.load('/dist/models/home-random.gguf');
    const options = { maxTokens: 12, temperature: 0 };
    const whole = await worker.generate('Hello', options);
    let streamed = '';
    worker.onToken((/** @type {string} */ token) => { streamed += token; });
    await worker.generateStream('Hello', options);
    const [one, two] = await worker.batch([{ id: '1', prompt: 'Hello' }, { id: '2', prompt: 'World' }], options);
    const pending = worker.generate('Hello', { maxTokens: 100000, ignoreEos: true }).then(() => 'resolved', (/** @type {{ code: string }} */ error) => error.code);
    worker.terminate();
    return { whole, streamed, ids: [one.id, two.id], first: one.text, after: await pending };
  }));
  expect(outcome.whole.length).toBeGreaterThan(0);
  expect(outcome.streamed).toBe(outcome.whole);
  expect(outcome.ids).toEqual(['1', '2']);
  expect(outcome.first).toBe(outcome.whole);
  expect(outcome.after).not.toBe('resolved');
});

test('a draft model and guesses from the prompt change no text, greedy or drawn', async ({ browserName, page, site }) => {
  await openBlank(page, site);
  const outcome = await withPatience(page, browserName, () => page.evaluate(async () => {
    const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
    const model = '/dist/models/home-random.gguf', prompt = 'The river and the road to the river and the', results = [];
    for (const guesses of [{}, { draft: model }, { draft: model, promptLookup: 3, parallel: 2 }]) {
      const session = await InferenceSession.create(model, { contextLength: 128, ...guesses });
      const greedy = await session.complete(prompt, { temperature: 0, maxTokens: 24, ignoreEos: true }), drawn = await session.complete(prompt, { seed: 3, temperature: 1, maxTokens: 24, ignoreEos: true });
      results.push({ tokens: [greedy.tokens, drawn.tokens], guesses: greedy.timings.guesses, right: greedy.timings.guessedTokens });
      await session.dispose();
    }
    return results;
  }));
  const [plain, ...guessing] = outcome;
  expect(plain.guesses).toBe(0);
  expect(plain.tokens[0]).toHaveLength(24);
  for (const { tokens, guesses, right } of guessing) {
    expect(tokens).toEqual(plain.tokens);
    expect(guesses).toBeGreaterThan(5);
    expect(right).toBeGreaterThan(0);
  }
});

test('an aborted generation settles, and the session goes on', async ({ browserName, page, site }) => {
  needsShared();
  await openBlank(page, site);
  const outcome = await withPatience(page, browserName, () => page.evaluate(async (url) => {
    const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
    const session = await InferenceSession.create(url);
    const control = new AbortController();
    let pieces = 0;
    const result = await session.complete('', {
      maxTokens: 400, temperature: 0, ignoreEos: true, signal: control.signal,
      onToken: () => { if (++pieces === 5) control.abort(); },
    }).then((/** @type {{ finishReason: string }} */ r) => r.finishReason, (/** @type {{ code: string }} */ e) => e.code);
    const after = await session.generate('', { maxTokens: 60, temperature: 0 });
    await session.dispose();
    return { result, pieces, after };
  }, stories.path('f32')));
  expect(['abort', 'ABORTED']).toContain(outcome.result);
  expect(outcome.pieces).toBeLessThan(400);
  expect(stories.text().startsWith(outcome.after)).toBe(true);
});

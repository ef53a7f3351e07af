// @ts-check
/**
 * A model of every family, of half a billion to one and a half billion random weights (tools/synthetic-model.mjs), loads in Chromium and draws the same sixteen tokens as
 * the native program; encoders give the same numbers. One at a time, about a gigabyte of disk. EDGE_NET_FAMILIES=mamba,gemma2 chooses.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FAMILIES, makeModel } from '../../tools/synthetic-model.mjs';
import { expect, repository, startSite, test } from '../browser/support/site.mjs';

const command = path.join(repository, 'build/native/edge-net');
const chosen = process.env.EDGE_NET_FAMILIES?.split(',') ?? Object.keys(FAMILIES);
const IDS = [2, 5, 9, 6, 31, 3];

/** @type {string} */ let folder;
/** @type {import('../browser/support/site.mjs').Site} */ let site;
test.skip(({ browserName }) => browserName !== 'chromium', 'one browser is enough: the engine is the same');
test.beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'edge-net-families-'));
  site = await startSite({ extra: { '/families/': folder } });
});
test.afterAll(async () => {
  await site?.close();
  if (folder) rmSync(folder, { recursive: true });
});

for (const family of chosen) {
  test(`${family} is the same in a tab`, async ({ page }) => {
    const model = path.join(folder, `${family}.gguf`), out = `${model}.f32`, encoder = FAMILIES[family].arch.endsWith('bert');
    try {
      makeModel(family, model);
      const native = (/** @type {string[]} */ ...args) => execFileSync(command, [...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
      /** @type {number[]} */ let want;
      if (encoder) {
        native('embed', model, '--tokens', IDS.join(), '--out', out);
        want = [...new Float32Array(Uint8Array.from(readFileSync(out)).buffer)];
      } else {
        // At this temperature every probability matters, and so every bit of the logits.
        want = JSON.parse(native('run', model, '-p', 'Hello', '-n', '16', '--temp', '2', '--top-k', '0', '--top-p', '1', '--min-p', '0', '--seed', '7', '--ctx', '64', '--json')).tokens;
        expect(want).toHaveLength(16);
        expect(new Set(want).size).toBeGreaterThan(4);
      }
      await page.goto(`${site.url}support/blank.html`);
      const seen = await page.evaluate(async ({ url, encoder, ids }) => {
        const { InferenceSession } = await import(/** @type {string} */ ('/dist/index.js'));
        const begun = performance.now();
        const session = await InferenceSession.create(url, { contextLength: 64, storage: 'none', kvType: 'f32' }); // as the program keeps them
        const loadMs = performance.now() - begun;
        const got = encoder
          ? { tokens: [...(await session.embedBatch([ids]))[0]], timings: null }
          : await session.complete('Hello', { maxTokens: 16, temperature: 2, topK: 0, topP: 1, minP: 0, seed: 7, ignoreEos: true });
        const { modelBytes, wasmBytes } = session.getMemoryInfo(), { variant, threads } = session.info.engine;
        await session.dispose();
        return { got: [...got.tokens], timings: got.timings, loadMs, modelBytes, wasmBytes, variant, threads };
      }, { url: `/families/${family}.gguf`, encoder, ids: IDS });
      const speed = seen.timings ? `, ${((seen.timings.tokens - 1) * 1000 / seen.timings.tokenMs).toFixed(1)} tokens/s` : '';
      console.log(`  ${family}: ${(seen.modelBytes / 1e6).toFixed(0)} MB, load ${Math.round(seen.loadMs)} ms${speed}, memory ${(seen.wasmBytes / seen.modelBytes).toFixed(2)} x model, ${seen.variant}, ${seen.threads} thread(s)`);
      expect(seen.got).toEqual(want);
    } finally {
      for (const file of [model, out]) rmSync(file, { force: true });
    }
  });
}

// @ts-check
/** Hugging Face folders in a page: the files of a folder that was chosen, and a directory handle, give the texts of the GGUF file that they stand for. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, withPatience } from './support/site.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('a folder by its files and by its handle', async ({ browserName, page, site }, info) => {
  const dir = info.outputPath('folder');
  execFileSync(process.execPath, [path.join(root, 'tests/cli/make-folder.mjs'), dir], { cwd: root });
  await page.goto(`${site.url}support/blank.html`);
  await page.evaluate(() => { document.body.innerHTML = '<input id="files" type="file" multiple><input id="whole" type="file">'; });
  await page.setInputFiles('#files', readdirSync(dir).map((name) => path.join(dir, name)));
  await page.setInputFiles('#whole', `${dir}.gguf`);
  const said = await withPatience(page, browserName, () => page.evaluate(async () => {
    const { InferenceSession, ModelLoader } = await import(/** @type {string} */ ('/dist/index.js'));
    const files = [.../** @type {any} */ (document.querySelector('#files')).files], [whole] = /** @type {any} */ (document.querySelector('#whole')).files;
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('a-model', { create: true });
    for (const file of files) {
      const out = await (await folder.getFileHandle(file.name, { create: true })).createWritable();
      await out.write(file);
      await out.close();
    }
    const say = async (/** @type {unknown} */ source) => {
      const session = await new ModelLoader().load(source, { contextLength: 64, threads: 1 });
      try { return await session.generate('hello', { maxTokens: 8, temperature: 0 }); } finally { await session.dispose(); }
    };
    const refused = await InferenceSession.create(files.filter((f) => f.name !== 'config.json')).catch((/** @type {Error} */ e) => e.message);
    return { whole: await say(whole), files: await say(files), handle: await say(folder), refused };
  }));
  expect(said.whole.length).toBeGreaterThan(0);
  expect(said.files).toBe(said.whole);
  expect(said.handle).toBe(said.whole);
  expect(said.refused).toContain('config.json');
  expect(readFileSync(`${dir}.gguf`).length).toBeGreaterThan(0);
});

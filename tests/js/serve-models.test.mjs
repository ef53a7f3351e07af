// @ts-check
// A folder as a model host: what it lists, what it sends, what it keeps to itself. (Ranges, conditions and paths that lead out: tests/browser/serve.spec.mjs.)
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { serveModels } from '../../cli/models/serve-models.js';
import { parseCatalog } from '../../js-glue/catalog.js';
import { parseManifest } from '../../js-glue/manifest/manifest.js';
import { compareVersions } from '../../js-glue/trust/version.js';
import { random } from '../faults/random.mjs';
import { temporaryFolder } from './support/env.mjs';
import { publish } from './support/model-host.mjs';

const weights = random(1).bytes(600_000);
const folder = temporaryFolder();
for (const version of ['1.0.0', '1.1.0']) {
  const { files } = await publish({ id: 'tiny', version, bytes: weights, more: { optimization: { quantization: 'INT4' } } });
  mkdirSync(path.join(folder, `tiny/v${version}`), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(folder, `tiny/v${version}`, name), bytes);
}
writeFileSync(path.join(folder, 'other.json'), '{"no": "manifest"}');
mkdirSync(path.join(folder, '.private'));
writeFileSync(path.join(folder, '.private/manifest.json'), 'secret');
writeFileSync(path.join(temporaryFolder(), 'outside.txt'), 'secret');
symlinkSync('/etc', path.join(folder, 'out'));

/** @param {Parameters<typeof serveModels>[1]} options @param {(url: string) => Promise<void>} use */
async function served(options, use) {
  const server = await serveModels(folder, { port: 0, ...options });
  try { await use(server.url); } finally { await server.close(); }
}

test('lists its manifests, and serves the files that they name', () => served({}, async (url) => {
  const list = parseCatalog(new Uint8Array(await (await fetch(`${url}models.json`)).arrayBuffer()), `${url}models.json`);
  assert.deepEqual(list.map((m) => [m.id, m.version, m.type, m.quantization, m.size]), [['tiny', '1.0.0', 'text-generation', 'INT4', 600_000], ['tiny', '1.1.0', 'text-generation', 'INT4', 600_000]]);
  const at = list[1].manifest;
  assert.equal(at, `${url}tiny/v1.1.0/manifest.json`);
  const { artifacts } = parseManifest(new Uint8Array(await (await fetch(at)).arrayBuffer()));
  const part = await fetch(new URL(artifacts.model.filename, at), { headers: { Range: 'bytes=262144-262153' } });
  assert.deepEqual([part.status, part.headers.get('content-range')], [206, 'bytes 262144-262153/600000']);
  assert.deepEqual(new Uint8Array(await part.arrayBuffer()), weights.slice(262144, 262154));
  assert.match(await (await fetch(url)).text(), /^2 models.*\ntiny 1\.0\.0 /);
}));

test('cors: closed unless asked, then open for reading with ranges', async () => {
  await served({}, async (url) => {
    const { headers } = await fetch(`${url}models.json`);
    assert.deepEqual([headers.get('access-control-allow-origin'), headers.get('cross-origin-resource-policy')], [null, 'same-origin']);
    assert.equal((await fetch(url, { method: 'OPTIONS' })).status, 405);
  });
  for (const origin of ['*', 'https://page.example']) {
    await served({ cors: origin }, async (url) => {
      const { headers } = await fetch(`${url}tiny/v1.0.0/tiny.gguf`, { method: 'HEAD' });
      assert.deepEqual([headers.get('access-control-allow-origin'), headers.get('cross-origin-resource-policy'), headers.get('content-length')], [origin, 'cross-origin', '600000']);
      assert.match(String(headers.get('access-control-expose-headers')), /Content-Range.*ETag/);
      const preflight = await fetch(`${url}tiny/v1.0.0/tiny.gguf`, { method: 'OPTIONS', headers: { Origin: 'https://page.example', 'Access-Control-Request-Headers': 'range' } });
      assert.deepEqual([preflight.status, /\bRange\b/.test(String(preflight.headers.get('access-control-allow-headers')))], [204, true]);
    });
  }
});

test('keeps hidden files and what lies outside to itself', () => served({ cors: '*' }, async (url) => {
  for (const target of ['.private/manifest.json', 'out/passwd', 'tiny', '%2e%2e/x', 'tiny/v1.0.0/none']) assert.equal((await fetch(url + target)).status, 404, target);
  assert.equal((await fetch(`${url}models.json`, { method: 'DELETE' })).status, 405);
}));

test('what is no folder is an error', async () => { await assert.rejects(serveModels(path.join(folder, 'other.json')), /is not a folder/); });

test('a list of models is not believed blindly', () => {
  const read = (/** @type {unknown} */ value) => parseCatalog(new TextEncoder().encode(JSON.stringify(value)), 'https://x.test/models.json');
  const entry = { id: 'a', name: 'A', version: '1.0.0', type: 'embedding', manifest: 'a/manifest.json' };
  assert.deepEqual(read([entry]), [{ ...entry, quantization: null, size: null, manifest: 'https://x.test/a/manifest.json' }]);
  for (const bad of [{}, [null], [{ ...entry, manifest: 'file:///etc/passwd' }], [{ ...entry, manifest: 'https://' }], [{ ...entry, size: -1 }], [{ ...entry, id: 7 }]]) assert.throws(() => read(bad), { code: 'FORMAT' });
});

test('versions come in the order of SemVer', () => {
  const ordered = ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.10.0', '2.0.0'];
  const shuffled = ordered.map((v, i) => ordered[(i * 7) % ordered.length]);
  assert.deepEqual(shuffled.sort(compareVersions), ordered);
  assert.equal(compareVersions('1.0.0+a', '1.0.0+b'), 0);
});

// @ts-check
// `edge-net-models pull` and `cache` against a model host of the same package: trust, resumption, repair, clearing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import test from 'node:test';
import { pack } from '../../cli/models/pack.js';
import { makeKey } from '../../cli/models/keys.js';
import { main } from '../../cli/models/program.js';
import { serveModels } from '../../cli/models/serve-models.js';
import { signTarget } from '../../cli/models/sign.js';
import { openStaticServer } from '../../cli/models/static-server.js';
import { ModelLoader } from '../../js-glue/loader.js';
import { trustStorage } from '../../js-glue/trust/storage.js';
import { TrustStore } from '../../js-glue/trust/store.js';
import { root, temporaryFolder } from './support/env.mjs';

process.env.EDGE_NET_HOME = temporaryFolder();
process.env.EDGE_NET_PASSPHRASE = '';
const home = process.env.EDGE_NET_HOME;
/** @param {string[]} args */
async function run(...args) {
  let text = '', errors = '';
  const status = await main([...args, '--json'], { out: { write: (t) => { text += t; } }, err: { write: (t) => { errors += t; } } });
  assert.equal(errors, '', args.join(' '));
  return { status, answer: JSON.parse(text.trim().split('\n').at(-1) ?? '') };
}
/** @param {...string} args */
async function good(...args) {
  const done = await run(...args);
  assert.equal(done.status, 0, `${args.join(' ')}: ${JSON.stringify(done.answer)}`);
  return done.answer;
}
/** @param {string} code @param {...string} args */
async function bad(code, ...args) {
  const done = await run(...args);
  assert.deepEqual([done.answer.error?.code, done.status], [code, code === 'ARG' ? 2 : 1], `${args.join(' ')}: ${JSON.stringify(done.answer)}`);
  return done.answer.error.message;
}

const MIB = 1 << 20;
const host = temporaryFolder();
/** A GGUF file without pairs and tensors. */
const HEAD = Buffer.from('GGUF\u0003\0\0\0'.padEnd(24, '\0'));
/** @param {number} seed */
const bytesOf = (seed) => Buffer.from(Uint8Array.from({ length: 6 * MIB + 321 }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 16) * 5 + seed) & 255)).fill(HEAD, 0, 24);
const model = path.join(host, 'toy.gguf');
const key = await makeKey(path.join(home, 'keys/private.pem'), 'ed25519');
/** Publish a version: file, chunk list beside it, signed manifest. @param {string} version @param {number} seed */
async function publish(version, seed) {
  writeFileSync(model, bytesOf(seed));
  const { manifestFile } = await pack([model], { version, license: 'MIT', publishedAt: '2026-01-01T00:00:00Z', inline: 2 }, () => () => {});
  await signTarget(manifestFile, key.privateKey);
}
await publish('1.0.0', 1);
const served = await serveModels(host, { port: 0 });
test.after(() => served.close());
const allStored = () => readdirSync(path.join(home, 'models')).filter((n) => n.endsWith('.data')).map((n) => path.join(home, 'models', n));

test('pull by name: only from a trusted key, whole, once', async () => {
  await good('config', 'set', 'registry', served.url);
  await bad('UNTRUSTED_KEY', 'pull', 'toy');
  await good('trust', 'add', key.publicKey, '--name', 'me');
  const out = temporaryFolder();
  const pulled = await good('pull', 'toy', '--output', out);
  assert.deepEqual([pulled.id, pulled.version, pulled.signedBy, pulled.files], ['toy', '1.0.0', 'me', [{ file: path.join(out, 'toy.gguf'), bytes: 6 * MIB + 321 }]]);
  assert.deepEqual(readFileSync(path.join(out, 'toy.gguf')), bytesOf(1));
  assert.deepEqual((await good('list')).filter((/** @type {any} */ m) => m.id === 'toy').map((/** @type {any} */ m) => m.origin), ['cache']);
  assert.equal((await good('info', 'toy')).signedBy.name, 'me');
  assert.deepEqual((await good('verify', 'toy', '--check-signature')).files.map((/** @type {any} */ f) => f.state), ['good']);
  await bad('ARG', 'pull', 'toy', '--version', '9.0.0');
});

test('what is pulled here is there for programs, by its name and without a network', async () => {
  const trust = new TrustStore(await trustStorage(path.join(home, 'trust.json')));
  const loader = new ModelLoader({ cache: { storage: 'filesystem', directory: path.join(home, 'models') }, trust: { store: trust } });
  assert.equal(await loader.isCached('toy'), true);
  const manifest = await loader.getManifest('toy');
  assert.deepEqual([manifest.id, manifest.version], ['toy', '1.0.0']);
});

test('cache repair: one broken chunk is found and fetched again, alone', async () => {
  const [file] = allStored();
  const damage = () => {
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.from('broken'), 0, 6, 3 * MIB + 5);
    closeSync(fd);
  };
  damage();
  const [checked] = await good('cache', 'repair');
  assert.deepEqual([checked.state, checked.bad], ['repaired', [3]]);
  damage();
  assert.match(await bad('INTEGRITY', 'verify', 'toy'), /toy\.gguf is bad: 1 of 7 chunks/);
  assert.equal((await good('cache', 'repair', 'toy'))[0].state, 'repaired');
  await good('verify', 'toy');
  assert.deepEqual(readFileSync(allStored()[0] ?? '').subarray(0, bytesOf(1).length), bytesOf(1));
});

test('a new version replaces the old one after prune, and never the other way', async () => {
  await publish('1.1.0', 2);
  assert.equal((await good('pull', 'toy')).version, '1.1.0');
  const gone = await good('cache', 'prune');
  assert.deepEqual([gone.removed, gone.bytes], [['toy/toy.gguf'], 6 * MIB + 321]);
  await publish('1.0.0', 1);
  await bad('ROLLBACK', 'pull', 'toy');
  await good('verify', 'toy');
  await good('trust', 'forget', 'toy'); // a person's decision
  assert.equal((await good('pull', 'toy')).version, '1.0.0');
});

test('a file that is not what was signed is refused', async () => {
  await publish('1.2.0', 3);
  const forged = bytesOf(3);
  forged[5 * MIB] ^= 1;
  writeFileSync(model, forged);
  const done = await run('pull', 'toy');
  assert.deepEqual([done.status, ['INTEGRITY', 'NETWORK'].includes(done.answer.error.code)], [1, true], JSON.stringify(done.answer));
  writeFileSync(model, bytesOf(3));
  assert.equal((await good('pull', 'toy')).version, '1.2.0', 'and the next try goes on');
});

test('a killed pull goes on where it was', async (t) => {
  await publish('1.3.0', 4);
  let sent = 0, stall = true;
  const slow = await openStaticServer({
    mounts: { '/': host }, routes: {
      '/toy.gguf': (request, response) => { // after 3 MiB nothing more comes, until the command is killed
        const [, from = '0', end] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
        const to = end || String(6 * MIB + 320);
        const body = bytesOf(4).subarray(Number(from), Number(to) + 1);
        response.writeHead(206, { 'Content-Range': `bytes ${from}-${to}/${6 * MIB + 321}`, 'Content-Length': body.length });
        const now = stall ? body.subarray(0, Math.min(body.length, Math.max(0, 3 * MIB - sent))) : body;
        sent += now.length;
        response.write(now);
        if (!stall) response.end();
        else if (sent >= 3 * MIB) setTimeout(() => child?.kill('SIGKILL'), 300);
      },
    },
  });
  t.after(() => slow.close());
  /** @type {import('node:child_process').ChildProcess | null} */ let child = spawn(process.execPath, [path.join(root, 'cli/models/main.js'), 'pull', `${slow.url}toy.manifest.dsse.json`], { stdio: 'ignore' });
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL');
  child = null;
  stall = false;
  const before = sent;
  assert.equal((await good('pull', `${slow.url}toy.manifest.dsse.json`)).version, '1.3.0');
  assert.ok(sent - before < 6 * MIB + 321, `${sent - before} bytes the second time, ${before} the first`);
  await good('verify', 'toy');
});

test('cache info, clear by age, by model, and all', async () => {
  const info = await good('cache', 'info');
  assert.ok(info.files.length >= 1 && info.bytes >= 6 * MIB);
  assert.deepEqual((await good('cache', 'clear', '--older-than', '1d')).removed, []);
  assert.equal((await good('cache', 'clear', 'toy')).removed.length, info.files.length);
  await bad('ARG', 'verify', 'toy');
  await good('pull', 'toy');
  assert.ok((await good('cache', 'clear')).removed.length >= 1);
  assert.deepEqual([(await good('cache', 'info')).files, allStored()], [[], []]);
  await bad('ARG', 'cache', 'clear', '--older-than', 'long');
});

test('unsigned manifests only when asked; a package manifest without hashes is told', async () => {
  const other = path.join(host, 'other');
  mkdirSync(other);
  writeFileSync(path.join(other, 'plain.gguf'), bytesOf(9));
  await pack([path.join(other, 'plain.gguf')], { publishedAt: '2026-01-01T00:00:00Z' }, () => () => {});
  await bad('UNSIGNED', 'pull', 'plain');
  assert.equal((await good('pull', 'plain', '--allow-unsigned')).signedBy, null);
  await bad('UNSIGNED', 'verify', 'plain', '--check-signature');
  await good('verify', 'plain');
  assert.match(await bad('UNSUPPORTED', 'pull', 'phi-2-q4'), /knows no hash/);
  rmSync(other, { recursive: true });
  await good('cache', 'clear', 'plain');
});

test('the cache has a limit, and without autoCleanup nothing is thrown away for it', async () => {
  const kept = async () => (await good('cache', 'info')).files.map((/** @type {any} */ f) => f.id);
  await good('pull', 'toy');
  const before = await kept();
  assert.equal(before.length, 1);
  await publish('1.4.0', 5);
  await good('config', 'set', 'cache.maxSize', '7MB');
  await good('config', 'set', 'cache.autoCleanup', 'false');
  assert.match(await bad('STORAGE', 'pull', 'toy'), /cache clear makes room/);
  assert.deepEqual(await kept(), before);
  await good('config', 'set', 'cache.autoCleanup', 'true');
  await good('pull', 'toy');
  const after = await kept();
  assert.deepEqual([after.length, after[0] === before[0]], [1, false]);
});

// @ts-check
// `edge-net-models`: answers and exit codes of every command that needs no network; the built one as a process.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { describeGguf } from '../../cli/models/gguf.js';
import { makeOutput } from '../../cli/models/output.js';
import { pack } from '../../cli/models/pack.js';
import { main } from '../../cli/models/program.js';
import { serveModels } from '../../cli/models/serve-models.js';
import { EdgeNetError, ERROR_CODES } from '../../js-glue/errors.js';
import { parseManifest } from '../../js-glue/manifest/manifest.js';
import { preAuthEncoding } from '../../js-glue/trust/dsse.js';
import { homeModel, root, temporaryFolder } from './support/env.mjs';

process.env.EDGE_NET_HOME = temporaryFolder();
process.env.EDGE_NET_PASSPHRASE = '';
const home = process.env.EDGE_NET_HOME;
/** The command in this process: a new one takes longer than its work. @param {...string} args */
async function run(...args) {
  let stdout = '', stderr = '';
  const status = await main(args, { out: { write: (text) => { stdout += text; } }, err: { write: (text) => { stderr += text; } } });
  return { status, stdout, stderr };
}
/** A command that must succeed; its answer as data. @param {...string} args */
async function good(...args) {
  const done = await run(...args, '--json');
  assert.equal(done.status, 0, `${args.join(' ')}: ${done.stdout}${done.stderr}`);
  return JSON.parse(done.stdout);
}
/** A command that must fail. @param {string} code @param {...string} args */
async function bad(code, ...args) {
  const done = await run(...args, '--json');
  const { error } = JSON.parse(done.stdout.trim().split('\n').at(-1) ?? '');
  assert.ok(/** @type {readonly string[]} */ (ERROR_CODES).includes(error.code));
  assert.deepEqual([error.code, done.status], [code, code === 'ARG' ? 2 : 1], `${args.join(' ')}: ${error.message}`);
  return error.message;
}

const folder = temporaryFolder();
const model = path.join(folder, 'My-Toy.gguf');
const bytes = Buffer.from(Uint8Array.from({ length: (2 << 20) + 1000 }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 16) * 5) & 255));
writeFileSync(model, bytes);
writeFileSync(path.join(folder, 'tokenizer.json'), '{}');
const manifestFile = path.join(folder, 'My-Toy.manifest.json');
const signedFile = path.join(folder, 'My-Toy.manifest.dsse.json');

test('keygen: for the owner alone, never over an old one, with a passphrase where one is set', async () => {
  const made = await good('keygen');
  assert.equal(made.privateKey, path.join(home, 'keys/private.pem'));
  assert.equal(statSync(made.privateKey).mode & 0o777, 0o600);
  const der = createPublicKey(readFileSync(made.publicKey)).export({ type: 'spki', format: 'der' });
  assert.equal(made.keyId, createHash('sha256').update(der).digest('hex'));
  assert.match(await bad('ARG', 'keygen'), /never replaced/);
  process.env.EDGE_NET_PASSPHRASE = 'words';
  assert.equal((await good('keygen', '--out', path.join(home, 'locked.pem'))).encrypted, true);
  process.env.EDGE_NET_PASSPHRASE = '';
  assert.match(readFileSync(path.join(home, 'locked.pem'), 'utf8'), /ENCRYPTED/);
});

test('pack: the manifest that readers accept, with the file\'s own hashes', async () => {
  const packed = await good('pack', model, path.join(folder, 'tokenizer.json'), '--license', 'MIT', '--quantization', 'INT4', '--published-at', '2026-01-01T00:00:00Z');
  const manifest = parseManifest(readFileSync(manifestFile));
  assert.deepEqual([packed.manifest, manifest.id, manifest.artifacts.model.size, manifest.artifacts.model.sha256], [manifestFile, 'my-toy', bytes.length, createHash('sha256').update(bytes).digest('hex')]);
  assert.deepEqual(Object.keys(manifest.artifacts), ['model', 'tokenizer']);
  assert.equal(manifest.artifacts.model.chunks?.length, 3);
  assert.match(String(manifest.artifacts.model.cid), /^bafybei/);
  assert.equal(manifest.artifacts.tokenizer.cid, 'bafkreicecnx2gvntm6fbcrvnc336qze6st5u7qq7457igegamd3bzkx7ri'); // `{}`, as every IPFS node names it
  await bad('ARG', 'pack', path.join(folder, 'nothing.gguf'));
  assert.match(await bad('FORMAT', 'pack', model, '--hf', 'owner/name@main', '--out', temporaryFolder()), /revision/);
});

test('pack: what a GGUF file says of itself', async () => {
  const out = temporaryFolder();
  const { manifest: file } = await good('pack', homeModel, '--out', out);
  const { architecture, family, type, optimization } = parseManifest(readFileSync(file));
  assert.deepEqual(JSON.parse(JSON.stringify({ architecture, family, type, format: optimization?.format })),
    { architecture: { type: 'transformer', layers: 4, hiddenSize: 96, vocabSize: 799, contextLength: architecture?.contextLength }, family: 'llama', type: 'text-generation', format: 'GGUF' });
  assert.ok(Number(architecture?.contextLength) > 0);
  const whole = readFileSync(homeModel);
  for (const n of [5, 23, 100, 5000]) { // cut in the head
    writeFileSync(path.join(out, 'cut.gguf'), whole.subarray(0, n));
    await bad('FORMAT', 'pack', path.join(out, 'cut.gguf'));
  }
  writeFileSync(path.join(out, 'cut.gguf'), whole.subarray(0, whole.length - 1)); // cut in the weights: nobody should sign that
  assert.match(await bad('FORMAT', 'pack', path.join(out, 'cut.gguf')), new RegExp(`cut\\.gguf: the file is incomplete: it ends at ${whole.length - 1} of ${whole.length} bytes`));
  writeFileSync(path.join(out, 'none.gguf'), '');
  assert.match(await bad('ARG', 'pack', path.join(out, 'none.gguf')), /none\.gguf is empty/);
  assert.deepEqual(readdirSync(out).filter((name) => name.startsWith('cut') || name.startsWith('none')), ['cut.gguf', 'none.gguf'], 'nothing half-written');
  for (let i = 0, state = 1; i < 300; i++) {
    const head = Buffer.from(whole.subarray(0, 2000));
    for (let k = 0; k < 3; k++) { state = Math.imul(state, 1664525) + 1013904223 >>> 0; head[4 + state % 600] = state >>> 24; }
    writeFileSync(path.join(out, 'odd.gguf'), Buffer.concat([head, whole.subarray(2000, 60000)]));
    await describeGguf(path.join(out, 'odd.gguf')).catch((e) => assert.ok(e instanceof EdgeNetError && ['FORMAT', 'UNSUPPORTED'].includes(e.code), String(e.stack)));
  }
});

test('sign, trust, verify: the whole way, and every wrong turn', async () => {
  await bad('UNSIGNED', 'verify', manifestFile, '--check-signature');
  const signed = await good('sign', model); // its manifest lies beside it
  assert.deepEqual([signed.file, signed.kind], [signedFile, 'dsse']);
  await bad('UNTRUSTED_KEY', 'verify', signedFile, '--check-signature');
  const { keyId } = await good('trust', 'add', path.join(home, 'keys/private.pub.pem'), '--name', 'me', '--models', 'my-*');
  assert.equal(keyId, signed.keyId);
  assert.deepEqual((await good('trust', 'list')).map((/** @type {any} */ k) => [k.keyId, k.name, k.models]), [[keyId, 'me', ['my-*']]]);
  assert.deepEqual((await good('verify', signedFile, '--check-signature')).files.map((/** @type {any} */ f) => f.state), ['good', 'good']);
  assert.match((await run('verify', signedFile)).stdout, /signed by me/);
  await bad('ARG', 'trust', 'add', path.join(home, 'keys/private.pem'));
  await bad('ARG', 'sign', model, '--key', path.join(home, 'locked.pem'));

  const text = readFileSync(signedFile, 'utf8');
  const tampered = path.join(folder, 'tampered.dsse.json');
  const envelope = JSON.parse(text);
  envelope.payload = Buffer.from(Buffer.from(envelope.payload, 'base64').toString().replace('MIT', 'BSD')).toString('base64');
  writeFileSync(tampered, JSON.stringify(envelope));
  await bad('SIGNATURE', 'verify', tampered);
  writeFileSync(tampered, text.slice(0, -20));
  await bad('TRUNCATED', 'verify', tampered);
});

test('verify: a flipped byte is found, and in which chunk', async () => {
  const broken = Buffer.from(bytes);
  broken[(1 << 20) + 7] ^= 4;
  writeFileSync(model, broken);
  const done = (await run('verify', manifestFile, '--json'));
  assert.equal(done.status, 1);
  const [report, error] = done.stdout.trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual([report.files[0].state, report.files[0].bad, report.files[1].state, error.error.code], ['bad', [1], 'good', 'INTEGRITY']);
  writeFileSync(model, bytes.subarray(0, -1));
  assert.equal((await run('verify', manifestFile)).status, 1);
  writeFileSync(model, bytes);
  await good('verify', manifestFile);
});



test('a long chunk list lies beside the manifest, and a swapped one is refused', async () => {
  const out = temporaryFolder();
  const big = path.join(out, 'big.bin');
  writeFileSync(big, Buffer.concat([bytes, bytes]));
  const { manifestFile: made, sideFiles } = await pack([big], { chunkSize: 1 << 18, inline: 16 }, () => () => {}); // 17 chunks; the command's own limit takes a file of 256 MB
  assert.deepEqual([sideFiles, statSync(`${big}.chunks`).size], [[`${big}.chunks`], 17 * 32]);
  await good('verify', made);
  const list = readFileSync(`${big}.chunks`);
  writeFileSync(`${big}.chunks`, Buffer.concat([list.subarray(-32), list.subarray(32)]));
  await bad('CHUNK_LIST', 'verify', made);
});

test('OpenSSF model signatures: a folder signed and checked, and what must not pass', async () => {
  const target = temporaryFolder();
  mkdirSync(path.join(target, 'sub'));
  copyFileSync(model, path.join(target, 'model.gguf'));
  writeFileSync(path.join(target, 'sub/config.json'), '{}');
  const key = path.join(home, 'p256.pem'), pub = path.join(home, 'p256.pub.pem');
  await good('keygen', '--type', 'p256', '--out', key);
  const { file, kind } = await good('sign', target, '--key', key);
  assert.deepEqual([file, kind], [path.join(target, 'model.sig'), 'oms']);
  const check = ['verify', target, '--bundle', file, '--key', pub];
  assert.equal((await good(...check)).files, 2);

  // The parts as the specification has them, put together here once more.
  const bundle = JSON.parse(readFileSync(file, 'utf8'));
  const payload = Buffer.from(bundle.dsseEnvelope.payload, 'base64');
  const statement = JSON.parse(payload.toString());
  const sha = (/** @type {string | Buffer} */ data) => createHash('sha256').update(data).digest('hex');
  assert.deepEqual(statement.predicate.resources, [{ name: 'model.gguf', algorithm: 'sha256', digest: sha(bytes) }, { name: 'sub/config.json', algorithm: 'sha256', digest: sha('{}') }]);
  assert.equal(statement.subject[0].digest.sha256, sha(Buffer.concat([Buffer.from(sha(bytes), 'hex'), Buffer.from(sha('{}'), 'hex')])));
  assert.equal(bundle.verificationMaterial.publicKey.hint, sha(readFileSync(pub)));
  assert.ok(verify('sha256', preAuthEncoding('application/vnd.in-toto+json', payload), readFileSync(pub), Buffer.from(bundle.dsseEnvelope.signatures[0].sig, 'base64')));

  const other = path.join(home, 'other.pub.pem');
  writeFileSync(other, generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }));
  await bad('UNTRUSTED_KEY', 'verify', target, '--bundle', file, '--key', other);
  await bad('ARG', 'verify', target, '--bundle', file);
  writeFileSync(path.join(target, 'more.txt'), 'x');
  assert.match(await bad('INTEGRITY', ...check), /not among the signed/);
  rmSync(path.join(target, 'more.txt'));
  writeFileSync(path.join(target, 'sub/config.json'), '[]');
  assert.match(await bad('INTEGRITY', ...check), /config\.json/);
  rmSync(path.join(target, 'sub/config.json'));
  assert.match(await bad('INTEGRITY', ...check), /missing/);
  writeFileSync(path.join(target, 'sub/config.json'), '{}');
  bundle.dsseEnvelope.payload = Buffer.from(payload.toString().replace(sha('{}'), sha('[]'))).toString('base64');
  writeFileSync(file, JSON.stringify(bundle));
  await bad('SIGNATURE', ...check);
});

test('config: shown, set, checked; comments of the file stay', async () => {
  const file = path.join(home, 'models.yaml');
  writeFileSync(file, '# mine\nversion: 1\ncache:\n  maxSize: 5GB # small disk\n');
  assert.deepEqual(await good('config', 'set', 'cacheDir', '/data/models'), { key: 'cache.directory', value: '/data/models' });
  await good('config', 'set', 'cdn.retries', '7');
  await good('config', 'set', 'ipfs.gateways', 'https://a.example,https://b.example');
  const all = await good('config', 'show');
  assert.deepEqual([all['cache.directory'], all['cache.maxSize'], all['cdn.retries'], all['ipfs.gateways'], all.defaultSource], ['/data/models', '5GB', 7, ['https://a.example', 'https://b.example'], 'gcs']);
  assert.match(readFileSync(file, 'utf8'), /# mine[\s\S]*# small disk/);
  await bad('ARG', 'config', 'set', 'cdn.retries', 'many');
  await bad('ARG', 'config', 'set', 'cache.shape', 'round');
  writeFileSync(file, 'cache: {maxSize: [1]}\n');
  assert.match(await bad('FORMAT', 'config', 'show'), /maxSize/);
  writeFileSync(file, 'a: b: c\n');
  await bad('FORMAT', 'config', 'show');
  rmSync(file);
});

test('list and info: the package\'s own models; what is not there yet says so', async () => {
  const ids = async (/** @type {string[]} */ ...args) => (await good('list', ...args)).map((/** @type {any} */ m) => m.id);
  assert.equal((await ids()).length, 8);
  assert.deepEqual(await ids('--type', 'embedding', '--quantization', 'int8'), ['bge-small-q8', 'e5-small-q8', 'gte-small-q8', 'minilm-l6-v2-q8']);
  assert.equal((await good('info', 'phi-1.5-q4')).manifest.architecture.layers, 24);
  assert.match((await run('info', 'phi-1.5-q4')).stdout, /no hash is known yet/);
  assert.match((await run('info', 'phi-1.5-q4', '--requirements')).stdout, /simdRequired: false/);
  assert.match((await run('info', 'phi-1.5-q4', '--benchmarks')).stdout, /perplexity: not measured/);
  assert.match(await bad('ARG', 'info', 'phi-9'), /no model "phi-9"/);
  for (const name of ['optimize', 'publish', 'push', 'adapters']) assert.match(await bad('UNSUPPORTED', name, 'x', '--quantization', 'INT4'), /not there yet/);
  assert.match(await bad('UNSUPPORTED', 'optimize', 'x'), /edge-net quantize/);
  assert.match(await bad('ARG', 'serve-models', path.join(folder, 'nowhere')), /nowhere is not a folder/);
  for (const port of ['99999', 'http']) assert.match(await bad('ARG', 'serve-models', folder, '--port', port), /port must be a number from 0 to 65535/);
  assert.equal((await run('fly')).status, 2);
  assert.equal((await run('list', '--fast')).status, 2);
  assert.equal((await run('--help')).status, 0);
});

test('the README\'s commands in its order, and the program that loads what they pulled', async (t) => {
  const place = temporaryFolder();
  const before = process.cwd();
  t.after(() => { process.chdir(before); process.env.EDGE_NET_HOME = home; });
  process.chdir(place);
  process.env.EDGE_NET_HOME = path.join(place, '.edge-net');
  copyFileSync(homeModel, 'my-model.gguf');
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  const lines = [...readme.matchAll(/^(edge-net-models [^#\n]*)/gm)].flatMap(([, line]) => line.trim().split(' && '));
  assert.ok(lines.length >= 8, `${lines.length} commands`);
  let host = { url: '', close: async () => {} };
  for (const line of lines) {
    const args = line.split(/\s+/).slice(1);
    if (args[0] === 'serve-models') { // it would wait for Ctrl+C
      host = await serveModels(/** @type {string} */ (args[1]), { port: 0, cors: '*' });
      copyFileSync(path.join(place, '.edge-net/keys/private.pub.pem'), 'publisher.pub.pem');
    } else await good(...args.map((a) => a.replace('http://localhost:8080/', host.url)));
  }
  assert.equal((await good('verify', 'my-model')).signedBy.name.length, 12, 'a key without a name is called by its id');
  await host.close();

  const [, code = ''] = /^```js\n(\/\/ node, after pull\n[\s\S]*?)^```/m.exec(readme) ?? [];
  writeFileSync('example.mjs', code.replace("'@ruvector/edge-net-models'", JSON.stringify(pathToFileURL(path.join(root, 'dist/index.js')).href)));
  const done = spawnSync(process.execPath, ['example.mjs'], { encoding: 'utf8', env: { ...process.env, HOME: place }, timeout: 60_000 });
  assert.deepEqual([done.status, done.stderr], [0, '']);
  assert.ok(done.stdout.trim().length > 0);
});

const program = 'dist/cli/edge-net-models.mjs';
test('the built command runs', { skip: existsSync(path.join(root, program)) ? false : 'skipped: dist is not built' }, () => {
  const done = spawnSync(path.join(root, program), ['list', '--json'], { encoding: 'utf8', cwd: temporaryFolder(), env: { ...process.env, EDGE_NET_HOME: temporaryFolder() } });
  assert.deepEqual([done.status, done.stderr, JSON.parse(done.stdout).length], [0, '', 8]);
});

test('on a terminal a bar shows the progress; no control characters of strangers reach it', () => {
  let told = '', answered = '';
  const out = makeOutput(false, { write: (t) => { answered += t; } }, { isTTY: true, columns: 100, write: (t) => { told += t; } });
  const show = out.progress('toy.gguf');
  show({ phase: 'download', loaded: 1 << 20, total: 4 << 20, rate: 1 << 20, eta: 3, source: 'https://x.example/\u001b[2J' });
  assert.match(told, /^\rtoy\.gguf \[######\.{18}\] 25 % 1\.0 MB 1\.0 MB\/s 3 s left from https:\/\/x\.example\/\?\[2J\u001b\[K$/);
  show({ phase: 'ready', loaded: 4 << 20, total: 4 << 20, rate: 0, eta: null });
  assert.match(told, /100 % 4\.0 MB\u001b\[K\n$/);
  out.answer({}, 'a\u001b[31mb\nc');
  assert.equal(answered, 'a?[31mb\nc\n');
  makeOutput(true, { write: () => {} }, { isTTY: true, write: () => assert.fail('--json is quiet') }).progress('x')({ phase: 'ready', loaded: 1, total: 1, rate: 0, eta: null });
});

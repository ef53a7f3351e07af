// @ts-check
// The commands of edge-net-models: fetch, check, describe, pack and sign models. Every command answers for people, with --json for programs; 0 good, 1 failed, 2 asked wrongly.
import path from 'node:path';
import { readFile } from 'node:fs/promises';
import { Command, CommanderError, Option } from 'commander';
import { EdgeNetError } from '../../js-glue/errors.js';
import { CHUNK_SIZES } from '../../js-glue/manifest/chunks.js';
import { isModel } from '../../js-glue/fetch/small.js';
import { clear, prune, repair, verifyPulled } from './cache.js';
import { SETTINGS, expand, home, parseAge, readConfig, setConfig } from './config.js';
import { asked, listModels, openLookup, openTrust } from './find.js';
import { makeKey } from './keys.js';
import { verifyModel } from './oms.js';
import { makeOutput, showSize, table } from './output.js';
import { pack } from './pack.js';
import { pull, withCache } from './pull.js';
import { serveModels } from './serve-models.js';
import { signTarget } from './sign.js';
import { checkFolder } from './verify.js';

/** @typedef {import('./output.js').Output} Output */

/** @param {import('../../js-glue/manifest/manifest.js').Manifest} m @param {string | null} signer */
function describe(m, signer) {
  const sizes = Object.entries(m.artifacts).map(([role, a]) => `  ${role}: ${a.filename}, ${showSize(a.size)}${a.sha256 ? `, sha256 ${a.sha256}` : ', no hash is known yet'}${a.cid ? `\n    ${a.cid}` : ''}`);
  const facts = Object.entries({ ...m.architecture, ...m.optimization }).filter(([, v]) => v != null).map(([k, v]) => `${k} ${v}`).join(', ');
  return [`${m.id} ${m.version}: ${m.name}`, `  ${m.type}${m.family ? `, ${m.family}` : ''}, licence ${m.license}${m.expires ? `, good until ${m.expires}` : ''}`, ...(facts ? [`  ${facts}`] : []), ...sizes, `  ${signer ? `signed by ${signer}` : 'not signed'}`].join('\n');
}
/** @param {object | undefined} block */
const lines = (block) => Object.entries(block ?? {}).map(([k, v]) => `${k}: ${v === null ? 'not measured' : typeof v === 'object' ? JSON.stringify(v) : v}`).join('\n');

/** @param {{why?: string, bad?: number[], chunks?: number}} c */
const whyOf = ({ why, bad, chunks }) => (why ? `: ${why}` : bad?.length ? `: ${bad.length} of ${chunks} chunks are not the published ones` : '');

/** Ctrl+C aborts the work: what is there stays, and the next run goes on from it. @template T @param {(signal: AbortSignal) => Promise<T>} work */
async function interruptible(work) {
  const control = new AbortController();
  const stop = () => control.abort();
  process.once('SIGINT', stop);
  try { return await work(control.signal); } finally { process.off('SIGINT', stop); }
}

/** The commands that fetch and keep. @param {Command} program @param {Parameters<typeof addReading>[1]} run */
function addFetching(program, run) {
  program.command('pull <model>').description('fetch a model (name, manifest path or URL, or the URL of a file: https:, hf:, ipfs:); goes on where it was stopped')
    .option('--version <version>').addOption(new Option('--source <kind>', 'ask these sources first').choices(['gcs', 'http', 'hf', 'ipfs'])).option('--output <folder>', 'put the files there too')
    .option('--allow-unsigned', 'take a manifest without a signature')
    .action(run(async (out, name, o) => {
      const config = await readConfig();
      const got = await interruptible((signal) => pull(name, o, config, { progress: out.progress, signal }));
      out.answer(got, [`${got.id}${got.version ? ` ${got.version}` : ''}${got.signedBy ? `, signed by ${got.signedBy}` : ''}`, ...got.files.map((f) => `  ${f.file}  ${showSize(f.bytes)}`)].join('\n'));
    }));
  const cache = program.command('cache').description('what was pulled');
  cache.command('info').action(run(async (out) => {
    const config = await readConfig();
    const { usage, files } = await withCache(config, async (store) => ({ usage: await store.usage(), files: (await store.list()).filter(isModel) }));
    const rows = files.sort((a, b) => b.used - a.used).map((e) => [e.name, showSize(e.size), new Date(e.used).toISOString().slice(0, 10), e.pinned ? 'pinned' : '']);
    out.answer({ directory: expand(config['cache.directory']), ...usage, files },
      [`${expand(config['cache.directory'])}: ${showSize(usage.bytes)} of ${config['cache.maxSize']}${usage.partial ? `, ${showSize(usage.partial)} in unfinished downloads` : ''}, ${showSize(usage.free)} free`, ...(rows.length ? [table(['file', 'size', 'last used', ''], rows)] : [])].join('\n'));
  }));
  /** @param {Output} out @param {{removed: string[], bytes: number}} gone */
  const told = (out, gone) => out.answer(gone, [...gone.removed, `${gone.removed.length} files, ${showSize(gone.bytes)} removed`].join('\n'));
  cache.command('clear [model]').description('remove everything, one model, or what is old').option('--older-than <age>', 'unused for so long, as 30d')
    .action(run(async (out, model, o) => told(out, await clear({ model, olderThan: o.olderThan === undefined ? undefined : parseAge(o.olderThan) }, await readConfig()))));
  cache.command('prune').description('remove older versions, then the longest unused beyond cache.maxSize').action(run(async (out) => told(out, await prune(await readConfig()))));
  cache.command('repair [model]').description('check every stored byte; fetch broken chunks again').action(run(async (out, model) => {
    const config = await readConfig();
    const checked = await interruptible((signal) => repair(model, config, { progress: out.progress, signal }));
    out.answer(checked, checked.map((c) => `${c.state.padEnd(9)}${c.model} ${c.file}${c.bad.length ? `: ${c.bad.length} of ${c.chunks} chunks` : ''}`).join('\n') || 'the cache is empty');
    const wrong = checked.find((c) => c.state !== 'good' && c.state !== 'repaired');
    if (wrong) throw new EdgeNetError('INTEGRITY', `${wrong.model}: ${wrong.file} is still ${wrong.state}`);
  }));
}

/** The commands that read and check. @param {Command} program @param {(work: (out: Output, ...given: any[]) => Promise<void>) => (...given: any[]) => Promise<void>} run */
function addReading(program, run) {
  program.command('list').description('models that are known by name: pulled, in the registry, in this package')
    .option('--type <type>', 'text-generation, embedding or vision').option('--quantization <class>', 'as INT4')
    .action(run(async (out, options) => {
      const config = await readConfig();
      const models = (await withCache(config, (store) => listModels(config, store, out.note))).filter((m) => (!options.type || m.type === options.type) && (!options.quantization || m.quantization === options.quantization.toUpperCase()));
      out.answer(models, table(['model', 'version', 'type', 'weights', 'size', 'from'], models.map((m) => [m.id, m.version, m.type, m.quantization ?? '?', showSize(m.size), m.origin])));
    }));
  program.command('info <model>').description('what a manifest says (name, path or URL)').option('--benchmarks', 'measured figures').option('--requirements', 'what it needs')
    .action(run(async (out, name, options) => {
      const config = await readConfig();
      const { manifest, signedBy, url } = await withCache(config, async (store) => (await openLookup(config, store, { allowUnsigned: true })).find(asked(name)));
      if (options.benchmarks) out.answer(manifest.benchmarks ?? {}, lines(manifest.benchmarks) || 'the manifest has no benchmarks');
      else if (options.requirements) out.answer(manifest.requirements ?? {}, lines(manifest.requirements) || 'the manifest states no requirements');
      else out.answer({ manifest, signedBy, url }, describe(manifest, signedBy?.name ?? null));
    }));
  program.command('verify <model>').description('a pulled model (its name), files beside a manifest (its path), or with --bundle a file or folder')
    .option('--check-signature', 'fail unless the manifest is signed by a key of the trust store')
    .option('--bundle <file>', 'an OpenSSF model signature (model.sig)').option('--key <file>', 'the public key for --bundle, PEM')
    .action(run(async (out, target, options) => {
      if (options.bundle) {
        if (!options.key) throw new EdgeNetError('ARG', 'verify --bundle needs --key: the public key that you trust');
        const good = await verifyModel(target, options.bundle, options.key);
        return out.answer(good, `${good.files} files of ${good.name} are as they were signed`);
      }
      const config = await readConfig();
      const what = asked(target);
      const found = await withCache(config, async (store) => {
        const lookup = await openLookup(config, store, { allowUnsigned: !options.checkSignature });
        const known = 'name' in what ? await lookup.kept(what) : await lookup.find(what);
        if (!known) throw new EdgeNetError('ARG', `${target} was not pulled; edge-net-models pull ${target} does it`);
        return known;
      });
      const checked = 'name' in what ? await verifyPulled(found.manifest.id, config, out.progress) : await checkFolder(found, out.progress);
      out.answer({ id: found.manifest.id, version: found.manifest.version, signedBy: found.signedBy, files: checked },
        [...checked.map((c) => `${c.state.padEnd(8)}${c.file}${whyOf(c)}`), found.signedBy ? `signed by ${found.signedBy.name}` : 'the manifest is not signed'].join('\n'));
      const wrong = checked.find((c) => c.state !== 'good');
      if (wrong) throw new EdgeNetError('INTEGRITY', `${wrong.file} is ${wrong.state}${whyOf(wrong)}`);
    }));
}

/** The commands of publishers. @param {Command} program @param {Parameters<typeof addReading>[1]} run */
function addPublishing(program, run) {
  program.command('pack <files...>').description('make a manifest: hashes, chunk list, CID; the model\'s file first')
    .option('--id <id>').option('--name <name>').option('--model-version <version>', 'semantic version', '1.0.0')
    .addOption(new Option('--type <type>', 'default: what a GGUF file says').choices(['text-generation', 'embedding', 'vision']))
    .option('--license <name>', 'as MIT').option('--family <name>').option('--quantization <class>', 'as INT4').option('--publisher <name>')
    .option('--published-at <time>', 'default: now').option('--expires <time>', 'as 2027-01-01T00:00:00Z').option('--base-url <url>', 'where the files will lie').option('--hf <owner/name@commit>', 'where they lie at Hugging Face')
    .addOption(new Option('--chunk-size <bytes>').choices(CHUNK_SIZES.map(String)).default('1048576')).option('--out <folder>', 'default: beside the file')
    .action(run(async (out, files, o) => {
      const { manifestFile, sideFiles, manifest } = await pack(files, { id: o.id, title: o.name, version: o.modelVersion, type: o.type, license: o.license, family: o.family, quantization: o.quantization, publishedBy: o.publisher,
        publishedAt: o.publishedAt, expires: o.expires, chunkSize: Number(o.chunkSize), baseUrl: o.baseUrl, hf: o.hf, out: o.out }, out.progress);
      out.answer({ manifest: manifestFile, chunkFiles: sideFiles, artifacts: manifest.artifacts }, [manifestFile, ...sideFiles, describe(manifest, null)].join('\n'));
    }));
  program.command('keygen').description('make a key pair; EDGE_NET_PASSPHRASE in the environment encrypts it').option('--out <file>', 'default: signing.keyPath of the settings')
    .addOption(new Option('--type <type>', 'p256 is for OpenSSF model signatures').choices(['ed25519', 'p256']).default('ed25519'))
    .action(run(async (out, o) => {
      const made = await makeKey(expand(o.out ?? (await readConfig())['signing.keyPath']), o.type);
      out.answer(made, `${made.privateKey}${made.encrypted ? '' : ' (without a passphrase: keep it to yourself)'}\n${made.publicKey}: give this one away\nkey id ${made.keyId}`);
    }));
  program.command('sign <target>').description('sign a manifest (Ed25519 key), or a model file or folder (P-256 key)').option('--key <file>', 'default: signing.keyPath of the settings').option('--out <file>')
    .action(run(async (out, target, o) => {
      const made = await signTarget(target, expand(o.key ?? (await readConfig())['signing.keyPath']), o.out);
      out.answer(made, `${made.file}, signed by ${made.keyId.slice(0, 12)}`);
    }));
}

/** Settings, keys, the server. @param {Command} program @param {Parameters<typeof addReading>[1]} run */
function addHousekeeping(program, run) {
  const trust = program.command('trust').description('whose signatures count');
  trust.command('add <key>').description('a public key (PEM)').option('--name <name>').option('--models <ids>', 'ids separated by commas, * at the end of one stands for anything', '*')
    .option('--not-before <time>').option('--not-after <time>')
    .action(run(async (out, file, o) => {
      const pem = await readFile(file, 'utf8').catch((e) => { throw new EdgeNetError('ARG', `${file}: ${e.message}`); });
      const keyId = await (await openTrust()).add(pem, { name: o.name, models: o.models.split(','), notBefore: o.notBefore ?? null, notAfter: o.notAfter ?? null });
      out.answer({ keyId }, `trusted: ${keyId}`);
    }));
  trust.command('list').action(run(async (out) => {
    const keys = await (await openTrust()).list();
    out.answer(keys, keys.length ? table(['key id', 'name', 'models', 'until'], keys.map((k) => [k.keyId, k.name, k.models.join(','), k.notAfter ?? 'always'])) : 'no keys are trusted; edge-net-models trust add FILE');
  }));
  trust.command('remove <keyId>').description('a key\'s id, or the beginning of it').action(run(async (out, start) => {
    const store = await openTrust();
    const found = (await store.list()).filter((k) => k.keyId.startsWith(start));
    if (found.length !== 1) throw new EdgeNetError('ARG', `${found.length} trusted keys begin with ${start}`);
    await store.remove(/** @type {{keyId: string}} */ (found[0]).keyId);
    out.answer({ removed: found[0]?.keyId }, `no longer trusted: ${found[0]?.keyId}`);
  }));
  trust.command('forget <model>').description('accept older versions of this model again')
    .action(run(async (out, id) => { await (await openTrust()).forget(id); out.answer({ forgotten: id }, `the versions of ${id} that were accepted are forgotten`); }));
  const config = program.command('config').description(`settings in ${path.join(home(), 'models.yaml')}`);
  config.command('show').action(run(async (out) => {
    const all = await readConfig();
    out.answer(all, table(['setting', 'value', 'is'], Object.entries(all).map(([k, v]) => [k, JSON.stringify(v), SETTINGS[k]?.says ?? ''])));
  }));
  config.command('set <name> <value>').action(run(async (out, name, value) => { const set = await setConfig(name, value); out.answer(set, `${set.key}: ${JSON.stringify(set.value)}`); }));
  program.command('serve-models <folder>').description('serve a folder of models: ranges, CORS, models.json').option('--port <port>', 'default 8080', '8080').option('--host <address>', 'default: this machine only').option('--cors [origin]', 'pages of this origin may read them (no value: all)')
    .action(run(async (out, folder, o) => {
      const served = await serveModels(folder, { port: Number(o.port), host: o.host, cors: o.cors === undefined ? null : o.cors === true ? '*' : o.cors });
      out.answer({ url: served.url }, `${served.url} serves ${folder}; Ctrl+C ends it`);
      await new Promise((resolve) => { for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve); });
      await served.close();
    }));
  for (const [name, instead] of [['optimize', 'build/native/edge-net quantize stores a model in fewer bits; pack describes the file'], ['publish', 'pack, sign, and serve-models or any static host do it by hand'], ['adapters', 'build/native/edge-net adapter reads and writes them']]) {
    const command = program.command(`${name} [arguments...]`).description('not there yet').allowUnknownOption().helpOption(false);
    if (name === 'publish') command.alias('push'); // older documents have both names
    command.action(run(async () => { throw new EdgeNetError('UNSUPPORTED', `${name} is not there yet in this release; ${instead}`); }));
  }
}

/** @typedef {{write(text: string): unknown, isTTY?: boolean, columns?: number}} Stream */
/** @param {string[]} argv what follows the command's name @param {{out?: Stream, err?: Stream}} [streams] default: the process's @returns {Promise<number>} the exit code */
export async function main(argv, { out: answers = process.stdout, err: notes = process.stderr } = {}) {
  const out = makeOutput(argv.includes('--json'), answers, notes);
  let code = 0;
  /** @type {Parameters<typeof addReading>[1]} */
  const run = (work) => async (...given) => {
    try { await work(out, ...given); } catch (e) { code = out.failure(e); }
  };
  const program = new Command('edge-net-models').description('Models for edge-net: fetch, check, describe, pack, sign').option('--json', 'answer for programs')
    .exitOverride().showHelpAfterError('(--help tells more)').configureOutput({ writeOut: (text) => { answers.write(text); }, writeErr: (text) => { notes.write(text); } });
  addFetching(program, run);
  addReading(program, run);
  addPublishing(program, run);
  addHousekeeping(program, run);
  for (const command of program.commands.flatMap((c) => [c, ...c.commands])) if (!command.commands.length) command.option('--json', 'answer for programs');
  try { await program.parseAsync(argv, { from: 'user' }); } catch (e) {
    if (!(e instanceof CommanderError)) throw e;
    return e.exitCode === 0 ? 0 : 2;
  }
  return code;
}

// @ts-check
/**
 * Where the peers come from: llama.cpp from npm's node-llama-cpp (prebuilt libraries, and its public headers out of the package's source bundle),
 * PyTorch, transformers and PEFT from PyPI. Everything is put under build/peers, once; nothing here is part of `npm test`.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
export const WORK = path.join(ROOT, 'build', 'peers');
const NPM_PEERS = ['node-llama-cpp@3.22.1', '@wllama/wllama@3.8.1', 'playwright-core@1.64.1'];

/** @param {string} command @param {string[]} args @param {string} [cwd] */
const run = (command, args, cwd = WORK) => { execFileSync(command, args, { cwd, stdio: ['ignore', 2, 'inherit'] }); };

/** The peers from npm. @returns {string} the folder that holds node_modules */
export function npmPeers() {
  const npm = path.join(WORK, 'npm');
  if (!NPM_PEERS.every((peer) => fs.existsSync(path.join(npm, 'node_modules', peer.replace(/(.)@.*/, '$1'))))) {
    fs.mkdirSync(npm, { recursive: true });
    fs.writeFileSync(path.join(npm, 'package.json'), '{"name":"peers","private":true,"type":"module"}\n');
    process.stderr.write('installing the peers from npm\n');
    run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...NPM_PEERS], npm); // its post-install would fetch from elsewhere
  }
  return npm;
}

/** A C program against llama.cpp's public API. @param {string} source @param {string} name @returns {{ program: string, libraries: string }} */
export function againstLlama(source, name) {
  const modules = path.join(npmPeers(), 'node_modules');
  const libraries = path.join(modules, '@node-llama-cpp', 'linux-x64', 'bins', 'linux-x64');
  const headers = path.join(WORK, 'src-llama.cpp');
  if (!fs.existsSync(headers)) run('git', ['clone', '-q', path.join(modules, 'node-llama-cpp', 'llama', 'gitRelease.bundle'), headers]);
  const program = path.join(WORK, name);
  const library = (/** @type {RegExp} */ re) => `-l:${fs.readdirSync(libraries).find((f) => re.test(f))}`;
  run('gcc', ['-O2', '-Wall', source, `-I${headers}/include`, `-I${headers}/ggml/include`, `-L${libraries}`, library(/^libllama\.(v.*)?so/), library(/^libggml\.(v.*)?so/),
    '-l:libggml-base.so', '-lm', `-Wl,-rpath,${libraries}`, '-o', program]);
  return { program, libraries };
}

/** A Python that has requirements.txt: EDGE_NET_PYTHON, or an environment of our own (the default PyTorch wheel of PyPI takes about 7 GB of disk). */
export function python() {
  if (process.env.EDGE_NET_PYTHON) return process.env.EDGE_NET_PYTHON;
  const venv = path.join(WORK, 'python'), exe = path.join(venv, 'bin', 'python'), done = path.join(venv, 'installed');
  const wanted = fs.readFileSync(path.join(ROOT, 'bench', 'peers', 'requirements.txt'), 'utf8');
  if (!fs.existsSync(done) || fs.readFileSync(done, 'utf8') !== wanted) {
    fs.mkdirSync(WORK, { recursive: true });
    process.stderr.write('installing the peers from PyPI (gigabytes)\n');
    run('python3', ['-m', 'venv', venv]);
    run(exe, ['-m', 'pip', 'install', '-q', '-r', path.join(ROOT, 'bench', 'peers', 'requirements.txt')]);
    fs.writeFileSync(done, wanted);
  }
  return exe;
}

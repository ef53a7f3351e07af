// @ts-check
/**
 * Where the peers come from: llama.cpp from npm's node-llama-cpp (prebuilt libraries, and its public headers out of the package's source bundle),
 * PyTorch, transformers and PEFT, and OpenSSF's model-signing, from PyPI. Everything is put under build/peers, once; nothing here is part of `npm test`.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
export const WORK = path.join(ROOT, 'build', 'peers');
const NPM_PEERS = ['node-llama-cpp@3.22.1', '@wllama/wllama@3.8.1', 'playwright-core@1.64.1', 'onnxruntime-web@1.30.0', 'onnx-proto@8.0.1'];

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

/** llama.cpp's sources, out of the npm package's bundle. @returns {string} the folder */
export function llamaSources() {
  const folder = path.join(WORK, 'src-llama.cpp');
  if (!fs.existsSync(folder)) run('git', ['clone', '-q', path.join(npmPeers(), 'node_modules', 'node-llama-cpp', 'llama', 'gitRelease.bundle'), folder]);
  return folder;
}

/**
 * llama.cpp as a WebAssembly module with its own SIMD kernels: the fair peer of a tab, as the published wllama is built without them. Takes Emscripten
 * (Debian: emscripten) and about ten minutes, once. @returns {string} the folder that the harness serves as /llama-wasm
 */
export function llamaWasm() {
  const to = path.join(WORK, 'llama-wasm'), build = path.join(WORK, 'build-llama-wasm'), from = path.join(ROOT, 'bench', 'peers', 'llama-wasm'), sources = llamaSources();
  fs.mkdirSync(to, { recursive: true });
  fs.copyFileSync(path.join(from, 'worker.js'), path.join(to, 'worker.js'));
  if (fs.existsSync(path.join(to, 'llama-peer.wasm'))) return to;
  process.stderr.write('compiling llama.cpp to WebAssembly\n');
  const off = ['GGML_NATIVE', 'GGML_OPENMP', 'GGML_LLAMAFILE', 'BUILD_SHARED_LIBS', 'LLAMA_WASM_MEM64', 'LLAMA_CURL', 'LLAMA_BUILD_TESTS', 'LLAMA_BUILD_EXAMPLES', 'LLAMA_BUILD_TOOLS', 'LLAMA_BUILD_SERVER', 'LLAMA_BUILD_COMMON'];
  run('emcmake', ['cmake', '-S', sources, '-B', build, '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Release', '-DEMSCRIPTEN_SYSTEM_PROCESSOR=wasm32', '-DCMAKE_C_FLAGS=-msimd128 -pthread', '-DCMAKE_CXX_FLAGS=-msimd128 -pthread -fexceptions', ...off.map((name) => `-D${name}=OFF`)]);
  run('ninja', ['-C', build, 'src/libllama.a']);
  const flags = ['-msimd128', '-pthread', '-fexceptions', '-std=c++17'], object = path.join(build, 'peer.o');
  run('em++', ['-O3', ...flags, '-c', path.join(from, 'peer.cpp'), `-I${sources}/include`, `-I${sources}/ggml/include`, '-o', object]);
  // The code is optimised already; Debian's Emscripten lacks the tools that -O1 and above run over the JavaScript.
  run('em++', ['-O0', '-sASSERTIONS=0', ...flags, object, ...['src/libllama.a', 'ggml/src/libggml.a', 'ggml/src/libggml-cpu.a', 'ggml/src/libggml-base.a'].map((f) => path.join(build, f)),
    '-sMODULARIZE', '-sEXPORT_NAME=createPeer', '-sENVIRONMENT=web,worker', '-sPTHREAD_POOL_SIZE=4', '-sINITIAL_MEMORY=2000MB', '-sEXPORTED_FUNCTIONS=_malloc,_free', '-sEXPORTED_RUNTIME_METHODS=ccall,FS', '-sFORCE_FILESYSTEM', '-o', path.join(to, 'llama-peer.js')]);
  return to;
}

/** A C program against llama.cpp's public API. @param {string} source @param {string} name @returns {{ program: string, libraries: string }} */
export function againstLlama(source, name) {
  const modules = path.join(npmPeers(), 'node_modules');
  const libraries = path.join(modules, '@node-llama-cpp', 'linux-x64', 'bins', 'linux-x64');
  const headers = llamaSources();
  const program = path.join(WORK, name);
  const library = (/** @type {RegExp} */ re) => `-l:${fs.readdirSync(libraries).find((f) => re.test(f))}`;
  run('gcc', ['-O2', '-Wall', source, `-I${headers}/include`, `-I${headers}/ggml/include`, `-L${libraries}`, library(/^libllama\.(v.*)?so/), library(/^libggml\.(v.*)?so/),
    '-l:libggml-base.so', '-lm', `-Wl,-rpath,${libraries}`, '-o', program]);
  return { program, libraries };
}

/** A Python that has requirements.txt: EDGE_NET_PYTHON, or an environment of our own (the default PyTorch wheel of PyPI takes about 7 GB of disk). */
export function python() { return process.env.EDGE_NET_PYTHON ?? environment('python', 'requirements.txt'); }
/** A Python that has OpenSSF's model-signing. */
export function signingPython() { return environment('python-signing', 'requirements-signing.txt'); }

/** @param {string} name of its folder @param {string} requirements file beside this one @returns {string} its interpreter */
function environment(name, requirements) {
  const venv = path.join(WORK, name), exe = path.join(venv, 'bin', 'python'), done = path.join(venv, 'installed');
  const wanted = fs.readFileSync(path.join(ROOT, 'bench', 'peers', requirements), 'utf8');
  if (!fs.existsSync(done) || fs.readFileSync(done, 'utf8') !== wanted) {
    fs.mkdirSync(WORK, { recursive: true });
    process.stderr.write(`installing ${requirements} from PyPI\n`);
    run('python3', ['-m', 'venv', venv]);
    run(exe, ['-m', 'pip', 'install', '-q', '-r', path.join(ROOT, 'bench', 'peers', requirements)]);
    fs.writeFileSync(done, wanted);
  }
  return exe;
}

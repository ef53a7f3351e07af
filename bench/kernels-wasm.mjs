// @ts-check
// Builds bench/kernels.c (or a kernel test of tests/unit) as a WASI command and runs it in this Node:
//   node bench/kernels-wasm.mjs simd128 --dram 256 "simd128 Q"
//   node --experimental-wasm-relaxed-simd bench/kernels-wasm.mjs relaxed     (no flag from Node 22 on)
//   node bench/kernels-wasm.mjs --test matmul_test simd128
// EN_WASM_CLANG names the compiler (clang-19). Node 20's first compiler gets the i32 relaxed dot product wrong: time and test
// "relaxed-d32" in a newer Node.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** @param {string} folder @returns {string[]} C and assembly files in it, sub-folders left out */
const sources = (folder) => readdirSync(path.join(root, folder)).filter((f) => /\.[cS]$/.test(f)).map((f) => path.join(root, folder, f));

/** @param {'simd128' | 'relaxed'} variant @param {string} main @returns {string} path of the module */
function build(variant, main) {
  const out = path.join(root, 'build', 'bench', `${path.basename(main, '.c')}-${variant}.wasm`);
  mkdirSync(path.dirname(out), { recursive: true });
  const flags = ['--target=wasm32-wasi', '-std=gnu11', '-O3', '-ffp-contract=off', '-fno-math-errno', '-msimd128', '-mbulk-memory',
    '-mnontrapping-fptoint', '-msign-ext', ...(variant === 'relaxed' ? ['-mrelaxed-simd'] : [])];
  const files = ['core/base', 'core/quant', 'core/kernels', 'core/kernels/ref', `core/kernels/${variant}`].flatMap(sources);
  // The trailing -O0 concerns linking only: it keeps clang from running an old wasm-opt.
  const link = ['-Wl,--stack-first,-z,stack-size=262144,--max-memory=4294967296', '-O0'];
  const clang = process.env.EN_WASM_CLANG ?? 'clang-19';
  const objects = [...files, path.join(root, main)].map((file, i) => {
    const object = path.join(path.dirname(out), `${variant}-${i}.o`);
    execFileSync(clang, [...flags, '-c', file, '-o', object], { stdio: 'inherit' });
    return object;
  });
  execFileSync(clang, ['--target=wasm32-wasi', ...objects, ...link, '-o', out], { stdio: 'inherit' });
  return out;
}

const args = process.argv.slice(2);
const test = args[0] === '--test' ? args.splice(0, 2)[1] : undefined;
const variant = args.shift();
if (variant !== 'simd128' && variant !== 'relaxed') {
  console.error('usage: node bench/kernels-wasm.mjs [--test NAME] simd128|relaxed [arguments of the program]');
  process.exit(2);
}
const file = build(variant, test ? `tests/unit/${test}.c` : 'bench/kernels.c');
const wasi = new WASI({ version: 'preview1', args: [file, ...args], env: {}, preopens: {} });
const { instance } = await WebAssembly.instantiate(readFileSync(file), { wasi_snapshot_preview1: wasi.wasiImport });
process.exit(wasi.start(instance));

// @ts-check
// Which binary can this engine run, and which is the fastest? A wasm file with an unknown opcode does not compile at all, so the
// choice is between files: small probe modules tell what is worth trying, the real file must compile, and its self-test must pass.
import { EdgeNetError, asError } from './errors.js';
import { isNode, isPage, fetchAny } from './platform.js';
import { WasmInstance } from './wasm-instance.js';
import { isThreaded } from './wasm-module.js';

/** @typedef {'scalar' | 'simd128' | 'relaxed' | 'simd128-mt' | 'relaxed-mt'} Variant */
/** @typedef {ArrayBuffer | ArrayBufferView | Response | URL | string | WebAssembly.Module} WasmSource a URL that ends with / is a folder with all variants */

// Written out one by one, because bundlers look for exactly this form.
/** @type {Readonly<Record<Variant, () => URL>>} */
const FILES = Object.freeze({
  'relaxed-mt': () => new URL('../wasm/edge-net-relaxed-mt.wasm', import.meta.url),
  'simd128-mt': () => new URL('../wasm/edge-net-simd128-mt.wasm', import.meta.url),
  relaxed: () => new URL('../wasm/edge-net-relaxed.wasm', import.meta.url),
  simd128: () => new URL('../wasm/edge-net-simd128.wasm', import.meta.url),
  scalar: () => new URL('../wasm/edge-net-scalar.wasm', import.meta.url),
});
export const VARIANTS = Object.freeze(/** @type {Variant[]} */ (Object.keys(FILES)));

/** A module with one function of type () -> () and this body. @param {number[]} body @param {number[]} [memory] a memory section */
function probe(body, memory = []) {
  const code = [0, ...body, 0x0b];
  return WebAssembly.validate(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...memory, 10, code.length + 2, 1, code.length, ...code));
}
const ZERO_V128 = [0xfd, 12, ...new Array(16).fill(0)]; // v128.const 0
const DROP = 0x1a;

/** May threads share memory here, if the engine can? */
export function mayShare() { return typeof SharedArrayBuffer === 'function' && (isNode() || globalThis.crossOriginIsolated === true); }

/** What the engine accepts; relaxed SIMD is probed by two of its operations because engines shipped them one by one. */
export function features() {
  return {
    simd: probe([...ZERO_V128, DROP]),
    relaxedSimd: probe([...ZERO_V128, ...ZERO_V128, 0xfd, 0x92, 2, DROP]) // i16x8.relaxed_dot_i8x16_i7x16_s
      && probe([...ZERO_V128, ...ZERO_V128, ...ZERO_V128, 0xfd, 0x85, 2, DROP]), // f32x4.relaxed_madd
    sharedMemory: mayShare() && probe([0x41, 0, 0xfe, 0x10, 2, 0, DROP], [5, 4, 1, 3, 1, 1]), // i32.atomic.load
  };
}

/** V8 before 12 (Node 20 with its flag) miscompiles a relaxed operation until it optimises; there simd128 is as fast anyway. */
function relaxedTrusted() {
  return !isNode() || Number(process.versions.v8?.split('.')[0]) >= 12;
}

/**
 * Variants in the order of trying. @param {{threads: number, inPlace: boolean}} want threads: lanes asked for
 * @returns {{order: Variant[], why: string[]}} why: sentences for people, the fastest thing that is missing first
 */
export function candidates({ threads, inPlace }) {
  const f = features();
  /** @type {string[]} */ const why = [];
  const onPage = inPlace && isPage();
  const mt = threads > 1 && f.sharedMemory && !onPage;
  const relaxed = f.relaxedSimd && relaxedTrusted();
  if (threads > 1 && !mt) {
    why.push(onPage ? 'One thread: the engine runs on the page itself, where waiting for other threads is forbidden; leave { worker } at its default.'
      : !mayShare()
        ? 'One thread: this page is not cross-origin isolated. Serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp to use more cores.'
        : 'One thread: this engine has no WebAssembly threads.');
  }
  if (!f.simd) why.push('Scalar code: this engine has no WebAssembly SIMD; any browser since 2021 (Safari since 2023) is several times faster.');
  else if (!f.relaxedSimd) why.push('128-bit SIMD: this engine has no relaxed SIMD, which makes 4-bit weights up to 1.6 times faster.');
  else if (!relaxed) why.push('128-bit SIMD: this version of V8 computes a relaxed SIMD operation wrongly, so relaxed SIMD stays off.');
  /** @type {Variant[]} */ const order = [];
  if (mt && relaxed) order.push('relaxed-mt');
  if (mt && f.simd) order.push('simd128-mt');
  if (relaxed) order.push('relaxed');
  if (f.simd) order.push('simd128');
  order.push('scalar');
  return { order, why };
}

/** @param {string} variant @param {number} threads @param {number} n cores @returns {string} */
export function describe(variant, threads, n) {
  const code = variant.startsWith('relaxed') ? 'relaxed SIMD' : variant.startsWith('simd128') ? '128-bit SIMD' : variant === 'scalar' ? 'scalar code' : 'the given wasm file';
  return `The engine uses ${code} on ${threads > 1 ? threads : 'one'} of ${n} core${n === 1 ? '' : 's'}.`;
}

/** @param {WasmSource} source @returns {Promise<WebAssembly.Module>} */
async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(/** @type {BufferSource} */ (source));
  const response = source instanceof Response ? source : await fetchAny(source);
  if (!response.ok) throw new EdgeNetError('NETWORK', `${response.url || source}: HTTP ${response.status}`);
  if (WebAssembly.compileStreaming && response.headers.get('content-type') === 'application/wasm') return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** @param {WasmSource | undefined} wasm @param {Variant} variant @returns {WasmSource} */
function fileOf(wasm, variant) {
  return wasm === undefined ? FILES[variant]() : new URL(`edge-net-${variant}.wasm`, /** @type {string | URL} */ (wasm));
}
/** @param {WasmSource | undefined} wasm */
function isFolder(wasm) { return wasm === undefined || ((typeof wasm === 'string' || wasm instanceof URL) && String(wasm).endsWith('/')); }

/** A variant that the caller's thread has compiled, while the one that wants it came up. @typedef {{variant: Variant, module: WebAssembly.Module}} Compiled */
/** What startInstance() is likely to try first in a worker of this thread. @param {{wasm?: WasmSource, variant?: Variant, threads: number}} opt @returns {Promise<Compiled | null>} null: there is nothing to choose */
export async function compileFirst({ wasm, variant, threads }) {
  if (!isFolder(wasm)) return null;
  const name = variant ?? candidates({ threads, inPlace: false }).order[0];
  return { variant: name, module: await compile(fileOf(wasm, name)) };
}

/**
 * Start an instance of the best variant that works. @param {{wasm?: WasmSource, variant?: Variant, threads: number, inPlace: boolean, compiled?: Compiled | null}} opt
 * @returns {Promise<{instance: WasmInstance, variant: Variant | 'custom', why: string[]}>}
 */
export async function startInstance({ wasm, variant, threads, inPlace, compiled }) {
  if (!isFolder(wasm)) {
    const module = await compile(/** @type {WasmSource} */ (wasm)).catch((e) => { throw asError(e, 'UNSUPPORTED', 'the given wasm does not compile here: '); });
    if (isThreaded(module) && !features().sharedMemory) throw new EdgeNetError('UNSUPPORTED', 'the given wasm needs shared memory, which this page does not have (it is not cross-origin isolated)');
    return { instance: await WasmInstance.create(module), variant: 'custom', why: ['The program gave the wasm file.'] };
  }
  const { order, why } = candidates({ threads, inPlace });
  /** @type {EdgeNetError | undefined} */ let last;
  for (const name of variant ? [variant] : order) {
    try {
      const module = compiled?.variant === name ? compiled.module : await compile(fileOf(wasm, name));
      return { instance: await WasmInstance.create(module), variant: name, why: variant ? ['The program chose the variant.'] : why };
    } catch (e) {
      last = asError(e, e instanceof TypeError ? 'NETWORK' : 'UNSUPPORTED', `edge-net-${name}.wasm: `);
      why.push(`The faster variant ${name} did not start: ${last.message}.`);
    }
  }
  throw new EdgeNetError(last?.code ?? 'UNSUPPORTED', `no variant of the engine starts here: ${last?.message}`, { cause: last, detail: { why } });
}

/** In a form that can be posted to a worker. @param {WasmSource | undefined} wasm @returns {Promise<Exclude<WasmSource, Response> | undefined>} */
export async function postableWasm(wasm) {
  if (wasm instanceof Response) return wasm.arrayBuffer();
  if (wasm instanceof URL) return wasm.href;
  if (typeof wasm !== 'string') return wasm;
  return new URL(wasm, globalThis.location?.href ?? import.meta.url).href;
}

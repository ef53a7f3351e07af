// @ts-check
/** The page's one door to the package: what the page needs, in the page's words. */
import { InferenceSession, ModelLoader, capabilities } from '../dist/index.js';
import { formatBytes, plural } from './format.js';

/**
 * @typedef {{ id: string, name: string, bytes: number }} KeptModel id is the address it came from
 * @typedef {import('./load-panel.js').Progress} Progress
 * @typedef {import('./settings.js').GenerationSettings} GenerationSettings
 * @typedef {import('./settings.js').LoadSettings} LoadSettings
 * @typedef {{ role: 'system' | 'user' | 'assistant', content: string }} Message
 * @typedef {InstanceType<typeof InferenceSession>} Session
 */

export { capabilities };

export const DEFAULT_MODEL = new URL('../dist/models/home.gguf', import.meta.url);

/** Texts that the engine works on at once: the checks of a lesson come many at a time. */
const PARALLEL = 4;

const loader = new ModelLoader();

/** @param {File | URL} source @returns {string} a short name for people */
export function nameOf(source) {
  if (source instanceof File) return source.name;
  const last = source.pathname.split('/').filter(Boolean).at(-1) ?? source.hostname;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/**
 * @param {File | URL} source
 * @param {LoadSettings & { signal: AbortSignal, onProgress: (progress: Progress) => void }} options
 * @returns {Promise<Session>}
 */
export async function loadModel(source, options) {
  return source === DEFAULT_MODEL ? loader.load(await homeFile(options.signal), { parallel: PARALLEL, ...options }) : loader.load(source, options);
}

/**
 * The built-in model is part of the site, as its scripts are: the browser's own cache and the service worker keep it, not the store of models. No page preloads
 * it: on a busy machine Chromium loses the body of a preloaded response that is read as a blob.
 * @param {AbortSignal} signal
 */
async function homeFile(signal) {
  try {
    const response = await fetch(DEFAULT_MODEL, { signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return new File([await response.blob()], nameOf(DEFAULT_MODEL));
  } catch (cause) {
    throw Object.assign(new Error(`the built-in model did not come: ${cause instanceof Error ? cause.message : cause}`), { code: signal.aborted ? 'ABORTED' : 'NETWORK' });
  }
}

/** @returns {Promise<KeptModel[]>} the latest used first */
export async function keptModels() {
  const models = await loader.getCachedModels();
  return models.map(({ source, size }) => ({ id: source, bytes: size, name: nameOf(new URL(source)) }));
}

/** @param {string} id */
export function forgetModel(id) {
  return loader.clearCache(id);
}

/** @param {string} id */
export function isKept(id) {
  return loader.isCached(id);
}

/**
 * @typedef {{ text: string, finishReason: string, timings: { promptTokens: number, promptMs: number, tokens: number, tokenMs: number, ttftMs: number } }} Written
 */

/**
 * @param {Session} session
 * @param {string | Message[]} input a text to continue, or a conversation
 * @param {GenerationSettings & { signal: AbortSignal, onText: (piece: string) => void }} options
 * @returns {Promise<Written>}
 */
export function write(session, input, { onText, ...options }) {
  return session.complete(input, { ...options, onToken: onText });
}

/** @type {Record<string, string>} */
const BUILD_NAMES = {
  'relaxed-mt': 'Relaxed SIMD, threads',
  'simd128-mt': 'SIMD, threads',
  relaxed: 'Relaxed SIMD, one thread',
  simd128: 'SIMD, one thread',
  scalar: 'Plain, one thread',
};

/** The builds that this browser can run, fastest first. @param {import('../js-glue/capabilities.js').Capabilities} c */
export function engineBuilds(c) {
  return Object.entries(BUILD_NAMES)
    .filter(([name]) => (c.threads || !name.endsWith('-mt')) && (c.relaxedSimd || !name.startsWith('relaxed')) && (c.simd || !name.startsWith('simd128')))
    .map(([value, label]) => ({ value, label: `${label} (${value})` }));
}

/** @param {Session} session */
export function runningEngine({ info }) {
  return info.engine;
}

/**
 * @param {Session} session
 * @returns {{ tags: string[], facts: [string, string][] }}
 */
export function describeModel(session) {
  const { info } = session;
  const memory = session.getMemoryInfo();
  return {
    tags: [info.architecture, info.quantization, formatBytes(memory.modelBytes)],
    facts: [
      ['Name', info.name || 'not given'],
      ['Architecture', info.architecture],
      ['Quantization', info.quantization],
      ['Parameters', info.parameters.toLocaleString('en')],
      ['Layers', `${info.layers} of width ${info.embedding.toLocaleString('en')}`],
      ['Vocabulary', plural(info.vocabulary, 'token')],
      ['Context', plural(info.contextLength, 'token')],
      ['Trained with', plural(info.contextTrained, 'token')],
      ['Weights', formatBytes(memory.modelBytes)],
      ['Context memory', formatBytes(memory.kvCacheBytes)],
      ['Memory in all', formatBytes(memory.wasmBytes)],
    ],
  };
}

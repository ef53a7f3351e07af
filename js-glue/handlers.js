// @ts-check
// What an engine answers, one function per call of protocol.d.ts. The same handlers serve a worker and the caller's own thread.
import { EdgeNetError, asError } from './errors.js';
import { drain, withBytes } from './cache.js';
import { capabilities } from './capabilities.js';
import { Engine } from './engine.js';
import { Meter } from './fetch/progress.js';
import { laneSpawner } from './ports.js';
import { openSource } from './sources.js';

const FLUSH_MS = 10;

/** @param {{inPlace: boolean}} place inPlace: this is the caller's own thread @returns {import('./protocol.js').Handlers} */
export function createHandlers({ inPlace }) {
  /** @type {Engine | null} */ let engine = null;
  const ready = () => {
    if (!engine) throw new EdgeNetError('STATE', 'no model is loaded');
    return engine;
  };
  return {
    async load({ source, store, maxStoreBytes, patience, options, laneUrl }, { signal, emit }) {
      if (engine) throw new EdgeNetError('STATE', 'a model is loaded already');
      const src = openSource(source, patience, store !== null);
      const all = { ...options, inPlace }, started = Engine.start(all, await laneSpawner(laneUrl));
      try {
        const { result, cache } = await withBytes(src, { store, maxStoreBytes, signal }, async (bytes) => Engine.load(await started, all, { ...bytes, signal, onProgress: emit }));
        engine = result;
        return { info: result.info, memory: result.memory, cache, stop: result.stop ?? null };
      } catch (e) {
        started.then((s) => s.close(), () => {});
        throw named(e, src.name);
      }
    },
    async preload({ source, store, maxStoreBytes, patience }, { signal, emit }) {
      const src = openSource(source, patience, true);
      const meter = new Meter(emit);
      try {
        const { result, cache } = await withBytes(src, { store, maxStoreBytes, signal }, (bytes) => (bytes.tee ? drain(bytes, signal, meter) : Promise.resolve(bytes.artifact.size ?? 0)));
        return { bytes: result, cache };
      } catch (e) { throw named(e, src.name); }
    },
    async generate({ input, spec }, { signal, emit }) {
      const e = ready();
      const out = outbox(inPlace, emit);
      const completion = await e.complete(/** @type {any} */ (input), spec, signal, out.push).finally(out.flush);
      return { completion, memory: e.memory };
    },
    async tokenize({ text, addBos, specialTokens }) { return [...ready().tokenize(text, { addBos, specialTokens })]; },
    async detokenize({ ids, specialTokens }) { return ready().detokenize(ids, { specialTokens }); },
    async logits({ input, all }, { signal }) { return ready().logits(input, all, signal); },
    async profile() { return { rows: ready().profile(), laneChunks: ready().laneChunks }; },
    async saveState() { return ready().saveState(); },
    async loadState({ state }) { await ready().loadState(state); return ready().memory; },
    async clear() { ready().clear(); return ready().memory; },
    capabilities: () => capabilities(),
    async unload() {
      engine?.dispose();
      engine = null;
      return null;
    },
  };
}

/** Tokens on their way to the caller: the first at once, then at most one message per 10 ms, however fast the model is. @param {boolean} direct @param {(e: {kind: 'tokens', pieces: string[]}) => void} emit */
function outbox(direct, emit) {
  /** @type {string[]} */ let pieces = [];
  let last = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (pieces.length) emit({ kind: 'tokens', pieces });
    pieces = [];
    last = performance.now();
  };
  const push = (/** @type {string} */ text) => {
    pieces.push(text);
    if (direct || performance.now() - last >= FLUSH_MS) flush();
    else timer ??= setTimeout(flush, FLUSH_MS);
  };
  return { flush, push };
}

/** The core does not know what the file is called; the message should. @param {unknown} e @param {string} name */
function named(e, name) {
  const error = asError(e);
  if (error.code !== 'FORMAT' && error.code !== 'UNSUPPORTED' || error.message.startsWith(name)) return error;
  return new EdgeNetError(error.code, `${name}: ${error.message}`, { detail: error.detail, cause: error.cause });
}

// @ts-check
// What an engine answers, one function per call of protocol.d.ts. The same handlers serve a worker and the caller's own thread.
import { EdgeNetError, asError } from './errors.js';
import { withReader } from './cache.js';
import { capabilities } from './capabilities.js';
import { Engine } from './engine.js';
import { download } from './fetch/download.js';
import { Gate } from './fetch/gate.js';
import { laneSpawner } from './ports.js';
import { Records } from './records.js';
import { openSource } from './sources.js';
import { openStore } from './stores/store.js';
import { trainHandlers } from './train-handlers.js';

const FLUSH_MS = 10;

/** @param {{inPlace: boolean}} place inPlace: this is the caller's own thread @returns {import('./protocol.js').Handlers} */
export function createHandlers({ inPlace }) {
  /** @type {Engine | null} */ let engine = null;
  let records = new Records(null);
  const gate = new Gate();
  const ready = () => {
    if (!engine) throw new EdgeNetError('STATE', 'no model is loaded');
    return engine;
  };
  return {
    async load({ options, laneUrl, records: kept, ...what }, { signal, emit }) {
      if (engine) throw new EdgeNetError('STATE', 'a model is loaded already');
      const all = { ...options, inPlace }, spawnLane = await laneSpawner(laneUrl);
      /** @type {ReturnType<typeof Engine.start> | null} */ let early = Engine.start(all, spawnLane); // while the store or the network is asked
      const started = () => { const now = early ?? Engine.start(all, spawnLane); early = null; return now; };
      try {
        return await fetching(what, { signal, emit, gate }, async (artifact, how) => {
          const { result, cache } = await withReader(artifact, how, async (from) => Engine.load(await started(), all, { ...from, signal, onProgress: emit }));
          engine = result;
          records = new Records(kept);
          return { info: result.info, memory: result.memory, cache, stop: result.stop ?? null };
        });
      } finally { closeUnused(early); }
    },
    async loadDraft(what, { signal, emit }) {
      const e = ready();
      await fetching(what, { signal, emit, gate }, (artifact, how) => withReader(artifact, how, (from) => e.loadDraft({ ...from, signal, onProgress: emit })));
      return e.memory;
    },
    async preload(what, { signal, emit }) {
      return fetching(what, { signal, emit, gate }, async (artifact, { store, ...how }, why) => {
        if (!store) throw new EdgeNetError('STORAGE', why);
        const { size } = await download(artifact, { store, ...how });
        return { bytes: size };
      });
    },
    async pauseFetch({ on }) { gate.set(on); return null; },
    async generate({ input, spec }, { signal, emit }) {
      const e = ready();
      const out = outbox(inPlace, emit);
      const completion = await e.complete(/** @type {any} */ (input), spec, signal, out.push).finally(out.flush);
      return { completion, memory: e.memory };
    },
    async tokenize({ text, addBos, specialTokens }) { return [...ready().tokenize(text, { addBos, specialTokens })]; },
    async detokenize({ ids, specialTokens }) { return ready().detokenize(ids, { specialTokens }); },
    async logits({ input, all }, { signal }) { return ready().logits(input, all, signal); },
    async embed({ inputs, spec }, { signal }) { return { ...await ready().embed(inputs, spec, signal), memory: ready().memory }; },
    async rerank({ query, documents, truncate }, { signal }) { return ready().rerank(query, documents, truncate, signal); },
    async profile() { return { rows: ready().profile(), lanes: ready().laneWork }; },
    async saveState() { return ready().saveState(); },
    async loadState({ state }) { await ready().loadState(state); return ready().memory; },
    async clear() { ready().clear(); return ready().memory; },
    ...trainHandlers(ready, () => records),
    capabilities: () => capabilities(),
    async unload() {
      engine?.dispose();
      engine = null;
      return null;
    },
  };
}

/** @param {Promise<import('./engine.js').Started> | null} started */
function closeUnused(started) { started?.then((s) => s.close(), () => {}); }

/**
 * Sources and store of a call, open. @template T @param {import('./protocol.js').FetchArgs} args @param {{signal: AbortSignal, emit: (p: import('./load.js').Progress) => void, gate: Gate}} control
 * @param {(artifact: import('./fetch/types.js').Artifact, options: import('./fetch/types.js').DownloadOptions, why: string) => Promise<T>} work why: there is no store @returns {Promise<T>}
 */
async function fetching({ artifact, sources, store: spec, maxStoreBytes, policy, patience, known }, { signal, emit, gate }, work) {
  let why = 'there is no store to keep models in';
  const store = spec && await openStore(spec).catch((e) => { why = `not kept in ${spec.kind}: ${asError(e).message}`; return null; });
  try {
    const opened = sources.map((s) => openSource(s, patience, { kept: store !== null }));
    return await work(artifact, { store, sources: opened, patience, known, signal, onProgress: emit, maxBytes: maxStoreBytes, policy, gate }, why);
  } catch (e) { throw named(e, artifact.name); } finally { store?.close(); }
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

// @ts-check
// What is measured of a session through the SDK, in a page and in Node alike: every function opens sessions, works, and gives samples by name.
// Prompts are token ids from a fixed stream, different for every repetition so that no cache helps where none is meant to.

/**
 * @typedef {import('../js-glue/session.js').SessionOptions} Options
 * @typedef {{sdk: typeof import('../js-glue/index.js'), source: string, options: Options, reps: number, pp: number, tg: number, against?: string}} Task against: the source of another model
 * @typedef {Record<string, number[]>} Samples
 */

/** The fixed stream for a model: n ids from a place in it. @param {import('../js-glue/session.js').InferenceSession} s @returns {(from: number, n: number) => number[]} */
function stream({ info: { vocabulary } }) {
  const first = Math.min(300, vocabulary >> 1), range = BigInt(Math.min(vocabulary, 30000) - first); // past the special tokens of most vocabularies
  return (from, n) => Array.from({ length: n }, (_, i) => first + Number((1103515245n * BigInt(from + i + 1) + 12345n & 0x7fffffffn) % range));
}
const GREEDY = Object.freeze({ temperature: 0, ignoreEos: true, stopSequences: [] });

/** Use a session and let go of it. @template T @param {Task} task @param {Options} more @param {(s: import('../js-glue/session.js').InferenceSession) => Promise<T>} use */
async function using({ sdk, source, options }, more, use) {
  const session = await sdk.InferenceSession.create(source, { ...options, ...more });
  try { return await use(session); } finally { await session.dispose(); }
}

/** Prompts and generation, tokens per second. @param {Task} task @returns {Promise<Samples>} */
async function speed(task) {
  const { reps, pp, tg } = task;
  return using(task, { contextLength: pp + tg + 8 }, async (s) => {
    const tokens = stream(s);
    /** @type {Samples} */ const out = { prefill_tok_s: [], decode_tok_s: [] };
    await s.complete(tokens(40 * pp, pp), { ...GREEDY, maxTokens: 8 });
    for (let r = 0; r < reps; r++) {
      const { timings: t } = await s.complete(tokens(r * pp, pp), { ...GREEDY, maxTokens: tg });
      out.prefill_tok_s.push(t.promptTokens / t.promptMs * 1000);
      out.decode_tok_s.push((t.tokens - 1) / t.tokenMs * 1000);
    }
    const m = s.getMemoryInfo();
    out.memory_over_model_and_kv = [m.wasmBytes / (m.modelBytes + m.kvCacheBytes)];
    return out;
  });
}

/** Time to the first token of a 512-token prompt: read in full, and again with its prefix in the cache, as the caller sees it. @param {Task} task @returns {Promise<Samples>} */
async function prefix(task) {
  const n = 512;
  return using(task, { contextLength: n + 16 }, async (s) => {
    const tokens = stream(s);
    /** @type {Samples} */ const out = { full_ms: [], cached_ms: [] };
    const first = async (/** @type {number[]} */ ids) => {
      const t0 = performance.now();
      await s.complete(ids, { ...GREEDY, maxTokens: 1 });
      return performance.now() - t0;
    };
    await first(tokens(9000, n));
    for (let r = 0; r < task.reps; r++) {
      const ids = tokens(r * n, n);
      await s.clearKVCache();
      out.full_ms.push(await first(ids));
      out.cached_ms.push(await first([...ids.slice(0, -1), 1 + r]));
    }
    return out;
  });
}

/** Time to the first token of a branch of a 512-token text: read in full, and copied from the sequence that holds it. @param {Task} task @returns {Promise<Samples>} */
async function fork(task) {
  const n = 512;
  return using(task, { contextLength: n + 16, parallel: 2 }, async (s) => {
    const tokens = stream(s);
    /** @type {Samples} */ const out = { read_ms: [], branch_ms: [] };
    const first = async (/** @type {import('../js-glue/index.js').Fork} */ text, /** @type {number} */ maxTokens) => (await text.complete('', { ...GREEDY, maxTokens })).timings.ttftMs;
    for (let r = 0; r < task.reps; r++) {
      await s.clearKVCache();
      const trunk = await s.fork(tokens(r * n, n)), branch = trunk.fork();
      out.read_ms.push(await first(trunk, 8)); // it has gone on, so the branch does not take its place
      out.branch_ms.push(await first(branch, 1));
    }
    return out;
  });
}

/** Tokens per second of one text, and of four that are written at the same time. @param {Task} task @returns {Promise<Samples>} */
async function batch(task) {
  const { reps, tg } = task;
  return using(task, { contextLength: tg + 16, parallel: 4 }, async (s) => {
    const tokens = stream(s);
    /** @type {Samples} */ const out = { one_tok_s: [], four_tok_s: [] };
    const write = async (/** @type {number} */ n) => {
      const done = await Promise.all(Array.from({ length: n }, (_, i) => s.complete(tokens(i * 100, 4), { ...GREEDY, maxTokens: tg })));
      return n * (tg - 1) / Math.max(...done.map((d) => d.timings.tokenMs)) * 1000;
    };
    await write(4);
    for (let r = 0; r < reps; r++) {
      out.one_tok_s.push(await write(1));
      out.four_tok_s.push(await write(4));
    }
    return out;
  });
}

/**
 * Seconds until a session of a stored model is ready, and that as GB of the file a second; and its parts, as the caller is told of them: until the first bytes are there,
 * all of them read and packed, the context made, the session in the caller's hands. @param {Task} task @returns {Promise<Samples>} nothing of a load that stored the file
 */
async function visit(task) {
  const t0 = performance.now();
  /** @type {Record<string, number>} */ const at = {};
  return using(task, { contextLength: 256, onProgress: ({ phase }) => { at[phase] ??= performance.now(); } }, async (s) => {
    const end = performance.now(), seconds = (end - t0) / 1000;
    /** @type {Samples} */ const out = { load_s: [seconds], load_gb_s: [s.info.fileBytes / seconds / 1e9], first_s: [(at.read - t0) / 1000], read_s: [(at.prepare - at.read) / 1000], context_s: [(at.ready - at.prepare) / 1000], answer_s: [(end - at.ready) / 1000] };
    return s.cache.state === 'stored' ? {} : out;
  });
}
/** Visits one after another in one place; in a browser the first load stores the file. @param {Task} task @returns {Promise<Samples>} */
async function load(task) {
  /** @type {Samples} */ const out = {};
  for (let r = -1; r < task.reps; r++) {
    const samples = await visit(task);
    for (const [metric, values] of Object.entries(samples)) if (r >= 0) (out[metric] ??= []).push(...values);
  }
  return out;
}

/** Where a generated token's time goes: ms per token, GMAC/s and GB/s by kind of step. @param {Task} task @returns {Promise<Samples>} */
async function profile(task) {
  const { pp, tg } = task;
  return using(task, { contextLength: pp + tg + 8, profile: true }, async (s) => {
    const tokens = stream(s);
    await s.complete(tokens(0, pp), { ...GREEDY, maxTokens: 2 });
    const start = await s.profile(), before = new Map(start.rows.map((r) => [r.name, r]));
    const { timings } = await s.complete([...tokens(0, pp), 5], { ...GREEDY, maxTokens: tg });
    /** @type {Samples} */ const out = { token_ms: [timings.tokenMs / (timings.tokens - 1)] };
    let ms = 0, bytes = 0;
    const end = await s.profile();
    for (const [i, { jobs, busyMs, waitMs }] of end.lanes.entries()) {
      out[`lane${i}_jobs`] = [(jobs - start.lanes[i].jobs) / tg];
      out[`lane${i}_busy_ms`] = [(busyMs - start.lanes[i].busyMs) / tg];
      if (!i) out.owner_waits_ms = [(waitMs - start.lanes[i].waitMs) / tg];
    }
    for (const row of end.rows) {
      const old = before.get(row.name), time = row.ms - (old?.ms ?? 0), read = row.bytes - (old?.bytes ?? 0);
      ms += time;
      bytes += read;
      out[`${row.name}_ms`] = [time / tg];
      if (read) out[`${row.name}_gmac_s`] = [(row.macs - (old?.macs ?? 0)) / time / 1e6], out[`${row.name}_gb_s`] = [read / time / 1e6];
    }
    out.steps_ms = [ms / tg];
    out.read_gb_per_token = [bytes / tg / 1e9];
    return out;
  });
}

/**
 * LoRA training, rank 4, one sample of `pp` tokens a step: tokens per second of whole steps, memory, and, where something can be kept, an adapter's ways from
 * the store to work and from one to another. layers: only so many at the top, 0: all; then also the epochs after the first, which find what the frozen layers made.
 * @param {Task} task @param {number} layers @returns {Promise<Samples>}
 */
async function learn(task, layers) {
  const { reps, pp, options } = task;
  return using(task, { contextLength: 64 }, async (s) => {
    const tokens = stream(s), before = s.getMemoryInfo().wasmBytes;
    const texts = await Promise.all(Array.from({ length: reps + 1 }, (_, i) => s.detokenize(tokens(i * 2 * pp, 2 * pp)))); // longer than a sample: cut to pp tokens
    const trainer = s.createTrainer({ rank: 4, layers, batchSize: 1, maxLength: pp, addEos: false, warmupSteps: 0 });
    /** @type {Samples} */ const out = { train_tok_s: [], ...(layers && { cached_tok_s: [] }) };
    await trainer.train(texts, { epochs: layers ? 2 : 1, onStep: ({ step, epoch, tokensPerSecond }) => { if (step > 1) (epoch ? out.cached_tok_s : out.train_tok_s).push(tokensPerSecond); } });
    const m = s.getMemoryInfo();
    out.training_mb = [m.trainingBytes / 1e6];
    out.engine_grew_mb = [(m.wasmBytes - before) / 1e6];
    const adapter = options.storage === 'none' ? null : await trainer.getAdapter();
    await trainer.dispose();
    if (adapter) Object.assign(out, await swaps(s, adapter, reps));
    return out;
  });
}

/** @param {import('../js-glue/session.js').InferenceSession} s @param {import('../js-glue/adapter.js').Adapter} adapter @param {number} reps @returns {Promise<Samples>} */
async function swaps(s, adapter, reps) {
  await adapter.save('bench');
  /** @type {Samples} */ const out = { adapter_load_ms: [], adapter_swap_ms: [] };
  const timed = async (/** @type {number[]} */ to, /** @type {() => Promise<unknown>} */ work) => { const t0 = performance.now(); await work(); to.push(performance.now() - t0); };
  for (let r = 0; r < reps; r++) {
    await timed(out.adapter_load_ms, () => s.loadAdapter('bench'));
    await s.unloadAdapter('bench');
  }
  await s.loadAdapter('bench', { name: 'a' });
  await s.loadAdapter('bench', { name: 'b', scale: 0 });
  for (let r = 0; r < reps; r++) await timed(out.adapter_swap_ms, () => s.setAdapterScales({ a: r % 2, b: 1 - r % 2 }));
  await s.deleteAdapter('bench');
  return out;
}

/** Two models in one place, turn by turn, so that what else the machine does meets both: tokens per second, and the first one's share of the other's. @param {Task} task @returns {Promise<Samples>} */
async function versus(task) {
  const { reps, pp, tg, against } = task;
  if (!against) throw new Error('the row versus needs --against OTHER.gguf');
  const size = { contextLength: pp + tg + 8 };
  return using(task, size, (a) => using({ ...task, source: against }, size, async (b) => {
    /** @type {Samples} */ const out = { prefill_tok_s: [], other_prefill_tok_s: [], prefill_share: [], decode_tok_s: [], other_decode_tok_s: [], decode_share: [] };
    const write = async (/** @type {typeof a} */ s, /** @type {number} */ r) => {
      const { timings: t } = await s.complete(stream(s)(r * pp, pp), { ...GREEDY, maxTokens: tg });
      return [t.promptTokens / t.promptMs * 1000, (t.tokens - 1) / t.tokenMs * 1000];
    };
    for (let r = -1; r < reps; r++) {
      const order = r % 2 ? [a, b] : [b, a], seen = new Map();
      for (const s of order) seen.set(s, await write(s, r + 1));
      const [mine, other] = [seen.get(a), seen.get(b)];
      if (r < 0) continue; // warm-up
      out.prefill_tok_s.push(mine[0]), out.other_prefill_tok_s.push(other[0]), out.prefill_share.push(mine[0] / other[0]);
      out.decode_tok_s.push(mine[1]), out.other_decode_tok_s.push(other[1]), out.decode_share.push(mine[1] / other[1]);
    }
    return out;
  }));
}

/** Every layer learns. @param {Task} task */
const train = (task) => learn(task, 0);
/** The top four layers learn, over a cached prefix. @param {Task} task */
const trainTop = (task) => learn(task, 4);

/** @type {Readonly<Record<string, (task: Task) => Promise<Samples>>>} */
export const SCENARIOS = Object.freeze({ speed, prefix, fork, batch, load, visit, profile, train, 'train-top': trainTop, versus });

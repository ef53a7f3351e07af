// edge-net in the peers' browser harness: the adapter contract is in the harness's README ("Pointing it at another runtime").
// Options: variant = force a binary ('simd128', 'relaxed', ...). The package lies beside the harness as /dist.
export default async function make({ base, variant }) {
  const { InferenceSession, capabilities } = await import(`${base}/dist/index.js`);
  const caps = await capabilities();
  let session;
  return {
    name: 'edge-net', version: variant ?? caps.variant,
    async load({ url, threads, ctx = 512, embeddings = false }) {
      const t0 = performance.now();
      session = await InferenceSession.create(url, { threads, ...(embeddings ? {} : { contextLength: ctx }), variant: variant && (threads > 1 ? `${variant}-mt` : variant) });
      const cached = session.cache;
      return { fetch_s: 0, init_s: (performance.now() - t0) / 1000, threads: session.info.engine.threads, variant: session.info.engine.variant, kernels: session.info.engine.kernels, cache: cached, bos: false, memory: session.getMemoryInfo() };
    },
    async generate({ tokens, n }) {
      const { timings } = await session.complete(tokens, { maxTokens: n, temperature: 0, ignoreEos: true, stopSequences: [] });
      return { prompt_n: timings.promptTokens, prompt_s: timings.promptMs / 1000, gen_n: timings.tokens - 1, gen_s: timings.tokenMs / 1000, ttft_s: timings.ttftMs / 1000, wall_s: (timings.ttftMs + timings.tokenMs) / 1000 };
    },
    async embed({ sentences, batch = 8 }) {
      let rows = [];
      for (let i = 0; i < sentences.length; i += batch) rows = await session.embedBatch(sentences.slice(i, i + batch));
      return { n: sentences.length, norm: Math.hypot(...rows[0]), dims: rows[0].length };
    },
    async unload() { await session.dispose(); },
  };
}

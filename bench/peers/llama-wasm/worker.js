// The worker that llama.cpp runs in: its main thread may block here.
importScripts('llama-peer.js'); // eslint-disable-line
/** @type {any} */ let peer;

const calls = {
  async load({ url, threads, ctx }) {
    const t0 = performance.now();
    const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const t1 = performance.now();
    peer = await self.createPeer({ mainScriptUrlOrBlob: new URL('llama-peer.js', self.location.href).href }); // for its threads
    peer.FS.writeFile('/model.gguf', bytes, { canOwn: true });
    const failed = peer.ccall('peer_load', 'number', ['string', 'number', 'number'], ['/model.gguf', threads, ctx]);
    if (failed) throw new Error(`llama.cpp: step ${failed} of loading failed`);
    peer.FS.unlink('/model.gguf');
    return { fetch_s: (t1 - t0) / 1000, init_s: (performance.now() - t1) / 1000, threads, bos: false };
  },
  generate({ tokens, n }) {
    const at = peer._malloc(4 * tokens.length + 16), seconds = (at + 4 * tokens.length + 7) & ~7;
    peer.HEAP32.set(tokens, at >> 2);
    const failed = peer._peer_generate(at, tokens.length, n, seconds);
    const [prompt_s, gen_s] = peer.HEAPF64.slice(seconds >> 3, (seconds >> 3) + 2);
    peer._free(at);
    if (failed) throw new Error('llama.cpp: decoding failed');
    return { prompt_n: tokens.length, prompt_s, gen_n: n - 1, gen_s, ttft_s: prompt_s, wall_s: prompt_s + gen_s };
  },
};

onmessage = async ({ data: { call, of } }) => {
  try { postMessage({ result: await calls[call](of) }); }
  catch (e) { postMessage({ error: String(e) }); }
};

// llama.cpp compiled to WebAssembly with its SIMD kernels (llama-wasm/), in the peers' browser harness. One call at a time.
export default async function make({ base }) {
  const worker = new Worker(`${base}/llama-wasm/worker.js`);
  const ask = (call, of) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = (e) => reject(new Error(e.message));
    worker.postMessage({ call, of });
  });
  return {
    name: 'llama.cpp wasm', version: 'llama.cpp wasm simd128',
    load: ({ url, threads, ctx = 512 }) => ask('load', { url, threads, ctx }),
    generate: ({ tokens, n }) => ask('generate', { tokens, n }),
    unload: async () => worker.terminate(),
  };
}

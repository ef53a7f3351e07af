// What a TypeScript user writes, as the compiler must see it. Checked by tests/js/types.test.mjs; never run.
import { AdapterPool, EdgeNetError, InferenceSession, ModelLoader, TrustStore, capabilities, computeModelCID, PARAMS, verifyModelSignature } from '../../js-glue/index.js';
import type { Adapter, AdapterInfo, Capabilities, Completion, LoRAAdapter, MicroLoRAConfig, TrainEvent, TrainPlan, TrainReport, ErrorCode, GenerateConfig, MemoryInfo, Message, ModelConfig, ModelInfo, Progress } from '../../js-glue/index.js';
import { ModelWorker, ModelWorkerPool } from '../../worker/index.js';
import type { Caller, Handlers } from '../../js-glue/protocol.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const yes = <T extends true>(_: T) => {};

export async function loader() {
  const config: ModelConfig = { cache: { storage: 'indexeddb', maxSize: 2e9 }, sources: { primary: 'gcs', fallback: ['ipfs'], timeout: 30000 },
    download: { parallel: 4, retries: 3, progressCallback: (p) => { yes<Same<typeof p, Progress>>(true); } }, backend: 'auto', memory: { maxModels: 2, evictionPolicy: 'lru' } };
  const l = new ModelLoader(config);
  const model = await l.load('https://x.test/m.gguf', { threads: 2, signal: AbortSignal.timeout(1000) });
  yes<Same<typeof model, InferenceSession>>(true);
  const cached: boolean = await l.isCached('m.gguf');
  const rows: { source: string; size: number }[] = await l.getCachedModels();
  await l.preload(new URL('https://x.test/m.gguf'));
  const [llm, embedder] = await Promise.all([l.load('phi-1.5-q4', { version: '1.0.0' }), new ModelLoader({ trust: { store: new TrustStore() } }).load('minilm-l6-v2-q8')]);
  const { artifacts, version } = await l.getManifest('phi-1.5-q4');
  yes<Same<typeof version, string>>(true);
  const names: string[] = (await l.listModels({ type: 'text-generation', quantization: 'INT4' })).map((m) => m.id);
  const { compatible, reasons } = await l.checkCompatibility('phi-1.5-q4');
  yes<Same<typeof compatible, boolean>>(true);
  console.log(llm, embedder, artifacts.model.size, names, reasons);
  // @ts-expect-error no such store
  new ModelLoader({ cache: { storage: 'floppy' } });
  // @ts-expect-error a number is no source
  await l.load(5);
  return [cached, rows];
}

export async function session() {
  await using s = await InferenceSession.create(new Uint8Array(8), { worker: () => new Worker('x.js'), wasm: new ArrayBuffer(8), kvType: 'f16' });
  const options: GenerateConfig = { maxTokens: 10, temperature: 0.7, topP: 0.9, topK: 40, minP: 0, repetitionPenalty: 1.1, stopSequences: ['\n'], seed: 1, ignoreEos: true, logitBias: { 5: -Infinity } };
  yes<Same<Awaited<ReturnType<typeof s.generate>>, string>>(true);
  const text: string = await s.generate('x', options);
  const messages: Message[] = [{ role: 'user', content: 'Hi' }];
  const answer: string = await s.chat(messages);
  const completion: Completion = await s.complete(messages, { onToken: (piece) => { const t: string = piece; void t; } });
  yes<Same<Completion['finishReason'], 'stop' | 'length' | 'abort'>>(true);
  for await (const piece of s.generateStream([1, 2, 3])) { yes<Same<typeof piece, string>>(true); }
  const { exact, groups, base, forgotten } = await s.evaluate([{ input: 'x', output: 'y' }], { adapters: { a: 0.5 }, compare: true, onProgress: ({ done }) => { const n: number = done; void n; } });
  yes<Same<typeof forgotten, number | undefined>>(true);
  const ofGroup: number | undefined = groups.on?.exact ?? base?.perplexity ?? exact;
  void ofGroup;
  const ids: number[] = await s.tokenize('x', { addBos: false });
  const back: string = await s.detokenize(new Int32Array(ids));
  const rows: Float32Array = await s.logits(ids, { all: true });
  const vector: Float32Array = await s.embed('x', { dimensions: 256, prefix: 'query: ' });
  const vectors: Float32Array[] = await s.embedBatch(['x', [1, 2, 3]]);
  const cosine: number = await s.similarity('x', 'y');
  const ranked: { index: number; score: number }[] = await s.rerank('x', ['y'], { topK: 1 });
  // @ts-expect-error no such pooling
  await s.embed('x', { pooling: 'max' });
  const memory: MemoryInfo = s.getMemoryInfo();
  const info: ModelInfo = s.info;
  // @ts-expect-error not an option
  await s.generate('x', { max_tokens: 5 });
  // @ts-expect-error a string is no temperature
  await s.generate('x', { temperature: '1' });
  // @ts-expect-error info cannot be replaced
  s.info = info;
  // @ts-expect-error no such variant
  await InferenceSession.create('m.gguf', { variant: 'avx512' });
  // @ts-expect-error a message has a content
  await s.chat([{ role: 'user' }]);
  return [text, answer, completion, back, rows, vector, vectors, cosine, ranked, memory];
}

export async function training(s: InferenceSession) {
  const config: MicroLoRAConfig = { adapter: { rank: 4, alpha: 8, dropout: 0.05, targetModules: ['q_proj', 'v_proj'] },
    training: { batchSize: 2, gradientAccumulation: 4, learningRate: 1e-3, warmupSteps: 10, maxSteps: 100, optimizer: 'adamw', scheduler: 'cosine' },
    memory: { gradientCheckpointing: true, mixedPrecision: true, offloadOptimizer: false }, backend: 'auto', data: { maxLength: 128, maskProbability: 0, shuffleBuffer: 100 } };
  s.createTrainer(config);
  const trainer = s.createTrainer({ rank: 4, learningRate: 1e-4, batchSize: 2 });
  const report: TrainReport = await trainer.train([{ input: 'a', output: 'b' }, { text: 'c' }, 'd'], { epochs: 2, evalShare: 0.1, checkpoint: 'x', onStep: (e) => { yes<Same<typeof e, TrainEvent>>(true); } });
  for await (const { loss, eta } of trainer.steps((async function* () { yield 'text'; })())) { const n: number = loss + eta; void n; }
  const plan: TrainPlan = await trainer.plan(['x']);
  const adapter: Adapter = await trainer.getAdapter({ name: 'x' });
  await adapter.save('x');
  const gguf: Uint8Array = await adapter.export('gguf');
  const json: string = await adapter.export('json');
  const files: { 'adapter_config.json': string } = await adapter.export('peft');
  const object: LoRAAdapter = await adapter.toLoRAAdapter();
  const factor: Float32Array = object.weights['model.layers.0.self_attn.q_proj'].lora_A;
  const info: AdapterInfo = await s.loadAdapter('x', { scale: 0.5 });
  const pool = new AdapterPool(s, { slots: 16 });
  await pool.use({ x: 1 });
  // @ts-expect-error no such target
  s.createTrainer({ targetModules: ['c_attn'] });
  // @ts-expect-error a pair has an output
  await trainer.train([{ input: 'a' }]);
  // @ts-expect-error no such form
  await adapter.export('onnx');
  return [report, plan, gguf, json, files, factor, info, s.listAdapters(), gguf];
}

export async function workers() {
  const worker = new ModelWorker();
  const off: () => void = worker.onToken((token) => { const t: string = token; void t; });
  off();
  const results: { id: string; text: string }[] = await worker.batch([{ id: '1', prompt: 'Hello' }]);
  const pool = new ModelWorkerPool({ workers: 4, model: 'm.gguf' });
  await Promise.all([pool.generate('a'), pool.generate('b', { signal: new AbortController().signal })]);
  await pool.terminate();
  // @ts-expect-error a pool needs a model
  new ModelWorkerPool({ workers: 4 });
  return results;
}

export async function protocol(caller: Caller, handlers: Handlers) {
  const { completion } = await caller.call('generate', { input: 'x', spec: {} as any }, { onEvent: (e) => { const p: string[] = e.pieces; void p; } });
  // @ts-expect-error no such call
  await caller.call('fly', {});
  // @ts-expect-error an argument is missing
  await caller.call('tokenize', { text: 'x' });
  // @ts-expect-error tokenize has no events
  await caller.call('tokenize', { text: 'x', addBos: true, specialTokens: true }, { onEvent: (e) => e.pieces });
  const { unload, ...rest } = handlers;
  // @ts-expect-error a handler is missing
  const incomplete: Handlers = rest;
  return [completion, incomplete, unload];
}

export async function files(file: File, manifest: Uint8Array) {
  const cid: string = await computeModelCID(file);
  const ours: boolean = await verifyModelSignature(manifest, '-----BEGIN PUBLIC KEY-----');
  // @ts-expect-error a key that the file brings along says nothing
  await verifyModelSignature(manifest);
  return ours ? cid : '';
}

export async function errors(e: unknown) {
  if (e instanceof EdgeNetError) {
    const code: ErrorCode = e.code;
    // @ts-expect-error the set of codes is closed
    if (e.code === 'OOPS') return code;
  }
  const c: Capabilities = await capabilities();
  yes<Same<Capabilities['variant'], 'scalar' | 'simd128' | 'relaxed' | 'simd128-mt' | 'relaxed-mt'>>(true);
  // @ts-expect-error parameters are constants
  PARAMS.topK.max = 5;
  return c.why;
}

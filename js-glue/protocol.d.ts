// The one table of what can be asked of an engine, wherever it runs. Add a call here and the compiler points at every place that
// must handle it.
import type { AdapterData, AdapterInfo } from './adapters.js';
import type { Capabilities } from './capabilities.js';
import type { EngineOptions, MemoryInfo, ModelInfo } from './engine.js';
import type { WireError } from './errors.js';
import type { Progress } from './load.js';
import type { EmbedSpec, GenerateSpec } from './options.js';
import type { Completion } from './scheduler.js';
import type { Artifact, Entry, EvictionPolicy, Patience, SourceSpec, StoreSpec } from './fetch/types.js';
import type { Message } from './chat.js';
import type { RunSpec, TrainConfig, TrainEvent } from './train-options.js';
import type { Data, TrainPlan, TrainReport } from './training.js';
import type { ExamReport, ExamSpec } from './exam.js';
import type { Pair } from './samples.js';
import type { TeacherRows } from './train-room.js';

export type Input = string | readonly number[] | readonly Message[];
/** sources: in order of preference, all of the same file */
export interface FetchArgs { artifact: Artifact; sources: readonly SourceSpec[]; store: StoreSpec | null; maxStoreBytes: number | null; policy?: EvictionPolicy; patience: Patience; /** what the caller saw in the store */ known?: Entry | null }
/** hit: read from the store; stored: downloaded and kept; none: not kept, `why` says so when that is a failure */
export interface CacheReport { state: 'hit' | 'stored' | 'none'; why?: string }
export interface StopWord { buffer: SharedArrayBuffer; at: number }

export interface Calls {
  load: { args: FetchArgs & { options: EngineOptions; laneUrl: string | null; /** where records.js keeps things */ records: StoreSpec | null }; result: { info: ModelInfo; memory: MemoryInfo; cache: CacheReport; stop: StopWord | null }; event: Progress };
  /** Of the same vocabulary, after load. */
  loadDraft: { args: FetchArgs; result: MemoryInfo; event: Progress };
  preload: { args: FetchArgs; result: { bytes: number }; event: Progress };
  /** Downloads stand still; what is stored can still be read. */
  pauseFetch: { args: { on: boolean }; result: null; event: never };
  generate: { args: { input: Input; spec: GenerateSpec }; result: { completion: Completion; memory: MemoryInfo }; event: { kind: 'tokens'; pieces: string[] } };
  tokenize: { args: { text: string; addBos: boolean; specialTokens: boolean }; result: number[]; event: never };
  detokenize: { args: { ids: readonly number[]; specialTokens: boolean }; result: string; event: never };
  logits: { args: { input: string | readonly number[]; all: boolean }; result: Float32Array; event: never };
  embed: { args: { inputs: readonly (string | readonly number[])[]; spec: EmbedSpec }; result: { rows: Float32Array; size: number; memory: MemoryInfo }; event: never };
  rerank: { args: { query: string; documents: readonly string[]; truncate: boolean }; result: Float32Array; event: never };
  profile: { args: Record<string, never>; result: { rows: { name: string; ms: number; macs: number; bytes: number; calls: number }[]; lanes: { jobs: number; chunks: number; busyMs: number; waitMs: number }[] }; event: never };
  saveState: { args: Record<string, never>; result: Uint8Array; event: never };
  loadState: { args: { state: Uint8Array }; result: MemoryInfo; event: never };
  clear: { args: Record<string, never>; result: MemoryInfo; event: never };
  loadAdapter: { args: { name: string; data: AdapterData; scale: number }; result: { adapters: AdapterInfo[]; memory: MemoryInfo }; event: never };
  scaleAdapters: { args: { scales: readonly (readonly [string, number])[] }; result: { adapters: AdapterInfo[]; memory: MemoryInfo }; event: never };
  unloadAdapter: { args: { name: string }; result: { adapters: AdapterInfo[]; memory: MemoryInfo }; event: never };
  /** Checks an adapter against the model, and gives it in another form; null: it has that form. */
  convertAdapter: { args: { data: AdapterData; form: AdapterData['form']; baseModel: string; /** also if it has that form */ anew?: boolean }; result: { data: AdapterData | null } & Omit<AdapterInfo, 'name' | 'scale' | 'bytes' | 'fileBytes'>; event: never };
  /** Into the weights, in this order, for ever. */
  mergeAdapters: { args: { scales: readonly (readonly [string, number])[] }; result: { adapters: AdapterInfo[]; memory: MemoryInfo }; event: never };
  /** state: of the weights when the part before was read, null: there is none */
  readModel: { args: { from: number; n: number; state: number | null }; result: { bytes: Uint8Array; state: number }; event: never };
  topLogits: { args: { samples: readonly Int32Array[]; topK: number; vocabulary?: string }; result: TeacherRows[]; event: never };
  samplesOf: { args: { trainer: number; pairs: readonly Pair[] }; result: { ids: (Int32Array | null)[]; vocabulary: string }; event: never };
  /** scales: null: the adapters that are at work */
  examine: { args: { pairs: readonly Pair[]; spec: ExamSpec; scales: readonly (readonly [string, number])[] | null }; result: { report: ExamReport; memory: MemoryInfo }; event: { done: number; total: number } };
  openTrainer: { args: { config: TrainConfig }; result: number; event: never };
  planTraining: { args: { trainer: number; data: Data; run: RunSpec }; result: TrainPlan; event: never };
  train: { args: { trainer: number; data: Data; run: RunSpec }; result: { report: TrainReport; memory: MemoryInfo }; event: TrainEvent };
  evaluate: { args: { trainer: number; pairs: readonly Pair[] }; result: { loss: number; perplexity: number; tokens: number }; event: never };
  pauseTrainer: { args: { trainer: number; on: boolean }; result: null; event: never };
  trainedAdapter: { args: { trainer: number; form: AdapterData['form'] }; result: AdapterData; event: never };
  closeTrainer: { args: { trainer: number }; result: MemoryInfo; event: never };
  /** Small records beside the stored models; see records.js. */
  getRecord: { args: { name: string }; result: Uint8Array | null; event: never };
  putRecord: { args: { name: string; bytes: Uint8Array }; result: null; event: never };
  removeRecord: { args: { name: string }; result: boolean; event: never };
  listRecords: { args: { prefix: string }; result: string[]; event: never };
  capabilities: { args: Record<string, never>; result: Capabilities; event: never };
  unload: { args: Record<string, never>; result: null; event: never };
}
export type Op = keyof Calls;
export type Request = { [K in Op]: { id: number; op: K; args: Calls[K]['args'] } }[Op] | { id: number; op: 'cancel' };
export type Reply =
  | { id: number; event: { [K in Op]: Calls[K]['event'] }[Op] }
  | { id: number; ok: true; result: { [K in Op]: Calls[K]['result'] }[Op] }
  | { id: number; ok: false; error: WireError };

/** What a handler gets beside its arguments. */
export interface Control<K extends Op> { signal: AbortSignal; emit(event: Calls[K]['event']): void }
export type Handlers = { [K in Op]: (args: Calls[K]['args'], control: Control<K>) => Promise<Calls[K]['result']> };
export interface CallOptions<K extends Op> { signal?: AbortSignal; onEvent?: (event: Calls[K]['event']) => void; onAbort?: () => void }
/** The same for an engine in this thread and for one in a worker. */
export interface Caller {
  call<K extends Op>(op: K, args: Calls[K]['args'], options?: CallOptions<K>): Promise<Calls[K]['result']>;
  /** Reject what is pending with `reason` and end the worker, if there is one. */
  close(reason: Error): void;
}
/** One end of a connection between two threads. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
  listen(onMessage: (message: any) => void, onDead: (why: string) => void): void;
  /** Keep the process alive while true (Node). */
  hold(on: boolean): void;
  close(): void;
}

// The shapes that the download engine, the sources and the stores share. Bytes flow: Source -> Reader -> download -> Part of a Store
// -> Reader -> model. Everything that crosses to a worker (Artifact, SourceSpec, StoreSpec) is plain data.

/** A file that is wanted. Without `chunks` and `sha256` its hashes are recorded at the first download and checked ever after. */
export interface Artifact {
  /** Its name in a store: the Merkle root or CID where one is known, else the URL. */
  id: string;
  /** For people and error messages. */
  name: string;
  /** Bytes; absent: the source tells. */
  size?: number;
  /** Bytes of every chunk but the last; 1 MiB unless a manifest says otherwise. */
  chunkSize?: number;
  /** SHA-256 of every chunk, 32 bytes each, in order. */
  chunks?: Uint8Array;
  /** SHA-256 of the whole file, hexadecimal. Checked while the bytes pass in order; with `chunks` it is redundant and not computed. */
  sha256?: string;
  /** What the first bytes must be: a sign-in page that answers instead of the file is noticed before it is kept. */
  format?: 'gguf';
  /** The model that this file is part of; `usage()` adds up by it. */
  model?: string;
}

/** Bytes that can be read from any place. The same shape for a response, a file, a stored model and a download that is still running. */
export interface Reader {
  /** Bytes; null: unknown until the end. */
  readonly size: number | null;
  /** Names these very contents (an ETag, a CID); null: unknown. Equal versions may be mixed, others never. */
  readonly version: string | null;
  /** false: only read(0, Infinity) works. */
  readonly ranges: boolean;
  /**
   * The bytes [offset, offset + length), or up to the end, in pieces of any size. The pieces are the caller's to keep. Throws NETWORK or
   * STORAGE when it breaks off (detail: Broken), ABORTED after the signal. Leaving the loop stops the transfer.
   */
  read(offset: number, length: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Synchronous reading to a place of the caller's; returns bytes read, 0 at the end. */
  readInto?(offset: number, view: Uint8Array): number;
  /** Of a stored file: also until it is noted that it was used. */
  close(): void | Promise<void>;
}

/** `detail` of an error of a source: what the engine does next. */
export interface Broken {
  /** HTTP status, if there was an answer. */
  status?: number;
  /** This source cannot give this artifact; asking again is useless. */
  final?: boolean;
  /** The file is not the one that was begun. */
  changed?: boolean;
  /** Milliseconds to leave this source alone, as it asked. */
  retryAfter?: number;
}

export type SourceKind = 'http' | 'hf' | 'ipfs' | 'p2p' | 'file' | 'memory';
export interface Source {
  /** Distinguishes it from the artifact's other sources; shown as `source` in progress reports. */
  readonly id: string;
  readonly kind: SourceKind;
  /** Requests at once at most. */
  readonly parallel: number;
  /** from: where reading is likely to begin, so that the first request need not be for the start. */
  open(artifact: Artifact, signal?: AbortSignal, from?: number): Promise<Reader>;
}

/** A source as plain data. `headers` go only to the origin of their URL, never on with a redirect. */
export type SourceSpec =
  | { kind: 'url'; url: string; headers?: Record<string, string> }
  | { kind: 'hf'; repo: string; path: string; revision: string; endpoint?: string; headers?: Record<string, string> }
  | { kind: 'ipfs'; cid: string; gateways?: readonly string[] }
  | { kind: 'blob'; blob: Blob }
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'path'; path: string }
  | PartsSpec;

/**
 * Several files that are one model (js-glue/parts.js). split: GGUF files in their order; else the files of a Hugging Face folder, those that are known by name and, with base, any other
 * below it. convert: folder of convert.wasm, if not this package's.
 */
export interface PartsSpec { kind: 'parts'; split: boolean; files: readonly { name: string; spec: SourceSpec }[]; base: SourceSpec | null; convert?: string }

/**
 * retries: in a row without a new byte. timeout: ms without a byte. parallel: transfers at once, at most. backOff: ms before the first retry,
 * then twice as long each time (250). ramp: ms until one more transfer joins where the line is not full (250; 0: all at once).
 */
export interface Patience { retries: number; timeout: number; parallel: number; backOff?: number; ramp?: number }

/** The `p2p` slot: whatever finds peers implements this; the engine verifies every chunk itself. */
export interface Peer {
  readonly id: string;
  /** null: this peer does not have that chunk. */
  chunk(artifact: Artifact, index: number, signal?: AbortSignal): Promise<Uint8Array | null>;
}

export type StoreKind = 'opfs' | 'indexeddb' | 'cache' | 'filesystem' | 'memory';
export interface StoreSpec { kind: StoreKind; /** folder (filesystem) or name of the database, folder or cache */ root?: string }
export type EvictionPolicy = 'lru' | 'fifo' | 'priority';

/** What a store knows of a whole file. Times in ms since 1970. */
export interface Entry {
  schema: number;
  id: string;
  name: string;
  /** Those that it is part of; models with equal bytes share a file, and it goes with the last one. */
  models: string[];
  /** Ids of the sources that it can be had from. */
  places: readonly string[];
  /** Name of the data in the store. */
  file: string;
  size: number;
  version: string | null;
  created: number;
  used: number;
  /** Never evicted to make room. */
  pinned: boolean;
  /** With policy 'priority' the lowest go first. */
  priority: number;
}

/** What a download has so far. Survives a kill: a chunk is in the journal only after its bytes were flushed. */
export interface Journal {
  readonly chunkSize: number;
  readonly size: number | null;
  readonly version: string | null;
  has(index: number): boolean;
  /** SHA-256 of chunk `index` as it was written; null: not there. */
  hash(index: number): Uint8Array | null;
  /** Chunks that are there. */
  readonly count: number;
}

/** A file that is being written. One of commit, keep and discard ends it. */
export interface Part {
  readonly journal: Journal;
  /** The bytes of a whole chunk whose hash was checked. Resolves when bytes are written; they count from the next flush on. */
  write(index: number, bytes: Uint8Array, hash: Uint8Array): Promise<void>;
  /** Bytes that were written, also before they count. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Make the written chunks durable, then put them into the journal. */
  flush(): Promise<void>;
  /** Every chunk is there: now the file counts as stored. @param size where it was unknown */
  commit(size: number): Promise<Entry>;
  /** Let go; the next download goes on from here. */
  keep(): Promise<void>;
  /** Let go and delete. */
  discard(): Promise<void>;
}

export interface Store {
  readonly kind: StoreKind;
  /** Whole files only. */
  find(id: string): Promise<Entry | null>;
  list(): Promise<Entry[]>;
  /** null: not stored. Marks it as used. @param entry what find() just gave, so that it is not looked for again */
  open(id: string, entry?: Entry): Promise<Reader | null>;
  /** A stored file as a Blob, which can be posted to a worker; null: not stored, or this store has no Blobs. */
  blob(id: string): Promise<Blob | null>;
  /** Go on with a download or begin one; another `version`, size or chunk size begins anew. Call it inside `lock`. */
  begin(artifact: Artifact, plan: { size: number | null; version: string | null; chunkSize: number; places?: readonly string[] }): Promise<Part>;
  /** Start of the first chunk that a broken-off download lacks, as far as its journal tells; 0: there is none. */
  missingFrom(id: string): Promise<number>;
  /** Alone with this artifact, across tabs and processes. `waiting` is told what the holder says with `tell` (Progress). */
  lock<T>(id: string, work: (tell: (news: unknown) => void) => Promise<T>, options?: { signal?: AbortSignal; waiting?: (news: any) => void }): Promise<T>;
  /** Chunks of a stored file that do not have their recorded (or the artifact's) hash; they are gone from its journal, so that begin() fetches them anew. */
  verify(id: string, options?: { artifact?: Artifact; signal?: AbortSignal; onProgress?: (done: number, total: number) => void }): Promise<{ chunks: number; bad: number[] }>;
  /** Pin, give a priority, or say that it is part of one more model. false: not stored. */
  mark(id: string, what: { pinned?: boolean; priority?: number; model?: string }): Promise<boolean>;
  /** Also what a broken-off download left. model: as a part of this one only, so that it stays where others share it. false: nothing was there. */
  remove(id: string, model?: string): Promise<boolean>;
  /** Everything that this store holds, whole or not. */
  clear(): Promise<void>;
  /** Bytes of whole files by model (shared ones by their first), of broken-off downloads, and what the platform says is free (null: unknown). */
  usage(): Promise<{ bytes: number; partial: number; models: Record<string, number>; free: number | null }>;
  close(): void;
}

export interface DownloadOptions {
  /** null: nothing is kept; the bytes only pass through `use`. */
  store: Store | null;
  /** In order of preference. With chunk hashes all are used; without, the first that opens. */
  sources: readonly Source[];
  patience?: Patience;
  /** What the store was just seen to have, so that it is not looked for again. */
  known?: Entry | null;
  signal?: AbortSignal;
  onProgress?: (p: import('./progress.js').Progress) => void;
  /** Room that stored models may take, and who goes first. */
  maxBytes?: number | null;
  policy?: EvictionPolicy;
  /** Waits while paused. */
  gate?: import('./gate.js').Gate;
}

/** download.js: fetch an artifact into the store and verify it; rejects when it cannot be kept. */
export type Download = (artifact: Artifact, options: DownloadOptions & { store: Store }) => Promise<Entry>;
/**
 * cache.js: read an artifact from the store if it is there, else while it is downloaded; `use` may be called a second time after a
 * stored file was found broken and mended. A store that fails costs only the cache.
 */
export type WithReader = <T>(artifact: Artifact, options: DownloadOptions, use: (from: { reader: Reader; phase: 'download' | 'read' }) => Promise<T>)
  => Promise<{ result: T; cache: import('../protocol.js').CacheReport }>;

// What a place to keep bytes must offer; model-store.js builds everything else on it, once for all places.
import type { StoreKind } from '../fetch/types.js';

/** A file open for positioned reading, and for writing if it was opened so. Errors are EdgeNetErrors with code STORAGE. */
export interface VolumeFile {
  /** Fewer bytes than asked only at the end. The caller keeps what it gets. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Synchronous reading to a place of the caller's, where the platform has it; returns bytes read. */
  readInto?(offset: number, view: Uint8Array): number;
  /** Gaps are allowed; reading one gives zeros or fewer bytes. The bytes must not change until the promise settles. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Everything written survives a crash from now on. */
  flush(): Promise<void>;
  /** The whole file, if it is made of Blobs anyway. */
  blob?(): Promise<Blob>;
  close(): Promise<void>;
}

export interface Waiting { signal?: AbortSignal; /** told what the holder says */ waiting?: (news: any) => void; /** what can be seen of the holder's work from outside */ peek?: () => Promise<unknown> }

export interface Volume {
  readonly kind: StoreKind;
  /** Chunks that may wait before they are written and recorded together: 1 where a small write is cheap. */
  readonly batch: number;
  /** Names of files and of records. */
  names(): Promise<string[]>;
  /** A small record; null: not there. */
  getText(name: string): Promise<string | null>;
  /** lazy: the text may be lost with the machine's power, for it is of little worth. */
  putText(name: string, text: string, lazy?: boolean): Promise<void>;
  /** For reading and writing, by one holder. create: begin anew, empty. null: not there. */
  openFile(name: string, create: boolean): Promise<VolumeFile | null>;
  /** For reading, by many. null: not there. */
  openShared(name: string): Promise<VolumeFile | null>;
  /** Bytes; null: not there; NaN: there, but its length cannot be seen now. */
  sizeOf(name: string): Promise<number | null>;
  remove(name: string): Promise<void>;
  /** Alone under this name, among everybody who shares the volume. */
  lock<T>(name: string, work: (tell: (news: unknown) => void) => Promise<T>, options: Waiting): Promise<T>;
  /** Bytes that the platform would still take; null: unknown. */
  free(): Promise<number | null>;
  close(): void;
}

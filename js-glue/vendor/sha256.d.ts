/** The part of hash-wasm that we use; the build bundles that package into sha256.js beside this file. */
export function createSHA256(): Promise<Sha256>;
export interface Sha256 {
  init(): Sha256;
  update(bytes: Uint8Array): Sha256;
  digest(form: 'binary'): Uint8Array;
}

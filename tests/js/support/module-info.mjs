// @ts-check
// Import and export names of a wasm file, from its bytes: works for files that this engine cannot compile.

/** @param {Uint8Array} b @returns {{imports: string[], exports: string[]}} */
export function moduleInfo(b) {
  let at = 8;
  const leb = () => { let v = 0, shift = 0, byte; do { byte = b[at++]; v += (byte & 127) * 2 ** shift; shift += 7; } while (byte & 128); return v; };
  const name = () => { const n = leb(); at += n; return new TextDecoder().decode(b.subarray(at - n, at)); };
  const limits = () => { const flags = leb(); leb(); if (flags & 1) leb(); };
  /** @type {string[]} */ const imports = [];
  /** @type {string[]} */ const exports = [];
  while (at < b.length) {
    const id = b[at++];
    const end = leb() + at;
    if (id === 2) for (let n = leb(); n > 0; n--) {
      imports.push(`${name()}.${name()}`);
      const kind = b[at++];
      if (kind === 0) leb(); else if (kind === 2) limits(); else if (kind === 1) { at++; limits(); } else at += 2;
    }
    if (id === 7) for (let n = leb(); n > 0; n--) { exports.push(name()); at++; leb(); }
    at = end;
  }
  return { imports, exports };
}

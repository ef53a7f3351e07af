// @ts-check
// Cuts a GGUF file into several, as llama.cpp's gguf-split does: name-00001-of-00003.gguf and so on.
import { readFileSync, writeFileSync } from 'node:fs';
import { ok } from './cli.mjs';

/** @param {number} n */
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
const u32 = (/** @type {number} */ n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
const string = (/** @type {string} */ s) => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
const U16 = 2, I32 = 5;
const key = (/** @type {string} */ name, /** @type {number} */ type, /** @type {number} */ value) => Buffer.concat([string(name), u32(type), u32(value).subarray(0, type === U16 ? 2 : 4)]);
const padded = (/** @type {number} */ n) => Math.ceil(n / 32) * 32;

/** @param {string} file @param {string} base path without ending @param {number} count @returns {string[]} the files */
export function splitGguf(file, base, count) {
  const bytes = readFileSync(file), head = JSON.parse(ok('inspect', file, '--json').out);
  const pairs = bytes.subarray(24, bytes.indexOf(string(head.tensors[0].name))), nPairs = Number(bytes.readBigUInt64LE(16));
  const types = new Map([['F32', 0], ['F16', 1], ['Q4_0', 2], ['Q8_0', 8]]);
  return Array.from({ length: count }, (_, i) => {
    const name = `${base}-0000${i + 1}-of-0000${count}.gguf`;
    /** @type {{name: string, ne: number[], type: string, offset: number, bytes: number}[]} */
    const tensors = head.tensors.filter((/** @type {unknown} */ _t, /** @type {number} */ k) => Math.floor(k * count / head.tensors.length) === i);
    let at = 0;
    const described = tensors.map((t) => {
      const one = Buffer.concat([string(t.name), u32(t.ne.length), ...t.ne.map(u64), u32(types.get(t.type) ?? -1), u64(at)]);
      at += padded(t.bytes);
      return one;
    });
    const start = Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensors.length), u64((i ? 0 : nPairs) + 3), i ? Buffer.alloc(0) : pairs,
      key('split.no', U16, i), key('split.count', U16, count), key('split.tensors.count', I32, head.tensors.length), ...described]);
    const data = tensors.map((t) => Buffer.concat([bytes.subarray(head.data_offset + t.offset).subarray(0, t.bytes), Buffer.alloc(padded(t.bytes) - t.bytes)]));
    writeFileSync(name, Buffer.concat([start, Buffer.alloc(padded(start.length) - start.length), ...data]));
    return name;
  });
}

// @ts-check
/**
 * Writes the seeds of gguf_fuzz: small right files and some that are wrong in one place each.
 * Usage: node tests/fuzz/gguf_corpus.mjs [folder]     default: tests/fuzz/corpus/gguf
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GgufWriter } from "../../tools/gguf-writer.mjs";

const folder = process.argv[2] ?? fileURLToPath(new URL("corpus/gguf", import.meta.url));
const kinds = /** @type {const} */ (["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "u64", "i64", "f64"]);

function everyKind() {
  const file = new GgufWriter().set("general.architecture", "string", "llama");
  for (const kind of kinds) file.set(`one.${kind}`, kind, 1).setArray(`some.${kind}`, kind, [0, 1, 1]);
  return file.setArray("words", "string", ["a", "", "\u2581the"]).set("text", "string", "\u00e9");
}
const block = new Float32Array(64).map((_, i) => i - 32);
const tensors = () =>
  new GgufWriter().set("general.alignment", "u32", 32).set("llama.block_count", "u32", 1).tensor("token_embd.weight", [2, 32], "Q8_0", block).tensor("v", [3], "F32", block.slice(0, 3)).tensor("cube", [2, 2, 2], "F32", block.slice(0, 8));

/** A copy with some bytes written over. @param {Uint8Array} bytes @param {number} at @param {number[]} values */
function patched(bytes, at, values) {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

const whole = tensors().toBytes();
/** @type {Record<string, Uint8Array>} */
const seeds = {
  empty: new GgufWriter().toBytes(),
  kinds: everyKind().toBytes(),
  tensors: whole,
  version2: patched(whole, 4, [2]),
  "big-endian": patched(whole, 4, [0, 0, 0, 3]),
  "alignment-64": patched(new GgufWriter().set("general.alignment", "u32", 64).toBytes(), 4, [3]),
  "huge-counts": patched(whole, 8, new Array(16).fill(0x7f)),
  truncated: whole.slice(0, 100),
  "twice-the-key": patched(new GgufWriter().set("key.a", "u32", 1).set("key.b", "u32", 2).toBytes(), 24 + 21 + 8 + 4, [97]),
  "long-strings": new GgufWriter().setArray("w", "string", Array.from({ length: 300 }, (_, i) => `token number ${i}`)).set("after", "bool", true).toBytes(),
};
mkdirSync(folder, { recursive: true });
for (const [name, bytes] of Object.entries(seeds)) writeFileSync(join(folder, `${name}.gguf`), bytes);
console.log(`${folder}: ${Object.keys(seeds).length} seeds`);

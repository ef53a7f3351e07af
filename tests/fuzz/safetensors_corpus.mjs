// @ts-check
/**
 * Writes the seeds of safetensors_fuzz: small right files and some that are wrong in one place each.
 * Usage: node tests/fuzz/safetensors_corpus.mjs [folder]     default: tests/fuzz/corpus/safetensors
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.argv[2] ?? fileURLToPath(new URL("corpus/safetensors", import.meta.url));

/** @param {string} head @param {number} n data bytes */
function file(head, n) {
  const bytes = Buffer.alloc(8 + head.length + n, 0x3c);
  bytes.writeBigUInt64LE(BigInt(head.length));
  bytes.write(head, 8, "latin1");
  return bytes;
}
/** @param {string} dtype @param {number[]} shape @param {number} from @param {number} to */
const entry = (dtype, shape, from, to) => ({ dtype, shape, data_offsets: [from, to] });
const factors = {
  __metadata__: { format: "pt" },
  "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": entry("F32", [1, 2], 0, 8),
  "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": entry("F16", [2, 1], 8, 12),
};

mkdirSync(folder, { recursive: true });
/** @type {Record<string, Buffer>} */
const seeds = {
  "factors": file(JSON.stringify(factors), 12),
  "scalar-and-empty": file(JSON.stringify({ a: entry("BF16", [], 0, 2), b: entry("I64", [3, 0], 2, 2) }), 2),
  "spaces": file(`${JSON.stringify(factors, null, 2)}   `, 12),
  "no-tensors": file("{}", 0),
  "hole": file(JSON.stringify({ a: entry("F32", [1], 4, 8) }), 8),
  "outside": file(JSON.stringify({ a: entry("F32", [1], 0, 4) }), 2),
  "huge-shape": file(JSON.stringify({ a: { dtype: "F32", shape: [2 ** 32, 2 ** 31, 2], data_offsets: [0, 0] } }), 0),
  "json": Buffer.from('{"a":[1,-2.5e-3,"x\\u00e9\\ud83d\\ude00\\\\",{"b":null}],"c":{"d":true,"e":[[[]]]}}'),
};
for (const [name, bytes] of Object.entries(seeds)) writeFileSync(join(folder, name), bytes);

// @ts-check
/** tools/gguf-writer.mjs and the default model that it makes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { GgufWriter, encode, halfBits } from "../../tools/gguf-writer.mjs";
import { makeHomeModel } from "../../tools/make-home-model.mjs";

/** @param {number} h the 16 bits of a half */
function halfValue(h) {
  const sign = h & 0x8000 ? -1 : 1, exponent = (h >> 10) & 31, mantissa = h & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : (2 ** -14 * mantissa) / 1024);
}

test("halves: every value comes back, ties go to even, overflow is infinity", () => {
  for (let h = 0; h < 0x10000; h++) if (!Number.isNaN(halfValue(h))) assert.equal(halfBits(halfValue(h)), h);
  for (let h = 0; h < 0x7bff; h++) assert.equal(halfBits((halfValue(h) + halfValue(h + 1)) / 2), h % 2 ? h + 1 : h);
  assert.equal(halfBits(65519), 0x7bff);
  assert.equal(halfBits(65520), 0x7c00);
  assert.ok(Number.isNaN(halfValue(halfBits(NaN))));
});

test("Q8_0: the published block of the published input", () => {
  const x = Float32Array.from({ length: 32 }, (_, i) => (((37 * i + 11) % 64) - 32) / 16 + ((13 * i) % 5) / 64);
  const hash = encode("Q8_0", x).reduce((h, byte) => Math.imul(h ^ byte, 16777619) >>> 0, 2166136261);
  assert.equal(hash.toString(16), "51e02410");
  assert.throws(() => encode("Q8_0", new Float32Array(31)), RangeError);
});

test("a file: header, order of dimensions, padding", () => {
  const bytes = new GgufWriter().set("a", "u32", 7).setArray("b", "string", ["x", "yz"]).tensor("m", [2, 3], "F32", new Float32Array(6).fill(1)).tensor("v", [1], "F32", new Float32Array(1)).toBytes();
  const view = new DataView(bytes.buffer);
  assert.equal(new TextDecoder().decode(bytes.subarray(0, 4)), "GGUF");
  assert.deepEqual([view.getUint32(4, true), view.getBigUint64(8, true), view.getBigUint64(16, true)], [3, 2n, 2n]);
  const m = 24 + (8 + 1 + 4 + 4) + (8 + 1 + 4 + 4 + 8 + 9 + 10); // the description of m
  assert.deepEqual([view.getBigUint64(m, true), bytes[m + 8], view.getUint32(m + 9, true)], [1n, 109, 2]);
  assert.deepEqual([view.getBigUint64(m + 13, true), view.getBigUint64(m + 21, true), view.getUint32(m + 29, true), view.getBigUint64(m + 33, true)], [3n, 2n, 0, 0n]);
  const head = m + 41 + (8 + 1 + 4 + 8 + 4 + 8);
  assert.equal(view.getBigUint64(head - 8, true), 32n);
  const data = Math.ceil(head / 32) * 32;
  assert.equal(bytes.length, data + 32 + 4);
  assert.equal(view.getFloat32(data + 20, true), 1);
});

test("the writer refuses what no reader would take", () => {
  const file = new GgufWriter().set("a", "u32", 1).tensor("w", [32], "Q8_0", new Float32Array(32));
  assert.throws(() => file.set("a", "u32", 2), /set twice/);
  assert.throws(() => file.tensor("w", [1], "F32", new Float32Array(1)), /used twice/);
  assert.throws(() => file.tensor("x".repeat(64), [1], "F32", new Float32Array(1)), /too long/);
  assert.throws(() => file.tensor("y", [2, 16], "Q8_0", new Float32Array(32)), /whole Q8_0 blocks/);
  assert.throws(() => file.tensor("y", [3], "F32", new Float32Array(2)), /do not fill/);
});

test("the default model: a few hundred KB, the same bytes on every machine", () => {
  const bytes = makeHomeModel();
  assert.ok(bytes.length > 300e3 && bytes.length < 600e3, `${bytes.length} bytes`);
  assert.equal(createHash("sha256").update(bytes).digest("hex"), "cf0d8e75b5418afeaf0dddbc27bf8fc09910dc076cc3aa656dbb10e5b7f55453");
  assert.ok(Buffer.from(bytes).includes("edge-net placeholder (random weights)"));
});

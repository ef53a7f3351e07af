// @ts-check
/**
 * Writes the seeds of tokenizer_fuzz, stream_fuzz, normalize_fuzz and grammar_fuzz: what the formats at the head of those files mean, once each.
 * Usage: node tests/fuzz/text_corpus.mjs [folder]     default: tests/fuzz/corpus
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GgufWriter } from "../../tools/gguf-writer.mjs";

const folder = process.argv[2] ?? fileURLToPath(new URL("corpus", import.meta.url));

/** @param {string} target @param {string} name @param {Buffer[]} parts */
function seed(target, name, ...parts) {
  mkdirSync(join(folder, target), { recursive: true });
  writeFileSync(join(folder, target, name), Buffer.concat(parts));
}
const bytes = (/** @type {number[]} */ ...values) => Buffer.from(values);

// ---- tokenizer_fuzz: recipes ----
const [normal, unknown, control, userDefined, unused, byte] = [1, 2, 3, 4, 5, 6];
/** @param {string} text @param {number} [type] */
const token = (text, type = normal) => Buffer.concat([bytes((type << 4) | Buffer.byteLength(text)), Buffer.from(text)]);
const spm = [
  token("<unk>", unknown), token("<s>", control), token("</s>", control), token("<0x0A>", byte), token("<0x61>", byte), token("▁"), token("a"), token("b"),
  token("ab"), token("▁ab"), token("<|end|>", control), token("<tag>", userDefined), token("bb", unused), token(""),
];
const bpe = [token("h"), token("e"), token("l"), token("o"), token("Ġ"), token("1"), token("he"), token("ll"), token("hell"), token("hello"), token("<|im_end|>", control), token("<tag>", userDefined)];
const merges = ["h e", "l l", "he ll", "hell o", "Ġ h"].map((m) => token(m));
seed("tokenizer", "spm-recipe", bytes(0x80, 1, spm.length, 32 + 8), bytes(0), ...spm, bytes(...spm.map((_, i) => 256 - i)), Buffer.from("ab <s>abb\n<tag>x<|end|> ab"));
seed("tokenizer", "spm-phi3-no-prefix", bytes(0x80, 1, spm.length, 1 + 2 + 16), bytes(1), ...spm, Buffer.from("<|end|> \n ab"));
for (const [i, pre] of ["default", "gpt-2", "llama-bpe", "qwen2", "smollm"].entries()) {
  seed("tokenizer", `bpe-${pre}`, bytes(0x80, i << 1, bpe.length, 8), bytes(5), ...bpe, bytes(merges.length), ...merges, Buffer.from("hello hello111 'll<tag>  \n\nhell<|im_end|>"));
}
seed("tokenizer", "rwkv", bytes(0x80, 16, 3, 0), token("in"), token("\\n\\n"), token("it\\'s"), bytes(0), Buffer.from("the inn\n\nit's"));
const unigram = [token("<unk>", unknown), token("</s>", control), token("▁"), token("▁ab"), token("a"), token("b"), token("ba"), token("<x>", userDefined)];
const scores = bytes(0, 0, 254, 251, 253, 252, 250, 0);
seed("tokenizer", "unigram", bytes(0x80, 32, unigram.length, 32 + 64 + 8 + 2 + 4), bytes(0), ...unigram, scores, Buffer.from("ab  ba<x>abba é\n"));
const units = Buffer.alloc(4 * 128); // "A" becomes "a": the root's children are at 1 ^ c, the leaf of the one for A is at 2
units.writeUInt32LE(1 << 10, 0);
units.writeUInt32LE(((0x40 ^ 2) << 10) | 256 | 0x41, 4 * 0x40);
units.writeUInt32LE(0x80000000, 4 * 2);
seed("tokenizer", "unigram-map", bytes(0x80, 32, unigram.length, 128 + 64 + 32 + 8 + 2 + 4), bytes(0), ...unigram, scores, bytes(128, 1), units, Buffer.from("a"), Buffer.from("AB bA"));
const wordpiece = [token("[UNK]", unknown), token("[CLS]", control), token("▁ab"), token("c"), token("▁e"), token("▁."), token("▁中")];
for (const [name, flags] of [["wordpiece", 64], ["wordpiece-cased", 64 + 128]]) {
  seed("tokenizer", String(name), bytes(0x80, 0, wordpiece.length, Number(flags) + 8), bytes(0), ...wordpiece, Buffer.from("abcc É.[CLS] 中ab 각 x"));
}

// ---- tokenizer_fuzz: a whole head ----
const head = (/** @type {string} */ model) => new GgufWriter().set("tokenizer.ggml.model", "string", model);
seed("tokenizer", "spm-head", bytes(0), Buffer.from(head("llama").setArray("tokenizer.ggml.tokens", "string", ["<unk>", "a", "▁a"]).toBytes()));
seed("tokenizer", "bpe-head", bytes(0), Buffer.from(head("gpt2").setArray("tokenizer.ggml.tokens", "string", ["a", "b", "ab"]).setArray("tokenizer.ggml.merges", "string", ["a b"]).toBytes()));

// ---- stream_fuzz: stops, then tokens; below 10 they are longer texts, else the byte after it ----
seed("stream", "no-stops", bytes(0, 3, 9, 4, 5, 107 - 10, 0xe2));
seed("stream", "one-stop", bytes(1), Buffer.from("abab\0"), bytes(97, 98, 97, 98, 7, 2));
seed("stream", "two-stops", bytes(2), Buffer.from("stop\0\n\n\0"), bytes(3, 115, 116, 6, 2));
seed("stream", "broken", bytes(1), Buffer.from("ä€\0"), bytes(4, 4, 5, 8, 0xac, 0xff, 0xc3, 0xa4));

// ---- normalize_fuzz: the form, then a text ----
seed("normalize", "composed", bytes(1), Buffer.from("e\u0301\u0323 \u1112\u1161\u11ab \u{1d15e} \u0928\u093c"));
seed("normalize", "compatible", bytes(3), Buffer.from("\ufb01 \u2460 \ufdfa \uff76\uff9e \u212b"));
seed("normalize", "decomposed", bytes(0), Buffer.from("\u1ed9\ud55c\u0344\u0f73"), bytes(0xff, 0xe2, 0x82));

// ---- grammar_fuzz: the kind, the text, a NUL, then which of the allowed tokens comes next ----
const grammar = (/** @type {string} */ name, /** @type {number} */ kind, /** @type {string} */ text) => seed("grammar", name, bytes(kind), Buffer.from(`${text}\0`), bytes(1, 50, 3, 99, 7, 0, 12, 31, 200, 4, 9, 16));
grammar("groups", 0, 'root ::= ("a" | b{2,3})* [^c-e\\n]+ # x\nb ::= "\\x42" .? root?');
grammar("left", 0, 'root ::= root "a" | [a-fä]');
grammar("object", 1, '{"type":"object","properties":{"a":{"type":"integer"},"b":{"enum":["x",7]}},"required":["b"]}');
grammar("tree", 1, '{"$ref":"#/$defs/t","$defs":{"t":{"anyOf":[{"type":["string","null"],"maxLength":2},{"type":"array","items":{"$ref":"#/$defs/t"},"minItems":1}]}}}');
grammar("others", 1, '{"anyOf":[{"const":1},{"type":"array","prefixItems":[{},true]},{"type":"object","additionalProperties":{"type":"number"}}]}');

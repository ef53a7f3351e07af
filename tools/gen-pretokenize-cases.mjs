// @ts-check
/**
 * Writes tests/unit/pretokenize_cases.inc: random strings and how the published regular expressions of the pre-tokenizers cut them,
 * by this Node's own regex engine. The C scanners must cut them the same way.
 * Usage: node tools/gen-pretokenize-cases.mjs
 */
import { writeFileSync } from "node:fs";

/** \s of the tokenizers' regex engines is White_Space; JavaScript's own \s differs by U+0085 and U+FEFF. @param {string} source */
const regex = (source) => new RegExp(source.replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}"), "gu");

const gpt2 = regex("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");
/** @param {string} digits @param {string} [letter] */
const modern = (digits, letter = "\\p{L}") =>
  regex(`'[sStTmMdD]|'[rRvV][eE]|'[lL][lL]|[^\\r\\n\\p{L}\\p{N}]?[${letter}]+|${digits}| ?[^\\s${letter}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`);

/** Words also end where a capital of ASCII follows a small letter: llama.cpp's form of the published expressions, which know all capitals. @param {string} digits @param {string} [ending] */
const cased = (digits, ending = "") => {
  const first = "[^\\r\\n\\p{L}\\p{N}]?", noSmall = "(?:(?=\\p{L})[^a-z])", noCapital = "(?:(?=\\p{L})[^A-Z])";
  return regex(`${first}${noSmall}*${noCapital}+${ending}|${first}${noSmall}+${noCapital}*${ending}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`);
};

/** Letters with case, as llama.cpp's rule for DeepSeek's first models spells them out; and its punctuation, without the blank U+3000, which llama.cpp sees as one. */
const spelledLetters = "\\u{41}-\\u{5a}\\u{61}-\\u{7a}\\u{b5}\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{1ba}\\u{1bc}-\\u{1bf}\\u{1c4}-\\u{293}\\u{295}-\\u{2af}\\u{370}-\\u{373}\\u{376}-\\u{377}\\u{37b}-\\u{37d}\\u{37f}\\u{386}\\u{388}-\\u{38a}\\u{38c}\\u{38e}-\\u{3a1}\\u{3a3}-\\u{3f5}\\u{3f7}-\\u{481}\\u{48a}-\\u{52f}\\u{531}-\\u{556}\\u{10a0}-\\u{10c5}\\u{13a0}-\\u{13f5}\\u{13f8}-\\u{13fd}\\u{1c90}-\\u{1cba}\\u{1cbd}-\\u{1cbf}\\u{1d00}-\\u{1d2b}\\u{1d6b}-\\u{1d77}\\u{1d79}-\\u{1d9a}\\u{1e00}-\\u{1f15}\\u{1f18}-\\u{1f1d}\\u{1f20}-\\u{1f45}\\u{1f48}-\\u{1f4d}\\u{1f50}-\\u{1f57}\\u{1f59}\\u{1f5b}\\u{1f5d}\\u{1f5f}-\\u{1f7d}\\u{1f80}-\\u{1fb4}\\u{1fb6}-\\u{1fbc}\\u{1fbe}\\u{1fc2}-\\u{1fc4}\\u{1fc6}-\\u{1fcc}\\u{1fd0}-\\u{1fd3}\\u{1fd6}-\\u{1fdb}\\u{1fe0}-\\u{1fec}\\u{1ff2}-\\u{1ff4}\\u{1ff6}-\\u{1ffc}\\u{2102}\\u{2107}\\u{210a}-\\u{2113}\\u{2115}\\u{2119}-\\u{211d}\\u{2124}\\u{2126}\\u{2128}\\u{212a}-\\u{212d}\\u{212f}-\\u{2134}\\u{2139}\\u{213c}-\\u{213f}\\u{2145}-\\u{2149}\\u{214e}\\u{2183}-\\u{2184}\\u{2c00}-\\u{2c7b}\\u{2c7e}-\\u{2ce4}\\u{2ceb}-\\u{2cee}\\u{2cf2}-\\u{2cf3}\\u{a640}-\\u{a66d}\\u{a680}-\\u{a69b}\\u{a722}-\\u{a76f}\\u{a771}-\\u{a787}\\u{a78b}-\\u{a78e}\\u{ab70}-\\u{abbf}\\u{fb00}-\\u{fb06}\\u{fb13}-\\u{fb17}\\u{ff21}-\\u{ff3a}\\u{ff41}-\\u{ff5a}\\u{10400}-\\u{1044f}\\u{104b0}-\\u{104d3}\\u{104d8}-\\u{104fb}\\u{10c80}-\\u{10cb2}\\u{10cc0}-\\u{10cf2}\\u{118a0}-\\u{118df}\\u{1e900}-\\u{1e943}";
const spelledPunctuation = "!-/:-~\\uff01-\\uff0f\\uff1a-\\uff5e\\u2018-\\u201f\\u3001-\\u3002";
const bloom = regex(" ?[^(\\s|.,!?\\u2026\\u3002\\uff0c\\u3001\\u0964\\u06d4\\u060c)]+");

/** Each name's expressions, applied one after the other inside the pieces that the ones before have left. */
const pretokenizers = {
  "gpt-2": [gpt2],
  "llama-bpe": [modern("\\p{N}{1,3}")],
  qwen2: [modern("\\p{N}")],
  qwen35: [modern("\\p{N}", "\\p{L}\\p{M}")],
  "gpt-4o": [cased("\\p{N}{1,3}", "(?:'[sStTmMdD]|'[rRvV][eE]|'[lL][lL])?")],
  tekken: [cased("\\p{N}")],
  "deepseek-coder": [/[\r\n]/gu, regex("\\s?\\p{L}+"), regex("\\s?\\p{P}+"), /[一-龥ࠀ-一가-\ud7ff]+/gu, regex("\\p{N}")],
  "deepseek-v3": [regex("\\p{N}{1,3}"), /[一-龥\u3040-\u30ff]+/gu, regex("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{\\|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")],
  "deepseek-llm": [/[\r\n]/gu, regex(`\\s?[${spelledLetters}]+`), regex(`\\s?[${spelledPunctuation}]+`), regex("\\s+$"), /[一-龥ࠀ-一가-\ud7ff]+/gu, regex("\\p{N}+")],
  laguna: [/[^\n]+|\n+/gu, modern("\\p{N}")],
  bloom: [bloom],
  viking: [bloom, regex("\\p{N}")],
  smollm: [regex("\\p{N}"), gpt2],
  falcon: [regex("[\\p{P}\\$\\+<=>\\^~\\|`]+"), gpt2, regex("[0-9][0-9][0-9]")],
  default: [regex("[\\p{P}\\$\\+<=>\\^~\\|]+"), gpt2, regex("\\p{N}+"), regex("[0-9][0-9][0-9]")],
};

/** @param {string[]} pieces @param {RegExp} expression */
function split(pieces, expression) {
  return pieces.flatMap((piece) => {
    const out = [];
    let at = 0;
    for (const match of piece.matchAll(expression)) {
      if (match.index > at) out.push(piece.slice(at, match.index));
      out.push(match[0]);
      at = match.index + match[0].length;
    }
    if (at < piece.length) out.push(piece.slice(at));
    return out;
  });
}

/** xorshift32: the same strings on every machine. */
let state = 20240607;
/** @param {number} n */
function below(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

const parts = [
  " ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u0085", "\u3000", "\ufeff", "'s", "'RE", "'ll", "'Ve", "'", "a", "Zebra", "it", "é", "e\u0301", "ß", "я", "中文",
  "ไทย", "हिन्दी", "שלום", "한", "1", "22", "333", "4096", "½", "٣", "Ⅷ", "𝟘", ".", "...", "?!", "-", "(", "»", "、", "_", "$", "+", "<=>", "^", "~", "|", "`", "€", "©", "=",
  "🦙", "😶\u200d🌫️", "\u0000", "\u0007", "\u007f", "\ufffd", "𐐷", "\u{e0001}", "ABC", "Äb", "xY", "/", "/\n", "かな・カナ", ",and", "\u200b",
];
/** Mostly from the list above; now and then any code point. */
function randomText() {
  let text = "";
  for (let n = 1 + below(14); n > 0; n--) {
    const cp = below(0x20000);
    text += below(8) || (cp >= 0xd800 && cp < 0xe000) ? parts[below(parts.length)] : String.fromCodePoint(cp);
  }
  return text;
}

/** @param {Iterable<number>} bytes */
function literal(bytes) {
  let out = "";
  for (const b of bytes) out += b >= 32 && b < 127 && !'"\\?'.includes(String.fromCharCode(b)) ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, "0")}`;
  return `"${out}"`;
}

const lines = [];
for (const [name, expressions] of Object.entries(pretokenizers)) {
  for (let i = 0; i < 150; i++) {
    const text = randomText();
    const pieces = expressions.reduce(split, [text]);
    const lengths = pieces.map((p) => Buffer.byteLength(p));
    if (Math.max(...lengths) > 255) continue;
    lines.push(`  {"${name}", ${Buffer.byteLength(text)}, ${literal(Buffer.from(text))}, ${lengths.length}, ${literal(lengths)}},`);
  }
}
writeFileSync(new URL("../tests/unit/pretokenize_cases.inc", import.meta.url), `/* Generated by tools/gen-pretokenize-cases.mjs from Unicode ${process.versions.unicode} (Node ${process.versions.node}). Do not edit.
 * Name, bytes and text, number of pieces and their lengths, a byte each. */
${lines.join("\n")}
`);
console.log(`${lines.length} cases`);

// @ts-check
/**
 * Makes the small default model: a valid llama with random weights and a real tokenizer, so that everything works before anyone has
 * downloaded anything. Its text is nonsense, and its name says so. The same file, byte for byte, on every machine.
 * Usage: node tools/make-home-model.mjs [output.gguf]     default: models/home-random.gguf
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { GgufWriter } from "./gguf-writer.mjs";

const N_LAYER = 4, N_EMBD = 96, N_HEAD = 3, N_HEAD_KV = 1, N_FF = 256, N_CTX = 2048, HEAD = N_EMBD / N_HEAD, SEED = 20;
const N_MERGES = 448;

/** Common English words, the most frequent first: the whole training text of the tokenizer. */
const WORDS = `the of and to in is that it was for on are with as at be this have from or had by not but what all were when we there can an your
which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make
than first been its who now people my made over did down only way find use may water long little very after words called just where most know get
through back much before go good new write our used me man too any day same right look think also around another came come work three word must
because does part even place well such here take why things help put years different away again off went old number great tell men say small every
found still between name should home big give air line set own under read last never us left end along while might next sound below saw something
thought both few those always looked show large often together asked house world going want school important until form food keep children feet land
side without boy once animals life enough took sometimes four head above kind began almost live page got earth need far hand high year mother light
parts country father let night following picture being study second eyes soon times story boys since white days ever paper hard near sentence better
best across during today others however sure means knew try told young miles sun ways thing whole hear example heard several change answer room sea
against top turned learn point city play toward five using himself usually money seen car morning given ground hold week music model tree garden
summer winter river dream open close begin question little friend window letter morning evening bridge mountain forest island silver golden quiet
gentle simple bright happy never ending listen speak remember forget carry follow gather wonder travel return journey village market kitchen table
machine engine language network memory computer number answer error signal pattern reason measure result process system energy matter science nature
history future present moment minute hour second century weather storm rain snow wind cloud shadow fire stone metal glass wood cotton bread butter
coffee sugar apple orange flower grass horse bird fish cat dog sheep wolf bear lion mouse rabbit king queen prince doctor teacher student farmer
sailor soldier writer artist painter player singer dancer hunter driver worker leader member brother sister daughter son husband wife family child
ing tion ment ness able less ful ly er est ed es un re in dis over under inter pre`.split(/\s+/);
const SPACE = "\u2581"; // how SentencePiece writes a blank
const LETTERS = [...`${SPACE}abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'"()-/+=*%&@#$<>[]{}_`];

/**
 * Byte-pair merges learned from the list, a word's weight falling with its rank as in real text.
 * @returns {string[]} pieces, the first learned first
 */
function learnPieces() {
  const words = WORDS.map((word, rank) => ({ parts: [SPACE, ...word], weight: Math.floor(100000 / (rank + 10)) }));
  /** @type {string[]} */
  const pieces = [];
  while (pieces.length < N_MERGES) {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { parts, weight } of words)
      for (let i = 0; i + 1 < parts.length; i++) counts.set(parts[i] + parts[i + 1], (counts.get(parts[i] + parts[i + 1]) ?? 0) + weight);
    const known = new Set(pieces);
    const best = [...counts].filter(([piece]) => !known.has(piece)).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
    if (!best) break;
    pieces.push(best[0]);
    for (const word of words)
      for (let i = 0; i + 1 < word.parts.length; i++) if (word.parts[i] + word.parts[i + 1] === best[0]) word.parts.splice(i, 2, best[0]);
  }
  return pieces;
}

/** token_type values of the format */
const TYPE = { normal: 1, unknown: 2, control: 3, byte: 6 };

/** @returns {{ text: string, score: number, type: number }[]} a SentencePiece vocabulary with byte fallback */
function makeVocabulary() {
  const control = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"].map((text) => ({ text, score: 0, type: TYPE.control }));
  const bytes = Array.from({ length: 256 }, (_, b) => ({ text: `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`, score: 0, type: TYPE.byte }));
  const learned = learnPieces().map((text, rank) => ({ text, score: -rank, type: TYPE.normal })); // the highest score merges first
  const letters = LETTERS.map((text, i) => ({ text, score: -N_MERGES - i, type: TYPE.normal }));
  return [{ text: "<unk>", score: 0, type: TYPE.unknown }, ...control, ...bytes, ...learned, ...letters];
}

/** Random numbers, about normal with deviation 1, from integer steps and sums only: the same on every engine. */
class Random {
  #state;
  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }
  #uniform() { // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  normal() {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.#uniform();
    return sum;
  }
  /** @param {number} n @param {number} deviation @param {number} [mean] */
  values(n, deviation, mean = 0) {
    return Float32Array.from({ length: n }, () => mean + deviation * this.normal());
  }
}

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** @param {GgufWriter} file @param {ReturnType<typeof makeVocabulary>} vocabulary */
function writeMetadata(file, vocabulary) {
  /** @param {string} text */
  const id = (text) => vocabulary.findIndex((token) => token.text === text);
  file
    .set("general.architecture", "string", "llama")
    .set("general.name", "string", "edge-net placeholder (random weights)")
    .set("general.description", "string", "Random weights: it shows that everything works, and writes nonsense.")
    .set("general.license", "string", "MIT")
    .set("general.file_type", "u32", 7)
    .set("general.quantization_version", "u32", 2)
    .set("llama.context_length", "u32", N_CTX)
    .set("llama.embedding_length", "u32", N_EMBD)
    .set("llama.block_count", "u32", N_LAYER)
    .set("llama.feed_forward_length", "u32", N_FF)
    .set("llama.attention.head_count", "u32", N_HEAD)
    .set("llama.attention.head_count_kv", "u32", N_HEAD_KV)
    .set("llama.attention.layer_norm_rms_epsilon", "f32", 1e-5)
    .set("llama.rope.dimension_count", "u32", HEAD)
    .set("llama.rope.freq_base", "f32", 10000)
    .set("llama.vocab_size", "u32", vocabulary.length)
    .set("tokenizer.ggml.model", "string", "llama")
    .set("tokenizer.ggml.pre", "string", "default")
    .setArray("tokenizer.ggml.tokens", "string", vocabulary.map((token) => token.text))
    .setArray("tokenizer.ggml.scores", "f32", vocabulary.map((token) => token.score))
    .setArray("tokenizer.ggml.token_type", "i32", vocabulary.map((token) => token.type))
    .set("tokenizer.ggml.unknown_token_id", "u32", id("<unk>"))
    .set("tokenizer.ggml.bos_token_id", "u32", id("<s>"))
    .set("tokenizer.ggml.eos_token_id", "u32", id("</s>"))
    .set("tokenizer.ggml.eot_token_id", "u32", id("<|im_end|>"))
    .set("tokenizer.ggml.add_bos_token", "bool", true)
    .set("tokenizer.ggml.add_eos_token", "bool", false)
    .set("tokenizer.ggml.add_space_prefix", "bool", true)
    .set("tokenizer.chat_template", "string", CHAT_TEMPLATE);
}

/**
 * A deviation of 1/sqrt(columns) keeps products near 1. The embedding is also the output matrix: its deviation sets how peaked the next
 * word is, and what the feed-forward part adds is made larger than it, or every word would predict itself. Tokens that are no words
 * (bytes, controls) get small rows and thus rarely win.
 * @param {GgufWriter} file @param {ReturnType<typeof makeVocabulary>} vocabulary
 */
function writeWeights(file, vocabulary) {
  const random = new Random(SEED);
  const embedding = random.values(vocabulary.length * N_EMBD, 0.2);
  vocabulary.forEach((token, i) => {
    if (token.type !== TYPE.normal) embedding.subarray(i * N_EMBD, (i + 1) * N_EMBD).forEach((v, k, row) => (row[k] = v / 16));
  });
  file.tensor("token_embd.weight", [vocabulary.length, N_EMBD], "Q8_0", embedding);
  /** @param {string} name @param {number} rows @param {number} columns @param {number} [gain] */
  const matrix = (name, rows, columns, gain = 1) => file.tensor(name, [rows, columns], "Q8_0", random.values(rows * columns, gain / Math.sqrt(columns)));
  /** @param {string} name */
  const norm = (name) => file.tensor(name, [N_EMBD], "F32", random.values(N_EMBD, 0.05, 1));
  for (let layer = 0; layer < N_LAYER; layer++) {
    const blk = `blk.${layer}`;
    norm(`${blk}.attn_norm.weight`);
    matrix(`${blk}.attn_q.weight`, N_EMBD, N_EMBD);
    matrix(`${blk}.attn_k.weight`, N_HEAD_KV * HEAD, N_EMBD);
    matrix(`${blk}.attn_v.weight`, N_HEAD_KV * HEAD, N_EMBD);
    matrix(`${blk}.attn_output.weight`, N_EMBD, N_EMBD);
    norm(`${blk}.ffn_norm.weight`);
    matrix(`${blk}.ffn_gate.weight`, N_FF, N_EMBD);
    matrix(`${blk}.ffn_up.weight`, N_FF, N_EMBD);
    matrix(`${blk}.ffn_down.weight`, N_EMBD, N_FF, 3);
  }
  norm("output_norm.weight");
}

/** @returns {Uint8Array} the model file */
export function makeHomeModel() {
  const file = new GgufWriter();
  const vocabulary = makeVocabulary();
  writeMetadata(file, vocabulary);
  writeWeights(file, vocabulary);
  return file.toBytes();
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const output = process.argv[2] ?? fileURLToPath(new URL("../models/home-random.gguf", import.meta.url));
  const bytes = makeHomeModel();
  mkdirSync(dirname(resolve(output)), { recursive: true });
  writeFileSync(output, bytes);
  console.log(`${output}: ${bytes.length} bytes`);
}

// @ts-check
/**
 * Writes core/text/unicode_table.inc from what this Node knows of Unicode: classes of code points (\p{..}), lower case, canonical decompositions; and
 * core/text/normalize_table.inc with what normal forms need besides.
 * Usage: node tools/gen-unicode.mjs   (no arguments; prints the tables' sizes)
 */
import { writeFileSync } from "node:fs";

/** Order = the value of EN_CP_* in core/text/unicode.h. White_Space comes first: some of its members are of another class too. */
const classes = [
  /** @type {const} */ (["EN_CP_SPACE", /^\p{White_Space}$/u]),
  /** @type {const} */ (["EN_CP_LETTER", /^\p{L}$/u]),
  /** @type {const} */ (["EN_CP_NUMBER", /^\p{N}$/u]),
  /** @type {const} */ (["EN_CP_PUNCTUATION", /^\p{P}$/u]),
  /** @type {const} */ (["EN_CP_SYMBOL", /^\p{S}$/u]),
  /** @type {const} */ (["EN_CP_MARK", /^[\p{Mc}\p{Me}]$/u]),
  /** @type {const} */ (["EN_CP_MARK_NONSPACING", /^\p{Mn}$/u]),
];

const LAST = 0x10ffff;
/** Runs in a block, and the distance that fits beside a class in 16 bits. */
const BLOCK = 16, FARTHEST = 0x1fff;
/** @param {number} cp surrogates are not characters */
const isCharacter = (cp) => cp < 0xd800 || cp > 0xdfff;
const all = Array.from({ length: LAST + 1 }, (_, cp) => cp).filter(isCharacter);

/** @param {number} cp @returns {number} 0: none of the classes */
function classOf(cp) {
  if (!isCharacter(cp)) return 0;
  const c = String.fromCodePoint(cp);
  return classes.findIndex(([, regex]) => regex.test(c)) + 1;
}

/** Runs of one class in blocks: where a block begins, and for each of its runs how far it begins behind the one before it, with its class. */
function classRuns() {
  /** @type {number[]} */ const starts = [], runs = [];
  for (let cp = 0, from = 0, last = -1; cp <= LAST; cp++) {
    const k = classOf(cp);
    if (k === last && cp - from < FARTHEST) continue; // a run that is too long for its field is two
    if (runs.length % BLOCK === 0) { starts.push(cp); from = cp; }
    runs.push((cp - from) * 8 + k);
    from = cp;
    last = k;
  }
  return { starts, runs };
}

/** Runs of code points that a fixed distance takes to lower case: first, last, step (1, or 2 where upper and lower case alternate), distance. */
function lowerRuns() {
  /** @type {{first: number, last: number, step: number, by: number}[]} */
  const runs = [];
  for (const cp of all) {
    const lower = String.fromCodePoint(cp).toLowerCase();
    const to = /** @type {number} */ (lower.codePointAt(0)); // U+0130 alone has two; the second is a mark
    if (to === cp) continue;
    const run = runs.at(-1);
    const gap = run ? cp - run.last : 0;
    if (run && run.by === to - cp && gap <= 2 && (run.first === run.last || run.step === gap)) {
      run.step = gap;
      run.last = cp;
    } else runs.push({ first: cp, last: cp, step: 1, by: to - cp });
  }
  return runs.flatMap(({ first, last, step, by }) => [first * 2 + (step - 1), last, by >>> 0]);
}

/** Code point -> its first and second part, to be taken apart again; runs of code points that have such. Hangul syllables follow from their number, so they are left out. */
function decompositions() {
  /** @type {Map<string, number>} */
  const composed = new Map(); // what an NFC character of one code point decomposes to
  for (const cp of all) composed.set(String.fromCodePoint(cp).normalize("NFD"), cp);
  const seconds = [0];
  /** @type {number[]} */ const starts = [], indices = [], firsts = [], chosen = [];
  let last = -1;
  for (const cp of all) {
    if (cp >= 0xac00 && cp <= 0xd7a3) continue;
    const parts = [...String.fromCodePoint(cp).normalize("NFD")];
    if (parts.length === 1 && parts[0].codePointAt(0) === cp) continue;
    const second = parts.length > 1 ? /** @type {number} */ (/** @type {string} */ (parts.at(-1)).codePointAt(0)) : 0;
    const rest = parts.length > 1 ? parts.slice(0, -1) : parts;
    const first = rest.length === 1 ? rest[0].codePointAt(0) : composed.get(rest.join(""));
    if (first === undefined) throw new Error(`U+${cp.toString(16)} has no decomposition in pairs`);
    if (!seconds.includes(second)) seconds.push(second);
    if (cp !== last + 1) { starts.push(cp); indices.push(firsts.length); }
    firsts.push(first);
    chosen.push(seconds.indexOf(second));
    last = cp;
  }
  if (seconds.length > 256) throw new Error("too many second parts");
  return { starts, indices: [...indices, firsts.length], firsts, chosen, seconds };
}

/**
 * Marks by the order that NFD brings them into: the canonical combining class by its rank, 1 the lowest, since Node does not tell the classes themselves.
 * Of two marks that stand in the wrong order, the first has the higher class; U+0345 is the only one of the highest. Runs of marks of one rank.
 */
function markRanks() {
  /** @param {number} a @param {number} b */
  const swaps = (a, b) => String.fromCodePoint(a, b).normalize("NFD") === String.fromCodePoint(b, a);
  const marks = all.filter((cp) => cp === 0x345 || (String.fromCodePoint(cp).normalize("NFD") === String.fromCodePoint(cp) && swaps(0x345, cp)));
  /** @type {number[][]} */ const ranks = [];
  for (const cp of marks) {
    let lo = 0, hi = ranks.length; // the first rank that is not below cp's
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (swaps(cp, ranks[mid][0])) lo = mid + 1;
      else hi = mid;
    }
    if (lo < ranks.length && !swaps(ranks[lo][0], cp)) ranks[lo].push(cp);
    else ranks.splice(lo, 0, [cp]);
  }
  const rankOf = new Map(ranks.flatMap((cps, i) => cps.map((cp) => /** @type {const} */ ([cp, i + 1]))));
  /** @type {number[]} */ const runs = [];
  for (let cp = 0, last = 0; cp <= LAST; cp++) {
    const rank = rankOf.get(cp) ?? 0;
    if (rank !== last) runs.push(cp * 256 + rank);
    last = rank;
  }
  return runs;
}

/** Pairs that NFC makes one: first part, second part, what they become; ascending by the first two. Hangul is left out. */
function compositions() {
  /** @type {number[][]} */ const pairs = [];
  for (const cp of all) {
    const c = String.fromCodePoint(cp), parts = [...c.normalize("NFD")];
    if ((cp >= 0xac00 && cp <= 0xd7a3) || parts.length === 1 || c.normalize("NFC") !== c) continue;
    const first = [...parts.slice(0, -1).join("").normalize("NFC")];
    if (first.length !== 1) throw new Error(`U+${cp.toString(16)} is not composed of a pair`);
    pairs.push([first[0], /** @type {string} */ (parts.at(-1)), c].map((x) => /** @type {number} */ (x.codePointAt(0))));
  }
  return pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1]).flat();
}

/** Code points whose compatibility decomposition is another one than the canonical: the code point, where its text begins in the pool. */
function compatibility() {
  /** @type {number[]} */ const entries = [], pool = [];
  for (const cp of all) {
    const c = String.fromCodePoint(cp), to = c.normalize("NFKD");
    if (to === c.normalize("NFD")) continue;
    entries.push(cp, pool.length);
    pool.push(...Array.from(to, (x) => /** @type {number} */ (x.codePointAt(0))));
  }
  return { entries: [...entries, LAST + 1, pool.length], pool };
}

/** @param {string} comment @param {8 | 16 | 32} bits @param {string} name @param {number[]} values */
function table(comment, bits, name, values) {
  const lines = [];
  for (let i = 0; i < values.length; i += 16) lines.push(values.slice(i, i + 16).map((r) => `0x${r.toString(16)}`).join(",") + ",");
  console.log(`${name}: ${values.length * bits / 8} bytes`);
  return `/* ${comment} */\nstatic const uint${bits}_t ${name}[${values.length}] = {\n${lines.join("\n")}\n};\n`;
}

const { starts, runs } = classRuns();
const parts = decompositions();
const compatible = compatibility();
const origin = `/* Generated by tools/gen-unicode.mjs from Unicode ${process.versions.unicode} (Node ${process.versions.node}). Do not edit. */\n`;
const text = `${origin}enum { UNICODE_BLOCK = ${BLOCK} };
` + table(`First code point of each block of UNICODE_BLOCK entries of unicode_runs, ascending.`, 32, "unicode_starts", starts)
  + table(`One entry per run of code points of one class: code points since the run before it began (0: it begins the block) * 8 + class. Classes:
 * 0 none, ${classes.map(([name], i) => `${i + 1} ${name}`).join(", ")}.`, 16, "unicode_runs", runs)
  + table(`Lower case: first code point * 2 + step - 1, last one, distance (modulo 2^32) of a run, ascending.`, 32, "unicode_lower", lowerRuns())
  + table(`Canonical decompositions: first code points of runs that have one, ascending.`, 32, "unicode_part_starts", parts.starts)
  + table(`The place of each run's first one in the next three tables; at the end their length.`, 16, "unicode_part_indices", parts.indices)
  + table(`First parts: the low 16 bits.`, 16, "unicode_firsts", parts.firsts.map((cp) => cp & 0xffff))
  + table(`The others.`, 8, "unicode_first_planes", parts.firsts.map((cp) => cp >> 16))
  + table(`Indices into unicode_seconds (0: there is one part).`, 8, "unicode_second_indices", parts.chosen)
  + table(`Second parts.`, 32, "unicode_seconds", parts.seconds);
writeFileSync(new URL("../core/text/unicode_table.inc", import.meta.url), text);
const normal = origin
  + table(`Ranks of the canonical combining classes, 0: no mark that changes its place. One entry per run of code points of one rank: first code point * 256 + rank, ascending.`, 32, "normalize_ranks", markRanks())
  + table(`Pairs that become one: first part, second part, what they become; ascending.`, 32, "normalize_pairs", compositions())
  + table(`Compatibility decompositions: code point, where its text begins in normalize_pool; ascending. The last entry is the end.`, 32, "normalize_compatible", compatible.entries)
  + table(`Their texts, fully decomposed.`, 32, "normalize_pool", compatible.pool);
writeFileSync(new URL("../core/text/normalize_table.inc", import.meta.url), normal);

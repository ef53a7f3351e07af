// @ts-check
/**
 * Templates of utterances: "turn (on) the [light|lamp] in the {room}".
 * [a|b] one of them; (a) a or nothing; {kind} or {name:kind} a slot. They nest. Expanding gives pieces, so that noise can leave what has to be copied alone.
 */

/** @typedef {{ next: () => number, below: (n: number) => number, pick: <T>(list: readonly T[]) => T, chance: (p: number) => boolean }} Random */
/** @typedef {{ text: string, open: boolean }} Piece `open`: a value to be copied letter by letter */
/** @typedef {{ text: string, value: unknown, open?: boolean }} Slot */
/** @typedef {string | { any: Node[] } | { all: Node[] } | { slot: string, kind: string }} Node */
/** @typedef {(kind: string) => Slot} Slots */

/** A small generator of random numbers (sfc32), the same everywhere. @param {number} seed @returns {Random} */
export function random(seed) {
  let a = 0x9e3779b9, b = 0x243f6a88, c = 0xb7e15162, d = seed | 0;
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  const below = (/** @type {number} */ n) => Math.floor(next() * n);
  return { next, below, pick: (list) => list[below(list.length)], chance: (p) => next() < p };
}

/** @param {string} text @returns {Node} */
export function parse(text) {
  let at = 0;
  /** @param {string} end */
  const alternatives = (end) => {
    const any = [];
    do any.push(sequence(`|${end}`)); while (text[at] === '|' && ++at);
    if (text[at++] !== end) throw new Error(`"${text}": ${end} is missing`);
    return any;
  };
  /** @param {string} until @returns {Node} */
  const sequence = (until) => {
    /** @type {Node[]} */ const all = [];
    let literal = '';
    const flush = () => { if (literal) all.push(literal); literal = ''; };
    while (at < text.length && !until.includes(text[at])) {
      const c = text[at++];
      if ('|])}'.includes(c)) throw new Error(`"${text}": unexpected ${c}`);
      if (!'[({'.includes(c)) { literal += c; continue; }
      flush();
      if (c === '[') all.push({ any: alternatives(']') });
      else if (c === '(') all.push({ any: ['', ...alternatives(')')] });
      else {
        const end = text.indexOf('}', at), name = text.slice(at, end), colon = name.indexOf(':');
        at = end + 1;
        all.push({ slot: colon < 0 ? name : name.slice(0, colon), kind: name.slice(colon + 1) });
      }
    }
    flush();
    return all.length === 1 ? all[0] : { all };
  };
  return sequence('');
}

/** @param {Node} node @param {Random} r @param {Slots} slots @returns {{ pieces: Piece[], values: Record<string, unknown> }} */
export function expand(node, r, slots) {
  /** @type {Piece[]} */ const pieces = [];
  /** @type {Record<string, unknown>} */ const values = {};
  const walk = (/** @type {Node} */ n) => {
    if (typeof n === 'string') pieces.push({ text: n, open: false });
    else if ('any' in n) walk(r.pick(n.any));
    else if ('all' in n) n.all.forEach(walk);
    else {
      const slot = slots(n.kind);
      values[n.slot] = slot.value;
      pieces.push({ text: slot.text, open: slot.open ?? false });
    }
  };
  walk(node);
  return { pieces: tidy(pieces), values };
}

/** No blank at the ends or after a blank: optional parts leave them. @param {Piece[]} pieces */
function tidy(pieces) {
  /** @type {Piece[]} */ const out = [];
  let blank = true;
  for (const p of pieces) {
    let text = p.text.replace(/ +/g, ' ');
    if (blank) text = text.trimStart();
    if (text) blank = text.endsWith(' '), out.push({ ...p, text });
  }
  const last = out.at(-1);
  if (last) last.text = last.text.trimEnd();
  return out;
}

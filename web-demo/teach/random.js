// @ts-check
/** A small random stream (mulberry32): the same seed gives the same paraphrases on every machine. */

/**
 * @typedef {object} Random
 * @property {() => number} next 0 <= x < 1
 * @property {(n: number) => number} below a whole number, 0 <= x < n
 * @property {<T>(list: readonly T[]) => T} pick
 * @property {(p: number) => boolean} chance
 * @property {<T>(list: readonly T[]) => T[]} shuffled
 */

/** @param {number} seed @returns {Random} */
export function random(seed) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (/** @type {number} */ n) => Math.floor(next() * n);
  return {
    next, below,
    pick: (list) => list[below(list.length)],
    chance: (p) => next() < p,
    shuffled: (list) => {
      const out = [...list];
      for (let i = out.length - 1; i > 0; i--) {
        const k = below(i + 1);
        [out[i], out[k]] = [out[k], out[i]];
      }
      return out;
    },
  };
}

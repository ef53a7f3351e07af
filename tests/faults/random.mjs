// @ts-check
// Seeded randomness: the same seed gives the same test, on every machine.

/** @typedef {{real(): number, int(n: number): number, pick<T>(list: readonly T[]): T, chance(p: number): boolean, bytes(n: number): Uint8Array, fork(): Random}} Random */

/** mulberry32, a 32-bit generator that passes what tests need. @param {number} seed @returns {Random} */
export function random(seed) {
  let state = seed >>> 0;
  function word() {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ state >>> 15, state | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return (t ^ t >>> 14) >>> 0;
  }
  return {
    real: () => word() / 2 ** 32,
    int(n) { return Math.floor(this.real() * n); },
    pick(list) { return /** @type {any} */ (list[this.int(list.length)]); },
    chance(p) { return this.real() < p; },
    bytes(n) {
      const words = new Uint32Array(Math.ceil(n / 4));
      for (let i = 0; i < words.length; i++) words[i] = word();
      return new Uint8Array(words.buffer, 0, n);
    },
    fork() { return random(word()); },
  };
}

/** The seed of a run: EDGE_NET_SEED to repeat one, else the given one. @param {number} usual */
export function seedOf(usual) { return Number(process.env.EDGE_NET_SEED ?? usual); }

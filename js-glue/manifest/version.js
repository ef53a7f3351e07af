// @ts-check
// Which of two versions is the later one: section 11 of SemVer 2.0.0.

/** Order of semantic versions: a release after its pre-releases. @param {string} a @param {string} b @returns {number} as for Array.sort */
export function compareVersions(a, b) {
  const [left, right] = [a, b].map((v) => {
    const [core, pre = null] = /** @type {string} */ (v.split('+')[0]).split(/-(.*)/s);
    return { core: /** @type {string} */ (core).split('.').map(Number), pre: pre === null ? null : pre.split('.') };
  });
  for (let i = 0; i < 3; i++) if (left.core[i] !== right.core[i]) return left.core[i] - right.core[i];
  if (left.pre === null || right.pre === null) return Number(left.pre === null) - Number(right.pre === null);
  for (let i = 0; i < Math.max(left.pre.length, right.pre.length); i++) {
    const by = comparePart(left.pre[i], right.pre[i]);
    if (by) return by;
  }
  return 0;
}
/** Numbers before words, fewer parts before more. @param {string | undefined} a @param {string | undefined} b */
function comparePart(a, b) {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  const numbers = [a, b].map((t) => /^\d+$/.test(t));
  if (numbers[0] && numbers[1]) return Number(a) - Number(b);
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}

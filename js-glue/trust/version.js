// @ts-check
// The order of semantic versions: semver.org, section 11.

/** @param {string} a @param {string} b both valid semantic versions @returns {number} negative: a is older; build metadata does not count */
export function compareVersions(a, b) {
  const [left, right] = [split(a), split(b)];
  return compareLists(left.core, right.core) || (left.pre && right.pre ? compareLists(left.pre, right.pre) : Number(!left.pre) - Number(!right.pre));
}

/** @param {string} version */
function split(version) {
  const [plain] = /** @type {[string]} */ (version.split('+'));
  const dash = plain.indexOf('-');
  return { core: (dash < 0 ? plain : plain.slice(0, dash)).split('.'), pre: dash < 0 ? null : plain.slice(dash + 1).split('.') };
}
/** @param {string[]} a @param {string[]} b */
function compareLists(a, b) {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareParts(/** @type {string} */ (a[i]), /** @type {string} */ (b[i]));
    if (order) return order;
  }
  return a.length - b.length;
}
/** Numbers before words; numbers of any length by value. @param {string} a @param {string} b */
function compareParts(a, b) {
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (x && y) return a.length - b.length || (a < b ? -1 : Number(a > b));
  if (x !== y) return x ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}

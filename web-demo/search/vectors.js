// @ts-check
/** Which vectors are closest to one. */

/**
 * By the cosine of their angle, after the mean of all was taken away: vectors of a language model share one large direction that says nothing.
 * @param {Float32Array} query @param {readonly Float32Array[]} vectors @returns {{ index: number, score: number }[]} the closest first
 */
export function closest(query, vectors) {
  const mean = new Float32Array(query.length);
  if (vectors.length > 2) for (const v of vectors) v.forEach((x, i) => { mean[i] += x / vectors.length; });
  const centred = (/** @type {Float32Array} */ v) => v.map((x, i) => x - mean[i]);
  const q = centred(query), length = norm(q);
  return vectors.map((v, index) => {
    const c = centred(v);
    return { index, score: q.reduce((sum, x, i) => sum + x * c[i], 0) / (length * norm(c) || 1) };
  }).sort((a, b) => b.score - a.score || a.index - b.index);
}

/** @param {Float32Array} v */
function norm(v) { return Math.sqrt(v.reduce((sum, x) => sum + x * x, 0)); }

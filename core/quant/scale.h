/* scale.h - choosing the scale of a block of symmetric integers: inline, shared by the block types. */
#ifndef EN_SCALE_H
#define EN_SCALE_H
#include "quant.h"
#include <math.h>

/* Value with the largest magnitude, sign kept (the first of equals). NaN is passed over. */
static inline float en_signed_max(const float *x, int32_t n) {
  float max = 0, size = 0; /* kept apart: clang 19 -O2 drops the first value when the loop unrolls and |max| is taken anew */
  for (int32_t i = 0; i < n; i++)
    if (fabsf(x[i]) > size) size = fabsf(x[i]), max = x[i];
  return max;
}

/* Nearest integer in [lo, hi], half away from zero; 0 for NaN, so that no input makes the conversion undefined. */
static inline int32_t en_round_to(float v, int32_t lo, int32_t hi) {
  if (!(v > (float)lo - 1)) return v == v ? lo : 0;
  if (!(v < (float)hi + 1)) return hi;
  const int32_t q = (int32_t)roundf(v);
  return EN_MIN(EN_MAX(q, lo), hi);
}

/* The d of x[i] ~ d q[i], q in [lo, hi], that minimises sum importance[i] (x[i] - d q[i])^2 over a few starting scales: for given q
 * the best d is sum(w q x) / sum(w q q), and it removes sum(w q x)^2 / sum(w q q) from the error. `max` (signed) first maps to about `peak`. */
static inline float en_best_scale(const float *x, const float *importance, int32_t n, int32_t lo, int32_t hi, float max, float peak) {
  enum { TRIES = 9 };
  float best_d = max / peak, best_gain = -1;
  if (max == 0) return 0;
  for (int32_t i = -TRIES; i <= TRIES; i++) {
    const float inverse = (peak + peak * 0.0125f * (float)i) / max;
    double qx = 0, qq = 0;
    for (int32_t j = 0; j < n; j++) {
      const double q = en_round_to(x[j] * inverse, lo, hi), w = (double)importance[j];
      qx += w * q * (double)x[j];
      qq += w * q * q;
    }
    if (!(qq > 0) || !((float)(qx * qx / qq) > best_gain)) continue;
    best_gain = (float)(qx * qx / qq);
    best_d = (float)(qx / qq);
  }
  return best_d;
}
#endif

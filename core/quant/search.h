/* search.h - what the encoders of the block types share: rounding as ggml rounds, and searches for the scale (and minimum) of a few
 * values. Integers q are chosen with a scale d so that sum w (x - d q)^2 gets small, w being the weights.
 * Source of the rules: ggml (ggml-quants.c), restated; sums run in the same order in single precision, so that the bytes are equal. */
#ifndef EN_SEARCH_H
#define EN_SEARCH_H
#include "scale.h"

enum { EN_SUPER = 256 /* elements of a super-block, the block of the K types */ };
#define EN_TINY 1e-15f /* a group whose values all stay below counts as zero */

/* Nearest integer, halves to even, held to [lo, hi]: |lo|, |hi| < 2^22. NaN gives lo, so that no input makes the conversion undefined. */
static inline int32_t en_nearest(float v, int32_t lo, int32_t hi) {
  if (!(v > (float)lo)) return lo;
  if (!(v < (float)hi)) return hi;
  return (int32_t)(v + 0x1.8p23f - 0x1.8p23f); /* between 2^23 and 2^24 floats are integers: the sum rounds */
}
/* floor(v) in [0, hi]; 0 for NaN */
static inline int32_t en_floor_to(float v, int32_t hi) { return v > 0 ? v < (float)hi ? (int32_t)v : hi : 0; }

/* A half behind p, as the float that decoding will see. */
static inline float en_put_f16(uint8_t *p, float f) {
  const uint16_t h = en_f32_to_f16(f);
  memcpy(p, &h, 2);
  return en_f16_to_f32(h);
}

/* y = x with 0 for NaN, so that one NaN spoils only itself. */
static inline void en_without_nan(float *y, const float *x, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = x[i] == x[i] ? x[i] : 0;
}

static inline float en_mean_square(const float *x, int32_t n) {
  float s = 0;
  for (int32_t i = 0; i < n; i++) s += x[i] * x[i];
  return s / (float)n;
}
/* Weights from importance: large values count more, as sqrt(s2 + x^2), where s2 is a mean square. Returns their sum. */
static inline float en_weigh(float *w, const float *x, const float *importance, int32_t n, float s2) {
  float sum = 0;
  for (int32_t i = 0; i < n; i++) sum += w[i] = importance[i] * sqrtf(s2 + x[i] * x[i]);
  return sum;
}
/* s2 of a row for the types with blocks of 32: its mean square without NaN. */
float en_row_square(const float *x, int64_t n);

/* Integers once more, now with the scale and minimum that decoding will see: q = nearest((x + min) / d). d = 0 leaves q as it is. */
static inline void en_requantize(int8_t *q, const float *x, int32_t n, float d, float min, int32_t lo, int32_t hi) {
  if (d == 0) return;
  for (int32_t i = 0; i < n; i++) q[i] = (int8_t)en_nearest((x[i] + min) / d, lo, hi);
}

/* x ~ d q, q in [-peak, peak - 1]: tries 19 scales near -peak / (x of largest magnitude) and takes the one that removes most of the
 * error. w: [n], NULL: x^2. Returns d and fills q. */
float en_fit_scale(const float *x, const float *w, int32_t n, int32_t peak, int8_t *q);
/* The same shape with w = x^2 and one starting scale, then moves one q at a time while that helps (5 sweeps at most). */
float en_fit_scale_sweep(const float *x, int32_t n, int32_t peak, int8_t *q);
/* x >= 0, q in [0, peak]: 9 starting scales, then sweeps. */
float en_fit_positive(const float *x, const float *w, int32_t n, int32_t peak, int8_t *q);
/* x ~ d q - min, q in [0, peak], min >= 0: for scales (first + step i + peak) / range, i = 0..tries, the q and then the best d and
 * min for them (two linear equations). `absolute`: least |error| decides, not its square. Returns d; fills q and *min. */
typedef struct { float first, step; int32_t tries, absolute; } en_affine_search;
float en_fit_affine(const float *x, const float *w, int32_t n, int32_t peak, en_affine_search s, int8_t *q, float *min);
#define EN_AFFINE_IMPORTANCE ((en_affine_search){-0.9f, 0.05f, 36, 0})

/* Head { f16 d, m } of a block of 32 of the types x ~ d q + m, q in [0, peak]; fills q[32]. importance: [32] or NULL; s2: of its row. NaN counts as 0. */
void en_put_affine(uint8_t *p, const float *x, const float *importance, float s2, int32_t peak, int8_t *q);
#endif

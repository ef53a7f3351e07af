/* search.c - the searches of search.h. The order of every sum is part of the result: equal bytes need equal rounding. */
#include "search.h"

float en_row_square(const float *x, int64_t n) {
  float s = 0;
  for (int64_t i = 0; i < n; i++) s += x[i] == x[i] ? x[i] * x[i] : 0;
  return s / (float)n;
}

/* What a choice of integers does: the best scale for them is qx / qq, and it removes qx^2 / qq of the error. */
typedef struct { float qx, qq; } gain;

static void gain_add(gain *g, float w, float x, int32_t q) {
  g->qx += w * x * (float)q;
  g->qq += w * (float)q * (float)q;
}

static gain round_all(const float *x, const float *w, int32_t n, float inverse, int32_t lo, int32_t hi, int8_t *q) {
  gain g = {0, 0};
  for (int32_t i = 0; i < n; i++) {
    q[i] = (int8_t)en_nearest(inverse * x[i], lo, hi);
    gain_add(&g, w ? w[i] : x[i] * x[i], x[i], q[i]);
  }
  return g;
}

/* Nothing to scale: d = 0 and, as in ggml, the integers whose bits are all zero. */
static float no_scale(int8_t *q, int32_t n, int32_t lo) {
  memset(q, lo, (size_t)n);
  return 0;
}

float en_fit_scale(const float *x, const float *w, int32_t n, int32_t peak, int8_t *q) {
  const float max = en_signed_max(x, n);
  if (!(fabsf(max) >= EN_TINY)) return no_scale(q, n, -peak);
  gain g = round_all(x, w, n, -(float)peak / max, -peak, peak - 1, q);
  float d = g.qq != 0 ? g.qx / g.qq : 0, best = d * g.qx;
  int8_t trial[32];
  for (int32_t i = -9; i <= 9; i++) {
    if (i == 0) continue;
    g = round_all(x, w, n, -((float)peak + 0.1f * (float)i) / max, -peak, peak - 1, trial);
    if (!(g.qq > 0 && g.qx * g.qx > best * g.qq)) continue;
    memcpy(q, trial, (size_t)n);
    d = g.qx / g.qq, best = d * g.qx;
  }
  return d;
}

/* Give single integers the value that is best for the others' scale, while the error falls. */
static void sweep(const float *x, const float *w, int32_t n, int32_t lo, int32_t hi, int8_t *q, gain *g) {
  for (int32_t round = 0, moved = 1; round < 5 && moved; round++) {
    moved = 0;
    for (int32_t i = 0; i < n; i++) {
      const float weight = w ? w[i] : x[i] * x[i];
      gain other = *g;
      other.qx -= weight * x[i] * (float)q[i];
      other.qq -= weight * (float)q[i] * (float)q[i];
      if (!(other.qx > 0)) continue;
      const int32_t better = en_nearest(x[i] * other.qq / other.qx, lo, hi);
      if (better == q[i]) continue;
      gain_add(&other, weight, x[i], better);
      if (!(other.qq > 0 && other.qx * other.qx * g->qq > g->qx * g->qx * other.qq)) continue;
      q[i] = (int8_t)better, *g = other, moved = 1;
    }
  }
}

float en_fit_scale_sweep(const float *x, int32_t n, int32_t peak, int8_t *q) {
  const float max = en_signed_max(x, n);
  if (!(fabsf(max) >= EN_TINY)) return no_scale(q, n, -peak);
  gain g = round_all(x, NULL, n, -(float)peak / max, -peak, peak - 1, q);
  sweep(x, NULL, n, -peak, peak - 1, q, &g);
  return g.qq > 0 ? g.qx / g.qq : 0;
}

float en_fit_positive(const float *x, const float *w, int32_t n, int32_t peak, int8_t *q) {
  float max = 0, best_inverse = 0, least = 0;
  for (int32_t i = 0; i < n; i++) max = EN_MAX(max, x[i]);
  if (!(max >= EN_TINY)) return no_scale(q, n, 0);
  for (int32_t t = 0; t < 9; t++) { /* 0, -4..-1, 1..4 tenths: of equals the plain scale wins */
    const int32_t tenths = t == 0 ? 0 : t <= 4 ? t - 5 : t - 4;
    const float inverse = (0.1f * (float)tenths + (float)peak) / max, d = 1 / inverse;
    float error = 0;
    for (int32_t i = 0; i < n; i++) {
      const float e = x[i] - d * (float)en_nearest(inverse * x[i], 0, peak);
      error += w[i] * e * e;
    }
    if (t == 0 || error < least) least = error, best_inverse = inverse;
  }
  gain g = round_all(x, w, n, best_inverse, 0, peak, q);
  sweep(x, w, n, 0, peak, q, &g);
  return g.qq > 0 ? g.qx / g.qq : 0;
}

static float affine_error(const float *x, const float *w, int32_t n, const int8_t *q, float d, float min, int32_t absolute) {
  float sum = 0;
  for (int32_t i = 0; i < n; i++) {
    const float e = d * (float)q[i] + min - x[i];
    sum += w[i] * (absolute ? fabsf(e) : e * e);
  }
  return sum;
}

typedef struct { float w, x, q, qq, qx; } affine_sums;

/* d and min (<= 0 here) that are best for given sums; 0 when the integers are all the same. */
static int solve(const affine_sums *s, float *d, float *min) {
  const float det = s->w * s->qq - s->q * s->q;
  if (!(det > 0)) return 0;
  *d = (s->w * s->qx - s->x * s->q) / det;
  *min = (s->qq * s->x - s->q * s->qx) / det;
  if (*min > 0) *min = 0, *d = s->qx / s->qq;
  return 1;
}

float en_fit_affine(const float *x, const float *w, int32_t n, int32_t peak, en_affine_search search, int8_t *q, float *min) {
  float low = x[0], high = x[0];
  affine_sums s = {.w = w[0], .x = w[0] * x[0]};
  for (int32_t i = 1; i < n; i++) {
    low = EN_MIN(low, x[i]), high = EN_MAX(high, x[i]);
    s.w += w[i], s.x += w[i] * x[i];
  }
  low = EN_MIN(low, 0);
  *min = -low;
  if (!(high > low)) return no_scale(q, n, 0);
  const float plain = (float)peak / (high - low);
  float best_d = 1 / plain;
  for (int32_t i = 0; i < n; i++) q[i] = (int8_t)en_nearest(plain * (x[i] - low), 0, peak);
  float least = affine_error(x, w, n, q, best_d, low, search.absolute);
  for (int32_t t = 0; t <= search.tries; t++) {
    const float inverse = (search.first + search.step * (float)t + (float)peak) / (high - low);
    int8_t trial[32];
    float d, m;
    s.q = s.qq = s.qx = 0;
    for (int32_t i = 0; i < n; i++) {
      const int32_t k = en_nearest(inverse * (x[i] - low), 0, peak);
      trial[i] = (int8_t)k;
      s.q += w[i] * (float)k;
      s.qq += w[i] * (float)k * (float)k;
      s.qx += w[i] * (float)k * x[i];
    }
    if (!solve(&s, &d, &m)) continue;
    const float error = affine_error(x, w, n, trial, d, m, search.absolute);
    if (!(error < least)) continue;
    memcpy(q, trial, (size_t)n);
    least = error, best_d = d, low = m; /* later tries start from the better minimum */
  }
  *min = -low;
  return best_d;
}

void en_put_affine(uint8_t *p, const float *x, const float *importance, float s2, int32_t peak, int8_t *q) {
  enum { N = 32 };
  float v[N], w[N], min;
  en_without_nan(v, x, N);
  if (importance) {
    en_weigh(w, v, importance, N, s2);
    en_put_f16(p, en_fit_affine(v, w, N, peak, EN_AFFINE_IMPORTANCE, q, &min));
    en_put_f16(p + 2, -min);
    return;
  }
  float low = v[0], high = v[0];
  for (int32_t k = 1; k < N; k++) low = EN_MIN(low, v[k]), high = EN_MAX(high, v[k]);
  const float d = (high - low) / (float)peak, inverse = d != 0 ? 1 / d : 0;
  for (int32_t k = 0; k < N; k++) {
    const float shifted = (v[k] - low) * inverse;
    q[k] = (int8_t)en_floor_to(shifted + 0.5f, peak);
  }
  en_put_f16(p, d);
  en_put_f16(p + 2, low);
}

/* rows.h - the element-wise and row kernels of kernels.def, for any vector layer. Formulas: kernels.def; the truth: ../ref/ref.c. */
#ifndef EN_ROWS_H
#define EN_ROWS_H
#include "simd.h"
#include <math.h>

/* The lanes of the last, ragged chunk of a sum: n of them, the rest zero. */
EN_OUTLINE void lanes_of(float *lanes, const float *x, int32_t n, float minus) {
  EN_ROLL for (int32_t i = 0; i < EN_LANES; i++) lanes[i] = i < n ? x[i] - minus : 0;
}

/* Sum of (x - mean)^2. */
EN_OUTLINE float sum_squares(const float *x, int32_t n, float mean) {
  vf s[EN_PARTS];
  const vf m = v_set(mean);
  int32_t i = 0;
  EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_zero();
  for (; i + EN_LANES <= n; i += EN_LANES)
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) {
      const vf d = v_sub(v_load(x + i + j * VL), m);
      s[j] = v_mac(d, d, s[j]);
    }
  if (i < n) {
    float lanes[EN_LANES];
    lanes_of(lanes, x + i, n - i, mean);
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_mac(v_load(lanes + j * VL), v_load(lanes + j * VL), s[j]);
  }
  return v_fold(s);
}

static void rms_norm(float *y, const float *x, const float *w, int32_t n, float eps) {
  const vf r = v_set(1 / sqrtf(sum_squares(x, n, 0) / (float)n + eps));
  for (int32_t i = 0; i < n; i += VL) v_store_n(y + i, v_mul(v_mul(v_load_n(x + i, n - i), r), v_load_n(w + i, n - i)), n - i);
}

EN_INLINE float sum(const float *x, int32_t n) {
  vf s[EN_PARTS];
  EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_zero();
  for (int32_t i = 0; i < n; i += EN_LANES)
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++)
      if (n - i > j * VL) s[j] = v_add(s[j], v_load_n(x + i + j * VL, n - i - j * VL));
  return v_fold(s);
}

static void layer_norm(float *y, const float *x, const float *w, const float *b, int32_t n, float eps) {
  const float mean = sum(x, n) / (float)n;
  const vf m = v_set(mean), r = v_set(1 / sqrtf(sum_squares(x, n, mean) / (float)n + eps));
  for (int32_t i = 0; i < n; i += VL) {
    const vf z = v_mul(v_mul(v_sub(v_load_n(x + i, n - i), m), r), v_load_n(w + i, n - i));
    v_store_n(y + i, b ? v_add(z, v_load_n(b + i, n - i)) : z, n - i);
  }
}

static void add(float *y, const float *a, const float *b, int32_t n) {
  for (int32_t i = 0; i < n; i += VL) v_store_n(y + i, v_add(v_load_n(a + i, n - i), v_load_n(b + i, n - i)), n - i);
}

static void times(float *y, const float *a, const float *b, int32_t n) {
  for (int32_t i = 0; i < n; i += VL) v_store_n(y + i, v_mul(v_load_n(a + i, n - i), v_load_n(b + i, n - i)), n - i);
}

static void scale(float *y, const float *x, float s, int32_t n) {
  for (int32_t i = 0; i < n; i += VL) v_store_n(y + i, v_mul(v_set(s), v_load_n(x + i, n - i)), n - i);
}

static void axpy(float *y, const float *x, float s, int32_t n) {
  for (int32_t i = 0; i < n; i += VL) v_store_n(y + i, v_mac(v_set(s), v_load_n(x + i, n - i), v_load_n(y + i, n - i)), n - i);
}

static float dot(const float *a, const float *b, int32_t n) {
  vf s[EN_PARTS];
  int32_t i = 0;
  EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_zero();
  for (; i + EN_LANES <= n; i += EN_LANES)
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_mac(v_load(a + i + j * VL), v_load(b + i + j * VL), s[j]);
  if (i < n) {
    float la[EN_LANES], lb[EN_LANES];
    lanes_of(la, a + i, n - i, 0), lanes_of(lb, b + i, n - i, 0);
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_mac(v_load(la + j * VL), v_load(lb + j * VL), s[j]);
  }
  return v_fold(s);
}

static float scan(float *s, const float *b, const float *c, float decay, float x, int32_t n) {
  const vf d = v_set(decay), f = v_set(x);
  vf sums[EN_PARTS];
  int32_t i = 0;
  EN_UNROLL for (int j = 0; j < EN_PARTS; j++) sums[j] = v_zero();
  for (; i + EN_LANES <= n; i += EN_LANES)
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) {
      const vf v = v_mac(f, v_load(b + i + j * VL), v_mul(d, v_load(s + i + j * VL)));
      v_store(s + i + j * VL, v);
      sums[j] = v_mac(v, v_load(c + i + j * VL), sums[j]);
    }
  if (i < n) {
    float ls[EN_LANES], lb[EN_LANES], lc[EN_LANES];
    lanes_of(ls, s + i, n - i, 0), lanes_of(lb, b + i, n - i, 0), lanes_of(lc, c + i, n - i, 0);
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) {
      const vf v = v_mac(f, v_load(lb + j * VL), v_mul(d, v_load(ls + j * VL)));
      v_store(ls + j * VL, v);
      sums[j] = v_mac(v, v_load(lc + j * VL), sums[j]);
    }
    memcpy(s + i, ls, (size_t)(n - i) * sizeof *s);
  }
  return v_fold(sums);
}

static void silu_mul(float *y, const float *g, const float *u, int32_t n) {
  for (int32_t i = 0; i < n; i += VL) {
    const vf v = v_load_n(g + i, n - i);
    v_store_n(y + i, v_mul(v_mul(v, v_sigmoid(v)), v_load_n(u + i, n - i)), n - i);
  }
}

/* 0.5 (1 + tanh z) = sigmoid(2 z) */
static void gelu_mul(float *y, const float *g, const float *u, int32_t n) {
  const vf k = v_set(2 * 0.79788456f), c = v_set(0.044715f);
  for (int32_t i = 0; i < n; i += VL) {
    const vf v = v_load_n(g + i, n - i), z = v_mul(k, v_mac(v_mul(v_mul(c, v), v), v, v)), r = v_mul(v, v_sigmoid(z));
    v_store_n(y + i, u ? v_mul(r, v_load_n(u + i, n - i)) : r, n - i);
  }
}

static void gelu_erf(float *y, const float *g, int32_t n) {
  for (int32_t i = 0; i < n; i += VL) v_store_n(y + i, v_gelu_erf(v_load_n(g + i, n - i)), n - i);
}

static void softcap(float *y, const float *x, float cap, int32_t n) {
  for (int32_t i = 0; i < n; i += VL) v_store_n(y + i, v_mul(v_set(cap), v_tanh(v_div(v_load_n(x + i, n - i), v_set(cap)))), n - i);
}

/* Largest of n floats, NaN left out; -infinity if there is none. */
EN_OUTLINE float top(const float *x, int32_t n) {
  vf m = v_set(-INFINITY);
  int32_t i = 0;
  EN_ROLL for (; i + VL <= n; i += VL) {
    const vf v = v_load(x + i);
    m = v_select(v_gt(v, m), v, m);
  }
  float best = v_top(m);
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  return best;
}

static float exp_sum(float *y, const float *x, float m, int32_t n) {
  vf s[EN_PARTS];
  int32_t i = 0;
  EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_zero();
  for (; i + EN_LANES <= n; i += EN_LANES)
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) {
      const vf e = v_exp(v_sub(v_load(x + i + j * VL), v_set(m)));
      v_store(y + i + j * VL, e);
      s[j] = v_add(s[j], e);
    }
  if (i < n) {
    float lanes[EN_LANES];
    lanes_of(lanes, x + i, n - i, m);
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) v_store(lanes + j * VL, v_exp(v_load(lanes + j * VL)));
    EN_ROLL for (int32_t k = 0; k < EN_LANES; k++) {
      if (i + k < n) y[i + k] = lanes[k];
      else lanes[k] = 0;
    }
    EN_UNROLL for (int j = 0; j < EN_PARTS; j++) s[j] = v_add(s[j], v_load(lanes + j * VL));
  }
  return v_fold(s);
}

static void softmax(float *y, const float *x, int32_t n) {
  const float sum = exp_sum(y, x, top(x, n), n);
  scale(y, y, 1 / sum, n);
}

static void rope_pairs(float *x, const float *cs, int32_t n_head, int32_t head, int32_t rot) {
  for (int32_t h = 0; h < n_head; h++, x += head)
    for (int32_t i = 0; i + 1 < rot; i += 2) {
      const float a = x[i], b = x[i + 1];
      x[i] = a * cs[i] - b * cs[i + 1];
      x[i + 1] = a * cs[i + 1] + b * cs[i];
    }
}

static void rope_halves(float *x, const float *cs, int32_t n_head, int32_t head, int32_t rot) {
  const int32_t half = rot / 2;
  for (int32_t h = 0; h < n_head; h++, x += head)
    for (int32_t i = 0; i < half; i++) {
      const float a = x[i], b = x[i + half];
      x[i] = a * cs[2 * i] - b * cs[2 * i + 1];
      x[i + half] = a * cs[2 * i + 1] + b * cs[2 * i];
    }
}

static void to_f16(uint16_t *y, const float *x, int32_t n) {
  int32_t i = 0;
  for (; i + VL <= n; i += VL) v_store_f16(y + i, v_load(x + i));
  for (; i < n; i++) y[i] = en_f32_to_f16(x[i]);
}

static int32_t argmax(const float *x, int32_t n) {
  const float best = top(x, n);
  if (best == -INFINITY) return -1;
  int32_t i = 0;
  while (i + VL <= n && !v_any(v_eq(v_load(x + i), v_set(best)))) i += VL;
  while (i < n && x[i] != best) i++;
  return i < n ? i : -1;
}
#endif

/* ref.c - every kernel in plain C, sums in double: the numerical truth that all other tables are tested against.
 * Its only product is f32; en_matmul decodes the other weight types to f32 panels for it. */
#include "ref.h"
#include <math.h>

/* ---- products ---- */
static double number(const uint8_t *numbers, size_t i) { /* wherever they lie */
  float v;
  memcpy(&v, numbers + i * sizeof v, sizeof v);
  return (double)v;
}

void en_ref_mul_f32(const en_mm *a, int32_t r0, int32_t r1) {
  for (int32_t r = r0; r < r1; r++) {
    const size_t w = (size_t)(r / EN_R * EN_R) * (size_t)a->cols + (size_t)(r % EN_R); /* [cols][EN_R] */
    for (int32_t t = 0; t < a->T; t++) {
      const float *x = (const float *)a->x + (size_t)t * a->ldx;
      float *y = a->y + (size_t)t * a->ldy + r;
      double s = (a->add ? (double)*y : 0) + (a->bias ? (double)a->bias[r] : 0);
      for (int32_t c = 0; c < a->cols; c++) s += number(a->w, w + (size_t)c * EN_R) * (double)x[c];
      *y = (float)s;
    }
  }
}

void en_ref_mul_t_f32(const en_mm_t *a, int32_t c0, int32_t c1) {
  for (int32_t t = 0; t < a->T; t++)
    for (int32_t c = c0; c < c1; c++) {
      const float *dy = a->dy + (size_t)t * a->lddy;
      float *dx = a->dx + (size_t)t * a->lddx + c;
      double s = (double)*dx;
      for (int32_t r = 0; r < a->rows; r++)
        s += (double)dy[r] * number(a->w, (size_t)(r / EN_R * EN_R) * (size_t)a->cols + (size_t)c * EN_R + (size_t)(r % EN_R));
      *dx = (float)s;
    }
}

void en_ref_outer(const en_outer *a, int32_t r0, int32_t r1) {
  for (int32_t r = r0; r < r1; r++)
    for (int32_t c = 0; c < a->cols; c++) {
      float *dw = a->dw + (size_t)(r / EN_R * EN_R) * (size_t)a->cols + (size_t)c * EN_R + (size_t)(r % EN_R);
      double s = (double)*dw;
      for (int32_t t = 0; t < a->T; t++) s += (double)a->dy[(size_t)t * a->lddy + (size_t)r] * (double)a->x[(size_t)t * a->ldx + (size_t)c];
      *dw = (float)s;
    }
}

/* ---- rows ---- */
static void rms_norm(float *y, const float *x, const float *w, int32_t n, float eps) {
  double s = 0;
  for (int32_t i = 0; i < n; i++) s += (double)x[i] * (double)x[i];
  const double r = 1 / sqrt(s / (double)n + (double)eps);
  for (int32_t i = 0; i < n; i++) y[i] = (float)((double)x[i] * r * (double)w[i]);
}

static void layer_norm(float *y, const float *x, const float *w, const float *b, int32_t n, float eps) {
  double mean = 0, var = 0;
  for (int32_t i = 0; i < n; i++) mean += (double)x[i];
  mean /= (double)n;
  for (int32_t i = 0; i < n; i++) var += ((double)x[i] - mean) * ((double)x[i] - mean);
  const double r = 1 / sqrt(var / (double)n + (double)eps);
  for (int32_t i = 0; i < n; i++) y[i] = (float)(((double)x[i] - mean) * r * (double)w[i] + (b ? (double)b[i] : 0));
}

static void add(float *y, const float *a, const float *b, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void times(float *y, const float *a, const float *b, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

static void scale(float *y, const float *x, float s, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = s * x[i];
}

static void axpy(float *y, const float *x, float s, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = (float)((double)y[i] + (double)s * (double)x[i]);
}

static float dot(const float *a, const float *b, int32_t n) {
  double s = 0;
  for (int32_t i = 0; i < n; i++) s += (double)a[i] * (double)b[i];
  return (float)s;
}

static float scan(float *s, const float *b, const float *c, float decay, float x, int32_t n) {
  scale(s, s, decay, n);
  axpy(s, b, x, n);
  return dot(s, c, n);
}

static void silu_mul(float *y, const float *g, const float *u, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = (float)((double)g[i] / (1 + exp(-(double)g[i])) * (double)u[i]);
}

static void gelu_mul(float *y, const float *g, const float *u, int32_t n) {
  const double k = 0.79788456080286535588; /* sqrt(2 / pi) */
  for (int32_t i = 0; i < n; i++) {
    const double v = (double)g[i];
    y[i] = (float)(0.5 * v * (1 + tanh(k * (v + 0.044715 * v * v * v))) * (u ? (double)u[i] : 1));
  }
}

static void gelu_erf(float *y, const float *g, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = (float)(0.5 * (double)g[i] * erfc(-(double)g[i] * 0.70710678118654752440));
}

static void softcap(float *y, const float *x, float cap, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = (float)((double)cap * tanh((double)x[i] / (double)cap));
}

static void softmax(float *y, const float *x, int32_t n) {
  double m = -INFINITY, s = 0;
  for (int32_t i = 0; i < n; i++) m = (double)x[i] > m ? (double)x[i] : m;
  for (int32_t i = 0; i < n; i++) s += exp((double)x[i] - m);
  for (int32_t i = 0; i < n; i++) y[i] = (float)(exp((double)x[i] - m) / s);
}

static float exp_sum(float *y, const float *x, float m, int32_t n) {
  double s = 0;
  for (int32_t i = 0; i < n; i++) {
    const double e = exp((double)x[i] - (double)m);
    y[i] = (float)e;
    s += e;
  }
  return (float)s;
}

static void rotate(float *a, float *b, const float *cs) {
  const double x = (double)*a, y = (double)*b, c = (double)cs[0], s = (double)cs[1];
  *a = (float)(x * c - y * s);
  *b = (float)(x * s + y * c);
}

static void rope_pairs(float *x, const float *cs, int32_t n_head, int32_t head, int32_t rot) {
  for (int32_t h = 0; h < n_head; h++, x += head)
    for (int32_t i = 0; i < rot / 2; i++) rotate(x + 2 * i, x + 2 * i + 1, cs + 2 * i);
}

static void rope_halves(float *x, const float *cs, int32_t n_head, int32_t head, int32_t rot) {
  for (int32_t h = 0; h < n_head; h++, x += head)
    for (int32_t i = 0; i < rot / 2; i++) rotate(x + i, x + i + rot / 2, cs + 2 * i);
}

static void to_f16(uint16_t *y, const float *x, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = en_f32_to_f16(x[i]);
}

static int32_t argmax(const float *x, int32_t n) {
  int32_t best = -1;
  float m = -INFINITY;
  for (int32_t i = 0; i < n; i++)
    if (x[i] > m) m = x[i], best = i;
  return best;
}

/* ---- attention: two passes over the scores, nothing clever ---- */
static double kv_at(const en_attend *a, const void *base, int32_t p, int32_t e) {
  const uint8_t *row = (const uint8_t *)base + (size_t)p * en_kv_row_bytes(a->kv_type, a->E), *block = row + e / 32 * 34;
  if (a->kv_type == EN_KV_Q8_0) return (double)en_f16_to_f32(en_rd16(block)) * (int8_t)block[2 + e % 32];
  return (a->kv_type == EN_KV_F16 ? (double)en_f16_to_f32(en_rd16(row + 2 * e)) : number(row, (size_t)e));
}

static double score(const en_attend *a, const float *q, int32_t p) {
  double s = 0;
  for (int32_t e = 0; e < a->E; e++) s += (double)q[e] * kv_at(a, a->k, p, e);
  s *= (double)a->scale;
  return a->softcap > 0 ? (double)a->softcap * tanh(s / (double)a->softcap) : s;
}

static void attend(const en_attend *a) {
  enum { SLICE = 64 }; /* outputs held at once; the scores are computed anew for each slice */
  for (int32_t i = 0; i < a->T * a->G; i++) {
    const int32_t t = i / a->G, g = i % a->G;
    const float *q = a->q + (size_t)t * a->ldq + (size_t)g * (size_t)a->E;
    float *o = a->o + (size_t)t * a->ldo + (size_t)g * (size_t)a->E;
    double m = -INFINITY, l = 0;
    for (int32_t p = a->lo[t]; p < a->hi[t]; p++) m = fmax(m, score(a, q, p));
    for (int32_t p = a->lo[t]; p < a->hi[t]; p++) l += exp(score(a, q, p) - m);
    for (int32_t e0 = 0; e0 < a->E; e0 += SLICE) {
      const int32_t n = EN_MIN(SLICE, a->E - e0);
      double sum[SLICE] = {0};
      for (int32_t p = a->lo[t]; p < a->hi[t]; p++) {
        const double w = exp(score(a, q, p) - m);
        for (int32_t e = 0; e < n; e++) sum[e] += w * kv_at(a, a->v, p, e0 + e);
      }
      for (int32_t e = 0; e < n; e++) o[e0 + e] = (float)(sum[e] / l);
    }
    if (a->lse) a->lse[(size_t)t * a->ldlse + (size_t)g] = (float)(m + log(l));
  }
}

static void outer(const en_outer *a, int32_t r0, int32_t r1) { en_ref_outer(a, r0, r1); }

static const en_form forms[] = {{NULL, NULL}};
static const en_product products[] = {{EN_F32, 0, en_ref_mul_f32, en_ref_mul_t_f32}};

const en_kernels en_kernels_ref = {
  .name = "ref",
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};

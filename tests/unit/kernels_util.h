/* kernels_util.h - what the kernel tests share: random data, weights, comparison. */
#ifndef EN_KERNELS_UTIL_H
#define EN_KERNELS_UTIL_H
#include "../../core/kernels/kernels.h"
#include "test.h"

static uint64_t draw_at;
static inline double draw(void) { return en_uniform(20, draw_at++); }                          /* [0, 1) */
static inline float draw_f(float size) { return (float)((draw() * 2 - 1) * (double)size); }
static inline int draw_int(int lo, int hi) { return lo + (int)(draw() * (double)(hi - lo + 1)); } /* [lo, hi] */
static inline void draw_row(float *x, size_t n, float size) {
  for (size_t i = 0; i < n; i++) x[i] = draw_f(size);
}

/* Exactly n elements behind one another on the heap, so that a sanitizer sees the first byte too many. */
static inline void *take(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  if (!p) { printf("out of memory\n"); exit(2); }
  return p;
}
static inline float *take_f(size_t n) { return take(n * sizeof(float)); }
static inline float *draw_new(size_t n, float size) {
  float *x = take_f(n);
  draw_row(x, n, size);
  return x;
}

/* Take the plain rows at data; pack all whole groups if `packed`. */
static inline en_weight weight_of(const en_type *type, uint8_t *data, int32_t rows, int32_t cols, int packed) {
  en_weight w = {type, data, rows, cols, packed ? rows / EN_R * EN_R : 0};
  const int32_t n_blocks = cols / type->block;
  void *scratch = take(EN_R * en_row_bytes(&w));
  for (int32_t r = 0; r < w.n_packed; r += EN_R) en_pack_group(type, data + (size_t)r * en_row_bytes(&w), n_blocks, scratch);
  free(scratch);
  return w;
}
static inline en_weight weight_random(const en_type *type, int32_t rows, int32_t cols, int packed) {
  const size_t n = (size_t)rows * (size_t)cols;
  float *x = draw_new(n, 0.5f);
  uint8_t *data = take(n / (size_t)type->block * (size_t)type->block_bytes);
  type->encode(data, x, (int64_t)n, NULL);
  free(x);
  return weight_of(type, data, rows, cols, packed);
}
static inline void weight_free(en_weight *w) { free((void *)(uintptr_t)w->data); }
/* All of W as f32 [rows, cols]. */
static inline float *weight_floats(const en_weight *w) {
  float *f = take_f((size_t)w->rows * (size_t)w->cols);
  void *scratch = take(en_row_bytes(w));
  for (int32_t r = 0; r < w->rows; r++) en_weight_row(f + (size_t)r * (size_t)w->cols, w, r, scratch);
  free(scratch);
  return f;
}

static inline en_kernels table(const char *name) {
  en_kernels k;
  en_why why;
  if (en_kernels_pick(&k, name, &why) != EN_OK) { printf("%s\n", why.text); exit(2); }
  return k;
}
/* Does the table round activations to 8 bits for this type? */
static inline int int8_product(const en_kernels *k, int32_t type) {
  for (int32_t i = 0; i < k->n_products; i++)
    if (k->products[i].type == type) return k->products[i].form != 0;
  return 0;
}
/* y[T, rows] = x[T, cols] W^T */
static inline void multiply(const en_kernels *k, const en_host *host, const en_weight *w, const float *x, int32_t T, float *y) {
  const en_out out = {.w = w, .y = y, .ldy = (size_t)w->rows};
  void *scratch = aligned_alloc(EN_ALIGN, en_matmul_scratch(k, w->cols, T, host ? host->n_lanes : 1));
  en_matmul(k, host, x, (size_t)w->cols, T, &out, 1, scratch);
  free(scratch);
}
static inline void multiply_t(const en_kernels *k, const en_host *host, const en_weight *w, const float *dy, int32_t T, float *dx) {
  void *scratch = aligned_alloc(EN_ALIGN, en_matmul_scratch(k, w->cols, T, host ? host->n_lanes : 1));
  en_matmul_t(k, host, w, dy, (size_t)w->rows, dx, (size_t)w->cols, T, scratch);
  free(scratch);
}

/* A failed comparison names the table and the case. */
static inline void check_rms(const float *got, const float *want, size_t n, double bound, const char *table_name, const char *what, int32_t a, int32_t b) {
  const double rms = test_rel_rms(got, want, n);
  char m[200];
  snprintf(m, sizeof m, "%s %s (%d, %d): relative RMS %.3g above %.3g", table_name, what, (int)a, (int)b, rms, bound);
  test_check(rms <= bound, m, __FILE__, __LINE__);
}
static inline void check_same(const float *got, const float *want, size_t n, const char *table_name, const char *what, int32_t a, int32_t b) {
  char m[200];
  snprintf(m, sizeof m, "%s %s (%d, %d): not the same bits", table_name, what, (int)a, (int)b);
  test_check(!memcmp(got, want, n * sizeof(float)), m, __FILE__, __LINE__);
}
/* Each element within rel of the wanted one, or within abs. */
static inline void check_each(const float *got, const float *want, size_t n, double rel, double abs, const char *table_name, const char *what, int32_t a, int32_t b) {
  for (size_t i = 0; i < n; i++) {
    const double d = fabs((double)got[i] - (double)want[i]);
    if (d <= rel * fabs((double)want[i]) || d <= abs || (isnan(got[i]) && isnan(want[i])) || got[i] == want[i]) continue;
    char m[200];
    snprintf(m, sizeof m, "%s %s (%d, %d): element %zu is %.9g, expected %.9g", table_name, what, (int)a, (int)b, i, (double)got[i], (double)want[i]);
    test_check(0, m, __FILE__, __LINE__);
    return;
  }
  test_check(1, "", __FILE__, __LINE__);
}
#endif

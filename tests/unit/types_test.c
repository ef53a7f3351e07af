/* types_test.c - every weight type runs on every table: a weight [40, 512], packed and plain (rows 32..39 always are), against its
 * decoded floats summed in double; and importance and NaN in the types that have a search. */
#include "kernels_util.h"

enum { ROWS = 40, COLS = 512, T = 5 };

static void check_type(const en_kernels *k, const en_type *type, int packed) {
  const uint64_t start = draw_at;
  en_weight plain = weight_random(type, ROWS, COLS, 0);
  draw_at = start; /* the same numbers once more */
  en_weight w = weight_random(type, ROWS, COLS, packed);
  float *f = take_f(ROWS * COLS), *rows = weight_floats(&w), *x = draw_new(T * COLS, 1), *dy = draw_new(T * ROWS, 1);
  float *y = take_f(T * ROWS), *want = take_f(T * ROWS), *dx = take_f(T * COLS), *want_dx = take_f(T * COLS);
  type->decode(f, plain.data, ROWS * COLS);
  CHECK_EQ(w.n_packed, packed ? 32 : 0);
  check_same(rows, f, ROWS * COLS, k->name, type->name, ROWS, packed);
  for (int32_t t = 0; t < T; t++) {
    for (int32_t r = 0; r < ROWS; r++) {
      double s = 0;
      for (int32_t c = 0; c < COLS; c++) s += (double)f[r * COLS + c] * (double)x[t * COLS + c];
      want[t * ROWS + r] = (float)s;
    }
    for (int32_t c = 0; c < COLS; c++) {
      double s = 0;
      for (int32_t r = 0; r < ROWS; r++) s += (double)f[r * COLS + c] * (double)dy[t * ROWS + r];
      want_dx[t * COLS + c] = (float)s;
    }
  }
  memset(dx, 0, T * COLS * sizeof(float));
  multiply(k, NULL, &w, x, T, y);
  multiply_t(k, NULL, &w, dy, T, dx);
  check_rms(y, want, T * ROWS, packed && int8_product(k, type->id) ? 1e-2 : 2e-6, k->name, type->name, ROWS, packed);
  check_rms(dx, want_dx, T * COLS, en_narrows(&w) ? 2e-4 : 2e-6, k->name, type->name, COLS, packed);
  free(f), free(rows), free(x), free(dy), free(y), free(want), free(dx), free(want_dx), weight_free(&plain), weight_free(&w);
}

/* Squared error, weighted, of x after one encoding. */
static double error_of(const en_type *type, const float *x, const float *w, const float *importance) {
  float y[COLS];
  uint8_t blocks[4 * COLS];
  double e = 0;
  type->encode(blocks, x, COLS, importance);
  type->decode(y, blocks, COLS);
  for (int32_t i = 0; i < COLS; i++) e += (double)w[i] * pow((double)x[i] - (double)y[i], 2);
  return e;
}

static void check_encoder(const en_type *type) {
  const int ternary = strncmp(type->name, "TQ", 2) == 0;
  double with = 0, without = 0;
  float x[COLS], w[COLS], zero[COLS] = {0};
  for (int32_t round = 0; round < 20; round++) {
    for (int32_t i = 0; i < COLS; i++) x[i] = draw_f(1) + draw_f(1) + draw_f(1), w[i] = (float)exp(4 * draw() - 2);
    with += error_of(type, x, w, w);
    without += error_of(type, x, w, NULL);
  }
  char m[120];
  snprintf(m, sizeof m, "%s: weighted error with importance %.4g, without %.4g", type->name, with, without);
  test_check(type->block == 1 || ternary ? !(with > without || with < without) : with < without, m, __FILE__, __LINE__);
  CHECK(isfinite(error_of(type, x, w, zero))); /* nothing matters: still finite */
  if (type->block == 1) return;
  uint8_t nan_blocks[4 * COLS], zero_blocks[4 * COLS];
  x[7] = NAN;
  type->encode(nan_blocks, x, COLS, NULL);
  x[7] = 0;
  type->encode(zero_blocks, x, COLS, NULL);
  CHECK(!memcmp(nan_blocks, zero_blocks, (size_t)(COLS / type->block * type->block_bytes)));
}

int main(void) {
  for (int32_t i = 0; en_type_at(i); i++) {
    CHECK(COLS % en_type_at(i)->block == 0 && en_type_at(i)->block_bytes <= 4 * en_type_at(i)->block); /* what matmul.c's panels count on */
    check_encoder(en_type_at(i));
    for (int32_t t = 0; en_kernels_usable(t); t++) {
      const en_kernels k = table(en_kernels_usable(t));
      for (int packed = 0; packed < 2; packed++) check_type(&k, en_type_at(i), packed);
    }
  }
  return test_end();
}

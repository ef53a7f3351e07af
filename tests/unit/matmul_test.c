/* matmul_test.c - products of every table and type: exact integers, distance to the references, adjointness, ragged and unpacked
 * weights, several outputs, bias and add, bad activations, and several lanes giving the bits that one gives. */
#include "kernels_util.h"
#include "../../core/kernels/int8.h"

static const struct { int32_t id; en_layout layout; } quantized[] = {
#define EN_LAYOUT(name, id, spelling, ...) {id, {__VA_ARGS__}},
#include "../../core/kernels/layouts.def"
#undef EN_LAYOUT
};

/* Rows whose int8 form is themselves: integers, each block of 32 with one of +-127. `spike`: the others' largest size. */
static float *exact_rows(int32_t T, int32_t cols, int spike) {
  float *x = take_f((size_t)T * (size_t)cols);
  for (int32_t i = 0; i < T * cols; i += 32) {
    for (int32_t j = i; j < EN_MIN(i + 32, T * cols); j++) x[j] = (float)draw_int(-spike, spike);
    const int32_t at = i + draw_int(0, 31);
    x[EN_MIN(at, T * cols - 1)] = draw() < 0.5 ? -127 : 127;
  }
  return x;
}

/* Blocks with scale (and minimum) 1 and any integers at all, -128 included. */
static en_weight exact_weight(int32_t type, const en_layout *layout, int32_t rows, int32_t cols, int extreme) {
  const en_type *t = en_type_by_id(type);
  const size_t n_blocks = (size_t)rows * (size_t)(cols / t->block), size = (size_t)t->block_bytes;
  uint8_t *data = take(n_blocks * size);
  for (size_t b = 0; b < n_blocks; b++) {
    const uint16_t one = en_f32_to_f16(1);
    const uint8_t fill = layout->bits == 8 ? (uint8_t)(b % 3 == 0 ? 0x80 : b % 3 == 1 ? 0x7f : 0x81) : (uint8_t)(b % 2 ? 0xff : 0x00);
    for (size_t i = 0; i < size; i++) data[b * size + i] = extreme ? fill : (uint8_t)draw_int(0, 255);
    memcpy(data + b * size + (layout->bits == 6 ? 208 : 0), &one, 2); /* Q6_K's file has the scale at the end */
    if (layout->mins) memcpy(data + b * size + 2, layout->groups == 1 || extreme ? &one : &(const uint16_t){0}, 2); /* minima of K types: check_mins */
  }
  return weight_of(t, data, rows, cols, 1);
}

/* Every product of integers below 2^24 is exact, whatever the order of the sums. */
static void check_exact(const en_kernels *k, int32_t type, const en_layout *layout, int32_t rows, int32_t cols, int32_t T, int extreme) {
  en_weight w = exact_weight(type, layout, rows, cols, extreme);
  float *f = weight_floats(&w), *x = exact_rows(T, cols, extreme ? 127 : 3), *y = take_f((size_t)(T * rows)), *want = take_f((size_t)(T * rows));
  if (extreme)
    for (int32_t i = 0; i < T * cols; i++) x[i] = x[i] > 0 ? 127 : -127;
  if (extreme == 2)
    for (int32_t i = 0; i < T * cols; i++) x[i] = 127;
  for (int32_t t = 0; t < T; t++)
    for (int32_t r = 0; r < rows; r++) {
      int64_t s = 0;
      for (int32_t c = 0; c < cols; c++) s += (int64_t)f[r * cols + c] * (int64_t)x[t * cols + c];
      want[t * rows + r] = (float)s;
    }
  multiply(k, NULL, &w, x, T, y);
  check_same(y, want, (size_t)(T * rows), k->name, w.type->name, cols, T);
  free(f), free(x), free(y), free(want), weight_free(&w);
}

/* The largest integers, whose sums of several blocks floats cannot hold: the bits of ref-int8. */
static void check_extreme(const en_kernels *k, int32_t type, const en_layout *layout) {
  enum { ROWS = 32, COLS = 1024, T = 13 };
  const en_kernels truth = table("ref-int8");
  float *x = take_f(T * COLS), *y = take_f(T * ROWS), *want = take_f(T * ROWS);
  for (int signs = 0; signs < 2; signs++) {
    en_weight w = exact_weight(type, layout, ROWS, COLS, 1);
    for (int32_t i = 0; i < T * COLS; i++) x[i] = signs && draw() < 0.5 ? -127 : 127;
    multiply(&truth, NULL, &w, x, T, want);
    multiply(k, NULL, &w, x, T, y);
    check_same(y, want, T * ROWS, k->name, w.type->name, COLS, signs);
    weight_free(&w);
  }
  free(x), free(y), free(want);
}

/* Minima of K types alone: their sums of activations are integers of 16 bits, so the float result is near and the bits are those of ref-int8. */
static void check_mins(const en_kernels *k, int32_t type, const en_layout *layout) {
  enum { ROWS = 32, COLS = 768, T = 9 };
  const en_kernels truth = table("ref-int8");
  en_weight w = exact_weight(type, layout, ROWS, COLS, 0);
  float *x = draw_new(T * COLS, 3), *y = take_f(T * ROWS), *want = take_f(T * ROWS), *f;
  for (size_t b = 0; b < ROWS * COLS / 256; b++) { /* a packed block begins with 16 halves d, then 16 halves dmin */
    uint16_t *d = (uint16_t *)(void *)(uintptr_t)(w.data + b / 16 * 16 * (size_t)layout->bytes) + b % 16;
    d[0] = 0, d[16] = en_f32_to_f16(1);
  }
  f = weight_floats(&w);
  multiply(&truth, NULL, &w, x, T, want);
  multiply(k, NULL, &w, x, T, y);
  check_same(y, want, T * ROWS, k->name, "minima", type, T);
  for (int32_t t = 0; t < T; t++)
    for (int32_t r = 0; r < ROWS; r++) {
      double s = 0;
      for (int32_t c = 0; c < COLS; c += 32) { /* as the form has them: d S of 8-bit activations */
        int8_t q[32];
        const double d = (double)en_q8_round(q, x + t * COLS + c);
        for (int32_t i = 0; i < 32; i++) s += d * q[i] * (double)f[r * COLS + c + i];
      }
      want[t * ROWS + r] = (float)s;
    }
  check_rms(y, want, T * ROWS, 3e-4, k->name, "minima", type, T);
  free(x), free(y), free(want), free(f), weight_free(&w);
}

/* Random data: types with int8 products give the bits of ref-int8, the others are near ref; a batch gives what its tokens give alone. */
static void check_random(const en_kernels *k, const en_type *type, int32_t rows, int32_t cols, int32_t T) {
  const int int8 = int8_product(k, type->id);
  const en_kernels truth = table(int8 ? "ref-int8" : "ref");
  en_weight w = weight_random(type, rows, cols, 1);
  const size_t n = (size_t)(T * rows);
  float *x = draw_new((size_t)(T * cols), 2), *y = take_f(n), *want = take_f(n), *one = take_f((size_t)rows);
  multiply(&truth, NULL, &w, x, T, want);
  multiply(k, NULL, &w, x, T, y);
  if (int8) check_same(y, want, n, k->name, type->name, cols, T);
  else check_rms(y, want, n, 2e-6, k->name, type->name, cols, T);
  multiply(k, NULL, &w, x + (T - 1) * cols, 1, one);
  if (int8) check_same(one, y + (T - 1) * rows, (size_t)rows, k->name, "one token of a batch", cols, T);
  else check_rms(one, y + (T - 1) * rows, (size_t)rows, 2e-6, k->name, "one token of a batch", cols, T);
  free(x), free(y), free(want), free(one), weight_free(&w);
}

/* The int8 path against the float truth: rounding activations to 8 bits costs below 1 %. */
static void check_int8_distance(const en_kernels *k, int32_t type) {
  enum { ROWS = 64, COLS = 1024, T = 9 };
  const en_kernels ref = table("ref");
  en_weight w = weight_random(en_type_by_id(type), ROWS, COLS, 1);
  float *x = draw_new(T * COLS, 1), *y = take_f(T * ROWS), *want = take_f(T * ROWS);
  multiply(&ref, NULL, &w, x, T, want);
  multiply(k, NULL, &w, x, T, y);
  check_rms(y, want, T * ROWS, 1e-2, k->name, "int8 activations", type, T);
  free(x), free(y), free(want), weight_free(&w);
}

static double inner(const float *a, const float *b, size_t n) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += (double)a[i] * (double)b[i];
  return s;
}

/* <dy, W x> = <W^T dy, x>, with x that the int8 form keeps; and dx itself against sums in double, added to what was there. */
static void check_adjoint(const en_kernels *k, const en_type *type, int32_t rows, int32_t cols, int32_t T, int packed) {
  en_weight w = weight_random(type, rows, cols, packed);
  const int in_integers = w.n_packed == rows && int8_product(k, type->id);
  const size_t nx = (size_t)T * (size_t)cols, ny = (size_t)T * (size_t)rows;
  float *x = exact_rows(T, cols, 127), *dy = draw_new(ny, 1), *y = take_f(ny), *dx = take_f(nx), *want = take_f(nx), *f = weight_floats(&w);
  memset(dx, 0, nx * sizeof(float));
  multiply(k, NULL, &w, x, T, y);
  multiply_t(k, NULL, &w, dy, T, dx);
  const double left = inner(dy, y, ny), right = inner(dx, x, nx), size = sqrt(inner(dy, dy, ny) * inner(y, y, ny));
  const double bound = !en_narrows(&w) ? 2e-6 : in_integers ? 8e-5 : 2e-4; /* dy and scales in 16 bits of a strip's largest; or both factors narrowed */
  char m[200];
  snprintf(m, sizeof m, "%s %s (%d, %d, T %d): <dy, Wx> = %.9g but <W'dy, x> = %.9g", k->name, type->name, (int)rows, (int)cols, (int)T, left, right);
  test_check(fabs(left - right) <= bound * size, m, __FILE__, __LINE__);
  for (int32_t t = 0; t < T; t++)
    for (int32_t c = 0; c < cols; c++) {
      double s = (double)(dx[t * cols + c] = x[t * cols + c] / 127);
      for (int32_t r = 0; r < rows; r++) s += (double)dy[t * rows + r] * (double)f[r * cols + c];
      want[t * cols + c] = (float)s;
    }
  multiply_t(k, NULL, &w, dy, T, dx);
  check_rms(dx, want, nx, bound, k->name, "transposed", cols, T);
  if (en_narrows(&w) && strcmp(k->name, "ref")) { /* whatever the table fuses */
    const en_kernels plain = table("ref-int8");
    for (size_t i = 0; i < nx; i++) want[i] = x[i] / 127;
    multiply_t(&plain, NULL, &w, dy, T, want);
    check_same(dx, want, nx, k->name, type->name, cols, T);
  }
  free(x), free(dy), free(y), free(dx), free(want), free(f), weight_free(&w);
}

/* Infinities, NaN, tiny values, zeros and single spikes among the activations: the same in every table. */
static void check_odd_activations(const en_kernels *k, int32_t type) {
  enum { ROWS = 16, COLS = 256, T = 7 };
  const en_kernels truth = table("ref-int8");
  en_weight w = weight_random(en_type_by_id(type), ROWS, COLS, 1);
  float x[T * COLS] = {0}, y[T * ROWS], want[T * ROWS];
  x[0 * COLS + 5] = INFINITY;
  x[1 * COLS + 40] = -NAN;
  for (int c = 0; c < COLS; c++) x[2 * COLS + c] = 1e-38f, x[3 * COLS + c] = c % 2 ? 1e-25f : -1e-25f, x[4 * COLS + c] = 1e35f * (c % 3 ? 1 : -1);
  x[5 * COLS + 63] = 1;
  multiply(&truth, NULL, &w, x, T, want);
  multiply(k, NULL, &w, x, T, y);
  for (int r = 0; r < ROWS; r++) {
    CHECK(isnan(want[r]) && isnan(y[r]) && isnan(want[ROWS + r]) && isnan(y[ROWS + r]));
    CHECK(y[2 * ROWS + r] == 0 && y[6 * ROWS + r] == 0);
  }
  check_each(y, want, T * ROWS, 1e-5, 1e-30, k->name, "odd activations", type, T);
  weight_free(&w);
}

/* The same among gradients: a token of each kind, two strips of rows, the last one short. Large and tiny numbers lie in both. */
static void check_odd_gradients(const en_kernels *k, int32_t type) {
  enum { ROWS = EN_STRIP + 3 * EN_R, COLS = 256, T = 7 };
  const en_kernels truth = table("ref-int8");
  en_weight w = weight_random(en_type_by_id(type), ROWS, COLS, 1);
  float *dy = take_f(T * ROWS), dx[T * COLS] = {0}, want[T * COLS] = {0};
  memset(dy, 0, T * ROWS * sizeof *dy);
  dy[0 * ROWS + 5] = -INFINITY;
  dy[1 * ROWS + ROWS - 1] = NAN;
  for (int r = 0; r < ROWS; r++) dy[2 * ROWS + r] = 1e-38f, dy[3 * ROWS + r] = r % 2 ? 1e-25f : -1e-25f, dy[4 * ROWS + r] = 1e34f * (r % 3 ? 1 : -1), dy[5 * ROWS + r] = 1e-6f * draw_f(1);
  dy[5 * ROWS + 63] = -1;
  multiply_t(&truth, NULL, &w, dy, T, want);
  multiply_t(k, NULL, &w, dy, T, dx);
  for (int c = 0; c < COLS; c++) {
    CHECK(isnan(dx[c]) && isnan(want[c]) && isnan(dx[COLS + c]) && isnan(want[COLS + c]));
    CHECK(fabsf(dx[2 * COLS + c]) < 1e-33f && dx[6 * COLS + c] == 0);
  }
  check_same(dx + 2 * COLS, want + 2 * COLS, (T - 2) * COLS, k->name, "odd gradients", type, T);
  free(dy), weight_free(&w);
}

/* ---- several lanes: as many threads as lanes, chunks of different lengths claimed in any order ---- */
enum { LANES = 3 };
typedef struct {
  void (*job)(const void *, int32_t, int32_t, int32_t);
  const void *ctx;
  int32_t n, step, next;
} shared_job;

static int claim(shared_job *j, int32_t *lo, int32_t *hi) {
  *lo = j->next;
  *hi = j->next = EN_MIN(j->n, *lo + j->step * (1 + *lo / j->step % 3));
  return *lo < j->n;
}

#ifdef __wasm__ /* a command module has no threads: the lanes take turns */
static void threads_parallel(void *ud, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx, int32_t n, int32_t step) {
  shared_job j = {job, ctx, n, step, 0};
  int32_t lo, hi, lane = 0;
  ++*(int *)ud;
  while (claim(&j, &lo, &hi)) job(ctx, lo, hi, lane++ % LANES);
}
#else
#include <pthread.h>
typedef struct { shared_job *job; pthread_mutex_t *lock; int32_t lane; } lane_arg;

static void *lane_main(void *p) {
  const lane_arg *a = p;
  for (;;) {
    int32_t lo, hi;
    pthread_mutex_lock(a->lock);
    const int more = claim(a->job, &lo, &hi);
    pthread_mutex_unlock(a->lock);
    if (!more) return NULL;
    a->job->job(a->job->ctx, lo, hi, a->lane);
  }
}

static void threads_parallel(void *ud, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx, int32_t n, int32_t step) {
  shared_job j = {job, ctx, n, step, 0};
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_t threads[LANES];
  lane_arg args[LANES];
  ++*(int *)ud;
  for (int32_t i = 0; i < LANES; i++) {
    args[i] = (lane_arg){&j, &lock, i};
    if (pthread_create(&threads[i], NULL, lane_main, &args[i])) exit(2);
  }
  for (int32_t i = 0; i < LANES; i++) pthread_join(threads[i], NULL);
}
#endif

/* dw += dy^T x over packed and plain rows, in the layout of a matrix of this shape: against sums in double; lanes change nothing. */
static void check_gradient(const en_kernels *k, const en_host *threads, const en_weight *shape, const float *dy, size_t lddy, const float *x, size_t ldx, int32_t T) {
  const int32_t cols = shape->cols;
  const size_t n = (size_t)shape->rows * (size_t)cols;
  const en_weight w = {en_type_by_id(EN_F32), NULL, shape->rows, cols, shape->n_packed};
  float *dw[2] = {draw_new(n, 1), take_f(n)}, *want = take_f(n);
  memcpy(dw[1], dw[0], n * sizeof(float));
  for (int32_t r = 0; r < w.rows; r++)
    for (int32_t c = 0; c < cols; c++) {
      const size_t at = r < w.n_packed ? (size_t)(r / EN_R * EN_R) * (size_t)cols + (size_t)(c * EN_R + r % EN_R) : (size_t)r * (size_t)cols + (size_t)c;
      double s = (double)dw[0][at];
      for (int32_t t = 0; t < T; t++) s += (double)dy[(size_t)t * lddy + (size_t)r] * (double)x[(size_t)t * ldx + (size_t)c];
      want[at] = (float)s;
    }
  en_matmul_outer(k, NULL, &w, dy, lddy, x, ldx, dw[0], T);
  en_matmul_outer(k, threads, &w, dy, lddy, x, ldx, dw[1], T);
  check_rms(dw[0], want, n, 2e-6, k->name, "gradient of a matrix", cols, T);
  check_same(dw[1], dw[0], n, k->name, "three lanes, gradient", cols, T);
  free(dw[0]), free(dw[1]), free(want);
}

/* Three outputs of different types and heights, with bias and add, packed or not, over padded rows: against the sum in double. */
static void check_outputs(const en_kernels *k, const en_type *types[3], int32_t cols, int32_t T, int packed, int32_t extra) {
  const int32_t heights[3] = {48 + extra, 5, 160 + extra};
  const size_t ldx = (size_t)cols + 7, ldy = (size_t)(heights[2] + 3);
  int calls = 0;
  const en_host threads = {.parallel = threads_parallel, .ud = &calls, .n_lanes = LANES};
  en_weight w[3];
  float *x = draw_new((size_t)T * ldx, 1), *y[2][3], *bias[3], *start[3];
  en_out outs[2][3];
  for (int i = 0; i < 3; i++) {
    const size_t n = (size_t)T * ldy;
    w[i] = weight_random(types[i], heights[i], cols, packed);
    bias[i] = draw_new((size_t)heights[i], 1), start[i] = draw_new(n, 1);
    for (int v = 0; v < 2; v++) {
      y[v][i] = take_f(n);
      memcpy(y[v][i], start[i], n * sizeof(float));
      outs[v][i] = (en_out){&w[i], y[v][i], ldy, i == 1 ? NULL : bias[i], i != 2};
    }
  }
  void *scratch = aligned_alloc(EN_ALIGN, en_matmul_scratch(k, cols, T, LANES));
  en_matmul(k, NULL, x, ldx, T, outs[0], 3, scratch);
  en_matmul(k, &threads, x, ldx, T, outs[1], 3, scratch);
  if ((int64_t)cols * T > 4000) CHECK(calls > 0);
  for (int i = 0; i < 3; i++) {
    check_same(y[1][i], y[0][i], (size_t)T * ldy, k->name, "three lanes", cols, T);
    float *f = weight_floats(&w[i]), *got = take_f((size_t)(T * heights[i])), *want = take_f((size_t)(T * heights[i]));
    for (int32_t t = 0; t < T; t++) {
      for (int32_t r = 0; r < heights[i]; r++) {
        double s = (i != 2 ? (double)start[i][(size_t)t * ldy + (size_t)r] : 0) + (i == 1 ? 0 : (double)bias[i][r]);
        s += inner(f + (size_t)r * (size_t)cols, x + (size_t)t * ldx, (size_t)cols);
        want[t * heights[i] + r] = (float)s, got[t * heights[i] + r] = y[0][i][(size_t)t * ldy + (size_t)r];
      }
      for (size_t r = (size_t)heights[i]; r < ldy; r++) test_check(y[0][i][(size_t)t * ldy + r] == start[i][(size_t)t * ldy + r], "nothing is written behind a row", __FILE__, __LINE__);
    }
    const int int8 = packed && int8_product(k, types[i]->id);
    check_rms(got, want, (size_t)(T * heights[i]), int8 ? 1e-2 : 2e-6, k->name, "outputs", cols, T);
    /* the transposed product, by lanes as well */
    float *dx[2] = {draw_new((size_t)(T * cols), 1), take_f((size_t)(T * cols))};
    memcpy(dx[1], dx[0], (size_t)(T * cols) * sizeof(float));
    en_matmul_t(k, NULL, &w[i], y[0][i], ldy, dx[0], (size_t)cols, T, scratch);
    en_matmul_t(k, &threads, &w[i], y[0][i], ldy, dx[1], (size_t)cols, T, scratch);
    check_same(dx[1], dx[0], (size_t)(T * cols), k->name, "three lanes, transposed", cols, T);
    check_gradient(k, &threads, &w[i], y[0][i], ldy, x, ldx, T);
    free(f), free(got), free(want), free(dx[0]), free(dx[1]), free(bias[i]), free(start[i]), free(y[0][i]), free(y[1][i]), weight_free(&w[i]);
  }
  free(x), free(scratch);
}

/* Plain rows and packed rows decode to the same floats. */
static void check_weight_row(const en_type *type) {
  const int32_t cols = EN_MAX(160, 3 * type->block);
  en_weight plain = weight_random(type, 37, cols, 0), packed = {type, NULL, 37, cols, 0};
  uint8_t *copy = take(37 * en_row_bytes(&plain));
  memcpy(copy, plain.data, 37 * en_row_bytes(&plain));
  packed = weight_of(type, copy, 37, cols, 1);
  float *a = weight_floats(&plain), *b = weight_floats(&packed);
  CHECK_EQ(packed.n_packed, 32);
  check_same(a, b, (size_t)(37 * cols), "rows", type->name, 37, cols);
  CHECK(512 % type->block == 0 && type->block_bytes <= 4 * type->block); /* what matmul.c's panels count on */
  free(a), free(b), weight_free(&plain), weight_free(&packed);
}

/* Whole tiles of 8 tokens, of 4, single ones, and all of them together. */
static const int32_t batches[] = {1, 2, 4, 7, 8, 13, 17};

static void check_int8(const en_kernels *k, int32_t type, const en_layout *layout) {
  const int32_t width = EN_Q8_BLOCK * layout->groups;
  for (int i = 0; i < EN_COUNT(batches); i++)
    for (int32_t cols = width; cols <= (width > 32 ? 2 : 5) * width; cols += width) check_exact(k, type, layout, 32, cols, batches[i], 0);
  if (layout->groups == 1) {
    for (int32_t T = 1; T <= 9; T += 4)
      for (int extreme = 1; extreme < 3; extreme++) check_exact(k, type, layout, 48, 32, T, extreme), check_exact(k, type, layout, 48, 64, T, extreme);
    check_exact(k, type, layout, 16, 4864, 3, 0);
    check_exact(k, type, layout, 16, 4864, 8, 0);
  }
  check_extreme(k, type, layout);
  if (layout->mins && layout->groups > 1) check_mins(k, type, layout);
  check_odd_activations(k, type);
  check_odd_gradients(k, type);
  check_int8_distance(k, type);
}

static void check_type(const en_kernels *k, const en_type *type) {
  const int32_t width = EN_MAX(type->block, 32), wide = width > 32 ? 768 : 544;
  for (int i = 0; i < EN_COUNT(batches); i++) check_random(k, type, 48, 3 * width, batches[i]);
  check_random(k, type, 16, 4864, 1);
  check_random(k, type, 32, 4864, 13);
  check_random(k, type, 48, wide, 71); /* panels: two of tokens, the last pair single, and two of columns */
  if (type->block == 1)
    for (int32_t cols = 1; cols < 80; cols += 7) check_random(k, type, 16, cols, 7), check_adjoint(k, type, 33, cols, 3, 1);
  for (int32_t T = 1; T <= 9; T += 4) check_adjoint(k, type, 64, 3 * width, T, 1);
  check_adjoint(k, type, 37, wide, width > 32 ? 9 : 66, 1); /* ragged tail, several panels, several tail slices */
  check_adjoint(k, type, 37, wide, 3, 0);
  check_adjoint(k, type, 304, 2 * width, width > 32 ? 3 : 131, 1); /* two strips, the last one of an odd number of groups; two blocks of tokens */
  const en_type *mixed[3] = {type, en_type_by_id(EN_F16), en_type_by_id(EN_Q4_0)};
  for (int packed = 0; packed < 2; packed++)
    check_outputs(k, mixed, wide, 1, packed, 0), check_outputs(k, mixed, width > 32 ? width : 96, width > 32 ? 9 : 70, packed, 3), check_outputs(k, mixed, wide, 11, packed, 9);
}

static void check_table(const en_kernels *k) {
  for (int i = 0; i < EN_COUNT(quantized); i++)
    if (int8_product(k, quantized[i].id)) check_int8(k, quantized[i].id, &quantized[i].layout);
    else CHECK(!strcmp(k->name, "ref"));
  for (int32_t i = 0; en_type_at(i); i++) check_type(k, en_type_at(i));
}

int main(void) {
  for (int32_t i = 0; en_type_at(i); i++) check_weight_row(en_type_at(i));
  for (int32_t i = 0; en_kernels_usable(i); i++) {
    const en_kernels k = table(en_kernels_usable(i));
    const int failed = test_count.failed;
    check_table(&k);
    CHECK_EQ(en_matmul_scratch(&k, INT32_MAX, INT32_MAX, 64), 0); /* too much, and said so */
    printf("%s: %s\n", k.name, failed == test_count.failed ? "ok" : "FAILED");
  }
  return test_end();
}

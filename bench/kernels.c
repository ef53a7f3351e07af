/* kernels.c - what every kernel table of this machine does, beside the memory bandwidth that bounds it. One JSON object a line:
 *   {"table","type","tokens","mb","gmacs","best","gbs","spread"}   products; gbs = bytes of weights read per second; best = fastest round's gmacs,
                                                             spread = slowest / fastest round: on a busy machine compare "best"
 *   {"table","kernel","n","ns_per_element","best","spread"} rows, activation forms, attention (per position, head and element of K and V)
 *   {"read_mb","gbs","best","spread"}                       reading with the best table's dot product
 *   {"table","type","versus","tokens","mb","ratio","best"}  with --versus: speed (multiply-adds a second) relative to that type's, from rounds that take
 *                                                             turns; median of the rounds' ratios, and fastest round by fastest round. Steady on a busy machine.
 * Usage: bench-kernels [pattern] [--dram MB] [--versus TYPE] - pattern: substring of "table type" or "table kernel"; MB of weights that fit no cache
 * (0: skip; default 256). --versus TYPE: nothing but that comparison.
 * Runs on a single lane. Also built as a WASI command (docs/speed.md tells how). */
#include "../core/kernels/kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COLS = 2048, ROUNDS = 7, CACHED_KB = 288 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static void *take(size_t bytes) {
  void *p = aligned_alloc(EN_ALIGN, (bytes + EN_ALIGN) / EN_ALIGN * EN_ALIGN);
  if (!p) { fprintf(stderr, "out of memory\n"); exit(2); }
  return p;
}

/* Median seconds of one call; rounds of about 20 ms after a warm-up, so that a JIT has finished. */
typedef struct { double seconds, best, spread; } timing;
static timing measure(void (*call)(void *), void *ctx) {
  double v[ROUNDS];
  const double start = now();
  int n = 0;
  do call(ctx), n++; while (now() - start < 0.1);
  const int calls = EN_MAX(1, (int)(n * 0.2));
  for (int i = 0; i < ROUNDS; i++) {
    const double t = now();
    for (int c = 0; c < calls; c++) call(ctx);
    v[i] = (now() - t) / calls;
  }
  qsort(v, ROUNDS, sizeof *v, by_value);
  return (timing){v[ROUNDS / 2], v[0], v[ROUNDS - 1] / v[0]};
}

/* ---- products ---- */
typedef struct { const en_kernels *k; const en_weight *w; const float *x; float *y; int32_t T; void *scratch; int transposed; } product_ctx;
static void call_product(void *p) {
  const product_ctx *c = p;
  const en_out out = {.w = c->w, .y = c->y, .ldy = (size_t)c->w->rows};
  if (c->transposed) en_matmul_t(c->k, NULL, c->w, c->y, (size_t)c->w->rows, (float *)(uintptr_t)c->x, COLS, c->T, c->scratch);
  else en_matmul(c->k, NULL, c->x, COLS, c->T, &out, 1, c->scratch);
}

/* Two calls in turns, PAIRS rounds of about 2 ms: how much faster the first is. */
enum { PAIRS = 61 };
typedef struct { double ratio, best; } comparison;
static comparison compare(void (*call)(void *), void *a, void *b) {
  void *const ctx[2] = {a, b};
  double seconds[2], ratios[PAIRS], fastest[2] = {1e9, 1e9};
  int calls[2];
  for (int i = 0; i < 2; i++) {
    const double start = now();
    int n = 0;
    do call(ctx[i]), n++; while (now() - start < 0.1);
    calls[i] = EN_MAX(1, n / 50);
  }
  for (int r = 0; r < PAIRS; r++) {
    for (int i = 0; i < 2; i++) {
      const double t = now();
      for (int c = 0; c < calls[i]; c++) call(ctx[i]);
      seconds[i] = (now() - t) / calls[i];
      fastest[i] = EN_MIN(fastest[i], seconds[i]);
    }
    ratios[r] = seconds[1] / seconds[0];
  }
  qsort(ratios, PAIRS, sizeof *ratios, by_value);
  return (comparison){ratios[PAIRS / 2], fastest[1] / fastest[0]};
}

/* About `bytes` of packed weights: one random group, repeated. */
static en_weight make_weight(const en_type *type, uint8_t *data, size_t bytes) {
  const size_t group = (size_t)EN_R * (size_t)(COLS / type->block) * (size_t)type->block_bytes;
  const int32_t groups = EN_MAX(1, (int32_t)(bytes / group));
  float *x = take(EN_R * COLS * sizeof *x);
  for (int i = 0; i < EN_R * COLS; i++) x[i] = (float)en_uniform(1, (uint64_t)i) - 0.5f;
  type->encode(data, x, EN_R * COLS, NULL);
  free(x);
  void *scratch = take(group);
  en_pack_group(type, data, COLS / type->block, scratch);
  free(scratch);
  for (int32_t g = 1; g < groups; g++) memcpy(data + (size_t)g * group, data, group);
  return (en_weight){type, data, groups * EN_R, COLS, groups * EN_R};
}

static product_ctx make_product(const en_kernels *k, const en_weight *w, int32_t T, int transposed) {
  const size_t n = (size_t)T * (size_t)w->rows;
  float *x = take((size_t)T * COLS * sizeof *x), *y = take(n * sizeof *y);
  for (int32_t i = 0; i < T * COLS; i++) x[i] = (float)en_uniform(2, (uint64_t)i) - 0.5f;
  memset(y, 0, n * sizeof *y);
  return (product_ctx){k, w, x, y, T, take(en_matmul_scratch(k, COLS, T, 1)), transposed};
}
static void free_product(product_ctx *c) { free((void *)(uintptr_t)c->x), free(c->y), free(c->scratch); }

/* The same number of weights in both types: the second one's are made behind the first one's. */
static void bench_versus(const en_kernels *k, const en_type *type, const en_type *other, uint8_t *data, size_t bytes, int32_t T, int transposed) {
  const en_weight a = make_weight(type, data, bytes / 2);
  const size_t used = ((size_t)a.rows * en_row_bytes(&a) + EN_ALIGN) / EN_ALIGN * EN_ALIGN;
  const en_weight b = make_weight(other, data + used, bytes / 2 / (size_t)type->block_bytes * (size_t)type->block * (size_t)other->block_bytes / (size_t)other->block);
  product_ctx pa = make_product(k, &a, T, transposed), pb = make_product(k, &b, T, transposed);
  const comparison c = compare(call_product, &pa, &pb);
  const double fair = (double)a.rows / (double)b.rows;
  printf("{\"table\":\"%s\",\"type\":\"%s%s\",\"versus\":\"%s\",\"tokens\":%d,\"mb\":%.2f,\"ratio\":%.3f,\"best\":%.3f}\n", k->name, type->name,
         transposed ? " transposed" : "", other->name, (int)T, (double)a.rows * (double)en_row_bytes(&a) * 1e-6, c.ratio * fair, c.best * fair);
  fflush(stdout);
  free_product(&pa), free_product(&pb);
}

static void bench_product(const en_kernels *k, const en_type *type, uint8_t *data, size_t bytes, int32_t T, int transposed) {
  const en_weight w = make_weight(type, data, bytes);
  product_ctx c = make_product(k, &w, T, transposed);
  const timing t = measure(call_product, &c);
  const double read = (double)w.rows * (double)en_row_bytes(&w), macs = (double)w.rows * (double)COLS * T * 1e-9;
  printf("{\"table\":\"%s\",\"type\":\"%s%s\",\"tokens\":%d,\"mb\":%.2f,\"gmacs\":%.2f,\"best\":%.2f,\"gbs\":%.2f,\"spread\":%.2f}\n", k->name, type->name,
         transposed ? " transposed" : "", (int)T, read * 1e-6, macs / t.seconds, macs / t.best, read / t.seconds * 1e-9, t.spread);
  fflush(stdout);
  free_product(&c);
}

/* ---- the gradient of a matrix ---- */
typedef struct { const en_kernels *k; en_outer a; int32_t rows; } outer_ctx;
static void call_outer(void *p) {
  const outer_ctx *c = p;
  c->k->outer(&c->a, 0, c->rows);
}
static void bench_outer(const en_kernels *k, int32_t T) {
  enum { ROWS = 256, WIDTH = 256 };
  float *x = take((size_t)T * WIDTH * sizeof *x), *dy = take((size_t)T * ROWS * sizeof *dy), *dw = take(ROWS * WIDTH * sizeof *dw);
  for (int32_t i = 0; i < T * WIDTH; i++) x[i] = (float)en_uniform(5, (uint64_t)i) - 0.5f, dy[i] = (float)en_uniform(6, (uint64_t)i) - 0.5f;
  memset(dw, 0, ROWS * WIDTH * sizeof *dw);
  outer_ctx c = {k, {.dy = dy, .lddy = ROWS, .x = x, .ldx = WIDTH, .dw = dw, .cols = WIDTH, .T = T}, ROWS};
  const timing t = measure(call_outer, &c);
  const double macs = (double)ROWS * (double)WIDTH * T * 1e-9;
  printf("{\"table\":\"%s\",\"kernel\":\"outer\",\"tokens\":%d,\"gmacs\":%.2f,\"best\":%.2f,\"spread\":%.2f}\n", k->name, (int)T, macs / t.seconds, macs / t.best, t.spread);
  fflush(stdout);
  free(x), free(dy), free(dw);
}

/* ---- reading: a dot product of one half of the memory with the other ---- */
typedef struct { const en_kernels *k; const float *p; int32_t n; float sum; } read_ctx;
static void call_read(void *p) {
  read_ctx *c = p;
  c->sum += c->k->dot(c->p, c->p + c->n, c->n);
}
static void bench_read(const uint8_t *data, size_t bytes) {
  en_kernels k;
  if (en_kernels_pick(&k, "auto", NULL) != EN_OK) exit(2);
  read_ctx c = {&k, (const float *)(const void *)data, (int32_t)(bytes / 8), 0};
  const timing t = measure(call_read, &c);
  printf("{\"read_mb\":%.2f,\"gbs\":%.2f,\"best\":%.2f,\"spread\":%.2f}\n", (double)bytes * 1e-6, (double)bytes / t.seconds * 1e-9, (double)bytes / t.best * 1e-9, t.spread);
  fflush(stdout);
}

/* ---- rows ---- */
enum { N = 4864, HEAD = 64, POSITIONS = 1024, GROUP = 7, MAX_T = 8 };
typedef struct { const en_kernels *k; float *a, *b, *y; int32_t T, form; uint32_t kv_type; } row_ctx;
#define ROW(name, expr) static void row_##name(void *p) { const row_ctx *c = p; expr; }
ROW(rms_norm, c->k->rms_norm(c->y, c->a, c->b, N, 1e-5f))
ROW(add, c->k->add(c->y, c->a, c->b, N))
ROW(dot, c->y[0] = c->k->dot(c->a, c->b, N))
ROW(scan, c->y[0] = c->k->scan(c->y, c->a, c->b, 0.5f, 0.5f, N))
ROW(silu_mul, c->k->silu_mul(c->y, c->a, c->b, N))
ROW(gelu_mul, c->k->gelu_mul(c->y, c->a, c->b, N))
ROW(gelu_erf, c->k->gelu_erf(c->y, c->a, N))
ROW(softmax, c->k->softmax(c->y, c->a, N))
ROW(exp_sum, c->k->exp_sum(c->y, c->a, 0, N))
ROW(rope_halves, c->k->rope_halves(c->y, c->b, N / HEAD, HEAD, HEAD))
ROW(rope_pairs, c->k->rope_pairs(c->y, c->b, N / HEAD, HEAD, HEAD))
ROW(to_f16, c->k->to_f16((uint16_t *)(void *)c->y, c->a, N))
ROW(argmax, c->y[0] = (float)c->k->argmax(c->a, N))
ROW(form, c->k->forms[c->form].fill(c->y, c->a, N, N, 1, 0, 1))
static void row_attend(void *p) {
  const row_ctx *c = p;
  int32_t lo[MAX_T] = {0}, hi[MAX_T];
  for (int t = 0; t < c->T; t++) hi[t] = POSITIONS;
  const size_t kv = POSITIONS * en_kv_row_bytes(c->kv_type, HEAD);
  const en_attend a = {.q = c->a, .ldq = GROUP * HEAD, .o = c->y, .ldo = GROUP * HEAD, .k = c->b, .v = (const uint8_t *)c->b + kv, .kv_type = c->kv_type,
                       .E = HEAD, .G = GROUP, .T = c->T, .lo = lo, .hi = hi, .scale = 0.125f};
  c->k->attend(&a);
}
static void bench_row(const char *name, void (*call)(void *), row_ctx *c, double n) {
  const timing t = measure(call, c);
  printf("{\"table\":\"%s\",\"kernel\":\"%s\",\"n\":%.0f,\"ns_per_element\":%.4f,\"best\":%.4f,\"spread\":%.2f}\n", c->k->name, name, n, t.seconds / n * 1e9, t.best / n * 1e9, t.spread);
  fflush(stdout);
}
static int wanted(const char *table, const char *what, const char *pattern) {
  char s[100];
  snprintf(s, sizeof s, "%s %s", table, what);
  return !pattern || strstr(s, pattern);
}
static void bench_rows(const en_kernels *k, const char *pattern) {
  const size_t room = (size_t)POSITIONS * HEAD * 2;
  row_ctx c = {.k = k, .a = take(room * 4), .b = take(room * 4), .y = take(room * 4)};
  for (size_t i = 0; i < room; i++) c.a[i] = (float)en_uniform(3, i) - 0.5f, c.b[i] = (float)en_uniform(4, i) - 0.5f, c.y[i] = 0;
#define RUN(fn) if (wanted(k->name, #fn, pattern)) bench_row(#fn, row_##fn, &c, N);
  RUN(rms_norm) RUN(add) RUN(dot) RUN(scan) RUN(silu_mul) RUN(gelu_mul) RUN(gelu_erf) RUN(softmax) RUN(exp_sum) RUN(rope_halves) RUN(rope_pairs) RUN(to_f16) RUN(argmax)
  for (c.form = 1; c.form < k->n_forms; c.form++) RUN(form)
  for (c.kv_type = 0; c.kv_type < EN_KV_TYPES; c.kv_type++) {
    static const char *const types[EN_KV_TYPES] = {"f32", "f16", "q8_0"};
    if (c.kv_type == EN_KV_F16) k->to_f16((uint16_t *)(void *)c.b, c.b, (int32_t)room);
    if (c.kv_type == EN_KV_Q8_0) en_type_q8_0.encode(c.b, c.a, (int64_t)room, NULL);
    for (c.T = 1; c.T <= MAX_T; c.T += MAX_T - 1) {
      char name[40];
      snprintf(name, sizeof name, "attend %s%s", types[c.kv_type], c.T > 1 ? ", 8 tokens" : "");
      if (wanted(k->name, name, pattern)) bench_row(name, row_attend, &c, (double)(POSITIONS * HEAD * 2 * GROUP * c.T));
    }
  }
  free(c.a), free(c.b), free(c.y);
}

int main(int argc, char **argv) {
  const char *pattern = NULL;
  const en_type *other = NULL;
  size_t dram = 256;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--dram") && i + 1 < argc) dram = (size_t)atoi(argv[++i]);
    else if (!strcmp(argv[i], "--versus") && i + 1 < argc && (other = en_type_by_name(argv[i + 1])) != NULL) i++;
    else pattern = argv[i];
  }
  const size_t bytes = EN_MAX(dram << 20, (size_t)4 << 20);
  uint8_t *data = take(bytes);
  memset(data, 0x3f, bytes); /* floats of 0.75 */
  if (!other) bench_read(data, CACHED_KB << 10);
  if (!other && dram) bench_read(data, bytes);
  for (int32_t i = 0; en_kernels_usable(i); i++) {
    en_kernels k;
    if (en_kernels_pick(&k, en_kernels_usable(i), NULL) != EN_OK) return 1;
    for (int32_t t = 0; en_type_at(t); t++) {
      const en_type *type = en_type_at(t);
      char transposed[40];
      snprintf(transposed, sizeof transposed, "%s transposed", type->name);
      if (other && wanted(k.name, type->name, pattern)) {
        bench_versus(&k, type, other, data, 2 * CACHED_KB << 10, 1, 0);
        bench_versus(&k, type, other, data, 2 * CACHED_KB << 10, 128, 0);
        bench_versus(&k, type, other, data, 2 * CACHED_KB << 10, 64, 1);
        if (dram) bench_versus(&k, type, other, data, bytes, 1, 0);
      }
      if (other) continue;
      if (wanted(k.name, type->name, pattern)) {
        bench_product(&k, type, data, CACHED_KB << 10, 1, 0);
        bench_product(&k, type, data, CACHED_KB << 10, 128, 0);
        if (dram) bench_product(&k, type, data, bytes, 1, 0);
      }
      if (wanted(k.name, transposed, pattern)) bench_product(&k, type, data, CACHED_KB << 10, 64, 1);
    }
    if (other) continue;
    if (wanted(k.name, "outer", pattern)) bench_outer(&k, 1024);
    bench_rows(&k, pattern);
  }
  free(data);
  return 0;
}

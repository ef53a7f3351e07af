/* kernels_test.c - every entry of kernels.def and every attention shape, for every table that this machine can run, against plain C in double. */
#include "kernels_util.h"

enum { N = 131, GUARD = 4 };
#define GUARD_VALUE 12345.0f

typedef struct { float *base, *y; } row_out; /* room for n floats at an odd place, and guards behind */
static row_out out_new(int32_t n, int off) {
  row_out o = {.base = take_f((size_t)(n + off + GUARD))};
  o.y = o.base + off;
  for (int i = 0; i < n + GUARD; i++) o.y[i] = GUARD_VALUE;
  return o;
}
static void out_done(row_out o, int32_t n, const char *name, const char *what) {
  int touched = 0;
  for (int i = n; i < n + GUARD; i++) touched |= o.y[i] != GUARD_VALUE;
  char m[120];
  snprintf(m, sizeof m, "%s %s wrote behind its %d elements", name, what, (int)n);
  test_check(!touched, m, __FILE__, __LINE__);
  free(o.base);
}

/* One call of some kernel on inputs a, b, c of n floats. */
typedef void (*call_fn)(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n);

/* All lengths 0..130 at two alignments, separate output and output over the first input, against ref. */
static void check_rows(const en_kernels *k, const char *what, call_fn call, float size, double rel, double abs, int32_t first, int alias) {
  const en_kernels ref = table("ref");
  for (int32_t n = first; n < N; n++)
    for (int off = 0; off < 2; off++) {
      float *in = draw_new((size_t)(3 * n + off), size), *a = in + off, *b = a + n, *c = b + n, *want = take_f((size_t)n);
      memset(want, 0, (size_t)n * sizeof(float));
      call(&ref, want, a, b, c, n);
      row_out o = out_new(n, 1 - off);
      memset(o.y, 0, (size_t)n * sizeof(float));
      call(k, o.y, a, b, c, n);
      check_each(o.y, want, (size_t)n, rel, abs, k->name, what, n, off);
      out_done(o, n, k->name, what);
      if (alias) {
        call(k, a, a, b, c, n);
        check_each(a, want, (size_t)n, rel, abs, k->name, "over its input", n, off);
      }
      free(in);
      free(want);
    }
}

static void call_rms_norm(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)c; k->rms_norm(y, a, b, n, 1e-5f); }
static void call_layer_norm(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { k->layer_norm(y, a, b, n % 2 ? c : NULL, n, 1e-5f); }
static void call_add(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)c; k->add(y, a, b, n); }
static void call_times(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)c; k->times(y, a, b, n); }
static void call_scale(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)b, (void)c; k->scale(y, a, 1.7f, n); }
static void call_axpy(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) {
  (void)c;
  memcpy(y, b, (size_t)n * sizeof(float));
  k->axpy(y, a, -0.3f, n);
}
static void call_dot(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)c; y[0] = k->dot(a, b, n); }
static void call_scan(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) {
  memcpy(y, a, (size_t)n * sizeof(float));
  y[0] += k->scan(y, b, c, 0.9f, -0.7f, n);
}
static void call_silu_mul(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)c; k->silu_mul(y, a, b, n); }
static void call_gelu_mul(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)c; k->gelu_mul(y, a, n % 2 ? b : NULL, n); }
static void call_gelu_erf(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)b, (void)c; k->gelu_erf(y, a, n); }
static void call_softcap(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)b, (void)c; k->softcap(y, a, 3, n); }
static void call_softmax(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)b, (void)c; k->softmax(y, a, n); }

static void call_exp_sum(const en_kernels *k, float *y, const float *a, const float *b, const float *c, int32_t n) { (void)b, (void)c; k->exp_sum(y, a, 1.5f, n); }

/* The precision that simd.h states: 1e-6 relative where no cancellation is in the way, plus a floor of 1e-6 of the inputs' size. */
static void check_rms_norm(const en_kernels *k) { check_rows(k, "rms_norm", call_rms_norm, 3, 1e-6, 0, 1, 1); }
static void check_layer_norm(const en_kernels *k) { check_rows(k, "layer_norm", call_layer_norm, 3, 2e-6, 3e-6, 1, 1); }
static void check_add(const en_kernels *k) { check_rows(k, "add", call_add, 3, 0, 0, 0, 1); }
static void check_times(const en_kernels *k) { check_rows(k, "times", call_times, 3, 0, 0, 0, 1); }
static void check_scale(const en_kernels *k) { check_rows(k, "scale", call_scale, 3, 0, 0, 0, 1); }
static void check_axpy(const en_kernels *k) { check_rows(k, "axpy", call_axpy, 3, 2e-7, 3e-7, 0, 0); }
static void check_dot(const en_kernels *k) {
  check_rows(k, "dot", call_dot, 3, 2e-6, 2e-5, 1, 0);
  CHECK(k->dot(NULL, NULL, 0) == 0);
}
static void check_scan(const en_kernels *k) {
  check_rows(k, "scan", call_scan, 3, 2e-6, 3e-5, 1, 0);
  float s[40], apart[40], b[40], c[40];
  for (int n = 0; n <= 40; n++) {
    for (int i = 0; i < n; i++) s[i] = apart[i] = (float)en_uniform(1, (uint64_t)i), b[i] = (float)en_uniform(2, (uint64_t)i), c[i] = (float)en_uniform(3, (uint64_t)i);
    const float y = k->scan(s, b, c, 0.9f, -0.7f, n);
    k->scale(apart, apart, 0.9f, n);
    k->axpy(apart, b, -0.7f, n);
    const float want = k->dot(apart, c, n);
    CHECK(!memcmp(&y, &want, sizeof y) && !memcmp(s, apart, (size_t)n * sizeof *s));
  }
}
static void check_silu_mul(const en_kernels *k) { check_rows(k, "silu_mul", call_silu_mul, 30, 1e-6, 1e-30, 0, 1); }
static void check_gelu_mul(const en_kernels *k) {
  check_rows(k, "gelu_mul", call_gelu_mul, 2, 1.5e-6, 1e-7, 0, 1); /* below -2 the reference's 1 + tanh cancels as well */
  check_rows(k, "gelu_mul", call_gelu_mul, 30, 1.5e-6, 1e-5, 0, 1);
}
static void check_gelu_erf(const en_kernels *k) {
  check_rows(k, "gelu_erf", call_gelu_erf, 5, 2e-6, 1e-12, 0, 1);
  check_rows(k, "gelu_erf", call_gelu_erf, 1e-3f, 5e-7, 0, 0, 1);
  check_rows(k, "gelu_erf", call_gelu_erf, 30, 2e-6, 1e-10, 0, 1);
}
static void check_softcap(const en_kernels *k) {
  check_rows(k, "softcap", call_softcap, 60, 6e-7, 0, 0, 1);
  check_rows(k, "softcap", call_softcap, 2, 6e-7, 0, 0, 1);
  check_rows(k, "softcap", call_softcap, 1e-6f, 6e-7, 0, 0, 1);
}
static void check_softmax(const en_kernels *k) {
  check_rows(k, "softmax", call_softmax, 20, 3e-6, 0, 1, 1);
  float x[20], y[20];
  for (int i = 0; i < 20; i++) x[i] = i % 3 ? -INFINITY : 700.0f + (float)i; /* no overflow, and weight 0 for what is masked */
  k->softmax(y, x, 20);
  double sum = 0;
  for (int i = 0; i < 20; i++) sum += (double)y[i];
  CHECK_NEAR(sum, 1, 1e-6);
  CHECK(y[1] == 0 && y[19] == 0);
}

static void check_exp_sum(const en_kernels *k) {
  check_rows(k, "exp_sum", call_exp_sum, 5, 1e-6, 0, 0, 1);
  check_rows(k, "exp_sum", call_exp_sum, 80, 6e-6, 1e-37, 0, 1); /* x - m is rounded: half of 2^-17 */
  float x[70], y[70];
  double sum = 0;
  for (int i = 0; i < 70; i++) {
    x[i] = (float)(i % 7) - 3;
    sum += exp((double)x[i]);
  }
  CHECK_NEAR(k->exp_sum(y, x, 0, 70), sum, 1e-5 * sum);
  x[3] = -INFINITY;
  k->exp_sum(y, x, 0, 70);
  CHECK(y[3] == 0);
}

static void check_rope(const en_kernels *k, int halves) {
  const en_kernels ref = table("ref");
  for (int32_t head = 2; head <= 130; head += head < 20 ? 2 : 11)
    for (int32_t rot = 0; rot <= head; rot += 2) {
      enum { HEADS = 3 };
      const size_t n = (size_t)(HEADS * head);
      float *x = draw_new(n, 2), *want = take_f(n), *cs = take_f((size_t)rot);
      memcpy(want, x, n * sizeof(float));
      for (int32_t i = 0; i + 1 < rot; i += 2) {
        const double angle = draw() * 7;
        cs[i] = (float)cos(angle), cs[i + 1] = (float)sin(angle);
      }
      (halves ? ref.rope_halves : ref.rope_pairs)(want, cs, HEADS, head, rot);
      (halves ? k->rope_halves : k->rope_pairs)(x, cs, HEADS, head, rot);
      check_each(x, want, n, 2e-7, 3e-7, k->name, halves ? "rope_halves" : "rope_pairs", head, rot);
      free(x), free(want), free(cs);
    }
}
static void check_rope_pairs(const en_kernels *k) { check_rope(k, 0); }
static void check_rope_halves(const en_kernels *k) { check_rope(k, 1); }

static void check_to_f16(const en_kernels *k) {
  enum { M = 1 << 16 };
  float *x = take_f(M);
  uint16_t *h = take(M * sizeof *h);
  for (int round = 0; round < 4; round++) {
    int wrong = 0;
    for (uint32_t i = 0; i < M; i++) {
      uint32_t bits = (uint32_t)(en_random(7, (uint64_t)round * M + i) >> 32); /* any float at all */
      x[i] = round ? en_rdf32(&bits) : en_f16_to_f32((uint16_t)i);               /* every half comes back */
      if (round == 2) x[i] = draw_f(70000);
      if (round == 3) { /* halfway between two halves: ties go to even */
        bits = (uint32_t)draw_int(0x33000000 >> 12, 0x47800000 >> 12) << 12;
        x[i] = en_rdf32(&bits);
      }
    }
    k->to_f16(h, x, M);
    for (uint32_t i = 0; i < M; i++) {
      const uint16_t want = en_f32_to_f16(x[i]);
      wrong += isnan(x[i]) ? !isnan(en_f16_to_f32(h[i])) : h[i] != want;
    }
    CHECK_EQ(wrong, 0);
  }
  for (int32_t n = 0; n < 40; n++) {
    memset(h, 0xab, (size_t)(n + 1) * sizeof *h);
    k->to_f16(h, x, n);
    CHECK_EQ(h[n], 0xabab);
  }
  free(x);
  free(h);
}

static void check_argmax(const en_kernels *k) {
  for (int32_t n = 1; n < N; n++) {
    float *x = draw_new((size_t)n, 3);
    const int at = draw_int(0, n - 1);
    x[at] = 5;
    CHECK_EQ(k->argmax(x, n), at);
    if (at + 1 < n) x[n - 1] = 5; /* the first of equals */
    CHECK_EQ(k->argmax(x, n), at);
    const int bad = draw_int(0, n - 1);
    x[bad] = NAN;
    CHECK_EQ(k->argmax(x, n), table("ref").argmax(x, n));
    for (int32_t i = 0; i < n; i++) x[i] = i % 2 ? NAN : -INFINITY;
    CHECK_EQ(k->argmax(x, n), -1);
    x[n - 1] = -3e38f;
    CHECK_EQ(k->argmax(x, n), n - 1);
    free(x);
  }
  CHECK_EQ(k->argmax(NULL, 0), -1);
}

/* ---- attention ---- */
/* Element e of row p of a cache, decoded by the weight type of the same name. */
static double kv(const en_attend *a, const void *base, int32_t p, int32_t e) {
  static const en_type *const types[EN_KV_TYPES] = {&en_type_f32, &en_type_f16, &en_type_q8_0};
  const en_type *t = types[a->kv_type];
  float block[32];
  t->decode(block, (const uint8_t *)base + (size_t)p * en_kv_row_bytes(a->kv_type, a->E) + (size_t)(e / t->block * t->block_bytes), t->block);
  return (double)block[e % t->block];
}
/* The same rows of E floats as a cache of some type. */
static void *kv_rows(const float *x, int32_t n_pos, int32_t E, uint32_t type) {
  const size_t row_bytes = en_kv_row_bytes(type, E);
  uint8_t *rows = take((size_t)n_pos * row_bytes);
  for (int32_t p = 0; p < n_pos; p++, x += E) {
    float row[256 + 32] = {0};
    memcpy(row, x, (size_t)E * sizeof *x);
    if (type == EN_KV_Q8_0) en_type_q8_0.encode(rows + (size_t)p * row_bytes, row, (E + 31) / 32 * 32, NULL);
    else (type == EN_KV_F16 ? &en_type_f16 : &en_type_f32)->encode(rows + (size_t)p * row_bytes, row, E, NULL);
  }
  return rows;
}

static void naive_attend(const en_attend *a, float *o, float *lse) {
  for (int32_t t = 0; t < a->T; t++)
    for (int32_t g = 0; g < a->G; g++) {
      const float *q = a->q + (size_t)t * a->ldq + (size_t)(g * a->E);
      const int32_t n = a->hi[t] - a->lo[t];
      double *s = take((size_t)n * sizeof *s), sum = 0, top = -INFINITY;
      for (int32_t p = 0; p < n; p++) {
        s[p] = 0;
        for (int32_t e = 0; e < a->E; e++) s[p] += (double)q[e] * kv(a, a->k, a->lo[t] + p, e);
        s[p] *= (double)a->scale;
        if (a->softcap > 0) s[p] = (double)a->softcap * tanh(s[p] / (double)a->softcap);
        top = fmax(top, s[p]);
      }
      for (int32_t p = 0; p < n; p++) sum += s[p] = exp(s[p] - top);
      for (int32_t e = 0; e < a->E; e++) {
        double v = 0;
        for (int32_t p = 0; p < n; p++) v += s[p] / sum * kv(a, a->v, a->lo[t] + p, e);
        o[(size_t)t * a->ldo + (size_t)(g * a->E + e)] = (float)v;
      }
      lse[t * a->G + g] = (float)(top + log(sum));
      free(s);
    }
}

/* T tokens at the end of n_pos positions, each seeing at most `window` back; K and V have exactly n_pos rows. */
static void attend_case(const en_kernels *k, int32_t E, int32_t G, int32_t T, int32_t n_pos, int32_t window, uint32_t type, float cap, float size) {
  const size_t kv_n = (size_t)n_pos * (size_t)E, ld = (size_t)(G * E + 3), rows = (size_t)T * ld;
  float *kf = draw_new(kv_n, size), *vf = draw_new(kv_n, 1), *q = draw_new(rows, size), *o = take_f(rows), *want = take_f(rows);
  float *lse = take_f((size_t)(T * G)), *want_lse = take_f((size_t)(T * G));
  void *k_rows = kv_rows(kf, n_pos, E, type), *v_rows = kv_rows(vf, n_pos, E, type);
  int32_t *lo = take((size_t)T * 4), *hi = take((size_t)T * 4);
  for (int32_t t = 0; t < T; t++) {
    hi[t] = n_pos - T + t + 1;
    lo[t] = EN_MAX(0, hi[t] - window);
  }
  for (size_t i = 0; i < rows; i++) o[i] = want[i] = GUARD_VALUE;
  const en_attend a = {.q = q, .ldq = ld, .o = o, .ldo = ld, .k = k_rows, .v = v_rows, .kv_type = type,
                       .E = E, .G = G, .T = T, .lo = lo, .hi = hi, .scale = 1 / sqrtf((float)E), .softcap = cap, .lse = lse, .ldlse = (size_t)G};
  naive_attend(&a, want, want_lse);
  k->attend(&a);
  check_each(o, want, rows, 0, size > 4 ? 1e-5 : 4e-6, k->name, "attend", E, G * 1000 + T); /* the last bit of a score of hundreds is 3e-5 */
  check_each(lse, want_lse, (size_t)(T * G), 3e-6, 3e-6, k->name, "attend lse", E, n_pos);
  free(kf), free(vf), free(q), free(o), free(want), free(lse), free(want_lse), free(k_rows), free(v_rows), free(lo), free(hi);
}

static void check_attend(const en_kernels *k) {
  static const int32_t sizes[] = {1, 16, 20, 33, 64, 80, 96, 100, 128, 256};
  for (int i = 0; i < EN_COUNT(sizes); i++)
    for (uint32_t type = 0; type < EN_KV_TYPES; type++) {
      attend_case(k, sizes[i], 1, 1, 1, 1 << 30, type, 0, 1);
      attend_case(k, sizes[i], 7, 1, 67, 1 << 30, type, 0, 2);
      attend_case(k, sizes[i], 1, 9, 40, 1 << 30, type, 0, 2);
      attend_case(k, sizes[i], 3, 5, 131, 1 << 30, type, 20, 2);
      attend_case(k, sizes[i], 2, 6, 131, 17, type, 0, 2); /* sliding window */
      attend_case(k, sizes[i], 4, 7, 7, 1, type, 0, 1);    /* only itself */
    }
  attend_case(k, 64, 2, 4, 300, 1 << 30, 0, 0, 12); /* scores of some hundreds: needs the running maximum */
}

/* ---- the gradient of a matrix ---- */
static void check_outer(const en_kernels *k) {
  static const struct { int32_t rows, cols, T; } cases[] = {{16, 1, 1}, {16, 5, 3}, {48, 33, 7}, {32, 100, 128}, {16, 64, 129}, {64, 39, 300}};
  const en_kernels ref = table("ref");
  for (int i = 0; i < EN_COUNT(cases); i++) {
    const int32_t rows = cases[i].rows, cols = cases[i].cols, T = cases[i].T, r0 = rows > 16 ? 16 : 0;
    const size_t n = (size_t)rows * (size_t)cols, ldx = (size_t)cols + 3, lddy = (size_t)rows + 5;
    float *x = draw_new(ldx * (size_t)T, 1), *dy = draw_new(lddy * (size_t)T, 1), *dw = draw_new(n, 1), *want = take_f(n);
    memcpy(want, dw, n * sizeof *dw);
    const en_outer a = {.dy = dy, .lddy = lddy, .x = x, .ldx = ldx, .dw = dw, .cols = cols, .T = T};
    en_outer b = a;
    b.dw = want;
    k->outer(&a, r0, rows);
    ref.outer(&b, r0, rows);
    check_each(dw, want, n, 1e-6, 2e-6 * sqrt(T), k->name, "outer", rows, T); /* the groups before r0 are as they were */
    free(x), free(dy), free(dw), free(want);
  }
}

/* A clock that goes on by 1 ms whenever someone looks. */
static double ticking(void *ud) { return ++*(double *)ud; }

static void check_trial(void) {
  double now = 0;
  const en_host clock = {.now_ms = ticking, .ud = &now}, none = {0};
  void *mem = aligned_alloc(EN_ALIGN, EN_TRIAL_BYTES);
  for (int32_t i = 0; en_kernels_usable(i); i++) CHECK_NEAR(en_kernels_speed(en_kernels_usable(i), &clock, 3, mem), 3 * 32 * 64 * 1024 / 3e6, 1e-9); /* three looks, 32 products each */
  CHECK_EQ(en_kernels_speed("no such table", &clock, 3, mem), 0);
  CHECK_EQ(en_kernels_speed("auto", &none, 3, mem), 0);
  free(mem);
}

int main(void) {
  CHECK(en_kernels_usable(0) != NULL);
  en_kernels unknown;
  en_why why;
  CHECK_EQ(en_kernels_pick(&unknown, "no such table", &why), EN_E_UNSUPPORTED);
  CHECK(strstr(why.text, "no such table") != NULL);
  check_trial();
  const en_kernels best = table("auto");
  CHECK(!strcmp(best.name, en_kernels_usable(0)));
  for (int32_t i = 0; en_kernels_usable(i); i++) {
    const en_kernels k = table(en_kernels_usable(i));
    const int failed = test_count.failed;
    CHECK(!strcmp(k.name, en_kernels_usable(i)));
#define EN_KERNEL(name, ret, args) check_##name(&k);
#include "../../core/kernels/kernels.def"
#undef EN_KERNEL
    printf("%s: %s\n", k.name, failed == test_count.failed ? "ok" : "FAILED");
  }
  return test_end();
}

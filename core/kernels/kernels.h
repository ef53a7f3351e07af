/* kernels.h - the contract between the layers and the machine. A kernel table is a struct of function pointers plus a list of
 * matrix products; a NULL entry inherits the plain-C reference when the table is picked. Layers never look past this header.
 *
 * Two references in plain C are never removed: `ref` (float activations: the numerical truth) and `ref-int8` (activations rounded
 * to 8 bits per 32: every fast table equals it exactly in the integers, so results differ by float rounding of the sums only).
 *
 * Shapes: row-major. T tokens. A weight is W[rows, cols] (rows = outputs). EN_R = 16 rows are interleaved (quant.h). */
#ifndef EN_KERNELS_H
#define EN_KERNELS_H
#include "../quant/quant.h"

/* A matrix as it lies in the model. `n_packed` rows (a multiple of EN_R) are packed groups, the rest are plain rows behind them;
 * n_packed = 0: a borrowed file, everything plain. data: rows * cols/block * block_bytes. */
typedef struct en_weight { const en_type *type; const uint8_t *data; int32_t rows, cols, n_packed; } en_weight;
static inline size_t en_row_bytes(const en_weight *w) { return (size_t)(w->cols / w->type->block) * (size_t)w->type->block_bytes; }

/* ---- products ---- */
/* y[t, r] = (add ? y[t, r] : 0) + (bias ? bias[r] : 0) + sum_c W[r, c] x[t, c]   for packed rows [r0, r1), multiples of EN_R. */
typedef struct en_mm {
  const uint8_t *w;       /* packed group 0 */
  const void *x;          /* T tokens in the kernel's activation form; form 0: the f32 rows themselves, then ldx counts */
  size_t ldx;             /* floats from token to token, form 0 only */
  float *y;               /* [T, ldy] */
  size_t ldy;
  const float *bias;      /* [rows] or NULL */
  int32_t cols, T, add;
} en_mm;
/* dx[t, c] += sum_{r < rows} dy[t, r] W[r, c]   for columns [c0, c1), multiples of 32 (and of the type's block, or at cols); rows is a multiple of EN_R.
 * F32, F16, BF16: one row after another in single precision (`ref`: in double). Block types: in integers (int8.h). */
typedef struct en_mm_t {
  const uint8_t *w;
  const float *dy;        /* [T, lddy] */
  size_t lddy;
  float *dx;              /* [T, lddx] */
  size_t lddx;
  int32_t rows, cols, T;
} en_mm_t;
/* dw[r, c] += sum_t dy[t, r] x[t, c]   for packed f32 rows [r0, r1), multiples of EN_R: the gradient of a matrix, in the layout of the matrix. */
typedef struct en_outer {
  const float *dy;        /* [T, lddy] */
  size_t lddy;
  const float *x;         /* [T, ldx] */
  size_t ldx;
  float *dw;              /* packed group 0 */
  int32_t cols, T;
} en_outer;
/* How a kernel wants its activations. fill() writes tokens [t0, t1) of x[T, ldx] (t0 a multiple of EN_T_TILE); ranges may run on different lanes. */
enum { EN_T_TILE = 8 };
typedef struct en_form {
  size_t (*bytes)(int32_t cols, int32_t T);
  void (*fill)(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1);
} en_form;
typedef struct en_product {
  int32_t type;                                              /* ggml id of the weights */
  int32_t form;                                              /* index into the table's forms; 0: plain f32 rows */
  void (*mul)(const en_mm *a, int32_t r0, int32_t r1);       /* never NULL */
  void (*mul_t)(const en_mm_t *a, int32_t c0, int32_t c1);   /* NULL: decoded panels */
} en_product;

/* ---- attention of one KV head for a few tokens: online softmax, grouped queries ---- */
/* A row of E values of the KV cache, in bytes. EN_KV_Q8_0: blocks as in quant/q8_0.c, the last one filled up with zeros. */
static inline size_t en_kv_row_bytes(uint32_t kv_type, int32_t E) {
  return kv_type == EN_KV_Q8_0 ? (size_t)((E + 31) / 32) * 34 : (size_t)E * (kv_type == EN_KV_F16 ? 2 : sizeof(float));
}
typedef struct en_attend {
  const float *q; size_t ldq;        /* query of token t, head g: q + t*ldq + g*E */
  float *o; size_t ldo;              /* output, same shape */
  const void *k, *v;                 /* [positions] rows of en_kv_row_bytes(kv_type, E) of this KV head */
  uint32_t kv_type;                  /* EN_KV_* */
  int32_t E, G, T;                   /* head size, query heads per KV head, tokens */
  const int32_t *lo, *hi;            /* token t sees positions [lo[t], hi[t]); never empty */
  float scale, softcap;              /* score = scale * q.k; softcap > 0: softcap * tanh(score / softcap) */
  float *lse; size_t ldlse;          /* NULL, or log-sum-exp of token t, head g at lse[t*ldlse + g] (the backward needs it) */
} en_attend;

typedef struct en_kernels {
  const char *name;                  /* "ref", "avx512", ... */
  int32_t (*usable)(void);           /* 1: this machine can run it; NULL: always */
  const char *rival;                 /* NULL, or a table that is faster on some machines: a host may time both (en_kernels_speed) */
  const en_product *products; int32_t n_products; /* types without an entry go through f32 panels */
  const en_form *forms; int32_t n_forms;          /* forms[0] is {NULL, NULL}: plain rows */
#define EN_KERNEL(name, ret, args) ret (*name) args;
#include "kernels.def"
#undef EN_KERNEL
} en_kernels;

#define EN_TABLE(name) extern const en_kernels en_kernels_##name;
#include "tables.def"
#undef EN_TABLE

/* Copy table `name` ("auto": the best usable) into *out, with what it lacks of kernels.def filled in from ref, and all products if it has none. (A table of
 * a build without ref, EN_NO_REF, must be complete.) Types without a product of their own use panels over the F32 one. EN_E_UNSUPPORTED: unknown or not usable here. */
int32_t en_kernels_pick(en_kernels *out, const char *name, en_why *why);
const char *en_kernels_usable(int32_t i); /* name of the i-th usable table, best first; NULL past the end */

const en_product *en_kernels_product(const en_kernels *k, int32_t type); /* NULL: none of its own. Every table has one of f32 */

/* ---- whole products: what the layers call ---- */
typedef struct en_out { const en_weight *w; float *y; size_t ldy; const float *bias; int32_t add; } en_out;
/* Scratch for products of up to max_cols columns and max_T tokens. */
size_t en_matmul_scratch(const en_kernels *k, int32_t max_cols, int32_t max_T, int32_t n_lanes);
/* All outputs share the input x[T, ldx] (their cols are equal): activations are prepared once per form, and one parallel job covers all rows. */
void en_matmul(const en_kernels *k, const en_host *host, const float *x, size_t ldx, int32_t T, const en_out *outs, int32_t n_outs, void *scratch);
/* A number with half of a float's bits: 12, the lower 12 rounded away. The product of two such numbers is exact, so that a sum of products has the same
 * bits whether or not a machine fuses multiply and add. The relative error is at most 2^-13. */
static inline float en_narrow(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x800) & 0xfffff000;
  memcpy(&x, &bits, sizeof bits);
  return x;
}
void en_narrow_row(float *y, const float *x, size_t n); /* or in place */
/* 1: gradients that pass this matrix have the same bits on every machine, as the values of its forward product have, which rounds far more: the transposed
 * product is one of integers, or, where a table has none (rows that are not packed, types without a fast product), narrows both factors and sums over the
 * rows of W in order. */
static inline int en_narrows(const en_weight *w) { return w->type->block > 1; }
/* dx[T, lddx] += dy[T, lddy] W */
void en_matmul_t(const en_kernels *k, const en_host *host, const en_weight *w, const float *dy, size_t lddy, float *dx, size_t lddx, int32_t T, void *scratch);
/* dw += dy^T x, the gradient of an f32 matrix w: dw has the floats of w in the order of w (packed groups, then plain rows). */
void en_matmul_outer(const en_kernels *k, const en_host *host, const en_weight *w, const float *dy, size_t lddy, const float *x, size_t ldx, float *dw, int32_t T);
/* Row r of W as f32 [cols]; scratch: en_row_bytes(w). Works for packed and plain rows. */
void en_weight_row(float *y, const en_weight *w, int32_t r, void *scratch);
#endif

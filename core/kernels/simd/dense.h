/* dense.h - products of f32, f16 and bf16 weights with plain f32 rows.
 * A packed group is [cols][16]: one column of 16 rows after another. */
#ifndef EN_DENSE_H
#define EN_DENSE_H
#include "simd.h"

/* VL packed elements from index i. */
EN_INLINE vf w_load(const uint8_t *w, size_t i, int type) {
  if (type == EN_F32) return v_load((const float *)(const void *)w + i);
  return type == EN_F16 ? v_f16((const uint16_t *)(const void *)w + i) : v_bf16((const uint16_t *)(const void *)w + i);
}
EN_INLINE size_t w_size(int type) { return type == EN_F32 ? 4 : 2; }

/* Sums of nv vectors of rows from row r, nt tokens from token t, into y. */
EN_INLINE void put_tile(const en_mm *a, const vf *sums, int nv, int nt, int32_t r, int32_t t) {
  EN_UNROLL for (int v = 0; v < nv; v++)
    EN_UNROLL for (int i = 0; i < nt; i++) {
      float *y = a->y + (size_t)(t + i) * a->ldy + r + v * VL;
      vf s = sums[v * nt + i];
      if (a->bias) s = v_add(s, v_load(a->bias + r + v * VL));
      v_store(y, a->add ? v_add(v_load(y), s) : s);
    }
}

/* s[v][t] += column c of nv vectors of rows times x of nt tokens. The weights are loaded first: nv of them, nv * nt sums and one x fit 16 registers. */
EN_INLINE void dense_column(vf *s, const uint8_t *group, const float *x, size_t ldx, int32_t c, int v0, int nv, int nt, int type) {
  vf w[4];
  EN_UNROLL for (int v = 0; v < nv; v++) w[v] = w_load(group, (size_t)c * EN_R + (size_t)((v0 + v) * VL), type);
  EN_UNROLL for (int i = 0; i < nt; i++) {
    const vf xi = v_splat(x + (size_t)i * ldx + c);
    EN_UNROLL for (int v = 0; v < nv; v++) s[v * nt + i] = v_fma(w[v], xi, s[v * nt + i]);
  }
}

/* 16 rows from row r, nt tokens from token t: nv vectors of rows at a time; nu columns go to separate sums, to hide the latency of v_fma. */
EN_INLINE void dense_tile(const en_mm *a, int32_t r, int32_t t, int nv, int nt, int nu, int type) {
  const uint8_t *group = a->w + (size_t)r * (size_t)a->cols * w_size(type);
  const float *x = (const float *)a->x + (size_t)t * a->ldx;
  EN_ROLL for (int v0 = 0; v0 < EN_R / VL; v0 += nv) {
    vf s[32];
    EN_UNROLL for (int i = 0; i < nu * nv * nt; i++) s[i] = v_zero();
    int32_t c = 0;
    for (; c + nu <= a->cols; c += nu)
      EN_UNROLL for (int u = 0; u < nu; u++) dense_column(s + u * nv * nt, group, x, a->ldx, c + u, v0, nv, nt, type);
    for (; c < a->cols; c++) dense_column(s, group, x, a->ldx, c, v0, nv, nt, type);
    for (int u = 1; u < nu; u++)
      EN_UNROLL for (int i = 0; i < nv * nt; i++) s[i] = v_add(s[i], s[u * nv * nt + i]);
    put_tile(a, s, nv, nt, r + v0 * VL, t);
  }
}

/* EN_DENSE_V vectors of rows by EN_DENSE_T tokens fill the registers (table.c files choose); a single token takes all 16 rows at once. */
#define EN_DENSE(name, type) \
  static void dense_many_##name(const en_mm *a, int32_t r, int32_t t) { dense_tile(a, r, t, EN_DENSE_V, EN_DENSE_T, 1, type); } \
  static void dense_one_##name(const en_mm *a, int32_t r, int32_t t) { dense_tile(a, r, t, EN_R / VL, 1, VL / 2, type); } \
  static void mul_##name(const en_mm *a, int32_t r0, int32_t r1) { \
    for (int32_t r = r0; r < r1; r += EN_R) { \
      int32_t t = 0; \
      for (; t + EN_DENSE_T <= a->T; t += EN_DENSE_T) dense_many_##name(a, r, t); \
      for (; t < a->T; t++) dense_one_##name(a, r, t); \
    } \
  }
EN_DENSE(f32, EN_F32)
EN_DENSE(f16, EN_F16)
EN_DENSE(bf16, EN_BF16)

/* ---- dx += dy W ---- */
enum { EN_TILE_C = 32 /* columns decoded at once */, EN_TILE_R = 64 /* rows: so many products for one load and store of dx */ };

/* n <= 32 columns from column c of the 16 rows from row r, as f32 [column][16]. */
static void decode_dense(float *to, const en_mm_t *a, int32_t r, int32_t c, int32_t n, int type) {
  const uint8_t *from = a->w + ((size_t)r * (size_t)a->cols + (size_t)c * EN_R) * w_size(type);
  for (int32_t i = 0; i < n * EN_R; i += VL) v_store(to + i, w_load(from, (size_t)i, type));
}

/* dx[nt tokens][32 columns] += dy[nt tokens][rows] tile[rows][32], nv vectors of columns at a time. */
EN_INLINE void spread_tile(float *dx, size_t lddx, const float *dy, size_t lddy, const float *tile, int32_t rows, int nv, int nt) {
  EN_ROLL for (int c = 0; c < EN_TILE_C; c += nv * VL) {
    vf s[16];
    EN_UNROLL for (int i = 0; i < nt; i++)
      EN_UNROLL for (int v = 0; v < nv; v++) s[i * nv + v] = v_load(dx + (size_t)i * lddx + c + v * VL);
    EN_ROLL for (int32_t r = 0; r < rows; r++) {
      vf w[8];
      EN_UNROLL for (int v = 0; v < nv; v++) w[v] = v_load(tile + r * EN_TILE_C + c + v * VL);
      EN_UNROLL for (int i = 0; i < nt; i++) {
        const vf g = v_splat(dy + (size_t)i * lddy + r);
        EN_UNROLL for (int v = 0; v < nv; v++) s[i * nv + v] = v_fma(g, w[v], s[i * nv + v]);
      }
    }
    EN_UNROLL for (int i = 0; i < nt; i++)
      EN_UNROLL for (int v = 0; v < nv; v++) v_store(dx + (size_t)i * lddx + c + v * VL, s[i * nv + v]);
  }
}

enum { EN_SPREAD_V = VL == 4 ? 4 : 2, EN_SPREAD_T = VL == 16 ? 4 : VL == 8 ? 6 : 2 };

/* nt tokens from token t against one decoded tile; n < 32 at a ragged right edge: through a full-width copy of dx. */
EN_INLINE void spread_tokens(const en_mm_t *a, const float *tile, int32_t r, int32_t rows, int32_t c, int32_t n, int32_t t, int nv, int nt) {
  float *dx = a->dx + (size_t)t * a->lddx + c;
  const float *dy = a->dy + (size_t)t * a->lddy + r;
  if (n == EN_TILE_C) {
    spread_tile(dx, a->lddx, dy, a->lddy, tile, rows, nv, nt);
    return;
  }
  float edge[EN_SPREAD_T * EN_TILE_C] = {0};
  for (int i = 0; i < nt; i++) memcpy(edge + i * EN_TILE_C, dx + (size_t)i * a->lddx, (size_t)n * sizeof(float));
  spread_tile(edge, EN_TILE_C, dy, a->lddy, tile, rows, nv, nt);
  for (int i = 0; i < nt; i++) memcpy(dx + (size_t)i * a->lddx, edge + i * EN_TILE_C, (size_t)n * sizeof(float));
}

static void spread(const en_mm_t *a, const float *tile, int32_t r, int32_t rows, int32_t c, int32_t n) {
  int32_t t = 0;
  for (; t + EN_SPREAD_T <= a->T; t += EN_SPREAD_T) spread_tokens(a, tile, r, rows, c, n, t, EN_SPREAD_V, EN_SPREAD_T);
  for (; t < a->T; t++) spread_tokens(a, tile, r, rows, c, n, t, EN_TILE_C / VL, 1);
}

/* Columns [c0, c1), rows [r0, r1) tile by tile: up to 64 rows by 32 columns decoded, transposed to rows, used by all tokens. */
static void mul_t_rows(const en_mm_t *a, int32_t c0, int32_t c1, int32_t r0, int32_t r1, int type) {
  float columns[EN_TILE_C * EN_R] = {0}, tile[EN_TILE_R * EN_TILE_C];
  for (int32_t c = c0; c < c1; c += EN_TILE_C)
    for (int32_t at = r0; at < r1; at += EN_TILE_R) {
      const int32_t n = EN_MIN(EN_TILE_C, c1 - c), rows = EN_MIN(EN_TILE_R, r1 - at);
      for (int32_t r = 0; r < rows; r += EN_R) {
        decode_dense(columns, a, at + r, c, n, type);
        EN_ROLL for (int i = 0; i < EN_TILE_C; i += 4)
          EN_ROLL for (int k = 0; k < EN_R; k += 4) v_transpose4(tile + (r + k) * EN_TILE_C + i, EN_TILE_C, columns + i * EN_R + k, EN_R);
      }
      spread(a, tile, at, rows, c, n);
    }
}

/* dy, a block of tokens and rows at a time: every column reads it anew, so it should stay in a near cache. */
enum { EN_BACK_T = 256, EN_BACK_FLOATS = 1 << 15 };

EN_OUTLINE void mul_t(const en_mm_t *a, int32_t c0, int32_t c1, int type) {
  for (int32_t t = 0; t < a->T; t += EN_BACK_T) {
    en_mm_t block = *a;
    block.T = EN_MIN(EN_BACK_T, a->T - t);
    block.dy = a->dy + (size_t)t * a->lddy;
    block.dx = a->dx + (size_t)t * a->lddx;
    const int32_t step = EN_MIN(EN_BACK_FLOATS / block.T / EN_TILE_R, 16) * EN_TILE_R;
    for (int32_t r = 0; r < a->rows; r += step) mul_t_rows(&block, c0, c1, r, EN_MIN(a->rows, r + step), type);
  }
}
static void mul_t_f32(const en_mm_t *a, int32_t c0, int32_t c1) { mul_t(a, c0, c1, EN_F32); }
static void mul_t_f16(const en_mm_t *a, int32_t c0, int32_t c1) { mul_t(a, c0, c1, EN_F16); }
static void mul_t_bf16(const en_mm_t *a, int32_t c0, int32_t c1) { mul_t(a, c0, c1, EN_BF16); }

/* ---- dw += dy^T x ---- */
/* EN_OUTER_C columns by EN_OUTER_V vectors of rows fill the registers. A block of tokens at a time, so that its rows of x stay in a near cache. */
enum { EN_OUTER_V = VL == 16 ? 1 : 2, EN_OUTER_C = VL == 16 ? 16 : VL == 8 ? 6 : 4, EN_OUTER_T = 128 };

/* dw[nc columns][16] += x[T][nc]^T dy[T][16] */
EN_INLINE void outer_tile(float *dw, const float *x, size_t ldx, const float *dy, int32_t T, int nv, int nc) {
  EN_ROLL for (int v0 = 0; v0 < EN_R; v0 += nv * VL) {
    vf s[16];
    EN_UNROLL for (int i = 0; i < nc; i++)
      EN_UNROLL for (int v = 0; v < nv; v++) s[i * nv + v] = v_load(dw + i * EN_R + v0 + v * VL);
    EN_ROLL for (int32_t t = 0; t < T; t++) {
      vf g[2];
      EN_UNROLL for (int v = 0; v < nv; v++) g[v] = v_load(dy + t * EN_R + v0 + v * VL);
      EN_UNROLL for (int i = 0; i < nc; i++) {
        const vf xi = v_splat(x + (size_t)t * ldx + i);
        EN_UNROLL for (int v = 0; v < nv; v++) s[i * nv + v] = v_fma(g[v], xi, s[i * nv + v]);
      }
    }
    EN_UNROLL for (int i = 0; i < nc; i++)
      EN_UNROLL for (int v = 0; v < nv; v++) v_store(dw + i * EN_R + v0 + v * VL, s[i * nv + v]);
  }
}

static void outer(const en_outer *a, int32_t r0, int32_t r1) {
  float dy[EN_OUTER_T * EN_R];
  for (int32_t t0 = 0; t0 < a->T; t0 += EN_OUTER_T)
    for (int32_t r = r0; r < r1; r += EN_R) {
      const int32_t T = EN_MIN(EN_OUTER_T, a->T - t0);
      const float *x = a->x + (size_t)t0 * a->ldx;
      float *dw = a->dw + (size_t)r * (size_t)a->cols;
      int32_t c = 0;
      for (int32_t t = 0; t < T; t++) memcpy(dy + t * EN_R, a->dy + (size_t)(t0 + t) * a->lddy + r, EN_R * sizeof *dy);
      for (; c + EN_OUTER_C <= a->cols; c += EN_OUTER_C) outer_tile(dw + (size_t)c * EN_R, x + c, a->ldx, dy, T, EN_OUTER_V, EN_OUTER_C);
      for (; c < a->cols; c++) outer_tile(dw + (size_t)c * EN_R, x + c, a->ldx, dy, T, EN_OUTER_V, 1);
    }
}
#endif

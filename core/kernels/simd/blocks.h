/* blocks.h - products of Q4_0 and Q8_0 with int8 activations (../int8.h). Three ways to sum, each exact in its integers:
 *   u16  u8 x i8 pairs into i16 (v_maddubs), a whole Q4_0 block stays in i16: 16 x 15 x 127 = 30480 < 32768; one v_madd16 by ones per block.
 *   s16  no byte products at all: masks leave nibbles (or bytes) where they are, as multiples of 1, 16 or 256 in i16 lanes; the i16
 *        activations carry the other factor, so that every product carries 256, and the activation's scale carries 1/256.
 *        Q4_0 word of row r: bytes b0..b3, byte j = low nibble k = j, high nibble k = 16 + j; lanes (b0 b1)(b2 b3):
 *          v & 0x000f = k 0, 2     v & 0x00f0 = 16 x k 16, 18     v & 0x0f00 = 256 x k 1, 3     v >> 12 = k 17, 19
 *        Q8_0: v << 8 = 256 x k 0, 2     v & 0xff00 = 256 x k 1, 3. |sum| <= 256 x 32 x 128 x 127 < 2^31, and a multiple of 256 below 2^27.
 *   dot4 four byte products added to i32 in one instruction (v_dot4), exact for u8 x i8 (VNNI) or i8 x i8 (SDOT).
 * Weights of -128 (never written by encoders, but a file can hold them) are exact in all three. */
#ifndef EN_BLOCKS_H
#define EN_BLOCKS_H
#include "../int8.h"
#include "dense.h"

/* ---- activations ---- */
/* en_q8_round in vectors: the same integers, the same d. */
EN_INLINE void q8_block(en_q8_act *a, const float *x) {
  enum { N = EN_Q8_BLOCK / VL };
  vi q[N], top = v_set32(0), sum = v_set32(0);
  EN_UNROLL for (int i = 0; i < N; i++) top = v_max32(top, v_and(v_as_i(v_load(x + i * VL)), v_set32(0x7fffffff)));
  const int32_t bits = v_top32(top);
  const float amax = en_rdf32(&bits);
  if (bits >= 0x7f800000 || amax < EN_Q8_TINY) {
    *a = (en_q8_act){.d = bits >= 0x7f800000 ? amax - amax : 0};
    return;
  }
  const vf inverse = v_set(127 / amax);
  EN_UNROLL for (int i = 0; i < N; i++) {
    q[i] = v_to_i(v_mul(v_load(x + i * VL), inverse));
    sum = v_add32(sum, q[i]);
  }
  v_store_i8x32(a->q, q);
  a->d = amax / 127;
  a->m8 = -8 * v_sum32(sum);
}

#if defined(EN_HAS_MADDUBS) || defined(EN_HAS_DOT4)
static size_t q8_bytes(int32_t cols, int32_t T) { return (size_t)(cols / EN_Q8_BLOCK) * (size_t)T * sizeof(en_q8_act); }

static void q8_fill(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1) {
  const int32_t n_blocks = cols / EN_Q8_BLOCK;
  for (int32_t t = t0; t < t1; t++)
    for (int32_t b = 0; b < n_blocks; b++) q8_block((en_q8_act *)dst + en_act_at(n_blocks, T, b, t), x + (size_t)t * ldx + (size_t)b * EN_Q8_BLOCK);
}
#endif

/* ---- one tile: nv vectors of rows, nt tokens; block and x point at the first block, `stride` tokens are stored per block ---- */
typedef struct { const en_mm *mm; const uint8_t *group; const void *x; int32_t stride, r, t; } en_tile;

/* s[v][t] += i32 sums times both scales. */
EN_INLINE void scale_sums(vf *acc, const vi *s, const uint8_t *scales, const float *d, size_t d_stride, int v, int nt) {
  const vf dw = v_f16((const uint16_t *)(const void *)scales + v * VL);
  EN_UNROLL for (int t = 0; t < nt; t++) acc[t] = v_mac(v_to_f(s[t]), v_mul(dw, v_splat((const float *)(const void *)((const uint8_t *)d + (size_t)t * d_stride))), acc[t]);
}

#ifdef EN_HAS_MADDUBS
EN_INLINE void q4_u16(const en_tile *a, int nv, int nt) {
  const vi mask = v_set16(0x0f0f), one = v_set16(1);
  EN_ROLL for (int v0 = 0; v0 < EN_R / VL; v0 += nv) {
    const uint8_t *w = a->group;
    const en_q8_act *x = a->x;
    vf acc[32];
    EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_zero();
    for (int32_t b = 0; b < a->mm->cols / EN_Q8_BLOCK; b++, w += EN_R * 18, x += a->stride) {
      vi s[32];
      EN_UNROLL for (int g = 0; g < 4; g++)
        EN_UNROLL for (int v = 0; v < nv; v++) {
          const vi q = v_ld(w + 2 * EN_R + (g * EN_R + (v0 + v) * VL) * 4), lo = v_and(q, mask), hi = v_and(v_shr16(q, 4), mask);
          EN_UNROLL for (int t = 0; t < nt; t++) {
            const vi p = v_add16(v_maddubs(lo, v_splat32(x[t].q + 4 * g)), v_maddubs(hi, v_splat32(x[t].q + 16 + 4 * g)));
            s[v * nt + t] = g ? v_add16(s[v * nt + t], p) : p;
          }
        }
      EN_UNROLL for (int v = 0; v < nv; v++) {
        EN_UNROLL for (int t = 0; t < nt; t++) s[v * nt + t] = v_add32(v_madd16(s[v * nt + t], one), v_splat32(&x[t].m8));
        scale_sums(acc + v * nt, s + v * nt, w, &x->d, sizeof *x, v0 + v, nt);
      }
    }
    put_tile(a->mm, acc, nv, nt, a->r + v0 * VL, a->t);
  }
}
#endif

#ifdef EN_HAS_DOT4
EN_INLINE void q4_dot4(const en_tile *a, int nv, int nt) {
  const vi mask = v_set16(0x0f0f);
  EN_ROLL for (int v0 = 0; v0 < EN_R / VL; v0 += nv) {
    const uint8_t *w = a->group;
    const en_q8_act *x = a->x;
    vf acc[32];
    EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_zero();
    for (int32_t b = 0; b < a->mm->cols / EN_Q8_BLOCK; b++, w += EN_R * 18, x += a->stride) {
      vi s[32];
      EN_UNROLL for (int v = 0; v < nv; v++)
        EN_UNROLL for (int t = 0; t < nt; t++) s[v * nt + t] = v_splat32(&x[t].m8);
      EN_UNROLL for (int g = 0; g < 4; g++)
        EN_UNROLL for (int v = 0; v < nv; v++) {
          const vi q = v_ld(w + 2 * EN_R + (g * EN_R + (v0 + v) * VL) * 4), lo = v_and(q, mask), hi = v_and(v_shr16(q, 4), mask);
          EN_UNROLL for (int t = 0; t < nt; t++)
            s[v * nt + t] = v_dot4(v_dot4(s[v * nt + t], lo, v_splat32(x[t].q + 4 * g)), hi, v_splat32(x[t].q + 16 + 4 * g));
        }
      EN_UNROLL for (int v = 0; v < nv; v++) scale_sums(acc + v * nt, s + v * nt, w, &x->d, sizeof *x, v0 + v, nt);
    }
    put_tile(a->mm, acc, nv, nt, a->r + v0 * VL, a->t);
  }
}
#endif

#ifdef EN_HAS_DOT4_S8
/* The whole signed byte. v_dot4 with an unsigned first operand: the weight with its top bit flipped is w + 128, and 16 x m8 = -128 sum of x takes that away. */
EN_INLINE void q8_dot4(const en_tile *a, int nv, int nt) {
  EN_ROLL for (int v0 = 0; v0 < EN_R / VL; v0 += nv) {
    const uint8_t *w = a->group;
    const en_q8_act *x = a->x;
    vf acc[32];
    EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_zero();
    for (int32_t b = 0; b < a->mm->cols / EN_Q8_BLOCK; b++, w += EN_R * 34, x += a->stride) {
      vi s[32];
      EN_UNROLL for (int v = 0; v < nv; v++)
        EN_UNROLL for (int t = 0; t < nt; t++) s[v * nt + t] = EN_DOT4_SIGNED ? v_set32(0) : v_shl32(v_splat32(&x[t].m8), 4);
      EN_UNROLL for (int g = 0; g < 8; g++)
        EN_UNROLL for (int v = 0; v < nv; v++) {
          vi q = v_ld(w + 2 * EN_R + (g * EN_R + (v0 + v) * VL) * 4);
          if (!EN_DOT4_SIGNED) q = v_xor(q, v_set32((int32_t)0x80808080u));
          EN_UNROLL for (int t = 0; t < nt; t++) s[v * nt + t] = v_dot4(s[v * nt + t], q, v_splat32(x[t].q + 4 * g));
        }
      EN_UNROLL for (int v = 0; v < nv; v++) scale_sums(acc + v * nt, s + v * nt, w, &x->d, sizeof *x, v0 + v, nt);
    }
    put_tile(a->mm, acc, nv, nt, a->r + v0 * VL, a->t);
  }
}
#endif

#ifdef EN_HAS_MADD16
/* i16 activations, arranged as the head of this file says; d carries 1/256. m = -8 x 256 x sum (Q4_0 only). */
typedef struct { float d; int32_t m; int16_t q[EN_Q8_BLOCK]; } en_q16_act;
static size_t q16_bytes(int32_t cols, int32_t T) { return (size_t)(cols / EN_Q8_BLOCK) * (size_t)T * sizeof(en_q16_act); }

EN_INLINE void q16_fill(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1, int for_q4) {
  const int32_t n_blocks = cols / EN_Q8_BLOCK;
  for (int32_t t = t0; t < t1; t++)
    for (int32_t b = 0; b < n_blocks; b++) {
      en_q16_act *a = (en_q16_act *)dst + en_act_at(n_blocks, T, b, t);
      en_q8_act q;
      q8_block(&q, x + (size_t)t * ldx + (size_t)b * EN_Q8_BLOCK);
      a->d = q.d * 0x1p-8f;
      a->m = q.m8 * 256;
      v_arrange16(a->q, q.q, for_q4);
    }
}
static void q16_fill_q8(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1) { q16_fill(dst, x, ldx, cols, T, t0, t1, 0); }

EN_INLINE void q8_s16(const en_tile *a, int nv, int nt) {
  const vi high = v_set16(-256);
  EN_ROLL for (int v0 = 0; v0 < EN_R / VL; v0 += nv) {
    const uint8_t *w = a->group;
    const en_q16_act *x = a->x;
    vf acc[32];
    EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_zero();
    for (int32_t b = 0; b < a->mm->cols / EN_Q8_BLOCK; b++, w += EN_R * 34, x += a->stride) {
      vi s[32];
      EN_UNROLL for (int g = 0; g < 8; g++)
        EN_UNROLL for (int v = 0; v < nv; v++) {
          const vi q = v_ld(w + 2 * EN_R + (g * EN_R + (v0 + v) * VL) * 4), even = v_shl16(q, 8), odd = v_and(q, high);
          EN_UNROLL for (int t = 0; t < nt; t++) {
            const vi p = v_add32(v_madd16(even, v_splat32(x[t].q + 4 * g)), v_madd16(odd, v_splat32(x[t].q + 4 * g + 2)));
            s[v * nt + t] = g ? v_add32(s[v * nt + t], p) : p;
          }
        }
      EN_UNROLL for (int v = 0; v < nv; v++) scale_sums(acc + v * nt, s + v * nt, w, &x->d, sizeof *x, v0 + v, nt);
    }
    put_tile(a->mm, acc, nv, nt, a->r + v0 * VL, a->t);
  }
}

#ifdef EN_Q4_S16
static void q16_fill_q4(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1) { q16_fill(dst, x, ldx, cols, T, t0, t1, 1); }

EN_INLINE void q4_s16(const en_tile *a, int nv, int nt) {
  const vi m0 = v_set16(0x000f), m1 = v_set16(0x00f0), m2 = v_set16(0x0f00);
  EN_ROLL for (int v0 = 0; v0 < EN_R / VL; v0 += nv) {
    const uint8_t *w = a->group;
    const en_q16_act *x = a->x;
    vf acc[32];
    EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_zero();
    for (int32_t b = 0; b < a->mm->cols / EN_Q8_BLOCK; b++, w += EN_R * 18, x += a->stride) {
      vi s[32];
      EN_UNROLL for (int v = 0; v < nv; v++)
        EN_UNROLL for (int t = 0; t < nt; t++) s[v * nt + t] = v_splat32(&x[t].m);
      EN_UNROLL for (int g = 0; g < 4; g++)
        EN_UNROLL for (int v = 0; v < nv; v++) {
          const vi q = v_ld(w + 2 * EN_R + (g * EN_R + (v0 + v) * VL) * 4);
          const vi n0 = v_and(q, m0), n1 = v_and(q, m1), n2 = v_and(q, m2), n3 = v_shr16(q, 12);
          EN_UNROLL for (int t = 0; t < nt; t++) {
            const int16_t *p = x[t].q + 8 * g;
            s[v * nt + t] = v_add32(s[v * nt + t], v_add32(v_add32(v_madd16(n0, v_splat32(p)), v_madd16(n1, v_splat32(p + 2))),
                                                           v_add32(v_madd16(n2, v_splat32(p + 4)), v_madd16(n3, v_splat32(p + 6)))));
          }
        }
      EN_UNROLL for (int v = 0; v < nv; v++) scale_sums(acc + v * nt, s + v * nt, w, &x->d, sizeof *x, v0 + v, nt);
    }
    put_tile(a->mm, acc, nv, nt, a->r + v0 * VL, a->t);
  }
}
#endif
#endif

/* ---- a product from a tile: a whole activation tile of 8 tokens at a time; 4 and 1 of a shorter last one (by then the rows are in the cache) ---- */
typedef void (*en_tile_fn)(const en_tile *a);

EN_INLINE void mul_tiles(const en_mm *a, int32_t r0, int32_t r1, size_t block_bytes, size_t act_bytes, en_tile_fn eight, en_tile_fn four, en_tile_fn one) {
  const size_t n_blocks = (size_t)(a->cols / EN_Q8_BLOCK);
  for (int32_t r = r0; r < r1; r += EN_R)
    for (int32_t t0 = 0; t0 < a->T; t0 += EN_T_TILE) {
      const int32_t n = EN_MIN(EN_T_TILE, a->T - t0);
      en_tile tile = {.mm = a, .group = a->w + (size_t)r * n_blocks * block_bytes, .stride = n, .r = r};
      for (int32_t t = 0; t < n;) {
        const int32_t step = n - t >= 8 ? 8 : n - t >= 4 ? 4 : 1;
        tile.x = (const uint8_t *)a->x + ((size_t)t0 * n_blocks + (size_t)t) * act_bytes;
        tile.t = t0 + t;
        (step == 1 ? one : step == 4 ? four : eight)(&tile);
        t += step;
      }
    }
}

/* Vectors of rows per pass: as many as keep their sums near the registers; all 16 rows for a single token. */
#define EN_BLOCKS(name, tile, bytes, act) \
  static void tile_eight_##name(const en_tile *a) { tile(a, 1, EN_T_TILE); } \
  static void tile_four_##name(const en_tile *a) { tile(a, 1, 4); } \
  static void tile_one_##name(const en_tile *a) { tile(a, EN_R / VL, 1); } \
  static void mul_##name(const en_mm *a, int32_t r0, int32_t r1) { \
    mul_tiles(a, r0, r1, bytes, sizeof(act), tile_eight_##name, tile_four_##name, tile_one_##name); \
  }
#endif

/* simd.h - one body for every instruction set. A table's .c file includes its own vec.h, then ../simd/blocks.h and attend.h.
 *
 * vec.h gives, for VL float lanes: types vf (floats), vi (the same bits as integers), vm (a lane mask) and always-inlined
 *   floats    v_zero v_set(x) v_load(p) v_splat(p) v_store(p, a) v_add v_sub v_mul v_div v_fma(a, b, c) = a b + c, fused where that is one instruction
 *             v_max v_min (b if b is NaN) v_abs v_gt v_eq v_any(mask) v_select(mask, yes, no) v_top (largest lane)
 *             v_sum: lanes l and l + VL/2 first, then l and l + VL/4, ... : the order is part of the result
 *   integers  v_ld(p) v_splat32(p) v_set32 v_set16 v_and v_or v_xor v_shl32 v_shr32 v_sar32 v_shl16 v_shr16 v_add16 v_add32 v_sub32 v_max32 v_sum32 v_top32
 *             v_to_f v_to_i (nearest even, |a| < 2^22) v_as_f v_as_i v_store_i8x32(q, 32 integers)
 *   bytes     v_i8(p): VL signed ones to floats; v_lookup(table[16], numbers 0..15): bytes; v_pick(a, numbers[16]): bytes of each 16-byte part, zero where a number is 128 or more
 *   halves    v_f16(p) v_bf16(p): VL of them to floats; v_store_f16(p, a): round to nearest even; v_transpose4: a 4 x 4 block
 *   pairs     v_scale16(a, b): (a b + 2^14) >> 15 of i16 lanes, not both -2^15; v_put_pairs(to, ld, x, y, minus): for every lane the 4 signed bytes of x and those of y, less `minus`, as i16
 *             beside one another: 4 words at to + lane * ld
 *   products, where the instruction set has them (blocks.h says which way to sum uses which)
 *             v_madd16(a, b): i16 pairs to i32 sums, v_dot2(acc, a, b): added to acc (everywhere); v_maddubs(u, s): u8 0..127 times i8, pairs summed to i16; v_dot4(acc, u, s): four of them added to i32.
 * No pointer needs more than its element's alignment. */
#ifndef EN_SIMD_H
#define EN_SIMD_H
#include "inline.h"

/* Everything here, and the products of ../simd/blocks.h, gives the same bits on every machine: multiply and add round separately (only
 * dense.h, the f32 products, fuses them; attention's on the way back have narrowed factors, en_narrow, so that it makes no difference), and sums run in EN_LANES lanes whatever the vectors' width: element i belongs to lane i mod 16, lanes
 * are folded in halves. A model with 8-bit activations amplifies a last-bit difference to a different rounding somewhere, and from there to per
 * cents of the logits; with the same bits there is none. ref-int8 is this body over plain-C vectors. */
enum { EN_LANES = 16, EN_PARTS = EN_LANES / VL };
EN_INLINE vf v_mac(vf a, vf b, vf c) { return v_add(v_mul(a, b), c); }
/* The sum of the EN_LANES lanes of s[EN_PARTS]; s is used up. */
EN_INLINE float v_fold(vf *s) {
  EN_UNROLL for (int w = EN_PARTS / 2; w > 0; w /= 2)
    for (int i = 0; i < w; i++) s[i] = v_add(s[i], s[i + w]);
  return v_sum(s[0]);
}

/* The first n of VL floats, n > 0; the rest reads as zero and is not written. n >= VL: all. */
EN_OUTLINE vf load_rest(const float *p, int32_t n) {
  float lanes[VL] = {0};
  EN_ROLL for (int32_t i = 0; i < n; i++) lanes[i] = p[i];
  return v_load(lanes);
}
EN_OUTLINE void store_rest(float *p, vf a, int32_t n) {
  float lanes[VL];
  v_store(lanes, a);
  EN_ROLL for (int32_t i = 0; i < n; i++) p[i] = lanes[i];
}
EN_INLINE vf v_load_n(const float *p, int32_t n) { return n >= VL ? v_load(p) : load_rest(p, n); }
EN_INLINE void v_store_n(float *p, vf a, int32_t n) {
  if (n >= VL) v_store(p, a);
  else store_rest(p, a, n);
}

/* Constants of a loop that has more of them than registers, four times each in memory. In WebAssembly neither clang nor the engine may know their values: of a
 * constant vector both make one anew wherever it is used, in three instructions of an engine, where a load is one. */
#define EN_X4(x) {x, x, x, x}
typedef const float en_x4[4];
#ifdef __wasm_simd128__
EN_INLINE en_x4 *v_consts(en_x4 *table) {
  __asm__("" : "+r"(table));
  return table;
}
EN_INLINE vf v_const(en_x4 x) { return v_load(x); }
#else
EN_INLINE en_x4 *v_consts(en_x4 *table) { return table; }
EN_INLINE vf v_const(en_x4 x) { return v_set(x[0]); }
#endif

/* ---- functions of a vector. Relative error below 3e-7 unless said (tests/unit/kernels_test.c). The polynomials are our own fits
 * (weighted least squares, iterated towards the smallest largest error). ---- */

/* e^x; 0 below -87.3, the value at 88.3 above 88.3 (so never infinite). x = n ln 2 + r, e^r by a polynomial, 2^n by its exponent bits. */
EN_INLINE vf v_exp(vf x) {
  static en_x4 constants[] = {EN_X4(-87.3f), EN_X4(88.3f), EN_X4(0x1.8p23f), EN_X4(1.44269504f), EN_X4(-0.693359375f), EN_X4(2.12194440e-4f), EN_X4(0.0013813142f),
                              EN_X4(0.0083694190f), EN_X4(0.041668457f), EN_X4(0.16666515f), EN_X4(0.49999993f), EN_X4(1)};
  en_x4 *k = v_consts(constants);
  const vf low = v_const(k[0]), c = v_min(v_const(k[1]), v_max(low, x)), magic = v_const(k[2]), one = v_const(k[11]);
  const vf shifted = v_mac(c, v_const(k[3]), magic), n = v_sub(shifted, magic); /* n rounded, and in the low bits of `shifted` */
  vf r = v_mac(n, v_const(k[4]), c); /* ln 2 in two parts: the first has few bits, so n times it is exact */
  r = v_mac(n, v_const(k[5]), r);
  vf p = v_mac(v_const(k[6]), r, v_const(k[7]));
  p = v_mac(p, r, v_const(k[8]));
  p = v_mac(p, r, v_const(k[9]));
  p = v_mac(p, r, v_const(k[10]));
  p = v_add(v_mac(v_mul(p, r), r, r), one);
  p = v_mul(p, v_as_f(v_add32(v_shl32(v_as_i(shifted), 23), v_as_i(one))));
  return v_select(v_gt(low, x), v_zero(), p);
}

EN_INLINE vf v_sigmoid(vf x) { return v_div(v_set(1), v_add(v_set(1), v_exp(v_sub(v_zero(), x)))); }

/* tanh: odd polynomial below 0.625, else 1 - 2 / (e^2|x| + 1) with the sign of x. */
EN_INLINE vf v_tanh(vf x) {
  const vf z = v_mul(x, x), a = v_abs(x);
  vf p = v_mac(v_set(-0.0057049837f), z, v_set(0.020639084f));
  p = v_mac(p, z, v_set(-0.053739714f));
  p = v_mac(p, z, v_set(0.13331442f));
  p = v_mac(p, z, v_set(-0.33333282f));
  p = v_mac(v_mul(p, z), x, x);
  const vf big = v_sub(v_set(1), v_div(v_set(2), v_add(v_exp(v_add(a, a)), v_set(1))));
  return v_select(v_gt(v_set(0.625f), a), p, v_select(v_gt(v_zero(), x), v_sub(v_zero(), big), big));
}

/* 0.5 g (1 + erf(g / sqrt 2)). Below |g| = sqrt 2 by erf's odd polynomial; above by erfc(x) = t P(t) e^-x^2, t = 1 / (1 + 0.4 x):
 * so the small results at negative g keep their relative precision (1e-6 down to g = -5; e^-x^2 magnifies the rounding of x^2). */
EN_INLINE vf v_gelu_erf(vf g) {
  static en_x4 constants[] = {EN_X4(0.70710678f), EN_X4(0.5f), EN_X4(-0.00056314344f), EN_X4(0.0049175546f), EN_X4(-0.026711314f), EN_X4(0.11280180f), EN_X4(-0.37612326f),
                              EN_X4(1.1283791f), EN_X4(0.4f), EN_X4(1), EN_X4(-0.11679574f), EN_X4(0.24505566f), EN_X4(0.0066720884f), EN_X4(0.21395244f), EN_X4(0.19850387f),
                              EN_X4(0.22673693f), EN_X4(0.22562418f), EN_X4(2)};
  en_x4 *k = v_consts(constants);
  const vf root = v_const(k[0]), one = v_const(k[9]), x = v_mul(v_abs(g), root), z = v_mul(x, x), half = v_mul(g, v_const(k[1]));
  vf p = v_mac(v_const(k[2]), z, v_const(k[3]));
  p = v_mac(p, z, v_const(k[4]));
  p = v_mac(p, z, v_const(k[5]));
  p = v_mac(p, z, v_const(k[6]));
  p = v_mul(v_mac(p, z, v_const(k[7])), v_mul(g, root));
  const vf t = v_div(one, v_mac(x, v_const(k[8]), one));
  vf e = v_mac(v_const(k[10]), t, v_const(k[11]));
  e = v_mac(e, t, v_const(k[12]));
  e = v_mac(e, t, v_const(k[13]));
  e = v_mac(e, t, v_const(k[14]));
  e = v_mac(e, t, v_const(k[15]));
  e = v_mac(e, t, v_const(k[16]));
  e = v_mul(v_mul(e, t), v_exp(v_sub(v_zero(), z)));
  e = v_select(v_gt(g, v_zero()), v_sub(v_const(k[17]), e), e);
  return v_mul(half, v_select(v_gt(one, x), v_add(one, p), e));
}
#endif

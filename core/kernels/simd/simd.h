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

/* ---- functions of a vector. Relative error below 3e-7 unless said (tests/unit/kernels_test.c). The polynomials are our own fits
 * (weighted least squares, iterated towards the smallest largest error). ---- */

/* e^x; 0 below -87.3, the value at 88.3 above 88.3 (so never infinite). x = n ln 2 + r, e^r by a polynomial, 2^n by its exponent bits. */
EN_INLINE vf v_exp(vf x) {
  const vf low = v_set(-87.3f), c = v_min(v_set(88.3f), v_max(low, x)), magic = v_set(0x1.8p23f);
  const vf shifted = v_mac(c, v_set(1.44269504f), magic), n = v_sub(shifted, magic); /* n rounded, and in the low bits of `shifted` */
  vf r = v_mac(n, v_set(-0.693359375f), c); /* ln 2 in two parts: the first has few bits, so n times it is exact */
  r = v_mac(n, v_set(2.12194440e-4f), r);
  vf p = v_mac(v_set(0.0013813142f), r, v_set(0.0083694190f));
  p = v_mac(p, r, v_set(0.041668457f));
  p = v_mac(p, r, v_set(0.16666515f));
  p = v_mac(p, r, v_set(0.49999993f));
  p = v_add(v_mac(v_mul(p, r), r, r), v_set(1));
  p = v_mul(p, v_as_f(v_add32(v_shl32(v_as_i(shifted), 23), v_set32(0x3f800000))));
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
  const vf x = v_mul(v_abs(g), v_set(0.70710678f)), z = v_mul(x, x), half = v_mul(g, v_set(0.5f));
  vf p = v_mac(v_set(-0.00056314344f), z, v_set(0.0049175546f));
  p = v_mac(p, z, v_set(-0.026711314f));
  p = v_mac(p, z, v_set(0.11280180f));
  p = v_mac(p, z, v_set(-0.37612326f));
  p = v_mul(v_mac(p, z, v_set(1.1283791f)), v_mul(g, v_set(0.70710678f)));
  const vf t = v_div(v_set(1), v_mac(x, v_set(0.4f), v_set(1)));
  vf e = v_mac(v_set(-0.11679574f), t, v_set(0.24505566f));
  e = v_mac(e, t, v_set(0.0066720884f));
  e = v_mac(e, t, v_set(0.21395244f));
  e = v_mac(e, t, v_set(0.19850387f));
  e = v_mac(e, t, v_set(0.22673693f));
  e = v_mac(e, t, v_set(0.22562418f));
  e = v_mul(v_mul(e, t), v_exp(v_sub(v_zero(), z)));
  e = v_select(v_gt(g, v_zero()), v_sub(v_set(2), e), e);
  return v_mul(half, v_select(v_gt(v_set(1), x), v_add(v_set(1), p), e));
}
#endif

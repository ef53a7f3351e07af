/* vec.h - the vector layer of WebAssembly: 4 lanes. What each name means: ../simd/simd.h. With -mrelaxed-simd some names get better instructions. */
#ifndef EN_VEC_H
#define EN_VEC_H
#include "../simd/inline.h"
#include <wasm_simd128.h>

enum { VL = 4 };
typedef v128_t vf, vi, vm;

EN_INLINE vf v_zero(void) { return wasm_f32x4_const_splat(0); }
EN_INLINE vf v_set(float x) { return wasm_f32x4_splat(x); }
EN_INLINE vf v_load(const float *p) { return wasm_v128_load(p); }
EN_INLINE vf v_splat(const float *p) { return wasm_v128_load32_splat(p); }
EN_INLINE void v_store(float *p, vf a) { wasm_v128_store(p, a); }
EN_INLINE vf v_add(vf a, vf b) { return wasm_f32x4_add(a, b); }
EN_INLINE vf v_sub(vf a, vf b) { return wasm_f32x4_sub(a, b); }
EN_INLINE vf v_mul(vf a, vf b) { return wasm_f32x4_mul(a, b); }
EN_INLINE vf v_div(vf a, vf b) { return wasm_f32x4_div(a, b); }
#ifdef __wasm_relaxed_simd__
EN_INLINE vf v_fma(vf a, vf b, vf c) { return wasm_f32x4_relaxed_madd(a, b, c); }
#else
EN_INLINE vf v_fma(vf a, vf b, vf c) { return wasm_f32x4_add(wasm_f32x4_mul(a, b), c); }
#endif
EN_INLINE vf v_max(vf a, vf b) { return wasm_f32x4_pmax(b, a); } /* b NaN: b, as on x86 */
EN_INLINE vf v_min(vf a, vf b) { return wasm_f32x4_pmin(b, a); }
EN_INLINE vf v_abs(vf a) { return wasm_f32x4_abs(a); }
EN_INLINE vm v_gt(vf a, vf b) { return wasm_f32x4_gt(a, b); }
EN_INLINE vm v_eq(vf a, vf b) { return wasm_f32x4_eq(a, b); }
EN_INLINE int v_any(vm m) { return wasm_v128_any_true(m); }
EN_INLINE vf v_select(vm m, vf yes, vf no) { return wasm_v128_bitselect(yes, no, m); }
EN_INLINE float v_sum(vf a) {
  a = wasm_f32x4_add(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(a, 0) + wasm_f32x4_extract_lane(a, 1);
}
EN_INLINE float v_top(vf a) {
  a = v_max(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
  a = v_max(a, wasm_i32x4_shuffle(a, a, 1, 0, 1, 0));
  return wasm_f32x4_extract_lane(a, 0);
}

EN_INLINE vi v_ld(const void *p) { return wasm_v128_load(p); }
EN_INLINE vi v_splat32(const void *p) { return wasm_v128_load32_splat(p); }
EN_INLINE vi v_set32(int32_t x) { return wasm_i32x4_splat(x); }
EN_INLINE vi v_set16(int x) { return wasm_i16x8_splat((int16_t)x); }
EN_INLINE vi v_and(vi a, vi b) { return wasm_v128_and(a, b); }
EN_INLINE vi v_or(vi a, vi b) { return wasm_v128_or(a, b); }
EN_INLINE vi v_xor(vi a, vi b) { return wasm_v128_xor(a, b); }
EN_INLINE vi v_shl32(vi a, int n) { return wasm_i32x4_shl(a, (uint32_t)n); }
EN_INLINE vi v_shr32(vi a, int n) { return wasm_u32x4_shr(a, (uint32_t)n); }
EN_INLINE vi v_sar32(vi a, int n) { return wasm_i32x4_shr(a, (uint32_t)n); }
EN_INLINE vi v_shl16(vi a, int n) { return wasm_i16x8_shl(a, (uint32_t)n); }
EN_INLINE vi v_shr16(vi a, int n) { return wasm_u16x8_shr(a, (uint32_t)n); }
EN_INLINE vi v_add32(vi a, vi b) { return wasm_i32x4_add(a, b); }
EN_INLINE vi v_sub32(vi a, vi b) { return wasm_i32x4_sub(a, b); }
EN_INLINE vi v_max32(vi a, vi b) { return wasm_i32x4_max(a, b); }
EN_INLINE vi v_add16(vi a, vi b) { return wasm_i16x8_add(a, b); }
EN_INLINE vi v_madd16(vi a, vi b) { return wasm_i32x4_dot_i16x8(a, b); }
EN_INLINE vi v_dot2(vi acc, vi a, vi b) { return v_add32(acc, v_madd16(a, b)); }
#ifdef __wasm_relaxed_simd__
EN_INLINE vi v_maddubs(vi u7, vi s8) { return wasm_i16x8_relaxed_dot_i8x16_i7x16(s8, u7); }
EN_INLINE vi v_dot4(vi acc, vi u7, vi s8) { return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(s8, u7, acc); }
#endif
/* Bytes of table[16] by number, 0..15. */
#ifdef __wasm_relaxed_simd__
EN_INLINE vi v_lookup(const int8_t *table, vi i) { return wasm_i8x16_relaxed_swizzle(wasm_v128_load(table), i); }
#else
EN_INLINE vi v_lookup(const int8_t *table, vi i) { return wasm_i8x16_swizzle(wasm_v128_load(table), i); }
#endif
#ifdef __wasm_relaxed_simd__
EN_INLINE vi v_pick(vi a, const uint8_t *i) { return wasm_i8x16_relaxed_swizzle(a, wasm_v128_load(i)); }
#else
EN_INLINE vi v_pick(vi a, const uint8_t *i) { return wasm_i8x16_swizzle(a, wasm_v128_load(i)); }
#endif
EN_INLINE vi v_sar16(vi a, int n) { return wasm_i16x8_shr(a, (uint32_t)n); }
EN_INLINE vf v_to_f(vi a) { return wasm_f32x4_convert_i32x4(a); }
/* Adding 1.5 * 2^23 leaves the nearest integer in the low bits; engines need several instructions for trunc_sat. */
EN_INLINE vi v_to_i(vf a) {
  return wasm_i32x4_sub(wasm_f32x4_add(a, wasm_f32x4_const_splat(0x1.8p23f)), wasm_i32x4_const_splat(0x4b400000));
}
EN_INLINE vf v_as_f(vi a) { return a; }
EN_INLINE vi v_as_i(vf a) { return a; }
EN_INLINE int32_t v_sum32(vi a) {
  a = wasm_i32x4_add(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
  return wasm_i32x4_extract_lane(a, 0) + wasm_i32x4_extract_lane(a, 1);
}
EN_INLINE int32_t v_top32(vi a) {
  a = wasm_i32x4_max(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
  a = wasm_i32x4_max(a, wasm_i32x4_shuffle(a, a, 1, 0, 1, 0));
  return wasm_i32x4_extract_lane(a, 0);
}
/* 32 integers in [-128, 127] to bytes. */
EN_INLINE void v_store_i8x32(int8_t *q, const vi *v) {
  for (int i = 0; i < 2; i++, q += 16, v += 4)
    wasm_v128_store(q, wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(v[0], v[1]), wasm_i16x8_narrow_i32x4(v[2], v[3])));
}
/* The i16 activations of ../simd/blocks.h from 32 bytes: what the s16 products of nibbles or of bytes multiply with. */
EN_INLINE void v_arrange16(int16_t *to, const int8_t *q, int nibbles) {
  const v128_t a = wasm_v128_load(q), b = wasm_v128_load(q + 16);
  v128_t bytes[2];
  if (nibbles) {
    const v128_t factor = wasm_i16x8_const(256, 256, 16, 16, 1, 1, 256, 256);
    bytes[0] = wasm_i8x16_shuffle(a, b, 0, 2, 16, 18, 1, 3, 17, 19, 4, 6, 20, 22, 5, 7, 21, 23);
    bytes[1] = wasm_i8x16_shuffle(a, b, 8, 10, 24, 26, 9, 11, 25, 27, 12, 14, 28, 30, 13, 15, 29, 31);
    for (int i = 0; i < 2; i++) {
      wasm_v128_store(to + 16 * i, wasm_i16x8_mul(wasm_i16x8_extend_low_i8x16(bytes[i]), factor));
      wasm_v128_store(to + 16 * i + 8, wasm_i16x8_mul(wasm_i16x8_extend_high_i8x16(bytes[i]), factor));
    }
    return;
  }
  bytes[0] = wasm_i8x16_shuffle(a, a, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  bytes[1] = wasm_i8x16_shuffle(b, b, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  for (int i = 0; i < 2; i++) {
    wasm_v128_store(to + 16 * i, wasm_i16x8_extend_low_i8x16(bytes[i]));
    wasm_v128_store(to + 16 * i + 8, wasm_i16x8_extend_high_i8x16(bytes[i]));
  }
}

/* Halves: sign, exponent and mantissa moved into place, the bias corrected by a multiplication. Infinities read as +-65536 and NaN as
 * numbers up to 131008: putting them back would cost more than the rest. Our own halves (to_f16) are exact up to 65504. */
EN_INLINE vf v_f16(const uint16_t *p) {
  const v128_t h = wasm_i32x4_shl(wasm_i32x4_load16x4(p), 13); /* the sign is in bits 28 to 31 */
  return wasm_f32x4_mul(wasm_v128_and(h, wasm_i32x4_const_splat((int32_t)0x8fffffff)), wasm_i32x4_const_splat(0x77800000));
}
EN_INLINE vf v_i8(const int8_t *p) { return wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p)))); }
EN_INLINE vf v_bf16(const uint16_t *p) { return wasm_i32x4_shl(wasm_u32x4_load16x4(p), 16); }
/* Round to nearest even: normal halves by an integer carry, subnormal ones by adding 0.5 (whose last bit is 2^-24). */
EN_INLINE void v_store_f16(uint16_t *p, vf x) {
  const v128_t a = wasm_v128_and(x, wasm_i32x4_const_splat(0x7fffffff));
  const v128_t odd = wasm_v128_and(wasm_u32x4_shr(a, 13), wasm_i32x4_const_splat(1));
  v128_t h = wasm_u32x4_shr(wasm_i32x4_add(wasm_i32x4_add(a, wasm_i32x4_const_splat(0xfff - (112 << 23))), odd), 13);
  const v128_t small = wasm_i32x4_sub(wasm_f32x4_add(a, wasm_f32x4_const_splat(0.5f)), wasm_i32x4_const_splat(0x3f000000));
  h = wasm_v128_bitselect(small, h, wasm_i32x4_lt(a, wasm_i32x4_const_splat(113 << 23)));
  h = wasm_v128_bitselect(wasm_i32x4_const_splat(0x7c00), h, wasm_i32x4_ge(a, wasm_i32x4_const_splat(0x477ff000)));
  const v128_t nan = wasm_v128_or(wasm_u32x4_shr(wasm_v128_and(a, wasm_i32x4_const_splat(0x7fffff)), 13), wasm_i32x4_const_splat(0x7e00));
  h = wasm_v128_bitselect(nan, h, wasm_i32x4_gt(a, wasm_i32x4_const_splat(0x7f800000)));
  h = wasm_v128_or(h, wasm_v128_and(wasm_u32x4_shr(x, 16), wasm_i32x4_const_splat(0x8000)));
  wasm_v128_store64_lane(p, wasm_u16x8_narrow_i32x4(h, h), 0);
}
#ifdef __wasm_relaxed_simd__
EN_INLINE vi v_scale16(vi a, vi b) { return wasm_i16x8_relaxed_q15mulr(a, b); }
#else
EN_INLINE vi v_scale16(vi a, vi b) { return wasm_i16x8_q15mulr_sat(a, b); }
#endif
EN_INLINE void v_put_pairs(int32_t *to, size_t ld, vi x, vi y, int minus) {
  const vi m = v_set16(minus), low = wasm_i8x16_shuffle(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), high = wasm_i8x16_shuffle(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  wasm_v128_store(to, wasm_i16x8_sub(wasm_i16x8_extend_low_i8x16(low), m));
  wasm_v128_store(to + ld, wasm_i16x8_sub(wasm_i16x8_extend_high_i8x16(low), m));
  wasm_v128_store(to + 2 * ld, wasm_i16x8_sub(wasm_i16x8_extend_low_i8x16(high), m));
  wasm_v128_store(to + 3 * ld, wasm_i16x8_sub(wasm_i16x8_extend_high_i8x16(high), m));
}
/* dst[j][i] = src[i][j] for i, j < 4; strides in floats. */
EN_INLINE void v_transpose4(float *dst, size_t ld_dst, const float *src, size_t ld_src) {
  const v128_t a = v_load(src), b = v_load(src + ld_src), c = v_load(src + 2 * ld_src), d = v_load(src + 3 * ld_src);
  const v128_t ab0 = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab1 = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
  const v128_t cd0 = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd1 = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  v_store(dst, wasm_i64x2_shuffle(ab0, cd0, 0, 2));
  v_store(dst + ld_dst, wasm_i64x2_shuffle(ab0, cd0, 1, 3));
  v_store(dst + 2 * ld_dst, wasm_i64x2_shuffle(ab1, cd1, 0, 2));
  v_store(dst + 3 * ld_dst, wasm_i64x2_shuffle(ab1, cd1, 1, 3));
}
#endif

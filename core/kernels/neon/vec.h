/* vec.h - the vector layer of AArch64 Advanced SIMD: 4 lanes. What each name means: ../simd/simd.h. */
#ifndef EN_VEC_H
#define EN_VEC_H
#include "../simd/inline.h"
#include <arm_neon.h>

enum { VL = 4 };
typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;

EN_INLINE vf v_zero(void) { return vdupq_n_f32(0); }
EN_INLINE vf v_set(float x) { return vdupq_n_f32(x); }
EN_INLINE vf v_load(const float *p) { return vld1q_f32(p); }
EN_INLINE vf v_splat(const float *p) { return vld1q_dup_f32(p); }
EN_INLINE void v_store(float *p, vf a) { vst1q_f32(p, a); }
EN_INLINE vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
EN_INLINE vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
EN_INLINE vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
EN_INLINE vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
EN_INLINE vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
EN_INLINE vf v_max(vf a, vf b) { return vmaxq_f32(a, b); }
EN_INLINE vf v_min(vf a, vf b) { return vminq_f32(a, b); }
EN_INLINE vf v_abs(vf a) { return vabsq_f32(a); }
EN_INLINE vm v_gt(vf a, vf b) { return vcgtq_f32(a, b); }
EN_INLINE vm v_eq(vf a, vf b) { return vceqq_f32(a, b); }
EN_INLINE int v_any(vm m) { return vmaxvq_u32(m) != 0; }
EN_INLINE vf v_select(vm m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
EN_INLINE float v_sum(vf a) { /* vaddvq adds neighbours first */
  const float32x2_t s = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}
EN_INLINE float v_top(vf a) { return vmaxvq_f32(a); }

EN_INLINE vi v_ld(const void *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
EN_INLINE vi v_splat32(const void *p) { return vdupq_n_s32((int32_t)en_rd32(p)); }
EN_INLINE vi v_set32(int32_t x) { return vdupq_n_s32(x); }
EN_INLINE vi v_set16(int x) { return vreinterpretq_s32_s16(vdupq_n_s16((int16_t)x)); }
EN_INLINE vi v_and(vi a, vi b) { return vandq_s32(a, b); }
EN_INLINE vi v_or(vi a, vi b) { return vorrq_s32(a, b); }
EN_INLINE vi v_xor(vi a, vi b) { return veorq_s32(a, b); }
EN_INLINE vi v_shl32(vi a, int n) { return vshlq_s32(a, vdupq_n_s32(n)); }
EN_INLINE vi v_sar32(vi a, int n) { return vshlq_s32(a, vdupq_n_s32(-n)); }
EN_INLINE vi v_shr32(vi a, int n) { return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n))); }
EN_INLINE vi v_shr16(vi a, int n) { return vreinterpretq_s32_u16(vshlq_u16(vreinterpretq_u16_s32(a), vdupq_n_s16((int16_t)-n))); }
EN_INLINE vi v_shl16(vi a, int n) { return vreinterpretq_s32_s16(vshlq_s16(vreinterpretq_s16_s32(a), vdupq_n_s16((int16_t)n))); }
EN_INLINE vi v_add32(vi a, vi b) { return vaddq_s32(a, b); }
EN_INLINE vi v_sub32(vi a, vi b) { return vsubq_s32(a, b); }
EN_INLINE vi v_max32(vi a, vi b) { return vmaxq_s32(a, b); }
EN_INLINE vi v_add16(vi a, vi b) { return vreinterpretq_s32_s16(vaddq_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b))); }
EN_INLINE vi v_madd16(vi a, vi b) {
  const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
  return vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}
EN_INLINE vi v_dot2(vi acc, vi a, vi b) { return v_add32(acc, v_madd16(a, b)); }
#ifdef EN_NEON_DOT
EN_INLINE vi v_dot4(vi acc, vi a, vi b) { return vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)); }
#else
EN_INLINE vi v_dot4(vi acc, vi a, vi b) {
  const int16x8_t lo = vmull_s8(vget_low_s8(vreinterpretq_s8_s32(a)), vget_low_s8(vreinterpretq_s8_s32(b)));
  const int16x8_t hi = vmull_high_s8(vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
  return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(lo), vpaddlq_s16(hi)));
}
#endif
EN_INLINE vi v_lookup(const int8_t *table, vi i) { return vreinterpretq_s32_s8(vqtbl1q_s8(vld1q_s8(table), vreinterpretq_u8_s32(i))); }
EN_INLINE vi v_pick(vi a, const uint8_t *i) { return vreinterpretq_s32_u8(vqtbl1q_u8(vreinterpretq_u8_s32(a), vld1q_u8(i))); }
EN_INLINE vf v_to_f(vi a) { return vcvtq_f32_s32(a); }
EN_INLINE vi v_to_i(vf a) { return vcvtnq_s32_f32(a); }
EN_INLINE vf v_as_f(vi a) { return vreinterpretq_f32_s32(a); }
EN_INLINE vi v_as_i(vf a) { return vreinterpretq_s32_f32(a); }
EN_INLINE int32_t v_sum32(vi a) { return vaddvq_s32(a); }
EN_INLINE int32_t v_top32(vi a) { return vmaxvq_s32(a); }
/* 32 integers in [-128, 127] to bytes. */
EN_INLINE void v_store_i8x32(int8_t *q, const vi *v) {
  for (int i = 0; i < 2; i++, q += 16, v += 4)
    vst1q_s8(q, vcombine_s8(vmovn_s16(vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]))), vmovn_s16(vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3])))));
}

EN_INLINE vf v_f16(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
EN_INLINE vf v_bf16(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
EN_INLINE vf v_i8(const int8_t *p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four))))));
}
EN_INLINE void v_store_f16(uint16_t *p, vf x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
/* dst[j][i] = src[i][j] for i, j < 4; strides in floats. */
EN_INLINE vi v_scale16(vi a, vi b) { return vreinterpretq_s32_s16(vqrdmulhq_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b))); }
EN_INLINE void v_put_pairs(int32_t *to, size_t ld, vi x, vi y, int minus) {
  const int8x16_t a = vreinterpretq_s8_s32(x), b = vreinterpretq_s8_s32(y), low = vzip1q_s8(a, b), high = vzip2q_s8(a, b);
  const int16x8_t m = vdupq_n_s16((int16_t)minus);
  vst1q_s32(to, vreinterpretq_s32_s16(vsubq_s16(vmovl_s8(vget_low_s8(low)), m)));
  vst1q_s32(to + ld, vreinterpretq_s32_s16(vsubq_s16(vmovl_high_s8(low), m)));
  vst1q_s32(to + 2 * ld, vreinterpretq_s32_s16(vsubq_s16(vmovl_s8(vget_low_s8(high)), m)));
  vst1q_s32(to + 3 * ld, vreinterpretq_s32_s16(vsubq_s16(vmovl_high_s8(high), m)));
}
EN_INLINE void v_transpose4(float *dst, size_t ld_dst, const float *src, size_t ld_src) {
  const float32x4_t a = v_load(src), b = v_load(src + ld_src), c = v_load(src + 2 * ld_src), d = v_load(src + 3 * ld_src);
  const float64x2_t ab0 = vreinterpretq_f64_f32(vzip1q_f32(a, b)), ab1 = vreinterpretq_f64_f32(vzip2q_f32(a, b));
  const float64x2_t cd0 = vreinterpretq_f64_f32(vzip1q_f32(c, d)), cd1 = vreinterpretq_f64_f32(vzip2q_f32(c, d));
  v_store(dst, vreinterpretq_f32_f64(vzip1q_f64(ab0, cd0)));
  v_store(dst + ld_dst, vreinterpretq_f32_f64(vzip2q_f64(ab0, cd0)));
  v_store(dst + 2 * ld_dst, vreinterpretq_f32_f64(vzip1q_f64(ab1, cd1)));
  v_store(dst + 3 * ld_dst, vreinterpretq_f32_f64(vzip2q_f64(ab1, cd1)));
}
#endif

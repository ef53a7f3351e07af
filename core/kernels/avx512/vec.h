/* vec.h - the vector layer of AVX-512 (F, BW, DQ, VL, VNNI): 16 lanes. What each name means: ../simd/simd.h. */
#ifndef EN_VEC_H
#define EN_VEC_H
#include "../simd/inline.h"
#include <immintrin.h>

enum { VL = 16 };
typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

EN_INLINE vf v_zero(void) { return _mm512_setzero_ps(); }
EN_INLINE vf v_set(float x) { return _mm512_set1_ps(x); }
EN_INLINE vf v_load(const float *p) { return _mm512_loadu_ps(p); }
EN_INLINE vf v_splat(const float *p) { return _mm512_set1_ps(*p); }
EN_INLINE void v_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
EN_INLINE vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
EN_INLINE vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
EN_INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
EN_INLINE vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
EN_INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
EN_INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
EN_INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
EN_INLINE vf v_abs(vf a) { return _mm512_abs_ps(a); }
EN_INLINE vm v_gt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
EN_INLINE vm v_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
EN_INLINE int v_any(vm m) { return m != 0; }
EN_INLINE vf v_select(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
EN_INLINE float v_sum(vf a) { /* _mm512_reduce_add_ps leaves the order to the compiler */
  const __m256 e = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(e), _mm256_extractf128_ps(e, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
EN_INLINE float v_top(vf a) { return _mm512_reduce_max_ps(a); }

EN_INLINE vi v_ld(const void *p) { return _mm512_loadu_si512(p); }
EN_INLINE vi v_splat32(const void *p) { return _mm512_set1_epi32((int32_t)en_rd32(p)); }
EN_INLINE vi v_set32(int32_t x) { return _mm512_set1_epi32(x); }
EN_INLINE vi v_set16(int x) { return _mm512_set1_epi16((int16_t)x); }
EN_INLINE vi v_and(vi a, vi b) { return _mm512_and_si512(a, b); }
EN_INLINE vi v_or(vi a, vi b) { return _mm512_or_si512(a, b); }
EN_INLINE vi v_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
EN_INLINE vi v_shl32(vi a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
EN_INLINE vi v_shr32(vi a, int n) { return _mm512_srli_epi32(a, (unsigned)n); }
EN_INLINE vi v_sar32(vi a, int n) { return _mm512_srai_epi32(a, (unsigned)n); }
#ifdef __clang__ /* macros, as gcc wants a constant there: compilers disagree on the sign of its type */
#define v_shl16(a, n) _mm512_slli_epi16(a, (unsigned)(n))
#define v_shr16(a, n) _mm512_srli_epi16(a, (unsigned)(n))
#else
#define v_shl16(a, n) _mm512_slli_epi16(a, n)
#define v_shr16(a, n) _mm512_srli_epi16(a, n)
#endif
EN_INLINE vi v_add32(vi a, vi b) { return _mm512_add_epi32(a, b); }
EN_INLINE vi v_sub32(vi a, vi b) { return _mm512_sub_epi32(a, b); }
EN_INLINE vi v_max32(vi a, vi b) { return _mm512_max_epi32(a, b); }
EN_INLINE vi v_add16(vi a, vi b) { return _mm512_add_epi16(a, b); }
EN_INLINE vi v_madd16(vi a, vi b) { return _mm512_madd_epi16(a, b); }
EN_INLINE vi v_dot2(vi acc, vi a, vi b) { return _mm512_dpwssd_epi32(acc, a, b); }
EN_INLINE vi v_dot4(vi acc, vi u8, vi s8) { return _mm512_dpbusd_epi32(acc, u8, s8); }
EN_INLINE vi v_lookup(const int8_t *table, vi i) { return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)table)), i); }
EN_INLINE vi v_pick(vi a, const uint8_t *i) { return _mm512_shuffle_epi8(a, _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)i))); }
EN_INLINE vf v_to_f(vi a) { return _mm512_cvtepi32_ps(a); }
EN_INLINE vi v_to_i(vf a) { return _mm512_cvtps_epi32(a); }
EN_INLINE vf v_as_f(vi a) { return _mm512_castsi512_ps(a); }
EN_INLINE vi v_as_i(vf a) { return _mm512_castps_si512(a); }
EN_INLINE int32_t v_sum32(vi a) { return _mm512_reduce_add_epi32(a); }
EN_INLINE int32_t v_top32(vi a) { return _mm512_reduce_max_epi32(a); }
/* 32 integers in [-128, 127] to bytes. */
EN_INLINE void v_store_i8x32(int8_t *q, const vi *v) {
  _mm_storeu_si128((void *)q, _mm512_cvtepi32_epi8(v[0]));
  _mm_storeu_si128((void *)(q + 16), _mm512_cvtepi32_epi8(v[1]));
}

EN_INLINE vf v_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
EN_INLINE vf v_bf16(const uint16_t *p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16)); }
EN_INLINE vf v_i8(const int8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p))); }
EN_INLINE void v_store_f16(uint16_t *p, vf x) { _mm256_storeu_si256((void *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT)); }
EN_INLINE vi v_scale16(vi a, vi b) { return _mm512_mulhrs_epi16(a, b); }
EN_INLINE void v_put_pairs(int32_t *to, size_t ld, vi x, vi y, int minus) {
  const vi low = _mm512_unpacklo_epi8(x, y), high = _mm512_unpackhi_epi8(x, y); /* within 128 bits: two lanes each */
  const __m256i m = _mm256_set1_epi16((int16_t)minus);
  for (int i = 0; i < 8; i++) {
    const vi from = i % 2 ? high : low;
    __m128i two;
    switch (i / 2) { /* the number of a part is a constant of the instruction */
      case 0: two = _mm512_castsi512_si128(from); break;
      case 1: two = _mm512_extracti32x4_epi32(from, 1); break;
      case 2: two = _mm512_extracti32x4_epi32(from, 2); break;
      default: two = _mm512_extracti32x4_epi32(from, 3);
    }
    const __m256i a = _mm256_sub_epi16(_mm256_cvtepi8_epi16(two), m);
    _mm_storeu_si128((void *)(to + (size_t)(2 * i) * ld), _mm256_castsi256_si128(a)), _mm_storeu_si128((void *)(to + (size_t)(2 * i + 1) * ld), _mm256_extracti128_si256(a, 1));
  }
}
/* dst[j][i] = src[i][j] for i, j < 4; strides in floats. */
EN_INLINE void v_transpose4(float *dst, size_t ld_dst, const float *src, size_t ld_src) {
  __m128 a = _mm_loadu_ps(src), b = _mm_loadu_ps(src + ld_src), c = _mm_loadu_ps(src + 2 * ld_src), d = _mm_loadu_ps(src + 3 * ld_src);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(dst, a), _mm_storeu_ps(dst + ld_dst, b), _mm_storeu_ps(dst + 2 * ld_dst, c), _mm_storeu_ps(dst + 3 * ld_dst, d);
}
#endif

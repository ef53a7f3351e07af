/* vec.h - the vector layer of AVX2 + FMA + F16C: 8 lanes. What each name means: ../simd/simd.h. */
#ifndef EN_VEC_H
#define EN_VEC_H
#include "../simd/inline.h"
#include <immintrin.h>

enum { VL = 8 };
typedef __m256 vf, vm;
typedef __m256i vi;

EN_INLINE vf v_zero(void) { return _mm256_setzero_ps(); }
EN_INLINE vf v_set(float x) { return _mm256_set1_ps(x); }
EN_INLINE vf v_load(const float *p) { return _mm256_loadu_ps(p); }
EN_INLINE vf v_splat(const float *p) { return _mm256_broadcast_ss(p); }
EN_INLINE void v_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
EN_INLINE vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
EN_INLINE vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
EN_INLINE vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
EN_INLINE vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
EN_INLINE vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
EN_INLINE vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
EN_INLINE vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
EN_INLINE vf v_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
EN_INLINE vm v_gt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
EN_INLINE vm v_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
EN_INLINE int v_any(vm m) { return _mm256_movemask_ps(m) != 0; }
EN_INLINE vf v_select(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
EN_INLINE float v_sum(vf a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
EN_INLINE float v_top(vf a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

EN_INLINE vi v_ld(const void *p) { return _mm256_loadu_si256(p); }
EN_INLINE vi v_splat32(const void *p) { return _mm256_castps_si256(_mm256_broadcast_ss(p)); }
EN_INLINE vi v_set32(int32_t x) { return _mm256_set1_epi32(x); }
EN_INLINE vi v_set16(int x) { return _mm256_set1_epi16((int16_t)x); }
EN_INLINE vi v_and(vi a, vi b) { return _mm256_and_si256(a, b); }
EN_INLINE vi v_or(vi a, vi b) { return _mm256_or_si256(a, b); }
EN_INLINE vi v_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
EN_INLINE vi v_shl32(vi a, int n) { return _mm256_slli_epi32(a, n); }
EN_INLINE vi v_shr32(vi a, int n) { return _mm256_srli_epi32(a, n); }
EN_INLINE vi v_sar32(vi a, int n) { return _mm256_srai_epi32(a, n); }
EN_INLINE vi v_shl16(vi a, int n) { return _mm256_slli_epi16(a, n); }
EN_INLINE vi v_shr16(vi a, int n) { return _mm256_srli_epi16(a, n); }
EN_INLINE vi v_add32(vi a, vi b) { return _mm256_add_epi32(a, b); }
EN_INLINE vi v_sub32(vi a, vi b) { return _mm256_sub_epi32(a, b); }
EN_INLINE vi v_max32(vi a, vi b) { return _mm256_max_epi32(a, b); }
EN_INLINE vi v_add16(vi a, vi b) { return _mm256_add_epi16(a, b); }
EN_INLINE vi v_madd16(vi a, vi b) { return _mm256_madd_epi16(a, b); }
EN_INLINE vi v_dot2(vi acc, vi a, vi b) { return v_add32(acc, v_madd16(a, b)); }
EN_INLINE vi v_maddubs(vi u7, vi s8) { return _mm256_maddubs_epi16(u7, s8); }
EN_INLINE vi v_lookup(const int8_t *table, vi i) { return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table)), i); }
EN_INLINE vi v_pick(vi a, const uint8_t *i) { return _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)i))); }
EN_INLINE vi v_sar16(vi a, int n) { return _mm256_srai_epi16(a, n); }
EN_INLINE vf v_to_f(vi a) { return _mm256_cvtepi32_ps(a); }
EN_INLINE vi v_to_i(vf a) { return _mm256_cvtps_epi32(a); }
EN_INLINE vf v_as_f(vi a) { return _mm256_castsi256_ps(a); }
EN_INLINE vi v_as_i(vf a) { return _mm256_castps_si256(a); }
EN_INLINE int32_t v_sum32(vi a) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
EN_INLINE int32_t v_top32(vi a) {
  __m128i s = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
/* 32 integers in [-128, 127] to bytes. The packs work within 128-bit halves; the permutation puts the groups of 4 back in order. */
EN_INLINE void v_store_i8x32(int8_t *q, const vi *v) {
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
  _mm256_storeu_si256((void *)q, _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}
/* The i16 activations of ../simd/blocks.h from 32 bytes, for the s16 products of bytes. */
EN_INLINE void v_arrange16(int16_t *to, const int8_t *q, int nibbles) {
  const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  (void)nibbles;
  for (int i = 0; i < 2; i++)
    _mm256_storeu_si256((void *)(to + 16 * i), _mm256_cvtepi8_epi16(_mm_shuffle_epi8(_mm_loadu_si128((const void *)(q + 16 * i)), order)));
}

EN_INLINE vf v_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p)); }
EN_INLINE vf v_bf16(const uint16_t *p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)), 16)); }
EN_INLINE vf v_i8(const int8_t *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p))); }
EN_INLINE void v_store_f16(uint16_t *p, vf x) { _mm_storeu_si128((void *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT)); }
EN_INLINE vi v_scale16(vi a, vi b) { return _mm256_mulhrs_epi16(a, b); }
EN_INLINE void v_put_pairs(int32_t *to, size_t ld, vi x, vi y, int minus) {
  const vi low = _mm256_unpacklo_epi8(x, y), high = _mm256_unpackhi_epi8(x, y); /* within 128 bits: two lanes each */
  const __m256i m = _mm256_set1_epi16((int16_t)minus);
  for (int part = 0; part < 2; part++, to += 4 * ld) {
    const __m256i a = _mm256_sub_epi16(_mm256_cvtepi8_epi16(part ? _mm256_extracti128_si256(low, 1) : _mm256_castsi256_si128(low)), m);
    const __m256i b = _mm256_sub_epi16(_mm256_cvtepi8_epi16(part ? _mm256_extracti128_si256(high, 1) : _mm256_castsi256_si128(high)), m);
    _mm_storeu_si128((void *)to, _mm256_castsi256_si128(a)), _mm_storeu_si128((void *)(to + ld), _mm256_extracti128_si256(a, 1));
    _mm_storeu_si128((void *)(to + 2 * ld), _mm256_castsi256_si128(b)), _mm_storeu_si128((void *)(to + 3 * ld), _mm256_extracti128_si256(b, 1));
  }
}
/* dst[j][i] = src[i][j] for i, j < 4; strides in floats. */
EN_INLINE void v_transpose4(float *dst, size_t ld_dst, const float *src, size_t ld_src) {
  __m128 a = _mm_loadu_ps(src), b = _mm_loadu_ps(src + ld_src), c = _mm_loadu_ps(src + 2 * ld_src), d = _mm_loadu_ps(src + 3 * ld_src);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(dst, a), _mm_storeu_ps(dst + ld_dst, b), _mm_storeu_ps(dst + 2 * ld_dst, c), _mm_storeu_ps(dst + 3 * ld_dst, d);
}
#endif

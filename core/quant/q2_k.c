/* q2_k.c - 256 values as 2-bit integers, a 4-bit scale s and minimum m per 16: { u8 scales[16]; u8 qs[64]; f16 d, dmin },
 * x ~ (d s) q - (dmin m). scales[j] holds s (low half) and m (high half) of values 16j..; byte 32h + l of qs holds, from the low bits up,
 * values 128h + l, + 32, + 64, + 96.
 * Source of the format: ggml (ggml-common.h, block_q2_K; encoder quantize_row_q2_K_ref), equal to it bit for bit. */
#include "search.h"

enum { BYTES = 84, GROUP = 16, GROUPS = EN_SUPER / GROUP, QS = 16, D = 80, PEAK = 3, SCALE_PEAK = 15 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p + D)), dmin = en_f16_to_f32(en_rd16(p + D + 2));
    for (int32_t j = 0; j < GROUPS; j++, y += GROUP) {
      const float scale = d * (float)(p[j] & 15), min = dmin * (float)(p[j] >> 4);
      const uint8_t *q = p + QS + 32 * (j / 8) + 16 * (j % 2);
      const int32_t shift = j % 8 / 2 * 2;
      for (int32_t l = 0; l < GROUP; l++) y[l] = scale * (float)(q[l] >> shift & 3) - min;
    }
  }
}

/* 16 non-negative scales as 4-bit integers: the largest maps to 15. Returns what one unit stands for. */
static float plain_scales(const float *scales, int8_t *q) {
  float max = 0;
  for (int32_t j = 0; j < GROUPS; j++) max = scales[j] > max ? scales[j] : max; /* 0 rather than -0 */
  const float inverse = max > 0 ? (float)SCALE_PEAK / max : 0;
  for (int32_t j = 0; j < GROUPS; j++) q[j] = (int8_t)en_nearest(inverse * scales[j], 0, SCALE_PEAK);
  return max / (float)SCALE_PEAK;
}

static void encode_block(uint8_t *p, const float *x, const float *importance) {
  float w[GROUP], total[GROUPS], scale[GROUPS], min[GROUPS];
  int8_t q[EN_SUPER], s[GROUPS], m[GROUPS];
  const float s2 = en_mean_square(x, EN_SUPER);
  const en_affine_search search = importance ? (en_affine_search){-0.9f, 0.05f, 36, 0} : (en_affine_search){-0.5f, 0.1f, 15, 1};
  for (int32_t j = 0; j < GROUPS; j++) {
    const float *v = x + j * GROUP;
    if (importance) total[j] = en_weigh(w, v, importance + j * GROUP, GROUP, s2);
    else for (int32_t l = 0; l < GROUP; l++) w[l] = fabsf(v[l]);
    scale[j] = en_fit_affine(v, w, GROUP, PEAK, search, q + j * GROUP, &min[j]);
  }
  const float d = en_put_f16(p + D, importance ? en_fit_positive(scale, total, GROUPS, SCALE_PEAK, s) : plain_scales(scale, s));
  const float dmin = en_put_f16(p + D + 2, importance ? en_fit_positive(min, total, GROUPS, SCALE_PEAK, m) : plain_scales(min, m));
  for (int32_t j = 0; j < GROUPS; j++) {
    p[j] = (uint8_t)(s[j] | m[j] << 4);
    en_requantize(q + j * GROUP, x + j * GROUP, GROUP, d * (float)s[j], dmin * (float)m[j], 0, PEAK);
  }
  for (int32_t k = 0; k < 64; k++) {
    const int8_t *v = q + k / 32 * 128 + k % 32;
    p[QS + k] = (uint8_t)(v[0] | v[32] << 2 | v[64] << 4 | v[96] << 6);
  }
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    float v[EN_SUPER];
    en_without_nan(v, x + i, EN_SUPER);
    encode_block(p, v, importance ? importance + i : NULL);
  }
}

const en_type en_type_q2_k = {.name = "Q2_K", .id = 10, .block = EN_SUPER, .block_bytes = BYTES, .fields = "20w2h", .decode = decode, .encode = encode};

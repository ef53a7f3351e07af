/* q3_k.c - 256 values as 3-bit integers, a 6-bit scale s per 16: { u8 hmask[32]; u8 qs[64]; u8 scales[12]; f16 d }, x ~ (d (s - 32)) (q - 4).
 * The low 2 bits of q lie in qs as in Q2_K; bit e / 32 of hmask[e % 32] is the third. Scale j has its low 4 bits in half j / 8 of
 * scales[j % 8] and its high 2 bits at bit 2 (j / 4) of scales[8 + j % 4].
 * Source of the format: ggml (ggml-common.h, block_q3_K; encoder quantize_row_q3_K_ref), equal to it bit for bit. */
#include "search.h"

enum { BYTES = 110, GROUP = 16, GROUPS = EN_SUPER / GROUP, QS = 32, SCALES = 96, D = 108, PEAK = 4, SCALE_PEAK = 32 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p + D));
    for (int32_t j = 0; j < GROUPS; j++, y += GROUP) {
      const int32_t s = (p[SCALES + j % 8] >> j / 8 * 4 & 15) | (p[SCALES + 8 + j % 4] >> j / 4 * 2 & 3) << 4;
      const float scale = d * (float)(s - SCALE_PEAK);
      const uint8_t *q = p + QS + 32 * (j / 8) + 16 * (j % 2), *high = p + 16 * (j % 2);
      const int32_t shift = j % 8 / 2 * 2, bit = j / 2;
      for (int32_t l = 0; l < GROUP; l++) y[l] = scale * (float)((q[l] >> shift & 3) + 4 * (high[l] >> bit & 1) - PEAK);
    }
  }
}

/* The scale of largest magnitude maps to -32. Returns what one unit stands for; if all are zero, so are the bytes. */
static float plain_scales(const float *scale, int8_t *s) {
  const float max = en_signed_max(scale, GROUPS), inverse = max != 0 ? (float)-SCALE_PEAK / max : 0;
  for (int32_t j = 0; j < GROUPS; j++) s[j] = (int8_t)(max != 0 ? en_nearest(inverse * scale[j], -SCALE_PEAK, SCALE_PEAK - 1) : -SCALE_PEAK);
  return max != 0 ? 1 / inverse : 0;
}

static void put_scales(uint8_t *p, const int8_t *s) {
  memset(p, 0, 12);
  for (int32_t j = 0; j < GROUPS; j++) {
    const int32_t v = s[j] + SCALE_PEAK;
    p[j % 8] |= (uint8_t)((v & 15) << j / 8 * 4);
    p[8 + j % 4] |= (uint8_t)(v >> 4 << j / 4 * 2);
  }
}

static void encode_block(uint8_t *p, const float *x, const float *importance) {
  float w[GROUP], total[GROUPS], scale[GROUPS];
  int8_t q[EN_SUPER], s[GROUPS];
  const float s2 = 2 * en_mean_square(x, EN_SUPER);
  for (int32_t j = 0; j < GROUPS; j++) {
    const float *v = x + j * GROUP;
    if (importance) total[j] = en_weigh(w, v, importance + j * GROUP, GROUP, s2);
    scale[j] = importance ? en_fit_scale(v, w, GROUP, PEAK, q + j * GROUP) : en_fit_scale_sweep(v, GROUP, PEAK, q + j * GROUP);
  }
  const float d = en_put_f16(p + D, importance ? en_fit_scale(scale, total, GROUPS, SCALE_PEAK, s) : plain_scales(scale, s));
  put_scales(p + SCALES, s);
  memset(p, 0, SCALES);
  for (int32_t j = 0; j < GROUPS; j++) en_requantize(q + j * GROUP, x + j * GROUP, GROUP, d * (float)s[j], 0, -PEAK, PEAK - 1);
  for (int32_t e = 0; e < EN_SUPER; e++) {
    const int32_t v = q[e] + PEAK;
    p[e % 32] |= (uint8_t)(v >> 2 << e / 32);
    p[QS + e / 128 * 32 + e % 32] |= (uint8_t)((v & 3) << e % 128 / 32 * 2);
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

const en_type en_type_q3_k = {.name = "Q3_K", .id = 11, .block = EN_SUPER, .block_bytes = BYTES, .fields = "27w1h", .decode = decode, .encode = encode};

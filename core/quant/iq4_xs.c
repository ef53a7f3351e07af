/* iq4_xs.c - 256 values as codes of 16 uneven levels, a 6-bit scale s per 32: { f16 d; u16 scales_h; u8 scales_l[4]; u8 qs[128] },
 * x ~ (d (s - 32)) level[code]; iq4.h has the levels. Group j of 32 has the low 4 bits of s in half j % 2 of scales_l[j / 2], the high
 * 2 bits at bit 2j of scales_h, and its codes in 16 bytes laid out as in IQ4_NL.
 * Source of the format: ggml (ggml-common.h, block_iq4_xs; encoder quantize_iq4_xs), equal to it bit for bit. */
#include "iq4.h"

enum { BYTES = 136, GROUP = 32, GROUPS = EN_SUPER / GROUP, QS = 8, PEAK = 32 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p));
    const int32_t high = en_rd16(p + 2);
    for (int32_t j = 0; j < GROUPS; j++, y += GROUP) {
      const int32_t s = (p[4 + j / 2] >> j % 2 * 4 & 15) | (high >> 2 * j & 3) << 4;
      const float scale = d * (float)(s - PEAK);
      const uint8_t *q = p + QS + 16 * j;
      for (int32_t k = 0; k < 16; k++) {
        y[k] = scale * (float)en_iq4_levels[q[k] & 15];
        y[k + 16] = scale * (float)en_iq4_levels[q[k] >> 4];
      }
    }
  }
}

/* The codes come from the scale before it is rounded to half precision, as in ggml. */
static void encode_block(uint8_t *p, const float *x, const float *importance) {
  float scale[GROUPS], w[GROUP];
  uint32_t high = 0, low = 0;
  const float s2 = 2 * en_mean_square(x, EN_SUPER);
  for (int32_t j = 0; j < GROUPS; j++) {
    if (importance) en_weigh(w, x + j * GROUP, importance + j * GROUP, GROUP, s2);
    scale[j] = en_iq4_scale(x + j * GROUP, importance ? w : NULL);
  }
  const float d = -en_signed_max(scale, GROUPS) / (float)PEAK, inverse = d != 0 ? 1 / d : 0;
  for (int32_t j = 0; j < GROUPS; j++) {
    const int32_t s = en_nearest(inverse * scale[j], -PEAK, PEAK - 1);
    const float step = d * (float)s;
    en_iq4_put(p + QS + 16 * j, x + j * GROUP, step != 0 ? 1 / step : 0);
    low |= ((uint32_t)(s + PEAK) & 15) << 4 * j;
    high |= (uint32_t)(s + PEAK) >> 4 << 2 * j;
  }
  const uint16_t high16 = (uint16_t)high;
  en_put_f16(p, d);
  memcpy(p + 2, &high16, 2);
  memcpy(p + 4, &low, 4);
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    float v[EN_SUPER];
    en_without_nan(v, x + i, EN_SUPER);
    encode_block(p, v, importance ? importance + i : NULL);
  }
}

const en_type en_type_iq4_xs = {.name = "IQ4_XS", .id = EN_IQ4_XS, .block = EN_SUPER, .block_bytes = BYTES, .fields = "2h33w", .decode = decode, .encode = encode};

/* q4_1.c - 32 values as 4-bit integers with a scale and a minimum: { f16 d, m; u8 qs[16] }, x ~ d nibble + m.
 * Byte k holds value k in its low half and value 16 + k in its high half.
 * Source of the format: ggml (ggml-common.h, block_q4_1; encoder quantize_row_q4_1_ref), equal to it bit for bit. */
#include "search.h"

enum { BLOCK = 32, HALF = 16, BYTES = 20, PEAK = 15 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES, y += BLOCK) {
    const float d = en_f16_to_f32(en_rd16(p)), m = en_f16_to_f32(en_rd16(p + 2));
    for (int32_t k = 0; k < HALF; k++) {
      y[k] = d * (float)(p[4 + k] & 15) + m;
      y[k + HALF] = d * (float)(p[4 + k] >> 4) + m;
    }
  }
}

static void plain(uint8_t *p, const float *x, int8_t *q) {
  float low = x[0], high = x[0];
  for (int32_t k = 1; k < BLOCK; k++) low = EN_MIN(low, x[k]), high = EN_MAX(high, x[k]);
  const float d = (high - low) / (float)PEAK, inverse = d != 0 ? 1 / d : 0;
  for (int32_t k = 0; k < BLOCK; k++) {
    const float v = (x[k] - low) * inverse;
    q[k] = (int8_t)en_floor_to(v + 0.5f, PEAK);
  }
  en_put_f16(p, d);
  en_put_f16(p + 2, low);
}

static void weighted(uint8_t *p, const float *x, const float *importance, float s2, int8_t *q) {
  float w[BLOCK], min;
  en_weigh(w, x, importance, BLOCK, s2);
  en_put_f16(p, en_fit_affine(x, w, BLOCK, PEAK, EN_AFFINE_IMPORTANCE, q, &min));
  en_put_f16(p + 2, -min);
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  const float s2 = importance ? en_row_square(x, n) : 0;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) {
    float v[BLOCK];
    int8_t q[BLOCK];
    en_without_nan(v, x + i, BLOCK);
    if (importance) weighted(p, v, importance + i, s2, q);
    else plain(p, v, q);
    for (int32_t k = 0; k < HALF; k++) p[4 + k] = (uint8_t)(q[k] | q[k + HALF] << 4);
  }
}

const en_type en_type_q4_1 = {.name = "Q4_1", .id = EN_Q4_1, .block = BLOCK, .block_bytes = BYTES, .fields = "2h4w", .decode = decode, .encode = encode};

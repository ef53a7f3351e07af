/* q5_0.c - 32 values as 5-bit integers with one half-precision scale: { f16 d; u32 qh; u8 qs[16] }, x ~ d (q - 16).
 * Low 4 bits of q: value k in the low half of qs[k], value 16 + k in its high half; bit e of qh is the fifth bit of value e.
 * Source of the format: ggml (ggml-common.h, block_q5_0; encoder quantize_row_q5_0_ref), equal to it bit for bit. */
#include "arrange.h"
#include "search.h"

enum { BLOCK = 32, HALF = 16, BYTES = 22, PEAK = 16 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES, y += BLOCK) {
    const float d = en_f16_to_f32(en_rd16(p));
    const uint32_t high = en_rd32(p + 2);
    for (int32_t k = 0; k < HALF; k++) {
      const int32_t a = (int32_t)((p[6 + k] & 15) | (high >> k & 1) << 4), b = (int32_t)((p[6 + k] >> 4) | (high >> (k + HALF) & 1) << 4);
      y[k] = d * (float)(a - PEAK);
      y[k + HALF] = d * (float)(b - PEAK);
    }
  }
}

/* The value of largest magnitude maps to -16, which has no positive partner; the integers come from the scale before it is rounded. */
static void plain(uint8_t *p, const float *x, int8_t *q) {
  const float d = en_signed_max(x, BLOCK) / (float)-PEAK, inverse = d != 0 ? 1 / d : 0;
  for (int32_t k = 0; k < BLOCK; k++) {
    const float v = x[k] * inverse;
    q[k] = (int8_t)(en_floor_to(v + 16.5f, 31) - PEAK);
  }
  en_put_f16(p, d);
}

static void weighted(uint8_t *p, const float *x, const float *importance, float s2, int8_t *q) {
  float w[BLOCK];
  en_weigh(w, x, importance, BLOCK, s2);
  en_put_f16(p, en_fit_scale(x, w, BLOCK, PEAK, q));
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  const float s2 = importance ? en_row_square(x, n) : 0;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) {
    float v[BLOCK];
    int8_t q[BLOCK];
    uint32_t high = 0;
    en_without_nan(v, x + i, BLOCK);
    if (importance) weighted(p, v, importance + i, s2, q);
    else plain(p, v, q);
    for (int32_t k = 0; k < HALF; k++) {
      const uint32_t a = (uint32_t)(q[k] + PEAK), b = (uint32_t)(q[k + HALF] + PEAK);
      p[6 + k] = (uint8_t)((a & 15) | (b & 15) << 4);
      high |= a >> 4 << k | b >> 4 << (k + HALF);
    }
    memcpy(p + 2, &high, 4);
  }
}

static void arrange(uint8_t *p) { en_arrange_fifths(p + 2); }

const en_type en_type_q5_0 = {.name = "Q5_0", .id = EN_Q5_0, .block = BLOCK, .block_bytes = BYTES, .fields = "1h5w", .arrange = arrange, .decode = decode, .encode = encode};

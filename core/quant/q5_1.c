/* q5_1.c - 32 values as 5-bit integers with a scale and a minimum: { f16 d, m; u32 qh; u8 qs[16] }, x ~ d q + m.
 * The bits of q lie as in Q5_0.
 * Source of the format: ggml (ggml-common.h, block_q5_1; encoder quantize_row_q5_1_ref), equal to it bit for bit. */
#include "arrange.h"
#include "search.h"

enum { BLOCK = 32, HALF = 16, BYTES = 24, PEAK = 31 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES, y += BLOCK) {
    const float d = en_f16_to_f32(en_rd16(p)), m = en_f16_to_f32(en_rd16(p + 2));
    const uint32_t high = en_rd32(p + 4);
    for (int32_t k = 0; k < HALF; k++) {
      const int32_t a = (int32_t)((p[8 + k] & 15) | (high >> k & 1) << 4), b = (int32_t)((p[8 + k] >> 4) | (high >> (k + HALF) & 1) << 4);
      y[k] = d * (float)a + m;
      y[k + HALF] = d * (float)b + m;
    }
  }
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  const float s2 = importance ? en_row_square(x, n) : 0;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) {
    int8_t q[BLOCK];
    uint32_t high = 0;
    en_put_affine(p, x + i, importance ? importance + i : NULL, s2, PEAK, q);
    for (int32_t k = 0; k < HALF; k++) {
      const uint32_t a = (uint32_t)q[k], b = (uint32_t)q[k + HALF];
      p[8 + k] = (uint8_t)((a & 15) | (b & 15) << 4);
      high |= a >> 4 << k | b >> 4 << (k + HALF);
    }
    memcpy(p + 4, &high, 4);
  }
}

static void arrange(uint8_t *p) { en_arrange_fifths(p + 4); }

const en_type en_type_q5_1 = {.name = "Q5_1", .id = EN_Q5_1, .block = BLOCK, .block_bytes = BYTES, .fields = "2h5w", .arrange = arrange, .decode = decode, .encode = encode};

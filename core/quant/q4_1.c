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

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  const float s2 = importance ? en_row_square(x, n) : 0;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) {
    int8_t q[BLOCK];
    en_put_affine(p, x + i, importance ? importance + i : NULL, s2, PEAK, q);
    for (int32_t k = 0; k < HALF; k++) p[4 + k] = (uint8_t)(q[k] | q[k + HALF] << 4);
  }
}

const en_type en_type_q4_1 = {.name = "Q4_1", .id = EN_Q4_1, .block = BLOCK, .block_bytes = BYTES, .fields = "2h4w", .decode = decode, .encode = encode};

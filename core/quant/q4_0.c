/* q4_0.c - 32 values as 4-bit integers with one half-precision scale: { f16 d; u8 qs[16] }.
 * Byte k holds value k in its low half and value 16 + k in its high half; x ~ d (nibble - 8).
 * Source of the format: ggml (ggml-common.h, block_q4_0; encoder quantize_row_q4_0_ref), equal to it bit for bit. */
#include "scale.h"

enum { BLOCK = 32, HALF = 16, BYTES = 18 };

static void decode(float *y, const void *blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p));
    for (int32_t k = 0; k < HALF; k++) {
      y[i + k] = d * (float)((p[2 + k] & 15) - 8);
      y[i + k + HALF] = d * (float)((p[2 + k] >> 4) - 8);
    }
  }
}

/* floor(v + 8.5) in [0, 15]; 8, which stands for 0, for NaN. The sum is its own statement so that it rounds before the conversion, as in ggml. */
static int32_t nibble(float v) {
  const float shifted = v + 8.5f;
  if (shifted != shifted) return 8;
  return shifted > 0 ? shifted < 16 ? (int32_t)shifted : 15 : 0;
}

/* The value of largest magnitude maps to -8, which has no positive partner. Without importance the integers come from the scale
 * before it is rounded to half precision, as in ggml. */
static void encode_block(uint8_t *p, const float *x, const float *importance) {
  const float max = en_signed_max(x, BLOCK);
  float d = max / -8;
  if (importance) d = en_f16_to_f32(en_f32_to_f16(en_best_scale(x, importance, BLOCK, -8, 7, max, -8)));
  const float inverse = d != 0 ? 1 / d : 0;
  const uint16_t h = en_f32_to_f16(d);
  memcpy(p, &h, 2);
  for (int32_t k = 0; k < HALF; k++) p[2 + k] = (uint8_t)(nibble(x[k] * inverse) | nibble(x[k + HALF] * inverse) << 4);
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) encode_block(p, x + i, importance ? importance + i : NULL);
}

const en_type en_type_q4_0 = {.name = "Q4_0", .id = EN_Q4_0, .block = BLOCK, .block_bytes = BYTES, .fields = "1h4w", .decode = decode, .encode = encode};

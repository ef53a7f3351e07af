/* q8_0.c - 32 values as signed bytes with one half-precision scale: { f16 d; i8 qs[32] }, x[i] ~ d qs[i].
 * Source of the format: ggml (ggml-common.h, block_q8_0; encoder quantize_row_q8_0_ref), equal to it bit for bit. */
#include "scale.h"

enum { BLOCK = 32, BYTES = 34 };

static void decode(float *y, const void *blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p));
    for (int32_t k = 0; k < BLOCK; k++) y[i + k] = d * (float)(int8_t)p[2 + k];
  }
}

/* Without importance the integers come from the scale before it is rounded to half precision, as in ggml. */
static void encode_block(uint8_t *p, const float *x, const float *importance) {
  const float amax = fabsf(en_signed_max(x, BLOCK));
  float d = amax / 127;
  if (importance) d = en_f16_to_f32(en_f32_to_f16(en_best_scale(x, importance, BLOCK, -127, 127, amax, 127)));
  const float inverse = d != 0 ? 1 / d : 0;
  const uint16_t h = en_f32_to_f16(d);
  memcpy(p, &h, 2);
  for (int32_t k = 0; k < BLOCK; k++) p[2 + k] = (uint8_t)(int8_t)en_round_to(x[k] * inverse, -128, 127);
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) encode_block(p, x + i, importance ? importance + i : NULL);
}

const en_type en_type_q8_0 = {.name = "Q8_0", .id = EN_Q8_0, .block = BLOCK, .block_bytes = BYTES, .fields = "1h8w", .decode = decode, .encode = encode};

/* tq2_0.c - 256 values as -1, 0 or 1 with one half-precision scale, four to a byte: { u8 qs[64]; f16 d }, x ~ d (q - 1).
 * Byte 32h + l of qs holds, from the low bits up, values 128h + l, + 32, + 64, + 96. Importance has no part in it.
 * Source of the format: ggml (ggml-common.h, block_tq2_0; encoder quantize_row_tq2_0_ref), equal to it bit for bit. */
#include "search.h"

enum { BYTES = 66, D = 64 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p + D));
    for (int32_t j = 0; j < 8; j++, y += 32)
      for (int32_t l = 0; l < 32; l++) y[l] = d * (float)((p[j / 4 * 32 + l] >> j % 4 * 2 & 3) - 1);
  }
}

static void encode_block(uint8_t *p, const float *x) {
  const float d = fabsf(en_signed_max(x, EN_SUPER)), inverse = d != 0 ? 1 / d : 0;
  memset(p, 0, D);
  for (int32_t e = 0; e < EN_SUPER; e++)
    p[e / 128 * 32 + e % 32] |= (uint8_t)((en_round_to(x[e] * inverse, -1, 1) + 1) << e % 128 / 32 * 2);
  en_put_f16(p + D, d);
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  (void)importance;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) encode_block(p, x + i);
}

const en_type en_type_tq2_0 = {.name = "TQ2_0", .id = 35, .block = EN_SUPER, .block_bytes = BYTES, .fields = "16w1h", .decode = decode, .encode = encode};

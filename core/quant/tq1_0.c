/* tq1_0.c - 256 values as -1, 0 or 1 with one half-precision scale, five to a byte: { u8 qs[48]; u8 qh[4]; f16 d }, x ~ d (trit - 1).
 * A byte is ceil(256 v / 243) of the number v with its trits as digits in base 3, first trit first; so digit n is the whole part of
 * 3 (byte 3^n mod 256) / 256. Bytes 0..31 hold values l + 32n, bytes 32..47 values 160 + l + 16n, qh values 240 + l + 4n (n < 4).
 * Importance has no part in it. Source of the format: ggml (ggml-common.h, block_tq1_0; quantize_row_tq1_0_ref), equal to it bit for bit. */
#include "search.h"

enum { BYTES = 54, D = 52 };
static const struct { int32_t at, width, digits; } runs[] = {{0, 32, 5}, {32, 16, 5}, {48, 4, 4}};
static const uint8_t power[5] = {1, 3, 9, 27, 81};

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p + D));
    for (int32_t r = 0; r < EN_COUNT(runs); r++)
      for (int32_t k = 0; k < runs[r].digits; k++, y += runs[r].width)
        for (int32_t l = 0; l < runs[r].width; l++) y[l] = d * (float)(((uint8_t)(p[runs[r].at + l] * power[k]) * 3 >> 8) - 1);
  }
}

static void encode_block(uint8_t *p, const float *x) {
  const float d = fabsf(en_signed_max(x, EN_SUPER)), inverse = d != 0 ? 1 / d : 0;
  for (int32_t r = 0; r < EN_COUNT(runs); r++) {
    for (int32_t l = 0; l < runs[r].width; l++) {
      int32_t v = 0;
      for (int32_t k = 0; k < runs[r].digits; k++) v = v * 3 + en_round_to(x[l + k * runs[r].width] * inverse, -1, 1) + 1;
      if (runs[r].digits == 4) v *= 3; /* the fifth digit is not used */
      p[runs[r].at + l] = (uint8_t)((v * 256 + 242) / 243);
    }
    x += runs[r].width * runs[r].digits;
  }
  en_put_f16(p + D, d);
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  (void)importance;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) encode_block(p, x + i);
}

const en_type en_type_tq1_0 = {.name = "TQ1_0", .id = 34, .block = EN_SUPER, .block_bytes = BYTES, .fields = "13w1h", .decode = decode, .encode = encode};

/* bf16.c - bfloat16: the upper half of an IEEE single, little-endian. */
#include "quant.h"

static void decode(float *y, const void *blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i++) y[i] = en_bf16_to_f32(en_rd16(p + 2 * i));
}

/* Every value is rounded by itself, so the weights of the error do not matter. */
static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  (void)importance;
  for (int64_t i = 0; i < n; i++) {
    const uint16_t h = en_f32_to_bf16(x[i]);
    memcpy(p + 2 * i, &h, 2);
  }
}

const en_type en_type_bf16 = {.name = "BF16", .id = EN_BF16, .block = 1, .block_bytes = 2, .fields = "1h", .decode = decode, .encode = encode};

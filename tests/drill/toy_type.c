/* toy_type.c - drill weight type: 32 signed bytes and a float scale, under the id and size of a ggml type that the core does not run (Q8_1). */
#include "quant.h"
#include <math.h>

static void decode(float *y, const void *blocks, int64_t n) {
  const uint8_t *b = blocks;
  for (int64_t i = 0; i < n; i++) y[i] = en_rdf32(b + i / 32 * 36) * (float)(int8_t)b[i / 32 * 36 + 4 + i % 32];
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  (void)importance;
  uint8_t *b = blocks;
  for (int64_t i = 0; i < n; i += 32, b += 36) {
    float most = 0;
    for (int j = 0; j < 32; j++) most = fmaxf(most, fabsf(x[i + j]));
    const float d = most / 100;
    memcpy(b, &d, 4);
    for (int j = 0; j < 32; j++) b[4 + j] = (uint8_t)(int8_t)lrintf(d > 0 ? x[i + j] / d : 0);
  }
}

const en_type en_type_toy = {.name = "TOY8", .id = 9, .block = 32, .block_bytes = 36, .fields = "9w", .decode = decode, .encode = encode};

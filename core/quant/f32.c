/* f32.c - IEEE single precision, stored little-endian as it is. (In the double build of tests/double: double precision.) */
#include "quant.h"

static void decode(float *y, const void *blocks, int64_t n) { memcpy(y, blocks, (size_t)n * sizeof *y); }

/* Exact, so the weights of the error do not matter. */
static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  (void)importance;
  memcpy(blocks, x, (size_t)n * sizeof *x);
}

const en_type en_type_f32 = {.name = "F32", .id = EN_F32, .block = 1, .block_bytes = sizeof(float), .fields = sizeof(float) == 4 ? "1w" : "1d", .decode = decode, .encode = encode};

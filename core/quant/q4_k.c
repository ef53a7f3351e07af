/* q4_k.c - 256 values as 4-bit integers, a 6-bit scale and minimum per 32: { f16 d, dmin; u8 pairs[12]; u8 qs[128] }; k_pairs.h has the
 * pairs. Byte 32h + l of qs holds value 64h + l in its low half and 64h + 32 + l in its high half.
 * Source of the format: ggml (ggml-common.h, block_q4_K; encoder quantize_row_q4_K_ref), equal to it bit for bit. */
#include "arrange.h"
#include "k_pairs.h"

enum { BYTES = 144, QS = 16 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p)), dmin = en_f16_to_f32(en_rd16(p + 2));
    for (int32_t j = 0; j < EN_PAIRS; j++, y += EN_PAIR_GROUP) {
      const float scale = d * (float)en_pair_scale(p + 4, j), min = dmin * (float)en_pair_min(p + 4, j);
      const uint8_t *q = p + QS + 32 * (j / 2);
      const int32_t shift = 4 * (j % 2);
      for (int32_t l = 0; l < 32; l++) y[l] = scale * (float)(q[l] >> shift & 15) - min;
    }
  }
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    float v[EN_SUPER];
    int8_t q[EN_SUPER];
    en_without_nan(v, x + i, EN_SUPER);
    en_pairs_encode(p, q, v, importance ? importance + i : NULL, 15, (en_affine_search){-1, 0.1f, 20, 0});
    for (int32_t k = 0; k < 128; k++) p[QS + k] = (uint8_t)(q[k / 32 * 64 + k % 32] | q[k / 32 * 64 + 32 + k % 32] << 4);
  }
}

/* Group j has 16 bytes of its own, at QS + 16 j. */
static void arrange(uint8_t *p) {
  for (int32_t i = 0; i < 4; i++) en_arrange_halves(p + QS + 32 * i);
}

const en_type en_type_q4_k = {.name = "Q4_K", .id = EN_Q4_K, .block = EN_SUPER, .block_bytes = BYTES, .fields = "2h35w", .arrange = arrange, .decode = decode, .encode = encode};

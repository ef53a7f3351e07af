/* q5_k.c - 256 values as 5-bit integers, a 6-bit scale and minimum per 32: { f16 d, dmin; u8 pairs[12]; u8 qh[32]; u8 qs[128] };
 * k_pairs.h has the pairs. The low 4 bits lie in qs as in Q4_K; bit e / 32 of qh[e % 32] is the fifth bit of value e.
 * Source of the format: ggml (ggml-common.h, block_q5_K; encoder quantize_row_q5_K_ref), equal to it bit for bit. */
#include "arrange.h"
#include "k_pairs.h"

enum { BYTES = 176, QH = 16, QS = 48 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p)), dmin = en_f16_to_f32(en_rd16(p + 2));
    for (int32_t j = 0; j < EN_PAIRS; j++, y += EN_PAIR_GROUP) {
      const float scale = d * (float)en_pair_scale(p + 4, j), min = dmin * (float)en_pair_min(p + 4, j);
      const uint8_t *q = p + QS + 32 * (j / 2), *high = p + QH;
      const int32_t shift = 4 * (j % 2);
      for (int32_t l = 0; l < 32; l++) y[l] = scale * (float)((q[l] >> shift & 15) + 16 * (high[l] >> j & 1)) - min;
    }
  }
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    float v[EN_SUPER];
    int8_t q[EN_SUPER];
    en_without_nan(v, x + i, EN_SUPER);
    en_pairs_encode(p, q, v, importance ? importance + i : NULL, 31, (en_affine_search){-0.5f, 0.1f, 15, 0});
    memset(p + QH, 0, 32);
    for (int32_t e = 0; e < EN_SUPER; e++) p[QH + e % 32] |= (uint8_t)(q[e] >> 4 << e / 32);
    for (int32_t k = 0; k < 128; k++) p[QS + k] = (uint8_t)((q[k / 32 * 64 + k % 32] & 15) | (q[k / 32 * 64 + 32 + k % 32] & 15) << 4);
  }
}

/* Group j has 16 bytes of its own, at QS + 16 j, and the word at QH + 4 j: bit g of byte b is the fifth bit of value 4g + b. So the fifth
 * bits, 8 words of bytes whose bits are groups, are a transposition of 8 x 8 bits four times over. */
static void arrange(uint8_t *p) {
  static const uint32_t masks[] = {0x55555555, 0x33333333, 0x0f0f0f0f};
  for (int32_t i = 0; i < 4; i++) en_arrange_halves(p + QS + 32 * i);
  for (int32_t step = 0; step < 3; step++)
    for (int32_t w = 0; w < 8; w++)
      if (!(w >> step & 1)) en_swap_bits(p + QH + 4 * w, p + QH + 4 * (w | 1 << step), 1 << step, masks[step]);
}

const en_type en_type_q5_k = {.name = "Q5_K", .id = EN_Q5_K, .block = EN_SUPER, .block_bytes = BYTES,
  .fields = "2h3w " /* every group's fifth bits before its codes */
    "1w@16 4w@48 1w@20 4w@64 1w@24 4w@80 1w@28 4w@96 "
    "1w@32 4w@112 1w@36 4w@128 1w@40 4w@144 1w@44 4w@160",
  .arrange = arrange, .decode = decode, .encode = encode};

/* q6_k.c - 256 values as 6-bit integers, a signed byte as scale per 16: { u8 ql[128]; u8 qh[64]; i8 scales[16]; f16 d },
 * x ~ (d s) (q - 32). With h = e / 128, g = e % 128 / 32, l = e % 32: the low 4 bits of value e are half g / 2 of ql[64h + 32 (g % 2) + l],
 * its high 2 bits are at bit 2g of qh[32h + l].
 * Source of the format: ggml (ggml-common.h, block_q6_K; encoder quantize_row_q6_K_ref), equal to it bit for bit. */
#include "arrange.h"
#include "search.h"

enum { BYTES = 210, GROUP = 16, GROUPS = EN_SUPER / GROUP, QH = 128, SCALES = 192, D = 208, PEAK = 32 };

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    const float d = en_f16_to_f32(en_rd16(p + D));
    for (int32_t j = 0; j < GROUPS; j++, y += GROUP) {
      const float scale = d * (float)(int8_t)p[SCALES + j];
      const int32_t h = j / 8, g = j % 8 / 2, half = 16 * (j % 2);
      const uint8_t *low = p + 64 * h + 32 * (g % 2) + half, *high = p + QH + 32 * h + half;
      for (int32_t l = 0; l < GROUP; l++) y[l] = scale * (float)(((low[l] >> g / 2 * 4 & 15) | (high[l] >> 2 * g & 3) << 4) - PEAK);
    }
  }
}

static void put_integers(uint8_t *p, const int8_t *q) {
  memset(p, 0, SCALES);
  for (int32_t e = 0; e < EN_SUPER; e++) {
    const int32_t v = q[e] + PEAK, h = e / 128, g = e % 128 / 32, l = e % 32;
    p[64 * h + 32 * (g % 2) + l] |= (uint8_t)((v & 15) << g / 2 * 4);
    p[QH + 32 * h + l] |= (uint8_t)(v >> 4 << 2 * g);
  }
}

static void encode_block(uint8_t *p, const float *x, const float *importance) {
  float scale[GROUPS];
  int8_t q[EN_SUPER];
  for (int32_t j = 0; j < GROUPS; j++) scale[j] = en_fit_scale(x + j * GROUP, importance ? importance + j * GROUP : NULL, GROUP, PEAK, q + j * GROUP);
  const float max = en_signed_max(scale, GROUPS);
  if (!(fabsf(max) >= EN_TINY)) {
    memset(p, 0, BYTES);
    return;
  }
  const float inverse = -128 / max, d = en_put_f16(p + D, 1 / inverse);
  for (int32_t j = 0; j < GROUPS; j++) {
    const int32_t s = en_nearest(inverse * scale[j], -128, 127);
    p[SCALES + j] = (uint8_t)s;
    en_requantize(q + j * GROUP, x + j * GROUP, GROUP, d * (float)s, 0, -PEAK, PEAK - 1);
  }
  put_integers(p, q);
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += EN_SUPER, p += BYTES) {
    float v[EN_SUPER];
    en_without_nan(v, x + i, EN_SUPER);
    encode_block(p, v, importance ? importance + i : NULL);
  }
}

/* Group 4h + g has 16 bytes of its own, at 64h + 32 (g % 2) + 16 (g / 2), and two words, at QH + 32h + 4g + 16i for i = 0, 1: the two bits of byte b
 * of word i at 2f are the high bits of value 16i + 4f + b. So four words of high bits are a transposition of 4 x 4 pairs of bits four times over. */
static void arrange(uint8_t *p) {
  for (int32_t i = 0; i < 4; i++) {
    uint8_t *w = p + QH + 16 * i;
    en_arrange_halves(p + 32 * i);
    en_swap_bits(w, w + 4, 2, 0x33333333), en_swap_bits(w + 8, w + 12, 2, 0x33333333);
    en_swap_bits(w, w + 8, 4, 0x0f0f0f0f), en_swap_bits(w + 4, w + 12, 4, 0x0f0f0f0f);
  }
}

const en_type en_type_q6_k = {.name = "Q6_K", .id = EN_Q6_K, .block = EN_SUPER, .block_bytes = BYTES,
  .fields = "1h@208 4w@192 " /* the scales, then every group's high bits before its codes */
    "1w@128 1w@144 4w@0 1w@132 1w@148 4w@32 1w@136 1w@152 4w@16 1w@140 1w@156 4w@48 "
    "1w@160 1w@176 4w@64 1w@164 1w@180 4w@96 1w@168 1w@184 4w@80 1w@172 1w@188 4w@112",
  .arrange = arrange, .decode = decode, .encode = encode};

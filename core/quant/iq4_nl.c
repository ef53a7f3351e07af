/* iq4_nl.c - 32 values as codes of 16 uneven levels with one half-precision scale: { f16 d; u8 qs[16] }, x ~ d level[code].
 * Byte k holds value k in its low half and value 16 + k in its high half; iq4.h has the levels.
 * Source of the format: ggml (ggml-common.h, block_iq4_nl; encoder quantize_iq4_nl), equal to it bit for bit. */
#include "iq4.h"

enum { BLOCK = 32, HALF = 16, BYTES = 18, TRIES = 7 };

/* What the codes for x * inverse do: the best scale for them is qx / qq, and it removes qx^2 / qq of the error. */
typedef struct { float qx, qq; } gain;

static gain try_inverse(const float *x, const float *w, float inverse) {
  gain g = {0, 0};
  for (int32_t i = 0; i < BLOCK; i++) {
    const float q = (float)en_iq4_levels[en_iq4_code(inverse * x[i])], weight = w ? w[i] : x[i] * x[i];
    g.qx += weight * q * x[i];
    g.qq += weight * q * q;
  }
  return g;
}

float en_iq4_scale(const float *x, const float *w) {
  const float max = en_signed_max(x, BLOCK), lowest = (float)en_iq4_levels[0], start = -max / lowest;
  if (!(fabsf(max) >= EN_TINY)) return 0;
  gain g = try_inverse(x, w, 1 / start);
  float d = g.qq > 0 ? g.qx / g.qq : 0, best = d * g.qx;
  for (int32_t t = -TRIES; t <= TRIES; t++) {
    g = try_inverse(x, w, ((float)t + lowest) / max);
    if (!(g.qq > 0 && g.qx * g.qx > best * g.qq)) continue;
    d = g.qx / g.qq, best = d * g.qx;
  }
  return d;
}

void en_iq4_put(uint8_t *p, const float *x, float inverse) {
  for (int32_t k = 0; k < HALF; k++) p[k] = (uint8_t)(en_iq4_code(inverse * x[k]) | en_iq4_code(inverse * x[k + HALF]) << 4);
}

static void decode(float *restrict y, const void *restrict blocks, int64_t n) {
  const uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES, y += BLOCK) {
    const float d = en_f16_to_f32(en_rd16(p));
    for (int32_t k = 0; k < HALF; k++) {
      y[k] = d * (float)en_iq4_levels[p[2 + k] & 15];
      y[k + HALF] = d * (float)en_iq4_levels[p[2 + k] >> 4];
    }
  }
}

static void encode(void *blocks, const float *x, int64_t n, const float *importance) {
  uint8_t *p = blocks;
  for (int64_t i = 0; i < n; i += BLOCK, p += BYTES) {
    float v[BLOCK], w[BLOCK];
    en_without_nan(v, x + i, BLOCK);
    if (importance) en_weigh(w, v, importance + i, BLOCK, 2 * en_mean_square(v, BLOCK));
    const float d = en_iq4_scale(v, importance ? w : NULL);
    en_put_f16(p, d);
    en_iq4_put(p + 2, v, d != 0 ? 1 / d : 0);
  }
}

const en_type en_type_iq4_nl = {.name = "IQ4_NL", .id = EN_IQ4_NL, .block = BLOCK, .block_bytes = BYTES, .fields = "1h4w", .decode = decode, .encode = encode};

/* k_pairs.c - choosing scales, minima and integers of Q4_K and Q5_K. */
#include "k_pairs.h"

/* 8 non-negative scales as 6-bit integers: the largest maps to 63. Returns what one unit stands for. */
static float plain_scales(const float *scale, int8_t *s) {
  float max = 0;
  for (int32_t j = 0; j < EN_PAIRS; j++) max = scale[j] > max ? scale[j] : max; /* 0 rather than -0 */
  const float inverse = max > 0 ? (float)EN_PAIR_PEAK / max : 0;
  for (int32_t j = 0; j < EN_PAIRS; j++) s[j] = (int8_t)en_nearest(inverse * scale[j], 0, EN_PAIR_PEAK);
  return max / (float)EN_PAIR_PEAK;
}

static void put_pairs(uint8_t *p, const int8_t *s, const int8_t *m) {
  for (int32_t j = 0; j < 4; j++) {
    p[j] = (uint8_t)(s[j] | s[j + 4] >> 4 << 6);
    p[j + 4] = (uint8_t)(m[j] | m[j + 4] >> 4 << 6);
    p[j + 8] = (uint8_t)((s[j + 4] & 15) | (m[j + 4] & 15) << 4);
  }
}

void en_pairs_encode(uint8_t *p, int8_t *q, const float *x, const float *importance, int32_t peak, en_affine_search search) {
  float w[EN_PAIR_GROUP], total[EN_PAIRS], scale[EN_PAIRS], min[EN_PAIRS];
  int8_t s[EN_PAIRS], m[EN_PAIRS];
  const float s2 = 2 * en_mean_square(x, EN_SUPER);
  for (int32_t j = 0; j < EN_PAIRS; j++) {
    const float *v = x + j * EN_PAIR_GROUP;
    const float rms = sqrtf(en_mean_square(v, EN_PAIR_GROUP));
    if (importance) total[j] = en_weigh(w, v, importance + j * EN_PAIR_GROUP, EN_PAIR_GROUP, s2);
    else for (int32_t l = 0; l < EN_PAIR_GROUP; l++) w[l] = rms + fabsf(v[l]);
    scale[j] = en_fit_affine(v, w, EN_PAIR_GROUP, peak, importance ? EN_AFFINE_IMPORTANCE : search, q + j * EN_PAIR_GROUP, &min[j]);
  }
  const float d = en_put_f16(p, importance ? en_fit_positive(scale, total, EN_PAIRS, EN_PAIR_PEAK, s) : plain_scales(scale, s));
  const float dmin = en_put_f16(p + 2, importance ? en_fit_positive(min, total, EN_PAIRS, EN_PAIR_PEAK, m) : plain_scales(min, m));
  put_pairs(p + 4, s, m);
  for (int32_t j = 0; j < EN_PAIRS; j++)
    en_requantize(q + j * EN_PAIR_GROUP, x + j * EN_PAIR_GROUP, EN_PAIR_GROUP, d * (float)s[j], dmin * (float)m[j], 0, peak);
}

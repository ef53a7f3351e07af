/* iq4.h - what IQ4_NL and IQ4_XS share: a 4-bit code stands for one of 16 uneven levels, dense around zero where weights are.
 * Source: ggml (ggml-common.h, kvalues_iq4nl; ggml-quants.c, quantize_row_iq4_nl_impl), restated. */
#ifndef EN_IQ4_H
#define EN_IQ4_H
#include "search.h"

static const int8_t en_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* Code of the level nearest to v; of two equally near ones the upper. */
static inline int32_t en_iq4_code(float v) {
  int32_t above = 0; /* levels <= v */
  for (int32_t i = 0; i < 16; i++) above += v >= (float)en_iq4_levels[i];
  if (above == 0) return 0;
  if (above == 16) return 15;
  return v - (float)en_iq4_levels[above - 1] < (float)en_iq4_levels[above] - v ? above - 1 : above;
}

/* Scale of 32 values: 16 starting scales, the one that removes most of the weighted squared error. w: [32], NULL: x^2. 0 for tiny values. */
float en_iq4_scale(const float *x, const float *w);
/* The codes of 32 values for x * inverse, into 16 bytes: value k in the low half of byte k, value 16 + k in its high half. */
void en_iq4_put(uint8_t *p, const float *x, float inverse);
#endif

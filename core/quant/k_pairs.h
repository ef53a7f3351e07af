/* k_pairs.h - what Q4_K and Q5_K share: 8 groups of 32 values with a 6-bit scale s and minimum m each, packed into 12 bytes.
 * x ~ (d s) q - (dmin m). Pair j < 4: s is the low 6 bits of byte j, m those of byte j + 4. Pair j >= 4: the low 4 bits of s and m are
 * the halves of byte j + 4; their high 2 bits are the top bits of bytes j - 4 (s) and j (m).
 * Source: ggml (ggml-quants.c, get_scale_min_k4, quantize_row_q4_K_ref, quantize_row_q5_K_ref), restated. */
#ifndef EN_K_PAIRS_H
#define EN_K_PAIRS_H
#include "search.h"

enum { EN_PAIRS = 8, EN_PAIR_GROUP = 32, EN_PAIR_BYTES = 12, EN_PAIR_PEAK = 63 };

static inline int32_t en_pair_scale(const uint8_t *p, int32_t j) { return j < 4 ? p[j] & 63 : (p[j + 4] & 15) | p[j - 4] >> 6 << 4; }
static inline int32_t en_pair_min(const uint8_t *p, int32_t j) { return j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | p[j] >> 6 << 4; }

/* Choose the integers q (0..peak) of 256 values; write { f16 d, dmin; u8 pairs[12] } to p. search: used without importance. */
void en_pairs_encode(uint8_t *p, int8_t *q, const float *x, const float *importance, int32_t peak, en_affine_search search);
#endif

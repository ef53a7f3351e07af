/* int8.h - activations of the int8 products: 8 bits per 32 values, the same integers in every table.
 * d = amax / 127, q = nearest even integer of x * (127 / amax), so |q| <= 127. A block whose amax is below EN_Q8_TINY counts as zero
 * (127 / amax must stay finite); a block that holds an infinity or a NaN gets d = NaN and q = 0, so that its products are NaN in every table.
 *
 * Order in memory: tiles of EN_T_TILE tokens (the last one may have fewer, n); inside a tile block after block, in each the n tokens:
 * a kernel that works on a tile reads one stream. Structs of other forms keep this order. */
#ifndef EN_INT8_H
#define EN_INT8_H
#include "kernels.h"

enum { EN_Q8_BLOCK = 32 };
#define EN_Q8_TINY 0x1p-100f

typedef struct { float d; int32_t m8; int8_t q[EN_Q8_BLOCK]; } en_q8_act; /* m8 = -8 * sum of q: what Q4_0's offset of 8 adds */

/* Index of (block b, token t), for n_blocks blocks a row and T tokens in all. */
static inline size_t en_act_at(int32_t n_blocks, int32_t T, int32_t b, int32_t t) {
  const int32_t t0 = t / EN_T_TILE * EN_T_TILE, n = EN_MIN(EN_T_TILE, T - t0);
  return (size_t)t0 * (size_t)n_blocks + (size_t)b * (size_t)n + (size_t)(t - t0);
}

/* One block in plain C. */
static inline float en_q8_round(int8_t *q, const float *x) {
  uint32_t top = 0; /* of finite positive floats the bits order as the values do; infinities and NaN come after them */
  for (int32_t i = 0; i < EN_Q8_BLOCK; i++) top = EN_MAX(top, en_rd32(x + i) & 0x7fffffff);
  const float amax = en_rdf32(&top);
  const int usable = amax >= EN_Q8_TINY && top < 0x7f800000;
  const float inverse = 127 / amax;
  for (int32_t i = 0; i < EN_Q8_BLOCK; i++)
    q[i] = usable ? (int8_t)(int32_t)((x[i] * inverse + 0x1.8p23f) - 0x1.8p23f) : 0; /* adding 1.5 * 2^23 rounds to nearest even */
  return top >= 0x7f800000 ? amax - amax : usable ? amax / 127 : 0;
}
#endif

/* int8.h - activations of the int8 products: 8 bits per 32 values, the same integers in every table.
 * d = amax / 127, q = nearest even integer of x * (127 / amax), so |q| <= 127. A block whose amax is below EN_Q8_TINY counts as zero
 * (127 / amax must stay finite); a block that holds an infinity or a NaN gets d = NaN and q = 0, so that its products are NaN in every table.
 *
 * Order in memory: tiles of EN_T_TILE tokens (the last one may have fewer, n); inside a tile block after block, in each the n tokens:
 * a kernel that works on a tile reads one stream. Structs of other forms keep this order. */
#ifndef EN_INT8_H
#define EN_INT8_H
#include "kernels.h"
#include <math.h>

enum { EN_Q8_BLOCK = 32 };
#define EN_Q8_TINY 0x1p-100f

/* What the float side of the products and offsets of codes need to know of 32 activations. S: sum of the integers, S0 and S1 of its halves. */
typedef struct { float d, ds /* d S */; int32_t m8 /* -8 S */; int16_t m16[2] /* -16 S0, -16 S1 */; } en_act_head;
typedef struct { en_act_head head; int8_t q[EN_Q8_BLOCK]; } en_q8_act;

/* The ds of 8 groups as 16-bit integers z = nearest(ds 32767 / max) and their scale D = max / 32767: the minima of a K type then cost a few integer
 * products. An error of 2^-16 beside the 2^-8 of the activations. Behind all activations of a form, ordered as they are; only if cols is a
 * multiple of 256. Order of z: groups 0 2 1 3 4 6 5 7, as the minima come out of their words. */
enum { EN_SUMS = 8 };
typedef struct { float d; int16_t z[EN_SUMS]; } en_act_sums;
static inline size_t en_act_bytes(int32_t cols, int32_t T, size_t act_size) {
  return (size_t)T * ((size_t)(cols / EN_Q8_BLOCK) * act_size + (size_t)(cols % (EN_Q8_BLOCK * EN_SUMS) ? 0 : cols / (EN_Q8_BLOCK * EN_SUMS)) * sizeof(en_act_sums));
}
static inline en_act_sums *en_act_sums_of(const void *form, int32_t cols, int32_t T, size_t act_size) {
  return (en_act_sums *)((uintptr_t)form + (size_t)(cols / EN_Q8_BLOCK) * (size_t)T * act_size);
}

/* How the block of a type lies and what its numbers mean; the lines of layouts.def. A block has `groups` groups of 32 values, each against one
 * block of activations. A code c stands for v = c - offset (or for a level); with integer sums I = sum of v q of a group and s its scale:
 *   1 group:   y += float(I) (d d_x)                               then, with mins, y += m ds_x
 *   8 groups:  A = sum over groups of float(s I) d_x, y += d A     then, with mins, y -= dmin (D float(sum over groups of min z))
 * in this order, each operation rounded by itself. s I is below 2^24 in every type (the fullest: 32 x 127 x 127 x 32 of IQ4_XS), so float(s) float(I)
 * is the same number; so is the sum of min z (8 x 63 x 32767). EN_SCALES_HALVES: s I = s0 I0 + s1 I1 for the halves of the group. */
typedef struct {
  int bytes, groups;  /* of a block */
  int bits, offset;   /* of a code */
  int mins, levels;   /* 1: there is a minimum beside the scale; codes are numbers of levels (quant/iq4.h) */
  int scales;
  int first;          /* byte of a packed block (per row) where group 0 begins: { u32 planes[bits - 4]; u8 codes[16] }, or 32 bytes. Before it d (a half),
                         with mins m or dmin, and the groups' scales */
} en_layout;
enum { EN_SCALES_NONE, EN_SCALES_PAIRS /* quant/k_pairs.h */, EN_SCALES_HALVES /* 16 signed bytes */, EN_SCALES_SIX /* as in quant/iq4_xs.c */ };

/* Which bit of a plane's bytes belongs to values 4g.. of a group with 5-bit codes. */
static inline int en_plane_bit(int groups, int g) { return groups > 1 ? g : g / 2 + g % 2 * 4; }

/* Index of (block b, token t), for n_blocks blocks a row and T tokens in all. */
static inline size_t en_act_at(int32_t n_blocks, int32_t T, int32_t b, int32_t t) {
  const int32_t t0 = t / EN_T_TILE * EN_T_TILE, n = EN_MIN(EN_T_TILE, T - t0);
  return (size_t)t0 * (size_t)n_blocks + (size_t)b * (size_t)n + (size_t)(t - t0);
}

/* ds of 8 groups to z and D. Not finite: D is NaN; all nearly zero: D is 0. */
static inline void en_round_sums(en_act_sums *to, const float *ds) {
  float max = 0, sum = 0;
  for (int32_t j = 0; j < EN_SUMS; j++) {
    const float size = ds[j] < 0 ? -ds[j] : ds[j];
    max = size > max ? size : max;
    sum += size;
  }
  const int usable = sum < INFINITY && max >= EN_Q8_TINY;
  const float inverse = 32767 / max;
  to->d = usable ? max / 32767 : sum < INFINITY ? 0 : sum - sum;
  for (int32_t i = 0; i < EN_SUMS; i++) {
    const int32_t j = i / 4 * 4 + i % 2 * 2 + i % 4 / 2;
    to->z[i] = usable ? (int16_t)(int32_t)((ds[j] * inverse + 0x1.8p23f) - 0x1.8p23f) : 0;
  }
}

/* ---- dx += dy W, in integers too ----
 * For 256 rows, counted from row 0, and 32 columns with a scale s_r in every row (16 columns with EN_SCALES_HALVES; s_r = d, or d times the group's scale),
 * dy and the scales are rounded by themselves, dy once for all columns; then integers multiply integers:
 *   D = max |dy_r| / 32767, e_r = nearest(dy_r (32767 / max |dy_r|))     U and f_r of s_r in the same way     q_r = (e_r f_r + 2^14) >> 15, |q| <= 32767
 *   dx_c += ((32768 D) U) float(sum of q_r v_rc)      then, with mins, dx_c += sum of dy_r m_r, m_r = -dmin times the group's minimum (m with 1 group): in 16 lanes, folded (simd/simd.h)
 * |sum| <= 256 x 32767 x 128 < 2^30. Three roundings of at most 2^-16 of max |dy_r| max |s_r| for every number of dy, and none in the codes. */
enum { EN_STRIP = 256 };
#define EN_STRIP_UNIT 32768.0f
typedef struct { float s, inverse; } en_strip_scale;
/* From the bits of the largest size. Not finite: s is NaN; nearly zero: both are 0, and so are all integers. */
static inline en_strip_scale en_strip_scale_of(int32_t bits) {
  const float top = en_rdf32(&bits);
  if (bits >= 0x7f800000) return (en_strip_scale){top - top, 0};
  if (top < EN_Q8_TINY) return (en_strip_scale){0, 0};
  return (en_strip_scale){top / 32767, 32767 / top};
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

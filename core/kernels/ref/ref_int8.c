/* ref_int8.c - products with int8 activations in plain C, and the row kernels over plain-C vectors: what the fast tables compute,
 * to the last bit (their f32 products excepted). How far that is from exact arithmetic, ref.c tells. */
#include "vec.h"
#include "../../quant/iq4.h"
#include "../../quant/k_pairs.h"
#include "../int8.h"
#include "ref.h"
#define EN_ATTEND_WIDE 4
#include "../simd/attend.h"

static size_t act_bytes(int32_t cols, int32_t T) { return en_act_bytes(cols, T, sizeof(en_q8_act)); }

static float act_block(en_q8_act *a, const float *x) {
  int32_t sums[2] = {0, 0};
  a->head.d = en_q8_round(a->q, x);
  for (int32_t i = 0; i < EN_Q8_BLOCK; i++) sums[i / 16] += a->q[i];
  a->head.ds = a->head.d * (float)(sums[0] + sums[1]);
  a->head.m8 = -8 * (sums[0] + sums[1]);
  for (int32_t h = 0; h < 2; h++) a->head.m16[h] = (int16_t)(-16 * sums[h]);
  return a->head.ds;
}

static void act_fill(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1) {
  const int32_t n_groups = cols / EN_Q8_BLOCK, whole = n_groups % EN_SUMS == 0;
  en_act_sums *sums = en_act_sums_of(dst, cols, T, sizeof(en_q8_act));
  for (int32_t t = t0; t < t1; t++) {
    float ds[EN_SUMS];
    for (int32_t b = 0; b < n_groups; b++) {
      ds[b % EN_SUMS] = act_block((en_q8_act *)dst + en_act_at(n_groups, T, b, t), x + (size_t)t * ldx + (size_t)b * EN_Q8_BLOCK);
      if (whole && b % EN_SUMS == EN_SUMS - 1) en_round_sums(sums + en_act_at(n_groups / EN_SUMS, T, b / EN_SUMS, t), ds);
    }
  }
}

/* ---- row r of a packed block ---- */
static float half_at(const uint8_t *block, int32_t at, int32_t r) { return en_f16_to_f32(en_rd16(block + at * EN_R + 2 * r)); }
/* Byte i of the 4-byte words that begin at byte `at` of a plain block. */
static const uint8_t *byte_at(const uint8_t *block, int32_t at, int32_t r, int32_t i) { return block + (at + i / 4 * 4) * EN_R + 4 * r + i % 4; }

/* The integers of group j. */
static void group_values(int8_t *v, const uint8_t *block, int32_t r, int32_t j, const en_layout *k) {
  const int32_t planes = k->first + 4 * k->bits * j, codes = k->bits == 8 ? planes : planes + 4 * (k->bits - 4);
  for (int32_t e = 0; e < 32; e++) {
    if (k->bits == 8) {
      v[e] = (int8_t)*byte_at(block, codes, r, e);
      continue;
    }
    int32_t c = *byte_at(block, codes, r, e % 16) >> e / 16 * 4 & 15;
    if (k->bits == 5) c |= (*byte_at(block, planes, r, e % 4) >> en_plane_bit(k->groups, e / 4) & 1) << 4;
    if (k->bits == 6) c |= (*byte_at(block, planes + e / 16 * 4, r, e % 4) >> e / 4 % 4 * 2 & 3) << 4;
    v[e] = k->levels ? en_iq4_levels[c] : (int8_t)(c - k->offset);
  }
}

/* Scales of the halves of group j (equal in most types), and its minimum. */
typedef struct { int32_t s[2], min; } group_scale;
static group_scale scales_of(const uint8_t *block, int32_t r, int32_t j, const en_layout *k) {
  if (k->scales == EN_SCALES_HALVES) return (group_scale){{(int8_t)*byte_at(block, 2, r, 2 * j), (int8_t)*byte_at(block, 2, r, 2 * j + 1)}, 0};
  if (k->scales == EN_SCALES_SIX) {
    const int32_t s = (*byte_at(block, 4, r, j / 2) >> j % 2 * 4 & 15) | (en_rd16(block + 2 * EN_R + 2 * r) >> 2 * j & 3) << 4;
    return (group_scale){{s - 32, s - 32}, 0};
  }
  uint8_t pairs[EN_PAIR_BYTES];
  for (int32_t i = 0; i < EN_PAIR_BYTES; i++) pairs[i] = *byte_at(block, 4, r, i);
  const int32_t s = en_pair_scale(pairs, j);
  return (group_scale){{s, s}, en_pair_min(pairs, j)};
}

/* ---- products ---- */
static int32_t dot16(const int8_t *a, const int8_t *b) {
  int32_t s = 0;
  for (int32_t i = 0; i < 16; i++) s += a[i] * b[i];
  return s;
}

/* acc[t] += one block times n tokens; x, sums: the block's first token, `n` tokens a group or block. */
static void add_block(float *acc, const uint8_t *block, const en_q8_act *x, const en_act_sums *sums, int32_t r, int32_t n, const en_layout *k) {
  const float d = half_at(block, 0, r), m = k->mins ? half_at(block, 2, r) : 0;
  float scaled[EN_T_TILE] = {0};
  int32_t mins[EN_T_TILE] = {0};
  int8_t v[32];
  for (int32_t j = 0; j < k->groups; j++, x += n) {
    group_scale g = {{1, 1}, 1};
    group_values(v, block, r, j, k);
    if (k->groups > 1) g = scales_of(block, r, j, k);
    for (int32_t t = 0; t < n; t++) {
      const float sum = (float)(g.s[0] * dot16(v, x[t].q) + g.s[1] * dot16(v + 16, x[t].q + 16));
      if (k->groups == 1) {
        acc[t] += sum * (d * x[t].head.d);
        if (k->mins) acc[t] += m * x[t].head.ds;
      } else {
        scaled[t] += sum * x[t].head.d;
        if (k->mins) mins[t] += g.min * sums[t].z[j / 4 * 4 + j % 2 * 2 + j % 4 / 2];
      }
    }
  }
  if (k->groups == 1) return;
  for (int32_t t = 0; t < n; t++) {
    acc[t] += d * scaled[t];
    if (k->mins) acc[t] -= m * (sums[t].d * (float)mins[t]);
  }
}

static void mul(const en_mm *a, int32_t r0, int32_t r1, const en_layout *k) {
  const int32_t n_groups = a->cols / EN_Q8_BLOCK, n_blocks = n_groups / k->groups;
  const en_act_sums *sums = en_act_sums_of(a->x, a->cols, a->T, sizeof(en_q8_act));
  for (int32_t r = r0; r < r1; r++)
    for (int32_t t0 = 0; t0 < a->T; t0 += EN_T_TILE) {
      const uint8_t *block = a->w + (size_t)(r / EN_R * EN_R) * (size_t)n_blocks * (size_t)k->bytes;
      const int32_t n = EN_MIN(EN_T_TILE, a->T - t0);
      float acc[EN_T_TILE] = {0};
      for (int32_t b = 0; b < n_blocks; b++, block += EN_R * k->bytes)
        add_block(acc, block, (const en_q8_act *)a->x + en_act_at(n_groups, a->T, b * k->groups, t0), sums + en_act_at(n_blocks, a->T, b, t0), r % EN_R, n, k);
      for (int32_t t = 0; t < n; t++) {
        float *y = a->y + (size_t)(t0 + t) * a->ldy + r;
        *y = acc[t] + (a->bias ? a->bias[r] : 0) + (a->add ? *y : 0);
      }
    }
}

/* ---- dx += dy W (int8.h) ---- */
typedef struct {
  int8_t v[EN_STRIP][EN_Q8_BLOCK];
  float scale[2][EN_STRIP], min[EN_STRIP]; /* of the halves of the columns */
  int32_t rows;
} strip;

static void open_strip(strip *p, const en_mm_t *a, int32_t r0, int32_t c, const en_layout *k) {
  const int32_t width = EN_Q8_BLOCK * k->groups, n_blocks = a->cols / width, j = c % width / EN_Q8_BLOCK;
  for (int32_t i = 0; i < p->rows; i++) {
    const int32_t r = (r0 + i) % EN_R;
    const uint8_t *block = a->w + ((size_t)((r0 + i) / EN_R) * (size_t)n_blocks + (size_t)(c / width)) * EN_R * (size_t)k->bytes;
    const float d = half_at(block, 0, r), m = k->mins ? half_at(block, 2, r) : 0;
    const group_scale g = k->groups > 1 ? scales_of(block, r, j, k) : (group_scale){{1, 1}, -1};
    group_values(p->v[i], block, r, j, k);
    for (int32_t h = 0; h < 2; h++) p->scale[h][i] = d * (float)g.s[h];
    p->min[i] = -(m * (float)g.min);
  }
}

/* n numbers as integers of 16 bits. Returns what stands for their 1. */
static float round_strip(int32_t *to, const float *x, int32_t n) {
  uint32_t top = 0;
  for (int32_t i = 0; i < n; i++) top = EN_MAX(top, en_rd32(x + i) & 0x7fffffff);
  const en_strip_scale scale = en_strip_scale_of((int32_t)top);
  for (int32_t i = 0; i < n; i++) to[i] = scale.s > 0 ? (int32_t)((x[i] * scale.inverse + 0x1.8p23f) - 0x1.8p23f) : 0;
  return scale.s;
}

/* dx[16] of half h. */
static void add_half(float *dx, const strip *p, const float *dy, int32_t h) {
  int32_t e[EN_STRIP], f[EN_STRIP], sums[16] = {0};
  const float unit = round_strip(e, dy, p->rows) * EN_STRIP_UNIT, scale = unit * round_strip(f, p->scale[h], p->rows);
  for (int32_t i = 0; i < p->rows; i++) {
    const int32_t q = (e[i] * f[i] + (1 << 14)) >> 15;
    for (int32_t c = 0; c < 16; c++) sums[c] += q * p->v[i][16 * h + c];
  }
  for (int32_t c = 0; c < 16; c++) dx[c] += scale * (float)sums[c];
}

static void add_min(float *dx, const strip *p, const float *dy) {
  float lanes[EN_LANES] = {0};
  for (int32_t i = 0; i < p->rows; i++) lanes[i % EN_LANES] += dy[i] * p->min[i];
  for (int32_t n = EN_LANES / 2; n > 0; n /= 2)
    for (int32_t i = 0; i < n; i++) lanes[i] += lanes[i + n];
  for (int32_t c = 0; c < EN_Q8_BLOCK; c++) dx[c] += lanes[0];
}

static void mul_t(const en_mm_t *a, int32_t c0, int32_t c1, const en_layout *k) {
  strip p;
  for (int32_t r = 0; r < a->rows; r += EN_STRIP)
    for (int32_t c = c0; c < c1; c += EN_Q8_BLOCK) {
      p.rows = EN_MIN(EN_STRIP, a->rows - r);
      open_strip(&p, a, r, c, k);
      for (int32_t t = 0; t < a->T; t++) {
        const float *dy = a->dy + (size_t)t * a->lddy + r;
        float *dx = a->dx + (size_t)t * a->lddx + c;
        for (int32_t h = 0; h < 2; h++) add_half(dx + 16 * h, &p, dy, h);
        if (k->mins) add_min(dx, &p, dy);
      }
    }
}

#define EN_LAYOUT(name, id, spelling, ...) \
  static void mul_t_##name(const en_mm_t *a, int32_t c0, int32_t c1) { mul_t(a, c0, c1, &(const en_layout){__VA_ARGS__}); } \
  static void mul_##name(const en_mm *a, int32_t r0, int32_t r1) { \
    static const en_layout k = {__VA_ARGS__}; \
    mul(a, r0, r1, &k); \
  }
#include "../layouts.def"
#undef EN_LAYOUT

/* Sums in single precision, one after another: of narrowed factors the fast tables' own. */
static void mul_t_f32(const en_mm_t *a, int32_t c0, int32_t c1) {
  for (int32_t t = 0; t < a->T; t++)
    for (int32_t r = 0; r < a->rows; r++) {
      const float *w = (const float *)(const void *)a->w + (size_t)(r / EN_R * EN_R) * (size_t)a->cols + r % EN_R, dy = a->dy[(size_t)t * a->lddy + (size_t)r];
      float *dx = a->dx + (size_t)t * a->lddx;
      for (int32_t c = c0; c < c1; c++) dx[c] += dy * w[(size_t)c * EN_R];
    }
}

static void outer(const en_outer *a, int32_t r0, int32_t r1) {
  for (int32_t r = r0; r < r1; r++)
    for (int32_t t = 0; t < a->T; t++) {
      const float *x = a->x + (size_t)t * a->ldx, dy = a->dy[(size_t)t * a->lddy + (size_t)r];
      float *dw = a->dw + (size_t)(r / EN_R * EN_R) * (size_t)a->cols + r % EN_R;
      for (int32_t c = 0; c < a->cols; c++) dw[(size_t)c * EN_R] += dy * x[c];
    }
}

static const en_form forms[] = {{NULL, NULL}, {act_bytes, act_fill}};
static const en_product products[] = {
#define EN_LAYOUT(name, id, spelling, ...) {id, 1, mul_##name, mul_t_##name},
#include "../layouts.def"
#undef EN_LAYOUT
  {EN_F32, 0, en_ref_mul_f32, mul_t_f32},
};

const en_kernels en_kernels_ref_int8 = {
  .name = "ref-int8",
  .products = products, .n_products = EN_COUNT(products),
  .forms = forms, .n_forms = EN_COUNT(forms),
#define EN_KERNEL(fn, ret, args) .fn = fn,
#include "../kernels.def"
#undef EN_KERNEL
};

/* strips.h - dx += dy W of the block types, in integers (../int8.h says what they mean). A strip of 256 rows by 32 columns of weights is taken apart once, to
 * pairs of rows as i16 beside one another in a word, [pair][column], and used by all tokens: those of a few are quantized, then multiplied from the nearest
 * cache. Vectors of VL rows are paired, the first with the second: the order of exact sums is free, so every width may pair its own way. */
#ifndef EN_STRIPS_H
#define EN_STRIPS_H

enum {
  EN_STRIP_PAIRS = EN_STRIP / 2,
  EN_STRIP_T = VL == 4 ? 2 : VL == 8 ? 4 : 8, /* tokens whose sums with 16 columns stay in registers */
  EN_STRIP_MAX_T = 128 /* tokens that read a strip's dy again for every 32 columns: it stays in a near cache */
};
typedef struct {
  vi w[2][EN_STRIP_PAIRS][EN_PARTS];       /* of the halves of the columns, 16 each */
  vi q[EN_STRIP_T][EN_STRIP_PAIRS / VL];
  vf scale[2][EN_STRIP / VL], min[EN_STRIP / VL];
  int32_t w_top[2][EN_LANES];              /* bits of the largest |scale| of each 16 rows */
  int32_t dy_top[EN_STRIP_MAX_T][EN_LANES]; /* bits of the largest |dy| of them */
  int32_t n;                               /* vectors of rows; an odd one's partner counts as zeros */
} en_strip;

EN_INLINE vi v_bits(vf a) { return v_and(v_as_i(a), v_set32(0x7fffffff)); }

/* Scales and minima of the 16 rows g of the strip, for group j of their block. */
EN_OUTLINE void strip_scales(en_strip *p, const uint8_t *block, int32_t g, int32_t j, const en_layout *k) {
  const int per_group = k->scales == EN_SCALES_HALVES ? 2 : 1;
  en_scales u;
  vi top[2] = {v_set32(0), v_set32(0)};
  if (k->groups > 1) scales_of(&u, block, 0, EN_PARTS, k, EN_DOT4);
  EN_ROLL for (int v = 0; v < EN_PARTS; v++) {
    const vf d = half_of(block, 0, v);
    vf m = k->mins ? half_of(block, 2, v) : v_zero();
    if (k->mins && k->groups > 1) {
      const vi pair = u.extra[j / 4 * 2 + j % 2][v];
      m = v_sub(v_zero(), v_mul(m, v_to_f(j % 4 / 2 ? v_shr32(pair, 16) : v_and(pair, v_set32(0xffff)))));
    }
    p->min[g * EN_PARTS + v] = m;
    EN_UNROLL for (int h = 0; h < 2; h++) {
      const vf s = k->groups > 1 ? v_mul(d, v_as_f(u.scale[j * per_group + h * (per_group - 1)][v])) : d;
      p->scale[h][g * EN_PARTS + v] = s;
      top[h] = v_max32(top[h], v_bits(s));
    }
  }
  for (int h = 0; h < 2; h++) p->w_top[h][g] = v_top32(top[h]);
}

/* 32 columns from column c of the p->n vectors of rows from row r. */
EN_OUTLINE void open_strip(en_strip *p, const en_mm_t *a, int32_t r, int32_t c, const en_layout *k) {
  const int32_t width = EN_Q8_BLOCK * k->groups, j = c % width / EN_Q8_BLOCK;
  const size_t rows_bytes = (size_t)(a->cols / width) * (size_t)k->bytes * EN_R;
  const uint8_t *block = a->w + (size_t)(r / EN_R) * rows_bytes + (size_t)(c / width * k->bytes) * EN_R;
  const int is_signed = k->levels || k->bits == 8;
  const vi flip = v_set32(is_signed ? (int32_t)0x80808080u : 0), offset = v_set16(is_signed ? -128 : -k->offset), byte = v_set32(255);
  int32_t columns[EN_Q8_BLOCK][VL];
  for (int32_t g = 0; g * EN_PARTS < p->n; g++) strip_scales(p, block + (size_t)g * rows_bytes, g, j, k);
  for (int32_t v = 0; v < p->n; v += 2) {
    const int32_t twin = EN_MIN(v + 1, p->n - 1);
    const uint8_t *first = group_at(block + (size_t)(v / EN_PARTS) * rows_bytes, j, k), *second = group_at(block + (size_t)(twin / EN_PARTS) * rows_bytes, j, k);
    if (twin == v) p->scale[0][v + 1] = p->scale[1][v + 1] = v_zero();
    EN_ROLL for (int g = 0; g < 8; g++) {
      const vi x = v_xor(codes_at(first, g, v % EN_PARTS, k), flip), y = v_xor(codes_at(second, g, twin % EN_PARTS, k), flip);
      EN_UNROLL for (int i = 0; i < 4; i++)
        v_store((float *)(void *)columns[4 * g + i], v_as_f(v_add16(v_or(v_and(v_shr32(x, 8 * i), byte), v_shl32(v_and(v_shr32(y, 8 * i), byte), 16)), offset)));
    }
    EN_ROLL for (int i = 0; i < EN_Q8_BLOCK; i += 4)
      EN_ROLL for (int l = 0; l < VL; l += 4)
        v_transpose4((float *)(void *)p->w[i / EN_LANES][v / 2 * VL + l] + i % EN_LANES, EN_LANES, (const float *)(const void *)columns[i] + l, VL);
  }
}

EN_INLINE vf strip_dy(const float *dy, int32_t v, int32_t n) { return EN_PARTS > 1 || v < n ? v_load(dy + v * VL) : v_zero(); }

/* dy of token i, whose top is at dy_top, times the scales of half h, in 16 bits; what stands for their 1. */
EN_OUTLINE float strip_quantize(en_strip *p, int i, const float *dy, const int32_t *dy_top, int h) {
  vi top = v_set32(0);
  EN_ROLL for (int v = 0; v < EN_PARTS; v++) top = v_max32(top, v_bits(v_mul(v_as_f(v_ld(dy_top + v * VL)), v_as_f(v_ld(p->w_top[h] + v * VL)))));
  const en_strip_scale scale = en_strip_scale_of(v_top32(top));
  const vf inverse = v_set(scale.inverse), magic = v_set(0x1.8p23f); /* nearest even integers in the lower halves of the words */
  EN_ROLL for (int32_t v = 0; v < p->n; v += 2) {
    const vi x = v_as_i(v_add(v_mul(v_mul(strip_dy(dy, v, p->n), p->scale[h][v]), inverse), magic));
    const vi y = v_as_i(v_add(v_mul(v_mul(strip_dy(dy, v + 1, p->n), p->scale[h][v + 1]), inverse), magic));
    p->q[i][v / 2] = v_or(v_and(x, v_set32(0xffff)), v_shl32(y, 16));
  }
  return scale.s;
}

/* The sum of dy times the minima. */
EN_OUTLINE float strip_min(const en_strip *p, const float *dy) {
  vf s[EN_PARTS];
  EN_UNROLL for (int v = 0; v < EN_PARTS; v++) s[v] = v_zero();
  EN_ROLL for (int32_t v = 0; v < p->n; v += EN_PARTS)
    EN_UNROLL for (int i = 0; i < EN_PARTS; i++) s[i] = v_mac(v_load(dy + (v + i) * VL), p->min[v + i], s[i]);
  return v_fold(s);
}

/* Half h of the columns with EN_STRIP_T tokens; n of them, scaled by s, go to dx. */
EN_OUTLINE void strip_multiply(const en_strip *p, int h, float *dx, size_t lddx, const float *s, int32_t n) {
  const vi(*w)[EN_PARTS] = p->w[h];
  const int32_t *q = (const int32_t *)(const void *)p->q, n_pairs = (p->n + 1) / 2 * VL;
  vi sums[EN_STRIP_T][EN_PARTS];
  EN_UNROLL for (int t = 0; t < EN_STRIP_T; t++)
    EN_UNROLL for (int v = 0; v < EN_PARTS; v++) sums[t][v] = v_set32(0);
  EN_ROLL for (int32_t i = 0; i < n_pairs; i++, w++, q++)
    EN_UNROLL for (int t = 0; t < EN_STRIP_T; t++) {
      const vi pair = v_splat32(q + t * EN_STRIP_PAIRS);
      EN_UNROLL for (int v = 0; v < EN_PARTS; v++) sums[t][v] = v_dot2(sums[t][v], w[0][v], pair);
    }
  EN_UNROLL for (int t = 0; t < EN_STRIP_T; t++)
    EN_UNROLL for (int v = 0; v < EN_PARTS && t < n; v++) {
      float *to = dx + (size_t)t * lddx + v * VL;
      v_store(to, v_mac(v_set(s[t]), v_to_f(sums[t][v]), v_load(to)));
    }
}

/* Tokens [t, t + n), n <= EN_STRIP_T, whose tops are known from token t0 on. */
static void strip_tokens(en_strip *p, const en_mm_t *a, int32_t r, int32_t c, int32_t t0, int32_t t, int32_t n, const en_layout *k) {
  const float *dy = a->dy + (size_t)t * a->lddy + r;
  float *dx = a->dx + (size_t)t * a->lddx + c, s[EN_STRIP_T];
  for (int h = 0; h < 2; h++) {
    for (int32_t i = 0; i < n && (h == 0 || k->scales == EN_SCALES_HALVES); i++) s[i] = strip_quantize(p, i, dy + (size_t)i * a->lddy, p->dy_top[t - t0 + i], h);
    strip_multiply(p, h, dx + h * EN_LANES, a->lddx, s, n);
  }
  for (int32_t i = 0; i < n && k->mins; i++) {
    const vf m = v_set(strip_min(p, dy + (size_t)i * a->lddy));
    EN_ROLL for (int32_t v = 0; v < EN_Q8_BLOCK; v += VL) v_store(dx + (size_t)i * a->lddx + v, v_add(v_load(dx + (size_t)i * a->lddx + v), m));
  }
}

static void strip_tops(en_strip *p, const en_mm_t *a, int32_t r, int32_t t0, int32_t n) {
  for (int32_t t = 0; t < n; t++) {
    const float *dy = a->dy + (size_t)(t0 + t) * a->lddy + r;
    EN_ROLL for (int32_t v = 0; v < p->n; v += EN_PARTS) {
      vi top = v_set32(0);
      EN_UNROLL for (int i = 0; i < EN_PARTS; i++) top = v_max32(top, v_bits(v_load(dy + (v + i) * VL)));
      p->dy_top[t][v / EN_PARTS] = v_top32(top);
    }
  }
}

EN_OUTLINE void mul_t_strips(const en_mm_t *a, int32_t c0, int32_t c1, const en_layout *k) {
  en_strip p;
  memset(&p, 0, sizeof p); /* rows and tokens that are not there */
  for (int32_t t0 = 0; t0 < a->T; t0 += EN_STRIP_MAX_T)
    for (int32_t r = 0; r < a->rows; r += EN_STRIP) {
      const int32_t t1 = EN_MIN(a->T, t0 + EN_STRIP_MAX_T);
      p.n = EN_MIN(EN_STRIP, a->rows - r) / VL;
      strip_tops(&p, a, r, t0, t1 - t0);
      if (p.n < EN_STRIP / VL) memset(p.w_top, 0, sizeof p.w_top);
      for (int32_t c = c0; c < c1; c += EN_Q8_BLOCK) {
        open_strip(&p, a, r, c, k);
        for (int32_t t = t0; t < t1; t += EN_STRIP_T) strip_tokens(&p, a, r, c, t0, t, EN_MIN(EN_STRIP_T, t1 - t), k);
      }
    }
}
#endif

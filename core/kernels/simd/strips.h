/* strips.h - dx += dy W of the block types, in integers (../int8.h says what they mean). A strip of 256 rows by 32 columns of weights is taken apart once, to
 * pairs of rows as i16 beside one another in a word, [pair][column], and used by all tokens: those of a few are quantized, then multiplied from the nearest
 * cache. Vectors of VL rows are paired, the first with the second: the order of exact sums is free, so every width may pair its own way. */
#ifndef EN_STRIPS_H
#define EN_STRIPS_H

enum {
  EN_STRIP_PAIRS = EN_STRIP / 2,
  EN_STRIP_T = VL == 4 ? 2 : VL == 8 ? 4 : 8, /* tokens whose sums with 16 columns stay in registers */
  EN_STRIP_MAX_T = 128 /* tokens that share a strip: their dy stays in a near cache */
};
typedef struct {
  vi w[2][EN_STRIP_PAIRS][EN_PARTS];          /* of the halves of the columns, 16 each */
  vi dy[EN_STRIP_MAX_T][EN_STRIP_PAIRS / VL]; /* gradients (e of int8.h), */
  vi s[2][EN_STRIP_PAIRS / VL];               /* the rows' scales (f), of both halves or, EN_SCALES_HALVES, each, */
  vi q[EN_STRIP_T][EN_STRIP_PAIRS / VL];      /* and their products: pairs of 16 bits, as the rows of w */
  vf scale[2][EN_STRIP / VL], min[EN_STRIP / VL];
  float dy_unit[EN_STRIP_MAX_T], s_unit[2];   /* what stands for 1 in them; of dy EN_STRIP_UNIT times that */
  int32_t n;                                  /* vectors of rows; an odd one's partner counts as zeros */
} en_strip;

EN_INLINE vi v_bits(vf a) { return v_and(v_as_i(a), v_set32(0x7fffffff)); }

/* n vectors as pairs of 16 bits. Returns what stands for 1. */
EN_OUTLINE float strip_round(vi *to, const float *x, int32_t n) {
  vi top = v_set32(0);
  EN_ROLL for (int32_t v = 0; v < n; v++) top = v_max32(top, v_bits(v_load(x + v * VL)));
  const en_strip_scale scale = en_strip_scale_of(v_top32(top));
  const vf inverse = v_set(scale.inverse), magic = v_set(0x1.8p23f); /* nearest even integers in the lower halves of the words */
  EN_ROLL for (int32_t v = 0; v < n; v += 2, x += 2 * VL) {
    const vi a = v_as_i(v_add(v_mul(v_load(x), inverse), magic));
    const vi b = EN_PARTS > 1 || v + 1 < n ? v_as_i(v_add(v_mul(v_load(x + VL), inverse), magic)) : v_set32(0);
    to[v / 2] = v_or(v_and(a, v_set32(0xffff)), v_shl32(b, 16));
  }
  return scale.s;
}

/* Scales and minima of the 16 rows g of the strip, for group j of their block. */
EN_OUTLINE void strip_scales(en_strip *p, const uint8_t *block, int32_t g, int32_t j, const en_layout *k) {
  const int per_group = k->scales == EN_SCALES_HALVES ? 2 : 1;
  en_scales u;
  if (k->groups > 1) scales_of(&u, block, 0, EN_PARTS, k, EN_DOT4);
  EN_ROLL for (int v = 0; v < EN_PARTS; v++) {
    const vf d = half_of(block, 0, v);
    vf m = k->mins ? half_of(block, 2, v) : v_zero();
    if (k->mins && k->groups > 1) {
      const vi pair = u.extra[j / 4 * 2 + j % 2][v];
      m = v_sub(v_zero(), v_mul(m, v_to_f(j % 4 / 2 ? v_shr32(pair, 16) : v_and(pair, v_set32(0xffff)))));
    }
    p->min[g * EN_PARTS + v] = m;
    EN_UNROLL for (int h = 0; h < 2; h++)
      p->scale[h][g * EN_PARTS + v] = k->groups > 1 ? v_mul(d, v_as_f(u.scale[j * per_group + h * (per_group - 1)][v])) : d;
  }
}

/* 32 columns from column c of the p->n vectors of rows from row r. */
EN_OUTLINE void open_strip(en_strip *p, const en_mm_t *a, int32_t r, int32_t c, const en_layout *k) {
  const int32_t width = EN_Q8_BLOCK * k->groups, j = c % width / EN_Q8_BLOCK;
  const size_t rows_bytes = (size_t)(a->cols / width) * (size_t)k->bytes * EN_R;
  const uint8_t *block = a->w + (size_t)(r / EN_R) * rows_bytes + (size_t)(c / width * k->bytes) * EN_R;
  const int offset = k->levels || k->bits == 8 ? 0 : k->offset;
  for (int32_t g = 0; g * EN_PARTS < p->n; g++) strip_scales(p, block + (size_t)g * rows_bytes, g, j, k);
  for (int h = 0; h < 1 + (k->scales == EN_SCALES_HALVES); h++) p->s_unit[h] = strip_round(p->s[h], (const float *)(const void *)p->scale[h], p->n);
  for (int32_t v = 0; v < p->n; v += 2) {
    const int32_t twin = EN_MIN(v + 1, p->n - 1);
    const uint8_t *first = group_at(block + (size_t)(v / EN_PARTS) * rows_bytes, j, k), *second = group_at(block + (size_t)(twin / EN_PARTS) * rows_bytes, j, k);
    EN_ROLL for (int g = 0; g < 8; g++)
      v_put_pairs((int32_t *)(void *)p->w[g / 4][v / 2 * VL] + g % 4 * 4, EN_LANES, codes_at(first, g, v % EN_PARTS, k), codes_at(second, g, twin % EN_PARTS, k), offset);
  }
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

/* Tokens [t0 + t, t0 + t + n), n <= EN_STRIP_T; the strip has those from t0 on. */
static void strip_tokens(en_strip *p, const en_mm_t *a, int32_t r, int32_t c, int32_t t0, int32_t t, int32_t n, const en_layout *k) {
  float *dx = a->dx + (size_t)(t0 + t) * a->lddx + c, s[EN_STRIP_T];
  for (int h = 0; h < 2; h++) {
    for (int32_t i = 0; i < n && (h == 0 || k->scales == EN_SCALES_HALVES); i++) {
      s[i] = p->dy_unit[t + i] * p->s_unit[h];
      EN_ROLL for (int32_t v = 0; v < (p->n + 1) / 2; v++) p->q[i][v] = v_scale16(p->dy[t + i][v], p->s[h][v]);
    }
    strip_multiply(p, h, dx + h * EN_LANES, a->lddx, s, n);
  }
  for (int32_t i = 0; i < n && k->mins; i++) {
    const vf m = v_set(strip_min(p, a->dy + (size_t)(t0 + t + i) * a->lddy + r));
    EN_ROLL for (int32_t v = 0; v < EN_Q8_BLOCK; v += VL) v_store(dx + (size_t)i * a->lddx + v, v_add(v_load(dx + (size_t)i * a->lddx + v), m));
  }
}

EN_OUTLINE void mul_t_strips(const en_mm_t *a, int32_t c0, int32_t c1, const en_layout *k) {
  en_strip p;
  memset(p.q, 0, sizeof p.q); /* tokens that are not there */
  for (int32_t t0 = 0; t0 < a->T; t0 += EN_STRIP_MAX_T)
    for (int32_t r = 0; r < a->rows; r += EN_STRIP) {
      const int32_t n = EN_MIN(a->T - t0, EN_STRIP_MAX_T);
      p.n = EN_MIN(EN_STRIP, a->rows - r) / VL;
      for (int32_t t = 0; t < n; t++) p.dy_unit[t] = strip_round(p.dy[t], a->dy + (size_t)(t0 + t) * a->lddy + r, p.n) * EN_STRIP_UNIT;
      for (int32_t c = c0; c < c1; c += EN_Q8_BLOCK) {
        open_strip(&p, a, r, c, k);
        for (int32_t t = 0; t < n; t += EN_STRIP_T) strip_tokens(&p, a, r, c, t0, t, EN_MIN(EN_STRIP_T, n - t), k);
      }
    }
}
#endif

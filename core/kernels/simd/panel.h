/* panel.h - products of the block types with prompts, where vectors are short (WebAssembly). 16 rows by 512 columns of weights are taken apart once,
 * to words that meet the words of the activations one by one, and used by up to 64 tokens: two tokens at a time against all 16 rows, so that a broadcast
 * word of activations, for which V8 needs two instructions, serves four products. Sums wait in the panel for the next columns: their order is that of blocks.h. */
#ifndef EN_PANEL_H
#define EN_PANEL_H

enum {
  EN_PANEL_B = 16, /* blocks */
  EN_PANEL_T = 64, /* tokens; even */
  EN_PANEL_BYTES = 1 << 17 /* weights that all tokens use before the next are read: they stay in a near cache */
};
typedef struct {
  vf acc[EN_PANEL_T][EN_PARTS], d[EN_PANEL_B][EN_PARTS], m[EN_PANEL_B][EN_PARTS];
  vi w[EN_PANEL_B * 16][EN_PARTS]; /* a block after another: 16 words of i16 pairs (s16), or 8 of bytes */
} en_panel;
/* Two tokens: theirs of block b at x[0] + b * stride and x[1] + b * stride. */
typedef struct { const uint8_t *x[2]; size_t stride; int32_t n_blocks; } en_pair;

typedef void (*en_open_fn)(vi (*to)[EN_PARTS], const uint8_t *codes);
typedef void (*en_pair_fn)(en_panel *p, int32_t t, const en_pair *x, const en_layout *k);

/* The words of one group of 32. s16: centred, so that their sums need no offset. */
EN_INLINE void open_group(vi (*to)[EN_PARTS], const uint8_t *w, const en_layout *k, int how) {
  EN_ROLL for (int v = 0; v < EN_PARTS; v++)
    EN_UNROLL for (int g = 0; g < 8; g++) {
#ifdef EN_HAS_S16_NIBBLES
      if (how == EN_S16 && k->bits == 4 && !k->levels) {
        if (g >= 4) continue;
        const vi q = v_ld(w + (g * EN_R + v * VL) * 4);
        to[4 * g][v] = v_add16(v_and(q, v_set16(0x000f)), v_set16(-k->offset));
        to[4 * g + 1][v] = v_add16(v_and(q, v_set16(0x00f0)), v_set16(-16 * k->offset));
        to[4 * g + 2][v] = v_add16(v_and(q, v_set16(0x0f00)), v_set16(-256 * k->offset));
        to[4 * g + 3][v] = v_add16(v_shr16(q, 12), v_set16(-k->offset));
        continue;
      }
#endif
      const vi c = codes_at(w, g, v, k);
      if (how == EN_S16) {
        to[2 * g][v] = v_add16(v_shl16(c, 8), v_set16(-256 * k->offset));
        to[2 * g + 1][v] = v_add16(v_and(c, v_set16(-256)), v_set16(-256 * k->offset));
      } else to[g][v] = c;
    }
}

/* The loops over blocks: ../simd128/tiles.S. `factor` times m8 is what the codes' offset adds to a sum. */
#define EN_PAIR(name) \
  void en_pair_##name(vf (*acc)[EN_PARTS], const vi (*w)[EN_PARTS], const vf (*d)[EN_PARTS], const vf (*m)[EN_PARTS], const uint8_t *x0, const uint8_t *x1, size_t stride, int32_t n_blocks, int32_t factor); \
  static void pair_##name(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { \
    en_pair_##name(p->acc + t, p->w, p->d, k->mins ? p->m : NULL, x->x[0], x->x[1], x->stride, x->n_blocks, k->offset / 8); \
  }
EN_PAIR(s16)
#ifdef EN_HAS_MADDUBS
EN_PAIR(nibbles)
EN_PAIR(planes)
#endif
#ifdef EN_HAS_DOT4
EN_PAIR(dot4)
#endif

/* Blocks [b0, b0 + n) of 16 rows. */
static void open_panel(en_panel *p, const uint8_t *block, int32_t n, const en_layout *k, en_open_fn open, int words) {
  for (int32_t b = 0; b < n; b++, block += EN_R * k->bytes) {
    open(p->w + b * words, group_at(block, 0, k));
    EN_ROLL for (int v = 0; v < EN_PARTS; v++) {
      p->d[b][v] = half_of(block, 0, v);
      if (k->mins) p->m[b][v] = half_of(block, 2, v);
    }
  }
}

/* n <= EN_PANEL_T tokens from token t of 16 rows from row r. */
EN_OUTLINE void mul_panel(en_panel *p, const en_mm *a, int32_t r, int32_t t, int32_t n, const en_layout *k, en_open_fn open, en_pair_fn pair, size_t act_bytes) {
  const int32_t n_blocks = a->cols / EN_Q8_BLOCK, words = act_bytes == act_size(EN_S16) ? 16 : 8;
  const uint8_t *block = a->w + (size_t)r * (size_t)n_blocks * (size_t)k->bytes;
  memset(p->acc, 0, sizeof p->acc);
  for (int32_t b = 0; b < n_blocks; b += EN_PANEL_B) {
    en_pair x = {.n_blocks = EN_MIN(EN_PANEL_B, n_blocks - b)};
    open_panel(p, block + (size_t)b * EN_R * (size_t)k->bytes, x.n_blocks, k, open, words);
    for (int32_t i = 0; i < n; i += 2) {
      x.x[0] = (const uint8_t *)a->x + en_act_at(n_blocks, a->T, b, t + i) * act_bytes;
      x.x[1] = x.x[0] + (i + 1 < n ? act_bytes : 0); /* a single last token: twice, and its twin is not put */
      x.stride = (size_t)EN_MIN(EN_T_TILE, a->T - (t + i) / EN_T_TILE * EN_T_TILE) * act_bytes;
      pair(p, i, &x, k);
    }
  }
  for (int32_t i = 0; i < n; i++) put_tile(a, p->acc[i], EN_PARTS, 1, r, t + i);
}

static void mul_panels(const en_mm *a, int32_t r0, int32_t r1, const en_layout *k, en_open_fn open, en_pair_fn pair, size_t act_bytes) {
  en_panel p;
  const int32_t rows = EN_MAX(1, EN_PANEL_BYTES / EN_MAX(1, a->cols / EN_Q8_BLOCK * k->bytes * EN_R)) * EN_R;
  for (int32_t at = r0; at < r1; at += rows)
    for (int32_t t = 0; t < a->T; t += EN_PANEL_T)
      for (int32_t r = at; r < EN_MIN(r1, at + rows); r += EN_R) mul_panel(&p, a, r, t, EN_MIN(EN_PANEL_T, a->T - t), k, open, pair, act_bytes);
}

EN_INLINE en_pair_fn pair_of(int how, const en_layout *k) {
#ifdef EN_HAS_MADDUBS
  if (how == EN_U16) return k->bits == 4 ? pair_nibbles : pair_planes;
#endif
#ifdef EN_HAS_DOT4
  if (how == EN_DOT4) return pair_dot4;
#endif
  (void)how, (void)k;
  return pair_s16;
}

#define EN_OPEN_GROUP(name, how, ...) \
  static void open_##name(vi (*to)[EN_PARTS], const uint8_t *codes) { open_group(to, codes, &(const en_layout){__VA_ARGS__}, how); }
#define EN_MUL_PANELS(name, how, ...) mul_panels(a, r0, r1, &(const en_layout){__VA_ARGS__}, open_##name, pair_of(how, &(const en_layout){__VA_ARGS__}), act_size(how))
#endif

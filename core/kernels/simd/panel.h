/* panel.h - products of the block types with prompts, where vectors are short (WebAssembly). 16 rows by 512 columns of weights are taken apart once,
 * to words that meet the words of the activations one by one, and used by up to 64 tokens: two tokens at a time against all 16 rows, so that a broadcast
 * word of activations, for which V8 needs two instructions, serves four products. The inner loop is left to V8 to unroll: clang, when it does, orders the
 * products by their sums, keeps all words alive at once and spills them. Sums wait in the panel for the next columns: their order is that of blocks.h. */
#ifndef EN_PANEL_H
#define EN_PANEL_H

enum {
  EN_PANEL_B = 16, /* blocks */
  EN_PANEL_T = 64, /* tokens; even */
  EN_PANEL_BYTES = 1 << 17 /* weights that all tokens use before the next are read: they stay in a near cache */
};
typedef struct {
  vf acc[EN_PANEL_T][EN_PARTS], d[EN_PANEL_B][EN_PARTS], m[EN_PANEL_B][EN_PARTS];
  vi with_offset; /* u16, dot4: all bits where codes have an offset; in s16 it is taken from the words */
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

/* s += `n` words from w and x: i16 sums in u16, i32 sums else. */
EN_INLINE void pair_words(vi (*s)[EN_PARTS], const vi (*w)[EN_PARTS], const uint8_t *x0, const uint8_t *x1, int n, int how) {
  EN_ROLL for (int i = 0; i < n; i++, w++, x0 += 4, x1 += 4) {
    const vi a = v_splat32(x0), b = v_splat32(x1);
    EN_UNROLL for (int v = 0; v < EN_PARTS; v++) {
#ifdef EN_HAS_MADDUBS
      if (how == EN_U16) s[0][v] = v_add16(s[0][v], v_maddubs(w[0][v], a)), s[1][v] = v_add16(s[1][v], v_maddubs(w[0][v], b));
#endif
#ifdef EN_HAS_DOT4
      if (how == EN_DOT4) s[0][v] = v_dot4(s[0][v], w[0][v], a), s[1][v] = v_dot4(s[1][v], w[0][v], b);
#endif
      if (how == EN_S16) s[0][v] = v_add32(s[0][v], v_madd16(w[0][v], a)), s[1][v] = v_add32(s[1][v], v_madd16(w[0][v], b));
    }
  }
}

EN_INLINE void pair_block(vf (*acc)[EN_PARTS], const en_panel *p, int32_t b, const uint8_t *x0, const uint8_t *x1, const en_layout *k, int how) {
  enum { Q = sizeof(en_act_head) };
  const vi(*w)[EN_PARTS] = p->w + b * (how == EN_S16 ? 16 : 8);
  const uint8_t *const x[2] = {x0, x1};
  vi s[2][EN_PARTS];
  EN_UNROLL for (int t = 0; t < 2; t++) {
    const vi offset = how == EN_S16 ? v_set32(0) : v_and(v_shl32(v_splat32(&act_head(x[t], 0, how)->m8), k->offset == 16), p->with_offset);
    EN_UNROLL for (int v = 0; v < EN_PARTS; v++) s[t][v] = offset;
  }
#ifdef EN_HAS_MADDUBS
  if (how == EN_U16) {
    const int chunk = k->bits == 4 ? 8 : 4; /* words whose sums stay in i16 */
    EN_ROLL for (int i = 0; i < 8; i += chunk) {
      vi half[2][EN_PARTS];
      EN_UNROLL for (int j = 0; j < 2 * EN_PARTS; j++) half[j / EN_PARTS][j % EN_PARTS] = v_set32(0);
      pair_words(half, w + i, x0 + Q + 4 * i, x1 + Q + 4 * i, chunk, how);
      EN_UNROLL for (int t = 0; t < 2; t++)
        EN_UNROLL for (int v = 0; v < EN_PARTS; v++) s[t][v] = v_add32(s[t][v], v_madd16(half[t][v], v_set16(1)));
    }
  } else
#endif
    pair_words(s, w, x0 + Q, x1 + Q, how == EN_S16 ? 16 : 8, how);
  EN_UNROLL for (int t = 0; t < 2; t++)
    EN_UNROLL for (int v = 0; v < EN_PARTS; v++) acc[t][v] = v_mac(v_to_f(s[t][v]), v_mul(p->d[b][v], act_d(x[t], 0, how)), acc[t][v]);
  if (!k->mins) return;
  EN_UNROLL for (int t = 0; t < 2; t++)
    EN_UNROLL for (int v = 0; v < EN_PARTS; v++) acc[t][v] = v_mac(p->m[b][v], v_splat(&act_head(x[t], 0, how)->ds), acc[t][v]);
}

/* Tokens t and t + 1 of the panel. */
EN_INLINE void pair_panel(en_panel *p, int32_t t, const en_pair *x, const en_layout *k, int how) {
  const uint8_t *x0 = x->x[0], *x1 = x->x[1];
  vf acc[2][EN_PARTS];
  EN_UNROLL for (int i = 0; i < 2 * EN_PARTS; i++) acc[i / EN_PARTS][i % EN_PARTS] = p->acc[t + i / EN_PARTS][i % EN_PARTS];
  for (int32_t b = 0; b < x->n_blocks; b++, x0 += x->stride, x1 += x->stride) pair_block(acc, p, b, x0, x1, k, how);
  EN_UNROLL for (int i = 0; i < 2 * EN_PARTS; i++) p->acc[t + i / EN_PARTS][i % EN_PARTS] = acc[i / EN_PARTS][i % EN_PARTS];
}
#ifdef EN_HAS_MADDUBS
EN_OUTLINE void pair_u16(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { pair_panel(p, t, x, k, EN_U16); }
#endif
#ifdef EN_HAS_DOT4
EN_OUTLINE void pair_dot4(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { pair_panel(p, t, x, k, EN_DOT4); }
#endif
EN_OUTLINE void pair_s16(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { pair_panel(p, t, x, k, EN_S16); }

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
  p->with_offset = v_set32(k->offset ? -1 : 0);
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

EN_INLINE en_pair_fn pair_of(int how) {
#ifdef EN_HAS_MADDUBS
  if (how == EN_U16) return pair_u16;
#endif
#ifdef EN_HAS_DOT4
  if (how == EN_DOT4) return pair_dot4;
#endif
  (void)how;
  return pair_s16;
}

#define EN_OPEN_GROUP(name, how, ...) \
  static void open_##name(vi (*to)[EN_PARTS], const uint8_t *codes) { open_group(to, codes, &(const en_layout){__VA_ARGS__}, how); }
#define EN_MUL_PANELS(name, how, ...) mul_panels(a, r0, r1, &(const en_layout){__VA_ARGS__}, open_##name, pair_of(how), act_size(how))
#endif

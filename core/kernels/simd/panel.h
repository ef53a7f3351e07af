/* panel.h - products of the block types with prompts, where vectors are short (WebAssembly). 16 rows by 512 columns of weights are taken apart once,
 * to words that meet the words of the activations one by one, and used by up to 64 tokens: two tokens at a time against all 16 rows, so that a broadcast
 * word of activations, for which V8 needs two instructions, serves four products. Sums wait in the panel for the next columns: their order is that of blocks.h.
 * Types of 8 groups a block sum a block's groups in registers first, and then add the block to the sums that wait. */
#ifndef EN_PANEL_H
#define EN_PANEL_H

enum {
  EN_PANEL_B = 16, /* groups of 32 columns */
  EN_PANEL_T = 64, /* tokens; even */
  EN_PANEL_BYTES = 1 << 17 /* weights that all tokens use before the next are read: they stay in a near cache */
};
typedef struct {
  vf acc[EN_PANEL_T][EN_PARTS], d[EN_PANEL_B][EN_PARTS], m[EN_PANEL_B][EN_PARTS]; /* d, m: of blocks */
  vi w[EN_PANEL_B * 16][EN_PARTS]; /* a group after another: 16 words of i16 pairs (s16), or 8 of bytes */
  en_scales u[EN_PANEL_B / 8]; /* of blocks of 8 groups */
} en_panel;
/* Two tokens: theirs of group b at x[0] + b * stride and x[1] + b * stride; of block b of 8 groups the sums at sums[0] + b * tile and sums[1] + b * tile. */
typedef struct { const uint8_t *x[2]; const en_act_sums *sums[2]; size_t stride; int32_t tile, n_groups; } en_pair;

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

/* The loops over blocks of one group: ../simd128/tiles.S. `factor` times m8 is what the codes' offset adds to a sum. */
#define EN_PAIR(name) \
  void en_pair_##name(vf (*acc)[EN_PARTS], const vi (*w)[EN_PARTS], const vf (*d)[EN_PARTS], const vf (*m)[EN_PARTS], const uint8_t *x0, const uint8_t *x1, size_t stride, int32_t n_blocks, int32_t factor); \
  static void pair_##name(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { \
    en_pair_##name(p->acc + t, p->w, p->d, k->mins ? p->m : NULL, x->x[0], x->x[1], x->stride, x->n_groups, k->offset / 8); \
  }
EN_PAIR(s16)
#ifdef EN_HAS_MADDUBS
EN_PAIR(nibbles)
EN_PAIR(planes)
#endif
#ifdef EN_HAS_DOT4
EN_PAIR(dot4)
#endif

/* ---- blocks of 8 groups. The inner loop is left to the engine to unroll: clang, when it does, gathers the products by their sums ---- */
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

EN_INLINE void no_sums(vi (*s)[EN_PARTS]) {
  EN_UNROLL for (int i = 0; i < 2 * EN_PARTS; i++) s[i / EN_PARTS][i % EN_PARTS] = v_set32(0);
}

#ifdef EN_HAS_MADDUBS
/* float(s I): i16 sums as long as they hold them; the scale comes in when they are widened. */
EN_INLINE void group_u16(vf (*f)[EN_PARTS], const vi (*w)[EN_PARTS], const uint8_t *const x[2], const en_scales *u, int j, const en_layout *k) {
  enum { Q = sizeof(en_act_head) };
  const int chunk = k->bits == 4 ? 8 : k->bits == 5 ? 4 : 2, halves = k->scales == EN_SCALES_HALVES; /* words */
  vi s[2][EN_PARTS];
  no_sums(s);
  EN_ROLL for (int i = 0; i < 8; i += chunk) {
    const vi *scale = u->scale[halves ? 2 * j + i / 4 : j];
    vi part[2][EN_PARTS];
    no_sums(part);
    pair_words(part, w + i, x[0] + Q + 4 * i, x[1] + Q + 4 * i, chunk, EN_U16);
    EN_UNROLL for (int t = 0; t < 2; t++)
      EN_UNROLL for (int v = 0; v < EN_PARTS; v++) s[t][v] = v_add32(s[t][v], v_madd16(part[t][v], scale[v]));
  }
  EN_UNROLL for (int t = 0; t < 2; t++)
    EN_UNROLL for (int v = 0; v < EN_PARTS; v++) {
      const vi offset = halves ? v_madd16(u->extra[j][v], v_splat32(act_head(x[t], 0, EN_U16)->m16)) : v_set32(0);
      f[t][v] = v_to_f(v_add32(s[t][v], offset));
    }
}
#endif

/* The same from i32 sums, which s16 centred: float(s) float(I) is exact. */
EN_INLINE void group_i32(vf (*f)[EN_PARTS], const vi (*w)[EN_PARTS], const uint8_t *const x[2], const en_scales *u, int j, const en_layout *k, int how) {
  enum { Q = sizeof(en_act_head) };
  const int parts = k->scales == EN_SCALES_HALVES ? 2 : 1, words = (how == EN_S16 ? 16 : 8) / parts;
  EN_UNROLL for (int i = 0; i < 2 * EN_PARTS; i++) f[i / EN_PARTS][i % EN_PARTS] = v_zero();
  EN_ROLL for (int h = 0; h < parts; h++) {
    const vi *scale = u->scale[parts * j + h];
    vi s[2][EN_PARTS];
    no_sums(s);
    pair_words(s, w + h * words, x[0] + Q + 4 * h * words, x[1] + Q + 4 * h * words, words, how);
    EN_UNROLL for (int t = 0; t < 2; t++)
      EN_UNROLL for (int v = 0; v < EN_PARTS; v++) f[t][v] = v_mac(v_to_f(s[t][v]), v_as_f(scale[v]), f[t][v]);
  }
}

/* Block b, whose sums are in acc, to those that wait. */
EN_OUTLINE void put_block(en_panel *p, int32_t t, const vf (*acc)[EN_PARTS], int32_t b, const en_pair *x, const en_layout *k) {
  EN_ROLL for (int i = 0; i < 2; i++)
    EN_ROLL for (int v = 0; v < EN_PARTS; v++) {
      vf *to = &p->acc[t + i][v];
      *to = v_mac(p->d[b][v], acc[i][v], *to);
      if (k->mins) *to = v_sub(*to, v_mul(p->m[b][v], sum_of_mins(x->sums[i] + b * x->tile, &p->u[b], v)));
    }
}

EN_INLINE void pair_blocks(en_panel *p, int32_t t, const en_pair *pair, const en_layout *k, int how) {
  const uint8_t *x[2] = {pair->x[0], pair->x[1]};
  const vi(*w)[EN_PARTS] = p->w;
  for (int32_t b = 0; b < pair->n_groups / 8; b++) {
    vf acc[2][EN_PARTS], f[2][EN_PARTS];
    EN_UNROLL for (int i = 0; i < 2 * EN_PARTS; i++) acc[i / EN_PARTS][i % EN_PARTS] = v_zero();
    EN_ROLL for (int j = 0; j < 8; j++, w += how == EN_S16 ? 16 : 8, x[0] += pair->stride, x[1] += pair->stride) {
#ifdef EN_HAS_MADDUBS
      if (how == EN_U16) group_u16(f, w, x, &p->u[b], j, k);
      else
#endif
        group_i32(f, w, x, &p->u[b], j, k, how);
      EN_UNROLL for (int i = 0; i < 2 * EN_PARTS; i++) acc[i / EN_PARTS][i % EN_PARTS] = v_mac(f[i / EN_PARTS][i % EN_PARTS], act_d(x[i / EN_PARTS], 0, how), acc[i / EN_PARTS][i % EN_PARTS]);
    }
    put_block(p, t, (const vf(*)[EN_PARTS])acc, b, pair, k);
  }
}
#ifdef EN_HAS_MADDUBS
EN_OUTLINE void blocks_u16(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { pair_blocks(p, t, x, k, EN_U16); }
#endif
#ifdef EN_HAS_DOT4
EN_OUTLINE void blocks_dot4(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { pair_blocks(p, t, x, k, EN_DOT4); }
#endif
EN_OUTLINE void blocks_s16(en_panel *p, int32_t t, const en_pair *x, const en_layout *k) { pair_blocks(p, t, x, k, EN_S16); }

/* n groups of 16 rows, from the beginning of a block on. */
static void open_panel(en_panel *p, const uint8_t *block, int32_t n, const en_layout *k, en_open_fn open, int how) {
  const int words = how == EN_S16 ? 16 : 8;
  for (int32_t b = 0, i = 0; b < n; i++, block += EN_R * k->bytes) {
    for (int j = 0; j < k->groups; j++, b++) open(p->w + b * words, group_at(block, j, k));
    if (k->groups > 1) scales_of(&p->u[i], block, 0, EN_PARTS, k, how);
    EN_ROLL for (int v = 0; v < EN_PARTS; v++) {
      p->d[i][v] = half_of(block, 0, v);
      if (k->mins) p->m[i][v] = half_of(block, 2, v);
    }
  }
}

/* n <= EN_PANEL_T tokens from token t of 16 rows from row r. */
EN_OUTLINE void mul_panel(en_panel *p, const en_mm *a, int32_t r, int32_t t, int32_t n, const en_layout *k, en_open_fn open, en_pair_fn pair, int how) {
  const int32_t n_groups = a->cols / EN_Q8_BLOCK;
  const size_t size = act_size(how);
  const en_act_sums *sums = en_act_sums_of(a->x, a->cols, a->T, size);
  const uint8_t *block = a->w + (size_t)r * (size_t)(n_groups / k->groups) * (size_t)k->bytes;
  memset(p->acc, 0, sizeof p->acc);
  for (int32_t b = 0; b < n_groups; b += EN_PANEL_B) {
    en_pair x = {.n_groups = EN_MIN(EN_PANEL_B, n_groups - b)};
    open_panel(p, block + (size_t)(b / k->groups) * EN_R * (size_t)k->bytes, x.n_groups, k, open, how);
    for (int32_t i = 0; i < n; i += 2) {
      const int twin = i + 1 < n; /* a single last token: twice, and its twin is not put */
      x.x[0] = (const uint8_t *)a->x + en_act_at(n_groups, a->T, b, t + i) * size;
      x.x[1] = x.x[0] + (twin ? size : 0);
      x.sums[0] = sums + en_act_at(n_groups / EN_SUMS, a->T, b / EN_SUMS, t + i);
      x.sums[1] = x.sums[0] + twin;
      x.tile = EN_MIN(EN_T_TILE, a->T - (t + i) / EN_T_TILE * EN_T_TILE);
      x.stride = (size_t)x.tile * size;
      pair(p, i, &x, k);
    }
  }
  for (int32_t i = 0; i < n; i++) put_tile(a, p->acc[i], EN_PARTS, 1, r, t + i);
}

static void mul_panels(const en_mm *a, int32_t r0, int32_t r1, const en_layout *k, en_open_fn open, en_pair_fn pair, int how) {
  en_panel p;
  const int32_t rows = EN_MAX(1, EN_PANEL_BYTES / EN_MAX(1, a->cols / (EN_Q8_BLOCK * k->groups) * k->bytes * EN_R)) * EN_R;
  for (int32_t at = r0; at < r1; at += rows)
    for (int32_t t = 0; t < a->T; t += EN_PANEL_T)
      for (int32_t r = at; r < EN_MIN(r1, at + rows); r += EN_R) mul_panel(&p, a, r, t, EN_MIN(EN_PANEL_T, a->T - t), k, open, pair, how);
}

EN_INLINE en_pair_fn pair_of(int how, const en_layout *k) {
#ifdef EN_HAS_MADDUBS
  if (how == EN_U16) return k->groups > 1 ? blocks_u16 : k->bits == 4 ? pair_nibbles : pair_planes;
#endif
#ifdef EN_HAS_DOT4
  if (how == EN_DOT4) return k->groups > 1 ? blocks_dot4 : pair_dot4;
#endif
  (void)how;
  return k->groups > 1 ? blocks_s16 : pair_s16;
}

#define EN_OPEN_GROUP(name, how, ...) \
  static void open_##name(vi (*to)[EN_PARTS], const uint8_t *codes) { open_group(to, codes, &(const en_layout){__VA_ARGS__}, how); }
#define EN_MUL_PANELS(name, how, ...) mul_panels(a, r0, r1, &(const en_layout){__VA_ARGS__}, open_##name, pair_of(how, &(const en_layout){__VA_ARGS__}), how)
#endif

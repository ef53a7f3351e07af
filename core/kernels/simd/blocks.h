/* blocks.h - products of the block types with int8 activations (../int8.h says what they mean, ../layouts.def lists them). One loop over blocks
 * for all types; three ways to sum the integers of a group of 32, each exact:
 *   u16   u8 x i8 pairs into i16 (v_maddubs). 8 of them of 4-bit codes stay in i16 (16 x 15 x 127 = 30480 < 32768), 4 of 5 bits, 2 of 6 bits; then
 *         one v_madd16 widens them, and multiplies with the group's scale on the way.
 *   s16   no byte products at all: bytes as the upper halves of i16 lanes (v << 8 = 256 x values 0, 2 of a word, v & 0xff00 = 256 x 1, 3) times i16
 *         activations; the activation's scale carries 1/256. 4-bit codes stay where they are and the activations carry the other factor:
 *           v & 0x000f = value 0, 2     v & 0x00f0 = 16 x value 16, 18     v & 0x0f00 = 256 x value 1, 3     v >> 12 = value 17, 19
 *         |sum| <= 256 x 32 x 128 x 127 < 2^31, and a multiple of 256 below 2^27: exact as a float.
 *   dot4  four byte products added to i32 in one instruction (v_dot4), exact for u8 x i8 (VNNI) or i8 x i8 (SDOT).
 * Weights of -128 (never written by encoders, but a file can hold them) are exact in all three. A table's file says which way it takes for which
 * spelling: EN_NIBBLES, EN_PLANES, EN_BYTES are one of EN_U16, EN_S16, EN_DOT4, and EN_NIBBLES_FORM etc. the activations that go with it. */
#ifndef EN_BLOCKS_H
#define EN_BLOCKS_H
#include "../../quant/iq4.h"
#include "../int8.h"
#include "dense.h"

enum { EN_U16, EN_S16, EN_DOT4 };

/* ---- activations ---- */
/* en_q8_round in vectors: the same integers, the same d. */
EN_INLINE void q8_block(en_q8_act *a, const float *x) {
  enum { N = EN_Q8_BLOCK / VL };
  vi q[N], top = v_set32(0), sums[2] = {v_set32(0), v_set32(0)};
  EN_UNROLL for (int i = 0; i < N; i++) top = v_max32(top, v_and(v_as_i(v_load(x + i * VL)), v_set32(0x7fffffff)));
  const int32_t bits = v_top32(top);
  const float amax = en_rdf32(&bits);
  if (bits >= 0x7f800000 || amax < EN_Q8_TINY) {
    const float d = bits >= 0x7f800000 ? amax - amax : 0;
    *a = (en_q8_act){.head = {.d = d, .ds = d}};
    return;
  }
  const vf inverse = v_set(127 / amax);
  EN_UNROLL for (int i = 0; i < N; i++) {
    q[i] = v_to_i(v_mul(v_load(x + i * VL), inverse));
    sums[2 * i / N] = v_add32(sums[2 * i / N], q[i]);
  }
  v_store_i8x32(a->q, q);
  const int32_t s0 = v_sum32(sums[0]), s1 = v_sum32(sums[1]);
  const float d = amax / 127;
  a->head = (en_act_head){.d = d, .ds = d * (float)(s0 + s1), .m8 = -8 * (s0 + s1), .m16 = {(int16_t)(-16 * s0), (int16_t)(-16 * s1)}};
}

/* i16 activations, arranged as the head of this file says; d carries 1/256 and m8 256. */
typedef struct { en_act_head head; int16_t q[EN_Q8_BLOCK]; } en_q16_act;
EN_INLINE size_t act_size(int how) { return how == EN_S16 ? sizeof(en_q16_act) : sizeof(en_q8_act); }

EN_INLINE void act_fill(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1, int how, int nibbles) {
  const int32_t n_groups = cols / EN_Q8_BLOCK, whole = n_groups % EN_SUMS == 0;
  en_act_sums *sums = en_act_sums_of(dst, cols, T, act_size(how));
  (void)nibbles;
  for (int32_t t = t0; t < t1; t++) {
    float ds[EN_SUMS];
    for (int32_t b = 0; b < n_groups; b++) {
      const float *from = x + (size_t)t * ldx + (size_t)b * EN_Q8_BLOCK;
      en_q8_act q, *to = how == EN_S16 ? &q : (en_q8_act *)dst + en_act_at(n_groups, T, b, t);
      q8_block(to, from);
      ds[b % EN_SUMS] = to->head.ds;
      if (whole && b % EN_SUMS == EN_SUMS - 1) en_round_sums(sums + en_act_at(n_groups / EN_SUMS, T, b / EN_SUMS, t), ds);
#ifdef EN_HAS_S16
      if (how != EN_S16) continue;
      en_q16_act *a = (en_q16_act *)dst + en_act_at(n_groups, T, b, t);
      a->head = q.head;
      a->head.d *= 0x1p-8f;
      a->head.m8 *= 256;
      v_arrange16(a->q, q.q, nibbles);
#endif
    }
  }
}

#define EN_FORM(name, how, nibbles) \
  static size_t bytes_##name(int32_t cols, int32_t T) { return en_act_bytes(cols, T, act_size(how)); } \
  static void fill_##name(void *dst, const float *x, size_t ldx, int32_t cols, int32_t T, int32_t t0, int32_t t1) { act_fill(dst, x, ldx, cols, T, t0, t1, how, nibbles); }

/* What a tile of nt tokens multiplies with: token t's 32 activations at x + t * size. */
EN_INLINE const en_act_head *act_head(const uint8_t *x, int t, int how) { return (const void *)(x + (size_t)t * act_size(how)); }
EN_INLINE const uint8_t *act_q(const uint8_t *x, int t, int how) { return x + (size_t)t * act_size(how) + sizeof(en_act_head); }
EN_INLINE vf act_d(const uint8_t *x, int t, int how) { return v_splat(&act_head(x, t, how)->d); }

/* ---- codes of a group; w: its first byte for row 0 of 16 ---- */
EN_INLINE const uint8_t *group_at(const uint8_t *block, int32_t j, const en_layout *k) { return block + (k->first + 4 * k->bits * j) * EN_R; }
EN_INLINE vi v_move16(vi a, int left) { return left > 0 ? v_shl16(a, left) : left < 0 ? v_shr16(a, -left) : a; }

/* Values 4g..4g+3 of the VL rows of vector v: unsigned codes, or signed bytes. */
EN_INLINE vi codes_at(const uint8_t *w, int g, int v, const en_layout *k) {
  const vi word = v_ld(w + ((k->bits == 8 ? g : k->bits - 4 + g % 4) * EN_R + v * VL) * 4);
  if (k->bits == 8) return word;
  const vi low = v_and(g < 4 ? word : v_shr16(word, 4), v_set16(0x0f0f));
  if (k->levels) return v_lookup(en_iq4_levels, low);
  if (k->bits == 5) return v_or(low, v_and(v_move16(v_ld(w + v * VL * 4), 4 - en_plane_bit(k->groups, g)), v_set16(0x1010)));
  if (k->bits == 6) return v_or(low, v_and(v_move16(v_ld(w + (g / 4 * EN_R + v * VL) * 4), 4 - g % 4 * 2), v_set16(0x3030)));
  return low;
}

/* What the codes' offset adds to a sum: for all values of a group, or for half h of it (EN_SCALES_HALVES). In s16 256 times that. */
EN_INLINE vi offset_of(const uint8_t *x, int t, int offset, int how) {
  const vi m8 = v_splat32(&act_head(x, t, how)->m8);
  return offset == 0 ? v_set32(0) : offset == 8 ? m8 : offset == 16 ? v_shl32(m8, 1) : v_shl32(m8, 4) /* 128 */;
}
EN_INLINE vi offset_half(const uint8_t *x, int t, int h, int how) {
  const vi m = v_splat32(act_head(x, t, how)->m16), high = h ? v_and(m, v_set32((int32_t)0xffff0000u)) : v_shl32(m, 16);
  return v_sar32(high, how == EN_S16 ? 7 : 15);
}

/* ---- sums of a group: s[h][v][t], halves apart only with EN_SCALES_HALVES. scale: NULL, or the group's scales as pairs of i16 (u16 only) ---- */
#ifdef EN_HAS_MADDUBS
EN_INLINE void sums_u16(vi *s, const uint8_t *w, const uint8_t *x, const vi (*scale)[EN_PARTS], int v0, int nv, int nt, const en_layout *k) {
  const int halves = k->scales == EN_SCALES_HALVES, chunk = k->bits == 4 ? 4 : 2; /* words whose sums stay in i16 */
  const vi one = v_set16(1);
  vi p[2][32];
  EN_UNROLL for (int g = 0; g < 4; g++) {
    EN_UNROLL for (int v = 0; v < nv; v++) {
      const vi lo = codes_at(w, g, v0 + v, k), hi = codes_at(w, g + 4, v0 + v, k);
      EN_UNROLL for (int t = 0; t < nt; t++) {
        const int i = v * nt + t;
        const uint8_t *q = act_q(x, t, EN_U16) + 4 * g;
        const vi a = v_maddubs(lo, v_splat32(q)), b = v_maddubs(hi, v_splat32(q + 16));
        if (halves) p[0][i] = g % chunk ? v_add16(p[0][i], a) : a, p[1][i] = g % chunk ? v_add16(p[1][i], b) : b;
        else p[0][i] = g % chunk ? v_add16(p[0][i], v_add16(a, b)) : v_add16(a, b);
      }
    }
    if (g % chunk != chunk - 1) continue;
    EN_UNROLL for (int v = 0; v < nv; v++) {
      const vi s0 = scale ? scale[0][v] : one;
      EN_UNROLL for (int t = 0; t < nt; t++) {
        const int i = v * nt + t;
        vi sum = v_madd16(p[0][i], s0);
        if (halves) sum = v_add32(sum, v_madd16(p[1][i], scale[1][v]));
        s[i] = g >= chunk ? v_add32(s[i], sum) : sum;
      }
    }
  }
}
#endif

#ifdef EN_HAS_DOT4
EN_INLINE void sums_dot4(vi *s, const uint8_t *w, const uint8_t *x, int v0, int nv, int nt, const en_layout *k) {
  const int halves = k->scales == EN_SCALES_HALVES, flip = (k->levels || k->bits == 8) && !EN_DOT4_SIGNED; /* unsigned operand: w + 128 */
  EN_UNROLL for (int h = 0; h < 1 + halves; h++)
    EN_UNROLL for (int v = 0; v < nv; v++)
      EN_UNROLL for (int t = 0; t < nt; t++) s[(h * nv + v) * nt + t] = halves ? offset_half(x, t, h, EN_DOT4) : offset_of(x, t, flip ? 128 : k->offset, EN_DOT4);
  EN_UNROLL for (int i = 0; i < 8; i++)
    EN_UNROLL for (int v = 0; v < nv; v++) {
      const int g = k->bits == 8 ? i : i / 2 + i % 2 * 4;
      vi c = codes_at(w, g, v0 + v, k);
      if (flip) c = v_xor(c, v_set32((int32_t)0x80808080u));
      EN_UNROLL for (int t = 0; t < nt; t++) {
        vi *sum = &s[((halves ? g / 4 : 0) * nv + v) * nt + t];
        *sum = v_dot4(*sum, c, v_splat32(act_q(x, t, EN_DOT4) + 4 * g));
      }
    }
}
#endif

#ifdef EN_HAS_S16
#ifdef EN_HAS_S16_NIBBLES
EN_INLINE void sums_s16_nibbles(vi *s, const uint8_t *w, const uint8_t *x, int v0, int nv, int nt, const en_layout *k) {
  const vi m0 = v_set16(0x000f), m1 = v_set16(0x00f0), m2 = v_set16(0x0f00);
  EN_UNROLL for (int v = 0; v < nv; v++)
    EN_UNROLL for (int t = 0; t < nt; t++) s[v * nt + t] = offset_of(x, t, k->offset, EN_S16);
  EN_UNROLL for (int g = 0; g < 4; g++)
    EN_UNROLL for (int v = 0; v < nv; v++) {
      const vi q = v_ld(w + (g * EN_R + (v0 + v) * VL) * 4);
      const vi n0 = v_and(q, m0), n1 = v_and(q, m1), n2 = v_and(q, m2), n3 = v_shr16(q, 12);
      EN_UNROLL for (int t = 0; t < nt; t++) {
        const uint8_t *p = act_q(x, t, EN_S16) + 16 * g;
        s[v * nt + t] = v_add32(s[v * nt + t], v_add32(v_add32(v_madd16(n0, v_splat32(p)), v_madd16(n1, v_splat32(p + 4))),
                                                       v_add32(v_madd16(n2, v_splat32(p + 8)), v_madd16(n3, v_splat32(p + 12)))));
      }
    }
}
#endif
EN_INLINE void sums_s16(vi *s, const uint8_t *w, const uint8_t *x, int v0, int nv, int nt, const en_layout *k) {
  const int halves = k->scales == EN_SCALES_HALVES;
  const vi high = v_set16(-256);
  EN_UNROLL for (int i = 0; i < 8; i++)
    EN_UNROLL for (int v = 0; v < nv; v++) {
      const int g = k->bits == 8 || halves ? i : i / 2 + i % 2 * 4;
      const vi c = codes_at(w, g, v0 + v, k), even = v_shl16(c, 8), odd = v_and(c, high);
      EN_UNROLL for (int t = 0; t < nt; t++) {
        vi *sum = &s[((halves ? g / 4 : 0) * nv + v) * nt + t];
        const uint8_t *q = act_q(x, t, EN_S16) + 8 * g;
        const vi p = v_add32(v_madd16(even, v_splat32(q)), v_madd16(odd, v_splat32(q + 4)));
        *sum = i % (halves ? 4 : 8) ? v_add32(*sum, p) : p;
      }
    }
  EN_UNROLL for (int h = 0; h < 1 + halves; h++)
    EN_UNROLL for (int i = 0; i < nv * nt; i++)
      if (k->offset) s[h * nv * nt + i] = v_add32(s[h * nv * nt + i], halves ? offset_half(x, i % nt, h, EN_S16) : offset_of(x, i % nt, k->offset, EN_S16));
}
#endif

/* ---- scales of a block of 8 groups, for nv vectors of rows ---- */
typedef struct {
  vi scale[16][EN_PARTS]; /* of group j, or of half j % 2 of group j / 2: pairs of equal i16 for u16, else floats */
  vi extra[8][EN_PARTS];  /* PAIRS: minima of groups (0, 2) (1, 3) (4, 6) (5, 7) as i16. HALVES, u16: (2 s0, 2 s1) as i16 */
} en_scales;

EN_INLINE vi byte_of(vi a, int j) { return v_and(v_shr32(a, 8 * j), v_set32(255)); }
EN_INLINE vi signed_byte_of(vi a, int j) { return v_sar32(v_shl32(a, 24 - 8 * j), 24); }
/* Bytes of each 4-byte lane by number; EN_NO: zero. */
#define EN_PICK(a, b, c, d) {a, b, c, d, 4 + a, 4 + b, 4 + c, 4 + d, 8 + a, 8 + b, 8 + c, 8 + d, 12 + a, 12 + b, 12 + c, 12 + d}
#define EN_NO 128

EN_OUTLINE void scales_pairs(en_scales *u, const uint8_t *words, int nv, int how) {
  static const uint8_t twice[4][16] = {EN_PICK(0, EN_NO, 0, EN_NO), EN_PICK(1, EN_NO, 1, EN_NO), EN_PICK(2, EN_NO, 2, EN_NO), EN_PICK(3, EN_NO, 3, EN_NO)};
  EN_ROLL for (int v = 0; v < nv; v++, words += 4 * VL) {
    const vi a = v_ld(words), b = v_ld(words + 4 * EN_R), c = v_ld(words + 8 * EN_R), six = v_set32(0x3f3f3f3f), four = v_set32(0x0f0f0f0f), two = v_set32(0x30303030);
    const vi s[2] = {v_and(a, six), v_or(v_and(c, four), v_and(v_shr32(a, 2), two))};
    const vi m[2] = {v_and(b, six), v_or(v_and(v_shr32(c, 4), four), v_and(v_shr32(b, 2), two))};
    EN_UNROLL for (int j = 0; j < 8; j++) {
      u->scale[j][v] = how == EN_U16 ? v_pick(s[j / 4], twice[j % 4]) : v_as_i(v_to_f(byte_of(s[j / 4], j % 4)));
    }
    EN_UNROLL for (int i = 0; i < 4; i++) u->extra[i][v] = i % 2 ? v_shr16(m[i / 2], 8) : v_and(m[i / 2], v_set32(0x00ff00ff));
  }
}

EN_OUTLINE void scales_halves(en_scales *u, const uint8_t *words, int nv, int how) {
  EN_ROLL for (int v = 0; v < nv; v++)
    EN_ROLL for (int i = 0; i < 4; i++) {
      const vi a = v_ld(words + (i * EN_R + v * VL) * 4);
      if (how != EN_U16) {
        EN_UNROLL for (int j = 0; j < 4; j++) u->scale[4 * i + j][v] = v_as_i(v_to_f(signed_byte_of(a, j)));
        continue;
      }
#ifdef EN_HAS_MADDUBS
      static const uint8_t twice[4][16] = {EN_PICK(EN_NO, 0, EN_NO, 0), EN_PICK(EN_NO, 1, EN_NO, 1), EN_PICK(EN_NO, 2, EN_NO, 2), EN_PICK(EN_NO, 3, EN_NO, 3)};
      static const uint8_t both[2][16] = {EN_PICK(EN_NO, 0, EN_NO, 1), EN_PICK(EN_NO, 2, EN_NO, 3)};
      EN_UNROLL for (int j = 0; j < 4; j++) u->scale[4 * i + j][v] = v_sar16(v_pick(a, twice[j]), 8);
      EN_UNROLL for (int j = 0; j < 2; j++) u->extra[2 * i + j][v] = v_sar16(v_pick(a, both[j]), 7);
#endif
    }
}

EN_OUTLINE void scales_six(en_scales *u, const uint8_t *halves, const uint8_t *words, int nv) {
  EN_ROLL for (int v = 0; v < nv; v++) {
    const vi high = v_as_i(v_bf16((const uint16_t *)(const void *)halves + v * VL)), low = v_ld(words + v * VL * 4); /* the halves lie in bits 16 to 31 */
    EN_UNROLL for (int j = 0; j < 8; j++) {
      const vi s = v_or(v_and(v_shr32(low, 4 * j), v_set32(15)), v_and(v_shr32(high, 12 + 2 * j), v_set32(0x30)));
      u->scale[j][v] = v_as_i(v_to_f(v_sub32(s, v_set32(32))));
    }
  }
}

EN_INLINE void scales_of(en_scales *u, const uint8_t *block, int v0, int nv, const en_layout *k, int how) {
  if (k->scales == EN_SCALES_PAIRS) scales_pairs(u, block + 4 * EN_R + v0 * VL * 4, nv, how);
  if (k->scales == EN_SCALES_HALVES) scales_halves(u, block + 2 * EN_R + v0 * VL * 4, nv, how);
  if (k->scales == EN_SCALES_SIX) scales_six(u, block + 2 * EN_R + v0 * VL * 2, block + 4 * EN_R + v0 * VL * 4, nv);
}
EN_INLINE vf half_of(const uint8_t *block, int at, int v) { return v_f16((const uint16_t *)(const void *)(block + at * EN_R) + v * VL); }

/* ---- blocks: acc[v][t] += block times nt tokens. x: the first group's activations, `stride` bytes from group to group ---- */
EN_INLINE void group_sums(vi *s, const uint8_t *w, const uint8_t *x, const vi (*scale)[EN_PARTS], int v0, int nv, int nt, const en_layout *k, int how) {
#ifdef EN_HAS_MADDUBS
  if (how == EN_U16) sums_u16(s, w, x, scale, v0, nv, nt, k);
#else
  (void)scale;
#endif
#ifdef EN_HAS_DOT4
  if (how == EN_DOT4) sums_dot4(s, w, x, v0, nv, nt, k);
#endif
#ifdef EN_HAS_S16_NIBBLES
  if (how == EN_S16 && k->bits == 4 && !k->levels) {
    sums_s16_nibbles(s, w, x, v0, nv, nt, k);
    return;
  }
#endif
#ifdef EN_HAS_S16
  if (how == EN_S16) sums_s16(s, w, x, v0, nv, nt, k);
#endif
}

EN_INLINE void one_group(vf *acc, const uint8_t *block, const uint8_t *x, int v0, int nv, int nt, const en_layout *k, int how) {
  vi s[32];
  group_sums(s, group_at(block, 0, k), x, NULL, v0, nv, nt, k, how);
  EN_UNROLL for (int v = 0; v < nv; v++) {
    const vf d = half_of(block, 0, v0 + v);
    EN_UNROLL for (int t = 0; t < nt; t++) {
      vi sum = s[v * nt + t];
      if (how == EN_U16 && k->offset) sum = v_add32(sum, offset_of(x, t, k->offset, how));
      acc[v * nt + t] = v_mac(v_to_f(sum), v_mul(d, act_d(x, t, how)), acc[v * nt + t]);
    }
    if (!k->mins) continue;
    const vf m = half_of(block, 2, v0 + v);
    EN_UNROLL for (int t = 0; t < nt; t++) acc[v * nt + t] = v_mac(m, v_splat(&act_head(x, t, how)->ds), acc[v * nt + t]);
  }
}

/* float(s I) of one group: s is in the sums already (u16), or multiplied here, which is exact too. */
EN_INLINE vf scaled_sum(const vi *s, const vi (*scale)[EN_PARTS], const vi *extra, const uint8_t *x, int i, int nv, int nt, const en_layout *k, int how) {
  const int v = i / nt, t = i % nt, halves = k->scales == EN_SCALES_HALVES;
  (void)extra, (void)x, (void)t, (void)how;
#ifdef EN_HAS_MADDUBS
  if (how == EN_U16) return v_to_f(halves ? v_add32(s[i], v_madd16(extra[v], v_splat32(act_head(x, t, how)->m16))) : s[i]);
#endif
  const vf one = v_mul(v_to_f(s[i]), v_as_f(scale[0][v]));
  return halves ? v_mac(v_to_f(s[nv * nt + i]), v_as_f(scale[1][v]), one) : one;
}

/* D sum of min z, of one token and vector v of rows */
EN_INLINE vf sum_of_mins(const en_act_sums *z, const en_scales *u, int v) {
  vi p[4];
  EN_UNROLL for (int j = 0; j < 4; j++) p[j] = v_madd16(u->extra[j][v], v_splat32(z->z + 2 * j));
  return v_mul(v_splat(&z->d), v_to_f(v_add32(v_add32(p[0], p[1]), v_add32(p[2], p[3]))));
}
/* acc -= dmin (D sum of min z) */
EN_INLINE void take_mins(vf *acc, const uint8_t *block, const en_act_sums *sums, const en_scales *u, int v0, int nv, int nt) {
  EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_sub(acc[i], v_mul(half_of(block, 2, v0 + i / nt), sum_of_mins(&sums[i % nt], u, i / nt)));
}

/* In assembly, one token of Q4_K, where it may be of Q5_K or Q6_K (WebAssembly: ../simd128/one.inc). 1: done. */
#ifdef EN_HAS_PANEL
void en_scales_pairs(vf *mins, const uint8_t *words, const en_act_sums *z, vi (*scale)[EN_PARTS]);
typedef void en_groups_fn(vf *acc, const uint8_t *w, const uint8_t *x, size_t stride, const vi (*scale)[EN_PARTS]);
en_groups_fn en_groups_4, en_groups_5, en_groups_6;
EN_INLINE en_groups_fn *groups_of(const en_layout *k, int how) {
  if (how == EN_DOT4 || k->levels) return NULL;
#ifdef EN_HAS_MADDUBS_TILES
  if (k->bits > 4) return k->bits == 5 ? en_groups_5 : en_groups_6;
#endif
  return k->bits == 4 ? en_groups_4 : NULL;
}
#endif
EN_INLINE int groups_in_assembly(vf *acc, const uint8_t *block, const uint8_t *x, size_t stride, const en_act_sums *sums, int nt, const en_layout *k, int how) {
#ifdef EN_HAS_PANEL
  en_groups_fn *const sum = groups_of(k, how);
  if (sum && nt == 1) {
    vf scaled[EN_PARTS], mins[EN_PARTS];
    vi words[2][EN_PARTS];
    if (k->mins) en_scales_pairs(mins, block + 4 * EN_R, sums, words);
    sum(scaled, group_at(block, 0, k), x, stride, k->mins ? (const vi(*)[EN_PARTS])words : (const vi(*)[EN_PARTS])(const void *)(block + 2 * EN_R));
    EN_UNROLL for (int v = 0; v < EN_PARTS; v++) {
      acc[v] = v_mac(half_of(block, 0, v), scaled[v], acc[v]);
      if (k->mins) acc[v] = v_sub(acc[v], v_mul(half_of(block, 2, v), mins[v]));
    }
    return 1;
  }
#endif
  return (void)acc, (void)block, (void)x, (void)stride, (void)sums, (void)nt, (void)k, (void)how, 0;
}

EN_INLINE void eight_groups(vf *acc, const uint8_t *block, const uint8_t *x, size_t stride, const en_act_sums *sums, int v0, int nv, int nt, const en_layout *k, int how) {
  const int per_group = k->scales == EN_SCALES_HALVES ? 2 : 1;
  en_scales u;
  vf scaled[32];
  if (groups_in_assembly(acc, block, x, stride, sums, nt, k, how)) return;
  scales_of(&u, block, v0, nv, k, how);
  EN_UNROLL for (int i = 0; i < nv * nt; i++) scaled[i] = v_zero();
  EN_ROLL for (int j = 0; j < 8; j++, x += stride) {
    vi s[32];
    const vi(*scale)[EN_PARTS] = (const vi(*)[EN_PARTS]) & u.scale[j * per_group];
    group_sums(s, group_at(block, j, k), x, scale, v0, nv, nt, k, how);
    EN_UNROLL for (int i = 0; i < nv * nt; i++) scaled[i] = v_mac(scaled_sum(s, scale, u.extra[j], x, i, nv, nt, k, how), act_d(x, i % nt, how), scaled[i]);
  }
  EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_mac(half_of(block, 0, v0 + i / nt), scaled[i], acc[i]);
  if (k->mins) take_mins(acc, block, sums, &u, v0, nv, nt);
}

/* ---- one tile: nv vectors of rows at a time, nt tokens; group, x and sums point at the first block, `stride` tokens are stored per group ---- */
typedef struct { const en_mm *mm; const uint8_t *group, *x; const en_act_sums *sums; int32_t stride, r, t; } en_tile;

/* ---- tiles in assembly, for the types of most files (WebAssembly: ../simd128/tiles.S and ../relaxed/tiles.S say why) ---- */
#ifdef EN_HAS_PANEL
typedef void en_one_fn(vf *acc, const uint8_t *w, const uint8_t *x, size_t stride, int32_t n_blocks);
en_one_fn en_one_q8_0, en_one_q4_0;
#endif
EN_INLINE int is_q4_0(const en_layout *k) { return k->bytes == 18 && k->offset == 8; }
#ifdef EN_HAS_MADDUBS_TILES
void en_four_q4_0(vf *acc, const uint8_t *codes, const uint8_t *halves, const uint8_t *x, size_t stride, int32_t n_blocks);
EN_INLINE int has_tile_of_four(const en_layout *k, int how) { return how == EN_U16 && is_q4_0(k); }
#else
EN_INLINE int has_tile_of_four(const en_layout *k, int how) { return (void)k, (void)how, 0; }
#endif

/* 1: done. */
EN_INLINE int tile_in_assembly(const en_tile *a, int nt, const en_layout *k, int how) {
  const int32_t n_blocks = a->mm->cols / EN_Q8_BLOCK;
  const size_t stride = (size_t)a->stride * act_size(how);
  vf acc[4][EN_PARTS];
  (void)n_blocks, (void)stride, (void)acc, (void)nt, (void)k;
#ifdef EN_HAS_PANEL
  en_one_fn *const one = how == EN_S16 && k->bytes == 34 ? en_one_q8_0 : how != EN_DOT4 && is_q4_0(k) ? en_one_q4_0 : NULL;
  if (one && nt == 1) {
    one(acc[0], a->group, a->x, stride, n_blocks);
    put_tile(a->mm, acc[0], EN_PARTS, 1, a->r, a->t);
    return 1;
  }
#endif
#ifdef EN_HAS_MADDUBS_TILES
  if (!has_tile_of_four(k, how) || nt != 4) return 0;
  memset(acc, 0, sizeof acc);
  EN_ROLL for (int h = 0; h < 2; h++) en_four_q4_0(acc[0] + 2 * h, a->group + 32 + 32 * h, a->group + 16 * h, a->x, stride, n_blocks);
  EN_ROLL for (int t = 0; t < nt; t++) put_tile(a->mm, acc[t], EN_PARTS, 1, a->r, a->t + t);
  return 1;
#else
  return 0;
#endif
}

EN_INLINE void block_tile(const en_tile *a, int nv, int nt, const en_layout *k, int how) {
  const size_t stride = (size_t)a->stride * act_size(how);
  if (tile_in_assembly(a, nt, k, how)) return;
  EN_ROLL for (int v0 = 0; v0 < EN_R / VL; v0 += nv) {
    const uint8_t *w = a->group, *x = a->x;
    const en_act_sums *sums = a->sums;
    vf acc[32];
    EN_UNROLL for (int i = 0; i < nv * nt; i++) acc[i] = v_zero();
    for (int32_t b = 0; b < a->mm->cols / (EN_Q8_BLOCK * k->groups); b++, w += EN_R * k->bytes, x += (size_t)k->groups * stride, sums += a->stride) {
      if (k->groups == 1) one_group(acc, w, x, v0, nv, nt, k, how);
      else eight_groups(acc, w, x, stride, sums, v0, nv, nt, k, how);
    }
    put_tile(a->mm, acc, nv, nt, a->r + v0 * VL, a->t);
  }
}

/* A whole activation tile of 8 tokens at a time; 4 and 1 of a shorter last one (by then the rows are in the cache). */
typedef void (*en_tile_fn)(const en_tile *a);

EN_INLINE void mul_tiles(const en_mm *a, int32_t r0, int32_t r1, const en_layout *k, size_t act_bytes, en_tile_fn eight, en_tile_fn four, en_tile_fn one) {
  const size_t n_groups = (size_t)(a->cols / EN_Q8_BLOCK), n_blocks = n_groups / (size_t)k->groups;
  for (int32_t r = r0; r < r1; r += EN_R)
    for (int32_t t0 = 0; t0 < a->T; t0 += EN_T_TILE) {
      const int32_t n = EN_MIN(EN_T_TILE, a->T - t0);
      en_tile tile = {.mm = a, .group = a->w + (size_t)r * n_blocks * (size_t)k->bytes, .stride = n, .r = r};
      for (int32_t t = 0; t < n;) {
        const int32_t step = eight && n - t >= 8 ? 8 : n - t >= 4 ? 4 : 1;
        tile.x = (const uint8_t *)a->x + ((size_t)t0 * n_groups + (size_t)t) * act_bytes;
        tile.sums = en_act_sums_of(a->x, a->cols, a->T, act_bytes) + (size_t)t0 * (n_groups / EN_SUMS) + (size_t)t;
        tile.t = t0 + t;
        (step == 1 ? one : step == 4 ? four : eight)(&tile);
        t += step;
      }
    }
}

#ifdef EN_HAS_PANEL
enum { EN_PANELS = 1 };
#include "panel.h"
#else
enum { EN_PANELS = 0 };
#define EN_OPEN_GROUP(name, how, ...)
#define EN_MUL_PANELS(name, how, ...) ((void)0)
#endif

/* Vectors of rows per pass: as many as keep their sums near the registers; all 16 rows for a single token. From 8 tokens on they
 * go through panels, where a table has them; Q4_0, where it has tiles in assembly, from 16 on. */
#define EN_MUL_BLOCKS(name, how, ...) \
  EN_OPEN_GROUP(name, how, __VA_ARGS__) \
  static void tile_eight_##name(const en_tile *a) { block_tile(a, 1, EN_T_TILE, &(const en_layout){__VA_ARGS__}, how); } \
  static void tile_four_##name(const en_tile *a) { block_tile(a, 1, 4, &(const en_layout){__VA_ARGS__}, how); } \
  static void tile_one_##name(const en_tile *a) { block_tile(a, EN_R / VL, 1, &(const en_layout){__VA_ARGS__}, how); } \
  static void mul_##name(const en_mm *a, int32_t r0, int32_t r1) { \
    const en_layout k = {__VA_ARGS__}; \
    if (EN_PANELS && a->T >= (has_tile_of_four(&k, how) ? 2 : 1) * EN_T_TILE) EN_MUL_PANELS(name, how, __VA_ARGS__); \
    else mul_tiles(a, r0, r1, &k, act_size(how), EN_PANELS ? NULL : tile_eight_##name, tile_four_##name, tile_one_##name); \
  }

#include "strips.h"

#define EN_LAYOUT(name, id, spelling, ...) \
  EN_MUL_BLOCKS(name, EN_##spelling, __VA_ARGS__) \
  static void mul_t_##name(const en_mm_t *a, int32_t c0, int32_t c1) { mul_t_strips(a, c0, c1, &(const en_layout){__VA_ARGS__}); }
#include "../layouts.def"
#undef EN_LAYOUT

/* The rows of a table's product list. */
static const en_product products[] = {
#define EN_LAYOUT(name, id, spelling, ...) {id, EN_##spelling##_FORM, mul_##name, mul_t_##name},
#include "../layouts.def"
#undef EN_LAYOUT
  {EN_F16, 0, mul_f16, mul_t_f16},
  {EN_BF16, 0, mul_bf16, mul_t_bf16},
  {EN_F32, 0, mul_f32, mul_t_f32},
};
#endif

/* attend.h - attention of one KV head. Query rows (token t, head g) are taken up to four at a time, so that a row of K or V is loaded
 * (and converted) once for all of them: the heads of a group when one token is decoded, the tokens of a chunk too when a prompt is read.
 * Positions go by in blocks of EN_ATTEND_P with the online softmax: running largest score m, running sum l, output rescaled when m grows. */
#ifndef EN_ATTEND_H
#define EN_ATTEND_H
#include "rows.h"

enum { EN_ATTEND_P = 32, EN_ATTEND_ROWS = 4 };
typedef struct { const float *q; float *o; int32_t t, g; float m, l; } attend_row;

/* VL elements at base[i], of which n are inside the row. */
EN_OUTLINE vf f16_rest(const uint16_t *p, int32_t n) {
  uint16_t lanes[VL] = {0};
  EN_ROLL for (int32_t i = 0; i < n; i++) lanes[i] = p[i];
  return v_f16(lanes);
}
/* Q8_0: the scale of the block that holds element e. Scales are finite and not negative, so shifting and correcting the bias will do. */
EN_INLINE vf kv_scale(const uint8_t *row, int32_t e) {
  const uint32_t bits = (uint32_t)en_rd16(row + (e >> 5) * 34) << 13;
  float d;
  memcpy(&d, &bits, sizeof d);
  return v_set(d * 0x1p112f);
}
/* Elements [e, e + VL) of a row, of which n are inside it; scale: Q8_0 only. Types are constants here. */
EN_INLINE vf kv_load(const uint8_t *row, int32_t e, int32_t n, vf scale, uint32_t type) {
  if (type == EN_KV_Q8_0) return v_mul(v_i8((const int8_t *)row + (e >> 5) * 34 + 2 + (e & 31)), scale);
  if (type == EN_KV_F32) return v_load_n((const float *)(const void *)row + e, n);
  const uint16_t *halves = (const uint16_t *)(const void *)row + e;
  return n >= VL ? v_f16(halves) : f16_rest(halves, n);
}

/* Sums of q . k over elements [e, e + n) of nr rows and np positions, n <= EN_LANES; e is a multiple of EN_LANES, so they lie in one block. */
EN_INLINE void score_step(vf *sums, const attend_row *rows, const uint8_t *const *k, int32_t e, int32_t n, int nr, int np, uint32_t type) {
  vf scale[4];
  EN_UNROLL for (int j = 0; j < np; j++) scale[j] = type == EN_KV_Q8_0 ? kv_scale(k[j], e) : v_zero();
  EN_UNROLL for (int v = 0; v < EN_PARTS; v++) {
    vf kv[4];
    if (n <= v * VL) continue; /* nothing but zeros */
    EN_UNROLL for (int j = 0; j < np; j++) kv[j] = kv_load(k[j], e + v * VL, n - v * VL, scale[j], type);
    EN_UNROLL for (int r = 0; r < nr; r++) {
      const vf q = v_load_n(rows[r].q + e + v * VL, n - v * VL);
      EN_UNROLL for (int j = 0; j < np; j++) sums[(r * np + j) * EN_PARTS + v] = v_mac(q, kv[j], sums[(r * np + j) * EN_PARTS + v]);
    }
  }
}

/* s[row][p] = scale q . k for positions [p0, p0 + np): nr rows by `step` positions share each load. */
EN_INLINE void attend_scores(const en_attend *a, const attend_row *rows, float s[][EN_ATTEND_P], int32_t p0, int32_t np, int nr, int step, uint32_t type) {
  const size_t row_bytes = en_kv_row_bytes(type, a->E);
  const int32_t whole = a->E / EN_LANES * EN_LANES;
  for (int32_t p = 0; p < np; p += step) {
    vf sums[16];
    const uint8_t *k[4];
    EN_UNROLL for (int j = 0; j < step; j++) k[j] = (const uint8_t *)a->k + (size_t)(p0 + EN_MIN(p + j, np - 1)) * row_bytes; /* past the end: the last again */
    EN_UNROLL for (int i = 0; i < nr * step * EN_PARTS; i++) sums[i] = v_zero();
    for (int32_t e = 0; e < whole; e += EN_LANES) score_step(sums, rows, k, e, EN_LANES, nr, step, type);
    if (whole < a->E) score_step(sums, rows, k, whole, a->E - whole, nr, step, type);
    EN_UNROLL for (int r = 0; r < nr; r++)
      EN_UNROLL for (int j = 0; j < step; j++)
        if (p + j < np) s[r][p + j] = v_fold(sums + (r * step + j) * EN_PARTS) * a->scale;
  }
}

/* Scores to weights e^(s - m) of one row; returns what the output so far must be multiplied with. */
EN_OUTLINE float attend_weights(const en_attend *a, attend_row *row, float *s, int32_t p0, int32_t np) {
  if (a->softcap > 0) softcap(s, s, a->softcap, np);
  for (int32_t p = 0; p < EN_MIN(np, a->lo[row->t] - p0); p++) s[p] = -INFINITY;
  for (int32_t p = EN_MAX(0, a->hi[row->t] - p0); p < np; p++) s[p] = -INFINITY;
  const float best = top(s, np), m = best > row->m ? best : row->m;
  if (m == -INFINITY && best == m) { /* nothing to see yet: exp(-inf - -inf) would be NaN */
    for (int32_t p = 0; p < np; p++) s[p] = s[p] == s[p] ? 0 : s[p];
    return 1;
  }
  float lanes[VL];
  v_store(lanes, v_exp(v_set(row->m - m)));
  row->m = m;
  row->l = row->l * lanes[0] + exp_sum(s, s, m, np);
  return lanes[0];
}

/* o = o * keep + sum_p s[p] v[p] for elements [e, e + nv * VL) of nr rows; n < VL (then nv is 1): only n of them. */
EN_INLINE void mix_step(const en_attend *a, const attend_row *rows, float s[][EN_ATTEND_P], const float *keep, int32_t p0, int32_t np, int32_t e, int32_t n, int nr, int nv, uint32_t type) {
  const size_t row_bytes = en_kv_row_bytes(type, a->E);
  const uint8_t *row = (const uint8_t *)a->v + (size_t)p0 * row_bytes;
  vf sums[16];
  EN_UNROLL for (int r = 0; r < nr; r++)
    EN_UNROLL for (int j = 0; j < nv; j++) sums[r * nv + j] = v_mul(v_load_n(rows[r].o + e + j * VL, n), v_set(keep[r]));
  for (int32_t p = 0; p < np; p++, row += row_bytes) {
    vf v[4], scale = v_zero();
    EN_UNROLL for (int j = 0; j < nv; j++) {
      if (type == EN_KV_Q8_0 && j * VL % 32 == 0) scale = kv_scale(row, e + j * VL); /* e is a multiple of nv * VL: a new block begins here, or all lie in one */
      v[j] = kv_load(row, e + j * VL, n, scale, type);
    }
    EN_UNROLL for (int r = 0; r < nr; r++) {
      const vf w = v_splat(&s[r][p]);
      EN_UNROLL for (int j = 0; j < nv; j++) sums[r * nv + j] = v_mac(w, v[j], sums[r * nv + j]);
    }
  }
  EN_UNROLL for (int r = 0; r < nr; r++)
    EN_UNROLL for (int j = 0; j < nv; j++) v_store_n(rows[r].o + e + j * VL, sums[r * nv + j], n);
}

EN_INLINE void attend_mix(const en_attend *a, const attend_row *rows, float s[][EN_ATTEND_P], const float *keep, int32_t p0, int32_t np, int nr, int nv, uint32_t type) {
  int32_t e = 0;
  for (; e + nv * VL <= a->E; e += nv * VL) mix_step(a, rows, s, keep, p0, np, e, VL, nr, nv, type);
  if (nv > 2 && VL > 4) /* heads of 48, 80 or 96 */
    EN_ROLL for (; e + 2 * VL <= a->E; e += 2 * VL) mix_step(a, rows, s, keep, p0, np, e, VL, nr, 2, type);
  EN_ROLL for (; e < a->E; e += VL) mix_step(a, rows, s, keep, p0, np, e, a->E - e, nr, 1, type);
}

/* nr rows by `wide` vectors of elements of the output, or of lanes of the scores: about that many sums stay in registers. */
EN_INLINE void attend_rows(const en_attend *a, attend_row *rows, int nr, int wide, uint32_t type) {
  float s[EN_ATTEND_ROWS][EN_ATTEND_P], keep[EN_ATTEND_ROWS];
  int32_t lo = INT32_MAX, hi = 0;
  EN_ROLL for (int r = 0; r < nr; r++) lo = EN_MIN(lo, a->lo[rows[r].t]), hi = EN_MAX(hi, a->hi[rows[r].t]);
  for (int32_t p = lo; p < hi; p += EN_ATTEND_P) {
    const int32_t np = EN_MIN(EN_ATTEND_P, hi - p);
    attend_scores(a, rows, s, p, np, nr, wide > EN_PARTS ? wide / EN_PARTS : 1, type);
    EN_ROLL for (int r = 0; r < nr; r++) keep[r] = attend_weights(a, &rows[r], s[r], p, np);
    attend_mix(a, rows, s, keep, p, np, nr, wide, type);
  }
}

#define ATTEND_TYPE(name, type) \
  static void attend_##name##_four(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 4, EN_ATTEND_WIDE, type); } \
  static void attend_##name##_one(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 1, 4, type); }
ATTEND_TYPE(f32, EN_KV_F32)
ATTEND_TYPE(f16, EN_KV_F16)
ATTEND_TYPE(q8, EN_KV_Q8_0)
#undef ATTEND_TYPE
static void (*const attend_by_type[EN_KV_TYPES][2])(const en_attend *, attend_row *) = {{attend_f32_one, attend_f32_four}, {attend_f16_one, attend_f16_four}, {attend_q8_one, attend_q8_four}};

static void attend(const en_attend *a) {
  const int64_t n = (int64_t)a->T * a->G;
  for (int64_t i = 0; i < n; i += EN_ATTEND_ROWS) {
    attend_row rows[EN_ATTEND_ROWS];
    const int here = n - i >= EN_ATTEND_ROWS ? EN_ATTEND_ROWS : (int)(n - i);
    for (int r = 0; r < EN_ATTEND_ROWS; r++) { /* two or three: the last row again, which writes the same values twice */
      const int64_t at = i + EN_MIN(r, here - 1);
      const int32_t t = (int32_t)(at / a->G), g = (int32_t)(at % a->G);
      const size_t head = (size_t)g * (size_t)a->E;
      rows[r] = (attend_row){.q = a->q + (size_t)t * a->ldq + head, .o = a->o + (size_t)t * a->ldo + head, .t = t, .g = g, .m = -INFINITY, .l = 0};
      memset(rows[r].o, 0, (size_t)a->E * sizeof(float));
    }
    attend_by_type[a->kv_type][here > 1](a, rows);
    for (int r = 0; r < here; r++) {
      scale(rows[r].o, rows[r].o, 1 / rows[r].l, a->E);
      if (a->lse) a->lse[(size_t)rows[r].t * a->ldlse + (size_t)rows[r].g] = rows[r].m + (float)log((double)rows[r].l); /* the logf of C libraries differ in the last bit */
    }
  }
}
#endif

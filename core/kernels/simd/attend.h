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
EN_INLINE vf kv_load(const void *base, size_t i, int32_t n, int f16) {
  if (!f16) return v_load_n((const float *)base + i, n);
  return n >= VL ? v_f16((const uint16_t *)base + i) : f16_rest((const uint16_t *)base + i, n);
}

/* s[row][p] = q . k for positions [p0, p0 + np): `nr` rows by `step` positions share each load. */
EN_INLINE void attend_scores(const en_attend *a, const attend_row *rows, float s[][EN_ATTEND_P], int32_t p0, int32_t np, int nr, int step, int f16) {
  const size_t E = (size_t)a->E;
  for (int32_t p = 0; p < np; p += step) {
    const int32_t last = np - 1 - p; /* past the end the last position is computed again */
    vf acc[8];
    EN_UNROLL for (int i = 0; i < nr * step; i++) acc[i] = v_zero();
    for (int32_t e = 0; e < a->E; e += VL) {
      vf k[4];
      EN_UNROLL for (int j = 0; j < step; j++) k[j] = kv_load(a->k, (size_t)(p0 + p + EN_MIN(j, last)) * E + (size_t)e, a->E - e, f16);
      EN_UNROLL for (int r = 0; r < nr; r++) {
        const vf q = v_load_n(rows[r].q + e, a->E - e);
        EN_UNROLL for (int j = 0; j < step; j++) acc[r * step + j] = v_fma(q, k[j], acc[r * step + j]);
      }
    }
    EN_UNROLL for (int r = 0; r < nr; r++)
      EN_UNROLL for (int j = 0; j < step; j++)
        if (j <= last) s[r][p + j] = v_sum(acc[r * step + j]) * a->scale;
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

/* o = o * keep + sum_p s[p] v[p], `nv` vectors of `nr` rows at once. */
EN_INLINE void attend_mix(const en_attend *a, const attend_row *rows, float s[][EN_ATTEND_P], const float *keep, int32_t p0, int32_t np, int nr, int nv, int f16) {
  const size_t E = (size_t)a->E;
  for (int32_t e = 0; e < a->E; e += nv * VL) {
    vf acc[8];
    EN_UNROLL for (int r = 0; r < nr; r++)
      EN_UNROLL for (int j = 0; j < nv; j++)
        acc[r * nv + j] = e + j * VL < a->E ? v_mul(v_load_n(rows[r].o + e + j * VL, a->E - e - j * VL), v_set(keep[r])) : v_zero();
    for (int32_t p = 0; p < np; p++) {
      vf v[4];
      EN_UNROLL for (int j = 0; j < nv; j++)
        v[j] = e + j * VL < a->E ? kv_load(a->v, (size_t)(p0 + p) * E + (size_t)(e + j * VL), a->E - e - j * VL, f16) : v_zero();
      EN_UNROLL for (int r = 0; r < nr; r++)
        EN_UNROLL for (int j = 0; j < nv; j++) acc[r * nv + j] = v_fma(v_splat(&s[r][p]), v[j], acc[r * nv + j]);
    }
    EN_UNROLL for (int r = 0; r < nr; r++)
      EN_UNROLL for (int j = 0; j < nv; j++)
        if (e + j * VL < a->E) v_store_n(rows[r].o + e + j * VL, acc[r * nv + j], a->E - e - j * VL);
  }
}

EN_INLINE void attend_rows(const en_attend *a, attend_row *rows, int nr, int f16) {
  const int wide = nr == 4 ? 2 : 4; /* nr * wide sums stay in registers */
  float s[EN_ATTEND_ROWS][EN_ATTEND_P], keep[EN_ATTEND_ROWS];
  int32_t lo = INT32_MAX, hi = 0;
  EN_ROLL for (int r = 0; r < nr; r++) lo = EN_MIN(lo, a->lo[rows[r].t]), hi = EN_MAX(hi, a->hi[rows[r].t]);
  for (int32_t p = lo; p < hi; p += EN_ATTEND_P) {
    const int32_t np = EN_MIN(EN_ATTEND_P, hi - p);
    attend_scores(a, rows, s, p, np, nr, wide, f16);
    EN_ROLL for (int r = 0; r < nr; r++) keep[r] = attend_weights(a, &rows[r], s[r], p, np);
    attend_mix(a, rows, s, keep, p, np, nr, wide, f16);
  }
}

static void attend_f32_4(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 4, 0); }
static void attend_f32_2(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 2, 0); }
static void attend_f32_1(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 1, 0); }
static void attend_f16_4(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 4, 1); }
static void attend_f16_2(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 2, 1); }
static void attend_f16_1(const en_attend *a, attend_row *rows) { attend_rows(a, rows, 1, 1); }

static void attend(const en_attend *a) {
  const int64_t n = (int64_t)a->T * a->G;
  for (int64_t i = 0; i < n;) {
    attend_row rows[EN_ATTEND_ROWS];
    const int nr = n - i >= 4 ? 4 : n - i >= 2 ? 2 : 1;
    for (int r = 0; r < nr; r++, i++) {
      const int32_t t = (int32_t)(i / a->G), g = (int32_t)(i % a->G);
      rows[r] = (attend_row){.q = a->q + (size_t)t * a->ldq + (size_t)g * (size_t)a->E, .o = a->o + (size_t)t * a->ldo + (size_t)g * (size_t)a->E,
                             .t = t, .g = g, .m = -INFINITY, .l = 0};
      memset(rows[r].o, 0, (size_t)a->E * sizeof(float));
    }
    if (a->kv_f16) (nr == 4 ? attend_f16_4 : nr == 2 ? attend_f16_2 : attend_f16_1)(a, rows);
    else (nr == 4 ? attend_f32_4 : nr == 2 ? attend_f32_2 : attend_f32_1)(a, rows);
    for (int r = 0; r < nr; r++) {
      scale(rows[r].o, rows[r].o, 1 / rows[r].l, a->E);
      if (a->lse) a->lse[(size_t)rows[r].t * a->ldlse + (size_t)rows[r].g] = rows[r].m + logf(rows[r].l);
    }
  }
}
#endif

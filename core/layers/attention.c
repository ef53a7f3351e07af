/* attention.c - append this slice's K and V to the caches, then softmax(Q K^T) V over what each token may see.
 * Cache layout of a layer: [sequence, K, n_ctx] rows of E values: a head's positions are one contiguous stream. */
#include "layers_internal.h"

static size_t head_offset(const en_run *r, uint32_t seq, int32_t head) {
  return ((size_t)seq * (size_t)r->c->K + (size_t)head) * (size_t)r->n_ctx * en_kv_row_bytes(r->kv_type, r->c->E);
}

static void store_q8(uint8_t *row, const float *x, int32_t E) {
  const en_type *t = &en_type_q8_0;
  const int32_t whole = E / t->block * t->block;
  t->encode(row, x, whole, NULL);
  if (whole == E) return;
  float rest[32] = {0};
  memcpy(rest, x + whole, (size_t)(E - whole) * sizeof *x);
  t->encode(row + en_kv_row_bytes(EN_KV_Q8_0, whole), rest, t->block, NULL);
}

static void store(const en_run *r, uint8_t *row, const float *x) {
  switch (r->kv_type) {
  case EN_KV_F16: r->k->to_f16((uint16_t *)(void *)row, x, r->c->E); break;
  case EN_KV_Q8_0: store_q8(row, x, r->c->E); break;
  default: memcpy(row, x, (size_t)r->c->E * sizeof *x);
  }
}

/* One unit is (tile, KV head). Storing and attending are two jobs: a tile also reads what earlier tiles of the slice stored. */
static void store_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_run *r = ((const en_row_job *)ctx)->r;
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_tile *tile = &r->tiles[unit / r->c->K];
    const int32_t head = unit % r->c->K;
    for (int32_t t = tile->t0; t < tile->t0 + tile->n; t++) {
      const size_t at = head_offset(r, tile->seq, head) + (size_t)r->cell[t] * en_kv_row_bytes(r->kv_type, r->c->E), from = (size_t)head * (size_t)r->c->E;
      store(r, r->kv_k + at, en_slot_row(r, EN_S_K, t) + from);
      store(r, r->kv_v + at, en_slot_row(r, EN_S_V, t) + from);
    }
  }
}

static void attend_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const en_config *c = r->c;
  const int32_t G = c->H / c->K;
  const size_t group = (size_t)G * (size_t)c->E;
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_tile *tile = &r->tiles[unit / c->K];
    const int32_t head = unit % c->K;
    const size_t at = head_offset(r, tile->seq, head);
    const en_attend a = {
      .q = en_slot_row(r, j->s->in, tile->t0) + (size_t)head * group, .ldq = en_slot_width(r, j->s->in),
      .o = en_slot_row(r, j->s->out, tile->t0) + (size_t)head * group, .ldo = en_slot_width(r, j->s->out),
      .k = r->kv_k + at, .v = r->kv_v + at, .kv_type = r->kv_type,
      .E = c->E, .G = G, .T = tile->n, .lo = r->lo + tile->t0, .hi = r->hi + tile->t0,
      .scale = c->attn_scale, .softcap = c->attn_softcap,
      .lse = r->lse ? r->lse + (size_t)tile->t0 * (size_t)c->H + (size_t)head * (size_t)G : NULL, .ldlse = (size_t)c->H,
    };
    r->k->attend(&a);
  }
}

int32_t en_attend_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const en_row_job job = {r, step};
  const int32_t n_units = r->n_tiles * r->c->K;
  if (r->T < 4) store_units(&job, 0, n_units, 0);
  else en_parallel(r->host, store_units, &job, n_units, 1);
  en_parallel(r->host, attend_units, &job, n_units, 1);
  return 1;
}

/* ---- backward (Dao 2022, the recomputing form): with s the score, p = exp(s - lse), D = dO.O,
 *   dV_j += p dO;  ds = p (dO.V_j - D) (1 - (s/cap)^2) scale;  dQ += ds K_j;  dK_j += ds Q.
 * Keys and values are read from the slots K and V, positions are rows of the slice: it must be the whole of its sequences. They are packed like f32
 * weights, so that the five products are those of the kernel table whose sums have one order everywhere (mul_t, outer), a tile of queries at a time.
 * Over quantized weights their factors are narrowed (en_narrow): the same bits on every machine. One unit is (sequence, KV head). ---- */
enum { BACK_TILE = 32, KEYS = 32 /* n of them is rounded up to a multiple: columns of mul_t */ };

static size_t round_up(int32_t n, int32_t to) { return (size_t)(n + to - 1) / (size_t)to * (size_t)to; }

size_t en_attend_back_floats(const en_config *c, int32_t n_tokens) {
  return round_up(n_tokens, KEYS) * (3 * (size_t)c->E + 2 * round_up(c->E, EN_R) + 2 * BACK_TILE) + 2 * BACK_TILE * round_up(c->E, EN_R);
}

/* k, dk, dv: packed [n, E]. kt, vt: K and V transposed and packed, [wide, n]. s, dp: [BACK_TILE, n]. q, dout: [BACK_TILE, wide]; wide: E and zeros. */
typedef struct { float *k, *dk, *dv, *kt, *vt, *s, *dp, *q, *dout; size_t n, wide; } back_memory;

static back_memory lane_memory(const en_back *b, int32_t lane, int32_t n_keys) {
  const size_t n = round_up(n_keys, KEYS), E = (size_t)b->r->c->E, wide = round_up(b->r->c->E, EN_R);
  float *k = b->attend + (size_t)lane * en_attend_back_floats(b->r->c, b->r->n_ctx), *kt = k + 3 * n * E, *s = kt + 2 * n * wide, *q = s + 2 * BACK_TILE * n;
  return (back_memory){k, k + n * E, k + 2 * n * E, kt, kt + n * wide, s, s + BACK_TILE * n, q, q + BACK_TILE * wide, n, wide};
}

/* Row i of packed [n, E]: every 16th number from here on. */
static float *packed_row(float *packed, int32_t i, int32_t E) { return packed + (size_t)(i / EN_R * EN_R) * (size_t)E + (size_t)(i % EN_R); }

/* What goes into a product. */
static void put_factor(const en_back *b, float *y, const float *x, size_t n) {
  if (b->narrow) en_narrow_row(y, x, n);
  else if (y != x) memcpy(y, x, n * sizeof *y);
}

/* [n, E] of rows, transposed: 16 numbers of a row lie side by side. */
static void pack_transposed(const en_back *b, float *packed, const float *rows, size_t ld, int32_t n, const back_memory *m) {
  const int32_t E = b->r->c->E;
  memset(packed, 0, m->n * m->wide * sizeof *packed);
  for (int32_t e = 0; e < E; e += EN_R)
    for (int32_t i = 0; i < n; i++) put_factor(b, packed + (size_t)e * m->n + (size_t)i * EN_R, rows + (size_t)i * ld + (size_t)e, (size_t)EN_MIN(EN_R, E - e));
}
/* The same not transposed. */
static void pack_rows(float *packed, const float *transposed, int32_t n, int32_t E, const back_memory *m) {
  memset(packed, 0, m->n * (size_t)E * sizeof *packed);
  for (int32_t i = 0; i < n; i++) {
    float *to = packed_row(packed, i, E);
    for (int32_t e = 0; e < E; e++) to[e * EN_R] = transposed[(size_t)(e / EN_R * EN_R) * m->n + (size_t)(i * EN_R + e % EN_R)];
  }
}
static void add_packed(float *rows, size_t ld, float *packed, int32_t n, int32_t E) {
  for (int32_t i = 0; i < n; i++) {
    const float *from = packed_row(packed, i, E);
    for (int32_t e = 0; e < E; e++) rows[(size_t)i * ld + (size_t)e] += from[e * EN_R];
  }
}

/* One query's scores, s[k0..k1) in, p out; dp[k0..k1): dO.V in, ds out. It sees [lo, hi). */
static void back_row(const en_back *b, float *s, float *dp, float D, float lse, int32_t k0, int32_t k1, int32_t lo, int32_t hi) {
  const en_run *r = b->r;
  const float cap = r->c->attn_softcap, scale = r->c->attn_scale;
  r->k->scale(s + k0, s + k0, scale, k1 - k0);
  if (cap > 0) r->k->softcap(s + k0, s + k0, cap, k1 - k0);
  for (int32_t i = k0; i < k1; i++) dp[i] = (dp[i] - D) * (cap > 0 ? 1 - s[i] / cap * (s[i] / cap) : 1) * scale;
  r->k->exp_sum(s + k0, s + k0, lse, k1 - k0);
  for (int32_t i = k0; i < lo; i++) s[i] = 0;
  for (int32_t i = hi; i < k1; i++) s[i] = 0;
  for (int32_t i = k0; i < k1; i++) dp[i] *= s[i];
  put_factor(b, s + k0, s + k0, (size_t)(k1 - k0));
  put_factor(b, dp + k0, dp + k0, (size_t)(k1 - k0));
}

/* Queries [t0, t0 + n) of head h of a sequence that begins at row `start`. */
static void back_tile(const en_back_job *j, const back_memory *m, int32_t h, int32_t start, int32_t t0, int32_t n) {
  const en_run *r = j->b->r;
  const en_product *f32 = en_kernels_product(r->k, EN_F32);
  const int32_t E = r->c->E;
  const size_t at = (size_t)h * (size_t)E, wide = en_slot_width(r, j->s->in);
  const float *q = en_slot_row(r, j->s->in, t0) + at, *o = j->b->out + (size_t)t0 * wide + at, *dout = en_grad_row(j->b, j->s->out, t0) + at;
  int32_t k0 = r->lo[t0], k1 = r->hi[t0];
  for (int32_t t = t0; t < t0 + n; t++) {
    k0 = EN_MIN(k0, r->lo[t]);
    k1 = EN_MAX(k1, r->hi[t]);
  }
  k0 = (k0 - start) / KEYS * KEYS;
  k1 = (int32_t)round_up(k1 - start, KEYS);
  memset(m->s, 0, 2 * BACK_TILE * m->n * sizeof *m->s); /* and dp behind it */
  for (int32_t i = 0; i < n; i++) {
    put_factor(j->b, m->q + (size_t)i * m->wide, q + (size_t)i * wide, (size_t)E);
    put_factor(j->b, m->dout + (size_t)i * m->wide, dout + (size_t)i * wide, (size_t)E);
  }
  const en_mm_t scores = {.w = (const uint8_t *)m->kt, .dy = m->q, .lddy = m->wide, .dx = m->s, .lddx = m->n, .rows = (int32_t)m->wide, .cols = (int32_t)m->n, .T = n};
  const en_mm_t values = {.w = (const uint8_t *)m->vt, .dy = m->dout, .lddy = m->wide, .dx = m->dp, .lddx = m->n, .rows = (int32_t)m->wide, .cols = (int32_t)m->n, .T = n};
  const en_outer dv = {.dy = m->s, .lddy = m->n, .x = m->dout, .ldx = m->wide, .dw = m->dv, .cols = E, .T = n}, dk = {.dy = m->dp, .lddy = m->n, .x = m->q, .ldx = m->wide, .dw = m->dk, .cols = E, .T = n};
  const en_mm_t dq = {.w = (const uint8_t *)(m->k + (size_t)k0 * (size_t)E), .dy = m->dp + k0, .lddy = m->n, .dx = en_grad_row(j->b, j->s->in, t0) + at, .lddx = wide, .rows = k1 - k0, .cols = E, .T = n};
  f32->mul_t(&scores, k0, k1);
  f32->mul_t(&values, k0, k1);
  for (int32_t i = 0; i < n; i++) {
    const float D = r->k->dot(dout + (size_t)i * wide, o + (size_t)i * wide, E), lse = r->lse[(size_t)(t0 + i) * (size_t)r->c->H + (size_t)h];
    back_row(j->b, m->s + (size_t)i * m->n, m->dp + (size_t)i * m->n, D, lse, k0, k1, r->lo[t0 + i] - start, r->hi[t0 + i] - start);
  }
  r->k->outer(&dv, k0, k1);
  r->k->outer(&dk, k0, k1);
  f32->mul_t(&dq, 0, E);
}

static int32_t begins(const en_run *r, int32_t t) { return r->lo[t] == t; } /* a sequence, whose rows see no other */

static void attend_back_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t E = r->c->E, K = r->c->K, G = r->c->H / K;
  const size_t ld = en_slot_width(r, EN_S_K);
  for (int32_t unit = lo; unit < hi; unit++) {
    const int32_t head = unit % K;
    int32_t start = 0, left = unit / K, end;
    while (left) left -= begins(r, ++start);
    for (end = start + 1; end < r->T && !begins(r, end);) end++;
    const size_t kv = (size_t)head * (size_t)E;
    const int32_t n = end - start;
    const back_memory m = lane_memory(j->b, lane, n);
    pack_transposed(j->b, m.kt, en_slot_row(r, EN_S_K, start) + kv, ld, n, &m);
    pack_transposed(j->b, m.vt, en_slot_row(r, EN_S_V, start) + kv, ld, n, &m);
    pack_rows(m.k, m.kt, n, E, &m);
    memset(m.q, 0, 2 * BACK_TILE * m.wide * sizeof(float)); /* and dout */
    memset(m.dk, 0, 2 * m.n * (size_t)E * sizeof(float)); /* and dv behind it */
    for (int32_t h = head * G; h < (head + 1) * G; h++)
      for (int32_t t = start; t < end; t += BACK_TILE) back_tile(j, &m, h, start, t, EN_MIN(BACK_TILE, end - t));
    add_packed(en_grad_row(j->b, EN_S_K, start) + kv, ld, m.dk, n, E);
    add_packed(en_grad_row(j->b, EN_S_V, start) + kv, ld, m.dv, n, E);
  }
}

void en_attend_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  int32_t n_sequences = 0;
  for (int32_t t = 0; t < b->r->T; t++) n_sequences += begins(b->r, t);
  en_parallel(b->r->host, attend_back_units, &job, n_sequences * b->r->c->K, 1);
  en_grad_clear(b, step->out);
}

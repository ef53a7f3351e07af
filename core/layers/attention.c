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
 * weights, so that the five products are those of the kernel table, a tile of queries at a time. One unit is (sequence, KV head). ---- */
enum { BACK_TILE = 32 };

static size_t padded(int32_t n) { return (size_t)(n + EN_R - 1) / EN_R * EN_R; }

size_t en_attend_back_floats(const en_config *c, int32_t n_tokens) {
  return padded(n_tokens) * (4 * (size_t)c->E + 2 * BACK_TILE);
}

typedef struct { float *k, *v, *dk, *dv, *s, *dp; size_t n; } back_memory; /* packed [n, E] each; s, dp: [BACK_TILE, n] */

static back_memory lane_memory(const en_back *b, int32_t lane, int32_t n_keys) {
  float *at = b->attend + (size_t)lane * en_attend_back_floats(b->r->c, b->r->n_ctx);
  const size_t n = padded(n_keys), size = n * (size_t)b->r->c->E;
  return (back_memory){at, at + size, at + 2 * size, at + 3 * size, at + 4 * size, at + 4 * size + BACK_TILE * n, n};
}

/* Row i of packed [n, E]: every 16th number from here on. */
static float *packed_row(float *packed, int32_t i, int32_t E) { return packed + (size_t)(i / EN_R * EN_R) * (size_t)E + (size_t)(i % EN_R); }

static void pack_rows(float *packed, const float *rows, size_t ld, int32_t n, int32_t E) {
  memset(packed, 0, padded(n) * (size_t)E * sizeof *packed);
  for (int32_t i = 0; i < n; i++) {
    float *to = packed_row(packed, i, E);
    for (int32_t e = 0; e < E; e++) to[e * EN_R] = rows[(size_t)i * ld + (size_t)e];
  }
}
static void add_packed(float *rows, size_t ld, float *packed, int32_t n, int32_t E) {
  for (int32_t i = 0; i < n; i++) {
    const float *from = packed_row(packed, i, E);
    for (int32_t e = 0; e < E; e++) rows[(size_t)i * ld + (size_t)e] += from[e * EN_R];
  }
}

/* One query's scores, s[k0..k1) in, p out; dp[k0..k1): dO.V in, ds out. It sees [lo, hi). */
static void back_row(const en_run *r, float *s, float *dp, float D, float lse, int32_t k0, int32_t k1, int32_t lo, int32_t hi) {
  const float cap = r->c->attn_softcap, scale = r->c->attn_scale;
  r->k->scale(s + k0, s + k0, scale, k1 - k0);
  if (cap > 0) r->k->softcap(s + k0, s + k0, cap, k1 - k0);
  for (int32_t i = k0; i < k1; i++) dp[i] = (dp[i] - D) * (cap > 0 ? 1 - s[i] / cap * (s[i] / cap) : 1) * scale;
  r->k->exp_sum(s + k0, s + k0, lse, k1 - k0);
  for (int32_t i = k0; i < lo; i++) s[i] = 0;
  for (int32_t i = hi; i < k1; i++) s[i] = 0;
  for (int32_t i = k0; i < k1; i++) dp[i] *= s[i];
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
  k0 = (k0 - start) / EN_R * EN_R;
  k1 = (int32_t)padded(k1 - start);
  const en_mm scores = {.w = (const uint8_t *)m->k, .x = q, .ldx = wide, .y = m->s, .ldy = m->n, .cols = E, .T = n};
  const en_mm values = {.w = (const uint8_t *)m->v, .x = dout, .ldx = wide, .y = m->dp, .ldy = m->n, .cols = E, .T = n};
  f32->mul(&scores, k0, k1);
  f32->mul(&values, k0, k1);
  for (int32_t i = 0; i < n; i++) {
    const float D = r->k->dot(dout + (size_t)i * wide, o + (size_t)i * wide, E), lse = r->lse[(size_t)(t0 + i) * (size_t)r->c->H + (size_t)h];
    back_row(r, m->s + (size_t)i * m->n, m->dp + (size_t)i * m->n, D, lse, k0, k1, r->lo[t0 + i] - start, r->hi[t0 + i] - start);
  }
  const en_outer dv = {.dy = m->s, .lddy = m->n, .x = dout, .ldx = wide, .dw = m->dv, .cols = E, .T = n}, dk = {.dy = m->dp, .lddy = m->n, .x = q, .ldx = wide, .dw = m->dk, .cols = E, .T = n};
  const en_mm_t dq = {.w = (const uint8_t *)(m->k + (size_t)k0 * (size_t)E), .dy = m->dp + k0, .lddy = m->n, .dx = en_grad_row(j->b, j->s->in, t0) + at, .lddx = wide, .rows = k1 - k0, .cols = E, .T = n};
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
    pack_rows(m.k, en_slot_row(r, EN_S_K, start) + kv, ld, n, E);
    pack_rows(m.v, en_slot_row(r, EN_S_V, start) + kv, ld, n, E);
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

/* attention.c - append this slice's K and V to the caches, then softmax(Q K^T) V over what each token may see.
 * Cache layout of a layer: [sequence, K, n_ctx] rows of E values: a head's positions are one contiguous stream. */
#include "layers_internal.h"
#include <math.h>

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

/* Backward of one KV head over the whole slice (Dao 2022, the recomputing form): with p = exp(s - lse), D = dO.O,
 *   dV_j += p dO;  ds = p (dO.V_j - D) (1 - (s/cap)^2);  dQ += ds scale K_j;  dK_j += ds scale Q.
 * The slice must be the whole of its sequences: keys and values are read from the slots K and V, positions are rows of the slice. */
static void attend_back_heads(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const en_kernels *k = r->k;
  const en_config *c = r->c;
  const int32_t G = c->H / c->K, E = c->E;
  const size_t wide = en_slot_width(r, EN_S_Q);
  for (int32_t head = lo; head < hi; head++)
    for (int32_t t = 0; t < r->T; t++)
      for (int32_t h = head * G; h < (head + 1) * G; h++) {
        const size_t at = (size_t)h * (size_t)E, kv = (size_t)head * (size_t)E;
        const float *q = en_slot_row(r, j->s->in, t) + at, *o = j->b->out + (size_t)t * wide + at, *dout = en_grad_row(j->b, j->s->out, t) + at;
        const float D = k->dot(dout, o, E), lse = r->lse[(size_t)t * (size_t)c->H + (size_t)h];
        float *dq = en_grad_row(j->b, j->s->in, t) + at;
        for (int32_t i = r->lo[t]; i < r->hi[t]; i++) {
          const float *key = en_slot_row(r, EN_S_K, i) + kv, *value = en_slot_row(r, EN_S_V, i) + kv;
          float score = c->attn_scale * k->dot(q, key, E), slope = 1;
          if (c->attn_softcap > 0) {
            const float th = tanhf(score / c->attn_softcap);
            score = c->attn_softcap * th;
            slope = 1 - th * th;
          }
          const float p = expf(score - lse), ds = p * (k->dot(dout, value, E) - D) * slope * c->attn_scale;
          k->axpy(en_grad_row(j->b, EN_S_V, i) + kv, dout, p, E);
          k->axpy(en_grad_row(j->b, EN_S_K, i) + kv, q, ds, E);
          k->axpy(dq, key, ds, E);
        }
      }
}

void en_attend_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_parallel(b->r->host, attend_back_heads, &job, b->r->c->K, 1);
  en_grad_clear(b, step->out);
}

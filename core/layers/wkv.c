/* wkv.c - what RWKV is made of: the token shift, mixes of a token with the one before, and the recurrences of versions 6 and 7 (Peng et al. 2024, 2025). The state of a
 * sequence: the last input of the layer's first half and of its second half, [2, D], then a matrix of every head, [H, E, E]: rows are keys in 6, values in 7. */
#include "layers_internal.h"
#include <math.h>

enum { BLOCK = 256 /* columns of a unit */ };

static void shift_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const int32_t D = r->c->D, n_blocks = en_blocks(D, BLOCK);
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / n_blocks];
    const int32_t c0 = unit % n_blocks * BLOCK, n = EN_MIN(BLOCK, D - c0);
    float *before = en_state(r, chain, lane, j->s->in2 * D + c0, n);
    for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
      const float *x = en_slot_row(r, j->s->in, t) + c0;
      float *y = en_slot_row(r, j->s->out, t) + c0;
      r->k->scale(y, x, -1, n);
      r->k->add(y, y, before, n);
      memcpy(before, x, (size_t)n * sizeof *x);
    }
  }
}

int32_t en_shift_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_parallel(r->host, shift_units, &job, r->n_chains * en_blocks(r->c->D, BLOCK), 1);
  return 1;
}

static void lerp_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_kernels *k = j->r->k;
  const int32_t n = j->r->c->D;
  (void)lane;
  for (int32_t t = lo; t < hi; t++) {
    float *y = en_slot_row(j->r, j->s->out, t);
    k->times(y, en_slot_row(j->r, j->s->in2, t), j->s->add ? y : en_vector(j->r, j->s->w), n);
    k->add(y, y, en_slot_row(j->r, j->s->in, t), n);
  }
}

int32_t en_lerp_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_rows_parallel(r, lerp_rows, &job);
  return 1;
}

int32_t en_first_value_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const size_t n = (size_t)r->T * (size_t)r->c->D;
  float *v = r->slot[step->out], *first = r->slot[step->in];
  const float *mix = r->slot[step->in2];
  (void)n_steps;
  if (!r->layer) memcpy(first, v, n * sizeof *v);
  else for (size_t i = 0; i < n; i++) v[i] += (first[i] - v[i]) * mix[i];
  return 1;
}

static void sigmoid_mul_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const int32_t n = (int32_t)en_slot_width(j->r, j->s->out);
  (void)lane;
  for (int32_t t = lo; t < hi; t++) {
    float *y = en_slot_row(j->r, j->s->out, t);
    en_sigmoid(j->r->k, y, y, n);
    j->r->k->times(y, y, en_slot_row(j->r, j->s->in2, t), n);
  }
}

int32_t en_sigmoid_mul_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_rows_parallel(r, sigmoid_mul_rows, &job);
  return 1;
}

/* Files hold the matrices that add to x divided by as much, so that 16-bit floats do not overflow. */
int32_t en_rescale_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const int32_t every = r->c->wkv.rescale, n = r->c->D;
  (void)n_steps;
  for (int32_t t = 0; every && (r->layer + 1) % every == 0 && t < r->T; t++) r->k->scale(en_slot_row(r, step->out, t), en_slot_row(r, step->out, t), 0.5f, n);
  return 1;
}

int32_t en_relu2_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const size_t n = (size_t)r->T * en_slot_width(r, step->out);
  float *x = r->slot[step->out];
  (void)n_steps;
  for (size_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] * x[i] : 0;
  return 1;
}

static const float head_eps = 64e-5f; /* of the norm of heads in the published models; no key says so */

/* One unit is (chain, head). y = sum over i of r_i (S_i + u_i k_i v), then S_i = S_i w_i + k_i v with w = exp(-exp(decay)); then norm of the head. */
static void wkv6_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const en_kernels *k = r->k;
  const int32_t E = r->c->E, H = r->c->H;
  const float *first = en_vector(r, j->s->w), *ln = en_vector(r, j->s->w + 1), *ln_bias = en_vector(r, j->s->w + 2);
  float w[EN_MAX_WKV];
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / H];
    const int32_t at = unit % H * E;
    float *S = en_state(r, chain, lane, 2 * r->c->D + at * E, E * E);
    for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
      const float *q = en_slot_row(r, j->s->in, t) + at, *key = en_slot_row(r, EN_S_WK, t) + at, *v = en_slot_row(r, EN_S_WV, t) + at;
      float *y = en_slot_row(r, j->s->out, t) + at;
      k->times(w, key, first + at, E);
      k->scale(y, v, k->dot(w, q, E), E);
      k->exp_sum(w, en_slot_row(r, EN_S_DECAY, t) + at, 0, E);
      k->scale(w, w, -1, E);
      k->exp_sum(w, w, 0, E);
      for (int32_t i = 0; i < E; i++) {
        float *row = S + i * E;
        k->axpy(y, row, q[i], E);
        k->scale(row, row, w[i], E);
        k->axpy(row, v, key[i], E);
      }
      k->layer_norm(y, y, ln + at, ln_bias + at, E, head_eps);
    }
  }
}

int32_t en_wkv6_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_parallel(r->host, wkv6_units, &job, r->n_chains * r->c->H, 1);
  return 1;
}

/* What a token does to a head: S decays by w, forgets what it has along the key kappa at the rate a, and takes v for the key k. */
typedef struct { float w[EN_MAX_WKV], k[EN_MAX_WKV], kappa[EN_MAX_WKV], b[EN_MAX_WKV]; } update_t;

static void update_of(const en_run *r, const en_step *s, int32_t t, int32_t at, update_t *u) {
  const en_kernels *k = r->k;
  const int32_t E = r->c->E;
  const float *key = en_slot_row(r, EN_S_WK, t) + at, *rate = en_slot_row(r, EN_S_RATE, t) + at, *k_k = en_vector(r, s->w) + at, *k_a = en_vector(r, s->w + 1) + at;
  en_sigmoid(k, u->w, en_slot_row(r, EN_S_DECAY, t) + at, E);
  k->scale(u->w, u->w, -0.606531f, E); /* e^-0.5: the decay never falls below e^-0.606531 */
  k->exp_sum(u->w, u->w, 0, E);
  k->times(u->kappa, key, k_k, E);
  const float length = sqrtf(k->dot(u->kappa, u->kappa, E));
  k->scale(u->kappa, u->kappa, 1 / EN_MAX(length, 1e-12f), E);
  k->times(u->b, u->kappa, rate, E);
  for (int32_t i = 0; i < E; i++) u->k[i] = key[i] * (1 + (rate[i] - 1) * k_a[i]);
}

/* One unit is (chain, head). With row i of S: S_i = S_i w - (kappa . S_i) kappa a + v_i k, y_i = S_i . r; then norm of the head, + (r . k r_k) v, times the gate. */
static void wkv7_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const en_kernels *k = r->k;
  const int32_t E = r->c->E, H = r->c->H;
  const float *r_k = en_vector(r, j->s->w + 2), *ln = en_vector(r, j->s->w + 3), *ln_bias = en_vector(r, j->s->w + 4);
  update_t u;
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / H];
    const int32_t at = unit % H * E;
    float *S = en_state(r, chain, lane, 2 * r->c->D + at * E, E * E);
    for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
      const float *q = en_slot_row(r, j->s->in, t) + at, *v = en_slot_row(r, EN_S_WV, t) + at;
      float *y = en_slot_row(r, j->s->out, t) + at;
      update_of(r, j->s, t, at, &u);
      for (int32_t i = 0; i < E; i++) {
        float *row = S + i * E;
        const float along = k->dot(row, u.kappa, E);
        k->times(row, row, u.w, E);
        k->axpy(row, u.k, v[i], E);
        k->axpy(row, u.b, -along, E);
        y[i] = k->dot(row, q, E);
      }
      k->layer_norm(y, y, ln + at, ln_bias + at, E, head_eps);
      k->times(u.k, u.k, q, E);
      k->axpy(y, v, k->dot(u.k, r_k + at, E), E);
      k->times(y, y, en_slot_row(r, EN_S_GATE, t) + at, E);
    }
  }
}

int32_t en_wkv7_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_parallel(r->host, wkv7_units, &job, r->n_chains * r->c->H, 1);
  return 1;
}

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

/* y_t = x_(t-1) - x_t */
void en_shift_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  for (int32_t i = 0; i < r->n_chains; i++)
    for (int32_t t = r->chains[i].first, before = -1; t >= 0; before = t, t = r->next[t]) {
      const float *dy = en_grad_row(b, step->out, t);
      r->k->axpy(en_grad_row(b, step->in, t), dy, -1, r->c->D);
      if (before >= 0) r->k->add(en_grad_row(b, step->in, before), en_grad_row(b, step->in, before), dy, r->c->D);
    }
  en_grad_clear(b, step->out);
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

/* dx += dy, d of the mix += dy x2, dx2 += dy mix */
static void lerp_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t n = r->c->D;
  (void)lane;
  for (int32_t t = lo; t < hi; t++) {
    const float *w = j->s->add ? en_slot_row(r, j->s->out, t) : en_vector(r, j->s->w), *x2 = en_slot_row(r, j->s->in2, t);
    float *dy = en_grad_row(j->b, j->s->out, t), *dx = en_grad_row(j->b, j->s->in, t), *dx2 = en_grad_row(j->b, j->s->in2, t);
    r->k->add(dx, dx, dy, n);
    for (int32_t i = 0; i < n; i++) {
      dx2[i] += dy[i] * w[i];
      dy[i] = j->s->add ? dy[i] * x2[i] : 0;
    }
  }
}

void en_lerp_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_rows_parallel(b->r, lerp_back_rows, &job);
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

/* y = v + (first - v) m: dfirst += dy m, dm += dy (first - v), dv = dy (1 - m). What all layers above have left for the first value belongs to the first layer's. */
void en_first_value_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  const size_t n = (size_t)r->T * (size_t)r->c->D;
  const float *v = r->slot[step->out], *first = r->slot[step->in], *mix = r->slot[step->in2];
  float *dv = b->d[step->out], *dfirst = b->d[step->in], *dmix = b->d[step->in2];
  for (size_t i = 0; r->layer && i < n; i++) {
    dfirst[i] += dv[i] * mix[i];
    dmix[i] += dv[i] * (first[i] - v[i]);
    dv[i] *= 1 - mix[i];
  }
  for (size_t i = 0; !r->layer && i < n; i++) dv[i] += dfirst[i];
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

/* y = s u with s = sigmoid(x):  du += dy s, dx = dy u s (1 - s). In place: out and in are the same slot. */
static void sigmoid_mul_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t n = (int32_t)en_slot_width(r, j->s->out);
  (void)lane;
  for (int32_t t = lo; t < hi; t++) {
    const float *x = en_slot_row(r, j->s->in, t), *u = en_slot_row(r, j->s->in2, t);
    float *dx = en_grad_row(j->b, j->s->in, t), *du = en_grad_row(j->b, j->s->in2, t);
    for (int32_t from = 0; from < n; from += BLOCK) {
      float s[BLOCK];
      const int32_t to = EN_MIN(n, from + BLOCK);
      en_sigmoid(r->k, s, x + from, to - from);
      for (int32_t i = from; i < to; i++) {
        const float dy = dx[i];
        du[i] += dy * s[i - from];
        dx[i] = dy * u[i] * s[i - from] * (1 - s[i - from]);
      }
    }
  }
}

void en_sigmoid_mul_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_rows_parallel(b->r, sigmoid_mul_back_rows, &job);
}

/* Files hold the matrices that add to x divided by as much, so that 16-bit floats do not overflow. */
static void rescale(const en_run *r, float *x) {
  const int32_t every = r->c->wkv.rescale, n = r->c->D;
  for (int32_t t = 0; every && (r->layer + 1) % every == 0 && t < r->T; t++) r->k->scale(x + (size_t)t * (size_t)n, x + (size_t)t * (size_t)n, 0.5f, n);
}

int32_t en_rescale_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  rescale(r, r->slot[step->out]);
  return 1;
}

void en_rescale_backward(const en_back *b, const en_step *step) { rescale(b->r, b->d[step->out]); }

static void relu2_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const size_t n = (size_t)(hi - lo) * en_slot_width(j->r, j->s->out);
  float *x = en_slot_row(j->r, j->s->out, lo);
  (void)lane;
  for (size_t i = 0; i < n; i++) {
    const float p = x[i] > 0 ? x[i] : 0;
    x[i] = p * p;
  }
}

int32_t en_relu2_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_rows_parallel(r, relu2_rows, &job);
  return 1;
}

void en_relu2_backward(const en_back *b, const en_step *step) {
  const size_t n = (size_t)b->r->T * en_slot_width(b->r, step->out);
  const float *x = b->r->slot[step->in];
  float *d = b->d[step->out];
  for (size_t i = 0; i < n; i++) d[i] *= x[i] > 0 ? 2 * x[i] : 0;
}

static const float head_eps = 64e-5f; /* of the norm of heads in the published models; no key says so */

/* Version 6, a token of a head: y = sum over i of r_i (S_i + u_i k_i v), then S_i = S_i w_i + k_i v with w = exp(-exp(decay)), where w is left. */
static void advance6(const en_run *r, const en_step *s, int32_t t, int32_t at, float *S, float *y, float *w) {
  const en_kernels *k = r->k;
  const int32_t E = r->c->E;
  const float *q = en_slot_row(r, s->in, t) + at, *key = en_slot_row(r, EN_S_WK, t) + at, *v = en_slot_row(r, EN_S_WV, t) + at;
  k->times(w, key, en_vector(r, s->w) + at, E);
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
}

/* One unit is (chain, head); after the recurrence the norm of the head. */
static void wkv6_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const int32_t E = r->c->E, H = r->c->H;
  float w[EN_MAX_WKV];
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / H];
    const int32_t at = unit % H * E;
    float *S = en_state(r, chain, lane, 2 * r->c->D + at * E, E * E);
    for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
      float *y = en_slot_row(r, j->s->out, t) + at;
      advance6(r, j->s, t, at, S, y, w);
      r->k->layer_norm(y, y, en_vector(r, j->s->w + 1) + at, en_vector(r, j->s->w + 2) + at, E, head_eps);
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

/* With row i of S: S_i = S_i w - (kappa . S_i) kappa a + v_i k, y_i = S_i . r. */
static void advance(const en_kernels *k, int32_t E, const update_t *u, const float *v, const float *q, float *S, float *y) {
  for (int32_t i = 0; i < E; i++) {
    float *row = S + i * E;
    const float along = k->dot(row, u->kappa, E);
    k->times(row, row, u->w, E);
    k->axpy(row, u->k, v[i], E);
    y[i] = k->scan(row, u->b, q, 1, -along, E);
  }
}

/* z = norm of the head(y) + (r . k r_k) v; u_k becomes k r. y may be z. Returns r . k r_k. */
static float finish(const en_run *r, const en_step *s, int32_t at, float *u_k, const float *v, const float *q, const float *y, float *z) {
  const int32_t E = r->c->E;
  r->k->layer_norm(z, y, en_vector(r, s->w + 3) + at, en_vector(r, s->w + 4) + at, E, head_eps);
  r->k->times(u_k, u_k, q, E);
  const float bonus = r->k->dot(u_k, en_vector(r, s->w + 2) + at, E);
  r->k->axpy(z, v, bonus, E);
  return bonus;
}

/* One unit is (chain, head). */
static void wkv7_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const int32_t E = r->c->E, H = r->c->H;
  update_t u;
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / H];
    const int32_t at = unit % H * E;
    float *S = en_state(r, chain, lane, 2 * r->c->D + at * E, E * E);
    for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
      const float *q = en_slot_row(r, j->s->in, t) + at, *v = en_slot_row(r, EN_S_WV, t) + at;
      float *y = en_slot_row(r, j->s->out, t) + at;
      update_of(r, j->s, t, at, &u);
      advance(r->k, E, &u, v, q, S, y);
      finish(r, j->s, at, u.k, v, q, y, y);
      r->k->times(y, y, en_slot_row(r, EN_S_GATE, t) + at, E);
    }
  }
}

int32_t en_wkv7_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_parallel(r->host, wkv7_units, &job, r->n_chains * r->c->H, 1);
  return 1;
}

/* ---- backward: the states at every CHUNK-th token are kept and those between them made again, from the end, with G the gradient of S_t. With the forward's names, of row i of 7:
 *   G_i += dy_i r;  dr += dy_i S_i;  dv_i += G_i . k;  dk += v_i G_i;  db -= (kappa . S_i) G_i with b = kappa a;  p = -G_i . b;  dw += G_i S_i;  dkappa += p S_i;
 *   G_i becomes G_i w + p kappa, where S_i is the one before but for the first two.
 * Of 6, where S_i is the one before and dy the gradient of what is normed:
 *   dr_i += dy . S_i;  dv += k_i G_i;  dk_i += G_i . v;  dw_i = G_i . S_i;  G_i becomes G_i w_i + r_i dy;  and with p = dy . v:
 *   dr_i += p u_i k_i;  dk_i += p u_i r_i;  dv += (sum of r_i u_i k_i) dy. ---- */
enum { CHUNK = 16 };

size_t en_wkv_back_floats(const en_config *c, int32_t n_tokens, int32_t n_lanes) {
  return (size_t)n_lanes * ((size_t)en_blocks(n_tokens, CHUNK) + CHUNK + 2) * (size_t)c->E * (size_t)c->E;
}

typedef struct { float y[EN_MAX_WKV], dy[EN_MAX_WKV], dz[EN_MAX_WKV], w[EN_MAX_WKV], k[EN_MAX_WKV], kappa[EN_MAX_WKV], b[EN_MAX_WKV]; } back_t; /* gradients, but y */

/* From gradients of w, k, kappa and b to those of the slots they were made of. */
static void update_back(const en_back_job *j, int32_t t, int32_t at, const update_t *u, back_t *g) {
  const en_run *r = j->b->r;
  const int32_t E = r->c->E;
  const float *key = en_slot_row(r, EN_S_WK, t) + at, *rate = en_slot_row(r, EN_S_RATE, t) + at, *k_k = en_vector(r, j->s->w) + at, *k_a = en_vector(r, j->s->w + 1) + at;
  float *dkey = en_grad_row(j->b, EN_S_WK, t) + at, *drate = en_grad_row(j->b, EN_S_RATE, t) + at, *ddecay = en_grad_row(j->b, EN_S_DECAY, t) + at, sigma[EN_MAX_WKV];
  for (int32_t i = 0; i < E; i++) {
    drate[i] += g->b[i] * u->kappa[i] + g->k[i] * key[i] * k_a[i];
    g->kappa[i] += g->b[i] * rate[i];
    sigma[i] = key[i] * k_k[i];
  }
  const float length = EN_MAX(sqrtf(r->k->dot(sigma, sigma, E)), 1e-12f), along = r->k->dot(u->kappa, g->kappa, E);
  for (int32_t i = 0; i < E; i++) dkey[i] += (g->kappa[i] - u->kappa[i] * along) / length * k_k[i] + g->k[i] * (1 + (rate[i] - 1) * k_a[i]);
  en_sigmoid(r->k, sigma, en_slot_row(r, EN_S_DECAY, t) + at, E);
  for (int32_t i = 0; i < E; i++) ddecay[i] -= g->w[i] * u->w[i] * 0.606531f * sigma[i] * (1 - sigma[i]);
}

/* before, after: S around the token. */
static void wkv7_back_token(const en_back_job *j, int32_t t, int32_t at, const float *before, float *G) {
  const en_run *r = j->b->r;
  const en_kernels *k = r->k;
  const int32_t E = r->c->E;
  const float *q = en_slot_row(r, j->s->in, t) + at, *v = en_slot_row(r, EN_S_WV, t) + at, *after = before + E * E, *gate = en_slot_row(r, EN_S_GATE, t) + at;
  const float *dout = en_grad_row(j->b, j->s->out, t) + at, *r_k = en_vector(r, j->s->w + 2) + at;
  float *dq = en_grad_row(j->b, j->s->in, t) + at, *dv = en_grad_row(j->b, EN_S_WV, t) + at, *dgate = en_grad_row(j->b, EN_S_GATE, t) + at, z[EN_MAX_WKV];
  update_t u;
  back_t g = {0};
  update_of(r, j->s, t, at, &u);
  for (int32_t i = 0; i < E; i++) g.y[i] = k->dot(after + i * E, q, E);
  memcpy(g.k, u.k, (size_t)E * sizeof(float));
  const float bonus = finish(r, j->s, at, g.k, v, q, g.y, z);
  k->times(g.dz, dout, gate, E);
  const float dbonus = k->dot(g.dz, v, E);
  for (int32_t i = 0; i < E; i++) {
    dgate[i] += dout[i] * z[i];
    dv[i] += bonus * g.dz[i];
    dq[i] += dbonus * r_k[i] * u.k[i];
    g.k[i] = dbonus * r_k[i] * q[i];
  }
  en_layer_norm_back(g.dy, g.dz, g.y, en_vector(r, j->s->w + 3) + at, E, head_eps);
  for (int32_t i = 0; i < E; i++) {
    const float *row = before + i * E;
    float *Gi = G + i * E;
    k->axpy(Gi, q, g.dy[i], E);
    k->axpy(dq, after + i * E, g.dy[i], E);
    dv[i] += k->dot(Gi, u.k, E);
    k->axpy(g.k, Gi, v[i], E);
    k->axpy(g.b, Gi, -k->dot(row, u.kappa, E), E);
    const float p = -k->dot(Gi, u.b, E);
    k->times(z, Gi, row, E);
    k->add(g.w, g.w, z, E);
    k->axpy(g.kappa, row, p, E);
    k->times(Gi, Gi, u.w, E);
    k->axpy(Gi, u.kappa, p, E);
  }
  update_back(j, t, at, &u, &g);
}

/* before: S before the token. */
static void wkv6_back_token(const en_back_job *j, int32_t t, int32_t at, const float *before, float *G) {
  const en_run *r = j->b->r;
  const en_kernels *k = r->k;
  const int32_t E = r->c->E;
  const float *q = en_slot_row(r, j->s->in, t) + at, *key = en_slot_row(r, EN_S_WK, t) + at, *v = en_slot_row(r, EN_S_WV, t) + at, *first = en_vector(r, j->s->w) + at;
  float *dq = en_grad_row(j->b, j->s->in, t) + at, *dkey = en_grad_row(j->b, EN_S_WK, t) + at, *dv = en_grad_row(j->b, EN_S_WV, t) + at, *ddecay = en_grad_row(j->b, EN_S_DECAY, t) + at;
  float y[EN_MAX_WKV], dy[EN_MAX_WKV] = {0}, w[EN_MAX_WKV], rate[EN_MAX_WKV], bonus = 0;
  k->exp_sum(rate, en_slot_row(r, EN_S_DECAY, t) + at, 0, E);
  k->scale(w, rate, -1, E);
  k->exp_sum(w, w, 0, E);
  for (int32_t i = 0; i < E; i++) bonus += q[i] * first[i] * key[i];
  k->scale(y, v, bonus, E);
  for (int32_t i = 0; i < E; i++) k->axpy(y, before + i * E, q[i], E);
  en_layer_norm_back(dy, en_grad_row(j->b, j->s->out, t) + at, y, en_vector(r, j->s->w + 1) + at, E, head_eps);
  const float p = k->dot(dy, v, E);
  k->axpy(dv, dy, bonus, E);
  for (int32_t i = 0; i < E; i++) {
    const float *row = before + i * E;
    float *Gi = G + i * E;
    dq[i] += k->dot(dy, row, E) + p * first[i] * key[i];
    dkey[i] += k->dot(Gi, v, E) + p * first[i] * q[i];
    ddecay[i] -= k->dot(Gi, row, E) * w[i] * rate[i];
    k->axpy(dv, Gi, key[i], E);
    k->scale(Gi, Gi, w[i], E);
    k->axpy(Gi, dy, q[i], E);
  }
}

static void again(const en_back_job *j, int32_t t, int32_t at, float *S) {
  const en_run *r = j->b->r;
  float y[EN_MAX_WKV];
  update_t u;
  if (j->s->op == EN_OP_WKV6) { advance6(r, j->s, t, at, S, y, u.w); return; }
  update_of(r, j->s, t, at, &u);
  advance(r->k, r->c->E, &u, en_slot_row(r, EN_S_WV, t) + at, en_slot_row(r, j->s->in, t) + at, S, y);
}

static void wkv_back_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t E = r->c->E;
  const size_t n = (size_t)E * (size_t)E, bytes = n * sizeof(float);
  float *G = j->b->attend + (size_t)lane * en_wkv_back_floats(r->c, r->n_ctx, 1), *states = G + n, *kept = states + (CHUNK + 1) * n;
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / r->c->H]; /* in training its rows lie side by side */
    const int32_t at = unit % r->c->H * E, first = chain->first, end = chain->last + 1;
    memset(states, 0, bytes);
    for (int32_t t = first; t < end; t++) {
      if ((t - first) % CHUNK == 0) memcpy(kept + (size_t)((t - first) / CHUNK) * n, states, bytes);
      again(j, t, at, states);
    }
    memset(G, 0, bytes);
    for (int32_t from = first + (end - 1 - first) / CHUNK * CHUNK; from >= first; from -= CHUNK) {
      const int32_t to = EN_MIN(from + CHUNK, end);
      memcpy(states, kept + (size_t)((from - first) / CHUNK) * n, bytes);
      for (int32_t t = from; t < to; t++) {
        memcpy(states + (size_t)(t + 1 - from) * n, states + (size_t)(t - from) * n, bytes);
        again(j, t, at, states + (size_t)(t + 1 - from) * n);
      }
      for (int32_t t = to - 1; t >= from; t--) (j->s->op == EN_OP_WKV6 ? wkv6_back_token : wkv7_back_token)(j, t, at, states + (size_t)(t - from) * n, G);
    }
  }
}

static void wkv_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_parallel(b->r->host, wkv_back_units, &job, b->r->n_chains * b->r->c->H, 1);
  en_grad_clear(b, step->out);
}

void en_wkv6_backward(const en_back *b, const en_step *step) { wkv_backward(b, step); }
void en_wkv7_backward(const en_back *b, const en_step *step) { wkv_backward(b, step); }

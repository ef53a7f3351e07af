/* scan.c - the state-space recurrence of Mamba 1 and 2. Of channel c with input x, time step d = softplus(step + bias) and its head's or its own A:
 *   S_t = exp(d A) S_(t-1) + d x B,  y_t = S_t . C + D x.
 * Mamba 1: A is [I, N], B and C are in slot P behind the R numbers of the time steps. Mamba 2: A is [heads], B and C of every group of heads lie in
 * the input slot behind its I channels. The state of a sequence: [I, N], behind the convolution's. */
#include "layers_internal.h"
#include <math.h>

enum {
  BLOCK = 512,  /* numbers of state that are worked on at once */
  PARTS = 8     /* of the backward, whatever the number of lanes: each sums what reaches B and C, and these sums are added in order */
};

static int32_t block_channels(const en_config *c) { return EN_MAX(1, BLOCK / c->ssm.N); }
static int32_t head_of(const en_config *c, int32_t channel) { return channel / (c->ssm.I / c->ssm.heads); }
static size_t bc_floats(const en_config *c) { return 2 * (size_t)EN_MAX(c->ssm.G, 1) * (size_t)c->ssm.N; }
/* Where B of the first group is in a row of P or of the input; C's are behind all B's. */
static int32_t bc_slot(const en_config *c, const en_step *s) { return c->ssm.R ? EN_S_P : s->in; }
static int32_t bc_at(const en_config *c) { return c->ssm.R ? c->ssm.R : c->ssm.I; }
static size_t group_at(const en_config *c, int32_t channel) { return c->ssm.G ? (size_t)(head_of(c, channel) / (c->ssm.heads / c->ssm.G)) * (size_t)c->ssm.N : 0; }

/* y is not x. log(1 + e^x) = max(x, 0) + log1p(e^-|x|); the logarithm by its series in z = e / (2 + e), at most 1/3. Only operations whose bits are the same everywhere. */
static void softplus(const en_kernels *k, float *y, const float *x, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = x[i] < 0 ? x[i] : -x[i];
  k->exp_sum(y, y, 0, n);
  for (int32_t i = 0; i < n; i++) {
    const float z = y[i] / (2 + y[i]), q = z * z;
    y[i] = (x[i] > 0 ? x[i] : 0) + 2 * z * (1 + q * (1 / 3.0f + q * (1 / 5.0f + q * (1 / 7.0f + q * (1 / 9.0f + q * (1 / 11.0f + q * (1 / 13.0f)))))));
  }
}

/* Time steps of n channels from c0 on, before and after softplus, and exp(d A): [n, N] in Mamba 1, [n] in Mamba 2. */
typedef struct { float raw[BLOCK], d[BLOCK], decay[BLOCK]; } steps_t;

static void time_steps(const en_run *r, const en_step *s, int32_t t, int32_t c0, int32_t n, steps_t *o) {
  const int32_t N = r->c->ssm.N, per_channel = r->c->ssm.R > 0;
  const float *step = en_slot_row(r, s->in2, t), *bias = en_vector(r, s->b), *A = en_vector(r, s->w);
  for (int32_t i = 0; i < n; i++) {
    const int32_t h = head_of(r->c, c0 + i);
    o->raw[i] = step[h] + (bias ? bias[h] : 0);
  }
  softplus(r->k, o->d, o->raw, n);
  for (int32_t i = 0; i < n; i++) {
    if (per_channel) r->k->scale(o->decay + i * N, A + (size_t)(c0 + i) * (size_t)N, o->d[i], N);
    else o->decay[i] = o->d[i] * A[head_of(r->c, c0 + i)];
  }
  r->k->exp_sum(o->decay, o->decay, 0, per_channel ? n * N : n);
}

/* S of n channels, one token on; y: S . C of each. */
static void advance(const en_run *r, const en_step *s, int32_t t, int32_t c0, int32_t n, const steps_t *at, float *S, float *y) {
  const int32_t N = r->c->ssm.N, per_channel = r->c->ssm.R > 0;
  const float *x = en_slot_row(r, s->in, t), *B = en_slot_row(r, bc_slot(r->c, s), t) + bc_at(r->c), *C = B + bc_floats(r->c) / 2;
  if (per_channel) r->k->times(S, S, at->decay, n * N);
  for (int32_t i = 0; i < n; i++) {
    const size_t group = group_at(r->c, c0 + i);
    y[i] = r->k->scan(S + i * N, B + group, C + group, per_channel ? 1 : at->decay[i], at->d[i] * x[c0 + i], N);
  }
}

/* One unit is (chain, block of channels). */
static void scan_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const en_ssm *m = &r->c->ssm;
  const int32_t per = block_channels(r->c), n_blocks = en_blocks(m->I, per), begin = r->c->n_state - m->I * m->N;
  const float *D = en_vector(r, j->s->w + 1);
  steps_t at;
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / n_blocks];
    const int32_t c0 = unit % n_blocks * per, n = EN_MIN(per, m->I - c0);
    float *S = en_state(r, chain, lane, begin + c0 * m->N, n * m->N);
    for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
      const float *x = en_slot_row(r, j->s->in, t);
      float *y = en_slot_row(r, j->s->out, t);
      time_steps(r, j->s, t, c0, n, &at);
      advance(r, j->s, t, c0, n, &at, S, y + c0);
      for (int32_t c = c0; c < c0 + n; c++) y[c] += D[m->R ? c : head_of(r->c, c)] * x[c];
    }
  }
}

int32_t en_scan_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_parallel(r->host, scan_units, &job, r->n_chains * en_blocks(r->c->ssm.I, block_channels(r->c)), 1);
  return 1;
}

/* ---- backward: the states again, all of them, then from the end, with g the gradient of S_t:
 *   g += dy C;  dC += dy S_t;  dB += d x g;  q = g . B;  dx += d q + D dy;  dd += x q + sum of g S_(t-1) A exp(d A);  g becomes g exp(d A). ---- */
typedef struct { float *states /* [tokens + 1, BLOCK] */, *bc /* [T, bc_floats] what this part adds to B and C */; } back_memory;

size_t en_scan_back_floats(const en_config *c, int32_t n_tokens, int32_t n_lanes) {
  return (size_t)n_lanes * ((size_t)n_tokens + 1) * BLOCK + PARTS * (size_t)n_tokens * bc_floats(c);
}

static void back_token(const en_back_job *j, const back_memory *m, int32_t t, int32_t c0, int32_t n, const float *before, float *g) {
  const en_run *r = j->b->r;
  const en_kernels *k = r->k;
  const int32_t N = r->c->ssm.N, per_channel = r->c->ssm.R > 0;
  const float *x = en_slot_row(r, j->s->in, t), *dy = en_grad_row(j->b, j->s->out, t), *B = en_slot_row(r, bc_slot(r->c, j->s), t) + bc_at(r->c);
  const float *A = en_vector(r, j->s->w), *D = en_vector(r, j->s->w + 1), *after = before + BLOCK;
  float *dx = en_grad_row(j->b, j->s->in, t), *dstep = en_grad_row(j->b, j->s->in2, t), *dB = m->bc + (size_t)t * bc_floats(r->c), moved[EN_MAX_STATE];
  const size_t to_c = bc_floats(r->c) / 2;
  steps_t at;
  time_steps(r, j->s, t, c0, n, &at);
  for (int32_t i = 0; i < n; i++) {
    const int32_t c = c0 + i, h = head_of(r->c, c);
    const size_t group = group_at(r->c, c);
    float *gi = g + i * N;
    const float *S = before + i * N;
    k->axpy(gi, B + to_c + group, dy[c], N);
    k->axpy(dB + to_c + group, after + i * N, dy[c], N);
    k->axpy(dB + group, gi, at.d[i] * x[c], N);
    const float q = k->dot(gi, B + group, N);
    float dd = x[c] * q;
    dx[c] += at.d[i] * q + D[per_channel ? c : h] * dy[c];
    if (per_channel) k->times(gi, gi, at.decay + i * N, N);
    else k->scale(gi, gi, at.decay[i], N);
    k->times(moved, gi, S, N);
    for (int32_t s = 0; s < N; s++) dd += moved[s] * A[per_channel ? c * N + s : h];
    dstep[h] += dd / (1 + expf(-at.raw[i]));
  }
}

static void back_block(const en_back_job *j, const back_memory *m, const en_chain *chain, int32_t c0, int32_t n) {
  const en_run *r = j->b->r;
  float g[BLOCK] = {0}, y[BLOCK], *S = m->states;
  steps_t at;
  memset(S, 0, BLOCK * sizeof *S);
  for (int32_t t = chain->first; t >= 0; t = r->next[t], S += BLOCK) {
    memcpy(S + BLOCK, S, BLOCK * sizeof *S);
    time_steps(r, j->s, t, c0, n, &at);
    advance(r, j->s, t, c0, n, &at, S + BLOCK, y);
  }
  for (int32_t t = chain->last; t >= chain->first; t--) back_token(j, m, t, c0, n, S -= BLOCK, g); /* in training a chain's rows lie side by side */
}

/* One unit is a part of the heads: with them goes all that only they add to. */
static void scan_back_parts(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const en_ssm *m = &r->c->ssm;
  const int32_t width = m->I / m->heads, per = block_channels(r->c);
  const size_t lanes_end = (size_t)en_lanes(r->host) * ((size_t)r->n_ctx + 1) * BLOCK;
  for (int32_t part = lo; part < hi; part++) {
    const int32_t end = (int32_t)((int64_t)m->heads * (part + 1) / PARTS) * width;
    const back_memory memory = {j->b->attend + (size_t)lane * ((size_t)r->n_ctx + 1) * BLOCK, j->b->attend + lanes_end + (size_t)part * (size_t)r->n_ctx * bc_floats(r->c)};
    memset(memory.bc, 0, (size_t)r->T * bc_floats(r->c) * sizeof(float));
    for (int32_t i = 0; i < r->n_chains; i++)
      for (int32_t c0 = (int32_t)((int64_t)m->heads * part / PARTS) * width, n; c0 < end; c0 += n) {
        n = EN_MIN(per, end - c0);
        back_block(j, &memory, &r->chains[i], c0, n);
      }
  }
}

void en_scan_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  const en_run *r = b->r;
  const int32_t n = (int32_t)bc_floats(r->c);
  const float *sums = b->attend + (size_t)en_lanes(r->host) * ((size_t)r->n_ctx + 1) * BLOCK;
  en_parallel(r->host, scan_back_parts, &job, PARTS, 1);
  for (int32_t part = 0; part < PARTS; part++, sums += (size_t)r->n_ctx * (size_t)n)
    for (int32_t t = 0; t < r->T; t++) {
      float *d = en_grad_row(b, bc_slot(r->c, step), t) + bc_at(r->c);
      r->k->add(d, d, sums + (size_t)t * (size_t)n, n);
    }
  en_grad_clear(b, step->out);
}

/* experts.c - mixture of experts (Shazeer et al. 2017; as in Mixtral, Jiang et al. 2024). ROUTES[t, e] is the weight of expert e for token t, and 0 where
 * the token does not go there. Every token goes to n_used experts, so there are T n_used pairs (expert, token), in that order: an expert's rows lie
 * side by side, and go through the same products as those of any matrix. */
#include "layers_internal.h"
#include <float.h>

static float route(const en_run *r, int32_t t, int32_t e) { return r->slot[EN_S_ROUTES][(size_t)t * (size_t)r->c->n_experts + (size_t)e]; }

static int32_t n_rows(const en_run *r, int32_t e) {
  int32_t n = 0;
  for (int32_t t = 0; t < r->T; t++) n += route(r, t, e) != 0;
  return n;
}

/* A softmax over all experts whose best ones are scaled to a sum of 1 is a softmax over the best ones. z: [n_experts], changed in place. */
static void choose(const en_run *r, float *z) {
  const int32_t n_experts = r->c->n_experts, n_used = r->c->n_used;
  uint8_t chosen[EN_MAX_EXPERTS] = {0};
  float p[EN_MAX_USED] = {0}, top = 0;
  for (int32_t i = 0; i < n_used; i++) {
    int32_t best = 0;
    while (chosen[best]) best++;
    for (int32_t e = best + 1; e < n_experts; e++)
      if (!chosen[e] && z[e] > z[best]) best = e;
    chosen[best] = 1;
    if (!i) top = z[best];
  }
  for (int32_t e = 0, n = 0; e < n_experts; e++)
    if (chosen[e]) p[n++] = z[e];
  const float sum = r->k->exp_sum(p, p, top, n_used);
  for (int32_t e = 0, n = 0; e < n_experts; e++) {
    z[e] = chosen[e] ? p[n++] / sum : 0;
    if (chosen[e] && z[e] == 0) z[e] = FLT_MIN; /* 0 would mean that the token does not go there */
  }
}

int32_t en_route_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  for (int32_t t = 0; t < r->T; t++) choose(r, en_slot_row(r, step->out, t));
  return 1;
}

/* p = softmax(z):  dz = p (dp - p . dp), and 0 where p is */
void en_route_backward(const en_back *b, const en_step *step) {
  const int32_t n = b->r->c->n_experts;
  for (int32_t t = 0; t < b->r->T; t++) {
    const float *p = b->out + (size_t)t * (size_t)n;
    float *d = en_grad_row(b, step->out, t), mean = 0;
    for (int32_t e = 0; e < n; e++) mean += p[e] * d[e];
    for (int32_t e = 0; e < n; e++) d[e] = p[e] * (d[e] - mean);
  }
}

int32_t en_gather_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const size_t D = (size_t)r->c->D;
  float *pair = r->slot[step->out];
  (void)n_steps;
  for (int32_t e = 0; e < r->c->n_experts; e++)
    for (int32_t t = 0; t < r->T; t++) {
      if (route(r, t, e) == 0) continue;
      memcpy(pair, en_slot_row(r, step->in, t), D * sizeof *pair);
      pair += D;
    }
  return 1;
}

void en_gather_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  const float *pair = b->d[step->out];
  for (int32_t e = 0; e < r->c->n_experts; e++)
    for (int32_t t = 0; t < r->T; t++) {
      if (route(r, t, e) == 0) continue;
      r->k->add(en_grad_row(b, step->in, t), en_grad_row(b, step->in, t), pair, r->c->D);
      pair += r->c->D;
    }
  en_grad_clear(b, step->out);
}

/* Matrix e of a stack. Its rows are all packed or all plain (core/model/model.c). */
static en_weight expert_of(const en_run *r, int32_t index, int32_t e) {
  en_weight w = r->w[index];
  w.rows /= r->c->n_experts;
  w.data += (size_t)e * (size_t)w.rows * en_row_bytes(&w);
  w.n_packed = w.n_packed ? w.rows : 0;
  return w;
}

/* One token: its pairs hold the same row, so that all its experts are one product. */
static void one_token(const en_run *r, const en_step *step, int32_t n) {
  en_weight w[2 * EN_MAX_USED];
  en_out outs[2 * EN_MAX_USED];
  int32_t n_outs = 0;
  for (int32_t i = 0; i < n; i++)
    for (int32_t e = 0, row = 0; e < r->c->n_experts; e++) {
      if (route(r, 0, e) == 0) continue;
      w[n_outs] = expert_of(r, step[i].w, e);
      const size_t rows = (size_t)w[n_outs].rows;
      outs[n_outs] = (en_out){&w[n_outs], r->slot[step[i].out] + (size_t)row++ * rows, rows, NULL, 0};
      n_outs++;
    }
  en_matmul(r->k, r->host, r->slot[step->in], (size_t)w[0].cols, 1, outs, n_outs, r->scratch);
}

/* Two EXPERTS steps with the same input (gate, up) are one product. */
int32_t en_experts_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const int32_t n = n_steps > 1 && step[1].op == EN_OP_EXPERTS && step[1].in == step->in ? 2 : 1;
  if (r->T == 1 && step->in == EN_S_PAIRS) {
    one_token(r, step, n);
    return n;
  }
  size_t row = 0;
  for (int32_t e = 0; e < r->c->n_experts; e++) {
    en_weight w[2];
    en_out outs[2];
    const int32_t T = n_rows(r, e);
    for (int32_t i = 0; i < n; i++) {
      w[i] = expert_of(r, step[i].w, e);
      outs[i] = (en_out){&w[i], r->slot[step[i].out] + row * (size_t)w[i].rows, (size_t)w[i].rows, NULL, 0};
    }
    en_matmul(r->k, r->host, r->slot[step->in] + row * (size_t)w->cols, (size_t)w->cols, T, outs, n, r->scratch);
    row += (size_t)T;
  }
  return n;
}

/* As LINEAR's, an expert at a time. */
void en_experts_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  float *dw = en_grad_weight(b, step->w);
  size_t row = 0;
  for (int32_t e = 0; e < r->c->n_experts; e++) {
    const en_weight w = expert_of(r, step->w, e);
    const size_t rows = (size_t)w.rows, cols = (size_t)w.cols;
    const int32_t T = n_rows(r, e);
    float *dy = b->d[step->out] + row * rows;
    if (dw) en_matmul_outer(r->k, r->host, &w, dy, rows, r->slot[step->in] + row * cols, cols, dw + (size_t)e * rows * cols, T);
    en_matmul_t(r->k, r->host, &w, dy, rows, b->d[step->in] + row * cols, cols, T, r->scratch);
    row += (size_t)T;
  }
  en_grad_clear(b, step->out);
}

int32_t en_scatter_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const float *pair = r->slot[step->in];
  (void)n_steps;
  for (int32_t e = 0; e < r->c->n_experts; e++)
    for (int32_t t = 0; t < r->T; t++) {
      if (route(r, t, e) == 0) continue;
      r->k->axpy(en_slot_row(r, step->out, t), pair, route(r, t, e), r->c->D);
      pair += r->c->D;
    }
  return 1;
}

/* y += p x:  dx += p dy, dp += dy . x */
void en_scatter_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  size_t at = 0;
  for (int32_t e = 0; e < r->c->n_experts; e++)
    for (int32_t t = 0; t < r->T; t++) {
      if (route(r, t, e) == 0) continue;
      const float *dy = en_grad_row(b, step->out, t);
      r->k->axpy(b->d[step->in] + at, dy, route(r, t, e), r->c->D);
      en_grad_row(b, step->in2, t)[e] += r->k->dot(dy, r->slot[step->in] + at, r->c->D);
      at += (size_t)r->c->D;
    }
}

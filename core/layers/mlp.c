/* mlp.c - gated activations of the feed-forward block. */
#include "layers_internal.h"
#include <math.h>

static void silu_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_row_job *j = ctx;
  const int32_t n = (int32_t)en_slot_width(j->r, j->s->in);
  for (int32_t t = lo; t < hi; t++)
    j->r->k->silu_mul(en_slot_row(j->r, j->s->out, t), en_slot_row(j->r, j->s->in, t), en_slot_row(j->r, j->s->in2, t), n);
}

int32_t en_silu_mul_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const en_row_job job = {r, step};
  en_rows_parallel(r, silu_rows, &job);
  return 1;
}

/* y = silu(g) u, silu(g) = g s, s = sigmoid(g):  dg = dy u s (1 + g (1 - s)), du = dy silu(g). In place: out and in are the same slot. */
static void silu_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t n = (int32_t)en_slot_width(r, j->s->in);
  for (int32_t t = lo; t < hi; t++) {
    const float *g = en_slot_row(r, j->s->in, t), *u = en_slot_row(r, j->s->in2, t);
    float *dg = en_grad_row(j->b, j->s->in, t), *du = en_grad_row(j->b, j->s->in2, t);
    for (int32_t i = 0; i < n; i++) {
      const float dy = dg[i], s = 1 / (1 + expf(-g[i]));
      du[i] += dy * g[i] * s;
      dg[i] = dy * u[i] * s * (1 + g[i] * (1 - s));
    }
  }
}

void en_silu_mul_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_rows_parallel(b->r, silu_back_rows, &job);
}

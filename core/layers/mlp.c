/* mlp.c - gated activations of the feed-forward block. */
#include "layers_internal.h"

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

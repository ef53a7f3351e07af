/* norm.c - RMSNorm and LayerNorm per token. */
#include "layers_internal.h"

static void rms_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_row_job *j = ctx;
  const int32_t n = (int32_t)en_slot_width(j->r, j->s->in);
  for (int32_t t = lo; t < hi; t++)
    j->r->k->rms_norm(en_slot_row(j->r, j->s->out, t), en_slot_row(j->r, j->s->in, t), en_vector(j->r, j->s->w), n, j->r->c->norm_eps);
}

int32_t en_rms_norm_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const en_row_job job = {r, step};
  en_rows_parallel(r, rms_rows, &job);
  return 1;
}

static void layer_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_row_job *j = ctx;
  const int32_t n = (int32_t)en_slot_width(j->r, j->s->in);
  for (int32_t t = lo; t < hi; t++)
    j->r->k->layer_norm(en_slot_row(j->r, j->s->out, t), en_slot_row(j->r, j->s->in, t), en_vector(j->r, j->s->w), en_vector(j->r, j->s->b), n, j->r->c->norm_eps);
}

int32_t en_layer_norm_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const en_row_job job = {r, step};
  en_rows_parallel(r, layer_rows, &job);
  return 1;
}

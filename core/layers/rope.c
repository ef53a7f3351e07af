/* rope.c - rotary position embedding (Su et al. 2021) of every head of a slot, in place. The angles come ready as cos, sin pairs. */
#include "layers_internal.h"

typedef void (*rope_kernel)(float *x, const float *cs, int32_t n_head, int32_t head, int32_t rot);
typedef struct { const en_run *r; const en_step *s; rope_kernel rotate; } rope_job;

static void rope_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const rope_job *j = ctx;
  const en_config *c = j->r->c;
  const int32_t n_head = (int32_t)en_slot_width(j->r, j->s->out) / c->E;
  for (int32_t t = lo; t < hi; t++) j->rotate(en_slot_row(j->r, j->s->out, t), j->r->cs + (size_t)t * (size_t)c->rot, n_head, c->E, c->rot);
}

int32_t en_rope_pairs_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const rope_job job = {r, step, r->k->rope_pairs};
  en_rows_parallel(r, rope_rows, &job);
  return 1;
}

int32_t en_rope_halves_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const rope_job job = {r, step, r->k->rope_halves};
  en_rows_parallel(r, rope_rows, &job);
  return 1;
}

/* A rotation's transpose is the rotation by the opposite angle: cos, -sin. */
static void rope_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_back_job *j = ctx;
  const en_config *c = j->b->r->c;
  const int32_t half = c->rot / 2, n_head = (int32_t)en_slot_width(j->b->r, j->s->out) / c->E;
  const int pairs = j->s->op == EN_OP_ROPE_PAIRS;
  for (int32_t t = lo; t < hi; t++) {
    const float *cs = j->b->r->cs + (size_t)t * (size_t)c->rot;
    float *d = en_grad_row(j->b, j->s->out, t);
    for (int32_t h = 0; h < n_head; h++, d += c->E)
      for (int32_t i = 0; i < half; i++) {
        float *p = &d[pairs ? 2 * i : i], *q = &d[pairs ? 2 * i + 1 : i + half];
        const float a = *p, b = *q;
        *p = a * cs[2 * i] + b * cs[2 * i + 1];
        *q = b * cs[2 * i] - a * cs[2 * i + 1];
      }
  }
}

void en_rope_pairs_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_rows_parallel(b->r, rope_back_rows, &job);
}

void en_rope_halves_backward(const en_back *b, const en_step *step) { en_rope_pairs_backward(b, step); }

/* rope.c - rotary position embedding (Su et al. 2021) of every head of a slot, in place. The angles come ready as cos, sin pairs. */
#include "layers_internal.h"
#include <math.h>

/* The pair (as a real number) that turns `turns` times within the original context. */
static double pair_of(const en_config *c, const en_rope *r, double turns) {
  const double pi = 3.14159265358979323846;
  return c->rot * log(c->n_ctx_orig / (turns * 2 * pi)) / (2 * log((double)r->base));
}

void en_rope_frequencies(double *freq, const en_config *c, const en_rope *r, const float *factors) {
  const double lo = fmax(0, floor(pair_of(c, r, (double)r->beta_fast))), hi = fmin(c->rot - 1, ceil(pair_of(c, r, (double)r->beta_slow)));
  for (int32_t i = 0; i < c->rot / 2; i++) {
    const double plain = pow((double)r->base, -2.0 * i / c->rot) / (factors ? (double)factors[i] : 1.0), scaled = plain * (double)r->scale;
    freq[i] = scaled;
    if (!(r->yarn > 0)) continue;
    const double along = fmin(fmax((i - lo) / fmax(0.001, hi - lo), 0), 1), keep = (1 - along) * (double)r->yarn;
    freq[i] = scaled * (1 - keep) + plain * keep;
  }
}

void en_rope_angles(float *cs, const double *freq, int32_t rot, float mscale, double position) {
  for (int32_t i = 0; i < rot / 2; i++) {
    cs[2 * i] = (float)((double)mscale * cos(position * freq[i]));
    cs[2 * i + 1] = (float)((double)mscale * sin(position * freq[i]));
  }
}

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

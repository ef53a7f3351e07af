/* pointwise.c - operations that treat every element by itself, and the sum of two slots. */
#include "layers_internal.h"

void en_sigmoid(const en_kernels *k, float *y, const float *x, int32_t n) {
  k->scale(y, x, -1, n);
  k->exp_sum(y, y, 0, n);
  for (int32_t i = 0; i < n; i++) y[i] = 1 / (1 + y[i]);
}

static void add_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_row_job *j = ctx;
  const int32_t n = (int32_t)en_slot_width(j->r, j->s->in);
  for (int32_t t = lo; t < hi; t++) {
    float *y = en_slot_row(j->r, j->s->out, t);
    j->r->k->add(y, y, en_slot_row(j->r, j->s->in, t), n);
  }
}

int32_t en_add_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const en_row_job job = {r, step};
  en_rows_parallel(r, add_rows, &job);
  return 1;
}

/* Both terms get the gradient of the sum; out's own stays as it is. */
void en_add_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  for (int32_t t = 0; t < r->T; t++) {
    float *d = en_grad_row(b, step->in, t);
    r->k->add(d, d, en_grad_row(b, step->out, t), (int32_t)en_slot_width(r, step->in));
  }
}

int32_t en_scale_embed_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  for (int32_t t = 0; t < r->T; t++) {
    float *x = en_slot_row(r, step->out, t);
    r->k->scale(x, x, r->c->embed_scale, (int32_t)en_slot_width(r, step->out));
  }
  return 1;
}

void en_scale_embed_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  for (int32_t t = 0; t < r->T; t++) {
    float *d = en_grad_row(b, step->out, t);
    r->k->scale(d, d, r->c->embed_scale, (int32_t)en_slot_width(r, step->out));
  }
}

static void softcap_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_row_job *j = ctx;
  const int32_t n = (int32_t)en_slot_width(j->r, j->s->out);
  for (int32_t t = lo; t < hi; t++) {
    float *y = en_slot_row(j->r, j->s->out, t);
    j->r->k->softcap(y, y, j->r->c->logit_softcap, n);
  }
}

int32_t en_softcap_logits_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const en_row_job job = {r, step};
  if (r->c->logit_softcap > 0) en_rows_parallel(r, softcap_rows, &job);
  return 1;
}

/* y = c tanh(x / c):  dx = dy (1 - (y / c)^2) */
void en_softcap_logits_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  const size_t n = (size_t)r->T * en_slot_width(r, step->out);
  const float cap = r->c->logit_softcap;
  float *d = b->d[step->out];
  for (size_t i = 0; cap > 0 && i < n; i++) d[i] *= 1 - (b->out[i] / cap) * (b->out[i] / cap);
}

/* softcap(x, 1) is tanh(x). */
int32_t en_tanh_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  for (int32_t t = 0; t < r->T; t++) {
    float *x = en_slot_row(r, step->out, t);
    r->k->softcap(x, x, 1, (int32_t)en_slot_width(r, step->out));
  }
  return 1;
}

/* dx = dy (1 - y^2) */
void en_tanh_backward(const en_back *b, const en_step *step) {
  const size_t n = (size_t)b->r->T * en_slot_width(b->r, step->out);
  float *d = b->d[step->out];
  for (size_t i = 0; i < n; i++) d[i] *= 1 - b->out[i] * b->out[i];
}

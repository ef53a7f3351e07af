/* norm.c - RMSNorm and LayerNorm per token. */
#include "layers_internal.h"
#include <math.h>

/* RMS_NORM works on whole rows, HEAD_NORM on every head of a row by itself, GROUP_RMS on parts of it: all are rows of n values. */
static int32_t norm_width(const en_run *r, const en_step *s) {
  const int32_t width = (int32_t)en_slot_width(r, s->in);
  return s->op == EN_OP_HEAD_NORM ? r->c->E : s->op == EN_OP_GROUP_RMS ? width / r->c->ssm.G : width;
}
/* From one part's weights to the next part's: heads share theirs. */
static int32_t weight_step(const en_step *s, int32_t n) { return s->op == EN_OP_HEAD_NORM ? 0 : n; }

static void rms_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_row_job *j = ctx;
  const int32_t n = norm_width(j->r, j->s), width = (int32_t)en_slot_width(j->r, j->s->in);
  const float *w = en_vector(j->r, j->s->w);
  for (int32_t t = lo; t < hi; t++)
    for (int32_t i = 0, at = 0; i < width; i += n, at += weight_step(j->s, n))
      j->r->k->rms_norm(en_slot_row(j->r, j->s->out, t) + i, en_slot_row(j->r, j->s->in, t) + i, w + at, n, j->r->c->norm_eps);
}

int32_t en_rms_norm_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  const en_row_job job = {r, step};
  en_rows_parallel(r, rms_rows, &job);
  return 1;
}

int32_t en_head_norm_forward(const en_run *r, const en_step *step, int32_t n_steps) { return en_rms_norm_forward(r, step, n_steps); }
int32_t en_group_rms_forward(const en_run *r, const en_step *step, int32_t n_steps) { return en_rms_norm_forward(r, step, n_steps); }

/* r = 1/sqrt(mean x^2 + eps), g = dy w:  dx += r g - x r^3 mean(g x). In place dx takes the place of dy. */
static void rms_back(float *dx, const float *dy, const float *x, const float *w, int32_t n, float eps) {
  double square = 0, gx = 0;
  for (int32_t i = 0; i < n; i++) {
    square += (double)x[i] * (double)x[i];
    gx += (double)dy[i] * (double)w[i] * (double)x[i];
  }
  const double inv = 1 / sqrt(square / n + (double)eps), back = inv * inv * inv * gx / n;
  for (int32_t i = 0; i < n; i++) {
    const float d = (float)(inv * (double)dy[i] * (double)w[i] - (double)x[i] * back);
    dx[i] = dx == dy ? d : dx[i] + d;
  }
}

/* dw += dy x / rms(x): one row after another, whatever the lanes. Before dx takes the place of dy. */
static void rms_back_weight(const en_back *b, const en_step *s, float *dw) {
  const en_run *r = b->r;
  const int32_t n = norm_width(r, s);
  const size_t width = en_slot_width(r, s->in), all = (size_t)r->T * width;
  for (size_t at = 0; at < all; at += (size_t)n) {
    float *to = dw + (weight_step(s, n) ? at % width : 0);
    const float *x = r->slot[s->in] + at, *dy = b->d[s->out] + at;
    const float inv = 1 / sqrtf(r->k->dot(x, x, n) / (float)n + r->c->norm_eps);
    for (int32_t i = 0; i < n; i++) to[i] += dy[i] * x[i] * inv;
  }
}

static void rms_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t n = norm_width(r, j->s), width = (int32_t)en_slot_width(r, j->s->in);
  const float *w = en_vector(r, j->s->w);
  for (int32_t t = lo; t < hi; t++)
    for (int32_t i = 0, at = 0; i < width; i += n, at += weight_step(j->s, n))
      rms_back(en_grad_row(j->b, j->s->in, t) + i, en_grad_row(j->b, j->s->out, t) + i, en_slot_row(r, j->s->in, t) + i, w + at, n, r->c->norm_eps);
}

void en_rms_norm_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  float *dw = en_grad_weight(b, step->w);
  if (dw) rms_back_weight(b, step, dw);
  en_rows_parallel(b->r, rms_back_rows, &job);
  if (step->out != step->in) en_grad_clear(b, step->out);
}

void en_head_norm_backward(const en_back *b, const en_step *step) { en_rms_norm_backward(b, step); }
void en_group_rms_backward(const en_back *b, const en_step *step) { en_rms_norm_backward(b, step); }

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

/* xh = (x - mean) r, g = dy w:  dx += r (g - mean g - xh mean(g xh)) */
void en_layer_norm_back(float *dx, const float *dy, const float *x, const float *w, int32_t n, float eps) {
  double mean = 0, var = 0, g_sum = 0, gx = 0;
  for (int32_t i = 0; i < n; i++) mean += (double)x[i];
  mean /= n;
  for (int32_t i = 0; i < n; i++) var += ((double)x[i] - mean) * ((double)x[i] - mean);
  const double inv = 1 / sqrt(var / n + (double)eps);
  for (int32_t i = 0; i < n; i++) {
    const double g = (double)dy[i] * (double)w[i];
    g_sum += g;
    gx += g * ((double)x[i] - mean) * inv;
  }
  for (int32_t i = 0; i < n; i++) dx[i] += (float)(inv * ((double)dy[i] * (double)w[i] - g_sum / n - ((double)x[i] - mean) * inv * gx / n));
}

static void layer_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  for (int32_t t = lo; t < hi; t++)
    en_layer_norm_back(en_grad_row(j->b, j->s->in, t), en_grad_row(j->b, j->s->out, t), en_slot_row(r, j->s->in, t), en_vector(r, j->s->w), (int32_t)en_slot_width(r, j->s->in), r->c->norm_eps);
}

/* dw += dy xh;  db += dy */
static void layer_back_weight(const en_back *b, const en_step *s, float *dw, float *db) {
  const en_run *r = b->r;
  const int32_t n = (int32_t)en_slot_width(r, s->in);
  for (int32_t t = 0; t < r->T; t++) {
    const float *x = en_slot_row(r, s->in, t), *dy = en_grad_row(b, s->out, t);
    double mean = 0, var = 0;
    for (int32_t i = 0; i < n; i++) mean += (double)x[i];
    mean /= n;
    for (int32_t i = 0; i < n; i++) var += ((double)x[i] - mean) * ((double)x[i] - mean);
    const float inv = (float)(1 / sqrt(var / n + (double)r->c->norm_eps)), middle = (float)mean;
    for (int32_t i = 0; i < n; i++) dw[i] += dy[i] * (x[i] - middle) * inv;
    if (db) r->k->add(db, db, dy, n);
  }
}

void en_layer_norm_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  float *dw = en_grad_weight(b, step->w);
  if (dw) layer_back_weight(b, step, dw, en_grad_weight(b, step->b));
  en_rows_parallel(b->r, layer_back_rows, &job);
  en_grad_clear(b, step->out);
}

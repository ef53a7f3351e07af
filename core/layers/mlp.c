/* mlp.c - activations of the feed-forward block, with and without a gate. In place: out and in are the same slot. */
#include "layers_internal.h"
#include <math.h>

enum { PART = 512, SERIAL_ELEMENTS = 2048 /* below that the wake-up of other lanes costs more than the work */ };

/* Elements [at, at + n) of row t. */
typedef void (*act_fn)(const en_run *r, const en_step *s, int32_t t, int32_t at, int32_t n);
typedef struct { const en_run *r; const en_step *s; act_fn act; int32_t parts; } act_job;

/* One unit is a part of a row: a single token's row is shared by the lanes too. */
static void act_parts(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const act_job *j = ctx;
  const int32_t width = (int32_t)en_slot_width(j->r, j->s->in);
  for (int32_t unit = lo; unit < hi; unit++) {
    const int32_t at = unit % j->parts * PART;
    j->act(j->r, j->s, unit / j->parts, at, EN_MIN(PART, width - at));
  }
}

static int32_t activate(const en_run *r, const en_step *step, act_fn act) {
  const int32_t width = (int32_t)en_slot_width(r, step->in);
  const act_job job = {r, step, act, en_blocks(width, PART)};
  en_parallel((int64_t)r->T * width < SERIAL_ELEMENTS ? NULL : r->host, act_parts, &job, r->T * job.parts, 1);
  return 1;
}

static void silu_part(const en_run *r, const en_step *s, int32_t t, int32_t at, int32_t n) {
  r->k->silu_mul(en_slot_row(r, s->out, t) + at, en_slot_row(r, s->in, t) + at, en_slot_row(r, s->in2, t) + at, n);
}

int32_t en_silu_mul_forward(const en_run *r, const en_step *step, int32_t n_steps) { return (void)n_steps, activate(r, step, silu_part); }

enum { AT_ONCE = 128 };

/* e = e^(scale x), n at most AT_ONCE */
static void exp_of(const en_run *r, float *e, const float *x, float scale, int32_t n) {
  r->k->scale(e, x, scale, n);
  r->k->exp_sum(e, e, 0, n);
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
    for (int32_t from = 0; from < n; from += AT_ONCE) {
      float e[AT_ONCE];
      const int32_t to = EN_MIN(n, from + AT_ONCE);
      exp_of(r, e, g + from, -1, to - from);
      for (int32_t i = from; i < to; i++) {
        const float dy = dg[i], s = 1 / (1 + e[i - from]);
        du[i] += dy * g[i] * s;
        dg[i] = dy * u[i] * s * (1 + g[i] * (1 - s));
      }
    }
  }
}

void en_silu_mul_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_rows_parallel(b->r, silu_back_rows, &job);
}

static void gelu_part(const en_run *r, const en_step *s, int32_t t, int32_t at, int32_t n) {
  r->k->gelu_mul(en_slot_row(r, s->out, t) + at, en_slot_row(r, s->in, t) + at, s->op == EN_OP_GELU_MUL ? en_slot_row(r, s->in2, t) + at : NULL, n);
}

int32_t en_gelu_mul_forward(const en_run *r, const en_step *step, int32_t n_steps) { return (void)n_steps, activate(r, step, gelu_part); }

int32_t en_gelu_forward(const en_run *r, const en_step *step, int32_t n_steps) { return en_gelu_mul_forward(r, step, n_steps); }

/* The tanh form (Hendrycks, Gimpel 2016): gelu(x) = x (1 + h) / 2 with h = tanh(z), z = sqrt(2/pi) (x + a x^3), a = 0.044715, so
 *   gelu'(x) = (1 + h) / 2 + x (1 - h^2) / 2 * sqrt(2/pi) (1 + 3 a x^2). */
static void gelu_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t n = (int32_t)en_slot_width(r, j->s->in), gated = j->s->op == EN_OP_GELU_MUL;
  const float a = 0.044715f, root = 0.79788456f;
  for (int32_t t = lo; t < hi; t++) {
    const float *x = en_slot_row(r, j->s->in, t), *u = gated ? en_slot_row(r, j->s->in2, t) : NULL;
    float *dx = en_grad_row(j->b, j->s->in, t), *du = gated ? en_grad_row(j->b, j->s->in2, t) : NULL;
    for (int32_t from = 0; from < n; from += AT_ONCE) {
      float tanh_z[AT_ONCE];
      const int32_t to = EN_MIN(n, from + AT_ONCE);
      for (int32_t i = from; i < to; i++) tanh_z[i - from] = root * (x[i] + a * x[i] * x[i] * x[i]);
      r->k->softcap(tanh_z, tanh_z, 1, to - from); /* tanh, with the same bits everywhere */
      for (int32_t i = from; i < to; i++) {
        const float h = tanh_z[i - from], dy = dx[i];
        const float slope = 0.5f * (1 + h) + 0.5f * x[i] * (1 - h * h) * root * (1 + 3 * a * x[i] * x[i]);
        if (gated) du[i] += dy * 0.5f * x[i] * (1 + h);
        dx[i] = dy * slope * (gated ? u[i] : 1);
      }
    }
  }
}

void en_gelu_mul_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_rows_parallel(b->r, gelu_back_rows, &job);
}

void en_gelu_backward(const en_back *b, const en_step *step) { en_gelu_mul_backward(b, step); }

static void gelu_erf_part(const en_run *r, const en_step *s, int32_t t, int32_t at, int32_t n) {
  r->k->gelu_erf(en_slot_row(r, s->out, t) + at, en_slot_row(r, s->in, t) + at, n);
}

int32_t en_gelu_erf_forward(const en_run *r, const en_step *step, int32_t n_steps) { return (void)n_steps, activate(r, step, gelu_erf_part); }

/* y = x P(x) with the normal distribution's P, so y' = P(x) + x p(x), p its density. */
static void gelu_erf_back_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  const en_back_job *j = ctx;
  const en_run *r = j->b->r;
  const int32_t n = (int32_t)en_slot_width(r, j->s->in);
  for (int32_t t = lo; t < hi; t++) {
    const float *x = en_slot_row(r, j->s->in, t);
    float *dx = en_grad_row(j->b, j->s->in, t);
    for (int32_t from = 0; from < n; from += AT_ONCE) {
      float y[AT_ONCE], density[AT_ONCE];
      const int32_t to = EN_MIN(n, from + AT_ONCE);
      for (int32_t i = from; i < to; i++) density[i - from] = -0.5f * x[i] * x[i];
      r->k->exp_sum(density, density, 0, to - from);
      r->k->gelu_erf(y, x + from, to - from);
      for (int32_t i = from; i < to; i++) dx[i] *= (x[i] < 0 || x[i] > 0 ? y[i - from] / x[i] : 0.5f) + x[i] * 0.39894228f * density[i - from];
    }
  }
}

void en_gelu_erf_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_rows_parallel(b->r, gelu_erf_back_rows, &job);
}

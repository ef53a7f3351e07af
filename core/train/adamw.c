/* adamw.c - the optimizer step, and saving what it needs to go on.
 * AdamW (Loshchilov, Hutter 2019): m, v moving averages of g, g^2; p -= lr (m^ / (sqrt(v^) + eps) + decay p), with bias-corrected m^, v^. */
#include "trainer.h"
#include <math.h>

/* What a step does to numbers [from + lo, from + hi) of params; g_scale: from the sums of gradients to g. In single precision, as the moments are kept. */
typedef struct { const en_trainer *t; size_t from; float lr, decay, g_scale; } update_job;

/* b^n; products, where C libraries have each their own last bit. */
static double power(double b, uint64_t n) {
  double p = 1;
  for (; n; n >>= 1, b *= b)
    if (n & 1) p *= b;
  return p;
}

static void adamw(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const update_job *j = ctx;
  const en_train_spec *s = &j->t->spec;
  const float fix1 = (float)(1 / (1 - power((double)s->beta1, j->t->n_steps))), fix2 = (float)(1 / (1 - power((double)s->beta2, j->t->n_steps)));
  const float b1 = s->beta1, b2 = s->beta2, eps = s->eps, lr = j->lr, keep = (float)(1 - (double)j->lr * (double)j->decay), scale = j->g_scale;
  float *restrict p = j->t->params + j->from, *restrict m = j->t->moment1 + j->from, *restrict v = j->t->moment2 + j->from;
  const float *restrict grad = j->t->grad + j->from;
  (void)lane;
  for (int32_t i = lo; i < hi; i++) {
    const float g = grad[i] * scale;
    m[i] = b1 * m[i] + (1 - b1) * g;
    v[i] = b2 * v[i] + (1 - b2) * g * g;
    p[i] = keep * p[i] - lr * (m[i] * fix1 / (sqrtf(v[i] * fix2) + eps));
  }
}

static void sgd(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const update_job *j = ctx;
  const float momentum = j->t->spec.momentum;
  float *restrict p = j->t->params + j->from, *restrict v = j->t->moment1 + j->from;
  const float *restrict grad = j->t->grad + j->from;
  (void)lane;
  for (int32_t i = lo; i < hi; i++) {
    v[i] = momentum * v[i] + (grad[i] * j->g_scale + j->decay * p[i]);
    p[i] -= j->lr * v[i];
  }
}

/* An adapter: A, B and m of every matrix; m, the lengths of rows, learns like B and does not decay. The model: every tensor of its file; vectors (norms,
 * biases) do not decay. */
int32_t en_trainer_span(const en_trainer *t, uint64_t i, en_span *out) {
  const en_train_spec *s = &t->spec;
  const en_model *m = t->m;
  *out = (en_span){.lr_ratio = 1, .decay = s->weight_decay};
  if (!t->a) {
    if (i >= m->g.n_tensors) return 0;
    out->from = (size_t)(m->g.tensors[i].offset / sizeof(float));
    out->n = (size_t)m->g.tensors[i].n_elems;
    if (m->g.tensors[i].n_dims < 2) out->decay = 0;
    return 1;
  }
  if (i / 3 >= (uint64_t)m->c.L * (uint64_t)m->arch->n_layer) return 0;
  const en_lora *e = t->a->table + (size_t)(i / 3);
  const en_weight *w = m->layers + (size_t)(i / 3);
  const float *p = (float *const[]){e->a, e->b, e->m}[i % 3];
  if (!e->rank || !p || (i % 3 == 0 && s->freeze_a)) return 1;
  out->from = (size_t)(p - t->params);
  out->n = (size_t)(i % 3 == 2 ? 1 : e->rank) * (size_t)(i % 3 ? w->rows : w->cols);
  if (i % 3) out->lr_ratio = s->lr_ratio_b;
  if (i % 3 == 2) out->decay = 0;
  return 1;
}

/* Sum of squares in 16 lanes, so that it does not wait for every addition. */
static double sum_squares(const float *x, size_t n) {
  double lane[16] = {0}, sum = 0;
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int k = 0; k < 16; k++) lane[k] += (double)x[i + (size_t)k] * (double)x[i + (size_t)k];
  for (; i < n; i++) lane[0] += (double)x[i] * (double)x[i];
  for (int k = 0; k < 16; k++) sum += lane[k];
  return sum;
}

int32_t en_train_step(en_trainer *t, double lr, double *grad_norm, en_why *why) {
  enum { AT_ONCE = 4096 };
  const size_t n = (size_t)t->n_params;
  const en_train_spec *s = &t->spec;
  if (t->micro.part) return en_fail(why, EN_E_STATE, "a micro-batch is still in work");
  if (!(t->pending_weight > 0)) return en_fail(why, EN_E_STATE, "no token has added to the gradients since the last step");
  if (!(lr >= 0 && lr < 1e6)) return en_fail(why, EN_E_ARG, "the learning rate %g is out of range", lr);
  const double norm = sqrt(sum_squares(t->grad, n)) / t->pending_weight;
  double scale = 1 / t->pending_weight;
  t->pending_weight = 0;
  t->n_micro = 0;
  if (grad_norm) *grad_norm = norm;
  if (!isfinite(norm)) {
    memset(t->grad, 0, n * sizeof *t->grad);
    return en_fail(why, EN_E_NUMERIC, "the gradient is not finite: the step was skipped");
  }
  if (s->clip_norm > 0 && norm > (double)s->clip_norm) scale *= (double)s->clip_norm / norm;
  t->n_steps++;
  en_span span;
  for (uint64_t i = 0; en_trainer_span(t, i, &span); i++) {
    const update_job job = {t, span.from, (float)(lr * (double)span.lr_ratio), span.decay, (float)scale};
    en_parallel(&t->host, s->optimizer == EN_SGD ? sgd : adamw, &job, (int32_t)span.n, AT_ONCE);
  }
  if (t->a) en_adapter_changed(t->a);
  memset(t->grad, 0, n * sizeof *t->grad);
  return EN_OK;
}

const float *en_trainer_gradients(const en_trainer *t, uint64_t *n) {
  *n = t->n_params;
  return t->grad;
}

uint64_t en_trainer_steps(const en_trainer *t) { return t->n_steps; }

/* ---- save, load: { "ENTR"; u32 version 1; u64 model fingerprint, n_params, n_steps; params, m, v as f32 } ---- */

typedef struct { char magic[4]; uint32_t version; uint64_t fingerprint, n_params, n_steps; } state_head;

size_t en_trainer_save(const en_trainer *t, void *dst, size_t cap) {
  const size_t part = (size_t)t->n_params * sizeof(float), need = sizeof(state_head) + 3 * part;
  if (t->pending_weight > 0) return 0;
  if (!dst || cap < need) return need;
  const state_head head = {{'E', 'N', 'T', 'R'}, 1, t->m->info.fingerprint, t->n_params, t->n_steps};
  uint8_t *p = dst;
  memcpy(p, &head, sizeof head);
  memcpy(p + sizeof head, t->params, part);
  memcpy(p + sizeof head + part, t->moment1, part);
  memcpy(p + sizeof head + 2 * part, t->moment2, part);
  return need;
}

int32_t en_trainer_load(en_trainer *t, const void *src, size_t n_bytes, en_why *why) {
  const size_t part = (size_t)t->n_params * sizeof(float);
  const uint8_t *p = src;
  state_head head;
  if (n_bytes < sizeof head) return en_fail(why, EN_E_FORMAT, "the training state is cut short");
  memcpy(&head, p, sizeof head);
  if (memcmp(head.magic, "ENTR", 4) || head.version != 1) return en_fail(why, EN_E_FORMAT, "this is not a training state that we can read");
  if (head.fingerprint != t->m->info.fingerprint || head.n_params != t->n_params) return en_fail(why, EN_E_ARG, "the training state belongs to another model, or to something else that is trained");
  if (n_bytes != sizeof head + 3 * part) return en_fail(why, EN_E_FORMAT, "the training state has %z bytes, expected %z", (uint64_t)n_bytes, (uint64_t)(sizeof head + 3 * part));
  memcpy(t->params, p + sizeof head, part);
  memcpy(t->moment1, p + sizeof head + part, part);
  memcpy(t->moment2, p + sizeof head + 2 * part, part);
  t->n_steps = head.n_steps;
  if (t->a) en_adapter_changed(t->a);
  en_train_forget(t);
  return EN_OK;
}

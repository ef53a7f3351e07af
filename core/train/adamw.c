/* adamw.c - the optimizer step, and saving what it needs to go on.
 * AdamW (Loshchilov, Hutter 2019): m, v moving averages of g, g^2; p -= lr (m^ / (sqrt(v^) + eps) + decay p), with bias-corrected m^, v^. */
#include "trainer.h"
#include <math.h>

/* One factor: numbers [from, from + n) of the adapter. scale: from the sums of gradients to g. */
static void adamw(en_trainer *t, size_t from, size_t n, double lr, double scale) {
  const en_train_spec *s = &t->spec;
  const double fix1 = 1 - pow((double)s->beta1, (double)t->n_steps), fix2 = 1 - pow((double)s->beta2, (double)t->n_steps);
  float *p = t->a->params;
  for (size_t i = from; i < from + n; i++) {
    const double g = (double)t->grad[i] * scale;
    const double m = (double)s->beta1 * (double)t->moment1[i] + (1 - (double)s->beta1) * g;
    const double v = (double)s->beta2 * (double)t->moment2[i] + (1 - (double)s->beta2) * g * g;
    t->moment1[i] = (float)m;
    t->moment2[i] = (float)v;
    p[i] = (float)((double)p[i] - lr * (m / fix1 / (sqrt(v / fix2) + (double)s->eps) + (double)s->weight_decay * (double)p[i]));
  }
}

static void sgd(en_trainer *t, size_t from, size_t n, double lr, double scale) {
  float *p = t->a->params;
  for (size_t i = from; i < from + n; i++) {
    const double g = (double)t->grad[i] * scale + (double)t->spec.weight_decay * (double)p[i];
    t->moment1[i] = (float)((double)t->spec.momentum * (double)t->moment1[i] + g);
    p[i] = (float)((double)p[i] - lr * (double)t->moment1[i]);
  }
}

int32_t en_train_step(en_trainer *t, double lr, double *grad_norm, en_why *why) {
  const size_t n = (size_t)t->a->n_params;
  const en_train_spec *s = &t->spec;
  double square = 0;
  if (t->micro.part) return en_fail(why, EN_E_STATE, "a micro-batch is still in work");
  if (!(t->pending_weight > 0)) return en_fail(why, EN_E_STATE, "no token has added to the gradients since the last step");
  if (!(lr >= 0 && lr < 1e6)) return en_fail(why, EN_E_ARG, "the learning rate %g is out of range", lr);
  for (size_t i = 0; i < n; i++) square += (double)t->grad[i] * (double)t->grad[i];
  const double norm = sqrt(square) / t->pending_weight;
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
  void (*const update)(en_trainer *, size_t, size_t, double, double) = s->optimizer == EN_SGD ? sgd : adamw;
  for (int32_t l = 0; l < t->m->c.L; l++)
    for (int32_t i = 0; i < t->m->arch->n_layer; i++) {
      const en_lora *e = en_adapter_layer(t->a, l) + i;
      const en_weight *w = en_model_layer(t->m, l) + i;
      if (!e->rank) continue;
      if (!s->freeze_a) update(t, (size_t)(e->a - t->a->params), (size_t)e->rank * (size_t)w->cols, lr, scale);
      update(t, (size_t)(e->b - t->a->params), (size_t)e->rank * (size_t)w->rows, lr * (double)s->lr_ratio_b, scale);
    }
  memset(t->grad, 0, n * sizeof *t->grad);
  return EN_OK;
}

const float *en_trainer_gradients(const en_trainer *t, uint64_t *n) {
  *n = t->a->n_params;
  return t->grad;
}

uint64_t en_trainer_steps(const en_trainer *t) { return t->n_steps; }

/* ---- save, load: { "ENTR"; u32 version 1; u64 model fingerprint, n_params, n_steps; factors, m, v as f32 } ---- */

typedef struct { char magic[4]; uint32_t version; uint64_t fingerprint, n_params, n_steps; } state_head;

size_t en_trainer_save(const en_trainer *t, void *dst, size_t cap) {
  const size_t part = (size_t)t->a->n_params * sizeof(float), need = sizeof(state_head) + 3 * part;
  if (t->pending_weight > 0) return 0;
  if (!dst || cap < need) return need;
  const state_head head = {{'E', 'N', 'T', 'R'}, 1, t->m->info.fingerprint, t->a->n_params, t->n_steps};
  uint8_t *p = dst;
  memcpy(p, &head, sizeof head);
  memcpy(p + sizeof head, t->a->params, part);
  memcpy(p + sizeof head + part, t->moment1, part);
  memcpy(p + sizeof head + 2 * part, t->moment2, part);
  return need;
}

int32_t en_trainer_load(en_trainer *t, const void *src, size_t n_bytes, en_why *why) {
  const size_t part = (size_t)t->a->n_params * sizeof(float);
  const uint8_t *p = src;
  state_head head;
  if (n_bytes < sizeof head) return en_fail(why, EN_E_FORMAT, "the training state is cut short");
  memcpy(&head, p, sizeof head);
  if (memcmp(head.magic, "ENTR", 4) || head.version != 1) return en_fail(why, EN_E_FORMAT, "this is not a training state that we can read");
  if (head.fingerprint != t->m->info.fingerprint || head.n_params != t->a->n_params) return en_fail(why, EN_E_ARG, "the training state belongs to another model or another adapter");
  if (n_bytes != sizeof head + 3 * part) return en_fail(why, EN_E_FORMAT, "the training state has %z bytes, expected %z", (uint64_t)n_bytes, (uint64_t)(sizeof head + 3 * part));
  memcpy(t->a->params, p + sizeof head, part);
  memcpy(t->moment1, p + sizeof head + part, part);
  memcpy(t->moment2, p + sizeof head + 2 * part, part);
  t->n_steps = head.n_steps;
  en_train_forget(t);
  return EN_OK;
}

/* loss_causal.c - cross-entropy of the next token, -log p[y], with label smoothing (Szegedy et al. 2016): the target is q = (1 - e) at y, plus e / V
 * everywhere:  loss = lse - (1 - e) z_y - e mean(z),  dz = p - q. */
#include "loss.h"
#include <math.h>

en_soft en_soft_of(const en_kernels *k, const float *z, int32_t n, float scale) {
  float part[EN_SOFT_BLOCK], top = z[0];
  for (int32_t i = 1; i < n; i++) top = EN_MAX(top, z[i]);
  en_soft s = {scale, scale * top, 0};
  for (int32_t i = 0; i < n; i += EN_SOFT_BLOCK) {
    const int32_t m = EN_MIN(EN_SOFT_BLOCK, n - i);
    k->scale(part, z + i, scale, m);
    s.sum += (double)k->exp_sum(part, part, s.top, m);
  }
  return s;
}

void en_soft_block(const en_kernels *k, const en_soft *s, float *p, const float *z, int32_t n) {
  k->scale(p, z, s->scale, n);
  k->exp_sum(p, p, s->top, n);
  k->scale(p, p, (float)(1 / s->sum), n);
}

double en_soft_log(const en_soft *s) { return (double)s->top + log(s->sum); }

double en_aim_next(en_trainer *t, const en_train_batch *b) {
  double sum = 0;
  t->n_goals = 0;
  for (int32_t i = 0; i < (int32_t)b->n; i++) {
    const float weight = b->weight ? b->weight[i] : 1;
    if (i == t->lo[i] || !(weight > 0)) continue; /* the first token of a sequence is predicted by nothing */
    t->goal_row[t->n_goals] = i - 1;
    t->goal[t->n_goals] = b->ids[i];
    t->goal_weight[t->n_goals++] = weight;
    sum += (double)weight;
  }
  return sum;
}

double en_causal_row(const en_trainer *t, int32_t goal, float *z) {
  const int32_t V = t->m->c.V, y = t->goal[goal];
  const float weight = t->goal_weight[goal], even = weight * t->spec.label_smoothing / (float)V;
  const double smooth = (double)t->spec.label_smoothing;
  float most = z[0];
  double sum = 0, mean = 0;
  for (int32_t i = 1; i < V; i++) most = EN_MAX(most, z[i]);
  for (int32_t i = 0; smooth > 0 && i < V; i++) mean += (double)(z[i] - most) / V;
  const double zy = (double)z[y] - (double)most;
  for (int32_t i = 0; i < V; i += EN_SOFT_BLOCK) sum += (double)t->m->k.exp_sum(z + i, z + i, most, EN_MIN(EN_SOFT_BLOCK, V - i));
  const float scale = (float)((double)weight / sum);
  for (int32_t i = 0; i < V; i++) z[i] = z[i] * scale - even;
  z[y] -= weight * (1 - t->spec.label_smoothing);
  return (double)weight * (log(sum) - (1 - smooth) * zy - smooth * mean);
}

static int32_t fits(const en_model *m, en_train_spec *spec, en_why *why) {
  if (!m->info.has_logits) return en_fail(why, EN_E_ARG, "this model gives embeddings: it has no next token to learn");
  if (!(spec->label_smoothing >= 0 && spec->label_smoothing < 1)) return en_fail(why, EN_E_ARG, "label smoothing %g is outside 0 to 1", (double)spec->label_smoothing);
  return EN_OK;
}

static int32_t run(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss) { return en_head_loss(t, x, with_grad, piece, loss, en_causal_row); }

const en_loss en_loss_causal = {.name = "causal", .fits = fits, .aim = en_aim_next, .run = run};

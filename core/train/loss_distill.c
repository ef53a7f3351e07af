/* loss_distill.c - distillation of the next token (Hinton et al. 2015). With softmaxes at temperature T, p of the teacher's logits and q of ours:
 *   loss = (1 - h) T^2 KL(p || q) + h (lse(z) - z_y),   dz = (1 - h) T (q - p) + h (softmax(z) - [y]),   h = hard_mix.
 * A teacher that gives only its k best ids is taken to give the others no probability. */
#include "loss.h"
#include <math.h>

/* The teacher's row for a goal: its logits at the same row. */
static const float *teacher_row(const en_trainer *t, int32_t goal, const int32_t **ids, int32_t *n) {
  const en_train_batch *b = t->batch;
  const int32_t width = b->teacher_ids ? (int32_t)b->teacher_k : t->m->c.V;
  const size_t at = (size_t)t->goal_row[goal] * (size_t)width;
  *ids = b->teacher_ids ? b->teacher_ids + at : NULL;
  *n = width;
  return b->teacher + at;
}

static double row_loss(const en_trainer *t, int32_t goal, float *z) {
  const int32_t V = t->m->c.V, y = t->goal[goal], *ids;
  const double weight = (double)t->goal_weight[goal], T = (double)t->spec.temperature, hard = (double)t->spec.hard_mix, soft = 1 - hard;
  int32_t n;
  const float *teacher = teacher_row(t, goal, &ids, &n);
  const en_kernels *k = &t->m->k;
  const en_soft p = en_soft_of(k, teacher, n, 1 / t->spec.temperature), q = en_soft_of(k, z, V, 1 / t->spec.temperature), own = hard > 0 ? en_soft_of(k, z, V, 1) : (en_soft){0, 0, 1};
  float part[EN_SOFT_BLOCK], part_own[EN_SOFT_BLOCK] = {0};
  double kl = en_soft_log(&q) - en_soft_log(&p);
  for (int32_t i = 0; i < n; i++) {
    if (i % EN_SOFT_BLOCK == 0) en_soft_block(k, &p, part, teacher + i, EN_MIN(EN_SOFT_BLOCK, n - i));
    kl += (double)part[i % EN_SOFT_BLOCK] * ((double)teacher[i] - (double)z[ids ? ids[i] : i]) / T;
  }
  const double loss = soft * T * T * kl + hard * (en_soft_log(&own) - (double)z[y]);
  for (int32_t i = 0; i < V; i++) {
    const int32_t at = i % EN_SOFT_BLOCK;
    if (at == 0) {
      en_soft_block(k, &q, part, z + i, EN_MIN(EN_SOFT_BLOCK, V - i));
      if (hard > 0) en_soft_block(k, &own, part_own, z + i, EN_MIN(EN_SOFT_BLOCK, V - i));
    }
    z[i] = (float)(weight * (soft * T * (double)part[at] + hard * (double)part_own[at]));
  }
  for (int32_t i = 0; i < n; i++) {
    if (i % EN_SOFT_BLOCK == 0) en_soft_block(k, &p, part, teacher + i, EN_MIN(EN_SOFT_BLOCK, n - i));
    z[ids ? ids[i] : i] -= (float)(weight * soft * T * (double)part[i % EN_SOFT_BLOCK]);
  }
  z[y] -= (float)(weight * hard);
  return weight * loss;
}

static int32_t fits(const en_model *m, en_train_spec *spec, en_why *why) {
  if (spec->temperature == 0) spec->temperature = 2;
  if (!m->info.has_logits) return en_fail(why, EN_E_ARG, "this model gives embeddings: it has no next token to learn");
  if (!(spec->temperature >= 0.01f && spec->temperature <= 100)) return en_fail(why, EN_E_ARG, "the temperature %g is outside 0.01 to 100", (double)spec->temperature);
  if (!(spec->hard_mix >= 0 && spec->hard_mix <= 1)) return en_fail(why, EN_E_ARG, "the share of hard labels %g is outside 0 to 1", (double)spec->hard_mix);
  if (spec->label_smoothing != 0) return en_fail(why, EN_E_ARG, "label smoothing does not go with distillation: the teacher is smooth already");
  return EN_OK;
}

static int32_t check(const en_trainer *t, const en_train_batch *b, en_why *why) {
  const uint32_t V = (uint32_t)t->m->c.V;
  if (!b->teacher) return en_fail(why, EN_E_ARG, "distillation needs the teacher's logits");
  if (b->teacher_ids && (!b->teacher_k || b->teacher_k > V)) return en_fail(why, EN_E_ARG, "%u ids of the teacher at every token: 1 to %u are possible", b->teacher_k, V);
  const size_t n = (size_t)b->n * (b->teacher_ids ? b->teacher_k : V);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(b->teacher[i])) return en_fail(why, EN_E_NUMERIC, "a logit of the teacher is not finite");
    if (b->teacher_ids && (b->teacher_ids[i] < 0 || (uint32_t)b->teacher_ids[i] >= V)) return en_fail(why, EN_E_ARG, "the teacher's token %d is outside the vocabulary of %u", b->teacher_ids[i], V);
  }
  return EN_OK;
}

static int32_t run(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss) { return en_head_loss(t, x, with_grad, piece, loss, row_loss); }

const en_loss en_loss_distill = {.name = "distill", .fits = fits, .check = check, .aim = en_aim_next, .run = run};

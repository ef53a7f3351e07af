/* loss_mlm.c - masked tokens (Devlin et al. 2018): cross-entropy of the ids that stood where the batch has others. GGUF files have no prediction head beside
 * the token embedding, so the rows meet it directly: without BERT's transform layer this is an approximation of the original task. */
#include "loss.h"
#include <math.h>

static double aim(en_trainer *t, const en_train_batch *b) {
  double sum = 0;
  t->n_goals = 0;
  for (int32_t i = 0; i < (int32_t)b->n; i++) {
    const float weight = b->weight ? b->weight[i] : 1;
    if (!b->goals || b->goals[i] < 0 || !(weight > 0)) continue; /* a prefix alone needs no goals */
    t->goal_row[t->n_goals] = i;
    t->goal[t->n_goals] = b->goals[i];
    t->goal_weight[t->n_goals++] = weight;
    sum += (double)weight;
  }
  return sum;
}

static int32_t fits(const en_model *m, en_train_spec *spec, en_why *why) {
  (void)spec;
  return m->c.bidirectional ? EN_OK : en_fail(why, EN_E_ARG, "masked tokens are for encoders: %s models see only what stands before", m->arch->name);
}

static int32_t check(const en_trainer *t, const en_train_batch *b, en_why *why) {
  if (!b->goals) return en_fail(why, EN_E_ARG, "masked tokens need the ids that stood there");
  for (uint32_t i = 0; i < b->n; i++)
    if (b->goals[i] >= t->m->c.V) return en_fail(why, EN_E_ARG, "token %d is outside the vocabulary of %d", b->goals[i], t->m->c.V);
  return EN_OK;
}

static int32_t run(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss) { return en_head_loss(t, x, with_grad, piece, loss, en_causal_row); }

const en_loss en_loss_mlm = {.name = "mlm", .fits = fits, .check = check, .aim = aim, .run = run};

uint32_t en_train_mask(int32_t *ids, int32_t *goals, uint32_t n, const en_mask_spec *s, uint64_t counter) {
  uint32_t n_masked = 0;
  for (uint32_t i = 0; i < n; i++) {
    const uint64_t at = counter + 3 * (uint64_t)i;
    goals[i] = -1;
    if (ids[i] < s->first || en_uniform(s->seed, at) >= (double)s->probability) continue;
    const double what = en_uniform(s->seed, at + 1);
    goals[i] = ids[i];
    if (what < 0.8) ids[i] = s->mask;
    else if (what < 0.9) ids[i] = s->first + (int32_t)(en_random(s->seed, at + 2) % (uint64_t)(s->n_vocab - s->first));
    n_masked++;
  }
  return n_masked;
}

/* pooled.c - pooling of sequences and its transpose, for losses over embeddings. */
#include "pooled.h"
#include <math.h>

int32_t en_pooled_fits(const en_model *m, en_train_spec *spec, en_why *why) {
  (void)spec;
  /* A decoder's rows pass its final norm first; head.c has the way back through it only for rows that predict. */
  if (en_arch_head(m->arch) != 0) return en_fail(why, EN_E_UNSUPPORTED, "losses over embeddings are for encoders, %s is none", m->arch->name);
  return EN_OK;
}

uint64_t en_pooled_floats(const en_model *m, const en_train_spec *spec) { return spec->n_tokens * (2 * (uint64_t)m->c.D + 1); }

int32_t en_pooled_check(const en_trainer *t, const en_train_batch *b, en_why *why) {
  uint32_t n = 1;
  (void)t;
  for (uint32_t i = 1; i < b->n; i++) n += b->segment && b->segment[i] != b->segment[i - 1];
  return n % 2 ? en_fail(why, EN_E_ARG, "%u sequences are no pairs", n) : EN_OK;
}

double en_pooled_aim(en_trainer *t, const en_train_batch *b) {
  t->n_goals = 0;
  for (int32_t i = 0; i < (int32_t)b->n; i++) {
    if (i == t->lo[i]) t->goal_row[t->n_goals++] = i;
    t->goal[t->n_goals - 1] = i + 1;
  }
  return t->n_goals / 2;
}

en_pooled en_pooled_view(const en_trainer *t) {
  const size_t D = (size_t)t->m->c.D, most = t->spec.n_tokens;
  return (en_pooled){t->loss_mem, t->loss_mem + most * D, t->loss_mem + 2 * most * D, t->n_goals, t->m->c.D};
}

/* Rows of sequence i that its pooled row is the mean of. A rank head reads the first one. */
static void taken(const en_trainer *t, int32_t i, int32_t *lo, int32_t *hi) {
  const uint32_t pooling = t->m->info.pooling;
  *lo = pooling == EN_POOL_LAST ? t->goal[i] - 1 : t->goal_row[i];
  *hi = pooling == EN_POOL_MEAN || pooling == EN_POOL_LAST ? t->goal[i] : *lo + 1;
}

en_pooled en_pooled_rows(en_trainer *t, const float *x) {
  const en_pooled p = en_pooled_view(t);
  const en_kernels *k = &t->m->k;
  for (int32_t i = 0; i < p.n; i++) {
    float *u = p.u + (size_t)i * (size_t)p.D;
    int32_t lo, hi;
    taken(t, i, &lo, &hi);
    memcpy(u, x + (size_t)lo * (size_t)p.D, (size_t)p.D * sizeof *u);
    for (int32_t r = lo + 1; r < hi; r++) k->add(u, u, x + (size_t)r * (size_t)p.D, p.D);
    k->scale(u, u, 1 / (float)(hi - lo), p.D);
    const float square = k->dot(u, u, p.D);
    p.inverse[i] = square > 0 ? 1 / sqrtf(square) : 0;
    k->scale(u, u, p.inverse[i], p.D);
  }
  memset(p.du, 0, (size_t)p.n * (size_t)p.D * sizeof *p.du);
  return p;
}

/* u = r / |r|:  dr = (du - (du . u) u) / |r|; of a mean over n rows every one gets dr / n. */
void en_pooled_backward(en_trainer *t, const en_pooled *p) {
  const en_kernels *k = &t->m->k;
  for (int32_t i = 0; i < p->n; i++) {
    const float *u = p->u + (size_t)i * (size_t)p->D;
    float *du = p->du + (size_t)i * (size_t)p->D;
    int32_t lo, hi;
    taken(t, i, &lo, &hi);
    k->axpy(du, u, -k->dot(du, u, p->D), p->D);
    for (int32_t r = lo; r < hi; r++) k->axpy(t->d[EN_S_X] + (size_t)r * (size_t)p->D, du, p->inverse[i] / (float)(hi - lo), p->D);
  }
}

const float *en_train_rows(const en_trainer *t, uint32_t *n) {
  const en_pooled p = en_pooled_view(t);
  *n = t->loss->pooled ? (uint32_t)p.n : 0;
  return t->loss->pooled ? p.u : NULL;
}

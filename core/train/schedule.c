/* schedule.c - see schedule.h. */
#include "schedule.h"
#include "../base/base.h"
#include <math.h>

double en_schedule_lr(const en_schedule *s, uint64_t k) {
  const double pi = 3.14159265358979323846, span = s->lr - s->min_lr;
  if (k < s->warmup) return s->lr * (double)(k + 1) / (double)s->warmup;
  if (s->kind == EN_SCHEDULE_CONSTANT) return s->lr;
  if (k >= s->steps) return s->min_lr;
  const double x = (double)(k - s->warmup) / (double)(s->steps - s->warmup);
  return s->kind == EN_SCHEDULE_LINEAR ? s->lr - x * span : s->min_lr + span * 0.5 * (1 + cos(pi * x));
}

void en_shuffle(uint32_t *order, uint32_t n, uint64_t seed, uint64_t epoch) {
  for (uint32_t i = 0; i < n; i++) order[i] = i;
  for (uint32_t i = n; i > 1; i--) {
    const uint32_t k = (uint32_t)(en_uniform(seed, epoch << 32 | i) * i), kept = order[i - 1];
    order[i - 1] = order[k];
    order[k] = kept;
  }
}

/* loss_cosine.c - pairs with a given similarity (Reimers, Gurevych 2019): loss = (cos(a, b) - target)^2. */
#include "pooled.h"
#include <math.h>

static int32_t run(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss) {
  const en_pooled p = en_pooled_rows(t, x);
  const en_kernels *k = &t->m->k;
  const size_t D = (size_t)p.D;
  (void)piece;
  for (int32_t i = 0; i + 1 < p.n; i += 2) {
    const float *a = p.u + (size_t)i * D, *b = a + D;
    const float off = k->dot(a, b, p.D) - t->batch->targets[i / 2];
    *loss += (double)off * (double)off;
    if (!with_grad) continue;
    k->axpy(p.du + (size_t)i * D, b, 2 * off, p.D);
    k->axpy(p.du + (size_t)(i + 1) * D, a, 2 * off, p.D);
  }
  if (with_grad) en_pooled_backward(t, &p);
  return 0;
}

static int32_t check(const en_trainer *t, const en_train_batch *b, en_why *why) {
  uint32_t n = 1;
  EN_TRY(en_pooled_check(t, b, why));
  if (!b->targets) return en_fail(why, EN_E_ARG, "every pair needs the cosine that it should have");
  for (uint32_t i = 1; i < b->n; i++) n += b->segment && b->segment[i] != b->segment[i - 1];
  for (uint32_t i = 0; i < n / 2; i++)
    if (!(b->targets[i] >= -1 && b->targets[i] <= 1)) return en_fail(why, EN_E_ARG, "the cosine of pair %u is outside -1 to 1", i);
  return EN_OK;
}

const en_loss en_loss_cosine = {.name = "cosine", .pooled = 1, .fits = en_pooled_fits, .floats = en_pooled_floats, .check = check, .aim = en_pooled_aim, .run = run};

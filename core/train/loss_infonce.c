/* loss_infonce.c - contrastive learning of pairs (van den Oord et al. 2018) with the other pairs' positives as negatives: with S_ij = cos(anchor_i, positive_j) / tau,
 *   loss_i = lse_j S_ij - S_ii,   dS_ij = softmax_j(S_i)_j - [i = j].
 * The pairs of a larger batch (GradCache, Gao et al. 2021) come as rows that a first pass made: they are constants here, and this micro-batch's own
 * rows get the gradient of the loss of all anchors, so that the micro-batches together give the large batch's gradient. */
#include "pooled.h"
#include <math.h>

/* All pairs, and which of their rows are this micro-batch's. */
typedef struct { const en_trainer *t; const en_pooled *own; const float *rows; int32_t n_pairs, first, end; } pairs_t;

static const float *row(const pairs_t *p, int32_t i) { return p->rows + (size_t)i * (size_t)p->own->D; }
static float *gradient(const pairs_t *p, int32_t pair, int32_t side) { /* NULL: not ours */
  return pair >= p->first && pair < p->end ? p->own->du + (size_t)(2 * (pair - p->first) + side) * (size_t)p->own->D : NULL;
}
static double score(const pairs_t *p, int32_t i, int32_t j) {
  return (double)p->t->m->k.dot(row(p, 2 * i), row(p, 2 * j + 1), p->own->D) / (double)p->t->spec.temperature;
}

/* e^x by the kernels, whose bits are the same everywhere. */
static double power_of_e(const pairs_t *p, double x) {
  float y = (float)x;
  p->t->m->k.exp_sum(&y, &y, 0, 1);
  return (double)y;
}

/* Of anchor i's scores: the highest, and the sum of e^(score - highest). */
typedef struct { double top, sum; } spread_t;

static spread_t spread_of(const pairs_t *p, int32_t i) {
  spread_t all = {score(p, i, 0), 1};
  for (int32_t j = 1; j < p->n_pairs; j++) {
    const double s = score(p, i, j), top = fmax(all.top, s);
    all.sum = all.sum * power_of_e(p, all.top - top) + power_of_e(p, s - top);
    all.top = top;
  }
  return all;
}

static void add_gradients(const pairs_t *p, int32_t i, spread_t all) {
  const en_kernels *k = &p->t->m->k;
  float *da = gradient(p, i, 0);
  for (int32_t j = 0; j < p->n_pairs; j++) {
    float *dp = gradient(p, j, 1);
    if (!da && !dp) continue;
    const float g = (float)((power_of_e(p, score(p, i, j) - all.top) / all.sum - (i == j)) / (double)p->t->spec.temperature);
    if (da) k->axpy(da, row(p, 2 * j + 1), g, p->own->D);
    if (dp) k->axpy(dp, row(p, 2 * i), g, p->own->D);
  }
}

static int32_t run(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss) {
  const en_train_batch *b = t->batch;
  const en_pooled own = en_pooled_rows(t, x);
  const int32_t first = b->rows ? (int32_t)b->first_row / 2 : 0;
  const pairs_t p = {t, &own, b->rows ? b->rows : own.u, (b->rows ? (int32_t)b->n_rows : own.n) / 2, first, first + own.n / 2};
  (void)piece;
  for (int32_t i = 0; i < p.n_pairs; i++) {
    const int32_t ours = i >= p.first && i < p.end;
    if (!ours && !with_grad) continue;
    const spread_t all = spread_of(&p, i);
    if (ours) *loss += all.top + log(all.sum) - score(&p, i, i);
    if (with_grad) add_gradients(&p, i, all);
  }
  if (with_grad) en_pooled_backward(t, &own);
  return 0;
}

static int32_t fits(const en_model *m, en_train_spec *spec, en_why *why) {
  if (spec->temperature == 0) spec->temperature = 0.05f;
  if (!(spec->temperature >= 0.001f && spec->temperature <= 100)) return en_fail(why, EN_E_ARG, "the temperature %g is outside 0.001 to 100", (double)spec->temperature);
  return en_pooled_fits(m, spec, why);
}

static int32_t check(const en_trainer *t, const en_train_batch *b, en_why *why) {
  uint32_t n = 1;
  EN_TRY(en_pooled_check(t, b, why));
  if (!b->rows) return EN_OK;
  for (uint32_t i = 1; i < b->n; i++) n += b->segment && b->segment[i] != b->segment[i - 1];
  if (t->spec.dropout > 0) return en_fail(why, EN_E_ARG, "rows from another pass do not go with dropout: they saw other inputs");
  if (b->n_rows % 2 || b->first_row % 2 || b->n_rows > 1 << 20 || b->first_row > b->n_rows || n > b->n_rows - b->first_row)
    return en_fail(why, EN_E_ARG, "%u rows from %u on are not this micro-batch's: there are %u", n, b->first_row, b->n_rows);
  return EN_OK;
}

const en_loss en_loss_infonce = {.name = "infonce", .pooled = 1, .fits = fits, .floats = en_pooled_floats, .check = check, .aim = en_pooled_aim, .run = run};

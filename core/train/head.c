/* head.c - losses over the vocabulary: rows that predict go through the end program: a final norm, the output matrix and, in some models, steps
 * that change the logits in place. The logits live a few rows at a time: the loss turns them into their gradient in place, and that goes
 * straight back through the output matrix. */
#include "loss.h"

static size_t width(const en_trainer *t, int32_t slot) { return (size_t)en_dim_size(&t->m->c, en_slot_dim((en_slot)slot)); }

typedef struct { en_trainer *t; int32_t at; en_row_loss row; double *loss; } piece_job;

/* Rows [lo, hi) of the piece that begins at goal `at`. The gradient takes the place of the logits, or, where later steps need what they wrote, its own. */
static void piece_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const piece_job *j = ctx;
  const size_t V = (size_t)j->t->m->c.V;
  (void)lane;
  for (int32_t i = lo; i < hi; i++) {
    float *z = j->t->run.slot[EN_S_LOGITS] + (size_t)i * V, *dz = j->t->dhead[EN_S_LOGITS] + (size_t)i * V;
    if (dz != z) memcpy(dz, z, V * sizeof *dz);
    j->loss[i] = j->row(j->t, j->at + i, dz);
  }
}

static double piece_loss(en_trainer *t, int32_t at, en_row_loss row) {
  double loss[EN_HEAD_ROWS], sum = 0;
  const piece_job job = {t, at, row, loss};
  en_parallel(&t->host, piece_rows, &job, t->run.T, 1);
  for (int32_t i = 0; i < t->run.T; i++) sum += loss[i];
  return sum;
}

/* The output matrix and what follows it over rows [0, run.T) of its input slot, EN_HEAD_ROWS at a time. */
static double head_rows(en_trainer *t, int32_t head, int32_t with_grad, en_row_loss row) {
  const en_step *end = t->m->arch->end, *step = &end[head];
  const int32_t n_end = t->m->arch->n_end;
  en_run *r = &t->run;
  const int32_t n = r->T;
  const size_t in = width(t, step->in), V = (size_t)t->m->c.V;
  float *const x = r->slot[step->in], *const dx = t->dhead[step->in];
  double loss = 0;
  for (int32_t at = 0; at < n; at += EN_HEAD_ROWS) {
    r->T = EN_MIN(EN_HEAD_ROWS, n - at);
    r->slot[step->in] = x + (size_t)at * in;
    for (int32_t i = head; i < n_end; i++) en_step_forward(r, &end[i], 1);
    loss += piece_loss(t, at, row);
    if (!with_grad) continue;
    for (int32_t i = n_end - 1; i > head; i--) { /* in place, and their backward asks for what they wrote only */
      const en_back back = {r, t->dhead, r->slot[EN_S_LOGITS], NULL, t->du, 1};
      en_step_backward(&back, &end[i]);
    }
    en_matmul_t(r->k, r->host, &r->w[step->w], t->dhead[EN_S_LOGITS], V, dx + (size_t)at * in, in, r->T, r->scratch);
  }
  r->slot[step->in] = x;
  r->T = n;
  return loss;
}

double en_head_loss(en_trainer *t, const float *x, int32_t with_grad, en_row_loss row) {
  const en_arch *arch = t->m->arch;
  const int32_t T = t->run.T, n = t->n_goals, head = en_arch_head(arch);
  const size_t D = width(t, EN_S_X);
  en_run *r = &t->run;
  if (!n) return 0;
  for (int32_t i = 0; i < n; i++) memcpy(t->head[EN_S_X] + (size_t)i * D, x + (size_t)t->goal_row[i] * D, D * sizeof *x);
  r->T = n;
  r->w = t->m->globals;
  r->n_lora = 0;
  memcpy(r->slot, t->head, sizeof r->slot);
  for (int32_t i = 0; i < head; i++) en_step_forward(r, &arch->end[i], 1);
  for (int32_t s = 0; s < EN_S_LOGITS; s++)
    if (t->dhead[s]) memset(t->dhead[s], 0, (size_t)n * width(t, s) * sizeof(float));
  const double loss = head_rows(t, head, with_grad, row);
  if (with_grad) {
    for (int32_t i = head - 1; i >= 0; i--) {
      const en_back back = {r, t->dhead, r->slot[arch->end[i].out], NULL, t->du, 1};
      en_step_backward(&back, &arch->end[i]);
    }
    for (int32_t i = 0; i < n; i++) {
      float *dx = t->d[EN_S_X] + (size_t)t->goal_row[i] * D;
      r->k->add(dx, dx, t->dhead[EN_S_X] + (size_t)i * D, (int32_t)D);
    }
  }
  r->T = T;
  return loss;
}

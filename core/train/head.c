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

/* Added row by row, so that the sum does not depend on how long pieces are. */
static void add_piece_loss(en_trainer *t, int32_t at, en_row_loss row, double *sum) {
  double loss[EN_HEAD_ROWS];
  const piece_job job = {t, at, row, loss};
  en_parallel(&t->host, piece_rows, &job, t->run.T, 1);
  for (int32_t i = 0; i < t->run.T; i++) *sum += loss[i];
}

/* The output matrix and what follows it over head_rows goals from `at` on. */
static void head_rows(en_trainer *t, int32_t head, int32_t at, int32_t with_grad, double *loss, en_row_loss row) {
  const en_step *end = t->m->arch->end, *step = &end[head];
  const int32_t n_end = t->m->arch->n_end;
  en_run *r = &t->run;
  const size_t in = width(t, step->in);
  float *const x = r->slot[step->in], *d[EN_S_COUNT];
  r->T = EN_MIN(t->head_rows, t->n_goals - at);
  r->slot[step->in] = x + (size_t)at * in;
  for (int32_t i = head; i < n_end; i++) en_step_forward(r, &end[i], 1);
  add_piece_loss(t, at, row, loss);
  memcpy(d, t->dhead, sizeof d);
  d[step->in] = t->dhead[step->in] + (size_t)at * in;
  for (int32_t i = n_end - 1; with_grad && i >= head; i--) { /* behind the output matrix: in place, and their backward asks for what they wrote only */
    const en_back back = en_trainer_back(t, r->slot[EN_S_LOGITS], d);
    en_step_backward(&back, &end[i]);
  }
  r->slot[step->in] = x;
  r->T = t->n_goals;
}

/* Rows of X that predict, through the steps before the output matrix. */
static void head_begin(en_trainer *t, const float *x, int32_t head) {
  const size_t D = width(t, EN_S_X);
  en_run *r = &t->run;
  for (int32_t i = 0; i < t->n_goals; i++) memcpy(t->head[EN_S_X] + (size_t)i * D, x + (size_t)t->goal_row[i] * D, D * sizeof *x);
  r->T = t->n_goals;
  r->w = t->m->globals;
  r->n_lora = 0;
  memcpy(r->slot, t->head, sizeof r->slot);
  for (int32_t i = 0; i < head; i++) en_step_forward(r, &t->m->arch->end[i], 1);
  for (int32_t s = 0; s < EN_S_LOGITS; s++)
    if (t->dhead[s]) memset(t->dhead[s], 0, (size_t)t->n_goals * width(t, s) * sizeof(float));
}

static void head_backward(en_trainer *t, int32_t head) {
  const size_t D = width(t, EN_S_X);
  en_run *r = &t->run;
  for (int32_t i = head - 1; i >= 0; i--) {
    const en_back back = en_trainer_back(t, r->slot[t->m->arch->end[i].out], t->dhead);
    en_step_backward(&back, &t->m->arch->end[i]);
  }
  for (int32_t i = 0; i < t->n_goals; i++) {
    float *dx = t->d[EN_S_X] + (size_t)t->goal_row[i] * D;
    r->k->add(dx, dx, t->dhead[EN_S_X] + (size_t)i * D, (int32_t)D);
  }
}

int32_t en_head_loss(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss, en_row_loss row) {
  const int32_t T = (int32_t)t->batch->n, head = en_arch_head(t->m->arch), at = piece * t->head_rows;
  if (!t->n_goals) return 0;
  if (!piece) head_begin(t, x, head);
  head_rows(t, head, at, with_grad, loss, row);
  if (at + t->head_rows < t->n_goals) return 1;
  if (with_grad) head_backward(t, head);
  t->run.T = T;
  return 0;
}

/* pooled.h - losses over pooled rows: one row of X per sequence, of length 1. Sequences come in pairs: anchor, positive, anchor, positive, ... */
#ifndef EN_POOLED_H
#define EN_POOLED_H
#include "loss.h"

/* The trainer's goals are the sequences: goal_row is the first row of one, goal the row behind it. */
int32_t en_pooled_fits(const en_model *m, en_train_spec *spec, en_why *why);
uint64_t en_pooled_floats(const en_model *m, const en_train_spec *spec);
int32_t en_pooled_check(const en_trainer *t, const en_train_batch *b, en_why *why); /* an even number of sequences */
double en_pooled_aim(en_trainer *t, const en_train_batch *b);                       /* returns the number of pairs */

/* t->loss_mem: */
typedef struct en_pooled {
  float *u;       /* [n, D] rows of length 1 */
  float *du;      /* [n, D] their gradients, zero at first */
  float *inverse; /* [n] 1 / length before, 0 for a row of zeros */
  int32_t n, D;
} en_pooled;
en_pooled en_pooled_rows(en_trainer *t, const float *x); /* pools X */
en_pooled en_pooled_view(const en_trainer *t);           /* what the last one left */
void en_pooled_backward(en_trainer *t, const en_pooled *p); /* du -> d[X] */
#endif

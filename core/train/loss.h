/* loss.h - what a loss is. Adding one: a file core/train/loss_<name>.c that defines `const en_loss en_loss_<name>`, a line in core/losses.def, and a
 * finite-difference case in tests/double/gradients_test.c. The trainer runs the layers forward, asks the loss for its sum and for d[X] of the rows it looked
 * at, and runs the layers backward; it knows nothing else about it.
 *
 * Losses over the vocabulary (causal, distill, mlm) share head.c: aim() lists goals - rows of X that predict, the id each should
 * predict, its weight - and run() is en_head_loss with a function of one row of logits. The logits live a few rows at a time, [T, V] is never stored.
 *
 * Losses over pooled rows (infonce, cosine) share pooled.c: aim() finds the sequences, run() pools X and makes rows of length 1, its gradient goes back
 * through the transposed pooling. What they keep is lent by the trainer: floats() says how much, t->loss_mem is where. */
#ifndef EN_LOSS_H
#define EN_LOSS_H
#include "trainer.h"

struct en_loss {
  const char *name;
  int32_t pooled; /* 1: works on embeddings, needs no logits */
  /* At init: can this model with these settings do it? May fill in defaults. */
  int32_t (*fits)(const en_model *m, en_train_spec *spec, en_why *why);
  uint64_t (*floats)(const en_model *m, const en_train_spec *spec); /* of t->loss_mem; NULL: none */
  /* What this loss wants of a batch beyond valid ids and weights; NULL: nothing. */
  int32_t (*check)(const en_trainer *t, const en_train_batch *b, en_why *why);
  double (*aim)(en_trainer *t, const en_train_batch *b); /* before the forward pass; returns the weight of the whole batch */
  /* x: X after the last layer, [T, D]. Adds the weighted sum of the loss to *loss; with_grad: adds its gradient to t->d[EN_S_X]. In pieces of
   * some milliseconds, 0, 1, ..., between which a host may do other things: returns 1 until the last one is done. */
  int32_t (*run)(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss);
};

/* aim() of losses that predict every next token: goals are tokens with a weight that are not the first of their sequence. */
double en_aim_next(en_trainer *t, const en_train_batch *b);

/* logits z[V] of one goal -> weight * loss; the gradient, times the weight, takes the place of the logits. Runs on any lane. */
typedef double (*en_row_loss)(const en_trainer *t, int32_t goal, float *z);
int32_t en_head_loss(en_trainer *t, const float *x, int32_t with_grad, int32_t piece, double *loss, en_row_loss row);

double en_causal_row(const en_trainer *t, int32_t goal, float *z); /* -log p of the goal, with label smoothing */

/* A softmax with the kernels' exponential, whose bits are the same everywhere, as those of C libraries are not: e^(scale z[i] - top) and their sum, in
 * blocks of EN_SOFT_BLOCK numbers. */
enum { EN_SOFT_BLOCK = 512 /* so many numbers are summed in single precision */ };
typedef struct { float scale, top /* of scale z */; double sum; } en_soft;
en_soft en_soft_of(const en_kernels *k, const float *z, int32_t n, float scale); /* scale > 0 */
void en_soft_block(const en_kernels *k, const en_soft *s, float *p, const float *z, int32_t n); /* probabilities of up to EN_SOFT_BLOCK numbers */
double en_soft_log(const en_soft *s); /* log sum exp(scale z) */

#define EN_LOSS(ID, name) extern const en_loss en_loss_##name;
#include "../losses.def"
#undef EN_LOSS
#endif

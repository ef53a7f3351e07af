/* embed.c - token embedding: out[t] = row ids[t] of w. The table is packed like any matrix, so that a tied head needs no second copy. */
#include "layers_internal.h"

int32_t en_embed_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  for (int32_t t = 0; t < r->T; t++) en_weight_row(en_slot_row(r, step->out, t), &r->w[step->w], r->ids[t], r->scratch);
  return 1;
}

/* The table is frozen: the gradient ends here. */
void en_embed_backward(const en_back *b, const en_step *step) { en_grad_clear(b, step->out); }

/* linear.c - out (+)= W in + b. Neighbouring LINEAR steps with the same input (q, k, v; gate, up) become one product, so that the
 * activations are prepared once and the lanes are woken once. */
#include "layers_internal.h"

int32_t en_linear_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  enum { MOST = 4 };
  en_out outs[MOST];
  int32_t n = 0;
  while (n < MOST && n < n_steps && step[n].op == EN_OP_LINEAR && step[n].in == step[0].in) {
    const en_step *s = &step[n];
    outs[n++] = (en_out){&r->w[s->w], r->slot[s->out], en_slot_width(r, s->out), en_vector(r, s->b), s->add};
    if (s->out == s->in) break; /* what follows would read the new value */
  }
  en_matmul(r->k, r->host, r->slot[step->in], en_slot_width(r, step->in), r->T, outs, n, r->scratch);
  return n;
}

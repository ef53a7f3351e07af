/* embed.c - token embedding: out[t] = row ids[t] of w. The table is packed like any matrix, so that a tied head needs no second copy.
 * Encoders add learned rows to it: one per position, and the one of the token's type. */
#include "layers_internal.h"

int32_t en_embed_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  (void)n_steps;
  for (int32_t t = 0; t < r->T; t++) en_weight_row(en_slot_row(r, step->out, t), &r->w[step->w], r->ids[t], r->scratch);
  return 1;
}

/* Row ids[t] of dW += dy of token t; below the table there is nothing. */
void en_embed_backward(const en_back *b, const en_step *step) {
  const en_run *r = b->r;
  const en_weight *w = &r->w[step->w];
  float *dw = en_grad_weight(b, step->w);
  for (int32_t t = 0; dw && t < r->T; t++) {
    const float *d = en_grad_row(b, step->out, t);
    const int32_t row = r->ids[t], packed = row < w->n_packed; /* [cols][16] in groups, then plain rows */
    float *at = dw + (size_t)(packed ? row / EN_R * EN_R : row) * (size_t)w->cols + (packed ? row % EN_R : 0);
    for (int32_t c = 0; c < w->cols; c++) at[(size_t)c * (packed ? EN_R : 1)] += d[c];
  }
  en_grad_clear(b, step->out);
}

/* Files with more than one type exist, inputs that use the second one do not (llama.cpp too always adds row 0). */
int32_t en_add_type_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_weight *w = &r->w[step->w];
  float *row = (float *)r->scratch; /* the row itself, then room to unpack it */
  (void)n_steps;
  if (!en_weight_given(w)) return 1;
  en_weight_row(row, w, 0, row + w->cols);
  for (int32_t t = 0; t < r->T; t++) {
    float *x = en_slot_row(r, step->out, t);
    r->k->add(x, x, row, w->cols);
  }
  return 1;
}

int32_t en_add_position_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_weight *w = &r->w[step->w];
  float *row = (float *)r->scratch;
  (void)n_steps;
  for (int32_t t = 0; t < r->T; t++) {
    float *x = en_slot_row(r, step->out, t);
    en_weight_row(row, w, (int32_t)r->pos[t], row + w->cols);
    r->k->add(x, x, row, w->cols);
  }
  return 1;
}

/* The tables are frozen and the sum passes its gradient through. */
void en_add_type_backward(const en_back *b, const en_step *step) { (void)b; (void)step; }
void en_add_position_backward(const en_back *b, const en_step *step) { (void)b; (void)step; }

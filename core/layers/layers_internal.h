/* layers_internal.h - shared by the files of core/layers only. */
#ifndef EN_LAYERS_INTERNAL_H
#define EN_LAYERS_INTERNAL_H
#include "layers.h"

/* Does step[0] and maybe more; returns how many steps it did. */
typedef int32_t (*en_forward)(const en_run *r, const en_step *step, int32_t n_steps);
#define EN_OP(NAME, function, reads) \
  int32_t en_##function##_forward(const en_run *r, const en_step *step, int32_t n_steps); \
  void en_##function##_backward(const en_back *b, const en_step *step);
#include "ops.def"
#undef EN_OP

size_t en_attend_back_floats(const en_config *c, int32_t n_tokens); /* scratch of one lane for sequences of up to so many tokens */
size_t en_wkv_back_floats(const en_config *c, int32_t n_tokens, int32_t n_lanes);
size_t en_scan_back_floats(const en_config *c, int32_t n_tokens, int32_t n_lanes);
/* Numbers [at, at + n) of a chain's state, ready to be worked on and left there. Every part is asked for once in a slice. */
float *en_state(const en_run *r, const en_chain *chain, int32_t lane, int32_t at, int32_t n);
void en_layer_norm_back(float *dx, const float *dy, const float *x, const float *w, int32_t n, float eps); /* of one row; adds to dx */
int32_t en_blocks(int32_t n, int32_t block); /* n / block, rounded up */
/* y = 1 / (1 + e^-x); may be in place. */
void en_sigmoid(const en_kernels *k, float *y, const float *x, int32_t n);

/* A job over the T rows of the slice. */
typedef struct { const en_run *r; const en_step *s; } en_row_job;
void en_rows_parallel(const en_run *r, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx);

static inline size_t en_slot_width(const en_run *r, int slot) { return (size_t)en_dim_size(r->c, en_slot_dim((en_slot)slot)); }
static inline float *en_slot_row(const en_run *r, int slot, int32_t t) { return r->slot[slot] + (size_t)t * en_slot_width(r, slot); }
static inline float *en_grad_row(const en_back *b, int slot, int32_t t) { return b->d[slot] + (size_t)t * en_slot_width(b->r, slot); }
/* The step replaced the slot: what it held before has no gradient from here on. */
static inline void en_grad_clear(const en_back *b, int slot) { memset(b->d[slot], 0, (size_t)b->r->T * en_slot_width(b->r, slot) * sizeof(float)); }
typedef struct { const en_back *b; const en_step *s; } en_back_job;
static inline const float *en_vector(const en_run *r, int index) { /* a 1-D f32 tensor, NULL if absent */
  return index >= 0 ? (const float *)(const void *)r->w[index].data : NULL;
}
/* Where the gradient of a weight goes, in the weight's own layout; NULL: it is frozen, or absent. */
static inline float *en_grad_weight(const en_back *b, int index) {
  if (!b->weights || index < 0 || !en_weight_given(&b->r->w[index])) return NULL;
  return b->dweights + ((const float *)(const void *)b->r->w[index].data - b->weights);
}
#endif

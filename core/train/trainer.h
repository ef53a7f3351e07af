/* trainer.h - the inside of a trainer. */
#ifndef EN_TRAINER_H
#define EN_TRAINER_H
#include "../include/en_train.h"
#include "../model/adapter.h"

enum { EN_HEAD_ROWS = 256 /* most rows of logits alive at once: [T, V] is never stored */ };
typedef struct en_loss en_loss; /* loss.h */

/* Where the values of one layer lie: its input, and what its steps wrote. */
typedef struct { float *x, *kept, *live, *lse; } en_tape;

typedef struct { /* the micro-batch in work */
  en_train_batch batch;
  int32_t part;           /* of the way (micro.c); 0: none is in work */
  int32_t layer, step;
  int32_t learn;          /* EN_TRAIN_* */
  en_train_loss out;
} en_micro;

struct en_trainer {
  en_adapter *a;          /* what is trained; NULL: all weights of the model */
  const en_model *m;
  float *params;          /* [n_params] the adapter's numbers, or the model's: its file's tensor data, packed */
  uint64_t n_params;
  en_host host;
  en_train_spec spec;
  const en_loss *loss;
  en_micro micro;
  const en_train_batch *batch; /* the one in work */
  en_run run;
  int32_t first;          /* lowest trained layer */
  int32_t *lo, *hi;       /* [n_tokens] rows that a row sees: from its sequence's first row on */
  int32_t *lo_window;     /* [n_tokens] the same through a sliding window; empty if the model has none */
  uint32_t *pos;          /* [n_tokens] row numbers: keys lie where their row is */
  uint32_t *place;        /* [n_tokens] position in its sequence */
  int32_t *goal_row, *goal; /* [n_tokens] n_goals rows that predict, and the ids that they should */
  float *goal_weight;     /* [n_tokens] */
  int32_t n_goals;
  int32_t head_rows;      /* rows of logits alive at once */
  float *loss_mem;        /* what the loss asked for */
  float *cs;              /* [n_rope, n_tokens, rot] */
  en_tile *tiles;
  en_chain *chains;       /* [n_tokens] the sequences, and */
  int32_t *next;          /* [n_tokens] the row behind a row; both for layers with a state */
  float *state;           /* [lanes, n_state] */
  float *inputs;          /* [L - first + 1, n_tokens, D]: X at the start of every trained layer, and after the last */
  float *kept, *live;     /* [L - first, floats of the steps that are kept (en_tape_keeps)]; floats of the others, of the layer in work */
  float *outlives;        /* [n_tokens, D] slot FIRST, that layers above the first one read; empty if the model has no such */
  float *lse;             /* [L - first or 1, n_tokens, H] */
  float *kv;              /* [2, K, n_tokens, E] of the live layer */
  float *d[EN_S_COUNT];   /* gradients of the slots */
  float *head[EN_S_COUNT];/* slots of the end program: rows that predict */
  float *dhead[EN_S_COUNT];
  float *du, *scaled;     /* scratch of LINEAR's way back */
  float *attend;          /* scratch of the backward of attention, for every lane */
  float *dropped;         /* [n_tokens, widest slot] with dropout, else nothing */
  en_lora *dlora;         /* adapter's table over grad */
  float *grad, *moment1, *moment2, *backup; /* [n_params], in the order of params; backup: gradients before the micro-batch in work */
  uint64_t n_steps;
  double pending_weight;
  uint64_t n_micro;       /* micro-batches since the last step */
  int32_t narrow;         /* some matrix of the layers is of a block type: products of attention narrow their factors on the way back */
  int32_t dropping;       /* dropout is on in the micro-batch in work */
};

/* Numbers of params that are updated alike. */
typedef struct { size_t from, n; float lr_ratio, decay; } en_span;
int32_t en_trainer_span(const en_trainer *t, uint64_t i, en_span *out); /* 0: past the last */
/* Where steps put what they learn about weights: r, out and need_in are left to the caller. */
en_back en_trainer_back(const en_trainer *t, const float *out, float *const *d);

int32_t en_tape_keeps(const en_trainer *t, int32_t i);      /* 1: what step i of every trained layer wrote stays for the way back */
size_t en_tape_floats(const en_trainer *t, int32_t kept);   /* of the steps of one layer that are, or are not, kept */
int32_t en_tape_again(const en_trainer *t, int32_t i);      /* the first step from i on that is not; n_each: none */
/* Step i of layer l forward over its tape, and those that are one product with it. Returns the step that comes next. */
int32_t en_tape_forward(en_trainer *t, int32_t l, const en_tape *tape, int32_t i);
float *en_tape_result(const en_trainer *t, const en_tape *tape); /* X after the layer */
/* Step i of layer l from its end. 0: nothing below it in this layer is needed. */
int32_t en_tape_backward(en_trainer *t, int32_t l, const en_tape *tape, int32_t i);
#endif

/* train_goal.h - what `edge-net train` minimises, and what that wants beside the tokens of a batch: a teacher's logits, masks, cosines. */
#ifndef EN_CLI_TRAIN_GOAL_H
#define EN_CLI_TRAIN_GOAL_H
#include "../core/include/en_train.h"
#include "pairs.h"

typedef struct {
  uint32_t loss;           /* EN_LOSS_* */
  const char *teacher;     /* EN_LOSS_DISTILL: model file with the same tokens */
  uint32_t top_k;          /* of the teacher's ids; 0: all */
  float mask_probability;  /* EN_LOSS_MLM */
  uint64_t seed;
  const char *kernels;     /* of the teacher; NULL: auto */
  int32_t n_threads;
} cli_goal_spec;

typedef struct {
  cli_goal_spec spec;
  cli_model teacher;
  int teacher_open;
  en_session *session;
  void *session_mem;
  uint32_t n_vocab;
  en_mask_spec mask;
  float *logits;           /* [n_tokens, top_k or n_vocab] */
  int32_t *ids;            /* [n_tokens, top_k] the teacher's best; or [n_tokens] what was masked */
  float *targets;          /* [samples of a batch] */
} cli_goal;

/* n_tokens, n_samples: most of one micro-batch; longest: most tokens of one sample. 1, or 0 after a message. cli_goal_close in any case. */
int cli_goal_open(cli_goal *g, const cli_goal_spec *spec, const cli_model *m, uint32_t n_tokens, uint32_t n_samples, uint32_t longest);
/* Fills in what the loss wants of a batch of these samples; ids (those of b) may change. The same number gives the same masks. */
int32_t cli_goal_fill(cli_goal *g, en_train_batch *b, int32_t *ids, const cli_pairs *data, const uint32_t *which, uint32_t n, uint64_t number, en_why *why);
uint64_t cli_goal_hash(const cli_goal *g, uint64_t hash);
void cli_goal_close(cli_goal *g);
static inline int cli_goal_is_pairs(uint32_t loss) { return loss == EN_LOSS_INFONCE || loss == EN_LOSS_COSINE; }
#endif

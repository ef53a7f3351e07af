/* train.h - a run of `edge-net train`, as its parts share it: settings and report (train.c), the steps (train_steps.c), what lies on the disk (train_files.c) and
 * what frozen layers made of the samples (train_prefix.c). Functions say 1, or 0 after a message, unless they take a why. */
#ifndef EN_CLI_TRAIN_H
#define EN_CLI_TRAIN_H
#include "../core/include/en_train.h"
#include "../core/train/schedule.h"
#include "train_goal.h"

enum {
  T_DATA, T_OUT, T_FULL, T_FORMAT, T_RANK, T_ALPHA, T_TARGETS, T_RSLORA, T_DORA, T_LAYERS, T_LR, T_STEPS, T_EPOCHS, T_BATCH, T_ACCUM, T_WARMUP, T_SCHEDULE, T_MIN_LR,
  T_CLIP, T_DECAY, T_OPTIMIZER, T_MOMENTUM, T_SMOOTHING, T_DROPOUT, T_FREEZE_A, T_RATIO_B, T_MAX_LENGTH, T_NO_END, T_EVAL, T_SEED, T_KEEP, T_PREFIX, T_SAVE_EVERY, T_STOP_AFTER, T_RESUME, T_CSV, T_BASE, T_LOSS, T_TEACHER, T_TOP_K, T_TEMPERATURE, T_HARD_MIX, T_MASK, T_THREADS, T_KERNELS, T_JSON, T_QUIET
};

/* What the frozen layers make of every sample: rows of `width` numbers, at the place of the sample's tokens. */
typedef struct {
  uint8_t *there;         /* [samples] 1: it was computed; NULL: nothing is kept */
  float *rows;            /* all of them, or NULL: in the file */
  FILE *file;
  float *batch;           /* [n_tokens, width] of the micro-batch */
  size_t width;
} prefix_store;

typedef struct {
  const cli_args *a;
  cli_model m;
  cli_pairs data;
  en_adapter *adapter;
  en_trainer *trainer;
  void *adapter_mem, *trainer_mem;
  char *checkpoint;       /* path */
  en_schedule schedule;
  uint32_t *sample;       /* [data.n] samples: n_train to learn, then those held out */
  uint32_t *order;        /* [n_train] of this epoch */
  uint32_t n_train, n_tokens /* most of one micro-batch */;
  uint64_t per_epoch, first, step /* the next one */, settings;
  int32_t *ids;           /* [n_tokens] the micro-batch */
  uint32_t *segment;
  float *weight;
  prefix_store prefix;
  cli_goal goal;
  float *rows;            /* InfoNCE over several micro-batches: all their embeddings */
  FILE *csv;
  double loss_first, loss_last, eval_first, eval_last, ms, cpu_ms, tokens;
  size_t train_bytes;     /* memory beyond the model */
} training;

/* Before the first step: can the result be put where it is to go? */
int train_can_write(const training *t);
int train_save(const training *t); /* the checkpoint */
int train_load(training *t);
int train_open_csv(training *t);   /* the table of losses; after a resume without the lines that will come again */

int train_open_prefix(training *t);
/* Gives the batch of samples which[0..n-1] its prefix, computing what is not there yet. */
int32_t train_add_prefix(training *t, const uint32_t *which, uint32_t n, en_train_batch *b, en_why *why);
void train_close_prefix(training *t);

/* Steps until all are done, --stop-after says so, or an interrupt came. */
int train_loop(training *t);
#endif

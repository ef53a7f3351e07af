/* train_case.h - a training fixture: JSON that names a base model, a start adapter, token sequences (kind train-ce) or pairs of them (train-infonce),
 * and what training has to give. */
#ifndef EN_CLI_TRAIN_CASE_H
#define EN_CLI_TRAIN_CASE_H
#include "../core/include/en_train.h"
#include "cli.h"
#include "json.h"

typedef struct {
  const char *path;    /* of the JSON file; what it names is beside it */
  char *text;
  json j;
  cli_model m;
  int32_t *ids;        /* all sequences, packed */
  uint32_t *segment;
  float *weight;
  uint32_t n;
  uint32_t loss;       /* EN_LOSS_* */
  float tau;           /* its temperature, of pairs */
  en_adapter *adapter; /* of the last train_case_begin */
  en_trainer *trainer;
  void *adapter_mem, *trainer_mem;
} train_case;

enum { TRAIN_CASE_STEPS = 1000, TRAIN_CASE_PATH = 1024 };
typedef struct { uint32_t n; double loss[TRAIN_CASE_STEPS], norm[TRAIN_CASE_STEPS], lr[TRAIN_CASE_STEPS], loss_after; } train_trace;

/* Reads the case and opens its base model. EN_OK, or a status with a sentence; EN_E_UNSUPPORTED: this build cannot run that model. */
int32_t train_case_open(train_case *c, const char *path, const char *kernels, en_why *why);
void train_case_close(train_case *c);
/* The start adapter, and a trainer with the settings of a run (JSON_NONE: the defaults). */
int32_t train_case_begin(train_case *c, uint32_t run, en_why *why);
uint32_t train_case_run(const train_case *c, const char *name); /* the run of that name, JSON_NONE */
/* The gradients of the batch are in the trainer afterwards; *loss: the mean. */
int32_t train_case_gradients(train_case *c, double *loss, double *norm, en_why *why);
/* All steps of the run that the trainer was begun for. */
int32_t train_case_steps(train_case *c, uint32_t run, train_trace *out, en_why *why);

/* Walks the factors in the adapter's order. is_b: [rows, rank] in files, transposed in memory. */
typedef struct { char name[80]; size_t rank, length, offset; int is_b; uint32_t layer, target; } train_factor;
int train_case_next(const train_case *c, train_factor *f); /* zeroed at first; 1, or 0 at the end */
/* The numbers of a factor as files have them ([rank, cols] or [rows, rank]) from a flat array in the adapter's order, divided. */
void train_case_factor(float *out, const train_factor *f, const float *from, double divide);
const float *train_case_params(const train_case *c);
#endif

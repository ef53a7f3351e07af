/* parity_train.h - fixtures of adapters and of training, for edge-net parity. */
#ifndef EN_CLI_PARITY_TRAIN_H
#define EN_CLI_PARITY_TRAIN_H
#include "json.h"

enum { PARITY_FAILED, PARITY_OK, PARITY_SKIPPED };
typedef void parity_report(void *ud, int verdict, const char *table, const char *text);
/* kind train-ce: loss, gradients, both traces and final adapters. kernels NULL: every table that runs here. */
void parity_train(const char *path, const char *kernels, parity_report *report, void *ud);
/* kind lora-logits: logits under both forms of an adapter at every scale. */
void parity_lora(const char *path, const json *j, const char *kernels, parity_report *report, void *ud);
#endif

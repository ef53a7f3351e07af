/* logits.h - logits of many positions of one sequence, without keeping them all in memory. */
#ifndef EN_CLI_LOGITS_H
#define EN_CLI_LOGITS_H
#include "cli.h"

enum { LOGITS_SLICE = 64 }; /* positions evaluated at once */
typedef struct {
  uint32_t n_ctx;   /* 0: the model's own */
  uint32_t kv_type; /* EN_KV_* */
  size_t first;     /* give only positions from here on */
} cli_logits_spec;
/* Gets logits [n_vocab] of a position, valid during the call. A status other than EN_OK ends the loop. */
typedef int32_t cli_logits_row(void *ud, size_t position, const float *logits, uint32_t n_vocab, en_why *why);
/* Feeds ids[n] from position 0 in a session of its own. */
int32_t cli_logits(const cli_model *m, const cli_logits_spec *spec, const int32_t *ids, size_t n, cli_logits_row *row, void *ud, en_why *why);
/* "f32", "f16", "q8_0" or NULL (f32); 0 after a message. */
int cli_read_kv(const char *text, uint32_t *kv_type);
#endif

/* embed.h - embeddings of any number of texts, packed into forward passes. */
#ifndef EN_CLI_EMBED_H
#define EN_CLI_EMBED_H
#include "cli.h"

typedef struct {
  uint32_t pooling; /* EN_POOL_* */
  uint32_t n_ctx;   /* longest text; 0: at most 512 */
} cli_embed_spec;
/* Token ids of texts one after another; text i ends before ends[i]. */
typedef struct { int32_t *ids; size_t *ends; size_t n_texts; } cli_texts;
/* Gets the rows of embeddings in order, [size] floats that it may change. A status other than EN_OK ends the loop. */
typedef int32_t cli_embed_row(void *ud, float *row, uint32_t size, en_why *why);
int32_t cli_embed(const cli_model *m, const cli_embed_spec *spec, const cli_texts *texts, cli_embed_row *row, void *ud, en_why *why);
#endif

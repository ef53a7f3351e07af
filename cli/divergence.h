/* divergence.h - logits of one model kept in a file, and how far another one's are from them (perplexity --save-logits, --kld).
 * File, little-endian: "ENLG", u32 version 1, u32 vocabulary, u32 window, u64 n, i32 ids[n] (as scored: with the tokens that begin windows), then f32
 * [vocabulary] for every scored position in order. */
#ifndef EN_CLI_DIVERGENCE_H
#define EN_CLI_DIVERGENCE_H
#include "cli.h"

typedef struct {
  FILE *f;
  float *row, *kld;  /* a row of the file; a Kullback-Leibler divergence for each position */
  size_t n, cap, same_top;
  uint32_t n_vocab;
  double nll;        /* of the file's model, summed */
} divergence;
/* Head of a file that is being written; 1, or 0 after a message of `out`. */
int divergence_write_head(cli_out *out, uint32_t n_vocab, uint32_t window, const int32_t *ids, size_t n);
/* Opens such a file and checks that it is of the same vocabulary, window and tokens. */
int32_t divergence_open(divergence *d, const char *path, uint32_t n_vocab, uint32_t window, const int32_t *ids, size_t n, en_why *why);
int32_t divergence_add(divergence *d, const float *logits, int32_t next, en_why *why); /* the next scored position */
void divergence_report(divergence *d, double nll_mean, int json);
void divergence_close(divergence *d);
#endif

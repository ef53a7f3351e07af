/* pairs.h - training data: JSON lines {"input", "output"} or {"text"} as token sequences with their loss masks. */
#ifndef EN_CLI_PAIRS_H
#define EN_CLI_PAIRS_H
#include "cli.h"

/* One sample is ids[start[i]..start[i + 1]-1]. weight 0: part of the prompt, not learned. */
typedef struct {
  int32_t *ids;
  float *weight;
  size_t *start;      /* [n + 1] */
  float *score;       /* [n] how alike the two texts of a pair should be; 0 where nothing says so */
  uint32_t n;
  uint32_t n_cut;     /* samples that were cut at the greatest length */
  uint32_t n_dropped; /* samples that had nothing to learn (left) */
  uint32_t longest;   /* tokens */
  size_t n_targets;   /* tokens that are learned */
  uint64_t hash;      /* of everything above */
  size_t cap_ids, cap_samples;
} cli_pairs;

typedef struct {
  uint32_t max_length;
  int32_t no_end; /* leave out EOS */
  int32_t apart;  /* input and output are two texts, each with the tokens that its ends get and at most max_length; weight 0: the first one's tokens */
  int32_t scored; /* every line has a number "score", -1 to 1 */
} cli_pairs_spec;
/* {"input", "output"}: BOS (if the model wants one), the input, the output, EOS; the output and EOS are learned. The two are tokenized apart, so that
 * the border is where it will be when the model runs; where a tokenizer begins every text with a space of its own, that one stands for a space that the
 * output begins with. {"text"}: BOS, the text, EOS; all of it is learned. 1, or 0 after a message that names the line. */
int cli_pairs_read(cli_pairs *out, const cli_model *m, const char *path, const cli_pairs_spec *spec);
void cli_pairs_free(cli_pairs *p);
#endif

/* bpe_train.h - learns a byte-level BPE vocabulary (Sennrich et al. 2016; bytes as in GPT-2) from texts. */
#ifndef EN_CLI_BPE_TRAIN_H
#define EN_CLI_BPE_TRAIN_H
#include "../core/text/pretokenize.h"

typedef struct cli_bpe cli_bpe;
typedef struct { uint32_t left, right; } cli_bpe_merge; /* symbols: 0-255 are bytes, 256 + i is what merge i made */

/* NULL: no memory. specials[n] (kept): texts that no word runs across and that are not learned from. blank_apart: the blank before a word is merged with
 * nothing, so that a word has the same tokens after a blank, after a quotation mark and at the beginning: a small model copies it more easily. */
cli_bpe *cli_bpe_new(const en_pretokenizer *pre, const char *const *specials, size_t n, int blank_apart);
void cli_bpe_free(cli_bpe *b);
/* Counts the words of a text, which may be freed afterwards. 1, or 0: no memory. */
int cli_bpe_add(cli_bpe *b, const char *text, size_t n_bytes);
size_t cli_bpe_words(const cli_bpe *b); /* different ones so far */
/* Finds up to n_merges merges, each of the pair of neighbours that is the most frequent at its time; of equally frequent pairs the one whose left text,
 * then whose right text, is the greatest in byte order. Pairs that occur less than `least` times are not merged. progress may be NULL.
 * Once only. Returns the merges, *n of them (owned by b); NULL: no memory. */
const cli_bpe_merge *cli_bpe_learn(cli_bpe *b, uint32_t n_merges, uint64_t least, void (*progress)(uint32_t done, uint32_t of), uint32_t *n);
/* The bytes that a symbol stands for; valid until cli_bpe_free. */
const char *cli_bpe_text(const cli_bpe *b, uint32_t symbol, size_t *n_bytes);
#endif

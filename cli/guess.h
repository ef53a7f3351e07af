/* guess.h - tokens that probably come next, for the model to check in one batch: what followed the same tokens earlier in the text, else what a draft model
 * draws. The draft draws by the same random numbers as the text (en_sampler_follow), so the text stays what it would have been. */
#ifndef CLI_GUESS_H
#define CLI_GUESS_H
#include "cli.h"

enum { GUESS_MAX = 32 };
typedef struct {
  int32_t lookup, drafts;    /* tokens to guess at most, 0: not in this way */
  cli_model draft;
  en_session *session;
  en_sampler *sampler;       /* the draft's; whoever opens the guesses sets it up */
  void *session_mem, *sampler_mem;
  int32_t *cached;           /* [n_ctx] what the draft's cache holds */
  uint32_t n_cached;
  int32_t trust, misses, pause; /* fewer after wrong ones; turns in a row with wrong ones only; turns to wait */
  int32_t ids[GUESS_MAX], n; /* the guesses of this turn */
  size_t n_guessed, n_right; /* in all; n_right is counted by whoever checks them */
} cli_guess;

/* lookup and drafts are set by the caller; path: of the draft model, where drafts > 0. EN_E_UNSUPPORTED: it has another vocabulary, or `session`, the model's, or
 * the draft's is of a recurrent model, which cannot take guesses back. cli_guess_close in any case. */
int32_t cli_guess_open(cli_guess *g, const cli_model *m, en_session *session, const char *path, const char *kernels, int32_t n_threads, en_why *why);
void cli_guess_close(cli_guess *g);
/* Leaves at most `most` guesses of what follows ids[n] in g->ids. sampler: the text's. */
int32_t cli_guess_next(cli_guess *g, const int32_t *ids, size_t n, int32_t most, const en_sampler *sampler, en_why *why);
void cli_guess_checked(cli_guess *g, int32_t n_right); /* so many of them were right: how many to guess next time */
#endif

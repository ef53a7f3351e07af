/* guess.c - prompt lookup and draft models. */
#include "guess.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_PAUSE = 31, LOOK_LONGEST = 3, LOOK_SHORTEST = 2 };

/* A wrong guess is cut off the sequence again. */
static int32_t can_go_back(en_session *s, en_why *why) {
  static const int32_t two[2] = {0, 0};
  EN_TRY(en_eval(s, &(en_batch){.n = 2, .ids = two}, why));
  const int32_t status = en_seq_keep(s, 0, 1);
  if (status != EN_OK) return en_fail(why, status, "a recurrent model cannot take guesses back: --lookup and --draft are not possible with it");
  return en_seq_keep(s, 0, 0);
}

static int32_t open_draft(cli_guess *g, const cli_model *m, uint32_t n_ctx, const char *path, const char *kernels, int32_t n_threads, en_why *why) {
  en_why inner;
  const int32_t status = cli_open(&g->draft, path, &(cli_open_spec){.need_tokenizer = 1, .kernels = kernels, .n_threads = n_threads, .quiet = 1, .why = &inner});
  if (status != EN_OK) return en_fail(why, status, "--draft: %s: %s", path, inner.text);
  if (!g->draft.info.has_logits) return en_fail(why, EN_E_UNSUPPORTED, "--draft: an encoder writes no text");
  if (!en_tokenizer_same(m->tokenizer, g->draft.tokenizer))
    return en_fail(why, EN_E_UNSUPPORTED, "--draft: %s has another vocabulary; a draft must have the model's, token by token", path);
  const uint32_t n_vocab = EN_MIN(m->info.n_vocab, g->draft.info.n_vocab);
  const size_t n = en_sampler_bytes(n_vocab, 0);
  g->sampler_mem = cli_alloc(n);
  g->cached = malloc(n_ctx * sizeof *g->cached);
  if (!g->sampler_mem || !g->cached) return en_fail(why, EN_E_NOMEM, "no memory for the draft's sampler");
  EN_TRY(en_sampler_init(&g->sampler, g->sampler_mem, n, n_vocab, 0));
  EN_TRY(cli_session(&g->draft, &(en_session_spec){.n_ctx = n_ctx}, &g->session, &g->session_mem, why));
  return can_go_back(g->session, why);
}

int32_t cli_guess_open(cli_guess *g, const cli_model *m, en_session *session, const char *path, const char *kernels, int32_t n_threads, en_why *why) {
  g->trust = GUESS_MAX;
  if (g->lookup || g->drafts) EN_TRY(can_go_back(session, why));
  return g->drafts ? open_draft(g, m, en_session_n_ctx(session), path, kernels, n_threads, why) : EN_OK;
}

void cli_guess_close(cli_guess *g) {
  free(g->cached);
  free(g->sampler_mem);
  free(g->session_mem);
  if (g->draft.image) cli_close(&g->draft);
}

/* What followed when the last three tokens, or two, stood in the text before, the latest time. */
static void look_up(cli_guess *g, const int32_t *ids, size_t n, int32_t most) {
  for (size_t length = LOOK_LONGEST; length >= LOOK_SHORTEST; length--)
    for (size_t end = n - 1; end >= length && end < n; end--) {
      if (memcmp(ids + end - length, ids + n - length, length * sizeof *ids)) continue;
      g->n = (int32_t)EN_MIN((size_t)most, n - end);
      memcpy(g->ids, ids + end, (size_t)g->n * sizeof *ids);
      return;
    }
}

/* The draft reads what it has not read yet, then goes on alone. */
static int32_t draft(cli_guess *g, const int32_t *ids, size_t n, int32_t most, const en_sampler *sampler, en_why *why) {
  uint32_t keep = 0;
  while (keep < g->n_cached && keep < n - 1 && g->cached[keep] == ids[keep]) keep++;
  for (size_t i = keep; i < n; i++)
    if ((uint32_t)ids[i] >= g->draft.info.n_vocab) return EN_OK; /* padding of the larger vocabulary */
  EN_TRY(en_seq_keep(g->session, 0, keep));
  en_sampler_follow(g->sampler, sampler);
  const int32_t *next = ids + keep;
  uint32_t n_next = (uint32_t)(n - keep);
  for (g->n_cached = keep; g->n < most; next = &g->ids[g->n++], n_next = 1) {
    EN_TRY(en_eval(g->session, &(en_batch){.n = n_next, .ids = next}, why));
    memcpy(g->cached + g->n_cached, next, n_next * sizeof *next);
    g->n_cached += n_next;
    EN_TRY(en_sample(g->sampler, en_logits(g->session, 0), &g->ids[g->n]));
    en_sampler_accept(g->sampler, g->ids[g->n]);
  }
  return EN_OK;
}

int32_t cli_guess_next(cli_guess *g, const int32_t *ids, size_t n, int32_t most, const en_sampler *sampler, en_why *why) {
  int32_t status = EN_OK;
  g->n = 0;
  if (g->pause-- > 0) return EN_OK;
  g->pause = 0;
  most = EN_MIN(most, g->trust);
  if (most > 0 && g->lookup) look_up(g, ids, n, EN_MIN(most, g->lookup));
  if (most > 0 && g->drafts && !g->n) status = draft(g, ids, n, EN_MIN(most, g->drafts), sampler, why);
  g->n_guessed += (size_t)g->n;
  return status;
}

void cli_guess_checked(cli_guess *g, int32_t n_right) {
  if (!g->n) return;
  g->misses = n_right ? 0 : EN_MIN(g->misses + 1, 5);
  g->pause = EN_MIN((1 << g->misses) - 1, MAX_PAUSE);
  g->trust = n_right < g->n ? EN_MAX(1, n_right) : EN_MIN(2 * n_right, GUESS_MAX);
}

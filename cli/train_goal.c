/* train_goal.c - see train_goal.h. */
#include "train_goal.h"
#include "../core/base/base.h"
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 16 /* the teacher's tokens; their logits live together */ };

/* ---- a teacher ---- */

/* Every number must stand for the same piece of text in both. */
static int same_tokens(const cli_model *m, const cli_model *teacher) {
  char ours[512], theirs[512];
  size_t n_ours, n_theirs;
  if (m->info.n_vocab != teacher->info.n_vocab) return cli_fail(teacher->path, "the teacher has %u tokens, the model %u", teacher->info.n_vocab, m->info.n_vocab), 0;
  for (int32_t id = 0; id < (int32_t)en_tokenizer_special(m->tokenizer)->n_vocab; id++) {
    const int32_t a = en_decode(m->tokenizer, &id, 1, EN_TOK_SPECIAL, 0, ours, sizeof ours, &n_ours), b = en_decode(teacher->tokenizer, &id, 1, EN_TOK_SPECIAL, 0, theirs, sizeof theirs, &n_theirs);
    if (a != b || (a == EN_OK && (n_ours != n_theirs || memcmp(ours, theirs, n_ours)))) return cli_fail(teacher->path, "the teacher's token %d is not the model's: the two must have one vocabulary", id), 0;
  }
  return 1;
}

static int open_teacher(cli_goal *g, const cli_model *m, uint32_t n_tokens, uint32_t longest) {
  const cli_goal_spec *s = &g->spec;
  const size_t width = s->top_k ? s->top_k : m->info.n_vocab;
  en_why why = {""};
  if (!s->teacher) return cli_fail(NULL, "--loss distill needs --teacher MODEL"), 0;
  if (s->top_k > m->info.n_vocab) return cli_fail(NULL, "--top-k %u: the vocabulary has %u tokens", s->top_k, m->info.n_vocab), 0;
  g->teacher_open = cli_open(&g->teacher, s->teacher, &(cli_open_spec){.need_tokenizer = 1, .kernels = s->kernels, .n_threads = s->n_threads}) == EN_OK;
  if (!g->teacher_open || !same_tokens(m, &g->teacher)) return 0;
  if (cli_session(&g->teacher, &(en_session_spec){.n_ctx = longest, .n_batch = AT_ONCE, .n_logits = AT_ONCE}, &g->session, &g->session_mem, &why) != EN_OK) return cli_fail(s->teacher, "%s", why.text), 0;
  g->logits = malloc(n_tokens * width * sizeof *g->logits);
  g->ids = s->top_k ? malloc(n_tokens * width * sizeof *g->ids) : NULL;
  return (g->logits && (!s->top_k || g->ids)) || (cli_fail(NULL, "no memory for the teacher's logits of %u tokens; see --top-k and --batch", n_tokens), 0);
}

/* The k largest of z[n], in falling order. */
static void best_of(const float *z, uint32_t n, uint32_t k, float *best, int32_t *ids) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (found == k && !(z[i] > best[k - 1])) continue;
    uint32_t at = found < k ? found++ : k - 1;
    for (; at && z[i] > best[at - 1]; at--) {
      best[at] = best[at - 1];
      ids[at] = ids[at - 1];
    }
    best[at] = z[i];
    ids[at] = (int32_t)i;
  }
}

static int32_t ask_teacher(cli_goal *g, en_train_batch *b, en_why *why) {
  const uint32_t k = g->spec.top_k, V = g->n_vocab;
  uint8_t want[AT_ONCE];
  memset(want, 1, sizeof want);
  for (uint32_t at = 0, n; at < b->n; at += n) {
    if (at == 0 || b->segment[at] != b->segment[at - 1]) EN_TRY(en_seq_keep(g->session, 0, 0));
    for (n = 1; n < AT_ONCE && at + n < b->n && b->segment[at + n] == b->segment[at];) n++;
    EN_TRY(en_eval(g->session, &(en_batch){.n = n, .ids = b->ids + at, .want = want}, why));
    for (uint32_t i = 0; i < n; i++) {
      if (k) best_of(en_logits(g->session, i), V, k, g->logits + (size_t)(at + i) * k, g->ids + (size_t)(at + i) * k);
      else memcpy(g->logits + (size_t)(at + i) * V, en_logits(g->session, i), V * sizeof *g->logits);
    }
  }
  b->teacher = g->logits;
  b->teacher_ids = k ? g->ids : NULL;
  b->teacher_k = k;
  return EN_OK;
}

/* ---- masks ---- */

static int open_masks(cli_goal *g, const cli_model *m, uint32_t n_tokens) {
  const en_special *special = en_tokenizer_special(m->tokenizer);
  if (special->mask < 0) return cli_fail(m->path, "the tokenizer has no mask token"), 0;
  const int32_t known[] = {special->unk, special->sep, special->pad, special->cls};
  g->mask = (en_mask_spec){.probability = g->spec.mask_probability, .mask = special->mask, .n_vocab = (int32_t)m->info.n_vocab, .seed = g->spec.seed};
  for (int i = 0; i < EN_COUNT(known); i++) g->mask.first = EN_MAX(g->mask.first, known[i] + 1); /* BERT's special tokens stand before the words */
  if (g->mask.first >= g->mask.n_vocab) g->mask.first = 0;
  g->ids = malloc(n_tokens * sizeof *g->ids);
  return g->ids || (cli_fail(NULL, "no memory for the masks"), 0);
}

/* ---- all ---- */

int cli_goal_open(cli_goal *g, const cli_goal_spec *spec, const cli_model *m, uint32_t n_tokens, uint32_t n_samples, uint32_t longest) {
  *g = (cli_goal){.spec = *spec, .n_vocab = m->info.n_vocab};
  if (spec->loss == EN_LOSS_DISTILL) return open_teacher(g, m, n_tokens, longest);
  if (spec->loss == EN_LOSS_MLM) return open_masks(g, m, n_tokens);
  if (spec->loss != EN_LOSS_COSINE) return 1;
  g->targets = malloc(n_samples * sizeof *g->targets);
  return g->targets || (cli_fail(NULL, "no memory for the scores"), 0);
}

int32_t cli_goal_fill(cli_goal *g, en_train_batch *b, int32_t *ids, const cli_pairs *data, const uint32_t *which, uint32_t n, uint64_t number, en_why *why) {
  if (g->spec.loss == EN_LOSS_DISTILL) return ask_teacher(g, b, why);
  if (g->spec.loss == EN_LOSS_MLM) {
    uint64_t tries = 0;
    while (!en_train_mask(ids, g->ids, b->n, &g->mask, number << 28 | tries << 18)) /* few tokens: at least one of them */
      if (++tries == 1000) return en_fail(why, EN_E_ARG, "the batch has no token that could be masked");
    b->goals = g->ids;
  }
  if (g->spec.loss == EN_LOSS_COSINE) {
    for (uint32_t i = 0; i < n; i++) g->targets[i] = data->score[which[i]];
    b->targets = g->targets;
  }
  return EN_OK;
}

uint64_t cli_goal_hash(const cli_goal *g, uint64_t hash) {
  const uint64_t numbers[] = {g->spec.loss, g->spec.top_k, g->teacher_open ? g->teacher.info.fingerprint : 0};
  return en_hash64(en_hash64(hash, numbers, sizeof numbers), &g->spec.mask_probability, sizeof g->spec.mask_probability);
}

void cli_goal_close(cli_goal *g) {
  free(g->session_mem);
  if (g->teacher_open) cli_close(&g->teacher);
  free(g->logits);
  free(g->ids);
  free(g->targets);
  *g = (cli_goal){0};
}

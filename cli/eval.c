/* eval.c - edge-net eval: how often a model answers as wanted. Answers are greedy; samples are the lines that train reads. */
#include "adapters.h"
#include "json.h"
#include "logits.h"
#include "pairs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { E_DATA, E_N, E_BATCH, E_GROUP, E_ADAPTER, E_SHOW, E_THREADS, E_KERNELS, E_MAX_LENGTH, E_LIMIT, E_JSON, E_QUIET };
static const arg_option options[] = {
    [E_DATA] = {.name = "data", .value = "FILE.jsonl", .help = "lines of {\"input\": ..., \"output\": ...}", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [E_N] = {.name = "n", .value = "N", .help = "most tokens of an answer", .kind = ARG_INT, .min = 1, .max = 65536, .fallback = 128},
    [E_BATCH] = {.name = "batch", .value = "N", .help = "answers at once", .kind = ARG_INT, .min = 1, .max = 256, .fallback = 16},
    [E_GROUP] = {.name = "group", .value = "KEY", .help = "count apart by this member of answers that are JSON (default intent)", .kind = ARG_TEXT},
    [E_ADAPTER] = CLI_ADAPTER_OPTION,
    [E_SHOW] = {.name = "show", .value = "N", .help = "show the first N wrong answers", .kind = ARG_INT, .max = INT32_MAX},
    [E_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [E_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table: auto, ref, or one that `capabilities` lists", .kind = ARG_TEXT},
    [E_MAX_LENGTH] = {.name = "max-length", .value = "N", .help = "tokens of a sample, longer ones are cut (default 512, or the model's context)", .kind = ARG_INT, .min = 2, .max = 65536},
    [E_LIMIT] = {.name = "limit", .value = "N", .help = "use only the first N samples", .kind = ARG_INT, .min = 1, .max = INT32_MAX},
    [E_JSON] = {.name = "json", .help = "print one JSON object", .kind = ARG_FLAG},
    [E_QUIET] = {.name = "quiet", .help = "no progress on stderr", .kind = ARG_FLAG},
};
enum { MOST_GROUPS = 256, GROUP_NAME = 64, ROWS = 32 };

typedef struct { char name[GROUP_NAME]; uint32_t n, exact; } group;
typedef struct {
  const cli_args *a;
  cli_model m;
  cli_pairs data;
  en_session *session;
  void *session_mem;
  uint32_t n_samples, n_new, n_batch, n_ctx;
  uint32_t done, exact, json_wanted, json_valid, shown;
  double nll, targets, rouge;
  en_bleu bleu;
  group groups[MOST_GROUPS];
  uint32_t n_groups;
} evaluation;

/* One sample that is being answered. */
typedef struct { uint32_t sample, n_prompt, n_reference; int32_t *ids /* [n_new] the answer so far */; uint32_t n; int over, ended; } answer;

/* ---- counting ---- */

/* The text of ids, NUL-terminated; NULL: no memory. free() it. */
static char *text_of(const evaluation *e, const int32_t *ids, size_t n_ids, size_t *n) {
  *n = 0;
  en_decode(e->m.tokenizer, ids, n_ids, 0, 1, NULL, 0, n);
  char *text = malloc(*n + 1);
  if (!text) return NULL;
  if (en_decode(e->m.tokenizer, ids, n_ids, 0, 1, text, *n, n) != EN_OK) *n = 0;
  text[*n] = 0;
  return text;
}

/* 1 and, if it is an object that has the member as a text, its name: else "text". */
static int is_json(const char *text, size_t n, const char *key, char name[GROUP_NAME]) {
  json j;
  const char *error;
  size_t at;
  strcpy(name, "text");
  if (n == 0 || *text != '{' || !json_read(&j, text, n, &error, &at)) return 0;
  if (!json_string(&j, json_get(&j, 0, key), name, GROUP_NAME)) strcpy(name, "other");
  json_free(&j);
  return 1;
}

static group *group_of(evaluation *e, const char *name) {
  for (uint32_t i = 0; i < e->n_groups; i++)
    if (!strcmp(e->groups[i].name, name)) return e->groups + i;
  if (e->n_groups == MOST_GROUPS) return e->groups + MOST_GROUPS - 1;
  group *g = e->groups + e->n_groups++;
  strcpy(g->name, name);
  return g;
}

/* ended: the model has stopped where it should. */
static int count_texts(evaluation *e, const char *got, size_t n_got, const char *wanted, size_t n_wanted, int ended) {
  char name[GROUP_NAME], ignored[GROUP_NAME];
  const char *key = args_given(e->a, E_GROUP) ? args_text(e->a, E_GROUP) : "intent";
  const int wants_json = is_json(wanted, n_wanted, key, name), exact = ended && n_got == n_wanted && !memcmp(got, wanted, n_got);
  const size_t n_scratch = en_overlap_bytes(n_got, n_wanted);
  void *scratch = n_scratch ? cli_alloc(n_scratch) : NULL;
  en_rouge rouge = {0, 0, 0};
  if (!scratch) return 0;
  en_bleu_add(&e->bleu, got, n_got, wanted, n_wanted, scratch, n_scratch);
  en_rouge_l(&rouge, got, n_got, wanted, n_wanted, scratch, n_scratch);
  free(scratch);
  e->rouge += rouge.f1;
  e->json_wanted += (uint32_t)wants_json;
  e->json_valid += (uint32_t)(wants_json && is_json(got, n_got, key, ignored));
  e->exact += (uint32_t)exact;
  group *g = group_of(e, name);
  g->n++;
  g->exact += (uint32_t)exact;
  return 1;
}

static int count_answer(evaluation *e, const answer *x) {
  const int32_t *ids = e->data.ids + e->data.start[x->sample];
  size_t n_got, n_wanted, n_prompt;
  const int ends = x->n_reference && en_token_is_end(e->m.tokenizer, ids[x->n_prompt + x->n_reference - 1]);
  const uint32_t n_reference = x->n_reference - (uint32_t)ends, before = e->exact;
  char *got = text_of(e, x->ids, x->n, &n_got), *wanted = text_of(e, ids + x->n_prompt, n_reference, &n_wanted);
  int ok = got && wanted && count_texts(e, got, n_got, wanted, n_wanted, x->ended || !ends);
  if (ok && e->exact == before && e->shown < (uint32_t)args_int(e->a, E_SHOW)) {
    char *prompt = text_of(e, ids, x->n_prompt, &n_prompt);
    if (prompt) fprintf(stderr, "%s%s\n  wanted %s\n  got    %s\n", isatty(2) ? "\r\033[K" : "", prompt, wanted, got);
    free(prompt);
    e->shown++;
  }
  free(got);
  free(wanted);
  return ok || (cli_fail(NULL, "no memory to compare an answer"), 0);
}

/* ---- answering ---- */

/* The model would say this next. */
static void say(const evaluation *e, answer *x, int32_t id) {
  if (en_token_is_end(e->m.tokenizer, id)) { x->over = x->ended = 1; return; }
  x->ids[x->n++] = id;
  x->over = x->n == e->n_new || x->n_prompt + x->n > e->n_ctx;
}

/* The sequence as it was after the first n ids. A recurrent model has to read them again. */
static int32_t go_back(const evaluation *e, uint32_t seq, const int32_t *ids, uint32_t n, en_why *why) {
  uint32_t seqs[ROWS];
  uint8_t want[ROWS] = {0};
  if (en_seq_keep(e->session, seq, n) == EN_OK) return EN_OK;
  EN_TRY(en_seq_keep(e->session, seq, 0));
  for (uint32_t i = 0; i < ROWS; i++) seqs[i] = seq;
  for (uint32_t at = 0; at < n; at += ROWS)
    EN_TRY(en_eval(e->session, &(en_batch){.n = EN_MIN(n - at, (uint32_t)ROWS), .ids = ids + at, .seq = seqs, .want = want}, why));
  return EN_OK;
}

/* The wanted answer through the model: how surprising it is, and what the model itself would say for as long as that is the same; these tokens, but for
 * the last, stay in the cache. */
static int32_t read_sample(evaluation *e, answer *x, uint32_t seq, en_why *why) {
  const int32_t *ids = e->data.ids + e->data.start[x->sample];
  const uint32_t n = x->n_prompt + x->n_reference;
  uint32_t seqs[ROWS];
  uint8_t want[ROWS];
  for (uint32_t at = 0; at + 1 < n; at += ROWS) {
    const uint32_t n_slice = EN_MIN(n - 1 - at, (uint32_t)ROWS);
    for (uint32_t i = 0; i < n_slice; i++) seqs[i] = seq, want[i] = at + i + 1 >= x->n_prompt;
    EN_TRY(en_eval(e->session, &(en_batch){.n = n_slice, .ids = ids + at, .seq = seqs, .want = want}, why));
    for (uint32_t i = 0, row = 0; i < n_slice; i++) {
      if (!want[i]) continue;
      const uint32_t k = at + i + 1 - x->n_prompt; /* of the answer */
      int32_t best;
      e->nll += en_surprise(en_logits(e->session, row++), e->m.info.n_vocab, ids[at + i + 1], &best);
      if (!x->over && x->n == k && (k == 0 || x->ids[k - 1] == ids[at + i])) say(e, x, best);
    }
  }
  e->targets += x->n_reference;
  return x->n ? go_back(e, seq, ids, x->n_prompt + x->n - 1, why) : EN_OK;
}

static int32_t answer_all(evaluation *e, answer *batch, uint32_t n, en_why *why) {
  int32_t ids[256];
  uint32_t seqs[256], n_open;
  uint8_t want[256];
  for (uint32_t i = 0; i < n; i++) EN_TRY(read_sample(e, batch + i, i, why));
  for (;;) {
    n_open = 0;
    for (uint32_t i = 0; i < n; i++)
      if (!batch[i].over) ids[n_open] = batch[i].ids[batch[i].n - 1], seqs[n_open] = i, want[n_open++] = 1;
    if (!n_open) break;
    EN_TRY(en_eval(e->session, &(en_batch){.n = n_open, .ids = ids, .seq = seqs, .want = want}, why));
    for (uint32_t k = 0; k < n_open; k++) {
      int32_t best;
      en_surprise(en_logits(e->session, k), e->m.info.n_vocab, 0, &best);
      say(e, batch + seqs[k], best);
    }
  }
  for (uint32_t i = 0; i < n; i++) EN_TRY(en_seq_keep(e->session, i, 0));
  return EN_OK;
}

static answer sample_at(const evaluation *e, uint32_t sample, int32_t *ids) {
  const size_t start = e->data.start[sample], n = e->data.start[sample + 1] - start;
  uint32_t n_prompt = 0;
  while (n_prompt < n && e->data.weight[start + n_prompt] == 0) n_prompt++;
  return (answer){.sample = sample, .n_prompt = EN_MAX(n_prompt, 1u), .n_reference = (uint32_t)n - EN_MAX(n_prompt, 1u), .ids = ids};
}

static int32_t evaluate(evaluation *e, en_why *why) {
  answer batch[256];
  int32_t *ids = malloc((size_t)e->n_batch * e->n_new * sizeof *ids), status = ids ? EN_OK : en_fail(why, EN_E_NOMEM, "no memory for the answers");
  const int tty = isatty(2);
  while (status == EN_OK && e->done < e->n_samples) {
    const uint32_t n = EN_MIN(e->n_batch, e->n_samples - e->done);
    for (uint32_t i = 0; i < n; i++) batch[i] = sample_at(e, e->done + i, ids + (size_t)i * e->n_new);
    status = answer_all(e, batch, n, why);
    for (uint32_t i = 0; status == EN_OK && i < n; i++)
      if (!count_answer(e, batch + i)) status = en_fail(why, EN_E_NOMEM, "no memory to compare an answer");
    e->done += n;
    if (!args_given(e->a, E_QUIET) && tty) fprintf(stderr, "\r%u of %u, %.2f %% right", e->done, e->n_samples, 100.0 * e->exact / e->done);
  }
  if (!args_given(e->a, E_QUIET) && tty) fputs("\n", stderr);
  free(ids);
  return status;
}

/* ---- the command ---- */

static void report(const evaluation *e) {
  const double n = e->done, ppl = exp(e->nll / e->targets), bleu = en_bleu_score(&e->bleu);
  if (args_given(e->a, E_JSON)) {
    printf("{\"samples\":%u,\"exact\":%.6f,\"json_valid\":%.6f,\"perplexity\":%.6g,\"bleu\":%.6f,\"rouge_l\":%.6f,\"groups\":{", e->done, e->exact / n, e->json_wanted ? (double)e->json_valid / e->json_wanted : 1, ppl, bleu, e->rouge / n);
    for (uint32_t i = 0; i < e->n_groups; i++) {
      if (i) printf(",");
      cli_json_text(stdout, e->groups[i].name, strlen(e->groups[i].name));
      printf(":{\"n\":%u,\"exact\":%.6f}", e->groups[i].n, (double)e->groups[i].exact / e->groups[i].n);
    }
    printf("}}\n");
    return;
  }
  printf("%u samples\nexact match  %.2f %%\nvalid JSON   %.2f %% of %u\nperplexity   %.4f\nBLEU         %.2f\nROUGE-L      %.2f\n", e->done, 100 * e->exact / n, e->json_wanted ? 100.0 * e->json_valid / e->json_wanted : 100.0, e->json_wanted, ppl, 100 * bleu, 100 * e->rouge / n);
  for (uint32_t i = 0; i < e->n_groups; i++) printf("  %-20s %6.2f %% of %u\n", e->groups[i].name, 100.0 * e->groups[i].exact / e->groups[i].n, e->groups[i].n);
}

static int open_session(evaluation *e, en_why *why) {
  e->n_batch = (uint32_t)args_int(e->a, E_BATCH);
  e->n_new = (uint32_t)args_int(e->a, E_N);
  e->n_samples = args_given(e->a, E_LIMIT) ? EN_MIN(e->data.n, (uint32_t)args_int(e->a, E_LIMIT)) : e->data.n;
  const uint32_t wanted = e->data.longest + e->n_new;
  const en_session_spec spec = {.n_ctx = e->m.info.n_ctx_train ? EN_MIN(wanted, e->m.info.n_ctx_train) : wanted, .n_batch = ROWS, .n_seq = e->n_batch, .n_logits = EN_MAX(e->n_batch, (uint32_t)ROWS), .kv_type = EN_KV_F16};
  if (!e->data.n) return en_fail(why, EN_E_ARG, "the data has no sample with an answer");
  EN_TRY(cli_session(&e->m, &spec, &e->session, &e->session_mem, why));
  e->n_ctx = en_session_n_ctx(e->session);
  return EN_OK;
}

static int run(const cli_args *a) {
  evaluation e = {.a = a};
  en_why why = {""};
  const cli_open_spec open = {.kernels = args_text(a, E_KERNELS), .n_threads = args_int(a, E_THREADS), .need_tokenizer = 1, .adapters = a->values + E_ADAPTER};
  if (cli_open(&e.m, a->argv[0], &open) != EN_OK) return 1;
  const uint32_t usual = e.m.info.n_ctx_train ? EN_MIN(512u, e.m.info.n_ctx_train) : 512;
  const cli_pairs_spec pairs = {.max_length = args_given(a, E_MAX_LENGTH) ? (uint32_t)args_int(a, E_MAX_LENGTH) : usual};
  int code = !cli_pairs_read(&e.data, &e.m, args_text(a, E_DATA), &pairs);
  if (!code) {
    int32_t status = open_session(&e, &why);
    if (status == EN_OK) status = evaluate(&e, &why);
    if (status == EN_OK) report(&e);
    else code = cli_fail(e.m.path, "%s", why.text);
  }
  free(e.session_mem);
  cli_pairs_free(&e.data);
  cli_close(&e.m);
  return code;
}

const cli_command cli_command_eval = {
    .name = "eval", .operands = "MODEL", .summary = "how often a model answers as wanted: exact match, perplexity, BLEU, ROUGE-L",
    .notes = "Answers are greedy. Exact match, valid JSON and the counts by group compare whole answers; perplexity is that of the wanted answers.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

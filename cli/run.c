/* run.c - edge-net run: prompt in, text out as it comes. */
#include "adapters.h"
#include "chat.h"
#include "grammar.h"
#include "guess.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUN_P, RUN_N, RUN_TEMP, RUN_TOP_K, RUN_TOP_P, RUN_MIN_P, RUN_REPEAT, RUN_SEED, RUN_THREADS, RUN_CTX, RUN_STOP, RUN_CHAT, RUN_JSON, RUN_KERNELS, RUN_ADAPTER, RUN_GRAMMAR, RUN_SCHEMA, RUN_JSON_ONLY, RUN_LOOKUP, RUN_DRAFT, RUN_DRAFT_N };
static const arg_option options[] = {
    [RUN_P] = {.name = "p", .value = "TEXT", .help = "the prompt", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [RUN_N] = {.name = "n", .value = "N", .help = "tokens to generate at most", .kind = ARG_INT, .max = 1 << 24, .fallback = 128},
    [RUN_TEMP] = {.name = "temp", .value = "X", .kind = ARG_NUMBER, .flags = ARG_PARAM, .param = EN_P_TEMPERATURE},
    [RUN_TOP_K] = {.name = "top-k", .value = "N", .kind = ARG_INT, .flags = ARG_PARAM, .param = EN_P_TOP_K},
    [RUN_TOP_P] = {.name = "top-p", .value = "X", .kind = ARG_NUMBER, .flags = ARG_PARAM, .param = EN_P_TOP_P},
    [RUN_MIN_P] = {.name = "min-p", .value = "X", .kind = ARG_NUMBER, .flags = ARG_PARAM, .param = EN_P_MIN_P},
    [RUN_REPEAT] = {.name = "repeat-penalty", .value = "X", .kind = ARG_NUMBER, .flags = ARG_PARAM, .param = EN_P_REPEAT_PENALTY},
    [RUN_SEED] = {.name = "seed", .value = "N", .kind = ARG_INT, .flags = ARG_PARAM, .param = EN_P_SEED},
    [RUN_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [RUN_CTX] = {.name = "ctx", .value = "N", .help = "positions of the context (default: the model's own, at most 4096)", .kind = ARG_INT, .max = 1 << 24},
    [RUN_STOP] = {.name = "stop", .value = "TEXT", .help = "end before this text; may be given several times", .kind = ARG_TEXTS},
    [RUN_CHAT] = {.name = "chat", .help = "the prompt is a user's message to a chat model", .kind = ARG_FLAG},
    [RUN_JSON] = {.name = "json", .help = "print one JSON object at the end instead of the text", .kind = ARG_FLAG},
    [RUN_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table: auto, ref, or one that `capabilities` lists", .kind = ARG_TEXT},
    [RUN_ADAPTER] = CLI_ADAPTER_OPTION,
    [RUN_GRAMMAR] = {.name = "grammar", .value = "FILE", .help = "the text keeps to this grammar (GBNF)", .kind = ARG_TEXT},
    [RUN_SCHEMA] = {.name = "json-schema", .value = "FILE", .help = "the text is JSON that keeps to this schema", .kind = ARG_TEXT},
    [RUN_JSON_ONLY] = {.name = "json-only", .help = "the text is JSON", .kind = ARG_FLAG},
    [RUN_LOOKUP] = {.name = "lookup", .value = "N", .help = "guess up to N tokens from what stands earlier in the text: the same text, sooner where it repeats itself (default 0)", .kind = ARG_INT, .max = GUESS_MAX},
    [RUN_DRAFT] = {.name = "draft", .value = "MODEL", .help = "a small model of the same vocabulary that guesses tokens: the same text, sooner where both agree", .kind = ARG_TEXT},
    [RUN_DRAFT_N] = {.name = "draft-n", .value = "N", .help = "tokens that the draft guesses at a time; three and the one before them are a tile of the products", .kind = ARG_INT, .min = 1, .max = GUESS_MAX, .fallback = 3},
};

/* Everything that one generation needs, and what comes out of it. */
typedef struct {
  const cli_args *a;
  cli_model m;
  en_session *session;
  en_sampler *sampler;
  en_stream *stream;
  cli_grammar form;
  cli_guess guess;
  void *session_mem, *sampler_mem, *stream_mem;
  int32_t *ids;        /* the prompt, then what was generated */
  size_t n_prompt, n_ids;
  char *text;          /* for --json */
  size_t n_text, cap_text;
  const char *finish;  /* "stop" or "length" */
  double t_start, t_prompt, t_end;
} generation;

static int32_t show(generation *g, const char *text, size_t n, en_why *why) {
  if (!args_given(g->a, RUN_JSON)) {
    fwrite(text, 1, n, stdout);
    return fflush(stdout) ? en_fail(why, EN_E_FULL, "the output could not be written") : EN_OK;
  }
  if (n > g->cap_text - g->n_text) {
    const size_t cap = (g->n_text + n) * 2;
    char *more = realloc(g->text, cap);
    if (!more) return en_fail(why, EN_E_NOMEM, "no memory for the text");
    g->text = more;
    g->cap_text = cap;
  }
  if (n) memcpy(g->text + g->n_text, text, n);
  g->n_text += n;
  return EN_OK;
}

static int32_t set_sampler(en_sampler *s, const cli_args *a) {
  static const struct { uint8_t option, param; } params[] = {
      {RUN_TEMP, EN_P_TEMPERATURE}, {RUN_TOP_K, EN_P_TOP_K}, {RUN_TOP_P, EN_P_TOP_P}, {RUN_MIN_P, EN_P_MIN_P}, {RUN_REPEAT, EN_P_REPEAT_PENALTY}, {RUN_SEED, EN_P_SEED}};
  for (int32_t i = 0; i < EN_COUNT(params); i++) EN_TRY(en_sampler_set(s, params[i].param, args_number(a, params[i].option)));
  en_sampler_reset(s);
  return EN_OK;
}

static int32_t open_sampler(generation *g, en_why *why) {
  const size_t n = en_sampler_bytes(g->m.info.n_vocab, 0);
  g->sampler_mem = cli_alloc(n);
  if (!g->sampler_mem) return en_fail(why, EN_E_NOMEM, "no memory for the sampler");
  EN_TRY(en_sampler_init(&g->sampler, g->sampler_mem, n, g->m.info.n_vocab, 0));
  return set_sampler(g->sampler, g->a);
}

static int32_t open_guess(generation *g, en_why *why) {
  const cli_args *a = g->a;
  EN_TRY(cli_guess_open(&g->guess, &g->m, g->session, args_text(a, RUN_DRAFT), args_text(a, RUN_KERNELS), args_int(a, RUN_THREADS), why));
  return g->guess.sampler ? set_sampler(g->guess.sampler, a) : EN_OK;
}

/* The stop strings one after another with their NULs, as en_stream_init wants them. */
static int32_t open_stream(generation *g, int32_t at_start, en_why *why) {
  const arg_value *given = g->a->values + RUN_STOP;
  size_t n_stops = 0;
  for (int i = 0; i < given->given; i++) n_stops += strlen(given->texts[i]) + 1;
  char *stops = malloc(n_stops + 1), *p = stops;
  for (int i = 0; stops && i < given->given; i++) p = (char *)memcpy(p, given->texts[i], strlen(given->texts[i]) + 1) + strlen(given->texts[i]) + 1;
  const size_t n = en_stream_bytes(n_stops);
  g->stream_mem = stops ? cli_alloc(n) : NULL;
  for (int i = 0; i < given->given; i++)
    if (!*given->texts[i]) { free(stops); return en_fail(why, EN_E_ARG, "--stop: a stop text must not be empty"); }
  const int32_t status = g->stream_mem ? en_stream_init(&g->stream, g->stream_mem, n, g->m.tokenizer, stops, n_stops, given->given, at_start) : EN_E_NOMEM;
  free(stops);
  return status == EN_OK ? EN_OK : en_fail(why, status, "--stop: the stop texts are not possible (%s)", en_status_name(status));
}

static int32_t open_grammar(generation *g, en_why *why) {
  const cli_args *a = g->a;
  return cli_grammar_open(&g->form, &g->m, args_given(a, RUN_GRAMMAR) ? args_text(a, RUN_GRAMMAR) : NULL, args_given(a, RUN_SCHEMA) ? args_text(a, RUN_SCHEMA) : NULL, args_given(a, RUN_JSON_ONLY), why);
}

/* Tokens of the prompt, with room for those to come. */
static int32_t read_prompt(generation *g, const char *prompt, en_why *why) {
  const uint32_t n_ctx = en_session_n_ctx(g->session);
  g->ids = cli_encode(&g->m, prompt, strlen(prompt), EN_TOK_BOS | EN_TOK_SPECIAL, &g->n_prompt);
  if (!g->ids) return en_fail(why, EN_E_ARG, "the prompt cannot be used");
  if (g->n_prompt == 0) return en_fail(why, EN_E_ARG, "the prompt is empty, and this model has no token that begins a text");
  if (g->n_prompt > n_ctx) return en_fail(why, EN_E_FULL, "the prompt has %z tokens, the context only %u; see --ctx", (uint64_t)g->n_prompt, n_ctx);
  const size_t n = g->n_prompt + (size_t)args_int(g->a, RUN_N);
  int32_t *more = realloc(g->ids, n * sizeof *more);
  if (!more) return en_fail(why, EN_E_NOMEM, "no memory for %z tokens", (uint64_t)n);
  g->ids = more;
  g->n_ids = g->n_prompt;
  for (size_t i = 0; i < g->n_prompt; i++) en_sampler_accept(g->sampler, g->ids[i]);
  return EN_OK;
}

/* The next token from a row of logits, into *id; 1: the text ends here. */
static int32_t choose(generation *g, uint32_t row, int32_t *id, en_why *why) {
  float *logits = en_logits(g->session, row);
  const int32_t open = g->form.grammar ? en_grammar_mask(g->form.grammar, logits, g->m.info.n_vocab, why) : 1;
  if (open <= 0) return open ? open : 1;
  const int32_t status = en_sample(g->sampler, logits, id);
  if (status != EN_OK) return en_fail(why, status, "no token can be chosen from the model's logits (%s)", en_status_name(status));
  if (g->form.grammar) EN_TRY(en_grammar_accept(g->form.grammar, *id));
  return en_token_is_end(g->m.tokenizer, *id);
}

/* A token for every row of logits, until one is not what was guessed; 1: the text is over. */
static int32_t take_rows(generation *g, size_t n_all, en_why *why) {
  for (int32_t row = 0;; row++) {
    const char *text;
    size_t n;
    int32_t id;
    const int32_t ends = choose(g, (uint32_t)row, &id, why);
    if (ends < 0) return ends;
    if (ends) { g->finish = "stop"; return 1; }
    g->ids[g->n_ids++] = id;
    en_sampler_accept(g->sampler, id);
    const int32_t stopped = en_stream_push(g->stream, id, &text, &n);
    if (stopped < 0) return en_fail(why, stopped, "token %d could not be decoded", id);
    EN_TRY(show(g, text, n, why));
    if (stopped) { g->finish = "stop"; return 1; }
    const int right = row < g->guess.n && id == g->guess.ids[row];
    g->guess.n_right += (size_t)right;
    if (g->n_ids == n_all || g->n_ids > en_session_n_ctx(g->session)) return 1;
    if (right) continue;
    cli_guess_checked(&g->guess, row);
    return EN_OK;
  }
}

/* The last token and what probably follows it, in one batch. */
static int32_t step(generation *g, size_t n_all, en_why *why) {
  int32_t ids[1 + GUESS_MAX];
  uint8_t want[1 + GUESS_MAX];
  const size_t room = EN_MIN(n_all, (size_t)en_session_n_ctx(g->session)) - g->n_ids;
  EN_TRY(en_seq_keep(g->session, 0, (uint32_t)g->n_ids - 1)); /* without what was guessed wrongly */
  EN_TRY(cli_guess_next(&g->guess, g->ids, g->n_ids, (int32_t)EN_MIN(room, (size_t)GUESS_MAX), g->sampler, why));
  ids[0] = g->ids[g->n_ids - 1];
  memcpy(ids + 1, g->guess.ids, (size_t)g->guess.n * sizeof *ids);
  memset(want, 1, sizeof want);
  return en_eval(g->session, &(en_batch){.n = 1 + (uint32_t)g->guess.n, .ids = ids, .want = want}, why);
}

static int32_t generate(generation *g, en_why *why) {
  const size_t n_all = g->n_prompt + (size_t)args_int(g->a, RUN_N);
  const char *text;
  size_t n;
  g->t_start = cli_now_ms(NULL);
  int32_t status = en_eval(g->session, &(en_batch){.n = (uint32_t)g->n_prompt, .ids = g->ids}, why), over = g->n_ids == n_all;
  g->t_prompt = cli_now_ms(NULL);
  g->finish = "length";
  while (status == EN_OK && !over) {
    over = take_rows(g, n_all, why);
    if (over < 0) return over;
    if (!over) status = step(g, n_all, why);
  }
  g->t_end = cli_now_ms(NULL);
  if (status == EN_OK && en_stream_end(g->stream, &text, &n) >= 0) status = show(g, text, n, why);
  return status;
}

static void report(const generation *g) {
  const size_t n_new = g->n_ids - g->n_prompt;
  const double prompt_ms = g->t_prompt - g->t_start, token_ms = g->t_end - g->t_prompt;
  if (!args_given(g->a, RUN_JSON)) {
    printf("\n");
    if (isatty(STDERR_FILENO))
      fprintf(stderr, "%zu prompt tokens in %.0f ms, %zu tokens in %.0f ms (%.1f a second), kernels %s\n", g->n_prompt, prompt_ms, n_new, token_ms, token_ms > 0 ? (double)n_new / token_ms * 1e3 : 0, en_model_kernels(g->m.model));
    return;
  }
  printf("{\"text\":");
  cli_json_text(stdout, g->text ? g->text : "", g->n_text);
  printf(",\"tokens\":[");
  for (size_t i = g->n_prompt; i < g->n_ids; i++) printf(i > g->n_prompt ? ",%d" : "%d", g->ids[i]);
  printf("],\"finish_reason\":\"%s\",\"kernels\":\"%s\",\"timings\":{\"prompt_tokens\":%zu,\"prompt_ms\":%.3f,\"tokens\":%zu,\"token_ms\":%.3f,\"guesses\":%zu,\"guessed\":%zu}}\n", g->finish, en_model_kernels(g->m.model), g->n_prompt, prompt_ms, n_new, token_ms, g->guess.n_guessed, g->guess.n_right);
}

static int32_t run_all(generation *g, const char *prompt, en_why *why) {
  g->guess.lookup = args_int(g->a, RUN_LOOKUP);
  g->guess.drafts = args_given(g->a, RUN_DRAFT) ? args_int(g->a, RUN_DRAFT_N) : 0;
  const en_session_spec spec = {.n_ctx = (uint32_t)args_int(g->a, RUN_CTX), .n_logits = 1 + (uint32_t)EN_MAX(g->guess.lookup, g->guess.drafts)};
  if (!g->m.info.has_logits) return en_fail(why, EN_E_UNSUPPORTED, "this model gives embeddings, it cannot write text");
  EN_TRY(cli_session(&g->m, &spec, &g->session, &g->session_mem, why));
  EN_TRY(open_sampler(g, why));
  EN_TRY(open_guess(g, why));
  EN_TRY(open_grammar(g, why));
  EN_TRY(open_stream(g, !g->form.grammar && (args_given(g->a, RUN_CHAT) || !*prompt), why)); /* a grammar counts every byte */
  EN_TRY(read_prompt(g, prompt, why));
  return generate(g, why);
}

static int run(const cli_args *a) {
  generation g = {.a = a};
  en_why why = {""};
  if (cli_open(&g.m, a->argv[0], &(cli_open_spec){.need_tokenizer = 1, .kernels = args_text(a, RUN_KERNELS), .n_threads = args_int(a, RUN_THREADS), .adapters = a->values + RUN_ADAPTER}) != EN_OK) return 1;
  int code = 1;
  char *chat = args_given(a, RUN_CHAT) ? cli_chat_prompt(&g.m, args_text(a, RUN_P)) : NULL;
  if (chat || !args_given(a, RUN_CHAT)) {
    const int32_t status = run_all(&g, chat ? chat : args_text(a, RUN_P), &why);
    code = status == EN_OK ? 0 : cli_fail(g.m.path, "%s", why.text[0] ? why.text : en_status_name(status));
    if (!code) report(&g);
  }
  free(chat);
  free(g.text);
  free(g.ids);
  free(g.stream_mem);
  cli_grammar_close(&g.form);
  cli_guess_close(&g.guess);
  free(g.sampler_mem);
  free(g.session_mem);
  cli_close(&g.m);
  return code;
}

const cli_command cli_command_run = {
    .name = "run", .operands = "MODEL", .summary = "continue a text",
    .notes = "Special tokens in the prompt are read as such. --chat puts the prompt into the model's own chat format; of the templates in\n"
             "model files this command knows chatml, llama2, llama3, mistral, gemma, phi3 and zephyr (the JavaScript SDK runs any).",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

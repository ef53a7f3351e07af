/* embed.c - edge-net embed: vectors of texts, or scores of documents by a reranker. */
#include "embed.h"
#include "adapters.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EMBED_BATCH = 512 /* tokens of a forward pass, or one longer text */ };

/* ---- the loop that parity shares ---- */

static int32_t embed_some(en_session *s, const cli_texts *t, size_t first, size_t end, uint32_t *labels, cli_embed_row *row, void *ud, en_why *why) {
  const size_t at = first ? t->ends[first - 1] : 0, n = t->ends[end - 1] - at;
  for (size_t i = first, k = 0; i < end; i++)
    for (; k < t->ends[i] - at; k++) labels[k] = (uint32_t)i;
  EN_TRY(en_eval(s, &(en_batch){.n = (uint32_t)n, .ids = t->ids + at, .seq = labels}, why));
  for (uint32_t i = 0; i < en_embedding_rows(s); i++) EN_TRY(row(ud, en_embedding(s, i), en_embedding_size(s), why));
  return EN_OK;
}

static int32_t check_texts(const cli_texts *t, size_t longest, en_why *why) {
  for (size_t i = 0; i < t->n_texts; i++) {
    const size_t n = t->ends[i] - (i ? t->ends[i - 1] : 0);
    if (!n) return en_fail(why, EN_E_ARG, "text %z has no tokens", (uint64_t)i + 1);
    if (n > longest) return en_fail(why, EN_E_FULL, "text %z has %z tokens, %z are possible", (uint64_t)i + 1, (uint64_t)n, (uint64_t)longest);
  }
  return EN_OK;
}

int32_t cli_embed(const cli_model *m, const cli_embed_spec *spec, const cli_texts *t, cli_embed_row *row, void *ud, en_why *why) {
  en_session *s;
  void *mem;
  int32_t status;
  EN_TRY(cli_session(m, &(en_session_spec){.n_ctx = spec->n_ctx, .n_batch = EMBED_BATCH, .pooling = spec->pooling}, &s, &mem, why));
  const size_t longest = en_session_n_ctx(s), most = EN_MAX(longest, (size_t)EMBED_BATCH);
  uint32_t *labels = malloc(most * sizeof *labels);
  status = labels ? check_texts(t, longest, why) : en_fail(why, EN_E_NOMEM, "no memory for a batch of texts");
  for (size_t first = 0, end; status == EN_OK && first < t->n_texts; first = end) {
    const size_t at = first ? t->ends[first - 1] : 0;
    end = first + 1;
    while (end < t->n_texts && t->ends[end] - at <= most) end++;
    status = embed_some(s, t, first, end, labels, row, ud, why);
  }
  free(labels);
  free(mem);
  return status;
}

/* ---- the command ---- */

enum { EMBED_TOKENS, EMBED_P, EMBED_F, EMBED_QUERY, EMBED_PREFIX, EMBED_OUT, EMBED_RAW, EMBED_DIMENSIONS, EMBED_POOLING, EMBED_CTX, EMBED_TRUNCATE, EMBED_KERNELS, EMBED_THREADS, EMBED_ADAPTER };
static const arg_option options[] = {
    [EMBED_TOKENS] = {.name = "tokens", .value = "1,2,3", .help = "token ids of one text; nothing is added to them", .kind = ARG_INTS, .max = INT32_MAX},
    [EMBED_P] = {.name = "p", .value = "TEXT", .help = "a text (repeatable)", .kind = ARG_TEXTS},
    [EMBED_F] = {.name = "f", .value = "LINES", .help = "a file with a text on every line", .kind = ARG_TEXT},
    [EMBED_QUERY] = {.name = "query", .value = "TEXT", .help = "score the texts against this one, with a reranker", .kind = ARG_TEXT},
    [EMBED_PREFIX] = {.name = "prefix", .value = "TEXT", .help = "put before every text, e.g. \"query: \"", .kind = ARG_TEXT},
    [EMBED_OUT] = {.name = "out", .value = "FILE.f32", .help = "write little-endian float32 [texts, size] (default: JSON lines)", .kind = ARG_TEXT},
    [EMBED_RAW] = {.name = "raw", .help = "pooled values as they are, not normalised", .kind = ARG_FLAG},
    [EMBED_DIMENSIONS] = {.name = "dimensions", .value = "N", .help = "keep the first N values (Matryoshka models)", .kind = ARG_INT, .min = 1, .max = INT32_MAX},
    [EMBED_POOLING] = {.name = "pooling", .value = "NAME", .help = "mean, first, last, rank or none (default: as the file says)", .kind = ARG_TEXT},
    [EMBED_CTX] = {.name = "ctx", .value = "N", .help = "tokens of the longest text (default: the model's own, at most 512)", .kind = ARG_INT, .max = INT32_MAX},
    [EMBED_TRUNCATE] = {.name = "truncate", .help = "cut longer texts off instead of failing", .kind = ARG_FLAG},
    [EMBED_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table (default auto)", .kind = ARG_TEXT},
    [EMBED_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [EMBED_ADAPTER] = CLI_ADAPTER_OPTION,
};

static int read_pooling(const char *name, uint32_t *pooling) {
  static const struct { const char *name; uint32_t value; } names[] = {{"mean", EN_POOL_MEAN}, {"first", EN_POOL_FIRST}, {"cls", EN_POOL_FIRST}, {"last", EN_POOL_LAST}, {"rank", EN_POOL_RANK}, {"none", EN_POOL_TOKENS}};
  *pooling = EN_POOL_MODEL;
  if (!name) return 1;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(name, names[i].name)) { *pooling = names[i].value; return 1; }
  return cli_fail(NULL, "--pooling %s: must be mean, first, last, rank or none", name), 0;
}

/* Texts as they grow. */
typedef struct { cli_texts t; size_t n_ids, cap_ids, cap_texts; } growing;

static int32_t add_text(growing *g, const int32_t *ids, size_t n) {
  if (g->n_ids + n > g->cap_ids) {
    const size_t cap = (g->n_ids + n) * 2 + 64;
    int32_t *more = realloc(g->t.ids, cap * sizeof *more);
    if (!more) return 0;
    g->t.ids = more;
    g->cap_ids = cap;
  }
  if (g->t.n_texts == g->cap_texts) {
    const size_t cap = g->cap_texts * 2 + 16;
    size_t *more = realloc(g->t.ends, cap * sizeof *more);
    if (!more) return 0;
    g->t.ends = more;
    g->cap_texts = cap;
  }
  memcpy(g->t.ids + g->n_ids, ids, n * sizeof *ids);
  g->n_ids += n;
  g->t.ends[g->t.n_texts++] = g->n_ids;
  return 1;
}

typedef struct { const cli_model *m; const cli_args *a; size_t longest; int32_t *query; size_t n_query; } reader;

/* Cut off what is too long; a closing token stays the last one. */
static size_t shorten(const reader *r, int32_t *ids, size_t n) {
  if (n <= r->longest || !args_given(r->a, EMBED_TRUNCATE)) return n;
  const en_special *special = r->m->tokenizer ? en_tokenizer_special(r->m->tokenizer) : NULL;
  if (special && special->add_eos && ids[n - 1] == special->eos) ids[r->longest - 1] = special->eos;
  return r->longest;
}

/* Ids of one text with its prefix, or of the query and the text as a reranker reads them: [CLS] query [SEP] text [SEP], or <s> query </s></s> text </s>. */
static int32_t *read_ids(const reader *r, const char *text, size_t n_bytes, size_t *n) {
  const char *prefix = args_text(r->a, EMBED_PREFIX);
  const size_t n_prefix = prefix ? strlen(prefix) : 0;
  char *whole = malloc(n_prefix + n_bytes + 1);
  int32_t *ids = NULL;
  if (!whole) { cli_fail(NULL, "not enough memory"); return NULL; }
  if (prefix) memcpy(whole, prefix, n_prefix);
  memcpy(whole + n_prefix, text, n_bytes);
  ids = cli_encode(r->m, whole, n_prefix + n_bytes, r->query ? EN_TOK_EOS : EN_TOK_BOS | EN_TOK_EOS, n);
  free(whole);
  if (!ids || !r->query) return ids;
  int32_t *pair = malloc((r->n_query + *n) * sizeof *pair);
  if (pair) {
    memcpy(pair, r->query, r->n_query * sizeof *pair);
    memcpy(pair + r->n_query, ids, *n * sizeof *pair);
    *n += r->n_query;
  } else cli_fail(NULL, "not enough memory");
  free(ids);
  return pair;
}

static int read_text(const reader *r, growing *g, const char *text, size_t n_bytes) {
  size_t n;
  int32_t *ids = read_ids(r, text, n_bytes, &n);
  if (!ids) return 0;
  const int ok = add_text(g, ids, shorten(r, ids, n));
  if (!ok) cli_fail(NULL, "not enough memory");
  free(ids);
  return ok;
}

static int read_lines(const reader *r, growing *g, const char *path) {
  size_t n_bytes;
  char *text = cli_read_file(path, &n_bytes);
  int ok = text != NULL;
  for (size_t at = 0; ok && at < n_bytes;) {
    const char *end = memchr(text + at, '\n', n_bytes - at);
    const size_t n = end ? (size_t)(end - text) - at : n_bytes - at;
    ok = read_text(r, g, text + at, n && text[at + n - 1] == '\r' ? n - 1 : n);
    at += n + 1;
  }
  free(text);
  return ok;
}

static int read_texts(reader *r, growing *g) {
  const arg_value *tokens = r->a->values + EMBED_TOKENS, *texts = r->a->values + EMBED_P;
  const char *query = args_text(r->a, EMBED_QUERY);
  int ok = 1;
  if (tokens->given) ok = add_text(g, tokens->ints, shorten(r, tokens->ints, tokens->n_ints)) || (cli_fail(NULL, "not enough memory"), 0);
  if (query) {
    r->query = cli_encode(r->m, query, strlen(query), EN_TOK_BOS | EN_TOK_EOS | EN_TOK_PAIR, &r->n_query);
    ok = ok && r->query;
  }
  for (int i = 0; ok && i < texts->given; i++) ok = read_text(r, g, texts->texts[i], strlen(texts->texts[i]));
  if (ok && args_given(r->a, EMBED_F)) ok = read_lines(r, g, args_text(r->a, EMBED_F));
  return ok;
}

typedef struct { FILE *f; int json, raw; uint32_t dimensions; } writer;

static int32_t write_row(void *ud, float *row, uint32_t size, en_why *why) {
  const writer *w = ud;
  if (w->dimensions > size) return en_fail(why, EN_E_ARG, "%u dimensions were asked for, the model has %u", w->dimensions, size);
  if (w->dimensions) size = w->dimensions;
  if (!w->raw) en_normalize(row, size);
  if (!w->json) return fwrite(row, sizeof *row, size, w->f) == size ? EN_OK : en_fail(why, EN_E_FULL, "the embeddings could not be written: %s", strerror(errno));
  for (uint32_t i = 0; i < size; i++) fprintf(w->f, i ? ",%.9g" : "[%.9g", (double)row[i]);
  fputs("]\n", w->f);
  return EN_OK;
}

static int embed_all(const cli_args *a, const cli_model *m, cli_embed_spec *spec) {
  const uint32_t own = m->info.n_ctx_train;
  spec->n_ctx = EN_MIN(own, spec->n_ctx ? spec->n_ctx : 512);
  reader r = {.m = m, .a = a, .longest = spec->n_ctx};
  growing g = {0};
  en_why why = {""};
  int code = 1;
  const char *path = args_text(a, EMBED_OUT);
  if (read_texts(&r, &g)) {
    const uint32_t pooling = spec->pooling == EN_POOL_MODEL ? m->info.pooling : spec->pooling;
    writer w = {.f = path ? fopen(path, "wb") : stdout, .json = !path, .raw = args_given(a, EMBED_RAW) || pooling == EN_POOL_RANK, .dimensions = (uint32_t)args_int(a, EMBED_DIMENSIONS)};
    code = w.f ? 0 : cli_fail(path, "%s", strerror(errno));
    if (w.f && cli_embed(m, spec, &g.t, write_row, &w, &why) != EN_OK) code = cli_fail(m->path, "%s", why.text);
    if (w.f && path && fclose(w.f) && !code) code = cli_fail(path, "%s", strerror(errno));
    if (w.f && path && code) remove(path); /* no half file that looks like a whole one */
  }
  free(r.query);
  free(g.t.ids);
  free(g.t.ends);
  return code;
}

static int run(const cli_args *a) {
  cli_model m;
  cli_embed_spec spec = {.n_ctx = (uint32_t)args_int(a, EMBED_CTX)};
  const int words = args_given(a, EMBED_P) || args_given(a, EMBED_F) || args_given(a, EMBED_QUERY);
  if (!words && !args_given(a, EMBED_TOKENS)) return cli_fail(NULL, "embed needs a text: --tokens, -p or -f"), 2;
  if (!read_pooling(args_text(a, EMBED_POOLING), &spec.pooling)) return 2;
  if (args_given(a, EMBED_QUERY)) spec.pooling = EN_POOL_RANK;
  if (cli_open(&m, a->argv[0], &(cli_open_spec){.kernels = args_text(a, EMBED_KERNELS), .n_threads = args_int(a, EMBED_THREADS), .need_tokenizer = words, .adapters = a->values + EMBED_ADAPTER}) != EN_OK) return 1;
  const int code = embed_all(a, &m, &spec);
  cli_close(&m);
  return code;
}

const cli_command cli_command_embed = {
    .name = "embed", .operands = "MODEL", .summary = "write the embeddings of texts, or a reranker's scores",
    .notes = "Embeddings have length 1 unless --raw. Encoders (BERT and its family) and decoders work; texts are packed into few forward passes.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

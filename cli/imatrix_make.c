/* imatrix_make.c - edge-net imatrix: how much every column of every matrix matters on a text: the mean square of the inputs that meet it. The forward pass
 * is run step by step; before each product its inputs are looked at, so the core knows nothing of it. */
#include "../core/format/gguf_write.h"
#include "../core/infer/session.h"
#include "adapters.h"
#include "imatrix.h"
#include <stdlib.h>

enum { IM_FILE, IM_OUT, IM_CTX, IM_CHUNKS, IM_THREADS, IM_QUIET };
static const arg_option options[] = {
    [IM_FILE] = {.name = "f", .value = "FILE", .help = "a text like those that the model will work on, UTF-8", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [IM_OUT] = {.name = "out", .value = "FILE.gguf", .help = "where to write it", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [IM_CTX] = {.name = "ctx", .value = "N", .help = "tokens that are read together", .kind = ARG_INT, .min = 4, .max = INT32_MAX, .fallback = 512},
    [IM_CHUNKS] = {.name = "chunks", .value = "N", .help = "read only so many times --ctx tokens", .kind = ARG_INT, .min = 1, .max = INT32_MAX},
    [IM_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [IM_QUIET] = {.name = "quiet", .help = "no progress on stderr", .kind = ARG_FLAG},
};

typedef struct { double *sum; uint64_t rows; } entry; /* of a matrix: sum [cols] */
typedef struct { const cli_model *m; en_session *s; entry *entries; /* [layers, tensors of a layer] */ uint32_t chunks; const cli_args *a; } maker;

/* The name under which the file has the matrix; NULL: as a part of another one that is counted already. */
static const char *name_of(const maker *w, int32_t layer, int32_t tensor, char name[80]) {
  const en_model *m = w->s->m;
  const en_tensor_spec *spec = &m->arch->layer[tensor];
  en_tensor_name(name, 80, spec->name, layer);
  if (en_gguf_find_tensor(&m->g, name) && !(spec->fused && !strcmp(spec->fused, spec->name) && spec->first != EN_DIM_0 && en_model_layer(m, layer)[tensor].rows != (int32_t)en_gguf_find_tensor(&m->g, name)->ne[1])) return name;
  if (!spec->fused || spec->first != EN_DIM_0) return NULL;
  en_tensor_name(name, 80, spec->fused, layer);
  return en_gguf_find_tensor(&m->g, name) ? name : NULL;
}

static int32_t add_rows(maker *w, const en_step *step, en_why *why) {
  const progress_t *j = &w->s->job;
  const en_run *r = &w->s->run;
  const int32_t cols = en_model_layer(w->s->m, j->layer)[step->w].cols;
  entry *e = &w->entries[(size_t)j->layer * (size_t)w->s->m->arch->n_layer + (size_t)step->w];
  if (!e->sum) e->sum = calloc((size_t)cols, sizeof *e->sum);
  if (!e->sum) return en_fail(why, EN_E_NOMEM, "no memory");
  for (int32_t t = 0; t < r->T; t++)
    for (int32_t c = 0; c < cols; c++) {
      const double x = (double)r->slot[step->in][(size_t)t * (size_t)cols + (size_t)c];
      e->sum[c] += x * x;
    }
  e->rows += (uint64_t)r->T;
  return EN_OK;
}

/* The next product and those that share its input: their inputs lie ready. */
static int32_t look(maker *w, en_why *why) {
  const progress_t *j = &w->s->job;
  const en_arch *arch = w->s->m->arch;
  char name[80];
  if (j->part != PART_LAYERS || j->step < 0) return EN_OK;
  const en_step *first = &arch->each[j->step];
  for (int32_t i = j->step; i < arch->n_each; i++) {
    const en_step *step = &arch->each[i];
    if (step->op != EN_OP_LINEAR || step->in != first->in) break;
    if (en_weight_given(&en_model_layer(w->s->m, j->layer)[step->w]) && name_of(w, j->layer, step->w, name)) EN_TRY(add_rows(w, step, why));
    if (step->out == step->in) break; /* what follows reads the new value */
  }
  return EN_OK;
}

static int32_t read_chunk(maker *w, const int32_t *ids, uint32_t n, en_why *why) {
  int32_t status = en_eval_begin(w->s, &(en_batch){.n = n, .ids = ids}, why);
  int32_t last_step = -1, last_layer = -1;
  uint32_t last_at = UINT32_MAX;
  while (status == EN_OK || status == EN_E_MORE) {
    const progress_t *j = &w->s->job;
    if (j->step != last_step || j->layer != last_layer || j->at != last_at) EN_TRY(look(w, why)); /* once for every run of products */
    last_step = j->step, last_layer = j->layer, last_at = j->at;
    status = en_eval_run(w->s, 1, why);
    if (status != EN_E_MORE) break;
  }
  return status == EN_OK ? en_seq_keep(w->s, 0, 0) : status;
}

/* ---- the file ---- */

static void put_tensor(const maker *w, en_gguf_writer *g, size_t i, int with_data) {
  const entry *e = &w->entries[i];
  const int32_t n_layer = w->s->m->arch->n_layer, layer = (int32_t)(i / (size_t)n_layer), tensor = (int32_t)(i % (size_t)n_layer);
  const uint64_t ne[] = {(uint64_t)en_model_layer(w->s->m, layer)[tensor].cols, 1}, one[] = {1, 1};
  char name[80], whole[96];
  if (!e->sum || !name_of(w, layer, tensor, name)) return;
  if (!with_data) {
    snprintf(whole, sizeof whole, "%s.in_sum2", name);
    en_gguf_declare(g, whole, strlen(whole), EN_F32, ne, 2);
    snprintf(whole, sizeof whole, "%s.counts", name);
    en_gguf_declare(g, whole, strlen(whole), EN_F32, one, 2);
    return;
  }
  const float rows = (float)e->rows;
  for (uint64_t c = 0; c < ne[0]; c++) {
    const float sum = (float)e->sum[c];
    en_put(&g->w, &sum, sizeof sum);
  }
  en_gguf_pad(&g->w);
  en_put(&g->w, &rows, sizeof rows);
  en_gguf_pad(&g->w);
}

static size_t put_file(const maker *w, void *dst, size_t cap) {
  const size_t n = (size_t)w->s->m->c.L * (size_t)w->s->m->arch->n_layer;
  const char *text = args_text(w->a, IM_FILE);
  en_gguf_writer g;
  en_gguf_begin(&g, dst, cap);
  en_gguf_key_text(&g, "general.type", "imatrix");
  en_gguf_key_array(&g, "imatrix.datasets", EN_GGUF_STR, 1);
  en_gguf_string(&g, text, strlen(text));
  en_gguf_key_u32(&g, "imatrix.chunk_count", w->chunks);
  en_gguf_key_u32(&g, "imatrix.chunk_size", (uint32_t)args_int(w->a, IM_CTX));
  for (size_t i = 0; i < n; i++) put_tensor(w, &g, i, 0);
  en_gguf_end(&g);
  for (size_t i = 0; i < n; i++) put_tensor(w, &g, i, 1);
  return g.w.n;
}

static int save(const maker *w) {
  const char *path = args_text(w->a, IM_OUT);
  const size_t n = put_file(w, NULL, 0);
  void *file = malloc(n);
  if (file) put_file(w, file, n);
  const int ok = file ? cli_write_file(path, file, n) : (cli_fail(path, "no memory for %zu bytes", n), 0);
  free(file);
  return ok;
}

/* ---- the command ---- */

static int32_t read_text(maker *w, int32_t *ids, size_t n, en_why *why) {
  const en_special *special = en_tokenizer_special(w->m->tokenizer);
  const uint32_t n_ctx = (uint32_t)args_int(w->a, IM_CTX);
  const size_t all = EN_MAX(n / n_ctx, 1), most = args_given(w->a, IM_CHUNKS) ? (size_t)args_int(w->a, IM_CHUNKS) : all;
  for (size_t i = 0; i < EN_MIN(all, most); i++) {
    int32_t *chunk = ids + i * n_ctx;
    if (special->add_bos && special->bos >= 0) chunk[0] = special->bos;
    EN_TRY(read_chunk(w, chunk, (uint32_t)EN_MIN(n - i * n_ctx, (size_t)n_ctx), why));
    w->chunks++;
    if (!args_given(w->a, IM_QUIET)) fprintf(stderr, "%u of %zu\r", w->chunks, EN_MIN(all, most));
  }
  return EN_OK;
}

static int32_t make(maker *w, const char *text, size_t n_bytes, en_why *why) {
  const en_session_spec spec = {.n_ctx = (uint32_t)args_int(w->a, IM_CTX)};
  const size_t n_entries = (size_t)w->m->model->c.L * (size_t)w->m->model->arch->n_layer;
  void *mem;
  size_t n;
  if (!w->m->info.has_logits) return en_fail(why, EN_E_UNSUPPORTED, "this model gives embeddings, no logits: there is no text that it reads from left to right");
  int32_t *ids = cli_encode(w->m, text, n_bytes, EN_TOK_BOS, &n);
  if (!ids) return EN_E_ARG;
  int32_t status = n < 2 ? en_fail(why, EN_E_ARG, "the text is too short") : cli_session(w->m, &spec, &w->s, &mem, why);
  if (status == EN_OK) {
    w->entries = calloc(n_entries, sizeof *w->entries);
    status = w->entries ? read_text(w, ids, n, why) : en_fail(why, EN_E_NOMEM, "no memory");
    if (status == EN_OK && !save(w)) status = EN_E_FULL;
    for (size_t i = 0; w->entries && i < n_entries; i++) free(w->entries[i].sum);
    free(w->entries);
    free(mem);
  }
  free(ids);
  return status;
}

static int run(const cli_args *a) {
  cli_model m;
  size_t n;
  en_why why = {""};
  int code = 1;
  char *text = cli_read_file(args_text(a, IM_FILE), &n);
  if (!text) return 1;
  if (cli_open(&m, a->argv[0], &(cli_open_spec){.need_tokenizer = 1, .n_threads = args_int(a, IM_THREADS)}) == EN_OK) {
    maker w = {.m = &m, .a = a};
    code = make(&w, text, n, &why) != EN_OK;
    if (code && why.text[0]) cli_fail(m.path, "%s", why.text);
    if (!code) printf("%s: %u chunks of at most %d tokens\n", args_text(a, IM_OUT), w.chunks, args_int(a, IM_CTX));
    cli_close(&m);
  }
  free(text);
  return code;
}

const cli_command cli_command_imatrix = {
    .name = "imatrix", .operands = "MODEL", .summary = "measure which columns of the weights matter, for quantize",
    .notes = "FILE.gguf is an importance file as llama.cpp's tools read and write them. Matrices of the layers are measured, but experts of a mixture are not.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

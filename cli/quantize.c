/* quantize.c - edge-net quantize and convert: a model's weights in another type, or a Hugging Face folder as one file; tensor by tensor, on all lanes. Needs memory for a few megabytes of rows, whatever the
 * size of the model. Without importance the blocks are byte for byte those of ggml's encoders. */
#include "../core/format/gguf_write.h"
#include "../core/quant/quant.h"
#include "imatrix.h"
#include "mixture.h"
#include "source.h"
#include <stdlib.h>
#include <unistd.h>

enum { Q_IMATRIX, Q_TENSOR_TYPE, Q_PURE, Q_REQUANTIZE, Q_THREADS, Q_QUIET, Q_TYPE /* of convert only */ };
static const arg_option options[] = {
    [Q_IMATRIX] = {.name = "imatrix", .value = "FILE.gguf", .help = "importance of the columns, from edge-net imatrix or llama.cpp", .kind = ARG_TEXT},
    [Q_TENSOR_TYPE] = {.name = "tensor-type", .value = "PATTERN=TYPE", .help = "a type for the tensors whose name holds PATTERN (* stands for anything); may be given several times, the first that fits counts", .kind = ARG_TEXTS},
    [Q_PURE] = {.name = "pure", .help = "one type for all, no mixture", .kind = ARG_FLAG},
    [Q_REQUANTIZE] = {.name = "requantize", .help = "allow weights that are quantized already: they get worse twice", .kind = ARG_FLAG},
    [Q_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [Q_QUIET] = {.name = "quiet", .help = "no progress on stderr", .kind = ARG_FLAG},
    [Q_TYPE] = {.name = "type", .value = "TYPE", .help = "weight type, as for quantize (default: as they are)", .kind = ARG_TEXT},
};

typedef struct {
  const cli_args *a;
  const mixture *mix;  /* NULL: all stays as it is */
  cli_source in;
  mixture_model model;
  imatrix importance;
  en_host host;
  cli_out out;
  int32_t *types;      /* [n_tensors] what each becomes */
  uint64_t done, all;  /* elements */
  int n_fallback;
} work;

/* ---- which type ---- */

/* Does the name hold the pattern? '*' stands for any bytes. */
static int holds(const char *name, size_t n, const char *pattern) {
  for (size_t from = 0; from <= n; from++) {
    size_t at = from, back = 0;
    const char *p = pattern, *star = NULL;
    for (;;) {
      if (*p == '*') { star = ++p; back = at; }
      else if (!*p) return 1;
      else if (at < n && *p == name[at]) p++, at++;
      else if (star && back < n) { p = star; at = ++back; }
      else break;
    }
  }
  return 0;
}

/* A PATTERN=TYPE that fits, as ggml type; -1: none does. */
static int32_t overridden(const work *w, const en_gguf_tensor *t) {
  const arg_value *v = w->a->values + Q_TENSOR_TYPE;
  for (int i = 0; i < v->given; i++) {
    char pattern[128];
    const char *equals = strrchr(v->texts[i], '=');
    const size_t n = (size_t)(equals - v->texts[i]); /* checked by check_overrides */
    memcpy(pattern, v->texts[i], n);
    pattern[n] = 0;
    if (holds((const char *)t->name, t->name_bytes, pattern)) return en_type_by_name(equals + 1)->id;
  }
  return -1;
}

static int check_overrides(const cli_args *a) {
  const arg_value *v = a->values + Q_TENSOR_TYPE;
  for (int i = 0; i < v->given; i++) {
    const char *equals = strrchr(v->texts[i], '=');
    if (!equals || equals == v->texts[i] || equals - v->texts[i] > 120) return cli_fail(NULL, "--tensor-type %s: must be PATTERN=TYPE", v->texts[i]), 0;
    if (!en_type_by_name(equals + 1)) return cli_fail(NULL, "--tensor-type %s: %s is not a weight type that we know", v->texts[i], equals + 1), 0;
  }
  return 1;
}

static int choose(work *w, uint64_t i, en_why *why) {
  const en_gguf_tensor *t = &w->in.g.tensors[i];
  if (!w->mix) { w->types[i] = t->type; return EN_OK; }
  const int32_t wanted = mixture_may_quantize(t) ? overridden(w, t) : t->type;
  w->types[i] = !mixture_may_quantize(t) ? t->type : wanted >= 0 ? mixture_fit(wanted, t->ne[0]) : mixture_type(&w->model, w->mix, t, args_given(w->a, Q_PURE));
  if (w->types[i] == t->type) return EN_OK;
  const en_type *from = en_type_by_id(t->type);
  w->n_fallback += mixture_may_quantize(t) && t->ne[0] % (uint64_t)en_type_by_id(w->mix->type)->block != 0;
  if (!from) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S is of type %s, which we cannot read", (size_t)t->name_bytes, (const char *)t->name, en_gguf_type_name(t->type));
  if (from->block > 1 && !args_given(w->a, Q_REQUANTIZE))
    return en_fail(why, EN_E_ARG, "tensor %S is quantized already (%s); take a file in F32, F16 or BF16, or add --requantize", (size_t)t->name_bytes, (const char *)t->name, from->name);
  return EN_OK;
}

/* ---- the head ---- */

static void put_head(const work *w, en_gguf_writer *g, void *dst, size_t cap) {
  static const char *const ours[] = {"general.file_type", "general.quantization_version", "general.alignment"};
  enum { ALIGNMENT = 2 };
  en_gguf_begin(g, dst, cap);
  for (uint64_t i = 0; i < w->in.g.n_kv; i++) {
    const en_gguf_kv *kv = &w->in.g.kv[i];
    int skip = 0;
    for (int32_t k = w->mix ? 0 : ALIGNMENT; k < EN_COUNT(ours); k++) skip |= en_str_is(kv->key, kv->key_bytes, ours[k]);
    if (!skip) en_gguf_copy(g, kv);
  }
  if (w->mix) {
    en_gguf_key_u32(g, ours[0], (uint32_t)w->mix->file_type);
    en_gguf_key_u32(g, ours[1], 2);
  }
  for (uint64_t i = 0; i < w->in.g.n_tensors; i++) {
    const en_gguf_tensor *t = &w->in.g.tensors[i];
    en_gguf_declare(g, (const char *)t->name, t->name_bytes, w->types[i], t->ne, t->n_dims);
  }
  en_gguf_end(g);
}

static int32_t write_head(work *w, en_why *why) {
  en_gguf_writer g;
  put_head(w, &g, NULL, 0);
  const size_t n = g.w.n;
  void *head = malloc(n);
  if (!head) return en_fail(why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)n);
  put_head(w, &g, head, n);
  const int ok = cli_out_put(&w->out, head, n);
  free(head);
  return ok ? EN_OK : EN_E_FULL;
}

/* ---- the data ---- */

enum { SLICE = 8 << 20 /* bytes of f32 that are worked on at once */ };
typedef struct { const en_type *from, *to; const uint8_t *in; uint8_t *out; float *rows /* [lanes, cols] */; const float *importance; int64_t cols; uint64_t first_row, rows_per_matrix; } row_job;

static void encode_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const row_job *j = ctx;
  const size_t in = (size_t)(j->cols / j->from->block) * (size_t)j->from->block_bytes, out = (size_t)(j->cols / j->to->block) * (size_t)j->to->block_bytes;
  float *row = j->rows + (size_t)lane * (size_t)j->cols;
  for (int32_t r = lo; r < hi; r++) {
    const uint64_t matrix = (j->first_row + (uint64_t)r) / j->rows_per_matrix; /* experts have an importance each */
    j->from->decode(row, j->in + (size_t)r * in, j->cols);
    j->to->encode(j->out + (size_t)r * out, row, j->cols, j->importance ? j->importance + matrix * (uint64_t)j->cols : NULL);
  }
}

static void progress(work *w, const en_gguf_tensor *t) {
  if (args_given(w->a, Q_QUIET) || !isatty(STDERR_FILENO)) return;
  fprintf(stderr, "\r%3.0f %% %-40.*s", 100.0 * (double)w->done / (double)w->all, (int)t->name_bytes, (const char *)t->name);
}

static int32_t encode_tensor(work *w, const en_gguf_tensor *t, const en_type *to, en_why *why) {
  const en_type *from = en_type_by_id(t->type);
  const uint64_t rows = t->n_elems / t->ne[0], in = t->n_bytes / rows, out = t->ne[0] / (uint64_t)to->block * (uint64_t)to->block_bytes;
  const uint64_t at_once = EN_MIN(EN_MAX((uint64_t)SLICE / 4 / t->ne[0], 1), rows);
  row_job j = {.from = from, .to = to, .cols = (int64_t)t->ne[0], .rows_per_matrix = EN_MAX(t->ne[1], 1)};
  int32_t status = imatrix_find(&w->importance, t, &j.importance, why);
  j.rows = cli_alloc((size_t)t->ne[0] * sizeof(float) * (size_t)en_lanes(&w->host));
  uint8_t *plain = cli_alloc((size_t)(at_once * in)), *blocks = cli_alloc((size_t)(at_once * out));
  j.in = plain;
  j.out = blocks;
  if (!plain || !blocks || !j.rows) status = en_fail(why, EN_E_NOMEM, "no memory for rows of %z numbers", t->ne[0]);
  for (uint64_t r = 0; status == EN_OK && r < rows; r += at_once) {
    const uint64_t n = EN_MIN(at_once, rows - r);
    status = cli_source_read(&w->in, w->in.g.data_offset + t->offset + r * in, plain, (size_t)(n * in), why);
    if (status != EN_OK) break;
    j.first_row = r;
    en_parallel(&w->host, encode_rows, &j, (int32_t)n, 1);
    if (!cli_out_put(&w->out, blocks, (size_t)(n * out))) status = EN_E_FULL;
    w->done += n * t->ne[0];
    progress(w, t);
  }
  free(blocks);
  free(plain);
  free(j.rows);
  return status;
}

static int32_t copy_tensor(work *w, const en_gguf_tensor *t, en_why *why) {
  uint8_t *piece = malloc(SLICE);
  int32_t status = piece ? EN_OK : en_fail(why, EN_E_NOMEM, "no memory");
  for (uint64_t at = 0; status == EN_OK && at < t->n_bytes; at += SLICE) {
    const size_t n = (size_t)EN_MIN(t->n_bytes - at, (uint64_t)SLICE);
    status = cli_source_read(&w->in, w->in.g.data_offset + t->offset + at, piece, n, why);
    if (status == EN_OK && !cli_out_put(&w->out, piece, n)) status = EN_E_FULL;
  }
  free(piece);
  w->done += t->n_elems;
  progress(w, t);
  return status;
}

static int32_t write_tensors(work *w, en_why *why) {
  for (uint64_t i = 0; i < w->in.g.n_tensors; i++) {
    static const uint8_t zeros[EN_GGUF_ALIGN];
    const en_gguf_tensor *t = &w->in.g.tensors[i];
    EN_TRY(w->types[i] == t->type ? copy_tensor(w, t, why) : encode_tensor(w, t, en_type_by_id(w->types[i]), why));
    const uint64_t n = en_gguf_type_bytes(w->types[i], t->n_elems);
    if (!cli_out_put(&w->out, zeros, (size_t)(en_gguf_padded(n) - n))) return EN_E_FULL;
  }
  return EN_OK;
}

/* ---- the command ---- */

static int32_t quantize(work *w, en_why *why) {
  uint64_t before = 0, after = 0;
  EN_TRY(mixture_model_of(&w->model, &w->in.g, w->importance.g.n_tensors > 0, why));
  w->types = malloc((size_t)(w->in.g.n_tensors + 1) * sizeof *w->types);
  if (!w->types) return en_fail(why, EN_E_NOMEM, "no memory");
  for (uint64_t i = 0; i < w->in.g.n_tensors; i++) {
    EN_TRY(choose(w, i, why));
    before += w->in.g.tensors[i].n_bytes;
    after += en_gguf_type_bytes(w->types[i], w->in.g.tensors[i].n_elems);
  }
  w->all = EN_MAX(w->in.g.n_params, 1);
  EN_TRY(cli_out_open(&w->out, w->a->argv[1]) ? EN_OK : EN_E_FULL);
  EN_TRY(write_head(w, why));
  EN_TRY(write_tensors(w, why));
  printf("%s: %s, %.1f MB of weights became %.1f MB, %.3g bits each", w->a->argv[1], w->mix ? w->mix->name : "as it was", (double)before * 1e-6, (double)after * 1e-6, (double)after * 8 / (double)w->all);
  if (w->n_fallback) printf("; %d tensors have rows of another length than its blocks need", w->n_fallback);
  printf("\n");
  return EN_OK;
}

static int unknown_type(const char *name) {
  fprintf(stderr, "edge-net: %s is not a type; one of", name);
  for (int32_t i = 0; mixture_at(i); i++) fprintf(stderr, " %s", mixture_at(i)->name);
  fprintf(stderr, "\n");
  return 2;
}

static int work_on(const cli_args *a, const char *type) {
  work w = {.a = a, .mix = type ? mixture_find(type) : NULL};
  en_why why = {""};
  if (type && !w.mix) return unknown_type(type);
  if (!check_overrides(a)) return 2;
  if (args_text(a, Q_IMATRIX) && imatrix_open(&w.importance, args_text(a, Q_IMATRIX), &why) != EN_OK) return cli_fail(args_text(a, Q_IMATRIX), "%s", why.text);
  int32_t status = cli_source_open(&w.in, a->argv[0], 1, &why);
  if (status == EN_OK) {
    en_threads *threads = en_threads_start(args_int(a, Q_THREADS), &w.host);
    status = quantize(&w, &why);
    if (!args_given(a, Q_QUIET) && w.done && isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
    if (w.out.path && !cli_out_close(&w.out, status == EN_OK) && status == EN_OK) status = EN_E_FULL;
    en_threads_stop(threads);
    cli_source_close(&w.in);
  }
  if (why.text[0] && status != EN_OK) cli_fail(a->argv[0], "%s", why.text);
  imatrix_close(&w.importance);
  free(w.types);
  return status != EN_OK;
}

static int run_quantize(const cli_args *a) { return work_on(a, a->argv[2]); }
static int run_convert(const cli_args *a) { return work_on(a, args_text(a, Q_TYPE)); }

#define TYPES "F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S IQ4_NL IQ4_XS Q4_1 Q4_0 Q3_K_L Q3_K_M Q3_K_S Q2_K Q2_K_S TQ2_0 TQ1_0"
const cli_command cli_command_quantize = {
    .name = "quantize", .operands = "IN OUT.gguf TYPE", .summary = "store a model's weights in fewer bits",
    .notes = "TYPE is one of " TYPES ".\n"
             "These are llama.cpp's mixtures: some tensors get more bits (--pure: none). Rows that are no multiple of 256 long get the next type with blocks of 32.\n"
             "Norms, biases and small tables stay as they are. IN is a GGUF file or a Hugging Face folder. OUT.gguf appears whole or not at all.",
    .options = options, .n_options = Q_TYPE, .min_operands = 3, .max_operands = 3, .run = run_quantize};
const cli_command cli_command_convert = {
    .name = "convert", .operands = "FOLDER OUT.gguf", .summary = "make a GGUF file of a Hugging Face folder",
    .notes = "FOLDER holds config.json, model.safetensors (or the files that model.safetensors.index.json names) and, for texts, tokenizer.json and tokenizer_config.json.\n"
             "Other commands take such a folder wherever they take a model. TYPE: " TYPES ".",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 2, .max_operands = 2, .run = run_convert};

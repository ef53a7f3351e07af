/* load.c - a model into memory: probe the head, then stream the rest in chunks and let the core pack them as they arrive. */
#include "adapters.h"
#include "source.h"
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 4 << 20 };
static const uint64_t SHOW_PROGRESS_ABOVE = 64u << 20;

static void progress(uint64_t done, uint64_t all) {
  if (all < SHOW_PROGRESS_ABOVE || !isatty(STDERR_FILENO)) return;
  fprintf(stderr, "\rloading %3.0f %% of %.1f MB%s", 100.0 * (double)done / (double)all, (double)all * 1e-6, done == all ? "\r\033[K" : "");
}

/* The rest of the file behind the n bytes that are there already. */
static int32_t stream_in(cli_model *m, cli_source *s, uint64_t n, en_why *why) {
  int32_t status = en_model_feed(m->model, n);
  while (status == EN_OK && n < m->info.file_bytes) {
    const size_t piece = (size_t)EN_MIN(m->info.file_bytes - n, (uint64_t)CHUNK);
    EN_TRY(cli_source_read(s, n, (unsigned char *)m->image + n, piece, why));
    n += piece;
    progress(n, m->info.file_bytes);
    status = en_model_feed(m->model, n);
  }
  return status == EN_OK ? en_model_seal(m->model, why) : status;
}

static int32_t open_tokenizer(cli_model *m, size_t n_head, en_why *why) {
  const size_t n = en_tokenizer_bytes(m->image, n_head);
  m->tokenizer_mem = cli_alloc(n);
  if (!m->tokenizer_mem) return en_fail(why, EN_E_NOMEM, "no memory for the tokenizer (%z bytes)", (uint64_t)n);
  EN_TRY(en_normal_of_head(m->image, n_head, &m->normal, why));
  return en_tokenizer_init(&m->tokenizer, m->tokenizer_mem, n, m->image, n_head, why);
}

/* The image with its head in place; the source goes on behind the *n bytes that are there. */
static int32_t open_image(cli_model *m, const cli_source *s, int32_t head_only, size_t *n, en_why *why) {
  const uint64_t n_image = head_only ? s->n_head : s->g.file_bytes;
  m->info.file_bytes = s->g.file_bytes;
  m->info.data_offset = s->g.data_offset;
  *n = (size_t)EN_MIN((uint64_t)s->n_head, n_image);
  m->image = n_image <= SIZE_MAX ? cli_alloc((size_t)n_image) : NULL;
  if (m->image) memcpy(m->image, s->head, *n);
  return m->image ? EN_OK : en_fail(why, EN_E_NOMEM, "the model needs %z bytes of memory, more than there are", n_image);
}

static int32_t open_model(cli_model *m, cli_source *s, const char *kernels, size_t n_head, en_why *why) {
  const size_t n = en_model_bytes(m->image, n_head, &m->host);
  m->model_mem = cli_alloc(n);
  if (!m->model_mem) return en_fail(why, EN_E_NOMEM, "no memory for the model's tables (%z bytes)", (uint64_t)n);
  EN_TRY(en_model_init(&m->model, m->model_mem, n, m->image, n_head, &m->host, why));
  EN_TRY(en_model_use_kernels(m->model, kernels ? kernels : "auto", why));
  EN_TRY(stream_in(m, s, n_head, why));
  m->info = *en_model_info(m->model);
  return EN_OK;
}

static int32_t open_source(cli_model *m, cli_source *s, const cli_open_spec *spec, en_why *why) {
  size_t n_head;
  EN_TRY(open_image(m, s, spec->head_only, &n_head, why));
  if (!spec->head_only) EN_TRY(open_model(m, s, spec->kernels, n_head, why));
  return spec->need_tokenizer ? open_tokenizer(m, n_head, why) : EN_OK;
}

int32_t cli_open(cli_model *m, const char *path, const cli_open_spec *spec) {
  en_why why = {""};
  *m = (cli_model){.path = path, .host = {.now_ms = cli_now_ms}};
  if (!spec->head_only) m->threads = en_threads_start(spec->n_threads, &m->host);
  cli_source source;
  int32_t status = cli_source_open(&source, path, 0, &why);
  if (status == EN_OK) {
    status = open_source(m, &source, spec, &why);
    cli_source_close(&source);
  }
  if (status != EN_OK) {
    if (!why.text[0]) en_fail(&why, status, "%s", en_status_name(status));
    if (!spec->quiet) cli_fail(path, "%s", why.text);
    if (spec->why) *spec->why = why;
    cli_close(m);
    return status;
  }
  if (spec->adapters && !cli_adapters_open(m, spec->adapters)) {
    cli_close(m);
    return EN_E_ARG;
  }
  return EN_OK;
}

void cli_close(cli_model *m) {
  en_threads_stop(m->threads);
  cli_adapters_close(m);
  free(m->tokenizer_mem);
  free(m->model_mem);
  free(m->image);
  *m = (cli_model){0};
}

int32_t cli_session(const cli_model *m, const en_session_spec *spec, en_session **out, void **mem, en_why *why) {
  const size_t n = en_session_bytes(m->model, spec, &m->host);
  *mem = NULL;
  if (n == 0) return en_fail(why, EN_E_ARG, "a session of %u positions is not possible", spec->n_ctx);
  void *block = cli_alloc(n);
  if (!block) return en_fail(why, EN_E_NOMEM, "no memory for a session (%z bytes)", (uint64_t)n);
  int32_t status = en_session_init(out, block, n, m->model, spec, &m->host, why);
  for (int i = 0; status == EN_OK && i < m->n_adapters; i++) status = en_session_attach(*out, m->adapters[i].adapter, m->adapters[i].scale, why);
  if (status != EN_OK) free(block);
  else *mem = block;
  return status;
}

/* The text in its normal form, NULL: no memory. free() it. */
static char *normalize(en_normal form, const char *text, size_t n_bytes, size_t *n_out) {
  const size_t n_scratch = en_normal_bytes(form, text, n_bytes);
  void *scratch = n_scratch ? cli_alloc(n_scratch) : NULL;
  char *out = NULL;
  int32_t status = scratch ? EN_E_FULL : EN_E_NOMEM;
  for (*n_out = n_bytes; status == EN_E_FULL;) { /* most texts become no longer */
    const size_t cap = *n_out;
    free(out);
    out = cli_alloc(cap + 1);
    status = out ? en_normal_text(form, text, n_bytes, out, cap, n_out, scratch, n_scratch) : EN_E_NOMEM;
  }
  free(scratch);
  if (status == EN_OK) return out;
  free(out);
  return NULL;
}

static int32_t *encode(const cli_model *m, const char *text, size_t n_bytes, int32_t flags, size_t *n_ids) {
  const size_t n_scratch = en_encode_bytes(m->tokenizer, n_bytes);
  void *scratch = n_scratch ? cli_alloc(n_scratch) : NULL;
  size_t cap = n_bytes / 2 + 16;
  int32_t *ids = NULL, status = EN_E_NOMEM;
  for (int tries = 0; scratch && tries < 2; tries++) { /* the second time with the room that the first one asked for */
    int32_t *more = cap <= SIZE_MAX / sizeof *ids ? realloc(ids, cap * sizeof *ids) : NULL;
    if (!more) { status = EN_E_NOMEM; break; }
    ids = more;
    status = en_encode(m->tokenizer, text, n_bytes, flags, ids, cap, n_ids, scratch, n_scratch);
    if (status != EN_E_FULL) break;
    cap = *n_ids;
  }
  free(scratch);
  if (status == EN_OK) return ids;
  free(ids);
  cli_fail(m->path, "the text of %zu bytes could not be tokenized: %s", n_bytes, status == EN_E_NOMEM ? "not enough memory" : en_status_name(status));
  return NULL;
}

int32_t *cli_encode(const cli_model *m, const char *text, size_t n_bytes, int32_t flags, size_t *n_ids) {
  if (m->normal == EN_NORMAL_NONE) return encode(m, text, n_bytes, flags, n_ids);
  size_t n = 0;
  char *normal = normalize(m->normal, text, n_bytes, &n);
  if (!normal) { cli_fail(m->path, "not enough memory to normalize a text of %zu bytes", n_bytes); return NULL; }
  int32_t *ids = encode(m, normal, n, flags, n_ids);
  free(normal);
  return ids;
}

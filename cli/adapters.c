/* adapters.c - see adapters.h. */
#include "adapters.h"
#include "parts.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char MODEL_FILE[] = "adapter_model.safetensors", CONFIG_FILE[] = "adapter_config.json";

/* "folder/name"; free() it. */
static char *join(const char *folder, size_t n_folder, const char *name) {
  char *path = malloc(n_folder + strlen(name) + 2);
  if (path) sprintf(path, "%.*s%s%s", (int)n_folder, folder, n_folder && folder[n_folder - 1] != '/' ? "/" : "", name);
  else cli_fail(NULL, "no memory");
  return path;
}

static int ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), n_end = strlen(end);
  return n >= n_end && !strcmp(text + n - n_end, end);
}

int cli_write_file(const char *path, const void *data, size_t n_bytes) {
  cli_out out;
  return cli_out_close(&out, cli_out_open(&out, path) && cli_out_put(&out, data, n_bytes));
}

int cli_model_write(const cli_model *m, const char *path) {
  enum { PIECE = 1 << 18 };
  char *piece = malloc(PIECE);
  cli_out out;
  if (!piece) return cli_fail(path, "no memory"), 0;
  int ok = cli_out_open(&out, path);
  for (uint64_t at = 0; ok && at < m->info.file_bytes; at += PIECE) {
    const size_t n = (size_t)EN_MIN(m->info.file_bytes - at, (uint64_t)PIECE);
    ok = en_model_read(m->model, at, piece, n) == EN_OK && cli_out_put(&out, piece, n);
  }
  free(piece);
  return cli_out_close(&out, ok);
}

/* ---- read ---- */

static int32_t init_gguf(const cli_model *m, const char *file, size_t n, en_adapter **out, void **mem, en_why *why) {
  const size_t need = en_adapter_file_bytes(m->model, file, n);
  *mem = cli_alloc(need);
  return *mem ? en_adapter_init_file(out, *mem, need, m->model, file, n, why) : en_fail(why, EN_E_NOMEM, "no memory for the adapter (%z bytes)", (uint64_t)need);
}

static int32_t init_peft(const cli_model *m, const char *file, size_t n, const char *config, size_t n_config, en_adapter **out, void **mem, en_why *why) {
  const size_t need = en_adapter_peft_bytes(m->model, file, n);
  *mem = cli_alloc(need);
  return *mem ? en_adapter_init_peft(out, *mem, need, m->model, file, n, config, n_config, why) : en_fail(why, EN_E_NOMEM, "no memory for the adapter (%z bytes)", (uint64_t)need);
}

int cli_adapter_load(const cli_model *m, const char *path, en_adapter **out, void **mem) {
  const int folder = cli_is_folder(path), peft = folder || ends_with(path, ".safetensors");
  const char *slash = strrchr(path, '/');
  const size_t n_folder = folder ? strlen(path) : slash ? (size_t)(slash - path) + 1 : 0;
  char *tensors = folder ? join(path, n_folder, MODEL_FILE) : NULL;
  char *settings = peft ? join(path, n_folder, CONFIG_FILE) : NULL;
  size_t n = 0, n_config = 0;
  en_why why = {""};
  *mem = NULL;
  *out = NULL;
  char *config = settings ? cli_read_file(settings, &n_config) : NULL;
  char *file = !peft || config ? cli_read_file(tensors ? tensors : path, &n) : NULL;
  int ok = 0;
  if (file) {
    const int32_t status = peft ? init_peft(m, file, n, config, n_config, out, mem, &why) : init_gguf(m, file, n, out, mem, &why);
    ok = status == EN_OK;
    if (!ok) cli_fail(path, "%s", why.text[0] ? why.text : en_status_name(status));
  }
  if (!ok) { free(*mem); *mem = NULL; }
  free(config);
  free(file);
  free(tensors);
  free(settings);
  return ok;
}

/* FILE or FILE:scale. A name that ends in :number is read as a scale; write FILE:1 where it should not be. */
static int open_one(cli_model *m, const char *given) {
  const char *colon = strrchr(given, ':');
  char *end = NULL, *path;
  double scale = colon ? strtod(colon + 1, &end) : 1;
  const int scaled = colon && end > colon + 1 && !*end;
  if (scaled && !(fabs(scale) <= 1e6)) return cli_fail(NULL, "--adapter %s: the scale is out of range", given), 0;
  if (m->n_adapters == CLI_MAX_ADAPTERS) return cli_fail(NULL, "--adapter: at most %d are possible", CLI_MAX_ADAPTERS), 0;
  cli_adapter *at = m->adapters + m->n_adapters;
  path = malloc(strlen(given) + 1);
  if (!path) return cli_fail(NULL, "no memory"), 0;
  strcpy(path, given);
  if (scaled) path[colon - given] = 0;
  at->scale = scaled ? (float)scale : 1;
  const int ok = cli_adapter_load(m, path, &at->adapter, &at->mem);
  m->n_adapters += ok;
  free(path);
  return ok;
}

int cli_adapters_open(cli_model *m, const arg_value *given) {
  for (int i = 0; given && i < given->given; i++)
    if (!open_one(m, given->texts[i])) return 0;
  return 1;
}

void cli_adapters_close(cli_model *m) {
  while (m->n_adapters) free(m->adapters[--m->n_adapters].mem);
}

/* ---- write ---- */

int cli_is_adapter_format(const char *text) {
  return !text || !strcmp(text, "gguf") || !strcmp(text, "peft") || (cli_fail(NULL, "--format %s: must be peft or gguf", text), 0);
}

int cli_writes_gguf(const char *path, const char *format) { return format ? !strcmp(format, "gguf") : ends_with(path, ".gguf"); }
void cli_no_dora(const char *what) { cli_fail(what, "llama.cpp's adapter files (gguf) have no place for DoRA: write a PEFT folder, or merge it into the model (edge-net adapter merge-into)"); }

typedef size_t save_function(const en_adapter *a, const en_peft_config *config, void *dst, size_t cap);
static size_t save_gguf(const en_adapter *a, const en_peft_config *config, void *dst, size_t cap) { (void)config; return en_adapter_save(a, dst, cap); }
static size_t save_peft(const en_adapter *a, const en_peft_config *config, void *dst, size_t cap) { (void)config; return en_adapter_save_peft(a, dst, cap); }

static int write_with(save_function *save, const en_adapter *a, const en_peft_config *config, const char *path) {
  const size_t n = save(a, config, NULL, 0);
  if (!n) return cli_no_dora(path), 0;
  char *data = malloc(n);
  const int ok = data && save(a, config, data, n) == n ? cli_write_file(path, data, n) : (cli_fail(path, "no memory for %zu bytes", n), 0);
  free(data);
  return ok;
}

int cli_adapter_write(const en_adapter *a, const char *path, const char *format, const en_peft_config *config) {
  if (cli_writes_gguf(path, format)) return write_with(save_gguf, a, NULL, path);
  if (mkdir(path, 0777) && errno != EEXIST) return cli_fail(path, "the folder could not be made: %s", strerror(errno)), 0;
  char *settings = join(path, strlen(path), CONFIG_FILE), *tensors = join(path, strlen(path), MODEL_FILE);
  const int ok = settings && tensors && write_with(save_peft, a, config, tensors) && write_with(en_adapter_save_peft_config, a, config, settings);
  free(settings);
  free(tensors);
  return ok;
}

/* train_prefix.c - with --layers and --cache-prefix: what the frozen layers make of a sample is computed once, and kept in memory or in a scratch file. */
#include "../core/base/base.h"
#include "train.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int train_open_prefix(training *t) {
  const char *where = args_text(t->a, T_PREFIX);
  prefix_store *p = &t->prefix;
  const size_t all = t->data.start[t->data.n];
  if (!where) return 1;
  if (!(args_int(t->a, T_LAYERS) > 0 && (uint32_t)args_int(t->a, T_LAYERS) < t->m.info.n_layer)) return cli_fail(NULL, "--cache-prefix: --layers must leave some of the %u layers frozen", t->m.info.n_layer), 0;
  p->width = t->m.info.n_embd;
  p->there = calloc(t->data.n, 1);
  p->batch = malloc((size_t)t->n_tokens * p->width * sizeof *p->batch);
  if (!strcmp(where, "mem")) p->rows = malloc(all * p->width * sizeof *p->rows);
  else if (!(p->file = fopen(where, "w+b"))) return cli_fail(where, "%s", strerror(errno)), 0;
  if (!p->there || !p->batch || (!p->rows && !p->file)) return cli_fail(NULL, "no memory for the prefixes of %zu tokens; --cache-prefix can name a file", all), 0;
  t->train_bytes += (size_t)t->n_tokens * p->width * sizeof *p->batch + (p->rows ? all * p->width * sizeof *p->rows : 0);
  return 1;
}

void train_close_prefix(training *t) {
  prefix_store *p = &t->prefix;
  if (p->file) fclose(p->file);
  if (p->file) remove(args_text(t->a, T_PREFIX));
  free(p->there);
  free(p->batch);
  free(p->rows);
}

static int32_t move_rows(const prefix_store *p, size_t at, float *rows, size_t n, int write) {
  if (p->rows) {
    memcpy(write ? p->rows + at * p->width : rows, write ? rows : p->rows + at * p->width, n * p->width * sizeof *rows);
    return EN_OK;
  }
  const int moved = !fseeko(p->file, (off_t)(at * p->width * sizeof *rows), SEEK_SET) && (write ? fwrite(rows, p->width * sizeof *rows, n, p->file) : fread(rows, p->width * sizeof *rows, n, p->file)) == n;
  return moved ? EN_OK : EN_E_FULL;
}

int32_t train_add_prefix(training *t, const uint32_t *which, uint32_t n, en_train_batch *b, en_why *why) {
  prefix_store *p = &t->prefix;
  float *rows = p->batch;
  if (!p->there) return EN_OK;
  for (uint32_t i = 0; i < n; i++) {
    const size_t at = t->data.start[which[i]], length = t->data.start[which[i] + 1] - at;
    if (!p->there[which[i]]) EN_TRY(en_train_prefix(t->trainer, &(en_train_batch){.n = (uint32_t)length, .ids = t->data.ids + at}, rows, why));
    if (move_rows(p, at, rows, length, !p->there[which[i]]) != EN_OK) return en_fail(why, EN_E_FULL, "the file of --cache-prefix cannot be written or read");
    p->there[which[i]] = 1;
    rows += length * p->width;
  }
  b->prefix = p->batch;
  return EN_OK;
}

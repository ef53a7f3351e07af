/* source.c - see source.h. */
#include "source.h"
#include <errno.h>
#include <stdlib.h>

enum { FIRST_HEAD = 1 << 20 };

/* The file's start in memory, all that lies before the tensor data and perhaps more. */
static int32_t read_head(cli_source *s, en_why *why) {
  size_t cap = FIRST_HEAD;
  for (;;) {
    unsigned char *more = realloc(s->head, cap);
    if (!more) return en_fail(why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)cap);
    s->head = more;
    s->n_head += fread(s->head + s->n_head, 1, cap - s->n_head, s->f);
    if (ferror(s->f)) return en_fail(why, EN_E_FORMAT, "it cannot be read: %s", strerror(errno));
    const int32_t status = en_gguf_scan(&s->g, s->head, s->n_head, why);
    if (status != EN_E_MORE) return status;
    if (s->n_head < cap) return en_fail(why, EN_E_FORMAT, "the file ends after %z bytes, in the middle of its head", (uint64_t)s->n_head);
    if (cap > SIZE_MAX / 2) return en_fail(why, EN_E_NOMEM, "the head does not fit into memory");
    cap *= 2;
  }
}

/* The tables lie behind the head, in the same block. */
static int32_t make_index(cli_source *s, en_why *why) {
  const size_t n = en_gguf_bytes(&s->g), at = (s->n_head + EN_ALIGN - 1) / EN_ALIGN * EN_ALIGN;
  unsigned char *block = n && at < SIZE_MAX - n ? cli_alloc(at + n) : NULL;
  if (!block) return en_fail(why, EN_E_NOMEM, "no memory for its tables (%z bytes)", (uint64_t)n);
  memcpy(block, s->head, s->n_head);
  free(s->head);
  s->head = block;
  EN_TRY(en_gguf_scan(&s->g, block, s->n_head, why));
  return en_gguf_index(&s->g, block + at, n, why);
}

static int32_t open_folder(cli_source *s, const char *path, en_why *why) {
  const unsigned char *head;
  s->folder = cli_folder_open(path, &head, &s->n_head, why);
  if (!s->folder) return EN_E_FORMAT;
  s->head = malloc(s->n_head);
  if (!s->head) return en_fail(why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)s->n_head);
  memcpy(s->head, head, s->n_head);
  return en_gguf_scan(&s->g, s->head, s->n_head, why);
}

static int32_t open_file(cli_source *s, const char *path, en_why *why) {
  s->f = fopen(path, "rb");
  return s->f ? read_head(s, why) : en_fail(why, EN_E_ARG, "%s", strerror(errno));
}

int32_t cli_source_open(cli_source *s, const char *path, int index, en_why *why) {
  *s = (cli_source){.n_head = 0};
  int32_t status = cli_is_folder(path) ? open_folder(s, path, why) : open_file(s, path, why);
  if (status == EN_OK && index) status = make_index(s, why);
  if (status != EN_OK) cli_source_close(s);
  return status;
}

int32_t cli_source_read(cli_source *s, uint64_t at, void *dst, size_t n, en_why *why) {
  if (s->folder) return cli_folder_read(s->folder, at - s->g.data_offset, dst, n, why); /* the head is read at once */
  if (fseeko(s->f, (off_t)at, SEEK_SET)) return en_fail(why, EN_E_FORMAT, "it cannot be read: %s", strerror(errno));
  const size_t got = fread(dst, 1, n, s->f);
  if (got == n) return EN_OK;
  if (ferror(s->f)) return en_fail(why, EN_E_FORMAT, "reading failed after %z bytes: %s", at + got, strerror(errno));
  return en_fail(why, EN_E_FORMAT, "the file ends after %z bytes, it should have %z", at + got, s->g.file_bytes);
}

void cli_source_close(cli_source *s) {
  if (s->f) fclose(s->f);
  cli_folder_close(s->folder);
  free(s->head);
  *s = (cli_source){0};
}

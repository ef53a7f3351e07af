/* source.c - see source.h. */
#include "source.h"
#include <errno.h>
#include <stdlib.h>

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

static int32_t take_parts(cli_source *s, cli_parts *parts, const unsigned char *head, size_t n, en_why *why) {
  s->parts = parts;
  if (!parts) return EN_E_FORMAT;
  unsigned char *copy = realloc(s->head, n);
  if (!copy) return en_fail(why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)n);
  memcpy(copy, head, n);
  s->head = copy;
  s->n_head = n;
  return en_gguf_scan(&s->g, s->head, s->n_head, why);
}

static int32_t open_split(cli_source *s, const char *path, uint32_t n, en_why *why) {
  const unsigned char *head = NULL;
  size_t n_head = 0;
  cli_parts *parts = cli_parts_split(path, n, &head, &n_head, why);
  return take_parts(s, parts, head, n_head, why);
}

static int32_t open_file(cli_source *s, const char *path, en_why *why) {
  uint32_t n;
  s->f = fopen(path, "rb");
  if (!s->f) return en_fail(why, EN_E_ARG, "%s", strerror(errno));
  EN_TRY(cli_read_head(s->f, &s->head, &s->n_head, &s->g, why));
  EN_TRY(en_split_count(&s->g, &n, why));
  return n > 1 ? open_split(s, path, n, why) : EN_OK;
}

static int32_t open_folder(cli_source *s, const char *path, en_why *why) {
  const unsigned char *head = NULL;
  size_t n = 0;
  cli_parts *parts = cli_parts_folder(path, &head, &n, why);
  return take_parts(s, parts, head, n, why);
}

int32_t cli_source_open(cli_source *s, const char *path, int index, en_why *why) {
  *s = (cli_source){.n_head = 0};
  int32_t status = cli_is_folder(path) ? open_folder(s, path, why) : open_file(s, path, why);
  if (status == EN_OK && index) status = make_index(s, why);
  if (status != EN_OK) cli_source_close(s);
  return status;
}

int32_t cli_source_read(cli_source *s, uint64_t at, void *dst, size_t n, en_why *why) {
  if (s->parts) return cli_parts_read(s->parts, at - s->g.data_offset, dst, n, why); /* the head is read at once */
  if (fseeko(s->f, (off_t)at, SEEK_SET)) return en_fail(why, EN_E_FORMAT, "it cannot be read: %s", strerror(errno));
  const size_t got = fread(dst, 1, n, s->f);
  if (got == n) return EN_OK;
  if (ferror(s->f)) return en_fail(why, EN_E_FORMAT, "reading failed after %z bytes: %s", at + got, strerror(errno));
  return en_fail(why, EN_E_FORMAT, "the file ends after %z bytes, it should have %z", at + got, s->g.file_bytes);
}

void cli_source_close(cli_source *s) {
  if (s->f) fclose(s->f);
  cli_parts_close(s->parts);
  free(s->head);
  *s = (cli_source){0};
}

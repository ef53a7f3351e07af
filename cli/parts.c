/* parts.c - see parts.h. Pieces that are plain are read where they are; one that is converted is kept until another one is asked for. */
#include "parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct cli_parts {
  const char *path;
  en_hf *hf;       /* one of these */
  en_split *split;
  void *mem;
  unsigned char *head;
  char *texts[EN_HF_TEXTS], *index;
  FILE **files;
  en_bytes *heads;
  char *name;
  uint32_t n_files, piece /* that lies in converted, or that comes next */;
  int has_converted;
  unsigned char *converted;
  size_t room;
};

int cli_is_folder(const char *path) {
  struct stat s;
  return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static char *join(const char *folder, const char *name, size_t n_name) {
  char *path = malloc(strlen(folder) + n_name + 2);
  if (path) sprintf(path, "%s/%.*s", folder, (int)n_name, name);
  return path;
}

static int exists(const char *path) {
  struct stat s;
  return !stat(path, &s);
}

/* ---- the safetensors files ---- */

static int32_t add_file(cli_parts *d, const char *name, size_t n_name, en_why *why) {
  FILE **files = realloc(d->files, (d->n_files + 1) * sizeof *files);
  if (files) d->files = files;
  en_bytes *heads = realloc(d->heads, (d->n_files + 1) * sizeof *heads);
  if (heads) d->heads = heads;
  char *path = files && heads ? join(d->path, name, n_name) : NULL;
  FILE *f = path ? fopen(path, "rb") : NULL;
  free(path);
  if (!f) return en_fail(why, EN_E_ARG, "%S: %s", n_name, name, path ? strerror(errno) : "no memory");
  d->files[d->n_files] = f;
  d->heads[d->n_files++] = (en_bytes){NULL, 0};
  unsigned char length[8];
  const uint64_t n = fread(length, 1, 8, f) == 8 ? en_rd64(length) : UINT64_MAX;
  if (n > EN_ST_MAX_HEAD) return en_fail(why, EN_E_FORMAT, "%S is no safetensors file", n_name, name);
  unsigned char *head = malloc((size_t)n + 8);
  if (!head) return en_fail(why, EN_E_NOMEM, "no memory for the head of %S", n_name, name);
  d->heads[d->n_files - 1] = (en_bytes){head, (size_t)n + 8};
  memcpy(head, length, 8);
  return fread(head + 8, 1, (size_t)n, f) == n ? EN_OK : en_fail(why, EN_E_FORMAT, "%S ends inside its head", n_name, name);
}

/* The files of an index in the order in which their names occur. A name stays inside the folder. */
static int32_t add_indexed(cli_parts *d, en_why *why) {
  en_json root, key, file;
  const char *cursor = NULL;
  char **names = NULL;
  size_t n_names = 0;
  int32_t status = en_json_open(&root, d->index, strlen(d->index), why);
  const en_json map = status == EN_OK ? en_json_get(root, "weight_map") : (en_json){NULL, NULL};
  while (status == EN_OK && en_json_next(map, &cursor, &key, &file)) {
    size_t n, i = 0;
    const char *name = en_json_raw(file, &n);
    if (!name || !n || n > 255 || memchr(name, '/', n) || memchr(name, '\\', n)) { status = en_fail(why, EN_E_FORMAT, "the index of the safetensors files has a name that is no file's"); break; }
    while (i < n_names && (strlen(names[i]) != n || memcmp(names[i], name, n))) i++;
    if (i < n_names) continue;
    char **more = n_names < EN_MAX_SHARDS ? realloc(names, (n_names + 1) * sizeof *names) : NULL;
    if (!more) { status = en_fail(why, EN_E_FORMAT, "the index names too many files"); break; }
    names = more;
    names[n_names] = join("", name, n);
    if (!names[n_names]) { status = en_fail(why, EN_E_NOMEM, "no memory"); break; }
    memmove(names[n_names], names[n_names] + 1, n + 1);
    n_names++;
    status = add_file(d, name, n, why);
  }
  for (size_t i = 0; i < n_names; i++) free(names[i]);
  free(names);
  return status;
}

static int32_t open_files(cli_parts *d, en_why *why) {
  static const char SINGLE[] = "model.safetensors", INDEX[] = "model.safetensors.index.json";
  size_t n;
  char *single = join(d->path, SINGLE, strlen(SINGLE)), *index = join(d->path, INDEX, strlen(INDEX));
  const int one = single && exists(single);
  if (!one && index && exists(index)) d->index = cli_read_file(index, &n);
  free(single);
  free(index);
  if (one) return add_file(d, SINGLE, strlen(SINGLE), why);
  return d->index ? add_indexed(d, why) : en_fail(why, EN_E_FORMAT, "the folder has no model.safetensors and no %s", INDEX);
}

/* ---- open ---- */

static void name_of(cli_parts *d) {
  const size_t n = strlen(d->path);
  size_t end = n;
  while (end && d->path[end - 1] == '/') end--;
  size_t from = end;
  while (from && d->path[from - 1] != '/') from--;
  d->name = malloc(end - from + 1);
  if (!d->name) return;
  memcpy(d->name, d->path + from, end - from);
  d->name[end - from] = 0;
}

static int32_t open_folder(cli_parts *d, size_t *n_head, en_why *why) {
  en_hf_files files = {.n_shards = 0};
  for (int32_t i = 0; i < EN_HF_TEXTS; i++) {
    const char *name = en_hf_file_name(i);
    char *path = join(d->path, name, strlen(name));
    if (path && exists(path)) d->texts[i] = cli_read_file(path, &files.texts[i].n_bytes);
    files.texts[i].bytes = d->texts[i];
    free(path);
  }
  EN_TRY(open_files(d, why));
  name_of(d);
  files.shards = d->heads;
  files.n_shards = d->n_files;
  files.name = d->name && d->name[0] && d->name[0] != '.' ? d->name : NULL;
  const size_t n = en_hf_bytes(&files);
  d->mem = n ? cli_alloc(n) : NULL;
  EN_TRY(en_hf_init(&d->hf, d->mem, n, &files, why));
  *n_head = en_hf_head(d->hf, NULL, 0);
  d->head = malloc(*n_head);
  if (!d->head) return en_fail(why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)*n_head);
  en_hf_head(d->hf, d->head, *n_head);
  return EN_OK;
}

/* ---- split models ---- */

int32_t cli_read_head(FILE *f, unsigned char **head, size_t *n_head, en_gguf *g, en_why *why) {
  enum { FIRST_HEAD = 1 << 20 };
  for (size_t cap = FIRST_HEAD;; cap *= 2) {
    unsigned char *more = realloc(*head, cap);
    if (!more) return en_fail(why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)cap);
    *head = more;
    *n_head += fread(*head + *n_head, 1, cap - *n_head, f);
    if (ferror(f)) return en_fail(why, EN_E_FORMAT, "it cannot be read: %s", strerror(errno));
    const int32_t status = en_gguf_scan(g, *head, *n_head, why);
    if (status != EN_E_MORE) return status;
    if (*n_head < cap) return en_fail(why, EN_E_FORMAT, "the file ends after %z bytes, in the middle of its head", (uint64_t)*n_head);
    if (cap > SIZE_MAX / 2) return en_fail(why, EN_E_NOMEM, "the head does not fit into memory");
  }
}

static int32_t add_shard(cli_parts *d, const char *path, en_why *why) {
  unsigned char *head = NULL;
  size_t n = 0;
  en_gguf g;
  FILE *f = fopen(path, "rb");
  if (!f) return en_fail(why, EN_E_ARG, "%S, a part of the model: %s", strlen(path), path, strerror(errno));
  const int32_t status = cli_read_head(f, &head, &n, &g, why);
  d->files[d->n_files] = f;
  d->heads[d->n_files++] = (en_bytes){head, n};
  return status;
}

static int32_t open_split(cli_parts *d, uint32_t n, size_t *n_head, en_why *why) {
  enum { ENDING = 20 /* "-00001-of-00003.gguf" */ };
  const size_t length = strlen(d->path);
  char ending[32];
  d->index = malloc(length + 1);
  d->files = calloc(n, sizeof *d->files);
  d->heads = calloc(n, sizeof *d->heads);
  if (!d->index || !d->files || !d->heads) return en_fail(why, EN_E_NOMEM, "no memory");
  strcpy(d->index, d->path);
  for (uint32_t i = 1; i <= n; i++) {
    snprintf(ending, sizeof ending, "-%05u-of-%05u.gguf", i, n);
    if (length < ENDING || strcmp(d->path + length - 14, ending + 6)) return en_fail(why, EN_E_FORMAT, "the model is in %u files, but this name does not end like -00001%s", n, ending + 6);
    strcpy(d->index + length - ENDING, ending);
    EN_TRY(add_shard(d, d->index, why));
  }
  const size_t need = en_split_bytes(d->heads, n);
  d->mem = need ? cli_alloc(need) : NULL;
  EN_TRY(en_split_init(&d->split, d->mem, need, d->heads, n, why));
  *n_head = en_split_head(d->split, NULL, 0);
  d->head = malloc(*n_head);
  if (!d->head) return en_fail(why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)*n_head);
  en_split_head(d->split, d->head, *n_head);
  return EN_OK;
}

static cli_parts *opened(const char *path, uint32_t n, const unsigned char **head, size_t *n_head, en_why *why) {
  cli_parts *d = calloc(1, sizeof *d);
  if (!d) { en_fail(why, EN_E_NOMEM, "no memory"); return NULL; }
  d->path = path;
  if ((n ? open_split(d, n, n_head, why) : open_folder(d, n_head, why)) != EN_OK) { cli_parts_close(d); return NULL; }
  *head = d->head;
  return d;
}
cli_parts *cli_parts_folder(const char *path, const unsigned char **head, size_t *n_head, en_why *why) { return opened(path, 0, head, n_head, why); }
cli_parts *cli_parts_split(const char *path, uint32_t n, const unsigned char **head, size_t *n_head, en_why *why) { return opened(path, n, head, n_head, why); }

void cli_parts_close(cli_parts *d) {
  if (!d) return;
  for (int32_t i = 0; i < EN_HF_TEXTS; i++) free(d->texts[i]);
  for (uint32_t i = 0; i < d->n_files; i++) {
    fclose(d->files[i]);
    free((void *)(uintptr_t)d->heads[i].bytes);
  }
  free(d->index);
  free(d->files);
  free(d->heads);
  free(d->name);
  free(d->head);
  free(d->mem);
  free(d->converted);
  free(d);
}

/* ---- read ---- */

static int32_t read_shard(cli_parts *d, int32_t shard, uint64_t at, void *dst, size_t n, en_why *why) {
  FILE *f = d->files[shard];
  if (fseeko(f, (off_t)at, SEEK_SET) || fread(dst, 1, n, f) != n) return en_fail(why, EN_E_FORMAT, "file %d of the model is cut short or cannot be read", shard + 1);
  return EN_OK;
}

static int piece_at(const cli_parts *d, uint32_t i, en_file_piece *p) { return d->hf ? en_hf_piece_at(d->hf, i, p) : en_split_piece_at(d->split, i, p); }

static int32_t convert(cli_parts *d, uint32_t i, const en_file_piece *p, en_why *why) {
  const size_t need = (size_t)(p->n_to + p->n_from);
  if (need > d->room) {
    free(d->converted);
    d->converted = cli_alloc(need);
    d->room = d->converted ? need : 0;
  }
  d->has_converted = 0;
  if (!d->converted) return en_fail(why, EN_E_NOMEM, "no memory for a tensor of %z bytes", p->n_to);
  if (p->n_from) EN_TRY(read_shard(d, p->shard, p->from, d->converted + p->n_to, (size_t)p->n_from, why));
  en_hf_convert(d->hf, i, d->converted, d->converted + p->n_to);
  d->has_converted = 1;
  return EN_OK;
}

/* Bytes [at, at + n) of the data: what lies between the pieces is zeros. */
int32_t cli_parts_read(cli_parts *d, uint64_t at, void *dst, size_t n, en_why *why) {
  en_file_piece p;
  unsigned char *out = dst;
  uint32_t i = d->piece;
  if (!piece_at(d, i, &p) || at < p.to) i = 0, d->has_converted = 0; /* backwards: look from the start */
  memset(out, 0, n);
  for (; piece_at(d, i, &p) && p.to < at + n; i++) {
    if (p.to + p.n_to <= at) { d->has_converted = 0; continue; }
    const uint64_t from = EN_MAX(at, p.to), to = EN_MIN(at + n, p.to + p.n_to);
    if (p.plain) EN_TRY(read_shard(d, p.shard, p.from + (from - p.to), out + (from - at), (size_t)(to - from), why));
    else {
      if (!d->has_converted || i != d->piece) EN_TRY(convert(d, i, &p, why));
      memcpy(out + (from - at), d->converted + (from - p.to), (size_t)(to - from));
    }
    d->piece = i;
    if (to == at + n) break;
    d->has_converted = 0;
  }
  return EN_OK;
}

/* common.c - errors, memory, files, clocks and JSON text for the commands. */
#include "cli.h"
#include "../core/base/base.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

int cli_fail(const char *file, const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("edge-net: ", stderr);
  if (file) fprintf(stderr, "%s: ", file);
  vfprintf(stderr, format, list);
  fputs("\n", stderr);
  va_end(list);
  return 1;
}

void *cli_alloc(size_t n_bytes) {
  if (n_bytes > SIZE_MAX - EN_ALIGN) return NULL;
#if defined(MADV_HUGEPAGE) /* every token streams through all weights: with large pages decoding is a quarter faster (docs/speed.md) */
  enum { HUGE = 2 << 20 };
  if (n_bytes >= 8 * (size_t)HUGE && n_bytes <= SIZE_MAX - HUGE) {
    const size_t whole = (n_bytes + HUGE - 1) / HUGE * HUGE;
    void *block = aligned_alloc(HUGE, whole);
    if (block) madvise(block, whole, MADV_HUGEPAGE); /* only advice: a system without them loses nothing */
    return block;
  }
#endif
  const size_t whole = (n_bytes + EN_ALIGN - 1) / EN_ALIGN * EN_ALIGN;
  return aligned_alloc(EN_ALIGN, whole ? whole : EN_ALIGN);
}

char *cli_read_file(const char *path, size_t *n_bytes) {
  en_why why = {""};
  char *data = cli_read_file_why(path, n_bytes, &why);
  if (!data) cli_fail(path, "%s", why.text);
  return data;
}

char *cli_read_file_why(const char *path, size_t *n_bytes, en_why *why) {
  FILE *f = fopen(path, "rb");
  if (!f) { en_fail(why, EN_E_ARG, "%s", strerror(errno)); return NULL; }
  size_t n = 0, cap = 1 << 16;
  char *data = malloc(cap);
  while (data) {
    n += fread(data + n, 1, cap - 1 - n, f);
    if (n < cap - 1) break;
    char *more = cap <= SIZE_MAX / 2 ? realloc(data, cap * 2) : NULL;
    if (!more) free(data);
    data = more;
    cap *= 2;
  }
  if (!data) en_fail(why, EN_E_NOMEM, "the file does not fit into memory");
  else if (ferror(f)) { en_fail(why, EN_E_ARG, "%s", strerror(errno)); free(data); data = NULL; }
  fclose(f);
  if (!data) return NULL;
  data[n] = 0;
  *n_bytes = n;
  return data;
}

int cli_out_open(cli_out *o, const char *path) {
  *o = (cli_out){.path = path, .beside = malloc(strlen(path) + sizeof ".part")};
  if (!o->beside) return cli_fail(path, "no memory"), 0;
  sprintf(o->beside, "%s.part", path);
  o->f = fopen(o->beside, "wb");
  return o->f || (cli_fail(path, "it could not be written: %s", strerror(errno)), 0);
}

int cli_out_put(cli_out *o, const void *data, size_t n_bytes) {
  return fwrite(data, 1, n_bytes, o->f) == n_bytes || (cli_fail(o->path, "it could not be written: %s", strerror(errno)), 0);
}

int cli_out_close(cli_out *o, int ok) {
  if (o->f) {
    const int written = ok;
    ok = ok && !fflush(o->f) && !fsync(fileno(o->f)); /* on the disk before it gets its name */
    ok = !fclose(o->f) && ok;
    ok = ok && !rename(o->beside, o->path);
    if (written && !ok) cli_fail(o->path, "it could not be written: %s", strerror(errno));
    if (!ok) remove(o->beside);
  }
  free(o->beside);
  return ok;
}

double cli_now_ms(void *unused) {
  struct timespec t;
  (void)unused;
  return clock_gettime(CLOCK_MONOTONIC, &t) ? 0 : (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

double cli_cpu_ms(void) {
#if defined(__wasi__)
  return 0;
#else
  struct timespec t;
  return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
#endif
}

/* Bytes of the well-formed UTF-8 character at p (Unicode 15 table 3-7), 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t n) {
  if (p[0] < 0x80) return 1;
  const size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
  if (p[0] < 0xC2 || p[0] > 0xF4 || n < len) return 0;
  const unsigned char lo = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80, hi = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < lo || p[1] > hi) return 0;
  for (size_t i = 2; i < len; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return len;
}

void cli_json_text(FILE *f, const char *text, size_t n_bytes) {
  const unsigned char *p = (const unsigned char *)text;
  fputc('"', f);
  for (size_t i = 0; i < n_bytes;) {
    const size_t len = utf8_length(p + i, n_bytes - i);
    if (len == 0) { fputs("\\ufffd", f); i++; continue; }
    if (p[i] == '"' || p[i] == '\\') fprintf(f, "\\%c", p[i]);
    else if (p[i] == '\n') fputs("\\n", f);
    else if (p[i] < 0x20 || p[i] == 0x7F) fprintf(f, "\\u%04x", p[i]);
    else fwrite(p + i, 1, len, f);
    i += len;
  }
  fputc('"', f);
}

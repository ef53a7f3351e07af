/* writer.h - files are written in two passes over the same code: the first counts the bytes, the second writes them if they fit. */
#ifndef EN_WRITER_H
#define EN_WRITER_H
#include "../base/base.h"

typedef struct { uint8_t *p; size_t n, cap; } en_writer; /* n counts on past cap; nothing is written there, nor where p is NULL */
static inline void en_put(en_writer *w, const void *bytes, size_t n) {
  if (w->p && w->n <= w->cap && n <= w->cap - w->n) memcpy(w->p + w->n, bytes, n);
  w->n += n;
}
static inline void en_put32(en_writer *w, uint32_t v) { en_put(w, &v, 4); }
static inline void en_put64(en_writer *w, uint64_t v) { en_put(w, &v, 8); }
static inline void en_put_str(en_writer *w, const char *s) { en_put(w, s, strlen(s)); }
static inline void en_put_fill(en_writer *w, char c, size_t n) {
  while (n--) en_put(w, &c, 1);
}
/* JSON text. */
static inline void en_put_decimal(en_writer *w, uint64_t v) {
  char digits[20];
  size_t n = sizeof digits;
  do digits[--n] = (char)('0' + v % 10);
  while (v /= 10);
  en_put(w, digits + n, sizeof digits - n);
}
static inline void en_put_quoted(en_writer *w, const char *s) {
  static const char hex[] = "0123456789abcdef";
  en_put(w, "\"", 1);
  for (; *s; s++) {
    const unsigned char c = (unsigned char)*s;
    const char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (c < 0x20) en_put(w, escaped, 6);
    else if (c == '"' || c == '\\') { en_put(w, "\\", 1); en_put(w, s, 1); }
    else en_put(w, s, 1);
  }
  en_put(w, "\"", 1);
}
#endif

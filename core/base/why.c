/* why.c - one sentence about a failure, formatted without stdio (the core runs where there is none). */
#include "base.h"
#include <stdarg.h>

typedef struct { char *at, *end; } out_t;

static void put(out_t *o, char c) {
  if (o->at < o->end) *o->at++ = c;
}
static void put_text(out_t *o, const char *s) {
  while (*s) put(o, *s++);
}
/* File contents are shown as plain ASCII so that a hostile name cannot garble a terminal or a page. */
static void put_counted(out_t *o, size_t n, const char *s) {
  for (size_t i = 0; i < n && i < 60; i++) put(o, s[i] >= 32 && s[i] < 127 ? s[i] : '?');
  if (n > 60) put_text(o, "...");
}
static void put_u64(out_t *o, uint64_t v) {
  char digits[20];
  int n = 0;
  do digits[n++] = (char)('0' + v % 10);
  while (v /= 10);
  while (n) put(o, digits[--n]);
}
static void put_double(out_t *o, double v) { /* six decimals, enough for a limit or a setting in a sentence */
  if (v != v) { put_text(o, "nan"); return; }
  if (v < 0) { put(o, '-'); v = -v; }
  if (v > 1e18) { put_text(o, v > 1.7e308 ? "inf" : "more than 1e18"); return; }
  uint64_t whole = (uint64_t)v, part = (uint64_t)((v - (double)whole) * 1e6 + 0.5);
  if (part == 1000000) { whole++; part = 0; }
  put_u64(o, whole);
  if (!part) return;
  put(o, '.');
  for (uint64_t unit = 100000; part; unit /= 10) { put(o, (char)('0' + part / unit)); part %= unit; }
}

int32_t en_fail(en_why *why, int32_t status, const char *format, ...) {
  if (!why) return status;
  va_list ap;
  va_start(ap, format);
  out_t o = {why->text, why->text + sizeof why->text - 1};
  for (; *format; format++) {
    if (*format != '%') { put(&o, *format); continue; }
    switch (*++format) {
      case 's': put_text(&o, va_arg(ap, const char *)); break;
      case 'S': { const size_t n = va_arg(ap, size_t); put_counted(&o, n, va_arg(ap, const char *)); break; }
      case 'd': { const int32_t v = va_arg(ap, int32_t); if (v < 0) put(&o, '-'); put_u64(&o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v); break; }
      case 'u': put_u64(&o, va_arg(ap, uint32_t)); break;
      case 'z': put_u64(&o, va_arg(ap, uint64_t)); break;
      case 'g': put_double(&o, va_arg(ap, double)); break;
      default: put(&o, '%'); break;
    }
  }
  va_end(ap);
  *o.at = 0;
  return status;
}

/* json_numbers.h - just enough JSON for the fixtures that tests read: the place after a key, an array of numbers. */
#ifndef EN_JSON_NUMBERS_H
#define EN_JSON_NUMBERS_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *json_after(const char *text, const char *key) { /* first byte after "key": */
  char quoted[96];
  snprintf(quoted, sizeof quoted, "\"%s\"", key);
  const char *p = text ? strstr(text, quoted) : NULL;
  return p ? strchr(p, ':') + 1 : NULL;
}

static inline int json_numbers(const char *p, double *out, int cap) { /* [1, 2, ...] */
  int n = 0;
  p = strchr(p, '[') + 1;
  while (n < cap) {
    char *end;
    out[n] = strtod(p, &end);
    if (end == p) break;
    n++;
    p = end + strspn(end, " ,\n");
    if (*p == ']') break;
  }
  return n;
}
#endif

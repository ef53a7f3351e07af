/* json.c - see json.h. Recursive descent; the depth is limited, so the stack is. The same scanner checks and, later, steps over values. */
#include "json.h"
#include <math.h>

typedef struct { const char *p, *end; int32_t depth; } scan_t; /* p: where it went wrong, after a failure */

static void skip_space(scan_t *s) {
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) s->p++;
}
static int peek(const scan_t *s) { return s->p < s->end ? (unsigned char)*s->p : -1; }
static int take(scan_t *s, char c) {
  if (peek(s) != c) return 0;
  s->p++;
  return 1;
}

static int32_t hex(int c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }
static int32_t hex4(const char *p) { return (hex(p[0]) << 12) | (hex(p[1]) << 8) | (hex(p[2]) << 4) | hex(p[3]); }

static int scan_string(scan_t *s) {
  if (!take(s, '"')) return 0;
  for (; s->p < s->end && *s->p != '"'; s->p++) {
    if ((unsigned char)*s->p < 0x20) return 0;
    if (*s->p != '\\') continue;
    s->p++;
    const int c = peek(s);
    if (c == 'u') {
      for (int i = 1; i <= 4; i++)
        if (s->end - s->p <= i || hex(s->p[i]) < 0) return 0;
      s->p += 4;
    } else if (c <= 0 || !strchr("\"\\/bfnrt", c)) {
      return 0;
    }
  }
  return take(s, '"');
}

static int scan_digits(scan_t *s) {
  const char *from = s->p;
  while (peek(s) >= '0' && peek(s) <= '9') s->p++;
  return s->p > from;
}
static int scan_number(scan_t *s) {
  take(s, '-');
  if (!take(s, '0') && !scan_digits(s)) return 0;
  if (take(s, '.') && !scan_digits(s)) return 0;
  if (peek(s) != 'e' && peek(s) != 'E') return 1;
  s->p++;
  if (!take(s, '-')) take(s, '+');
  return scan_digits(s);
}

static int scan_value(scan_t *s);
static int scan_list(scan_t *s, char open, char close) {
  if (!take(s, open) || ++s->depth > EN_JSON_MAX_DEPTH) return 0;
  skip_space(s);
  for (int first = 1; !take(s, close); first = 0) {
    if (!first && !take(s, ',')) return 0;
    skip_space(s);
    if (open == '{') {
      if (!scan_string(s)) return 0;
      skip_space(s);
      if (!take(s, ':')) return 0;
    }
    if (!scan_value(s)) return 0;
    skip_space(s);
  }
  s->depth--;
  return 1;
}

static int scan_word(scan_t *s) {
  static const char *const words[] = {"null", "false", "true", "Infinity"}; /* the last one is none of JSON, but Python writes it, and so config.json has it */
  for (int32_t i = 0; i < EN_COUNT(words); i++) {
    const size_t n = strlen(words[i]);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, words[i], n)) continue;
    s->p += n;
    return 1;
  }
  return 0;
}

static int scan_value(scan_t *s) {
  skip_space(s);
  const int c = peek(s);
  if (c == '{') return scan_list(s, '{', '}');
  if (c == '[') return scan_list(s, '[', ']');
  if (c == '"') return scan_string(s);
  return c == '-' || (c >= '0' && c <= '9') ? scan_number(s) : scan_word(s);
}

int32_t en_json_open(en_json *out, const void *text, size_t n_bytes, en_why *why) {
  const char *from = text;
  scan_t s = {from, from + n_bytes, 0};
  skip_space(&s);
  const char *at = s.p;
  const int ok = scan_value(&s);
  const char *end = s.p;
  skip_space(&s);
  if (!ok || s.p != s.end) return en_fail(why, EN_E_FORMAT, "the JSON text is malformed at byte %z", (uint64_t)(s.p - from));
  *out = (en_json){at, end};
  return EN_OK;
}

en_json_kind en_json_kind_of(en_json v) {
  if (!v.at) return EN_JSON_ABSENT;
  switch (*v.at) {
    case '{': return EN_JSON_OBJECT;
    case '[': return EN_JSON_ARRAY;
    case '"': return EN_JSON_STRING;
    case 'n': case 'I': return EN_JSON_NULL;
    case 'f': return EN_JSON_FALSE;
    case 't': return EN_JSON_TRUE;
    default: return EN_JSON_NUMBER;
  }
}

int en_json_next(en_json container, const char **cursor, en_json *key, en_json *value) {
  const en_json_kind kind = en_json_kind_of(container);
  if (kind != EN_JSON_ARRAY && kind != EN_JSON_OBJECT) return 0;
  scan_t s = {*cursor ? *cursor : container.at + 1, container.end, 0};
  skip_space(&s);
  if (*cursor) take(&s, ',');
  skip_space(&s);
  if (peek(&s) == ']' || peek(&s) == '}') return 0;
  *key = (en_json){NULL, NULL};
  if (kind == EN_JSON_OBJECT) {
    key->at = s.p;
    scan_string(&s);
    key->end = s.p;
    skip_space(&s);
    take(&s, ':');
  }
  skip_space(&s);
  value->at = s.p;
  scan_value(&s);
  value->end = *cursor = s.p;
  return 1;
}

en_json en_json_get(en_json object, const char *name) {
  const char *cursor = NULL;
  en_json key, value;
  if (en_json_kind_of(object) == EN_JSON_OBJECT)
    while (en_json_next(object, &cursor, &key, &value))
      if (en_json_is(key, name)) return value;
  return (en_json){NULL, NULL};
}

size_t en_json_count(en_json container) {
  const char *cursor = NULL;
  en_json key, value;
  size_t n = 0;
  while (en_json_next(container, &cursor, &key, &value)) n++;
  return n;
}

const char *en_json_raw(en_json string, size_t *n_bytes) {
  const int is_string = en_json_kind_of(string) == EN_JSON_STRING;
  *n_bytes = is_string ? (size_t)(string.end - string.at) - 2 : 0;
  return is_string ? string.at + 1 : NULL;
}

/* The character at *p as UTF-8 in out; *p moves behind it. Half a surrogate pair becomes U+FFFD. Returns how many bytes. */
static int32_t unescape(const char **p, const char *end, char out[4]) {
  static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
  if (**p != '\\') { out[0] = *(*p)++; return 1; }
  const char c = (*p)[1];
  const char *at = strchr(from, c);
  *p += 2;
  if (c != 'u') { out[0] = at ? to[at - from] : c; return 1; }
  uint32_t code = (uint32_t)hex4(*p);
  *p += 4;
  if (code >= 0xD800 && code < 0xDC00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
    const uint32_t low = (uint32_t)hex4(*p + 2);
    if (low >= 0xDC00 && low < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      *p += 6;
    }
  }
  if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
  const int32_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  if (n == 1) { out[0] = (char)code; return 1; }
  for (int32_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
  out[0] = (char)((0xF00u >> n & 0xFF) | code);
  return n;
}

int32_t en_json_char(en_json string, const char **cursor, char out[4]) {
  size_t n;
  const char *from = en_json_raw(string, &n);
  if (!from) return 0;
  if (!*cursor) *cursor = from;
  return *cursor < from + n ? unescape(cursor, from + n, out) : 0;
}

int en_json_is(en_json string, const char *text) {
  const char *cursor = NULL;
  char piece[4];
  if (en_json_kind_of(string) != EN_JSON_STRING) return 0;
  for (int32_t n; (n = en_json_char(string, &cursor, piece)) > 0;)
    for (int32_t i = 0; i < n; i++)
      if (!*text || *text++ != piece[i]) return 0;
  return !*text;
}

void en_json_put(en_writer *w, en_json string) {
  const char *cursor = NULL;
  char piece[4];
  for (int32_t n; (n = en_json_char(string, &cursor, piece)) > 0;) en_put(w, piece, (size_t)n);
}

int en_json_u64(en_json v, uint64_t *out) {
  uint64_t n = 0;
  if (en_json_kind_of(v) != EN_JSON_NUMBER) return 0;
  for (const char *p = v.at; p < v.end; p++)
    if (*p < '0' || *p > '9' || !en_mul_u64(n, 10, &n) || !en_add_u64(n, (uint64_t)(*p - '0'), &n)) return 0;
  *out = n;
  return 1;
}

int en_json_number(en_json v, double *out) {
  const char *p = v.at;
  uint64_t digits = 0;
  int32_t exponent = 0, given = 0, after_point = 0;
  if (en_json_kind_of(v) != EN_JSON_NUMBER) return 0;
  const int negative = *p == '-';
  for (p += negative; p < v.end && (*p == '.' || (*p >= '0' && *p <= '9')); p++) {
    if (*p == '.') { after_point = 1; continue; }
    if (digits < UINT64_MAX / 10 - 1) { digits = digits * 10 + (uint64_t)(*p - '0'); exponent -= after_point; }
    else exponent += !after_point; /* 18 digits are more than a double holds */
  }
  if (p < v.end) { /* 'e' */
    const int down = *++p == '-';
    for (p += down || *p == '+'; p < v.end; p++) given = EN_MIN(given * 10 + (*p - '0'), 100000);
    exponent += down ? -given : given;
  }
  double value = (double)digits;
  /* Two steps: 10^exponent alone may be out of range where the number is not. */
  for (; exponent < -300 && value > 0; exponent += 300) value *= 1e-300;
  value = exponent < 0 ? value / pow(10, -exponent) : value * (digits ? pow(10, exponent) : 0);
  *out = negative ? -value : value;
  return 1;
}

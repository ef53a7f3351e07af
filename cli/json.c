/* json.c - see json.h. Recursive descent; the depth is limited, so the stack is. */
#include "json.h"
#include <stdlib.h>
#include <string.h>

typedef struct { json *out; const char *text, *p, *end, *error; int depth; } reader;

static int fail(reader *r, const char *sentence) {
  if (!r->error) r->error = sentence;
  return 0;
}
static void skip_space(reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}
static int peek(const reader *r) { return r->p < r->end ? (unsigned char)*r->p : -1; }

/* Index of a new node, JSON_NONE without memory. */
static uint32_t add(reader *r, json_kind kind, const char *at) {
  json *j = r->out;
  if (j->n == j->cap) {
    const uint32_t cap = j->cap ? j->cap * 2 : 64;
    json_node *more = cap < UINT32_MAX / sizeof *more ? realloc(j->nodes, cap * sizeof *more) : NULL;
    if (!more) { fail(r, "no memory"); return JSON_NONE; }
    j->nodes = more;
    j->cap = cap;
  }
  j->nodes[j->n] = (json_node){.at = at, .kind = (uint8_t)kind};
  return j->n++;
}
static void close_node(reader *r, uint32_t node, const char *end) {
  r->out->nodes[node].n_bytes = (uint32_t)(end - r->out->nodes[node].at);
  r->out->nodes[node].next = r->out->n;
}

static int hex4(const char *p, const char *end, uint32_t *out) {
  uint32_t v = 0;
  if (end - p < 4) return 0;
  for (int i = 0; i < 4; i++) {
    const char c = p[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return 0;
    v = v * 16 + (uint32_t)digit;
  }
  *out = v;
  return 1;
}

static int read_string(reader *r) {
  const uint32_t node = add(r, JSON_STRING, r->p + 1);
  if (node == JSON_NONE) return 0;
  for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
    uint32_t code;
    if ((unsigned char)*r->p < 0x20) return fail(r, "a control character in a string");
    if (*r->p != '\\') continue;
    r->p++;
    if (peek(r) == 'u') {
      if (!hex4(r->p + 1, r->end, &code)) return fail(r, "\\u needs four hexadecimal digits");
      r->p += 4;
    } else if (peek(r) <= 0 || !strchr("\"\\/bfnrt", *r->p)) {
      return fail(r, "an unknown escape in a string");
    }
  }
  if (r->p == r->end) return fail(r, "a string that does not end");
  close_node(r, node, r->p++);
  return 1;
}

static int digits(reader *r) {
  const char *from = r->p;
  while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
  return r->p > from;
}
static int read_number(reader *r) {
  const uint32_t node = add(r, JSON_NUMBER, r->p);
  if (node == JSON_NONE) return 0;
  if (peek(r) == '-') r->p++;
  const int zero = peek(r) == '0';
  const char *first = r->p;
  if (!digits(r) || (zero && r->p > first + 1)) return fail(r, "a malformed number");
  if (peek(r) == '.') {
    r->p++;
    if (!digits(r)) return fail(r, "a malformed number");
  }
  if (peek(r) == 'e' || peek(r) == 'E') {
    r->p++;
    if (peek(r) == '+' || peek(r) == '-') r->p++;
    if (!digits(r)) return fail(r, "a malformed number");
  }
  close_node(r, node, r->p);
  return 1;
}

static int read_word(reader *r) {
  static const struct { const char *word; json_kind kind; } words[] = {{"null", JSON_NULL}, {"true", JSON_TRUE}, {"false", JSON_FALSE}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    const size_t n = strlen(words[i].word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, words[i].word, n)) continue;
    const uint32_t node = add(r, words[i].kind, r->p);
    if (node == JSON_NONE) return 0;
    r->p += n;
    close_node(r, node, r->p);
    return 1;
  }
  return fail(r, "a value is expected");
}

static int read_value(reader *r);
static int read_list(reader *r, json_kind kind) {
  const char close = kind == JSON_ARRAY ? ']' : '}';
  const uint32_t node = add(r, kind, r->p);
  if (node == JSON_NONE) return 0;
  if (r->depth++ == JSON_MAX_DEPTH) return fail(r, "nested too deeply");
  r->p++;
  skip_space(r);
  while (peek(r) != close) {
    if (r->out->nodes[node].n++) {
      if (peek(r) != ',') return fail(r, "a comma or the end of the list is expected");
      r->p++;
      skip_space(r);
    }
    if (kind == JSON_OBJECT) {
      if (peek(r) != '"') return fail(r, "a key is expected");
      if (!read_string(r)) return 0;
      skip_space(r);
      if (peek(r) != ':') return fail(r, "a colon is expected");
      r->p++;
    }
    if (!read_value(r)) return 0;
    skip_space(r);
  }
  r->p++;
  r->depth--;
  close_node(r, node, r->p);
  return 1;
}

static int read_value(reader *r) {
  skip_space(r);
  const int c = peek(r);
  if (c == '{') return read_list(r, JSON_OBJECT);
  if (c == '[') return read_list(r, JSON_ARRAY);
  if (c == '"') return read_string(r);
  return c == '-' || (c >= '0' && c <= '9') ? read_number(r) : read_word(r);
}

int json_read(json *out, const char *text, size_t n_bytes, const char **error, size_t *error_at) {
  *out = (json){0};
  reader r = {.out = out, .text = text, .p = text, .end = text + n_bytes};
  int ok = n_bytes < UINT32_MAX || fail(&r, "the text is too long");
  ok = ok && read_value(&r);
  if (ok) {
    skip_space(&r);
    ok = r.p == r.end || fail(&r, "something follows the value");
  }
  if (ok) return 1;
  *error = r.error;
  *error_at = (size_t)(r.p - text);
  json_free(out);
  return 0;
}

void json_free(json *j) {
  free(j->nodes);
  *j = (json){0};
}

json_kind json_kind_of(const json *j, uint32_t node) { return node < j->n ? (json_kind)j->nodes[node].kind : JSON_NULL; }

uint32_t json_get(const json *j, uint32_t object, const char *key) {
  if (json_kind_of(j, object) != JSON_OBJECT) return JSON_NONE;
  uint32_t at = object + 1;
  for (uint32_t i = 0; i < j->nodes[object].n; i++) {
    char name[128];
    if (json_string(j, at, name, sizeof name) && !strcmp(name, key)) return at + 1;
    at = j->nodes[at + 1].next;
  }
  return JSON_NONE;
}

uint32_t json_item(const json *j, uint32_t array, uint32_t i) {
  if (json_kind_of(j, array) != JSON_ARRAY || i >= j->nodes[array].n) return JSON_NONE;
  uint32_t at = array + 1;
  while (i--) at = j->nodes[at].next;
  return at;
}

int json_number(const json *j, uint32_t node, double *out) {
  char copy[64];
  if (json_kind_of(j, node) != JSON_NUMBER || j->nodes[node].n_bytes >= sizeof copy) return 0;
  memcpy(copy, j->nodes[node].at, j->nodes[node].n_bytes);
  copy[j->nodes[node].n_bytes] = 0;
  *out = strtod(copy, NULL);
  return 1;
}

static size_t put_utf8(char *dst, uint32_t c) {
  if (c < 0x80) { dst[0] = (char)c; return 1; }
  const int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (int i = n - 1; i > 0; i--, c >>= 6) dst[i] = (char)(0x80 | (c & 0x3F));
  dst[0] = (char)((0xF00 >> n & 0xFF) | c);
  return (size_t)n;
}

/* The character of an escape at p (behind the backslash); *p moves behind it. A lone surrogate becomes U+FFFD. */
static uint32_t unescape(const char **p, const char *end) {
  static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
  const char c = *(*p)++;
  const char *at = strchr(from, c);
  uint32_t code, low;
  if (c != 'u') return at ? (uint32_t)(unsigned char)to[at - from] : (uint32_t)(unsigned char)c;
  hex4(*p, end, &code);
  *p += 4;
  if (code < 0xD800 || code > 0xDFFF) return code;
  if (code > 0xDBFF || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || !hex4(*p + 2, end, &low) || low < 0xDC00 || low > 0xDFFF) return 0xFFFD;
  *p += 6;
  return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

int json_string(const json *j, uint32_t node, char *dst, size_t cap) {
  if (json_kind_of(j, node) != JSON_STRING) return 0;
  const char *p = j->nodes[node].at, *end = p + j->nodes[node].n_bytes;
  size_t n = 0;
  while (p < end) {
    char piece[4];
    size_t len = 1;
    if (*p == '\\') { p++; len = put_utf8(piece, unescape(&p, end)); }
    else piece[0] = *p++;
    if (n + len >= cap || !piece[0]) return 0;
    memcpy(dst + n, piece, len);
    n += len;
  }
  if (n >= cap) return 0;
  dst[n] = 0;
  return 1;
}

/* gbnf.c - grammars in the notation of llama.cpp (GBNF): name ::= alternatives of sequences of "text", [sets], ., names and (groups), each with
 * *, +, ?, {n}, {n,}, {n,m} behind it; # begins a comment. The rule "root" is the text. A rule ends where the next one begins. Characters are code points; the
 * program has their UTF-8 bytes. */
#include "grammar.h"
#include "unicode.h"

enum { MAX_SPANS = 128, MAX_DEPTH = 64, LAST_CP = 0x10FFFF };
typedef struct { en_program *p; const char *text, *at, *end; int32_t depth; } source_t;
typedef struct { uint32_t lo, hi; } span_t;

static void wrong(source_t *s, const char *what) {
  if (s->p->status == EN_OK) s->p->status = en_fail(s->p->why, EN_E_FORMAT, "the grammar is malformed at byte %z: %s", (uint64_t)(s->at - s->text), what);
}
static int peek(const source_t *s) { return s->at < s->end ? (unsigned char)*s->at : -1; }
static int take(source_t *s, char c) {
  if (peek(s) != (unsigned char)c) return 0;
  s->at++;
  return 1;
}
static void skip(source_t *s) {
  for (; s->at < s->end; s->at++) {
    if (*s->at == '#') while (s->at + 1 < s->end && s->at[1] != '\n') s->at++;
    else if (!strchr(" \t\r\n", *s->at) || !*s->at) return;
  }
}
static size_t name_length(const source_t *s) {
  const char *p = s->at;
  while (p < s->end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_')) p++;
  return (size_t)(p - s->at);
}
/* Does a rule begin here? Then *name is passed over, and ::= too. */
static int take_rule_head(source_t *s, const char **name, size_t *n) {
  const source_t before = *s;
  *name = s->at;
  *n = name_length(s);
  s->at += *n;
  skip(s);
  if (*n && s->end - s->at >= 3 && !memcmp(s->at, "::=", 3)) {
    s->at += 3;
    return 1;
  }
  *s = before;
  return 0;
}

/* ---- characters ---- */

static uint32_t hex(source_t *s, int32_t digits) {
  uint32_t v = 0;
  for (; digits > 0; digits--) {
    const int c = peek(s), d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
    if (d < 0) { wrong(s, "a hexadecimal digit is missing"); return 0; }
    v = v << 4 | (uint32_t)d;
    s->at++;
  }
  return v;
}

static uint32_t character(source_t *s) {
  uint32_t cp = 0;
  if (!take(s, '\\')) {
    const int32_t k = s->at < s->end ? en_utf8_step(s->at, (size_t)(s->end - s->at), &cp) : 0;
    if (k <= 0) wrong(s, "a character is missing or no UTF-8");
    s->at += k > 0 ? k : 0;
    return cp;
  }
  static const char from[] = "nrt", to[] = "\n\r\t";
  const int c = peek(s);
  const char *at = c > 0 ? strchr(from, c) : NULL;
  if (c < 0) wrong(s, "nothing follows the backslash");
  else s->at++;
  if (c == 'x') return hex(s, 2);
  if (c == 'u') return hex(s, 4);
  if (c == 'U') return hex(s, 8);
  return at ? (uint8_t)to[at - from] : (uint32_t)c;
}

/* The code points lo..hi as byte sequences: cut until all of one piece have the same length and, but for the bytes at the end that take every value, the same lead. */
static void add_span(en_program *p, en_choice *c, uint32_t lo, uint32_t hi) {
  static const uint32_t last[] = {0x7F, 0x7FF, 0xD7FF, 0xDFFF, 0xFFFF};
  char a[4], b[4];
  if (p->status != EN_OK || lo > hi) return;
  for (int32_t i = 0; i < EN_COUNT(last); i++)
    if (lo <= last[i] && hi > last[i]) { add_span(p, c, lo, last[i]); add_span(p, c, last[i] + 1, hi); return; }
  if (lo >= 0xD800 && hi <= 0xDFFF) return; /* surrogates are no characters */
  const int32_t n = en_utf8_put(lo, a);
  for (int32_t i = 1; i < n; i++) {
    const uint32_t low = ((uint32_t)1 << 6 * i) - 1;
    if ((lo & ~low) == (hi & ~low)) continue;
    if (lo & low) { add_span(p, c, lo, lo | low); add_span(p, c, (lo | low) + 1, hi); return; }
    if ((hi & low) != low) { add_span(p, c, lo, (hi & ~low) - 1); add_span(p, c, hi & ~low, hi); return; }
  }
  en_utf8_put(hi, b);
  if (c->start != p->n_code) en_choice_next(p, c); /* there is one before it */
  for (int32_t i = 0; i < n; i++) en_program_range(p, (uint8_t)a[i], (uint8_t)b[i]);
}

/* Spans in order, without overlaps, or what they leave out. */
static void add_set(source_t *s, span_t *spans, int32_t n, int negated) {
  en_choice c = en_choice_begin(s->p);
  const uint32_t before = s->p->n_code;
  uint32_t from = 0; /* below it all is done */
  for (int32_t i = 1; i < n; i++)
    for (int32_t k = i; k > 0 && spans[k].lo < spans[k - 1].lo; k--) {
      const span_t t = spans[k];
      spans[k] = spans[k - 1];
      spans[k - 1] = t;
    }
  for (int32_t i = 0; i < n; i++) {
    if (negated && spans[i].lo > from) add_span(s->p, &c, from, spans[i].lo - 1);
    if (!negated) add_span(s->p, &c, EN_MAX(from, spans[i].lo), spans[i].hi);
    from = EN_MAX(from, spans[i].hi + 1);
  }
  if (negated && from <= LAST_CP) add_span(s->p, &c, from, LAST_CP);
  if (s->p->n_code == before) wrong(s, "the set has no character");
  en_choice_end(s->p, &c);
}

static void set(source_t *s) {
  span_t spans[MAX_SPANS];
  int32_t n = 0;
  const int negated = take(s, '^');
  while (s->p->status == EN_OK && !take(s, ']')) {
    if (n == MAX_SPANS) { wrong(s, "the set has too many parts"); return; }
    spans[n].lo = spans[n].hi = character(s);
    if (peek(s) == '-' && s->at + 1 < s->end && s->at[1] != ']') {
      s->at++;
      spans[n].hi = character(s);
    }
    if (spans[n].hi < spans[n].lo || spans[n].hi > LAST_CP) wrong(s, "the range ends before it begins, or outside Unicode");
    n++;
  }
  if (s->p->status == EN_OK) add_set(s, spans, n, negated);
}

static void literal(source_t *s) {
  while (s->p->status == EN_OK && !take(s, '"')) {
    char bytes[4];
    const uint32_t cp = character(s);
    if (cp > LAST_CP || (cp >= 0xD800 && cp < 0xE000)) { wrong(s, "this is no character of Unicode"); return; }
    en_program_bytes(s->p, bytes, (size_t)en_utf8_put(cp, bytes));
  }
}

/* ---- rules ---- */

static void alternatives(source_t *s);

static uint32_t count(source_t *s) {
  uint32_t n = 0;
  if (peek(s) < '0' || peek(s) > '9') wrong(s, "a number is missing");
  for (; peek(s) >= '0' && peek(s) <= '9'; s->at++) n = EN_MIN(n * 10 + (uint32_t)(*s->at - '0'), (uint32_t)EN_MAX_CODE + 1);
  skip(s);
  return n;
}

static void repetition(source_t *s, uint32_t from) {
  uint32_t min, max;
  if (take(s, '*')) { en_program_repeat(s->p, from, 0, EN_NO_LIMIT); return; }
  if (take(s, '+')) { en_program_repeat(s->p, from, 1, EN_NO_LIMIT); return; }
  if (take(s, '?')) { en_program_repeat(s->p, from, 0, 1); return; }
  if (!take(s, '{')) return;
  skip(s);
  min = max = count(s);
  if (take(s, ',')) {
    skip(s);
    max = peek(s) == '}' ? EN_NO_LIMIT : count(s);
  }
  if (!take(s, '}') || max < min) wrong(s, "a repetition is {n}, {n,} or {n,m}");
  else en_program_repeat(s->p, from, min, max);
}

/* One thing of a sequence; 0: none begins here. */
static int item(source_t *s) {
  const char *name;
  size_t n = 0;
  const uint32_t from = s->p->n_code;
  if (s->p->status != EN_OK || s->at >= s->end || *s->at == '|' || *s->at == ')') return 0;
  if (take(s, '"')) literal(s);
  else if (take(s, '[')) set(s);
  else if (take(s, '.')) add_set(s, NULL, 0, 1);
  else if (take(s, '(')) {
    if (++s->depth > MAX_DEPTH) wrong(s, "groups are nested too deep");
    alternatives(s);
    s->depth--;
    if (!take(s, ')')) wrong(s, "a group is not closed");
  } else if (!(n = name_length(s))) {
    wrong(s, "this begins nothing that a grammar has");
  } else if (take_rule_head(s, &name, &n)) {
    s->at = name;
    return 0;
  } else {
    en_program_call(s->p, s->at, n);
    s->at += n;
  }
  skip(s);
  repetition(s, from);
  skip(s);
  return 1;
}

static void alternatives(source_t *s) {
  en_choice c = en_choice_begin(s->p);
  for (;;) {
    skip(s);
    while (item(s)) continue;
    if (s->p->status != EN_OK || !take(s, '|')) break;
    en_choice_next(s->p, &c);
  }
  en_choice_end(s->p, &c);
}

void en_gbnf_compile(en_program *p, const char *text, size_t n_bytes) {
  source_t s = {.p = p, .text = text, .at = text, .end = text + n_bytes};
  const char *name;
  size_t n;
  for (skip(&s); p->status == EN_OK && s.at < s.end; skip(&s)) {
    if (!take_rule_head(&s, &name, &n)) { wrong(&s, "a rule must begin here: name ::= ..."); return; }
    en_rule *rule = &p->rules[en_program_rule(p, name, n)];
    if (rule->start >= 0) wrong(&s, "this rule is there twice");
    rule->start = (int32_t)p->n_code;
    alternatives(&s);
    en_program_add(p, EN_OP_RETURN, 0);
  }
  en_program_rule(p, "root", 4);
}

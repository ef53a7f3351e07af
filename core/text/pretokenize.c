#include "pretokenize.h"
#include "unicode.h"

/* The code point at a place of the text: its class, value and length; n_bytes 0 at the end. A byte that is not UTF-8 is one OTHER. */
typedef struct { int32_t class; uint32_t cp; size_t n_bytes; } point_t;

static point_t look(const char *text, size_t n, size_t at) {
  point_t m = {EN_CP_OTHER, EN_CP_REPLACEMENT, at < n};
  if (at >= n) return m;
  const int32_t k = en_utf8_step(text + at, n - at, &m.cp);
  if (k <= 0) return m;
  m.n_bytes = (size_t)k;
  m.class = en_codepoint_class(m.cp);
  return m;
}

static int is_letter(const point_t *m) { return m->n_bytes && m->class == EN_CP_LETTER; }
static int is_letter_or_mark(const point_t *m) { return m->n_bytes && (m->class == EN_CP_LETTER || en_cp_is_mark(m->class)); }
static int is_number(const point_t *m) { return m->n_bytes && m->class == EN_CP_NUMBER; }
static int is_space(const point_t *m) { return m->n_bytes && m->class == EN_CP_SPACE; }
/* Letters that are no a-z, and no A-Z: those outside ASCII are both. */
static int is_no_small(const point_t *m) { return is_letter(m) && (m->cp < 'a' || m->cp > 'z'); }
static int is_no_capital(const point_t *m) { return is_letter(m) && (m->cp < 'A' || m->cp > 'Z'); }
static int is_line_end(const point_t *m) { return m->n_bytes && (m->cp == '\r' || m->cp == '\n'); }
static int is_line_end_or_slash(const point_t *m) { return is_line_end(m) || (m->n_bytes && m->cp == '/'); }
/* [^\s\p{L}\p{N}] */
static int is_other(const point_t *m) { return m->n_bytes && !is_letter(m) && !is_number(m) && !is_space(m); }
/* the same with marks among the letters */
static int is_other_but_mark(const point_t *m) { return is_other(m) && !en_cp_is_mark(m->class); }
/* [\p{P}$+<=>^~|] */
static int is_punctuation(const point_t *m) {
  return m->n_bytes && (m->class == EN_CP_PUNCTUATION || (m->cp && m->cp < 128 && strchr("$+<=>^~|", (char)m->cp)));
}
/* [\p{P}$+<=>^~|`] */
static int is_falcon_punctuation(const point_t *m) { return is_punctuation(m) || (m->n_bytes && m->cp == '`'); }
static int is_no_falcon_punctuation(const point_t *m) { return m->n_bytes && !is_falcon_punctuation(m); }
static int is_no_punctuation(const point_t *m) { return m->n_bytes && !is_punctuation(m); }
static int is_no_number(const point_t *m) { return m->n_bytes && !is_number(m); }

/* Where the run of code points that are `kind` ends; it starts at `at`. */
static size_t run(const char *text, size_t n, size_t at, int (*kind)(const point_t *)) {
  for (point_t m = look(text, n, at); kind(&m); m = look(text, n, at)) at += m.n_bytes;
  return at;
}

/* 's 't 're 've 'm 'll 'd: its length, 0 if there is none. `fold`: capitals count too. */
static size_t contraction(const char *text, size_t n, int fold) {
  if (n < 2 || text[0] != '\'') return 0;
  const int mask = fold ? 0x20 : 0;
  const int a = text[1] | mask, b = n > 2 ? text[2] | mask : 0;
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  return 0;
}

/* \s+(?!\S)|\s+ : blanks before a word leave their last one to it; blanks at the end of the text stay together. */
static size_t blanks(const char *text, size_t n) {
  size_t at = 0, last = 0;
  for (point_t m = look(text, n, 0); is_space(&m); m = look(text, n, at)) { last = at; at += m.n_bytes; }
  return at == n || !last ? at : last;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t lines_or_blanks(const char *text, size_t n) {
  size_t at = 0, line_end = 0;
  for (point_t m = look(text, n, 0); is_space(&m); m = look(text, n, at)) {
    at += m.n_bytes;
    if (is_line_end(&m)) line_end = at;
  }
  return line_end ? line_end : blanks(text, n);
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t gpt2_words(const char *text, size_t n) {
  const size_t short_form = contraction(text, n, 0);
  if (short_form) return short_form;
  const size_t at = text[0] == ' ';
  const point_t m = look(text, n, at);
  if (is_letter(&m)) return run(text, n, at, is_letter);
  if (is_number(&m)) return run(text, n, at, is_number);
  if (is_other(&m)) return run(text, n, at, is_other);
  return blanks(text, n);
}

/* What differs between the expressions of this family. */
typedef enum { NOT_CASED, CASED, CASED_WITH_ENDING } cased_t;
typedef struct { int32_t digits; int (*letter)(const point_t *); int (*other)(const point_t *); cased_t cased; } rule_t;

/* A word that begins at `at`, a letter. Cased, it is, with S = \p{L} but a-z and C = \p{L} but A-Z, S*C+ or else S+C*, then perhaps a contraction: S takes all
 * it can, and unless a small letter follows, gives back what stands behind the last letter that may be C. */
static size_t word_end(const char *text, size_t n, size_t at, const rule_t *rule) {
  if (!rule->cased) return run(text, n, at, rule->letter);
  size_t end = run(text, n, at, is_no_small), either = 0;
  const point_t next = look(text, n, end);
  for (size_t k = at; !is_letter(&next) && k < end;) {
    const point_t m = look(text, n, k);
    k += m.n_bytes;
    if (m.cp >= 128) either = k;
  }
  end = is_letter(&next) ? run(text, n, end, is_no_capital) : either ? either : end;
  return rule->cased == CASED_WITH_ENDING ? end + contraction(text + end, n - end, 1) : end;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?LETTER+|\p{N}{1,DIGITS}| ?OTHER+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * LETTER is \p{L} or [\p{L}\p{M}]; OTHER is what is no blank, LETTER or number. Cased: no contraction at first, words as above, [\r\n/]* for the first [\r\n]*. */
static size_t modern_words(const char *text, size_t n, const rule_t *rule) {
  const size_t short_form = rule->cased ? 0 : contraction(text, n, 1);
  if (short_form) return short_form;
  const point_t first = look(text, n, 0);
  if (is_number(&first)) {
    size_t at = first.n_bytes;
    int32_t left = rule->digits;
    for (point_t m = look(text, n, at); --left && is_number(&m); m = look(text, n, at)) at += m.n_bytes;
    return at;
  }
  if (is_letter(&first)) return word_end(text, n, 0, rule);
  const point_t second = look(text, n, first.n_bytes);
  if (!is_line_end(&first) && rule->letter(&second)) return word_end(text, n, first.n_bytes, rule);
  if (rule->letter(&first)) return first.n_bytes; /* a mark alone */
  if (rule->other(&first) || (first.cp == ' ' && rule->other(&second))) return run(text, n, run(text, n, first.n_bytes, rule->other), rule->cased ? is_line_end_or_slash : is_line_end);
  return lines_or_blanks(text, n);
}
static size_t llama3_words(const char *text, size_t n) { return modern_words(text, n, &(rule_t){3, is_letter, is_other, NOT_CASED}); }
static size_t qwen2_words(const char *text, size_t n) { return modern_words(text, n, &(rule_t){1, is_letter, is_other, NOT_CASED}); }
static size_t qwen35_words(const char *text, size_t n) { return modern_words(text, n, &(rule_t){1, is_letter_or_mark, is_other_but_mark, NOT_CASED}); }
static size_t gpt4o_words(const char *text, size_t n) { return modern_words(text, n, &(rule_t){3, is_letter, is_other, CASED_WITH_ENDING}); }
static size_t tekken_words(const char *text, size_t n) { return modern_words(text, n, &(rule_t){1, is_letter, is_other, CASED}); }

/* ---- DeepSeek's: expressions that do not match everywhere, one inside what another one leaves ---- */

/* What `match` finds at the start, or all before the first place where it finds something. */
static size_t match_or_gap(const char *text, size_t n, size_t (*match)(const char *, size_t)) {
  size_t at = match(text, n);
  if (at) return at;
  do at += look(text, n, at).n_bytes;
  while (at < n && !match(text + at, n - at));
  return at;
}

/* \s?KIND+ */
static size_t spaced(const char *text, size_t n, int (*kind)(const point_t *)) {
  const point_t first = look(text, n, 0);
  const size_t from = is_space(&first) ? first.n_bytes : 0, end = run(text, n, from, kind);
  return end > from ? end : 0;
}
static int is_strict_punctuation(const point_t *m) { return m->n_bytes && m->class == EN_CP_PUNCTUATION; }
static int is_mark_or_sign(const point_t *m) { return m->n_bytes && (m->class == EN_CP_PUNCTUATION || m->class == EN_CP_SYMBOL); }
static int is_no_line_end(const point_t *m) { return m->n_bytes && !is_line_end(m); }
static int is_latin(const point_t *m) { return m->n_bytes && (m->cp | 32) - 'a' < 26; }
/* [\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff] */
static int is_eastern(const point_t *m) { return m->n_bytes && (m->cp - 0x800 <= 0x9FA5 - 0x800 || m->cp - 0xAC00 <= 0xD7FF - 0xAC00); }
static int is_no_eastern(const point_t *m) { return m->n_bytes && !is_eastern(m); }
/* [\u4e00-\u9fa5\u3040-\u30ff] */
static int is_han_or_kana(const point_t *m) { return m->n_bytes && (m->cp - 0x4E00 <= 0x9FA5 - 0x4E00 || m->cp - 0x3040 < 0xC0); }
static int is_no_han_or_kana(const point_t *m) { return m->n_bytes && !is_han_or_kana(m); }

static size_t spaced_letters(const char *text, size_t n) { return spaced(text, n, is_letter); }
static size_t spaced_punctuation(const char *text, size_t n) { return spaced(text, n, is_strict_punctuation); }
static size_t letter_words(const char *text, size_t n) { return match_or_gap(text, n, spaced_letters); }
static size_t punctuation_words(const char *text, size_t n) { return match_or_gap(text, n, spaced_punctuation); }
/* [\r\n] */
static size_t line_ends(const char *text, size_t n) {
  const point_t m = look(text, n, 0);
  return is_line_end(&m) ? 1 : run(text, n, 0, is_no_line_end);
}
static size_t runs_of(const char *text, size_t n, int (*kind)(const point_t *), int (*other)(const point_t *)) {
  const point_t m = look(text, n, 0);
  return run(text, n, 0, kind(&m) ? kind : other);
}
static size_t eastern_runs(const char *text, size_t n) { return runs_of(text, n, is_eastern, is_no_eastern); }
static size_t han_and_kana_runs(const char *text, size_t n) { return runs_of(text, n, is_han_or_kana, is_no_han_or_kana); }

/* The letters that the first models' expression spells out: those with case, of an older Unicode. How many code points lie between the run before and
 * this one, and how many it has. */
static const uint16_t cased_letters[] = {
  65, 26, 6, 26, 58, 1, 10, 23, 1, 31, 1, 195, 1, 4, 4, 208, 1, 27, 192, 4, 2, 2, 3, 3, 1, 1, 6, 1, 1, 3, 1, 1,
  1, 20, 1, 83, 1, 139, 8, 166, 1, 38, 2889, 38, 730, 86, 2, 6, 2194, 43, 2, 3, 64, 44, 63, 13, 1, 34, 101, 278, 2, 6, 2, 38,
  2, 6, 2, 8, 1, 1, 1, 1, 1, 1, 1, 31, 2, 53, 1, 7, 1, 1, 3, 3, 1, 7, 3, 4, 2, 6, 4, 13, 5, 3, 1, 7,
  261, 1, 4, 1, 2, 10, 1, 1, 3, 5, 6, 1, 1, 1, 1, 1, 1, 4, 1, 6, 4, 1, 2, 4, 5, 5, 4, 1, 52, 2, 2683, 124,
  2, 103, 6, 4, 3, 2, 31052, 46, 18, 28, 134, 78, 1, 23, 3, 4, 993, 80, 20288, 7, 12, 5, 1033, 26, 6, 26, 1189, 80, 96, 36, 4, 36,
  1924, 51, 13, 51, 2989, 64, 53280, 68};
static int is_cased_letter(const point_t *m) {
  uint32_t cp = m->cp;
  for (int32_t i = 0; i < EN_COUNT(cased_letters) && cp >= cased_letters[i]; i++) {
    cp -= cased_letters[i++];
    if (cp < cased_letters[i]) return m->n_bytes > 0;
    cp -= cased_letters[i];
  }
  return 0;
}
/* [!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3001-\u3002] */
static int is_spelled_punctuation(const point_t *m) {
  return m->n_bytes && (m->cp - '!' < 15 || m->cp - ':' < 69 || m->cp - 0xFF01 < 15 || m->cp - 0xFF1A < 69 || m->cp - 0x2018 < 8 || m->cp - 0x3001 < 2);
}
static size_t spaced_cased_letters(const char *text, size_t n) { return spaced(text, n, is_cased_letter); }
static size_t spaced_spelled_punctuation(const char *text, size_t n) { return spaced(text, n, is_spelled_punctuation); }
static size_t cased_words(const char *text, size_t n) { return match_or_gap(text, n, spaced_cased_letters); }
static size_t spelled_punctuation_words(const char *text, size_t n) { return match_or_gap(text, n, spaced_spelled_punctuation); }
/* \s+$ */
static size_t last_blanks(const char *text, size_t n) {
  size_t from = 0; /* where the blanks begin that are the last so far */
  for (size_t at = 0, k; at < n; at += k) {
    const point_t m = look(text, n, at);
    k = m.n_bytes;
    if (!is_space(&m)) from = at + k;
  }
  return from ? from : n;
}

/* [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t deepseek3_match(const char *text, size_t n) {
  const point_t first = look(text, n, 0), second = look(text, n, first.n_bytes);
  if (first.cp < 128 && is_mark_or_sign(&first) && is_latin(&second)) return run(text, n, 1, is_latin);
  const int before = !is_letter(&first) && !is_line_end(&first) && !is_mark_or_sign(&first);
  if (before && is_letter_or_mark(&second)) return run(text, n, first.n_bytes, is_letter_or_mark);
  if (is_letter_or_mark(&first)) return run(text, n, 0, is_letter_or_mark);
  if (is_mark_or_sign(&first) || (first.cp == ' ' && is_mark_or_sign(&second))) return run(text, n, run(text, n, first.n_bytes, is_mark_or_sign), is_line_end);
  return lines_or_blanks(text, n);
}
static size_t deepseek3_words(const char *text, size_t n) { return match_or_gap(text, n, deepseek3_match); }

/* BLOOM's:  ?[^(\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+ */
static int is_in_bloom_word(const point_t *m) {
  if (!m->n_bytes || is_space(m)) return 0;
  if (m->cp < 128) return !m->cp || !strchr("(|.,!?)", (char)m->cp);
  return m->cp != 0x2026 && m->cp != 0x3002 && m->cp != 0xFF0C && m->cp != 0x3001 && m->cp != 0x964 && m->cp != 0x6D4 && m->cp != 0x60C;
}
static size_t bloom_match(const char *text, size_t n) {
  const size_t from = *text == ' ', end = run(text, n, from, is_in_bloom_word);
  return end > from ? end : 0;
}
static size_t bloom_words(const char *text, size_t n) { return match_or_gap(text, n, bloom_match); }

/* [^\n]+|[\n]+ */
static int is_newline(const point_t *m) { return m->n_bytes && m->cp == '\n'; }
static int is_no_newline(const point_t *m) { return m->n_bytes && m->cp != '\n'; }
static size_t newline_runs(const char *text, size_t n) { return runs_of(text, n, is_newline, is_no_newline); }

/* [\p{P}$+<=>^~|]+ */
static size_t punctuation_runs(const char *text, size_t n) { return runs_of(text, n, is_punctuation, is_no_punctuation); }

/* [\p{P}$+<=>^~|`]+ */
static size_t falcon_punctuation_runs(const char *text, size_t n) { return runs_of(text, n, is_falcon_punctuation, is_no_falcon_punctuation); }

/* \p{N}+ */
static size_t number_runs(const char *text, size_t n) { return runs_of(text, n, is_number, is_no_number); }

/* \p{N} */
static size_t single_numbers(const char *text, size_t n) {
  const point_t m = look(text, n, 0);
  return is_number(&m) ? m.n_bytes : run(text, n, 0, is_no_number);
}

/* \p{N}{1,3} */
static size_t number_triples(const char *text, size_t n) {
  size_t at = 0;
  for (int32_t left = 3; left--;) {
    const point_t m = look(text, n, at);
    if (!is_number(&m)) break;
    at += m.n_bytes;
  }
  return at ? at : run(text, n, 0, is_no_number);
}

/* [0-9][0-9][0-9] */
static size_t digit_triples(const char *text, size_t n) {
  size_t digits = 0;
  for (size_t i = 0; i < n; i++) {
    digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
    if (digits == 3) return i == 2 ? 3 : i - 2;
  }
  return n;
}

static const en_pretokenizer pretokenizers[] = {
#define EN_PRETOKENIZER(name, flags, ...) {name, flags, {__VA_ARGS__}},
#include "pretokenizers.def"
#undef EN_PRETOKENIZER
};

const en_pretokenizer *en_pretokenizer_find(const char *name, uint64_t n_bytes) {
  for (int32_t i = 0; i < EN_COUNT(pretokenizers); i++)
    if (strlen(pretokenizers[i].name) == n_bytes && !memcmp(pretokenizers[i].name, name, (size_t)n_bytes)) return &pretokenizers[i];
  return NULL;
}

void en_words_begin(en_words *w, const en_pretokenizer *pre, const char *text, size_t n) {
  *w = (en_words){.pre = pre, .text = text, .n = n};
}

int en_words_next(en_words *w, const char **word, size_t *n) {
  if (w->at == w->n) return 0;
  size_t limit = w->n;
  for (int32_t i = 0; i < EN_PRE_SPLITS && w->pre->split[i]; i++) {
    if (w->end[i] == w->at) w->end[i] = w->at + w->pre->split[i](w->text + w->at, limit - w->at);
    limit = w->end[i];
  }
  *word = w->text + w->at;
  *n = limit - w->at;
  w->at = limit;
  return 1;
}

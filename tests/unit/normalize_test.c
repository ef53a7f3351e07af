/* Normal forms: Unicode's own NormalizationTest (shared data), what it does not reach, and which form a file names. */
#include "../../core/include/en_normal.h"
#include "../../core/text/unicode.h"
#include "vocab_build.h"

typedef struct { char *text; size_t n; int32_t status; } normal_t;

/* In memory of exactly the size that was asked for; free(text). */
static normal_t normal(en_normal form, const char *text, size_t n) {
  normal_t r = {NULL, 0, EN_E_NOMEM};
  const size_t n_scratch = en_normal_bytes(form, text, n);
  void *scratch = malloc(n_scratch);
  char none;
  r.status = en_normal_text(form, text, n, &none, 0, &r.n, scratch, n_scratch);
  CHECK_EQ(r.status, r.n ? EN_E_FULL : EN_OK);
  r.text = malloc(r.n + 1);
  r.status = en_normal_text(form, text, n, r.text, r.n, &r.n, scratch, n_scratch);
  r.text[r.n] = 0;
  free(scratch);
  return r;
}
static int gives_bytes(en_normal form, const char *text, size_t n, const char *want, size_t n_want) {
  const normal_t r = normal(form, text, n);
  const int ok = r.status == EN_OK && r.n == n_want && !memcmp(r.text, want, n_want);
  free(r.text);
  return ok;
}
static int gives(en_normal form, const char *text, const char *want) { return gives_bytes(form, text, strlen(text), want, strlen(want)); }

/* ---- NormalizationTest.txt: columns source; NFC; NFD; NFKC; NFKD ---- */

enum { COLUMNS = 5, LAST = 0x10FFFF };
typedef struct { char text[256]; size_t n; } column_t;

static const char *read_column(const char *p, column_t *c) {
  for (c->n = 0; *p != ';' && *p != '\n';) {
    char *end;
    const uint32_t cp = (uint32_t)strtoul(p, &end, 16);
    if (end == p || c->n + 4 > sizeof c->text) return NULL;
    if (cp < 0x80) c->text[c->n++] = (char)cp;
    else c->n += (size_t)en_utf8_put(cp, c->text + c->n);
    p = end + (*end == ' ');
  }
  return p + 1;
}

static void check_line(const column_t c[COLUMNS], const char *line) {
  /* for each column of the source: which column its NFC, NFD, NFKC, NFKD must be */
  static const int want[COLUMNS][4] = {{1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}, {3, 4, 3, 4}, {3, 4, 3, 4}};
  int ok = 1;
  for (int i = 0; i < COLUMNS; i++)
    for (int f = 0; f < 4; f++) ok &= gives_bytes((en_normal)(EN_NORMAL_NFC + f), c[i].text, c[i].n, c[want[i][f]].text, c[want[i][f]].n);
  if (!ok) printf("%.60s\n", line);
  CHECK(ok);
}

/* Characters that Unicode 14 to 17 added with a decomposition: the test is older. */
static int is_newer(uint32_t cp) {
  static const uint32_t runs[][2] = {{0xA7F1, 0xA7F4}, {0x105C9, 0x105E4}, {0x10780, 0x107BA}, {0x11383, 0x113C8}, {0x16121, 0x16128}, {0x16D68, 0x16D6A}, {0x1CCD6, 0x1CCF9}, {0x1E030, 0x1E06D}};
  for (int i = 0; i < EN_COUNT(runs); i++)
    if (cp >= runs[i][0] && cp <= runs[i][1]) return 1;
  return 0;
}

static void published(void) {
  size_t n;
  char *file = (char *)test_read(test_shared("data/formats/unicode/NormalizationTest.txt"), &n);
  uint8_t *listed = calloc(LAST + 1, 1);
  int n_lines = 0, n_same = 0, part = -1;
  if (!file) { free(listed); return; }
  for (char *line = file, *end; line < file + n && (end = memchr(line, '\n', n - (size_t)(line - file))); line = end + 1) {
    column_t c[COLUMNS];
    const char *p = line;
    if (*line == '@') part = line[5] - '0';
    if (*line == '#' || *line == '@' || *line == '\n') continue;
    for (int i = 0; i < COLUMNS; i++) if (!(p = read_column(p, &c[i]))) break;
    CHECK(p != NULL);
    if (!p) break;
    check_line(c, line);
    n_lines++;
    if (part == 1) listed[strtoul(line, NULL, 16)] = 1;
  }
  CHECK_EQ(n_lines, 18853);
  for (uint32_t cp = 1; cp <= LAST; cp++) { /* all others are their own forms */
    char text[4];
    if (listed[cp] || is_newer(cp) || cp - 0xD800 < 0x800) continue;
    const size_t k = (size_t)en_utf8_put(cp, text);
    int same = 1;
    for (int f = EN_NORMAL_NFC; f <= EN_NORMAL_NFKD; f++) same &= gives_bytes((en_normal)f, text, k, text, k);
    if (!same) printf("U+%04X is changed\n", (unsigned)cp);
    n_same += same;
    if (!same) CHECK(same);
  }
  CHECK(n_same > 1000000);
  free(listed);
  free(file);
}

/* ---- the rest ---- */

#define ACUTE "\xcc\x81"
static void texts(void) {
  CHECK(gives(EN_NORMAL_NFC, "", ""));
  CHECK(gives(EN_NORMAL_NFC, "cafe" ACUTE " x", "caf\xc3\xa9 x"));
  CHECK(gives(EN_NORMAL_NFD, "caf\xc3\xa9", "cafe" ACUTE));
  CHECK(gives(EN_NORMAL_NFC, ACUTE "e", ACUTE "e")); /* a mark at the start joins nothing */
  CHECK(gives(EN_NORMAL_NFC, "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c")); /* Hangul from its letters */
  CHECK(gives(EN_NORMAL_NFD, "\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"));
  CHECK(gives(EN_NORMAL_NFKC, "\xef\xac\x81\xe2\x91\xa0\xef\xbc\xa1", "fi1A"));
  CHECK(gives(EN_NORMAL_NFC, "\xef\xac\x81", "\xef\xac\x81"));
  CHECK(gives(EN_NORMAL_NFC, "\xff" "e\xcc\xff" "e" ACUTE "\xe2\x82", "\xff" "e\xcc\xff" "\xc3\xa9\xe2\x82")); /* what is no UTF-8 stays */
  CHECK(gives_bytes(EN_NORMAL_NFC, "a\0e" ACUTE, 5, "a\0\xc3\xa9", 4));
}

/* Marks without end: sorted in linear time, in memory that en_normal_bytes told; one entry less is refused. */
static void long_runs(void) {
  enum { N = 100000 };
  char *text = malloc(4 * N + 1), *want = malloc(4 * N + 3), *out = malloc(4 * N + 3);
  size_t n = 1, n_want = 2, n_out;
  text[0] = 'e';
  memcpy(want, "\xc3\xa9", 2);
  for (int i = 0; i < N; i++, n += 4) memcpy(text + n, ACUTE "\xcc\xa3", 4); /* above, below */
  memcpy(want, "\xe1\xba\xb9", n_want = 3); /* e with the first dot below; acute behind it: that pair has no letter */
  for (int i = 1; i < N; i++, n_want += 2) memcpy(want + n_want, "\xcc\xa3", 2);
  for (int i = 0; i < N; i++, n_want += 2) memcpy(want + n_want, ACUTE, 2);
  CHECK(gives_bytes(EN_NORMAL_NFC, text, n, want, n_want));
  const size_t n_scratch = en_normal_bytes(EN_NORMAL_NFC, text, n);
  CHECK_EQ(n_scratch, (2 * N + 1) * 8);
  void *scratch = malloc(n_scratch);
  CHECK_EQ(en_normal_text(EN_NORMAL_NFC, text, n, out, 4 * N + 3, &n_out, scratch, n_scratch - 8), EN_E_NOMEM);
  CHECK_EQ(en_normal_text(EN_NORMAL_NONE, text, n, out, 4 * N + 3, &n_out, scratch, n_scratch), EN_E_ARG);
  free(scratch);
  free(text);
  free(want);
  free(out);
}

static void named(const char *form, int32_t status, en_normal want) {
  static const token_t tokens[] = {{"a", NORMAL, 0}};
  head_t h = head_begin();
  head_tokens(&h, "gpt2", tokens, 1);
  if (form) head_string(&h, "tokenizer.ggml.normalizer.form", form);
  en_normal got = EN_NORMAL_NFKD;
  en_why why = {{0}};
  CHECK_EQ(en_normal_of_head(h.bytes, h.n, &got, &why), status);
  if (status == EN_OK) CHECK_EQ(got, want);
  else CHECK(strstr(why.text, form));
  free(h.bytes);
}

int main(void) {
  texts();
  long_runs();
  named(NULL, EN_OK, EN_NORMAL_NONE);
  named("NFC", EN_OK, EN_NORMAL_NFC);
  named("NFKC", EN_OK, EN_NORMAL_NFKC);
  named("Nmt", EN_E_UNSUPPORTED, EN_NORMAL_NONE);
  published();
  return test_end();
}

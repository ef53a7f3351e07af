/* normalize.c - the normal forms of Unicode (UAX 15). A text is worked off in runs: a character that keeps its place, with the marks behind it. Each run is taken apart,
 * its marks are put into the order of their classes and, for the composed forms, joined with the character again as far as nothing stands between. */
#include "../include/en_normal.h"
#include "text.h"
#include "unicode.h"
#include "normalize_table.inc"

enum { MAX_TEXT_OF_ONE = 18, /* code points that one becomes at most: U+FDFA */ RANKS = 256, RANK_SHIFT = 24 };
typedef struct {
  int32_t compatible, composed;
  uint32_t *run, *sorted; /* [cap_run] rank << RANK_SHIFT | code point */
  size_t n_run, cap_run;
  en_out out;
} work_t;

static uint32_t rank_of(uint32_t cp) {
  if (cp < normalize_ranks[0] >> 8) return 0;
  return normalize_ranks[en_last_upto(normalize_ranks, EN_COUNT(normalize_ranks), 1, cp << 8 | 255)] & 255;
}
static uint32_t point_of(uint32_t entry) { return entry & ((1u << RANK_SHIFT) - 1); }

/* ---- taking apart, putting together ---- */

static int32_t decompose(int32_t compatible, uint32_t cp, uint32_t out[MAX_TEXT_OF_ONE]) {
  *out = cp;
  if (cp < 0xA0) return 1;
  const uint32_t *found = normalize_compatible + 2 * en_last_upto(normalize_compatible, EN_COUNT(normalize_compatible) / 2, 2, cp);
  if (!compatible || *found != cp) return en_codepoint_decompose(cp, out);
  const int32_t n = (int32_t)(found[3] - found[1]);
  memcpy(out, normalize_pool + found[1], (size_t)n * sizeof *out);
  return n;
}

/* What two code points become; 0: they stay two. Hangul syllables by arithmetic (Unicode standard, 3.12). */
static uint32_t compose(uint32_t first, uint32_t second) {
  if (first - 0x1100 < 19 && second - 0x1161 < 21) return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28;
  if (first - 0xAC00 < 11172 && (first - 0xAC00) % 28 == 0 && second - 0x11A8 < 27) return first + second - 0x11A7;
  int32_t at = en_last_upto(normalize_pairs, EN_COUNT(normalize_pairs) / 3, 3, first);
  for (; at >= 0 && normalize_pairs[3 * at] == first; at--)
    if (normalize_pairs[3 * at + 1] == second) return normalize_pairs[3 * at + 2];
  return 0;
}

/* ---- runs ---- */

/* By rank; marks of one rank stay in their order. */
static void sort_marks(work_t *w) {
  size_t from[RANKS] = {0}, at = 0;
  if (w->n_run < 2) return;
  for (size_t i = 0; i < w->n_run; i++) from[w->run[i] >> RANK_SHIFT]++;
  for (int32_t r = 0; r < RANKS; r++) {
    const size_t n = from[r];
    from[r] = at;
    at += n;
  }
  for (size_t i = 0; i < w->n_run; i++) w->sorted[from[w->run[i] >> RANK_SHIFT]++] = w->run[i];
  memcpy(w->run, w->sorted, w->n_run * sizeof *w->run);
}

/* A mark joins the first character unless one of its own rank is left before it. */
static void join_marks(work_t *w) {
  size_t kept = 1;
  if (w->n_run < 2 || w->run[0] >> RANK_SHIFT) return;
  for (size_t i = 1; i < w->n_run; i++) {
    const uint32_t mark = w->run[i], blocked = kept > 1 && w->run[kept - 1] >> RANK_SHIFT == mark >> RANK_SHIFT, one = blocked ? 0 : compose(w->run[0], point_of(mark));
    if (one) w->run[0] = one;
    else w->run[kept++] = mark;
  }
  w->n_run = kept;
}

static void finish_run(work_t *w) {
  sort_marks(w);
  if (w->composed) join_marks(w);
}

static void put_run(work_t *w) {
  for (size_t i = 0; i < w->n_run; i++) {
    char utf8[4];
    en_out_put(&w->out, utf8, (size_t)en_utf8_put(point_of(w->run[i]), utf8));
  }
  w->n_run = 0;
}

static int32_t add(work_t *w, uint32_t cp) {
  const uint32_t rank = rank_of(cp);
  if (!rank) {
    finish_run(w);
    const uint32_t one = w->composed && w->n_run == 1 ? compose(point_of(w->run[0]), cp) : 0;
    if (one) { w->run[0] = one; return EN_OK; }
    put_run(w);
  }
  if (w->n_run == w->cap_run) return EN_E_NOMEM;
  w->run[w->n_run++] = rank << RANK_SHIFT | cp;
  return EN_OK;
}

/* ---- texts ---- */

static int is_plain(char c) { return (uint8_t)c < 0x80; }

/* How many bytes are ASCII and followed by ASCII or the end: nothing that follows changes them. */
static size_t plain_bytes(const char *s, size_t n) {
  size_t k = 0;
  while (k < n && is_plain(s[k]) && (k + 1 == n || is_plain(s[k + 1]))) k++;
  return k;
}

size_t en_normal_bytes(en_normal form, const char *utf8, size_t n_bytes) {
  const int32_t compatible = form == EN_NORMAL_NFKC || form == EN_NORMAL_NFKD;
  size_t run = 0, longest = 1;
  for (size_t at = 0; at < n_bytes;) {
    uint32_t cp = 0, parts[MAX_TEXT_OF_ONE];
    const int32_t step = en_utf8_step(utf8 + at, n_bytes - at, &cp), n = step > 0 ? decompose(compatible, cp, parts) : 0;
    for (int32_t i = 0; i < n; i++) {
      run = rank_of(parts[i]) ? run + 1 : 1;
      longest = EN_MAX(longest, run);
    }
    if (step <= 0) run = 0;
    at += step > 0 ? (size_t)step : 1;
  }
  return longest <= SIZE_MAX / 8 ? longest * 2 * sizeof(uint32_t) : 0;
}

int32_t en_normal_text(en_normal form, const char *utf8, size_t n_bytes, char *out, size_t cap, size_t *n_out, void *scratch, size_t scratch_bytes) {
  if ((!utf8 && n_bytes) || (!out && cap) || !n_out || (int32_t)form < EN_NORMAL_NFC || form > EN_NORMAL_NFKD || !scratch) return EN_E_ARG;
  work_t w = {.compatible = form == EN_NORMAL_NFKC || form == EN_NORMAL_NFKD, .composed = form == EN_NORMAL_NFC || form == EN_NORMAL_NFKC, .run = scratch, .cap_run = scratch_bytes / (2 * sizeof(uint32_t)), .out = {.bytes = out, .cap = cap}};
  w.sorted = w.run + w.cap_run;
  for (size_t at = 0, k; at < n_bytes; at += k) {
    uint32_t cp = 0, parts[MAX_TEXT_OF_ONE];
    const int32_t step = (k = plain_bytes(utf8 + at, n_bytes - at)) ? 0 : en_utf8_step(utf8 + at, n_bytes - at, &cp), n = step > 0 ? decompose(w.compatible, cp, parts) : 0;
    for (int32_t i = 0; i < n; i++) EN_TRY(add(&w, parts[i]));
    if (step > 0) { k = (size_t)step; continue; }
    if (!k) k = 1; /* no UTF-8 */
    finish_run(&w);
    put_run(&w);
    en_out_put(&w.out, utf8 + at, k);
  }
  finish_run(&w);
  put_run(&w);
  *n_out = w.out.n;
  return w.out.n > cap ? EN_E_FULL : EN_OK;
}

int32_t en_normal_of_head(const void *image, size_t n_head_bytes, en_normal *form, en_why *why) {
  static const char key[] = "tokenizer.ggml.normalizer.form";
  static const struct { const char *name; en_normal form; } forms[] = {{"NFC", EN_NORMAL_NFC}, {"NFD", EN_NORMAL_NFD}, {"NFKC", EN_NORMAL_NFKC}, {"NFKD", EN_NORMAL_NFKD}};
  en_gguf g;
  const char *name;
  uint64_t n;
  EN_TRY(en_gguf_scan(&g, image, n_head_bytes, why));
  const int32_t status = en_gguf_str(&g, key, &name, &n, why);
  if (status == EN_E_ARG) { *form = EN_NORMAL_NONE; return EN_OK; }
  EN_TRY(status);
  for (int32_t i = 0; i < EN_COUNT(forms); i++)
    if (en_str_is(name, n, forms[i].name)) { *form = forms[i].form; return EN_OK; }
  return en_fail(why, EN_E_UNSUPPORTED, "the normal form %S (%s) is not one that we know", (size_t)n, name, key);
}

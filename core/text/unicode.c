#include "unicode.h"
#include "unicode_table.inc"

static int32_t ascii_class(uint32_t cp) { /* most text, without the search */
  if ((cp | 32) - 'a' < 26) return EN_CP_LETTER;
  if (cp == ' ' || cp - '\t' < 5) return EN_CP_SPACE;
  if (cp - '0' < 10) return EN_CP_NUMBER;
  if (cp < 32 || cp == 127) return EN_CP_OTHER;
  return strchr("$+<=>^`|~", (int)cp) ? EN_CP_SYMBOL : EN_CP_PUNCTUATION;
}

int32_t en_last_upto(const uint32_t *values, int32_t n, int32_t stride, uint32_t v) {
  int32_t lo = 0, hi = n;
  while (hi - lo > 1) {
    const int32_t mid = (lo + hi) / 2;
    if (values[mid * stride] <= v) lo = mid;
    else hi = mid;
  }
  return lo;
}

int32_t en_codepoint_class(uint32_t cp) {
  if (cp < 128) return ascii_class(cp);
  const int32_t block = en_last_upto(unicode_starts, EN_COUNT(unicode_starts), 1, cp);
  const uint16_t *run = unicode_runs + block * UNICODE_BLOCK, *end = unicode_runs + EN_MIN((block + 1) * UNICODE_BLOCK, EN_COUNT(unicode_runs));
  uint32_t at = cp - unicode_starts[block]; /* how far cp lies behind the start of the run */
  while (run + 1 < end && at >= run[1] >> 3) at -= (uint32_t)*++run >> 3;
  return *run & 7;
}

uint32_t en_codepoint_lower(uint32_t cp) {
  if (cp < 128) return cp - 'A' < 26 ? cp + 32 : cp;
  const uint32_t *run = unicode_lower + 3 * en_last_upto(unicode_lower, EN_COUNT(unicode_lower) / 3, 3, 2 * cp + 1), first = run[0] >> 1;
  return cp >= first && cp <= run[1] && (cp - first) % ((run[0] & 1) + 1) == 0 ? cp + run[2] : cp;
}

/* Where cp stands in the tables of parts; -1: it has none. */
static int32_t parts_of(uint32_t cp) {
  const int32_t run = en_last_upto(unicode_part_starts, EN_COUNT(unicode_part_starts), 1, cp);
  const uint32_t at = unicode_part_indices[run] + (cp - unicode_part_starts[run]);
  return cp >= unicode_part_starts[run] && at < unicode_part_indices[run + 1] ? (int32_t)at : -1;
}

/* Hangul syllables by arithmetic (Unicode standard, 3.12). */
static int32_t hangul(uint32_t index, uint32_t out[EN_MAX_PARTS]) {
  out[0] = 0x1100 + index / 588;
  out[1] = 0x1161 + index % 588 / 28;
  out[2] = 0x11A7 + index % 28;
  return index % 28 ? 3 : 2;
}

int32_t en_codepoint_decompose(uint32_t cp, uint32_t out[EN_MAX_PARTS]) {
  uint32_t seconds[EN_MAX_PARTS];
  int32_t n = 0, k = 0;
  if (cp - 0xAC00 < 11172) return hangul(cp - 0xAC00, out);
  for (int32_t at = parts_of(cp); at >= 0; at = parts_of(cp)) {
    const uint32_t second = unicode_seconds[unicode_second_indices[at]];
    if (second && n < EN_MAX_PARTS - 1) seconds[n++] = second;
    cp = (uint32_t)unicode_first_planes[at] << 16 | unicode_firsts[at];
  }
  out[k++] = cp;
  while (n) out[k++] = seconds[--n];
  return k;
}

int32_t en_utf8_step(const char *s, size_t n, uint32_t *cp) {
  const uint8_t *p = (const uint8_t *)s;
  if (!n) return 0;
  const uint32_t lead = p[0];
  if (lead < 0x80) { *cp = lead; return 1; }
  if (lead < 0xC2 || lead > 0xF4) return -1;
  const int32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  /* The second byte's range excludes over-long forms, surrogates and what lies past U+10FFFF. */
  uint32_t lo = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80, hi = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t v = lead & (0x7Fu >> length);
  for (int32_t i = 1; i < length; i++) {
    if ((size_t)i == n) return 0;
    if (p[i] < lo || p[i] > hi) return -i;
    v = v << 6 | (p[i] & 0x3F);
    lo = 0x80;
    hi = 0xBF;
  }
  *cp = v;
  return length;
}

int32_t en_utf8_put(uint32_t cp, char out[4]) {
  if (cp < 0x80) { out[0] = (char)cp; return 1; }
  const int32_t length = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
  for (int32_t i = length - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3F));
  out[0] = (char)(cp | (0xF00u >> length & 0xFF));
  return length;
}

/* SentencePiece's unigram model: against a search that looks at every token everywhere, with a table of characters made here; what tables are refused. Published
 * vocabularies: tests/cli/unigram.test.mjs. */
#include "../../core/base/base.h"
#include "vocab_build.h"
#include <float.h>

#define MARK "\xe2\x96\x81"
static const token_t tokens[] = {
  {"<pad>", CONTROL, 0}, {"</s>", CONTROL, 0}, {"<unk>", UNKNOWN, 0}, {MARK, NORMAL, -2}, {"a", NORMAL, -3}, {"b", NORMAL, -3.5f}, {"ab", NORMAL, -5}, {MARK "a", NORMAL, -4},
  {MARK "ab", NORMAL, -4.5f}, {"ba", NORMAL, -4}, {"e", NORMAL, -6}, {"abab", NORMAL, -9}, {"percent", NORMAL, -7}, {"unused", UNUSED, -1}, {"bb", NORMAL, -1.0f / 0.0f}, {"<x>", USER_DEFINED, -50},
};
enum { N = EN_COUNT(tokens), UNKNOWN_COST = 10 };

/* ---- the table: a key of one or two bytes, what it becomes ---- */

static const struct { const char *key, *text; } rules[] = {{"A", "a"}, {"\t", " "}, {"\xc3\xa9", "e"}, {"\x01", ""}, {"%", " percent "}, {"bA", "<>"}};
enum { BLOCK = 256, UNITS = 16 * BLOCK };

static size_t make_map(uint8_t *out) {
  static uint32_t units[UNITS];
  uint32_t next_leaf = 8 * BLOCK, next_block = 2 * BLOCK;
  size_t n_text = 0;
  uint8_t *texts = out + 4 + sizeof units;
  memset(units, 0, sizeof units);
  units[0] = BLOCK << 10;
  for (int i = 0; i < EN_COUNT(rules); i++) {
    uint32_t at = 0;
    for (const char *k = rules[i].key; *k; k++) {
      const uint32_t c = (uint8_t)*k;
      at ^= units[at] >> 10 ^ c;
      units[at] |= c;
      if (k[1] && !(units[at] >> 10)) { units[at] |= (at ^ next_block) << 10; next_block += BLOCK; }
    }
    if (!(units[at] >> 10)) { units[at] |= (at ^ next_leaf) << 10; next_leaf += BLOCK; }
    units[at] |= 256;
    units[at ^ units[at] >> 10] = (uint32_t)n_text | 0x80000000u;
    memcpy(texts + n_text, rules[i].text, strlen(rules[i].text) + 1);
    n_text += strlen(rules[i].text) + 1;
  }
  const uint32_t n = sizeof units;
  memcpy(out, &n, 4);
  memcpy(out + 4, units, n);
  return 4 + n + n_text;
}

typedef struct { int map, merge, prefix; } how_t;
static vocab_t open_small(how_t how, size_t cut) {
  static uint8_t map[4 + 4 * UNITS + 256];
  const size_t n = make_map(map) - cut;
  head_t h = head_begin();
  head_tokens(&h, "t5", tokens, N);
  head_flag(&h, "tokenizer.ggml.add_space_prefix", how.prefix);
  if (how.merge) head_flag(&h, "tokenizer.ggml.remove_extra_whitespaces", 1);
  if (how.map) {
    head_array(&h, "tokenizer.ggml.precompiled_charsmap", 0 /* u8 */, n);
    head_put(&h, map, n);
  }
  return vocab_open(h.bytes, h.n);
}

/* ---- the same, plainly ---- */

static size_t normal(char *out, const char *text, size_t n, how_t how) {
  char flat[8192];
  size_t k = 0, m = 0;
  for (size_t at = 0; at < n;) {
    int best = -1;
    for (int i = 0; how.map && i < EN_COUNT(rules); i++) {
      const size_t l = strlen(rules[i].key);
      if (l <= n - at && !memcmp(rules[i].key, text + at, l) && (best < 0 || l > strlen(rules[best].key))) best = i;
    }
    const uint8_t c = (uint8_t)text[at];
    if (best >= 0) {
      memcpy(flat + k, rules[best].text, strlen(rules[best].text));
      k += strlen(rules[best].text);
      at += strlen(rules[best].key);
    } else if (c == 0xc3 && at + 1 < n && (uint8_t)text[at + 1] == 0xa9) {
      memcpy(flat + k, text + at, 2);
      k += 2, at += 2;
    } else {
      memcpy(flat + k, c < 128 ? text + at : "\xef\xbf\xbd", c < 128 ? 1 : 3);
      k += c < 128 ? 1 : 3, at++;
    }
  }
  int begun = 0;
  for (size_t i = 0; i < k; i++) {
    const int opens = flat[i] != ' ' && (i == 0 || flat[i - 1] == ' ');
    if (opens ? how.merge || (how.prefix && !begun) : flat[i] == ' ' && !how.merge) { memcpy(out + m, MARK, 3); m += 3; }
    if (flat[i] != ' ') out[m++] = flat[i], begun = 1;
  }
  return m;
}

static int64_t searched(int32_t *ids, const char *text, size_t n, how_t how) {
  static char s[8192];
  static double best[8193];
  static int32_t from[8193], by[8193];
  const size_t m = normal(s, text, n, how);
  for (size_t i = 1; i <= m; i++) best[i] = -DBL_MAX;
  best[0] = 0;
  for (size_t i = 0; i < m; i++) {
    const uint8_t c = (uint8_t)s[i];
    if ((c & 0xc0) == 0x80) continue;
    const size_t one = c < 0x80 ? 1 : c < 0xe0 ? 2 : 3;
    int known = 0;
    for (int32_t id = 3; id < N; id++) {
      const size_t l = strlen(tokens[id].text);
      if (l > m - i || memcmp(s + i, tokens[id].text, l) || tokens[id].score < -100) continue;
      const double sum = best[i] + (tokens[id].type == USER_DEFINED ? 0 : (double)tokens[id].score);
      known |= l == one;
      if (sum > best[i + l]) best[i + l] = sum, from[i + l] = (int32_t)i, by[i + l] = id;
    }
    const double sum = best[i] + (double)(-9.0f - (float)UNKNOWN_COST);
    if (!known && sum > best[i + one]) best[i + one] = sum, from[i + one] = (int32_t)i, by[i + one] = 2;
  }
  int64_t k = 0, kept = 0;
  for (size_t at = m; at; at = (size_t)from[at]) ids[k++] = by[at];
  for (int64_t i = 0; i < k / 2; i++) { const int32_t x = ids[i]; ids[i] = ids[k - 1 - i]; ids[k - 1 - i] = x; }
  for (int64_t i = 0; i < k; i++)
    if (ids[i] != 2 || !kept || ids[kept - 1] != 2) ids[kept++] = ids[i];
  return kept;
}

static void test_search(void) {
  static const char *const parts[] = {"a", "b", "ab", "A", " ", "  ", "\t", "\xc3\xa9", "\x01", "%", "bA", "zz", "\xff", "unused", "\xc3", "bb"};
  for (int k = 0; k < 8; k++) {
    const how_t how = {k & 1, k >> 1 & 1, k >> 2 & 1};
    vocab_t v = open_small(how, 0);
    CHECK_EQ(v.status, EN_OK);
    for (uint64_t round = 0; v.status == EN_OK && round < 300; round++) {
      char text[1024];
      int32_t want[1024];
      size_t n = 0;
      for (uint64_t i = 0; i < 1 + round % 60; i++) {
        const char *part = parts[en_random(7, round * 100 + i) % EN_COUNT(parts)];
        memcpy(text + n, part, strlen(part));
        n += strlen(part);
      }
      CHECK(vocab_gives(v.t, text, n, 0, want, searched(want, text, n, how)));
    }
    vocab_close(&v);
  }
}

static void test_text(void) {
  vocab_t v = open_small((how_t){1, 1, 1}, 0);
  CHECK_EQ(v.status, EN_OK);
  if (v.status != EN_OK) { printf("%s\n", v.why.text); return; }
  CHECK(vocab_gives(v.t, "ab \tAb", 6, EN_TOK_BOS | EN_TOK_EOS, (const int32_t[]){8, 8, 1}, 3)); /* ends with </s>, as T5 was trained */
  CHECK(vocab_gives(v.t, "ab<x>ab", 7, 0, (const int32_t[]){8, 15, 8}, 3));
  CHECK(vocab_gives(v.t, "", 0, 0, NULL, 0));
  CHECK(vocab_gives(v.t, " \t ", 3, 0, NULL, 0));
  size_t n;
  char *text = vocab_decode(v.t, (const int32_t[]){8, 4, 8}, 3, 0, 1, &n);
  CHECK(!strcmp(text, "aba ab"));
  free(text);
  vocab_close(&v);
}

int main(void) {
  test_search();
  test_text();
  for (int i = 0; i < 3; i++) { /* a table that is cut short: its last text has no end, or there is none, or it has not all units */
    vocab_t v = open_small((how_t){1, 1, 1}, (const size_t[]){1, 20, 64}[i]);
    CHECK_EQ(v.status, EN_E_FORMAT);
    vocab_close(&v);
  }
  return test_end();
}

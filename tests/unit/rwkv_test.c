/* RWKV's tokenizer: the longest token everywhere, against a plain search; spelled bytes; random bytes come back; a vocabulary without some byte is refused. */
#include "../../core/base/base.h"
#include "vocab_build.h"

enum { WORDS = 12, N = 257 + WORDS };
/* As a file spells them, and what they are. */
static const struct { const char *spelled, *bytes; } words[WORDS] = {
  {"in", "in"}, {"ing", "ing"}, {" the", " the"}, {" t", " t"}, {"\\n\\n", "\n\n"}, {"\\t\\r", "\t\r"}, {"it\\'s \"", "it's \""},
  {"\\\\", "\\"} /* the byte itself, a second time: the later one counts */, {"\\\\x", "\\x"}, {"\\xe4\\xb8\\xad", "\xe4\xb8\xad"}, {"\\xe4\\xb8", "\xe4\xb8"}, {"ngs", "ngs"}};
static char spelled_bytes[256][8];

static vocab_t open_small(int without) {
  token_t tokens[N] = {{"<s>", CONTROL, 0}};
  head_t h = head_begin();
  for (int i = 0; i < 256; i++) {
    snprintf(spelled_bytes[i], sizeof spelled_bytes[i], i >= 32 && i < 127 && i != '\\' ? "%c" : "\\x%02x", i);
    tokens[i + 1] = (token_t){i == without ? "another" : spelled_bytes[i], NORMAL, 0};
  }
  for (int i = 0; i < WORDS; i++) tokens[257 + i] = (token_t){words[i].spelled, NORMAL, 0};
  head_tokens(&h, "rwkv", tokens, N);
  return vocab_open(h.bytes, h.n);
}

static int32_t longest(const char *text, size_t n) { /* by looking at all of them */
  int32_t best = 1 + (uint8_t)*text;
  size_t length = 1;
  for (int32_t i = 0; i < WORDS; i++) {
    const size_t k = strlen(words[i].bytes);
    if (k <= n && k >= length && !memcmp(words[i].bytes, text, k)) best = 257 + i, length = k;
  }
  return best;
}
static size_t length_of(int32_t id) { return id < 257 ? 1 : strlen(words[id - 257].bytes); }

static void as_searched(const en_tokenizer *t, const char *text, size_t n) {
  int32_t want[4096];
  int64_t k = 0;
  for (size_t at = 0; at < n; at += length_of(want[k - 1])) want[k++] = longest(text + at, n - at);
  CHECK(vocab_gives(t, text, n, 0, want, k));
  CHECK(vocab_round_trip(t, text, n, 0));
}

int main(void) {
  vocab_t v = open_small(-1), lacks = open_small('q');
  CHECK_EQ(v.status, EN_OK);
  CHECK_EQ(lacks.status, EN_E_FORMAT);
  CHECK(strstr(lacks.why.text, "113"));
  if (v.status != EN_OK) { printf("%s\n", v.why.text); return test_end(); }
  static const char text[] = "things in the inner\n\n\nit's \"\\x4 \xe4\xb8\xad\xe4\xb8 \t\r<s>";
  as_searched(v.t, text, sizeof text - 1);
  CHECK(vocab_gives(v.t, "<s>in", 5, EN_TOK_SPECIAL, (const int32_t[]){0, 257}, 2));
  char random[3000];
  for (int round = 0; round < 20; round++) {
    static const char letters[] = "ings th\n\\x\xe4\xb8\xad\t\r'";
    for (int i = 0; i < 3000; i++) random[i] = round % 2 ? (char)en_random(4, (uint64_t)(round * 3000 + i)) : letters[en_random(5, (uint64_t)(round * 3000 + i)) % (sizeof letters - 1)];
    as_searched(v.t, random, 3000);
  }
  vocab_close(&v);
  vocab_close(&lacks);
  return test_end();
}

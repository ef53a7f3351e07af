/* Pre-tokenizers: the scanners cut as the published regular expressions do; Unicode classes; UTF-8 step by step. */
#include "../../core/text/pretokenize.h"
#include "../../core/text/unicode.h"
#include "test.h"

static const struct { const char *pre; size_t n; const char *text; size_t n_pieces; const char *pieces; } cases[] = {
#include "pretokenize_cases.inc"
};

static const en_pretokenizer *find(const char *name) { return en_pretokenizer_find(name, strlen(name)); }

static void cuts_like_the_expressions(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const en_pretokenizer *pre = find(cases[i].pre);
    en_words words;
    const char *word;
    size_t n, count = 0, at = 0;
    int same = pre != NULL;
    if (!pre) { CHECK(pre != NULL); continue; }
    for (en_words_begin(&words, pre, cases[i].text, cases[i].n); en_words_next(&words, &word, &n); count++) {
      same = same && count < cases[i].n_pieces && n == (unsigned char)cases[i].pieces[count] && word == cases[i].text + at;
      at += n;
    }
    same = same && count == cases[i].n_pieces && at == cases[i].n;
    if (!same) printf("case %zu (%s): %s\n", i, cases[i].pre, cases[i].text);
    CHECK(same);
  }
}

/* Whatever the bytes, the words cover them without gaps and the walk ends. */
static void covers_any_bytes(void) {
  static const char *const names[] = {"default", "gpt-2", "llama-bpe", "qwen2", "smollm", "gpt-4o", "tekken", "deepseek-coder", "deepseek-v3", "deepseek-llm", "bloom", "laguna"};
  char text[64];
  for (uint64_t round = 0; round < 5000; round++) {
    const size_t length = (size_t)(en_random(1, round) % sizeof text);
    for (size_t i = 0; i < length; i++) text[i] = (char)en_random(round + 2, i);
    en_words words;
    const char *word;
    size_t n, at = 0;
    int whole = 1;
    for (en_words_begin(&words, find(names[round % EN_COUNT(names)]), text, length); en_words_next(&words, &word, &n); at += n) whole = whole && n && word == text + at;
    CHECK(whole && at == length);
  }
}

static void names(void) {
  static const char *const known[] = {"default", "gpt-2", "phi-2", "jina-v2-de", "llama-bpe", "llama3", "qwen2", "stablelm2", "deepseek-r1-qwen", "smollm", "starcoder", "refact", "command-r", "llama4", "tekken"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) CHECK(find(known[i]) != NULL);
  CHECK(find("gpt-") == NULL && find("gpt-2x") == NULL && find("") == NULL);
  CHECK(find("llama3")->flags == (EN_PRE_WHOLE_WORDS | EN_PRE_BOS) && find("qwen2")->flags == 0);
}

static void classes(void) {
  static const struct { uint32_t cp; int32_t class; } known[] = {
    {0, EN_CP_OTHER}, {'\t', EN_CP_SPACE}, {'\r', EN_CP_SPACE}, {0x1c, EN_CP_OTHER}, {' ', EN_CP_SPACE}, {'0', EN_CP_NUMBER}, {'9', EN_CP_NUMBER}, {'A', EN_CP_LETTER},
    {'z', EN_CP_LETTER}, {'[', EN_CP_PUNCTUATION}, {'_', EN_CP_PUNCTUATION}, {'`', EN_CP_SYMBOL}, {'$', EN_CP_SYMBOL}, {0x7f, EN_CP_OTHER}, {0x85, EN_CP_SPACE}, {0xa0, EN_CP_SPACE},
    {0xaa, EN_CP_LETTER}, {0xbd, EN_CP_NUMBER}, {0xd7, EN_CP_SYMBOL}, {0x301, EN_CP_MARK_NONSPACING}, {0x903, EN_CP_MARK}, {0x20dd, EN_CP_MARK}, {0x3000, EN_CP_SPACE}, {0x4e00, EN_CP_LETTER}, {0xd800, EN_CP_OTHER},
    {0xfeff, EN_CP_OTHER}, {0xfffd, EN_CP_SYMBOL}, {0x1d7d8, EN_CP_NUMBER}, {0x1f999, EN_CP_SYMBOL}, {0x10ffff, EN_CP_OTHER},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) CHECK_EQ(en_codepoint_class(known[i].cp), known[i].class);
}

static void utf8(void) {
  uint32_t cp = 0;
  char text[4];
  for (uint32_t want = 0; want < 0x110000; want++) {
    const int32_t n = en_utf8_put(want, text);
    if (want >= 0xd800 && want < 0xe000) { CHECK_EQ(en_utf8_step(text, (size_t)n, &cp), -1); continue; }
    int ok = en_utf8_step(text, (size_t)n, &cp) == n && cp == want;
    for (int32_t k = 0; k < n; k++) ok = ok && en_utf8_step(text, (size_t)k, &cp) == 0; /* every beginning of it is still open */
    if (!ok) CHECK_EQ(cp, want);
  }
  CHECK_EQ(en_utf8_step("\x80", 1, &cp), -1);
  CHECK_EQ(en_utf8_step("\xc0\x80", 2, &cp), -1);         /* over-long */
  CHECK_EQ(en_utf8_step("\xe2\x96z", 3, &cp), -2);        /* two good bytes, then something else */
  CHECK_EQ(en_utf8_step("\xf0\x9f\xa6z", 4, &cp), -3);
  CHECK_EQ(en_utf8_step("\xf4\x90\x80\x80", 4, &cp), -1); /* past U+10FFFF */
  CHECK_EQ(en_utf8_step("\xf5", 1, &cp), -1);
}

int main(void) {
  cuts_like_the_expressions();
  covers_any_bytes();
  names();
  classes();
  utf8();
  return test_end();
}

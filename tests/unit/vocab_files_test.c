/* Published vocabularies with published ids: byte for byte the same as the reference tokenizers. Needs the shared data. */
#include "vocab_build.h"

static vocab_t open_shared(const char *file) {
  size_t n;
  unsigned char *head = test_read(test_shared(file), &n);
  vocab_t v = {.status = EN_E_STATE};
  if (!head) return v;
  v = vocab_open(head, n);
  if (v.status != EN_OK) printf("%s: %s\n", file, v.why.text);
  CHECK_EQ(v.status, EN_OK);
  return v;
}

/* The published pairs: texts separated by a line, and a line of ids for each. */
static void check_published(const en_tokenizer *t, const char *inp, const char *out, int n_want) {
  static const char separator[] = "\n__ggml_vocab_test__\n";
  size_t n_texts, n_lines;
  unsigned char *texts = test_read(test_shared(inp), &n_texts), *lines = test_read(test_shared(out), &n_lines);
  if (!texts || !lines) return;
  char *line = (char *)lines, *text = (char *)texts, *end = text + n_texts;
  int count = 0;
  for (; text <= end && line < (char *)lines + n_lines; count++) {
    char *stop = text;
    while (stop < end && ((size_t)(end - stop) < sizeof separator - 1 || memcmp(stop, separator, sizeof separator - 1))) stop++;
    int32_t want[1024];
    int64_t n = 0;
    for (; *line && *line != '\n'; n++) {
      char *rest = line;
      want[n] = (int32_t)strtol(line, &rest, 10);
      line = rest;
      while (*line == ' ') line++;
    }
    line++;
    const size_t length = (size_t)(stop - text);
    CHECK(vocab_gives(t, text, length, 0, want, n));
    CHECK(vocab_round_trip(t, text, length, 0));
    text = stop < end ? stop + sizeof separator - 1 : end + 1;
  }
  CHECK_EQ(count, n_want);
  free(texts);
  free(lines);
}

static void test_published(const char *name) {
  char gguf[200], inp[200], out[200];
  snprintf(gguf, sizeof gguf, "data/tokenizers/gguf-vocab/ggml-vocab-%s.gguf", name);
  snprintf(inp, sizeof inp, "%s.inp", gguf);
  snprintf(out, sizeof out, "%s.out", gguf);
  vocab_t v = open_shared(gguf);
  if (v.status == EN_OK) check_published(v.t, inp, out, 46);
  vocab_close(&v);
}

int main(void) {
  test_published("gpt-2");
  test_published("phi-3");
  return test_end();
}

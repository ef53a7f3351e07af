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
static void check_published(const en_tokenizer *t, const char *inp, const char *out, int n_want, int round_trips) {
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
    if (round_trips) CHECK(vocab_round_trip(t, text, length, 0));
    text = stop < end ? stop + sizeof separator - 1 : end + 1;
  }
  CHECK_EQ(count, n_want);
  free(texts);
  free(lines);
}

static void test_published(const char *name, int round_trips) {
  char gguf[200], inp[200], out[200];
  snprintf(gguf, sizeof gguf, "data/tokenizers/gguf-vocab/ggml-vocab-%s.gguf", name);
  snprintf(inp, sizeof inp, "data/tokenizers/gguf-vocab/ggml-vocab-%s.gguf.inp", name);
  snprintf(out, sizeof out, "data/tokenizers/gguf-vocab/ggml-vocab-%s.gguf.out", name);
  vocab_t v = open_shared(gguf);
  if (v.status == EN_OK) check_published(v.t, inp, out, 46, round_trips);
  vocab_close(&v);
}


/* ---- a Hugging Face vocabulary (vocab.json, merges.txt, added_tokens.json) as a GGUF head ---- */

/* One code unit after "\u"; enough of JSON for files that hold {"text": id, ...}. */
static unsigned hex4(const char *s) { char digits[5] = {s[0], s[1], s[2], s[3], 0}; return (unsigned)strtoul(digits, NULL, 16); }

static size_t put_utf8(char *out, unsigned cp) {
  if (cp < 0x80) { out[0] = (char)cp; return 1; }
  if (cp < 0x800) { out[0] = (char)(0xC0 | cp >> 6); out[1] = (char)(0x80 | (cp & 63)); return 2; }
  out[0] = (char)(0xE0 | cp >> 12);
  out[1] = (char)(0x80 | (cp >> 6 & 63));
  out[2] = (char)(0x80 | (cp & 63));
  return 3;
}

/* The next "text": id after *at. Returns 0 at the end. */
static int next_pair(const char **at, char *text, size_t *n, long *id) {
  const char *p = strchr(*at, '"');
  if (!p) return 0;
  for (*n = 0, p++; *p != '"'; p++) {
    if (*p != '\\') { text[(*n)++] = *p; continue; }
    p++;
    if (*p == 'u') { *n += put_utf8(text + *n, hex4(p + 1)); p += 4; }
    else text[(*n)++] = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : *p;
  }
  *id = strtol(strchr(p, ':') + 1, (char **)(uintptr_t)at, 10);
  return 1;
}

enum { MAX_TOKENS = 200000 };
typedef struct { char *texts[MAX_TOKENS]; size_t n_bytes[MAX_TOKENS]; int32_t types[MAX_TOKENS]; uint64_t n; } list_t;

static int read_pairs(list_t *list, const char *file, int32_t type) {
  size_t n_file, n;
  unsigned char *bytes = test_read(test_shared(file), &n_file);
  if (!bytes) return 0;
  static char text[4096];
  long id;
  bytes[n_file] = 0; /* test_read leaves room */
  for (const char *at = (const char *)bytes; next_pair(&at, text, &n, &id);) {
    if (id < 0 || id >= MAX_TOKENS) { CHECK_EQ(id, MAX_TOKENS - 1); continue; }
    list->texts[id] = memcpy(malloc(n + 1), text, n);
    list->n_bytes[id] = n;
    list->types[id] = type;
    if ((uint64_t)id >= list->n) list->n = (uint64_t)id + 1;
  }
  free(bytes);
  return 1;
}

/* "left right" lines after the version line. */
static void put_merges(head_t *h, const char *file) {
  size_t n_file;
  uint64_t count = 0;
  unsigned char *bytes = test_read(test_shared(file), &n_file);
  if (!bytes) return;
  head_array(h, "tokenizer.ggml.merges", GGUF_STRING, 0);
  const size_t count_at = h->n - 8;
  for (char *line = (char *)bytes, *end = line + n_file, *stop; line < end; line = stop + 1) {
    stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop) stop = end;
    if (stop == line || (line[0] == '#' && count == 0)) continue;
    head_counted(h, line, (size_t)(stop - line));
    count++;
  }
  memcpy(h->bytes + count_at, &count, 8);
  free(bytes);
}

static vocab_t open_qwen(void) {
  static list_t list;
  vocab_t none = {.status = EN_E_STATE};
  if (!read_pairs(&list, "data/tokenizers/hf/qwen3/vocab.json", NORMAL) || !read_pairs(&list, "data/tokenizers/hf/qwen3/added_tokens.json", CONTROL)) return none;
  head_t h = head_begin();
  head_string(&h, "tokenizer.ggml.model", "gpt2");
  head_string(&h, "tokenizer.ggml.pre", "qwen2");
  head_array(&h, "tokenizer.ggml.tokens", GGUF_STRING, list.n);
  for (uint64_t i = 0; i < list.n; i++) head_counted(&h, list.texts[i], list.n_bytes[i]);
  head_array(&h, "tokenizer.ggml.token_type", GGUF_I32, list.n);
  head_put(&h, list.types, (size_t)list.n * sizeof *list.types);
  put_merges(&h, "data/tokenizers/hf/qwen3/merges.txt");
  head_id(&h, "tokenizer.ggml.eos_token_id", 151645);
  for (uint64_t i = 0; i < list.n; i++) free(list.texts[i]);
  vocab_t v = vocab_open(h.bytes, h.n);
  if (v.status != EN_OK) printf("qwen: %s\n", v.why.text);
  CHECK_EQ(v.status, EN_OK);
  return v;
}

static void test_qwen(void) {
  static const char chat[] = "<|im_start|>user\nHi<|im_end|>\n";
  static const int32_t chat_ids[] = {151644, 872, 198, 13048, 151645, 198};
  vocab_t v = open_qwen();
  if (v.status == EN_OK) {
    check_published(v.t, "data/tokenizers/gguf-vocab/ggml-vocab-qwen2.gguf.inp", "data/tokenizers/gguf-vocab/ggml-vocab-qwen2.gguf.out", 46, 1);
    CHECK(vocab_gives(v.t, chat, sizeof chat - 1, EN_TOK_SPECIAL | EN_TOK_BOS, chat_ids, 6));
    CHECK(vocab_round_trip(v.t, chat, sizeof chat - 1, EN_TOK_SPECIAL));
    CHECK(vocab_round_trip(v.t, chat, sizeof chat - 1, 0)); /* as plain text: many tokens, none of them special */
    CHECK(en_token_is_end(v.t, 151645) && en_token_is_end(v.t, 151643) && !en_token_is_end(v.t, 151644));
    CHECK_EQ(en_tokenizer_special(v.t)->eot, 151645);
    CHECK_EQ(en_tokenizer_special(v.t)->n_vocab, 151669);
  }
  vocab_close(&v);
}

/* ---- all-MiniLM-L6-v2: tokenizer.json's vocabulary, spelled as GGUF does ---- */

static void put_wordpiece(head_t *h, const char *text, size_t n, int control) {
  char spelled[4100];
  const int goes_on = n > 2 && text[0] == '#' && text[1] == '#', plain = control || goes_on;
  if (!plain) memcpy(spelled, "\xe2\x96\x81", 3);
  memcpy(spelled + (plain ? 0 : 3), text + (goes_on ? 2 : 0), n - (goes_on ? 2 : 0));
  head_counted(h, spelled, n - (goes_on ? 2 : 0) + (plain ? 0 : 3));
}

static void test_minilm(void) {
  static char text[4096];
  size_t n_file, n;
  long id;
  unsigned char *json = test_read(test_shared("data/tokenizers/hf/all-MiniLM-L6-v2/tokenizer.json"), &n_file);
  if (!json) return;
  json[n_file] = 0;
  head_t h = head_begin();
  head_string(&h, "tokenizer.ggml.model", "bert");
  const char *at = strchr(strstr((char *)json, "\"vocab\""), '{');
  head_array(&h, "tokenizer.ggml.tokens", GGUF_STRING, 30522);
  for (long i = 0; i < 30522 && next_pair(&at, text, &n, &id); i++) {
    CHECK(id == i);
    put_wordpiece(&h, text, n, i == 0 || (i >= 100 && i < 104));
  }
  vocab_t v = vocab_open(h.bytes, h.n);
  CHECK_EQ(v.status, EN_OK);
  if (v.status == EN_OK) check_published(v.t, "data/tokenizers/gguf-vocab/ggml-vocab-bert-bge.gguf.inp", "data/tokenizers/gguf-vocab/ggml-vocab-bert-bge.gguf.out", 46, 0);
  vocab_close(&v);
  free(json);
}

/* ---- whole files: nothing is lost, and a text of a megabyte in one piece takes no more than its share of time ---- */

static void test_long_text(const char *vocabulary, const char *file) {
  size_t n;
  unsigned char *text = test_read(test_shared(file), &n);
  if (!text) return;
  vocab_t v = open_shared(vocabulary);
  if (v.status == EN_OK) CHECK(vocab_round_trip(v.t, (char *)text, n, 0));
  if (v.status == EN_OK) { /* the same without blanks: one word */
    for (size_t i = 0; i < n; i++)
      if (text[i] == ' ' || text[i] == '\n' || text[i] == '\'') text[i] = 'x';
    CHECK(vocab_round_trip(v.t, (char *)text, n, 0));
    memset(text, 'a', n);
    CHECK(vocab_round_trip(v.t, (char *)text, n, 0));
  }
  vocab_close(&v);
  free(text);
}

/* ---- stories260K: the reference's greedy text ---- */

static void test_stories(void) {
  size_t n_json, n_text = 0, n = 0;
  unsigned char *json = test_read(test_shared("data/models/stories260K/derived-reference.json"), &n_json);
  if (!json) return;
  json[n_json] = 0;
  int32_t ids[1024];
  char *at = strstr((char *)json, "\"greedy_ids_from_BOS\""), *want = malloc(n_json);
  for (at = strchr(at, '[') + 1; n < 1024; at++) {
    ids[n++] = (int32_t)strtol(at, &at, 10);
    while (*at != ',' && *at != ']') at++;
    if (*at == ']') break;
  }
  at = strchr(strstr((char *)json, "\"greedy_text\"") + 13, '"');
  for (at++; *at != '"'; at++) want[n_text++] = *at == '\\' ? *++at == 'n' ? '\n' : *at : *at;
  vocab_t v = open_shared("data/models/stories260K/derived-stories260K-f16.gguf");
  if (v.status == EN_OK) {
    size_t n_got;
    char *got = vocab_decode(v.t, ids, n, 0, 1, &n_got);
    CHECK(n_got >= n_text && !memcmp(got, want, n_text));
    CHECK_EQ(en_tokenizer_special(v.t)->bos, 1);
    CHECK(vocab_gives(v.t, got, n_got, EN_TOK_BOS, ids, (int64_t)n));
    free(got);
  }
  vocab_close(&v);
  free(want);
  free(json);
}

int main(void) {
  test_published("gpt-2", 1);
  test_published("phi-3", 1);
  test_published("bert-bge", 0);
  test_minilm();
  test_qwen();
  test_stories();
  test_long_text("data/tokenizers/gguf-vocab/ggml-vocab-phi-3.gguf", "data/text/tinyshakespeare.txt");
  test_long_text("data/tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf", "data/text/tinyshakespeare.txt");
  return test_end();
}

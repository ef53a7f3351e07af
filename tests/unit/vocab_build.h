/* vocab_build.h - write GGUF heads that hold a vocabulary, for tests. */
#ifndef EN_VOCAB_BUILD_H
#define EN_VOCAB_BUILD_H
#include "../../core/include/en.h"
#include "test.h"

enum { GGUF_I32 = 5, GGUF_U32 = 4, GGUF_F32 = 6, GGUF_BOOL = 7, GGUF_STRING = 8, GGUF_ARRAY = 9 };
enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

typedef struct { unsigned char *bytes; size_t n, cap; uint64_t n_keys; } head_t;

static inline void head_put(head_t *h, const void *bytes, size_t n) {
  if (h->n + n > h->cap) {
    h->cap = (h->n + n) * 2;
    h->bytes = realloc(h->bytes, h->cap);
    if (!h->bytes) abort();
  }
  if (n) memcpy(h->bytes + h->n, bytes, n);
  h->n += n;
}
static inline void head_u32(head_t *h, uint32_t v) { head_put(h, &v, 4); }
static inline void head_u64(head_t *h, uint64_t v) { head_put(h, &v, 8); }
static inline void head_counted(head_t *h, const char *s, size_t n) { head_u64(h, n); head_put(h, s, n); }
static inline head_t head_begin(void) {
  head_t h = {0};
  head_put(&h, "GGUF", 4);
  head_u32(&h, 3);
  head_u64(&h, 0);
  head_u64(&h, 0);
  return h;
}
static inline void head_key(head_t *h, const char *key, uint32_t type) {
  const uint64_t n = ++h->n_keys;
  head_counted(h, key, strlen(key));
  head_u32(h, type);
  memcpy(h->bytes + 16, &n, 8);
}
static inline void head_array(head_t *h, const char *key, uint32_t elem_type, uint64_t n) {
  head_key(h, key, GGUF_ARRAY);
  head_u32(h, elem_type);
  head_u64(h, n);
}
static inline void head_string(head_t *h, const char *key, const char *value) { head_key(h, key, GGUF_STRING); head_counted(h, value, strlen(value)); }
static inline void head_id(head_t *h, const char *key, uint32_t id) { head_key(h, key, GGUF_U32); head_u32(h, id); }
static inline void head_flag(head_t *h, const char *key, int on) { const unsigned char b = on != 0; head_key(h, key, GGUF_BOOL); head_put(h, &b, 1); }

/* A small vocabulary: model, then tokens with type and score; a merge list for BPE. */
typedef struct { const char *text; int32_t type; float score; } token_t;
static inline void head_tokens(head_t *h, const char *model, const token_t *tokens, uint64_t n) {
  head_string(h, "tokenizer.ggml.model", model);
  head_array(h, "tokenizer.ggml.tokens", GGUF_STRING, n);
  for (uint64_t i = 0; i < n; i++) head_counted(h, tokens[i].text, strlen(tokens[i].text));
  head_array(h, "tokenizer.ggml.token_type", GGUF_I32, n);
  for (uint64_t i = 0; i < n; i++) head_put(h, &tokens[i].type, 4);
  head_array(h, "tokenizer.ggml.scores", GGUF_F32, n);
  for (uint64_t i = 0; i < n; i++) head_put(h, &tokens[i].score, 4);
}
static inline void head_merges(head_t *h, const char *const *merges, uint64_t n) {
  head_array(h, "tokenizer.ggml.merges", GGUF_STRING, n);
  for (uint64_t i = 0; i < n; i++) head_counted(h, merges[i], strlen(merges[i]));
}

/* A tokenizer and the memory that it lives in. */
typedef struct { en_tokenizer *t; void *mem; unsigned char *head; int32_t status; en_why why; } vocab_t;
/* Takes the head over. A failure is told by status and why. */
static inline vocab_t vocab_open(unsigned char *head, size_t n) {
  vocab_t v = {.head = head};
  const size_t bytes = en_tokenizer_bytes(head, n);
  v.mem = aligned_alloc(64, bytes ? bytes : 64);
  v.status = en_tokenizer_init(&v.t, v.mem, bytes, head, n, &v.why);
  return v;
}
static inline void vocab_close(vocab_t *v) { free(v->mem); free(v->head); }

/* encode into memory of its own; free() it. status in *n when it is not EN_OK. */
static inline int32_t *vocab_encode(const en_tokenizer *t, const char *text, size_t n_text, int32_t flags, int64_t *n) {
  const size_t bytes = en_encode_bytes(t, n_text), cap = 2 * n_text + 16;
  void *scratch = aligned_alloc(64, bytes ? bytes : 64);
  int32_t *ids = malloc(cap * sizeof *ids);
  size_t count = 0;
  const int32_t status = en_encode(t, text, n_text, flags, ids, cap, &count, scratch, bytes);
  *n = status == EN_OK ? (int64_t)count : status;
  free(scratch);
  return ids;
}
/* decode into memory of its own, NUL-terminated; free() it. */
static inline char *vocab_decode(const en_tokenizer *t, const int32_t *ids, size_t n_ids, int32_t flags, int32_t at_start, size_t *n) {
  char *text = NULL;
  int32_t status = en_decode(t, ids, n_ids, flags, at_start, NULL, 0, n);
  if (status == EN_E_FULL) {
    text = malloc(*n + 1);
    status = en_decode(t, ids, n_ids, flags, at_start, text, *n, n);
  } else if (status == EN_OK) {
    text = malloc(1);
  }
  CHECK_EQ(status, EN_OK);
  if (text) text[*n] = 0;
  return text;
}
/* 1 if the text gives exactly these ids. */
static inline int vocab_gives(const en_tokenizer *t, const char *text, size_t n_text, int32_t flags, const int32_t *want, int64_t n_want) {
  int64_t n;
  int32_t *ids = vocab_encode(t, text, n_text, flags, &n);
  const int same = n == n_want && (n == 0 || !memcmp(ids, want, (size_t)n * sizeof *ids));
  if (!same) {
    printf("\"%.60s\" gives %lld:", text, (long long)n);
    for (int64_t i = 0; i < n && i < 40; i++) printf(" %d", ids[i]);
    printf("\n");
  }
  free(ids);
  return same;
}
/* 1 if text -> ids -> text gives the bytes back. */
static inline int vocab_round_trip(const en_tokenizer *t, const char *text, size_t n_text, int32_t flags) {
  int64_t n;
  size_t n_back = 0;
  int32_t *ids = vocab_encode(t, text, n_text, flags, &n);
  char *back = n >= 0 ? vocab_decode(t, ids, (size_t)n, flags, 1, &n_back) : NULL;
  const int same = back && n_back == n_text && (n_text == 0 || !memcmp(back, text, n_text));
  free(back);
  free(ids);
  return same;
}
#endif

/* gguf_build.h - writes GGUF heads byte by byte, right or deliberately wrong, for tests. */
#ifndef EN_GGUF_BUILD_H
#define EN_GGUF_BUILD_H
#include "../../core/format/gguf.h"

typedef struct { uint8_t *at; size_t n, cap; } gguf_build; /* at: heap memory, gb_free() it */

static inline void gb_bytes(gguf_build *b, const void *p, size_t n) {
  if (b->n + n > b->cap) {
    b->cap = (b->n + n) * 2 + 256;
    b->at = realloc(b->at, b->cap);
    if (!b->at) abort();
  }
  if (n) memcpy(b->at + b->n, p, n);
  b->n += n;
}
static inline void gb_free(gguf_build *b) { free(b->at); memset(b, 0, sizeof *b); }
static inline void gb_u32(gguf_build *b, uint32_t v) { gb_bytes(b, &v, 4); }
static inline void gb_u64(gguf_build *b, uint64_t v) { gb_bytes(b, &v, 8); }
static inline void gb_str(gguf_build *b, const char *s) { gb_u64(b, strlen(s)); gb_bytes(b, s, strlen(s)); }
static inline void gb_head(gguf_build *b, uint32_t version, uint64_t n_tensors, uint64_t n_kv) {
  gb_bytes(b, "GGUF", 4);
  gb_u32(b, version);
  gb_u64(b, n_tensors);
  gb_u64(b, n_kv);
}
/* A scalar: `bytes` of *v as they lie. */
static inline void gb_kv(gguf_build *b, const char *key, uint32_t type, const void *v, size_t bytes) {
  gb_str(b, key);
  gb_u32(b, type);
  gb_bytes(b, v, bytes);
}
static inline void gb_kv_u32(gguf_build *b, const char *key, uint32_t v) { gb_kv(b, key, EN_GGUF_U32, &v, 4); }
static inline void gb_kv_str(gguf_build *b, const char *key, const char *s) { gb_str(b, key); gb_u32(b, EN_GGUF_STR); gb_str(b, s); }
/* The start of an array; its elements follow by gb_bytes or gb_str. */
static inline void gb_array(gguf_build *b, const char *key, uint32_t elem_type, uint64_t n) {
  gb_str(b, key);
  gb_u32(b, EN_GGUF_ARR);
  gb_u32(b, elem_type);
  gb_u64(b, n);
}
static inline void gb_tensor(gguf_build *b, const char *name, uint32_t n_dims, const uint64_t *ne, uint32_t type, uint64_t offset) {
  gb_str(b, name);
  gb_u32(b, n_dims);
  for (uint32_t i = 0; i < n_dims; i++) gb_u64(b, ne[i]);
  gb_u32(b, type);
  gb_u64(b, offset);
}
static inline void gb_pad(gguf_build *b, size_t alignment) {
  while (b->n % alignment) gb_bytes(b, "", 1);
}
#endif

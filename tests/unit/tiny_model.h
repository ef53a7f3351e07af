/* tiny_model.h - builds a small random llama or qwen2 GGUF in memory and loads it, so that sessions can be tested without any file. */
#ifndef EN_TINY_MODEL_H
#define EN_TINY_MODEL_H
#include "../../core/base/base.h"
#include "../../core/format/gguf.h"
#include "../../core/quant/quant.h"
#include "test.h"

typedef struct { unsigned char *p; size_t n, cap; } bytes_t;
static inline void put(bytes_t *b, const void *p, size_t n) {
  if (b->n + n > b->cap) { b->cap = (b->n + n) * 2; b->p = realloc(b->p, b->cap); }
  memcpy(b->p + b->n, p, n);
  b->n += n;
}
static inline void put_u32(bytes_t *b, uint32_t v) { put(b, &v, 4); }
static inline void put_u64(bytes_t *b, uint64_t v) { put(b, &v, 8); }
static inline void put_str(bytes_t *b, const char *s) { put_u64(b, strlen(s)); put(b, s, strlen(s)); }
static inline void kv_u32(bytes_t *b, const char *key, uint32_t v) { put_str(b, key); put_u32(b, EN_GGUF_U32); put_u32(b, v); }
static inline void kv_f32(bytes_t *b, const char *key, float v) { put_str(b, key); put_u32(b, EN_GGUF_F32); put(b, &v, 4); }
static inline void kv_str(bytes_t *b, const char *key, const char *v) { put_str(b, key); put_u32(b, EN_GGUF_STR); put_str(b, v); }

typedef struct { bytes_t infos, data; uint64_t n_tensors, seed; } tensors_t;
/* A tensor of n_rows x n_cols values around `mean` with the given spread, in type `t`. */
static inline void add_tensor(tensors_t *w, const char *name, const en_type *t, uint32_t n_dims, uint32_t n_cols, uint32_t n_rows, float mean, float spread) {
  const size_t n = (size_t)n_cols * n_rows, bytes = n / (size_t)t->block * (size_t)t->block_bytes;
  float *x = malloc(n * sizeof *x);
  unsigned char *blocks = malloc(bytes);
  static const unsigned char zero[32];
  for (size_t i = 0; i < n; i++) x[i] = mean + spread * (float)(2 * en_uniform(w->seed, i) - 1);
  w->seed++;
  t->encode(blocks, x, (int64_t)n, NULL);
  put_str(&w->infos, name);
  put_u32(&w->infos, n_dims);
  put_u64(&w->infos, n_cols);
  if (n_dims > 1) put_u64(&w->infos, n_rows);
  put_u32(&w->infos, (uint32_t)t->id);
  put_u64(&w->infos, w->data.n);
  put(&w->data, blocks, bytes);
  put(&w->data, zero, (32 - w->data.n % 32) % 32);
  w->n_tensors++;
  free(x);
  free(blocks);
}

enum { TINY_L = 2, TINY_D = 64, TINY_H = 4, TINY_K = 2, TINY_F = 96, TINY_V = 90 /* not a multiple of 16 */ };
/* arch "llama" or "qwen2" (with biases and a tied head). The caller frees .p. */
static inline bytes_t tiny_gguf(const char *arch, const en_type *t) {
  const int qwen = !strcmp(arch, "qwen2");
  const en_type *f32 = en_type_by_id(EN_F32);
  bytes_t b = {0};
  tensors_t w = {.seed = 100};
  char name[64];
  const struct { const char *name; uint32_t cols, rows; } matrices[] = {
    {"attn_q", TINY_D, TINY_D}, {"attn_k", TINY_D, TINY_D / 2}, {"attn_v", TINY_D, TINY_D / 2}, {"attn_output", TINY_D, TINY_D},
    {"ffn_gate", TINY_D, TINY_F}, {"ffn_up", TINY_D, TINY_F}, {"ffn_down", TINY_F, TINY_D}};
  add_tensor(&w, "token_embd.weight", t, 2, TINY_D, TINY_V, 0, 1);
  add_tensor(&w, "output_norm.weight", f32, 1, TINY_D, 1, 1, 0.2f);
  if (!qwen) add_tensor(&w, "output.weight", t, 2, TINY_D, TINY_V, 0, 0.3f);
  for (int l = 0; l < TINY_L; l++) {
    snprintf(name, sizeof name, "blk.%d.attn_norm.weight", l);
    add_tensor(&w, name, f32, 1, TINY_D, 1, 1, 0.2f);
    snprintf(name, sizeof name, "blk.%d.ffn_norm.weight", l);
    add_tensor(&w, name, f32, 1, TINY_D, 1, 1, 0.2f);
    for (int i = 0; i < EN_COUNT(matrices); i++) {
      snprintf(name, sizeof name, "blk.%d.%s.weight", l, matrices[i].name);
      add_tensor(&w, name, t, 2, matrices[i].cols, matrices[i].rows, 0, 0.2f);
      if (!qwen || i > 2) continue;
      snprintf(name, sizeof name, "blk.%d.%s.bias", l, matrices[i].name);
      add_tensor(&w, name, f32, 1, matrices[i].rows, 1, 0, 0.3f);
    }
  }
  const uint32_t version = 3;
  char key[80];
  put(&b, "GGUF", 4);
  put_u32(&b, version);
  put_u64(&b, w.n_tensors);
  put_u64(&b, 10);
  kv_str(&b, "general.architecture", arch);
  const struct { const char *key; uint32_t v; } numbers[] = {{"block_count", TINY_L}, {"embedding_length", TINY_D}, {"context_length", 256},
    {"feed_forward_length", TINY_F}, {"attention.head_count", TINY_H}, {"attention.head_count_kv", TINY_K}, {"vocab_size", TINY_V}};
  for (int i = 0; i < EN_COUNT(numbers); i++) {
    snprintf(key, sizeof key, "%s.%s", arch, numbers[i].key);
    kv_u32(&b, key, numbers[i].v);
  }
  snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
  kv_f32(&b, key, 1e-5f);
  kv_str(&b, "tokenizer.ggml.model", "no_vocab");
  put(&b, w.infos.p, w.infos.n);
  static const unsigned char zero[32];
  put(&b, zero, (32 - b.n % 32) % 32);
  put(&b, w.data.p, w.data.n);
  free(w.infos.p);
  free(w.data.p);
  return b;
}

typedef struct { en_model *m; void *image, *mem; } loaded_t;
/* Load from bytes, in pieces of `chunk` bytes (0: all at once), with the named kernels. .m is NULL on failure (why says). */
static inline loaded_t load_model(const unsigned char *file, size_t n, size_t chunk, const char *kernels, en_why *why) {
  loaded_t l = {0};
  en_info info;
  if (en_probe(file, n, &info, why) != EN_OK) return l;
  l.image = aligned_alloc(EN_ALIGN, (n + 63) / 64 * 64);
  size_t at = chunk ? (size_t)info.data_offset : n;
  memcpy(l.image, file, at);
  const size_t need = en_model_bytes(l.image, at);
  l.mem = aligned_alloc(EN_ALIGN, need ? need : EN_ALIGN);
  int32_t status = en_model_init(&l.m, l.mem, need, l.image, at, why);
  if (status == EN_OK) status = en_model_use_kernels(l.m, kernels, why);
  while (status == EN_OK && at < n) {
    const size_t step = n - at < chunk ? n - at : chunk;
    memcpy((unsigned char *)l.image + at, file + at, step);
    at += step;
    status = en_model_feed(l.m, at);
  }
  if (status == EN_OK) status = en_model_seal(l.m, why);
  if (status != EN_OK) l.m = NULL;
  return l;
}
static inline void unload_model(loaded_t *l) { free(l->image); free(l->mem); l->m = NULL; }

static inline en_session *open_session(const en_model *m, const en_session_spec *spec, const en_host *host, void **mem) {
  const size_t need = en_session_bytes(m, spec, host);
  en_session *s = NULL;
  *mem = aligned_alloc(EN_ALIGN, need ? need : EN_ALIGN);
  memset(*mem, 0xA5, need); /* whatever is read before it is written shows up as nonsense */
  en_why why = {{0}};
  if (en_session_init(&s, *mem, need, m, spec, host, &why) != EN_OK) printf("session: %s\n", why.text);
  return s;
}
#endif

/* tiny_model.h - builds small random GGUF models of every architecture in memory and loads them, so that sessions can be tested without any file. */
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
static inline void kv_f32(bytes_t *b, const char *key, float v) { put_str(b, key); put_u32(b, EN_GGUF_F32); const en_f32 x = (en_f32)v; put(b, &x, 4); }
static inline void kv_str(bytes_t *b, const char *key, const char *v) { put_str(b, key); put_u32(b, EN_GGUF_STR); put_str(b, v); }

typedef struct { bytes_t infos, data; uint64_t n_tensors, seed; } tensors_t;
/* A tensor of n_cols columns whose rows come in parts, every part from a seed of its own: `rows[i]` rows around `mean` with the given spread, in type `t`. */
static inline void add_parts(tensors_t *w, const char *name, const en_type *t, uint32_t n_dims, uint32_t n_cols, const uint32_t *rows, int n_parts, float mean, float spread) {
  uint32_t n_rows = 0;
  for (int i = 0; i < n_parts; i++) n_rows += rows[i];
  const size_t n = (size_t)n_cols * n_rows, bytes = n / (size_t)t->block * (size_t)t->block_bytes;
  float *x = malloc(n * sizeof *x), *at = x;
  unsigned char *blocks = malloc(bytes);
  static const unsigned char zero[32];
  for (int i = 0; i < n_parts; i++, w->seed++)
    for (size_t k = 0; k < (size_t)n_cols * rows[i]; k++) *at++ = mean + spread * (float)(2 * en_uniform(w->seed, k) - 1);
  t->encode(blocks, x, (int64_t)n, NULL);
  put_str(&w->infos, name);
  put_u32(&w->infos, n_dims);
  put_u64(&w->infos, n_dims > 1 ? n_cols : n);
  if (n_dims > 1) put_u64(&w->infos, n_rows);
  put_u32(&w->infos, (uint32_t)t->id);
  put_u64(&w->infos, w->data.n);
  put(&w->data, blocks, bytes);
  put(&w->data, zero, (32 - w->data.n % 32) % 32);
  w->n_tensors++;
  free(x);
  free(blocks);
}
static inline void add_tensor(tensors_t *w, const char *name, const en_type *t, uint32_t n_dims, uint32_t n_cols, uint32_t n_rows, float mean, float spread) {
  add_parts(w, name, t, n_dims, n_cols, &n_rows, 1, mean, spread);
}

/* The whole file; kv and w are used up. */
static inline bytes_t gguf_close(bytes_t *kv, uint64_t n_kv, tensors_t *w) {
  static const unsigned char zero[32];
  bytes_t b = {0};
  put(&b, "GGUF", 4);
  put_u32(&b, 3);
  put_u64(&b, w->n_tensors);
  put_u64(&b, n_kv);
  put(&b, kv->p, kv->n);
  put(&b, w->infos.p, w->infos.n);
  put(&b, zero, (32 - b.n % 32) % 32);
  put(&b, w->data.p, w->data.n);
  free(kv->p);
  free(w->infos.p);
  free(w->data.p);
  return b;
}

enum { TINY_L = 2, TINY_D = 64, TINY_H = 4, TINY_K = 2, TINY_F = 96, TINY_V = 90 /* not a multiple of 16 */ };
/* What the families differ in. */
typedef struct {
  const char *arch;
  int qkv_bias, all_bias /* and LayerNorm, no gate, no second norm: phi2 */, tied, qk_norm, post_norm, fused, window, experts;
  uint32_t rot, E, F;
  float base;    /* of the rotary angles; 0: 10000 */
  uint32_t yarn; /* context before it was stretched eightfold; 0: it was not */
} tiny_t;

static inline tiny_t tiny_of(const char *arch) {
  static const tiny_t all[] = {
    {.arch = "llama"}, {.arch = "llama-moe", .experts = 4}, {.arch = "qwen2", .qkv_bias = 1, .tied = 1}, {.arch = "qwen3", .qk_norm = 1}, {.arch = "phi2", .qkv_bias = 1, .all_bias = 1, .rot = 8},
    {.arch = "phi3", .fused = 1}, {.arch = "gemma", .tied = 1}, {.arch = "gemma2", .tied = 1, .post_norm = 1, .window = 4},
    {.arch = "gemma3", .tied = 1, .post_norm = 1, .qk_norm = 1, .window = 4, .base = 100}};
  tiny_t s = all[0];
  for (int i = 0; i < EN_COUNT(all); i++)
    if (!strcmp(all[i].arch, arch)) s = all[i];
  s.E = TINY_D / TINY_H;
  s.F = TINY_F;
  return s;
}

static inline void tiny_vector(tensors_t *w, int layer, const char *what, const uint32_t *n, int n_parts, float mean, float spread) {
  char name[96];
  snprintf(name, sizeof name, "blk.%d.%s", layer, what);
  add_parts(w, name, en_type_by_id(EN_F32), 1, 1, n, n_parts, mean, spread);
}
static inline void tiny_norm(tensors_t *w, int layer, const char *what, uint32_t n) { tiny_vector(w, layer, what, &n, 1, 1, 0.2f); }

static inline void tiny_layer(tensors_t *w, const tiny_t *s, const en_type *t, int l) {
  const uint32_t HE = TINY_H * s->E, KE = TINY_K * s->E, D = TINY_D, F = s->F, qkv = s->fused ? 3 : 1, up = s->fused ? 2 : 1;
  const struct { const char *name; uint32_t cols, rows[3], n_parts; } matrices[] = {
    {s->fused ? "attn_qkv" : "attn_q", D, {HE, KE, KE}, qkv}, {"attn_k", D, {KE}, !s->fused}, {"attn_v", D, {KE}, !s->fused}, {"attn_output", HE, {D}, 1},
    {s->fused ? "ffn_up" : "ffn_gate", D, {F, F}, s->all_bias || s->experts ? 0 : up}, {"ffn_up", D, {F}, (!s->fused || s->all_bias) && !s->experts}, {"ffn_down", F, {D}, !s->experts},
    {"ffn_gate_exps", D, {F * (uint32_t)s->experts}, !!s->experts}, {"ffn_up_exps", D, {F * (uint32_t)s->experts}, !!s->experts}, {"ffn_down_exps", F, {D * (uint32_t)s->experts}, !!s->experts}};
  char name[64];
  tiny_norm(w, l, "attn_norm.weight", D);
  if (s->experts) {
    snprintf(name, sizeof name, "blk.%d.ffn_gate_inp.weight", l);
    add_tensor(w, name, en_type_by_id(EN_F32), 2, D, (uint32_t)s->experts, 0, 0.2f);
  }
  if (s->all_bias) tiny_vector(w, l, "attn_norm.bias", &D, 1, 0, 0.2f);
  else tiny_norm(w, l, "ffn_norm.weight", D);
  if (s->qk_norm) tiny_norm(w, l, "attn_q_norm.weight", s->E);
  if (s->qk_norm) tiny_norm(w, l, "attn_k_norm.weight", s->E);
  if (s->post_norm) tiny_norm(w, l, "post_attention_norm.weight", D);
  if (s->post_norm) tiny_norm(w, l, "post_ffw_norm.weight", D);
  for (int i = 0; i < EN_COUNT(matrices); i++) {
    if (!matrices[i].n_parts) continue;
    snprintf(name, sizeof name, "blk.%d.%s.weight", l, matrices[i].name);
    add_parts(w, name, t, 2, matrices[i].cols, matrices[i].rows, (int)matrices[i].n_parts, 0, 0.2f);
  }
  for (int i = 0; i < EN_COUNT(matrices); i++) { /* apart from the weights, so that parts take the same seeds fused or not */
    if (!matrices[i].n_parts || (!s->all_bias && !(s->qkv_bias && i < 3))) continue;
    snprintf(name, sizeof name, "%s.bias", matrices[i].name);
    tiny_vector(w, l, name, matrices[i].rows, (int)matrices[i].n_parts, 0, 0.3f);
  }
}

/* The caller frees .p. */
static inline bytes_t tiny_build(const tiny_t *s, const en_type *t) {
  const en_type *f32 = en_type_by_id(EN_F32);
  bytes_t kv = {0};
  tensors_t w = {.seed = 100};
  char key[80];
  const char *const arch = s->experts ? "llama" : s->arch;
  add_tensor(&w, "token_embd.weight", t, 2, TINY_D, TINY_V, 0, strncmp(s->arch, "gemma", 5) ? 1 : 0.125f);
  add_tensor(&w, "output_norm.weight", f32, 1, TINY_D, 1, 1, 0.2f);
  if (s->all_bias) add_tensor(&w, "output_norm.bias", f32, 1, TINY_D, 1, 0, 0.2f);
  if (!s->tied) add_tensor(&w, "output.weight", t, 2, TINY_D, TINY_V, 0, 0.3f);
  if (s->all_bias) add_tensor(&w, "output.bias", f32, 1, TINY_V, 1, 0, 0.3f);
  for (int l = 0; l < TINY_L; l++) tiny_layer(&w, s, t, l);
  const struct { const char *key; uint32_t v; } numbers[] = {{"block_count", TINY_L}, {"embedding_length", TINY_D}, {"context_length", 256},
    {"feed_forward_length", s->F}, {"attention.head_count", TINY_H}, {"attention.head_count_kv", TINY_K}, {"vocab_size", TINY_V},
    {"attention.key_length", s->E}, {"attention.value_length", s->E}, {"rope.dimension_count", s->rot ? s->rot : s->E},
    {"expert_count", (uint32_t)s->experts}, {"expert_used_count", s->experts ? 2 : 0}, {"attention.sliding_window", (uint32_t)s->window}, {"attention.sliding_window_pattern", 2}};
  const int n_numbers = s->window ? EN_COUNT(numbers) : EN_COUNT(numbers) - 2;
  kv_str(&kv, "general.architecture", arch);
  for (int i = 0; i < n_numbers; i++) {
    snprintf(key, sizeof key, "%s.%s", arch, numbers[i].key);
    kv_u32(&kv, key, numbers[i].v);
  }
  snprintf(key, sizeof key, "%s.attention.layer_norm%s_epsilon", arch, s->all_bias ? "" : "_rms");
  kv_f32(&kv, key, 1e-5f);
  snprintf(key, sizeof key, "%s.final_logit_softcapping", arch);
  kv_f32(&kv, key, 4);
  snprintf(key, sizeof key, "%s.rope.freq_base", arch);
  kv_f32(&kv, key, s->base > 0 ? s->base : 10000);
  if (s->yarn) {
    snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
    kv_str(&kv, key, "yarn");
    snprintf(key, sizeof key, "%s.rope.scaling.factor", arch);
    kv_f32(&kv, key, 8);
    snprintf(key, sizeof key, "%s.rope.scaling.original_context_length", arch);
    kv_u32(&kv, key, s->yarn);
  }
  kv_str(&kv, "tokenizer.ggml.model", "no_vocab");
  return gguf_close(&kv, (uint64_t)n_numbers + (s->yarn ? 8 : 5), &w);
}
static inline bytes_t tiny_gguf(const char *arch, const en_type *t) {
  const tiny_t s = tiny_of(arch);
  return tiny_build(&s, t);
}

typedef struct { en_model *m; void *image, *mem; } loaded_t;
/* Three lanes by turns, the last piece of work first: what comes out must not depend on such things. */
static inline void run_backwards(void *ud, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx, int32_t n, int32_t step) {
  (void)ud;
  for (int32_t i = (n - 1) / step; i >= 0; i--) job(ctx, i * step, n < (i + 1) * step ? n : (i + 1) * step, i % 3);
}

/* Load from bytes, in pieces of `chunk` bytes on three lanes (0: all at once on one), with the named kernels. .m is NULL on failure (why says). */
static inline loaded_t load_model(const unsigned char *file, size_t n, size_t chunk, const char *kernels, en_why *why) {
  loaded_t l = {0};
  en_info info;
  if (en_probe(file, n, &info, why) != EN_OK) return l;
  l.image = aligned_alloc(EN_ALIGN, (n + 63) / 64 * 64);
  size_t at = chunk ? (size_t)info.data_offset : n;
  const en_host lanes = {.parallel = run_backwards, .n_lanes = 3}, *host = chunk ? &lanes : NULL;
  memcpy(l.image, file, at);
  const size_t need = en_model_bytes(l.image, at, host);
  l.mem = aligned_alloc(EN_ALIGN, need ? need : EN_ALIGN);
  int32_t status = en_model_init(&l.m, l.mem, need, l.image, at, host, why);
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

static inline float *flat(en_adapter *a, uint64_t *n) { /* the adapter's numbers lie one after another, beginning with the first A */
  uint32_t rank, cols;
  *n = en_adapter_params(a);
  for (uint32_t l = 0; l < TINY_L; l++)
    for (uint32_t target = 1; target <= EN_LORA_DOWN; target *= 2) {
      float *p = en_adapter_a(a, l, target, &rank, &cols);
      if (p) return p;
    }
  return NULL;
}

#endif

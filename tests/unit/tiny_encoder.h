/* tiny_encoder.h - small random GGUF encoders in memory: bert and nomic-bert, like tiny_model.h's decoders. */
#ifndef EN_TINY_ENCODER_H
#define EN_TINY_ENCODER_H
#include "tiny_model.h"

enum { ENC_L = 2, ENC_D = 64, ENC_H = 4, ENC_F = 96, ENC_V = 90, ENC_CTX = 48 };

static inline void encoder_vectors(tensors_t *w, int layer, const char *what, uint32_t n) { /* a norm */
  char name[64];
  snprintf(name, sizeof name, "%s.weight", what);
  tiny_vector(w, layer, name, &n, 1, 1, 0.2f);
  snprintf(name, sizeof name, "%s.bias", what);
  tiny_vector(w, layer, name, &n, 1, 0, 0.2f);
}

static inline void encoder_layer(tensors_t *w, int nomic, const en_type *t, int l) {
  const uint32_t D = ENC_D, F = ENC_F;
  const struct { const char *name; uint32_t cols, rows; int here; } matrices[] = {
    {"attn_qkv", D, 3 * D, nomic}, {"attn_q", D, D, !nomic}, {"attn_k", D, D, !nomic}, {"attn_v", D, D, !nomic}, {"attn_output", D, D, 1},
    {"ffn_gate", D, F, nomic}, {"ffn_up", D, F, 1}, {"ffn_down", F, D, 1}};
  char name[64];
  for (int i = 0; i < EN_COUNT(matrices); i++) {
    if (!matrices[i].here) continue;
    snprintf(name, sizeof name, "blk.%d.%s.weight", l, matrices[i].name);
    add_tensor(w, name, t, 2, matrices[i].cols, matrices[i].rows, 0, 0.2f);
    snprintf(name, sizeof name, "%s.bias", matrices[i].name);
    if (!nomic) tiny_vector(w, l, name, &matrices[i].rows, 1, 0, 0.3f);
  }
  encoder_vectors(w, l, "attn_output_norm", D);
  encoder_vectors(w, l, "layer_output_norm", D);
}

/* pooling: GGUF's number, -1: the key is left out. n_labels > 0: with a rank head. The caller frees .p. */
static inline bytes_t encoder_gguf(const char *arch, const en_type *t, int pooling, uint32_t n_labels) {
  const en_type *f32 = en_type_by_id(EN_F32);
  const int nomic = !strcmp(arch, "nomic-bert");
  bytes_t b = {0}, kv = {0};
  tensors_t w = {.seed = 500};
  char key[80];
  static const unsigned char zero[32];
  add_tensor(&w, "token_embd.weight", t, 2, ENC_D, ENC_V, 0, 1);
  add_tensor(&w, "token_types.weight", f32, 2, ENC_D, 2, 0, 0.5f);
  if (!nomic) add_tensor(&w, "position_embd.weight", f32, 2, ENC_D, ENC_CTX, 0, 0.5f);
  add_tensor(&w, "token_embd_norm.weight", f32, 1, ENC_D, 1, 1, 0.2f);
  add_tensor(&w, "token_embd_norm.bias", f32, 1, ENC_D, 1, 0, 0.2f);
  for (int l = 0; l < ENC_L; l++) encoder_layer(&w, nomic, t, l);
  if (n_labels) {
    add_tensor(&w, "cls.bias", f32, 1, ENC_D, 1, 0, 0.3f);
    add_tensor(&w, "cls.output.weight", f32, 2, ENC_D, n_labels, 0, 0.3f);
    add_tensor(&w, "cls.output.bias", f32, 1, n_labels, 1, 0, 0.3f);
    add_tensor(&w, "cls.weight", t, 2, ENC_D, ENC_D, 0, 0.3f);
  }
  const struct { const char *key; uint32_t v; } numbers[] = {{"block_count", ENC_L}, {"embedding_length", ENC_D}, {"context_length", ENC_CTX},
    {"feed_forward_length", ENC_F}, {"attention.head_count", ENC_H}, {"vocab_size", ENC_V}, {"pooling_type", (uint32_t)pooling}};
  const int n_numbers = EN_COUNT(numbers) - (pooling < 0);
  kv_str(&kv, "general.architecture", arch);
  for (int i = 0; i < n_numbers; i++) {
    snprintf(key, sizeof key, "%s.%s", arch, numbers[i].key);
    kv_u32(&kv, key, numbers[i].v);
  }
  snprintf(key, sizeof key, "%s.attention.layer_norm_epsilon", arch);
  kv_f32(&kv, key, 1e-5f);
  kv_u32(&kv, "tokenizer.ggml.token_type_count", 2);
  kv_str(&kv, "tokenizer.ggml.model", "no_vocab");
  if (n_labels) {
    snprintf(key, sizeof key, "%s.classifier.output_labels", arch);
    put_str(&kv, key);
    put_u32(&kv, EN_GGUF_ARR);
    put_u32(&kv, EN_GGUF_STR);
    put_u64(&kv, n_labels);
    for (uint32_t i = 0; i < n_labels; i++) put_str(&kv, "label");
  }
  put(&b, "GGUF", 4);
  put_u32(&b, 3);
  put_u64(&b, w.n_tensors);
  put_u64(&b, (uint64_t)n_numbers + 4 + (n_labels > 0));
  put(&b, kv.p, kv.n);
  put(&b, w.infos.p, w.infos.n);
  put(&b, zero, (32 - b.n % 32) % 32);
  put(&b, w.data.p, w.data.n);
  free(kv.p);
  free(w.infos.p);
  free(w.data.p);
  return b;
}
#endif

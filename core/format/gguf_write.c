/* gguf_write.c - see gguf_write.h. */
#include "gguf_write.h"

void en_gguf_begin(en_gguf_writer *g, void *dst, size_t cap) {
  *g = (en_gguf_writer){.w = {dst, 0, dst ? cap : 0}};
  en_put_str(&g->w, "GGUF");
  en_put32(&g->w, 3);
  en_put_fill(&g->w, 0, 16); /* the counts: en_gguf_end */
}

void en_gguf_string(en_gguf_writer *g, const void *text, uint64_t n_bytes) {
  en_put64(&g->w, n_bytes);
  en_put(&g->w, text, (size_t)n_bytes);
}

void en_gguf_key(en_gguf_writer *g, const char *key, uint32_t type) {
  g->n_kv++;
  en_gguf_string(g, key, strlen(key));
  en_put32(&g->w, type);
}

void en_gguf_key_array(en_gguf_writer *g, const char *key, uint32_t elem_type, uint64_t n) {
  en_gguf_key(g, key, EN_GGUF_ARR);
  en_put32(&g->w, elem_type);
  en_put64(&g->w, n);
}

void en_gguf_key_text(en_gguf_writer *g, const char *key, const char *text) {
  en_gguf_key(g, key, EN_GGUF_STR);
  en_gguf_string(g, text, strlen(text));
}

void en_gguf_key_u32(en_gguf_writer *g, const char *key, uint32_t value) {
  en_gguf_key(g, key, EN_GGUF_U32);
  en_put32(&g->w, value);
}

void en_gguf_key_f32(en_gguf_writer *g, const char *key, float value) {
  en_gguf_key(g, key, EN_GGUF_F32);
  en_put(&g->w, &value, 4);
}

void en_gguf_key_bool(en_gguf_writer *g, const char *key, int32_t value) {
  en_gguf_key(g, key, EN_GGUF_BOOL);
  en_put_fill(&g->w, value != 0, 1);
}

void en_gguf_copy(en_gguf_writer *g, const en_gguf_kv *kv) {
  const uint8_t *from = kv->key - sizeof(uint64_t); /* its length comes first */
  g->n_kv++;
  en_put(&g->w, from, (size_t)(en_value_end(&kv->value) - from));
}

uint64_t en_gguf_declare(en_gguf_writer *g, const char *name, size_t n_name, int32_t type, const uint64_t *ne, uint32_t n_dims) {
  uint64_t n_elems = 1;
  g->n_tensors++;
  en_gguf_string(g, name, n_name);
  en_put32(&g->w, n_dims);
  for (uint32_t i = 0; i < n_dims; i++) {
    en_put64(&g->w, ne[i]);
    n_elems *= ne[i];
  }
  en_put32(&g->w, (uint32_t)type);
  en_put64(&g->w, g->offset);
  const uint64_t n_bytes = en_gguf_type_bytes(type, n_elems);
  g->offset += en_gguf_padded(n_bytes);
  return n_bytes;
}

void en_gguf_end(en_gguf_writer *g) {
  if (g->n_tensors) en_gguf_pad(&g->w);
  if (!g->w.p || g->w.cap < 24) return;
  memcpy(g->w.p + 8, &g->n_tensors, 8);
  memcpy(g->w.p + 16, &g->n_kv, 8);
}

/* Any bytes as the head of a GGUF file: scan, index, read everything in every way. What is accepted must also be consistent. */
#include "../../core/format/gguf.h"
#include <stdlib.h>

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile double sink;

static void read_value(const en_value *v) {
  const uint8_t *cursor = v->at;
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < v->n; i++) {
    if (v->type == EN_GGUF_STR) sink += v->at[i];
    else if (v->elem_type != EN_GGUF_STR) sink += en_value_num(v, i) > 0;
    else {
      const char *s = en_value_next_str(&cursor, &bytes);
      for (uint64_t k = 0; k < bytes; k++) sink += s[k];
    }
  }
}

/* Every typed read of one key, with the index and without: the same answers. */
static void read_typed(const en_gguf *indexed, const en_gguf *scanned, const char *key) {
  uint32_t u[2] = {0};
  float f[2] = {0};
  int32_t b[2] = {0};
  const char *s[2] = {0};
  uint64_t n[2] = {0};
  en_why why;
  REQUIRE(en_gguf_u32(indexed, key, &u[0], &why) == en_gguf_u32(scanned, key, &u[1], NULL) && u[0] == u[1]);
  REQUIRE(en_gguf_f32(indexed, key, &f[0], &why) == en_gguf_f32(scanned, key, &f[1], NULL) && memcmp(&f[0], &f[1], 4) == 0);
  REQUIRE(en_gguf_bool(indexed, key, &b[0], &why) == en_gguf_bool(scanned, key, &b[1], NULL) && b[0] == b[1]);
  REQUIRE(en_gguf_str(indexed, key, &s[0], &n[0], &why) == en_gguf_str(scanned, key, &s[1], &n[1], NULL) && s[0] == s[1] && n[0] == n[1]);
  REQUIRE(memchr(why.text, 0, sizeof why.text));
}

static void read_keys(const en_gguf *indexed, const en_gguf *scanned) {
  char key[EN_GGUF_MAX_KEY + 1];
  for (uint64_t i = 0; i < indexed->n_kv; i++) {
    const en_gguf_kv *kv = &indexed->kv[i];
    read_value(&kv->value);
    if (memchr(kv->key, 0, (size_t)kv->key_bytes)) continue; /* cannot be asked for by a C string */
    memcpy(key, kv->key, (size_t)kv->key_bytes);
    key[kv->key_bytes] = 0;
    REQUIRE(en_gguf_find(indexed, key) == &kv->value);
    if (i < 64) read_typed(indexed, scanned, key);
  }
  read_typed(indexed, scanned, "no such key");
}

static void check_tensors(const en_gguf *g) {
  uint64_t end = 0, n_params = 0;
  for (uint64_t i = 0; i < g->n_tensors; i++) {
    const en_gguf_tensor *t = &g->tensors[i];
    REQUIRE(t->offset >= end && t->offset % g->alignment == 0 && t->n_elems == t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]);
    REQUIRE(en_gguf_type_name(t->type) && g->types >> t->type & 1);
    end = t->offset + t->n_bytes;
    n_params += t->n_elems;
  }
  REQUIRE(g->file_bytes == g->data_offset + end && g->n_params == n_params);
  REQUIRE(!en_gguf_find_tensor(g, ""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  en_gguf scanned, g, part;
  en_why why;
  const int32_t status = en_gguf_scan(&scanned, data, n, &why);
  REQUIRE(status == EN_OK || status == EN_E_MORE || status == EN_E_FORMAT || status == EN_E_UNSUPPORTED);
  const int32_t half = en_gguf_scan(&part, data, n / 2, NULL); /* a prefix never says more than the whole */
  REQUIRE(half == EN_E_MORE || half == status);
  if (status != EN_OK) return 0;
  REQUIRE(scanned.data_offset <= n && scanned.file_bytes >= scanned.data_offset);
  const size_t bytes = en_gguf_bytes(&scanned);
  void *mem = bytes ? aligned_alloc(EN_ALIGN, bytes) : NULL;
  g = scanned;
  if (mem && en_gguf_index(&g, mem, bytes, &why) == EN_OK) {
    read_keys(&g, &scanned);
    check_tensors(&g);
  }
  free(mem);
  return 0;
}

/* split.c - see split.h. */
#include "split.h"

int32_t en_split_count(const en_gguf *g, uint32_t *n, en_why *why) {
  en_value v;
  *n = 1;
  if (!en_gguf_get(g, "split.count", &v)) return EN_OK;
  EN_TRY(en_gguf_u32(g, "split.count", n, why));
  if (*n > EN_MAX_SHARDS) return en_fail(why, EN_E_FORMAT, "the model is said to be in %u files, more than %d", *n, EN_MAX_SHARDS);
  *n = EN_MAX(*n, 1);
  return EN_OK;
}

static int32_t scan(en_gguf *g, const en_bytes *heads, uint32_t i, uint32_t n, en_why *why) {
  uint32_t count, no = 0;
  EN_TRY(en_gguf_scan(g, heads[i].bytes, heads[i].n_bytes, why));
  EN_TRY(en_split_count(g, &count, why));
  EN_TRY(en_gguf_u32(g, "split.no", &no, why));
  return count == n && no == i ? EN_OK : en_fail(why, EN_E_FORMAT, "file %u of %u says that it is file %u of %u", i + 1, n, no + 1, count);
}

/* The tables of a file lie behind those of the ones before it. */
static size_t carve(void **self, void **shards, void **index, const en_bytes *heads, uint32_t n, void *mem, en_why *why) {
  uint64_t index_bytes = 0;
  en_gguf g;
  if (!n || n > EN_MAX_SHARDS) return 0;
  for (uint32_t i = 0; i < n; i++) {
    if (scan(&g, heads, i, n, why) != EN_OK) return 0;
    index_bytes += en_gguf_bytes(&g);
  }
  const en_piece pieces[] = {{self, 1, sizeof(en_split)}, {shards, n, sizeof(en_gguf)}, {index, index_bytes, 1}};
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

size_t en_split_bytes(const en_bytes *heads, uint32_t n) {
  void *self, *shards, *index;
  return carve(&self, &shards, &index, heads, n, NULL, NULL);
}

int32_t en_split_init(en_split **out, void *mem, size_t mem_bytes, const en_bytes *heads, uint32_t n, en_why *why) {
  void *self, *shards, *index;
  uint64_t n_tensors = 0;
  uint32_t wanted;
  if (why) why->text[0] = 0;
  const size_t need = carve(&self, &shards, &index, heads, n, NULL, why);
  if (!need && why && why->text[0]) return EN_E_FORMAT;
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the tables of the files need %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for the tables must be aligned to %d bytes", EN_ALIGN);
  carve(&self, &shards, &index, heads, n, mem, why);
  en_split *s = self;
  *s = (en_split){shards, n};
  uint8_t *at = index;
  for (uint32_t i = 0; i < n; i++) {
    EN_TRY(scan(&s->shards[i], heads, i, n, why));
    const size_t bytes = en_gguf_bytes(&s->shards[i]);
    EN_TRY(en_gguf_index(&s->shards[i], at, bytes, why));
    at += bytes;
    n_tensors += s->shards[i].n_tensors;
  }
  if (en_gguf_u32(&s->shards[0], "split.tensors.count", &wanted, NULL) == EN_OK && wanted != n_tensors)
    return en_fail(why, EN_E_FORMAT, "the files have %z tensors together, %u are expected", n_tensors, wanted);
  *out = s;
  return EN_OK;
}

static int is_about_files(const en_gguf_kv *kv) { return (kv->key_bytes > 6 && !memcmp(kv->key, "split.", 6)) || en_str_is(kv->key, kv->key_bytes, "general.alignment"); }

size_t en_split_head(const en_split *s, void *dst, size_t cap) {
  en_gguf_writer g;
  en_gguf_begin(&g, dst, cap);
  for (uint64_t i = 0; i < s->shards[0].n_kv; i++)
    if (!is_about_files(&s->shards[0].kv[i])) en_gguf_copy(&g, &s->shards[0].kv[i]);
  for (uint32_t k = 0; k < s->n_shards; k++)
    for (uint64_t i = 0; i < s->shards[k].n_tensors; i++) {
      const en_gguf_tensor *t = &s->shards[k].tensors[i];
      en_gguf_declare(&g, (const char *)t->name, t->name_bytes, t->type, t->ne, t->n_dims);
    }
  en_gguf_end(&g);
  return g.w.n;
}

/* Offsets are summed up anew for each: the caller asks for one after the other, and there are few hundred. */
int en_split_piece_at(const en_split *s, uint32_t i, en_file_piece *out) {
  uint64_t to = 0;
  for (uint32_t k = 0; k < s->n_shards; i -= (uint32_t)s->shards[k++].n_tensors) {
    const en_gguf *g = &s->shards[k];
    const uint64_t before = EN_MIN(i, g->n_tensors);
    for (uint64_t t = 0; t < before; t++) to += en_gguf_padded(g->tensors[t].n_bytes);
    if (i >= g->n_tensors) continue;
    const en_gguf_tensor *t = &g->tensors[i];
    *out = (en_file_piece){(int32_t)k, 1, g->data_offset + t->offset, t->n_bytes, to, t->n_bytes};
    return 1;
  }
  return 0;
}

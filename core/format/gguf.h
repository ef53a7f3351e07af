/* gguf.h - reader of GGUF version 2 and 3 (little-endian), the file format of ggml.
 * Nothing is copied: values and names point into the caller's head bytes, which must outlive the handle. Every length, count and
 * offset is checked before it is used; the reader never trusts a number from the file. Format facts: docs/formats.md. */
#ifndef EN_GGUF_H
#define EN_GGUF_H
#include "../base/base.h"

enum { EN_GGUF_U8, EN_GGUF_I8, EN_GGUF_U16, EN_GGUF_I16, EN_GGUF_U32, EN_GGUF_I32, EN_GGUF_F32, EN_GGUF_BOOL, EN_GGUF_STR, EN_GGUF_ARR, EN_GGUF_U64, EN_GGUF_I64, EN_GGUF_F64 };

typedef struct { const uint8_t *name; uint32_t name_bytes; uint32_t n_dims; uint64_t ne[4]; int32_t type; uint64_t offset /* from data_offset */, n_bytes, n_elems; } en_gguf_tensor;
typedef struct { const uint8_t *key; uint64_t key_bytes; en_value value; } en_gguf_kv;

typedef struct en_gguf {
  const uint8_t *head;
  uint64_t n_bytes /* of the head that were given */, data_offset, file_bytes, n_kv, n_tensors;
  uint32_t version, alignment;
  en_gguf_kv *kv;          /* [n_kv] in file order; NULL after a mere scan */
  en_gguf_tensor *tensors; /* [n_tensors] in file order; NULL after a mere scan */
} en_gguf;

/* Check the whole head and fill the sizes of *g (not kv/tensors). EN_E_MORE: the head goes on past n_bytes.
 * A head longer than EN_GGUF_MAX_HEAD is refused (EN_E_FORMAT), so that a hostile file cannot make the host buffer for ever.
 * Unknown tensor types are accepted here with n_bytes 0 only if they are the file's last tensors' business: they make EN_E_UNSUPPORTED. */
#define EN_GGUF_MAX_HEAD ((uint64_t)256 << 20)
int32_t en_gguf_scan(en_gguf *g, const void *head, size_t n_bytes, en_why *why);
/* Memory for the two index tables of a scanned head; 0 on overflow. */
size_t en_gguf_bytes(const en_gguf *scanned);
/* Build the tables of a scanned head in mem. */
int32_t en_gguf_index(en_gguf *g, void *mem, size_t mem_bytes, en_why *why);

const en_value *en_gguf_find(const en_gguf *g, const char *key);                    /* NULL: absent */
const en_gguf_tensor *en_gguf_find_tensor(const en_gguf *g, const char *name);      /* NULL: absent */
/* Typed reads: EN_OK and *out; EN_E_ARG absent (out untouched); EN_E_FORMAT of another kind or out of range (why names the key).
 * Integers of any width are accepted for integers, and floats of both widths for floats. */
int32_t en_gguf_u32(const en_gguf *g, const char *key, uint32_t *out, en_why *why);
int32_t en_gguf_f32(const en_gguf *g, const char *key, float *out, en_why *why);
int32_t en_gguf_bool(const en_gguf *g, const char *key, int32_t *out, en_why *why);
int32_t en_gguf_str(const en_gguf *g, const char *key, const char **text, uint64_t *n_bytes, en_why *why); /* not NUL-terminated */
/* Element i of a numeric array value as double / of any array of u32-like ints. The caller checked i < v->n and elem_type != STR. */
double en_value_num(const en_value *v, uint64_t i);
/* Walk an array of strings: *cursor starts at v->at; gives each string in turn. The head was scanned, so this cannot run over. */
static inline const char *en_value_next_str(const uint8_t **cursor, uint64_t *n_bytes) {
  const uint8_t *p = *cursor; *n_bytes = en_rd64(p); *cursor = p + 8 + *n_bytes; return (const char *)(p + 8);
}
/* 1 if a counted string equals a C string. */
int en_str_is(const void *s, uint64_t n_bytes, const char *c);
#endif

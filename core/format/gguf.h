/* gguf.h - reader of GGUF version 2 and 3 (little-endian), the file format of ggml.
 * Nothing is copied: values and names point into the caller's head bytes, which must outlive the handle. Every length, count and
 * offset is checked before it is used; the reader never trusts a number from the file. Format facts: docs/formats.md. */
#ifndef EN_GGUF_H
#define EN_GGUF_H
#include "../base/base.h"

enum { EN_GGUF_U8, EN_GGUF_I8, EN_GGUF_U16, EN_GGUF_I16, EN_GGUF_U32, EN_GGUF_I32, EN_GGUF_F32, EN_GGUF_BOOL, EN_GGUF_STR, EN_GGUF_ARR, EN_GGUF_U64, EN_GGUF_I64, EN_GGUF_F64 };

/* ne[0] is the contiguous dimension; unused dimensions are 1. type: ggml's id, one that ggml_types.def knows. */
typedef struct { const uint8_t *name; uint32_t name_bytes; uint32_t n_dims; uint64_t ne[4]; int32_t type; uint64_t offset /* from data_offset */, n_bytes, n_elems; } en_gguf_tensor;
/* en_value of a scalar: n = 1, elem_type = type. Of a string: n = its bytes. Of an array: n elements of elem_type, the first at `at`. */
typedef struct { const uint8_t *key; uint64_t key_bytes; en_value value; } en_gguf_kv;

enum { EN_GGUF_SKIPS = 4 };
typedef struct en_gguf {
  const uint8_t *head;
  uint64_t n_bytes /* of the head that were given */, data_offset, file_bytes, n_kv, n_tensors;
  uint64_t n_params;       /* sum of tensor elements */
  uint64_t types;          /* bit i: some tensor has ggml type i */
  int32_t main_type;       /* ggml type of most weight bytes; -1: no tensors */
  uint32_t version, alignment;
  struct { uint64_t from, to; } skips[EN_GGUF_SKIPS]; /* where long string arrays begin and end, so that later walks need not step through them */
  en_gguf_kv *kv;          /* [n_kv] in file order; NULL after a mere scan */
  en_gguf_tensor *tensors; /* [n_tensors] in file order; NULL after a mere scan */
  uint32_t *kv_order, *tensor_order; /* the same, sorted by name */
} en_gguf;

/* Limits. A head above them is refused, so that a hostile file cannot make the host buffer or the tables grow for ever. */
#define EN_GGUF_MAX_HEAD ((uint64_t)256 << 20)
enum { EN_GGUF_MAX_KV = 65536, EN_GGUF_MAX_TENSORS = 65536, EN_GGUF_MAX_KEY = 1024, EN_GGUF_MAX_NAME = 63, EN_GGUF_MAX_ALIGNMENT = 1 << 20 };

/* Check the whole head and fill *g (not the tables); g is untouched on failure.
 * EN_E_MORE: the head, padding up to data_offset included, goes on past n_bytes; scan again from the start with more.
 * EN_E_FORMAT: the bytes break the format, exceed a limit, or a tensor has a type number that ggml does not know.
 * EN_E_UNSUPPORTED: big-endian file, another version, nested arrays, a tensor of a retired type.
 * Any living ggml type is accepted with its true size: whether this build can compute with it is for the model to say. */
int32_t en_gguf_scan(en_gguf *g, const void *head, size_t n_bytes, en_why *why);
/* Memory for the index tables of a scanned head; 0 when it does not fit into the address space. */
size_t en_gguf_bytes(const en_gguf *scanned);
/* Build the tables of a scanned head in mem (kept). EN_E_FORMAT: a key or a tensor name occurs twice (only seen here). */
int32_t en_gguf_index(en_gguf *g, void *mem, size_t mem_bytes, en_why *why);
const char *en_gguf_type_name(int32_t type); /* "Q4_K"; NULL: ggml does not know the id */
uint64_t en_gguf_type_bytes(int32_t type, uint64_t n_elems); /* of whole blocks; 0: unknown or withdrawn */

int en_gguf_get(const en_gguf *g, const char *key, en_value *out);                  /* 1 and *out, or 0: absent. Walks the head after a mere scan */
const en_value *en_gguf_find(const en_gguf *g, const char *key);                    /* of an indexed head; NULL: absent */
const en_gguf_tensor *en_gguf_find_tensor(const en_gguf *g, const char *name);      /* of an indexed head; NULL: absent */
/* Typed reads, after a mere scan too: EN_OK and *out; EN_E_ARG absent (out untouched); EN_E_FORMAT of another kind or out of range
 * (why names the key). Integers of any width are accepted for integers, and floats of both widths for floats. */
int32_t en_gguf_u32(const en_gguf *g, const char *key, uint32_t *out, en_why *why);
int32_t en_gguf_f32(const en_gguf *g, const char *key, float *out, en_why *why);
int32_t en_gguf_bool(const en_gguf *g, const char *key, int32_t *out, en_why *why); /* 0 or 1 */
int32_t en_gguf_str(const en_gguf *g, const char *key, const char **text, uint64_t *n_bytes, en_why *why); /* not NUL-terminated */
/* Element i of a numeric or bool value (arrays; i = 0 for scalars) as double; integers above 2^53 are rounded.
 * The caller checked i < v->n and elem_type != STR. */
double en_value_num(const en_value *v, uint64_t i);
/* Walk an array of strings: *cursor starts at v->at; gives each string in turn. The head was scanned, so this cannot run over. */
static inline const char *en_value_next_str(const uint8_t **cursor, uint64_t *n_bytes) {
  const uint8_t *p = *cursor; *n_bytes = en_rd64(p); *cursor = p + 8 + *n_bytes; return (const char *)(p + 8);
}
const uint8_t *en_value_end(const en_value *v); /* the byte behind the last one of a value */
/* 1 if a counted string equals a C string. */
int en_str_is(const void *s, uint64_t n_bytes, const char *c);
#endif

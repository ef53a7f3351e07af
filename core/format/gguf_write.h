/* gguf_write.h - writer of GGUF heads, version 3, data aligned to 32 bytes. Like all writers (writer.h) it runs twice over the same code: the first
 * pass counts, the second writes. Order: begin, all pairs, all tensors, end; the tensors' data follow, each padded with en_gguf_pad. */
#ifndef EN_GGUF_WRITE_H
#define EN_GGUF_WRITE_H
#include "gguf.h"
#include "writer.h"

enum { EN_GGUF_ALIGN = 32 };
typedef struct { en_writer w; uint64_t n_kv, n_tensors, offset /* of the next tensor; at the end the size of the data part */; } en_gguf_writer;

void en_gguf_begin(en_gguf_writer *g, void *dst, size_t cap);
/* A pair: the key, then the value as the type wants it. Scalars: en_put... into g->w; strings: en_gguf_string. */
void en_gguf_key(en_gguf_writer *g, const char *key, uint32_t type);
void en_gguf_key_array(en_gguf_writer *g, const char *key, uint32_t elem_type, uint64_t n); /* its n elements follow */
void en_gguf_string(en_gguf_writer *g, const void *text, uint64_t n_bytes);
void en_gguf_key_text(en_gguf_writer *g, const char *key, const char *text);
void en_gguf_key_u32(en_gguf_writer *g, const char *key, uint32_t value);
void en_gguf_key_f32(en_gguf_writer *g, const char *key, float value);
void en_gguf_key_bool(en_gguf_writer *g, const char *key, int32_t value);
void en_gguf_copy(en_gguf_writer *g, const en_gguf_kv *kv); /* a pair of another file, as it stands there */
/* A tensor of `type`, which ggml_types.def knows; ne[n_dims], contiguous first, whole blocks. Returns the bytes of its data. */
uint64_t en_gguf_declare(en_gguf_writer *g, const char *name, size_t n_name, int32_t type, const uint64_t *ne, uint32_t n_dims);
void en_gguf_end(en_gguf_writer *g); /* pads the head, fills in the counts */
static inline uint64_t en_gguf_padded(uint64_t n) { return (n + EN_GGUF_ALIGN - 1) / EN_GGUF_ALIGN * EN_GGUF_ALIGN; }
static inline void en_gguf_pad(en_writer *w) { en_put_fill(w, 0, (size_t)(en_gguf_padded(w->n) - w->n)); }
#endif

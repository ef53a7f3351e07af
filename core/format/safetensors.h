/* safetensors.h - reader and writer of safetensors files (huggingface.co/docs/safetensors): u64 length of the head, the head as JSON
 * {"name": {"dtype", "shape", "data_offsets": [from, to]}, ..., "__metadata__": {...}}, the data. Little-endian.
 * Nothing is copied; every length is checked before it is used. */
#ifndef EN_SAFETENSORS_H
#define EN_SAFETENSORS_H
#include "json.h"
#include "writer.h"

enum { EN_ST_MAX_DIMS = 8 };
#define EN_ST_MAX_HEAD ((uint64_t)100 << 20) /* the format's own limit */
/* dtype: index into a table of the format's types; only F32, F16 and BF16 can be read as numbers. */
typedef struct {
  const char *name; /* as written in the head, not NUL-terminated */
  size_t name_bytes;
  int32_t dtype;
  uint32_t n_dims;
  uint64_t shape[EN_ST_MAX_DIMS], n_elems, n_bytes, offset; /* offset: from the start of the data */
  const uint8_t *data; /* NULL if only the head was given */
} en_st_tensor;
/* data: NULL after en_safetensors_scan. n_elems: of all tensors. data_offset: of the data part in the file. */
typedef struct { en_json head; const uint8_t *data; uint64_t data_offset, n_data, n_elems, n_tensors; } en_safetensors;

/* The head alone: the first n_bytes of a file (kept). Checks every entry: known dtype, shape and size agree, the data are dense. What the whole file must
 * have is data_offset + n_data. EN_E_MORE: the head goes on past n_bytes. */
int32_t en_safetensors_scan(en_safetensors *s, const void *file, size_t n_bytes, en_why *why);
/* file: all n_bytes of it (kept). */
int32_t en_safetensors_open(en_safetensors *s, const void *file, size_t n_bytes, en_why *why);
/* Tensors in the order of the head; *cursor is NULL at first. 1 and *out, 0 at the end. */
int en_safetensors_next(const en_safetensors *s, const char **cursor, en_st_tensor *out);
int en_safetensors_find(const en_safetensors *s, const char *name, en_st_tensor *out); /* 1 if it is there */
int en_st_is_float(const en_st_tensor *t);
enum { EN_ST_F32, EN_ST_F16, EN_ST_BF16 }; /* dtypes that are floats */
/* Numbers first .. first + n - 1 of a tensor that en_st_is_float. */
void en_st_read(float *out, const en_st_tensor *t, uint64_t first, uint64_t n);

/* Writing: begin, declare all tensors (F32, [rows, cols], or [rows] with cols 0), head, then their data with en_put in the same order. */
typedef struct { en_writer w; uint64_t offset; } en_st_writer;
void en_st_begin(en_st_writer *s, void *dst, size_t cap);
void en_st_declare(en_st_writer *s, const char *name, uint64_t rows, uint64_t cols);
void en_st_head(en_st_writer *s);
#endif

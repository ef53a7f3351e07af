/* read.c - the model's file out of its image: packed groups of rows come apart again. */
#include "model.h"

enum { MOST_BLOCK = 2048 }; /* bytes of a block of any weight type; tests/unit/matmul_test.c holds them to less */

/* Some of the bytes of a packed tensor from byte `at` of its data on, at most n: whole blocks of one row, or a part of one block. Returns how many. */
static size_t read_packed(const uint8_t *data, const en_type *type, int32_t n_blocks, uint64_t at, uint8_t *dst, size_t n) {
  const uint64_t row_bytes = (uint64_t)n_blocks * (uint64_t)type->block_bytes, row = at / row_bytes;
  const int32_t block = (int32_t)(at % row_bytes / (uint64_t)type->block_bytes), offset = (int32_t)(at % (uint64_t)type->block_bytes);
  const uint8_t *group = data + (size_t)(row / EN_R * EN_R * row_bytes);
  const size_t bytes = (size_t)type->block_bytes;
  if (!offset && n >= bytes) {
    const int32_t blocks = (int32_t)EN_MIN((uint64_t)(n_blocks - block), (uint64_t)(n / bytes));
    en_unpack_row(type, dst, group, (int32_t)(row % EN_R), block, block + blocks);
    return (size_t)blocks * bytes;
  }
  uint8_t one[MOST_BLOCK];
  const size_t part = EN_MIN(n, bytes - (size_t)offset);
  en_unpack_row(type, one, group, (int32_t)(row % EN_R), block, block + 1);
  memcpy(dst, one + offset, part);
  return part;
}

/* Bytes of a tensor that are packed: whole groups. */
static uint64_t packed_bytes(const en_gguf_tensor *t) {
  const uint64_t rows = t->n_elems / t->ne[0];
  return t->n_bytes / rows * (rows / EN_R * EN_R);
}

int32_t en_model_read(const en_model *m, uint64_t at, void *dst, size_t n_bytes) {
  if (!m->sealed) return EN_E_STATE;
  if (at > m->info.file_bytes || n_bytes > m->info.file_bytes - at) return EN_E_ARG;
  memcpy(dst, m->image + (size_t)at, n_bytes);
  for (uint64_t i = 0; i < m->g.n_tensors; i++) {
    const en_gguf_tensor *t = &m->g.tensors[i];
    const uint64_t start = m->g.data_offset + t->offset;
    if (m->pack[i] != EN_TENSOR_PACKED) continue;
    const en_type *type = en_type_by_id(t->type);
    const uint64_t from = EN_MAX(at, start), to = EN_MIN(at + n_bytes, start + packed_bytes(t));
    for (uint64_t p = from; p < to;)
      p += read_packed(m->image + (size_t)start, type, (int32_t)(t->ne[0] / (uint64_t)type->block), p - start, (uint8_t *)dst + (size_t)(p - at), (size_t)(to - p));
  }
  return EN_OK;
}

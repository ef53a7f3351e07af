/* quant.h - weight types as data: what a block is, how it decodes and encodes, how 16 rows interleave. Plain C, the truth.
 * Adding a type: one file quant/<name>.c that defines `const en_type en_type_<name>` and one line in quant.def. It runs at once
 * (kernels without a fast row decode panels); fast rows come later. Block layouts and their sources: docs/formats.md.
 *
 * Packed layout. Rows of a matrix [rows, cols] are grouped by EN_R = 16. Inside a group the blocks follow one another along
 * the columns, and a packed block holds the 16 rows' blocks interleaved by small units, so that one contiguous stream feeds
 * 16 rows. `fields` says how: a string of (count, unit) pairs in packed order, 'h' = 2-byte units, 'w' = 4-byte units ('d' = 8, tests/double only); "4w@192" = 4 words from
 * byte 192 of the file's block (without @ from where the last ones ended). Q4_0 is "1h4w":
 *   packed block = { u16 d[1][16]; u32 qs[4][16] }   - 16 * 18 bytes, the same size as the 16 plain blocks.
 * For Q4_0 word g of row r therefore holds nibbles k = 4g..4g+3 (low) and k = 16+4g..16+4g+3 (high). F32 is "1w": [k][16].
 * A group takes exactly the bytes of its 16 plain rows, so packing is done in place. The last rows % 16 rows of a matrix stay plain. */
#ifndef EN_QUANT_H
#define EN_QUANT_H
#include "../base/base.h"

enum { EN_R = 16 }; /* rows per packed group */
/* ggml's ids, as in files, of the types that products know */
enum { EN_F32 = 0, EN_F16 = 1, EN_Q4_0 = 2, EN_Q4_1 = 3, EN_Q5_0 = 6, EN_Q5_1 = 7, EN_Q8_0 = 8, EN_Q4_K = 12, EN_Q5_K = 13, EN_Q6_K = 14, EN_IQ4_NL = 20, EN_IQ4_XS = 23, EN_BF16 = 30 };

typedef struct en_type {
  const char *name;    /* "Q4_0" */
  int32_t id;          /* ggml type id */
  int32_t block;       /* elements per block */
  int32_t block_bytes;
  const char *fields;  /* see above; the units sum to block_bytes */
  void (*arrange)(uint8_t *block); /* NULL, or bits that change places inside a block before it is interleaved; its own inverse (arrange.h) */
  void (*decode)(float *y, const void *blocks, int64_t n);       /* n elements, a multiple of block */
  void (*encode)(void *blocks, const float *x, int64_t n, const float *importance /* [n] or NULL: weights of the squared error */);
} en_type;

#define EN_TYPE(name) extern const en_type en_type_##name;
#include "quant.def"
#undef EN_TYPE
const en_type *en_type_by_id(int32_t id);         /* NULL: unknown */
const en_type *en_type_by_name(const char *name); /* any case; NULL: unknown */
const en_type *en_type_at(int32_t i);             /* in list order; NULL past the end */

/* Pack one group in place: `rows` are EN_R plain rows of n_blocks blocks one after another. scratch: EN_R * n_blocks * block_bytes. */
void en_pack_group(const en_type *t, void *rows, int32_t n_blocks, void *scratch);
/* Plain blocks [b0, b1) of row r (0..15) of a packed group. `row` gets (b1-b0) * block_bytes. */
void en_unpack_row(const en_type *t, void *row, const void *group, int32_t r, int32_t b0, int32_t b1);
#endif

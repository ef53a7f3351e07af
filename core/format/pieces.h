/* pieces.h - how several files together stand for one GGUF file (hf.h, split.h): its data in order, piece by piece. Gaps (padding) are zeros. */
#ifndef EN_PIECES_H
#define EN_PIECES_H
#include "../base/base.h"

typedef struct { const void *bytes; size_t n_bytes; } en_bytes;
enum { EN_MAX_SHARDS = 1024 };
/* n_from bytes at `from` of file `shard` become n_to bytes at `to` of the data. plain: they are the same bytes; else they are to be converted whole.
 * shard EN_MADE: there is no source, they are made from nothing. */
enum { EN_MADE = -1 };
typedef struct { int32_t shard, plain; uint64_t from, n_from, to, n_to; } en_file_piece;
#endif

/* split.h - a model in several GGUF files (name-00001-of-00003.gguf; keys split.no, split.count, split.tensors.count) as one: its head, and where the data lie.
 * Format: llama.cpp (tools/gguf-split), restated: the first file has the metadata, tensors are spread over all of them in order. */
#ifndef EN_SPLIT_H
#define EN_SPLIT_H
#include "gguf_write.h"
#include "pieces.h"

typedef struct en_split { en_gguf *shards; uint32_t n_shards; } en_split;
/* Files that a scanned head says there are; 1: it is not split. EN_E_FORMAT: the key is nonsense. */
int32_t en_split_count(const en_gguf *g, uint32_t *n, en_why *why);
/* Memory for the tables; heads: of all files in order, whole. 0: they cannot be read. */
size_t en_split_bytes(const en_bytes *heads, uint32_t n);
int32_t en_split_init(en_split **out, void *mem, size_t mem_bytes, const en_bytes *heads, uint32_t n, en_why *why); /* heads kept */
size_t en_split_head(const en_split *s, void *dst, size_t cap);               /* as en_hf_head */
int en_split_piece_at(const en_split *s, uint32_t i, en_file_piece *out);     /* piece i is tensor i; 0 past the end */
#endif

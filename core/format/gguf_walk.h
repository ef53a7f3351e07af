/* gguf_walk.h - one step of a walk through a GGUF head: private to core/format, shared by scan, index and lookup, so that
 * all three read the same bytes the same way. */
#ifndef EN_GGUF_WALK_H
#define EN_GGUF_WALK_H
#include "gguf.h"

/* `at` <= n and <= EN_GGUF_MAX_HEAD always. why may be NULL. */
typedef struct { const uint8_t *head; uint64_t at, n; en_why *why; } en_gguf_walk;

enum { EN_GGUF_HEADER_BYTES = 24 };

/* Read the pair at the cursor and step over it. skips: NULL or the scanned head's. */
int32_t en_gguf_next_kv(en_gguf_walk *w, const en_gguf *skips, en_gguf_kv *kv);
/* Read the tensor at the cursor: everything but `offset`'s place in the file is checked. */
int32_t en_gguf_next_tensor(en_gguf_walk *w, en_gguf_tensor *t);
#endif

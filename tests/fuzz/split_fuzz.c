/* Any bytes as the heads of a model in several GGUF files ("u32 length, bytes" each). What is accepted must give a head that can be scanned and pieces that fill it. */
#include "../../core/format/split.h"
#include <stdlib.h>

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST = 4, MOST_MEMORY = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  en_bytes heads[MOST];
  uint32_t count = 0;
  for (const uint8_t *p = data, *end = data + n; end - p >= 4 && count < MOST; count++) {
    const size_t k = EN_MIN(en_rd32(p), (size_t)(end - p) - 4);
    heads[count] = (en_bytes){p + 4, k};
    p += 4 + k;
  }
  en_split *s;
  en_gguf g;
  en_file_piece p;
  const size_t need = en_split_bytes(heads, count);
  if (!need || need > MOST_MEMORY) return 0;
  void *mem = aligned_alloc(EN_ALIGN, need);
  if (mem && en_split_init(&s, mem, need, heads, count, NULL) == EN_OK) {
    const size_t n_head = en_split_head(s, NULL, 0);
    void *head = malloc(n_head);
    if (head) REQUIRE(en_split_head(s, head, n_head) == n_head);
    if (head && en_gguf_scan(&g, head, n_head, NULL) == EN_OK) {
      uint64_t at = 0;
      uint32_t i = 0;
      for (; en_split_piece_at(s, i, &p); i++) {
        REQUIRE(p.to >= at && p.to - at < 32 && p.plain && p.n_from == p.n_to && p.shard < (int32_t)count);
        at = p.to + p.n_to;
      }
      REQUIRE(i == g.n_tensors && g.data_offset + at == g.file_bytes);
    }
    free(head);
  }
  free(mem);
  return 0;
}

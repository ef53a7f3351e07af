/* Any bytes as the files of a Hugging Face folder: "u32 length, text" for each of the texts, then the same for heads of safetensors files. What is accepted
 * must give a head that the GGUF reader takes, and pieces that fill its data in order and can be converted. */
#include "../../core/format/hf.h"
#include <stdlib.h>

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST_SHARDS = 4, MOST_MEMORY = 64 << 20, MOST_TENSOR = 1 << 16 };

static en_bytes take(const uint8_t **p, const uint8_t *end) {
  if (end - *p < 4) return (en_bytes){NULL, 0};
  const size_t n = EN_MIN(en_rd32(*p), (size_t)(end - *p) - 4);
  const en_bytes out = {n ? *p + 4 : NULL, n};
  *p += 4 + n;
  return out;
}

static void check_pieces(const en_hf *h, const en_gguf *g) {
  en_file_piece p;
  uint64_t at = 0;
  for (uint32_t i = 0; en_hf_piece_at(h, i, &p); i++) {
    REQUIRE(p.to >= at && p.to - at < 32 && p.n_to && p.to + p.n_to <= g->file_bytes - g->data_offset);
    REQUIRE(!p.plain || p.n_from == p.n_to);
    at = p.to + p.n_to;
    if (p.n_to > MOST_TENSOR || p.n_from > MOST_TENSOR) continue;
    void *from = calloc(1, (size_t)p.n_from + 1), *to = malloc((size_t)p.n_to);
    if (from && to) en_hf_convert(h, i, to, from);
    free(from);
    free(to);
  }
  REQUIRE(g->data_offset + at == g->file_bytes || !g->n_tensors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const uint8_t *p = data, *end = data + n;
  en_bytes shards[MOST_SHARDS];
  en_hf_files files = {.shards = shards, .name = "fuzz"};
  en_hf *h;
  en_gguf g;
  for (int32_t i = 0; i < EN_HF_TEXTS; i++) files.texts[i] = take(&p, end);
  while (p < end && files.n_shards < MOST_SHARDS && end - p >= 4) shards[files.n_shards++] = take(&p, end);
  const size_t need = en_hf_bytes(&files);
  if (!need || need > MOST_MEMORY) return 0;
  void *mem = aligned_alloc(EN_ALIGN, need);
  if (mem && en_hf_init(&h, mem, need, &files, NULL) == EN_OK) {
    const size_t n_head = en_hf_head(h, NULL, 0);
    void *head = n_head < MOST_MEMORY ? malloc(n_head) : NULL;
    if (head) {
      REQUIRE(en_hf_head(h, head, n_head) == n_head);
      const int32_t status = en_gguf_scan(&g, head, n_head, NULL);
      if (status == EN_OK) check_pieces(h, &g);
      else REQUIRE(status == EN_E_FORMAT);
    }
    free(head);
  }
  free(mem);
  return 0;
}

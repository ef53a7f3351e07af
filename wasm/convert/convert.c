/* convert.c - convert.wasm: several files as the one GGUF file that they stand for, Hugging Face folders (core/format/hf.h) and split models (core/format/split.h). A module of
 * its own, because few pages need it. JavaScript (js-glue/parts.js) reads the files; here is what to make of them: their head, where the data lie, and the tensors that change.
 * The border is as flat as that of exports.c; one instance is one model, so the words below are the state of that instance. */
#include "../../core/format/hf.h"
#include "../../core/format/split.h"
#include <stdlib.h>

static en_why why;
static en_hf_files files;
static en_bytes heads[EN_MAX_SHARDS];
static en_hf *hf;
static en_split *split;
static uint8_t *head;
static double mail[8];

void *c_alloc(uint32_t n_bytes) { return aligned_alloc(EN_ALIGN, EN_MAX(EN_ALIGN, ((size_t)n_bytes + EN_ALIGN - 1) / EN_ALIGN * EN_ALIGN)); }
void c_free(void *block) { free(block); }
const char *c_why(void) { return why.text; }
double *c_mail(void) { return mail; }
const char *c_text_name(int32_t i) { return en_hf_file_name(i); } /* NULL past the last */

/* The bytes, of c_alloc, stay where they are. */
void c_text(int32_t i, const void *bytes, uint32_t n_bytes) { files.texts[i] = (en_bytes){bytes, n_bytes}; }
int32_t c_shard(const void *bytes, uint32_t n_bytes) {
  if (files.n_shards == EN_MAX_SHARDS) return en_fail(&why, EN_E_FORMAT, "the model is in more than %d files", EN_MAX_SHARDS);
  heads[files.n_shards++] = (en_bytes){bytes, n_bytes};
  return EN_OK;
}
/* Is this the whole head of a GGUF file? EN_E_MORE: it goes on. */
int32_t c_scan(const void *bytes, uint32_t n_bytes) {
  en_gguf g;
  return en_gguf_scan(&g, bytes, n_bytes, &why);
}

static size_t put_head(void *dst, size_t cap) { return hf ? en_hf_head(hf, dst, cap) : en_split_head(split, dst, cap); }

/* name: of a folder, NULL of a split model. mail: head, its bytes, bytes of the whole file. */
int32_t c_open(const char *name) {
  en_gguf g;
  files.shards = heads;
  files.name = name;
  const size_t n = name ? en_hf_bytes(&files) : en_split_bytes(heads, files.n_shards);
  void *mem = n ? c_alloc((uint32_t)n) : NULL;
  EN_TRY(name ? en_hf_init(&hf, mem, n, &files, &why) : en_split_init(&split, mem, n, heads, files.n_shards, &why));
  const size_t n_head = put_head(NULL, 0);
  head = c_alloc((uint32_t)n_head);
  if (!head) return en_fail(&why, EN_E_NOMEM, "no memory for a head of %z bytes", (uint64_t)n_head);
  put_head(head, n_head);
  EN_TRY(en_gguf_scan(&g, head, n_head, &why));
  mail[0] = (double)(uintptr_t)head;
  mail[1] = (double)n_head;
  mail[2] = (double)g.file_bytes;
  return EN_OK;
}

/* mail: shard (-1: made from nothing), plain, from, bytes there, place in the data, bytes there. 0 past the last one. */
int32_t c_piece(uint32_t i) {
  en_file_piece p;
  if (!(hf ? en_hf_piece_at(hf, i, &p) : en_split_piece_at(split, i, &p))) return 0;
  const double all[] = {p.shard, p.plain, (double)p.from, (double)p.n_from, (double)p.to, (double)p.n_to};
  memcpy(mail, all, sizeof all);
  return 1;
}
void c_convert(uint32_t i, void *dst, const void *src) { en_hf_convert(hf, i, dst, src); }

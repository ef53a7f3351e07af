/* vocab_file.c - what a tokenizer needs of a scanned head. It takes no memory but the struct itself, so that en_tokenizer_bytes can
 * work before any is lent. Keys and their meaning: GGUF specification, "Tokenizer". */
#include "text.h"

/* An array of `n` elements (0: any number) of one of two kinds; an absent one leaves *out empty. */
static int32_t array(const en_vocab_file *f, const char *key, uint32_t kind, uint32_t other_kind, uint64_t n, en_value *out, en_why *why) {
  en_value v;
  if (!en_gguf_get(&f->g, key, &v)) return EN_OK;
  if (v.type != EN_GGUF_ARR || (v.elem_type != kind && v.elem_type != other_kind)) return en_fail(why, EN_E_FORMAT, "the key %s is not an array of the right kind", key);
  if (n && v.n != n) return en_fail(why, EN_E_FORMAT, "the key %s has %z entries for %z tokens", key, v.n, n);
  *out = v;
  return EN_OK;
}

int32_t en_vocab_file_read(en_vocab_file *f, const void *image, size_t n_head_bytes, en_why *why) {
  *f = (en_vocab_file){0};
  EN_TRY(en_gguf_scan(&f->g, image, n_head_bytes, why));
  const int32_t status = en_gguf_str(&f->g, "tokenizer.ggml.model", &f->model, &f->model_bytes, why);
  if (status == EN_E_ARG) return en_fail(why, EN_E_UNSUPPORTED, "the file has no tokenizer (no tokenizer.ggml.model)");
  EN_TRY(status);
  EN_TRY(array(f, "tokenizer.ggml.tokens", EN_GGUF_STR, EN_GGUF_STR, 0, &f->tokens, why));
  if (!f->tokens.n) return en_fail(why, EN_E_UNSUPPORTED, "the file has no vocabulary (no tokenizer.ggml.tokens)");
  EN_TRY(array(f, "tokenizer.ggml.merges", EN_GGUF_STR, EN_GGUF_STR, 0, &f->merges, why));
  if (f->tokens.n >= EN_MAX_VOCAB || f->merges.n >= EN_MAX_VOCAB)
    return en_fail(why, EN_E_UNSUPPORTED, "%z tokens and %z merges are more than the %u that we take", f->tokens.n, f->merges.n, EN_MAX_VOCAB - 1);
  EN_TRY(array(f, "tokenizer.ggml.scores", EN_GGUF_F32, EN_GGUF_F32, f->tokens.n, &f->scores, why));
  return array(f, "tokenizer.ggml.token_type", EN_GGUF_I32, EN_GGUF_U32, f->tokens.n, &f->types, why);
}

int32_t en_vocab_file_id(const en_vocab_file *f, const char *key, int32_t fallback, int32_t *id, en_why *why) {
  en_value v;
  double n = fallback;
  if (en_gguf_get(&f->g, key, &v)) {
    if (v.type > EN_GGUF_I32 && v.type != EN_GGUF_U64 && v.type != EN_GGUF_I64) return en_fail(why, EN_E_FORMAT, "the key %s is not an integer", key);
    n = en_value_num(&v, 0);
  }
  /* Files in the wild name ids that their vocabulary lacks (of padding above all, also as -1): such a token does not exist. */
  *id = n >= 0 && n < (double)f->tokens.n ? (int32_t)n : -1;
  return EN_OK;
}

/* en_normal.h - normal forms of Unicode (UAX 15), which some vocabularies want their text in. en_encode takes text as it is: whoever has a file with such a vocabulary calls
 * en_normal_text before it. The rules of en.h hold. The wasm engines do without it, JavaScript has String.prototype.normalize. */
#ifndef EN_NORMAL_H
#define EN_NORMAL_H
#include "en.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EN_NORMAL_NONE, EN_NORMAL_NFC, EN_NORMAL_NFD, EN_NORMAL_NFKC, EN_NORMAL_NFKD } en_normal;
/* What a file's head asks for (tokenizer.ggml.normalizer.form). EN_E_UNSUPPORTED: another one. */
int32_t en_normal_of_head(const void *image, size_t n_head_bytes, en_normal *form, en_why *why);
size_t en_normal_bytes(en_normal form, const char *utf8, size_t n_bytes); /* scratch for this text */
/* form: not NONE. Bytes that are no UTF-8 stay what they are. *n_out is the number needed even on EN_E_FULL, which leaves what fits. */
int32_t en_normal_text(en_normal form, const char *utf8, size_t n_bytes, char *out, size_t cap, size_t *n_out, void *scratch, size_t scratch_bytes);

#ifdef __cplusplus
}
#endif
#endif

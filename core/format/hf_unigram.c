/* hf_unigram.c - what hf_vocab.c needs to know of SentencePiece's unigram vocabularies (T5, XLM-R, multilingual E5): their table of characters, which tokenizer.json
 * has in base64 (RFC 4648), and whether blanks are merged. */
#include "hf.h"

static int pre_step(const en_hf *h, int32_t i, en_json *step) { return en_hf_step(en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER), "pre_tokenizer"), "pretokenizers", i, step); }

int32_t en_hf_unigram_check(const en_hf *h, en_why *why) {
  en_json step;
  int table = 0;
  for (int32_t i = 0; en_hf_normal_step(h, i, &step); i++) table |= en_hf_step_is(step, "Precompiled"); /* it makes all blanks spaces, and we part words at spaces only */
  for (int32_t i = 0; pre_step(h, i, &step); i++)
    if (!(table && en_hf_step_is(step, "WhitespaceSplit")) && !en_hf_step_is(step, "Metaspace")) return en_fail(why, EN_E_UNSUPPORTED, "tokenizer.json: its pre_tokenizer is none that we know");
  return EN_OK;
}

/* Base64 as bytes; what is no base64 ends it. */
static void put_base64(en_writer *w, en_json text) {
  const char *cursor = NULL;
  char c[4];
  uint32_t bits = 0, n = 0;
  while (en_json_char(text, &cursor, c) == 1) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *digit = memchr(digits, c[0], 64);
    if (!digit) return;
    bits = bits << 6 | (uint32_t)(digit - digits);
    if (++n % 4 == 1) continue;
    const uint8_t byte = (uint8_t)(bits >> (3 - (n - 1) % 4) * 2);
    en_put(w, &byte, 1);
  }
}

void en_hf_unigram_put(const en_hf *h, en_gguf_writer *g) {
  en_json step;
  int32_t merged = 0;
  for (int32_t i = 0; pre_step(h, i, &step); i++) merged |= en_hf_merges_blanks(step);
  for (int32_t i = 0; en_hf_normal_step(h, i, &step); i++) {
    en_writer count = {NULL, 0, 0};
    const en_json map = en_json_get(step, "precompiled_charsmap");
    merged |= en_hf_merges_blanks(step);
    put_base64(&count, map);
    if (!count.n) continue;
    en_gguf_key_array(g, "tokenizer.ggml.precompiled_charsmap", EN_GGUF_U8, count.n);
    put_base64(&g->w, map);
  }
  en_gguf_key_bool(g, "tokenizer.ggml.remove_extra_whitespaces", merged);
}

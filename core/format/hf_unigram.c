/* hf_unigram.c - what hf_vocab.c needs to know of SentencePiece's unigram vocabularies (T5, XLM-R, multilingual E5): their table of characters, which tokenizer.json
 * has in base64 (RFC 4648), and whether blanks are merged. */
#include "hf.h"

/* The i-th of the steps that a normalizer or pre-tokenizer consists of; 0: there is none. */
static int step_of(en_json v, const char *list, int32_t i, en_json *step) {
  const en_json steps = en_json_get(v, list);
  const char *cursor = NULL;
  en_json none;
  if (en_json_kind_of(steps) != EN_JSON_ARRAY) {
    *step = v;
    return i == 0 && en_json_kind_of(v) == EN_JSON_OBJECT;
  }
  while (en_json_next(steps, &cursor, &none, step))
    if (!i--) return 1;
  return 0;
}
static en_json part(const en_hf *h, const char *name) { return en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER), name); }

static int is_any(en_json step, const char *const *types, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    if (en_json_is(en_json_get(step, "type"), types[i])) return 1;
  return 0;
}

/* Replace: of several blanks. */
static int merges_blanks(en_json step) { return en_json_is(en_json_get(step, "type"), "WhitespaceSplit") || en_json_is(en_json_get(en_json_get(step, "pattern"), "Regex"), " {2,}"); }

int32_t en_hf_unigram_check(const en_hf *h, en_why *why) {
  static const char *const normal[] = {"Precompiled", "Strip"}, *const pre[] = {"WhitespaceSplit", "Metaspace"};
  en_json step;
  for (int32_t i = 0; step_of(part(h, "normalizer"), "normalizers", i, &step); i++)
    if (!is_any(step, normal, EN_COUNT(normal)) && !merges_blanks(step)) return en_fail(why, EN_E_UNSUPPORTED, "tokenizer.json: its normalizer is none that we know");
  for (int32_t i = 0; step_of(part(h, "pre_tokenizer"), "pretokenizers", i, &step); i++)
    if (!is_any(step, pre, EN_COUNT(pre))) return en_fail(why, EN_E_UNSUPPORTED, "tokenizer.json: its pre_tokenizer is none that we know");
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
  for (int32_t i = 0; step_of(part(h, "pre_tokenizer"), "pretokenizers", i, &step); i++) merged |= merges_blanks(step);
  for (int32_t i = 0; step_of(part(h, "normalizer"), "normalizers", i, &step); i++) {
    en_writer count = {NULL, 0, 0};
    const en_json map = en_json_get(step, "precompiled_charsmap");
    merged |= merges_blanks(step);
    put_base64(&count, map);
    if (!count.n) continue;
    en_gguf_key_array(g, "tokenizer.ggml.precompiled_charsmap", EN_GGUF_U8, count.n);
    put_base64(&g->w, map);
  }
  en_gguf_key_bool(g, "tokenizer.ggml.remove_extra_whitespaces", merged);
}

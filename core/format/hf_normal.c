/* hf_normal.c - the normalizer of tokenizer.json: what a text goes through before it is cut. Each kind of vocabulary has its own steps, which our tokenizer of that kind does
 * too; any vocabulary but WordPiece may want a normal form of Unicode besides, which goes into the head for whoever calls the tokenizer (en_normal.h). */
#include "hf.h"

int en_hf_step(en_json v, const char *list, int32_t i, en_json *step) {
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

int en_hf_step_is(en_json step, const char *type) { return en_json_is(en_json_get(step, "type"), type); }

int en_hf_merges_blanks(en_json step) { return en_hf_step_is(step, "WhitespaceSplit") || en_json_is(en_json_get(en_json_get(step, "pattern"), "Regex"), " {2,}"); }

int en_hf_normal_step(const en_hf *h, int32_t i, en_json *step) { return en_hf_step(en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER), "normalizer"), "normalizers", i, step); }

static const char *form_of(en_json step) {
  static const char *const forms[] = {"NFC", "NFD", "NFKC", "NFKD"};
  for (int32_t i = 0; i < EN_COUNT(forms); i++)
    if (en_hf_step_is(step, forms[i])) return forms[i];
  return NULL;
}

static int is_known(const en_hf *h, en_json step) {
  static const char *const known[][2] = {[EN_HF_BPE] = {"", ""}, [EN_HF_SPM] = {"Prepend", "Replace"}, [EN_HF_WORDPIECE] = {"BertNormalizer", ""}, [EN_HF_UNIGRAM] = {"Precompiled", "Strip"}};
  const uint32_t kind = h->vocab.kind;
  return en_hf_step_is(step, known[kind][0]) || en_hf_step_is(step, known[kind][1]) || (kind == EN_HF_UNIGRAM && en_hf_merges_blanks(step));
}

int32_t en_hf_normal_check(const en_hf *h, en_why *why) {
  en_json step;
  const char *form = NULL;
  for (int32_t i = 0; en_hf_normal_step(h, i, &step); i++) {
    const char *its = h->vocab.kind == EN_HF_WORDPIECE ? NULL : form_of(step);
    size_t n = 0;
    const char *type = en_json_raw(en_json_get(step, "type"), &n);
    if ((its && form) || (!its && !is_known(h, step))) return en_fail(why, EN_E_UNSUPPORTED, "tokenizer.json: its normalizer has the step \"%S\", which we do not know there", n, type ? type : "");
    if (its) form = its;
  }
  return EN_OK;
}

void en_hf_normal_put(const en_hf *h, en_gguf_writer *g) {
  en_json step;
  for (int32_t i = 0; en_hf_normal_step(h, i, &step); i++)
    if (h->vocab.kind != EN_HF_WORDPIECE && form_of(step)) en_gguf_key_text(g, "tokenizer.ggml.normalizer.form", form_of(step));
}

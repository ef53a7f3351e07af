/* hf_rule.c - by which rule a byte-level BPE vocabulary cuts texts into words: tokenizer.json spells it as a list of pre-tokenizers, most of them regular expressions; each rule
 * of core/text/pretokenizers.def that published folders use is known here by that list. Source: the tokenizer.json of the models named in the list; llama.cpp tells which of its names each has. */
#include "hf.h"

enum { MAX_STEPS = 6 };
#define MORE "\xe2\x80\xa6" /* at the end of a step: whatever follows (characters that are written out one by one) */
#define ENDINGS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS ENDINGS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
#define BLANKS "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define OTHERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" BLANKS
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(ENDING) "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" ENDING "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" ENDING "|\\p{N}"
#define PATHS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" BLANKS
#define MARKS "\\p{P}\\p{S}"
#define EASTERN "[\xe4\xb8\x80-\xe9\xbe\xa5\xe0\xa0\x80-\xe4\xb8\x80\xea\xb0\x80-\xed\x9f\xbf]+"     /* U+4E00-9FA5, U+0800-4E00, U+AC00-D7FF */
#define HAN_AND_KANA "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+" /* U+4E00-9FA5, U+3040-309F, U+30A0-30FF */
static const char words_of_gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
static const char digits[] = "Digits"; /* the pre-tokenizer of that name, each digit apart */

static const struct { const char *name, *steps[MAX_STEPS]; } rules[] = {
  {"llama-bpe", {WORDS "{1,3}" OTHERS}},                     /* Llama 3 */
  {"qwen2", {WORDS OTHERS}},
  {"gpt-2", {words_of_gpt2}},
  {"smollm", {digits, words_of_gpt2}},                       /* StarCoder, too */
  {"gpt-4o", {CASED(ENDINGS "?") "{1,3}" PATHS}},            /* o200k: GPT-4o, Phi 4 mini, Llama 4 */
  {"tekken", {CASED("") PATHS}},                             /* Mistral Nemo */
  {"deepseek-llm", {"[\\r\\n]", "\\s?[A-Za-z\xc2\xb5\xc3\x80-" MORE, "\\s?[!-/:-~" MORE, "\\s+$", EASTERN, digits}}, /* DeepSeek LLM and V2 */
  {"deepseek-coder", {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", EASTERN, digits}},
  {"deepseek-v3", {"\\p{N}{1,3}", HAN_AND_KANA, "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}" MARKS "]?[\\p{L}\\p{M}]+| ?[" MARKS "]+[\\r\\n]*" BLANKS}}};

/* Whether the expression is spelled so; ends of lines may stand in it as they are or as \r and \n. */
static int is_spelled(en_json regex, const char *text) {
  const char *cursor = NULL;
  char piece[4];
  for (int32_t n; (n = en_json_char(regex, &cursor, piece)) > 0;) {
    if (!strcmp(text, MORE)) return 1;
    const int is_end = n == 1 && (piece[0] == '\r' || piece[0] == '\n');
    const size_t k = is_end ? 2 : (size_t)n;
    if (strncmp(text, is_end ? (piece[0] == '\r' ? "\\r" : "\\n") : piece, k)) return 0;
    text += k;
  }
  return !*text;
}

static int is_step(en_json p, const char *step) {
  if (en_hf_step_is(p, "ByteLevel")) return step == words_of_gpt2;
  if (en_hf_step_is(p, "Digits")) return step == digits && en_json_kind_of(en_json_get(p, "individual_digits")) == EN_JSON_TRUE;
  return en_hf_step_is(p, "Split") && is_spelled(en_json_get(en_json_get(p, "pattern"), "Regex"), step);
}
static int only_spells_bytes(en_json p) { return en_hf_step_is(p, "ByteLevel") && en_json_kind_of(en_json_get(p, "use_regex")) == EN_JSON_FALSE; }

const char *en_hf_rule(const en_hf *h) {
  const en_json all = en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER), "pre_tokenizer");
  for (int32_t r = 0; r < EN_COUNT(rules); r++) {
    en_json p;
    int32_t n = 0, same = 1;
    for (int32_t i = 0; same && en_hf_step(all, "pretokenizers", i, &p); i++)
      if (!only_spells_bytes(p)) {
        same = n < MAX_STEPS && rules[r].steps[n] && is_step(p, rules[r].steps[n]);
        n++;
      }
    if (same && n && (n == MAX_STEPS || !rules[r].steps[n])) return rules[r].name;
  }
  return NULL;
}

/* special.c - tokens with a meaning of their own. Control tokens (<|im_end|>) and user-defined ones are cut out of a text before it
 * is tokenized: at each place the longest one that fits. They are kept sorted by text, so that looking for one narrows a range
 * byte by byte; a place whose first byte begins none costs one look. */
#include "text.h"

static int is_marked(uint32_t type) { return en_token_is_hidden(type) || type == EN_TOKEN_USER_DEFINED; }

uint32_t en_special_count(const en_vocab_file *f) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < f->tokens.n; i++) n += (uint32_t)is_marked(en_vocab_file_type(f, i));
  return n;
}

/* By text, equal texts by id. */
static int comes_before(const en_tokenizer *t, int32_t a, int32_t b) {
  size_t na, nb;
  const char *ta = en_token_text(t, a, &na), *tb = en_token_text(t, b, &nb);
  const int order = memcmp(ta, tb, EN_MIN(na, nb));
  return order ? order < 0 : na != nb ? na < nb : a < b;
}

static void sift(const en_tokenizer *t, uint32_t i, uint32_t n) {
  int32_t *v = t->marked, moving = v[i];
  for (uint32_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
    if (child + 1 < n && comes_before(t, v[child], v[child + 1])) child++;
    if (!comes_before(t, moving, v[child])) break;
    v[i] = v[child];
    i = child;
  }
  v[i] = moving;
}

static void sort(const en_tokenizer *t) { /* a heap sort: no memory, no bad case */
  for (uint32_t i = t->n_marked / 2; i-- > 0;) sift(t, i, t->n_marked);
  for (uint32_t n = t->n_marked; n > 1; n--) {
    const int32_t top = t->marked[0];
    t->marked[0] = t->marked[n - 1];
    t->marked[n - 1] = top;
    sift(t, 0, n - 1);
  }
}

static void gather(en_tokenizer *t) {
  for (int32_t i = 0; i < (int32_t)t->special.n_vocab; i++) {
    size_t n;
    en_token_text(t, i, &n);
    if (n && is_marked(en_token_type(t, i))) t->marked[t->n_marked++] = i;
  }
  sort(t);
  for (uint32_t i = 0, byte = 0; byte <= 256; byte++) {
    size_t n;
    while (i < t->n_marked && (uint8_t)*en_token_text(t, t->marked[i], &n) < byte) i++;
    t->marked_from[byte] = i;
  }
}

static int has(const en_vocab_file *f, const char *key, const char *word) { /* in lower case */
  const char *s;
  uint64_t n;
  const size_t length = strlen(word);
  if (en_gguf_str(&f->g, key, &s, &n, NULL) != EN_OK) return 0;
  for (uint64_t i = 0; i + length <= n; i++) {
    size_t k = 0;
    while (k < length && (s[i + k] >= 'A' && s[i + k] <= 'Z' ? s[i + k] + 32 : s[i + k]) == word[k]) k++;
    if (k == length) return 1;
  }
  return 0;
}

static void set_strip(en_tokenizer *t, const char *text, uint8_t flag, int on) {
  const int32_t id = en_token_find(t, text, strlen(text));
  if (id >= 0) t->attributes[id] = (uint8_t)(on ? t->attributes[id] | flag : t->attributes[id] & ~flag);
}

/* GGUF has no key for it: like llama.cpp, know the families whose tokenizers swallow blanks next to special tokens. */
static const struct { const char *key, *word, *token; } lstrips[] = {
  {"tokenizer.ggml.pre", "jina-v2-", "<mask>"}, {"general.architecture", "nomic-bert-moe", "<mask>"}, {"general.architecture", "jina-bert-v3", "<mask>"},
  {"tokenizer.ggml.pre", "modern-bert", "[MASK]"}, {"general.name", "modern-bert", "[MASK]"},
};
static const char *const phi3_names[] = {"phi-3", "phi3"}, *const phi3_keeps[] = {"<unk>", "<s>", "<|endoftext|>"};

static void init_strips(en_tokenizer *t, const en_vocab_file *f) {
  int phi3 = 0;
  for (int32_t i = 0; i < EN_COUNT(lstrips); i++)
    if (has(f, lstrips[i].key, lstrips[i].word)) set_strip(t, lstrips[i].token, EN_TOKEN_LSTRIP, 1);
  for (int32_t i = 0; i < EN_COUNT(phi3_names); i++) phi3 |= has(f, "general.name", phi3_names[i]);
  if (!phi3) return;
  for (uint32_t i = 0; i < t->n_marked; i++) t->attributes[t->marked[i]] |= EN_TOKEN_RSTRIP;
  for (int32_t i = 0; i < EN_COUNT(phi3_keeps); i++) set_strip(t, phi3_keeps[i], EN_TOKEN_RSTRIP, 0);
}

static void add_end(en_tokenizer *t, int32_t id) {
  for (int32_t i = 0; i < t->n_ends; i++)
    if (t->ends[i] == id) return;
  if (id >= 0 && t->n_ends < EN_MAX_ENDS) t->ends[t->n_ends++] = id;
}

static int32_t control(const en_tokenizer *t, const char *text) {
  const int32_t id = en_token_find(t, text, strlen(text));
  return id >= 0 && en_token_type(t, id) == EN_TOKEN_CONTROL ? id : -1;
}

#define DEEPSEEK_END "<\xef\xbd\x9c" "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>" /* with U+FF5C and U+2581 */

/* Files often name only one of their ends. The first of these names that is a control token is also the end of a turn. */
static void init_ends(en_tokenizer *t) {
  static const char *const turn_ends[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<turn|>", "<end_of_utterance>", "<EOT>", "[EOT]", "<|endoftext|>"};
  static const char *const other_ends[] = {"<|end_of_text|>", "<|return|>", "<|call|>", "</s>", "[EOS]", DEEPSEEK_END};
  const int end_closes_a_channel = control(t, "<|return|>") >= 0; /* gpt-oss: <|end|> only ends one of an answer's messages */
  for (int32_t i = 0; i < EN_COUNT(turn_ends); i++) {
    const int32_t id = control(t, turn_ends[i]);
    if (id < 0 || (end_closes_a_channel && !strcmp(turn_ends[i], "<|end|>"))) continue;
    if (t->special.eot < 0) t->special.eot = id;
    add_end(t, id);
  }
  for (int32_t i = 0; i < EN_COUNT(other_ends); i++) add_end(t, control(t, other_ends[i]));
  if (t->special.eom < 0) t->special.eom = control(t, "<|eom_id|>");
  add_end(t, t->special.eos);
  add_end(t, t->special.eot);
  add_end(t, t->special.eom);
}

/* A key whose value is true, false or absent. */
static int32_t flag(const en_vocab_file *f, const char *key, int32_t *out, en_why *why) {
  const int32_t status = en_gguf_bool(&f->g, key, out, why);
  return status == EN_E_ARG ? EN_OK : status;
}

/* Files of encoders name [CLS] and [SEP]; some name them once more as begin and end of a text, or those alone. */
static void init_wrap(en_special *s) {
  s->add_eos = 1;
  s->bos = s->cls = s->cls < 0 ? s->bos : s->cls;
  s->eos = s->sep = s->sep < 0 ? s->eos : s->sep;
}

/* Between two texts BERT has the [SEP] that ends the first one. RoBERTa and its kin have one more: files tell, older ones by closing texts on both sides. */
static int32_t init_pair(en_tokenizer *t, const en_vocab_file *f, en_why *why) {
  en_special *s = &t->special;
  s->add_sep = s->add_bos && s->add_eos;
  EN_TRY(flag(f, "tokenizer.ggml.add_sep_token", &s->add_sep, why));
  if (t->kind->wraps) s->add_sep = 0;
  if (s->add_sep && s->sep < 0) s->sep = s->eos;
  if (s->sep < 0) s->add_sep = 0;
  return EN_OK;
}

int32_t en_special_init(en_tokenizer *t, const en_vocab_file *f, en_why *why) {
  en_special *s = &t->special;
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.bos_token_id", t->kind->bos, &s->bos, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.eos_token_id", t->kind->eos, &s->eos, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.unknown_token_id", t->kind->unk, &s->unk, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.eot_token_id", -1, &s->eot, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.eom_token_id", -1, &s->eom, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.seperator_token_id", -1, &s->sep, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.padding_token_id", -1, &s->pad, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.cls_token_id", -1, &s->cls, why));
  EN_TRY(en_vocab_file_id(f, "tokenizer.ggml.mask_token_id", -1, &s->mask, why));
  EN_TRY(flag(f, "tokenizer.ggml.add_bos_token", &s->add_bos, why));
  EN_TRY(flag(f, "tokenizer.ggml.add_eos_token", &s->add_eos, why));
  EN_TRY(flag(f, "tokenizer.ggml.add_space_prefix", &t->space_prefix, why));
  if (t->kind->wraps) init_wrap(s);
  if (s->bos < 0) s->add_bos = 0;
  if (s->eos < 0) s->add_eos = 0;
  EN_TRY(init_pair(t, f, why));
  gather(t);
  init_strips(t, f);
  init_ends(t);
  return EN_OK;
}

/* The longest marked token that text[0..n) begins with. */
static int32_t longest_at(const en_tokenizer *t, const char *text, size_t n, int all) {
  int32_t best = -1;
  uint32_t lo = t->marked_from[(uint8_t)text[0]], hi = t->marked_from[(uint8_t)text[0] + 1];
  for (size_t k = 1; lo < hi; k++) { /* marked[lo..hi) all begin with text[0..k) */
    size_t length;
    for (en_token_text(t, t->marked[lo], &length); length == k; en_token_text(t, t->marked[lo], &length)) {
      if (all || !en_token_is_hidden(en_token_type(t, t->marked[lo]))) best = t->marked[lo];
      if (++lo == hi) return best;
    }
    if (k == n) return best;
    for (uint32_t upper = hi; lo < upper;) { /* first one whose byte k is not below the text's */
      const uint32_t mid = lo + (upper - lo) / 2;
      if ((uint8_t)en_token_text(t, t->marked[mid], &length)[k] < (uint8_t)text[k]) lo = mid + 1;
      else upper = mid;
    }
    for (uint32_t lower = lo; lower < hi;) { /* first one whose byte k is above it */
      const uint32_t mid = lower + (hi - lower) / 2;
      if ((uint8_t)en_token_text(t, t->marked[mid], &length)[k] <= (uint8_t)text[k]) lower = mid + 1;
      else hi = mid;
    }
  }
  return best;
}

int32_t en_special_next(const en_tokenizer *t, const char *text, size_t n, size_t at, int all, size_t *start) {
  if (!t->n_marked) return -1;
  for (; at < n; at++) {
    const uint8_t first = (uint8_t)text[at];
    if (t->marked_from[first] == t->marked_from[first + 1]) continue;
    const int32_t id = longest_at(t, text + at, n - at, all);
    if (id >= 0) { *start = at; return id; }
  }
  return -1;
}

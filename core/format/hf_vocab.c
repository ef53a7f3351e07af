/* hf_vocab.c - tokenizer.json as GGUF's tokenizer keys: byte-level BPE ("gpt2"), BPE with byte fallback ("llama": the merges become scores),
 * WordPiece ("bert") and SentencePiece's unigram model ("t5", with hf_unigram.c; hf_rule.c, hf_normal.c). Source of the format: the tokenizers library; of the keys: docs/formats.md. */
#include "hf.h"

enum { BPE = EN_HF_BPE, SPM = EN_HF_SPM, WORDPIECE = EN_HF_WORDPIECE, UNIGRAM = EN_HF_UNIGRAM };
enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };
#define MAX_VOCAB ((uint32_t)1 << 22)
static const char SPACE_MARK[] = "\xe2\x96\x81";

static en_json model_of(const en_hf *h) { return en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER), "model"); }
static int is_true(en_json v) { return en_json_kind_of(v) == EN_JSON_TRUE; }

/* ---- tokens ---- */

/* The next token of the vocabulary, then of the added ones. */
typedef struct { const char *cursor, *added_cursor; en_json vocab, added; uint64_t n; } tokens_t;
static tokens_t tokens_of(const en_hf *h) { return (tokens_t){NULL, NULL, en_json_get(model_of(h), "vocab"), en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER), "added_tokens"), 0}; }
static int next_token(tokens_t *t, en_json *text, uint64_t *id, uint8_t *type, en_json *value) {
  en_json key, v;
  *type = NORMAL;
  while (en_json_next(t->vocab, &t->cursor, text, value)) { /* {text: id, ...} or, of unigram vocabularies, [[text, score], ...] */
    const char *inner = NULL;
    *id = t->n++;
    if (en_json_next(*value, &inner, &key, text) ? en_json_next(*value, &inner, &key, value) : en_json_u64(*value, id)) return 1;
  }
  while (en_json_next(t->added, &t->added_cursor, &key, &v)) {
    *text = en_json_get(v, "content");
    *type = is_true(en_json_get(v, "special")) ? CONTROL : USER_DEFINED;
    if (en_json_u64(en_json_get(v, "id"), id)) return 1;
  }
  return 0;
}

int32_t en_hf_vocab_scan(en_hf *h, en_why *why) {
  static const char *const kinds[] = {"BPE", "BPE", "WordPiece", "Unigram"};
  en_hf_vocab *v = &h->vocab;
  const en_json model = model_of(h), type = en_json_get(model, "type");
  const double wanted = en_hf_number(h, "vocab_size", 0);
  en_json text, value;
  uint64_t id, n = 0;
  uint8_t kind;
  size_t shown;
  if (en_json_kind_of(en_hf_text_of(h, EN_HF_TOKENIZER)) == EN_JSON_ABSENT) return en_hf_rwkv_vocab_check(h, why);
  v->kind = en_json_is(type, kinds[WORDPIECE]) ? WORDPIECE : en_json_kind_of(en_json_get(model, "vocab")) == EN_JSON_ARRAY ? UNIGRAM : is_true(en_json_get(model, "byte_fallback")) ? SPM : BPE;
  const char *name = en_json_raw(type, &shown);
  if (name && !en_json_is(type, kinds[v->kind])) return en_fail(why, EN_E_UNSUPPORTED, "tokenizer.json: vocabularies of the kind \"%S\" are not supported", shown, name);
  if (v->kind == BPE && !en_hf_rule(h)) return en_fail(why, EN_E_UNSUPPORTED, "tokenizer.json: its pre_tokenizer is none that we know");
  if (v->kind == UNIGRAM) EN_TRY(en_hf_unigram_check(h, why));
  EN_TRY(en_hf_normal_check(h, why));
  for (tokens_t t = tokens_of(h); next_token(&t, &text, &id, &kind, &value);) n = EN_MAX(n, EN_MIN(id, MAX_VOCAB) + 1);
  if (wanted >= 1) n = en_hf_u32(wanted); /* embeddings decide: there may be rows without a token */
  if (!n || n > MAX_VOCAB) return en_fail(why, EN_E_FORMAT, "a vocabulary of %z tokens is not possible", n);
  v->n = (uint32_t)n;
  v->n_scores = v->kind == SPM || v->kind == UNIGRAM ? v->n : 0;
  for (v->n_slots = v->kind == SPM ? 16 : 0; v->n_slots && v->n_slots < 2 * v->n;) v->n_slots *= 2;
  return EN_OK;
}

static uint64_t hash_text(uint64_t h, en_json text, char without) {
  const char *cursor = NULL;
  char piece[4];
  for (int32_t n; (n = en_json_char(text, &cursor, piece)) > 0;)
    if (n > 1 || piece[0] != without) h = en_hash64(h, piece, (size_t)n);
  return h;
}

/* The id of the token with that hash, or where it would be. */
static uint32_t *slot_of(const en_hf_vocab *v, uint64_t hash) {
  uint32_t i = (uint32_t)(hash ^ hash >> 32);
  for (;; i++) {
    uint32_t *slot = &v->slot[i & (v->n_slots - 1)];
    if (!*slot || v->hash[*slot - 1] == hash) return slot; /* at most half of them are taken */
  }
}

/* SPM joins the pair whose token has the highest score: minus the rank of the first merge that makes it. */
static void score(en_hf *h) {
  en_hf_vocab *v = &h->vocab;
  const en_json merges = en_json_get(model_of(h), "merges");
  const char *cursor = NULL;
  en_json none, m;
  memset(v->slot, 0, v->n_slots * sizeof *v->slot);
  for (uint32_t i = 0; i < v->n; i++) {
    v->hash[i] = hash_text(EN_HASH64, v->text[i], 0);
    v->score[i] = -1e9f;
    if (v->text[i].at) *slot_of(v, v->hash[i]) = i + 1;
  }
  for (uint32_t rank = 0; en_json_next(merges, &cursor, &none, &m); rank++) {
    const char *inner = NULL;
    en_json left, right;
    uint64_t hash = hash_text(EN_HASH64, m, ' ');
    if (en_json_next(m, &inner, &none, &left) && en_json_next(m, &inner, &none, &right)) hash = hash_text(hash_text(EN_HASH64, left, 0), right, 0);
    const uint32_t id = *slot_of(v, hash);
    if (id && v->score[id - 1] < -1e8f) v->score[id - 1] = -(float)rank;
  }
}

static int is_byte(en_json text) {
  size_t n;
  const char *p = en_json_raw(text, &n);
  return n == 6 && !memcmp(p, "<0x", 3) && p[5] == '>';
}

void en_hf_vocab_read(en_hf *h) {
  en_hf_vocab *v = &h->vocab;
  const en_json unknown = en_json_get(model_of(h), "unk_token");
  en_json text, value;
  uint64_t id, unknown_id;
  uint8_t type;
  size_t n_unknown, n;
  const char *unk = en_json_raw(unknown, &n_unknown);
  for (uint32_t i = 0; i < v->n; i++) v->text[i] = (en_json){NULL, NULL}, v->type[i] = UNUSED;
  for (uint32_t i = 0; i < v->n_scores; i++) v->score[i] = 0;
  for (tokens_t t = tokens_of(h); v->n && next_token(&t, &text, &id, &type, &value);) {
    double score;
    if (id >= v->n) continue;
    if (v->kind == UNIGRAM && type == NORMAL && en_json_number(value, &score)) v->score[id] = (float)score;
    const char *raw = en_json_raw(text, &n);
    if (v->kind == SPM && type == NORMAL && is_byte(text)) type = BYTE;
    if (v->kind == SPM && unk && raw && n == n_unknown && !memcmp(raw, unk, n)) type = UNKNOWN;
    v->text[id] = text;
    v->type[id] = type;
  }
  if (v->n_slots) score(h);
  if (v->kind == UNIGRAM && en_json_u64(en_json_get(model_of(h), "unk_id"), &unknown_id) && unknown_id < v->n) v->type[unknown_id] = UNKNOWN;
}

/* ---- special tokens ---- */

static int64_t id_of_text(const en_hf *h, en_json wanted) {
  if (en_json_kind_of(wanted) == EN_JSON_OBJECT) wanted = en_json_get(wanted, "content");
  if (en_json_kind_of(wanted) != EN_JSON_STRING) return -1;
  const uint64_t hash = hash_text(EN_HASH64, wanted, 0);
  for (uint32_t i = 0; i < h->vocab.n; i++)
    if (h->vocab.text[i].at && hash_text(EN_HASH64, h->vocab.text[i], 0) == hash) return i;
  return -1;
}

/* A number, or the first of a list. */
static int64_t id_of_number(en_json v) {
  const char *cursor = NULL;
  en_json none, first;
  uint64_t id;
  if (en_json_next(v, &cursor, &none, &first)) v = first;
  return en_json_u64(v, &id) && id < MAX_VOCAB ? (int64_t)id : -1;
}

static int64_t special_id(const en_hf *h, const char *token, const char *number) {
  int64_t id = id_of_text(h, en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER_CONFIG), token));
  if (id < 0) id = id_of_number(en_json_get(en_hf_text_of(h, EN_HF_GENERATION_CONFIG), number));
  return id < 0 ? id_of_number(en_hf_get(h, number)) : id;
}

/* generation_config.json may name several tokens that end a text. */
static void put_more_ends(const en_hf *h, en_gguf_writer *g, int64_t eos) {
  static const char *const keys[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
  const en_json list = en_json_get(en_hf_text_of(h, EN_HF_GENERATION_CONFIG), "eos_token_id");
  const char *cursor = NULL;
  en_json none, v;
  int32_t n = 0;
  if (en_json_kind_of(list) == EN_JSON_ARRAY)
    while (n < EN_COUNT(keys) && en_json_next(list, &cursor, &none, &v))
      if (id_of_number(v) >= 0 && id_of_number(v) != eos) en_gguf_key_u32(g, keys[n++], (uint32_t)id_of_number(v));
}

static void put_specials(const en_hf *h, en_gguf_writer *g) {
  static const struct { const char *token, *number, *key; } all[] = {
    {"bos_token", "bos_token_id", "tokenizer.ggml.bos_token_id"}, {"eos_token", "eos_token_id", "tokenizer.ggml.eos_token_id"}, {"unk_token", "unk_token_id", "tokenizer.ggml.unknown_token_id"},
    {"sep_token", "sep_token_id", "tokenizer.ggml.seperator_token_id"}, {"pad_token", "pad_token_id", "tokenizer.ggml.padding_token_id"}, {"cls_token", "cls_token_id", "tokenizer.ggml.cls_token_id"},
    {"mask_token", "mask_token_id", "tokenizer.ggml.mask_token_id"}};
  for (int32_t i = 0; i < EN_COUNT(all); i++) {
    const int64_t id = special_id(h, all[i].token, all[i].number);
    if (id >= 0) en_gguf_key_u32(g, all[i].key, (uint32_t)id);
    if (i == 1) put_more_ends(h, g, id);
  }
}

/* Special tokens behind the first text of a pair and before the second one. */
static int32_t n_between(en_json pair) {
  int32_t n = 0, texts = 0;
  en_json none, v;
  for (const char *cursor = NULL; texts < 2 && en_json_next(pair, &cursor, &none, &v);) {
    if (en_json_kind_of(en_json_get(v, "SpecialToken")) != EN_JSON_OBJECT) texts++;
    else if (texts) n++;
  }
  return n;
}

/* Whether texts get a token before and behind them, and pairs one more between: as the post-processor has it, else as tokenizer_config.json says. */
static void put_wrapping(const en_hf *h, en_gguf_writer *g) {
  const en_json settings = en_hf_text_of(h, EN_HF_TOKENIZER_CONFIG), post = en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER), "post_processor");
  int32_t first = is_true(en_json_get(settings, "add_bos_token")), last = is_true(en_json_get(settings, "add_eos_token"));
  const int32_t twice = en_hf_step_is(post, "RobertaProcessing");
  if (twice || en_hf_step_is(post, "BertProcessing")) first = last = 1;
  en_json p = post, none, v;
  for (const char *cursor = NULL; !en_json_is(en_json_get(p, "type"), "TemplateProcessing") && en_json_next(en_json_get(post, "processors"), &cursor, &none, &p);) {}
  const en_json single = en_json_get(p, "single");
  if (en_json_kind_of(single) == EN_JSON_ARRAY) {
    int32_t n = 0;
    for (const char *cursor = NULL; en_json_next(single, &cursor, &none, &v); n++) {
      last = n && en_json_kind_of(en_json_get(v, "SpecialToken")) == EN_JSON_OBJECT;
      if (!n) first = en_json_kind_of(en_json_get(v, "SpecialToken")) == EN_JSON_OBJECT;
    }
  }
  en_gguf_key_bool(g, "tokenizer.ggml.add_bos_token", first);
  en_gguf_key_bool(g, "tokenizer.ggml.add_eos_token", last);
  if (first && last) en_gguf_key_bool(g, "tokenizer.ggml.add_sep_token", twice || n_between(en_json_get(p, "pair")) > 1);
}

/* ---- the keys ---- */

static int adds_space(const en_hf *h) {
  const en_json root = en_hf_text_of(h, EN_HF_TOKENIZER), normal = en_json_get(root, "normalizer"), pre = en_json_get(root, "pre_tokenizer");
  en_json none, v = normal;
  for (const char *cursor = NULL; !en_json_is(en_json_get(v, "type"), "Prepend") && en_json_next(en_json_get(normal, "normalizers"), &cursor, &none, &v);) {}
  if (en_json_is(en_json_get(v, "type"), "Prepend")) return 1;
  v = pre;
  for (const char *cursor = NULL; !en_json_is(en_json_get(v, "type"), "Metaspace") && en_json_next(en_json_get(pre, "pretokenizers"), &cursor, &none, &v);) {}
  if (!en_json_is(en_json_get(v, "type"), "Metaspace")) return 0;
  const en_json scheme = en_json_get(v, "prepend_scheme");
  return en_json_kind_of(scheme) == EN_JSON_STRING ? !en_json_is(scheme, "never") : is_true(en_json_get(v, "add_prefix_space"));
}

/* Sizes first: a string begins with its length. */
static void put_text(en_gguf_writer *g, const char *before, en_json a, const char *between, en_json b) {
  en_writer count = {NULL, 0, 0};
  en_json_put(&count, a);
  en_json_put(&count, b);
  en_put64(&g->w, strlen(before) + count.n + strlen(between));
  en_put_str(&g->w, before);
  en_json_put(&g->w, a);
  en_put_str(&g->w, between);
  en_json_put(&g->w, b);
}

static void put_token(const en_hf_vocab *v, en_gguf_writer *g, uint32_t i) {
  const en_json none = {NULL, NULL};
  size_t n;
  const char *raw = en_json_raw(v->text[i], &n);
  if (!raw) {
    en_writer count = {NULL, 0, 0};
    en_put_decimal(&count, i);
    en_put64(&g->w, 5 + count.n);
    en_put_str(&g->w, "[PAD");
    en_put_decimal(&g->w, i);
    en_put_str(&g->w, "]");
    return;
  }
  if (v->kind != WORDPIECE || v->type[i] != NORMAL) { put_text(g, "", v->text[i], "", none); return; }
  if (n > 2 && raw[0] == '#' && raw[1] == '#') { /* goes on inside a word: without the marks */
    en_writer count = {NULL, 0, 0};
    en_json_put(&count, v->text[i]);
    en_put64(&g->w, count.n - 2);
    char piece[4];
    const char *cursor = raw + 2;
    for (int32_t k; (k = en_json_char(v->text[i], &cursor, piece)) > 0;) en_put(&g->w, piece, (size_t)k);
    return;
  }
  put_text(g, SPACE_MARK, v->text[i], "", none);
}

static void put_merges(const en_hf *h, en_gguf_writer *g) {
  const en_json merges = en_json_get(model_of(h), "merges");
  const char *cursor = NULL;
  en_json none, m;
  en_gguf_key_array(g, "tokenizer.ggml.merges", EN_GGUF_STR, en_json_count(merges));
  while (en_json_next(merges, &cursor, &none, &m)) {
    const char *inner = NULL;
    en_json left = m, right = {NULL, NULL};
    const int pair = en_json_next(m, &inner, &none, &left) && en_json_next(m, &inner, &none, &right);
    put_text(g, "", left, pair ? " " : "", right);
  }
}

/* A text that is no list of templates, or the one called default. */
static void put_template(const en_hf *h, en_gguf_writer *g) {
  static const char key[] = "tokenizer.chat_template";
  const en_bytes *file = &h->files.texts[EN_HF_TEMPLATE];
  en_json t = en_json_get(en_hf_text_of(h, EN_HF_TOKENIZER_CONFIG), "chat_template"), none, v;
  for (const char *cursor = NULL; en_json_kind_of(t) == EN_JSON_ARRAY && en_json_next(t, &cursor, &none, &v);)
    if (en_json_is(en_json_get(v, "name"), "default")) t = en_json_get(v, "template");
  if (file->bytes) {
    en_gguf_key(g, key, EN_GGUF_STR);
    en_gguf_string(g, file->bytes, file->n_bytes);
  } else if (en_json_kind_of(t) == EN_JSON_STRING) {
    en_gguf_key(g, key, EN_GGUF_STR);
    put_text(g, "", t, "", (en_json){NULL, NULL});
  }
}

void en_hf_vocab_put(const en_hf *h, en_gguf_writer *g) {
  static const char *const kinds[] = {"gpt2", "llama", "bert", "t5"};
  const en_hf_vocab *v = &h->vocab;
  if (!v->n) {
    if (en_hf_rwkv_vocab_put(h, g)) put_template(h, g);
    return;
  }
  en_gguf_key_text(g, "tokenizer.ggml.model", kinds[v->kind]);
  if (v->kind == BPE) en_gguf_key_text(g, "tokenizer.ggml.pre", en_hf_rule(h));
  en_gguf_key_array(g, "tokenizer.ggml.tokens", EN_GGUF_STR, v->n);
  for (uint32_t i = 0; i < v->n; i++) put_token(v, g, i);
  en_gguf_key_array(g, "tokenizer.ggml.token_type", EN_GGUF_I32, v->n);
  for (uint32_t i = 0; i < v->n; i++) en_put32(&g->w, v->type[i]);
  if (v->kind == BPE) put_merges(h, g);
  if (v->kind == UNIGRAM) en_hf_unigram_put(h, g);
  if (v->n_scores) {
    en_gguf_key_array(g, "tokenizer.ggml.scores", EN_GGUF_F32, v->n);
    en_put(&g->w, v->score, v->n * sizeof *v->score);
    en_gguf_key_bool(g, "tokenizer.ggml.add_space_prefix", adds_space(h));
  }
  put_specials(h, g);
  en_hf_normal_put(h, g);
  if (v->kind != WORDPIECE) put_wrapping(h, g);
  else {
    en_json normal;
    const int any = en_hf_normal_step(h, 0, &normal);
    const en_json strip = any ? en_json_get(normal, "strip_accents") : (en_json){NULL, NULL};
    en_gguf_key_bool(g, "tokenizer.ggml.normalizer.lowercase", any && en_json_kind_of(en_json_get(normal, "lowercase")) != EN_JSON_FALSE);
    if (en_json_kind_of(strip) == EN_JSON_TRUE || en_json_kind_of(strip) == EN_JSON_FALSE) en_gguf_key_bool(g, "tokenizer.ggml.normalizer.strip_accents", is_true(strip));
  }
  put_template(h, g);
}

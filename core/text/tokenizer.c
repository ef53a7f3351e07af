/* tokenizer.c - the public calls: build a tokenizer from a file's head, encode around special tokens, decode. */
#include "text.h"

static const en_tokenizer_kind *const kinds[] = {
#define EN_TOKENIZER(kind) &kind,
#include "tokenizers.def"
#undef EN_TOKENIZER
};

static const en_tokenizer_kind *find_kind(const en_vocab_file *f) {
  for (int32_t i = 0; i < EN_COUNT(kinds); i++)
    if (en_str_is(f->model, f->model_bytes, kinds[i]->model)) return kinds[i];
  return NULL;
}

/* ---- build ---- */

/* mem NULL: only size. */
static size_t carve(en_tokenizer **t, const en_tokenizer_kind *kind, const en_vocab_file *f, void *mem) {
  const uint64_t n = f->tokens.n;
  const size_t state_bytes = kind->state_bytes(f);
  void *text_at = NULL, *attributes = NULL, *slots = NULL, *marked = NULL, *state = NULL;
  const en_piece pieces[] = {
    {(void **)t, 1, sizeof **t}, {&text_at, n, sizeof(uint32_t)}, {&attributes, n, 1}, {&slots, en_hash_slots(n), sizeof(uint32_t)},
    {&marked, en_special_count(f), sizeof(int32_t)}, {&state, state_bytes, 1},
  };
  const size_t bytes = state_bytes ? en_carve(pieces, EN_COUNT(pieces), mem) : 0;
  if (!mem || !bytes) return bytes;
  **t = (en_tokenizer){
    .kind = kind, .state = state, .text_at = text_at, .attributes = attributes, .slots = slots, .slot_mask = en_hash_slots(n) - 1,
    .marked = marked, .space_prefix = kind->space_prefix, .special = {.add_bos = kind->add_bos, .add_eos = kind->add_eos, .n_vocab = (uint32_t)n},
  };
  return bytes;
}

size_t en_tokenizer_bytes(const void *image, size_t n_head_bytes) {
  en_vocab_file f;
  en_tokenizer *t;
  if (!image || en_vocab_file_read(&f, image, n_head_bytes, NULL) != EN_OK) return 0;
  const en_tokenizer_kind *kind = find_kind(&f);
  return kind ? carve(&t, kind, &f, NULL) : 0;
}

int32_t en_tokenizer_init(en_tokenizer **out, void *mem, size_t mem_bytes, const void *image, size_t n_head_bytes, en_why *why) {
  en_vocab_file f;
  en_tokenizer *t;
  if (!out || !image) return en_fail(why, EN_E_ARG, "en_tokenizer_init needs out and image");
  EN_TRY(en_vocab_file_read(&f, image, n_head_bytes, why));
  const en_tokenizer_kind *kind = find_kind(&f);
  if (!kind) return en_fail(why, EN_E_UNSUPPORTED, "the tokenizer %S (tokenizer.ggml.model) is not one that we know", (size_t)f.model_bytes, f.model);
  const size_t need = carve(&t, kind, &f, NULL);
  if (!mem || !need || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the tokenizer needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  carve(&t, kind, &f, mem);
  EN_TRY(en_vocab_init(t, &f, why));
  EN_TRY(kind->init(t, &f, t->state, why));
  EN_TRY(en_special_init(t, &f, why));
  *out = t;
  return EN_OK;
}

const en_special *en_tokenizer_special(const en_tokenizer *t) { return &t->special; }

int32_t en_tokenizer_same(const en_tokenizer *a, const en_tokenizer *b) {
  for (int32_t id = 0; id < (int32_t)EN_MIN(a->special.n_vocab, b->special.n_vocab); id++) {
    size_t na, nb;
    const char *ta = en_token_text(a, id, &na), *tb = en_token_text(b, id, &nb);
    if (na != nb || memcmp(ta, tb, na)) return 0;
  }
  return 1;
}

int32_t en_token_is_end(const en_tokenizer *t, int32_t id) {
  for (int32_t i = 0; i < t->n_ends; i++)
    if (t->ends[i] == id) return 1;
  return 0;
}

/* ---- encode ---- */

size_t en_encode_bytes(const en_tokenizer *t, size_t n_text_bytes) {
  return t && n_text_bytes <= EN_MAX_TEXT ? t->kind->scratch_bytes(t, n_text_bytes) : 0;
}

/* What C's isspace takes: the blanks that strip attributes eat. */
static int is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Raw text and special tokens in turn. */
static int32_t encode_fragments(const en_tokenizer *t, const char *text, size_t n, int all, en_ids *out, void *scratch) {
  int after_special = 1;
  for (size_t at = 0, start = n; at < n; start = n) {
    const int32_t id = en_special_next(t, text, n, at, all, &start);
    size_t end = start;
    while (id >= 0 && t->attributes[id] & EN_TOKEN_LSTRIP && end > at && is_blank(text[end - 1])) end--;
    if (end > at) {
      EN_TRY(t->kind->encode(t, text + at, end - at, after_special, out, scratch));
      after_special = 0;
    }
    if (id < 0) break;
    size_t length;
    en_token_text(t, id, &length);
    en_ids_put(out, id);
    after_special = 1;
    at = start + length;
    while (t->attributes[id] & EN_TOKEN_RSTRIP && at < n && is_blank(text[at])) at++;
  }
  return EN_OK;
}

int32_t en_encode(const en_tokenizer *t, const char *utf8, size_t n_bytes, int32_t flags, int32_t *ids, size_t cap, size_t *n_ids, void *scratch, size_t scratch_bytes) {
  if (!t || (!utf8 && n_bytes) || (!ids && cap) || !n_ids || n_bytes > EN_MAX_TEXT) return EN_E_ARG;
  const size_t need = en_encode_bytes(t, n_bytes);
  if (!need || !scratch || scratch_bytes < need) return EN_E_NOMEM;
  en_ids out = {ids, cap, 0};
  if (flags & EN_TOK_BOS && t->special.add_bos) en_ids_put(&out, t->special.bos);
  EN_TRY(encode_fragments(t, utf8, n_bytes, (flags & EN_TOK_SPECIAL) != 0, &out, scratch));
  if (flags & EN_TOK_EOS && t->special.add_eos) en_ids_put(&out, t->special.eos);
  if (flags & EN_TOK_PAIR && t->special.add_sep) en_ids_put(&out, t->special.sep);
  *n_ids = out.n;
  return out.n > cap ? EN_E_FULL : EN_OK;
}

/* ---- decode ---- */

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* <0x0A>; -1: not of that form. */
static int32_t byte_value(const char *text, size_t n) {
  if (n != 6 || memcmp(text, "<0x", 3) || text[5] != '>' || hex_digit(text[3]) < 0 || hex_digit(text[4]) < 0) return -1;
  return hex_digit(text[3]) * 16 + hex_digit(text[4]);
}

void en_token_piece(const en_tokenizer *t, int32_t id, int32_t flags, int32_t *at_start, en_out *out) {
  size_t n;
  const char *text = en_token_text(t, id, &n);
  const uint32_t type = en_token_type(t, id);
  if (en_token_is_hidden(type) || type == EN_TOKEN_USER_DEFINED) { /* cut out of the text; what follows has an added space again */
    if (type == EN_TOKEN_USER_DEFINED || flags & EN_TOK_SPECIAL) en_out_put(out, text, n);
    *at_start = 1;
    return;
  }
  const int32_t byte = type == EN_TOKEN_BYTE ? byte_value(text, n) : -1;
  const char c = (char)byte;
  out->drop_space = *at_start && t->space_prefix;
  if (byte >= 0) en_out_put(out, &c, 1);
  else t->kind->piece(text, n, out);
  out->drop_space = 0;
  *at_start = 0;
}

int32_t en_decode(const en_tokenizer *t, const int32_t *ids, size_t n_ids, int32_t flags, int32_t at_start, char *utf8, size_t cap, size_t *n_bytes) {
  if (!t || (!ids && n_ids) || (!utf8 && cap) || !n_bytes) return EN_E_ARG;
  for (size_t i = 0; i < n_ids; i++)
    if (ids[i] < 0 || ids[i] >= (int32_t)t->special.n_vocab) return EN_E_ARG;
  en_out out = {.bytes = utf8, .cap = cap};
  for (size_t i = 0; i < n_ids; i++) en_token_piece(t, ids[i], flags, &at_start, &out);
  *n_bytes = out.n;
  return out.n > cap ? EN_E_FULL : EN_OK;
}

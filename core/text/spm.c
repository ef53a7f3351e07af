/* spm.c - SentencePiece's BPE ("llama"): spaces become U+2581, pieces begin as single characters, and of all adjacent pairs whose
 * texts together are a token the one with the highest score merges first. What is no token in the end becomes byte tokens. */
#include "text.h"

typedef struct {
  const uint8_t *scores;     /* f32, unaligned; NULL: all are equal */
  int32_t words_are_apart;   /* no token has a space mark after another character: no merge crosses into a word's leading spaces */
} spm_t;

static size_t spm_state_bytes(const en_vocab_file *f) { (void)f; return sizeof(spm_t); }

static int is_mark(const char *s, size_t n) { return n >= EN_SPACE_MARK_BYTES && !memcmp(s, EN_SPACE_MARK, EN_SPACE_MARK_BYTES); }

/* Does a space mark follow something else in this text? */
static int has_inner_mark(const char *s, size_t n) {
  size_t i = 0;
  while (is_mark(s + i, n - i)) i += EN_SPACE_MARK_BYTES;
  for (; i < n; i++)
    if (is_mark(s + i, n - i)) return 1;
  return 0;
}

static int merges_into(uint32_t type) { return type == EN_TOKEN_NORMAL || type == EN_TOKEN_USER_DEFINED || type == EN_TOKEN_UNUSED; }

/* The token of one byte: <0x0A> if the vocabulary has those, else the token that is this character alone. */
static int32_t byte_token(const en_tokenizer *t, uint32_t byte) {
  const char hex[] = "0123456789ABCDEF", name[] = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'}, plain = (char)byte;
  const int32_t id = en_vocab_find(t, name, sizeof name, "", 0);
  return id >= 0 ? id : en_vocab_find(t, &plain, 1, "", 0);
}

static int32_t spm_init(en_tokenizer *t, const en_vocab_file *f, void *state, en_why *why) {
  (void)why;
  spm_t *s = state;
  s->scores = f->scores.n ? f->scores.at : NULL;
  s->words_are_apart = 1;
  for (int32_t i = 0; i < (int32_t)t->special.n_vocab && s->words_are_apart; i++) {
    size_t n;
    const char *text = en_token_text(t, i, &n);
    if (merges_into(en_token_type(t, i)) && has_inner_mark(text, n)) s->words_are_apart = 0;
  }
  for (uint32_t b = 0; b < 256; b++) t->byte_id[b] = byte_token(t, b);
  return EN_OK;
}

/* ---- encode ---- */

typedef struct { const en_tokenizer *t; const char *word; en_merger merger; } work_t;

/* Highest score first, as an ascending integer: the bits of a float are ordered like its value, below zero the other way round. */
static uint32_t rank_of(const en_tokenizer *t, int32_t id) {
  const spm_t *s = t->state;
  if (!s->scores) return 0;
  const float score = en_rdf32(s->scores + (size_t)4 * (size_t)id) + 0.0f; /* -0 becomes 0 */
  uint32_t bits;
  memcpy(&bits, &score, 4);
  return bits >> 31 ? bits : 0x7fffffffu - bits;
}

static void rank_pair(const void *context, en_symbol *left, const en_symbol *right) {
  const work_t *w = context;
  const uint32_t end = w->merger.symbols[right->next].start;
  const int32_t id = en_vocab_find(w->t, w->word + left->start, end - left->start, "", 0);
  if (id < 0 || !merges_into(en_token_type(w->t, id))) return;
  left->merged = id;
  left->rank = rank_of(w->t, id);
}

/* Bytes of the character that a lead byte announces; a stray continuation byte stands alone. */
static size_t character_bytes(char lead) {
  const uint8_t b = (uint8_t)lead;
  return b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

static int32_t put_bytes(const en_tokenizer *t, const char *s, size_t n, en_ids *out) {
  if (is_mark(s, n) && t->byte_id[' '] >= 0) { s = " "; n = 1; } /* only in vocabularies without the mark: decodes to a space */
  for (size_t i = 0; i < n; i++) {
    const int32_t id = t->byte_id[(uint8_t)s[i]];
    if (id < 0 && t->special.unk < 0) return EN_E_UNSUPPORTED;
    en_ids_put(out, id >= 0 ? id : t->special.unk);
  }
  return EN_OK;
}

static int32_t encode_word(work_t *w, size_t n_bytes, en_ids *out) {
  en_symbol *s = w->merger.symbols;
  uint32_t n = 0;
  for (size_t at = 0, k = 0; at < n_bytes; at += k, n++) {
    k = EN_MIN(character_bytes(w->word[at]), n_bytes - at);
    int32_t id = en_vocab_find(w->t, w->word + at, k, "", 0);
    if (id >= 0 && !merges_into(en_token_type(w->t, id))) id = -1;
    en_merger_put(&w->merger, n, id, (uint32_t)at);
  }
  en_merge(&w->merger, n, (uint32_t)n_bytes);
  for (uint32_t i = 0; i != n; i = s[i].next) {
    if (s[i].id >= 0) en_ids_put(out, s[i].id);
    else EN_TRY(put_bytes(w->t, w->word + s[i].start, s[s[i].next].start - s[i].start, out));
  }
  return EN_OK;
}

/* Where the word that begins at `at` ends: before the next spaces if words are apart. */
static size_t word_end(const en_tokenizer *t, const char *text, size_t n, size_t at) {
  const spm_t *s = t->state;
  if (!s->words_are_apart) return n;
  while (is_mark(text + at, n - at)) at += EN_SPACE_MARK_BYTES;
  while (at < n && !is_mark(text + at, n - at)) at++;
  return at;
}

/* Scratch: the text with its spaces marked, and the symbols of one word, at most one per byte of the text and the added space. */
static size_t carve(work_t *w, char **marked, size_t n_text_bytes, void *mem) {
  en_piece pieces[3] = {{(void **)marked, (uint64_t)n_text_bytes * EN_SPACE_MARK_BYTES + EN_SPACE_MARK_BYTES, 1}};
  return en_carve(pieces, 1 + en_merger_pieces(&w->merger, (uint64_t)n_text_bytes + 1, pieces + 1), mem);
}

static size_t spm_scratch_bytes(const en_tokenizer *t, size_t n_text_bytes) {
  work_t w;
  char *marked;
  (void)t;
  return carve(&w, &marked, n_text_bytes, NULL);
}

static int32_t spm_encode(const en_tokenizer *t, const char *text, size_t n, int after_special, en_ids *out, void *scratch) {
  work_t w = {.t = t};
  char *marked;
  size_t length = 0;
  carve(&w, &marked, n, scratch);
  w.merger.rank = rank_pair;
  w.merger.context = &w;
  if (t->space_prefix && after_special) { memcpy(marked, EN_SPACE_MARK, EN_SPACE_MARK_BYTES); length = EN_SPACE_MARK_BYTES; }
  for (size_t i = 0; i < n; i++) {
    if (text[i] == ' ') { memcpy(marked + length, EN_SPACE_MARK, EN_SPACE_MARK_BYTES); length += EN_SPACE_MARK_BYTES; }
    else marked[length++] = text[i];
  }
  for (size_t at = 0, end = 0; at < length; at = end) {
    end = word_end(t, marked, length, at);
    w.word = marked + at;
    EN_TRY(encode_word(&w, end - at, out));
  }
  return EN_OK;
}

void en_marked_piece(const char *token, size_t n, en_out *out) {
  for (size_t i = 0; i < n;) {
    const int mark = is_mark(token + i, n - i);
    en_out_put(out, mark ? " " : token + i, 1);
    i += mark ? EN_SPACE_MARK_BYTES : 1;
  }
}

const en_tokenizer_kind en_spm = {
  .model = "llama", .bos = 1, .eos = 2, .unk = 0, .add_bos = 1, .space_prefix = 1,
  .state_bytes = spm_state_bytes, .init = spm_init, .scratch_bytes = spm_scratch_bytes, .encode = spm_encode, .piece = en_marked_piece,
};

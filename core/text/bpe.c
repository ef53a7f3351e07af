/* bpe.c - byte-level BPE ("gpt2"): the text is cut into words, a word begins as one piece per byte, and of all adjacent pairs in
 * the list of merges the earliest in the list merges first. Token texts in the file spell each byte as a printable character. */
#include "pretokenize.h"
#include "text.h"
#include "unicode.h"

typedef struct { int32_t left, right, merged; } merge_t; /* ids; its place in the list is its rank */
typedef struct {
  const en_pretokenizer *pre;
  merge_t *merges;            /* [n_merges] */
  uint32_t *slots, slot_mask; /* (left, right) -> rank + 1 */
} bpe_t;

/* ---- the alphabet of GPT-2: printable Latin-1 bytes stand for themselves, the other 68 for U+0100 on, in order ---- */

uint32_t en_bpe_character(uint32_t byte) {
  if (byte <= 0x20) return 0x100 + byte;
  if (byte >= 0x7F && byte <= 0xA0) return 0x121 + (byte - 0x7F);
  return byte == 0xAD ? 0x143 : byte;
}
static int32_t byte_of(uint32_t character) { /* -1: none */
  if (character < 0x100) return en_bpe_character(character) == character ? (int32_t)character : -1;
  if (character <= 0x120) return (int32_t)character - 0x100;
  if (character <= 0x142) return (int32_t)character - 0x121 + 0x7F;
  return character == 0x143 ? 0xAD : -1;
}

static void bpe_piece(const char *token, size_t n, en_out *out) {
  for (size_t at = 0; at < n;) {
    uint32_t cp = EN_CP_REPLACEMENT;
    const int32_t k = en_utf8_step(token + at, n - at, &cp), byte = k > 0 ? byte_of(cp) : -1;
    const size_t length = k > 0 ? (size_t)k : 1;
    const char c = (char)byte;
    if (byte >= 0) en_out_put(out, &c, 1);
    else en_out_put(out, token + at, length); /* no spelling of a byte: a text of its own, such as an added token's */
    at += length;
  }
}

/* ---- tables ---- */

static size_t carve(bpe_t **b, uint64_t n_merges, void *mem) {
  void *merges = NULL, *slots = NULL;
  const en_piece pieces[] = {{(void **)b, 1, sizeof **b}, {&merges, n_merges, sizeof(merge_t)}, {&slots, en_hash_slots(n_merges), sizeof(uint32_t)}};
  const size_t bytes = en_carve(pieces, EN_COUNT(pieces), mem);
  if (!mem || !bytes) return bytes;
  (*b)->merges = merges;
  (*b)->slots = slots;
  (*b)->slot_mask = en_hash_slots(n_merges) - 1;
  return bytes;
}

static size_t bpe_state_bytes(const en_vocab_file *f) {
  bpe_t *b;
  return carve(&b, f->merges.n, NULL);
}

static uint32_t pair_hash(int32_t left, int32_t right) { return en_hash_mix((uint32_t)left * 0x9e3779b1u + (uint32_t)right); }

/* The first of equal pairs counts. */
static int32_t add_merge(bpe_t *b, uint32_t rank, en_why *why) {
  const merge_t *m = &b->merges[rank];
  const uint32_t h = pair_hash(m->left, m->right);
  for (uint32_t probe = 0; probe < EN_MAX_PROBES; probe++) {
    uint32_t *slot = &b->slots[(h + probe) & b->slot_mask];
    if (!*slot) { *slot = rank + 1; return EN_OK; }
    const merge_t *old = &b->merges[*slot - 1];
    if (old->left == m->left && old->right == m->right) return EN_OK;
  }
  return en_fail(why, EN_E_UNSUPPORTED, "the list of merges collides as only crafted ones do (merge %u)", rank);
}

static int32_t plain(const en_tokenizer *t, int32_t id) { return id >= 0 && !en_token_is_hidden(en_token_type(t, id)) ? id : -1; }

/* The token of a merge's two texts, which begin at `left` and `right`. Vocabularies list them in the order of their merges, so the one after the last
 * found is looked at first, unless some text belongs to two tokens: then only the hash knows which of them counts. */
static int32_t find_merged(const en_tokenizer *t, int32_t guess, const char *left, size_t n_left, const char *right, size_t n_right) {
  if (!t->has_twins && guess < (int32_t)t->special.n_vocab) {
    size_t n;
    const char *text = en_token_text(t, guess, &n);
    if (n == n_left + n_right && !memcmp(text, left, n_left) && !memcmp(text + n_left, right, n_right)) return guess;
  }
  return en_vocab_find(t, left, n_left, right, n_right);
}

/* "left right". Merges of texts that are no tokens can never apply to tokens: they are passed over. */
static int32_t init_merges(const en_tokenizer *t, bpe_t *b, const en_vocab_file *f, en_why *why) {
  const uint8_t *cursor = f->merges.at;
  int32_t merged = -1;
  memset(b->slots, 0, ((size_t)b->slot_mask + 1) * sizeof *b->slots);
  for (uint32_t rank = 0; rank < f->merges.n; rank++) {
    uint64_t n;
    const char *text = en_value_next_str(&cursor, &n);
    const char *space = n > 2 ? memchr(text + 1, ' ', (size_t)n - 1) : NULL; /* the left part is never empty */
    if (!space) return en_fail(why, EN_E_FORMAT, "merge %u is not a pair of texts: %S", rank, (size_t)n, text);
    const size_t left = (size_t)(space - text), right = (size_t)n - left - 1;
    merge_t *m = &b->merges[rank];
    m->left = plain(t, en_vocab_find(t, text, left, "", 0));
    m->right = plain(t, en_vocab_find(t, space + 1, right, "", 0));
    merged = find_merged(t, merged + 1, text, left, space + 1, right);
    m->merged = plain(t, merged);
    if (m->left >= 0 && m->right >= 0 && m->merged >= 0) EN_TRY(add_merge(b, rank, why));
  }
  return EN_OK;
}

static int32_t init_pretokenizer(en_tokenizer *t, bpe_t *b, const en_vocab_file *f, en_why *why) {
  const char *name = "default";
  uint64_t n = strlen(name);
  const int32_t status = en_gguf_str(&f->g, "tokenizer.ggml.pre", &name, &n, why);
  if (status != EN_OK && status != EN_E_ARG) return status;
  b->pre = en_pretokenizer_find(name, n);
  if (!b->pre) return en_fail(why, EN_E_UNSUPPORTED, "the pre-tokenizer %S (tokenizer.ggml.pre) is not one that we know", (size_t)n, name);
  if (b->pre->flags & EN_PRE_BOS) t->special.add_bos = 1;
  return EN_OK;
}

static int32_t bpe_init(en_tokenizer *t, const en_vocab_file *f, void *state, en_why *why) {
  bpe_t *b;
  carve(&b, f->merges.n, state);
  if (!f->merges.n) return en_fail(why, EN_E_FORMAT, "the vocabulary has no merges (tokenizer.ggml.merges)");
  EN_TRY(init_pretokenizer(t, b, f, why));
  for (uint32_t byte = 0; byte < 256; byte++) {
    char text[4];
    const int32_t n = en_utf8_put(en_bpe_character(byte), text);
    t->byte_id[byte] = plain(t, en_vocab_find(t, text, (size_t)n, "", 0));
  }
  return init_merges(t, b, f, why);
}

/* ---- encode ---- */

static void rank_pair(const void *context, en_symbol *left, const en_symbol *right) {
  const bpe_t *b = context;
  if (left->id < 0 || right->id < 0) return;
  const uint32_t h = pair_hash(left->id, right->id);
  for (uint32_t probe = 0; probe < EN_MAX_PROBES; probe++) {
    const uint32_t slot = b->slots[(h + probe) & b->slot_mask];
    if (!slot) return;
    const merge_t *m = &b->merges[slot - 1];
    if (m->left != left->id || m->right != right->id) continue;
    left->merged = m->merged;
    left->rank = slot - 1;
    return;
  }
}

/* Is this token the spelling of these bytes? */
static int spells(const en_tokenizer *t, int32_t id, const char *word, size_t n) {
  size_t length, at = 0;
  const char *text = en_token_text(t, id, &length);
  for (size_t i = 0; i < n; i++) {
    char c[4];
    const size_t k = (size_t)en_utf8_put(en_bpe_character((uint8_t)word[i]), c);
    if (length - at < k || memcmp(text + at, c, k)) return 0;
    at += k;
  }
  return at == length;
}

/* The token that is the whole word; -1 none. */
static int32_t find_word(const en_tokenizer *t, const char *word, size_t n) {
  if (n > t->longest) return -1;
  uint32_t hash = EN_HASH_START, probe = 0;
  for (size_t i = 0; i < n; i++) {
    char c[4];
    hash = en_hash_bytes(hash, c, (size_t)en_utf8_put(en_bpe_character((uint8_t)word[i]), c));
  }
  for (int32_t id = en_vocab_candidate(t, hash, &probe); id >= 0; id = en_vocab_candidate(t, hash, &probe))
    if (spells(t, id, word, n)) return plain(t, id);
  return -1;
}

static int32_t encode_word(const en_tokenizer *t, en_merger *m, const char *word, size_t n, en_ids *out) {
  const bpe_t *b = t->state;
  const int32_t whole = b->pre->flags & EN_PRE_WHOLE_WORDS ? find_word(t, word, n) : -1;
  if (whole >= 0) { en_ids_put(out, whole); return EN_OK; }
  for (size_t i = 0; i < n; i++) en_merger_put(m, (uint32_t)i, t->byte_id[(uint8_t)word[i]], (uint32_t)i);
  en_merge(m, (uint32_t)n, (uint32_t)n);
  for (uint32_t i = 0; i != (uint32_t)n; i = m->symbols[i].next) {
    const int32_t id = m->symbols[i].id >= 0 ? m->symbols[i].id : t->special.unk;
    if (id < 0) return EN_E_UNSUPPORTED;
    en_ids_put(out, id);
  }
  return EN_OK;
}

static size_t bpe_scratch_bytes(const en_tokenizer *t, size_t n_text_bytes) {
  en_merger m;
  en_piece pieces[2];
  (void)t;
  return en_carve(pieces, en_merger_pieces(&m, n_text_bytes, pieces), NULL);
}

static int32_t bpe_encode(const en_tokenizer *t, const char *text, size_t n, int after_special, en_ids *out, void *scratch) {
  const bpe_t *b = t->state;
  en_merger m = {.rank = rank_pair, .context = b};
  en_piece pieces[2];
  en_words words;
  const char *word;
  (void)after_special;
  en_carve(pieces, en_merger_pieces(&m, n, pieces), scratch);
  en_words_begin(&words, b->pre, text, n);
  for (size_t length = 0; en_words_next(&words, &word, &length);) EN_TRY(encode_word(t, &m, word, length, out));
  return EN_OK;
}

const en_tokenizer_kind en_bpe = {
  .model = "gpt2", .bos = -1, .eos = -1, .unk = -1, .add_bos = 0, .space_prefix = 0,
  .state_bytes = bpe_state_bytes, .init = bpe_init, .scratch_bytes = bpe_scratch_bytes, .encode = bpe_encode, .piece = bpe_piece,
};

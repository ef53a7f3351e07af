/* wordpiece.c - BERT's tokenizer (Devlin et al. 2018): the text is cleaned, its accents stripped and put in lower case if the file says so, cut into words at
 * blanks, punctuation and ideographs; a word is the longest tokens that fit, from its left, or [UNK] as a whole. GGUF spells tokens that begin
 * a word with a space mark before them and those that go on without one. Rules and limits as Hugging Face's BertNormalizer,
 * BertPreTokenizer and WordPiece have them, which trained the models. */
#include "text.h"
#include "unicode.h"

enum { MAX_WORD = 100 /* characters; longer ones are [UNK] */ };
typedef struct { int32_t lower, strip; } wordpiece_t;
typedef struct { char text[EN_SPACE_MARK_BYTES + 4 * MAX_WORD]; size_t n; int32_t n_chars; } word_t;

static size_t state_bytes(const en_vocab_file *f) { (void)f; return sizeof(wordpiece_t); }

static int32_t flag(const en_vocab_file *f, const char *key, int32_t fallback, int32_t *out, en_why *why) {
  en_value v;
  *out = fallback;
  return en_gguf_get(&f->g, key, &v) ? en_gguf_bool(&f->g, key, out, why) : EN_OK;
}

static int32_t init(en_tokenizer *t, const en_vocab_file *f, void *state, en_why *why) {
  wordpiece_t *s = state;
  EN_TRY(flag(f, "tokenizer.ggml.normalizer.lowercase", 1, &s->lower, why));
  for (int32_t b = 0; b < 256; b++) t->byte_id[b] = -1;
  return flag(f, "tokenizer.ggml.normalizer.strip_accents", s->lower, &s->strip, why);
}

static size_t scratch_bytes(const en_tokenizer *t, size_t n_text_bytes) { (void)t; (void)n_text_bytes; return EN_ALIGN; }

/* ---- words to tokens ---- */

/* The longest token that w->text[at..] begins with; -1 none. Hashes of all beginnings come from one pass. A space mark that the text itself has
 * begins no word, so no token fits there. */
static int32_t longest(const en_tokenizer *t, const word_t *w, size_t at, size_t *n_bytes) {
  const size_t most = EN_MIN(w->n - at, (size_t)t->longest);
  uint32_t hash[sizeof w->text + 1];
  if (at && w->n - at >= EN_SPACE_MARK_BYTES && !memcmp(w->text + at, EN_SPACE_MARK, EN_SPACE_MARK_BYTES)) return -1;
  hash[0] = EN_HASH_START;
  for (size_t n = 1; n <= most; n++) hash[n] = en_hash_bytes(hash[n - 1], w->text + at + n - 1, 1);
  for (size_t n = most; n; n--) {
    uint32_t probe = 0;
    for (int32_t id = en_vocab_candidate(t, hash[n], &probe); id >= 0; id = en_vocab_candidate(t, hash[n], &probe)) {
      size_t length;
      const char *text = en_token_text(t, id, &length);
      if (length != n || memcmp(text, w->text + at, n)) continue;
      *n_bytes = n;
      return id;
    }
  }
  return -1;
}

/* The tokens of a word, or [UNK]; then the word is empty again. */
static int32_t end_word(const en_tokenizer *t, word_t *w, en_ids *out) {
  const en_ids before = *out;
  int32_t known = w->n_chars <= MAX_WORD;
  if (!w->n_chars) return EN_OK;
  for (size_t at = 0, n = 0; known && at < w->n; at += n) {
    const int32_t id = longest(t, w, at, &n);
    known = id >= 0;
    if (known) en_ids_put(out, id);
  }
  w->n = EN_SPACE_MARK_BYTES;
  w->n_chars = 0;
  if (known) return EN_OK;
  *out = before;
  if (t->special.unk < 0) return EN_E_UNSUPPORTED;
  en_ids_put(out, t->special.unk);
  return EN_OK;
}

static void add_char(word_t *w, uint32_t cp) {
  if (w->n_chars++ < MAX_WORD) w->n += (size_t)en_utf8_put(cp, w->text + w->n);
}

/* ---- text to words ---- */

/* CJK ideographs, as BERT counts them: blocks of Han, not kana, not Hangul. */
static int is_ideograph(uint32_t cp) {
  static const uint32_t blocks[][2] = {{0x4E00, 0x9FFF}, {0x3400, 0x4DBF}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF}, {0xF900, 0xFAFF}, {0x2F800, 0x2FA1F}};
  for (int32_t i = 0; cp >= 0x3400 && i < EN_COUNT(blocks); i++)
    if (cp >= blocks[i][0] && cp <= blocks[i][1]) return 1;
  return 0;
}

static int stands_alone(uint32_t cp) {
  const int32_t class = en_codepoint_class(cp);
  return class == EN_CP_PUNCTUATION || (cp < 128 && class == EN_CP_SYMBOL);
}

/* One character that is left after stripping. */
static int32_t put_char(const en_tokenizer *t, word_t *w, uint32_t cp, en_ids *out) {
  const wordpiece_t *s = t->state;
  if (s->lower) cp = en_codepoint_lower(cp);
  if (!stands_alone(cp)) { add_char(w, cp); return EN_OK; }
  EN_TRY(end_word(t, w, out));
  add_char(w, cp);
  return end_word(t, w, out);
}

static int32_t put_codepoint(const en_tokenizer *t, word_t *w, uint32_t cp, en_ids *out) {
  const wordpiece_t *s = t->state;
  const int32_t class = cp < 128 ? EN_CP_LETTER : en_codepoint_class(cp), alone = is_ideograph(cp);
  if (cp == ' ' || cp == '\t' || cp == '\n' || cp == '\r' || (class == EN_CP_SPACE && cp != 0x85)) return end_word(t, w, out);
  if (cp < 32 || cp == 127 || cp == 0x85 || cp == EN_CP_REPLACEMENT || class == EN_CP_OTHER) return EN_OK; /* the other controls do not even part words */
  if (alone) EN_TRY(end_word(t, w, out));
  uint32_t parts[EN_MAX_PARTS] = {cp};
  const int32_t n = s->strip && cp >= 128 ? en_codepoint_decompose(cp, parts) : 1;
  for (int32_t i = 0; i < n; i++)
    if (!s->strip || en_codepoint_class(parts[i]) != EN_CP_MARK_NONSPACING) EN_TRY(put_char(t, w, parts[i], out));
  return alone ? end_word(t, w, out) : EN_OK;
}

static int32_t encode(const en_tokenizer *t, const char *text, size_t n, int after_special, en_ids *out, void *scratch) {
  word_t w = {.text = EN_SPACE_MARK, .n = EN_SPACE_MARK_BYTES};
  (void)after_special;
  (void)scratch;
  for (size_t at = 0; at < n;) {
    uint32_t cp = 0;
    const int32_t step = en_utf8_step(text + at, n - at, &cp);
    if (step > 0) EN_TRY(put_codepoint(t, &w, cp, out));
    at += (size_t)(step > 0 ? step : step < 0 ? -step : (int32_t)(n - at)); /* what is no UTF-8 becomes U+FFFD, which is dropped */
  }
  return end_word(t, &w, out);
}

const en_tokenizer_kind en_wordpiece = {
  .model = "bert", .bos = 101, .eos = 102, .unk = 100, .add_bos = 1, .space_prefix = 1, .wraps = 1,
  .state_bytes = state_bytes, .init = init, .scratch_bytes = scratch_bytes, .encode = encode, .piece = en_marked_piece,
};

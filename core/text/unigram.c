/* unigram.c - SentencePiece's unigram model ("t5"; T5, XLM-R, ALBERT and their like): the text is normalized by a table in the file, then cut into those tokens
 * whose scores, logarithms of probabilities, have the highest sum (Viterbi; Kudo 2018). A character that no token fits costs more than any token, and a run of them is
 * one unknown token. Rules as llama.cpp has them (src/llama-vocab.cpp, restated); the table's format is SentencePiece's (src/normalizer.h) over Darts-clone's. */
#include "text.h"
#include "unicode.h"
#include <float.h>

enum {
  GROWTH = 13,  /* bytes that one byte of text becomes at most: U+FDFA, 3 bytes, becomes 30 and three spaces that are marked */
  UNKNOWN = 10, /* what an unknown character costs more than the rarest token */
};
typedef struct {
  const uint8_t *scores;              /* f32, unaligned; NULL: all are 0 */
  const uint8_t *units, *texts;       /* the table: a double array of u32, then texts that end with NUL; NULL: there is none */
  uint32_t n_units, n_text_bytes;
  uint32_t *cells, cell_mask;         /* two bits for each hash: a token begins so; a token ends there */
  uint32_t ring_mask;                 /* of best: longer than any token */
  double unknown;
  int32_t merge_spaces;
} unigram_t;

/* ---- tables ---- */

static size_t carve(unigram_t **u, const en_vocab_file *f, void *mem) {
  uint64_t n_bytes = 0, longest = 4, n_cells = 64, ring = 1;
  const uint8_t *cursor = f->tokens.at;
  void *cells = NULL;
  for (uint64_t i = 0, n; i < f->tokens.n; i++) {
    en_value_next_str(&cursor, &n);
    n_bytes += EN_MIN(n, (uint64_t)EN_MAX_TOKEN); /* longer ones are refused later */
    longest = EN_MAX(longest, EN_MIN(n, (uint64_t)EN_MAX_TOKEN));
  }
  while (n_cells < 4 * n_bytes) n_cells *= 2;
  while (ring <= longest) ring *= 2;
  const en_piece pieces[] = {{(void **)u, 1, sizeof **u}, {&cells, n_cells / 16, sizeof(uint32_t)}};
  const size_t bytes = n_cells <= UINT32_MAX ? en_carve(pieces, EN_COUNT(pieces), mem) : 0;
  if (mem && bytes) **u = (unigram_t){.cells = cells, .cell_mask = (uint32_t)n_cells - 1, .ring_mask = (uint32_t)ring - 1};
  return bytes;
}

static size_t state_bytes(const en_vocab_file *f) {
  unigram_t *u;
  return carve(&u, f, NULL);
}

static int32_t init_map(unigram_t *u, const en_vocab_file *f, en_why *why) {
  static const char key[] = "tokenizer.ggml.precompiled_charsmap";
  en_value v;
  if (!en_gguf_get(&f->g, key, &v) || !v.n) return EN_OK;
  const int bytes = v.type == EN_GGUF_ARR && (v.elem_type == EN_GGUF_U8 || v.elem_type == EN_GGUF_I8);
  const uint32_t n = bytes && v.n >= 4 ? en_rd32(v.at) : UINT32_MAX;
  if (n % 4 || n >= v.n - 4 || v.n > UINT32_MAX || v.at[v.n - 1]) return en_fail(why, EN_E_FORMAT, "the key %s is no table of characters", key);
  u->units = v.at + 4;
  u->n_units = n / 4;
  u->texts = v.at + 4 + n;
  u->n_text_bytes = (uint32_t)v.n - 4 - n;
  return EN_OK;
}

static uint32_t cell_of(const unigram_t *u, uint32_t hash) { return en_hash_mix(hash) & u->cell_mask; }
static void mark(const unigram_t *u, uint32_t hash, uint32_t bits) {
  const uint32_t cell = cell_of(u, hash);
  u->cells[cell / 16] |= bits << cell % 16 * 2;
}

static float score_of(const unigram_t *u, int32_t id) { return u->scores ? en_rdf32(u->scores + (size_t)4 * (size_t)id) : 0; }

static int32_t init(en_tokenizer *t, const en_vocab_file *f, void *state, en_why *why) {
  unigram_t *u;
  float least = FLT_MAX;
  carve(&u, f, state);
  const int32_t status = en_gguf_bool(&f->g, "tokenizer.ggml.remove_extra_whitespaces", &u->merge_spaces, why);
  if (status != EN_OK && status != EN_E_ARG) return status;
  EN_TRY(init_map(u, f, why));
  u->scores = f->scores.n ? f->scores.at : NULL;
  memset(u->cells, 0, ((size_t)u->cell_mask + 1) / 4);
  for (int32_t b = 0; b < 256; b++) t->byte_id[b] = -1;
  for (int32_t id = 0; id < (int32_t)t->special.n_vocab; id++) {
    size_t n;
    uint32_t hash = EN_HASH_START;
    const char *text = en_token_text(t, id, &n);
    const uint32_t type = en_token_type(t, id);
    if (type == EN_TOKEN_NORMAL && score_of(u, id) >= -FLT_MAX) least = EN_MIN(least, score_of(u, id));
    if (en_token_is_hidden(type) || type == EN_TOKEN_BYTE || !(score_of(u, id) >= -FLT_MAX)) continue; /* no score that sums could bear */
    for (size_t i = 0; i < n; i++) {
      hash = en_hash_bytes(hash, text + i, 1);
      mark(u, hash, i + 1 == n ? 2 : 1);
    }
  }
  u->unknown = (double)(least - (float)UNKNOWN);
  return EN_OK;
}

/* ---- normalize ---- */

typedef struct {
  char *text;     /* [cap] normalized */
  int32_t *ids;   /* [cap + 1] the best token that ends here; below 0: an unknown character of that many bytes */
  double *best;   /* ring of the best sums up to a place */
  size_t n, cap;
} work_t;

static size_t carve_work(work_t *w, const en_tokenizer *t, size_t n_text_bytes, void *mem) {
  const unigram_t *u = t->state;
  w->cap = n_text_bytes * (u->units ? GROWTH : 3) + EN_SPACE_MARK_BYTES;
  const en_piece pieces[] = {{(void **)&w->text, w->cap, 1}, {(void **)&w->ids, (uint64_t)w->cap + 1, sizeof *w->ids}, {(void **)&w->best, (uint64_t)u->ring_mask + 1, sizeof *w->best}};
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

static size_t scratch_bytes(const en_tokenizer *t, size_t n_text_bytes) {
  work_t w;
  return n_text_bytes <= SIZE_MAX / 64 ? carve_work(&w, t, n_text_bytes, NULL) : 0;
}

static uint32_t offset_of(uint32_t unit) { return unit >> 10 << (unit & 0x200 ? 8 : 0); }

/* The longest beginning of s that the table has: its bytes and what it becomes; 0: none. A node of the double array is 8 bits of label, one that says it has a
 * value, a shift and an offset by which its children are found. */
static size_t look_up(const unigram_t *u, const char *s, size_t n, uint32_t *text) {
  size_t length = 0;
  uint32_t at = 0, unit = u->n_units ? en_rd32(u->units) : 0;
  for (size_t i = 0; i < n && s[i]; i++) {
    at ^= offset_of(unit) ^ (uint8_t)s[i];
    if (at >= u->n_units) break;
    unit = en_rd32(u->units + (size_t)4 * at);
    if ((unit & 0x800000ffu) != (uint8_t)s[i]) break;
    const uint32_t leaf = at ^ offset_of(unit);
    if (!(unit >> 8 & 1) || leaf >= u->n_units) continue;
    *text = en_rd32(u->units + (size_t)4 * leaf) & 0x7fffffffu;
    length = i + 1;
  }
  return length;
}

static int32_t put(work_t *w, const char *s, size_t n) {
  if (n > w->cap - w->n) return EN_E_UNSUPPORTED; /* a crafted table: no real one lets a text grow so much */
  memcpy(w->text + w->n, s, n);
  w->n += n;
  return EN_OK;
}

/* Spaces become marks; with merge_spaces there is one before each word and nowhere else. */
static int32_t put_normal(const en_tokenizer *t, work_t *w, const char *s, size_t n, int *in_word, int *has_prefix) {
  const unigram_t *u = t->state;
  for (size_t i = 0; i < n; i++) {
    const int space = s[i] == ' ', opens = !space && !*in_word;
    *in_word = !space;
    if (space ? !u->merge_spaces : opens && (u->merge_spaces || (t->space_prefix && !*has_prefix))) {
      EN_TRY(put(w, EN_SPACE_MARK, EN_SPACE_MARK_BYTES));
      *has_prefix |= opens;
    }
    if (!space) EN_TRY(put(w, s + i, 1));
  }
  return EN_OK;
}

static int32_t normalize(const en_tokenizer *t, work_t *w, const char *s, size_t n) {
  const unigram_t *u = t->state;
  int in_word = 0, has_prefix = 0;
  for (size_t at = 0, k; at < n; at += k) {
    uint32_t text = 0, cp;
    k = look_up(u, s + at, n - at, &text);
    if (k) {
      if (text >= u->n_text_bytes) return EN_E_FORMAT;
      EN_TRY(put_normal(t, w, (const char *)u->texts + text, strlen((const char *)u->texts + text), &in_word, &has_prefix));
      continue;
    }
    const int32_t step = en_utf8_step(s + at, n - at, &cp);
    k = step > 0 ? (size_t)step : 1;
    EN_TRY(step > 0 ? put_normal(t, w, s + at, k, &in_word, &has_prefix) : put_normal(t, w, "\xef\xbf\xbd", 3, &in_word, &has_prefix));
  }
  return EN_OK;
}

/* ---- the best way through ---- */

static size_t character_bytes(char lead) {
  const uint8_t b = (uint8_t)lead;
  return b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

static int32_t find(const en_tokenizer *t, uint32_t hash, const char *s, size_t n) {
  uint32_t probe = 0;
  for (int32_t id = en_vocab_candidate(t, hash, &probe); id >= 0; id = en_vocab_candidate(t, hash, &probe)) {
    size_t length;
    const char *text = en_token_text(t, id, &length);
    if (length == n && !memcmp(text, s, n)) return en_token_is_hidden(en_token_type(t, id)) || en_token_type(t, id) == EN_TOKEN_BYTE ? -1 : id;
  }
  return -1;
}

static void offer(const unigram_t *u, work_t *w, size_t at, double sum, int32_t id) {
  double *best = &w->best[at & u->ring_mask];
  if (!(sum > *best)) return;
  *best = sum;
  w->ids[at] = id;
}

/* Everything that can follow at a place; every place where a character begins is reached. */
static void walk(const en_tokenizer *t, work_t *w) {
  const unigram_t *u = t->state;
  const size_t longest = t->longest;
  for (size_t i = 0; i <= u->ring_mask; i++) w->best[i] = -DBL_MAX;
  w->best[0] = 0;
  for (size_t at = 0, length; at < w->n; at += length) {
    const char *s = w->text + at;
    const double sum = w->best[at & u->ring_mask];
    const size_t most = EN_MIN(w->n - at, longest);
    int known = 0;
    uint32_t hash = EN_HASH_START;
    length = EN_MIN(character_bytes(*s), w->n - at);
    for (size_t k = 1; k <= most; k++) {
      hash = en_hash_bytes(hash, s + k - 1, 1);
      const uint32_t cell = cell_of(u, hash), bits = u->cells[cell / 16] >> cell % 16 * 2 & 3;
      const int32_t id = bits & 2 ? find(t, hash, s, k) : -1;
      if (id >= 0 && score_of(u, id) >= -FLT_MAX) {
        known |= k == length;
        offer(u, w, at + k, sum + (en_token_type(t, id) == EN_TOKEN_USER_DEFINED ? 0.0 : (double)score_of(u, id)), id);
      }
      if (!(bits & 1)) break;
    }
    if (!known) offer(u, w, at + length, sum + u->unknown, -(int32_t)length);
    for (size_t k = 0; k < length; k++) w->best[(at + k) & u->ring_mask] = -DBL_MAX; /* the ring comes round */
  }
}

static size_t length_of(const en_tokenizer *t, int32_t id) {
  size_t n = (size_t)-id;
  if (id >= 0) en_token_text(t, id, &n);
  return n;
}

static int32_t encode(const en_tokenizer *t, const char *text, size_t n, int after_special, en_ids *out, void *scratch) {
  work_t w = {.n = 0};
  (void)after_special;
  carve_work(&w, t, n, scratch);
  EN_TRY(normalize(t, &w, text, n));
  walk(t, &w);
  int32_t id = w.n ? w.ids[w.n] : 0;
  for (size_t at = w.n; at;) { /* turned round: ids[at] becomes the token that begins at `at` */
    at -= length_of(t, id);
    const int32_t before = at ? w.ids[at] : 0;
    w.ids[at] = id;
    id = before;
  }
  for (size_t at = 0, in_unknown = 0; at < w.n; at += length_of(t, w.ids[at])) {
    const int unknown = w.ids[at] < 0;
    if (unknown && t->special.unk < 0) return EN_E_UNSUPPORTED;
    if (!unknown || !in_unknown) en_ids_put(out, unknown ? t->special.unk : w.ids[at]);
    in_unknown = (size_t)unknown;
  }
  return EN_OK;
}

const en_tokenizer_kind en_unigram = {
  .model = "t5", .bos = -1, .eos = 1, .unk = 2, .add_bos = 0, .add_eos = 1,
  .state_bytes = state_bytes, .init = init, .scratch_bytes = scratch_bytes, .encode = encode, .piece = en_marked_piece,
};

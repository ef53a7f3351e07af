/* bpe_train.c - see bpe_train.h. Different words are kept once, with their count. A merge touches only the words that hold its pair: every pair knows
 * them, and a heap knows the most frequent pair. Counts in the heap may be out of date, but only too high, so the top is right once its own count is. */
#include "bpe_train.h"
#include <stdlib.h>
#include <string.h>

typedef struct { uint32_t *at; uint32_t n, cap; } list; /* of word numbers */
typedef struct { uint32_t left, right; uint64_t count; list words; } pair_t;
typedef struct { uint64_t count; uint32_t pair; } entry;
typedef struct { size_t at; uint32_t n; uint64_t count; } word_t; /* symbols[at .. at + n) */

struct cli_bpe {
  const en_pretokenizer *pre;
  const char *const *specials;
  size_t n_specials;
  int blank_apart;
  uint32_t *symbols;                      /* of all words; while words are counted, one for each byte */
  size_t n_symbols, cap_symbols;
  word_t *words;
  size_t n_words, cap_words;
  uint32_t *word_slots; size_t n_word_slots; /* open addressing: number of the word + 1 */
  pair_t *pairs;
  size_t n_pairs, cap_pairs;
  uint32_t *pair_slots; size_t n_pair_slots;
  entry *heap;
  size_t n_heap, cap_heap;
  cli_bpe_merge *merges;
  uint32_t n_merges;
  char *texts;                            /* of all symbols */
  size_t *text_at;                        /* [257 + n_merges] */
  size_t cap_texts;
};

/* Room for one more (or n more) elements; 0: no memory. */
static int grow(void **p, size_t *cap, size_t need, size_t size) {
  if (*cap >= need) return 1;
  const size_t wanted = EN_MAX(need, *cap * 2 + 64);
  if (wanted > SIZE_MAX / size) return 0;
  void *more = realloc(*p, wanted * size);
  if (!more) return 0;
  *p = more;
  *cap = wanted;
  return 1;
}

static uint64_t mix(uint64_t h) { h ^= h >> 32; h *= 0xd6e8feb86659fd93u; h ^= h >> 32; h *= 0xd6e8feb86659fd93u; return h ^ h >> 32; }

cli_bpe *cli_bpe_new(const en_pretokenizer *pre, const char *const *specials, size_t n, int blank_apart) {
  cli_bpe *b = calloc(1, sizeof *b);
  if (b) b->pre = pre, b->specials = specials, b->n_specials = n, b->blank_apart = blank_apart;
  return b;
}

void cli_bpe_free(cli_bpe *b) {
  if (!b) return;
  for (size_t i = 0; i < b->n_pairs; i++) free(b->pairs[i].words.at);
  free(b->symbols), free(b->words), free(b->word_slots), free(b->pairs), free(b->pair_slots), free(b->heap), free(b->merges), free(b->texts), free(b->text_at);
  free(b);
}

size_t cli_bpe_words(const cli_bpe *b) { return b->n_words; }

/* ---- counting words ---- */

static uint64_t word_hash(const uint32_t *symbols, size_t n) {
  uint64_t h = n;
  for (size_t i = 0; i < n; i++) h = (h ^ symbols[i]) * 0x100000001b3u;
  return mix(h);
}

static int resize_words(cli_bpe *b) {
  const size_t n = b->n_word_slots ? b->n_word_slots * 2 : 1 << 12;
  uint32_t *slots = calloc(n, sizeof *slots);
  if (!slots) return 0;
  for (size_t w = 0; w < b->n_words; w++) {
    size_t i = word_hash(b->symbols + b->words[w].at, b->words[w].n) & (n - 1);
    while (slots[i]) i = (i + 1) & (n - 1);
    slots[i] = (uint32_t)w + 1;
  }
  free(b->word_slots);
  b->word_slots = slots;
  b->n_word_slots = n;
  return 1;
}

static int count_word(cli_bpe *b, const char *text, size_t n) {
  if (n > UINT32_MAX || b->n_words >= UINT32_MAX - 1 || (b->n_words * 2 >= b->n_word_slots && !resize_words(b))) return 0;
  if (!grow((void **)&b->symbols, &b->cap_symbols, b->n_symbols + n, sizeof *b->symbols)) return 0;
  uint32_t *symbols = b->symbols + b->n_symbols; /* kept only if the word is new */
  for (size_t i = 0; i < n; i++) symbols[i] = (uint8_t)text[i];
  size_t i = word_hash(symbols, n) & (b->n_word_slots - 1);
  for (; b->word_slots[i]; i = (i + 1) & (b->n_word_slots - 1)) {
    word_t *w = b->words + b->word_slots[i] - 1;
    if (w->n == n && !memcmp(b->symbols + w->at, symbols, n * sizeof *symbols)) { w->count++; return 1; }
  }
  if (!grow((void **)&b->words, &b->cap_words, b->n_words + 1, sizeof *b->words)) return 0;
  b->words[b->n_words++] = (word_t){b->n_symbols, (uint32_t)n, 1};
  b->word_slots[i] = (uint32_t)b->n_words;
  b->n_symbols += n;
  return 1;
}

/* The place of the first special text in text[0..n), or n; *length: of the longest that begins there. */
static size_t next_special(const cli_bpe *b, const char *text, size_t n, size_t *length) {
  *length = 0;
  for (size_t at = 0; b->n_specials && at < n; at++) {
    for (size_t s = 0; s < b->n_specials; s++) {
      const size_t k = strlen(b->specials[s]);
      if (text[at] == b->specials[s][0] && k > *length && n - at >= k && !memcmp(text + at, b->specials[s], k)) *length = k;
    }
    if (*length) return at;
  }
  return n;
}

int cli_bpe_add(cli_bpe *b, const char *text, size_t n_bytes) {
  while (n_bytes) {
    size_t length, n;
    const size_t end = next_special(b, text, n_bytes, &length);
    en_words walk;
    const char *word;
    en_words_begin(&walk, b->pre, text, end);
    while (en_words_next(&walk, &word, &n)) {
      const size_t blank = b->blank_apart && n > 1 && *word == ' '; /* left out, it is in no pair and stays a token of its own */
      if (!count_word(b, word + blank, n - blank)) return 0;
    }
    text += end + length;
    n_bytes -= end + length;
  }
  return 1;
}

/* ---- pairs ---- */

static int resize_pairs(cli_bpe *b) {
  const size_t n = b->n_pair_slots ? b->n_pair_slots * 2 : 1 << 16;
  uint32_t *slots = calloc(n, sizeof *slots);
  if (!slots) return 0;
  for (size_t p = 0; p < b->n_pairs; p++) {
    size_t i = mix((uint64_t)b->pairs[p].left << 32 | b->pairs[p].right) & (n - 1);
    while (slots[i]) i = (i + 1) & (n - 1);
    slots[i] = (uint32_t)p + 1;
  }
  free(b->pair_slots);
  b->pair_slots = slots;
  b->n_pair_slots = n;
  return 1;
}

/* The pair's number, made if it is new; UINT32_MAX: no memory. */
static uint32_t pair_of(cli_bpe *b, uint32_t left, uint32_t right) {
  if (b->n_pairs * 2 >= b->n_pair_slots && !resize_pairs(b)) return UINT32_MAX;
  size_t i = mix((uint64_t)left << 32 | right) & (b->n_pair_slots - 1);
  for (; b->pair_slots[i]; i = (i + 1) & (b->n_pair_slots - 1)) {
    const pair_t *p = b->pairs + b->pair_slots[i] - 1;
    if (p->left == left && p->right == right) return b->pair_slots[i] - 1;
  }
  if (b->n_pairs >= UINT32_MAX - 1 || !grow((void **)&b->pairs, &b->cap_pairs, b->n_pairs + 1, sizeof *b->pairs)) return UINT32_MAX;
  b->pairs[b->n_pairs++] = (pair_t){left, right, 0, {NULL, 0, 0}};
  b->pair_slots[i] = (uint32_t)b->n_pairs;
  return (uint32_t)b->n_pairs - 1;
}

static int note_word(list *l, uint32_t word) {
  size_t cap = l->cap;
  if (l->n && l->at[l->n - 1] == word) return 1;
  if (!grow((void **)&l->at, &cap, (size_t)l->n + 1, sizeof *l->at)) return 0;
  l->cap = (uint32_t)cap;
  l->at[l->n++] = word;
  return 1;
}

/* ---- the heap: the greatest count first, then the greatest texts ---- */

const char *cli_bpe_text(const cli_bpe *b, uint32_t symbol, size_t *n_bytes) {
  *n_bytes = b->text_at[symbol + 1] - b->text_at[symbol];
  return b->texts + b->text_at[symbol];
}

static int compare_texts(const cli_bpe *b, uint32_t x, uint32_t y) {
  size_t nx, ny;
  const char *tx = cli_bpe_text(b, x, &nx), *ty = cli_bpe_text(b, y, &ny);
  const int order = memcmp(tx, ty, EN_MIN(nx, ny));
  return order ? order : (nx > ny) - (nx < ny);
}

static int goes_before(const cli_bpe *b, const entry *x, const entry *y) {
  if (x->count != y->count) return x->count > y->count;
  const pair_t *p = b->pairs + x->pair, *q = b->pairs + y->pair;
  const int left = compare_texts(b, p->left, q->left);
  return left ? left > 0 : compare_texts(b, p->right, q->right) > 0;
}

static void sift_down(cli_bpe *b, size_t i) {
  const entry moved = b->heap[i];
  for (size_t child; (child = 2 * i + 1) < b->n_heap; i = child) {
    if (child + 1 < b->n_heap && goes_before(b, b->heap + child + 1, b->heap + child)) child++;
    if (!goes_before(b, b->heap + child, &moved)) break;
    b->heap[i] = b->heap[child];
  }
  b->heap[i] = moved;
}

static int push(cli_bpe *b, uint32_t pair) {
  if (!grow((void **)&b->heap, &b->cap_heap, b->n_heap + 1, sizeof *b->heap)) return 0;
  const entry e = {b->pairs[pair].count, pair};
  size_t i = b->n_heap++;
  for (; i && goes_before(b, &e, b->heap + (i - 1) / 2); i = (i - 1) / 2) b->heap[i] = b->heap[(i - 1) / 2];
  b->heap[i] = e;
  return 1;
}

/* The most frequent pair; UINT32_MAX: none occurs `least` times. */
static uint32_t pop(cli_bpe *b, uint64_t least) {
  while (b->n_heap && b->heap[0].count >= least) {
    const uint32_t pair = b->heap[0].pair;
    if (b->heap[0].count == b->pairs[pair].count) {
      b->heap[0] = b->heap[--b->n_heap];
      if (b->n_heap) sift_down(b, 0);
      return pair;
    }
    b->heap[0].count = b->pairs[pair].count;
    sift_down(b, 0);
  }
  return UINT32_MAX;
}

/* ---- merging ---- */

static int append_text(cli_bpe *b, uint32_t symbol, const char *x, size_t nx, const char *y, size_t ny) {
  const size_t at = b->text_at[symbol];
  const ptrdiff_t fx = x - b->texts, fy = y - b->texts; /* they may lie in the buffer that moves */
  const int inside = symbol >= 256;
  if (!grow((void **)&b->texts, &b->cap_texts, at + nx + ny, 1)) return 0;
  memcpy(b->texts + at, inside ? b->texts + fx : x, nx);
  if (ny) memcpy(b->texts + at + nx, inside ? b->texts + fy : y, ny);
  b->text_at[symbol + 1] = at + nx + ny;
  return 1;
}

static int count_pairs(cli_bpe *b) {
  for (size_t w = 0; w < b->n_words; w++) {
    const uint32_t *s = b->symbols + b->words[w].at;
    for (uint32_t i = 0; i + 1 < b->words[w].n; i++) {
      const uint32_t p = pair_of(b, s[i], s[i + 1]);
      if (p == UINT32_MAX || !note_word(&b->pairs[p].words, (uint32_t)w)) return 0;
      b->pairs[p].count += b->words[w].count;
    }
  }
  for (size_t p = 0; p < b->n_pairs; p++)
    if (!push(b, (uint32_t)p)) return 0;
  return 1;
}

/* The pairs of a word lose its count, or get it; those that hold `made` learn of the word. 0: no memory. */
static int recount(cli_bpe *b, uint32_t word, int add, uint32_t made) {
  const word_t *w = b->words + word;
  const uint32_t *s = b->symbols + w->at;
  for (uint32_t i = 0; i + 1 < w->n; i++) {
    const uint32_t p = pair_of(b, s[i], s[i + 1]);
    if (p == UINT32_MAX) return 0;
    b->pairs[p].count = add ? b->pairs[p].count + w->count : b->pairs[p].count - w->count;
    if (add && (s[i] == made || s[i + 1] == made) && !note_word(&b->pairs[p].words, word)) return 0;
  }
  return 1;
}

static int merge_in_word(cli_bpe *b, uint32_t word, uint32_t left, uint32_t right, uint32_t made) {
  word_t *w = b->words + word;
  uint32_t *s = b->symbols + w->at, n = 0, found = 0;
  for (uint32_t i = 0; i + 1 < w->n && !found; i++) found = s[i] == left && s[i + 1] == right;
  if (!found) return 1; /* an earlier merge took it apart */
  if (!recount(b, word, 0, made)) return 0;
  for (uint32_t i = 0; i < w->n; n++) {
    const int here = i + 1 < w->n && s[i] == left && s[i + 1] == right;
    s[n] = here ? made : s[i];
    i += here ? 2 : 1;
  }
  w->n = n;
  return recount(b, word, 1, made);
}

static int merge_pair(cli_bpe *b, uint32_t pair) {
  const uint32_t left = b->pairs[pair].left, right = b->pairs[pair].right, made = 256 + b->n_merges;
  const size_t first_new = b->n_pairs;
  list words = b->pairs[pair].words;
  size_t nx, ny;
  const char *x = cli_bpe_text(b, left, &nx), *y = cli_bpe_text(b, right, &ny);
  if (!append_text(b, made, x, nx, y, ny)) return 0;
  b->merges[b->n_merges++] = (cli_bpe_merge){left, right};
  b->pairs[pair].words = (list){NULL, 0, 0};
  int ok = 1;
  for (uint32_t i = 0; i < words.n && ok; i++) ok = merge_in_word(b, words.at[i], left, right, made);
  free(words.at);
  for (size_t p = first_new; p < b->n_pairs && ok; p++) ok = push(b, (uint32_t)p); /* every pair with the new symbol is new */
  return ok;
}

const cli_bpe_merge *cli_bpe_learn(cli_bpe *b, uint32_t n_merges, uint64_t least, void (*progress)(uint32_t, uint32_t), uint32_t *n) {
  b->merges = malloc(((size_t)n_merges + 1) * sizeof *b->merges);
  b->text_at = malloc(((size_t)n_merges + 257) * sizeof *b->text_at);
  if (!b->merges || !b->text_at) return NULL;
  b->text_at[0] = 0;
  for (uint32_t c = 0; c < 256; c++) {
    const char byte = (char)c;
    if (!append_text(b, c, &byte, 1, NULL, 0)) return NULL;
  }
  if (!count_pairs(b)) return NULL;
  for (uint32_t pair; b->n_merges < n_merges && (pair = pop(b, EN_MAX(least, 1))) != UINT32_MAX;) {
    if (!merge_pair(b, pair)) return NULL;
    if (progress) progress(b->n_merges, n_merges);
  }
  *n = b->n_merges;
  return b->merges;
}

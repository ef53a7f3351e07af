/* lexicon.c - see grammar.h. Tokens are ordered by their texts in the file: their spelling of bytes keeps what begins alike together, in
 * whatever order. A walk over the list then sees each common beginning once. */
#include "grammar.h"

typedef struct { en_lexicon *x; int32_t *spare; } parts_t;

static size_t piece_of(const en_tokenizer *t, int32_t id, char *bytes) {
  int32_t at_start = 0;
  en_out out = {.bytes = bytes, .cap = bytes ? EN_MAX_TOKEN : 0};
  if (en_token_is_hidden(en_token_type(t, id)) || en_token_is_end(t, id)) return 0;
  en_token_piece(t, id, 0, &at_start, &out);
  return out.n;
}

static size_t carve(parts_t *p, const en_tokenizer *t, void *mem) {
  void *ids = NULL, *spare = NULL, *rest = NULL;
  uint64_t n = 0, total = 0;
  for (int32_t i = 0; i < (int32_t)t->special.n_vocab; i++) {
    const size_t length = piece_of(t, i, NULL);
    n += length > 0;
    total += length;
  }
  const en_piece pieces[] = {{(void **)&p->x, 1, sizeof *p->x}, {&ids, n, sizeof(int32_t)}, {&spare, n, sizeof(int32_t)}, {&rest, total, 1}};
  const size_t bytes = en_carve(pieces, EN_COUNT(pieces), mem);
  if (!mem || !bytes) return bytes;
  *p->x = (en_lexicon){.t = t, .ids = ids, .length = spare, .rest = rest, .n = (uint32_t)n};
  p->spare = spare; /* for sorting; the lengths lie there afterwards */
  return bytes;
}

size_t en_lexicon_bytes(const en_tokenizer *t) {
  parts_t p;
  return t ? carve(&p, t, NULL) : 0;
}

static int comes_after(const en_tokenizer *t, int32_t a, int32_t b) {
  size_t na, nb;
  const char *ta = en_token_text(t, a, &na), *tb = en_token_text(t, b, &nb);
  const int order = memcmp(ta, tb, EN_MIN(na, nb));
  return order ? order > 0 : na > nb;
}

/* Merge sort from below: no bad case. The result is in `ids` again. */
static void sort(const en_lexicon *x, int32_t *spare) {
  int32_t *from = x->ids, *to = spare;
  for (uint32_t width = 1; width < x->n; width *= 2) {
    for (uint32_t lo = 0; lo < x->n; lo += 2 * width) {
      const uint32_t mid = EN_MIN(lo + width, x->n), hi = EN_MIN(lo + 2 * width, x->n);
      for (uint32_t a = lo, b = mid, k = lo; k < hi; k++) to[k] = b == hi || (a < mid && !comes_after(x->t, from[a], from[b])) ? from[a++] : from[b++];
    }
    int32_t *t = from;
    from = to;
    to = t;
  }
  if (from != x->ids) memcpy(x->ids, from, x->n * sizeof *from);
}

int32_t en_lexicon_init(en_lexicon **out, void *mem, size_t mem_bytes, const en_tokenizer *t) {
  parts_t p;
  char piece[2][EN_MAX_TOKEN];
  if (!out || !t) return EN_E_ARG;
  const size_t need = en_lexicon_bytes(t);
  if (!mem || !need || mem_bytes < need) return EN_E_NOMEM;
  carve(&p, t, mem);
  en_lexicon *x = p.x;
  uint32_t n = 0;
  for (int32_t i = 0; i < (int32_t)t->special.n_vocab; i++)
    if (piece_of(t, i, NULL)) x->ids[n++] = i;
  sort(x, p.spare);
  uint8_t *rest = x->rest;
  for (uint32_t i = 0, before = 0; i < x->n; i++) {
    char *now = piece[i & 1];
    const size_t length = piece_of(t, x->ids[i], now);
    uint32_t shared = 0;
    while (shared < before && shared < length && now[shared] == piece[~i & 1][shared]) shared++;
    x->length[i].shared = (uint16_t)shared;
    x->length[i].n = (uint16_t)length;
    memcpy(rest, now + shared, length - shared);
    rest += length - shared;
    before = (uint32_t)length;
  }
  *out = x;
  return EN_OK;
}

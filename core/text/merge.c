/* merge.c - the greedy pair merging of BPE and of SentencePiece's BPE: again and again the best-ranked adjacent pair becomes one
 * piece. A binary heap holds every piece that merges with its right neighbour and knows where each one is, so a change of
 * neighbours is one move in the heap and nothing in it is ever stale: O(n log n), memory for n entries. */
#include "text.h"

int32_t en_merger_pieces(en_merger *m, uint64_t max_symbols, en_piece pieces[2]) {
  pieces[0] = (en_piece){(void **)&m->symbols, max_symbols + 1, sizeof *m->symbols};
  pieces[1] = (en_piece){(void **)&m->heap, max_symbols, sizeof *m->heap};
  return 2;
}

typedef struct { en_symbol *s; uint32_t *at, n; } heap_t;

static int goes_first(const heap_t *h, uint32_t a, uint32_t b) {
  return h->s[a].rank < h->s[b].rank || (h->s[a].rank == h->s[b].rank && a < b);
}
static void place(heap_t *h, uint32_t slot, uint32_t symbol) {
  h->at[slot] = symbol;
  h->s[symbol].slot = slot;
}
static void sift_up(heap_t *h, uint32_t slot, uint32_t symbol) {
  for (; slot && goes_first(h, symbol, h->at[(slot - 1) / 2]); slot = (slot - 1) / 2) place(h, slot, h->at[(slot - 1) / 2]);
  place(h, slot, symbol);
}
static void sift_down(heap_t *h, uint32_t slot, uint32_t symbol) {
  for (uint32_t child = 2 * slot + 1; child < h->n; child = 2 * slot + 1) {
    if (child + 1 < h->n && goes_first(h, h->at[child + 1], h->at[child])) child++;
    if (!goes_first(h, h->at[child], symbol)) break;
    place(h, slot, h->at[child]);
    slot = child;
  }
  place(h, slot, symbol);
}
/* Put `symbol` at a slot whose old content is of no more interest. */
static void settle(heap_t *h, uint32_t slot, uint32_t symbol) {
  if (slot && goes_first(h, symbol, h->at[(slot - 1) / 2])) sift_up(h, slot, symbol);
  else sift_down(h, slot, symbol);
}
static void take_out(heap_t *h, uint32_t symbol) {
  const uint32_t slot = h->s[symbol].slot, last = h->at[--h->n];
  if (slot < h->n) settle(h, slot, last);
}

/* The right neighbour of `i` has changed: rank the pair anew. */
static void rank_again(const en_merger *m, heap_t *h, uint32_t i, uint32_t sentinel) {
  en_symbol *s = &h->s[i];
  const int was_in = s->merged >= 0;
  s->merged = -1;
  if (s->next != sentinel) m->rank(m->context, s, &h->s[s->next]);
  if (s->merged >= 0) {
    if (was_in) settle(h, s->slot, i);
    else { h->n++; sift_up(h, h->n - 1, i); }
  } else if (was_in) {
    take_out(h, i);
  }
}

void en_merge(en_merger *m, uint32_t n, uint32_t word_bytes) {
  heap_t h = {m->symbols, m->heap, 0};
  for (uint32_t i = 0; i <= n; i++) {
    h.s[i].prev = i ? i - 1 : EN_NO_SYMBOL;
    h.s[i].next = i + 1;
    h.s[i].merged = -1;
  }
  h.s[n].start = word_bytes;
  for (uint32_t i = 0; i + 1 < n; i++) rank_again(m, &h, i, n);
  while (h.n) {
    const uint32_t left = h.at[0], right = h.s[left].next;
    h.s[left].id = h.s[left].merged;
    if (h.s[right].merged >= 0) take_out(&h, right);
    h.s[left].next = h.s[right].next;
    h.s[h.s[left].next].prev = left;
    rank_again(m, &h, left, n);
    if (h.s[left].prev != EN_NO_SYMBOL) rank_again(m, &h, h.s[left].prev, n);
  }
}

/* metrics.c - how near a text is to what was wanted: BLEU (Papineni et al. 2002) and ROUGE-L (Lin 2004). Words are spans of the texts; equal words
 * get equal numbers first, so that everything after compares integers. And how surprising a token is. */
#include "../base/base.h"
#include <math.h>

double en_surprise(const float *logits, uint32_t n, int32_t id, int32_t *best) {
  double sum = 0;
  uint32_t top = 0;
  for (uint32_t i = 1; i < n; i++)
    if (logits[i] > logits[top]) top = i;
  for (uint32_t i = 0; i < n; i++) sum += exp((double)logits[i] - (double)logits[top]);
  if (best) *best = (int32_t)top;
  return (double)logits[top] + log(sum) - (double)logits[id];
}

typedef struct { uint32_t at, n; } span;
enum { MOST_TEXT = 1 << 20 }; /* bytes; comparing is quadratic in words */
#define EN_NO_WORD UINT32_MAX

static int is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
static int is_letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* The tokenization "13a" of mteval, which published BLEU scores use: ASCII punctuation stands alone, but not a point or comma between digits nor an
 * apostrophe; a dash stands alone after a digit. */
static int stands_alone(const char *s, size_t n, size_t i) {
  const unsigned char c = (unsigned char)s[i];
  const int digit_before = i > 0 && is_digit((unsigned char)s[i - 1]), digit_after = i + 1 < n && is_digit((unsigned char)s[i + 1]);
  if (c == '.' || c == ',') return !digit_before || !digit_after;
  if (c == '-') return digit_before;
  return (c >= '!' && c <= '/' && c != '\'') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}
static uint32_t bleu_words(const char *s, size_t n, span *out) {
  uint32_t words = 0, open = 0;
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)s[i];
    const int blank = c == ' ' || (c >= '\t' && c <= '\r'), alone = !blank && stands_alone(s, n, i);
    if (!blank && (alone || !open)) out[words++] = (span){(uint32_t)i, 1};
    else if (!blank) out[words - 1].n++;
    open = !blank && !alone;
  }
  return words;
}
/* Letters and digits, and bytes beyond ASCII. */
static uint32_t rouge_words(const char *s, size_t n, span *out) {
  uint32_t words = 0, open = 0;
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)s[i];
    const int inside = is_letter(c) || is_digit(c) || c >= 0x80;
    if (inside && !open) out[words++] = (span){(uint32_t)i, 1};
    else if (inside) out[words - 1].n++;
    open = (uint32_t)inside;
  }
  return words;
}

static unsigned char lower(char c) { return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }
static int same_word(const char *a, span x, const char *b, span y, int fold) {
  if (x.n != y.n) return 0;
  for (uint32_t i = 0; i < x.n; i++)
    if (fold ? lower(a[x.at + i]) != lower(b[y.at + i]) : a[x.at + i] != b[y.at + i]) return 0;
  return 1;
}

/* Two texts as word numbers. */
typedef struct { span *words[2]; uint32_t *ids[2], *row; uint32_t n[2], n_ids; } pair;

static size_t carve(pair *p, size_t n_candidate, size_t n_reference, void *mem) {
  const en_piece pieces[] = {{(void **)&p->words[0], n_candidate, sizeof(span)}, {(void **)&p->words[1], n_reference, sizeof(span)}, {(void **)&p->ids[0], n_candidate, sizeof(uint32_t)},
                             {(void **)&p->ids[1], n_reference, sizeof(uint32_t)}, {(void **)&p->row, (uint64_t)n_reference + 1, sizeof(uint32_t)}};
  return n_candidate > MOST_TEXT || n_reference > MOST_TEXT ? 0 : en_carve(pieces, EN_COUNT(pieces), mem);
}

size_t en_overlap_bytes(size_t n_candidate, size_t n_reference) {
  pair p;
  return carve(&p, n_candidate, n_reference, NULL);
}

static int32_t cut(pair *p, const char *const text[2], const size_t n[2], uint32_t (*words)(const char *, size_t, span *), int fold, void *scratch, size_t scratch_bytes) {
  const size_t need = carve(p, n[0], n[1], NULL);
  if (!need) return EN_E_ARG;
  if (!scratch || scratch_bytes < need) return EN_E_NOMEM;
  carve(p, n[0], n[1], scratch);
  p->n_ids = 0;
  for (int t = 0; t < 2; t++) {
    p->n[t] = words(text[t], n[t], p->words[t]);
    for (uint32_t i = 0; i < p->n[t]; i++) {
      uint32_t id = EN_NO_WORD;
      for (int u = 0; u <= t && id == EN_NO_WORD; u++)
        for (uint32_t k = 0; k < (u == t ? i : p->n[u]) && id == EN_NO_WORD; k++)
          if (same_word(text[t], p->words[t][i], text[u], p->words[u][k], fold)) id = p->ids[u][k];
      p->ids[t][i] = id == EN_NO_WORD ? p->n_ids++ : id;
    }
  }
  return EN_OK;
}

/* How often the n words at `at` occur in ids[n_ids). */
static uint32_t occurrences(const uint32_t *ids, uint32_t n_ids, const uint32_t *at, uint32_t n) {
  uint32_t found = 0;
  for (uint32_t i = 0; i + n <= n_ids; i++) found += !memcmp(ids + i, at, n * sizeof *ids);
  return found;
}

int32_t en_bleu_add(en_bleu *b, const char *candidate, size_t n_candidate, const char *reference, size_t n_reference, void *scratch, size_t scratch_bytes) {
  pair p;
  const char *const text[2] = {candidate, reference};
  EN_TRY(cut(&p, text, (const size_t[2]){n_candidate, n_reference}, bleu_words, 0, scratch, scratch_bytes));
  for (uint32_t n = 1; n <= 4 && n <= p.n[0]; n++) {
    for (uint32_t i = 0; i + n <= p.n[0]; i++) /* the k-th of equal candidates counts if the reference has as many */
      b->matched[n - 1] += occurrences(p.ids[0], i + n, p.ids[0] + i, n) <= occurrences(p.ids[1], p.n[1], p.ids[0] + i, n);
    b->possible[n - 1] += p.n[0] - n + 1;
  }
  b->candidate_words += p.n[0];
  b->reference_words += p.n[1];
  return EN_OK;
}

double en_bleu_score(const en_bleu *b) {
  double sum = 0;
  for (int n = 0; n < 4; n++) {
    if (b->matched[n] == 0) return 0;
    sum += log(b->matched[n] / b->possible[n]);
  }
  return exp(sum / 4) * (b->candidate_words < b->reference_words ? exp(1 - b->reference_words / b->candidate_words) : 1);
}

int32_t en_rouge_l(en_rouge *out, const char *candidate, size_t n_candidate, const char *reference, size_t n_reference, void *scratch, size_t scratch_bytes) {
  pair p;
  const char *const text[2] = {candidate, reference};
  EN_TRY(cut(&p, text, (const size_t[2]){n_candidate, n_reference}, rouge_words, 1, scratch, scratch_bytes));
  memset(p.row, 0, ((size_t)p.n[1] + 1) * sizeof *p.row);
  for (uint32_t i = 0; i < p.n[0]; i++) { /* row[k]: longest common subsequence of candidate[0..i] and reference[0..k) */
    uint32_t diagonal = 0;
    for (uint32_t k = 1; k <= p.n[1]; k++) {
      const uint32_t above = p.row[k];
      p.row[k] = p.ids[0][i] == p.ids[1][k - 1] ? diagonal + 1 : EN_MAX(above, p.row[k - 1]);
      diagonal = above;
    }
  }
  const double common = p.row[p.n[1]];
  out->precision = p.n[0] ? common / p.n[0] : 0;
  out->recall = p.n[1] ? common / p.n[1] : 0;
  out->f1 = common > 0 ? 2 * out->precision * out->recall / (out->precision + out->recall) : 0;
  return EN_OK;
}

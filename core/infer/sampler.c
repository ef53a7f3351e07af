/* sampler.c - logits -> id. Order: bias, repetition penalty, greedy if the temperature is 0, top-k, temperature, top-p, min-p, draw.
 * Nothing is sorted in full: top-k keeps a heap, top-p partitions by mass. The draw is a race: every candidate gets an exponential time from a counter-based
 * stream, by its id, and the earliest wins. So the same seed and logits give the same ids on every machine, and similar logits mostly the same ids: what a
 * draft model draws is right at least (1 - d) / (1 + d) of the time, d being the total variation of the two distributions (Daliri, Musco, Suresh 2024,
 * "Coupling without communication and drafter-invariant speculative decoding"). */
#include "../base/base.h"
#include <math.h>

typedef struct { int32_t id; float logit; double p; } candidate_t;
typedef struct { int32_t id; float add; } bias_t;
enum { HISTORY = 4096 }; /* the largest repeat-last-n */

struct en_sampler {
  double param[EN_P_COUNT];
  uint32_t n_vocab, n_bias, max_bias;
  bias_t *bias;            /* [max_bias] */
  candidate_t *candidates; /* [n_vocab] */
  uint8_t *seen;           /* [n_vocab] 1: in the window of the repetition penalty (only inside en_sample) */
  int32_t *history;        /* [HISTORY] ring */
  uint64_t n_accepted, n_drawn;
};

const en_param_info *en_param(uint32_t id) {
  static const en_param_info infos[] = {
#define EN_PARAM(ID, name, js, lo, hi, dflt, text) {name, js, text, lo, hi, dflt},
#include "../params.def"
#undef EN_PARAM
  };
  return id < EN_P_COUNT ? &infos[id] : NULL;
}

static size_t carve(en_sampler *at, void **self, uint32_t n_vocab, uint32_t n_bias, void *mem) {
  const en_piece pieces[] = {
    {self, 1, sizeof(en_sampler)},
    {(void **)&at->bias, n_bias, sizeof(bias_t)},
    {(void **)&at->candidates, n_vocab, sizeof(candidate_t)},
    {(void **)&at->seen, n_vocab, 1},
    {(void **)&at->history, HISTORY, sizeof(int32_t)},
  };
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

size_t en_sampler_bytes(uint32_t n_vocab, uint32_t n_bias) {
  en_sampler at;
  void *self;
  return carve(&at, &self, n_vocab, n_bias, NULL);
}

int32_t en_sampler_init(en_sampler **out, void *mem, size_t mem_bytes, uint32_t n_vocab, uint32_t n_bias) {
  en_sampler at = {.n_vocab = n_vocab, .max_bias = n_bias};
  void *self;
  if (!n_vocab || n_vocab > INT32_MAX) return EN_E_ARG;
  const size_t need = carve(&at, &self, n_vocab, n_bias, NULL);
  if (!mem || !need || mem_bytes < need) return EN_E_NOMEM;
  carve(&at, &self, n_vocab, n_bias, mem);
  for (uint32_t i = 0; i < EN_P_COUNT; i++) at.param[i] = en_param(i)->dflt;
  memset(at.seen, 0, n_vocab);
  *out = self;
  **out = at;
  return EN_OK;
}

int32_t en_sampler_set(en_sampler *s, uint32_t param, double value) {
  const en_param_info *info = en_param(param);
  if (!info || !(value >= info->min && value <= info->max)) return EN_E_ARG;
  s->param[param] = value;
  return EN_OK;
}

int32_t en_sampler_bias(en_sampler *s, int32_t id, float add) {
  if (id < 0 || (uint32_t)id >= s->n_vocab || add != add) return EN_E_ARG;
  for (uint32_t i = 0; i < s->n_bias; i++)
    if (s->bias[i].id == id) {
      s->bias[i].add = add;
      return EN_OK;
    }
  if (s->n_bias == s->max_bias) return EN_E_FULL;
  s->bias[s->n_bias++] = (bias_t){id, add};
  return EN_OK;
}

void en_sampler_accept(en_sampler *s, int32_t id) {
  if (id >= 0 && (uint32_t)id < s->n_vocab) s->history[s->n_accepted++ % HISTORY] = id;
}

void en_sampler_reset(en_sampler *s) { s->n_accepted = s->n_drawn = 0; }

void en_sampler_follow(en_sampler *s, const en_sampler *from) {
  s->n_accepted = 0;
  s->n_drawn = from->n_drawn;
  for (uint64_t i = from->n_accepted - EN_MIN(from->n_accepted, HISTORY); i < from->n_accepted; i++) en_sampler_accept(s, from->history[i % HISTORY]);
}

/* Penalty of Keskar et al. 2019 (CTRL): a token that was seen gets its logit divided by the penalty if positive, multiplied if not. */
static void penalise(en_sampler *s) {
  const float penalty = (float)s->param[EN_P_REPEAT_PENALTY];
  const uint64_t window = EN_MIN((uint64_t)s->param[EN_P_REPEAT_LAST_N], s->n_accepted);
  if (penalty == 1.0f) return;
  for (uint64_t i = s->n_accepted - window; i < s->n_accepted; i++) {
    const int32_t id = s->history[i % HISTORY];
    if (s->seen[id]) continue;
    s->seen[id] = 1;
    float *logit = &s->candidates[id].logit; /* still in id order */
    *logit = *logit > 0 ? *logit / penalty : *logit * penalty;
  }
  for (uint64_t i = s->n_accepted - window; i < s->n_accepted; i++) s->seen[s->history[i % HISTORY]] = 0;
}

/* a comes before b: larger logit, or the same and a smaller id. NaN never comes first. */
static int before(const candidate_t *a, const candidate_t *b) {
  return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static void swap(candidate_t *a, candidate_t *b) {
  const candidate_t t = *a;
  *a = *b;
  *b = t;
}

static void sift(candidate_t *heap, uint32_t n, uint32_t i) { /* the worst candidate is at the root */
  for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && before(&heap[child], &heap[child + 1])) child++;
    if (!before(&heap[i], &heap[child])) return;
    swap(&heap[i], &heap[child]);
  }
}

/* The k best of n to the front, in any order. */
static void top_k(candidate_t *c, uint32_t n, uint32_t k) {
  for (uint32_t i = k / 2; i-- > 0;) sift(c, k, i);
  for (uint32_t i = k; i < n; i++)
    if (before(&c[i], &c[0])) {
      swap(&c[i], &c[0]);
      sift(c, k, 0);
    }
}

/* The smallest set of most likely candidates whose mass reaches `mass`, to the front; returns its size. Quickselect on the mass. */
static uint32_t top_p(candidate_t *c, uint32_t n, double mass) {
  uint32_t lo = 0, hi = n; /* everything before lo is in, everything from hi on is out */
  double have = 0;
  while (lo < hi) {
    const candidate_t pivot = c[lo + (hi - lo) / 2];
    double part = pivot.p;
    uint32_t mid = lo;
    for (uint32_t i = lo; i < hi; i++)
      if (before(&c[i], &pivot)) {
        part += c[i].p;
        swap(&c[i], &c[mid++]);
      }
    /* [lo, mid) comes before the pivot; the pivot itself is somewhere in [mid, hi): bring it to mid */
    for (uint32_t i = mid; i < hi; i++)
      if (c[i].id == pivot.id) {
        swap(&c[i], &c[mid]);
        break;
      }
    if (have + part < mass) { have += part; lo = mid + 1; continue; } /* all of these and the pivot are in */
    if (have + part - pivot.p < mass) return mid + 1;                 /* the pivot completes the mass */
    hi = mid;
  }
  return lo;
}

/* Greedy over untouched logits needs no candidate table. */
static int32_t sample_greedy(const float *logits, uint32_t n, int32_t *id) {
  int32_t best = -1;
  float most = -INFINITY;
  for (uint32_t i = 0; i < n; i++)
    if (logits[i] > most) {
      most = logits[i];
      best = (int32_t)i;
    }
  if (best < 0) return EN_E_NUMERIC;
  *id = best;
  return EN_OK;
}

int32_t en_sample(en_sampler *s, const float *logits, int32_t *id) {
  if (s->param[EN_P_TEMPERATURE] <= 0 && !s->n_bias && s->param[EN_P_REPEAT_PENALTY] == 1) return sample_greedy(logits, s->n_vocab, id);
  candidate_t *c = s->candidates;
  uint32_t n = 0, best = 0;
  for (uint32_t i = 0; i < s->n_vocab; i++) c[i] = (candidate_t){(int32_t)i, logits[i], 0};
  for (uint32_t i = 0; i < s->n_bias; i++) c[s->bias[i].id].logit += s->bias[i].add;
  penalise(s);
  for (uint32_t i = 0; i < s->n_vocab; i++) /* drop what cannot be drawn; NaN fails the comparison */
    if (c[i].logit > -INFINITY) c[n++] = c[i];
  if (!n) return EN_E_NUMERIC;

  const double temperature = s->param[EN_P_TEMPERATURE];
  const uint32_t k = (uint32_t)s->param[EN_P_TOP_K];
  if (temperature > 0 && k && k < n) {
    top_k(c, n, k);
    n = k;
  }
  for (uint32_t i = 1; i < n; i++)
    if (before(&c[i], &c[best])) best = i;
  if (temperature <= 0) {
    *id = c[best].id;
    return EN_OK;
  }

  const double max = c[best].logit;
  double sum = 0;
  if (isinf(max)) { /* a bias of +infinity: a certain choice */
    *id = c[best].id;
    return EN_OK;
  }
  for (uint32_t i = 0; i < n; i++) sum += c[i].p = exp(((double)c[i].logit - max) / temperature);
  const double largest = 1.0 / sum;
  for (uint32_t i = 0; i < n; i++) c[i].p /= sum;
  if (s->param[EN_P_TOP_P] < 1) n = top_p(c, n, s->param[EN_P_TOP_P]);
  const uint64_t draw = s->n_drawn++ << 32;
  double first = -INFINITY;
  for (uint32_t i = 0; i < n; i++) {
    if (!(c[i].p >= s->param[EN_P_MIN_P] * largest)) continue;
    const double minus_time = log(1 - en_uniform((uint64_t)s->param[EN_P_SEED], draw | (uint32_t)c[i].id)) / c[i].p;
    if (minus_time > first) {
      first = minus_time;
      *id = c[i].id;
    }
  }
  return EN_OK;
}

/* sampler: greedy, bias, penalty, and the drawn distribution of every filter against a plain sort in double. */
#include "../../core/base/base.h"
#include "test.h"

enum { V = 300, DRAWS = 40000 };
static float logits[V];

static en_sampler *make(uint32_t n_vocab, uint32_t n_bias, void **mem) {
  const size_t need = en_sampler_bytes(n_vocab, n_bias);
  en_sampler *s = NULL;
  *mem = aligned_alloc(EN_ALIGN, need);
  CHECK_EQ(en_sampler_init(&s, *mem, need - 1, n_vocab, n_bias), EN_E_NOMEM);
  CHECK_EQ(en_sampler_init(&s, *mem, need, n_vocab, n_bias), EN_OK);
  return s;
}

typedef struct { int id; double p; } item;
static int by_p(const void *a, const void *b) {
  const item *x = a, *y = b;
  return x->p < y->p ? 1 : x->p > y->p ? -1 : x->id - y->id;
}

/* What the filters should leave, by sorting. */
static void expected(double *want, double temperature, int k, double top_p, double min_p) {
  item it[V];
  double sum = 0, mass = 0;
  int n = V;
  for (int i = 0; i < V; i++) it[i] = (item){i, exp((double)logits[i] / temperature)};
  qsort(it, V, sizeof *it, by_p);
  if (k && k < n) n = k;
  for (int i = 0; i < n; i++) sum += it[i].p;
  int kept = 0;
  for (int i = 0; i < n; i++) {
    const double p = it[i].p / sum;
    if (top_p < 1 && mass >= top_p) break;
    mass += p;
    kept++;
  }
  memset(want, 0, V * sizeof *want);
  double total = 0;
  for (int i = 0; i < kept; i++)
    if (it[i].p >= min_p * it[0].p) total += it[i].p;
  for (int i = 0; i < kept; i++)
    if (it[i].p >= min_p * it[0].p) want[it[i].id] = it[i].p / total;
}

static void distribution(double temperature, int k, double top_p, double min_p) {
  void *mem;
  en_sampler *s = make(V, 0, &mem);
  double want[V];
  int count[V] = {0};
  en_sampler_set(s, EN_P_TEMPERATURE, temperature);
  en_sampler_set(s, EN_P_TOP_K, k);
  en_sampler_set(s, EN_P_TOP_P, top_p);
  en_sampler_set(s, EN_P_MIN_P, min_p);
  en_sampler_set(s, EN_P_SEED, 7);
  for (int i = 0; i < DRAWS; i++) {
    int32_t id = -1;
    CHECK_EQ(en_sample(s, logits, &id), EN_OK);
    if (id >= 0 && id < V) count[id]++;
  }
  expected(want, temperature, k, top_p, min_p);
  for (int i = 0; i < V; i++) {
    if (want[i] == 0) { CHECK_EQ(count[i], 0); continue; }
    CHECK_NEAR(count[i] / (double)DRAWS, want[i], 6 * sqrt(want[i] / (double)DRAWS) + 1e-4);
  }
  free(mem);
}

static void repeatable(void) {
  void *a_mem, *b_mem;
  en_sampler *a = make(V, 0, &a_mem), *b = make(V, 0, &b_mem);
  int same = 0;
  en_sampler_set(a, EN_P_SEED, 3);
  en_sampler_set(b, EN_P_SEED, 3);
  int32_t first[50], x, y;
  for (int i = 0; i < 50; i++) { en_sample(a, logits, &first[i]); en_sample(b, logits, &y); CHECK_EQ(first[i], y); }
  en_sampler_reset(a);
  for (int i = 0; i < 50; i++) { en_sample(a, logits, &x); CHECK_EQ(x, first[i]); }
  en_sampler_reset(b);
  en_sampler_set(b, EN_P_SEED, 4);
  for (int i = 0; i < 50; i++) { en_sample(b, logits, &y); same += y == first[i]; }
  CHECK(same < 50);
  free(a_mem);
  free(b_mem);
}

/* Two models that differ by a little draw the same where their probabilities overlap; their own distributions are those of distribution(). */
static void coupled(void) {
  void *a_mem, *b_mem;
  en_sampler *a = make(V, 0, &a_mem), *b = make(V - 10, 0, &b_mem);
  float other[V];
  double p[V], q[V], sum_p = 0, sum_q = 0, apart = 0;
  int same = 0, n = 4000;
  for (int i = 0; i < V; i++) {
    other[i] = logits[i] + (float)(0.6 * en_uniform(9, (uint64_t)i));
    sum_p += p[i] = exp((double)logits[i]);
    sum_q += q[i] = i < V - 10 ? exp((double)other[i]) : 0;
  }
  for (int i = 0; i < V; i++) apart += fabs(p[i] / sum_p - q[i] / sum_q) / 2;
  for (int i = 0; i < 2; i++) {
    en_sampler *s = i ? b : a;
    en_sampler_set(s, EN_P_TEMPERATURE, 1);
    en_sampler_set(s, EN_P_TOP_K, 0);
    en_sampler_set(s, EN_P_TOP_P, 1);
    en_sampler_set(s, EN_P_MIN_P, 0);
    en_sampler_set(s, EN_P_SEED, 12);
  }
  for (int i = 0; i < n; i++) {
    int32_t x, y;
    en_sampler_follow(b, a);
    en_sample(b, other, &y);
    en_sample(a, logits, &x);
    en_sampler_accept(a, x);
    same += x == y;
  }
  const double least = (1 - apart) / (1 + apart);
  CHECK(apart > 0.05 && apart < 0.5);
  CHECK(same / (double)n > least - 3 * sqrt(least * (1 - least) / n));
  CHECK(same < n);
  /* the text is followed, too: a penalty meets the same tokens, and unknown ones are left out */
  en_sampler_reset(a);
  en_sampler_accept(a, V - 1);
  en_sampler_accept(a, 4);
  en_sampler_follow(b, a);
  for (int i = 0; i < V; i++) other[i] = i == 4 ? 8.0f : i == 5 ? 7.0f : 0.0f;
  en_sampler_set(b, EN_P_TEMPERATURE, 0);
  en_sampler_set(b, EN_P_REPEAT_PENALTY, 2);
  int32_t id = -1;
  CHECK_EQ(en_sample(b, other, &id), EN_OK);
  CHECK_EQ(id, 5);
  free(a_mem);
  free(b_mem);
}

static void edges(void) {
  void *mem;
  en_sampler *s = make(4, 2, &mem);
  int32_t id = -7;
  const float plain[4] = {1, 3, 3, -2}, none[4] = {NAN, -INFINITY, NAN, -INFINITY}, one[4] = {NAN, -INFINITY, 0.5f, NAN};
  CHECK_EQ(en_sampler_set(s, EN_P_TEMPERATURE, -1), EN_E_ARG);
  CHECK_EQ(en_sampler_set(s, EN_P_TOP_P, NAN), EN_E_ARG);
  CHECK_EQ(en_sampler_set(s, EN_P_COUNT, 1), EN_E_ARG);
  CHECK_EQ(en_sampler_set(s, EN_P_TEMPERATURE, 0), EN_OK);
  CHECK_EQ(en_sample(s, plain, &id), EN_OK);
  CHECK_EQ(id, 1); /* the first of equals */
  CHECK_EQ(en_sample(s, none, &id), EN_E_NUMERIC);
  CHECK_EQ(id, 1);
  CHECK_EQ(en_sample(s, one, &id), EN_OK);
  CHECK_EQ(id, 2);
  CHECK_EQ(en_sampler_bias(s, 1, -INFINITY), EN_OK);
  CHECK_EQ(en_sampler_bias(s, 3, 10), EN_OK);
  CHECK_EQ(en_sampler_bias(s, 0, 1), EN_E_FULL);
  CHECK_EQ(en_sampler_bias(s, 4, 1), EN_E_ARG);
  en_sample(s, plain, &id);
  CHECK_EQ(id, 3);
  CHECK_EQ(en_sampler_bias(s, 3, 0), EN_OK); /* a bias can be changed when the table is full */
  en_sample(s, plain, &id);
  CHECK_EQ(id, 2);
  CHECK_EQ(en_sampler_set(s, EN_P_REPEAT_PENALTY, 4), EN_OK);
  en_sampler_accept(s, 2); /* 3 / 4 < 1 */
  en_sample(s, plain, &id);
  CHECK_EQ(id, 0);
  en_sampler_accept(s, 0);
  en_sampler_accept(s, 99); /* ignored */
  en_sampler_set(s, EN_P_REPEAT_LAST_N, 1); /* only the last one counts: token 2 is free again */
  en_sample(s, plain, &id);
  CHECK_EQ(id, 2);
  free(mem);
}

int main(void) {
  for (int i = 0; i < V; i++) logits[i] = (float)(6 * en_uniform(1, (uint64_t)i) - (i % 7 == 0 ? 2 : 0));
  logits[10] = logits[20] = logits[30] = 5.5f; /* ties */
  distribution(1, 0, 1, 0);
  distribution(0.7, 5, 1, 0);
  distribution(1.5, 0, 0.6, 0);
  distribution(1, 0, 0.05, 0);
  distribution(1, 40, 0.9, 0.3);
  distribution(2, 300, 0.999, 0.05);
  repeatable();
  coupled();
  edges();
  return test_end();
}

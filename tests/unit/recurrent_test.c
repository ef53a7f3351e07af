/* recurrent models: a text gives the same logits whole, in slices, token by token, beside others, forked, saved and restored, after a stop and on any
 * number of lanes; what a session cannot do with a state it refuses; memory does not grow with the context; every table gives the same bits. */
#include "tiny_recurrent.h"

enum { N = 23 };
static int32_t ids[N];

/* Logits of all of them in sequence `seq`, `chunk` tokens per batch. */
static void rows_of(en_session *s, uint32_t seq, const int32_t *tokens, uint32_t n, uint32_t chunk, float *out) {
  uint8_t want[N];
  uint32_t seqs[N];
  for (int i = 0; i < N; i++) want[i] = 1, seqs[i] = seq;
  for (uint32_t at = 0; at < n; at += chunk) {
    const uint32_t k = EN_MIN(chunk, n - at);
    CHECK_EQ(en_eval(s, &(en_batch){k, tokens + at, seqs, want}, NULL), EN_OK);
    for (uint32_t i = 0; i < k; i++) memcpy(out + (size_t)(at + i) * TINY_V, en_logits(s, i), TINY_V * sizeof *out);
  }
}

static int same(const float *a, const float *b, uint32_t n) { return test_rel_rms(a, b, n * TINY_V) < 3e-6; }

/* Sequences mixed token by token within a batch, and one that another is forked from. */
static void side_by_side(const en_model *m, const float *truth, const en_host *host) {
  const en_session_spec spec = {.n_ctx = 64, .n_batch = 7, .n_seq = 3, .n_logits = 3 * N};
  float got[N * TINY_V];
  void *mem;
  int32_t mixed[2 * N];
  uint32_t seqs[2 * N];
  uint8_t want[2 * N];
  en_session *s = open_session(m, &spec, host, &mem);
  for (int i = 0; i < N; i++) {
    mixed[2 * i] = ids[i], mixed[2 * i + 1] = ids[N - 1 - i];
    seqs[2 * i] = 2, seqs[2 * i + 1] = 0;
    want[2 * i] = 1, want[2 * i + 1] = 0;
  }
  CHECK_EQ(en_eval(s, &(en_batch){2 * N, mixed, seqs, want}, NULL), EN_OK);
  for (uint32_t i = 0; i < N; i++) memcpy(got + i * TINY_V, en_logits(s, i), TINY_V * sizeof *got);
  CHECK(same(got, truth, N));
  CHECK_EQ(en_seq_keep(s, 0, 0), EN_OK);
  rows_of(s, 0, ids, 9, 4, got); /* a sequence that begins anew beside others */
  CHECK(same(got, truth, 9));
  CHECK_EQ(en_seq_copy(s, 0, 1), EN_OK);
  rows_of(s, 0, ids + 3, 5, 5, got);
  rows_of(s, 1, ids + 9, N - 9, 3, got);
  CHECK(same(got, truth + 9 * TINY_V, N - 9));
  CHECK_EQ(en_seq_keep(s, 1, N), EN_OK);
  CHECK_EQ(en_seq_keep(s, 1, N - 1), EN_E_UNSUPPORTED); /* what it was a token ago is gone */
  CHECK_EQ(en_seq_length(s, 1), N);
  free(mem);
}

/* Given up or stopped anywhere on its way, a batch has changed nothing. */
static void given_up(const en_model *m, const float *truth) {
  const en_session_spec spec = {.n_ctx = 64, .n_batch = 5, .n_logits = N};
  float got[N * TINY_V];
  void *mem;
  uint8_t want[N];
  en_session *s = open_session(m, &spec, NULL, &mem);
  memset(want, 1, sizeof want);
  rows_of(s, 0, ids, 6, 6, got);
  for (int steps = 1; steps < 600; steps += 7) {
    CHECK_EQ(en_eval_begin(s, &(en_batch){N - 6, ids + 6, NULL, want}, NULL), EN_OK);
    if (en_eval_run(s, (uint32_t)steps, NULL) != EN_E_MORE) break;
    en_eval_drop(s);
    CHECK_EQ(en_seq_length(s, 0), 6);
  }
  CHECK_EQ(en_seq_length(s, 0), N);
  for (uint32_t i = 0; i < N - 6; i++) memcpy(got + i * TINY_V, en_logits(s, i), TINY_V * sizeof *got);
  CHECK(same(got, truth + 6 * TINY_V, N - 6));
  free(mem);
}

static void saved(const en_model *m, const float *truth) {
  const en_session_spec spec = {.n_ctx = 64, .n_seq = 2}, other = {.n_ctx = 32, .n_seq = 3};
  float got[N * TINY_V];
  void *a_mem, *b_mem;
  en_why why;
  en_session *a = open_session(m, &spec, NULL, &a_mem), *b = open_session(m, &other, NULL, &b_mem);
  const size_t empty = en_seq_state_bytes(a, 1);
  for (uint32_t i = 0; i < 9; i++) CHECK_EQ(en_eval(a, &(en_batch){1, ids + i, (uint32_t[]){1}, NULL}, NULL), EN_OK);
  const size_t n = en_seq_state_bytes(a, 1);
  CHECK(empty < n);
  CHECK(n == empty + en_session_kv_bytes(m, &spec) / 4); /* of two sequences, twice each */
  unsigned char *state = malloc(n);
  CHECK_EQ(en_seq_save(a, 1, state, n - 1), EN_E_FULL);
  CHECK_EQ(en_seq_save(a, 1, state, n), EN_OK);
  CHECK_EQ(en_seq_load(b, 2, state, n, &why), EN_OK);
  for (size_t cut = 0; cut < n; cut += 211) CHECK_EQ(en_seq_load(b, 0, state, cut, &why), EN_E_FORMAT);
  CHECK_EQ(en_seq_length(b, 2), 9);
  for (uint32_t i = 9; i < N; i++) {
    CHECK_EQ(en_eval(b, &(en_batch){1, ids + i, (uint32_t[]){2}, NULL}, NULL), EN_OK);
    memcpy(got + (i - 9) * TINY_V, en_logits(b, 0), TINY_V * sizeof *got);
  }
  CHECK(same(got, truth + 9 * TINY_V, N - 9));
  free(state);
  free(a_mem);
  free(b_mem);
}

/* Texts packed into one slice do not see each other; a long context costs nothing. */
static void embedded(const en_model *m, const en_host *host) {
  const en_session_spec alone = {.n_ctx = 32, .pooling = EN_POOL_LAST}, packed = {.n_ctx = 32, .n_batch = 64, .pooling = EN_POOL_LAST};
  void *a_mem, *b_mem;
  en_session *a = open_session(m, &alone, NULL, &a_mem), *b = open_session(m, &packed, host, &b_mem);
  uint32_t seqs[N];
  for (uint32_t i = 0; i < N; i++) seqs[i] = i < 6 ? 3 : i < 14 ? 1 : 2;
  CHECK_EQ(en_eval(b, &(en_batch){N, ids, seqs, NULL}, NULL), EN_OK);
  CHECK_EQ(en_embedding_rows(b), 3);
  CHECK_EQ(en_eval(a, &(en_batch){8, ids + 6, NULL, NULL}, NULL), EN_OK);
  CHECK_NEAR(test_rel_rms(en_embedding(b, 1), en_embedding(a, 0), TINY_D), 0, 3e-6);
  const en_session_spec brief = {.n_ctx = 64, .n_batch = 8}, endless = {.n_ctx = 1 << 20, .n_batch = 8};
  CHECK_EQ(en_session_bytes(m, &brief, NULL), en_session_bytes(m, &endless, NULL));
  free(a_mem);
  free(b_mem);
}

static void same_bits(const bytes_t *file) {
  float want[N * TINY_V], got[N * TINY_V];
  for (int k = -1; k < 0 || en_kernels_name(k); k++) {
    const char *name = k < 0 ? "ref-int8" : en_kernels_name(k);
    if (!strcmp(name, "ref")) continue;
    const en_session_spec spec = {.n_ctx = 64, .n_batch = 64, .n_logits = N};
    void *mem;
    loaded_t l = load_model(file->p, file->n, 0, name, NULL);
    en_session *s = open_session(l.m, &spec, NULL, &mem);
    rows_of(s, 0, ids, N, N, k < 0 ? want : got);
    if (k >= 0)
      for (int i = 0; i < N; i++) CHECK(!memcmp(got + i * TINY_V, want + i * TINY_V, TINY_V * sizeof *got));
    free(mem);
    unload_model(&l);
  }
}

int main(void) {
  static const int32_t types[] = {EN_F32, EN_Q8_0};
  const en_host lanes = {.parallel = run_backwards, .n_lanes = 3};
  for (int i = 0; i < N; i++) ids[i] = (int32_t)(en_random(9, (uint64_t)i) % TINY_V);
  for (int a = 0; a < EN_COUNT(tiny_recurrents); a++)
    for (int t = 0; t < EN_COUNT(types); t++) {
      bytes_t file = tiny_recurrent_gguf(&tiny_recurrents[a], en_type_by_id(types[t]));
      en_why why = {{0}};
      loaded_t l = load_model(file.p, file.n, 777, "auto", &why);
      CHECK(l.m);
      if (!l.m) { printf("%s: %s\n", tiny_recurrents[a].arch, why.text); continue; }
      float truth[N * TINY_V], got[N * TINY_V];
      void *mem;
      const en_session_spec spec = {.n_ctx = 64, .n_batch = 64, .n_logits = N};
      en_session *s = open_session(l.m, &spec, NULL, &mem);
      rows_of(s, 0, ids, N, N, truth);
      for (int i = 0; i < N * TINY_V; i++) CHECK(isfinite(truth[i]));
      for (uint32_t chunk = 1; chunk < N; chunk += 5) {
        CHECK_EQ(en_seq_keep(s, 0, 0), EN_OK);
        rows_of(s, 0, ids, N, chunk, got);
        CHECK(same(got, truth, N));
      }
      free(mem);
      side_by_side(l.m, truth, NULL);
      side_by_side(l.m, truth, &lanes);
      given_up(l.m, truth);
      saved(l.m, truth);
      embedded(l.m, &lanes);
      if (types[t] == EN_Q8_0) same_bits(&file);
      unload_model(&l);
      free(file.p);
    }
  return test_end();
}

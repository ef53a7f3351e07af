/* session: whatever way a text goes in - whole, in slices, token by token, beside other sequences, in steps, on several lanes -
 * the logits are the same; stops and errors change nothing; every memory size below the need is refused. */
#include "tiny_model.h"

enum { N = 40 };
static int32_t ids[N];

static void all_rows(en_session *s, const int32_t *tokens, uint32_t n, float *out) {
  uint8_t want[256];
  memset(want, 1, sizeof want);
  const en_batch b = {n, tokens, NULL, want};
  CHECK_EQ(en_eval(s, &b, NULL), EN_OK);
  CHECK_EQ(en_logits_rows(s), n);
  for (uint32_t i = 0; i < n; i++) memcpy(out + (size_t)i * TINY_V, en_logits(s, i), TINY_V * sizeof *out);
}

/* The same tokens in every other way. Products of several tokens may sum in another order than one token's: tolerance, not bits. */
static void ways(const en_model *m, const float *truth, double tolerance) {
  void *mem;
  float *got = malloc(N * TINY_V * sizeof *got);
  const en_session_spec spec = {.n_ctx = 64, .n_batch = 7, .n_seq = 3, .n_logits = N, .kv_type = EN_KV_F32};
  en_session *s = open_session(m, &spec, NULL, &mem);
  all_rows(s, ids, N, got); /* slices of 7 */
  CHECK_NEAR(test_rel_rms(got, truth, N * TINY_V), 0, tolerance);

  CHECK_EQ(en_seq_keep(s, 0, 10), EN_OK); /* forget and continue: a reused prefix */
  all_rows(s, ids + 10, N - 10, got);
  CHECK_NEAR(test_rel_rms(got, truth + 10 * TINY_V, (N - 10) * TINY_V), 0, tolerance);

  for (uint32_t i = 0; i < N; i++) { /* token by token, three sequences at different places in one batch */
    const int32_t t[3] = {ids[i], ids[(i + 5) % N], ids[i]};
    const uint32_t seq[3] = {1, 2, 0};
    const uint8_t want[3] = {1, 0, 0};
    if (i == 0) CHECK_EQ(en_seq_keep(s, 0, 0), EN_OK);
    const en_batch b = {3, t, seq, want};
    CHECK_EQ(en_eval(s, &b, NULL), EN_OK);
    CHECK_EQ(en_logits_rows(s), 1);
    memcpy(got + (size_t)i * TINY_V, en_logits(s, 0), TINY_V * sizeof *got);
  }
  CHECK_NEAR(test_rel_rms(got, truth, N * TINY_V), 0, tolerance);

  CHECK_EQ(en_seq_keep(s, 1, 20), EN_OK); /* fork */
  CHECK_EQ(en_seq_copy(s, 1, 2), EN_OK);
  CHECK_EQ(en_seq_length(s, 2), 20);
  const uint32_t two[2] = {2, 2};
  const en_batch fork = {2, ids + 20, two, NULL};
  CHECK_EQ(en_eval(s, &fork, NULL), EN_OK);
  CHECK_NEAR(test_rel_rms(en_logits(s, 0), truth + 21 * TINY_V, TINY_V), 0, tolerance);
  CHECK_EQ(en_seq_length(s, 1), 20);

  CHECK_EQ(en_seq_keep(s, 0, 0), EN_OK); /* one step at a time, with a drop on the way */
  const en_batch whole = {N, ids, NULL, NULL};
  for (int round = 0; round < 2; round++) {
    CHECK_EQ(en_eval_begin(s, &whole, NULL), EN_OK);
    int32_t status, n_steps = 0;
    while ((status = en_eval_run(s, 1, NULL)) == EN_E_MORE && !(round == 0 && n_steps == 60)) n_steps++;
    if (round == 0) { en_eval_drop(s); CHECK_EQ(en_seq_length(s, 0), 0); CHECK_EQ(en_eval_run(s, 1, NULL), EN_E_STATE); }
    else CHECK_EQ(status, EN_OK);
  }
  CHECK_NEAR(test_rel_rms(en_logits(s, 0), truth + (N - 1) * TINY_V, TINY_V), 0, tolerance);
  free(mem);
  free(got);
}

/* Save a sequence, restore it into another session with another context size, continue: the same logits. */
static void saved(const en_model *m, uint32_t kv_type, const float *truth, double tolerance) {
  void *a_mem, *b_mem;
  en_why why;
  const en_session_spec a_spec = {.n_ctx = 64, .n_seq = 2, .kv_type = kv_type}, b_spec = {.n_ctx = 48, .n_seq = 3, .kv_type = kv_type}, small = {.n_ctx = 8, .kv_type = kv_type}, foreign = {.n_ctx = 64, .kv_type = (kv_type + 1) % EN_KV_TYPES};
  en_session *a = open_session(m, &a_spec, NULL, &a_mem), *b = open_session(m, &b_spec, NULL, &b_mem);
  const uint32_t one[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, two[1] = {2};
  CHECK_EQ(en_eval(a, &(en_batch){20, ids, one, NULL}, NULL), EN_OK);
  const size_t n = en_seq_state_bytes(a, 1);
  unsigned char *state = malloc(n);
  CHECK_EQ(en_seq_save(a, 1, state, n - 1), EN_E_FULL);
  CHECK_EQ(en_seq_save(a, 2, state, n), EN_E_ARG);
  CHECK_EQ(en_seq_save(a, 1, state, n), EN_OK);
  CHECK_EQ(en_seq_load(b, 2, state, n, &why), EN_OK);
  CHECK_EQ(en_seq_length(b, 2), 20);
  CHECK_EQ(en_eval(b, &(en_batch){1, ids + 20, two, NULL}, NULL), EN_OK);
  CHECK_NEAR(test_rel_rms(en_logits(b, 0), truth + 20 * TINY_V, TINY_V), 0, tolerance);
  CHECK_EQ(en_eval(a, &(en_batch){1, ids + 20, one, NULL}, NULL), EN_OK);
  CHECK(!memcmp(en_logits(a, 0), en_logits(b, 0), TINY_V * sizeof(float)));
  for (size_t cut = 0; cut < n; cut += 97) CHECK_EQ(en_seq_load(b, 0, state, cut, &why), EN_E_FORMAT);
  CHECK_EQ(en_seq_load(b, 3, state, n, &why), EN_E_ARG);
  state[9] ^= 1; /* the fingerprint */
  CHECK_EQ(en_seq_load(b, 0, state, n, &why), EN_E_ARG);
  CHECK_EQ(en_seq_length(b, 0), 0);
  state[9] ^= 1;
  free(b_mem);
  b = open_session(m, &small, NULL, &b_mem);
  CHECK_EQ(en_seq_load(b, 0, state, n, &why), EN_E_FULL);
  free(b_mem);
  b = open_session(m, &foreign, NULL, &b_mem);
  CHECK_EQ(en_seq_load(b, 0, state, n, &why), EN_E_ARG);
  free(b_mem);
  free(a_mem);
  free(state);
}

static int32_t stop_word;
static int stop_after;
static double count_down(void *ud) { /* the profile clock: a hook between steps */
  (void)ud;
  if (--stop_after == 0) stop_word = 1;
  return 0;
}

static void refusals(const en_model *m) {
  void *mem;
  const en_host host = {.stop = &stop_word, .now_ms = count_down};
  const en_session_spec spec = {.n_ctx = 32, .n_batch = 8, .n_seq = 2, .n_logits = 2};
  en_session *s = open_session(m, &spec, &host, &mem);
  en_why why;
  const int32_t bad[2] = {1, TINY_V}, negative[1] = {-1};
  const uint32_t no_seq[2] = {0, 2};
  const uint8_t three[3] = {1, 1, 1};
  stop_word = 0;
  stop_after = 1 << 30;
  CHECK_EQ(en_eval(s, &(en_batch){5, ids, NULL, NULL}, &why), EN_OK);
  CHECK_EQ(en_eval(s, &(en_batch){2, bad, NULL, NULL}, &why), EN_E_ARG);
  CHECK(strstr(why.text, "90"));
  CHECK_EQ(en_eval(s, &(en_batch){1, negative, NULL, NULL}, &why), EN_E_ARG);
  CHECK_EQ(en_eval(s, &(en_batch){2, ids, no_seq, NULL}, &why), EN_E_ARG);
  CHECK_EQ(en_eval(s, &(en_batch){0, ids, NULL, NULL}, &why), EN_E_ARG);
  CHECK_EQ(en_eval(s, &(en_batch){3, ids, NULL, three}, &why), EN_E_FULL);
  CHECK_EQ(en_eval(s, &(en_batch){28, ids, NULL, NULL}, &why), EN_E_FULL);
  CHECK_EQ(en_eval(s, &(en_batch){27, ids, NULL, NULL}, &why), EN_OK); /* exactly full */
  CHECK_EQ(en_seq_length(s, 0), 32);
  CHECK_EQ(en_seq_keep(s, 0, 33), EN_E_ARG);
  CHECK_EQ(en_seq_keep(s, 0, 3), EN_OK);
  for (stop_after = 1; stop_after < 1000; ) { /* stop at every step */
    const int at = stop_after;
    stop_word = 0;
    const int32_t status = en_eval(s, &(en_batch){20, ids, NULL, NULL}, &why);
    if (status == EN_OK) break;
    CHECK_EQ(status, EN_E_STOPPED);
    CHECK_EQ(en_seq_length(s, 0), 3);
    stop_after = at + 1;
  }
  CHECK_EQ(en_seq_length(s, 0), 23);
  free(mem);
}

static void memory(const en_model *m) {
  const en_session_spec spec = {.n_ctx = 16, .n_batch = 4};
  const size_t need = en_session_bytes(m, &spec, NULL);
  unsigned char *mem = aligned_alloc(EN_ALIGN, need);
  en_session *s = NULL;
  en_why why;
  memset(mem, 0xAB, need);
  for (size_t n = 0; n < need; n += 61) {
    CHECK_EQ(en_session_init(&s, mem, n, m, &spec, NULL, &why), EN_E_NOMEM);
    CHECK(s == NULL);
  }
  size_t touched = 0;
  for (size_t i = 0; i < need; i++) touched += mem[i] != 0xAB;
  CHECK_EQ(touched, 0);
  CHECK_EQ(en_session_init(&s, mem + 1, need, m, &spec, NULL, &why), EN_E_ARG);
  CHECK_EQ(en_session_init(&s, mem, need, m, &spec, NULL, &why), EN_OK);
  const en_session_spec wild[] = {{.n_ctx = UINT32_MAX}, {.n_seq = UINT32_MAX}, {.n_logits = UINT32_MAX}, {.kv_type = 9}, {.n_ctx = 1 << 24, .n_seq = 4096, .n_logits = 1 << 20}};
  for (int i = 0; i < EN_COUNT(wild); i++) CHECK(en_session_bytes(m, &wild[i], NULL) == 0 || i == 4);
  free(mem);
}

static void model_errors(bytes_t *file) {
  en_why why;
  loaded_t l = {0};
  en_info info;
  CHECK_EQ(en_probe(file->p, 100, &info, &why), EN_E_MORE);
  l.image = aligned_alloc(EN_ALIGN, (file->n + 63) / 64 * 64);
  memcpy(l.image, file->p, file->n);
  CHECK_EQ(en_probe(file->p, file->n, &info, &why), EN_OK);
  CHECK_EQ(info.file_bytes, file->n);
  CHECK(!strcmp(info.arch, "llama") && info.n_layer == TINY_L && info.n_vocab == TINY_V && info.has_logits && !info.has_tokenizer);
  const size_t need = en_model_bytes(l.image, file->n, NULL);
  l.mem = aligned_alloc(EN_ALIGN, need);
  for (size_t n = 0; n < need; n += 127) CHECK_EQ(en_model_init(&l.m, l.mem, n, l.image, file->n, NULL, &why), EN_E_NOMEM);
  CHECK_EQ(en_model_init(&l.m, l.mem, need, l.image, (size_t)info.data_offset, NULL, &why), EN_OK);
  CHECK_EQ(en_model_seal(l.m, &why), EN_E_STATE);
  CHECK_EQ(en_model_feed(l.m, 10), EN_E_ARG);
  CHECK_EQ(en_model_feed(l.m, file->n + 1), EN_E_ARG);
  en_session *s = NULL;
  const en_session_spec spec = {0};
  CHECK_EQ(en_session_init(&s, l.mem, 1 << 20, l.m, &spec, NULL, &why), EN_E_STATE);
  CHECK_EQ(en_model_use_kernels(l.m, "no-such", &why), EN_E_UNSUPPORTED);
  CHECK_EQ(en_model_feed(l.m, file->n), EN_OK);
  CHECK_EQ(en_model_seal(l.m, &why), EN_OK);
  CHECK_EQ(en_model_use_kernels(l.m, "ref", &why), EN_E_STATE);
  unload_model(&l);
  /* A tensor renamed is a tensor missing, and the sentence says which. */
  for (size_t i = 0; i + 8 < info.data_offset; i++)
    if (!memcmp(file->p + i, "ffn_norm", 8)) { file->p[i] = 'g'; break; }
  l = load_model(file->p, file->n, 0, "auto", &why);
  CHECK(!l.m && strstr(why.text, "blk.0.ffn_norm.weight"));
  unload_model(&l);
}

/* With 8-bit activations every table gives ref-int8's bits, also of the last rows, fewer than a group. */
static void same_bits(const bytes_t *file) {
  float *want = malloc(N * TINY_V * sizeof *want), *got = malloc(N * TINY_V * sizeof *got);
  for (uint32_t kv_type = 0; kv_type < EN_KV_TYPES; kv_type++) {
    const en_session_spec spec = {.n_ctx = 64, .n_batch = 64, .n_logits = N, .kv_type = kv_type};
    for (int k = -1; k < 0 || en_kernels_name(k); k++) {
      const char *name = k < 0 ? "ref-int8" : en_kernels_name(k);
      if (!strcmp(name, "ref")) continue;
      void *mem;
      loaded_t l = load_model(file->p, file->n, 0, name, NULL);
      en_session *s = open_session(l.m, &spec, NULL, &mem);
      all_rows(s, ids, N, k < 0 ? want : got);
      if (k >= 0)
        for (int i = 0; i < N; i++) CHECK(!memcmp(got + i * TINY_V, want + i * TINY_V, TINY_V * sizeof *got));
      free(mem);
      unload_model(&l);
    }
  }
  free(want);
  free(got);
}

int main(void) {
  static const char *const archs[] = {"llama", "qwen2", "llama-moe"};
  static const int32_t types[] = {EN_F32, EN_F16, EN_BF16, EN_Q8_0, EN_Q4_0};
  for (int i = 0; i < N; i++) ids[i] = (int32_t)(en_random(5, (uint64_t)i) % TINY_V);
  float *truth = malloc(N * TINY_V * sizeof *truth), *other = malloc(N * TINY_V * sizeof *other);
  for (int a = 0; a < EN_COUNT(archs); a++)
    for (int t = 0; t < EN_COUNT(types); t++) {
      bytes_t file = tiny_gguf(archs[a], en_type_by_id(types[t]));
      for (int k = 0; en_kernels_name(k); k++) {
        en_why why = {{0}};
        void *mem;
        loaded_t l = load_model(file.p, file.n, 0, en_kernels_name(k), &why), pieces = load_model(file.p, file.n, 777, en_kernels_name(k), &why);
        CHECK(l.m && pieces.m);
        if (!l.m || !pieces.m) { printf("%s\n", why.text); continue; }
        CHECK(!memcmp(l.image, pieces.image, file.n)); /* packed alike however the bytes came */
        const en_session_spec spec = {.n_ctx = 64, .n_batch = 64, .n_logits = N};
        en_session *s = open_session(l.m, &spec, NULL, &mem);
        all_rows(s, ids, N, truth);
        for (int i = 0; i < N * TINY_V; i++) CHECK(isfinite(truth[i]));
        free(mem);
        ways(l.m, truth, 2e-6);
        saved(l.m, EN_KV_F32, truth, 2e-6);
        saved(l.m, EN_KV_F16, truth, 0.03);
        saved(l.m, EN_KV_Q8_0, truth, 0.06);
        for (uint32_t kv_type = EN_KV_F16; kv_type < EN_KV_TYPES; kv_type++) {
          const en_session_spec small = {.n_ctx = 64, .n_batch = 64, .n_logits = N, .kv_type = kv_type};
          CHECK(en_session_kv_bytes(l.m, &small) < en_session_kv_bytes(l.m, &spec) * (kv_type == EN_KV_F16 ? 51 : 55) / 100);
          s = open_session(l.m, &small, NULL, &mem);
          all_rows(s, ids, N, other);
          CHECK_NEAR(test_rel_rms(other, truth, N * TINY_V), 0, strcmp(archs[a], "llama-moe") ? 0.03 : 0.2); /* 8-bit activations turn a last-bit difference into a step, or send a token to another expert */
          CHECK(memcmp(other, truth, N * TINY_V * sizeof *truth));
          free(mem);
        }
        if (a == 0 && k == 0) { refusals(l.m); memory(l.m); }
        unload_model(&l);
        unload_model(&pieces);
      }
      if (types[t] == EN_Q8_0 || types[t] == EN_Q4_0) same_bits(&file);
      if (a == 0 && t == 0) model_errors(&file);
      free(file.p);
    }
  free(truth);
  free(other);
  return test_end();
}

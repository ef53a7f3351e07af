/* embeddings: bert and nomic-bert against numbers computed apart from any runtime, on every kernel table; packed texts = alone, bit for bit; every
 * pooling against its definition; the same bits on every table for quantized weights; decoders as embedding models; what is refused. */
#include "json_numbers.h"
#include "tiny_encoder.h"

enum { N = 40 };
static int32_t ids[N];
static uint32_t texts[N]; /* of 1, 9, 8, 17 and 5 tokens */
static const int32_t starts[] = {0, 1, 10, 18, 35, N};
enum { N_TEXTS = EN_COUNT(starts) - 1 };

static void oracle(const char *name) {
  char path[120];
  size_t n_json, n_file, n_want;
  snprintf(path, sizeof path, "oracles/%s.json", name);
  char *json = (char *)test_read(test_shared(path), &n_json);
  if (!json) return;
  json[n_json - 1] = 0;
  snprintf(path, sizeof path, "oracles/%s.gguf", name);
  unsigned char *file = test_read(test_shared(path), &n_file);
  snprintf(path, sizeof path, "oracles/%s.f32", name);
  float *want = (float *)(void *)test_read(test_shared(path), &n_want);
  double tokens[64];
  int32_t input[64];
  const uint32_t n = (uint32_t)json_numbers(json_after(json, "tokens"), tokens, 64);
  const double tolerance = strtod(json_after(json, "tolerance"), NULL);
  for (uint32_t i = 0; i < n; i++) input[i] = (int32_t)tokens[i];
  const char *kernels;
  for (int32_t i = 0; (kernels = en_kernels_name(i)); i++) {
    en_why why = {{0}};
    void *mem;
    loaded_t l = load_model(file, n_file, 1000, kernels, &why);
    CHECK(l.m);
    if (!l.m) { printf("%s: %s\n", name, why.text); break; }
    CHECK(!en_model_info(l.m)->has_logits);
    for (uint32_t kv = EN_KV_F32; kv <= EN_KV_F16; kv++) {
      en_session *s = open_session(l.m, &(en_session_spec){.pooling = EN_POOL_MODEL, .kv_type = kv}, NULL, &mem);
      CHECK_EQ(en_eval(s, &(en_batch){n, input, NULL, NULL}, &why), EN_OK);
      CHECK_EQ(en_embedding_rows(s), 1);
      CHECK_EQ(en_embedding_size(s) * sizeof(float), n_want);
      const double distance = test_rel_rms(en_embedding(s, 0), want, n_want / sizeof *want);
      if (kv == EN_KV_F32) printf("%s on %s: %.2g\n", name, kernels, distance);
      CHECK_NEAR(distance, 0, kv == EN_KV_F32 ? tolerance : 1e-3);
      free(mem);
    }
    unload_model(&l);
  }
  free(want);
  free(file);
  free(json);
}

/* All texts in one call; n_batch decides how many share a slice. */
static void embed(const en_model *m, uint32_t pooling, uint32_t n_batch, float *out) {
  void *mem;
  en_why why = {{0}};
  en_session *s = open_session(m, &(en_session_spec){.n_ctx = 20, .n_batch = n_batch, .n_logits = N, .pooling = pooling}, NULL, &mem);
  CHECK_EQ(en_eval(s, &(en_batch){N, ids, texts, NULL}, &why), EN_OK);
  if (why.text[0]) printf("%s\n", why.text);
  const uint32_t rows = pooling == EN_POOL_TOKENS ? N : N_TEXTS;
  CHECK_EQ(en_embedding_rows(s), rows);
  for (uint32_t i = 0; i < rows; i++) memcpy(out + (size_t)i * en_embedding_size(s), en_embedding(s, i), en_embedding_size(s) * sizeof *out);
  CHECK(!en_embedding(s, rows) && !en_logits(s, 0) && en_logits_rows(s) == 0 && en_seq_length(s, 0) == 0);
  free(mem);
}

static void same(const float *got, const float *want, size_t n, int exactly) {
  if (exactly) CHECK(!memcmp(got, want, n * sizeof *got));
  else CHECK_NEAR(test_rel_rms(got, want, n), 0, 2e-6);
}

/* Packed, in slices of other sizes, alone, and step by step. Float products may sum in another order when other rows are beside them. */
static void ways(const en_model *m, int exactly) {
  float *want = malloc(N * ENC_D * sizeof *want), *got = malloc(N * ENC_D * sizeof *got);
  void *mem;
  embed(m, EN_POOL_MEAN, 64, want);
  for (uint32_t n_batch = 20; n_batch < 45; n_batch += 7) {
    embed(m, EN_POOL_MEAN, n_batch, got);
    same(got, want, N_TEXTS * ENC_D, exactly);
  }
  en_session *s = open_session(m, &(en_session_spec){.n_ctx = 20, .n_logits = 1, .pooling = EN_POOL_MEAN}, NULL, &mem);
  for (int i = 0; i < N_TEXTS; i++) {
    CHECK_EQ(en_eval(s, &(en_batch){(uint32_t)(starts[i + 1] - starts[i]), ids + starts[i], NULL, NULL}, NULL), EN_OK);
    same(en_embedding(s, 0), want + i * ENC_D, ENC_D, exactly);
  }
  CHECK_EQ(en_eval_begin(s, &(en_batch){9, ids + 1, NULL, NULL}, NULL), EN_OK);
  int32_t status, n_steps = 0;
  while ((status = en_eval_run(s, 1, NULL)) == EN_E_MORE) n_steps++;
  CHECK_EQ(status, EN_OK);
  CHECK(n_steps > 10);
  same(en_embedding(s, 0), want + ENC_D, ENC_D, exactly);
  free(mem);
  free(want);
  free(got);
}

/* Every pooling from the rows of EN_POOL_TOKENS. */
static void poolings(const en_model *m, int exactly) {
  float *rows = malloc(N * ENC_D * sizeof *rows), *got = malloc(N * ENC_D * sizeof *got), mean[ENC_D];
  embed(m, EN_POOL_TOKENS, 64, rows);
  embed(m, EN_POOL_FIRST, 24, got);
  for (int i = 0; i < N_TEXTS; i++) same(got + i * ENC_D, rows + starts[i] * ENC_D, ENC_D, exactly);
  embed(m, EN_POOL_LAST, 64, got);
  for (int i = 0; i < N_TEXTS; i++) same(got + i * ENC_D, rows + (starts[i + 1] - 1) * ENC_D, ENC_D, exactly);
  embed(m, EN_POOL_MEAN, 24, got);
  for (int i = 0; i < N_TEXTS; i++) {
    for (int k = 0; k < ENC_D; k++) {
      double sum = 0;
      for (int t = starts[i]; t < starts[i + 1]; t++) sum += (double)rows[t * ENC_D + k];
      mean[k] = (float)(sum / (starts[i + 1] - starts[i]));
    }
    CHECK_NEAR(test_rel_rms(got + i * ENC_D, mean, ENC_D), 0, 1e-6);
  }
  free(rows);
  free(got);
}

/* W2 tanh(W1 x + b1) + b2 of the first row, from the file's own numbers. */
static void rank_head(void) {
  enum { LABELS = 3 };
  bytes_t file = encoder_gguf("bert", en_type_by_id(EN_F32), 4, LABELS);
  en_gguf g;
  en_why why = {{0}};
  CHECK_EQ(en_gguf_scan(&g, file.p, file.n, &why), EN_OK);
  void *index = malloc(en_gguf_bytes(&g));
  CHECK_EQ(en_gguf_index(&g, index, en_gguf_bytes(&g), &why), EN_OK);
  const float *t[4];
  static const char *const names[] = {"cls.weight", "cls.bias", "cls.output.weight", "cls.output.bias"};
  for (int i = 0; i < 4; i++) t[i] = (const float *)(const void *)(file.p + g.data_offset + en_gguf_find_tensor(&g, names[i])->offset);
  loaded_t l = load_model(file.p, file.n, 300, "ref", &why);
  CHECK(l.m && en_model_info(l.m)->pooling == EN_POOL_RANK);
  if (!l.m) { printf("%s\n", why.text); return; }
  float *first = malloc(N * ENC_D * sizeof *first), *got = malloc(N * ENC_D * sizeof *got);
  embed(l.m, EN_POOL_FIRST, 64, first);
  embed(l.m, EN_POOL_MODEL, 30, got);
  for (int i = 0; i < N_TEXTS; i++) {
    double h[ENC_D];
    for (int r = 0; r < ENC_D; r++) {
      h[r] = (double)t[1][r];
      for (int c = 0; c < ENC_D; c++) h[r] += (double)t[0][r * ENC_D + c] * (double)first[i * ENC_D + c];
      h[r] = tanh(h[r]);
    }
    for (int r = 0; r < LABELS; r++) {
      double want = (double)t[3][r];
      for (int c = 0; c < ENC_D; c++) want += (double)t[2][r * ENC_D + c] * h[c];
      CHECK_NEAR(got[i * LABELS + r], want, 1e-5);
    }
  }
  free(first);
  free(got);
  free(index);
  unload_model(&l);
  free(file.p);
}

/* Quantized: every table gives ref-int8's bits. */
static void same_bits(const char *arch, const en_type *type) {
  bytes_t file = encoder_gguf(arch, type, 1, 0);
  float *want = malloc(N * ENC_D * sizeof *want), *got = malloc(N * ENC_D * sizeof *got);
  for (int k = -1; k < 0 || en_kernels_name(k); k++) {
    const char *name = k < 0 ? "ref-int8" : en_kernels_name(k);
    if (!strcmp(name, "ref")) continue;
    loaded_t l = load_model(file.p, file.n, 0, name, NULL);
    embed(l.m, EN_POOL_MEAN, 33, k < 0 ? want : got);
    if (k >= 0) CHECK(!memcmp(got, want, N_TEXTS * ENC_D * sizeof *got));
    unload_model(&l);
  }
  free(want);
  free(got);
  free(file.p);
}

/* A decoder's hidden rows do not see what follows, and its logits are the head's product with them. */
static void decoder(void) {
  bytes_t file = tiny_gguf("qwen2", en_type_by_id(EN_F32));
  en_why why = {{0}};
  loaded_t l = load_model(file.p, file.n, 0, "auto", &why);
  float *rows = malloc(N * TINY_D * sizeof *rows), *last = malloc(N * TINY_D * sizeof *last);
  void *mem;
  CHECK_EQ(en_model_info(l.m)->pooling, EN_POOL_LAST);
  embed(l.m, EN_POOL_TOKENS, 64, rows);
  embed(l.m, EN_POOL_MODEL, 64, last);
  for (int i = 0; i < N_TEXTS; i++) CHECK(!memcmp(last + i * TINY_D, rows + (starts[i + 1] - 1) * TINY_D, TINY_D * sizeof *rows));
  en_session *s = open_session(l.m, &(en_session_spec){.pooling = EN_POOL_LAST}, NULL, &mem);
  CHECK_EQ(en_eval(s, &(en_batch){4, ids + 10, NULL, NULL}, &why), EN_OK);
  CHECK_NEAR(test_rel_rms(en_embedding(s, 0), rows + 13 * TINY_D, TINY_D), 0, 1e-6);
  free(mem);
  s = open_session(l.m, &(en_session_spec){.n_ctx = 32}, NULL, &mem);
  CHECK_EQ(en_eval(s, &(en_batch){8, ids + 10, NULL, NULL}, &why), EN_OK);
  const en_type *f32 = en_type_by_id(EN_F32);
  en_gguf g;
  CHECK_EQ(en_gguf_scan(&g, file.p, file.n, &why), EN_OK);
  void *index = malloc(en_gguf_bytes(&g));
  CHECK_EQ(en_gguf_index(&g, index, en_gguf_bytes(&g), &why), EN_OK);
  const en_gguf_tensor *head = en_gguf_find_tensor(&g, "token_embd.weight");
  for (int v = 0; v < TINY_V; v += 7) {
    float row[TINY_D];
    double want = 0;
    f32->decode(row, file.p + g.data_offset + head->offset + (size_t)v * sizeof row, TINY_D);
    for (int c = 0; c < TINY_D; c++) want += (double)row[c] * (double)last[2 * TINY_D + c];
    CHECK_NEAR(en_logits(s, 0)[v], want, 1e-4);
  }
  free(mem);
  free(index);
  free(rows);
  free(last);
  unload_model(&l);
  free(file.p);
}

static void refusals(const en_model *m) {
  void *mem;
  en_why why = {{0}};
  en_session *s = NULL;
  const int32_t bad[2] = {1, ENC_V};
  const en_session_spec plain = {.n_ctx = 16}, rank = {.pooling = EN_POOL_RANK}, wild = {.pooling = 9};
  mem = aligned_alloc(EN_ALIGN, en_session_bytes(m, &plain, NULL));
  CHECK_EQ(en_session_init(&s, mem, en_session_bytes(m, &plain, NULL), m, &plain, NULL, &why), EN_E_UNSUPPORTED);
  CHECK(strstr(why.text, "embeddings"));
  CHECK_EQ(en_session_init(&s, mem, 0, m, &rank, NULL, &why), EN_E_UNSUPPORTED);
  CHECK(strstr(why.text, "cls.weight"));
  CHECK_EQ(en_session_bytes(m, &wild, NULL), 0);
  CHECK_EQ(en_session_init(&s, mem, 0, m, &wild, NULL, &why), EN_E_ARG);
  free(mem);
  s = open_session(m, &(en_session_spec){.n_ctx = 4096, .n_batch = 8, .n_logits = 2, .pooling = EN_POOL_MEAN}, NULL, &mem);
  CHECK_EQ(en_session_n_ctx(s), ENC_CTX); /* no learned position beyond */
  CHECK_EQ(en_eval(s, &(en_batch){2, bad, NULL, NULL}, &why), EN_E_ARG);
  CHECK_EQ(en_eval(s, &(en_batch){N, ids, texts, NULL}, &why), EN_E_FULL);
  CHECK(strstr(why.text, "2"));
  int32_t many[ENC_CTX + 1] = {0};
  CHECK_EQ(en_eval(s, &(en_batch){ENC_CTX + 1, many, NULL, NULL}, &why), EN_E_FULL);
  CHECK(strstr(why.text, "49"));
  CHECK_EQ(en_eval(s, &(en_batch){ENC_CTX, many, NULL, NULL}, &why), EN_OK);
  const size_t n = en_seq_state_bytes(s, 0);
  unsigned char *state = malloc(n);
  CHECK_EQ(en_seq_save(s, 0, state, n), EN_OK);
  CHECK_EQ(en_seq_load(s, 0, state, n, &why), EN_E_STATE);
  free(state);
  free(mem);
}

static void memory(const en_model *m) {
  const en_session_spec spec = {.n_ctx = 16, .n_batch = 24, .pooling = EN_POOL_MEAN};
  const size_t need = en_session_bytes(m, &spec, NULL);
  unsigned char *mem = aligned_alloc(EN_ALIGN, need);
  en_session *s = NULL;
  en_why why;
  for (size_t n = 0; n < need; n += 61) CHECK_EQ(en_session_init(&s, mem, n, m, &spec, NULL, &why), EN_E_NOMEM);
  CHECK_EQ(en_session_init(&s, mem, need, m, &spec, NULL, &why), EN_OK);
  CHECK_EQ(en_session_kv_bytes(m, &spec), 2 * 24 * ENC_D * 4); /* one layer, whatever their number */
  free(mem);
}

static void normalize(void) {
  float x[3] = {3, 0, -4}, zero[2] = {0, 0};
  en_normalize(x, 3);
  CHECK(x[0] == 0.6f && x[1] == 0 && x[2] == -0.8f);
  en_normalize(zero, 2);
  CHECK(zero[0] == 0 && zero[1] == 0);
}

int main(void) {
  static const char *const archs[] = {"bert", "nomic-bert"};
  static const int32_t types[] = {EN_F32, EN_Q8_0, EN_Q4_0};
  for (int i = 0, text = 0; i < N; i++) {
    if (i == starts[text + 1]) text++;
    ids[i] = (int32_t)(en_random(11, (uint64_t)i) % ENC_V);
    texts[i] = (uint32_t)(text * 7 % 5); /* any numbers, as long as neighbours differ */
  }
  oracle("bert-mean");
  oracle("bert-cls");
  oracle("nomic-bert");
  for (int a = 0; a < EN_COUNT(archs); a++)
    for (int t = 0; t < EN_COUNT(types); t++) {
      bytes_t file = encoder_gguf(archs[a], en_type_by_id(types[t]), t ? 2 : -1, 0);
      en_why why = {{0}};
      for (int k = 0; en_kernels_name(k); k++) {
        loaded_t l = load_model(file.p, file.n, 777, en_kernels_name(k), &why);
        CHECK(l.m);
        if (!l.m) { printf("%s\n", why.text); continue; }
        CHECK_EQ(en_model_info(l.m)->pooling, t ? EN_POOL_FIRST : EN_POOL_MEAN);
        ways(l.m, t > 0);
        poolings(l.m, t > 0);
        if (!a && !t && !k) { refusals(l.m); memory(l.m); }
        unload_model(&l);
      }
      free(file.p);
      if (t) same_bits(archs[a], en_type_by_id(types[t]));
    }
  rank_head();
  decoder();
  normalize();
  return test_end();
}

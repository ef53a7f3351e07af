/* what was trained leaves the trainer: adapters on sessions, saved and loaded as GGUF and PEFT, merged into the weights; states restored. */
#include "tiny_train.h"

/* The loss of the whole text from a session's logits: the sum over its positions of -log p(next id). */
static double surprise(en_session *s) {
  double sum = 0;
  for (uint32_t i = 0; i + 1 < T; i++) {
    const float *z = en_logits(s, i);
    double e = 0;
    for (int v = 0; v < TINY_V; v++) e += exp((double)z[v] - (double)z[ids[i + 1]]);
    sum += log(e);
  }
  return sum;
}

/* What the trainer computes is what sessions compute: its loss of one sequence is the loss that a session's logits give. */
static void same_as_session(const en_model *m, uint32_t targets, double tolerance) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets};
  const en_train_spec ts = {.n_tokens = 32};
  const en_session_spec spec = {.n_ctx = 32, .n_logits = T};
  setup_t a = set_up(m, &as, &ts, NULL);
  void *mem;
  fill_b(a.a);
  en_session *s = open_session(m, &spec, NULL, &mem);
  uint8_t want[T];
  en_train_loss loss;
  memset(want, 1, sizeof want);
  CHECK_EQ(en_train_evaluate(a.t, &(en_train_batch){.n = T, .ids = ids}, &loss, NULL), EN_OK);
  CHECK_EQ(en_session_attach(s, a.a, 1, NULL), EN_OK);
  CHECK_EQ(en_eval(s, &(en_batch){T, ids, NULL, want}, NULL), EN_OK);
  CHECK_NEAR(surprise(s), loss.loss, tolerance * loss.loss);
  free(mem);
  tear_down(&a);
}

/* PEFT has q, k, v of phi3 in one module, and gate, up: written and read back, the function is the same. */
static void fused_peft(const en_model *m, uint32_t targets, float alpha, const char *modules) {
  const en_adapter_spec as = {.rank = RANK, .alpha = alpha, .targets = targets};
  const en_train_spec ts = {.n_tokens = 32};
  setup_t a = set_up(m, &as, &ts, NULL), b = {0};
  en_why why = {{0}};
  fill_b(a.a);
  const size_t n = en_adapter_save_peft(a.a, NULL, 0), n_config = en_adapter_save_peft_config(a.a, &(en_peft_config){0}, NULL, 0);
  char *file = malloc(n), *config = malloc(n_config + 1);
  CHECK_EQ(en_adapter_save_peft(a.a, file, n), n);
  CHECK_EQ(en_adapter_save_peft_config(a.a, &(en_peft_config){0}, config, n_config), n_config);
  config[n_config] = 0;
  CHECK(strstr(config, modules));
  const size_t need = en_adapter_peft_bytes(m, file, n);
  b.a_mem = aligned_alloc(EN_ALIGN, need);
  CHECK_EQ(en_adapter_init_peft(&b.a, b.a_mem, need, m, file, n, config, n_config, &why), EN_OK);
  if (!b.a) { printf("%s\n", why.text); return; }
  const size_t t_need = en_trainer_bytes(b.a, &ts, NULL);
  b.t_mem = aligned_alloc(EN_ALIGN, t_need);
  CHECK_EQ(en_trainer_init(&b.t, b.t_mem, t_need, b.a, &ts, NULL, &why), EN_OK);
  const double without = mean_loss(a.t, &plain);
  CHECK_NEAR(mean_loss(b.t, &plain), without, 2e-6 * without);
  free(file);
  free(config);
  tear_down(&a);
  tear_down(&b);
}

/* An adapter in the weights does what it does beside them. Works on a model of its own, for it changes it. */
static void merged(const bytes_t *file, const char *kernels, uint32_t targets, double tolerance) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets};
  const en_train_spec ts = {.n_tokens = 32};
  const en_session_spec spec = {.n_ctx = 32, .n_logits = T};
  loaded_t l = load_model(file->p, file->n, 0, kernels, NULL), other = load_model(file->p, file->n, 0, kernels, NULL);
  setup_t a = set_up(l.m, &as, &ts, NULL);
  void *s_mem, *r_mem, *mem = aligned_alloc(EN_ALIGN, en_adapter_merge_bytes(a.a));
  uint8_t want[T];
  en_why why;
  memset(want, 1, sizeof want);
  fill_b(a.a);
  en_session *s = open_session(l.m, &spec, NULL, &s_mem), *r = open_session(l.m, &spec, NULL, &r_mem);
  CHECK_EQ(en_session_attach(s, a.a, 0.5f, NULL), EN_OK);
  CHECK_EQ(en_eval(s, &(en_batch){.n = T, .ids = ids, .want = want}, NULL), EN_OK);
  const uint64_t before = en_model_info(l.m)->fingerprint;
  CHECK_EQ(en_adapter_merge(other.m, a.a, 0.5f, mem, en_adapter_merge_bytes(a.a), &why), EN_E_ARG);
  CHECK_EQ(en_adapter_merge(l.m, a.a, NAN, mem, en_adapter_merge_bytes(a.a), &why), EN_E_ARG);
  CHECK_EQ(en_adapter_merge(l.m, a.a, 0.5f, mem, en_adapter_merge_bytes(a.a) - 1, &why), EN_E_NOMEM);
  CHECK_EQ(en_adapter_merge(l.m, a.a, 0.5f, mem, en_adapter_merge_bytes(a.a), &why), EN_OK);
  CHECK(en_model_info(l.m)->fingerprint != before);
  CHECK_EQ(en_eval(r, &(en_batch){.n = T, .ids = ids, .want = want}, NULL), EN_OK);
  CHECK_NEAR(test_rel_rms(en_logits(r, 0), en_logits(s, 0), T * TINY_V), 0, tolerance);
  unsigned char *out = malloc(file->n); /* and so does the file that comes of it */
  CHECK_EQ(en_model_read(l.m, 0, out, file->n), EN_OK);
  CHECK(memcmp(out, file->p, file->n) != 0);
  loaded_t again = load_model(out, file->n, 0, kernels, NULL);
  void *t_mem;
  en_session *t = open_session(again.m, &spec, NULL, &t_mem);
  CHECK_EQ(en_eval(t, &(en_batch){.n = T, .ids = ids, .want = want}, NULL), EN_OK);
  CHECK(!memcmp(en_logits(t, 0), en_logits(r, 0), T * TINY_V * sizeof(float)));
  CHECK(en_model_info(again.m)->fingerprint == en_model_info(l.m)->fingerprint);
  free(s_mem), free(r_mem), free(t_mem), free(mem), free(out);
  tear_down(&a);
  unload_model(&l);
  unload_model(&other);
  unload_model(&again);
}

/* Train a little, save the adapter as a file and the state, restore both: the losses go on as if nothing had happened. */
static void round_trips(const en_model *m) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = EN_LORA_ALL};
  const en_train_spec ts = {.n_tokens = 32, .clip_norm = 1, .weight_decay = 0.01f};
  const en_train_batch batch = {.n = T, .ids = ids, .segment = segment, .weight = weight};
  setup_t a = set_up(m, &as, &ts, NULL), b = set_up(m, &as, &ts, NULL);
  en_train_loss loss;
  en_why why;
  double first = 0, norm;
  CHECK_EQ(en_train_step(a.t, 0.01, NULL, &why), EN_E_STATE);
  for (int i = 0; i < 12; i++) {
    CHECK_EQ(en_train_accumulate(a.t, &batch, &loss, &why), EN_OK);
    if (!i) first = loss.loss;
    CHECK_EQ(en_trainer_save(a.t, NULL, 0), 0); /* not in the middle of a step */
    CHECK_EQ(en_train_step(a.t, 0.02, &norm, &why), EN_OK);
    CHECK(norm > 0);
  }
  CHECK(loss.loss < 0.7 * first);
  size_t n = en_trainer_save(a.t, NULL, 0);
  unsigned char *state = malloc(n);
  CHECK_EQ(en_trainer_save(a.t, state, n), n);
  for (size_t cut = 0; cut < n; cut += n / 50 + 1) CHECK_EQ(en_trainer_load(b.t, state, cut, &why), EN_E_FORMAT);
  CHECK_EQ(en_trainer_load(b.t, state, n, &why), EN_OK);
  for (int i = 0; i < 3; i++) {
    en_train_loss other;
    CHECK_EQ(en_train_accumulate(a.t, &batch, &loss, NULL), EN_OK);
    CHECK_EQ(en_train_accumulate(b.t, &batch, &other, NULL), EN_OK);
    CHECK(loss.loss == other.loss);
    en_train_step(a.t, 0.02, NULL, NULL);
    en_train_step(b.t, 0.02, NULL, NULL);
  }
  free(state);

  n = en_adapter_save(a.a, NULL, 0);
  unsigned char *file = malloc(n);
  CHECK_EQ(en_adapter_save(a.a, file, n), n);
  const size_t need = en_adapter_file_bytes(m, file, n);
  void *c_mem = aligned_alloc(EN_ALIGN, need), *s_mem, *r_mem;
  en_adapter *c = NULL;
  for (size_t cut = 0; cut < n; cut += n / 300 + 1) CHECK(en_adapter_init_file(&c, c_mem, need, m, file, cut, &why) != EN_OK && !c);
  CHECK_EQ(en_adapter_init_file(&c, c_mem, need, m, file, n, &why), EN_OK);
  uint64_t n_params;
  const float *pa = flat(a.a, &n_params), *pc = flat(c, &n_params);
  CHECK(!memcmp(pa, pc, n_params * sizeof *pa));
  for (size_t i = 0; i + 8 < n; i++) /* another architecture is refused, with a sentence */
    if (!memcmp(file + i, en_model_info(m)->arch, 5)) { file[i] ^= 2; break; }
  en_adapter *bad = NULL;
  CHECK_EQ(en_adapter_init_file(&bad, c_mem, need, m, file, n, &why), EN_E_ARG);
  CHECK(strstr(why.text, "architecture"));

  /* On a session: the loss that the trainer sees is the loss that the session's logits give. */
  const en_session_spec spec = {.n_ctx = 32, .n_logits = T};
  en_session *s = open_session(m, &spec, NULL, &s_mem), *r = open_session(m, &spec, NULL, &r_mem);
  float one[T];
  uint8_t want[T];
  for (int i = 0; i < T; i++) { one[i] = 1; want[i] = 1; }
  CHECK_EQ(en_train_evaluate(a.t, &(en_train_batch){.n = T, .ids = ids, .weight = one}, &loss, NULL), EN_OK);
  CHECK_EQ(en_session_attach(s, a.a, 1, &why), EN_OK);
  const en_batch all = {T, ids, NULL, want};
  CHECK_EQ(en_eval(s, &all, NULL), EN_OK);
  CHECK_NEAR(surprise(s), loss.loss, 2e-3 * loss.loss);
  CHECK_EQ(en_seq_length(s, 0), T);
  CHECK_EQ(en_session_detach(s, a.a), EN_OK);
  CHECK_EQ(en_session_detach(s, a.a), EN_E_ARG);
  CHECK_EQ(en_seq_length(s, 0), 0); /* the cache belonged to other weights */
  CHECK_EQ(en_eval(s, &all, NULL), EN_OK);
  CHECK_EQ(en_session_attach(r, a.a, 0, NULL), EN_OK); /* scale 0 = not there */
  CHECK_EQ(en_eval(r, &all, NULL), EN_OK);
  CHECK(!memcmp(en_logits(s, 0), en_logits(r, 0), T * TINY_V * sizeof(float)));
  free(c_mem);
  free(s_mem);
  free(r_mem);
  free(file);
  tear_down(&a);
  tear_down(&b);
}

int main(void) {
  fill_batch();
  for (int a = 0; a < EN_COUNT(tiny_archs); a++)
    for (int k = 0; k < tiny_n_types(a); k++) {
      const char *name = tiny_archs[a].name;
      const uint32_t targets = tiny_archs[a].targets;
      const int32_t type = tiny_types[k];
      bytes_t file = tiny_gguf(name, en_type_by_id(type));
      en_why why = {{0}};
      loaded_t exact = load_model(file.p, file.n, 0, "ref", &why), fast = load_model(file.p, file.n, 0, "auto", &why);
      CHECK(exact.m && fast.m);
      if (!exact.m || !fast.m) { printf("%s: %s\n", name, why.text); return test_end(); }
      same_as_session(exact.m, targets, 1e-6);
      if (!strcmp(name, "phi3")) {
        fused_peft(exact.m, EN_LORA_ALL, 6, "\"target_modules\": [\"qkv_proj\", \"o_proj\", \"gate_up_proj\", \"down_proj\"]");
        fused_peft(exact.m, EN_LORA_K | EN_LORA_UP, 5, "\"target_modules\": [\"qkv_proj\", \"gate_up_proj\"]");
      }
      const double wide = strcmp(name, "llama-moe") ? 1 : 2; /* a token may go to another expert */
      merged(&file, "ref", targets, type == EN_F32 ? 1e-5 : type == EN_Q8_0 ? 0.03 * wide : 0.3);
      if (a < 2) round_trips(fast.m);
      unload_model(&exact);
      unload_model(&fast);
      free(file.p);
    }
  return test_end();
}

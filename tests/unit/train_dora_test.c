/* DoRA: norms as from the whole matrix; at first the base; trained to the same bits on every kernel table; recomputed = kept; the trainer = the session = merged
 * weights; PEFT's files there and back; what is refused. The gradients are proved in tests/double. */
#include "../../core/model/adapter.h"
#include "tiny_train.h"

static const en_train_spec ts = {.n_tokens = 32, .clip_norm = 1};

static setup_t dora_of(const en_model *m, uint32_t targets, const en_train_spec *spec) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets, .dora = 1};
  return set_up(m, &as, spec, NULL);
}

/* Rows get other lengths, and B values. */
static void change(en_adapter *a) {
  fill_b(a);
  for (uint32_t l = 0; l < TINY_L; l++)
    for (uint32_t target = 1; target <= EN_LORA_DOWN; target *= 2) {
      uint32_t rows;
      float *m = en_adapter_m(a, l, target, &rows);
      for (uint32_t i = 0; m && i < rows; i++) m[i] *= (float)(0.8 + 0.4 * en_uniform(l * 1000 + target, i));
    }
  en_adapter_changed(a);
}

/* |W + scale B A| of every row, the long way; tolerance: the product behind the short way may round A to 8 bits. */
static void norms(const en_model *m, uint32_t targets, double tolerance) {
  setup_t s = dora_of(m, targets, &ts);
  float row[2 * TINY_F];
  unsigned char plain[sizeof row];
  for (int changed = 0; changed < 2; changed++) {
    for (int32_t l = 0; l < TINY_L; l++)
      for (int32_t t = 0; t < m->arch->n_layer; t++) {
        const en_lora *e = en_adapter_layer(s.a, l) + t;
        const en_weight *w = en_model_layer(m, l) + t;
        double worst = 0, at_first = 0;
        for (int32_t o = 0; e->rank && o < w->rows; o++) {
          double square = 0;
          en_weight_row(row, w, o, plain);
          for (int32_t c = 0; c < w->cols; c++) {
            double v = (double)row[c];
            for (int32_t i = 0; i < e->rank; i++) v += (double)e->scale * (double)e->b[i * w->rows + o] * (double)e->a[i * w->cols + c];
            square += v * v;
          }
          worst = fmax(worst, fabs((double)e->inverse[o] * sqrt(square) - 1));
          at_first = fmax(at_first, fabs((double)e->m[o] / sqrt(square) - 1));
        }
        CHECK_NEAR(worst, 0, tolerance);
        if (!changed) CHECK_NEAR(at_first, 0, 1e-6);
      }
    change(s.a);
  }
  tear_down(&s);
}

static double loss_of_session(const en_model *m, en_adapter *a, float scale, float *logits) {
  const en_session_spec spec = {.n_ctx = 32, .n_logits = T};
  void *mem;
  uint8_t want[T];
  double sum = 0;
  memset(want, 1, sizeof want);
  en_session *s = open_session(m, &spec, NULL, &mem);
  if (a) CHECK_EQ(en_session_attach(s, a, scale, NULL), EN_OK);
  CHECK_EQ(en_eval(s, &(en_batch){T, ids, NULL, want}, NULL), EN_OK);
  for (uint32_t i = 0; i + 1 < T; i++) {
    double e = 0;
    for (int v = 0; v < TINY_V; v++) e += exp((double)en_logits(s, i)[v] - (double)en_logits(s, i)[ids[i + 1]]);
    sum += log(e);
  }
  memcpy(logits, en_logits(s, 0), T * TINY_V * sizeof *logits);
  free(mem);
  return sum;
}

/* One function in the trainer, in sessions and in merged weights; off it is the base, bit for bit, and so it begins. */
static void one_function(const bytes_t *file, const char *kernels, uint32_t targets, double tolerance, double merged_tolerance) {
  static float base[T * TINY_V], with[T * TINY_V], off[T * TINY_V];
  loaded_t l = load_model(file->p, file->n, 0, kernels, NULL);
  setup_t s = dora_of(l.m, targets, &ts);
  en_train_loss loss;
  loss_of_session(l.m, NULL, 0, base);
  loss_of_session(l.m, s.a, 1, with);
  CHECK_NEAR(test_rel_rms(with, base, T * TINY_V), 0, tolerance);
  change(s.a);
  loss_of_session(l.m, s.a, 0, off);
  CHECK(!memcmp(base, off, sizeof base));
  const double sum = loss_of_session(l.m, s.a, 1, with);
  CHECK(test_rel_rms(with, base, T * TINY_V) > 0.02);
  CHECK_EQ(en_train_evaluate(s.t, &(en_train_batch){.n = T, .ids = ids}, &loss, NULL), EN_OK);
  CHECK_NEAR(loss.loss, sum, 1e-5 * sum);
  loss_of_session(l.m, s.a, 0.5f, with);
  void *mem = aligned_alloc(EN_ALIGN, en_adapter_merge_bytes(s.a));
  CHECK_EQ(en_adapter_merge(l.m, s.a, 0.5f, mem, en_adapter_merge_bytes(s.a), NULL), EN_OK);
  loss_of_session(l.m, NULL, 0, off);
  CHECK_NEAR(test_rel_rms(off, with, T * TINY_V), 0, merged_tolerance);
  free(mem);
  tear_down(&s);
  unload_model(&l);
}

/* Training lowers the loss, moves m, and leaves norms that belong to what it left; quantized: the same bits with every kernel table. */
static void trains_alike(const bytes_t *file, int32_t type, uint32_t targets) {
  enum { STEPS = 6 };
  const en_train_spec specs[] = {{.n_tokens = 32, .clip_norm = 1, .dropout = 0.1f, .weight_decay = 0.01f}, {.n_tokens = 32, .clip_norm = 1, .dropout = 0.1f, .weight_decay = 0.01f, .keep = EN_KEEP_ALL}};
  const int exact = type != EN_F32;
  double want[STEPS] = {0};
  float *trained = NULL;
  for (int32_t i = -2; i < 0 || en_kernels_name(i); i++) {
    const char *name = i < 0 ? exact ? "ref-int8" : "ref" : en_kernels_name(i);
    if (exact && !strcmp(name, "ref")) continue; /* its activations are floats */
    loaded_t l = load_model(file->p, file->n, 0, name, NULL);
    setup_t s = dora_of(l.m, targets, &specs[i == -1]); /* the second time with everything kept */
    uint32_t rows;
    uint64_t n;
    const float first = en_adapter_m(s.a, 0, EN_LORA_O, &rows)[0];
    for (int k = 0; k < STEPS; k++) {
      en_train_loss loss;
      CHECK_EQ(en_train_accumulate(s.t, &plain, &loss, NULL), EN_OK);
      if (i == -2) want[k] = loss.loss;
      CHECK_NEAR(loss.loss, want[k], exact || i < 0 ? 0 : 1e-4 * want[k]);
      CHECK_EQ(en_train_step(s.t, 0.02, NULL, NULL), EN_OK);
    }
    CHECK(want[STEPS - 1] < 0.9 * want[0] && en_adapter_m(s.a, 0, EN_LORA_O, &rows)[0] != first);
    const float *p = flat(s.a, &n);
    if (!trained) {
      trained = malloc(n * sizeof *trained);
      memcpy(trained, p, n * sizeof *trained);
    }
    if (exact || i < 0) CHECK(!memcmp(p, trained, n * sizeof *trained));
    const double after = mean_loss(s.t, &plain);
    en_adapter_changed(s.a);
    CHECK(mean_loss(s.t, &plain) == after);
    const size_t n_state = en_trainer_save(s.t, NULL, 0); /* and goes on from its state */
    void *state = malloc(n_state);
    setup_t again = dora_of(l.m, targets, &specs[0]);
    CHECK_EQ(en_trainer_save(s.t, state, n_state), n_state);
    CHECK_EQ(en_trainer_load(again.t, state, n_state, NULL), EN_OK);
    CHECK(mean_loss(again.t, &plain) == after);
    free(state);
    tear_down(&again);
    tear_down(&s);
    unload_model(&l);
  }
  free(trained);
}

/* PEFT's files hold it, and mean it only if both say so. */
static void files(const en_model *m, uint32_t targets) {
  setup_t s = dora_of(m, targets, &ts);
  const en_adapter_spec lora = {.rank = RANK, .alpha = 6, .targets = targets};
  setup_t without = set_up(m, &lora, &ts, NULL);
  en_adapter *b = NULL;
  en_why why = {{0}};
  uint32_t rows;
  char config[2000], lora_config[2000];
  static float want[T * TINY_V], got[T * TINY_V];
  change(s.a);
  CHECK_EQ(en_adapter_save(s.a, NULL, 0), 0);
  CHECK(!en_adapter_m(without.a, 0, EN_LORA_Q, &rows));
  const size_t n = en_adapter_save_peft(s.a, NULL, 0), n_lora = en_adapter_save_peft(without.a, NULL, 0);
  const size_t n_config = en_adapter_save_peft_config(s.a, &(en_peft_config){0}, config, sizeof config), n_lora_config = en_adapter_save_peft_config(without.a, &(en_peft_config){0}, lora_config, sizeof lora_config);
  char *file = malloc(n), *lora_file = malloc(n_lora);
  CHECK_EQ(en_adapter_save_peft(s.a, file, n), n);
  CHECK_EQ(en_adapter_save_peft(without.a, lora_file, n_lora), n_lora);
  const size_t need = en_adapter_peft_bytes(m, file, n);
  void *mem = aligned_alloc(EN_ALIGN, need);
  CHECK(need && need < 4 * en_adapter_bytes(m, &(en_adapter_spec){.rank = RANK, .alpha = 6, .targets = targets, .dora = 1}));
  CHECK_EQ(en_adapter_init_peft(&b, mem, need, m, file, n, lora_config, n_lora_config, &why), EN_E_FORMAT);
  CHECK(strstr(why.text, "no DoRA"));
  CHECK_EQ(en_adapter_init_peft(&b, mem, need, m, lora_file, n_lora, config, n_config, &why), EN_E_FORMAT);
  CHECK(strstr(why.text, "missing") && !b);
  CHECK_EQ(en_adapter_init_peft(&b, mem, need, m, file, n, config, n_config, &why), EN_OK);
  if (!b) { printf("%s\n", why.text); return; }
  loss_of_session(m, s.a, 1, want);
  loss_of_session(m, b, 1, got);
  CHECK_NEAR(test_rel_rms(got, want, T * TINY_V), 0, 2e-6);
  free(file), free(lora_file), free(mem);
  tear_down(&s);
  tear_down(&without);
}

int main(void) {
  fill_batch();
  for (int a = 0; a < EN_COUNT(tiny_archs); a++)
    for (int k = 0; k < tiny_n_types(a); k++) {
      const uint32_t targets = tiny_archs[a].targets;
      const int32_t type = tiny_types[k];
      bytes_t file = tiny_gguf(tiny_archs[a].name, en_type_by_id(type));
      loaded_t l = load_model(file.p, file.n, 0, "ref", NULL), fast = load_model(file.p, file.n, 0, "auto", NULL);
      CHECK(l.m && fast.m);
      norms(l.m, targets, 2e-6);
      norms(fast.m, targets, type == EN_F32 ? 2e-6 : 2e-3);
      if (strcmp(tiny_archs[a].name, "llama-moe")) one_function(&file, "ref", targets, 2e-6, type == EN_F32 ? 1e-5 : type == EN_Q8_0 ? 0.03 : 0.3);
      if (!a || !strcmp(tiny_archs[a].name, "phi2")) trains_alike(&file, type, targets);
      if (!k) files(l.m, targets);
      if (!strcmp(tiny_archs[a].name, "phi3")) CHECK_EQ(en_adapter_bytes(l.m, &(en_adapter_spec){.rank = 1, .alpha = 1, .targets = EN_LORA_K, .dora = 1}), 0);
      unload_model(&l);
      unload_model(&fast);
      free(file.p);
    }
  return test_end();
}

/* training through recurrences: gradients by finite differences, packed sequences as apart, any number of lanes the same bits, the loss that a session's logits
 * give, adapters written and read in both forms, the whole weights refused. */
#include "../../core/include/en_train.h"
#include "tiny_recurrent.h"

enum { T = 19, RANK = 3 };
static int32_t ids[T];
static uint32_t segment[T];

typedef struct { en_adapter *a; en_trainer *t; void *a_mem, *t_mem; } setup_t;

static void add_trainer(setup_t *s, uint32_t keep, const en_host *host) {
  const en_train_spec ts = {.n_tokens = 24, .keep = keep};
  const size_t need = en_trainer_bytes(s->a, &ts, host);
  s->t_mem = aligned_alloc(EN_ALIGN, need);
  memset(s->t_mem, 0x5A, need);
  CHECK_EQ(en_trainer_init(&s->t, s->t_mem, need, s->a, &ts, host, NULL), EN_OK);
}

/* B gets values too: with B = 0 the gradient of A vanishes. */
static setup_t set_up(const en_model *m, uint32_t targets, uint32_t keep, const en_host *host) {
  setup_t s = {0};
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets};
  const size_t need = en_adapter_bytes(m, &as);
  s.a_mem = aligned_alloc(EN_ALIGN, need);
  CHECK_EQ(en_adapter_init(&s.a, s.a_mem, need, m, &as, 3, NULL), EN_OK);
  for (uint32_t l = 0; l < TINY_L; l++)
    for (uint32_t target = 1; target <= EN_LORA_DOWN; target *= 2) {
      uint32_t rank, rows;
      float *b = en_adapter_b(s.a, l, target, &rank, &rows);
      for (uint32_t i = 0; b && i < rank * rows; i++) b[i] = (float)(0.2 * en_uniform(l * 1000 + target, i) - 0.1);
    }
  add_trainer(&s, keep, host);
  return s;
}
static void tear_down(setup_t *s) { free(s->a_mem); free(s->t_mem); }

static const en_train_batch plain = {.n = T, .ids = ids, .segment = segment};

static double mean_loss(en_trainer *t) {
  en_train_loss loss = {0, 1};
  CHECK_EQ(en_train_evaluate(t, &plain, &loss, NULL), EN_OK);
  return loss.loss / loss.weight;
}

static float *first_factor(en_adapter *a) {
  uint32_t rank, cols;
  for (uint32_t target = 1; target <= EN_LORA_DOWN; target *= 2)
    if (en_adapter_a(a, 0, target, &rank, &cols)) return en_adapter_a(a, 0, target, &rank, &cols);
  return NULL;
}

static void differences(const en_model *m, uint32_t targets) {
  setup_t s = set_up(m, targets, EN_KEEP_INPUTS, NULL);
  en_train_loss loss;
  CHECK_EQ(en_train_accumulate(s.t, &plain, &loss, NULL), EN_OK);
  uint64_t n;
  const float *grad = en_trainer_gradients(s.t, &n);
  float *p = first_factor(s.a);
  double scale = 0;
  for (uint64_t i = 0; i < n; i++) scale += (double)grad[i] * (double)grad[i];
  scale = sqrt(scale / (double)n) / loss.weight;
  CHECK(scale > 1e-5);
  for (int k = 0; k < 120; k++) { /* float32 forward: the step is wide, the tolerance follows */
    const uint64_t i = en_random(77, (uint64_t)k) % n;
    const float old = p[i], h = 4e-3f;
    p[i] = old + h;
    const double up = mean_loss(s.t);
    p[i] = old - h;
    const double down = mean_loss(s.t), want = (double)grad[i] / loss.weight;
    p[i] = old;
    CHECK_NEAR((up - down) / (2 * (double)h), want, 0.02 * fabs(want) + 0.01 * scale);
  }
  tear_down(&s);
}

/* Kept or computed again, on one lane or three: the same bits. Sequences apart: the same sums. */
static void other_ways(const en_model *m, uint32_t targets) {
  const en_host lanes = {.parallel = run_backwards, .n_lanes = 3};
  setup_t a = set_up(m, targets, EN_KEEP_INPUTS, NULL), b = set_up(m, targets, EN_KEEP_ALL, &lanes);
  en_train_loss la, lb;
  uint64_t n;
  CHECK_EQ(en_train_accumulate(a.t, &plain, &la, NULL), EN_OK);
  CHECK_EQ(en_train_accumulate(b.t, &plain, &lb, NULL), EN_OK);
  const float *ga = en_trainer_gradients(a.t, &n), *gb = en_trainer_gradients(b.t, &n);
  CHECK(la.loss == lb.loss && !memcmp(ga, gb, n * sizeof *ga));
  CHECK_EQ(en_train_step(b.t, 0, NULL, NULL), EN_OK); /* zeroes */
  CHECK_EQ(en_train_accumulate(b.t, &(en_train_batch){.n = 8, .ids = ids}, &lb, NULL), EN_OK);
  CHECK_EQ(en_train_accumulate(b.t, &(en_train_batch){.n = T - 8, .ids = ids + 8}, &lb, NULL), EN_OK);
  CHECK_NEAR(test_rel_rms(gb, ga, n), 0, 1e-5);
  tear_down(&a);
  tear_down(&b);
}

/* Trained from layer 1 up: what the frozen layer made, computed once, gives the same bits. */
static void from_prefix(const en_model *m, uint32_t targets) {
  setup_t a = {0};
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets, .first_layer = 1};
  const size_t need = en_adapter_bytes(m, &as);
  a.a_mem = aligned_alloc(EN_ALIGN, need);
  CHECK_EQ(en_adapter_init(&a.a, a.a_mem, need, m, &as, 3, NULL), EN_OK);
  add_trainer(&a, EN_KEEP_INPUTS, NULL);
  en_train_loss la, lb, other;
  uint64_t n;
  float rows[T * TINY_D];
  en_train_batch cached = plain;
  cached.prefix = rows;
  CHECK_EQ(en_train_accumulate(a.t, &plain, &la, NULL), EN_OK);
  const float *grad = en_trainer_gradients(a.t, &n);
  float *want = malloc(n * sizeof *want);
  memcpy(want, grad, n * sizeof *want);
  CHECK_EQ(en_train_step(a.t, 0, NULL, NULL), EN_OK); /* zeroes */
  CHECK_EQ(en_train_prefix(a.t, &plain, rows, NULL), EN_OK);
  CHECK_EQ(en_train_evaluate(a.t, &(en_train_batch){.n = T - 2, .ids = ids + 2}, &other, NULL), EN_OK); /* another text goes through */
  CHECK_EQ(en_train_accumulate(a.t, &cached, &lb, NULL), EN_OK);
  CHECK(la.loss == lb.loss && !memcmp(want, grad, n * sizeof *want));
  free(want);
  tear_down(&a);
}

/* The trainer's loss of one sequence is that of the session's logits. */
static void as_session(const en_model *m, uint32_t targets) {
  setup_t a = set_up(m, targets, EN_KEEP_INPUTS, NULL);
  const en_session_spec spec = {.n_ctx = 32, .n_logits = T};
  void *mem;
  uint8_t want[T];
  double sum = 0;
  en_train_loss loss;
  memset(want, 1, sizeof want);
  en_session *s = open_session(m, &spec, NULL, &mem);
  CHECK_EQ(en_train_evaluate(a.t, &(en_train_batch){.n = T, .ids = ids}, &loss, NULL), EN_OK);
  CHECK_EQ(en_session_attach(s, a.a, 1, NULL), EN_OK);
  CHECK_EQ(en_eval(s, &(en_batch){T, ids, NULL, want}, NULL), EN_OK);
  for (uint32_t i = 0; i + 1 < T; i++) {
    const float *z = en_logits(s, i);
    double top = (double)z[0], all = 0;
    for (int v = 1; v < TINY_V; v++) top = fmax(top, (double)z[v]);
    for (int v = 0; v < TINY_V; v++) all += exp((double)z[v] - top);
    sum += top + log(all) - (double)z[ids[i + 1]];
  }
  CHECK_NEAR(sum, loss.loss, 1e-5 * loss.loss);
  free(mem);
  tear_down(&a);
}

static void files(const en_model *m, uint32_t targets) {
  setup_t a = set_up(m, targets, EN_KEEP_INPUTS, NULL), b = {0};
  const double loss = mean_loss(a.t);
  en_why why = {{0}};
  const size_t n = en_adapter_save(a.a, NULL, 0), n_peft = en_adapter_save_peft(a.a, NULL, 0), n_config = en_adapter_save_peft_config(a.a, &(en_peft_config){0}, NULL, 0);
  char *file = malloc(n), *peft = malloc(n_peft), *config = malloc(n_config + 1);
  CHECK_EQ(en_adapter_save(a.a, file, n), n);
  CHECK_EQ(en_adapter_save_peft(a.a, peft, n_peft), n_peft);
  CHECK_EQ(en_adapter_save_peft_config(a.a, &(en_peft_config){0}, config, n_config), n_config);
  config[n_config] = 0;
  CHECK(strstr(config, "\"in_proj\"") || strstr(config, "\"r_proj\"") || strstr(config, "\"attention.receptance\""));
  for (int form = 0; form < 2; form++) {
    const size_t need = form ? en_adapter_peft_bytes(m, peft, n_peft) : en_adapter_file_bytes(m, file, n);
    b.a_mem = aligned_alloc(EN_ALIGN, need ? need : EN_ALIGN);
    CHECK_EQ(form ? en_adapter_init_peft(&b.a, b.a_mem, need, m, peft, n_peft, config, n_config, &why) : en_adapter_init_file(&b.a, b.a_mem, need, m, file, n, &why), EN_OK);
    if (why.text[0]) { printf("form %d: %s\n", form, why.text); return; }
    add_trainer(&b, EN_KEEP_INPUTS, NULL);
    CHECK_NEAR(mean_loss(b.t), loss, 2e-6 * loss);
    tear_down(&b);
  }
  free(file);
  free(peft);
  free(config);
  tear_down(&a);
}

int main(void) {
  static const struct { const char *arch; uint32_t targets; } cases[] = {
    {"mamba", EN_LORA_O | EN_LORA_GATE | EN_LORA_UP}, {"mamba2", EN_LORA_O | EN_LORA_GATE | EN_LORA_UP | EN_LORA_DOWN}, {"rwkv6", EN_LORA_ALL}, {"rwkv7", EN_LORA_ALL & ~(uint32_t)EN_LORA_GATE}};
  for (int i = 0; i < T; i++) ids[i] = (int32_t)(en_random(12, (uint64_t)i) % TINY_V), segment[i] = i < 8 ? 3 : 5;
  for (int c = 0; c < EN_COUNT(cases); c++)
    for (int i = 0; i < EN_COUNT(tiny_recurrents); i++) {
      if (strcmp(tiny_recurrents[i].arch, cases[c].arch)) continue;
      bytes_t file = tiny_recurrent_gguf(&tiny_recurrents[i], en_type_by_id(EN_F32));
      en_why why = {{0}};
      loaded_t l = load_model(file.p, file.n, 0, "auto", &why);
      CHECK(l.m);
      if (!l.m) { printf("%s\n", why.text); continue; }
      differences(l.m, cases[c].targets);
      other_ways(l.m, cases[c].targets);
      from_prefix(l.m, cases[c].targets);
      as_session(l.m, cases[c].targets);
      files(l.m, cases[c].targets);
      CHECK_EQ(en_trainer_model_bytes(l.m, &(en_train_spec){.n_tokens = 24}, NULL), 0);
      unload_model(&l);
      free(file.p);
    }
  return test_end();
}

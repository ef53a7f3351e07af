/* Every gradient against central differences, 1e-6 apart at most: the sources of the core in double precision (real.h). The unit tests compare the same
 * sources in single precision with fixtures, and kernel tables with each other; this one proves the formulas. */
#include "../../core/include/en_train.h"
#include "../unit/tiny_encoder.h"
#include "../unit/tiny_recurrent.h"

_Static_assert(sizeof(float) == 8, "compile with real.h");
enum { T = 21, DRAWS = 24 };
static const double STEP = 1e-4, LIMIT = 1e-6;

static int32_t ids[T], goals[T];
static uint32_t segment[T], pairs[T];
static float weight[T], targets[T], teacher[T * TINY_V];
static double worst;

/* What is trained: n numbers p, gradients g. */
typedef struct { en_trainer *t; float *p; const float *g; uint64_t n; void *mem[2]; } setup_t;

static double loss_of(en_trainer *t, const en_train_batch *b) {
  en_train_loss loss = {0, 0};
  CHECK_EQ(en_train_evaluate(t, b, &loss, NULL), EN_OK);
  return loss.loss;
}

/* Numbers at random places: the error of the fourth-order difference against the size of that gradient, or of all of them where it is small. */
static void differences(const setup_t *s, const en_train_batch *b, const char *what) {
  en_train_loss loss;
  double square = 0, most = 0;
  CHECK_EQ(en_train_accumulate(s->t, b, &loss, NULL), EN_OK);
  for (uint64_t i = 0; i < s->n; i++) square += s->g[i] * s->g[i];
  const double size = sqrt(square / (double)s->n);
  CHECK(size > 1e-9);
  for (uint64_t k = 0, i = 0; k < DRAWS; k++) {
    do i = (i + 1 + en_random(77, k) % s->n) % s->n;
    while (s->g[i] == 0 && k % 8); /* words that do not occur have none */
    const double at = s->p[i], h = STEP;
    double f[4];
    for (int j = 0; j < 4; j++) {
      s->p[i] = at + h * (double[]){-2, -1, 1, 2}[j];
      f[j] = loss_of(s->t, b);
    }
    s->p[i] = at;
    const double d = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h), error = fabs(d - s->g[i]) / fmax(fabs(s->g[i]), size);
    most = fmax(most, error);
    CHECK_NEAR(error, 0, LIMIT);
  }
  printf("%s: %.1e\n", what, most);
  worst = fmax(worst, most);
}

/* An adapter on these matrices, none of its numbers 0. */
static setup_t adapter_of(const en_model *m, uint32_t adapted, uint32_t dora, const en_train_spec *spec) {
  setup_t s = {0};
  en_adapter *a = NULL;
  en_why why = {""};
  const en_adapter_spec as = {.rank = 3, .alpha = 6, .targets = adapted, .dora = dora};
  const size_t n_adapter = en_adapter_bytes(m, &as);
  s.mem[0] = aligned_alloc(EN_ALIGN, n_adapter);
  CHECK_EQ(en_adapter_init(&a, s.mem[0], n_adapter, m, &as, 3, &why), EN_OK);
  uint32_t rank, width;
  for (uint32_t bit = 1; !s.p && bit <= EN_LORA_DOWN; bit *= 2) s.p = en_adapter_a(a, 0, bit, &rank, &width);
  s.n = en_adapter_params(a);
  for (uint64_t i = 0; i < s.n; i++) s.p[i] = s.p[i] == 0 ? 0.2 * en_uniform(5, i) - 0.1 : s.p[i];
  en_adapter_changed(a); /* norms of DoRA; from here on they are the constants that its gradients take them for */
  const size_t n_trainer = en_trainer_bytes(a, spec, NULL);
  s.mem[1] = aligned_alloc(EN_ALIGN, n_trainer ? n_trainer : EN_ALIGN);
  if (en_trainer_init(&s.t, s.mem[1], n_trainer, a, spec, NULL, &why) != EN_OK) { printf("%s\n", why.text); exit(1); }
  s.g = en_trainer_gradients(s.t, &s.n);
  return s;
}

/* All weights of the model. */
static setup_t full_of(const loaded_t *l, const en_train_spec *spec) {
  setup_t s = {.p = (float *)(void *)((uint8_t *)l->image + en_model_info(l->m)->data_offset)};
  en_why why = {""};
  const size_t need = en_trainer_model_bytes(l->m, spec, NULL);
  s.mem[0] = aligned_alloc(EN_ALIGN, need ? need : EN_ALIGN);
  if (en_trainer_init_model(&s.t, s.mem[0], need, l->m, spec, NULL, &why) != EN_OK) { printf("%s\n", why.text); exit(1); }
  s.g = en_trainer_gradients(s.t, &s.n);
  return s;
}
static void tear_down(setup_t *s) { free(s->mem[0]); free(s->mem[1]); }

static void of_kind(const en_model *m, uint32_t adapted, uint32_t dora, const en_train_spec *spec, const en_train_batch *b, const char *arch, const char *what) {
  char title[80];
  snprintf(title, sizeof title, "%s, %s", arch, what);
  setup_t s = adapter_of(m, adapted, dora, spec);
  differences(&s, b, title);
  tear_down(&s);
}

static void with_adapter(const en_model *m, uint32_t adapted, const en_train_spec *spec, const en_train_batch *b, const char *arch, const char *what) { of_kind(m, adapted, 0, spec, b, arch, what); }

static void decoder(const char *arch, uint32_t adapted) {
  const en_train_batch plain = {.n = T, .ids = ids, .segment = segment, .weight = weight}, taught = {.n = T, .ids = ids, .segment = segment, .weight = weight, .teacher = teacher};
  const en_train_spec causal = {.n_tokens = T}, kept = {.n_tokens = T, .keep = EN_KEEP_ALL, .label_smoothing = 0.3}, soft = {.n_tokens = T, .loss = EN_LOSS_DISTILL, .temperature = 3, .hard_mix = 0.25};
  bytes_t file = tiny_gguf(arch, en_type_by_id(EN_F32));
  en_why why = {""};
  loaded_t l = load_model(file.p, file.n, 0, "ref", &why);
  CHECK(l.m);
  if (!l.m) { printf("%s: %s\n", arch, why.text); return; }
  with_adapter(l.m, adapted, &causal, &plain, arch, "adapter");
  with_adapter(l.m, adapted, &kept, &plain, arch, "adapter, label smoothing");
  with_adapter(l.m, adapted, &soft, &taught, arch, "adapter, distillation");
  of_kind(l.m, adapted, 1, &causal, &plain, arch, "DoRA");
  setup_t s = full_of(&l, &causal);
  char title[80];
  snprintf(title, sizeof title, "%s, all weights", arch);
  differences(&s, &plain, title);
  tear_down(&s);
  unload_model(&l);
  free(file.p);
}

static void encoder(const char *arch, uint32_t adapted) {
  const en_train_batch masked = {.n = T, .ids = ids, .segment = segment, .weight = weight, .goals = goals}, paired = {.n = T, .ids = ids, .segment = pairs, .targets = targets};
  const en_train_spec mlm = {.n_tokens = T, .loss = EN_LOSS_MLM}, infonce = {.n_tokens = T, .loss = EN_LOSS_INFONCE, .temperature = 0.2}, cosine = {.n_tokens = T, .loss = EN_LOSS_COSINE};
  bytes_t file = encoder_gguf(arch, en_type_by_id(EN_F32), 1, 0);
  en_why why = {""};
  loaded_t l = load_model(file.p, file.n, 0, "ref", &why);
  CHECK(l.m);
  if (!l.m) { printf("%s: %s\n", arch, why.text); return; }
  with_adapter(l.m, adapted, &mlm, &masked, arch, "masked tokens");
  with_adapter(l.m, adapted, &infonce, &paired, arch, "InfoNCE");
  with_adapter(l.m, adapted, &cosine, &paired, arch, "cosine pairs");
  unload_model(&l);
  free(file.p);
}

/* Through scans, and the first layer's value that all layers above have a part of. */
static void recurrent(const tiny_recurrent *tiny, uint32_t adapted) {
  const en_train_batch plain = {.n = T, .ids = ids, .segment = segment, .weight = weight}, one = {.n = T, .ids = ids, .weight = weight};
  const en_train_spec causal = {.n_tokens = T}, kept = {.n_tokens = T, .keep = EN_KEEP_ALL};
  bytes_t file = tiny_recurrent_gguf(tiny, en_type_by_id(EN_F32));
  en_why why = {""};
  loaded_t l = load_model(file.p, file.n, 0, "ref", &why);
  CHECK(l.m);
  if (!l.m) { printf("%s: %s\n", tiny->arch, why.text); return; }
  with_adapter(l.m, adapted, &causal, &plain, tiny->arch, "adapter");
  with_adapter(l.m, adapted, &kept, &one, tiny->arch, "adapter, one text, all kept");
  unload_model(&l);
  free(file.p);
}

int main(void) {
  static const struct { const char *name; uint32_t adapted; } states[] = {{"mamba", EN_LORA_O | EN_LORA_GATE | EN_LORA_UP}, {"mamba2", EN_LORA_O | EN_LORA_GATE | EN_LORA_UP | EN_LORA_DOWN}, {"rwkv6", EN_LORA_ALL}, {"rwkv7", EN_LORA_ALL & ~(uint32_t)EN_LORA_GATE}};
  static const struct { const char *name; uint32_t adapted; } decoders[] = {{"llama", EN_LORA_ALL}, {"llama-moe", EN_LORA_Q | EN_LORA_K | EN_LORA_V | EN_LORA_O}, {"qwen2", EN_LORA_ALL}, {"qwen3", EN_LORA_ALL},
    {"phi2", EN_LORA_ALL & ~(uint32_t)EN_LORA_GATE}, {"phi3", EN_LORA_ALL}, {"gemma", EN_LORA_ALL}, {"gemma2", EN_LORA_ALL}, {"gemma3", EN_LORA_ALL}};
  for (int i = 0; i < T; i++) {
    ids[i] = (int32_t)(en_random(6, (uint64_t)i) % TINY_V);
    segment[i] = i < 9 ? 4 : 9;
    pairs[i] = (uint32_t)(i * 4 / T);
    weight[i] = i == 3 || i == 12 ? 0 : i % 4 == 1 ? 0.5 : 1;
    goals[i] = i % 3 ? -1 : (int32_t)(en_random(8, (uint64_t)i) % ENC_V);
    targets[i] = i % 2 ? 0.8 : -0.3;
  }
  for (int i = 0; i < T * TINY_V; i++) teacher[i] = 6 * en_uniform(31, (uint64_t)i) - 3;
  for (int i = 0; i < EN_COUNT(decoders); i++) decoder(decoders[i].name, decoders[i].adapted);
  for (int i = 0; i < EN_COUNT(states); i++)
    for (int k = 0; k < EN_COUNT(tiny_recurrents); k++)
      if (!strcmp(tiny_recurrents[k].arch, states[i].name)) recurrent(&tiny_recurrents[k], states[i].adapted);
  encoder("bert", EN_LORA_ALL & ~(uint32_t)EN_LORA_GATE);
  encoder("nomic-bert", EN_LORA_ALL);
  printf("worst: %.1e\n", worst);
  return test_end();
}

/* training of encoders: gradients of every loss by finite differences on bert and nomic-bert; losses by their formulas; a large batch in pieces = at once;
 * packed = apart; recomputed = kept; the masks; what is refused. The fixture with gradients and ten steps runs through `edge-net parity`. */
#include "../../core/include/en_train.h"
#include "tiny_encoder.h"

enum { T = 33, RANK = 3, N_SEQ = 6 };
static const int32_t starts[N_SEQ + 1] = {0, 4, 11, 13, 20, 25, T};
static int32_t ids[T], goals[T];
static uint32_t segment[T];
static float weight[T];
static const float targets[N_SEQ / 2] = {0.9f, -0.3f, 0.2f};

typedef struct { en_adapter *a; en_trainer *t; void *a_mem, *t_mem; float *p; uint64_t n; } setup_t;

static setup_t set_up(const en_model *m, const en_train_spec *ts) {
  setup_t s = {0};
  en_why why = {{0}};
  uint32_t rank, length;
  const uint32_t gate = strcmp(en_model_info(m)->arch, "bert") ? EN_LORA_GATE : 0;
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = (EN_LORA_ALL & ~(uint32_t)EN_LORA_GATE) | gate};
  const size_t a_need = en_adapter_bytes(m, &as);
  s.a_mem = aligned_alloc(EN_ALIGN, a_need);
  CHECK_EQ(en_adapter_init(&s.a, s.a_mem, a_need, m, &as, 3, &why), EN_OK);
  for (uint32_t l = 0; l < ENC_L; l++)
    for (uint32_t target = 1; target <= EN_LORA_DOWN; target *= 2) { /* with B = 0 the gradient of A vanishes */
      float *b = en_adapter_b(s.a, l, target, &rank, &length);
      for (uint32_t i = 0; b && i < rank * length; i++) b[i] = (float)(0.2 * en_uniform(l * 1000 + target, i) - 0.1);
    }
  const size_t t_need = en_trainer_bytes(s.a, ts, NULL);
  s.t_mem = aligned_alloc(EN_ALIGN, t_need ? t_need : EN_ALIGN);
  memset(s.t_mem, 0x5A, t_need);
  CHECK_EQ(en_trainer_init(&s.t, s.t_mem, t_need - 1, s.a, ts, NULL, &why), EN_E_NOMEM);
  CHECK_EQ(en_trainer_init(&s.t, s.t_mem, t_need, s.a, ts, NULL, &why), EN_OK);
  s.p = en_adapter_a(s.a, 0, EN_LORA_Q, &rank, &length); /* the adapter's numbers lie one after another, beginning with its first A */
  s.n = en_adapter_params(s.a);
  return s;
}
static void tear_down(setup_t *s) { free(s->a_mem); free(s->t_mem); }

static en_train_batch batch_of(uint32_t loss) {
  en_train_batch b = {.n = T, .ids = ids, .segment = segment};
  if (loss == EN_LOSS_MLM) { b.goals = goals; b.weight = weight; }
  if (loss == EN_LOSS_COSINE) b.targets = targets;
  return b;
}

static double loss_sum(en_trainer *t, const en_train_batch *b) {
  en_train_loss loss = {0, 1};
  CHECK_EQ(en_train_evaluate(t, b, &loss, NULL), EN_OK);
  return loss.loss;
}

static void differences(const en_model *m, uint32_t which) {
  setup_t s = set_up(m, &(en_train_spec){.n_tokens = T, .loss = which, .temperature = which == EN_LOSS_INFONCE ? 0.2f : 0});
  const en_train_batch b = batch_of(which);
  en_train_loss loss;
  uint64_t n;
  double scale = 0;
  CHECK_EQ(en_train_accumulate(s.t, &b, &loss, NULL), EN_OK);
  const float *grad = en_trainer_gradients(s.t, &n);
  CHECK_EQ(n, s.n);
  for (uint64_t i = 0; i < n; i++) scale += (double)grad[i] * (double)grad[i];
  scale = sqrt(scale / (double)n);
  CHECK(scale > 1e-6);
  for (int k = 0; k < 100; k++) { /* float32 forward: the step is wide, the tolerance follows */
    const uint64_t i = en_random(78, (uint64_t)k) % n;
    const float old = s.p[i], h = 4e-3f;
    s.p[i] = old + h;
    const double up = loss_sum(s.t, &b);
    s.p[i] = old - h;
    const double down = loss_sum(s.t, &b);
    s.p[i] = old;
    CHECK_NEAR((up - down) / (2 * (double)h), (double)grad[i], 0.02 * fabs((double)grad[i]) + 0.01 * scale);
  }
  tear_down(&s);
}

/* Embeddings by a session with the adapter on, and the losses by their formulas. */
static void formulas(const en_model *m) {
  static float rows[N_SEQ * ENC_D];
  void *mem;
  en_why why = {{0}};
  uint32_t n;
  setup_t s = set_up(m, &(en_train_spec){.n_tokens = T, .loss = EN_LOSS_INFONCE}), c = set_up(m, &(en_train_spec){.n_tokens = T, .loss = EN_LOSS_COSINE});
  en_session *e = open_session(m, &(en_session_spec){.pooling = EN_POOL_MODEL}, NULL, &mem);
  CHECK_EQ(en_session_attach(e, s.a, 1, &why), EN_OK);
  CHECK_EQ(en_eval(e, &(en_batch){T, ids, segment, NULL}, &why), EN_OK);
  CHECK_EQ(en_embedding_rows(e), N_SEQ);
  for (uint32_t i = 0; i < N_SEQ; i++) {
    en_normalize(en_embedding(e, i), ENC_D);
    memcpy(rows + i * ENC_D, en_embedding(e, i), ENC_D * sizeof *rows);
  }
  double cosines[N_SEQ / 2][N_SEQ / 2], info = 0, squares = 0;
  for (int i = 0; i < N_SEQ / 2; i++)
    for (int j = 0; j < N_SEQ / 2; j++) {
      cosines[i][j] = 0;
      for (int d = 0; d < ENC_D; d++) cosines[i][j] += (double)rows[2 * i * ENC_D + d] * (double)rows[(2 * j + 1) * ENC_D + d];
    }
  for (int i = 0; i < N_SEQ / 2; i++) {
    double sum = 0;
    for (int j = 0; j < N_SEQ / 2; j++) sum += exp(cosines[i][j] / 0.05);
    info += log(sum) - cosines[i][i] / 0.05;
    squares += (cosines[i][i] - (double)targets[i]) * (cosines[i][i] - (double)targets[i]);
  }
  const en_train_batch b = batch_of(EN_LOSS_COSINE);
  CHECK_NEAR(loss_sum(s.t, &b), info, 1e-4 * info);
  CHECK_NEAR(loss_sum(c.t, &b), squares, 1e-5);
  CHECK_NEAR(test_rel_rms(en_train_rows(s.t, &n), rows, N_SEQ * ENC_D), 0, 1e-5);
  CHECK_EQ(n, N_SEQ);
  free(mem);
  tear_down(&s);
  tear_down(&c);
}

/* Three micro-batches of one pair each, with the rows of all = the whole batch. */
static void large_batch(const en_model *m, uint32_t keep) {
  static float rows[N_SEQ * ENC_D];
  const en_train_spec ts = {.n_tokens = T, .loss = EN_LOSS_INFONCE};
  en_train_spec kept = ts;
  kept.keep = keep;
  setup_t whole = set_up(m, &ts), parts = set_up(m, &kept);
  en_train_batch b = batch_of(EN_LOSS_INFONCE);
  en_train_loss want, got;
  uint32_t n;
  uint64_t n_grad;
  double sum = 0, weights = 0;
  CHECK_EQ(en_train_accumulate(whole.t, &b, &want, NULL), EN_OK);
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t i = 0; i < N_SEQ; i += 2) {
      b = (en_train_batch){.n = (uint32_t)(starts[i + 2] - starts[i]), .ids = ids + starts[i], .segment = segment + starts[i]};
      if (pass) { b.rows = rows; b.n_rows = N_SEQ; b.first_row = i; }
      CHECK_EQ(pass ? en_train_accumulate(parts.t, &b, &got, NULL) : en_train_evaluate(parts.t, &b, &got, NULL), EN_OK);
      if (!pass) memcpy(rows + i * ENC_D, en_train_rows(parts.t, &n), 2 * ENC_D * sizeof *rows);
      else { sum += got.loss; weights += got.weight; }
    }
  CHECK_NEAR(sum, want.loss, 1e-4 * want.loss);
  CHECK(weights == want.weight && weights == N_SEQ / 2);
  const float *in_parts = en_trainer_gradients(parts.t, &n_grad), *at_once = en_trainer_gradients(whole.t, &n_grad);
  CHECK_NEAR(test_rel_rms(in_parts, at_once, (size_t)n_grad), 0, 1e-4);
  tear_down(&whole);
  tear_down(&parts);
}

/* Sequences of one micro-batch, and one each. */
static void packed(const en_model *m) {
  const en_train_spec ts = {.n_tokens = T, .loss = EN_LOSS_MLM};
  setup_t together = set_up(m, &ts), apart = set_up(m, &ts);
  en_train_batch b = batch_of(EN_LOSS_MLM);
  en_train_loss want, got;
  uint64_t n;
  double sum = 0;
  CHECK_EQ(en_train_accumulate(together.t, &b, &want, NULL), EN_OK);
  for (int i = 0; i < N_SEQ; i++) {
    b = (en_train_batch){.n = (uint32_t)(starts[i + 1] - starts[i]), .ids = ids + starts[i], .goals = goals + starts[i], .weight = weight + starts[i]};
    CHECK_EQ(en_train_accumulate(apart.t, &b, &got, NULL), EN_OK);
    sum += got.loss;
  }
  CHECK_NEAR(sum, want.loss, 1e-5 * want.loss);
  const float *alone = en_trainer_gradients(apart.t, &n), *beside = en_trainer_gradients(together.t, &n);
  CHECK_NEAR(test_rel_rms(alone, beside, (size_t)n), 0, 1e-5);
  tear_down(&together);
  tear_down(&apart);
}

static void masks(void) {
  enum { N = 20000 };
  static int32_t text[N], masked[N], want[N], again[N];
  const en_mask_spec s = {.probability = 0.15f, .mask = 3, .first = 5, .n_vocab = 1000, .seed = 7};
  uint32_t n_mask = 0, n_same = 0, n_other = 0;
  for (int i = 0; i < N; i++) text[i] = masked[i] = again[i] = (int32_t)(en_random(1, (uint64_t)i) % 1000);
  const uint32_t n = en_train_mask(masked, want, N, &s, 0);
  for (int i = 0; i < N; i++) {
    CHECK(want[i] < 0 ? masked[i] == text[i] : want[i] == text[i] && text[i] >= 5);
    if (want[i] >= 0) (*(masked[i] == 3 ? &n_mask : masked[i] == text[i] ? &n_same : &n_other))++;
  }
  CHECK_EQ(n, n_mask + n_same + n_other);
  CHECK_NEAR(n, 0.15 * (double)N, 5 * sqrt(0.15 * (double)N));
  CHECK_NEAR(n_mask, 0.8 * n, 5 * sqrt(0.2 * n));
  CHECK_NEAR(n_other, 0.1 * n, 5 * sqrt(0.1 * n));
  for (uint32_t at = 0; at < N; at += 1000) en_train_mask(again + at, want + at, 1000, &s, 3 * (uint64_t)at); /* in pieces: the same */
  CHECK(!memcmp(masked, again, sizeof masked));
}

static void refusals(const en_model *m) {
  en_why why = {{0}};
  en_train_loss loss;
  setup_t s = set_up(m, &(en_train_spec){.n_tokens = 64, .loss = EN_LOSS_INFONCE}), c = set_up(m, &(en_train_spec){.n_tokens = T, .loss = EN_LOSS_COSINE}), l = set_up(m, &(en_train_spec){.n_tokens = T, .loss = EN_LOSS_MLM});
  static const float rows[4 * ENC_D];
  const int32_t long_text[64] = {0};
  const en_train_spec causal = {.n_tokens = T};
  const en_train_batch one = {.n = 4, .ids = ids}, half = {.n = 13, .ids = ids, .segment = segment}, longer = {.n = ENC_CTX + 1, .ids = long_text}, none = {.n = T, .ids = ids, .segment = segment};
  const en_train_batch beyond = {.n = 11, .ids = ids, .segment = segment, .rows = rows, .n_rows = 4, .first_row = 4};
  CHECK_EQ(en_train_evaluate(s.t, &one, &loss, &why), EN_E_ARG);
  CHECK_EQ(en_train_evaluate(s.t, &half, &loss, &why), EN_E_ARG);
  CHECK(strstr(why.text, "3 sequences"));
  CHECK_EQ(en_train_evaluate(s.t, &longer, &loss, &why), EN_E_FULL);
  CHECK_EQ(en_train_evaluate(s.t, &beyond, &loss, &why), EN_E_ARG);
  CHECK_EQ(en_train_evaluate(c.t, &none, &loss, &why), EN_E_ARG);
  CHECK_EQ(en_train_evaluate(l.t, &none, &loss, &why), EN_E_ARG);
  CHECK_EQ(en_trainer_bytes(s.a, &causal, NULL), 0);
  CHECK_EQ(en_trainer_init(&s.t, s.t_mem, 0, s.a, &causal, NULL, &why), EN_E_ARG);
  CHECK(strstr(why.text, "embeddings"));
  tear_down(&s);
  tear_down(&c);
  tear_down(&l);
}

int main(void) {
  static const char *const archs[] = {"bert", "nomic-bert"};
  for (int i = 0, k = 0; i < T; i++) {
    if (i == starts[k + 1]) k++;
    ids[i] = (int32_t)(en_random(16, (uint64_t)i) % ENC_V);
    goals[i] = i % 3 == 1 ? (int32_t)(en_random(17, (uint64_t)i) % ENC_V) : -1;
    weight[i] = i == 7 ? 0 : i % 2 ? 0.5f : 1;
    segment[i] = (uint32_t)k;
  }
  for (int a = 0; a < EN_COUNT(archs); a++)
    for (int pooling = 1; pooling <= 3; pooling++) { /* mean, first, last */
      bytes_t file = encoder_gguf(archs[a], en_type_by_id(pooling == 2 ? EN_Q8_0 : EN_F32), pooling, 0);
      en_why why = {{0}};
      loaded_t exact = load_model(file.p, file.n, 0, "ref", &why), fast = load_model(file.p, file.n, 0, "auto", &why);
      CHECK(exact.m && fast.m);
      if (!exact.m || !fast.m) { printf("%s\n", why.text); return test_end(); }
      for (uint32_t loss = EN_LOSS_MLM; loss <= EN_LOSS_COSINE; loss++) differences(exact.m, loss); /* float activations: the function is smooth */
      formulas(exact.m);
      large_batch(exact.m, EN_KEEP_ALL);
      if (pooling != 2) large_batch(fast.m, EN_KEEP_INPUTS);
      packed(exact.m);
      if (pooling == 1 && !a) refusals(fast.m);
      unload_model(&exact);
      unload_model(&fast);
      free(file.p);
    }
  masks();
  return test_end();
}

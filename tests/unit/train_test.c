/* training: gradients by finite differences on every architecture; losses by their formulas; checkpointed = kept; packed = apart; every kernel table and a
 * cached prefix to the same bits; dropout, optimizers, schedules; slices and the stop word. */
#include "../../core/train/schedule.h"
#include "tiny_train.h"

static void differences_of(const en_model *m, uint32_t targets, const en_train_spec *ts, const en_train_batch *batch) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets};
  setup_t s = set_up(m, &as, ts, NULL);
  fill_b(s.a);
  en_train_loss loss;
  CHECK_EQ(en_train_accumulate(s.t, batch, &loss, NULL), EN_OK);
  uint64_t n, n_grad;
  float *p = flat(s.a, &n);
  const float *grad = en_trainer_gradients(s.t, &n_grad);
  CHECK_EQ(n, n_grad);
  double scale = 0;
  for (uint64_t i = 0; i < n; i++) scale += (double)grad[i] * (double)grad[i];
  scale = sqrt(scale / (double)n) / loss.weight;
  for (int k = 0; k < 120; k++) { /* float32 forward: the step is wide, the tolerance follows */
    const uint64_t i = en_random(77, (uint64_t)k) % n;
    const float old = p[i], h = 4e-3f;
    p[i] = old + h;
    const double up = mean_loss(s.t, batch);
    p[i] = old - h;
    const double down = mean_loss(s.t, batch);
    p[i] = old;
    CHECK_NEAR((up - down) / (2 * (double)h), (double)grad[i] / loss.weight, 0.02 * fabs((double)grad[i] / loss.weight) + 0.01 * scale);
  }
  tear_down(&s);
}

static void finite_differences(const en_model *m, uint32_t targets) { differences_of(m, targets, &(en_train_spec){.n_tokens = 32}, &plain); }

/* Sum over the goals of weight * (cross-entropy at the temperature against p), p: the teacher's at the same temperature, from a session's logits. */
static double distilled(const en_model *m, en_adapter *a, const float *teacher, double temperature, double *weights) {
  const en_session_spec spec = {.n_ctx = 32, .n_logits = T, .n_seq = 2};
  void *mem;
  en_session *s = open_session(m, &spec, NULL, &mem);
  uint8_t want[T];
  uint32_t seq[T];
  double sum = 0;
  for (int i = 0; i < T; i++) { want[i] = 1; seq[i] = segment[i] == segment[0] ? 0 : 1; }
  CHECK_EQ(en_session_attach(s, a, 1, NULL), EN_OK);
  CHECK_EQ(en_eval(s, &(en_batch){T, ids, seq, want}, NULL), EN_OK);
  *weights = 0;
  for (uint32_t i = 0; i + 1 < T; i++) {
    if (segment[i + 1] != segment[i]) continue;
    const float *z = en_logits(s, i), *q = teacher + i * TINY_V;
    double lz = 0, lq = 0, kl = 0;
    for (int v = 0; v < TINY_V; v++) { lz += exp((double)z[v] / temperature); lq += exp((double)q[v] / temperature); }
    for (int v = 0; v < TINY_V; v++) kl += exp((double)q[v] / temperature) / lq * (((double)q[v] - (double)z[v]) / temperature + log(lz) - log(lq));
    sum += (double)weight[i + 1] * kl * temperature * temperature;
    *weights += (double)weight[i + 1];
  }
  free(mem);
  return sum;
}

static void losses(const en_model *m) {
  enum { BEST = 5 };
  static float teacher[T * TINY_V], best[T * BEST];
  static int32_t best_ids[T * BEST];
  for (int i = 0; i < T * TINY_V; i++) teacher[i] = (float)(6 * en_uniform(31, (uint64_t)i) - 3);
  for (int i = 0; i < T; i++)
    for (int k = 0; k < BEST; k++) {
      best_ids[i * BEST + k] = (i * 7 + k * 17) % TINY_V;
      best[i * BEST + k] = teacher[i * TINY_V + (i * 7 + k * 17) % TINY_V];
    }
  const en_train_spec smooth = {.n_tokens = 32, .label_smoothing = 0.3f}, soft = {.n_tokens = 32, .loss = EN_LOSS_DISTILL, .temperature = 3},
                      mixed = {.n_tokens = 32, .loss = EN_LOSS_DISTILL, .hard_mix = 0.25f}, hard = {.n_tokens = 32, .loss = EN_LOSS_DISTILL, .hard_mix = 1}, causal = {.n_tokens = 32};
  en_train_batch full = plain, few = plain, all_ids = plain;
  full.teacher = teacher;
  few.teacher = best;
  few.teacher_ids = best_ids;
  few.teacher_k = BEST;
  const uint32_t targets = EN_LORA_V | EN_LORA_DOWN;
  differences_of(m, targets, &smooth, &plain);
  differences_of(m, targets, &soft, &full);
  differences_of(m, targets, &soft, &few);
  differences_of(m, targets, &mixed, &few);

  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets};
  setup_t a = set_up(m, &as, &soft, NULL), b = set_up(m, &as, &hard, NULL), c = set_up(m, &as, &causal, NULL), d = set_up(m, &as, &smooth, NULL);
  en_train_loss la, lb, lc, ld, again;
  double weights;
  CHECK_EQ(en_train_accumulate(a.t, &full, &la, NULL), EN_OK);
  CHECK_NEAR(la.loss, distilled(m, a.a, teacher, 3, &weights), 1e-5 * la.loss);
  CHECK_NEAR(la.weight, weights, 1e-9);
  static int32_t every[T * TINY_V]; /* all ids named, in another order: the same as none named */
  static float shuffled[T * TINY_V];
  for (int i = 0; i < T; i++)
    for (int v = 0; v < TINY_V; v++) {
      every[i * TINY_V + v] = (v * 7 + i) % TINY_V;
      shuffled[i * TINY_V + v] = teacher[i * TINY_V + (v * 7 + i) % TINY_V];
    }
  all_ids.teacher = shuffled;
  all_ids.teacher_ids = every;
  all_ids.teacher_k = TINY_V;
  CHECK_EQ(en_train_evaluate(a.t, &all_ids, &again, NULL), EN_OK);
  CHECK_NEAR(again.loss, la.loss, 1e-6 * la.loss);
  CHECK_EQ(en_train_accumulate(b.t, &full, &lb, NULL), EN_OK); /* nothing of the teacher: the plain loss */
  CHECK_EQ(en_train_accumulate(c.t, &plain, &lc, NULL), EN_OK);
  CHECK_NEAR(lb.loss, lc.loss, 1e-6 * lc.loss);
  uint64_t n;
  const float *gb = en_trainer_gradients(b.t, &n), *gc = en_trainer_gradients(c.t, &n);
  CHECK_NEAR(test_rel_rms(gb, gc, n), 0, 1e-5);
  CHECK_EQ(en_train_evaluate(d.t, &plain, &ld, NULL), EN_OK); /* smoothed = 0.7 of the plain loss and 0.3 of that against an even teacher */
  memset(teacher, 0, sizeof teacher);
  const en_train_spec even = {.n_tokens = 32, .loss = EN_LOSS_DISTILL, .temperature = 1};
  setup_t e = set_up(m, &as, &even, NULL);
  CHECK_EQ(en_train_evaluate(e.t, &full, &la, NULL), EN_OK);
  CHECK_NEAR(ld.loss, 0.7 * lc.loss + 0.3 * (la.loss + la.weight * log(TINY_V)), 1e-5 * ld.loss);

  const en_train_spec bad[] = {{.n_tokens = 32, .loss = EN_LOSS_COUNT}, {.n_tokens = 32, .label_smoothing = 1}, {.n_tokens = 32, .loss = EN_LOSS_DISTILL, .temperature = -1},
    {.n_tokens = 32, .loss = EN_LOSS_DISTILL, .hard_mix = 2}, {.n_tokens = 32, .loss = EN_LOSS_DISTILL, .label_smoothing = 0.1f}};
  for (int k = 0; k < EN_COUNT(bad); k++) CHECK_EQ(en_trainer_bytes(a.a, &bad[k], NULL), 0);
  en_why why;
  CHECK_EQ(en_train_accumulate(a.t, &plain, &la, &why), EN_E_ARG);
  CHECK(strstr(why.text, "teacher"));
  best_ids[3] = TINY_V;
  CHECK_EQ(en_train_accumulate(a.t, &few, &la, &why), EN_E_ARG);
  teacher[8] = INFINITY;
  CHECK_EQ(en_train_accumulate(a.t, &full, &la, &why), EN_E_NUMERIC);
  tear_down(&a);
  tear_down(&b);
  tear_down(&c);
  tear_down(&d);
  tear_down(&e);
}

static void other_ways(const en_model *m, uint32_t targets, double tolerance) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets & (EN_LORA_Q | EN_LORA_V | EN_LORA_DOWN)};
  const en_train_spec again = {.n_tokens = 32}, kept = {.n_tokens = 32, .keep = EN_KEEP_ALL}, some = {.n_tokens = 32, .keep = EN_KEEP_PRODUCTS};
  setup_t a = set_up(m, &as, &again, NULL), b = set_up(m, &as, &kept, NULL), half = set_up(m, &as, &some, NULL);
  CHECK(en_trainer_bytes(a.a, &again, NULL) < en_trainer_bytes(a.a, &some, NULL) && en_trainer_bytes(a.a, &some, NULL) < en_trainer_bytes(a.a, &kept, NULL));
  fill_b(a.a);
  fill_b(b.a);
  fill_b(half.a);
  en_train_loss la, lb, part;
  uint64_t n;
  CHECK_EQ(en_train_accumulate(a.t, &(en_train_batch){.n = T, .ids = ids, .segment = segment, .weight = weight}, &la, NULL), EN_OK);
  CHECK_EQ(en_train_accumulate(b.t, &(en_train_batch){.n = T, .ids = ids, .segment = segment, .weight = weight}, &lb, NULL), EN_OK);
  const float *ga = en_trainer_gradients(a.t, &n), *gb = en_trainer_gradients(b.t, &n);
  CHECK(la.loss == lb.loss && !memcmp(ga, gb, n * sizeof *ga)); /* computing again gives the same bits */
  CHECK_EQ(en_train_accumulate(half.t, &plain, &part, NULL), EN_OK);
  CHECK(part.loss == la.loss && !memcmp(en_trainer_gradients(half.t, &n), ga, n * sizeof *ga));
  tear_down(&half);
  float *whole = malloc(n * sizeof *whole);
  memcpy(whole, ga, n * sizeof *whole);
  CHECK_EQ(en_train_step(b.t, 0, NULL, NULL), EN_OK); /* zeroes */
  uint32_t start = 0;
  double loss = 0;
  for (uint32_t i = 1; i <= T; i++) /* every sequence in a micro-batch of its own */
    if (i == T || segment[i] != segment[start]) {
      CHECK_EQ(en_train_accumulate(b.t, &(en_train_batch){.n = i - start, .ids = ids + start, .weight = weight + start}, &part, NULL), EN_OK);
      loss += part.loss;
      start = i;
    }
  CHECK_NEAR(loss, la.loss, 1e-5 * la.loss);
  CHECK_NEAR(test_rel_rms(gb, whole, n), 0, tolerance);

  const en_adapter_spec top = {.rank = RANK, .alpha = 6, .targets = as.targets, .first_layer = 1}; /* only the last layer: the same numbers as its part of all */
  setup_t c = set_up(m, &top, &again, NULL);
  CHECK(en_adapter_params(c.a) == n / 2);
  uint32_t rank, cols, rows;
  for (uint32_t target = 1; target <= EN_LORA_DOWN; target *= 2) {
    float *to = en_adapter_a(c.a, 1, target, &rank, &cols), *from = en_adapter_a(a.a, 1, target, &rank, &cols);
    CHECK(en_adapter_a(c.a, 0, target, &rank, &cols) == NULL);
    if (!from) continue;
    memcpy(to, from, rank * cols * sizeof *to);
    to = en_adapter_b(c.a, 1, target, &rank, &rows);
    memcpy(to, en_adapter_b(a.a, 1, target, &rank, &rows), rank * rows * sizeof *to);
    to = en_adapter_b(a.a, 0, target, &rank, &rows);
    memset(to, 0, rank * rows * sizeof *to); /* layer 0 without effect */
  }
  CHECK_EQ(en_train_step(a.t, 0, NULL, NULL), EN_OK);
  CHECK_EQ(en_train_accumulate(a.t, &(en_train_batch){.n = T, .ids = ids, .segment = segment, .weight = weight}, &la, NULL), EN_OK);
  CHECK_EQ(en_train_accumulate(c.t, &(en_train_batch){.n = T, .ids = ids, .segment = segment, .weight = weight}, &part, NULL), EN_OK);
  CHECK_NEAR(part.loss, la.loss, 1e-6 * la.loss);
  const float *gc = en_trainer_gradients(c.t, &n);
  CHECK_NEAR(test_rel_rms(gc, ga + n, n), 0, 1e-5);
  free(whole);
  tear_down(&a);
  tear_down(&b);
  tear_down(&c);
}

/* Every kernel table against plain C: float weights to rounding. Quantized ones to the last bit, over steps of AdamW with dropout: a run in a tab is the run on a desk. */
static void tables_agree(const bytes_t *file, int32_t type) {
  enum { STEPS = 4 };
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = EN_LORA_ALL};
  const en_train_spec ts = {.n_tokens = 32, .clip_norm = 1, .weight_decay = 0.01f, .dropout = type == EN_F32 ? 0 : 0.1f};
  const int exact = type != EN_F32;
  en_train_loss want[STEPS];
  float *grad = NULL, *trained = NULL;
  const char *const first = exact ? "ref-int8" : "ref";
  for (int32_t i = -1; i < 0 || en_kernels_name(i); i++) {
    const char *name = i < 0 ? first : en_kernels_name(i);
    if (exact && !strcmp(name, "ref")) continue; /* its activations are floats */
    loaded_t l = load_model(file->p, file->n, 0, name, NULL);
    setup_t s = set_up(l.m, &as, &ts, NULL);
    uint64_t n;
    fill_b(s.a);
    if (!grad) grad = calloc(en_adapter_params(s.a), sizeof *grad);
    if (!trained) trained = calloc(en_adapter_params(s.a), sizeof *trained);
    for (int k = 0; k < STEPS; k++) {
      en_train_loss loss;
      double norm;
      CHECK_EQ(en_train_accumulate(s.t, &plain, &loss, NULL), EN_OK);
      const float *g = en_trainer_gradients(s.t, &n);
      if (i < 0) want[k] = loss;
      if (i < 0 && !k) memcpy(grad, g, n * sizeof *grad);
      if (!k) CHECK_NEAR(test_rel_rms(g, grad, n), 0, exact ? 0 : 1e-5);
      CHECK_NEAR(loss.loss, want[k].loss, exact ? 0 : 1e-5 * want[k].loss);
      CHECK_EQ(en_train_step(s.t, 0.01, &norm, NULL), EN_OK);
    }
    if (i < 0) memcpy(trained, flat(s.a, &n), n * sizeof *trained);
    CHECK_NEAR(test_rel_rms(flat(s.a, &n), trained, n), 0, exact ? 0 : 1e-3);
    tear_down(&s);
    unload_model(&l);
  }
  free(grad);
  free(trained);
}

/* The frozen layers below an adapter, computed once: the same bits; sequence by sequence, the same to rounding. */
static void cached_prefix(const en_model *m, uint32_t targets, double tolerance) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = targets & (EN_LORA_Q | EN_LORA_DOWN), .first_layer = 1}, all = {.rank = RANK, .alpha = 6, .targets = EN_LORA_Q};
  const en_train_spec ts = {.n_tokens = 32, .dropout = 0.2f, .seed = 5};
  setup_t a = set_up(m, &as, &ts, NULL), b = set_up(m, &as, &ts, NULL), c = set_up(m, &all, &ts, NULL);
  static float rows[T * TINY_D], apart[T * TINY_D];
  en_train_batch cached = plain;
  en_train_loss la, lb;
  en_why why;
  uint64_t n;
  fill_b(a.a);
  fill_b(b.a);
  CHECK_EQ(en_train_prefix(b.t, &plain, rows, &why), EN_OK);
  for (uint32_t start = 0, i = 1; i <= T; i++)
    if (i == T || segment[i] != segment[start]) {
      CHECK_EQ(en_train_prefix(b.t, &(en_train_batch){.n = i - start, .ids = ids + start}, apart + (size_t)start * TINY_D, &why), EN_OK);
      start = i;
    }
  CHECK_NEAR(test_rel_rms(apart, rows, T * TINY_D), 0, tolerance);
  cached.prefix = rows;
  for (int step = 0; step < 3; step++) {
    CHECK_EQ(en_train_evaluate(a.t, &plain, &la, NULL), EN_OK);
    CHECK_EQ(en_train_evaluate(b.t, &cached, &lb, NULL), EN_OK);
    CHECK(la.loss == lb.loss && la.weight == lb.weight);
    CHECK_EQ(en_train_accumulate(a.t, &plain, &la, NULL), EN_OK);
    CHECK_EQ(en_train_accumulate(b.t, &cached, &lb, NULL), EN_OK);
    const float *ga = en_trainer_gradients(a.t, &n), *gb = en_trainer_gradients(b.t, &n);
    CHECK(la.loss == lb.loss && !memcmp(ga, gb, n * sizeof *ga));
    CHECK_EQ(en_train_step(a.t, 0.01, NULL, NULL), EN_OK);
    CHECK_EQ(en_train_step(b.t, 0.01, NULL, NULL), EN_OK);
  }
  CHECK_EQ(en_train_begin(b.t, &plain, EN_TRAIN_PREFIX, &why), EN_OK); /* in slices */
  while (en_train_run(b.t, 1, &lb, &why) == EN_E_MORE) {}
  CHECK(!memcmp(en_trainer_prefix(b.t), rows, sizeof rows));
  CHECK_EQ(en_train_begin(b.t, &plain, 3, &why), EN_E_ARG);
  CHECK_EQ(en_train_prefix(c.t, &plain, rows, &why), EN_E_ARG);
  CHECK_EQ(en_train_evaluate(c.t, &cached, &lb, &why), EN_E_ARG);
  CHECK(strstr(why.text, "no frozen prefix"));
  tear_down(&a);
  tear_down(&b);
  tear_down(&c);
}

/* The loss of the first micro-batch, as a trainer of its own sees it (dropout included). */
static double first_loss(en_adapter *a, const en_train_spec *ts) {
  const size_t need = en_trainer_bytes(a, ts, NULL);
  void *mem = aligned_alloc(EN_ALIGN, need);
  en_trainer *t;
  en_train_loss loss = {0, 1};
  CHECK_EQ(en_trainer_init(&t, mem, need, a, ts, NULL, NULL), EN_OK);
  CHECK_EQ(en_train_accumulate(t, &(en_train_batch){.n = T, .ids = ids, .segment = segment, .weight = weight}, &loss, NULL), EN_OK);
  free(mem);
  return loss.loss / loss.weight;
}

static void dropout(const en_model *m) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = EN_LORA_ALL};
  const en_train_spec ts = {.n_tokens = 32, .dropout = 0.3f, .seed = 11}, kept = {.n_tokens = 32, .dropout = 0.3f, .seed = 11, .keep = EN_KEEP_ALL}, none = {.n_tokens = 32};
  const en_train_batch batch = {.n = T, .ids = ids, .segment = segment, .weight = weight};
  setup_t a = set_up(m, &as, &ts, NULL), b = set_up(m, &as, &kept, NULL), c = set_up(m, &as, &none, NULL);
  fill_b(a.a);
  fill_b(b.a);
  fill_b(c.a);
  en_train_loss la, lb, without, again;
  uint64_t n;
  CHECK_EQ(en_train_accumulate(a.t, &batch, &la, NULL), EN_OK);
  CHECK_EQ(en_train_accumulate(b.t, &batch, &lb, NULL), EN_OK);
  const float *ga = en_trainer_gradients(a.t, &n), *gb = en_trainer_gradients(b.t, &n);
  CHECK(la.loss == lb.loss && !memcmp(ga, gb, n * sizeof *ga)); /* computing again drops the same */
  float *p = flat(a.a, &n);
  double scale = 0;
  for (uint64_t i = 0; i < n; i++) scale += (double)ga[i] * (double)ga[i];
  scale = sqrt(scale / (double)n) / la.weight;
  for (int k = 0; k < 60; k++) {
    const uint64_t i = en_random(78, (uint64_t)k) % n;
    const float old = p[i], h = 4e-3f;
    p[i] = old + h;
    const double up = first_loss(a.a, &ts);
    p[i] = old - h;
    const double down = first_loss(a.a, &ts);
    p[i] = old;
    CHECK_NEAR((up - down) / (2 * (double)h), (double)ga[i] / la.weight, 0.02 * fabs((double)ga[i] / la.weight) + 0.01 * scale);
  }
  CHECK_EQ(en_train_evaluate(a.t, &batch, &again, NULL), EN_OK);
  CHECK_EQ(en_train_evaluate(c.t, &batch, &without, NULL), EN_OK);
  CHECK(again.loss == without.loss && la.loss != without.loss); /* measured without */
  CHECK_EQ(en_train_accumulate(a.t, &batch, &again, NULL), EN_OK);
  CHECK(again.loss != la.loss); /* another micro-batch, another choice */
  double mean = 0; /* over many seeds about what is seen without dropout */
  for (uint64_t seed = 0; seed < 200; seed++) mean += first_loss(a.a, &(en_train_spec){.n_tokens = 32, .dropout = 0.05f, .seed = seed}) / 200;
  CHECK_NEAR(mean, without.loss / without.weight, 0.02 * without.loss / without.weight);
  tear_down(&a);
  tear_down(&b);
  tear_down(&c);
}

/* SGD by its formula; A held; B faster than A. */
static void optimizers(const en_model *m) {
  const en_adapter_spec as = {.rank = RANK, .alpha = 6, .targets = EN_LORA_Q | EN_LORA_UP};
  const en_train_spec specs[] = {{.n_tokens = 32, .optimizer = EN_SGD, .momentum = 0.9f, .weight_decay = 0.1f}, {.n_tokens = 32, .optimizer = EN_SGD, .freeze_a = 1}, {.n_tokens = 32, .optimizer = EN_SGD, .lr_ratio_b = 16}, {.n_tokens = 32, .freeze_a = 1}};
  const en_train_batch batch = {.n = T, .ids = ids, .segment = segment, .weight = weight};
  for (int k = 0; k < EN_COUNT(specs); k++) {
    setup_t s = set_up(m, &as, &specs[k], NULL);
    fill_b(s.a);
    uint64_t n, n_first, n_a = 0;
    uint32_t rank, cols;
    float *p = flat(s.a, &n);
    CHECK(en_adapter_a(s.a, 0, EN_LORA_Q, &rank, &cols) == p);
    n_a = (uint64_t)rank * cols; /* the first factor is an A, B follows */
    double *want = malloc(n * sizeof *want), *velocity = calloc(n, sizeof *velocity);
    for (uint64_t i = 0; i < n; i++) want[i] = (double)p[i];
    for (int step = 0; step < 3; step++) {
      en_train_loss loss;
      CHECK_EQ(en_train_accumulate(s.t, &batch, &loss, NULL), EN_OK);
      const float *grad = en_trainer_gradients(s.t, &n_first);
      for (uint64_t i = 0; i < n_a; i++) CHECK(!specs[k].freeze_a || grad[i] == 0);
      for (uint64_t i = 0; i < n_a + rank && k < 3; i++) {
        const double rate = i < n_a ? (specs[k].freeze_a ? 0 : 0.05) : 0.05 * (specs[k].lr_ratio_b > 0 ? (double)specs[k].lr_ratio_b : 1);
        velocity[i] = (double)specs[k].momentum * velocity[i] + (double)grad[i] / loss.weight + (double)specs[k].weight_decay * want[i];
        want[i] -= rate * velocity[i];
      }
      CHECK_EQ(en_train_step(s.t, 0.05, NULL, NULL), EN_OK);
    }
    for (uint64_t i = 0; i < n_a + rank && k < 3; i++) CHECK_NEAR(p[i], want[i], 1e-5 * (1 + fabs(want[i])));
    for (uint64_t i = 0; i < n_a && k == 3; i++) CHECK((double)p[i] == want[i]);
    CHECK(k < 3 || (double)p[n_a] != want[n_a]);
    free(want);
    free(velocity);
    tear_down(&s);
  }
  const en_train_spec bad[] = {{.n_tokens = 32, .dropout = 1}, {.n_tokens = 32, .dropout = -0.1f}, {.n_tokens = 32, .momentum = 1}, {.n_tokens = 32, .optimizer = 2}, {.n_tokens = 32, .lr_ratio_b = -1}, {.n_tokens = 32, .freeze_a = 2}};
  setup_t s = set_up(m, &as, &specs[0], NULL);
  for (int k = 0; k < EN_COUNT(bad); k++) CHECK_EQ(en_trainer_bytes(s.a, &bad[k], NULL), 0);
  tear_down(&s);
}

static void orders(void) {
  uint32_t a[50], b[50], seen[50] = {0};
  en_shuffle(a, 50, 7, 3);
  en_shuffle(b, 50, 7, 3);
  CHECK(!memcmp(a, b, sizeof a));
  for (int i = 0; i < 50; i++) seen[a[i]]++;
  for (int i = 0; i < 50; i++) CHECK_EQ(seen[i], 1);
  en_shuffle(b, 50, 7, 4);
  CHECK(memcmp(a, b, sizeof a));
}

static void schedules(void) {
  en_schedule s = {EN_SCHEDULE_COSINE, 0.01, 0.001, 4, 10};
  for (uint64_t k = 0; k < 4; k++) CHECK_NEAR(en_schedule_lr(&s, k), 0.0025 * (double)(k + 1), 1e-15);
  CHECK_NEAR(en_schedule_lr(&s, 4), 0.01, 1e-15);
  CHECK_NEAR(en_schedule_lr(&s, 7), 0.0055, 1e-15);
  CHECK_NEAR(en_schedule_lr(&s, 6), 0.001 + 0.009 * 0.75, 1e-15); /* cos(pi / 3) = 1/2 */
  CHECK_NEAR(en_schedule_lr(&s, 10), 0.001, 1e-15);
  s.kind = EN_SCHEDULE_LINEAR;
  CHECK_NEAR(en_schedule_lr(&s, 6), 0.007, 1e-15);
  s.kind = EN_SCHEDULE_CONSTANT;
  CHECK_NEAR(en_schedule_lr(&s, 3), 0.01, 1e-15);
  CHECK_NEAR(en_schedule_lr(&s, 99), 0.01, 1e-15);
  s = (en_schedule){EN_SCHEDULE_COSINE, 0.01, 0, 20, 10}; /* more warm-up than steps */
  CHECK_NEAR(en_schedule_lr(&s, 9), 0.005, 1e-15);
}

static int32_t stop_word;

static void refusals(const en_model *m) {
  const en_adapter_spec good = {.rank = 2, .alpha = 2, .targets = EN_LORA_Q};
  const en_adapter_spec bad[] = {{.rank = 0, .alpha = 1, .targets = 1}, {.rank = 65, .alpha = 1, .targets = 1}, {.rank = 1, .alpha = 0, .targets = 1}, {.rank = 1, .alpha = 1, .targets = 0},
    {.rank = 1, .alpha = 1, .targets = 128}, {.rank = 1, .alpha = 1, .targets = 1, .first_layer = TINY_L}};
  const en_host host = {.stop = &stop_word};
  en_why why;
  for (int i = 0; i < EN_COUNT(bad); i++) {
    en_adapter *a = NULL;
    CHECK_EQ(en_adapter_bytes(m, &bad[i]), 0);
    CHECK_EQ(en_adapter_init(&a, &why, sizeof why, m, &bad[i], 0, &why), EN_E_ARG);
  }
  const en_train_spec ts = {.n_tokens = 8};
  setup_t s = set_up(m, &good, &ts, &host);
  en_train_loss loss;
  const int32_t wild[2] = {1, TINY_V};
  const float negative[2] = {1, -1};
  CHECK_EQ(en_train_accumulate(s.t, &(en_train_batch){.n = 9, .ids = ids}, &loss, &why), EN_E_ARG);
  CHECK_EQ(en_train_accumulate(s.t, &(en_train_batch){.n = 2, .ids = wild}, &loss, &why), EN_E_ARG);
  CHECK_EQ(en_train_accumulate(s.t, &(en_train_batch){.n = 2, .ids = ids, .weight = negative}, &loss, &why), EN_E_ARG);
  CHECK_EQ(en_train_accumulate(s.t, &(en_train_batch){.n = 1, .ids = ids}, &loss, &why), EN_OK); /* nothing to predict */
  CHECK(loss.weight == 0);
  CHECK_EQ(en_train_step(s.t, 0.1, NULL, &why), EN_E_STATE);
  CHECK_EQ(en_train_accumulate(s.t, &(en_train_batch){.n = 8, .ids = ids}, &loss, &why), EN_OK);
  uint64_t n;
  const float *grad = en_trainer_gradients(s.t, &n);
  float *before = malloc(n * sizeof *before);
  memcpy(before, grad, n * sizeof *before);
  stop_word = 1;
  CHECK_EQ(en_train_accumulate(s.t, &(en_train_batch){.n = 8, .ids = ids}, &loss, &why), EN_E_STOPPED);
  stop_word = 0;
  CHECK(!memcmp(before, grad, n * sizeof *before));
  uint32_t rank, cols;
  en_adapter_a(s.a, 0, EN_LORA_Q, &rank, &cols)[0] = NAN; /* a step that went wrong is skipped, the moments stay clean */
  en_adapter_b(s.a, 0, EN_LORA_Q, &rank, &cols)[0] = 1;
  CHECK_EQ(en_train_accumulate(s.t, &(en_train_batch){.n = 8, .ids = ids}, &loss, &why), EN_OK);
  CHECK_EQ(en_train_step(s.t, 0.1, NULL, &why), EN_E_NUMERIC);
  CHECK_EQ(en_trainer_steps(s.t), 0);
  for (uint64_t i = 0; i < n; i++) CHECK(grad[i] == 0);
  free(before);
  tear_down(&s);
}

/* One step at a time is the whole at once, bit for bit; given up anywhere, it leaves the gradients as they were. */
static void slices(const en_model *m, uint32_t targets) {
  const en_adapter_spec as = {.rank = 3, .alpha = 4, .targets = targets & (EN_LORA_Q | EN_LORA_DOWN)};
  for (uint32_t keep = EN_KEEP_INPUTS; keep <= EN_KEEP_PRODUCTS; keep++) {
    const en_train_spec ts = {.n_tokens = 32, .keep = keep, .dropout = 0.2f};
    setup_t s = set_up(m, &as, &ts, NULL);
    en_train_loss once, sliced;
    en_why why;
    uint64_t n;
    uint32_t n_slices = 1;
    int32_t status;
    fill_b(s.a);
    CHECK_EQ(en_train_run(s.t, 1, &once, &why), EN_E_STATE);
    CHECK_EQ(en_train_accumulate(s.t, &plain, &once, &why), EN_OK);
    const float *grad = en_trainer_gradients(s.t, &n);
    float *expected = malloc(n * sizeof *expected), *before = calloc(n, sizeof *before);
    memcpy(expected, grad, n * sizeof *expected);
    en_train_forget(s.t);
    CHECK(!memcmp(before, grad, n * sizeof *before));
    CHECK_EQ(en_train_begin(s.t, &plain, 1, &why), EN_OK);
    CHECK_EQ(en_train_step(s.t, 0.1, NULL, &why), EN_E_STATE);
    while ((status = en_train_run(s.t, 1, &sliced, &why)) == EN_E_MORE) n_slices++;
    CHECK_EQ(status, EN_OK);
    CHECK(sliced.loss == once.loss && sliced.weight == once.weight);
    CHECK(!memcmp(expected, grad, n * sizeof *expected));
    for (uint32_t at = 0; at < n_slices; at += 3) {
      CHECK_EQ(en_train_begin(s.t, &plain, 1, &why), EN_OK);
      if (at) CHECK_EQ(en_train_run(s.t, at, &sliced, &why), EN_E_MORE);
      en_train_drop(s.t);
      CHECK(!memcmp(expected, grad, n * sizeof *expected));
    }
    free(expected);
    free(before);
    tear_down(&s);
  }
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
      finite_differences(exact.m, targets); /* float activations: the function is smooth */
      other_ways(exact.m, targets, 1e-5);
      other_ways(fast.m, targets, type == EN_F32 ? 1e-5 : 0.05);
      if (!a) tables_agree(&file, type);
      cached_prefix(fast.m, targets, type == EN_F32 ? 1e-6 : 0.02);
      if (!a && !k) refusals(fast.m);
      if (!k) slices(fast.m, targets);
      if (a < 2 && !k) losses(exact.m);
      if (a < 2 && !k) dropout(exact.m);
      if (a < 2 && !k) optimizers(exact.m);
      unload_model(&exact);
      unload_model(&fast);
      free(file.p);
    }
  schedules();
  orders();
  return test_end();
}

/* training of all weights of F32 models: gradients by finite differences on every architecture, an overfitted text, what is saved and read back,
 * lanes and checkpointing that change no bit, an interrupted run. */
#include "../../core/include/en_train.h"
#include "tiny_model.h"

enum { T = 23 };
static int32_t ids[T];
static uint32_t segment[T];
static float weight[T];
static const en_train_batch batch = {.n = T, .ids = ids, .segment = segment, .weight = weight};

/* Lanes without threads: chunk after chunk, each on the next lane. */
static void in_turn(void *ud, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx, int32_t n, int32_t step) {
  int32_t lane = 0;
  (void)ud;
  for (int32_t lo = 0; lo < n; lo += step, lane = (lane + 1) % 3) job(ctx, lo, EN_MIN(n, lo + step), lane);
}
static const en_host lanes = {.parallel = in_turn, .n_lanes = 3};

typedef struct { loaded_t l; en_trainer *t; void *mem; } full_t;
static full_t set_up(const bytes_t *file, const char *kernels, const en_train_spec *spec, const en_host *host) {
  full_t f = {.l = load_model(file->p, file->n, 0, kernels, NULL)};
  en_why why = {{0}};
  const size_t need = f.l.m ? en_trainer_model_bytes(f.l.m, spec, host) : 0;
  CHECK(need > 0);
  f.mem = aligned_alloc(EN_ALIGN, need ? need : EN_ALIGN);
  memset(f.mem, 0x5A, need);
  CHECK_EQ(en_trainer_init_model(&f.t, f.mem, need - 1, f.l.m, spec, host, &why), EN_E_NOMEM);
  CHECK_EQ(en_trainer_init_model(&f.t, f.mem, need, f.l.m, spec, host, &why), EN_OK);
  return f;
}
static void tear_down(full_t *f) {
  free(f->mem);
  unload_model(&f->l);
}
/* Where the numbers lie that are trained: the image's tensor data. */
static float *params_of(const full_t *f) { return (float *)(void *)((uint8_t *)f->l.image + en_model_info(f->l.m)->data_offset); }

static double mean_loss(en_trainer *t) {
  en_train_loss loss = {0, 1};
  CHECK_EQ(en_train_evaluate(t, &batch, &loss, NULL), EN_OK);
  return loss.loss / loss.weight;
}

static void finite_differences(const bytes_t *file) {
  const en_train_spec spec = {.n_tokens = 32};
  full_t f = set_up(file, "ref", &spec, NULL);
  en_train_loss loss;
  uint64_t n;
  CHECK_EQ(en_train_accumulate(f.t, &batch, &loss, NULL), EN_OK);
  const float *grad = en_trainer_gradients(f.t, &n);
  float *p = params_of(&f);
  double scale = 0;
  int moved = 0;
  for (uint64_t i = 0; i < n; i++) scale += (double)grad[i] * (double)grad[i];
  scale = sqrt(scale / (double)n) / loss.weight;
  for (int k = 0; k < 200; k++) {
    const uint64_t i = k < 100 ? en_random(41, (uint64_t)k) % n : n - 1 - en_random(42, (uint64_t)k) % (n / 8); /* more of the last layer's small tensors */
    const float old = p[i], h = 4e-3f;
    p[i] = old + h;
    const double up = mean_loss(f.t);
    p[i] = old - h;
    const double down = mean_loss(f.t), g = (double)grad[i] / loss.weight;
    p[i] = old;
    moved += fabs(g) > 0.1 * scale;
    CHECK_NEAR((up - down) / (2 * (double)h), g, 0.02 * fabs(g) + 0.02 * scale);
  }
  CHECK(moved > 50);
  tear_down(&f);
}

/* Vectors are few: every tensor must have a gradient somewhere. */
static void every_tensor_learns(const bytes_t *file) {
  const en_train_spec spec = {.n_tokens = 32};
  full_t f = set_up(file, "auto", &spec, NULL);
  en_train_loss loss;
  en_gguf g;
  uint64_t n;
  CHECK_EQ(en_train_accumulate(f.t, &batch, &loss, NULL), EN_OK);
  const float *grad = en_trainer_gradients(f.t, &n);
  CHECK_EQ(en_gguf_scan(&g, file->p, file->n, NULL), EN_OK);
  void *index = aligned_alloc(EN_ALIGN, (en_gguf_bytes(&g) + 63) / 64 * 64);
  CHECK_EQ(en_gguf_index(&g, index, en_gguf_bytes(&g), NULL), EN_OK);
  for (uint64_t i = 0; i < g.n_tensors; i++) {
    int some = 0;
    for (uint64_t k = 0; k < g.tensors[i].n_elems; k++) some |= grad[g.tensors[i].offset / 4 + k] != 0;
    if (!some) printf("%.*s has no gradient\n", (int)g.tensors[i].name_bytes, (const char *)g.tensors[i].name);
    CHECK(some);
  }
  free(index);
  tear_down(&f);
}

static unsigned char *read_all(const en_model *m, size_t piece) {
  const size_t n = (size_t)en_model_info(m)->file_bytes;
  unsigned char *out = malloc(n);
  for (size_t at = 0; at < n; at += piece) CHECK_EQ(en_model_read(m, at, out + at, EN_MIN(piece, n - at)), EN_OK);
  CHECK_EQ(en_model_read(m, n, out, 1), EN_E_ARG);
  return out;
}

/* What a model gives back is its file, in pieces of any size. */
static void reads_back(const char *arch, const en_type *type) {
  static const size_t pieces[] = {61, 333, 1 << 20};
  bytes_t file = tiny_gguf(arch, type);
  en_why why = {{0}};
  loaded_t l = load_model(file.p, file.n, 0, "auto", &why);
  for (int i = 0; l.m && i < EN_COUNT(pieces); i++) {
    unsigned char *back = read_all(l.m, pieces[i]);
    CHECK(!memcmp(back, file.p, file.n));
    free(back);
  }
  CHECK(l.m);
  unload_model(&l);
  free(file.p);
}

static void learns(const bytes_t *file) {
  const en_train_spec spec = {.n_tokens = 32, .clip_norm = 1, .weight_decay = 0.01f}, kept = {.n_tokens = 32, .clip_norm = 1, .weight_decay = 0.01f, .keep = EN_KEEP_ALL};
  full_t a = set_up(file, "auto", &spec, NULL), b = set_up(file, "auto", &kept, &lanes), c = set_up(file, "auto", &spec, NULL);
  const size_t bytes = (size_t)(en_model_info(a.l.m)->file_bytes - en_model_info(a.l.m)->data_offset), n_state = en_trainer_save(a.t, NULL, 0);
  unsigned char *state = malloc(n_state);
  en_train_loss la, lb;
  double first = 0;
  for (int step = 0; step < 40; step++) {
    CHECK_EQ(en_train_accumulate(a.t, &batch, &la, NULL), EN_OK);
    CHECK_EQ(en_train_accumulate(b.t, &batch, &lb, NULL), EN_OK);
    CHECK(la.loss == lb.loss);
    if (!step) first = la.loss;
    CHECK_EQ(en_train_step(a.t, 5e-3, NULL, NULL), EN_OK);
    CHECK_EQ(en_train_step(b.t, 5e-3, NULL, NULL), EN_OK);
    if (step == 19) CHECK_EQ(en_trainer_save(a.t, state, n_state), n_state);
  }
  CHECK(la.loss < 0.05 * first); /* a few tokens, learned by heart */
  CHECK(!memcmp(params_of(&a), params_of(&b), bytes)); /* lanes and what was kept change nothing */
  CHECK_EQ(en_trainer_load(c.t, state, n_state, NULL), EN_OK);
  for (int step = 20; step < 40; step++) {
    CHECK_EQ(en_train_accumulate(c.t, &batch, &lb, NULL), EN_OK);
    CHECK_EQ(en_train_step(c.t, 5e-3, NULL, NULL), EN_OK);
  }
  CHECK(!memcmp(params_of(&a), params_of(&c), bytes)); /* nor does an interruption */

  unsigned char *trained = read_all(a.l.m, 4096);
  loaded_t again = load_model(trained, file->n, 0, "auto", NULL);
  const size_t need = en_trainer_model_bytes(again.m, &spec, NULL);
  void *mem = aligned_alloc(EN_ALIGN, need);
  en_trainer *t;
  CHECK_EQ(en_trainer_init_model(&t, mem, need, again.m, &spec, NULL, NULL), EN_OK);
  CHECK(mean_loss(t) == mean_loss(a.t)); /* the saved file is the model */
  free(mem);
  unload_model(&again);
  free(trained);
  free(state);
  tear_down(&a);
  tear_down(&b);
  tear_down(&c);
}

/* Micro-batches of one sequence each add up to the batch of all; decay pulls matrices, not vectors. */
static void sums_and_decay(const bytes_t *file) {
  const en_train_spec spec = {.n_tokens = 32, .weight_decay = 0.5f};
  full_t a = set_up(file, "auto", &spec, NULL), b = set_up(file, "auto", &spec, NULL);
  en_train_loss la, part;
  uint64_t n;
  double loss = 0;
  CHECK_EQ(en_train_accumulate(a.t, &batch, &la, NULL), EN_OK);
  for (uint32_t start = 0, i = 1; i <= T; i++)
    if (i == T || segment[i] != segment[start]) {
      CHECK_EQ(en_train_accumulate(b.t, &(en_train_batch){.n = i - start, .ids = ids + start, .weight = weight + start}, &part, NULL), EN_OK);
      loss += part.loss;
      start = i;
    }
  CHECK_NEAR(loss, la.loss, 1e-5 * la.loss);
  CHECK_NEAR(test_rel_rms(en_trainer_gradients(b.t, &n), en_trainer_gradients(a.t, &n), n), 0, 1e-5);

  int32_t unused = 0; /* a token that the batch does not have: only decay moves its row */
  for (int32_t v = 0, found; v < 16; v++) {
    found = 0;
    for (int i = 0; i < T; i++) found |= ids[i] == v;
    if (!found) unused = v;
  }
  float *p = params_of(&a); /* token_embd comes first: [cols][16] */
  const float before = p[unused];
  CHECK_EQ(en_train_step(a.t, 0.1, NULL, NULL), EN_OK);
  CHECK_NEAR(p[unused], before * 0.95f, 1e-6); /* llama: the output matrix is another one */
  tear_down(&a);
  tear_down(&b);
}

static void refusals(void) {
  bytes_t q8 = tiny_gguf("llama", en_type_by_id(EN_Q8_0)), f32 = tiny_gguf("llama", en_type_by_id(EN_F32));
  loaded_t a = load_model(q8.p, q8.n, 0, "auto", NULL), b = load_model(f32.p, f32.n, 0, "auto", NULL);
  const en_train_spec good = {.n_tokens = 32}, bad[] = {{.n_tokens = 32, .dropout = 0.1f}, {.n_tokens = 32, .freeze_a = 1}, {.n_tokens = 32, .lr_ratio_b = 2}, {.n_tokens = 0}};
  en_trainer *t = NULL;
  en_why why = {{0}};
  CHECK_EQ(en_trainer_model_bytes(a.m, &good, NULL), 0);
  CHECK_EQ(en_trainer_init_model(&t, NULL, 0, a.m, &good, NULL, &why), EN_E_UNSUPPORTED);
  CHECK(strstr(why.text, "token_embd.weight is not F32"));
  for (int i = 0; i < EN_COUNT(bad); i++) CHECK_EQ(en_trainer_init_model(&t, NULL, 0, b.m, &bad[i], NULL, &why), EN_E_ARG);
  CHECK(!t);
  unload_model(&a);
  unload_model(&b);
  free(q8.p);
  free(f32.p);
}

int main(void) {
  static const char *const archs[] = {"llama", "llama-moe", "qwen2", "qwen3", "phi2", "phi3", "gemma", "gemma2", "gemma3"};
  for (int i = 0; i < T; i++) {
    ids[i] = (int32_t)(en_random(8, (uint64_t)i) % TINY_V);
    segment[i] = i < 10 ? 1 : 2;
    weight[i] = i == 4 ? 0 : i % 3 == 1 ? 0.5f : 1;
  }
  for (int i = 0; i < EN_COUNT(archs); i++) {
    bytes_t file = tiny_gguf(archs[i], en_type_by_id(EN_F32));
    finite_differences(&file);
    every_tensor_learns(&file);
    if (i < 2) learns(&file);
    if (!i) sums_and_decay(&file);
    free(file.p);
    for (int32_t k = 0; en_type_at(k); k++)
      if (TINY_D % en_type_at(k)->block == 0 && TINY_F % en_type_at(k)->block == 0) reads_back(archs[i], en_type_at(k));
  }
  refusals();
  return test_end();
}

/* training by fixtures that PyTorch and PEFT made: gradients and ten steps of AdamW; published adapters on their bases. */
#include "json_numbers.h"
#include "tiny_train.h"

/* ---- fixtures ---- */

/* Tensor of a safetensors file: u64 header length, JSON header, data. */
static const float *safetensor(const unsigned char *file, const char *name, size_t *n) {
  const uint64_t head = en_rd64(file);
  char *json = malloc(head + 1);
  memcpy(json, file + 8, head);
  json[head] = 0;
  double range[2] = {0, 0};
  const char *at = json_after(json, name);
  if (at) json_numbers(json_after(at, "data_offsets"), range, 2);
  free(json);
  *n = (size_t)(range[1] - range[0]) / 4;
  return at ? (const float *)(const void *)(file + 8 + head + (size_t)range[0]) : NULL;
}

static const char *const target_names[] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};

/* Worst relative RMS over the tensors of one side against a fixture. `from`: gradients or factors in adapter order; div: divide ours by it. */
static double worst(en_adapter *a, const float *from, double div, const unsigned char *file, const char *suffix, int n_want) {
  uint64_t n_params;
  const float *base = flat(a, &n_params);
  double most = 0;
  int found = 0;
  for (uint32_t l = 0; l < 2; l++)
    for (int i = 0; i < 7; i++)
      for (int is_b = 0; is_b < 2; is_b++) {
        uint32_t rank, len;
        const float *p = is_b ? en_adapter_b(a, l, 1u << i, &rank, &len) : en_adapter_a(a, l, 1u << i, &rank, &len);
        if (!p) continue;
        char name[80];
        size_t n;
        snprintf(name, sizeof name, "blk.%u.%s.weight.lora_%c%s", l, target_names[i], is_b ? 'b' : 'a', suffix);
        const float *want = safetensor(file, name, &n);
        CHECK(want && n == (size_t)rank * len);
        if (!want) continue;
        found++;
        const float *ours = from + (p - base);
        float *got = malloc(n * sizeof *got);
        for (uint32_t r = 0; r < rank; r++)
          for (uint32_t c = 0; c < len; c++) got[is_b ? c * rank + r : r * len + c] = (float)((double)ours[r * len + c] / div);
        most = fmax(most, test_rel_rms(got, want, n));
        free(got);
      }
  CHECK_EQ(found, n_want);
  return most;
}

static void fixture(const char *arch, int n_targets) {
  char path[200];
  size_t n_json, n;
  en_why why = {{0}};
  snprintf(path, sizeof path, "oracles/train-%s.json", arch);
  char *json = (char *)test_read(test_shared(path), &n_json);
  if (!json) return;
  json[n_json - 1] = 0;
  snprintf(path, sizeof path, "oracles/train-%s.base.gguf", arch);
  unsigned char *base = test_read(test_shared(path), &n);
  loaded_t l = load_model(base, n, 0, "auto", &why);
  CHECK(l.m);
  if (!l.m) { printf("%s\n", why.text); return; }
  int32_t tokens[256];
  uint32_t segments[256];
  float weights[256];
  uint32_t n_tokens = 0, n_seq = 0;
  for (const char *p = json; (p = json_after(p, "tokens")) && p < json_after(json, "n_target_tokens"); n_seq++) {
    double values[128], mask[128];
    const int k = json_numbers(p, values, 128), km = json_numbers(json_after(p, "loss_mask"), mask, 128);
    CHECK_EQ(k, km);
    for (int i = 0; i < k; i++) { tokens[n_tokens] = (int32_t)values[i]; weights[n_tokens] = (float)mask[i]; segments[n_tokens++] = n_seq; }
  }
  CHECK(n_seq > 1);
  const en_train_batch batch = {.n = n_tokens, .ids = tokens, .segment = segments, .weight = weights};
  snprintf(path, sizeof path, "oracles/train-%s.init.gguf", arch);
  unsigned char *init = test_read(test_shared(path), &n);
  const size_t n_init = n;
  snprintf(path, sizeof path, "oracles/train-%s.grad.safetensors", arch);
  unsigned char *grad = test_read(test_shared(path), &n);
  const char *run = json_after(json, "runs");
  const char *const names[] = {"constant", "cosine"};
  for (int k = 0; k < 2; k++) {
    en_adapter *a = NULL;
    en_trainer *t = NULL;
    const size_t a_need = en_adapter_file_bytes(l.m, init, n_init);
    void *a_mem = aligned_alloc(EN_ALIGN, a_need);
    CHECK_EQ(en_adapter_init_file(&a, a_mem, a_need, l.m, init, n_init, &why), EN_OK);
    if (!a) { printf("%s\n", why.text); return; }
    const char *clip = json_after(run, "clip_norm");
    const en_train_spec ts = {.n_tokens = n_tokens, .clip_norm = (float)strtod(clip, NULL), .weight_decay = (float)strtod(json_after(run, "weight_decay"), NULL)};
    const size_t t_need = en_trainer_bytes(a, &ts, NULL);
    void *t_mem = aligned_alloc(EN_ALIGN, t_need);
    CHECK_EQ(en_trainer_init(&t, t_mem, t_need, a, &ts, NULL, &why), EN_OK);
    double lr[10], losses[10];
    CHECK_EQ(json_numbers(json_after(run, "lr_per_step"), lr, 10), 10);
    CHECK_EQ(json_numbers(json_after(run, "loss"), losses, 10), 10);
    for (int step = 0; step < 10; step++) {
      en_train_loss loss;
      double norm;
      CHECK_EQ(en_train_accumulate(t, &batch, &loss, &why), EN_OK);
      const double tolerance = step ? 1e-4 : 1e-5;
      CHECK_NEAR(loss.loss / loss.weight, losses[step], tolerance * fmax(losses[step], 0.1));
      if (step == 0 && k == 0) {
        uint64_t n_grad;
        const double distance = worst(a, en_trainer_gradients(t, &n_grad), loss.weight, grad, ".grad", 2 * 2 * n_targets);
        printf("train-%s: gradients differ by %.2g\n", arch, distance);
        CHECK_NEAR(distance, 0, 1e-4);
      }
      CHECK_EQ(en_train_step(t, lr[step], &norm, &why), EN_OK);
    }
    snprintf(path, sizeof path, "oracles/train-%s.final-%s.safetensors", arch, names[k]);
    unsigned char *final = test_read(test_shared(path), &n);
    uint64_t n_params;
    const double distance = worst(a, flat(a, &n_params), 1, final, "", 2 * 2 * n_targets);
    printf("train-%s: after ten steps (%s) the adapter differs by %.2g\n", arch, names[k], distance);
    CHECK_NEAR(distance, 0, 1e-3);
    run = json_after(run, "loss_after");
    free(final);
    free(a_mem);
    free(t_mem);
  }
  free(grad);
  free(init);
  free(base);
  free(json);
  unload_model(&l);
}

/* A published adapter on its base, at two scales, against logits computed apart from any runtime. */
static void adapter_fixture(const char *arch) {
  char path[200];
  size_t n_json, n;
  en_why why = {{0}};
  snprintf(path, sizeof path, "oracles/lora-%s.json", arch);
  char *json = (char *)test_read(test_shared(path), &n_json);
  if (!json) return;
  json[n_json - 1] = 0;
  double tokens[64];
  const int n_tokens = json_numbers(json_after(json, "tokens"), tokens, 64);
  int32_t list[64];
  uint8_t want[64];
  for (int i = 0; i < n_tokens; i++) { list[i] = (int32_t)tokens[i]; want[i] = 1; }
  snprintf(path, sizeof path, "oracles/%s.gguf", arch);
  unsigned char *base = test_read(test_shared(path), &n);
  loaded_t l = load_model(base, n, 0, "auto", &why);
  CHECK(l.m);
  snprintf(path, sizeof path, "oracles/lora-%s.gguf", arch);
  unsigned char *file = test_read(test_shared(path), &n);
  const size_t need = en_adapter_file_bytes(l.m, file, n);
  void *a_mem = aligned_alloc(EN_ALIGN, need), *s_mem;
  en_adapter *a = NULL;
  CHECK_EQ(en_adapter_init_file(&a, a_mem, need, l.m, file, n, &why), EN_OK);
  const en_session_spec spec = {.n_ctx = 64, .n_logits = 64};
  en_session *s = open_session(l.m, &spec, NULL, &s_mem);
  const double scales[] = {1, 0.5};
  for (int i = 0; i < 2 && a; i++) {
    snprintf(path, sizeof path, "oracles/lora-%s.scale%g.f32", arch, scales[i]);
    float *logits = (float *)(void *)test_read(test_shared(path), &n);
    CHECK_EQ(en_session_attach(s, a, (float)scales[i], &why), EN_OK);
    CHECK_EQ(en_eval(s, &(en_batch){(uint32_t)n_tokens, list, NULL, want}, &why), EN_OK);
    const double distance = test_rel_rms(en_logits(s, 0), logits, n / 4);
    printf("lora-%s at scale %g: %.2g\n", arch, scales[i], distance);
    CHECK_NEAR(distance, 0, strtod(json_after(json, "tolerance"), NULL));
    free(logits);
  }
  free(s_mem);
  free(a_mem);
  free(file);
  free(base);
  free(json);
  unload_model(&l);
}

int main(void) {
  fixture("llama", 7);
  fixture("qwen2", 7);
  fixture("phi2", 6);
  fixture("gemma", 7);
  adapter_fixture("llama");
  adapter_fixture("qwen2");
  return test_end();
}

/* architectures: logits of every architecture on every kernel table against numbers computed apart from any runtime; rotary scaling; windows,
 * prefill in pieces and parallel sequences; fused tensors whose parts split groups of rows; what a wrong file is told. */
#include "../../core/model/model.h"
#include "json_numbers.h"
#include "tiny_model.h"

/* Logits of all tokens, `chunk` of them per batch. */
static void all_logits(const en_model *m, uint32_t n_ctx, uint32_t kv_type, const int32_t *ids, uint32_t n, uint32_t chunk, float *out) {
  const en_session_spec spec = {.n_ctx = n_ctx, .n_batch = 7, .n_logits = n, .kv_type = kv_type};
  void *mem;
  uint8_t want[64];
  en_why why = {{0}};
  en_session *s = open_session(m, &spec, NULL, &mem);
  memset(want, 1, sizeof want);
  for (uint32_t at = 0; at < n; at += chunk) {
    const uint32_t k = n - at < chunk ? n - at : chunk;
    CHECK_EQ(en_eval(s, &(en_batch){k, ids + at, NULL, want}, &why), EN_OK);
    for (uint32_t i = 0; i < k; i++) memcpy(out + (size_t)(at + i) * en_model_info(m)->n_vocab, en_logits(s, i), en_model_info(m)->n_vocab * sizeof *out);
  }
  free(mem);
}

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
  float *want = (float *)(void *)test_read(test_shared(path), &n_want), *got = malloc(n_want);
  double tokens[64];
  int32_t ids[64];
  const uint32_t n = (uint32_t)json_numbers(json_after(json, "tokens"), tokens, 64), n_ctx = (uint32_t)strtod(json_after(json, "n_ctx"), NULL);
  const double tolerance = strtod(json_after(json, "tolerance"), NULL);
  for (uint32_t i = 0; i < n; i++) ids[i] = (int32_t)tokens[i];
  const char *kernels;
  for (int32_t i = 0; (kernels = en_kernels_name(i)); i++) {
    en_why why = {{0}};
    loaded_t l = load_model(file, n_file, 1000, kernels, &why);
    CHECK(l.m);
    if (!l.m) { printf("%s: %s\n", name, why.text); break; }
    CHECK_EQ(n * en_model_info(l.m)->n_vocab * sizeof *got, n_want);
    for (uint32_t chunk = n; chunk; chunk = chunk == n ? 5 : chunk == 5 ? 1 : 0) { /* at once, in pieces, one by one */
      all_logits(l.m, n_ctx, EN_KV_F32, ids, n, chunk, got);
      const double distance = test_rel_rms(got, want, n_want / sizeof *got);
      if (chunk == n) printf("%s on %s: %.2g\n", name, kernels, distance);
      CHECK_NEAR(distance, 0, tolerance);
    }
    all_logits(l.m, n_ctx, EN_KV_F16, ids, n, n, got);
    CHECK_NEAR(test_rel_rms(got, want, n_want / sizeof *got), 0, 3e-3);
    unload_model(&l);
  }
  free(got);
  free(want);
  free(file);
  free(json);
}

int main(void) {
  static const char *const oracles[] = {"llama", "qwen2", "qwen3", "phi2", "phi3", "phi3-longrope-short", "phi3-longrope-long", "gemma", "gemma2", "gemma3"};
  for (int i = 0; i < EN_COUNT(oracles); i++) oracle(oracles[i]);
  return test_end();
}

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

/* The same weights, apart and fused: views into a fused matrix must give the same numbers, also where a part begins inside a group of 16 rows. */
static void fused_as_apart(const char *arch, uint32_t E, uint32_t F, const char *kernels) {
  static const int32_t ids[] = {3, 88, 41, 7, 19, 60, 2};
  enum { N = EN_COUNT(ids) };
  float apart[N * TINY_V], fused[N * TINY_V];
  tiny_t s = tiny_of(arch);
  en_why why = {{0}};
  s.E = E;
  s.F = F;
  for (int i = 0; i < 2; i++) {
    s.fused = i;
    bytes_t file = tiny_build(&s, en_type_by_id(EN_F32));
    loaded_t l = load_model(file.p, file.n, 777, kernels, &why);
    CHECK(l.m);
    if (!l.m) { printf("%s: %s\n", arch, why.text); return; }
    all_logits(l.m, 32, EN_KV_F32, ids, N, N, i ? fused : apart);
    unload_model(&l);
    free(file.p);
  }
  CHECK_NEAR(test_rel_rms(fused, apart, N * TINY_V), 0, 2e-6);
}

/* Angles that Hugging Face's transformers compute for YaRN (modeling_rope_utils.py), rot 16, base 10000, factor 8. */
static void yarn(void) {
  static const struct { uint32_t context; double freq[8]; } cases[] = {
    {64, {1, 0.223994667595, 0.0416666666667, 0.00395284707521, 0.00125, 0.000395284707521, 0.000125, 3.95284707521e-05}},
    {4096, {1, 0.316227766017, 0.1, 0.0247052942201, 0.005625, 0.00108703294568, 0.000125, 3.95284707521e-05}}};
  for (int i = 0; i < EN_COUNT(cases); i++) {
    tiny_t s = tiny_of("qwen2");
    en_why why = {{0}};
    s.yarn = cases[i].context;
    bytes_t file = tiny_build(&s, en_type_by_id(EN_F32));
    loaded_t l = load_model(file.p, file.n, 0, "ref", &why);
    CHECK(l.m);
    if (!l.m) { printf("yarn: %s\n", why.text); return; }
    for (int k = 0; k < 8; k++) CHECK_NEAR(en_model_freq(l.m, 0)[k], cases[i].freq[k], 1e-8 * cases[i].freq[k]);
    CHECK_NEAR(l.m->c.rope[0].mscale, 1.20794415417, 1e-6);
    float cs[16];
    en_rope_angles(cs, en_model_freq(l.m, 0), 16, l.m->c.rope[0].mscale, 9);
    for (int k = 0; k < 8; k++) {
      CHECK_NEAR(cs[2 * k], 1.20794415417 * cos(9 * cases[i].freq[k]), 1e-6);
      CHECK_NEAR(cs[2 * k + 1], 1.20794415417 * sin(9 * cases[i].freq[k]), 1e-6);
    }
    unload_model(&l);
    free(file.p);
  }
}

/* A session's sequences do not see each other, and what lies before the window is out of reach: other tokens there change nothing in a model
 * whose layers all have a window, and something in one that has a layer without. */
static void windows(const char *arch, uint32_t pattern, int reaches) {
  enum { N = 24 };
  int32_t ids[2][N];
  float logits[2][N * TINY_V];
  tiny_t s = tiny_of(arch);
  en_why why = {{0}};
  bytes_t file = tiny_build(&s, en_type_by_id(EN_F32));
  const char key[] = "gemma3.attention.sliding_window_pattern";
  for (size_t i = 0; i + sizeof key + 8 < file.n; i++)
    if (!memcmp(file.p + i, key, sizeof key - 1)) memcpy(file.p + i + sizeof key + 3, &pattern, 4);
  for (int i = 0; i < N; i++) ids[0][i] = ids[1][i] = (7 * i + 5) % TINY_V;
  ids[1][0] = 50; /* two layers with a window of 4 reach back 6 positions */
  loaded_t l = load_model(file.p, file.n, 0, "auto", &why);
  CHECK(l.m);
  if (!l.m) { printf("%s: %s\n", arch, why.text); return; }
  for (int i = 0; i < 2; i++) all_logits(l.m, 32, EN_KV_F32, ids[i], N, N, logits[i]);
  for (int t = 0; t < N; t++) {
    const int same = !memcmp(logits[0] + t * TINY_V, logits[1] + t * TINY_V, TINY_V * sizeof(float));
    CHECK_EQ(same, t > 6 && !reaches);
  }
  unload_model(&l);
  free(file.p);
}

/* With quantized weights the tables with integer products differ by the rounding of sums; a value that falls on the other side of a step of its
 * 8 bits adds up to 1e-3. */
static void quantized(const char *arch) {
  enum { N = 13 };
  int32_t ids[N];
  float first[N * TINY_V], logits[N * TINY_V];
  bytes_t file = tiny_gguf(arch, en_type_by_id(EN_Q8_0));
  const char *kernels;
  int n = 0;
  for (int i = 0; i < N; i++) ids[i] = (11 * i + 3) % TINY_V;
  for (int32_t i = 0; (kernels = en_kernels_name(i)); i++) {
    if (!strcmp(kernels, "ref")) continue;
    en_why why = {{0}};
    loaded_t l = load_model(file.p, file.n, 0, kernels, &why);
    CHECK(l.m);
    if (!l.m) { printf("%s: %s\n", arch, why.text); return; }
    all_logits(l.m, 32, EN_KV_F32, ids, N, N, n++ ? logits : first);
    if (n > 1) CHECK_NEAR(test_rel_rms(logits, first, N * TINY_V), 0, 5e-3);
    unload_model(&l);
  }
  free(file.p);
}

/* One number of a head changed: the file is refused, and the sentence says what is wrong. */
static void refused(const char *arch, const char *needle, size_t skip, uint32_t value, const char *says) {
  tiny_t s = tiny_of(arch);
  bytes_t file = tiny_build(&s, en_type_by_id(EN_F32));
  const size_t n = strlen(needle);
  int found = 0;
  for (size_t i = 0; i + n + skip + 4 < file.n && !found; i++)
    if (!memcmp(file.p + i, needle, n)) {
      memcpy(file.p + i + n + skip, &value, 4);
      found = 1;
    }
  CHECK(found);
  en_why why = {{0}};
  loaded_t l = load_model(file.p, file.n, 0, "auto", &why);
  CHECK(!l.m && strstr(why.text, says));
  if (l.m || !strstr(why.text, says)) printf("%s, %s: \"%s\"\n", arch, needle, why.text);
  unload_model(&l);
  free(file.p);
}

int main(void) {
  static const char *const oracles[] = {"rwkv6", "rwkv7", "mamba", "mamba2", "llama", "llama-moe", "qwen2", "qwen3", "phi2", "phi3", "phi3-longrope-short", "phi3-longrope-long", "gemma", "gemma2", "gemma3"};
  for (int i = 0; i < EN_COUNT(oracles); i++) oracle(oracles[i]);
  static const char *const tables[] = {"auto", "ref"};
  for (int i = 0; i < 2; i++) {
    fused_as_apart("phi3", 16, 96, tables[i]);
    fused_as_apart("phi3", 6, 36, tables[i]);  /* parts begin at rows 24, 36; 36 */
    fused_as_apart("phi2", 16, 96, tables[i]);
    fused_as_apart("phi2", 10, 44, tables[i]); /* 40, 60 */
  }
  static const char *const archs[] = {"llama", "llama-moe", "qwen2", "qwen3", "phi2", "phi3", "gemma", "gemma2", "gemma3"};
  for (int i = 0; i < EN_COUNT(archs); i++) quantized(archs[i]);
  yarn();
  windows("gemma3", 6, 0); /* both layers look through the window */
  windows("gemma3", 2, 1);
  windows("gemma2", 0, 1);
  enum { VALUE = 4 /* behind the type of a value */ };
  refused("gemma3", "gemma3.attention.sliding_window_pattern", VALUE, 0, "sliding_window_pattern");
  refused("gemma2", "gemma2.attention.sliding_window", VALUE, 0, "sliding_window");
  refused("gemma2", "gemma2.final_logit_softcapping", VALUE, 0x7fc00000 /* NaN */, "final_logit_softcapping");
  refused("phi2", "phi2.rope.dimension_count", VALUE, 7, "odd");
  refused("qwen3", "blk.0.attn_q_nor", 0, 0x7861782e /* another name */, "tensor blk.0.attn_q_norm.weight is missing");
  refused("phi3", "blk.1.attn_qkv", 0, 0x7861782e, "tensor blk.1.attn_q.weight is missing, and there is no blk.1.attn_qkv.weight of 128 rows");
  refused("phi3", "phi3.attention.head_count_kv", VALUE, 4, "there is no blk.0.attn_qkv.weight of 192 rows");
  return test_end();
}

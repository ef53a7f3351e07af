/* llama_logits.c - logits of llama.cpp for given token ids, with LoRA adapters: what our own are compared with.
 *   llama_logits LIBRARIES MODEL.gguf OUT.f32 1,2,3 [ADAPTER.gguf SCALE]...
 * Every layer in float32 and plain C order as far as the library allows: no repacking, no flash attention, F32 cache, one thread. */
#include "ggml-backend.h"
#include "llama.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void quiet(enum ggml_log_level level, const char *text, void *user) {
  (void)user;
  if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}
static int fail(const char *what, const char *which) { return fprintf(stderr, "%s: %s\n", what, which), 1; }

int main(int argc, char **argv) {
  enum { MOST = 4096, ADAPTERS = 8 };
  if (argc < 5 || (argc - 5) % 2 || (argc - 5) / 2 > ADAPTERS) return fail("usage", "llama_logits LIBRARIES MODEL OUT IDS [ADAPTER SCALE]...");
  llama_log_set(quiet, NULL);
  ggml_backend_load_all_from_path(argv[1]);
  llama_backend_init();
  struct llama_model_params mp = llama_model_default_params();
  mp.n_gpu_layers = 0, mp.use_extra_bufts = false;
  struct llama_model *model = llama_model_load_from_file(argv[2], mp);
  if (!model) return fail("cannot load", argv[2]);
  static int ids[MOST];
  int n = 0;
  for (char *s = strtok(argv[4], ","); s && n < MOST; s = strtok(NULL, ",")) ids[n++] = atoi(s);
  struct llama_context_params cp = llama_context_default_params();
  cp.n_ctx = cp.n_batch = cp.n_ubatch = MOST, cp.n_threads = cp.n_threads_batch = 1;
  cp.type_k = cp.type_v = GGML_TYPE_F32, cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  struct llama_context *context = llama_init_from_model(model, cp);
  if (!context) return fail("no context for", argv[2]);
  struct llama_adapter_lora *adapters[ADAPTERS];
  float scales[ADAPTERS];
  size_t n_adapters = 0;
  for (int i = 5; i + 1 < argc; i += 2, n_adapters++) {
    scales[n_adapters] = (float)atof(argv[i + 1]);
    if (!(adapters[n_adapters] = llama_adapter_lora_init(model, argv[i]))) return fail("cannot load the adapter", argv[i]);
  }
  if (n_adapters && llama_set_adapters_lora(context, adapters, n_adapters, scales) != 0) return fail("cannot set", "adapters");
  struct llama_batch batch = llama_batch_init(n, 0, 1);
  batch.n_tokens = n;
  for (int i = 0; i < n; i++) {
    batch.token[i] = ids[i], batch.pos[i] = i, batch.n_seq_id[i] = 1, batch.seq_id[i][0] = 0, batch.logits[i] = 1;
  }
  if (llama_decode(context, batch) != 0) return fail("cannot decode", argv[2]);
  const int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
  FILE *out = fopen(argv[3], "wb");
  if (!out) return fail("cannot write", argv[3]);
  for (int i = 0; i < n; i++) fwrite(llama_get_logits_ith(context, i), sizeof(float), (size_t)n_vocab, out);
  return fclose(out) ? 1 : 0;
}

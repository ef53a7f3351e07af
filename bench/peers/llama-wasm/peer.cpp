// llama.cpp as a WebAssembly module with its SIMD kernels, threads that stay, and nothing but what the benchmark calls. Built by install.mjs with Emscripten.
#include <emscripten.h>
#include <vector>
#include "ggml-cpu.h"
#include "llama.h"

static llama_model *model;
static llama_context *context;

static int greedy() {
  const float *logits = llama_get_logits_ith(context, -1);
  int best = 0;
  for (int i = 1, n = llama_vocab_n_tokens(llama_model_get_vocab(model)); i < n; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

extern "C" {

// 0, or which step failed. The threads are made once, as llama.cpp's own tools do it.
EMSCRIPTEN_KEEPALIVE int peer_load(const char *path, int threads, int n_ctx) {
  llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
  llama_backend_init();
  llama_model_params mp = llama_model_default_params();
  mp.load_mode = LLAMA_LOAD_MODE_NONE;
  model = llama_model_load_from_file(path, mp);
  if (!model) return 1;
  llama_context_params cp = llama_context_default_params();
  cp.n_ctx = (n_ctx + 255) / 256 * 256;
  cp.n_batch = cp.n_ubatch = 512;
  cp.n_threads = cp.n_threads_batch = threads;
  cp.no_perf = true;
  context = llama_init_from_model(model, cp);
  if (!context) return 2;
  ggml_threadpool_params tp = ggml_threadpool_params_default(threads);
  ggml_threadpool *pool = ggml_threadpool_new(&tp);
  if (!pool) return 3;
  llama_attach_threadpool(context, pool, pool);
  return 0;
}

// Greedy. seconds[0]: of the prompt and the first token; seconds[1]: of the n_new - 1 others. 0, or 1: failed.
EMSCRIPTEN_KEEPALIVE int peer_generate(int *tokens, int n, int n_new, double *seconds) {
  llama_memory_clear(llama_get_memory(context), true);
  double t0 = emscripten_get_now();
  if (llama_decode(context, llama_batch_get_one(tokens, n))) return 1;
  int token = greedy();
  const double t1 = emscripten_get_now();
  for (int i = 1; i < n_new; i++) {
    if (llama_decode(context, llama_batch_get_one(&token, 1))) return 1;
    token = greedy();
  }
  seconds[0] = (t1 - t0) / 1000;
  seconds[1] = (emscripten_get_now() - t1) / 1000;
  return 0;
}
}

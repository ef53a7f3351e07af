/* llama_tokenize.c - llama.cpp's tokenizer on a file, timed as bench/tokenizer.c times ours.
 *   llama_tokenize LIBRARIES MODEL.gguf TEXT SECONDS [IDS]
 * Prints the same line of JSON; IDS: a file that the ids go to, int32. Special tokens are not parsed and none are added. */
#include "ggml-backend.h"
#include "llama.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void quiet(enum ggml_log_level level, const char *text, void *user) {
  (void)user;
  if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}
static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}
static int fail(const char *what, const char *which) { return fprintf(stderr, "%s: %s\n", what, which), 1; }

int main(int argc, char **argv) {
  if (argc < 5) return fail("usage", "llama_tokenize LIBRARIES MODEL TEXT SECONDS [IDS]");
  llama_log_set(quiet, NULL);
  ggml_backend_load_all_from_path(argv[1]);
  llama_backend_init();
  struct llama_model_params mp = llama_model_default_params();
  mp.vocab_only = true;
  struct llama_model *model = llama_model_load_from_file(argv[2], mp);
  if (!model) return fail("cannot load", argv[2]);
  const struct llama_vocab *vocab = llama_model_get_vocab(model);
  FILE *f = fopen(argv[3], "rb");
  if (!f) return fail("cannot open", argv[3]);
  fseek(f, 0, SEEK_END);
  const long n = ftell(f);
  rewind(f);
  char *text = malloc((size_t)n + 1);
  llama_token *ids = malloc(((size_t)n + 16) * sizeof *ids);
  if (!text || !ids || fread(text, 1, (size_t)n, f) != (size_t)n) return fail("cannot read", argv[3]);
  fclose(f);
  double best = 1e300;
  int32_t n_ids = 0;
  for (double end = now_ms() + atof(argv[4]) * 1e3; best > 1e299 || now_ms() < end;) {
    const double from = now_ms();
    n_ids = llama_tokenize(vocab, text, (int32_t)n, ids, (int32_t)n + 16, false, false);
    const double ms = now_ms() - from;
    if (n_ids < 0) return fail("cannot tokenize", argv[3]);
    if (ms < best) best = ms;
  }
  printf("{\"bytes\":%ld,\"tokens\":%d,\"ms\":%.4f,\"MBps\":%.3f}\n", n, n_ids, best, (double)n / best * 1e-3);
  if (argc > 5) {
    f = fopen(argv[5], "wb");
    if (!f || fwrite(ids, sizeof *ids, (size_t)n_ids, f) != (size_t)n_ids || fclose(f)) return fail("cannot write", argv[5]);
  }
  return 0;
}

/* llama_quantize.c - llama.cpp's own quantizer.
 *   llama_quantize IN.gguf OUT.gguf FILE_TYPE        FILE_TYPE: number of general.file_type */
#include "llama.h"
#include <stdio.h>
#include <stdlib.h>

static void quiet(enum ggml_log_level level, const char *text, void *user) {
  (void)user;
  if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  llama_log_set(quiet, NULL);
  llama_backend_init();
  struct llama_model_quantize_params p = llama_model_quantize_default_params();
  p.ftype = (enum llama_ftype)atoi(argv[3]);
  p.nthread = 1;
  return llama_model_quantize(argv[1], argv[2], &p) != 0;
}

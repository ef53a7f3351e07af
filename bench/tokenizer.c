/* tokenizer.c - how fast a text becomes ids: bench-tokenizer MODEL.gguf TEXT SECONDS [IDS]. Prints one line of JSON: the best of the runs that fit into the time. IDS: a file that
 * the ids go to, int32. Special tokens are not parsed and none are added. bench/tokenizer.mjs sets llama.cpp's beside it. */
#include "../cli/cli.h"
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: bench-tokenizer MODEL.gguf TEXT SECONDS [IDS]\n"), 2;
  cli_model m;
  size_t n_text = 0, n_ids = 0;
  if (cli_open(&m, argv[1], &(cli_open_spec){.head_only = 1, .need_tokenizer = 1}) != EN_OK) return 1;
  char *text = cli_read_file(argv[2], &n_text);
  const size_t cap = n_text + 16, n_scratch = en_encode_bytes(m.tokenizer, n_text);
  void *scratch = cli_alloc(n_scratch);
  int32_t *ids = malloc(cap * sizeof *ids);
  if (!text || !scratch || !ids) return cli_fail(argv[2], "no memory");
  double best = 1e300;
  for (double end = cli_now_ms(NULL) + strtod(argv[3], NULL) * 1e3; best > 1e299 || cli_now_ms(NULL) < end;) {
    const double from = cli_now_ms(NULL);
    const int32_t status = en_encode(m.tokenizer, text, n_text, 0, ids, cap, &n_ids, scratch, n_scratch);
    const double ms = cli_now_ms(NULL) - from;
    if (status != EN_OK) return cli_fail(argv[2], "%s", en_status_name(status));
    if (ms < best) best = ms;
  }
  printf("{\"bytes\":%zu,\"tokens\":%zu,\"ms\":%.4f,\"MBps\":%.3f,\"scratch\":%zu}\n", n_text, n_ids, best, (double)n_text / best * 1e-3, n_scratch);
  FILE *f = argc > 4 ? fopen(argv[4], "wb") : NULL;
  if (argc > 4 && (!f || fwrite(ids, sizeof *ids, n_ids, f) != n_ids || fclose(f))) return cli_fail(argv[4], "cannot be written");
  free(ids);
  free(scratch);
  free(text);
  cli_close(&m);
  return 0;
}

/* grammar.c - what a grammar costs per token: bench-grammar VOCABULARY.gguf [rounds], of byte-level BPE. Prints one JSON object; times in microseconds, medians.
 * A JSON text is walked token by token: "first" is the mask of a state that is met for the first time, "again" one that is kept, "accept" the step over a token. */
#include "../cli/cli.h"
#include <stdlib.h>
#include <string.h>

static const char text[] =
  "{\"name\": \"A kettle that whistles when the water is hot\", \"price\": 24.95, \"tags\": [\"kitchen\", \"steel\", \"1.5 litres\"], \"stock\": {\"here\": 7, \"there\": 0}, \"sold\": true}";
enum { MOST = 512 };

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static double median(double *times, int n) {
  qsort(times, (size_t)n, sizeof *times, by_value);
  return n ? times[n / 2] * 1e3 : 0;
}

int main(int argc, char **argv) {
  size_t n_head;
  en_why why = {{0}};
  char *head = argc > 1 ? cli_read_file(argv[1], &n_head) : NULL; /* the file of a vocabulary is nothing but a head */
  const int rounds = argc > 2 ? atoi(argv[2]) : 5;
  if (!head) return fprintf(stderr, "usage: bench-grammar VOCABULARY.gguf [rounds]\n"), 2;
  const size_t n_tokenizer = en_tokenizer_bytes(head, n_head);
  en_tokenizer *t;
  void *tokenizer_mem = cli_alloc(n_tokenizer);
  if (en_tokenizer_init(&t, tokenizer_mem, n_tokenizer, head, n_head, &why) != EN_OK) return cli_fail(argv[1], "%s", why.text);
  const size_t n_lexicon = en_lexicon_bytes(t), n_vocab = en_tokenizer_special(t)->n_vocab;
  en_lexicon *x;
  void *lexicon_mem = cli_alloc(n_lexicon);
  const double t0 = cli_now_ms(NULL);
  if (en_lexicon_init(&x, lexicon_mem, n_lexicon, t) != EN_OK) return cli_fail(argv[1], "no memory for the ordered vocabulary");
  const double lexicon_ms = cli_now_ms(NULL) - t0;
  const size_t n_grammar = en_grammar_bytes(x), n_scratch = en_encode_bytes(t, sizeof text - 1);
  void *grammar_mem = cli_alloc(n_grammar), *scratch = cli_alloc(n_scratch);
  float *logits = cli_alloc(n_vocab * sizeof *logits);
  int32_t ids[MOST];
  size_t n_ids = 0;
  if (!grammar_mem || !scratch || !logits || en_encode(t, text, sizeof text - 1, 0, ids, MOST, &n_ids, scratch, n_scratch) != EN_OK) return cli_fail(argv[1], "the text cannot be encoded");
  double *first = malloc(MOST * 3 * sizeof *first * (size_t)rounds), *again = first + MOST * (size_t)rounds, *accept = again + MOST * (size_t)rounds, compile_ms = 0;
  int n = 0;
  for (int round = 0; round < rounds; round++) {
    en_grammar *g;
    const double start = cli_now_ms(NULL);
    if (en_grammar_init(&g, grammar_mem, n_grammar, x, EN_GRAMMAR_SCHEMA, "{}", 2, &why) != EN_OK) return cli_fail(argv[1], "%s", why.text);
    compile_ms = cli_now_ms(NULL) - start;
    for (size_t i = 0; i < n_ids; i++, n++) {
      const double a = cli_now_ms(NULL);
      en_grammar_mask(g, logits, (uint32_t)n_vocab, &why);
      const double b = cli_now_ms(NULL);
      en_grammar_mask(g, logits, (uint32_t)n_vocab, &why);
      const double c = cli_now_ms(NULL);
      if (en_grammar_accept(g, ids[i]) != EN_OK) return cli_fail(argv[1], "token %d of the text is not JSON", (int)i);
      first[n] = b - a, again[n] = c - b, accept[n] = cli_now_ms(NULL) - c;
    }
  }
  const double middle = median(first, n); /* sorts them */
  printf("{\"vocabulary\":%zu,\"tokens\":%zu,\"lexicon_ms\":%.2f,\"compile_ms\":%.3f,\"mask_median_us\":%.1f,\"mask_p90_us\":%.1f,\"again_us\":%.1f,\"accept_us\":%.2f}\n", n_vocab, n_ids, lexicon_ms, compile_ms,
         middle, first[n * 9 / 10] * 1e3, median(again, n), median(accept, n));
  free(first), free(logits), free(scratch), free(grammar_mem), free(lexicon_mem), free(tokenizer_mem), free(head);
  return 0;
}

/* round_trip.c - a file through a tokenizer and back, a megabyte at a time, cut anywhere: round-trip MODEL.gguf FILE. Ids must be those of tokens, and what they decode to must be
 * taken again and give no error; prints a line of JSON: bytes, tokens, and how many of the pieces came back byte for byte. */
#include "../../cli/cli.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 };
typedef struct { int32_t *ids; char *back; void *scratch; size_t cap, n_back, n_scratch; } room_t;

/* 1: the same bytes came back; 0: others did; -1: a failure. */
static int piece(const en_tokenizer *t, room_t *r, const char *text, size_t n, size_t *n_ids) {
  const uint32_t n_vocab = en_tokenizer_special(t)->n_vocab;
  size_t n_back = 0, again;
  int32_t status = en_encode(t, text, n, 0, r->ids, r->cap, n_ids, r->scratch, r->n_scratch);
  if (status != EN_OK) return fprintf(stderr, "encoding failed: %s\n", en_status_name(status)), -1;
  for (size_t i = 0; i < *n_ids; i++)
    if (r->ids[i] < 0 || (uint32_t)r->ids[i] >= n_vocab) return fprintf(stderr, "token %d of %u\n", (int)r->ids[i], (unsigned)n_vocab), -1;
  status = en_decode(t, r->ids, *n_ids, 0, 1, r->back, r->n_back, &n_back);
  if (status != EN_OK) return fprintf(stderr, "decoding failed: %s\n", en_status_name(status)), -1;
  const int same = n_back == n && !memcmp(r->back, text, n);
  status = en_encode(t, r->back, EN_MIN(n_back, (size_t)PIECE), 0, r->ids, r->cap, &again, r->scratch, r->n_scratch);
  return status == EN_OK ? same : (fprintf(stderr, "encoding what was decoded failed: %s\n", en_status_name(status)), -1);
}

int main(int argc, char **argv) {
  cli_model m;
  size_t n, n_tokens = 0, n_pieces = 0, n_same = 0;
  if (argc != 3 || cli_open(&m, argv[1], &(cli_open_spec){.head_only = 1, .need_tokenizer = 1}) != EN_OK) return 2;
  char *text = cli_read_file(argv[2], &n);
  room_t r = {.cap = PIECE + 16, .n_back = 8 * (size_t)PIECE, .n_scratch = en_encode_bytes(m.tokenizer, PIECE)};
  r.ids = malloc(r.cap * sizeof *r.ids);
  r.back = malloc(r.n_back);
  r.scratch = cli_alloc(r.n_scratch);
  if (!text || !r.ids || !r.back || !r.scratch) return 2;
  for (size_t at = 0; at < n; at += PIECE, n_pieces++) {
    size_t n_ids = 0;
    const int same = piece(m.tokenizer, &r, text + at, EN_MIN(n - at, (size_t)PIECE), &n_ids);
    if (same < 0) return fprintf(stderr, "%s: %s, from byte %zu\n", argv[1], argv[2], at), 1;
    n_same += (size_t)same;
    n_tokens += n_ids;
  }
  printf("{\"bytes\":%zu,\"tokens\":%zu,\"pieces\":%zu,\"same\":%zu}\n", n, n_tokens, n_pieces, n_same);
  free(r.ids);
  free(r.back);
  free(r.scratch);
  free(text);
  cli_close(&m);
  return 0;
}

/* tokens.c - edge-net tokens and detokenize: text to token ids and back. They read the head of the file only. */
#include "cli.h"
#include <stdlib.h>

static int open_tokenizer(cli_model *m, const char *path) {
  return cli_open(m, path, &(cli_open_spec){.head_only = 1, .need_tokenizer = 1}) == EN_OK;
}

enum { TOKENS_FILE, TOKENS_NO_BOS, TOKENS_SPECIAL };
static const arg_option tokens_options[] = {
    [TOKENS_FILE] = {.name = "f", .value = "FILE", .help = "the text, UTF-8", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [TOKENS_NO_BOS] = {.name = "no-bos", .help = "leave out the token that begins a text", .kind = ARG_FLAG},
    [TOKENS_SPECIAL] = {.name = "special", .help = "read special tokens in the text as such", .kind = ARG_FLAG},
};

static int run_tokens(const cli_args *a) {
  cli_model m;
  size_t n_bytes, n_ids = 0;
  char *text = cli_read_file(args_text(a, TOKENS_FILE), &n_bytes);
  if (!text) return 1;
  int32_t *ids = NULL;
  if (open_tokenizer(&m, a->argv[0])) {
    const int32_t flags = (args_given(a, TOKENS_NO_BOS) ? 0 : EN_TOK_BOS) | (args_given(a, TOKENS_SPECIAL) ? EN_TOK_SPECIAL : 0);
    ids = cli_encode(&m, text, n_bytes, flags, &n_ids);
    cli_close(&m);
  }
  free(text);
  if (!ids) return 1;
  for (size_t i = 0; i < n_ids; i++) printf(i ? " %d" : "%d", ids[i]);
  printf("\n");
  free(ids);
  return 0;
}

const cli_command cli_command_tokens = {
    .name = "tokens", .operands = "MODEL", .summary = "print the token ids of a text, on one line",
    .options = tokens_options, .n_options = sizeof tokens_options / sizeof *tokens_options,
    .min_operands = 1, .max_operands = 1, .run = run_tokens};

enum { DETOKENIZE_TOKENS, DETOKENIZE_SPECIAL };
static const arg_option detokenize_options[] = {
    [DETOKENIZE_TOKENS] = {.name = "tokens", .value = "1,2,3", .help = "the token ids", .kind = ARG_INTS, .max = INT32_MAX, .flags = ARG_REQUIRED},
    [DETOKENIZE_SPECIAL] = {.name = "special", .help = "write special tokens as their text, else they are left out", .kind = ARG_FLAG},
};

static int run_detokenize(const cli_args *a) {
  cli_model m;
  const arg_value *tokens = a->values + DETOKENIZE_TOKENS;
  if (!open_tokenizer(&m, a->argv[0])) return 1;
  size_t n = 0;
  const uint32_t n_vocab = en_tokenizer_special(m.tokenizer)->n_vocab;
  const int32_t flags = args_given(a, DETOKENIZE_SPECIAL) ? EN_TOK_SPECIAL : 0;
  int code = 0;
  for (size_t i = 0; i < tokens->n_ints && !code; i++)
    if ((uint32_t)tokens->ints[i] >= n_vocab) code = cli_fail(m.path, "token %d is not in the vocabulary of %u", tokens->ints[i], n_vocab);
  if (!code) {
    en_decode(m.tokenizer, tokens->ints, tokens->n_ints, flags, 1, NULL, 0, &n);
    char *text = malloc(n + 1);
    if (text && en_decode(m.tokenizer, tokens->ints, tokens->n_ints, flags, 1, text, n, &n) == EN_OK) fwrite(text, 1, n, stdout);
    else code = cli_fail(m.path, "the tokens could not be decoded");
    free(text);
  }
  cli_close(&m);
  return code;
}

const cli_command cli_command_detokenize = {
    .name = "detokenize", .operands = "MODEL", .summary = "print the text of token ids",
    .notes = "The exact bytes, no newline behind them.",
    .options = detokenize_options, .n_options = sizeof detokenize_options / sizeof *detokenize_options,
    .min_operands = 1, .max_operands = 1, .run = run_detokenize};

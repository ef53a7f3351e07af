/* tokenizer.c - edge-net tokenizer train: learns a byte-level BPE vocabulary and writes it as the tokenizer part of a GGUF file. */
#include "../core/format/gguf_write.h"
#include "../core/text/text.h"
#include "../core/text/unicode.h"
#include "adapters.h"
#include "bpe_train.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { K_DATA, K_OUT, K_VOCAB, K_PRE, K_SPECIAL, K_LEAST, K_BLANK_APART, K_QUIET };
static const arg_option options[] = {
    [K_DATA] = {.name = "data", .value = "FILE", .help = "text, or .jsonl with lines of {\"text\"} or {\"input\", \"output\"}; may be given several times", .kind = ARG_TEXTS, .flags = ARG_REQUIRED},
    [K_OUT] = {.name = "out", .value = "FILE.gguf", .help = "the vocabulary", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [K_VOCAB] = {.name = "vocab", .value = "N", .help = "tokens in all: special ones, 256 bytes, merges", .kind = ARG_INT, .min = 257, .max = 1 << 20, .flags = ARG_REQUIRED},
    [K_PRE] = {.name = "pre", .value = "NAME", .help = "how text is cut into words (tokenizer.ggml.pre; default gpt-2)", .kind = ARG_TEXT},
    [K_SPECIAL] = {.name = "special", .value = "TEXT", .help = "a special token, may be given several times; the first ends texts (default <|endoftext|>)", .kind = ARG_TEXTS},
    [K_BLANK_APART] = {.name = "blank-apart", .help = "the blank before a word is a token of its own: small models copy words more easily", .kind = ARG_FLAG},
    [K_LEAST] = {.name = "least", .value = "N", .help = "merge no pair that occurs less often", .kind = ARG_INT, .min = 1, .max = INT32_MAX, .fallback = 2},
    [K_QUIET] = {.name = "quiet", .help = "no progress on stderr", .kind = ARG_FLAG},
};
enum { MOST_SPECIALS = 256 };

/* ---- data ---- */

static int add_string(cli_bpe *b, const json *j, uint32_t node) {
  if (json_kind_of(j, node) != JSON_STRING) return 1;
  const size_t cap = (size_t)j->nodes[node].n_bytes + 1;
  char *text = malloc(cap);
  const int ok = text && (!json_string(j, node, text, cap) || cli_bpe_add(b, text, strlen(text)));
  free(text);
  return ok || (cli_fail(NULL, "no memory for the words"), 0);
}

static int add_lines(cli_bpe *b, const char *path, const char *text, size_t n) {
  unsigned long line = 1;
  for (const char *end, *p = text; p < text + n; p = end + 1, line++) {
    json j;
    const char *error;
    size_t at;
    end = memchr(p, '\n', (size_t)(text + n - p));
    if (!end) end = text + n;
    if (strspn(p, " \t\r") >= (size_t)(end - p)) continue;
    if (!json_read(&j, p, (size_t)(end - p), &error, &at)) return cli_fail(path, "line %lu: %s", line, error), 0;
    const int ok = add_string(b, &j, json_get(&j, 0, "text")) && add_string(b, &j, json_get(&j, 0, "input")) && add_string(b, &j, json_get(&j, 0, "output"));
    json_free(&j);
    if (!ok) return 0;
  }
  return 1;
}

static int add_file(cli_bpe *b, const char *path) {
  size_t n;
  const size_t n_path = strlen(path);
  char *text = cli_read_file(path, &n);
  if (!text) return 0;
  const int lines = n_path > 6 && !strcmp(path + n_path - 6, ".jsonl");
  const int ok = lines ? add_lines(b, path, text, n) : cli_bpe_add(b, text, n) || (cli_fail(path, "no memory for its words"), 0);
  free(text);
  return ok;
}

/* ---- the file ---- */

/* A symbol as token text; its length. dst has room for two bytes for each of the symbol's. */
static size_t spell(const cli_bpe *b, uint32_t symbol, char *dst) {
  size_t n, k = 0;
  const char *bytes = cli_bpe_text(b, symbol, &n);
  for (size_t i = 0; i < n; i++) k += (size_t)en_utf8_put(en_bpe_character((uint8_t)bytes[i]), dst + k);
  return k;
}

/* The 256 bytes in the order of the characters that spell them: the order that vocabularies list them in. */
static void alphabet(uint32_t order[256]) {
  uint32_t n = 0;
  for (uint32_t character = 0; n < 256; character++)
    for (uint32_t byte = 0; byte < 256; byte++)
      if (en_bpe_character(byte) == character) order[n++] = byte;
}

typedef struct { const cli_bpe *bpe; const cli_bpe_merge *merges; uint32_t n_merges; const char *const *specials; uint32_t n_specials; const char *pre; char *buffer; } vocabulary;

static size_t write_vocabulary(void *dst, size_t cap, const vocabulary *v) {
  const uint32_t n_tokens = v->n_specials + 256 + v->n_merges;
  uint32_t order[256];
  en_gguf_writer g;
  alphabet(order);
  en_gguf_begin(&g, dst, cap);
  en_gguf_key_text(&g, "tokenizer.ggml.model", "gpt2");
  en_gguf_key_text(&g, "tokenizer.ggml.pre", v->pre);
  en_gguf_key_array(&g, "tokenizer.ggml.tokens", EN_GGUF_STR, n_tokens);
  for (uint32_t i = 0; i < v->n_specials; i++) en_gguf_string(&g, v->specials[i], strlen(v->specials[i]));
  for (uint32_t i = 0; i < 256 + v->n_merges; i++) en_gguf_string(&g, v->buffer, spell(v->bpe, i < 256 ? order[i] : i, v->buffer));
  en_gguf_key_array(&g, "tokenizer.ggml.token_type", EN_GGUF_I32, n_tokens);
  for (uint32_t i = 0; i < n_tokens; i++) en_put32(&g.w, i < v->n_specials ? EN_TOKEN_CONTROL : EN_TOKEN_NORMAL);
  en_gguf_key_array(&g, "tokenizer.ggml.merges", EN_GGUF_STR, v->n_merges);
  for (uint32_t i = 0; i < v->n_merges; i++) {
    size_t n = spell(v->bpe, v->merges[i].left, v->buffer);
    v->buffer[n++] = ' ';
    n += spell(v->bpe, v->merges[i].right, v->buffer + n);
    en_gguf_string(&g, v->buffer, n);
  }
  en_gguf_key_u32(&g, "tokenizer.ggml.eos_token_id", 0);
  en_gguf_key_bool(&g, "tokenizer.ggml.add_bos_token", 0);
  en_gguf_pad(&g.w); /* where tensor data would begin */
  en_gguf_end(&g);
  return g.w.n;
}

static int save(const vocabulary *v, const char *path) {
  const size_t n = write_vocabulary(NULL, 0, v);
  void *file = malloc(n);
  if (file) write_vocabulary(file, n, v);
  const int ok = file ? cli_write_file(path, file, n) : (cli_fail(path, "no memory for %zu bytes", n), 0);
  free(file);
  return ok;
}

/* ---- the command ---- */

static void show(uint32_t done, uint32_t of) {
  if (done % 256 == 0 || done == of) fprintf(stderr, "%s%u of %u merges%s", isatty(2) ? "\r" : "", done, of, isatty(2) && done < of ? "" : "\n");
}

static size_t longest(const cli_bpe *b, uint32_t n_merges) {
  size_t most = 0, n;
  for (uint32_t s = 0; s < 256 + n_merges; s++) cli_bpe_text(b, s, &n), most = EN_MAX(most, n);
  return most;
}

static int train(const cli_args *a, cli_bpe *b, const char *const *specials, uint32_t n_specials, const char *pre) {
  const arg_value *data = a->values + K_DATA;
  const uint32_t n_vocab = (uint32_t)args_int(a, K_VOCAB);
  for (int i = 0; i < data->given; i++)
    if (!add_file(b, data->texts[i])) return 1;
  if (n_vocab < 256 + n_specials) return cli_fail(NULL, "--vocab %u: 256 bytes and %u special tokens do not fit", n_vocab, n_specials);
  vocabulary v = {.bpe = b, .specials = specials, .n_specials = n_specials, .pre = pre};
  v.merges = cli_bpe_learn(b, n_vocab - 256 - n_specials, (uint64_t)args_int(a, K_LEAST), args_given(a, K_QUIET) ? NULL : show, &v.n_merges);
  v.buffer = v.merges ? malloc(4 * longest(b, v.n_merges) + 8) : NULL;
  if (!v.buffer) return cli_fail(NULL, "no memory for %zu different words", cli_bpe_words(b));
  const int ok = save(&v, args_text(a, K_OUT));
  free(v.buffer);
  if (ok) printf("%u tokens (%u special, 256 bytes, %u merges) from %zu different words: %s\n", 256 + n_specials + v.n_merges, n_specials, v.n_merges, cli_bpe_words(b), args_text(a, K_OUT));
  return !ok;
}

static int run(const cli_args *a) {
  static const char *const usual[] = {"<|endoftext|>"};
  if (strcmp(a->argv[0], "train")) return cli_fail(NULL, "tokenizer %s: must be train", a->argv[0]);
  const arg_value *given = a->values + K_SPECIAL;
  const char *pre_name = args_given(a, K_PRE) ? args_text(a, K_PRE) : "gpt-2";
  const en_pretokenizer *pre = en_pretokenizer_find(pre_name, strlen(pre_name));
  if (!pre) return cli_fail(NULL, "--pre %s: not a pre-tokenizer that we know", pre_name);
  if (given->given > MOST_SPECIALS) return cli_fail(NULL, "more than %d special tokens", MOST_SPECIALS);
  const char *const *specials = given->given ? given->texts : usual;
  const uint32_t n_specials = given->given ? (uint32_t)given->given : 1;
  for (uint32_t i = 0; i < n_specials; i++)
    for (uint32_t k = 0; k <= i; k++)
      if (!specials[i][0] || (k < i && !strcmp(specials[i], specials[k]))) return cli_fail(NULL, "--special \"%s\": empty or given twice", specials[i]);
  cli_bpe *b = cli_bpe_new(pre, specials, n_specials, args_given(a, K_BLANK_APART));
  const int code = b ? train(a, b, specials, n_specials, pre_name) : cli_fail(NULL, "no memory");
  cli_bpe_free(b);
  return code;
}

const cli_command cli_command_tokenizer = {
    .name = "tokenizer", .operands = "train", .summary = "learn a byte-level BPE vocabulary from texts",
    .notes = "Special tokens come first (ids from 0), then the bytes, then merges, most frequent first; of equally frequent pairs the greatest in byte order.\n"
             "The file holds tokenizer.ggml.* and nothing else.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

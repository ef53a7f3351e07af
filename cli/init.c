/* init.c - edge-net init: a model of chosen size with random weights in F32, to be trained from nothing. Its tokenizer is that of another file.
 * Weights are normal with deviation 0.02, those that write into the residual stream divided by sqrt(2 layers) (Radford et al. 2019); norms are 1, biases 0.
 * The same numbers on every machine. */
#include "../core/format/gguf_write.h"
#include "../core/quant/quant.h"
#include "adapters.h"
#include "source.h"
#include <math.h>
#include <stdlib.h>

enum { I_TOKENIZER, I_ARCH, I_LAYERS, I_WIDTH, I_HEADS, I_KV_HEADS, I_HEAD_SIZE, I_FF, I_CONTEXT, I_ROPE_BASE, I_EPS, I_UNTIED, I_NAME, I_SEED };
static const arg_option options[] = {
    [I_TOKENIZER] = {.name = "tokenizer", .value = "FILE.gguf", .help = "where the vocabulary and its metadata are copied from", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [I_ARCH] = {.name = "arch", .value = "llama|qwen2", .help = "(default llama)", .kind = ARG_TEXT},
    [I_LAYERS] = {.name = "layers", .value = "N", .help = "layers", .kind = ARG_INT, .min = 1, .max = 512, .fallback = 6},
    [I_WIDTH] = {.name = "width", .value = "N", .help = "embedding length", .kind = ARG_INT, .min = 8, .max = 65536, .fallback = 256},
    [I_HEADS] = {.name = "heads", .value = "N", .help = "query heads", .kind = ARG_INT, .min = 1, .max = 1024, .fallback = 8},
    [I_KV_HEADS] = {.name = "kv-heads", .value = "N", .help = "key and value heads (default: as many)", .kind = ARG_INT, .min = 1, .max = 1024},
    [I_HEAD_SIZE] = {.name = "head-size", .value = "N", .help = "(default width / heads)", .kind = ARG_INT, .min = 2, .max = 1024},
    [I_FF] = {.name = "ff", .value = "N", .help = "feed-forward width (default 8/3 of the width, rounded up to 32)", .kind = ARG_INT, .min = 8, .max = 1 << 20},
    [I_CONTEXT] = {.name = "context", .value = "N", .help = "context length", .kind = ARG_INT, .min = 8, .max = 1 << 20, .fallback = 1024},
    [I_ROPE_BASE] = {.name = "rope-base", .value = "X", .help = "base of the rotary angles", .kind = ARG_NUMBER, .min = 1, .max = 1e9, .fallback = 10000},
    [I_EPS] = {.name = "eps", .value = "X", .help = "epsilon of the norms", .kind = ARG_NUMBER, .min = 1e-12, .max = 1e-2, .fallback = 1e-5},
    [I_UNTIED] = {.name = "untied", .help = "an output matrix of its own (default: the token embedding)", .kind = ARG_FLAG},
    [I_NAME] = {.name = "name", .value = "TEXT", .help = "general.name", .kind = ARG_TEXT},
    [I_SEED] = {.name = "seed", .value = "N", .help = "of the weights", .kind = ARG_INT, .max = INT32_MAX},
};

typedef struct { uint32_t layers, width, heads, kv_heads, head, ff, context, vocab; const char *arch; } sizes;
/* The file in the making: first the head is counted, then it is written, then the tensors' numbers follow. */
typedef struct {
  en_gguf_writer g;
  uint64_t seed, n_made;
  size_t data;         /* where the tensors' numbers go on, once the head is written */
  int with_data;
} maker;

/* ---- metadata ---- */

static const char *key_of(char buffer[96], const char *arch, const char *key) {
  snprintf(buffer, 96, "%s.%s", arch, key);
  return buffer;
}
static void kv_u32(maker *m, const char *arch, const char *key, uint32_t value) {
  char name[96];
  en_gguf_key_u32(&m->g, key_of(name, arch, key), value);
}
static void kv_f32(maker *m, const char *arch, const char *key, double value) {
  char name[96];
  en_gguf_key_f32(&m->g, key_of(name, arch, key), (float)value);
}

static void put_metadata(maker *m, const cli_args *a, const sizes *s, const en_gguf *tokenizer) {
  en_gguf_key_text(&m->g, "general.architecture", s->arch);
  if (args_text(a, I_NAME)) en_gguf_key_text(&m->g, "general.name", args_text(a, I_NAME));
  kv_u32(m, "general", "file_type", 0);
  kv_u32(m, s->arch, "vocab_size", s->vocab);
  kv_u32(m, s->arch, "context_length", s->context);
  kv_u32(m, s->arch, "embedding_length", s->width);
  kv_u32(m, s->arch, "block_count", s->layers);
  kv_u32(m, s->arch, "feed_forward_length", s->ff);
  kv_u32(m, s->arch, "attention.head_count", s->heads);
  kv_u32(m, s->arch, "attention.head_count_kv", s->kv_heads);
  kv_u32(m, s->arch, "attention.key_length", s->head);
  kv_u32(m, s->arch, "attention.value_length", s->head);
  kv_u32(m, s->arch, "rope.dimension_count", s->head);
  kv_f32(m, s->arch, "rope.freq_base", args_number(a, I_ROPE_BASE));
  kv_f32(m, s->arch, "attention.layer_norm_rms_epsilon", args_number(a, I_EPS));
  for (uint64_t i = 0; i < tokenizer->n_kv; i++) /* everything that tells of the tokenizer, as it stands in the other file */
    if (tokenizer->kv[i].key_bytes >= 10 && !memcmp(tokenizer->kv[i].key, "tokenizer.", 10)) en_gguf_copy(&m->g, &tokenizer->kv[i]);
}

/* ---- tensors ---- */

/* About normal with deviation 1: twelve uniform numbers. */
static double normal(uint64_t seed, uint64_t i) {
  double sum = -6;
  for (uint64_t k = 0; k < 12; k++) sum += en_uniform(seed, i * 12 + k);
  return sum;
}

/* rows 0: a vector of cols. Every number is mean + deviation * normal. */
static void tensor(maker *m, const char *name, uint32_t rows, uint32_t cols, double mean, double deviation) {
  const uint64_t ne[] = {cols, rows}, n = (uint64_t)EN_MAX(rows, 1) * cols, seed = m->seed + ++m->n_made;
  if (!m->with_data) { en_gguf_declare(&m->g, name, strlen(name), EN_F32, ne, rows ? 2 : 1); return; }
  float *to = (float *)(void *)(m->g.w.p + m->data);
  for (uint64_t i = 0; i < n; i++) to[i] = (float)(mean + (deviation > 0 ? deviation * normal(seed, i) : 0));
  m->data += (size_t)en_gguf_padded(n * 4);
}

static void layer(maker *m, const sizes *s, uint32_t l) {
  const double small = 0.02, into_residual = 0.02 / sqrt(2.0 * s->layers);
  const uint32_t q = s->heads * s->head, k = s->kv_heads * s->head;
  const struct { const char *name; uint32_t rows, cols; double mean, deviation; int qwen2; } all[] = {
    {"attn_norm.weight", 0, s->width, 1, 0, 0},
    {"attn_q.weight", q, s->width, 0, small, 0}, {"attn_k.weight", k, s->width, 0, small, 0}, {"attn_v.weight", k, s->width, 0, small, 0},
    {"attn_q.bias", 0, q, 0, 0, 1}, {"attn_k.bias", 0, k, 0, 0, 1}, {"attn_v.bias", 0, k, 0, 0, 1},
    {"attn_output.weight", s->width, q, 0, into_residual, 0}, {"ffn_norm.weight", 0, s->width, 1, 0, 0},
    {"ffn_gate.weight", s->ff, s->width, 0, small, 0}, {"ffn_up.weight", s->ff, s->width, 0, small, 0}, {"ffn_down.weight", s->width, s->ff, 0, into_residual, 0}};
  char name[64];
  for (int i = 0; i < EN_COUNT(all); i++) {
    if (all[i].qwen2 && strcmp(s->arch, "qwen2")) continue;
    snprintf(name, sizeof name, "blk.%u.%s", l, all[i].name);
    tensor(m, name, all[i].rows, all[i].cols, all[i].mean, all[i].deviation);
  }
}

static void put_tensors(maker *m, const sizes *s, int untied) {
  m->n_made = 0;
  tensor(m, "token_embd.weight", s->vocab, s->width, 0, 0.02);
  for (uint32_t l = 0; l < s->layers; l++) layer(m, s, l);
  tensor(m, "output_norm.weight", 0, s->width, 1, 0);
  if (untied) tensor(m, "output.weight", s->vocab, s->width, 0, 0.02);
}

/* The head into p[cap], or only its length; then *n_file is that of the whole file. */
static size_t make_head(maker *m, uint8_t *p, size_t cap, const cli_args *a, const sizes *s, const en_gguf *tokenizer, uint64_t *n_file) {
  en_gguf_begin(&m->g, p, cap);
  put_metadata(m, a, s, tokenizer);
  put_tensors(m, s, args_given(a, I_UNTIED));
  en_gguf_end(&m->g);
  *n_file = m->g.w.n + m->g.offset;
  return m->g.w.n;
}

static int make(const cli_args *a, const sizes *s, const en_gguf *tokenizer) {
  maker m = {.seed = (uint64_t)args_int(a, I_SEED) << 32};
  uint64_t n_file;
  const size_t n_head = make_head(&m, NULL, 0, a, s, tokenizer, &n_file);
  uint8_t *file = n_file < SIZE_MAX / 2 ? cli_alloc((size_t)n_file) : NULL;
  if (!file) return cli_fail(a->argv[0], "no memory for %llu bytes", (unsigned long long)n_file), 0;
  memset(file, 0, (size_t)n_file);
  make_head(&m, file, n_head, a, s, tokenizer, &n_file);
  m.with_data = 1;
  m.data = n_head;
  put_tensors(&m, s, args_given(a, I_UNTIED));
  const int ok = cli_write_file(a->argv[0], file, (size_t)n_file);
  if (ok) printf("%s: %s, %.2f million parameters in F32\n", a->argv[0], s->arch, (double)(n_file - n_head) / 4e6);
  free(file);
  return ok;
}

static int settle(const cli_args *a, sizes *s) {
  *s = (sizes){.layers = (uint32_t)args_int(a, I_LAYERS), .width = (uint32_t)args_int(a, I_WIDTH), .heads = (uint32_t)args_int(a, I_HEADS), .kv_heads = (uint32_t)args_int(a, I_KV_HEADS),
    .head = (uint32_t)args_int(a, I_HEAD_SIZE), .ff = (uint32_t)args_int(a, I_FF), .context = (uint32_t)args_int(a, I_CONTEXT), .arch = args_text(a, I_ARCH) ? args_text(a, I_ARCH) : "llama"};
  if (!args_given(a, I_KV_HEADS)) s->kv_heads = s->heads;
  if (!args_given(a, I_HEAD_SIZE)) s->head = s->width / s->heads;
  if (!args_given(a, I_FF)) s->ff = (s->width * 8 / 3 + 31) / 32 * 32;
  if (strcmp(s->arch, "llama") && strcmp(s->arch, "qwen2")) return cli_fail(NULL, "--arch %s: must be llama or qwen2", s->arch), 0;
  if (s->head < 2 || s->head % 2) return cli_fail(NULL, "heads of %u numbers: the rotary embedding needs an even number", s->head), 0;
  if (s->heads % s->kv_heads) return cli_fail(NULL, "%u query heads cannot share %u key and value heads", s->heads, s->kv_heads), 0;
  return 1;
}

static int run(const cli_args *a) {
  const char *path = args_text(a, I_TOKENIZER);
  sizes s;
  cli_source source;
  en_why why = {""};
  if (!settle(a, &s)) return 2;
  if (cli_source_open(&source, path, 1, &why) != EN_OK) return cli_fail(path, "%s", why.text);
  const en_value *tokens = en_gguf_find(&source.g, "tokenizer.ggml.tokens");
  int ok = tokens && tokens->type == EN_GGUF_ARR && tokens->n > 0 && tokens->n < 1 << 24;
  if (!ok) cli_fail(path, "it has no vocabulary");
  else s.vocab = (uint32_t)tokens->n;
  ok = ok && make(a, &s, &source.g);
  cli_source_close(&source);
  return ok ? 0 : 1;
}

const cli_command cli_command_init = {
    .name = "init", .operands = "OUT.gguf", .summary = "a new model with random weights, for train --full",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

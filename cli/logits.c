/* logits.c - edge-net logits: the raw logits of every position, and the loop over slices that parity and perplexity share. */
#include "logits.h"
#include "adapters.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int32_t cli_logits(const cli_model *m, const cli_logits_spec *spec, const int32_t *ids, size_t n, cli_logits_row *row, void *ud, en_why *why) {
  const uint32_t n_vocab = m->info.n_vocab;
  uint8_t want[LOGITS_SLICE];
  en_session *session;
  void *mem;
  int32_t status = EN_OK;
  if (!m->info.has_logits) return en_fail(why, EN_E_UNSUPPORTED, "this model gives embeddings, no logits");
  for (size_t i = 0; i < n; i++)
    if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab) return en_fail(why, EN_E_ARG, "token %d is not in the vocabulary of %u", ids[i], n_vocab);
  const en_session_spec session_spec = {.n_ctx = spec->n_ctx, .n_batch = LOGITS_SLICE, .n_logits = LOGITS_SLICE, .kv_type = spec->kv_type};
  EN_TRY(cli_session(m, &session_spec, &session, &mem, why));
  if (n > en_session_n_ctx(session)) status = en_fail(why, EN_E_ARG, "%z tokens do not fit into a context of %u", (uint64_t)n, en_session_n_ctx(session));
  for (size_t at = 0; status == EN_OK && at < n; at += LOGITS_SLICE) {
    const size_t n_slice = EN_MIN(n - at, (size_t)LOGITS_SLICE);
    for (size_t i = 0; i < n_slice; i++) want[i] = at + i >= spec->first;
    status = en_eval(session, &(en_batch){.n = (uint32_t)n_slice, .ids = ids + at, .want = want}, why);
    uint32_t r = 0;
    for (size_t i = 0; status == EN_OK && i < n_slice; i++)
      if (want[i]) status = row(ud, at + i, en_logits(session, r++), n_vocab, why);
  }
  free(mem);
  return status;
}

enum { LOGITS_TOKENS, LOGITS_OUT, LOGITS_CTX, LOGITS_KERNELS, LOGITS_THREADS, LOGITS_KV, LOGITS_ADAPTER };
static const arg_option options[] = {
    [LOGITS_TOKENS] = {.name = "tokens", .value = "1,2,3", .help = "the token ids", .kind = ARG_INTS, .max = INT32_MAX, .flags = ARG_REQUIRED},
    [LOGITS_OUT] = {.name = "out", .value = "FILE.f32", .help = "where to write them", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [LOGITS_CTX] = {.name = "ctx", .value = "N", .help = "positions of the context (default: the model's own, at most 4096)", .kind = ARG_INT, .max = 1 << 24},
    [LOGITS_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table: auto, ref, or one that `capabilities` lists", .kind = ARG_TEXT},
    [LOGITS_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [LOGITS_KV] = {.name = "kv", .value = "f32|f16|q8_0", .help = "type of the cached keys and values (default f32)", .kind = ARG_TEXT},
    [LOGITS_ADAPTER] = CLI_ADAPTER_OPTION,
};

int cli_read_kv(const char *text, uint32_t *kv_type) {
  static const char *const names[EN_KV_TYPES] = {[EN_KV_F32] = "f32", [EN_KV_F16] = "f16", [EN_KV_Q8_0] = "q8_0"};
  for (*kv_type = 0; *kv_type < EN_KV_TYPES; ++*kv_type)
    if (!strcmp(text ? text : names[EN_KV_F32], names[*kv_type])) return 1;
  cli_fail(NULL, "--kv %s: must be f32, f16 or q8_0", text);
  return 0;
}

static int32_t write_row(void *ud, size_t position, const float *logits, uint32_t n_vocab, en_why *why) {
  (void)position;
  return fwrite(logits, sizeof *logits, n_vocab, (FILE *)ud) == n_vocab ? EN_OK : en_fail(why, EN_E_FULL, "the logits could not be written: %s", strerror(errno));
}

static int run(const cli_args *a) {
  cli_model m;
  uint32_t kv_type;
  en_why why = {""};
  const arg_value *tokens = a->values + LOGITS_TOKENS;
  const char *path = args_text(a, LOGITS_OUT);
  if (!cli_read_kv(args_text(a, LOGITS_KV), &kv_type)) return 2;
  if (cli_open(&m, a->argv[0], &(cli_open_spec){.kernels = args_text(a, LOGITS_KERNELS), .n_threads = args_int(a, LOGITS_THREADS), .adapters = a->values + LOGITS_ADAPTER}) != EN_OK) return 1;
  FILE *f = fopen(path, "wb");
  int code = f ? 0 : cli_fail(path, "%s", strerror(errno));
  const cli_logits_spec spec = {.n_ctx = (uint32_t)args_int(a, LOGITS_CTX), .kv_type = kv_type};
  if (f && cli_logits(&m, &spec, tokens->ints, tokens->n_ints, write_row, f, &why) != EN_OK) code = cli_fail(m.path, "%s", why.text);
  if (f && fclose(f) && !code) code = cli_fail(path, "%s", strerror(errno));
  if (f && code) remove(path); /* no half file that looks like a whole one */
  cli_close(&m);
  return code;
}

const cli_command cli_command_logits = {
    .name = "logits", .operands = "MODEL", .summary = "write the logits of every position of a token sequence",
    .notes = "FILE.f32: little-endian float32 [tokens, vocabulary]. The tokens are fed as they are; nothing is added.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

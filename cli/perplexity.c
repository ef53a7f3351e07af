/* perplexity.c - edge-net perplexity: how well the model predicts a text, window by window, as llama.cpp's tool counts it. */
#include "adapters.h"
#include "divergence.h"
#include "logits.h"
#include <math.h>
#include <stdlib.h>

enum { PPL_FILE, PPL_CTX, PPL_KERNELS, PPL_THREADS, PPL_KV, PPL_JSON, PPL_ADAPTER, PPL_SAVE, PPL_KLD };
static const arg_option options[] = {
    [PPL_FILE] = {.name = "f", .value = "FILE", .help = "the text, UTF-8", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [PPL_CTX] = {.name = "ctx", .value = "N", .help = "tokens per window", .kind = ARG_INT, .min = 4, .max = INT32_MAX, .fallback = 512},
    [PPL_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table (default auto)", .kind = ARG_TEXT},
    [PPL_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [PPL_KV] = {.name = "kv", .value = "f32|f16|q8_0", .help = "type of the cached keys and values (default f32)", .kind = ARG_TEXT},
    [PPL_JSON] = {.name = "json", .help = "print one JSON object", .kind = ARG_FLAG},
    [PPL_ADAPTER] = CLI_ADAPTER_OPTION,
    [PPL_SAVE] = {.name = "save-logits", .value = "FILE", .help = "keep the logits that are scored: four bytes for each token of the vocabulary and each position", .kind = ARG_TEXT},
    [PPL_KLD] = {.name = "kld", .value = "FILE", .help = "compare with kept logits of the base model: Kullback-Leibler divergence, most likely tokens", .kind = ARG_TEXT},
};

/* Sum of -log p(next token) and of its squares, over what has been scored. */
typedef struct { const int32_t *ids; size_t n, scored; double nll, nll2; cli_out *save; divergence *base; /* or NULL */ } score;

static int32_t add_row(void *ud, size_t position, const float *logits, uint32_t n_vocab, en_why *why) {
  score *s = ud;
  if (position + 1 >= s->n) return EN_OK; /* nothing follows the last token */
  const double nll = en_surprise(logits, n_vocab, s->ids[position + 1], NULL);
  if (!isfinite(nll)) return en_fail(why, EN_E_NUMERIC, "the logits of position %z are not finite", (uint64_t)position);
  if (s->save && !cli_out_put(s->save, logits, n_vocab * sizeof *logits)) return en_fail(why, EN_E_FULL, "the logits could not be kept");
  if (s->base) EN_TRY(divergence_add(s->base, logits, s->ids[position + 1], why));
  s->nll += nll;
  s->nll2 += nll * nll;
  s->scored++;
  return EN_OK;
}

/* Every window begins with BOS if the model wants one. */
static void begin_windows(const cli_model *m, size_t n_ctx, int32_t *ids, size_t n) {
  const en_special *special = en_tokenizer_special(m->tokenizer);
  for (size_t w = 0; w < n / n_ctx; w++)
    if (special->add_bos && special->bos >= 0) ids[w * n_ctx] = special->bos;
}

/* Windows of n_ctx tokens one after another; the second half of each is scored, so that every scored token has at least half a window before it.
 * A text shorter than a window is one window, scored from its first token. */
static int32_t score_text(const cli_model *m, cli_logits_spec *spec, const int32_t *ids, size_t n, score *s, en_why *why) {
  const size_t n_ctx = spec->n_ctx, n_windows = n / n_ctx;
  if (n < 2) return en_fail(why, EN_E_ARG, "the text has %z tokens, at least 2 are needed", (uint64_t)n);
  if (n_windows == 0) {
    s->ids = ids;
    s->n = n;
    spec->first = 0;
    return cli_logits(m, spec, ids, n, add_row, s, why);
  }
  spec->first = n_ctx / 2;
  for (size_t w = 0; w < n_windows; w++) {
    s->ids = ids + w * n_ctx;
    s->n = n_ctx;
    EN_TRY(cli_logits(m, spec, s->ids, n_ctx, add_row, s, why));
  }
  return EN_OK;
}

static void report(const cli_args *a, const score *s, size_t n) {
  const double mean = s->nll / (double)s->scored, variance = s->nll2 / (double)s->scored - mean * mean;
  const double ppl = exp(mean), error = s->scored > 1 ? ppl * sqrt(fmax(0, variance) / (double)(s->scored - 1)) : 0;
  if (args_given(a, PPL_JSON)) printf("{");
  if (s->base) divergence_report(s->base, mean, args_given(a, PPL_JSON));
  if (args_given(a, PPL_JSON))
    printf("\"perplexity\":%.9g,\"standard_error\":%.6g,\"nll_mean\":%.9g,\"tokens\":%zu,\"scored\":%zu,\"ctx\":%d}\n", ppl, error, mean, n, s->scored, args_int(a, PPL_CTX));
  else
    printf("perplexity %.6g +- %.3g (%zu of %zu tokens scored, windows of %d)\n", ppl, error, s->scored, n, args_int(a, PPL_CTX));
}

static int32_t open_files(const cli_args *a, const cli_model *m, const cli_logits_spec *spec, const int32_t *ids, size_t n, score *s, en_why *why) {
  if (s->base) EN_TRY(divergence_open(s->base, args_text(a, PPL_KLD), m->info.n_vocab, spec->n_ctx, ids, n, why));
  if (s->save && !(cli_out_open(s->save, args_text(a, PPL_SAVE)) && divergence_write_head(s->save, m->info.n_vocab, spec->n_ctx, ids, n))) return EN_E_FULL; /* it was said */
  return EN_OK;
}

static int run(const cli_args *a) {
  cli_model m;
  cli_logits_spec spec = {.n_ctx = (uint32_t)args_int(a, PPL_CTX)};
  size_t n_bytes, n;
  en_why why = {""};
  cli_out save = {0};
  divergence base = {0};
  score s = {.save = args_text(a, PPL_SAVE) ? &save : NULL, .base = args_text(a, PPL_KLD) ? &base : NULL};
  int code = 1;
  if (!cli_read_kv(args_text(a, PPL_KV), &spec.kv_type)) return 2;
  char *text = cli_read_file(args_text(a, PPL_FILE), &n_bytes);
  if (!text) return 1;
  if (cli_open(&m, a->argv[0], &(cli_open_spec){.need_tokenizer = 1, .kernels = args_text(a, PPL_KERNELS), .n_threads = args_int(a, PPL_THREADS), .adapters = a->values + PPL_ADAPTER}) == EN_OK) {
    int32_t *ids = cli_encode(&m, text, n_bytes, EN_TOK_BOS, &n);
    if (ids) {
      begin_windows(&m, spec.n_ctx, ids, n);
      code = open_files(a, &m, &spec, ids, n, &s, &why) == EN_OK && score_text(&m, &spec, ids, n, &s, &why) == EN_OK ? 0 : 1;
      if (code && why.text[0]) cli_fail(m.path, "%s", why.text);
    }
    if (s.save && !cli_out_close(s.save, !code)) code = 1;
    if (!code) report(a, &s, n);
    if (s.base) divergence_close(s.base);
    free(ids);
    cli_close(&m);
  }
  free(text);
  return code;
}

const cli_command cli_command_perplexity = {
    .name = "perplexity", .operands = "MODEL", .summary = "measure how well the model predicts a text",
    .notes = "The text is cut into windows of --ctx tokens; the second half of each is scored (exp of the mean negative log likelihood).\n"
             "A text shorter than one window is scored from its first token on.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

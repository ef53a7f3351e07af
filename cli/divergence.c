/* divergence.c - see divergence.h. */
#include "divergence.h"
#include "../core/base/base.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { HEAD = 24, VERSION = 1 };

int divergence_write_head(cli_out *out, uint32_t n_vocab, uint32_t window, const int32_t *ids, size_t n) {
  const uint32_t head[4] = {0x474c4e45 /* "ENLG" */, VERSION, n_vocab, window};
  const uint64_t count = n;
  return cli_out_put(out, head, sizeof head) && cli_out_put(out, &count, sizeof count) && cli_out_put(out, ids, n * sizeof *ids);
}

static int32_t check_head(divergence *d, uint32_t n_vocab, uint32_t window, const int32_t *ids, size_t n, en_why *why) {
  unsigned char head[HEAD];
  if (fread(head, 1, HEAD, d->f) != HEAD || memcmp(head, "ENLG", 4) || en_rd32(head + 4) != VERSION) return en_fail(why, EN_E_FORMAT, "these are no logits that perplexity --save-logits wrote");
  if (en_rd32(head + 8) != n_vocab) return en_fail(why, EN_E_ARG, "the logits are of a vocabulary of %u, the model has %u", en_rd32(head + 8), n_vocab);
  if (en_rd32(head + 12) != window) return en_fail(why, EN_E_ARG, "the logits are of windows of %u tokens, not %u", en_rd32(head + 12), window);
  int same = en_rd64(head + 16) == n;
  for (size_t i = 0; same && i < n; i++) {
    int32_t id = -1;
    same = fread(&id, sizeof id, 1, d->f) == 1 && id == ids[i];
  }
  return same ? EN_OK : en_fail(why, EN_E_ARG, "the logits are of another text, or of another tokenizer");
}

int32_t divergence_open(divergence *d, const char *path, uint32_t n_vocab, uint32_t window, const int32_t *ids, size_t n, en_why *why) {
  *d = (divergence){.f = fopen(path, "rb"), .n_vocab = n_vocab, .cap = n, .row = malloc(n_vocab * sizeof(float)), .kld = malloc((n + 1) * sizeof(float))};
  if (!d->f) return en_fail(why, EN_E_ARG, "--kld: %s: %s", path, strerror(errno));
  if (!d->row || !d->kld) return en_fail(why, EN_E_NOMEM, "no memory");
  en_why inner = {""};
  const int32_t status = check_head(d, n_vocab, window, ids, n, &inner);
  return status == EN_OK ? EN_OK : en_fail(why, status, "--kld: %s: %s", path, inner.text);
}

static uint32_t top_of(const float *x, uint32_t n) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < n; i++)
    if (x[i] > x[best]) best = i;
  return best;
}
/* log of the sum of exp(x). */
static double log_sum(const float *x, uint32_t n) {
  const double max = (double)x[top_of(x, n)];
  double sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += exp((double)x[i] - max);
  return max + log(sum);
}

/* sum p log(p / q), p being the file's. */
int32_t divergence_add(divergence *d, const float *logits, int32_t next, en_why *why) {
  const uint32_t n = d->n_vocab;
  if (d->n == d->cap || fread(d->row, sizeof(float), n, d->f) != n) return en_fail(why, EN_E_FORMAT, "the file of logits ends too early");
  const double lp = log_sum(d->row, n), lq = log_sum(logits, n);
  double kld = 0;
  for (uint32_t i = 0; i < n; i++) {
    const double p = (double)d->row[i] - lp;
    kld += exp(p) * (p - ((double)logits[i] - lq));
  }
  if (!isfinite(kld)) return en_fail(why, EN_E_NUMERIC, "the logits are not finite");
  d->kld[d->n++] = (float)fmax(0, kld);
  d->nll += lp - (double)d->row[next];
  d->same_top += top_of(d->row, n) == top_of(logits, n);
  return EN_OK;
}

static int by_size(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

void divergence_report(divergence *d, double nll_mean, int json) {
  double sum = 0, squares = 0;
  const size_t n = d->n ? d->n : 1;
  for (size_t i = 0; i < d->n; i++) sum += (double)d->kld[i], squares += (double)d->kld[i] * (double)d->kld[i];
  qsort(d->kld, d->n, sizeof *d->kld, by_size);
  const double mean = sum / (double)n, error = d->n > 1 ? sqrt(fmax(0, squares / (double)n - mean * mean) / (double)(d->n - 1)) : 0, top = (double)d->same_top / (double)n;
  const double ratio = exp(nll_mean - d->nll / (double)n);
#define AT(percent) (d->n ? (double)d->kld[(size_t)((double)(d->n - 1) * (percent) / 100 + 0.5)] : 0)
  if (json)
    printf("\"kld\":{\"mean\":%.6g,\"standard_error\":%.3g,\"median\":%.6g,\"p90\":%.6g,\"p99\":%.6g,\"max\":%.6g},\"same_top\":%.6g,\"perplexity_ratio\":%.9g,", mean, error, AT(50), AT(90), AT(99), AT(100), top, ratio);
  else
    printf("divergence from the base: mean %.4g +- %.2g, median %.4g, 90 %% %.4g, 99 %% %.4g, most %.4g nats\nsame most likely token at %.3g %% of the positions; perplexity is %.6g times the base's\n", mean, error, AT(50), AT(90), AT(99), AT(100), 100 * top, ratio);
#undef AT
}

void divergence_close(divergence *d) {
  if (d->f) fclose(d->f);
  free(d->row);
  free(d->kld);
  *d = (divergence){0};
}

/* conv.c - causal convolution of every channel by itself, then silu: y_t = silu(b + sum over k < K of w_k x_(t-K+1+k)), zeros before the first token.
 * The last K - 1 inputs of every channel are the beginning of a sequence's state: [channels, K - 1]. */
#include "layers_internal.h"
#include <math.h>

enum { BLOCK = 64 /* channels of a unit */ };

float *en_state(const en_run *r, const en_chain *chain, int32_t lane, int32_t at, int32_t n) {
  const size_t all = (size_t)r->c->n_state;
  const uint8_t now = r->state_now ? r->state_now[chain->seq] : EN_STATE_NEW;
  float *state = r->state + (r->state_now ? (size_t)chain->seq * 2 : (size_t)lane) * all + at, *to = state + (now & EN_STATE_TO ? all : 0);
  const float *from = state + (now & EN_STATE_FROM ? all : 0);
  if (now & EN_STATE_NEW) memset(to, 0, (size_t)n * sizeof *to);
  else if (from != to) memcpy(to, from, (size_t)n * sizeof *to);
  return to;
}

int32_t en_blocks(int32_t n, int32_t block) { return (n + block - 1) / block; }

/* The next sum of a channel; x takes its place in the history h[K - 1]. */
static float next_sum(float *h, const float *w, int32_t K, float bias, float x) {
  for (int32_t k = 0; k < K - 1; k++) bias += w[k] * h[k];
  for (int32_t k = 0; k < K - 2; k++) h[k] = h[k + 1];
  h[K - 2] = x;
  return bias + w[K - 1] * x;
}

/* One unit is (chain, block of channels). */
static void conv_units(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_row_job *j = ctx;
  const en_run *r = j->r;
  const int32_t K = r->c->ssm.conv, channels = (int32_t)en_slot_width(r, j->s->in), n_blocks = en_blocks(channels, BLOCK);
  const float *w = en_vector(r, j->s->w), *bias = en_vector(r, j->s->b);
  for (int32_t unit = lo; unit < hi; unit++) {
    const en_chain *chain = &r->chains[unit / n_blocks];
    const int32_t c0 = unit % n_blocks * BLOCK, n = EN_MIN(BLOCK, channels - c0);
    float *h = en_state(r, chain, lane, c0 * (K - 1), n * (K - 1)), sigma[BLOCK];
    for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
      const float *x = en_slot_row(r, j->s->in, t) + c0;
      float *y = en_slot_row(r, j->s->out, t) + c0;
      for (int32_t i = 0; i < n; i++) y[i] = next_sum(h + i * (K - 1), w + (c0 + i) * K, K, bias ? bias[c0 + i] : 0, x[i]);
      en_sigmoid(r->k, sigma, y, n);
      r->k->times(y, y, sigma, n);
    }
  }
}

int32_t en_conv_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  const en_row_job job = {r, step};
  (void)n_steps;
  en_parallel(r->host, conv_units, &job, r->n_chains * en_blocks((int32_t)en_slot_width(r, step->in), BLOCK), 1);
  return 1;
}

/* One channel of a chain: with a the sum, s = sigmoid(a), da = dy s (1 + a (1 - s)), and w_k da belongs to the input that w_k met. */
static void back_channel(const en_back *b, const en_step *s, const en_chain *chain, int32_t c) {
  const en_run *r = b->r;
  const int32_t K = r->c->ssm.conv;
  const float *w = en_vector(r, s->w) + c * K, *bias = en_vector(r, s->b);
  float h[EN_MAX_CONV] = {0};
  int32_t row[EN_MAX_CONV];
  for (int32_t k = 0; k < K; k++) row[k] = -1;
  for (int32_t t = chain->first; t >= 0; t = r->next[t]) {
    const float a = next_sum(h, w, K, bias ? bias[c] : 0, en_slot_row(r, s->in, t)[c]), sigma = 1 / (1 + expf(-a));
    const float da = en_grad_row(b, s->out, t)[c] * sigma * (1 + a * (1 - sigma));
    for (int32_t k = 0; k < K - 1; k++) row[k] = row[k + 1];
    row[K - 1] = t;
    for (int32_t k = 0; k < K; k++)
      if (row[k] >= 0) en_grad_row(b, s->in, row[k])[c] += w[k] * da;
  }
}

static void conv_back_channels(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const en_back_job *j = ctx;
  (void)lane;
  for (int32_t i = 0; i < j->b->r->n_chains; i++)
    for (int32_t c = lo; c < hi; c++) back_channel(j->b, j->s, &j->b->r->chains[i], c);
}

void en_conv_backward(const en_back *b, const en_step *step) {
  const en_back_job job = {b, step};
  en_parallel(b->r->host, conv_back_channels, &job, (int32_t)en_slot_width(b->r, step->in), BLOCK);
  en_grad_clear(b, step->out);
}

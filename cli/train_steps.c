/* train_steps.c - the loop of `edge-net train`: micro-batches, steps, what is held out, progress, the interrupt. */
#include "../core/base/base.h"
#include "train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if !defined(__wasi__)
#include <signal.h>
#endif

/* Samples which[0..n-1] as tokens side by side. */
static en_train_batch pack_tokens(training *t, const uint32_t *which, uint32_t n) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < n; i++)
    for (size_t k = t->data.start[which[i]]; k < t->data.start[which[i] + 1]; k++, at++) {
      t->ids[at] = t->data.ids[k];
      t->weight[at] = t->data.weight[k];
      t->segment[at] = cli_goal_is_pairs(t->goal.spec.loss) ? 2 * i + (t->data.weight[k] > 0) : i;
    }
  return (en_train_batch){.n = at, .ids = t->ids, .segment = t->segment, .weight = t->weight};
}

/* The same with all that the loss wants. number: of this micro-batch in the run; it decides what is masked. */
static int32_t pack(training *t, const uint32_t *which, uint32_t n, uint64_t number, en_train_batch *b, en_why *why) {
  *b = pack_tokens(t, which, n);
  EN_TRY(cli_goal_fill(&t->goal, b, t->ids, &t->data, which, n, number, why));
  return train_add_prefix(t, which, n, b, why);
}

/* Mean loss of the samples that were held out; NaN without any. */
static int32_t evaluate(training *t, double *mean, en_why *why) {
  const uint32_t batch = (uint32_t)args_int(t->a, T_BATCH);
  en_train_loss sum = {0, 0}, part;
  for (uint32_t at = t->n_train; at < t->data.n; at += batch) {
    const uint32_t n = EN_MIN(batch, t->data.n - at);
    en_train_batch b;
    EN_TRY(pack(t, t->sample + at, n, UINT32_MAX + (uint64_t)at, &b, why));
    EN_TRY(en_train_evaluate(t->trainer, &b, &part, why));
    sum.loss += part.loss;
    sum.weight += part.weight;
  }
  *mean = sum.weight > 0 ? sum.loss / sum.weight : NAN;
  return EN_OK;
}

/* Negatives of InfoNCE are all pairs of a step: their embeddings first, when they do not fit into one micro-batch (GradCache, Gao et al. 2021). */
static int32_t collect_rows(training *t, uint64_t first, uint32_t n_samples, en_train_batch *shared, en_why *why) {
  const uint32_t batch = (uint32_t)args_int(t->a, T_BATCH);
  const size_t width = t->m.info.n_embd;
  *shared = (en_train_batch){0};
  if (t->goal.spec.loss != EN_LOSS_INFONCE || n_samples <= batch) return EN_OK;
  float *rows = realloc(t->rows, 2 * n_samples * width * sizeof *rows);
  if (!rows) return en_fail(why, EN_E_NOMEM, "no memory for the embeddings of %u pairs", n_samples);
  t->rows = rows;
  for (uint32_t at = 0, n; at < n_samples; at += n) {
    en_train_batch b;
    en_train_loss unused;
    uint32_t n_rows;
    n = EN_MIN(batch, n_samples - at);
    EN_TRY(pack(t, t->order + first + at, n, 0, &b, why));
    EN_TRY(en_train_evaluate(t->trainer, &b, &unused, why));
    const float *own = en_train_rows(t->trainer, &n_rows);
    memcpy(rows + 2 * at * width, own, n_rows * width * sizeof *rows);
  }
  *shared = (en_train_batch){.rows = rows, .n_rows = 2 * n_samples};
  return EN_OK;
}

static int32_t one_step(training *t, en_why *why) {
  const uint32_t batch = (uint32_t)args_int(t->a, T_BATCH), accum = (uint32_t)args_int(t->a, T_ACCUM);
  const uint64_t epoch = t->step / t->per_epoch, in_epoch = t->step % t->per_epoch;
  const double lr = en_schedule_lr(&t->schedule, t->step), start = cli_now_ms(NULL), cpu = cli_cpu_ms();
  en_train_loss sum = {0, 0}, part;
  double norm, tokens = 0;
  if (t->step == t->first || in_epoch == 0) { /* order: positions in the epoch -> samples */
    en_shuffle(t->order, t->n_train, (uint64_t)args_int(t->a, T_SEED), epoch);
    for (uint32_t i = 0; i < t->n_train; i++) t->order[i] = t->sample[t->order[i]];
  }
  const uint64_t from = in_epoch * accum * batch;
  en_train_batch shared;
  EN_TRY(collect_rows(t, from, (uint32_t)EN_MIN((uint64_t)accum * batch, t->n_train - from), &shared, why));
  for (uint32_t k = 0; k < accum; k++) {
    const uint64_t at = from + (uint64_t)k * batch;
    if (at >= t->n_train) break;
    const uint32_t n = (uint32_t)EN_MIN((uint64_t)batch, t->n_train - at);
    en_train_batch b;
    EN_TRY(pack(t, t->order + at, n, t->step * accum + k, &b, why));
    b.rows = shared.rows;
    b.n_rows = shared.n_rows;
    b.first_row = shared.rows ? 2 * k * batch : 0;
    EN_TRY(en_train_accumulate(t->trainer, &b, &part, why));
    sum.loss += part.loss;
    sum.weight += part.weight;
    tokens += b.n;
  }
  EN_TRY(en_train_step(t->trainer, lr, &norm, why));
  t->loss_last = sum.loss / sum.weight;
  if (t->step == t->first) t->loss_first = t->loss_last;
  t->tokens += tokens;
  t->ms += cli_now_ms(NULL) - start;
  t->cpu_ms += cli_cpu_ms() - cpu;
  t->step++;
  if (t->csv) fprintf(t->csv, "%llu,%llu,%.9g,%.9g,%.9g,%.0f\n", (unsigned long long)t->step, (unsigned long long)epoch, lr, t->loss_last, norm, tokens);
  return EN_OK;
}

static void progress(const training *t) {
  const int tty = isatty(STDERR_FILENO);
  const uint64_t steps = t->schedule.steps, every = tty ? 1 : EN_MAX(steps / 10, 1);
  if (args_given(t->a, T_QUIET) || (t->step % every && t->step != steps)) return;
  fprintf(stderr, "%sstep %llu of %llu, epoch %llu, loss %.4f, %.0f tokens a second%s", tty ? "\r" : "", (unsigned long long)t->step, (unsigned long long)steps,
          (unsigned long long)((t->step - 1) / t->per_epoch + 1), t->loss_last, t->ms > 0 ? t->tokens / t->ms * 1e3 : 0, tty ? "\033[K" : "\n");
  if (tty && t->step == steps) fputs("\n", stderr);
}

#if defined(__wasi__)
static int interrupted(void) { return 0; }
static void watch_interrupt(void) {}
#else
static volatile sig_atomic_t interrupt; /* the only way from a signal handler */
static void on_interrupt(int number) {
  interrupt = 1;
  signal(number, SIG_DFL); /* a second one ends the process */
}
static int interrupted(void) { return interrupt; }
static void watch_interrupt(void) { signal(SIGINT, on_interrupt); }
#endif

int train_loop(training *t) {
  const uint64_t every = (uint64_t)args_int(t->a, T_SAVE_EVERY), last = args_given(t->a, T_STOP_AFTER) ? t->first + (uint64_t)args_int(t->a, T_STOP_AFTER) : t->schedule.steps;
  en_why why = {""};
  int32_t status = evaluate(t, &t->eval_first, &why);
  watch_interrupt();
  while (status == EN_OK && t->step < EN_MIN(last, t->schedule.steps) && !interrupted()) {
    status = one_step(t, &why);
    if (status != EN_OK) break;
    progress(t);
    if (every && t->step % every == 0 && t->step < t->schedule.steps && !train_save(t)) return 0;
  }
  if (status == EN_OK) status = evaluate(t, &t->eval_last, &why);
  return status == EN_OK || (cli_fail(t->m.path, "step %llu: %s", (unsigned long long)t->step + 1, why.text), 0);
}

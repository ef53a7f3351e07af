/* parity_train.c - see parity_train.h. The bounds are those that the fixtures state. */
#include "parity_train.h"
#include "../core/base/base.h"
#include "../core/format/safetensors.h"
#include "logits.h"
#include "train_case.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct { const char *path, *table; parity_report *report; void *ud; } context;

static void say(const context *x, int verdict, const char *format, ...) CLI_PRINTF(3, 4);
static void say(const context *x, int verdict, const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  x->report(x->ud, verdict, x->table, text);
}

static void for_tables(context *x, const char *kernels, void (*work)(context *x, const void *ctx), const void *ctx) {
  for (int32_t i = 0; kernels ? i < 1 : en_kernels_name(i) != NULL; i++) {
    x->table = kernels ? kernels : en_kernels_name(i);
    work(x, ctx);
  }
}

static int beside(const char *path, const char *name, char *out) {
  const char *slash = strrchr(path, '/');
  return snprintf(out, TRAIN_CASE_PATH, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name) < TRAIN_CASE_PATH;
}

/* ---- training ---- */

static double bound_of(const train_case *c, uint32_t object, const char *key, double fallback) {
  double v;
  return json_number(&c->j, json_get(&c->j, object, key), &v) ? v : fallback;
}

/* Worst relative RMS over the factors against a file that the case names; -1: it cannot be read. start: compare the differences from it, or NULL. */
static double worst_factor(const train_case *c, uint32_t object, const char *key, const float *from, double divide, const float *start, const char *suffix) {
  char name[256], path[TRAIN_CASE_PATH];
  size_t n = 0;
  double worst = -1;
  en_safetensors s;
  en_st_tensor t;
  if (!json_string(&c->j, json_get(&c->j, object, key), name, sizeof name) || !beside(c->path, name, path)) return -1;
  char *file = cli_read_file(path, &n);
  int ok = file && en_safetensors_open(&s, file, n, NULL) == EN_OK;
  uint64_t found = 0;
  for (train_factor f = {.name = ""}; ok && train_case_next(c, &f); found++) {
    const size_t count = f.rank * f.length;
    float *got = malloc(3 * count * sizeof *got), *want = got + count, *first = want + count;
    snprintf(name, sizeof name, "%s%s", f.name, suffix);
    ok = got && en_safetensors_find(&s, name, &t) && en_st_is_float(&t) && t.n_elems == count;
    if (ok) {
      double error = 0, sum = 0;
      train_case_factor(got, &f, from, divide);
      en_st_read(want, &t, 0, count);
      if (start) train_case_factor(first, &f, start, 1);
      for (size_t i = 0; i < count; i++) {
        const double w = (double)want[i] - (start ? (double)first[i] : 0), e = (double)got[i] - (double)want[i];
        error += e * e;
        sum += w * w;
      }
      worst = fmax(worst, sqrt(error / sum));
    }
    free(got);
  }
  ok = ok && found == s.n_tensors;
  free(file);
  return ok ? worst : -1;
}

static int within(double got, double bound) { return got >= 0 && got < bound; } /* and not NaN */

static void check_gradients(const context *x, train_case *c) {
  double loss, norm, want = NAN, want_norm = NAN;
  uint64_t n;
  en_why why = {""};
  if (train_case_begin(c, JSON_NONE, &why) != EN_OK || train_case_gradients(c, &loss, &norm, &why) != EN_OK) { say(x, PARITY_FAILED, "%s", why.text); return; }
  json_number(&c->j, json_get(&c->j, 0, "loss"), &want);
  json_number(&c->j, json_get(&c->j, 0, "grad_norm"), &want_norm);
  const double loss_bound = bound_of(c, 0, "tolerance_loss_rel", 0), bound = bound_of(c, 0, "tolerance_grad_rel_rms", 0), targets = bound_of(c, 0, "n_target_tokens", json_get(&c->j, 0, "pairs") == JSON_NONE ? 0 : c->j.nodes[json_get(&c->j, 0, "pairs")].n);
  const double loss_error = fabs(loss - want) / want, norm_error = fabs(norm - want_norm) / want_norm;
  const double worst = worst_factor(c, 0, "grad", en_trainer_gradients(c->trainer, &n), targets, NULL, ".grad");
  say(x, within(loss_error, loss_bound) && within(norm_error, bound) && within(worst, bound), "loss off by %.2g (bound %.2g), gradients by %.2g, their norm by %.2g (bound %.2g)", loss_error, loss_bound, worst, norm_error, bound);
}

static double worst_loss(const train_case *c, uint32_t run, const train_trace *t, double least) {
  double worst = 0, want = NAN;
  for (uint32_t k = 0; k <= t->n; k++) {
    const uint32_t node = k < t->n ? json_item(&c->j, json_get(&c->j, run, "loss"), k) : json_get(&c->j, run, "loss_after");
    if (!json_number(&c->j, node, &want)) return -1;
    const double error = fabs((k < t->n ? t->loss[k] : t->loss_after) - want) / fmax(want, least);
    if (!(error <= worst)) worst = error; /* NaN stays */
  }
  return worst;
}

static void check_run(const context *x, train_case *c, uint32_t run) {
  char name[64] = "";
  en_why why = {""};
  uint64_t n;
  train_trace *t = malloc(sizeof *t);
  float *start = NULL;
  json_string(&c->j, json_get(&c->j, run, "name"), name, sizeof name);
  int ok = t && train_case_begin(c, run, &why) == EN_OK;
  if (ok) {
    en_trainer_gradients(c->trainer, &n);
    start = malloc((size_t)n * sizeof *start);
    if (start) memcpy(start, train_case_params(c), (size_t)n * sizeof *start);
    ok = start && train_case_steps(c, run, t, &why) == EN_OK;
  }
  if (ok) {
    const double loss_bound = bound_of(c, run, "tolerance_loss_rel", 0), final_bound = bound_of(c, run, "tolerance_final_rel_rms", 0), update_bound = bound_of(c, run, "tolerance_update_rel_rms", 0);
    const double loss = worst_loss(c, run, t, bound_of(c, run, "tolerance_loss_floor", 0));
    const double final = worst_factor(c, run, "final", train_case_params(c), 1, NULL, ""), update = worst_factor(c, run, "final", train_case_params(c), 1, start, "");
    say(x, within(loss, loss_bound) && within(final, final_bound) && within(update, update_bound), "%s: losses off by %.2g (bound %.2g), adapter by %.2g (%.2g), update by %.2g (%.2g)", name, loss, loss_bound, final, final_bound, update, update_bound);
  } else {
    say(x, PARITY_FAILED, "%s: %s", name, why.text[0] ? why.text : "no memory");
  }
  free(start);
  free(t);
}

static void train_table(context *x, const void *unused) {
  train_case c;
  en_why why = {""};
  (void)unused;
  const int32_t status = train_case_open(&c, x->path, x->table, &why);
  if (status == EN_OK) {
    const uint32_t runs = json_get(&c.j, 0, "runs");
    uint32_t item, n_runs = 0;
    check_gradients(x, &c);
    for (; (item = json_item(&c.j, runs, n_runs)) != JSON_NONE; n_runs++) check_run(x, &c, item);
    if (!n_runs) say(x, PARITY_FAILED, "there are no runs");
  } else {
    say(x, status == EN_E_UNSUPPORTED ? PARITY_SKIPPED : PARITY_FAILED, "%s", why.text);
  }
  train_case_close(&c);
}

void parity_train(const char *path, const char *kernels, parity_report *report, void *ud) {
  context x = {.path = path, .report = report, .ud = ud};
  for_tables(&x, kernels, train_table, NULL);
}

/* ---- adapters ---- */

typedef struct { const float *want; double error, sum; size_t n; } distance;
static int32_t add_row(void *ud, size_t position, const float *logits, uint32_t n_vocab, en_why *why) {
  distance *d = ud;
  (void)why;
  for (uint32_t i = 0; i < n_vocab; i++) {
    const double w = (double)d->want[position * n_vocab + i], e = (double)logits[i] - w;
    d->error += e * e;
    d->sum += w * w;
  }
  d->n++;
  return EN_OK;
}

typedef struct { const json *j; const int32_t *ids; size_t n; const char *form; double scale; } lora_case;

static void lora_table(context *x, const void *ctx) {
  const lora_case *l = ctx;
  const json *j = l->j;
  char model[TRAIN_CASE_PATH], name[256], given[TRAIN_CASE_PATH + 40], adapter[TRAIN_CASE_PATH], expected[TRAIN_CASE_PATH];
  double bound = 0, scale;
  cli_logits_spec spec = {0};
  en_why why = {""};
  uint32_t item, i = 0;
  size_t n_expected = 0;
  if (json_number(j, json_get(j, 0, "n_ctx"), &scale)) spec.n_ctx = (uint32_t)EN_MIN(EN_MAX(scale, 0), 65536);
  json_number(j, json_get(j, 0, "tolerance"), &bound);
  /* The entry of `expected` for this scale. */
  const uint32_t list = json_get(j, 0, "expected");
  while ((item = json_item(j, list, i++)) != JSON_NONE && !(json_number(j, json_get(j, item, "scale"), &scale) && scale == l->scale)) {}
  int ok = json_string(j, json_get(j, item, "file"), name, sizeof name) && beside(x->path, name, expected);
  ok = ok && json_string(j, json_get(j, 0, "base"), name, sizeof name) && beside(x->path, name, model);
  ok = ok && json_string(j, json_get(j, 0, l->form), name, sizeof name) && beside(x->path, name, adapter);
  if (!ok) { say(x, PARITY_FAILED, "%s: the case names no files", l->form); return; }
  snprintf(given, sizeof given, "%s:%.17g", adapter, l->scale);
  const char *texts[] = {given};
  const arg_value adapters = {.given = 1, .texts = texts};
  cli_model m;
  const int32_t status = cli_open(&m, model, &(cli_open_spec){.kernels = x->table, .quiet = 1, .why = &why, .adapters = &adapters});
  if (status != EN_OK) { say(x, status == EN_E_UNSUPPORTED ? PARITY_SKIPPED : PARITY_FAILED, "%s: %s", l->form, why.text[0] ? why.text : "it cannot be read"); return; }
  char *want = cli_read_file(expected, &n_expected);
  distance d = {.want = (const float *)(const void *)want};
  if (!want || n_expected != l->n * m.info.n_vocab * sizeof(float)) say(x, PARITY_FAILED, "%s: the expected logits are missing or have another shape", l->form);
  else if (cli_logits(&m, &spec, l->ids, l->n, add_row, &d, &why) != EN_OK) say(x, PARITY_FAILED, "%s: %s", l->form, why.text);
  else say(x, d.n == l->n && within(sqrt(d.error / d.sum), bound), "%s at scale %g: rel_rms %.3g (bound %.3g)", l->form, l->scale, sqrt(d.error / d.sum), bound);
  free(want);
  cli_close(&m);
}

void parity_lora(const char *path, const json *j, const char *kernels, parity_report *report, void *ud) {
  static const char *const forms[] = {"adapter_gguf", "adapter_peft"};
  const uint32_t tokens = json_get(j, 0, "tokens"), list = json_get(j, 0, "expected");
  context x = {.path = path, .table = "", .report = report, .ud = ud};
  double value;
  size_t n = 0;
  uint32_t item, i = 0;
  int32_t *ids = malloc(((json_kind_of(j, tokens) == JSON_ARRAY ? j->nodes[tokens].n : 0) + 1) * sizeof *ids);
  while (ids && json_number(j, json_item(j, tokens, (uint32_t)n), &value) && value >= 0 && value < INT32_MAX) ids[n++] = (int32_t)value;
  for (; n && (item = json_item(j, list, i)) != JSON_NONE; i++)
    for (int form = 0; form < 2; form++) {
      lora_case l = {j, ids, n, forms[form], 1};
      json_number(j, json_get(j, item, "scale"), &l.scale);
      for_tables(&x, kernels, lora_table, &l);
    }
  if (!i) say(&x, PARITY_FAILED, "there are no tokens, or nothing is expected");
  free(ids);
}

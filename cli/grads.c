/* grads.c - edge-net grads: the gradients of a training fixture as a file, and the trace of one of its runs, to be compared elsewhere. */
#include "../core/base/base.h"
#include "../core/format/safetensors.h"
#include "adapters.h"
#include "train_case.h"
#include <stdlib.h>
#include <string.h>

enum { G_OUT, G_RUN, G_TRACE, G_FINAL, G_KERNELS };
static const arg_option options[] = {
    [G_OUT] = {.name = "out", .value = "FILE.safetensors", .help = "the gradients of the case's batch: dA [rank, in], dB [out, rank], named as the case's", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [G_RUN] = {.name = "run", .value = "NAME", .help = "a run of the case to do, for --trace and --final", .kind = ARG_TEXT},
    [G_TRACE] = {.name = "trace", .value = "FILE.json", .help = "loss, gradient norm and rate of every step of the run", .kind = ARG_TEXT},
    [G_FINAL] = {.name = "final", .value = "FILE.safetensors", .help = "the adapter after the run", .kind = ARG_TEXT},
    [G_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table: auto, ref, or one that `capabilities` lists", .kind = ARG_TEXT},
};

/* All factors from a flat array in the adapter's order. */
static int write_factors(const train_case *c, const char *path, const float *from, double divide, const char *suffix) {
  en_st_writer w;
  char *file = NULL, name[96];
  float *values = NULL;
  int ok = 1;
  for (int pass = 0; ok && pass < 2; pass++) { /* first count, then write */
    size_t most = 0;
    const size_t cap = pass ? w.w.n : 0;
    if (pass) ok = (file = malloc(cap)) != NULL;
    en_st_begin(&w, file, cap);
    for (train_factor f = {.name = ""}; ok && train_case_next(c, &f);) {
      snprintf(name, sizeof name, "%s%s", f.name, suffix);
      en_st_declare(&w, name, f.is_b ? f.length : f.rank, f.is_b ? f.rank : f.length);
      most = EN_MAX(most, f.rank * f.length);
    }
    en_st_head(&w);
    if (!values) ok = ok && (values = malloc(most * sizeof *values)) != NULL;
    for (train_factor f = {.name = ""}; ok && train_case_next(c, &f);) {
      train_case_factor(values, &f, from, divide);
      en_put(&w.w, values, f.rank * f.length * sizeof *values);
    }
  }
  ok = ok ? cli_write_file(path, file, w.w.n) : (cli_fail(path, "no memory"), 0);
  free(values);
  free(file);
  return ok;
}

static void put_list(FILE *f, const char *key, const double *values, uint32_t n) {
  fprintf(f, ",\n  \"%s\": [", key);
  for (uint32_t i = 0; i < n; i++) fprintf(f, "%s%.17g", i ? ", " : "", values[i]);
  fputs("]", f);
}

static int write_trace(const char *path, const char *run, const char *kernels, const train_trace *trace) {
  FILE *f = fopen(path, "wb");
  if (!f) return cli_fail(path, "it cannot be written"), 0;
  fputs("{\n  \"run\": ", f);
  cli_json_text(f, run, strlen(run));
  fprintf(f, ",\n  \"kernels\": \"%s\"", kernels);
  put_list(f, "lr", trace->lr, trace->n);
  put_list(f, "loss", trace->loss, trace->n);
  put_list(f, "grad_norm", trace->norm, trace->n);
  fprintf(f, ",\n  \"loss_after\": %.17g\n}\n", trace->loss_after);
  const int ok = !ferror(f);
  return (!fclose(f) && ok) || (cli_fail(path, "it cannot be written"), 0);
}

static int work(train_case *c, const cli_args *a, en_why *why) {
  double loss, norm;
  uint64_t n;
  if (train_case_begin(c, JSON_NONE, why) != EN_OK || train_case_gradients(c, &loss, &norm, why) != EN_OK) return 0;
  double targets = 0;
  for (uint32_t i = 1; i < c->n; i++) targets += c->segment[i] == c->segment[i - 1] ? (double)c->weight[i] : 0;
  if (!write_factors(c, args_text(a, G_OUT), en_trainer_gradients(c->trainer, &n), targets, ".grad")) return 0;
  printf("loss %.9g, gradient norm %.9g, kernels %s\n", loss, norm, en_model_kernels(c->m.model));
  const char *name = args_text(a, G_RUN);
  if (!name) return 1;
  const uint32_t run = train_case_run(c, name);
  if (run == JSON_NONE) return en_fail(why, EN_E_ARG, "the case has no run %s", name) == EN_OK;
  train_trace *trace = malloc(sizeof *trace);
  int ok = trace && train_case_begin(c, run, why) == EN_OK && train_case_steps(c, run, trace, why) == EN_OK;
  if (ok) printf("run %s: loss %.9g -> %.9g after %u steps\n", name, trace->loss[0], trace->loss_after, trace->n);
  if (ok && args_text(a, G_TRACE)) ok = write_trace(args_text(a, G_TRACE), name, en_model_kernels(c->m.model), trace);
  if (ok && args_text(a, G_FINAL)) ok = write_factors(c, args_text(a, G_FINAL), train_case_params(c), 1, "");
  free(trace);
  return ok;
}

static int run(const cli_args *a) {
  train_case c;
  en_why why = {""};
  if ((args_text(a, G_TRACE) || args_text(a, G_FINAL)) && !args_text(a, G_RUN)) { cli_fail(NULL, "--trace and --final need --run"); return 2; }
  const int ok = train_case_open(&c, a->argv[0], args_text(a, G_KERNELS), &why) == EN_OK && work(&c, a, &why);
  if (!ok && why.text[0]) cli_fail(a->argv[0], "%s", why.text);
  train_case_close(&c);
  return ok ? 0 : 1;
}

const cli_command cli_command_grads = {
    .name = "grads", .operands = "CASE.json", .summary = "write the gradients of a training fixture",
    .notes = "CASE.json is a fixture of kind train-ce: base model, start adapter, sequences with loss masks. Gradients are those of the mean loss.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

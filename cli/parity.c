/* parity.c - edge-net parity: compares this build with fixtures, JSON files that name a model and the numbers it has to give. */
#include "../core/quant/quant.h"
#include "embed.h"
#include "json.h"
#include "logits.h"
#include "parity_train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARITY_KERNELS };
static const arg_option options[] = {
    [PARITY_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table (default: every one that runs here)", .kind = ARG_TEXT},
};

enum { PATH_BYTES = 1024 };
typedef struct { int passed, failed, skipped; } counts;
typedef struct {
  const char *path;    /* of the JSON file; what it names is beside it */
  json j;
  char name[128];
  const char *kernels; /* the only table to try, or NULL */
  counts *counts;
} fixture;

static void verdict(fixture *x, int ok) {
  if (ok) x->counts->passed++;
  else x->counts->failed++;
}
static void skip(fixture *x, const char *what, const char *why) {
  x->counts->skipped++;
  printf("skipped %s%s%s: %s\n", x->name, *what ? " " : "", what, why);
}
static void broken(fixture *x, const char *what, const char *why) {
  x->counts->failed++;
  printf("FAILED  %s%s%s: %s\n", x->name, *what ? " " : "", what, why);
}

/* A file that a member names, read whole; NULL after counting a failure. */
static char *read_named(fixture *x, uint32_t object, const char *key, char *path, size_t *n_bytes) {
  char name[256];
  const char *slash = strrchr(x->path, '/');
  if (!json_string(&x->j, json_get(&x->j, object, key), name, sizeof name) || (size_t)(slash ? slash - x->path + 1 : 0) + strlen(name) >= PATH_BYTES) {
    broken(x, key, "names no file");
    return NULL;
  }
  snprintf(path, PATH_BYTES, "%.*s%s", slash ? (int)(slash - x->path + 1) : 0, x->path, name);
  if (!n_bytes) return path;
  char *data = cli_read_file(path, n_bytes);
  if (!data) broken(x, path, "cannot be read");
  return data;
}

/* ---- logits ---- */
/* Sums over all rows: squared distance, squared expectation, and KL(expected || got). */
typedef struct { const float *expected; size_t n_rows; double err2, want2, kld; } distance;

static double log_sum_exp(const float *x, uint32_t n) {
  double max = -INFINITY, sum = 0;
  for (uint32_t i = 0; i < n; i++) max = fmax(max, (double)x[i]);
  for (uint32_t i = 0; i < n; i++) sum += exp((double)x[i] - max);
  return max + log(sum);
}

static int32_t compare_row(void *ud, size_t position, const float *got, uint32_t n_vocab, en_why *why) {
  distance *d = ud;
  (void)why;
  const float *want = d->expected + position * n_vocab;
  const double z_want = log_sum_exp(want, n_vocab), z_got = log_sum_exp(got, n_vocab);
  for (uint32_t i = 0; i < n_vocab; i++) {
    const double w = (double)want[i], g = (double)got[i];
    d->err2 += (g - w) * (g - w);
    d->want2 += w * w;
    d->kld += exp(w - z_want) * ((w - z_want) - (g - z_got));
  }
  d->n_rows++;
  return EN_OK;
}

/* Activations are rounded to 8 bits for quantized weights, and the fixture's bound allows for it; the table "ref" does not round,
 * so it has to be as near as float32 arithmetic comes. */
static const double FLOAT_BOUND = 2e-5;

static void one_table(fixture *x, const char *model, const char *table, const int32_t *ids, size_t n, const cli_logits_spec *spec, const char *expected, size_t n_expected) {
  cli_model m;
  en_why why = {""};
  double bound = 0, kld_bound = INFINITY;
  const int32_t status = cli_open(&m, model, &(cli_open_spec){.kernels = table, .quiet = 1, .why = &why});
  if (status == EN_E_UNSUPPORTED) { skip(x, table, why.text); return; }
  if (status != EN_OK) { broken(x, table, why.text); return; }
  const int quantized = json_kind_of(&x->j, json_get(&x->j, 0, "weight_type")) == JSON_STRING, is_ref = !strcmp(en_model_kernels(m.model), "ref");
  json_number(&x->j, json_get(&x->j, 0, "tolerance"), &bound);
  json_number(&x->j, json_get(&x->j, 0, "tolerance_kld_mean"), &kld_bound);
  if (quantized && is_ref) bound = EN_MIN(bound, FLOAT_BOUND);
  distance d = {.expected = (const float *)(const void *)expected};
  if (n_expected != n * m.info.n_vocab * sizeof(float)) broken(x, table, "the expected logits have another shape than the model's");
  else if (cli_logits(&m, spec, ids, n, compare_row, &d, &why) != EN_OK) broken(x, table, why.text);
  else {
    const double rel_rms = sqrt(d.err2 / d.want2), kld = d.kld / (double)d.n_rows;
    const int ok = d.n_rows == n && rel_rms < bound && kld < kld_bound;
    verdict(x, ok);
    printf("%s %-16s %-10s rel_rms %.3g (bound %.3g)", ok ? "ok     " : "FAILED ", x->name, en_model_kernels(m.model), rel_rms, bound);
    if (isfinite(kld_bound)) printf(", kld %.3g (bound %.3g)", kld, kld_bound);
    printf("\n");
  }
  cli_close(&m);
}

/* The member "tokens"; *n 0: it is missing. free() it. */
static int32_t *read_tokens(fixture *x, size_t *n) {
  double value;
  const uint32_t tokens = json_get(&x->j, 0, "tokens");
  int32_t *ids = malloc(((json_kind_of(&x->j, tokens) == JSON_ARRAY ? x->j.nodes[tokens].n : 0) + 1) * sizeof *ids);
  *n = 0;
  while (ids && json_number(&x->j, json_item(&x->j, tokens, (uint32_t)*n), &value) && value >= 0 && value < INT32_MAX) ids[(*n)++] = (int32_t)value;
  return ids;
}

static void logits_case(fixture *x) {
  char model[PATH_BYTES], path[PATH_BYTES];
  size_t n = 0, n_expected;
  double value;
  if (!read_named(x, 0, "model", model, NULL)) return;
  char *expected = read_named(x, 0, "expected", path, &n_expected);
  if (!expected) return;
  int32_t *ids = read_tokens(x, &n);
  cli_logits_spec spec = {0};
  if (json_number(&x->j, json_get(&x->j, 0, "n_ctx"), &value) && value > 0 && value < INT32_MAX) spec.n_ctx = (uint32_t)value;
  if (n == 0) broken(x, "tokens", "are missing");
  else if (x->kernels) one_table(x, model, x->kernels, ids, n, &spec, expected, n_expected);
  else
    for (int32_t i = 0; en_kernels_name(i); i++) one_table(x, model, en_kernels_name(i), ids, n, &spec, expected, n_expected);
  free(ids);
  free(expected);
}

/* ---- embeddings ---- */
typedef struct { const float *want; size_t n; double rel_rms; } vector_distance;

static int32_t compare_vector(void *ud, float *got, uint32_t size, en_why *why) {
  vector_distance *d = ud;
  double err = 0, all = 0;
  if (size != d->n) return en_fail(why, EN_E_ARG, "the embedding has %u values, the fixture %z", size, (uint64_t)d->n);
  for (uint32_t i = 0; i < size; i++) {
    err += ((double)got[i] - (double)d->want[i]) * ((double)got[i] - (double)d->want[i]);
    all += (double)d->want[i] * (double)d->want[i];
  }
  d->rel_rms = sqrt(err / all);
  return EN_OK;
}

static void embedding_table(fixture *x, const char *model, const char *table, cli_texts *text, const float *want, size_t n_want) {
  cli_model m;
  en_why why = {""};
  double bound = 0;
  vector_distance d = {want, n_want, INFINITY};
  const int32_t status = cli_open(&m, model, &(cli_open_spec){.kernels = table, .quiet = 1, .why = &why});
  if (status == EN_E_UNSUPPORTED) { skip(x, table, why.text); return; }
  if (status != EN_OK) { broken(x, table, why.text); return; }
  json_number(&x->j, json_get(&x->j, 0, "tolerance"), &bound);
  if (cli_embed(&m, &(cli_embed_spec){.pooling = EN_POOL_MODEL}, text, compare_vector, &d, &why) != EN_OK) broken(x, table, why.text);
  else {
    verdict(x, d.rel_rms < bound);
    printf("%s %-16s %-10s rel_rms %.3g (bound %.3g)\n", d.rel_rms < bound ? "ok     " : "FAILED ", x->name, en_model_kernels(m.model), d.rel_rms, bound);
  }
  cli_close(&m);
}

static void embedding_case(fixture *x) {
  char model[PATH_BYTES], path[PATH_BYTES];
  size_t n = 0, n_expected;
  if (!read_named(x, 0, "model", model, NULL)) return;
  char *expected = read_named(x, 0, "expected", path, &n_expected);
  int32_t *ids = expected ? read_tokens(x, &n) : NULL;
  cli_texts text = {ids, &n, 1};
  const float *want = (const float *)(const void *)expected;
  if (expected && !n) broken(x, "tokens", "are missing");
  else if (expected && x->kernels) embedding_table(x, model, x->kernels, &text, want, n_expected / sizeof *want);
  else
    for (int32_t i = 0; expected && en_kernels_name(i); i++) embedding_table(x, model, en_kernels_name(i), &text, want, n_expected / sizeof *want);
  free(ids);
  free(expected);
}

/* ---- blocks of weight types ---- */
static int same_values(const float *a, const float *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!(a[i] == b[i])) return 0;
  return 1;
}

static void compare_blocks(fixture *x, const en_type *t, const char *input, size_t n_input, const char *encoded, size_t n_encoded, const char *decoded, size_t n_decoded) {
  const size_t n = n_input / sizeof(float), n_blocks = n / (size_t)t->block;
  if (n == 0 || n % (size_t)t->block || n_encoded != n_blocks * (size_t)t->block_bytes || n_decoded != n_input) { broken(x, t->name, "the files' sizes do not belong together"); return; }
  float *values = cli_alloc(n_input);
  char *blocks = cli_alloc(n_encoded);
  if (!values || !blocks) broken(x, t->name, "no memory");
  else {
    t->encode(blocks, (const float *)(const void *)input, (int64_t)n, NULL);
    t->decode(values, encoded, (int64_t)n);
    const int encodes = !memcmp(blocks, encoded, n_encoded), decodes = same_values(values, (const float *)(const void *)decoded, n);
    verdict(x, encodes);
    verdict(x, decodes);
    printf("%s %-16s %-10s encodes %zu blocks, bytes %s\n", encodes ? "ok     " : "FAILED ", x->name, t->name, n_blocks, encodes ? "equal" : "differ");
    printf("%s %-16s %-10s decodes %zu blocks, values %s\n", decodes ? "ok     " : "FAILED ", x->name, t->name, n_blocks, decodes ? "equal" : "differ");
  }
  free(values);
  free(blocks);
}

static void blocks_case(fixture *x) {
  const uint32_t list = json_get(&x->j, 0, "blocks");
  uint32_t item;
  for (uint32_t i = 0; (item = json_item(&x->j, list, i)) != JSON_NONE; i++) {
    char type[32] = "", path[PATH_BYTES];
    size_t n_input, n_encoded, n_decoded;
    json_string(&x->j, json_get(&x->j, item, "type"), type, sizeof type);
    const en_type *t = en_type_by_name(type);
    if (!t) { skip(x, type, "this build has no such weight type"); continue; }
    char *input = read_named(x, item, "input", path, &n_input);
    char *encoded = input ? read_named(x, item, "encoded", path, &n_encoded) : NULL;
    char *decoded = encoded ? read_named(x, item, "decoded", path, &n_decoded) : NULL;
    if (decoded) compare_blocks(x, t, input, n_input, encoded, n_encoded, decoded, n_decoded);
    free(input);
    free(encoded);
    free(decoded);
  }
}

/* ---- adapters and training ---- */
static void add_verdict(void *ud, int result, const char *table, const char *text) {
  fixture *x = ud;
  if (result == PARITY_SKIPPED) { skip(x, table, text); return; }
  verdict(x, result == PARITY_OK);
  printf("%s %-16s %-10s %s\n", result == PARITY_OK ? "ok     " : "FAILED ", x->name, table, text);
}
static void training_case(fixture *x) { parity_train(x->path, x->kernels, add_verdict, x); }
static void adapter_case(fixture *x) { parity_lora(x->path, &x->j, x->kernels, add_verdict, x); }

static int one_file(const char *path, const char *kernels, counts *c) {
  static const struct { const char *kind; void (*run)(fixture *x); } kinds[] = {{"logits", logits_case}, {"embedding", embedding_case}, {"quant-blocks", blocks_case}, {"train-ce", training_case}, {"train-infonce", training_case}, {"lora-logits", adapter_case}};
  fixture x = {.path = path, .kernels = kernels, .counts = c};
  const char *error;
  size_t n, at;
  char kind[64] = "";
  char *text = cli_read_file(path, &n);
  if (!text) return 0;
  const int ok = json_read(&x.j, text, n, &error, &at);
  if (ok) {
    size_t k = 0;
    if (!json_string(&x.j, json_get(&x.j, 0, "name"), x.name, sizeof x.name)) snprintf(x.name, sizeof x.name, "%s", path);
    json_string(&x.j, json_get(&x.j, 0, "kind"), kind, sizeof kind);
    while (k < sizeof kinds / sizeof *kinds && strcmp(kinds[k].kind, kind)) k++;
    if (k < sizeof kinds / sizeof *kinds) kinds[k].run(&x);
    else skip(&x, kind, "this command does not know that kind of fixture");
    json_free(&x.j);
  } else {
    cli_fail(path, "%s at byte %zu", error, at);
  }
  free(text);
  return ok;
}

static int run(const cli_args *a) {
  const char *kernels = args_text(a, PARITY_KERNELS);
  counts c = {0};
  int32_t k = 0;
  while (kernels && en_kernels_name(k) && strcmp(en_kernels_name(k), kernels)) k++;
  if (kernels && !en_kernels_name(k)) return cli_fail(NULL, "--kernels %s: this machine has no such table; see edge-net capabilities", kernels);
  for (int i = 0; i < a->n_operands; i++)
    if (!one_file(a->argv[i], kernels, &c)) c.failed++;
  printf("%d passed, %d failed", c.passed, c.failed);
  if (c.skipped) printf(", %d skipped", c.skipped);
  printf("\n");
  return c.failed ? 1 : 0;
}

const cli_command cli_command_parity = {
    .name = "parity", .operands = "CASE.json...", .summary = "compare this build with reference results",
    .notes = "CASE.json names a model, tokens and the expected logits (kind logits) or embedding (kind embedding), or quantized blocks (kind quant-blocks); an adapter and its logits\n"
             "(kind lora-logits), or training with its gradients and losses (kinds train-ce and train-infonce). What this\n"
             "build cannot run is reported as skipped. The exit code is 1 if anything failed.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = -1, .run = run};

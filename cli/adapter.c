/* adapter.c - edge-net adapter: shows an adapter, turns llama.cpp's form into PEFT's and back, merges adapters into a model. */
#include "adapters.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { A_BASE, A_OUT, A_FORMAT, A_BASE_NAME, A_RSLORA, A_JSON };
static const arg_option options[] = {
    [A_BASE] = {.name = "base", .value = "MODEL", .help = "info, convert: the base model (GGUF); it says which rows belong together", .kind = ARG_TEXT},
    [A_OUT] = {.name = "out", .value = "PATH", .help = "convert: a folder (peft) or a file (gguf)", .kind = ARG_TEXT},
    [A_FORMAT] = {.name = "format", .value = "peft|gguf", .help = "convert: of PATH (default: gguf if it ends so, else peft)", .kind = ARG_TEXT},
    [A_BASE_NAME] = {.name = "base-name", .value = "TEXT", .help = "convert: the base model's name for PEFT's settings", .kind = ARG_TEXT},
    [A_RSLORA] = {.name = "rslora", .help = "convert: state alpha for PEFT's use_rslora (the function is the same)", .kind = ARG_FLAG},
    [A_JSON] = {.name = "json", .help = "info: print one JSON object", .kind = ARG_FLAG},
};

static const char *const targets[] = {"q", "k", "v", "o", "gate", "up", "down"};
enum { N_TARGETS = sizeof targets / sizeof *targets };

/* Sum of squares of B A, the update without its scale, in O(rank^2 (rows + cols)): trace of (A A') (B' B). Both are kept with a row per rank. */
static double squared_norm(const float *a, uint32_t cols, const float *b, uint32_t rows, uint32_t rank) {
  double sum = 0;
  for (uint32_t i = 0; i < rank; i++)
    for (uint32_t k = 0; k < rank; k++) {
      double aa = 0, bb = 0;
      for (uint32_t c = 0; c < cols; c++) aa += (double)a[(size_t)i * cols + c] * (double)a[(size_t)k * cols + c];
      for (uint32_t r = 0; r < rows; r++) bb += (double)b[(size_t)i * rows + r] * (double)b[(size_t)k * rows + r];
      sum += aa * bb;
    }
  return sum;
}

typedef struct { uint32_t rank_least, rank_most, layers, dora /* matrices of it */, matrices[N_TARGETS]; double norm[N_TARGETS]; } summary;

static summary summarize(const cli_model *m, en_adapter *adapter) {
  summary s = {.rank_least = UINT32_MAX};
  for (uint32_t l = 0; l < m->info.n_layer; l++) {
    uint32_t any = 0;
    for (uint32_t i = 0; i < N_TARGETS; i++) {
      uint32_t rank, cols, rows;
      const float *a = en_adapter_a(adapter, l, 1u << i, &rank, &cols), *b = en_adapter_b(adapter, l, 1u << i, &rank, &rows);
      if (!a || !b) continue;
      any = 1;
      s.matrices[i]++;
      s.dora += en_adapter_m(adapter, l, 1u << i, &rows) != NULL;
      s.norm[i] += squared_norm(a, cols, b, rows, rank);
      s.rank_least = rank < s.rank_least ? rank : s.rank_least;
      s.rank_most = rank > s.rank_most ? rank : s.rank_most;
    }
    s.layers += any;
  }
  return s;
}

static void show(const cli_args *a, const cli_model *m, en_adapter *adapter) {
  const summary s = summarize(m, adapter);
  const unsigned long long n = en_adapter_params(adapter);
  int first = 1;
  if (!args_given(a, A_JSON)) {
    printf("kind          %s\nrank          %u", s.dora ? "DoRA" : "LoRA", s.rank_least);
    if (s.rank_most != s.rank_least) printf(" to %u", s.rank_most);
    printf("\nalpha         %.9g\nparameters    %llu (%.3g %% of the base)\nlayers        %u of %u\n", (double)en_adapter_alpha(adapter), n, 100.0 * (double)n / (double)m->info.n_params, s.layers, m->info.n_layer);
    for (int i = 0; i < N_TARGETS; i++)
      if (s.matrices[i]) printf("%-13s %u matrices, norm of B A %.6g\n", targets[i], s.matrices[i], sqrt(s.norm[i]));
    return;
  }
  printf("{\"dora\":%s,\"rank\":[%u,%u],\"alpha\":%.9g,\"parameters\":%llu,\"layers\":%u,\"targets\":{", s.dora ? "true" : "false", s.rank_least, s.rank_most, (double)en_adapter_alpha(adapter), n, s.layers);
  for (int i = 0; i < N_TARGETS; i++) {
    if (!s.matrices[i]) continue;
    printf("%s\"%s\":{\"matrices\":%u,\"norm\":%.9g}", first ? "" : ",", targets[i], s.matrices[i], sqrt(s.norm[i]));
    first = 0;
  }
  printf("}}\n");
}

/* merge-into MODEL ADAPTER[:scale]... OUT */
static int merge(const cli_args *a) {
  const char *out = a->argv[a->n_operands - 1];
  const int n = a->n_operands - 3;
  const char **texts = malloc((size_t)(n > 0 ? n : 1) * sizeof *texts);
  cli_model m;
  en_why why = {""};
  int ok = n > 0 && texts;
  for (int i = 0; ok && i < n; i++) texts[i] = a->argv[2 + i];
  if (!ok) cli_fail(NULL, "adapter merge-into MODEL ADAPTER[:scale] OUT.gguf: these are too few");
  const arg_value given = {.given = n, .texts = texts};
  if (!ok || cli_open(&m, a->argv[1], &(cli_open_spec){.n_threads = 1, .adapters = &given}) != EN_OK) { free(texts); return ok ? 1 : 2; }
  for (int i = 0; ok && m.n_adapters > 1 && i < m.n_adapters; i++) {
    const summary s = summarize(&m, m.adapters[i].adapter);
    ok = !s.dora;
    if (!ok) cli_fail(texts[i], "an adapter of DoRA is merged by itself: the norms of its rows are those of the model without others");
  }
  for (int i = 0; ok && i < m.n_adapters; i++) {
    const size_t need = en_adapter_merge_bytes(m.adapters[i].adapter);
    void *scratch = cli_alloc(need);
    ok = en_adapter_merge(m.model, m.adapters[i].adapter, m.adapters[i].scale, scratch, scratch ? need : 0, &why) == EN_OK;
    if (!ok) cli_fail(texts[i], "%s", why.text);
    free(scratch);
  }
  ok = ok && cli_model_write(&m, out);
  if (ok) printf("%s: %d adapter%s merged into %s weights\n", out, n, n > 1 ? "s" : "", m.info.type);
  cli_close(&m);
  free(texts);
  return ok ? 0 : 1;
}

static int run(const cli_args *a) {
  const int convert = !strcmp(a->argv[0], "convert");
  cli_model m;
  en_adapter *adapter;
  void *mem;
  if (!strcmp(a->argv[0], "merge-into")) return merge(a);
  if (!convert && strcmp(a->argv[0], "info")) { cli_fail(NULL, "adapter %s: must be info, convert or merge-into", a->argv[0]); return 2; }
  if (a->n_operands != 2 || !args_text(a, A_BASE)) { cli_fail(NULL, "adapter %s needs one ADAPTER and --base MODEL", a->argv[0]); return 2; }
  if (convert && !args_text(a, A_OUT)) { cli_fail(NULL, "adapter convert needs --out PATH"); return 2; }
  if (!cli_is_adapter_format(args_text(a, A_FORMAT))) return 2;
  if (cli_open(&m, args_text(a, A_BASE), &(cli_open_spec){.n_threads = 1}) != EN_OK) return 1;
  int ok = cli_adapter_load(&m, a->argv[1], &adapter, &mem);
  if (ok && convert) ok = cli_adapter_write(adapter, args_text(a, A_OUT), args_text(a, A_FORMAT), &(en_peft_config){args_text(a, A_BASE_NAME), 0, args_given(a, A_RSLORA) > 0});
  else if (ok) show(a, &m, adapter);
  free(mem);
  cli_close(&m);
  return ok ? 0 : 1;
}

const cli_command cli_command_adapter = {
    .name = "adapter", .operands = "info|convert ADAPTER | merge-into MODEL ADAPTER[:scale]... OUT.gguf", .summary = "show LoRA adapters, convert them between GGUF and PEFT, merge them into a model",
    .notes = "ADAPTER is a llama.cpp LoRA file (GGUF) or a PEFT folder (adapter_model.safetensors, adapter_config.json).",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 2, .max_operands = 3 + CLI_MAX_ADAPTERS, .run = run};

/* bench.c - edge-net bench: tokens per second of prompts ("pp") and of generation ("tg"), or of an encoder's embeddings ("embed"). */
#include "logits.h"
#include <stdlib.h>
#include <string.h>

enum { BENCH_P, BENCH_N, BENCH_SEQS, BENCH_R, BENCH_THREADS, BENCH_KERNELS, BENCH_KV, BENCH_CTX, BENCH_PROFILE, BENCH_JSON, MAX_SEQS = 256 };
static const arg_option options[] = {
    [BENCH_P] = {.name = "p", .value = "N", .help = "tokens of the prompt, 0: no such test", .kind = ARG_INT, .max = 1 << 20, .fallback = 128},
    [BENCH_N] = {.name = "n", .value = "N", .help = "tokens to generate, 0: no such test", .kind = ARG_INT, .max = 1 << 20, .fallback = 64},
    [BENCH_SEQS] = {.name = "seqs", .value = "N", .help = "texts that are generated together, each of -n tokens; of an encoder: texts of -p tokens in one pass", .kind = ARG_INT, .min = 1, .max = MAX_SEQS, .fallback = 1},
    [BENCH_R] = {.name = "r", .value = "N", .help = "repetitions", .kind = ARG_INT, .min = 1, .max = 1000, .fallback = 5},
    [BENCH_THREADS] = {.name = "threads", .value = "1,2", .help = "numbers of threads to try (default: one for each core)", .kind = ARG_INTS, .min = 1, .max = EN_POOL_MAX_LANES},
    [BENCH_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table (default auto)", .kind = ARG_TEXT},
    [BENCH_KV] = {.name = "kv", .value = "f32|f16|q8_0", .help = "type of the cached keys and values (default f16)", .kind = ARG_TEXT},
    [BENCH_CTX] = {.name = "ctx", .value = "N", .help = "positions of the context (default: what the tests need)", .kind = ARG_INT, .max = 1 << 24},
    [BENCH_PROFILE] = {.name = "profile", .help = "tell where the time goes, beside the bandwidth of plain reading", .kind = ARG_FLAG},
    [BENCH_JSON] = {.name = "json", .help = "print one JSON object a line", .kind = ARG_FLAG},
};

typedef struct { const cli_args *args; const cli_model *m; en_session *session; int32_t n_threads; double read_gb_s; /* 0: not measured */ } bench;

/* A fixed pseudo-random id: the same work on every machine. */
static int32_t token_at(const bench *b, uint32_t i) { return (int32_t)(en_random(1, i) % b->m->info.n_vocab); }

static int32_t prompt(const bench *b, uint32_t n, en_why *why) {
  int32_t *ids = malloc(n * sizeof *ids);
  if (!ids) return en_fail(why, EN_E_NOMEM, "no memory for %u tokens", n);
  for (uint32_t i = 0; i < n; i++) ids[i] = token_at(b, i);
  const int32_t status = en_eval(b->session, &(en_batch){.n = n, .ids = ids}, why);
  free(ids);
  return status;
}
/* n tokens of each text, one of every text at a time. */
static int32_t generate(const bench *b, uint32_t n, en_why *why) {
  const uint32_t n_seq = (uint32_t)args_int(b->args, BENCH_SEQS);
  int32_t ids[MAX_SEQS];
  uint32_t seq[MAX_SEQS];
  uint8_t want[MAX_SEQS];
  for (uint32_t i = 0; i < n; i++) {
    for (uint32_t s = 0; s < n_seq; s++) ids[s] = token_at(b, i + s), seq[s] = s, want[s] = 1;
    EN_TRY(en_eval(b->session, &(en_batch){.n = n_seq, .ids = ids, .seq = seq, .want = want}, why));
  }
  return EN_OK;
}

/* --seqs texts of n tokens each, packed. */
static int32_t embed(const bench *b, uint32_t n, en_why *why) {
  const uint32_t n_texts = (uint32_t)args_int(b->args, BENCH_SEQS), total = n * n_texts;
  int32_t *ids = malloc(total * sizeof *ids);
  uint32_t *seq = malloc(total * sizeof *seq);
  int32_t status = ids && seq ? EN_OK : en_fail(why, EN_E_NOMEM, "no memory for %u tokens", total);
  for (uint32_t i = 0; i < total && status == EN_OK; i++) ids[i] = token_at(b, i), seq[i] = i / n;
  if (status == EN_OK) status = en_eval(b->session, &(en_batch){.n = total, .ids = ids, .seq = seq}, why);
  free(ids);
  free(seq);
  return status;
}

/* ---- what reading alone takes: the model's bytes, added up by all lanes ---- */
enum { READ_STEP = 1 << 16 };
typedef struct { const uint8_t *at; uint64_t sums[EN_POOL_MAX_LANES][8]; } read_job; /* a line for each lane */

static void read_pages(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  read_job *j = (read_job *)(uintptr_t)ctx;
  uint64_t s[8] = {0};
  for (const uint8_t *p = j->at + (size_t)lo * READ_STEP, *end = j->at + (size_t)hi * READ_STEP; p < end; p += 64) {
    uint64_t words[8];
    memcpy(words, p, sizeof words);
    for (int k = 0; k < 8; k++) s[k] ^= words[k];
  }
  for (int k = 0; k < 8; k++) j->sums[lane][k] ^= s[k];
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Median of some passes. A model that fits the caches is read from there, as decoding does. */
static double read_bandwidth(const bench *b) {
  enum { PASSES = 7 };
  double rates[PASSES];
  const int32_t n = (int32_t)(b->m->info.file_bytes / READ_STEP);
  read_job *j = n > 0 ? cli_alloc(sizeof *j) : NULL;
  if (!j) return 0;
  memset(j, 0, sizeof *j);
  j->at = b->m->image;
  for (int i = -1; i < PASSES; i++) {
    const double start = cli_now_ms(NULL);
    if (b->m->host.n_lanes > 1) b->m->host.parallel(b->m->host.ud, read_pages, j, n, 1);
    else read_pages(j, 0, n, 0);
    if (i >= 0) rates[i] = (double)n * (double)READ_STEP / (cli_now_ms(NULL) - start) * 1e-6;
  }
  free(j);
  qsort(rates, PASSES, sizeof *rates, ascending);
  return rates[PASSES / 2];
}

/* Several lanes since `before`: what they did inside jobs, and how long the owner waited for the others at their ends. */
static void report_lanes(const bench *b, const en_pool_counts *before) {
  const int json = args_given(b->args, BENCH_JSON);
  if (b->n_threads == 1) return; /* steps call their work themselves */
  for (int32_t lane = 0; lane < b->n_threads; lane++) {
    const en_pool_counts c = en_pool_look(en_threads_pool(b->m->threads), lane), *was = &before[lane];
    if (json) printf(lane ? "," : ",\"lanes\":[");
    printf(json ? "{\"jobs\":%u,\"chunks\":%u,\"busy_ms\":%.3f,\"wait_ms\":%.3f}" : "  lane: %u jobs, %u chunks, %.2f ms inside jobs, %.2f ms waiting for others\n",
           c.jobs - was->jobs, c.chunks - was->chunks, c.busy_ms - was->busy_ms, c.wait_ms - was->wait_ms);
  }
  if (json) printf("]");
}

static void report_profile(const bench *b) {
  enum { MAX_ROWS = 64 };
  en_profile_row rows[MAX_ROWS];
  const int json = args_given(b->args, BENCH_JSON);
  const int32_t n = EN_MIN(en_profile(b->session, rows, MAX_ROWS), MAX_ROWS);
  if (json) printf(",\"read_gb_s\":%.3g,\"profile\":[", b->read_gb_s);
  else printf("  plain reading: %.2f GB/s\n", b->read_gb_s);
  for (int32_t i = 0; i < n; i++) {
    const double gmacs = rows[i].ms > 0 ? rows[i].macs / rows[i].ms * 1e-6 : 0, gbs = rows[i].ms > 0 ? rows[i].bytes / rows[i].ms * 1e-6 : 0;
    if (json) printf("%s{\"step\":\"%s\",\"ms\":%.3f,\"calls\":%llu,\"gmac_s\":%.3g,\"gb_s\":%.3g}", i ? "," : "", rows[i].name, rows[i].ms, (unsigned long long)rows[i].calls, gmacs, gbs);
    else if (rows[i].calls) {
      printf("  %-14s %9.2f ms %8llu calls", rows[i].name, rows[i].ms, (unsigned long long)rows[i].calls);
      if (rows[i].macs > 0) printf(" %8.2f GMAC/s %7.2f GB/s, %3.0f %% of reading", gmacs, gbs, b->read_gb_s > 0 ? 100 * gbs / b->read_gb_s : 0);
      printf("\n");
    }
  }
  if (json) printf("]");
}

/* One test: a run to warm up, then the counted ones. */
static int32_t measure(const bench *b, const char *name, uint32_t n, uint32_t n_texts, int32_t (*work)(const bench *, uint32_t, en_why *), en_why *why) {
  const int32_t r = args_int(b->args, BENCH_R);
  double *rates = malloc((size_t)r * sizeof *rates), wall = 0, cpu = 0;
  en_pool_counts before[EN_POOL_MAX_LANES];
  int32_t status = rates ? EN_OK : en_fail(why, EN_E_NOMEM, "no memory for %d results", r);
  for (int32_t i = -1; i < r && status == EN_OK; i++) {
    for (uint32_t s = 0; b->m->info.has_logits && s < (uint32_t)args_int(b->args, BENCH_SEQS); s++) en_seq_keep(b->session, s, 0);
    if (i == 0) {
      en_profile_reset(b->session);
      for (int32_t lane = 0; lane < b->n_threads; lane++) before[lane] = en_pool_look(en_threads_pool(b->m->threads), lane);
    }
    const double wall0 = cli_now_ms(NULL), cpu0 = cli_cpu_ms();
    status = work(b, n, why);
    const double ms = cli_now_ms(NULL) - wall0;
    if (i < 0) continue;
    rates[i] = ms > 0 ? (double)n * n_texts / ms * 1e3 : 0;
    wall += ms;
    cpu += cli_cpu_ms() - cpu0;
  }
  if (status == EN_OK) {
    qsort(rates, (size_t)r, sizeof *rates, ascending);
    const double med = r % 2 ? rates[r / 2] : (rates[r / 2 - 1] + rates[r / 2]) / 2, util = wall > 0 ? cpu / wall : 0;
    const char *form = args_given(b->args, BENCH_JSON)
        ? "{\"test\":\"%s\",\"n\":%u,\"seqs\":%u,\"threads\":%d,\"kernels\":\"%s\",\"tok_s\":{\"med\":%.3f,\"min\":%.3f,\"max\":%.3f},\"cpu_util\":%.3f"
        : "%s %-5u x %-2u threads %-2d kernels %-9s %9.2f tokens/s (%.2f .. %.2f), %.2f cores busy";
    printf(form, name, n, n_texts, b->n_threads, en_model_kernels(b->m->model), med, rates[0], rates[r - 1], util);
    const int json = args_given(b->args, BENCH_JSON);
    if (!json) printf("\n");
    if (args_given(b->args, BENCH_PROFILE)) {
      report_profile(b);
      report_lanes(b, before);
    }
    if (json) printf("}\n");
    fflush(stdout);
  }
  free(rates);
  return status;
}

/* All tests with one number of threads. */
static int32_t bench_threads(const cli_args *a, cli_model *m, int32_t n_threads, en_why *why) {
  const uint32_t n_prompt = (uint32_t)args_int(a, BENCH_P), n_generate = (uint32_t)args_int(a, BENCH_N), n_ctx = (uint32_t)args_int(a, BENCH_CTX);
  const uint32_t n_texts = (uint32_t)args_int(a, BENCH_SEQS);
  en_session_spec spec = {.n_ctx = n_ctx ? n_ctx : EN_MAX(EN_MAX(n_prompt, n_generate), 1), .n_seq = n_texts, .n_logits = n_texts, .kv_type = EN_KV_F16};
  const int encoder = !m->info.has_logits;
  if (encoder) spec = (en_session_spec){.n_ctx = n_prompt, .n_batch = EN_MAX(n_prompt * n_texts, 1), .n_logits = n_texts, .pooling = EN_POOL_MODEL};
  if (args_text(a, BENCH_KV) && !cli_read_kv(args_text(a, BENCH_KV), &spec.kv_type)) return EN_E_ARG;
  bench b = {.args = a, .m = m};
  void *mem;
  en_threads_stop(m->threads);
  m->host = (en_host){.now_ms = args_given(a, BENCH_PROFILE) ? cli_now_ms : NULL};
  m->threads = en_threads_start(n_threads, &m->host);
  b.n_threads = m->host.n_lanes > 1 ? m->host.n_lanes : 1;
  en_pool_clock(en_threads_pool(m->threads), m->host.now_ms);
  EN_TRY(cli_session(m, &spec, &b.session, &mem, why));
  if (args_given(a, BENCH_PROFILE)) b.read_gb_s = read_bandwidth(&b);
  int32_t status = !n_prompt ? EN_OK : encoder ? measure(&b, "embed", n_prompt, n_texts, embed, why) : measure(&b, "pp", n_prompt, 1, prompt, why);
  if (status == EN_OK && n_generate && !encoder) status = measure(&b, "tg", n_generate, n_texts, generate, why);
  free(mem);
  return status;
}

static int run(const cli_args *a) {
  cli_model m;
  en_why why = {""};
  const arg_value *threads = a->values + BENCH_THREADS;
  const int32_t all_cores = 0, *counts = threads->n_ints ? threads->ints : &all_cores;
  if (cli_open(&m, a->argv[0], &(cli_open_spec){.kernels = args_text(a, BENCH_KERNELS), .n_threads = 1}) != EN_OK) return 1;
  int32_t status = EN_OK;
  for (size_t i = 0; i < EN_MAX(threads->n_ints, (size_t)1) && status == EN_OK; i++) status = bench_threads(a, &m, counts[i], &why);
  const int code = status == EN_OK ? 0 : cli_fail(m.path, "%s", why.text);
  cli_close(&m);
  return code;
}

const cli_command cli_command_bench = {
    .name = "bench", .operands = "MODEL", .summary = "measure prompt and generation speed",
    .notes = "pp: one prompt of -p tokens; tg: -n tokens one by one from an empty context; embed (encoders): --seqs texts of -p tokens. Median, slowest and fastest of -r runs after\n"
             "one that is not counted. With --seqs, tg counts the tokens of all texts. cpu_util: processor time over elapsed time, so 2 means that two cores were busy.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

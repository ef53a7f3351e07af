/* train.c - edge-net train: LoRA adapters, or whole small models, from texts, on the command line. What one step sees follows from the seed and the step's number
 * alone, so a run that goes on from a checkpoint is the run that was never interrupted. */
#include "train.h"
#include "../core/base/base.h"
#include "adapters.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const arg_option options[] = {
    [T_DATA] = {.name = "data", .value = "FILE.jsonl", .help = "lines of {\"input\": ..., \"output\": ...} or {\"text\": ...}", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [T_OUT] = {.name = "out", .value = "PATH", .help = "the adapter: a folder (peft) or a file (gguf); with --full the model", .kind = ARG_TEXT, .flags = ARG_REQUIRED},
    [T_FULL] = {.name = "full", .help = "train all weights of a model in F32, instead of an adapter", .kind = ARG_FLAG},
    [T_FORMAT] = {.name = "format", .value = "peft|gguf", .help = "of the adapter (default: gguf if PATH ends so, else peft)", .kind = ARG_TEXT},
    [T_RANK] = {.name = "rank", .value = "N", .help = "rank of the update", .kind = ARG_INT, .min = 1, .max = 64, .fallback = 8},
    [T_ALPHA] = {.name = "alpha", .value = "X", .help = "the update is scaled by alpha / rank (default twice the rank)", .kind = ARG_NUMBER, .max = 1e5},
    [T_TARGETS] = {.name = "targets", .value = "q,v,...", .help = "matrices to adapt: q k v o gate up down, or all that the model has (default all)", .kind = ARG_TEXT},
    [T_RSLORA] = {.name = "rslora", .help = "scale by alpha / sqrt(rank)", .kind = ARG_FLAG},
    [T_DORA] = {.name = "dora", .help = "train the length of every row of the matrices too (DoRA)", .kind = ARG_FLAG},
    [T_LAYERS] = {.name = "layers", .value = "N", .help = "adapt only the top N layers (default all)", .kind = ARG_INT, .max = INT32_MAX},
    [T_LR] = {.name = "lr", .value = "X", .help = "highest learning rate", .kind = ARG_NUMBER, .max = 10, .fallback = 2e-4},
    [T_STEPS] = {.name = "steps", .value = "N", .help = "optimizer steps (default: as --epochs says)", .kind = ARG_INT, .max = 1e9},
    [T_EPOCHS] = {.name = "epochs", .value = "N", .help = "times through the data", .kind = ARG_INT, .min = 1, .max = 1e6, .fallback = 3},
    [T_BATCH] = {.name = "batch", .value = "N", .help = "samples packed into one micro-batch", .kind = ARG_INT, .min = 1, .max = 65536, .fallback = 4},
    [T_ACCUM] = {.name = "accum", .value = "N", .help = "micro-batches of one step", .kind = ARG_INT, .min = 1, .max = 65536, .fallback = 1},
    [T_WARMUP] = {.name = "warmup", .value = "N", .help = "steps over which the rate rises", .kind = ARG_INT, .max = 1e9},
    [T_SCHEDULE] = {.name = "schedule", .value = "NAME", .help = "cosine, linear or constant (default cosine)", .kind = ARG_TEXT},
    [T_MIN_LR] = {.name = "min-lr", .value = "X", .help = "what the rate falls to", .kind = ARG_NUMBER, .max = 10},
    [T_CLIP] = {.name = "clip", .value = "X", .help = "greatest norm of the gradient, 0: any", .kind = ARG_NUMBER, .max = 1e6, .fallback = 1},
    [T_DECAY] = {.name = "weight-decay", .value = "X", .help = "pull of the weights towards 0", .kind = ARG_NUMBER, .max = 10},
    [T_OPTIMIZER] = {.name = "optimizer", .value = "adamw|sgd", .help = "(default adamw)", .kind = ARG_TEXT},
    [T_MOMENTUM] = {.name = "momentum", .value = "X", .help = "of sgd", .kind = ARG_NUMBER, .max = 0.9999},
    [T_SMOOTHING] = {.name = "label-smoothing", .value = "X", .help = "share of every target that is spread over the whole vocabulary", .kind = ARG_NUMBER, .max = 0.99},
    [T_DROPOUT] = {.name = "dropout", .value = "X", .help = "share of its inputs that the update does not see in training", .kind = ARG_NUMBER, .max = 0.99},
    [T_FREEZE_A] = {.name = "freeze-a", .help = "train B only (LoRA-FA)", .kind = ARG_FLAG},
    [T_RATIO_B] = {.name = "lora-plus", .value = "X", .help = "learning rate of B over that of A", .kind = ARG_NUMBER, .min = 1e-3, .max = 1e4, .fallback = 1},
    [T_MAX_LENGTH] = {.name = "max-length", .value = "N", .help = "tokens of a sample, longer ones are cut (default 512, or the model's context)", .kind = ARG_INT, .min = 2, .max = 65536},
    [T_NO_END] = {.name = "no-end", .help = "samples do not end with the end-of-text token", .kind = ARG_FLAG},
    [T_EVAL] = {.name = "eval", .value = "X", .help = "share of the samples to hold out and measure", .kind = ARG_NUMBER, .max = 0.9},
    [T_SEED] = {.name = "seed", .value = "N", .help = "of the start values and the order", .kind = ARG_INT, .max = INT32_MAX},
    [T_KEEP] = {.name = "keep", .value = "inputs|products|all", .help = "what of a layer stays in memory for the way back: its input (default), what products and attention made (faster), or all", .kind = ARG_TEXT},
    [T_PREFIX] = {.name = "cache-prefix", .value = "mem|FILE", .help = "with --layers: what the frozen layers make of a sample is computed once and kept, in memory or in a scratch file", .kind = ARG_TEXT},
    [T_SAVE_EVERY] = {.name = "save-every", .value = "N", .help = "write PATH.checkpoint every N steps, 0: never", .kind = ARG_INT, .max = 1e9, .fallback = 50},
    [T_STOP_AFTER] = {.name = "stop-after", .value = "N", .help = "leave off after N steps with a checkpoint", .kind = ARG_INT, .max = 1e9},
    [T_RESUME] = {.name = "resume", .help = "go on from PATH.checkpoint", .kind = ARG_FLAG},
    [T_CSV] = {.name = "loss-csv", .value = "FILE", .help = "one line for every step", .kind = ARG_TEXT},
    [T_BASE] = {.name = "base-name", .value = "TEXT", .help = "the base model's name for PEFT's settings", .kind = ARG_TEXT},
    [T_LOSS] = {.name = "loss", .value = "NAME", .help = "causal (default), distill; for encoders mlm, infonce, cosine (lines of {\"input\", \"output\", \"score\"})", .kind = ARG_TEXT},
    [T_TEACHER] = {.name = "teacher", .value = "MODEL", .help = "learn its probabilities (distill); it must have the same vocabulary", .kind = ARG_TEXT},
    [T_TOP_K] = {.name = "top-k", .value = "K", .help = "of the teacher's tokens, the others count as impossible (default: all)", .kind = ARG_INT, .max = 65536},
    [T_TEMPERATURE] = {.name = "temperature", .value = "X", .help = "of distill (default 2), of infonce (default 0.05)", .kind = ARG_NUMBER, .max = 100},
    [T_HARD_MIX] = {.name = "hard-mix", .value = "X", .help = "share of the data's own tokens in distill", .kind = ARG_NUMBER, .max = 1},
    [T_MASK] = {.name = "mask-probability", .value = "X", .help = "share of tokens that mlm masks", .kind = ARG_NUMBER, .min = 0.01, .max = 0.9, .fallback = 0.15},
    [T_THREADS] = {.name = "threads", .value = "N", .help = "threads (default: one for each core)", .kind = ARG_INT, .max = EN_POOL_MAX_LANES},
    [T_KERNELS] = {.name = "kernels", .value = "NAME", .help = "kernel table: auto, ref, or one that `capabilities` lists", .kind = ARG_TEXT},
    [T_JSON] = {.name = "json", .help = "print the summary as one JSON object", .kind = ARG_FLAG},
    [T_QUIET] = {.name = "quiet", .help = "no progress on stderr", .kind = ARG_FLAG},
};

/* ---- settings ---- */

static int read_targets(const en_model *m, const char *text, uint32_t *out) {
  static const char *const names[] = {"q", "k", "v", "o", "gate", "up", "down"};
  *out = 0;
  if (!text || !strcmp(text, "all")) { /* that this architecture has */
    for (uint32_t bit = 1; bit <= EN_LORA_DOWN; bit *= 2) *out |= en_adapter_bytes(m, &(en_adapter_spec){.rank = 1, .alpha = 1, .targets = bit}) ? bit : 0;
    return 1;
  }
  for (const char *p = text;; p++) {
    const size_t n = strcspn(p, ","), word = n > 5 && !memcmp(p + n - 5, "_proj", 5) ? n - 5 : n;
    size_t i = 0;
    while (i < 7 && (strlen(names[i]) != word || memcmp(names[i], p, word))) i++;
    if (i == 7) return cli_fail(NULL, "--targets %s: must be of q k v o gate up down, or all", text), 0;
    *out |= 1u << i;
    p += n;
    if (!*p) return 1;
  }
}

static int read_word(const char *option, const char *text, const char *const *words, uint32_t *out) {
  for (*out = 0; text && words[*out]; (*out)++)
    if (!strcmp(words[*out], text)) return 1;
  if (!text) return 1;
  fprintf(stderr, "edge-net: --%s %s: must be one of", option, text);
  for (int i = 0; words[i]; i++) fprintf(stderr, " %s", words[i]);
  fputs("\n", stderr);
  return 0;
}

/* What a checkpoint must agree with. */
static uint64_t hash_settings(const training *t, const en_adapter_spec *as, const en_train_spec *ts) {
  const double numbers[] = {args_given(t->a, T_FULL) ? -1.0 : (double)as->rank, (double)as->alpha, as->targets, as->rslora, as->dora, as->first_layer, (double)ts->clip_norm, (double)ts->weight_decay, t->schedule.kind, t->schedule.lr, t->schedule.min_lr,
    (double)t->schedule.warmup, (double)t->schedule.steps, args_number(t->a, T_BATCH), args_number(t->a, T_ACCUM), args_number(t->a, T_EVAL), args_number(t->a, T_SEED), ts->optimizer, (double)ts->momentum, ts->freeze_a, (double)ts->lr_ratio_b, (double)ts->dropout, (double)ts->label_smoothing};
  const uint64_t hash = en_hash64(en_hash64(t->data.hash, numbers, sizeof numbers), &t->n_train, sizeof t->n_train);
  const float soft[] = {ts->temperature, ts->hard_mix};
  return en_hash64(cli_goal_hash(&t->goal, hash), soft, sizeof soft);
}

static int by_length(const void *a, const void *b) {
  const size_t x = *(const size_t *)a, y = *(const size_t *)b;
  return x < y ? 1 : x > y ? -1 : 0;
}

/* Which samples to learn and which to hold out; the room that the longest ones of a micro-batch need. */
static int plan_samples(training *t) {
  const uint32_t n = t->data.n, batch = (uint32_t)args_int(t->a, T_BATCH), n_eval = (uint32_t)(args_number(t->a, T_EVAL) * n + 0.5);
  size_t sum = 0, *lengths = malloc(n * sizeof *lengths);
  t->sample = malloc(n * sizeof *t->sample);
  t->order = malloc(n * sizeof *t->order);
  if (!lengths || !t->sample || !t->order) { free(lengths); return cli_fail(NULL, "no memory for the training data"), 0; }
  for (uint32_t i = 0; i < n; i++) lengths[i] = t->data.start[i + 1] - t->data.start[i];
  qsort(lengths, n, sizeof *lengths, by_length);
  for (uint32_t i = 0; i < EN_MIN(batch, n); i++) sum += lengths[i];
  free(lengths);
  if (sum > 65536) return cli_fail(NULL, "a micro-batch may reach %zu tokens, at most 65536 are possible; see --batch and --max-length", sum), 0;
  t->n_tokens = (uint32_t)sum;
  t->n_train = n - EN_MIN(n_eval, n - 1);
  if (args_number(t->a, T_EVAL) > 0 && t->n_train == n) t->n_train = n - (n > 1); /* at least one */
  en_shuffle(t->sample, n, (uint64_t)args_int(t->a, T_SEED), UINT32_MAX);
  const uint64_t per_step = (uint64_t)batch * (uint64_t)args_int(t->a, T_ACCUM);
  t->per_epoch = (t->n_train + per_step - 1) / per_step;
  return 1;
}

static int plan_schedule(training *t) {
  static const char *const kinds[] = {"constant", "linear", "cosine", NULL};
  const cli_args *a = t->a;
  uint32_t kind;
  if (!read_word("schedule", args_text(a, T_SCHEDULE), kinds, &kind)) return 0;
  const uint64_t steps = args_given(a, T_STEPS) ? (uint64_t)args_int(a, T_STEPS) : t->per_epoch * (uint64_t)args_int(a, T_EPOCHS);
  t->schedule = (en_schedule){args_text(a, T_SCHEDULE) ? kind : EN_SCHEDULE_COSINE, args_number(a, T_LR), args_number(a, T_MIN_LR), (uint64_t)args_int(a, T_WARMUP), steps};
  return steps > 0 || (cli_fail(NULL, "--steps 0: there is nothing to do"), 0);
}

static int out_of_memory(size_t n_bytes) {
  return cli_fail(NULL, "no memory for training (%.0f MB); see --batch, --max-length and --layers", (double)n_bytes * 1e-6), 0;
}

static int make_adapter(training *t, const en_adapter_spec *as, const en_train_spec *ts) {
  en_why why = {""};
  const size_t n_adapter = en_adapter_bytes(t->m.model, as);
  t->adapter_mem = cli_alloc(n_adapter);
  if (!t->adapter_mem) return cli_fail(NULL, "no memory for the adapter (%zu bytes)", n_adapter), 0;
  if (en_adapter_init(&t->adapter, t->adapter_mem, n_adapter, t->m.model, as, (uint64_t)args_int(t->a, T_SEED), &why) != EN_OK) return cli_fail(t->m.path, "%s", why.text), 0;
  const size_t n_trainer = en_trainer_bytes(t->adapter, ts, &t->m.host);
  t->trainer_mem = n_trainer ? cli_alloc(n_trainer) : NULL;
  t->train_bytes = n_adapter + n_trainer;
  if (n_trainer && !t->trainer_mem) return out_of_memory(n_trainer);
  return en_trainer_init(&t->trainer, t->trainer_mem, n_trainer, t->adapter, ts, &t->m.host, &why) == EN_OK || (cli_fail(t->m.path, "%s", why.text), 0);
}

static int make_full(training *t, const en_train_spec *ts) {
  static const uint8_t for_adapters[] = {T_FORMAT, T_RANK, T_ALPHA, T_TARGETS, T_RSLORA, T_DORA, T_LAYERS, T_DROPOUT, T_FREEZE_A, T_RATIO_B, T_BASE, T_PREFIX};
  en_why why = {""};
  for (int i = 0; i < EN_COUNT(for_adapters); i++)
    if (args_given(t->a, for_adapters[i])) return cli_fail(NULL, "--%s is for adapters, it does not go with --full", options[for_adapters[i]].name), 0;
  const size_t n_trainer = en_trainer_model_bytes(t->m.model, ts, &t->m.host);
  t->trainer_mem = n_trainer ? cli_alloc(n_trainer) : NULL;
  t->train_bytes = n_trainer;
  if (n_trainer && !t->trainer_mem) return out_of_memory(n_trainer);
  return en_trainer_init_model(&t->trainer, t->trainer_mem, n_trainer, t->m.model, ts, &t->m.host, &why) == EN_OK || (cli_fail(t->m.path, "%s", why.text), 0);
}

static int make(training *t) {
  static const char *const keeps[] = {"inputs", "all", "products", NULL}, *const optimizers[] = {"adamw", "sgd", NULL};
  const cli_args *a = t->a;
  const int32_t rank = args_int(a, T_RANK), layers = args_int(a, T_LAYERS), n_layer = (int32_t)t->m.info.n_layer;
  en_adapter_spec as = {.rank = (uint32_t)rank, .alpha = args_given(a, T_ALPHA) ? (float)args_number(a, T_ALPHA) : 2 * (float)rank, .rslora = (uint32_t)args_given(a, T_RSLORA), .dora = args_given(a, T_DORA) > 0};
  en_train_spec ts = {.n_tokens = EN_MAX(t->n_tokens, 2), .clip_norm = (float)args_number(a, T_CLIP), .weight_decay = (float)args_number(a, T_DECAY), .momentum = (float)args_number(a, T_MOMENTUM),
    .label_smoothing = (float)args_number(a, T_SMOOTHING), .dropout = (float)args_number(a, T_DROPOUT), .freeze_a = args_given(a, T_FREEZE_A) > 0, .lr_ratio_b = args_given(a, T_RATIO_B) ? (float)args_number(a, T_RATIO_B) : 0, .seed = (uint64_t)args_int(a, T_SEED)};
  as.rslora = as.rslora != 0;
  ts.loss = t->goal.spec.loss;
  ts.temperature = (float)args_number(a, T_TEMPERATURE);
  ts.hard_mix = (float)args_number(a, T_HARD_MIX);
  as.first_layer = layers && layers < n_layer ? (uint32_t)(n_layer - layers) : 0;
  if (!read_targets(t->m.model, args_text(a, T_TARGETS), &as.targets) || !read_word("keep", args_text(a, T_KEEP), keeps, &ts.keep) || !read_word("optimizer", args_text(a, T_OPTIMIZER), optimizers, &ts.optimizer)) return 0;
  t->settings = hash_settings(t, &as, &ts);
  if (!(args_given(a, T_FULL) ? make_full(t, &ts) : make_adapter(t, &as, &ts))) return 0;
  t->ids = malloc(ts.n_tokens * sizeof *t->ids);
  t->segment = malloc(ts.n_tokens * sizeof *t->segment);
  t->weight = malloc(ts.n_tokens * sizeof *t->weight);
  return (t->ids && t->segment && t->weight) || (cli_fail(NULL, "no memory for a micro-batch"), 0);
}

static void report_loss(FILE *f, const char *key, double value) {
  if (isfinite(value)) fprintf(f, ",\"%s\":%.9g", key, value);
}

static void report(const training *t) {
  const int done = t->step == t->schedule.steps;
  const double rate = t->ms > 0 ? t->tokens / t->ms * 1e3 : 0;
  const unsigned long long step = t->step, steps = t->schedule.steps, params = t->adapter ? en_adapter_params(t->adapter) : t->m.info.n_params;
  if (args_given(t->a, T_JSON)) {
    printf("{\"step\":%llu,\"steps\":%llu,\"samples\":%u,\"held_out\":%u,\"cut\":%u,\"dropped\":%u,\"target_tokens\":%zu,\"parameters\":%llu", step, steps, t->n_train, t->data.n - t->n_train, t->data.n_cut, t->data.n_dropped, t->data.n_targets, params);
    if (t->step > t->first) printf(",\"loss_first\":%.9g,\"loss_last\":%.9g", t->loss_first, t->loss_last);
    report_loss(stdout, "eval_first", t->eval_first);
    report_loss(stdout, "eval_last", t->eval_last);
    printf(",\"tokens\":%.0f,\"tok_s\":%.3f,\"cpu_util\":%.3f,\"train_mb\":%.1f,\"kernels\":\"%s\",\"out\":", t->tokens, rate, t->ms > 0 ? t->cpu_ms / t->ms : 0, (double)t->train_bytes * 1e-6, en_model_kernels(t->m.model));
    const char *out = done ? args_text(t->a, T_OUT) : t->checkpoint;
    cli_json_text(stdout, out, strlen(out));
    printf("}\n");
    return;
  }
  printf("%llu of %llu steps on %u samples (%u held out), %llu parameters\n", step, steps, t->n_train, t->data.n - t->n_train, params);
  if (t->data.n_cut) printf("%u samples were cut at --max-length\n", t->data.n_cut);
  if (t->data.n_dropped) printf("%u samples were left out: no output within --max-length\n", t->data.n_dropped);
  if (t->step > t->first) printf("loss %.4f -> %.4f\n", t->loss_first, t->loss_last);
  if (t->data.n > t->n_train) printf("loss of the samples held out %.4f -> %.4f\n", t->eval_first, t->eval_last);
  printf("%.0f tokens, %.1f a second, kernels %s\n", t->tokens, rate, en_model_kernels(t->m.model));
  printf("%s: %s\n", !done ? "not finished; go on with --resume" : t->adapter ? "adapter" : "model", done ? args_text(t->a, T_OUT) : t->checkpoint);
}

static int train(training *t) {
  const cli_args *a = t->a;
  const uint32_t n_ctx = t->m.info.n_ctx_train, length = args_given(a, T_MAX_LENGTH) ? (uint32_t)args_int(a, T_MAX_LENGTH) : EN_MIN(512u, n_ctx);
  static const char *const losses[] = {
#define EN_LOSS(ID, name) #name,
#include "../core/losses.def"
#undef EN_LOSS
    NULL};
  cli_goal_spec goal = {.teacher = args_text(a, T_TEACHER), .top_k = (uint32_t)args_int(a, T_TOP_K), .mask_probability = (float)args_number(a, T_MASK), .seed = (uint64_t)args_int(a, T_SEED),
    .kernels = args_text(a, T_KERNELS), .n_threads = args_int(a, T_THREADS)};
  if (!read_word("loss", args_text(a, T_LOSS), losses, &goal.loss)) return 0;
  if (goal.teacher && !args_text(a, T_LOSS)) goal.loss = EN_LOSS_DISTILL;
  if (goal.teacher && goal.loss != EN_LOSS_DISTILL) return cli_fail(NULL, "--teacher goes with --loss distill"), 0;
  if (!t->m.info.has_logits && (goal.loss == EN_LOSS_CAUSAL || goal.loss == EN_LOSS_DISTILL)) return cli_fail(t->m.path, "this model gives embeddings; --loss mlm, infonce or cosine can train it"), 0;
  if (args_given(a, T_PREFIX) && (goal.loss == EN_LOSS_MLM || cli_goal_is_pairs(goal.loss))) return cli_fail(NULL, "--cache-prefix does not go with --loss %s", losses[goal.loss]), 0;
  if (length > n_ctx) return cli_fail(NULL, "--max-length %u: the model's context is %u", length, n_ctx), 0;
  const char *out = args_text(a, T_OUT);
  size_t n_out = strlen(out);
  while (n_out > 1 && out[n_out - 1] == '/') n_out--; /* the checkpoint stands beside the folder */
  t->checkpoint = malloc(n_out + sizeof ".checkpoint");
  if (!t->checkpoint) return cli_fail(NULL, "no memory"), 0;
  sprintf(t->checkpoint, "%.*s.checkpoint", (int)n_out, out);
  if (!train_can_write(t)) return 0;
  const cli_pairs_spec pairs = {.max_length = length, .no_end = args_given(a, T_NO_END), .apart = cli_goal_is_pairs(goal.loss), .scored = goal.loss == EN_LOSS_COSINE};
  if (!cli_pairs_read(&t->data, &t->m, args_text(a, T_DATA), &pairs) || !plan_samples(t) || !plan_schedule(t)) return 0;
  if (!cli_goal_open(&t->goal, &goal, &t->m, t->n_tokens, (uint32_t)args_int(a, T_BATCH), t->data.longest) || !make(t) || !train_open_prefix(t)) return 0;
  if ((args_given(a, T_RESUME) && !train_load(t)) || !train_open_csv(t)) return 0;
  int ok = train_loop(t);
  if (t->csv && fclose(t->csv) && ok) ok = (cli_fail(args_text(a, T_CSV), "%s", strerror(errno)), 0);
  if (!ok) return 0;
  if (t->step < t->schedule.steps) return train_save(t) && (report(t), 1);
  const en_peft_config config = {args_text(a, T_BASE), (float)args_number(a, T_DROPOUT), args_given(a, T_RSLORA) > 0};
  if (!(t->adapter ? cli_adapter_write(t->adapter, args_text(a, T_OUT), args_text(a, T_FORMAT), &config) : cli_model_write(&t->m, args_text(a, T_OUT)))) return 0;
  remove(t->checkpoint);
  report(t);
  return 1;
}

static int run(const cli_args *a) {
  training t = {.a = a, .eval_first = NAN, .eval_last = NAN};
  if (!cli_is_adapter_format(args_text(a, T_FORMAT))) return 2;
  if (args_given(a, T_DORA) && cli_writes_gguf(args_text(a, T_OUT), args_text(a, T_FORMAT))) return cli_no_dora("--dora"), 2;
  if (cli_open(&t.m, a->argv[0], &(cli_open_spec){.need_tokenizer = 1, .kernels = args_text(a, T_KERNELS), .n_threads = args_int(a, T_THREADS)}) != EN_OK) return 1;
  const int ok = train(&t);
  train_close_prefix(&t);
  cli_goal_close(&t.goal);
  free(t.rows);
  free(t.checkpoint);
  free(t.ids);
  free(t.segment);
  free(t.weight);
  free(t.sample);
  free(t.order);
  free(t.trainer_mem);
  free(t.adapter_mem);
  cli_pairs_free(&t.data);
  cli_close(&t.m);
  return ok ? 0 : 1;
}

const cli_command cli_command_train = {
    .name = "train", .operands = "MODEL", .summary = "fine-tune: make a LoRA adapter from pairs of texts, or train a small model",
    .notes = "The model's tokens of \"input\" are not learned, those of \"output\" and the end of text are. Write a chat model's markup into \"input\".\n"
             "An interrupt (Ctrl-C) finishes the step and writes PATH.checkpoint; the same command with --resume goes on as if nothing had happened.",
    .options = options, .n_options = sizeof options / sizeof *options, .min_operands = 1, .max_operands = 1, .run = run};

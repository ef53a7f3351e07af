/* train_case.c - see train_case.h. */
#include "train_case.h"
#include "../core/base/base.h"
#include "adapters.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A file that a member names, beside the case. */
static int32_t named(const train_case *c, const char *key, char *path, en_why *why) {
  char name[256];
  const char *slash = strrchr(c->path, '/');
  const size_t n_folder = slash ? (size_t)(slash - c->path) + 1 : 0;
  if (!json_string(&c->j, json_get(&c->j, 0, key), name, sizeof name) || n_folder + strlen(name) >= TRAIN_CASE_PATH) return en_fail(why, EN_E_FORMAT, "%s names no file", key);
  snprintf(path, TRAIN_CASE_PATH, "%.*s%s", (int)n_folder, c->path, name);
  return EN_OK;
}

static double number_at(const json *j, uint32_t node, double fallback) {
  double v;
  return json_number(j, node, &v) ? v : fallback;
}

static int32_t read_sequences(train_case *c, en_why *why) {
  const json *j = &c->j;
  const uint32_t list = json_get(j, 0, "sequences");
  uint32_t item, n = 0;
  for (uint32_t s = 0; (item = json_item(j, list, s)) != JSON_NONE; s++) {
    const uint32_t tokens = json_get(j, item, "tokens"), mask = json_get(j, item, "loss_mask");
    if (json_kind_of(j, tokens) != JSON_ARRAY || json_kind_of(j, mask) != JSON_ARRAY || j->nodes[tokens].n != j->nodes[mask].n) return en_fail(why, EN_E_FORMAT, "sequence %u has no tokens, or not as many in loss_mask", s);
    n += j->nodes[tokens].n;
  }
  c->ids = calloc((size_t)n + 1, sizeof *c->ids);
  c->segment = calloc((size_t)n + 1, sizeof *c->segment);
  c->weight = calloc((size_t)n + 1, sizeof *c->weight);
  if (!n || !c->ids || !c->segment || !c->weight) return en_fail(why, EN_E_FORMAT, "there are no sequences, or no memory for them");
  for (uint32_t s = 0; (item = json_item(j, list, s)) != JSON_NONE; s++) {
    const uint32_t tokens = json_get(j, item, "tokens"), mask = json_get(j, item, "loss_mask");
    for (uint32_t i = 0; i < j->nodes[tokens].n; i++, c->n++) {
      const double id = number_at(j, json_item(j, tokens, i), -1);
      c->ids[c->n] = id >= 0 && id < INT32_MAX ? (int32_t)id : -1;
      c->weight[c->n] = number_at(j, json_item(j, mask, i), 0) != 0 ? 1 : 0;
      c->segment[c->n] = s;
    }
  }
  return EN_OK;
}

/* Pairs as sequences, anchor and positive in turn. */
static int32_t read_pairs(train_case *c, en_why *why) {
  static const char *const sides[] = {"anchor", "positive"};
  const json *j = &c->j;
  const uint32_t list = json_get(j, 0, "pairs");
  uint32_t item, n = 0;
  for (uint32_t i = 0; (item = json_item(j, list, i)) != JSON_NONE; i++)
    for (int side = 0; side < 2; side++) {
      const uint32_t tokens = json_get(j, item, sides[side]);
      if (json_kind_of(j, tokens) != JSON_ARRAY || !j->nodes[tokens].n) return en_fail(why, EN_E_FORMAT, "pair %u has no %s", i, sides[side]);
      n += j->nodes[tokens].n;
    }
  c->ids = calloc((size_t)n + 1, sizeof *c->ids);
  c->segment = calloc((size_t)n + 1, sizeof *c->segment);
  if (!n || !c->ids || !c->segment) return en_fail(why, EN_E_FORMAT, "there are no pairs, or no memory for them");
  for (uint32_t i = 0; (item = json_item(j, list, i)) != JSON_NONE; i++)
    for (uint32_t side = 0; side < 2; side++) {
      const uint32_t tokens = json_get(j, item, sides[side]);
      for (uint32_t k = 0; k < j->nodes[tokens].n; k++, c->n++) {
        const double id = number_at(j, json_item(j, tokens, k), -1);
        c->ids[c->n] = id >= 0 && id < INT32_MAX ? (int32_t)id : -1;
        c->segment[c->n] = 2 * i + side;
      }
    }
  c->loss = EN_LOSS_INFONCE;
  c->tau = (float)number_at(j, json_get(j, 0, "tau"), 0);
  return EN_OK;
}

int32_t train_case_open(train_case *c, const char *path, const char *kernels, en_why *why) {
  char base[TRAIN_CASE_PATH], kind[32] = "";
  const char *error;
  size_t n, at;
  *c = (train_case){.path = path};
  c->text = cli_read_file(path, &n);
  if (!c->text) return en_fail(why, EN_E_ARG, "the file cannot be read");
  if (!json_read(&c->j, c->text, n, &error, &at)) return en_fail(why, EN_E_FORMAT, "%s at byte %z", error, (uint64_t)at);
  if (!json_string(&c->j, json_get(&c->j, 0, "kind"), kind, sizeof kind) || (strcmp(kind, "train-ce") && strcmp(kind, "train-infonce"))) return en_fail(why, EN_E_FORMAT, "this is no case of kind train-ce or train-infonce");
  EN_TRY(strcmp(kind, "train-ce") ? read_pairs(c, why) : read_sequences(c, why));
  EN_TRY(named(c, "base", base, why));
  return cli_open(&c->m, base, &(cli_open_spec){.kernels = kernels, .quiet = 1, .why = why});
}

static void drop(train_case *c) {
  free(c->trainer_mem);
  free(c->adapter_mem);
  c->trainer_mem = c->adapter_mem = NULL;
}

void train_case_close(train_case *c) {
  drop(c);
  if (c->m.model) cli_close(&c->m);
  free(c->ids);
  free(c->segment);
  free(c->weight);
  json_free(&c->j);
  free(c->text);
}

int32_t train_case_begin(train_case *c, uint32_t run, en_why *why) {
  const json *j = &c->j;
  const uint32_t betas = json_get(j, run, "betas");
  char path[TRAIN_CASE_PATH];
  const en_train_spec spec = {.n_tokens = EN_MAX(c->n, 2), .loss = c->loss, .temperature = c->tau, .beta1 = (float)number_at(j, json_item(j, betas, 0), 0), .beta2 = (float)number_at(j, json_item(j, betas, 1), 0), .eps = (float)number_at(j, json_get(j, run, "eps"), 0),
    .weight_decay = (float)number_at(j, json_get(j, run, "weight_decay"), 0), .clip_norm = (float)number_at(j, json_get(j, run, "clip_norm"), 0)};
  drop(c);
  EN_TRY(named(c, "init_gguf", path, why));
  if (!cli_adapter_load(&c->m, path, &c->adapter, &c->adapter_mem)) return en_fail(why, EN_E_FORMAT, "the start adapter cannot be read");
  const size_t need = en_trainer_bytes(c->adapter, &spec, &c->m.host);
  c->trainer_mem = cli_alloc(need);
  if (!c->trainer_mem) return en_fail(why, EN_E_NOMEM, "no memory for training");
  return en_trainer_init(&c->trainer, c->trainer_mem, need, c->adapter, &spec, &c->m.host, why);
}

uint32_t train_case_run(const train_case *c, const char *name) {
  const uint32_t runs = json_get(&c->j, 0, "runs");
  char text[64];
  uint32_t item;
  for (uint32_t i = 0; (item = json_item(&c->j, runs, i)) != JSON_NONE; i++)
    if (json_string(&c->j, json_get(&c->j, item, "name"), text, sizeof text) && !strcmp(text, name)) return item;
  return JSON_NONE;
}

int32_t train_case_gradients(train_case *c, double *loss, double *norm, en_why *why) {
  const en_train_batch batch = {.n = c->n, .ids = c->ids, .segment = c->segment, .weight = c->weight};
  en_train_loss sum;
  uint64_t n;
  double square = 0;
  EN_TRY(en_train_accumulate(c->trainer, &batch, &sum, why));
  if (!(sum.weight > 0)) return en_fail(why, EN_E_ARG, "no token is to be learned");
  const float *grad = en_trainer_gradients(c->trainer, &n);
  for (uint64_t i = 0; i < n; i++) square += (double)grad[i] * (double)grad[i];
  *loss = sum.loss / sum.weight;
  if (norm) *norm = sqrt(square) / sum.weight;
  return EN_OK;
}

int32_t train_case_steps(train_case *c, uint32_t run, train_trace *out, en_why *why) {
  const uint32_t rates = json_get(&c->j, run, "lr_per_step");
  const en_train_batch batch = {.n = c->n, .ids = c->ids, .segment = c->segment, .weight = c->weight};
  en_train_loss sum;
  uint32_t item;
  out->n = 0;
  for (; out->n < TRAIN_CASE_STEPS && (item = json_item(&c->j, rates, out->n)) != JSON_NONE; out->n++) {
    const uint32_t k = out->n;
    out->lr[k] = number_at(&c->j, item, 0);
    EN_TRY(train_case_gradients(c, &out->loss[k], NULL, why));
    EN_TRY(en_train_step(c->trainer, out->lr[k], &out->norm[k], why));
  }
  if (!out->n) return en_fail(why, EN_E_FORMAT, "the run has no lr_per_step");
  EN_TRY(en_train_evaluate(c->trainer, &batch, &sum, why));
  out->loss_after = sum.loss / sum.weight;
  return EN_OK;
}

/* ---- factors ---- */

static const char *const targets[] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
enum { N_TARGETS = sizeof targets / sizeof *targets };

/* name[0] == 0: before the first. */
int train_case_next(const train_case *c, train_factor *f) {
  uint32_t rank, length;
  f->offset += f->rank * f->length;
  if (!f->name[0]) f->is_b = 0;
  else if (f->is_b) { f->target++; f->is_b = 0; }
  else f->is_b = 1;
  for (; f->layer < c->m.info.n_layer; f->layer++, f->target = 0)
    for (; f->target < N_TARGETS; f->target++) {
      const float *p = f->is_b ? en_adapter_b(c->adapter, f->layer, 1u << f->target, &rank, &length) : en_adapter_a(c->adapter, f->layer, 1u << f->target, &rank, &length);
      if (!p) continue;
      snprintf(f->name, sizeof f->name, "blk.%u.%s.weight.lora_%c", f->layer, targets[f->target], f->is_b ? 'b' : 'a');
      f->rank = rank;
      f->length = length;
      return 1;
    }
  return 0;
}

void train_case_factor(float *out, const train_factor *f, const float *from, double divide) {
  for (size_t r = 0; r < f->rank; r++)
    for (size_t i = 0; i < f->length; i++) out[f->is_b ? i * f->rank + r : r * f->length + i] = (float)((double)from[f->offset + r * f->length + i] / divide);
}

const float *train_case_params(const train_case *c) {
  uint32_t rank, length;
  for (uint32_t l = 0; l < c->m.info.n_layer; l++)
    for (uint32_t t = 0; t < N_TARGETS; t++) {
      const float *p = en_adapter_a(c->adapter, l, 1u << t, &rank, &length);
      if (p) return p; /* all of an adapter's numbers lie one after another, beginning with its first A */
    }
  return NULL;
}

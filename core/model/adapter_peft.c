/* adapter_peft.c - adapters as PEFT writes them (github.com/huggingface/peft): adapter_model.safetensors with the factors and
 * adapter_config.json with how to use them. Layout: docs/formats.md. */
#include "adapter.h"
#include "../format/safetensors.h"
#include <math.h>

static int has_mixer(const en_model *m) { return !strncmp(m->arch->name, "mamba", 5); }
static int is_rwkv6(const en_model *m) { return !strcmp(m->arch->name, "rwkv6"); }

/* What a checkpoint calls the module of target bit 1 << i. */
static const char *module_of(const en_model *m, int32_t i) {
  static const char *const common[EN_LORA_TARGETS] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"};
  static const char *const phi3[EN_LORA_TARGETS] = {"self_attn.qkv_proj", "self_attn.qkv_proj", "self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.gate_up_proj", "mlp.down_proj"};
  static const char *const phi[EN_LORA_TARGETS] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.dense", "mlp.gate_proj", "mlp.fc1", "mlp.fc2"};
  static const char *const rwkv6[EN_LORA_TARGETS] = {"attention.receptance", "attention.key", "attention.value", "attention.output", "attention.gate", "feed_forward.key", "feed_forward.value"};
  static const char *const rwkv7[EN_LORA_TARGETS] = {"attn.r_proj", "attn.k_proj", "attn.v_proj", "attn.o_proj", "ffn.gate", "ffn.key", "ffn.value"};
  if (!strcmp(m->arch->name, "phi3")) return phi3[i];
  if (is_rwkv6(m)) return rwkv6[i];
  if (!strcmp(m->arch->name, "rwkv7")) return rwkv7[i];
  if (has_mixer(m)) return 1 << i == EN_LORA_O ? "mixer.out_proj" : m->arch->lora[i] ? "mixer.in_proj" : common[i];
  return strcmp(m->arch->name, "phi2") ? common[i] : phi[i];
}
static const char *prefix_of(const en_model *m) { return has_mixer(m) ? "base_model.model.backbone.layers." : is_rwkv6(m) ? "base_model.model.rwkv.blocks." : "base_model.model.model.layers."; }

/* Row of the model's matrix that row `row` of PEFT's B is. Checkpoints of the llama family keep the two halves of every rotated head apart
 * (h E + s E/2 + i); their GGUF files have them side by side (h E + 2 i + s), for q and k only. Other architectures are stored alike. */
static size_t model_row(const en_model *m, int32_t target, size_t row) {
  if (1 << target > EN_LORA_K || strcmp(m->arch->name, "llama")) return row;
  const size_t size = (size_t)m->c.E, in_head = row % size;
  return row - in_head + in_head % (size / 2) * 2 + in_head / (size / 2);
}

/* Checkpoints of phi3 have q, k, v in one module, and gate, up: one A for all of them, the rows of B one part after another. Ours have one A each, so
 * the module that is written has the sum of their ranks: A one above the other, B a block for each - the same function. A module that is read becomes
 * parts of its own rank, with A repeated. The target that leads a module is the first that bears its name. */
static int same_module(const en_model *m, int32_t i, int32_t j) { return !strcmp(module_of(m, i), module_of(m, j)); }
static int32_t lead_of(const en_model *m, int32_t i) {
  int32_t j = 0;
  while (!same_module(m, i, j)) j++;
  return j;
}
static int is_fused(const en_model *m, int32_t i) { return lead_of(m, i) != i || (i + 1 < EN_LORA_TARGETS && same_module(m, i, i + 1)); }
/* Row of its module at which a target begins, and rows of the whole module. */
static size_t first_row(const en_model *m, int32_t i) { return is_fused(m, i) ? (size_t)en_dim_size(&m->c, (en_dim)m->arch->layer[en_lora_tensor(m->arch, i)].first) : 0; }
static size_t module_rows(const en_model *m, int32_t i) {
  const int32_t t = en_lora_tensor(m->arch, i);
  return is_fused(m, i) ? (size_t)en_dim_size(&m->c, (en_dim)m->arch->layer[t].whole) : (size_t)m->layers[t].rows;
}
int32_t en_peft_whole(const en_model *m, uint32_t targets) {
  for (int32_t i = 0; i < EN_LORA_TARGETS; i++)
    if (en_lora_tensor(m->arch, i) >= 0 && (targets >> i & 1) != (targets >> lead_of(m, i) & 1)) return 0;
  return 1;
}

/* ---- settings ---- */

typedef struct { float alpha; uint64_t rank; int32_t rank_pattern, rslora, dora; } settings_t;

static int is_empty(en_json v) {
  const en_json_kind kind = en_json_kind_of(v);
  return kind <= EN_JSON_FALSE || ((kind == EN_JSON_ARRAY || kind == EN_JSON_OBJECT) && !en_json_count(v));
}

/* What changes the function in a way that the factors alone do not say. */
static int32_t check_features(en_json c, en_why *why) {
  static const struct { const char *key, *what; } unknown[] = {{"modules_to_save", "whole modules saved beside the factors"}, {"lora_bias", "biases of the factors"},
    {"alpha_pattern", "an alpha of its own for some modules"}, {"layer_replication", "repeated layers"}, {"fan_in_fan_out", "transposed weights"}, {"trainable_token_indices", "trained tokens"},
    {"use_qalora", "QALoRA"}, {"target_parameters", "adapted parameters"}};
  const en_json bias = en_json_get(c, "bias"), init = en_json_get(c, "init_lora_weights");
  if (!en_json_is(en_json_get(c, "peft_type"), "LORA")) return en_fail(why, EN_E_UNSUPPORTED, "the adapter's peft_type is not LORA");
  for (int32_t i = 0; i < EN_COUNT(unknown); i++)
    if (!is_empty(en_json_get(c, unknown[i].key))) return en_fail(why, EN_E_UNSUPPORTED, "the adapter uses %s (%s), which is not supported", unknown[i].what, unknown[i].key);
  if (!is_empty(bias) && !en_json_is(bias, "none")) return en_fail(why, EN_E_UNSUPPORTED, "the adapter trains biases (bias), which is not supported");
  /* PiSSA, OLoRA, CorDA, LoftQ and the like take a part out of the base weights when training begins: their factors fit no other base. */
  if (en_json_kind_of(init) == EN_JSON_STRING && !en_json_is(init, "gaussian") && !en_json_is(init, "eva") && !en_json_is(init, "orthogonal"))
    return en_fail(why, EN_E_UNSUPPORTED, "the adapter was begun with init_lora_weights that change the base weights");
  return EN_OK;
}

static int32_t read_settings(settings_t *s, const char *text, size_t n_bytes, en_why *why) {
  en_json c;
  double alpha;
  *s = (settings_t){0};
  EN_TRY(en_json_open(&c, text, n_bytes, why));
  EN_TRY(check_features(c, why));
  if (!en_json_u64(en_json_get(c, "r"), &s->rank) || !s->rank || s->rank > EN_LORA_MAX_RANK) return en_fail(why, EN_E_UNSUPPORTED, "the adapter's rank (r) is not from 1 to %d", EN_LORA_MAX_RANK);
  if (!en_json_number(en_json_get(c, "lora_alpha"), &alpha) || !(alpha > 0 && alpha < 1e6)) return en_fail(why, EN_E_FORMAT, "the adapter's lora_alpha is not a positive number");
  s->rslora = en_json_kind_of(en_json_get(c, "use_rslora")) == EN_JSON_TRUE;
  s->dora = en_json_kind_of(en_json_get(c, "use_dora")) == EN_JSON_TRUE;
  s->rank_pattern = !is_empty(en_json_get(c, "rank_pattern"));
  if (s->rslora && s->rank_pattern) return en_fail(why, EN_E_UNSUPPORTED, "use_rslora together with rank_pattern is not supported");
  s->alpha = (float)(s->rslora ? alpha * sqrt((double)s->rank) : alpha);
  return EN_OK;
}

/* ---- read ---- */

typedef struct { en_st_tensor a, b, m /* of DoRA */; } pair_t; /* data NULL: not there */
typedef struct { void *adapter; pair_t *pairs; size_t adapter_bytes; } memory_t;

static int ends(const en_st_tensor *t, const char *with) {
  const size_t n = strlen(with);
  return t->name_bytes >= n && !memcmp(t->name + t->name_bytes - n, with, n);
}
static const char MAGNITUDE[] = ".lora_magnitude_vector";

/* At most: a module has up to three parts. */
static size_t carve(memory_t *f, const en_model *m, const en_safetensors *s, void *mem) {
  const char *cursor = NULL;
  en_st_tensor t;
  en_adapter_size size = {.n_params = 3 * s->n_elems};
  while (en_safetensors_next(s, &cursor, &t)) {
    if (ends(&t, MAGNITUDE)) size.n_rows += t.n_elems;
    if (ends(&t, ".lora_A.weight")) size.rank = EN_MAX(size.rank, (int32_t)EN_MIN(t.shape[0], EN_LORA_MAX_RANK));
  }
  f->adapter_bytes = s->n_elems < SIZE_MAX / 16 ? en_adapter_block_bytes(m, &size) : 0;
  const en_piece pieces[] = {{&f->adapter, f->adapter_bytes, 1}, {(void **)&f->pairs, (uint64_t)m->c.L * EN_LORA_TARGETS, sizeof(pair_t)}};
  return f->adapter_bytes ? en_carve(pieces, EN_COUNT(pieces), mem) : 0;
}

size_t en_adapter_peft_bytes(const en_model *m, const void *tensors, size_t n_bytes) {
  en_safetensors s;
  memory_t f;
  return en_safetensors_open(&s, tensors, n_bytes, NULL) == EN_OK ? carve(&f, m, &s, NULL) : 0;
}

static int starts(const char **p, const char *end, const char *with) {
  const size_t n = strlen(with);
  if ((size_t)(end - *p) < n || memcmp(*p, with, n)) return 0;
  *p += n;
  return 1;
}

/* "base_model.model.model.layers.<layer>.<module>.lora_A.weight" (lora_B.weight, lora_magnitude_vector) -> where it belongs, NULL: it is none of these. */
static en_st_tensor *place_of(const en_model *m, pair_t *pairs, const en_st_tensor *t) {
  const char *p = t->name, *end = p + t->name_bytes;
  int32_t layer = 0, n = 0;
  if (!starts(&p, end, prefix_of(m))) return NULL;
  for (; p < end && *p >= '0' && *p <= '9' && n < 6; p++, n++) layer = layer * 10 + (*p - '0');
  if (!n || layer >= m->c.L || !starts(&p, end, ".")) return NULL;
  for (int32_t i = 0; i < EN_LORA_TARGETS; i++)
    if (starts(&p, end, module_of(m, i))) {
      const int is_a = starts(&p, end, ".lora_A.weight"), is_b = !is_a && starts(&p, end, ".lora_B.weight"), is_m = !is_a && !is_b && starts(&p, end, MAGNITUDE);
      if (p != end || (!is_a && !is_b && !is_m) || en_lora_tensor(m->arch, i) < 0) return NULL;
      pair_t *pair = pairs + (size_t)layer * EN_LORA_TARGETS + i;
      return is_a ? &pair->a : is_b ? &pair->b : &pair->m;
    }
  return NULL;
}

static int32_t collect(const en_model *m, const en_safetensors *s, pair_t *pairs, en_why *why) {
  const char *cursor = NULL;
  en_st_tensor t;
  memset(pairs, 0, (size_t)m->c.L * EN_LORA_TARGETS * sizeof *pairs);
  if (!s->n_tensors) return en_fail(why, EN_E_FORMAT, "the adapter has no tensors");
  while (en_safetensors_next(s, &cursor, &t)) {
    en_st_tensor *place = place_of(m, pairs, &t);
    if (!place) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S belongs to no matrix of this model that can be adapted", t.name_bytes, t.name);
    if (place->data) return en_fail(why, EN_E_FORMAT, "tensor %S is there twice", t.name_bytes, t.name);
    if (!en_st_is_float(&t)) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S is not F32, F16 or BF16", t.name_bytes, t.name);
    *place = t;
  }
  for (int32_t l = 0; l < m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) pairs[l * EN_LORA_TARGETS + i] = pairs[l * EN_LORA_TARGETS + lead_of(m, i)];
  return EN_OK;
}

static int32_t check_shape(const en_st_tensor *t, uint64_t rows, uint64_t cols, en_why *why) {
  if (t->n_dims == 2 && t->shape[0] == rows && t->shape[1] == cols) return EN_OK;
  return en_fail(why, EN_E_ARG, "tensor %S does not fit this model: %z x %z, expected %z x %z", t->name_bytes, t->name, t->shape[0], t->shape[1], rows, cols);
}

static int32_t check_pairs(const en_model *m, const pair_t *pairs, const settings_t *set, en_why *why) {
  for (int32_t l = 0; l < m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const pair_t *p = pairs + (size_t)l * EN_LORA_TARGETS + i;
      const en_st_tensor *given = p->a.data ? &p->a : p->b.data ? &p->b : &p->m;
      if (!given->data) continue;
      if (!p->a.data || !p->b.data) return en_fail(why, EN_E_FORMAT, "tensor %S is one factor without the other", given->name_bytes, given->name);
      const en_weight *w = en_model_layer(m, l) + en_lora_tensor(m->arch, i);
      const uint64_t rank = p->a.shape[0];
      if (!rank || rank > EN_LORA_MAX_RANK) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S has rank %z: at most %d is supported", given->name_bytes, given->name, rank, EN_LORA_MAX_RANK);
      if (rank != set->rank && !set->rank_pattern) return en_fail(why, EN_E_FORMAT, "tensor %S has rank %z, the settings say %z", given->name_bytes, given->name, rank, set->rank);
      EN_TRY(check_shape(&p->a, rank, (uint64_t)w->cols, why));
      EN_TRY(check_shape(&p->b, (uint64_t)module_rows(m, i), rank, why));
      if (set->dora != (p->m.data != NULL)) return en_fail(why, EN_E_FORMAT, "tensor %S: the settings say %s, its magnitude vector is %s", given->name_bytes, given->name, set->dora ? "DoRA" : "no DoRA", p->m.data ? "there" : "missing");
      if (p->m.data && (p->m.n_dims != 1 || p->m.shape[0] != module_rows(m, i))) return en_fail(why, EN_E_ARG, "tensor %S does not fit this model: it has %z numbers, expected %z", p->m.name_bytes, p->m.name, p->m.n_elems, (uint64_t)module_rows(m, i));
    }
  return EN_OK;
}

typedef struct { const pair_t *pairs; } ranks_t;
static int32_t rank_of(const void *ctx, int32_t layer, int32_t target) {
  const pair_t *p = ((const ranks_t *)ctx)->pairs + (size_t)layer * EN_LORA_TARGETS + target;
  return p->a.data ? (int32_t)p->a.shape[0] : 0;
}

static int32_t copy(const en_adapter *a, const pair_t *pairs, en_why *why) {
  float row[EN_LORA_MAX_RANK];
  for (int32_t l = 0; l < a->m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const pair_t *p = pairs + (size_t)l * EN_LORA_TARGETS + i;
      if (!p->a.data) continue;
      const int32_t t = en_lora_tensor(a->m->arch, i);
      const en_lora *e = en_adapter_layer(a, l) + t;
      const size_t rows = (size_t)(en_model_layer(a->m, l) + t)->rows, rank = (size_t)e->rank, first = first_row(a->m, i);
      en_st_read(e->a, &p->a, 0, p->a.n_elems);
      for (size_t r = 0; r < rows; r++) {
        const size_t to = model_row(a->m, i, r);
        en_st_read(row, &p->b, (uint64_t)(first + r) * rank, rank);
        for (size_t j = 0; j < rank; j++) e->b[j * rows + to] = row[j];
        if (e->m) en_st_read(e->m + to, &p->m, (uint64_t)(first + r), 1);
      }
    }
  for (uint64_t i = 0; i < a->n_params; i++)
    if (!isfinite(a->params[i])) return en_fail(why, EN_E_NUMERIC, "the adapter has a number that is not finite");
  return EN_OK;
}

int32_t en_adapter_init_peft(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const void *tensors, size_t n_bytes, const char *config, size_t config_bytes, en_why *why) {
  en_safetensors s;
  settings_t set;
  memory_t f;
  en_adapter *a;
  EN_TRY(read_settings(&set, config, config_bytes, why));
  EN_TRY(en_safetensors_open(&s, tensors, n_bytes, why));
  const size_t need = carve(&f, m, &s, NULL);
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the adapter needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for an adapter must be aligned to %d bytes", EN_ALIGN);
  carve(&f, m, &s, mem);
  EN_TRY(collect(m, &s, f.pairs, why));
  EN_TRY(check_pairs(m, f.pairs, &set, why));
  const ranks_t at = {f.pairs};
  EN_TRY(en_adapter_make(&a, f.adapter, f.adapter_bytes, m, &(en_ranks){rank_of, &at, set.dora}, set.alpha, why));
  EN_TRY(copy(a, f.pairs, why));
  en_adapter_changed(a);
  *out = a;
  return EN_OK;
}

/* ---- write ---- */

static const en_lora *entry(const en_adapter *a, int32_t layer, int32_t target, const en_weight **w) {
  const int32_t t = en_lora_tensor(a->m->arch, target);
  const en_lora *e = t < 0 ? NULL : en_adapter_layer(a, layer) + t;
  if (!e || !e->rank) return NULL;
  *w = en_model_layer(a->m, layer) + t;
  return e;
}

/* Rank of the module that target i leads; 0: nothing in it is updated, or i does not lead. */
static int32_t module_rank(const en_adapter *a, int32_t layer, int32_t i) {
  const en_weight *w;
  int32_t rank = 0;
  for (int32_t j = i; lead_of(a->m, i) == i && j < EN_LORA_TARGETS; j++) {
    const en_lora *e = same_module(a->m, i, j) ? entry(a, layer, j, &w) : NULL;
    if (e) rank += e->rank;
  }
  return rank;
}

static void declare(en_st_writer *s, const en_model *m, int32_t layer, int32_t target, const char *factor, size_t rows, size_t cols) {
  char name[96];
  en_writer w = {(uint8_t *)name, 0, sizeof name};
  en_put_str(&w, prefix_of(m));
  en_put_decimal(&w, (uint64_t)layer);
  en_put_str(&w, ".");
  en_put_str(&w, module_of(m, target));
  en_put_str(&w, factor);
  en_put(&w, "", 1);
  en_st_declare(s, name, rows, cols);
}

/* What PEFT will take for alpha: a file without one has scale 1. */
static float alpha_of(const en_adapter *a);

static void put_a(en_writer *w, const en_adapter *a, int32_t layer, int32_t i) {
  const en_weight *m;
  for (int32_t j = i; j < EN_LORA_TARGETS; j++) {
    const en_lora *e = same_module(a->m, i, j) ? entry(a, layer, j, &m) : NULL;
    if (e) en_put(w, e->a, (size_t)e->rank * (size_t)m->cols * sizeof(float));
  }
}

/* Rows of the parts one after another, each with its own columns and zeros in those of the others; where the rank of the module is not that of the
 * part, its numbers make up for the other scale. */
static void put_b(en_writer *w, const en_adapter *a, int32_t layer, int32_t i) {
  const int32_t rank = module_rank(a, layer, i);
  const size_t all = module_rows(a->m, i);
  const en_weight *m;
  for (int32_t j = i, before = 0; j < EN_LORA_TARGETS; j++) {
    if (!same_module(a->m, i, j)) continue;
    const en_lora *e = entry(a, layer, j, &m);
    const size_t first = first_row(a->m, j), end = j + 1 < EN_LORA_TARGETS && same_module(a->m, i, j + 1) ? first_row(a->m, j + 1) : all;
    const float factor = e && e->rank != rank ? (float)((double)e->scale * rank / (double)alpha_of(a)) : 1;
    for (size_t r = first; r < end; r++) {
      const size_t from = model_row(a->m, j, r - first);
      for (int32_t k = 0; k < rank; k++) {
        const int32_t own = e ? k - before : -1;
        const float b = own >= 0 && own < e->rank ? factor * e->b[(size_t)own * (size_t)m->rows + from] : 0;
        en_put(w, &b, sizeof b);
      }
    }
    if (e) before += e->rank;
  }
}

static void put_m(en_writer *w, const en_adapter *a, int32_t layer, int32_t i) {
  const en_weight *m;
  for (int32_t j = i; j < EN_LORA_TARGETS; j++) {
    const en_lora *e = same_module(a->m, i, j) ? entry(a, layer, j, &m) : NULL;
    for (size_t r = 0; e && r < (size_t)m->rows; r++) en_put(w, &e->m[model_row(a->m, j, r)], sizeof(float));
  }
}

size_t en_adapter_save_peft(const en_adapter *a, void *dst, size_t cap) {
  en_st_writer s;
  for (int pass = 0; pass < 2; pass++) { /* first count, then write if it fits */
    en_st_begin(&s, pass ? dst : NULL, cap);
    for (int32_t l = 0; l < a->m->c.L; l++)
      for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
        const size_t rank = (size_t)module_rank(a, l, i);
        if (!rank) continue;
        declare(&s, a->m, l, i, ".lora_A.weight", rank, (size_t)(en_model_layer(a->m, l) + en_lora_tensor(a->m->arch, i))->cols);
        declare(&s, a->m, l, i, ".lora_B.weight", module_rows(a->m, i), rank);
        if (a->is_dora) declare(&s, a->m, l, i, MAGNITUDE, module_rows(a->m, i), 0);
      }
    en_st_head(&s);
    for (int32_t l = 0; l < a->m->c.L; l++)
      for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
        if (!module_rank(a, l, i)) continue;
        put_a(&s.w, a, l, i);
        put_b(&s.w, a, l, i);
        if (a->is_dora) put_m(&s.w, a, l, i);
      }
    if (!dst || s.w.n > cap) break;
  }
  return s.w.n;
}

/* The shortest decimal that reads back as the same float; v > 0. */
static void put_float(en_writer *w, float v) {
  const int32_t e10 = (int32_t)floor(log((double)v) / log(10));
  int32_t exponent = 0;
  uint64_t digits = 0;
  for (int32_t n = 0; n < 10; n++) {
    exponent = e10 - n;
    digits = (uint64_t)floor((double)v * pow(10, -exponent) + 0.5);
    if ((float)((double)digits * pow(10, exponent)) == v) break;
  }
  if (exponent >= 0 && exponent < 7) {
    en_put_decimal(w, digits);
    en_put_fill(w, '0', (size_t)exponent);
    return;
  }
  en_put_decimal(w, digits);
  en_put_str(w, exponent < 0 ? "e-" : "e");
  en_put_decimal(w, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

/* What is updated where. */
typedef struct { int32_t rank, mixed /* more than one rank */, targets /* bits */, ragged /* not the same targets in every updated layer */, n_layers; } shape_t;

static int32_t targets_of(const en_adapter *a, int32_t layer) { /* those that lead a module */
  int32_t bits = 0;
  for (int32_t i = 0; i < EN_LORA_TARGETS; i++) bits |= module_rank(a, layer, i) ? 1 << i : 0;
  return bits;
}

static shape_t shape_of(const en_adapter *a) {
  shape_t s = {0};
  for (int32_t l = 0; l < a->m->c.L; l++) {
    const int32_t bits = targets_of(a, l);
    if (!bits) continue;
    s.n_layers++;
    s.ragged |= s.targets && bits != s.targets;
    s.targets |= bits;
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const int32_t rank = module_rank(a, l, i);
      if (!rank) continue;
      s.mixed |= s.rank && rank != s.rank;
      s.rank = s.rank ? s.rank : rank;
    }
  }
  return s;
}

static float alpha_of(const en_adapter *a) { return a->alpha != 0 ? a->alpha : (float)shape_of(a).rank; }

/* Comma before all but the first. */
static void item(en_writer *w, int32_t *n) {
  if ((*n)++) en_put_str(w, ", ");
}
static void put_module(en_writer *w, const en_model *m, int32_t layer, int32_t target) {
  en_put_str(w, "\"");
  en_put_str(w, prefix_of(m) + strlen("base_model.model."));
  en_put_decimal(w, (uint64_t)layer);
  en_put_str(w, ".");
  en_put_str(w, module_of(m, target));
  en_put_str(w, "\"");
}

/* Names that PEFT matches against the ends of module paths: "q_proj" where all updated layers are alike, else every single one. */
static void put_targets(en_writer *w, const en_adapter *a, const shape_t *s) {
  int32_t n = 0;
  en_put_str(w, "[");
  for (int32_t i = 0; i < EN_LORA_TARGETS && !s->ragged; i++) {
    if (!(s->targets >> i & 1)) continue;
    item(w, &n);
    en_put_quoted(w, is_rwkv6(a->m) ? module_of(a->m, i) : strchr(module_of(a->m, i), '.') + 1); /* a "key" is in both halves of its layers */
  }
  for (int32_t l = 0; l < a->m->c.L && s->ragged; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      if (!(targets_of(a, l) >> i & 1)) continue;
      item(w, &n);
      put_module(w, a->m, l, i);
    }
  en_put_str(w, "]");
}

static void put_rank_pattern(en_writer *w, const en_adapter *a, const shape_t *s) {
  int32_t n = 0;
  en_put_str(w, "{");
  for (int32_t l = 0; l < a->m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const int32_t rank = module_rank(a, l, i);
      if (!rank || rank == s->rank) continue;
      item(w, &n);
      put_module(w, a->m, l, i);
      en_put_str(w, ": ");
      en_put_decimal(w, (uint64_t)rank);
    }
  en_put_str(w, "}");
}

static void put_layers(en_writer *w, const en_adapter *a, const shape_t *s) {
  int32_t n = 0;
  if (s->n_layers == a->m->c.L || s->ragged) { en_put_str(w, "null"); return; }
  en_put_str(w, "[");
  for (int32_t l = 0; l < a->m->c.L; l++) {
    if (!targets_of(a, l)) continue;
    item(w, &n);
    en_put_decimal(w, (uint64_t)l);
  }
  en_put_str(w, "]");
}

size_t en_adapter_save_peft_config(const en_adapter *a, const en_peft_config *config, void *dst, size_t cap) {
  const shape_t s = shape_of(a);
  const int32_t rslora = config->rslora && !s.mixed && a->alpha != 0;
  en_writer w = {0};
  for (int pass = 0; pass < 2; pass++) {
    w = (en_writer){pass ? dst : NULL, 0, cap};
    en_put_str(&w, "{\n  \"alpha_pattern\": {},\n  \"base_model_name_or_path\": ");
    if (config->base_model) en_put_quoted(&w, config->base_model);
    else en_put_str(&w, "null");
    en_put_str(&w, ",\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": false,\n  \"inference_mode\": true,\n  \"init_lora_weights\": true,\n  \"layers_pattern\": null,\n  \"layers_to_transform\": ");
    put_layers(&w, a, &s);
    en_put_str(&w, ",\n  \"lora_alpha\": ");
    put_float(&w, rslora ? (float)((double)a->alpha / sqrt((double)s.rank)) : alpha_of(a));
    en_put_str(&w, ",\n  \"lora_dropout\": ");
    if (config->dropout > 0) put_float(&w, config->dropout);
    else en_put_str(&w, "0");
    en_put_str(&w, ",\n  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n  \"r\": ");
    en_put_decimal(&w, (uint64_t)s.rank);
    en_put_str(&w, ",\n  \"rank_pattern\": ");
    put_rank_pattern(&w, a, &s);
    en_put_str(&w, ",\n  \"target_modules\": ");
    put_targets(&w, a, &s);
    en_put_str(&w, ",\n  \"task_type\": \"CAUSAL_LM\",\n  \"use_dora\": ");
    en_put_str(&w, a->is_dora ? "true" : "false");
    en_put_str(&w, ",\n  \"use_rslora\": ");
    en_put_str(&w, rslora ? "true\n}\n" : "false\n}\n");
    if (!dst || w.n > cap) break;
  }
  return w.n;
}

/* mixture.c - see mixture.h. Source of the rules: llama.cpp (src/llama-quant.cpp), restated as tables. */
#include "mixture.h"
#include "../core/quant/quant.h"
#include <stdio.h>

/* types that quant.h does not number */
enum { Q2_K = 10, Q3_K = 11, TQ1_0 = 34, TQ2_0 = 35 };

static const mixture mixtures[] = {
    {"F32", EN_F32, 0}, {"F16", EN_F16, 1}, {"BF16", EN_BF16, 32},
    {"Q8_0", EN_Q8_0, 7}, {"Q6_K", EN_Q6_K, 18}, {"Q5_K_M", EN_Q5_K, 17}, {"Q5_K_S", EN_Q5_K, 16}, {"Q5_1", EN_Q5_1, 9}, {"Q5_0", EN_Q5_0, 8},
    {"Q4_K_M", EN_Q4_K, 15}, {"Q4_K_S", EN_Q4_K, 14}, {"IQ4_NL", EN_IQ4_NL, 25}, {"IQ4_XS", EN_IQ4_XS, 30}, {"Q4_1", EN_Q4_1, 3}, {"Q4_0", EN_Q4_0, 2},
    {"Q3_K_L", Q3_K, 13}, {"Q3_K_M", Q3_K, 12}, {"Q3_K_S", Q3_K, 11}, {"Q2_K", Q2_K, 10}, {"Q2_K_S", Q2_K, 21}, {"TQ2_0", TQ2_0, 37}, {"TQ1_0", TQ1_0, 36},
};

const mixture *mixture_at(int32_t i) { return i >= 0 && i < EN_COUNT(mixtures) ? &mixtures[i] : NULL; }

static int same_name(const char *a, const char *b, const char *end) {
  for (; *a && (*a == *b || *a == *b - 'a' + 'A'); a++) b++;
  return !*b && !strcmp(a, end);
}

const mixture *mixture_find(const char *name) {
  for (int32_t i = 0; i < EN_COUNT(mixtures); i++)
    if (same_name(mixtures[i].name, name, "")) return &mixtures[i];
  for (int32_t i = 0; i < EN_COUNT(mixtures); i++) /* Q4_K is short for Q4_K_M */
    if (same_name(mixtures[i].name, name, "_M")) return &mixtures[i];
  return NULL;
}

/* ---- rules: the first one that holds decides ---- */
typedef enum {
  ALWAYS, MORE_BITS /* first eighth, last eighth, and every third between */, FIRST_2, FIRST_4, FIRST_EIGHTH, FIRST_16TH,
  GROUPED /* 4 or more query heads share a key and value head */, IMATRIX_FIRST_EIGHTH, NO_IMATRIX_FIRST_EIGHTH, EXPERTS_8
} condition;
typedef enum { OTHER, VALUE, KEY, OUT, DOWN } part;
typedef struct { part of; const char *names; /* of mixtures, each between spaces; NULL: all */ condition when; int32_t type; } rule;
static const rule rules[] = {
    {VALUE, NULL, EXPERTS_8, EN_Q8_0}, {VALUE, " Q2_K Q2_K_S ", GROUPED, EN_Q4_K}, {VALUE, " Q2_K ", ALWAYS, Q3_K},
    {VALUE, " Q3_K_M ", FIRST_2, EN_Q5_K}, {VALUE, " Q3_K_M ", ALWAYS, EN_Q4_K}, {VALUE, " Q3_K_L ", ALWAYS, EN_Q5_K},
    {VALUE, " IQ4_NL IQ4_XS ", GROUPED, EN_Q5_K}, {VALUE, " Q4_K_M Q5_K_M ", MORE_BITS, EN_Q6_K}, {VALUE, " Q4_K_S ", FIRST_4, EN_Q5_K},
    {KEY, NULL, EXPERTS_8, EN_Q8_0},
    {DOWN, " Q2_K ", ALWAYS, Q3_K}, {DOWN, " Q2_K_S ", FIRST_EIGHTH, EN_Q4_K},
    {DOWN, " Q3_K_M ", FIRST_16TH, EN_Q5_K}, {DOWN, " Q3_K_M ", ALWAYS, EN_Q4_K}, {DOWN, " Q3_K_L ", ALWAYS, EN_Q5_K},
    {DOWN, " Q4_K_M Q5_K_M ", MORE_BITS, EN_Q6_K}, {DOWN, " Q4_K_S ", FIRST_EIGHTH, EN_Q5_K}, {DOWN, " IQ4_NL IQ4_XS ", NO_IMATRIX_FIRST_EIGHTH, EN_Q5_K},
    {DOWN, " Q4_0 ", IMATRIX_FIRST_EIGHTH, EN_Q4_1}, {DOWN, " Q5_0 ", IMATRIX_FIRST_EIGHTH, EN_Q5_1},
    {OUT, " Q2_K Q3_K_S Q3_K_M IQ4_NL Q4_K_S Q4_K_M IQ4_XS ", EXPERTS_8, EN_Q5_K}, {OUT, " Q3_K_L ", EXPERTS_8, Q3_K},
    {OUT, " Q2_K ", ALWAYS, Q3_K}, {OUT, " Q3_K_M ", ALWAYS, EN_Q4_K}, {OUT, " Q3_K_L ", ALWAYS, EN_Q5_K},
};
/* Tensors are known by a part of their name. */
static const struct { const char *piece; part is; } parts[] = {{"attn_v.weight", VALUE}, {"attn_qkv.weight", VALUE}, {"attn_kv_b.weight", VALUE}, {"attn_k.weight", KEY}, {"attn_output.weight", OUT}, {"ffn_down", DOWN}};

static int has(const en_gguf_tensor *t, const char *piece) {
  const size_t n = strlen(piece);
  for (size_t i = 0; i + n <= t->name_bytes; i++)
    if (!memcmp(t->name + i, piece, n)) return 1;
  return 0;
}
static part part_of(const en_gguf_tensor *t) {
  for (int32_t i = 0; i < EN_COUNT(parts); i++)
    if (has(t, parts[i].piece)) return parts[i].is;
  return OTHER;
}
/* The N of blk.N., 0 of what is in no layer. */
static int32_t layer_of(const en_gguf_tensor *t) {
  int32_t layer = 0;
  if (t->name_bytes < 5 || memcmp(t->name, "blk.", 4)) return 0;
  for (const uint8_t *p = t->name + 4; p < t->name + t->name_bytes && *p >= '0' && *p <= '9' && layer < 1 << 20; p++) layer = layer * 10 + (*p - '0');
  return layer;
}

/* "<arch>.<key>", the first element of an array; 0 where it is missing. */
static int32_t config(const en_gguf *g, const char *arch, size_t n_arch, const char *key) {
  char name[160];
  snprintf(name, sizeof name, "%.*s.%s", (int)EN_MIN(n_arch, 64), arch, key);
  const en_value *v = en_gguf_find(g, name);
  if (!v || !v->n || v->elem_type == EN_GGUF_STR) return 0;
  const double x = en_value_num(v, 0);
  return x >= 0 && x < 1e6 ? (int32_t)x : 0;
}

int32_t mixture_model_of(mixture_model *m, const en_gguf *g, int32_t has_imatrix, en_why *why) {
  const char *arch;
  uint64_t n;
  EN_TRY(en_gguf_str(g, "general.architecture", &arch, &n, why));
  const int32_t heads = config(g, arch, (size_t)n, "attention.head_count"), kv = config(g, arch, (size_t)n, "attention.head_count_kv");
  *m = (mixture_model){.g = g, .n_layer = config(g, arch, (size_t)n, "block_count"), .gqa = kv ? heads / kv : heads != 0, .n_expert = config(g, arch, (size_t)n, "expert_count"), .tied = 1, .has_imatrix = has_imatrix};
  for (uint64_t i = 0; i < g->n_tensors; i++) {
    m->n_values += part_of(&g->tensors[i]) == VALUE;
    if (en_str_is(g->tensors[i].name, g->tensors[i].name_bytes, "output.weight")) m->tied = 0;
  }
  return EN_OK;
}

int mixture_may_quantize(const en_gguf_tensor *t) {
  static const char *const never[] = {"_norm.weight", "ffn_gate_inp.weight", "altup", "laurel", "per_layer_model_proj", "position_embd", "token_types.weight", "ssm_conv1d", "shortconv.conv.weight",
    "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight",
    "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight", "attn_rel_b.weight"};
  for (int32_t i = 0; i < EN_COUNT(never); i++)
    if (has(t, never[i])) return 0;
  const uint64_t rows = t->n_elems / t->ne[0];
  return rows > 1 && t->name_bytes > 6 && !memcmp(t->name + t->name_bytes - 6, "weight", 6);
}

static int holds(const mixture_model *m, condition when, const en_gguf_tensor *t, part of) {
  int32_t i = layer_of(t), n = m->n_layer;
  if (of == VALUE) { /* counted among their like: not every layer of a hybrid model has one */
    n = m->n_values;
    i = 0;
    for (uint64_t k = 0; k < m->g->n_tensors; k++) i += part_of(&m->g->tensors[k]) == VALUE && layer_of(&m->g->tensors[k]) < layer_of(t);
  }
  switch (when) {
    case ALWAYS: return 1;
    case MORE_BITS: return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
    case FIRST_2: return i < 2;
    case FIRST_4: return i < 4;
    case FIRST_EIGHTH: return i < n / 8;
    case FIRST_16TH: return i < n / 16;
    case GROUPED: return m->gqa >= 4;
    case IMATRIX_FIRST_EIGHTH: return m->has_imatrix && i < n / 8;
    case NO_IMATRIX_FIRST_EIGHTH: return !m->has_imatrix && i < n / 8;
    case EXPERTS_8: return m->n_expert == 8;
  }
  return 0;
}

static int names_it(const char *names, const char *name) {
  char spaced[16];
  snprintf(spaced, sizeof spaced, " %s ", name);
  return !names || strstr(names, spaced);
}

static int32_t by_rules(const mixture_model *m, const mixture *x, const en_gguf_tensor *t) {
  enum { LAYERS_70B = 80 };
  const part of = part_of(t);
  int32_t type = x->type;
  for (int32_t i = 0; of && i < EN_COUNT(rules); i++)
    if (rules[i].of == of && names_it(rules[i].names, x->name) && holds(m, rules[i].when, t, of)) { type = rules[i].type; break; }
  /* Eight heads share the matrix there: it is small beside the others. */
  return of == VALUE && m->n_layer == LAYERS_70B && (type == Q3_K || type == EN_Q4_K) ? EN_Q5_K : type;
}

int32_t mixture_type(const mixture_model *m, const mixture *x, const en_gguf_tensor *t, int pure) {
  const int embedding = en_str_is(t->name, t->name_bytes, "token_embd.weight"), head = en_str_is(t->name, t->name_bytes, "output.weight") || (embedding && m->tied);
  const int32_t block = en_type_by_id(x->type)->block;
  int32_t type = x->type;
  if (block == 1 || pure) return mixture_fit(type, t->ne[0]);
  if (head) type = t->ne[0] % (uint64_t)block || type == EN_Q8_0 ? EN_Q8_0 : EN_Q6_K;
  else if (embedding) type = type == TQ1_0 || type == TQ2_0 ? EN_Q4_K : type;
  else type = by_rules(m, x, t);
  return mixture_fit(type, t->ne[0]);
}

int32_t mixture_fit(int32_t type, uint64_t cols) {
  static const struct { int32_t from, to; } smaller[] = {{EN_IQ4_XS, EN_IQ4_NL}, {Q2_K, EN_Q4_0}, {Q3_K, EN_Q4_0}, {TQ1_0, EN_Q4_0}, {TQ2_0, EN_Q4_0}, {EN_Q4_K, EN_Q5_0}, {EN_Q5_K, EN_Q5_1}, {EN_Q6_K, EN_Q8_0}};
  const en_type *t = en_type_by_id(type);
  if (cols % (uint64_t)t->block == 0) return type;
  for (int32_t i = 0; i < EN_COUNT(smaller); i++)
    if (smaller[i].from == type) return mixture_fit(smaller[i].to, cols);
  return EN_F16;
}

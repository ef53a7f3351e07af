/* hf_rope.c - rope_scaling of config.json. Llama 3's and LongRoPE's factors become tensors that divide the angles; the rest becomes keys.
 * Source of the rules: the transformers library (modeling_rope_utils.py), restated. */
#include "hf.h"
#include <math.h>

/* transformers 5 calls it rope_parameters, puts the base and the rotated part of a head there too, and may tell them of each kind of layer. */
static en_json parameters_of(const en_hf *h, const char *layers) { return en_json_get(en_hf_get(h, "rope_parameters"), layers); }
static en_json scaling_of(const en_hf *h) {
  const en_json old = en_hf_get(h, "rope_scaling"), whole = parameters_of(h, "full_attention");
  return en_json_kind_of(old) == EN_JSON_OBJECT ? old : en_json_kind_of(whole) == EN_JSON_OBJECT ? whole : en_hf_get(h, "rope_parameters");
}
static double number(en_json object, const char *key, double otherwise) {
  double v;
  return en_json_number(en_json_get(object, key), &v) ? v : otherwise;
}
static int is(const en_hf *h, const char *type) {
  const en_json s = scaling_of(h), new_name = en_json_get(s, "rope_type");
  return en_json_is(en_json_kind_of(new_name) == EN_JSON_STRING ? new_name : en_json_get(s, "type"), type);
}
static int is_long(const en_hf *h) { return is(h, "longrope") || is(h, "su"); }
static double head_size(const en_hf *h) { return en_hf_number(h, "head_dim", floor(en_hf_number(h, "hidden_size", 0) / fmax(1, en_hf_number(h, "num_attention_heads", 1)))); }
static double rotated(const en_hf *h) { return floor(head_size(h) * en_hf_number(h, "partial_rotary_factor", number(scaling_of(h), "partial_rotary_factor", 1))); }
static double original(const en_hf *h) { return number(scaling_of(h), "original_max_position_embeddings", en_hf_number(h, "original_max_position_embeddings", en_hf_number(h, "max_position_embeddings", 0))); }

int32_t en_hf_rope_check(const en_hf *h, en_why *why) {
  static const char *const known[] = {"default", "linear", "yarn", "llama3", "longrope", "su"};
  const en_json s = scaling_of(h);
  int found = en_json_kind_of(en_json_get(s, "rope_type")) != EN_JSON_STRING && en_json_kind_of(en_json_get(s, "type")) != EN_JSON_STRING;
  for (int32_t i = 0; i < EN_COUNT(known); i++) found |= is(h, known[i]);
  if (!found) return en_fail(why, EN_E_UNSUPPORTED, "this kind of rope_scaling is not supported");
  if (!(rotated(h) >= 0 && rotated(h) <= 65536)) return en_fail(why, EN_E_FORMAT, "the size of a head is out of range");
  const size_t n = (size_t)rotated(h) / 2;
  if (is_long(h) && (en_json_count(en_json_get(s, "short_factor")) != n || en_json_count(en_json_get(s, "long_factor")) != n)) return en_fail(why, EN_E_FORMAT, "rope_scaling needs %z factors of either kind", (uint64_t)n);
  return EN_OK;
}

static void put_float(const en_hf *h, en_gguf_writer *g, const char *key, double v) {
  const float f = (float)v;
  en_hf_put_key(h, g, key, EN_GGUF_F32);
  en_put(&g->w, &f, 4);
}

void en_hf_rope_keys(const en_hf *h, en_gguf_writer *g) {
  const en_json s = scaling_of(h);
  const double factor = number(s, "factor", 1), base = en_hf_number(h, "rope_theta", number(s, "rope_theta", 0)), first = original(h);
  const double local = en_hf_number(h, "rope_local_base_freq", number(parameters_of(h, "sliding_attention"), "rope_theta", 0));
  if (base > 0) put_float(h, g, "rope.freq_base", base);
  if (local > 0) put_float(h, g, "rope.freq_base_swa", local);
  if (rotated(h) > 0) {
    en_hf_put_key(h, g, "rope.dimension_count", EN_GGUF_U32);
    en_put32(&g->w, en_hf_u32(rotated(h)));
  }
  if (is(h, "linear") || is(h, "yarn")) {
    en_hf_put_key(h, g, "rope.scaling.type", EN_GGUF_STR);
    en_gguf_string(g, is(h, "yarn") ? "yarn" : "linear", is(h, "yarn") ? 4 : 6);
    put_float(h, g, "rope.scaling.factor", factor);
  }
  if (is(h, "yarn")) {
    put_float(h, g, "rope.scaling.yarn_beta_fast", number(s, "beta_fast", 32));
    put_float(h, g, "rope.scaling.yarn_beta_slow", number(s, "beta_slow", 1));
    if (number(s, "attention_factor", 0) > 0) put_float(h, g, "rope.scaling.attn_factor", number(s, "attention_factor", 0) / (1 + 0.1 * log(factor)));
  }
  if (is_long(h)) {
    const double stretch = fmax(1, en_hf_number(h, "max_position_embeddings", 0) / first);
    put_float(h, g, "rope.scaling.attn_factor", number(s, "attention_factor", stretch > 1 ? sqrt(1 + log(stretch) / log(first)) : 1));
  }
  if ((is(h, "yarn") || is_long(h)) && first > 0) {
    en_hf_put_key(h, g, "rope.scaling.original_context_length", EN_GGUF_U32);
    en_put32(&g->w, en_hf_u32(first));
  }
}

const char *en_hf_rope_name(const en_hf *h, int32_t i, uint64_t *n) {
  static const char *const names[] = {"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"};
  *n = (uint64_t)(rotated(h) / 2);
  return *n && (i == EN_HF_ROPE_FREQS ? is(h, "llama3") : is_long(h)) ? names[i] : NULL;
}

/* Llama 3: slow pairs are stretched by `factor`, quick ones left alone, between them the rest. */
static double llama3_factor(const en_hf *h, double i) {
  const double pi = 3.14159265358979323846;
  const en_json s = scaling_of(h);
  const double factor = number(s, "factor", 8), low = number(s, "low_freq_factor", 1), high = number(s, "high_freq_factor", 4), first = number(s, "original_max_position_embeddings", 8192);
  const double length = 2 * pi * pow(en_hf_number(h, "rope_theta", number(s, "rope_theta", 10000)), 2 * i / rotated(h));
  if (length < first / high) return 1;
  if (length > first / low) return factor;
  const double smooth = (first / length - low) / (high - low);
  return 1 / ((1 - smooth) / factor + smooth);
}

void en_hf_rope_make(const en_hf *h, int32_t i, float *out) {
  const en_json list = en_json_get(scaling_of(h), i == EN_HF_ROPE_SHORT ? "short_factor" : "long_factor");
  const int32_t n = (int32_t)(rotated(h) / 2);
  const char *cursor = NULL;
  en_json none, v;
  for (int32_t k = 0; k < n; k++) {
    double x = 1;
    if (i == EN_HF_ROPE_FREQS) x = llama3_factor(h, k);
    else if (en_json_next(list, &cursor, &none, &v)) en_json_number(v, &x);
    out[k] = (float)x;
  }
}

/* arch.c - find an architecture by name; read the metadata that decoders share. */
#include "arch.h"
#include <math.h>

const en_arch *en_arch_find(const en_gguf *g, en_why *why) {
  static const en_arch *const list[] = {
#define EN_ARCH(name) &en_arch_##name,
#include "arch.def"
#undef EN_ARCH
  };
  const char *name;
  uint64_t n;
  if (en_gguf_str(g, "general.architecture", &name, &n, why) != EN_OK) {
    en_fail(why, EN_E_FORMAT, "the file has no text value general.architecture");
    return NULL;
  }
  int32_t known = 0, n_experts = 0;
  for (int32_t i = 0; i < EN_COUNT(list); i++) {
    if (!en_str_is(name, n, list[i]->name)) continue;
    if (en_config_int(&n_experts, g, list[i]->name, "expert_count", 0, 0, EN_MAX_EXPERTS, why) != EN_OK) return NULL;
    if (list[i]->experts == (n_experts > 0)) return list[i];
    known = 1;
  }
  if (known) en_fail(why, EN_E_UNSUPPORTED, "%S models with %d experts are not supported", (size_t)n, name, n_experts);
  else en_fail(why, EN_E_UNSUPPORTED, "the architecture %S is not supported", (size_t)n, name);
  return NULL;
}

const char *en_arch_key(char *buffer, const char *arch, const char *key) {
  size_t at = 0;
  while (*arch && at < EN_KEY_BYTES - 2) buffer[at++] = *arch++;
  buffer[at++] = '.';
  while (*key && at < EN_KEY_BYTES - 1) buffer[at++] = *key++;
  buffer[at] = 0;
  return buffer;
}

typedef struct { const en_gguf *g; const char *arch; en_why *why; char key[EN_KEY_BYTES]; } reader_t;

/* An integer in [lo, hi]. dflt < 0: the key is required. A per-layer array is accepted when all its elements are equal. */
static int32_t read_int(reader_t *r, const char *key, int64_t dflt, int64_t lo, int64_t hi, int32_t *out) {
  en_value value_of_key, *v = en_gguf_get(r->g, en_arch_key(r->key, r->arch, key), &value_of_key) ? &value_of_key : NULL;
  int64_t value = dflt;
  if (v && v->type == EN_GGUF_ARR) {
    if (!v->n || v->elem_type == EN_GGUF_STR) return en_fail(r->why, EN_E_FORMAT, "%s must be a number", r->key);
    const double first = en_value_num(v, 0);
    for (uint64_t i = 1; i < v->n; i++)
      if (!(en_value_num(v, i) == first)) return en_fail(r->why, EN_E_UNSUPPORTED, "%s differs between layers: not supported", r->key);
    if (!(first >= -9e15 && first <= 9e15)) return en_fail(r->why, EN_E_FORMAT, "%s is out of range", r->key);
    value = (int64_t)first;
  } else if (v) {
    uint32_t u;
    EN_TRY(en_gguf_u32(r->g, r->key, &u, r->why));
    value = u;
  } else if (dflt < 0) {
    return en_fail(r->why, EN_E_FORMAT, "the key %s is missing", r->key);
  }
  if (value < lo || value > hi) return en_fail(r->why, EN_E_FORMAT, "%s is %z, outside %z to %z", r->key, (uint64_t)value, (uint64_t)lo, (uint64_t)hi);
  *out = (int32_t)value;
  return EN_OK;
}

static int32_t read_float(reader_t *r, const char *key, float dflt, float lo, float hi, float *out) {
  float value = dflt;
  en_value given;
  if (en_gguf_get(r->g, en_arch_key(r->key, r->arch, key), &given)) EN_TRY(en_gguf_f32(r->g, r->key, &value, r->why));
  else if (dflt < 0) return en_fail(r->why, EN_E_FORMAT, "the key %s is missing", r->key);
  if (!(value >= lo && value <= hi)) return en_fail(r->why, EN_E_FORMAT, "%s is %g, outside %g to %g", r->key, (double)value, (double)lo, (double)hi);
  *out = value;
  return EN_OK;
}

static int32_t read_bool(reader_t *r, const char *key, int32_t dflt, int32_t *out) {
  en_value given;
  *out = dflt;
  return en_gguf_get(r->g, en_arch_key(r->key, r->arch, key), &given) ? en_gguf_bool(r->g, r->key, out, r->why) : EN_OK;
}

/* YaRN (Peng et al. 2023); keys and defaults as llama.cpp has them. */
static int32_t read_yarn(reader_t *r, en_rope *rope, float factor) {
  float attn;
  EN_TRY(read_float(r, "rope.scaling.yarn_ext_factor", 1.0f, 0.0f, 1.0f, &rope->yarn));
  EN_TRY(read_float(r, "rope.scaling.yarn_attn_factor", 1.0f, 1e-3f, 1e3f, &attn));
  EN_TRY(read_float(r, "rope.scaling.yarn_beta_fast", 32.0f, 1e-3f, 1e6f, &rope->beta_fast));
  EN_TRY(read_float(r, "rope.scaling.yarn_beta_slow", 1.0f, 1e-3f, 1e6f, &rope->beta_slow));
  en_value unused;
  if (en_gguf_get(r->g, en_arch_key(r->key, r->arch, "rope.scaling.yarn_log_multiplier"), &unused))
    return en_fail(r->why, EN_E_UNSUPPORTED, "%s is not supported", r->key);
  rope->mscale *= attn;
  if (rope->yarn > 0) rope->mscale *= (float)(1 + 0.1 * log((double)factor));
  return EN_OK;
}

static int32_t read_rope(reader_t *r, en_config *c) {
  EN_TRY(read_int(r, "rope.dimension_count", c->E, 2, c->E, &c->rot));
  if (c->rot % 2) return en_fail(r->why, EN_E_FORMAT, "%s.rope.dimension_count is odd", r->arch);
  EN_TRY(read_int(r, "rope.scaling.original_context_length", c->n_ctx_train, 1, 1 << 30, &c->n_ctx_orig));
  c->n_rope = 1;
  en_rope *rope = &c->rope[0];
  *rope = (en_rope){.scale = 1};
  EN_TRY(read_float(r, "rope.freq_base", 10000.0f, 1.0f, 1e12f, &rope->base));
  EN_TRY(read_float(r, "rope.scaling.attn_factor", 1.0f, 1e-3f, 1e3f, &rope->mscale));
  const char *type = "none";
  uint64_t n = 4;
  en_value scaling;
  const int32_t given = en_gguf_get(r->g, en_arch_key(r->key, r->arch, "rope.scaling.type"), &scaling);
  if (given) EN_TRY(en_gguf_str(r->g, r->key, &type, &n, r->why));
  float factor = 1;
  EN_TRY(read_float(r, "rope.scaling.factor", 1.0f, 1.0f, 1e6f, &factor));
  if (!given) EN_TRY(read_float(r, "rope.scale_linear", factor, 1.0f, 1e6f, &factor));
  if (given && en_str_is(type, n, "none")) return EN_OK;
  rope->scale = 1 / factor;
  if (!given || en_str_is(type, n, "linear") || en_str_is(type, n, "longrope")) return EN_OK;
  if (en_str_is(type, n, "yarn")) return read_yarn(r, rope, factor);
  return en_fail(r->why, EN_E_UNSUPPORTED, "rope scaling of type %S is not supported", (size_t)n, type);
}

/* What every architecture has. */
static int32_t read_base(reader_t *r, en_config *c, const char *eps_key) {
  memset(c, 0, sizeof *c);
  EN_TRY(read_int(r, "block_count", -1, 1, 1024, &c->L));
  EN_TRY(read_int(r, "embedding_length", -1, 1, 1 << 20, &c->D));
  EN_TRY(read_int(r, "context_length", -1, 1, 1 << 30, &c->n_ctx_train));
  EN_TRY(read_float(r, eps_key, -1.0f, 0.0f, 1.0f, &c->norm_eps));
  en_value tokens;
  const int32_t has_tokens = en_gguf_get(r->g, "tokenizer.ggml.tokens", &tokens) && tokens.type == EN_GGUF_ARR && tokens.n <= 1 << 24;
  const int64_t n_tokens = has_tokens ? (int64_t)tokens.n : -1;
  EN_TRY(read_int(r, "vocab_size", n_tokens, 1, 1 << 24, &c->V));
  int32_t pooling;
  EN_TRY(read_int(r, "pooling_type", 0, 0, 4, &pooling));
  c->pooling = pooling ? pooling + EN_POOL_TOKENS : 0; /* 1 mean, 2 first token, 3 last, 4 rank */
  c->embed_scale = 1;
  return EN_OK;
}

int32_t en_config_recurrent(en_config *c, const en_gguf *g, const char *arch, const char *eps_key, en_why *why) {
  reader_t r = {g, arch, why, {0}};
  return read_base(&r, c, eps_key);
}

int32_t en_config_common(en_config *c, const en_gguf *g, const char *arch, const char *eps_key, en_why *why) {
  reader_t r = {g, arch, why, {0}};
  EN_TRY(read_base(&r, c, eps_key));
  EN_TRY(read_int(&r, "feed_forward_length", -1, 1, 1 << 22, &c->F));
  EN_TRY(read_int(&r, "attention.head_count", -1, 1, 4096, &c->H));
  EN_TRY(read_int(&r, "attention.head_count_kv", c->H, 1, c->H, &c->K));
  if (c->H % c->K) return en_fail(why, EN_E_FORMAT, "%s: %d query heads cannot share %d key/value heads", arch, c->H, c->K);
  EN_TRY(read_int(&r, "attention.key_length", c->D / c->H, 2, 4096, &c->E));
  int32_t value_length;
  EN_TRY(read_int(&r, "attention.value_length", c->E, 2, 4096, &value_length));
  if (value_length != c->E) return en_fail(why, EN_E_UNSUPPORTED, "%s: keys of %d and values of %d elements are not supported", arch, c->E, value_length);
  EN_TRY(read_rope(&r, c));
  EN_TRY(read_int(&r, "expert_count", 0, 0, EN_MAX_EXPERTS, &c->n_experts));
  EN_TRY(read_int(&r, "expert_used_count", c->n_experts ? -1 : 0, c->n_experts > 0, EN_MIN(c->n_experts, EN_MAX_USED), &c->n_used));
  int32_t causal;
  EN_TRY(read_bool(&r, "attention.causal", 1, &causal));
  c->bidirectional = !causal;
  c->attn_scale = (float)(1 / sqrt(c->E));
  return EN_OK;
}

int32_t en_config_int(int32_t *out, const en_gguf *g, const char *arch, const char *key, int64_t dflt, int64_t lo, int64_t hi, en_why *why) {
  reader_t r = {g, arch, why, {0}};
  return read_int(&r, key, dflt, lo, hi, out);
}

int32_t en_config_bool(int32_t *out, const en_gguf *g, const char *arch, const char *key, int32_t dflt, en_why *why) {
  reader_t r = {g, arch, why, {0}};
  return read_bool(&r, key, dflt, out);
}

int32_t en_config_float(float *out, const en_gguf *g, const char *arch, const char *key, float dflt, float lo, float hi, en_why *why) {
  reader_t r = {g, arch, why, {0}};
  return read_float(&r, key, dflt, lo, hi, out);
}

int32_t en_arch_head(const en_arch *a) {
  int32_t i = 0;
  while (i < a->n_end - 1 && a->end[i].out != EN_S_LOGITS) i++;
  return i;
}

int32_t en_arch_uses(const en_arch *a, int32_t slot) {
  return en_steps_touch(a->begin, a->n_begin, slot) || en_steps_touch(a->each, a->n_each, slot) || en_steps_touch(a->end, a->n_end, slot) ||
         en_steps_touch(a->rank, a->n_rank, slot);
}

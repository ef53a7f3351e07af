/* hf_mamba.c - Mamba 1 and 2. */
#include "hf.h"

#define SHARED \
  {"embeddings", "token_embd", 0}, {"norm_f", "output_norm", 0}, {"layers.*.norm", "blk.*.attn_norm", 0}, {"layers.*.mixer.in_proj", "blk.*.ssm_in", 0}, \
  {"layers.*.mixer.conv1d", "blk.*.ssm_conv1d", EN_HF_F32}, {"layers.*.mixer.out_proj", "blk.*.ssm_out", 0}
static const en_hf_line one[] = {
  SHARED, {"layers.*.mixer.A_log", "blk.*.ssm_a", EN_HF_MINUS_EXP}, {"layers.*.mixer.D", "blk.*.ssm_d", 0}, {"layers.*.mixer.x_proj", "blk.*.ssm_x", 0}, {"layers.*.mixer.dt_proj", "blk.*.ssm_dt", 0},
  {NULL, NULL, 0}};
static const en_hf_line two[] = {
  SHARED, {"layers.*.mixer.A_log", "blk.*.ssm_a", EN_HF_MINUS_EXP | EN_HF_COLUMN}, {"layers.*.mixer.D", "blk.*.ssm_d", EN_HF_COLUMN}, {"layers.*.mixer.dt_bias", "blk.*.ssm_dt.bias", 0},
  {"layers.*.mixer.norm", "blk.*.ssm_norm", EN_HF_GROUPS}, {NULL, NULL, 0}};
#define KEYS(HEADS) {{"state_size", "ssm.state_size", EN_HF_INT}, {"conv_kernel", "ssm.conv_kernel", EN_HF_INT}, {HEADS, "ssm.time_step_rank", EN_HF_INT}, {"n_groups", "ssm.group_count", EN_HF_INT}, \
  {"layer_norm_epsilon", "attention.layer_norm_rms_epsilon", EN_HF_FLOAT}, {NULL, NULL, EN_HF_INT}}
static const en_hf_key keys_one[] = KEYS("time_step_rank"), keys_two[] = KEYS("num_heads");

/* Mamba 2 may hold its time steps within limits; files that do not have [0, Infinity]. */
static int32_t check(const en_hf *h, en_why *why) {
  const char *cursor = NULL;
  en_json none, v;
  double limit;
  while (en_json_next(en_hf_get(h, "time_step_limit"), &cursor, &none, &v))
    if (en_json_number(v, &limit) && limit > 0) return en_fail(why, EN_E_UNSUPPORTED, "%s with a time_step_limit of %g is not supported", h->model->type, limit);
  return EN_OK;
}

/* As llama.cpp has them: a context without an end, and no attention. */
static void extra(const en_hf *h, en_gguf_writer *g) {
  const struct { const char *key; double value; } all[] = {
    {"context_length", 1 << 20}, {"attention.head_count", 0}, {"ssm.inner_size", en_hf_number(h, "intermediate_size", en_hf_number(h, "expand", 2) * en_hf_number(h, "hidden_size", 0))}};
  for (int32_t i = 0; i < EN_COUNT(all); i++) {
    en_hf_put_key(h, g, all[i].key, EN_GGUF_U32);
    en_put32(&g->w, en_hf_u32(all[i].value));
  }
}

const en_hf_model en_hf_models_mamba[] = {{"mamba", "mamba", "silu\0", one, keys_one, check, extra}, {"mamba2", "mamba2", "silu\0", two, keys_two, check, extra}, {NULL, NULL, NULL, NULL, NULL, NULL, NULL}};

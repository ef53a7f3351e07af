/* hf_phi.c - Phi 1, 1.5, 2 (model_type "phi") and 3, 3.5, 4 ("phi3"). */
#include "hf.h"

static const en_hf_line phi[] = {
  {"final_layernorm", "output_norm", 0}, {"layers.*.self_attn.dense", "blk.*.attn_output", 0}, {"layers.*.mlp.fc1", "blk.*.ffn_up", 0}, {"layers.*.mlp.fc2", "blk.*.ffn_down", 0}, {NULL, NULL, 0}};
static const en_hf_line phi3[] = {{"layers.*.self_attn.qkv_proj", "blk.*.attn_qkv", 0}, {"layers.*.mlp.gate_up_proj", "blk.*.ffn_up", 0}, {NULL, NULL, 0}};

static int32_t check(const en_hf *h, en_why *why) {
  return en_json_kind_of(en_hf_get(h, "qk_layernorm")) == EN_JSON_TRUE ? en_fail(why, EN_E_UNSUPPORTED, "phi with qk_layernorm is not supported") : EN_OK;
}
const en_hf_model en_hf_models_phi[] = {
  {"phi", "phi2", "gelu_new\0gelu_pytorch_tanh\0", phi, NULL, check, NULL}, {"phi3", "phi3", "silu\0", phi3, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL, NULL, NULL}};

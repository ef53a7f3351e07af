/* llama_moe.c - Mixtral and other llamas whose feed-forward is a mixture of experts: x += sum over the chosen experts of p_e Wdown_e(silu(Wgate_e h) * Wup_e h). */
#include "decoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  int32_t gating;
  float scale;
  EN_TRY(en_config_common(c, g, "llama", "attention.layer_norm_rms_epsilon", why));
  if (c->rot != c->E) return en_fail(why, EN_E_UNSUPPORTED, "llama with partial rotation (%d of %d dimensions) is not supported", c->rot, c->E);
  EN_TRY(en_config_int(&gating, g, "llama", "expert_gating_func", 1, 1, 1, why)); /* softmax */
  return en_config_float(&scale, g, "llama", "expert_weights_scale", 1, 1, 1, why);
}

enum { FFN_NORM = EN_DEC_ATTN_TENSORS, ROUTER, GATE, UP, DOWN };
static const en_tensor_spec tensors[] = {
  EN_DECODER_ATTN_TENSORS,
  [FFN_NORM] = {"blk.*.ffn_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [ROUTER] = {"blk.*.ffn_gate_inp.weight", EN_DIM_X, EN_DIM_D, EN_T_PLAIN, NULL, 0, 0},
  [GATE] = {"blk.*.ffn_gate_exps.weight", EN_DIM_XF, EN_DIM_D, EN_T_EXPERTS, NULL, 0, 0},
  [UP] = {"blk.*.ffn_up_exps.weight", EN_DIM_XF, EN_DIM_D, EN_T_EXPERTS, NULL, 0, 0},
  [DOWN] = {"blk.*.ffn_down_exps.weight", EN_DIM_XD, EN_DIM_F, EN_T_EXPERTS, NULL, 0, 0},
};
static const en_step steps[] = {
  EN_DECODER_QKV, EN_DECODER_ATTEND(EN_OP_ROPE_PAIRS), EN_DECODER_RESIDUAL(EN_S_A, EN_DEC_O, EN_DEC_OB),
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, FFN_NORM, EN_NONE, 0},
  {EN_OP_DOTS, EN_S_ROUTES, EN_S_H, EN_ACT_NONE, ROUTER, EN_NONE, 0},
  {EN_OP_ROUTE, EN_S_ROUTES, EN_S_ROUTES, 0, EN_NONE, EN_NONE, 0},
  {EN_OP_GATHER, EN_S_PAIRS, EN_S_H, EN_S_ROUTES, EN_NONE, EN_NONE, 0},
  {EN_OP_EXPERTS, EN_S_G, EN_S_PAIRS, EN_S_ROUTES, GATE, EN_NONE, 0},
  {EN_OP_EXPERTS, EN_S_U, EN_S_PAIRS, EN_S_ROUTES, UP, EN_NONE, 0},
  {EN_OP_SILU_MUL, EN_S_G, EN_S_G, EN_S_U, EN_NONE, EN_NONE, 0},
  {EN_OP_EXPERTS, EN_S_PAIRS, EN_S_G, EN_S_ROUTES, DOWN, EN_NONE, 0},
  {EN_OP_SCATTER, EN_S_X, EN_S_PAIRS, EN_S_ROUTES, EN_NONE, EN_NONE, 1},
};
const en_arch en_arch_llama_moe = {
  .name = "llama", .experts = 1, .configure = configure, EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin, en_decoder_end), EN_DECODER_LAYER(tensors, steps),
};

/* phi2.c - Phi 1, 1.5 and 2: LayerNorm, biases everywhere, rotation of the first dimensions of a head only (pairs (i, i + rot/2)), and one norm
 * per layer whose result attention and the feed-forward both read: x += Wo attention(h) + bo + Wdown gelu(Wup h + bup) + bdown. */
#include "decoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  return en_config_common(c, g, "phi2", "attention.layer_norm_epsilon", why);
}

enum { NORM_BIAS = EN_DEC_GLOBALS };
static const en_tensor_spec globals[] = {EN_DECODER_GLOBALS, [NORM_BIAS] = {"output_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}};

enum { ATTN_NORM_BIAS = EN_DEC_ATTN_TENSORS, UP, UP_BIAS, DOWN, DOWN_BIAS };
static const en_tensor_spec tensors[] = {
  EN_DECODER_ATTN_TENSORS,
  [ATTN_NORM_BIAS] = {"blk.*.attn_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0},
  [UP] = {"blk.*.ffn_up.weight", EN_DIM_F, EN_DIM_D, 0, NULL, 0, 0},
  [UP_BIAS] = {"blk.*.ffn_up.bias", EN_DIM_1, EN_DIM_F, EN_T_BIAS, NULL, 0, 0},
  [DOWN] = {"blk.*.ffn_down.weight", EN_DIM_D, EN_DIM_F, 0, NULL, 0, 0},
  [DOWN_BIAS] = {"blk.*.ffn_down.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0},
};

static const en_step steps[] = {
  {EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, EN_DEC_ATTN_NORM, ATTN_NORM_BIAS, 0},
  {EN_OP_LINEAR, EN_S_Q, EN_S_H, 0, EN_DEC_Q, EN_DEC_QB, 0},
  {EN_OP_LINEAR, EN_S_K, EN_S_H, 0, EN_DEC_K, EN_DEC_KB, 0},
  {EN_OP_LINEAR, EN_S_V, EN_S_H, 0, EN_DEC_V, EN_DEC_VB, 0},
  {EN_OP_LINEAR, EN_S_G, EN_S_H, 0, UP, UP_BIAS, 0},
  EN_DECODER_ATTEND(EN_OP_ROPE_HALVES),
  EN_DECODER_RESIDUAL(EN_S_A, EN_DEC_O, EN_DEC_OB),
  {EN_OP_GELU, EN_S_G, EN_S_G, 0, EN_NONE, EN_NONE, 0},
  EN_DECODER_RESIDUAL(EN_S_G, DOWN, DOWN_BIAS),
};
static const en_step end[] = {
  {EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, EN_DEC_NORM, NORM_BIAS, 0},
  {EN_OP_LINEAR, EN_S_LOGITS, EN_S_H, 0, EN_DEC_HEAD, EN_DEC_HEAD_BIAS, 0},
};
const en_arch en_arch_phi2 = {.name = "phi2", .configure = configure, EN_DECODER_OUTER(globals, en_decoder_begin, end), EN_DECODER_LAYER(tensors, steps)};

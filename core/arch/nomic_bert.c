/* nomic_bert.c - Nomic Embed: BERT with rotary positions and a gated feed-forward, mostly without biases. */
#include "encoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) { return en_encoder_config(c, g, "nomic-bert", why); }

enum { GATE = EN_ENC_TENSORS, GATEB };
static const en_tensor_spec globals[] = {EN_ENCODER_GLOBALS};
static const en_tensor_spec tensors[] = {
  EN_ENCODER_TENSORS,
  [GATE] = {"blk.*.ffn_gate.weight", EN_DIM_F, EN_DIM_D, 0, NULL, 0, 0},
  [GATEB] = {"blk.*.ffn_gate.bias", EN_DIM_1, EN_DIM_F, EN_T_BIAS, NULL, 0, 0},
};

static const en_step begin[] = {EN_ENCODER_EMBED, EN_ENCODER_EMBED_NORM};
static const en_step steps[] = {
  EN_ENCODER_QKV,
  {EN_OP_ROPE_HALVES, EN_S_Q, EN_S_Q, 0, EN_NONE, EN_NONE, 0},
  {EN_OP_ROPE_HALVES, EN_S_K, EN_S_K, 0, EN_NONE, EN_NONE, 0},
  EN_ENCODER_ATTEND,
  {EN_OP_LINEAR, EN_S_G, EN_S_H, 0, GATE, GATEB, 0},
  {EN_OP_LINEAR, EN_S_U, EN_S_H, 0, EN_ENC_UP, EN_ENC_UPB, 0},
  {EN_OP_SILU_MUL, EN_S_G, EN_S_G, EN_S_U, EN_NONE, EN_NONE, 0},
  EN_ENCODER_DOWN,
};
const en_arch en_arch_nomic_bert = {.name = "nomic-bert", .configure = configure, EN_ENCODER_OUTER(globals, begin), EN_ENCODER_LAYER(tensors, steps)};

/* qwen3.c - Qwen 3 (dense): the llama block with a norm on every query and key head before the rotation, rotary pairs (i, i + rot/2). */
#include "decoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  return en_config_common(c, g, "qwen3", "attention.layer_norm_rms_epsilon", why);
}

enum { Q_NORM = EN_DEC_TENSORS /* and K_NORM */ };
static const en_tensor_spec tensors[] = {EN_DECODER_TENSORS, EN_DECODER_QK_NORM_TENSORS(Q_NORM)};
static const en_step steps[] = {
  EN_DECODER_QKV, EN_DECODER_QK_NORM(Q_NORM), EN_DECODER_ATTEND(EN_OP_ROPE_HALVES), EN_DECODER_RESIDUAL(EN_S_A, EN_DEC_O, EN_DEC_OB),
  EN_DECODER_MLP(EN_OP_SILU_MUL),
};
const en_arch en_arch_qwen3 = {.name = "qwen3", .configure = configure, EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin, en_decoder_end), EN_DECODER_LAYER(tensors, steps)};

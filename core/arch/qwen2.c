/* qwen2.c - Qwen2 and Qwen2.5: the llama block with biases on q, k, v and rotary pairs (i, i + rot/2). */
#include "decoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  return en_config_common(c, g, "qwen2", "attention.layer_norm_rms_epsilon", why);
}

static const en_step steps[] = {EN_DECODER_STEPS(EN_OP_ROPE_HALVES, EN_OP_SILU_MUL)};
const en_arch en_arch_qwen2 = {.name = "qwen2", .configure = configure, EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin, en_decoder_end), EN_DECODER_LAYER(en_decoder_tensors, steps)};

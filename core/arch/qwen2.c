/* qwen2.c - Qwen2 and Qwen2.5: the llama block with biases on q, k, v and rotary pairs (i, i + rot/2). */
#include "decoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  return en_config_common(c, g, "qwen2", "attention.layer_norm_rms_epsilon", why);
}

static const en_step steps[] = EN_DECODER_STEPS(EN_OP_ROPE_HALVES);
const en_arch en_arch_qwen2 = EN_DECODER_ARCH("qwen2", configure, steps);

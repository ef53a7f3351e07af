/* gemma.c - Gemma 1: the llama block with a GELU gate, token embeddings scaled by sqrt(D), rotary pairs (i, i + rot/2). The file stores norm
 * weights as they are used (1 was added when it was made). */
#include "decoder.h"
#include <math.h>

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_config_common(c, g, "gemma", "attention.layer_norm_rms_epsilon", why));
  c->embed_scale = sqrtf((float)c->D);
  return EN_OK;
}

static const en_step steps[] = {EN_DECODER_STEPS(EN_OP_ROPE_HALVES, EN_OP_GELU_MUL)};
const en_arch en_arch_gemma = {.name = "gemma", .configure = configure, EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin_scaled, en_decoder_end), EN_DECODER_LAYER(en_decoder_tensors, steps)};

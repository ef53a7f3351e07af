/* llama.c - Llama 1-3.x (with rope factors), Mistral, TinyLlama, SmolLM: rotary pairs lie side by side (2i, 2i+1), because the
 * file's q and k rows were permuted so when it was made. */
#include "decoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_config_common(c, g, "llama", "attention.layer_norm_rms_epsilon", why));
  if (c->rot != c->E) return en_fail(why, EN_E_UNSUPPORTED, "llama with partial rotation (%d of %d dimensions) is not supported", c->rot, c->E);
  return EN_OK;
}

static const en_step steps[] = {EN_DECODER_STEPS(EN_OP_ROPE_PAIRS, EN_OP_SILU_MUL)};
const en_arch en_arch_llama = {.name = "llama", .configure = configure, EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin, en_decoder_end), EN_DECODER_LAYER(en_decoder_tensors, steps)};

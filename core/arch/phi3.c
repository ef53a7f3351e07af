/* phi3.c - Phi 3, 3.5 and 4 (dense): the llama block with q, k, v in one matrix and gate, up in another (decoder.h), rotary pairs (i, i + rot/2).
 * Long-context files have two sets of rotary factors (LongRoPE, Ding et al. 2024): the short ones hold while the context in use is no longer
 * than the one before stretching, else the long ones. The key sliding_window is left unused: the published models' weights run without it. */
#include "decoder.h"

enum { SHORT_FACTORS, LONG_FACTORS };

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_config_common(c, g, "phi3", "attention.layer_norm_rms_epsilon", why));
  c->n_rope = 2;
  c->rope[LONG_FACTORS] = c->rope[SHORT_FACTORS];
  return EN_OK;
}

static en_layer_kind kind(const en_config *c, int32_t layer, int32_t n_ctx) {
  (void)layer;
  return (en_layer_kind){n_ctx > c->n_ctx_orig ? LONG_FACTORS : SHORT_FACTORS, 0};
}

static const en_tensor_spec globals[] = {
  EN_DECODER_GLOBALS,
  {"rope_factors_short.weight", EN_DIM_1, EN_DIM_HALF_ROT, EN_T_BIAS | EN_T_ROPE << SHORT_FACTORS, NULL, 0, 0},
  {"rope_factors_long.weight", EN_DIM_1, EN_DIM_HALF_ROT, EN_T_BIAS | EN_T_ROPE << LONG_FACTORS, NULL, 0, 0},
};
static const en_step steps[] = {EN_DECODER_STEPS(EN_OP_ROPE_HALVES, EN_OP_SILU_MUL)};
const en_arch en_arch_phi3 = {
  .name = "phi3", .configure = configure, .kind = kind, EN_DECODER_OUTER(globals, en_decoder_begin, en_decoder_end), EN_DECODER_LAYER(en_decoder_tensors, steps),
};

/* gemma2.c - Gemma 2: Gemma with norms on what attention and feed-forward add, capped attention scores and logits, and a sliding window in
 * every other layer, beginning with the first. */
#include "decoder.h"
#include <math.h>

enum { LAYERS_27B = 46 }; /* that size alone scales its scores by the width per head instead of the head size; no key says so */

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_config_common(c, g, "gemma2", "attention.layer_norm_rms_epsilon", why));
  EN_TRY(en_config_int(&c->window, g, "gemma2", "attention.sliding_window", 4096, 1, 1 << 30, why));
  EN_TRY(en_config_float(&c->attn_softcap, g, "gemma2", "attn_logit_softcapping", 50.0f, 0.0f, 1e6f, why));
  EN_TRY(en_config_float(&c->logit_softcap, g, "gemma2", "final_logit_softcapping", 30.0f, 0.0f, 1e6f, why));
  c->embed_scale = sqrtf((float)c->D);
  if (c->L == LAYERS_27B) c->attn_scale = 1 / sqrtf((float)c->D / (float)c->H);
  return EN_OK;
}

static en_layer_kind kind(const en_config *c, int32_t layer, int32_t n_ctx) {
  (void)c;
  (void)n_ctx;
  return (en_layer_kind){0, layer % 2 == 0};
}

enum { POST_ATTN = EN_DEC_TENSORS, POST_FFN };
static const en_tensor_spec tensors[] = {EN_DECODER_TENSORS, EN_DECODER_POST_NORM_TENSORS(POST_ATTN)};
static const en_step steps[] = {
  EN_DECODER_QKV, EN_DECODER_ATTEND(EN_OP_ROPE_HALVES), EN_DECODER_NORMED_RESIDUAL(EN_S_A, EN_DEC_O, EN_DEC_OB, POST_ATTN),
  EN_DECODER_GATED(EN_OP_GELU_MUL), EN_DECODER_NORMED_RESIDUAL(EN_S_G, EN_DEC_DOWN, EN_DEC_DOWNB, POST_FFN),
};
static const en_step end[] = {EN_DECODER_HEAD, {EN_OP_SOFTCAP_LOGITS, EN_S_LOGITS, EN_S_LOGITS, 0, EN_NONE, EN_NONE, 0}};
const en_arch en_arch_gemma2 = {
  .name = "gemma2", .configure = configure, .kind = kind, EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin_scaled, end), EN_DECODER_LAYER(tensors, steps),
};

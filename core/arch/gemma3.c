/* gemma3.c - Gemma 3 (text): Gemma 2 without caps, with a norm on every query and key head, and two kinds of layers: in each run of `pattern`
 * layers all but the last see a sliding window and rotate by a small base; the last sees everything and rotates by a large one. */
#include "decoder.h"
#include <math.h>

enum { GLOBAL, LOCAL }; /* rotary tables */
enum { LAYERS_27B = 62 }; /* that size alone scales its scores by the width per head instead of the head size; no key says so */

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_config_common(c, g, "gemma3", "attention.layer_norm_rms_epsilon", why));
  EN_TRY(en_config_int(&c->window, g, "gemma3", "attention.sliding_window", 0, 0, 1 << 30, why));
  EN_TRY(en_config_int(&c->window_period, g, "gemma3", "attention.sliding_window_pattern", 6, 1, 1024, why));
  EN_TRY(en_config_float(&c->logit_softcap, g, "gemma3", "final_logit_softcapping", 0.0f, 0.0f, 1e6f, why));
  c->n_rope = 2;
  c->rope[LOCAL] = (en_rope){.scale = 1, .mscale = 1};
  EN_TRY(en_config_float(&c->rope[LOCAL].base, g, "gemma3", "rope.freq_base_swa", 10000.0f, 1.0f, 1e12f, why));
  c->embed_scale = sqrtf((float)c->D);
  if (c->L == LAYERS_27B) c->attn_scale = 1 / sqrtf((float)c->D / (float)c->H);
  return EN_OK;
}

static en_layer_kind kind(const en_config *c, int32_t layer, int32_t n_ctx) {
  (void)n_ctx;
  const int32_t local = c->window > 0 && layer % c->window_period < c->window_period - 1;
  return (en_layer_kind){local ? LOCAL : GLOBAL, (uint8_t)local};
}

enum { POST_ATTN = EN_DEC_TENSORS, POST_FFN, Q_NORM /* and K_NORM */ };
static const en_tensor_spec tensors[] = {EN_DECODER_TENSORS, EN_DECODER_POST_NORM_TENSORS(POST_ATTN), EN_DECODER_QK_NORM_TENSORS(Q_NORM)};
static const en_step steps[] = {
  EN_DECODER_QKV, EN_DECODER_QK_NORM(Q_NORM), EN_DECODER_ATTEND(EN_OP_ROPE_HALVES), EN_DECODER_NORMED_RESIDUAL(EN_S_A, EN_DEC_O, EN_DEC_OB, POST_ATTN),
  EN_DECODER_GATED(EN_OP_GELU_MUL), EN_DECODER_NORMED_RESIDUAL(EN_S_G, EN_DEC_DOWN, EN_DEC_DOWNB, POST_FFN),
};
static const en_step end[] = {EN_DECODER_HEAD, {EN_OP_SOFTCAP_LOGITS, EN_S_LOGITS, EN_S_LOGITS, 0, EN_NONE, EN_NONE, 0}};
const en_arch en_arch_gemma3 = {
  .name = "gemma3", .configure = configure, .kind = kind, EN_DECODER_OUTER(en_decoder_globals, en_decoder_begin_scaled, end), EN_DECODER_LAYER(tensors, steps),
};

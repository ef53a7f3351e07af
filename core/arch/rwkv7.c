/* rwkv7.c - RWKV 7 "Goose" (Peng et al. 2025): every head carries a matrix from token to token that a delta rule updates.
 * With h the normed input and x_j = h + (h of the token before - h) mu_j:
 *   r, k, v = W x;  decay, rate and gate by pairs of small matrices;  v of layers above the first mixes with the first layer's;
 *   x += Wo (norm of heads(wkv) * gate), then x += Wv relu(Wk x_k)^2 of the second norm. */
#include "arch.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_config_recurrent(c, g, "rwkv7", "attention.layer_norm_epsilon", why));
  EN_TRY(en_config_int(&c->F, g, "rwkv7", "feed_forward_length", -1, 1, 1 << 22, why));
  EN_TRY(en_config_int(&c->E, g, "rwkv7", "wkv.head_size", -1, 1, EN_MAX_WKV, why));
  EN_TRY(en_config_int(&c->wkv.decay, g, "rwkv7", "attention.decay_lora_rank", -1, 1, c->D, why));
  EN_TRY(en_config_int(&c->wkv.rate, g, "rwkv7", "attention.iclr_lora_rank", -1, 1, c->D, why));
  EN_TRY(en_config_int(&c->wkv.mix, g, "rwkv7", "attention.value_residual_mix_lora_rank", -1, 1, c->D, why));
  EN_TRY(en_config_int(&c->wkv.gate, g, "rwkv7", "attention.gate_lora_rank", -1, 1, c->D, why));
  if (c->D % c->E || c->D > 1 << 18) return en_fail(why, EN_E_FORMAT, "rwkv7: a width of %d is no number of heads of %d", c->D, c->E);
  c->H = c->D / c->E;
  c->n_state = 2 * c->D + c->D * c->E; /* the tokens before, of both halves of a layer; the heads' matrices */
  return EN_OK;
}

enum { EMBED, EMBED_NORM, EMBED_NORM_BIAS, OUT_NORM, OUT_NORM_BIAS, HEAD };
static const en_tensor_spec globals[] = {
  [EMBED] = {"token_embd.weight", EN_DIM_V, EN_DIM_D, 0, NULL, 0, 0},
  [EMBED_NORM] = {"token_embd_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [EMBED_NORM_BIAS] = {"token_embd_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [OUT_NORM] = {"output_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [OUT_NORM_BIAS] = {"output_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [HEAD] = {"output.weight", EN_DIM_V, EN_DIM_D, EN_T_OPTIONAL | EN_T_HEAD, NULL, 0, 0},
};

#define VECTOR(NAME) {"blk.*." NAME, EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}
#define MU(NAME, FIRST) {"blk.*.time_mix_lerp_" NAME ".weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, "blk.*.time_mix_lerp_fused.weight", FIRST, EN_DIM_6D}
#define SMALL(NAME, ROWS, COLS, FLAGS) {"blk.*.time_mix_" NAME ".weight", ROWS, COLS, EN_T_PLAIN | (FLAGS), NULL, 0, 0}
#define MATRIX(NAME, ROWS, COLS) {"blk.*." NAME ".weight", ROWS, COLS, 0, NULL, 0, 0}
enum {
  NORM, NORM_BIAS, NORM_2, NORM_2_BIAS, MU_R, MU_W, MU_K, MU_V, MU_A, MU_G, W0, W1, W2, A0, A1, A2, V0, V1, V2, G1, G2,
  WKV /* and the four behind it */, WKV_END = WKV + 5, R = WKV_END, K, V, O, CHANNEL_MU, CHANNEL_K, CHANNEL_V
};
static const en_tensor_spec tensors[] = {
  [NORM] = VECTOR("attn_norm.weight"), [NORM_BIAS] = VECTOR("attn_norm.bias"), [NORM_2] = VECTOR("attn_norm_2.weight"), [NORM_2_BIAS] = VECTOR("attn_norm_2.bias"),
  [MU_R] = MU("r", EN_DIM_0), [MU_W] = MU("w", EN_DIM_D), [MU_K] = MU("k", EN_DIM_2D), [MU_V] = MU("v", EN_DIM_3D), [MU_A] = MU("a", EN_DIM_4D), [MU_G] = MU("g", EN_DIM_5D),
  [W0] = VECTOR("time_mix_w0.weight"), [W1] = SMALL("w1", EN_DIM_DECAY, EN_DIM_D, 0), [W2] = SMALL("w2", EN_DIM_D, EN_DIM_DECAY, 0),
  [A0] = VECTOR("time_mix_a0.weight"), [A1] = SMALL("a1", EN_DIM_RATE, EN_DIM_D, 0), [A2] = SMALL("a2", EN_DIM_D, EN_DIM_RATE, 0),
  [V0] = {"blk.*.time_mix_v0.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR | EN_T_ABOVE, NULL, 0, 0}, [V1] = SMALL("v1", EN_DIM_MIX, EN_DIM_D, EN_T_ABOVE), [V2] = SMALL("v2", EN_DIM_D, EN_DIM_MIX, EN_T_ABOVE),
  [G1] = SMALL("g1", EN_DIM_GATE, EN_DIM_D, 0), [G2] = SMALL("g2", EN_DIM_D, EN_DIM_GATE, 0),
  [WKV] = VECTOR("time_mix_k_k.weight"), [WKV + 1] = VECTOR("time_mix_k_a.weight"), [WKV + 2] = VECTOR("time_mix_r_k.weight"),
  [WKV + 3] = VECTOR("time_mix_ln.weight"), [WKV + 4] = VECTOR("time_mix_ln.bias"),
  [R] = MATRIX("time_mix_receptance", EN_DIM_D, EN_DIM_D), [K] = MATRIX("time_mix_key", EN_DIM_D, EN_DIM_D), [V] = MATRIX("time_mix_value", EN_DIM_D, EN_DIM_D),
  [O] = MATRIX("time_mix_output", EN_DIM_D, EN_DIM_D),
  [CHANNEL_MU] = VECTOR("channel_mix_lerp_k.weight"), [CHANNEL_K] = MATRIX("channel_mix_key", EN_DIM_F, EN_DIM_D), [CHANNEL_V] = MATRIX("channel_mix_value", EN_DIM_D, EN_DIM_F),
};

#define LERP(W) {EN_OP_LERP, EN_S_MIX, EN_S_H, EN_S_SHIFT, W, EN_NONE, 0}
/* out = act of the second of (second W2 first W1 + b) */
#define PAIR(OUT, FIRST, ACT_1, SECOND, ACT_2, B) {EN_OP_DOTS, EN_S_LOW, EN_S_MIX, ACT_1, FIRST, EN_NONE, 0}, {EN_OP_DOTS, OUT, EN_S_LOW, ACT_2, SECOND, B, 0}
static const en_step begin[] = {{EN_OP_EMBED, EN_S_H, 0, 0, EMBED, EN_NONE, 0}, {EN_OP_LAYER_NORM, EN_S_X, EN_S_H, 0, EMBED_NORM, EMBED_NORM_BIAS, 0}};
static const en_step steps[] = {
  {EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, NORM, NORM_BIAS, 0},
  {EN_OP_SHIFT, EN_S_SHIFT, EN_S_H, 0, EN_NONE, EN_NONE, 0},
  LERP(MU_R), {EN_OP_LINEAR, EN_S_Q, EN_S_MIX, 0, R, EN_NONE, 0},
  LERP(MU_W), PAIR(EN_S_DECAY, W1, EN_ACT_TANH, W2, EN_ACT_NONE, W0),
  LERP(MU_K), {EN_OP_LINEAR, EN_S_WK, EN_S_MIX, 0, K, EN_NONE, 0},
  LERP(MU_V), {EN_OP_LINEAR, EN_S_WV, EN_S_MIX, 0, V, EN_NONE, 0},
  PAIR(EN_S_GATE, V1, EN_ACT_NONE, V2, EN_ACT_SIGMOID, V0), {EN_OP_FIRST_VALUE, EN_S_WV, EN_S_FIRST, EN_S_GATE, EN_NONE, EN_NONE, 0},
  LERP(MU_A), PAIR(EN_S_RATE, A1, EN_ACT_NONE, A2, EN_ACT_SIGMOID, A0),
  LERP(MU_G), PAIR(EN_S_GATE, G1, EN_ACT_SIGMOID, G2, EN_ACT_NONE, EN_NONE),
  {EN_OP_WKV7, EN_S_A, EN_S_Q, 0, WKV, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_X, EN_S_A, 0, O, EN_NONE, 1},
  {EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, NORM_2, NORM_2_BIAS, 0},
  {EN_OP_SHIFT, EN_S_SHIFT, EN_S_H, 1, EN_NONE, EN_NONE, 0},
  LERP(CHANNEL_MU), {EN_OP_LINEAR, EN_S_G, EN_S_MIX, 0, CHANNEL_K, EN_NONE, 0},
  {EN_OP_RELU2, EN_S_G, EN_S_G, 0, EN_NONE, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_X, EN_S_G, 0, CHANNEL_V, EN_NONE, 1},
};
static const en_step end[] = {{EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, OUT_NORM, OUT_NORM_BIAS, 0}, {EN_OP_LINEAR, EN_S_LOGITS, EN_S_H, 0, HEAD, EN_NONE, 0}};
const en_arch en_arch_rwkv7 = {
  .name = "rwkv7", .configure = configure, .globals = globals, .n_globals = EN_COUNT(globals), .embed = EMBED, .layer = tensors, .n_layer = EN_COUNT(tensors),
  .begin = begin, .n_begin = EN_COUNT(begin), .each = steps, .n_each = EN_COUNT(steps), .end = end, .n_end = EN_COUNT(end),
};

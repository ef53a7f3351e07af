/* rwkv7.c - RWKV 7 "Goose" (Peng et al. 2025): every head carries a matrix from token to token that a delta rule updates.
 * With h the normed input and x_j = h + (h of the token before - h) mu_j:
 *   r, k, v = W x;  decay, rate and gate by pairs of small matrices;  v of layers above the first mixes with the first layer's;
 *   x += Wo (norm of heads(wkv) * gate), then x += Wv relu(Wk x_k)^2 of the second norm. */
#include "rwkv.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_rwkv_config(c, g, "rwkv7", why));
  EN_TRY(en_config_int(&c->wkv.decay, g, "rwkv7", "attention.decay_lora_rank", -1, 1, c->D, why));
  EN_TRY(en_config_int(&c->wkv.rate, g, "rwkv7", "attention.iclr_lora_rank", -1, 1, c->D, why));
  EN_TRY(en_config_int(&c->wkv.mix, g, "rwkv7", "attention.value_residual_mix_lora_rank", -1, 1, c->D, why));
  return en_config_int(&c->wkv.gate, g, "rwkv7", "attention.gate_lora_rank", -1, 1, c->D, why);
}

enum { MU_R = EN_RWKV_TENSORS, MU_W, MU_K, MU_V, MU_A, MU_G, W0, W1, W2, A0, A1, A2, V0, V1, V2, G1, G2, WKV /* and the four behind it */ };
static const en_tensor_spec tensors[] = {
  EN_RWKV_SHARED_TENSORS,
  [MU_R] = EN_RWKV_MU("r", EN_DIM_0, EN_DIM_6D), [MU_W] = EN_RWKV_MU("w", EN_DIM_D, EN_DIM_6D), [MU_K] = EN_RWKV_MU("k", EN_DIM_2D, EN_DIM_6D),
  [MU_V] = EN_RWKV_MU("v", EN_DIM_3D, EN_DIM_6D), [MU_A] = EN_RWKV_MU("a", EN_DIM_4D, EN_DIM_6D), [MU_G] = EN_RWKV_MU("g", EN_DIM_5D, EN_DIM_6D),
  [W0] = EN_RWKV_VECTOR("time_mix_w0.weight"), [W1] = EN_RWKV_SMALL("w1", EN_DIM_DECAY, EN_DIM_D, 0), [W2] = EN_RWKV_SMALL("w2", EN_DIM_D, EN_DIM_DECAY, 0),
  [A0] = EN_RWKV_VECTOR("time_mix_a0.weight"), [A1] = EN_RWKV_SMALL("a1", EN_DIM_RATE, EN_DIM_D, 0), [A2] = EN_RWKV_SMALL("a2", EN_DIM_D, EN_DIM_RATE, 0),
  [V0] = {"blk.*.time_mix_v0.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR | EN_T_ABOVE, NULL, 0, 0},
  [V1] = EN_RWKV_SMALL("v1", EN_DIM_MIX, EN_DIM_D, EN_T_ABOVE), [V2] = EN_RWKV_SMALL("v2", EN_DIM_D, EN_DIM_MIX, EN_T_ABOVE),
  [G1] = EN_RWKV_SMALL("g1", EN_DIM_GATE, EN_DIM_D, 0), [G2] = EN_RWKV_SMALL("g2", EN_DIM_D, EN_DIM_GATE, 0),
  [WKV] = EN_RWKV_VECTOR("time_mix_k_k.weight"), [WKV + 1] = EN_RWKV_VECTOR("time_mix_k_a.weight"), [WKV + 2] = EN_RWKV_VECTOR("time_mix_r_k.weight"),
  [WKV + 3] = EN_RWKV_VECTOR("time_mix_ln.weight"), [WKV + 4] = EN_RWKV_VECTOR("time_mix_ln.bias"),
};

#define MIX(W) EN_RWKV_LERP(EN_S_MIX, W)
static const en_step steps[] = {
  EN_RWKV_INPUT(0),
  MIX(MU_R), {EN_OP_LINEAR, EN_S_Q, EN_S_MIX, 0, EN_RWKV_R, EN_NONE, 0},
  MIX(MU_W), EN_RWKV_PAIR(EN_S_DECAY, EN_S_MIX, W1, EN_ACT_TANH, W2, EN_ACT_NONE, W0),
  MIX(MU_K), {EN_OP_LINEAR, EN_S_WK, EN_S_MIX, 0, EN_RWKV_K, EN_NONE, 0},
  MIX(MU_V), {EN_OP_LINEAR, EN_S_WV, EN_S_MIX, 0, EN_RWKV_V, EN_NONE, 0},
  EN_RWKV_PAIR(EN_S_GATE, EN_S_MIX, V1, EN_ACT_NONE, V2, EN_ACT_SIGMOID, V0), {EN_OP_FIRST_VALUE, EN_S_WV, EN_S_FIRST, EN_S_GATE, EN_NONE, EN_NONE, 1},
  MIX(MU_A), EN_RWKV_PAIR(EN_S_RATE, EN_S_MIX, A1, EN_ACT_NONE, A2, EN_ACT_SIGMOID, A0),
  MIX(MU_G), EN_RWKV_PAIR(EN_S_GATE, EN_S_MIX, G1, EN_ACT_SIGMOID, G2, EN_ACT_NONE, EN_NONE),
  {EN_OP_WKV7, EN_S_A, EN_S_Q, 0, WKV, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_X, EN_S_A, 0, EN_RWKV_O, EN_NONE, 1},
  EN_RWKV_INPUT(1), EN_RWKV_CHANNEL_KEY,
  {EN_OP_LINEAR, EN_S_X, EN_S_G, 0, EN_RWKV_CHANNEL_V, EN_NONE, 1},
};
static const char *const lora[7] = {"time_mix_receptance", "time_mix_key", "time_mix_value", "time_mix_output", NULL, "channel_mix_key", "channel_mix_value"};
const en_arch en_arch_rwkv7 = {EN_RWKV_ARCH("rwkv7", tensors, steps), .lora = lora};

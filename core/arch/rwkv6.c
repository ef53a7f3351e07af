/* rwkv6.c - RWKV 6 "Finch" (Peng et al. 2024): every head carries a matrix that decays by channel; how a token mixes with the one before depends on both.
 * With h the normed input, d = h of the token before - h, and z_j the j-th part of tanh(W1 (h + d mu_x)): x_j = h + d (mu_j + W2_j z_j) for j of w, k, v, r, g;
 *   r, k, v, g = W x;  decay by a pair of small matrices;  x += Wo (norm of heads(wkv) * silu(g)), then x += sigmoid(Wr x_r) * Wv relu(Wk x_k)^2 of the second norm. */
#include "rwkv.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_rwkv_config(c, g, "rwkv6", why));
  EN_TRY(en_config_int(&c->wkv.mix, g, "rwkv6", "time_mix_extra_dim", -1, 1, c->D, why));
  EN_TRY(en_config_int(&c->wkv.decay, g, "rwkv6", "time_decay_extra_dim", -1, 1, c->D, why));
  return en_config_int(&c->wkv.rescale, g, "rwkv6", "rescale_every_n_layers", 0, 0, 1024, why);
}

enum {
  GATE = EN_RWKV_TENSORS, MU_X, Z_W /* the parts of W1 */, Z_K, Z_V, Z_R, Z_G, M_W /* of W2 */, M_K, M_V, M_R, M_G, MU_W, MU_K, MU_V, MU_R, MU_G, DECAY, DECAY_1, DECAY_2,
  WKV /* and the two behind it */, CHANNEL_MU_R = WKV + 3, CHANNEL_R
};
#define PART_1(NAME, FIRST) {"blk.*.time_mix_w1_" NAME ".weight", EN_DIM_MIX, EN_DIM_D, EN_T_PLAIN, "blk.*.time_mix_w1.weight", FIRST, EN_DIM_5MIX}
#define PART_2(NAME, FIRST) {"blk.*.time_mix_w2_" NAME ".weight", EN_DIM_D, EN_DIM_MIX, EN_T_PLAIN, "blk.*.time_mix_w2.weight", FIRST, EN_DIM_5D}
static const en_tensor_spec tensors[] = {
  EN_RWKV_SHARED_TENSORS,
  [GATE] = EN_RWKV_MATRIX("time_mix_gate", EN_DIM_D, EN_DIM_D), [MU_X] = EN_RWKV_VECTOR("time_mix_lerp_x.weight"),
  [Z_W] = PART_1("w", EN_DIM_0), [Z_K] = PART_1("k", EN_DIM_MIX), [Z_V] = PART_1("v", EN_DIM_2MIX), [Z_R] = PART_1("r", EN_DIM_3MIX), [Z_G] = PART_1("g", EN_DIM_4MIX),
  [M_W] = PART_2("w", EN_DIM_0), [M_K] = PART_2("k", EN_DIM_D), [M_V] = PART_2("v", EN_DIM_2D), [M_R] = PART_2("r", EN_DIM_3D), [M_G] = PART_2("g", EN_DIM_4D),
  [MU_W] = EN_RWKV_MU("w", EN_DIM_0, EN_DIM_5D), [MU_K] = EN_RWKV_MU("k", EN_DIM_D, EN_DIM_5D), [MU_V] = EN_RWKV_MU("v", EN_DIM_2D, EN_DIM_5D),
  [MU_R] = EN_RWKV_MU("r", EN_DIM_3D, EN_DIM_5D), [MU_G] = EN_RWKV_MU("g", EN_DIM_4D, EN_DIM_5D),
  [DECAY] = EN_RWKV_VECTOR("time_mix_decay.weight"), [DECAY_1] = EN_RWKV_SMALL("decay_w1", EN_DIM_DECAY, EN_DIM_D, 0), [DECAY_2] = EN_RWKV_SMALL("decay_w2", EN_DIM_D, EN_DIM_DECAY, 0),
  [WKV] = EN_RWKV_VECTOR("time_mix_first.weight"), [WKV + 1] = EN_RWKV_VECTOR("time_mix_ln.weight"), [WKV + 2] = EN_RWKV_VECTOR("time_mix_ln.bias"),
  [CHANNEL_MU_R] = EN_RWKV_VECTOR("channel_mix_lerp_r.weight"), [CHANNEL_R] = EN_RWKV_MATRIX("channel_mix_receptance", EN_DIM_D, EN_DIM_D),
};

/* x_j in MIX; GATE holds h + d mu_x until the gate itself takes its place. */
#define MIX(Z, M, MU) EN_RWKV_PAIR(EN_S_MIX, EN_S_GATE, Z, EN_ACT_TANH, M, EN_ACT_NONE, MU), {EN_OP_LERP, EN_S_MIX, EN_S_H, EN_S_SHIFT, EN_NONE, EN_NONE, 1}
static const en_step steps[] = {
  EN_RWKV_INPUT(0), EN_RWKV_LERP(EN_S_GATE, MU_X),
  MIX(Z_W, M_W, MU_W), EN_RWKV_PAIR(EN_S_DECAY, EN_S_MIX, DECAY_1, EN_ACT_TANH, DECAY_2, EN_ACT_NONE, DECAY),
  MIX(Z_K, M_K, MU_K), {EN_OP_LINEAR, EN_S_WK, EN_S_MIX, 0, EN_RWKV_K, EN_NONE, 0},
  MIX(Z_V, M_V, MU_V), {EN_OP_LINEAR, EN_S_WV, EN_S_MIX, 0, EN_RWKV_V, EN_NONE, 0},
  MIX(Z_R, M_R, MU_R), {EN_OP_LINEAR, EN_S_Q, EN_S_MIX, 0, EN_RWKV_R, EN_NONE, 0},
  MIX(Z_G, M_G, MU_G), {EN_OP_LINEAR, EN_S_GATE, EN_S_MIX, 0, GATE, EN_NONE, 0},
  {EN_OP_WKV6, EN_S_A, EN_S_Q, 0, WKV, EN_NONE, 0},
  {EN_OP_SILU_MUL, EN_S_GATE, EN_S_GATE, EN_S_A, EN_NONE, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_X, EN_S_GATE, 0, EN_RWKV_O, EN_NONE, 1},
  EN_RWKV_INPUT(1), EN_RWKV_CHANNEL_KEY,
  {EN_OP_LINEAR, EN_S_A, EN_S_G, 0, EN_RWKV_CHANNEL_V, EN_NONE, 0},
  EN_RWKV_LERP(EN_S_MIX, CHANNEL_MU_R), {EN_OP_LINEAR, EN_S_WK, EN_S_MIX, 0, CHANNEL_R, EN_NONE, 0},
  {EN_OP_SIGMOID_MUL, EN_S_WK, EN_S_WK, EN_S_A, EN_NONE, EN_NONE, 0},
  {EN_OP_ADD, EN_S_X, EN_S_WK, 0, EN_NONE, EN_NONE, 1},
  {EN_OP_RESCALE, EN_S_X, EN_S_X, 0, EN_NONE, EN_NONE, 0},
};
static const char *const lora[7] = {"time_mix_receptance", "time_mix_key", "time_mix_value", "time_mix_output", "time_mix_gate", "channel_mix_key", "channel_mix_value"};
const en_arch en_arch_rwkv6 = {EN_RWKV_ARCH("rwkv6", tensors, steps), .lora = lora};

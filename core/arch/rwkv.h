/* rwkv.h - what RWKV 6 and 7 share: tensors of the whole model, the shape of the state, mixes of a token with the one before. */
#ifndef EN_RWKV_H
#define EN_RWKV_H
#include "arch.h"

/* Sizes, heads and the state. */
int32_t en_rwkv_config(en_config *c, const en_gguf *g, const char *arch, en_why *why);

enum { EN_RWKV_EMBED, EN_RWKV_EMBED_NORM, EN_RWKV_EMBED_NORMB, EN_RWKV_NORM, EN_RWKV_NORMB, EN_RWKV_HEAD, EN_RWKV_GLOBALS };
extern const en_tensor_spec en_rwkv_globals[EN_RWKV_GLOBALS];
extern const en_step en_rwkv_begin[2], en_rwkv_end[2];

#define EN_RWKV_VECTOR(NAME) {"blk.*." NAME, EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}
#define EN_RWKV_MATRIX(NAME, ROWS, COLS) {"blk.*." NAME ".weight", ROWS, COLS, 0, NULL, 0, 0}
#define EN_RWKV_SMALL(NAME, ROWS, COLS, FLAGS) {"blk.*.time_mix_" NAME ".weight", ROWS, COLS, EN_T_PLAIN | (FLAGS), NULL, 0, 0}
#define EN_RWKV_MU(NAME, FIRST, WHOLE) {"blk.*.time_mix_lerp_" NAME ".weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, "blk.*.time_mix_lerp_fused.weight", FIRST, WHOLE}
/* The first tensors of a layer. */
enum { EN_RWKV_N1, EN_RWKV_N1B, EN_RWKV_N2, EN_RWKV_N2B, EN_RWKV_R, EN_RWKV_K, EN_RWKV_V, EN_RWKV_O, EN_RWKV_CHANNEL_MU, EN_RWKV_CHANNEL_K, EN_RWKV_CHANNEL_V, EN_RWKV_TENSORS };
#define EN_RWKV_SHARED_TENSORS \
  [EN_RWKV_N1] = EN_RWKV_VECTOR("attn_norm.weight"), [EN_RWKV_N1B] = EN_RWKV_VECTOR("attn_norm.bias"), [EN_RWKV_N2] = EN_RWKV_VECTOR("attn_norm_2.weight"), [EN_RWKV_N2B] = EN_RWKV_VECTOR("attn_norm_2.bias"), \
  [EN_RWKV_R] = EN_RWKV_MATRIX("time_mix_receptance", EN_DIM_D, EN_DIM_D), [EN_RWKV_K] = EN_RWKV_MATRIX("time_mix_key", EN_DIM_D, EN_DIM_D), [EN_RWKV_V] = EN_RWKV_MATRIX("time_mix_value", EN_DIM_D, EN_DIM_D), \
  [EN_RWKV_O] = EN_RWKV_MATRIX("time_mix_output", EN_DIM_D, EN_DIM_D), [EN_RWKV_CHANNEL_MU] = EN_RWKV_VECTOR("channel_mix_lerp_k.weight"), \
  [EN_RWKV_CHANNEL_K] = EN_RWKV_MATRIX("channel_mix_key", EN_DIM_F, EN_DIM_D), [EN_RWKV_CHANNEL_V] = EN_RWKV_MATRIX("channel_mix_value", EN_DIM_D, EN_DIM_F)

#define EN_RWKV_LERP(OUT, W) {EN_OP_LERP, OUT, EN_S_H, EN_S_SHIFT, W, EN_NONE, 0}
/* out = act of the second of (second W2 act of the first (W1 in) + b) */
#define EN_RWKV_PAIR(OUT, IN, FIRST, ACT_1, SECOND, ACT_2, B) {EN_OP_DOTS, EN_S_LOW, IN, ACT_1, FIRST, EN_NONE, 0}, {EN_OP_DOTS, OUT, EN_S_LOW, ACT_2, SECOND, B, 0}
/* H: the norm of x, SHIFT: what it was a token ago, less what it is. HALF 0: the layer's first half, 1: its second. */
#define EN_RWKV_INPUT(HALF) \
  {EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, EN_RWKV_N1 + 2 * (HALF), EN_RWKV_N1B + 2 * (HALF), 0}, {EN_OP_SHIFT, EN_S_SHIFT, EN_S_H, HALF, EN_NONE, EN_NONE, 0}
/* G = relu(Wk x_k)^2 */
#define EN_RWKV_CHANNEL_KEY \
  EN_RWKV_LERP(EN_S_MIX, EN_RWKV_CHANNEL_MU), {EN_OP_LINEAR, EN_S_G, EN_S_MIX, 0, EN_RWKV_CHANNEL_K, EN_NONE, 0}, {EN_OP_RELU2, EN_S_G, EN_S_G, 0, EN_NONE, EN_NONE, 0}

#define EN_RWKV_ARCH(NAME, TENSORS, STEPS) \
  .name = NAME, .configure = configure, .globals = en_rwkv_globals, .n_globals = EN_RWKV_GLOBALS, .embed = EN_RWKV_EMBED, .layer = TENSORS, .n_layer = EN_COUNT(TENSORS), \
  .begin = en_rwkv_begin, .n_begin = EN_COUNT(en_rwkv_begin), .each = STEPS, .n_each = EN_COUNT(STEPS), .end = en_rwkv_end, .n_end = EN_COUNT(en_rwkv_end)
#endif

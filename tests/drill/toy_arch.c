/* toy_arch.c - drill architecture: embedding, then layers x += Wdown(silu(Wgate x) * Wup x), then a tied head. No attention. */
#include "arch.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  return en_config_common(c, g, "toy", "attention.layer_norm_rms_epsilon", why);
}

static const en_tensor_spec globals[] = {{"token_embd.weight", EN_DIM_V, EN_DIM_D, 0, NULL, 0, 0}, {"output.weight", EN_DIM_V, EN_DIM_D, EN_T_OPTIONAL | EN_T_HEAD, NULL, 0, 0}};
static const en_tensor_spec layer[] = {{"blk.*.gate.weight", EN_DIM_F, EN_DIM_D, 0, NULL, 0, 0}, {"blk.*.up.weight", EN_DIM_F, EN_DIM_D, 0, NULL, 0, 0}, {"blk.*.down.weight", EN_DIM_D, EN_DIM_F, 0, NULL, 0, 0}};
static const en_step begin[] = {{EN_OP_EMBED, EN_S_X, 0, 0, 0, EN_NONE, 0}};
static const en_step each[] = {
  {EN_OP_LINEAR, EN_S_G, EN_S_X, 0, 0, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_U, EN_S_X, 0, 1, EN_NONE, 0},
  {EN_OP_SILU_MUL, EN_S_G, EN_S_G, EN_S_U, EN_NONE, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_X, EN_S_G, 0, 2, EN_NONE, 1},
};
static const en_step end[] = {{EN_OP_LINEAR, EN_S_LOGITS, EN_S_X, 0, 1, EN_NONE, 0}};

const en_arch en_arch_toy = {
  .name = "toy", .configure = configure, .globals = globals, .layer = layer, .n_globals = EN_COUNT(globals), .n_layer = EN_COUNT(layer),
  .embed = 0, .begin = begin, .each = each, .end = end, .n_begin = EN_COUNT(begin), .n_each = EN_COUNT(each), .n_end = EN_COUNT(end),
};

/* rwkv.c - see rwkv.h. */
#include "rwkv.h"

int32_t en_rwkv_config(en_config *c, const en_gguf *g, const char *arch, en_why *why) {
  EN_TRY(en_config_recurrent(c, g, arch, "attention.layer_norm_epsilon", why));
  EN_TRY(en_config_int(&c->F, g, arch, "feed_forward_length", -1, 1, 1 << 22, why));
  EN_TRY(en_config_int(&c->E, g, arch, "wkv.head_size", -1, 1, EN_MAX_WKV, why));
  if (c->D % c->E || c->D > 1 << 18) return en_fail(why, EN_E_FORMAT, "%s: a width of %d is no number of heads of %d", arch, c->D, c->E);
  c->H = c->D / c->E;
  c->n_state = 2 * c->D + c->D * c->E; /* the tokens before, of both halves of a layer; the heads' matrices */
  return EN_OK;
}

const en_tensor_spec en_rwkv_globals[EN_RWKV_GLOBALS] = {
  [EN_RWKV_EMBED] = {"token_embd.weight", EN_DIM_V, EN_DIM_D, 0, NULL, 0, 0},
  [EN_RWKV_EMBED_NORM] = {"token_embd_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [EN_RWKV_EMBED_NORMB] = {"token_embd_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [EN_RWKV_NORM] = {"output_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [EN_RWKV_NORMB] = {"output_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [EN_RWKV_HEAD] = {"output.weight", EN_DIM_V, EN_DIM_D, EN_T_OPTIONAL | EN_T_HEAD, NULL, 0, 0},
};
const en_step en_rwkv_begin[2] = {{EN_OP_EMBED, EN_S_H, 0, 0, EN_RWKV_EMBED, EN_NONE, 0}, {EN_OP_LAYER_NORM, EN_S_X, EN_S_H, 0, EN_RWKV_EMBED_NORM, EN_RWKV_EMBED_NORMB, 0}};
const en_step en_rwkv_end[2] = {{EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, EN_RWKV_NORM, EN_RWKV_NORMB, 0}, {EN_OP_LINEAR, EN_S_LOGITS, EN_S_H, 0, EN_RWKV_HEAD, EN_NONE, 0}};

/* encoder.h - the post-norm encoder block of BERT (Devlin et al. 2018) and what its members share: attention in both directions, and norms
 * behind the sums: h = norm(x + Wo attention(x) + bo); x = norm(h + Wdown act(...h) + bdown). The end program makes logits by the token
 * embedding, for training on masked tokens; embeddings are pooled rows of what it reads. */
#ifndef EN_ENCODER_H
#define EN_ENCODER_H
#include "arch.h"

/* Sizes, token types, labels; encoders see both directions unless the file says otherwise. */
int32_t en_encoder_config(en_config *c, const en_gguf *g, const char *arch, en_why *why);

/* ---- tensors. Names: GGUF's. An architecture's own follow at [EN_ENC_..._TENSORS] ---- */
enum { EN_ENC_EMBED, EN_ENC_TYPES, EN_ENC_NORM, EN_ENC_NORMB, EN_ENC_HEAD, EN_ENC_CLS, EN_ENC_CLSB, EN_ENC_RANK, EN_ENC_RANKB, EN_ENC_GLOBALS };
#define EN_ENCODER_GLOBALS \
  [EN_ENC_EMBED] = {"token_embd.weight", EN_DIM_V, EN_DIM_D, 0, NULL, 0, 0}, \
  [EN_ENC_TYPES] = {"token_types.weight", EN_DIM_TYPES, EN_DIM_D, EN_T_OPTIONAL, NULL, 0, 0}, \
  [EN_ENC_NORM] = {"token_embd_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}, \
  [EN_ENC_NORMB] = {"token_embd_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}, \
  [EN_ENC_HEAD] = {"output.weight", EN_DIM_V, EN_DIM_D, EN_T_OPTIONAL | EN_T_HEAD, NULL, 0, 0}, \
  [EN_ENC_CLS] = {"cls.weight", EN_DIM_D, EN_DIM_D, EN_T_OPTIONAL, NULL, 0, 0}, \
  [EN_ENC_CLSB] = {"cls.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}, \
  [EN_ENC_RANK] = {"cls.output.weight", EN_DIM_LABELS, EN_DIM_D, EN_T_OPTIONAL, NULL, 0, 0}, \
  [EN_ENC_RANKB] = {"cls.output.bias", EN_DIM_1, EN_DIM_LABELS, EN_T_BIAS, NULL, 0, 0}

enum {
  EN_ENC_Q, EN_ENC_QB, EN_ENC_K, EN_ENC_KB, EN_ENC_V, EN_ENC_VB, EN_ENC_O, EN_ENC_OB, EN_ENC_ATTN_NORM, EN_ENC_ATTN_NORMB,
  EN_ENC_UP, EN_ENC_UPB, EN_ENC_DOWN, EN_ENC_DOWNB, EN_ENC_FFN_NORM, EN_ENC_FFN_NORMB, EN_ENC_TENSORS
};
/* q, k and v may be one matrix: rows of q, then k, then v. */
#define EN_ENCODER_TENSORS \
  [EN_ENC_Q] = {"blk.*.attn_q.weight", EN_DIM_HE, EN_DIM_D, 0, "blk.*.attn_qkv.weight", EN_DIM_0, EN_DIM_QKV}, \
  [EN_ENC_QB] = {"blk.*.attn_q.bias", EN_DIM_1, EN_DIM_HE, EN_T_BIAS, "blk.*.attn_qkv.bias", EN_DIM_0, EN_DIM_QKV}, \
  [EN_ENC_K] = {"blk.*.attn_k.weight", EN_DIM_KE, EN_DIM_D, 0, "blk.*.attn_qkv.weight", EN_DIM_HE, EN_DIM_QKV}, \
  [EN_ENC_KB] = {"blk.*.attn_k.bias", EN_DIM_1, EN_DIM_KE, EN_T_BIAS, "blk.*.attn_qkv.bias", EN_DIM_HE, EN_DIM_QKV}, \
  [EN_ENC_V] = {"blk.*.attn_v.weight", EN_DIM_KE, EN_DIM_D, 0, "blk.*.attn_qkv.weight", EN_DIM_QK, EN_DIM_QKV}, \
  [EN_ENC_VB] = {"blk.*.attn_v.bias", EN_DIM_1, EN_DIM_KE, EN_T_BIAS, "blk.*.attn_qkv.bias", EN_DIM_QK, EN_DIM_QKV}, \
  [EN_ENC_O] = {"blk.*.attn_output.weight", EN_DIM_D, EN_DIM_HE, 0, NULL, 0, 0}, \
  [EN_ENC_OB] = {"blk.*.attn_output.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}, \
  [EN_ENC_ATTN_NORM] = {"blk.*.attn_output_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}, \
  [EN_ENC_ATTN_NORMB] = {"blk.*.attn_output_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}, \
  [EN_ENC_UP] = {"blk.*.ffn_up.weight", EN_DIM_F, EN_DIM_D, 0, NULL, 0, 0}, \
  [EN_ENC_UPB] = {"blk.*.ffn_up.bias", EN_DIM_1, EN_DIM_F, EN_T_BIAS, NULL, 0, 0}, \
  [EN_ENC_DOWN] = {"blk.*.ffn_down.weight", EN_DIM_D, EN_DIM_F, 0, NULL, 0, 0}, \
  [EN_ENC_DOWNB] = {"blk.*.ffn_down.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}, \
  [EN_ENC_FFN_NORM] = {"blk.*.layer_output_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}, \
  [EN_ENC_FFN_NORMB] = {"blk.*.layer_output_norm.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}

/* ---- steps. The sums stand in slot H before the layers and within them, X is what a layer hands on ---- */
#define EN_ENCODER_EMBED \
  {EN_OP_EMBED, EN_S_H, 0, 0, EN_ENC_EMBED, EN_NONE, 0}, \
  {EN_OP_ADD_TYPE, EN_S_H, EN_S_H, 0, EN_ENC_TYPES, EN_NONE, 0}
#define EN_ENCODER_EMBED_NORM {EN_OP_LAYER_NORM, EN_S_X, EN_S_H, 0, EN_ENC_NORM, EN_ENC_NORMB, 0}
#define EN_ENCODER_QKV \
  {EN_OP_LINEAR, EN_S_Q, EN_S_X, 0, EN_ENC_Q, EN_ENC_QB, 0}, \
  {EN_OP_LINEAR, EN_S_K, EN_S_X, 0, EN_ENC_K, EN_ENC_KB, 0}, \
  {EN_OP_LINEAR, EN_S_V, EN_S_X, 0, EN_ENC_V, EN_ENC_VB, 0}
#define EN_ENCODER_ATTEND \
  {EN_OP_ATTEND, EN_S_A, EN_S_Q, 0, EN_NONE, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_X, EN_S_A, 0, EN_ENC_O, EN_ENC_OB, 1}, \
  {EN_OP_LAYER_NORM, EN_S_H, EN_S_X, 0, EN_ENC_ATTN_NORM, EN_ENC_ATTN_NORMB, 0}
#define EN_ENCODER_DOWN \
  {EN_OP_LINEAR, EN_S_H, EN_S_G, 0, EN_ENC_DOWN, EN_ENC_DOWNB, 1}, \
  {EN_OP_LAYER_NORM, EN_S_X, EN_S_H, 0, EN_ENC_FFN_NORM, EN_ENC_FFN_NORMB, 0}

/* What members share whole. */
extern const en_step en_encoder_end[1], en_encoder_rank[3];
#define EN_ENCODER_OUTER(GLOBALS, BEGIN) \
  .globals = GLOBALS, .n_globals = EN_COUNT(GLOBALS), .embed = EN_ENC_EMBED, .begin = BEGIN, .n_begin = EN_COUNT(BEGIN), \
  .end = en_encoder_end, .n_end = EN_COUNT(en_encoder_end), .rank = en_encoder_rank, .n_rank = EN_COUNT(en_encoder_rank)
#define EN_ENCODER_LAYER(TENSORS, STEPS) .layer = TENSORS, .n_layer = EN_COUNT(TENSORS), .each = STEPS, .n_each = EN_COUNT(STEPS)
#endif

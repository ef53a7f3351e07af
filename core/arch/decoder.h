/* decoder.h - the pre-norm decoder block that the llama family shares: x += Wo attention(norm x); x += Wdown(act(Wgate h) * Wup h), h = norm x.
 * The members differ in how rotary pairs lie, in the activation, in norms on the way, and in which biases the file has. An architecture
 * takes the tables whole (llama.c) or their parts with its own between them (qwen3.c, gemma2.c). */
#ifndef EN_DECODER_H
#define EN_DECODER_H
#include "arch.h"

/* ---- tensors. Names: GGUF's (docs/formats.md). An architecture's own follow at [EN_DEC_..._TENSORS] ---- */
enum { EN_DEC_EMBED, EN_DEC_NORM, EN_DEC_HEAD, EN_DEC_HEAD_BIAS, EN_DEC_GLOBALS };
#define EN_DECODER_GLOBALS \
  [EN_DEC_EMBED] = {"token_embd.weight", EN_DIM_V, EN_DIM_D, 0, NULL, 0, 0}, \
  [EN_DEC_NORM] = {"output_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}, \
  [EN_DEC_HEAD] = {"output.weight", EN_DIM_V, EN_DIM_D, EN_T_OPTIONAL | EN_T_HEAD, NULL, 0, 0}, \
  [EN_DEC_HEAD_BIAS] = {"output.bias", EN_DIM_1, EN_DIM_V, EN_T_BIAS, NULL, 0, 0}

enum {
  EN_DEC_ATTN_NORM, EN_DEC_Q, EN_DEC_QB, EN_DEC_K, EN_DEC_KB, EN_DEC_V, EN_DEC_VB, EN_DEC_O, EN_DEC_OB, EN_DEC_ATTN_TENSORS,
  EN_DEC_FFN_NORM = EN_DEC_ATTN_TENSORS, EN_DEC_GATE, EN_DEC_GATEB, EN_DEC_UP, EN_DEC_UPB, EN_DEC_DOWN, EN_DEC_DOWNB, EN_DEC_TENSORS
};
/* q, k and v may be one matrix: rows of q, then k, then v. */
#define EN_DECODER_ATTN_TENSORS \
  [EN_DEC_ATTN_NORM] = {"blk.*.attn_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}, \
  [EN_DEC_Q] = {"blk.*.attn_q.weight", EN_DIM_HE, EN_DIM_D, 0, "blk.*.attn_qkv.weight", EN_DIM_0, EN_DIM_QKV}, \
  [EN_DEC_QB] = {"blk.*.attn_q.bias", EN_DIM_1, EN_DIM_HE, EN_T_BIAS, "blk.*.attn_qkv.bias", EN_DIM_0, EN_DIM_QKV}, \
  [EN_DEC_K] = {"blk.*.attn_k.weight", EN_DIM_KE, EN_DIM_D, 0, "blk.*.attn_qkv.weight", EN_DIM_HE, EN_DIM_QKV}, \
  [EN_DEC_KB] = {"blk.*.attn_k.bias", EN_DIM_1, EN_DIM_KE, EN_T_BIAS, "blk.*.attn_qkv.bias", EN_DIM_HE, EN_DIM_QKV}, \
  [EN_DEC_V] = {"blk.*.attn_v.weight", EN_DIM_KE, EN_DIM_D, 0, "blk.*.attn_qkv.weight", EN_DIM_QK, EN_DIM_QKV}, \
  [EN_DEC_VB] = {"blk.*.attn_v.bias", EN_DIM_1, EN_DIM_KE, EN_T_BIAS, "blk.*.attn_qkv.bias", EN_DIM_QK, EN_DIM_QKV}, \
  [EN_DEC_O] = {"blk.*.attn_output.weight", EN_DIM_D, EN_DIM_HE, 0, NULL, 0, 0}, \
  [EN_DEC_OB] = {"blk.*.attn_output.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}
/* Gate and up may be one matrix under the name of up: rows of the gate first. */
#define EN_DECODER_MLP_TENSORS \
  [EN_DEC_FFN_NORM] = {"blk.*.ffn_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}, \
  [EN_DEC_GATE] = {"blk.*.ffn_gate.weight", EN_DIM_F, EN_DIM_D, 0, "blk.*.ffn_up.weight", EN_DIM_0, EN_DIM_2F}, \
  [EN_DEC_GATEB] = {"blk.*.ffn_gate.bias", EN_DIM_1, EN_DIM_F, EN_T_BIAS, "blk.*.ffn_up.bias", EN_DIM_0, EN_DIM_2F}, \
  [EN_DEC_UP] = {"blk.*.ffn_up.weight", EN_DIM_F, EN_DIM_D, 0, "blk.*.ffn_up.weight", EN_DIM_F, EN_DIM_2F}, \
  [EN_DEC_UPB] = {"blk.*.ffn_up.bias", EN_DIM_1, EN_DIM_F, EN_T_BIAS, "blk.*.ffn_up.bias", EN_DIM_F, EN_DIM_2F}, \
  [EN_DEC_DOWN] = {"blk.*.ffn_down.weight", EN_DIM_D, EN_DIM_F, 0, NULL, 0, 0}, \
  [EN_DEC_DOWNB] = {"blk.*.ffn_down.bias", EN_DIM_1, EN_DIM_D, EN_T_BIAS, NULL, 0, 0}
#define EN_DECODER_TENSORS EN_DECODER_ATTN_TENSORS, EN_DECODER_MLP_TENSORS

/* Norms of every query and key head (Qwen 3, Gemma 3). */
#define EN_DECODER_QK_NORM_TENSORS(AT) \
  [AT] = {"blk.*.attn_q_norm.weight", EN_DIM_1, EN_DIM_E, EN_T_VECTOR, NULL, 0, 0}, \
  [(AT) + 1] = {"blk.*.attn_k_norm.weight", EN_DIM_1, EN_DIM_E, EN_T_VECTOR, NULL, 0, 0}
/* Norms of what attention and feed-forward add to x (Gemma 2, 3). */
#define EN_DECODER_POST_NORM_TENSORS(AT) \
  [AT] = {"blk.*.post_attention_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}, \
  [(AT) + 1] = {"blk.*.post_ffw_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0}

/* ---- steps ---- */
#define EN_DECODER_QKV \
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, EN_DEC_ATTN_NORM, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_Q, EN_S_H, 0, EN_DEC_Q, EN_DEC_QB, 0}, \
  {EN_OP_LINEAR, EN_S_K, EN_S_H, 0, EN_DEC_K, EN_DEC_KB, 0}, \
  {EN_OP_LINEAR, EN_S_V, EN_S_H, 0, EN_DEC_V, EN_DEC_VB, 0}
#define EN_DECODER_QK_NORM(AT) \
  {EN_OP_HEAD_NORM, EN_S_Q, EN_S_Q, 0, AT, EN_NONE, 0}, \
  {EN_OP_HEAD_NORM, EN_S_K, EN_S_K, 0, (AT) + 1, EN_NONE, 0}
/* ROPE: EN_OP_ROPE_PAIRS or EN_OP_ROPE_HALVES. */
#define EN_DECODER_ATTEND(ROPE) \
  {ROPE, EN_S_Q, EN_S_Q, 0, EN_NONE, EN_NONE, 0}, \
  {ROPE, EN_S_K, EN_S_K, 0, EN_NONE, EN_NONE, 0}, \
  {EN_OP_ATTEND, EN_S_A, EN_S_Q, 0, EN_NONE, EN_NONE, 0}
/* ACT: EN_OP_SILU_MUL or EN_OP_GELU_MUL. */
#define EN_DECODER_GATED(ACT) \
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, EN_DEC_FFN_NORM, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_G, EN_S_H, 0, EN_DEC_GATE, EN_DEC_GATEB, 0}, \
  {EN_OP_LINEAR, EN_S_U, EN_S_H, 0, EN_DEC_UP, EN_DEC_UPB, 0}, \
  {ACT, EN_S_G, EN_S_G, EN_S_U, EN_NONE, EN_NONE, 0}
/* x += W in + b, and the same with a norm before the sum. */
#define EN_DECODER_RESIDUAL(IN, W, B) {EN_OP_LINEAR, EN_S_X, IN, 0, W, B, 1}
#define EN_DECODER_NORMED_RESIDUAL(IN, W, B, NORM) \
  {EN_OP_LINEAR, EN_S_H, IN, 0, W, B, 0}, \
  {EN_OP_RMS_NORM, EN_S_H, EN_S_H, 0, NORM, EN_NONE, 0}, \
  {EN_OP_ADD, EN_S_X, EN_S_H, 0, EN_NONE, EN_NONE, 1}
#define EN_DECODER_MLP(ACT) EN_DECODER_GATED(ACT), EN_DECODER_RESIDUAL(EN_S_G, EN_DEC_DOWN, EN_DEC_DOWNB)
#define EN_DECODER_STEPS(ROPE, ACT) \
  EN_DECODER_QKV, EN_DECODER_ATTEND(ROPE), EN_DECODER_RESIDUAL(EN_S_A, EN_DEC_O, EN_DEC_OB), EN_DECODER_MLP(ACT)

#define EN_DECODER_EMBED {EN_OP_EMBED, EN_S_X, 0, 0, EN_DEC_EMBED, EN_NONE, 0}
#define EN_DECODER_HEAD \
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, EN_DEC_NORM, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_LOGITS, EN_S_H, 0, EN_DEC_HEAD, EN_DEC_HEAD_BIAS, 0}

/* What most members share whole. */
enum { EN_DEC_ROPE_FREQS = EN_DEC_GLOBALS, EN_DEC_ALL_GLOBALS }; /* globals with the optional factors of Llama 3 */
extern const en_tensor_spec en_decoder_globals[EN_DEC_ALL_GLOBALS], en_decoder_tensors[EN_DEC_TENSORS];
extern const en_step en_decoder_begin[1], en_decoder_begin_scaled[2], en_decoder_end[2];
#define EN_DECODER_LAYER(TENSORS, STEPS) .layer = TENSORS, .n_layer = EN_COUNT(TENSORS), .each = STEPS, .n_each = EN_COUNT(STEPS)
#define EN_DECODER_OUTER(GLOBALS, BEGIN, END) \
  .globals = GLOBALS, .n_globals = EN_COUNT(GLOBALS), .embed = EN_DEC_EMBED, \
  .begin = BEGIN, .n_begin = EN_COUNT(BEGIN), .end = END, .n_end = EN_COUNT(END)
#endif

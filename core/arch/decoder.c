/* decoder.c - tensors and the outer steps of the llama family. Names: GGUF's (docs/formats.md). */
#include "decoder.h"

enum { BIAS = EN_T_VECTOR | EN_T_OPTIONAL };

const en_tensor_spec en_decoder_globals[EN_DEC_GLOBALS] = {
  [EN_DEC_EMBED] = {"token_embd.weight", EN_DIM_V, EN_DIM_D, 0},
  [EN_DEC_NORM] = {"output_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR},
  [EN_DEC_HEAD] = {"output.weight", EN_DIM_V, EN_DIM_D, EN_T_OPTIONAL | EN_T_HEAD},
  [EN_DEC_HEAD_BIAS] = {"output.bias", EN_DIM_1, EN_DIM_V, BIAS},
  [EN_DEC_ROPE_FREQS] = {"rope_freqs.weight", EN_DIM_1, EN_DIM_HALF_ROT, BIAS},
};

const en_tensor_spec en_decoder_tensors[EN_DEC_TENSORS] = {
  [EN_DEC_ATTN_NORM] = {"blk.*.attn_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR},
  [EN_DEC_Q] = {"blk.*.attn_q.weight", EN_DIM_HE, EN_DIM_D, 0},
  [EN_DEC_QB] = {"blk.*.attn_q.bias", EN_DIM_1, EN_DIM_HE, BIAS},
  [EN_DEC_K] = {"blk.*.attn_k.weight", EN_DIM_KE, EN_DIM_D, 0},
  [EN_DEC_KB] = {"blk.*.attn_k.bias", EN_DIM_1, EN_DIM_KE, BIAS},
  [EN_DEC_V] = {"blk.*.attn_v.weight", EN_DIM_KE, EN_DIM_D, 0},
  [EN_DEC_VB] = {"blk.*.attn_v.bias", EN_DIM_1, EN_DIM_KE, BIAS},
  [EN_DEC_O] = {"blk.*.attn_output.weight", EN_DIM_D, EN_DIM_HE, 0},
  [EN_DEC_OB] = {"blk.*.attn_output.bias", EN_DIM_1, EN_DIM_D, BIAS},
  [EN_DEC_FFN_NORM] = {"blk.*.ffn_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR},
  [EN_DEC_GATE] = {"blk.*.ffn_gate.weight", EN_DIM_F, EN_DIM_D, 0},
  [EN_DEC_GATEB] = {"blk.*.ffn_gate.bias", EN_DIM_1, EN_DIM_F, BIAS},
  [EN_DEC_UP] = {"blk.*.ffn_up.weight", EN_DIM_F, EN_DIM_D, 0},
  [EN_DEC_UPB] = {"blk.*.ffn_up.bias", EN_DIM_1, EN_DIM_F, BIAS},
  [EN_DEC_DOWN] = {"blk.*.ffn_down.weight", EN_DIM_D, EN_DIM_F, 0},
  [EN_DEC_DOWNB] = {"blk.*.ffn_down.bias", EN_DIM_1, EN_DIM_D, BIAS},
};

const en_step en_decoder_begin[1] = {{EN_OP_EMBED, EN_S_X, 0, 0, EN_DEC_EMBED, EN_NONE, 0}};
const en_step en_decoder_end[2] = {
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, EN_DEC_NORM, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_LOGITS, EN_S_H, 0, EN_DEC_HEAD, EN_DEC_HEAD_BIAS, 0},
};

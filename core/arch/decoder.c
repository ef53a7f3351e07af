/* decoder.c - the tables that the members of the llama family share whole. */
#include "decoder.h"

const en_tensor_spec en_decoder_globals[EN_DEC_ALL_GLOBALS] = {
  EN_DECODER_GLOBALS,
  [EN_DEC_ROPE_FREQS] = {"rope_freqs.weight", EN_DIM_1, EN_DIM_HALF_ROT, EN_T_BIAS | EN_T_ROPE, NULL, 0, 0},
};
const en_tensor_spec en_decoder_tensors[EN_DEC_TENSORS] = {EN_DECODER_TENSORS};
const en_step en_decoder_begin[1] = {EN_DECODER_EMBED};
const en_step en_decoder_begin_scaled[2] = {EN_DECODER_EMBED, {EN_OP_SCALE_EMBED, EN_S_X, EN_S_X, 0, EN_NONE, EN_NONE, 0}};
const en_step en_decoder_end[2] = {EN_DECODER_HEAD};

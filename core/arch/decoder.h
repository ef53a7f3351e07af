/* decoder.h - the pre-norm decoder block that the llama family shares: x += Wo attention(norm x); x += Wdown(silu(Wgate h) * Wup h), h = norm x.
 * The members differ in how rotary pairs lie and in which biases the file has. */
#ifndef EN_DECODER_H
#define EN_DECODER_H
#include "arch.h"

enum { EN_DEC_EMBED, EN_DEC_NORM, EN_DEC_HEAD, EN_DEC_HEAD_BIAS, EN_DEC_ROPE_FREQS, EN_DEC_GLOBALS };
enum {
  EN_DEC_ATTN_NORM, EN_DEC_Q, EN_DEC_QB, EN_DEC_K, EN_DEC_KB, EN_DEC_V, EN_DEC_VB, EN_DEC_O, EN_DEC_OB,
  EN_DEC_FFN_NORM, EN_DEC_GATE, EN_DEC_GATEB, EN_DEC_UP, EN_DEC_UPB, EN_DEC_DOWN, EN_DEC_DOWNB, EN_DEC_TENSORS
};
extern const en_tensor_spec en_decoder_globals[EN_DEC_GLOBALS], en_decoder_tensors[EN_DEC_TENSORS];
extern const en_step en_decoder_begin[1], en_decoder_end[2];

/* The steps of a layer; ROPE is EN_OP_ROPE_PAIRS or EN_OP_ROPE_HALVES. */
#define EN_DECODER_STEPS(ROPE) { \
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, EN_DEC_ATTN_NORM, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_Q, EN_S_H, 0, EN_DEC_Q, EN_DEC_QB, 0}, \
  {EN_OP_LINEAR, EN_S_K, EN_S_H, 0, EN_DEC_K, EN_DEC_KB, 0}, \
  {EN_OP_LINEAR, EN_S_V, EN_S_H, 0, EN_DEC_V, EN_DEC_VB, 0}, \
  {ROPE, EN_S_Q, EN_S_Q, 0, EN_NONE, EN_NONE, 0}, \
  {ROPE, EN_S_K, EN_S_K, 0, EN_NONE, EN_NONE, 0}, \
  {EN_OP_ATTEND, EN_S_A, EN_S_Q, 0, EN_NONE, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_X, EN_S_A, 0, EN_DEC_O, EN_DEC_OB, 1}, \
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, EN_DEC_FFN_NORM, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_G, EN_S_H, 0, EN_DEC_GATE, EN_DEC_GATEB, 0}, \
  {EN_OP_LINEAR, EN_S_U, EN_S_H, 0, EN_DEC_UP, EN_DEC_UPB, 0}, \
  {EN_OP_SILU_MUL, EN_S_G, EN_S_G, EN_S_U, EN_NONE, EN_NONE, 0}, \
  {EN_OP_LINEAR, EN_S_X, EN_S_G, 0, EN_DEC_DOWN, EN_DEC_DOWNB, 1}, \
}

#define EN_DECODER_ARCH(NAME, CONFIGURE, STEPS) { \
  .name = NAME, .configure = CONFIGURE, .globals = en_decoder_globals, .layer = en_decoder_tensors, \
  .n_globals = EN_DEC_GLOBALS, .n_layer = EN_DEC_TENSORS, .embed = EN_DEC_EMBED, .rope_freqs = EN_DEC_ROPE_FREQS, \
  .begin = en_decoder_begin, .n_begin = EN_COUNT(en_decoder_begin), .each = STEPS, .n_each = EN_COUNT(STEPS), \
  .end = en_decoder_end, .n_end = EN_COUNT(en_decoder_end) }
#endif

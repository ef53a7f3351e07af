/* bert.c - BERT and the sentence encoders built like it (MiniLM, E5, BGE, GTE): learned positions, GELU by erf as the models were trained
 * (llama.cpp takes the tanh form), biases everywhere. */
#include "encoder.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_encoder_config(c, g, "bert", why));
  c->n_rope = 0;
  return EN_OK;
}

enum { POSITIONS = EN_ENC_GLOBALS };
static const en_tensor_spec globals[] = {EN_ENCODER_GLOBALS, [POSITIONS] = {"position_embd.weight", EN_DIM_CTX, EN_DIM_D, 0, NULL, 0, 0}};
static const en_tensor_spec tensors[] = {EN_ENCODER_TENSORS};

static const en_step begin[] = {EN_ENCODER_EMBED, {EN_OP_ADD_POSITION, EN_S_H, EN_S_H, 0, POSITIONS, EN_NONE, 0}, EN_ENCODER_EMBED_NORM};
static const en_step steps[] = {
  EN_ENCODER_QKV, EN_ENCODER_ATTEND,
  {EN_OP_LINEAR, EN_S_G, EN_S_H, 0, EN_ENC_UP, EN_ENC_UPB, 0},
  {EN_OP_GELU_ERF, EN_S_G, EN_S_G, 0, EN_NONE, EN_NONE, 0},
  EN_ENCODER_DOWN,
};
const en_arch en_arch_bert = {.name = "bert", .configure = configure, EN_ENCODER_OUTER(globals, begin), EN_ENCODER_LAYER(tensors, steps)};

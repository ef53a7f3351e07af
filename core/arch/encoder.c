/* encoder.c - what the members of the BERT family share. */
#include "encoder.h"

static int32_t read_labels(en_config *c, const en_gguf *g, const char *arch, en_why *why) {
  char key[EN_KEY_BYTES];
  en_value labels;
  c->n_labels = 1;
  if (!en_gguf_get(g, en_arch_key(key, arch, "classifier.output_labels"), &labels)) return EN_OK;
  if (labels.type != EN_GGUF_ARR || !labels.n || labels.n > 1 << 16) return en_fail(why, EN_E_FORMAT, "%s is not a list of labels", key);
  c->n_labels = (int32_t)labels.n;
  return EN_OK;
}

int32_t en_encoder_config(en_config *c, const en_gguf *g, const char *arch, en_why *why) {
  uint32_t n_types = 2;
  int32_t causal;
  EN_TRY(en_config_common(c, g, arch, "attention.layer_norm_epsilon", why));
  EN_TRY(en_config_bool(&causal, g, arch, "attention.causal", 0, why));
  c->bidirectional = !causal;
  en_value given;
  if (en_gguf_get(g, "tokenizer.ggml.token_type_count", &given)) EN_TRY(en_gguf_u32(g, "tokenizer.ggml.token_type_count", &n_types, why));
  if (!n_types || n_types > 1 << 16) return en_fail(why, EN_E_FORMAT, "tokenizer.ggml.token_type_count is %u", n_types);
  c->n_types = (int32_t)n_types;
  return read_labels(c, g, arch, why);
}

const en_step en_encoder_end[1] = {{EN_OP_LINEAR, EN_S_LOGITS, EN_S_X, 0, EN_ENC_HEAD, EN_NONE, 0}};
/* Scores of a text by its first token: Wout tanh(W x + b) + bout. */
const en_step en_encoder_rank[3] = {
  {EN_OP_LINEAR, EN_S_H, EN_S_X, 0, EN_ENC_CLS, EN_ENC_CLSB, 0},
  {EN_OP_TANH, EN_S_H, EN_S_H, 0, EN_NONE, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_SCORES, EN_S_H, 0, EN_ENC_RANK, EN_ENC_RANKB, 0},
};

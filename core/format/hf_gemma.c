/* hf_gemma.c - Gemma 1 to 3 (text). Norms are stored less 1. */
#include "hf.h"

#define ALL_NORMS {"norm", "output_norm", EN_HF_PLUS_1}, {"layers.*.input_layernorm", "blk.*.attn_norm", EN_HF_PLUS_1}
static const en_hf_line gemma[] = {ALL_NORMS, {"layers.*.post_attention_layernorm", "blk.*.ffn_norm", EN_HF_PLUS_1}, {NULL, NULL, 0}};
static const en_hf_line later[] = {
  ALL_NORMS, {"layers.*.post_attention_layernorm", "blk.*.post_attention_norm", EN_HF_PLUS_1}, {"layers.*.pre_feedforward_layernorm", "blk.*.ffn_norm", EN_HF_PLUS_1},
  {"layers.*.post_feedforward_layernorm", "blk.*.post_ffw_norm", EN_HF_PLUS_1}, {"layers.*.self_attn.q_norm", "blk.*.attn_q_norm", EN_HF_PLUS_1}, {"layers.*.self_attn.k_norm", "blk.*.attn_k_norm", EN_HF_PLUS_1},
  {"vision_tower", NULL, EN_HF_SKIP}, {"multi_modal_projector", NULL, EN_HF_SKIP}, {NULL, NULL, 0}};
static const en_hf_key keys[] = {
  {"sliding_window", "attention.sliding_window", EN_HF_INT}, {"attn_logit_softcapping", "attn_logit_softcapping", EN_HF_FLOAT}, {"final_logit_softcapping", "final_logit_softcapping", EN_HF_FLOAT},
  {NULL, NULL, EN_HF_INT}};

/* GGUF has no key for the scale of the scores: it is 1 / sqrt(head size), or the width per head in the 27 B models. */
static int32_t check(const en_hf *h, en_why *why) {
  const double scalar = en_hf_number(h, "query_pre_attn_scalar", 0), head = en_hf_number(h, "head_dim", 256), layers = en_hf_number(h, "num_hidden_layers", 0);
  const double by_width = en_hf_number(h, "hidden_size", 0) / en_hf_number(h, "num_attention_heads", 1), wanted = layers == 46 || layers == 62 ? by_width : head;
  if (scalar > 0 && scalar != wanted) return en_fail(why, EN_E_UNSUPPORTED, "query_pre_attn_scalar %g is not supported, only %g", scalar, wanted);
  return EN_OK;
}

/* Every n-th layer sees everything: the place of the first one, counted from 1. */
static void put_pattern(const en_hf *h, en_gguf_writer *g) {
  const en_json types = en_hf_get(h, "layer_types");
  const char *cursor = NULL;
  en_json none, v;
  uint32_t n = en_hf_u32(en_hf_number(h, "sliding_window_pattern", 6)), i = 0;
  while (en_json_next(types, &cursor, &none, &v)) {
    i++;
    if (en_json_is(v, "full_attention")) break;
  }
  en_hf_put_key(h, g, "attention.sliding_window_pattern", EN_GGUF_U32);
  en_put32(&g->w, i ? i : n);
}

const en_hf_model en_hf_models_gemma[] = {
  {"gemma", "gemma", "gelu\0gelu_pytorch_tanh\0", gemma, NULL, NULL, NULL}, {"gemma2", "gemma2", "gelu_pytorch_tanh\0", later, keys, check, NULL},
  {"gemma3_text", "gemma3", "gelu_pytorch_tanh\0", later, keys, check, put_pattern}, {"gemma3", "gemma3", "gelu_pytorch_tanh\0", later, keys, check, put_pattern}, {NULL, NULL, NULL, NULL, NULL, NULL, NULL}};

/* hf_bert.c - BERT and the sentence encoders built like it (MiniLM, E5, BGE, GTE); RoBERTa and XLM-R, which count positions from behind the padding's id (multilingual E5 base and
 * large, BGE-M3's dense vectors and rerankers). */
#include "hf.h"

#define SHARED \
  {"embeddings.word_embeddings", "token_embd", 0}, {"embeddings.token_type_embeddings", "token_types", 0}, {"embeddings.LayerNorm", "token_embd_norm", 0}, \
  {"encoder.layer.*.attention.self.query", "blk.*.attn_q", 0}, {"encoder.layer.*.attention.self.key", "blk.*.attn_k", 0}, {"encoder.layer.*.attention.self.value", "blk.*.attn_v", 0}, \
  {"encoder.layer.*.attention.output.dense", "blk.*.attn_output", 0}, {"encoder.layer.*.attention.output.LayerNorm", "blk.*.attn_output_norm", 0}, {"encoder.layer.*.intermediate.dense", "blk.*.ffn_up", 0}, \
  {"encoder.layer.*.output.dense", "blk.*.ffn_down", 0}, {"encoder.layer.*.output.LayerNorm", "blk.*.layer_output_norm", 0}, \
  {"embeddings.position_ids", NULL, EN_HF_SKIP}
static const en_hf_line bert[] = {SHARED, {"embeddings.position_embeddings", "position_embd", 0}, {"pooler.dense", "cls", EN_HF_RANKER}, {"classifier", "cls.output", EN_HF_RANKER}, {"cls.", NULL, EN_HF_SKIP}, {NULL, NULL, 0}};
static const en_hf_line roberta[] = {
  SHARED, {"embeddings.position_embeddings", "position_embd", EN_HF_POSITIONS}, {"classifier.dense", "cls", EN_HF_RANKER}, {"classifier.out_proj", "cls.output", EN_HF_RANKER},
  {"pooler.dense", NULL, EN_HF_SKIP}, {"lm_head", NULL, EN_HF_SKIP}, {NULL, NULL, 0}};

static int32_t check(const en_hf *h, en_why *why) {
  const en_json kind = en_hf_get(h, "position_embedding_type");
  return en_json_kind_of(kind) == EN_JSON_STRING && !en_json_is(kind, "absolute") ? en_fail(why, EN_E_UNSUPPORTED, "%s with relative positions is not supported", h->model->type) : EN_OK;
}

/* GGUF's numbers: 1 mean, 2 first token, 3 last token, 4 a score by the classifier. */
static uint32_t pooling_of(const en_hf *h) {
  static const struct { const char *key; uint32_t pooling; } modes[] = {{"pooling_mode_cls_token", 2}, {"pooling_mode_lasttoken", 3}};
  const en_json pooling = en_hf_text_of(h, EN_HF_POOLING);
  if (en_hf_is_ranker(h)) return 4;
  for (int32_t i = 0; i < EN_COUNT(modes); i++)
    if (en_json_kind_of(en_json_get(pooling, modes[i].key)) == EN_JSON_TRUE) return modes[i].pooling;
  return 1;
}

static void extra(const en_hf *h, en_gguf_writer *g) {
  en_hf_put_key(h, g, "attention.causal", EN_GGUF_BOOL);
  en_put_fill(&g->w, 0, 1);
  en_hf_put_key(h, g, "pooling_type", EN_GGUF_U32);
  en_put32(&g->w, pooling_of(h));
  en_gguf_key_u32(g, "tokenizer.ggml.token_type_count", en_hf_u32(en_hf_number(h, "type_vocab_size", 2)));
}

const en_hf_model en_hf_models_bert[] = {
  {"bert", "bert", "gelu\0", bert, NULL, check, extra}, {"roberta", "bert", "gelu\0", roberta, NULL, check, extra}, {"xlm-roberta", "bert", "gelu\0", roberta, NULL, check, extra},
  {NULL, NULL, NULL, NULL, NULL, NULL, NULL}};

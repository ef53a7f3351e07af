/* hf_llama.c - Llama, Mistral, Mixtral and what is built like them. GGUF's llama rotates neighbouring pairs, so the rows of q and k change places. */
#include "hf.h"

static const en_hf_line lines[] = {
  {"layers.*.self_attn.q_proj", "blk.*.attn_q", EN_HF_Q_ROWS}, {"layers.*.self_attn.k_proj", "blk.*.attn_k", EN_HF_K_ROWS},
  {"layers.*.block_sparse_moe.gate", "blk.*.ffn_gate_inp", 0}, {"layers.*.block_sparse_moe.experts.#.w1", "blk.*.ffn_gate_exps", 0},
  {"layers.*.block_sparse_moe.experts.#.w2", "blk.*.ffn_down_exps", 0}, {"layers.*.block_sparse_moe.experts.#.w3", "blk.*.ffn_up_exps", 0}, {NULL, NULL, 0}};
static const en_hf_key keys[] = {{"num_local_experts", "expert_count", EN_HF_INT}, {"num_experts_per_tok", "expert_used_count", EN_HF_INT}, {NULL, NULL, EN_HF_INT}};
const en_hf_model en_hf_models_llama[] = {
  {"llama", "llama", "silu\0", lines, NULL, NULL, NULL}, {"mistral", "llama", "silu\0", lines, NULL, NULL, NULL}, {"mixtral", "llama", "silu\0", lines, keys, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL, NULL, NULL}};

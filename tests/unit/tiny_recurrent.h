/* tiny_recurrent.h - small random models of the architectures with a state instead of a cache. */
#ifndef EN_TINY_RECURRENT_H
#define EN_TINY_RECURRENT_H
#include "tiny_model.h"

/* A tensor of one layer, or of the model: matrices of the file's type, the rest in F32. */
typedef struct { const char *name; uint32_t cols, rows /* 0: a vector */; int small /* stays F32 */; float mean, spread; } tiny_tensor;
typedef struct { const char *key; uint32_t value; } tiny_key;
typedef struct { const char *arch, *eps; tiny_key keys[12]; tiny_tensor globals[6], layer[32]; } tiny_recurrent;

static const tiny_recurrent tiny_recurrents[] = {
  {"mamba", "attention.layer_norm_rms_epsilon", {{"ssm.conv_kernel", 4}, {"ssm.inner_size", 128}, {"ssm.state_size", 16}, {"ssm.time_step_rank", 16}},
    {{"output_norm.weight", 64, 0, 0, 1, 0.2f}},
    {{"attn_norm.weight", 64, 0, 0, 1, 0.2f}, {"ssm_in.weight", 64, 256, 0, 0, 0.2f}, {"ssm_conv1d.weight", 4, 128, 1, 0, 0.6f}, {"ssm_conv1d.bias", 128, 0, 0, 0, 0.3f},
      {"ssm_x.weight", 128, 48, 0, 0, 0.2f}, {"ssm_dt.weight", 16, 128, 1, 0, 0.3f}, {"ssm_dt.bias", 128, 0, 0, -1, 0.5f}, {"ssm_a", 16, 128, 1, -1, 0.9f},
      {"ssm_d", 128, 0, 0, 1, 0.2f}, {"ssm_out.weight", 128, 64, 0, 0, 0.2f}}},
  {"mamba2", "attention.layer_norm_rms_epsilon",
    {{"ssm.conv_kernel", 4}, {"ssm.inner_size", 128}, {"ssm.state_size", 16}, {"ssm.time_step_rank", 8 /* heads: fewer rows than a group has */}, {"ssm.group_count", 2}},
    {{"output_norm.weight", 64, 0, 0, 1, 0.2f}},
    {{"attn_norm.weight", 64, 0, 0, 1, 0.2f}, {"ssm_in.weight", 64, 328, 0, 0, 0.2f}, {"ssm_conv1d.weight", 4, 192, 1, 0, 0.6f}, {"ssm_conv1d.bias", 192, 0, 0, 0, 0.3f},
      {"ssm_dt.bias", 8, 0, 0, -1, 0.5f}, {"ssm_a", 1, 8, 1, -1, 0.9f}, {"ssm_d", 1, 8, 1, 1, 0.2f}, {"ssm_norm.weight", 64, 2, 1, 1, 0.2f}, {"ssm_out.weight", 128, 64, 0, 0, 0.2f}}},
  {"rwkv6", "attention.layer_norm_epsilon", {{"wkv.head_size", 16}, {"time_mix_extra_dim", 5}, {"time_decay_extra_dim", 7}, {"rescale_every_n_layers", 1}},
    {{"token_embd_norm.weight", 64, 0, 0, 1, 0.2f}, {"token_embd_norm.bias", 64, 0, 0, 0, 0.2f}, {"output_norm.weight", 64, 0, 0, 1, 0.2f}, {"output_norm.bias", 64, 0, 0, 0, 0.2f}},
    {{"attn_norm.weight", 64, 0, 0, 1, 0.2f}, {"attn_norm.bias", 64, 0, 0, 0, 0.2f}, {"attn_norm_2.weight", 64, 0, 0, 1, 0.2f}, {"attn_norm_2.bias", 64, 0, 0, 0, 0.2f},
      {"time_mix_lerp_x.weight", 64, 0, 0, 0.5f, 0.5f}, {"time_mix_lerp_fused.weight", 64, 5, 1, 0.5f, 0.5f}, {"time_mix_w1.weight", 64, 25, 1, 0, 0.2f}, {"time_mix_w2.weight", 5, 320, 1, 0, 0.3f},
      {"time_mix_decay.weight", 64, 0, 0, -2, 1}, {"time_mix_decay_w1.weight", 64, 7, 1, 0, 0.2f}, {"time_mix_decay_w2.weight", 7, 64, 1, 0, 0.3f}, {"time_mix_first.weight", 16, 4, 1, 0, 0.5f},
      {"time_mix_ln.weight", 64, 0, 0, 1, 0.2f}, {"time_mix_ln.bias", 64, 0, 0, 0, 0.2f},
      {"time_mix_receptance.weight", 64, 64, 0, 0, 0.2f}, {"time_mix_key.weight", 64, 64, 0, 0, 0.2f}, {"time_mix_value.weight", 64, 64, 0, 0, 0.2f}, {"time_mix_gate.weight", 64, 64, 0, 0, 0.2f},
      {"time_mix_output.weight", 64, 64, 0, 0, 0.2f}, {"channel_mix_lerp_k.weight", 64, 0, 0, 0.5f, 0.5f}, {"channel_mix_lerp_r.weight", 64, 0, 0, 0.5f, 0.5f},
      {"channel_mix_key.weight", 64, TINY_F, 0, 0, 0.2f}, {"channel_mix_value.weight", TINY_F, 64, 0, 0, 0.2f}, {"channel_mix_receptance.weight", 64, 64, 0, 0, 0.2f}}},
  {"rwkv7", "attention.layer_norm_epsilon", {{"wkv.head_size", 16}, {"attention.decay_lora_rank", 8}, {"attention.iclr_lora_rank", 6},
    {"attention.value_residual_mix_lora_rank", 4}, {"attention.gate_lora_rank", 10}},
    {{"token_embd_norm.weight", 64, 0, 0, 1, 0.2f}, {"token_embd_norm.bias", 64, 0, 0, 0, 0.2f}, {"output_norm.weight", 64, 0, 0, 1, 0.2f}, {"output_norm.bias", 64, 0, 0, 0, 0.2f}},
    {{"attn_norm.weight", 64, 0, 0, 1, 0.2f}, {"attn_norm.bias", 64, 0, 0, 0, 0.2f}, {"attn_norm_2.weight", 64, 0, 0, 1, 0.2f}, {"attn_norm_2.bias", 64, 0, 0, 0, 0.2f},
      {"time_mix_lerp_fused.weight", 64, 6, 1, 0.5f, 0.5f}, {"time_mix_w0.weight", 64, 0, 0, 0, 1}, {"time_mix_w1.weight", 64, 8, 1, 0, 0.2f}, {"time_mix_w2.weight", 8, 64, 1, 0, 0.3f},
      {"time_mix_a0.weight", 64, 0, 0, 0, 1}, {"time_mix_a1.weight", 64, 6, 1, 0, 0.2f}, {"time_mix_a2.weight", 6, 64, 1, 0, 0.3f},
      {"time_mix_v0.weight", 64, 0, 0, 0, 1}, {"time_mix_v1.weight", 64, 4, 1, 0, 0.2f}, {"time_mix_v2.weight", 4, 64, 1, 0, 0.3f},
      {"time_mix_g1.weight", 64, 10, 1, 0, 0.2f}, {"time_mix_g2.weight", 10, 64, 1, 0, 0.5f}, {"time_mix_k_k.weight", 64, 0, 0, 1, 0.3f}, {"time_mix_k_a.weight", 64, 0, 0, 1, 0.3f},
      {"time_mix_r_k.weight", 64, 0, 0, 0, 0.3f}, {"time_mix_ln.weight", 64, 0, 0, 1, 0.2f}, {"time_mix_ln.bias", 64, 0, 0, 0, 0.2f},
      {"time_mix_receptance.weight", 64, 64, 0, 0, 0.2f}, {"time_mix_key.weight", 64, 64, 0, 0, 0.2f}, {"time_mix_value.weight", 64, 64, 0, 0, 0.2f}, {"time_mix_output.weight", 64, 64, 0, 0, 0.2f},
      {"channel_mix_lerp_k.weight", 64, 0, 0, 0.5f, 0.5f}, {"channel_mix_key.weight", 64, TINY_F, 0, 0, 0.2f}, {"channel_mix_value.weight", TINY_F, 64, 0, 0, 0.2f}}},
};

static inline void tiny_add(tensors_t *w, const tiny_tensor *t, const char *name, const en_type *type) {
  add_tensor(w, name, t->rows && !t->small ? type : en_type_by_id(EN_F32), t->rows ? 2 : 1, t->cols, t->rows ? t->rows : 1, t->mean, t->spread);
}

/* The caller frees .p. */
static inline bytes_t tiny_recurrent_gguf(const tiny_recurrent *m, const en_type *type) {
  bytes_t kv = {0};
  tensors_t w = {.seed = 300};
  char name[96];
  uint64_t n_kv = 0;
  const tiny_key common[] = {{"block_count", TINY_L}, {"embedding_length", TINY_D}, {"context_length", 256}, {"vocab_size", TINY_V}, {"feed_forward_length", TINY_F}};
  kv_str(&kv, "general.architecture", m->arch), n_kv++;
  for (int i = 0; i < EN_COUNT(common) + EN_COUNT(m->keys); i++) {
    const tiny_key *k = i < EN_COUNT(common) ? &common[i] : &m->keys[i - EN_COUNT(common)];
    if (!k->key) continue;
    snprintf(name, sizeof name, "%s.%s", m->arch, k->key);
    kv_u32(&kv, name, k->value), n_kv++;
  }
  snprintf(name, sizeof name, "%s.%s", m->arch, m->eps);
  kv_f32(&kv, name, 1e-5f), n_kv++;
  add_tensor(&w, "token_embd.weight", type, 2, TINY_D, TINY_V, 0, 1);
  add_tensor(&w, "output.weight", type, 2, TINY_D, TINY_V, 0, 0.3f);
  for (int i = 0; i < EN_COUNT(m->globals); i++)
    if (m->globals[i].name) tiny_add(&w, &m->globals[i], m->globals[i].name, type);
  for (int l = 0; l < TINY_L; l++)
    for (int i = 0; i < EN_COUNT(m->layer); i++) {
      if (!m->layer[i].name) continue;
      snprintf(name, sizeof name, "blk.%d.%s", l, m->layer[i].name);
      tiny_add(&w, &m->layer[i], name, type);
    }
  return gguf_close(&kv, n_kv, &w);
}
#endif

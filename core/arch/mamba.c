/* mamba.c - Mamba (Gu, Dao 2023): no attention; every channel carries N numbers from token to token.
 * x += Wout (scan(u) * silu(z)) with [u, z] = Win norm x, u = silu(convolution of u); time steps softplus(Wdt p + b), B and C from [p, B, C] = Wx u.
 * Files hold A = -exp(A_log). */
#include "mamba.h"

int32_t en_mamba_config(en_config *c, const en_gguf *g, const char *arch, en_why *why) {
  en_ssm *s = &c->ssm;
  EN_TRY(en_config_recurrent(c, g, arch, "attention.layer_norm_rms_epsilon", why));
  EN_TRY(en_config_int(&s->conv, g, arch, "ssm.conv_kernel", -1, 2, EN_MAX_CONV, why));
  EN_TRY(en_config_int(&s->I, g, arch, "ssm.inner_size", -1, 1, 1 << 18, why));
  EN_TRY(en_config_int(&s->N, g, arch, "ssm.state_size", -1, 1, EN_MAX_STATE, why));
  EN_TRY(en_config_int(&s->R, g, arch, "ssm.time_step_rank", -1, 1, s->I, why));
  EN_TRY(en_config_int(&s->G, g, arch, "ssm.group_count", 0, 0, s->I, why));
  s->heads = s->I;
  return EN_OK;
}

/* The last conv - 1 inputs of every convolved channel, then N numbers of every channel. */
int32_t en_mamba_state(en_config *c, en_why *why) {
  const int64_t n = en_dim_size(c, EN_DIM_CONV) * (c->ssm.conv - 1) + en_dim_size(c, EN_DIM_IN);
  if (n > 1 << 28) return en_fail(why, EN_E_FORMAT, "a state of %z numbers is out of range", (uint64_t)n);
  c->n_state = (int32_t)n;
  return EN_OK;
}

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  int32_t normed;
  EN_TRY(en_mamba_config(c, g, "mamba", why));
  EN_TRY(en_config_bool(&normed, g, "mamba", "ssm.dt_b_c_rms", 0, why));
  if (normed || c->ssm.G) return en_fail(why, EN_E_UNSUPPORTED, "mamba with norms of time steps (Falcon) or with groups is not supported");
  return en_mamba_state(c, why);
}

enum { NORM, IN_U, IN_Z, CONV, CONV_BIAS, X, DT, DT_BIAS, A, D, OUT };
static const en_tensor_spec tensors[] = {
  [NORM] = {"blk.*.attn_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [IN_U] = {"blk.*.ssm_in_u.weight", EN_DIM_I, EN_DIM_D, 0, "blk.*.ssm_in.weight", EN_DIM_0, EN_DIM_2I},
  [IN_Z] = {"blk.*.ssm_in_z.weight", EN_DIM_I, EN_DIM_D, 0, "blk.*.ssm_in.weight", EN_DIM_I, EN_DIM_2I},
  [CONV] = {"blk.*.ssm_conv1d.weight", EN_DIM_1, EN_DIM_CONVK, EN_T_VECTOR, NULL, 0, 0},
  [CONV_BIAS] = {"blk.*.ssm_conv1d.bias", EN_DIM_1, EN_DIM_CONV, EN_T_BIAS, NULL, 0, 0},
  [X] = {"blk.*.ssm_x.weight", EN_DIM_R2N, EN_DIM_I, 0, NULL, 0, 0},
  [DT] = {"blk.*.ssm_dt.weight", EN_DIM_I, EN_DIM_R, EN_T_PLAIN, NULL, 0, 0},
  [DT_BIAS] = {"blk.*.ssm_dt.bias", EN_DIM_1, EN_DIM_I, EN_T_BIAS, NULL, 0, 0},
  [A] = {"blk.*.ssm_a", EN_DIM_1, EN_DIM_IN, EN_T_VECTOR, NULL, 0, 0},
  [D] = {"blk.*.ssm_d", EN_DIM_1, EN_DIM_I, EN_T_VECTOR, NULL, 0, 0},
  [OUT] = {"blk.*.ssm_out.weight", EN_DIM_D, EN_DIM_I, 0, NULL, 0, 0},
};
static const en_step steps[] = {
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, NORM, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_CX, EN_S_H, 0, IN_U, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_Z, EN_S_H, 0, IN_Z, EN_NONE, 0},
  {EN_OP_CONV, EN_S_C, EN_S_CX, 0, CONV, CONV_BIAS, 0},
  {EN_OP_LINEAR, EN_S_P, EN_S_C, 0, X, EN_NONE, 0},
  {EN_OP_DOTS, EN_S_DT, EN_S_P, EN_ACT_NONE, DT, DT_BIAS, 0},
  {EN_OP_SCAN, EN_S_Y, EN_S_C, EN_S_DT, A, EN_NONE, 0},
  {EN_OP_SILU_MUL, EN_S_Z, EN_S_Z, EN_S_Y, EN_NONE, EN_NONE, 0},
  EN_DECODER_RESIDUAL(EN_S_Z, OUT, EN_NONE),
};
static const char *const lora[7] = {NULL, NULL, NULL, "ssm_out", "ssm_in_u", "ssm_in_z", NULL};
const en_arch en_arch_mamba = {.name = "mamba", .configure = configure, .lora = lora, EN_MAMBA_OUTER, EN_DECODER_LAYER(tensors, steps)};

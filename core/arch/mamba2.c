/* mamba2.c - Mamba 2 (Dao, Gu 2024): one time step and one A for a head of channels, B and C shared by groups of heads and convolved with the channels:
 * [z, u, B, C, dt] = Win norm x; x += Wout norm(scan(u) * silu(z)), the norm by groups. */
#include "mamba.h"

static int32_t configure(en_config *c, const en_gguf *g, en_why *why) {
  EN_TRY(en_mamba_config(c, g, "mamba2", why));
  en_ssm *s = &c->ssm;
  s->heads = s->R; /* the key's other meaning */
  s->R = 0;
  if (!s->G || s->I % s->heads || s->heads % s->G) return en_fail(why, EN_E_FORMAT, "mamba2: %d channels, %d heads and %d groups do not fit", s->I, s->heads, s->G);
  return en_mamba_state(c, why);
}

enum { NORM, IN_Z, IN_U, IN_DT, CONV, CONV_BIAS, DT_BIAS, A, D, GROUP_NORM, OUT };
static const en_tensor_spec tensors[] = {
  [NORM] = {"blk.*.attn_norm.weight", EN_DIM_1, EN_DIM_D, EN_T_VECTOR, NULL, 0, 0},
  [IN_Z] = {"blk.*.ssm_in_z.weight", EN_DIM_I, EN_DIM_D, 0, "blk.*.ssm_in.weight", EN_DIM_0, EN_DIM_ALL_IN},
  [IN_U] = {"blk.*.ssm_in_u.weight", EN_DIM_CONV, EN_DIM_D, 0, "blk.*.ssm_in.weight", EN_DIM_I, EN_DIM_ALL_IN},
  [IN_DT] = {"blk.*.ssm_in_dt.weight", EN_DIM_DT, EN_DIM_D, 0, "blk.*.ssm_in.weight", EN_DIM_I_CONV, EN_DIM_ALL_IN},
  [CONV] = {"blk.*.ssm_conv1d.weight", EN_DIM_1, EN_DIM_CONVK, EN_T_VECTOR, NULL, 0, 0},
  [CONV_BIAS] = {"blk.*.ssm_conv1d.bias", EN_DIM_1, EN_DIM_CONV, EN_T_BIAS, NULL, 0, 0},
  [DT_BIAS] = {"blk.*.ssm_dt.bias", EN_DIM_1, EN_DIM_DT, EN_T_VECTOR, NULL, 0, 0},
  [A] = {"blk.*.ssm_a", EN_DIM_1, EN_DIM_DT, EN_T_VECTOR, NULL, 0, 0},
  [D] = {"blk.*.ssm_d", EN_DIM_1, EN_DIM_DT, EN_T_VECTOR, NULL, 0, 0},
  [GROUP_NORM] = {"blk.*.ssm_norm.weight", EN_DIM_1, EN_DIM_I, EN_T_VECTOR, NULL, 0, 0},
  [OUT] = {"blk.*.ssm_out.weight", EN_DIM_D, EN_DIM_I, 0, NULL, 0, 0},
};
static const en_step steps[] = {
  {EN_OP_RMS_NORM, EN_S_H, EN_S_X, 0, NORM, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_Z, EN_S_H, 0, IN_Z, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_CX, EN_S_H, 0, IN_U, EN_NONE, 0},
  {EN_OP_LINEAR, EN_S_DT, EN_S_H, 0, IN_DT, EN_NONE, 0},
  {EN_OP_CONV, EN_S_C, EN_S_CX, 0, CONV, CONV_BIAS, 0},
  {EN_OP_SCAN, EN_S_Y, EN_S_C, EN_S_DT, A, DT_BIAS, 0},
  {EN_OP_SILU_MUL, EN_S_Z, EN_S_Z, EN_S_Y, EN_NONE, EN_NONE, 0},
  {EN_OP_GROUP_RMS, EN_S_Z, EN_S_Z, 0, GROUP_NORM, EN_NONE, 0},
  EN_DECODER_RESIDUAL(EN_S_Z, OUT, EN_NONE),
};
static const char *const lora[7] = {NULL, NULL, NULL, "ssm_out", "ssm_in_z", "ssm_in_u", "ssm_in_dt"};
const en_arch en_arch_mamba2 = {.name = "mamba2", .configure = configure, .lora = lora, EN_MAMBA_OUTER, EN_DECODER_LAYER(tensors, steps)};

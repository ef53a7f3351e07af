/* layers.c - names, sizes and the dispatch of steps. */
#include "layers_internal.h"

int64_t en_dim_size(const en_config *c, en_dim d) {
  if (d >= EN_DIM_2MIX && d <= EN_DIM_5MIX) return (int64_t)(d - EN_DIM_2MIX + 2) * c->wkv.mix;
  if (d >= EN_DIM_2D && d <= EN_DIM_6D) return (int64_t)(d - EN_DIM_2D + 2) * c->D;
  switch (d) {
    case EN_DIM_0: return 0;
    case EN_DIM_1: return 1;
    case EN_DIM_D: return c->D;
    case EN_DIM_E: return c->E;
    case EN_DIM_HE: return (int64_t)c->H * c->E;
    case EN_DIM_KE: return (int64_t)c->K * c->E;
    case EN_DIM_F: return c->F;
    case EN_DIM_V: return c->V;
    case EN_DIM_HALF_ROT: return c->rot / 2;
    case EN_DIM_QK: return ((int64_t)c->H + c->K) * c->E;
    case EN_DIM_QKV: return ((int64_t)c->H + 2 * (int64_t)c->K) * c->E;
    case EN_DIM_2F: return 2 * (int64_t)c->F;
    case EN_DIM_CTX: return c->n_ctx_train;
    case EN_DIM_TYPES: return c->n_types;
    case EN_DIM_LABELS: return c->n_labels;
    case EN_DIM_X: return c->n_experts;
    case EN_DIM_XF: return (int64_t)c->n_experts * c->F;
    case EN_DIM_XD: return (int64_t)c->n_experts * c->D;
    case EN_DIM_UF: return EN_MAX((int64_t)c->n_used, 1) * c->F;
    case EN_DIM_UD: return (int64_t)c->n_used * c->D;
    case EN_DIM_I: return c->ssm.I;
    case EN_DIM_IN: return (int64_t)c->ssm.I * c->ssm.N;
    case EN_DIM_2I: return 2 * (int64_t)c->ssm.I;
    case EN_DIM_CONV: return c->ssm.I + 2 * (int64_t)c->ssm.G * c->ssm.N;
    case EN_DIM_CONVK: return en_dim_size(c, EN_DIM_CONV) * c->ssm.conv;
    case EN_DIM_DT: return c->ssm.heads;
    case EN_DIM_R: return c->ssm.R;
    case EN_DIM_R2N: return c->ssm.R ? c->ssm.R + 2 * (int64_t)c->ssm.N : 0;
    case EN_DIM_I_CONV: return c->ssm.I + en_dim_size(c, EN_DIM_CONV);
    case EN_DIM_ALL_IN: return c->ssm.I + en_dim_size(c, EN_DIM_CONV) + c->ssm.heads;
    case EN_DIM_DECAY: return c->wkv.decay;
    case EN_DIM_RATE: return c->wkv.rate;
    case EN_DIM_MIX: return c->wkv.mix;
    case EN_DIM_GATE: return c->wkv.gate;
    case EN_DIM_LOW: return EN_MAX(EN_MAX(c->wkv.decay, c->wkv.rate), EN_MAX(c->wkv.mix, c->wkv.gate));
    default: break;
  }
  return 0;
}

en_dim en_slot_dim(en_slot s) {
  static const en_dim dims[EN_S_COUNT] = {
#define SLOT(name, dim) EN_DIM_##dim,
    EN_SLOTS(SLOT)
#undef SLOT
  };
  return dims[s];
}

const char *en_op_name(en_op op) {
  static const char *const names[EN_OP_COUNT] = {
#define EN_OP(NAME, function, reads) #function,
#include "ops.def"
#undef EN_OP
  };
  return (uint32_t)op < EN_OP_COUNT ? names[op] : "?";
}

static const uint8_t traits[EN_OP_COUNT] = {
#define EN_OP(NAME, function, reads) reads,
#include "ops.def"
#undef EN_OP
};

int32_t en_step_costly(const en_step *step) { return (traits[step->op] & EN_COSTLY) != 0; }

int32_t en_step_reads(const en_step *step, int32_t slot) {
  const int32_t r = traits[step->op];
  return (r & EN_READS_IN && step->in == slot) || (r & EN_READS_IN2 && step->in2 == slot) || (r & EN_READS_KV && (slot == EN_S_K || slot == EN_S_V)) ||
         (r & EN_READS_P && slot == EN_S_P) ||
         (step->add && step->out == slot);
}

int32_t en_steps_touch(const en_step *steps, int32_t n_steps, int32_t slot) {
  for (int32_t i = 0; i < n_steps; i++)
    if (steps[i].out == slot || en_step_reads(&steps[i], slot)) return 1;
  return 0;
}

int32_t en_step_forward(const en_run *r, const en_step *step, int32_t n_steps) {
  static const en_forward forwards[EN_OP_COUNT] = {
#define EN_OP(NAME, function, reads) en_##function##_forward,
#include "ops.def"
#undef EN_OP
  };
  return forwards[step->op](r, step, n_steps);
}

void en_step_backward(const en_back *b, const en_step *step) {
  static void (*const backwards[EN_OP_COUNT])(const en_back *, const en_step *) = {
#define EN_OP(NAME, function, reads) en_##function##_backward,
#include "ops.def"
#undef EN_OP
  };
  backwards[step->op](b, step);
}

size_t en_back_floats(const en_config *c, int32_t n_tokens, int32_t n_lanes) {
  if (!c->n_state) return (size_t)n_lanes * en_attend_back_floats(c, n_tokens);
  return c->ssm.N ? en_scan_back_floats(c, n_tokens, n_lanes) : en_wkv_back_floats(c, n_tokens, n_lanes);
}

void en_step_cost(const en_run *r, const en_step *step, double *macs, double *bytes) {
  *macs = *bytes = 0;
  if (step->op == EN_OP_LINEAR || step->op == EN_OP_DOTS || step->op == EN_OP_EXPERTS) {
    const en_weight *w = &r->w[step->w];
    if (!w->type) return; /* this layer has no such matrix */
    const double experts = step->op == EN_OP_EXPERTS ? r->c->n_experts : 1, pairs = r->T * (step->op == EN_OP_EXPERTS ? r->c->n_used : 1);
    *macs = (double)w->rows / experts * w->cols * pairs;
    *bytes = (double)w->rows / experts * EN_MIN(experts, pairs) * (double)en_row_bytes(w);
  } else if (step->op == EN_OP_ATTEND) {
    double seen = 0;
    for (int32_t t = 0; t < r->T; t++) seen += r->hi[t] - r->lo[t];
    *macs = 2 * seen * r->c->H * r->c->E;
    *bytes = 2 * seen * r->c->K * (double)en_kv_row_bytes(r->kv_type, r->c->E);
  }
}

void en_rows_parallel(const en_run *r, void (*job)(const void *, int32_t, int32_t, int32_t), const void *ctx) {
  /* Below a few rows the wake-up of other lanes costs more than the work. */
  if (r->T < 4) job(ctx, 0, r->T, 0);
  else en_parallel(r->host, job, ctx, r->T, 1);
}

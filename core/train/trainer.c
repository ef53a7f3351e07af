/* trainer.c - the memory of a trainer. What it does with it: micro.c, adamw.c. */
#include "loss.h"

/* ---- memory ---- */

static const en_loss *loss_of(uint32_t i) {
  static const en_loss *const losses[] = {
#define EN_LOSS(ID, name) &en_loss_##name,
#include "../losses.def"
#undef EN_LOSS
  };
  return i < (uint32_t)EN_COUNT(losses) ? losses[i] : NULL;
}

/* Fills in what was left at 0. */
static int32_t settle(en_train_spec *s, en_why *why) {
  if (s->beta1 == 0 && s->beta2 == 0 && s->eps == 0) {
    s->beta1 = 0.9f;
    s->beta2 = 0.999f;
    s->eps = 1e-8f;
  }
  if (s->lr_ratio_b == 0) s->lr_ratio_b = 1;
  const struct { const char *what; double value; int32_t good; } checks[] = {
    {"the greatest number of tokens of a micro-batch", s->n_tokens, s->n_tokens >= 2 && s->n_tokens <= 1 << 16},
    {"keep", s->keep, s->keep <= EN_KEEP_PRODUCTS},
    {"beta1", (double)s->beta1, s->beta1 >= 0 && s->beta1 < 1},
    {"beta2", (double)s->beta2, s->beta2 >= 0 && s->beta2 < 1},
    {"eps", (double)s->eps, s->eps > 0},
    {"weight_decay", (double)s->weight_decay, s->weight_decay >= 0},
    {"clip_norm", (double)s->clip_norm, s->clip_norm >= 0},
    {"optimizer", s->optimizer, s->optimizer <= EN_SGD},
    {"momentum", (double)s->momentum, s->momentum >= 0 && s->momentum < 1},
    {"freeze_a", s->freeze_a, s->freeze_a <= 1},
    {"lr_ratio_b", (double)s->lr_ratio_b, s->lr_ratio_b >= 0 && s->lr_ratio_b < 1e6f},
    {"dropout", (double)s->dropout, s->dropout >= 0 && s->dropout < 1},
  };
  for (int32_t i = 0; i < EN_COUNT(checks); i++)
    if (!checks[i].good) return en_fail(why, EN_E_ARG, "%s is %g, which is out of range", checks[i].what, checks[i].value);
  return EN_OK;
}

static size_t slot_bytes(const en_trainer *at, int32_t slot) { return (size_t)en_dim_size(&at->m->c, en_slot_dim((en_slot)slot)) * sizeof(float); }

/* Gradients of the layers' slots but X, and everything that the loss works in: the first begin where the second has ended, so they share memory. */
static size_t carve_gradients(en_trainer *at, void *mem) {
  en_piece pieces[EN_S_COUNT];
  int32_t n = 0;
  for (int32_t s = 0; s < EN_S_LOGITS; s++)
    if (s != EN_S_X) pieces[n++] = (en_piece){(void **)&at->d[s], at->spec.n_tokens, slot_bytes(at, s)};
  return en_carve(pieces, n, mem);
}

static size_t carve_head(en_trainer *at, void *mem) {
  const en_model *m = at->m;
  const uint64_t head_rows = (uint64_t)at->head_rows;
  const int32_t caps = en_arch_head(m->arch) < m->arch->n_end - 1; /* logits change after the output matrix: their gradient needs a place of its own */
  en_piece pieces[2 * EN_S_COUNT] = {
    {(void **)&at->head[EN_S_LOGITS], head_rows, slot_bytes(at, EN_S_LOGITS)},
    {(void **)&at->dhead[EN_S_LOGITS], caps ? head_rows : 0, slot_bytes(at, EN_S_LOGITS)},
  };
  int32_t n = 2;
  for (int32_t s = 0; s < EN_S_LOGITS; s++) {
    if (!en_steps_touch(m->arch->end, m->arch->n_end, s)) continue;
    pieces[n++] = (en_piece){(void **)&at->head[s], at->spec.n_tokens, slot_bytes(at, s)};
    pieces[n++] = (en_piece){(void **)&at->dhead[s], at->spec.n_tokens, slot_bytes(at, s)};
  }
  const size_t need = en_carve(pieces, n, mem);
  if (!caps) at->dhead[EN_S_LOGITS] = at->head[EN_S_LOGITS];
  return need;
}

static size_t carve(en_trainer *at, void **self, void *mem) {
  const en_model *m = at->m;
  const uint64_t T = at->spec.n_tokens, layers = (uint64_t)EN_MAX(m->c.L - at->first, 1), n_lora = at->a ? (uint64_t)m->c.L * (uint64_t)m->arch->n_layer : 0;
  int64_t widest_in = 1;
  en_piece pieces[40 /* zeros end the list; there is room for those behind it */] = {
    {self, 1, sizeof(en_trainer)},
    {(void **)&at->lo, T, sizeof(int32_t)}, {(void **)&at->hi, T, sizeof(int32_t)}, {(void **)&at->pos, T, sizeof(uint32_t)}, {(void **)&at->place, T, sizeof(uint32_t)},
    {(void **)&at->goal_row, T, sizeof(int32_t)}, {(void **)&at->goal, T, sizeof(int32_t)}, {(void **)&at->goal_weight, T, sizeof(float)},
    {(void **)&at->lo_window, m->c.window ? T : 0, sizeof(int32_t)},
    {(void **)&at->cs, (uint64_t)m->c.n_rope * T * (uint64_t)m->c.rot, sizeof(float)},
    {(void **)&at->tiles, T, sizeof(en_tile)},
    {(void **)&at->inputs, (uint64_t)(m->c.L - at->first + 1) * T, (uint64_t)m->c.D * sizeof(float)},
    {(void **)&at->kept, layers, en_tape_floats(at, 1) * sizeof(float)},
    {(void **)&at->live, en_tape_floats(at, 0), sizeof(float)},
    {(void **)&at->outlives, en_arch_uses(m->arch, EN_S_FIRST) ? T : 0, (uint64_t)m->c.D * sizeof(float)},
    {(void **)&at->lse, (at->spec.keep == EN_KEEP_INPUTS ? 1 : layers) * T, (uint64_t)m->c.H * sizeof(float)},
    {(void **)&at->kv, 2 * T, (uint64_t)en_dim_size(&m->c, EN_DIM_KE) * sizeof(float)},
    {(void **)&at->attend, en_back_floats(&m->c, (int32_t)T, en_lanes(&at->host)), sizeof(float)},
    {(void **)&at->state, (uint64_t)en_lanes(&at->host), (uint64_t)m->c.n_state * sizeof(float)},
    {(void **)&at->next, T, sizeof(int32_t)}, {(void **)&at->chains, T, sizeof(en_chain)},
    {(void **)&at->d[EN_S_X], T, (uint64_t)m->c.D * sizeof(float)},
    {(void **)&at->scaled, at->a && at->a->is_dora ? T : 0, (uint64_t)m->c.D * sizeof(float)}, /* LINEAR steps add to X, or H: as wide */
    {(void **)&at->du, T, EN_LORA_MAX_RANK * sizeof(float)},
    {(void **)&at->run.lora_u, T, EN_LORA_MAX_RANK * sizeof(float)},
    {(void **)&at->run.dora, at->a && at->a->is_dora ? en_dora_floats(&m->c) : 0, sizeof(float)},
    {(void **)&at->dlora, n_lora, sizeof(en_lora)},
    {(void **)&at->grad, at->n_params, sizeof(float)},
    {(void **)&at->moment1, at->n_params, sizeof(float)},
    {(void **)&at->moment2, at->n_params, sizeof(float)},
    {(void **)&at->backup, at->n_params, sizeof(float)},
    {(void **)&at->loss_mem, at->loss->floats ? at->loss->floats(m, &at->spec) : 0, sizeof(float)},
  };
  int32_t n = 0;
  while (pieces[n].p) n++;
  for (int32_t s = 0; s < EN_S_LOGITS; s++) widest_in = EN_MAX(widest_in, en_dim_size(&m->c, en_slot_dim((en_slot)s)));
  pieces[n++] = (en_piece){(void **)&at->dropped, at->spec.dropout > 0 ? T : 0, (uint64_t)widest_in * sizeof(float)};
  pieces[n++] = (en_piece){&at->run.scratch, EN_MAX(en_matmul_scratch(&m->k, (int32_t)widest_in, (int32_t)T, en_lanes(&at->host)), (size_t)widest_in * 2 * sizeof(float)), 1};
  void *shared = NULL;
  const size_t apart[] = {carve_gradients(at, NULL), carve_head(at, NULL)};
  pieces[n++] = (en_piece){&shared, apart[0] && apart[1] ? EN_MAX(apart[0], apart[1]) : UINT64_MAX, 1};
  const size_t need = en_carve(pieces, n, mem);
  if (shared) carve_gradients(at, shared), carve_head(at, shared);
  return need;
}

/* Rows of logits that take a few megabytes, or, where memory is spent on speed, some more: every piece opens the output matrix anew. */
static int32_t head_rows(const en_model *m, const en_loss *loss, const en_train_spec *spec) {
  const int64_t fit = (spec->keep == EN_KEEP_INPUTS ? 4 << 20 : 40 << 20) / ((int64_t)m->c.V * (int64_t)sizeof(float));
  const uint32_t n_tokens = spec->n_tokens;
  return !loss->pooled ? (int32_t)EN_MIN(EN_MIN(EN_MAX(fit, 16), EN_HEAD_ROWS), n_tokens) : 0;
}

static int32_t plan_adapter(en_trainer *at, const en_adapter *a, en_why *why) {
  at->a = (en_adapter *)(uintptr_t)a;
  at->params = a->params;
  at->n_params = a->n_params;
  at->first = a->first_layer;
  return a->n_params ? EN_OK : en_fail(why, EN_E_ARG, "the adapter has nothing to train");
}

static int32_t plan_model(en_trainer *at, const en_train_spec *s, en_why *why) {
  const en_model *m = at->m;
  at->params = (float *)(void *)(m->image + (size_t)m->g.data_offset);
  at->n_params = (m->info.file_bytes - m->g.data_offset) / sizeof(float);
  if (s->dropout > 0 || s->freeze_a || s->lr_ratio_b > 0) return en_fail(why, EN_E_ARG, "dropout, freeze_a and lr_ratio_b are for adapters, not for the weights themselves");
  for (uint64_t i = 0; i < m->g.n_tensors; i++) {
    const en_gguf_tensor *t = &m->g.tensors[i];
    if (t->type != EN_F32) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S is not F32: only then can the weights themselves be trained", (size_t)t->name_bytes, (const char *)t->name);
    if (t->n_elems > INT32_MAX) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S is too large to be trained", (size_t)t->name_bytes, (const char *)t->name);
  }
  if (m->c.n_state) return en_fail(why, EN_E_UNSUPPORTED, "all weights of %s models cannot be trained yet", m->arch->name);
  for (int32_t i = 0; i < m->arch->n_begin; i++) /* their backward runs without a tape */
    if (m->arch->begin[i].op != EN_OP_EMBED && m->arch->begin[i].op != EN_OP_SCALE_EMBED) return en_fail(why, EN_E_UNSUPPORTED, "all weights of %s models cannot be trained yet", m->arch->name);
  return EN_OK;
}

/* a NULL: all weights of m. */
static int32_t plan(en_trainer *at, const en_adapter *a, const en_model *m, const en_train_spec *spec, const en_host *host, en_why *why) {
  *at = (en_trainer){.m = m, .spec = *spec, .loss = loss_of(spec->loss)};
  if (host) at->host = *host;
  if (!at->loss) return en_fail(why, EN_E_ARG, "loss %u is not known to this build", spec->loss);
  EN_TRY(a ? plan_adapter(at, a, why) : plan_model(at, spec, why));
  EN_TRY(settle(&at->spec, why));
  for (int64_t i = 0; i < (int64_t)m->c.L * m->arch->n_layer; i++) at->narrow |= en_weight_given(&m->layers[i]) && en_narrows(&m->layers[i]);
  at->head_rows = head_rows(m, at->loss, spec);
  return at->loss->fits(m, &at->spec, why);
}

size_t en_trainer_bytes(const en_adapter *a, const en_train_spec *spec, const en_host *host) {
  en_trainer at;
  void *self;
  return plan(&at, a, a->m, spec, host, NULL) == EN_OK ? carve(&at, &self, NULL) : 0;
}

size_t en_trainer_model_bytes(const en_model *m, const en_train_spec *spec, const en_host *host) {
  en_trainer at;
  void *self;
  return plan(&at, NULL, m, spec, host, NULL) == EN_OK ? carve(&at, &self, NULL) : 0;
}

static void link_run(en_trainer *t) {
  en_run *r = &t->run;
  r->k = &t->m->k;
  r->host = &t->host;
  r->c = &t->m->c;
  r->cell = t->pos;
  r->pos = t->place;
  r->tiles = t->tiles;
  r->chains = t->chains;
  r->next = t->next;
  r->state = t->state;
  r->hi = t->hi;
  r->n_ctx = (int32_t)t->spec.n_tokens;
  r->lora_scale[0] = 1;
  r->lora_drop = t->spec.dropout;
}

static int32_t init(en_trainer **out, void *mem, size_t mem_bytes, en_adapter *a, const en_model *m, const en_train_spec *spec, const en_host *host, en_why *why) {
  en_trainer at;
  void *self;
  if (!m->sealed) return en_fail(why, EN_E_STATE, "the model is not loaded completely");
  EN_TRY(plan(&at, a, m, spec, host, why));
  const size_t need = carve(&at, &self, NULL);
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "training needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for a trainer must be aligned to %d bytes", EN_ALIGN);
  carve(&at, &self, mem);
  const size_t bytes = (size_t)at.n_params * sizeof(float);
  memset(at.grad, 0, bytes);
  memset(at.moment1, 0, bytes);
  memset(at.moment2, 0, bytes);
  if (a) en_adapter_table(at.dlora, a, at.grad);
  for (int32_t i = 0; spec->freeze_a && i < m->c.L * m->arch->n_layer; i++) at.dlora[i].a = NULL;
  en_trainer *t = self;
  *t = at;
  link_run(t);
  *out = t;
  return EN_OK;
}

int32_t en_trainer_init(en_trainer **out, void *mem, size_t mem_bytes, en_adapter *a, const en_train_spec *spec, const en_host *host, en_why *why) {
  return init(out, mem, mem_bytes, a, a->m, spec, host, why);
}

int32_t en_trainer_init_model(en_trainer **out, void *mem, size_t mem_bytes, en_model *m, const en_train_spec *spec, const en_host *host, en_why *why) {
  return init(out, mem, mem_bytes, NULL, m, spec, host, why);
}

en_back en_trainer_back(const en_trainer *t, const float *out, float *const *d) {
  return (en_back){.r = &t->run, .d = d, .out = out, .du = t->du, .scaled = t->scaled, .attend = t->attend, .narrow = t->narrow, .need_in = 1, .weights = t->a ? NULL : t->params, .dweights = t->grad};
}

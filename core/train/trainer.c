/* trainer.c - LoRA training: micro-batches in, AdamW steps out. Layers below the lowest trained one only run forward; from there up every layer's
 * values are kept, or its input is, and the rest is computed again on the way back (Chen et al. 2016). */
#include "loss.h"

/* ---- memory ---- */

static size_t tape_floats(const en_model *m, uint32_t n_tokens) {
  uint64_t n = 0;
  for (int32_t i = 0; i < m->arch->n_each; i++) n += (uint64_t)en_dim_size(&m->c, en_slot_dim((en_slot)m->arch->each[i].out));
  return en_mul_u64(n, n_tokens, &n) && n <= SIZE_MAX / 8 ? (size_t)n : 0;
}

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
    {"keep", s->keep, s->keep <= EN_KEEP_ALL},
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

static size_t carve(en_trainer *at, void **self, void *mem) {
  const en_model *m = at->m;
  const uint64_t T = at->spec.n_tokens, kept = (uint64_t)at->n_kept, n_layer = (uint64_t)m->c.L * (uint64_t)m->arch->n_layer;
  int64_t widest_in = 1, widest = m->c.V; /* en_matmul_t's input is as wide as the logits; its panels are not */
  enum { FIXED = 26 };
  const uint64_t head_rows = m->info.has_logits ? EN_HEAD_ROWS : 0;
  const int32_t caps = en_arch_head(m->arch) < m->arch->n_end - 1; /* logits change after the output matrix: their gradient needs a place of its own */
  en_piece pieces[FIXED + 3 * EN_S_COUNT] = {
    {self, 1, sizeof(en_trainer)},
    {(void **)&at->lo, T, sizeof(int32_t)}, {(void **)&at->hi, T, sizeof(int32_t)}, {(void **)&at->pos, T, sizeof(uint32_t)},
    {(void **)&at->goal_row, T, sizeof(int32_t)}, {(void **)&at->goal, T, sizeof(int32_t)}, {(void **)&at->goal_weight, T, sizeof(float)},
    {(void **)&at->lo_window, m->c.window ? T : 0, sizeof(int32_t)},
    {(void **)&at->cs, (uint64_t)m->c.n_rope * T * (uint64_t)m->c.rot, sizeof(float)},
    {(void **)&at->tiles, T, sizeof(en_tile)},
    {(void **)&at->inputs, (uint64_t)(m->c.L - at->first + 1) * T, (uint64_t)m->c.D * sizeof(float)},
    {(void **)&at->tape, kept * tape_floats(m, at->spec.n_tokens), sizeof(float)},
    {(void **)&at->lse, kept * T, (uint64_t)m->c.H * sizeof(float)},
    {(void **)&at->kv, 2 * T, (uint64_t)en_dim_size(&m->c, EN_DIM_KE) * sizeof(float)},
    {(void **)&at->du, T, EN_LORA_MAX_RANK * sizeof(float)},
    {(void **)&at->run.lora_u, T, EN_LORA_MAX_RANK * sizeof(float)},
    {(void **)&at->dlora, n_layer, sizeof(en_lora)},
    {(void **)&at->grad, at->a->n_params, sizeof(float)},
    {(void **)&at->moment1, at->a->n_params, sizeof(float)},
    {(void **)&at->moment2, at->a->n_params, sizeof(float)},
    {(void **)&at->backup, at->a->n_params, sizeof(float)},
    {(void **)&at->head[EN_S_LOGITS], head_rows, (uint64_t)m->c.V * sizeof(float)},
    {(void **)&at->dhead[EN_S_LOGITS], caps ? head_rows : 0, (uint64_t)m->c.V * sizeof(float)},
    {(void **)&at->loss_mem, at->loss->floats ? at->loss->floats(m, &at->spec) : 0, sizeof(float)},
  };
  int32_t n = 24;
  for (int32_t s = 0; s < EN_S_LOGITS; s++) {
    const uint64_t bytes = (uint64_t)en_dim_size(&m->c, en_slot_dim((en_slot)s)) * sizeof(float);
    widest_in = EN_MAX(widest_in, en_dim_size(&m->c, en_slot_dim((en_slot)s)));
    pieces[n++] = (en_piece){(void **)&at->d[s], T, bytes};
    if (!en_steps_touch(m->arch->end, m->arch->n_end, s)) continue;
    pieces[n++] = (en_piece){(void **)&at->head[s], T, bytes};
    pieces[n++] = (en_piece){(void **)&at->dhead[s], T, bytes};
  }
  pieces[n++] = (en_piece){(void **)&at->dropped, at->spec.dropout > 0 ? T : 0, (uint64_t)widest_in * sizeof(float)};
  widest = EN_MAX(widest, widest_in);
  const size_t scratch = EN_MAX(en_matmul_scratch(&m->k, (int32_t)widest, (int32_t)T, en_lanes(&at->host)), (size_t)widest * 8);
  pieces[n++] = (en_piece){&at->run.scratch, scratch, 1};
  const size_t need = tape_floats(m, at->spec.n_tokens) ? en_carve(pieces, n, mem) : 0;
  if (!caps) at->dhead[EN_S_LOGITS] = at->head[EN_S_LOGITS];
  return need;
}

static int32_t plan(en_trainer *at, const en_adapter *a, const en_train_spec *spec, const en_host *host, en_why *why) {
  *at = (en_trainer){.a = (en_adapter *)(uintptr_t)a, .m = a->m, .spec = *spec, .loss = loss_of(spec->loss), .first = a->first_layer};
  if (host) at->host = *host;
  at->n_kept = spec->keep == EN_KEEP_ALL ? EN_MAX(a->m->c.L - a->first_layer, 1) : 1;
  if (!at->loss) return en_fail(why, EN_E_ARG, "loss %u is not known to this build", spec->loss);
  if (!a->n_params) return en_fail(why, EN_E_ARG, "the adapter has nothing to train");
  EN_TRY(settle(&at->spec, why));
  return at->loss->fits(at->m, &at->spec, why);
}

size_t en_trainer_bytes(const en_adapter *a, const en_train_spec *spec, const en_host *host) {
  en_trainer at;
  void *self;
  return plan(&at, a, spec, host, NULL) == EN_OK ? carve(&at, &self, NULL) : 0;
}

int32_t en_trainer_init(en_trainer **out, void *mem, size_t mem_bytes, en_adapter *a, const en_train_spec *spec, const en_host *host, en_why *why) {
  en_trainer at;
  void *self;
  EN_TRY(plan(&at, a, spec, host, why));
  const size_t need = carve(&at, &self, NULL);
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "training needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for a trainer must be aligned to %d bytes", EN_ALIGN);
  carve(&at, &self, mem);
  const size_t bytes = (size_t)a->n_params * sizeof(float);
  memset(at.grad, 0, bytes);
  memset(at.moment1, 0, bytes);
  memset(at.moment2, 0, bytes);
  en_adapter_table(at.dlora, a, at.grad);
  for (int32_t i = 0; spec->freeze_a && i < a->m->c.L * a->m->arch->n_layer; i++) at.dlora[i].a = NULL;
  en_trainer *t = self;
  *t = at;
  en_run *r = &t->run;
  r->k = &t->m->k;
  r->host = &t->host;
  r->c = &t->m->c;
  r->cell = t->pos;
  r->tiles = t->tiles;
  r->hi = t->hi;
  r->n_ctx = (int32_t)t->spec.n_tokens;
  r->lora_scale[0] = 1;
  r->lora_drop = t->spec.dropout;
  *out = t;
  return EN_OK;
}

/* ---- one micro-batch ---- */

static int32_t check_batch(const en_trainer *t, const en_train_batch *b, en_why *why) {
  if (!b->n || !b->ids || b->n > t->spec.n_tokens) return en_fail(why, EN_E_ARG, "a micro-batch of %u tokens: 1 to %u are possible", b->n, t->spec.n_tokens);
  for (uint32_t i = 0; i < b->n; i++) {
    if (b->ids[i] < 0 || b->ids[i] >= t->m->c.V) return en_fail(why, EN_E_ARG, "token %d is outside the vocabulary of %d", b->ids[i], t->m->c.V);
    if (b->weight && !(b->weight[i] >= 0 && b->weight[i] < 1e6f)) return en_fail(why, EN_E_ARG, "the weight of token %u is not a number from 0 on", i);
  }
  return t->loss->check ? t->loss->check(t, b, why) : EN_OK;
}

/* Rows, positions and tiles of the batch, and what the loss aims at. Returns the weight of the batch. */
static double lay_out(en_trainer *t, const en_train_batch *b) {
  const int32_t n = (int32_t)b->n, rot = t->m->c.rot;
  int32_t start = 0, n_tiles = 0;
  for (int32_t i = 0; i < n; i++) {
    if (i && b->segment && b->segment[i] != b->segment[i - 1]) start = i;
    t->lo[i] = start;
    t->hi[i] = i + 1;
    t->pos[i] = (uint32_t)i;
    if (t->m->c.window) t->lo_window[i] = EN_MAX(start, i + 1 - t->m->c.window);
    for (int32_t table = 0; table < t->m->c.n_rope; table++)
      en_rope_angles(t->cs + ((size_t)table * t->spec.n_tokens + (size_t)i) * (size_t)rot, en_model_freq(t->m, table), rot, t->m->c.rope[table].mscale, i - start);
    if (i % EN_ATTEND_TILE == 0) t->tiles[n_tiles++] = (en_tile){i, EN_MIN(EN_ATTEND_TILE, n - i), 0};
  }
  t->run.T = n;
  t->run.ids = b->ids;
  t->run.n_tiles = n_tiles;
  t->batch = b;
  return t->loss->aim(t, b);
}

static float *input_of(en_trainer *t, int32_t l) { return t->inputs + (size_t)(EN_MAX(l, t->first) - t->first) * (size_t)t->spec.n_tokens * (size_t)t->m->c.D; }
static float *tape_of(en_trainer *t, int32_t l) {
  return t->tape + (size_t)(t->n_kept > 1 ? EN_MAX(l, t->first) - t->first : 0) * tape_floats(t->m, t->spec.n_tokens);
}
static float *lse_of(en_trainer *t, int32_t l) {
  return t->lse + (size_t)(t->n_kept > 1 ? EN_MAX(l, t->first) - t->first : 0) * (size_t)t->spec.n_tokens * (size_t)t->m->c.H;
}

static int32_t stopped(const en_trainer *t) { return t->host.stop && *(const volatile int32_t *)t->host.stop; }

/* Embedding and all layers; X after the last one lies in input_of(L). */
static int32_t forward(en_trainer *t) {
  const en_model *m = t->m;
  const size_t x_bytes = (size_t)t->run.T * (size_t)m->c.D * sizeof(float);
  memset(t->run.slot, 0, sizeof t->run.slot);
  t->run.slot[EN_S_X] = input_of(t, 0);
  t->run.w = m->globals;
  t->run.n_lora = 0;
  for (int32_t i = 0; i < m->arch->n_begin; i++) en_step_forward(&t->run, &m->arch->begin[i], 1);
  for (int32_t l = 0; l < m->c.L; l++) {
    if (stopped(t)) return EN_E_STOPPED;
    en_tape_forward(t, l, input_of(t, l), tape_of(t, l), lse_of(t, l));
    memcpy(input_of(t, l + 1), en_tape_result(t, input_of(t, l), tape_of(t, l)), x_bytes);
  }
  return EN_OK;
}

static int32_t backward(en_trainer *t) {
  for (int32_t l = t->m->c.L - 1; l >= t->first; l--) {
    if (stopped(t)) return EN_E_STOPPED;
    if (t->n_kept == 1 && l + 1 < t->m->c.L) en_tape_forward(t, l, input_of(t, l), tape_of(t, l), lse_of(t, l)); /* the last layer's tape is still there */
    en_tape_backward(t, l, input_of(t, l), tape_of(t, l), lse_of(t, l));
  }
  return EN_OK;
}

int32_t en_train_evaluate(en_trainer *t, const en_train_batch *b, en_train_loss *out, en_why *why) {
  EN_TRY(check_batch(t, b, why));
  const double weight = lay_out(t, b);
  t->dropping = 0;
  const int32_t status = forward(t);
  if (status != EN_OK) return en_fail(why, status, "stopped by the host");
  *out = (en_train_loss){t->loss->run(t, input_of(t, t->m->c.L), 0), weight};
  return EN_OK;
}

int32_t en_train_accumulate(en_trainer *t, const en_train_batch *b, en_train_loss *out, en_why *why) {
  EN_TRY(check_batch(t, b, why));
  const double weight = lay_out(t, b);
  const size_t bytes = (size_t)t->a->n_params * sizeof(float);
  memcpy(t->backup, t->grad, bytes);
  t->dropping = t->spec.dropout > 0;
  int32_t status = forward(t);
  double loss = 0;
  if (status == EN_OK) {
    for (int32_t s = 0; s < EN_S_LOGITS; s++) memset(t->d[s], 0, (size_t)t->run.T * (size_t)en_dim_size(&t->m->c, en_slot_dim((en_slot)s)) * sizeof(float));
    loss = t->loss->run(t, input_of(t, t->m->c.L), 1);
    status = backward(t);
  }
  if (status != EN_OK) {
    memcpy(t->grad, t->backup, bytes);
    return en_fail(why, status, "stopped by the host");
  }
  t->pending_weight += weight;
  t->n_micro++;
  *out = (en_train_loss){loss, weight};
  return EN_OK;
}

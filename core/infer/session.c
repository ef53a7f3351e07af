/* session.c - sequences, their KV caches, and the runner of layer programs.
 * A batch is worked on in slices of at most n_batch tokens; a slice runs begin steps, every layer's steps and, for the rows that
 * asked for logits, the end steps. Sequence lengths change only when the whole batch is done: a stop, an error or en_eval_drop leaves
 * every sequence as it was (what the slices wrote lies beyond the lengths). */
#include "session.h"

/* Sequences have states instead of keys and values. */
static int32_t has_states(const en_session *s) { return s->m->c.n_state && !s->spec.pooling; }

/* ---- memory ---- */

static int32_t settle_spec(en_session_spec *s, const en_model *m) {
  if (s->pooling) return en_embed_settle(s, m);
  if (!s->n_ctx) s->n_ctx = EN_MIN(m->info.n_ctx_train, 4096);
  if (!s->n_batch) s->n_batch = 64;
  if (!s->n_seq) s->n_seq = 1;
  if (!s->n_logits) s->n_logits = 1;
  s->n_batch = EN_MIN(s->n_batch, s->n_ctx * (uint64_t)s->n_seq > UINT32_MAX ? UINT32_MAX : s->n_ctx * s->n_seq);
  return s->n_ctx <= 1 << 24 && s->n_batch <= 1 << 16 && s->n_seq <= 4096 && s->n_logits <= 1 << 20 && s->kv_type < EN_KV_TYPES;
}

/* Positions of a sequence that the cache has room for, and layers. Embeddings need one layer's, for the rows of a slice. */
static uint32_t n_cells(const en_session_spec *s) { return s->pooling ? s->n_batch : s->n_ctx; }
static uint64_t kv_layers(const en_model *m, const en_session_spec *s) { return s->pooling ? 1 : (uint64_t)m->c.L; }

static uint64_t kv_layer_bytes(const en_model *m, const en_session_spec *s) { /* keys of one layer; 0 on overflow */
  uint64_t n = en_kv_row_bytes(s->kv_type, m->c.E);
  return en_mul_u64(n, (uint64_t)m->c.K, &n) && en_mul_u64(n, n_cells(s), &n) && en_mul_u64(n, s->n_seq, &n) ? n : 0;
}

static size_t carve(en_session *at, void **self, const en_model *m, const en_session_spec *s, void *mem) {
  const int32_t lanes = en_lanes(&at->host);
  int64_t widest = 1;
  for (int32_t i = 0; i < EN_S_LOGITS; i++) widest = EN_MAX(widest, en_dim_size(&m->c, en_slot_dim((en_slot)i)));
  size_t scratch = en_matmul_scratch(&m->k, (int32_t)widest, (int32_t)s->n_batch, lanes);
  scratch = EN_MAX(scratch, (size_t)widest * 8); /* one row of any weight type, packed and decoded */
  const uint64_t kv = kv_layer_bytes(m, s);
  if (!kv && !m->c.n_state) return 0;
  const uint64_t chained = m->c.n_state ? s->n_batch : 0, kept = s->pooling || !m->c.n_state ? 0 : s->n_seq;
  enum { FIXED = 23 };
  en_piece pieces[FIXED + EN_S_LOGITS] = {
    {self, 1, sizeof(en_session)},
    {(void **)&at->length, s->n_seq, sizeof(uint32_t)},
    {(void **)&at->pending, s->n_seq, sizeof(uint32_t)},
    {(void **)&at->ids, s->n_batch, sizeof(int32_t)},
    {(void **)&at->lo, s->n_batch, sizeof(int32_t)},
    {(void **)&at->hi, s->n_batch, sizeof(int32_t)},
    {(void **)&at->want, s->n_batch, sizeof(int32_t)},
    {(void **)&at->pos, s->n_batch, sizeof(uint32_t)},
    {(void **)&at->cell, s->pooling ? s->n_batch : 0, sizeof(uint32_t)},
    {(void **)&at->text_end, s->pooling ? s->n_batch : 0, sizeof(int32_t)},
    {(void **)&at->lo_window, m->c.window ? s->n_batch : 0, sizeof(int32_t)},
    {(void **)&at->cs, (uint64_t)m->c.n_rope * s->n_batch * (uint64_t)m->c.rot, sizeof(float)},
    {(void **)&at->tiles, s->n_batch, sizeof(en_tile)},
    {(void **)&at->logits, s->n_logits, en_embed_width(s, m) * sizeof(float)},
    {(void **)&at->kv, kv_layers(m, s) * 2, kv},
    {(void **)&at->chains, chained, sizeof(en_chain)},
    {(void **)&at->next, chained, sizeof(int32_t)},
    {(void **)&at->state_at, kept, 1},
    {(void **)&at->state_now, kept, 1},
    {(void **)&at->state, s->pooling ? (uint64_t)lanes : (uint64_t)m->c.L * 2 * kept, (uint64_t)m->c.n_state * sizeof(float)},
    {&at->run.scratch, scratch, 1},
    {(void **)&at->run.lora_u, s->n_batch, EN_LORA_MAX_RANK * sizeof(float)},
    {(void **)&at->run.dora, en_dora_floats(&m->c), sizeof(float)},
  };
  for (int32_t i = 0; i < EN_S_LOGITS; i++)
    pieces[FIXED + i] = (en_piece){(void **)&at->run.slot[i], en_arch_uses(m->arch, i) ? s->n_batch : 0, (uint64_t)en_dim_size(&m->c, en_slot_dim((en_slot)i)) * sizeof(float)};
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

size_t en_session_bytes(const en_model *m, const en_session_spec *spec, const en_host *host) {
  en_session_spec s = *spec;
  en_session at = {0};
  void *self;
  if (host) at.host = *host;
  return settle_spec(&s, m) ? carve(&at, &self, m, &s, NULL) : 0;
}

size_t en_session_kv_bytes(const en_model *m, const en_session_spec *spec) {
  en_session_spec s = *spec;
  uint64_t bytes;
  size_t out;
  if (!settle_spec(&s, m)) return 0;
  const uint64_t layer = m->c.n_state ? (uint64_t)s.n_seq * (uint64_t)m->c.n_state * sizeof(float) : kv_layer_bytes(m, &s);
  if (!en_mul_u64(layer, kv_layers(m, &s) * 2, &bytes) || !en_fit_size(bytes, &out)) return 0;
  return out;
}

int32_t en_session_init(en_session **out, void *mem, size_t mem_bytes, const en_model *m, const en_session_spec *spec, const en_host *host, en_why *why) {
  if (!m->sealed) return en_fail(why, EN_E_STATE, "the model is not loaded completely");
  en_session at = {.m = m, .spec = *spec};
  void *self;
  if (host) at.host = *host;
  if (!settle_spec(&at.spec, m)) return en_fail(why, EN_E_ARG, "a session of %u sequences of %u positions, batches of %u and %u rows of logits is out of range", spec->n_seq, spec->n_ctx, spec->n_batch, spec->n_logits);
  EN_TRY(en_embed_usable(&at.spec, m, why));
  const size_t need = carve(&at, &self, m, &at.spec, NULL);
  if (!need) return en_fail(why, EN_E_NOMEM, "a session of %u sequences of %u positions does not fit into the address space", at.spec.n_seq, at.spec.n_ctx);
  if (!mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the session needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for a session must be aligned to %d bytes", EN_ALIGN);
  carve(&at, &self, m, &at.spec, mem);
  memset(at.length, 0, at.spec.n_seq * sizeof *at.length);
  if (has_states(&at)) memset(at.state_at, 0, at.spec.n_seq);
  at.layer_kv_bytes = kv_layer_bytes(m, &at.spec);
  for (int32_t l = 0; l < m->c.L; l++) at.ropes |= 1 << en_arch_kind(m->arch, &m->c, l, (int32_t)at.spec.n_ctx).rope;
  en_session *s = self;
  *s = at;
  s->run.k = &m->k;
  s->run.host = &s->host;
  s->run.c = &m->c;
  s->run.ids = s->ids;
  s->run.pos = s->pos;
  s->run.cell = s->spec.pooling ? s->cell : s->pos;
  s->run.tiles = s->tiles;
  s->run.hi = s->hi;
  s->run.chains = s->chains;
  s->run.next = s->next;
  s->run.state_now = s->spec.pooling ? NULL : s->state_now;
  s->run.kv_type = s->spec.kv_type;
  s->run.n_ctx = (int32_t)n_cells(&s->spec);
  *out = s;
  return EN_OK;
}

/* ---- a batch, slice by slice ---- */

static uint32_t seq_of(const en_batch *b, uint32_t i) { return b->seq ? b->seq[i] : 0; }
static int32_t wanted(const en_batch *b, uint32_t i) { return b->want ? b->want[i] != 0 : i + 1 == b->n; }

static int32_t check_batch(en_session *s, const en_batch *b, en_why *why) {
  uint64_t rows = 0;
  memcpy(s->pending, s->length, s->spec.n_seq * sizeof *s->length);
  for (uint32_t i = 0; i < b->n; i++) {
    if (b->ids[i] < 0 || b->ids[i] >= s->m->c.V) return en_fail(why, EN_E_ARG, "token %d is outside the vocabulary of %d", b->ids[i], s->m->c.V);
    if (seq_of(b, i) >= s->spec.n_seq) return en_fail(why, EN_E_ARG, "sequence %u does not exist: the session has %u", seq_of(b, i), s->spec.n_seq);
    if (s->pending[seq_of(b, i)]++ >= s->spec.n_ctx) return en_fail(why, EN_E_FULL, "the context of %u tokens is full", s->spec.n_ctx);
    rows += (uint64_t)wanted(b, i);
  }
  if (rows > s->spec.n_logits) return en_fail(why, EN_E_FULL, "%z rows of logits were asked for, the session keeps %u", rows, s->spec.n_logits);
  memcpy(s->pending, s->length, s->spec.n_seq * sizeof *s->length);
  return EN_OK;
}

/* A batch leaves a sequence's state where it is and works on the other one, so that nothing has changed until all of it is done. */
static void begin_states(en_session *s) {
  for (uint32_t i = 0; has_states(s) && i < s->spec.n_seq; i++)
    s->state_now[i] = (uint8_t)((s->state_at[i] ? EN_STATE_FROM : EN_STATE_TO) | (s->length[i] ? 0 : EN_STATE_NEW));
}

/* The slice is done: the next one goes on from where it left the states of its sequences. */
static void pass_states(en_session *s) {
  for (int32_t i = 0; has_states(s) && i < s->run.n_chains; i++) {
    uint8_t *now = &s->state_now[s->chains[i].seq];
    *now = *now & EN_STATE_TO ? EN_STATE_TO | EN_STATE_FROM : 0;
  }
}

/* The batch is done. Sequences that were not in it would go on from the state that they are at. */
static void settle_states(en_session *s) {
  for (uint32_t i = 0; has_states(s) && i < s->spec.n_seq; i++) s->state_at[i] = s->state_now[i] & EN_STATE_FROM ? 1 : 0;
}

int32_t en_eval_begin(en_session *s, const en_batch *b, en_why *why) {
  s->job.active = 0;
  if (!b->n || !b->ids) return en_fail(why, EN_E_ARG, "the batch is empty");
  EN_TRY(s->spec.pooling ? en_embed_check(s, b, why) : check_batch(s, b, why));
  begin_states(s);
  s->job = (progress_t){.batch = *b, .active = 1, .part = PART_BEGIN, .step = -1};
  s->n_rows = 0;
  return EN_OK;
}

static float *angles_of(en_session *s, int32_t table) { return s->cs + (size_t)table * s->spec.n_batch * (size_t)s->m->c.rot; }

/* `before`: row t - 1 is done, on this lane. */
static void fill_rope(en_session *s, int32_t table, int32_t t, int32_t before) {
  const int32_t rot = s->m->c.rot;
  float *cs = angles_of(s, table) + (size_t)t * (size_t)rot;
  if (before && s->pos[t] == s->pos[t - 1]) memcpy(cs, cs - rot, (size_t)rot * sizeof *cs); /* one token of several sequences at the same position */
  else en_rope_angles(cs, en_model_freq(s->m, table), rot, s->m->c.rope[table].mscale, s->pos[t]);
}

static void rope_rows(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  (void)lane;
  en_session *s = *(en_session *const *)ctx;
  for (int32_t table = 0; table < s->m->c.n_rope; table++)
    for (int32_t t = lo; s->ropes >> table & 1 && t < hi; t++) fill_rope(s, table, t, t > lo);
}

void en_session_chain(en_session *s, int32_t t, uint32_t seq) {
  int32_t i = 0;
  if (!s->m->c.n_state) return;
  while (i < s->run.n_chains && s->chains[i].seq != seq) i++;
  if (i == s->run.n_chains) s->chains[s->run.n_chains++] = (en_chain){t, t, seq};
  else s->next[s->chains[i].last] = t;
  s->chains[i].last = t;
  s->next[t] = -1;
}

/* The next tokens of the batch, which continue their sequences. */
static void lay_out(en_session *s) {
  const en_batch *b = &s->job.batch;
  s->job.T = EN_MIN(b->n - s->job.at, s->spec.n_batch);
  s->job.n_want = 0;
  for (int32_t t = 0; t < (int32_t)s->job.T; t++) {
    const uint32_t i = s->job.at + (uint32_t)t, seq = seq_of(b, i);
    s->pos[t] = s->pending[seq]++;
    s->lo[t] = 0;
    s->hi[t] = (int32_t)s->pos[t] + 1;
    if (s->m->c.window) s->lo_window[t] = EN_MAX(0, s->hi[t] - s->m->c.window);
    if (wanted(b, i)) s->want[s->job.n_want++] = t;
    en_session_chain(s, t, seq);
    en_tile *last = s->run.n_tiles ? &s->tiles[s->run.n_tiles - 1] : NULL;
    if (last && last->seq == seq && last->n < EN_ATTEND_TILE) last->n++;
    else s->tiles[s->run.n_tiles++] = (en_tile){t, 1, seq};
  }
}

static void start_slice(en_session *s) {
  s->run.n_tiles = s->run.n_chains = 0;
  if (s->spec.pooling) en_embed_slice(s);
  else lay_out(s);
  const int32_t T = (int32_t)s->job.T;
  memcpy(s->ids, s->job.batch.ids + s->job.at, s->job.T * sizeof *s->ids);
  s->run.T = T;
  en_session *const self = s;
  en_parallel(T < 8 ? NULL : &s->host, rope_rows, &self, T, 8);
}

/* Keep only the rows that the end program works on, at the front of X. */
static void gather_wanted(en_session *s) {
  const size_t D = (size_t)s->m->c.D;
  for (int32_t i = 0; i < s->job.n_want; i++)
    if (s->want[i] != i) memcpy(s->run.slot[EN_S_X] + (size_t)i * D, s->run.slot[EN_S_X] + (size_t)s->want[i] * D, D * sizeof(float));
  s->run.T = s->job.n_want;
  if (!s->spec.pooling) s->run.slot[EN_S_LOGITS] = s->logits + (size_t)s->job.done_rows * (size_t)s->m->c.V;
}

/* Steps of the part in work, and its weights. */
static const en_step *program(en_session *s, int32_t *n) {
  const en_arch *arch = s->m->arch;
  progress_t *j = &s->job;
  s->run.w = s->m->globals;
  s->run.n_lora = 0;
  if (j->part == PART_BEGIN) { *n = arch->n_begin; return arch->begin; }
  if (j->part == PART_END && s->spec.pooling) return en_embed_program(s, n);
  if (j->part == PART_END) { *n = arch->n_end; return arch->end; }
  const en_layer_kind kind = en_arch_kind(arch, &s->m->c, j->layer, (int32_t)s->spec.n_ctx);
  s->run.cs = angles_of(s, kind.rope);
  s->run.lo = kind.window ? s->lo_window : s->lo;
  s->run.w = en_model_layer(s->m, j->layer);
  s->run.layer = j->layer;
  s->run.kv_k = s->kv + (size_t)(s->layer_kv_bytes * 2 * (s->spec.pooling ? 0 : (uint64_t)j->layer));
  s->run.kv_v = s->run.kv_k + (size_t)s->layer_kv_bytes;
  s->run.state = s->state + (has_states(s) ? (size_t)j->layer * s->spec.n_seq * 2 * (size_t)s->m->c.n_state : 0);
  for (; s->run.n_lora < EN_LORA_MAX_STACK && s->adapters[s->run.n_lora]; s->run.n_lora++)
    s->run.lora[s->run.n_lora] = en_adapter_layer(s->adapters[s->run.n_lora], j->layer);
  *n = arch->n_each;
  return arch->each;
}

/* The part is finished: move on. 1 when the batch is done. */
static int32_t next_part(en_session *s) {
  progress_t *j = &s->job;
  j->step = 0;
  if (j->part == PART_BEGIN) {
    j->part = PART_LAYERS;
    j->layer = 0;
    return 0;
  }
  if (j->part == PART_LAYERS && ++j->layer < s->m->c.L) return 0;
  if (j->part == PART_LAYERS && j->n_want) {
    j->part = PART_END;
    gather_wanted(s);
    return 0;
  }
  pass_states(s);
  j->done_rows += s->spec.pooling ? en_embed_pool(s) : (uint32_t)j->n_want;
  j->at += j->T;
  j->part = PART_BEGIN;
  j->step = -1;
  return j->at >= j->batch.n;
}

static int32_t do_step(en_session *s, const en_step *step, int32_t n) {
  if (!s->host.now_ms) return en_step_forward(&s->run, step, n);
  const double start = s->host.now_ms(s->host.ud);
  const int32_t done = en_step_forward(&s->run, step, n);
  cost_t *c = &s->cost[step->op];
  c->ms += s->host.now_ms(s->host.ud) - start;
  c->calls++;
  for (int32_t i = 0; i < done; i++) {
    double macs, bytes;
    en_step_cost(&s->run, step + i, &macs, &bytes);
    c->macs += macs;
    c->bytes += bytes;
  }
  return done;
}

int32_t en_eval_run(en_session *s, uint32_t n_steps, en_why *why) {
  progress_t *j = &s->job;
  if (!j->active) return en_fail(why, EN_E_STATE, "no batch is in work");
  for (uint32_t done = 0; done < n_steps; done++) {
    if (s->host.stop && *(const volatile int32_t *)s->host.stop) {
      j->active = 0;
      return en_fail(why, EN_E_STOPPED, "stopped by the host");
    }
    if (j->step < 0) {
      start_slice(s);
      j->step = 0;
    }
    int32_t n;
    const en_step *steps = program(s, &n);
    if (j->step < n) j->step += do_step(s, steps + j->step, n - j->step);
    if (j->step >= n && next_part(s)) {
      j->active = 0;
      if (!s->spec.pooling) memcpy(s->length, s->pending, s->spec.n_seq * sizeof *s->length);
      settle_states(s);
      s->n_rows = j->done_rows;
      return EN_OK;
    }
  }
  return EN_E_MORE;
}

int32_t en_eval(en_session *s, const en_batch *b, en_why *why) {
  EN_TRY(en_eval_begin(s, b, why));
  int32_t status;
  do status = en_eval_run(s, UINT32_MAX, why);
  while (status == EN_E_MORE);
  return status;
}

void en_eval_drop(en_session *s) { s->job.active = 0; }

/* ---- results and sequences ---- */

uint32_t en_logits_rows(const en_session *s) { return s->spec.pooling ? 0 : s->n_rows; }
float *en_logits(en_session *s, uint32_t row) { return !s->spec.pooling && row < s->n_rows ? s->logits + (size_t)row * (size_t)s->m->c.V : NULL; }
uint32_t en_seq_length(const en_session *s, uint32_t seq) { return seq < s->spec.n_seq ? s->length[seq] : 0; }
uint32_t en_session_n_ctx(const en_session *s) { return s->spec.n_ctx; }

int32_t en_seq_keep(en_session *s, uint32_t seq, uint32_t n) {
  if (seq >= s->spec.n_seq || n > s->length[seq]) return EN_E_ARG;
  if (has_states(s) && n && n < s->length[seq]) return EN_E_UNSUPPORTED;
  s->length[seq] = n;
  return EN_OK;
}

int32_t en_profile(const en_session *s, en_profile_row *rows, int32_t cap) {
  int32_t n = 0;
  for (int32_t i = 0; i < EN_OP_COUNT; i++) {
    const cost_t *c = &s->cost[i];
    if (!c->calls) continue;
    if (n < cap) rows[n] = (en_profile_row){en_op_name((en_op)i), c->ms, c->macs, c->bytes, c->calls};
    n++;
  }
  return n;
}

void en_profile_reset(en_session *s) { memset(s->cost, 0, sizeof s->cost); }

/* adapter.c - LoRA factors beside a model: make, load, save. File format: llama.cpp's adapter GGUF (docs/formats.md); PEFT's: adapter_peft.c. */
#include "adapter.h"
#include "../format/gguf_write.h"
#include <math.h>

/* GGUF names of the targets, in the order of the EN_LORA_* bits. */
static const char *const target_names[EN_LORA_TARGETS] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};

static const char *target_name(const en_arch *arch, int32_t target) { return arch->lora && arch->lora[target] ? arch->lora[target] : target_names[target]; }

/* "blk.*.<target><suffix>" */
static void pattern_of(char *out, size_t cap, const en_arch *arch, int32_t target, const char *suffix) {
  const char *const parts[] = {"blk.*.", target_name(arch, target), suffix};
  size_t n = 0;
  for (int i = 0; i < 3; i++)
    for (const char *p = parts[i]; *p && n + 1 < cap; p++) out[n++] = *p;
  out[n] = 0;
}

int32_t en_lora_tensor(const en_arch *arch, int32_t i) {
  char name[64];
  pattern_of(name, sizeof name, arch, i, ".weight");
  for (int32_t t = 0; t < arch->n_layer; t++)
    if (!strcmp(arch->layer[t].name, name)) return t;
  return EN_NONE;
}

typedef struct { const en_gguf *g; const en_arch *arch; } file_t;

static const en_gguf_tensor *file_tensor(const file_t *f, int32_t layer, int32_t target, const char *suffix) {
  char pattern[64], name[80];
  pattern_of(pattern, sizeof pattern, f->arch, target, suffix);
  en_tensor_name(name, sizeof name, pattern, layer);
  return en_gguf_find_tensor(f->g, name);
}

static int32_t rank_in_spec(const void *ctx, int32_t layer, int32_t target) {
  const en_adapter_spec *s = ctx;
  return (uint32_t)layer >= s->first_layer && s->targets >> target & 1 ? (int32_t)s->rank : 0;
}
static int32_t rank_in_file(const void *ctx, int32_t layer, int32_t target) {
  const en_gguf_tensor *b = file_tensor(ctx, layer, target, ".weight.lora_b");
  return b && b->ne[0] <= EN_LORA_MAX_RANK ? (int32_t)b->ne[0] : 0;
}

static en_adapter_size size_of(const en_model *m, const en_ranks *src) {
  en_adapter_size n = {0};
  for (int32_t l = 0; l < m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const int32_t t = en_lora_tensor(m->arch, i);
      if (t < 0) continue;
      const en_weight *w = en_model_layer(m, l) + t;
      const int32_t rank = src->of(src->ctx, l, i);
      n.n_params += (uint64_t)rank * ((uint64_t)w->rows + (uint64_t)w->cols);
      n.rank = EN_MAX(n.rank, rank);
      if (src->dora && rank) n.n_rows += (uint64_t)w->rows;
    }
  n.n_params += n.n_rows;
  return n;
}

static size_t carve(en_adapter *at, void **self, const en_model *m, const en_adapter_size *size, void *mem) {
  void *dora = NULL;
  const size_t dora_bytes = size->n_rows ? en_dora_carve(&at->dora, m, size, NULL) : 0;
  const en_piece pieces[] = {
    {self, 1, sizeof(en_adapter)},
    {(void **)&at->table, (uint64_t)m->c.L * (uint64_t)m->arch->n_layer, sizeof(en_lora)},
    {(void **)&at->params, size->n_params, sizeof(float)},
    {&dora, size->n_rows && !dora_bytes ? UINT64_MAX : dora_bytes, 1},
  };
  const size_t need = en_carve(pieces, EN_COUNT(pieces), mem);
  if (mem && dora_bytes) en_dora_carve(&at->dora, m, size, dora);
  return need;
}

/* Lay the table over params; returns the lowest layer with an update. */
static int32_t lay_table(en_adapter *a, const en_ranks *src) {
  float *at = a->params, *rows = a->dora.rows;
  int32_t first = a->m->c.L;
  memset(a->table, 0, (size_t)a->m->c.L * (size_t)a->m->arch->n_layer * sizeof *a->table);
  for (int32_t l = 0; l < a->m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const int32_t t = en_lora_tensor(a->m->arch, i), rank = t < 0 ? 0 : src->of(src->ctx, l, i);
      if (!rank) continue;
      const en_weight *w = en_model_layer(a->m, l) + t;
      en_lora *e = a->table + (size_t)l * (size_t)a->m->arch->n_layer + t;
      e->rank = rank;
      e->scale = a->alpha != 0 ? a->alpha / (float)rank : 1;
      e->a = at;
      e->b = at += (size_t)rank * (size_t)w->cols;
      at += (size_t)rank * (size_t)w->rows;
      first = EN_MIN(first, l);
      if (!src->dora) continue;
      e->m = at;
      e->inverse = rows;
      e->square = rows + w->rows;
      at += w->rows;
      rows += 2 * (size_t)w->rows;
    }
  return first;
}

void en_adapter_table(en_lora *table, const en_adapter *like, float *params) {
  const size_t n = (size_t)like->m->c.L * (size_t)like->m->arch->n_layer;
  for (size_t i = 0; i < n; i++) {
    table[i] = like->table[i];
    if (!table[i].rank) continue;
    table[i].a = params + (like->table[i].a - like->params);
    table[i].b = params + (like->table[i].b - like->params);
    if (table[i].m) table[i].m = params + (like->table[i].m - like->params);
  }
}

/* ---- new ---- */

static int32_t check_spec(const en_model *m, const en_adapter_spec *s, en_why *why) {
  if (!s->rank || s->rank > EN_LORA_MAX_RANK) return en_fail(why, EN_E_ARG, "rank %u is outside 1 to %d", s->rank, EN_LORA_MAX_RANK);
  if (!s->targets || s->targets > EN_LORA_ALL) return en_fail(why, EN_E_ARG, "no known target matrices were named");
  if (s->first_layer >= (uint32_t)m->c.L) return en_fail(why, EN_E_ARG, "first layer %u: the model has %d layers", s->first_layer, m->c.L);
  if (!(s->alpha > 0 && s->alpha < 1e6f)) return en_fail(why, EN_E_ARG, "alpha %g is not a positive number", (double)s->alpha);
  for (int32_t i = 0; i < EN_LORA_TARGETS; i++)
    if (s->targets >> i & 1 && en_lora_tensor(m->arch, i) < 0) return en_fail(why, EN_E_ARG, "%s models have no %s to adapt", m->arch->name, target_name(m->arch, i));
  if (s->dora && !en_peft_whole(m, s->targets)) return en_fail(why, EN_E_ARG, "DoRA needs all parts of a matrix as targets, or none: PEFT knows them as one module");
  return EN_OK;
}

static en_ranks ranks_of(const en_adapter_spec *s) { return (en_ranks){rank_in_spec, s, s->dora != 0}; }

size_t en_adapter_bytes(const en_model *m, const en_adapter_spec *spec) {
  const en_ranks src = ranks_of(spec);
  if (check_spec(m, spec, NULL) != EN_OK) return 0;
  const en_adapter_size size = size_of(m, &src);
  return en_adapter_block_bytes(m, &size);
}

size_t en_adapter_block_bytes(const en_model *m, const en_adapter_size *size) {
  en_adapter at;
  void *self;
  return carve(&at, &self, m, size, NULL);
}

int32_t en_adapter_make(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const en_ranks *src, float alpha, en_why *why) {
  const en_adapter_size size = size_of(m, src);
  en_adapter at = {.m = m, .alpha = alpha, .n_params = size.n_params, .is_dora = src->dora};
  void *self;
  const size_t need = carve(&at, &self, m, &size, NULL);
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the adapter needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for an adapter must be aligned to %d bytes", EN_ALIGN);
  carve(&at, &self, m, &size, mem);
  at.first_layer = lay_table(&at, src);
  *out = self;
  **out = at;
  en_dora_count(*out);
  return EN_OK;
}

int32_t en_adapter_init(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const en_adapter_spec *spec, uint64_t seed, en_why *why) {
  const en_ranks src = ranks_of(spec);
  EN_TRY(check_spec(m, spec, why));
  EN_TRY(en_adapter_make(out, mem, mem_bytes, m, &src, spec->rslora ? spec->alpha * sqrtf((float)spec->rank) : spec->alpha, why));
  en_adapter *a = *out;
  uint64_t counter = 0;
  for (int32_t l = 0; l < m->c.L; l++)
    for (int32_t t = 0; t < m->arch->n_layer; t++) { /* PEFT's initialisation: kaiming_uniform(a = sqrt 5) is U(+-1/sqrt(cols)) */
      const en_lora *e = en_adapter_layer(a, l) + t;
      if (!e->rank) continue;
      const en_weight *w = en_model_layer(m, l) + t;
      const double bound = 1 / sqrt((double)w->cols);
      for (int32_t i = 0; i < e->rank * w->cols; i++) e->a[i] = (float)(bound * (2 * en_uniform(seed, counter++) - 1));
      memset(e->b, 0, (size_t)e->rank * (size_t)w->rows * sizeof *e->b);
    }
  en_dora_begin(a);
  en_adapter_changed(a);
  return EN_OK;
}

/* ---- file ---- */

/* Everything that the reader needs: the head indexed in lent memory behind the adapter. */
static int32_t scan_file(en_gguf *g, const void *file, size_t n_bytes, en_why *why) {
  const int32_t status = en_gguf_scan(g, file, n_bytes, why);
  if (status == EN_E_MORE || (status == EN_OK && g->file_bytes > n_bytes)) return en_fail(why, EN_E_FORMAT, "the adapter file is cut short");
  return status;
}

static int32_t check_tensor(const en_gguf_tensor *t, uint64_t cols, uint64_t rows, en_why *why) {
  const en_type *type = t ? en_type_by_id(t->type) : NULL;
  if (!t) return en_fail(why, EN_E_FORMAT, "the adapter has one factor of a matrix without the other");
  if (!type) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S of the adapter has a type that is not supported", (size_t)t->name_bytes, (const char *)t->name);
  if (t->n_dims > 2 || t->ne[0] != cols || t->n_elems != cols * rows)
    return en_fail(why, EN_E_ARG, "tensor %S of the adapter does not fit this model: %z x %z, expected %z x %z", (size_t)t->name_bytes, (const char *)t->name, t->ne[0], t->ne[0] ? t->n_elems / t->ne[0] : 0, cols, rows);
  return EN_OK;
}

/* Every tensor must be a factor of a matrix that the model has, of the right shape. */
static int32_t check_file(const en_model *m, const en_gguf *g, float *alpha, en_why *why) {
  const char *text;
  uint64_t n, known = 0;
  if (en_gguf_str(g, "general.type", &text, &n, why) != EN_OK || !en_str_is(text, n, "adapter")) return en_fail(why, EN_E_FORMAT, "the file is not an adapter");
  if (en_gguf_str(g, "adapter.type", &text, &n, why) != EN_OK || !en_str_is(text, n, "lora")) return en_fail(why, EN_E_UNSUPPORTED, "the adapter is not of type lora");
  if (en_gguf_str(g, "general.architecture", &text, &n, why) != EN_OK || !en_str_is(text, n, m->arch->name))
    return en_fail(why, EN_E_ARG, "the adapter was made for another architecture than %s", m->arch->name);
  EN_TRY(en_gguf_f32(g, "adapter.lora.alpha", alpha, why));
  if (!(*alpha >= 0 && *alpha < 1e6f)) return en_fail(why, EN_E_FORMAT, "adapter.lora.alpha is out of range");
  for (int32_t l = 0; l < m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const en_gguf_tensor *a = file_tensor(&(file_t){g, m->arch}, l, i, ".weight.lora_a"), *b = file_tensor(&(file_t){g, m->arch}, l, i, ".weight.lora_b");
      if (!a && !b) continue;
      const int32_t t = en_lora_tensor(m->arch, i);
      if (t < 0) return en_fail(why, EN_E_ARG, "%s models have no %s to adapt", m->arch->name, target_name(m->arch, i));
      const en_weight *w = en_model_layer(m, l) + t;
      const uint64_t rank = b ? b->ne[0] : 0;
      if (b && (!rank || rank > EN_LORA_MAX_RANK)) return en_fail(why, EN_E_UNSUPPORTED, "an adapter of rank %z: at most %d is supported", rank, EN_LORA_MAX_RANK);
      EN_TRY(check_tensor(b, rank, (uint64_t)w->rows, why));
      EN_TRY(check_tensor(a, (uint64_t)w->cols, rank, why));
      known += 2;
    }
  if (!known || known != g->n_tensors) return en_fail(why, EN_E_UNSUPPORTED, "the adapter changes tensors that cannot be adapted here, or none");
  return EN_OK;
}

/* One buffer for one row of a factor. */
static uint64_t widest(const en_model *m) { return (uint64_t)EN_MAX(EN_MAX(EN_MAX(m->c.F, m->c.D), m->c.H * m->c.E), en_dim_size(&m->c, EN_DIM_CONV)); }

typedef struct { void *adapter, *index; float *row; size_t adapter_bytes; } file_memory;

static size_t carve_file(file_memory *f, const en_model *m, const en_gguf *g, void *mem) {
  /* Ranks are bounded, so this holds whatever the file says; the exact need is known only with the index. */
  uint64_t n_params = 0;
  for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
    const int32_t t = en_lora_tensor(m->arch, i);
    if (t >= 0) n_params += ((uint64_t)m->layers[t].rows + (uint64_t)m->layers[t].cols) * EN_LORA_MAX_RANK * (uint64_t)m->c.L;
  }
  f->adapter_bytes = en_adapter_block_bytes(m, &(en_adapter_size){.n_params = EN_MIN(n_params, g->n_params)});
  const en_piece pieces[] = {{&f->adapter, f->adapter_bytes, 1}, {&f->index, en_gguf_bytes(g), 1}, {(void **)&f->row, widest(m), sizeof(float)}};
  return f->adapter_bytes && en_gguf_bytes(g) ? en_carve(pieces, EN_COUNT(pieces), mem) : 0;
}

size_t en_adapter_file_bytes(const en_model *m, const void *file, size_t n_bytes) {
  en_gguf g;
  file_memory f;
  return scan_file(&g, file, n_bytes, NULL) == EN_OK ? carve_file(&f, m, &g, NULL) : 0;
}

static int32_t copy_factors(const en_adapter *a, const en_gguf *g, float *row, en_why *why) {
  for (int32_t l = 0; l < a->m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const int32_t t = en_lora_tensor(a->m->arch, i);
      const en_lora *e = t < 0 ? NULL : en_adapter_layer(a, l) + t;
      if (!e || !e->rank) continue;
      const en_weight *w = en_model_layer(a->m, l) + t;
      const en_gguf_tensor *fa = file_tensor(&(file_t){g, a->m->arch}, l, i, ".weight.lora_a"), *fb = file_tensor(&(file_t){g, a->m->arch}, l, i, ".weight.lora_b");
      const en_type *ta = en_type_by_id(fa->type), *tb = en_type_by_id(fb->type);
      if (w->cols % ta->block || e->rank % tb->block) return en_fail(why, EN_E_FORMAT, "a factor of the adapter has rows that are no whole blocks");
      ta->decode(e->a, g->head + g->data_offset + fa->offset, (int64_t)e->rank * w->cols);
      for (int32_t r = 0; r < w->rows; r++) {
        tb->decode(row, g->head + g->data_offset + fb->offset + (uint64_t)r * (fb->n_bytes / (uint64_t)w->rows), e->rank);
        for (int32_t j = 0; j < e->rank; j++) e->b[(size_t)j * (size_t)w->rows + (size_t)r] = row[j];
      }
    }
  for (uint64_t i = 0; i < a->n_params; i++)
    if (!isfinite(a->params[i])) return en_fail(why, EN_E_NUMERIC, "the adapter has a number that is not finite");
  return EN_OK;
}

int32_t en_adapter_init_file(en_adapter **out, void *mem, size_t mem_bytes, const en_model *m, const void *file, size_t n_bytes, en_why *why) {
  en_gguf g;
  file_memory f;
  float alpha;
  EN_TRY(scan_file(&g, file, n_bytes, why));
  const size_t need = carve_file(&f, m, &g, NULL);
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the adapter needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for an adapter must be aligned to %d bytes", EN_ALIGN);
  carve_file(&f, m, &g, mem);
  EN_TRY(en_gguf_index(&g, f.index, en_gguf_bytes(&g), why));
  EN_TRY(check_file(m, &g, &alpha, why));
  const file_t src_file = {&g, m->arch};
  const en_ranks src = {rank_in_file, &src_file, 0};
  en_adapter *a;
  EN_TRY(en_adapter_make(&a, f.adapter, f.adapter_bytes, m, &src, alpha, why));
  EN_TRY(copy_factors(a, &g, f.row, why));
  *out = a;
  return EN_OK;
}

/* ---- write ---- */

static void put_b(en_writer *w, const en_lora *e, int32_t rows) {
  for (int32_t r = 0; r < rows; r++)
    for (int32_t j = 0; j < e->rank; j++) en_put(w, &e->b[(size_t)j * (size_t)rows + (size_t)r], 4);
}

/* All factors: their descriptions, or their data. */
static void put_factors(en_gguf_writer *g, const en_adapter *a, int32_t with_data) {
  for (int32_t l = 0; l < a->m->c.L; l++)
    for (int32_t i = 0; i < EN_LORA_TARGETS; i++) {
      const int32_t t = en_lora_tensor(a->m->arch, i);
      const en_lora *e = t < 0 ? NULL : en_adapter_layer(a, l) + t;
      if (!e || !e->rank) continue;
      const en_weight *m = en_model_layer(a->m, l) + t;
      for (int32_t is_b = 0; is_b < 2; is_b++) {
        const uint64_t ne[] = {(uint64_t)(is_b ? e->rank : m->cols), (uint64_t)(is_b ? m->rows : e->rank)};
        char pattern[64], name[80];
        pattern_of(pattern, sizeof pattern, a->m->arch, i, is_b ? ".weight.lora_b" : ".weight.lora_a");
        en_tensor_name(name, sizeof name, pattern, l);
        if (!with_data) { en_gguf_declare(g, name, strlen(name), EN_F32, ne, 2); continue; }
        if (is_b) put_b(&g->w, e, m->rows);
        else en_put(&g->w, e->a, (size_t)(ne[0] * ne[1] * 4));
        en_gguf_pad(&g->w);
      }
    }
}

size_t en_adapter_save(const en_adapter *a, void *dst, size_t cap) {
  if (a->is_dora) return 0;
  for (int pass = 0; pass < 2; pass++) { /* first count, then write if it fits */
    en_gguf_writer g;
    en_gguf_begin(&g, pass ? dst : NULL, cap);
    en_gguf_key_text(&g, "general.architecture", a->m->arch->name);
    en_gguf_key_text(&g, "general.type", "adapter");
    en_gguf_key_text(&g, "adapter.type", "lora");
    en_gguf_key_f32(&g, "adapter.lora.alpha", a->alpha);
    put_factors(&g, a, 0);
    en_gguf_end(&g);
    put_factors(&g, a, 1);
    if (pass || !dst || g.w.n > cap) return g.w.n;
  }
  return 0;
}

/* ---- access ---- */

static en_lora *entry(en_adapter *a, uint32_t layer, uint32_t target, int32_t *tensor) {
  for (int32_t i = 0; i < EN_LORA_TARGETS; i++)
    if (target == 1u << i && layer < (uint32_t)a->m->c.L && (*tensor = en_lora_tensor(a->m->arch, i)) >= 0) {
      en_lora *e = a->table + (size_t)layer * (size_t)a->m->arch->n_layer + *tensor;
      return e->rank ? e : NULL;
    }
  return NULL;
}

float *en_adapter_a(en_adapter *a, uint32_t layer, uint32_t target, uint32_t *rank, uint32_t *cols) {
  int32_t t;
  const en_lora *e = entry(a, layer, target, &t);
  if (!e) return NULL;
  *rank = (uint32_t)e->rank;
  *cols = (uint32_t)(en_model_layer(a->m, (int32_t)layer) + t)->cols;
  return e->a;
}

float *en_adapter_b(en_adapter *a, uint32_t layer, uint32_t target, uint32_t *rank, uint32_t *rows) {
  int32_t t;
  const en_lora *e = entry(a, layer, target, &t);
  if (!e) return NULL;
  *rank = (uint32_t)e->rank;
  *rows = (uint32_t)(en_model_layer(a->m, (int32_t)layer) + t)->rows;
  return e->b;
}

float *en_adapter_m(en_adapter *a, uint32_t layer, uint32_t target, uint32_t *rows) {
  int32_t t;
  const en_lora *e = entry(a, layer, target, &t);
  if (!e || !e->m) return NULL;
  *rows = (uint32_t)(en_model_layer(a->m, (int32_t)layer) + t)->rows;
  return e->m;
}

uint64_t en_adapter_params(const en_adapter *a) { return a->n_params; }

float en_adapter_alpha(const en_adapter *a) { return a->alpha; }

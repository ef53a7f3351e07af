/* model.c - probe a GGUF head, lay tables over the lent image, pack weights as their bytes arrive, seal.
 * The image is the file itself, in place: weights are packed where they were written, so that no second copy ever exists. */
#include "model.h"

/* ---- what a head tells ---- */

static void copy_text(char *out, size_t cap, const char *text, uint64_t n) {
  size_t i = 0;
  for (; i < n && i + 1 < cap; i++) out[i] = text[i];
  out[i] = 0;
}

static void fill_info(en_info *info, const en_gguf *g, const en_config *c, const en_arch *arch) {
  memset(info, 0, sizeof *info);
  info->file_bytes = g->file_bytes;
  info->data_offset = g->data_offset;
  info->n_params = g->n_params;
  info->n_layer = (uint32_t)c->L;
  info->n_embd = (uint32_t)c->D;
  info->n_vocab = (uint32_t)c->V;
  info->n_ctx_train = (uint32_t)c->n_ctx_train;
  info->n_head = (uint32_t)c->H;
  info->n_head_kv = (uint32_t)c->K;
  info->n_ff = (uint32_t)c->F;
  info->has_logits = arch->n_end > 0 && !c->bidirectional;
  info->pooling = (uint32_t)(c->pooling ? c->pooling : c->bidirectional ? EN_POOL_MEAN : EN_POOL_LAST);
  const char *text;
  uint64_t n;
  en_value tokens;
  info->has_tokenizer = en_gguf_get(g, "tokenizer.ggml.tokens", &tokens) && en_gguf_str(g, "tokenizer.ggml.model", &text, &n, NULL) == EN_OK && !en_str_is(text, n, "no_vocab");
  copy_text(info->arch, sizeof info->arch, arch->name, strlen(arch->name));
  if (en_gguf_str(g, "general.name", &text, &n, NULL) == EN_OK) copy_text(info->name, sizeof info->name, text, n);
  const char *type = en_gguf_type_name(g->main_type);
  if (type) copy_text(info->type, sizeof info->type, type, strlen(type));
}

/* Parse a head as far as it goes without lent memory. */
typedef struct { en_gguf g; en_config c; const en_arch *arch; } plan_t;

static int32_t make_plan(plan_t *p, const void *head, size_t n_bytes, en_why *why) {
  EN_TRY(en_gguf_scan(&p->g, head, n_bytes, why));
  for (int32_t i = 0; i < 64; i++) /* before anything large is fetched */
    if (p->g.types >> i & 1 && !en_type_by_id(i)) return en_fail(why, EN_E_UNSUPPORTED, "weights of type %s are not supported yet", en_gguf_type_name(i));
  p->arch = en_arch_find(&p->g, why);
  if (!p->arch) return EN_E_UNSUPPORTED;
  return p->arch->configure(&p->c, &p->g, why);
}

int32_t en_probe(const void *head, size_t n_bytes, en_info *info, en_why *why) {
  plan_t p;
  EN_TRY(make_plan(&p, head, n_bytes, why));
  fill_info(info, &p.g, &p.c, p.arch);
  return EN_OK;
}

/* ---- memory ---- */

/* What one lane needs. No weight type takes more than 4 bytes an element, so this bounds one group of the widest matrix. */
static uint64_t pack_scratch_bytes(const plan_t *p) {
  int64_t widest = 1;
  for (int32_t i = 0; i < p->arch->n_globals + p->arch->n_layer; i++) {
    const en_tensor_spec *t = i < p->arch->n_globals ? &p->arch->globals[i] : &p->arch->layer[i - p->arch->n_globals];
    if (!(t->flags & EN_T_VECTOR)) widest = EN_MAX(widest, en_dim_size(&p->c, (en_dim)t->cols)); /* vectors, some of them as long as the vocabulary, are not packed */
  }
  return (uint64_t)widest * sizeof(float) * EN_R;
}

static size_t carve(en_model *at, void **self, void **index, const plan_t *p, int32_t n_lanes, void *mem) {
  const en_piece pieces[] = {
    {self, 1, sizeof(en_model)},
    {index, en_gguf_bytes(&p->g), 1},
    {(void **)&at->globals, (uint64_t)p->arch->n_globals, sizeof(en_weight)},
    {(void **)&at->layers, (uint64_t)p->c.L * (uint64_t)p->arch->n_layer, sizeof(en_weight)},
    {(void **)&at->freq, (uint64_t)p->c.n_rope * (uint64_t)(p->c.rot / 2), sizeof(double)},
    {(void **)&at->pack, p->g.n_tensors, 1},
    {(void **)&at->scratch, pack_scratch_bytes(p), (size_t)n_lanes},
  };
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

size_t en_model_bytes(const void *image, size_t n_head_bytes, const en_host *host) {
  plan_t p;
  en_model at;
  void *self, *index;
  if (make_plan(&p, image, n_head_bytes, NULL) != EN_OK || !en_gguf_bytes(&p.g)) return 0;
  return carve(&at, &self, &index, &p, en_lanes(host), NULL);
}

/* ---- bind tensors ---- */

void en_tensor_name(char *out, size_t cap, const char *pattern, int32_t layer) {
  size_t n = 0;
  for (; *pattern && n + 12 < cap; pattern++) {
    if (*pattern != '*') { out[n++] = *pattern; continue; }
    char digits[12];
    int32_t k = 0;
    do digits[k++] = (char)('0' + layer % 10);
    while (layer /= 10);
    while (k) out[n++] = digits[--k];
  }
  out[n] = 0;
}

static int32_t bind_vector(const char *name, const en_gguf_tensor *t, en_why *why) {
  if (t->type != EN_F32) return en_fail(why, EN_E_UNSUPPORTED, "tensor %s must be F32", name);
  return EN_OK;
}

static uint64_t n_rows(const en_gguf_tensor *t) { return t->ne[0] ? t->n_elems / t->ne[0] : 0; }

/* Does the file have the tensor as a part of `t`? */
static int32_t is_part(const en_model *m, const en_tensor_spec *s, const en_gguf_tensor *t) {
  return s->fused && (s->flags & EN_T_VECTOR ? t->n_elems : n_rows(t)) == (uint64_t)en_dim_size(&m->c, (en_dim)s->whole);
}

/* The tensor that holds what spec asks for, whole or as a part; its name in `name`. NULL: the file has neither. */
static const en_gguf_tensor *find(const en_model *m, const en_tensor_spec *spec, int32_t layer, char *name, size_t cap) {
  en_tensor_name(name, cap, spec->name, layer);
  const en_gguf_tensor *t = en_gguf_find_tensor(&m->g, name);
  if (t || !spec->fused) return t;
  char fused[80];
  en_tensor_name(fused, sizeof fused, spec->fused, layer);
  t = en_gguf_find_tensor(&m->g, fused);
  if (!t || !is_part(m, spec, t)) return NULL;
  memcpy(name, fused, EN_MIN(cap, sizeof fused));
  return t;
}

static int32_t missing(const en_model *m, const en_tensor_spec *spec, int32_t layer, const char *name, en_why *why) {
  char fused[80];
  if (!spec->fused || !strcmp(spec->fused, spec->name)) return en_fail(why, EN_E_FORMAT, "tensor %s is missing", name);
  en_tensor_name(fused, sizeof fused, spec->fused, layer);
  return en_fail(why, EN_E_FORMAT, "tensor %s is missing, and there is no %s of %z rows to take it from", name, fused, (uint64_t)en_dim_size(&m->c, (en_dim)spec->whole));
}

/* Packed rows come in groups of EN_R. A fused matrix with a part that begins inside a group stays plain: slower, and right. */
static int32_t parts_split_groups(const en_model *m, const en_tensor_spec *spec) {
  for (int32_t i = 0; i < m->arch->n_layer; i++) {
    const en_tensor_spec *s = &m->arch->layer[i];
    if (s->fused && !strcmp(s->fused, spec->fused) && en_dim_size(&m->c, (en_dim)s->first) % EN_R) return 1;
  }
  return 0;
}

/* Does the matrix stay as it is in the file? */
static int32_t stays_plain(const en_model *m, const en_tensor_spec *s, int32_t part) {
  if (s->flags & EN_T_EXPERTS && en_dim_size(&m->c, (en_dim)s->rows) / m->c.n_experts % EN_R) return 1; /* a group would hold rows of two experts */
  return s->flags & (EN_T_VECTOR | EN_T_PLAIN) || (part && parts_split_groups(m, s));
}

static int32_t bind(en_model *m, en_weight *w, const en_tensor_spec *spec, int32_t layer, en_why *why) {
  char name[80];
  const en_gguf_tensor *t = find(m, spec, layer, name, sizeof name);
  *w = (en_weight){0};
  if (spec->flags & EN_T_ABOVE && !layer) {
    if (t) m->pack[t - m->g.tensors] = EN_TENSOR_KEPT;
    return EN_OK;
  }
  if (!t) return spec->flags & EN_T_OPTIONAL ? EN_OK : missing(m, spec, layer, name, why);
  const int64_t rows = en_dim_size(&m->c, (en_dim)spec->rows), cols = en_dim_size(&m->c, (en_dim)spec->cols);
  const int32_t part = is_part(m, spec, t), vector = spec->flags & EN_T_VECTOR;
  const int64_t whole = en_dim_size(&m->c, (en_dim)spec->whole), first = part ? en_dim_size(&m->c, (en_dim)spec->first) : 0;
  const uint64_t want_cols = (uint64_t)(part && vector ? whole : cols), want_rows = (uint64_t)(part && !vector ? whole : rows);
  if (vector ? t->n_elems != want_cols : t->ne[0] != want_cols || n_rows(t) != want_rows)
    return en_fail(why, EN_E_FORMAT, "tensor %s is %z x %z, expected %z x %z", name, t->ne[0], n_rows(t), want_cols, want_rows);
  const en_type *type = en_type_by_id(t->type);
  if (!type) return en_fail(why, EN_E_UNSUPPORTED, "tensor %s has a weight type that is not supported", name);
  if (vector) EN_TRY(bind_vector(name, t, why));
  uint8_t *data = m->image + (size_t)m->g.data_offset + (size_t)t->offset;
  if ((uintptr_t)data % 4) return en_fail(why, EN_E_UNSUPPORTED, "tensor %s is not aligned to 4 bytes", name);
  data += (size_t)first * (vector ? sizeof(float) : (size_t)(t->n_bytes / n_rows(t)));
  *w = (en_weight){type, data, (int32_t)rows, (int32_t)cols, 0};
  const size_t index = (size_t)(t - m->g.tensors);
  if (m->pack[index] && !part) return en_fail(why, EN_E_FORMAT, "tensor %s is used twice", name);
  m->pack[index] = stays_plain(m, spec, part) ? EN_TENSOR_KEPT : EN_TENSOR_PACKED;
  if (m->pack[index] == EN_TENSOR_PACKED) w->n_packed = w->rows / EN_R * EN_R;
  return EN_OK;
}

static int32_t bind_all(en_model *m, en_why *why) {
  const en_arch *arch = m->arch;
  for (int32_t i = 0; i < arch->n_globals; i++) EN_TRY(bind(m, &m->globals[i], &arch->globals[i], 0, why));
  for (int32_t i = 0; i < arch->n_globals; i++)
    if (arch->globals[i].flags & EN_T_HEAD && !en_weight_given(&m->globals[i])) m->globals[i] = m->globals[arch->embed]; /* tied */
  for (int32_t l = 0; l < m->c.L; l++)
    for (int32_t i = 0; i < arch->n_layer; i++)
      EN_TRY(bind(m, m->layers + (size_t)l * (size_t)arch->n_layer + i, &arch->layer[i], l, why));
  for (uint64_t i = 0; i < m->g.n_tensors; i++) { /* a tensor that we would ignore means a model that we would run wrongly */
    const en_gguf_tensor *t = &m->g.tensors[i];
    if (!m->pack[i]) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S is not part of a %s model as this build knows it", (size_t)t->name_bytes, (const char *)t->name, arch->name);
  }
  return EN_OK;
}

int32_t en_model_init(en_model **out, void *mem, size_t mem_bytes, void *image, size_t n_head_bytes, const en_host *host, en_why *why) {
  plan_t p;
  en_model at = {0};
  void *self, *index;
  EN_TRY(make_plan(&p, image, n_head_bytes, why));
  const size_t index_bytes = en_gguf_bytes(&p.g), need = index_bytes ? carve(&at, &self, &index, &p, en_lanes(host), NULL) : 0;
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the model's tables need %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN || (uintptr_t)image % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for a model must be aligned to %d bytes", EN_ALIGN);
  size_t image_bytes;
  if (!en_fit_size(p.g.file_bytes, &image_bytes)) return en_fail(why, EN_E_NOMEM, "the model of %z bytes does not fit into the address space", p.g.file_bytes);
  carve(&at, &self, &index, &p, en_lanes(host), mem);
  if (host) at.host = *host;
  at.scratch_bytes = (size_t)pack_scratch_bytes(&p);
  at.g = p.g;
  at.c = p.c;
  at.arch = p.arch;
  at.image = image;
  at.fed = n_head_bytes;
  EN_TRY(en_gguf_index(&at.g, index, index_bytes, why));
  memset(at.pack, 0, (size_t)at.g.n_tensors);
  EN_TRY(bind_all(&at, why));
  fill_info(&at.info, &at.g, &at.c, at.arch);
  EN_TRY(en_kernels_pick(&at.k, "auto", why));
  en_model *m = self;
  *m = at;
  *out = m;
  return EN_OK;
}

/* ---- stream in, pack, seal ---- */

typedef struct { const en_model *m; const en_type *type; uint8_t *groups; size_t group_bytes; int32_t n_blocks; } pack_job;

static void pack_groups(const void *ctx, int32_t lo, int32_t hi, int32_t lane) {
  const pack_job *j = ctx;
  for (int32_t g = lo; g < hi; g++)
    en_pack_group(j->type, j->groups + (size_t)g * j->group_bytes, j->n_blocks, j->m->scratch + (size_t)lane * j->m->scratch_bytes);
}

/* Pack the groups of a tensor that are complete. 1: that was its last. */
static int32_t pack_tensor(en_model *m, const en_gguf_tensor *t) {
  const en_type *type = en_type_by_id(t->type);
  const uint64_t rows = t->n_elems / t->ne[0], group_bytes = t->n_bytes / rows * EN_R, at = m->g.data_offset + t->offset;
  const uint64_t there = EN_MIN(m->fed > at ? (m->fed - at) / group_bytes : 0, rows / EN_R);
  const pack_job j = {m, type, m->image + (size_t)(at + m->next_group * group_bytes), (size_t)group_bytes, (int32_t)(t->ne[0] / (uint64_t)type->block)};
  if (there > m->next_group) {
    en_parallel(&m->host, pack_groups, &j, (int32_t)(there - m->next_group), 1);
    m->next_group = there;
  }
  return there == rows / EN_R;
}

int32_t en_model_feed(en_model *m, uint64_t upto) {
  if (m->sealed) return EN_E_STATE;
  if (upto < m->fed || upto > m->info.file_bytes) return EN_E_ARG;
  m->fed = upto;
  for (; m->next_tensor < m->g.n_tensors; m->next_tensor++, m->next_group = 0)
    if (m->pack[m->next_tensor] == EN_TENSOR_PACKED && !pack_tensor(m, &m->g.tensors[m->next_tensor])) break;
  return EN_OK;
}

/* The rotary tables, with the factors that the file has for them. */
static int32_t fill_freq(en_model *m, en_why *why) {
  const int32_t half = m->c.rot / 2;
  for (int32_t table = 0; table < m->c.n_rope; table++) {
    const float *factors = NULL;
    for (int32_t i = 0; i < m->arch->n_globals; i++) {
      if (!(m->arch->globals[i].flags & EN_T_ROPE << table) || !en_weight_given(&m->globals[i])) continue;
      factors = (const float *)(const void *)m->globals[i].data;
      for (int32_t j = 0; j < half; j++)
        if (!(factors[j] > 0)) return en_fail(why, EN_E_FORMAT, "tensor %s has an element that is not positive", m->arch->globals[i].name);
    }
    en_rope_frequencies(m->freq + (size_t)table * (size_t)half, &m->c, &m->c.rope[table], factors);
  }
  return EN_OK;
}

/* FNV-1a over words of 8 bytes and the bytes that are left: a head with a large vocabulary has some 6 MB. */
static uint64_t hash_words(uint64_t h, const uint8_t *p, size_t n_bytes) {
  for (; n_bytes >= 8; p += 8, n_bytes -= 8) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    h = (h ^ word) * EN_FNV64;
  }
  return en_hash64(h, p, n_bytes);
}

/* The head says what the tensors are; 256 bytes from the middle of each say whose they are. */
uint64_t en_model_fingerprint(const en_model *m) {
  uint64_t h = hash_words(EN_HASH64, m->image, (size_t)m->g.data_offset);
  for (uint64_t i = 0; i < m->g.n_tensors; i++) {
    const en_gguf_tensor *t = &m->g.tensors[i];
    h = en_hash64(h, m->image + (size_t)(m->g.data_offset + t->offset + t->n_bytes / 2), (size_t)EN_MIN(256, t->n_bytes - t->n_bytes / 2));
  }
  return h ? h : 1;
}

int32_t en_model_seal(en_model *m, en_why *why) {
  if (m->sealed) return EN_OK;
  if (m->fed < m->info.file_bytes)
    return en_fail(why, EN_E_STATE, "the file is incomplete: %z of %z bytes are there", m->fed, m->info.file_bytes);
  EN_TRY(en_model_feed(m, m->fed));
  EN_TRY(fill_freq(m, why));
  m->info.fingerprint = en_model_fingerprint(m);
  m->sealed = 1;
  return EN_OK;
}

int32_t en_model_use_kernels(en_model *m, const char *name, en_why *why) {
  if (m->sealed) return en_fail(why, EN_E_STATE, "kernels are chosen before the model is sealed");
  return en_kernels_pick(&m->k, name, why);
}

/* ---- questions ---- */

const en_info *en_model_info(const en_model *m) { return &m->info; }
const char *en_model_kernels(const en_model *m) { return m->k.name; }
const char *en_kernels_name(int32_t i) { return en_kernels_usable(i); }
const char *en_kernels_rival(const en_model *m) {
  en_kernels k;
  return (!m || m->g.types >> EN_Q4_0 & 1) && en_kernels_pick(&k, "auto", NULL) == EN_OK ? k.rival : NULL;
}

int32_t en_meta(const en_model *m, const char *key, en_value *out) {
  const en_value *v = en_gguf_find(&m->g, key);
  if (!v) return EN_E_ARG;
  *out = *v;
  return EN_OK;
}

int32_t en_meta_at(const en_model *m, uint32_t i, const uint8_t **key, uint64_t *key_bytes, en_value *out) {
  if (i >= m->g.n_kv) return EN_E_ARG;
  *key = m->g.kv[i].key;
  *key_bytes = m->g.kv[i].key_bytes;
  *out = m->g.kv[i].value;
  return EN_OK;
}

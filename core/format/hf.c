/* hf.c - see hf.h: finds the family, plans the tensors, writes the head, converts. */
#include "hf.h"
#include <math.h>

enum { NO_SUFFIX, WEIGHT, BIAS };
enum { MAX_LAYERS = 1024, MAX_EXPERTS = 1024, NAME = 128 };
typedef struct en_hf_source { uint64_t from, n_bytes; uint32_t shard, tensor; } source_t;
typedef struct en_hf_tensor {
  const en_hf_line *line;  /* NULL: made */
  uint64_t ne[4], offset, n_bytes;
  uint32_t n_dims, layer, n_parts, first_piece;
  int32_t suffix, dtype, type;
} tensor_t;

/* What decoders call their tensors. */
static const en_hf_line shared_lines[] = {
  {"embed_tokens", "token_embd", 0}, {"norm", "output_norm", 0}, {"lm_head", "output", 0},
  {"layers.*.input_layernorm", "blk.*.attn_norm", 0}, {"layers.*.post_attention_layernorm", "blk.*.ffn_norm", 0},
  {"layers.*.self_attn.q_proj", "blk.*.attn_q", 0}, {"layers.*.self_attn.k_proj", "blk.*.attn_k", 0}, {"layers.*.self_attn.v_proj", "blk.*.attn_v", 0}, {"layers.*.self_attn.o_proj", "blk.*.attn_output", 0},
  {"layers.*.self_attn.q_norm", "blk.*.attn_q_norm", 0}, {"layers.*.self_attn.k_norm", "blk.*.attn_k_norm", 0},
  {"layers.*.mlp.gate_proj", "blk.*.ffn_gate", 0}, {"layers.*.mlp.up_proj", "blk.*.ffn_up", 0}, {"layers.*.mlp.down_proj", "blk.*.ffn_down", 0},
  {"layers.*.self_attn.rotary_emb", NULL, EN_HF_SKIP}, {NULL, NULL, 0}};
static const en_hf_key shared_keys[] = {
  {"max_position_embeddings", "context_length", EN_HF_INT}, {"hidden_size", "embedding_length", EN_HF_INT}, {"num_hidden_layers", "block_count", EN_HF_INT}, {"intermediate_size", "feed_forward_length", EN_HF_INT},
  {"num_attention_heads", "attention.head_count", EN_HF_INT}, {"num_key_value_heads", "attention.head_count_kv", EN_HF_INT}, {"head_dim", "attention.key_length", EN_HF_INT}, {"head_dim", "attention.value_length", EN_HF_INT},
  {"vocab_size", "vocab_size", EN_HF_INT}, {"rms_norm_eps", "attention.layer_norm_rms_epsilon", EN_HF_FLOAT}, {"layer_norm_eps", "attention.layer_norm_epsilon", EN_HF_FLOAT}, {NULL, NULL, EN_HF_INT}};

const char *en_hf_file_name(int32_t text) {
  static const char *const names[EN_HF_TEXTS] = {"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "1_Pooling/config.json", "chat_template.jinja", "rwkv_vocab_v20230424.txt"};
  return text >= 0 && text < EN_HF_TEXTS ? names[text] : NULL;
}

/* ---- config.json ---- */

en_json en_hf_text_of(const en_hf *h, en_hf_text which) { return h->json[which]; }
en_json en_hf_get(const en_hf *h, const char *key) { return en_json_get(h->config, key); }
double en_hf_number(const en_hf *h, const char *key, double otherwise) {
  double v;
  return en_json_number(en_hf_get(h, key), &v) ? v : otherwise;
}

int en_hf_is_ranker(const en_hf *h) {
  static const char ending[] = "ForSequenceClassification";
  const char *cursor = NULL;
  en_json none, name;
  while (en_json_next(en_hf_get(h, "architectures"), &cursor, &none, &name)) {
    size_t n;
    const char *text = en_json_raw(name, &n);
    if (text && n >= sizeof ending - 1 && !memcmp(text + n - (sizeof ending - 1), ending, sizeof ending - 1)) return 1;
  }
  return 0;
}

static int32_t open_texts(en_hf *h, en_why *why) {
  for (int32_t i = 0; i < EN_HF_TEMPLATE; i++) {
    const en_bytes *t = &h->files.texts[i];
    if (!t->bytes) continue;
    if (en_json_open(&h->json[i], t->bytes, t->n_bytes, why) != EN_OK) return en_fail(why, EN_E_FORMAT, "%s is not well-formed JSON", en_hf_file_name(i));
  }
  h->config = h->json[EN_HF_CONFIG];
  if (en_json_kind_of(h->config) != EN_JSON_OBJECT) return en_fail(why, EN_E_FORMAT, "the folder has no config.json");
  return EN_OK;
}

static int32_t find_model(en_hf *h, en_why *why) {
  static const en_hf_model *const families[] = {
#define EN_HF_MODELS(name) en_hf_models_##name,
#include "hf.def"
#undef EN_HF_MODELS
  };
  const en_json type = en_hf_get(h, "model_type"), text = en_hf_get(h, "text_config");
  size_t n;
  for (int32_t i = 0; i < EN_COUNT(families); i++)
    for (const en_hf_model *m = families[i]; m->type && !h->model; m++)
      if (en_json_is(type, m->type)) h->model = m;
  const char *name = en_json_raw(type, &n);
  if (!h->model) return en_fail(why, EN_E_UNSUPPORTED, "config.json: models of type \"%S\" are not supported", n, name ? name : "");
  if (en_json_kind_of(text) == EN_JSON_OBJECT) h->config = text; /* of a model that sees, too */
  return EN_OK;
}

static int32_t check_act(const en_hf *h, en_why *why) {
  en_json act = en_hf_get(h, "hidden_activation");
  size_t n;
  if (en_json_kind_of(act) != EN_JSON_STRING) act = en_hf_get(h, "hidden_act");
  const char *name = en_json_raw(act, &n);
  for (const char *known = h->model->act; *known; known += strlen(known) + 1)
    if (!name || en_json_is(act, known)) return EN_OK;
  return en_fail(why, EN_E_UNSUPPORTED, "%s with the activation \"%S\" is not supported", h->model->type, n, name);
}

/* ---- tensors ---- */

static const char *strip(const char *name, size_t *n) {
  static const char *const outer[] = {"model.", "language_model.", "bert.", "roberta.", "backbone."};
  for (int32_t i = 0; i < EN_COUNT(outer); i++) {
    const size_t k = strlen(outer[i]);
    if (*n <= k || memcmp(name, outer[i], k)) continue;
    name += k;
    *n -= k;
    i = -1;
  }
  return name;
}

/* "layers.12.mlp.up_proj.weight" -> "layers.*.mlp.up_proj", numbers {12}, suffix. 0: no name of ours. */
typedef struct { char stem[NAME]; uint32_t number[2]; int32_t suffix; } name_t;
static const char *const suffixes[] = {"", ".weight", ".bias"};
static int ends_in(const char *text, size_t n, const char *end) { return n >= strlen(end) && !memcmp(text + n - strlen(end), end, strlen(end)); }
static int parse_name(name_t *out, const char *name, size_t n) {
  size_t k = 0;
  int32_t n_numbers = 0;
  *out = (name_t){.suffix = NO_SUFFIX};
  name = strip(name, &n);
  for (int32_t i = WEIGHT; i <= BIAS; i++) {
    const size_t end = strlen(suffixes[i]);
    if (n > end && ends_in(name, n, suffixes[i])) { out->suffix = i; n -= end; break; }
  }
  for (size_t i = 0; i < n; i++) {
    if (k + 2 > sizeof out->stem) return 0;
    out->stem[k++] = name[i];
    if (name[i] != '.' || i + 1 == n || name[i + 1] < '0' || name[i + 1] > '9' || (n_numbers && !ends_in(out->stem, k, "experts."))) continue;
    uint32_t v = 0;
    for (; i + 1 < n && name[i + 1] >= '0' && name[i + 1] <= '9'; i++) v = EN_MIN(v * 10 + (uint32_t)(name[i + 1] - '0'), 1000000);
    if (n_numbers == 2 || k + 2 > sizeof out->stem) return 0;
    out->stem[k++] = n_numbers ? '#' : '*';
    out->number[n_numbers++] = v;
  }
  out->stem[k] = 0;
  return 1;
}

/* The line itself may name the suffix; then it is no longer one. */
static int is_for(const en_hf_line *l, name_t *name) {
  const size_t n = strlen(name->stem);
  if (l->how & EN_HF_SKIP) return !strncmp(l->from, name->stem, strlen(l->from));
  if (strncmp(l->from, name->stem, n)) return 0;
  if (!l->from[n]) return 1;
  if (name->suffix == NO_SUFFIX || strcmp(l->from + n, suffixes[name->suffix])) return 0;
  name->suffix = NO_SUFFIX;
  return 1;
}

static const en_hf_line *line_of(const en_hf *h, name_t *name) {
  const en_hf_line *tables[] = {h->model->lines, shared_lines};
  for (int32_t i = 0; i < EN_COUNT(tables); i++)
    for (const en_hf_line *l = tables[i]; l->from; l++)
      if (is_for(l, name)) return l;
  return NULL;
}

static int is_tied_head(const en_hf *h, const en_hf_line *l) { return !strcmp(l->to, "output") && en_json_kind_of(en_hf_get(h, "tie_word_embeddings")) == EN_JSON_TRUE; }

/* The tensor of the GGUF file that the part belongs to, if it has begun. */
static tensor_t *begun(const en_hf *h, const en_hf_line *line, const name_t *name) {
  for (uint32_t i = h->n_tensors; i-- > h->n_made;)
    if (!strcmp(h->tensors[i].line->to, line->to) && h->tensors[i].layer == name->number[0] && h->tensors[i].suffix == name->suffix) return &h->tensors[i];
  return NULL;
}

static int32_t begin_tensor(en_hf *h, const en_hf_line *line, const name_t *name, const en_st_tensor *s, uint32_t n_parts, uint32_t *n_pieces, en_why *why) {
  static const int32_t types[] = {[EN_ST_F32] = 0, [EN_ST_F16] = 1, [EN_ST_BF16] = 30};
  tensor_t *t = &h->tensors[h->n_tensors];
  *t = (tensor_t){.line = line, .layer = name->number[0], .suffix = name->suffix, .n_parts = n_parts, .first_piece = *n_pieces, .dtype = s->dtype, .n_dims = s->n_dims, .ne = {1, 1, 1, 1}};
  const uint64_t n_groups = line->how & EN_HF_COLUMN ? s->n_elems : line->how & EN_HF_GROUPS ? en_hf_u32(en_hf_number(h, "n_groups", 1)) : 1;
  for (uint32_t d = 0; d < s->n_dims; d++) t->ne[d] = s->shape[s->n_dims - 1 - d];
  if (s->n_dims == 1 && n_groups > 1 && t->ne[0] % n_groups == 0) t->ne[0] /= n_groups, t->ne[t->n_dims++] = n_groups;
  if (n_parts > 1) t->ne[t->n_dims++] = n_parts;
  if (line->how & EN_HF_LAST_DIM && t->n_dims == 2) t->n_dims = 4, t->ne[3] = t->ne[1], t->ne[1] = 1;
  t->type = s->n_dims == 1 || line->how & (EN_HF_PLUS_1 | EN_HF_MINUS_EXP | EN_HF_F32) ? 0 : types[s->dtype];
  if (n_parts > h->n_sources - *n_pieces) return en_fail(why, EN_E_FORMAT, "tensor %S: the other parts are missing", s->name_bytes, s->name);
  *n_pieces += n_parts;
  h->n_tensors++;
  return EN_OK;
}

/* Rows that a table of positions has before the first one (EN_HF_POSITIONS). */
static uint32_t first_position(const en_hf *h) {
  for (const en_hf_line *l = h->model->lines; l->from; l++)
    if (l->how & EN_HF_POSITIONS) return en_hf_u32(en_hf_number(h, "pad_token_id", 1) + 1);
  return 0;
}
static int drop_rows(en_st_tensor *s, uint64_t n) {
  if (s->n_dims != 2 || s->shape[0] <= n) return 0;
  const uint64_t row = s->n_bytes / s->shape[0];
  s->n_elems -= n * s->shape[1];
  s->shape[0] -= n;
  s->offset += n * row;
  s->n_bytes -= n * row;
  return 1;
}

/* [channels, 1, width], as convolutions have it, is a matrix. */
static void squeeze(en_st_tensor *s) {
  if (s->n_dims != 3 || s->shape[1] != 1) return;
  s->shape[1] = s->shape[2];
  s->n_dims = 2;
}

typedef struct { uint32_t used, pieces; } counts_t;

static int32_t put_source(en_hf *h, const source_t *source, const en_hf_line *line, const name_t *name, const en_st_tensor *s, counts_t *n, en_why *why) {
  const int experts = strchr(line->from, '#') != NULL;
  const double n_parts = experts ? en_hf_number(h, "num_local_experts", 0) : EN_MAX(line->how >> 20, 1);
  const uint32_t part = experts ? name->number[1] : (uint32_t)line->how >> 16 & 15;
  if (name->number[0] >= MAX_LAYERS || !(n_parts >= 1 && n_parts <= (double)MAX_EXPERTS) || part >= n_parts) return en_fail(why, EN_E_FORMAT, "tensor %S: its numbers are out of range", s->name_bytes, s->name);
  tensor_t *t = experts || n_parts > 1 ? begun(h, line, name) : NULL;
  if (!t) {
    if (n->used == h->n_sources) return en_fail(why, EN_E_FORMAT, "tensor %S occurs twice", s->name_bytes, s->name);
    EN_TRY(begin_tensor(h, line, name, s, (uint32_t)n_parts, &n->pieces, why));
    t = &h->tensors[h->n_tensors - 1];
  }
  if (t->n_parts > 1 && (t->dtype != s->dtype || t->ne[0] != s->shape[s->n_dims - 1] || (s->n_dims == 2 && t->ne[1] != s->shape[0]))) return en_fail(why, EN_E_FORMAT, "tensor %S is of another type or shape than its other parts", s->name_bytes, s->name);
  uint32_t *piece = &h->pieces[t->first_piece + part];
  if (*piece != UINT32_MAX) return en_fail(why, EN_E_FORMAT, "tensor %S occurs twice", s->name_bytes, s->name);
  *piece = n->used;
  h->sources[n->used] = *source;
  h->sources[n->used++].tensor = (uint32_t)(t - h->tensors);
  return EN_OK;
}

static int32_t add_source(en_hf *h, uint32_t shard, const en_safetensors *file, en_st_tensor *s, counts_t *n, en_why *why) {
  name_t name;
  const en_hf_line *line = parse_name(&name, s->name, s->name_bytes) ? line_of(h, &name) : NULL;
  if (!line) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S is not part of a %s model as this build knows it", s->name_bytes, s->name, h->model->type);
  if (line->how & EN_HF_SKIP || is_tied_head(h, line) || (line->how & EN_HF_RANKER && !en_hf_is_ranker(h)) || (line->how & EN_HF_ABOVE && !name.number[0])) return EN_OK;
  if (line->how & EN_HF_FLAT) s->n_dims = 1, s->shape[0] = s->n_elems;
  squeeze(s);
  if (line->how & EN_HF_POSITIONS && !drop_rows(s, first_position(h))) return en_fail(why, EN_E_FORMAT, "tensor %S has no row for a position behind the first %u", s->name_bytes, s->name, first_position(h));
  if (!en_st_is_float(s) || s->n_dims < 1 || s->n_dims > 2 || !s->n_elems) return en_fail(why, EN_E_UNSUPPORTED, "tensor %S is no vector or matrix in F32, F16 or BF16", s->name_bytes, s->name);
  const source_t source = {.from = file->data_offset + s->offset, .n_bytes = s->n_bytes, .shard = shard};
  EN_TRY(put_source(h, &source, line, &name, s, n, why));
  return line->how & EN_HF_TWIN && !name.number[0] ? put_source(h, &source, line + 1, &name, s, n, why) : EN_OK;
}

/* A tensor whose rows change places must have whole heads. */
static uint64_t heads_of(const en_hf *h, const tensor_t *t) {
  const double q = en_hf_number(h, "num_attention_heads", 1), k = en_hf_number(h, "num_key_value_heads", q);
  return t->line->how & EN_HF_Q_ROWS ? en_hf_u32(q) : t->line->how & EN_HF_K_ROWS ? en_hf_u32(k) : 0;
}

static int32_t place_tensors(en_hf *h, en_why *why) {
  uint64_t offset = 0;
  for (uint32_t i = 0; i < h->n_tensors; i++) {
    tensor_t *t = &h->tensors[i];
    uint64_t n = 1;
    for (uint32_t d = 0; d < t->n_dims; d++)
      if (!en_mul_u64(n, t->ne[d], &n) || n > INT64_MAX / 8) return en_fail(why, EN_E_FORMAT, "a tensor has more elements than can be counted");
    t->offset = offset;
    t->n_bytes = en_gguf_type_bytes(t->type, n);
    if (!en_add_u64(offset, en_gguf_padded(t->n_bytes), &offset) || offset > INT64_MAX) return en_fail(why, EN_E_FORMAT, "the tensors have more bytes than can be counted");
    if (!t->line) continue;
    const uint64_t rows = t->n_dims == 1 ? t->ne[0] : t->ne[1], heads = heads_of(h, t);
    if (t->line->how & (EN_HF_Q_ROWS | EN_HF_K_ROWS) && (!heads || rows % heads || rows / heads % 2)) return en_fail(why, EN_E_FORMAT, "%s of layer %u has rows that are no whole heads", t->line->from, t->layer);
    for (uint32_t p = 0; p < t->n_parts; p++)
      if (h->pieces[t->first_piece + p] == UINT32_MAX) return en_fail(why, EN_E_FORMAT, "%s of layer %u: part %u is missing", t->line->from, t->layer, p);
  }
  return EN_OK;
}

static int32_t plan_tensors(en_hf *h, en_why *why) {
  counts_t counts = {0, 0};
  memset(h->pieces, 255, h->n_sources * sizeof *h->pieces);
  h->n_tensors = 0;
  for (int32_t i = 0; i < EN_HF_ROPE_TENSORS; i++) {
    uint64_t n;
    if (en_hf_rope_name(h, i, &n)) h->tensors[h->n_tensors++] = (tensor_t){.ne = {n, 1, 1, 1}, .n_dims = 1, .layer = (uint32_t)i};
  }
  h->n_made = h->n_tensors;
  for (uint32_t i = 0; i < h->files.n_shards; i++) {
    const char *cursor = NULL;
    en_safetensors s;
    en_st_tensor t;
    EN_TRY(en_safetensors_scan(&s, h->files.shards[i].bytes, h->files.shards[i].n_bytes, why));
    while (en_safetensors_next(&s, &cursor, &t)) EN_TRY(add_source(h, i, &s, &t, &counts, why));
  }
  return place_tensors(h, why);
}

/* ---- memory ---- */

static size_t carve(en_hf *h, void **self, void *mem) {
  en_hf_vocab *v = &h->vocab;
  const en_piece pieces[] = {
    {self, 1, sizeof *h},
    {(void **)&h->tensors, (uint64_t)h->n_sources + EN_HF_ROPE_TENSORS, sizeof *h->tensors}, {(void **)&h->sources, h->n_sources, sizeof *h->sources}, {(void **)&h->pieces, h->n_sources, sizeof *h->pieces},
    {(void **)&v->text, v->n, sizeof *v->text}, {(void **)&v->type, v->n, 1}, {(void **)&v->score, v->n_scores, sizeof *v->score}, {(void **)&v->hash, v->n_slots ? v->n : 0, sizeof *v->hash}, {(void **)&v->slot, v->n_slots, sizeof *v->slot},
  };
  return en_carve(pieces, EN_COUNT(pieces), mem);
}

/* All that needs no memory. */
static int32_t look(en_hf *h, const en_hf_files *files, en_why *why) {
  uint64_t n = 0;
  *h = (en_hf){.files = *files};
  EN_TRY(open_texts(h, why));
  EN_TRY(find_model(h, why));
  EN_TRY(check_act(h, why));
  if (h->model->check) EN_TRY(h->model->check(h, why));
  EN_TRY(en_hf_rope_check(h, why));
  if (!files->n_shards || files->n_shards > EN_MAX_SHARDS) return en_fail(why, EN_E_FORMAT, "the folder has %u safetensors files", files->n_shards);
  for (uint32_t i = 0; i < files->n_shards; i++) {
    en_safetensors s;
    EN_TRY(en_safetensors_scan(&s, files->shards[i].bytes, files->shards[i].n_bytes, why));
    n += s.n_tensors;
  }
  if (n > EN_GGUF_MAX_TENSORS) return en_fail(why, EN_E_FORMAT, "the folder has %z tensors, more than %d", n, EN_GGUF_MAX_TENSORS);
  h->n_sources = (uint32_t)n + EN_HF_TWINS;
  return en_hf_vocab_scan(h, why);
}

size_t en_hf_bytes(const en_hf_files *files) {
  en_hf h;
  void *self;
  return look(&h, files, NULL) == EN_OK ? carve(&h, &self, NULL) : 0;
}

int32_t en_hf_init(en_hf **out, void *mem, size_t mem_bytes, const en_hf_files *files, en_why *why) {
  en_hf h;
  void *self;
  EN_TRY(look(&h, files, why));
  const size_t need = carve(&h, &self, NULL);
  if (!need || !mem || mem_bytes < need) return en_fail(why, EN_E_NOMEM, "the plan of the folder needs %z bytes, %z were given", (uint64_t)need, (uint64_t)mem_bytes);
  if ((uintptr_t)mem % EN_ALIGN) return en_fail(why, EN_E_ARG, "memory for a plan must be aligned to %d bytes", EN_ALIGN);
  carve(&h, &self, mem);
  EN_TRY(plan_tensors(&h, why));
  en_hf_vocab_read(&h);
  *out = self;
  **out = h;
  return EN_OK;
}

/* ---- the head ---- */

void en_hf_put_key(const en_hf *h, en_gguf_writer *g, const char *key, uint32_t type) {
  g->n_kv++;
  en_put64(&g->w, strlen(h->model->arch) + 1 + strlen(key));
  en_put_str(&g->w, h->model->arch);
  en_put_str(&g->w, ".");
  en_put_str(&g->w, key);
  en_put32(&g->w, type);
}

static int is_named(const en_hf_key *keys, const char *from) {
  while (keys && keys->from && strcmp(keys->from, from)) keys++;
  return keys && keys->from;
}

/* All of k but what `others` have. */
static void put_keys(const en_hf *h, en_gguf_writer *g, const en_hf_key *k, const en_hf_key *others) {
  for (; k && k->from; k++) {
    double v;
    if (!k->to || is_named(others, k->from) || !en_json_number(en_hf_get(h, k->from), &v)) continue;
    if (!strcmp(k->to, "context_length")) v -= first_position(h);
    const float f = (float)v;
    en_hf_put_key(h, g, k->to, k->kind == EN_HF_INT ? EN_GGUF_U32 : EN_GGUF_F32);
    if (k->kind == EN_HF_INT) en_put32(&g->w, en_hf_u32(v));
    else en_put(&g->w, &f, 4);
  }
}

/* "blk.*.attn_q" -> "blk.12.attn_q.weight" */
static size_t gguf_name(char out[NAME], const tensor_t *t) {
  en_writer w = {(uint8_t *)out, 0, NAME};
  for (const char *p = t->line->to; *p; p++) {
    if (*p == '*') en_put_decimal(&w, t->layer);
    else en_put(&w, p, 1);
  }
  en_put_str(&w, t->suffix == WEIGHT ? ".weight" : t->suffix == BIAS ? ".bias" : "");
  return w.n;
}

size_t en_hf_head(const en_hf *h, void *dst, size_t cap) {
  en_gguf_writer g;
  en_gguf_begin(&g, dst, cap);
  en_gguf_key_text(&g, "general.architecture", h->model->arch);
  if (h->files.name) en_gguf_key_text(&g, "general.name", h->files.name);
  put_keys(h, &g, shared_keys, h->model->keys);
  put_keys(h, &g, h->model->keys, NULL);
  en_hf_rope_keys(h, &g);
  if (h->model->extra) h->model->extra(h, &g);
  en_hf_vocab_put(h, &g);
  for (uint32_t i = 0; i < h->n_tensors; i++) {
    const tensor_t *t = &h->tensors[i];
    char name[NAME];
    uint64_t n;
    const char *made = t->line ? NULL : en_hf_rope_name(h, (int32_t)t->layer, &n);
    if (made) en_gguf_declare(&g, made, strlen(made), t->type, t->ne, t->n_dims);
    else en_gguf_declare(&g, name, gguf_name(name, t), t->type, t->ne, t->n_dims);
  }
  en_gguf_end(&g);
  return g.w.n;
}

/* ---- the data ---- */

static int is_plain(const tensor_t *t) { return !(t->line->how & (EN_HF_Q_ROWS | EN_HF_K_ROWS | EN_HF_PLUS_1 | EN_HF_MINUS_EXP)) && (t->type || t->dtype == EN_ST_F32); }

int en_hf_piece_at(const en_hf *h, uint32_t i, en_file_piece *out) {
  if (i < h->n_made) {
    const tensor_t *t = &h->tensors[i];
    *out = (en_file_piece){.shard = EN_MADE, .to = t->offset, .n_to = t->n_bytes};
    return 1;
  }
  if (i - h->n_made >= h->n_sources || h->pieces[i - h->n_made] == UINT32_MAX) return 0;
  const source_t *s = &h->sources[h->pieces[i - h->n_made]];
  const tensor_t *t = &h->tensors[s->tensor];
  const uint64_t n_to = t->n_bytes / t->n_parts;
  *out = (en_file_piece){(int32_t)s->shard, is_plain(t), s->from, s->n_bytes, t->offset + (i - h->n_made - t->first_piece) * n_to, n_to};
  return 1;
}

/* Where row r goes: HF keeps the first halves of a head's pairs before the second ones. */
static uint64_t row_place(uint64_t r, uint64_t rows, uint64_t heads) {
  if (!heads) return r;
  const uint64_t size = rows / heads, head = r / size, k = r % size;
  return head * size + (k < size / 2 ? 2 * k : 2 * (k - size / 2) + 1);
}

void en_hf_convert(const en_hf *h, uint32_t i, void *dst, const void *src) {
  if (i < h->n_made) { en_hf_rope_make(h, (int32_t)h->tensors[i].layer, dst); return; }
  const source_t *s = &h->sources[h->pieces[i - h->n_made]];
  const tensor_t *t = &h->tensors[s->tensor];
  const uint64_t cols = t->n_dims == 1 ? 1 : t->ne[0], rows = t->n_dims == 1 ? t->ne[0] : t->ne[1] * t->ne[2] * t->ne[3] / t->n_parts, heads = heads_of(h, t);
  const size_t to = (size_t)(t->n_bytes / t->n_parts / rows), from = (size_t)(s->n_bytes / rows);
  const int32_t how = t->line->how, plus = how & EN_HF_PLUS_1 ? 1 : 0, as_read = (t->type || t->dtype == EN_ST_F32) && !(how & (EN_HF_PLUS_1 | EN_HF_MINUS_EXP));
  en_st_tensor in = {.dtype = t->dtype, .data = src};
  for (uint64_t r = 0; r < rows; r++) {
    uint8_t *out = (uint8_t *)dst + (size_t)row_place(r, rows, heads) * to;
    if (as_read) { memcpy(out, (const uint8_t *)src + (size_t)r * from, to); continue; }
    for (uint64_t c = 0; c < cols; c++) {
      float v;
      en_st_read(&v, &in, r * cols + c, 1);
      v += (float)plus;
      if (how & EN_HF_MINUS_EXP) v = (float)-exp((double)v);
      memcpy(out + 4 * (size_t)c, &v, 4);
    }
  }
}

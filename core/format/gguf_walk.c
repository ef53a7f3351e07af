/* gguf_walk.c - read one key-value pair or one tensor description, trusting nothing. */
#include "gguf_walk.h"

typedef struct { const char *name; int32_t id, block, block_bytes; } ggml_type;
static const ggml_type ggml_types[] = {
#define GGML_TYPE(id, name, block, bytes) {name, id, block, bytes},
#include "ggml_types.def"
#undef GGML_TYPE
};

static const ggml_type *type_of(uint32_t id) {
  for (int32_t i = 0; i < EN_COUNT(ggml_types); i++)
    if ((uint32_t)ggml_types[i].id == id) return &ggml_types[i];
  return NULL;
}

const char *en_gguf_type_name(int32_t type) {
  const ggml_type *t = type < 0 ? NULL : type_of((uint32_t)type);
  return t ? t->name : NULL;
}

uint64_t en_gguf_type_bytes(int32_t type, uint64_t n_elems) {
  const ggml_type *t = type < 0 ? NULL : type_of((uint32_t)type);
  return t && t->block ? n_elems / (uint64_t)t->block * (uint64_t)t->block_bytes : 0;
}

/* ---- bytes ---- */

static int32_t too_long(const en_gguf_walk *w) {
  return en_fail(w->why, EN_E_FORMAT, "the head of the file is longer than %z bytes", EN_GGUF_MAX_HEAD);
}
/* Step over n bytes and give their place. */
static int32_t take(en_gguf_walk *w, uint64_t n, const uint8_t **p) {
  if (n > EN_GGUF_MAX_HEAD - w->at) return too_long(w);
  if (n > w->n - w->at) return en_fail(w->why, EN_E_MORE, "the head of the file goes on past the %z bytes given", w->n);
  *p = w->head + (size_t)w->at;
  w->at += n;
  return EN_OK;
}
static int32_t take_u32(en_gguf_walk *w, uint32_t *v) {
  const uint8_t *p = NULL;
  EN_TRY(take(w, 4, &p));
  *v = en_rd32(p);
  return EN_OK;
}
static int32_t take_u64(en_gguf_walk *w, uint64_t *v) {
  const uint8_t *p = NULL;
  EN_TRY(take(w, 8, &p));
  *v = en_rd64(p);
  return EN_OK;
}
static int32_t take_str(en_gguf_walk *w, const uint8_t **p, uint64_t *n) {
  EN_TRY(take_u64(w, n));
  return take(w, *n, p);
}

/* ---- values ---- */

/* 0: strings and arrays, which have no fixed size; -1: not a value type */
static int32_t value_bytes(uint32_t type) {
  static const int8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < (uint32_t)EN_COUNT(bytes) ? bytes[type] : -1;
}

const uint8_t *en_value_end(const en_value *v) {
  const uint8_t *p = v->at;
  uint64_t n;
  if (v->type == EN_GGUF_STR) return p + (size_t)v->n;
  if (v->elem_type != EN_GGUF_STR) return p + (size_t)v->n * (size_t)value_bytes(v->elem_type);
  for (uint64_t i = 0; i < v->n; i++) en_value_next_str(&p, &n);
  return p;
}

static int32_t skip_strings(en_gguf_walk *w, const en_gguf *skips, uint64_t n) {
  const uint8_t *p;
  uint64_t bytes, at = w->at;
  const uint64_t end = EN_MIN(w->n, EN_GGUF_MAX_HEAD);
  for (int32_t i = 0; skips && i < EN_GGUF_SKIPS; i++)
    if (skips->skips[i].from == w->at) {
      w->at = skips->skips[i].to;
      return EN_OK;
    }
  for (; n && end - at >= 8; n--) { /* what is there; most of a head's time is spent here */
    bytes = en_rd64(w->head + (size_t)at);
    if (bytes > end - at - 8) break;
    at += 8 + bytes;
  }
  w->at = at;
  return n ? take_str(w, &p, &bytes) : EN_OK; /* the first that is not there tells why */
}

static int32_t take_array(en_gguf_walk *w, const en_gguf *skips, en_gguf_kv *kv) {
  en_value *v = &kv->value;
  uint64_t bytes;
  EN_TRY(take_u32(w, &v->elem_type));
  EN_TRY(take_u64(w, &v->n));
  if (v->elem_type == EN_GGUF_ARR) return en_fail(w->why, EN_E_UNSUPPORTED, "key %S holds nested arrays, which are not supported", (size_t)kv->key_bytes, (const char *)kv->key);
  const int32_t size = value_bytes(v->elem_type);
  if (size < 0) return en_fail(w->why, EN_E_FORMAT, "key %S is an array of the unknown value type %u", (size_t)kv->key_bytes, (const char *)kv->key, v->elem_type);
  v->at = w->head + (size_t)w->at;
  if (!en_mul_u64(v->n, (uint64_t)(size ? size : 8), &bytes)) bytes = UINT64_MAX; /* a string takes at least its length */
  if (size) return take(w, bytes, &v->at);
  if (bytes > EN_GGUF_MAX_HEAD - w->at) return too_long(w);
  return skip_strings(w, skips, v->n);
}

int32_t en_gguf_next_kv(en_gguf_walk *w, const en_gguf *skips, en_gguf_kv *kv) {
  en_value *v = &kv->value;
  EN_TRY(take_u64(w, &kv->key_bytes));
  if (kv->key_bytes == 0) return en_fail(w->why, EN_E_FORMAT, "a key is empty");
  if (kv->key_bytes > EN_GGUF_MAX_KEY) return en_fail(w->why, EN_E_FORMAT, "a key has %z bytes, more than %d", kv->key_bytes, EN_GGUF_MAX_KEY);
  EN_TRY(take(w, kv->key_bytes, &kv->key));
  EN_TRY(take_u32(w, &v->type));
  v->elem_type = v->type;
  v->n = 1;
  const int32_t size = value_bytes(v->type);
  if (size < 0) return en_fail(w->why, EN_E_FORMAT, "key %S has the unknown value type %u", (size_t)kv->key_bytes, (const char *)kv->key, v->type);
  if (v->type == EN_GGUF_STR) return take_str(w, &v->at, &v->n);
  if (v->type == EN_GGUF_ARR) return take_array(w, skips, kv);
  return take(w, (uint64_t)size, &v->at);
}

/* ---- tensors ---- */

static int32_t take_shape(en_gguf_walk *w, en_gguf_tensor *t) {
  const size_t n = t->name_bytes;
  const char *name = (const char *)t->name;
  EN_TRY(take_u32(w, &t->n_dims));
  if (t->n_dims > 4) return en_fail(w->why, EN_E_FORMAT, "tensor %S has %u dimensions, more than 4", n, name, t->n_dims);
  t->n_elems = 1;
  for (uint32_t i = 0; i < 4; i++) {
    t->ne[i] = 1;
    if (i < t->n_dims) EN_TRY(take_u64(w, &t->ne[i]));
    if (t->ne[i] == 0) return en_fail(w->why, EN_E_FORMAT, "tensor %S has a dimension of 0", n, name);
    if (!en_mul_u64(t->n_elems, t->ne[i], &t->n_elems) || t->n_elems > INT64_MAX) return en_fail(w->why, EN_E_FORMAT, "tensor %S has more elements than can be counted", n, name);
  }
  return EN_OK;
}

static int32_t take_type(en_gguf_walk *w, en_gguf_tensor *t) {
  const size_t n = t->name_bytes;
  const char *name = (const char *)t->name;
  uint32_t id;
  EN_TRY(take_u32(w, &id));
  const ggml_type *type = type_of(id);
  if (!type) return en_fail(w->why, EN_E_FORMAT, "tensor %S has the unknown type %u", n, name, id);
  if (!type->block) return en_fail(w->why, EN_E_UNSUPPORTED, "tensor %S has the type %s, which ggml has withdrawn", n, name, type->name);
  if (t->ne[0] % (uint64_t)type->block) return en_fail(w->why, EN_E_FORMAT, "tensor %S has rows of %z elements, not a multiple of the %d of a %s block", n, name, t->ne[0], type->block, type->name);
  if (!en_mul_u64(t->n_elems / (uint64_t)type->block, (uint64_t)type->block_bytes, &t->n_bytes)) return en_fail(w->why, EN_E_FORMAT, "tensor %S has more bytes than can be counted", n, name);
  t->type = type->id;
  return EN_OK;
}

int32_t en_gguf_next_tensor(en_gguf_walk *w, en_gguf_tensor *t) {
  uint64_t n;
  EN_TRY(take_u64(w, &n));
  if (n == 0 || n > EN_GGUF_MAX_NAME) return en_fail(w->why, EN_E_FORMAT, "a tensor name has %z bytes, not 1 to %d", n, EN_GGUF_MAX_NAME);
  EN_TRY(take(w, n, &t->name));
  t->name_bytes = (uint32_t)n;
  EN_TRY(take_shape(w, t));
  EN_TRY(take_type(w, t));
  return take_u64(w, &t->offset);
}

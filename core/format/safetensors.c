/* safetensors.c - see safetensors.h. */
#include "safetensors.h"

static const struct { char name[8]; uint32_t bytes; } dtypes[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8}, {"I32", 4},
  {"I16", 2}, {"I8", 1}, {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1}, {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

static int32_t fail(en_why *why, int32_t status, const en_st_tensor *t, const char *what) { return en_fail(why, status, "tensor %S %s", t->name_bytes, t->name, what); }

/* One member of the head. */
static int32_t read_entry(const en_safetensors *s, en_json key, en_json entry, en_st_tensor *t, en_why *why) {
  const en_json shape = en_json_get(entry, "shape"), dtype = en_json_get(entry, "dtype"), offsets = en_json_get(entry, "data_offsets");
  en_json none, v;
  const char *cursor = NULL;
  uint64_t range[2], want;
  *t = (en_st_tensor){.n_elems = 1};
  t->name = en_json_raw(key, &t->name_bytes);
  if (en_json_kind_of(shape) != EN_JSON_ARRAY || en_json_count(shape) > EN_ST_MAX_DIMS) return fail(why, EN_E_FORMAT, t, "has no shape of at most 8 dimensions");
  while (en_json_next(shape, &cursor, &none, &v))
    if (!en_json_u64(v, &t->shape[t->n_dims]) || !en_mul_u64(t->n_elems, t->shape[t->n_dims++], &t->n_elems)) return fail(why, EN_E_FORMAT, t, "has a shape that is out of range");
  while (t->dtype < EN_COUNT(dtypes) && !en_json_is(dtype, dtypes[t->dtype].name)) t->dtype++;
  if (t->dtype == EN_COUNT(dtypes)) return fail(why, EN_E_UNSUPPORTED, t, "has a dtype that is not known");
  cursor = NULL;
  for (int i = 0; i < 2; i++)
    if (!en_json_next(offsets, &cursor, &none, &v) || !en_json_u64(v, &range[i])) return fail(why, EN_E_FORMAT, t, "has no data_offsets");
  if (range[0] > range[1] || range[1] > s->n_data) return fail(why, EN_E_FORMAT, t, "lies outside the file");
  t->offset = range[0];
  t->n_bytes = range[1] - range[0];
  if (!en_mul_u64(t->n_elems, dtypes[t->dtype].bytes, &want) || want != t->n_bytes) return fail(why, EN_E_FORMAT, t, "has a size that does not follow from its shape");
  if (s->data) t->data = s->data + (size_t)range[0];
  return EN_OK;
}

int en_safetensors_next(const en_safetensors *s, const char **cursor, en_st_tensor *out) {
  en_json key, value;
  while (en_json_next(s->head, cursor, &key, &value))
    if (!en_json_is(key, "__metadata__")) return read_entry(s, key, value, out, NULL) == EN_OK;
  return 0;
}

/* What the entries say without looking at the file's length: the sum of their bytes, if nothing lies behind it. */
int32_t en_safetensors_scan(en_safetensors *s, const void *file, size_t n_bytes, en_why *why) {
  const uint8_t *p = file;
  const uint64_t head = n_bytes >= 8 ? en_rd64(p) : 0;
  const char *cursor = NULL;
  en_safetensors at = {.n_data = UINT64_MAX};
  en_json key, value;
  en_st_tensor t;
  uint64_t sum = 0, end = 0;
  if (head > EN_ST_MAX_HEAD) return en_fail(why, EN_E_FORMAT, "this is no safetensors file");
  if (n_bytes < 8 || head > n_bytes - 8) return en_fail(why, EN_E_MORE, "the safetensors file is cut short, or is none");
  EN_TRY(en_json_open(&at.head, p + 8, (size_t)head, why));
  if (en_json_kind_of(at.head) != EN_JSON_OBJECT) return en_fail(why, EN_E_FORMAT, "the head of the safetensors file is no object");
  at.data_offset = 8 + head;
  while (en_json_next(at.head, &cursor, &key, &value)) {
    if (en_json_is(key, "__metadata__")) continue;
    EN_TRY(read_entry(&at, key, value, &t, why));
    at.n_tensors++;
    end = EN_MAX(end, t.offset + t.n_bytes);
    if (!en_add_u64(sum, t.n_bytes, &sum) || !en_add_u64(at.n_elems, t.n_elems, &at.n_elems)) return en_fail(why, EN_E_FORMAT, "the sizes of the tensors overflow");
  }
  at.n_data = sum;
  if (end != sum || sum > INT64_MAX) return en_fail(why, EN_E_FORMAT, "the tensors have %z bytes, their data end at %z", sum, end);
  *s = at;
  return EN_OK;
}

int32_t en_safetensors_open(en_safetensors *s, const void *file, size_t n_bytes, en_why *why) {
  en_safetensors at;
  const int32_t status = en_safetensors_scan(&at, file, n_bytes, why);
  if (status != EN_OK) return status == EN_E_MORE ? EN_E_FORMAT : status;
  if (at.n_data != n_bytes - at.data_offset) return en_fail(why, EN_E_FORMAT, "the tensors have %z bytes, the file has data of %z", at.n_data, n_bytes - at.data_offset);
  at.data = (const uint8_t *)file + (size_t)at.data_offset;
  *s = at;
  return EN_OK;
}

int en_safetensors_find(const en_safetensors *s, const char *name, en_st_tensor *out) {
  const char *cursor = NULL;
  while (en_safetensors_next(s, &cursor, out))
    if (out->name_bytes == strlen(name) && !memcmp(out->name, name, out->name_bytes)) return 1;
  return 0;
}

int en_st_is_float(const en_st_tensor *t) { return t->dtype <= EN_ST_BF16; }

void en_st_read(float *out, const en_st_tensor *t, uint64_t first, uint64_t n) {
  const uint8_t *p = t->data + (size_t)(first * dtypes[t->dtype].bytes);
  for (size_t i = 0; i < (size_t)n; i++)
    out[i] = t->dtype == EN_ST_F32 ? en_rdf32(p + 4 * i) : t->dtype == EN_ST_F16 ? en_f16_to_f32(en_rd16(p + 2 * i)) : en_bf16_to_f32(en_rd16(p + 2 * i));
}

/* ---- write ---- */

void en_st_begin(en_st_writer *s, void *dst, size_t cap) {
  *s = (en_st_writer){{dst, 0, dst ? cap : 0}, 0};
  en_put64(&s->w, 0); /* filled in by en_st_head */
  en_put_str(&s->w, "{\"__metadata__\":{\"format\":\"pt\"}"); /* readers of the transformers library ask for it */
}

void en_st_declare(en_st_writer *s, const char *name, uint64_t rows, uint64_t cols) {
  en_put_str(&s->w, ",");
  en_put_quoted(&s->w, name);
  en_put_str(&s->w, ":{\"dtype\":\"F32\",\"shape\":[");
  en_put_decimal(&s->w, rows);
  if (cols) {
    en_put_str(&s->w, ",");
    en_put_decimal(&s->w, cols);
  }
  en_put_str(&s->w, "],\"data_offsets\":[");
  en_put_decimal(&s->w, s->offset);
  en_put_str(&s->w, ",");
  en_put_decimal(&s->w, s->offset += rows * EN_MAX(cols, 1) * 4);
  en_put_str(&s->w, "]}");
}

void en_st_head(en_st_writer *s) {
  en_put_str(&s->w, "}");
  en_put_fill(&s->w, ' ', (8 - s->w.n % 8) % 8); /* data aligned to 8 bytes */
  const uint64_t head = s->w.n - 8;
  if (s->w.p && s->w.cap >= 8) memcpy(s->w.p, &head, 8);
}

/* gguf_value.c - typed reads of metadata. */
#include "gguf.h"

int en_str_is(const void *s, uint64_t n_bytes, const char *c) {
  const size_t n = strlen(c);
  return n == n_bytes && memcmp(s, c, n) == 0;
}

double en_value_num(const en_value *v, uint64_t i) {
  const uint8_t *p = v->at;
  const size_t k = (size_t)i;
  double f64;
  switch (v->elem_type) {
    case EN_GGUF_U8: case EN_GGUF_BOOL: return p[k];
    case EN_GGUF_I8: return (int8_t)p[k];
    case EN_GGUF_U16: return en_rd16(p + 2 * k);
    case EN_GGUF_I16: return (int16_t)en_rd16(p + 2 * k);
    case EN_GGUF_U32: return en_rd32(p + 4 * k);
    case EN_GGUF_I32: return (int32_t)en_rd32(p + 4 * k);
    case EN_GGUF_F32: return (double)en_rdf32(p + 4 * k);
    case EN_GGUF_U64: return (double)en_rd64(p + 8 * k);
    case EN_GGUF_I64: return (double)(int64_t)en_rd64(p + 8 * k);
    case EN_GGUF_F64: memcpy(&f64, p + 8 * k, 8); return f64;
    default: return 0;
  }
}

static const char *kind_name(uint32_t type) {
  static const char *const names[] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
  return type < (uint32_t)EN_COUNT(names) ? names[type] : "?";
}

static int is_integer(uint32_t type) { return type <= EN_GGUF_I32 || type == EN_GGUF_U64 || type == EN_GGUF_I64; }

static int32_t absent(const char *key, en_why *why) { return en_fail(why, EN_E_ARG, "the key %s is missing", key); }
static int32_t wrong_kind(const char *key, const char *wanted, const en_value *v, en_why *why) {
  return en_fail(why, EN_E_FORMAT, "the key %s must be %s, it is of type %s", key, wanted, kind_name(v->type));
}

int32_t en_gguf_u32(const en_gguf *g, const char *key, uint32_t *out, en_why *why) {
  en_value v;
  if (!en_gguf_get(g, key, &v)) return absent(key, why);
  if (!is_integer(v.type)) return wrong_kind(key, "an integer", &v, why);
  const double value = en_value_num(&v, 0); /* rounding above 2^53 cannot bring a value back into range */
  if (!(value >= 0 && value <= UINT32_MAX)) return en_fail(why, EN_E_FORMAT, "the key %s is out of range: %g", key, value);
  *out = (uint32_t)value;
  return EN_OK;
}

int32_t en_gguf_f32(const en_gguf *g, const char *key, float *out, en_why *why) {
  en_value v;
  if (!en_gguf_get(g, key, &v)) return absent(key, why);
  if (v.type != EN_GGUF_F32 && v.type != EN_GGUF_F64) return wrong_kind(key, "a float", &v, why);
  const double value = en_value_num(&v, 0);
  if (value > 3.4028234663852886e38 || value < -3.4028234663852886e38 || value != value) return en_fail(why, EN_E_FORMAT, "the key %s is out of range: %g", key, value);
  *out = (float)value;
  return EN_OK;
}

int32_t en_gguf_bool(const en_gguf *g, const char *key, int32_t *out, en_why *why) {
  en_value v;
  if (!en_gguf_get(g, key, &v)) return absent(key, why);
  if (v.type != EN_GGUF_BOOL) return wrong_kind(key, "a bool", &v, why);
  *out = v.at[0] != 0;
  return EN_OK;
}

int32_t en_gguf_str(const en_gguf *g, const char *key, const char **text, uint64_t *n_bytes, en_why *why) {
  en_value v;
  if (!en_gguf_get(g, key, &v)) return absent(key, why);
  if (v.type != EN_GGUF_STR) return wrong_kind(key, "a string", &v, why);
  *text = (const char *)v.at;
  *n_bytes = v.n;
  return EN_OK;
}

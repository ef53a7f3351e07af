/* Any bytes as a safetensors file and as JSON: what is accepted is walked and read in every way, and must be consistent. */
#include "../../core/format/safetensors.h"
#include <stdlib.h>

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile double sink;

static void walk(en_json v, int depth) {
  const char *cursor = NULL, *raw;
  en_json key, value;
  double number = 0;
  uint64_t whole = 0;
  size_t n, count = 0;
  REQUIRE(depth <= EN_JSON_MAX_DEPTH + 1);
  if (en_json_number(v, &number)) REQUIRE(number == number);
  if (en_json_u64(v, &whole)) REQUIRE(en_json_kind_of(v) == EN_JSON_NUMBER);
  raw = en_json_raw(v, &n);
  for (size_t i = 0; i < n; i++) sink += raw[i];
  sink += en_json_is(v, "\xEF\xBF\xBD");
  while (en_json_next(v, &cursor, &key, &value)) {
    REQUIRE(value.at >= v.at && value.end <= v.end && value.at < value.end);
    sink += en_json_is(key, "dtype");
    count++;
    walk(value, depth + 1);
  }
  if (depth < 3) REQUIRE(count == en_json_count(v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  en_why why = {{0}};
  en_json json;
  en_safetensors s;
  en_st_tensor t;
  if (en_json_open(&json, data, n, &why) == EN_OK) walk(json, 0);
  if (en_safetensors_open(&s, data, n, &why) != EN_OK) {
    REQUIRE(why.text[0]);
    return 0;
  }
  const char *cursor = NULL;
  uint64_t n_tensors = 0, n_elems = 0;
  while (en_safetensors_next(&s, &cursor, &t)) {
    n_tensors++;
    n_elems += t.n_elems;
    REQUIRE(t.data >= data && t.n_bytes <= n && (size_t)(t.data - data) <= n - (size_t)t.n_bytes);
    for (uint64_t i = 0; en_st_is_float(&t) && i < t.n_elems; i++) {
      float x;
      en_st_read(&x, &t, i, 1);
      sink += x == x;
    }
  }
  REQUIRE(n_tensors == s.n_tensors && n_elems == s.n_elems);
  return 0;
}

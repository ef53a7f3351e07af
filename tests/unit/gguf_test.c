/* gguf: what a head says, every way it can be cut short, and every way it can lie. Run under ASan: heads lie in exactly-sized memory. */
#include "test.h"
#include "gguf_build.h"

/* ---- a head with every kind of value ---- */

static void build_all_kinds(gguf_build *b, uint32_t version) {
  const uint8_t u8 = 200, yes = 1;
  const int8_t i8 = -100;
  const uint16_t u16 = 60000;
  const int16_t i16 = -30000;
  const int32_t i32 = -2000000000, ints[] = {1, -2, 3};
  const float f32 = 1.5f;
  const uint64_t u64 = 5000000000u, small = 77;
  const int64_t i64 = -5000000000;
  const double f64 = 0.1, huge = 1e300;
  gb_head(b, version, 3, 19);
  gb_kv_str(b, "general.architecture", "llama");
  gb_kv_u32(b, "general.alignment", 64);
  gb_kv(b, "u8", EN_GGUF_U8, &u8, 1);
  gb_kv(b, "i8", EN_GGUF_I8, &i8, 1);
  gb_kv(b, "u16", EN_GGUF_U16, &u16, 2);
  gb_kv(b, "i16", EN_GGUF_I16, &i16, 2);
  gb_kv_u32(b, "u32", 4000000000u);
  gb_kv(b, "i32", EN_GGUF_I32, &i32, 4);
  gb_kv(b, "f32", EN_GGUF_F32, &f32, 4);
  gb_kv(b, "yes", EN_GGUF_BOOL, &yes, 1);
  gb_kv_str(b, "text", "");
  gb_kv(b, "u64", EN_GGUF_U64, &u64, 8);
  gb_kv(b, "small", EN_GGUF_U64, &small, 8);
  gb_kv(b, "i64", EN_GGUF_I64, &i64, 8);
  gb_kv(b, "f64", EN_GGUF_F64, &f64, 8);
  gb_kv(b, "huge", EN_GGUF_F64, &huge, 8);
  gb_array(b, "ints", EN_GGUF_I32, 3);
  gb_bytes(b, ints, sizeof ints);
  gb_array(b, "words", EN_GGUF_STR, 3);
  gb_str(b, "one");
  gb_str(b, "");
  gb_str(b, "three");
  gb_array(b, "none", EN_GGUF_F32, 0);
  gb_tensor(b, "w", 2, (const uint64_t[]){32, 3}, 8, 0);      /* Q8_0, 3 * 34 = 102 bytes, padded to 128 */
  gb_tensor(b, "scalar", 0, NULL, 0, 128);
  gb_tensor(b, "cube", 3, (const uint64_t[]){2, 2, 2}, 1, 192);
  gb_pad(b, 64);
}

/* Exactly-sized copy, so that a read past the end is seen. */
static uint8_t *exact(const uint8_t *p, size_t n) {
  uint8_t *copy = malloc(n ? n : 1);
  if (n) memcpy(copy, p, n);
  return copy;
}

/* Scan and index; *mem is to be freed. */
static int32_t open_head(en_gguf *g, const void *head, size_t n, void **mem, en_why *why) {
  *mem = NULL;
  EN_TRY(en_gguf_scan(g, head, n, why));
  const size_t bytes = en_gguf_bytes(g);
  *mem = bytes ? aligned_alloc(EN_ALIGN, bytes) : NULL;
  return en_gguf_index(g, *mem, bytes, why);
}

static void check_numbers(const en_gguf *g) {
  uint32_t u = 1;
  float f = 1;
  int32_t yes = 0;
  CHECK(en_gguf_u32(g, "u8", &u, NULL) == EN_OK && u == 200);
  CHECK(en_gguf_u32(g, "u16", &u, NULL) == EN_OK && u == 60000);
  CHECK(en_gguf_u32(g, "u32", &u, NULL) == EN_OK && u == 4000000000u);
  CHECK(en_gguf_u32(g, "small", &u, NULL) == EN_OK && u == 77);
  const char *const bad_ints[] = {"i8", "i16", "i32", "u64", "i64", "f32", "yes", "text", "ints"};
  for (int i = 0; i < EN_COUNT(bad_ints); i++) {
    en_why why = {{0}};
    CHECK_EQ(en_gguf_u32(g, bad_ints[i], &u, &why), EN_E_FORMAT);
    CHECK(u == 77 && strstr(why.text, bad_ints[i]) != NULL);
  }
  CHECK(en_gguf_f32(g, "f32", &f, NULL) == EN_OK && f == 1.5f);
  CHECK(en_gguf_f32(g, "f64", &f, NULL) == EN_OK && f == 0.1f);
  CHECK_EQ(en_gguf_f32(g, "huge", &f, NULL), EN_E_FORMAT);
  CHECK_EQ(en_gguf_f32(g, "u8", &f, NULL), EN_E_FORMAT);
  CHECK(en_gguf_bool(g, "yes", &yes, NULL) == EN_OK && yes == 1);
  CHECK_EQ(en_gguf_bool(g, "u8", &yes, NULL), EN_E_FORMAT);
  const struct { const char *key; double value; } numbers[] = {{"i8", -100}, {"i16", -30000}, {"i32", -2e9}, {"u64", 5e9}, {"i64", -5e9}, {"f64", 0.1}, {"f32", 1.5}, {"yes", 1}};
  for (int i = 0; i < EN_COUNT(numbers); i++) {
    en_value v = {0};
    CHECK(en_gguf_get(g, numbers[i].key, &v) && v.n == 1 && v.elem_type == v.type);
    CHECK(en_value_num(&v, 0) == numbers[i].value);
  }
}

static void check_texts_and_arrays(const en_gguf *g) {
  const char *text = NULL;
  uint64_t n = 1;
  en_value v = {0};
  CHECK(en_gguf_str(g, "general.architecture", &text, &n, NULL) == EN_OK && en_str_is(text, n, "llama"));
  CHECK(!en_str_is(text, n, "llam") && !en_str_is(text, n, "llama2"));
  CHECK(en_gguf_str(g, "text", &text, &n, NULL) == EN_OK && n == 0);
  CHECK_EQ(en_gguf_str(g, "u8", &text, &n, NULL), EN_E_FORMAT);
  CHECK(en_gguf_get(g, "ints", &v) && v.type == EN_GGUF_ARR && v.elem_type == EN_GGUF_I32 && v.n == 3);
  CHECK(en_value_num(&v, 0) == 1 && en_value_num(&v, 1) == -2 && en_value_num(&v, 2) == 3);
  CHECK(en_gguf_get(g, "none", &v) && v.n == 0);
  CHECK(en_gguf_get(g, "words", &v) && v.elem_type == EN_GGUF_STR && v.n == 3);
  const char *const words[] = {"one", "", "three"};
  const uint8_t *cursor = v.at;
  for (int i = 0; i < 3; i++) {
    text = en_value_next_str(&cursor, &n);
    CHECK(en_str_is(text, n, words[i]));
  }
  en_why why = {{0}};
  uint32_t u = 9;
  CHECK_EQ(en_gguf_u32(g, "u3", &u, &why), EN_E_ARG);
  CHECK(u == 9 && strstr(why.text, "u3") != NULL);
  CHECK(!en_gguf_get(g, "", &v) && !en_gguf_get(g, "words2", &v));
}

static void check_tensors(const en_gguf *g) {
  const en_gguf_tensor *t = en_gguf_find_tensor(g, "w");
  CHECK(t && t == &g->tensors[0] && t->type == 8 && t->n_dims == 2 && t->ne[0] == 32 && t->ne[1] == 3 && t->ne[2] == 1 && t->n_bytes == 102 && t->n_elems == 96 && t->offset == 0);
  t = en_gguf_find_tensor(g, "scalar");
  CHECK(t && t->n_elems == 1 && t->n_bytes == 4 && t->offset == 128);
  t = en_gguf_find_tensor(g, "cube");
  CHECK(t && t->n_elems == 8 && t->n_bytes == 16 && t->offset == 192);
  CHECK(!en_gguf_find_tensor(g, "cub") && !en_gguf_find_tensor(g, ""));
}

static void test_all_kinds(uint32_t version) {
  gguf_build b = {0};
  build_all_kinds(&b, version);
  uint8_t *head = exact(b.at, b.n);
  en_gguf g, scanned;
  en_why why = {{0}};
  void *mem;
  CHECK_EQ(open_head(&g, head, b.n, &mem, &why), EN_OK);
  CHECK(g.version == version && g.alignment == 64 && g.n_kv == 19 && g.n_tensors == 3);
  CHECK(g.data_offset == b.n && g.file_bytes == b.n + 192 + 16);
  CHECK(g.n_params == 96 + 1 + 8 && g.main_type == 8 && g.types == (1u << 8 | 1u << 0 | 1u << 1));
  check_numbers(&g);
  check_texts_and_arrays(&g);
  check_tensors(&g);
  CHECK_EQ(en_gguf_scan(&scanned, head, b.n, NULL), EN_OK); /* the same answers without an index */
  CHECK(scanned.kv == NULL && scanned.tensors == NULL && !en_gguf_find(&scanned, "u8") && !en_gguf_find_tensor(&scanned, "w"));
  check_numbers(&scanned);
  check_texts_and_arrays(&scanned);
  CHECK(en_gguf_find(&g, "u8") == &g.kv[2].value);
  CHECK_EQ(en_gguf_index(&scanned, mem, en_gguf_bytes(&scanned) - 1, &why), EN_E_NOMEM);
  CHECK_EQ(en_gguf_index(&scanned, NULL, en_gguf_bytes(&scanned), &why), EN_E_NOMEM);
  free(mem);
  free(head);
  gb_free(&b);
}

/* ---- cut short, and damaged ---- */

/* Ask everything of an index; the sanitizer watches. Returns a sum so that nothing is optimised away. */
static double touch_all(const en_gguf *g) {
  double sum = 0;
  for (uint64_t i = 0; i < g->n_kv; i++) {
    const en_value *v = &g->kv[i].value;
    const uint8_t *cursor = v->at;
    uint64_t n;
    for (uint64_t k = 0; k < v->n; k++) {
      if (v->type == EN_GGUF_STR) sum += v->at[k];
      else if (v->elem_type == EN_GGUF_STR) { const char *s = en_value_next_str(&cursor, &n); sum += n ? s[n - 1] : 0; }
      else sum += en_value_num(v, k) > 0;
    }
  }
  for (uint64_t i = 0; i < g->n_tensors; i++) sum += g->tensors[i].name[g->tensors[i].name_bytes - 1];
  return sum;
}

static void test_truncations(void) {
  gguf_build b = {0};
  build_all_kinds(&b, 3);
  int32_t wrong = 0;
  for (size_t n = 0; n < b.n; n++) {
    uint8_t *head = exact(b.at, n);
    en_gguf g = {.n_kv = 123};
    wrong += en_gguf_scan(&g, head, n, NULL) != EN_E_MORE || g.n_kv != 123;
    free(head);
  }
  CHECK_EQ(wrong, 0);
  gb_bytes(&b, "data follows", 12);
  en_gguf g;
  CHECK_EQ(en_gguf_scan(&g, b.at, b.n, NULL), EN_OK);
  CHECK_EQ(g.data_offset, b.n - 12);
  gb_free(&b);
}

static void test_corruptions(void) {
  gguf_build b = {0};
  build_all_kinds(&b, 3);
  double sum = 0;
  int32_t odd = 0, ok = 0;
  for (size_t i = 0; i < b.n; i++)
    for (int change = 1; change < 256; change += change < 8 ? 1 : 41) {
      uint8_t *head = exact(b.at, b.n);
      head[i] = (uint8_t)(head[i] ^ change);
      en_gguf g;
      void *mem;
      en_why why = {{0}};
      const int32_t status = open_head(&g, head, b.n, &mem, &why);
      if (status == EN_OK) sum += touch_all(&g), ok++;
      else odd += (status != EN_E_MORE && status != EN_E_FORMAT && status != EN_E_UNSUPPORTED) || !why.text[0];
      free(mem);
      free(head);
    }
  CHECK_EQ(odd, 0);
  CHECK(ok > 0 && sum > 0);
  gb_free(&b);
}

/* ---- lies, one at a time ---- */

static void expect(gguf_build *b, int32_t status, const char *part_of_why) {
  uint8_t *head = exact(b->at, b->n);
  en_gguf g;
  void *mem;
  en_why why = {{0}};
  CHECK_EQ(open_head(&g, head, b->n, &mem, &why), status);
  if (status != EN_OK && !strstr(why.text, part_of_why)) printf("  the sentence is: %s\n", why.text);
  CHECK(status == EN_OK || strstr(why.text, part_of_why) != NULL);
  free(mem);
  free(head);
  gb_free(b);
}

static void test_headers(void) {
  gguf_build b = {0};
  gb_bytes(&b, "GGML", 4), expect(&b, EN_E_FORMAT, "not a GGUF file");
  gb_bytes(&b, "x", 1), expect(&b, EN_E_FORMAT, "not a GGUF file");
  gb_bytes(&b, "", 0), expect(&b, EN_E_MORE, "");
  gb_head(&b, 1, 0, 0), expect(&b, EN_E_UNSUPPORTED, "version 1 is too old");
  gb_head(&b, 0, 0, 0), expect(&b, EN_E_UNSUPPORTED, "version 0 is too old");
  gb_head(&b, 4, 0, 0), expect(&b, EN_E_UNSUPPORTED, "version 4 is not supported");
  gb_head(&b, 0x03000000, 0, 0), expect(&b, EN_E_UNSUPPORTED, "big-endian");
  gb_head(&b, 3, 0, 0), expect(&b, EN_OK, "");
  gb_head(&b, 3, EN_GGUF_MAX_TENSORS + 1, 0), expect(&b, EN_E_FORMAT, "claims 65537 tensors");
  gb_head(&b, 3, 0, UINT64_MAX), expect(&b, EN_E_FORMAT, "claims 18446744073709551615 keys");
}

static void test_bad_keys(void) {
  gguf_build b = {0};
  gb_head(&b, 3, 0, 1), gb_kv_u32(&b, "", 1), expect(&b, EN_E_FORMAT, "key is empty");
  gb_head(&b, 3, 0, 1), gb_u64(&b, EN_GGUF_MAX_KEY + 1), expect(&b, EN_E_FORMAT, "a key has 1025 bytes");
  gb_head(&b, 3, 0, 1), gb_kv(&b, "k", 13, "", 1), expect(&b, EN_E_FORMAT, "key k has the unknown value type 13");
  gb_head(&b, 3, 0, 1), gb_array(&b, "k", 99, 1), expect(&b, EN_E_FORMAT, "unknown value type 99");
  gb_head(&b, 3, 0, 1), gb_array(&b, "k", EN_GGUF_ARR, 1), expect(&b, EN_E_UNSUPPORTED, "nested arrays");
  gb_head(&b, 3, 0, 1), gb_array(&b, "k", EN_GGUF_F64, UINT64_MAX / 8 + 2), expect(&b, EN_E_FORMAT, "longer than");
  gb_head(&b, 3, 0, 1), gb_array(&b, "k", EN_GGUF_U8, EN_GGUF_MAX_HEAD), expect(&b, EN_E_FORMAT, "longer than");
  gb_head(&b, 3, 0, 1), gb_array(&b, "k", EN_GGUF_STR, EN_GGUF_MAX_HEAD / 8), expect(&b, EN_E_FORMAT, "longer than");
  gb_head(&b, 3, 0, 1), gb_array(&b, "k", EN_GGUF_STR, 1000), expect(&b, EN_E_MORE, "");
  gb_head(&b, 3, 0, 1), gb_str(&b, "k"), gb_u32(&b, EN_GGUF_STR), gb_u64(&b, UINT64_MAX), expect(&b, EN_E_FORMAT, "longer than");
  gb_head(&b, 3, 0, 2), gb_kv_u32(&b, "k", 1), gb_kv_str(&b, "k", "x"), expect(&b, EN_E_FORMAT, "key k occurs twice");
  const uint32_t bad[] = {0, 3, 48, 1u << 21, 0xffffffff};
  for (int i = 0; i < EN_COUNT(bad); i++) gb_head(&b, 3, 0, 1), gb_kv_u32(&b, "general.alignment", bad[i]), expect(&b, EN_E_FORMAT, "not a power of two");
  gb_head(&b, 3, 0, 1), gb_kv_str(&b, "general.alignment", "32"), expect(&b, EN_E_FORMAT, "must be of type u32");
}

static void one_tensor(gguf_build *b, const char *name, uint32_t n_dims, const uint64_t *ne, uint32_t type, uint64_t offset) {
  gb_head(b, 3, 1, 0);
  gb_tensor(b, name, n_dims, ne, type, offset);
  gb_pad(b, 32);
}

static void test_bad_tensors(void) {
  static char long_name[66] = "";
  const uint64_t good[] = {64, 2, 1, 1, 1}, odd[] = {48, 2}, zero[] = {64, 0}, many[] = {UINT64_MAX / 2, 4}, most[] = {(uint64_t)1 << 62}, large[] = {(uint64_t)1 << 60, 4};
  gguf_build b = {0};
  memset(long_name, 'x', 64);
  one_tensor(&b, "w", 2, good, 2, 0), expect(&b, EN_OK, "");
  one_tensor(&b, long_name + 1, 2, good, 2, 0), expect(&b, EN_OK, "");
  one_tensor(&b, long_name, 2, good, 2, 0), expect(&b, EN_E_FORMAT, "name has 64 bytes");
  one_tensor(&b, "", 2, good, 2, 0), expect(&b, EN_E_FORMAT, "name has 0 bytes");
  one_tensor(&b, "w", 5, good, 2, 0), expect(&b, EN_E_FORMAT, "5 dimensions");
  one_tensor(&b, "w", 2, zero, 2, 0), expect(&b, EN_E_FORMAT, "dimension of 0");
  one_tensor(&b, "w", 2, many, 0, 0), expect(&b, EN_E_FORMAT, "more elements than can be counted");
  one_tensor(&b, "w", 1, most, 0, 0), expect(&b, EN_E_FORMAT, "more bytes than can be counted");
  one_tensor(&b, "w", 2, large, 28, 0), expect(&b, EN_E_FORMAT, "more bytes than can be counted");
  one_tensor(&b, "w", 2, (const uint64_t[]){128, (uint64_t)1 << 56}, 41, 0), expect(&b, EN_E_FORMAT, "more elements than can be counted"); /* its bytes could */
  one_tensor(&b, "w", 2, odd, 2, 0), expect(&b, EN_E_FORMAT, "not a multiple of the 32 of a Q4_0 block");
  one_tensor(&b, "w", 2, good, 77, 0), expect(&b, EN_E_FORMAT, "tensor w has the unknown type 77");
  one_tensor(&b, "w", 2, good, UINT32_MAX, 0), expect(&b, EN_E_FORMAT, "unknown type 4294967295");
  one_tensor(&b, "w", 2, good, 31, 0), expect(&b, EN_E_UNSUPPORTED, "Q4_0_4_4, which ggml has withdrawn");
  one_tensor(&b, "w", 2, good, 0, 32), expect(&b, EN_E_FORMAT, "begins at 32 of the data, expected at 0");
  gb_head(&b, 3, 2, 0), gb_tensor(&b, "a", 1, good, 8, 0), gb_tensor(&b, "b", 1, good, 8, 68), expect(&b, EN_E_FORMAT, "expected at 96"); /* padded */
  gb_head(&b, 3, 2, 0), gb_tensor(&b, "a", 1, good, 8, 0), gb_tensor(&b, "a", 1, good, 8, 96), gb_pad(&b, 32), expect(&b, EN_E_FORMAT, "tensor a occurs twice");
  const uint64_t half[] = {(uint64_t)1 << 60, 2}; /* each tensor can be counted, both together cannot */
  gb_head(&b, 3, 2, 0), gb_tensor(&b, "a", 2, half, 1, 0), gb_tensor(&b, "b", 2, half, 1, (uint64_t)1 << 62), gb_pad(&b, 32), expect(&b, EN_E_FORMAT, "more bytes than can be counted");
}

static void test_type_names(void) {
  CHECK(strcmp(en_gguf_type_name(12), "Q4_K") == 0 && strcmp(en_gguf_type_name(39), "MXFP4") == 0);
  CHECK(en_gguf_type_name(77) == NULL && en_gguf_type_name(-1) == NULL);
}

/* ---- large heads ---- */

/* Many keys in unlucky orders: sorting them must stay quick (a quadratic index would take minutes), and look-ups right. */
static void test_many_names(void) {
  enum { N = 60000 };
  gguf_build b = {0};
  char name[32];
  gb_head(&b, 3, N, N);
  for (uint32_t i = 0; i < N; i++) snprintf(name, sizeof name, "key.%05u", (unsigned)(N - i)), gb_kv_u32(&b, name, N - i);
  for (uint32_t i = 0; i < N; i++) snprintf(name, sizeof name, "t.%05u", (unsigned)(i * 7919u % N)), gb_tensor(&b, name, 1, (const uint64_t[]){8}, 0, (uint64_t)i * 32);
  gb_pad(&b, 32);
  en_gguf g;
  void *mem;
  CHECK_EQ(open_head(&g, b.at, b.n, &mem, NULL), EN_OK);
  int32_t wrong = 0;
  for (uint32_t i = 1; i <= N; i += 17) {
    uint32_t v = 0;
    snprintf(name, sizeof name, "key.%05u", (unsigned)i);
    wrong += en_gguf_u32(&g, name, &v, NULL) != EN_OK || v != i;
    snprintf(name, sizeof name, "t.%05u", (unsigned)((i - 1) * 7919u % N));
    const en_gguf_tensor *t = en_gguf_find_tensor(&g, name);
    wrong += !t || t->offset != (uint64_t)(i - 1) * 32;
  }
  CHECK_EQ(wrong, 0);
  free(mem);
  gb_free(&b);
}

/* Every order of up to six names: all are found, and a name that occurs twice is seen wherever it stands. */
static void test_orders(void) {
  static const int factorial[] = {1, 1, 2, 6, 24, 120, 720};
  int32_t wrong = 0;
  for (int n = 1; n <= 6; n++)
    for (int code = 0; code < factorial[n]; code++)
      for (int twice = 0; twice < 2; twice++) {
        char names[6][2] = {"a", "b", "c", "d", "e", "f"};
        gguf_build b = {0};
        for (int i = n, rest = code; i > 1; rest /= i, i--) { /* the code-th permutation */
          const char moved = names[rest % i][0];
          names[rest % i][0] = names[i - 1][0];
          names[i - 1][0] = moved;
        }
        if (twice) names[code % n][0] = names[(code + 1) % n][0];
        gb_head(&b, 3, 0, (uint64_t)n);
        for (int i = 0; i < n; i++) gb_kv_u32(&b, names[i], (uint32_t)i);
        en_gguf g;
        void *mem;
        const int32_t status = open_head(&g, b.at, b.n, &mem, NULL);
        wrong += status != (twice && n > 1 ? EN_E_FORMAT : EN_OK);
        for (uint32_t i = 0, v = 9; status == EN_OK && i < (uint32_t)n; i++) wrong += en_gguf_u32(&g, names[i], &v, NULL) != EN_OK || v != i;
        free(mem);
        gb_free(&b);
      }
  CHECK_EQ(wrong, 0);
}

/* A vocabulary of 150k tokens and as many merges: later walks jump over both. */
static void test_large_vocabulary(void) {
  enum { N = 150000 };
  gguf_build b = {0};
  char text[32];
  en_gguf g;
  uint32_t v = 0;
  gb_head(&b, 3, 0, 8);
  for (int a = 0; a < 6; a++) { /* more arrays than the reader remembers */
    snprintf(text, sizeof text, "array.%d", a);
    gb_array(&b, text, EN_GGUF_STR, a < 2 ? N : 1000);
    for (int i = 0; i < (a < 2 ? N : 1000); i++) snprintf(text, sizeof text, "token %d", i), gb_str(&b, text);
  }
  gb_kv_u32(&b, "last", 42);
  gb_kv_u32(&b, "end", 43);
  CHECK_EQ(en_gguf_scan(&g, b.at, b.n, NULL), EN_OK);
  CHECK(en_gguf_u32(&g, "last", &v, NULL) == EN_OK && v == 42);
  CHECK(en_gguf_u32(&g, "end", &v, NULL) == EN_OK && v == 43);
  en_value words = {0};
  CHECK(en_gguf_get(&g, "array.1", &words) && words.n == N);
  CHECK(g.skips[0].to > g.skips[0].from && g.skips[3].to > g.skips[3].from);
  gb_free(&b);
}

/* ---- real files ---- */

static void test_file(const char *relative, int32_t status, const char *arch, uint64_t n_tensors, int32_t main_type, int whole) {
  size_t n;
  unsigned char *file = test_read(test_shared(relative), &n);
  if (!file) return;
  en_gguf g;
  void *mem;
  en_why why = {{0}};
  const char *text = "";
  uint64_t text_bytes = 0;
  const int32_t got = open_head(&g, file, n, &mem, &why);
  CHECK_EQ(got, status);
  if (got == EN_OK) {
    CHECK(en_gguf_str(&g, "general.architecture", &text, &text_bytes, NULL) == EN_OK && en_str_is(text, text_bytes, arch));
    CHECK_EQ(g.n_tensors, n_tensors);
    CHECK_EQ(g.main_type, main_type);
    if (whole) CHECK_EQ(g.file_bytes, n);
    CHECK(touch_all(&g) > 0);
  }
  free(mem);
  free(file);
}

int main(void) {
  test_all_kinds(3);
  test_all_kinds(2);
  test_truncations();
  test_corruptions();
  test_headers();
  test_bad_keys();
  test_bad_tensors();
  test_type_names();
  test_orders();
  test_many_names();
  test_large_vocabulary();
  test_file("data/tokenizers/gguf-vocab/ggml-vocab-bert-bge.gguf", EN_OK, "bert", 0, -1, 1);
  test_file("data/tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf", EN_OK, "gpt2", 0, -1, 1);
  test_file("data/tokenizers/gguf-vocab/ggml-vocab-phi-3.gguf", EN_OK, "phi3", 0, -1, 1);
  test_file("data/formats/gguf/tiny.gguf", EN_E_MORE, "", 0, 0, 0); /* ends before the padding in front of its data */
  test_file("data/models/stories260K/derived-stories260K-f32.gguf", EN_OK, "llama", 48, 0, 1);
  test_file("data/models/stories260K/derived-stories260K-f16.gguf", EN_OK, "llama", 48, 1, 1);
  test_file("data/models/stories260K/derived-stories260K-q8_0.gguf", EN_OK, "llama", 48, 8, 1);
  test_file("oracles/llama-q4_0.gguf", EN_OK, "llama", 22, 2, 1);
  test_file("oracles/rwkv6.gguf", EN_OK, "rwkv6", 78, 0, 1);
  return test_end();
}

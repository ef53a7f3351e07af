/* The core's JSON reader: what it accepts, what it refuses, values and walks; it never reads past the text. */
#include "../../core/format/json.h"
#include "test.h"

/* Opens an exactly sized copy, so that a sanitizer sees every step too far; walks what was accepted. */
static int opens(const char *text, size_t n) {
  char *copy = malloc(n ? n : 1);
  en_why why = {{0}};
  en_json v, key, value;
  const char *cursor = NULL;
  double number;
  uint64_t whole;
  memcpy(copy, text, n);
  const int ok = en_json_open(&v, copy, n, &why) == EN_OK;
  CHECK(ok == !why.text[0]);
  while (ok && en_json_next(v, &cursor, &key, &value)) {
    en_json_is(key, "a");
    en_json_is(value, "a\xC3\xA9");
    en_json_number(value, &number);
    en_json_u64(value, &whole);
    en_json_count(value);
  }
  free(copy);
  return ok;
}

static void values(void) {
  static const char text[] = " {\"name\" : \"a\\n\\u00e9\\ud83d\\ude00\\\\\", \"list\":[1,-2.5e2,[],{}, true,null], \"name\":2,\"n\":0,\"half\":\"\\udE00x\"}\n";
  en_json v, key, item;
  en_why why;
  double number = 1;
  uint64_t whole = 1;
  size_t n;
  CHECK_EQ(en_json_open(&v, text, strlen(text), &why), EN_OK);
  CHECK_EQ(en_json_kind_of(v), EN_JSON_OBJECT);
  CHECK_EQ(en_json_count(v), 5);
  CHECK(en_json_is(en_json_get(v, "name"), "a\n\xC3\xA9\xF0\x9F\x98\x80\\"));
  CHECK(!en_json_is(en_json_get(v, "name"), "a\n\xC3\xA9\xF0\x9F\x98\x80\\\\"));
  CHECK(!en_json_is(en_json_get(v, "name"), "a\n"));
  CHECK(en_json_is(en_json_get(v, "half"), "\xEF\xBF\xBDx"));
  CHECK(en_json_raw(en_json_get(v, "half"), &n) && n == 7);
  const en_json list = en_json_get(v, "list");
  static const int kinds[] = {EN_JSON_NUMBER, EN_JSON_NUMBER, EN_JSON_ARRAY, EN_JSON_OBJECT, EN_JSON_TRUE, EN_JSON_NULL};
  const char *cursor = NULL;
  for (int i = 0; i < 6; i++) {
    CHECK(en_json_next(list, &cursor, &key, &item) && !key.at);
    CHECK_EQ(en_json_kind_of(item), kinds[i]);
    if (i == 1) CHECK(en_json_number(item, &number) && number == -250 && !en_json_u64(item, &whole));
  }
  CHECK(!en_json_next(list, &cursor, &key, &item));
  CHECK(en_json_u64(en_json_get(v, "n"), &whole) && whole == 0);
  const en_json absent = en_json_get(en_json_get(v, "nothing"), "x");
  CHECK_EQ(en_json_kind_of(absent), EN_JSON_ABSENT);
  CHECK(!en_json_number(absent, &number) && !en_json_is(absent, "") && !en_json_count(absent) && !en_json_raw(absent, &n));
}

static void numbers(void) {
  static const char *const text[] = {"0", "-0", "8", "0.1", "1e22", "-123456789012345678901234567890", "3.4028234663852886e38", "1e-320", "2.5E-3", "0.00000000000000000000000000000000000001", "1e400", "1e-5000", "0e999", "16.000001"};
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    en_json v;
    double got = 7;
    CHECK_EQ(en_json_open(&v, text[i], strlen(text[i]), NULL), EN_OK);
    CHECK(en_json_number(v, &got));
    const double want = strtod(text[i], NULL);
    test_check(got == want || fabs(got - want) <= 5e-16 * fabs(want) || fabs(got - want) < 1e-322, text[i], __FILE__, __LINE__);
  }
  en_json v;
  uint64_t n = 0;
  CHECK_EQ(en_json_open(&v, "18446744073709551615", 20, NULL), EN_OK);
  CHECK(en_json_u64(v, &n) && n == UINT64_MAX);
  CHECK_EQ(en_json_open(&v, "18446744073709551616", 20, NULL), EN_OK);
  CHECK(!en_json_u64(v, &n));
  CHECK_EQ(en_json_open(&v, "1.0", 3, NULL), EN_OK);
  CHECK(!en_json_u64(v, &n));
}

static void accepts_and_refuses(void) {
  static const char *const good[] = {"0", "-0", "1e5", "1E+5", "0.5", "\"\"", "[]", "{}", "null", " true ", "[[[]]]", "\"\\ud83d\"", "\"\\u0000\"", "{\"\":{\"\":0}}", "[ 1 , 2 ]", "[0.0, Infinity]" /* Python's */};
  static const char *const bad[] = {"", " ", "01", "-", "1.", ".5", "+1", "1e", "0x1", "nul", "True", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"",
                                    "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "1 2", "[]]", "[}", "{]", "NaN", "-Infinity", "Infinit", "'a'"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) test_check(opens(good[i], strlen(good[i])), good[i], __FILE__, __LINE__);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) test_check(!opens(bad[i], strlen(bad[i])), bad[i], __FILE__, __LINE__);
  char deep[2 * EN_JSON_MAX_DEPTH + 3];
  for (int n = EN_JSON_MAX_DEPTH; n <= EN_JSON_MAX_DEPTH + 1; n++) {
    memset(deep, '[', (size_t)n);
    memset(deep + n, ']', (size_t)n);
    CHECK_EQ(opens(deep, 2 * (size_t)n), n == EN_JSON_MAX_DEPTH);
  }
}

static void damage(void) {
  static const char text[] = "{\"a\":[1,-2.5e-3,\"x\\u00e9\\\\\",{\"b\":null}],\"c\":{\"d\":true,\"e\":[]}}";
  const size_t n = strlen(text);
  CHECK(opens(text, n));
  for (size_t cut = 0; cut < n; cut++) CHECK(!opens(text, cut));
  int accepted = 0; /* some changes are harmless (a digit, a letter in a string); none may read past the end */
  for (size_t i = 0; i < n; i++)
    for (int c = 0; c < 256; c++) {
      char copy[sizeof text];
      memcpy(copy, text, sizeof text);
      copy[i] = (char)c;
      accepted += opens(copy, n);
    }
  CHECK(accepted > (int)n && accepted < (int)n * 256);
}

int main(void) {
  values();
  numbers();
  accepts_and_refuses();
  damage();
  return test_end();
}

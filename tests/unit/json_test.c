/* json_test.c - the CLI's JSON reader: what it accepts, what it refuses, and that it never reads past the text. */
#include "../../cli/json.h"
#include "test.h"

/* Reads an exactly sized copy, so that a sanitizer sees every step too far. */
static int reads(const char *text, size_t n) {
  char *copy = malloc(n ? n : 1);
  const char *error = NULL;
  size_t at = 0;
  json j;
  memcpy(copy, text, n);
  const int ok = json_read(&j, copy, n, &error, &at);
  if (ok) json_free(&j);
  else CHECK(error && at <= n);
  free(copy);
  return ok;
}

static void values(void) {
  static const char text[] = " {\"name\" : \"a\\n\\u00e9\\ud83d\\ude00\\\\\", \"list\":[1,-2.5e2,[],{}, true,null], \"name\":2,\"n\":0}\n";
  const char *error;
  size_t at;
  json j;
  char s[32];
  double v = 0;
  CHECK(json_read(&j, text, strlen(text), &error, &at));
  CHECK_EQ(json_kind_of(&j, 0), JSON_OBJECT);
  CHECK(json_string(&j, json_get(&j, 0, "name"), s, sizeof s) && !strcmp(s, "a\n\xC3\xA9\xF0\x9F\x98\x80\\"));
  CHECK(!json_string(&j, json_get(&j, 0, "name"), s, 9)); /* 9 bytes and the NUL do not fit */
  CHECK(json_string(&j, json_get(&j, 0, "name"), s, 10));
  const uint32_t list = json_get(&j, 0, "list");
  CHECK_EQ(j.nodes[list].n, 6);
  CHECK(json_number(&j, json_item(&j, list, 0), &v) && v == 1);
  CHECK(json_number(&j, json_item(&j, list, 1), &v) && v == -250);
  CHECK_EQ(json_kind_of(&j, json_item(&j, list, 3)), JSON_OBJECT);
  CHECK_EQ(json_kind_of(&j, json_item(&j, list, 4)), JSON_TRUE);
  CHECK_EQ(json_kind_of(&j, json_item(&j, list, 5)), JSON_NULL);
  CHECK_EQ(json_item(&j, list, 6), JSON_NONE);
  CHECK(json_number(&j, json_get(&j, 0, "n"), &v) && v == 0);
  /* What is absent, and everything of it, is absent without harm. */
  CHECK_EQ(json_get(&j, 0, "nam"), JSON_NONE);
  CHECK_EQ(json_get(&j, json_get(&j, 0, "nothing"), "x"), JSON_NONE);
  CHECK(!json_number(&j, JSON_NONE, &v) && !json_number(&j, list, &v) && !json_string(&j, list, s, sizeof s));
  json_free(&j);
}

static void accepts_and_refuses(void) {
  static const char *const good[] = {"0", "-0", "1e5", "1E+5", "0.5", "\"\"", "[]", "{}", "null", " true ", "[[[]]]", "\"\\ud83d\"", "\"\\u0000\"", "{\"\":{\"\":0}}"};
  static const char *const bad[] = {"", " ", "01", "-", "1.", ".5", "+1", "1e", "0x1", "nul", "True", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"",
                                    "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "1 2", "[]]", "NaN", "'a'"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) test_check(reads(good[i], strlen(good[i])), good[i], __FILE__, __LINE__);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) test_check(!reads(bad[i], strlen(bad[i])), bad[i], __FILE__, __LINE__);
  CHECK(!reads("\"a\0b\"", 5)); /* a raw NUL is a control character */
}

static void escapes(void) {
  static const char text[] = "[\"\\ud83d\",\"\\udE00x\",\"\\u0000\",\"\\/\\b\\f\\r\\t\\\"\"]";
  const char *error;
  size_t at;
  json j;
  char s[16];
  CHECK(json_read(&j, text, strlen(text), &error, &at));
  CHECK(json_string(&j, json_item(&j, 0, 0), s, sizeof s) && !strcmp(s, "\xEF\xBF\xBD")); /* half a pair */
  CHECK(json_string(&j, json_item(&j, 0, 1), s, sizeof s) && !strcmp(s, "\xEF\xBF\xBDx"));
  CHECK(!json_string(&j, json_item(&j, 0, 2), s, sizeof s)); /* a C string cannot hold it */
  CHECK(json_string(&j, json_item(&j, 0, 3), s, sizeof s) && !strcmp(s, "/\b\f\r\t\""));
  json_free(&j);
}

static void depth(void) {
  char deep[2 * JSON_MAX_DEPTH + 3];
  for (int n = JSON_MAX_DEPTH; n <= JSON_MAX_DEPTH + 1; n++) {
    memset(deep, '[', (size_t)n);
    memset(deep + n, ']', (size_t)n);
    CHECK_EQ(reads(deep, 2 * (size_t)n), n == JSON_MAX_DEPTH);
  }
}

static void damage(void) {
  static const char text[] = "{\"a\":[1,-2.5e-3,\"x\\u00e9\\\\\",{\"b\":null}],\"c\":{\"d\":true,\"e\":[]}}";
  const size_t n = strlen(text);
  CHECK(reads(text, n));
  for (size_t cut = 0; cut < n; cut++) CHECK(!reads(text, cut));
  int accepted = 0; /* some changes are harmless (a digit, a letter in a string); none may read past the end */
  for (size_t i = 0; i < n; i++)
    for (int c = 0; c < 256; c++) {
      char copy[sizeof text];
      memcpy(copy, text, sizeof text);
      copy[i] = (char)c;
      accepted += reads(copy, n);
    }
  CHECK(accepted > (int)n && accepted < (int)n * 256);
}

int main(void) {
  values();
  accepts_and_refuses();
  escapes();
  depth();
  damage();
  return test_end();
}

/* Grammars: what they accept, that the mask is exactly what can be accepted, that random texts keep to schemas, every refusal. */
#include "../../cli/json.h"
#include "../../core/base/base.h"
#include "vocab_build.h"

/* Every byte is a token (its id), then longer ones that begin alike, a hidden one and two ends. */
static const char *const longer[] = {"{\"", "\":", "\": \"", "\",", "\"}", "true", "tru", "fal", "se", "null", "[[", "]]", "[1", "12", "0.", "ab", "abc", "abd",
                                     "\xc3\xa4\xe2\x82\xac", "\xe2\x82", " ", "\n  ", "name", "\"name\"", "\\u00", "\\\\"};
enum { N_LONGER = sizeof longer / sizeof *longer, HIDDEN = 256 + N_LONGER, END, TURN_END, N_TOKENS };

static vocab_t open_vocabulary(void) {
  static char names[256][8];
  token_t all[N_TOKENS];
  for (int b = 0; b < 256; b++) {
    snprintf(names[b], sizeof *names, "<0x%02X>", (unsigned)b);
    all[b] = (token_t){names[b], BYTE, 0};
  }
  for (int i = 0; i < N_LONGER; i++) all[256 + i] = (token_t){longer[i], NORMAL, 0};
  all[HIDDEN] = (token_t){"<s>", CONTROL, 0};
  all[END] = (token_t){"</s>", CONTROL, 0};
  all[TURN_END] = (token_t){"<|im_end|>", CONTROL, 0};
  head_t h = head_begin();
  head_tokens(&h, "llama", all, N_TOKENS);
  head_id(&h, "tokenizer.ggml.eos_token_id", END);
  head_id(&h, "tokenizer.ggml.bos_token_id", HIDDEN);
  head_id(&h, "tokenizer.ggml.unknown_token_id", HIDDEN);
  vocab_t v = vocab_open(h.bytes, h.n);
  CHECK_EQ(v.status, EN_OK);
  return v;
}

static en_lexicon *lexicon;
static void *grammar_mem;
static en_why why;

static int32_t open_as(en_grammar **g, int32_t kind, const char *text) {
  why.text[0] = 0;
  return en_grammar_init(g, grammar_mem, en_grammar_bytes(lexicon), lexicon, kind, text, strlen(text), &why);
}
static en_grammar *grammar(int32_t kind, const char *text) {
  en_grammar *g = NULL;
  CHECK_EQ(open_as(&g, kind, text), EN_OK);
  if (!g) { printf("%s: %s\n", text, why.text); exit(test_end()); }
  return g;
}
static en_grammar *gbnf(const char *text) { return grammar(EN_GRAMMAR_GBNF, text); }
static en_grammar *schema(const char *text) { return grammar(EN_GRAMMAR_SCHEMA, text); }

/* ---- what is accepted, byte by byte ---- */

enum { NO, BEGINS, YES };
static int says(en_grammar *g, const char *text, size_t n) {
  en_grammar_reset(g);
  for (size_t i = 0; i < n; i++)
    if (en_grammar_accept(g, (uint8_t)text[i]) != EN_OK) return NO;
  return en_grammar_accept(g, END) == EN_OK ? YES : BEGINS;
}
#define SAYS(g, text, want) CHECK_EQ(says(g, text, sizeof(text) - 1), want)

static void notation(void) {
  en_grammar *g = gbnf("# a comment\nroot ::= \"a\" b* (\"x\" | \"yz\"\n | c)?  # and one more\nb ::= [b-dB]\n\nc ::= \"(\" root \")\" | \"\\n\\x41\\u00e4\"{2}");
  SAYS(g, "a", YES);
  SAYS(g, "", BEGINS);
  SAYS(g, "abBcd", YES);
  SAYS(g, "abe", NO);
  SAYS(g, "ay", BEGINS);
  SAYS(g, "ayz", YES);
  SAYS(g, "a(ab(a))", YES);
  SAYS(g, "a(ab(a)", BEGINS);
  SAYS(g, "a\nA\xc3\xa4\nA\xc3\xa4", YES);
  SAYS(g, "a\nA\xc3\xa4", BEGINS);
  SAYS(g, "axx", NO);
  g = gbnf("root ::= .{2,3} \"-\"");
  SAYS(g, "\xc3\xa4\xe2\x82\xac-", YES);
  SAYS(g, "a\xf0\x9f\xa6\x99z-", YES);
  SAYS(g, "a-", BEGINS);
  SAYS(g, "abcd", NO);
  SAYS(g, "a\xff", NO);
  SAYS(g, "a\xed\xa0\x80", NO); /* half a surrogate pair */
  SAYS(g, "a\xc0\x80", NO);     /* not the shortest form */
  g = gbnf("root ::= [^a-y\\]\\n\xc3\xa4]{2,} [-x]");
  SAYS(g, "z-x", YES);
  SAYS(g, "zzx", YES);
  SAYS(g, "zbx", NO);
  SAYS(g, "z]", NO);
  SAYS(g, "z\xc3\xa5-", YES);
  SAYS(g, "z\xc3\xa4", NO);
  SAYS(g, "\xf4\x8f\xbf\xbf\xef\xbf\xbfx", YES);
  SAYS(g, "\xf4\x90", NO);
  g = gbnf("root ::= (\"a\"? \"b\"?)* \"c\"{0} \"d\"+ \"e\"{0,2}");
  SAYS(g, "bbad", YES);
  SAYS(g, "dde", YES);
  SAYS(g, "deee", NO);
  SAYS(g, "c", NO);
  g = gbnf("root ::= e ([+*] e)*\ne ::= [0-9]+ | \"(\" root \")\"");
  SAYS(g, "(1+23)*((4))", YES);
  SAYS(g, "(1+23)*((4)", BEGINS);
  SAYS(g, "1+)", NO);
  g = gbnf("root ::= root \"a\" | \"b\""); /* left recursion, as deep as anything nests */
  SAYS(g, "baaa", YES);
  SAYS(g, "a", NO);
  SAYS(g, "bb", NO);
}

static void schemas(void) {
  en_grammar *g = schema("{}");
  SAYS(g, "{\"a\": [1, -2.5e+10, true, null, \"\\u00e4\xc3\xa4\"]}", YES);
  SAYS(g, "[\n  1,\n  {}\n]", YES);
  SAYS(g, "01", NO);
  SAYS(g, "\"a\nb", NO);
  SAYS(g, "[1,]", NO);
  g = schema("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"enum\":[\"x\",7]},\"c\":{\"type\":[\"string\",\"null\"],\"maxLength\":2}},\"required\":[\"b\"]}");
  SAYS(g, "{\"b\":7}", YES);
  SAYS(g, "{\"a\":-1,\"b\":\"x\", \"c\":null}", YES);
  SAYS(g, "{\"b\":7,\"c\":\"\xc3\xa4\xc3\xa4\"}", YES);
  SAYS(g, "{\"b\":7,\"c\":\"abc", NO);
  SAYS(g, "{\"a\":1}", NO);
  SAYS(g, "{\"a\":1.", NO);
  SAYS(g, "{\"b\":7,\"a\"", NO);
  SAYS(g, "{}", NO);
  g = schema("{\"type\":\"object\",\"properties\":{\"a\":true,\"b\":true,\"c\":true}}");
  SAYS(g, "{}", YES);
  SAYS(g, "{\"a\":1,\"c\":2}", YES);
  SAYS(g, "{\"c\":2}", YES);
  SAYS(g, "{\"b\":2,\"c\":[]}", YES);
  SAYS(g, "{,", NO);
  SAYS(g, "{\"b\":2,}", NO);
  g = schema("{\"$ref\":\"#/$defs/tree\",\"$defs\":{\"tree\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"number\"},\"kids\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/tree\"},\"minItems\":1,\"maxItems\":2}},\"required\":[\"v\"]}}}");
  SAYS(g, "{\"v\":1,\"kids\":[{\"v\":2},{\"v\":3,\"kids\":[{\"v\":0.5}]}]}", YES);
  SAYS(g, "{\"v\":1,\"kids\":[]", NO);
  SAYS(g, "{\"v\":1,\"kids\":[{\"v\":1},{\"v\":1},", NO);
  g = schema("{\"anyOf\":[{\"const\":{\"k\":1}},{\"type\":\"array\",\"prefixItems\":[{\"type\":\"boolean\"},{\"type\":\"null\"}]},{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}]}");
  SAYS(g, "{\"k\":1}", YES);
  SAYS(g, "[true,null]", YES);
  SAYS(g, "[true]", NO);
  SAYS(g, "{\"x\":1,\"y\":2}", YES);
  SAYS(g, "{\"x\":true", NO);
}

/* ---- refusals: a status, and a sentence with this in it ---- */

static void refused(int32_t kind, const char *text, int32_t status, const char *words) {
  en_grammar *g;
  CHECK_EQ(open_as(&g, kind, text), status);
  if (!strstr(why.text, words)) printf("%s: \"%s\"\n", text, why.text);
  CHECK(strstr(why.text, words));
}
static void refusals(void) {
  static const struct { const char *text; int32_t status; const char *words; } bad[] = {
    {"", EN_E_FORMAT, "root"}, {"root ::= x", EN_E_FORMAT, "rule x"}, {"root = \"a\"", EN_E_FORMAT, "byte 0"}, {"root ::= \"a", EN_E_FORMAT, "missing"},
    {"root ::= [z-a]", EN_E_FORMAT, "range"}, {"root ::= (\"a\"", EN_E_FORMAT, "not closed"}, {"root ::= \"a\")", EN_E_FORMAT, "byte 12"}, {"root ::= \"a\"{2,1}", EN_E_FORMAT, "repetition"},
    {"root ::= \"a\"{", EN_E_FORMAT, "number"}, {"root ::= \"\\xg\"", EN_E_FORMAT, "hexadecimal"}, {"root ::= \"\\UFFFFFFFF\"", EN_E_FORMAT, "Unicode"}, {"root ::= []", EN_E_FORMAT, "no character"},
    {"root ::= \"a\"\nroot ::= \"b\"", EN_E_FORMAT, "twice"}, {"root ::= *", EN_E_FORMAT, "begins nothing"}, {"root ::= \"\xff\"", EN_E_FORMAT, "UTF-8"},
    {"root ::= root", EN_E_FULL, "nothing at its beginning"}, {"root ::= a \"x\"\na ::= a \"a\"", EN_E_FULL, "nothing at its beginning"},
    {"root ::= ((\"a\"{1000}){1000}){1000}", EN_E_FULL, "too large"}, {"root ::= \"a\"{999999999999}", EN_E_FULL, "too large"},
  };
  static const struct { const char *text; int32_t status; const char *words; } bad_schemas[] = {
    {"{", EN_E_FORMAT, "malformed"}, {"7", EN_E_UNSUPPORTED, "object or true"}, {"{\"type\":\"text\"}", EN_E_UNSUPPORTED, "no such type"},
    {"{\"type\":\"string\",\"pattern\":\"a\"}", EN_E_UNSUPPORTED, "pattern"}, {"{\"type\":\"integer\",\"minimum\":1}", EN_E_UNSUPPORTED, "minimum"}, {"{\"items\":{}}", EN_E_UNSUPPORTED, "items"},
    {"{\"$ref\":\"#/nowhere\"}", EN_E_UNSUPPORTED, "nowhere"}, {"{\"$ref\":\"string\"}", EN_E_UNSUPPORTED, "same schema"}, {"{\"$ref\":\"#\"}", EN_E_FULL, "nothing"},
    {"{\"$ref\":7}", EN_E_UNSUPPORTED, "same schema"}, {"{\"enum\":[]}", EN_E_UNSUPPORTED, "alternatives"}, {"{\"anyOf\":[{}],\"oneOf\":[{}]}", EN_E_UNSUPPORTED, "beside"},
    {"{\"anyOf\":[{}],\"type\":\"object\"}", EN_E_UNSUPPORTED, "beside"}, {"{\"allOf\":[{},{}]}", EN_E_UNSUPPORTED, "several"}, {"{\"type\":\"array\",\"minItems\":3,\"maxItems\":2}", EN_E_UNSUPPORTED, "items"},
    {"{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{}}", EN_E_UNSUPPORTED, "required"}, {"{\"type\":\"string\",\"minLength\":-1}", EN_E_UNSUPPORTED, "whole number"},
    {"{\"type\":\"string\",\"maxLength\":1000000}", EN_E_FULL, "too large"},
  };
  for (int32_t i = 0; i < EN_COUNT(bad); i++) refused(EN_GRAMMAR_GBNF, bad[i].text, bad[i].status, bad[i].words);
  for (int32_t i = 0; i < EN_COUNT(bad_schemas); i++) refused(EN_GRAMMAR_SCHEMA, bad_schemas[i].text, bad_schemas[i].status, bad_schemas[i].words);
  en_grammar *g;
  CHECK_EQ(en_grammar_init(&g, grammar_mem, en_grammar_bytes(lexicon) - 1, lexicon, EN_GRAMMAR_GBNF, "root ::= .", 10, &why), EN_E_NOMEM);
  CHECK_EQ(open_as(&g, 2, "root ::= ."), EN_E_ARG);
}

/* ---- the mask is what can be accepted; random texts ---- */

typedef struct { int32_t ids[4096]; int32_t n; uint64_t seed, drawn; char text[1 << 15]; size_t n_text; } talk_t;

static void replay(en_grammar *g, const talk_t *t) {
  en_grammar_reset(g);
  for (int32_t i = 0; i < t->n; i++) CHECK_EQ(en_grammar_accept(g, t->ids[i]), EN_OK);
}

static int32_t allowed(en_grammar *g, float *logits) {
  for (int32_t i = 0; i < N_TOKENS; i++) logits[i] = 1;
  return en_grammar_mask(g, logits, N_TOKENS, &why);
}

/* One random token that is allowed, ends only when nothing else is (or seldom); 0 at the end. */
static int32_t talk(en_grammar *g, talk_t *t, const vocab_t *v) {
  float logits[N_TOKENS];
  int32_t choices[N_TOKENS], n = 0;
  if (allowed(g, logits) != 1) return 0;
  CHECK(logits[HIDDEN] != 1 && logits[END] == logits[TURN_END]);
  for (int32_t i = 0; i < HIDDEN; i++)
    if (logits[i] == 1) choices[n++] = i;
  if (!n || (logits[END] == 1 && en_uniform(t->seed, t->drawn++) < 0.1)) {
    CHECK_EQ(en_grammar_accept(g, END), EN_OK);
    CHECK_EQ(allowed(g, logits), 0);
    return 0;
  }
  const int32_t id = choices[(int32_t)(en_uniform(t->seed, t->drawn++) * n)];
  size_t length;
  char *piece = vocab_decode(v->t, &id, 1, 0, 0, &length);
  memcpy(t->text + t->n_text, piece, length);
  t->n_text += length;
  free(piece);
  CHECK_EQ(en_grammar_accept(g, id), EN_OK);
  t->ids[t->n++] = id;
  return 1;
}

static void masks_are_exact(const vocab_t *v) {
  static talk_t t;
  float logits[N_TOKENS];
  en_grammar *g = schema("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"abc\":{\"type\":\"array\",\"items\":{\"type\":[\"number\",\"boolean\"]}},\"abd\":{}}}");
  for (uint64_t seed = 0; seed < 20; seed++) {
    t = (talk_t){.seed = seed};
    en_grammar_reset(g);
    for (int32_t step = 0; step < 12 && talk(g, &t, v); step++) {
      if (allowed(g, logits) != 1) break;
      for (int32_t id = 0; id < N_TOKENS; id++) {
        const int fits = en_grammar_accept(g, id) == EN_OK;
        if (fits != (logits[id] == 1)) printf("token %d after \"%.*s\"\n", id, (int)t.n_text, t.text);
        CHECK(fits == (logits[id] == 1));
        if (fits) replay(g, &t);
      }
    }
  }
}

/* Texts that end are JSON; most end. */
static void texts_parse(const vocab_t *v, const char *source, int32_t at_least) {
  static talk_t t;
  en_grammar *g = schema(source);
  int32_t ended = 0;
  for (uint64_t seed = 0; seed < 60; seed++) {
    const char *error;
    size_t at;
    json j;
    t = (talk_t){.seed = seed};
    en_grammar_reset(g);
    int32_t more = 1;
    while (t.n < 3000 && (more = talk(g, &t, v)) == 1) continue;
    if (more) continue;
    ended++;
    const int ok = json_read(&j, t.text, t.n_text, &error, &at);
    if (!ok) printf("%s: \"%.*s\": %s at %zu\n", source, (int)t.n_text, t.text, error, at);
    CHECK(ok);
    if (ok) json_free(&j);
  }
  if (ended < at_least) printf("%s: %d of 60 texts end\n", source, ended);
  CHECK(ended >= at_least);
}

/* More states and deeper nesting than there is room for. */
static void room(const vocab_t *v) {
  static talk_t t;
  float logits[N_TOKENS];
  en_grammar *g = gbnf("root ::= [a-d]{4000}");
  t = (talk_t){.seed = 7};
  int32_t steps = 0;
  while (talk(g, &t, v)) steps++;
  CHECK_EQ(t.n_text, 4000);
  CHECK(steps < 4000);
  CHECK_EQ(allowed(g, logits), 0);
  g = gbnf("root ::= \"[\" root? \"]\"");
  int32_t depth = 0;
  while (depth < 1000 && en_grammar_accept(g, '[') == EN_OK) depth++;
  CHECK(depth > 100 && depth < 1000);
  CHECK(allowed(g, logits) == 1 && logits['['] != 1 && logits[']'] == 1); /* no deeper, but to the end */
  for (int32_t i = 0; i < depth; i++) CHECK_EQ(en_grammar_accept(g, ']'), EN_OK);
  CHECK_EQ(en_grammar_accept(g, TURN_END), EN_OK);
  CHECK_EQ(en_grammar_accept(g, TURN_END), EN_E_ARG);
  g = gbnf("root ::= [ab]* \"a\" [ab]{12} \"c\""); /* its states double with every byte of the tail: 2^12, more than fit */
  t = (talk_t){.seed = 9};
  for (int32_t i = 0; i < 2500; i++) CHECK_EQ(en_grammar_accept(g, "ab"[(int32_t)(en_uniform(5, (uint64_t)i) * 2)]), EN_OK);
  CHECK_EQ(allowed(g, logits), 1);
}

int main(void) {
  vocab_t v = open_vocabulary();
  const size_t n = en_lexicon_bytes(v.t);
  void *mem = aligned_alloc(64, n);
  CHECK_EQ(en_lexicon_init(&lexicon, mem, n, v.t), EN_OK);
  grammar_mem = aligned_alloc(64, en_grammar_bytes(lexicon));
  notation();
  schemas();
  refusals();
  masks_are_exact(&v);
  texts_parse(&v, "{}", 30);
  texts_parse(&v, "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":5},\"b\":{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"maxItems\":4},\"c\":{\"type\":\"object\",\"properties\":{\"d\":{\"type\":\"boolean\"}},\"required\":[\"d\"]}},\"required\":[\"a\",\"c\"]}", 60);
  room(&v);
  free(grammar_mem);
  free(mem);
  vocab_close(&v);
  return test_end();
}

/* WordPiece on a small vocabulary: longest match, whole words unknown, case and accents, what parts words, limits, special tokens, decoding. */
#include "vocab_build.h"
#include "../../core/text/unicode.h"

#define MARK "\xe2\x96\x81"
enum { PAD, UNK, CLS, SEP, UN, AFF, ABLE, COFFEE, E, LE, DASH, DOLLAR, HAN, UPPER, ACCENT, CJK_TAIL, I_DOT };
static const token_t tokens[] = {
  {"[PAD]", CONTROL, 0}, {"[UNK]", CONTROL, 0}, {"[CLS]", CONTROL, 0}, {"[SEP]", CONTROL, 0}, {MARK "un", NORMAL, 0}, {"aff", NORMAL, 0}, {"able", NORMAL, 0},
  {MARK "coffee", NORMAL, 0}, {"e", NORMAL, 0}, {MARK "e", NORMAL, 0}, {MARK "-", NORMAL, 0}, {MARK "$", NORMAL, 0}, {MARK "\xe4\xb8\xad", NORMAL, 0},
  {MARK "E", NORMAL, 0}, {MARK "\xc3\xa9", NORMAL, 0}, {"\xe4\xb8\xad", NORMAL, 0}, {MARK "i", NORMAL, 0}};

/* normalizers: 0 as BERT's uncased models, 1 lower case with accents, 2 neither */
static vocab_t open_small(int normalizers) {
  head_t h = head_begin();
  head_tokens(&h, "bert", tokens, sizeof tokens / sizeof *tokens);
  head_id(&h, "tokenizer.ggml.cls_token_id", CLS);
  head_id(&h, "tokenizer.ggml.seperator_token_id", SEP);
  head_id(&h, "tokenizer.ggml.unknown_token_id", UNK);
  head_id(&h, "tokenizer.ggml.padding_token_id", PAD);
  if (normalizers == 1) head_flag(&h, "tokenizer.ggml.normalizer.strip_accents", 0);
  if (normalizers == 2) head_flag(&h, "tokenizer.ggml.normalizer.lowercase", 0);
  vocab_t v = vocab_open(h.bytes, h.n);
  if (v.status != EN_OK) printf("%s\n", v.why.text);
  CHECK_EQ(v.status, EN_OK);
  return v;
}

#define GIVES(t, text, flags, ...) do { const int32_t want_[] = {__VA_ARGS__}; CHECK(vocab_gives(t, text, sizeof text - 1, flags, want_, sizeof want_ / sizeof *want_)); } while (0)

static void words(const en_tokenizer *t) {
  GIVES(t, "unaffable", 0, UN, AFF, ABLE);
  GIVES(t, "UnAffAble un", 0, UN, AFF, ABLE, UN);
  GIVES(t, "unaffablex", 0, UNK);
  GIVES(t, "x un x", 0, UNK, UN, UNK);
  GIVES(t, "un-un$E", 0, UN, DASH, UN, DOLLAR, LE);
  GIVES(t, "\t\n\r un\xc2\xa0\xe3\x80\x80un ", 0, UN, UN);
  GIVES(t, "coffee", EN_TOK_BOS | EN_TOK_EOS, CLS, COFFEE, SEP);
  GIVES(t, "", EN_TOK_BOS | EN_TOK_EOS, CLS, SEP);
  GIVES(t, "co\x0b" "ff\x01\xc2\x85" "ee\xe2\x80\x8b", 0, COFFEE); /* controls and formats vanish without parting a word */
  GIVES(t, "un\xff\xfe" "aff", 0, UN, AFF);                        /* bytes that are no UTF-8, too */
  GIVES(t, "un\xe4\xb8\xad" "e", 0, UN, HAN, LE);                  /* an ideograph is a word */
  GIVES(t, "un" MARK "un", 0, UNK);                                /* a space mark in the text is none */
  GIVES(t, "un[SEP]e", EN_TOK_SPECIAL, UN, SEP, LE);
  GIVES(t, "[SEP]", 0, UNK, UNK, UNK);
}

static void accents(void) {
  vocab_t strips = open_small(0), keeps = open_small(1), cased = open_small(2);
  GIVES(strips.t, "\xc3\x89 e\xcc\x81 \xc3\xa9", 0, LE, LE, LE); /* E with acute, e and a combining acute, e with acute */
  GIVES(strips.t, "\xc4\xb0", 0, I_DOT);
  GIVES(keeps.t, "\xc3\x89 \xc3\xa9 e\xcc\x81", 0, ACCENT, ACCENT, UNK);
  GIVES(cased.t, "E e \xc3\xa9 \xc3\x89", 0, UPPER, LE, ACCENT, UNK);
  vocab_close(&strips);
  vocab_close(&keeps);
  vocab_close(&cased);
}

static void limits(const en_tokenizer *t) {
  char text[3 * 101];
  int32_t want[101] = {LE};
  for (int i = 1; i < 101; i++) want[i] = E;
  memset(text, 'e', sizeof text);
  CHECK(vocab_gives(t, text, 100, 0, want, 100));
  CHECK(vocab_gives(t, text, 101, 0, &(int32_t){UNK}, 1));
  for (int i = 0; i < 101; i++) memcpy(text + 3 * i, "\xe4\xb8\xad", 3);
  for (int i = 0; i < 101; i++) want[i] = HAN;
  CHECK(vocab_gives(t, text, sizeof text, 0, want, 101));
}

static void decoding(const en_tokenizer *t) {
  static const int32_t ids[] = {CLS, UN, AFF, ABLE, COFFEE, DASH, SEP};
  size_t n;
  char *text = vocab_decode(t, ids, 7, 0, 1, &n);
  CHECK(!strcmp(text, "unaffable coffee -"));
  free(text);
  const en_special *s = en_tokenizer_special(t);
  CHECK(s->bos == CLS && s->cls == CLS && s->eos == SEP && s->sep == SEP && s->unk == UNK && s->pad == PAD && s->add_bos && s->add_eos);
}

static void check_parts(uint32_t cp, int32_t n_want, const uint32_t *want) {
  uint32_t got[EN_MAX_PARTS];
  const int32_t n = en_codepoint_decompose(cp, got);
  CHECK_EQ(n, n_want);
  CHECK(n == n_want && !memcmp(got, want, (size_t)n * sizeof *got));
}

/* Examples of the Unicode standard, and the ends of tables. */
static void unicode(void) {
  check_parts('a', 1, (uint32_t[]){'a'});
  check_parts(0xC5, 2, (uint32_t[]){'A', 0x30A});
  check_parts(0x212B, 2, (uint32_t[]){'A', 0x30A});
  check_parts(0x1F82, 4, (uint32_t[]){0x3B1, 0x313, 0x300, 0x345});
  check_parts(0xD4DB, 3, (uint32_t[]){0x1111, 0x1171, 0x11B6});
  check_parts(0xAC00, 2, (uint32_t[]){0x1100, 0x1161});
  check_parts(0x2FA1D, 1, (uint32_t[]){0x2A600});
  check_parts(0x10FFFF, 1, (uint32_t[]){0x10FFFF});
  static const uint32_t lower[][2] = {{'A', 'a'}, {'Z', 'z'}, {'[', '['}, {0xC0, 0xE0}, {0xD7, 0xD7}, {0x130, 'i'}, {0x100, 0x101}, {0x101, 0x101}, {0x102, 0x103}, {0x178, 0xFF}, {0x3A3, 0x3C3}, {0x1E9E, 0xDF}, {0x23A, 0x2C65}, {0x10400, 0x10428}, {0x1E921, 0x1E943}, {0x4E00, 0x4E00}};
  for (size_t i = 0; i < sizeof lower / sizeof *lower; i++) CHECK_EQ(en_codepoint_lower(lower[i][0]), lower[i][1]);
}

int main(void) {
  vocab_t v = open_small(0);
  if (v.status == EN_OK) {
    words(v.t);
    limits(v.t);
    decoding(v.t);
  }
  vocab_close(&v);
  accents();
  unicode();
  return test_end();
}

/* Tokenizers on small vocabularies: merging against a slow restatement of the rule, special tokens, spaces, bytes, every refusal. */
#include "../../core/base/base.h"
#include "vocab_build.h"

enum { MAX_SMALL = 600 };
static const char hex[] = "0123456789ABCDEF";

/* ---- a SentencePiece vocabulary: <unk> <s> </s>, 256 bytes from id 3, then the given tokens from id 259 ---- */

enum { SPM_FIRST = 259 };
static head_t spm_head(const token_t *extra, uint64_t n_extra, int bytes) {
  static char names[256][8];
  token_t all[MAX_SMALL] = {{"<unk>", UNKNOWN, 0}, {"<s>", CONTROL, 0}, {"</s>", CONTROL, 0}};
  for (int b = 0; b < 256; b++) {
    snprintf(names[b], sizeof *names, bytes ? "<0x%c%c>" : "[%c%c]", hex[b >> 4], hex[b & 15]);
    all[3 + b] = (token_t){names[b], bytes ? BYTE : NORMAL, 0};
  }
  if (n_extra) memcpy(all + SPM_FIRST, extra, (size_t)n_extra * sizeof *extra);
  head_t h = head_begin();
  head_tokens(&h, "llama", all, SPM_FIRST + n_extra);
  return h;
}
static vocab_t open_head(head_t h) {
  vocab_t v = vocab_open(h.bytes, h.n);
  if (v.status != EN_OK) printf("%s\n", v.why.text);
  CHECK_EQ(v.status, EN_OK);
  return v;
}
/* GIVES(v, "text", flags, ids...) */
#define GIVES(v, text, flags, ...) do { const int32_t want_[] = {__VA_ARGS__}; \
  CHECK(vocab_gives((v).t, text, sizeof(text) - 1, flags, want_, (int64_t)(sizeof want_ / sizeof *want_))); } while (0)
#define DECODES(v, text, flags, at_start, ...) do { const int32_t ids_[] = {__VA_ARGS__}; size_t n_; \
  char *got_ = vocab_decode((v).t, ids_, sizeof ids_ / sizeof *ids_, flags, at_start, &n_); \
  if (!got_ || n_ != sizeof(text) - 1 || memcmp(got_, text, n_)) printf("decoded \"%s\"\n", got_ ? got_ : "(nothing)"); \
  CHECK(got_ && n_ == sizeof(text) - 1 && !memcmp(got_, text, n_)); free(got_); } while (0)

#define MARK "\xe2\x96\x81"
static const token_t small[] = {
  {MARK, NORMAL, -10}, {"a", NORMAL, -11}, {"b", NORMAL, -12}, {"c", NORMAL, -13}, {"ab", NORMAL, -2}, {"bc", NORMAL, -1}, {MARK "a", NORMAL, -3},   /* 259..265 */
  {MARK "ab", NORMAL, -4}, {"<|go|>", CONTROL, 0}, {"<|go|>!", USER_DEFINED, 0}, {"<|", USER_DEFINED, 0}, {"cc", NORMAL, -5}, {"ccc", UNUSED, -6},  /* 266..271 */
};
enum { SPACE = 259, A, B, C, AB, BC, SPACE_A, SPACE_AB, GO, GO_BANG, OPEN, CC, CCC };

static void spm(void) {
  vocab_t v = open_head(spm_head(small, sizeof small / sizeof *small, 1));
  GIVES(v, "ab", 0, SPACE_AB);                    /* "ab" scores more than " a", then " ab" exists */
  GIVES(v, "abc", 0, SPACE_A, BC);                /* "bc" scores most of all */
  GIVES(v, " a", 0, SPACE, SPACE_A);
  GIVES(v, "ccccc", 0, SPACE, CC, CCC);           /* cc cc c: the leftmost of equals first, then what is left merges */
  GIVES(v, "a\n\xc3\xa4", 0, SPACE_A, 3 + 0x0a, 3 + 0xc3, 3 + 0xa4);
  GIVES(v, "a" MARK "b", 0, SPACE_A, SPACE, B);   /* a mark in the text is a space, as in SentencePiece */
  GIVES(v, "a", EN_TOK_BOS, 1, SPACE_A);          /* BOS by default, EOS not */
  GIVES(v, "a", EN_TOK_BOS | EN_TOK_EOS, 1, SPACE_A);
  GIVES(v, "", EN_TOK_BOS, 1);
  CHECK(vocab_gives(v.t, "", 0, 0, NULL, 0));
  CHECK_EQ(en_tokenizer_special(v.t)->eos, 2);
  CHECK_EQ(en_tokenizer_special(v.t)->unk, 0);
  CHECK_EQ(en_token_find(v.t, MARK "ab", 5), SPACE_AB);
  CHECK_EQ(en_token_find(v.t, "abcabc", 6), -1);
  CHECK_EQ(en_token_find(v.t, "", 0), -1);
  CHECK(!en_token_is_end(v.t, 1) && en_token_is_end(v.t, 2) && !en_token_is_end(v.t, -1));
  DECODES(v, "ab", 0, 1, SPACE_AB);
  DECODES(v, " ab", 0, 0, SPACE_AB);
  DECODES(v, "ab", 0, 1, 1, SPACE_AB);            /* BOS gives nothing and does not end the start */
  DECODES(v, "<s>ab</s>", EN_TOK_SPECIAL, 1, 1, SPACE_AB, 2);
  DECODES(v, "\n b", 0, 1, 3 + 0x0a, SPACE, B);
  vocab_close(&v);

  const token_t joined[] = {{MARK, NORMAL, -10}, {"a", NORMAL, -11}, {"b", NORMAL, -12}, {MARK "b", NORMAL, -3}, {"a" MARK "b", NORMAL, -4}};
  v = open_head(spm_head(joined, 5, 1));
  GIVES(v, "ba b", 0, 262, 263); /* a token across the words: they are not merged one by one then */
  vocab_close(&v);
}

static void special_tokens(void) {
  vocab_t v = open_head(spm_head(small, sizeof small / sizeof *small, 1));
  GIVES(v, "a<|go|>b", EN_TOK_SPECIAL, SPACE_A, GO, SPACE, B);
  GIVES(v, "a<|go|>!b", EN_TOK_SPECIAL, SPACE_A, GO_BANG, SPACE, B);   /* the longest */
  GIVES(v, "a<|go|>!b", 0, SPACE_A, GO_BANG, SPACE, B);                /* user-defined ones always */
  GIVES(v, "<|go|>", 0, OPEN, SPACE, 3 + 'g', 3 + 'o', 3 + '|', 3 + '>'); /* a control token's text is plain text */
  GIVES(v, "<s>", 0, SPACE, 3 + '<', 3 + 's', 3 + '>');
  GIVES(v, "<s><s>", EN_TOK_SPECIAL, 1, 1);
  GIVES(v, "<|g", EN_TOK_SPECIAL, OPEN, SPACE, 3 + 'g');
  GIVES(v, "<", EN_TOK_SPECIAL, SPACE, 3 + '<');
  DECODES(v, "<|go|>!a", 0, 1, GO_BANG, SPACE_A);
  static const char text[] = " a<|go|> b<|go|>!<|ab  ";
  CHECK(vocab_round_trip(v.t, text, sizeof text - 1, EN_TOK_SPECIAL));
  CHECK(vocab_round_trip(v.t, text, sizeof text - 1, 0));
  vocab_close(&v);
}

static void special_keys(void) {
  head_t h = spm_head(small, sizeof small / sizeof *small, 1);
  head_flag(&h, "tokenizer.ggml.add_bos_token", 0);
  head_flag(&h, "tokenizer.ggml.add_eos_token", 1);
  head_flag(&h, "tokenizer.ggml.add_space_prefix", 0);
  head_id(&h, "tokenizer.ggml.bos_token_id", GO);
  head_id(&h, "tokenizer.ggml.eos_token_id", C);
  head_id(&h, "tokenizer.ggml.padding_token_id", UINT32_MAX); /* -1 in some files: none */
  head_id(&h, "tokenizer.ggml.mask_token_id", 100000);
  head_id(&h, "tokenizer.ggml.seperator_token_id", A);
  head_string(&h, "general.name", "My Phi-3 mini");
  vocab_t v = open_head(h);
  const en_special *s = en_tokenizer_special(v.t);
  CHECK(s->bos == GO && s->eos == C && s->pad == -1 && s->mask == -1 && s->sep == A && s->cls == -1 && !s->add_bos && s->add_eos);
  GIVES(v, "ab", EN_TOK_BOS | EN_TOK_EOS, AB, C);
  GIVES(v, "<|go|> \n\tb", EN_TOK_SPECIAL, GO, B); /* phi-3's special tokens eat the blanks after them ... */
  GIVES(v, "<s> b", EN_TOK_SPECIAL, 1, SPACE, B);  /* ... but not this one */
  CHECK(en_token_is_end(v.t, C) && !en_token_is_end(v.t, B));
  DECODES(v, " ab", 0, 1, SPACE_AB);
  vocab_close(&v);

  token_t masked[] = {{MARK, NORMAL, 0}, {"<mask>", CONTROL, 0}};
  h = spm_head(masked, 2, 1);
  head_string(&h, "tokenizer.ggml.pre", "jina-v2-de");
  v = open_head(h);
  GIVES(v, "x \t<mask> x", EN_TOK_SPECIAL, 259, 3 + 'x', 260, 259, 259, 3 + 'x');
  vocab_close(&v);
}

static void ends_by_name(void) {
  const token_t names[] = {{"<|im_end|>", CONTROL, 0}, {"<|eom_id|>", CONTROL, 0}, {"<|end|>", CONTROL, 0}, {"<|endoftext|>", NORMAL, 0}, {"<|return|>", CONTROL, 0}};
  vocab_t v = open_head(spm_head(names, 4, 1));
  const en_special *s = en_tokenizer_special(v.t);
  CHECK(s->eot == SPM_FIRST && s->eom == SPM_FIRST + 1);
  CHECK(en_token_is_end(v.t, SPM_FIRST) && en_token_is_end(v.t, SPM_FIRST + 1) && en_token_is_end(v.t, SPM_FIRST + 2));
  CHECK(!en_token_is_end(v.t, SPM_FIRST + 3)); /* a text that is no control token */
  vocab_close(&v);
  v = open_head(spm_head(names, 5, 1)); /* with <|return|>, <|end|> only closes a part of an answer */
  CHECK(en_token_is_end(v.t, SPM_FIRST + 4) && !en_token_is_end(v.t, SPM_FIRST + 2));
  vocab_close(&v);
}

/* ---- byte-level BPE ---- */

/* GPT-2's alphabet restated: bytes that print stand for themselves, the others get U+0100, U+0101, ... in order. */
static const char *spelling(int byte) {
  static char names[256][4];
  int next = 0x100;
  for (int b = 0; b < 256; b++) {
    const int prints = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF), cp = prints ? b : next++;
    if (cp < 0x80) { names[b][0] = (char)cp; names[b][1] = 0; }
    else { names[b][0] = (char)(0xC0 | cp >> 6); names[b][1] = (char)(0x80 | (cp & 63)); names[b][2] = 0; }
  }
  return names[byte];
}
#define G "\xc4\xa0" /* U+0120: a space */
static const char *const merges[] = {"h e", "l l", "he ll", "hell o", G " w", "o r", G "w or", "1 2", "x y"};
/* 256 bytes, then the merged texts; "xyz" can only be taken whole. */
static const token_t words[] = {{"he", NORMAL, 0}, {"ll", NORMAL, 0}, {"hell", NORMAL, 0}, {"hello", NORMAL, 0}, {G "w", NORMAL, 0}, {"or", NORMAL, 0},
  {G "wor", NORMAL, 0}, {"12", NORMAL, 0}, {"xy", NORMAL, 0}, {"xyz", NORMAL, 0}, {"<|end|>", CONTROL, 0}, {"<tag>", USER_DEFINED, 0}};
enum { HE = 256, LL, HELL, HELLO, W, OR, WOR, TWELVE, XY, XYZ, END, TAG };

static head_t bpe_head(const char *pre) {
  token_t all[MAX_SMALL];
  for (int b = 0; b < 256; b++) all[b] = (token_t){spelling(b), NORMAL, 0};
  memcpy(all + 256, words, sizeof words);
  head_t h = head_begin();
  head_tokens(&h, "gpt2", all, 256 + sizeof words / sizeof *words);
  head_merges(&h, merges, sizeof merges / sizeof *merges);
  if (pre) head_string(&h, "tokenizer.ggml.pre", pre);
  return h;
}

static void bpe(void) {
  vocab_t v = open_head(bpe_head("gpt-2"));
  GIVES(v, "hello world", 0, HELLO, WOR, 'l', 'd');
  GIVES(v, "hellhe", 0, HELL, HE);
  GIVES(v, "xyz", 0, XY, 'z');
  GIVES(v, "\n<|end|><tag>12", EN_TOK_SPECIAL | EN_TOK_BOS | EN_TOK_EOS, '\n', END, TAG, TWELVE);
  GIVES(v, "<|end|>", 0, '<', '|', 'e', 'n', 'd', '|', '>');
  GIVES(v, "\xff\x00\xad", 0, 0xff, 0, 0xad);
  DECODES(v, "hello wor", 0, 1, HELLO, WOR, END);
  DECODES(v, " w<|end|><tag>", EN_TOK_SPECIAL, 1, W, END, TAG);
  CHECK_EQ(en_tokenizer_special(v.t)->bos, -1);
  CHECK(en_token_is_end(v.t, END));
  vocab_close(&v);
  head_t h = bpe_head("llama-bpe");
  head_id(&h, "tokenizer.ggml.bos_token_id", END);
  v = open_head(h);
  GIVES(v, "xyz", EN_TOK_BOS, END, XYZ); /* whole words first; BOS without the file's saying so */
  GIVES(v, "xyzz", 0, XY, 'z', 'z');
  vocab_close(&v);
  v = open_head(bpe_head(NULL)); /* "default" */
  GIVES(v, "1212", 0, TWELVE, '1', '2');
  vocab_close(&v);
}

/* Any bytes come back, through either kind and every family of pre-tokenizers. */
static void any_bytes_return(void) {
  static const char *const pres[] = {"gpt-2", "llama-bpe", "qwen2", "smollm", "default"};
  vocab_t v[6];
  for (int i = 0; i < 5; i++) v[i] = open_head(bpe_head(pres[i]));
  v[5] = open_head(spm_head(small, sizeof small / sizeof *small, 1));
  char text[200];
  for (uint64_t round = 0; round < 3000; round++) {
    const size_t n = (size_t)(en_random(5, round) % sizeof text);
    for (size_t i = 0; i < n; i++) { /* letters and blanks among everything */
      const uint64_t r = en_random(round + 9, i);
      text[i] = r % 3 ? (char)(r >> 8) : "abc hello12\n<|end|><|go|>!"[(r >> 8) % 25];
    }
    for (size_t i = 0; i + 2 < n; i++) /* a mark becomes a space: not this time */
      if (!memcmp(text + i, MARK, 3)) text[i] = 'a';
    CHECK(vocab_round_trip(v[round % 6].t, text, n, round & 64 ? EN_TOK_SPECIAL : 0));
  }
  for (int i = 0; i < 6; i++) vocab_close(&v[i]);
}

/* ---- merging against the rule said slowly: look through all pairs, merge the best, again ---- */

enum { PIECE_BYTES = 12, RANDOM_TOKENS = 60 };
typedef struct { char text[RANDOM_TOKENS][PIECE_BYTES]; char merge[RANDOM_TOKENS][2 * PIECE_BYTES]; int left[RANDOM_TOKENS], right[RANDOM_TOKENS]; float score[RANDOM_TOKENS]; int n; } random_vocab;

/* a, b, c, d, then random joins of two that are there. */
static void grow(random_vocab *r, uint64_t seed) {
  for (r->n = 0; r->n < 4; r->n++) { r->text[r->n][0] = (char)('a' + r->n); r->text[r->n][1] = 0; r->score[r->n] = -1000; }
  for (uint64_t k = 0; r->n < RANDOM_TOKENS; k++) {
    const int i = (int)(en_random(seed, 2 * k) % (uint64_t)r->n), j = (int)(en_random(seed, 2 * k + 1) % (uint64_t)r->n);
    char joined[2 * PIECE_BYTES], pair[2 * PIECE_BYTES];
    snprintf(joined, sizeof joined, "%s%s", r->text[i], r->text[j]);
    snprintf(pair, sizeof pair, "%s %s", r->text[i], r->text[j]);
    int known = strlen(joined) >= PIECE_BYTES;
    for (int t = 0; t < r->n; t++) known = known || !strcmp(r->text[t], joined);
    if (known) continue;
    memcpy(r->text[r->n], joined, PIECE_BYTES);
    memcpy(r->merge[r->n], pair, sizeof pair);
    r->left[r->n] = i;
    r->right[r->n] = j;
    r->score[r->n++] = 9 - (float)(en_random(seed + 1, k) % 20); /* ties, both signs */
  }
}

/* The better the lower; DBL_MAX-like: no merge. *to: what the pair becomes. */
static double worth(const random_vocab *r, int spm_rule, int left, int right, int *to) {
  char joined[2 * PIECE_BYTES];
  snprintf(joined, sizeof joined, "%s%s", r->text[left], r->text[right]);
  for (int t = 4; t < r->n; t++) {
    if (spm_rule ? !strcmp(r->text[t], joined) : r->left[t] == left && r->right[t] == right) { *to = t; return spm_rule ? -(double)r->score[t] : t; }
  }
  return 1e9;
}
static int merge_slowly(const random_vocab *r, int spm_rule, int *pieces, int n) {
  for (;;) {
    int best = -1, to = -1, best_to = -1;
    double best_worth = 1e9;
    for (int i = 0; i + 1 < n; i++) {
      const double w = worth(r, spm_rule, pieces[i], pieces[i + 1], &to);
      if (w < best_worth) { best_worth = w; best = i; best_to = to; }
    }
    if (best < 0) return n;
    pieces[best] = best_to;
    memmove(pieces + best + 1, pieces + best + 2, (size_t)(n - best - 2) * sizeof *pieces);
    n--;
  }
}

static head_t random_head(const random_vocab *r, int spm_rule) {
  token_t extra[RANDOM_TOKENS];
  const char *list[2 * RANDOM_TOKENS]; /* each merge again after all of them, in the opposite order: the first ones count */
  for (int i = 0; i < r->n; i++) { extra[i] = (token_t){r->text[i], NORMAL, r->score[i]}; list[i] = list[2 * r->n - 1 - i] = r->merge[i]; }
  head_t h;
  if (spm_rule) {
    h = spm_head(extra, (uint64_t)r->n, 1);
    head_flag(&h, "tokenizer.ggml.add_space_prefix", 0);
  } else {
    h = head_begin();
    head_tokens(&h, "gpt2", extra, (uint64_t)r->n);
    head_merges(&h, list + 4, 2 * ((uint64_t)r->n - 4));
    head_string(&h, "tokenizer.ggml.pre", "gpt-2");
  }
  return h;
}

static void merging(void) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    const int spm_rule = (int)(seed & 1), first = spm_rule ? SPM_FIRST : 0;
    random_vocab r = {0};
    grow(&r, 1000 + 7 * seed);
    vocab_t v = open_head(random_head(&r, spm_rule));
    for (uint64_t round = 0; round < 20; round++) {
      char text[120];
      int pieces[120];
      int32_t want[120];
      const int n = 1 + (int)(en_random(seed, 1000 + round) % 120);
      for (int i = 0; i < n; i++) { pieces[i] = (int)(en_random(seed * 99 + round, (uint64_t)i) % 4); text[i] = (char)('a' + pieces[i]); }
      const int left = merge_slowly(&r, spm_rule, pieces, n);
      for (int i = 0; i < left; i++) want[i] = first + pieces[i];
      CHECK(vocab_gives(v.t, text, (size_t)n, 0, want, left));
    }
    vocab_close(&v);
  }
}

/* ---- limits of the calls ---- */

static void limits(void) {
  head_t h = spm_head(small, sizeof small / sizeof *small, 1);
  const size_t bytes = en_tokenizer_bytes(h.bytes, h.n);
  unsigned char *mem = aligned_alloc(64, bytes + 64);
  en_tokenizer *t = NULL;
  en_why why;
  CHECK(bytes > 0);
  for (size_t n = 0; n < bytes; n += 97) CHECK_EQ(en_tokenizer_init(&t, mem, n, h.bytes, h.n, &why), EN_E_NOMEM);
  CHECK_EQ(en_tokenizer_init(&t, NULL, bytes, h.bytes, h.n, NULL), EN_E_NOMEM);
  CHECK_EQ(en_tokenizer_init(NULL, mem, bytes, h.bytes, h.n, NULL), EN_E_ARG);
  CHECK(t == NULL);
  memset(mem, 0xEE, bytes + 64); /* the memory's old content does not matter, and nothing past its end is touched */
  CHECK_EQ(en_tokenizer_init(&t, mem, bytes, h.bytes, h.n, &why), EN_OK);
  for (size_t i = bytes; i < bytes + 64; i++) CHECK_EQ(mem[i], 0xEE);

  const size_t need = en_encode_bytes(t, 5);
  unsigned char *scratch = aligned_alloc(64, need + 64);
  int32_t ids[8] = {-7, -7, -7, -7, -7, -7, -7, -7};
  size_t n = 99;
  memset(scratch, 0xEE, need + 64);
  CHECK_EQ(en_encode(t, "ab ab", 5, 0, ids, 8, &n, scratch, need - 1), EN_E_NOMEM);
  CHECK_EQ(n, 99);
  CHECK_EQ(en_encode(t, "ab ab", 5, 0, ids, 1, &n, scratch, need), EN_E_FULL);
  CHECK(n == 2 && ids[1] == -7);
  CHECK_EQ(en_encode(t, "ab ab", 5, 0, NULL, 0, &n, scratch, need), EN_E_FULL);
  CHECK_EQ(n, 2);
  for (size_t i = need; i < need + 64; i++) CHECK_EQ(scratch[i], 0xEE);
  CHECK_EQ(en_encode(t, NULL, 5, 0, ids, 8, &n, scratch, need), EN_E_ARG);
  CHECK_EQ(en_encode(t, "a", 1, 0, ids, 8, NULL, scratch, need), EN_E_ARG);
  CHECK_EQ(en_encode_bytes(t, SIZE_MAX), 0);
  char text[4];
  const int32_t good[] = {AB, AB}, bad[] = {AB, SPM_FIRST + 13}, negative[] = {-1};
  CHECK_EQ(en_decode(t, good, 2, 0, 1, text, 3, &n), EN_E_FULL);
  CHECK_EQ(n, 4);
  CHECK_EQ(en_decode(t, good, 2, 0, 1, text, 4, &n), EN_OK);
  CHECK_EQ(en_decode(t, bad, 2, 0, 1, text, 4, &n), EN_E_ARG);
  CHECK_EQ(en_decode(t, negative, 1, 0, 1, text, 4, &n), EN_E_ARG);
  free(scratch);
  free(mem);
  free(h.bytes);
}

/* ---- files that are refused, each with its sentence ---- */

static void refused(head_t h, int32_t status, const char *word) {
  vocab_t v = vocab_open(h.bytes, h.n);
  CHECK_EQ(v.status, status);
  if (!strstr(v.why.text, word)) printf("\"%s\" should name %s\n", v.why.text, word);
  CHECK(strstr(v.why.text, word) != NULL);
  vocab_close(&v);
}
static head_t with_model(const char *model) {
  const token_t one = {"a", NORMAL, 0};
  head_t h = head_begin();
  head_tokens(&h, model, &one, 1);
  return h;
}

static void refusals(void) {
  refused(head_begin(), EN_E_UNSUPPORTED, "tokenizer.ggml.model");
  refused(with_model("wordsalad"), EN_E_UNSUPPORTED, "wordsalad");
  refused(with_model("gpt2"), EN_E_FORMAT, "tokenizer.ggml.merges");
  refused(bpe_head("no-such-rule"), EN_E_UNSUPPORTED, "no-such-rule");
  head_t h = head_begin();
  head_string(&h, "tokenizer.ggml.model", "llama");
  refused(h, EN_E_UNSUPPORTED, "tokenizer.ggml.tokens");
  h = head_begin();
  head_string(&h, "tokenizer.ggml.model", "llama");
  head_id(&h, "tokenizer.ggml.tokens", 3);
  refused(h, EN_E_FORMAT, "tokenizer.ggml.tokens");
  h = head_begin();
  head_string(&h, "tokenizer.ggml.model", "llama");
  head_array(&h, "tokenizer.ggml.tokens", GGUF_STRING, 1);
  head_counted(&h, "a", 1);
  head_array(&h, "tokenizer.ggml.scores", GGUF_F32, 2);
  head_u64(&h, 0);
  refused(h, EN_E_FORMAT, "tokenizer.ggml.scores");
  h = with_model("llama");
  head_string(&h, "tokenizer.ggml.bos_token_id", "one");
  refused(h, EN_E_FORMAT, "tokenizer.ggml.bos_token_id");
  h = with_model("llama");
  head_id(&h, "tokenizer.ggml.add_bos_token", 1);
  refused(h, EN_E_FORMAT, "tokenizer.ggml.add_bos_token");
  static const char *const no_pair[] = {"ab"};
  h = with_model("gpt2");
  head_merges(&h, no_pair, 1);
  refused(h, EN_E_FORMAT, "merge 0");
  h = head_begin();
  head_string(&h, "tokenizer.ggml.model", "llama");
  head_array(&h, "tokenizer.ggml.tokens", GGUF_STRING, 1);
  static char longish[5000];
  memset(longish, 'a', sizeof longish);
  head_counted(&h, longish, sizeof longish);
  refused(h, EN_E_UNSUPPORTED, "5000 bytes");
  h = bpe_head("gpt-2"); /* every cut head */
  for (size_t n = 0; n < h.n; n += 13) {
    en_tokenizer *t;
    CHECK(en_tokenizer_bytes(h.bytes, n) == 0 && en_tokenizer_init(&t, NULL, 0, h.bytes, n, NULL) == EN_E_MORE);
  }
  free(h.bytes);
}

/* Odd but usable: twice the same text, empty tokens, merges of unknown texts, special ids that are not there, no bytes. */
static void odd_files(void) {
  const token_t odd[] = {{"a", NORMAL, -1}, {"a", NORMAL, -1}, {"", NORMAL, 0}, {"", CONTROL, 0}, {"a", CONTROL, 0}, {"b", 77, 0}, {"<x>", CONTROL, 0}, {"<x>", CONTROL, 0}};
  head_t h = spm_head(odd, 8, 0);
  vocab_t v = open_head(h);
  GIVES(v, "<x>", EN_TOK_SPECIAL, SPM_FIRST + 7);
  CHECK_EQ(en_token_find(v.t, "<x>", 3), SPM_FIRST + 7);
  GIVES(v, "ab", 0, 0, 0, 0, SPM_FIRST + 1, SPM_FIRST + 5); /* no space and no bytes here: three unknown bytes */
  vocab_close(&v);

  const token_t two[] = {{"a", NORMAL, 0}, {"b", NORMAL, 0}};
  static const char *const strange[] = {"a c", "q b", "a b"};
  h = head_begin();
  head_tokens(&h, "gpt2", two, 2);
  head_merges(&h, strange, 3);
  head_id(&h, "tokenizer.ggml.eos_token_id", 99);
  v = open_head(h);
  GIVES(v, "ab", EN_TOK_EOS, 0, 1);
  int64_t n;
  free(vocab_encode(v.t, "abc", 3, 0, &n));
  CHECK_EQ(n, EN_E_UNSUPPORTED); /* no token, no byte token, no unknown token: nothing is dropped in silence */
  CHECK_EQ(en_tokenizer_special(v.t)->eos, -1);
  vocab_close(&v);

  const token_t twins[] = {{"a", NORMAL, 0}, {"b", NORMAL, 0}, {"c", NORMAL, 0}, {"ab", NORMAL, 0}, {"bc", NORMAL, 0}, {"bc", NORMAL, 0}};
  static const char *const pairs[] = {"a b", "b c"};
  h = head_begin();
  head_tokens(&h, "gpt2", twins, 6);
  head_merges(&h, pairs, 2);
  v = open_head(h);
  GIVES(v, "bc", 0, 5); /* the later of equal texts, though the one before it stands where merges expect theirs */
  vocab_close(&v);
}

/* The same texts, one with padding behind them; then one text changed. */
static void same_vocabulary(void) {
  const token_t texts[] = {{"a", NORMAL, -1}, {"bc", NORMAL, -2}, {"<pad>", UNUSED, 0}}, other[] = {{"a", NORMAL, -1}, {"bd", NORMAL, -2}};
  vocab_t two = open_head(spm_head(texts, 2, 1)), three = open_head(spm_head(texts, 3, 1)), changed = open_head(spm_head(other, 2, 1));
  CHECK_EQ(en_tokenizer_same(two.t, two.t), 1);
  CHECK_EQ(en_tokenizer_same(two.t, three.t), 1);
  CHECK_EQ(en_tokenizer_same(three.t, two.t), 1);
  CHECK_EQ(en_tokenizer_same(two.t, changed.t), 0);
  CHECK_EQ(en_tokenizer_same(changed.t, three.t), 0);
  vocab_close(&two);
  vocab_close(&three);
  vocab_close(&changed);
}

int main(void) {
  same_vocabulary();
  spm();
  special_tokens();
  special_keys();
  ends_by_name();
  bpe();
  any_bytes_return();
  merging();
  limits();
  refusals();
  odd_files();
  return test_end();
}

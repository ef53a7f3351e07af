/* grammar_fuzz.c - any grammar (first byte even) or JSON schema (odd), up to a NUL; the bytes after it walk through what it allows. A token is accepted exactly when the mask allows it. */
#include "../unit/vocab_build.h"

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
enum { N_TOKENS = 260, END = 259, MAX_STEPS = 24 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static vocab_t open_bytes(void) {
  static char names[256][8];
  token_t all[N_TOKENS] = {[256] = {"\",", NORMAL, 0}, [257] = {"\xc3\xa4", NORMAL, 0}, [258] = {"<s>", CONTROL, 0}, [END] = {"</s>", CONTROL, 0}};
  for (int b = 0; b < 256; b++) {
    snprintf(names[b], sizeof *names, "<0x%02X>", (unsigned)b);
    all[b] = (token_t){names[b], BYTE, 0};
  }
  head_t h = head_begin();
  head_tokens(&h, "llama", all, N_TOKENS);
  head_id(&h, "tokenizer.ggml.eos_token_id", END);
  head_id(&h, "tokenizer.ggml.unknown_token_id", 258);
  head_id(&h, "tokenizer.ggml.bos_token_id", 258);
  return vocab_open(h.bytes, h.n);
}

static void walk(en_grammar *g, const uint8_t *choices, size_t n) {
  float logits[N_TOKENS];
  for (size_t step = 0; step < n && step < MAX_STEPS; step++) {
    int32_t allowed[N_TOKENS], n_allowed = 0, wrong = -1;
    for (int32_t i = 0; i < N_TOKENS; i++) logits[i] = 0;
    if (en_grammar_mask(g, logits, N_TOKENS, NULL) <= 0) return;
    for (int32_t i = 0; i < N_TOKENS; i++) {
      if (logits[i] == 0) allowed[n_allowed++] = i;
      else if (wrong < choices[step]) wrong = i;
    }
    REQUIRE(n_allowed && (wrong < 0 || en_grammar_accept(g, wrong) == EN_E_ARG));
    const int32_t id = allowed[choices[step] % n_allowed];
    REQUIRE(en_grammar_accept(g, id) == EN_OK);
    if (id == END) return;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (!n) return 0;
  const uint8_t *end = memchr(data + 1, 0, n - 1);
  const size_t n_text = end ? (size_t)(end - data - 1) : n - 1;
  vocab_t v = open_bytes();
  REQUIRE(v.status == EN_OK);
  const size_t n_lexicon = en_lexicon_bytes(v.t);
  void *lexicon_mem = aligned_alloc(64, n_lexicon);
  en_lexicon *x;
  REQUIRE(en_lexicon_init(&x, lexicon_mem, n_lexicon, v.t) == EN_OK);
  const size_t n_grammar = en_grammar_bytes(x);
  void *grammar_mem = aligned_alloc(64, n_grammar);
  char *text = malloc(n_text ? n_text : 1); /* exactly as long as it is, so that a read past it is seen; gone before the grammar is used */
  REQUIRE(text);
  memcpy(text, data + 1, n_text);
  en_grammar *g;
  en_why why = {{0}};
  const int32_t status = en_grammar_init(&g, grammar_mem, n_grammar, x, data[0] & 1, text, n_text, &why);
  free(text);
  REQUIRE(status == EN_OK || why.text[0]);
  if (status == EN_OK && end) walk(g, end + 1, n - n_text - 2);
  free(grammar_mem);
  free(lexicon_mem);
  vocab_close(&v);
  return 0;
}

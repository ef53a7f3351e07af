/* Tokenizers. The first byte says what the rest is: 0xxxxxxx a GGUF head of any bytes; 1xxxxxxx a recipe for a valid head with an
 * odd vocabulary, which gets much deeper. The end of the input is also the text that is encoded, and ids that are decoded. */
#include "../../core/text/text.h"
#include "../unit/vocab_build.h"

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* ---- the recipe: bytes are taken from the front; past the end they are 0 ---- */

typedef struct { const uint8_t *at; size_t n; } bytes_t;
static uint8_t take(bytes_t *b) {
  if (!b->n) return 0;
  b->n--;
  return *b->at++;
}

static void take_text(bytes_t *b, head_t *h, size_t length) {
  length = EN_MIN(length, b->n);
  head_counted(h, (const char *)b->at, length);
  b->at += length;
  b->n -= length;
}

/* The first n_bytes tokens are the single bytes, spelled as RWKV's files spell them. */
static void take_tokens(bytes_t *b, head_t *h, uint64_t n, uint64_t n_bytes) {
  uint8_t kinds[512] = {0};
  char spelled[8];
  n += n_bytes;
  head_array(h, "tokenizer.ggml.tokens", GGUF_STRING, n);
  for (uint64_t i = 0; i < n_bytes; i++) head_counted(h, spelled, (size_t)snprintf(spelled, sizeof spelled, "\\x%02x", (unsigned)i));
  for (uint64_t i = n_bytes; i < n; i++) {
    const uint8_t head = take(b);
    kinds[i] = head >> 4;
    take_text(b, h, head & 15);
  }
  head_array(h, "tokenizer.ggml.token_type", GGUF_I32, n);
  for (uint64_t i = 0; i < n; i++) head_u32(h, kinds[i] < 7 ? kinds[i] : NORMAL);
}

static void take_merges(bytes_t *b, head_t *h, uint64_t n) {
  head_array(h, "tokenizer.ggml.merges", GGUF_STRING, n);
  for (uint64_t i = 0; i < n; i++) {
    take_text(b, h, take(b) & 15);
  }
}

/* A table of characters: its units, at most 255 of any bytes, then texts. */
static void take_map(bytes_t *b, head_t *h) {
  const uint32_t n_units = take(b), n_texts = take(b);
  head_array(h, "tokenizer.ggml.precompiled_charsmap", 0 /* u8 */, 4 + 4 * n_units + n_texts + 1);
  head_u32(h, 4 * n_units);
  for (uint32_t i = 0; i < 4 * n_units + n_texts; i++) { const uint8_t byte = take(b); head_put(h, &byte, 1); }
  head_put(h, "", 1);
}

static head_t cook(bytes_t *b) {
  static const char *const pres[] = {"default", "gpt-2", "llama-bpe", "qwen2", "smollm", "jina-v2-de", "modern-bert", "?"};
  const uint8_t recipe = take(b), n_tokens = take(b), flags = take(b);
  head_t h = head_begin();
  head_string(&h, "tokenizer.ggml.model", recipe & 16 ? "rwkv" : recipe & 32 ? "t5" : recipe & 1 ? "llama" : flags & 64 ? "bert" : "gpt2");
  head_string(&h, "tokenizer.ggml.pre", pres[recipe >> 1 & 7]);
  if (flags & 1) head_string(&h, "general.name", "phi-3");
  if (flags & 2) head_flag(&h, "tokenizer.ggml.add_space_prefix", flags & 4);
  if (flags & 8) head_id(&h, "tokenizer.ggml.unknown_token_id", take(b));
  if (flags & 16) head_id(&h, "tokenizer.ggml.bos_token_id", take(b));
  take_tokens(b, &h, n_tokens, recipe & 16 ? 256 : 0);
  if (flags & 32) {
    head_array(&h, "tokenizer.ggml.scores", GGUF_F32, n_tokens);
    for (uint32_t i = 0; i < n_tokens; i++) { const float score = (float)(int8_t)take(b); head_put(&h, &score, 4); }
  }
  if (flags & 128) head_flag(&h, "tokenizer.ggml.normalizer.lowercase", 0);
  if (recipe & 32) head_flag(&h, "tokenizer.ggml.remove_extra_whitespaces", flags & 64);
  if (recipe & 32 && flags & 128) take_map(b, &h);
  if (!(recipe & 1) && !(flags & 64)) take_merges(b, &h, take(b));
  return h;
}

/* ---- use ---- */

static void use(const en_tokenizer *t, const char *text, size_t n_text, int32_t flags) {
  int64_t n;
  size_t n_bytes;
  int32_t *ids = vocab_encode(t, text, n_text, flags, &n);
  REQUIRE(n >= 0 || n == EN_E_UNSUPPORTED || n == EN_E_FULL || n == EN_E_FORMAT /* a crafted table */);
  for (int64_t i = 0; i < n; i++) REQUIRE(ids[i] >= 0 && ids[i] < (int32_t)en_tokenizer_special(t)->n_vocab);
  if (n >= 0) free(vocab_decode(t, ids, (size_t)n, flags, flags & 1, &n_bytes));
  free(ids);
}

/* A token at a time and all at once give the same bytes when nothing depends on what came before. */
static void decode_any(const en_tokenizer *t, const uint8_t *data, size_t n) {
  const uint32_t n_vocab = en_tokenizer_special(t)->n_vocab;
  int32_t ids[64];
  size_t n_ids = 0, n_bytes = 0, total = 0;
  for (; n_ids < 64 && n_ids < n; n_ids++) ids[n_ids] = (int32_t)(data[n_ids] % n_vocab);
  for (size_t i = 0; i < n_ids; i++) {
    int32_t at_start = 0;
    en_out out = {0};
    en_token_piece(t, ids[i], EN_TOK_SPECIAL, &at_start, &out);
    total += out.n;
    (void)en_token_is_end(t, ids[i]);
  }
  free(vocab_decode(t, ids, n_ids, EN_TOK_SPECIAL, 0, &n_bytes));
  REQUIRE(n_bytes <= total && n_bytes + n_ids >= total); /* at most one added space per token is dropped */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (!n) return 0;
  bytes_t rest = {data + 1, n - 1};
  head_t h = {0};
  if (data[0] & 0x80) h = cook(&rest);
  else head_put(&h, rest.at, rest.n);
  if (!h.bytes) return 0;
  unsigned char *exact = malloc(h.n); /* so that a read past the head is seen */
  if (!exact) abort();
  memcpy(exact, h.bytes, h.n);
  free(h.bytes);
  vocab_t v = vocab_open(exact, h.n);
  REQUIRE(v.status == EN_OK || memchr(v.why.text, 0, sizeof v.why.text));
  if (v.status == EN_OK) {
    const size_t n_text = EN_MIN(rest.n, 4096);
    const char *text = (const char *)(data + n - n_text);
    use(v.t, text, n_text, EN_TOK_SPECIAL | EN_TOK_BOS | EN_TOK_EOS);
    use(v.t, text, n_text, 0);
    decode_any(v.t, data, n);
    (void)en_token_find(v.t, text, EN_MIN(n_text, 8));
  }
  vocab_close(&v);
  return 0;
}

/* rwkv.c - RWKV's tokenizer ("rwkv"): at every place the longest token that fits. Tokens are byte strings; files spell them as Python spells bytes, with
 * \t, \n, \r, \xHH and a backslash before a quote or another backslash. Every single byte is a token, so nothing is lost. */
#include "text.h"

enum { ID_BITS = 22 }; /* of a slot; the rest holds bits of the hash */
typedef struct { uint32_t *slots, mask, longest; } rwkv_t; /* bytes -> id: open addressing, an entry is 10 bits of hash and id + 1 */

static int32_t hex_of(char c) {
  const char lower = (char)(c | 32);
  return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that is spelled at s[*at], n > *at; *at moves behind it. */
static char next_byte(const char *s, size_t n, size_t *at) {
  const char c = s[(*at)++];
  if (c != '\\' || *at == n) return c;
  const char what = s[(*at)++];
  if (what == 'x' && n - *at >= 2 && hex_of(s[*at]) >= 0 && hex_of(s[*at + 1]) >= 0) {
    *at += 2;
    return (char)(hex_of(s[*at - 2]) * 16 + hex_of(s[*at - 1]));
  }
  return what == 't' ? '\t' : what == 'n' ? '\n' : what == 'r' ? '\r' : what;
}

static size_t carve(rwkv_t **r, uint64_t n_tokens, void *mem) {
  void *slots = NULL;
  const en_piece pieces[] = {{(void **)r, 1, sizeof **r}, {&slots, en_hash_slots(n_tokens), sizeof(uint32_t)}};
  const size_t bytes = en_carve(pieces, EN_COUNT(pieces), mem);
  if (mem && bytes) **r = (rwkv_t){slots, en_hash_slots(n_tokens) - 1, 0};
  return bytes;
}

static size_t state_bytes(const en_vocab_file *f) {
  rwkv_t *r;
  return carve(&r, f->tokens.n, NULL);
}

/* 1 if the token spells these bytes. */
static int spells(const en_tokenizer *t, int32_t id, const char *bytes, size_t n_bytes) {
  size_t n, at = 0, k = 0;
  const char *text = en_token_text(t, id, &n);
  for (; at < n && k < n_bytes; k++)
    if (next_byte(text, n, &at) != bytes[k]) return 0;
  return at == n && k == n_bytes;
}

/* The slot of these bytes, or the empty one where they belong; NULL: there are too many on the way. */
static uint32_t *slot_of(const en_tokenizer *t, uint32_t hash, const char *bytes, size_t n) {
  const rwkv_t *r = t->state;
  const uint32_t h = en_hash_mix(hash);
  for (uint32_t probe = 0; probe < EN_MAX_PROBES; probe++) {
    uint32_t *slot = &r->slots[(h + probe) & r->mask];
    if (!*slot) return slot;
    if (!((*slot ^ h) >> ID_BITS) && spells(t, (int32_t)(*slot & (((uint32_t)1 << ID_BITS) - 1)) - 1, bytes, n)) return slot;
  }
  return NULL;
}

static int32_t find(const en_tokenizer *t, uint32_t hash, const char *bytes, size_t n) {
  const uint32_t *slot = slot_of(t, hash, bytes, n);
  return slot && *slot ? (int32_t)(*slot & (((uint32_t)1 << ID_BITS) - 1)) - 1 : -1;
}

static int32_t insert(en_tokenizer *t, rwkv_t *r, int32_t id, en_why *why) {
  char bytes[EN_MAX_TOKEN];
  size_t n, at = 0, k = 0;
  const char *text = en_token_text(t, id, &n);
  while (at < n) bytes[k++] = next_byte(text, n, &at);
  const uint32_t hash = en_hash_bytes(EN_HASH_START, bytes, k);
  uint32_t *slot = slot_of(t, hash, bytes, k);
  if (!slot) return en_fail(why, EN_E_UNSUPPORTED, "the vocabulary's texts collide as only crafted ones do (token %d)", id);
  *slot = en_hash_mix(hash) >> ID_BITS << ID_BITS | (uint32_t)(id + 1); /* of two tokens with one text the later one */
  r->longest = EN_MAX(r->longest, (uint32_t)k);
  return EN_OK;
}

static int32_t init(en_tokenizer *t, const en_vocab_file *f, void *state, en_why *why) {
  rwkv_t *r;
  carve(&r, f->tokens.n, state);
  memset(r->slots, 0, ((size_t)r->mask + 1) * sizeof *r->slots);
  t->state = r;
  for (int32_t i = 0; i < (int32_t)t->special.n_vocab; i++) {
    size_t n;
    en_token_text(t, i, &n);
    if (n && !en_token_is_hidden(en_token_type(t, i)) && en_token_type(t, i) != EN_TOKEN_UNUSED) EN_TRY(insert(t, r, i, why));
  }
  for (int32_t i = 0; i < 256; i++) {
    const char c = (char)i;
    if (find(t, en_hash_bytes(EN_HASH_START, &c, 1), &c, 1) < 0) return en_fail(why, EN_E_FORMAT, "the vocabulary has no token for the byte %d", i);
  }
  return EN_OK;
}

static size_t scratch_bytes(const en_tokenizer *t, size_t n_text_bytes) {
  const rwkv_t *r = t->state;
  void *hashes;
  const en_piece room = {&hashes, r->longest, sizeof(uint32_t)};
  return n_text_bytes <= EN_MAX_TEXT ? en_carve(&room, 1, NULL) : 0;
}

static int32_t encode(const en_tokenizer *t, const char *text, size_t n, int after_special, en_ids *out, void *scratch) {
  const rwkv_t *r = t->state;
  uint32_t *hash = scratch; /* of the first 1, 2, ... bytes */
  (void)after_special;
  for (size_t at = 0, k; at < n; at += k) {
    int32_t id = -1;
    uint32_t h = EN_HASH_START;
    const size_t most = EN_MIN(n - at, r->longest);
    for (size_t i = 0; i < most; i++) hash[i] = h = en_hash_bytes(h, text + at + i, 1);
    for (k = most; id < 0; k -= id < 0) id = find(t, hash[k - 1], text + at, k); /* ends at k = 1 */
    en_ids_put(out, id);
  }
  return EN_OK;
}

static void piece(const char *token, size_t n, en_out *out) {
  for (size_t at = 0; at < n;) {
    const char c = next_byte(token, n, &at);
    en_out_put(out, &c, 1);
  }
}

const en_tokenizer_kind en_rwkv = {
  .model = "rwkv", .bos = -1, .eos = -1, .unk = -1,
  .state_bytes = state_bytes, .init = init, .scratch_bytes = scratch_bytes, .encode = encode, .piece = piece,
};

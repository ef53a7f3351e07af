/* vocab.c - token texts in the file's head and the hash from text to id. */
#include "text.h"

enum { ID_BITS = 22 }; /* of a slot; the rest holds bits of the hash, which spare most looks at a text that is another one */

uint32_t en_hash_slots(uint64_t n) {
  uint32_t slots = 16;
  while ((uint64_t)slots * 2 < n * 3) slots *= 2; /* n < EN_MAX_VOCAB */
  return slots;
}

uint32_t en_hash_bytes(uint32_t h, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)s[i]) * 16777619u;
  return h;
}

int32_t en_vocab_candidate(const en_tokenizer *t, uint32_t hash, uint32_t *probe) {
  const uint32_t h = en_hash_mix(hash), tag = h >> ID_BITS;
  while (*probe < EN_MAX_PROBES) {
    const uint32_t slot = t->slots[(h + (*probe)++) & t->slot_mask];
    if (!slot) break;
    if (slot >> ID_BITS == tag) return (int32_t)(slot & (((uint32_t)1 << ID_BITS) - 1)) - 1;
  }
  return -1;
}

int32_t en_vocab_find(const en_tokenizer *t, const char *a, size_t na, const char *b, size_t nb) {
  if (na > t->longest || nb > t->longest - na) return -1;
  const uint32_t hash = en_hash_bytes(en_hash_bytes(EN_HASH_START, a, na), b, nb);
  uint32_t probe = 0;
  for (int32_t id = en_vocab_candidate(t, hash, &probe); id >= 0; id = en_vocab_candidate(t, hash, &probe)) {
    size_t n;
    const char *text = en_token_text(t, id, &n);
    if (n == na + nb && !memcmp(text, a, na) && !memcmp(text + na, b, nb)) return id;
  }
  return -1;
}

/* Of two tokens with one text the one that merging may give wins, then the later one (as in llama.cpp). */
static int32_t insert(en_tokenizer *t, int32_t id, en_why *why) {
  size_t n, old_n;
  const char *text = en_token_text(t, id, &n);
  const uint32_t h = en_hash_mix(en_hash_bytes(EN_HASH_START, text, n)), entry = h >> ID_BITS << ID_BITS | (uint32_t)(id + 1);
  for (uint32_t probe = 0; probe < EN_MAX_PROBES; probe++) {
    uint32_t *slot = &t->slots[(h + probe) & t->slot_mask];
    if (!*slot) { *slot = entry; return EN_OK; }
    if ((*slot ^ entry) >> ID_BITS) continue;
    const int32_t old = (int32_t)(*slot & (((uint32_t)1 << ID_BITS) - 1)) - 1;
    const char *old_text = en_token_text(t, old, &old_n);
    if (old_n != n || memcmp(old_text, text, n)) continue;
    t->has_twins = 1;
    if (!en_token_is_hidden(en_token_type(t, id)) || en_token_is_hidden(en_token_type(t, old))) *slot = entry;
    return EN_OK;
  }
  return en_fail(why, EN_E_UNSUPPORTED, "the vocabulary's texts collide as only crafted ones do (token %d)", id);
}

int32_t en_vocab_init(en_tokenizer *t, const en_vocab_file *f, en_why *why) {
  const uint8_t *cursor = f->tokens.at;
  t->head = f->g.head;
  memset(t->slots, 0, ((size_t)t->slot_mask + 1) * sizeof *t->slots);
  for (int32_t i = 0; i < (int32_t)t->special.n_vocab; i++) {
    uint64_t n = 0;
    const uint32_t type = en_vocab_file_type(f, (uint32_t)i);
    t->text_at[i] = (uint32_t)(cursor - t->head); /* a head is shorter than EN_GGUF_MAX_HEAD */
    en_value_next_str(&cursor, &n);
    if (n > EN_MAX_TOKEN) return en_fail(why, EN_E_UNSUPPORTED, "token %d has %z bytes, more than the %d that we take", i, n, EN_MAX_TOKEN);
    t->attributes[i] = (uint8_t)(type > EN_TOKEN_BYTE || !type ? EN_TOKEN_NORMAL : type);
    t->longest = EN_MAX(t->longest, (uint32_t)n);
    if (n) EN_TRY(insert(t, i, why));
  }
  return EN_OK;
}

int32_t en_token_find(const en_tokenizer *t, const char *utf8, size_t n_bytes) {
  return t && utf8 && n_bytes ? en_vocab_find(t, utf8, n_bytes, "", 0) : -1;
}

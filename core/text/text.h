/* text.h - how the files of core/text fit together.
 *
 *   tokenizer.c    public calls: find the kind, build the tables, walk over a text's special tokens, decode
 *   vocab_file.c   what a file's head says: keys, arrays, special ids
 *   vocab.c        token texts, text -> id hash, ids of the 256 bytes
 *   special.c      tokens that are cut out of the text before anything else; tokens that end a generation
 *   merge.c        the merging both kinds share: O(n log n) over a word of any length
 *   spm.c bpe.c wordpiece.c rwkv.c unigram.c   one file per kind (tokenizers.def); bpe.c cuts words by pretokenize.c
 *   stream.c       tokens in, printable text out
 *
 * A new kind (tokenizer.ggml.model) is one file with an en_tokenizer_kind and one line in tokenizers.def. */
#ifndef EN_TEXT_H
#define EN_TEXT_H
#include "../format/gguf.h"

/* tokenizer.ggml.token_type, as GGUF numbers it. */
enum { EN_TOKEN_NORMAL = 1, EN_TOKEN_UNKNOWN, EN_TOKEN_CONTROL, EN_TOKEN_USER_DEFINED, EN_TOKEN_UNUSED, EN_TOKEN_BYTE };
/* A special token's attributes, kept next to its type: blanks before or after it in the text belong to it. */
enum { EN_TOKEN_TYPE_MASK = 15, EN_TOKEN_LSTRIP = 16, EN_TOKEN_RSTRIP = 32 };
#define EN_MAX_VOCAB ((uint32_t)1 << 22)
enum { EN_MAX_TOKEN = 4096 }; /* bytes of a token's text */
#define EN_MAX_TEXT ((size_t)1 << 29) /* bytes that one en_encode takes: offsets and counts fit 32 bits with room to spare */
enum { EN_MAX_ENDS = 32 };

/* ---- vocab_file.c: the head of a file, as far as a tokenizer needs it ---- */
typedef struct en_vocab_file {
  en_gguf g;                                /* scanned, without index */
  const char *model; uint64_t model_bytes;  /* tokenizer.ggml.model */
  en_value tokens, scores, types, merges;   /* n 0: the file has none; kinds of elements and lengths are checked */
} en_vocab_file;
int32_t en_vocab_file_read(en_vocab_file *f, const void *image, size_t n_head_bytes, en_why *why);
/* A special token's id: -1 or what `fallback` says where the key is absent, -1 where the vocabulary has no such id. */
int32_t en_vocab_file_id(const en_vocab_file *f, const char *key, int32_t fallback, int32_t *id, en_why *why);
static inline uint32_t en_vocab_file_type(const en_vocab_file *f, uint32_t i) { return f->types.n ? en_rd32(f->types.at + (size_t)4 * i) : EN_TOKEN_NORMAL; }

/* ---- where encoders and decoders write: both go on counting past the end, so that the caller learns the size ---- */
typedef struct { int32_t *ids; size_t cap, n; } en_ids;
typedef struct { char *bytes; size_t cap, n; int drop_space /* if the next byte is one */; } en_out;
static inline void en_ids_put(en_ids *o, int32_t id) { if (o->n < o->cap) o->ids[o->n] = id; o->n++; }
static inline void en_out_put(en_out *o, const char *s, size_t n) {
  if (n && o->drop_space) {
    o->drop_space = 0;
    if (*s == ' ') { s++; n--; }
  }
  if (n && o->n < o->cap) memcpy(o->bytes + o->n, s, EN_MIN(n, o->cap - o->n));
  o->n += n;
}

/* ---- a kind of tokenizer: what differs between SPM, BPE, ... ---- */
typedef struct en_tokenizer_kind {
  const char *model; /* tokenizer.ggml.model */
  int32_t bos, eos, unk, add_bos, add_eos, space_prefix; /* before the file's keys override them */
  int32_t wraps;     /* 1: a text stands between [CLS] and [SEP]; they are what bos and eos say */
  /* Memory of the kind's own tables; 0: it has none, or the sizes are impossible (init then says why). */
  size_t (*state_bytes)(const en_vocab_file *f);
  int32_t (*init)(en_tokenizer *t, const en_vocab_file *f, void *state, en_why *why);
  size_t (*scratch_bytes)(const en_tokenizer *t, size_t n_text_bytes); /* for a fragment of such a length; 0: too long */
  /* One fragment between special tokens; after_special: the text begins here or a special token came before. */
  int32_t (*encode)(const en_tokenizer *t, const char *text, size_t n, int after_special, en_ids *out, void *scratch);
  void (*piece)(const char *token, size_t n, en_out *out); /* the bytes that a normal token's text stands for */
} en_tokenizer_kind;
#define EN_TOKENIZER(kind) extern const en_tokenizer_kind kind;
#include "tokenizers.def"
#undef EN_TOKENIZER

struct en_tokenizer {
  const en_tokenizer_kind *kind;
  void *state;                       /* the kind's own */
  const uint8_t *head;               /* the file's head: token texts stay there */
  uint32_t *text_at;                 /* [n_vocab] offset in head of the token's GGUF string */
  uint8_t *attributes;               /* [n_vocab] EN_TOKEN_* type and strip flags */
  uint32_t *slots, slot_mask;        /* text -> id: open addressing, an entry is 10 bits of hash and id + 1 */
  int32_t *marked; uint32_t n_marked; /* special tokens, sorted by text: see special.c */
  uint32_t marked_from[257];         /* those whose first byte is b are marked[marked_from[b] .. marked_from[b + 1]) */
  uint32_t longest;                  /* bytes of the longest token text */
  int32_t has_twins;                 /* some tokens have one text */
  int32_t byte_id[256];              /* token of a single byte, -1 none */
  int32_t ends[EN_MAX_ENDS], n_ends; /* generation ends at these */
  int32_t space_prefix;              /* a space is put before a text that does not follow other text */
  en_special special;
};

static inline const char *en_token_text(const en_tokenizer *t, int32_t id, size_t *n) {
  const uint8_t *p = t->head + t->text_at[id];
  *n = (size_t)en_rd64(p);
  return (const char *)(p + 8);
}
static inline uint32_t en_token_type(const en_tokenizer *t, int32_t id) { return t->attributes[id] & EN_TOKEN_TYPE_MASK; }
/* Tokens that a text never gives by merging, only by being cut out whole (or not at all). */
static inline int en_token_is_hidden(uint32_t type) { return type == EN_TOKEN_CONTROL || type == EN_TOKEN_UNKNOWN; }

/* ---- spm.c ---- */
#define EN_SPACE_MARK "\xe2\x96\x81" /* U+2581 stands for a space in token texts */
enum { EN_SPACE_MARK_BYTES = 3 };
void en_marked_piece(const char *token, size_t n, en_out *out); /* a token text with space marks as a text */

/* ---- vocab.c ---- */
uint32_t en_hash_slots(uint64_t n);  /* entries of a hash over n things: a power of two, at most two thirds used */
uint32_t en_hash_bytes(uint32_t h, const char *s, size_t n); /* FNV-1a, to go on from h */
#define EN_HASH_START 2166136261u
static inline uint32_t en_hash_mix(uint32_t h) { h ^= h >> 16; h *= 0x7feb352du; h ^= h >> 15; h *= 0x846ca68bu; return h ^ h >> 16; }
enum { EN_MAX_PROBES = 1024 }; /* no honest vocabulary comes near it; a crafted one is refused instead of taking for ever */
int32_t en_vocab_init(en_tokenizer *t, const en_vocab_file *f, en_why *why);
/* The id whose text is a followed by b; -1 none. */
int32_t en_vocab_find(const en_tokenizer *t, const char *a, size_t na, const char *b, size_t nb);
/* Its candidates by hash, for texts that are not in one piece: *probe starts at 0; -1 at the end. The caller compares. */
int32_t en_vocab_candidate(const en_tokenizer *t, uint32_t hash, uint32_t *probe);

/* ---- special.c ---- */
uint32_t en_special_count(const en_vocab_file *f);
int32_t en_special_init(en_tokenizer *t, const en_vocab_file *f, en_why *why);
/* The first special token in text[at..n): its id and *start; -1 none. `all`: control and unknown tokens too, not only user-defined ones. */
int32_t en_special_next(const en_tokenizer *t, const char *text, size_t n, size_t at, int all, size_t *start);

/* ---- merge.c ---- */
#define EN_NO_SYMBOL UINT32_MAX
/* A piece of a word. Pieces are a linked list in text order; ranked by what merging it with the next one is worth. */
typedef struct {
  int32_t id;          /* token of this piece, -1 none */
  uint32_t start;      /* its first byte in the word; it ends where the next one starts */
  uint32_t prev, next; /* EN_NO_SYMBOL before the first one; the last one's next is the sentinel */
  int32_t merged;      /* token of this piece and the next one together, -1: they do not merge */
  uint32_t rank;       /* of that merge: the lowest goes first, the leftmost of equals */
  uint32_t slot;       /* place in the heap */
} en_symbol;
typedef struct en_merger {
  en_symbol *symbols; /* [n_symbols + 1]: the last is a sentinel that starts at the word's end */
  uint32_t *heap;     /* [n_symbols] symbols that have a merge */
  /* Fills merged and rank of `left`, whose next piece is `right`. */
  void (*rank)(const void *context, en_symbol *left, const en_symbol *right);
  const void *context;
} en_merger;
int32_t en_merger_pieces(en_merger *m, uint64_t max_symbols, en_piece pieces[2]); /* for en_carve; returns 2 */
static inline void en_merger_put(en_merger *m, uint32_t i, int32_t id, uint32_t start) { m->symbols[i].id = id; m->symbols[i].start = start; }
/* Merge n symbols (id and start set) until nothing merges. Walk the rest from symbols[0] by next until symbols[n]. */
void en_merge(en_merger *m, uint32_t n, uint32_t word_bytes);

/* ---- bpe.c ---- */
uint32_t en_bpe_character(uint32_t byte); /* that spells a byte in the token texts of byte-level BPE */

/* ---- tokenizer.c, for stream.c ---- */
/* What one token stands for. *at_start: the text or a stretch after a special token begins here, so the space that encoding adds
 * there is dropped; set anew for the next token. */
void en_token_piece(const en_tokenizer *t, int32_t id, int32_t flags, int32_t *at_start, en_out *out);
#endif

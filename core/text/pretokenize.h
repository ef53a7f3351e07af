/* pretokenize.h - cut text into the words inside which byte-level BPE merges. Each model family published a regular expression for
 * it; here each is a hand-written scanner over the Unicode classes. */
#ifndef EN_PRETOKENIZE_H
#define EN_PRETOKENIZE_H
#include "../base/base.h"

enum {
  EN_PRE_WHOLE_WORDS = 1, /* a word that is a token is taken without merging ("ignore_merges") */
  EN_PRE_BOS = 2          /* BOS is added unless the file says otherwise */
};
enum { EN_PRE_SPLITS = 6 };

/* The length of the first piece when text[0..n), n >= 1, is cut: a match of the expression, or what lies before the first one. */
typedef size_t (*en_split_fn)(const char *text, size_t n);
typedef struct { const char *name; uint32_t flags; en_split_fn split[EN_PRE_SPLITS]; } en_pretokenizer;

/* NULL: not known. */
const en_pretokenizer *en_pretokenizer_find(const char *name, uint64_t n_bytes);

/* A walk over the words of a text. Every piece is cut only when the one before it is used up, so a walk looks at a byte once
 * per split (and a few bytes ahead), however long the text. */
typedef struct { const en_pretokenizer *pre; const char *text; size_t n, at, end[EN_PRE_SPLITS]; } en_words;
void en_words_begin(en_words *w, const en_pretokenizer *pre, const char *text, size_t n);
/* 1 and the next word, or 0 at the end. The words cover the text without gaps. */
int en_words_next(en_words *w, const char **word, size_t *n);
#endif

/* unicode.h - the little of Unicode that tokenizers need: UTF-8 in steps, classes of code points, lower case, canonical decompositions. */
#ifndef EN_UNICODE_H
#define EN_UNICODE_H
#include "../base/base.h"

/* Values are those of unicode_table.inc. SPACE is White_Space; the others are the general categories L*, N*, P*, S*, M* but Mn, Mn.
 * OTHER is C*: controls, formats, private and unassigned ones. */
enum { EN_CP_OTHER, EN_CP_SPACE, EN_CP_LETTER, EN_CP_NUMBER, EN_CP_PUNCTUATION, EN_CP_SYMBOL, EN_CP_MARK, EN_CP_MARK_NONSPACING };
static inline int en_cp_is_mark(int32_t class) { return class >= EN_CP_MARK; }
#define EN_CP_REPLACEMENT 0xFFFDu

int32_t en_codepoint_class(uint32_t cp);
uint32_t en_codepoint_lower(uint32_t cp); /* without context; U+0130 gives i alone, without the dot above */
/* The canonical decomposition (Unicode standard, 3.7), marks in the order of the tables: out[0..n). Returns n, 1 to 4. */
enum { EN_MAX_PARTS = 4 };
int32_t en_codepoint_decompose(uint32_t cp, uint32_t out[EN_MAX_PARTS]);

/* The place of the last of n ascending values that is at most v, or 0; a value stands at each `stride`-th place. How the tables are searched. */
int32_t en_last_upto(const uint32_t *values, int32_t n, int32_t stride, uint32_t v);

/* Look at the code point that starts at s (Unicode standard, table 3-7 of well-formed sequences).
 *   k > 0  it takes k bytes, *cp is set
 *   0      s[0..n) is the beginning of a code point that has not ended
 *   -k     the first k bytes can never become one (a maximal subpart: one U+FFFD stands for them) */
int32_t en_utf8_step(const char *s, size_t n, uint32_t *cp);

/* Write cp (a code point below 0x110000) as UTF-8; returns its length, 1 to 4. */
int32_t en_utf8_put(uint32_t cp, char out[4]);
#endif

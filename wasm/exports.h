/* exports.h - what the files of the border share: the mailbox, the last sentence, lent memory. exports.c owns all of it. */
#ifndef EN_EXPORTS_H
#define EN_EXPORTS_H
#include "../core/base/base.h"

double *w_mail(void);
/* The sentence behind the next failure. */
en_why *w_reason(void);
/* The lanes, without the stop word: whoever borrows it is stopped by being run in slices. */
en_host w_lanes(void);
static inline double w_from_ptr(const void *p) { return (double)(uintptr_t)p; }

/* Allocates n_bytes and leaves block and bytes in mail[1..2]; NULL after a sentence that names `what`. */
void *w_open_block(size_t n_bytes, const char *what);
void w_free(void *block);
/* Leaves the handle in mail[0]; frees the block after a failure. Returns status. */
int32_t w_opened(int32_t status, const void *handle, void *block);
#endif

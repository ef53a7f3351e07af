/* imatrix.h - importance files as llama.cpp writes them (GGUF, general.type "imatrix"): of every matrix the sums of its inputs' squares,
 * "<tensor>.in_sum2" [cols, experts], and over how many rows they were taken, "<tensor>.counts" [1, experts]. */
#ifndef EN_CLI_IMATRIX_H
#define EN_CLI_IMATRIX_H
#include "source.h"

/* All zeros: no file, everything is equally important. */
typedef struct { en_gguf g; unsigned char *file; void *index; } imatrix;
int32_t imatrix_open(imatrix *m, const char *path, en_why *why); /* reads it whole; the sums become means */
void imatrix_close(imatrix *m);
/* *out: [cols, experts] mean squares for a matrix, or NULL: the file does not have it. */
int32_t imatrix_find(const imatrix *m, const en_gguf_tensor *t, const float **out, en_why *why);
#endif

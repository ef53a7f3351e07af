/* parts.h - several files as the bytes of one GGUF file: a Hugging Face folder (core/format/hf.h), or a model that is split (core/format/split.h). */
#ifndef EN_CLI_PARTS_H
#define EN_CLI_PARTS_H
#include "../core/format/hf.h"
#include "../core/format/split.h"
#include "cli.h"

typedef struct cli_parts cli_parts;
int cli_is_folder(const char *path);
/* *head: the GGUF head (theirs until they are closed). NULL, with the reason in why. */
cli_parts *cli_parts_folder(const char *path, const unsigned char **head, size_t *n_head, en_why *why);
/* path: any one of the n files, "name-00002-of-00003.gguf". */
cli_parts *cli_parts_split(const char *path, uint32_t n, const unsigned char **head, size_t *n_head, en_why *why);
int32_t cli_parts_read(cli_parts *d, uint64_t at /* from the start of the tensor data */, void *dst, size_t n, en_why *why);
void cli_parts_close(cli_parts *d);
/* All bytes of a GGUF file up to its tensor data, and perhaps more; *g is the scan of them. free(*head), on failure too. */
int32_t cli_read_head(FILE *f, unsigned char **head, size_t *n_head, en_gguf *g, en_why *why);
#endif
